//! What stands at a path: nothing, a file with content and rights, or a symbolic link.
//!
//! Folders are no images: they come and go with the files in them. Links are never followed.

use std::path::Path;

use serde::{Deserialize, Serialize};
use tradewind_host::files::{self, FileKind};

use super::UndoError;
use super::blobs::{Blobs, MAX_CONTENT_BYTES, io};

/// What stands at a path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Image {
    /// Nothing, or a folder.
    #[default]
    Absent,
    /// A plain file.
    File {
        /// Name of its content in the store.
        content: String,
        /// Size in bytes.
        size_bytes: u64,
        /// Permission bits; 0 where the platform has none.
        mode: u32,
    },
    /// A symbolic link.
    Symlink {
        /// Where it leads, as [`files::to_slash`] writes it.
        target: String,
    },
}

impl Image {
    /// Returns the name of the content, when there is one.
    pub(super) fn content(&self) -> Option<&str> {
        match self {
            Self::File { content, .. } => Some(content),
            Self::Absent | Self::Symlink { .. } => None,
        }
    }

    pub(super) fn size_bytes(&self) -> u64 {
        match self {
            Self::File { size_bytes, .. } => *size_bytes,
            Self::Absent | Self::Symlink { .. } => 0,
        }
    }
}

/// Looks at the file `name` of the folder `top` without keeping anything.
pub(super) fn look(blobs: &Blobs, top: &Path, name: &str) -> Result<Image, UndoError> {
    if is_behind_link(top, name)? {
        return Ok(Image::Absent);
    }
    look_at(blobs, &top.join(files::from_slash(name)))
}

/// Looks at a path that is known not to lead through a link.
pub(super) fn look_at(blobs: &Blobs, path: &Path) -> Result<Image, UndoError> {
    read(path, |content| Ok(blobs.name(content)))
}

/// Looks at the file `name` of the folder `top` and keeps its content.
pub(super) fn keep(blobs: &Blobs, top: &Path, name: &str) -> Result<Image, UndoError> {
    if is_behind_link(top, name)? {
        return Ok(Image::Absent);
    }
    read(&top.join(files::from_slash(name)), |content| {
        blobs.keep(name, content)
    })
}

/// Says whether a folder on the way to the file is a link: what is behind it is not the
/// repository's, whatever its path says.
pub(super) fn is_behind_link(top: &Path, name: &str) -> Result<bool, UndoError> {
    let relative = files::from_slash(name);
    let mut folder = top.to_owned();
    for part in relative.parent().into_iter().flat_map(Path::components) {
        folder.push(part);
        if files::file_kind(&folder)? == FileKind::Symlink {
            return Ok(true);
        }
    }
    Ok(false)
}

fn read(
    path: &Path,
    mut name: impl FnMut(&[u8]) -> Result<String, UndoError>,
) -> Result<Image, UndoError> {
    match files::file_kind(path)? {
        FileKind::Missing | FileKind::Dir => Ok(Image::Absent),
        FileKind::Symlink => {
            let target = std::fs::read_link(path).map_err(io("read link", path))?;
            Ok(Image::Symlink {
                target: files::to_slash(&target),
            })
        }
        FileKind::File => {
            let mode = mode_of(path)?;
            let content = match files::read_bounded(path, MAX_CONTENT_BYTES) {
                Ok(content) => content,
                // It went away between the two looks.
                Err(error) if error.is_not_found() => return Ok(Image::Absent),
                Err(error) => return Err(error.into()),
            };
            Ok(Image::File {
                content: name(&content)?,
                size_bytes: content.len() as u64,
                mode,
            })
        }
        FileKind::Other => Err(UndoError::File(files::FileError::NotAFile {
            path: path.to_owned(),
            found: FileKind::Other,
        })),
    }
}

#[cfg(unix)]
fn mode_of(path: &Path) -> Result<u32, UndoError> {
    use std::os::unix::fs::PermissionsExt as _;
    match std::fs::symlink_metadata(path) {
        Ok(meta) => Ok(meta.permissions().mode() & 0o7777),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(io("look at", path)(error)),
    }
}

#[cfg(not(unix))]
fn mode_of(_: &Path) -> Result<u32, UndoError> {
    Ok(0)
}

/// Makes `image` at a path where nothing stands yet, flushed to the disk.
pub(super) fn make(blobs: &Blobs, path: &Path, image: &Image) -> Result<(), UndoError> {
    match image {
        Image::Absent => Ok(()),
        Image::File { content, mode, .. } => {
            let content = blobs.load(content)?;
            let mut options = std::fs::OpenOptions::new();
            options.write(true).create_new(true);
            let mut file = options.open(path).map_err(io("make", path))?;
            std::io::Write::write_all(&mut file, &content)
                .and_then(|()| set_mode(&file, *mode))
                .and_then(|()| file.sync_all())
                .map_err(io("write", path))
        }
        Image::Symlink { target } => {
            let target = files::from_slash(target);
            symlink(&target, path).map_err(io("make link", path))
        }
    }
}

#[cfg(unix)]
fn set_mode(file: &std::fs::File, mode: u32) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(std::fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn set_mode(_: &std::fs::File, _: u32) -> std::io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn symlink(target: &Path, path: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(target, path)
}

#[cfg(windows)]
fn symlink(target: &Path, path: &Path) -> std::io::Result<()> {
    std::os::windows::fs::symlink_file(target, path)
}
