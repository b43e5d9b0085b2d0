//! Whether what a page names is there, was there, or is made at run time.

use std::collections::HashMap;

use tradewind_repo::documents::Page;
use tradewind_repo::history::{Commit, Deed};

use crate::finding::Evidence;
use crate::rule::Context;

/// Places of one cause that are quoted.
const MAX_EVIDENCE: usize = 20;

/// Looks paths up.
pub(super) struct Existing<'a> {
    context: &'a Context<'a>,
    /// The last commit that deleted each path, by the last part of the path.
    deleted: HashMap<&'a str, Vec<(&'a str, &'a Commit)>>,
}

impl<'a> Existing<'a> {
    pub(super) fn new(context: &'a Context<'a>) -> Self {
        let mut deleted: HashMap<&str, Vec<(&str, &Commit)>> = HashMap::new();
        for commit in &context.history.commits {
            for change in &commit.changes {
                let gone = match change.deed {
                    Deed::Deleted => change.path,
                    Deed::Renamed { from } => from,
                    Deed::Added | Deed::Modified => continue,
                };
                let path = context.history.path(gone);
                if context.tree.get(path).is_none() {
                    let last = path.rsplit('/').next().unwrap_or_default();
                    deleted.entry(last).or_default().push((path, commit));
                }
            }
        }
        Self { context, deleted }
    }

    /// Says whether a path from the root is there, tracked or not, as a file or a folder.
    pub(super) fn is_at(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        path.is_empty()
            || path == "."
            || self.context.tree.get(path).is_some()
            || self.context.tree.below(path).next().is_some()
    }

    /// Says whether a path is there as seen from the root, the page or a folder.
    pub(super) fn is_there(&self, page: &Page, folder: &str, path: &str) -> bool {
        let own = page.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        ["", folder, own]
            .iter()
            .any(|base| join(base, path).is_none_or(|joined| self.is_at(&joined)))
    }

    /// Says whether any file or folder ends in this path.
    pub(super) fn is_somewhere(&self, path: &str) -> bool {
        let path = path.trim_start_matches("./").trim_end_matches('/');
        let (tail, inner) = (format!("/{path}"), format!("/{path}/"));
        let outer = format!("{path}/");
        self.context.tree.files().iter().any(|file| {
            file.path.as_ref() == path
                || file.path.ends_with(&tail)
                || file.path.contains(&inner)
                || file.path.starts_with(&outer)
        })
    }

    /// Says whether a path is made or expected at run time: ignored, or named by code.
    pub(super) fn is_made(&self, path: &str) -> bool {
        let path = path.trim_start_matches("./").trim_end_matches('/');
        let last = path.rsplit('/').next().unwrap_or_default();
        self.context.documents.is_ignored(path) || self.context.names.names_absent(last)
    }

    /// Returns the last commit that took a path (or one that ends in it) away.
    pub(super) fn deleted_in(&self, path: &str) -> Option<&'a Commit> {
        let path = path.trim_start_matches("./").trim_end_matches('/');
        let last = path.rsplit('/').next().unwrap_or_default();
        let tail = format!("/{path}");
        let candidates = self.deleted.get(last)?;
        let (_, commit) = candidates
            .iter()
            .find(|(gone, _)| *gone == path || gone.ends_with(&tail))?;
        Some(commit)
    }
}

/// Joins a path to a folder; `None` where it leads out of the repository.
pub(super) fn join(folder: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split(['/', '\\']) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Says which commit took something away, in words.
pub(super) fn gone_with(commit: &Commit) -> String {
    let id = commit.id.to_string();
    let subject: String = commit.subject().chars().take(60).collect();
    format!(
        "deleted in {} \"{subject}\"",
        id.get(..8).unwrap_or_default()
    )
}

/// Keeps the first places and says how many more there are.
pub(in crate::rules) fn capped(mut evidence: Vec<Evidence>) -> Vec<Evidence> {
    if evidence.len() > MAX_EVIDENCE {
        let more = evidence.len() - MAX_EVIDENCE;
        evidence.truncate(MAX_EVIDENCE);
        evidence.push(Evidence::repository(format!("and {more} more")));
    }
    evidence
}

/// Says whether a page tells its reader to make a file of that name.
pub(super) fn is_told_to_make(text: &str, path: &str) -> bool {
    let last = path
        .trim_end_matches('/')
        .rsplit('/')
        .next()
        .unwrap_or_default();
    let makes = [
        "create",
        "save",
        "copy",
        "rename",
        "add a",
        "write",
        "generate",
        "paste",
        "make a",
        "new file",
        "will be",
        "produce",
        "output",
        "export",
        "store",
        "your own",
        "e.g.",
        "for example",
        "would",
        "if you",
        "download",
        "optional",
    ];
    text.lines().filter(|line| line.contains(last)).any(|line| {
        // The name itself may hold such a word: `download_data.py`.
        let lower = line.replace(last, "").to_lowercase();
        makes.iter().any(|word| lower.contains(word))
    })
}
