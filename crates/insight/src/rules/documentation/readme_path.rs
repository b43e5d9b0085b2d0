//! `readme-path`.

use tradewind_repo::documents::{Page, PageKind, PathHow, What};

use super::existing::{Existing, capped, gone_with, is_told_to_make, join};
use crate::finding::{Area, Confidence, Evidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};

/// Links and names of files on pages that lead nowhere.
pub(super) struct ReadmePath;

const ABOUT: About = About {
    id: "readme-path",
    title: "Links and file names that lead nowhere",
    area: Area::Documentation,
    severity: Severity::Low,
    confidence: Confidence::Possible,
    timeframe: Timeframe::Month,
    impact: "The page that should explain the next step is not there when somebody needs it.",
    action: "Correct the path, or take the sentence out.",
    after: &[],
};

impl Rule for ReadmePath {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        let existing = Existing::new(context);
        let mut told: Vec<(&Page, Vec<Evidence>)> = Vec::new();
        for page in &context.documents.pages {
            if matches!(page.kind, PageKind::Changelog | PageKind::Record) {
                continue;
            }
            let text = context.tree.text(&page.path).unwrap_or_default();
            let mut evidence = Vec::new();
            for claim in &page.claims {
                let missing = match &claim.what {
                    What::Path {
                        path,
                        how: PathHow::Code,
                    } => {
                        named(&existing, page, &text, path).filter(|_| !is_in_a_command(page, path))
                    }
                    // That its text is missing is told by another rule.
                    What::Path { path, .. } if is_missing_licence(context, path) => None,
                    What::Path { path, .. } => linked(&existing, page, path),
                    What::Anchor {
                        page: target,
                        anchor,
                    } => anchored(context, page, target, anchor),
                    _ => None,
                };
                if let Some(note) = missing {
                    let item = Evidence::at(page.path.as_ref(), claim.line, note);
                    if !evidence.contains(&item) {
                        evidence.push(item);
                    }
                }
            }
            if !evidence.is_empty() {
                told.push((page, evidence));
            }
        }
        // The README is read first; of many other pages nobody kept any.
        let is_front = |page: &Page| matches!(page.kind, PageKind::Readme | PageKind::Contributing);
        let is_kept = |page: &Page| is_front(page) || page.kind == PageKind::FolderReadme;
        let others = told.iter().filter(|(page, _)| !is_front(page)).count();
        let mut together = Vec::new();
        for (page, evidence) in told {
            if others > MAX_APART && !is_front(page) {
                together.extend(evidence);
            } else {
                report(page.path.as_ref(), evidence, is_kept(page), findings);
            }
        }
        if !together.is_empty() {
            report(&format!("{others} pages"), together, false, findings);
        }
    }
}

/// More pages than this are told together.
const MAX_APART: usize = 2;

/// Tells of what one page, or many, name in vain.
fn report(whose: &str, evidence: Vec<Evidence>, is_kept: bool, findings: &mut Findings) {
    let first = evidence
        .first()
        .map_or(String::new(), |first: &Evidence| first.note.clone());
    let more = match evidence.len() {
        1 => String::new(),
        count => format!(" (and {} more)", count - 1),
    };
    let added = findings.add(format!("{whose}: {first}{more}"), capped(evidence));
    // A README is kept; other pages tell of one day, or of what is to come.
    if is_kept {
        added.confidence = Confidence::Likely;
    }
}

/// Says whether a link leads to the text of a licence that the repository claims and does not have.
fn is_missing_licence(context: &Context<'_>, path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    let pages = context.documents.pages.iter();
    let mut claims = pages
        .filter(|page| page.kind == PageKind::Readme)
        .flat_map(|page| &page.claims);
    context.documents.licenses.is_empty()
        && (name.starts_with("license") || name.starts_with("licence"))
        && claims.any(|claim| matches!(claim.what, What::License(_)))
}

/// Says whether a page tells to start a file: that it is not there is told of the command.
fn is_in_a_command(page: &Page, path: &str) -> bool {
    page.claims.iter().any(|claim| match &claim.what {
        What::Command(command) => command
            .words
            .iter()
            .any(|word| word.trim_start_matches("./") == path),
        _ => false,
    })
}

/// A link to a file that is not there.
fn linked(existing: &Existing<'_>, page: &Page, path: &str) -> Option<String> {
    let own = page.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let base = if path.starts_with('/') { "" } else { own };
    // `../../issues` leads to pages of the forge.
    let target = join(base, path)?;
    if path.starts_with('/') && !own.is_empty() {
        return None;
    }
    let stem = target.trim_end_matches(".html");
    let candidates = [
        "",
        ".md",
        ".rst",
        ".mdx",
        ".ipynb",
        "/index.md",
        "/README.md",
        "/index.rst",
    ];
    let is_there = existing.is_at(&target)
        || candidates
            .iter()
            .any(|ending| existing.is_at(&format!("{stem}{ending}")));
    // Sites put pages elsewhere than their sources: there only what was deleted is sure.
    let is_site = own.starts_with("doc") || page.path.ends_with(".mdx");
    let gone = existing.deleted_in(&target);
    if is_there
        || existing.is_made(&target)
        || is_site && gone.is_none() && existing.is_somewhere(&target)
    {
        return None;
    }
    let last = target.rsplit('/').next().unwrap_or_default();
    if is_site && gone.is_none() && !last.contains('.') {
        return None;
    }
    let why = gone.map_or_else(|| "does not exist".to_owned(), gone_with);
    Some(format!("link to {target}: {why}"))
}

/// A file named in running text that was here once.
fn named(existing: &Existing<'_>, page: &Page, text: &str, path: &str) -> Option<String> {
    if existing.is_there(page, "", path) || existing.is_somewhere(path) {
        return None;
    }
    let gone = existing.deleted_in(path)?;
    let is_told = existing.is_made(path) || is_told_to_make(text, path);
    // A sentence may go on in the next line.
    let lines: Vec<&str> = text.lines().collect();
    let speaks_of_past = lines.iter().enumerate().any(|(at, line)| {
        if !line.contains(path) {
            return false;
        }
        let next = lines.get(at + 1).copied().unwrap_or_default();
        let before = at
            .checked_sub(1)
            .and_then(|at| lines.get(at))
            .copied()
            .unwrap_or_default();
        if format!("{line} {next}")
            .to_lowercase()
            .contains("not exist")
        {
            return true;
        }
        // A list or a table has one statement a line.
        let is_prose = |line: &str| !line.trim_start().starts_with(['-', '*', '|', '#', '>']);
        let lower = if is_prose(line) {
            [before, line, next].join(" ").to_lowercase()
        } else {
            line.to_lowercase()
        };
        [
            "removed",
            "deleted",
            "renamed",
            "moved",
            "replaced",
            "old ",
            "legacy",
            "former",
            "no longer",
            "deprecated",
            "was ",
            "~~",
        ]
        .iter()
        .any(|word| lower.contains(word))
    });
    (!is_told && !speaks_of_past).then(|| format!("{path}: {}", gone_with(gone)))
}

/// A link to a heading that no page has. Only pages as a forge shows them are judged.
fn anchored(context: &Context<'_>, page: &Page, target: &str, anchor: &str) -> Option<String> {
    let own = page.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let target = if target.is_empty() {
        page
    } else {
        let path = join(own, target)?;
        context.documents.page(&path)?
    };
    let is_forge =
        target.path.to_ascii_lowercase().ends_with(".md") && !target.path.starts_with("doc");
    let plain = |text: &str| -> String {
        text.chars()
            .filter(|letter| letter.is_alphanumeric())
            .flat_map(char::to_lowercase)
            .collect()
    };
    let wanted = plain(anchor.trim_start_matches("user-content-"));
    let digits_off = wanted.trim_end_matches(|letter: char| letter.is_ascii_digit());
    let has = target.headings.iter().any(|heading| {
        let heading = plain(&heading.text);
        heading == wanted || heading == digits_off
    }) || target.anchors.iter().any(|name| plain(name) == wanted);
    let is_line = anchor
        .strip_prefix('L')
        .is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()));
    (is_forge
        && !has
        && !is_line
        && !wanted.is_empty()
        && anchor.is_ascii()
        && !anchor.contains('%'))
    .then(|| format!("#{anchor}: {} has no such heading", target.path))
}
