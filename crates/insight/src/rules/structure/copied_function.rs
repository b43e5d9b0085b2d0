//! `copied-function`: functions whose bodies are the same but for layout and names of locals.

use std::collections::{BTreeMap, BTreeSet};

use tradewind_repo::python::{Code, Function, Module};

use crate::finding::{Area, Confidence, Evidence, Severity, Timeframe};
use crate::quotes::{Quotes, grouped, is_foreign};
use crate::rule::{About, Context, Findings, Rule};

static ABOUT: About = About {
    id: "copied-function",
    title: "Functions that were copied",
    area: Area::Structure,
    severity: Severity::Low,
    confidence: Confidence::Certain,
    timeframe: Timeframe::Month,
    impact: "A correction reaches one of the copies; the numbers of the others stay wrong.",
    action: "Keep one, and import it in the other places.",
    after: &["identical-files", "parallel-trees", "abandoned-generation"],
};

/// Smaller bodies look alike by chance.
const MIN_STATEMENTS: u32 = 5;

/// Helpers below this size are told together: each alone is not worth a finding.
const SMALL_BELOW: u32 = 8;

/// The rule.
pub struct CopiedFunction;

impl Rule for CopiedFunction {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        let mut quotes = Quotes::new(context);
        let twins = super::parallel_trees::pairs(context);
        let mut by_body: BTreeMap<u64, Vec<(&Module, &Function)>> = BTreeMap::new();
        for module in &context.code.modules {
            if is_foreign(&module.path)
                || Code::is_test(&module.path)
                || module.path.contains("/migrations/")
            {
                continue;
            }
            for function in &module.functions {
                let lines = function.end_line.saturating_sub(function.line);
                if function.body_hash != 0
                    && !function.name.starts_with("__")
                    && function.statements >= MIN_STATEMENTS
                    && lines >= 5
                {
                    by_body
                        .entry(function.body_hash)
                        .or_default()
                        .push((module, function));
                }
            }
        }
        let mut by_files: BTreeMap<Vec<&str>, Groups<'_>> = BTreeMap::new();
        for copies in by_body.into_values() {
            let files: BTreeSet<&str> = copies
                .iter()
                .map(|(module, _)| module.path.as_ref())
                .collect();
            if copies.len() < 2 || files.len() < 2 {
                continue;
            }
            let files: Vec<&str> = files.into_iter().collect();
            if is_told(context, &twins, &files) {
                continue;
            }
            by_files.entry(files).or_default().push(copies);
        }
        let (small, large): (Vec<_>, Vec<_>) =
            merged(by_files).into_iter().partition(|(_, groups)| {
                groups
                    .iter()
                    .flatten()
                    .all(|(_, function)| function.statements < SMALL_BELOW)
            });
        for (files, groups) in large {
            report(&mut quotes, &files, &groups, findings);
        }
        if !small.is_empty() {
            let files: BTreeSet<&str> = small
                .iter()
                .flat_map(|(files, _)| files.iter().copied())
                .collect();
            let files: Vec<&str> = files.into_iter().collect();
            let groups: Groups<'_> = small.into_iter().flat_map(|(_, groups)| groups).collect();
            report(&mut quotes, &files, &groups, findings);
        }
    }
}

type Groups<'a> = Vec<Vec<(&'a Module, &'a Function)>>;

/// Puts groups together that share two files: helpers that travel together were copied together.
fn merged<'a>(by_files: BTreeMap<Vec<&'a str>, Groups<'a>>) -> Vec<(Vec<&'a str>, Groups<'a>)> {
    let mut all: Vec<(BTreeSet<&str>, Groups<'a>)> = Vec::new();
    let mut sets: Vec<(Vec<&str>, Groups<'a>)> = by_files.into_iter().collect();
    sets.sort_by_key(|(files, _)| std::cmp::Reverse(files.len()));
    for (files, groups) in sets {
        let files: BTreeSet<&str> = files.into_iter().collect();
        match all
            .iter_mut()
            .find(|(known, _)| known.intersection(&files).count() >= 2)
        {
            Some((known, copies)) => {
                known.extend(files);
                copies.extend(groups);
            }
            None => all.push((files, groups)),
        }
    }
    all.into_iter()
        .map(|(files, groups)| (files.into_iter().collect(), groups))
        .collect()
}

/// Whether another rule says that these files are copies of each other as a whole.
fn is_told(context: &Context<'_>, twins: &[super::parallel_trees::Pair], files: &[&str]) -> bool {
    let mut texts = files.iter().map(|path| context.tree.text(path));
    let first = texts.next().flatten();
    if first.is_some() && texts.all(|text| text == first) {
        return true;
    }
    let folder = |path: &str| {
        path.rsplit_once('/')
            .map_or(String::new(), |(folder, _)| folder.to_owned())
    };
    if twins
        .iter()
        .any(|pair| files.iter().all(|path| pair.holds(&folder(path))))
    {
        return true;
    }
    // Generations of one file share what they have not changed.
    let family = |path: &str| {
        let stem = path
            .rsplit('/')
            .next()
            .unwrap_or(path)
            .trim_end_matches(".py");
        (
            folder(path),
            super::abandoned_generation::base(stem)
                .unwrap_or(stem)
                .to_owned(),
        )
    };
    let mut families = files.iter().map(|path| family(path));
    let first = families.next();
    families.all(|family| Some(family) == first)
}

fn report(
    quotes: &mut Quotes<'_>,
    files: &[&str],
    groups: &[Vec<(&Module, &Function)>],
    findings: &mut Findings,
) {
    let mut evidence: Vec<Evidence> = Vec::new();
    for copies in groups {
        for (module, function) in copies {
            evidence.push(quotes.at(&module.path, function.line));
        }
    }
    let Some((_, function)) = groups.first().and_then(|copies| copies.first()) else {
        return;
    };
    let shown: Vec<&str> = files.iter().take(3).copied().collect();
    let more = files.len().saturating_sub(3);
    let whole = if more > 0 {
        format!("{} and {more} more", shown.join(", "))
    } else {
        shown.join(" and ")
    };
    let title = if groups.len() == 1 {
        format!("{} is the same in {whole}", function.qualified)
    } else {
        format!("{} functions were copied among {whole}", groups.len())
    };
    grouped(findings, title, evidence);
}
