//! The modules of a repository, joined: who imports whom, who calls what, what starts where.
//!
//! Made once for a tree; every answer is a function of the modules and the tree. Whatever cannot be told
//! without running is said as such, never guessed. Start reading at [`Code::join`].

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::calls::Calls;
use super::entries::Entry;
use super::module::{Function, Import, Module};
use super::resolve::{Files, Resolution};
use super::roots::Roots;
use crate::tree::Tree;

/// The Python code of a repository, joined over all files.
#[derive(Debug, Default)]
pub struct Code {
    // Invariant: sorted by path, each path once.
    /// Every tracked or untracked Python file, by path.
    pub modules: Vec<Arc<Module>>,
    /// Where each path is in [`Code::modules`].
    places: HashMap<Box<str>, usize>,
    pub(super) roots: Roots,
    pub(super) files: Files,
    /// What each import of each module leads to, in the sequence of the modules and their imports.
    pub(super) resolved: Vec<Vec<Resolution>>,
    /// Importers of a path: index of the module and of its import.
    pub(super) importers: HashMap<Box<str>, Vec<(usize, usize)>>,
    pub(super) calls: Calls,
    pub(super) entries: Vec<Entry>,
    /// Modules that are loaded by something that starts, tests apart.
    pub(super) loaded: BTreeSet<usize>,
    /// Functions that are called from something that starts, tests apart: module and function.
    pub(super) reached: BTreeSet<(usize, usize)>,
}

impl Code {
    /// Joins the modules of a tree.
    pub fn join(mut modules: Vec<Arc<Module>>, tree: &Tree) -> Self {
        modules.sort_by(|one, other| one.path.cmp(&other.path));
        modules.dedup_by(|one, other| one.path == other.path);
        let places = modules.iter().map(|module| module.path.clone()).zip(0..);
        let mut code = Self {
            places: places.collect(),
            roots: Roots::new(&modules, tree),
            files: Files::new(tree),
            modules,
            ..Self::default()
        };
        code.resolve_all();
        code.calls = Calls::of(&code);
        code.entries = super::entries::entries(&code);
        let (loaded, reached) = super::entries::reach(&code);
        code.loaded = loaded;
        code.reached = reached;
        code
    }

    fn resolve_all(&mut self) {
        let mut resolved = Vec::with_capacity(self.modules.len());
        let mut importers: HashMap<Box<str>, Vec<(usize, usize)>> = HashMap::new();
        for (index, module) in self.modules.iter().enumerate() {
            let mut of_module = Vec::with_capacity(module.imports.len());
            for (at, import) in module.imports.iter().enumerate() {
                let resolution = self.resolve(&module.path, import);
                if let Resolution::File { path, .. } = &resolution {
                    importers.entry(path.clone()).or_default().push((index, at));
                }
                of_module.push(resolution);
            }
            resolved.push(of_module);
        }
        self.resolved = resolved;
        self.importers = importers;
    }

    /// Returns the module of the file at `path`.
    pub fn module(&self, path: &str) -> Option<&Arc<Module>> {
        self.modules.get(self.index(path)?)
    }

    pub(super) fn index(&self, path: &str) -> Option<usize> {
        self.places.get(path).copied()
    }

    /// Returns the function of that qualified name in the file at `path`; the last one where it is defined
    /// several times.
    pub fn function(&self, path: &str, qualified: &str) -> Option<&Function> {
        let name = qualified.rsplit('.').next().unwrap_or_default();
        self.module(path)?
            .functions_named(name)
            .map(|(_, function)| function)
            .rfind(|function| function.qualified.as_ref() == qualified)
    }

    /// Returns every import with what it leads to.
    pub fn imports(&self) -> impl Iterator<Item = (&Arc<Module>, &Import, &Resolution)> {
        self.modules
            .iter()
            .zip(&self.resolved)
            .flat_map(|(module, resolved)| {
                module
                    .imports
                    .iter()
                    .zip(resolved)
                    .map(move |(import, resolution)| (module, import, resolution))
            })
    }

    /// Returns what the imports of one module lead to.
    pub fn imports_of(&self, path: &str) -> impl Iterator<Item = (&Import, &Resolution)> {
        self.index(path)
            .and_then(|index| Some((self.modules.get(index)?, self.resolved.get(index)?)))
            .into_iter()
            .flat_map(|(module, resolved)| module.imports.iter().zip(resolved))
    }

    /// Returns who imports the file at `path`, or a name out of it.
    pub fn importers_of(&self, path: &str) -> impl Iterator<Item = (&Arc<Module>, &Import)> {
        self.importers
            .get(path)
            .into_iter()
            .flatten()
            .filter_map(|(module, import)| {
                let module = self.modules.get(*module)?;
                Some((module, module.imports.get(*import)?))
            })
    }

    /// Returns the folders that settings put on Python's path; the repository's root is `""`.
    pub fn roots(&self) -> &[Box<str>] {
        self.roots.settled()
    }

    /// Says whether a file is a test or helps tests: by its name, or by the folder it lies in.
    pub fn is_test(path: &str) -> bool {
        let (folder, name) = super::roots::split(path);
        name == "conftest.py"
            || name.starts_with("test_")
            || name.ends_with("_test.py")
            || matches!(name, "tests.py" | "test.py")
            || folder
                .split('/')
                .any(|part| matches!(part, "tests" | "test" | "testing" | "unittests"))
    }
}
