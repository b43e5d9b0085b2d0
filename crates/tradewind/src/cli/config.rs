//! `tradewind config check|schema`: of the repository's tradewind.toml, or of the user's config.toml.

use clap::Subcommand;
use tradewind_engine::document::ConfigMistake;

use super::Format;
use crate::describe::counted;
use crate::place::{CONFIG_FILE, Place};
use crate::report::{Exit, Failure, Outcome};
use crate::terminal::{self, Tone, paint};
use crate::{settings, wire};

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
        /// Look at your own config.toml (quota, keys, preferred providers) instead
        #[arg(long)]
        user: bool,
    },
    /// Print the JSON schema of tradewind.toml, for editors
    Schema {
        /// Print the one of your own config.toml instead
        #[arg(long)]
        user: bool,
    },
}

pub(crate) fn run(place: &Place, args: &Args) -> Outcome {
    match args.action {
        Action::Schema { user } => {
            let schema = if user {
                settings::schema()
            } else {
                wire::schema()
            };
            terminal::line(serde_json::to_string_pretty(&schema).unwrap_or_default());
            Ok(Exit::Done)
        }
        Action::Check {
            format,
            user: false,
        } => {
            let path = place.location()?.top.join(CONFIG_FILE);
            let text = read(&path)?;
            let parsed = wire::Config::parse(&text);
            check(
                CONFIG_FILE,
                parsed.map(|config| counted(config.rule_count(), "rule")),
                format,
            )
        }
        Action::Check { format, user: true } => {
            let path = settings::path()?;
            if !path.exists() {
                terminal::line(format_args!(
                    "There is no {}: everything in it has its default.",
                    path.display()
                ));
                return Ok(Exit::Done);
            }
            let loaded = settings::catalog()?;
            let text = read(&path)?;
            let parsed = settings::Settings::parse(&text, &loaded.catalog);
            let name = path.display().to_string();
            let said = |settings: settings::Settings| {
                let keys = counted(settings.market.keys.len(), "provider");
                let listeners = counted(settings.market.listeners.len(), "listener");
                format!("keys of {keys}, {listeners}")
            };
            check(&name, parsed.map(said), format)
        }
    }
}

fn read(path: &std::path::Path) -> Result<String, Failure> {
    wire::read_file(path).map_err(|error| {
        Failure::because(
            Exit::Config,
            format!("{} cannot be read", path.display()),
            &error,
        )
        .hint(wire::read_hint(&error))
    })
}

/// Tells what is wrong with the file `name`, or in few words what it says.
fn check(name: &str, checked: Result<String, Vec<ConfigMistake>>, format: Format) -> Outcome {
    let mistakes = checked.as_ref().err().cloned().unwrap_or_default();
    if format == Format::Json {
        let list: Vec<_> = mistakes
            .iter()
            .map(
                |m| serde_json::json!({ "line": m.line, "column": m.column, "message": m.message }),
            )
            .collect();
        terminal::line(serde_json::json!({ "schema_version": 1, "path": name, "mistakes": list }));
        return Ok(if mistakes.is_empty() {
            Exit::Done
        } else {
            Exit::Config
        });
    }
    match checked {
        Ok(said) => {
            terminal::line(format_args!(
                "{} {name}: {said}, no mistakes.",
                paint(Tone::Good, "ok"),
            ));
            Ok(Exit::Done)
        }
        Err(mistakes) => {
            for mistake in &mistakes {
                terminal::line(format_args!(
                    "{name}:{}:{}: {}",
                    mistake.line,
                    mistake.column,
                    terminal::word(&mistake.message)
                ));
            }
            Err(Failure::new(Exit::Config, format!("{name} has {}", counted(mistakes.len(), "mistake")))
                .hint("correct them and run `tradewind config check` again; until then the configuration before stays in force"))
        }
    }
}
