//! `tradewind catalog list|show|lint|drift|docs`: what is known of the market-data providers.

mod docs;
mod drift;

use clap::Subcommand;
use tradewind_catalog::endpoint::UseCase;
use tradewind_catalog::{Catalog, Loaded, Provider, page};

use super::Format;
use crate::place::Place;
use crate::report::{Exit, Failure, Outcome};
use crate::settings;
use crate::terminal::{self, Tone, paint};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Every provider, what it answers and which variables hold its key
    List {
        /// The form of the answer
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Hosts, limits, endpoints and quirks of one provider
    Show {
        /// Its name, as `list` shows it
        provider: String,
        /// The form of the answer; text is Markdown
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Report every mistake in your own catalog files, with line and column
    Lint,
    /// Compare the declared limits with those that answers have named
    Drift {
        /// The form of the answer
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// A Markdown reference with limits, endpoints, use cases and which function of this repository uses each
    Docs(docs::Args),
}

pub(crate) async fn run(place: &Place, args: Args) -> Outcome {
    let loaded = settings::catalog()?;
    match args.action.unwrap_or(Action::List {
        format: Format::Text,
    }) {
        Action::List { format } => list(&loaded.catalog, format),
        Action::Show { provider, format } => return show(&loaded.catalog, &provider, format),
        Action::Lint => return Ok(lint(&loaded)),
        Action::Drift { format } => return drift::run(place, &loaded.catalog, format),
        Action::Docs(args) => return docs::run(place, &loaded.catalog, &args).await,
    }
    Ok(Exit::Done)
}

/// Returns what a provider answers, in the words of the catalog.
fn uses(provider: &Provider) -> Vec<&'static str> {
    let has = |use_case: &UseCase| provider.endpoints.iter().any(|e| e.use_case == *use_case);
    UseCase::ALL
        .into_iter()
        .filter(has)
        .map(UseCase::as_str)
        .collect()
}

fn list(catalog: &Catalog, format: Format) {
    if format == Format::Json {
        let providers: Vec<_> = catalog
            .providers()
            .map(|p| serde_json::json!({ "name": p.name, "title": p.title, "site": p.site, "answers": uses(p), "official": p.official }))
            .collect();
        let body = serde_json::json!({ "schema_version": 1, "providers": providers });
        terminal::line(serde_json::to_string_pretty(&body).unwrap_or_default());
        return;
    }
    for provider in catalog.providers() {
        let note = if provider.official {
            ""
        } else {
            " (not offered to customers; may end any day)"
        };
        terminal::line(format_args!(
            "{} {}{}",
            paint(Tone::Strong, format_args!("{:<14}", provider.name)),
            uses(provider).join(", "),
            paint(Tone::Dim, note)
        ));
    }
    terminal::line("`tradewind catalog show NAME` shows hosts, limits, endpoints and quirks.");
}

/// Finds a provider by name; the hint names the choices.
pub(super) fn provider<'c>(catalog: &'c Catalog, name: &str) -> Result<&'c Provider, Failure> {
    catalog.provider(&name.to_ascii_lowercase()).ok_or_else(|| {
        let names: Vec<_> = catalog.providers().map(|p| p.name.as_str()).collect();
        Failure::new(Exit::Usage, format!("no provider is called {name:?}"))
            .hint(format!("choose from: {}", names.join(", ")))
    })
}

fn show(catalog: &Catalog, name: &str, format: Format) -> Outcome {
    let provider = provider(catalog, name)?;
    match format {
        Format::Text => terminal::line(page::page(provider).trim_end()),
        Format::Json => {
            let body = serde_json::json!({ "schema_version": 1, "provider": provider });
            terminal::line(serde_json::to_string_pretty(&body).unwrap_or_default());
        }
    }
    Ok(Exit::Done)
}

fn lint(loaded: &Loaded) -> Exit {
    for mistake in &loaded.mistakes {
        terminal::line(terminal::clean(&mistake.to_string()));
    }
    let findings = tradewind_catalog::lint::lint(loaded.catalog.providers());
    for finding in &findings {
        terminal::line(terminal::clean(&finding.to_string()));
    }
    if loaded.mistakes.is_empty() && findings.is_empty() {
        terminal::line(format_args!(
            "{} {} providers, no contradictions.",
            paint(Tone::Good, "ok"),
            loaded.catalog.providers().count()
        ));
        return Exit::Done;
    }
    Exit::Found
}
