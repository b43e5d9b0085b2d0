//! What a commit would change: paths with what they were and what they become.
//!
//! Why a noun of its own: hooks, the guard and the commit routine ask about the same changes, whether they come
//! from the index, from two commits or from a work tree.
//! Not here: contents; who needs bytes asks for the object by its name.

use tradewind_repo::Oid;

/// What a path is to git.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// Ordinary content, `100644`.
    Regular,
    /// Content that may be started, `100755`.
    Executable,
    /// A symbolic link, `120000`; its content is where it leads.
    Link,
    /// A commit of another repository, `160000`.
    Submodule,
}

/// One side of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub mode: Mode,
    /// Name of its content; the commit for a submodule.
    pub id: Oid,
}

/// A path that differs between two trees. A rename is a deletion and an addition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Path from the root, bytes as git has them, with `/`.
    pub path: Box<[u8]>,
    /// What it was; `None` where it is new.
    pub before: Option<Entry>,
    /// What it becomes; `None` where it goes.
    pub after: Option<Entry>,
}
