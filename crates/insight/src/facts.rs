//! What a report says of a repository before it judges: how large, how old, by whom, and how it grew.
//!
//! Not here: findings.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use tradewind_repo::history::{Deed, History};
use tradewind_repo::tree::Tree;

use crate::sources::Sources;

/// Columns of the picture of the history: more would be thinner than a pixel of a phone.
const MAX_COLUMNS: usize = 120;

/// Figures and facts of one repository.
#[derive(Clone, Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "four independent answers, not states of one thing"
)]
pub struct Facts {
    /// Files that git has.
    pub tracked_files: usize,
    /// Python files, untracked ones included.
    pub python_files: usize,
    /// Lines in them.
    pub python_lines: u64,
    /// Python files that hold tests, by their names.
    pub test_files: usize,
    /// CI workflows.
    pub workflows: usize,
    /// Container and compose files.
    pub container_files: usize,
    /// Pages: Markdown and reStructuredText.
    pub pages: usize,
    /// Whether there is a README, a changelog, a licence.
    pub has_readme: bool,
    /// Likewise.
    pub has_changelog: bool,
    /// Likewise.
    pub has_licence: bool,
    /// Commits reachable from HEAD.
    pub commits: usize,
    /// Merges among them.
    pub merges: usize,
    /// Different addresses of authors.
    pub authors: usize,
    /// Whether the clone is shallow, so that the figures of history are a lower bound.
    pub is_shallow: bool,
    /// How it grew.
    pub growth: Growth,
}

/// Commits, deletions and tags over time.
#[derive(Clone, Debug, Default)]
pub struct Growth {
    /// Equal spans of time without gaps, oldest first.
    pub columns: Vec<Column>,
    /// Days in each.
    pub column_days: i32,
    /// Tags: column and name.
    pub tags: Vec<(usize, String)>,
    /// Days of the first and the last commit.
    pub days: Option<(Date, Date)>,
}

/// One span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its first day, in UTC.
    pub start: Date,
    /// Commits in it.
    pub commits: u32,
    /// Files deleted in it.
    pub deleted_files: u32,
}

impl Facts {
    /// Counts.
    pub fn of(sources: &Sources) -> Self {
        let mut facts = Self::of_tree(&sources.tree);
        let history = &sources.history;
        facts.python_files = sources.code.modules.len();
        facts.python_lines = sources
            .code
            .modules
            .iter()
            .map(|module| u64::from(module.lines))
            .sum();
        facts.commits = history.commits.len();
        facts.merges = history
            .commits
            .iter()
            .filter(|commit| commit.parents.len() > 1)
            .count();
        let mut authors: Vec<_> = history
            .commits
            .iter()
            .filter_map(|commit| history.people.get(commit.author as usize))
            .map(|person| person.email.to_lowercase())
            .collect();
        authors.sort_unstable();
        authors.dedup();
        facts.authors = authors.len();
        facts.is_shallow = history.is_shallow;
        facts.growth = Growth::of(history);
        facts
    }

    fn of_tree(tree: &Tree) -> Self {
        let mut facts = Self::default();
        for file in tree.tracked() {
            facts.tracked_files += 1;
            let path = file.path.to_lowercase();
            let name = path.rsplit('/').next().unwrap_or_default();
            let is_at_top = !path.contains('/');
            let (stem, suffix) = name.rsplit_once('.').unwrap_or((name, ""));
            if suffix == "py" && (stem.starts_with("test_") || stem.ends_with("_test")) {
                facts.test_files += 1;
            }
            if path.starts_with(".github/workflows/") && matches!(suffix, "yml" | "yaml") {
                facts.workflows += 1;
            }
            if name.starts_with("dockerfile")
                || suffix == "dockerfile"
                || ((name.starts_with("docker-compose") || name.starts_with("compose."))
                    && matches!(suffix, "yml" | "yaml"))
            {
                facts.container_files += 1;
            }
            facts.pages += usize::from(matches!(suffix, "md" | "rst"));
            if is_at_top {
                facts.has_readme |= stem == "readme";
                facts.has_changelog |= matches!(stem, "changelog" | "changes" | "history" | "news");
                facts.has_licence |= stem.starts_with("license") || stem.starts_with("licence");
            }
        }
        facts
    }
}

fn day(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

impl Growth {
    fn of(history: &History) -> Self {
        let days = || history.commits.iter().map(|commit| day(commit.authored_at));
        let (Some(first), Some(last)) = (days().min(), days().max()) else {
            return Self::default();
        };
        let span = (last - first).get_days();
        let columns = i32::try_from(MAX_COLUMNS).unwrap_or(i32::MAX);
        let column_days = (span / columns + 1).max(1);
        let column = |date: Date| {
            let days = (date - first).get_days().clamp(0, span);
            usize::try_from(days / column_days).unwrap_or_default()
        };
        let mut growth = Self {
            columns: Vec::new(),
            column_days,
            tags: Vec::new(),
            days: Some((first, last)),
        };
        for at in 0..=column(last) {
            let days = i32::try_from(at).unwrap_or_default() * column_days;
            let start = first.checked_add(days.days()).unwrap_or(first);
            growth.columns.push(Column {
                start,
                commits: 0,
                deleted_files: 0,
            });
        }
        for commit in &history.commits {
            let deleted = commit
                .changes
                .iter()
                .filter(|change| change.deed == Deed::Deleted)
                .count();
            if let Some(column) = growth.columns.get_mut(column(day(commit.authored_at))) {
                column.commits += 1;
                column.deleted_files += u32::try_from(deleted).unwrap_or(u32::MAX);
            }
        }
        growth.tags = history
            .tags
            .iter()
            .map(|tag| (column(day(tag.at)), tag.name.to_string()))
            .collect();
        growth
    }
}
