//! `runtime-install`.

use tradewind_repo::python::{Call, Code, TextRole};

use super::calls;
use crate::finding::{Area, Confidence, Evidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};
use crate::rules::documentation::capped;

/// Programs that install packages while they run.
pub(super) struct RuntimeInstall;

const ABOUT: About = About {
    id: "runtime-install",
    title: "Packages are installed while the program runs",
    area: Area::Safety,
    severity: Severity::Medium,
    confidence: Confidence::Possible,
    timeframe: Timeframe::Week,
    impact: "A start on a trading day fetches whatever version is newest, or fails without network.",
    action: "Declare the package and install it before the start.",
    after: &[],
};

impl Rule for RuntimeInstall {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        let mut evidence = Vec::new();
        for module in &context.code.modules {
            if Code::is_test(&module.path) || installs_by_name(&module.path) {
                continue;
            }
            let text = module
                .calls
                .iter()
                .any(installs)
                .then(|| context.tree.text(&module.path).unwrap_or_default());
            let Some(text) = text else {
                continue;
            };
            // A variable of that name is the owner's own switch: nothing is installed unless it is set.
            let has_switch = module.texts.iter().any(|text| {
                text.role == TextRole::Variable
                    && text.text.to_ascii_uppercase().contains("INSTALL")
            });
            if has_switch {
                continue;
            }
            for call in module.calls.iter().filter(|call| installs(call)) {
                evidence.push(Evidence::at(
                    module.path.as_ref(),
                    call.line,
                    calls::line(&text, call.line),
                ));
            }
        }
        let Some(first) = evidence.first() else {
            return;
        };
        let place = format!(
            "{}:{}",
            first.path.as_deref().unwrap_or_default(),
            first.line.unwrap_or(0)
        );
        findings.add(
            format!("{place} installs a package at run time"),
            capped(evidence),
        );
    }
}

/// Programs whose purpose is to install.
fn installs_by_name(path: &str) -> bool {
    let name = path
        .rsplit('/')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    [
        "setup",
        "install",
        "bootstrap",
        "noxfile",
        "tasks",
        "build",
        "deploy",
        "update",
        "launcher",
        "requirements",
        "dependenc",
        "check_env",
        "environment",
        "doctor",
    ]
    .iter()
    .any(|word| name.contains(word))
}

fn installs(call: &Call) -> bool {
    let callee = call.callee.as_ref();
    if matches!(
        callee,
        "pip.main" | "pip._internal.main" | "pip._internal.cli.main.main"
    ) {
        return true;
    }
    let starts = callee == "os.system" || callee.starts_with("subprocess.") || callee == "os.popen";
    let line = call
        .arguments
        .first()
        .and_then(|argument| calls::text(&argument.value));
    starts && line.is_some_and(|line| line.contains("pip install") || line.contains("pip3 install"))
}
