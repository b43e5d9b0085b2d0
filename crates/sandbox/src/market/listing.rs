//! What is traded: names, sizes, first days, splits and dividends.
//!
//! Why a closed list: a provider must be able to say "unknown symbol". Beside the names that everybody
//! knows there are `SIM0` to `SIM9999`, for who needs many. Names are real, prices are not.
//! Not here: prices ([`super::day`]).

use jiff::civil::{Date, date};
use rust_decimal::Decimal;

use super::calendar::{Calendar, later};
use super::chance::Chance;

/// What kind of thing it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A share of a company, traded in the sessions of New York.
    Stock,
    /// A share of a fund, likewise.
    Fund,
    /// A pair of currencies, traded without a pause.
    Crypto,
}

/// One share became several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Split {
    /// First day at the new price.
    pub on: Date,
    /// Shares before.
    pub from: i64,
    /// Shares after.
    pub to: i64,
}

/// Money per share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dividend {
    /// First day on which a buyer does not get it.
    pub ex: Date,
    /// Amount per share of that day.
    pub cash: Decimal,
}

/// Something that is traded somewhere.
#[derive(Clone, Debug)]
pub struct Listing {
    /// Canonical symbol: `AAPL`, `BTC/USD`.
    pub symbol: String,
    /// Name for people.
    pub name: String,
    /// Kind.
    pub kind: Kind,
    /// Market identifier code of the venue that lists it.
    pub mic: &'static str,
    /// First day of trading.
    pub listed: Date,
    /// Digits after the point in a price.
    pub price_scale: u32,
    /// Digits after the point in a size.
    pub size_scale: u32,
    /// Prices move in steps of this many units of `price_scale`.
    pub(crate) grid: i64,
    /// Price around which it wanders, in units of `price_scale`, in shares after all splits.
    pub(crate) base: i64,
    /// What changes hands in a day, in units of `size_scale`.
    pub(crate) daily: i64,
    /// Trades in a day, the same each day, so that ids can be counted.
    pub(crate) trades: i64,
    /// Whether minutes without a trade are usual.
    pub(crate) is_thin: bool,
    /// Splits, oldest first.
    pub splits: Vec<Split>,
    /// Payments a year in ppm of the price; 0 for none.
    pub(crate) yield_ppm: i64,
    /// What the level of prices depends on.
    pub(crate) level: Chance,
    /// What everything else depends on: the same thing has other trades elsewhere.
    pub(crate) noise: Chance,
}

/// Symbol, name, venue, price in cents after all splits, first year, shares a day, yield in ppm.
type Row = (&'static str, &'static str, &'static str, i64, i16, i64, i64);

/// Funds stand behind the companies, from `DIA` on.
#[rustfmt::skip]
const SHARES: &[Row] = &[
    ("AAPL", "Apple Inc.", "XNAS", 22_500, 1981, 55_000_000, 4_400),
    ("ABBV", "AbbVie Inc.", "XNYS", 18_800, 2013, 5_600_000, 35_000),
    ("ADBE", "Adobe Inc.", "XNAS", 41_000, 1987, 3_400_000, 0),
    ("AMD", "Advanced Micro Devices Inc.", "XNAS", 15_500, 1980, 42_000_000, 0),
    ("AMZN", "Amazon.com Inc.", "XNAS", 20_500, 1998, 41_000_000, 0),
    ("AVGO", "Broadcom Inc.", "XNAS", 24_000, 2010, 24_000_000, 11_000),
    ("BA", "The Boeing Company", "XNYS", 19_200, 1980, 8_000_000, 0),
    ("BAC", "Bank of America Corporation", "XNYS", 4_300, 1987, 38_000_000, 25_000),
    ("BRK.B", "Berkshire Hathaway Inc. Class B", "XNYS", 46_000, 1997, 3_900_000, 0),
    ("COST", "Costco Wholesale Corporation", "XNAS", 93_000, 1987, 1_900_000, 5_000),
    ("CRM", "Salesforce Inc.", "XNYS", 27_500, 2005, 6_700_000, 6_000),
    ("CSCO", "Cisco Systems Inc.", "XNAS", 6_100, 1991, 19_000_000, 27_000),
    ("CVX", "Chevron Corporation", "XNYS", 15_200, 1980, 8_100_000, 43_000),
    ("DIS", "The Walt Disney Company", "XNYS", 10_900, 1980, 9_400_000, 9_000),
    ("F", "Ford Motor Company", "XNYS", 1_120, 1980, 65_000_000, 52_000),
    ("GE", "General Electric Company", "XNYS", 19_800, 1980, 5_200_000, 6_000),
    ("GME", "GameStop Corp.", "XNYS", 2_600, 2002, 9_500_000, 0),
    ("GOOG", "Alphabet Inc. Class C", "XNAS", 18_100, 2014, 18_000_000, 4_400),
    ("GOOGL", "Alphabet Inc. Class A", "XNAS", 17_900, 2005, 28_000_000, 4_400),
    ("IBM", "International Business Machines Corporation", "XNYS", 24_800, 1980, 4_000_000, 27_000),
    ("INTC", "Intel Corporation", "XNAS", 2_900, 1981, 75_000_000, 0),
    ("JNJ", "Johnson & Johnson", "XNYS", 16_200, 1980, 8_300_000, 31_000),
    ("JPM", "JPMorgan Chase & Co.", "XNYS", 25_600, 1980, 8_800_000, 20_000),
    ("KO", "The Coca-Cola Company", "XNYS", 6_900, 1980, 15_000_000, 28_000),
    ("LLY", "Eli Lilly and Company", "XNYS", 80_500, 1980, 3_300_000, 7_000),
    ("MA", "Mastercard Incorporated", "XNYS", 55_500, 2007, 2_500_000, 5_000),
    ("MCD", "McDonald's Corporation", "XNYS", 30_600, 1980, 3_300_000, 23_000),
    ("META", "Meta Platforms Inc.", "XNAS", 61_000, 2013, 14_000_000, 3_500),
    ("MSFT", "Microsoft Corporation", "XNAS", 43_500, 1987, 21_000_000, 7_500),
    ("NFLX", "Netflix Inc.", "XNAS", 92_000, 2003, 3_600_000, 0),
    ("NKE", "NIKE Inc.", "XNYS", 7_400, 1981, 13_000_000, 21_000),
    ("NVDA", "NVIDIA Corporation", "XNAS", 13_600, 2000, 210_000_000, 300),
    ("ORCL", "Oracle Corporation", "XNYS", 17_300, 1987, 9_000_000, 10_000),
    ("PEP", "PepsiCo Inc.", "XNAS", 14_800, 1980, 7_200_000, 36_000),
    ("PFE", "Pfizer Inc.", "XNYS", 2_550, 1980, 41_000_000, 65_000),
    ("PG", "The Procter & Gamble Company", "XNYS", 16_700, 1980, 7_100_000, 24_000),
    ("PLTR", "Palantir Technologies Inc.", "XNAS", 9_400, 2021, 85_000_000, 0),
    ("T", "AT&T Inc.", "XNYS", 2_500, 1984, 34_000_000, 44_000),
    ("TSLA", "Tesla Inc.", "XNAS", 29_000, 2011, 96_000_000, 0),
    ("UNH", "UnitedHealth Group Incorporated", "XNYS", 42_000, 1985, 5_900_000, 18_000),
    ("V", "Visa Inc.", "XNYS", 33_400, 2009, 5_700_000, 7_000),
    ("VZ", "Verizon Communications Inc.", "XNYS", 4_150, 1984, 18_000_000, 63_000),
    ("WMT", "Walmart Inc.", "XNYS", 9_300, 1980, 17_000_000, 9_000),
    ("XOM", "Exxon Mobil Corporation", "XNYS", 11_200, 1980, 15_000_000, 34_000),
    ("DIA", "SPDR Dow Jones Industrial Average ETF Trust", "ARCX", 42_700, 1999, 3_100_000, 16_000),
    ("IWM", "iShares Russell 2000 ETF", "ARCX", 22_300, 2001, 28_000_000, 11_000),
    ("QQQ", "Invesco QQQ Trust Series 1", "XNAS", 51_200, 2000, 36_000_000, 6_000),
    ("SPY", "SPDR S&P 500 ETF Trust", "ARCX", 58_800, 1994, 58_000_000, 12_000),
    ("TLT", "iShares 20+ Year Treasury Bond ETF", "XNAS", 8_900, 2003, 36_000_000, 41_000),
    ("VTI", "Vanguard Total Stock Market ETF", "ARCX", 29_100, 2002, 3_400_000, 12_000),
];

/// First of the funds in [`SHARES`].
const FIRST_FUND: &str = "DIA";

/// Splits that really were; the others are made up.
const SPLITS: &[(&str, Date, i64, i64)] = &[
    ("AAPL", date(2014, 6, 9), 1, 7),
    ("AAPL", date(2020, 8, 31), 1, 4),
    ("AMZN", date(2022, 6, 6), 1, 20),
    ("AVGO", date(2024, 7, 15), 1, 10),
    ("GE", date(2021, 8, 2), 8, 1),
    ("GME", date(2022, 7, 22), 1, 4),
    ("GOOG", date(2022, 7, 18), 1, 20),
    ("GOOGL", date(2022, 7, 18), 1, 20),
    ("NVDA", date(2021, 7, 20), 1, 4),
    ("NVDA", date(2024, 6, 10), 1, 10),
    ("TSLA", date(2020, 8, 31), 1, 5),
    ("TSLA", date(2022, 8, 25), 1, 3),
    ("WMT", date(2024, 2, 26), 1, 3),
];

/// Asset, name, price in US dollars times 10^`price_scale`, that scale, first year, units a day, decimals
/// of a size.
type Coin = (&'static str, &'static str, i64, u32, i16, i64, u32);

const COINS: &[Coin] = &[
    ("BTC", "Bitcoin", 9_200_000, 2, 2011, 21_000, 8),
    ("ETH", "Ethereum", 320_000, 2, 2016, 310_000, 8),
    ("SOL", "Solana", 17_500, 2, 2021, 3_900_000, 8),
    ("LTC", "Litecoin", 9_800, 2, 2014, 600_000, 8),
    ("AVAX", "Avalanche", 2_900, 2, 2021, 2_400_000, 8),
    ("LINK", "Chainlink", 1_650, 2, 2019, 4_200_000, 8),
    ("DOT", "Polkadot", 51_000, 4, 2021, 6_100_000, 8),
    ("XRP", "XRP", 220_000, 5, 2015, 160_000_000, 6),
    ("ADA", "Cardano", 71_000, 5, 2018, 120_000_000, 6),
    ("DOGE", "Dogecoin", 21_000, 5, 2015, 900_000_000, 6),
];

/// What coins are paid with, and its price in ppm of a US dollar.
const MONEY: &[(&str, i64)] = &[
    ("USD", 1_000_000),
    ("USDT", 1_000_400),
    ("USDC", 1_000_000),
    ("EUR", 921_000),
];

impl Listing {
    /// Returns the share or pair of that canonical symbol; `None` when there is no such thing.
    pub(crate) fn find(seed: u64, symbol: &str) -> Option<Self> {
        let chance = Chance::of(seed).on(symbol);
        if let Some((asset, money)) = symbol.split_once('/') {
            // A coin moves alike in all its pairs.
            let level = Chance::of(seed).on(asset).on("level");
            return pair((chance, level), symbol, asset, money);
        }
        if let Some(row) = SHARES.iter().find(|row| row.0 == symbol) {
            return Some(share(chance, row));
        }
        let number: i64 = symbol.strip_prefix("SIM")?.parse().ok()?;
        if !(0..10_000).contains(&number) || symbol != format!("SIM{number}") {
            return None;
        }
        let price = chance.on("price").between(800, 30_000);
        let daily = chance.on("daily").between(40_000, 4_000_000);
        let yields = (chance.on("yield").below(3) * 12_000).max(0);
        let row = ("", "", "XNYS", price, 2_001, daily, yields);
        let mut listing = share(chance, &row);
        symbol.clone_into(&mut listing.symbol);
        listing.name = format!("Simulated Company {number}");
        listing.is_thin = daily < 400_000;
        Some(listing)
    }

    /// Returns the symbols of all shares and funds with a name of their own, sorted.
    pub fn shares() -> Vec<&'static str> {
        let mut symbols: Vec<_> = SHARES.iter().map(|row| row.0).collect();
        symbols.sort_unstable();
        symbols
    }

    /// Returns assets and what they are paid with, of all pairs.
    pub fn pairs() -> impl Iterator<Item = (&'static str, &'static str)> {
        COINS
            .iter()
            .flat_map(|coin| MONEY.iter().map(|money| (coin.0, money.0)))
    }

    /// Returns the same thing as `venue` sees it: the same level of prices, other trades, and of what
    /// changes hands so many millionths.
    #[must_use]
    pub fn seen_by(mut self, venue: &str, share_ppm: i64) -> Self {
        self.noise = self.noise.on(venue);
        let part = i128::from(self.daily) * i128::from(share_ppm) / 1_000_000;
        self.daily = i64::try_from(part).unwrap_or(self.daily);
        self
    }

    /// Returns the same thing on a venue whose prices have `scale` digits after the point.
    #[must_use]
    pub fn in_steps_of(mut self, scale: u32) -> Self {
        self.grid = 10_i64.pow(self.price_scale.saturating_sub(scale));
        self
    }

    /// Whether it is traded without a pause.
    pub fn is_crypto(&self) -> bool {
        self.kind == Kind::Crypto
    }

    /// Returns how many shares of the last day are one share of `date`, as a fraction. Splits on or
    /// before `date` are behind it.
    pub fn shares_after(&self, date: Date, until: Date) -> (i64, i64) {
        self.splits
            .iter()
            .filter(|split| split.on > date && split.on <= until)
            .fold((1, 1), |(to, from), split| {
                (to * split.to, from * split.from)
            })
    }

    /// Returns the days without dividend right, oldest first, in `from..to`. Amounts are a part of the
    /// level of prices, given by `price`.
    pub fn dividends(
        &self,
        calendar: &Calendar,
        from: Date,
        to: Date,
        price: impl Fn(Date) -> Decimal,
    ) -> Vec<Dividend> {
        let mut found = Vec::new();
        if self.yield_ppm == 0 {
            return found;
        }
        let first_month = self.level.on("dividend").between(1, 3);
        for year in from.year()..=to.year() {
            for quarter in 0..4 {
                let month = i8::try_from(first_month + quarter * 3).unwrap_or(1);
                let Ok(mut ex) = Date::new(year, month, 8) else {
                    continue;
                };
                while calendar.session(ex).is_none() {
                    ex = later(ex, 1);
                }
                if ex >= from && ex < to && ex > self.listed {
                    let cash = price(ex) * Decimal::new(self.yield_ppm, 6) / Decimal::from(4);
                    let cash = cash.round_dp(2).max(Decimal::new(1, 2));
                    found.push(Dividend { ex, cash });
                }
            }
        }
        found
    }
}

fn share(chance: Chance, row: &Row) -> Listing {
    let (symbol, name, mic, cents, year, daily, yield_ppm) = *row;
    let first_fund = SHARES.iter().position(|row| row.0 == FIRST_FUND);
    let place = SHARES.iter().position(|row| row.0 == symbol);
    let is_fund = place.is_some() && place >= first_fund;
    let mut splits: Vec<Split> = SPLITS
        .iter()
        .filter(|split| split.0 == symbol)
        .map(|&(_, on, from, to)| Split { on, from, to })
        .collect();
    // One in three of those without a real split has one on a Monday of long ago.
    if splits.is_empty() && !is_fund && chance.on("split").below(3) == 0 {
        let on = later(date(2008, 1, 7), 7 * chance.on("split day").below(700));
        let (from, to) = (1, chance.on("split size").between(2, 4));
        splits.push(Split { on, from, to });
    }
    Listing {
        symbol: symbol.to_owned(),
        name: name.to_owned(),
        kind: if is_fund { Kind::Fund } else { Kind::Stock },
        mic,
        listed: date(year, 1, 2),
        price_scale: 4,
        size_scale: 0,
        grid: 100,
        base: cents * 100,
        daily,
        trades: 390 * 12,
        is_thin: false,
        splits,
        yield_ppm,
        level: chance.on("level"),
        noise: chance.on("noise"),
    }
}

fn pair(
    (chance, level): (Chance, Chance),
    symbol: &str,
    asset: &str,
    money: &str,
) -> Option<Listing> {
    let &(_, name, price, price_scale, year, daily, size_scale) =
        COINS.iter().find(|coin| coin.0 == asset)?;
    let &(_, ppm) = MONEY.iter().find(|row| row.0 == money)?;
    Some(Listing {
        symbol: symbol.to_owned(),
        name: format!("{name} {money}"),
        kind: Kind::Crypto,
        mic: "",
        listed: date(year, 1, 1),
        price_scale,
        size_scale,
        grid: 1,
        base: price * 1_000_000 / ppm,
        daily: daily * 10_i64.pow(size_scale),
        trades: 1_440 * 10,
        is_thin: money == "EUR" && !matches!(asset, "BTC" | "ETH"),
        splits: Vec::new(),
        yield_ppm: 0,
        level,
        noise: chance.on("noise"),
    })
}
