//! `tradewind check`: the repository's lint and tests, in a clean copy of exactly one tree.
//!
//! Not here: running them (room `delivery`, `check`), writing workflows from them.

mod show;

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use tradewind_delivery::check::{
    self, CheckError, ChecksSection, Definition, Detected, Plan, Report, Run, What,
};
use tradewind_delivery::hook::{Cancel, HookError};
use tradewind_host::git::Git;
use tradewind_repo::Location;
use tradewind_repo::tree::{Source, Tree};

use super::{Format, hook, trust};
use crate::place::{CONFIG_FILE, Place};
use crate::report::{Exit, Failure, Outcome};
use crate::{terminal, wire};

const EXAMPLES: &str = "\
Without declarations in tradewind.toml it finds what the repository uses (pytest, ruff, black, mypy, cargo, npm), says by
which file, and runs that. Checks run in a private copy, never in your folder, with your .venv and node_modules.

Examples:
  tradewind check                    everything, on the last commit, or on your work tree when it differs
  tradewind check unit --explain     one check and what it needs; why it ran
  tradewind check --staged           what the next commit would be
  tradewind check --at v1.2.0        an earlier state
  tradewind check --list             what there is, and how it was found

Exit codes: 0 all passed, 1 something failed, 2 no such check, 3 tradewind.toml is wrong or not trusted, 5 git or the disk failed.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
pub(crate) struct Args {
    /// Only these checks, and what they need
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Only list the checks, and where each comes from
    #[arg(long, conflicts_with_all = ["names", "at", "staged", "worktree"])]
    list: bool,
    /// Check this commit
    #[arg(long, value_name = "REV", conflicts_with_all = ["staged", "worktree"])]
    at: Option<String>,
    /// Check what is staged
    #[arg(long, conflicts_with = "worktree")]
    staged: bool,
    /// Check the work tree as it lies there, with files that are not yet tracked
    #[arg(long)]
    worktree: bool,
    /// Run everything anew
    #[arg(long)]
    no_cache: bool,
    /// Run every test, whatever a change can reach; tells of tests that would have been left out wrongly
    #[arg(long)]
    full: bool,
    /// Say why each check ran
    #[arg(long)]
    explain: bool,
    /// So many at once; as many as there are cores without it
    #[arg(short, long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// The form of the answer
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// The checks of a repository, and where they come from.
pub(crate) struct Known {
    pub(crate) definitions: Vec<Definition>,
    /// By what each was found, in the same sequence; empty for declared ones.
    pub(crate) evidence: Vec<Vec<String>>,
    pub(crate) is_declared: bool,
}

pub(crate) async fn run(place: &Place, args: Args) -> Outcome {
    let location = place.location()?;
    if location.is_bare {
        return Err(Failure::new(
            Exit::Usage,
            "a repository without a work tree has no environment to check in",
        )
        .hint("run it in a clone"));
    }
    let known = known(&location)?;
    if args.list {
        show::list(&known, args.format);
        return Ok(Exit::Done);
    }
    if known.definitions.is_empty() {
        return Err(Failure::new(
            Exit::Config,
            "no check is declared, and none was found: no settings, CI step or manifest asks for one",
        )
        .hint("declare one: [checks.unit] kind = \"unit\" run = [\"pytest\", \"-q\"] in tradewind.toml, then `tradewind trust`"));
    }
    if known.is_declared {
        ensure_trusted(place, &location)?;
    }
    let plan = Plan::new(&known.definitions, &args.names).map_err(|error| failure(&error))?;
    let what = what(place.cwd(), &args)?;
    if args.format == Format::Text {
        show::before(&known, &plan, what);
    }
    let report = perform(place, plan, what, &args).await?;
    show::report(&report, what, args_shown(&args));
    Ok(if report.is_passed() {
        Exit::Done
    } else {
        Exit::Found
    })
}

fn args_shown(args: &Args) -> show::Form {
    show::Form {
        format: args.format,
        explain: args.explain,
    }
}

/// Finds the checks: those that `tradewind.toml` declares, else those that the repository's files ask for.
pub(crate) fn known(location: &Location) -> Result<Known, Failure> {
    let section = section(location)?;
    if !section.0.is_empty() {
        let definitions = section.definitions();
        return Ok(Known {
            evidence: vec![Vec::new(); definitions.len()],
            definitions,
            is_declared: true,
        });
    }
    let git = Place::git()?;
    let tree = Tree::read(&git, location, Source::WorkTree).map_err(|error| {
        Failure::from_error(Exit::Outside, &error).hint("run `tradewind doctor`")
    })?;
    let found = check::detect(&tree).into_iter();
    let (definitions, evidence) = found
        .map(
            |Detected {
                 definition,
                 evidence,
             }| (definition, evidence),
        )
        .unzip();
    Ok(Known {
        definitions,
        evidence,
        is_declared: false,
    })
}

/// Reads `[checks]` of a repository; without a file there is none.
fn section(location: &Location) -> Result<ChecksSection, Failure> {
    let Some(text) = text(location)? else {
        return Ok(ChecksSection::default());
    };
    let config = wire::Config::parse(&text).map_err(|mistakes| {
        let what = format!("{CONFIG_FILE} has {} mistakes", mistakes.len());
        Failure::new(Exit::Config, what).hint("`tradewind config check` shows them")
    })?;
    Ok(config.checks)
}

fn text(location: &Location) -> Result<Option<String>, Failure> {
    let file = location.top.join(CONFIG_FILE);
    match wire::read_file(&file) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => {
            let what = format!("{} cannot be read", file.display());
            Err(Failure::because(Exit::Config, what, &error).hint(wire::read_hint(&error)))
        }
    }
}

/// Refuses to run what a file names that nobody has read.
pub(crate) fn ensure_trusted(place: &Place, location: &Location) -> Result<(), Failure> {
    let text = text(location)?.unwrap_or_default();
    if trust::is_trusted(place, &text)? {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Config,
        format!("{CONFIG_FILE} names programs, and nobody has allowed this content of it yet"),
    )
    .hint("`tradewind trust` shows what it would run, and allows it"))
}

/// Says which tree the command line means.
fn what(dir: &Path, args: &Args) -> Result<What, Failure> {
    if let Some(name) = &args.at {
        let git = Git::discover().map_err(HookError::from);
        let commit = git.and_then(|git| hook::commit(&git, dir, name));
        return commit
            .map(What::Commit)
            .map_err(|error| failure(&error.into()));
    }
    if args.staged {
        return Ok(What::Staged);
    }
    if args.worktree {
        return Ok(What::Worktree);
    }
    check::usual(dir).map_err(|error| failure(&error))
}

/// Runs a plan, and ends it when the user says so.
async fn perform(place: &Place, plan: Plan, what: What, args: &Args) -> Result<Report, Failure> {
    let cache = tradewind_host::dirs::cache_dir()
        .map_err(|error| Failure::from_error(Exit::Config, &error))?;
    let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let at_most = args.jobs.unwrap_or(cores);
    let (uses_cache, is_full, format) = (!args.no_cache, args.full, args.format);
    let program = std::env::current_exe().ok();
    let dir = place.cwd().to_owned();
    let cancel = Arc::new(Cancel::default());
    let heard = Arc::clone(&cancel);
    let mut work = tokio::task::spawn_blocking(move || {
        let run = Run {
            dir: &dir,
            what,
            plan: &plan,
            at_most,
            cache: &cache,
            uses_cache,
            is_full,
            program: program.as_deref(),
        };
        let mut teller = show::Teller::new(&plan, format);
        check::run(&run, &heard, &mut teller)
    });
    let ended = tokio::select! {
        // Cancel-safe: a join handle keeps its result until it is taken.
        ended = &mut work => ended,
        // Cancel-safe: it only waits; the work is awaited below.
        () = hook::told_to_end() => {
            cancel.cancel();
            terminal::note("Ending what runs …");
            work.await
        }
    };
    ended
        .map_err(|error| Failure::because(Exit::Bug, "the checks ended in a panic", &error))?
        .map_err(|error| failure(&error))
}

/// Says what a person can do about an error.
fn failure(error: &CheckError) -> Failure {
    match error {
        CheckError::NoSuchCheck { .. } => Failure::from_error(Exit::Usage, error)
            .hint("`tradewind check --list` shows what there is"),
        CheckError::Graph { .. } => Failure::from_error(Exit::Config, error),
        CheckError::Copy(HookError::NoSuchCommit { .. }) => {
            Failure::from_error(Exit::Usage, error).hint("`git log --oneline` lists commits")
        }
        error => Failure::from_error(Exit::Outside, error).hint("run `tradewind doctor`"),
    }
}
