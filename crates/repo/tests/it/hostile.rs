//! Files that nobody would write: every reader of code ends, says what it could not read, and keeps its lines.

use proptest::prelude::*;
use tradewind_repo::outlines::{Notebook, imports};
use tradewind_repo::python::{Cache, Module, SourceFile, read};
use tradewind_repo::tree::Tree;

/// Says whether every line of a summary is one of the file's.
fn in_range(module: &Module) -> Result<(), String> {
    let last = module.lines.max(1) + 1;
    let lines = (module.errors.iter().map(|it| ("error", it.line)))
        .chain(module.imports.iter().map(|it| ("import", it.line)))
        .chain(module.functions.iter().map(|it| ("function", it.line)))
        .chain(module.functions.iter().map(|it| ("end", it.end_line)))
        .chain(module.classes.iter().map(|it| ("class", it.line)))
        .chain(module.assignments.iter().map(|it| ("assignment", it.line)))
        .chain(module.calls.iter().map(|it| ("call", it.line)))
        .chain(module.texts.iter().map(|it| ("text", it.line)))
        .chain(module.names.iter().map(|it| ("name", it.line)))
        .chain(module.bound.iter().map(|it| ("bound", it.line)))
        .chain(module.header.iter().map(|it| ("header", it.0)));
    for (what, line) in lines {
        if line == 0 || line > last {
            return Err(format!("{what} in line {line} of {last}"));
        }
    }
    for scope in module.calls.iter().filter_map(|call| call.scope) {
        if scope as usize >= module.functions.len() {
            return Err(format!("scope {scope}"));
        }
    }
    Ok(())
}

/// Pieces that parsers stumble over when they come in any sequence.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "def f(a, b=1, *c, **d):",
        "class C(B):",
        "\n",
        "\n    ",
        "\n\t",
        "\r\n",
        "\r",
        "\x0c",
        "import a.b as c",
        "from . import",
        "from ..x import *",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "f'{",
        "'",
        "\"\"\"",
        "lambda x:",
        "yield",
        "await ",
        "async ",
        "match x:",
        "case [a, *b]:",
        "x := ",
        "=",
        "==",
        ".",
        ",",
        "@",
        "a",
        "os.environ['K']",
        "try:",
        "except ImportError:",
        "if x:",
        "else:",
        "for i in",
        "with a as b:",
        "print 'x'",
        "\\",
        "#",
        "é",
        "\u{feff}",
        "\u{0}",
        "0777",
        "%",
        "'%s' % (a,)",
        "'{}'.format(b)",
        "->",
        ":",
        ";",
        "global g",
        "import x from 'y'",
        "/*",
        "*/",
        "//",
        "`",
        "${",
        "require(\"z\")",
        "use a::{b,",
        "mod m;",
        "r#\"",
        "not ",
        "-",
    ]);
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_text_is_read(text in prop_oneof![pieces(), any::<String>()]) {
        let file = SourceFile::parse("x.py", text.clone());
        prop_assert_eq!(in_range(&file.module), Ok(()));
        for line in 0..file.module.lines + 2 {
            let _ = file.quote(line);
        }
        for path in ["x.ts", "x.rs"] {
            let last = u32::try_from(text.matches('\n').count()).unwrap() + 1;
            for found in imports(path, &text) {
                prop_assert!((1..=last).contains(&found.line));
            }
        }
        let cell = serde_json::json!({"cells": [{"cell_type": "code", "source": text}]});
        let notebook = Notebook::read("x.ipynb", &cell.to_string()).unwrap();
        prop_assert_eq!(in_range(&notebook.source.module), Ok(()));
    }

    #[test]
    fn the_summary_survives_the_cache(text in pieces()) {
        let folder = tempfile::tempdir().unwrap();
        let tree = Tree::of([("x.py", text)]);
        let open = || Cache::open(folder.path(), "v");
        let cache = open();
        let cold = read(&tree, &cache, |_| b"kept".to_vec());
        cache.finish();
        let warm = read(&tree, &open(), |_| Vec::new());
        prop_assert_eq!(cold.modules, warm.modules);
        if !cold.kept.is_empty() {
            prop_assert_eq!((cold.parsed, warm.parsed), (1, 0));
            prop_assert_eq!(&warm.kept[0][..], &b"kept"[..]);
        }
    }
}

#[test]
fn deep_files_are_refused_in_words() {
    for deep in [
        "x = ".to_owned() + &"(".repeat(10_000) + &")".repeat(10_000),
        "x = ".to_owned() + &"[".repeat(10_000),
        "x = ".to_owned() + &"not ".repeat(100_000) + "1",
        "x = ".to_owned() + &"a.".repeat(100_000) + "b",
        "x = ".to_owned() + &"'a' + ".repeat(100_000) + "b",
        "x = ".to_owned() + &"lambda a, b: ".repeat(50_000) + "b",
        (0..400).fold(String::new(), |text, depth| {
            text + &" ".repeat(depth) + "if x:\n"
        }),
    ] {
        let file = SourceFile::parse("deep.py", deep);
        let error = &file.module.errors[0];
        assert!(
            error.message.contains("nested too deeply"),
            "{}",
            error.message
        );
    }
}

#[test]
fn what_is_just_not_too_deep_is_walked() {
    for deep in [
        "x = ".to_owned() + &"(".repeat(199) + &")".repeat(199),
        "x = ".to_owned() + &"not ".repeat(990) + "f(1)",
        "x = ".to_owned() + &"'a' + ".repeat(990) + "f(1)",
        "x = f(1)".to_owned() + &".a".repeat(990),
    ] {
        // A test has less room than the threads that read a repository.
        let thread = std::thread::Builder::new().stack_size(4 << 20);
        let read =
            thread.spawn(|| assert_eq!(SourceFile::parse("deep.py", deep).module.errors, []));
        read.unwrap().join().unwrap();
    }
}

#[test]
fn odd_layouts_keep_their_lines() {
    let file = SourceFile::parse(
        "x.py",
        "\u{feff}import os\r\nx = 1\r\n\x0c\r\nos.getcwd()\r\n",
    );
    assert_eq!(file.module.calls[0].line, 4);
    assert_eq!(file.quote(4), "os.getcwd()");
    let old = SourceFile::parse(
        "old.py",
        "import os\n\ndef f():\n\tprint \"x\"\n\ttry:\n\t\tf()\n\texcept E, e:\n\t\tpass\n",
    );
    let errors: Vec<_> = old
        .module
        .errors
        .iter()
        .map(|it| (it.line, it.message.as_ref()))
        .collect();
    assert_eq!(
        errors,
        [
            (4, "Python 2: print without brackets"),
            (7, "Python 2: except with a comma instead of as")
        ]
    );
    assert_eq!(old.module.functions[0].end_line, 8);
}

#[test]
fn a_damaged_cache_is_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let tree = Tree::of((0..20).map(|number| {
        (
            format!("x{number}.py"),
            format!("import a\na.b({number})\n"),
        )
    }));
    let run = |version: &str| {
        let cache = Cache::open(folder.path(), version);
        let reading = read(&tree, &cache, |_| vec![7; 100]);
        cache.finish();
        assert_eq!(reading.modules.len(), 20);
        reading.parsed
    };
    assert_eq!((run("1"), run("1"), run("2"), run("2")), (20, 0, 20, 0));
    let path = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|file| file.unwrap().path())
        .find(|path| path.extension().is_some_and(|it| it == "cache"))
        .unwrap();
    let whole = std::fs::read(&path).unwrap();
    for cut in [0, 1, 31, 100, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&path, &whole[..cut]).unwrap();
        run("2");
        assert_eq!(run("2"), 0, "cut at {cut}");
    }
    for place in (0..whole.len()).step_by(61) {
        let mut bytes = whole.clone();
        bytes[place] ^= 0x55;
        std::fs::write(&path, &bytes).unwrap();
        run("2");
    }
    // Two at once: the second reads and does not write.
    let (one, other) = (
        Cache::open(folder.path(), "3"),
        Cache::open(folder.path(), "3"),
    );
    let reading = read(&tree, &other, |_| Vec::new());
    other.finish();
    one.finish();
    assert_eq!((reading.parsed, run("3")), (20, 20));
}
