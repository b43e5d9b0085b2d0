//! Notices of changes below some folders. A notice is a hint: the truth is a rescan by the caller.
//!
//! Linux and BSD need one watch per folder. Each folder gets its own, so that ignored ones (objects,
//! virtual environments, build output) cost none; macOS and Windows watch a whole tree with one and
//! ignored paths are filtered. Notices may come late, twice, or not at all (network folders,
//! container mounts).
//! When the inbox of the receiver is full, or the system lost notices, [`Hint::Overflow`] says so as
//! soon as there is room. When watching cannot go on (a new folder is one too many), the receiver's
//! channel closes and [`Watch::failure`] says why: the caller then polls.
//! Not here: what is ignored (the caller's predicate), debouncing, polling.

mod folders;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use notify::event::{AccessKind, AccessMode, CreateKind, EventKind, ModifyKind, RenameMode};
use notify::{RecommendedWatcher, Watcher as _};
use tokio::sync::mpsc;
use tradewind_core::Recovery;

use folders::Folders;

/// Paths told in one hint at most; more come in the next one.
pub const MAX_PATHS: usize = 512;
/// Raw notices that wait for the watching thread.
const RAW_CAPACITY: usize = 4096;

/// Something may have changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hint {
    /// Something at these paths.
    Paths(Vec<PathBuf>),
    /// Anything: notices were lost.
    Overflow,
}

/// Says of a path whether it and all below it is none of our business; `true` for a folder.
pub type IsIgnored = Arc<dyn Fn(&std::path::Path, bool) -> bool + Send + Sync>;

/// What to watch.
#[derive(Clone)]
pub struct WatchSpec {
    /// Folders to watch with everything below them.
    pub trees: Vec<PathBuf>,
    /// Folders to watch alone.
    pub folders: Vec<PathBuf>,
    /// Paths below them to leave out.
    pub is_ignored: IsIgnored,
    /// Bound on folders watched, where each one costs a watch.
    pub max_watches: usize,
}

/// Why there are no notices.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WatchError {
    /// The system's or the caller's bound on watches is reached.
    #[error("more than {watches} folders would have to be watched")]
    TooMany {
        /// Folders watched when the bound was reached.
        watches: usize,
    },
    /// A folder to watch does not exist.
    #[error("{} to watch does not exist", path.display())]
    Missing {
        /// The folder.
        path: PathBuf,
    },
    /// The system refuses.
    #[error("changes cannot be watched: {reason}")]
    Unavailable {
        /// What the system said.
        reason: String,
    },
}

impl WatchError {
    /// Says what a caller may usefully do next; polling works in any case.
    pub fn recovery(&self) -> Recovery {
        match self {
            Self::TooMany { .. } | Self::Missing { .. } => Recovery::Fix,
            Self::Unavailable { .. } => Recovery::GiveUp,
        }
    }

    fn of(error: notify::Error, watches: usize) -> Self {
        match error.kind {
            notify::ErrorKind::MaxFilesWatch => Self::TooMany { watches },
            notify::ErrorKind::PathNotFound => Self::Missing {
                path: error.paths.into_iter().next().unwrap_or_default(),
            },
            // inotify: too many instances for this user.
            notify::ErrorKind::Io(source) if source.raw_os_error() == Some(24) => {
                Self::TooMany { watches }
            }
            kind => Self::Unavailable {
                reason: notify::Error::new(kind).to_string(),
            },
        }
    }
}

/// Notices are told as long as this lives.
#[derive(Debug)]
pub struct Watch {
    raw: SyncSender<Raw>,
    is_stopped: Arc<AtomicBool>,
    failure: Arc<Mutex<Option<WatchError>>>,
    watches: usize,
}

#[derive(Debug)]
enum Raw {
    Event(notify::Event),
    Failed(notify::Error),
    Stop,
}

impl Watch {
    /// Starts to watch; returns when every folder has its watch. Hints go to `hints`.
    ///
    /// # Errors
    /// [`WatchError::TooMany`], [`WatchError::Missing`], [`WatchError::Unavailable`].
    pub fn start(spec: WatchSpec, hints: mpsc::Sender<Hint>) -> Result<Self, WatchError> {
        let (raw, inbox) = sync_channel(RAW_CAPACITY);
        let is_lossy = Arc::new(AtomicBool::new(false));
        let notifier = notifier(raw.clone(), Arc::clone(&is_lossy))?;
        let mut folders = Folders::new(notifier, spec);
        folders.watch_all()?;
        let watches = folders.len();
        let is_stopped = Arc::new(AtomicBool::new(false));
        let failure = Arc::new(Mutex::new(None));
        let follower = Follower {
            inbox,
            folders,
            hints,
            is_lossy,
            is_stopped: Arc::clone(&is_stopped),
            failure: Arc::clone(&failure),
        };
        std::thread::Builder::new()
            .name("tradewind-watch".to_owned())
            .spawn(move || follower.run())
            .map_err(|error| WatchError::Unavailable {
                reason: error.to_string(),
            })?;
        Ok(Self {
            raw,
            is_stopped,
            failure,
            watches,
        })
    }

    /// Returns why the hints ended; `None` while they have not.
    pub fn failure(&self) -> Option<WatchError> {
        self.failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Returns how many watches the start took.
    pub fn watches(&self) -> usize {
        self.watches
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.is_stopped.store(true, Ordering::Release);
        // A full inbox means that the thread is awake and will see the flag.
        self.raw.try_send(Raw::Stop).unwrap_or_default();
    }
}

fn notifier(
    raw: SyncSender<Raw>,
    is_lossy: Arc<AtomicBool>,
) -> Result<RecommendedWatcher, WatchError> {
    let handler = move |event: notify::Result<notify::Event>| {
        let message = match event {
            Ok(event) if !is_news(&event) => return,
            Ok(event) => Raw::Event(event),
            Err(error) => Raw::Failed(error),
        };
        if let Err(TrySendError::Full(_)) = raw.try_send(message) {
            is_lossy.store(true, Ordering::Release);
        }
    };
    let config = notify::Config::default().with_follow_symlinks(false);
    RecommendedWatcher::new(handler, config).map_err(|error| WatchError::of(error, 0))
}

/// Reading is no change; without this, every rescan would call for the next one.
fn is_news(event: &notify::Event) -> bool {
    event.need_rescan()
        || !matches!(event.kind, EventKind::Access(kind)
            if kind != AccessKind::Close(AccessMode::Write))
}

/// Turns raw notices into hints on a thread of its own, because a watch cannot be added from within
/// the system's callback.
struct Follower {
    inbox: Receiver<Raw>,
    folders: Folders,
    hints: mpsc::Sender<Hint>,
    is_lossy: Arc<AtomicBool>,
    is_stopped: Arc<AtomicBool>,
    failure: Arc<Mutex<Option<WatchError>>>,
}

impl Follower {
    fn run(mut self) {
        while let Ok(first) = self.inbox.recv() {
            let mut batch = vec![first];
            while batch.len() < MAX_PATHS
                && let Ok(next) = self.inbox.try_recv()
            {
                batch.push(next);
            }
            if self.is_stopped.load(Ordering::Acquire) {
                return;
            }
            match self.hint_of(batch) {
                Ok(None) => {}
                Ok(Some(hint)) => {
                    if !self.tell(hint) {
                        return;
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "watching ended");
                    *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                    return;
                }
            }
        }
    }

    /// Hands a hint on; `false` when nobody listens any more.
    fn tell(&self, hint: Hint) -> bool {
        match self.hints.try_send(hint) {
            Ok(()) => true,
            // Wait for room: meanwhile raw notices pile up to their own bound and mark themselves
            // as lost.
            Err(mpsc::error::TrySendError::Full(_)) => {
                self.hints.blocking_send(Hint::Overflow).is_ok()
            }
            Err(mpsc::error::TrySendError::Closed(_)) => false,
        }
    }

    fn hint_of(&mut self, batch: Vec<Raw>) -> Result<Option<Hint>, WatchError> {
        let mut is_lossy = self.is_lossy.swap(false, Ordering::AcqRel);
        let mut paths = Vec::new();
        for raw in batch {
            match raw {
                Raw::Stop => return Ok(None),
                Raw::Failed(error) => match WatchError::of(error, self.folders.len()) {
                    // A folder that went away while it was added.
                    WatchError::Missing { path } => paths.push(path),
                    error => return Err(error),
                },
                Raw::Event(event) => {
                    is_lossy |= event.need_rescan();
                    self.take(event, &mut paths)?;
                }
            }
        }
        if is_lossy {
            // Folders may have appeared unseen.
            self.folders.watch_all()?;
            return Ok(Some(Hint::Overflow));
        }
        paths.sort_unstable();
        paths.dedup();
        Ok((!paths.is_empty()).then_some(Hint::Paths(paths)))
    }

    fn take(&mut self, event: notify::Event, paths: &mut Vec<PathBuf>) -> Result<(), WatchError> {
        let appears = matches!(
            event.kind,
            EventKind::Create(CreateKind::Folder | CreateKind::Any)
                | EventKind::Modify(ModifyKind::Name(
                    RenameMode::To | RenameMode::Both | RenameMode::Any
                ))
        );
        for path in event.paths {
            if matches!(event.kind, EventKind::Remove(_)) {
                self.folders.forget(&path);
            }
            let is_dir = appears && path.symlink_metadata().is_ok_and(|meta| meta.is_dir());
            if self.folders.is_ignored(&path, is_dir) {
                continue;
            }
            if is_dir {
                self.folders.watch_new(&path)?;
            }
            paths.push(path);
        }
        Ok(())
    }
}
