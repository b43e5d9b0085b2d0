//! Cursors: how far each consumer has read, and who may move them on.
//!
//! Why an epoch: a consumer that was believed dead may come back. Whoever starts takes the cursor and
//! gets a higher epoch; from then on the former holder can no longer move it, and since the cursor
//! moves in the same transaction as the consumer's effects, its effects are refused with it.

use tradewind_core::Seq;

use crate::error::TxError;
use crate::reader::clamp;
use crate::tx::Tx;

/// How far a consumer has read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The last event that it has dealt with.
    pub seq: Seq,
    /// Which holder moves it; grows by one with each taking.
    pub epoch: u64,
}

impl Tx<'_> {
    /// Returns the cursor of `consumer`, or `None` when it never took one.
    ///
    /// # Errors
    /// [`TxError::Sqlite`] when the database refuses.
    pub fn cursor(&self, consumer: &str) -> Result<Option<Cursor>, TxError> {
        self.own_row(
            "SELECT seq, epoch FROM cursors WHERE consumer = ?1",
            [consumer],
            |row| {
                Ok(Cursor {
                    seq: Seq(row.get(0)?),
                    epoch: row.get(1)?,
                })
            },
        )
    }

    /// Takes the cursor of `consumer` under a new epoch; a starting consumer calls this.
    ///
    /// # Errors
    /// [`TxError::Sqlite`] when the database refuses.
    pub fn take_cursor(&mut self, consumer: &str) -> Result<Cursor, TxError> {
        self.own(
            "INSERT INTO cursors (consumer, seq, epoch) VALUES (?1, 0, 1)
             ON CONFLICT (consumer) DO UPDATE SET epoch = epoch + 1",
            [consumer],
        )?;
        Ok(self.cursor(consumer)?.unwrap_or(Cursor {
            seq: Seq::ZERO,
            epoch: 1,
        }))
    }

    /// Moves the cursor of `consumer` on to `seq`.
    ///
    /// # Errors
    /// [`TxError::StaleEpoch`] when another holder has taken it since (or nobody ever has),
    /// [`TxError::CursorRange`] when `seq` lies before the cursor or after the last event.
    pub fn set_cursor(&mut self, consumer: &str, seq: Seq, epoch: u64) -> Result<(), TxError> {
        // Epochs begin at 1: nobody holds a cursor that was never taken.
        let current = self.cursor(consumer)?.unwrap_or(Cursor {
            seq: Seq::ZERO,
            epoch: 0,
        });
        if current.epoch != epoch || epoch == 0 {
            return Err(TxError::StaleEpoch {
                name: consumer.to_owned(),
                given: epoch,
                current: current.epoch,
            });
        }
        if seq < current.seq || seq > self.head.last {
            return Err(TxError::CursorRange {
                name: consumer.to_owned(),
                given: seq,
                current: current.seq,
            });
        }
        self.own(
            "UPDATE cursors SET seq = ?2 WHERE consumer = ?1",
            rusqlite::params![consumer, clamp(seq.0)],
        )?;
        Ok(())
    }
}
