//! Rows of several providers in one frame or file, and no column that names the provider.
//!
//! Told is only what one function shows by itself: two frames fetched from two providers and put together there, or
//! one name filled by either of two providers and then written to a file. What is handed on is not followed.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use tradewind_repo::api_map::{ApiCall, Node};

use crate::finding::{Area, Confidence, Evidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};
use crate::source::{Source, is_test};

/// Rows of several providers in one frame or file, and no column that names the provider.
#[derive(Debug)]
pub struct ProvenanceLost;

const ABOUT: About = About {
    id: "provenance-lost",
    title: "Rows of several providers that cannot be told apart",
    area: Area::MarketData,
    severity: Severity::Medium,
    confidence: Confidence::Possible,
    timeframe: Timeframe::Month,
    impact: "Providers adjust, round and stamp differently: the seam looks like a move of the price, and nobody can find or replace the rows of one.",
    action: "Add a column that names the provider where the rows are fetched, and keep it in the file.",
    after: &[],
};

/// Words by which code keeps where rows come from.
const KEPT_AS: &[&str] = &["source", "provider", "vendor", "origin", "feed", "src"];
/// Methods that write a frame.
const WRITES: &[&str] = &[
    ".to_csv(",
    ".to_parquet(",
    ".to_sql(",
    ".to_pickle(",
    ".to_feather(",
    ".to_hdf(",
];
/// Methods that put another frame's rows into one.
const JOINS: &[&str] = &[".combine_first(", ".fillna(", ".append("];

impl Rule for ProvenanceLost {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        for ((module, scope), fetched) in fetched(context) {
            let providers: BTreeSet<&str> = fetched.iter().map(|one| one.provider).collect();
            let Some(file) = context.code.modules.get(module) else {
                continue;
            };
            if providers.len() < 2 || scope.is_none() || is_test(&file.path) {
                continue;
            }
            let Some(source) = Source::read(context, &file.path) else {
                continue;
            };
            let span = source.span(file, scope);
            let is_kept = keeps_provenance(&source.text(span.clone()))
                || fetched.iter().any(|one| fetcher_keeps(context, one));
            if is_kept {
                continue;
            }
            let Some(seam) = seam(&source, span, &fetched) else {
                continue;
            };
            let named = |provider: &str| {
                let known = context.catalog.provider(provider);
                known.map_or_else(|| provider.to_owned(), |known| known.title.clone())
            };
            let (one, other) = (
                &fetched_at(&fetched, seam.lines.0),
                &fetched_at(&fetched, seam.lines.1),
            );
            let (Some(one), Some(other)) = (one, other) else {
                continue;
            };
            let title = format!(
                "rows of {} and {} {} in {}, and no column says which are whose",
                named(one.provider),
                named(other.provider),
                seam.words,
                file.path
            );
            let evidence: Vec<Evidence> = vec![
                source.at(seam.line),
                source.noted(one.line, &named(one.provider)),
                source.noted(other.line, &named(other.provider)),
            ];
            findings.add(title, evidence);
        }
    }
}

/// One line of a function that fetches rows.
#[derive(Debug)]
struct Fetched<'a> {
    line: u32,
    provider: &'a str,
    /// The function that asks the provider, where it is another one.
    by: Option<Node>,
}

fn fetched_at<'f, 'a>(fetched: &'f [Fetched<'a>], line: u32) -> Option<&'f Fetched<'a>> {
    fetched.iter().find(|one| one.line == line)
}

/// Returns the functions that fetch rows, by themselves or through a function that asks one provider.
fn fetched<'a>(context: &Context<'a>) -> BTreeMap<Node, Vec<Fetched<'a>>> {
    let brings_rows = |call: &&ApiCall| {
        call.use_case
            .is_none_or(tradewind_catalog::UseCase::is_data)
            && !is_test(&call.path)
    };
    let calls = || context.api_map.calls.iter().filter(brings_rows);
    let mut asked: BTreeMap<Node, BTreeSet<&str>> = BTreeMap::new();
    for call in calls() {
        let providers = asked.entry((call.module, call.scope)).or_default();
        providers.insert(&call.provider);
    }
    let mut found: BTreeMap<Node, Vec<Fetched<'a>>> = BTreeMap::new();
    for call in calls() {
        let own = found.entry((call.module, call.scope)).or_default();
        own.push(Fetched {
            line: call.line,
            provider: &call.provider,
            by: None,
        });
        if asked
            .get(&(call.module, call.scope))
            .is_some_and(|providers| providers.len() > 1)
        {
            continue;
        }
        for caller in context.api_map.callers.of(call.module, call.scope) {
            let module = context.code.modules.get(caller.module);
            let line = module
                .zip(caller.call)
                .and_then(|(module, call)| Some(module.calls.get(call)?.line));
            if let (Some(line), true) = (line, caller.is_certain) {
                found
                    .entry((caller.module, caller.scope))
                    .or_default()
                    .push(Fetched {
                        line,
                        provider: &call.provider,
                        by: Some((call.module, call.scope)),
                    });
            }
        }
    }
    found
}

fn fetcher_keeps(context: &Context<'_>, fetched: &Fetched<'_>) -> bool {
    let Some((module, scope)) = fetched.by else {
        return false;
    };
    let file = context.code.modules.get(module);
    file.and_then(|file| Some((file, Source::read(context, &file.path)?)))
        .is_none_or(|(file, source)| keeps_provenance(&source.around(file, scope)))
}

/// Says whether code writes down where rows come from: in a column, an attribute, a file's name or a key.
fn keeps_provenance(text: &str) -> bool {
    text.lines().any(|line| {
        let code = line.split('#').next().unwrap_or_default().to_lowercase();
        code.contains(".attrs")
            || code.contains("keys=")
            || KEPT_AS.iter().any(|word| {
                ["\"", "'", "=", " =", "}"]
                    .iter()
                    .any(|end| code.contains(&format!("{word}{end}")))
            })
    })
}

/// Where rows of two providers come together.
#[derive(Debug)]
struct Seam {
    line: u32,
    /// Lines that fetched them.
    lines: (u32, u32),
    words: &'static str,
}

/// Finds where rows of two providers come together in a function.
fn seam(source: &Source, span: RangeInclusive<u32>, fetched: &[Fetched<'_>]) -> Option<Seam> {
    // Which lines that fetch stand behind a name, as assignments hand them on.
    let mut behind: BTreeMap<&str, BTreeSet<u32>> = BTreeMap::new();
    for number in span {
        let line = source.line(number);
        let code = line.split('#').next().unwrap_or_default();
        let of_names = |names: &BTreeSet<&str>| {
            let mut one_each: BTreeMap<&str, u32> = BTreeMap::new();
            for line in names.iter().filter_map(|name| behind.get(name)).flatten() {
                if let Some(one) = fetched_at(fetched, *line) {
                    one_each.entry(one.provider).or_insert(*line);
                }
            }
            let mut lines = one_each.into_values();
            lines.next().zip(lines.next())
        };
        if joins_rows(code)
            && let Some(lines) = of_names(&words(
                code.split_once('=').map_or(code, |(_, given)| given),
            ))
        {
            return Some(Seam {
                line: number,
                lines,
                words: "are put together",
            });
        }
        let written = WRITES.iter().find_map(|write| code.split_once(write));
        if let Some((before, _)) = written
            && let Some(name) = last_word(before)
            && let Some(lines) = of_names(&BTreeSet::from([name]))
            && source.heads(lines.0).first() != source.heads(lines.1).first()
        {
            return Some(Seam {
                line: number,
                lines,
                words: "are written to one file",
            });
        }
        let Some((name, given)) = assigned(code) else {
            continue;
        };
        let mut lines: BTreeSet<u32> = words(given)
            .iter()
            .filter_map(|word| behind.get(word))
            .flatten()
            .copied()
            .collect();
        if fetched_at(fetched, number).is_some() {
            lines = BTreeSet::from([number]);
        }
        // In a block the other value may stay: a fallback adds, it does not replace.
        let is_in_block = source.heads(number).len() > 1;
        let known = behind.entry(name).or_default();
        if !is_in_block {
            known.clear();
        }
        known.extend(lines);
    }
    None
}

/// Says whether a line puts the rows of frames below each other, or into each other's gaps.
fn joins_rows(code: &str) -> bool {
    let is_concat =
        code.contains("concat(") && !code.contains("axis=1") && !code.contains("axis=\"columns\"");
    is_concat || JOINS.iter().any(|join| code.contains(join))
}

/// Returns the words of code that may be names.
fn words(code: &str) -> BTreeSet<&str> {
    code.split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| word.starts_with(|c: char| c.is_alphabetic() || c == '_'))
        .collect()
}

/// Returns the name that code ends with: `df` in `    df`, not in `self.df`.
fn last_word(code: &str) -> Option<&str> {
    let name = code
        .rsplit(|c: char| c.is_whitespace() || matches!(c, '(' | '='))
        .next()?;
    (words(name).len() == 1 && !name.contains(['.', '[', ')'])).then_some(name)
}

/// Returns the name that a line assigns, and what it is given.
fn assigned(code: &str) -> Option<(&str, &str)> {
    let (name, given) = code.split_once('=')?;
    let name = name.trim();
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    (is_name && !given.starts_with('=')).then_some((name, given))
}
