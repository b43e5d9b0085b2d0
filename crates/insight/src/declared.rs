//! What a repository declares to need: packages from all files that say so.
//!
//! Not here: which of it is wrong.

use std::collections::BTreeSet;

use tradewind_repo::project::requirement::{Requirement, join, normalized};
use tradewind_repo::project::shell::{Origin, commands};

use crate::rule::Context;
use crate::tables::distributions::{brings, is_described};

/// Packages that are declared.
#[derive(Debug)]
pub struct Declared<'a> {
    /// Every requirement with its file, whatever group.
    all: Vec<(&'a str, &'a Requirement)>,
    /// Names that commands install (`pip install x` in images and CI) and tox environments list.
    installed: BTreeSet<Box<str>>,
    /// Requirements files that are the output of a resolver.
    locks: BTreeSet<&'a str>,
    /// Names that come along all the same: locked because another package needs them, or offered as a
    /// choice in a line that is commented out.
    offered: BTreeSet<Box<str>>,
    /// Why the list may not be all.
    pub open: Option<String>,
}

/// Shorter names stand in others by chance.
const MIN_NAME: usize = 5;

/// Folder of a path; `""` for the root.
pub fn folder_of(path: &str) -> &str {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    // `requirements/base.txt` speaks for the folder above.
    match folder.rsplit('/').next() {
        Some("requirements" | "reqs" | "deps") => {
            folder.rsplit_once('/').map_or("", |(above, _)| above)
        }
        _ => folder,
    }
}

/// Says whether a requirements file is for development, by its name.
fn is_for_development(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    [
        "dev",
        "test",
        "doc",
        "lint",
        "ci.",
        "ci-",
        "-ci",
        "build",
        "example",
        "optional",
        "extra",
        "bench",
        "constraint",
        "notebook",
        "old",
        "gpu",
        "hyperopt",
        "plot",
    ]
    .iter()
    .any(|word| name.contains(word))
}

impl<'a> Declared<'a> {
    /// Collects.
    pub fn of(context: &Context<'a>) -> Self {
        let project = context.project;
        let mut declared = Self {
            all: Vec::new(),
            installed: BTreeSet::new(),
            locks: BTreeSet::new(),
            offered: BTreeSet::new(),
            open: None,
        };
        for file in &project.requirements {
            declared.all.extend(
                file.requirements
                    .iter()
                    .map(|requirement| (file.path.as_ref(), requirement)),
            );
            if file.is_lock || looks_frozen(&file.requirements) {
                declared.locks.insert(&file.path);
            }
            for address in &file.addresses {
                // The last part of a repository's address is nearly always the package's name.
                let name = address
                    .value
                    .split(['@', '#'])
                    .next()
                    .unwrap_or("")
                    .trim_end_matches(".git");
                declared
                    .installed
                    .insert(normalized(name.rsplit('/').next().unwrap_or(name)));
            }
        }
        for manifest in &project.manifests {
            declared.all.extend(
                manifest
                    .requirements
                    .iter()
                    .map(|requirement| (manifest.path.as_ref(), requirement)),
            );
            let folder = manifest
                .path
                .rsplit_once('/')
                .map_or("", |(folder, _)| folder);
            let reads = |file: &str| {
                join(folder, file).is_some_and(|path| project.requirements_file(&path).is_some())
            };
            if manifest.is_open && !manifest.reads.iter().any(|file| reads(&file.value)) {
                declared.open = Some(format!("{} computes its dependencies", manifest.path));
            }
        }
        if let Some(unread) = project
            .unread
            .iter()
            .find(|unread| is_declaration(&unread.what))
        {
            declared.open = Some(format!("{}: {}", unread.what, unread.reason));
        }
        for line in project
            .settings
            .iter()
            .flat_map(|settings| &settings.tox_requirements)
        {
            let text = line
                .value
                .rsplit_once(": ")
                .map_or(line.value.as_ref(), |(_, text)| text);
            declared
                .installed
                .extend(Requirement::parse(line.line, text).map(|requirement| requirement.name));
        }
        declared.read_commands(context);
        declared.read_offers(context);
        declared
    }

    /// Reads lock files, and the lines of declarations that are commented out (`# seaborn  # for charts`).
    fn read_offers(&mut self, context: &Context<'a>) {
        for file in context.tree.tracked() {
            let name = file.path.rsplit('/').next().unwrap_or_default();
            let is_lock = matches!(
                name,
                "uv.lock" | "poetry.lock" | "pdm.lock" | "Pipfile.lock"
            );
            if !is_lock && !is_declaration(&file.path) {
                continue;
            }
            let text = context.tree.text(&file.path).unwrap_or_default();
            let names = text.lines().filter_map(|line| {
                let line = line.trim();
                if !is_lock {
                    return commented_out(line);
                }
                let table = line.strip_prefix("name = \"");
                let key = || line.strip_prefix('"').filter(|_| line.ends_with("\": {"));
                let name = table.or_else(key)?.split('"').next()?;
                Some(normalized(name))
            });
            self.offered.extend(names);
        }
    }

    /// Reads `pip install x`, `conda install x`, `poetry add x` and `apt-get install python3-x`.
    fn read_commands(&mut self, context: &Context<'a>) {
        let mut texts: Vec<String> = context
            .project
            .scripts()
            .iter()
            .map(|script| script.text.to_owned())
            .collect();
        for file in &context.project.dockerfiles {
            let runs = file
                .instructions
                .iter()
                .filter(|instruction| instruction.keyword.as_ref() == "RUN");
            texts.extend(runs.clone().map(|run| run.rest.to_string()));
            texts.extend(
                runs.filter_map(|run| run.heredoc.as_ref())
                    .map(|(_, text)| text.to_string()),
            );
        }
        // Scripts that set a machine up.
        let setups = context
            .tree
            .tracked()
            .filter(|file| file.path.ends_with(".sh") && file.size < 50_000)
            .take(50);
        texts.extend(setups.filter_map(|file| context.tree.text(&file.path)));
        for text in texts {
            for command in commands(&text, Origin::at(1)) {
                let words: Vec<&str> = command
                    .words
                    .iter()
                    .map(|word| word.text.as_ref())
                    .collect();
                let Some(at) = words
                    .iter()
                    .position(|word| matches!(*word, "install" | "add"))
                else {
                    continue;
                };
                for word in words
                    .iter()
                    .skip(at + 1)
                    .filter(|word| !word.starts_with('-'))
                {
                    let word = word.strip_prefix("python3-").unwrap_or(word);
                    self.installed
                        .extend(Requirement::parse(1, word).map(|requirement| requirement.name));
                }
            }
        }
    }

    /// Says whether a package is declared or installed by anything.
    pub fn has(&self, package: &str) -> bool {
        self.installed.contains(package)
            || self
                .all
                .iter()
                .any(|(_, requirement)| requirement.name.as_ref() == package)
    }

    /// Says whether a package comes along without being declared, or is offered as a choice.
    pub fn offers(&self, package: &str) -> bool {
        self.offered.contains(package)
    }

    /// Says whether a declared package is another edition of one, by its name: `newnewtulipy` of `tulipy`.
    pub fn has_fork_of(&self, package: &str) -> bool {
        package.len() >= MIN_NAME && self.all().any(|other| other.contains(package))
    }

    /// Returns a declared package of which nobody here knows what it brings along.
    pub fn unknown(&self) -> Option<&str> {
        let mut names = self
            .all
            .iter()
            .map(|(_, requirement)| requirement.name.as_ref());
        names.find(|package| !is_described(package))
    }

    /// Returns the names of all declared and installed packages.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        let declared = self
            .all
            .iter()
            .map(|(_, requirement)| requirement.name.as_ref());
        declared.chain(self.installed.iter().map(AsRef::as_ref))
    }

    /// Says whether a declared package brings another along, by itself or by one of its extras.
    pub fn brings(&self, package: &str) -> bool {
        let by_extra = |requirement: &Requirement| {
            let name = &requirement.name;
            let mut extras = requirement.extras.iter();
            extras.any(|extra| brings(&format!("{name}[{extra}]"), package))
        };
        self.all().any(|other| brings(other, package))
            || self
                .all
                .iter()
                .any(|(_, requirement)| by_extra(requirement))
    }

    /// Says whether nothing is declared at all.
    pub fn is_nothing(&self) -> bool {
        self.all.is_empty() && self.installed.is_empty()
    }

    /// Returns what the program itself needs, with the file: no groups, no files for development, no locks.
    pub fn main(&self) -> impl Iterator<Item = (&'a str, &'a Requirement)> + '_ {
        self.all
            .iter()
            .filter(|(path, requirement)| {
                requirement.group.is_none()
                    && !is_for_development(path)
                    && !self.locks.contains(path)
            })
            .copied()
    }

    /// Returns the lock lines that the program is installed from: none for development.
    pub fn locked(&self) -> impl Iterator<Item = (&'a str, &'a Requirement)> + '_ {
        self.all
            .iter()
            .filter(|(path, requirement)| {
                requirement.group.is_none()
                    && !is_for_development(path)
                    && self.locks.contains(path)
            })
            .copied()
    }

    /// Returns the requirements files that are the output of a resolver.
    pub fn locks(&self) -> impl Iterator<Item = &str> {
        self.locks.iter().copied()
    }
}

/// Returns the package of a requirement that is commented out; `None` for other comments.
fn commented_out(line: &str) -> Option<Box<str>> {
    let text = line.strip_prefix('#')?.trim_start_matches('#');
    let text = text.split(['#', ';']).next()?.trim();
    let text = text.trim_matches(['"', '\'', ',']);
    let is_one_word = !text.is_empty() && !text.contains(char::is_whitespace);
    let requirement = is_one_word.then(|| Requirement::parse(1, text))??;
    Some(requirement.name)
}

fn is_declaration(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    matches!(
        name,
        "pyproject.toml"
            | "setup.py"
            | "setup.cfg"
            | "Pipfile"
            | "environment.yml"
            | "environment.yaml"
    ) || name.contains("requirements")
}

/// Says whether a list looks like `pip freeze`: everything pinned, with packages that nobody asks for by name.
fn looks_frozen(requirements: &[Requirement]) -> bool {
    const HIDDEN: &[&str] = &[
        "idna",
        "certifi",
        "charset-normalizer",
        "chardet",
        "urllib3",
        "six",
        "pyparsing",
        "cycler",
        "kiwisolver",
        "markupsafe",
        "soupsieve",
        "multidict",
        "yarl",
        "zipp",
        "wcwidth",
        "pycparser",
    ];
    let pinned = requirements
        .iter()
        .filter(|requirement| {
            requirement
                .versions
                .as_ref()
                .is_some_and(|versions| versions.exact().is_some())
        })
        .count();
    let hidden = requirements
        .iter()
        .filter(|requirement| HIDDEN.contains(&requirement.name.as_ref()))
        .count();
    requirements.len() >= 8 && pinned * 10 >= requirements.len() * 9 && hidden >= 3
}
