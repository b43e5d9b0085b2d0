//! A call as its asker sees it: what it wants, what it is told, how it ended.
//!
//! Why apart from the ledger: these are the words between the state machine and whoever drives it.
//! Not here: what happens in between ([`crate::ledger`]).

use tradewind_catalog::refusal::FailureClass;

use crate::boundary::SECOND_US;
use crate::class::{Class, Reserves};
use crate::window::{Need, Rule, Said};

/// How the ledger behaves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long the other side may still count a request that we have lost sight of.
    pub linger_us: i64,
    /// How long a request may be on its way at most: what a caller who gave up early or a process that
    /// died has sent may still be counted for so long.
    pub trip_us: i64,
    /// How much waiting makes up for one class.
    pub ageing_us: i64,
    /// Upper bound on calls that wait.
    pub max_waiting: usize,
    /// What is kept for higher classes.
    pub reserves: Reserves,
    /// Whether everything is counted and nothing refused.
    pub is_shadow: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            linger_us: SECOND_US,
            trip_us: 10 * SECOND_US,
            ageing_us: 30 * SECOND_US,
            max_waiting: 4_096,
            reserves: Reserves::default(),
            is_shadow: false,
        }
    }
}

/// A call, between its asking and its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u64);

/// What a call takes from one window.
#[derive(Clone, Debug, PartialEq)]
pub struct Demand {
    /// The window: `provider/window@scope`.
    pub window: String,
    /// Its rule.
    pub rule: Rule,
    /// What is taken.
    pub need: Need,
}

/// Somebody wants to send a request.
#[derive(Clone, Debug, PartialEq)]
pub struct Ask {
    /// The gate: `provider@scope`.
    pub gate: String,
    /// What it takes; all of it at once.
    pub demands: Vec<Demand>,
    /// How urgent it is.
    pub class: Class,
    /// Uptime after which it is no longer wanted.
    pub deadline_us: Option<i64>,
    /// Whether it is only counted, never held back: what is not ours to ration.
    pub is_forced: bool,
}

/// What became of an [`Ask`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may be sent now.
    Granted {
        /// The call.
        call: CallId,
        /// Whether its outcome decides about the breaker.
        is_probe: bool,
    },
    /// It must not be sent.
    Refused {
        /// The call.
        call: CallId,
        /// Why.
        held: Held,
    },
}

/// Why a call is held back. Times are waits from the moment of the refusal, in microseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// There is no room before its deadline.
    Deadline {
        /// At least so long until there is.
        wait_us: i64,
    },
    /// The provider asked for patience.
    Throttled {
        /// For so long.
        wait_us: i64,
    },
    /// The provider shut us out.
    Banned {
        /// For so long.
        wait_us: i64,
    },
    /// The provider fails; a probe goes first.
    BreakerOpen {
        /// When.
        wait_us: i64,
    },
    /// Too many calls wait already.
    QueueFull,
    /// It takes more than its window has.
    NeverFits {
        /// The window.
        window: String,
        /// What the window has.
        limit: u64,
    },
    /// Its units cannot be written down.
    Unwritable,
}

impl std::fmt::Display for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let seconds = |us: &i64| us.max(&0).unsigned_abs().div_ceil(1_000_000);
        match self {
            Self::Deadline { wait_us } => write!(
                f,
                "its limits have no room before its deadline; the next is in {} s at the earliest",
                seconds(wait_us)
            ),
            Self::Throttled { wait_us } => {
                write!(
                    f,
                    "the provider asked to wait; {} s are left",
                    seconds(wait_us)
                )
            }
            Self::Banned { wait_us } => write!(
                f,
                "the provider has shut us out; {} s are left, and each call meanwhile makes it longer",
                seconds(wait_us)
            ),
            Self::BreakerOpen { wait_us } => write!(
                f,
                "the provider fails; the next try is in {} s",
                seconds(wait_us)
            ),
            Self::QueueFull => f.write_str("too many calls wait already"),
            Self::NeverFits { window, limit } => {
                write!(
                    f,
                    "it takes more than the {limit} that {window} ever has; ask for less at once"
                )
            }
            Self::Unwritable => f.write_str(
                "spent units cannot be written down now, and nothing is sent that is not",
            ),
        }
    }
}

/// How a call that was granted ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Ending {
    /// It certainly never left this machine, and that says nothing about the provider.
    NotSent,
    /// No connection came about: nothing was counted, and nobody was there.
    Unreached,
    /// It was sent, or may have been, and has no answer.
    Lost,
    /// It was sent, or may have been, and its caller did not wait for the answer: that is spent, and says
    /// nothing about the provider.
    Abandoned,
    /// It was answered.
    Answered(Facts),
}

/// What an answer says about limits.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// The other side's time of day, in microseconds since 1970, cut to the second.
    pub date_us: Option<i64>,
    /// What counters say, by window.
    pub said: Vec<(String, Said)>,
    /// What kind of failure it is; `None` when it is what was asked for.
    pub class: Option<FailureClass>,
    /// How long it says to wait.
    pub wait_us: Option<i64>,
}
