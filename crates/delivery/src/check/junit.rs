//! What JUnit's XML says of tests. Not here: what a test is; every runner has its own idea.

use super::xml::{self, Piece, attribute};

/// Failed tests that are named.
const MAX_NAMED: usize = 200;
/// Letters kept of a message.
const MAX_MESSAGE_CHARS: usize = 400;

/// What is known of tests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tests {
    /// How many passed.
    pub passed: u32,
    /// How many failed, or could not be run.
    pub failed: u32,
    /// How many were passed over.
    pub skipped: u32,
    /// The first of those that failed.
    pub failures: Vec<FailedTest>,
}

/// A test that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedTest {
    /// Its name, with its class or file.
    pub name: String,
    /// What it said, in short.
    pub message: String,
}

impl Tests {
    /// Returns how many there were.
    pub fn total(&self) -> u32 {
        self.passed + self.failed + self.skipped
    }

    pub(super) fn fail(&mut self, name: &str, message: &str) {
        self.failed += 1;
        if self.failures.len() < MAX_NAMED {
            let message: String = message.chars().take(MAX_MESSAGE_CHARS).collect();
            self.failures.push(FailedTest {
                name: name.to_owned(),
                message,
            });
        }
    }
}

/// Reads a document of results; `None` when it is none.
pub(super) fn read(text: &str) -> Option<Tests> {
    let mut tests = Tests::default();
    let mut is_results = false;
    // The test that is open: its name, and what its first result said.
    let mut open: Option<(String, Option<Outcome>)> = None;
    let mut depth = 0_u32;
    let mut at = 0_u32;
    xml::read(text, |piece| match piece {
        Piece::Open {
            name,
            attributes,
            is_empty,
        } => {
            is_results |= matches!(name, "testsuites" | "testsuite");
            match name {
                "testcase" if open.is_none() => {
                    let class = attribute(&attributes, "classname").unwrap_or_default();
                    let name = attribute(&attributes, "name").unwrap_or_default();
                    let name = if class.is_empty() {
                        name.to_owned()
                    } else {
                        format!("{class}::{name}")
                    };
                    open = Some((name, None));
                    at = depth;
                }
                "failure" | "error" | "skipped" => {
                    if let Some((_, outcome)) = &mut open
                        && !matches!(outcome, Some(Outcome::Failed(_)))
                    {
                        let said = attribute(&attributes, "message").unwrap_or_default();
                        *outcome = Some(if name == "skipped" {
                            Outcome::Skipped
                        } else {
                            Outcome::Failed(said.to_owned())
                        });
                    }
                }
                _ => {}
            }
            if is_empty {
                if depth == at {
                    count(&mut tests, &mut open);
                }
            } else {
                depth += 1;
            }
        }
        Piece::Close => {
            depth = depth.saturating_sub(1);
            if depth == at {
                count(&mut tests, &mut open);
            }
        }
    })?;
    is_results.then_some(tests)
}

enum Outcome {
    Failed(String),
    Skipped,
}

fn count(tests: &mut Tests, open: &mut Option<(String, Option<Outcome>)>) {
    match open.take() {
        None => {}
        Some((_, None)) => tests.passed += 1,
        Some((_, Some(Outcome::Skipped))) => tests.skipped += 1,
        Some((name, Some(Outcome::Failed(message)))) => tests.fail(&name, &message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passes_failures_errors_and_skips_are_counted_once_each() {
        let text = r#"<?xml version="1.0" encoding="utf-8"?><testsuites><testsuite name="pytest" tests="5">
            <testcase classname="tests.test_a" name="test_one" time="0.1" />
            <testcase classname="tests.test_a" name="test_two[a&amp;b]"><failure message="assert 1 == 2">x &lt; y</failure></testcase>
            <testcase classname="tests.test_a" name="test_three"><error message="boom"/><system-out>no <![CDATA[<failure>]]></system-out></testcase>
            <testcase name="test_four"><skipped message="later"/></testcase>
            <testcase classname="c" name="test_five"><properties><property name="a" value="b"/></properties></testcase>
            </testsuite></testsuites>"#;
        let tests = read(text).unwrap();
        assert_eq!((tests.passed, tests.failed, tests.skipped), (2, 2, 1));
        assert_eq!(tests.failures[0].name, "tests.test_a::test_two[a&b]");
        assert_eq!(tests.failures[1].message, "boom");
    }

    #[test]
    fn another_document_is_no_result() {
        assert_eq!(read("<coverage/>"), None);
        assert_eq!(read("<testsuite><testcase"), None);
    }
}
