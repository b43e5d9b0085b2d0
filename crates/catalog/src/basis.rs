//! Where a fact comes from, and whether the provider's own text or a recording says so.
//!
//! Why: limits change and hearsay spreads. A reader, and the room that rations, must see which number
//! is proven. Not here: what a caller makes of an unconfirmed number.

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `basis = { … }`: who says so, and when it was read. A group of facts without one has its provider's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Basis {
    /// Whether the provider's own text or a recorded answer says so. What is not confirmed gives way to
    /// the headers of any answer.
    pub confirmed: bool,
    /// Who says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// When it was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<Date>,
    /// What is in doubt; needed where `confirmed` is false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}
