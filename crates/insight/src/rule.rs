//! What a rule is, what it sees, and where it says what it found.
//!
//! A rule is one file in `rules/<area>/`, a page in `docs/rules/`, and two fixtures. [`Rule`] sees the whole
//! repository and runs every time. [`PythonRule`] sees one parsed file and nothing else, so that its
//! findings are cached by the file's blob id.

use jiff::civil::Date;
use tradewind_catalog::Catalog;
use tradewind_repo::api_map::ApiMap;
use tradewind_repo::documents::Documents;
use tradewind_repo::history::History;
use tradewind_repo::leaks::Leaks;
use tradewind_repo::project::Project;
use tradewind_repo::python::{Code, SourceFile};
use tradewind_repo::references::Names;
use tradewind_repo::tree::Tree;

use crate::finding::{Area, Confidence, Evidence, Finding, Fix, Severity, Timeframe};

/// What every finding of a rule has in common, and what the rule's page opens with.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// Name of the rule, its file and its page: `unresolved-import`.
    pub id: &'static str,
    /// What the rule looks for, in one line: "Imports that resolve to nothing".
    pub title: &'static str,
    /// Part of the owner's work.
    pub area: Area,
    /// Usual severity; a finding may differ.
    pub severity: Severity,
    /// Usual confidence; a finding may differ.
    pub confidence: Confidence,
    /// When to repair.
    pub timeframe: Timeframe,
    /// What it costs a trader; a finding may say more.
    pub impact: &'static str,
    /// What to do; a finding may say more.
    pub action: &'static str,
    /// Rules whose findings must be repaired first, because this repair depends on theirs.
    pub after: &'static [&'static str],
}

/// What a rule sees.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The files.
    pub tree: &'a Tree,
    /// The commits.
    pub history: &'a History,
    /// The Python code.
    pub code: &'a Code,
    /// CI, containers, packaging, test settings, hooks.
    pub project: &'a Project,
    /// What pages claim.
    pub documents: &'a Documents,
    /// Who refers to a file.
    pub names: &'a Names,
    /// Credentials in files and in history.
    pub leaks: &'a Leaks,
    /// Who calls which provider.
    pub api_map: &'a ApiMap,
    /// What providers are.
    pub catalog: &'a Catalog,
    /// The date of the audit: dated tables (end of life, known versions) are read as of it.
    pub today: Date,
}

/// Longest quoted line, in characters.
const MAX_QUOTE_CHARS: usize = 160;
/// Most facts of one finding; then "and N more".
pub(crate) const MAX_EVIDENCE: usize = 20;

impl Context<'_> {
    /// Quotes a line of a file as evidence: trimmed, at most 160 characters, without the user and password of
    /// an address.
    pub fn quote(&self, path: &str, line: u32) -> Evidence {
        let text = self.tree.text(path).unwrap_or_default();
        let at = usize::try_from(line)
            .unwrap_or(usize::MAX)
            .saturating_sub(1);
        let quoted = text.lines().nth(at).unwrap_or_default().trim();
        let cut: String = without_login(quoted)
            .chars()
            .take(MAX_QUOTE_CHARS)
            .collect();
        Evidence::at(path, line, cut)
    }

    /// Quotes a line and says something about it.
    pub fn quote_with(&self, path: &str, line: u32, words: &str) -> Evidence {
        let mut evidence = self.quote(path, line);
        evidence.note = if evidence.note.is_empty() {
            words.to_owned()
        } else {
            format!("{}: {words}", evidence.note.trim_end_matches(':'))
        };
        evidence
    }
}

/// Blots out `user:password@` in addresses.
fn without_login(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("://") {
        out.push_str(before);
        out.push_str("://");
        let end = after
            .find(|c: char| c.is_whitespace() || matches!(c, '/' | '"' | '\''))
            .unwrap_or(after.len());
        let (authority, behind) = after.split_at(end);
        match authority.rsplit_once('@') {
            Some((_, host)) => out.push_str(&format!("***@{host}")),
            None => out.push_str(authority),
        }
        rest = behind;
    }
    out.push_str(rest);
    out
}

/// A rule over the whole repository.
pub trait Rule: Sync {
    /// Says what the rule is.
    fn about(&self) -> &'static About;

    /// Says whether it asks for leaked credentials, the only reading of old contents.
    fn asks_for_leaks(&self) -> bool {
        self.about().area == Area::Safety
    }
    /// Looks, and says what it found and what it could not decide.
    fn check(&self, context: &Context<'_>, findings: &mut Findings);
}

/// A rule over one Python file.
pub trait PythonRule: Sync {
    /// Says what the rule is.
    fn about(&self) -> &'static About;
    /// Looks at one file.
    fn check(&self, file: &SourceFile, findings: &mut Findings);
}

/// What one rule found and could not decide.
#[derive(Debug)]
pub struct Findings {
    about: &'static About,
    found: Vec<Finding>,
    not_checked: Vec<String>,
}

impl Findings {
    /// Starts with nothing found.
    pub fn new(about: &'static About) -> Self {
        Self {
            about,
            found: Vec::new(),
            not_checked: Vec::new(),
        }
    }

    /// Adds a finding with the rule's usual words; the returned one may be made more precise.
    pub fn add(&mut self, title: impl Into<String>, mut evidence: Vec<Evidence>) -> &mut Finding {
        debug_assert!(!evidence.is_empty(), "a finding without evidence");
        if evidence.len() > MAX_EVIDENCE {
            let more = evidence.len() - MAX_EVIDENCE;
            evidence.truncate(MAX_EVIDENCE);
            evidence.push(Evidence::repository(format!("and {more} more")));
        }
        let about = self.about;
        self.found.push(Finding {
            rule: about.id.to_owned(),
            title: title.into(),
            area: about.area,
            severity: about.severity,
            confidence: about.confidence,
            evidence,
            impact: about.impact.to_owned(),
            timeframe: about.timeframe,
            action: about.action.to_owned(),
            fix: None,
        });
        let last = self.found.len() - 1;
        &mut self.found[last]
    }

    /// Says what could not be decided, and why.
    pub fn not_checked(&mut self, reason: impl Into<String>) {
        self.not_checked.push(reason.into());
    }

    /// Returns what was found and what could not be decided.
    pub fn into_parts(self) -> (Vec<Finding>, Vec<String>) {
        (self.found, self.not_checked)
    }
}

impl Finding {
    /// Adds the command that repairs it.
    pub fn command(&mut self, command: impl Into<String>) -> &mut Self {
        self.fix = Some(Fix::Command {
            command: command.into(),
        });
        self
    }
}
