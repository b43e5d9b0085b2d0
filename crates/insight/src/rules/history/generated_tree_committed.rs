//! Trees that a program makes and that were committed: environments, package stores, bytecode, build output.

use std::collections::{BTreeMap, HashSet};

use tradewind_repo::Oid;
use tradewind_repo::generated::{self, Maker};
use tradewind_repo::history::{Commit, Deed};

use super::past::{self, Past};
use crate::finding::{Area, Confidence, Evidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};

const ABOUT: About = About {
    id: "generated-tree-committed",
    title: "Environments, package stores and build output in commits",
    area: Area::History,
    severity: Severity::Low,
    confidence: Confidence::Possible,
    timeframe: Timeframe::Month,
    impact: "Every clone carries it for ever, searches drown in it, and it holds packages of one computer that \
             nobody updates.",
    action: "Take it out of the index and ignore it; rewrite history only if its size hurts.",
    after: &[],
};

/// Small leftovers that are gone again are forgiven: fewer files than these, and fewer bytes.
const MIN_FILES: usize = 10;
const MIN_BYTES: u64 = 1024 * 1024;
/// A store of JavaScript packages that is gone again matters by its weight only.
const MIN_STORE_BYTES: u64 = 8 * 1024 * 1024;

/// The rule.
pub(super) struct GeneratedTreeCommitted;

/// What is known of one root.
#[derive(Default)]
struct Found<'a> {
    maker: Option<Maker>,
    files: HashSet<&'a str>,
    tracked: usize,
    tracked_bytes: u64,
    blobs: HashSet<Oid>,
    came: Option<&'a Commit>,
    went: Option<&'a Commit>,
}

impl Rule for GeneratedTreeCommitted {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        let mut roots: BTreeMap<&str, Found<'_>> = BTreeMap::new();
        for file in context.tree.tracked() {
            if let Some((maker, end)) = generated::root_of(&file.path) {
                let found = roots.entry(root(&file.path, maker, end)).or_default();
                found.maker = Some(maker);
                found.tracked += 1;
                found.tracked_bytes += file.size;
                found.files.insert(&file.path);
            }
        }
        let past = Past::of(context, findings);
        for step in past.iter().flat_map(|past| &past.steps) {
            for change in &step.commit.changes {
                let path = context.history.path(change.path);
                let Some((maker, end)) = generated::root_of(path) else {
                    continue;
                };
                let found = roots.entry(root(path, maker, end)).or_default();
                found.maker = Some(maker);
                if change.deed == Deed::Deleted {
                    found.went = Some(step.commit);
                } else {
                    found.came.get_or_insert(step.commit);
                    found.files.insert(path);
                    found.blobs.extend(change.blob);
                }
            }
        }
        // What lies in an environment goes with it.
        let environments: Vec<String> = roots
            .iter()
            .filter(|(_, found)| found.maker == Some(Maker::Environment))
            .map(|(root, _)| format!("{root}/"))
            .collect();
        roots.retain(|root, _| !environments.iter().any(|outer| root.starts_with(outer)));
        let mut makers: BTreeMap<(bool, Maker), Vec<(&str, Found<'_>)>> = BTreeMap::new();
        for (root, found) in roots {
            if let Some(maker) = found.maker {
                let key = (found.tracked == 0, maker);
                makers.entry(key).or_default().push((root, found));
            }
        }
        for ((is_gone, maker), roots) in makers {
            let files: usize = roots.iter().map(|(_, found)| found.files.len()).sum();
            let bytes: u64 = roots.iter().map(|(_, found)| size(context, found)).sum();
            let is_small = if maker == Maker::NodeModules {
                bytes < MIN_STORE_BYTES
            } else {
                maker != Maker::Environment && files < MIN_FILES && bytes < MIN_BYTES
            };
            // What went years ago is in every clone and not worth a new history, unless it is heavy.
            let is_past = roots.iter().all(|(_, found)| {
                let last = found.went.or(found.came);
                last.is_none_or(|commit| !past::is_recent(context, commit))
            });
            // Caches that went again weigh nothing worth a thought.
            let is_cache = matches!(maker, Maker::Bytecode | Maker::ToolCache);
            if is_gone && is_cache && bytes < HEAVY_BYTES {
                continue;
            }
            if is_gone && (is_small || is_past && bytes < HEAVY_BYTES) {
                continue;
            }
            tell(context, (is_gone, maker), roots, findings);
        }
    }
}

/// From here on old weight is felt in every clone.
const HEAVY_BYTES: u64 = 20 << 20;

/// Bytes of what is tracked, or of every version that history carries.
fn size(context: &Context<'_>, found: &Found<'_>) -> u64 {
    if found.tracked > 0 {
        return found.tracked_bytes;
    }
    let sizes = found.blobs.iter();
    sizes.filter_map(|blob| context.history.size(*blob)).sum()
}

/// Names what is told as one: the root, for compiled files the folder that they lie in.
fn root(path: &str, maker: Maker, end: usize) -> &str {
    let root = path.get(..end).unwrap_or(path);
    if maker == Maker::Bytecode && end == path.len() {
        return root.rsplit_once('/').map_or(root, |(folder, _)| folder);
    }
    root
}

fn tell(
    context: &Context<'_>,
    (is_gone, maker): (bool, Maker),
    mut roots: Vec<(&str, Found<'_>)>,
    findings: &mut Findings,
) {
    // What is tracked is counted as it lies there; what is gone, as it was.
    let count = |found: &Found<'_>| {
        if is_gone {
            found.files.len()
        } else {
            found.tracked
        }
    };
    roots.sort_by_key(|(_, found)| std::cmp::Reverse(count(found)));
    let files: usize = roots.iter().map(|(_, found)| count(found)).sum();
    let bytes: u64 = roots.iter().map(|(_, found)| size(context, found)).sum();
    let mut evidence = Vec::new();
    for (root, found) in &roots {
        let files = past::counted(count(found), "file", "files");
        let note = format!(
            "{}: {files}, {}",
            maker.as_str(),
            past::size(size(context, found))
        );
        if !is_gone {
            evidence.push(Evidence::file(*root, format!("{note}, still tracked")));
            continue;
        }
        if let Some(came) = found.came {
            let note = format!("{} adds {} ({note})", past::dated(came), past::shown(root));
            evidence.push(Evidence::commit(came.id, note));
        }
        if let Some(went) = found.went {
            let note = format!("{} removes {}", past::dated(went), past::shown(root));
            evidence.push(Evidence::commit(went.id, note));
        }
    }
    if evidence.is_empty() {
        return;
    }
    let first = roots
        .first()
        .map_or(String::new(), |(root, _)| past::shown(root));
    let others = match roots.len() - 1 {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let place = if is_gone {
        "is in history"
    } else {
        "is tracked"
    };
    let title = format!(
        "{first}{others} ({}) {place}: {}, {}",
        maker.as_str(),
        past::counted(files, "file", "files"),
        past::size(bytes)
    );
    let finding = findings.add(title, past::bounded(evidence));
    if !is_gone {
        finding.confidence = Confidence::Certain;
        finding.severity = Severity::Medium;
        finding.timeframe = Timeframe::Week;
        let plain: Vec<&str> = roots.iter().map(|(root, _)| *root).collect();
        if plain.len() <= 5 && plain.iter().all(|root| past::is_plain(root)) {
            finding.command(format!("git rm -r -q --cached {}", plain.join(" ")));
        }
    }
}
