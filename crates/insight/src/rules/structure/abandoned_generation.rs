//! `abandoned-generation`: `x_old.py`, `x_v2.py`, `x_backup.py` beside `x.py`, used by nobody.

use std::collections::BTreeMap;

use tradewind_repo::python::{Code, Module};

use crate::finding::{Area, Confidence, Severity, Timeframe};
use crate::quotes::{Quotes, grouped, has_end, is_foreign, named_elsewhere};
use crate::rule::{About, Context, Findings, Rule};

static ABOUT: About = About {
    id: "abandoned-generation",
    title: "Old versions of a module beside the one in use",
    area: Area::Structure,
    severity: Severity::Medium,
    confidence: Confidence::Possible,
    timeframe: Timeframe::Month,
    impact: "Which of them trades is a guess, and a correction may land in the one that does not.",
    action: "Delete the ones that nobody uses; git remembers them.",
    after: &[],
};

/// Endings that say "not this one" by themselves.
const OLD: &[&str] = &[
    "old",
    "backup",
    "bak",
    "copy",
    "orig",
    "original",
    "legacy",
    "deprecated",
    "obsolete",
    "unused",
    "archive",
    "archived",
    "save",
    "saved",
    "prev",
    "previous",
    "broken",
    "temp",
    "tmp",
    "draft",
];

/// Endings that count generations.
const NEW: &[&str] = &[
    "new",
    "final",
    "fixed",
    "improved",
    "latest",
    "updated",
    "refactored",
    "alt",
];

/// The rule.
pub struct AbandonedGeneration;

impl Rule for AbandonedGeneration {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        let mut quotes = Quotes::new(context);
        let families = families(context);
        let words: Vec<(String, String)> = families
            .values()
            .filter(|members| members.len() > 1)
            .flatten()
            .filter(|module| base(split(&module.path).1).is_some() && !is_imported(context, module))
            .flat_map(|module| {
                spellings(module)
                    .into_iter()
                    .map(|word| (word, module.path.to_string()))
            })
            .collect();
        let elsewhere = named_elsewhere(context, &words);
        for ((folder, family), members) in families {
            // A row of numbered files is a series, not generations.
            let numbered = members
                .iter()
                .filter(|module| is_numbered(split(&module.path).1))
                .count();
            if members.len() < 2 || numbered > 3 {
                continue;
            }
            let has_base = members
                .iter()
                .any(|module| split(&module.path).1.to_ascii_lowercase() == family);
            let used: Vec<bool> = members
                .iter()
                .map(|module| {
                    is_imported(context, module)
                        || spellings(module)
                            .iter()
                            .any(|word| elsewhere.contains(word))
                })
                .collect();
            let abandoned: Vec<&&Module> = members
                .iter()
                .zip(&used)
                .filter(|(module, is_used)| {
                    let stem = split(&module.path).1;
                    let is_later = base(stem).is_some();
                    !**is_used && is_later && (has_base || ends_old(stem))
                })
                .map(|(module, _)| module)
                .collect();
            if abandoned.is_empty() {
                continue;
            }
            let evidence = abandoned
                .iter()
                .map(|module| {
                    quotes.noted(
                        &module.path,
                        1,
                        "imported by nobody, named by no other file",
                    )
                })
                .collect();
            let names: Vec<&str> = abandoned
                .iter()
                .map(|module| module.path.as_ref())
                .collect();
            let place = if folder.is_empty() {
                String::new()
            } else {
                format!("{folder}/")
            };
            let verb = if names.len() == 1 {
                "is an abandoned generation"
            } else {
                "are abandoned generations"
            };
            let names: String = names.join(" and ").chars().take(200).collect();
            let finding = grouped(
                findings,
                format!("{names} {verb} of {place}{family}.py"),
                evidence,
            );
            if abandoned
                .iter()
                .all(|module| ends_old(split(&module.path).1))
                && has_base
            {
                finding.confidence = Confidence::Likely;
            }
        }
    }
}

/// Groups the modules of a folder that are generations of one name.
fn families<'a>(context: &Context<'a>) -> BTreeMap<(String, String), Vec<&'a Module>> {
    let mut families: BTreeMap<(String, String), Vec<&'a Module>> = BTreeMap::new();
    for module in &context.code.modules {
        let path = module.path.as_ref();
        let (folder, stem) = split(path);
        if is_foreign(path) || !has_end(path, "py") || Code::is_test(path) {
            continue;
        }
        let family = base(stem).unwrap_or(stem).to_ascii_lowercase();
        families
            .entry((folder.to_owned(), family))
            .or_default()
            .push(module);
    }
    families
}

fn split(path: &str) -> (&str, &str) {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    (folder, name.strip_suffix(".py").unwrap_or(name))
}

/// The name of which a file is a generation: `strategy` for `strategy_v2`; `None` for other names.
pub(crate) fn base(stem: &str) -> Option<&str> {
    let lower = stem.to_ascii_lowercase();
    if lower.len() != stem.len() {
        return None;
    }
    for (start, end) in [(" (", ")"), ("(", ")")] {
        if let Some((head, number)) = lower
            .strip_suffix(end)
            .and_then(|rest| rest.rsplit_once(start))
            && is_number(number)
        {
            return stem.get(..head.len());
        }
    }
    let at = lower.rfind(['_', '-', ' ', '.'])?;
    let (head, word) = (lower.get(..at)?, lower.get(at + 1..)?);
    let is_version =
        word.strip_prefix('v').is_some_and(is_number) || (is_number(word) && word.len() <= 2);
    if head.is_empty() || !(is_version || OLD.contains(&word) || NEW.contains(&word)) {
        return None;
    }
    // `strategy_v2_old` is a generation of `strategy`.
    let head = stem.get(..at)?;
    Some(base(head).unwrap_or(head))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_digit())
}

fn is_numbered(stem: &str) -> bool {
    stem.ends_with(|c: char| c.is_ascii_digit()) && base(stem).is_some()
}

fn ends_old(stem: &str) -> bool {
    let lower = stem.to_ascii_lowercase();
    lower
        .rsplit(['_', '-', ' ', '.'])
        .next()
        .is_some_and(|word| OLD.contains(&word))
        || lower.ends_with(')')
}

/// Whether anything imports a file.
fn is_imported(context: &Context<'_>, module: &Module) -> bool {
    context
        .code
        .importers_of(&module.path)
        .any(|(importer, _)| importer.path != module.path)
}

/// What another file would call this one: its name, or the dotted name of its module.
fn spellings(module: &Module) -> Vec<String> {
    let path = module.path.as_ref();
    let (folder, stem) = split(path);
    let mut found = vec![path.rsplit('/').next().unwrap_or(path).to_owned()];
    if !folder.is_empty() {
        found.push(format!("{}.{stem}", folder.replace('/', ".")));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generations_know_their_base() {
        assert_eq!(base("strategy_old"), Some("strategy"));
        assert_eq!(base("strategy_v2"), Some("strategy"));
        assert_eq!(base("Bot-2"), Some("Bot"));
        assert_eq!(base("bot (1)"), Some("bot"));
        assert_eq!(base("strategy_v2_backup"), Some("strategy"));
        assert_eq!(base("moving_average_200"), None);
        assert_eq!(base("trade_copy"), Some("trade"));
        assert_eq!(base("strategy"), None);
        assert_eq!(base("_old"), None);
    }
}
