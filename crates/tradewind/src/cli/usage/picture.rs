//! Days and limits as one SVG file: what was called, what was held already, and how full each limit is.
//!
//! One file without outside requests that looks right on light and dark pages. Everything that comes from
//! outside is escaped.

use std::collections::BTreeMap;

use jiff::ToSpan as _;
use jiff::civil::Date;
use tradewind_market::usage::Counts;

use super::{Told, limits};
use crate::http::page::escape;

const WIDTH: f64 = 720.0;
const LEFT: f64 = 48.0;
const TOP: f64 = 54.0;
/// Height of the days.
const UP: f64 = 150.0;
/// Height of one limit.
const ROW: f64 = 34.0;
/// Days whose dates are written at most.
const LABELS: usize = 8;

const STYLE: &str = "<style>text{font:12px system-ui,sans-serif;fill:#24292f}.h{font-weight:600;font-size:14px}.d{fill:#57606a}\
.c{fill:#bf8700}.s{fill:#2da44e;opacity:.55}.g{fill:#8c959f;opacity:.3}.b{fill:#cf222e}.l{stroke:#8c959f;stroke-opacity:.4}\
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.d{fill:#9198a1}}</style>";

/// Draws it.
pub(super) fn svg(told: &Told) -> String {
    let days = days(told);
    let height = TOP + UP + 40.0 + ROW * count(told.outlooks.len()) + 10.0;
    let sum = told.sum();
    let title = format!(
        "Market data from {} to {}: {} questions, {} calls, {} saved",
        told.from,
        told.to,
        sum.answers,
        sum.calls,
        sum.saved()
    );
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\"><title>{title}</title>{STYLE}\
         <text class=\"h\" x=\"8\" y=\"20\">{title}</text>\
         <rect class=\"c\" x=\"8\" y=\"30\" width=\"10\" height=\"10\"/><text class=\"d\" x=\"22\" y=\"39\">called</text>\
         <rect class=\"s\" x=\"78\" y=\"30\" width=\"10\" height=\"10\"/><text class=\"d\" x=\"92\" y=\"39\">saved: held already, or shared</text>"
    );
    chart(&mut out, &days);
    for (row, outlook) in told.outlooks.iter().enumerate() {
        let y = TOP + UP + 40.0 + ROW * count(row);
        let share = fraction(outlook.used.min(outlook.limit), outlook.limit.max(1));
        let class = if outlook.runs_out.is_some() { "b" } else { "s" };
        let text = match outlook.runs_out {
            Some(at) if outlook.used < outlook.limit => {
                format!(
                    "{}; runs out {}",
                    limits::used(outlook),
                    at.strftime("%Y-%m-%d %H:%M UTC")
                )
            }
            Some(_) => format!("{}; nothing is left", limits::used(outlook)),
            None => limits::used(outlook),
        };
        put(
            &mut out,
            format_args!(
                "<text x=\"8\" y=\"{0:.0}\">{1}</text><text class=\"d\" x=\"120\" y=\"{0:.0}\">{2}</text>\
                 <rect class=\"g\" x=\"120\" y=\"{3:.0}\" width=\"{4}\" height=\"8\"/>\
                 <rect class=\"{class}\" x=\"120\" y=\"{3:.0}\" width=\"{5:.1}\" height=\"8\"/>",
                y + 10.0,
                escape(&outlook.provider),
                escape(&text),
                y + 15.0,
                WIDTH - 130.0,
                (WIDTH - 130.0) * share
            ),
        );
    }
    out.push_str("</svg>\n");
    out
}

/// Returns what was counted on each day, also on those without anything.
fn days(told: &Told) -> BTreeMap<Date, Counts> {
    let mut days = BTreeMap::new();
    let mut day = told.from;
    while day <= told.to {
        days.insert(day, Counts::default());
        let Ok(next) = day.checked_add(1.day()) else {
            break;
        };
        day = next;
    }
    for (whose, counts) in &told.counted {
        if let Ok(day) = whose.day.parse() {
            days.entry(day).or_default().add(*counts);
        }
    }
    days
}

fn chart(out: &mut String, days: &BTreeMap<Date, Counts>) {
    let height = |counts: &Counts| counts.calls.saturating_add(counts.saved());
    let most = days.values().map(height).max().unwrap_or(0).max(1);
    let step = (WIDTH - LEFT - 10.0) / count(days.len().max(1));
    let bar = (step * 0.8).min(60.0);
    let zero = TOP + UP;
    put(
        out,
        format_args!(
            "<line class=\"l\" x1=\"{LEFT}\" y1=\"{TOP}\" x2=\"{WIDTH}\" y2=\"{TOP}\"/><line class=\"l\" x1=\"{LEFT}\" y1=\"{zero}\" x2=\"{WIDTH}\" y2=\"{zero}\"/>\
             <text class=\"d\" x=\"{0}\" y=\"{1}\" text-anchor=\"end\">{most}</text><text class=\"d\" x=\"{0}\" y=\"{2}\" text-anchor=\"end\">0</text>",
            LEFT - 6.0,
            TOP + 4.0,
            zero + 4.0
        ),
    );
    let every = days.len().div_ceil(LABELS).max(1);
    for (at, (day, counts)) in days.iter().enumerate() {
        let x = LEFT + step * count(at) + (step - bar) / 2.0;
        let called = UP * fraction(counts.calls, most);
        let saved = UP * fraction(counts.saved(), most);
        put(
            out,
            format_args!(
                "<g><title>{day}: {} called, {} saved</title><rect class=\"c\" x=\"{x:.1}\" y=\"{:.1}\" width=\"{bar:.1}\" height=\"{called:.1}\"/>\
                 <rect class=\"s\" x=\"{x:.1}\" y=\"{:.1}\" width=\"{bar:.1}\" height=\"{saved:.1}\"/></g>",
                counts.calls,
                counts.saved(),
                zero - called,
                zero - called - saved
            ),
        );
        if at % every == 0 {
            put(
                out,
                format_args!(
                    "<text class=\"d\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
                    x + bar / 2.0,
                    zero + 16.0,
                    day.strftime("%m-%d")
                ),
            );
        }
    }
}

fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.push_str(&text.to_string());
}

#[expect(clippy::cast_precision_loss, reason = "places in a picture")]
fn count(number: usize) -> f64 {
    number as f64
}

#[expect(clippy::cast_precision_loss, reason = "places in a picture")]
fn fraction(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}
