//! Lines of files as evidence quotes them, and findings with many places.
//!
//! A quoted line is trimmed, cut, and never holds what the secret detector takes for a secret.

use std::collections::BTreeMap;

use tradewind_repo::secrets;
use tradewind_repo::tree::Tree;

use crate::finding::{Evidence, Finding};
use crate::rule::{Context, Findings};

/// Longest quote, in characters.
const MAX_QUOTE: usize = 160;
/// Most places of one finding; then "and N more".
const MAX_PLACES: usize = 20;

/// Quotes lines; keeps the files it has read.
pub(crate) struct Quotes<'a> {
    context: &'a Context<'a>,
    files: BTreeMap<String, Vec<String>>,
}

impl<'a> Quotes<'a> {
    /// Starts with nothing read.
    pub(crate) fn new(context: &'a Context<'a>) -> Self {
        Self {
            context,
            files: BTreeMap::new(),
        }
    }

    /// Returns a line of a file, untrimmed; empty where there is none.
    pub(crate) fn line(&mut self, path: &str, line: u32) -> &str {
        if !self.files.contains_key(path) {
            let text = self.context.tree.text(path).unwrap_or_default();
            let lines = text.lines().map(str::to_owned).collect();
            self.files.insert(path.to_owned(), lines);
        }
        let at = (line as usize).checked_sub(1);
        self.files
            .get(path)
            .and_then(|lines| lines.get(at?))
            .map_or("", String::as_str)
    }

    /// Quotes a line.
    pub(crate) fn at(&mut self, path: &str, line: u32) -> Evidence {
        let quote = quoted(path, self.line(path, line));
        Evidence::at(path, line, quote)
    }

    /// Quotes a line with words after it.
    pub(crate) fn noted(&mut self, path: &str, line: u32, words: &str) -> Evidence {
        let quote: String = quoted(path, self.line(path, line))
            .chars()
            .take(100)
            .collect();
        let words: String = words.chars().take(120).collect();
        Evidence::at(path, line, format!("{quote}  ({words})"))
    }
}

/// Cuts a line for a quote and masks what looks like a secret.
pub(crate) fn quoted(path: &str, line: &str) -> String {
    let trimmed = line.trim();
    if !secrets::find(path, trimmed.as_bytes()).is_empty() {
        return "(a line that holds what looks like a secret)".to_owned();
    }
    trimmed.chars().take(MAX_QUOTE).collect()
}

/// Adds one finding for many places: the first twenty, and how many more there are.
pub(crate) fn grouped(
    findings: &mut Findings,
    title: impl Into<String>,
    mut places: Vec<Evidence>,
) -> &mut Finding {
    let more = places.len().saturating_sub(MAX_PLACES);
    places.truncate(MAX_PLACES);
    if more > 0 {
        places.push(Evidence::repository(format!("and {more} more")));
    }
    findings.add(title, places)
}

/// Says whether a file name ends so: `py`, `ipynb`.
pub(crate) fn has_end(path: &str, end: &str) -> bool {
    path.rsplit_once('.').is_some_and(|(_, own)| own == end)
}

/// Says whether a path lies in a folder that somebody else wrote: installed or vendored packages.
pub(crate) fn is_foreign(path: &str) -> bool {
    path.split('/').any(|part| {
        matches!(
            part,
            "site-packages"
                | "dist-packages"
                | "node_modules"
                | "venv"
                | ".venv"
                | "virtualenv"
                | "vendor"
                | "third_party"
                | "__pypackages__"
                | "Lib"
                | "_build"
                | "_static"
                // What helpers of editors bring along: their hooks and skills.
                | ".agents"
                | ".claude"
                | ".codex"
                | ".cursor"
                | ".gemini"
                | ".kiro"
                | ".roo"
                | ".windsurf"
                | "skills"
        ) || part.contains("{{")
    })
}

/// Says whether an import of `top` that led from one file to another may as well mean something nearer: a folder or
/// module of that name lies in a folder around the importing file (`packages/a/tests` beside `packages/b/tests`), and
/// Python takes that one when it is started there.
pub(crate) fn is_of_another_root(tree: &Tree, from: &str, top: &str, to: &str) -> bool {
    let mut folder = from.rsplit_once('/').map_or("", |(folder, _)| folder);
    loop {
        let inside = |name: &str| match folder {
            "" => name.to_owned(),
            _ => format!("{folder}/{name}"),
        };
        let (package, module) = (inside(top), inside(&format!("{top}.py")));
        if tree.has(&package) || tree.has(&module) {
            return to != module && !to.starts_with(&format!("{package}/"));
        }
        if folder.is_empty() {
            return false;
        }
        folder = folder.rsplit_once('/').map_or("", |(above, _)| above);
    }
}

/// Says whether a file is a form that a program fills in before anybody runs it: a template of a new project or
/// strategy.
pub(crate) fn is_template(path: &str) -> bool {
    let folders = path.rsplit_once('/').map_or("", |(folders, _)| folders);
    folders.split('/').any(|folder| {
        matches!(
            folder.to_ascii_lowercase().as_str(),
            "template"
                | "templates"
                | "cookiecutter"
                | "boilerplate"
                | "skeleton"
                | "scaffold"
                | "scaffolds"
        )
    })
}

/// Says whether a file was put away, by the folder it lies in: what does not run there is known, and nobody mends it.
pub(crate) fn is_shelved(path: &str) -> bool {
    let (folders, file) = path.rsplit_once('/').unwrap_or(("", path));
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    let is_backup = ["_backup", "-backup", "_bak"]
        .iter()
        .any(|end| stem.to_ascii_lowercase().ends_with(end));
    is_backup
        || folders.split('/').any(|folder| {
            let name = folder.to_ascii_lowercase();
            let name = name.trim_matches(['_', '.', '-']);
            matches!(
                name,
                "archive"
                    | "archived"
                    | "archives"
                    | "attic"
                    | "deprecated"
                    | "graveyard"
                    | "obsolete"
                    | "old"
                    | "trash"
                    | "unused"
            ) || [
                "old_",
                "old-",
                "archive_",
                "archive-",
                "archived_",
                "archived-",
                "wip-",
                "wip_",
            ]
            .iter()
            .any(|start| name.starts_with(start))
                || ["_old", "-old"].iter().any(|end| name.ends_with(end))
        })
}

/// Says whether the project declares a distribution that brings a package of that top name, as far as the
/// names tell.
pub(crate) fn is_declared(context: &Context<'_>, package: &str) -> bool {
    let plain = |name: &str| name.to_ascii_lowercase().replace(['_', '.'], "-");
    let name = plain(package);
    let project = context.project;
    let listed = project
        .requirements
        .iter()
        .flat_map(|file| &file.requirements);
    let packaged = project
        .manifests
        .iter()
        .flat_map(|manifest| &manifest.requirements);
    listed.chain(packaged).any(|requirement| {
        let declared = plain(&requirement.name);
        declared == name || declared.split('-').any(|part| part == name)
    })
}

/// Returns those of the words that stand in some tracked file that says what is started or read, other than
/// the file they belong to: word and its own file. Every file is read once.
pub(crate) fn named_elsewhere(
    context: &Context<'_>,
    words: &[(String, String)],
) -> std::collections::BTreeSet<String> {
    let mut found = std::collections::BTreeSet::new();
    if words.is_empty() {
        return found;
    }
    for file in context.tree.tracked() {
        if file.size > 200_000 || !names_files(&file.path) {
            continue;
        }
        let Some(text) = context.tree.text(&file.path) else {
            continue;
        };
        for (word, own) in words {
            if *own != *file.path && !found.contains(word) && text.contains(word.as_str()) {
                found.insert(word.clone());
            }
        }
    }
    found
}

/// Whether files of this kind say what is started or read; a changelog tells of the past.
fn names_files(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    let end = name.rsplit_once('.').map_or("", |(_, end)| end);
    let is_text = matches!(
        end,
        "py" | "yml"
            | "yaml"
            | "toml"
            | "cfg"
            | "ini"
            | "sh"
            | "bat"
            | "json"
            | "service"
            | "ps1"
            | "mk"
            | "md"
            | "rst"
            | "txt"
    );
    is_text && !name.starts_with("changelog")
        || matches!(
            name.as_str(),
            "dockerfile" | "makefile" | "procfile" | "justfile"
        )
}

#[cfg(test)]
mod tests {
    use super::is_shelved;

    #[test]
    fn a_folder_says_that_a_file_was_put_away() {
        for path in [
            "old/a.py",
            "x/_archive/a.py",
            "bots_old/v1/a.py",
            "Deprecated/a.py",
        ] {
            assert!(is_shelved(path), "{path}");
        }
        for path in [
            "old.py",
            "threshold/a.py",
            "golden/a.py",
            "archive.py",
            "a/bold/c.py",
        ] {
            assert!(!is_shelved(path), "{path}");
        }
    }
}
