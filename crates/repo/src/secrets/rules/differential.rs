//! Proves that the cheap pass drops nothing: what a pattern finds in a whole file, it finds in the stretches that its
//! lead names.
//!
//! The files are put together from texts that the patterns themselves generate, also at their longest, glued, cut
//! and mutated: matches lie at the ends of files, at each other's ends, and one letter away from being none.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::strategy::{Union, ValueTree as _};
use proptest::string::bytes_regex;
use proptest::test_runner::TestRunner;

use super::*;

/// What stands between, before and after credentials; also beginnings that lead nowhere.
const GLUE: &[&str] = &[
    "\n",
    " ",
    "\"",
    "'",
    " = ",
    ": ",
    ",",
    "=",
    ":",
    "/",
    "-",
    "_",
    ".",
    "x",
    "0",
    "K",
    "PK",
    "AK",
    "\u{e9}",
    "\0",
    "api_key",
    "TOKEN",
    "Cookie",
    "://",
    "sk-",
    "eyJ",
    "aws",
    "alpaca",
    "secret",
    "-----BEGIN ",
    "-----END ",
    "os.getenv(",
    "?token=",
];

/// Returns texts that a pattern matches, apart from what it asks about its neighbours; of any length, or as long as it
/// allows.
fn texts(pattern: &str, is_longest: bool) -> BoxedStrategy<Vec<u8>> {
    let mut plain = pattern.replace(r"\b", "").replace("|$)", ")");
    if is_longest {
        let bounds = Regex::new(r"\{\d+,(\d+)\}").unwrap();
        plain =
            String::from_utf8(bounds.replace_all(plain.as_bytes(), &b"{$1}"[..]).into()).unwrap();
    }
    let texts = bytes_regex(&format!("(?-u){plain}"));
    texts
        .unwrap_or_else(|error| panic!("{plain}: {error}"))
        .boxed()
}

/// Texts of every pattern.
fn credential() -> impl Strategy<Value = Vec<u8>> {
    let patterns = SHAPES.iter().map(|(_, _, _, pattern)| *pattern);
    Union::new(patterns.flat_map(|pattern| [texts(pattern, false), texts(pattern, true)]))
}

fn glue() -> impl Strategy<Value = Vec<u8>> {
    select(GLUE).prop_map(|glue| glue.as_bytes().to_vec())
}

/// What is done to one byte of the file.
#[derive(Clone, Copy, Debug)]
enum Wound {
    Lost,
    Twice,
    Other(u8),
    OtherCase,
}

fn wound() -> impl Strategy<Value = Wound> {
    prop_oneof![
        Just(Wound::Lost),
        Just(Wound::Twice),
        any::<u8>().prop_map(Wound::Other),
        Just(Wound::OtherCase),
    ]
}

fn wounded(mut bytes: Vec<u8>, wounds: &[(Index, Wound)]) -> Vec<u8> {
    for (at, wound) in wounds {
        if bytes.is_empty() {
            break;
        }
        let at = at.index(bytes.len());
        match wound {
            Wound::Lost => {
                bytes.remove(at);
            }
            Wound::Twice => bytes.insert(at, bytes[at]),
            Wound::Other(byte) => bytes[at] = *byte,
            Wound::OtherCase => bytes[at] ^= 0x20,
        }
    }
    bytes
}

/// Says which values of which rule are found in the whole file and not in the stretches.
fn dropped(path: &str, bytes: &[u8]) -> Vec<(&'static str, (usize, usize))> {
    let place = Place::of(path, bytes);
    let all = rules();
    let stretches = all.leads.stretches(bytes);
    let mut dropped = Vec::new();
    for (rule, stretches) in all.rules.iter().zip(stretches) {
        let whole = std::iter::once(0..bytes.len()).collect::<Vec<_>>();
        let narrow = rule.spans(&place, bytes, &stretches);
        let lost = rule.spans(&place, bytes, &whole).into_iter();
        dropped.extend(
            lost.filter(|span| !narrow.contains(span))
                .map(|span| (rule.name, span)),
        );
    }
    dropped
}

/// A case costs ten milliseconds without optimisation.
fn cases() -> u32 {
    let asked = std::env::var("PROPTEST_CASES").ok();
    asked.and_then(|cases| cases.parse().ok()).unwrap_or(80)
}

proptest! {
    // `PROPTEST_CASES=5000 cargo test -p tradewind-repo differential` for more.
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn the_cheap_pass_drops_nothing_that_the_patterns_find(
        pieces in vec(prop_oneof![2 => glue(), 1 => credential()], 1..9),
        wounds in vec((any::<Index>(), wound()), 0..4),
    ) {
        let bytes = wounded(pieces.concat(), &wounds);
        // Settings: there values are found without quotes as well.
        let dropped = dropped(".env", &bytes);
        prop_assert!(dropped.is_empty(), "{dropped:?} in {:?}", String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn each_pattern_finds_the_texts_that_are_made_for_it() {
    let mut runner = TestRunner::deterministic();
    for ((name, _, _, pattern), rule) in SHAPES.iter().zip(&rules().rules) {
        for is_longest in [false, true] {
            let texts = texts(pattern, is_longest);
            let found = (0..4).filter(|_| {
                let text = texts.new_tree(&mut runner).unwrap().current();
                let file = [b"\n ", text.as_slice(), b" \n"].concat();
                rule.pattern.is_match(&file)
            });
            assert!(found.count() > 1, "{name}: {pattern}");
        }
    }
}
