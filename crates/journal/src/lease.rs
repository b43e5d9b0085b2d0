//! Leases: at most one holder plays a role, for a time, under an epoch that only grows.
//!
//! Why an epoch: a holder that was suspended does not know that its time ran out. Whatever it does in
//! the store names its epoch, and a stale one is refused.
//! When a lease is given: when nobody holds the role, the time is up, or the holder itself asks again.
//! At the end of its time it lapses by itself; the epoch stays and the next taking counts on from it.

use std::time::Duration;

use jiff::Timestamp;

use crate::error::TxError;
use crate::row::time;
use crate::tx::Tx;

/// The right to play a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Names this holding among all of the role.
    pub epoch: u64,
    /// When it lapses unless renewed.
    pub expires_at: Timestamp,
}

/// A row of the table.
struct Held {
    owner: Option<String>,
    epoch: u64,
    expires_at: i64,
}

impl Tx<'_> {
    /// Takes `role` for `owner` for the time `ttl`; `None` when somebody else holds it.
    ///
    /// # Errors
    /// [`TxError::Sqlite`] when the database refuses.
    pub fn take_lease(
        &mut self,
        role: &str,
        owner: &str,
        ttl: Duration,
    ) -> Result<Option<Lease>, TxError> {
        let held = self.held(role)?;
        if let Some(held) = &held
            && held.expires_at > self.now_us()
            && held.owner.as_deref().is_some_and(|holder| holder != owner)
        {
            return Ok(None);
        }
        let epoch = held.map_or(0, |held| held.epoch) + 1;
        self.write_lease(role, Some(owner), epoch, self.after(ttl))
            .map(Some)
    }

    /// Holds on to `role` until `ttl` from now.
    ///
    /// # Errors
    /// [`TxError::StaleEpoch`] when the lease has lapsed, was released or is held under another epoch.
    pub fn renew_lease(&mut self, role: &str, epoch: u64, ttl: Duration) -> Result<Lease, TxError> {
        let owner = self.valid(role, epoch)?;
        self.write_lease(role, Some(&owner), epoch, self.after(ttl))
    }

    /// Gives `role` back.
    ///
    /// # Errors
    /// [`TxError::StaleEpoch`] when the lease has lapsed, was released or is held under another epoch.
    pub fn release_lease(&mut self, role: &str, epoch: u64) -> Result<(), TxError> {
        self.valid(role, epoch)?;
        self.write_lease(role, None, epoch, self.now_us()).map(drop)
    }

    /// Refuses when `epoch` is not the one under which `role` is held now.
    ///
    /// # Errors
    /// [`TxError::StaleEpoch`] when the lease has lapsed, was released or is held under another epoch.
    pub fn check_lease(&self, role: &str, epoch: u64) -> Result<(), TxError> {
        self.valid(role, epoch).map(drop)
    }

    fn held(&self, role: &str) -> Result<Option<Held>, TxError> {
        self.own_row(
            "SELECT owner, epoch, expires_at FROM leases WHERE role = ?1",
            [role],
            |row| {
                Ok(Held {
                    owner: row.get(0)?,
                    epoch: row.get(1)?,
                    expires_at: row.get(2)?,
                })
            },
        )
    }

    fn valid(&self, role: &str, epoch: u64) -> Result<String, TxError> {
        let held = self.held(role)?;
        let current = held.as_ref().map_or(0, |held| held.epoch);
        match held {
            Some(Held {
                owner: Some(owner),
                expires_at,
                ..
            }) if current == epoch && expires_at > self.now_us() => Ok(owner),
            _ => Err(TxError::StaleEpoch {
                name: role.to_owned(),
                given: epoch,
                current,
            }),
        }
    }

    fn write_lease(
        &mut self,
        role: &str,
        owner: Option<&str>,
        epoch: u64,
        expires_at: i64,
    ) -> Result<Lease, TxError> {
        self.own(
            "INSERT INTO leases (role, owner, epoch, expires_at) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (role) DO UPDATE
             SET owner = excluded.owner, epoch = excluded.epoch, expires_at = excluded.expires_at",
            rusqlite::params![role, owner, epoch, expires_at],
        )?;
        Ok(Lease {
            epoch,
            expires_at: time(expires_at).unwrap_or(Timestamp::MAX),
        })
    }
}
