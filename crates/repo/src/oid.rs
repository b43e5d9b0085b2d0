//! Names of git objects, SHA-1 or SHA-256.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The name of a git object: 20 bytes, or 32 in a SHA-256 repository.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Oid {
    // Invariant: bytes beyond the length are 0, so that the derived comparisons hold.
    bytes: [u8; 32],
    is_sha256: bool,
}

/// Text that names no object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an object id of 40 or 64 hexadecimal digits")]
pub struct OidError;

impl Oid {
    /// Reads 40 or 64 hexadecimal digits.
    ///
    /// # Errors
    /// [`OidError`] for anything else.
    pub fn from_hex(digits: &[u8]) -> Result<Self, OidError> {
        let is_sha256 = match digits.len() {
            40 => false,
            64 => true,
            _ => return Err(OidError),
        };
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let (high, low) = (hex_value(pair[0])?, hex_value(pair[1])?);
            *byte = high << 4 | low;
        }
        Ok(Self { bytes, is_sha256 })
    }

    /// Says whether it is the name git uses for "nothing".
    pub fn is_zero(&self) -> bool {
        self.bytes == [0; 32]
    }

    /// Takes 20 or 32 raw bytes.
    pub(crate) fn from_slice(raw: &[u8]) -> Option<Self> {
        let is_sha256 = match raw.len() {
            20 => false,
            32 => true,
            _ => return None,
        };
        let mut bytes = [0; 32];
        bytes.get_mut(..raw.len())?.copy_from_slice(raw);
        Some(Self { bytes, is_sha256 })
    }

    /// Takes the digest of an object; a length that is none names nothing.
    pub(crate) fn from_digest(raw: &[u8]) -> Self {
        Self::from_slice(raw).unwrap_or(Self {
            bytes: [0; 32],
            is_sha256: false,
        })
    }

    /// Returns the raw bytes.
    pub fn as_slice(&self) -> &[u8] {
        if self.is_sha256 {
            &self.bytes
        } else {
            &self.bytes[..20]
        }
    }
}

fn hex_value(digit: u8) -> Result<u8, OidError> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        b'A'..=b'F' => Ok(digit - b'A' + 10),
        _ => Err(OidError),
    }
}

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_slice()
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Oid {
    type Err = OidError;

    fn from_str(text: &str) -> Result<Self, OidError> {
        Self::from_hex(text.as_bytes())
    }
}

impl Serialize for Oid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Oid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_lengths_read_back_and_others_are_refused() {
        for digits in [
            "0123456789abcdef0123456789abcdef01234567".to_owned(),
            "ab".repeat(32),
        ] {
            assert_eq!(digits.parse::<Oid>().unwrap().to_string(), digits);
        }
        assert!("ab".repeat(16).parse::<Oid>().is_err());
        assert!("zz".repeat(20).parse::<Oid>().is_err());
    }
}
