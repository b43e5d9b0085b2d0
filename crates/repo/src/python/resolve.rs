//! What an import leads to, as far as that can be said without running it.
//!
//! Not here: why a missing one is missing ([`super::traces`]), and what a name in a file is
//! ([`super::define`]).

use std::collections::{HashMap, HashSet};

use super::code::Code;
use super::module::Import;
use super::roots::{join, split};
use super::standard::{StandardModule, standard_module};
use crate::tree::{FileState, Tree};

/// What an import leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// A file here.
    File {
        /// Its path.
        path: Box<str>,
        /// The name in it that is taken; `None` for the whole module, `*` for all. Whether the file defines
        /// it, [`Code::find_in`] says.
        name: Option<Box<str>>,
    },
    /// A folder here with Python files and without `__init__.py`.
    Folder {
        /// Its path.
        path: Box<str>,
    },
    /// A module of Python's own library.
    Standard(StandardModule),
    /// A package that is not a part of the repository.
    Outside {
        /// Its top name.
        package: Box<str>,
    },
    /// A module of this repository that is not there.
    Missing {
        /// The dotted name that is missing: `bot.main`; for relative ones the path with dots.
        module: Box<str>,
        /// Where it would have to be, most usual first, at most eight.
        expected: Vec<Box<str>>,
    },
    /// It cannot be said.
    Undecided {
        /// Why not.
        reason: Box<str>,
    },
}

/// Module files and folders of a tree, by their path without suffix.
#[derive(Debug, Default)]
pub(super) struct Files {
    /// `bot/cli` leads to `bot/cli.py`, `bot` to `bot/__init__.py`.
    modules: HashMap<Box<str>, Box<str>>,
    /// Folders with a module file at any depth.
    folders: HashSet<Box<str>>,
    /// Below which folders there is a module or folder of this name: a large repository has hundreds of search
    /// folders, and few of them hold what a name begins with.
    parents: HashMap<Box<str>, Vec<Box<str>>>,
}

/// Suffixes of files that Python can import, best first.
const SUFFIXES: &[&str] = &[".py", ".pyx", ".so", ".pyd", ".pyi"];

impl Files {
    pub(super) fn new(tree: &Tree) -> Self {
        let mut files = Self::default();
        for file in tree.files() {
            if matches!(file.state, FileState::Ignored(_)) {
                continue;
            }
            let Some(stem) = module_stem(&file.path) else {
                continue;
            };
            let is_better = files
                .modules
                .get(stem)
                .is_none_or(|known| rank(&file.path) < rank(known));
            if is_better {
                files.modules.insert(stem.into(), file.path.clone());
            }
            let mut folder = split(&file.path).0;
            while !folder.is_empty() && files.folders.insert(folder.into()) {
                folder = split(folder).0;
            }
        }
        for path in files.modules.keys().chain(&files.folders) {
            let (folder, name) = split(path);
            let parents = files.parents.entry(name.into()).or_default();
            parents.push(folder.into());
        }
        for parents in files.parents.values_mut() {
            parents.sort_unstable();
            parents.dedup();
        }
        files
    }

    /// Returns the folders below which there is a module or folder of that name.
    fn parents(&self, name: &str) -> &[Box<str>] {
        self.parents.get(name).map_or(&[], Vec::as_slice)
    }
}

/// Packages before modules of the same name, as Python does; source before the rest.
fn rank(path: &str) -> (bool, usize) {
    let suffix = SUFFIXES
        .iter()
        .position(|suffix| path.ends_with(suffix))
        .unwrap_or(SUFFIXES.len());
    (!path.contains("/__init__."), suffix)
}

/// Returns the path of the module that a file is, without suffix; `None` for files of other kinds.
fn module_stem(path: &str) -> Option<&str> {
    if !SUFFIXES.iter().any(|suffix| path.ends_with(suffix)) {
        return None;
    }
    let (folder, name) = split(path);
    let stem = name.split('.').next()?;
    // `credentials.example.py` is no module; `fast.cpython-311.so` is one.
    let is_built = matches!(name.rsplit('.').next(), Some("so" | "pyd"));
    if !is_built && name.matches('.').count() > 1 {
        return None;
    }
    if stem == "__init__" {
        return (!folder.is_empty()).then_some(folder);
    }
    path.get(..path.len() - name.len() + stem.len())
}

/// Where a dotted name leads below one folder.
enum Found<'f> {
    File(&'f str),
    Folder(String),
    /// The first parts are there, the rest is not; how many are.
    Part(usize, bool),
    Nothing,
}

impl Files {
    /// Follows a path of names below a folder.
    fn follow(&self, root: &str, names: &[&str]) -> Found<'_> {
        let mut at = root.to_owned();
        let mut best = None;
        let mut is_regular = false;
        for (depth, name) in names.iter().enumerate() {
            at = join(&at, name);
            if let Some(file) = self.modules.get(at.as_str()) {
                best = Some(Found::File(file));
                is_regular = true;
            } else if self.folders.contains(at.as_str()) {
                best = Some(Found::Folder(at.clone()));
            } else if depth == 0 {
                return Found::Nothing;
            } else {
                return Found::Part(depth, is_regular);
            }
        }
        best.unwrap_or(Found::Nothing)
    }

    /// Returns the file of a module by its path without suffix.
    pub(super) fn module(&self, stem: &str) -> Option<&str> {
        self.modules.get(stem).map(AsRef::as_ref)
    }

    pub(super) fn has_folder(&self, path: &str) -> bool {
        self.folders.contains(path)
    }
}

impl Code {
    /// Says what an import in the file at `importer` leads to.
    pub fn resolve(&self, importer: &str, import: &Import) -> Resolution {
        if import.level > 0 {
            return self.resolve_relative(importer, import);
        }
        match self.resolve_module(importer, &import.module) {
            Resolution::File { path, name: None } => {
                let taken = self.take(path, import.name.as_deref());
                if let Resolution::File {
                    path,
                    name: Some(name),
                } = &taken
                    && name.as_ref() != "*"
                    && !self.is_surely_here(importer, &import.module)
                    && self.module(path).is_some_and(|module| {
                        !super::define::binds(module, name) && !super::define::has_star(module)
                    })
                {
                    // A neighbour of that name without what is wanted: an installed package is meant.
                    return Resolution::Outside {
                        package: import.module.split('.').next().unwrap_or_default().into(),
                    };
                }
                taken
            }
            Resolution::Folder { path } => {
                self.take_from_folder(path, import.name.as_deref(), Some(&import.module))
            }
            other => other,
        }
    }

    /// Says what an absolute dotted module name means in the file at `importer`.
    pub fn resolve_module(&self, importer: &str, dotted: &str) -> Resolution {
        let names: Vec<&str> = dotted.split('.').collect();
        let Some(&top) = names.first() else {
            return undecided("an import without a name");
        };
        if top == "__main__" {
            return undecided("`__main__` is whatever was started");
        }
        let standard = standard_module(top);
        let mut part: Option<(usize, bool)> = None;
        let mut folder: Option<String> = None;
        for root in self.roots_with(importer, top) {
            // A module of a package never hides one of Python's own: only the folder of a script and the
            // roots are on the path.
            if standard.is_some_and(|standard| standard.gone_in.is_none())
                && !self.is_search_folder(importer, root)
            {
                continue;
            }
            let is_sure = self.is_settled(importer, root);
            match self.files.follow(root, &names) {
                Found::File(path) if path == importer && !is_sure => {}
                Found::File(path) => {
                    return Resolution::File {
                        path: path.into(),
                        name: None,
                    };
                }
                Found::Folder(path) => folder = folder.or(Some(path)),
                // Elsewhere an installed package of the same name is as likely.
                Found::Part(depth, is_regular) if is_sure => {
                    if part.is_none_or(|known| (is_regular, depth) > (known.1, known.0)) {
                        part = Some((depth, is_regular));
                    }
                }
                Found::Part(..) | Found::Nothing => {}
            }
        }
        if let Some(path) = folder {
            if let Some(standard) = standard {
                return Resolution::Standard(standard);
            }
            return Resolution::Folder { path: path.into() };
        }
        if let Some(standard) = standard {
            return Resolution::Standard(standard);
        }
        match part {
            // A folder without `__init__.py` does not hide an installed package of its name.
            Some((_, false)) | None => Resolution::Outside {
                package: top.into(),
            },
            Some((_, true)) => self.missing(importer, &names),
        }
    }

    /// Whether settings, or the file itself, put a folder on the path.
    fn is_settled(&self, importer: &str, root: &str) -> bool {
        self.roots.is_settled(root) || self.roots.is_put_by(importer, root)
    }

    /// Returns the folders in which imports of a file are looked up and that hold a module or folder of that name,
    /// most usual first.
    fn roots_with<'c>(&'c self, importer: &'c str, name: &str) -> Vec<&'c str> {
        if name.is_empty() {
            // A name with dots before it.
            let mut roots = self.roots.of(importer);
            roots.retain(|root| self.files.module(root).is_some() || self.files.has_folder(root));
            return roots;
        }
        let parents = self.files.parents(name).iter().map(AsRef::as_ref);
        // The runner of tests puts the folder above a package on the path, never the package itself: beside
        // `tests/unit/test_a.py`, a package `tests/unit/data` is not `data`.
        let is_test = Self::is_test(importer);
        let rank = |folder: &str| match self.roots.rank(importer, folder)? {
            (1 | 3, _) if is_test && self.files.module(folder).is_some() => None,
            rank => Some(rank),
        };
        let mut ranked: Vec<_> = parents
            .filter_map(|folder| Some((rank(folder)?, folder)))
            .collect();
        ranked.sort_unstable();
        ranked.into_iter().map(|(_, folder)| folder).collect()
    }

    /// Whether a module is found from where settings, or the file itself, make Python look.
    fn is_surely_here(&self, importer: &str, dotted: &str) -> bool {
        let top = dotted.split('.').next().unwrap_or_default();
        let roots = self.roots_with(importer, top);
        roots.iter().any(|root| self.is_settled(importer, root))
    }

    /// Whether a folder is one that a program's start puts on the path, for sure enough to hide a module of
    /// Python's own library.
    fn is_search_folder(&self, importer: &str, root: &str) -> bool {
        root.is_empty()
            || self.roots.is_put_by(importer, root)
            || (split(importer).0 == root && self.files.module(root).is_none())
    }

    fn missing(&self, importer: &str, names: &[&str]) -> Resolution {
        if let Some(reason) = self.why_not_missing(importer, names) {
            return undecided(reason);
        }
        let head = names.first().copied().unwrap_or_default();
        let mut expected: Vec<Box<str>> = Vec::new();
        for root in self.roots_with(importer, head) {
            push_expected(&mut expected, &join(root, &names.join("/")));
        }
        Resolution::Missing {
            module: names.join(".").into(),
            expected,
        }
    }

    fn why_not_missing(&self, importer: &str, names: &[&str]) -> Option<&'static str> {
        let last = names.last().copied().unwrap_or_default();
        if last.ends_with("_pb2") || last.ends_with("_pb2_grpc") {
            return Some("generated by a protocol compiler when the program is built");
        }
        if matches!(last, "_version" | "__version__" | "version" | "_build") {
            return Some("usually written when the package is built");
        }
        let head = names.first().copied().unwrap_or_default();
        let replaces_itself = |root: &str| {
            (1..names.len()).any(|depth| {
                let stem = join(root, &names.get(..depth).unwrap_or_default().join("/"));
                let package = self.files.module(&stem).and_then(|path| self.module(path));
                package.is_some_and(|package| package.is_dynamic)
            })
        };
        if self
            .roots_with(importer, head)
            .into_iter()
            .any(replaces_itself)
        {
            return Some("a package that says itself what lies below it");
        }
        if self.roots.is_unknown(importer) {
            return Some("`sys.path` is changed in a way that only a run can tell");
        }
        None
    }

    fn resolve_relative(&self, importer: &str, import: &Import) -> Resolution {
        let mut folder = split(importer).0;
        for _ in 1..import.level {
            if folder.is_empty() {
                return undecided("a relative import that leaves the repository");
            }
            folder = split(folder).0;
        }
        let names: Vec<&str> = import
            .module
            .split('.')
            .filter(|name| !name.is_empty())
            .collect();
        if names.is_empty() {
            if let Some(path) = self.files.module(folder) {
                return self.take(path.into(), import.name.as_deref());
            }
            return self.take_from_folder(folder.into(), import.name.as_deref(), None);
        }
        match self.files.follow(folder, &names) {
            Found::File(path) => self.take(path.into(), import.name.as_deref()),
            Found::Folder(path) => self.take_from_folder(path.into(), import.name.as_deref(), None),
            Found::Part(..) | Found::Nothing => {
                if let Some(reason) = self.why_not_missing("", &names) {
                    return undecided(reason);
                }
                let stem = join(folder, &names.join("/"));
                let mut expected = Vec::new();
                push_expected(&mut expected, &stem);
                Resolution::Missing {
                    module: stem.replace('/', ".").into(),
                    expected,
                }
            }
        }
    }

    /// Takes a name out of a module's file: a module below it where the file itself has no such name.
    fn take(&self, path: Box<str>, name: Option<&str>) -> Resolution {
        let Some(name) = name else {
            return Resolution::File { path, name: None };
        };
        if let Some(folder) = path
            .strip_suffix("/__init__.py")
            .or((path.as_ref() == "__init__.py").then_some(""))
        {
            let is_bound = self
                .module(&path)
                .is_some_and(|module| super::define::binds(module, name));
            let below = join(folder, name);
            if !is_bound {
                if let Some(below) = self.files.module(&below) {
                    return Resolution::File {
                        path: below.into(),
                        name: None,
                    };
                }
                if self.files.has_folder(&below) {
                    return Resolution::Folder { path: below.into() };
                }
            }
        }
        Resolution::File {
            path,
            name: Some(name.into()),
        }
    }

    fn take_from_folder(
        &self,
        folder: Box<str>,
        name: Option<&str>,
        module: Option<&str>,
    ) -> Resolution {
        let Some(name) = name else {
            return Resolution::Folder { path: folder };
        };
        if name == "*" {
            return undecided("`*` out of a folder without `__init__.py`");
        }
        let below = join(&folder, name);
        if let Some(path) = self.files.module(&below) {
            return Resolution::File {
                path: path.into(),
                name: None,
            };
        }
        if self.files.has_folder(&below) {
            return Resolution::Folder { path: below.into() };
        }
        // An installed package of that name comes before a folder without `__init__.py`.
        if let Some(module) = module
            && !module.contains('.')
        {
            return Resolution::Outside {
                package: module.into(),
            };
        }
        let mut expected = Vec::new();
        push_expected(&mut expected, &below);
        Resolution::Missing {
            module: below.replace('/', ".").into(),
            expected,
        }
    }
}

fn push_expected(expected: &mut Vec<Box<str>>, stem: &str) {
    for path in [format!("{stem}.py"), format!("{stem}/__init__.py")] {
        if expected.len() < 8 {
            expected.push(path.into());
        }
    }
}

fn undecided(reason: &str) -> Resolution {
    Resolution::Undecided {
        reason: reason.into(),
    }
}
