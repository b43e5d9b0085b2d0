//! One series at one provider, as whoever fills it sees it: which bars there can be, what a call costs, and
//! how it is fetched.
//!
//! Why a trait: what is held, missing and under way is the same question for every provider, and a test
//! can answer it without a wire. Not here: how a provider is asked (`adapter`), what is kept (`store`).

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use tradewind_catalog::refusal::FailureClass;
use tradewind_core::{Bar, Recovery};
use tradewind_host::egress::{BoxFuture, EgressError};
use tradewind_quota::Urgency;

use crate::coverage::Answered;
use crate::grid::{Grid, Key};
use crate::plan::Tariff;
use crate::store::StoreError;

/// One series at one provider.
pub trait Source: Send + Sync {
    /// Names the series: everything that makes it another series is in it.
    fn identity(&self) -> &str;
    /// Names the provider.
    fn provider(&self) -> &str;
    /// Returns the bars that there can be.
    fn grid(&self) -> &Grid;
    /// Returns what a call costs.
    fn tariff(&self) -> Tariff;
    /// Says whether a later split or dividend changes bars of before.
    fn is_adjusted(&self) -> bool;
    /// Returns the part of a gap within which there may be bars, as far as a calendar can tell.
    fn trading(&self, gap: Range<Key>) -> Range<Key> {
        gap
    }
    /// Asks the provider for a span, page after page.
    fn fetch(
        &self,
        span: Range<Key>,
        urgency: Urgency,
    ) -> BoxFuture<'_, Result<Fetched, FetchError>>;
}

/// What a provider answered.
#[derive(Clone, Debug, Default)]
pub struct Fetched {
    /// What the answers prove, page by page.
    pub proved: Vec<Answered>,
    /// The bars, in any sequence; those that are not final are marked so.
    pub bars: Vec<(Key, Bar)>,
    /// How many requests it took.
    pub calls: u32,
    /// What a reader should know: rows without a value, pages twice.
    pub notes: Vec<String>,
}

/// Why there are no bars.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The provider answered with something else.
    #[error("{provider} has no bars for it ({}): {said}", class.as_str())]
    Refused {
        /// The provider.
        provider: String,
        /// What it means.
        class: FailureClass,
        /// What it said, cut short and without keys.
        said: String,
    },
    /// The request was not sent, or no answer came.
    #[error("{provider} was not heard")]
    Unheard {
        /// The provider.
        provider: String,
        /// Why.
        #[source]
        source: Arc<EgressError>,
    },
    /// What came cannot be understood, or the question cannot be put.
    #[error("{provider}: {what}")]
    Adapter {
        /// The provider.
        provider: String,
        /// What is wrong.
        what: String,
    },
    /// What came cannot be kept.
    #[error("bars cannot be kept")]
    Store(#[source] Arc<StoreError>),
    /// Whoever fetched it ended before there was an answer.
    #[error("the fetch was ended before it had an answer")]
    Ended,
}

impl FetchError {
    /// Says what a caller may usefully do next.
    pub fn recovery(&self) -> Recovery {
        match self {
            Self::Refused { class, .. } => match class {
                FailureClass::Throttled | FailureClass::Outage | FailureClass::OutcomeUnknown => {
                    Recovery::Retry
                }
                FailureClass::QuotaGone | FailureClass::Banned => {
                    Recovery::RetryAfter(Duration::from_hours(1))
                }
                FailureClass::Auth | FailureClass::Plan | FailureClass::BadRequest => Recovery::Fix,
                FailureClass::NotFound | FailureClass::Empty | FailureClass::Malformed => {
                    Recovery::GiveUp
                }
            },
            Self::Unheard { source, .. } => source.recovery(),
            Self::Adapter { .. } => Recovery::Fix,
            Self::Store(_) | Self::Ended => Recovery::Retry,
        }
    }

    /// Says whether another provider may be asked instead: a wrong key or plan must not be hidden.
    pub fn may_fall_back(&self) -> bool {
        match self {
            Self::Refused { class, .. } => matches!(
                class,
                FailureClass::Throttled
                    | FailureClass::QuotaGone
                    | FailureClass::Banned
                    | FailureClass::Outage
                    | FailureClass::OutcomeUnknown
                    | FailureClass::Malformed
            ),
            Self::Unheard { .. } => true,
            Self::Adapter { .. } | Self::Store(_) | Self::Ended => false,
        }
    }
}
