//! Which commit took a file away.
//!
//! Not here: whether that was right.

use tradewind_repo::history::{Deed, History};

use crate::finding::Evidence;

/// Returns the last commit that deleted a path, or files below it, as evidence.
pub fn deletion(history: &History, path: &str) -> Option<Evidence> {
    let path = path.trim_end_matches('/');
    if path.is_empty() {
        return None;
    }
    history.commits.iter().find_map(|commit| {
        let is_gone = |changed: &str| {
            changed
                .strip_prefix(path)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let change = commit
            .changes
            .iter()
            .find(|change| change.deed == Deed::Deleted && is_gone(history.path(change.path)))?;
        let subject: String = commit.subject().chars().take(80).collect();
        let gone = history.path(change.path);
        Some(Evidence::commit(
            commit.id,
            format!("\"{subject}\" deleted {gone}"),
        ))
    })
}
