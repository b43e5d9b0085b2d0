//! `identical-files`: source files with the same content.

use std::collections::BTreeMap;

use tradewind_repo::tree::FileKind;

use crate::finding::{Area, Confidence, Evidence, Severity, Timeframe};
use crate::quotes::{grouped, is_foreign, is_shelved};
use crate::rule::{About, Context, Findings, Rule};

static ABOUT: About = About {
    id: "identical-files",
    title: "Source files with the same content",
    area: Area::Structure,
    severity: Severity::Medium,
    confidence: Confidence::Possible,
    timeframe: Timeframe::Month,
    impact: "A correction reaches one of them; the others go on being wrong.",
    action: "Keep one, and import or refer to it from the other places.",
    after: &["parallel-trees"],
};

/// Files with fewer lines that say something are too small to matter.
const MIN_LINES: usize = 6;

/// More pairs of folders than this share files by habit.
const MAX_APART: usize = 2;

/// The rule.
pub struct IdenticalFiles;

impl Rule for IdenticalFiles {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        let twins = super::parallel_trees::pairs(context);
        // Files with the same content between the same folders have one cause.
        let mut groups: BTreeMap<Vec<String>, Vec<Vec<&str>>> = BTreeMap::new();
        for paths in same(context) {
            let folders: Vec<String> = paths.iter().map(|path| folder(path).to_owned()).collect();
            let is_told = twins
                .iter()
                .any(|pair| folders.iter().all(|folder| pair.holds(folder)));
            if !is_told {
                groups.entry(folders).or_default().push(paths);
            }
        }
        // Copies between many folders are a way of working, and told once.
        if groups.len() > MAX_APART {
            let all: Vec<Vec<&str>> = groups.into_values().flatten().collect();
            let title = format!("{} source files have copies in other folders", all.len());
            grouped(findings, title, places(&all));
            return;
        }
        for groups in groups.into_values() {
            let Some(first) = groups.first() else {
                continue;
            };
            let title = if groups.len() == 1 {
                first.join(" and ").chars().take(160).collect::<String>() + " are identical"
            } else {
                let folders: Vec<&str> = first.iter().map(|path| named(folder(path))).collect();
                format!(
                    "{} files are identical in {}",
                    groups.len(),
                    folders.join(" and ")
                )
            };
            grouped(findings, title, places(&groups));
        }
    }
}

/// Names each file with those that have its content.
fn places(groups: &[Vec<&str>]) -> Vec<Evidence> {
    let of_group = |paths: &Vec<&str>| {
        let note = |path: &&str| {
            let others = paths.iter().filter(|other| *other != path);
            let others: Vec<&str> = others.copied().collect();
            let others: String = others.join(", ").chars().take(180).collect();
            Evidence::at(*path, 1, format!("the same content as {others}"))
        };
        paths.iter().map(note).collect::<Vec<_>>()
    };
    groups.iter().flat_map(of_group).collect()
}

fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

fn named(folder: &str) -> &str {
    if folder.is_empty() {
        "the root"
    } else {
        folder
    }
}

/// Groups of source files with one content.
fn same<'a>(context: &Context<'a>) -> Vec<Vec<&'a str>> {
    let mut by_size: BTreeMap<u64, Vec<&str>> = BTreeMap::new();
    for file in context.tree.tracked() {
        if file.size > 100
            && file.kind != FileKind::Link
            && file.kind != FileKind::Submodule
            && is_source(&file.path)
        {
            by_size.entry(file.size).or_default().push(&file.path);
        }
    }
    let mut groups = Vec::new();
    for paths in by_size.into_values().filter(|paths| paths.len() > 1) {
        let mut by_content: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for path in paths {
            if let Some(text) = context.tree.text(path) {
                by_content.entry(text).or_default().push(path);
            }
        }
        for (text, paths) in by_content {
            let lines = text
                .lines()
                .map(str::trim)
                .filter(|line| !line.is_empty() && !line.starts_with('#'))
                .count();
            if paths.len() > 1 && lines >= MIN_LINES {
                groups.push(paths);
            }
        }
    }
    groups.sort();
    groups
}

/// Whether a file is source that people write, in a place where copies are no convention.
fn is_source(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let end = name.rsplit_once('.').map_or("", |(_, end)| end);
    let is_code = matches!(
        end,
        "py" | "js" | "ts" | "jsx" | "tsx" | "rs" | "go" | "java" | "sh" | "ipynb" | "sql"
    );
    is_code
        && !matches!(
            name,
            "__init__.py" | "conftest.py" | "setup.py" | "manage.py"
        )
        && !name.ends_with(".min.js")
        && !is_foreign(path)
        && !is_shelved(path)
        && !path.split('/').any(|part| {
            matches!(
                part,
                "fixtures"
                    | "migrations"
                    | "testdata"
                    | "test_data"
                    | "static"
                    | "dist"
                    | "build"
                    | "generated"
            )
        })
}
