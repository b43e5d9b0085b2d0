//! `project.json`: what some tools read about a project instead of its packaging.
//!
//! Only a flat object with at least a name is taken for one: other programs (.NET, Nx) use the same file
//! name for something else.

/// One plain value and its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its key.
    pub key: Box<str>,
    /// Its value as text.
    pub value: Box<str>,
    /// Line.
    pub line: u32,
}

/// What `project.json` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProjectJson {
    /// Texts and numbers of the outermost object.
    pub entries: Vec<Entry>,
}

impl ProjectJson {
    /// Parses the file; `None` where it is no JSON object with a `name`, or that of another tool.
    pub fn parse(text: &str) -> Option<Self> {
        let value: serde_json::Value = serde_json::from_str(text).ok()?;
        let object = value.as_object()?;
        let is_other = ["frameworks", "targets", "sourceRoot", "$schema"];
        if !object.contains_key("name") || is_other.iter().any(|key| object.contains_key(*key)) {
            return None;
        }
        let entries = object
            .iter()
            .take(200)
            .filter_map(|(key, value)| {
                let value = match value {
                    serde_json::Value::String(text) => text.clone(),
                    serde_json::Value::Number(number) => number.to_string(),
                    _ => return None,
                };
                Some(Entry {
                    key: key.as_str().into(),
                    value: value.into(),
                    line: line_of(text, key),
                })
            })
            .collect();
        Some(Self { entries })
    }

    /// Returns the first of these keys that is there.
    pub fn get(&self, keys: &[&str]) -> Option<&Entry> {
        keys.iter()
            .find_map(|key| self.entries.iter().find(|entry| entry.key.as_ref() == *key))
    }
}

/// Finds the line that a key begins; the parser keeps none.
fn line_of(text: &str, key: &str) -> u32 {
    let quoted = format!("\"{key}\"");
    let at = text
        .lines()
        .position(|line| {
            line.find(&quoted).is_some_and(|at| {
                line.get(at + quoted.len()..)
                    .is_some_and(|rest| rest.trim_start().starts_with(':'))
            })
        })
        .unwrap_or(0);
    u32::try_from(at + 1).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_the_lines_of_their_keys() {
        let read = ProjectJson::parse("{\n \"name\": \"a\",\n \"version\": \"1.2\"\n}").unwrap();
        assert_eq!(read.get(&["version"]).unwrap().line, 3);
    }

    #[test]
    fn the_file_of_another_tool_is_not_taken() {
        assert!(ProjectJson::parse(r#"{"name": "app", "targets": {}}"#).is_none());
        assert!(ProjectJson::parse("[1").is_none());
    }
}
