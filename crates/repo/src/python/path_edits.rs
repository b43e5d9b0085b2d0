//! What a file puts on `sys.path`, computed without running it.
//!
//! Understood are the usual ways to say "the folder above this file": `os.path`, `pathlib`, `__file__`,
//! names that were assigned once such a value. Everything else is [`EditFolder::Unknown`].

use std::collections::HashMap;

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{self as ast, Expr, ModModule, Number, Operator, Stmt};
use ruff_text_size::{Ranged, TextSize};

use super::module::EditFolder;

/// How deep an expression is followed.
const MAX_DEPTH: u8 = 20;

/// Finds every change of `sys.path`.
pub(super) fn path_edits(tree: &ModModule) -> Vec<(TextSize, EditFolder)> {
    let mut walk = Walk {
        known: HashMap::new(),
        found: Vec::new(),
    };
    for statement in &tree.body {
        walk.visit_stmt(statement);
    }
    walk.found
}

/// A value that may be a folder.
#[derive(Clone, Debug, PartialEq)]
enum Place {
    /// The file itself.
    File,
    /// Levels above the file's folder, then names.
    FromFile(u32, Vec<String>),
    /// From where the program was started.
    FromStart(Vec<String>),
    /// A plain text, not yet a place.
    Text(String),
    Absolute,
}

impl Place {
    fn parent(self) -> Option<Self> {
        Some(match self {
            Self::File => Self::FromFile(0, Vec::new()),
            Self::FromFile(up, mut tail) => match tail.pop() {
                None => Self::FromFile(up + 1, tail),
                Some(_) => Self::FromFile(up, tail),
            },
            Self::FromStart(mut tail) => {
                match tail.last().map(String::as_str) {
                    None | Some("..") => tail.push("..".to_owned()),
                    Some(_) => {
                        tail.pop();
                    }
                }
                Self::FromStart(tail)
            }
            Self::Text(text) => {
                let (head, _) = text.rsplit_once(['/', '\\'])?;
                Self::Text(head.to_owned())
            }
            Self::Absolute => Self::Absolute,
        })
    }

    fn joined(self, text: &str) -> Option<Self> {
        if text.starts_with(['/', '~']) || text.contains(':') {
            return Some(Self::Absolute);
        }
        if let Self::Text(head) = self {
            return Some(Self::Text(format!("{head}/{text}")));
        }
        let mut place = self;
        for part in text.split(['/', '\\']) {
            place = match (part, place) {
                ("" | ".", place) => place,
                ("..", place) => place.parent()?,
                (_, Self::File) => return None,
                (part, Self::FromFile(up, mut tail)) => {
                    tail.push(part.to_owned());
                    Self::FromFile(up, tail)
                }
                (part, Self::FromStart(mut tail)) => {
                    tail.push(part.to_owned());
                    Self::FromStart(tail)
                }
                (_, place) => place,
            };
        }
        Some(place)
    }

    fn folder(self) -> EditFolder {
        match self {
            Self::File | Self::Absolute => EditFolder::Absolute,
            Self::FromFile(up, tail) => EditFolder::FromFile {
                up,
                tail: tail.join("/").into(),
            },
            Self::FromStart(tail) => EditFolder::FromStart {
                tail: tail.join("/").into(),
            },
            Self::Text(text) => match Self::FromStart(Vec::new()).joined(&text) {
                Some(Self::FromStart(tail)) => EditFolder::FromStart {
                    tail: tail.join("/").into(),
                },
                _ => EditFolder::Absolute,
            },
        }
    }
}

struct Walk<'a> {
    /// What names were assigned, the last one before the place.
    known: HashMap<&'a str, Option<Place>>,
    found: Vec<(TextSize, EditFolder)>,
}

impl<'a> Visitor<'a> for Walk<'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        if let Stmt::Assign(assignment) = statement
            && let [Expr::Name(name)] = assignment.targets.as_slice()
        {
            let place = self.place(&assignment.value, 0);
            self.known.insert(name.id.as_str(), place);
        }
        if let Stmt::For(each) = statement
            && let Expr::Name(name) = each.target.as_ref()
        {
            // `for folder in ("a", "b"): sys.path.append(folder)`
            self.each(each, name.id.as_str());
            return;
        }
        visitor::walk_stmt(self, statement);
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        if let Expr::Call(call) = expression {
            self.call(call);
        }
        visitor::walk_expr(self, expression);
    }
}

impl<'a> Walk<'a> {
    fn each(&mut self, each: &'a ast::StmtFor, name: &'a str) {
        let items: &[Expr] = match each.iter.as_ref() {
            Expr::Tuple(tuple) => &tuple.elts,
            Expr::List(list) => &list.elts,
            _ => &[],
        };
        let first = self.found.len();
        for item in items.iter().take(20) {
            let place = self.place(item, 0);
            self.known.insert(name, place);
            self.visit_body(&each.body);
        }
        if items.is_empty() {
            self.known.insert(name, None);
            self.visit_body(&each.body);
        }
        // Bodies of nested loops were seen once per item.
        self.found.truncate(first + 100);
        self.visit_body(&each.orelse);
    }

    fn call(&mut self, call: &'a ast::ExprCall) {
        let argument = match dotted(&call.func).as_deref() {
            Some("sys.path.append" | "site.addsitedir" | "path.append") => {
                call.arguments.args.first()
            }
            Some("sys.path.insert" | "path.insert") => call.arguments.args.get(1),
            Some("sys.path.extend") => {
                if let Some(Expr::List(list)) = call.arguments.args.first() {
                    for item in &list.elts {
                        self.push(call, item);
                    }
                } else {
                    self.found.push((call.range().start(), EditFolder::Unknown));
                }
                None
            }
            _ => None,
        };
        if let Some(argument) = argument {
            self.push(call, argument);
        }
    }

    fn push(&mut self, call: &ast::ExprCall, argument: &Expr) {
        // `path.append` may be any list; only what can be computed counts there.
        let is_sure = dotted(&call.func).is_some_and(|name| !name.starts_with("path."));
        match self.place(argument, 0) {
            Some(place) => self.found.push((call.range().start(), place.folder())),
            None if is_sure => self.found.push((call.range().start(), EditFolder::Unknown)),
            None => {}
        }
    }

    fn place(&self, expression: &Expr, depth: u8) -> Option<Place> {
        if depth > MAX_DEPTH {
            return None;
        }
        let next = depth + 1;
        match expression {
            Expr::StringLiteral(text) => {
                let text = text.value.to_str();
                Some(
                    if text.starts_with(['/', '~']) || text.get(1..2) == Some(":") {
                        Place::Absolute
                    } else {
                        Place::Text(text.to_owned())
                    },
                )
            }
            Expr::Name(name) if name.id.as_str() == "__file__" => Some(Place::File),
            Expr::Name(name) => self.known.get(name.id.as_str())?.clone(),
            Expr::Attribute(attribute) => match attribute.attr.as_str() {
                "parent" => self.place(&attribute.value, next)?.parent(),
                "pardir" => Some(Place::Text("..".to_owned())),
                "curdir" => Some(Place::Text(".".to_owned())),
                _ => None,
            },
            Expr::Subscript(subscript) => self.item(subscript, next),
            Expr::BinOp(operation) => {
                let left = self.place(&operation.left, next)?;
                if operation.op == Operator::Add
                    && let Expr::StringLiteral(right) = operation.right.as_ref()
                {
                    let rest = right.value.to_str().strip_prefix(['/', '\\'])?;
                    return left.joined(rest);
                }
                let Place::Text(right) = self.place(&operation.right, next)? else {
                    return None;
                };
                (operation.op == Operator::Div).then(|| left.joined(&right))?
            }
            Expr::FString(text) => self.formatted(text, next),
            Expr::Call(call) => self.called(call, next),
            _ => None,
        }
    }

    /// `path.parents[1]`, `os.path.split(p)[0]`, `sys.path[0]`.
    fn item(&self, subscript: &ast::ExprSubscript, depth: u8) -> Option<Place> {
        let Expr::NumberLiteral(number) = subscript.slice.as_ref() else {
            return None;
        };
        let Number::Int(number) = &number.value else {
            return None;
        };
        let number = number.as_u8()?;
        match subscript.value.as_ref() {
            Expr::Attribute(attribute) if attribute.attr.as_str() == "parents" => {
                let mut place = self.place(&attribute.value, depth)?;
                for _ in 0..=number {
                    place = place.parent()?;
                }
                Some(place)
            }
            Expr::Attribute(attribute) if attribute.attr.as_str() == "path" && number == 0 => {
                Some(Place::FromFile(0, Vec::new()))
            }
            Expr::Attribute(attribute) if attribute.attr.as_str() == "argv" && number == 0 => {
                Some(Place::File)
            }
            Expr::Call(call) if dotted(&call.func)?.ends_with("path.split") && number == 0 => {
                self.place(call.arguments.args.first()?, depth)?.parent()
            }
            _ => None,
        }
    }

    /// `f"{ROOT}/src"`.
    fn formatted(&self, text: &ast::ExprFString, depth: u8) -> Option<Place> {
        let mut elements = text.value.elements();
        let ast::InterpolatedStringElement::Interpolation(first) = elements.next()? else {
            return None;
        };
        let place = self.place(&first.expression, depth)?;
        match (elements.next(), elements.next()) {
            (None, _) => Some(place),
            (Some(ast::InterpolatedStringElement::Literal(rest)), None)
                if rest.value.starts_with('/') =>
            {
                place.joined(rest.value.trim_start_matches('/'))
            }
            _ => None,
        }
    }

    fn called(&self, call: &ast::ExprCall, depth: u8) -> Option<Place> {
        let arguments = &call.arguments.args;
        if let Some(name) = dotted(&call.func) {
            let last = name.rsplit('.').next().unwrap_or_default();
            match last {
                "getcwd" | "cwd" if arguments.is_empty() => {
                    return Some(Place::FromStart(Vec::new()));
                }
                "abspath" | "realpath" | "normpath" | "str" | "fspath" | "Path" | "PurePath"
                | "expanduser" => {
                    let mut place = match arguments.first() {
                        Some(first) => self.place(first, depth)?,
                        None if last == "Path" => Place::FromStart(Vec::new()),
                        // `Path(x).expanduser()` is followed below.
                        None => return self.method(call, depth),
                    };
                    for more in arguments.iter().skip(1).filter(|_| last == "Path") {
                        let Place::Text(text) = self.place(more, depth)? else {
                            return None;
                        };
                        place = place.joined(&text)?;
                    }
                    return Some(place);
                }
                "dirname" => return self.place(arguments.first()?, depth)?.parent(),
                "join" if name != "join" || arguments.len() > 1 => {
                    let mut place = self.place(arguments.first()?, depth)?;
                    for more in arguments.iter().skip(1) {
                        let Place::Text(text) = self.place(more, depth)? else {
                            return None;
                        };
                        place = place.joined(&text)?;
                    }
                    return Some(place);
                }
                _ => {}
            }
        }
        self.method(call, depth)
    }

    /// `Path(__file__).resolve()`, `.joinpath("src")`.
    fn method(&self, call: &ast::ExprCall, depth: u8) -> Option<Place> {
        let Expr::Attribute(attribute) = call.func.as_ref() else {
            return None;
        };
        match attribute.attr.as_str() {
            "resolve" | "absolute" | "as_posix" | "expanduser" | "__str__" => {
                self.place(&attribute.value, depth)
            }
            "joinpath" => {
                let mut place = self.place(&attribute.value, depth)?;
                for more in &call.arguments.args {
                    let Place::Text(text) = self.place(more, depth)? else {
                        return None;
                    };
                    place = place.joined(&text)?;
                }
                Some(place)
            }
            _ => None,
        }
    }
}

/// The dotted name of an expression of names and attributes only.
fn dotted(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Name(name) => Some(name.id.to_string()),
        Expr::Attribute(attribute) => {
            let head = dotted(&attribute.value)?;
            (head.len() < 200).then(|| format!("{head}.{}", attribute.attr.as_str()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edits(text: &str) -> Vec<EditFolder> {
        let tree = ruff_python_parser::parse_module(text)
            .unwrap()
            .into_syntax();
        path_edits(&tree)
            .into_iter()
            .map(|(_, folder)| folder)
            .collect()
    }

    fn from_file(up: u32, tail: &str) -> Vec<EditFolder> {
        vec![EditFolder::FromFile {
            up,
            tail: tail.into(),
        }]
    }

    #[test]
    fn the_usual_ways_to_name_the_folder_above_are_understood() {
        for text in [
            "sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))",
            "sys.path.insert(0, str(Path(__file__).resolve().parent.parent))",
            "sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))",
            "sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..'))",
            "ROOT = Path(__file__).parent\nHERE = ROOT.parent\nsys.path.append(str(HERE))",
            "sys.path.append(os.path.abspath(os.path.join(os.path.dirname(__file__), os.pardir)))",
            "sys.path.append(os.path.join(os.path.split(os.path.abspath(__file__))[0], '..'))",
        ] {
            assert_eq!(edits(text), from_file(1, ""), "{text}");
        }
        for text in [
            "sys.path.append(str(Path(__file__).parent.parent / 'src'))",
            "ROOT = os.path.dirname(os.path.dirname(__file__))\nsys.path.append(f'{ROOT}/src')",
            "sys.path.append(os.path.dirname(__file__) + '/../src')",
        ] {
            assert_eq!(edits(text), from_file(1, "src"), "{text}");
        }
    }

    #[test]
    fn the_rest_is_told_apart() {
        assert_eq!(
            edits("sys.path.append('..')"),
            [EditFolder::FromStart { tail: "..".into() }]
        );
        assert_eq!(edits("sys.path.append('/opt/x')"), [EditFolder::Absolute]);
        assert_eq!(
            edits("sys.path.append(os.environ['X'])"),
            [EditFolder::Unknown]
        );
        assert_eq!(edits("path.append(x)"), []);
        assert_eq!(
            edits("for p in ('a', 'b'):\n    sys.path.append(p)").len(),
            2
        );
    }
}
