//! An instrument as callers name it: `SYMBOL` or `SYMBOL@venue`.
//!
//! Why the venue is optional: most people trade each symbol at one place, and the catalog knows which
//! providers have it. Why symbols keep their case: at some venues `a` and `A` are two things.
//! Not here: what a symbol is called at a provider (`catalog`, `market`).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Upper bound on the characters of a symbol.
const MAX_SYMBOL: usize = 64;
/// Upper bound on the characters of a venue.
const MAX_VENUE: usize = 32;

/// Something that is traded, by its symbol and, where that is not enough, its venue.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Instrument {
    // Invariant: checked in `from_str`; safe in a log, and in a path once it is percent-encoded.
    symbol: Box<str>,
    venue: Option<Box<str>>,
}

/// Text that names no instrument.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not an instrument: {why}")]
pub struct InstrumentError {
    text: String,
    why: &'static str,
}

impl Instrument {
    /// Returns its symbol, as it was written.
    pub fn symbol(&self) -> &str {
        &self.symbol
    }

    /// Returns its venue, in lower case.
    pub fn venue(&self) -> Option<&str> {
        self.venue.as_deref()
    }
}

impl fmt::Display for Instrument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.symbol)?;
        match &self.venue {
            Some(venue) => write!(f, "@{venue}"),
            None => Ok(()),
        }
    }
}

impl FromStr for Instrument {
    type Err = InstrumentError;

    fn from_str(text: &str) -> Result<Self, InstrumentError> {
        let error = |why| InstrumentError {
            text: text.chars().take(80).collect(),
            why,
        };
        let (symbol, venue) = match text.rsplit_once('@') {
            Some((symbol, venue)) => (symbol, Some(venue)),
            None => (text, None),
        };
        if symbol.is_empty() || symbol.len() > MAX_SYMBOL {
            return Err(error(
                "a symbol has 1 to 64 characters, as in `AAPL` or `BTC/USD@kraken`",
            ));
        }
        // `^GSPC`, `BRK.B`, `BTC/USD`, `EURUSD=X`, `ES=F`, `I:SPX`, `BTC-USD`, `A_B`, `X:BTCUSD`.
        let is_sound = |c: char| c.is_ascii_alphanumeric() || "^./-=:_+*$".contains(c);
        if !symbol.chars().all(is_sound) {
            return Err(error(
                "a symbol has letters, digits and ^ . / - = : _ + * $ only",
            ));
        }
        if matches!(symbol, "." | "..")
            || symbol
                .split('/')
                .any(|part| part == ".." || part.is_empty())
        {
            return Err(error("it reads like a path"));
        }
        let is_name = |venue: &str| {
            !venue.is_empty()
                && venue.len() <= MAX_VENUE
                && venue
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        };
        if venue.is_some_and(|venue| !is_name(venue)) {
            return Err(error(
                "a venue has letters, digits, hyphens and underscores, as in `kraken`",
            ));
        }
        Ok(Self {
            symbol: symbol.into(),
            venue: venue.map(|venue| venue.to_ascii_lowercase().into()),
        })
    }
}

impl TryFrom<String> for Instrument {
    type Error = InstrumentError;

    fn try_from(text: String) -> Result<Self, InstrumentError> {
        text.parse()
    }
}

impl From<Instrument> for String {
    fn from(instrument: Instrument) -> Self {
        instrument.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_of_every_provider_read_back() {
        for text in [
            "AAPL",
            "BRK.B",
            "BTC/USD@kraken",
            "^GSPC",
            "EURUSD=X",
            "I:SPX",
            "X:BTCUSD@polygon",
            "GDP@fred",
            "brk.b",
            "BF-B",
        ] {
            assert_eq!(text.parse::<Instrument>().unwrap().to_string(), text);
        }
        let kraken: Instrument = "BTC/USD@Kraken".parse().unwrap();
        assert_eq!(
            (kraken.symbol(), kraken.venue()),
            ("BTC/USD", Some("kraken"))
        );
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let long = "A".repeat(65);
        for text in [
            "", "@kraken", "AAPL@", "..", "../x", "a/../b", "/etc", "A B", "A\n", "A%2F", "ä",
            "A@b@c d", "A?b", "A#b", &long,
        ] {
            assert!(text.parse::<Instrument>().is_err(), "{text:?}");
        }
    }
}
