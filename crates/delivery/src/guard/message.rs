//! Messages that say something else than the commit does.
//!
//! Only told, never stopped: a message is mended in a minute, and the commit may be right.

use super::gone::{Going, Gone};
use super::{Evidence, How, Judgement, Kind, MAX_EVIDENCE, Next, Question, Stop, mass, text};

/// Warns where a message speaks of pages or looks only, and program files go.
pub(super) fn tell(
    question: &Question<'_>,
    message: &str,
    gone: &[Gone<'_>],
    judgement: &mut Judgement,
) {
    let subject = message.lines().next().unwrap_or_default().trim();
    let Some(claim) = claim(subject) else { return };
    let lost: Vec<String> = gone
        .iter()
        .filter(|gone| !matches!(gone.going, Going::Moved(_)))
        .map(|gone| text(gone.path).into_owned())
        .filter(|path| {
            mass::is_source(path) && !claim.covers(path) && !question.policy.allows(path)
        })
        .collect();
    let Some(first) = lost.first() else { return };
    let more = match lost.len() {
        1 => String::new(),
        count => format!(" and {} more", count - 1),
    };
    let evidence = lost.iter().take(MAX_EVIDENCE).map(|path| Evidence {
        path: path.clone(),
        line: None,
        how: How::Here,
        note: "goes".to_owned(),
    });
    judgement.tell(Stop {
        kind: Kind::MessageContradiction,
        what: format!(
            "The message speaks of {}, and {first}{more} goes.",
            claim.words()
        ),
        evidence: evidence.collect(),
        more: lost.len().saturating_sub(MAX_EVIDENCE),
        next: vec![Next {
            does: "say what it does".to_owned(),
            command: "git commit --amend".to_owned(),
        }],
        path: String::new(),
    });
}

/// Says whether a message speaks of pages, tests or looks only: others are contradicted by nothing.
pub fn is_a_claim(message: &str) -> bool {
    claim(message.lines().next().unwrap_or_default().trim()).is_some()
}

/// What a message says that it changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Claim {
    Documents,
    Tests,
    Looks,
}

impl Claim {
    fn words(self) -> &'static str {
        match self {
            Self::Documents => "documents",
            Self::Tests => "tests",
            Self::Looks => "how code looks",
        }
    }

    fn covers(self, path: &str) -> bool {
        let lower = path.to_ascii_lowercase();
        let has = |word: &str| {
            lower
                .split(['/', '.', '_', '-'])
                .any(|part| part.starts_with(word))
        };
        match self {
            Self::Documents => has("doc") || has("example") || has("tutorial") || has("sphinx"),
            Self::Tests => has("test") || has("conftest") || has("fixture") || has("mock"),
            Self::Looks => false,
        }
    }
}

/// Reads the type of a conventional message, or the usual words for a change of pages.
fn claim(subject: &str) -> Option<Claim> {
    let lower = subject.to_ascii_lowercase();
    let kind = lower
        .split([':', '(', '!'])
        .next()
        .unwrap_or_default()
        .trim();
    if kind.len() < lower.len() {
        match kind {
            "docs" | "doc" => return Some(Claim::Documents),
            "test" | "tests" => return Some(Claim::Tests),
            "style" => return Some(Claim::Looks),
            _ => {}
        }
    }
    let is_readme = ["update readme", "fix typo in readme", "updated readme"]
        .iter()
        .any(|words| lower == *words || lower == format!("{words}.md"));
    is_readme.then_some(Claim::Documents)
}

#[cfg(test)]
mod tests {
    use super::super::config::Policy;
    use super::super::memory::Memory;

    #[test]
    fn a_message_about_pages_that_deletes_code_is_told_and_not_stopped() {
        let before = [("a.py", "x\n"), ("b.py", "y\n"), ("docs/conf.py", "z\n")];
        let memory = Memory::new(&before, &before[1..]);
        let warned = |message: &str| -> Vec<String> {
            let judgement = memory.judge(&Policy::default(), Some(message));
            assert!(judgement.stops.is_empty());
            judgement
                .warnings
                .into_iter()
                .map(|warning| warning.what)
                .collect()
        };
        assert_eq!(
            warned("docs(readme): how to start"),
            ["The message speaks of documents, and a.py goes."]
        );
        assert!(warned("refactor: a is not needed").is_empty());
        assert!(warned("docsify").is_empty());
        let memory = Memory::new(&before, &before[..2]);
        let judgement = memory.judge(&Policy::default(), Some("docs: no sphinx"));
        assert!(judgement.warnings.is_empty());
    }
}
