//! Tells issued credentials from placeholders, words and dummies.

/// How sure one must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bound {
    /// In ordinary files.
    Usual,
    /// Where dummies are expected.
    High,
}

/// Words that no random text holds and that every placeholder does.
const PLACEHOLDER_WORDS: &[&str] = &[
    "example",
    "changeme",
    "change_me",
    "change-me",
    "placeholder",
    "your",
    "insert",
    "replace",
    "dummy",
    "fake",
    "sample",
    "redacted",
    "xxxx",
    "****",
    "....",
    "____",
    "todo",
    "undefined",
    "secret_here",
    "key_here",
    "my_secret",
    "my-secret",
    "mysecret",
    "notreal",
    "not-a-",
    "not_a_",
    "test",
    "demo",
    "mock",
    "foobar",
    "change-in",
    "change_in",
    "insecure",
    "securepass",
    "strongpass",
    "pass123",
    "p@ssw0rd",
    "abc123",
    "abcdef",
    "12345678",
    "...",
    "deadbeef",
    "password",
    "passwd",
    "qwerty",
    "letmein",
    "hunter2",
    "lorem",
    "environ",
    "getenv",
    "process.env",
    "secrets.",
    "vault",
    "${",
    "{{",
    "%(",
    "<",
    ">",
    "$(",
];

/// Says whether a value only stands for one.
pub(super) fn is_placeholder(value: &[u8]) -> bool {
    let text = value.to_ascii_lowercase();
    let has = |word: &&str| {
        text.windows(word.len())
            .any(|window| window == word.as_bytes())
    };
    PLACEHOLDER_WORDS.iter().any(has)
        || has_long_run(&text)
        || is_counted_up(&text)
        || distinct(&text) <= 5
        || PUBLISHED
            .iter()
            .any(|known| text.starts_with(known.as_bytes()))
        || is_public_token(value)
}

/// Beginnings of values that manuals and tools print for everyone: the keys of Binance's own examples,
/// the accounts that local Ethereum nodes come with.
const PUBLISHED: &[&str] = &[
    // The secret that every page about one-time codes shows.
    "jbswy3dpehpk3pxp",
    "vmpuze6mv9sd5vnhk4hl",
    "nhqptmdsjydkjvhja7pz",
    "dbefbc809e3e83c283a9",
    "0xac0974bec39a17e36b",
    "ac0974bec39a17e36ba4",
    "0x59c6995e998f97a5a0",
    "59c6995e998f97a5a004",
    "0x5de4111afa1a4b9490",
    "5de4111afa1a4b94908f",
];

/// Says whether most characters follow the one before them: `abcd1234`.
fn is_counted_up(text: &[u8]) -> bool {
    let steps = text
        .windows(2)
        .filter(|pair| pair[0].checked_add(1) == Some(pair[1]) || pair[0] == pair[1])
        .count();
    text.len() >= 6 && steps * 10 >= (text.len() - 1) * 6
}

/// Says whether a JSON web token is one that is handed to every visitor of a page (`"role":"anon"`).
/// Only the three ways that these letters look in base64 are sought; nothing is decoded.
fn is_public_token(value: &[u8]) -> bool {
    let anonymous: [&[u8]; 3] = [
        b"InJvbGUiOiJhbm9uI",
        b"Jyb2xlIjoiYW5vbi",
        b"icm9sZSI6ImFub24i",
    ];
    value.starts_with(b"eyJ")
        && anonymous
            .iter()
            .any(|part| value.windows(part.len()).any(|window| window == *part))
}

/// Says whether text holds the same character five times on end, or six in alphabetical order.
fn has_long_run(text: &[u8]) -> bool {
    let longest = |step: u8| {
        let (mut run, mut longest) = (1, 1);
        for pair in text.windows(2) {
            run = if pair[0].checked_add(step) == Some(pair[1]) {
                run + 1
            } else {
                1
            };
            longest = longest.max(run);
        }
        longest
    };
    longest(0) >= 5 || longest(1) >= 6
}

fn distinct(text: &[u8]) -> usize {
    let mut seen = [false; 256];
    for byte in text {
        seen[usize::from(*byte)] = true;
    }
    seen.iter().filter(|seen| **seen).count()
}

/// Returns the entropy of a text's characters, in bits for each.
fn entropy(text: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in text {
        counts[usize::from(*byte)] += 1;
    }
    let length = f64::from(u32::try_from(text.len()).unwrap_or(u32::MAX));
    let shares = counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| f64::from(*count) / length);
    -shares.map(|share| share * share.log2()).sum::<f64>()
}

/// Bits for each character that random text of this length and alphabet has at the very least: 9 of
/// 10 letters that are drawn from 16 are seldom all different, so short text gets less.
fn least_entropy(length: usize) -> f64 {
    match length {
        0..=15 => 2.9,
        16..=23 => 3.1,
        _ => 3.2,
    }
}

/// Says whether a value of a known shape looks random rather than made up.
pub(super) fn is_random(value: &[u8]) -> bool {
    let has_digit = value.iter().any(u8::is_ascii_digit);
    let has_letter = value.iter().any(u8::is_ascii_alphabetic);
    has_digit
        && has_letter
        && entropy(value) >= least_entropy(value.len())
        && !is_placeholder(value)
        && !is_words(value)
}

/// Says whether a value is words and numbers side by side, as people count things: `session_20241228_001`.
pub(super) fn is_numbered_name(value: &[u8]) -> bool {
    value.split(|byte| b"_-./|~".contains(byte)).all(|part| {
        part.iter().all(u8::is_ascii_digit)
            || part.iter().all(u8::is_ascii_alphabetic) && part.len() < 16
    })
}

/// Says whether a value is a UUID as text.
pub(super) fn is_uuid(value: &[u8]) -> bool {
    let parts: Vec<&[u8]> = value.split(|byte| *byte == b'-').collect();
    parts
        .iter()
        .map(|part| part.len())
        .eq([8_usize, 4, 4, 4, 12])
        && parts
            .iter()
            .all(|part| part.iter().all(u8::is_ascii_hexdigit))
}

/// Says whether a value reads as words: `oauth2_client_credentials`, `MyTokenProvider`, `a.b.c`.
fn is_words(value: &[u8]) -> bool {
    let is_separator = |byte: &u8| matches!(byte, b'_' | b'-' | b'.' | b'/' | b':');
    let is_word = |part: &[u8]| {
        let letters = part
            .iter()
            .take_while(|byte| byte.is_ascii_alphabetic())
            .count();
        let (letters, digits) = part.split_at(letters);
        // `key2`, `2024`, `32chars`: numbers that people put beside words.
        let figures = digits
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        let (figures, unit) = digits.split_at(figures);
        let is_year = letters.is_empty() && figures.len() <= 4;
        let is_numbered = (figures.len() <= 3 || is_year)
            && (unit.is_empty()
                || letters.is_empty()
                    && unit.len() >= 4
                    && unit.iter().all(u8::is_ascii_lowercase));
        // Words change case at most once in three letters.
        let changes = letters
            .windows(2)
            .filter(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase());
        is_numbered && changes.count() * 3 <= letters.len()
    };
    let parts = value.split(is_separator).filter(|part| !part.is_empty());
    let all: Vec<&[u8]> = parts.collect();
    all.iter().all(|part| is_word(part))
}

/// Says whether text in a URL is a real password.
pub(super) fn is_password(value: &[u8]) -> bool {
    value.len() >= 8
        && value.iter().any(u8::is_ascii_digit)
        && entropy(value) >= 2.6
        && !is_placeholder(value)
        && !is_words(value)
        && !value
            .iter()
            .any(|byte| matches!(byte, b'{' | b'}' | b'$' | b'%'))
}

/// Endings of names that hold no credential although they name one.
const HARMLESS_ENDINGS: &[&str] = &[
    "_url",
    "_uri",
    "_path",
    "_file",
    "_dir",
    "_name",
    "_type",
    "_id",
    "_field",
    "_header",
    "_prefix",
    "_env",
    "_var",
    "_ttl",
    "_count",
    "_limit",
    "_length",
    "_len",
    "_size",
    "_hash",
    "_regex",
    "_pattern",
    "_arn",
    "_ref",
    "_label",
    "_format",
    "_version",
    "_algorithm",
    "_expires",
    "_expiry",
    "_enc",
    "_encrypted",
    "_at",
    "file",
    "url",
    "path",
    "name",
    "type",
    "hash",
    "regex",
    "pattern",
];
/// Parts of names that speak of something else.
const HARMLESS_PARTS: &[&str] = &[
    "public",
    "tokeniz",
    "max_token",
    "maxtoken",
    "num_token",
    "csrf",
    "checksum",
    "digest",
    "sha256",
    "cache",
    "primary",
    "foreign",
    "sort_key",
    "continuation",
    "page_token",
    "next_token",
];

/// Says whether text assigned to a telling name is a credential.
pub(super) fn is_assigned_secret(name: &[u8], value: &[u8], bound: Bound) -> bool {
    let name = String::from_utf8_lossy(name).to_ascii_lowercase();
    let is_harmless = HARMLESS_ENDINGS.iter().any(|ending| name.ends_with(ending))
        || HARMLESS_PARTS.iter().any(|part| name.contains(part));
    // The address of a contract or account on a chain is public; its private key is longer.
    let is_address = value.len() == 42
        && value.starts_with(b"0x")
        && value.iter().skip(2).all(u8::is_ascii_hexdigit);
    if is_harmless
        || is_address
        || !is_token_text(value)
        || is_placeholder(value)
        || is_words(value)
    {
        return false;
    }
    let is_password = name.contains("pass");
    let (least_length, least) = match (bound, is_password) {
        (Bound::Usual, true) => (8, 2.75),
        (Bound::Usual, false) => (16, least_entropy(value.len())),
        (Bound::High, _) => (24, 3.6),
    };
    let has_digit = value.iter().any(u8::is_ascii_digit);
    let has_letter = value.iter().any(u8::is_ascii_alphabetic);
    value.len() >= least_length && has_digit && has_letter && entropy(value) >= least
}

/// Says whether a value is made of what credentials are made of, and not an address, a path, a
/// digest, a call or an attribute.
fn is_token_text(value: &[u8]) -> bool {
    let allowed = |byte: &u8| {
        byte.is_ascii_graphic()
            && !matches!(
                byte,
                b'(' | b')' | b'[' | b']' | b'<' | b'>' | b'{' | b'}' | b'\\' | b'|' | b',' | b';'
            )
    };
    let starts = |prefix: &[u8]| value.starts_with(prefix);
    let holds = |part: &[u8]| value.windows(part.len()).any(|window| window == part);
    value.iter().all(allowed)
        && !starts(b"/")
        && !starts(b"./")
        && !starts(b"~/")
        && !starts(b"$")
        && !starts(b"%")
        && !starts(b"@")
        && !starts(b"&")
        && !starts(b"sha")
        && !starts(b"md5")
        && !starts(b"env:")
        && !starts(b"file:")
        && !starts(b"cmd:")
        && !holds(b"://")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_not_random_and_random_text_is_no_word() {
        for words in [
            "oauth2_client_credentials",
            "MyTokenProvider",
            "a.b.c",
            "access-token-v2",
        ] {
            assert!(is_words(words.as_bytes()), "{words}");
        }
        for text in ["c8Kq2mZr7Lw", "9fa31c7be02d", "bq4k2l0rh5rf"] {
            assert!(!is_words(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn entropy_is_that_of_shannon() {
        assert!(entropy(b"aaaa").abs() < 1e-9);
        assert!((entropy(b"abcd") - 2.0).abs() < 1e-9);
    }
}
