//! The Pythons that a repository runs on: of its images, of its CI jobs, of the files that pin one.
//!
//! Not here: `requires-python`, which is a range and no machine, and what is wrong with any of them.

use tradewind_repo::project::dockerfile::Image;
use tradewind_repo::project::shell::{Origin, commands};
use tradewind_repo::project::version::Version;
use tradewind_repo::project::workflow::Job;

use crate::declared::folder_of;
use crate::rule::Context;
use crate::tables::releases::newest_python;

/// One place that names a Python.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its file.
    pub path: String,
    /// Its line.
    pub line: u32,
    /// Minor version of Python 3.
    pub minor: u64,
    /// Whether it is of a CI job that installs nothing of the repository, only tools by their names.
    pub is_for_tools: bool,
}

/// The Pythons that a repository runs on.
#[derive(Debug)]
pub struct Pythons {
    places: Vec<Place>,
    /// Images without a version, on a day for which the table of Pythons does not say which one they have.
    pub undated: Vec<Box<str>>,
}

impl Pythons {
    /// Collects them from images, CI and pins; `requires-python` is a range and no machine.
    pub fn of(context: &Context<'_>) -> Self {
        let project = context.project;
        let mut places = Vec::new();
        let mut undated = Vec::new();
        let mut add = |path: &str, line: u32, minor: Option<u64>, is_for_tools: bool| {
            places.extend(minor.map(|minor| Place {
                path: path.to_owned(),
                line,
                minor,
                is_for_tools,
            }));
        };
        for file in &project.dockerfiles {
            let Some((line, name)) = file.base_image() else {
                continue;
            };
            let Some(image) = Image::parse(name) else {
                continue;
            };
            let is_newest = image.name.as_ref() == "python"
                && image
                    .tag
                    .as_deref()
                    .is_none_or(|tag| matches!(tag, "latest" | "3" | "slim" | "3-slim"));
            if !is_newest {
                add(&file.path, line, image.python().and_then(minor_of), false);
                continue;
            }
            let newest = newest_python(context.today);
            if newest.is_none() {
                undated.push(file.path.clone());
            }
            add(&file.path, line, newest, false);
        }
        for (path, pin) in &project.python_pins {
            add(path, pin.line, minor_of(&pin.value), false);
        }
        for workflow in &project.workflows {
            for job in &workflow.jobs {
                let is_for_tools = installs(job) == Installs::Tools;
                for (line, minor) in pythons_of_job(job) {
                    add(&workflow.path, line, Some(minor), is_for_tools);
                }
            }
        }
        Self { places, undated }
    }

    /// Returns all of them.
    pub fn all(&self) -> impl Iterator<Item = &Place> {
        self.places.iter()
    }

    /// Returns those of a folder; CI and pins at the root speak for the root.
    pub fn of_folder<'p>(&'p self, folder: &'p str) -> impl Iterator<Item = &'p Place> {
        self.places.iter().filter(move |place| {
            let own = if place.path.starts_with(".github/") {
                ""
            } else {
                folder_of(&place.path)
            };
            own == folder
        })
    }
}

/// Returns the minor version of a Python 3 as people write it: `3.12`, `3.12.1`, `3.12.x`.
fn minor_of(text: &str) -> Option<u64> {
    match Version::parse(text.trim_end_matches(".x"))?.release() {
        [3, minor, ..] => Some(*minor),
        _ => None,
    }
}

/// Returns the Pythons that a job sets up, as line and minor version of Python 3; those of a matrix, too.
pub fn pythons_of_job(job: &Job) -> Vec<(u32, u64)> {
    let mut found = Vec::new();
    let uses = job.steps.iter().filter(|step| {
        matches!(
            step.action().as_deref(),
            Some("actions/setup-python" | "astral-sh/setup-uv")
        )
    });
    for given in uses.filter_map(|step| step.given("python-version")) {
        let axis = given
            .text()
            .and_then(|text| text.trim().strip_prefix("${{"))
            .map(|text| text.trim_end_matches("}}").trim());
        let values = match axis.and_then(|axis| axis.strip_prefix("matrix.")) {
            Some(axis) => job
                .matrix
                .iter()
                .find(|(name, _)| name.value.as_ref() == axis)
                .map(|(_, values)| values),
            None => Some(given),
        };
        // `3.10` without quotes is Python 3.1: another rule says so.
        let values = values.map_or(&[][..], |values| values.items()).iter();
        found.extend(
            values
                .filter(|value| value.shortened_number().is_none())
                .filter_map(|value| Some((value.line, minor_of(value.text()?)?))),
        );
    }
    found
}

/// What a CI job installs of the repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Installs {
    /// The package of the root: the installer compares its Python with `requires-python`.
    Package,
    /// Packages by their names, and nothing that the repository declares.
    Tools,
    /// Something else, or nothing that can be seen.
    Unknown,
}

/// Says what a CI job installs of the repository.
pub fn installs(job: &Job) -> Installs {
    let mut installs = Installs::Unknown;
    for step in &job.steps {
        let Some(run) = &step.run else { continue };
        for command in commands(&run.value, Origin::at(run.line)) {
            let words: Vec<&str> = command
                .words
                .iter()
                .map(|word| word.text.as_ref())
                .collect();
            let at = words.windows(2).position(|pair| {
                matches!(
                    pair,
                    ["pip" | "pip3" | "poetry" | "pdm" | "pipenv", "install"]
                )
            });
            let Some((tool, given)) =
                at.and_then(|at| Some((*words.get(at)?, words.get(at + 2..)?)))
            else {
                let program = words.first().copied().unwrap_or_default();
                // Who knows what these install.
                if matches!(
                    program,
                    "make" | "tox" | "nox" | "hatch" | "uv" | "conda" | "bash" | "sh"
                ) {
                    return Installs::Unknown;
                }
                continue;
            };
            let is_root = |word: &&&str| **word == "." || word.starts_with(".[");
            let is_package = match tool {
                "poetry" | "pdm" => true,
                _ => given.iter().any(|word| is_root(&word)),
            };
            if is_package && step.directory.is_none() {
                return Installs::Package;
            }
            let is_by_name = tool.starts_with("pip")
                && tool != "pipenv"
                && !given.iter().any(|word| {
                    word.starts_with("-r")
                        || word.starts_with("--req")
                        || word.contains(['/', '$'])
                        || word.contains(".txt")
                });
            if !is_by_name {
                return Installs::Unknown;
            }
            installs = Installs::Tools;
        }
    }
    installs
}
