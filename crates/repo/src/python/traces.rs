//! Why a module is not there: what hides it, where it went, what took it away.
//!
//! Facts only, best first. Whether they make a finding is the audit's to say.

use std::collections::HashMap;
use std::sync::Arc;

use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::roots::split;
use crate::history::{Deed, History};
use crate::oid::Oid;
use crate::tree::{FileState, IgnorePattern, Tree};

/// Most lines of an ignore file that are looked at.
const MAX_PATTERNS: usize = 1_000;

/// One fact that tells why a file is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trace {
    /// A pattern keeps it out of git.
    Ignored {
        /// The file or the folder around it.
        path: Box<str>,
        /// The pattern.
        pattern: Arc<IgnorePattern>,
        /// Whether it was seen on disk; otherwise the pattern would hide it if it were there.
        is_on_disk: bool,
    },
    /// It lies on disk and was never added.
    Untracked {
        /// The file.
        path: Box<str>,
    },
    /// A file of that name with other capitals is there.
    OtherCase {
        /// The file.
        path: Box<str>,
    },
    /// A commit renamed it.
    Renamed {
        /// The commit.
        commit: Oid,
        /// Its old path.
        from: Box<str>,
        /// Its new path.
        to: Box<str>,
    },
    /// A commit deleted it.
    Deleted {
        /// The commit.
        commit: Oid,
        /// Its path.
        path: Box<str>,
        /// First line of the commit's message.
        subject: Box<str>,
    },
    /// A file of the same name lies elsewhere.
    Elsewhere {
        /// The file.
        path: Box<str>,
    },
}

/// Answers why files are not there; made once for a repository.
#[derive(Debug)]
pub struct Traces<'a> {
    tree: &'a Tree,
    /// What a commit did last to a path that is gone.
    events: HashMap<&'a str, Trace>,
    /// Python files by the name of their module.
    named: HashMap<&'a str, Vec<&'a str>>,
    /// Python files by their path in small letters.
    small: HashMap<String, &'a str>,
    /// Lines of the root's ignore file.
    patterns: Vec<(Gitignore, Arc<IgnorePattern>)>,
    /// All of them that hide something, as one: most paths fit none.
    any_pattern: Option<Gitignore>,
}

impl<'a> Traces<'a> {
    /// Reads history, tree and the root's ignore file once.
    pub fn new(tree: &'a Tree, history: &'a History) -> Self {
        let mut events = HashMap::new();
        // Newest first: the last thing that happened to a path counts.
        for commit in &history.commits {
            for change in &commit.changes {
                let path = history.path(change.path);
                match change.deed {
                    Deed::Deleted if is_python(path) => {
                        events.entry(path).or_insert_with(|| Trace::Deleted {
                            commit: commit.id,
                            path: path.into(),
                            subject: commit.subject().into(),
                        });
                    }
                    Deed::Renamed { from } if is_python(history.path(from)) => {
                        let from = history.path(from);
                        events.entry(from).or_insert_with(|| Trace::Renamed {
                            commit: commit.id,
                            from: from.into(),
                            to: path.into(),
                        });
                    }
                    _ => {}
                }
            }
        }
        let mut named: HashMap<&str, Vec<&str>> = HashMap::new();
        let mut small = HashMap::new();
        for file in tree.tracked().filter(|file| is_python(&file.path)) {
            named
                .entry(module_name(&file.path))
                .or_default()
                .push(&file.path);
            small.insert(file.path.to_ascii_lowercase(), file.path.as_ref());
        }
        Self {
            tree,
            events,
            named,
            small,
            patterns: patterns(tree),
            any_pattern: any_pattern(tree),
        }
    }

    /// Says what became of the files at `expected`, where one of them would have to be; best first.
    pub fn of(&self, expected: &[Box<str>]) -> Vec<Trace> {
        let mut found = Vec::new();
        for path in expected {
            on_disk(path, self.tree, &mut found);
        }
        found.extend(
            expected
                .iter()
                .filter_map(|path| self.events.get(path.as_ref()).cloned()),
        );
        for path in expected {
            if let Some(other) = self.small.get(&path.to_ascii_lowercase())
                && *other != path.as_ref()
            {
                found.push(Trace::OtherCase {
                    path: (*other).into(),
                });
            }
        }
        if found.is_empty() {
            // One that git never saw, in a folder that an ignore file names.
            for path in expected.iter().filter(|path| path.contains('/')).take(4) {
                found.extend(self.by_pattern(path));
            }
        }
        let elsewhere = expected
            .first()
            .and_then(|first| self.named.get(module_name(first)));
        for path in elsewhere.into_iter().flatten().take(3) {
            if !expected.iter().any(|expected| expected.as_ref() == *path) {
                found.push(Trace::Elsewhere {
                    path: (*path).into(),
                });
            }
        }
        found.dedup();
        found.truncate(8);
        found
    }

    /// What an ignore file of the repository would do to a file that is not there.
    fn by_pattern(&self, path: &str) -> Option<Trace> {
        let any = self.any_pattern.as_ref();
        if any.is_some_and(|any| any.matched_path_or_any_parents(path, false).is_none()) {
            return None;
        }
        self.patterns
            .iter()
            .find(|(matcher, _)| matcher.matched_path_or_any_parents(path, false).is_ignore())
            .map(|(_, pattern)| Trace::Ignored {
                path: split(path).0.into(),
                pattern: Arc::clone(pattern),
                is_on_disk: false,
            })
    }
}

/// Reads the root's ignore file, line by line.
fn patterns(tree: &Tree) -> Vec<(Gitignore, Arc<IgnorePattern>)> {
    let text = tree.text(".gitignore").unwrap_or_default();
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate().take(MAX_PATTERNS) {
        let mut builder = GitignoreBuilder::new("");
        if line.trim().is_empty() || line.starts_with('#') || builder.add_line(None, line).is_err()
        {
            continue;
        }
        if let Ok(matcher) = builder.build() {
            let pattern = IgnorePattern {
                file: Some(".gitignore".to_owned()),
                line: u32::try_from(number + 1).unwrap_or(u32::MAX),
                pattern: line.trim().to_owned(),
            };
            found.push((matcher, Arc::new(pattern)));
        }
    }
    found
}

/// Reads the lines of the root's ignore file that hide something as one.
fn any_pattern(tree: &Tree) -> Option<Gitignore> {
    let text = tree.text(".gitignore").unwrap_or_default();
    let mut builder = GitignoreBuilder::new("");
    let lines = text.lines().take(MAX_PATTERNS);
    for line in lines.filter(|line| !line.starts_with('!')) {
        // A line with a mistake hides nothing by itself either.
        builder.add_line(None, line).ok();
    }
    builder.build().ok()
}

fn is_python(path: &str) -> bool {
    path.strip_suffix(".py").is_some()
}

/// The last part of the dotted name of a file's module.
fn module_name(path: &str) -> &str {
    let path = path.strip_suffix("/__init__.py").unwrap_or(path);
    let name = split(path).1;
    name.strip_suffix(".py").unwrap_or(name)
}

fn on_disk(path: &str, tree: &Tree, found: &mut Vec<Trace>) {
    let mut hidden = None;
    let mut at = path;
    while !at.is_empty() {
        for written in [at.to_owned(), format!("{at}/")] {
            match tree.get(&written).map(|file| &file.state) {
                // The outermost folder that is hidden as a whole is what was meant to be hidden.
                Some(FileState::Ignored(pattern)) => {
                    hidden = Some(Trace::Ignored {
                        path: at.into(),
                        pattern: Arc::clone(pattern),
                        is_on_disk: at == path || !tree.has_folder(at),
                    });
                }
                Some(FileState::Untracked) if hidden.is_none() => {
                    found.push(Trace::Untracked { path: at.into() });
                    return;
                }
                _ => {}
            }
        }
        if hidden.is_none() && has_hidden_below(at, tree, &mut hidden) {
            break;
        }
        at = split(at).0;
    }
    if let Some(hidden) = hidden
        && !found.contains(&hidden)
    {
        found.push(hidden);
    }
}

/// A folder whose files are all hidden, one by one, is hidden itself.
fn has_hidden_below(at: &str, tree: &Tree, hidden: &mut Option<Trace>) -> bool {
    if at.rsplit('/').next().is_none_or(|name| name.contains('.')) || tree.has_folder(at) {
        return false;
    }
    let first = tree.below(at).find_map(|file| match &file.state {
        FileState::Ignored(pattern) => Some(Arc::clone(pattern)),
        _ => None,
    });
    let Some(pattern) = first else { return false };
    *hidden = Some(Trace::Ignored {
        path: at.into(),
        pattern,
        is_on_disk: true,
    });
    false
}
