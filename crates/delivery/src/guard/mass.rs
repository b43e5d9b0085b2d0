//! A large part of the program that goes at once.
//!
//! How much is large is said by the repository: a share of the program that it tracks. What moves elsewhere, what is
//! replaced by as many new files, and what a program made counts as nothing.

use std::collections::{BTreeMap, HashSet};

use tradewind_repo::documents::is_foreign;
use tradewind_repo::generated;

use super::gone::{self, Going, Gone};
use super::{Evidence, How, Judgement, Kind, Listed, Next, Question, Stop, shell, text};

/// Least files that must go.
const MIN_FILES: usize = 5;
/// The same where nothing of the program is left.
const MIN_ALL: usize = 2;
/// Share that must go: one in this many.
const SHARE: usize = 2;

/// Endings of files that people write programs in.
const SOURCE: &[&str] = &[
    "py", "pyx", "ipynb", "js", "mjs", "cjs", "jsx", "ts", "tsx", "rs", "go", "java", "kt",
    "scala", "c", "cc", "cpp", "cxx", "h", "hpp", "cs", "rb", "php", "sh", "sql", "r", "jl",
    "swift", "m", "mq4", "mq5", "mqh", "pine", "lua", "vue", "svelte",
];

/// Says whether a path is a part of the program that somebody wrote.
pub(super) fn is_source(path: &str) -> bool {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let end = name.rsplit_once('.').map_or("", |(_, end)| end);
    SOURCE.contains(&end)
        && generated::root_of(path).is_none()
        && !is_foreign(folder)
        && !is_bundled(path)
}

/// Says whether a path lies where what a packer of scripts wrote is delivered from.
pub(super) fn is_bundled(path: &str) -> bool {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let end = name.rsplit_once('.').map_or("", |(_, end)| end);
    matches!(end, "js" | "mjs" | "cjs" | "ts" | "css" | "map")
        && folder
            .split('/')
            .any(|part| BUNDLES.contains(&part) || part.starts_with("_nuxt"))
}

/// Folders that packers of scripts write to.
const BUNDLES: &[&str] = &[
    "static",
    "public",
    "_next",
    "dist",
    "build",
    "assets",
    "bower_components",
    "wwwroot",
];

/// Stops a commit that takes away a large part of the program.
pub(super) fn tell(
    question: &Question<'_>,
    tree: &[Listed],
    gone: &[Gone<'_>],
    judgement: &mut Judgement,
) {
    let is_ours = |path: &[u8]| is_source(&text(path)) && !question.policy.allows(&text(path));
    let added: Vec<&[u8]> = question
        .changes
        .iter()
        .filter(|change| change.before.is_none() && is_ours(&change.path))
        .map(|change| change.path.as_ref())
        .collect();
    let names: HashSet<&[u8]> = added.iter().map(|path| name(path)).collect();
    let lost: Vec<&Gone<'_>> = gone
        .iter()
        .filter(|gone| is_ours(gone.path) && !matches!(gone.going, Going::Moved(_)))
        // A file of that name comes elsewhere: it moved and was changed.
        .filter(|gone| gone.going == Going::Emptied || !names.contains(name(gone.path)))
        .filter(|gone| gone.going != Going::Emptied || !gone.path.ends_with(b"__init__.py"))
        .collect();
    // Git writes this when it takes a commit back; whoever asks for that knows what goes.
    let is_revert = question
        .message
        .is_some_and(|message| message.starts_with("Revert \""));
    if lost.len() < MIN_ALL || is_revert {
        return;
    }
    let here = tree.iter().filter(|(path, _)| is_ours(path)).count();
    let emptied = lost
        .iter()
        .filter(|gone| gone.going == Going::Emptied)
        .count();
    let deleted = lost.len() - emptied;
    let before = (here + deleted).saturating_sub(added.len());
    let left = (here - emptied.min(here)).saturating_sub(added.len());
    // Somebody who writes it anew puts other files in their place.
    let net = lost.len().saturating_sub(added.len());
    let is_large = net >= MIN_FILES && net * SHARE >= before || left == 0 && added.is_empty();
    if !is_large {
        return;
    }
    let mut folders: BTreeMap<String, usize> = BTreeMap::new();
    for gone in &lost {
        let path = text(gone.path);
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        *folders.entry(folder.to_owned()).or_default() += 1;
    }
    let mut folders: Vec<(String, usize)> = folders.into_iter().collect();
    folders.sort_by_key(|(folder, count)| (std::cmp::Reverse(*count), folder.clone()));
    let evidence = folders
        .iter()
        .take(super::MAX_EVIDENCE)
        .map(|(folder, count)| Evidence {
            path: if folder.is_empty() {
                ".".to_owned()
            } else {
                folder.clone()
            },
            line: None,
            how: How::Here,
            note: format!("{count} go"),
        });
    let evidence: Vec<Evidence> = evidence.collect();
    let root = common(&lost);
    let place = if root.is_empty() { "." } else { root.as_str() };
    judgement.tell(Stop {
        kind: Kind::MassDeletion,
        what: format!("{} of {before} source files go at once.", lost.len()),
        more: folders.len() - evidence.len(),
        evidence,
        next: vec![
            Next {
                does: "bring them back".to_owned(),
                command: format!("git restore --staged --worktree -- {}", shell(place)),
            },
            gone::allow(place),
        ],
        path: place.to_owned(),
    });
}

fn name(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or(path)
}

/// Returns the deepest folder that holds all.
fn common(lost: &[&Gone<'_>]) -> String {
    let folder_of = |gone: &&Gone<'_>| {
        let path = text(gone.path);
        path.rsplit_once('/')
            .map_or(String::new(), |(folder, _)| folder.to_owned())
    };
    let first = lost.first().map(folder_of).unwrap_or_default();
    let mut common: Vec<&str> = first.split('/').collect();
    for gone in lost {
        let folder = folder_of(gone);
        let same = common
            .iter()
            .zip(folder.split('/'))
            .take_while(|(one, other)| **one == *other);
        let count = same.count();
        common.truncate(count);
    }
    common.join("/")
}

#[cfg(test)]
mod tests {
    use super::super::memory::stops;

    const PROGRAM: &[(&str, &str)] = &[
        ("bot/a.py", "a\n"),
        ("bot/b.py", "b\n"),
        ("bot/c.py", "c\n"),
        ("bot/d.py", "d\n"),
        ("bot/e.py", "e\n"),
        ("bot/f.py", "f\n"),
        ("README.md", "r\n"),
    ];

    #[test]
    fn most_of_a_program_does_not_go_unnoticed() {
        let left = [("README.md", "r\n"), ("bot/f.py", "f\n")];
        assert_eq!(stops(PROGRAM, &left), ["mass-deletion bot"]);
        let emptied: Vec<_> = PROGRAM.iter().map(|(path, _)| (*path, "")).collect();
        assert_eq!(stops(PROGRAM, &emptied), ["mass-deletion bot"]);
        assert_eq!(stops(&PROGRAM[4..], &PROGRAM[6..]), ["mass-deletion bot"]);
    }

    #[test]
    fn what_moves_or_is_written_anew_is_no_deletion() {
        let moved: Vec<(String, &str)> = PROGRAM
            .iter()
            .map(|(path, text)| (format!("src/{path}"), *text))
            .collect();
        let moved: Vec<(&str, &str)> = moved
            .iter()
            .map(|(path, text)| (path.as_str(), *text))
            .collect();
        assert!(stops(PROGRAM, &moved).is_empty());
        let anew = [
            ("x/one.py", "1\n"),
            ("x/two.py", "2\n"),
            ("x/three.py", "3\n"),
        ];
        assert!(stops(PROGRAM, &anew).is_empty());
        let few = &PROGRAM[2..];
        assert!(stops(PROGRAM, few).is_empty());
    }
}
