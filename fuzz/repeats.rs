//! Looks for readers whose cost grows faster than their input: repeats each piece of each seed up to 64 KiB and tells
//! what took longer than a second. A fuzzer rarely makes inputs that long.
//!
//! `cargo run --release --manifest-path fuzz/Cargo.toml --example repeats [TARGET…]`

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

const LENGTH: usize = 64 * 1024;
const LIMIT: Duration = Duration::from_secs(1);
/// The stack that threads which read a repository have.
const STACK_BYTES: usize = 64 * 1024 * 1024;

fn main() {
    let rooms = [
        tradewind_core::fuzz::TARGETS,
        tradewind_catalog::fuzz::TARGETS,
        tradewind_repo::fuzz::TARGETS,
        tradewind_engine::fuzz::TARGETS,
        tradewind_insight::fuzz::TARGETS,
    ];
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let targets = rooms.into_iter().flatten();
    let targets =
        targets.filter(|(name, _)| wanted.is_empty() || wanted.iter().any(|it| it == name));
    let mut slow = 0;
    for (name, body) in targets {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("seeds")
            .join(name);
        let mut pieces = BTreeSet::new();
        for seed in std::fs::read_dir(folder).expect("seeds") {
            take_apart(
                &std::fs::read(seed.expect("a file").path()).expect("a seed"),
                &mut pieces,
            );
        }
        let (mut longest, mut worst) = (Duration::ZERO, Vec::new());
        for piece in &pieces {
            let input = piece.repeat(LENGTH / piece.len());
            let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
            let began = Instant::now();
            let ran = std::thread::scope(|scope| {
                thread
                    .spawn_scoped(scope, || body(&input))
                    .expect("a thread")
                    .join()
            });
            let took = began.elapsed();
            if took > LIMIT || ran.is_err() {
                slow += 1;
                println!("{name}: {took:?} for {:?}", String::from_utf8_lossy(piece));
            }
            if took > longest {
                (longest, worst) = (took, piece.clone());
            }
        }
        let worst = String::from_utf8_lossy(&worst).into_owned();
        println!(
            "{name}: {} pieces, the longest took {longest:?}: {worst:?}",
            pieces.len()
        );
    }
    std::process::exit(i32::from(slow > 0));
}

/// Single characters, words with what stands around them, lines and neighbours of lines.
fn take_apart(seed: &[u8], pieces: &mut BTreeSet<Vec<u8>>) {
    let mut add = |piece: &[u8]| {
        if !piece.is_empty() && piece.len() < LENGTH {
            pieces.insert(piece.to_vec());
        }
    };
    for line in seed.split_inclusive(|byte| *byte == b'\n') {
        add(line);
        add(line.trim_ascii_end());
        add(line.trim_ascii());
        for byte in line {
            add(&[*byte]);
        }
        let words: Vec<&[u8]> = line
            .split_inclusive(|byte| !byte.is_ascii_alphanumeric())
            .collect();
        for pair in words.windows(2).chain(words.windows(4)) {
            add(&pair.concat());
        }
    }
    let lines: Vec<&[u8]> = seed.split_inclusive(|byte| *byte == b'\n').collect();
    for some in lines.windows(2).chain(lines.windows(3)) {
        add(&some.concat());
    }
    add(seed);
}
