//! Contents of git objects by name, many at once, through one `git cat-file --batch`.
//!
//! Why: starting git costs some milliseconds and reading a blob some microseconds. Sizes are asked first, so that
//! a blob beyond the bound is never inflated. Nothing is fetched: what a partial clone does not hold is
//! told as missing. No filter or text conversion runs.
//! Not here: which objects are worth reading. Start reading at [`read`].

use std::ops::ControlFlow;

use tradewind_host::git::Git;

use crate::error::RepoError;
use crate::location::Location;
use crate::oid::Oid;

/// Names passed to git at once.
const BATCH: usize = 100_000;

/// What was not handed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Skipped {
    /// Objects that the repository does not hold (partial or broken clone).
    pub missing: usize,
    /// Objects longer than the bound.
    pub too_long: usize,
}

/// Hands on each blob of at most `max_bytes` in the order given, until `on_blob` breaks. What is no blob is passed
/// over.
///
/// # Errors
/// [`RepoError::Git`]; blobs before an error have been handed on.
pub fn read(
    git: &Git,
    location: &Location,
    oids: impl IntoIterator<Item = Oid>,
    max_bytes: u64,
    mut on_blob: impl FnMut(Oid, &[u8]) -> ControlFlow<()>,
) -> Result<Skipped, RepoError> {
    let mut oids = oids.into_iter();
    let mut skipped = Skipped::default();
    loop {
        let asked: Vec<Oid> = oids.by_ref().take(BATCH).collect();
        if asked.is_empty() {
            return Ok(skipped);
        }
        let mut wanted = Vec::new();
        sizes(git, location, &asked, |oid, size| match size {
            Some(size) if size <= max_bytes => wanted.push(oid),
            Some(_) => skipped.too_long += 1,
            None => skipped.missing += 1,
        })?;
        if wanted.is_empty() {
            continue;
        }
        let (is_whole, missing) = hand_on(git, location, &wanted, &mut on_blob)?;
        skipped.missing += missing;
        if !is_whole {
            return Ok(skipped);
        }
    }
}

/// Hands on each blob in the order given, until `on_blob` breaks, for callers that know the lengths already.
///
/// # Errors
/// [`RepoError::Git`]; blobs before an error have been handed on.
pub fn read_sized(
    git: &Git,
    location: &Location,
    oids: &[Oid],
    mut on_blob: impl FnMut(Oid, &[u8]) -> ControlFlow<()>,
) -> Result<(), RepoError> {
    for part in oids.chunks(BATCH) {
        if !hand_on(git, location, part, &mut on_blob)?.0 {
            return Ok(());
        }
    }
    Ok(())
}

/// Returns whether all were handed on, and how many are missing.
fn hand_on(
    git: &Git,
    location: &Location,
    oids: &[Oid],
    on_blob: &mut impl FnMut(Oid, &[u8]) -> ControlFlow<()>,
) -> Result<(bool, usize), RepoError> {
    let mut parser = Parser {
        state: State::Header(Vec::new()),
        on_blob,
        missing: 0,
    };
    let args = ["cat-file", "--batch", "--buffer"];
    let is_whole = git.pieces(&location.git_dir, &args, lines(oids), |piece| {
        parser.feed(piece)
    })?;
    Ok((is_whole, parser.missing))
}

/// Hands on the length of each blob, `None` for what the repository does not hold. Other kinds of
/// objects are passed over.
///
/// # Errors
/// [`RepoError::Git`].
pub fn sizes(
    git: &Git,
    location: &Location,
    oids: &[Oid],
    mut on_size: impl FnMut(Oid, Option<u64>),
) -> Result<(), RepoError> {
    let args = ["cat-file", "--batch-check", "--buffer"];
    for part in oids.chunks(BATCH) {
        git.records(&location.git_dir, &args, lines(part), b'\n', |line| {
            match header(line) {
                Some(Header::Blob(oid, size)) => on_size(oid, Some(size)),
                Some(Header::Missing(oid)) => on_size(oid, None),
                Some(Header::Other(_)) | None => {}
            }
            ControlFlow::Continue(())
        })?;
    }
    Ok(())
}

fn lines(oids: &[Oid]) -> Vec<u8> {
    let mut lines = Vec::with_capacity(oids.len() * 41);
    for oid in oids {
        lines.extend_from_slice(oid.to_string().as_bytes());
        lines.push(b'\n');
    }
    lines
}

enum Header {
    Blob(Oid, u64),
    Other(u64),
    Missing(Oid),
}

/// Reads `<oid> <kind> <size>` or `<oid> missing`.
fn header(line: &[u8]) -> Option<Header> {
    let text = std::str::from_utf8(line).ok()?;
    let mut words = text.split(' ');
    let oid: Oid = words.next()?.parse().ok()?;
    match (words.next()?, words.next()) {
        ("missing", None) => Some(Header::Missing(oid)),
        ("blob", Some(size)) => Some(Header::Blob(oid, size.parse().ok()?)),
        (_, Some(size)) => Some(Header::Other(size.parse().ok()?)),
        _ => None,
    }
}

enum State {
    /// Within a header line.
    Header(Vec<u8>),
    /// Within a body that this many bytes of are to come, its line feed included.
    Body {
        oid: Option<Oid>,
        bytes: Vec<u8>,
        left: u64,
    },
}

/// Takes the stream of `cat-file --batch` apart.
struct Parser<'a, F> {
    state: State,
    on_blob: &'a mut F,
    missing: usize,
}

impl<F: FnMut(Oid, &[u8]) -> ControlFlow<()>> Parser<'_, F> {
    fn feed(&mut self, mut piece: &[u8]) -> ControlFlow<()> {
        while !piece.is_empty() {
            match &mut self.state {
                State::Header(line) => {
                    let Some(at) = piece.iter().position(|byte| *byte == b'\n') else {
                        // A header is never this long: the answer has another shape.
                        if line.len() + piece.len() > 4096 {
                            return ControlFlow::Break(());
                        }
                        line.extend_from_slice(piece);
                        return ControlFlow::Continue(());
                    };
                    let (head, rest) = piece.split_at(at);
                    line.extend_from_slice(head);
                    piece = rest.get(1..).unwrap_or_default();
                    self.state = self.body();
                }
                State::Body { oid, bytes, left } => {
                    let count = usize::try_from(*left)
                        .unwrap_or(usize::MAX)
                        .min(piece.len());
                    let (head, rest) = piece.split_at(count);
                    if oid.is_some() {
                        bytes.extend_from_slice(head);
                    }
                    *left -= count as u64;
                    piece = rest;
                    if *left == 0 {
                        let flow = oid.map_or(ControlFlow::Continue(()), |oid| {
                            (self.on_blob)(oid, bytes.strip_suffix(b"\n").unwrap_or(bytes))
                        });
                        let mut line = std::mem::take(bytes);
                        line.clear();
                        self.state = State::Header(line);
                        if flow.is_break() {
                            return flow;
                        }
                    }
                }
            }
        }
        ControlFlow::Continue(())
    }

    fn body(&mut self) -> State {
        let State::Header(line) = std::mem::replace(&mut self.state, State::Header(Vec::new()))
        else {
            return State::Header(Vec::new());
        };
        match header(&line) {
            Some(Header::Blob(oid, size)) => State::Body {
                oid: Some(oid),
                bytes: Vec::new(),
                left: size.saturating_add(1),
            },
            Some(Header::Other(size)) => State::Body {
                oid: None,
                bytes: Vec::new(),
                left: size.saturating_add(1),
            },
            Some(Header::Missing(_)) => {
                self.missing += 1;
                State::Header(Vec::new())
            }
            None => State::Header(Vec::new()),
        }
    }
}

/// Takes answers of `cat-file --batch` apart, in pieces of any length, and of `--batch-check`.
#[cfg(any(test, feature = "fuzz"))]
pub(crate) fn fuzz(answer: &[u8]) {
    let mut blobs = Vec::new();
    let mut pieces = |length: usize| {
        let mut found = Vec::new();
        let mut on_blob = |oid: Oid, bytes: &[u8]| {
            found.push((oid, bytes.to_vec()));
            ControlFlow::Continue(())
        };
        let mut parser = Parser {
            state: State::Header(Vec::new()),
            on_blob: &mut on_blob,
            missing: 0,
        };
        for piece in answer.chunks(length) {
            if parser.feed(piece).is_break() {
                return;
            }
        }
        blobs.push(found);
    };
    pieces(answer.len().max(1));
    pieces(7);
    // How the pipe cuts the answer makes no difference.
    if let [whole, cut] = blobs.as_slice() {
        assert_eq!(whole, cut);
    }
    for line in answer.split(|byte| *byte == b'\n') {
        let _ = header(line);
    }
}
