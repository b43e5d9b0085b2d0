//! `readme-command`.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use tradewind_repo::documents::{Command, Page, PageKind, What};

use super::existing::{Existing, capped, gone_with, is_told_to_make, join};
use super::targets::{self, Target};
use crate::finding::{Area, Confidence, Evidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};

/// Commands on pages that start what the repository does not have. The area is *runs*: what a page says
/// to type is an entry point.
pub(super) struct ReadmeCommand;

const ABOUT: About = About {
    id: "readme-command",
    title: "Documented commands that cannot work",
    area: Area::Runs,
    severity: Severity::Medium,
    confidence: Confidence::Possible,
    timeframe: Timeframe::Week,
    impact: "A new machine that is set up by following the page fails at this line, on the day it is needed.",
    action: "Name the command that works today, or bring back what it starts.",
    after: &[],
};

impl Rule for ReadmeCommand {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        let existing = Existing::new(context);
        // What is missing, and the lines that need it: one cause, however often it is typed.
        let mut missing: BTreeMap<String, (bool, Vec<Evidence>)> = BTreeMap::new();
        for page in &context.documents.pages {
            if matches!(page.kind, PageKind::Changelog | PageKind::Record) {
                continue;
            }
            let text = context.tree.text(&page.path).unwrap_or_default();
            let mut made = BTreeSet::new();
            for claim in &page.claims {
                let What::Command(command) = &claim.what else {
                    continue;
                };
                let Some(folder) = &command.folder else {
                    continue;
                };
                for target in targets::of(command) {
                    let look = Look {
                        context,
                        existing: &existing,
                        page,
                        text: &text,
                        folder,
                        made: &made,
                    };
                    if let Some((name, is_sure)) = look.missing(&target) {
                        let entry = missing.entry(name).or_insert((is_sure, Vec::new()));
                        entry.1.push(Evidence::at(
                            page.path.as_ref(),
                            claim.line,
                            claim.quote.as_ref(),
                        ));
                    }
                }
                makes(command, &mut made);
            }
        }
        for cause in causes(missing, &existing) {
            report(context, cause, &existing, findings);
        }
    }
}

/// What is missing for one reason: one commit took all of it away, or it is one name.
struct Cause {
    names: Vec<String>,
    is_sure: bool,
    evidence: Vec<Evidence>,
}

fn causes(missing: BTreeMap<String, (bool, Vec<Evidence>)>, existing: &Existing<'_>) -> Vec<Cause> {
    let mut causes: BTreeMap<String, Cause> = BTreeMap::new();
    for (name, (is_sure, evidence)) in missing {
        let key = existing
            .deleted_in(&name)
            .map_or_else(|| name.clone(), |commit| commit.id.to_string());
        // Scripts that no package.json has, and targets that no Makefile has, are missing together: the page was written for another one.
        let key = match name.split_once("npm script ") {
            Some(("", _)) => "npm scripts".to_owned(),
            _ if name.starts_with("make target ") => "make targets".to_owned(),
            _ => key,
        };
        let cause = causes.entry(key).or_insert_with(|| Cause {
            names: Vec::new(),
            is_sure,
            evidence: Vec::new(),
        });
        cause.names.push(name);
        cause.evidence.extend(evidence);
    }
    causes.into_values().collect()
}

fn report(context: &Context<'_>, cause: Cause, existing: &Existing<'_>, findings: &mut Findings) {
    let Cause {
        names,
        is_sure,
        mut evidence,
    } = cause;
    // A README is kept; other pages tell of one day, or of one machine.
    let is_kept = |each: &Evidence| {
        let mut pages = context.documents.pages.iter();
        pages.any(|page| {
            each.path.as_deref() == Some(page.path.as_ref())
                && matches!(
                    page.kind,
                    PageKind::Readme | PageKind::Contributing | PageKind::FolderReadme
                )
        })
    };
    let is_sure = is_sure && evidence.iter().any(is_kept);
    // The README is what people follow first.
    evidence.sort_by_key(|each| each.path.as_deref().is_none_or(|path| path.contains('/')));
    let mut seen = BTreeSet::new();
    evidence.retain(|each| seen.insert((each.path.clone(), each.line)));
    let place = evidence.first().map_or(String::new(), |first| {
        let path = first.path.as_deref().unwrap_or_default();
        format!("{path}:{}", first.line.unwrap_or(0))
    });
    let name = names.first().map_or("", String::as_str);
    let why = existing
        .deleted_in(name)
        .map_or_else(|| "which does not exist".to_owned(), gone_with);
    let what = match names.len() {
        1 => name.to_owned(),
        count => format!("{name} and {} more", count - 1),
    };
    let added = findings.add(format!("{place} needs {what}, {why}"), capped(evidence));
    if is_sure {
        added.confidence = Confidence::Likely;
    }
}

/// Notes what a command makes.
fn makes(command: &Command, made: &mut BTreeSet<String>) {
    made.extend(command.writes.iter().map(ToString::to_string));
    let words: Vec<&str> = command.words.iter().map(AsRef::as_ref).collect();
    if let Some(program) = words.first()
        && matches!(
            *program,
            "cp" | "mv"
                | "touch"
                | "mkdir"
                | "wget"
                | "curl"
                | "nano"
                | "vim"
                | "vi"
                | "git"
                | "code"
                | "copy"
        )
    {
        let named = words.iter().skip(1).map(|word| {
            let last = word
                .trim_end_matches('/')
                .rsplit('/')
                .next()
                .unwrap_or_default();
            last.to_owned()
        });
        made.extend(named);
    }
}

/// One target of one command.
struct Look<'a> {
    context: &'a Context<'a>,
    existing: &'a Existing<'a>,
    page: &'a Page,
    text: &'a str,
    folder: &'a str,
    made: &'a BTreeSet<String>,
}

impl Look<'_> {
    /// Returns the name of what is missing, and whether that is certain.
    fn missing(&self, target: &Target) -> Option<(String, bool)> {
        match target {
            Target::Path(path) => self.path(path),
            Target::Module(module) => self.module(module),
            Target::OneOf(names) => {
                let has = names.iter().any(|name| self.existing.is_somewhere(name));
                (!has).then(|| (names.join(" or "), true))
            }
            Target::Make(target) => self.make(target),
            Target::Script(script) => self.script(script),
        }
    }

    fn path(&self, path: &str) -> Option<(String, bool)> {
        let last = path
            .trim_end_matches('/')
            .rsplit('/')
            .next()
            .unwrap_or_default();
        if self.existing.is_there(self.page, self.folder, path)
            || self.existing.is_somewhere(path)
            || self.made.contains(last)
            || self.made.contains(path)
        {
            return None;
        }
        let name = join("", path)?;
        if self.existing.deleted_in(&name).is_some() {
            return Some((name, true));
        }
        // A folder that the repository does not have may be made by an earlier step.
        if self.context.documents.is_ignored(&name) || is_told_to_make(self.text, &name) {
            return None;
        }
        let is_front = matches!(self.page.kind, PageKind::Readme | PageKind::Contributing);
        is_front.then_some((name, false))
    }

    fn module(&self, module: &str) -> Option<(String, bool)> {
        let slashed = module.replace('.', "/");
        let top = slashed.split('/').next().unwrap_or_default();
        let candidates = [
            format!("{slashed}.py"),
            format!("{slashed}/__main__.py"),
            format!("{slashed}/__init__.py"),
            slashed.clone(),
        ];
        if candidates
            .iter()
            .any(|path| self.existing.is_somewhere(path))
        {
            return None;
        }
        // `tests.test_x.TestCase.test_y` names things inside of a module.
        let parents: Vec<&str> = slashed.split('/').collect();
        let is_inside = (1..parents.len()).any(|count| {
            let file = format!("{}.py", parents.get(..count).unwrap_or_default().join("/"));
            self.existing.is_somewhere(&file)
        });
        // "Save this as `bot/first.py` and start it."
        let is_told = candidates
            .iter()
            .filter(|path| self.text.contains(path.as_str()) && !path.ends_with("/__init__.py"))
            .any(|path| path.contains('.') && is_told_to_make(self.text, path));
        if is_told {
            return None;
        }
        let is_own = self.existing.is_at(top) || self.existing.is_at(&format!("src/{top}"));
        let is_gone = candidates
            .iter()
            .any(|path| self.existing.deleted_in(path).is_some());
        let file = candidates
            .iter()
            .find(|path| self.existing.deleted_in(path).is_some());
        let name = file.cloned().unwrap_or_else(|| module.to_owned());
        ((is_own || is_gone) && !is_inside).then_some((name, true))
    }

    fn make(&self, target: &str) -> Option<(String, bool)> {
        let mut has_file = false;
        for file in self.context.tree.tracked() {
            let name = file.path.rsplit('/').next().unwrap_or_default();
            if !(matches!(name, "Makefile" | "makefile" | "GNUmakefile")
                || name.rsplit_once('.').is_some_and(|(_, end)| end == "mk"))
            {
                continue;
            }
            has_file = true;
            let text = self.context.tree.text(&file.path).unwrap_or_default();
            let has_target = text.lines().any(|line| {
                let is_open = line.starts_with("include")
                    || line.starts_with("-include")
                    || line.contains('%') && line.contains(':');
                let names = line.split(':').next().unwrap_or_default();
                is_open
                    || line.contains(':')
                        && !line.starts_with('\t')
                        && (names.split_whitespace().any(|name| name == target)
                            || names.contains('$'))
            });
            if has_target {
                return None;
            }
        }
        let own = self.page.path.contains('/');
        if !has_file {
            return (!own && !self.folder_is_open()).then(|| ("Makefile".to_owned(), true));
        }
        Some((format!("make target {target}"), true))
    }

    /// Says whether the page unpacks or clones something to build.
    fn folder_is_open(&self) -> bool {
        ["tar ", "wget", "./configure", "cmake"]
            .iter()
            .any(|word| self.text.contains(word))
    }

    fn script(&self, script: &str) -> Option<(String, bool)> {
        let mut files = self.context.tree.tracked().filter(|file| {
            file.path.as_ref() == "package.json" || file.path.ends_with("/package.json")
        });
        let has = files.any(|file| {
            let text = self.context.tree.text(&file.path).unwrap_or_default();
            text.contains(&format!("\"{script}\""))
        });
        (!has).then(|| (format!("npm script {script}"), true))
    }
}
