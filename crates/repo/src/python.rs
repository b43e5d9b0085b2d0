//! What the Python code of a repository says: parsed once per file, then joined over all files.
//!
//! Two levels. A [`SourceFile`] is one parsed file with its syntax tree, seen by rules while it is
//! parsed and dropped after (5,000 trees would not fit into the memory bound). A [`Module`] is the small
//! summary that stays: imports, definitions with signatures, calls, literals that name things. The
//! crates of the parser are seen by this room only; others name them through [`ast`].
//! Nothing is executed, nothing is imported. Start reading at [`Module`], then [`Code`].

mod bind;
mod body_hash;
mod cache;
mod calls;
mod code;
mod define;
mod depth;
mod dotted;
mod entries;
mod environment;
mod format_text;
mod guards;
mod lines;
mod lookup;
mod module;
mod names;
mod outline;
mod path_edits;
mod python2;
mod read;
mod resolve;
mod role;
mod roots;
mod scopes;
mod signature;
mod source;
mod standard;
pub mod syntax;
mod traces;
mod values;

pub use cache::Cache;
pub use calls::{CallSite, Target};
pub use code::Code;
pub use define::{Definition, Found};
pub use entries::{Entry, EntryKind};
pub use module::{
    Argument, Assignment, Binding, Bound, Call, Class, EditFolder, Function, Import, Module, Name,
    Parameter, ParameterKind, PathEdit, ScopeId, Shadow, SyntaxError, Text, TextRole, Unbound,
    Value,
};
pub use read::{Reading, read};
pub use resolve::Resolution;
pub use ruff_python_ast as ast;
pub use ruff_text_size as text_size;
pub use source::SourceFile;
pub use standard::{StandardModule, Version, standard_module};
pub use traces::{Trace, Traces};
