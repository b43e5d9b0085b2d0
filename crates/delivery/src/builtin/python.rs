//! Checks that read Python: `check-ast`, `check-builtin-literals`, `debug-statements`.
//!
//! The parser is that of room `repo`, which reads the newest Python; the scripts read what the Python reads that
//! runs them. Not here: checks of tokens (`python_tokens`).

use std::borrow::Cow;

use tradewind_repo::python::ast::visitor::{Visitor, walk_expr, walk_stmt};
use tradewind_repo::python::ast::{Expr, ModModule, Stmt};
use tradewind_repo::python::syntax;
use tradewind_repo::python::text_size::{Ranged, TextSize};

use super::args::{ArgError, Options};
use super::{About, Check, File, FileCheck, PLAIN, Surroundings, Verdict};

const NEWEST: &str = "the newest Python is read, whichever one is installed; brackets deeper than 200, indentation deeper than 100 and more than 1,000 operators in one expression are refused";
const ENCODINGS: &str = "bytes that are no UTF-8 are told in comments too, as Python does when it runs the file; a file in another encoding than UTF-8 is read byte by byte as Latin-1, whichever encoding it names";

pub(super) const AST: About = About {
    id: "check-ast",
    name: "check python ast",
    what: "Stops files that are no Python.",
    types: &["python"],
    differs: &[NEWEST, ENCODINGS],
    make: |args| {
        Options::NONE.parse(args)?;
        Ok(Check::files(Ast))
    },
    ..PLAIN
};

pub(super) const LITERALS: About = About {
    id: "check-builtin-literals",
    name: "check builtin type constructor use",
    what: "Asks for `[]` instead of `list()`, and so on.",
    types: &["python"],
    arguments: &[
        ("--ignore=TYPE[,TYPE]", "leaves these types alone"),
        (
            "--no-allow-dict-kwargs",
            "asks for `{…}` instead of `dict(a=1)` too",
        ),
        ("--allow-dict-kwargs", "the default"),
    ],
    differs: &[NEWEST, ENCODINGS],
    make: literals,
    ..PLAIN
};

pub(super) const DEBUG: About = About {
    id: "debug-statements",
    name: "debug statements (python)",
    what: "Stops imports of debuggers and calls of `breakpoint()`.",
    types: &["python"],
    differs: &[NEWEST, ENCODINGS],
    make: |args| {
        Options::NONE.parse(args)?;
        Ok(Check::files(Debug))
    },
    ..PLAIN
};

/// Reads the bytes of a Python file as text, byte-order mark taken off; `None` where Python would not.
pub(super) fn text(bytes: &[u8]) -> Option<Cow<'_, str>> {
    if memchr::memchr(0, bytes).is_some() {
        return None;
    }
    let (marked, bytes) = match bytes.strip_prefix(b"\xef\xbb\xbf") {
        Some(rest) => (true, rest),
        None => (false, bytes),
    };
    let named = coding(bytes);
    let is_utf8 = named.is_none_or(|name| {
        let name = name.to_ascii_lowercase();
        let name = String::from_utf8_lossy(&name).replace('_', "-");
        matches!(name.as_str(), "utf-8" | "utf8" | "u8" | "utf") || name.starts_with("utf-8-")
    });
    match std::str::from_utf8(bytes) {
        Ok(text) if is_utf8 || !marked => Some(Cow::Borrowed(text)),
        _ if is_utf8 || marked => None,
        _ => Some(Cow::Owned(
            bytes.iter().map(|byte| char::from(*byte)).collect(),
        )),
    }
}

/// The encoding that the first two lines name, as PEP 263 has it.
fn coding(bytes: &[u8]) -> Option<&[u8]> {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    for _ in 0..2 {
        let line = lines.next()?.trim_ascii_start();
        if line.is_empty() || line == b"\r" {
            continue;
        }
        let comment = line.strip_prefix(b"#")?;
        for at in memchr::memmem::find_iter(comment, "coding") {
            let rest = comment.get(at + b"coding".len()..).unwrap_or_default();
            if let [b':' | b'=', rest @ ..] = rest {
                let rest = rest.trim_ascii_start();
                let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
                let end = rest
                    .iter()
                    .position(|byte| !is_name(byte))
                    .unwrap_or(rest.len());
                if end > 0 {
                    return rest.get(..end);
                }
            }
        }
    }
    None
}

fn parse(file: &File<'_>) -> Result<(ModModule, String), Verdict> {
    let path = file.shown();
    let Some(text) = text(file.bytes) else {
        return Err(Verdict::broken(format!(
            "{path}: null bytes, or not the encoding that it says"
        )));
    };
    match syntax::parse(&text) {
        Ok(tree) => Ok((tree, text.into_owned())),
        Err(error) => Err(Verdict::broken(format!(
            "{path}:{}: {}",
            error.line, error.message
        ))),
    }
}

/// Line from 1 and column from 0, in bytes, as Python counts them.
fn place(text: &str, at: TextSize) -> (usize, usize) {
    let before = text.as_bytes().get(..at.to_usize()).unwrap_or_default();
    let start = memchr::memrchr2(b'\n', b'\r', before).map_or(0, |end| end + 1);
    let ends = |bytes: &[u8]| {
        let pairs = memchr::memmem::find_iter(bytes, b"\r\n").count();
        memchr::memchr2_iter(b'\n', b'\r', bytes).count() - pairs
    };
    (ends(before) + 1, before.len() - start)
}

struct Ast;

impl FileCheck for Ast {
    fn check(&self, file: &File<'_>, _around: &dyn Surroundings) -> Verdict {
        match parse(file) {
            Ok(_) => Verdict::clean(),
            Err(verdict) => verdict,
        }
    }
}

/// Constructors, and what to write instead.
const TYPES: [(&str, &str); 7] = [
    ("complex", "0j"),
    ("dict", "{}"),
    ("float", "0.0"),
    ("int", "0"),
    ("list", "[]"),
    ("str", "''"),
    ("tuple", "()"),
];

struct Literals {
    ignored: Vec<String>,
    allows_dict_kwargs: bool,
}

fn literals(args: &[String]) -> Result<Check, ArgError> {
    const OPTIONS: Options = Options {
        flags: &[&["--allow-dict-kwargs"], &["--no-allow-dict-kwargs"]],
        values: &[&["--ignore"]],
    };
    let parsed = OPTIONS.parse(args)?;
    parsed.at_most_one_of(&["--allow-dict-kwargs", "--no-allow-dict-kwargs"])?;
    let ignored = parsed.last("--ignore").unwrap_or_default();
    Ok(Check::files(Literals {
        ignored: ignored.split(',').map(str::to_owned).collect(),
        allows_dict_kwargs: !parsed.has("--no-allow-dict-kwargs"),
    }))
}

struct Calls<'a> {
    check: &'a Literals,
    found: Vec<(TextSize, &'static str, &'static str)>,
}

impl<'a> Visitor<'a> for Calls<'_> {
    fn visit_expr(&mut self, expr: &'a Expr) {
        let Expr::Call(call) = expr else {
            walk_expr(self, expr);
            return;
        };
        // What is inside a call is not looked at, as in the script.
        let Expr::Name(name) = call.func.as_ref() else {
            return;
        };
        let ignored = &self.check.ignored;
        let known = TYPES.iter().find(|(known, _)| *known == name.id.as_str());
        let Some((known, instead)) = known.filter(|(known, _)| !ignored.iter().any(|i| i == known))
        else {
            return;
        };
        let has_kwargs = *known == "dict"
            && self.check.allows_dict_kwargs
            && !call.arguments.keywords.is_empty();
        if !has_kwargs && call.arguments.args.is_empty() {
            self.found.push((call.start(), known, instead));
        }
    }
}

impl FileCheck for Literals {
    fn check(&self, file: &File<'_>, _around: &dyn Surroundings) -> Verdict {
        let (tree, text) = match parse(file) {
            Ok(parsed) => parsed,
            Err(verdict) => return verdict,
        };
        let mut calls = Calls {
            check: self,
            found: Vec::new(),
        };
        calls.visit_body(&tree.body);
        let path = file.shown();
        let line = |(at, name, instead): (TextSize, &str, &str)| {
            let (line, column) = place(&text, at);
            format!("{path}:{line}:{column}: replace {name}() with {instead}")
        };
        Verdict::all_broken(calls.found.into_iter().map(line).collect())
    }
}

const DEBUGGERS: [&str; 10] = [
    "bpdb",
    "ipdb",
    "pdb",
    "pdbr",
    "pudb",
    "pydevd_pycharm",
    "q",
    "rdb",
    "rpdb",
    "wdb",
];

struct Debug;

#[derive(Default)]
struct Breakpoints(Vec<(TextSize, String, &'static str)>);

impl<'a> Visitor<'a> for Breakpoints {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::Import(import) => {
                for alias in &import.names {
                    let name = alias.name.as_str();
                    if DEBUGGERS.contains(&name) {
                        self.0.push((import.start(), name.to_owned(), "imported"));
                    }
                }
            }
            Stmt::ImportFrom(import) => {
                let name = import.module.as_ref().map_or("", |module| module.as_str());
                if DEBUGGERS.contains(&name) {
                    self.0.push((import.start(), name.to_owned(), "imported"));
                }
            }
            _ => walk_stmt(self, statement),
        }
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        if let Expr::Call(call) = expr
            && let Expr::Name(name) = call.func.as_ref()
            && name.id.as_str() == "breakpoint"
        {
            self.0
                .push((call.start(), "breakpoint".to_owned(), "called"));
        }
        walk_expr(self, expr);
    }
}

impl FileCheck for Debug {
    fn check(&self, file: &File<'_>, _around: &dyn Surroundings) -> Verdict {
        let (tree, text) = match parse(file) {
            Ok(parsed) => parsed,
            Err(verdict) => return verdict,
        };
        let mut found = Breakpoints::default();
        found.visit_body(&tree.body);
        let path = file.shown();
        let line = |(at, name, how): (TextSize, String, &str)| {
            let (line, column) = place(&text, at);
            format!("{path}:{line}:{column}: {name} {how}")
        };
        Verdict::all_broken(found.0.into_iter().map(line).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::on;

    fn lines(id: &str, args: &[&str], text: &str) -> Vec<String> {
        on(id, args, "a.py", text.as_bytes()).lines
    }

    #[test]
    fn python_is_told_from_what_is_none() {
        assert!(lines("check-ast", &[], "a = 1\n").is_empty());
        assert!(lines("check-ast", &[], "a = \n")[0].starts_with("a.py:1: "));
        assert!(
            on("check-ast", &[], "a", b"# coding: latin-1\nx = '\xe9'\n")
                .lines
                .is_empty()
        );
        assert_eq!(on("check-ast", &[], "a", b"x = '\xe9'\n").lines.len(), 1);
        assert!(
            on("check-ast", &[], "a", b"\xef\xbb\xbfx = 1\r\n")
                .lines
                .is_empty()
        );
        assert_eq!(on("check-ast", &[], "a", b"x = 1\0").lines.len(), 1);
    }

    #[test]
    fn constructors_have_literals() {
        let of = |args: &[&str], text: &str| lines("check-builtin-literals", args, text);
        assert_eq!(
            of(&[], "x = 1\ny = list()\n"),
            ["a.py:2:4: replace list() with []"]
        );
        assert!(of(&[], "dict(a=1); list(x); b.int(); f(list())\n").is_empty());
        assert_eq!(of(&["--no-allow-dict-kwargs"], "dict(a=1)\n").len(), 1);
        assert!(of(&["--ignore=list,int"], "list(); int()\n").is_empty());
    }

    #[test]
    fn debuggers_are_seen() {
        let of = |text: &str| lines("debug-statements", &[], text);
        assert_eq!(
            of("def f():\n    import pdb, os\nx(breakpoint())\nfrom ipdb import y\n"),
            [
                "a.py:2:4: pdb imported",
                "a.py:3:2: breakpoint called",
                "a.py:4:0: ipdb imported"
            ]
        );
        assert!(of("import pdb.x\nfrom . import pdb\nbreakpoint\n").is_empty());
        assert_eq!(of("x = (\n").len(), 1);
    }
}
