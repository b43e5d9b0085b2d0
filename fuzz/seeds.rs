//! Runs fuzz targets as ordinary tests: over their seeds, and over cheap mutations of them that are the same on
//! every machine. It finds little that a fuzzer would not; it keeps the targets from rotting.
//!
//! Every room's `fuzz.rs` includes this file by path, so that no room needs a crate for it.
//! `TRADEWIND_MUTATIONS=100000 cargo test -p tradewind-repo fuzz` looks longer, without any tool.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// Mutations of each target's seeds.
const MUTATIONS: usize = 200;
/// Longer inputs are left to the fuzzer.
const MAX_BYTES: usize = 8 * 1024;
/// The room that threads which read a repository have, and more: frames are larger without optimisation.
const STACK_BYTES: usize = 64 * 1024 * 1024;

/// What readers stumble over.
const PIECES: &[&[u8]] = &[
    b"\0",
    b"\n",
    b"\r",
    b"\r\n",
    b"\t",
    b" ",
    b"\x0c",
    b"\x1b[2J",
    b"\xff",
    b"\xef\xbb\xbf",
    "é".as_bytes(),
    "\u{2028}".as_bytes(),
    "\u{202e}".as_bytes(),
    "İ".as_bytes(),
    "ß".as_bytes(),
    b"\"",
    b"'",
    b"`",
    b"```",
    b"\\",
    b"/",
    b"//",
    b"../",
    b"/*",
    b"*/",
    b"**",
    b"*",
    b"?",
    b"#",
    b"%",
    b"$",
    b"${",
    b"$(",
    b"{",
    b"}",
    b"{{",
    b"}}",
    b"[",
    b"]",
    b"(",
    b")",
    b"((((((((",
    b"[[[[[[[[",
    b"<",
    b">",
    b"<<",
    b"|",
    b"&&",
    b";",
    b":",
    b"::",
    b"=",
    b"==",
    b",",
    b"-",
    b"--",
    b"- ",
    b"\n- ",
    b"\n  ",
    b"@",
    b"!",
    b"~",
    b"^",
    b"0",
    b"-1",
    b"18446744073709551616",
    b"1e999",
    b"00000000000000000000",
    b"null",
    b"&a ",
    b"*a",
    b"f\"{",
];

/// Runs every target; `room` is the crate's folder name.
pub(crate) fn exercise(room: &str, targets: &[super::Target]) {
    let mutations = std::env::var("TRADEWIND_MUTATIONS").ok();
    let mutations = mutations.map_or(MUTATIONS, |it| it.parse().expect("a number of mutations"));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
    let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).expect("fuzz/Cargo.toml");
    let mut wrong = String::new();
    for (name, body) in targets {
        let stub = std::fs::read_to_string(folder.join(format!("targets/{name}.rs")));
        let call = format!("|bytes: &[u8]| tradewind_{room}::fuzz::{name}(bytes)");
        let is_listed = manifest.contains(&format!(
            "name = \"{name}\"\npath = \"targets/{name}.rs\"\n"
        ));
        if !is_listed || !stub.is_ok_and(|stub| stub.contains(&call)) {
            wrong.push_str(&format!(
                "{name}: `fuzz/new {room} {name}` was not run
"
            ));
        }
        let seeds = seeds(&folder.join("seeds").join(name));
        if seeds.is_empty() {
            wrong.push_str(&format!(
                "{name}: no seeds in fuzz/seeds/{name}
"
            ));
            continue;
        }
        if let Some(input) = first_failing(*body, &seeds, mutations) {
            wrong.push_str(&format!(
                "{name}: fails with b\"{}\"
",
                input.escape_ascii()
            ));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

fn seeds(folder: &Path) -> Vec<Vec<u8>> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .map(|file| file.expect("a folder of seeds").path())
        .collect();
    files.sort();
    files
        .iter()
        .map(|file| std::fs::read(file).expect("a seed"))
        .collect()
}

/// Returns the first input that makes the body panic.
fn first_failing(body: fn(&[u8]), seeds: &[Vec<u8>], mutations: usize) -> Option<Vec<u8>> {
    let fails = |input: &[u8]| catch_unwind(AssertUnwindSafe(|| body(input))).is_err();
    let look = || {
        let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
        let mutated = std::iter::repeat_with(|| dice.mutate(seeds)).take(mutations);
        // The empty input, each seed whole, then the mutations.
        std::iter::once(Vec::new())
            .chain(seeds.iter().cloned())
            .chain(mutated)
            .find(|input| fails(input))
    };
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
        let thread = thread.spawn_scoped(scope, look).expect("a thread");
        thread.join().expect("panics are caught within")
    })
}

/// Numbers that are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).unwrap_or(0) % end.max(1)
    }

    fn range(&mut self, bytes: &[u8]) -> std::ops::Range<usize> {
        let start = self.below(bytes.len() + 1);
        let length = self.below(1 + (bytes.len() - start).min(64));
        start..start + length
    }

    fn mutate(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        let mut input = seeds[self.below(seeds.len())].clone();
        input.truncate(MAX_BYTES);
        for _ in 0..=self.below(6) {
            let range = self.range(&input);
            match self.below(6) {
                0 => drop(input.drain(range)),
                1 => {
                    let piece = PIECES[self.below(PIECES.len())];
                    drop(input.splice(range.start..range.start, piece.iter().copied()));
                }
                2 => {
                    let again = input[range.clone()].repeat(1 + self.below(40));
                    drop(input.splice(range.end..range.end, again));
                }
                3 => {
                    let other = &seeds[self.below(seeds.len())];
                    let other = other[self.range(other)].to_vec();
                    drop(input.splice(range, other));
                }
                4 => {
                    let bit = 1 << self.below(8);
                    if let Some(byte) = input.get_mut(range.start) {
                        *byte ^= bit;
                    }
                }
                _ => input.truncate(range.end),
            }
            input.truncate(MAX_BYTES);
        }
        input
    }
}
