//! `absolute-home-path`.

use std::collections::BTreeMap;

use tradewind_repo::documents::{PageKind, What};
use tradewind_repo::python::Code;

use super::existing::capped;
use crate::finding::{Area, Confidence, Evidence, Severity, Timeframe};
use crate::quotes::has_end;
use crate::rule::{About, Context, Findings, Rule};

/// Paths that exist on one person's computer.
pub(super) struct AbsoluteHomePath;

const ABOUT: About = About {
    id: "absolute-home-path",
    title: "Paths of one computer",
    area: Area::Documentation,
    severity: Severity::Low,
    confidence: Confidence::Possible,
    timeframe: Timeframe::Week,
    impact: "The line works for one person on one machine; on a server or in a container it fails at once.",
    action: "Use a path relative to the repository, or a setting.",
    after: &[],
};

impl Rule for AbsoluteHomePath {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        let mut computers: BTreeMap<String, Vec<Evidence>> = BTreeMap::new();
        for page in &context.documents.pages {
            if matches!(page.kind, PageKind::Changelog | PageKind::Record) {
                continue;
            }
            for claim in &page.claims {
                if let What::Home(path) = &claim.what {
                    let item = Evidence::at(page.path.as_ref(), claim.line, claim.quote.as_ref());
                    computers.entry(owner(path)).or_default().push(item);
                }
            }
        }
        let mut runs = BTreeMap::new();
        for place in &context.names.homes {
            let name = place.path.to_ascii_lowercase();
            // Outputs of notebooks and recorded data tell where they were made; nothing runs by them.
            let is_record = [
                ".ipynb",
                ".json",
                ".txt",
                ".xml",
                ".ipynb_checkpoints",
                ".log",
                ".out",
            ]
            .iter()
            .any(|end| name.ends_with(end));
            if is_record
                || Code::is_test(&place.path)
                || [".test.", ".spec."].iter().any(|part| name.contains(part))
                || is_commented_out(context, &place.path, place.line)
                || is_packed(context, &place.path)
                || is_of_a_server(context, &place.path, place.line)
                || is_in_a_description(context, &place.path, place.line)
                || is_in_tests_of_rust(context, &place.path, place.line)
            {
                continue;
            }
            let who = owner(&place.text);
            let is_python = has_end(&place.path, "py");
            *runs.entry(who.clone()).or_insert(false) |= is_python;
            let note: String = place.text.chars().take(160).collect();
            computers.entry(who).or_default().push(Evidence::at(
                place.path.as_ref(),
                place.line,
                note,
            ));
        }
        // A page beside the README may show a path of anybody; it names a computer when a program or the README
        // names it too, or when somebody of that name works here.
        computers.retain(|who, places| {
            let is_in_readme = |place: &Evidence| {
                let name = place
                    .path
                    .as_deref()
                    .and_then(|path| path.rsplit('/').next());
                name.is_some_and(|name| name.to_ascii_lowercase().starts_with("readme"))
            };
            runs.contains_key(who)
                || places.iter().any(is_in_readme)
                || is_of_somebody(context, who)
        });
        for (who, mut evidence) in computers {
            evidence.dedup_by(|a, b| a.path == b.path && a.line == b.line);
            let first = evidence
                .first()
                .and_then(|first| first.path.clone())
                .unwrap_or_default();
            let title = match evidence.len() {
                1 => format!("{first} names a path on the computer of {who}"),
                count => {
                    format!("{count} lines name paths on the computer of {who}, first in {first}")
                }
            };
            let added = findings.add(title, capped(evidence));
            if let Some(is_python) = runs.get(&who) {
                added.severity = Severity::Medium;
                // What a program opens is not there; what a page or a script of one machine shows may be meant so.
                if *is_python {
                    added.confidence = Confidence::Likely;
                }
            }
        }
    }
}

/// Says whether a line of a program is a comment: nothing runs by it.
fn is_commented_out(context: &Context<'_>, path: &str, line: u32) -> bool {
    if !has_end(path, "py") && !has_end(path, "sh") {
        return false;
    }
    let text = context.tree.text(path).unwrap_or_default();
    let at = (line as usize).saturating_sub(1);
    let line = text.lines().nth(at).unwrap_or_default();
    line.trim_start().starts_with('#') && !line.starts_with("#!")
}

/// Says whether a script was put together by a program, which notes where its parts lay.
fn is_packed(context: &Context<'_>, path: &str) -> bool {
    has_end(path, "js")
        && context
            .tree
            .text(path)
            .is_some_and(|text| text.contains("__webpack_require__") || text.contains("sourceURL="))
}

/// Says whether a line names a path of the machine that something is shipped to.
fn is_of_a_server(context: &Context<'_>, path: &str, line: u32) -> bool {
    let text = context.tree.text(path).unwrap_or_default();
    let at = (line as usize).saturating_sub(1);
    let line = text.lines().nth(at).unwrap_or_default().to_lowercase();
    [
        "server",
        "remote",
        "deploy_path",
        "ssh ",
        "scp ",
        "rsync ",
        "vps",
    ]
    .iter()
    .any(|word| line.contains(word))
}

/// Says whether a line of Python stands in a description between triple quotes: an example for the reader.
fn is_in_a_description(context: &Context<'_>, path: &str, line: u32) -> bool {
    has_end(path, "py")
        && context.tree.text(path).is_some_and(|text| {
            let above = text.lines().take((line as usize).saturating_sub(1));
            let quotes: usize = above.map(|line| line.matches("\"\"\"").count()).sum();
            quotes % 2 == 1
        })
}

/// Says whether a line of Rust stands below `#[cfg(test)]`, where tests have their paths.
fn is_in_tests_of_rust(context: &Context<'_>, path: &str, line: u32) -> bool {
    has_end(path, "rs")
        && context.tree.text(path).is_some_and(|text| {
            let above = text.lines().take(line as usize);
            above
                .into_iter()
                .any(|line| line.trim_start().starts_with("#[cfg(test)]"))
        })
}

/// Says whether somebody who wrote commits goes by the name of a home folder.
fn is_of_somebody(context: &Context<'_>, who: &str) -> bool {
    let who = who.to_lowercase();
    who.len() > 2
        && context.history.people.iter().any(|person| {
            let name: String = person.name.to_lowercase().split_whitespace().collect();
            name.contains(&who) || person.email.to_lowercase().contains(&who)
        })
}

/// The name of the home folder.
fn owner(path: &str) -> String {
    let plain = path.replace('\\', "/").replace("//", "/");
    let after = plain
        .split_once("/Users/")
        .or_else(|| plain.split_once("/home/"))
        .map_or("", |(_, rest)| rest);
    after.split('/').next().unwrap_or_default().to_owned()
}
