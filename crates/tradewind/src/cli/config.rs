//! `tradewind config check|schema`.

use clap::Subcommand;

use super::Format;
use crate::describe::counted;
use crate::place::{CONFIG_FILE, Place};
use crate::report::{Exit, Failure, Outcome};
use crate::terminal::{self, Tone, paint};
use crate::wire;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Report every mistake in tradewind.toml, with line and column
    Check {
        /// The form of the answer
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Print the JSON schema of tradewind.toml, for editors
    Schema,
}

pub(crate) fn run(place: &Place, args: &Args) -> Outcome {
    match args.action {
        Action::Schema => {
            terminal::line(serde_json::to_string_pretty(&wire::schema()).unwrap_or_default());
            Ok(Exit::Done)
        }
        Action::Check { format } => check(place, format),
    }
}

fn check(place: &Place, format: Format) -> Outcome {
    let path = place.location()?.top.join(CONFIG_FILE);
    let text = wire::read_file(&path).map_err(|error| {
        Failure::because(
            Exit::Config,
            format!("{} cannot be read", path.display()),
            &error,
        )
        .hint(wire::read_hint(&error))
    })?;
    let checked = wire::Config::parse(&text);
    let mistakes = checked.as_ref().err().cloned().unwrap_or_default();
    if format == Format::Json {
        let list: Vec<_> = mistakes
            .iter()
            .map(
                |m| serde_json::json!({ "line": m.line, "column": m.column, "message": m.message }),
            )
            .collect();
        terminal::line(
            serde_json::json!({ "schema_version": 1, "path": CONFIG_FILE, "mistakes": list }),
        );
        return Ok(if mistakes.is_empty() {
            Exit::Done
        } else {
            Exit::Config
        });
    }
    match checked {
        Ok(config) => {
            terminal::line(format_args!(
                "{} {CONFIG_FILE}: {}, no mistakes.",
                paint(Tone::Good, "ok"),
                counted(config.rule_count(), "rule")
            ));
            Ok(Exit::Done)
        }
        Err(mistakes) => {
            for mistake in &mistakes {
                terminal::line(format_args!(
                    "{CONFIG_FILE}:{}:{}: {}",
                    mistake.line,
                    mistake.column,
                    terminal::word(&mistake.message)
                ));
            }
            Err(Failure::new(Exit::Config, format!("{CONFIG_FILE} has {}", counted(mistakes.len(), "mistake")))
                .hint("correct them and run `tradewind config check` again; until then the configuration before stays in force"))
        }
    }
}
