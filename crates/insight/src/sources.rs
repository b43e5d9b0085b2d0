//! Everything that an audit reads of a repository, read once, on both cores.
//!
//! History is one long stream of git's; files, code and maps are read beside it. A reader that panics leaves an
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
use tradewind_repo::leaks::Leaks;
use tradewind_repo::project::Project;
use tradewind_repo::python::{self, Cache, Code, Reading, SourceFile};
use tradewind_repo::references::References;
use tradewind_repo::tree::{Source, Tree, Unread};
use tradewind_repo::{Location, Oid, RepoError};

use crate::audit::{NotChecked, Request};
use crate::finding::Area;
use crate::finding::Finding;
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
    pub references: References,
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
            references: &self.references,
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
    let progress = &request.progress;
    progress.begin("reading files", 0);
    let began = Instant::now();
    let tree = match location {
        Some(location) => Tree::read(&request.git, location, source(request, location)?)?,
        None => Tree::read_folder(&request.path)?,
    };
    notes.durations.push(("tree".to_owned(), began.elapsed()));
    notes.unread("tree", tree.unread());
    // History is one stream of git's; the code is parsed beside it.
    let (history, parsed) = std::thread::scope(|scope| {
        let streamed = scope.spawn(|| match location {
            Some(location) => history(request, location),
            None => no_history(),
        });
        progress.begin("parsing", 0);
        let parsed = notes.guarded("code", || parse(request, location, &tree));
        progress.begin("reading history", 0);
        let history = notes.guarded("history", || match streamed.join() {
            Ok(history) => history,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        (history, parsed)
    });
    notes.unread("history", &history.unread);
    let (reading, kept) = parsed;
    notes.unread("code", &reading.unread);
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
    progress.begin("joining", 0);
    // The search for credentials reads every content that history ever held; all the rest goes on beside it.
    let (leaks, joined) = std::thread::scope(|scope| {
        let searched = scope.spawn(|| {
            let mut notes = Notes::default();
            let leaks = notes.guarded("leaks", || leaks(request, location, &tree, &history));
            (leaks, notes)
        });
        let joined = join(request, location, &tree, reading, &mut notes);
        let leaks = searched.join().map_or_else(
            |panic| std::panic::resume_unwind(panic),
            |(leaks, searched)| {
                notes.take(searched);
                leaks
            },
        );
        (leaks, joined)
    });
    notes.unread("secret-in-history", &leaks.unread);
    let Joined {
        code,
        project,
        documents,
        references,
        api_map,
    } = joined;
    Ok(Read {
        sources: Sources {
            tree,
            history,
            code,
            project,
            documents,
            references,
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

/// What follows from files alone, once they are parsed.
struct Joined {
    code: Code,
    project: Project,
    documents: Documents,
    references: References,
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
    let documents = notes.guarded("documents", || Documents::read(tree));
    let references = notes.guarded("references", || {
        References::read(tree, &code, &project, &documents)
    });
    let api_map = notes.guarded("api_map", || {
        ApiMap::build(&code, &project, &request.catalog, tree)
    });
    notes.unread("api_map", &api_map.unread);
    Joined {
        code,
        project,
        documents,
        references,
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

fn history(request: &Request, location: &Location) -> History {
    let cache = cache_path(request, location, "history");
    let commit = match source(request, location) {
        Ok(Source::Commit(commit)) => Some(commit),
        Ok(Source::WorkTree) | Err(_) => None,
    };
    let options = Options {
        cache: cache.as_deref(),
        commit,
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
fn leaks(request: &Request, location: Option<&Location>, tree: &Tree, history: &History) -> Leaks {
    let is_asked = rules::rules()
        .any(|rule| rule.about().area == Area::Safety && request.selection.holds(rule.about()));
    match location {
        _ if !is_asked => Leaks::default(),
        Some(location) => {
            let cache = cache_path(request, location, "clean");
            Leaks::read(&request.git, location, tree, history, cache.as_deref())
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
fn parse(request: &Request, location: Option<&Location>, tree: &Tree) -> (Reading, Vec<Kept>) {
    let folder = location.and_then(|location| cache_path(request, location, "python"));
    let cache = folder.map_or_else(Cache::none, |folder| Cache::open(&folder, &cache_version()));
    let rules: Vec<_> = rules::python_rules().collect();
    let reading = python::read(tree, &cache, |file| {
        request.progress.step();
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
