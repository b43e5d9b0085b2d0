//! The action `run`: a command of the user's own.
//!
//! Why it is strict: the command line is data of the configuration and never mixed with text of an
//! event. The event reaches the command as `TRADEWIND_EVENT_SEQ`, `TRADEWIND_EVENT_KIND`,
//! `TRADEWIND_EVENT_SUBJECT` and as one JSON document on standard input; a commit titled
//! `$(rm -rf ~)` stays a text. There is no shell unless `shell` says so. The command runs in its own
//! process group with bounded time and output (room `host`).
//!
//! What it may change is said by `writes`: paths and globs are saved before it runs and make it
//! reversible; `git:index` and `git:refs` stand for the index and the references; an empty list
//! claims that it changes nothing; without the key its effects are unknown, and it counts as
//! irreversible. After a restart a half-finished command is abandoned: nobody knows how far it got.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::num::NonZeroU64;
use std::path::{Component, Path};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use globset::Glob;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use tradewind_core::mark;
use tradewind_core::payload::Reversibility;
use tradewind_host::process::{self, CommandSpec, ExitOutcome};

use super::{Action, ActionContext, ArgumentMistake, OnRestart, Outcome, Writes, read_arguments};

/// Stands in `writes` for the index of the repository.
pub const WRITES_INDEX: &str = "git:index";
/// Stands in `writes` for branches, tags and HEAD.
pub const WRITES_REFERENCES: &str = "git:refs";

/// Upper bound on the time a command may be given: a day.
const MAX_TIME: Duration = Duration::from_hours(24);
/// Upper bound on kept output, in bytes per stream.
const MAX_OUTPUT: u64 = 16 * 1024 * 1024;
/// How much of the output goes into the journal, per stream.
const JOURNALED_BYTES: usize = 8 * 1024;

/// Arguments of `run`. Either `command` or `shell` is given.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunArguments {
    /// The program and its arguments, each a text of its own.
    #[serde(default)]
    pub command: Vec<String>,
    /// A line for the system's shell, instead of `command`.
    #[serde(default)]
    pub shell: Option<String>,
    /// Folder inside the repository in which it runs. Default: the repository's top.
    #[serde(default)]
    pub dir: Option<String>,
    /// Environment variables to set. Secrets do not belong here: the configuration is committed.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// How long it may take. Default `10m`.
    #[serde(default = "default_time_limit", with = "humantime_serde")]
    #[schemars(with = "String")]
    pub time_limit: Duration,
    /// How many bytes of each output stream are kept; the middle of the rest is dropped. Default 65 536.
    #[serde(default = "default_max_output_bytes")]
    pub max_output_bytes: NonZeroU64,
    /// Which files it may change: paths and globs, `git:index`, `git:refs`; empty for none.
    /// Without this key its effects are unknown and it counts as irreversible.
    #[serde(default)]
    pub writes: Option<Vec<String>>,
}

fn default_time_limit() -> Duration {
    Duration::from_mins(10)
}

fn default_max_output_bytes() -> NonZeroU64 {
    NonZeroU64::MIN.saturating_add(64 * 1024 - 1)
}

/// Runs a command.
#[derive(Debug)]
pub struct Run;

impl Action for Run {
    fn name(&self) -> &'static str {
        "run"
    }

    fn about(&self) -> &'static str {
        "Runs a command of yours with bounded time and output."
    }

    fn schema(&self) -> schemars::Schema {
        schemars::schema_for!(RunArguments)
    }

    fn check(&self, arguments: &Value) -> Vec<ArgumentMistake> {
        match read_arguments::<RunArguments>(arguments) {
            Ok(arguments) => mistakes(&arguments),
            Err(mistakes) => mistakes,
        }
    }

    fn summary(&self, arguments: &Value) -> String {
        let line = self.executes(arguments).join(" ");
        match self.reversibility(arguments) {
            Reversibility::Harmless => format!("Runs `{line}`, which changes nothing."),
            Reversibility::Reversible => {
                let paths = self.writes(arguments).paths.join(", ");
                let what = if paths.is_empty() {
                    "the repository".to_owned()
                } else {
                    paths
                };
                format!("Runs `{line}`, which may change {what}.")
            }
            Reversibility::Compensable | Reversibility::Irreversible => format!("Runs `{line}`."),
        }
    }

    fn reversibility(&self, arguments: &Value) -> Reversibility {
        match arguments.get("writes").and_then(Value::as_array) {
            None => Reversibility::Irreversible,
            Some(paths) if paths.is_empty() => Reversibility::Harmless,
            Some(_) => Reversibility::Reversible,
        }
    }

    fn how_to_reverse(&self, _: &Value) -> &'static str {
        "; or list the files it may change in `writes` (an empty list when it changes none)"
    }

    fn writes(&self, arguments: &Value) -> Writes {
        let listed = arguments.get("writes").and_then(Value::as_array);
        let entries = listed.into_iter().flatten().filter_map(Value::as_str);
        let mut writes = Writes::default();
        for entry in entries {
            match entry {
                WRITES_INDEX => writes.index = true,
                WRITES_REFERENCES => writes.references = true,
                path => writes.paths.push(path.to_owned()),
            }
        }
        writes
    }

    fn executes(&self, arguments: &Value) -> Vec<String> {
        let Ok(arguments) = read_arguments::<RunArguments>(arguments) else {
            return Vec::new();
        };
        vec![match arguments.shell {
            Some(line) => format!("sh -c {}", quote(&line)),
            None => arguments
                .command
                .iter()
                .map(|word| quote(word))
                .collect::<Vec<_>>()
                .join(" "),
        }]
    }

    fn on_restart(&self) -> OnRestart {
        OnRestart::Abandon
    }

    fn run(&self, context: ActionContext) -> BoxFuture<'_, Outcome> {
        run(context).boxed()
    }
}

/// Writes a word so that a person sees where it begins and ends, and a shell would read it back.
fn quote(word: &str) -> String {
    let is_plain = !word.is_empty()
        && word
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_./:=@%+,".contains(&b));
    if is_plain {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

fn mistakes(arguments: &RunArguments) -> Vec<ArgumentMistake> {
    let mut found = Vec::new();
    match (&arguments.shell, arguments.command.first()) {
        (None, None) => found.push(ArgumentMistake {
            path: Vec::new(),
            is_key: false,
            message: "say what to run: `command = [\"program\", \"argument\"]`".into(),
        }),
        (Some(_), Some(_)) => {
            found.push(ArgumentMistake::new(
                "shell",
                "say `command` or `shell`, not both",
            ));
        }
        (Some(line), None) if line.trim().is_empty() => {
            found.push(ArgumentMistake::new("shell", "the line is empty"));
        }
        (None, Some(program)) if program.trim().is_empty() => {
            found.push(ArgumentMistake::new(
                "command",
                "the program's name is empty",
            ));
        }
        _ => {}
    }
    let words = arguments.command.iter().chain(&arguments.shell);
    if words.into_iter().any(|word| word.contains('\0')) {
        found.push(ArgumentMistake::new("command", "a word holds a zero byte"));
    }
    if let Some(dir) = &arguments.dir
        && !stays_inside(dir)
    {
        found.push(ArgumentMistake::new(
            "dir",
            "must be a folder inside the repository",
        ));
    }
    for name in arguments.env.keys() {
        if name.is_empty() || name.contains(['=', '\0']) || name.starts_with("TRADEWIND_") {
            found.push(ArgumentMistake {
                path: vec!["env".into(), name.clone()],
                is_key: true,
                message: format!("`{name}` cannot be set"),
            });
        }
    }
    if arguments.time_limit.is_zero() || arguments.time_limit > MAX_TIME {
        found.push(ArgumentMistake::new(
            "time_limit",
            "must be more than nothing, at most a day",
        ));
    }
    if arguments.max_output_bytes.get() > MAX_OUTPUT {
        let message = format!("at most {MAX_OUTPUT}");
        found.push(ArgumentMistake::new("max_output_bytes", message));
    }
    for (place, entry) in arguments.writes.iter().flatten().enumerate() {
        if let Some(message) = check_writes(entry) {
            let path = vec!["writes".into(), place.to_string()];
            found.push(ArgumentMistake {
                path,
                is_key: false,
                message,
            });
        }
    }
    found
}

fn check_writes(entry: &str) -> Option<String> {
    if entry == WRITES_INDEX || entry == WRITES_REFERENCES {
        return None;
    }
    if entry.starts_with("git:") {
        return Some(format!(
            "`{entry}` is neither `{WRITES_INDEX}` nor `{WRITES_REFERENCES}`"
        ));
    }
    if !stays_inside(entry) || entry.is_empty() {
        return Some("must be a path or glob inside the repository".into());
    }
    let is_git = Path::new(entry)
        .components()
        .any(|part| part.as_os_str() == ".git");
    if is_git {
        return Some(format!(
            "git's own files are `{WRITES_INDEX}` and `{WRITES_REFERENCES}`"
        ));
    }
    Glob::new(entry)
        .err()
        .map(|error| format!("not a glob: {}", error.kind()))
}

fn stays_inside(path: &str) -> bool {
    Path::new(path)
        .components()
        .all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
}

async fn run(context: ActionContext) -> Outcome {
    let arguments = match read_arguments::<RunArguments>(&context.arguments) {
        Ok(arguments) => arguments,
        Err(mistakes) => {
            return Outcome::Failed {
                error: super::sentence(&mistakes),
                output: json!({}),
            };
        }
    };
    let spec = spec(&context, &arguments);
    match process::run(spec, context.cancel).await {
        Ok(finished) => outcome(&arguments, &finished),
        Err(error) => Outcome::Failed {
            error: format!("The command could not be started: {}.", chain(&error)),
            output: json!({}),
        },
    }
}

fn spec(context: &ActionContext, arguments: &RunArguments) -> CommandSpec {
    let dir = match &arguments.dir {
        Some(dir) => context.path.join(dir),
        None => context.path.clone(),
    };
    let mut spec = if let Some(line) = &arguments.shell {
        process::shell(line, dir)
    } else {
        let mut words = arguments.command.iter().map(OsString::from);
        let program = words.next().unwrap_or_default();
        CommandSpec::new(program, dir).args(words)
    };
    let event = &context.event;
    for (name, value) in &arguments.env {
        spec.env = spec.env.with(name, value);
    }
    spec.env = spec
        .env
        .with("TRADEWIND_EVENT_SEQ", event.seq.to_string())
        .with("TRADEWIND_EVENT_KIND", event.kind.as_str())
        .with("TRADEWIND_EVENT_SUBJECT", event.subject.replace('\0', ""))
        .with("TRADEWIND_REQUEST", context.request.to_string())
        // git writes this into the reflog of every reference it moves: that is how the watcher
        // knows which commits are this command's, and rules do not chase their own tail.
        .with("GIT_REFLOG_ACTION", mark::of_request(context.request));
    spec.stdin = serde_json::to_vec(event.as_ref()).unwrap_or_default();
    spec.time_limit = arguments.time_limit;
    spec.max_output_bytes = usize::try_from(arguments.max_output_bytes.get()).unwrap_or(64 * 1024);
    spec
}

fn outcome(arguments: &RunArguments, finished: &process::Finished) -> Outcome {
    let output = json!({
        "exit_code": match finished.status {
            ExitOutcome::Code(code) => Some(code),
            _ => None,
        },
        "stdout": tail(&finished.stdout.text()),
        "stderr": tail(&finished.stderr.text()),
        "dropped_bytes": finished.stdout.dropped_bytes + finished.stderr.dropped_bytes,
    });
    let error = match finished.status {
        ExitOutcome::Code(0) => {
            let summary = format!("The command ended well after {:.1?}.", finished.elapsed);
            return Outcome::Done { summary, output };
        }
        ExitOutcome::Code(code) => format!("The command ended with exit code {code}."),
        ExitOutcome::Signal(signal) => format!("The command was ended by signal {signal}."),
        ExitOutcome::TimedOut => format!(
            "The command was ended at its time limit of {}.",
            humantime_serde::re::humantime::format_duration(arguments.time_limit)
        ),
        ExitOutcome::Cancelled => "The command was ended because Tradewind stops.".to_owned(),
    };
    Outcome::Failed { error, output }
}

/// The end of an output is where the reason stands.
fn tail(text: &str) -> &str {
    let mut start = text.len().saturating_sub(JOURNALED_BYTES);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    &text[start..]
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(arguments: &Value) -> Vec<Vec<String>> {
        Run.check(arguments)
            .into_iter()
            .map(|mistake| mistake.path)
            .collect()
    }

    #[test]
    fn arguments_that_leave_the_repository_are_refused() {
        assert_eq!(
            found(
                &json!({"command": ["x"], "dir": "../x", "writes": ["a", "/etc/x", "b/../../c", ".git/config", "git:all"]})
            ),
            [
                vec!["dir".to_owned()],
                vec!["writes".into(), "1".into()],
                vec!["writes".into(), "2".into()],
                vec!["writes".into(), "3".into()],
                vec!["writes".into(), "4".into()],
            ]
        );
    }

    #[test]
    fn one_of_command_and_shell_is_needed() {
        assert_eq!(found(&json!({})).len(), 1);
        assert_eq!(found(&json!({"command": ["a"], "shell": "b"})).len(), 1);
        assert!(found(&json!({"shell": "b"})).is_empty());
    }

    #[test]
    fn writes_decide_whether_it_can_be_taken_back() {
        let of = |writes: &Value| Run.reversibility(&json!({"command": ["x"], "writes": writes}));
        assert_eq!(of(&json!([])), Reversibility::Harmless);
        assert_eq!(of(&json!(["a"])), Reversibility::Reversible);
        assert_eq!(
            Run.reversibility(&json!({"command": ["x"]})),
            Reversibility::Irreversible
        );
    }

    #[test]
    fn a_shown_command_reads_back_word_for_word() {
        let shown = Run.executes(&json!({"command": ["echo", "a b", "it's"]}));
        assert_eq!(shown, [r"echo 'a b' 'it'\''s'"]);
    }
}
