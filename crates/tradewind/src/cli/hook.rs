//! `tradewind hook install|uninstall|run`: what git asks before and after a commit.
//!
//! Not here: running hooks (room `delivery`, `hook`). Start reading at [`run_stage`].

mod occasion;
pub(crate) mod referee;
mod show;

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Subcommand;
use tradewind_delivery::hook::{self, Cancel, HookError, Request, Scope, shim};
use tradewind_delivery::precommit::Stage;
use tradewind_host::git::Git;
use tradewind_repo::{Oid, RepoError};

use super::Format;
use crate::place::Place;
use crate::report::{Exit, Failure, Outcome};
use crate::{terminal, wire};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Let git call this program before and after commits; a hook that is there goes first
    Install {
        /// Also into a folder that other repositories use (`core.hooksPath` of the user or the machine)
        #[arg(long)]
        shared: bool,
        /// Only this hook; may be given several times
        #[arg(long = "hook", value_name = "HOOK", value_parser = clap::builder::PossibleValuesParser::new(shim::ALL))]
        hooks: Vec<String>,
    },
    /// Take the hooks away again and put back what was there
    Uninstall,
    /// Run the hooks of a stage by hand, or as git does
    Run(Box<RunArgs>),
    /// Ask some of what is known again, and forget hooks that say something else now; exit code 1 then
    Referee(referee::Args),
}

#[derive(Debug, clap::Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
pub(crate) struct RunArgs {
    /// Which, e.g. pre-commit
    #[arg(value_name = "HOOK", default_value = "pre-commit", value_parser = stage)]
    stage: Stage,
    /// Another configuration than .pre-commit-config.yaml
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Look at every tracked file, as it is staged
    #[arg(short, long, conflicts_with_all = ["files", "from_ref", "to_ref"])]
    all_files: bool,
    /// Look at these tracked files, as they are staged
    #[arg(long, value_name = "PATH", num_args = 1.., conflicts_with_all = ["from_ref", "to_ref"])]
    files: Vec<PathBuf>,
    /// Look at what changed from this commit …
    #[arg(long, value_name = "COMMIT", requires = "to_ref")]
    from_ref: Option<String>,
    /// … to this one, as it is there
    #[arg(long, value_name = "COMMIT", requires = "from_ref")]
    to_ref: Option<String>,
    /// Only the hook of this id or alias
    #[arg(long, value_name = "ID")]
    only: Option<String>,
    /// Look at every file anew
    #[arg(long)]
    no_cache: bool,
    /// Say which files were looked at anew, and why
    #[arg(long)]
    explain: bool,
    /// The form of the answer
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Called by git, with its arguments after `--`
    #[arg(long, hide = true)]
    from_git: bool,
    /// What git gives the hook, e.g. the file of the message
    #[arg(last = true, value_name = "ARGS")]
    args: Vec<OsString>,
}

fn stage(name: &str) -> Result<Stage, String> {
    let names: Vec<_> = Stage::ALL.iter().map(|stage| stage.name()).collect();
    Stage::named(name).ok_or_else(|| format!("there are {}", names.join(", ")))
}

pub(crate) async fn run(place: &Place, args: Args) -> Outcome {
    match args.action {
        Action::Install { shared, hooks } => install(place, shared, &hooks),
        Action::Uninstall => uninstall(place),
        Action::Run(args) => run_stage(place, *args).await,
        Action::Referee(args) => referee::run(place, args).await,
    }
}

/// Says what a person can do about an error.
fn failure(error: &HookError) -> Failure {
    let exit = match error {
        HookError::Config { .. } | HookError::NoConfig { .. } | HookError::Pattern(_) => {
            Exit::Config
        }
        HookError::NoSuchHook { .. }
        | HookError::NoSuchCommit { .. }
        | HookError::Bare { .. }
        | HookError::Repo(RepoError::NotARepository { .. }) => Exit::Usage,
        HookError::ConfigNotStaged { .. } => Exit::Found,
        _ => Exit::Outside,
    };
    let failure = Failure::from_error(exit, error);
    match error {
        HookError::ConfigNotStaged { name } => failure.hint(format!("git add {name}")),
        HookError::Repo(RepoError::NotARepository { .. }) => failure
            .hint("change into your bot's folder, name one with -C, or make a repository with `git init`"),
        HookError::Repo(_) => failure.hint("run `tradewind doctor`"),
        HookError::Bare { .. } => failure.hint("run it in a work tree of it: `git worktree add PATH`"),
        HookError::NoSuchCommit { .. } => failure.hint("`git log --oneline` lists commits"),
        HookError::Git(_) => failure.hint(
            "when another git works here, let it end; a lock that was left behind is .git/index.lock",
        ),
        _ => failure,
    }
}

/// Returns the folder for copies and known verdicts.
fn cache() -> Result<PathBuf, Failure> {
    let cache = tradewind_host::dirs::cache_dir();
    let cache = cache.map_err(|error| Failure::from_error(Exit::Config, &error))?;
    Ok(cache.join("hooks"))
}

async fn run_stage(place: &Place, args: RunArgs) -> Outcome {
    let dir = place.cwd().to_owned();
    let occasions = occasion::of(&dir, &args)?;
    let cache = cache()?;
    let skip: Vec<String> = std::env::var("SKIP")
        .unwrap_or_default()
        .split(',')
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .collect();
    let cancel = Arc::new(Cancel::default());
    let (format, explain, from_git) = (args.format, args.explain, args.from_git);
    let mut is_passed = true;
    for occasion in occasions {
        let dir = dir.clone();
        let (cache, skip, only) = (cache.clone(), skip.clone(), args.only.clone());
        let (config, uses_cache) = (args.config.clone(), !args.no_cache);
        let (stage, what) = (occasion.stage, occasion.what.clone());
        let heard = Arc::clone(&cancel);
        let mut work = tokio::task::spawn_blocking(move || {
            let request = Request {
                dir: &dir,
                stage: occasion.stage,
                scope: occasion.scope,
                config: config.as_deref(),
                only: only.as_deref(),
                skip: &skip,
                args: &occasion.args,
                env: &occasion.env,
                cache: &cache,
                uses_cache,
                declared: &wire::hooks_section,
            };
            hook::run(&request, &heard)
        });
        let ended = tokio::select! {
            // Cancel-safe: a join handle keeps its result until it is taken.
            ended = &mut work => ended,
            // Cancel-safe: it only waits; the work is awaited below.
            () = told_to_end() => {
                cancel.cancel();
                work.await
            }
        };
        let outcome = ended
            .map_err(|error| Failure::because(Exit::Bug, "the hooks ended in a panic", &error))?
            .map_err(|error| failure(&error))?;
        show::outcome(&outcome, stage, what.as_deref(), format, explain, from_git);
        is_passed &= outcome.is_passed();
        if outcome.is_cancelled {
            break;
        }
    }
    if from_git && matches!(args.stage, Stage::PreCommit | Stage::PreMergeCommit) {
        is_passed &= super::guard::before_commit(place)?;
    }
    if let (true, Stage::CommitMsg, Some(file)) = (from_git, args.stage, args.args.first()) {
        super::guard::about_message(place, &place.cwd().join(file));
    }
    if from_git {
        is_passed &= occasion::after(place.cwd(), args.stage, is_passed)?;
    }
    Ok(if is_passed { Exit::Done } else { Exit::Found })
}

/// Waits for Ctrl-C or a polite request to end.
pub(super) async fn told_to_end() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let term = async {
            match signal(SignalKind::terminate()) {
                Ok(mut term) => {
                    term.recv().await;
                }
                Err(_) => std::future::pending::<()>().await,
            }
        };
        tokio::select! {
            // Cancel-safe: both only wait.
            _ = tokio::signal::ctrl_c() => {}
            () = term => {}
        }
    }
    #[cfg(not(unix))]
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Finds a commit by any of its names.
pub(super) fn commit(git: &Git, dir: &std::path::Path, name: &str) -> Result<Oid, HookError> {
    let named = format!("{name}^{{commit}}");
    let args = [
        "rev-parse",
        "--verify",
        "--quiet",
        "--end-of-options",
        &named,
    ];
    let no_such = || HookError::NoSuchCommit {
        name: name.to_owned(),
    };
    match git.run_blocking(dir, &args) {
        Ok(answer) => String::from_utf8_lossy(&answer)
            .trim()
            .parse()
            .map_err(|_bad| no_such()),
        Err(error) if error.exit_code() == Some(1) => Err(no_such()),
        Err(error) => Err(error.into()),
    }
}

fn install(place: &Place, shared: bool, hooks: &[String]) -> Outcome {
    let folder = shim::folder(place.cwd()).map_err(|error| failure(&error))?;
    if folder.is_shared && !shared {
        return Err(Failure::new(
            Exit::Config,
            format!(
                "git looks for hooks in {}, which other repositories use too (core.hooksPath)",
                folder.path.display()
            ),
        )
        .hint("`git config --local core.hooksPath .git/hooks` for this one alone, or `tradewind hook install --shared`"));
    }
    let program = std::env::current_exe().map_err(|error| {
        Failure::because(Exit::Outside, "this program's own path is unknown", &error)
    })?;
    let names: Vec<&str> = if hooks.is_empty() {
        shim::USUAL.to_vec()
    } else {
        hooks.iter().map(String::as_str).collect()
    };
    let done = shim::install(&folder, &program, &names).map_err(|error| failure(&error))?;
    show::shims(&folder, &done);
    terminal::note("Try it: tradewind hook run --all-files");
    Ok(Exit::Done)
}

fn uninstall(place: &Place) -> Outcome {
    let folder = shim::folder(place.cwd()).map_err(|error| failure(&error))?;
    let done = shim::uninstall(&folder).map_err(|error| failure(&error))?;
    show::shims(&folder, &done);
    Ok(Exit::Done)
}

/// Finds the scope that the command line names.
fn scope(dir: &std::path::Path, args: &RunArgs) -> Result<Scope, HookError> {
    if args.all_files {
        return Ok(Scope::All);
    }
    if let (Some(from), Some(to)) = (&args.from_ref, &args.to_ref) {
        let git = Git::discover()?;
        return Ok(Scope::Between {
            from: Some(commit(&git, dir, from)?),
            to: commit(&git, dir, to)?,
        });
    }
    if args.files.is_empty() {
        return Ok(Scope::Staged);
    }
    let checkout =
        tradewind_repo::checkout::Checkout::find(dir, || Git::discover().map_err(HookError::from))?;
    let mut files = Vec::new();
    for file in &args.files {
        let path = std::path::absolute(dir.join(file)).unwrap_or_else(|_| dir.join(file));
        let path = match (
            path.parent().and_then(|dir| dir.canonicalize().ok()),
            path.file_name(),
        ) {
            (Some(dir), Some(name)) => dir.join(name),
            _ => path,
        };
        let path = path.strip_prefix(&checkout.location.top).unwrap_or(file);
        files.push(
            path.to_string_lossy()
                .replace('\\', "/")
                .into_bytes()
                .into(),
        );
    }
    Ok(Scope::Files(files))
}
