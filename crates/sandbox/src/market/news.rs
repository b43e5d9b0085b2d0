//! Articles about what is traded, at times and in words out of the seed.
//!
//! Why duplicates: one story in four stands at a second publisher too, under another address, as in the
//! real world. Not here: how a provider cuts, pages or delays them.

use jiff::civil::Date;

use super::Market;
use super::calendar::{day_number, later, utc_date, utc_midnight};
use super::chance::Chance;
use super::listing::Listing;

/// An article.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Story {
    /// Its number; larger is newer within a symbol and day.
    pub id: i64,
    /// When it was published, in seconds since 1970.
    pub at: i64,
    /// Headline.
    pub title: String,
    /// First sentences.
    pub summary: String,
    /// Name of who published it.
    pub publisher: &'static str,
    /// Host of its address.
    pub host: &'static str,
    /// Address.
    pub url: String,
    /// Who wrote it.
    pub author: &'static str,
    /// Canonical symbols that it is about, the first one first.
    pub symbols: Vec<String>,
}

/// Nobody wrote anything before.
const FIRST: Date = jiff::civil::date(2015, 1, 1);

const PUBLISHERS: [(&str, &str); 6] = [
    ("Practice Wire", "wire.example"),
    ("Market Lantern", "lantern.example"),
    ("The Daily Ledger", "ledger.example"),
    ("Harbour Times", "harbour.example"),
    ("Street Almanac", "almanac.example"),
    ("Coin Gazette", "gazette.example"),
];

const AUTHORS: [&str; 5] = [
    "Ada Quill",
    "Ben Harrow",
    "Chidi Lamb",
    "Dana Moss",
    "Eve Stone",
];

const HEADLINES: [&str; 8] = [
    "{} rises as buyers return",
    "{} slips after a cautious outlook",
    "Why analysts disagree about {}",
    "{} names a new head of operations",
    "What the quarter means for {}",
    "{} opens a plant in Ohio",
    "Three numbers to watch at {}",
    "{} settles a patent dispute",
];

const BODIES: [&str; 4] = [
    "{} drew attention on Monday. Volumes were higher than usual, and several desks changed their view of the year.",
    "Shares of {} moved within a narrow range. Traders waited for figures on orders that come later this month.",
    "The board of {} spoke of steady demand. It gave no forecast for the coming quarter, which surprised few.",
    "Observers of {} see costs falling slowly. The effect on margins may take longer than most had hoped for.",
];

fn pick<T: Copy>(from: &[T], chance: Chance, default: T) -> T {
    let most = i64::try_from(from.len()).unwrap_or(1);
    let place = usize::try_from(chance.below(most)).unwrap_or(0);
    from.get(place).copied().unwrap_or(default)
}

impl Market {
    /// Returns the articles about `symbols` (canonical) with a time in `from..to`, oldest first.
    pub fn stories(&self, symbols: &[String], from: i64, to: i64) -> Vec<Story> {
        let mut found = Vec::new();
        let (mut date, last) = (utc_date(from).max(FIRST), utc_date(to - 1));
        let listings = symbols.iter().filter_map(|symbol| self.listing(symbol));
        let chance = self.chance("news");
        let listings: Vec<(Listing, Chance)> = listings
            .map(|listing| {
                let chance = chance.on(&listing.symbol);
                (listing, chance)
            })
            .collect();
        while date <= last && from < to {
            for (listing, chance) in listings.iter().filter(|l| l.0.listed <= date) {
                of_day(listing, *chance, date, &mut found);
            }
            date = later(date, 1);
        }
        found.retain(|story| story.at >= from && story.at < to);
        found.sort_by(|a, b| (a.at, a.id, &a.url).cmp(&(b.at, b.id, &b.url)));
        found.dedup_by(|a, b| a.url == b.url);
        found
    }

    /// Returns the symbols that news are written about when nobody names one.
    pub fn newsworthy() -> Vec<String> {
        let coins = Listing::pairs().filter(|pair| pair.1 == "USD");
        let coins = coins.map(|(asset, money)| format!("{asset}/{money}"));
        let shares = Listing::shares().into_iter().map(str::to_owned);
        shares.chain(coins).collect()
    }
}

fn of_day(listing: &Listing, chance: Chance, date: Date, found: &mut Vec<Story>) {
    let day = day_number(date);
    let chance = chance.at(day);
    for number in 0..chance.on("count").below(3) {
        let chance = chance.at(number);
        let name = listing.name.as_str();
        let title = pick(&HEADLINES, chance.on("title"), "{}").replace("{}", name);
        let summary = pick(&BODIES, chance.on("body"), "{}").replace("{}", name);
        let at = utc_midnight(date) + chance.on("time").below(86_400);
        let first = chance.on("publisher");
        let copies = 1 + i64::from(chance.on("copied").below(4) == 0);
        for copy in 0..copies {
            let (publisher, host) = pick(&PUBLISHERS, first.at(copy), ("", ""));
            let slug: String = title
                .to_lowercase()
                .replace(|c: char| !c.is_alphanumeric(), "-");
            let id = (day * 10 + number) * 1_000 + chance.on("id").below(500) * 2 + copy;
            found.push(Story {
                id,
                at: at + copy * 420,
                title: title.clone(),
                summary: summary.clone(),
                publisher,
                host,
                url: format!("https://{host}/{date}/{slug}-{id}"),
                author: pick(&AUTHORS, chance.on("author"), ""),
                symbols: vec![listing.symbol.clone()],
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_in_two_halves_has_the_same_articles() {
        let market = Market::new(1).unwrap();
        let all = Market::newsworthy();
        let (from, to) = (1_749_600_000, 1_749_900_000);
        let whole = market.stories(&all, from, to);
        let mut halves = market.stories(&all, from, from + 77_777);
        halves.extend(market.stories(&all, from + 77_777, to));
        assert_eq!(whole, halves);
        assert!(whole.len() > 100, "{}", whole.len());
        let mut titles: Vec<_> = whole.iter().map(|s| (&s.title, &s.symbols)).collect();
        titles.sort();
        titles.dedup();
        assert!(titles.len() < whole.len(), "no story stands twice");
    }
}
