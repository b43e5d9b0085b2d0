//! One hook: what a configuration gives, what the repository it comes from says beside it, and both settled.
//!
//! Three steps as in pre-commit: a manifest (or our own table) has defaults, the configuration is laid over it,
//! and what is still open comes from the top of the configuration.
//! Not here: starting it.

use tradewind_repo::project::data::Node;

use super::config::{Config, Remark};
use super::field::Reader;
use super::identify::Tags;
use super::pattern::{Pattern, PatternError};

/// Languages that a hook may be written in. `unsupported` (once `system`) is a command of this machine,
/// `unsupported_script` (once `script`) a file of the repository.
pub const LANGUAGES: [&str; 23] = [
    "bun",
    "conda",
    "coursier",
    "dart",
    "deno",
    "docker",
    "docker_image",
    "dotnet",
    "fail",
    "golang",
    "haskell",
    "julia",
    "lua",
    "node",
    "perl",
    "pygrep",
    "python",
    "r",
    "ruby",
    "rust",
    "swift",
    "unsupported",
    "unsupported_script",
];

/// When a hook runs: git's hook types, and `manual`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// `commit-msg`.
    CommitMsg,
    /// `post-checkout`.
    PostCheckout,
    /// `post-commit`.
    PostCommit,
    /// `post-merge`.
    PostMerge,
    /// `post-rewrite`.
    PostRewrite,
    /// `pre-commit`, once `commit`.
    PreCommit,
    /// `pre-merge-commit`, once `merge-commit`.
    PreMergeCommit,
    /// `pre-push`, once `push`.
    PrePush,
    /// `pre-rebase`.
    PreRebase,
    /// `prepare-commit-msg`.
    PrepareCommitMsg,
    /// `manual`: only when asked for.
    Manual,
}

impl Stage {
    /// Every stage, by name.
    pub const ALL: [Self; 11] = [
        Self::CommitMsg,
        Self::PostCheckout,
        Self::PostCommit,
        Self::PostMerge,
        Self::PostRewrite,
        Self::PreCommit,
        Self::PreMergeCommit,
        Self::PrePush,
        Self::PreRebase,
        Self::PrepareCommitMsg,
        Self::Manual,
    ];

    /// Returns its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::CommitMsg => "commit-msg",
            Self::PostCheckout => "post-checkout",
            Self::PostCommit => "post-commit",
            Self::PostMerge => "post-merge",
            Self::PostRewrite => "post-rewrite",
            Self::PreCommit => "pre-commit",
            Self::PreMergeCommit => "pre-merge-commit",
            Self::PrePush => "pre-push",
            Self::PreRebase => "pre-rebase",
            Self::PrepareCommitMsg => "prepare-commit-msg",
            Self::Manual => "manual",
        }
    }

    /// Finds a stage by its name of today.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.name() == name)
    }
}

/// A hook as it is written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// What names it.
    pub id: String,
    /// Line of its first key.
    pub line: u32,
    /// What is written beside it.
    pub given: Given,
}

/// What is written of a hook; `None` where nothing is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "each is the key of the same name in pre-commit's documentation"
)]
pub struct Given {
    pub additional_dependencies: Option<Vec<String>>,
    pub alias: Option<String>,
    pub always_run: Option<bool>,
    pub args: Option<Vec<String>>,
    pub description: Option<String>,
    pub entry: Option<String>,
    pub exclude: Option<Pattern>,
    pub exclude_types: Option<Tags>,
    pub fail_fast: Option<bool>,
    pub files: Option<Pattern>,
    pub language: Option<&'static str>,
    pub language_version: Option<String>,
    pub log_file: Option<String>,
    pub name: Option<String>,
    pub pass_filenames: Option<bool>,
    /// prek's: hooks of one number may run at once; ignored, because we find out by ourselves.
    pub priority: Option<u32>,
    pub require_serial: Option<bool>,
    pub stages: Option<Vec<Stage>>,
    pub types: Option<Tags>,
    pub types_or: Option<Tags>,
    pub verbose: Option<bool>,
}

impl Given {
    /// Lays what is given here over `below`.
    #[must_use]
    pub fn over(self, below: Self) -> Self {
        macro_rules! first {
            ($($field:ident),* $(,)?) => {
                Self { $($field: self.$field.or(below.$field)),* }
            };
        }
        first!(
            additional_dependencies,
            alias,
            always_run,
            args,
            description,
            entry,
            exclude,
            exclude_types,
            fail_fast,
            files,
            language,
            language_version,
            log_file,
            name,
            pass_filenames,
            priority,
            require_serial,
            stages,
            types,
            types_or,
            verbose,
        )
    }
}

/// A hook with everything decided.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a key of the configuration"
)]
pub struct Settled {
    /// What names it.
    pub id: String,
    /// Another name to ask for it or to skip it by; empty where it has none.
    pub alias: String,
    /// What is printed.
    pub name: String,
    /// Command line; empty for a check of our own.
    pub entry: String,
    /// One of [`LANGUAGES`].
    pub language: &'static str,
    /// Version of the language; `None` for whatever is there.
    pub language_version: Option<String>,
    /// What a path must have.
    pub files: Pattern,
    /// What a path must not have.
    pub exclude: Pattern,
    /// Tags that a file must have all of.
    pub types: Tags,
    /// Tags that a file must have one of; empty for no demand.
    pub types_or: Tags,
    /// Tags that a file must not have.
    pub exclude_types: Tags,
    /// What is installed beside it.
    pub additional_dependencies: Vec<String>,
    /// Arguments before the file names.
    pub args: Vec<String>,
    /// Whether it runs without files.
    pub always_run: bool,
    /// Whether nothing runs after it has failed.
    pub fail_fast: bool,
    /// Whether it is given file names.
    pub pass_filenames: bool,
    /// What it is for.
    pub description: String,
    /// File that its output goes to; empty for none.
    pub log_file: String,
    /// Whether it must not run beside itself.
    pub require_serial: bool,
    /// When it runs; never empty.
    pub stages: Vec<Stage>,
    /// Whether its output is shown when it passes.
    pub verbose: bool,
}

impl Settled {
    /// Settles a hook: what its configuration gives, then `below` (a manifest, our own table), then the top
    /// of the configuration, then pre-commit's defaults.
    pub fn new(hook: &Hook, below: Given, config: &Config) -> Self {
        let id = hook.id.clone();
        let given = hook.given.clone().over(below);
        let language = given.language.unwrap_or("unsupported");
        let version = given
            .language_version
            .filter(|version| version != "default")
            .or_else(|| config.default_language_version.get(language).cloned())
            .filter(|version| version != "default");
        let file = || Tags::of(["file"]).unwrap_or_default();
        Self {
            name: given.name.unwrap_or_else(|| id.clone()),
            id,
            alias: given.alias.unwrap_or_default(),
            entry: given.entry.unwrap_or_default(),
            language,
            language_version: version,
            files: given.files.unwrap_or_else(Pattern::everything),
            exclude: given.exclude.unwrap_or_else(Pattern::nothing),
            types: given.types.unwrap_or_else(file),
            types_or: given.types_or.unwrap_or_default(),
            exclude_types: given.exclude_types.unwrap_or_default(),
            additional_dependencies: given.additional_dependencies.unwrap_or_default(),
            args: given.args.unwrap_or_default(),
            always_run: given.always_run.unwrap_or(false),
            fail_fast: given.fail_fast.unwrap_or(false),
            pass_filenames: given.pass_filenames.unwrap_or(true),
            description: given.description.unwrap_or_default(),
            log_file: given.log_file.unwrap_or_default(),
            require_serial: given.require_serial.unwrap_or(false),
            stages: given
                .stages
                .filter(|stages| !stages.is_empty())
                .unwrap_or_else(|| config.default_stages.clone()),
            verbose: given.verbose.unwrap_or(false),
        }
    }

    /// Says whether it is for files with these tags.
    pub fn takes(&self, tags: &Tags) -> bool {
        tags.has_all(&self.types)
            && (self.types_or.is_empty() || tags.has_any(&self.types_or))
            && !tags.has_any(&self.exclude_types)
    }

    /// Says whether it is for a path, by name alone.
    ///
    /// # Errors
    /// A pattern that is too hard for this path.
    pub fn names(&self, path: &[u8]) -> Result<bool, PatternError> {
        Ok(self.files.is_in(path)? && !self.exclude.is_in(path)?)
    }
}

/// Why a manifest cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[error("{}", super::config::lines(mistakes))]
pub struct ManifestError {
    /// What is wrong.
    pub mistakes: Vec<Remark>,
}

/// Reads `.pre-commit-hooks.yaml`: the hooks that a repository offers.
///
/// # Errors
/// What is wrong in it, with line and column.
pub fn manifest(text: &str) -> Result<Vec<Hook>, ManifestError> {
    let mut reader = Reader::default();
    let hooks = reader.document(text).map_or_else(Vec::new, |root| {
        let mut hooks = Vec::new();
        for node in reader.list(&root, "the file") {
            let hook = read(node, &mut reader, Demands::All);
            hooks.extend(hook);
        }
        hooks
    });
    if reader.mistakes.is_empty() {
        Ok(hooks)
    } else {
        Err(ManifestError {
            mistakes: reader.mistakes,
        })
    }
}

/// Which keys a hook must have or must not have.
#[derive(Clone, Copy, Debug)]
pub(super) enum Demands {
    /// Of a repository that has a manifest: only its id.
    Id,
    /// Local or in a manifest: id, name, entry, language.
    All,
    /// `meta` or `builtin`: one of these ids; the command is not to be changed.
    Known(&'static str, fn(&str) -> bool),
}

/// Reads a hook.
pub(super) fn read(node: &Node, reader: &mut Reader, demands: Demands) -> Option<Hook> {
    let map = reader.map(node, "a hook")?;
    let mut id = None;
    let mut given = Given::default();
    let mut unknown = Vec::new();
    for (key, value) in map {
        let Some(key_text) = key.text() else {
            reader.wrong(key, "a key is a text".to_owned());
            continue;
        };
        match key_text {
            "id" => id = reader.text(value, key_text),
            "name" => given.name = reader.text(value, key_text),
            "alias" => given.alias = reader.text(value, key_text),
            "entry" => given.entry = reader.text(value, key_text),
            "language" => given.language = reader.language(value),
            "files" => given.files = reader.pattern(value, key_text),
            "exclude" => given.exclude = reader.pattern(value, key_text),
            "types" => given.types = reader.tags(value, key_text),
            "types_or" => given.types_or = reader.tags(value, key_text),
            "exclude_types" => given.exclude_types = reader.tags(value, key_text),
            "additional_dependencies" => {
                given.additional_dependencies = reader.texts(value, key_text);
            }
            "args" => given.args = reader.texts(value, key_text),
            "stages" => given.stages = reader.stages(value, key_text, true),
            "always_run" => given.always_run = reader.truth(value, key_text),
            "fail_fast" => given.fail_fast = reader.truth(value, key_text),
            "pass_filenames" => given.pass_filenames = reader.truth(value, key_text),
            "require_serial" => given.require_serial = reader.truth(value, key_text),
            "verbose" => given.verbose = reader.truth(value, key_text),
            "log_file" => given.log_file = reader.text(value, key_text),
            "description" => given.description = reader.text(value, key_text),
            "language_version" => given.language_version = reader.text(value, key_text),
            "minimum_pre_commit_version" => reader.minimum_version(value),
            "priority" => given.priority = reader.number(value, key_text),
            _ => unknown.push(key),
        }
    }
    let Some(id) = id else {
        if node.get("id").is_none() {
            reader.wrong(node, "a hook needs `id`".to_owned());
        }
        return None;
    };
    if let Some(first) = unknown.first() {
        let names: Vec<&str> = unknown.iter().filter_map(|key| key.text()).collect();
        reader.warn(
            first,
            format!("hook `{id}`: unexpected key(s): {}", names.join(", ")),
        );
    }
    check(node, &id, &given, reader, demands);
    Some(Hook {
        id,
        line: node.line,
        given,
    })
}

fn check(node: &Node, id: &str, given: &Given, reader: &mut Reader, demands: Demands) {
    match demands {
        Demands::Id => {}
        Demands::All => {
            for (key, is_there) in [
                ("name", given.name.is_some()),
                ("entry", given.entry.is_some()),
                ("language", given.language.is_some()),
            ] {
                if !is_there && node.get(key).is_none() {
                    reader.wrong(node, format!("hook `{id}` needs `{key}`"));
                }
            }
        }
        Demands::Known(repository, is_known) => {
            let at = node.get("id").unwrap_or(node);
            if !is_known(id) {
                reader.wrong(at, format!("`repo: {repository}` has no hook `{id}`"));
            }
            if let Some((key, _)) = node.entry("entry") {
                reader.wrong(
                    key,
                    format!("`entry` of `repo: {repository}` is not to be changed"),
                );
            }
            if given
                .language
                .is_some_and(|language| language != "unsupported")
            {
                let key = node.get("language").unwrap_or(node);
                reader.wrong(
                    key,
                    format!("`language` of `repo: {repository}` is `unsupported`"),
                );
            }
        }
    }
}
