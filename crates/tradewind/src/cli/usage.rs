//! `tradewind usage`: who asked providers for what, what it cost, and what the cache saved.

use std::collections::BTreeMap;

use clap::ValueEnum;
use jiff::ToSpan;
use jiff::tz::TimeZone;
use tradewind_market::usage::{self, Counts, Whose};

use super::Format;
use crate::place::Place;
use crate::report::{Exit, Failure, Outcome};
use crate::terminal::{self, Tone, paint};

/// Widest bar of the picture, in characters.
const BAR: usize = 30;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many days back, today included
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(i32).range(1..=3660))]
    days: i32,
    /// What is added up
    #[arg(long, value_enum, default_value_t)]
    by: By,
    /// The form of the answer
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// What is added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum By {
    /// Whoever was to be asked
    #[default]
    Provider,
    /// Whoever asked, by `X-Tradewind-Consumer`
    Consumer,
    /// Kind of data and length of bars
    What,
    /// Day, UTC
    Day,
}

impl By {
    fn of(self, whose: &Whose) -> &str {
        match self {
            Self::Provider => &whose.provider,
            Self::Consumer => &whose.consumer,
            Self::What => &whose.what,
            Self::Day => &whose.day,
        }
    }
}

pub(crate) fn run(place: &Place, args: &Args) -> Outcome {
    let today = place.now().to_zoned(TimeZone::UTC).date();
    let first = today.checked_sub((args.days - 1).days()).unwrap_or(today);
    let reader = place.reader()?;
    let counted = usage::read(&reader, &first.to_string())
        .map_err(|e| Failure::from_error(Exit::Outside, &e))?;
    let mut sums: BTreeMap<&str, Counts> = BTreeMap::new();
    let mut whole = Counts::default();
    for (whose, counts) in &counted {
        sums.entry(args.by.of(whose)).or_default().add(*counts);
        whole.add(*counts);
    }
    if args.format == Format::Json {
        let rows: Vec<_> = counted
            .iter()
            .map(|(whose, counts)| serde_json::json!({ "whose": whose, "counts": counts, "saved": counts.saved() }))
            .collect();
        let body = serde_json::json!({
            "schema_version": 1, "from": first.to_string(), "to": today.to_string(),
            "usage": rows, "sum": whole, "saved": whole.saved(),
        });
        terminal::line(serde_json::to_string_pretty(&body).unwrap_or_default());
        return Ok(Exit::Done);
    }
    if counted.is_empty() {
        terminal::line(format_args!(
            "Nobody has asked for market data since {first}. Try: tradewind get bars BTC/USD@kraken"
        ));
        return Ok(Exit::Done);
    }
    terminal::line(paint(
        Tone::Dim,
        format_args!(
            "{:<24}{:>10}{:>10}{:>10}{:>12}{:>10}",
            "since ".to_owned() + &first.to_string(),
            "questions",
            "calls",
            "saved",
            "rows",
            "failed"
        ),
    ));
    let most = sums
        .values()
        .map(|counts| counts.answers)
        .max()
        .unwrap_or(0)
        .max(1);
    for (name, counts) in &sums {
        let part = |count: u64| usize::try_from(count * BAR as u64 / most).unwrap_or(BAR);
        let called = part(counts.calls.min(counts.answers));
        let saved = part(counts.answers).saturating_sub(called);
        terminal::line(format_args!(
            "{:<24}{:>10}{:>10}{:>10}{:>12}{:>10}  {}{}",
            terminal::one_line(name, 23),
            counts.answers,
            counts.calls,
            counts.saved(),
            counts.rows,
            counts.failures,
            paint(Tone::Warn, "█".repeat(called)),
            paint(Tone::Good, "░".repeat(saved)),
        ));
    }
    terminal::line(format_args!(
        "{} questions needed {} calls; {} were saved. Lines: █ called, ░ held already.",
        whole.answers,
        whole.calls,
        whole.saved()
    ));
    Ok(Exit::Done)
}
