//! Refusals: which kind of failure an answer without the expected data is.
//!
//! Why typed: a bad key must not be retried, a spent quota must not be taken for an unknown symbol, and
//! neither may be hidden behind another provider. A refusal is looked at only when the success test
//! failed, in file order. Not here: what is done about it.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::basis::Basis;
use crate::pointer::Pointer;

/// `[[refusal]]`: the form of an answer that is no data, and what it means.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    /// What it means.
    pub class: FailureClass,
    /// HTTP status codes. Default: any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub status: Vec<u16>,
    /// Place that must hold something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub present: Option<Pointer>,
    /// What must stand there, as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equals: Option<String>,
    /// Words of which one must be in the text there (or, without a place, in the body), in any case.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contains: Vec<String>,
    /// Where the answer says how long to wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<Wait>,
    /// Endpoints that answer so. Default: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<String>,
    /// What a reader should know about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Where the facts come from. Default: the provider's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<Basis>,
}

/// What a refusal means.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum FailureClass {
    /// Too fast; the window will move on.
    Throttled,
    /// The quota of a long window is spent.
    QuotaGone,
    /// Shut out until a time.
    Banned,
    /// The key is missing or wrong.
    Auth,
    /// The key is right, the plan does not have it.
    Plan,
    /// There is no such instrument, series or page.
    NotFound,
    /// There is no data for what was asked.
    Empty,
    /// The call itself is wrong.
    BadRequest,
    /// The answer has no known form.
    Malformed,
    /// The provider is down or busy.
    Outage,
    /// Nobody knows whether the call took effect.
    OutcomeUnknown,
}

impl FailureClass {
    /// Returns the word that stands in the catalog.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::QuotaGone => "quota_gone",
            Self::Banned => "banned",
            Self::Auth => "auth",
            Self::Plan => "plan",
            Self::NotFound => "not_found",
            Self::Empty => "empty",
            Self::BadRequest => "bad_request",
            Self::Malformed => "malformed",
            Self::Outage => "outage",
            Self::OutcomeUnknown => "outcome_unknown",
        }
    }
}

impl fmt::Display for FailureClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where an answer says how long to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Wait {
    /// The header `Retry-After`.
    RetryAfter,
    /// A time in epoch milliseconds inside the text.
    EpochMillisInText,
    /// A time in epoch seconds inside the text.
    EpochSecondsInText,
}

impl Refusal {
    /// Tells whether an answer of `endpoint` with this status and body is of this form. `json` is the
    /// body when it is JSON.
    pub fn matches(&self, endpoint: &str, status: u16, body: &str, json: Option<&Value>) -> bool {
        if !self.status.is_empty() && !self.status.contains(&status) {
            return false;
        }
        if !self.endpoints.is_empty() && !self.endpoints.iter().any(|known| known == endpoint) {
            return false;
        }
        let text = match &self.present {
            None => body.to_owned(),
            Some(place) => match json.and_then(|json| place.first(json)) {
                None | Some(Value::Null) => return false,
                Some(Value::String(text)) => text.clone(),
                Some(other) => other.to_string(),
            },
        };
        if self.equals.as_ref().is_some_and(|wanted| *wanted != text) {
            return false;
        }
        let lower = text.to_lowercase();
        self.contains.is_empty()
            || self
                .contains
                .iter()
                .any(|word| lower.contains(&word.to_lowercase()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refusal() -> Refusal {
        Refusal {
            class: FailureClass::Throttled,
            status: vec![200],
            present: Some(Pointer::try_from("/Information".to_owned()).unwrap()),
            equals: None,
            contains: vec!["Rate Limit".to_owned()],
            wait: None,
            endpoints: Vec::new(),
            note: None,
            basis: None,
        }
    }

    #[test]
    fn status_place_and_words_must_all_fit() {
        let body = json!({ "Information": "our standard rate limit is 25" });
        let text = body.to_string();
        assert!(refusal().matches("any", 200, &text, Some(&body)));
        assert!(!refusal().matches("any", 429, &text, Some(&body)));
        assert!(!refusal().matches("any", 200, &text, None));
        let other = json!({ "Information": "premium endpoint", "Note": "rate limit" });
        assert!(!refusal().matches("any", 200, &other.to_string(), Some(&other)));
    }

    #[test]
    fn a_refusal_of_some_endpoints_is_not_one_of_others() {
        let only = Refusal {
            endpoints: vec!["quote".to_owned()],
            present: None,
            contains: Vec::new(),
            ..refusal()
        };
        assert!(only.matches("quote", 200, "", None));
        assert!(!only.matches("bars", 200, "", None));
    }
}
