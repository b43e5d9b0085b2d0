//! Path templates: `/v8/finance/chart/{symbol}`, and which path has that form.
//!
//! Why our own: a template has whole-segment placeholders and nothing else, and the order in which two
//! templates are tried must be fixed by their form alone, the more specific first. Not here: the host
//! and the query.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::url::decoded;

/// A path with placeholders for whole segments. A final slash makes no difference.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PathTemplate {
    // Invariant: what the text says, split at slashes. Built in try_from only.
    segments: Vec<Segment>,
    text: String,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Segment {
    Literal(String),
    Placeholder(String),
}

/// Text that is no path template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a path template: {why}")]
pub struct PathTemplateError {
    text: String,
    why: &'static str,
}

impl PathTemplate {
    /// Returns the names of the placeholders, in order.
    pub fn placeholders(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Placeholder(name) => Some(name.as_str()),
            Segment::Literal(_) => None,
        })
    }

    /// Returns what stands, decoded, at each placeholder when `path` has this form.
    pub fn matches(&self, path: &str) -> Option<BTreeMap<String, String>> {
        let path = path.strip_prefix('/')?;
        let path = path.strip_suffix('/').unwrap_or(path);
        let mut found = BTreeMap::new();
        let mut parts = path.split('/');
        for segment in &self.segments {
            let part = parts.next()?;
            match segment {
                Segment::Literal(text) if text == part => {}
                Segment::Literal(_) => return None,
                Segment::Placeholder(_) if part.is_empty() => return None,
                Segment::Placeholder(name) => {
                    found.insert(name.clone(), decoded(part, false));
                }
            }
        }
        parts.next().is_none().then_some(found)
    }

    /// Returns a key that sorts the more specific template first: more literal segments, and then the
    /// one that is literal further left.
    pub fn specificity(&self) -> impl Ord + use<> {
        let literal: Vec<_> = self
            .segments
            .iter()
            .map(|segment| matches!(segment, Segment::Literal(_)))
            .collect();
        let literals = literal.iter().filter(|is_literal| **is_literal).count();
        Reverse((literals, literal))
    }

    /// Returns a path of this form, each placeholder filled by `fill`.
    pub fn fill(&self, fill: impl Fn(&str) -> String) -> String {
        self.segments
            .iter()
            .map(|segment| match segment {
                Segment::Literal(text) => format!("/{text}"),
                Segment::Placeholder(name) => format!("/{}", fill(name)),
            })
            .collect()
    }
}

impl fmt::Display for PathTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl TryFrom<String> for PathTemplate {
    type Error = PathTemplateError;

    fn try_from(text: String) -> Result<Self, PathTemplateError> {
        match segments(&text) {
            Ok(segments) => Ok(Self { segments, text }),
            Err(why) => Err(PathTemplateError { text, why }),
        }
    }
}

fn segments(text: &str) -> Result<Vec<Segment>, &'static str> {
    let path = text.strip_prefix('/').ok_or("it must start with `/`")?;
    let path = path.strip_suffix('/').unwrap_or(path);
    let mut names = Vec::new();
    path.split('/')
        .map(|part| {
            let inner = part
                .strip_prefix('{')
                .and_then(|rest| rest.strip_suffix('}'));
            match inner {
                Some(name) if names.contains(&name) => Err("a placeholder stands twice"),
                Some(name) if is_name(name) => {
                    names.push(name);
                    Ok(Segment::Placeholder(name.to_owned()))
                }
                Some(_) => Err("a placeholder's name is letters, digits and `_`"),
                None if part.contains(['{', '}', '?', '#', '%', '\\']) => {
                    Err("a segment is a placeholder or plain text as a whole")
                }
                None if part.is_empty() || part == "." || part == ".." => {
                    Err("a segment is empty or made of dots")
                }
                None => Ok(Segment::Literal(part.to_owned())),
            }
        })
        .collect()
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

impl From<PathTemplate> for String {
    fn from(template: PathTemplate) -> Self {
        template.text
    }
}

impl schemars::JsonSchema for PathTemplate {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "PathTemplate".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "A path with placeholders for whole segments: `/v2/stocks/{symbol}/bars`.",
            "pattern": "^/"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn template(text: &str) -> PathTemplate {
        PathTemplate::try_from(text.to_owned()).unwrap()
    }

    #[test]
    fn a_path_of_that_form_gives_its_placeholders() {
        let found = template("/v2/stocks/{symbol}/bars")
            .matches("/v2/stocks/BRK.B/bars/")
            .unwrap();
        assert_eq!(found["symbol"], "BRK.B");
        for other in [
            "/v2/stocks/bars",
            "/v2/stocks//bars",
            "/v2/stocks/A/bars/x",
            "v2/stocks/A/bars",
            "/v2/stocks/A/trades",
        ] {
            assert!(
                template("/v2/stocks/{symbol}/bars")
                    .matches(other)
                    .is_none(),
                "{other}"
            );
        }
    }

    #[test]
    fn the_more_specific_template_sorts_first() {
        let mut all = ["/{a}/b", "/a/{b}", "/a/b", "/{a}/{b}"].map(template);
        all.sort_by_key(PathTemplate::specificity);
        assert_eq!(
            all.map(|t| t.to_string()),
            ["/a/b", "/a/{b}", "/{a}/b", "/{a}/{b}"]
        );
    }

    #[test]
    fn what_is_no_template_is_refused() {
        for text in [
            "", "a", "/a//b", "/a{b}", "/{}", "/{a}/{a}", "/a/../b", "/a?b", "/%61",
        ] {
            assert!(PathTemplate::try_from(text.to_owned()).is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn a_filled_template_has_its_own_form(parts in prop::collection::vec("[a-z]{1,4}|\\{[a-z]{1,4}\\}", 1..5)) {
            let Ok(template) = PathTemplate::try_from(format!("/{}", parts.join("/"))) else { return Ok(()) };
            let path = template.fill(|name| format!("x{name}"));
            let found = template.matches(&path).unwrap();
            for name in template.placeholders() {
                prop_assert_eq!(&found[name], &format!("x{name}"));
            }
        }
    }
}
