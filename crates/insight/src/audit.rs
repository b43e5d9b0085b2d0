//! One audit: read the repository once, run every rule over it, and say what each found.
//!
//! Rules are strangers to each other: each runs on its own, with its panics caught and its time bounded,
//! so that one mistake in one rule costs one line under *not checked* and not the report. A rule that
//! overruns its bound is left behind on its thread (safe code cannot stop a thread) and another thread takes its
//! place; the facts are shared by counting, so nothing waits for it.
//! Not here: the sequence of the report, suppressions, how it is written. Start reading at [`run`].

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tradewind_catalog::Catalog;
use tradewind_host::git::Git;
use tradewind_repo::{Location, RepoError};

use crate::demote;
use crate::finding::{Area, Finding};
use crate::idle;
use crate::progress::Progress;
use crate::quotes::is_shelved;
use crate::report::Repository;
use crate::rule::{About, Findings, PythonRule, Rule};
use crate::rules;
use crate::sources::{self, Sources};

/// How long one rule may look at one repository.
pub const RULE_TIME_LIMIT: Duration = Duration::from_secs(20);

/// What to audit.
#[derive(Clone, Debug)]
pub struct Request {
    /// Runs git.
    pub git: Git,
    /// A path in the repository: its root, a folder below it, a bare repository.
    pub path: PathBuf,
    /// The commit to look at; `None` for the work tree as it lies (the commit at HEAD where there is none).
    pub commit: Option<String>,
    /// Folder for what parsing found, by blob id; nothing is kept without one.
    pub cache: Option<PathBuf>,
    /// What providers are.
    pub catalog: Arc<Catalog>,
    /// The date that dated tables are read as of.
    pub today: Date,
    /// Which rules run.
    pub selection: Selection,
    /// Bound on one rule.
    pub rule_time_limit: Duration,
    /// Where the audit says how far it is.
    pub progress: Arc<Progress>,
}

impl Request {
    /// Asks for every rule over the work tree at `path`.
    pub fn new(git: Git, path: &Path, today: Date) -> Self {
        Self {
            git,
            path: path.to_owned(),
            commit: None,
            cache: None,
            catalog: Arc::new(Catalog::builtin()),
            today,
            selection: Selection::All,
            rule_time_limit: RULE_TIME_LIMIT,
            progress: Arc::default(),
        }
    }
}

/// Which rules run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Selection {
    /// Every rule.
    #[default]
    All,
    /// Rules whose name or area is listed.
    Only(Vec<String>),
}

impl Selection {
    /// Says whether a rule runs.
    pub fn holds(&self, about: &About) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => names
                .iter()
                .any(|name| name == about.id || name == about.area.as_str()),
        }
    }
}

/// Something that could not be decided.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct NotChecked {
    /// The rule, or `tree`, `history`, `code` for what could not be read at all.
    pub rule: String,
    /// Why.
    pub reason: String,
}

/// What an audit found, in the order of the rules.
#[derive(Debug)]
pub struct Audit {
    /// Which repository.
    pub repository: Repository,
    /// What was read.
    pub sources: Arc<Sources>,
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// What could not be decided.
    pub not_checked: Vec<NotChecked>,
    /// Rules that panicked or overran their time: a bug of ours, also under `not_checked`.
    pub broken: Vec<String>,
    /// Whether some rules were left aside.
    pub is_partial: bool,
    /// How long each reader and each rule took, for benches.
    pub durations: Vec<(String, Duration)>,
}

/// Reads the repository and runs the rules.
///
/// A folder that is in no repository is read as well; what history would say is then not checked.
///
/// # Errors
/// [`RepoError`] when there is no such folder or commit, or nothing of it can be read.
pub fn run(request: &Request) -> Result<Audit, RepoError> {
    let location = Location::find(&request.git, &request.path).ok();
    let read = sources::read(request, location.as_ref())?;
    let mut audit = Audit {
        repository: repository(request, location.as_ref()),
        is_partial: request.selection != Selection::All,
        sources: Arc::new(read.sources),
        findings: read.found,
        not_checked: read.not_checked,
        broken: read.broken,
        durations: read.durations,
    };
    let selected: Vec<_> = rules::rules()
        .filter(|rule| request.selection.holds(rule.about()))
        .collect();
    let sources = Arc::clone(&audit.sources);
    judge(&mut audit, request, &sources, &selected);
    audit.leave_shelved();
    demote::beside_the_program(&mut audit.findings);
    demote::behind_a_broken_import(&mut audit.findings);
    idle::make_remarks(&mut audit.findings, &sources.context());
    Ok(audit)
}

fn repository(request: &Request, location: Option<&Location>) -> Repository {
    let top = location.map_or(request.path.as_path(), |location| location.top.as_path());
    let ask = |args: &[&str]| {
        let answer = request.git.run_blocking(top, args).ok()?;
        let text = String::from_utf8_lossy(&answer).trim().to_owned();
        (!text.is_empty()).then_some(text)
    };
    let commit = format!("{}^{{commit}}", request.commit.as_deref().unwrap_or("HEAD"));
    let name = |path: &Path| {
        let name = path.file_name()?.to_string_lossy();
        Some(name.strip_suffix(".git").unwrap_or(&name).to_owned())
    };
    Repository {
        name: name(top)
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| "repository".to_owned()),
        commit: ask(&["rev-parse", "-q", "--verify", "--end-of-options", &commit]),
        branch: match request.commit {
            Some(_) => None,
            None => ask(&["symbolic-ref", "-q", "--short", "HEAD"]),
        },
        is_work_tree: request.commit.is_none()
            && !location.is_some_and(|location| location.is_bare),
        audited_on: request.today,
    }
}

/// Returns what every rule says about itself, by name.
pub fn abouts() -> Vec<&'static About> {
    let mut abouts: Vec<_> = rules::rules()
        .map(Rule::about)
        .chain(rules::python_rules().map(PythonRule::about))
        .collect();
    abouts.sort_by_key(|about| about.id);
    abouts
}

/// How one rule ended.
struct Verdict {
    at: usize,
    took: Duration,
    findings: Option<Findings>,
}

/// What the threads share.
struct Bench {
    waiting: Mutex<VecDeque<usize>>,
    rules: Vec<&'static dyn Rule>,
    sources: Arc<Sources>,
}

impl Bench {
    fn next(&self) -> Option<usize> {
        self.waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front()
    }
}

/// Said by a thread before and after each rule.
enum Word {
    Began(usize),
    Ended(Verdict),
}

/// Runs the rules on both cores and adds what they found, in their sequence.
fn judge(
    audit: &mut Audit,
    request: &Request,
    sources: &Arc<Sources>,
    selected: &[&'static dyn Rule],
) {
    let time_limit = request.rule_time_limit;
    let stage = request.progress.begin("judging", selected.len());
    let bench = Arc::new(Bench {
        waiting: Mutex::new((0..selected.len()).collect()),
        rules: selected.to_vec(),
        sources: Arc::clone(sources),
    });
    // Room for all that can be said, so that nobody ever waits to say it.
    let (words, heard) = sync_channel(2 * selected.len() + 1);
    let mut running: Vec<(usize, Instant)> = Vec::new();
    let mut verdicts: Vec<Option<Verdict>> = selected.iter().map(|_| None).collect();
    let mut is_late = vec![false; selected.len()];
    for _ in 0..sources::threads() {
        start(&bench, &words);
    }
    let mut open = selected.len();
    while open > 0 {
        match heard.recv_timeout(Duration::from_millis(200)) {
            Ok(Word::Began(at)) => running.push((at, Instant::now())),
            Ok(Word::Ended(verdict)) => {
                stage.step();
                running.retain(|(at, _)| *at != verdict.at);
                let at = verdict.at;
                if !is_late[at] {
                    verdicts[at] = Some(verdict);
                    open -= 1;
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        running.retain(|(at, since)| {
            let is_over = since.elapsed() > time_limit;
            if is_over {
                is_late[*at] = true;
                open -= 1;
                start(&bench, &words);
            }
            !is_over
        });
    }
    for ((rule, verdict), is_late) in selected.iter().zip(verdicts).zip(is_late) {
        let about = rule.about();
        if let Some(verdict) = &verdict {
            audit.durations.push((about.id.to_owned(), verdict.took));
        }
        if let Some(findings) = verdict.and_then(|verdict| verdict.findings) {
            audit.take(about, findings);
        } else {
            let reason = if is_late {
                format!("it took longer than {} s", time_limit.as_secs())
            } else {
                "it panicked; this is a bug in Tradewind".to_owned()
            };
            audit.broken.push(about.id.to_owned());
            audit.not_checked.push(NotChecked {
                rule: about.id.to_owned(),
                reason,
            });
        }
    }
}

/// Starts a thread that takes rules until none waits. When none can be started, the rules run here.
fn start(bench: &Arc<Bench>, words: &SyncSender<Word>) {
    let (there, say) = (Arc::clone(bench), words.clone());
    // Nested code is walked by recursion; the parser bounds the depth, this stack carries it.
    let thread = std::thread::Builder::new()
        .name("audit".to_owned())
        .stack_size(16 * 1024 * 1024)
        .spawn(move || work(&there, &say));
    if thread.is_err() {
        work(bench, words);
    }
}

fn work(bench: &Bench, words: &SyncSender<Word>) {
    while let Some(at) = bench.next() {
        let Some(rule) = bench.rules.get(at) else {
            return;
        };
        let findings = || {
            let mut findings = Findings::new(rule.about());
            rule.check(&bench.sources.context(), &mut findings);
            findings
        };
        if words.send(Word::Began(at)).is_err() {
            return;
        }
        let began = Instant::now();
        let findings = catch_unwind(AssertUnwindSafe(findings)).ok();
        let took = began.elapsed();
        let verdict = Verdict { at, took, findings };
        if words.send(Word::Ended(verdict)).is_err() {
            return;
        }
    }
}

impl Audit {
    /// Leaves out what lies altogether in folders that were put away (`old/`, `archive/`) and that nothing outside
    /// of them imports: nobody would act on it. Secrets, history and CI stay, because they do harm from there too.
    fn leave_shelved(&mut self) {
        let code = &self.sources.code;
        let is_idle = |path: &str| {
            is_shelved(path)
                && code
                    .importers_of(path)
                    .all(|(user, _)| is_shelved(&user.path))
        };
        let mut left: BTreeMap<String, usize> = BTreeMap::new();
        self.findings.retain(|finding| {
            let mut paths = finding
                .evidence
                .iter()
                .filter_map(|each| each.path.as_deref());
            let stays = matches!(finding.area, Area::Safety | Area::Ci | Area::History)
                || paths.clone().next().is_none()
                || !paths.all(is_idle);
            if !stays {
                *left.entry(finding.rule.clone()).or_default() += 1;
            }
            stays
        });
        self.not_checked.extend(left.into_iter().map(|(rule, count)| NotChecked {
            rule,
            reason: format!(
                "{count} findings in folders that were put away (old, archive, …) and that nothing imports"
            ),
        }));
    }

    fn take(&mut self, about: &About, findings: Findings) {
        let (found, not_checked) = findings.into_parts();
        self.findings.extend(found);
        self.not_checked
            .extend(not_checked.into_iter().map(|reason| NotChecked {
                rule: about.id.to_owned(),
                reason,
            }));
    }
}
