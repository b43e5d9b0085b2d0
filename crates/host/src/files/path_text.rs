//! Relative paths as text with `/`, and back, without loss.
//!
//! Events, reports and state hold paths as text; file names hold bytes. A byte that is not part of
//! valid UTF-8 becomes `%XX` (upper-case hexadecimal). So that the way back is certain, `%` becomes
//! `%25`, but only where two hexadecimal digits follow it: `100%.txt` stays as it is. On Windows an
//! unpaired surrogate becomes the escapes of its three WTF-8 bytes and `\` becomes `/`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Returns a path as text with `/` between its parts.
pub fn to_slash(path: &Path) -> String {
    let bytes = path.as_os_str().as_encoded_bytes();
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        push_valid(&mut text, chunk.valid(), chunk.invalid());
        for byte in chunk.invalid() {
            // Writing to a String cannot go wrong.
            write!(text, "%{byte:02X}").unwrap_or_default();
        }
    }
    text
}

fn push_valid(text: &mut String, valid: &str, next: &[u8]) {
    for (at, c) in valid.char_indices() {
        match c {
            '\\' if cfg!(windows) => text.push('/'),
            '%' => {
                let rest = valid.as_bytes().get(at + 1..).unwrap_or_default();
                // An escape that follows starts with `%`, so it never completes this one.
                let is_escape = rest.len() >= 2 && rest.iter().take(2).all(u8::is_ascii_hexdigit);
                text.push_str(if is_escape { "%25" } else { "%" });
            }
            c => text.push(c),
        }
    }
    debug_assert!(next.first().is_none_or(|byte| !byte.is_ascii()));
}

/// Returns the path that [`to_slash`] was given.
pub fn from_slash(text: &str) -> PathBuf {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let digits = tail
            .get(..2)
            .and_then(|pair| std::str::from_utf8(pair).ok());
        let code = digits
            .filter(|pair| pair.bytes().all(|byte| byte.is_ascii_hexdigit()))
            .and_then(|pair| u8::from_str_radix(pair, 16).ok());
        if let (b'%', Some(code)) = (first, code) {
            bytes.push(code);
            rest = tail.get(2..).unwrap_or_default();
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    from_bytes(bytes)
}

#[cfg(unix)]
fn from_bytes(bytes: Vec<u8>) -> PathBuf {
    use std::os::unix::ffi::OsStringExt as _;
    std::ffi::OsString::from_vec(bytes).into()
}

/// Elsewhere a name with escapes of invalid text comes back with replacement characters.
#[cfg(not(unix))]
fn from_bytes(bytes: Vec<u8>) -> PathBuf {
    String::from_utf8_lossy(&bytes).into_owned().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_stay_as_they_are() {
        assert_eq!(to_slash(&Path::new("src").join("bot.py")), "src/bot.py");
        assert_eq!(to_slash(Path::new("100%.txt")), "100%.txt");
        assert_eq!(to_slash(Path::new("é\n\"")), "é\n\"");
        assert_eq!(to_slash(Path::new("%41")), "%2541");
    }

    #[cfg(unix)]
    mod law {
        use std::ffi::OsString;
        use std::os::unix::ffi::OsStringExt as _;

        use proptest::prelude::*;

        use super::super::*;

        proptest! {
            #[test]
            fn every_name_comes_back(
                bytes in proptest::collection::vec(
                    prop_oneof![any::<u8>(), Just(b'%'), Just(b'4'), Just(0xff)], 0..20,
                ),
            ) {
                let path = PathBuf::from(OsString::from_vec(bytes));
                prop_assert_eq!(from_slash(&to_slash(&path)), path);
            }
        }
    }
}
