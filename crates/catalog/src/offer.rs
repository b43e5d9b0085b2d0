//! Offers: what may be asked at an endpoint in our words, and how its answer becomes rows.
//!
//! Why data: the same length is `1m`, `1Min`, `60` and `minute` at four providers, a day begins at another
//! moment at each venue, and whoever guesses one of them keeps wrong bars for ever. What is not written
//! here is not offered. Not here: asking, reading times and numbers (the room `market`).

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::basis::Basis;
use crate::endpoint::UseCase;
use crate::mapping::Mapping;
use crate::period::Period;
use crate::plan::ClockTime;
use crate::pointer::Pointer;
use crate::stream::{is_yes, yes};

/// Names that a mapping may use with a `$`: the symbol as the provider spells it, and how prices are
/// wanted, `none`, `splits` or `all`.
pub const VARIABLES: [&str; 2] = ["symbol", "adjust"];

/// `[[endpoint.offer]]`: one kind of question that an endpoint answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Offering {
    /// What kind of instrument it is for. Default: none; it is asked by words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<AssetClass>,
    /// Venue whose trades it tells, as in `BTC/USD@kraken`. Default: all venues together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub venue: Option<String>,
    /// How our symbols are spelled. Default: as they are.
    #[serde(default, skip_serializing_if = "SymbolSpelling::is_plain")]
    pub symbol: SymbolSpelling,
    /// Lengths of bars, in our words, and how each is asked for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub intervals: BTreeMap<String, Spelling>,
    /// Ways to adjust prices, and how each is asked for. Default: nothing is ever adjusted.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub adjust: BTreeMap<Adjust, Spelling>,
    /// Feeds, as the parameter for feeds takes them, the one that is asked without a wish first. Default:
    /// there is no choice.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub feeds: Vec<String>,
    /// Whether the delay of a plan holds for it. Default: it does.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub is_delayed: bool,
    /// Feeds for which the delay of a plan does not hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub undelayed: Vec<String>,
    /// Parameters that every call has.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub arguments: BTreeMap<String, String>,
    /// When the days of its bars begin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day: Option<Day>,
    /// What is sure about the time of a row.
    #[serde(default)]
    pub stamp: Stamp,
    /// Where the answer names the zone of its local times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone_at: Option<Pointer>,
    /// Which rows come when there are more than one answer holds. Default: those that come first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keeps: Option<Keeps>,
    /// How much earlier a call asks, where it is not sure that the first row of a span comes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_before: Option<Period>,
    /// How much later a call asks, where it is not sure that the last row of a span comes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_after: Option<Period>,
    /// Parameters that decide how many of the newest rows come, fewest first, where no span can be asked.
    #[serde(default, rename = "depth", skip_serializing_if = "Vec::is_empty")]
    pub depths: Vec<Depth>,
    /// How rows are picked from the answer, in the language of jq. Numbers are text in it.
    pub rows: Mapping,
    /// What a reader should know about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Where the facts come from. Default: the endpoint's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<Basis>,
}

/// What kind of instrument.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum AssetClass {
    /// A share or fund of an exchange of the United States: `AAPL`, `BRK.B`.
    UsStock,
    /// A pair of a crypto market: `BTC/USD`.
    Crypto,
}

impl AssetClass {
    /// Every class.
    pub const ALL: [Self; 2] = [Self::UsStock, Self::Crypto];

    /// Returns the words for a sentence.
    pub const fn as_words(self) -> &'static str {
        match self {
            Self::UsStock => "stocks of the United States (`AAPL`, `BRK.B`)",
            Self::Crypto => "crypto pairs (`BTC/USD`)",
        }
    }

    /// Tells whether a symbol of ours has the form of this class.
    pub fn has(self, symbol: &str) -> bool {
        let all = |text: &str, most: usize, is: fn(u8) -> bool| {
            (1..=most).contains(&text.len()) && text.bytes().all(is)
        };
        let is_upper = |byte: u8| byte.is_ascii_uppercase();
        let is_code = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
        match self {
            Self::UsStock => {
                let (name, share) = symbol.split_once('.').unwrap_or((symbol, "A"));
                let starts_well = name.starts_with(|c: char| c.is_ascii_uppercase());
                starts_well && all(name, 6, is_code) && all(share, 1, is_upper)
            }
            Self::Crypto => symbol
                .split_once('/')
                .is_some_and(|(base, quote)| all(base, 15, is_code) && all(quote, 15, is_code)),
        }
    }
}

/// How prices are adjusted, in our words.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Adjust {
    /// As traded.
    None,
    /// For splits.
    Splits,
    /// For splits and dividends.
    All,
}

impl Adjust {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::None, Self::Splits, Self::All];

    /// Returns the word that callers write.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Splits => "splits",
            Self::All => "all",
        }
    }
}

impl fmt::Display for Adjust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How a wish is asked for: a value of the parameter with that role, or several parameters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Spelling {
    /// Value of the parameter with that role.
    Value(String),
    /// Parameters and their values; none where there is nothing to say.
    Arguments(BTreeMap<String, String>),
}

impl Spelling {
    /// Returns the parameters and their values; `role` names the parameter that a lone value is for.
    pub fn arguments<'s>(&'s self, role: Option<&'s str>) -> Vec<(&'s str, &'s str)> {
        match self {
            Self::Value(value) => role
                .map(|name| (name, value.as_str()))
                .into_iter()
                .collect(),
            Self::Arguments(all) => all.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect(),
        }
    }
}

/// How our symbols are spelled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SymbolSpelling {
    /// Form of the result: `{symbol}` is ours, `{base}` and `{quote}` the two sides of a pair.
    pub form: String,
    /// Names of their own that the provider has for one side of a pair.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub rename: BTreeMap<String, String>,
    /// What stands for the full stop before a class of shares. Default: the full stop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub full_stop: Option<String>,
    /// Whether it is all small letters.
    pub lower_case: bool,
}

impl Default for SymbolSpelling {
    fn default() -> Self {
        Self {
            form: "{symbol}".to_owned(),
            rename: BTreeMap::new(),
            full_stop: None,
            lower_case: false,
        }
    }
}

impl SymbolSpelling {
    fn is_plain(&self) -> bool {
        *self == Self::default()
    }

    /// Spells a symbol of ours.
    pub fn spell(&self, symbol: &str) -> String {
        let (base, quote) = symbol.split_once('/').unwrap_or((symbol, ""));
        let renamed = |code: &str| {
            let other = self.rename.get(code).map(String::as_str);
            other.unwrap_or(code).to_owned()
        };
        let stop = self.full_stop.as_deref().unwrap_or(".");
        let spelled = self
            .form
            .replace("{symbol}", &symbol.replace('.', stop))
            .replace("{base}", &renamed(base))
            .replace("{quote}", &renamed(quote));
        if self.lower_case {
            spelled.to_lowercase()
        } else {
            spelled
        }
    }
}

/// When days begin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Day {
    /// Zone, an IANA name or UTC.
    pub zone: String,
    /// Time of day; from noon on it is the evening before. Default midnight.
    #[serde(default = "midnight")]
    pub begins: ClockTime,
}

const fn midnight() -> ClockTime {
    ClockTime(jiff::civil::Time::midnight())
}

/// What is sure about the time of a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stamp {
    /// Of a bar its start; of anything else when it happened.
    #[default]
    Exact,
    /// Its date says which day, week or month it is of; the time of day says nothing.
    Date,
    /// It lies within the bar.
    Within,
    /// There is none: what comes is of now.
    Arrival,
}

impl Stamp {
    /// Returns the words for a sentence.
    pub const fn as_words(self) -> &'static str {
        match self {
            Self::Exact => "the stamp is exact",
            Self::Date => "only the date of the stamp counts",
            Self::Within => "the stamp lies within the bar",
            Self::Arrival => "there is no stamp, so it is of the moment of the answer",
        }
    }
}

/// Which rows come when there are more than one answer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Keeps {
    /// The oldest.
    Oldest,
    /// The newest.
    Newest,
}

/// How many of the newest rows come with some parameters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Depth {
    /// Rows. Default: all there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u32>,
    /// Parameters and their values.
    pub arguments: BTreeMap<String, String>,
}

/// Returns the fields that rows of a use case have; `None` when there are no rows for it.
pub const fn fields(use_case: UseCase) -> Option<&'static [&'static str]> {
    match use_case {
        UseCase::Bars => Some(&["at", "open", "high", "low", "close", "volume"]),
        UseCase::Quote => Some(&["at", "bid", "bid_size", "ask", "ask_size", "last"]),
        UseCase::Trades => Some(&["at", "id", "price", "size", "taker"]),
        UseCase::News => Some(&["at", "title", "url", "publisher", "summary", "symbols"]),
        UseCase::Depth
        | UseCase::Reference
        | UseCase::Fundamentals
        | UseCase::Economic
        | UseCase::Account
        | UseCase::Order => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_symbol_is_of_at_most_one_class() {
        for (symbol, class) in [
            ("AAPL", Some(AssetClass::UsStock)),
            ("BRK.B", Some(AssetClass::UsStock)),
            ("SIM41", Some(AssetClass::UsStock)),
            ("1INCH", None),
            ("BTC/USD", Some(AssetClass::Crypto)),
            ("1INCH/USDT", Some(AssetClass::Crypto)),
            ("^GSPC", None),
            ("aapl", None),
            ("BTCUSDT", None),
            ("BTC-USD", None),
            ("MUV2.DE", None),
            ("A/B/C", None),
            ("BRK.", None),
        ] {
            let found: Vec<_> = AssetClass::ALL
                .iter()
                .filter(|class| class.has(symbol))
                .collect();
            assert_eq!(found, class.iter().collect::<Vec<_>>(), "{symbol}");
        }
    }

    #[test]
    fn each_provider_spells_in_its_own_way() {
        let spelling = |form: &str| SymbolSpelling {
            form: form.to_owned(),
            ..SymbolSpelling::default()
        };
        assert_eq!(spelling("{base}{quote}").spell("BTC/USDT"), "BTCUSDT");
        assert_eq!(spelling("X:{base}{quote}").spell("BTC/USD"), "X:BTCUSD");
        let kraken = SymbolSpelling {
            rename: [("BTC".to_owned(), "XBT".to_owned())].into(),
            ..spelling("{base}{quote}")
        };
        assert_eq!(kraken.spell("BTC/USD"), "XBTUSD");
        let tiingo = SymbolSpelling {
            full_stop: Some("-".to_owned()),
            lower_case: true,
            ..SymbolSpelling::default()
        };
        assert_eq!(tiingo.spell("BRK.B"), "brk-b");
    }
}
