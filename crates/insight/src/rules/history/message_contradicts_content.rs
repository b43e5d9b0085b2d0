//! Messages that claim something else than their commits do.
//!
//! Only claims that can be held against paths and line counts: documents, tests, typing mistakes and layout, a named
//! file, a mere removal.

use tradewind_repo::history::{Change, Commit, Deed, History};

use super::past::{self, Past, Purpose};
use crate::finding::{Area, Confidence, Evidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};

const ABOUT: About = About {
    id: "message-contradicts-content",
    title: "Messages that say something else than their commits do",
    area: Area::History,
    severity: Severity::Medium,
    confidence: Confidence::Possible,
    timeframe: Timeframe::Month,
    impact: "Review looks elsewhere, and whoever searches for the day the strategy changed passes over this commit.",
    action: "Compare message and paths before the commit; tell the next reader in a note what it really did.",
    after: &[],
};

/// Lines of code that a commit may add beside what it claims.
const BESIDE: u64 = 20;
/// The same where the claim is kept as well.
const FAR_BESIDE: u64 = 150;

/// The rule.
pub(super) struct MessageContradictsContent;

impl Rule for MessageContradictsContent {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        let Some(past) = Past::of(context, findings) else {
            return;
        };
        let mut found: Vec<(&Commit, String)> = past
            .steps
            .iter()
            .filter(|step| {
                past::is_recent(context, step.commit) && is_judged(past.history, step.commit)
            })
            .filter_map(|step| {
                let done = Content::of(past.history, step.commit);
                Some((step.commit, contradiction(step.commit, &done)?))
            })
            .collect();
        found.reverse();
        let Some((newest, first)) = found.first() else {
            return;
        };
        let title = match found.len() - 1 {
            0 => format!("{} {first}", past::quoted(newest)),
            more => format!(
                "{} {first}; {more} more messages do not fit their commits",
                past::quoted(newest)
            ),
        };
        let evidence = found.iter().map(|(commit, what)| {
            Evidence::commit(commit.id, format!("{} {what}", past::dated(commit)))
        });
        let evidence = past::bounded(evidence.collect());
        findings.add(title, evidence);
    }
}

fn is_judged(history: &History, commit: &Commit) -> bool {
    !commit.parents.is_empty()
        && !commit.changes.is_empty()
        && !past::is_reviewed_or_made(history, commit)
}

/// Says whether the rule asks how many lines a commit changed: of others they are not counted.
pub(super) fn asks_for_lines(history: &History, commit: &Commit) -> bool {
    is_judged(history, commit)
        && !has_body(commit)
        && claim(&commit.subject().trim().to_lowercase()).is_some()
}

/// What a commit changes, by purpose.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, each asked by one claim"
)]
struct Content<'a> {
    history: &'a History,
    changes: &'a [Change],
    // The largest piece of code, for the sentence.
    largest: Option<(&'a str, u64)>,
    code_added: u64,
    code_deleted: u64,
    has_documents: bool,
    has_tests: bool,
    has_deletions: bool,
    has_inline_tests: bool,
}

impl<'a> Content<'a> {
    fn of(history: &'a History, commit: &'a Commit) -> Self {
        let mut content = Self {
            history,
            changes: &commit.changes,
            largest: None,
            code_added: 0,
            code_deleted: 0,
            has_documents: false,
            has_tests: false,
            has_deletions: false,
            has_inline_tests: false,
        };
        for change in &commit.changes {
            let path = history.path(change.path);
            let (added, deleted) = (
                u64::from(change.added.unwrap_or(0)),
                u64::from(change.deleted.unwrap_or(0)),
            );
            content.has_deletions |= deleted > 0
                || change.deleted.is_none()
                || matches!(change.deed, Deed::Deleted | Deed::Renamed { .. });
            match past::purpose(path) {
                Purpose::Source | Purpose::Scripts if !is_document_code(path) => {
                    content.code_added += added;
                    content.code_deleted += deleted;
                    content.has_inline_tests |= path
                        .rsplit_once('.')
                        .is_some_and(|(_, ending)| matches!(ending, "rs" | "go"));
                    if added > content.largest.map_or(0, |(_, most)| most) {
                        content.largest = Some((path, added));
                    }
                }
                Purpose::Tests => content.has_tests = true,
                Purpose::Documents | Purpose::Source | Purpose::Scripts => {
                    content.has_documents = true;
                }
                // Pictures and texts that documents show.
                Purpose::Other | Purpose::Data => content.has_documents |= is_in_docs(path),
                _ => {}
            }
        }
        content
    }

    /// Says what it does instead.
    fn instead(&self) -> String {
        let files = self
            .changes
            .iter()
            .filter(|change| {
                let purpose = past::purpose(self.history.path(change.path));
                matches!(purpose, Purpose::Source | Purpose::Scripts)
            })
            .count();
        match self.largest {
            Some((path, _)) if files == 1 => {
                format!(
                    "adds {} lines of code in {}",
                    self.code_added,
                    past::shown(path)
                )
            }
            Some((path, _)) => format!(
                "adds {} lines of code in {files} files, most in {}",
                self.code_added,
                past::shown(path)
            ),
            None => format!("deletes {} lines of code", self.code_deleted),
        }
    }
}

fn is_in_docs(path: &str) -> bool {
    path.split('/').any(|folder| {
        matches!(
            folder,
            "docs" | "doc" | "documentation" | "images" | "img" | "assets"
        )
    })
}

/// Code that is documentation: pages, notebooks, examples, settings of the documentation.
fn is_document_code(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    [".html", ".css", ".ipynb"]
        .iter()
        .any(|ending| lower.ends_with(ending))
        || is_in_docs(&lower)
        || lower
            .split('/')
            .any(|folder| folder == "examples" || folder == "website")
}

/// Says whether a body may tell what the subject does not.
fn has_body(commit: &Commit) -> bool {
    let mut lines = commit.message.lines().skip(1);
    lines.any(|line| !line.trim().is_empty())
}

fn contradiction(commit: &Commit, content: &Content<'_>) -> Option<String> {
    let subject = commit.subject().trim();
    if has_body(commit) {
        return None;
    }
    if let Some(name) = named_file(subject) {
        return other_file(name, content);
    }
    let claim = claim(&subject.to_lowercase())?;
    let beside = match claim {
        // "Documentation" may be that of functions, which stands in the code.
        Claim::Documents if !content.has_documents && names_document(subject) => BESIDE,
        Claim::Tests if !content.has_tests && !content.has_inline_tests => BESIDE,
        Claim::Documents | Claim::Layout => FAR_BESIDE,
        Claim::Tests => return None,
        Claim::Removal => {
            let is_adding = !content.has_deletions && content.code_added >= BESIDE;
            return is_adding.then(|| format!("removes nothing and {}", content.instead()));
        }
    };
    // Layout moves lines; only what is added on balance is something else.
    let added = content.code_added.saturating_sub(content.code_deleted);
    if added < beside {
        return None;
    }
    Some(match claim {
        Claim::Documents if !content.has_documents => {
            format!("touches no document and {}", content.instead())
        }
        Claim::Tests => format!("touches no test and {}", content.instead()),
        _ => content.instead(),
    })
}

fn names_document(subject: &str) -> bool {
    let subject = subject.to_lowercase();
    ["readme", "changelog", "license"]
        .iter()
        .any(|name| subject.contains(name))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Claim {
    Documents,
    Tests,
    Layout,
    Removal,
}

/// Words that may stand around a claim without widening it.
const AROUND: &[&str] = &[
    "a", "add", "added", "adding", "adds", "and", "better", "correct", "edit", "edited", "few",
    "file", "files", "fix", "fixed", "fixes", "fixing", "for", "improve", "improved", "in",
    "minor", "more", "new", "of", "on", "revise", "simple", "small", "some", "the", "to", "tweak",
    "unit", "update", "updated", "updates", "updating", "various", "write",
];
const DOCUMENTS: &[&str] = &[
    "readme",
    "readme.md",
    "docs",
    "doc",
    "documentation",
    "changelog",
    "changelog.md",
    "readmes",
    "license",
];
const LAYOUT: &[&str] = &[
    "typo",
    "typos",
    "formatting",
    "whitespace",
    "indentation",
    "spelling",
    "comment",
    "comments",
    "docstring",
    "docstrings",
    "grammar",
    "black",
    "isort",
];
const TESTS: &[&str] = &["tests", "testcase", "testcases"];
const TEST_VERBS: &[&str] = &[
    "add", "added", "adding", "adds", "correct", "fix", "fixed", "fixes", "improve", "improved",
    "new", "unit", "update", "updated", "updates", "updating", "write",
];
const REMOVALS: &[&str] = &[
    "remove", "removed", "removes", "delete", "deleted", "deletes", "drop",
];

/// Returns what a subject claims when it claims one thing only.
fn claim(subject: &str) -> Option<Claim> {
    let words: Vec<&str> = subject
        .split(|c: char| c.is_whitespace() || matches!(c, ':' | ',' | '(' | ')' | '!' | '"'))
        .map(|word| word.trim_end_matches('.'))
        .filter(|word| !word.is_empty())
        .collect();
    let is_joined = words
        .iter()
        .any(|word| matches!(*word, "and" | "+" | "&" | "plus" | "also"))
        || subject.contains([',', '+', '&', ';', '/']);
    if words.first().is_some_and(|first| REMOVALS.contains(first)) && !is_joined && words.len() <= 6
    {
        let has_replacement = words
            .iter()
            .any(|word| matches!(*word, "for" | "with" | "to" | "if" | "when" | "from" | "by"));
        return (!has_replacement).then_some(Claim::Removal);
    }
    let mut claims = words
        .iter()
        .filter(|word| !AROUND.contains(word))
        .map(|word| {
            if DOCUMENTS.contains(word) {
                Some(Claim::Documents)
            } else if LAYOUT.contains(word) {
                Some(Claim::Layout)
            } else if TESTS.contains(word) {
                Some(Claim::Tests)
            } else {
                None
            }
        });
    let first = claims.next()??;
    // "Some tests" may be what somebody tried out.
    let has_verb = words.iter().any(|word| TEST_VERBS.contains(word));
    (claims.all(|claim| claim == Some(first)) && (first != Claim::Tests || has_verb))
        .then_some(first)
}

/// Returns the file that a subject of the form `Update bot.py` names.
fn named_file(subject: &str) -> Option<&str> {
    let mut words = subject.split_whitespace();
    let (verb, name, rest) = (words.next()?, words.next()?, words.next());
    let is_form = matches!(
        verb.to_ascii_lowercase().as_str(),
        "update" | "create" | "delete" | "edit" | "add" | "rename"
    ) && rest.is_none();
    let (stem, ending) = name.rsplit_once('.')?;
    let is_name = !stem.is_empty()
        && (1..=5).contains(&ending.len())
        && ending.bytes().all(|byte| byte.is_ascii_alphabetic());
    (is_form && is_name).then_some(name)
}

fn other_file(name: &str, content: &Content<'_>) -> Option<String> {
    let wanted = name
        .rsplit_once('/')
        .map_or(name, |(_, name)| name)
        .to_lowercase();
    let is_it = |path: &str| {
        let name = path
            .rsplit_once('/')
            .map_or(path, |(_, name)| name)
            .to_lowercase();
        // An ending may be added or forgotten.
        name == wanted
            || name.starts_with(&format!("{wanted}."))
            || wanted
                .rsplit_once('.')
                .is_some_and(|(stem, _)| name == stem)
    };
    let is_touched = content.changes.iter().any(|change| {
        let from = match change.deed {
            Deed::Renamed { from } => Some(from),
            _ => None,
        };
        is_it(content.history.path(change.path))
            || from.is_some_and(|from| is_it(content.history.path(from)))
    });
    // A domain or a package can look like a file's name; one that the history never had is none.
    let is_file = content.history.has_name(&wanted);
    (!is_touched && is_file).then(|| {
        let path = content
            .changes
            .first()
            .map(|change| content.history.path(change.path));
        let more = match content.changes.len() {
            0 | 1 => String::new(),
            count => format!(" and {} more", count - 1),
        };
        format!(
            "does not touch {name} but {}{more}",
            path.unwrap_or_default()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_subjects_that_claim_one_thing_are_held_to_it() {
        let cases = [
            ("update readme", Some(Claim::Documents)),
            ("docs: update the changelog", Some(Claim::Documents)),
            ("fix typo in comments", Some(Claim::Layout)),
            ("add more unit tests", Some(Claim::Tests)),
            ("remove dead fetchers", Some(Claim::Removal)),
            ("update readme and strategy", None),
            ("readme, fetchers", None),
            ("test", None),
            ("docker + dashboard", None),
            ("remove venv, add gitignore", None),
            ("remove need for a key", None),
            ("update docs parser", None),
            ("version 0.4.0", None),
            ("", None),
        ];
        for (subject, expected) in cases {
            assert_eq!(claim(subject), expected, "{subject}");
        }
        assert_eq!(named_file("Update bot.py"), Some("bot.py"));
        assert_eq!(named_file("Update bot.py for v2"), None);
        assert_eq!(named_file("Update 3.11"), None);
    }
}
