//! One thing that is wrong, in the words of the report's contract.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which part of the owner's work suffers.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Area {
    /// Does it run at all.
    Runs,
    /// Tests.
    Tests,
    /// CI and hooks.
    Ci,
    /// Containers.
    Containers,
    /// Secrets and safety.
    Safety,
    /// Market data.
    MarketData,
    /// Trading.
    Trading,
    /// Documentation.
    Documentation,
    /// Structure.
    Structure,
    /// History.
    History,
}

/// How much it hurts.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Low,
    /// Costs time sooner or later.
    Medium,
    /// Breaks something that the owner relies on.
    High,
    /// Loses money or keys, or nothing runs.
    Critical,
}

/// How sure the rule is, in measured terms; `docs/decisions/0015-confidence.md` has the figures.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// A remark: an opinion, a guess of size, or a shape of which fewer than nine of ten were right when they were
    /// measured. Not counted, and shown on request.
    Possible,
    /// Nine of ten of this shape were right on repositories that nobody had opened before, or its claim can be decided
    /// by reading the repository.
    Likely,
    /// Read from the tree without a guess: it follows from the quoted facts.
    Certain,
}

/// When it should be repaired.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Timeframe {
    /// Before the next run.
    Immediate,
    /// This week.
    Week,
    /// This month.
    Month,
}

/// A quoted fact. The first one of a finding is where the finding points.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// Path with `/`; null for facts about the whole repository.
    pub path: Option<String>,
    /// Line, the first is 1.
    pub line: Option<u32>,
    /// Commit, for facts of history.
    pub commit: Option<String>,
    /// The fact: a quoted line, a name, a count. Never the value of a secret.
    pub note: String,
}

/// How to repair it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Fix {
    /// A command to run at the repository's root.
    Command {
        /// The line.
        command: String,
    },
    /// A patch that `git apply` takes.
    Patch {
        /// The unified diff.
        patch: String,
    },
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// Which rule found it: `unresolved-import`.
    pub rule: String,
    /// What is wrong, in one line with the names: "bot/cli.py imports lib.sessions, which no commit holds".
    pub title: String,
    /// Part of the owner's work.
    pub area: Area,
    /// How much it hurts.
    pub severity: Severity,
    /// How sure the rule is.
    pub confidence: Confidence,
    /// The facts; never empty.
    pub evidence: Vec<Evidence>,
    /// What it costs a trader, in one or two sentences.
    pub impact: String,
    /// When it should be repaired.
    pub timeframe: Timeframe,
    /// What to do, in one sentence.
    pub action: String,
    /// How, where a command or patch exists.
    pub fix: Option<Fix>,
}

impl Area {
    /// Every area, in the order in which a report speaks of them.
    pub const ALL: &[Self] = &[
        Self::Runs,
        Self::Tests,
        Self::Ci,
        Self::Containers,
        Self::Safety,
        Self::MarketData,
        Self::Trading,
        Self::Documentation,
        Self::Structure,
        Self::History,
    ];

    /// Returns the name in the report's contract: `market_data`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Runs => "runs",
            Self::Tests => "tests",
            Self::Ci => "ci",
            Self::Containers => "containers",
            Self::Safety => "safety",
            Self::MarketData => "market_data",
            Self::Trading => "trading",
            Self::Documentation => "documentation",
            Self::Structure => "structure",
            Self::History => "history",
        }
    }
}

impl Severity {
    /// Returns the name in the report's contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl Confidence {
    /// Returns the name in the report's contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Possible => "possible",
            Self::Likely => "likely",
            Self::Certain => "certain",
        }
    }
}

impl Finding {
    /// Says whether it is a remark: shown on request, and not counted.
    pub fn is_remark(&self) -> bool {
        self.confidence == Confidence::Possible
    }
}

impl Timeframe {
    /// Returns the name in the report's contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Immediate => "immediate",
            Self::Week => "week",
            Self::Month => "month",
        }
    }
}

impl Evidence {
    /// A fact at a line of a file.
    pub fn at(path: impl Into<String>, line: u32, note: impl Into<String>) -> Self {
        Self {
            path: Some(path.into()),
            line: Some(line),
            commit: None,
            note: note.into(),
        }
    }

    /// A fact about a whole file, or about one that is absent.
    pub fn file(path: impl Into<String>, note: impl Into<String>) -> Self {
        Self {
            path: Some(path.into()),
            line: None,
            commit: None,
            note: note.into(),
        }
    }

    /// A fact about a commit.
    pub fn commit(commit: tradewind_repo::Oid, note: impl Into<String>) -> Self {
        Self {
            path: None,
            line: None,
            commit: Some(commit.to_string()),
            note: note.into(),
        }
    }

    /// A fact about the whole repository.
    pub fn repository(note: impl Into<String>) -> Self {
        Self {
            path: None,
            line: None,
            commit: None,
            note: note.into(),
        }
    }
}
