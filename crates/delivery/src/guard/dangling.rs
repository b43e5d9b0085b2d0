//! References that led to a file that goes, and lead nowhere in the commit's own tree.
//!
//! How: two trees are made that differ in nothing but the files that go. *Without* them is the tree that the commit
//! makes; *with* them is the same tree as if they had stayed. Whatever the files of the commit's own tree name is
//! looked up in both: what is found with and not without is what the commit breaks. What was broken before is found
//! in neither, and what the commit corrected is found in both.
//! Read are only the files that can name one that goes: project files, READMEs, and Python files in which the name
//! of a module that goes stands.
//! Not here: what code does with a path that it puts together while it runs.

mod imports;
mod jobs;
mod pages;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use tradewind_repo::documents::{Documents, PageKind, is_foreign, page_kind};
use tradewind_repo::generated;
use tradewind_repo::project::presence::{Presence, path_presence};
use tradewind_repo::project::{Project, is_project_file};
use tradewind_repo::secrets;
use tradewind_repo::tree::{File, FileKind, FileState, Tree};
use tradewind_repo::{Oid, RepoError};

use crate::staged::{Entry, Mode};

use super::gone::{self, Going, Gone};
use super::{
    Blob, Contents, Evidence, How, Judgement, Kind, Listed, MAX_EVIDENCE, Question, Stop,
    is_python, text,
};

/// Longer files are data or made by machines.
const MAX_FILE_BYTES: u64 = 512 * 1024;
/// Bytes read together.
const MAX_BYTES: u64 = 128 * 1024 * 1024;
/// Files told one by one.
const MAX_STOPS: usize = 200;
/// Longest piece of a line that is shown.
const MAX_NOTE: usize = 120;

/// The commit's own tree, and the same with the files that go.
struct Worlds {
    with: Tree,
    without: Tree,
    gone: BTreeSet<Box<str>>,
    /// The same with those that stay and hold nothing: what they refer to is no reference of the commit's own tree.
    leaving: BTreeSet<Box<str>>,
    /// Whether a package's own file stays and holds nothing any more.
    has_emptied: bool,
    project: Project,
    documents: Documents,
}

/// What leads to each file that goes.
#[derive(Default)]
struct Found {
    by_path: BTreeMap<Box<str>, BTreeSet<Evidence>>,
}

impl Found {
    fn add(&mut self, worlds: &Worlds, to: &str, from: &str, line: u32, how: How) {
        if to == from || worlds.leaving.contains(from) || worlds.is_kept_out(to) {
            return;
        }
        let line_text = worlds.line(from, line);
        let known = self.by_path.entry(to.into()).or_default();
        // One statement may import twenty names.
        if how == How::Imports
            && known
                .iter()
                .any(|each| each.path == from && each.how == how)
        {
            return;
        }
        known.insert(Evidence {
            path: from.to_owned(),
            line: (line > 0).then_some(line),
            how,
            note: line_text,
        });
    }
}

impl Worlds {
    /// Says whether a path is lost: it would be there if nothing had gone.
    fn has_lost(&self, path: &str) -> bool {
        path_presence(&self.with, path) == Presence::Here
            && path_presence(&self.without, path) != Presence::Here
    }

    /// Returns the file that a dotted module name meant and that went.
    fn lost_module(&self, module: &str) -> Option<&str> {
        let path = module.replace('.', "/");
        let is_meant = |gone: &&str| {
            let stem = gone
                .strip_suffix("/__init__.py")
                .or_else(|| gone.strip_suffix("/__main__.py"))
                .or_else(|| gone.strip_suffix(".py"));
            stem.is_some_and(|stem| stem == path || stem.ends_with(&format!("/{path}")))
        };
        let mut gone = self.gone.iter().map(AsRef::as_ref);
        let below = format!("{path}/");
        gone.clone()
            .find(is_meant)
            .or_else(|| gone.find(|gone: &&str| gone.contains(&below)))
    }

    /// Says whether a file was taken out of git to stay on each machine: it is ignored, and a person or a run makes it.
    fn is_kept_out(&self, path: &str) -> bool {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
        let has_example = self.without.below(folder).any(|file| {
            let other = file
                .path
                .rsplit('/')
                .next()
                .unwrap_or(&file.path)
                .to_ascii_lowercase();
            other.contains(&stem.to_ascii_lowercase())
                && ["example", "sample", "template"]
                    .iter()
                    .any(|word| other.contains(word))
        });
        let is_own = [
            "config", "secret", "key", "cred", "setting", "env", "password", "account",
        ]
        .iter()
        .any(|word| stem.to_ascii_lowercase().contains(word));
        let is_code = is_python(name);
        has_example || self.documents.is_ignored(path) && (is_own || !is_code)
    }

    /// Cuts a line out of a file for a reader. Lines that hold a credential are not shown.
    fn line(&self, path: &str, line: u32) -> String {
        let text = self.without.text(path).unwrap_or_default();
        let at = usize::try_from(line).unwrap_or(usize::MAX);
        let line = at
            .checked_sub(1)
            .and_then(|at| text.lines().nth(at))
            .unwrap_or_default()
            .trim();
        if secrets::holds_any(path, line.as_bytes()) {
            return String::new();
        }
        let end = line.floor_char_boundary(MAX_NOTE);
        line.get(..end).unwrap_or_default().to_owned()
    }
}

/// Stops each file that goes and that something still leads to.
pub(super) fn tell(
    question: &Question<'_>,
    contents: &dyn Contents,
    tree: &[Listed],
    gone: &[Gone<'_>],
    judgement: &mut Judgement,
) -> Result<(), RepoError> {
    let gone: Vec<&Gone<'_>> = gone
        .iter()
        .filter(|gone| {
            std::str::from_utf8(gone.path).is_ok_and(|path| {
                let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
                generated::root_of(path).is_none()
                    && !is_foreign(folder)
                    && !question.policy.allows(path)
            })
        })
        .collect();
    if gone.is_empty() {
        return Ok(());
    }
    let leaving: Vec<Leaving<'_>> = gone
        .iter()
        .filter_map(|gone| {
            Some(Leaving {
                path: std::str::from_utf8(gone.path).ok()?,
                entry: gone.before,
                stays_empty: gone.going == Going::Emptied && gone.path.ends_with(b"__init__.py"),
            })
        })
        .collect();
    let worlds = worlds(contents, tree.to_vec(), &leaving, judgement)?;
    let mut found = Found::default();
    imports::find(&worlds, &mut found);
    jobs::find(&worlds, &mut found);
    pages::find(&worlds, &mut found);
    let total = found.by_path.len();
    for (path, evidence) in found.by_path.into_iter().take(MAX_STOPS) {
        let goes = gone
            .iter()
            .find(|gone| gone.path == path.as_bytes())
            .map_or_else(
                || "goes with all that is in it".to_owned(),
                |gone| gone::goes(gone.going),
            );
        let count = evidence.len();
        let places = if count == 1 {
            "1 place still leads".to_owned()
        } else {
            format!("{count} places still lead")
        };
        judgement.tell(Stop {
            kind: Kind::DanglingReference,
            what: format!("{path} {goes}, and {places} to it."),
            evidence: evidence.into_iter().take(MAX_EVIDENCE).collect(),
            more: count.saturating_sub(MAX_EVIDENCE),
            next: vec![gone::restore(&path), gone::allow(&path)],
            path: path.into_string(),
        });
    }
    if total > MAX_STOPS {
        judgement.not_checked.push(format!(
            "{} more files that go are referred to and not told one by one",
            total - MAX_STOPS
        ));
    }
    Ok(())
}

/// A file that is taken out of the tree to see what misses it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leaving<'q> {
    pub(super) path: &'q str,
    /// What it held while it was there.
    pub(super) entry: Entry,
    /// Whether a package's file stays, empty.
    pub(super) stays_empty: bool,
}

/// Builds both trees, with the contents that can name a file that goes.
fn worlds(
    contents: &dyn Contents,
    tree: Vec<Listed>,
    leaving: &[Leaving<'_>],
    judgement: &mut Judgement,
) -> Result<Worlds, RepoError> {
    let by_path: HashMap<&[u8], &Leaving<'_>> = leaving
        .iter()
        .map(|leaving| (leaving.path.as_bytes(), leaving))
        .collect();
    let old: Vec<File> = leaving
        .iter()
        .map(|leaving| file(leaving.path, &leaving.entry))
        .collect();
    let mut files: Vec<File> = Vec::new();
    let mut inits: Vec<File> = Vec::new();
    for (path, entry) in tree {
        match by_path.get(path.as_ref()) {
            None => files.push(file(&text(&path), &entry)),
            Some(leaving) if leaving.stays_empty => inits.push(file(leaving.path, &entry)),
            Some(_) => {}
        }
    }
    let mut held = hold(contents, &files, &old, judgement)?;
    held.extend(
        inits
            .iter()
            .filter_map(|file| Some((file.id?, Arc::from(&b""[..])))),
    );
    let with = Tree::assembled(files.iter().cloned().chain(old).collect(), held.clone());
    let without = Tree::assembled(files.into_iter().chain(inits).collect(), held);
    let project = Project::read(&with);
    let documents = Documents::read(&with);
    // An empty `__init__.py` still makes its folder a package; only names in it are lost.
    let gone = leaving.iter().filter(|leaving| !leaving.stays_empty);
    Ok(Worlds {
        leaving: leaving.iter().map(|leaving| leaving.path.into()).collect(),
        has_emptied: leaving.iter().any(|leaving| leaving.stays_empty),
        gone: gone.map(|leaving| leaving.path.into()).collect(),
        with,
        without,
        project,
        documents,
    })
}

/// Finds the imports that would break if files were not there: of ignored ones, what a clone would miss.
pub(super) fn importers(
    contents: &dyn Contents,
    tree: Vec<Listed>,
    leaving: &[Leaving<'_>],
    judgement: &mut Judgement,
) -> Result<BTreeMap<Box<str>, BTreeSet<Evidence>>, RepoError> {
    let worlds = worlds(contents, tree, leaving, judgement)?;
    let mut found = Found::default();
    imports::find(&worlds, &mut found);
    Ok(found.by_path)
}

fn file(path: &str, entry: &Entry) -> File {
    File {
        path: path.into(),
        id: Some(entry.id),
        size: 0,
        kind: match entry.mode {
            Mode::Regular => FileKind::Regular,
            Mode::Executable => FileKind::Executable,
            Mode::Link => FileKind::Link,
            Mode::Submodule => FileKind::Submodule,
        },
        state: FileState::Tracked,
    }
}

/// Reads the contents that matter.
fn hold(
    contents: &dyn Contents,
    files: &[File],
    old: &[File],
    judgement: &mut Judgement,
) -> Result<BTreeMap<Oid, Arc<[u8]>>, RepoError> {
    let is_file = |file: &&File| matches!(file.kind, FileKind::Regular | FileKind::Executable);
    let needles = imports::Needles::of(old.iter().map(|file| file.path.as_ref()));
    let mut whole: HashSet<Oid> = HashSet::new();
    let mut searched: HashSet<Oid> = HashSet::new();
    for file in files.iter().filter(is_file) {
        let Some(id) = file.id else { continue };
        if is_read(&file.path) || needles.are_near(&file.path) {
            whole.insert(id);
        } else if needles.may_be_in(&file.path) {
            searched.insert(id);
        }
    }
    let gone_code = old.iter().filter(|file| is_python(&file.path));
    whole.extend(gone_code.filter_map(|file| file.id));
    searched.retain(|id| !whole.contains(id));
    let mut held: BTreeMap<Oid, Arc<[u8]>> = BTreeMap::new();
    let mut bytes_held = 0_u64;
    let mut left_out = 0_usize;
    let ids: Vec<Oid> = whole.iter().chain(&searched).copied().collect();
    contents.blobs(&ids, MAX_FILE_BYTES, &mut |Blob { id, size, bytes }| {
        let Some(bytes) = bytes else {
            left_out += 1;
            return;
        };
        if !whole.contains(&id) && !needles.are_in(bytes) {
            return;
        }
        if bytes_held + size > MAX_BYTES {
            left_out += 1;
            return;
        }
        bytes_held += size;
        held.insert(id, Arc::from(bytes));
    })?;
    if left_out > 0 {
        judgement.not_checked.push(format!(
            "{left_out} files that are too long, or too many together, were not read"
        ));
    }
    Ok(held)
}

/// Says whether a file is read whatever goes: it says how the project is built and run, or it is a README.
fn is_read(path: &str) -> bool {
    is_project_file(path)
        || path == ".gitignore"
        // What a package's own file defines decides what a name out of it means.
        || path == "__init__.py"
        || path.ends_with("/__init__.py")
        || path.ends_with("/.gitignore")
        || matches!(
            page_kind(path),
            Some(PageKind::Readme | PageKind::FolderReadme | PageKind::Contributing)
        )
}

#[cfg(test)]
mod tests {
    use super::super::config::Policy;
    use super::super::memory::{Memory, stops};

    const BOT: &[(&str, &str)] = &[
        (
            "README.md",
            "# Bot\n\nSee [how](docs/how.md).\n\n```bash\npython scripts/fetch.py\n```\n",
        ),
        ("docs/how.md", "# How\n"),
        ("docs/old.md", "# Old\n"),
        ("scripts/fetch.py", "print(1)\n"),
        ("bot/__init__.py", ""),
        ("bot/risk.py", "LIMIT = 1\n"),
        (
            "bot/broker.py",
            "from .risk import LIMIT\nfrom bot import feed\n",
        ),
        ("bot/feed.py", "def bars(): pass\n"),
        ("bot/unused.py", "x = 1\n"),
        ("main.py", "from bot.broker import LIMIT\n"),
        ("tests/test_risk.py", "from bot.risk import LIMIT\n"),
        ("config/live.yml", "a: 1\n"),
        (
            "Dockerfile",
            "FROM python:3.11\nWORKDIR /app\nCOPY config/live.yml ./config/\nCOPY main.py .\nCMD [\"python\", \"main.py\"]\n",
        ),
        (
            ".github/workflows/ci.yml",
            "on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n      - run: pip install -r requirements-dev.txt\n      - run: pytest tests/\n",
        ),
        ("requirements-dev.txt", "pytest==8.0\n"),
        (
            "pyproject.toml",
            "[project]\nname = \"bot\"\n[project.scripts]\nfeed = \"bot.feed:bars\"\n",
        ),
    ];

    fn without<'f>(path: &str) -> Vec<(&'f str, &'f str)> {
        BOT.iter()
            .filter(|(each, _)| *each != path)
            .copied()
            .collect()
    }

    fn evidence(path: &str) -> Vec<String> {
        let after = without(path);
        let judgement = Memory::new(BOT, &after).judge(&Policy::default(), None);
        let evidence = judgement.stops.iter().flat_map(|stop| &stop.evidence);
        evidence
            .map(|each| {
                format!(
                    "{}:{} {}",
                    each.path,
                    each.line.unwrap_or(0),
                    each.how.verb()
                )
            })
            .collect()
    }

    #[test]
    fn who_needs_a_file_is_told_whatever_language_it_speaks() {
        assert_eq!(
            evidence("bot/risk.py"),
            [
                "bot/broker.py:1 imports it",
                "tests/test_risk.py:1 imports it"
            ]
        );
        assert_eq!(
            evidence("bot/feed.py"),
            [
                "bot/broker.py:2 imports it",
                "pyproject.toml:4 names it for packaging or tests"
            ]
        );
        assert_eq!(
            evidence("config/live.yml"),
            ["Dockerfile:3 copies it into an image"]
        );
        assert_eq!(
            evidence("main.py"),
            [
                "Dockerfile:4 copies it into an image",
                "Dockerfile:5 starts or reads it"
            ]
        );
        assert_eq!(
            evidence("requirements-dev.txt"),
            [".github/workflows/ci.yml:6 uses it in a CI job"]
        );
        assert_eq!(
            evidence("tests/test_risk.py"),
            [".github/workflows/ci.yml:7 uses it in a CI job"]
        );
        assert_eq!(evidence("docs/how.md"), ["README.md:3 links to it"]);
        assert_eq!(
            evidence("scripts/fetch.py"),
            ["README.md:6 tells to type a command that needs it"]
        );
        assert!(evidence("bot/unused.py").is_empty());
        assert!(evidence("docs/old.md").is_empty());
    }

    #[test]
    fn a_move_passes_when_everybody_who_needs_it_moves_along() {
        let before = [
            ("util.py", "def f(): pass\n"),
            ("main.py", "from util import f\n"),
        ];
        let moved = [
            ("lib/util.py", "def f(): pass\n"),
            ("main.py", "from lib.util import f\n"),
        ];
        assert!(stops(&before, &moved).is_empty());
        let half = [("lib/util.py", "def f(): pass\n"), before[1]];
        let judgement = Memory::new(&before, &half).judge(&Policy::default(), None);
        assert_eq!(
            judgement.stops[0].what,
            "util.py moves to lib/util.py, and 1 place still leads to it."
        );
    }

    #[test]
    fn a_module_may_become_a_package_or_an_installed_one() {
        let before = [
            ("talib.py", "def f(): pass\n"),
            ("main.py", "from talib import f\n"),
            ("requirements.txt", "requests\n"),
        ];
        let package = [
            ("talib/__init__.py", "def f(): pass\n"),
            before[1],
            before[2],
        ];
        assert!(stops(&before, &package).is_empty());
        let installed = [before[1], ("requirements.txt", "requests\ntalib\n")];
        assert!(stops(&before, &installed).is_empty());
        let lost = [before[1], before[2]];
        assert_eq!(stops(&before, &lost), ["dangling-reference talib.py"]);
    }

    #[test]
    fn what_may_be_absent_and_what_was_broken_before_is_no_news() {
        let before = [
            ("fast.py", "x = 1\n"),
            (
                "main.py",
                "try:\n    import fast\nexcept ImportError:\n    fast = None\nimport nowhere\n",
            ),
            ("old/a.py", "from .gone import x\n"),
        ];
        assert!(stops(&before, &before[1..]).is_empty());
        assert!(stops(&before, &before[..2]).is_empty());
    }

    #[test]
    fn an_emptied_file_is_as_good_as_gone() {
        let before = [
            ("bot/__init__.py", "from .risk import LIMIT\n"),
            ("bot/risk.py", "LIMIT = 1\n"),
            ("main.py", "from bot import LIMIT\n"),
            ("x.py", "from bot.risk import LIMIT\n"),
        ];
        let mut after = before;
        after[1].1 = "\n\n";
        assert_eq!(stops(&before, &after), ["dangling-reference bot/risk.py"]);
        let mut after = before;
        after[0].1 = "";
        assert_eq!(
            stops(&before, &after),
            ["dangling-reference bot/__init__.py"]
        );
    }

    #[test]
    fn a_pattern_that_finds_no_file_any_more_names_those_that_went() {
        let docker = (
            "Dockerfile",
            "FROM x\nCOPY *.py /app/\nCOPY models/* /models/\nCOPY package.json yarn.lock* /app/\n",
        );
        let before = [
            docker,
            ("bot.py", "x = 1\n"),
            ("risk.py", "y = 1\n"),
            ("models/a.json", "{}\n"),
            ("package.json", "{}\n"),
            ("yarn.lock", "\n"),
        ];
        // One of two Python files is left, and a lock file beside a plain name may be absent.
        let one_left = [before[0], before[1], before[3], before[4]];
        assert!(stops(&before, &one_left).is_empty());
        let none_left = [
            before[0],
            before[3],
            before[4],
            before[5],
            ("src/bot.py", "x = 1\n"),
        ];
        assert_eq!(
            stops(&before, &none_left),
            ["dangling-reference bot.py", "dangling-reference risk.py"]
        );
        let no_model = [before[0], before[1], before[4]];
        assert_eq!(
            stops(&before, &no_model),
            ["dangling-reference models/a.json"]
        );
    }

    #[test]
    fn settings_that_stay_on_each_machine_may_leave_git() {
        let before = [
            ("Dockerfile", "FROM x\nCOPY config.json /app/\n"),
            ("config.json", "{}\n"),
            ("main.py", "import secrets_local\n"),
            ("secrets_local.py", "x = 1\n"),
        ];
        let after = [
            (".gitignore", "config.json\nsecrets_local.py\n"),
            before[0],
            before[2],
        ];
        assert!(stops(&before, &after).is_empty());
    }
}
