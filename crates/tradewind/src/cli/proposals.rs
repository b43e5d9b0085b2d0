//! `tradewind proposals list|approve|reject`: what rules ask for.

use clap::Subcommand;
use tradewind_core::Seq;
use tradewind_engine::proposals;

use super::Format;
use super::log::local_time;
use crate::client::Daemon;
use crate::control::{Command, Reply};
use crate::place::{Place, user};
use crate::report::{Exit, Failure, Outcome};
use crate::repositories;
use crate::terminal::{self, Tone, one_line, paint};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// What waits for you
    List {
        /// Decided and expired ones too
        #[arg(short, long)]
        all: bool,
        /// The form of the answer
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Let it happen
    Approve {
        /// The proposal's number
        proposal: Seq,
    },
    /// Do not let it happen
    Reject {
        /// The proposal's number
        proposal: Seq,
        /// Why, for whoever reads the journal later
        #[arg(short, long, default_value = "")]
        reason: String,
    },
}

pub(crate) async fn run(place: &Place, args: Args) -> Outcome {
    match args.action.unwrap_or(Action::List {
        all: false,
        format: Format::Text,
    }) {
        Action::List { all, format } => list(place, all, format),
        Action::Approve { proposal } => {
            if let Reply::Recorded { event } = place
                .control(Command::Approve {
                    proposal,
                    by: user(),
                })
                .await?
            {
                terminal::line(format_args!(
                    "Approved; the action is requested as event {event}. `tradewind explain {event}` shows what comes of it."
                ));
                if Daemon::find(place.state()).is_none() {
                    terminal::line(
                        "No daemon runs: it happens once one does. Start it with `tradewind up`.",
                    );
                }
            }
            Ok(Exit::Done)
        }
        Action::Reject { proposal, reason } => {
            place
                .control(Command::Reject {
                    proposal,
                    by: user(),
                    reason,
                })
                .await?;
            terminal::line("Rejected; nothing happens.");
            Ok(Exit::Done)
        }
    }
}

fn list(place: &Place, all: bool, format: Format) -> Outcome {
    let reader = place.reader()?;
    let found =
        proposals::list(&reader, None, all).map_err(|e| Failure::from_error(Exit::Outside, &e))?;
    if format == Format::Json {
        let body = serde_json::json!({ "schema_version": 1, "proposals": found });
        terminal::line(serde_json::to_string_pretty(&body).unwrap_or_default());
        return Ok(Exit::Done);
    }
    let names = repositories::names(&reader)?;
    for proposal in &found {
        let name = names
            .get(&proposal.repository)
            .map(String::as_str)
            .unwrap_or_default();
        let (rule, summary, until) = proposal.body.as_ref().map_or_else(
            || (String::new(), "(erased)".to_owned(), String::new()),
            |b| (b.rule.clone(), b.summary.clone(), local_time(b.expires_at)),
        );
        let state = if proposal.state == "open" {
            format!("until {until}")
        } else {
            proposal.state.clone()
        };
        terminal::line(format_args!(
            "{:>6} {:<12} {:<20} {} {}",
            proposal.seq,
            one_line(name, 12),
            one_line(&rule, 20),
            one_line(&summary, 200),
            paint(Tone::Dim, state)
        ));
    }
    if found.is_empty() {
        terminal::line("Nothing waits for you.");
    } else if found.iter().any(|p| p.state == "open") {
        terminal::line(
            "`tradewind proposals approve SEQ` lets it happen, `reject SEQ` does not, `explain SEQ` shows why it was proposed.",
        );
    }
    Ok(Exit::Done)
}
