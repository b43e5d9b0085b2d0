//! Where something stands in a JSON answer: a JSON pointer (RFC 6901) with `*` for any one step.
//!
//! Why: success is recognised by the data that is there, never by the wording of a refusal, and some
//! data stands under a name that varies: `/Time Series (*)`, `/*/price`. Not here: reading values out
//! of answers (that is the mapping).

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A place in a JSON value: empty for the whole, `/a/0/b` for a member; `*` in a step stands for any
/// characters, so `/*` is any member or item and `/Time Series (*)` any such key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pointer {
    // Invariant: empty, or starts with `/`. Checked in try_from; nothing else builds a Pointer.
    text: String,
}

/// Text that is not a pointer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a JSON pointer: it must be empty or start with `/`")]
pub struct PointerError(String);

impl Pointer {
    /// Returns the pointer as it is written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the first value that stands at this place.
    pub fn first<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        descend(value, &self.steps())
    }

    /// Returns its steps, from the outside in.
    pub(crate) fn steps(&self) -> Vec<String> {
        let mut steps = self.text.split('/');
        // What is before the first slash is empty.
        steps.next();
        steps
            .map(|s| s.replace("~1", "/").replace("~0", "~"))
            .collect()
    }

    /// Tells whether `text` has the form of `pattern`, in which one `*` stands for any characters.
    pub(crate) fn is_like(pattern: &str, text: &str) -> bool {
        match pattern.split_once('*') {
            None => pattern == text,
            Some((before, after)) => text
                .strip_prefix(before)
                .is_some_and(|rest| rest.ends_with(after)),
        }
    }
}

fn descend<'v>(value: &'v Value, steps: &[String]) -> Option<&'v Value> {
    let Some((step, rest)) = steps.split_first() else {
        return Some(value);
    };
    match value {
        Value::Object(members) if step.contains('*') => members
            .iter()
            .filter(|(key, _)| Pointer::is_like(step, key))
            .find_map(|(_, member)| descend(member, rest)),
        Value::Object(members) => descend(members.get(step)?, rest),
        Value::Array(items) if step == "*" => items.iter().find_map(|item| descend(item, rest)),
        Value::Array(items) => descend(items.get(step.parse::<usize>().ok()?)?, rest),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

impl TryFrom<String> for Pointer {
    type Error = PointerError;

    fn try_from(text: String) -> Result<Self, PointerError> {
        if text.is_empty() || text.starts_with('/') {
            Ok(Self { text })
        } else {
            Err(PointerError(text))
        }
    }
}

impl From<Pointer> for String {
    fn from(pointer: Pointer) -> Self {
        pointer.text
    }
}

impl schemars::JsonSchema for Pointer {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Pointer".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "A JSON pointer (RFC 6901); `*` in a step stands for any characters.",
            "pattern": "^(/.*)?$"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pointer(text: &str) -> Pointer {
        Pointer::try_from(text.to_owned()).unwrap()
    }

    #[test]
    fn a_star_stands_for_a_varying_name_or_any_item() {
        let answer = json!({ "Time Series (5min)": { "2023": { "4. close": "1" } }, "rows": [{}, { "t": 7 }] });
        assert!(pointer("/Time Series (*)").first(&answer).is_some());
        assert_eq!(pointer("/rows/*/t").first(&answer), Some(&json!(7)));
        assert_eq!(
            pointer("/Time Series (*)/*/4. close").first(&answer),
            Some(&json!("1"))
        );
        assert!(pointer("/Weekly*").first(&answer).is_none());
        assert!(pointer("/rows/0/t").first(&answer).is_none());
        assert_eq!(pointer("").first(&answer), Some(&answer));
    }

    #[test]
    fn a_slash_in_a_key_is_escaped() {
        assert_eq!(
            pointer("/BTC~1USD").first(&json!({ "BTC/USD": 1 })),
            Some(&json!(1))
        );
    }

    #[test]
    fn a_pointer_without_a_slash_is_refused() {
        assert!(Pointer::try_from("results".to_owned()).is_err());
    }
}
