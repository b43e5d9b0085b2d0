//! The folders in which Python looks for modules of a repository.
//!
//! Where Python looks depends on how a program is started, which no file says for certain. So the answer
//! for a file is the list of all folders that a usual start, a setting or the code itself puts on the
//! path: a name that resolves in one of them is not called missing. Nothing is executed.
//! Not here: which file a name leads to, that is [`super::resolve`].

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::module::{EditFolder, Module};
use crate::tree::Tree;

/// Search folders of one repository.
#[derive(Debug, Default)]
pub(super) struct Roots {
    /// From settings, the layout and project files, most usual first; the repository's root is `""`.
    settled: Vec<Box<str>>,
    /// Places in `settled`.
    settled_at: HashMap<Box<str>, usize>,
    /// What a file puts on the path itself.
    own: BTreeMap<Box<str>, Vec<Box<str>>>,
    /// What some file puts on the path: known to a file that another one started.
    any: Vec<Box<str>>,
    /// Places in `any`.
    any_at: HashMap<Box<str>, usize>,
    /// Files whose changes of the path cannot be computed.
    unknown: BTreeSet<Box<str>>,
}

/// Files whose mere presence makes their folder the root of a project.
const PROJECT_FILES: &[&str] = &[
    "pyproject.toml",
    "setup.py",
    "setup.cfg",
    "requirements.txt",
    "Pipfile",
    "pytest.ini",
    "tox.ini",
    "manage.py",
    "Dockerfile",
    "environment.yml",
];

/// How many project roots are followed; a repository with more is a collection of exercises.
const MAX_PROJECTS: usize = 200;

impl Roots {
    /// Reads settings and edits of the path.
    pub(super) fn new(modules: &[std::sync::Arc<Module>], tree: &Tree) -> Self {
        let mut roots = Self::default();
        roots.settle("");
        roots.settle("src");
        for file in tree.tracked() {
            let (folder, name) = split(&file.path);
            if PROJECT_FILES.contains(&name) && roots.settled.len() < MAX_PROJECTS {
                roots.settle(folder);
                roots.settle(&join(folder, "src"));
                roots.read_settings(tree, folder, name);
            } else if holds_python_path(name) {
                roots.read_python_path(tree, &file.path);
            }
        }
        for module in modules {
            roots.read_edits(module);
        }
        roots
    }

    fn settle(&mut self, folder: &str) {
        if !self.settled_at.contains_key(folder) {
            self.settled_at.insert(folder.into(), self.settled.len());
            self.settled.push(folder.into());
        }
    }

    fn read_settings(&mut self, tree: &Tree, folder: &str, name: &str) {
        match name {
            "pyproject.toml" => {
                let Some(text) = tree.text(&join(folder, name)) else {
                    return;
                };
                let Ok(table) = text.parse::<toml::Table>() else {
                    return;
                };
                for path in pyproject_paths(&table) {
                    if let Some(path) = normal(folder, &path) {
                        self.settle(&path);
                    }
                }
            }
            "pytest.ini" | "tox.ini" | "setup.cfg" => {
                let Some(text) = tree.text(&join(folder, name)) else {
                    return;
                };
                for path in ini_paths(&text) {
                    if let Some(path) = normal(folder, &path) {
                        self.settle(&path);
                    }
                }
            }
            _ => {}
        }
    }

    /// Reads `PYTHONPATH=…` and `PYTHONPATH: …` out of a file that starts something.
    fn read_python_path(&mut self, tree: &Tree, path: &str) {
        let Some(text) = tree.text(path) else { return };
        let (folder, _) = split(path);
        for line in text.lines() {
            let Some((_, rest)) = line.split_once("PYTHONPATH") else {
                continue;
            };
            let value = rest
                .trim_start_matches([' ', '=', ':', '"', '\''])
                .split([' ', '"', '\'', ';', '&'])
                .next()
                .unwrap_or_default();
            for part in value.split([':', ',']) {
                // `$PWD/src`, `/app/src`, `${workspaceFolder}/src`: the folder of that name, where it exists.
                let tail = part
                    .rsplit_once(['}', ')'])
                    .map_or(part, |(_, tail)| tail)
                    .trim_start_matches("$PWD");
                for base in [folder, ""] {
                    let whole = normal(base, tail.trim_start_matches('/'));
                    let inner = tail
                        .trim_start_matches('/')
                        .split_once('/')
                        .and_then(|(_, tail)| normal(base, tail));
                    for folder in [whole, inner].into_iter().flatten() {
                        if tree.has_folder(&folder) && self.settled.len() < MAX_PROJECTS {
                            self.settle(&folder);
                        }
                    }
                }
            }
        }
    }

    fn read_edits(&mut self, module: &Module) {
        let (folder, _) = split(&module.path);
        for edit in &module.path_edits {
            let mut found = Vec::new();
            match &edit.folder {
                EditFolder::FromFile { up, tail } => {
                    let mut base = folder;
                    let mut is_inside = true;
                    for _ in 0..*up {
                        is_inside &= !base.is_empty();
                        base = split(base).0;
                    }
                    if is_inside && let Some(path) = normal(base, tail) {
                        found.push(path);
                    }
                }
                EditFolder::FromStart { tail } => {
                    found.extend(normal("", tail));
                    found.extend(normal(folder, tail));
                }
                EditFolder::Absolute => {}
                EditFolder::Unknown => {
                    self.unknown.insert(module.path.clone());
                }
            }
            for path in found {
                if !self.any_at.contains_key(path.as_str()) {
                    self.any_at.insert(path.as_str().into(), self.any.len());
                    self.any.push(path.as_str().into());
                }
                self.own
                    .entry(module.path.clone())
                    .or_default()
                    .push(path.into());
            }
        }
    }

    /// Returns the folders in which imports of the file at `path` are looked up, most usual first.
    pub(super) fn of<'r>(&'r self, path: &'r str) -> Vec<&'r str> {
        let mut above = split(path).0;
        let own = std::iter::once(above);
        let parents = std::iter::from_fn(|| {
            (!above.is_empty()).then(|| {
                above = split(above).0;
                above
            })
        });
        let named = |list: &'r [Box<str>]| list.iter().map(AsRef::as_ref);
        let mut seen = HashSet::new();
        named(self.put_by(path))
            .chain(own)
            .chain(named(&self.settled))
            .chain(parents)
            .chain(named(&self.any))
            .filter(|folder| seen.insert(*folder))
            .collect()
    }

    /// Says where in [`Self::of`] a folder stands, without making the list: the less, the earlier. `None` where it
    /// does not.
    pub(super) fn rank(&self, path: &str, folder: &str) -> Option<(u8, usize)> {
        let own = split(path).0;
        let is_above = own.len() > folder.len()
            && own
                .strip_prefix(folder)
                .is_some_and(|rest| folder.is_empty() || rest.starts_with('/'));
        let mut put = self.put_by(path).iter();
        if let Some(at) = put.position(|put| put.as_ref() == folder) {
            Some((0, at))
        } else if own == folder {
            Some((1, 0))
        } else if let Some(at) = self.settled_at.get(folder) {
            Some((2, *at))
        } else if is_above {
            Some((3, own.len() - folder.len()))
        } else {
            self.any_at.get(folder).map(|at| (4, *at))
        }
    }

    /// Says whether settings name a folder.
    pub(super) fn is_settled(&self, folder: &str) -> bool {
        self.settled_at.contains_key(folder)
    }

    /// Says whether the file at `path` puts a folder on the path itself.
    pub(super) fn is_put_by(&self, path: &str, folder: &str) -> bool {
        self.put_by(path).iter().any(|put| put.as_ref() == folder)
    }

    /// Returns the folders that settings name, the repository's root among them.
    pub(super) fn settled(&self) -> &[Box<str>] {
        &self.settled
    }

    /// Returns the folders that the file at `path` puts on the path itself.
    fn put_by(&self, path: &str) -> &[Box<str>] {
        self.own.get(path).map_or(&[], Vec::as_slice)
    }

    /// Says whether a change of the path that concerns this file cannot be computed: its own, or that of
    /// a `conftest.py` above it.
    pub(super) fn is_unknown(&self, path: &str) -> bool {
        self.unknown.iter().any(|known| {
            let (folder, name) = split(known);
            known.as_ref() == path
                || (matches!(name, "conftest.py" | "__init__.py")
                    && (folder.is_empty() || path.starts_with(&format!("{folder}/"))))
        })
    }
}

/// Whether files of this name start programs and may name `PYTHONPATH`.
fn holds_python_path(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    lower.starts_with("dockerfile")
        || lower.starts_with("makefile")
        || lower == "justfile"
        || lower == "procfile"
        || lower.starts_with(".env")
        || [".sh", ".yml", ".yaml", ".bat", ".service"]
            .iter()
            .any(|end| lower.ends_with(end))
        || lower == "settings.json"
        || lower == "launch.json"
}

/// Folders that a pyproject.toml puts on the path.
fn pyproject_paths(table: &toml::Table) -> Vec<String> {
    let at = |keys: &[&str]| {
        let mut value = table.get(*keys.first()?)?;
        for key in &keys[1..] {
            value = value.get(key)?;
        }
        Some(value)
    };
    let mut found = Vec::new();
    for keys in [
        &["tool", "pytest", "ini_options", "pythonpath"][..],
        &["tool", "pytest", "pythonpath"],
        &["tool", "setuptools", "packages", "find", "where"],
        &["tool", "pyright", "extraPaths"],
        &["tool", "ruff", "src"],
        &["tool", "isort", "src_paths"],
        &["tool", "mypy", "mypy_path"],
    ] {
        match at(keys) {
            Some(toml::Value::String(text)) => {
                found.extend(text.split_whitespace().map(ToOwned::to_owned));
            }
            Some(toml::Value::Array(items)) => {
                found.extend(
                    items
                        .iter()
                        .filter_map(|item| item.as_str().map(ToOwned::to_owned)),
                );
            }
            _ => {}
        }
    }
    if let Some(toml::Value::Table(folders)) = at(&["tool", "setuptools", "package-dir"]) {
        found.extend(
            folders
                .iter()
                .filter(|(package, _)| package.is_empty())
                .filter_map(|(_, folder)| folder.as_str().map(ToOwned::to_owned)),
        );
    }
    if let Some(toml::Value::Array(packages)) = at(&["tool", "poetry", "packages"]) {
        found.extend(
            packages
                .iter()
                .filter_map(|package| package.get("from")?.as_str().map(ToOwned::to_owned)),
        );
    }
    found
}

/// Folders that `pythonpath =` and the like of an ini file put on the path.
fn ini_paths(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut is_open = false;
    for line in text.lines() {
        let is_continued = line.starts_with([' ', '\t']) && !line.trim().is_empty();
        if is_open && is_continued {
            found.extend(line.split_whitespace().map(ToOwned::to_owned));
            continue;
        }
        is_open = false;
        let Some((key, value)) = line.split_once('=') else {
            continue;
        };
        if matches!(
            key.trim(),
            "pythonpath" | "python_paths" | "where" | "mypy_path"
        ) {
            is_open = true;
            found.extend(value.split_whitespace().map(ToOwned::to_owned));
        }
    }
    found
}

/// Splits a path into its folder (`""` for the root) and the last name.
pub(super) fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

/// Puts a path behind a folder.
pub(super) fn join(folder: &str, path: &str) -> String {
    match (folder.is_empty(), path.is_empty()) {
        (true, _) => path.to_owned(),
        (_, true) => folder.to_owned(),
        _ => format!("{folder}/{path}"),
    }
}

/// Resolves `.` and `..` of a path behind a folder; `None` when it leaves the repository or is absolute.
pub(super) fn normal(folder: &str, path: &str) -> Option<String> {
    if path.starts_with('/') || path.starts_with('~') || path.contains(['$', '{', '%', '*']) {
        return None;
    }
    let path = path.replace('\\', "/");
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part if part.ends_with(':') => return None,
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::python::module::PathEdit;

    fn edit(folder: EditFolder) -> Vec<PathEdit> {
        vec![PathEdit { line: 1, folder }]
    }

    #[test]
    fn settings_and_edits_put_folders_on_the_path() {
        let tree = Tree::of([
            (
                "pyproject.toml",
                "[tool.pytest.ini_options]\npythonpath = [\"lib\", \"./app\"]\n",
            ),
            ("tools/pytest.ini", "[pytest]\npythonpath = . helpers\n"),
            ("run.sh", "PYTHONPATH=/app/code python -m x\n"),
            ("code/x.py", ""),
        ]);
        let module = Arc::new(Module {
            path: "scripts/deep/run.py".into(),
            path_edits: edit(EditFolder::FromFile {
                up: 1,
                tail: "shared".into(),
            }),
            ..Module::default()
        });
        let roots = Roots::new(&[module], &tree);
        let found = roots.of("scripts/deep/run.py");
        assert_eq!(found.first(), Some(&"scripts/shared"));
        let rank = |folder| roots.rank("scripts/deep/run.py", folder);
        assert!(
            found.is_sorted_by_key(|folder| rank(folder).unwrap()),
            "{found:?}"
        );
        assert_eq!(rank("elsewhere"), None);
        for folder in [
            "",
            "src",
            "lib",
            "app",
            "tools",
            "tools/helpers",
            "code",
            "scripts",
            "scripts/deep",
        ] {
            assert!(found.contains(&folder), "{folder} in {found:?}");
        }
    }

    #[test]
    fn what_cannot_be_computed_is_said_for_the_files_it_concerns() {
        let modules = [Arc::new(Module {
            path: "tests/conftest.py".into(),
            path_edits: edit(EditFolder::Unknown),
            ..Module::default()
        })];
        let roots = Roots::new(&modules, &Tree::of::<&str, &str>([]));
        assert!(roots.is_unknown("tests/unit/test_a.py"));
        assert!(!roots.is_unknown("bot/a.py"));
    }

    #[test]
    fn a_path_that_leaves_the_repository_is_none() {
        assert_eq!(normal("a/b", "../c"), Some("a/c".to_owned()));
        assert_eq!(normal("", "../c"), None);
        assert_eq!(normal("", "/etc"), None);
    }
}
