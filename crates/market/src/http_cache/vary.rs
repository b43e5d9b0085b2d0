//! Which headers of a request chose the answer (RFC 9111 §4.1).
//!
//! Why the values and not a digest: there are few, and two lists that mean the same are compared as the same:
//! lines are joined, blanks around commas do not count. Not here: credentials, which are apart from it.

use tradewind_host::egress::{HeaderMap, HeaderName, header};

/// Headers that a request had and that chose its answer; empty when nothing did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chosen(Vec<(HeaderName, Option<String>)>);

impl Chosen {
    /// Notes what of `request` chose an answer with these headers; `None` when nobody can tell (`Vary: *`).
    pub fn of(answer: &HeaderMap, request: &HeaderMap) -> Option<Self> {
        let mut chosen = Vec::new();
        for line in answer.get_all(header::VARY) {
            for name in line.to_str().ok()?.split(',') {
                let name = name.trim();
                if name == "*" {
                    return None;
                }
                if name.is_empty() {
                    continue;
                }
                let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
                let value = joined(request, &name);
                chosen.push((name, value));
            }
        }
        Some(Self(chosen))
    }

    /// Says whether another request chooses the same answer.
    pub fn fits(&self, request: &HeaderMap) -> bool {
        let Self(chosen) = self;
        chosen
            .iter()
            .all(|(name, value)| joined(request, name) == *value)
    }

    /// Returns how many bytes are kept for it.
    pub fn bytes(&self) -> usize {
        let Self(chosen) = self;
        let of = |(name, value): &(HeaderName, Option<String>)| {
            name.as_str().len() + value.as_ref().map_or(0, String::len)
        };
        chosen.iter().map(of).sum()
    }
}

/// Joins the lines of a header to one list, without blanks around its commas.
fn joined(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let mut list: Option<String> = None;
    for value in headers.get_all(name) {
        let text = String::from_utf8_lossy(value.as_bytes());
        for part in text.split(',') {
            match &mut list {
                None => list = Some(part.trim().to_owned()),
                Some(list) => {
                    list.push(',');
                    list.push_str(part.trim());
                }
            }
        }
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::from_static(name), value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn a_star_anywhere_fits_nobody() {
        for stars in [
            &["*"][..],
            &["*, *"],
            &[", *"],
            &["", "*"],
            &["foo, *"],
            &["*, foo"],
        ] {
            let lines: Vec<_> = stars.iter().map(|star| ("vary", *star)).collect();
            assert_eq!(
                Chosen::of(&headers(&lines), &headers(&[])),
                None,
                "{stars:?}"
            );
        }
    }

    #[test]
    fn the_same_list_written_otherwise_fits_and_another_does_not() {
        let answer = headers(&[("vary", "Foo, bar")]);
        let asked = headers(&[("foo", "1, 2"), ("other", "x")]);
        let chosen = Chosen::of(&answer, &asked).unwrap();
        assert!(chosen.fits(&headers(&[("foo", "1,2"), ("other", "y")])));
        assert!(chosen.fits(&headers(&[("foo", "1"), ("foo", "2")])));
        for other in [
            &[("foo", "1")][..],
            &[("foo", "2, 1")],
            &[("foo", "1, 2"), ("bar", "")],
            &[],
        ] {
            assert!(!chosen.fits(&headers(other)), "{other:?}");
        }
    }
}
