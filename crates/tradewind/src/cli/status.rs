//! `tradewind status`: what is watched, which rules act, what waits.

use tradewind_core::payload::ConfigLoaded;
use tradewind_core::{EventKind, RepositoryId, Seq};
use tradewind_engine::{pause, proposals};
use tradewind_journal::{Filter, ReadError, Reader, Stats};

use super::Format;
use super::log::text;
use crate::client::{self, Card, Daemon};
use crate::describe::counted;
use crate::place::Place;
use crate::report::{Exit, Failure, Outcome};
use crate::repositories::{self, Watched};
use crate::terminal::{self, Tone, paint};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The form of the answer
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Only print where the token for the listener lies
    #[arg(long)]
    token_file: bool,
}

pub(crate) async fn run(place: &Place, args: &Args) -> Outcome {
    if args.token_file {
        client::token(place.state()).map_err(|e| Failure::from_error(Exit::Outside, &e))?;
        terminal::line(client::token_path(place.state()).display());
        return Ok(Exit::Done);
    }
    let outside = |error: ReadError| Failure::from_error(Exit::Outside, &error);
    let daemon = match Daemon::find(place.state()) {
        Some(daemon) if daemon.is_alive().await => Some(daemon),
        _ => None,
    };
    let unsaved = match &daemon {
        Some(daemon) => daemon.market_unsaved().await,
        None => None,
    };
    let daemon = daemon.map(|daemon| daemon.card().clone());
    let reader = place.reader()?;
    let stats = reader.stats().map_err(outside)?;
    let watched = repositories::all(&reader).map_err(outside)?;
    let open = proposals::list(&reader, None, false).map_err(outside)?;
    let paused = pause::paused(&reader).map_err(outside)?;
    let mut rules = Vec::new();
    for repository in &watched {
        rules.push(in_force(&reader, repository.id).map_err(outside)?);
    }
    if args.format == Format::Json {
        let list: Vec<_> = watched
            .iter()
            .zip(&rules)
            .map(|(r, rules)| serde_json::json!({
                "id": r.id, "name": r.name, "path": slashed(r), "problem": r.problem,
                "rules": rules.as_ref().map(|c| &c.rules), "is_trusted": rules.as_ref().map(|c| c.is_trusted),
            }))
            .collect();
        let body = serde_json::json!({
            "schema_version": 1,
            "daemon": daemon,
            "journal": { "path": place.state().join("journal.db"), "events": stats.events, "last": stats.last, "bytes": stats.bytes },
            "market_unsaved": unsaved,
            "paused_by": paused,
            "open_proposals": open.iter().map(|p| p.seq).collect::<Vec<_>>(),
            "repositories": list,
        });
        terminal::line(serde_json::to_string_pretty(&body).unwrap_or_default());
        return Ok(Exit::Done);
    }
    headline(place, daemon.as_ref(), &stats, paused, open.len());
    if let Some(why) = &unsaved {
        terminal::line(format_args!(
            "{} {}. It is served from memory; make room in {}.",
            paint(Tone::Bad, "market data is not written down:"),
            terminal::word(why),
            terminal::word(place.state().display())
        ));
    }
    for (repository, rules) in watched.iter().zip(&rules) {
        show(repository, rules.as_ref());
    }
    if watched.is_empty() {
        terminal::line("No repository is registered. Run `tradewind up` in yours.");
    }
    let names = repositories::names(&reader)?;
    let latest = Filter {
        limit: 5,
        newest_first: true,
        ..Filter::default()
    };
    let mut latest = reader.select(&latest).map_err(outside)?;
    latest.reverse();
    terminal::line("");
    for event in &latest {
        terminal::line(text(event, &names));
    }
    Ok(Exit::Done)
}

/// Returns the configuration that was last put in force for a repository.
fn in_force(reader: &Reader, repository: RepositoryId) -> Result<Option<ConfigLoaded>, ReadError> {
    let filter = Filter {
        kinds: vec![EventKind::EngineConfigLoaded],
        repository: Some(repository),
        limit: 1,
        newest_first: true,
        ..Filter::default()
    };
    Ok(reader
        .select(&filter)?
        .pop()
        .and_then(|event| event.payload().ok()))
}

fn slashed(repository: &Watched) -> String {
    repository.path.display().to_string().replace('\\', "/")
}

fn show(repository: &Watched, rules: Option<&ConfigLoaded>) {
    terminal::line("");
    terminal::line(format_args!(
        "{} {}",
        paint(Tone::Strong, terminal::word(&repository.name)),
        paint(Tone::Dim, terminal::word(repository.path.display()))
    ));
    if let Some(problem) = &repository.problem {
        terminal::line(format_args!(
            "  {}",
            paint(Tone::Bad, terminal::word(problem))
        ));
    }
    match rules {
        None => terminal::line("  no rules: write some with `tradewind init`"),
        Some(loaded) if loaded.rules.is_empty() => {
            terminal::line("  no rules: write some with `tradewind init`");
        }
        Some(loaded) => {
            for (name, mode) in &loaded.rules {
                let tone = match mode.as_str() {
                    "act" => Tone::Good,
                    "propose" => Tone::Warn,
                    _ => Tone::Dim,
                };
                terminal::line(format_args!(
                    "  {} {}",
                    paint(tone, format_args!("{mode:<8}")),
                    terminal::word(name)
                ));
            }
            if !loaded.is_trusted {
                terminal::line(format_args!(
                    "  {}: nothing of it executes before `tradewind trust`",
                    paint(Tone::Warn, "not trusted")
                ));
            }
        }
    }
}

/// Says whether the daemon runs, how large the journal is, and what needs a person.
fn headline(place: &Place, daemon: Option<&Card>, stats: &Stats, paused: Option<Seq>, open: usize) {
    match daemon {
        Some(card) => terminal::line(format_args!(
            "{} http://{} (version {}, pid {})",
            if card.is_ready {
                paint(Tone::Good, "running")
            } else {
                paint(Tone::Warn, "starting, looks at the repositories")
            },
            card.address,
            card.version,
            card.pid
        )),
        None => terminal::line(format_args!(
            "{} Start it with `tradewind up`.",
            paint(Tone::Warn, "No daemon runs: nothing is watched.")
        )),
    }
    terminal::line(format_args!(
        "journal  {}, {} KiB in {}",
        counted(stats.events, "event"),
        stats.bytes / 1024,
        terminal::word(place.state().display())
    ));
    if let Some(seq) = paused {
        terminal::line(format_args!(
            "{} since event {seq}: no rule acts. `tradewind resume` ends it.",
            paint(Tone::Warn, "paused")
        ));
    }
    if open > 0 {
        terminal::line(format_args!(
            "{} {} for you: `tradewind proposals list`",
            paint(Tone::Warn, "asked"),
            if open == 1 {
                "1 proposal waits".to_owned()
            } else {
                format!("{open} proposals wait")
            }
        ));
    }
}
