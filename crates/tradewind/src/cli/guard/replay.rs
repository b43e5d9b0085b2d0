//! `tradewind guard replay`: what would have been stopped in history, as it is found.

use std::ops::ControlFlow;

use tradewind_delivery::guard::Policy;
use tradewind_delivery::guard::replay::{Replayed, Tally, replay};

use crate::cli::Format;
use crate::place::Place;
use crate::report::{Exit, Outcome};
use crate::terminal::{self, Tone, one_line, paint, word};

/// Stops of one commit that are shown.
const MAX_SHOWN: usize = 5;
/// Commits between two signs of life.
const STRIDE: usize = 250;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Commits, as git names them: `v1..main`, `HEAD~50..`; without one, all that HEAD reaches
    #[arg(value_name = "RANGE")]
    range: Option<String>,
    /// The form of the answer; `json` is one object a line, the last one with the sums
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(place: &Place, args: &Args) -> Outcome {
    let git = Place::git()?;
    let location = place.location()?;
    let policy = Policy::new(&super::section(&location)?);
    let is_watched = terminal::is_watched() && args.format == Format::Text;
    let mut next_sign = STRIDE;
    let tally = replay(
        &git,
        &location,
        args.range.as_deref(),
        &policy,
        |commit, done, all| {
            if !commit.judgement.stops.is_empty() || !commit.judgement.warnings.is_empty() {
                tell(commit, args.format);
            }
            if is_watched && done >= next_sign {
                next_sign = done + STRIDE;
                terminal::note(format_args!("{done} of {all} commits"));
            }
            ControlFlow::Continue(())
        },
    );
    let tally = tally.map_err(|error| {
        super::outside(&error)
            .hint("name commits as `git log` does: `tradewind guard replay v1..main`")
    })?;
    sums(&tally, args.format);
    Ok(Exit::Done)
}

fn tell(commit: &Replayed, format: Format) {
    if format == Format::Json {
        let body = serde_json::json!({ "schema_version": 1, "commit": commit });
        terminal::line(body);
        return;
    }
    let id: String = commit.commit.to_string().chars().take(12).collect();
    terminal::line(format_args!(
        "{} {}",
        paint(Tone::Strong, id),
        one_line(&commit.subject, 90)
    ));
    let stops = &commit.judgement.stops;
    for stop in stops.iter().take(MAX_SHOWN) {
        terminal::line(format_args!("  stopped: {}", word(&stop.what)));
        if let Some(first) = stop.evidence.first() {
            let line = first.line.map_or(String::new(), |line| format!(":{line}"));
            terminal::line(format_args!(
                "    {}{line} {}",
                word(&first.path),
                paint(Tone::Dim, one_line(&first.note, 90))
            ));
        }
    }
    if stops.len() > MAX_SHOWN {
        terminal::line(format_args!("  … and {} more", stops.len() - MAX_SHOWN));
    }
    for warning in &commit.judgement.warnings {
        terminal::line(format_args!("  told: {}", word(&warning.what)));
    }
}

fn sums(tally: &Tally, format: Format) {
    if format == Format::Json {
        terminal::line(serde_json::json!({ "schema_version": 1, "tally": tally }));
        return;
    }
    terminal::line(format_args!(
        "{} commits judged: {} stopped, {} told of, {} not readable here. Merges are left out: both sides were judged.",
        tally.judged, tally.stopped, tally.warned, tally.unread
    ));
}
