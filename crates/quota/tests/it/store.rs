//! The real store does what the model of it does, and a killed ledger comes back with what it owed.

use std::sync::Arc;

use jiff::Timestamp;
use tradewind_core::clock::FixedClock;
use tradewind_core::payload::{LedgerRecovered, ProviderBanned};
use tradewind_core::{EventKind, Uptime};
use tradewind_journal::{Journal, Options};
use tradewind_quota::ledger::{Ask, Demand, Ledger, Settings, Verdict};
use tradewind_quota::record::{GateRow, Records, Transition, Write};
use tradewind_quota::store::Store;
use tradewind_quota::window::{Need, Rule};
use tradewind_quota::{Class, Offset};

#[derive(Debug)]
struct Boot(&'static str);

impl Uptime for Boot {
    fn now_us(&self) -> i64 {
        0
    }

    fn boot(&self) -> Option<String> {
        Some(self.0.to_owned())
    }
}

fn journal(dir: &std::path::Path) -> Journal {
    let clock = Arc::new(FixedClock::at(Timestamp::UNIX_EPOCH));
    Journal::open(Options::new(dir, clock)).unwrap()
}

fn open(id: u64, symbol: Option<[u8; 16]>, units: u64) -> Write {
    Write::Open {
        id,
        window: "p/w@address".to_owned(),
        symbol,
        units,
    }
}

fn close(id: u64, units: u64, stamp_us: i64) -> Write {
    Write::Close {
        id,
        units,
        stamp_us,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tables_hold_what_the_model_holds_after_every_change() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(journal(dir.path()), &Boot("one")).unwrap();
    let gate = GateRow {
        gate: "p@address".to_owned(),
        boot: Some("one".to_owned()),
        written_us: 5,
        closed_until_us: Some(9),
        is_banned: true,
        bans: 2,
        offset: Some(Offset {
            low_us: -3,
            high_us: 4,
        }),
    };
    let open_gate = GateRow {
        closed_until_us: None,
        is_banned: false,
        offset: None,
        ..gate.clone()
    };
    let mut model = Records::default();
    for write in [
        open(1, None, 60),
        open(2, Some([7; 16]), 1),
        close(1, 40, 100),
        Write::Doubt {
            id: 1,
            stamp_us: 90,
            server_us: None,
        },
        open(3, None, 1),
        Write::Doubt {
            id: 1,
            stamp_us: 7,
            server_us: Some(1_700_000_000_000_000),
        },
        close(3, 0, 0),
        close(2, 1, 50),
        open(2, Some([7; 16]), 1),
        Write::Foreign {
            id: 4,
            window: "p/w@address".to_owned(),
            units: 3,
            stamp_us: 101,
        },
        Write::Forget {
            window: "p/other@address".to_owned(),
            until_us: 1_000,
        },
        Write::Forget {
            window: "p/w@address".to_owned(),
            until_us: 100,
        },
        Write::Gate(gate),
        Write::Gate(open_gate),
    ] {
        model.apply(&write, Some("one"));
        model.leases.sort_by_key(|row| row.id);
        store.write(vec![write.clone()]).await.unwrap();
        let read = tokio::task::block_in_place(|| store.records()).unwrap();
        assert_eq!(read, model, "after {write:?}");
    }
    assert_eq!(
        model.leases.len(),
        2,
        "the open symbol and what others spent"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_debit_is_on_disk_before_the_grant_and_counts_as_spent_after_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let rule = Rule {
        limit: 1,
        length_us: 60_000_000,
        counts_symbols: false,
        is_log: true,
        boundary: None,
        burst: None,
    };
    let ask = |deadline_us| Ask {
        gate: "p@address".to_owned(),
        demands: vec![Demand {
            window: "p/w@address".to_owned(),
            rule: rule.clone(),
            need: Need::Units(1),
        }],
        class: Class::Live,
        deadline_us,
        is_forced: false,
    };
    {
        let store = Store::open(journal(dir.path()), &Boot("one")).unwrap();
        let mut ledger = Ledger::new(
            Settings::default(),
            Records::default(),
            Some("one".to_owned()),
            0,
        );
        ledger.ask(ask(None), 0);
        assert_eq!(
            ledger.verdicts(),
            [],
            "nothing is granted before it is durable"
        );
        store.write(ledger.writes()).await.unwrap();
        ledger.written(1_000);
        assert!(matches!(ledger.verdicts()[..], [Verdict::Granted { .. }]));
        // Here the process is killed: no answer, no ending.
    }
    let journal = journal(dir.path());
    let store = Store::open(journal.clone(), &Boot("one")).unwrap();
    let records = tokio::task::block_in_place(|| store.records()).unwrap();
    assert_eq!(records.leases.len(), 1);
    let mut ledger = Ledger::new(
        Settings::default(),
        records,
        Some("one".to_owned()),
        2_000_000,
    );
    ledger.ask(ask(Some(50_000_000)), 2_000_000);
    assert!(matches!(ledger.verdicts()[..], [Verdict::Refused { .. }]));
    store.write(ledger.writes()).await.unwrap();
    let banned = ProviderBanned {
        provider: "p".to_owned(),
        by_address: true,
        wait_ms: 1,
        bans: 1,
    };
    let tell = Write::Tell(Transition::Banned(banned.clone()));
    store.write(vec![tell]).await.unwrap();
    let (recovered, told) = journal
        .transact(|tx| {
            Ok((
                tx.newest(EventKind::QuotaLedgerRecovered)?,
                tx.newest(EventKind::QuotaProviderBanned)?,
            ))
        })
        .await
        .unwrap();
    let body: LedgerRecovered = recovered.unwrap().payload().unwrap();
    assert_eq!(
        (body.open_leases, body.units, body.is_time_in_doubt),
        (1, 1, false)
    );
    assert_eq!(told.unwrap().payload::<ProviderBanned>().unwrap(), banned);
}
