//! The manifest: which files a store names, with what is known of their bars, as rows and text.
//!
//! Not here: transactions ([`super`]), the files' content ([`crate::rows`]).

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;

use tradewind_journal::rusqlite::Row;

use crate::coverage::{Coverage, Known, Proof};
use crate::grid::Key;

/// Statements that made the tables, in order; one is added for each change, none is ever edited.
pub(super) const STEPS: &[&str] = &[
    "CREATE TABLE market_series (
        id INTEGER PRIMARY KEY,
        identity TEXT NOT NULL UNIQUE,
        final_before INTEGER,
        used_us INTEGER NOT NULL
    ) STRICT",
    "CREATE TABLE market_segments (
        series INTEGER NOT NULL,
        slot INTEGER NOT NULL,
        digest TEXT,
        rows INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        coverage TEXT NOT NULL,
        PRIMARY KEY (series, slot)
    ) STRICT, WITHOUT ROWID",
    "CREATE TABLE market_revisions (
        series INTEGER NOT NULL,
        key INTEGER NOT NULL,
        at_us INTEGER NOT NULL,
        was TEXT NOT NULL,
        now TEXT NOT NULL,
        PRIMARY KEY (series, key, at_us)
    ) STRICT, WITHOUT ROWID",
    "CREATE TABLE market_usage (
        day TEXT NOT NULL,
        consumer TEXT NOT NULL,
        provider TEXT NOT NULL,
        what TEXT NOT NULL,
        answers INTEGER NOT NULL,
        hits INTEGER NOT NULL,
        calls INTEGER NOT NULL,
        rows INTEGER NOT NULL,
        failures INTEGER NOT NULL,
        PRIMARY KEY (day, consumer, provider, what)
    ) STRICT, WITHOUT ROWID",
    "CREATE TABLE market_imports (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        identity TEXT NOT NULL,
        what TEXT NOT NULL,
        at_us INTEGER NOT NULL,
        bars INTEGER NOT NULL,
        spans TEXT NOT NULL,
        state TEXT NOT NULL
    ) STRICT",
];

pub(super) fn digest(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().chars().take(32).collect()
}

pub(super) fn name(series: i64, slot: Key, digest: &str) -> String {
    format!("{series}_{slot}_{digest}.arrow")
}

pub(super) fn sweep(dir: &Path, named: &BTreeSet<String>) {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return;
    };
    for entry in entries.flatten() {
        let file = entry.file_name();
        let Some(file) = file.to_str() else { continue };
        let is_ours = file.split('_').count() == 3 && file.strip_suffix(".arrow").is_some();
        if is_ours && !named.contains(file) {
            drop(std::fs::remove_file(entry.path()));
        }
    }
}

pub(super) fn segment_row(
    row: &Row<'_>,
) -> tradewind_journal::rusqlite::Result<(Key, Option<String>, String)> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
}

/// Writes coverage as `start+length` and what is known: `b` a bar, `c`, `a` and `f` the proofs that there is none.
pub(super) fn write_coverage(coverage: &Coverage, span: &Range<Key>) -> String {
    let mut text = String::new();
    for (range, known) in coverage.parts(span) {
        let letter = match known {
            Known::Bar => 'b',
            Known::Empty(Proof::Closed) => 'c',
            Known::Empty(Proof::Answered) => 'a',
            Known::Empty(Proof::BeforeFirst) => 'f',
        };
        text.push_str(&format!(
            "{}+{}{letter} ",
            range.start,
            range.end - range.start
        ));
    }
    text
}

/// Reads what [`write_coverage`] wrote; what cannot be read is unknown.
pub(super) fn read_coverage(text: &str) -> Vec<(Range<Key>, Known)> {
    let part = |word: &str| {
        let known = match word.chars().next_back()? {
            'b' => Known::Bar,
            'c' => Known::Empty(Proof::Closed),
            'a' => Known::Empty(Proof::Answered),
            'f' => Known::Empty(Proof::BeforeFirst),
            _ => return None,
        };
        let (start, length) = word.get(..word.len() - 1)?.split_once('+')?;
        let (start, length): (Key, Key) = (start.parse().ok()?, length.parse().ok()?);
        (length > 0).then(|| (start..start.saturating_add(length), known))
    };
    text.split_whitespace().filter_map(part).collect()
}
