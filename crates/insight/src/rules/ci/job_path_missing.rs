//! Jobs on paths that do not exist.

use std::collections::BTreeSet;

use crate::gone::deletion;
use tradewind_repo::project::commands::{Use, mentions};
use tradewind_repo::project::presence::{Presence, path_presence};
use tradewind_repo::project::requirement::join;
use tradewind_repo::project::shell::Origin;
use tradewind_repo::project::workflow::{Forge, Workflow};

use crate::finding::{Area, Confidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};

/// Jobs on paths that do not exist.
#[derive(Debug)]
pub struct JobPathMissing;

const ABOUT: About = About {
    id: "job-path-missing",
    title: "Jobs on paths that do not exist",
    area: Area::Ci,
    severity: Severity::High,
    confidence: Confidence::Certain,
    timeframe: Timeframe::Week,
    impact: "The job fails at that step every time, or silently does nothing: red means nothing any more, and green means less than it seems.",
    action: "Correct the path, or bring the file back.",
    after: &[],
};

impl Rule for JobPathMissing {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        for workflow in &context.project.workflows {
            let mut places = named_paths(context, workflow);
            let mut started = BTreeSet::new();
            let scripts = context.project.scripts();
            for script in scripts
                .iter()
                .filter(|script| script.path == workflow.path.as_ref())
            {
                let origin = Origin {
                    line: script.line,
                    directory: script.directory.as_deref(),
                    own_names: &[],
                };
                for mention in mentions(script.text, origin) {
                    // What is started or installed belongs to the rule `entry-point-missing`.
                    if matches!(mention.usage, Use::Starts) {
                        started.extend(mention.place.as_deref().map(str::to_owned));
                    }
                    let is_ours = matches!(mention.usage, Use::Tests | Use::Enters | Use::Reads);
                    if is_ours && mention.presence(context.tree, &[]) == Presence::Absent {
                        places.push((
                            mention.line,
                            mention.written.to_string(),
                            mention.place.unwrap_or_default().into(),
                        ));
                    }
                }
            }
            // A job that checks out something else, or fetches what others built, has files of its own.
            if places.is_empty() || workflow.brings_files() {
                if !places.is_empty() {
                    findings.not_checked(format!(
                        "{}: a step checks out another repository or fetches files",
                        workflow.path
                    ));
                }
                continue;
            }
            // Reports and builds are made by the job itself.
            let text = context.tree.text(&workflow.path).unwrap_or_default();
            places.retain(|(line, written, path)| {
                !is_product(path)
                    && !started.contains(path)
                    && !is_written_before(&text, *line, written)
            });
            if places.is_empty() {
                continue;
            }
            places.sort();
            places.dedup();
            let (_, first, _) = &places[0];
            let more = if places.len() > 1 {
                format!(" and {} more", places.len() - 1)
            } else {
                String::new()
            };
            let title = format!("{} names {first}{more}, which is not there", workflow.path);
            let mut evidence = Vec::new();
            for (line, written, path) in &places {
                evidence.push(context.quote_with(
                    &workflow.path,
                    *line,
                    &format!("{written} does not exist"),
                ));
                evidence.extend(deletion(context.history, path));
            }
            findings.add(title, evidence);
        }
    }
}

/// Files that test runners and build tools write under names of their own.
fn is_product(path: &str) -> bool {
    let last = path.rsplit('/').next().unwrap_or(path);
    let mut folders = path.split('/');
    // `cd dist/MyBot`: what lies in there is what a build wrote.
    folders.any(|folder| matches!(folder, "dist" | "build"))
        || matches!(
            last,
            "coverage.xml"
                | "coverage.json"
                | "coverage.lcov"
                | "lcov.info"
                | ".coverage"
                | "htmlcov"
                | "junit.xml"
                | "pytest.xml"
                | "test-results.xml"
                | "bandit-report.json"
        )
}

/// Says whether an earlier line of the workflow writes a file: `asv compare > gate.log`, `… | tee gate.log`.
fn is_written_before(text: &str, line: u32, written: &str) -> bool {
    let name = written.rsplit('/').next().unwrap_or(written);
    let before = text.lines().take((line as usize).saturating_sub(1));
    before
        .filter_map(|line| line.split_once(name))
        .any(|(head, _)| {
            let head = head.trim_end_matches(['"', '\'', ' ', '/', '.']);
            let words = [
                "tee", "-a", "-o", "-O", "--output", "--out", "--log", "touch", "cp", "mv",
            ];
            head.ends_with(['>', '=']) || words.iter().any(|word| head.ends_with(word))
        })
}

/// Line, as written, path from the root.
type Named = (u32, String, String);

/// Paths that keys of a workflow name and that git does not have.
fn named_paths(context: &Context<'_>, workflow: &Workflow) -> Vec<Named> {
    let mut places = Vec::new();
    let mut ask = |line: u32, written: &str, paths: &[String]| {
        let is_absent = |path: &String| path_presence(context.tree, path) == Presence::Absent;
        if !written.contains(['$', '*', '{']) && !paths.is_empty() && paths.iter().all(is_absent) {
            places.push((
                line,
                written.to_owned(),
                paths.first().cloned().unwrap_or_default(),
            ));
        }
    };
    if workflow.forge == Forge::GitLab {
        return places;
    }
    for job in &workflow.jobs {
        if let Some(uses) = job
            .uses
            .as_ref()
            .filter(|uses| uses.value.starts_with("./"))
        {
            ask(uses.line, &uses.value, join("", &uses.value).as_slice());
        }
        let mut made = Vec::new();
        for step in &job.steps {
            if let Some(uses) = step
                .uses
                .as_ref()
                .filter(|uses| uses.value.starts_with("./"))
            {
                ask(uses.line, &uses.value, join("", &uses.value).as_slice());
            }
            // A folder that an earlier step makes may be entered.
            let may_be_made = |folder: &str| {
                made.iter()
                    .any(|text: &&str| text.contains(folder.trim_start_matches("./")))
            };
            if let Some(folder) = step
                .directory
                .as_deref()
                .filter(|folder| !may_be_made(folder))
            {
                let line = step.run.as_ref().map_or(step.line, |_| step.line);
                ask(
                    line,
                    folder,
                    join("", folder).filter(|path| !path.is_empty()).as_slice(),
                );
            }
            made.extend(step.run.as_ref().map(|run| run.value.as_ref()));
        }
    }
    places
}
