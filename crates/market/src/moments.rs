//! Quotes, trades and articles: what happened, newest or over a span, as a table.
//!
//! Why apart from bars: a moment belongs to no grid, so there is nothing to hold that a later question could
//! be sure of. Who asks the same within `max_age` gets the same answer; who asks while it is being fetched
//! waits for it, and shares its failure too. Not here: bars ([`crate::supply`]).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Time;
use jiff::tz::TimeZone;
use rust_decimal::Decimal;
use tradewind_catalog::UseCase;
use tradewind_core::{Article, Clock, Instrument, Quote, Side, Trade};
use tradewind_quota::{Governor, Urgency};

use crate::adapter::{Offer, Rows, Span};
use crate::fetch::{failed, read, unheard};
use crate::format::{Column, Numbers, Table};
use crate::secrets::Keys;
use crate::service::{When, moment};
use crate::source::FetchError;

/// Rows that are given when nothing is said, and at most.
pub(crate) const ROWS: (usize, usize) = (1_000, 50_000);
/// Upper bound on answers that are remembered.
const MAX_REMEMBERED: usize = 1_000;
/// Upper bound on the pages of one answer.
const MAX_PAGES: usize = 100;

/// What a caller asks.
#[derive(Clone, Debug)]
pub struct MomentAsk {
    /// Quotes, trades or news.
    pub use_case: UseCase,
    /// Of what; news may be asked for by words instead.
    pub instrument: Option<Instrument>,
    /// Words that news should have.
    pub words: Option<String>,
    /// Where the span begins. Default: only what is newest.
    pub start: Option<When>,
    /// Where it ends, itself not included. Default: now.
    pub end: Option<When>,
    /// Who is asked. Default: whoever can answer.
    pub provider: Option<String>,
    /// Which feed. Default: the provider's usual one.
    pub feed: Option<String>,
    /// Age up to which an answer is given again. Default: 1 s, news a minute.
    pub max_age: Option<Duration>,
    /// At most so many rows. Default 1,000.
    pub limit: usize,
    /// Who asks, in a word.
    pub consumer: String,
    /// How urgent it is.
    pub urgency: Urgency,
}

impl MomentAsk {
    /// Asks for what is newest.
    pub fn of(use_case: UseCase, instrument: Option<Instrument>) -> Self {
        Self {
            use_case,
            instrument,
            words: None,
            start: None,
            end: None,
            provider: None,
            feed: None,
            max_age: None,
            limit: ROWS.0,
            consumer: "unnamed".to_owned(),
            urgency: Urgency::default(),
        }
    }

    pub(crate) fn max_age(&self) -> Duration {
        let usual = if self.use_case == UseCase::News {
            60
        } else {
            1
        };
        self.max_age.unwrap_or(Duration::from_secs(usual))
    }
}

/// What happened.
#[derive(Clone, Debug)]
pub struct Moments {
    rows: Rows,
    /// Who said it.
    pub provider: String,
    /// When it was fetched.
    pub fetched_at: Timestamp,
    /// Requests that were sent for this answer; 0 when it was given before.
    pub calls: u32,
}

impl Moments {
    /// Returns the trades, oldest first; none when it is about something else.
    pub(crate) fn into_trades(self) -> Vec<Trade> {
        match self.rows {
            Rows::Trades(trades) => trades,
            Rows::Bars(_) | Rows::Quotes(_) | Rows::Articles(_) => Vec::new(),
        }
    }

    /// Returns how many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Says whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Returns them as a table.
    pub fn table(&self, numbers: Numbers) -> Table {
        let table = Table::of(self.len());
        let table = match &self.rows {
            // Bars have a table of their own.
            Rows::Bars(_) => table,
            Rows::Quotes(rows) => quotes(table, rows, numbers),
            Rows::Trades(rows) => trades(table, rows, numbers),
            Rows::Articles(rows) => articles(table, rows),
        };
        table
            .with("provider", Column::Same(self.provider.clone()))
            .with(
                "fetched_at",
                Column::Time(vec![nanoseconds(self.fetched_at); self.len()]),
            )
    }
}

fn nanoseconds(at: Timestamp) -> i64 {
    i64::try_from(at.as_nanosecond()).unwrap_or(i64::MAX)
}

fn number(values: impl Iterator<Item = Option<Decimal>>, numbers: Numbers) -> Column {
    match numbers {
        Numbers::Float => Column::Float(
            values
                .map(|value| value.map_or(f64::NAN, crate::rows::float_of))
                .collect(),
        ),
        Numbers::Decimal => Column::Decimal(values.collect()),
    }
}

fn quotes(table: Table, rows: &[Quote], numbers: Numbers) -> Table {
    table
        .with(
            "at",
            Column::Time(rows.iter().map(|row| nanoseconds(row.at)).collect()),
        )
        .with("bid", number(rows.iter().map(|row| row.bid), numbers))
        .with(
            "bid_size",
            number(rows.iter().map(|row| row.bid_size), numbers),
        )
        .with("ask", number(rows.iter().map(|row| row.ask), numbers))
        .with(
            "ask_size",
            number(rows.iter().map(|row| row.ask_size), numbers),
        )
        .with("last", number(rows.iter().map(|row| row.last), numbers))
}

fn trades(table: Table, rows: &[Trade], numbers: Numbers) -> Table {
    let side = |trade: &Trade| {
        trade.taker.map(|side| match side {
            Side::Buy => "buy".to_owned(),
            Side::Sell => "sell".to_owned(),
        })
    };
    table
        .with(
            "at",
            Column::Time(rows.iter().map(|row| nanoseconds(row.at)).collect()),
        )
        .with(
            "id",
            Column::Text(rows.iter().map(|row| row.id.clone()).collect()),
        )
        .with(
            "price",
            number(rows.iter().map(|row| Some(row.price)), numbers),
        )
        .with(
            "size",
            number(rows.iter().map(|row| Some(row.size)), numbers),
        )
        .with("taker", Column::Text(rows.iter().map(side).collect()))
}

fn articles(table: Table, rows: &[Article]) -> Table {
    let text = |of: fn(&Article) -> Option<String>| Column::Text(rows.iter().map(of).collect());
    table
        .with(
            "at",
            Column::Time(rows.iter().map(|row| nanoseconds(row.at)).collect()),
        )
        .with("title", text(|row| Some(row.title.clone())))
        .with("url", text(|row| Some(row.url.clone())))
        .with("publisher", text(|row| row.publisher.clone()))
        .with("summary", text(|row| row.summary.clone()))
        .with("symbols", text(|row| Some(row.symbols.join(" "))))
}

/// An answer that was given, or a failure.
#[derive(Clone, Debug)]
struct Given {
    at: Timestamp,
    outcome: Result<Moments, FetchError>,
}

type Place = Arc<tokio::sync::Mutex<Option<Given>>>;

/// Fetches moments, each at most once at a time.
#[derive(Debug)]
pub(crate) struct Desk {
    clock: Arc<dyn Clock>,
    places: Mutex<HashMap<String, Place>>,
}

impl Desk {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            places: Mutex::default(),
        }
    }

    fn place(&self, name: String) -> Place {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if places.len() >= MAX_REMEMBERED {
            // Those that nobody waits for.
            places.retain(|_, place| Arc::strong_count(place) > 1);
        }
        Arc::clone(places.entry(name).or_default())
    }

    /// Answers from what was given a moment ago, or asks.
    pub(crate) async fn ask(
        &self,
        ask: &MomentAsk,
        offer: &Offer,
        governor: &Governor,
        keys: &Keys,
    ) -> Result<Moments, FetchError> {
        let came = self.clock.now();
        let place = self.place(named(ask, offer));
        let mut given = place.lock().await;
        if let Some(given) = given.as_ref() {
            let age = came.duration_since(given.at);
            let is_young = Duration::try_from(age).is_ok_and(|age| age <= ask.max_age());
            // What ended after we came is ours too, a failure as well.
            if given.at >= came || (is_young && given.outcome.is_ok()) {
                let mut outcome = given.outcome.clone();
                if let Ok(moments) = &mut outcome {
                    moments.calls = 0;
                }
                return outcome;
            }
        }
        let outcome = self.fetch(ask, offer, governor, keys).await;
        *given = Some(Given {
            at: self.clock.now(),
            outcome: outcome.clone(),
        });
        outcome
    }

    async fn fetch(
        &self,
        ask: &MomentAsk,
        offer: &Offer,
        governor: &Governor,
        keys: &Keys,
    ) -> Result<Moments, FetchError> {
        let provider = &offer.provider().name;
        let times = ask.start.map(|start| {
            let (zone, begins) = offer.day().unwrap_or(("UTC", Time::midnight()));
            let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
            let of = |when| moment(when, &zone, begins);
            let end = ask.end.map_or_else(|| self.clock.now(), of);
            of(start)..end
        });
        // Where no span can be asked for but pages go back in time, they are followed to its beginning.
        let goes_back = times.is_some() && !offer.takes_span() && offer.endpoint().pages.is_some();
        let span = match &times {
            Some(times) if !goes_back => Span::Times(times.clone()),
            _ => Span::Newest,
        };
        let begins = times
            .as_ref()
            .filter(|_| goes_back)
            .map(|times| times.start);
        let governor = governor.with(ask.urgency);
        let secrets = |_: &str, credential: &str| keys.get(credential);
        let mut cursor = None;
        let mut calls = 0;
        let mut all: Option<Rows> = None;
        for _ in 0..MAX_PAGES {
            let prepared = offer
                .request(&span, cursor.as_ref(), &secrets, self.clock.now())
                .map_err(|error| failed(provider, &error))?;
            let answer = governor.fetch(prepared.request.clone()).await;
            let answer = answer.map_err(|error| unheard(provider, error))?;
            calls += answer.attempts;
            let page = read(offer.clone(), prepared, answer.response, self.clock.now()).await?;
            let is_there = match (begins, page.rows.first_at()) {
                (Some(begins), Some(first)) => first < begins,
                (Some(_), None) => true,
                (None, _) => span == Span::Newest,
            };
            all = Some(if goes_back {
                joined(Some(page.rows), all.unwrap_or(Rows::Trades(Vec::new())))
            } else {
                joined(all, page.rows)
            });
            cursor = page.next;
            let has_enough = !goes_back && all.as_ref().is_some_and(|rows| rows.len() >= ask.limit);
            let is_too_much = all.as_ref().is_some_and(|rows| rows.len() >= ROWS.1);
            if cursor.is_none() || has_enough || is_too_much || is_there {
                break;
            }
        }
        let mut rows = all.unwrap_or(Rows::Quotes(Vec::new()));
        if let Some(times) = times.filter(|_| goes_back) {
            rows.keep_within(&times);
        }
        shorten(&mut rows, ask);
        Ok(Moments {
            rows,
            provider: provider.clone(),
            fetched_at: self.clock.now(),
            calls,
        })
    }
}

/// Keeps as many rows as are wanted: of a span the oldest, of what is newest the newest.
fn shorten(rows: &mut Rows, ask: &MomentAsk) {
    fn cut<T>(rows: &mut Vec<T>, limit: usize, is_span: bool) {
        if is_span {
            rows.truncate(limit);
        } else {
            rows.drain(..rows.len().saturating_sub(limit));
        }
    }
    let (limit, is_span) = (ask.limit.min(ROWS.1), ask.start.is_some());
    match rows {
        Rows::Bars(rows) => cut(rows, limit, is_span),
        Rows::Quotes(rows) => cut(rows, limit, is_span),
        Rows::Trades(rows) => cut(rows, limit, is_span),
        Rows::Articles(rows) => cut(rows, limit, is_span),
    }
}

fn joined(before: Option<Rows>, page: Rows) -> Rows {
    match (before, page) {
        (Some(Rows::Bars(mut rows)), Rows::Bars(more)) => {
            rows.extend(more);
            Rows::Bars(rows)
        }
        (Some(Rows::Quotes(mut rows)), Rows::Quotes(more)) => {
            rows.extend(more);
            Rows::Quotes(rows)
        }
        (Some(Rows::Trades(mut rows)), Rows::Trades(more)) => {
            rows.extend(more);
            Rows::Trades(rows)
        }
        (Some(Rows::Articles(mut rows)), Rows::Articles(more)) => {
            rows.extend(more);
            Rows::Articles(rows)
        }
        (_, page) => page,
    }
}

/// Names a question: who asks the same gets the same answer.
fn named(ask: &MomentAsk, offer: &Offer) -> String {
    let mut name = format!(
        "{} {} {}",
        offer.provider().name,
        offer.endpoint().id,
        offer.symbol()
    );
    name.push_str(&format!(
        " {:?} {:?} {:?} {}",
        ask.start,
        ask.end,
        offer.feed(),
        ask.limit
    ));
    name
}
