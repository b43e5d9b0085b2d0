//! Everything that an audit reads of a repository, read once, on both cores.
//!
//! History is one long stream of git's, and the search for credentials follows it; files, code and maps are read
//! beside both. A reader that panics leaves an
//! empty answer and a line under *not checked*: the rest of the report stays true.
//! Not here: what is wrong with any of it.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use tradewind_catalog::Catalog;
use tradewind_repo::api_map::ApiMap;
use tradewind_repo::documents::Documents;
use tradewind_repo::history::{History, Options};
use tradewind_repo::leaks::{self, Leaks};
use tradewind_repo::project::Project;
use tradewind_repo::python::{self, Cache, Code, Reading, SourceFile};
use tradewind_repo::references::Names;
use tradewind_repo::tree::{Source, Tree, Unread};
use tradewind_repo::{Location, Oid, RepoError};

use crate::audit::{NotChecked, Request};
use crate::finding::Finding;
use crate::progress::Stage;
use crate::rule::{Context, Findings, PythonRule};
use crate::rules;

/// Everything that was read of a repository.
#[derive(Debug)]
pub struct Sources {
    /// The files.
    pub tree: Tree,
    /// The commits.
    pub history: History,
    /// The Python code.
    pub code: Code,
    /// CI, containers, packaging, test settings, hooks.
    pub project: Project,
    /// What pages claim.
    pub documents: Documents,
    /// Who refers to a file.
    pub names: Names,
    /// Credentials in files and in history.
    pub leaks: Leaks,
    /// Who calls which provider.
    pub api_map: ApiMap,
    /// What providers are.
    pub catalog: Arc<Catalog>,
    /// The date of the audit.
    pub today: Date,
}

impl Sources {
    /// Shows the facts to a rule.
    pub fn context(&self) -> Context<'_> {
        Context {
            tree: &self.tree,
            history: &self.history,
            code: &self.code,
            project: &self.project,
            documents: &self.documents,
            names: &self.names,
            leaks: &self.leaks,
            api_map: &self.api_map,
            catalog: &self.catalog,
            today: self.today,
        }
    }
}

/// What reading gave.
pub(crate) struct Read {
    /// The facts.
    pub(crate) sources: Sources,
    /// What the rules over one file found.
    pub(crate) found: Vec<Finding>,
    /// What could not be read.
    pub(crate) not_checked: Vec<NotChecked>,
    /// Readers that panicked.
    pub(crate) broken: Vec<String>,
    /// How long each reader took.
    pub(crate) durations: Vec<(String, Duration)>,
}

/// Reads; without a location the folder itself.
pub(crate) fn read(request: &Request, location: Option<&Location>) -> Result<Read, RepoError> {
    let mut notes = Notes::default();
    let began = Instant::now();
    let stage = request.progress.begin("reading files", 0);
    let tree = match location {
        Some(location) => Tree::read(&request.git, location, source(request, location)?)?,
        None => Tree::read_folder(&request.path)?,
    };
    drop(stage);
    notes.durations.push(("tree".to_owned(), began.elapsed()));
    notes.unread("tree", tree.unread());
    // Nothing of the past is needed to read the present: both are read at once.
    let (past, present) = std::thread::scope(|scope| {
        let past = scope.spawn(|| past(request, location, &tree));
        let present = present(request, location, &tree);
        let past = past.join();
        (
            past.unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            present,
        )
    });
    let Past {
        history,
        leaks,
        notes: of_past,
    } = past;
    let (joined, kept, of_present) = present;
    notes.take(of_past);
    notes.take(of_present);
    let mut found = Vec::new();
    for kept in kept {
        found.extend(kept.found);
        if kept.is_broken {
            notes.broken.push(kept.rule.clone());
        }
        let rule = kept.rule;
        notes
            .not_checked
            .extend(kept.not_checked.into_iter().map(|reason| NotChecked {
                rule: rule.clone(),
                reason,
            }));
    }
    let Joined {
        code,
        project,
        documents,
        names,
        api_map,
    } = joined;
    Ok(Read {
        sources: Sources {
            tree,
            history,
            code,
            project,
            documents,
            names,
            leaks,
            api_map,
            catalog: Arc::clone(&request.catalog),
            today: request.today,
        },
        found,
        not_checked: notes.not_checked,
        broken: notes.broken,
        durations: notes.durations,
    })
}

/// What lies behind the files: commits, and credentials in contents of old.
struct Past {
    history: History,
    leaks: Leaks,
    notes: Notes,
}

fn past(request: &Request, location: Option<&Location>, tree: &Tree) -> Past {
    let mut notes = Notes::default();
    let history = notes.guarded("history", || {
        let stage = request.progress.begin("reading history", 0);
        match location {
            Some(location) => history(request, location, &stage),
            None => no_history(),
        }
    });
    notes.unread("history", &history.unread);
    let leaks = notes.guarded("leaks", || {
        let stage = request.progress.begin("looking for credentials", 0);
        leaks(request, location, tree, &history, &stage)
    });
    notes.unread("secret-in-history", &leaks.unread);
    Past {
        history,
        leaks,
        notes,
    }
}

fn present(
    request: &Request,
    location: Option<&Location>,
    tree: &Tree,
) -> (Joined, Vec<Kept>, Notes) {
    let mut notes = Notes::default();
    let (reading, kept) = notes.guarded("code", || {
        let stage = request.progress.begin("parsing", 0);
        parse(request, location, tree, &stage)
    });
    notes.unread("code", &reading.unread);
    let _stage = request.progress.begin("joining", 0);
    let joined = join(request, location, tree, reading, &mut notes);
    (joined, kept, notes)
}

/// What follows from files alone, once they are parsed.
struct Joined {
    code: Code,
    project: Project,
    documents: Documents,
    names: Names,
    api_map: ApiMap,
}

fn join(
    request: &Request,
    location: Option<&Location>,
    tree: &Tree,
    reading: Reading,
    notes: &mut Notes,
) -> Joined {
    let code = notes.guarded("code", || Code::join(reading.modules, tree));
    let project = notes.guarded("project", || {
        let mut project = Project::read(tree);
        if let Some(location) = location {
            project.look_at_hooks(location);
        }
        project
    });
    notes.unread("project", &project.unread);
    let (documents, names, api_map, mapped) = std::thread::scope(|scope| {
        let mapped = scope.spawn(|| {
            let mut notes = Notes::default();
            let map = notes.guarded("api_map", || {
                ApiMap::build(&code, &project, &request.catalog, tree)
            });
            notes.unread("api_map", &map.unread);
            (map, notes)
        });
        let documents = notes.guarded("documents", || Documents::read(tree));
        let names = notes.guarded("names", || Names::read(tree, &documents));
        let mapped = mapped.join();
        let (map, mapped) = mapped.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        (documents, names, map, mapped)
    });
    notes.take(mapped);
    Joined {
        code,
        project,
        documents,
        names,
        api_map,
    }
}

fn no_history() -> History {
    let mut history = History::default();
    history.unread.push(Unread {
        what: "history".to_owned(),
        reason: "the folder is in no git repository".to_owned(),
    });
    history
}

fn source(request: &Request, location: &Location) -> Result<Source, RepoError> {
    let Some(commit) = &request.commit else {
        return Ok(Source::WorkTree);
    };
    let name = format!("{commit}^{{commit}}");
    let args = ["rev-parse", "-q", "--verify", "--end-of-options", &name];
    let answer = request.git.run_blocking(&location.top, &args)?;
    let text = String::from_utf8_lossy(&answer);
    Ok(text
        .trim()
        .parse::<Oid>()
        .map_or(Source::WorkTree, Source::Commit))
}

/// One file or folder of each kind for each repository; where it lies, not what it holds, gives it its name.
fn cache_path(request: &Request, location: &Location, kind: &str) -> Option<PathBuf> {
    let mut hasher = DefaultHasher::new();
    location.common_dir.hash(&mut hasher);
    let folder = request.cache.as_ref()?;
    Some(folder.join(format!("{kind}-{:016x}", hasher.finish())))
}

fn history(request: &Request, location: &Location, stage: &Stage<'_>) -> History {
    let cache = cache_path(request, location, "history");
    let commit = match source(request, location) {
        Ok(Source::Commit(commit)) => Some(commit),
        Ok(Source::WorkTree) | Err(_) => None,
    };
    let options = Options {
        cache: cache.as_deref(),
        commit,
        counts: Some(&rules::history::asks_for_lines),
        on_progress: Some(&|done, of| stage.reach(done, of)),
        ..Options::default()
    };
    History::read(&request.git, location, &options).unwrap_or_else(|error| {
        let mut history = History::default();
        history.unread.push(Unread {
            what: "history".to_owned(),
            reason: error.to_string(),
        });
        history
    })
}

/// Looks for credentials where a selected rule asks for them: it is the only reading of old contents.
fn leaks(
    request: &Request,
    location: Option<&Location>,
    tree: &Tree,
    history: &History,
    stage: &Stage<'_>,
) -> Leaks {
    let is_asked =
        rules::rules().any(|rule| rule.asks_for_leaks() && request.selection.holds(rule.about()));
    match location {
        _ if !is_asked => Leaks::default(),
        Some(location) => {
            let cache = cache_path(request, location, "clean");
            let options = leaks::Options {
                cache: cache.as_deref(),
                on_progress: Some(&|done, of| stage.reach(done, of)),
            };
            Leaks::read(&request.git, location, tree, history, &options)
        }
        None => Leaks::of_tree(tree),
    }
}

/// What the rules over one file made of it; kept in the cache beside the file's summary.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept {
    rule: String,
    found: Vec<Finding>,
    not_checked: Vec<String>,
    is_broken: bool,
}

/// Reads every Python file, on all cores; each that is parsed is shown to the rules over one file. What they said
/// of the others comes from the cache, so all of them run, whatever was asked for.
fn parse(
    request: &Request,
    location: Option<&Location>,
    tree: &Tree,
    stage: &Stage<'_>,
) -> (Reading, Vec<Kept>) {
    let folder = location.and_then(|location| cache_path(request, location, "python"));
    let cache = folder.map_or_else(Cache::none, |folder| Cache::open(&folder, &cache_version()));
    let rules: Vec<_> = rules::python_rules().collect();
    let reading = python::read(tree, &cache, |file| {
        stage.step();
        let kept = judge_one(file, &rules);
        // Mostly there is nothing to keep.
        if kept.is_empty() {
            Vec::new()
        } else {
            serde_json::to_vec(&kept).unwrap_or_default()
        }
    });
    cache.finish();
    let kept = reading
        .kept
        .iter()
        .filter(|bytes| !bytes.is_empty())
        .flat_map(|bytes| serde_json::from_slice::<Vec<Kept>>(bytes).unwrap_or_default())
        .filter(|kept| {
            rules
                .iter()
                .any(|rule| rule.about().id == kept.rule && request.selection.holds(rule.about()))
        })
        .collect();
    (reading, kept)
}

/// Names what the kept findings depend on besides the file: this very program, and its rules.
fn cache_version() -> String {
    let program = std::env::current_exe().and_then(std::fs::metadata);
    let built = program.ok().map(|meta| (meta.len(), meta.modified().ok()));
    let rules: Vec<_> = rules::python_rules().map(|rule| rule.about().id).collect();
    format!("{} {rules:?} {built:?}", env!("CARGO_PKG_VERSION"))
}

fn judge_one(file: &SourceFile, rules: &[&'static dyn PythonRule]) -> Vec<Kept> {
    let mut all = Vec::new();
    for rule in rules {
        let about = rule.about();
        let look = || {
            let mut findings = Findings::new(about);
            rule.check(file, &mut findings);
            findings
        };
        let kept = if let Ok(findings) = catch_unwind(AssertUnwindSafe(look)) {
            let (found, not_checked) = findings.into_parts();
            Kept {
                rule: about.id.to_owned(),
                found,
                not_checked,
                is_broken: false,
            }
        } else {
            Kept {
                rule: about.id.to_owned(),
                not_checked: vec![format!(
                    "{}: it panicked; this is a bug in Tradewind",
                    file.path
                )],
                found: Vec::new(),
                is_broken: true,
            }
        };
        if kept.is_broken || !kept.found.is_empty() || !kept.not_checked.is_empty() {
            all.push(kept);
        }
    }
    all
}

/// Returns how many threads work at once.
pub(crate) fn threads() -> usize {
    std::thread::available_parallelism().map_or(2, |n| n.get().min(8))
}

/// What is noted while reading.
#[derive(Default)]
struct Notes {
    not_checked: Vec<NotChecked>,
    broken: Vec<String>,
    durations: Vec<(String, Duration)>,
}

impl Notes {
    fn take(&mut self, other: Self) {
        self.not_checked.extend(other.not_checked);
        self.broken.extend(other.broken);
        self.durations.extend(other.durations);
    }

    fn unread(&mut self, reader: &str, unread: &[Unread]) {
        self.not_checked
            .extend(unread.iter().map(|unread| NotChecked {
                rule: reader.to_owned(),
                reason: format!("{}: {}", unread.what, unread.reason),
            }));
    }

    /// Reads, or leaves nothing and says so.
    fn guarded<T: Default>(&mut self, reader: &str, read: impl FnOnce() -> T) -> T {
        let began = Instant::now();
        let done = catch_unwind(AssertUnwindSafe(read));
        self.durations.push((reader.to_owned(), began.elapsed()));
        done.unwrap_or_else(|_panic| {
            self.broken.push(reader.to_owned());
            self.not_checked.push(NotChecked {
                rule: reader.to_owned(),
                reason: "reading it panicked; this is a bug in Tradewind".to_owned(),
            });
            T::default()
        })
    }
}
