//! Actions and machines past their end of life.

use crate::tables::actions::{State, action, runner};

use crate::finding::{Area, Confidence, Evidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};

/// Actions and machines past their end of life.
#[derive(Debug)]
pub struct EndOfLifeAction;

const ABOUT: About = About {
    id: "end-of-life-action",
    title: "Actions and machines past their end of life",
    area: Area::Ci,
    severity: Severity::Medium,
    confidence: Confidence::Certain,
    timeframe: Timeframe::Week,
    impact: "The job stops working without a change of yours, usually on the day you need a release.",
    action: "Raise the action to its current major version, and the machine to a current image.",
    after: &[],
};

/// From when on the announced end of a machine is told: jobs begin to fail on single days before it.
const DAYS_OF_WARNING: i32 = 90;

impl Rule for EndOfLifeAction {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        let mut dead = Vec::new();
        let mut old = Vec::new();
        let mut ending = Vec::new();
        for workflow in &context.project.workflows {
            if super::is_never_started(workflow) {
                continue;
            }
            for job in &workflow.jobs {
                for label in &job.runs_on {
                    let Some(end) = runner(&label.value) else {
                        continue;
                    };
                    let (list, words) = if end <= context.today {
                        (&mut dead, format!("this machine was removed on {end}"))
                    } else if end
                        .since(context.today)
                        .is_ok_and(|left| left.get_days() <= DAYS_OF_WARNING)
                    {
                        (&mut ending, format!("this machine is removed on {end}"))
                    } else {
                        continue;
                    };
                    list.push((
                        label.value.to_string(),
                        context.quote_with(&workflow.path, label.line, &words),
                    ));
                }
            }
        }
        let is_idle = |path: &str| {
            let mut workflows = context.project.workflows.iter();
            workflows.any(|one| one.path.as_ref() == path && super::is_never_started(one))
        };
        for (path, step) in context.project.steps() {
            if is_idle(path) {
                continue;
            }
            let (Some(uses), Some(name)) = (&step.uses, step.action()) else {
                continue;
            };
            let version = uses
                .value
                .split_once('@')
                .map_or("", |(_, version)| version);
            let Some(state) = action(&name, version) else {
                continue;
            };
            let evidence = context.quote_with(path, uses.line, &state.words());
            match state {
                State::Refused(since) if since <= context.today => {
                    dead.push((uses.value.to_string(), evidence));
                }
                State::Refused(_) | State::Old(_) => {
                    old.push((uses.value.to_string(), evidence));
                }
            }
        }
        add(findings, dead, "cannot run any more", Severity::High);
        add(findings, old, "is past its end of life", Severity::Medium);
        add(findings, ending, "is removed soon", Severity::Low);
    }
}

fn add(findings: &mut Findings, places: Vec<(String, Evidence)>, what: &str, severity: Severity) {
    let Some((first, _)) = places.first() else {
        return;
    };
    let others = places.iter().filter(|(name, _)| name != first).count();
    let more = if others > 0 {
        format!(" (and {others} more)")
    } else {
        String::new()
    };
    let title = format!("{first}{more} {what}");
    let evidence = places.into_iter().map(|(_, evidence)| evidence).collect();
    findings.add(title, evidence).severity = severity;
}
