//! What a person sees of a change: a unified diff, bounded, and never of a secret.

use std::path::Path;

use serde::Serialize;
use similar::TextDiff;

use super::UndoError;
use super::blobs::Blobs;
use super::image::{self, Image};
use tradewind_host::files;

/// Contents larger than this are compared by size only.
const MAX_COMPARED_BYTES: usize = 512 * 1024;
/// Upper bound on the lines of one diff.
const MAX_LINES: usize = 400;

/// One path and how it differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Path in the repository, or the name of a reference.
    pub path: String,
    /// What happens to it, in a few words: `modified`, `created`, `deleted`, or a sentence.
    pub change: String,
    /// Unified diff where both sides are text, not too large and hold no secret.
    pub diff: Option<String>,
}

impl Difference {
    /// Says something about a path that has no diff.
    pub(super) fn note(path: &str, change: &str) -> Self {
        Self {
            path: path.to_owned(),
            change: change.to_owned(),
            diff: None,
        }
    }
}

/// One side of a comparison.
struct Side<'a> {
    image: &'a Image,
    content: Option<Vec<u8>>,
}

/// Compares two recorded states.
pub(super) fn between(
    blobs: &Blobs,
    path: &str,
    from: &Image,
    to: &Image,
) -> Result<Difference, UndoError> {
    let from = Side {
        image: from,
        content: recorded(blobs, from)?,
    };
    let to = Side {
        image: to,
        content: recorded(blobs, to)?,
    };
    Ok(compare(blobs, path, &from, &to))
}

/// Compares a recorded state with what is there now, in the folder `top`.
pub(super) fn to_present(
    blobs: &Blobs,
    path: &str,
    expected: &Image,
    top: &Path,
) -> Result<Difference, UndoError> {
    let image = image::look(blobs, top, path)?;
    let present = top.join(files::from_slash(path));
    let content = match &image {
        Image::File { size_bytes, .. } if *size_bytes <= MAX_COMPARED_BYTES as u64 => {
            files::read_bounded(&present, MAX_COMPARED_BYTES as u64).ok()
        }
        _ => None,
    };
    let from = Side {
        image: expected,
        content: recorded(blobs, expected)?,
    };
    Ok(compare(
        blobs,
        path,
        &from,
        &Side {
            image: &image,
            content,
        },
    ))
}

fn recorded(blobs: &Blobs, image: &Image) -> Result<Option<Vec<u8>>, UndoError> {
    match image {
        Image::File {
            content,
            size_bytes,
            ..
        } if *size_bytes <= MAX_COMPARED_BYTES as u64 => {
            match blobs.load(content) {
                Ok(content) => Ok(Some(content)),
                // The comparison is a courtesy; going on finds the gap by itself.
                Err(UndoError::Gone { .. } | UndoError::Damaged { .. }) => Ok(None),
                Err(error) => Err(error),
            }
        }
        _ => Ok(None),
    }
}

fn compare(blobs: &Blobs, path: &str, from: &Side<'_>, to: &Side<'_>) -> Difference {
    let change = match (from.image, to.image) {
        (Image::Absent, _) => "created".to_owned(),
        (_, Image::Absent) => "deleted".to_owned(),
        (
            Image::File {
                content: a,
                mode: x,
                ..
            },
            Image::File {
                content: b,
                mode: y,
                ..
            },
        ) => match (a == b, x == y) {
            (true, _) => format!("mode {x:o} → {y:o}"),
            (false, true) => "modified".to_owned(),
            (false, false) => format!("modified, mode {x:o} → {y:o}"),
        },
        (_, Image::Symlink { target }) => format!("link to {target}"),
        (Image::Symlink { .. }, Image::File { .. }) => "link becomes a file".to_owned(),
    };
    let is_secret = [from, to]
        .iter()
        .filter_map(|side| side.content.as_deref())
        .any(|content| blobs.is_secret(path, content));
    if is_secret {
        let change = format!("{change} (holds a secret, not shown)");
        return Difference {
            path: path.to_owned(),
            change,
            diff: None,
        };
    }
    let diff = texts(from, to).map(|(from, to)| unified(path, &from, &to));
    Difference {
        path: path.to_owned(),
        change,
        diff,
    }
}

/// Returns both sides as text; `None` when one is binary, too large or no file.
fn texts(from: &Side<'_>, to: &Side<'_>) -> Option<(String, String)> {
    let text = |side: &Side<'_>| match (side.image, &side.content) {
        (Image::Absent, _) => Some(String::new()),
        (Image::File { .. }, Some(content)) if !content.contains(&0) => {
            String::from_utf8(content.clone()).ok()
        }
        _ => None,
    };
    let (from, to) = text(from).zip(text(to))?;
    (from != to).then_some((from, to))
}

fn unified(path: &str, from: &str, to: &str) -> String {
    let diff = TextDiff::from_lines(from, to);
    let (old, new) = (format!("a/{path}"), format!("b/{path}"));
    let whole = diff
        .unified_diff()
        .context_radius(3)
        .header(&old, &new)
        .to_string();
    let mut lines: Vec<&str> = whole.lines().collect();
    if lines.len() > MAX_LINES {
        lines.truncate(MAX_LINES);
        lines.push("… more is not shown");
    }
    lines.join("\n")
}
