//! How long the long limits last, in words: "runs out at 14:10", and which plan would not.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tradewind_quota::outlook::Outlook;

use crate::terminal::{self, Tone, paint};

/// Widest gauge, in characters.
const GAUGE: u64 = 20;

/// Writes one block for each window; nothing when none is in use.
pub(super) fn show(outlooks: &[Outlook]) {
    if outlooks.is_empty() {
        return;
    }
    terminal::line("");
    for outlook in outlooks {
        let full = (outlook.used.min(outlook.limit) * GAUGE).div_ceil(outlook.limit.max(1));
        let full = usize::try_from(full).unwrap_or_default();
        let tone = match outlook.runs_out {
            Some(_) => Tone::Bad,
            None if outlook.used * 4 >= outlook.limit * 3 => Tone::Warn,
            None => Tone::Good,
        };
        terminal::line(format_args!(
            "{} {}{} {}",
            paint(Tone::Strong, format_args!("{:<14}", outlook.provider)),
            paint(tone, "█".repeat(full)),
            paint(
                Tone::Dim,
                "░".repeat(usize::try_from(GAUGE).unwrap_or_default() - full)
            ),
            used(outlook),
        ));
        for line in course(outlook) {
            terminal::line(format_args!("{:<15}{line}", ""));
        }
    }
}

/// Says what is used: `18 of 25 requests in 1 day (Free)`.
pub(super) fn used(outlook: &Outlook) -> String {
    let limit = u32::try_from(outlook.limit).unwrap_or(u32::MAX);
    format!(
        "{} of {} {} in {} ({})",
        outlook.used,
        outlook.limit,
        outlook.counts.as_words(limit),
        outlook.per,
        terminal::one_line(&outlook.plan, 40)
    )
}

/// Says where it is going, in the user's own zone.
fn course(outlook: &Outlook) -> Vec<String> {
    let pace = outlook
        .per_hour
        .map(|pace| format!("{pace:.1} an hour of late"));
    let mut lines = Vec::new();
    match (outlook.runs_out, pace) {
        (Some(_), _) if outlook.used >= outlook.limit => {
            lines.push(paint(Tone::Bad, "nothing is left"));
        }
        (Some(at), Some(pace)) => {
            let text = format!("runs out at {} if it goes on like that: {pace}", local(at));
            lines.push(paint(Tone::Bad, text));
        }
        (None, Some(pace)) => lines.push(format!("lasts: {pace}")),
        (_, None) => lines.push("nothing was used of late".to_owned()),
    }
    if let Some(at) = outlook.renews {
        lines.push(format!("the first of it comes back at {}", local(at)));
    }
    for plan in &outlook.other_plans {
        let title = terminal::one_line(&plan.title, 40);
        let allowed = match plan.limit {
            Some(limit) => format!("{limit} in {}", outlook.per),
            None => format!("no known limit in {}", outlook.per),
        };
        let verdict = if plan.is_enough {
            "would last"
        } else {
            "would not last either"
        };
        lines.push(format!("on {title} it {verdict}: {allowed}"));
    }
    lines
}

fn local(at: Timestamp) -> String {
    let zoned = at.to_zoned(TimeZone::system());
    zoned.strftime("%Y-%m-%d %H:%M").to_string()
}
