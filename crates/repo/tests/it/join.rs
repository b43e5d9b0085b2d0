//! Modules joined over a tree, from source text.

use std::path::Path;
use std::sync::Arc;

use tradewind_repo::python::{Code, Definition, EntryKind, Resolution, SourceFile, Target};
use tradewind_repo::tree::Tree;

fn code(files: &[(&str, &str)]) -> Code {
    let tree = Tree::of(files.iter().map(|(path, text)| (*path, *text)));
    let modules = files
        .iter()
        .filter(|(path, _)| Path::new(path).extension().is_some_and(|it| it == "py"))
        .map(|(path, text)| Arc::clone(&SourceFile::parse(*path, *text).module))
        .collect();
    Code::join(modules, &tree)
}

fn resolved(code: &Code, path: &str) -> Vec<String> {
    code.imports_of(path)
        .map(|(_, resolution)| match resolution {
            Resolution::File { path, name: None } => path.to_string(),
            Resolution::File {
                path,
                name: Some(name),
            } => format!("{path}:{name}"),
            Resolution::Folder { path } => format!("{path}/"),
            Resolution::Standard(module) => format!("standard {}", module.name),
            Resolution::Outside { package } => format!("outside {package}"),
            Resolution::Missing { module, .. } => format!("missing {module}"),
            Resolution::Undecided { .. } => "undecided".to_owned(),
        })
        .collect()
}

#[test]
fn imports_lead_to_files_folders_pythons_library_and_outside() {
    let code = code(&[
        ("bot/__init__.py", ""),
        (
            "bot/cli.py",
            "import os.path\nimport requests\nfrom bot import data\nfrom bot.data import load\nfrom . import data as d\nfrom .gone import x\nfrom bot import nope\nimport bot.main\nimport calendar\n",
        ),
        ("bot/data.py", "def load(): pass\n"),
        ("bot/calendar.py", ""),
        ("plain/a.py", "from plain.b import c\nfrom plain import b\n"),
        ("plain/b.py", "c = 1\n"),
        (
            "scripts/run.py",
            "import sys, os\nsys.path.insert(0, os.path.dirname(os.path.dirname(__file__)) + '/vendored')\nimport helper\nimport inner\n",
        ),
        ("scripts/helper.py", ""),
        ("vendored/inner.py", ""),
    ]);
    assert_eq!(
        resolved(&code, "bot/cli.py"),
        [
            "standard os",
            "outside requests",
            "bot/data.py",
            "bot/data.py:load",
            "bot/data.py",
            "missing bot.gone",
            "bot/__init__.py:nope",
            "missing bot.main",
            "standard calendar",
        ]
    );
    assert_eq!(
        resolved(&code, "plain/a.py"),
        ["plain/b.py:c", "plain/b.py"]
    );
    assert_eq!(
        resolved(&code, "scripts/run.py")[2..],
        ["scripts/helper.py", "vendored/inner.py"]
    );
    assert_eq!(code.importers_of("bot/data.py").count(), 3);
}

#[test]
fn names_are_followed_through_re_exports_and_stars() {
    let code = code(&[
        ("a/__init__.py", "from .b import *\nfrom .c import C as D\n"),
        (
            "a/b.py",
            "__all__ = ['f']\ndef f(): pass\ndef hidden(): pass\n",
        ),
        (
            "a/c.py",
            "class Base:\n    def run(self): pass\nclass C(Base): pass\n",
        ),
        ("a/d.py", "from requests import *\n"),
    ]);
    let found = |path: &str, name: &str| match code.find_in(path, name).what {
        Definition::Function(module, at) => {
            format!("{} {}", module.path, module.functions[at].qualified)
        }
        Definition::Class(module, at) => {
            format!("{} {}", module.path, module.classes[at].qualified)
        }
        Definition::Missing(module, name) => format!("{} lacks {name}", module.path),
        other => format!("{other:?}").chars().take(7).collect(),
    };
    assert_eq!(found("a/__init__.py", "f"), "a/b.py f");
    assert_eq!(
        found("a/__init__.py", "hidden"),
        "a/__init__.py lacks hidden"
    );
    assert_eq!(found("a/__init__.py", "D.run"), "a/c.py Base.run");
    assert_eq!(found("a/__init__.py", "D.gone"), "a/c.py lacks gone");
    assert_eq!(found("a/d.py", "get"), "Unknown");
}

#[test]
fn calls_are_followed_to_functions_methods_and_parameters() {
    let code = code(&[
        (
            "n.py",
            "class Notifier:\n    def __init__(self, url): pass\n    def send(self, text): pass\n",
        ),
        (
            "run.py",
            "from n import Notifier\ndef trade(s, notifier):\n    notifier.send('x', level=1)\ndef loop():\n    notifier = Notifier('u')\n    [trade(s, notifier) for s in 'ab']\ndef other(trade):\n    trade()\nif __name__ == '__main__':\n    loop()\n",
        ),
    ]);
    let senders = code.callers_of("n.py", "Notifier.send");
    assert_eq!(senders.len(), 1);
    assert!(senders[0].is_bound && senders[0].is_sole);
    assert_eq!(senders[0].call.line, 3);
    assert_eq!(code.callers_of("run.py", "trade").len(), 1);
    assert!(matches!(
        code.callers_of("n.py", "Notifier")[0].target,
        Target::Class(..)
    ));
    let send = code
        .module("n.py")
        .unwrap()
        .functions
        .iter()
        .position(|f| &*f.name == "send")
        .unwrap();
    let send = u32::try_from(send).unwrap();
    assert!(code.is_reached("n.py", send));
    let entries = code.entries_to("n.py", Some(send));
    assert_eq!(entries.len(), 1);
    assert_eq!(
        (entries[0].kind, &*entries[0].name),
        (EntryKind::Script, "run.py")
    );
}

#[test]
fn starts_of_every_kind_are_found() {
    let code = code(&[(
        "app.py",
        "from flask import Flask\nimport schedule, threading, tkinter\napp = Flask(__name__)\n@app.route('/bars')\ndef bars(): pass\ndef job(): pass\nschedule.every(5).minutes.do(job)\nclass W:\n    def build(self):\n        tkinter.Button(command=self.click)\n    def click(self): pass\ndef work(): pass\nthreading.Thread(target=work).start()\n",
    )]);
    let mut found: Vec<_> = code
        .entries()
        .iter()
        .map(|e| (e.kind, e.name.to_string()))
        .collect();
    found.sort();
    assert_eq!(
        found,
        [
            (EntryKind::Script, "app.py".to_owned()),
            (EntryKind::Route, "/bars".to_owned()),
            (EntryKind::Schedule, "job".to_owned()),
            (EntryKind::Window, "W.click".to_owned()),
            (EntryKind::Thread, "work".to_owned()),
        ]
    );
}
