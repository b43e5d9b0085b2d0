//! The ledger's tables in the journal's store.
//!
//! Why there: a debit and the event that tells of it are one transaction, and the journal's writer puts
//! the debits of all who wait into one flush. Not here: what the rows mean ([`crate::record`]).

use tradewind_core::payload::Payload;
use tradewind_core::{Draft, Uptime};
use tradewind_journal::rusqlite::{Row, params};
use tradewind_journal::{Journal, ReadError, Reader, Tx, TxError};

use crate::record::{GateRow, LeaseRow, Records, Transition, Write};
use crate::server_clock::Offset;

const NAMESPACE: &str = "quota";

/// Statements that made the tables, in order; one is added for each change, none is ever edited.
const STEPS: &[&str] = &[
    "CREATE TABLE quota_leases (
        id INTEGER PRIMARY KEY,
        window TEXT NOT NULL,
        symbol BLOB CHECK (symbol IS NULL OR length(symbol) = 16),
        units INTEGER NOT NULL,
        is_open INTEGER NOT NULL,
        boot TEXT,
        stamp_us INTEGER NOT NULL,
        server_us INTEGER
    ) STRICT",
    "CREATE INDEX quota_leases_by_window ON quota_leases (window, stamp_us) WHERE is_open = 0",
    "CREATE TABLE quota_gates (
        gate TEXT PRIMARY KEY,
        boot TEXT,
        written_us INTEGER NOT NULL,
        closed_until_us INTEGER,
        is_banned INTEGER NOT NULL,
        bans INTEGER NOT NULL,
        offset_low_us INTEGER,
        offset_high_us INTEGER
    ) STRICT, WITHOUT ROWID",
];

const LEASES: &str = "SELECT id, window, symbol, units, is_open, boot, stamp_us, server_us
    FROM quota_leases ORDER BY id";
const GATES: &str =
    "SELECT gate, boot, written_us, closed_until_us, is_banned, bans, offset_low_us, offset_high_us
    FROM quota_gates ORDER BY gate";

/// Where the ledger is written down. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    journal: Journal,
    boot: Option<String>,
}

impl Store {
    /// Makes or migrates the tables; blocks the calling thread.
    ///
    /// # Errors
    /// [`TxError`] when a newer program made them or the journal no longer writes.
    pub fn open(journal: Journal, uptime: &dyn Uptime) -> Result<Self, TxError> {
        journal.migrate(NAMESPACE, STEPS)?;
        Ok(Self {
            journal,
            boot: uptime.boot(),
        })
    }

    /// Reads everything that was written down; blocks the calling thread.
    ///
    /// # Errors
    /// [`TxError`] when the store cannot be read.
    pub fn records(&self) -> Result<Records, TxError> {
        self.journal.transact_blocking(|tx| {
            Ok(Records {
                leases: tx.query(LEASES, [], lease_row)?,
                gates: tx.query(GATES, [], gate_row)?,
            })
        })
    }

    /// Carries `writes` out, all or none, and waits until they are on disk.
    ///
    /// # Errors
    /// [`TxError`] when the journal refuses; nothing is written then.
    pub async fn write(&self, writes: Vec<Write>) -> Result<(), TxError> {
        let boot = self.boot.clone();
        self.journal
            .transact(move |tx| {
                for write in &writes {
                    apply(tx, write, boot.as_deref())?;
                }
                Ok(())
            })
            .await
    }
}

/// Reads what a ledger has written down, without one; none where there never was one.
///
/// # Errors
/// [`ReadError`].
pub(crate) fn kept(reader: &Reader) -> Result<Option<Records>, ReadError> {
    let has_tables = reader.query(
        "SELECT 1 FROM sqlite_schema WHERE name = 'quota_gates'",
        [],
        |row| row.get::<_, i64>(0),
    )?;
    if has_tables.is_empty() {
        return Ok(None);
    }
    Ok(Some(Records {
        leases: reader.query(LEASES, [], lease_row)?,
        gates: reader.query(GATES, [], gate_row)?,
    }))
}

fn apply(tx: &mut Tx<'_>, write: &Write, boot: Option<&str>) -> Result<(), TxError> {
    const PUT: &str = "INSERT OR REPLACE INTO quota_leases
        (id, window, symbol, units, is_open, boot, stamp_us) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    match write {
        Write::Open {
            id,
            window,
            symbol,
            units,
        } => tx.execute(
            PUT,
            params![id, window, symbol.as_ref().map(<[u8; 16]>::as_slice), units, true, boot, 0],
        )?,
        Write::Foreign {
            id,
            window,
            units,
            stamp_us,
        } => tx.execute(
            PUT,
            params![id, window, None::<&[u8]>, units, false, boot, stamp_us],
        )?,
        Write::Close { id, units: 0, .. } => {
            tx.execute("DELETE FROM quota_leases WHERE id = ?1", [id])?
        }
        Write::Close {
            id,
            units,
            stamp_us,
        } => tx.execute(
            "UPDATE quota_leases SET units = ?2, is_open = 0, boot = ?3, stamp_us = ?4, server_us = NULL
             WHERE id = ?1",
            params![id, units, boot, stamp_us],
        )?,
        Write::Doubt {
            id,
            stamp_us,
            server_us,
        } => tx.execute(
            "UPDATE quota_leases SET boot = ?2, stamp_us = ?3, server_us = ?4 WHERE id = ?1",
            params![id, boot, stamp_us, server_us],
        )?,
        Write::Forget { window, until_us } => tx.execute(
            "DELETE FROM quota_leases
             WHERE window = ?1 AND is_open = 0 AND stamp_us <= ?2 AND boot IS ?3",
            params![window, until_us, boot],
        )?,
        Write::Gate(row) => tx.execute(
            "INSERT OR REPLACE INTO quota_gates (gate, boot, written_us, closed_until_us, is_banned,
                bans, offset_low_us, offset_high_us) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![
                row.gate,
                row.boot,
                row.written_us,
                row.closed_until_us,
                row.is_banned,
                row.bans,
                row.offset.map(|offset| offset.low_us),
                row.offset.map(|offset| offset.high_us),
            ],
        )?,
        Write::Tell(transition) => {
            tell(tx, transition)?;
            1
        }
    };
    Ok(())
}

fn tell(tx: &mut Tx<'_>, transition: &Transition) -> Result<(), TxError> {
    match transition {
        Transition::Exhausted(body) => append(tx, body, &body.provider),
        Transition::Corrected(body) => append(tx, body, &body.provider),
        Transition::Banned(body) => append(tx, body, &body.provider),
        Transition::KeyRefused(body) => append(tx, body, &body.provider),
        Transition::BreakerOpened(body) => append(tx, body, &body.provider),
        Transition::BreakerClosed(body) => append(tx, body, &body.provider),
        Transition::Recovered(body) => append(tx, body, ""),
    }
}

fn append<P: Payload>(tx: &mut Tx<'_>, body: &P, subject: &str) -> Result<(), TxError> {
    let draft = Draft::new(tx.now(), body).map_err(|error| TxError::Append(error.into()))?;
    tx.append(draft.about(subject)).map(drop)
}

fn lease_row(row: &Row<'_>) -> tradewind_journal::rusqlite::Result<LeaseRow> {
    Ok(LeaseRow {
        id: row.get(0)?,
        window: row.get(1)?,
        symbol: row.get(2)?,
        units: row.get(3)?,
        is_open: row.get(4)?,
        boot: row.get(5)?,
        stamp_us: row.get(6)?,
        server_us: row.get(7)?,
    })
}

fn gate_row(row: &Row<'_>) -> tradewind_journal::rusqlite::Result<GateRow> {
    let (low, high): (Option<i64>, Option<i64>) = (row.get(6)?, row.get(7)?);
    Ok(GateRow {
        gate: row.get(0)?,
        boot: row.get(1)?,
        written_us: row.get(2)?,
        closed_until_us: row.get(3)?,
        is_banned: row.get(4)?,
        bans: row.get(5)?,
        offset: low
            .zip(high)
            .map(|(low_us, high_us)| Offset { low_us, high_us }),
    })
}
