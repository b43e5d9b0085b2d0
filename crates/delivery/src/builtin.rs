//! The hooks of pre-commit-hooks 6.0.0, inside the program: no Python, no process, one pass over each file.
//!
//! Why: these run in nearly every repository; starting Python for each of them is what makes hooks slow. They
//! answer as the scripts do, exit code and bytes (`tests/it/hooks.rs` runs both), where
//! `docs/reference/hooks-builtin.md` names no difference.
//! A check sees one file ([`FileCheck`]) or the whole change ([`ChangeCheck`]); what else it wants to know it
//! asks of [`Surroundings`]. Whether a verdict holds for this path, mode and content for ever, the verdict says.
//! Not here: choosing files, reading them, writing what was fixed, caching (the module `hook`).
//! A new check is one file in `builtin/` and one row in [`ALL`].

mod added_large_files;
pub mod args;
mod aws;
mod branch;
mod byte_order_marker;
mod case_conflict;
mod check_json;
mod check_toml;
mod check_xml;
mod check_yaml;
mod contents_sorter;
mod end_of_file;
mod json;
mod merge_conflict;
mod meta;
mod mixed_line_ending;
mod names;
mod new_submodules;
mod permalinks;
mod pretty_json;
mod private_key;
pub mod pygrep;
mod python;
mod python_tokens;
mod requirements;
mod shebangs;
mod simple_yaml;
mod symlinks;
mod tests_naming;
mod text;
mod trailing_whitespace;
mod xml;
mod yaml12;

use crate::precommit::{Config, Given, Pattern, Stage, Tags};
use crate::staged::Mode;

pub use args::ArgError;

/// A file to look at.
#[derive(Clone, Copy, Debug)]
pub struct File<'a> {
    /// Path from the root, with `/`.
    pub path: &'a [u8],
    /// What it is.
    pub mode: Mode,
    /// Length of its content in bytes.
    pub size: u64,
    /// Its content (for a link: where it leads). Empty when the check [`FileCheck::needs`] none.
    pub bytes: &'a [u8],
}

impl File<'_> {
    /// Returns its path for a line of output.
    pub fn shown(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(self.path)
    }
}

/// What became of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As it should be.
    Clean,
    /// Not as it should be, and not mended here.
    Broken,
    /// This is how it should be. Never what it was.
    Fixed(Vec<u8>),
}

/// What a check says of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What became of it.
    pub outcome: Outcome,
    /// Lines to print, as the script prints them.
    pub lines: Vec<String>,
    /// Whether it depends on path, mode, content and arguments alone, so that it may be kept.
    pub is_lasting: bool,
}

impl Verdict {
    /// As it should be.
    pub fn clean() -> Self {
        Self {
            outcome: Outcome::Clean,
            lines: Vec::new(),
            is_lasting: true,
        }
    }

    /// Broken, with one line.
    pub fn broken(line: String) -> Self {
        Self::all_broken(vec![line])
    }

    /// Broken where there are lines, clean where there are none.
    pub fn all_broken(lines: Vec<String>) -> Self {
        Self {
            outcome: if lines.is_empty() {
                Outcome::Clean
            } else {
                Outcome::Broken
            },
            lines,
            is_lasting: true,
        }
    }

    /// Fixed, with one line.
    pub fn fixed(bytes: Vec<u8>, line: String) -> Self {
        Self {
            outcome: Outcome::Fixed(bytes),
            lines: vec![line],
            is_lasting: true,
        }
    }

    /// The same, not to be kept.
    #[must_use]
    pub fn for_now(mut self) -> Self {
        self.is_lasting = false;
        self
    }
}

/// What a check of the whole change says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// 0 when everything is as it should be.
    pub exit_code: u8,
    /// Lines to print.
    pub lines: Vec<String>,
}

/// How much of a file a check has to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Needs {
    /// Path and mode.
    Path,
    /// Its size too.
    Size,
    /// Its content.
    Bytes,
}

/// What a check may ask about the change beyond a file's own content. All paths are of the index as it will be
/// committed.
pub trait Surroundings: Sync {
    /// Every path of the index, sorted.
    fn tracked(&self) -> &[Box<[u8]>];
    /// What a path of the index is, with its content; `None` where there is none. No content for a submodule.
    fn content(&self, path: &[u8]) -> Option<(Mode, Vec<u8>)>;
    /// What a path was in the last commit, with its content.
    fn before(&self, path: &[u8]) -> Option<(Mode, Vec<u8>)>;
    /// What a path of the index is.
    fn mode(&self, path: &[u8]) -> Option<Mode>;
    /// What kind of file a path of the index is.
    fn tags(&self, path: &[u8]) -> Option<Tags>;
    /// Paths that the last commit does not have (with `--from-ref`: that commit), sorted.
    fn added(&self) -> &[Box<[u8]>];
    /// Whether a path, or what a chain of links makes of it, is there: in the index, as a folder of it, or on
    /// disk where the index does not decide (ignored, outside the repository).
    fn exists(&self, path: &[u8]) -> bool;
    /// Whether `.gitattributes` gives a path to Git LFS (`filter=lfs`).
    fn is_lfs(&self, path: &[u8]) -> bool;
    /// Name of the branch that `HEAD` is on, without `refs/heads/`; `None` when detached.
    fn branch(&self) -> Option<String>;
    /// Whether a merge, a rebase or an `am` is under way (`MERGE_MSG` with `MERGE_HEAD`, `rebase-apply` or
    /// `rebase-merge`).
    fn is_merging(&self) -> bool;
    /// A variable of the environment.
    fn variable(&self, name: &str) -> Option<String>;
    /// A file of this machine; `~/` is the user's home. At most a megabyte; `None` where there is none.
    fn machine_file(&self, path: &str) -> Option<Vec<u8>>;
    /// The configuration of hooks that is in use.
    fn config(&self) -> Option<&Config>;
    /// The hooks of that configuration, settled, as far as their manifests are at hand.
    fn hooks(&self) -> &[crate::precommit::Settled];
}

/// Looks at one file at a time, from several threads. A thread needs 4 MiB of stack: syntax trees of Python are
/// walked recursively, to a depth that is bounded.
pub trait FileCheck: Send + Sync {
    /// How much of a file it has to see.
    fn needs(&self) -> Needs {
        Needs::Bytes
    }

    /// Asked once before the first file: an answer is the result, and no file is looked at.
    fn settles_at_once(&self, _around: &dyn Surroundings) -> Option<Report> {
        None
    }

    /// Looks at a file. What came out of the check before it is what this one sees.
    fn check(&self, file: &File<'_>, around: &dyn Surroundings) -> Verdict;

    /// Printed once after the lines of the files, when one of them is not clean.
    fn advice(&self) -> &'static [&'static str] {
        &[]
    }
}

/// Looks at all files at once, after their fixes.
pub trait ChangeCheck: Send + Sync {
    /// Looks at the paths that the hook is given.
    fn check(&self, paths: &[&[u8]], around: &dyn Surroundings) -> Report;
}

/// A check with its arguments, ready to run.
pub enum Check {
    /// One file at a time.
    Files(Box<dyn FileCheck>),
    /// The whole change.
    Change(Box<dyn ChangeCheck>),
}

impl Check {
    fn files(check: impl FileCheck + 'static) -> Self {
        Self::Files(Box::new(check))
    }
}

impl std::fmt::Debug for Check {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Files(_) => "Files",
            Self::Change(_) => "Change",
        })
    }
}

/// What is known of a check before it is configured.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a key of the manifest"
)]
pub struct About {
    /// Id in the configuration.
    pub id: &'static str,
    /// What is printed.
    pub name: &'static str,
    /// What it does, a sentence.
    pub what: &'static str,
    /// Regular expression over paths; empty for all.
    pub files: &'static str,
    /// File types, all of which a file must have.
    pub types: &'static [&'static str],
    /// When it runs; empty for the configuration's default.
    pub stages: &'static [Stage],
    /// Whether it is given file names.
    pub pass_filenames: bool,
    /// Whether it runs without files.
    pub always_run: bool,
    /// Whether its output is shown when it passes.
    pub verbose: bool,
    /// Whether it may change files.
    pub can_fix: bool,
    /// Language in its manifest; `fail` for one that stops on every file it is for.
    pub language: &'static str,
    /// Whether it belongs to `repo: meta`.
    pub is_meta: bool,
    /// Arguments, as they are documented.
    pub arguments: &'static [(&'static str, &'static str)],
    /// Where it differs from the script, one sentence each.
    pub differs: &'static [&'static str],
    /// Makes it with arguments.
    make: fn(&[String]) -> Result<Check, ArgError>,
}

/// What most checks have.
const PLAIN: About = About {
    id: "",
    name: "",
    what: "",
    files: "",
    types: &["file"],
    stages: &[],
    pass_filenames: true,
    always_run: false,
    verbose: false,
    can_fix: false,
    language: "unsupported",
    is_meta: false,
    arguments: &[],
    differs: &[],
    make: |_| Err(ArgError::NotMade),
};

/// Stages of checks that make sense before a commit and a push only.
const BEFORE: &[Stage] = &[Stage::PreCommit, Stage::PrePush, Stage::Manual];

/// Every check, by id.
pub const ALL: &[&About] = &[
    &added_large_files::ABOUT,
    &python::AST,
    &python::LITERALS,
    &case_conflict::ABOUT,
    &python_tokens::DOCSTRING,
    &shebangs::HAVE,
    &meta::APPLY,
    &names::WINDOWS,
    &check_json::ABOUT,
    &merge_conflict::ABOUT,
    &shebangs::ARE,
    &symlinks::BROKEN,
    &check_toml::ABOUT,
    &meta::EXCLUDES,
    &permalinks::ABOUT,
    &check_xml::ABOUT,
    &check_yaml::ABOUT,
    &python::DEBUG,
    &symlinks::DESTROYED,
    &aws::ABOUT,
    &private_key::ABOUT,
    &python_tokens::QUOTES,
    &end_of_file::ABOUT,
    &contents_sorter::ABOUT,
    &byte_order_marker::ABOUT,
    &new_submodules::ABOUT,
    &names::SUBMODULES,
    &meta::IDENTITY,
    &mixed_line_ending::ABOUT,
    &tests_naming::ABOUT,
    &branch::ABOUT,
    &pretty_json::ABOUT,
    &requirements::ABOUT,
    &simple_yaml::ABOUT,
    &trailing_whitespace::ABOUT,
];

impl About {
    /// Makes the check with the arguments that a configuration gives.
    ///
    /// # Errors
    /// Arguments that the script does not take; it would end with exit code 2.
    pub fn with_args(&self, args: &[String]) -> Result<Check, ArgError> {
        (self.make)(args)
    }

    /// Returns what its manifest says.
    pub fn given(&self) -> Given {
        Given {
            name: Some(self.name.to_owned()),
            description: Some(self.what.to_owned()),
            entry: Some(String::new()),
            language: Some(self.language),
            files: Pattern::new(self.files).ok(),
            types: Tags::of(self.types.iter().copied()).ok(),
            stages: Some(self.stages.to_vec()),
            pass_filenames: Some(self.pass_filenames),
            always_run: Some(self.always_run),
            verbose: Some(self.verbose),
            ..Given::default()
        }
    }
}

/// Finds a check by its id.
pub fn find(id: &str) -> Option<&'static About> {
    let at = ALL.binary_search_by(|about| about.id.cmp(id)).ok()?;
    ALL.get(at).copied()
}

/// Says whether an address is that of pre-commit-hooks.
pub fn is_repository(url: &str) -> bool {
    let url = url.trim_end_matches('/');
    let url = url.strip_suffix(".git").unwrap_or(url);
    let path = ["https://", "http://", "git://", "ssh://"]
        .iter()
        .find_map(|scheme| url.strip_prefix(scheme))
        .unwrap_or(url);
    let path = path.strip_prefix("git@").unwrap_or(path);
    let path = path.strip_prefix("www.").unwrap_or(path);
    path.strip_prefix("github.com")
        .and_then(|path| path.strip_prefix(['/', ':']))
        .is_some_and(|path| path.eq_ignore_ascii_case("pre-commit/pre-commit-hooks"))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Nothing but what a test puts in.
    #[derive(Default)]
    pub(crate) struct Around {
        pub(crate) tracked: Vec<Box<[u8]>>,
        pub(crate) added: Vec<Box<[u8]>>,
        pub(crate) before: Vec<(&'static str, Mode, Vec<u8>)>,
        pub(crate) after: Vec<(&'static str, Mode, Vec<u8>)>,
        pub(crate) branch: Option<String>,
        pub(crate) is_merging: bool,
        pub(crate) lfs: Vec<&'static str>,
        pub(crate) variables: Vec<(&'static str, &'static str)>,
        pub(crate) machine: Vec<(&'static str, &'static str)>,
        pub(crate) config: Option<Config>,
        pub(crate) hooks: Vec<crate::precommit::Settled>,
    }

    fn of(list: &[(&'static str, Mode, Vec<u8>)], path: &[u8]) -> Option<(Mode, Vec<u8>)> {
        list.iter()
            .find(|(name, ..)| name.as_bytes() == path)
            .map(|(_, mode, bytes)| (*mode, bytes.clone()))
    }

    impl Surroundings for Around {
        fn tracked(&self) -> &[Box<[u8]>] {
            &self.tracked
        }
        fn content(&self, path: &[u8]) -> Option<(Mode, Vec<u8>)> {
            of(&self.after, path)
        }
        fn before(&self, path: &[u8]) -> Option<(Mode, Vec<u8>)> {
            of(&self.before, path)
        }
        fn mode(&self, path: &[u8]) -> Option<Mode> {
            self.content(path).map(|(mode, _)| mode)
        }
        fn tags(&self, path: &[u8]) -> Option<Tags> {
            let (mode, bytes) = self.content(path)?;
            crate::precommit::identify::tags(path, mode, Some(&bytes))
        }
        fn added(&self) -> &[Box<[u8]>] {
            &self.added
        }
        fn exists(&self, path: &[u8]) -> bool {
            self.tracked.iter().any(|known| known.as_ref() == path)
        }
        fn is_lfs(&self, path: &[u8]) -> bool {
            self.lfs.iter().any(|known| known.as_bytes() == path)
        }
        fn branch(&self) -> Option<String> {
            self.branch.clone()
        }
        fn is_merging(&self) -> bool {
            self.is_merging
        }
        fn variable(&self, name: &str) -> Option<String> {
            let found = self.variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        }
        fn machine_file(&self, path: &str) -> Option<Vec<u8>> {
            let found = self.machine.iter().find(|(known, _)| *known == path);
            found.map(|(_, value)| value.as_bytes().to_vec())
        }
        fn config(&self) -> Option<&Config> {
            self.config.as_ref()
        }
        fn hooks(&self) -> &[crate::precommit::Settled] {
            &self.hooks
        }
    }

    /// Runs a check of files on one file.
    pub(crate) fn on(id: &str, args: &[&str], path: &str, bytes: &[u8]) -> Verdict {
        on_with(id, args, path, Mode::Regular, bytes, &Around::default())
    }

    pub(crate) fn on_with(
        id: &str,
        args: &[&str],
        path: &str,
        mode: Mode,
        bytes: &[u8],
        around: &Around,
    ) -> Verdict {
        let Check::Files(check) = made(id, args) else {
            panic!("{id} looks at the whole change");
        };
        let file = File {
            path: path.as_bytes(),
            mode,
            size: bytes.len() as u64,
            bytes,
        };
        check.check(&file, around)
    }

    pub(crate) fn made(id: &str, args: &[&str]) -> Check {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        find(id).unwrap().with_args(&args).unwrap()
    }

    #[test]
    fn every_check_is_found_and_says_what_its_manifest_says() {
        assert!(ALL.is_sorted_by(|a, b| a.id < b.id));
        for about in ALL {
            assert_eq!(find(about.id).map(|about| about.name), Some(about.name));
            assert!(
                Tags::of(about.types.iter().copied()).is_ok(),
                "{}",
                about.id
            );
            assert!(Pattern::new(about.files).is_ok(), "{}", about.id);
            assert!(about.with_args(&["--no-such-thing".to_owned()]).is_err());
        }
        assert!(find("no-such-check").is_none());
    }

    /// Runs every check of files, with arguments that make it look hardest.
    fn all_on(bytes: &[u8]) {
        for about in ALL {
            for args in [
                &[][..],
                &["--unsafe"],
                &["--autofix"],
                &["--assume-in-merge"],
                &["--unique"],
            ] {
                let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
                let Ok(Check::Files(check)) = about.with_args(&args) else {
                    continue;
                };
                let file = File {
                    path: b"a.py",
                    mode: Mode::Executable,
                    size: bytes.len() as u64,
                    bytes,
                };
                let verdict = check.check(&file, &Around::default());
                assert_ne!(
                    verdict.outcome,
                    Outcome::Fixed(bytes.to_vec()),
                    "{}",
                    about.id
                );
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            all_on(&bytes);
        }

        #[test]
        fn no_text_panics(text in "[\\[\\]{}()<>\"'!&*#%@:;,.=?/|\\\\ \\n\\r\\ta-f0-3é\u{feff}-]{0,120}") {
            all_on(text.as_bytes());
        }

        #[test]
        fn what_is_fixed_stays_fixed(text in "[ab \\t\\r\\n\\x0c]{0,60}") {
            for id in ["trailing-whitespace", "end-of-file-fixer", "mixed-line-ending", "file-contents-sorter"] {
                if let Outcome::Fixed(fixed) = on(id, &[], "a", text.as_bytes()).outcome {
                    proptest::prop_assert_eq!(on(id, &[], "a", &fixed).outcome, Outcome::Clean, "{}", id);
                }
            }
        }
    }

    #[test]
    fn the_repository_is_known_by_its_addresses() {
        for url in [
            "https://github.com/pre-commit/pre-commit-hooks",
            "https://github.com/pre-commit/pre-commit-hooks.git/",
            "git@github.com:pre-commit/pre-commit-hooks.git",
            "ssh://git@github.com/pre-commit/pre-commit-hooks",
        ] {
            assert!(is_repository(url), "{url}");
        }
        for url in [
            "https://github.com/pre-commit/pygrep-hooks",
            "https://example.com/github.com/pre-commit/pre-commit-hooks",
            "https://github.com/someone/pre-commit-hooks",
        ] {
            assert!(!is_repository(url), "{url}");
        }
    }
}
