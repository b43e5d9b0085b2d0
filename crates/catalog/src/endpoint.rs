//! Endpoints: one thing a provider answers, its parameters, pages and cost.
//!
//! Why by path *and* query: some providers have one path for everything and tell calls apart by a
//! parameter. Not here: which questions in our words it answers ([`crate::offer`]), and building or
//! sending a request.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::answer::{Answer, Success, TimeForm};
use crate::basis::Basis;
use crate::cost::{Cost, Weight};
use crate::offer::Offering;
use crate::pointer::Pointer;
use crate::template::PathTemplate;

/// `[[endpoint]]`: one thing that a provider answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// Its name, close to the provider's own word for it; unique in the file.
    pub id: String,
    /// What it answers, one sentence.
    pub summary: String,
    /// What callers use it for.
    pub use_case: UseCase,
    /// Method. Default GET.
    #[serde(default)]
    pub method: Method,
    /// Host groups that answer it, preferred one first.
    pub on: Vec<String>,
    /// Its path.
    pub path: PathTemplate,
    /// Parameters of the query that tell it from others on the same path, with their values.
    #[serde(default, rename = "where", skip_serializing_if = "BTreeMap::is_empty")]
    pub conditions: BTreeMap<String, String>,
    /// Parameters; those of the path included, those of `where` and of the authentication not.
    #[serde(default, rename = "parameter", skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<Parameter>,
    /// What a call costs.
    #[serde(default)]
    pub cost: Cost,
    /// Plans that have it. Default: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub plans: Vec<String>,
    /// How the rest of a long answer is had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pages: Option<Pages>,
    /// Facts about the rows that come back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answer>,
    /// How a good answer is recognised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub success: Option<Success>,
    /// Questions in our words that it answers, and how its rows are picked.
    #[serde(default, rename = "offer", skip_serializing_if = "Vec::is_empty")]
    pub offers: Vec<Offering>,
    /// What a reader should know about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Where the facts come from. Default: the provider's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<Basis>,
}

impl Endpoint {
    /// Returns the parameter of that name.
    pub fn parameter(&self, name: &str) -> Option<&Parameter> {
        self.parameters
            .iter()
            .find(|parameter| parameter.name == name)
    }

    /// Returns the first parameter with that role.
    pub fn parameter_for(&self, role: ParameterRole) -> Option<&Parameter> {
        self.parameters
            .iter()
            .find(|parameter| parameter.role == Some(role))
    }

    /// Returns what a call with these arguments costs; a parameter that is missing has its default.
    pub fn weigh(&self, arguments: &BTreeMap<String, String>) -> Weight {
        self.cost.weigh(|name| {
            let given = arguments.get(name).map(String::as_str);
            given.or_else(|| self.parameter(name)?.default.as_deref())
        })
    }

    /// Tells whether it reads data and changes nothing, so that it may be cached and shared.
    pub fn is_data(&self) -> bool {
        self.method == Method::Get && self.use_case.is_data()
    }
}

/// What callers use an endpoint for.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum UseCase {
    /// Prices of a span: open, high, low, close, volume.
    Bars,
    /// Bid and ask, or the newest price.
    Quote,
    /// Single prints.
    Trades,
    /// Levels of bids and asks.
    Depth,
    /// Articles.
    News,
    /// Which instruments there are, calendars, status, limits.
    Reference,
    /// Statements, dividends, splits.
    Fundamentals,
    /// Series that describe an economy.
    Economic,
    /// Money and what is held.
    Account,
    /// Asking a venue to buy or sell.
    Order,
}

impl UseCase {
    /// Every use case, in the order of pages.
    pub const ALL: [Self; 10] = [
        Self::Bars,
        Self::Quote,
        Self::Trades,
        Self::Depth,
        Self::News,
        Self::Reference,
        Self::Fundamentals,
        Self::Economic,
        Self::Account,
        Self::Order,
    ];

    /// Returns the word that stands in the catalog.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bars => "bars",
            Self::Quote => "quote",
            Self::Trades => "trades",
            Self::Depth => "depth",
            Self::News => "news",
            Self::Reference => "reference",
            Self::Fundamentals => "fundamentals",
            Self::Economic => "economic",
            Self::Account => "account",
            Self::Order => "order",
        }
    }

    /// Tells whether it is about the market and not about one customer.
    pub const fn is_data(self) -> bool {
        !matches!(self, Self::Account | Self::Order)
    }
}

/// HTTP method.
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
    JsonSchema,
)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// Reads.
    #[default]
    Get,
    /// Makes.
    Post,
    /// Replaces.
    Put,
    /// Changes.
    Patch,
    /// Takes away.
    Delete,
}

impl Method {
    /// Returns the method as it travels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One parameter of an endpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    /// Its name on the wire, or in the path template.
    pub name: String,
    /// Where it stands. Default: in the query.
    #[serde(default, rename = "in")]
    pub place: Place,
    /// What it says, in the words all providers share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<ParameterRole>,
    /// Whether a call without it is refused.
    #[serde(default)]
    pub required: bool,
    /// Values that it takes. Default: not a closed list.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    /// What holds when it is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// Largest number, or most members of a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<u32>,
    /// How a time is written in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<TimeForm>,
    /// What a reader should know about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Where the facts come from. Default: the endpoint's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<Basis>,
}

/// Where a parameter stands.
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
    JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// In the query.
    #[default]
    Query,
    /// In the path.
    Path,
    /// In the body.
    Body,
}

/// What a parameter says, in the words all providers share.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ParameterRole {
    /// One instrument.
    Symbol,
    /// A list of instruments.
    Symbols,
    /// Length of a bar.
    Interval,
    /// Where the span begins, itself included.
    Start,
    /// Where the span ends.
    End,
    /// One day, month or other slice instead of a span.
    Slice,
    /// How many rows at most.
    Limit,
    /// Which page, from 1.
    Page,
    /// How many rows to skip.
    Offset,
    /// What a former answer said to go on with.
    Cursor,
    /// Which order.
    Sort,
    /// How prices are adjusted.
    Adjustment,
    /// Which feed.
    Feed,
    /// Which zone times are in.
    Zone,
    /// Form of the answer: JSON, CSV, XML.
    Format,
    /// Whether hours outside the session count.
    Session,
    /// Words to look for.
    Search,
    /// Which state of a revised series.
    Vintage,
    /// The caller's own id of an order.
    ClientOrderId,
}

/// `pages = { kind = … }`: how the rest of a long answer is had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Pages {
    /// The answer has the address of the next page.
    NextUrl {
        /// Where it stands.
        field: Pointer,
    },
    /// The answer has a token for the next call.
    Token {
        /// Where it stands.
        field: Pointer,
        /// Parameter that takes it.
        parameter: String,
    },
    /// An answer's header has a token for the next call.
    HeaderToken {
        /// Name of the header.
        header: String,
        /// Parameter that takes it.
        parameter: String,
    },
    /// Pages are numbered from 1.
    Number {
        /// Parameter with the number.
        parameter: String,
        /// Parameter with the length of a page.
        size: String,
    },
    /// Rows are skipped.
    Offset {
        /// Parameter with the rows to skip.
        parameter: String,
        /// Parameter with the length of a page.
        size: String,
    },
    /// The caller moves the span on.
    Span {
        /// Parameter where the span begins.
        start: String,
        /// Parameter where the span ends, where there is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        end: Option<String>,
    },
    /// The caller names one slice after the other.
    Slices {
        /// Parameter that names the slice.
        parameter: String,
    },
    /// The caller goes on after the last id that it has.
    AfterId {
        /// Parameter that takes the id.
        parameter: String,
    },
}

impl Pages {
    /// Returns the parameters that it uses.
    pub fn parameters(&self) -> Vec<&str> {
        match self {
            Self::NextUrl { .. } => Vec::new(),
            Self::Token { parameter, .. }
            | Self::HeaderToken { parameter, .. }
            | Self::Slices { parameter }
            | Self::AfterId { parameter } => vec![parameter],
            Self::Number { parameter, size } | Self::Offset { parameter, size } => {
                vec![parameter, size]
            }
            Self::Span { start, end } => std::iter::once(start)
                .chain(end)
                .map(String::as_str)
                .collect(),
        }
    }
}

impl fmt::Display for Pages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NextUrl { field } => {
                write!(f, "address of the next page at `{}`", field.as_str())
            }
            Self::Token { field, parameter } => {
                write!(f, "token at `{}`, sent as `{parameter}`", field.as_str())
            }
            Self::HeaderToken { header, parameter } => {
                write!(f, "token in the header `{header}`, sent as `{parameter}`")
            }
            Self::Number { parameter, size } => {
                write!(f, "numbered by `{parameter}`, of `{size}` rows")
            }
            Self::Offset { parameter, size } => {
                write!(f, "rows skipped by `{parameter}`, of `{size}` rows")
            }
            Self::Span {
                start,
                end: Some(end),
            } => write!(f, "the span `{start}` to `{end}` moves on"),
            Self::Span { start, end: None } => write!(f, "`{start}` moves on"),
            Self::Slices { parameter } => write!(f, "one `{parameter}` after the other"),
            Self::AfterId { parameter } => write!(f, "after the last id, sent as `{parameter}`"),
        }
    }
}
