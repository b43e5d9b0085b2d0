//! Where the references of files that are not Python lead: JavaScript and TypeScript, Rust, notebooks, shell.
//!
//! A file's name is tried as its language does: endings that may be left out, `index` and `mod.rs`, the crate's own
//! root, the crates of the workspace. What leads to an installed package is no reference. Not here: aliases of
//! bundlers beyond `@/` and `~/`, modules inside of macros, paths put together from parts.

use std::collections::BTreeMap;

use super::How;
use super::scan::{Paths, join};
use crate::outlines::{Notebook, Refers, imports};
use crate::project::commands::{Use, mentions};
use crate::project::shell::Origin;
use crate::python::{Code, Resolution};
use crate::tree::Tree;

/// Endings that imports of JavaScript and TypeScript leave out, and those of files that they name.
const SCRIPT_ENDINGS: &[&str] = &[
    ".ts", ".tsx", ".js", ".jsx", ".mjs", ".cjs", ".mts", ".cts", ".vue", ".svelte", ".json",
    ".d.ts",
];
/// What TypeScript calls a file that it compiles: written, and what lies there.
const COMPILED: &[(&str, &[&str])] = &[
    (".js", &[".ts", ".tsx"]),
    (".jsx", &[".tsx"]),
    (".mjs", &[".mts"]),
    (".cjs", &[".cts"]),
];
/// Files that are the root of a crate, or of the folder that they lie in.
const ROOTS: &[&str] = &["lib.rs", "main.rs"];

/// One reference to a file of the repository.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Outlined<'t> {
    pub(super) to: &'t str,
    pub(super) line: u32,
    pub(super) how: How,
}

/// Resolves references.
pub(super) struct Resolver<'t> {
    paths: &'t Paths<'t>,
    code: &'t Code,
    /// Names of the crates of the repository, and the folders of their sources.
    crates: BTreeMap<String, String>,
}

impl<'t> Resolver<'t> {
    pub(super) fn new(tree: &Tree, paths: &'t Paths<'t>, code: &'t Code) -> Self {
        let manifests = tree
            .tracked()
            .filter(|file| file.path.rsplit('/').next() == Some("Cargo.toml"));
        let crates = manifests.filter_map(|file| {
            let table: toml::Table = tree.text(&file.path)?.parse().ok()?;
            let name = table.get("package")?.get("name")?.as_str()?;
            let folder = folder_of(&file.path);
            Some((name.replace('-', "_"), join(folder, "src")?))
        });
        Self {
            paths,
            code,
            crates: crates.collect(),
        }
    }

    /// Returns the files of the repository that a file refers to.
    pub(super) fn file(&self, path: &str, text: &str) -> Vec<Outlined<'t>> {
        let ending = path.rsplit_once('.').map_or("", |(_, ending)| ending);
        match ending {
            "ipynb" => self.notebook(path, text),
            "sh" | "bash" => self.shell(path, text),
            _ => {
                let found = imports(path, text).into_iter();
                let resolved = found.filter_map(|reference| {
                    let target = reference.target.as_ref();
                    let to = match (ending, reference.how) {
                        (_, Refers::File) => self.beside(path, target),
                        ("rs", Refers::Module) => self.module(path, target),
                        ("rs", _) => self.used(path, target),
                        _ => self.script(path, target),
                    }?;
                    Some(Outlined {
                        to,
                        line: reference.line,
                        how: How::Import,
                    })
                });
                resolved.collect()
            }
        }
    }

    fn beside(&self, path: &str, target: &str) -> Option<&'t str> {
        self.paths.at(&join(folder_of(path), target)?)
    }

    /// `./x`, `../x/index`, `@/x`.
    fn script(&self, path: &str, target: &str) -> Option<&'t str> {
        // `./x.svg?raw`, as bundlers write it.
        let target = target.split(['?', '#']).next().unwrap_or(target);
        if target.starts_with('.') {
            return self.script_at(&join(folder_of(path), target)?);
        }
        let rest = target
            .strip_prefix("@/")
            .or_else(|| target.strip_prefix("~/"))?;
        folders_above(path).find_map(|folder| {
            let mut below = ["src", ""].into_iter();
            below.find_map(|source| self.script_at(&join(&join(folder, source)?, rest)?))
        })
    }

    fn script_at(&self, stem: &str) -> Option<&'t str> {
        let with = |ending: &str| self.paths.at(&format!("{stem}{ending}"));
        let index = |ending: &&str| self.paths.at(&format!("{stem}/index{ending}"));
        let compiled = || {
            COMPILED.iter().find_map(|(written, lies)| {
                let bare = stem.strip_suffix(written)?;
                lies.iter()
                    .find_map(|ending| self.paths.at(&format!("{bare}{ending}")))
            })
        };
        self.paths
            .at(stem)
            .or_else(|| SCRIPT_ENDINGS.iter().find_map(|ending| with(ending)))
            .or_else(compiled)
            .or_else(|| SCRIPT_ENDINGS.iter().find_map(index))
    }

    /// `mod x;`: in the folder of the module's own, or beside a file that is a root.
    fn module(&self, path: &str, name: &str) -> Option<&'t str> {
        let own = module_folder(path);
        [own.as_str(), folder_of(path)]
            .into_iter()
            .find_map(|folder| self.module_at(&join(folder, name)?))
    }

    fn module_at(&self, stem: &str) -> Option<&'t str> {
        let file = self.paths.at(&format!("{stem}.rs"));
        file.or_else(|| self.paths.at(&format!("{stem}/mod.rs")))
    }

    /// `use crate::a::B`, `use super::a`, `use other_crate::a`.
    fn used(&self, path: &str, target: &str) -> Option<&'t str> {
        let mut parts: Vec<&str> = target.split("::").collect();
        let first = *parts.first()?;
        let base = match first {
            "crate" => Some(self.crate_folder(path)),
            "self" => Some(module_folder(path)),
            "super" => {
                let mut folder = module_folder(path);
                while parts.get(1) == Some(&"super") {
                    parts.remove(0);
                    folder = folder_of(&folder).to_owned();
                }
                Some(folder_of(&folder).to_owned())
            }
            name => self.crates.get(name).cloned(),
        };
        let (base, rest) = match base {
            Some(base) => (base, parts.get(1..)?),
            // A module that the file itself declares.
            None => (module_folder(path), parts.as_slice()),
        };
        let deepest = (1..=rest.len()).rev().find_map(|count| {
            let below = rest.get(..count)?.join("/");
            self.module_at(&join(&base, &below)?)
        });
        let root = || {
            let is_named = first == "crate" || self.crates.contains_key(first);
            let mut roots = ROOTS.iter();
            is_named.then(|| roots.find_map(|root| self.paths.at(&join(&base, root)?)))?
        };
        deepest.or_else(root)
    }

    /// The folder that `crate::` starts from: the nearest with a root in it, or a file's own.
    fn crate_folder(&self, path: &str) -> String {
        let has_root = |folder: &&str| {
            let mut roots = ROOTS.iter();
            roots.any(|root| join(folder, root).is_some_and(|root| self.paths.at(&root).is_some()))
        };
        let nearest = folders_above(path).find(has_root);
        nearest.unwrap_or_else(|| folder_of(path)).to_owned()
    }

    /// Imports in code cells, and what shell lines and magics start.
    fn notebook(&self, path: &str, text: &str) -> Vec<Outlined<'t>> {
        let Some(notebook) = Notebook::read(path, text) else {
            return Vec::new();
        };
        // The line of the file, which is what an editor shows; the cell's own number says nothing there.
        let line_of = |written: &str| {
            let written = written.trim();
            let at = text.lines().position(|line| line.contains(written));
            at.and_then(|at| u32::try_from(at + 1).ok()).unwrap_or(1)
        };
        let mut found = Vec::new();
        for import in &notebook.source.module.imports {
            let Resolution::File { path: to, .. } = self.code.resolve(path, import) else {
                continue;
            };
            found.extend(self.paths.at(&to).map(|to| Outlined {
                to,
                line: line_of(notebook.source.quote(import.line)),
                how: How::Import,
            }));
        }
        for (_, command) in &notebook.commands {
            let line = line_of(command);
            let command = command.trim_start_matches(['!', '%']);
            let run = command
                .strip_prefix("run ")
                .and_then(|rest| rest.split_whitespace().next());
            let started = run.and_then(|name| self.beside(path, name));
            found.extend(started.map(|to| Outlined {
                to,
                line,
                how: How::Start,
            }));
            found.extend(
                self.shell(path, command)
                    .into_iter()
                    .map(|started| Outlined { line, ..started }),
            );
        }
        found
    }

    /// What a script starts or reads, as seen from the root and from its own folder.
    fn shell(&self, path: &str, text: &str) -> Vec<Outlined<'t>> {
        let folder = folder_of(path);
        let mut found: Vec<Outlined<'t>> = Vec::new();
        for directory in ["", folder]
            .into_iter()
            .take(if folder.is_empty() { 1 } else { 2 })
        {
            let origin = Origin {
                line: 1,
                directory: Some(directory),
                own_names: &[],
            };
            for mention in mentions(text, origin) {
                let Some(place) = mention.place.as_deref() else {
                    continue;
                };
                let to = match mention.usage {
                    Use::StartsModule => self.started(place, &mention.written),
                    _ => self.paths.at(place),
                };
                let reads = matches!(mention.usage, Use::Reads | Use::Requirements);
                let how = if reads { How::Mention } else { How::Start };
                if let Some(to) = to
                    && !found
                        .iter()
                        .any(|known| known.to == to && known.line == mention.line)
                {
                    found.push(Outlined {
                        to,
                        line: mention.line,
                        how,
                    });
                }
            }
        }
        found
    }

    /// The file that `python -m a.b` starts in a folder.
    fn started(&self, directory: &str, module: &str) -> Option<&'t str> {
        let path = module.split(':').next()?.replace('.', "/");
        let roots = self.code.roots().iter().map(AsRef::as_ref);
        std::iter::once(directory).chain(roots).find_map(|root| {
            let mut endings = [".py", "/__main__.py", "/__init__.py"].into_iter();
            endings.find_map(|ending| self.paths.at(&join(root, &format!("{path}{ending}"))?))
        })
    }
}

fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// Returns the folders above a file, the nearest first; the root is `""`.
fn folders_above(path: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(path);
    std::iter::from_fn(move || {
        let folder = folder_of(rest?);
        rest = (!folder.is_empty()).then_some(folder);
        Some(folder)
    })
}

/// The folder in which the modules of a Rust file lie.
fn module_folder(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    let is_root = name == "mod.rs" || name == "build.rs" || ROOTS.contains(&name);
    if is_root {
        folder_of(path).to_owned()
    } else {
        path.strip_suffix(".rs").unwrap_or(path).to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::documents::Documents;
    use crate::project::Project;
    use crate::python::{Cache, read};
    use crate::references::References;

    /// Returns who refers to each file, as `from:line how`.
    fn to(files: &[(&str, &str)], path: &str) -> Vec<String> {
        let tree = Tree::of(files.iter().copied());
        let reading = read(&tree, &Cache::none(), |_| Vec::new());
        let code = Code::join(reading.modules, &tree);
        let documents = Documents::read(&tree);
        let references = References::read(&tree, &code, &Project::default(), &documents);
        let words =
            |one: &super::super::Reference| format!("{}:{} {:?}", one.from, one.line, one.how);
        references.to(path).iter().map(words).collect()
    }

    #[test]
    fn scripts_leave_endings_out_and_name_what_is_compiled() {
        let files = &[
            (
                "web/src/app.tsx",
                "import { a } from './a'\nimport B from '../lib'\nimport c from \"@/deep/c\"\n",
            ),
            (
                "web/src/a.ts",
                "const d = require('./d.js')\nawait import(`./a`)\nconst e = await import('./e')\n",
            ),
            ("web/src/d.ts", "export const d = 1\n"),
            ("web/src/e.vue", "<template/>\n"),
            ("web/src/deep/c.js", "import react from 'react'\n"),
            ("web/lib/index.ts", "export default 1\n"),
        ];
        assert_eq!(to(files, "web/src/a.ts"), ["web/src/app.tsx:1 Import"]);
        assert_eq!(to(files, "web/lib/index.ts"), ["web/src/app.tsx:2 Import"]);
        assert_eq!(to(files, "web/src/deep/c.js"), ["web/src/app.tsx:3 Import"]);
        assert_eq!(to(files, "web/src/d.ts"), ["web/src/a.ts:1 Import"]);
        assert_eq!(to(files, "web/src/e.vue"), ["web/src/a.ts:3 Import"]);
        assert_eq!(to(files, "web/src/app.tsx"), [""; 0]);
    }

    #[test]
    fn modules_and_crates_of_rust_lead_to_their_files() {
        let files = &[
            ("core/Cargo.toml", "[package]\nname = \"bot-core\"\n"),
            ("core/src/lib.rs", "pub mod book;\nmod old;\n"),
            (
                "core/src/book.rs",
                "mod level;\nuse crate::old::Thing;\nuse super::old;\n",
            ),
            (
                "core/src/book/level.rs",
                "const X: &str = include_str!(\"../../data/x.json\");\n",
            ),
            ("core/src/old/mod.rs", "use self::deep::Y;\nmod deep;\n"),
            ("core/src/old/deep.rs", "pub struct Y;\n"),
            ("core/data/x.json", "{}\n"),
            ("app/Cargo.toml", "[package]\nname = \"app\"\n"),
            (
                "app/src/main.rs",
                "use bot_core::book::level::Price;\nuse bot_core::Thing;\nuse std::fmt;\n",
            ),
        ];
        assert_eq!(to(files, "core/src/book.rs"), ["core/src/lib.rs:1 Import"]);
        assert_eq!(
            to(files, "core/src/old/mod.rs"),
            [
                "core/src/book.rs:2 Import",
                "core/src/book.rs:3 Import",
                "core/src/lib.rs:2 Import"
            ]
        );
        assert_eq!(
            to(files, "core/src/book/level.rs"),
            ["app/src/main.rs:1 Import", "core/src/book.rs:1 Import"]
        );
        assert_eq!(
            to(files, "core/src/old/deep.rs"),
            [
                "core/src/old/mod.rs:1 Import",
                "core/src/old/mod.rs:2 Import"
            ]
        );
        assert_eq!(
            to(files, "core/data/x.json"),
            ["core/src/book/level.rs:1 Import"]
        );
        assert_eq!(to(files, "core/src/lib.rs"), ["app/src/main.rs:2 Import"]);
    }

    #[test]
    fn cells_of_notebooks_import_and_start() {
        let notebook = "{\"cells\": [\n {\"cell_type\": \"code\", \"source\": [\n  \"from bot.data import bars\\n\",\n  \"%run setup.ipynb\\n\",\n  \"!python tools/fetch.py\"\n ]}\n]}\n";
        let files = &[
            ("a.ipynb", notebook),
            ("setup.ipynb", "{\"cells\": []}\n"),
            ("bot/__init__.py", ""),
            ("bot/data.py", "def bars(): pass\n"),
            ("tools/fetch.py", "X = 1\n"),
        ];
        assert_eq!(to(files, "bot/data.py"), ["a.ipynb:3 Import"]);
        assert_eq!(to(files, "setup.ipynb"), ["a.ipynb:4 Start"]);
        assert_eq!(to(files, "tools/fetch.py"), ["a.ipynb:5 Start"]);
    }

    #[test]
    fn shell_scripts_go_into_folders_and_start_modules() {
        let files = &[
            (
                "deploy/up.sh",
                "source ./env.sh\ncd bot && python run.py\npython -m bot.live\n",
            ),
            ("deploy/env.sh", "X=1\n"),
            ("bot/run.py", "X = 1\n"),
            ("bot/live.py", "X = 1\n"),
            ("other/run.py", "X = 1\n"),
        ];
        assert_eq!(to(files, "bot/run.py"), ["deploy/up.sh:2 Start"]);
        assert_eq!(to(files, "other/run.py"), [""; 0]);
        assert_eq!(to(files, "bot/live.py"), ["deploy/up.sh:3 Start"]);
        assert_eq!(to(files, "deploy/env.sh"), ["deploy/up.sh:1 Start"]);
    }
}
