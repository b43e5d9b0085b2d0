//! Classes of calls: who goes first, what is kept for them, and how waiting makes up for it.
//!
//! When it acts: calls wait for a window. The class sets how much later than it came a call is dealt
//! with: each step below `live` counts like one ageing step (30 s) of waiting, so that a backfill that has
//! waited three steps stands beside a live call that comes now, and nobody waits for ever.
//! Reserves keep the last units of a window for higher classes, as long as one of them has asked within
//! the last hour or window; aged calls may use them. A window of 12 hours or more keeps a closing hour's
//! worth (a 24th of the limit, or the reserve when that is more) from backfill always, however long it waits.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::window::Rule;

/// How urgent a call is.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// A decision about an order waits for it.
    Live,
    /// A rule or an event asked for it.
    Triggered,
    /// A person or a program waits for it.
    #[default]
    Interactive,
    /// Nobody waits for it.
    Backfill,
}

impl Class {
    /// Every class, the most urgent first.
    pub const ALL: [Self; 4] = [
        Self::Live,
        Self::Triggered,
        Self::Interactive,
        Self::Backfill,
    ];

    /// Returns the word that stands in `X-Tradewind-Priority`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Triggered => "triggered",
            Self::Interactive => "interactive",
            Self::Backfill => "backfill",
        }
    }

    /// Returns how many steps it stands below the most urgent one.
    pub(crate) const fn rank(self) -> usize {
        match self {
            Self::Live => 0,
            Self::Triggered => 1,
            Self::Interactive => 2,
            Self::Backfill => 3,
        }
    }
}

/// Text that names no class.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no priority; there are live, triggered, interactive and backfill")]
pub struct UnknownClass(pub String);

impl FromStr for Class {
    type Err = UnknownClass;

    fn from_str(text: &str) -> Result<Self, UnknownClass> {
        Self::ALL
            .into_iter()
            .find(|class| class.as_str() == text)
            .ok_or_else(|| UnknownClass(text.chars().take(40).collect()))
    }
}

/// Shares of a window that are kept for a class and those above it, in percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Reserves {
    /// Kept for live calls. Default 5.
    pub live: u8,
    /// Kept for triggered calls and live ones. Default 5, beside the former.
    pub triggered: u8,
    /// Kept for interactive calls and those above. Default 10, beside the former.
    pub interactive: u8,
}

impl Default for Reserves {
    fn default() -> Self {
        Self {
            live: 5,
            triggered: 5,
            interactive: 10,
        }
    }
}

impl Reserves {
    /// Returns the sum of all of them, in percent.
    pub(crate) fn sum(self) -> u32 {
        u32::from(self.live) + u32::from(self.triggered) + u32::from(self.interactive)
    }

    /// Returns how many of `limit` units a call may leave taken behind it. `is_urgent_about` says
    /// whether a higher class has asked lately.
    pub(crate) fn cap(
        self,
        class: Class,
        limit: u64,
        rule: &Rule,
        is_urgent_about: bool,
        is_aged: bool,
    ) -> u64 {
        let percent = match class {
            Class::Live => 0,
            Class::Triggered => u64::from(self.live),
            Class::Interactive => u64::from(self.live) + u64::from(self.triggered),
            Class::Backfill => u64::from(self.sum()),
        };
        let mut kept = if is_urgent_about && !is_aged {
            limit * percent / 100
        } else {
            0
        };
        if class == Class::Backfill && rule.is_long() {
            let closing = limit.div_ceil(24).max(limit * percent / 100);
            kept = kept.max(closing);
        }
        // Somebody alone in a window of one unit must get it.
        limit.saturating_sub(kept).max(1).min(limit)
    }
}
