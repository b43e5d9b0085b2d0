//! Imports of Python that lead to a file that goes.

use aho_corasick::AhoCorasick;
use tradewind_repo::documents::is_foreign;
use tradewind_repo::project::requirement::normalized;
use tradewind_repo::python::{self, Cache, Code, Definition, Import, Resolution};

use super::{Found, How, Worlds};
use crate::guard::is_python;

/// Names looked for at once; a commit that takes more away is compared with every file.
const MAX_NEEDLES: usize = 2_000;

/// What a Python file must hold to lead to a module that goes.
pub(super) struct Needles {
    names: Option<AhoCorasick>,
    // Packages whose own file goes: what lies below may import from it without naming it.
    packages: Vec<String>,
    is_any: bool,
}

impl Needles {
    pub(super) fn of<'p>(paths: impl Iterator<Item = &'p str>) -> Self {
        let mut names: Vec<String> = Vec::new();
        let mut packages = Vec::new();
        for path in paths {
            let Some(stem) = path
                .strip_suffix(".py")
                .or_else(|| path.strip_suffix(".pyx"))
            else {
                continue;
            };
            let (folder, name) = stem.rsplit_once('/').unwrap_or(("", stem));
            if matches!(name, "__init__" | "__main__") {
                packages.push(format!("{folder}/"));
                names.extend(folder.rsplit('/').next().map(str::to_owned));
            } else {
                names.push(name.to_owned());
            }
        }
        names.sort();
        names.dedup();
        names.retain(|name| !name.is_empty());
        let is_any = names.len() > MAX_NEEDLES;
        let names = (!names.is_empty() && !is_any)
            .then(|| AhoCorasick::new(&names).ok())
            .flatten();
        Self {
            names,
            packages,
            is_any,
        }
    }

    /// Says whether a file may import what goes, by its name.
    pub(super) fn may_be_in(&self, path: &str) -> bool {
        (self.is_any || self.names.is_some()) && is_python(path)
    }

    /// Says whether a file lies so that it may import from a package that goes without naming it.
    pub(super) fn are_near(&self, path: &str) -> bool {
        is_python(path)
            && self.packages.iter().any(|package| {
                package == "/" && !path.contains('/') || path.starts_with(package.as_str())
            })
    }

    pub(super) fn are_in(&self, bytes: &[u8]) -> bool {
        self.is_any
            || self
                .names
                .as_ref()
                .is_some_and(|names| names.is_match(bytes))
    }
}

/// Finds the imports that the commit breaks.
pub(super) fn find(worlds: &Worlds, found: &mut Found) {
    if !worlds.with.files().iter().any(|file| is_python(&file.path)) {
        return;
    }
    let modules = python::read(&worlds.with, &Cache::none(), |_| Vec::new()).modules;
    let stays = |path: &str| worlds.without.get(path).is_some();
    let kept = if worlds.has_emptied {
        python::read(&worlds.without, &Cache::none(), |_| Vec::new()).modules
    } else {
        let kept = modules.iter().filter(|module| stays(&module.path));
        kept.cloned().collect()
    };
    let with = Code::join(modules, &worlds.with);
    let without = Code::join(kept, &worlds.without);
    for module in &with.modules {
        let folder = module
            .path
            .rsplit_once('/')
            .map_or("", |(folder, _)| folder);
        if !stays(&module.path) || is_foreign(folder) {
            continue;
        }
        for (import, resolution) in with.imports_of(&module.path) {
            let Resolution::File { path, name } = resolution else {
                continue;
            };
            let goes = worlds.gone.contains(path);
            // A name that the file never had was missed before.
            let is_old = name.as_deref().is_some_and(|name| {
                name != "*" && matches!(with.find_in(path, name).what, Definition::Missing(..))
            });
            if import.is_optional || import.is_for_types || is_old {
                continue;
            }
            if goes && is_lost(worlds, &without, &module.path, import)
                || !goes && is_emptied(&with, &without, path, name.as_deref())
            {
                found.add(worlds, path, &module.path, import.line, How::Imports);
            }
        }
    }
}

/// Says whether an import leads nowhere without the files that go.
fn is_lost(worlds: &Worlds, without: &Code, importer: &str, import: &Import) -> bool {
    match without.resolve(importer, import) {
        Resolution::Missing { .. } => true,
        // Nothing here has the name any more: an installed package may, where the project asks for one.
        Resolution::Outside { package } => !is_required(worlds, &package),
        Resolution::File {
            path,
            name: Some(name),
        } if path.ends_with("__init__.py") => {
            // `from package import module`, and the package does not define it.
            matches!(
                without.find_in(&path, &name).what,
                Definition::Missing(..) | Definition::Unresolved(_)
            )
        }
        Resolution::File { .. }
        | Resolution::Folder { .. }
        | Resolution::Standard(_)
        | Resolution::Undecided { .. } => false,
    }
}

/// Says whether a name was taken out of a package's own file by emptying it.
fn is_emptied(with: &Code, without: &Code, path: &str, name: Option<&str>) -> bool {
    let Some(name) = name.filter(|name| *name != "*") else {
        return false;
    };
    let has = |code: &Code| !matches!(code.find_in(path, name).what, Definition::Missing(..));
    path.ends_with("__init__.py")
        && with.module(path).map(|module| module.lines)
            != without.module(path).map(|module| module.lines)
        && has(with)
        && !has(without)
}

/// Says whether the project asks for an installed package of that name.
fn is_required(worlds: &Worlds, package: &str) -> bool {
    let name = normalized(package);
    let of_files = worlds
        .project
        .requirements
        .iter()
        .flat_map(|file| &file.requirements);
    let of_manifests = worlds
        .project
        .manifests
        .iter()
        .flat_map(|manifest| &manifest.requirements);
    of_files.chain(of_manifests).any(|requirement| {
        requirement.name == name || requirement.name.contains(name.as_ref()) && name.len() > 3
    })
}
