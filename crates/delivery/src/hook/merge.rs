//! Brings a fix into a file that its owner went on editing: a three-way merge by lines.
//!
//! Why our own: git counts neighbouring lines as a conflict, and a fix of white space beside an unstaged edit is the
//! usual case. Here only edits of the same lines collide; then the owner's lines stay, and it is told. No marker is
//! ever written into a file. Not here: reading and writing files.

use similar::{Algorithm, DiffOp, capture_diff_slices};

/// What came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Merged {
    /// The merged content.
    pub(crate) bytes: Vec<u8>,
    /// Fixes that were left out because their lines are being edited.
    pub(crate) left_out: usize,
}

/// An edit of `base`: lines `from..to` become `new`.
struct Edit<'a> {
    from: usize,
    to: usize,
    new: &'a [&'a [u8]],
}

/// Applies to `ours` what leads from `base` to `fixed`.
pub(crate) fn merge(base: &[u8], ours: &[u8], fixed: &[u8]) -> Merged {
    let (base, ours, fixed) = (lines(base), lines(ours), lines(fixed));
    let kept = edits(&base, &ours);
    let wanted = edits(&base, &fixed);
    let mut kept = kept.into_iter().peekable();
    let mut wanted = wanted.into_iter().peekable();
    let mut merged = Merged {
        bytes: Vec::new(),
        left_out: 0,
    };
    let mut at = 0;
    let copy = |bytes: &mut Vec<u8>, from: usize, to: usize| {
        for line in base.get(from..to).unwrap_or_default() {
            bytes.extend_from_slice(line);
        }
    };
    loop {
        match (kept.peek(), wanted.peek()) {
            (None, None) => break,
            (Some(edit), Some(fix)) if collide(edit, fix) => {
                // The same edit on both sides is none that is left out.
                if (edit.from, edit.to, edit.new) != (fix.from, fix.to, fix.new) {
                    merged.left_out += 1;
                }
                wanted.next();
            }
            (edit, fix) => {
                let is_fix = match (edit, fix) {
                    (Some(edit), Some(fix)) => (fix.from, fix.to) < (edit.from, edit.to),
                    (None, _) => true,
                    _ => false,
                };
                let next = if is_fix { wanted.next() } else { kept.next() };
                let Some(next) = next else { break };
                copy(&mut merged.bytes, at, next.from);
                for line in next.new {
                    merged.bytes.extend_from_slice(line);
                }
                at = next.to;
            }
        }
    }
    copy(&mut merged.bytes, at, base.len());
    merged
}

/// Edits collide when they touch a line in common, or insert at the same place.
fn collide(a: &Edit, b: &Edit) -> bool {
    let is_insertion = |edit: &Edit| edit.from == edit.to;
    if is_insertion(a) || is_insertion(b) {
        a.from <= b.to && b.from <= a.to
    } else {
        a.from < b.to && b.from < a.to
    }
}

/// Lines with their ends.
fn lines(text: &[u8]) -> Vec<&[u8]> {
    text.split_inclusive(|byte| *byte == b'\n').collect()
}

fn edits<'a>(base: &[&'a [u8]], other: &'a [&'a [u8]]) -> Vec<Edit<'a>> {
    let ops = capture_diff_slices(Algorithm::Histogram, base, other);
    ops.iter()
        .filter(|op| !matches!(op, DiffOp::Equal { .. }))
        .map(|op| {
            let (old, new) = (op.old_range(), op.new_range());
            Edit {
                from: old.start,
                to: old.end,
                new: other.get(new).unwrap_or_default(),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn merged(base: &str, ours: &str, fixed: &str) -> (String, usize) {
        let merged = merge(base.as_bytes(), ours.as_bytes(), fixed.as_bytes());
        (String::from_utf8(merged.bytes).unwrap(), merged.left_out)
    }

    #[test]
    fn a_fix_beside_an_edit_goes_in() {
        let got = merged(
            "1\n3 staged   \n4\n",
            "1\n3 staged   \n4 UNSTAGED\n",
            "1\n3 staged\n4\n",
        );
        assert_eq!(got, ("1\n3 staged\n4 UNSTAGED\n".to_owned(), 0));
    }

    #[test]
    fn an_edit_of_the_same_line_stays_and_is_told() {
        let got = merged("a  \nb  \n", "a edited  \nb  \n", "a\nb\n");
        assert_eq!(got, ("a edited  \nb  \n".to_owned(), 1));
    }

    #[test]
    fn a_missing_last_line_end_is_mended_below_an_edit() {
        assert_eq!(merged("a\nb", "A\nb", "a\nb\n"), ("A\nb\n".to_owned(), 0));
    }

    fn text() -> impl Strategy<Value = String> {
        prop::collection::vec("[ab]{0,2}( )?\n?", 0..8).prop_map(|lines| lines.concat())
    }

    proptest! {
        #[test]
        fn without_edits_the_fix_is_the_result(base in text(), fixed in text()) {
            prop_assert_eq!(merged(&base, &base, &fixed), (fixed, 0));
        }

        #[test]
        fn without_fixes_the_edits_are_the_result(base in text(), ours in text()) {
            prop_assert_eq!(merged(&base, &ours, &base), (ours, 0));
        }

        #[test]
        fn every_line_that_its_owner_added_survives(base in text(), ours in text(), fixed in text()) {
            let (got, _) = merged(&base, &ours, &fixed);
            let count = |text: &str, line: &str| text.split_inclusive('\n').filter(|l| *l == line).count();
            for line in ours.split_inclusive('\n') {
                let added = count(&ours, line).saturating_sub(count(&base, line));
                prop_assert!(count(&got, line) >= added, "{line:?} in {got:?}");
            }
        }
    }
}
