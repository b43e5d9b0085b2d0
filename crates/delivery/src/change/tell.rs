//! Each group as a tree on top of the one before, with its message and what it does.
//!
//! Not here: which changes belong together ([`super::joins`]).

use std::collections::{BTreeMap, BTreeSet};

use super::joins::Set;
use super::message::{self, Piece};
use super::parts::{File, Parts};
use super::private::Private;
use super::sides::Sides;
use super::{ChangeError, Group, How, Part};

/// Makes the groups.
pub(super) fn all(
    sides: &Sides,
    parts: &Parts,
    sets: Vec<Set>,
    private: &Private,
) -> Result<Vec<Group>, ChangeError> {
    private.read_tree(sides.base)?;
    let mut done: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    let mut groups = Vec::with_capacity(sets.len());
    for (set, number) in sets.into_iter().zip(1..) {
        let mut goes = Vec::new();
        let mut comes = Vec::new();
        let mut pieces = Vec::new();
        for (at, hunks) in &set.files {
            let Some(file) = parts.files.get(*at) else {
                continue;
            };
            let so_far = done.entry(*at).or_default();
            so_far.extend(hunks.iter().copied());
            change(file, so_far, private, &mut goes, &mut comes)?;
            pieces.push(Piece { file, hunks });
        }
        // What goes makes room for what comes, where a folder takes the place of a file.
        goes.append(&mut comes);
        private.run(&["update-index", "-z", "--index-info"], goes)?;
        groups.push(Group {
            number,
            message: message::propose(&pieces),
            parts: pieces.iter().map(part).collect(),
            why: set.why,
            tree: private.write_tree()?,
        });
    }
    Ok(groups)
}

/// Writes what the index has to be told of a file of which these hunks are in.
fn change(
    file: &File,
    hunks: &BTreeSet<usize>,
    private: &Private,
    goes: &mut Vec<u8>,
    comes: &mut Vec<u8>,
) -> Result<(), ChangeError> {
    let zero = "0".repeat(if private.is_sha256 { 64 } else { 40 });
    let tell = |into: &mut Vec<u8>, mode: u32, id: &str, path: &[u8]| {
        into.extend_from_slice(format!("{mode:o} {id}\t").as_bytes());
        into.extend_from_slice(path);
        into.push(0);
    };
    if let Some(from) = &file.from {
        tell(goes, 0, &zero, from);
    }
    let Some((mode, id)) = file.after else {
        tell(goes, 0, &zero, &file.path);
        return Ok(());
    };
    let id = if hunks.len() == file.hunks.len() {
        id
    } else {
        match file.with(hunks) {
            Some(bytes) => private.write_blob(bytes)?,
            None => id,
        }
    };
    tell(comes, mode, &id.to_string(), &file.path);
    Ok(())
}

fn part(piece: &Piece<'_>) -> Part {
    let file = piece.file;
    let counts = file.lines.as_ref().map(|_| message::counts(piece));
    Part {
        path: file.name.clone(),
        from: file
            .from
            .as_ref()
            .map(|from| String::from_utf8_lossy(from).into_owned()),
        how: file.how,
        added: counts.map(|(added, _)| added),
        removed: counts.map(|(_, removed)| removed),
        hunks: (piece.hunks.len() < file.hunks.len() && file.how == How::Modified)
            .then_some((piece.hunks.len(), file.hunks.len())),
    }
}
