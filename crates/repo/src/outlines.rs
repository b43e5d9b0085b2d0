//! Lighter outlines of files that are not Python: what JavaScript, TypeScript and Rust files refer to, and
//! the code of notebooks.
//!
//! Why: whether a file is used is asked of every file, not only of Python ones. Only references are found,
//! nothing is resolved or judged. Shell lines are read by [`crate::project`], for all files that hold them.
//! Texts are hostile: one pass, no recursion, bounded results. Start reading at [`imports`].

pub mod notebook;
mod rust;
mod script;

pub use notebook::{Cell, Notebook};

/// Most references of one file.
const MAX_REFERENCES: usize = 5_000;
/// Longest target, in bytes.
const MAX_TARGET: usize = 300;

/// How a file refers to something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refers {
    /// `import x from "y"`, `import "y"`, `export … from "y"`, `use a::b`, `extern crate a`.
    Import,
    /// `import("y")` where it is run.
    Dynamic,
    /// `require("y")`, `require.resolve("y")`.
    Require,
    /// `new URL("y", import.meta.url)`, `include_str!("y")`, `#[path = "y"]`.
    File,
    /// `mod x;`
    Module,
}

/// One reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Line.
    pub line: u32,
    /// How.
    pub how: Refers,
    /// What, as written: `./x.js`, `react`, `crate::a::b`, `x`.
    pub target: Box<str>,
}

/// Returns what a file refers to, by the suffix of its name. Empty for other files.
pub fn imports(path: &str, text: &str) -> Vec<Reference> {
    let suffix = path.rsplit_once('.').map_or("", |(_, suffix)| suffix);
    match suffix {
        "js" | "jsx" | "ts" | "tsx" | "mjs" | "cjs" | "mts" | "cts" | "vue" | "svelte" => {
            script::references(text)
        }
        "rs" => rust::references(text),
        _ => Vec::new(),
    }
}

/// Adds a reference, if it is one that a person would write.
fn add(found: &mut Vec<Reference>, line: u32, how: Refers, target: &str) {
    let is_plain = !target.is_empty() && target.len() <= MAX_TARGET && !target.contains('\n');
    if is_plain && found.len() < MAX_REFERENCES {
        found.push(Reference {
            line,
            how,
            target: target.into(),
        });
    }
}
