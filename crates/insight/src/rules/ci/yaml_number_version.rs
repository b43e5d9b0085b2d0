//! Versions that YAML reads as another number.

use tradewind_repo::project::data::Node;

use crate::finding::{Area, Confidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};

/// Versions that YAML reads as another number.
#[derive(Debug)]
pub struct YamlNumberVersion;

const ABOUT: About = About {
    id: "yaml-number-version",
    title: "Versions that YAML reads as another number",
    area: Area::Ci,
    severity: Severity::High,
    confidence: Confidence::Certain,
    timeframe: Timeframe::Immediate,
    impact: "The version that is promised is never tested; the job fails in setup, or tests an old version that nobody asked for.",
    action: "Put the version in quotes.",
    after: &[],
};

impl Rule for YamlNumberVersion {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        for workflow in &context.project.workflows {
            let mut places = Vec::new();
            for (key, value) in &workflow.env {
                numbers(key.text().unwrap_or(""), value, &mut places);
            }
            for job in &workflow.jobs {
                for (axis, values) in &job.matrix {
                    numbers(&axis.value, values, &mut places);
                }
                for (key, value) in &job.env {
                    numbers(key.text().unwrap_or(""), value, &mut places);
                }
                for (key, value) in job
                    .steps
                    .iter()
                    .flat_map(|step| step.with.iter().chain(&step.env))
                {
                    numbers(key.text().unwrap_or(""), value, &mut places);
                }
            }
            let Some((_, written, read)) = places.first() else {
                continue;
            };
            let title = format!("{} asks for {written} and gets {read}", workflow.path);
            let evidence = places
                .iter()
                .map(|(line, written, read)| {
                    let words = format!("{written} without quotes is the number {read}");
                    context.quote_with(&workflow.path, *line, &words)
                })
                .collect();
            findings.add(title, evidence);
        }
    }
}

/// Collects numbers that lose a digit: line, as written, as read.
fn numbers(name: &str, node: &Node, places: &mut Vec<(u32, String, String)>) {
    let name = name.to_ascii_lowercase();
    let speaks_of_versions = ["version", "python", "node", "ruby", "java", "php"]
        .iter()
        .any(|word| name.contains(word))
        || matches!(name.as_str(), "go" | "py");
    for item in node.items().iter().filter(|_| speaks_of_versions) {
        // `8.0` becomes 8, which most setups read as "some 8": only lost digits make another version.
        let loses_digit = |written: &&str| {
            written
                .split_once('.')
                .is_some_and(|(_, part)| part.len() > 1)
        };
        if let (Some(read), Some(written)) =
            (item.shortened_number(), item.text().filter(loses_digit))
        {
            places.push((item.line, written.to_owned(), read));
        }
    }
    // `include:` and `exclude:` hold maps of axes.
    for (key, value) in node.list().iter().flat_map(Node::map) {
        if !value.items().is_empty() {
            numbers(key.text().unwrap_or(""), value, places);
        }
    }
}
