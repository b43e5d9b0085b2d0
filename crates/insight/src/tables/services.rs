//! Brokers and providers whose service was shut down, by package and by host. As of 2026-11.
//!
//! Only services that are gone for everybody: not those that moved, changed hands or want another plan.

use jiff::civil::{Date, date};

/// A service that is gone.
#[derive(Debug)]
pub struct Gone {
    /// Its name.
    pub name: &'static str,
    /// Since when nobody answers.
    pub since: Date,
    /// Modules of packages that ask nobody else.
    pub modules: &'static [&'static str],
    /// Hosts that served it; hosts below them are meant too.
    pub hosts: &'static [&'static str],
    /// What became of it.
    pub instead: &'static str,
}

/// The table.
#[rustfmt::skip]
pub const GONE: &[Gone] = &[
    Gone { name: "TD Ameritrade", since: date(2024, 5, 10), modules: &["td.client", "tda", "tdameritrade"], hosts: &["api.tdameritrade.com"], instead: "accounts moved to Schwab, whose API is another one" },
    Gone { name: "IEX Cloud", since: date(2024, 8, 31), modules: &["iexfinance", "pyEX"], hosts: &["cloud.iexapis.com", "sandbox.iexapis.com", "api.iextrading.com"], instead: "another provider of quotes and fundamentals" },
    Gone { name: "FTX", since: date(2022, 11, 11), modules: &["ftx"], hosts: &["ftx.com", "ftx.us"], instead: "another exchange" },
    Gone { name: "Bittrex", since: date(2023, 12, 4), modules: &["bittrex"], hosts: &["api.bittrex.com", "bittrex.com"], instead: "another exchange" },
    Gone { name: "Cryptowatch", since: date(2023, 9, 15), modules: &["cryptowatch"], hosts: &["api.cryptowat.ch"], instead: "Kraken's own API, or the exchanges themselves" },
    Gone { name: "Yahoo's query language", since: date(2019, 1, 3), modules: &["yahoo_finance"], hosts: &["query.yahooapis.com"], instead: "yfinance" },
    Gone { name: "World Trading Data", since: date(2020, 9, 1), modules: &[], hosts: &["api.worldtradingdata.com"], instead: "another provider of prices" },
    Gone { name: "Quantopian", since: date(2020, 11, 14), modules: &["quantopian"], hosts: &["api.quantopian.com"], instead: "zipline-reloaded for research, a broker's own API to trade" },
];

#[cfg(test)]
mod tests {
    use super::GONE;

    #[test]
    fn every_row_names_somebody_to_look_for() {
        for gone in GONE {
            assert!(
                !gone.modules.is_empty() || !gone.hosts.is_empty(),
                "{}",
                gone.name
            );
        }
    }
}
