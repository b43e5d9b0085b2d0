//! `tradewind change plan`: the work tree's changes as coherent commits.
//!
//! Not here: which changes belong together (room `delivery`, `change`).

mod show;

use std::path::Path;

use clap::Subcommand;
use tradewind_delivery::change::{self, ChangeError, Plan, Request, Store};
use tradewind_delivery::guard::{Policy, Stop};
use tradewind_repo::{Location, operation_in_progress};

use super::{Format, guard};
use crate::place::Place;
use crate::report::{Exit, Failure, Outcome};
use crate::terminal;

const EXAMPLES: &str = "\
Changes are grouped by facts: who uses what another change defines, which test is named after which file, which path stands
on a changed line, what is made of what. Messages say only what the diff says. Nothing is written.

Examples:
  tradewind change plan                 everything that is staged, changed or new, and not ignored
  tradewind change plan --explain       why these belong together, and the whole messages
  tradewind change plan bot/ tests/     only what lies there

Exit codes: 0 there is a plan (or nothing to plan), 2 usage, 3 tradewind.toml is wrong, 5 git or the disk failed.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Group what changed into coherent commits, say why, and show what stays out
    Plan(PlanArgs),
}

/// What is planned.
#[derive(Debug, clap::Args)]
struct Chosen {
    /// Take files whole of which only a part is staged
    #[arg(long)]
    whole: bool,
}

#[derive(Debug, clap::Args)]
struct PlanArgs {
    /// Only what lies at or below these paths, from where you are
    #[arg(value_name = "PATH")]
    paths: Vec<String>,
    #[command(flatten)]
    chosen: Chosen,
    /// Say why changes belong together, and show the whole messages
    #[arg(long)]
    explain: bool,
    /// The form of the answer
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(crate) async fn run(place: &Place, args: Args) -> Outcome {
    match args.action {
        Action::Plan(args) => {
            let plan = make(place, &args.paths, args.chosen.whole, Store::Private).await?;
            let location = place.location()?;
            show::plan(
                &plan,
                operation_in_progress(&location),
                args.explain,
                args.format,
            );
            Ok(Exit::Done)
        }
    }
}

/// Makes the plan on a thread of its own.
async fn make(
    place: &Place,
    paths: &[String],
    takes_whole: bool,
    store: Store,
) -> Result<Plan, Failure> {
    let location = place.location()?;
    let paths = from_root(place.cwd(), &location, paths)?;
    let policy = Policy::new(&guard::section(&location)?);
    let git = Place::git()?;
    let head = guard::commit(&git, &location, "HEAD")?;
    let exceptions = guard::exceptions(place, &location, head)?;
    let spinner = terminal::spinner("Looking at what changed …".to_owned());
    let dir = place.cwd().to_owned();
    let planned = tokio::task::spawn_blocking(move || {
        change::plan(&Request {
            dir: &dir,
            paths: &paths,
            takes_whole,
            policy: &policy,
            is_excepted: &|stop: &Stop| exceptions.of(stop).is_some(),
            store,
        })
    })
    .await;
    drop(spinner);
    planned
        .map_err(|error| Failure::because(Exit::Bug, "planning ended in a panic", &error))?
        .map_err(|error| failure(&error))
}

/// Makes paths from where the user is into paths from the root, with `/`.
fn from_root(cwd: &Path, location: &Location, paths: &[String]) -> Result<Vec<String>, Failure> {
    let cwd = cwd.canonicalize().unwrap_or_else(|_| cwd.to_owned());
    let below = cwd.strip_prefix(&location.top).unwrap_or(Path::new(""));
    paths
        .iter()
        .map(|path| {
            let path_of = |path: &Path| -> Option<String> {
                let mut parts: Vec<String> = Vec::new();
                for part in path.components() {
                    match part {
                        std::path::Component::Normal(part) => {
                            parts.push(part.to_string_lossy().into_owned());
                        }
                        std::path::Component::CurDir => {}
                        std::path::Component::ParentDir => {
                            parts.pop()?;
                        }
                        _ => return None,
                    }
                }
                Some(parts.join("/"))
            };
            let asked = Path::new(path);
            let found = if asked.is_absolute() {
                asked.strip_prefix(&location.top).ok().and_then(path_of)
            } else {
                path_of(&below.join(asked))
            };
            found.ok_or_else(|| failure(&ChangeError::Outside { path: path.clone() }))
        })
        .collect()
}

/// Says what a person can do about an error.
fn failure(error: &ChangeError) -> Failure {
    match error {
        ChangeError::Bare | ChangeError::Outside { .. } => {
            Failure::from_error(Exit::Usage, error).hint("run it in a clone, with paths inside of it")
        }
        ChangeError::Conflicts { .. } => Failure::from_error(Exit::Found, error)
            .hint("resolve them and `git add` each; `git status` lists them"),
        ChangeError::TooMany { .. } => Failure::from_error(Exit::Usage, error)
            .hint("name folders, e.g. `tradewind change plan bot/`; what is made by programs belongs into .gitignore"),
        ChangeError::Repo(_) => {
            Failure::from_error(Exit::Outside, error).hint("run it in a git repository, or name one with -C")
        }
        error => Failure::from_error(Exit::Outside, error).hint("run `tradewind doctor`"),
    }
}
