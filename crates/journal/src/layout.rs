//! The store's tables, their version, and the steps from one version to the next.
//!
//! Why a version: a program must refuse a store that it does not understand, and must bring an older
//! one up to date. The version is SQLite's `user_version`; a step brings version `n` to `n + 1`, and
//! the first step makes an empty file a journal. What never changes: a step that was released.
//! The file stays readable with the `sqlite3` tool: `SELECT * FROM log` shows names and times.

use rusqlite::{Connection, OptionalExtension as _};

use crate::chain::Hash;
use tradewind_core::{JournalId, Seq};

/// Marks the file as ours in SQLite's header: the letters `TWjl`.
pub(crate) const APPLICATION_ID: i32 = 0x5457_6a6c;

/// The steps of this program; their number is its layout version.
pub(crate) const STEPS: &[&str] = &[include_str!("layout/0001.sql")];

/// Returns the layout version that `steps` lead to.
pub(crate) fn version_of(steps: &[&str]) -> u32 {
    u32::try_from(steps.len()).unwrap_or(u32::MAX)
}

/// Where the chain begins: the event before the first one that is kept, and its hash.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Anchor {
    pub seq: Seq,
    pub hash: Hash,
}

/// What a file says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// No tables at all.
    Empty,
    /// A journal of this layout.
    Journal(u32),
    /// Something else.
    Foreign,
}

/// Reads what the file behind `conn` is.
pub(crate) fn find(conn: &Connection) -> rusqlite::Result<Found> {
    let pragma = |name| conn.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let tables: i64 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let application = pragma("application_id")?;
    let version = pragma("user_version")?;
    Ok(if tables == 0 && application == 0 && version == 0 {
        Found::Empty
    } else if application == i64::from(APPLICATION_ID) {
        Found::Journal(u32::try_from(version).unwrap_or(u32::MAX))
    } else {
        Found::Foreign
    })
}

/// Says whether the store defines every table, index and view of the layout just as [`STEPS`] do. Tables
/// of the rooms are not looked at.
pub(crate) fn is_as_built(conn: &Connection) -> rusqlite::Result<bool> {
    const DEFINITIONS: &str = "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name";
    type Definition = (String, String, String, Option<String>);
    let definitions = |conn: &Connection| -> rusqlite::Result<Vec<Definition>> {
        conn.prepare(DEFINITIONS)?
            .query_map([], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            })?
            .collect()
    };
    let model = Connection::open_in_memory()?;
    for step in STEPS {
        model.execute_batch(step)?;
    }
    let found = definitions(conn)?;
    Ok(definitions(&model)?
        .iter()
        .all(|definition| found.contains(definition)))
}

/// Reads the journal's id.
pub(crate) fn journal_id(conn: &Connection) -> rusqlite::Result<Option<JournalId>> {
    let bytes = conn
        .query_row("SELECT value FROM meta WHERE name = 'journal'", [], |row| {
            row.get::<_, [u8; 16]>(0)
        })
        .optional()?;
    Ok(bytes.map(JournalId::from_bytes))
}

/// Reads the anchor of the chain.
pub(crate) fn anchor(conn: &Connection) -> rusqlite::Result<Option<Anchor>> {
    conn.prepare_cached(
        "SELECT s.value, h.value FROM meta s, meta h WHERE s.name = 'anchor_seq' AND h.name = 'anchor_hash'",
    )?
    .query_row([], |row| {
        Ok(Anchor {
            seq: Seq(row.get(0)?),
            hash: row.get(1)?,
        })
    })
    .optional()
}

/// Writes a value of the table `meta`.
pub(crate) fn set_meta(
    conn: &Connection,
    name: &str,
    value: impl rusqlite::ToSql,
) -> rusqlite::Result<()> {
    conn.prepare_cached(
        "INSERT INTO meta (name, value) VALUES (?1, ?2)
         ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    )?
    .execute(rusqlite::params![name, value])?;
    Ok(())
}
