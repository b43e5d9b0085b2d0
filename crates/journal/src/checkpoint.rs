//! Checkpoints: the saved state of a projection, so that it need not replay from the first event.
//!
//! What they are not: the truth. A checkpoint may be dropped at any time; the events bring it back.

use tradewind_core::Seq;

use crate::error::TxError;
use crate::reader::clamp;
use crate::tx::Tx;

impl Tx<'_> {
    /// Saves the state of `projection` after `seq`, in place of the one saved before.
    ///
    /// # Errors
    /// [`TxError::Sqlite`] when the database refuses.
    pub fn checkpoint(&mut self, projection: &str, seq: Seq, state: &[u8]) -> Result<(), TxError> {
        self.own(
            "INSERT INTO checkpoints (projection, seq, state) VALUES (?1, ?2, ?3)
             ON CONFLICT (projection) DO UPDATE SET seq = excluded.seq, state = excluded.state",
            rusqlite::params![projection, clamp(seq.0), state],
        )?;
        Ok(())
    }

    /// Returns the state of `projection` that was saved last, and after which event.
    ///
    /// # Errors
    /// [`TxError::Sqlite`] when the database refuses.
    pub fn load_checkpoint(&self, projection: &str) -> Result<Option<(Seq, Vec<u8>)>, TxError> {
        self.own_row(
            "SELECT seq, state FROM checkpoints WHERE projection = ?1",
            [projection],
            |row| Ok((Seq(row.get(0)?), row.get(1)?)),
        )
    }

    /// Forgets the saved state of `projection`; returns whether there was one.
    ///
    /// # Errors
    /// [`TxError::Sqlite`] when the database refuses.
    pub fn drop_checkpoint(&mut self, projection: &str) -> Result<bool, TxError> {
        let dropped = self.own(
            "DELETE FROM checkpoints WHERE projection = ?1",
            [projection],
        )?;
        Ok(dropped > 0)
    }
}
