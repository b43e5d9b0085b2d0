//! The guard: what a commit would break or give away, said before it is made.
//!
//! Why: in a hurry core files are deleted, whole environments are added, keys are committed. Core files are found,
//! not listed: a path that goes is stopped only when something that led to it still stands in the commit's own tree
//! and leads nowhere any more. What was broken before is no news.
//!
//! When it acts: on the changes of one commit. A commit that deletes, moves and empties nothing and adds nothing
//! suspicious costs one look at each new content; only then is the tree read. When it recovers: a stop is gone as
//! soon as the commit no longer does it, or an exception was granted ([`Judgement::except`]). On first start it
//! knows nothing and needs nothing: the tree before the commit is its baseline.
//! Not here: where contents come from (the caller's [`Contents`]), asking the user, undoing anything.
//! Start reading at [`judge`].

mod added;
pub mod config;
mod dangling;
pub mod exceptions;
mod gone;
mod ignores;
mod mass;
#[cfg(test)]
mod memory;
mod message;
pub mod replay;
pub mod source;
pub mod words;

use std::borrow::Cow;

use serde::Serialize;
use tradewind_repo::{Oid, RepoError};

use crate::staged::{Change, Entry};

pub use config::{GuardSection, Policy};
pub use message::is_a_claim;

/// Paths of evidence kept for one stop; the rest is counted.
pub const MAX_EVIDENCE: usize = 12;

/// One path of a tree, with what it is.
pub type Listed = (Box<[u8]>, Entry);

/// One content.
#[derive(Clone, Copy, Debug)]
pub struct Blob<'b> {
    /// Its name.
    pub id: Oid,
    /// Its length.
    pub size: u64,
    /// Its bytes; none where there are more than asked for.
    pub bytes: Option<&'b [u8]>,
}

/// The contents that a judgement may ask for. Called with as many names at once as possible, and for the whole tree
/// only when something suspicious was found.
pub trait Contents {
    /// Lists every path of the tree that the commit would make, in any sequence.
    ///
    /// # Errors
    /// [`RepoError`] when it cannot be read.
    fn tree(&self) -> Result<Vec<Listed>, RepoError>;

    /// Hands on each content with its length, in any sequence; the bytes only where there are at most `max_bytes` of
    /// them. What is no blob or is not there is passed over.
    ///
    /// # Errors
    /// [`RepoError`] when nothing can be read.
    fn blobs(
        &self,
        ids: &[Oid],
        max_bytes: u64,
        each: &mut dyn FnMut(Blob<'_>),
    ) -> Result<(), RepoError>;
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Question<'q> {
    /// What the commit changes.
    pub changes: &'q [Change],
    /// What the user wants.
    pub policy: &'q Policy,
    /// The message, where it is known already.
    pub message: Option<&'q str>,
}

/// Why something is stopped or told. The names are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A large part of the program goes at once.
    MassDeletion,
    /// A file goes or is emptied that the user protects.
    ProtectedPath,
    /// A file goes that something in the commit's own tree refers to.
    DanglingReference,
    /// An environment, a package store, a cache or build output is added.
    GeneratedTree,
    /// A large file is added.
    LargeFile,
    /// A line is added that gives away a credential.
    Secret,
    /// A file is added with the marks of an unfinished merge.
    ConflictMarker,
    /// A line of an ignore file hides a package that code imports.
    HidingIgnore,
    /// The message says something else than the commit does.
    MessageContradiction,
}

impl Kind {
    /// Returns the stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DanglingReference => "dangling-reference",
            Self::ProtectedPath => "protected-path",
            Self::MassDeletion => "mass-deletion",
            Self::GeneratedTree => "generated-tree",
            Self::LargeFile => "large-file",
            Self::Secret => "secret",
            Self::ConflictMarker => "conflict-marker",
            Self::HidingIgnore => "hiding-ignore",
            Self::MessageContradiction => "message-contradiction",
        }
    }

    /// Says whether the commit is stopped; otherwise it is only told.
    pub fn stops(self) -> bool {
        self != Self::MessageContradiction
    }
}

/// How a place refers to what goes, or what stands there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// Code imports it.
    Imports,
    /// A CI job runs, tests or reads it.
    Job,
    /// A container image copies it.
    Copies,
    /// A container, service, script or schedule starts or reads it.
    Starts,
    /// Packaging or test settings name it.
    Packaging,
    /// A README links to it.
    Links,
    /// A README tells to type a command that needs it.
    Command,
    /// The line itself is what is wrong.
    Here,
}

impl How {
    /// Says it as a verb, for a sentence that begins with the place.
    pub fn verb(self) -> &'static str {
        match self {
            Self::Imports => "imports it",
            Self::Job => "uses it in a CI job",
            Self::Copies => "copies it into an image",
            Self::Starts => "starts or reads it",
            Self::Packaging => "names it for packaging or tests",
            Self::Links => "links to it",
            Self::Command => "tells to type a command that needs it",
            Self::Here => "stands here",
        }
    }
}

/// One place that proves a stop.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Evidence {
    /// The file, with `/`.
    pub path: String,
    /// Its line, the first is 1; none where the file as a whole is meant.
    pub line: Option<u32>,
    /// How it refers.
    pub how: How,
    /// What stands there, in our words or cut from the line; never a credential.
    pub note: String,
}

/// One reason not to commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stop {
    /// What kind.
    pub kind: Kind,
    /// The path that goes or comes; for many the folder above them, for the whole commit empty.
    pub path: String,
    /// One sentence: what, in the present tense, with a full stop.
    pub what: String,
    /// Why, place by place, at most [`MAX_EVIDENCE`].
    pub evidence: Vec<Evidence>,
    /// Places beyond the bound.
    pub more: usize,
    /// Commands to go on, with what each does, the best first.
    pub next: Vec<Next>,
}

/// One command to go on with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Next {
    /// What it does, in a few words.
    pub does: String,
    /// The command, ready to be typed in the repository's root.
    pub command: String,
}

/// What the guard says of one commit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Judgement {
    /// Reasons to stop it.
    pub stops: Vec<Stop>,
    /// What is only told.
    pub warnings: Vec<Stop>,
    /// What was to be looked at and could not be.
    pub not_checked: Vec<String>,
    /// Whether the whole tree had to be read.
    pub has_read_tree: bool,
}

impl Judgement {
    fn tell(&mut self, stop: Stop) {
        if stop.kind.stops() {
            self.stops.push(stop);
        } else {
            self.warnings.push(stop);
        }
    }

    /// Takes out the stops that `is_excepted` says yes to, and returns them.
    pub fn except(&mut self, is_excepted: impl Fn(&Stop) -> bool) -> Vec<Stop> {
        let (taken, left) = self.stops.drain(..).partition(is_excepted);
        self.stops = left;
        taken
    }
}

/// Judges one commit. The same changes, policy and contents give the same answer.
///
/// # Errors
/// [`RepoError`] when contents cannot be read; then nothing was judged.
pub fn judge(question: &Question<'_>, contents: &dyn Contents) -> Result<Judgement, RepoError> {
    let mut judgement = Judgement::default();
    let look = added::look(question, contents, &mut judgement)?;
    let gone = gone::of(question, &look);
    gone::protected(question, &gone, &mut judgement);
    let ignores = ignores::changed(question);
    if !gone.is_empty() || !ignores.is_empty() {
        judgement.has_read_tree = true;
        let tree = contents.tree()?;
        dangling::tell(question, contents, &tree, &gone, &mut judgement)?;
        mass::tell(question, &tree, &gone, &mut judgement);
        ignores::tell(question, contents, tree, &ignores, &mut judgement)?;
    }
    if let Some(message) = question.message {
        message::tell(question, message, &gone, &mut judgement);
    }
    judgement
        .stops
        .sort_by(|a, b| (a.kind, &a.path).cmp(&(b.kind, &b.path)));
    Ok(judgement)
}

/// Returns a path as text; bytes that are no UTF-8 are replaced.
fn text(path: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(path)
}

/// Says whether a path ends in `.py`, as Python itself looks for it: capitals count.
fn is_python(path: &str) -> bool {
    path.rsplit_once('.').is_some_and(|(_, end)| end == "py")
}

/// Quotes a path for a shell; plain ones stay as they are. Control characters, which no shell line shows as they are,
/// become `?`.
pub(crate) fn shell(path: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_./-+=@%:,".contains(c);
    let path: String = path
        .chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .collect();
    if !path.is_empty() && path.chars().all(is_plain) {
        path
    } else {
        format!("'{}'", path.replace('\'', "'\\''"))
    }
}
