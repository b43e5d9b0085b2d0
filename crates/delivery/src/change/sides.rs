//! What changed: the last commit, what is staged and what lies in the work tree, compared as trees.
//!
//! A file of which a part is staged keeps that part: who staged it by hand meant it. What stays out (environments, large
//! files, what the guard stops) is taken out here, so that nothing later has to think of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use tradewind_repo::checkout::Checkout;
use tradewind_repo::odb::{Kind, ObjectError, Objects};
use tradewind_repo::trees::{self, Side};
use tradewind_repo::{Oid, RepoError, generated};

use super::private::Private;
use super::{ChangeError, Left, MAX_PATHS, Request};
use crate::guard::{self, Blob, Contents, Kind as StopKind, Listed, Question, Stop};
use crate::hook::situation::{mode, to_path};
use crate::staged::{Change, Entry};

/// Mode of another repository that lies in this one.
pub(super) const SUBMODULE: u32 = 0o160_000;

/// By path: what it is in the last commit, and what it shall be after all groups.
pub(super) type Changes = BTreeMap<Box<[u8]>, (Option<Side>, Option<Side>)>;

/// What changed.
pub(super) struct Sides {
    /// The tree of the last commit.
    pub(super) base: Oid,
    pub(super) changes: Changes,
    /// Folders of the last commit, without a slash at the end; empty where nothing comes.
    pub(super) folders: BTreeSet<Box<[u8]>>,
    pub(super) left: Vec<Left>,
    pub(super) remarks: Vec<String>,
}

type Tree = BTreeMap<Box<[u8]>, Option<Side>>;

/// Looks at all three sides.
pub(super) fn look(
    request: &Request<'_>,
    checkout: &Checkout,
    private: &Private,
) -> Result<Sides, ChangeError> {
    let conflicts = private.run(&["ls-files", "-z", "-u"], Vec::new())?;
    let names: BTreeSet<&[u8]> = conflicts
        .split(|byte| *byte == 0)
        .filter_map(|record| record.splitn(2, |byte| *byte == b'\t').nth(1))
        .collect();
    if let Some(first) = names.first() {
        return Err(ChangeError::Conflicts {
            count: names.len(),
            first: text(first),
        });
    }
    let base = private.base(checkout)?;
    let staged = private.write_tree()?;
    let mut left = Lefts::default();
    let paths = candidates(request, checkout, private, &mut left)?;
    let mut stdin = Vec::new();
    for path in &paths {
        stdin.extend_from_slice(path);
        stdin.push(0);
    }
    if !paths.is_empty() {
        let args = [
            "update-index",
            "-z",
            "--add",
            "--remove",
            "--replace",
            "--stdin",
        ];
        private.run(&args, stdin)?;
    }
    let work = private.write_tree()?;
    let objects = private.objects()?;
    let staged = differences(&objects, base, staged)?;
    let work = differences(&objects, base, work)?;
    let mut sides = Sides {
        base,
        changes: choose(request, &objects, base, &staged, &work, &mut left)?,
        folders: BTreeSet::new(),
        left: Vec::new(),
        remarks: Vec::new(),
    };
    if sides.changes.len() > MAX_PATHS {
        return Err(ChangeError::TooMany {
            count: sides.changes.len(),
            most: MAX_PATHS,
        });
    }
    judge(request, &objects, &mut sides, &mut left)?;
    without_overlaps(&objects, &mut sides, &mut left)?;
    sides.left = left.finish();
    Ok(sides)
}

/// Says for each changed path which side counts.
fn choose(
    request: &Request<'_>,
    objects: &Objects,
    base: Oid,
    staged: &Tree,
    work: &Tree,
    left: &mut Lefts,
) -> Result<Changes, ChangeError> {
    let mut changes = BTreeMap::new();
    let all: BTreeSet<&Box<[u8]>> = staged.keys().chain(work.keys()).collect();
    for path in all {
        if !is_asked(request, path) {
            continue;
        }
        let before = trees::at(objects, base, path)?;
        let in_index = staged.get(path).copied().unwrap_or(before);
        let in_work = work.get(path).copied().unwrap_or(before);
        let is_half = in_index != before && in_index != in_work;
        let after = if is_half && !request.takes_whole {
            left.add(
                text(path),
                "only a part of it is staged; the part is planned, the rest stays in the file",
                format!(
                    "tradewind change plan --whole {}",
                    guard::shell(&text(path))
                ),
            );
            in_index
        } else {
            in_work
        };
        if after != before {
            changes.insert(path.clone(), (before, after));
        }
    }
    Ok(changes)
}

/// Lists the files of the work tree that git has to look at, without those that never belong into a commit.
fn candidates(
    request: &Request<'_>,
    checkout: &Checkout,
    private: &Private,
    left: &mut Lefts,
) -> Result<Vec<Box<[u8]>>, ChangeError> {
    let args = [
        "ls-files",
        "-z",
        "-t",
        "-m",
        "-d",
        "-o",
        "--exclude-standard",
    ];
    let listed = private.run(&args, Vec::new())?;
    let mut paths = BTreeSet::new();
    for record in listed.split(|byte| *byte == 0).filter(|r| r.len() > 2) {
        let (tag, path) = record.split_at(2);
        if !is_asked(request, path) {
            continue;
        }
        if tag == b"? " {
            let name = text(path);
            if path.ends_with(b"/") {
                left.add(
                    name,
                    "another repository lies there",
                    "add it as a submodule, or ignore it".to_owned(),
                );
                continue;
            }
            if let Some((maker, end)) = generated::root_of(&name)
                && !request.policy.allows(&name)
            {
                let root = name.get(..end).unwrap_or(&name).to_owned();
                let root = if end < name.len() {
                    format!("{root}/")
                } else {
                    root
                };
                let why = format!("{} belongs into no commit", maker.as_str());
                left.add(root.clone(), &why, ignore(&root));
                continue;
            }
            let meta = fs::symlink_metadata(checkout.location.top.join(to_path(path)));
            let size = meta.map_or(0, |meta| if meta.is_file() { meta.len() } else { 0 });
            if size >= request.policy.max_bytes(&name) && !request.policy.allows(&name) {
                let why = format!("it has {size} bytes, more than a commit should carry");
                left.add(name.clone(), &why, ignore(&name));
                continue;
            }
        }
        paths.insert(Box::from(path));
        if paths.len() > MAX_PATHS {
            let count = listed.split(|byte| *byte == 0).count();
            return Err(ChangeError::TooMany {
                count,
                most: MAX_PATHS,
            });
        }
    }
    Ok(paths.into_iter().collect())
}

fn is_asked(request: &Request<'_>, path: &[u8]) -> bool {
    request.paths.is_empty()
        || request.paths.iter().any(|asked| {
            let asked = asked.trim_end_matches('/').as_bytes();
            asked.is_empty()
                || path == asked
                || path
                    .strip_prefix(asked)
                    .is_some_and(|rest| rest.starts_with(b"/"))
        })
}

fn differences(objects: &Objects, base: Oid, tree: Oid) -> Result<Tree, ChangeError> {
    let mut found = Tree::new();
    trees::between(objects, Some(base), Some(tree), &mut |path, _, after| {
        found.insert(path.into(), after);
    })?;
    Ok(found)
}

/// Takes out what the guard stops, until it stops nothing any more: what goes may have been the reason for something else.
fn judge(
    request: &Request<'_>,
    objects: &Objects,
    sides: &mut Sides,
    left: &mut Lefts,
) -> Result<(), ChangeError> {
    for _ in 0..4 {
        let changes: Vec<Change> = sides
            .changes
            .iter()
            .map(|(path, (before, after))| Change {
                path: path.clone(),
                before: before.map(entry),
                after: after.map(entry),
            })
            .collect();
        let question = Question {
            changes: &changes,
            policy: request.policy,
            message: None,
        };
        let contents = Whole { objects, sides };
        let mut judgement = guard::judge(&question, &contents)?;
        judgement.except(|stop| (request.is_excepted)(stop));
        sides.remarks.clone_from(&judgement.not_checked);
        let before = sides.changes.len();
        for stop in &judgement.stops {
            take_out(sides, stop, left);
        }
        if sides.changes.len() == before {
            return Ok(());
        }
    }
    Ok(())
}

/// Takes out what would lie below a file that stays, or would be a file where a folder stays.
fn without_overlaps(
    objects: &Objects,
    sides: &mut Sides,
    left: &mut Lefts,
) -> Result<(), ChangeError> {
    if sides.changes.values().all(|(before, _)| before.is_some()) {
        return Ok(());
    }
    let mut before: BTreeSet<Box<[u8]>> = BTreeSet::new();
    trees::between(objects, None, Some(sides.base), &mut |path, _, _| {
        before.insert(path.into());
    })?;
    for path in &before {
        for above in above(path) {
            if !sides.folders.contains(above) {
                sides.folders.insert(above.into());
            }
        }
    }
    let goes = |path: &[u8]| {
        sides
            .changes
            .get(path)
            .is_some_and(|(_, after)| after.is_none())
    };
    let is_broken = |path: &[u8]| {
        let is_below_a_file = above(path).any(|above| {
            let comes = sides
                .changes
                .get(above)
                .is_some_and(|(_, after)| after.is_some());
            comes || (before.contains(above) && !goes(above))
        });
        let is_a_folder = sides.folders.contains(path) && {
            let start = [path, b"/"].concat().into_boxed_slice();
            let mut below = before.range(start.clone()..);
            below
                .by_ref()
                .take_while(|old| old.starts_with(&start))
                .any(|old| !goes(old))
        };
        is_below_a_file || is_a_folder
    };
    let broken: Vec<Box<[u8]>> = sides
        .changes
        .iter()
        .filter(|(path, (before, after))| before.is_none() && after.is_some() && is_broken(path))
        .map(|(path, _)| path.clone())
        .collect();
    for path in broken {
        let why = "something that stays out lies where it would be";
        left.add(text(&path), why, "see what else stays out".to_owned());
        sides.changes.remove(&path);
    }
    Ok(())
}

/// Returns the folders above a path.
fn above(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let slashes = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
    slashes.filter_map(|(at, _)| path.get(..at))
}

fn take_out(sides: &mut Sides, stop: &Stop, left: &mut Lefts) {
    let goes_only = stop.kind == StopKind::MassDeletion;
    let is_meant = |path: &[u8]| {
        let stopped = stop.path.trim_end_matches('/').as_bytes();
        stopped.is_empty()
            || stopped == b"."
            || path == stopped
            || path
                .strip_prefix(stopped)
                .is_some_and(|rest| rest.starts_with(b"/"))
    };
    let meant: Vec<Box<[u8]>> = sides
        .changes
        .iter()
        .filter(|(path, (_, after))| is_meant(path) && (!goes_only || after.is_none()))
        .map(|(path, _)| path.clone())
        .collect();
    if meant.is_empty() {
        return;
    }
    let what = stop.what.trim_end_matches('.');
    let next = stop
        .next
        .last()
        .map_or_else(String::new, |next| next.command.clone());
    let place = if stop.path.is_empty() {
        "."
    } else {
        &stop.path
    };
    left.many(
        place.to_owned(),
        meant.len(),
        &format!("the guard stops it: {what}"),
        next,
    );
    for path in meant {
        sides.changes.remove(&path);
    }
}

/// What stays out, each place once.
#[derive(Default)]
struct Lefts(BTreeMap<(String, String), (usize, String)>);

impl Lefts {
    fn add(&mut self, path: String, why: &str, next: String) {
        self.many(path, 1, why, next);
    }

    fn many(&mut self, path: String, paths: usize, why: &str, next: String) {
        let known = self.0.entry((path, why.to_owned())).or_insert((0, next));
        known.0 += paths;
    }

    fn finish(self) -> Vec<Left> {
        self.0
            .into_iter()
            .map(|((path, why), (paths, next))| Left {
                path,
                paths,
                why,
                next,
            })
            .collect()
    }
}

/// The tree after all groups, for the guard.
struct Whole<'s> {
    objects: &'s Objects,
    sides: &'s Sides,
}

impl Contents for Whole<'_> {
    fn tree(&self) -> Result<Vec<Listed>, RepoError> {
        let mut tree: BTreeMap<Box<[u8]>, Entry> = BTreeMap::new();
        trees::between(
            self.objects,
            None,
            Some(self.sides.base),
            &mut |path, _, after| {
                if let Some(after) = after {
                    tree.insert(path.into(), entry(after));
                }
            },
        )
        .map_err(|error| RepoError::Answer {
            command: "ls-tree",
            text: error.to_string(),
        })?;
        for (path, (_, after)) in &self.sides.changes {
            match after {
                Some(after) => tree.insert(path.clone(), entry(*after)),
                None => tree.remove(path),
            };
        }
        Ok(tree.into_iter().collect())
    }

    fn blobs(
        &self,
        ids: &[Oid],
        max_bytes: u64,
        each: &mut dyn FnMut(Blob<'_>),
    ) -> Result<(), RepoError> {
        for id in ids {
            match self.objects.read(*id, max_bytes) {
                Ok(Some(object)) if object.kind == Kind::Blob => each(Blob {
                    id: *id,
                    size: object.bytes.len() as u64,
                    bytes: Some(&object.bytes),
                }),
                Err(ObjectError::TooLong { size, .. }) => each(Blob {
                    id: *id,
                    size,
                    bytes: None,
                }),
                // What is not here is nothing that these changes add.
                Ok(_) | Err(_) => {}
            }
        }
        Ok(())
    }
}

fn entry((bits, id): Side) -> Entry {
    Entry {
        mode: mode(bits),
        id,
    }
}

fn ignore(path: &str) -> String {
    format!("printf '%s\\n' {} >> .gitignore", guard::shell(path))
}

pub(super) fn text(path: &[u8]) -> String {
    String::from_utf8_lossy(path).into_owned()
}
