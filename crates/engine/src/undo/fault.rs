//! Crashes on purpose, for tests: the code that puts things back passes numbered points.
//!
//! Why in the real code: a test that kills a process hits few of the moments that matter; one that
//! stops at the n-th point hits all of them. Without a test it is one comparison per step.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::{Below, UndoError};

/// Counts points and stops at one.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    points: Option<Arc<Points>>,
}

#[derive(Default)]
struct Points {
    passed: AtomicU64,
    stop_at: AtomicU64,
    meanwhile: Mutex<Option<(u64, Meanwhile)>>,
}

/// What somebody else does while a point is passed.
type Meanwhile = Box<dyn FnOnce() + Send>;

impl fmt::Debug for Points {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Points")
            .field("passed", &self.passed)
            .field("stop_at", &self.stop_at)
            .finish_non_exhaustive()
    }
}

impl Faults {
    /// Never stops.
    pub fn none() -> Self {
        Self::default()
    }

    /// Counts, and stops where [`stop_at`](Self::stop_at) says.
    pub fn counting() -> Self {
        Self {
            points: Some(Arc::default()),
        }
    }

    /// Stops at the n-th point from now, from 1; 0 stops never.
    pub fn stop_at(&self, point: u64) {
        if let Some(points) = &self.points {
            points.passed.store(0, Ordering::SeqCst);
            points.stop_at.store(point, Ordering::SeqCst);
        }
    }

    /// Lets somebody else do something at the n-th point from now, from 1, without a crash.
    pub fn meanwhile_at(&self, point: u64, other: impl FnOnce() + Send + 'static) {
        self.stop_at(0);
        if let Some(points) = &self.points {
            *points.lock() = Some((point, Box::new(other)));
        }
    }

    /// Returns how many points were passed since the last [`stop_at`](Self::stop_at).
    pub fn passed(&self) -> u64 {
        self.points
            .as_ref()
            .map_or(0, |points| points.passed.load(Ordering::SeqCst))
    }

    /// A point: an error here is a crash here.
    pub(super) fn point(&self) -> Result<(), UndoError> {
        let Some(points) = &self.points else {
            return Ok(());
        };
        let number = points.passed.fetch_add(1, Ordering::SeqCst) + 1;
        let due = points.lock().take_if(|(at, _)| *at == number);
        if let Some((_, other)) = due {
            other();
        }
        if number == points.stop_at.load(Ordering::SeqCst) {
            return Err(UndoError::Below(Below::Injected));
        }
        Ok(())
    }
}

impl Points {
    fn lock(&self) -> std::sync::MutexGuard<'_, Option<(u64, Meanwhile)>> {
        self.meanwhile
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
