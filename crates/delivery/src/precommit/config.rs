//! The whole configuration: repositories of hooks, and what holds for all of them.
//!
//! Everything wrong is reported at once, with line and column; what pre-commit only warns of is a warning here.
//! Not here: one hook ([`super::hook`]), one value (`super::field`).

use std::collections::BTreeMap;

use tradewind_repo::project::data::Node;

use super::field::Reader;
use super::hook::{Demands, Given, Hook, LANGUAGES, Settled, Stage, read};
use super::pattern::{Pattern, PatternError};
use crate::builtin::{self, About};

/// Something to say about a place in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// Line, the first is 1.
    pub line: u32,
    /// Column, the first is 1.
    pub column: u32,
    /// A sentence without full stop.
    pub text: String,
}

/// Why a configuration cannot be used: everything that is wrong in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[error("{}", lines(mistakes))]
pub struct ConfigError {
    /// What is wrong, in the sequence of the file.
    pub mistakes: Vec<Remark>,
}

/// Writes remarks, one per line: `3:7: …`.
pub(super) fn lines(remarks: &[Remark]) -> String {
    remarks
        .iter()
        .map(|remark| format!("{}:{}: {}", remark.line, remark.column, remark.text))
        .collect::<Vec<_>>()
        .join("\n")
}

/// A configuration that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Repositories with their hooks, in the sequence of the file, which is the sequence they run in.
    pub repositories: Vec<Repository>,
    /// What every path must have.
    pub files: Pattern,
    /// What no path may have.
    pub exclude: Pattern,
    /// Whether nothing runs after a hook has failed.
    pub fail_fast: bool,
    /// When hooks run that do not say it.
    pub default_stages: Vec<Stage>,
    /// Which of git's hooks are installed when none is named.
    pub default_install_hook_types: Vec<Stage>,
    /// Version by language.
    pub default_language_version: BTreeMap<String, String>,
    /// What pre-commit would warn of.
    pub warnings: Vec<Remark>,
}

/// A repository of hooks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// Where its hooks come from.
    pub source: Source,
    /// The hooks that are used, in sequence.
    pub hooks: Vec<Hook>,
    /// Line of its first key.
    pub line: u32,
}

/// Where hooks come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// `local`: written in the configuration.
    Local,
    /// `meta`: checks of the configuration itself.
    Meta,
    /// `builtin`: prek's word for checks inside the program.
    Builtin,
    /// Anywhere else.
    Remote {
        /// Address, as written.
        url: String,
        /// Commit or tag, as written.
        rev: String,
    },
}

impl Config {
    /// Reads a configuration.
    ///
    /// # Errors
    /// Everything that is wrong in it.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let mut reader = Reader::default();
        let config = reader
            .document(text)
            .and_then(|root| config(&root, &mut reader));
        match config {
            Some(config) if reader.mistakes.is_empty() => Ok(Self {
                warnings: reader.warnings,
                ..config
            }),
            _ => {
                let mut mistakes = reader.mistakes;
                mistakes.sort_by_key(|mistake| (mistake.line, mistake.column));
                Err(ConfigError { mistakes })
            }
        }
    }

    /// Says whether hooks may see a path at all.
    ///
    /// # Errors
    /// A pattern that is too hard for this path.
    pub fn names(&self, path: &[u8]) -> Result<bool, PatternError> {
        Ok(self.files.is_in(path)? && !self.exclude.is_in(path)?)
    }

    /// Finds the check of our own that a hook means: `meta`, `builtin`, or one of pre-commit-hooks.
    pub fn native(repository: &Repository, hook: &Hook) -> Option<&'static About> {
        let about = builtin::find(&hook.id)?;
        let is_ours = match &repository.source {
            Source::Local => false,
            Source::Meta => about.is_meta,
            Source::Builtin => !about.is_meta,
            Source::Remote { url, .. } => !about.is_meta && builtin::is_repository(url),
        };
        is_ours.then_some(about)
    }

    /// Settles a hook that needs no manifest: a local one, or one that is a check of our own. `None` for
    /// others.
    pub fn settle(&self, repository: &Repository, hook: &Hook) -> Option<Settled> {
        let below = match (Self::native(repository, hook), &repository.source) {
            (Some(about), _) => about.given(),
            (None, Source::Local) => Given::default(),
            (None, _) => return None,
        };
        Some(Settled::new(hook, below, self))
    }
}

const KEYS: [&str; 9] = [
    "repos",
    "default_install_hook_types",
    "default_language_version",
    "default_stages",
    "files",
    "exclude",
    "fail_fast",
    "minimum_pre_commit_version",
    "ci",
];

fn config(root: &Node, reader: &mut Reader) -> Option<Config> {
    let map = reader.map(root, "the configuration")?;
    let mut config = Config {
        repositories: Vec::new(),
        files: Pattern::everything(),
        exclude: Pattern::nothing(),
        fail_fast: false,
        default_stages: Stage::ALL.to_vec(),
        default_install_hook_types: vec![Stage::PreCommit],
        default_language_version: BTreeMap::new(),
        warnings: Vec::new(),
    };
    if root.get("repos").is_none() {
        reader.wrong(
            root,
            "`repos` is missing: a list of repositories with hooks".to_owned(),
        );
    }
    let mut unknown = Vec::new();
    for (key, value) in map {
        match key.text().unwrap_or_default() {
            "repos" => {
                for node in reader.list(value, "`repos`") {
                    config.repositories.extend(repository(node, reader));
                }
            }
            "default_install_hook_types" => {
                let types = reader.stages(value, "default_install_hook_types", false);
                config.default_install_hook_types = types.unwrap_or_default();
            }
            "default_language_version" => {
                config.default_language_version = languages(value, reader);
            }
            "default_stages" => {
                let stages = reader.stages(value, "default_stages", true);
                config.default_stages = stages.unwrap_or_default();
            }
            "files" => {
                if let Some(files) = reader.pattern(value, "files") {
                    config.files = files;
                }
            }
            "exclude" => {
                if let Some(exclude) = reader.pattern(value, "exclude") {
                    config.exclude = exclude;
                }
            }
            "fail_fast" => config.fail_fast = reader.truth(value, "fail_fast").unwrap_or(false),
            "minimum_pre_commit_version" => reader.minimum_version(value),
            // For a service that runs elsewhere.
            "ci" => {
                let _pairs = reader.map(value, "`ci`");
            }
            _ => unknown.push(key),
        }
    }
    if let Some(first) = unknown.first() {
        let names: Vec<&str> = unknown.iter().filter_map(|key| key.text()).collect();
        let near = super::field::nearest(first.text().unwrap_or_default(), KEYS.into_iter());
        reader.warn(
            first,
            format!("unexpected key(s) at the top: {}{near}", names.join(", ")),
        );
    }
    Some(config)
}

fn languages(node: &Node, reader: &mut Reader) -> BTreeMap<String, String> {
    let mut versions = BTreeMap::new();
    for (key, value) in reader
        .map(node, "`default_language_version`")
        .unwrap_or_default()
    {
        let name = key.text().unwrap_or_default();
        if !LANGUAGES.contains(&name) {
            let near = super::field::nearest(name, LANGUAGES.into_iter());
            reader.wrong(key, format!("there is no language `{name}`{near}"));
        } else if let Some(version) = reader.text(value, name) {
            versions.insert(name.to_owned(), version);
        }
    }
    versions
}

fn repository(node: &Node, reader: &mut Reader) -> Option<Repository> {
    reader.map(node, "a repository")?;
    let Some(at) = node.get("repo") else {
        reader.wrong(
            node,
            "a repository needs `repo`: an address, `local` or `meta`".to_owned(),
        );
        return None;
    };
    let url = reader.text(at, "repo")?;
    let (source, demands) = match url.as_str() {
        "local" => (Source::Local, Demands::All),
        "meta" => (Source::Meta, Demands::Known("meta", is_meta)),
        "builtin" => (Source::Builtin, Demands::Known("builtin", is_builtin)),
        _ => {
            let rev = rev(node, &url, reader);
            (Source::Remote { url, rev }, Demands::Id)
        }
    };
    if !matches!(source, Source::Remote { .. })
        && let Some((key, _)) = node.entry("rev")
    {
        reader.wrong(
            key,
            "only a repository with an address has a `rev`".to_owned(),
        );
    }
    let mut hooks = Vec::new();
    match node.get("hooks") {
        Some(list) => {
            for hook in reader.list(list, "`hooks`") {
                hooks.extend(read(hook, reader, demands));
            }
        }
        None => reader.wrong(node, "a repository needs `hooks`: a list".to_owned()),
    }
    let unknown = |key: &&Node| !matches!(key.text(), Some("repo" | "rev" | "hooks"));
    let unknown: Vec<&Node> = node
        .map()
        .iter()
        .map(|(key, _)| key)
        .filter(unknown)
        .collect();
    if let Some(first) = unknown.first() {
        let names: Vec<&str> = unknown.iter().filter_map(|key| key.text()).collect();
        reader.warn(
            first,
            format!("unexpected key(s) of a repository: {}", names.join(", ")),
        );
    }
    Some(Repository {
        source,
        hooks,
        line: node.line,
    })
}

fn is_meta(id: &str) -> bool {
    builtin::find(id).is_some_and(|about| about.is_meta)
}

fn is_builtin(id: &str) -> bool {
    builtin::find(id).is_some_and(|about| !about.is_meta)
}

fn rev(node: &Node, url: &str, reader: &mut Reader) -> String {
    let Some(at) = node.get("rev") else {
        reader.wrong(node, format!("`{url}` needs `rev`: a tag or a commit"));
        return String::new();
    };
    let rev = reader.text(at, "rev").unwrap_or_default();
    let is_commit = !rev.is_empty() && rev.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !rev.is_empty() && !rev.contains('.') && !is_commit {
        reader.warn(
            at,
            format!("`{rev}` looks like a branch: what it names may change, and is never updated"),
        );
    }
    rev
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::precommit::Tags;

    fn mistakes(text: &str) -> Vec<String> {
        let error = Config::parse(text).unwrap_err();
        error.to_string().lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_real_file_is_read() {
        let text = "\
# comment
default_stages: [commit, push]
default_language_version: {python: python3.12}
exclude: |
    (?x)^(
        docs/_build/|   # made
        legacy/.*\\.py
    )
ci: {autofix_prs: false}
x-shared: &shared
    types: [python]
    exclude: ^tests/
repos:
-   repo: https://github.com/pre-commit/pre-commit-hooks
    rev: v6.0.0
    hooks:
    -   id: trailing-whitespace
        args: [--markdown-linebreak-ext=md]
    -   {id: check-added-large-files, files: ^ci/, stages: [manual]}
-   repo: https://github.com/psf/black
    rev: main
    hooks: [{id: black}]
-   repo: local
    hooks:
    -   <<: *shared
        id: tests
        name: run the tests
        entry: pytest -q
        language: system
        pass_filenames: no
        what: ever
-   repo: meta
    hooks: [{id: identity}]
-   repo: builtin
    hooks: [{id: end-of-file-fixer, priority: 3}]
";
        let config = Config::parse(text).unwrap();
        let of = |at: usize, hook: usize| {
            let repository = &config.repositories[at];
            config.settle(repository, &repository.hooks[hook])
        };
        let trailing = of(0, 0).unwrap();
        assert_eq!(trailing.args, ["--markdown-linebreak-ext=md"]);
        assert_eq!(trailing.types, Tags::of(["text"]).unwrap());
        assert_eq!(
            trailing.stages,
            [Stage::PreCommit, Stage::PrePush, Stage::Manual]
        );
        let yaml = of(0, 1).unwrap();
        assert_eq!(
            (yaml.files.as_str(), yaml.stages.as_slice()),
            ("^ci/", &[Stage::Manual][..])
        );
        assert_eq!(of(1, 0), None);
        let tests = of(2, 0).unwrap();
        assert_eq!(tests.language, "unsupported");
        assert!(!tests.pass_filenames);
        assert_eq!(tests.stages, [Stage::PreCommit, Stage::PrePush]);
        assert_eq!(tests.exclude.as_str(), "^tests/");
        assert!(of(3, 0).unwrap().verbose);
        assert_eq!(of(4, 0).unwrap().name, "fix end of files");
        assert!(!config.names(b"docs/_build/x").unwrap());
        assert!(config.names(b"src/docs/_build/x").unwrap());
        let warnings: Vec<_> = config.warnings.iter().map(|w| w.text.as_str()).collect();
        assert_eq!(
            warnings,
            [
                "`default_stages` uses deprecated stage names (commit, push)",
                "`main` looks like a branch: what it names may change, and is never updated",
                "hook `tests`: unexpected key(s): what",
                "unexpected key(s) at the top: x-shared",
            ]
        );
    }

    #[test]
    fn every_mistake_is_told_at_its_place() {
        let text = "\
files: (
fail_fast: 1
repos:
- repo: https://x.invalid/y
  rev: 22.10
  hooks:
  - id: a
    types: [pyhton]
    stages: [pre-comit]
- repo: local
  rev: x
  hooks:
  - id: b
    name: b
    language: pythn
- repo: meta
  hooks: [{id: identiti}]
- hooks: []
";
        let told = mistakes(text);
        for (at, part) in [
            "1:8: `files`: \"(\" is not a regular expression of Python",
            "2:12: `fail_fast` is `true` or `false`, not a number",
            "5:8: `rev` is a text, not a number: write '22.10'",
            "8:12: `types`: there is no file type `pyhton`; did you mean `python`?",
            "9:14: `stages`: there is no hook type `pre-comit`; did you mean `pre-commit`?",
            "11:3: only a repository with an address has a `rev`",
            "13:5: hook `b` needs `entry`",
            "15:15: there is no language `pythn`; did you mean `python`?",
            "17:16: `repo: meta` has no hook `identiti`",
            "18:3: a repository needs `repo`",
        ]
        .into_iter()
        .enumerate()
        {
            assert!(told[at].starts_with(part), "{part}\n{told:#?}");
        }
        assert_eq!(told.len(), 10, "{told:#?}");
        assert!(mistakes("a: [")[0].contains("this is not YAML"));
        assert!(mistakes("")[0].contains("the file is empty"));
        assert!(
            mistakes("repos: []\n---\nrepos: []\n")[0].starts_with("3:1: the file has a second")
        );
        assert!(mistakes("[]")[0].contains("a map of keys, not a list"));
        assert!(mistakes("minimum_pre_commit_version: '99'\nrepos: []")[0].contains("4.7.0"));
    }

    #[test]
    fn a_manifest_is_read() {
        let text =
            "- id: x\n  name: X\n  entry: x --y\n  language: python\n  types_or: [python, pyi]\n";
        let hooks = super::super::manifest(text).unwrap();
        assert_eq!(hooks[0].given.entry.as_deref(), Some("x --y"));
        assert!(super::super::manifest("- id: x\n").is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,200}", lines in "(repos|- repo|  hooks|  - id|files|args): [a-z'\\[{&*<|]{0,5}\n") {
            let _config = Config::parse(&text);
            let _config = Config::parse(&lines.repeat(3));
        }
    }
}
