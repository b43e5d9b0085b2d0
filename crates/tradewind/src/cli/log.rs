//! `tradewind log`: what happened.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tradewind_core::{Event, EventKind, RepositoryId, Seq};
use tradewind_journal::{Filter, Reader};

use super::Format;
use crate::describe::{counted, describe, tone};
use crate::http::events::LAST_WRITE;
use crate::place::Place;
use crate::report::{Exit, Failure, Outcome};
use crate::terminal::{self, Tone, one_line, paint};
use crate::{repositories, times};

/// How often `--follow` looks when nothing wakes it: readers in other processes are not woken by the writer.
const FOLLOW_INTERVAL: Duration = Duration::from_millis(50);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Go on showing events as they happen
    #[arg(short, long)]
    follow: bool,
    /// Only these kinds; `*` stands for any characters, e.g. `repo.commit.*`
    #[arg(short, long, value_name = "KIND", value_delimiter = ',')]
    kind: Vec<String>,
    /// Only since then: `2h`, `3 days`, `2026-11-23`, `2026-11-23T09:30:00Z`
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// Only until then; `--follow` ends there
    #[arg(long, value_name = "WHEN")]
    until: Option<String>,
    /// Only events about this subject, e.g. a branch or a rule
    #[arg(long)]
    subject: Option<String>,
    /// At most so many, the newest
    #[arg(short = 'n', long, default_value_t = 30, value_name = "N")]
    limit: usize,
    /// Events of all repositories, not only of this one
    #[arg(short, long)]
    all: bool,
    /// Check the whole chain of events instead; exit code 1 when it is broken
    #[arg(long, conflicts_with_all = ["follow", "kind", "since", "until", "subject"])]
    verify: bool,
    /// The form of the answer
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(crate) async fn run(place: &Place, args: Args) -> Outcome {
    let reader = place.reader()?;
    if args.verify {
        return verify(&reader, args.format);
    }
    let filter = filter(place, &args)?;
    let names = repositories::names(&reader)?;
    // Before the events are read: what comes between is shown, not skipped.
    let upper = reader
        .last()
        .map_err(|e| Failure::from_error(Exit::Outside, &e))?;
    let mut events = reader
        .select(&filter)
        .map_err(|e| Failure::from_error(Exit::Outside, &e))?;
    if filter.newest_first {
        events.reverse();
    }
    if args.format == Format::Json && !args.follow {
        let body = serde_json::json!({ "schema_version": 1, "events": events });
        terminal::line(serde_json::to_string_pretty(&body).unwrap_or_default());
        return Ok(Exit::Done);
    }
    if events.is_empty() && !args.follow && args.limit > 0 {
        terminal::note(
            "No events match. `tradewind log --all` shows every repository; `tradewind up` starts watching.",
        );
    }
    let mut last = events.last().map_or(upper, |e| e.seq);
    for event in &events {
        show(event, &names, args.format);
    }
    if !args.follow {
        return Ok(Exit::Done);
    }
    let filter = Filter {
        newest_first: false,
        limit: 512,
        ..filter
    };
    loop {
        // Asked before reading: an event from before the end may be written a moment after it.
        let is_over = filter
            .until
            .is_some_and(|end| place.now().duration_since(end) > LAST_WRITE);
        let events = reader
            .select(&Filter {
                after: last,
                ..filter.clone()
            })
            .map_err(|e| Failure::from_error(Exit::Outside, &e))?;
        for event in &events {
            show(event, &names, args.format);
            last = event.seq;
        }
        drop(std::io::stdout().flush());
        if events.is_empty() && is_over {
            return Ok(Exit::Done);
        }
        if events.is_empty() {
            tokio::time::sleep(FOLLOW_INTERVAL).await;
        }
    }
}

fn filter(place: &Place, args: &Args) -> Result<Filter, Failure> {
    let mut kinds = Vec::new();
    for pattern in &args.kind {
        let matching = EventKind::matching(pattern);
        if matching.is_empty() {
            let names: Vec<_> = EventKind::ALL.iter().map(|k| k.as_str()).collect();
            return Err(Failure::new(
                Exit::Usage,
                format!("kind {pattern:?} matches none of the kinds that exist"),
            )
            .hint(format!("choose from: {}", names.join(", "))));
        }
        kinds.extend(matching);
    }
    let when = |text: &Option<String>| {
        text.as_deref()
            .map(|t| times::parse_past(t, place.now()))
            .transpose()
    };
    Ok(Filter {
        kinds,
        since: when(&args.since)?,
        until: when(&args.until)?,
        subject: args.subject.clone(),
        repository: if args.all {
            None
        } else {
            place.registered_repository()
        },
        limit: args.limit,
        newest_first: true,
        ..Filter::default()
    })
}

fn show(event: &Event, names: &BTreeMap<RepositoryId, String>, format: Format) {
    match format {
        Format::Json => {
            let mut body = serde_json::to_value(event).unwrap_or_default();
            if let Some(object) = body.as_object_mut() {
                object.insert("schema_version".to_owned(), 1.into());
            }
            terminal::line(body);
        }
        Format::Text => terminal::line(text(event, names)),
    }
}

/// Writes one event as one line.
pub(crate) fn text(event: &Event, names: &BTreeMap<RepositoryId, String>) -> String {
    let place = event
        .repository
        .and_then(|id| names.get(&id))
        .map(String::as_str)
        .unwrap_or_default();
    let what = one_line(&describe(event), terminal::width().max(60) * 2);
    format!(
        "{:>6} {} {} {:<26} {}",
        event.seq,
        paint(Tone::Dim, local_time(event.recorded_at)),
        paint(Tone::Dim, format_args!("{:<12}", one_line(place, 12))),
        event.kind,
        paint(tone(event.kind), what),
    )
}

/// Says a time in the user's own zone.
pub(crate) fn local_time(time: Timestamp) -> String {
    time.to_zoned(TimeZone::system())
        .strftime("%m-%d %H:%M:%S")
        .to_string()
}

fn verify(reader: &Reader, format: Format) -> Outcome {
    let total = reader
        .last()
        .map_err(|e| Failure::from_error(Exit::Outside, &e))?;
    let bar = terminal::is_watched().then(|| indicatif::ProgressBar::new(total.0));
    let verified = reader
        .verify(|seq: Seq| {
            if let Some(bar) = &bar {
                bar.set_position(seq.0);
            }
        })
        .map_err(|e| {
            Failure::from_error(Exit::Outside, &e).hint(
                "load the last good copy: `tradewind backup load FILE`; the damaged one is kept beside it",
            )
        })?;
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    let problems: Vec<String> = verified.problems.iter().map(ToString::to_string).collect();
    match format {
        Format::Json => terminal::line(serde_json::json!({
            "schema_version": 1,
            "events": verified.events,
            "first": verified.first,
            "last": verified.last,
            "erased": verified.erased,
            "problems": problems,
        })),
        Format::Text => {
            for problem in &problems {
                terminal::line(paint(Tone::Bad, problem));
            }
            let verdict = if problems.is_empty() {
                paint(Tone::Good, "The chain is intact")
            } else {
                paint(Tone::Bad, "The chain is broken")
            };
            terminal::line(format_args!(
                "{verdict}: {}, {} to {}, {} of them erased.",
                counted(verified.events, "event"),
                verified.first,
                verified.last,
                verified.erased
            ));
        }
    }
    Ok(if problems.is_empty() {
        Exit::Done
    } else {
        Exit::Found
    })
}
