//! Which untracked files git would not mention: `.gitignore` files, `info/exclude`, the user's own.
//!
//! The rules themselves are those of the crate `ignore`. Parsed files are kept from look to look and
//! read again when their stamp differs.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder, Glob, gitconfig_excludes_path};

use crate::location::Location;
use crate::stamp::Stamp;

/// Name of the file that lists what is ignored in a folder.
pub(super) const IGNORE_FILE: &str = ".gitignore";

type Parsed = (Option<Stamp>, Arc<Gitignore>);

/// Parsed ignore files, by path.
#[derive(Debug, Default)]
pub(super) struct Ignores {
    files: HashMap<PathBuf, Parsed>,
}

impl Ignores {
    /// Parses `file`, whose patterns hold below `root`, or takes what was parsed before.
    fn load(&mut self, previous: Option<&Self>, root: &Path, file: PathBuf) -> Arc<Gitignore> {
        let stamp = Stamp::of(&file).ok().flatten();
        let known = previous.and_then(|previous| previous.files.get(&file));
        let parsed = match known {
            Some((old, parsed)) if *old == stamp => Arc::clone(parsed),
            _ if stamp.is_none() => Arc::new(Gitignore::empty()),
            _ => Arc::new(parse(root, &file)),
        };
        self.files.insert(file, (stamp, Arc::clone(&parsed)));
        parsed
    }

    /// Says whether an untracked path below `top` is ignored by the files read so far. Folders above
    /// it are not looked at.
    pub(super) fn is_ignored(&self, location: &Location, path: &Path, is_dir: bool) -> bool {
        let above = path
            .ancestors()
            .skip(1)
            .take_while(|folder| folder.starts_with(&location.top));
        let own = above.map(|folder| folder.join(IGNORE_FILE));
        let files = own
            .chain([exclude_file(location)])
            .chain(gitconfig_excludes_path());
        for file in files {
            match self
                .files
                .get(&file)
                .map(|(_, parsed)| parsed.matched(path, is_dir))
            {
                None | Some(Match::None) => {}
                Some(Match::Ignore(_)) => return true,
                Some(Match::Whitelist(_)) => return false,
            }
        }
        false
    }

    /// Returns a number that changes when any ignore file does.
    pub(super) fn state(&self) -> u64 {
        let mut files: Vec<_> = self.files.iter().collect();
        files.sort_by_key(|(path, _)| *path);
        let mut hasher = DefaultHasher::new();
        for (path, (stamp, _)) in files {
            path.hash(&mut hasher);
            stamp
                .map(|stamp| (stamp.size, stamp.mtime_ns, stamp.ino))
                .hash(&mut hasher);
        }
        hasher.finish()
    }
}

/// The repository's own list, which is not part of its history.
fn exclude_file(location: &Location) -> PathBuf {
    location.common_dir.join("info").join("exclude")
}

fn parse(root: &Path, file: &Path) -> Gitignore {
    let mut builder = GitignoreBuilder::new(root);
    // What is wrong in a line concerns that line only; git skips it as well.
    if let Some(error) = builder.add(file) {
        tracing::debug!(%error, "ignore file has a line that is no pattern");
    }
    builder.build().unwrap_or_else(|_| Gitignore::empty())
}

/// The rules that hold in one folder: its own and those of all folders above.
pub(super) struct Rules<'a> {
    own: Option<Arc<Gitignore>>,
    above: Option<&'a Rules<'a>>,
}

impl<'a> Rules<'a> {
    /// Loads the rules that hold everywhere: the user's, then the repository's own list.
    pub(super) fn everywhere(
        ignores: &mut Ignores,
        previous: Option<&Ignores>,
        location: &Location,
    ) -> [Option<Arc<Gitignore>>; 2] {
        let user = gitconfig_excludes_path();
        let user = user.map(|file| ignores.load(previous, &location.top, file));
        [
            user,
            Some(ignores.load(previous, &location.top, exclude_file(location))),
        ]
    }

    pub(super) fn new(own: Option<Arc<Gitignore>>, above: Option<&'a Self>) -> Self {
        Self {
            own: own.filter(|own| !own.is_empty()),
            above,
        }
    }

    /// Adds the rules of a folder that holds an ignore file.
    pub(super) fn of_folder(
        &'a self,
        ignores: &mut Ignores,
        previous: Option<&Ignores>,
        folder: &Path,
    ) -> Self {
        Self::new(
            Some(ignores.load(previous, folder, folder.join(IGNORE_FILE))),
            Some(self),
        )
    }

    /// Returns the pattern that hides an untracked path. Folders above it are not looked at.
    pub(super) fn pattern(&self, path: &Path, is_dir: bool) -> Option<&Glob> {
        let mut rules = Some(self);
        while let Some(here) = rules {
            if let Some(own) = &here.own {
                match own.matched(path, is_dir) {
                    Match::None => {}
                    Match::Ignore(glob) => return Some(glob),
                    Match::Whitelist(_) => return None,
                }
            }
            rules = here.above;
        }
        None
    }
}
