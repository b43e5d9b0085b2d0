//! `patch-target`: `patch("bot.x.y")` and the like where the repository has no such name.

use tradewind_repo::python::{Code, Definition, Module, Value};

use crate::finding::{Area, Confidence, Evidence, Severity, Timeframe};
use crate::quotes::{Quotes, grouped, is_foreign};
use crate::rule::{About, Context, Findings, Rule};

static ABOUT: About = About {
    id: "patch-target",
    title: "Patches of names that are not there",
    area: Area::Tests,
    severity: Severity::Medium,
    confidence: Confidence::Possible,
    timeframe: Timeframe::Week,
    impact: "The test fails before it begins, so what it guards is not guarded.",
    action: "Patch the name where it is used now.",
    after: &["unresolved-import", "missing-name"],
};

/// The rule.
pub struct PatchTarget;

impl Rule for PatchTarget {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        let mut quotes = Quotes::new(context);
        for module in &context.code.modules {
            if is_foreign(&module.path) || !Code::is_test(&module.path) {
                continue;
            }
            let mut evidence: Vec<Evidence> = Vec::new();
            let mut first = None;
            for (line, target) in targets(module) {
                let Some(lacks) = lacks(context.code, module, target) else {
                    continue;
                };
                first.get_or_insert_with(|| target.to_owned());
                evidence.push(quotes.noted(&module.path, line, &lacks));
            }
            if let Some(first) = first {
                let path = module.path.as_ref();
                grouped(
                    findings,
                    format!("{path} patches {first}, which is not there"),
                    evidence,
                );
            }
        }
    }
}

/// Dotted names that a test replaces, with their lines.
fn targets(module: &Module) -> impl Iterator<Item = (u32, &str)> {
    module.calls.iter().filter_map(|call| {
        let last = call.written.rsplit('.').next().unwrap_or_default();
        let is_patch = last == "patch"
            && (call.callee.contains("mock") || call.written.contains("mocker"))
            || call.written.as_ref() == "monkeypatch.setattr";
        let creates = call
            .arguments
            .iter()
            .any(|argument| argument.name.as_deref() == Some("create"))
            || call
                .arguments
                .iter()
                .any(|argument| argument.name.as_deref() == Some("raising"));
        let first = call.arguments.first()?;
        match &first.value {
            Value::Text(text)
                if is_patch && !creates && first.name.is_none() && is_dotted(text) =>
            {
                Some((call.line, text.as_ref()))
            }
            _ => None,
        }
    })
}

fn is_dotted(text: &str) -> bool {
    text.contains('.')
        && text
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '.' | '_'))
}

/// Says what is not there; `None` when all is, or when it cannot be told.
fn lacks(code: &Code, module: &Module, target: &str) -> Option<String> {
    match code.find_absolute(&module.path, target).what {
        Definition::Missing(of, name) => {
            let is_builtin = matches!(
                name.as_ref(),
                "open" | "print" | "input" | "exit" | "len" | "sorted" | "id"
            );
            let is_told = is_imported_in_vain(module, target, &name);
            (!is_builtin && !is_told).then(|| format!("{} defines no {name}", of.path))
        }
        // What a module here wants in vain, another rule says.
        Definition::Unresolved(missing) if target.starts_with(missing.as_ref()) => {
            Some(format!("there is no module {missing}"))
        }
        _ => None,
    }
}

/// Says whether the test imports from what is missing: that its module is not there is told of the import.
fn is_imported_in_vain(module: &Module, target: &str, name: &str) -> bool {
    let Some((above, _)) = target.split_once(&format!(".{name}.")) else {
        return false;
    };
    let missing = format!("{above}.{name}");
    module.imports.iter().any(|import| {
        let rest = import.module.strip_prefix(&missing);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    })
}
