//! Programs that never hear the signal to stop.

use crate::finding::{Area, Confidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};

/// Programs that never hear the signal to stop.
#[derive(Debug)]
pub struct ShellFormCmd;

const ABOUT: About = About {
    id: "shell-form-cmd",
    title: "Programs that never hear the signal to stop",
    area: Area::Containers,
    severity: Severity::Medium,
    confidence: Confidence::Likely,
    timeframe: Timeframe::Week,
    impact: "On `docker stop` the shell takes the signal and the program never sees it: it is killed after ten seconds, in the middle of an order.",
    action: "Write the exec form: `CMD [\"python\", \"-m\", \"bot\"]`, or begin the line with `exec`.",
    after: &[],
};

impl Rule for ShellFormCmd {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        for file in super::services(context) {
            let Some(start) = super::start_of(file) else {
                continue;
            };
            let text = start.rest.trim();
            if start.exec.is_some()
                || text.is_empty()
                || text.starts_with("exec ")
                || text.contains(" exec ")
            {
                continue;
            }
            let shells = file
                .shipped()
                .into_iter()
                .any(|instruction| instruction.keyword.as_ref() == "SHELL");
            if shells {
                findings.not_checked(format!("{}: SHELL sets another shell", file.path));
                continue;
            }
            let evidence = context.quote(&file.path, start.line);
            let title = format!(
                "{} starts its program through a shell that keeps the stop signal",
                file.path
            );
            findings.add(title, vec![evidence]);
        }
    }
}
