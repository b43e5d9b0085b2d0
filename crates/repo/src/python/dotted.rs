//! Dotted names of expressions as they are written, before anything is resolved.

use std::borrow::Cow;

use ruff_python_ast::Expr;

/// Longest dotted name that is kept.
pub(crate) const MAX_DOTTED: usize = 200;

/// A dotted name: the name it begins with, and what follows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dotted {
    /// The name it begins with; empty where it begins with something without a name (`"".join`, `(a or b).c`).
    pub(crate) root: Box<str>,
    /// As written; calls in the chain are `()`, subscripts `[]`.
    pub(crate) written: String,
}

/// What may follow the root of a dotted name.
enum Step<'a> {
    Attribute(&'a str),
    Call,
    Item,
}

/// Returns the dotted name of an expression: `a`, `a.b`, `a().b`, `a[].b`, `await a().b` without the await.
/// `None` where it begins with something without a name.
pub(crate) fn dotted(expression: &Expr) -> Option<Dotted> {
    let mut steps = Vec::new();
    let mut expression = expression;
    let root = loop {
        expression = match expression {
            Expr::Name(name) => break name.id.as_str(),
            Expr::Attribute(attribute) => {
                steps.push(Step::Attribute(attribute.attr.as_str()));
                &attribute.value
            }
            Expr::Call(call) => {
                steps.push(Step::Call);
                &call.func
            }
            Expr::Subscript(subscript) => {
                steps.push(Step::Item);
                &subscript.value
            }
            Expr::Await(awaited) => &awaited.value,
            Expr::Named(named) => &named.value,
            _ => return None,
        };
        if steps.len() > MAX_DOTTED {
            return None;
        }
    };
    if root.is_empty() {
        return None;
    }
    let mut written = root.to_owned();
    for step in steps.iter().rev() {
        match step {
            Step::Attribute(name) => {
                written.push('.');
                written.push_str(name);
            }
            Step::Call => written.push_str("()"),
            Step::Item => written.push_str("[]"),
        }
    }
    (written.len() <= MAX_DOTTED).then(|| Dotted {
        root: root.into(),
        written,
    })
}

/// Takes the calls out of a dotted name: `requests.Session().get` is `requests.Session.get`.
pub(crate) fn without_calls(written: &str) -> Cow<'_, str> {
    if written.contains("()") {
        Cow::Owned(written.replace("()", ""))
    } else {
        Cow::Borrowed(written)
    }
}
