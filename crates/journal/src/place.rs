//! Where the store lies: the files of the state directory, who may read them, which disks will do.
//!
//! Why: a journal on a network file system loses its locks and its flushes, and a journal that others
//! may read gives away what the user does. Not here: which directory it is (that is `host`'s business).

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use crate::error::OpenError;

/// File name of the store.
pub(crate) const STORE: &str = "journal.db";
/// File name of the lock that the one writer holds.
const LOCK: &str = "journal.lock";

/// Returns the path of the store in `dir`.
pub(crate) fn store(dir: &Path) -> PathBuf {
    dir.join(STORE)
}

/// The writer's lock; released when dropped, also by the operating system when the process dies.
#[derive(Debug)]
pub(crate) struct WriterLock {
    file: File,
}

impl Drop for WriterLock {
    fn drop(&mut self) {
        // Closing alone would not do: a child that was forked a moment ago holds the file until it
        // runs its program, and the lock with it.
        if let Err(error) = self.file.unlock() {
            tracing::debug!(%error, "writer's lock is left to the operating system");
        }
    }
}

/// Makes the state directory, private to its owner, and checks that a store may lie there.
pub(crate) fn prepare(dir: &Path) -> Result<(), OpenError> {
    make_private_dir(dir).map_err(|source| OpenError::Io {
        action: "make",
        path: dir.to_owned(),
        source,
    })?;
    if let Some(kind) = network_file_system(dir) {
        return Err(OpenError::NetworkFileSystem {
            dir: dir.to_owned(),
            kind,
        });
    }
    Ok(())
}

/// Takes the writer's lock of `dir` and writes this process's id into it.
pub(crate) fn lock(dir: &Path) -> Result<WriterLock, OpenError> {
    let path = dir.join(LOCK);
    let io = |action| {
        let path = path.clone();
        move |source| OpenError::Io {
            action,
            path,
            source,
        }
    };
    let mut file = private_file(OpenOptions::new().read(true).write(true).create(true))
        .open(&path)
        .map_err(io("open"))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            // On Windows a locked file cannot be read; then the owner stays unknown.
            let pid = file
                .read_to_string(&mut text)
                .ok()
                .and_then(|_| text.trim().parse().ok());
            return Err(OpenError::Locked {
                dir: dir.to_owned(),
                pid,
            });
        }
        Err(TryLockError::Error(source)) => return Err(io("lock")(source)),
    }
    file.set_len(0).map_err(io("write"))?;
    file.rewind().map_err(io("write"))?;
    writeln!(file, "{}", std::process::id()).map_err(io("write"))?;
    Ok(WriterLock { file })
}

/// Who holds the writer's lock of a state directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writer {
    /// Nobody: whatever says that a daemon runs there is a leftover.
    Nobody,
    /// The process with this id.
    Process(u32),
    /// Somebody; the system does not let us read who.
    Unknown,
}

/// Says who holds the writer's lock of `dir`, without taking it.
///
/// While it looks, for some microseconds, somebody else who tries to take the lock is refused: whoever
/// takes it should try more than once.
pub fn writer(dir: &Path) -> Writer {
    let Ok(mut file) = File::open(dir.join(LOCK)) else {
        return Writer::Nobody;
    };
    match file.try_lock_shared() {
        Ok(()) => {
            // Dropping the file would do the same, but later where a child was forked meanwhile.
            drop(file.unlock());
            Writer::Nobody
        }
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            let pid = file
                .read_to_string(&mut text)
                .ok()
                .and_then(|_| text.trim().parse().ok());
            pid.map_or(Writer::Unknown, Writer::Process)
        }
        Err(TryLockError::Error(_)) => Writer::Unknown,
    }
}

/// Creates the store's file, empty and private, when there is none: SQLite gives its companions the same mode.
pub(crate) fn create_store(path: &Path) -> Result<(), OpenError> {
    if path.exists() {
        return Ok(());
    }
    private_file(OpenOptions::new().write(true).create_new(true))
        .open(path)
        .map(drop)
        .map_err(|source| OpenError::Io {
            action: "create",
            path: path.to_owned(),
            source,
        })
}

/// Makes sure that what lies in `dir` survives a power cut under its name.
pub(crate) fn sync_dir(dir: &Path) -> std::io::Result<()> {
    // Windows has no such call and journals its own metadata.
    if cfg!(unix) {
        File::open(dir)?.sync_all()?;
    }
    Ok(())
}

#[cfg(unix)]
fn make_private_dir(dir: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
    const STICKY: u32 = 0o1000;
    if !dir.is_dir() {
        return fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir);
    }
    let mode = fs::metadata(dir)?.permissions().mode();
    // A directory like /tmp is shared on purpose; our files in it are private all the same.
    if mode & 0o077 != 0 && mode & STICKY == 0 {
        fs::set_permissions(dir, fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

#[cfg(not(unix))]
fn make_private_dir(dir: &Path) -> std::io::Result<()> {
    fs::create_dir_all(dir)
}

/// Adds to `options` that the file is private to its owner.
#[cfg(unix)]
pub(crate) fn private_file(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt as _;
    options.mode(0o600)
}

/// Adds to `options` that the file is private to its owner: on Windows the profile's folder already is.
#[cfg(not(unix))]
pub(crate) fn private_file(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

/// Returns the name of the network file system that `dir` lies on, or `None` for a local one.
fn network_file_system(dir: &Path) -> Option<String> {
    let dir = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    if cfg!(target_os = "linux") {
        let table = fs::read_to_string("/proc/self/mountinfo").ok()?;
        let kind = mounted_as(&table, &dir)?;
        is_network(&kind).then_some(kind)
    } else if cfg!(windows) {
        let text = dir.to_string_lossy();
        let is_share = text.starts_with(r"\\?\UNC\")
            || (text.starts_with(r"\\")
                && !text.starts_with(r"\\?\")
                && !text.starts_with(r"\\.\"));
        is_share.then(|| "a Windows share".to_owned())
    } else {
        // Where macOS and the automounter put what other machines export.
        ["/net/", "/Network/"]
            .iter()
            .any(|prefix| dir.starts_with(prefix))
            .then(|| "network volume".to_owned())
    }
}

/// Finds the type of the file system that holds `dir` in the text of `/proc/self/mountinfo`.
fn mounted_as(table: &str, dir: &Path) -> Option<String> {
    let mut best: Option<(usize, &str)> = None;
    for line in table.lines() {
        // 36 35 98:0 /root /mount/point options optional… - type source options
        let Some((left, right)) = line.split_once(" - ") else {
            continue;
        };
        let (Some(point), Some(kind)) = (left.split(' ').nth(4), right.split(' ').next()) else {
            continue;
        };
        let point = PathBuf::from(unescape(point));
        let depth = point.components().count();
        // A later line lies over an earlier one at the same place.
        if dir.starts_with(&point) && best.is_none_or(|(deepest, _)| depth >= deepest) {
            best = Some((depth, kind));
        }
    }
    best.map(|(_, kind)| kind.to_owned())
}

/// Undoes the octal escapes of `mountinfo`.
fn unescape(text: &str) -> String {
    [
        ("\\040", " "),
        ("\\011", "\t"),
        ("\\012", "\n"),
        ("\\134", "\\"),
    ]
    .iter()
    .fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

/// Says whether a file system of this name lies on another machine.
fn is_network(kind: &str) -> bool {
    const NAMES: &[&str] = &[
        "9p",
        "afs",
        "afpfs",
        "beegfs",
        "ceph",
        "cifs",
        "coda",
        "glusterfs",
        "gpfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "orangefs",
        "smb2",
        "smb3",
        "smbfs",
        "virtiofs",
        "webdav",
    ];
    const FUSE: &[&str] = &[
        "ceph",
        "davfs",
        "gcsfuse",
        "glusterfs",
        "goofys",
        "rclone",
        "s3fs",
        "smbnetfs",
        "sshfs",
        "vmhgfs-fuse",
        "davfs2",
        "curlftpfs",
        "seaweedfs",
        "juicefs",
        "nfs",
    ];
    NAMES.contains(&kind)
        || kind
            .strip_prefix("fuse.")
            .is_some_and(|name| FUSE.contains(&name) || name.starts_with("sshfs"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
40 22 0:35 / /home/me/share rw,relatime shared:9 - nfs4 nas:/export rw,vers=4.2
41 22 0:36 / /mnt/with\\040space rw - fuse.sshfs me@host:/ rw
42 40 0:37 / /home/me/share/local rw - tmpfs tmpfs rw
43 22 0:38 / /over rw - cifs //nas/x rw
44 22 0:39 / /over rw - ext4 /dev/vdb rw
";

    fn kind_of(dir: &str) -> Option<String> {
        mounted_as(TABLE, Path::new(dir)).filter(|kind| is_network(kind))
    }

    #[test]
    fn a_directory_below_a_network_mount_is_recognised() {
        assert_eq!(kind_of("/home/me/share/state").as_deref(), Some("nfs4"));
        assert_eq!(
            kind_of("/mnt/with space/state").as_deref(),
            Some("fuse.sshfs")
        );
    }

    #[test]
    fn a_local_directory_beside_below_or_over_a_network_mount_is_allowed() {
        assert_eq!(kind_of("/home/me/shared"), None);
        assert_eq!(kind_of("/home/me/share/local/state"), None);
        assert_eq!(kind_of("/over/state"), None);
    }

    #[test]
    fn the_refusal_of_a_network_file_system_names_the_way_out() {
        let error = OpenError::NetworkFileSystem {
            dir: PathBuf::from("/mnt/nas"),
            kind: "nfs4".to_owned(),
        };
        assert!(error.to_string().contains("TRADEWIND_STATE"));
    }
}
