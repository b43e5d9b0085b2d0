//! Entry points that do not exist.

use std::collections::BTreeMap;

use crate::gone::deletion;
use tradewind_repo::project::commands::{Use, mentions};
use tradewind_repo::project::compose::Started;
use tradewind_repo::project::data::At;
use tradewind_repo::project::image::{Image, quoted, script_of};
use tradewind_repo::project::manifest::Manifest;
use tradewind_repo::project::presence::Presence;
use tradewind_repo::project::requirement::{join, normalized};
use tradewind_repo::project::shell::Origin;
use tradewind_repo::python::{Definition, Resolution};

use crate::finding::{Area, Confidence, Evidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};

/// Entry points that do not exist.
#[derive(Debug)]
pub struct EntryPointMissing;

const ABOUT: About = About {
    id: "entry-point-missing",
    title: "Entry points that do not exist",
    area: Area::Runs,
    severity: Severity::High,
    confidence: Confidence::Certain,
    timeframe: Timeframe::Immediate,
    impact: "The command, container or job ends at once with an error; where it should watch a position, nobody does.",
    action: "Point it at what exists today, or bring the file back.",
    after: &[],
};

impl Rule for EntryPointMissing {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        let mut lost = Lost::new();
        for manifest in &context.project.manifests {
            console_scripts(context, manifest, &mut lost, findings);
        }
        images(context, &mut lost, findings);
        scripts(context, &mut lost, findings);
        for ((what, _), places) in lost {
            let Some(first) = places.first() else {
                continue;
            };
            let more = if places.len() > 1 {
                format!(" (and {} more)", places.len() - 1)
            } else {
                String::new()
            };
            let title = format!(
                "{} {} {what}, which does not exist{more}",
                first.path, first.verb
            );
            let mut evidence: Vec<Evidence> = places
                .iter()
                .map(|place| context.quote(&place.path, place.line))
                .collect();
            evidence.extend(
                first
                    .candidates
                    .iter()
                    .find_map(|path| deletion(context.history, path)),
            );
            findings.add(title, evidence);
        }
    }
}

/// One place that names something.
struct Place {
    path: String,
    line: u32,
    verb: &'static str,
    /// Paths where it may have been.
    candidates: Vec<String>,
}

/// What is missing, by what is written and where it would be: all places are one cause.
type Lost = BTreeMap<(String, String), Vec<Place>>;

fn console_scripts(
    context: &Context<'_>,
    manifest: &Manifest,
    lost: &mut Lost,
    findings: &mut Findings,
) {
    for (name, target) in &manifest.scripts {
        let (module, function) = target.split_once(':').unwrap_or((target, ""));
        // `desk.__init__:main` is the package by a longer name.
        let module = module.trim().trim_end_matches(".__init__");
        let (module, function) = (
            module.trim(),
            function.split(['[', ' ']).next().unwrap_or("").trim(),
        );
        let candidates = || {
            let path = module.replace('.', "/");
            let folder = manifest
                .path
                .rsplit_once('/')
                .map_or("", |(folder, _)| folder);
            ["", "src"]
                .iter()
                .filter_map(|root| join(folder, &format!("{root}/{path}.py")))
                .collect::<Vec<_>>()
        };
        let mut add = |what: &str| {
            let place = Place {
                path: manifest.path.to_string(),
                line: name.line,
                verb: "starts",
                candidates: candidates(),
            };
            lost.entry((what.to_owned(), String::new()))
                .or_default()
                .push(place);
        };
        match context.code.resolve_module(&manifest.path, module) {
            Resolution::Missing { .. } => add(module),
            Resolution::File { path, .. } if !function.is_empty() => {
                if let Definition::Missing(..) = context.code.find_in(&path, function).what {
                    add(&format!("{module}:{function}"));
                }
            }
            Resolution::Outside { package } => {
                let is_required = context
                    .project
                    .manifests
                    .iter()
                    .flat_map(|manifest| &manifest.requirements)
                    .any(|requirement| requirement.name.contains(normalized(&package).as_ref()));
                let was_here = candidates()
                    .iter()
                    .any(|path| deletion(context.history, path).is_some());
                if was_here {
                    add(module);
                } else if !is_required {
                    findings.not_checked(format!(
                        "{}: whether a package provides {module}",
                        manifest.path
                    ));
                }
            }
            Resolution::Undecided { .. } => {
                findings.not_checked(format!("{}: where {module} lies", manifest.path));
            }
            _ => {}
        }
    }
}

fn images(context: &Context<'_>, lost: &mut Lost, findings: &mut Findings) {
    for file in &context.project.dockerfiles {
        let Some(folder) = context.project.build_context(context.tree, file) else {
            findings.not_checked(format!("{}: from which folder it is built", file.path));
            continue;
        };
        let image = Image::of(file, &folder);
        let shipped = file.shipped();
        let mut started: Vec<(String, At<String>)> = ["ENTRYPOINT", "CMD"]
            .iter()
            .filter_map(|keyword| {
                shipped
                    .iter()
                    .rev()
                    .find(|instruction| instruction.keyword.as_ref() == *keyword)
            })
            .map(|instruction| (file.path.to_string(), script_of(instruction)))
            .collect();
        for (compose, service) in crate::rules::containers::compose_of(context, file) {
            // A mounted folder may hold anything.
            if service
                .volumes
                .iter()
                .any(|volume| volume.value.starts_with('.'))
            {
                continue;
            }
            for given in [&service.entrypoint, &service.command]
                .into_iter()
                .flatten()
            {
                let text = match &given.value {
                    Started::Words(words) => quoted(words),
                    Started::Line(line) => line.to_string(),
                };
                started.push((compose.path.to_string(), At::new(given.line, text)));
            }
        }
        for (path, script) in started {
            for (mention, presence) in image.started(context.tree, &script) {
                if presence != Presence::Absent {
                    continue;
                }
                let written = mention.written.to_string();
                let as_path = if mention.usage == Use::StartsModule {
                    format!("{}.py", written.replace('.', "/"))
                } else {
                    written.clone()
                };
                let place = Place {
                    path: path.clone(),
                    line: script.line,
                    verb: "starts",
                    candidates: image.sources(context.tree, &as_path),
                };
                lost.entry((written, "image".to_owned()))
                    .or_default()
                    .push(place);
            }
        }
    }
}

/// Says whether people start what a file lists, each on a computer of their own.
fn is_for_people(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    matches!(
        name.to_ascii_lowercase().as_str(),
        "makefile" | "gnumakefile" | "justfile" | ".justfile" | "taskfile.yml"
    )
}

fn scripts(context: &Context<'_>, lost: &mut Lost, findings: &mut Findings) {
    let roots = context.project.roots();
    // What earlier steps of the same job say: a file that they name may be theirs.
    let mut earlier: BTreeMap<(&str, String), String> = BTreeMap::new();
    for script in context.project.scripts() {
        let workflow = context
            .project
            .workflows
            .iter()
            .find(|workflow| workflow.path.as_ref() == script.path);
        let before = earlier
            .entry((script.path, script.what.clone()))
            .or_default();
        let origin = Origin {
            line: script.line,
            directory: script.directory.as_deref(),
            own_names: &[],
        };
        for mention in mentions(script.text, origin) {
            let verb = match mention.usage {
                Use::Starts | Use::StartsModule => "starts",
                Use::Requirements | Use::Installs => "installs from",
                _ => continue,
            };
            if mention.presence(context.tree, &roots) != Presence::Absent {
                continue;
            }
            let name = mention
                .written
                .rsplit('/')
                .next()
                .unwrap_or(&mention.written);
            if workflow.is_some() && before.contains(name) {
                continue;
            }
            // `node dist/index.js`: what a build writes is ignored, and there once it has run. What a `make` target
            // starts out of an ignored folder is somebody's own and was left out on purpose.
            let is_built = (script.path.ends_with("package.json") || is_for_people(script.path))
                && mention
                    .place
                    .as_deref()
                    .is_some_and(|place| context.documents.is_ignored(place));
            if is_built {
                continue;
            }
            if workflow.is_some_and(tradewind_repo::project::workflow::Workflow::brings_files) {
                findings.not_checked(format!(
                    "{}: a step checks out another repository or fetches files",
                    script.path
                ));
                continue;
            }
            let place = mention.place.as_deref().unwrap_or_default();
            let gone = match mention.usage {
                Use::StartsModule => {
                    join(place, &format!("{}.py", mention.written.replace('.', "/")))
                }
                _ => Some(place.to_owned()),
            };
            let place = Place {
                path: script.path.to_owned(),
                line: mention.line,
                verb,
                candidates: gone.into_iter().collect(),
            };
            let key = (
                mention.written.to_string(),
                mention.place.unwrap_or_default().to_string(),
            );
            lost.entry(key).or_default().push(place);
        }
        before.push_str(script.text);
    }
}
