//! `parallel-trees`: two folders that hold the same program twice.

use std::collections::{BTreeMap, BTreeSet};

use tradewind_repo::python::{Code, Module};

use crate::finding::{Area, Confidence, Evidence, Severity, Timeframe};
use crate::quotes::{grouped, has_end, is_foreign, is_shelved};
use crate::rule::{About, Context, Findings, Rule};

static ABOUT: About = About {
    id: "parallel-trees",
    title: "Two folders for one purpose",
    area: Area::Structure,
    severity: Severity::Medium,
    confidence: Confidence::Possible,
    timeframe: Timeframe::Month,
    impact: "Half of the corrections go into the folder that nobody runs.",
    action: "Keep the folder that runs, and delete the other.",
    after: &[],
};

/// Fewer files of one name say little.
const MIN_FILES: usize = 4;

/// Names that frameworks give to files, which say nothing.
const USUAL: &[&str] = &[
    "__init__.py",
    "__main__.py",
    "conftest.py",
    "setup.py",
    "urls.py",
    "views.py",
    "admin.py",
    "apps.py",
    "models.py",
    "tests.py",
    "forms.py",
    "serializers.py",
    "settings.py",
    "wsgi.py",
    "asgi.py",
    "manage.py",
];

/// Two folders with the same files.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    one: String,
    other: String,
    names: Vec<String>,
}

impl Pair {
    /// Says whether a folder is one of the two.
    pub(crate) fn holds(&self, folder: &str) -> bool {
        folder == self.one || folder == self.other
    }
}

/// More pairs than this have one cause.
const MAX_APART: usize = 2;

/// The rule.
pub struct ParallelTrees;

impl Rule for ParallelTrees {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        let pairs = pairs(context);
        // Copies of copies are one way of working, told once.
        if pairs.len() > MAX_APART {
            let mut folders: Vec<&str> = Vec::new();
            for pair in &pairs {
                for folder in [&pair.one, &pair.other] {
                    if !folders.contains(&folder.as_str()) {
                        folders.push(folder);
                    }
                }
            }
            let evidence = pairs.iter().filter_map(|pair| {
                let path = joined(&pair.one, pair.names.first()?);
                let note = format!("{} modules are in {} too", pair.names.len(), pair.other);
                Some(Evidence::at(path, 1, note))
            });
            let title = format!("{} folders hold copies of the same modules", folders.len());
            grouped(findings, title, evidence.collect());
            return;
        }
        for pair in pairs {
            let evidence: Vec<Evidence> = pair
                .names
                .iter()
                .map(|name| {
                    let path = joined(&pair.one, name);
                    let other = joined(&pair.other, name);
                    Evidence::at(path, 1, format!("most of it is in {other} too"))
                })
                .collect();
            let shown = |folder: &str| {
                if folder.is_empty() {
                    "the root".to_owned()
                } else {
                    folder.to_owned()
                }
            };
            grouped(
                findings,
                format!(
                    "{} and {} hold the same {} modules",
                    shown(&pair.one),
                    shown(&pair.other),
                    pair.names.len()
                ),
                evidence,
            );
        }
    }
}

fn joined(folder: &str, name: &str) -> String {
    if folder.is_empty() {
        name.to_owned()
    } else {
        format!("{folder}/{name}")
    }
}

/// Finds folders that hold the same modules.
pub(crate) fn pairs(context: &Context<'_>) -> Vec<Pair> {
    let mut folders: BTreeMap<&str, BTreeMap<&str, &Module>> = BTreeMap::new();
    for module in &context.code.modules {
        let (folder, name) = module.path.rsplit_once('/').unwrap_or(("", &module.path));
        if has_end(name, "py")
            && !USUAL.contains(&name)
            && !is_foreign(folder)
            && !is_shelved(&module.path)
            && !Code::is_test(&module.path)
        {
            folders.entry(folder).or_default().insert(name, module);
        }
    }
    let mut by_name: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (folder, files) in &folders {
        for name in files.keys() {
            by_name.entry(name).or_default().push(folder);
        }
    }
    let mut shared: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for (name, folders) in &by_name {
        // A name that is everywhere is a convention.
        if folders.len() > 8 {
            continue;
        }
        for (at, one) in folders.iter().enumerate() {
            for other in folders.iter().skip(at + 1) {
                shared.entry((one, other)).or_default().push(name);
            }
        }
    }
    let mut found = Vec::new();
    for ((one, other), names) in shared {
        let (Some(here), Some(there)) = (folders.get(one), folders.get(other)) else {
            continue;
        };
        let alike: Vec<String> = names
            .iter()
            .filter(|name| matches!((here.get(*name), there.get(*name)), (Some(a), Some(b)) if are_alike(a, b)))
            .map(|name| (*name).to_owned())
            .collect();
        let smaller = here.len().min(there.len());
        if alike.len() >= MIN_FILES && alike.len() * 2 >= smaller {
            found.push(Pair {
                one: one.to_owned(),
                other: other.to_owned(),
                names: alike,
            });
        }
    }
    found
}

/// Whether two modules define mostly the same things.
fn are_alike(one: &Module, other: &Module) -> bool {
    let names = |module: &Module| -> BTreeSet<Box<str>> {
        module
            .functions
            .iter()
            .filter(|function| !function.name.starts_with("__"))
            .map(|function| function.qualified.clone())
            .chain(module.classes.iter().map(|class| class.qualified.clone()))
            .collect()
    };
    let (here, there) = (names(one), names(other));
    let both = here.intersection(&there).count();
    let bodies: BTreeSet<u64> = one
        .functions
        .iter()
        .map(|f| f.body_hash)
        .filter(|hash| *hash != 0)
        .collect();
    let same_bodies = other
        .functions
        .iter()
        .filter(|f| bodies.contains(&f.body_hash))
        .count();
    both >= 2 && both * 2 >= here.len().max(there.len()) && (same_bodies > 0 || bodies.is_empty())
}
