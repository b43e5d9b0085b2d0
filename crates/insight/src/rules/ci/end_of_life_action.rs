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

impl Rule for EndOfLifeAction {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        let mut dead = Vec::new();
        let mut old = Vec::new();
        for workflow in &context.project.workflows {
            for job in &workflow.jobs {
                for label in &job.runs_on {
                    if let Some(since) =
                        runner(&label.value).filter(|since| *since <= context.today)
                    {
                        let words = format!("this machine was removed on {since}");
                        dead.push((
                            label.value.to_string(),
                            context.quote_with(&workflow.path, label.line, &words),
                        ));
                    }
                }
                for step in &job.steps {
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
                    let words = state.words();
                    let evidence = context.quote_with(&workflow.path, uses.line, &words);
                    match state {
                        State::Refused(since) if since <= context.today => {
                            dead.push((uses.value.to_string(), evidence));
                        }
                        State::Refused(_) | State::Old(_) => {
                            old.push((uses.value.to_string(), evidence));
                        }
                    }
                }
            }
        }
        add(findings, dead, "cannot run any more", Severity::High);
        add(findings, old, "is past its end of life", Severity::Medium);
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
