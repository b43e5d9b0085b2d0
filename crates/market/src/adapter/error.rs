//! What goes wrong between a question and its rows, typed: whoever must decide never reads a text.
//!
//! Providers repeat keys in refusals, so what one said is kept only without the secrets of the call, and
//! no error here holds an address.

use std::fmt;
use std::time::Duration;

use tradewind_catalog::UseCase;
use tradewind_catalog::mapping::{BodyError, MappingError};
use tradewind_catalog::offer::{Adjust, AssetClass};
use tradewind_catalog::refusal::FailureClass;
use tradewind_core::{Interval, Recovery};

/// Why a provider offers nothing for a question.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{provider} offers nothing for it: {why}")]
pub struct NoOffer {
    /// The provider.
    pub provider: String,
    /// Why, with the choices that there are.
    pub why: Why,
}

/// Why there is no offer, with the choices that there are.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Why {
    /// The catalog does not know the provider.
    UnknownProvider,
    /// It has no such rows.
    UseCase {
        /// What was wanted.
        wanted: UseCase,
    },
    /// It is asked by words and not by an instrument, or the other way round.
    ByWords,
    /// It does not have instruments of that form.
    Symbol {
        /// Those it has.
        classes: Vec<AssetClass>,
    },
    /// It does not tell about that venue.
    Venue {
        /// Those it tells about; empty where it does not tell venues apart.
        offered: Vec<String>,
    },
    /// It has no bars of that length.
    Interval {
        /// Those it has.
        offered: Vec<Interval>,
    },
    /// It does not adjust prices so.
    Adjust {
        /// How it does.
        offered: Vec<Adjust>,
    },
    /// It does not have that feed.
    Feed {
        /// Those it has; empty where there is no choice.
        offered: Vec<String>,
    },
    /// It has no stream, or none that is catalogued.
    NoStream,
    /// Bars of that length are not made of its trades.
    StreamInterval,
}

impl Why {
    /// How far a question came before it was turned down.
    pub(super) fn depth(&self) -> u8 {
        match self {
            Self::UnknownProvider | Self::UseCase { .. } | Self::NoStream => 0,
            Self::ByWords => 1,
            Self::Symbol { .. } => 2,
            Self::Venue { .. } => 3,
            Self::Interval { .. } | Self::StreamInterval => 4,
            Self::Adjust { .. } => 5,
            Self::Feed { .. } => 6,
        }
    }

    /// Joins the choices of two reasons of one kind; of two kinds the later one tells more.
    pub(super) fn joined(self, later: Self) -> Self {
        match (self, later) {
            (Self::Symbol { classes: a }, Self::Symbol { classes: b }) => Self::Symbol {
                classes: merged(a, b),
            },
            (Self::Venue { offered: a }, Self::Venue { offered: b }) => Self::Venue {
                offered: merged(a, b),
            },
            (Self::Interval { offered: a }, Self::Interval { offered: b }) => Self::Interval {
                offered: merged(a, b),
            },
            (Self::Adjust { offered: a }, Self::Adjust { offered: b }) => Self::Adjust {
                offered: merged(a, b),
            },
            (Self::Feed { offered: a }, Self::Feed { offered: b }) => Self::Feed {
                offered: merged(a, b),
            },
            (_, later) => later,
        }
    }
}

fn merged<T: Ord>(mut a: Vec<T>, b: Vec<T>) -> Vec<T> {
    a.extend(b);
    a.sort();
    a.dedup();
    a
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownProvider => f.write_str("there is no such provider"),
            Self::UseCase { wanted } => write!(f, "it has no {}", wanted.as_str()),
            Self::ByWords => f.write_str("it is asked by words"),
            Self::Symbol { classes } => {
                write!(
                    f,
                    "it has {}",
                    list(classes, |class| class.as_words().to_owned())
                )
            }
            Self::Venue { offered } if offered.is_empty() => {
                f.write_str("it does not tell venues apart; leave the venue out")
            }
            Self::Venue { offered } => {
                write!(
                    f,
                    "it tells about {}",
                    list(offered, |venue| format!("@{venue}"))
                )
            }
            Self::Interval { offered } => {
                write!(f, "it has bars of {}", list(offered, ToString::to_string))
            }
            Self::Adjust { offered } => {
                write!(f, "it adjusts {}", list(offered, ToString::to_string))
            }
            Self::NoStream => f.write_str("it has no stream that is catalogued"),
            Self::StreamInterval => {
                f.write_str("bars of its trades are 1s to 12h long, those of stocks at most 1h")
            }
            Self::Feed { offered } if offered.is_empty() => {
                f.write_str("it has no choice of feeds")
            }
            Self::Feed { offered } => write!(f, "it has the feeds {}", list(offered, Clone::clone)),
        }
    }
}

fn list<T>(items: &[T], text: impl Fn(&T) -> String) -> String {
    items.iter().map(text).collect::<Vec<_>>().join(", ")
}

/// Why there is no request, or an answer gave no rows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AdapterError {
    /// The provider refused, or had no data.
    #[error("{provider} answered {status} to {endpoint}: {class}")]
    Refused {
        /// The provider.
        provider: String,
        /// The endpoint.
        endpoint: String,
        /// Status of the answer.
        status: u16,
        /// What it means.
        class: FailureClass,
        /// What it said: the beginning, on one line, without the secrets of the call. It is a stranger's
        /// text: never parsed, and cleaned before it is shown.
        said: String,
    },
    /// The body is not what it should be.
    #[error("{provider} sent no usable answer to {endpoint}")]
    Body {
        /// The provider.
        provider: String,
        /// The endpoint.
        endpoint: String,
        /// What is wrong.
        #[source]
        source: BodyError,
    },
    /// The answer does not fit its mapping.
    #[error("the answer of {provider} to {endpoint} cannot be read")]
    Mapping {
        /// The provider.
        provider: String,
        /// The endpoint.
        endpoint: String,
        /// What is wrong.
        #[source]
        source: MappingError,
    },
    /// The answer names a zone that there is not.
    #[error("the answer of {provider} to {endpoint} names no known time zone")]
    Zone {
        /// The provider.
        provider: String,
        /// The endpoint.
        endpoint: String,
    },
    /// The mapping did not come with Tradewind and is not run.
    #[error(
        "the mapping of {provider} for {endpoint} did not come with Tradewind, and mappings of others are not run yet"
    )]
    ForeignMapping {
        /// The provider.
        provider: String,
        /// The endpoint.
        endpoint: String,
    },
    /// A credential is missing.
    #[error("{provider} needs its {credential}, usually kept in {}", variables.join(" or "))]
    MissingCredential {
        /// The provider.
        provider: String,
        /// The catalog's name of the credential.
        credential: String,
        /// Variables in which people keep it.
        variables: Vec<String>,
    },
    /// A credential cannot travel: it has characters that a header does not take.
    #[error("the {credential} of {provider} has characters that cannot be sent")]
    BadCredential {
        /// The provider.
        provider: String,
        /// The catalog's name of the credential.
        credential: String,
    },
    /// No address can be made.
    #[error("{provider} cannot be asked at {endpoint}: {why}")]
    Address {
        /// The provider.
        provider: String,
        /// The endpoint.
        endpoint: String,
        /// What is missing or wrong.
        why: &'static str,
    },
    /// The span is none that can be asked for here.
    #[error("{provider} cannot be asked for that span at {endpoint}: {why}")]
    Span {
        /// The provider.
        provider: String,
        /// The endpoint.
        endpoint: String,
        /// What is wrong.
        why: &'static str,
    },
}

impl AdapterError {
    /// Says what a caller may usefully do next.
    pub fn recovery(&self) -> Recovery {
        match self {
            Self::Refused { class, .. } => match class {
                FailureClass::Throttled => Recovery::RetryAfter(Duration::from_mins(1)),
                FailureClass::QuotaGone | FailureClass::Banned => {
                    Recovery::RetryAfter(Duration::from_hours(1))
                }
                FailureClass::Outage | FailureClass::OutcomeUnknown | FailureClass::Malformed => {
                    Recovery::Retry
                }
                FailureClass::Auth | FailureClass::Plan | FailureClass::BadRequest => Recovery::Fix,
                FailureClass::NotFound | FailureClass::Empty => Recovery::GiveUp,
            },
            Self::Body { source, .. } if *source == BodyError::Truncated => Recovery::Retry,
            Self::MissingCredential { .. }
            | Self::BadCredential { .. }
            | Self::ForeignMapping { .. } => Recovery::Fix,
            Self::Body { .. }
            | Self::Mapping { .. }
            | Self::Zone { .. }
            | Self::Address { .. }
            | Self::Span { .. } => Recovery::GiveUp,
        }
    }

    /// Returns what the provider said, without the secrets of the call; `None` when it was not a refusal.
    pub fn said(&self) -> Option<&str> {
        match self {
            Self::Refused { said, .. } => Some(said),
            _ => None,
        }
    }

    /// Returns what a refusal means; `None` for everything else.
    pub fn class(&self) -> Option<FailureClass> {
        match self {
            Self::Refused { class, .. } => Some(*class),
            _ => None,
        }
    }
}
