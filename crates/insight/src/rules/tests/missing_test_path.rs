//! `missing-test-path`: test folders and coverage sources in settings that do not exist.

use crate::finding::{Area, Confidence, Severity, Timeframe};
use crate::quotes::Quotes;
use crate::rule::{About, Context, Findings, Rule};

static ABOUT: About = About {
    id: "missing-test-path",
    title: "Test and coverage paths that do not exist",
    area: Area::Tests,
    severity: Severity::Medium,
    confidence: Confidence::Certain,
    timeframe: Timeframe::Week,
    impact: "Tests that should run are not looked for, or coverage measures nothing, and neither says so.",
    action: "Name the folders and packages that exist.",
    after: &[],
};

/// The rule.
pub struct MissingTestPath;

impl Rule for MissingTestPath {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        let mut quotes = Quotes::new(context);
        for settings in &context.project.settings {
            let path = settings.path.as_ref();
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            let mut evidence = Vec::new();
            let mut names: Vec<&str> = Vec::new();
            for said in &settings.test_paths {
                if is_plain(&said.value) && !is_there(context, folder, &said.value) {
                    names.push(&said.value);
                    evidence.push(quotes.noted(
                        path,
                        said.line,
                        &format!("test path `{}`", said.value),
                    ));
                }
            }
            for said in &settings.coverage_sources {
                if is_plain(&said.value)
                    && !is_there(context, folder, &said.value)
                    && !is_module(context, folder, &said.value)
                {
                    names.push(&said.value);
                    evidence.push(quotes.noted(
                        path,
                        said.line,
                        &format!("coverage source `{}`", said.value),
                    ));
                }
            }
            if !evidence.is_empty() {
                let verb = if names.len() == 1 { "does" } else { "do" };
                findings.add(
                    format!(
                        "{path} names {}, which {verb} not exist",
                        names.join(" and ")
                    ),
                    evidence,
                );
            }
        }
    }
}

/// Whether a setting is a path or name as it stands, without patterns and variables.
fn is_plain(value: &str) -> bool {
    !value.is_empty() && !value.contains(['*', '?', '[', '$', '{', '~']) && !value.starts_with('/')
}

fn is_there(context: &Context<'_>, folder: &str, value: &str) -> bool {
    let value = value.trim_start_matches("./").trim_end_matches('/');
    if value.is_empty() || value == "." || value.starts_with("..") {
        return true;
    }
    let path = if folder.is_empty() {
        value.to_owned()
    } else {
        format!("{folder}/{value}")
    };
    context.tree.has(&path)
        || context.tree.get(&path).is_some()
        || context.tree.below(&path).next().is_some()
}

/// Whether a dotted name is a module here, or one that is installed.
fn is_module(context: &Context<'_>, folder: &str, value: &str) -> bool {
    use tradewind_repo::python::Resolution;
    let importer = if folder.is_empty() {
        "conftest.py".to_owned()
    } else {
        format!("{folder}/conftest.py")
    };
    match context.code.resolve_module(&importer, value) {
        Resolution::File { .. } | Resolution::Folder { .. } | Resolution::Undecided { .. } => true,
        // The name of the project itself is no proof that such a package is installed.
        _ => false,
    }
}
