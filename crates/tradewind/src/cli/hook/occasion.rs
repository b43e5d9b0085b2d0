//! On what occasion git calls, what that means for what is looked at, and what is remembered of it.
//!
//! Why remembered: git passes over `pre-commit` for cherry-picks, reverts and rebases, and for `--no-verify`. What was
//! checked is kept by commit in the git directory; `post-commit` tells of a commit that was not, and `pre-push` checks it.
//! Not here: running hooks.

use std::ffi::OsString;
use std::io::Read as _;
use std::path::Path;

use tradewind_delivery::hook::{HookError, Scope};
use tradewind_delivery::precommit::Stage;
use tradewind_host::git::Git;
use tradewind_repo::Oid;
use tradewind_repo::checkout::Checkout;

use super::{RunArgs, failure};
use crate::report::{Exit, Failure};
use crate::terminal;

/// Commits that are remembered as checked.
const MAX_REMEMBERED: usize = 2_000;
/// Bound on what git writes to a hook.
const MAX_INPUT_BYTES: u64 = 16 * 1024 * 1024;

/// One run of hooks.
#[derive(Debug)]
pub(super) struct Occasion {
    pub(super) stage: Stage,
    pub(super) scope: Scope,
    pub(super) args: Vec<OsString>,
    pub(super) env: Vec<(String, String)>,
    /// What it is, where that is not plain.
    pub(super) what: Option<String>,
}

/// Says what is to be run.
pub(super) fn of(dir: &Path, args: &RunArgs) -> Result<Vec<Occasion>, Failure> {
    let named = |index: usize| args.args.get(index).cloned().unwrap_or_default();
    let text = |index: usize| named(index).to_string_lossy().into_owned();
    let mut one = Occasion {
        stage: args.stage,
        scope: super::scope(dir, args).map_err(|error| failure(&error))?,
        args: Vec::new(),
        env: Vec::new(),
        what: None,
    };
    match args.stage {
        Stage::PrePush if args.from_git => return pushed(dir, &args.args),
        Stage::CommitMsg | Stage::PrepareCommitMsg => {
            let Some(message) = args.args.first() else {
                return Err(Failure::new(
                    Exit::Usage,
                    format!("{} needs the file of the message", args.stage.name()),
                )
                .hint(format!(
                    "tradewind hook run {} -- .git/COMMIT_EDITMSG",
                    args.stage.name()
                )));
            };
            one.scope = Scope::Files(Vec::new());
            one.args = vec![dir.join(message).into_os_string()];
            one.env
                .push(("PRE_COMMIT_COMMIT_MSG_SOURCE".to_owned(), text(1)));
            one.env
                .push(("PRE_COMMIT_COMMIT_OBJECT_NAME".to_owned(), text(2)));
        }
        Stage::PostCheckout => {
            one.scope = Scope::Files(Vec::new());
            for (at, name) in [
                "PRE_COMMIT_FROM_REF",
                "PRE_COMMIT_TO_REF",
                "PRE_COMMIT_CHECKOUT_TYPE",
            ]
            .iter()
            .enumerate()
            {
                one.env.push(((*name).to_owned(), text(at)));
            }
        }
        Stage::PostMerge => {
            one.scope = Scope::Files(Vec::new());
            one.env
                .push(("PRE_COMMIT_IS_SQUASH_MERGE".to_owned(), text(0)));
        }
        Stage::PostRewrite => {
            one.scope = Scope::Files(Vec::new());
            one.env
                .push(("PRE_COMMIT_REWRITE_COMMAND".to_owned(), text(0)));
        }
        Stage::PreRebase => {
            one.scope = Scope::Files(Vec::new());
            one.env
                .push(("PRE_COMMIT_PRE_REBASE_UPSTREAM".to_owned(), text(0)));
            one.env
                .push(("PRE_COMMIT_PRE_REBASE_BRANCH".to_owned(), text(1)));
        }
        Stage::PostCommit => one.scope = Scope::Files(Vec::new()),
        Stage::PreCommit | Stage::PreMergeCommit | Stage::PrePush | Stage::Manual => {}
    }
    Ok(vec![one])
}

/// Reads what is pushed: for each branch what is new there, once with the hooks of a push, and with those of a commit
/// where one of its commits came past them.
fn pushed(dir: &Path, args: &[OsString]) -> Result<Vec<Occasion>, Failure> {
    let mut input = String::new();
    std::io::stdin()
        .take(MAX_INPUT_BYTES)
        .read_to_string(&mut input)
        .map_err(|error| {
            Failure::because(Exit::Outside, "what is pushed cannot be read", &error)
        })?;
    let remote = args
        .first()
        .map_or_else(String::new, |arg| arg.to_string_lossy().into_owned());
    let url = args
        .get(1)
        .map_or_else(String::new, |arg| arg.to_string_lossy().into_owned());
    let found = || -> Result<Vec<Occasion>, HookError> {
        let git = Git::discover()?.keeping_hook_env();
        let checked = checked(dir)?;
        let mut all = Vec::new();
        for line in input.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let [local, id, there, known] = words.as_slice() else {
                continue;
            };
            let (Ok(id), Ok(known)) = (id.parse::<Oid>(), known.parse::<Oid>()) else {
                continue;
            };
            if id.is_zero() {
                // A branch is deleted there; nothing is new.
                continue;
            }
            let Some(new) = new_commits(&git, dir, id, known, &remote)? else {
                continue;
            };
            let from = new.from;
            let scope = Scope::Between { from, to: id };
            let env = vec![
                (
                    "PRE_COMMIT_FROM_REF".to_owned(),
                    from.map(|id| id.to_string()).unwrap_or_default(),
                ),
                ("PRE_COMMIT_TO_REF".to_owned(), id.to_string()),
                ("PRE_COMMIT_REMOTE_NAME".to_owned(), remote.clone()),
                ("PRE_COMMIT_REMOTE_URL".to_owned(), url.clone()),
                ("PRE_COMMIT_LOCAL_BRANCH".to_owned(), (*local).to_owned()),
                ("PRE_COMMIT_REMOTE_BRANCH".to_owned(), (*there).to_owned()),
            ];
            let unchecked = new
                .commits
                .iter()
                .filter(|commit| !checked.contains(commit))
                .count();
            if unchecked > 0 {
                all.push(Occasion {
                    stage: Stage::PreCommit,
                    scope: scope.clone(),
                    args: Vec::new(),
                    env: env.clone(),
                    what: Some(format!(
                        "{unchecked} of {} commits came without pre-commit; what they change is checked now",
                        new.commits.len()
                    )),
                });
            }
            all.push(Occasion {
                stage: Stage::PrePush,
                scope,
                args: Vec::new(),
                env,
                what: None,
            });
        }
        Ok(all)
    };
    found().map_err(|error| failure(&error))
}

struct New {
    /// The commit before the first new one; `None` when that is a root.
    from: Option<Oid>,
    commits: Vec<Oid>,
}

/// Finds the commits that the other side has not; `None` when it has them all.
fn new_commits(
    git: &Git,
    dir: &Path,
    id: Oid,
    known: Oid,
    remote: &str,
) -> Result<Option<New>, HookError> {
    let mut args = vec![
        "rev-list".to_owned(),
        "--topo-order".to_owned(),
        "--reverse".to_owned(),
    ];
    args.push(id.to_string());
    let has_known = !known.is_zero()
        && git
            .run_blocking(dir, &["cat-file", "-e", &format!("{known}^{{commit}}")])
            .is_ok();
    if has_known {
        args.push(format!("^{known}"));
    } else {
        args.push("--not".to_owned());
        args.push(format!("--remotes={remote}"));
    }
    let listed = git.run_blocking(dir, &args)?;
    let listed = String::from_utf8_lossy(&listed);
    let commits: Vec<Oid> = listed
        .lines()
        .filter_map(|line| line.parse().ok())
        .collect();
    let Some(first) = commits.first() else {
        return Ok(None);
    };
    let from = if has_known {
        Some(known)
    } else {
        let parent = format!("{first}^");
        let parent = git.run_blocking(dir, &["rev-parse", "-q", "--verify", &parent]);
        parent
            .ok()
            .and_then(|parent| String::from_utf8_lossy(&parent).trim().parse().ok())
    };
    Ok(Some(New { from, commits }))
}

fn find(dir: &Path) -> Result<Checkout, HookError> {
    Checkout::find(dir, || Git::discover().map_err(HookError::from))
}

/// Returns the commits that are remembered as checked.
fn checked(dir: &Path) -> Result<Vec<Oid>, HookError> {
    let file = find(dir)?
        .location
        .git_dir
        .join("tradewind")
        .join("checked");
    let text = std::fs::read_to_string(file).unwrap_or_default();
    Ok(text.lines().filter_map(|line| line.parse().ok()).collect())
}

/// Remembers what was checked, and tells of a commit that was not. Returns whether the hook as a whole passes.
pub(super) fn after(dir: &Path, stage: Stage, is_passed: bool) -> Result<bool, Failure> {
    let remembered = || -> Result<(), HookError> {
        let checkout = find(dir)?;
        let folder = checkout.location.git_dir.join("tradewind");
        let mark = folder.join("passed");
        let before = checkout
            .commit
            .map_or_else(|| "none".to_owned(), |id| id.to_string());
        let io = |error| HookError::Io {
            what: "remember what was checked in",
            path: folder.clone(),
            source: error,
        };
        match stage {
            Stage::PreCommit | Stage::PreMergeCommit => {
                // For the commit that comes now: the one before it is how it will be known.
                if is_passed {
                    std::fs::create_dir_all(&folder).map_err(io)?;
                    std::fs::write(mark, before).map_err(io)?;
                } else if mark.exists() {
                    std::fs::remove_file(mark).map_err(io)?;
                }
            }
            Stage::PostCommit => {
                let Some(commit) = checkout.commit else {
                    return Ok(());
                };
                let passed = std::fs::read_to_string(&mark).unwrap_or_default();
                if mark.exists() {
                    std::fs::remove_file(&mark).map_err(io)?;
                }
                let (_, parents) = tradewind_repo::trees::commit(&checkout.objects()?, commit)?;
                let is_amended = std::fs::read(checkout.location.git_dir.join("ORIG_HEAD")).is_ok()
                    && passed.len() > 4;
                let is_checked = match passed.as_str() {
                    "" => false,
                    "none" => parents.is_empty(),
                    // An amended commit has the parents of the one it replaces.
                    before => {
                        parents.iter().any(|parent| parent.to_string() == before)
                            || replaced(&checkout, before, &parents)
                            || (is_amended && parents.is_empty())
                    }
                };
                if is_checked {
                    let file = folder.join("checked");
                    let text = std::fs::read_to_string(&file).unwrap_or_default();
                    let mut lines: Vec<&str> = text.lines().collect();
                    let new = commit.to_string();
                    lines.push(&new);
                    let from = lines.len().saturating_sub(MAX_REMEMBERED);
                    let text = lines.get(from..).unwrap_or_default().join("\n") + "\n";
                    std::fs::write(file, text).map_err(io)?;
                } else {
                    terminal::note(
                        "This commit came without pre-commit (--no-verify, cherry-pick, revert or rebase). It is checked \
                         before it is pushed; now: tradewind hook run --from-ref HEAD~1 --to-ref HEAD",
                    );
                }
            }
            _ => {}
        }
        Ok(())
    };
    remembered().map_err(|error| failure(&error))?;
    Ok(true)
}

/// Says whether `before` was amended: it has the same parents.
fn replaced(checkout: &Checkout, before: &str, parents: &[Oid]) -> bool {
    let Ok(before) = before.parse() else {
        return false;
    };
    let objects = checkout.objects();
    objects.is_ok_and(|objects| {
        tradewind_repo::trees::commit(&objects, before).is_ok_and(|(_, old)| old == parents)
    })
}
