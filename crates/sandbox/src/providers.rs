//! The providers: one file each, with what is its own.
//!
//! A provider says who is counted and for how much, which path is which endpoint, how it answers and how it
//! refuses. A thirteenth is one more file, one line in [`ALL`] and one test per recorded answer.
//! Not here: counting, faults, sockets.

mod alpaca;
mod alphavantage;
mod binance;
mod coinbase;
mod finnhub;
mod fred;
mod kraken;
mod newsapi;
mod polygon;
mod tiingo;
mod twelvedata;
mod yahoo;

use jiff::Timestamp;

use crate::call::{Call, Reply};
use crate::limits::{Charge, Limit, Refusal, Usage};
use crate::streams::Feed;

/// Answers a call; `Err` is a refusal in the provider's own words.
pub(crate) type Handler = fn(&Call<'_>) -> Result<Reply, Reply>;

/// A provider.
pub(crate) trait Provider: Sync {
    /// Returns its name in the catalog.
    fn name(&self) -> &'static str;

    /// Returns the limits of its free or its larger plan, the one that is usually full first first.
    fn limits(&self, is_paid: bool) -> Vec<Limit>;

    /// Whether it answers in pages that follow each other.
    fn has_pages(&self) -> bool {
        true
    }

    /// Returns what a call takes and from whom.
    ///
    /// # Errors
    /// The refusal when the call proves nobody.
    fn charge(&self, call: &Call<'_>) -> Result<Charge, Reply>;

    /// Returns name and handler of the endpoint that a call asks.
    fn route(&self, call: &Call<'_>) -> Option<(&'static str, Handler)>;

    /// Returns name and handler of what a call does with orders or an account; such calls may change
    /// something.
    fn trades(&self, _call: &Call<'_>) -> Option<(&'static str, Handler)> {
        None
    }

    /// Returns what is pushed at a path, where it pushes anything.
    fn feed(&self, _path: &[&str]) -> Option<&'static dyn Feed> {
        None
    }

    /// Refuses a call that is one too many.
    fn refuse(&self, call: &Call<'_>, refusal: &Refusal) -> Reply;

    /// Refuses a call to a path where nothing is.
    fn nothing(&self, call: &Call<'_>) -> Reply;

    /// Says in the answer's headers how much is used.
    fn tell(&self, _reply: &mut Reply, _usages: &[Usage], _now: Timestamp) {}
}

/// All providers, by name.
const ALL: [&dyn Provider; 12] = [
    &alpaca::Alpaca,
    &alphavantage::AlphaVantage,
    &binance::Binance,
    &coinbase::Coinbase,
    &finnhub::Finnhub,
    &fred::Fred,
    &kraken::Kraken,
    &newsapi::NewsApi,
    &polygon::Polygon,
    &tiingo::Tiingo,
    &twelvedata::TwelveData,
    &yahoo::Yahoo,
];

/// Returns the provider of that name.
pub(crate) fn find(name: &str) -> Option<&'static dyn Provider> {
    ALL.into_iter().find(|provider| provider.name() == name)
}

/// Returns the names of all providers.
pub(crate) fn names() -> Vec<String> {
    ALL.iter().map(|p| p.name().to_owned()).collect()
}

/// Says whether a provider pushes anything.
pub(crate) fn pushes(provider: &dyn Provider) -> bool {
    let paths: [&[&str]; 5] = [&["stream"], &[""], &["v2", "iex"], &["v2"], &["stocks"]];
    paths.iter().any(|path| provider.feed(path).is_some())
}
