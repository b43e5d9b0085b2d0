//! What stands around a statement: handlers of exceptions, `if TYPE_CHECKING:`, the main guard.

use ruff_python_ast::{self as ast, Expr, Stmt};

use super::dotted::dotted;

/// What a handler catches, as far as anybody asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Catches {
    /// Every ordinary exception: bare, `Exception`, `BaseException`.
    Everything,
    /// `ImportError` or `ModuleNotFoundError`, and not everything.
    Imports,
    /// Neither.
    Other,
}

/// Says what a handler of this type catches.
pub(crate) fn catches(handled: Option<&Expr>) -> Catches {
    let Some(handled) = handled else {
        return Catches::Everything;
    };
    if let Expr::Tuple(tuple) = handled {
        let kinds = tuple.elts.iter().map(|kind| catches(Some(kind)));
        return kinds.fold(Catches::Other, |all, kind| match (all, kind) {
            (Catches::Everything, _) | (_, Catches::Everything) => Catches::Everything,
            (Catches::Imports, _) | (_, Catches::Imports) => Catches::Imports,
            _ => Catches::Other,
        });
    }
    match last_name(handled).as_deref() {
        Some("Exception" | "BaseException") => Catches::Everything,
        Some("ImportError" | "ModuleNotFoundError") => Catches::Imports,
        // A tuple of exceptions under a name of its own: what it holds is not known, and who writes one means it.
        Some(name) if is_constant(name) => Catches::Imports,
        _ => Catches::Other,
    }
}

/// Says whether a name is written as constants are: `FALLBACK_ERRORS`.
fn is_constant(name: &str) -> bool {
    name.len() > 2
        && name
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

/// Says whether `with contextlib.suppress(ImportError):` opens here.
pub(crate) fn suppresses_import(context: &Expr) -> bool {
    suppressed(context) == Catches::Imports || suppressed(context) == Catches::Everything
}

/// Says what `contextlib.suppress(…)` lets pass.
pub(crate) fn suppressed(context: &Expr) -> Catches {
    let Expr::Call(call) = context else {
        return Catches::Other;
    };
    if last_name(&call.func).as_deref() != Some("suppress") {
        return Catches::Other;
    }
    let kinds = call.arguments.args.iter().map(|kind| catches(Some(kind)));
    kinds.fold(Catches::Other, |all, kind| match (all, kind) {
        (Catches::Everything, _) | (_, Catches::Everything) => Catches::Everything,
        (Catches::Imports, _) | (_, Catches::Imports) => Catches::Imports,
        _ => Catches::Other,
    })
}

/// Says whether a handler lets nothing through: its last statement raises nothing and ends nothing.
pub(crate) fn swallows(handler: &ast::ExceptHandlerExceptHandler) -> bool {
    match handler.body.last() {
        Some(Stmt::Raise(_)) => false,
        Some(Stmt::Expr(last)) => match &*last.value {
            Expr::Call(call) => !matches!(
                dotted(&call.func).map(|name| name.written).as_deref(),
                Some("sys.exit" | "exit" | "quit" | "os._exit" | "os.abort" | "pytest.fail")
            ),
            _ => true,
        },
        _ => true,
    }
}

/// Says whether a condition holds for type checkers only.
pub(crate) fn is_type_checking(test: &Expr) -> bool {
    match test {
        Expr::Name(_) | Expr::Attribute(_) => last_name(test).as_deref() == Some("TYPE_CHECKING"),
        _ => false,
    }
}

/// Says whether a condition is `__name__ == "__main__"`, alone or with others after `and`.
pub(crate) fn is_main_guard(test: &Expr) -> bool {
    match test {
        Expr::Compare(compare) => {
            let sides = [Some(&*compare.left), compare.comparators.first()];
            let is_equal = compare.ops.first() == Some(&ast::CmpOp::Eq);
            let names_it = sides
                .into_iter()
                .flatten()
                .any(|side| matches!(side, Expr::Name(name) if name.id.as_str() == "__name__"));
            let says_main = sides.into_iter().flatten().any(
                |side| matches!(side, Expr::StringLiteral(literal) if literal.value.to_str() == "__main__"),
            );
            is_equal && names_it && says_main
        }
        Expr::BoolOp(operation) => {
            operation.op == ast::BoolOp::And && operation.values.iter().any(is_main_guard)
        }
        _ => false,
    }
}

/// Returns the last part of a dotted name.
fn last_name(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Name(name) => Some(name.id.to_string()),
        Expr::Attribute(attribute) => Some(attribute.attr.to_string()),
        _ => None,
    }
}
