//! Following the journal: sleep until there is something new, then read it.
//!
//! Why: rules and projections live from the events as they come. The writer announces its last seq
//! after each commit; a follower wakes, reads from its own connection, and never makes the writer wait.
//! Not here: remembering how far one has come ([`crate::cursor`]); followers in other processes poll.

use std::path::PathBuf;

use tokio::sync::watch;
use tradewind_core::{Event, Seq};

use crate::error::ReadError;
use crate::reader::Reader;

/// Upper bound on the events of one batch.
pub const MAX_FOLLOW_BATCH: usize = 512;

/// A place in the journal that moves on with it.
#[derive(Debug)]
pub struct Follow {
    dir: PathBuf,
    last: watch::Receiver<Seq>,
    after: Seq,
    /// Opened at first use; lost, and opened again, when a call to `next` is cancelled while reading.
    reader: Option<Reader>,
}

impl Follow {
    pub(crate) fn new(dir: PathBuf, last: watch::Receiver<Seq>, after: Seq) -> Self {
        Self {
            dir,
            last,
            after,
            reader: None,
        }
    }

    /// Returns the last event that was handed out.
    pub fn position(&self) -> Seq {
        self.after
    }

    /// Waits for events after the last one handed out, and returns them: at least one, at most 512.
    ///
    /// Cancel-safe: a call that is dropped hands out nothing, and the next call begins at the same place.
    ///
    /// # Errors
    /// [`ReadError::Closed`] when every handle of the journal is gone and all has been handed out;
    /// otherwise as [`Reader::get`].
    pub async fn next(&mut self) -> Result<Vec<Event>, ReadError> {
        loop {
            let after = self.after;
            // An error means that the writer has ended; what it wrote is still there to be read.
            let is_closed = self.last.wait_for(|last| *last > after).await.is_err();
            let announced = *self.last.borrow();
            if is_closed && announced <= after {
                return Err(ReadError::Closed);
            }
            let reader = self.reader.take();
            let dir = self.dir.clone();
            let read = tokio::task::spawn_blocking(move || {
                let reader = match reader {
                    Some(reader) => reader,
                    None => Reader::open(&dir)?,
                };
                let events = reader.after(after, MAX_FOLLOW_BATCH)?;
                Ok::<_, ReadError>((reader, events))
            });
            let (reader, events) = match read.await {
                Ok(result) => result?,
                Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                Err(_shutdown) => return Err(ReadError::Closed),
            };
            self.reader = Some(reader);
            if let Some(event) = events.last() {
                self.after = event.seq;
                return Ok(events);
            }
            // All of it was pruned before it could be read.
            self.after = announced;
        }
    }
}
