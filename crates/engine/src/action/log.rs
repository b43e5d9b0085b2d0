//! The action `log`: one line in the program's log.
//!
//! Why: the cheapest way to see that a rule fires, and harmless, so it may act from the first day.
//! The text is fixed by the configuration; nothing of the event is formatted into it.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use tradewind_core::payload::Reversibility;

use super::{Action, ActionContext, ArgumentMistake, OnRestart, Outcome, read_arguments};

/// Arguments of `log`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogArguments {
    /// The line.
    pub message: String,
    /// How loud. Default `info`.
    #[serde(default)]
    pub level: Level,
}

/// How loud a line is.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// A state change you would tell a colleague.
    #[default]
    Info,
    /// Degraded but working.
    Warn,
    /// A person must act.
    Error,
}

/// Writes a line to the log.
#[derive(Debug)]
pub struct Log;

impl Action for Log {
    fn name(&self) -> &'static str {
        "log"
    }

    fn about(&self) -> &'static str {
        "Writes a line to the program's log."
    }

    fn schema(&self) -> schemars::Schema {
        schemars::schema_for!(LogArguments)
    }

    fn check(&self, arguments: &Value) -> Vec<ArgumentMistake> {
        read_arguments::<LogArguments>(arguments)
            .err()
            .unwrap_or_default()
    }

    fn summary(&self, arguments: &Value) -> String {
        let message = arguments
            .get("message")
            .and_then(Value::as_str)
            .unwrap_or_default();
        format!("Logs {message:?}.")
    }

    fn reversibility(&self, _: &Value) -> Reversibility {
        Reversibility::Harmless
    }

    fn on_restart(&self) -> OnRestart {
        OnRestart::Resume
    }

    fn run(&self, context: ActionContext) -> BoxFuture<'_, Outcome> {
        let outcome = match read_arguments::<LogArguments>(&context.arguments) {
            Ok(LogArguments { message, level }) => {
                let (rule, seq) = (context.rule.as_str(), context.event.seq.0);
                match level {
                    Level::Info => tracing::info!(rule, seq, message, "rule logged"),
                    Level::Warn => tracing::warn!(rule, seq, message, "rule logged"),
                    Level::Error => tracing::error!(rule, seq, message, "rule logged"),
                }
                Outcome::Done {
                    summary: format!("Logged {message:?}."),
                    output: json!({}),
                }
            }
            Err(mistakes) => Outcome::Failed {
                error: super::sentence(&mistakes),
                output: json!({}),
            },
        };
        std::future::ready(outcome).boxed()
    }
}
