//! Commits that delete much of the project at once, and whether it came back.
//!
//! Counted are files that people wrote: no generated trees, data or documents, nothing that lives on under the same
//! name elsewhere. A deletion that never came back and says what it removes is housekeeping.

use std::collections::{BTreeMap, HashMap, HashSet};

use tradewind_repo::generated;
use tradewind_repo::history::{Commit, Deed, History, PathId};
use tradewind_repo::worktree::deletions;

use super::past::{self, Past, Purpose, Step};
use crate::finding::{Area, Confidence, Evidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};

const ABOUT: About = About {
    id: "mass-deletion",
    title: "Commits that delete much of the project at once",
    area: Area::History,
    severity: Severity::Medium,
    confidence: Confidence::Possible,
    timeframe: Timeframe::Month,
    impact: "Whoever deployed main in between ran a bot without these files; if nobody notices, they stay \
             lost.",
    action: "Guard against mass deletions before they are committed, and check that what did not come back was \
             meant to go.",
    after: &[],
};

/// Deletions told one by one.
const MAX_FINDINGS: usize = 5;
/// Share of the deleted files that must come back for the deletion to have been a mistake: one in this many.
const BACK_SHARE: usize = 5;
/// Days after which a mistake that was mended is only worth knowing.
const OLD_DAYS: i64 = 365;

/// Deleted, and what became of it.
struct Deletion<'a> {
    step: Step<'a>,
    // Written files that went.
    gone: Vec<PathId>,
    total: usize,
    // Those that came back, and by which commits, in their order.
    back: Vec<(&'a Commit, usize)>,
}

/// The rule.
pub(super) struct MassDeletion;

impl Rule for MassDeletion {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        let Some(past) = Past::of(context, findings) else {
            return;
        };
        let mut found: Vec<Deletion<'_>> = all(&past);
        // What went and came years ago is repaired, and nobody does it differently for being told.
        found.retain(|deletion| past::is_recent(context, deletion.step.commit));
        let more = found.len().saturating_sub(MAX_FINDINGS);
        // The newest matter most.
        found.reverse();
        found.truncate(MAX_FINDINGS);
        let newest = context.history.commits.first();
        for deletion in &found {
            tell(context.history, deletion, newest, findings);
        }
        if more > 0 {
            findings.not_checked(format!(
                "{more} older mass deletions are not told one by one"
            ));
        }
    }
}

/// Returns the paths that mass deletions took, for the rule that looks at single ones.
pub(super) fn paths(past: &Past<'_>) -> HashSet<PathId> {
    all(past)
        .into_iter()
        .flat_map(|deletion| deletion.gone)
        .collect()
}

fn all<'a>(past: &Past<'a>) -> Vec<Deletion<'a>> {
    let mut open: Vec<Deletion<'a>> = Vec::new();
    let mut where_gone: HashMap<PathId, usize> = HashMap::new();
    for step in &past.steps {
        returns(&mut open, &mut where_gone, step);
        let (gone, total) = written(past.history, step.commit);
        let bound = deletions::threshold(step.files_before as u64);
        if step.commit.parents.is_empty() || (gone.len() as u64) < bound {
            continue;
        }
        for path in &gone {
            where_gone.insert(*path, open.len());
        }
        open.push(Deletion {
            step: *step,
            gone,
            total,
            back: Vec::new(),
        });
    }
    open.retain(is_mistake);
    open
}

fn returns<'a>(
    open: &mut [Deletion<'a>],
    where_gone: &mut HashMap<PathId, usize>,
    step: &Step<'a>,
) {
    for change in &step.commit.changes {
        if !matches!(change.deed, Deed::Added | Deed::Renamed { .. }) {
            continue;
        }
        let Some(deletion) = where_gone
            .remove(&change.path)
            .and_then(|at| open.get_mut(at))
        else {
            continue;
        };
        match deletion.back.last_mut() {
            Some((commit, count)) if commit.id == step.commit.id => *count += 1,
            _ => deletion.back.push((step.commit, 1)),
        }
    }
}

/// Returns the written files that a commit deletes and does not put elsewhere, and how many it deletes in all.
fn written(history: &History, commit: &Commit) -> (Vec<PathId>, usize) {
    let name = |path: PathId| {
        let path = history.path(path);
        path.rsplit_once('/').map_or(path, |(_, name)| name)
    };
    let added: HashSet<&str> = commit
        .changes
        .iter()
        .filter(|change| change.deed == Deed::Added)
        .map(|change| name(change.path))
        .collect();
    let deleted = commit
        .changes
        .iter()
        .filter(|change| change.deed == Deed::Deleted)
        .filter(|change| generated::root_of(history.path(change.path)).is_none());
    let deleted: Vec<PathId> = deleted.map(|change| change.path).collect();
    let total = deleted.len();
    let is_written = |path: &PathId| {
        let purpose = past::purpose(history.path(*path));
        let moved = added.contains(name(*path)) && name(*path) != "__init__.py";
        !moved && !matches!(purpose, Purpose::Data | Purpose::Documents | Purpose::Other)
    };
    (deleted.into_iter().filter(is_written).collect(), total)
}

fn came_back(deletion: &Deletion<'_>) -> usize {
    deletion.back.iter().map(|(_, count)| count).sum()
}

fn is_mistake(deletion: &Deletion<'_>) -> bool {
    let back = came_back(deletion);
    // One commit that brings much back says "that was wrong"; files that come one by one over years do not.
    let most = deletion.back.iter().map(|(_, count)| *count).max();
    let is_undone = most.unwrap_or(0) >= 3 && back * BACK_SHARE >= deletion.gone.len();
    let is_quiet = past::says_nothing(deletion.step.commit)
        && deletion.gone.len() * 4 >= deletion.step.files_before;
    is_undone || is_quiet
}

fn tell(
    history: &History,
    deletion: &Deletion<'_>,
    newest: Option<&Commit>,
    findings: &mut Findings,
) {
    let commit = deletion.step.commit;
    let back = came_back(deletion);
    let purposes: BTreeMap<Purpose, usize> =
        deletion.gone.iter().fold(BTreeMap::new(), |mut all, path| {
            *all.entry(past::purpose(history.path(*path))).or_default() += 1;
            all
        });
    let kinds: Vec<String> = purposes
        .iter()
        .map(|(purpose, count)| format!("{count} {}", purpose.as_str()))
        .collect();
    let mut evidence = vec![Evidence::commit(
        commit.id,
        format!(
            "{} deletes {} of {} files: {}",
            past::dated(commit),
            deletion.total,
            deletion.step.files_before,
            kinds.join(", ")
        ),
    )];
    for (commit, count) in deletion.back.iter().take(3) {
        let files = past::counted(*count, "of them", "of them");
        evidence.push(Evidence::commit(
            commit.id,
            format!("{} brings back {files}", past::dated(commit)),
        ));
    }
    let examples = deletion.gone.iter().take(5);
    evidence.extend(examples.map(|path| Evidence::file(history.path(*path), "deleted by it")));
    let fate = match (back, deletion.back.first()) {
        (0, _) | (_, None) => "; nothing came back".to_owned(),
        (_, Some((first, _))) => format!("; {back} came back, first in {}", past::quoted(first)),
    };
    let title = format!(
        "{} deletes {} of {} files{fate}",
        past::quoted(commit),
        deletion.total,
        deletion.step.files_before
    );
    let age = newest.map_or(0, |newest| {
        newest.committed_at.as_second() - commit.committed_at.as_second()
    });
    let finding = findings.add(title, evidence);
    if age > OLD_DAYS * 86_400 {
        finding.severity = Severity::Low;
    } else if back > 0 {
        finding.severity = Severity::High;
    }
}
