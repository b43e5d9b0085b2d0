//! The version a git program names itself by.

use std::fmt;

/// A version of git.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// First number.
    pub major: u32,
    /// Second number.
    pub minor: u32,
    /// Third number.
    pub patch: u32,
}

impl Version {
    /// Reads `git version 2.47.3`, with or without a vendor's tail.
    pub fn parse(text: &str) -> Option<Self> {
        let word = text
            .trim()
            .strip_prefix("git version ")?
            .split_whitespace()
            .next()?;
        let mut numbers = word.split('.').map(|part| part.parse::<u32>().ok());
        Some(Self {
            major: numbers.next()??,
            minor: numbers.next()??,
            patch: numbers.next().flatten().unwrap_or(0),
        })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vendors_tails_are_read_over() {
        let cases = [
            ("git version 2.47.3\n", Some((2, 47, 3))),
            ("git version 2.39.5 (Apple Git-154)", Some((2, 39, 5))),
            ("git version 2.45.1.windows.1", Some((2, 45, 1))),
            ("git version 2.50.0-rc1", Some((2, 50, 0))),
            ("git version 2.50.GIT", Some((2, 50, 0))),
            ("hub version 1", None),
            ("git version banana", None),
        ];
        for (text, expected) in cases {
            let found = Version::parse(text).map(|v| (v.major, v.minor, v.patch));
            assert_eq!(found, expected, "{text}");
        }
    }
}
