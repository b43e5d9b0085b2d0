//! The commit routine: what changed in a work tree, as a row of coherent commits.
//!
//! Why: who commits in a hurry puts a mended bug, a new strategy and yesterday's data into one commit, which nobody can
//! take back in part. Here the changes are grouped by facts: who refers to whom, which test belongs to which code, what is
//! made by programs. Each group is a tree on top of the one before; the last one is the work tree, without what stays out.
//!
//! When it acts: never by itself; [`plan`] only reads, and what git has to compute for it lies in a private folder that is
//! gone afterwards. When it recovers: nothing is kept between two plans. On first start it needs nothing.
//! Not here: whether a commit may be made ([`crate::guard`], [`crate::hook`]), undo (room `engine`), the command line.
//! Start reading at [`plan`], then `joins`.

mod error;
mod joins;
mod message;
mod parts;
mod private;
mod role;
mod sides;
mod tell;

use std::path::Path;

use serde::Serialize;
use tradewind_host::git::Git;
use tradewind_repo::Oid;
use tradewind_repo::checkout::Checkout;

use crate::guard::{Policy, Stop};

pub use error::ChangeError;
pub use message::Message;
pub use private::Store;

/// Paths that are planned together; more is a mistake or another repository's business.
pub const MAX_PATHS: usize = 5_000;

/// What to plan.
pub struct Request<'a> {
    /// Folder in the repository.
    pub dir: &'a Path,
    /// Only what lies at or below these paths, from the root with `/`; everything where it is empty.
    pub paths: &'a [String],
    /// Whether a file of which a part is staged is taken whole.
    pub takes_whole: bool,
    /// What the user wants of the guard.
    pub policy: &'a Policy,
    /// Whether an exception lets a stop pass.
    pub is_excepted: &'a dyn Fn(&Stop) -> bool,
    /// Where new objects go.
    pub store: Store,
}

/// How a path changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// It comes.
    Added,
    /// Its content, or what it is, becomes another.
    Modified,
    /// It goes.
    Deleted,
    /// It goes and comes again elsewhere.
    Renamed,
}

/// What one group does to one path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Part {
    /// The path, with `/`; the new one of a rename.
    pub path: String,
    /// The old path of a rename.
    pub from: Option<String>,
    /// What becomes of it.
    pub how: How,
    /// Lines that come; `None` where no lines are compared.
    pub added: Option<usize>,
    /// Lines that go.
    pub removed: Option<usize>,
    /// Which hunks of how many, where the file is split between groups.
    pub hunks: Option<(usize, usize)>,
}

/// One commit that is proposed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Group {
    /// Its place, the first is 1.
    pub number: usize,
    /// The message that is proposed.
    pub message: Message,
    /// What it does, by path.
    pub parts: Vec<Part>,
    /// Why these belong together, fact by fact; a bounded number.
    pub why: Vec<String>,
    /// The tree of the commit, on top of the groups before.
    #[serde(serialize_with = "as_text")]
    pub tree: Oid,
}

/// Something that stays as it is, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Left {
    /// The path, or a folder.
    pub path: String,
    /// How many paths are meant.
    pub paths: usize,
    /// Why, as one sentence without a full stop.
    pub why: String,
    /// What to do about it: a command, or words.
    pub next: String,
}

/// A row of commits.
#[derive(Debug)]
pub struct Plan {
    /// The commit on which the first one goes; `None` before the first.
    pub base: Option<Oid>,
    /// The tree on which the first one goes.
    pub base_tree: Oid,
    /// The groups, in their sequence.
    pub groups: Vec<Group>,
    /// What stays out.
    pub left: Vec<Left>,
    /// What was not looked at closely, and why.
    pub remarks: Vec<String>,
    /// How many paths changed.
    pub changed: usize,
    /// Keeps the private folder of objects for as long as the trees are named.
    #[expect(dead_code, reason = "held for its end")]
    scratch: private::Private,
}

fn as_text<S: serde::Serializer>(id: &Oid, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(id)
}

/// Groups what differs between the last commit and the work tree. Writes nothing into the repository with
/// [`Store::Private`], and only objects that nothing names with [`Store::Repository`].
///
/// # Errors
/// [`ChangeError`]; nothing was changed.
pub fn plan(request: &Request<'_>) -> Result<Plan, ChangeError> {
    let git = Git::discover()?;
    let checkout = Checkout::find(request.dir, || -> Result<Git, ChangeError> {
        Ok(git.clone())
    })?;
    if checkout.location.is_bare {
        return Err(ChangeError::Bare);
    }
    let scratch = private::Private::new(git, &checkout, request.store)?;
    let sides = sides::look(request, &checkout, &scratch)?;
    let mut remarks = sides.remarks.clone();
    let parts = parts::read(&sides, &scratch, &mut remarks)?;
    let grouped = joins::group(&parts);
    let groups = tell::all(&sides, &parts, grouped, &scratch)?;
    Ok(Plan {
        base: checkout.commit,
        base_tree: sides.base,
        groups,
        changed: sides.changes.len(),
        left: sides.left,
        remarks,
        scratch,
    })
}
