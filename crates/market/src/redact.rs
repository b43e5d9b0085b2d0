//! What must not be written down or told: keys, found by where they travel, by their value, and by their look.
//!
//! Why here: recordings are published, and some providers repeat a key in what they refuse. A key that the
//! gateway put into a call is taken out of its answer ([`hide`]): the caller never had it.
//! Three nets, each for what slips through the others. By place: a key's parameter and every header of a
//! request are never kept at all, whatever they hold. By value: what travelled in such a place, what lies in
//! a variable where people keep keys, and what the user's own settings name is looked for in every text, as it
//! is and as it is escaped and encoded on the way. By look: the detectors that the audit and the guard use
//! judge what providers said.
//! What is not found: a value of fewer than eight characters in running text (`demo` is a word), and a key that
//! never travelled where keys do, lies in no variable and looks like no key.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use aho_corasick::{AhoCorasick, MatchKind};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use tradewind_catalog::Catalog;
use tradewind_catalog::access::How;
use tradewind_catalog::provider::Provider;
use tradewind_host::egress::{HeaderMap, HeaderValue, Response};
use tradewind_repo::secrets;

use crate::secrets::Keys;

/// Values that are shorter are not looked for in running text.
const MIN_CHARS: usize = 8;
/// Upper bound on values that are looked for.
const MAX_VALUES: usize = 1_000;
/// What every placeholder begins with; harmless in addresses, headers and JSON.
const PLACEHOLDER: &str = "REDACTED";
/// Parts of names of headers that tell of a key. Too many costs nothing: their values are looked for.
const TELLING_PARTS: &[&str] = &[
    "key",
    "token",
    "secret",
    "passw",
    "signature",
    "auth",
    "session",
    "credential",
    "cookie",
];
/// Words that tell of a key in the name of a parameter. Too many would mix up answers: `keywords` is none.
const TELLING_WORDS: &[&str] = &[
    "key",
    "keyid",
    "apikey",
    "appkey",
    "accesskey",
    "secretkey",
    "privatekey",
    "token",
    "apitoken",
    "accesstoken",
    "authtoken",
    "secret",
    "apisecret",
    "password",
    "passwd",
    "passphrase",
    "signature",
    "sig",
    "sign",
    "auth",
    "authorization",
    "session",
    "sessionid",
    "credential",
    "credentials",
];

/// Says whether a header of that name may hold a key.
fn is_telling_header(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    TELLING_PARTS.iter().any(|part| name.contains(part))
}

/// Says whether a parameter of that name, which the catalog does not know, holds a key: `apiKey`, `my_token`.
pub(crate) fn is_telling(name: &str) -> bool {
    words_of(name)
        .iter()
        .any(|word| TELLING_WORDS.contains(&word.as_str()))
}

/// Returns the words of a name in small letters: of `apiKey` and of `api_key` they are `api` and `key`.
pub(crate) fn words_of(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for c in name.chars() {
        let begins = !c.is_ascii_alphanumeric() || (was_lower && c.is_ascii_uppercase());
        if begins {
            words.push(String::new());
        }
        if c.is_ascii_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.push(c.to_ascii_lowercase());
        }
        was_lower = c.is_ascii_lowercase() || c.is_ascii_digit();
    }
    words
}

/// Returns what stands in place of a key that was under `name`.
pub(crate) fn placeholder_of(name: &str) -> String {
    format!("{PLACEHOLDER}-{}", plain(name))
}

/// Values to look for. Its `Debug` prints placeholders only.
#[derive(Clone, Default)]
pub struct Secrets {
    /// Value and what stands in its place.
    values: BTreeMap<String, String>,
    /// How many were found by their look.
    found: usize,
    is_full: bool,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.values.values()).finish()
    }
}

impl Secrets {
    /// Knows what lies in the variables where people keep keys of these providers; `variable` reads one.
    pub fn of_environment(catalog: &Catalog, variable: impl Fn(&str) -> Option<String>) -> Self {
        let mut secrets = Self::default();
        for provider in catalog.providers() {
            for credential in &provider.credentials {
                for value in credential.env.iter().filter_map(|name| variable(name)) {
                    secrets.add(&value, &placeholder(&provider.name, &credential.id));
                }
            }
        }
        secrets
    }

    /// Adds the keys of a provider that lie where the user's settings say.
    pub fn add_keys(&mut self, provider: &Provider, keys: &Keys) {
        for credential in &provider.credentials {
            if let Some(value) = keys.get(&credential.id) {
                self.add(&value, &placeholder(&provider.name, &credential.id));
            }
        }
    }

    /// Adds what a request to `provider` carries where keys travel.
    pub fn add_request(
        &mut self,
        provider: &Provider,
        headers: &HeaderMap,
        query: &[(String, String)],
    ) {
        for way in &provider.authentications {
            match &way.how {
                How::None {} => {}
                How::Query {
                    parameter,
                    credential,
                } => {
                    let given = query.iter().filter(|(name, _)| name == parameter);
                    for (_, value) in given {
                        self.add(value, &placeholder(&provider.name, credential));
                    }
                }
                How::Headers { headers: wanted } => {
                    for header in wanted {
                        let given = headers.get_all(&header.name);
                        for value in given.iter().filter_map(|value| value.to_str().ok()) {
                            let bare = value.strip_prefix(&header.prefix).unwrap_or(value);
                            self.add(bare, &placeholder(&provider.name, &header.credential));
                        }
                    }
                }
                How::Signed {
                    header, credential, ..
                } => {
                    let given = headers.get_all(header);
                    for value in given.iter().filter_map(|value| value.to_str().ok()) {
                        self.add(value, &placeholder(&provider.name, credential));
                    }
                }
            }
        }
        for (name, value) in headers {
            if is_telling_header(name.as_str())
                && let Ok(value) = value.to_str()
            {
                self.add_words(value, name.as_str());
            }
        }
        for (name, value) in query {
            if is_telling(name) && !is_parameter(provider, name) {
                self.add(value, &placeholder_of(name));
            }
        }
    }

    /// Says whether a value was left out because there were too many.
    pub fn is_full(&self) -> bool {
        self.is_full
    }

    /// Adds values that stood where keys do, each with what stands there now.
    pub(crate) fn add_found(&mut self, keys: &[(String, String)]) {
        for (value, placeholder) in keys {
            self.add(value, placeholder);
        }
    }

    /// Adds what a header holds: all of it, each of its words, and what a word says decoded.
    fn add_words(&mut self, value: &str, name: &str) {
        let placeholder = placeholder_of(name);
        self.add(value, &placeholder);
        for word in value.split([' ', ';', ',', '=']) {
            self.add(word, &placeholder);
        }
        // `Basic` has user and password in it.
        let decoded = value
            .split_once(' ')
            .and_then(|(_, rest)| STANDARD.decode(rest.trim()).ok());
        if let Some(text) = decoded.and_then(|bytes| String::from_utf8(bytes).ok()) {
            for part in text.split(':') {
                self.add(part, &placeholder);
            }
        }
    }

    fn add(&mut self, value: &str, placeholder: &str) {
        let value = value.trim();
        if value.chars().count() < MIN_CHARS
            || value.starts_with(PLACEHOLDER)
            || self.values.contains_key(value)
        {
            return;
        }
        if self.values.len() >= MAX_VALUES {
            self.is_full = true;
            return;
        }
        self.values.insert(value.to_owned(), placeholder.to_owned());
    }

    /// Adds what the detectors find in a text from outside; `name` is its file's.
    pub(crate) fn add_by_look(&mut self, name: &str, text: &str) {
        for hit in secrets::find(name, text.as_bytes()) {
            if let Some(value) = text.get(hit.start..hit.end)
                && !value.contains(PLACEHOLDER)
            {
                let before = self.values.len();
                let number = self.found + 1;
                self.add(
                    value,
                    &format!("{PLACEHOLDER}-{number}-{}", plain(hit.rule)),
                );
                self.found += self.values.len() - before;
            }
        }
    }

    /// Builds what takes them out of texts; `None` when there are more than can be looked for.
    pub fn cleaner(&self) -> Option<Cleaner> {
        let mut places: Vec<&String> = self.values.values().collect();
        places.sort();
        places.dedup();
        let (mut patterns, mut of) = (Vec::new(), Vec::new());
        for (value, placeholder) in &self.values {
            let place = places.binary_search(&placeholder).unwrap_or_default();
            for form in forms(value) {
                patterns.push(form);
                of.push(place);
            }
        }
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .ascii_case_insensitive(true)
            .build(&patterns)
            .ok()?;
        Some(Cleaner {
            automaton,
            of,
            times: vec![0; places.len()],
            placeholders: places.into_iter().cloned().collect(),
        })
    }
}

/// Takes the keys that the gateway put into a call to `provider` out of its answer.
pub(crate) fn hide(provider: &Provider, keys: &Keys, response: &mut Response) {
    let mut secrets = Secrets::default();
    secrets.add_keys(provider, keys);
    let Some(mut cleaner) = secrets.cleaner().filter(|_| !secrets.values.is_empty()) else {
        return;
    };
    if let Some(body) = cleaner.clean_bytes(&response.body) {
        response.body = body.into();
    }
    for value in response.headers.values_mut() {
        if let Some(clean) = cleaner.clean_bytes(value.as_bytes())
            && let Ok(clean) = HeaderValue::from_bytes(&clean)
        {
            *value = clean;
        }
    }
}

/// Takes keys out of texts.
#[derive(Debug)]
pub struct Cleaner {
    automaton: AhoCorasick,
    /// Which placeholder each pattern has.
    of: Vec<usize>,
    placeholders: Vec<String>,
    times: Vec<u64>,
}

impl Cleaner {
    /// Returns `text` with every key replaced.
    pub fn clean(&mut self, text: &str) -> String {
        let (of, placeholders, times) = (&self.of, &self.placeholders, &mut self.times);
        let mut clean = String::with_capacity(text.len());
        self.automaton
            .replace_all_with(text, &mut clean, |found, _, out| {
                let place = of.get(found.pattern().as_usize()).copied();
                let place = place.unwrap_or_default();
                if let Some(times) = times.get_mut(place) {
                    *times += 1;
                }
                out.push_str(placeholders.get(place).map_or(PLACEHOLDER, String::as_str));
                true
            });
        clean
    }

    /// Returns `bytes` with every key replaced; `None` when there is none in them.
    fn clean_bytes(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        self.automaton.find(bytes)?;
        let (of, placeholders) = (&self.of, &self.placeholders);
        let mut clean = Vec::with_capacity(bytes.len());
        self.automaton
            .replace_all_with_bytes(bytes, &mut clean, |found, _, out| {
                let place = of.get(found.pattern().as_usize());
                let placeholder = place.and_then(|place| placeholders.get(*place));
                out.extend_from_slice(placeholder.map_or(PLACEHOLDER, String::as_str).as_bytes());
                true
            });
        Some(clean)
    }

    /// Returns what was replaced, and how often.
    pub fn replaced(&self) -> impl Iterator<Item = (&str, u64)> {
        let all = self.placeholders.iter().zip(&self.times);
        all.filter(|(_, times)| **times > 0)
            .map(|(placeholder, times)| (placeholder.as_str(), *times))
    }
}

fn placeholder(provider: &str, credential: &str) -> String {
    format!("{PLACEHOLDER}-{}-{}", plain(provider), plain(credential))
}

/// Returns a name without what could mean something in an address or in JSON.
fn plain(name: &str) -> String {
    let is_plain = |c: &char| c.is_ascii_alphanumeric() || *c == '-' || *c == '_';
    name.chars().filter(is_plain).take(40).collect()
}

/// Says whether an endpoint of the provider has a parameter of that name: then it is no key.
pub(crate) fn is_parameter(provider: &Provider, name: &str) -> bool {
    let mut endpoints = provider.endpoints.iter();
    endpoints.any(|endpoint| {
        endpoint.parameter(name).is_some() || endpoint.conditions.contains_key(name)
    })
}

/// Returns the forms in which a value may stand in a text.
fn forms(value: &str) -> Vec<String> {
    let escaped = percent(value, "");
    let mut forms = vec![
        value.to_owned(),
        percent(value, "/"),
        percent(value, " ").replace(' ', "+"),
        percent(&escaped, ""),
        escaped,
        json(value, |_| false),
        json(value, |c| c == '/'),
        json(value, |c| "&<>+'/=".contains(c)),
        value.bytes().fold(String::new(), |mut hex, byte| {
            // Writing to a String cannot go wrong.
            write!(hex, "{byte:02x}").unwrap_or_default();
            hex
        }),
        URL_SAFE_NO_PAD.encode(value),
    ];
    // In the middle of something encoded its bytes may begin at any of three places in a group.
    for (before, dropped) in [(0, 0), (1, 2), (2, 3)] {
        let mut bytes = vec![0_u8; before];
        bytes.extend_from_slice(value.as_bytes());
        let whole = bytes.len() * 8 / 6;
        for text in [
            STANDARD_NO_PAD.encode(&bytes),
            URL_SAFE_NO_PAD.encode(&bytes),
        ] {
            let core = text.get(dropped..whole).unwrap_or_default();
            forms.push(core.to_owned());
        }
    }
    forms.retain(|form| form.len() >= MIN_CHARS);
    forms.sort();
    forms.dedup();
    forms
}

/// Returns `value` with everything escaped but letters, digits, `-._~` and what is in `kept`.
fn percent(value: &str, kept: &str) -> String {
    value.bytes().fold(String::new(), |mut text, byte| {
        let c = char::from(byte);
        if c.is_ascii_alphanumeric() || "-._~".contains(c) || (c.is_ascii() && kept.contains(c)) {
            text.push(c);
        } else {
            // Writing to a String cannot go wrong.
            write!(text, "%{byte:02X}").unwrap_or_default();
        }
        text
    })
}

/// Returns `value` as JSON has it between quotes; writers differ in what else they escape: a slash by a
/// backslash, others by their number.
fn json(value: &str, is_escaped: impl Fn(char) -> bool) -> String {
    let only_slash = is_escaped('/') && !is_escaped('&');
    value.chars().fold(String::new(), |mut text, c| {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            '/' if only_slash => text.push_str("\\/"),
            c if is_escaped(c) || c.is_control() => {
                // Writing to a String cannot go wrong.
                write!(text, "\\u{:04x}", u32::from(c)).unwrap_or_default();
            }
            c => text.push(c),
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "aB3/+=x9&Qw zP7";

    fn secrets() -> Secrets {
        Secrets::of_environment(Catalog::builtin_shared(), |name| {
            (name == "APCA_API_SECRET_KEY").then(|| KEY.to_owned())
        })
    }

    #[test]
    fn a_value_is_found_in_every_form_that_the_way_gives_it() {
        let mut cleaner = secrets().cleaner().unwrap();
        let wrapped = |before: &str| STANDARD.encode(format!("{before}{KEY}:after"));
        for text in [
            KEY.to_owned(),
            KEY.to_ascii_lowercase(),
            "aB3%2F%2B%3Dx9%26Qw%20zP7".to_owned(),
            "aB3%2f%2b%3dx9%26Qw%20zP7".to_owned(),
            "aB3%2F%2B%3Dx9%26Qw+zP7".to_owned(),
            "aB3/%2B%3Dx9%26Qw%20zP7".to_owned(),
            "aB3%252F%252B%253Dx9%2526Qw%2520zP7".to_owned(),
            "aB3\\/+=x9&Qw zP7".to_owned(),
            "aB3\\u002f\\u002B\\u003dx9\\u0026Qw zP7".to_owned(),
            "6142332f2b3d7839265177207a5037".to_owned(),
            STANDARD.encode(KEY),
            wrapped(""),
            wrapped("a"),
            wrapped("us"),
            wrapped("user:"),
        ] {
            let clean = cleaner.clean(&format!("before {text} after"));
            assert!(clean.contains("REDACTED-alpaca-secret"), "{text}: {clean}");
            assert!(!clean.contains("x9"), "{text}: {clean}");
        }
        let replaced: Vec<_> = cleaner.replaced().collect();
        assert_eq!(replaced, [("REDACTED-alpaca-secret", 15)]);
    }

    #[test]
    fn a_parameter_that_only_begins_like_a_key_is_none() {
        for name in [
            "apiKey",
            "api_key",
            "APIKEY",
            "my-token",
            "accessToken",
            "sig",
            "X-Amz-Signature",
            "keyId",
        ] {
            assert!(is_telling(name), "{name}");
        }
        for name in [
            "keywords",
            "author",
            "monkey",
            "tokens",
            "design",
            "interval",
            "assignment",
            "",
            "-",
        ] {
            assert!(!is_telling(name), "{name}");
        }
    }

    #[test]
    fn a_short_value_is_a_word_and_stays() {
        let demo = Secrets::of_environment(Catalog::builtin_shared(), |_| Some("demo".to_owned()));
        let mut cleaner = demo.cleaner().unwrap();
        assert_eq!(cleaner.clean("a demo account"), "a demo account");
    }

    #[test]
    fn what_a_request_carries_where_keys_travel_is_known_from_then_on() {
        let catalog = Catalog::builtin_shared();
        let mut secrets = Secrets::default();
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("authorization", "Basic dXNlcjpwYXNzd29yZC1vZi1vdXJz"),
            ("cookie", "sid=cookie-of-ours; theme=dark"),
            ("x-my-api-key", "header-of-ours"),
            ("accept", "application/json-of-nobody"),
        ] {
            headers.insert(name, value.parse().unwrap());
        }
        let query = [
            ("apiKey", "query-of-ours"),
            ("my_token", "token-of-ours"),
            ("ticker", "ticker-of-all"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        secrets.add_request(catalog.provider("polygon").unwrap(), &headers, &query);
        let mut cleaner = secrets.cleaner().unwrap();
        let text = "password-of-ours cookie-of-ours header-of-ours query-of-ours token-of-ours";
        let clean = cleaner.clean(text);
        assert!(!clean.contains("of-ours"), "{clean}");
        let rest = "application/json-of-nobody ticker-of-all";
        assert_eq!(cleaner.clean(rest), rest);
        assert!(!format!("{secrets:?}").contains("of-ours"));
    }

    #[test]
    fn more_values_than_can_be_watched_are_told() {
        let catalog = Catalog::builtin_shared();
        let mut secrets = Secrets::default();
        for number in 0..=MAX_VALUES {
            assert!(!secrets.is_full());
            let query = [("apiKey".to_owned(), format!("key-number-{number}"))];
            secrets.add_request(
                catalog.provider("polygon").unwrap(),
                &HeaderMap::new(),
                &query,
            );
        }
        assert!(secrets.is_full());
        assert!(secrets.cleaner().is_some());
    }
}
