//! A part of an answer that is held whole (RFC 9110 §14).
//!
//! Why one part only: a request for several may be answered with everything, and nobody here asks for several.
//! Not here: keeping parts and putting them together.

use std::ops::Range;

use tradewind_host::egress::{HeaderMap, HeaderValue, header};

/// What of a whole answer is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Everything: no range was asked for, or none that is understood, or not of this version.
    Whole,
    /// These bytes.
    Bytes(Range<usize>),
    /// The range begins behind the end.
    Nothing,
}

/// Decides which part of `length` bytes a request wants. `stored` are the headers of the answer that is held.
pub fn part(request: &HeaderMap, stored: &HeaderMap, length: usize) -> Part {
    let mut ranges = request.get_all(header::RANGE).iter();
    let (Some(range), None) = (ranges.next(), ranges.next()) else {
        return Part::Whole;
    };
    if let Some(condition) = request.get(header::IF_RANGE)
        && !is_this_version(condition, stored)
    {
        return Part::Whole;
    }
    range
        .to_str()
        .ok()
        .and_then(|text| parse(text, length))
        .unwrap_or(Part::Whole)
}

/// Compares strongly: a weak name may stand for other bytes (RFC 9110 §13.1.5).
fn is_this_version(condition: &HeaderValue, stored: &HeaderMap) -> bool {
    let is_tag = condition.as_bytes().contains(&b'"');
    if is_tag {
        return !condition.as_bytes().starts_with(b"W/")
            && stored.get(header::ETAG) == Some(condition);
    }
    stored.get(header::LAST_MODIFIED) == Some(condition)
}

fn parse(text: &str, length: usize) -> Option<Part> {
    let (unit, spec) = text.split_once('=')?;
    if !unit.eq_ignore_ascii_case("bytes") {
        return None;
    }
    let (first, last) = spec.trim().split_once('-')?;
    let number = |digits: &str| {
        let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        is_number.then(|| digits.parse::<usize>().unwrap_or(usize::MAX))
    };
    let (start, end) = match (first, last) {
        ("", last) => match number(last)? {
            0 => return Some(Part::Nothing),
            last => (length.saturating_sub(last), length),
        },
        (first, "") => (number(first)?, length),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            if last < first {
                return None;
            }
            (first, last.saturating_add(1).min(length))
        }
    };
    Some(if start < length {
        Part::Bytes(start..end)
    } else {
        Part::Nothing
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(range: &str) -> Part {
        let mut request = HeaderMap::new();
        request.insert(header::RANGE, range.parse().unwrap());
        part(&request, &HeaderMap::new(), 10)
    }

    #[test]
    fn one_range_is_cut_to_what_is_there() {
        for (range, bytes) in [
            ("bytes=0-1", 0..2),
            ("Bytes=1-", 1..10),
            ("bytes=-1", 9..10),
            ("bytes=-99", 0..10),
            ("bytes=9-99999999999999999999999", 9..10),
        ] {
            assert_eq!(of(range), Part::Bytes(bytes), "{range}");
        }
        for behind in ["bytes=10-", "bytes=99-100", "bytes=-0"] {
            assert_eq!(of(behind), Part::Nothing, "{behind}");
        }
        for ignored in [
            "bytes=0-1,3-4",
            "bytes=2-1",
            "rows=0-1",
            "bytes",
            "bytes=-",
            "bytes=a-b",
        ] {
            assert_eq!(of(ignored), Part::Whole, "{ignored}");
        }
    }

    #[test]
    fn a_range_of_another_version_gets_everything() {
        let with = |condition: &str| {
            let mut request = HeaderMap::new();
            request.insert(header::RANGE, "bytes=0-1".parse().unwrap());
            request.insert(header::IF_RANGE, condition.parse().unwrap());
            let mut stored = HeaderMap::new();
            stored.insert(header::ETAG, "\"a\"".parse().unwrap());
            stored.insert(
                header::LAST_MODIFIED,
                "Sun, 06 Nov 1994 08:49:37 GMT".parse().unwrap(),
            );
            part(&request, &stored, 10)
        };
        assert_eq!(with("\"a\""), Part::Bytes(0..2));
        assert_eq!(with("Sun, 06 Nov 1994 08:49:37 GMT"), Part::Bytes(0..2));
        for other in ["\"b\"", "W/\"a\"", "Mon, 07 Nov 1994 08:49:37 GMT"] {
            assert_eq!(with(other), Part::Whole, "{other}");
        }
    }
}
