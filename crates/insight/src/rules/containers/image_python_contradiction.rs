//! Images with another Python than the project asks for.

use tradewind_repo::project::dockerfile::Image;
use tradewind_repo::project::version::{Operator, Specifier, Specifiers, Version};

use crate::finding::{Area, Confidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};

/// Images with another Python than the project asks for.
#[derive(Debug)]
pub struct ImagePythonContradiction;

const ABOUT: About = About {
    id: "image-python-contradiction",
    title: "Images with another Python than the project asks for",
    area: Area::Containers,
    severity: Severity::High,
    confidence: Confidence::Possible,
    timeframe: Timeframe::Immediate,
    impact: "The package refuses to install in the image, or the bot runs on a Python that no test has seen.",
    action: "Use the Python that the project declares, in the image and in CI.",
    after: &[],
};

impl Rule for ImagePythonContradiction {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        for file in &context.project.dockerfiles {
            let Some((line, name)) = file.base_image() else {
                continue;
            };
            let Some(image) = Image::parse(name) else {
                continue;
            };
            let Some(python) = image.python().and_then(Version::parse) else {
                continue;
            };
            let is_minor = python.release().len() <= 2;
            if python.release().len() < 2 {
                continue;
            }
            let operator = if is_minor {
                Operator::Prefix
            } else {
                Operator::Equal
            };
            let runs = Specifiers(vec![Specifier {
                operator,
                version: python.clone(),
            }]);
            // A service in a folder of its own, built from what lies there, asks nothing of the root.
            let context_folder = context.project.build_context(context.tree, file);
            let beside = |path: &str| {
                let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
                folder == file.folder() || context_folder.as_deref() == Some(folder)
            };
            let mut is_told = false;
            for manifest in context
                .project
                .manifests
                .iter()
                .filter(|manifest| beside(&manifest.path))
            {
                let (Some(asked), Some(versions)) = (&manifest.python, &manifest.python_versions)
                else {
                    continue;
                };
                if versions.fits_with(&runs) {
                    continue;
                }
                let title = format!(
                    "{} runs Python {python}, {} asks for {}",
                    file.path, manifest.path, asked.value
                );
                let mut evidence = vec![
                    context.quote_with(&file.path, line, &format!("Python {python}")),
                    context.quote(&manifest.path, asked.line),
                ];
                let pins = context.project.python_pins.iter();
                evidence.extend(
                    pins.filter(|(path, pin)| beside(path) && differs(&pin.value, &python))
                        .map(|(path, pin)| context.quote(path, pin.line)),
                );
                findings.add(title, evidence);
                is_told = true;
            }
            for (path, pin) in context
                .project
                .python_pins
                .iter()
                .filter(|(path, pin)| !is_told && beside(path) && differs(&pin.value, &python))
            {
                let title = format!(
                    "{} runs Python {python}, {path} pins {}",
                    file.path, pin.value
                );
                let evidence = vec![
                    context.quote(&file.path, line),
                    context.quote(path, pin.line),
                ];
                findings.add(title, evidence).severity = Severity::Medium;
            }
        }
    }
}

/// Says whether a pinned Python is another minor version than that of an image.
fn differs(pin: &str, python: &Version) -> bool {
    Version::parse(pin)
        .filter(|pinned| pinned.release().len() >= 2)
        .is_some_and(|pinned| {
            let mut pairs = pinned.release().iter().zip(python.release()).take(2);
            pairs.any(|(one, other)| one != other)
        })
}
