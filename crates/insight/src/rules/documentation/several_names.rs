//! `several-names`.

use crate::finding::{Area, Confidence, Evidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};

/// Several names for one project.
pub(super) struct SeveralNames;

const ABOUT: About = About {
    id: "several-names",
    title: "Several names for one project",
    area: Area::Documentation,
    severity: Severity::Low,
    confidence: Confidence::Possible,
    timeframe: Timeframe::Month,
    impact: "Alerts, images and packages cannot be matched to the repository they came from.",
    action: "Choose one name and write it everywhere.",
    after: &[],
};

impl Rule for SeveralNames {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        // Names that machines read, and the title that people read.
        let mut machine: Vec<(String, Evidence)> = Vec::new();
        for manifest in context
            .project
            .manifests
            .iter()
            .filter(|manifest| !manifest.path.contains('/'))
        {
            if let Some(name) = &manifest.name {
                machine.push((
                    name.value.to_string(),
                    Evidence::at(
                        manifest.path.as_ref(),
                        name.line,
                        format!("name {}", name.value),
                    ),
                ));
            }
        }
        if let Some(entry) = context
            .documents
            .project_json
            .as_ref()
            .and_then(|file| file.get(&["name"]))
        {
            machine.push((
                entry.value.to_string(),
                Evidence::at("project.json", entry.line, format!("name {}", entry.value)),
            ));
        }
        let mut names: Vec<(String, Evidence)> = Vec::new();
        let readme = context.documents.readme();
        if let Some((readme, title)) = readme.and_then(|readme| Some((readme, readme.title()?)))
            && title.text.split_whitespace().count() == 1
            && !machine.is_empty()
        {
            names.push((
                title.text.to_string(),
                Evidence::at(
                    readme.path.as_ref(),
                    title.line,
                    format!("title {}", title.text),
                ),
            ));
        }
        names.extend(machine.iter().cloned());
        let mut kinds: Vec<String> = Vec::new();
        for (name, _) in &names {
            let name = plain(name);
            if !name.is_empty()
                && !kinds
                    .iter()
                    .any(|kind| kind.contains(&name) || name.contains(kind.as_str()))
            {
                kinds.push(name);
            }
        }
        let machine_kinds: std::collections::BTreeSet<String> =
            machine.iter().map(|(name, _)| plain(name)).collect();
        // A title that differs from one package name is style; two files that machines read must agree.
        if kinds.len() < 2 || machine_kinds.len() < 2 {
            return;
        }
        let shown: Vec<&str> = names.iter().map(|(name, _)| name.as_str()).collect();
        let title = format!("One project, several names: {}", shown.join(", "));
        findings.add(
            title,
            names.into_iter().map(|(_, evidence)| evidence).collect(),
        );
    }
}

fn plain(name: &str) -> String {
    name.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|letter| letter.to_ascii_lowercase())
        .collect()
}
