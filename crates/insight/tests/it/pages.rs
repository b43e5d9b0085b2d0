//! Every rule has a page that agrees with it and both fixtures; no page or fixture is without a rule.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use tradewind_insight::{About, audit};

use crate::fixtures::fixtures;

/// The sections of a page, in their sequence.
const SECTIONS: [&str; 4] = [
    "## What it looks for",
    "## Why it hurts a trader",
    "## How to fix",
    "## When it is wrong",
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/rules")
}

/// How often findings of each rule were right, useless and wrong: counted from the tables of every set that nobody had
/// opened before, of the fourth set and later (the first three were used for tuning).
fn measured() -> BTreeMap<String, [usize; 3]> {
    let folder = folder().join("../audit");
    let mut counts: BTreeMap<String, [usize; 3]> = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let is_set = name
            .strip_prefix("precision-")
            .is_some_and(|set| set >= "d");
        let text = std::fs::read_to_string(&path).unwrap();
        for line in text.lines().filter(|_| is_set) {
            let cells: Vec<_> = line.trim().trim_matches('|').split(" | ").collect();
            let [_, rule, _, verdict, ..] = cells.as_slice() else {
                continue;
            };
            let at = match verdict.trim() {
                "right" => 0,
                "useless" => 1,
                "wrong" => 2,
                _ => continue,
            };
            // The heads of the tables by rule have a column "useless", too.
            if rule.trim() != "findings" {
                counts.entry(rule.trim().to_owned()).or_default()[at] += 1;
            }
        }
    }
    counts
}

/// Says how often a rule was right.
fn said(measured: &BTreeMap<String, [usize; 3]>, rule: &str) -> String {
    match measured.get(rule) {
        None => "Measured: it found nothing yet on repositories that nobody had opened before."
            .to_owned(),
        Some([right, useless, wrong]) => format!(
            "Measured on repositories that nobody had opened before: {right} right, {useless} useless, {wrong} wrong."
        ),
    }
}

/// The three lines that a page opens with.
fn head(about: &About, measured: &BTreeMap<String, [usize; 3]>) -> [String; 3] {
    [
        format!("# {}: {}", about.id, about.title),
        format!(
            "Area {} · severity {} · confidence {} · repair {}",
            about.area.as_str().replace('_', " "),
            about.severity.as_str(),
            about.confidence.as_str(),
            match about.timeframe.as_str() {
                "immediate" => "immediately".to_owned(),
                other => format!("this {other}"),
            }
        ),
        said(measured, about.id),
    ]
}

/// Returns what is wrong with a page. With `TRADEWIND_UPDATE` its first three lines are written anew.
fn page(about: &About, measured: &BTreeMap<String, [usize; 3]>) -> Vec<String> {
    let path = folder().join(format!("{}.md", about.id));
    let Ok(text) = std::fs::read_to_string(&path) else {
        return vec!["has no page".to_owned()];
    };
    let mut lines: Vec<_> = text
        .replace("\r\n", "\n")
        .lines()
        .map(str::to_owned)
        .collect();
    let [title, facts, figures] = head(about, measured);
    if std::env::var_os("TRADEWIND_UPDATE").is_some()
        && lines.first().is_some_and(|line| line.starts_with("# "))
        && let Some(at) = lines.iter().position(|line| line.starts_with("Area "))
    {
        lines[0].clone_from(&title);
        lines[at].clone_from(&facts);
        if lines
            .get(at + 1)
            .is_some_and(|line| line.starts_with("Measured"))
        {
            lines.remove(at + 1);
        }
        lines.insert(at + 1, figures.clone());
        // In Markdown, two blanks at the end of a line keep the next one apart.
        lines[at].push_str("  ");
        std::fs::write(&path, lines.join("\n") + "\n").unwrap();
    }
    let mut wrong = Vec::new();
    let mut told = lines.iter().filter(|line| !line.trim().is_empty());
    for wanted in [&title, &facts, &figures] {
        let said = told.next().cloned().unwrap_or_default();
        if said.trim_end() != *wanted {
            wrong.push(format!("says {said:?}, must say {wanted:?}"));
        }
    }
    let sections: Vec<_> = lines
        .iter()
        .filter(|line| line.starts_with("## "))
        .map(String::as_str)
        .collect();
    if sections != SECTIONS {
        wrong.push(format!("has the sections {sections:?}"));
    }
    for section in SECTIONS {
        let is_empty = lines
            .iter()
            .skip_while(|line| *line != section)
            .skip(1)
            .take_while(|line| !line.starts_with("## "))
            .all(|line| line.trim().is_empty());
        if is_empty {
            wrong.push(format!("{section:?} is empty"));
        }
    }
    wrong
}

#[test]
fn every_rule_has_a_page_and_both_fixtures_and_nothing_is_left_over() {
    let only = std::env::var("TRADEWIND_RULE").ok();
    let abouts = audit::abouts();
    let names: BTreeSet<_> = abouts.iter().map(|about| about.id).collect();
    let fixtures = fixtures();
    let measured = measured();
    let mut wrong = Vec::new();
    if names.len() != abouts.len() {
        wrong.push("two rules have one name".to_owned());
    }
    for about in &abouts {
        if only.as_ref().is_some_and(|only| only != about.id) {
            continue;
        }
        wrong.extend(
            page(about, &measured)
                .iter()
                .map(|what| format!("{}: {what}", about.id)),
        );
        for kind in ["fires", "near"] {
            let is_there = fixtures.iter().any(|(rule, path)| {
                rule == about.id
                    && path
                        .file_name()
                        .is_some_and(|name| name.to_string_lossy().starts_with(kind))
            });
            if !is_there {
                wrong.push(format!("{}: has no {kind}.txt", about.id));
            }
        }
        for first in about.after {
            if !names.contains(first) || *first == about.id {
                wrong.push(format!(
                    "{}: comes after {first}, which is no rule",
                    about.id
                ));
            }
        }
    }
    for (rule, path) in &fixtures {
        if !names.contains(rule.as_str()) {
            wrong.push(format!("{} has no rule", path.display()));
        }
    }
    for entry in std::fs::read_dir(folder()).into_iter().flatten() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        if stem != "README" && !names.contains(stem.as_str()) {
            wrong.push(format!("docs/rules/{stem}.md has no rule"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The index of the pages: the introduction by hand, the tables from the rules.
fn index() -> String {
    let mut text = "# The rules of `tradewind audit`

One page per rule: what it looks for, why it hurts a trader, how to fix it, and when it is wrong. `tradewind audit --explain RULE`
prints a page; [how to add a rule](../how-to/add-an-audit-rule.md).

*Confidence* is the usual one; a finding may differ, as its page says. What is `possible` is a remark: folded away unless `--remarks`
asks for it, and not counted ([why](../decisions/0015-confidence.md)). *Measured* is how many findings were right, useless and wrong when every one was opened in the code
of repositories that nobody had opened before (docs/audit, fourth set and later), before anything was mended, remarks of those days among them.
"
    .to_owned();
    let measured = measured();
    let mut abouts = audit::abouts();
    abouts.sort_by_key(|about| (about.area, about.id));
    let mut area = None;
    for about in abouts {
        if area != Some(about.area) {
            area = Some(about.area);
            let title = about.area.as_str().replace('_', " ");
            text.push_str(&format!(
                "\n## {title}\n\n| rule | looks for | severity | confidence | measured |\n|---|---|---|---|---|\n"
            ));
        }
        text.push_str(&format!(
            "| [{id}]({id}.md) | {} | {} | {} | {} |\n",
            about.title,
            about.severity.as_str(),
            about.confidence.as_str(),
            measured.get(about.id).map_or_else(
                || "not yet".to_owned(),
                |[right, useless, wrong]| format!("{right} / {useless} / {wrong}")
            ),
            id = about.id
        ));
    }
    text
}

#[test]
fn the_index_lists_every_rule() {
    let path = folder().join("README.md");
    if std::env::var_os("TRADEWIND_UPDATE").is_some() {
        std::fs::write(&path, index()).unwrap();
    }
    let text = std::fs::read_to_string(&path)
        .unwrap()
        .replace("\r\n", "\n");
    assert_eq!(
        text,
        index(),
        "run `TRADEWIND_UPDATE=1 cargo test -p tradewind-insight`"
    );
}
