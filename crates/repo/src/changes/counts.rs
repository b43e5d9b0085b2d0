//! Counts for events: commits gained and lost by a branch, files changed by a commit.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io::Write as _;
use std::ops::ControlFlow;

use tradewind_host::git::Git;

use super::Move;
use super::walk::Commit;
use crate::error::RepoError;
use crate::location::Location;
use crate::oid::Oid;

/// Above this many new commits in one look, changed files are not counted.
const MAX_COUNTED_COMMITS: usize = 200;
/// Bound on work for many branches that moved at once: branches times commits between them.
const MAX_STEPS: usize = 50_000_000;

/// How a branch's new tip relates to its old one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counted {
    /// Commits of the new tip that the old one has not.
    pub(super) gained: u64,
    /// Commits of the old tip that the new one has not.
    pub(super) dropped: u64,
}

/// Counts for each moved branch; a branch that is missing in the answer could not be counted.
pub(super) fn of_moves(
    git: &Git,
    location: &Location,
    moves: &[Move],
    new: &[Commit],
    problems: &mut Vec<String>,
) -> Result<BTreeMap<String, Counted>, RepoError> {
    let by_oid: HashMap<Oid, &Commit> = new.iter().map(|commit| (commit.oid, commit)).collect();
    let mut counted = BTreeMap::new();
    let mut open = Vec::new();
    for one in moves {
        match forward(&by_oid, one) {
            Some(count) => {
                counted.insert(one.name.clone(), count);
            }
            None => open.push(one),
        }
    }
    let answer = match open.as_slice() {
        [] => Ok(()),
        [one] => ask_one(git, location, one).map(|count| {
            counted.insert(one.name.clone(), count);
        }),
        many => ask_many(git, location, many).map(|counts| counted.extend(counts)),
    };
    match answer {
        Err(RepoError::Git(error)) if error.exit_code().is_some() => {
            problems.push(format!("moved branches cannot be counted: {error}"));
            Ok(counted)
        }
        other => other.map(|()| counted),
    }
}

/// Most moves need no question: the new commits lead from `to` back to nothing but `from`.
fn forward(new: &HashMap<Oid, &Commit>, one: &Move) -> Option<Counted> {
    let mut seen = HashSet::from([one.to]);
    let mut queue = vec![one.to];
    let mut is_at_from = false;
    while let Some(oid) = queue.pop() {
        let commit = new.get(&oid)?;
        for parent in &commit.parents {
            if *parent == one.from {
                is_at_from = true;
            } else if seen.insert(*parent) {
                queue.push(*parent);
            }
        }
    }
    is_at_from.then_some(Counted {
        gained: seen.len() as u64,
        dropped: 0,
    })
}

fn ask_one(git: &Git, location: &Location, one: &Move) -> Result<Counted, RepoError> {
    let range = format!("{}...{}", one.from, one.to);
    let args = ["rev-list", "--count", "--left-right", &range];
    let answer = git.run_blocking(&location.git_dir, &args)?;
    let text = String::from_utf8_lossy(&answer);
    let mut numbers = text.split_whitespace().map(str::parse::<u64>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(dropped)), Some(Ok(gained))) => Ok(Counted { gained, dropped }),
        _ => Err(RepoError::Answer {
            command: "rev-list",
            text: text.into_owned(),
        }),
    }
}

/// Reads the part of history that lies between all old and new tips and what they have in common,
/// and counts in it.
fn ask_many(
    git: &Git,
    location: &Location,
    moves: &[&Move],
) -> Result<BTreeMap<String, Counted>, RepoError> {
    let tips: BTreeSet<Oid> = moves.iter().flat_map(|one| [one.from, one.to]).collect();
    let parents = read_parents(git, location, &tips)?;
    let mut counted = BTreeMap::new();
    let mut steps = 0_usize;
    for one in moves {
        if steps > MAX_STEPS {
            break;
        }
        let (old, new) = (reach(&parents, one.from), reach(&parents, one.to));
        steps += old.len() + new.len();
        let count = Counted {
            gained: new.difference(&old).count() as u64,
            dropped: old.difference(&new).count() as u64,
        };
        counted.insert(one.name.clone(), count);
    }
    Ok(counted)
}

fn read_parents(
    git: &Git,
    location: &Location,
    tips: &BTreeSet<Oid>,
) -> Result<HashMap<Oid, Vec<Oid>>, RepoError> {
    let mut input = Vec::new();
    for oid in tips {
        writeln!(input, "{oid}").unwrap_or_default();
    }
    // What all tips have in common cannot make a difference. Beyond some hundred tips the question
    // costs more than the walk.
    if tips.len() <= 200 {
        let names: Vec<String> = tips.iter().map(Oid::to_string).collect();
        let mut args = vec!["merge-base", "--octopus"];
        args.extend(names.iter().map(String::as_str));
        // Exit code 1 says that there is nothing in common.
        if let Ok(base) = git.run_blocking(&location.git_dir, &args) {
            input.extend_from_slice(b"^");
            input.extend_from_slice(&base);
        }
    }
    let mut parents = HashMap::new();
    let args = ["rev-list", "--parents", "--stdin"];
    git.records(&location.git_dir, &args, input, b'\n', |line| {
        let mut oids = line.split(|byte| *byte == b' ').flat_map(Oid::from_hex);
        if let Some(oid) = oids.next() {
            parents.insert(oid, oids.collect());
        }
        ControlFlow::Continue(())
    })?;
    Ok(parents)
}

/// Returns every commit of the graph that `tip` reaches.
fn reach(parents: &HashMap<Oid, Vec<Oid>>, tip: Oid) -> HashSet<Oid> {
    let mut seen = HashSet::new();
    let mut queue = vec![tip];
    while let Some(oid) = queue.pop() {
        if let Some(parents) = parents.get(&oid)
            && seen.insert(oid)
        {
            queue.extend(parents);
        }
    }
    seen
}

/// Counts the files that each commit changed against its first parent; nothing when there are too
/// many commits or trees are missing (partial clone).
pub(super) fn changed_files(
    git: &Git,
    location: &Location,
    commits: &[Commit],
) -> BTreeMap<Oid, u64> {
    let mut counts = BTreeMap::new();
    if commits.is_empty() || commits.len() > MAX_COUNTED_COMMITS {
        return counts;
    }
    let mut input = Vec::new();
    for commit in commits {
        // With parents named, diff-tree compares with those instead of the recorded ones.
        match commit.parents.first() {
            Some(parent) => writeln!(input, "{} {parent}", commit.oid).unwrap_or_default(),
            None => writeln!(input, "{}", commit.oid).unwrap_or_default(),
        }
    }
    let args = [
        "diff-tree",
        "--stdin",
        "-r",
        "-z",
        "--root",
        "--raw",
        "--no-renames",
        "--always",
    ];
    let mut current = None;
    let mut is_path = false;
    let done = git.records(&location.git_dir, &args, input, 0, |record| {
        if std::mem::take(&mut is_path) {
            return ControlFlow::Continue(());
        }
        if record.first() == Some(&b':') {
            is_path = true;
            if let Some(count) = current.and_then(|oid| counts.get_mut(&oid)) {
                *count += 1;
            }
        } else if let Ok(oid) = Oid::from_hex(record.trim_ascii()) {
            current = Some(oid);
            counts.insert(oid, 0);
        }
        ControlFlow::Continue(())
    });
    match done {
        Ok(_) => counts,
        Err(_) => BTreeMap::new(),
    }
}
