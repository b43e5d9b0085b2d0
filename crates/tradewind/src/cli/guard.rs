//! `tradewind guard check|replay|allow|list`: what a commit would break or give away.
//!
//! Not here: the judgement (room `delivery`), and running it before each commit (the hook).

mod replay;

use std::cell::RefCell;
use std::path::Path;
use std::time::Duration;

use clap::Subcommand;
use tradewind_core::payload::ExceptionGranted;
use tradewind_delivery::guard::exceptions::{Exception, Exceptions, MAX_HOURS};
use tradewind_delivery::guard::source::{After, GitContents, Kept, of_range, staged};
use tradewind_delivery::guard::{
    GuardSection, Judgement, Kind, Policy, Question, Stop, is_a_claim, judge, words,
};
use tradewind_delivery::hook::{HookError, judge_staged};
use tradewind_host::git::Git;
use tradewind_repo::location;
use tradewind_repo::{Location, Oid, RepoError};

use super::Format;
use super::log::local_time;
use crate::control::{Command, Reply};
use crate::place::{CONFIG_FILE, Place, user};
use crate::report::{Exit, Failure, Outcome};
use crate::terminal::{self, clean};
use crate::{times, wire};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Judge what is staged, or what lies between two commits; exit code 1 when it is stopped
    Check {
        /// Judge what is staged; this is what happens without other words
        #[arg(long, conflicts_with_all = ["from_ref", "to_ref"])]
        staged: bool,
        /// Judge the way from this commit …
        #[arg(long, value_name = "COMMIT", requires = "to_ref")]
        from_ref: Option<String>,
        /// … to this one, as one change
        #[arg(long, value_name = "COMMIT", requires = "from_ref")]
        to_ref: Option<String>,
        /// The form of the answer
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Show what would have been stopped in history, commit by commit
    Replay(replay::Args),
    /// Let the next commit pass for some paths, with a reason that is journaled
    Allow {
        /// Files or folders, from where you are; `.` at the root is everything
        #[arg(required = true, value_name = "PATH")]
        paths: Vec<String>,
        /// Why
        #[arg(short, long)]
        reason: String,
        /// For this long, e.g. `1h`, instead of for the next commit
        #[arg(long = "for", value_name = "TIME", value_parser = times::parse_duration, conflicts_with = "once")]
        lasting: Option<Duration>,
        /// For the next commit only; this is what happens without other words
        #[arg(long)]
        once: bool,
    },
    /// What is protected and allowed, and which exceptions are in force
    List {
        /// The form of the answer
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
}

pub(crate) async fn run(place: &Place, args: Args) -> Outcome {
    match args.action {
        Action::Check {
            staged: _,
            from_ref,
            to_ref,
            format,
        } => check(place, from_ref.as_deref().zip(to_ref.as_deref()), format),
        Action::Replay(args) => replay::run(place, &args),
        Action::Allow {
            paths,
            reason,
            lasting,
            once: _,
        } => allow(place, &paths, reason, lasting).await,
        Action::List { format } => list(place, format),
    }
}

/// Reports why a question about the repository has no answer.
fn outside(error: &RepoError) -> Failure {
    Failure::from_error(Exit::Outside, error).hint("run `tradewind doctor`")
}

/// Reads `[guard]` of a repository; without a file it is what it is by default.
pub(super) fn section(location: &Location) -> Result<GuardSection, Failure> {
    let file = location.top.join(CONFIG_FILE);
    let text = match wire::read_file(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(GuardSection::default());
        }
        Err(error) => {
            let what = format!("{} cannot be read", file.display());
            return Err(Failure::because(Exit::Config, what, &error).hint(wire::read_hint(&error)));
        }
    };
    let config = wire::Config::parse(&text).map_err(|mistakes| {
        let what = format!("{CONFIG_FILE} has {} mistakes", mistakes.len());
        Failure::new(Exit::Config, what).hint("`tradewind config check` shows them")
    })?;
    Ok(config.guard)
}

/// Finds a commit by any of its names; none where `HEAD` has none yet.
pub(super) fn commit(git: &Git, location: &Location, name: &str) -> Result<Option<Oid>, Failure> {
    let name = format!("{name}^{{commit}}");
    let args = [
        "rev-parse",
        "--verify",
        "--quiet",
        "--end-of-options",
        &name,
    ];
    match git.run_blocking(&location.git_dir, &args) {
        Ok(answer) => Ok(Oid::from_hex(answer.trim_ascii()).ok()),
        Err(error) if error.exit_code() == Some(1) => Ok(None),
        Err(error) => Err(outside(&error.into())),
    }
}

fn known_commit(git: &Git, location: &Location, name: &str) -> Result<Oid, Failure> {
    commit(git, location, name)?.ok_or_else(|| {
        Failure::new(Exit::Usage, format!("{name:?} is no commit here"))
            .hint("`git log --oneline` lists commits")
    })
}

/// Reads the exceptions in force; none where there is no journal yet.
pub(super) fn exceptions(
    place: &Place,
    location: &Location,
    head: Option<Oid>,
) -> Result<Exceptions, Failure> {
    let id = location::peek_identity(location).map_err(|e| outside(&e))?;
    let (Some(id), Ok(reader)) = (id, place.reader()) else {
        return Ok(Exceptions::default());
    };
    Exceptions::read(&reader, id, head, place.now())
        .map_err(|e| Failure::from_error(Exit::Outside, &e).hint("run `tradewind doctor`"))
}

fn check(place: &Place, range: Option<(&str, &str)>, format: Format) -> Outcome {
    let git = Place::git()?;
    let location = place.location()?;
    let policy = Policy::new(&section(&location)?);
    let head = commit(&git, &location, "HEAD")?;
    let (changes, after) = match range {
        Some((from, to)) => {
            let (from, to) = (
                known_commit(&git, &location, from)?,
                known_commit(&git, &location, to)?,
            );
            (of_range(&git, &location, from, to), After::Commit(to))
        }
        None if location.is_bare => {
            return Err(
                Failure::new(Exit::Usage, "a bare repository has nothing staged")
                    .hint("name two commits: `tradewind guard check --from-ref A --to-ref B`"),
            );
        }
        None => (staged(&git, &location, head), After::Index),
    };
    let changes = changes.map_err(|e| outside(&e))?;
    let kept = RefCell::new(Kept::default());
    let contents = GitContents::new(&git, &location, after, &kept);
    let question = Question {
        changes: &changes,
        policy: &policy,
        message: None,
    };
    let mut judgement = judge(&question, &contents).map_err(|e| outside(&e))?;
    // The journal is asked only where there is something to let pass.
    let passed = if judgement.stops.is_empty() {
        Vec::new()
    } else {
        let exceptions = exceptions(place, &location, head)?;
        let passed = judgement.except(|stop| exceptions.of(stop).is_some());
        let with = passed.into_iter().filter_map(|stop| {
            let exception = exceptions.of(&stop)?.clone();
            Some((stop, exception))
        });
        with.collect()
    };
    tell(&judgement, &passed, changes.len(), format);
    Ok(if judgement.stops.is_empty() {
        Exit::Done
    } else {
        Exit::Found
    })
}

/// Judges what is staged before a commit; says something only where there is something to say. Returns whether the
/// commit may be made.
pub(super) fn before_commit(place: &Place) -> Result<bool, Failure> {
    enum Why {
        Hook(HookError),
        Failure(Failure),
    }
    impl From<HookError> for Why {
        fn from(error: HookError) -> Self {
            Self::Hook(error)
        }
    }
    let judged = judge_staged(place.cwd(), None, |location| {
        section(location)
            .map(|section| Policy::new(&section))
            .map_err(Why::Failure)
    });
    let mut guarded = judged.map_err(|why| match why {
        Why::Hook(error) => {
            Failure::from_error(Exit::Outside, &error).hint("run `tradewind doctor`")
        }
        Why::Failure(failure) => failure,
    })?;
    let mut passed = Vec::new();
    if !guarded.judgement.stops.is_empty() {
        let exceptions = exceptions(place, &guarded.location, guarded.head)?;
        let excepted = guarded
            .judgement
            .except(|stop| exceptions.of(stop).is_some());
        passed.extend(excepted.into_iter().filter_map(|stop| {
            let exception = exceptions.of(&stop)?.clone();
            Some((stop, exception))
        }));
    }
    for line in words::say(&guarded.judgement, &passed).lines() {
        terminal::line(clean(line));
    }
    Ok(guarded.judgement.stops.is_empty())
}

/// Says where the message in git's file contradicts what is staged. It stops nothing, and the stops were told before.
pub(super) fn about_message(place: &Place, file: &Path) {
    let Ok(message) = std::fs::read_to_string(file) else {
        return;
    };
    let message = message
        .lines()
        .find(|line| !line.trim().is_empty() && !line.starts_with('#'))
        .unwrap_or_default();
    if !is_a_claim(message) {
        return;
    }
    let judged = judge_staged(place.cwd(), Some(message), |location| {
        // A mistake in the configuration was told before the commit.
        Ok::<_, HookError>(Policy::new(&section(location).unwrap_or_default()))
    });
    let Ok(mut guarded) = judged else { return };
    guarded.judgement.stops.clear();
    guarded
        .judgement
        .warnings
        .retain(|warning| warning.kind == Kind::MessageContradiction);
    for line in words::say(&guarded.judgement, &[]).lines() {
        terminal::line(clean(line));
    }
}

fn tell(judgement: &Judgement, passed: &[(Stop, Exception)], changes: usize, format: Format) {
    if format == Format::Json {
        let passed: Vec<_> = passed
            .iter()
            .map(|(stop, exception)| {
                serde_json::json!({ "stop": stop, "event": exception.seq, "reason": exception.granted.reason })
            })
            .collect();
        let body = serde_json::json!({
            "schema_version": 1,
            "changes": changes,
            "stops": judgement.stops,
            "warnings": judgement.warnings,
            "passed": passed,
            "not_checked": judgement.not_checked,
        });
        terminal::line(serde_json::to_string_pretty(&body).unwrap_or_default());
        return;
    }
    let text = words::say(judgement, passed);
    for line in text.lines() {
        terminal::line(clean(line));
    }
    if judgement.stops.is_empty() {
        let paths = if changes == 1 {
            "1 path".to_owned()
        } else {
            format!("{changes} paths")
        };
        terminal::line(format_args!("Nothing stops this commit of {paths}."));
    }
}

async fn allow(
    place: &Place,
    paths: &[String],
    reason: String,
    lasting: Option<Duration>,
) -> Outcome {
    if reason.trim().chars().count() < 5 || reason.trim() == "…" {
        return Err(Failure::new(Exit::Usage, "the reason says nothing")
            .hint("say in a few words why it may pass: `--reason \"replaced by bot/risk2.py\"`"));
    }
    let until = lasting.map(|lasting| {
        let hours = lasting.as_secs().div_ceil(3600);
        if i64::try_from(hours).is_ok_and(|hours| hours <= MAX_HOURS) {
            Ok(place.now() + lasting)
        } else {
            Err(Failure::new(
                Exit::Usage,
                format!("an exception lasts at most {MAX_HOURS} hours"),
            )
            .hint("what may always go belongs into `allow` of `[guard]` in tradewind.toml"))
        }
    });
    let until = until.transpose()?;
    let git = Place::git()?;
    let (location, repository) = place.repository()?;
    let paths = paths
        .iter()
        .map(|path| from_root(place, &location, path))
        .collect::<Result<Vec<_>, _>>()?;
    let head = commit(&git, &location, "HEAD")?;
    let granted = ExceptionGranted {
        paths,
        reason,
        by: user(),
        head: head.map(|head| head.to_string()),
        until,
    };
    let names = terminal::word(granted.paths.join(", "));
    if let Reply::Recorded { event } = place
        .control(Command::GrantException {
            repository,
            granted,
        })
        .await?
    {
        let time = until.map_or_else(
            || "the next commit".to_owned(),
            |until| format!("commits until {}", local_time(until)),
        );
        terminal::line(format_args!(
            "The guard lets {names} pass for {time}; event {event} says why."
        ));
        terminal::line("Now commit again.");
    }
    Ok(Exit::Done)
}

/// Returns a path as seen from the repository's root; it need not exist any more.
fn from_root(place: &Place, location: &Location, path: &str) -> Result<String, Failure> {
    let outside = || {
        Failure::new(
            Exit::Usage,
            format!("{path:?} is outside of the repository"),
        )
        .hint("name it as `tradewind guard check` does, in the repository's root")
    };
    let cwd = std::fs::canonicalize(place.cwd()).map_err(|_gone| outside())?;
    let top = std::fs::canonicalize(&location.top).map_err(|_gone| outside())?;
    let mut parts: Vec<String> = cwd
        .strip_prefix(&top)
        .map_err(|_elsewhere| outside())?
        .components()
        .map(|part| part.as_os_str().to_string_lossy().into_owned())
        .collect();
    for part in path.split(['/', std::path::MAIN_SEPARATOR]) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop().ok_or_else(outside)?;
            }
            part => parts.push(part.to_owned()),
        }
    }
    if std::path::Path::new(path).is_absolute() {
        return Err(outside());
    }
    Ok(if parts.is_empty() {
        ".".to_owned()
    } else {
        parts.join("/")
    })
}

fn list(place: &Place, format: Format) -> Outcome {
    let git = Place::git()?;
    let location = place.location()?;
    let section = section(&location)?;
    let head = commit(&git, &location, "HEAD")?;
    let exceptions = exceptions(place, &location, head)?;
    if format == Format::Json {
        let exceptions: Vec<_> = exceptions
            .all
            .iter()
            .map(|exception| serde_json::json!({ "event": exception.seq, "granted": exception.granted }))
            .collect();
        let body = serde_json::json!({
            "schema_version": 1,
            "guard": section,
            "exceptions": exceptions,
        });
        terminal::line(serde_json::to_string_pretty(&body).unwrap_or_default());
        return Ok(Exit::Done);
    }
    for (name, patterns) in [
        ("protected", &section.protect),
        ("allowed", &section.allow),
        ("data", &section.data),
    ] {
        let text = if patterns.is_empty() {
            "nothing".to_owned()
        } else {
            patterns.join("  ")
        };
        terminal::line(format_args!("{name:<10} {}", terminal::word(text)));
    }
    terminal::line(format_args!(
        "{:<10} {} MiB, in data folders {} MiB",
        "at most",
        section.max_file_bytes.get() / (1024 * 1024),
        section.max_data_bytes.get() / (1024 * 1024)
    ));
    if exceptions.all.is_empty() {
        terminal::line("No exception is in force.");
    }
    for exception in &exceptions.all {
        let granted = &exception.granted;
        let time = granted.until.map_or_else(
            || "for the next commit".to_owned(),
            |until| format!("until {}", local_time(until)),
        );
        terminal::line(format_args!(
            "{:<10} {} {time}, by {}: {}",
            format!("event {}", exception.seq),
            terminal::word(granted.paths.join(", ")),
            terminal::word(&granted.by),
            terminal::one_line(&granted.reason, 200)
        ));
    }
    Ok(Exit::Done)
}
