//! Contents of files, kept so that an action can be taken back: private, by name of their content.
//!
//! Why in the state directory: it survives `git clean -fdx`, a deleted repository and a lost disk of
//! the work tree. Names are keyed hashes, so that a name tells nothing about a short secret. What
//! holds a secret is encrypted (XChaCha20-Poly1305) with `undo.key`; the rest is stored plain,
//! readable by the user only. A blob is on the disk before its name is handed out.
//! Not here: which contents are kept, and for how long.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chacha20poly1305::aead::Aead;
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use tradewind_host::files::{self, FileError, FileKind};
use tradewind_host::random;

use super::UndoError;

/// Upper bound on one content, in bytes.
pub const MAX_CONTENT_BYTES: u64 = 64 * 1024 * 1024;

const MAGIC_PLAIN: &[u8; 8] = b"TWUNDO1p";
const MAGIC_SEALED: &[u8; 8] = b"TWUNDO1e";
const NONCE_BYTES: usize = 24;
const KEY_BYTES: usize = 32;
/// What a stored blob may have around its content.
const MAX_FRAME_BYTES: u64 = 64;

/// Says whether a content holds a secret: gets the path in the repository and the bytes.
pub type SecretScan = Arc<dyn Fn(&str, &[u8]) -> bool + Send + Sync>;

/// The store.
#[derive(Clone)]
pub(super) struct Blobs {
    dir: PathBuf,
    naming: [u8; KEY_BYTES],
    sealing: [u8; KEY_BYTES],
    scan: SecretScan,
}

impl std::fmt::Debug for Blobs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Blobs")
            .field("dir", &self.dir)
            .finish_non_exhaustive()
    }
}

impl Blobs {
    /// Opens the store below `state_dir`; makes it, and its key, when it is new.
    pub(super) fn open(state_dir: &Path, scan: SecretScan) -> Result<Self, UndoError> {
        let dir = state_dir.join("blobs");
        files::ensure_private_dir(&dir)?;
        let key = read_key(&state_dir.join("undo.key"))?;
        Ok(Self {
            dir,
            naming: blake3::derive_key("tradewind undo 1 names", &key),
            sealing: blake3::derive_key("tradewind undo 1 contents", &key),
            scan,
        })
    }

    /// Returns the name that a content has here, without keeping it.
    pub(super) fn name(&self, content: &[u8]) -> String {
        blake3::keyed_hash(&self.naming, content)
            .to_hex()
            .to_string()
    }

    /// Says whether the content of `path` holds a secret.
    pub(super) fn is_secret(&self, path: &str, content: &[u8]) -> bool {
        (self.scan)(path, content)
    }

    /// Keeps a content and returns its name. It is on the disk by then.
    pub(super) fn keep(&self, path: &str, content: &[u8]) -> Result<String, UndoError> {
        let name = self.name(content);
        let place = self.place(&name)?;
        let is_secret = self.is_secret(path, content);
        if files::file_kind(&place)? == FileKind::File && !(is_secret && is_plain(&place)?) {
            return Ok(name);
        }
        if let Some(parent) = place.parent() {
            files::ensure_private_dir(parent)?;
        }
        let framed = if is_secret {
            let nonce: [u8; NONCE_BYTES] = random::bytes()?;
            let cipher = XChaCha20Poly1305::new((&self.sealing).into());
            let sealed = cipher
                .encrypt(XNonce::from_slice(&nonce), content)
                .or(Err(UndoError::Sealing { name: name.clone() }))?;
            [MAGIC_SEALED.as_slice(), &nonce, &sealed].concat()
        } else {
            [MAGIC_PLAIN.as_slice(), content].concat()
        };
        files::write_private(&place, &framed)?;
        Ok(name)
    }

    /// Returns the content that is kept under `name`, and proves that it is the one.
    pub(super) fn load(&self, name: &str) -> Result<Vec<u8>, UndoError> {
        let framed =
            match files::read_bounded(&self.place(name)?, MAX_CONTENT_BYTES + MAX_FRAME_BYTES) {
                Ok(framed) => framed,
                Err(error) if error.is_not_found() => {
                    return Err(UndoError::Gone {
                        name: name.to_owned(),
                    });
                }
                Err(error) => return Err(error.into()),
            };
        let damaged = || UndoError::Damaged {
            name: name.to_owned(),
        };
        let content = if let Some(content) = framed.strip_prefix(MAGIC_PLAIN) {
            content.to_vec()
        } else {
            let sealed = framed.strip_prefix(MAGIC_SEALED).ok_or_else(damaged)?;
            let (nonce, sealed) = sealed.split_at_checked(NONCE_BYTES).ok_or_else(damaged)?;
            let cipher = XChaCha20Poly1305::new((&self.sealing).into());
            cipher
                .decrypt(XNonce::from_slice(nonce), sealed)
                .or(Err(damaged()))?
        };
        if self.name(&content) == name {
            Ok(content)
        } else {
            Err(damaged())
        }
    }

    /// Removes every blob that is not in `used`; returns how many bytes that freed.
    pub(super) fn sweep(&self, used: &BTreeSet<String>) -> Result<u64, UndoError> {
        let mut freed = 0;
        for shelf in read_dir(&self.dir)? {
            if files::file_kind(&shelf)? != FileKind::Dir {
                continue;
            }
            for blob in read_dir(&shelf)? {
                let name = blob
                    .file_name()
                    .map(|name| name.to_string_lossy().into_owned());
                if name.is_some_and(|name| used.contains(&name)) {
                    continue;
                }
                let size = std::fs::symlink_metadata(&blob).map_or(0, |meta| meta.len());
                std::fs::remove_file(&blob).map_err(io("remove", &blob))?;
                freed += size;
            }
        }
        Ok(freed)
    }

    fn place(&self, name: &str) -> Result<PathBuf, UndoError> {
        // A name comes from the journal; it must not lead out of the store.
        let is_name = name.len() == 64 && name.bytes().all(|b| b.is_ascii_hexdigit());
        match name.get(..2) {
            Some(first) if is_name => Ok(self.dir.join(first).join(name)),
            _ => Err(UndoError::Damaged {
                name: name.to_owned(),
            }),
        }
    }
}

/// Says whether a blob lies in the open.
fn is_plain(place: &Path) -> Result<bool, UndoError> {
    let framed = files::read_bounded(place, MAX_CONTENT_BYTES + MAX_FRAME_BYTES)?;
    Ok(framed.starts_with(MAGIC_PLAIN))
}

fn read_dir(dir: &Path) -> Result<Vec<PathBuf>, UndoError> {
    let entries = std::fs::read_dir(dir).map_err(io("read folder", dir))?;
    entries
        .map(|entry| {
            entry
                .map(|entry| entry.path())
                .map_err(io("read folder", dir))
        })
        .collect()
}

/// Builds the error of a failed call to the system.
pub(super) fn io(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> UndoError {
    let path = path.to_owned();
    move |source| UndoError::File(FileError::Io { what, path, source })
}

fn read_key(path: &Path) -> Result<[u8; KEY_BYTES], UndoError> {
    match files::read_bounded(path, 1024) {
        Ok(bytes) => bytes.try_into().or(Err(UndoError::Key)),
        Err(error) if error.is_not_found() => {
            let key: [u8; KEY_BYTES] = random::bytes()?;
            files::write_private(path, &key)?;
            Ok(key)
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(dir: &Path) -> Blobs {
        let scan: SecretScan = Arc::new(|_, bytes| bytes.starts_with(b"AKIA"));
        Blobs::open(dir, scan).unwrap()
    }

    fn stored(dir: &Path) -> Vec<Vec<u8>> {
        read_dir(&dir.join("blobs"))
            .unwrap()
            .iter()
            .flat_map(|shelf| read_dir(shelf).unwrap())
            .map(|blob| std::fs::read(blob).unwrap())
            .collect()
    }

    #[test]
    fn a_secret_is_never_on_the_disk_in_the_open() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = store(dir.path());
        let secret = b"AKIAIOSFODNN7EXAMPLE";
        let name = blobs.keep(".env", secret).unwrap();
        for content in stored(dir.path()) {
            assert!(!content.windows(8).any(|window| window == &secret[..8]));
        }
        assert_eq!(store(dir.path()).load(&name).unwrap(), secret);
    }

    #[test]
    fn a_damaged_blob_is_not_handed_out() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = store(dir.path());
        let name = blobs.keep("a", b"content").unwrap();
        let place = blobs.place(&name).unwrap();
        std::fs::write(&place, b"TWUNDO1pcontenT").unwrap();
        assert!(matches!(blobs.load(&name), Err(UndoError::Damaged { .. })));
        assert!(matches!(
            blobs.load("../../etc/passwd"),
            Err(UndoError::Damaged { .. })
        ));
    }

    #[test]
    fn sweeping_keeps_what_is_used() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = store(dir.path());
        let kept = blobs.keep("a", b"kept").unwrap();
        let lost = blobs.keep("b", b"lost").unwrap();
        assert!(blobs.sweep(&BTreeSet::from([kept.clone()])).unwrap() > 0);
        assert_eq!(blobs.load(&kept).unwrap(), b"kept");
        assert!(matches!(blobs.load(&lost), Err(UndoError::Gone { .. })));
    }

    #[cfg(unix)]
    #[test]
    fn only_the_user_can_read_what_is_kept() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let blobs = store(dir.path());
        let place = blobs.place(&blobs.keep("a", b"x").unwrap()).unwrap();
        for (path, mode) in [
            (place, 0o600),
            (dir.path().join("undo.key"), 0o600),
            (dir.path().join("blobs"), 0o700),
        ] {
            let actual = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(actual & 0o777, mode, "{}", path.display());
        }
    }
}
