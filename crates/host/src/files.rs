//! Files: whole or not at all, bounded, private where they hold what others must not read.
//!
//! Not here: what is written. Every write is flushed to the disk before it counts as done.

mod atomic;
mod path_text;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

pub use atomic::{Mode, atomic_write, create_private, swap, sync_dir, write_private};
pub use path_text::{from_slash, to_slash};

/// Why a file was not read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The system said no.
    #[error("cannot {what} {}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On which path.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file is larger than the caller's bound.
    #[error("{} has more than {max_bytes} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The bound.
        max_bytes: u64,
    },
    /// A symbolic link, a folder or a device stands where a plain file is expected.
    #[error("{} is {found}, not a plain file", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
        /// What is there.
        found: FileKind,
    },
    /// Others may read or write what must be private.
    #[error("{} belongs to somebody else or is open to others", path.display())]
    NotPrivate {
        /// The path.
        path: PathBuf,
    },
}

impl FileError {
    pub(crate) fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { what, path, source }
    }

    /// Says whether the file does not exist.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }

    /// Says what a caller may usefully do next.
    pub fn recovery(&self) -> tradewind_core::Recovery {
        match self {
            Self::Io { source, .. } if source.kind() == io::ErrorKind::Interrupted => {
                tradewind_core::Recovery::Retry
            }
            _ => tradewind_core::Recovery::Fix,
        }
    }
}

/// What stands at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// Nothing.
    Missing,
    /// A plain file.
    File,
    /// A folder.
    Dir,
    /// A symbolic link, wherever it leads.
    Symlink,
    /// A device, pipe or socket.
    Other,
}

impl std::fmt::Display for FileKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Missing => "missing",
            Self::File => "a plain file",
            Self::Dir => "a folder",
            Self::Symlink => "a symbolic link",
            Self::Other => "a device or pipe",
        })
    }
}

/// Says what stands at `path`, without following a link.
///
/// # Errors
/// [`FileError::Io`] when the system does not say.
pub fn file_kind(path: &Path) -> Result<FileKind, FileError> {
    match fs::symlink_metadata(path) {
        Ok(meta) if meta.file_type().is_symlink() => Ok(FileKind::Symlink),
        Ok(meta) if meta.is_file() => Ok(FileKind::File),
        Ok(meta) if meta.is_dir() => Ok(FileKind::Dir),
        Ok(_) => Ok(FileKind::Other),
        Err(error) if is_absent(&error) => Ok(FileKind::Missing),
        Err(source) => Err(FileError::io("look at", path)(source)),
    }
}

/// A file above the path counts as absence too.
fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// Reads a plain file of at most `max_bytes`. Links are followed; pipes and devices are refused.
///
/// # Errors
/// [`FileError::TooLarge`], [`FileError::NotAFile`], [`FileError::Io`].
pub fn read_bounded(path: &Path, max_bytes: u64) -> Result<Vec<u8>, FileError> {
    // Opening a pipe would wait for a writer, so look first.
    let meta = fs::metadata(path).map_err(FileError::io("read", path))?;
    if !meta.is_file() {
        let found = if meta.is_dir() {
            FileKind::Dir
        } else {
            FileKind::Other
        };
        return Err(FileError::NotAFile {
            path: path.to_owned(),
            found,
        });
    }
    let file = File::open(path).map_err(FileError::io("read", path))?;
    let too_large = || FileError::TooLarge {
        path: path.to_owned(),
        max_bytes,
    };
    if meta.len() > max_bytes {
        return Err(too_large());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(meta.len()).unwrap_or(0));
    let mut bounded = file.take(max_bytes.saturating_add(1));
    bounded
        .read_to_end(&mut bytes)
        .map_err(FileError::io("read", path))?;
    if bytes.len() as u64 > max_bytes {
        return Err(too_large());
    }
    Ok(bytes)
}

/// Makes a folder that only the user can enter (0700), with its parents, or checks that an existing
/// one is so: its group and world rights are taken away.
///
/// # Errors
/// [`FileError::NotPrivate`] when it belongs to somebody else, [`FileError::NotAFile`] when
/// something else stands there, [`FileError::Io`].
pub fn ensure_private_dir(path: &Path) -> Result<(), FileError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder
        .create(path)
        .map_err(FileError::io("make folder", path))?;
    make_private(path)
}

/// Says whether a file or folder belongs to the user who runs this; elsewhere than on Unix, whether it is there.
pub fn is_own(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let own = rustix::process::geteuid().as_raw();
        fs::metadata(path).is_ok_and(|meta| meta.uid() == own)
    }
    #[cfg(not(unix))]
    path.exists()
}

#[cfg(unix)]
fn make_private(path: &Path) -> Result<(), FileError> {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    let meta = fs::metadata(path).map_err(FileError::io("look at", path))?;
    if meta.uid() != rustix::process::geteuid().as_raw() {
        return Err(FileError::NotPrivate {
            path: path.to_owned(),
        });
    }
    if meta.mode() & 0o077 != 0 {
        let private = fs::Permissions::from_mode(meta.mode() & 0o7700);
        fs::set_permissions(path, private).map_err(FileError::io("make private", path))?;
    }
    Ok(())
}

/// On Windows a folder below the user's profile is private by inheritance.
#[cfg(not(unix))]
fn make_private(_: &Path) -> Result<(), FileError> {
    Ok(())
}

/// Opens a file to append to, private (0600) when it is new.
///
/// # Errors
/// What the system says.
pub fn append_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path)
}
