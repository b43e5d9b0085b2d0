//! Which paths a watcher need not look at.

use std::path::Path;
use std::sync::Arc;

use tradewind_host::watch::IsIgnored;

use super::TreeView;
use crate::location::Location;

/// Parts of a git directory that say nothing about refs, HEAD or the index.
const QUIET_IN_GIT: &[&str] = &[
    "objects",
    "hooks",
    "info",
    "modules",
    "lfs",
    "rr-cache",
    "branches",
    "description",
    "gc.pid",
];
/// Deeper ones, by their parent.
const QUIET_BELOW: &[(&str, &str)] = &[
    ("logs", "refs"),
    ("refs", "remotes"),
    ("refs", "stash"),
    ("refs", "notes"),
    ("refs", "pull"),
];

/// Makes the filter for watching a repository: objects and the like in the git directory, and what
/// is ignored in the work tree, unless git tracks something in it.
///
/// It holds as long as [`TreeView::ignore_state`] does.
pub fn watch_filter(location: &Location, view: &TreeView) -> IsIgnored {
    let location = location.clone();
    let (tracked, ignores) = (Arc::clone(&view.tracked), Arc::clone(&view.ignores));
    Arc::new(move |path: &Path, is_dir: bool| {
        for dir in [&location.git_dir, &location.common_dir] {
            if let Ok(inside) = path.strip_prefix(dir) {
                return is_quiet(inside, is_dir);
            }
        }
        let Ok(inside) = path.strip_prefix(&location.top) else {
            return false;
        };
        if inside.as_os_str().is_empty() {
            return false;
        }
        // The git directory of a repository within this one.
        if path.file_name().is_some_and(|name| name == ".git") {
            return true;
        }
        let mut name = inside.as_os_str().as_encoded_bytes().to_vec();
        if cfg!(windows) {
            name.iter_mut()
                .filter(|byte| **byte == b'\\')
                .for_each(|byte| *byte = b'/');
        }
        if is_dir {
            name.push(b'/');
        }
        !tracked.holds(&name) && ignores.is_ignored(&location, path, is_dir)
    })
}

fn is_quiet(inside: &Path, is_dir: bool) -> bool {
    let mut parts = inside.iter().filter_map(|part| part.to_str());
    let (first, second) = (parts.next(), parts.next());
    let is_lock = !is_dir
        && inside
            .extension()
            .is_some_and(|extension| extension == "lock");
    is_lock
        || first.is_some_and(|first| QUIET_IN_GIT.contains(&first))
        || first
            .zip(second)
            .is_some_and(|pair| QUIET_BELOW.contains(&pair))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refs_and_heads_are_looked_at_and_objects_are_not() {
        for path in [
            "HEAD",
            "index",
            "refs",
            "refs/heads/a",
            "logs/HEAD",
            "worktrees/x/HEAD",
        ] {
            assert!(!is_quiet(Path::new(path), false), "{path}");
        }
        for path in [
            "objects",
            "objects/ab",
            "logs/refs",
            "refs/remotes/origin/a",
            "HEAD.lock",
        ] {
            assert!(is_quiet(Path::new(path), false), "{path}");
        }
    }
}
