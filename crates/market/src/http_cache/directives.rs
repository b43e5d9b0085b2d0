//! What `Cache-Control` says, in an answer (RFC 9111 §5.2.2), in a request (§5.2.1) and in a targeted field
//! (RFC 9213).
//!
//! Why conservative: a number that cannot be read is 0, `no-cache` and `private` that name fields mean the whole
//! answer; both are allowed, and neither reuses too much. Of a directive said twice the first one counts.
//! Not here: what follows from them ([`super::freshness`], [`super::storing`]).

use tradewind_host::egress::{HeaderMap, header};

/// Fields that are meant for caches like this one, the most specific first (RFC 9213 §2.2).
const TARGETED: &[&str] = &["cdn-cache-control"];
/// What more seconds than this are taken for (RFC 9111 §1.2.2).
pub const MAX_SECONDS: u64 = 1 << 31;

/// Directives of one message; seconds where they have a number.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a directive of its own that a message has or has not"
)]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directives {
    /// `max-age`.
    pub max_age: Option<u64>,
    /// `s-maxage`: for shared caches, which this one is.
    pub s_maxage: Option<u64>,
    /// `no-store`.
    pub no_store: bool,
    /// `no-cache`, with or without field names.
    pub no_cache: bool,
    /// `private`, with or without field names.
    pub private: bool,
    /// `public`.
    pub public: bool,
    /// `must-revalidate`.
    pub must_revalidate: bool,
    /// `proxy-revalidate`.
    pub proxy_revalidate: bool,
    /// `must-understand`.
    pub must_understand: bool,
    /// `stale-while-revalidate` (RFC 5861).
    pub stale_while_revalidate: Option<u64>,
    /// `stale-if-error` (RFC 5861); requests may have it too.
    pub stale_if_error: Option<u64>,
    /// `max-stale` of a request; without a number every age is right.
    pub max_stale: Option<u64>,
    /// `min-fresh` of a request.
    pub min_fresh: Option<u64>,
    /// `only-if-cached` of a request.
    pub only_if_cached: bool,
    /// Whether they come from a targeted field, which puts `Cache-Control` and `Expires` out of force.
    pub is_targeted: bool,
}

impl Directives {
    /// Reads what an answer says: in the targeted field when there is a valid one, else in `Cache-Control`.
    pub fn of_answer(headers: &HeaderMap) -> Self {
        let targeted = TARGETED.iter().find_map(|name| targeted(headers, name));
        targeted.unwrap_or_else(|| Self::of_cache_control(headers))
    }

    /// Reads what a request says; `Pragma: no-cache` counts where there is no `Cache-Control` (RFC 9111 §5.4).
    pub fn of_request(headers: &HeaderMap) -> Self {
        if headers.contains_key(header::CACHE_CONTROL) {
            return Self::of_cache_control(headers);
        }
        let mut pragmas = headers.get_all(header::PRAGMA).iter();
        let no_cache = pragmas.any(|value| {
            let text = value.to_str().unwrap_or_default();
            text.split(',')
                .any(|part| part.trim().eq_ignore_ascii_case("no-cache"))
        });
        Self {
            no_cache,
            ..Self::default()
        }
    }

    fn of_cache_control(headers: &HeaderMap) -> Self {
        let mut directives = Self::default();
        for value in headers.get_all(header::CACHE_CONTROL) {
            // A line that is not text is one that nobody can obey: the answer is not reused unasked.
            let Ok(text) = value.to_str() else {
                directives.no_cache = true;
                continue;
            };
            for part in split(text) {
                let (name, value) = match part.split_once('=') {
                    Some((name, value)) => (name, Some(value)),
                    None => (part, None),
                };
                directives.take(&name.to_ascii_lowercase(), value);
            }
        }
        directives
    }

    fn take(&mut self, name: &str, value: Option<&str>) {
        let first = |slot: &mut Option<u64>| {
            slot.get_or_insert_with(|| seconds(value));
        };
        match name {
            "max-age" => first(&mut self.max_age),
            "s-maxage" => first(&mut self.s_maxage),
            "stale-while-revalidate" => first(&mut self.stale_while_revalidate),
            "stale-if-error" => first(&mut self.stale_if_error),
            "min-fresh" => first(&mut self.min_fresh),
            "max-stale" if value.is_none() => {
                self.max_stale.get_or_insert(MAX_SECONDS);
            }
            "max-stale" => first(&mut self.max_stale),
            _ => self.flag(name),
        }
    }

    fn flag(&mut self, name: &str) {
        match name {
            "no-store" => self.no_store = true,
            "no-cache" => self.no_cache = true,
            "private" => self.private = true,
            "public" => self.public = true,
            "must-revalidate" => self.must_revalidate = true,
            "proxy-revalidate" => self.proxy_revalidate = true,
            "must-understand" => self.must_understand = true,
            "only-if-cached" => self.only_if_cached = true,
            _ => {}
        }
    }
}

/// Reads a number of seconds; what is none counts as 0, which is stale at once (RFC 9111 §4.2.1).
fn seconds(value: Option<&str>) -> u64 {
    let value = value.unwrap_or_default();
    let digits = value
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap_or(value);
    delta_seconds(digits).unwrap_or(0)
}

/// Reads seconds as RFC 9111 §1.2.2 writes them: digits only, more than 2³¹ of them being 2³¹.
pub fn delta_seconds(digits: &str) -> Option<u64> {
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    // Only too many digits are left to go wrong.
    Some(digits.parse().unwrap_or(MAX_SECONDS).min(MAX_SECONDS))
}

/// Splits a list at commas that are not in a quoted string.
fn split(text: &str) -> impl Iterator<Item = &str> {
    let mut is_quoted = false;
    let mut is_escaped = false;
    text.split(move |letter| {
        if is_escaped {
            is_escaped = false;
        } else if is_quoted && letter == '\\' {
            is_escaped = true;
        } else if letter == '"' {
            is_quoted = !is_quoted;
        }
        letter == ',' && !is_quoted
    })
    .map(|part| part.trim_matches([' ', '\t']))
    .filter(|part| !part.is_empty())
}

/// Reads a targeted field; `None` when it is absent, empty or not a dictionary (RFC 9213 §2.1).
fn targeted(headers: &HeaderMap, name: &str) -> Option<Directives> {
    let mut lines = headers.get_all(name).iter().peekable();
    lines.peek()?;
    let mut directives = Directives {
        is_targeted: true,
        ..Directives::default()
    };
    let mut members = 0_usize;
    for line in lines {
        for part in split(line.to_str().ok()?) {
            members += 1;
            let (key, value) = match part.split_once('=') {
                Some((key, value)) => (key, Some(value)),
                // Parameters of a member without a value hang on its key.
                None => (part.split(';').next().unwrap_or(part), None),
            };
            if !is_key(key) {
                return None;
            }
            let value = match value {
                None => Bare::Yes,
                Some(value) => bare(value.split(';').next().unwrap_or_default())?,
            };
            match (is_numeric(key), value) {
                (true, Bare::Integer(digits)) => directives.take_last(key, digits),
                (true, _) => return None,
                (false, Bare::No) => {}
                (false, _) => directives.flag(key),
            }
        }
    }
    (members > 0).then_some(directives)
}

impl Directives {
    /// Of a key said twice in a dictionary the last one counts (RFC 9651 §4.2.2).
    fn take_last(&mut self, name: &str, digits: &str) {
        // A negative number of seconds is none that are left.
        let seconds = delta_seconds(digits).unwrap_or(0);
        match name {
            "max-age" => self.max_age = Some(seconds),
            "s-maxage" => self.s_maxage = Some(seconds),
            "stale-while-revalidate" => self.stale_while_revalidate = Some(seconds),
            "stale-if-error" => self.stale_if_error = Some(seconds),
            _ => {}
        }
    }
}

fn is_numeric(key: &str) -> bool {
    matches!(
        key,
        "max-age" | "s-maxage" | "stale-while-revalidate" | "stale-if-error"
    )
}

/// A bare item of a structured field, as far as directives care.
enum Bare<'a> {
    Yes,
    No,
    Integer(&'a str),
    Other,
}

fn bare(text: &str) -> Option<Bare<'_>> {
    let first = text.bytes().next()?;
    let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~:/".contains(&b);
    match first {
        b'?' if text == "?1" => Some(Bare::Yes),
        b'?' if text == "?0" => Some(Bare::No),
        b'"' => (text.len() > 1 && text.ends_with('"')).then_some(Bare::Other),
        b':' => (text.len() > 1 && text.ends_with(':')).then_some(Bare::Other),
        b'(' => text.ends_with(')').then_some(Bare::Other),
        b'0'..=b'9' | b'-' => {
            let digits = text.strip_prefix('-').unwrap_or(text);
            if !digits.is_empty()
                && digits.len() <= 15
                && digits.bytes().all(|b| b.is_ascii_digit())
            {
                return Some(Bare::Integer(text));
            }
            let (whole, part) = digits.split_once('.')?;
            let is_decimal = (1..=12).contains(&whole.len())
                && (1..=3).contains(&part.len())
                && whole
                    .bytes()
                    .chain(part.bytes())
                    .all(|b| b.is_ascii_digit());
            is_decimal.then_some(Bare::Other)
        }
        b'a'..=b'z' | b'A'..=b'Z' | b'*' => text.bytes().all(is_token).then_some(Bare::Other),
        _ => None,
    }
}

fn is_key(key: &str) -> bool {
    let is_start = |b: u8| b.is_ascii_lowercase() || b == b'*';
    let is_rest = |b: u8| is_start(b) || b.is_ascii_digit() || b"_-.".contains(&b);
    key.bytes().next().is_some_and(is_start) && key.bytes().all(is_rest)
}

#[cfg(test)]
mod tests {
    use tradewind_host::egress::HeaderName;

    use super::*;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::from_static(name), value.parse().unwrap());
        }
        headers
    }

    fn answer(text: &str) -> Directives {
        Directives::of_answer(&headers(&[("cache-control", text)]))
    }

    #[test]
    fn numbers_are_read_strictly_and_the_first_counts() {
        for (text, seconds) in [
            ("max-age=3600", Some(3600)),
            ("MaX-aGe=3600", Some(3600)),
            ("max-age=\"3600\"", Some(3600)),
            ("max-age=003600", Some(3600)),
            ("max-age=99999999999999999999999", Some(MAX_SECONDS)),
            ("max-age=1800, max-age=1", Some(1800)),
            ("max-age='3600'", Some(0)),
            ("max-age=3600.0", Some(0)),
            ("max-age= 3600", Some(0)),
            ("max-age=-1", Some(0)),
            ("max-age", Some(0)),
            ("max-age =3600", None),
            ("extension=\"max-age=3600\"", None),
            ("extension=\"a\\\", max-age=3600\"", None),
        ] {
            assert_eq!(answer(text).max_age, seconds, "{text}");
        }
        assert_eq!(
            answer("max-age=1, extension=\"max-age=3600\"").max_age,
            Some(1)
        );
    }

    #[test]
    fn flags_with_field_names_mean_the_whole_answer() {
        let said = answer("No-CaChE=\"set-cookie, x\", private=\"y\",, nO-StOrE");
        assert!(said.no_cache && said.private && said.no_store && !said.public);
    }

    #[test]
    fn pragma_counts_only_without_cache_control() {
        let alone = Directives::of_request(&headers(&[("pragma", "no-cache")]));
        assert!(alone.no_cache);
        let both = Directives::of_request(&headers(&[
            ("pragma", "no-cache"),
            ("cache-control", "max-stale, min-fresh=5"),
        ]));
        assert!(!both.no_cache);
        assert_eq!(
            (both.max_stale, both.min_fresh),
            (Some(MAX_SECONDS), Some(5))
        );
    }

    #[test]
    fn a_targeted_field_puts_cache_control_out_of_force_only_when_it_is_valid() {
        let both = |targeted: &str| {
            Directives::of_answer(&headers(&[
                ("cache-control", "no-store, max-age=7"),
                ("cdn-cache-control", targeted),
            ]))
        };
        let valid = both("max-age=60, foo, bar=(1 2);x=\"y\"");
        assert_eq!(
            (valid.max_age, valid.no_store, valid.is_targeted),
            (Some(60), false, true)
        );
        assert_eq!(both("max-age=1, max-age=2").max_age, Some(2));
        assert!(both("private").private && both("no-cache=?1").no_cache);
        assert!(!both("private=?0").private);
        for invalid in [
            "max-age=60, &&&&&",
            "max-age=\"60\"",
            "max-age=60.5",
            "MaX-aGe=60",
            "max-age =60",
            "max-age= 60",
            "max-age",
            "",
        ] {
            let said = both(invalid);
            assert!(
                said.no_store && said.max_age == Some(7),
                "{invalid}: {said:?}"
            );
        }
    }
}
