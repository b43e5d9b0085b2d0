//! How many lines tests ran through: Cobertura's XML, and the JSON of coverage.py.

use serde::Deserialize;

use super::xml::{self, Piece, attribute};

/// How much was run through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coverage {
    /// Lines that can be run.
    pub lines: u64,
    /// Lines that were.
    pub covered: u64,
}

impl Coverage {
    /// Returns the share in tenths of a percent, rounded down; `None` where there are no lines.
    pub fn permille(&self) -> Option<u64> {
        (self.covered.min(self.lines) * 1000).checked_div(self.lines)
    }
}

#[derive(Deserialize)]
struct Document {
    totals: Totals,
}

#[derive(Deserialize)]
struct Totals {
    covered_lines: u64,
    num_statements: u64,
}

/// Reads either form; `None` when it is neither.
pub(super) fn read(text: &str) -> Option<Coverage> {
    if text.trim_start().starts_with('{') {
        let document: Document = serde_json::from_str(text).ok()?;
        return Some(Coverage {
            lines: document.totals.num_statements,
            covered: document.totals.covered_lines,
        });
    }
    let mut found = None;
    let mut counted = Coverage {
        lines: 0,
        covered: 0,
    };
    let mut is_first = true;
    xml::read(text, |piece| {
        let Piece::Open {
            name, attributes, ..
        } = piece
        else {
            return;
        };
        let number = |name: &str| attribute(&attributes, name)?.parse::<u64>().ok();
        if is_first && name == "coverage" {
            found = Some(number("lines-valid").zip(number("lines-covered")));
        }
        is_first = false;
        if name == "line" {
            counted.lines += 1;
            counted.covered += u64::from(number("hits").is_some_and(|hits| hits > 0));
        }
    })?;
    match found? {
        Some((lines, covered)) => Some(Coverage { lines, covered }),
        // Old writers give a rate only; the lines are there.
        None => Some(counted),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_give_the_same() {
        let json = r#"{"meta": {"version": "7"}, "totals": {"covered_lines": 3, "num_statements": 4, "percent_covered": 75.0}}"#;
        let xml = r#"<?xml version="1.0" ?><coverage version="7" lines-valid="4" lines-covered="3" line-rate="0.75"><packages/></coverage>"#;
        let old = r#"<!DOCTYPE coverage SYSTEM "http://x"><coverage line-rate="0.75"><line number="1" hits="1"/><line number="2" hits="0"/></coverage>"#;
        let expected = Coverage {
            lines: 4,
            covered: 3,
        };
        assert_eq!(read(json), Some(expected));
        assert_eq!(read(xml), Some(expected));
        assert_eq!(read(xml).unwrap().permille(), Some(750));
        assert_eq!(read(old).unwrap().permille(), Some(500));
        assert_eq!(read("<testsuites/>"), None);
    }
}
