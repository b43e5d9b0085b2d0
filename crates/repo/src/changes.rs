//! What happened to the refs of a repository between two looks, as drafts of events.
//!
//! In causal order: commits, parents before children, each followed by its merge where it is one; then
//! branches, tags and HEAD. Commits that a HEAD or branch visited and left again between the looks
//! come too (`reference` is null then). Tips at registration and what they reach are history and
//! never come. A commit's draft carries the key `commit/<repository>/<oid>`, a merge's
//! `merge/<repository>/<oid>`: a commit that was left and is visited again later yields a second draft
//! with the same key, which the journal drops.
//! At most four git children: the walk, the counts, the changed files, and peeling when tags moved.
//! Every event's `occurred_at` is the look's time; a commit's own times are in its body.
//! Not here: looking ([`crate::refs`]), and commits that only a remote-tracking ref or the stash
//! reaches.

mod counts;
mod drafts;
mod walk;

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use tradewind_core::{Draft, RepositoryId};
use tradewind_host::git::Git;

use crate::error::RepoError;
use crate::location::Location;
use crate::oid::Oid;
use crate::refs::{self, BRANCHES, HEAD, Head, Maker, Makers, RefsView, TAGS};
use walk::Commit;

/// What happened between two looks.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// Events, in causal order.
    pub found: Vec<Found>,
    /// What could not be read, as sentences; the rest is complete.
    pub problems: Vec<String>,
}

/// One event, and who made happen what it tells.
#[derive(Clone, Debug)]
pub struct Found {
    /// The event.
    pub draft: Draft,
    /// Who did it.
    pub maker: Maker,
}

/// Finds what happened between two looks at a repository. `now` is the time of the second.
///
/// # Errors
/// [`RepoError::Read`] and [`RepoError::Git`] when the repository cannot be read at all; missing
/// objects are [`Changes::problems`].
pub fn between(
    git: &Git,
    location: &Location,
    repository: RepositoryId,
    before: &RefsView,
    after: &RefsView,
    now: Timestamp,
) -> Result<Changes, RepoError> {
    let mut problems = after.problems.clone();
    let visited = refs::visited(git, location, before, after)?;
    let commits = walk::new_commits(git, location, before, after, &visited, &mut problems)?;
    let files = counts::changed_files(git, location, &commits);
    let moves = branch_moves(before, after);
    let counted = counts::of_moves(git, location, &moves, &commits, &mut problems)?;
    let peeled = walk::peel(git, location, &tag_objects(before, after));

    let makers = refs::makers(git, location, before, after)?;
    let of_commits = makers_of(&commits, &makers);

    let mut writer = drafts::Writer::new(repository, now);
    for commit in &commits {
        let maker = of_commits.get(&commit.oid).copied();
        writer.made_by(maker.unwrap_or(Maker::Unknown));
        writer.commit(commit, files.get(&commit.oid).copied())?;
    }
    for (name, change) in changes_of(before, after, BRANCHES) {
        // The log of a branch that is gone went with it.
        writer.made_by(makers.of_log(name));
        writer.branch(name, change, counted.get(name))?;
    }
    for (name, change) in changes_of(before, after, TAGS) {
        writer.made_by(Maker::Unknown);
        writer.tag(name, change, &peeled)?;
    }
    if before.head != after.head {
        writer.made_by(makers.of_log(HEAD));
        writer.head(&before.head, &after.head)?;
    }
    Ok(Changes {
        found: writer.finish(),
        problems,
    })
}

/// Says who made each commit. One that no log names came in with one that a log does name, as those that
/// a pull brings: it has the maker of its child.
fn makers_of(commits: &[Commit], makers: &Makers) -> HashMap<Oid, Maker> {
    let mut found = HashMap::new();
    for commit in commits.iter().rev() {
        let own = makers.of_commit(commit.oid);
        let Some(maker) = own.or_else(|| found.get(&commit.oid).copied()) else {
            continue;
        };
        found.insert(commit.oid, maker);
        for parent in &commit.parents {
            found.entry(*parent).or_insert(maker);
        }
    }
    found
}

/// What happened to one ref.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Created(Oid),
    Moved { from: Oid, to: Oid },
    Deleted(Oid),
}

/// Lists what happened to the refs below `prefix`, by name.
fn changes_of<'a>(
    before: &'a RefsView,
    after: &'a RefsView,
    prefix: &'a str,
) -> impl Iterator<Item = (&'a str, Change)> {
    let deleted = before
        .refs
        .iter()
        .filter(|(name, _)| !after.refs.contains_key(*name))
        .map(|(name, from)| (name.as_str(), Change::Deleted(*from)));
    let others = after
        .refs
        .iter()
        .filter_map(|(name, to)| match before.refs.get(name) {
            None => Some((name.as_str(), Change::Created(*to))),
            Some(from) if from != to => Some((
                name.as_str(),
                Change::Moved {
                    from: *from,
                    to: *to,
                },
            )),
            Some(_) => None,
        });
    // Deletions first: a renamed branch goes away and comes back under its new name.
    deleted
        .chain(others)
        .filter(move |(name, _)| name.starts_with(prefix))
}

/// A branch that moved from one commit to another.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Move {
    name: String,
    from: Oid,
    to: Oid,
}

fn branch_moves(before: &RefsView, after: &RefsView) -> Vec<Move> {
    changes_of(before, after, BRANCHES)
        .filter_map(|(name, change)| match change {
            Change::Moved { from, to } => Some(Move {
                name: name.to_owned(),
                from,
                to,
            }),
            Change::Created(_) | Change::Deleted(_) => None,
        })
        .collect()
}

fn tag_objects(before: &RefsView, after: &RefsView) -> Vec<Oid> {
    changes_of(before, after, TAGS)
        .flat_map(|(_, change)| match change {
            Change::Created(oid) | Change::Deleted(oid) => [Some(oid), None],
            Change::Moved { from, to } => [Some(from), Some(to)],
        })
        .flatten()
        .collect()
}

/// Says which ref each tip belongs to; of several, the branch at HEAD, then branches, tags, HEADs.
fn labels(after: &RefsView) -> BTreeMap<Oid, String> {
    let mut labels = BTreeMap::new();
    let mut label = |oid: Oid, name: &str| {
        labels.entry(oid).or_insert_with(|| name.to_owned());
    };
    if let (Head::Ref(name), Some(oid)) = (&after.head, after.head_commit()) {
        label(oid, name);
    }
    // BTreeMap order puts refs/heads/ before refs/tags/.
    for (name, oid) in &after.refs {
        label(*oid, name);
    }
    if let Head::Detached(oid) = &after.head {
        label(*oid, HEAD);
    }
    for (name, oid) in &after.other_heads {
        label(*oid, &format!("{name}/HEAD"));
    }
    // Git writes the log before it moves the branch: the last entry may be ahead of it.
    for (name, oid) in after.log_tips() {
        label(oid, name);
    }
    labels
}

/// Takes records of `git log` apart, whatever they are.
#[cfg(any(test, feature = "fuzz"))]
pub(crate) fn fuzz(answer: &[u8]) {
    walk::fuzz(answer);
}
