//! What the summary of a Python file says, on small files.

use tradewind_repo::python::{Binding, Call, Module, SourceFile, TextRole, Value};

fn module(text: &str) -> Module {
    Module::clone(&SourceFile::parse("bot/x.py", text).module)
}

fn call<'m>(module: &'m Module, written: &str) -> &'m Call {
    module
        .calls
        .iter()
        .find(|call| call.written.as_ref() == written)
        .unwrap_or_else(|| panic!("no call {written} in {:#?}", module.calls))
}

fn callees(text: &str) -> Vec<String> {
    let calls = module(text).calls;
    calls.iter().map(|call| call.callee.to_string()).collect()
}

#[test]
fn callees_are_resolved_through_imports_and_objects() {
    let text = r#"
import requests as r
import numpy as np
from alpaca.data import StockClient as Client, stream
from .broker import submit

session = r.Session()

class Fetcher:
    client: Client

    def __init__(self):
        self.session = r.Session()
        self.key: str = ""

    def get(self, other: Client, third: "Client"):
        self.session.get("u")
        self.client.bars()
        other.bars()
        third.bars()
        self.close()
        session.post("u")

def top(session):
    session.get("u")
    submit()
    fetcher = Fetcher()
    fetcher.get(1)
    with r.Session() as s, stream() as t:
        s.put("u").json()
    reply = r.get("u")
    reply.json()
    [client.x() for client in y]
    client = given or Client(1)
    client.y()
"#;
    let module = module(text);
    let found: Vec<(&str, &str)> = module
        .calls
        .iter()
        .map(|call| (call.written.as_ref(), call.callee.as_ref()))
        .collect();
    for expected in [
        ("r.Session", "requests.Session"),
        ("self.session.get", "requests.Session.get"),
        ("self.client.bars", "alpaca.data.StockClient.bars"),
        ("other.bars", "alpaca.data.StockClient.bars"),
        ("third.bars", "alpaca.data.StockClient.bars"),
        ("self.close", "self.close"),
        ("session.post", "requests.Session.post"),
        ("session.get", "session.get"),
        ("submit", ".broker.submit"),
        ("Fetcher", "Fetcher"),
        ("fetcher.get", "Fetcher.get"),
        ("s.put().json", "requests.Session.put.json"),
        ("reply.json", "requests.get.json"),
        ("client.x", "client.x"),
        ("client.y", "alpaca.data.StockClient.y"),
    ] {
        assert!(found.contains(&expected), "{expected:?} in {found:#?}");
    }
}

#[test]
fn what_stands_around_a_call_is_said() {
    let text = r#"
async def f():
    for x in one():
        try:
            reply = await two(x)
        except Exception:
            pass
        try:
            three()
        except Exception:
            raise
    [four() for y in five()]
    z = six().seven()
    with open("p") as handle:
        pass
"#;
    let module = module(text);
    assert!(!call(&module, "one").is_in_loop);
    let two = call(&module, "two");
    assert!(two.is_in_loop && two.is_awaited);
    assert_eq!(two.swallowed_at, Some(6));
    assert_eq!(two.bound.as_deref(), Some("reply"));
    assert_eq!(call(&module, "three").swallowed_at, None);
    assert!(call(&module, "four").is_in_loop);
    assert!(!call(&module, "five").is_in_loop);
    assert_eq!(call(&module, "six().seven").bound.as_deref(), Some("z"));
    assert_eq!(call(&module, "six").bound, None);
    assert_eq!(call(&module, "open").bound.as_deref(), Some("handle"));
    assert!(module.functions[0].is_async && !module.has_top_level_effects);
}

#[test]
fn texts_are_put_together() {
    let text = r#"
BASE = "https://x.invalid"
a = f"{BASE}/v2/{symbol}?k={os.environ['KEY']}"
b = BASE + "/v2/" + str(symbol)
c = "%s/v2/%d" % (BASE, n)
d = "{}/v2/{symbol}".format(BASE, symbol=s.name)
e = a or b
h = {"apikey": os.environ["K2"], "n": -5}
"#;
    let module = module(text);
    let value = |name: &str| {
        let found = module
            .assignments
            .iter()
            .find(|it| it.name.as_ref() == name);
        found.unwrap_or_else(|| panic!("no {name}")).value.clone()
    };
    let parts = |parts: &[(bool, &str)]| {
        Value::Parts(parts.iter().map(|(is, it)| (*is, Box::from(*it))).collect())
    };
    assert_eq!(
        value("a"),
        parts(&[
            (false, "BASE"),
            (true, "/v2/"),
            (false, "symbol"),
            (true, "?k="),
            (false, "os.environ[]")
        ])
    );
    assert_eq!(
        value("b"),
        parts(&[(false, "BASE"), (true, "/v2/"), (false, "symbol")])
    );
    assert_eq!(
        value("c"),
        parts(&[(false, "BASE"), (true, "/v2/"), (false, "n")])
    );
    assert_eq!(
        value("d"),
        parts(&[(false, "BASE"), (true, "/v2/"), (false, "s.name")])
    );
    assert_eq!(
        value("e"),
        Value::Either(vec![Value::Name("a".into()), Value::Name("b".into())])
    );
    assert_eq!(
        value("h"),
        Value::Dict(vec![
            (
                "apikey".into(),
                Value::Item("os.environ".into(), "K2".into())
            ),
            ("n".into(), Value::Number("-5".into()))
        ])
    );
}

#[test]
fn imports_say_where_they_stand() {
    let text = r"
from typing import TYPE_CHECKING
import a.b, c.d as e
try:
    from x import load
except ImportError:
    load = None
if TYPE_CHECKING:
    from .. import y
def f():
    from z import *
    load()
    a.b.c()
    e.g()
";
    let module = module(text);
    let found: Vec<_> = module
        .imports
        .iter()
        .map(|it| {
            let name = it.name.as_deref().unwrap_or("-");
            (
                it.module.as_ref(),
                name,
                it.bound.as_ref(),
                it.is_optional,
                it.is_for_types,
                it.scope,
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            (
                "typing",
                "TYPE_CHECKING",
                "TYPE_CHECKING",
                false,
                false,
                None
            ),
            ("a.b", "-", "a", false, false, None),
            ("c.d", "-", "e", false, false, None),
            ("x", "load", "load", true, false, None),
            ("", "y", "y", false, true, None),
            ("z", "*", "*", false, false, Some(0)),
        ]
    );
    // What `*` brings, `Code` follows.
    assert!(!module.is_dynamic);
    assert_eq!(callees(text), ["x.load", "a.b.c", "c.d.g"]);
}

#[test]
fn a_module_says_what_it_defines() {
    let text = "\
#!/usr/bin/env python
# bot/y.py
'''Doc.

More.'''
import os
for i in range(3): pass
a, b = f()
try:
    import z
except ImportError as error:
    z = None
class C(Base):
    x: int
    def m(self):
        self.p, self.q = g()
        global G
        G = 1
__all__ = ['C']
__all__ += ['a']
if __name__ == '__main__':
    main()
";
    let module = module(text);
    let names: Vec<_> = module
        .assignments
        .iter()
        .map(|it| (it.binding, it.name.as_ref()))
        .collect();
    for expected in [
        (Binding::Module, "i"),
        (Binding::Module, "a"),
        (Binding::Module, "b"),
        (Binding::Module, "z"),
        (Binding::Module, "G"),
        (Binding::Class(0), "x"),
        (Binding::Instance(0), "p"),
        (Binding::Instance(0), "q"),
    ] {
        assert!(names.contains(&expected), "{expected:?} in {names:?}");
    }
    assert_eq!(
        module.exports.as_deref(),
        Some(&["C".into(), "a".into()][..])
    );
    assert_eq!(module.main_guard, Some(21));
    assert_eq!(module.docstring.as_deref(), Some("Doc."));
    assert_eq!(module.header.len(), 2);
    assert_eq!(module.lines, 22);
    assert!(module.has_top_level_effects);
}

#[test]
fn variables_are_found() {
    let text = r#"
import os
from os import environ, getenv as ge
os.environ["A"]
os.environ.get("B", "")
os.getenv("C")
environ["D"]
ge("E")
os.environ["F"] = "1"
"#;
    let module = module(text);
    let of = |role| {
        let texts = module.texts.iter().filter(|text| text.role == role);
        texts.map(|text| text.text.to_string()).collect::<String>()
    };
    assert_eq!(of(TextRole::Variable), "ABCDE");
    assert_eq!(of(TextRole::VariableSet), "F");
}

#[test]
fn variables_come_in_many_ways() {
    let text = r#"
import os, click
from decouple import config
from dotenv import dotenv_values
from pydantic_settings import BaseSettings, SettingsConfigDict
from pydantic import Field
import environ
env = environ.Env(DEBUG=(bool, False))
e = os.environ

def _need(name, default=None):
    value = os.getenv(name, default)
    return value

def _number(key):
    return float(_need(key))

class Reader:
    def _get(self, name):
        return os.environ[name]
    def all(self):
        return self._get("K1"), _need("K2"), _number(key="K3")

config("K4", default="")
dotenv_values(".env")["K5"]
env("K6"); env.str("K7")
e.get("K8")
if "K9" in os.environ: pass
@click.option("--token", envvar="KA")
def main(token): pass

class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="TW_", env_file=".env")
    api_key: str
    url: str = Field("https://x.invalid", validation_alias="KB")
class More(Settings):
    other: int = 3
"#;
    let module = module(text);
    let texts = module.texts.iter();
    let found: Vec<&str> = texts
        .filter(|text| text.role == TextRole::Variable)
        .map(|text| text.text.as_ref())
        .collect();
    assert_eq!(
        found,
        [
            "K1",
            "K2",
            "K3",
            "K4",
            "K5",
            "K6",
            "K7",
            "K8",
            "K9",
            "KA",
            "TW_API_KEY",
            "KB",
            "OTHER"
        ]
    );
}

#[test]
fn changes_of_the_search_path_are_computed() {
    use tradewind_repo::python::EditFolder;
    let text = r#"
import os, sys
from pathlib import Path
ROOT = Path(__file__).resolve().parents[1]
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, str(ROOT / "src"))
sys.path.append(os.path.join(HERE, "..", "lib"))
sys.path.append("..")
sys.path.append("/opt/x")
sys.path.append(os.environ["X"])
for folder in ["a", HERE]:
    sys.path.insert(0, folder)
sys.path.insert(0, f"{HERE}/vendor")
sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..'))
"#;
    let from_file = |up, tail: &str| EditFolder::FromFile {
        up,
        tail: tail.into(),
    };
    let from_start = |tail: &str| EditFolder::FromStart { tail: tail.into() };
    let found: Vec<EditFolder> = module(text)
        .path_edits
        .into_iter()
        .map(|edit| edit.folder)
        .collect();
    assert_eq!(
        found,
        [
            from_file(1, "src"),
            from_file(1, "lib"),
            from_start(".."),
            EditFolder::Absolute,
            EditFolder::Unknown,
            from_start("a"),
            from_file(0, ""),
            from_file(0, "vendor"),
            from_file(1, ""),
        ]
    );
}

#[test]
fn copies_share_their_hash() {
    let hash = |text: &str| module(text).functions[0].body_hash;
    let one = hash(
        "def f(values, window):\n    out = []\n    for i in range(len(values)):\n        out.append(sum(values[i:i + window]) / window)\n    return out\n",
    );
    let renamed = hash(
        "def g(xs, n):\n  'Doc.'\n  res = [ ]  # x\n  for k in range(len(xs)):\n    res.append(\n      sum(xs[k : k+n])/n\n    )\n  return res\n",
    );
    let other = hash(
        "def f(values, window):\n    out = []\n    for i in range(len(values)):\n        out.append(sum(values[i:i - window]) / window)\n    return out\n",
    );
    assert_eq!(one, renamed);
    assert_ne!(one, other);
    assert_ne!(one, 0);
}
