//! Lines of ignore files that hide a package which code imports.
//!
//! A tracked file stays tracked whatever ignores it; the harm comes later, when a new module of that package is never
//! added and every clone lacks it. So what a new line hides is taken out of the tree, and what then no longer
//! resolves is the evidence.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use tradewind_repo::documents::is_foreign;
use tradewind_repo::{Oid, RepoError, generated};

use super::dangling::{self, Leaving};
use super::{
    Blob, Contents, Evidence, How, Judgement, Kind, Listed, MAX_EVIDENCE, Next, Question, Stop,
    gone, is_python, shell, text,
};
use crate::staged::{Change, Mode};

/// Longer ignore files are not read.
const MAX_BYTES: u64 = 256 * 1024;
/// Lines of one that are read.
const MAX_LINES: usize = 5_000;

/// Returns the ignore files that come or change.
pub(super) fn changed<'q>(question: &Question<'q>) -> Vec<&'q Change> {
    let is_ignore = |change: &&Change| {
        let is_file = change
            .after
            .is_some_and(|after| after.mode == Mode::Regular);
        let is_new = change.before.map(|before| before.id) != change.after.map(|after| after.id);
        is_file
            && is_new
            && (*change.path == *b".gitignore" || change.path.ends_with(b"/.gitignore"))
    };
    question.changes.iter().filter(is_ignore).collect()
}

/// One ignore file with what it hides.
struct Rules {
    folder: String,
    path: String,
    lines: Vec<String>,
    before: Gitignore,
    after: Gitignore,
}

impl Rules {
    /// Returns the line by which the file hides a path now and did not before.
    fn newly_hides(&self, path: &str) -> Option<&str> {
        let inner = if self.folder.is_empty() {
            path
        } else {
            path.strip_prefix(&self.folder)?.strip_prefix('/')?
        };
        let now = self.after.matched_path_or_any_parents(inner, false);
        if !now.is_ignore()
            || self
                .before
                .matched_path_or_any_parents(inner, false)
                .is_ignore()
        {
            return None;
        }
        Some(now.inner()?.original())
    }
}

/// Stops each line that hides a package which code imports.
pub(super) fn tell(
    question: &Question<'_>,
    contents: &dyn Contents,
    tree: Vec<Listed>,
    changed: &[&Change],
    judgement: &mut Judgement,
) -> Result<(), RepoError> {
    if changed.is_empty() {
        return Ok(());
    }
    let rules = read(contents, changed)?;
    // Each hidden module, with the file and line that hide it.
    let mut hidden: BTreeMap<String, (usize, String)> = BTreeMap::new();
    let mut leaving = Vec::new();
    for (path, entry) in &tree {
        let path = text(path);
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let is_ours = generated::root_of(&path).is_none() && !is_foreign(folder);
        if !is_python(&path) || !is_ours || question.policy.allows(&path) {
            continue;
        }
        let by = rules
            .iter()
            .enumerate()
            .find_map(|(at, rules)| Some((at, rules.newly_hides(&path)?.to_owned())));
        if let Some(by) = by {
            hidden.insert(path.clone().into_owned(), by);
            leaving.push((path.into_owned(), *entry));
        }
    }
    if leaving.is_empty() {
        return Ok(());
    }
    let leaving: Vec<Leaving<'_>> = leaving
        .iter()
        .map(|(path, entry)| Leaving {
            path,
            entry: *entry,
            stays_empty: false,
        })
        .collect();
    let importers = dangling::importers(contents, tree, &leaving, judgement)?;
    // One stop for each line, whatever number of modules it hides.
    let mut by_line: BTreeMap<(usize, String), (BTreeSet<Evidence>, Vec<String>)> = BTreeMap::new();
    for (path, evidence) in importers {
        if let Some(by) = hidden.get(path.as_ref()) {
            let (all, paths) = by_line.entry(by.clone()).or_default();
            all.extend(evidence);
            paths.push(path.into_string());
        }
    }
    for ((at, line), (evidence, paths)) in by_line {
        let Some(rules) = rules.get(at) else { continue };
        let number = rules
            .lines
            .iter()
            .position(|each| each.trim_end() == line.trim_end());
        let number = number.and_then(|at| u32::try_from(at + 1).ok());
        let first = paths.first().map_or("", String::as_str);
        let more = match paths.len() {
            0 | 1 => String::new(),
            count => format!(" and {} more", count - 1),
        };
        let mut all = vec![Evidence {
            path: rules.path.clone(),
            line: number,
            how: How::Here,
            note: line.clone(),
        }];
        let count = evidence.len() + 1;
        all.extend(evidence);
        all.truncate(MAX_EVIDENCE);
        judgement.tell(Stop {
            kind: Kind::HidingIgnore,
            what: format!(
                "{} ignores {first}{more}, which code imports; what is new there will not be committed.",
                rules.path
            ),
            more: count.saturating_sub(all.len()),
            evidence: all,
            next: vec![
                Next {
                    does: "make the line hit only what it should (a `/` in front ties it to the root)".to_owned(),
                    command: format!("git add -- {}", shell(&rules.path)),
                },
                gone::allow(&rules.path),
            ],
            path: rules.path.clone(),
        });
    }
    Ok(())
}

fn read(contents: &dyn Contents, changed: &[&Change]) -> Result<Vec<Rules>, RepoError> {
    let sides = changed
        .iter()
        .flat_map(|change| [change.before, change.after]);
    let ids: Vec<Oid> = sides.flatten().map(|entry| entry.id).collect();
    let mut texts: HashMap<Oid, String> = HashMap::new();
    contents.blobs(&ids, MAX_BYTES, &mut |Blob { id, bytes, .. }| {
        if let Some(bytes) = bytes {
            texts.insert(id, String::from_utf8_lossy(bytes).into_owned());
        }
    })?;
    let text_of = |entry: Option<crate::staged::Entry>| -> &str {
        entry
            .and_then(|entry| texts.get(&entry.id))
            .map_or("", String::as_str)
    };
    let rules = changed.iter().filter_map(|change| {
        let path = text(&change.path);
        let after = text_of(change.after);
        Some(Rules {
            folder: path
                .rsplit_once('/')
                .map_or("", |(folder, _)| folder)
                .to_owned(),
            before: matcher(text_of(change.before))?,
            after: matcher(after)?,
            lines: after.lines().take(MAX_LINES).map(str::to_owned).collect(),
            path: path.into_owned(),
        })
    });
    Ok(rules.collect())
}

fn matcher(text: &str) -> Option<Gitignore> {
    let mut builder = GitignoreBuilder::new("");
    for line in text.lines().filter(|line| line.len() < 400).take(MAX_LINES) {
        // A pattern that cannot be read ignores nothing.
        if builder.add_line(None, line).is_err() {}
    }
    builder.build().ok()
}

#[cfg(test)]
mod tests {
    use super::super::memory::stops;

    #[test]
    fn a_line_that_hides_an_imported_package_is_stopped() {
        let before = [
            ("bot.py", "from lib import feed\n"),
            ("lib/__init__.py", ""),
            ("lib/feed.py", "x = 1\n"),
            ("out/report.py", "y = 1\n"),
        ];
        let with = |line: &'static str| {
            let mut after = before.to_vec();
            after.push((".gitignore", line));
            stops(&before, &after)
        };
        assert_eq!(with("*.log\nlib/\n"), ["hiding-ignore .gitignore"]);
        assert!(with("out/\n").is_empty());
        assert!(with("/lib64/\n*.pyc\n").is_empty());
        // Nobody writes modules into an environment.
        let installed = [
            ("bot.py", "import numpy as np\n"),
            (
                ".venv/lib/python3.12/site-packages/numpy/__init__.py",
                "x = 1\n",
            ),
        ];
        let hidden = [(".gitignore", ".venv/\n"), installed[0], installed[1]];
        assert!(stops(&installed, &hidden).is_empty());
        // A line that was there is no news.
        let mut old = before.to_vec();
        old.push((".gitignore", "lib/\n"));
        let mut new = before.to_vec();
        new.push((".gitignore", "lib/\nout/\n"));
        assert!(stops(&old, &new).is_empty());
    }
}
