//! A file is either old or new, never half: temporary file beside it, flush, rename, flush folder.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use super::{FileError, FileKind, file_kind};

/// Rights of a file that is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// As the file that is replaced; 0644 where there was none.
    #[default]
    Keep,
    /// Only the user may read and write it: 0600.
    Private,
    /// These bits, where the platform has them.
    Bits(u32),
}

/// Writes a whole file: afterwards `path` holds either what it held or all of `bytes`, also after a
/// power cut.
///
/// A link at `path` is neither followed nor replaced.
///
/// # Errors
/// [`FileError::NotAFile`] when a link, folder or device stands there, [`FileError::Io`].
pub fn atomic_write(path: &Path, bytes: &[u8], mode: Mode) -> Result<(), FileError> {
    let old = file_kind(path)?;
    if !matches!(old, FileKind::Missing | FileKind::File) {
        return Err(FileError::NotAFile {
            path: path.to_owned(),
            found: old,
        });
    }
    let dir = parent(path);
    // Made with rights 0600, so that nobody reads a private file while it is written.
    let mut file = tempfile::Builder::new()
        .prefix(".tradewind-")
        .suffix(".tmp")
        .tempfile_in(dir)
        .map_err(FileError::io("make a temporary file beside", path))?;
    file.write_all(bytes)
        .map_err(FileError::io("write", path))?;
    set_mode(file.as_file(), path, mode, old).map_err(FileError::io("set the rights of", path))?;
    file.as_file()
        .sync_all()
        .map_err(FileError::io("flush", path))?;
    file.persist(path)
        .map_err(|error| FileError::io("replace", path)(error.error))?;
    sync_dir(dir)
}

/// Writes a whole file that only the user can read (0600).
///
/// # Errors
/// As for [`atomic_write`].
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    atomic_write(path, bytes, Mode::Private)
}

/// Writes a private file (0600) only where nothing stands yet; of two who try, one wins. Returns
/// whether it was this call that made it.
///
/// # Errors
/// [`FileError::Io`].
pub fn create_private(path: &Path, bytes: &[u8]) -> Result<bool, FileError> {
    let dir = parent(path);
    let mut file = tempfile::Builder::new()
        .prefix(".tradewind-")
        .suffix(".tmp")
        .tempfile_in(dir)
        .map_err(FileError::io("make a temporary file beside", path))?;
    file.write_all(bytes)
        .map_err(FileError::io("write", path))?;
    file.as_file()
        .sync_all()
        .map_err(FileError::io("flush", path))?;
    match file.persist_noclobber(path) {
        Ok(_) => sync_dir(dir).map(|()| true),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(FileError::io("create", path)(error.error)),
    }
}

/// Flushes a folder's entries to the disk.
///
/// # Errors
/// [`FileError::Io`].
pub fn sync_dir(dir: &Path) -> Result<(), FileError> {
    if cfg!(windows) {
        // A folder cannot be opened for flushing there; renames are ordered by the file system.
        return Ok(());
    }
    let flushed = File::open(dir).and_then(|dir| dir.sync_all());
    flushed.map_err(FileError::io("flush folder", dir))
}

/// Exchanges two existing paths in one step where the system can (Linux, macOS) and returns `true`;
/// elsewhere moves the content of `a` over `b` through a rename, after which `a` is gone, and
/// returns `false`.
///
/// # Errors
/// [`FileError::Io`], for instance when they lie on different file systems.
pub fn swap(a: &Path, b: &Path) -> Result<bool, FileError> {
    let is_swapped = match exchange(a, b) {
        Ok(()) => true,
        Err(error) if is_unsupported(&error) => {
            fs::rename(a, b).map_err(FileError::io("rename", a))?;
            false
        }
        Err(source) => return Err(FileError::io("exchange", a)(source)),
    };
    sync_dir(parent(a))?;
    if parent(a) != parent(b) {
        sync_dir(parent(b))?;
    }
    Ok(is_swapped)
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn exchange(a: &Path, b: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    Ok(renameat_with(CWD, a, CWD, b, RenameFlags::EXCHANGE)?)
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn exchange(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

fn is_unsupported(error: &io::Error) -> bool {
    // Old kernels and some file systems (NFS, FUSE) answer "invalid argument" or "not implemented".
    matches!(
        error.kind(),
        io::ErrorKind::Unsupported | io::ErrorKind::InvalidInput
    )
}

/// Returns the folder a path lies in; the current one for a bare name.
pub(super) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    }
}

#[cfg(unix)]
fn set_mode(file: &File, path: &Path, mode: Mode, old: FileKind) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let bits = match mode {
        Mode::Private => 0o600,
        Mode::Bits(bits) => bits,
        Mode::Keep if old == FileKind::File => fs::symlink_metadata(path)?.permissions().mode(),
        Mode::Keep => 0o644,
    };
    file.set_permissions(fs::Permissions::from_mode(bits & 0o7777))
}

#[cfg(not(unix))]
fn set_mode(_: &File, _: &Path, _: Mode, _: FileKind) -> io::Result<()> {
    Ok(())
}
