//! Tags, and the first one that contains each commit.
//!
//! Tags are taken in the order of their commits' times; each paints what it reaches and no earlier tag
//! painted. What is painted already has painted ancestors, so every commit is visited once.

use std::collections::HashMap;
use std::ops::ControlFlow;

use jiff::Timestamp;
use tradewind_host::git::Git;

use super::{History, Tag, log};
use crate::error::RepoError;
use crate::location::Location;
use crate::oid::Oid;

/// Tags that are read.
const MAX_TAGS: usize = 100_000;
/// Commits outside the history of HEAD that are walked for tags on other branches.
const MAX_SIDE_COMMITS: usize = 500_000;
const FORMAT: &str = "--format=%(objectname) %(objecttype) %(creatordate:raw)%00%(refname:strip=2)";

/// Reads the tags and marks commits with the first that contains them.
pub(super) fn read(git: &Git, location: &Location, history: &mut History) -> Result<(), RepoError> {
    let Some(found) = list(git, location, history)? else {
        return Ok(());
    };
    let tags = peel(git, location, found, history)?;
    if tags.is_empty() {
        return Ok(());
    }
    let mut graph = Graph::of(history);
    graph.add_sides(git, location, &tags, history);
    let mut tags: Vec<(Timestamp, Tag)> = tags
        .into_iter()
        .map(|tag| (graph.time(tag.commit).unwrap_or(tag.at), tag))
        .collect();
    tags.sort_by(|(a_time, a), (b_time, b)| (a_time, a.at, &a.name).cmp(&(b_time, b.at, &b.name)));
    history.tags = tags.into_iter().map(|(_, tag)| tag).collect();
    let painted = graph.paint(&history.tags);
    for (commit, tag) in history.commits.iter_mut().zip(painted) {
        commit.first_tag = tag;
    }
    Ok(())
}

/// A tag before it is known where it leads.
struct Found {
    object: Oid,
    name: Box<str>,
    at: Timestamp,
    is_annotated: bool,
}

fn list(
    git: &Git,
    location: &Location,
    history: &mut History,
) -> Result<Option<Vec<Found>>, RepoError> {
    let count = format!("--count={MAX_TAGS}");
    let args = ["for-each-ref", FORMAT, count.as_str(), "refs/tags"];
    match git.run_blocking(&location.git_dir, &args) {
        Ok(answer) => Ok(Some(
            answer
                .split(|byte| *byte == b'\n')
                .filter_map(found)
                .collect(),
        )),
        Err(error) if error.exit_code().is_some() => {
            history.unread("tags", error.to_string());
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// Takes lines of `git for-each-ref` apart.
#[cfg(any(test, feature = "fuzz"))]
pub(super) fn fuzz(answer: &[u8]) {
    for line in answer.split(|byte| *byte == b'\n') {
        let _ = found(line).map(|tag| (tag.object, tag.name.len(), tag.at, tag.is_annotated));
    }
}

fn found(line: &[u8]) -> Option<Found> {
    let zero = line.iter().position(|byte| *byte == 0)?;
    let (facts, name) = line.split_at(zero);
    let mut facts = facts.splitn(3, |byte| *byte == b' ');
    let object = Oid::from_hex(facts.next()?).ok()?;
    let is_annotated = facts.next()? == b"tag";
    let at = log::date(facts.next().unwrap_or_default()).0;
    Some(Found {
        object,
        name: String::from_utf8_lossy(name.get(1..)?).into(),
        at,
        is_annotated,
    })
}

/// Follows tags of tags to commits; those of trees and blobs are told as unread.
fn peel(
    git: &Git,
    location: &Location,
    found: Vec<Found>,
    history: &mut History,
) -> Result<Vec<Tag>, RepoError> {
    let mut asked = Vec::new();
    for tag in &found {
        asked.extend_from_slice(format!("{}^{{commit}}\n", tag.object).as_bytes());
    }
    let mut commits: Vec<Option<Oid>> = Vec::with_capacity(found.len());
    let args = ["cat-file", "--batch-check=%(objectname)"];
    git.records(&location.git_dir, &args, asked, b'\n', |line| {
        commits.push(Oid::from_hex(line).ok());
        ControlFlow::Continue(())
    })?;
    let mut tags = Vec::new();
    let mut elsewhere = 0;
    for (tag, commit) in found.into_iter().zip(commits) {
        match commit {
            Some(commit) => tags.push(Tag {
                name: tag.name,
                commit,
                at: tag.at,
                is_annotated: tag.is_annotated,
            }),
            None => elsewhere += 1,
        }
    }
    if elsewhere > 0 {
        history.unread(
            "tags",
            format!("{elsewhere} lead to no commit of this clone"),
        );
    }
    Ok(tags)
}

/// Parents by place: first the commits of the history in their order, then those of other branches.
struct Graph {
    places: HashMap<Oid, u32>,
    parents: Vec<Vec<u32>>,
    times: Vec<Timestamp>,
}

impl Graph {
    fn of(history: &History) -> Self {
        let places = history.places();
        let parents = history.commits.iter().map(|commit| {
            let places = commit.parents.iter().filter_map(|id| places.get(id));
            places.copied().collect()
        });
        Self {
            parents: parents.collect(),
            times: history
                .commits
                .iter()
                .map(|commit| commit.committed_at)
                .collect(),
            places,
        }
    }

    fn time(&self, commit: Oid) -> Option<Timestamp> {
        let at = *self.places.get(&commit)?;
        self.times.get(at as usize).copied()
    }

    /// Adds the commits that tags on other branches stand on, down to the history of HEAD.
    fn add_sides(&mut self, git: &Git, location: &Location, tags: &[Tag], history: &mut History) {
        let mut asked = String::new();
        for tag in tags
            .iter()
            .filter(|tag| !self.places.contains_key(&tag.commit))
        {
            asked.push_str(&format!("{}\n", tag.commit));
        }
        let Some(head) = history.commits.first().map(|commit| commit.id) else {
            return;
        };
        if asked.is_empty() {
            return;
        }
        asked.push_str(&format!("^{head}\n"));
        let limit = format!("--max-count={MAX_SIDE_COMMITS}");
        let args = [
            "rev-list",
            "--parents",
            "--timestamp",
            limit.as_str(),
            "--stdin",
        ];
        let mut sides: Vec<(u32, Vec<Oid>)> = Vec::new();
        let read = git.records(
            &location.git_dir,
            &args,
            asked.into_bytes(),
            b'\n',
            |line| {
                let mut words = line.split(|byte| *byte == b' ');
                let at = log::date(words.next().unwrap_or_default()).0;
                let mut ids = words.filter_map(|word| Oid::from_hex(word).ok());
                if let Some(id) = ids.next() {
                    let place = self.place(id, at);
                    sides.push((place, ids.collect()));
                }
                ControlFlow::Continue(())
            },
        );
        if let Err(error) = read {
            history.unread("tags on other branches", error.to_string());
        }
        for (place, ids) in sides {
            let parents = ids.iter().filter_map(|id| self.places.get(id)).copied();
            let parents: Vec<u32> = parents.collect();
            if let Some(slot) = self.parents.get_mut(place as usize) {
                *slot = parents;
            }
        }
    }

    fn place(&mut self, id: Oid, at: Timestamp) -> u32 {
        let next = u32::try_from(self.parents.len()).unwrap_or(u32::MAX);
        let place = *self.places.entry(id).or_insert(next);
        if place == next {
            self.parents.push(Vec::new());
            self.times.push(at);
        }
        place
    }

    /// Returns for each place the first of `tags` that reaches it.
    fn paint(&self, tags: &[Tag]) -> Vec<Option<u32>> {
        let mut painted = vec![None; self.parents.len()];
        let mut next = Vec::new();
        for (number, tag) in (0_u32..).zip(tags) {
            next.extend(self.places.get(&tag.commit).copied());
            while let Some(at) = next.pop() {
                let Some(slot @ None) = painted.get_mut(at as usize) else {
                    continue;
                };
                *slot = Some(number);
                next.extend(self.parents.get(at as usize).into_iter().flatten());
            }
        }
        painted
    }
}
