//! `setup.py` as a syntax tree: what `setup(…)` is given as literals, or through names bound to literals.
//!
//! The file is never run. What is computed makes the list of dependencies *open*; where the text names a
//! requirements file that is opened, the file is noted as read.

use std::collections::HashMap;

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{Expr, ExprCall, Stmt};
use ruff_text_size::Ranged as _;

use super::data::{At, TextAt};
use super::manifest::Manifest;
use super::requirement::Requirement;
use super::version::Specifiers;

/// Longest file that is read.
const MAX_BYTES: usize = 200_000;

/// Reads a `setup.py`. `None` where nothing calls `setup`.
pub(crate) fn parse(path: &str, text: &str) -> Option<Manifest> {
    if text.len() > MAX_BYTES {
        return None;
    }
    let options = ruff_python_parser::ParseOptions::from(ruff_python_parser::Mode::Module);
    let parsed = ruff_python_parser::parse_unchecked(text, options);
    let module = parsed.into_syntax();
    let module = module.as_module()?;
    let mut finder = Finder {
        text,
        names: HashMap::new(),
        call: None,
        files: Vec::new(),
    };
    finder.visit_body(&module.body);
    let call = finder.call?;
    let mut manifest = Manifest {
        path: path.into(),
        ..Manifest::default()
    };
    let one = |name: &str| {
        let value = keyword(call, name)?;
        let (at, text) = finder.text_of(value)?;
        Some(At::new(at, text))
    };
    manifest.name = one("name");
    manifest.version = one("version");
    manifest.license = one("license");
    manifest.python = one("python_requires");
    manifest.python_versions = manifest
        .python
        .as_ref()
        .and_then(|text| Specifiers::parse(&text.value));
    match keyword(call, "install_requires") {
        None => {}
        Some(value) => {
            if let Some(items) = finder.list_of(value) {
                manifest.requirements.extend(
                    items
                        .iter()
                        .filter_map(|item| Requirement::parse(item.line, &item.value)),
                );
            } else {
                manifest.is_open = true;
                manifest.reads.clone_from(&finder.files);
            }
        }
    }
    if let Some(Expr::Dict(extras)) =
        keyword(call, "extras_require").map(|value| finder.follow(value))
    {
        for item in &extras.items {
            let group = item
                .key
                .as_ref()
                .and_then(|key| finder.text_of(key))
                .map(|(_, text)| text);
            let list = finder.list_of(&item.value).unwrap_or_default();
            let list = list
                .iter()
                .filter_map(|item| Requirement::parse(item.line, &item.value));
            manifest.requirements.extend(
                list.map(|requirement| requirement.in_group(group.as_deref().or(Some("extra")))),
            );
        }
    }
    if let Some(value) = keyword(call, "entry_points") {
        finder.entry_points(value, &mut manifest);
    }
    for name in ["packages", "py_modules"] {
        manifest.packages.extend(
            keyword(call, name)
                .and_then(|value| finder.list_of(value))
                .unwrap_or_default(),
        );
    }
    if let Some(Expr::Dict(places)) = keyword(call, "package_dir").map(|value| finder.follow(value))
    {
        manifest.roots.extend(
            places
                .items
                .iter()
                .filter_map(|item| finder.text_of(&item.value))
                .map(|(_, text)| text),
        );
    }
    Some(manifest)
}

fn keyword<'a>(call: &'a ExprCall, name: &str) -> Option<&'a Expr> {
    let keyword = call
        .arguments
        .keywords
        .iter()
        .find(|keyword| keyword.arg.as_ref().is_some_and(|arg| arg.as_str() == name))?;
    Some(&keyword.value)
}

struct Finder<'a> {
    text: &'a str,
    names: HashMap<&'a str, &'a Expr>,
    call: Option<&'a ExprCall>,
    files: Vec<TextAt>,
}

impl<'a> Finder<'a> {
    fn line(&self, expression: &Expr) -> u32 {
        let start = usize::from(expression.range().start());
        let before = self.text.get(..start).unwrap_or("");
        u32::try_from(before.bytes().filter(|byte| *byte == b'\n').count() + 1).unwrap_or(u32::MAX)
    }

    /// Follows a name to what it was last bound to.
    fn follow(&self, expression: &'a Expr) -> &'a Expr {
        match expression {
            Expr::Name(name) => self
                .names
                .get(name.id.as_str())
                .copied()
                .unwrap_or(expression),
            other => other,
        }
    }

    fn text_of(&self, expression: &'a Expr) -> Option<(u32, Box<str>)> {
        match self.follow(expression) {
            Expr::StringLiteral(text) => Some((self.line(expression), text.value.to_str().into())),
            _ => None,
        }
    }

    /// Returns the texts of a list, tuple or text with lines; `None` if any part is computed.
    fn list_of(&self, expression: &'a Expr) -> Option<Vec<TextAt>> {
        let items = match self.follow(expression) {
            Expr::List(list) => &list.elts,
            Expr::Tuple(tuple) => &tuple.elts,
            Expr::StringLiteral(text) => {
                let line = self.line(expression);
                let lines = text
                    .value
                    .to_str()
                    .lines()
                    .map(str::trim)
                    .filter(|line| !line.is_empty());
                return Some(lines.map(|text| At::new(line, text.into())).collect());
            }
            _ => return None,
        };
        items
            .iter()
            .map(|item| self.text_of(item).map(|(line, text)| At::new(line, text)))
            .collect()
    }

    fn entry_points(&self, value: &'a Expr, manifest: &mut Manifest) {
        let mut take = |line: u32, text: &str| {
            if let Some((name, target)) = text.split_once('=') {
                manifest
                    .scripts
                    .push((At::new(line, name.trim().into()), target.trim().into()));
            }
        };
        match self.follow(value) {
            Expr::Dict(groups) => {
                for item in &groups.items {
                    let group = item.key.as_ref().and_then(|key| self.text_of(key));
                    if group.is_some_and(|(_, name)| {
                        matches!(name.as_ref(), "console_scripts" | "gui_scripts")
                    }) {
                        for script in self.list_of(&item.value).unwrap_or_default() {
                            take(script.line, &script.value);
                        }
                    }
                }
            }
            Expr::StringLiteral(text) => {
                let mut in_scripts = false;
                for (line, text) in (self.line(value)..).zip(text.value.to_str().lines()) {
                    let text = text.trim();
                    if text.starts_with('[') {
                        in_scripts =
                            text.contains("console_scripts") || text.contains("gui_scripts");
                    } else if in_scripts {
                        take(line, text);
                    }
                }
            }
            _ => {}
        }
    }
}

impl<'a> Visitor<'a> for Finder<'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        if let Stmt::Assign(assign) = statement
            && let [Expr::Name(name)] = assign.targets.as_slice()
        {
            self.names.insert(name.id.as_str(), &assign.value);
        }
        visitor::walk_stmt(self, statement);
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        if let Expr::StringLiteral(text) = expression
            && super::requirement::is_requirements(text.value.to_str())
        {
            self.files
                .push(At::new(self.line(expression), text.value.to_str().into()));
        }
        if let Expr::Call(call) = expression {
            let is_setup = match call.func.as_ref() {
                Expr::Name(name) => name.id.as_str() == "setup",
                Expr::Attribute(attribute) => attribute.attr.as_str() == "setup",
                _ => false,
            };
            if is_setup && !call.arguments.keywords.is_empty() {
                self.call = Some(call);
            }
        }
        visitor::walk_expr(self, expression);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_of_setup_are_read() {
        let text = "from setuptools import setup\nreqs = [\n  'a>=1',\n  'b',\n]\nsetup(\n  name='x',\n  python_requires='>=3.8',\n  install_requires=reqs,\n  extras_require={'dev': ['pytest']},\n  entry_points={'console_scripts': ['go=x.cli:main']},\n)\n";
        let manifest = parse("setup.py", text).unwrap();
        assert_eq!(manifest.requirements[1].line, 4);
        assert_eq!(manifest.requirements[2].group.as_deref(), Some("dev"));
        assert_eq!(
            manifest.scripts[0],
            (At::new(11, "go".into()), "x.cli:main".into())
        );
        let text = "import setuptools\nr = open('requirements.txt').read().splitlines()\nsetuptools.setup(name='x', install_requires=r)\n";
        let manifest = parse("setup.py", text).unwrap();
        assert!(manifest.is_open);
        assert_eq!(manifest.reads[0].value.as_ref(), "requirements.txt");
        assert!(parse("setup.py", "print(1)").is_none());
    }
}
