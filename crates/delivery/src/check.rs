//! Checks: programs that say whether a tree is good, run as a graph in clean copies of it.
//!
//! Why: a test that passes in a work tree may pass because of a file that nobody has committed. Here each check runs in a
//! private copy of exactly one tree, with the few variables that it declares, bounded in time; nothing that it starts
//! outlives it, and what it leaves behind is gone before the next one.
//!
//! When it stops: a check fails, takes too long or cannot be run; what needs it is not run then. When it recovers: nothing
//! is recorded of a run that was interrupted, so the next one asks again. On first start it needs nothing.
//! Not here: reading the command line, trust (whoever calls has asked for it), events. Start reading at [`run`].

mod config;
mod coverage;
mod detect;
mod error;
mod junit;
mod missing;
mod plan;
mod report;
mod runner;
mod subject;
mod tools;
mod xml;

use std::num::NonZeroUsize;
use std::path::Path;
use std::time::Instant;

use tradewind_repo::Oid;

pub use config::{CheckSection, ChecksSection, Impact, Kind, Mistake};
pub use coverage::Coverage;
pub use detect::{Detected, detect};
pub use error::CheckError;
pub use junit::{FailedTest, Tests};
pub use plan::{Command, Definition, Plan, Planned};
pub use report::{Checked, Observer, Report, Silent, Verdict};
pub use subject::What;

use crate::hook::Cancel;

/// What to run, and on what.
#[derive(Debug)]
pub struct Run<'a> {
    /// Folder in the repository.
    pub dir: &'a Path,
    /// The tree.
    pub what: What,
    /// The checks.
    pub plan: &'a Plan,
    /// How many at once.
    pub at_most: NonZeroUsize,
    /// Folder for copies and results; the user's cache.
    pub cache: &'a Path,
    /// Whether results that are known count.
    pub uses_cache: bool,
    /// Whether every test runs, whatever a change can reach.
    pub is_full: bool,
    /// This program, for checks that run against recorded answers.
    pub program: Option<&'a Path>,
}

/// Returns the tree that a person means who names none: the commit where the work tree is clean, else the work tree.
///
/// # Errors
/// [`CheckError::Copy`].
pub fn usual(dir: &Path) -> Result<What, CheckError> {
    subject::usual(dir)
}

/// Runs checks on a tree.
///
/// # Errors
/// [`CheckError`]; then nothing was judged. A check that fails is no error, see [`Report::is_passed`].
pub fn run(
    run: &Run<'_>,
    cancel: &Cancel,
    observer: &mut dyn Observer,
) -> Result<Report, CheckError> {
    let started = Instant::now();
    let subject = subject::Subject::look(run.dir, run.what)?;
    let mut report = runner::all(run, &subject, cancel, observer)?;
    report.elapsed = started.elapsed();
    Ok(report)
}

/// Runs what a commit has to pass before it is made: lint and unit checks, on exactly its tree.
///
/// `integration` is left out: a commit must not wait for the outside. Without checks the report is empty, and passed.
///
/// # Errors
/// [`CheckError`]; then nothing was judged.
pub fn for_commit(
    dir: &Path,
    tree: Oid,
    definitions: &[Definition],
    cache: &Path,
    cancel: &Cancel,
    observer: &mut dyn Observer,
) -> Result<Report, CheckError> {
    let quick = definitions
        .iter()
        .filter(|definition| definition.kind != Kind::Integration);
    let names: Vec<String> = quick.map(|definition| definition.name.clone()).collect();
    let plan = if names.is_empty() {
        Plan::default()
    } else {
        Plan::new(definitions, &names)?
    };
    let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let asked = Run {
        dir,
        what: What::Tree(tree),
        plan: &plan,
        at_most: cores,
        cache,
        uses_cache: true,
        is_full: false,
        program: None,
    };
    run(&asked, cancel, observer)
}
