//! Where in a file the shapes of credentials can lie at all, in one cheap pass.
//!
//! Why: forty patterns with bounded repetitions drive a regex engine through hundreds of thousands of states; run
//! over every content of a history that costs seconds. Each pattern holds a telling text, though, and no
//! match reaches further than some hundred bytes from it. One automaton finds these texts; only what lies
//! around them is shown to the pattern. The answer is the same: every match lies within such a stretch, with
//! two bytes to spare on either side for assertions about its ends.
//! Not here: the patterns, and what their values are worth.

use std::ops::Range;

use aho_corasick::{AhoCorasick, AhoCorasickKind};

/// Bytes around a match that the pattern may ask about: a word's boundary, the byte behind a value.
const SPARE: usize = 2;

/// What a pattern's telling place looks like.
#[derive(Clone, Copy)]
enum Seek {
    /// One of these texts as written.
    Text(&'static [&'static str]),
    /// One of these texts, in capitals or not.
    AnyCase(&'static [&'static str]),
    /// The first dot of `xxxxx.xxxxxx.xxxxx`.
    Dots,
    /// The `K` of `PK` or `AK` before eighteen capitals and digits.
    Key,
    /// A hyphen between hexadecimal digits.
    Hyphen,
}

/// Where a pattern can match.
#[derive(Clone, Copy)]
pub(super) struct Lead {
    seek: Seek,
    /// Says by what follows the telling text whether the pattern can go on.
    check: fn(&[u8]) -> bool,
    /// The most bytes of a match before and from the beginning of the telling text; `None` without a bound.
    reach: Option<(usize, usize)>,
}

fn always(_rest: &[u8]) -> bool {
    true
}

const fn lead(seek: Seek, before: usize, after: usize) -> Lead {
    Lead {
        seek,
        check: always,
        reach: Some((before, after)),
    }
}

/// One of `texts` as written.
pub(super) const fn text(texts: &'static [&'static str], before: usize, after: usize) -> Lead {
    lead(Seek::Text(texts), before, after)
}

/// One of `texts`, in capitals or not.
pub(super) const fn any_case(texts: &'static [&'static str], before: usize, after: usize) -> Lead {
    lead(Seek::AnyCase(texts), before, after)
}

/// One of `texts` as written, with matches of any length around it.
pub(super) const fn unbounded(texts: &'static [&'static str]) -> Lead {
    Lead {
        seek: Seek::Text(texts),
        check: always,
        reach: None,
    }
}

/// Two dots with six letters between them.
pub(super) const DOTS: Lead = lead(Seek::Dots, 30, 50);
/// `PK…` or `AK…`, with what may follow such a key.
pub(super) const KEY: Lead = lead(Seek::Key, 2, 160);
/// Two long hexadecimal numbers.
pub(super) const HYPHEN: Lead = lead(Seek::Hyphen, 34, 36);

impl Lead {
    /// With a condition on what follows the telling text.
    pub(super) const fn checked(self, check: fn(&[u8]) -> bool) -> Self {
        Self { check, ..self }
    }

    fn stretch(&self, at: usize, length: usize) -> Range<usize> {
        match self.reach {
            Some((before, after)) => {
                let end = at.saturating_add(after + SPARE).min(length);
                at.saturating_sub(before + SPARE)..end
            }
            None => 0..length,
        }
    }
}

/// The leads of all patterns, in their sequence.
pub(super) struct Leads {
    all: Vec<Lead>,
    /// `None` would be a mistake in a table: then every pattern sees everything.
    automaton: Option<AhoCorasick>,
    /// For each text of the automaton the text and the patterns that it leads to.
    texts: Vec<(&'static str, Vec<usize>)>,
}

impl Leads {
    pub(super) fn new(leads: Vec<Lead>) -> Self {
        let mut texts: Vec<(&'static str, Vec<usize>)> = Vec::new();
        for (at, lead) in leads.iter().enumerate() {
            let (Seek::Text(all) | Seek::AnyCase(all)) = lead.seek else {
                continue;
            };
            for text in all {
                match texts.iter_mut().find(|(known, _)| known == text) {
                    Some((_, patterns)) => patterns.push(at),
                    None => texts.push((text, vec![at])),
                }
            }
        }
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .kind(Some(AhoCorasickKind::DFA))
            .build(texts.iter().map(|(text, _)| text))
            .ok();
        Self {
            all: leads,
            automaton,
            texts,
        }
    }

    /// Returns for each pattern the stretches of `bytes` that hold its matches, in sequence and apart.
    pub(super) fn stretches(&self, bytes: &[u8]) -> Vec<Vec<Range<usize>>> {
        let mut all: Vec<Vec<Range<usize>>> = vec![Vec::new(); self.all.len()];
        let hits = self
            .automaton
            .as_ref()
            .and_then(|automaton| automaton.try_find_overlapping_iter(bytes).ok());
        let Some(hits) = hits else {
            all.fill(std::iter::once(0..bytes.len()).collect());
            return all;
        };
        for hit in hits {
            let Some((text, patterns)) = self.texts.get(hit.pattern().as_usize()) else {
                continue;
            };
            let (here, rest) = (
                bytes.get(hit.range()).unwrap_or_default(),
                bytes.get(hit.end()..).unwrap_or_default(),
            );
            for pattern in patterns {
                if let Some((lead, stretches)) = self.all.get(*pattern).zip(all.get_mut(*pattern))
                    && (matches!(lead.seek, Seek::AnyCase(_)) || here == text.as_bytes())
                    && (lead.check)(rest)
                {
                    add(stretches, lead.stretch(hit.start(), bytes.len()));
                }
            }
        }
        self.shapes(bytes, &mut all);
        for stretches in &mut all {
            join(stretches);
        }
        all
    }

    /// Finds the telling places that no text marks.
    fn shapes(&self, bytes: &[u8], all: &mut [Vec<Range<usize>>]) {
        for (at, byte) in bytes.iter().enumerate() {
            let is_here = match byte {
                b'.' => is_dots(bytes, at),
                b'K' => is_key(bytes, at),
                b'-' => is_hyphen(bytes, at),
                _ => false,
            };
            if !is_here {
                continue;
            }
            for (lead, stretches) in self.all.iter().zip(all.iter_mut()) {
                let fits = matches!(
                    (lead.seek, byte),
                    (Seek::Dots, b'.') | (Seek::Key, b'K') | (Seek::Hyphen, b'-')
                );
                if fits {
                    add(stretches, lead.stretch(at, bytes.len()));
                }
            }
        }
    }
}

/// Adds a stretch; mostly it follows or widens the last one.
fn add(stretches: &mut Vec<Range<usize>>, new: Range<usize>) {
    match stretches.last_mut() {
        Some(last) if new.start <= last.end && last.start <= new.start => {
            last.end = last.end.max(new.end);
        }
        _ => stretches.push(new),
    }
}

/// Joins what overlaps: texts of different lengths that end in sequence need not begin in sequence.
fn join(stretches: &mut Vec<Range<usize>>) {
    if stretches.len() < 2 {
        return;
    }
    stretches.sort_unstable_by_key(|stretch| stretch.start);
    let mut joined: Vec<Range<usize>> = Vec::with_capacity(stretches.len());
    for stretch in stretches.drain(..) {
        add(&mut joined, stretch);
    }
    *stretches = joined;
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

fn is_dots(bytes: &[u8], at: usize) -> bool {
    let all = |range: Range<usize>| {
        bytes
            .get(range)
            .is_some_and(|part| part.iter().all(|byte| is_token(*byte)))
    };
    bytes.get(at + 7) == Some(&b'.')
        && at >= 24
        && all(at + 1..at + 7)
        && all(at - 24..at)
        && all(at + 8..at + 35)
}

fn is_key(bytes: &[u8], at: usize) -> bool {
    let before = at.checked_sub(1).and_then(|at| bytes.get(at));
    matches!(before, Some(b'P' | b'A'))
        && bytes.get(at + 1..at + 19).is_some_and(|part| {
            part.iter()
                .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        })
}

fn is_hyphen(bytes: &[u8], at: usize) -> bool {
    let is_hex = |part: Option<&[u8]>| {
        part.is_some_and(|part| {
            part.iter()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        })
    };
    is_hex(bytes.get(at + 1..at + 33)) && at >= 32 && is_hex(bytes.get(at - 32..at))
}

/// What a pattern calls `\s`.
fn is_space(byte: u8) -> bool {
    matches!(byte, b'\t'..=b'\r' | b' ')
}

/// Counts the bytes at the beginning that are like this.
fn run(bytes: &[u8], is_like: impl Fn(u8) -> bool) -> usize {
    bytes.iter().take_while(|byte| is_like(**byte)).count()
}

fn skip(bytes: &[u8], count: usize) -> &[u8] {
    bytes.get(count..).unwrap_or_default()
}

/// After `sk-`: a long token.
pub(super) fn long_token(rest: &[u8]) -> bool {
    rest.get(..48)
        .is_some_and(|part| part.iter().all(u8::is_ascii_alphanumeric))
}

/// After `://`: a user and a colon.
pub(super) fn user(rest: &[u8]) -> bool {
    let is_user = |byte: u8| {
        !is_space(byte) && !matches!(byte, b':' | b'/' | b'@' | b'"' | b'\'' | b'<' | b'>')
    };
    let length = run(rest.get(..61).unwrap_or(rest), is_user);
    rest.get(length) == Some(&b':')
}

/// After `cookie`: a value is given to it.
pub(super) fn given(rest: &[u8]) -> bool {
    let rest = skip(
        rest,
        usize::from(matches!(rest.first(), Some(b'"' | b'\''))),
    );
    let rest = skip(rest, run(rest.get(..4).unwrap_or(rest), is_space));
    matches!(rest.first(), Some(b':' | b'='))
}

/// After `getenv(`: a text.
pub(super) fn quoted(rest: &[u8]) -> bool {
    let rest = skip(rest, run(rest.get(..20).unwrap_or(rest), is_space));
    matches!(rest.first(), Some(b'"' | b'\''))
}

/// After a telling part of a name: the rest of the name, and a long value that is given to it.
pub(super) fn assigned(rest: &[u8]) -> bool {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    let is_blank = |byte: u8| matches!(byte, b' ' | b'\t');
    let length = run(rest.get(..31).unwrap_or(rest), is_name);
    if length > 30 {
        return false;
    }
    let rest = skip(rest, length);
    let is_quote = |byte: Option<&u8>| matches!(byte, Some(b'"' | b'\''));
    let rest = skip(rest, usize::from(is_quote(rest.first())));
    let rest = skip(rest, usize::from(rest.first() == Some(&b']')));
    let rest = skip(rest, run(rest.get(..8).unwrap_or(rest), is_blank));
    let is_value = |rest: &[u8]| {
        let rest = skip(rest, run(rest.get(..8).unwrap_or(rest), is_blank));
        let is_start = |byte: Option<&u8>| matches!(byte, Some(b'"' | b'\'' | b'`'));
        is_start(rest.first())
            || is_start(rest.get(1))
            || rest
                .get(..8)
                .is_some_and(|part| !part.iter().any(|byte| is_space(*byte)))
    };
    match (rest.first(), rest.get(1)) {
        (Some(b'='), Some(b'>')) | (Some(b':'), Some(b'=')) => {
            is_value(skip(rest, 1)) || is_value(skip(rest, 2))
        }
        (Some(b'=' | b':'), _) => is_value(skip(rest, 1)),
        _ => false,
    }
}
