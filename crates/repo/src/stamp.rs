//! What the file system says about a file without its being opened.

use std::fs::Metadata;
use std::io;
use std::path::Path;

use jiff::Timestamp;

/// What the file system says about a file without its being opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) size: u64,
    pub(crate) mtime_ns: i64,
    pub(crate) ctime_ns: i64,
    pub(crate) ino: u64,
    pub(crate) mode: u32,
}

/// Linux hands out file times in ticks of up to 10 ms: within a few of them a second write may leave
/// no trace in the time.
const FINE_RACE_NS: i64 = 50_000_000;
/// Some file systems keep whole or even seconds only.
const COARSE_RACE_NS: i64 = 2_100_000_000;

impl Stamp {
    /// Looks at a path without following a link; `None` when nothing is there.
    pub(crate) fn of(path: &Path) -> io::Result<Option<Self>> {
        match std::fs::symlink_metadata(path) {
            Ok(meta) => Ok(Some(Self::from_metadata(&meta))),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    #[cfg(unix)]
    pub(crate) fn from_metadata(meta: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt as _;
        let ns = |s: i64, ns: i64| s.saturating_mul(1_000_000_000).saturating_add(ns);
        Self {
            size: meta.size(),
            mtime_ns: ns(meta.mtime(), meta.mtime_nsec()),
            ctime_ns: ns(meta.ctime(), meta.ctime_nsec()),
            ino: meta.ino(),
            mode: meta.mode(),
        }
    }

    #[cfg(not(unix))]
    pub(crate) fn from_metadata(meta: &Metadata) -> Self {
        let since_epoch = |time: io::Result<std::time::SystemTime>| {
            let elapsed = time.ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
            i64::try_from(elapsed.as_nanos()).ok()
        };
        Self {
            size: meta.len(),
            mtime_ns: since_epoch(meta.modified()).unwrap_or(0),
            ctime_ns: since_epoch(meta.created()).unwrap_or(0),
            ino: 0,
            mode: u32::from(meta.permissions().readonly()),
        }
    }

    /// Says whether a write right after a look at `now_ns` could leave this stamp as it is.
    pub(crate) fn is_racy(&self, now_ns: i64) -> bool {
        let slack = if self.mtime_ns % 1_000_000_000 == 0 {
            COARSE_RACE_NS
        } else {
            FINE_RACE_NS
        };
        self.mtime_ns.saturating_add(slack) >= now_ns
    }
}

/// Returns a time as nanoseconds since 1970, clamped.
pub(crate) fn nanoseconds(now: Timestamp) -> i64 {
    let ns = now.as_nanosecond();
    i64::try_from(ns).unwrap_or(if ns < 0 { i64::MIN } else { i64::MAX })
}
