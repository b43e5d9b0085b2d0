//! `tradewind usage`: who asked providers for what, what it cost, what the cache saved, and how long limits last.

mod limits;
mod picture;
pub(super) mod workflow;

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::ValueEnum;
use jiff::ToSpan;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use tradewind_host::clock::SystemUptime;
use tradewind_market::usage::{self, Counts, Whose};
use tradewind_quota::outlook::{Outlook, outlooks};

use super::{Format, audit};
use crate::place::Place;
use crate::report::{Exit, Failure, Outcome};
use crate::settings::{self, Settings};
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
    /// Also draw days and limits into this SVG file
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

/// What is added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum By {
    /// Whoever was to be asked
    #[default]
    Provider,
    /// Whoever asked, by `X-Tradewind-Consumer`
    Consumer,
    /// Kind of data and length of bars, or the provider's endpoint
    What,
    /// The functions of this repository that ask the endpoint, by its API map
    Workflow,
    /// Day, UTC
    Day,
}

/// Everything that is told.
struct Told {
    from: Date,
    to: Date,
    counted: Vec<(Whose, Counts)>,
    outlooks: Vec<Outlook>,
}

impl Told {
    fn read(place: &Place, days: i32) -> Result<Self, Failure> {
        let failed = |error: &dyn std::error::Error| Failure::from_error(Exit::Outside, error);
        let now = place.now();
        let to = now.to_zoned(TimeZone::UTC).date();
        let from = to.checked_sub((days - 1).days()).unwrap_or(to);
        let reader = place.reader()?;
        let counted = usage::read(&reader, &from.to_string()).map_err(|e| failed(&e))?;
        let catalog = settings::catalog()?.catalog;
        let quota = Settings::load(&catalog)?.quota;
        let uptime = SystemUptime::new();
        let outlooks = outlooks(&reader, &catalog, &quota, &uptime, now).map_err(|e| failed(&e))?;
        Ok(Self {
            from,
            to,
            counted,
            outlooks,
        })
    }

    fn sum(&self) -> Counts {
        let mut sum = Counts::default();
        for (_, counts) in &self.counted {
            sum.add(*counts);
        }
        sum
    }
}

pub(crate) async fn run(place: &Place, args: &Args) -> Outcome {
    let told = Told::read(place, args.days)?;
    let functions = match args.by {
        By::Workflow => Some(workflow::functions(place).await?),
        _ => None,
    };
    let name = |whose: &Whose| -> String {
        match (args.by, &functions) {
            (By::Workflow, Some(functions)) => functions.of(whose),
            (By::Consumer, _) => whose.consumer.clone(),
            (By::What, _) => whose.what.clone(),
            (By::Day, _) => whose.day.clone(),
            (By::Provider | By::Workflow, _) => whose.provider.clone(),
        }
    };
    if let Some(path) = &args.svg {
        audit::write(place, path, &picture::svg(&told))?;
        terminal::note(format_args!("The picture is in {}.", path.display()));
    }
    if args.format == Format::Json {
        json(&told, &name, functions.is_some());
    } else {
        text(&told, &name);
    }
    Ok(Exit::Done)
}

fn json(told: &Told, name: &dyn Fn(&Whose) -> String, has_workflow: bool) {
    let rows: Vec<_> = told
        .counted
        .iter()
        .map(|(whose, counts)| {
            let mut row =
                serde_json::json!({ "whose": whose, "counts": counts, "saved": counts.saved() });
            if has_workflow {
                row["workflow"] = name(whose).into();
            }
            row
        })
        .collect();
    let sum = told.sum();
    let body = serde_json::json!({
        "schema_version": 1, "from": told.from.to_string(), "to": told.to.to_string(),
        "usage": rows, "sum": sum, "saved": sum.saved(), "limits": told.outlooks,
    });
    terminal::line(serde_json::to_string_pretty(&body).unwrap_or_default());
}

fn text(told: &Told, name: &dyn Fn(&Whose) -> String) {
    if told.counted.is_empty() {
        terminal::line(format_args!(
            "Nobody has asked for market data since {}. Try: tradewind get bars BTC/USD@kraken",
            told.from
        ));
    } else {
        table(told, name);
    }
    limits::show(&told.outlooks);
}

fn table(told: &Told, name: &dyn Fn(&Whose) -> String) {
    let mut sums: BTreeMap<String, Counts> = BTreeMap::new();
    for (whose, counts) in &told.counted {
        sums.entry(name(whose)).or_default().add(*counts);
    }
    let names = sums.keys().map(|name| name.chars().count());
    let wide = names.max().unwrap_or(0).clamp(23, 48) + 1;
    terminal::line(paint(
        Tone::Dim,
        format_args!(
            "{:<wide$}{:>10}{:>10}{:>10}{:>12}{:>10}",
            "since ".to_owned() + &told.from.to_string(),
            "questions",
            "calls",
            "saved",
            "rows",
            "failed"
        ),
    ));
    let most = sums.values().map(|counts| counts.answers).max();
    let most = most.unwrap_or(0).max(1);
    for (name, counts) in &sums {
        let part = |count: u64| usize::try_from(count * BAR as u64 / most).unwrap_or(BAR);
        let called = part(counts.calls.min(counts.answers));
        let saved = part(counts.answers).saturating_sub(called);
        terminal::line(format_args!(
            "{:<wide$}{:>10}{:>10}{:>10}{:>12}{:>10}  {}{}",
            terminal::one_line(name, wide - 1),
            counts.answers,
            counts.calls,
            counts.saved(),
            counts.rows,
            counts.failures,
            paint(Tone::Warn, "█".repeat(called)),
            paint(Tone::Good, "░".repeat(saved)),
        ));
    }
    let whole = told.sum();
    terminal::line(format_args!(
        "{} questions needed {} calls; {} were saved. Lines: █ called, ░ held already.",
        whole.answers,
        whole.calls,
        whole.saved()
    ));
}
