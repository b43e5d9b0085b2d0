//! Which paths the ignore files of a tree would hide, there or not.
//!
//! A page may well name what a clone does not have: the file that a run writes is ignored.

use ignore::gitignore::{Gitignore, GitignoreBuilder};

use crate::tree::Tree;

/// Lines read of all ignore files.
const MAX_LINES: usize = 5_000;

/// The ignore files of a tree, each with its folder.
#[derive(Debug, Default)]
pub(super) struct Ignored {
    files: Vec<(Box<str>, Gitignore)>,
}

impl Ignored {
    pub(super) fn read(tree: &Tree) -> Self {
        let mut files = Vec::new();
        let mut left = MAX_LINES;
        for file in tree.files() {
            let (folder, name) = file.path.rsplit_once('/').unwrap_or(("", &file.path));
            if name != ".gitignore" {
                continue;
            }
            let Some(text) = tree.text(&file.path) else {
                continue;
            };
            let mut builder = GitignoreBuilder::new("");
            for line in text.lines().filter(|line| line.len() < 400).take(left) {
                left = left.saturating_sub(1);
                // A pattern that cannot be read ignores nothing.
                if builder.add_line(None, line).is_err() {}
            }
            if let Ok(built) = builder.build() {
                files.push((folder.into(), built));
            }
        }
        Self { files }
    }

    /// Says whether a path, or a folder above it, is ignored.
    pub(super) fn holds(&self, path: &str) -> bool {
        self.files.iter().any(|(folder, file)| {
            let inner = if folder.is_empty() {
                Some(path)
            } else {
                path.strip_prefix(folder.as_ref())
                    .and_then(|rest| rest.strip_prefix('/'))
            };
            inner.is_some_and(|inner| {
                let ends = inner.match_indices('/').map(|(at, _)| at);
                let above = ends.filter_map(|at| inner.get(..at));
                let is_above = above
                    .filter(|part| !part.is_empty())
                    .any(|part| file.matched(part, true).is_ignore());
                is_above
                    || file.matched(inner, false).is_ignore()
                    || file.matched(inner, true).is_ignore()
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_below_an_ignored_folder_is_ignored() {
        let tree = Tree::of([(".gitignore", "logs/\n*.db\n"), ("a/.gitignore", "out\n")]);
        let ignored = Ignored::read(&tree);
        assert!(ignored.holds("logs/x.txt"));
        assert!(ignored.holds("data/t.db"));
        assert!(ignored.holds("a/out"));
        assert!(!ignored.holds("out"));
    }
}
