//! What an action is, and the list of actions that rules may name.
//!
//! Why a trait: any room brings its own actions; the engine knows only names, arguments, whether
//! they can be taken back and what a restart does with a half-finished one. An action never
//! records its own request or outcome and never saves its own preimages: the engine does both
//! around it, so that no action can forget. Not here: the order of things ([`crate::engine`]).

pub mod log;
pub mod notify;
pub mod run;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use tradewind_core::payload::Reversibility;
use tradewind_core::{Event, RepositoryId, Seq};
use tradewind_journal::Journal;

/// Something that changes the world when a rule or a person asks for it.
pub trait Action: Send + Sync {
    /// Returns the name that stands behind `do =`.
    fn name(&self) -> &'static str;

    /// Returns one sentence on what it does, for the reference.
    fn about(&self) -> &'static str;

    /// Returns the JSON schema of its arguments.
    fn schema(&self) -> schemars::Schema;

    /// Returns every mistake in its arguments; nothing runs with arguments that have one.
    fn check(&self, arguments: &Value) -> Vec<ArgumentMistake>;

    /// Returns one sentence on what it will do with these arguments.
    fn summary(&self, arguments: &Value) -> String;

    /// Returns whether and how it can be taken back with these arguments.
    fn reversibility(&self, arguments: &Value) -> Reversibility;

    /// Returns a hint on how to make it reversible, starting with `; ` or empty.
    fn how_to_reverse(&self, _arguments: &Value) -> &'static str {
        ""
    }

    /// Returns which files, index and references it may change: they are saved before it runs.
    fn writes(&self, _arguments: &Value) -> Writes {
        Writes::default()
    }

    /// Returns what it would execute on this machine or send from it; empty when nothing. It is held
    /// until a person has allowed the configuration, and shown by `trust`.
    fn executes(&self, _arguments: &Value) -> Vec<String> {
        Vec::new()
    }

    /// Returns what a restart does when it finds this action begun and without an outcome.
    fn on_restart(&self) -> OnRestart;

    /// Does it. Must return soon after `context.cancel` fires.
    fn run(&self, context: ActionContext) -> BoxFuture<'_, Outcome>;
}

impl fmt::Debug for dyn Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Action").field(&self.name()).finish()
    }
}

/// What a restart does with a half-finished action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnRestart {
    /// Runs it again: it does nothing twice for one key.
    Resume,
    /// Leaves it and says so: what it had done stays, and can be undone when it was recorded.
    Abandon,
}

/// What an action may change in the repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Writes {
    /// Paths and globs, relative to the repository, with `/`.
    pub paths: Vec<String>,
    /// Whether it may change the index.
    pub index: bool,
    /// Whether it may move branches, tags or HEAD.
    pub references: bool,
}

impl Writes {
    /// Returns whether there is nothing to save.
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty() && !self.index && !self.references
    }
}

/// One thing that is wrong with an action's arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArgumentMistake {
    /// Keys and list places from the arguments down to what is wrong.
    pub path: Vec<String>,
    /// Whether the key itself is wrong, and not its value.
    pub is_key: bool,
    /// What is wrong, without a full stop.
    pub message: String,
}

impl ArgumentMistake {
    /// Says that the value of the argument `name` is wrong.
    pub fn new(name: &str, message: impl Into<String>) -> Self {
        Self {
            path: vec![name.to_owned()],
            is_key: false,
            message: message.into(),
        }
    }
}

/// What an action gets to work with.
#[derive(Clone)]
pub struct ActionContext {
    /// The request: its seq is the cause of everything that follows from it.
    pub request: Seq,
    /// Idempotency key of the request.
    pub key: String,
    /// The repository it is for.
    pub repository: RepositoryId,
    /// Where that repository is.
    pub path: PathBuf,
    /// Name of the rule; empty when a person asked.
    pub rule: String,
    /// The event that fired the rule. Its text comes from outside: never evaluate it.
    pub event: Arc<Event>,
    /// The arguments.
    pub arguments: Value,
    /// For what must be durable, such as the outbox.
    pub journal: Journal,
    /// Fires when the action must end.
    pub cancel: CancellationToken,
}

/// How an action ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Its effect waits in the outbox; whoever empties that writes the outcome. Only for actions of
    /// this room, which mark their request as queued in the transaction that fills the outbox.
    Queued,
    /// It did what it was asked.
    Done {
        /// What came of it, in one sentence.
        summary: String,
        /// Machine-readable results.
        output: Value,
    },
    /// It did not.
    Failed {
        /// Why, in one sentence.
        error: String,
        /// Machine-readable results.
        output: Value,
    },
}

/// The actions that rules may name.
#[derive(Clone, Default)]
pub struct Registry {
    actions: BTreeMap<&'static str, Arc<dyn Action>>,
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.actions.keys()).finish()
    }
}

impl Registry {
    /// Holds the built-in actions `log`, `notify` and `run`.
    pub fn new() -> Self {
        let mut registry = Self::default();
        registry.register(Arc::new(log::Log));
        registry.register(Arc::new(notify::Notify));
        registry.register(Arc::new(run::Run));
        registry
    }

    /// Adds an action. One that has the same name as another replaces it.
    pub fn register(&mut self, action: Arc<dyn Action>) {
        self.actions.insert(action.name(), action);
    }

    /// Returns the action `name`.
    pub fn action(&self, name: &str) -> Option<Arc<dyn Action>> {
        self.actions.get(name).cloned()
    }

    /// Returns every name, sorted.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.actions.keys().copied()
    }

    /// Returns every action, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<dyn Action>> {
        self.actions.values()
    }
}

/// Reads arguments as `T`, or says everything that is wrong with them.
///
/// serde stops at the first mistake; the argument it stands in is found by leaving one out after
/// the other, noted, and left out for the next round.
///
/// # Errors
/// Every mistake.
pub fn read_arguments<T: DeserializeOwned>(arguments: &Value) -> Result<T, Vec<ArgumentMistake>> {
    let empty = serde_json::Map::new();
    let mut rest = arguments.as_object().unwrap_or(&empty).clone();
    let mut mistakes = Vec::new();
    loop {
        let error = match read::<T>(&rest) {
            Ok(_) if !mistakes.is_empty() => return Err(mistakes),
            Ok(read) => return Ok(read),
            Err(error) => error,
        };
        let is_key = error.starts_with("unknown field");
        let culprit = rest.keys().find(|name| {
            let mut without = rest.clone();
            without.remove(*name);
            match read::<T>(&without) {
                Ok(_) => true,
                // Leaving out what is required is no cure.
                Err(other) => other != error && !other.starts_with("missing field"),
            }
        });
        let culprit = culprit
            .cloned()
            .or_else(|| {
                rest.keys()
                    .find(|name| error.contains(&format!("`{name}`")))
                    .cloned()
            })
            .or_else(|| only_culprit::<T>(&rest, &error));
        let Some(name) = culprit else {
            if mistakes.is_empty() || !error.starts_with("missing field") {
                mistakes.push(ArgumentMistake {
                    path: Vec::new(),
                    is_key: false,
                    message: error,
                });
            }
            return Err(mistakes);
        };
        rest.remove(&name);
        mistakes.push(ArgumentMistake {
            path: vec![name],
            is_key,
            message: error,
        });
    }
}

/// Says what is wrong in one sentence, for an action that got arguments nobody checked.
pub(crate) fn sentence(mistakes: &[ArgumentMistake]) -> String {
    let words: Vec<_> = mistakes
        .iter()
        .map(|mistake| match mistake.path.as_slice() {
            [] => mistake.message.clone(),
            path => format!("`{}` {}", path.join("."), mistake.message),
        })
        .collect();
    format!("The arguments are wrong: {}.", words.join("; "))
}

/// An argument whose absence turns the error into "it is missing" is the one that was wrong.
fn only_culprit<T: DeserializeOwned>(
    rest: &serde_json::Map<String, Value>,
    error: &str,
) -> Option<String> {
    if error.starts_with("missing field") {
        return None;
    }
    rest.keys()
        .find(|name| {
            let mut without = rest.clone();
            without.remove(*name);
            read::<T>(&without)
                .err()
                .is_some_and(|other| other.starts_with(&format!("missing field `{name}`")))
        })
        .cloned()
}

fn read<T: DeserializeOwned>(arguments: &serde_json::Map<String, Value>) -> Result<T, String> {
    T::deserialize(&Value::Object(arguments.clone())).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its reading is tested")]
    struct Arguments {
        line: String,
        #[serde(default)]
        count: u8,
    }

    fn places(arguments: &Value) -> Vec<(Vec<String>, bool)> {
        read_arguments::<Arguments>(arguments)
            .unwrap_err()
            .into_iter()
            .map(|mistake| (mistake.path, mistake.is_key))
            .collect()
    }

    #[test]
    fn every_wrong_argument_is_named() {
        assert_eq!(
            places(&json!({"line": "x", "count": "many", "cuont": 3})).len(),
            2
        );
        assert_eq!(places(&json!({"line": 3})), [(vec!["line".into()], false)]);
        assert_eq!(places(&json!({})), [(vec![], false)]);
        assert_eq!(
            places(&json!({"line": "x", "lime": 1})),
            [(vec!["lime".into()], true)]
        );
    }
}
