//! Schedules: things to do at a time, kept over a restart.
//!
//! Not here: the timer that wakes up for them, and what "every Monday" means; a schedule is one time,
//! and whoever acts on it sets the next one in the same transaction.

use jiff::Timestamp;

use crate::error::TxError;
use crate::row::time;
use crate::tx::Tx;

/// Something to do at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Its name; there is one of each.
    pub name: String,
    /// When it is due.
    pub due_at: Timestamp,
    /// What its owner needs to know then.
    pub data: String,
}

impl Tx<'_> {
    /// Sets what is due under `name`, in place of what was set before.
    ///
    /// # Errors
    /// [`TxError::Sqlite`] when the database refuses.
    pub fn set_schedule(
        &mut self,
        name: &str,
        due_at: Timestamp,
        data: &str,
    ) -> Result<(), TxError> {
        self.own(
            "INSERT INTO schedules (name, due_at, data) VALUES (?1, ?2, ?3)
             ON CONFLICT (name) DO UPDATE SET due_at = excluded.due_at, data = excluded.data",
            rusqlite::params![name, due_at.as_microsecond(), data],
        )?;
        Ok(())
    }

    /// Forgets what is due under `name`; returns whether there was something.
    ///
    /// # Errors
    /// [`TxError::Sqlite`] when the database refuses.
    pub fn cancel_schedule(&mut self, name: &str) -> Result<bool, TxError> {
        let cancelled = self.own("DELETE FROM schedules WHERE name = ?1", [name])?;
        Ok(cancelled > 0)
    }

    /// Returns what is due by now, the longest overdue first, at most `limit`.
    ///
    /// # Errors
    /// [`TxError::Sqlite`] when the database refuses.
    pub fn due_schedules(&self, limit: usize) -> Result<Vec<Schedule>, TxError> {
        self.own_rows(
            "SELECT name, due_at, data FROM schedules WHERE due_at <= ?1 ORDER BY due_at, name LIMIT ?2",
            [self.now_us(), crate::reader::clamp(limit as u64)],
            |row| {
                Ok(Schedule {
                    name: row.get(0)?,
                    due_at: time(row.get(1)?).unwrap_or(Timestamp::MAX),
                    data: row.get(2)?,
                })
            },
        )
    }

    /// Returns when the next thing is due, which may be in the past.
    ///
    /// # Errors
    /// [`TxError::Sqlite`] when the database refuses.
    pub fn next_due(&self) -> Result<Option<Timestamp>, TxError> {
        let due = self.own_row("SELECT min(due_at) FROM schedules", [], |row| {
            row.get::<_, Option<i64>>(0)
        })?;
        Ok(due.flatten().and_then(time))
    }
}
