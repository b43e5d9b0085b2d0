//! Where programs are found: those of the project's own environment first.
//!
//! Not here: running them.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// Folders of a work tree that hold programs.
const FOLDERS: &[&str] = if cfg!(windows) {
    &[".venv/Scripts", "venv/Scripts", "node_modules/.bin"]
} else {
    &[".venv/bin", "venv/bin", "node_modules/.bin"]
};

/// Where a check looks for programs.
#[derive(Clone, Debug, Default)]
pub(super) struct Tools {
    folders: Vec<PathBuf>,
    /// The project's own Python environment.
    pub(super) venv: Option<PathBuf>,
}

impl Tools {
    /// Finds the folders for a work tree.
    pub(super) fn of(top: &Path) -> Self {
        let mut folders: Vec<PathBuf> = FOLDERS
            .iter()
            .map(|name| top.join(name))
            .filter(|folder| folder.is_dir())
            .collect();
        let venv = [".venv", "venv"]
            .map(|name| top.join(name))
            .into_iter()
            .find(|folder| folder.join("pyvenv.cfg").is_file());
        let path = std::env::var_os("PATH").unwrap_or_default();
        folders.extend(std::env::split_paths(&path).filter(|folder| folder.is_absolute()));
        Self { folders, venv }
    }

    /// Returns the path variable that a check sees.
    pub(super) fn path(&self) -> OsString {
        // What came out of a path variable fits into one.
        std::env::join_paths(&self.folders).unwrap_or_default()
    }

    /// Finds a program by its name, or by its path from the root of `tree`.
    pub(super) fn find(&self, name: &str, tree: &Path) -> Option<PathBuf> {
        let path = Path::new(name);
        if path.components().count() > 1 || path.is_absolute() {
            let path = tree.join(path);
            return with_endings(&path).find(|path| is_program(path));
        }
        self.folders
            .iter()
            .flat_map(|folder| with_endings(&folder.join(name)).collect::<Vec<_>>())
            .find(|path| is_program(path))
    }
}

/// Adds the endings by which Windows knows programs.
fn with_endings(path: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let endings: &[&str] = if cfg!(windows) {
        &["", ".exe", ".cmd", ".bat"]
    } else {
        &[""]
    };
    let path = path.as_os_str().to_owned();
    endings.iter().map(move |ending| {
        let mut path = path.clone();
        path.push(OsStr::new(ending));
        path.into()
    })
}

#[cfg(unix)]
fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata()
        .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(path: &Path) -> bool {
    path.is_file()
}
