//! What the guard costs, and what it says of a history.
//!
//! `cargo bench -p tradewind-delivery --bench guard` measures a commit of 50 files that the guard has nothing to say
//! about. With repositories behind `--`, each is replayed (`RANGE` names its commits), every stop printed and the time told.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::as_conversions,
    reason = "a bench prints its numbers and stops where it cannot go on"
)]

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use tradewind_delivery::guard::replay::replay;
use tradewind_delivery::guard::{Blob, Contents, Listed, Policy, Question, judge};
use tradewind_delivery::staged::{Change, Entry, Mode};
use tradewind_host::git::Git;
use tradewind_repo::{Location, Oid, RepoError};

fn main() {
    let repositories: Vec<String> = std::env::args()
        .skip(1)
        .filter(|arg| !arg.starts_with("--"))
        .collect();
    if repositories.is_empty() {
        fast_path();
    }
    for path in repositories {
        history(Path::new(&path));
    }
}

/// Contents in memory, as a hook holds them.
struct Held(BTreeMap<Oid, Vec<u8>>);

impl Contents for Held {
    fn tree(&self) -> Result<Vec<Listed>, RepoError> {
        panic!("a commit without suspects reads no tree");
    }

    fn blobs(
        &self,
        ids: &[Oid],
        max_bytes: u64,
        each: &mut dyn FnMut(Blob<'_>),
    ) -> Result<(), RepoError> {
        for id in ids {
            let bytes = &self.0[id];
            let size = bytes.len() as u64;
            each(Blob {
                id: *id,
                size,
                bytes: (size <= max_bytes).then_some(bytes.as_slice()),
            });
        }
        Ok(())
    }
}

fn fast_path() {
    let source = include_str!("../src/guard/replay.rs");
    let mut held = BTreeMap::new();
    let mut changes = Vec::new();
    for at in 0..50_u64 {
        let old: Oid = format!("{at:040x}").parse().unwrap();
        let new: Oid = format!("{:040x}", at + 1_000).parse().unwrap();
        held.insert(new, format!("# {at}\n{source}").into_bytes());
        let entry = |id| {
            Some(Entry {
                mode: Mode::Regular,
                id,
            })
        };
        changes.push(Change {
            path: format!("bot/part_{at}.py").into_bytes().into(),
            before: entry(old),
            after: entry(new),
        });
    }
    let bytes: usize = held.values().map(Vec::len).sum();
    let held = Held(held);
    let policy = Policy::default();
    let question = Question {
        changes: &changes,
        policy: &policy,
        message: None,
    };
    let first = Instant::now();
    judge(&question, &held).unwrap();
    let first = first.elapsed();
    let mut times: Vec<_> = (0..200)
        .map(|_| {
            let start = Instant::now();
            let judgement = judge(&question, &held).unwrap();
            assert!(judgement.stops.is_empty(), "{judgement:?}");
            start.elapsed()
        })
        .collect();
    times.sort();
    println!(
        "50 changed files, {bytes} bytes: first {first:?}, median of 200 {:?}, {:.0} MB/s",
        times[100],
        bytes as f64 / times[100].as_secs_f64() / 1e6
    );
}

fn history(path: &Path) {
    let git = Git::discover().unwrap();
    let location = Location::find(&git, path).unwrap();
    let start = Instant::now();
    let tally = replay(
        &git,
        &location,
        std::env::var("RANGE").ok().as_deref(),
        &Policy::default(),
        |replayed, _, _| {
            let judgement = &replayed.judgement;
            if !judgement.stops.is_empty() || !judgement.warnings.is_empty() {
                println!(
                    "{} {} [{} paths]",
                    replayed.commit, replayed.subject, replayed.changes
                );
            }
            for stop in judgement.stops.iter().take(12) {
                println!("  {} {}", stop.kind.as_str(), stop.what);
                for evidence in stop.evidence.iter().take(3) {
                    println!(
                        "      {}:{} {}: {}",
                        evidence.path,
                        evidence.line.unwrap_or(0),
                        evidence.how.verb(),
                        evidence.note
                    );
                }
            }
            if judgement.stops.len() > 12 {
                println!("  ... {} stops", judgement.stops.len());
            }
            for warning in &judgement.warnings {
                println!("  warns: {} {}", warning.kind.as_str(), warning.what);
            }
            ControlFlow::Continue(())
        },
    );
    println!("{}: {tally:?} in {:?}", path.display(), start.elapsed());
}
