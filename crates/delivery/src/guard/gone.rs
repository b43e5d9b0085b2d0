//! What goes: files that are deleted, moved elsewhere or emptied.

use std::collections::{HashMap, HashSet};

use tradewind_repo::Oid;

use crate::staged::{Change, Entry, Mode};

use super::added::Look;
use super::{Judgement, Kind, Next, Question, Stop, shell, text};

/// How a file goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Going<'q> {
    /// It is not there any more.
    Deleted,
    /// It is not there any more, and its content is at another path that is new.
    Moved(&'q [u8]),
    /// It is there and holds nothing any more.
    Emptied,
}

/// One file that goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gone<'q> {
    pub(super) path: &'q [u8],
    pub(super) before: Entry,
    pub(super) going: Going<'q>,
}

/// Finds what goes, by path. A file that becomes a link or a submodule goes as well.
pub(super) fn of<'q>(question: &Question<'q>, look: &Look) -> Vec<Gone<'q>> {
    let is_file = |entry: &Entry| matches!(entry.mode, Mode::Regular | Mode::Executable);
    let goes = |change: &Change| {
        change.before.as_ref().is_some_and(is_file) && !change.after.as_ref().is_some_and(is_file)
    };
    let mut gone: Vec<Gone<'q>> = Vec::new();
    let mut new: HashMap<Oid, &'q [u8]> = HashMap::new();
    if question.changes.iter().any(goes) {
        for change in question.changes {
            if let (None, Some(after)) = (&change.before, &change.after) {
                new.entry(after.id).or_insert(&change.path);
            }
        }
    }
    for change in question.changes {
        let Some(before) = change.before.filter(is_file) else {
            continue;
        };
        let going = match &change.after {
            _ if goes(change) => new
                .get(&before.id)
                .filter(|_| !look.is_empty(&before.id))
                .map_or(Going::Deleted, |to| Going::Moved(to)),
            Some(after) if look.is_empty(&after.id) && !look.is_empty(&before.id) => Going::Emptied,
            _ => continue,
        };
        gone.push(Gone {
            path: &change.path,
            before,
            going,
        });
    }
    gone.sort_by_key(|gone| gone.path);
    let mut seen = HashSet::new();
    gone.retain(|gone| seen.insert(gone.path));
    gone
}

/// Stops what the user protects.
pub(super) fn protected(question: &Question<'_>, gone: &[Gone<'_>], judgement: &mut Judgement) {
    for each in gone {
        let path = text(each.path);
        if question.policy.protects(&path) {
            judgement.tell(Stop {
                kind: Kind::ProtectedPath,
                what: format!("{path} is protected and {}.", goes(each.going)),
                evidence: Vec::new(),
                more: 0,
                next: vec![restore(&path), allow(&path)],
                path: path.into_owned(),
            });
        }
    }
}

/// Says how a file goes, as the end of a sentence.
pub(super) fn goes(going: Going<'_>) -> String {
    match going {
        Going::Deleted => "is deleted".to_owned(),
        Going::Moved(to) => format!("moves to {}", text(to)),
        Going::Emptied => "is emptied".to_owned(),
    }
}

/// The command that brings a path back.
pub(super) fn restore(path: &str) -> Next {
    Next {
        does: "bring it back".to_owned(),
        command: format!("git restore --staged --worktree -- {}", shell(path)),
    }
}

/// The command that lets it pass once.
pub(super) fn allow(path: &str) -> Next {
    Next {
        does: "or go on, with a reason".to_owned(),
        command: format!("tradewind guard allow {} --reason \"…\"", shell(path)),
    }
}
