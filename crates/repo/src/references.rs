//! Who imports, starts, copies or mentions a file: code, CI, containers, packaging, pages.
//!
//! Why: before a file is deleted, moved or called dead, everything that names it has to be known. All
//! text files are read once for it; the same reading collects the names of variables and files that
//! code speaks of, so that "no code reads this variable" can be said.
//! Where imports of JavaScript, TypeScript, Rust and notebooks lead is told by the outlines of these languages.
//! Dynamic names (a path put together from parts) are not understood; their parts count as mentions.
//! Start reading at [`References::to`].

mod outlined;
mod scan;

use std::collections::{BTreeMap, HashSet};

use crate::documents::{Documents, What};
use crate::project::Project;
use crate::python::Code;
use crate::tree::Tree;

/// References kept to one file; what is named more often is not dead either.
const MAX_OF_ONE: usize = 100;

/// How a file is referred to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum How {
    /// Code imports it.
    Import,
    /// Something starts it: CI, a container, a script, a command on a page.
    Start,
    /// A container build copies it.
    Copy,
    /// A page links to it.
    Link,
    /// Its path stands in a text, a comment or a setting.
    Mention,
}

/// One reference.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// The file that refers.
    pub from: Box<str>,
    /// Its line.
    pub line: u32,
    /// How.
    pub how: How,
}

/// A line of a file and what it says there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub path: Box<str>,
    /// Its line.
    pub line: u32,
    /// What stands there.
    pub text: Box<str>,
}

/// References between files.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct References {
    to: BTreeMap<Box<str>, Vec<Reference>>,
    /// What the files name beside each other.
    pub names: Names,
}

/// Variables and paths that files speak of, whoever they lead to.
///
/// Why apart: an audit asks for these alone, and following the imports of four languages takes as long again.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Names {
    /// Names in capitals (`POLYGON_API_KEY`) outside of pages, with the first places of each.
    variables: BTreeMap<Box<str>, Vec<Place>>,
    /// Last parts of paths that files outside of pages name and the repository does not have.
    absent: HashSet<Box<str>>,
    /// First comments of files that are nothing but a path.
    pub headers: Vec<Place>,
    /// Paths of one computer outside of pages.
    pub homes: Vec<Place>,
    /// Files that were too long to read.
    pub unread: Vec<Box<str>>,
}

impl Names {
    /// Reads every text file of the tree for what it names.
    pub fn read(tree: &Tree, documents: &Documents) -> Self {
        let mut references = References::default();
        scan::files(
            tree,
            None,
            &scan::Paths::of(tree),
            documents,
            &mut references,
        );
        references.names
    }

    /// Returns where files that are no pages speak of the variable `name`, or put together names that begin so:
    /// `FEATURE_` for `f"FEATURE_{name}"`.
    pub fn variable(&self, name: &str) -> &[Place] {
        self.variables.get(name).map_or(&[], Vec::as_slice)
    }

    /// Returns every name in capitals that files other than pages speak of.
    pub fn variables(&self) -> impl Iterator<Item = (&str, &[Place])> {
        self.variables
            .iter()
            .map(|(name, places)| (name.as_ref(), places.as_slice()))
    }

    /// Says whether a file that is no page names a path that ends in `name` and that the repository
    /// does not have: something that is made or expected at run time.
    pub fn names_absent(&self, name: &str) -> bool {
        self.absent.contains(name)
    }
}

impl References {
    /// Reads every text file of the tree and joins what names a file.
    pub fn read(tree: &Tree, code: &Code, project: &Project, documents: &Documents) -> Self {
        let mut references = Self::default();
        let paths = scan::Paths::of(tree);
        let resolver = outlined::Resolver::new(tree, &paths, code);
        scan::files(tree, Some(&resolver), &paths, documents, &mut references);
        references.imports(code);
        references.starts(&paths, project);
        references.pages(&paths, documents);
        for list in references.to.values_mut() {
            list.sort();
            // What imports or starts a file in a line also names it there.
            list.dedup_by(|later, kept| {
                let is_same_place = later.from == kept.from && later.line == kept.line;
                is_same_place && (later.how == kept.how || later.how == How::Mention)
            });
            list.truncate(MAX_OF_ONE);
        }
        references
    }

    /// Returns who refers to the file at `path`.
    pub fn to(&self, path: &str) -> &[Reference] {
        self.to.get(path).map_or(&[], Vec::as_slice)
    }

    fn add(&mut self, to: &str, reference: Reference) {
        if to == reference.from.as_ref() {
            return;
        }
        let list = self.to.entry(to.into()).or_default();
        if list.len() < scan::MAX_OF_ONE_READ {
            list.push(reference);
        }
    }

    fn imports(&mut self, code: &Code) {
        for module in &code.modules {
            for (importer, import) in code.importers_of(&module.path) {
                let reference = Reference {
                    from: importer.path.clone(),
                    line: import.line,
                    how: How::Import,
                };
                self.add(&module.path, reference);
            }
        }
    }

    /// Entry points of packaging: `name = "package.module:function"`.
    fn starts(&mut self, paths: &scan::Paths<'_>, project: &Project) {
        for manifest in &project.manifests {
            for (name, target) in &manifest.scripts {
                if let Some(to) = paths.resolve(&manifest.path, target) {
                    let reference = Reference {
                        from: manifest.path.clone(),
                        line: name.line,
                        how: How::Start,
                    };
                    self.add(to, reference);
                }
            }
        }
    }

    fn pages(&mut self, paths: &scan::Paths<'_>, documents: &Documents) {
        for page in &documents.pages {
            for claim in &page.claims {
                let (named, how): (Vec<&str>, How) = match &claim.what {
                    What::Path { path, .. } => (vec![path], How::Link),
                    What::Entry { path, .. } => (vec![path], How::Mention),
                    What::Command(command) => (
                        command.words.iter().map(AsRef::as_ref).collect(),
                        How::Start,
                    ),
                    _ => continue,
                };
                for named in named {
                    if let Some(to) = paths.resolve(&page.path, named) {
                        let reference = Reference {
                            from: page.path.clone(),
                            line: claim.line,
                            how,
                        };
                        self.add(to, reference);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(files: &[(&str, &str)]) -> References {
        let tree = Tree::of(files.iter().copied());
        let documents = Documents::read(&tree);
        References::read(&tree, &Code::default(), &Project::default(), &documents)
    }

    #[test]
    fn a_file_is_named_in_many_ways() {
        let read = read(&[
            (
                "Dockerfile",
                "FROM x\nCOPY a.py /app/\nCMD [\"python\", \"run.py\"]\n",
            ),
            (
                "README.md",
                "See [a](a.py).\n\n```\npython -m bot.cli\n```\n",
            ),
            ("a.py", "open(\"data/x.csv\")\nopen(\"data/gone.csv\")\n"),
            ("bot/cli.py", "KEY = environ['POLYGON_API_KEY']\n"),
            ("data/x.csv", "1\n"),
            ("run.py", "# src/run.py\n"),
        ]);
        let how = |path: &str| -> Vec<How> { read.to(path).iter().map(|r| r.how).collect() };
        assert_eq!(how("a.py"), [How::Copy, How::Link]);
        assert_eq!(how("run.py"), [How::Start]);
        assert_eq!(how("bot/cli.py"), [How::Start]);
        assert_eq!(how("data/x.csv"), [How::Mention]);
        assert!(read.names.names_absent("gone.csv"));
        assert_eq!(read.names.variable("POLYGON_API_KEY")[0].line, 1);
        assert_eq!(read.names.headers[0].text.as_ref(), "src/run.py");
    }
}
