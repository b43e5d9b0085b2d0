//! Random bytes from the operating system, for ids and tokens.
//!
//! Not here: seeded randomness for tests and jitter; that is the caller's, so that tests own it.

/// The operating system gave no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("the operating system gave no random bytes")]
pub struct RandomError(#[source] getrandom::Error);

/// Returns `N` bytes that nobody can guess.
///
/// # Errors
/// [`RandomError`] when the operating system has none, as in a broken container.
pub fn bytes<const N: usize>() -> Result<[u8; N], RandomError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(RandomError)?;
    Ok(bytes)
}

/// Returns a token of 32 random bytes as 64 lower-case hexadecimal digits.
///
/// # Errors
/// [`RandomError`] as for [`bytes()`].
pub fn token() -> Result<String, RandomError> {
    Ok(hex(&bytes::<32>()?))
}

/// Returns `bytes` as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            // Writing to a String cannot go wrong.
            write!(text, "{byte:02x}").unwrap_or_default();
            text
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_tokens_differ_and_are_64_digits() {
        let (one, two) = (token().unwrap(), token().unwrap());
        assert_ne!(one, two);
        assert_eq!(one.len(), 64);
        assert!(one.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
}
