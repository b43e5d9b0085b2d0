//! `destructive-file-operation`.

use tradewind_repo::python::{Call, Code, Value};

use super::calls;
use crate::finding::{Area, Confidence, Evidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};
use crate::rules::documentation::capped;

/// Deletions of whole folders at places that nobody checks.
pub(super) struct DestructiveFileOperation;

const ABOUT: About = About {
    id: "destructive-file-operation",
    title: "Folders are deleted at unchecked places",
    area: Area::Safety,
    severity: Severity::High,
    confidence: Confidence::Likely,
    timeframe: Timeframe::Week,
    impact: "An empty variable or another machine's layout deletes data, logs or the home folder.",
    action: "Delete below a folder that the program made itself, and refuse anything outside of it.",
    after: &[],
};

impl Rule for DestructiveFileOperation {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        for module in &context.code.modules {
            if Code::is_test(&module.path) {
                continue;
            }
            let found: Vec<(&Call, String)> = module
                .calls
                .iter()
                .filter_map(|call| Some((call, danger(call)?)))
                .collect();
            let Some((first, why)) = found.first() else {
                continue;
            };
            let text = context.tree.text(&module.path).unwrap_or_default();
            let evidence = found
                .iter()
                .map(|(call, _)| {
                    Evidence::at(
                        module.path.as_ref(),
                        call.line,
                        calls::line(&text, call.line),
                    )
                })
                .collect();
            findings.add(
                format!("{}:{} deletes {why}", module.path, first.line),
                capped(evidence),
            );
        }
    }
}

/// Says what a call deletes, where that is dangerous.
fn danger(call: &Call) -> Option<String> {
    let callee = call.callee.as_ref();
    let value = call.arguments.first().map(|argument| &argument.value)?;
    if matches!(callee, "shutil.rmtree" | "os.removedirs") {
        return match value {
            Value::Text(path) => is_far(path).then(|| format!("the absolute path {path}")),
            Value::Parts(parts) => match parts.first() {
                Some((true, start)) if is_far(start) => {
                    Some(format!("below the absolute path {start}"))
                }
                _ => None,
            },
            Value::Call(name, _) | Value::Item(name, _)
                if matches!(
                    name.as_ref(),
                    "os.getenv"
                        | "os.environ"
                        | "os.environ.get"
                        | "input"
                        | "sys.argv"
                        | "os.getcwd"
                        | "pathlib.Path.home"
                        | "pathlib.Path.cwd"
                ) =>
            {
                Some(format!("what {name} names"))
            }
            _ => None,
        };
    }
    let starts = callee == "os.system" || callee.starts_with("subprocess.") || callee == "os.popen";
    let line = calls::text(value).filter(|_| starts)?;
    let after = ["rm -rf ", "rm -fr ", "rm -r "]
        .iter()
        .find_map(|command| Some(line.split_once(command)?.1))?;
    let target = after
        .split_whitespace()
        .next()
        .unwrap_or_default()
        .trim_matches(['"', '\'']);
    let is_open = target.starts_with("{}/")
        || target == "{}"
        || target.starts_with('$')
        || target == "*"
        || target == "~";
    (is_far(target) || is_open).then(|| format!("{target} through a shell"))
}

/// Says whether an absolute path lies outside of where temporary files are.
fn is_far(path: &str) -> bool {
    let is_absolute = path.starts_with('/')
        || path.starts_with("~/") && path.len() <= 3
        || path.as_bytes().get(1) == Some(&b':')
            && path
                .as_bytes()
                .get(2)
                .is_some_and(|byte| matches!(byte, b'\\' | b'/'));
    let is_temporary = [
        "/tmp",
        "/var/tmp",
        "/dev/shm",
        "/private/tmp",
        "/content/",
        "/kaggle/",
    ]
    .iter()
    .any(|start| path.starts_with(start));
    is_absolute && !is_temporary
}
