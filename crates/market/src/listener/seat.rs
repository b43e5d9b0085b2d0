//! The connections of a listener: who has one, how long it may say nothing, and how it is told to go.
//!
//! Why not a timer for each head and a wait for the end beside each connection, which hyper and `select!` offer: both
//! are armed and taken down again for every answer, and a hit costs little more than that
//! (docs/decisions/0012). Here a connection reads one number; whoever keeps the seats looks at them once in a
//! [`TICK`] and wakes only those that have to go.
//! Not here: what is answered ([`super`]).

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::task::Waker;
use std::time::Duration;

use futures_util::task::AtomicWaker;
use tokio::task::Id;

/// How often seats are looked at.
pub(super) const TICK: Duration = Duration::from_secs(1);
/// [`Seat::waits_since`] while it is being answered.
const ANSWERED: u64 = u64::MAX;

/// What a connection is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// Stay.
    Stay,
    /// Give the answer that is under way, then go.
    Finish,
    /// Go: nothing was asked for too long.
    Leave,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Seat {
    /// The tick since which it waits for the head of a request.
    waits_since: AtomicU64,
    word: AtomicU8,
    waker: AtomicWaker,
}

impl Seat {
    /// Reads what it is told; `waker` is woken when that changes.
    pub(super) fn word(&self, waker: &Waker) -> Word {
        // First registered, then read: a word that comes in between wakes.
        self.waker.register(waker);
        match self.word.load(Ordering::Acquire) {
            0 => Word::Stay,
            1 => Word::Finish,
            _ => Word::Leave,
        }
    }

    /// It has asked, and may take as long as the answer does.
    pub(super) fn asks(&self) {
        self.waits_since.store(ANSWERED, Ordering::Relaxed);
    }

    /// It has its answer.
    pub(super) fn waits(&self, tick: u64) {
        self.waits_since.store(tick, Ordering::Relaxed);
    }

    fn tell(&self, word: Word) {
        let number = match word {
            Word::Stay => 0,
            Word::Finish => 1,
            Word::Leave => 2,
        };
        self.word.store(number, Ordering::Release);
        self.waker.wake();
    }
}

/// All connections of one listener.
#[derive(Debug, Default)]
pub(super) struct Seats {
    taken: HashMap<Id, Arc<Seat>>,
}

impl Seats {
    /// Makes a seat for a connection that comes at `tick`.
    pub(super) fn seat(tick: u64) -> Arc<Seat> {
        Arc::new(Seat {
            waits_since: AtomicU64::new(tick),
            word: AtomicU8::new(0),
            waker: AtomicWaker::new(),
        })
    }

    /// Keeps the seat of the task that serves it.
    pub(super) fn take(&mut self, id: Id, seat: Arc<Seat>) {
        self.taken.insert(id, seat);
    }

    /// Its task has ended.
    pub(super) fn free(&mut self, id: Id) {
        self.taken.remove(&id);
    }

    /// Tells those to leave that have waited for `limit` ticks.
    pub(super) fn look(&self, tick: u64, limit: u64) {
        for seat in self.taken.values() {
            let since = seat.waits_since.load(Ordering::Relaxed);
            if since != ANSWERED && tick.saturating_sub(since) >= limit {
                seat.tell(Word::Leave);
            }
        }
    }

    /// Tells everybody to finish.
    pub(super) fn end(&self) {
        for seat in self.taken.values() {
            seat.tell(Word::Finish);
        }
    }
}
