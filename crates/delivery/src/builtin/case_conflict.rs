//! `check-case-conflict`: no two names that one file system takes for the same.

use std::collections::{BTreeSet, HashMap};

use super::args::Options;
use super::{About, ChangeCheck, Check, PLAIN, Report, Surroundings};

pub(super) const ABOUT: About = About {
    id: "check-case-conflict",
    name: "check for case conflicts",
    what: "Stops names that differ from another one in case only, folders included.",
    make: |args| {
        Options::NONE.parse(args)?;
        Ok(Check::Change(Box::new(CaseConflict)))
    },
    ..PLAIN
};

struct CaseConflict;

/// Adds a path and its folders.
fn with_folders<'a>(set: &mut BTreeSet<&'a [u8]>, path: &'a [u8]) {
    let mut path = path;
    // A folder that is there has its own folders there too.
    while set.insert(path) {
        match path.iter().rposition(|byte| *byte == b'/') {
            Some(at) => path = &path[..at],
            None => return,
        }
    }
}

impl ChangeCheck for CaseConflict {
    fn check(&self, paths: &[&[u8]], around: &dyn Surroundings) -> Report {
        let mut relevant = BTreeSet::new();
        for path in paths
            .iter()
            .copied()
            .chain(around.added().iter().map(AsRef::as_ref))
        {
            with_folders(&mut relevant, path);
        }
        if relevant.is_empty() {
            return Report::default();
        }
        let mut all = relevant.clone();
        for path in around.tracked() {
            with_folders(&mut all, path);
        }
        let mut by_lower: HashMap<Vec<u8>, Vec<&[u8]>> = HashMap::with_capacity(all.len());
        for path in &all {
            by_lower.entry(lower(path)).or_default().push(path);
        }
        // Old names that conflict among themselves are nobody's fault today.
        let mut conflicting: Vec<&[u8]> = by_lower
            .into_values()
            .filter(|same| same.len() > 1 && same.iter().any(|path| relevant.contains(path)))
            .flatten()
            .collect();
        conflicting.sort_unstable();
        Report {
            exit_code: u8::from(!conflicting.is_empty()),
            lines: conflicting
                .into_iter()
                .map(|path| {
                    format!(
                        "Case-insensitivity conflict found: {}",
                        String::from_utf8_lossy(path)
                    )
                })
                .collect(),
        }
    }
}

fn lower(path: &[u8]) -> Vec<u8> {
    match std::str::from_utf8(path) {
        Ok(text) if !text.is_ascii() => text.to_lowercase().into_bytes(),
        _ => path.to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Check;
    use super::super::tests::{Around, made};

    #[test]
    fn names_that_differ_in_case_only_conflict() {
        let of = |paths: &[&[u8]], tracked: &[&str]| {
            let around = Around {
                tracked: tracked.iter().map(|path| path.as_bytes().into()).collect(),
                ..Around::default()
            };
            match made("check-case-conflict", &[]) {
                Check::Change(check) => check.check(paths, &around).lines.len(),
                Check::Files(_) => 99,
            }
        };
        assert_eq!(of(&[b"a"], &["A", "a"]), 2);
        assert_eq!(of(&[b"b"], &["A", "a", "b"]), 0);
        assert_eq!(of(&[b"dir/x"], &["Dir/y", "dir/x"]), 2);
        assert_eq!(of(&["Ä".as_bytes()], &["ä", "Ä"]), 2);
    }
}
