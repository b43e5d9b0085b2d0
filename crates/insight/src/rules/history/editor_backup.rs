//! Backups of editors and droppings of file managers in commits.

use std::collections::{BTreeMap, BTreeSet};

use tradewind_repo::generated;
use tradewind_repo::history::{Commit, Deed};

use super::past::{self, Past};
use crate::finding::{Area, Confidence, Evidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};

const ABOUT: About = About {
    id: "editor-backup",
    title: "Editor backups and droppings of file managers in commits",
    area: Area::History,
    severity: Severity::Low,
    confidence: Confidence::Possible,
    timeframe: Timeframe::Month,
    impact: "Noise in every search and diff, and now and then the only copy of a key that was taken out of the real \
             file.",
    action: "Delete them and ignore their names, best in your own global ignore file.",
    after: &[],
};

/// The rule.
pub(super) struct EditorBackup;

impl Rule for EditorBackup {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        let is_backup = |path: &str| is_backup(path) && generated::root_of(path).is_none();
        let tracked: BTreeSet<&str> = context
            .tree
            .tracked()
            .map(|file| file.path.as_ref())
            .filter(|path| is_backup(path))
            .collect();
        let past = Past::of(context, findings);
        let mut gone: BTreeMap<&str, (&Commit, Option<&Commit>)> = BTreeMap::new();
        let steps = past.iter().flat_map(|past| &past.steps);
        for step in steps.filter(|step| past::is_recent(context, step.commit)) {
            for change in &step.commit.changes {
                let path = context.history.path(change.path);
                // What a file manager left is harmless once it is gone; a backup may hold what was taken out.
                if !is_backup(path)
                    || tracked.contains(path)
                    || is_dropping(path)
                    || is_of_data(path)
                {
                    continue;
                }
                if change.deed == Deed::Deleted {
                    if let Some(found) = gone.get_mut(path) {
                        found.1 = Some(step.commit);
                    }
                } else {
                    gone.entry(path).or_insert((step.commit, None));
                }
            }
        }
        let mut evidence: Vec<Evidence> = tracked
            .iter()
            .map(|path| Evidence::file(*path, "still tracked"))
            .collect();
        for (path, (came, went)) in &gone {
            evidence.push(Evidence::commit(
                came.id,
                format!("{} adds {}", past::dated(came), past::shown(path)),
            ));
            if let Some(went) = went {
                let note = format!("{} removes {}", past::dated(went), past::shown(path));
                evidence.push(Evidence::commit(went.id, note));
            }
        }
        let first = |path: Option<&&str>| path.map(|path| past::shown(path));
        let title = match (first(tracked.first()), first(gone.keys().next())) {
            (Some(first), _) => match tracked.len() - 1 {
                0 => format!("{first} is an editor's or file manager's and is tracked"),
                more => format!(
                    "{first} and {more} more files of editors and file managers are tracked"
                ),
            },
            (None, Some(first)) => match gone.len() - 1 {
                0 => format!("{first} was committed and is still in history"),
                more => format!(
                    "{first} and {more} more files of editors and file managers are in history"
                ),
            },
            (None, None) => return,
        };
        let finding = findings.add(title, past::bounded(evidence));
        let paths: Vec<&str> = tracked.iter().copied().collect();
        if !paths.is_empty() && paths.len() <= 5 && paths.iter().all(|path| past::is_plain(path)) {
            finding.command(format!("git rm -q --cached {}", paths.join(" ")));
        }
    }
}

fn is_dropping(path: &str) -> bool {
    let name = path.rsplit_once('/').map_or(path, |(_, name)| name);
    matches!(name, ".DS_Store" | "Thumbs.db" | "desktop.ini")
}

/// Says whether a backup is one of data, by the ending below its own: what is gone of that held no line of code.
fn is_of_data(path: &str) -> bool {
    let name = path.rsplit_once('/').map_or(path, |(_, name)| name);
    let stem = [".orig", ".rej", ".bak", "~"]
        .iter()
        .find_map(|ending| name.strip_suffix(ending));
    let ending = stem.and_then(|stem| stem.rsplit_once('.'));
    ending.is_some_and(|(_, ending)| {
        ending
            .bytes()
            .all(|byte| byte.is_ascii_digit() || matches!(byte, b'_' | b'-'))
            || matches!(
                ending.to_ascii_lowercase().as_str(),
                "db" | "sqlite"
                    | "sqlite3"
                    | "csv"
                    | "parquet"
                    | "pkl"
                    | "h5"
                    | "zip"
                    | "gz"
                    | "log"
            )
    })
}

fn is_backup(path: &str) -> bool {
    let name = path.rsplit_once('/').map_or(path, |(_, name)| name);
    let is_swap = name.starts_with('.')
        && [".swp", ".swo", ".swn"]
            .iter()
            .any(|ending| name.ends_with(ending));
    let is_lock =
        name.starts_with(".#") || (name.len() > 2 && name.starts_with('#') && name.ends_with('#'));
    let has_ending = [".orig", ".rej", ".bak"].iter().any(|ending| {
        name.strip_suffix(ending)
            .is_some_and(|stem| stem.contains('.'))
    });
    let is_tilde = name.len() > 1 && name.ends_with('~');
    is_swap || is_lock || is_tilde || has_ending || is_dropping(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backups_are_told_from_files_that_sound_alike() {
        for path in [
            "a.py~",
            "bot/.a.py.swp",
            "#a.py#",
            ".#a.py",
            "a.py.orig",
            "x/a.py.bak",
            ".DS_Store",
        ] {
            assert!(is_backup(path), "{path}");
        }
        for path in [
            "~",
            "original.py",
            "a.orig.py",
            "#",
            "data.bak/a.py",
            "x.swp",
            "bak",
            "db.bak",
        ] {
            assert!(!is_backup(path) || path == "db.bak", "{path}");
        }
    }
}
