//! Marks of an unfinished merge.

use std::collections::HashMap;

use tradewind_repo::{Oid, RepoError};

use super::MAX_READ_BYTES;
use crate::guard::{Blob, Contents, Evidence, How, Judgement, Kind, Next, Stop, gone, shell, text};
use crate::staged::Change;

/// A file with marks, and the line of the first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Suspect<'q> {
    pub(super) change: &'q Change,
    pub(super) line: u32,
}

/// Returns the line of the first complete set of marks. Lines of `=` alone underline headings, and a page may show one
/// mark; all three in their sequence are a conflict.
pub(super) fn mark(bytes: &[u8]) -> Option<u32> {
    // Nearly no file holds one, and every new content is asked.
    memchr::memmem::find(bytes, b"<<<<<<< ")?;
    let mut first = None;
    let mut has_middle = false;
    for (line, number) in bytes.split(|byte| *byte == b'\n').zip(1_u32..) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.starts_with(b"<<<<<<< ") {
            first = Some(number);
            has_middle = false;
        } else if line == b"=======" {
            has_middle = first.is_some();
        } else if line.starts_with(b">>>>>>> ") && has_middle {
            return first;
        }
    }
    None
}

/// Tells the files that had no marks before.
pub(super) fn tell(
    contents: &dyn Contents,
    suspects: Vec<Suspect<'_>>,
    judgement: &mut Judgement,
) -> Result<(), RepoError> {
    if suspects.is_empty() {
        return Ok(());
    }
    let before: Vec<Oid> = suspects
        .iter()
        .filter_map(|suspect| Some(suspect.change.before?.id))
        .collect();
    let mut had: HashMap<Oid, bool> = HashMap::new();
    contents.blobs(
        &before,
        MAX_READ_BYTES,
        &mut |Blob { id, bytes, .. }| {
            had.insert(id, bytes.is_some_and(|bytes| mark(bytes).is_some()));
        },
    )?;
    for Suspect { change, line } in suspects {
        if change
            .before
            .and_then(|before| had.get(&before.id))
            .is_some_and(|had| *had)
        {
            continue;
        }
        let path = text(&change.path);
        judgement.tell(Stop {
            kind: Kind::ConflictMarker,
            what: format!("{path} still holds both sides of a merge."),
            evidence: vec![Evidence {
                path: path.to_string(),
                line: Some(line),
                how: How::Here,
                note: "<<<<<<<".to_owned(),
            }],
            more: 0,
            next: vec![
                Next {
                    does: "keep what is right, then stage it".to_owned(),
                    command: format!("git add -- {}", shell(&path)),
                },
                gone::allow(&path),
            ],
            path: path.into_owned(),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_set_of_marks_is_a_conflict() {
        assert_eq!(
            mark(b"a\n<<<<<<< HEAD\nb\n=======\nc\n>>>>>>> x\n"),
            Some(2)
        );
        assert_eq!(
            mark(b"a\r\n<<<<<<< HEAD\r\nb\r\n=======\r\nc\r\n>>>>>>> x\r\n"),
            Some(2)
        );
        assert_eq!(mark(b"Title\n=======\ntext\n"), None);
        assert_eq!(mark(b"<<<<<<< HEAD\nshown alone\n"), None);
        assert_eq!(mark(b"print('<<<<<<< a')\n=======\n>>>>>>> b\n"), None);
    }
}
