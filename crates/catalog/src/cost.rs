//! What a call costs: a formula over its parameters, in units of weight.
//!
//! Why a formula: the same endpoint costs 1 or 50 units depending on `limit` or on how many symbols are
//! asked, and a caller must know before it asks. Not here: what an answer's counters say afterwards.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Units that a call takes out of windows that count weight.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct Weight(pub u32);

impl fmt::Display for Weight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// `cost = { kind = … }`: how many units a call takes. Default: 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Cost {
    /// Always the same.
    Fixed {
        /// Units for a call.
        weight: Weight,
    },
    /// So much for each symbol in a list.
    PerSymbol {
        /// Units for each symbol.
        weight: Weight,
        /// Parameter that holds the list, separated by commas.
        parameter: String,
    },
    /// So much for each begun lot of rows that is asked for.
    PerRow {
        /// Units for each begun lot.
        weight: Weight,
        /// Rows in a lot.
        rows: u32,
        /// Parameter that says how many rows are asked for.
        parameter: String,
    },
    /// By how large a number is asked for.
    ByLimit {
        /// Parameter that holds the number.
        parameter: String,
        /// Bands, smallest first; beyond the last one its weight holds.
        bands: Vec<Band>,
    },
    /// By how many symbols are asked for.
    BySymbols {
        /// Parameter that holds the list.
        parameter: String,
        /// Bands, smallest first.
        bands: Vec<Band>,
        /// Units beyond the last band, and without the parameter: for all symbols.
        all: Weight,
        /// Parameter that asks for one symbol instead, and its units.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        one: Option<One>,
    },
}

/// Up to and including `max`, so many units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Band {
    /// Largest number in the band.
    pub max: u32,
    /// Units for a call.
    pub weight: Weight,
}

/// A parameter that asks for a single symbol.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct One {
    /// The parameter.
    pub parameter: String,
    /// Units for a call.
    pub weight: Weight,
}

impl Default for Cost {
    fn default() -> Self {
        Self::Fixed { weight: Weight(1) }
    }
}

impl Cost {
    /// Returns the parameters that the formula looks at.
    pub fn parameters(&self) -> Vec<&str> {
        match self {
            Self::Fixed { .. } => Vec::new(),
            Self::PerSymbol { parameter, .. }
            | Self::PerRow { parameter, .. }
            | Self::ByLimit { parameter, .. } => vec![parameter],
            Self::BySymbols { parameter, one, .. } => std::iter::once(parameter)
                .chain(one.as_ref().map(|one| &one.parameter))
                .map(String::as_str)
                .collect(),
        }
    }

    /// Returns the units of a call whose parameters are `value`. A parameter that is missing or no
    /// number counts as the dearest reading, so that a budget is never exceeded by a guess.
    pub fn weigh<'p>(&self, value: impl Fn(&str) -> Option<&'p str>) -> Weight {
        let number = |parameter: &str| value(parameter)?.trim().parse::<u32>().ok();
        match self {
            Self::Fixed { weight } => *weight,
            Self::PerSymbol { weight, parameter } => {
                let symbols = value(parameter).map_or(1, listed);
                Weight(weight.0.saturating_mul(symbols.max(1)))
            }
            Self::PerRow {
                weight,
                rows,
                parameter,
            } => {
                let lots = number(parameter).unwrap_or(1).div_ceil((*rows).max(1));
                Weight(weight.0.saturating_mul(lots.max(1)))
            }
            Self::ByLimit { parameter, bands } => match number(parameter) {
                Some(asked) => in_band(bands, asked).unwrap_or_else(|| dearest(bands)),
                None => dearest(bands),
            },
            Self::BySymbols {
                parameter,
                bands,
                all,
                one,
            } => {
                let single = one.as_ref().filter(|one| value(&one.parameter).is_some());
                match (single, value(parameter)) {
                    (Some(one), _) => one.weight,
                    (None, Some(list)) => in_band(bands, listed(list)).unwrap_or(*all),
                    (None, None) => *all,
                }
            }
        }
    }

    /// Returns the units of the cheapest call.
    pub fn least(&self) -> Weight {
        match self {
            Self::Fixed { weight }
            | Self::PerSymbol { weight, .. }
            | Self::PerRow { weight, .. } => *weight,
            Self::ByLimit { bands, .. } => {
                bands.iter().map(|b| b.weight).min().unwrap_or(Weight(1))
            }
            Self::BySymbols {
                bands, all, one, ..
            } => bands
                .iter()
                .map(|b| b.weight)
                .chain(one.as_ref().map(|one| one.weight))
                .fold(*all, std::cmp::Ord::min),
        }
    }
}

/// Counts the members of a list, however it is written: `A,B`, `["A","B"]`, `A%2CB`.
fn listed(text: &str) -> u32 {
    let commas = text.matches(',').count() + text.to_ascii_lowercase().matches("%2c").count();
    u32::try_from(commas + 1).unwrap_or(u32::MAX)
}

fn in_band(bands: &[Band], asked: u32) -> Option<Weight> {
    bands
        .iter()
        .find(|band| asked <= band.max)
        .map(|b| b.weight)
}

fn dearest(bands: &[Band]) -> Weight {
    bands.iter().map(|b| b.weight).max().unwrap_or(Weight(1))
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed { weight } => write!(f, "{weight}"),
            Self::PerSymbol { weight, parameter } => {
                write!(f, "{weight} for each symbol in `{parameter}`")
            }
            Self::PerRow {
                weight,
                rows,
                parameter,
            } => write!(f, "{weight} for each {rows} rows of `{parameter}`"),
            Self::ByLimit { parameter, bands } => {
                write!(f, "by `{parameter}`: ")?;
                write_bands(f, bands)
            }
            Self::BySymbols {
                parameter,
                bands,
                all,
                one,
            } => {
                if let Some(one) = one {
                    write!(f, "{} with `{}`; ", one.weight, one.parameter)?;
                }
                write!(f, "by symbols in `{parameter}`: ")?;
                write_bands(f, bands)?;
                let comma = if bands.is_empty() { "" } else { ", " };
                write!(f, "{comma}otherwise {all}")
            }
        }
    }
}

fn write_bands(f: &mut fmt::Formatter<'_>, bands: &[Band]) -> fmt::Result {
    for (index, band) in bands.iter().enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        write!(f, "{comma}{} up to {}", band.weight, band.max)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bands(all: &[(u32, u32)]) -> Vec<Band> {
        all.iter()
            .map(|(max, weight)| Band {
                max: *max,
                weight: Weight(*weight),
            })
            .collect()
    }

    #[test]
    fn a_limit_costs_what_its_band_says() {
        let cost = Cost::ByLimit {
            parameter: "limit".to_owned(),
            bands: bands(&[(100, 5), (500, 25), (5000, 250)]),
        };
        for (asked, weight) in [
            ("1", 5),
            ("100", 5),
            ("101", 25),
            ("9999", 250),
            ("many", 250),
        ] {
            assert_eq!(cost.weigh(|_| Some(asked)), Weight(weight), "{asked}");
        }
        assert_eq!(cost.weigh(|_| None), Weight(250));
        assert_eq!(cost.least(), Weight(5));
    }

    #[test]
    fn symbols_cost_by_how_many_there_are() {
        let cost = Cost::BySymbols {
            parameter: "symbols".to_owned(),
            bands: bands(&[(2, 7)]),
            all: Weight(80),
            one: Some(One {
                parameter: "symbol".to_owned(),
                weight: Weight(2),
            }),
        };
        let with =
            |name: &'static str, text: &'static str| cost.weigh(|p| (p == name).then_some(text));
        assert_eq!(with("symbol", "BTCUSDT"), Weight(2));
        assert_eq!(with("symbols", r#"["A","B"]"#), Weight(7));
        assert_eq!(with("symbols", "A%2CB%2CC"), Weight(80));
        assert_eq!(with("other", ""), Weight(80));
    }

    #[test]
    fn lots_and_lists_are_counted_up() {
        let rows = Cost::PerRow {
            weight: Weight(1),
            rows: 100,
            parameter: "n".to_owned(),
        };
        assert_eq!(rows.weigh(|_| Some("101")), Weight(2));
        assert_eq!(rows.weigh(|_| Some("0")), Weight(1));
        let list = Cost::PerSymbol {
            weight: Weight(3),
            parameter: "s".to_owned(),
        };
        assert_eq!(list.weigh(|_| Some("A,B")), Weight(6));
    }
}
