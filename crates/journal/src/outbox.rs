//! The outbox: messages to the outside that are decided in a transaction and sent after it.
//!
//! Why: a message sent before the commit may belong to something that never happened; one sent after
//! it may be forgotten in a crash. A message stays here until its sender says that it is done with, so
//! it goes out at least once; the receiver tells repetitions by topic and key.
//! Not here: sending, and how long to wait between attempts. A message that is finished may be
//! enqueued again under the same key; who must not repeat it keeps a keyed event.

use jiff::Timestamp;

use crate::error::TxError;
use crate::row::time;
use crate::tx::Tx;

/// A message that waits to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its number; never used again.
    pub id: i64,
    /// Whose business it is.
    pub topic: String,
    /// Its name within the topic.
    pub key: String,
    /// Attempts that went wrong.
    pub attempts: u32,
    /// Not to be sent before this.
    pub not_before: Timestamp,
    /// What to send.
    pub data: String,
}

impl Tx<'_> {
    /// Puts a message into the outbox and returns its number; one that waits under the same topic and
    /// key stays as it is and yields its number.
    ///
    /// # Errors
    /// [`TxError::Sqlite`] when the database refuses.
    pub fn enqueue(
        &mut self,
        topic: &str,
        key: &str,
        not_before: Timestamp,
        data: &str,
    ) -> Result<i64, TxError> {
        let waiting = self.own_row(
            "SELECT id FROM outbox WHERE topic = ?1 AND key = ?2",
            [topic, key],
            |row| row.get(0),
        )?;
        if let Some(id) = waiting {
            return Ok(id);
        }
        self.own(
            "INSERT INTO outbox (topic, key, not_before, data) VALUES (?1, ?2, ?3, ?4)",
            rusqlite::params![topic, key, not_before.as_microsecond(), data],
        )?;
        Ok(self.conn.last_insert_rowid())
    }

    /// Returns the messages of `topic` that may be sent by now, the longest waiting first, at most `limit`.
    ///
    /// # Errors
    /// [`TxError::Sqlite`] when the database refuses.
    pub fn due_messages(&self, topic: &str, limit: usize) -> Result<Vec<Message>, TxError> {
        self.own_rows(
            "SELECT id, topic, key, attempts, not_before, data FROM outbox
             WHERE topic = ?1 AND not_before <= ?2 ORDER BY not_before, id LIMIT ?3",
            rusqlite::params![topic, self.now_us(), crate::reader::clamp(limit as u64)],
            |row| {
                Ok(Message {
                    id: row.get(0)?,
                    topic: row.get(1)?,
                    key: row.get(2)?,
                    attempts: row.get(3)?,
                    not_before: time(row.get(4)?).unwrap_or(Timestamp::MAX),
                    data: row.get(5)?,
                })
            },
        )
    }

    /// Returns when the next message of `topic` may be sent, which may be in the past.
    ///
    /// # Errors
    /// [`TxError::Sqlite`] when the database refuses.
    pub fn next_message_due(&self, topic: &str) -> Result<Option<Timestamp>, TxError> {
        let due = self.own_row(
            "SELECT min(not_before) FROM outbox WHERE topic = ?1",
            [topic],
            |row| row.get::<_, Option<i64>>(0),
        )?;
        Ok(due.flatten().and_then(time))
    }

    /// Counts an attempt that went wrong and lets the message wait until `not_before`; returns whether it is there.
    ///
    /// # Errors
    /// [`TxError::Sqlite`] when the database refuses.
    pub fn retry_message(
        &mut self,
        id: i64,
        not_before: Timestamp,
        error: &str,
    ) -> Result<bool, TxError> {
        let changed = self.own(
            "UPDATE outbox SET attempts = attempts + 1, not_before = ?2, error = ?3 WHERE id = ?1",
            rusqlite::params![id, not_before.as_microsecond(), error],
        )?;
        Ok(changed > 0)
    }

    /// Takes a message out: it was sent, or is given up; returns whether it was there.
    ///
    /// # Errors
    /// [`TxError::Sqlite`] when the database refuses.
    pub fn finish_message(&mut self, id: i64) -> Result<bool, TxError> {
        let changed = self.own("DELETE FROM outbox WHERE id = ?1", [id])?;
        Ok(changed > 0)
    }
}
