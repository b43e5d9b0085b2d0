//! Stores of every released layout, kept for ever: see `tests/samples/README.md`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tradewind_core::{EventKind, RepositoryId, Seq};
use tradewind_journal::{Journal, Reader};

use crate::support::{Place, at, draft, runtime};

/// The newest layout; raise it together with a new sample.
const NEWEST: u32 = 1;

fn sample(layout: u32) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/samples/layout-{layout}.db"))
}

/// Fills a store with some of everything. What it appends is part of the samples: never change it.
fn fill(place: &Place, journal: &Journal) {
    let repository = RepositoryId::from_bytes(*b"sample repositor");
    journal
        .migrate(
            "sample",
            &["CREATE TABLE sample_notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL)"],
        )
        .unwrap();
    journal
        .append_blocking(draft("plain").about("src/bot.py").with_key("key/1"))
        .unwrap();
    place.clock.set(at(60));
    let secret = journal
        .append_blocking(draft("secret").in_repository(repository))
        .unwrap();
    journal
        .append_blocking(draft("ünïcode \u{1f980}").caused_by(secret))
        .unwrap();
    runtime()
        .block_on(journal.erase(vec![secret], "a sample".to_owned()))
        .unwrap();
    journal
        .transact_blocking(move |tx| {
            let cursor = tx.take_cursor("rules")?;
            tx.set_cursor("rules", Seq(3), cursor.epoch)?;
            tx.take_lease("leader", "sample", Duration::from_secs(30))?;
            tx.set_schedule("weekly", at(3600), "{}")?;
            tx.enqueue("webhook", "key/1", at(0), "{\"n\":1}")?;
            tx.checkpoint("status", Seq(3), b"state")?;
            tx.execute("INSERT INTO sample_notes (text) VALUES ('a row')", [])?;
            Ok(())
        })
        .unwrap();
}

/// Writes the sample of the newest layout when asked to and when there is none.
fn write_sample() {
    if std::env::var("TRADEWIND_WRITE_SAMPLE").is_ok() && !sample(NEWEST).exists() {
        let place = Place::new();
        let journal = place.open();
        fill(&place, &journal);
        runtime().block_on(journal.backup(sample(NEWEST))).unwrap();
    }
}

#[test]
fn every_layout_that_was_ever_released_opens_and_holds_what_was_written() {
    write_sample();
    assert!(sample(NEWEST).exists(), "see tests/samples/README.md");
    assert!(!sample(NEWEST + 1).exists(), "raise NEWEST");
    for layout in 1..=NEWEST {
        let place = Place::new();
        std::fs::copy(sample(layout), place.dir.path().join("journal.db")).unwrap();
        place.clock.set(at(90));
        let journal = place.open();
        let reader = Reader::open(place.dir.path()).unwrap();
        assert_eq!(
            reader.verify(|_| {}).unwrap().problems,
            [],
            "layout {layout}"
        );
        let plain = reader.by_key("key/1").unwrap().unwrap();
        assert_eq!((plain.seq, plain.subject.as_str()), (Seq(2), "src/bot.py"));
        assert_eq!((plain.occurred_at, plain.recorded_at), (at(0), at(0)));
        assert_eq!(plain.data.unwrap().get(), r#"{"text":"plain"}"#);
        let erased = reader.get(Seq(3)).unwrap().unwrap();
        assert!(erased.data.is_none());
        assert_eq!(
            erased.repository,
            Some(RepositoryId::from_bytes(*b"sample repositor"))
        );
        let effect = reader.get(Seq(4)).unwrap().unwrap();
        assert_eq!((effect.cause, effect.correlation), (Some(Seq(3)), Seq(3)));
        assert_eq!(
            effect.data.unwrap().get(),
            "{\"text\":\"ünïcode \u{1f980}\"}"
        );
        let told = reader.get(Seq(5)).unwrap().unwrap();
        assert_eq!(told.kind, EventKind::JournalPayloadErased);
        journal
            .transact_blocking(|tx| {
                let cursor = tx.cursor("rules")?.unwrap();
                assert_eq!((cursor.seq, cursor.epoch), (Seq(3), 1));
                tx.check_lease("leader", 1).unwrap_err();
                assert_eq!(tx.next_due()?, Some(at(3600)));
                let messages = tx.due_messages("webhook", 10)?;
                assert_eq!(messages[0].data, "{\"n\":1}");
                assert_eq!(
                    tx.load_checkpoint("status")?,
                    Some((Seq(3), b"state".to_vec()))
                );
                let notes = tx.query("SELECT text FROM sample_notes", [], |row| {
                    row.get::<_, String>(0)
                })?;
                assert_eq!(notes, ["a row"]);
                tx.append(draft("goes on"))
            })
            .unwrap();
        assert_eq!(
            reader.verify(|_| {}).unwrap().problems,
            [],
            "layout {layout}"
        );
    }
}
