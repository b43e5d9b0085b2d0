//! Every reader of outside text in this room as a function of any bytes: what a fuzzer calls, and what the
//! tests below call with the seeds and with some thousand cheap mutations of them.
//!
//! Why here and not in `fuzz/`: a body that ordinary tests compile and run cannot rot, and only this room
//! may call its private readers of git's answers. `CONTRIBUTING.md` says how to run a fuzzer over them.
//! A body fails by a panic, or by an answer that cannot be: a line that the text does not have. It asserts no
//! time; the fuzzer's own limit does.

#![expect(
    clippy::missing_panics_doc,
    reason = "a body that panics has found something"
)]

use tradewind_catalog::Catalog;

use crate::api_map::ApiMap;
use crate::documents::{Documents, What, home_paths, shell as typed};
use crate::history::History;
use crate::outlines::{Notebook, imports};
use crate::project::commands::mentions;
use crate::project::dockerfile::{self, DockerIgnore, glob};
use crate::project::image::Image;
use crate::project::requirement::{Requirement, join, normalized};
use crate::project::shell::{Origin, commands};
use crate::project::version::{Specifiers, Version};
use crate::project::{Project, data, setup_py};
use crate::python::{Cache, Code, Module, SourceFile, read};
use crate::references::References;
use crate::tree::Tree;
use crate::{generated, objects, refs, secrets, tree, worktree};

/// A target: its name, and what it calls.
pub type Target = (&'static str, fn(&[u8]));

/// Every target of this room.
pub const TARGETS: &[Target] = &[
    ("python", python),
    ("notebook", notebook),
    ("outlines", outlines),
    ("yaml", yaml),
    ("toml", toml),
    ("workflow", workflow),
    ("dockerfile", dockerfile),
    ("compose", compose),
    ("requirements", requirements),
    ("pyproject", pyproject),
    ("ini", ini),
    ("setup_py", setup_py),
    ("package_json", package_json),
    ("hooks", hooks),
    ("starts", starts),
    ("shell", shell),
    ("pages", pages),
    ("ignores", ignores),
    ("log", log),
    ("listing", listing),
    ("references", references),
    ("secrets", secrets),
    ("code", code),
];

/// Returns the text as the tree hands it to readers.
fn text(bytes: &[u8]) -> String {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    String::from_utf8_lossy(bytes).into_owned()
}

/// Returns how many lines a reader may speak of: a break at the end, and one more for an empty last line.
fn lines(text: &str) -> u32 {
    let breaks = text
        .bytes()
        .filter(|byte| matches!(byte, b'\n' | b'\r' | b'\x0c'));
    u32::try_from(breaks.count()).unwrap_or(u32::MAX) + 1
}

/// Takes a text apart at lines `-- path --`, as fixtures of rules are written; what stands before the first is
/// `README.md`.
pub fn files(text: &str) -> Vec<(String, String)> {
    let mut files = vec![("README.md".to_owned(), String::new())];
    for line in text.split_inclusive('\n') {
        let bare = line.trim_end();
        let head = bare
            .strip_prefix("-- ")
            .and_then(|bare| bare.strip_suffix(" --"));
        if let Some(head) = head {
            files.push((head.to_owned(), String::new()));
        } else if let Some((_, content)) = files.last_mut() {
            content.push_str(line);
        }
    }
    files
}

fn check_module(module: &Module) {
    let last = module.lines.max(1) + 1;
    let lines = (module.errors.iter().map(|it| it.line))
        .chain(module.imports.iter().map(|it| it.line))
        .chain(module.functions.iter().map(|it| it.line))
        .chain(module.functions.iter().map(|it| it.end_line))
        .chain(module.classes.iter().map(|it| it.line))
        .chain(module.assignments.iter().map(|it| it.line))
        .chain(module.calls.iter().map(|it| it.line))
        .chain(module.texts.iter().map(|it| it.line))
        .chain(module.names.iter().map(|it| it.line))
        .chain(module.bound.iter().map(|it| it.line));
    for line in lines {
        assert!((1..=last).contains(&line), "line {line} of {last}");
    }
    for scope in module.calls.iter().filter_map(|call| call.scope) {
        assert!((scope as usize) < module.functions.len(), "scope {scope}");
    }
}

/// A Python file.
pub fn python(bytes: &[u8]) {
    let file = SourceFile::parse("x.py", text(bytes));
    check_module(&file.module);
    for line in 0..(file.module.lines + 2).min(500) {
        let _ = file.quote(line);
    }
}

/// A notebook: any JSON, and any text as its one cell.
pub fn notebook(bytes: &[u8]) {
    let text = text(bytes);
    let cell = serde_json::json!({"cells": [{"cell_type": "code", "source": text}]}).to_string();
    for text in [text, cell] {
        if let Some(notebook) = Notebook::read("x.ipynb", &text) {
            check_module(&notebook.source.module);
            for line in 0..(notebook.source.module.lines + 2).min(500) {
                let _ = notebook.place(line);
            }
        }
    }
}

/// Imports of TypeScript and Rust.
pub fn outlines(bytes: &[u8]) {
    let text = text(bytes);
    let last = lines(&text);
    for path in ["x.ts", "x.jsx", "x.rs"] {
        for found in imports(path, &text) {
            assert!((1..=last).contains(&found.line));
        }
    }
}

fn check_node(node: &data::Node, last: u32) {
    assert!(node.line <= last, "line {} of {last}", node.line);
    let _ = (node.shortened_number(), node.truth(), node.texts());
    for (key, value) in node.map() {
        check_node(key, last);
        check_node(value, last);
    }
    for item in node.list() {
        check_node(item, last);
    }
}

/// YAML, whoever reads it.
pub fn yaml(bytes: &[u8]) {
    let text = text(bytes);
    let last = lines(&text);
    for node in data::yaml(&text).into_iter().flatten() {
        check_node(&node, last);
    }
}

/// TOML, whoever reads it.
pub fn toml(bytes: &[u8]) {
    let text = text(bytes);
    check_node(&data::toml(&text).0, lines(&text));
}

/// Reads one text under each of the names as a project's file, and asks of it all that rules ask.
fn project(bytes: &[u8], paths: &[&str]) {
    let text = text(bytes);
    for path in paths {
        let tree = Tree::of([
            (*path, text.as_str()),
            ("src/bot.py", "x = 1\n"),
            ("requirements.txt", "requests==2.31.0\n"),
        ]);
        ask(&tree, &Project::read(&tree), lines(&text).max(2));
    }
}

fn ask(tree: &Tree, project: &Project, last: u32) {
    let roots = project.roots();
    for script in project.scripts() {
        let origin = Origin {
            line: script.line,
            directory: script.directory.as_deref(),
            own_names: &["bot"],
        };
        for mention in mentions(script.text, origin) {
            let _ = mention.presence(tree, &roots);
        }
    }
    for file in &project.dockerfiles {
        let _ = (file.shipped().len(), file.base_image());
        for (at, copy) in file.copies() {
            assert!(at < file.instructions.len());
            let _ = copy.sources.len();
        }
        let context = project.build_context(tree, file).unwrap_or_default();
        let image = Image::of(file, &context);
        for path in ["src/bot.py", "src", ""] {
            let _ = (image.sources(tree, path), image.presence(tree, path));
        }
        for instruction in &file.instructions {
            let script = crate::project::image::script_of(instruction);
            let _ = image.started(tree, &script);
        }
    }
    for workflow in &project.workflows {
        for step in workflow.jobs.iter().flat_map(|job| &job.steps) {
            let _ = (step.action(), step.given("python-version"));
        }
    }
    let declared = (project.manifests.iter())
        .flat_map(|manifest| &manifest.requirements)
        .chain(
            project
                .requirements
                .iter()
                .flat_map(|file| &file.requirements),
        );
    for requirement in declared {
        assert!(requirement.line <= last, "line {}", requirement.line);
    }
}

/// Workflows of GitHub and GitLab.
pub fn workflow(bytes: &[u8]) {
    project(bytes, &[".github/workflows/ci.yml", ".gitlab-ci.yml"]);
}

/// A Dockerfile, and a list of what its context leaves out.
pub fn dockerfile(bytes: &[u8]) {
    project(bytes, &["Dockerfile"]);
    let text = text(bytes);
    let ignores = DockerIgnore::parse(".dockerignore", &text);
    for path in ["src/bot.py", ".git/HEAD", "a/b/c/d/e.txt", ""] {
        let _ = ignores.hides(path);
    }
    for pattern in text.lines().take(50) {
        let _ = (
            glob(pattern, "src/bot.py"),
            dockerfile::Image::parse(pattern),
        );
        // No system has longer paths.
        if pattern.len() < 4096 {
            let _ = glob("**/*.py", pattern);
        }
    }
}

/// Compose files.
pub fn compose(bytes: &[u8]) {
    project(bytes, &["compose.yaml"]);
}

/// Requirements files, requirements and versions.
pub fn requirements(bytes: &[u8]) {
    project(bytes, &["requirements-dev.txt"]);
    let mut before: Option<Specifiers> = None;
    for line in text(bytes).lines().take(50) {
        let _ = (
            Requirement::parse(1, line),
            normalized(line),
            join("a/b", line),
        );
        let version = Version::parse(line);
        for specifiers in [Specifiers::parse(line), Specifiers::parse_poetry(line)] {
            let Some(specifiers) = specifiers else {
                continue;
            };
            let _ = (
                version.as_ref().map(|it| specifiers.allows(it)),
                specifiers.exact(),
            );
            let _ = before.as_ref().map(|before| before.fits_with(&specifiers));
            before = Some(specifiers);
        }
    }
}

/// `pyproject.toml` and `Pipfile`.
pub fn pyproject(bytes: &[u8]) {
    project(bytes, &["pyproject.toml", "Pipfile"]);
}

/// `setup.cfg`, `tox.ini`, `pytest.ini`, `.coveragerc`.
pub fn ini(bytes: &[u8]) {
    project(
        bytes,
        &["setup.cfg", "tox.ini", "pytest.ini", ".coveragerc"],
    );
}

/// `setup.py`.
pub fn setup_py(bytes: &[u8]) {
    let _ = setup_py::parse("setup.py", &text(bytes));
}

/// `package.json`.
pub fn package_json(bytes: &[u8]) {
    project(bytes, &["package.json"]);
}

/// Configurations of hooks, and Conda's environments.
pub fn hooks(bytes: &[u8]) {
    project(
        bytes,
        &[".pre-commit-config.yaml", "lefthook.yml", "environment.yml"],
    );
}

/// What starts programs: Makefile, Procfile, units, crontabs; and the files that pin Python.
pub fn starts(bytes: &[u8]) {
    project(
        bytes,
        &[
            "Makefile",
            "Procfile",
            "bot.service",
            "crontab",
            ".python-version",
            "runtime.txt",
        ],
    );
}

/// Shell of scripts and of pages.
pub fn shell(bytes: &[u8]) {
    let text = text(bytes);
    let origin = Origin::at(1);
    let last = lines(&text);
    for command in commands(&text, origin) {
        assert!((1..=last).contains(&command.line));
    }
    let tree = Tree::of([("src/bot.py", "")]);
    for mention in mentions(&text, origin) {
        let _ = mention.presence(&tree, &["src".into()]);
    }
    for line in text.lines().take(200) {
        let line = typed::strip_prompt(line);
        let _ = (
            typed::is_command(line),
            typed::is_placeholder(line),
            typed::parse(line),
        );
        let _ = (home_paths(line).count(), generated::root_of(line));
    }
}

/// Pages of every form, and `project.json`.
pub fn pages(bytes: &[u8]) {
    let text = text(bytes);
    let names = [
        "README.md",
        "docs/setup.rst",
        "CHANGELOG",
        "docs/notes.txt",
        "project.json",
    ];
    let tree = Tree::of(names.map(|name| (name, text.as_str())));
    let documents = Documents::read(&tree);
    let last = lines(&text);
    for page in &documents.pages {
        let _ = page.title();
        for claim in &page.claims {
            let line = claim.line;
            assert!(
                (1..=last).contains(&line),
                "{:?} in {line} of {last}",
                claim.what
            );
            let _ = page.section(claim);
            if let What::Path { path, .. } = &claim.what {
                let _ = documents.is_ignored(path);
            }
        }
    }
}

/// Ignore files.
pub fn ignores(bytes: &[u8]) {
    let text = text(bytes);
    let files = [
        (".gitignore", text.as_str()),
        ("a/.gitignore", text.as_str()),
    ];
    let documents = Documents::read(&Tree::of(files));
    for path in ["bot.py", "a/b/c.py", "logs/", ""] {
        let _ = documents.is_ignored(path);
    }
}

/// Makes a history out of what git would answer about commits and changes.
pub fn history(answer: &[u8]) -> History {
    crate::history::fuzz(answer)
}

/// What git answers about commits, changes, tags and logs, and what earlier runs kept of it.
pub fn log(bytes: &[u8]) {
    let _ = history(bytes);
    refs::fuzz(bytes);
    crate::changes::fuzz(bytes);
}

/// What git answers about trees, the index and contents.
pub fn listing(bytes: &[u8]) {
    tree::fuzz(bytes);
    objects::fuzz(bytes);
    worktree::fuzz(bytes);
}

/// Files that name files.
pub fn references(bytes: &[u8]) {
    let files = files(&text(bytes));
    let tree = Tree::of(files);
    let references = References::read(
        &tree,
        &Code::default(),
        &Project::read(&tree),
        &Documents::read(&tree),
    );
    for file in tree.files() {
        let _ = (
            references.to(&file.path).len(),
            references.names.names_absent(&file.path),
        );
    }
}

/// Credentials in any file.
pub fn secrets(bytes: &[u8]) {
    for path in ["bot.py", ".env", "notes.md", "k.pem", "Dockerfile"] {
        let hits = secrets::find(path, bytes);
        let last = lines(&text(bytes));
        for hit in &hits {
            assert!(
                (1..=last).contains(&hit.line),
                "{} in {} of {last}",
                hit.rule,
                hit.line
            );
        }
        assert_eq!(secrets::holds_any(path, bytes), !hits.is_empty(), "{path}");
    }
}

/// Python files that import each other, joined, and the map of the providers that they call.
pub fn code(bytes: &[u8]) {
    let tree = Tree::of(files(&text(bytes)));
    let reading = read(&tree, &Cache::none(), |_| Vec::new());
    let code = Code::join(reading.modules, &tree);
    let project = Project::read(&tree);
    let map = ApiMap::build(&code, &project, Catalog::builtin_shared(), &tree);
    let _ = (map.entries().len(), map.unknown_hosts().len());
}

#[cfg(test)]
#[path = "../../../fuzz/seeds.rs"]
mod seeds;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_has_seeds_and_survives_them_and_their_mutations() {
        seeds::exercise("repo", TARGETS);
    }
}
