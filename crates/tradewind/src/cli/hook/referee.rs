//! `tradewind hook referee`: asks some of what is known again.
//!
//! Not here: choosing and asking (room `delivery`, `hook::referee`), the round of the daemon ([`crate::daemon::referee`]).

use serde::Serialize;
use tradewind_core::payload::VerdictRefuted;
use tradewind_delivery::hook::referee::{Refuted, Reviewed, Share, review};
use tradewind_delivery::hook::{Cancel, Request, Scope};
use tradewind_delivery::precommit::Stage;
use tradewind_host::random;

use super::{Format, cache, failure};
use crate::control::Command;
use crate::place::Place;
use crate::report::{Exit, Failure, Outcome};
use crate::terminal;
use crate::wire;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// How much of what is known, e.g. `1%` or `0.5%`; at least one file of each hook
    #[arg(long, value_name = "PERCENT", default_value = "1%", value_parser = share)]
    share: Share,
    /// The form of the answer
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

fn share(text: &str) -> Result<Share, String> {
    let told = || "a share is a percentage, e.g. 1% or 0.5%".to_owned();
    let number = text.strip_suffix('%').ok_or_else(told)?;
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let part = format!("{part:0<4}");
    if part.len() > 4 {
        return Err(told());
    }
    let parts = format!("{whole}{part}").parse().map_err(|_bad| told())?;
    if (1..=1_000_000).contains(&parts) {
        Ok(Share(parts))
    } else {
        Err(told())
    }
}

#[derive(Serialize)]
struct Json<'a> {
    schema_version: u32,
    known: usize,
    asked: usize,
    refuted: Vec<JsonRefuted<'a>>,
}

#[derive(Serialize)]
struct JsonRefuted<'a> {
    hook: Option<&'a str>,
    files: &'a [String],
    said: &'a str,
}

pub(super) async fn run(place: &Place, args: Args) -> Outcome {
    let (dir, cache) = (place.cwd().to_owned(), cache()?);
    let seed = random::bytes::<8>().map_err(|error| Failure::from_error(Exit::Outside, &error))?;
    let reviewed = tokio::task::spawn_blocking(move || {
        let request = Request {
            dir: &dir,
            stage: Stage::PreCommit,
            scope: Scope::All,
            config: None,
            only: None,
            skip: &[],
            args: &[],
            env: &[],
            cache: &cache,
            uses_cache: true,
            declared: &wire::hooks_section,
        };
        review(
            &request,
            args.share,
            u64::from_le_bytes(seed),
            &Cancel::default(),
        )
    });
    let reviewed = reviewed
        .await
        .map_err(|error| Failure::because(Exit::Bug, "the referee ended in a panic", &error))?
        .map_err(|error| failure(&error))?;
    show(&reviewed, args.format);
    if reviewed.refuted.is_empty() {
        return Ok(Exit::Done);
    }
    let (_, repository) = place.repository()?;
    for refuted in &reviewed.refuted {
        let refuted = refuted_event(refuted);
        place
            .control(Command::RecordRefuted {
                repository,
                refuted,
            })
            .await?;
    }
    Ok(Exit::Found)
}

/// Makes the event's body.
pub(crate) fn refuted_event(refuted: &Refuted) -> VerdictRefuted {
    VerdictRefuted {
        hook: refuted.hook.clone(),
        files: refuted.files.clone(),
        said: refuted.said.clone(),
    }
}

fn show(reviewed: &Reviewed, format: Format) {
    if format == Format::Json {
        let all = Json {
            schema_version: 1,
            known: reviewed.known,
            asked: reviewed.asked,
            refuted: reviewed
                .refuted
                .iter()
                .map(|refuted| JsonRefuted {
                    hook: refuted.hook.as_deref(),
                    files: &refuted.files,
                    said: &refuted.said,
                })
                .collect(),
        };
        terminal::line(serde_json::to_string_pretty(&all).unwrap_or_default());
        return;
    }
    if !reviewed.has_config {
        terminal::note("No .pre-commit-config.yaml here, so nothing is known of hooks.");
        return;
    }
    terminal::line(format_args!(
        "{} verdicts are known of what is staged; {} were asked again, {} did not hold.",
        reviewed.known,
        reviewed.asked,
        reviewed.refuted.len()
    ));
    for refuted in &reviewed.refuted {
        match &refuted.hook {
            Some(hook) => terminal::line(format_args!(
                "{}: it says something else now, so it looks at more than each file alone. What was known of it is dropped, and \
                 it is asked each time until its program is another. Take it out of [hooks.per_file], or name what it reads there.",
                terminal::word(hook)
            )),
            None => terminal::line(
                "A check of our own says something else now. That is a mistake of this program; what was known is dropped. Please report it.",
            ),
        }
        for file in &refuted.files {
            terminal::line(format_args!("  {}", terminal::word(file)));
        }
        for line in refuted.said.lines().take(20) {
            terminal::line(format_args!("    {}", terminal::clean(line)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_percentage() {
        assert_eq!(share("1%"), Ok(Share(10_000)));
        assert_eq!(share("0.5%"), Ok(Share(5_000)));
        assert_eq!(share("100%"), Ok(Share(1_000_000)));
        assert_eq!(share("0.0001%"), Ok(Share(1)));
        for wrong in ["1", "0%", "101%", "x%", "-1%", "1.00001%", "%"] {
            assert!(share(wrong).is_err(), "{wrong}");
        }
    }
}
