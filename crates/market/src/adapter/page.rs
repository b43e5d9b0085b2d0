//! The answer: its rows, and what it proves.
//!
//! Why proof beside rows: a table cannot show what is missing in it. An answer vouches for the part of the
//! span that it covers completely: not for what was cut off behind a full page, not for a row that could
//! not be read, not for a bar that may still change. Not here: keeping any of it ([`crate::coverage`]).

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;
use tradewind_catalog::answer::{LastBar, TimeForm};
use tradewind_catalog::endpoint::{Pages, ParameterRole};
use tradewind_catalog::mapping::{Body, Cell, MAX_BYTES};
use tradewind_catalog::offer::{self, Keeps, Stamp};
use tradewind_catalog::{UseCase, refusal::FailureClass};
use tradewind_core::{Article, Bar, Quote, Side, Trade};
use tradewind_host::egress::Response;

use super::ask::{Cursor, Next, Prepared, Span};
use super::error::AdapterError;
use super::{Offer, SETTLES, value};
use crate::coverage::Answered;
use crate::grid::{Grid, Key};

/// How much of a refusal is looked at.
const MAX_REFUSAL_BYTES: usize = 64 * 1024;

/// A bar and its key in the grid of the offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyedBar {
    /// Its key.
    pub key: Key,
    /// The bar; `start` is that of the key, whatever stamp the provider gave it.
    pub bar: Bar,
}

/// Rows of one kind, oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rows {
    /// Bars, at most one of a key.
    Bars(Vec<KeyedBar>),
    /// Quotes.
    Quotes(Vec<Quote>),
    /// Trades, at most one of an id.
    Trades(Vec<Trade>),
    /// Articles, at most one of an address.
    Articles(Vec<Article>),
}

impl Rows {
    /// Returns how many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Bars(rows) => rows.len(),
            Self::Quotes(rows) => rows.len(),
            Self::Trades(rows) => rows.len(),
            Self::Articles(rows) => rows.len(),
        }
    }

    /// Tells whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What an answer proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proven {
    /// About bars: each part can be given to [`crate::Coverage::learn`].
    Bars(Vec<Answered>),
    /// About what happened: within this time there is nothing but the rows. `None`: nothing is sure.
    Times(Option<Range<Timestamp>>),
    /// About what is newest there is nothing to prove.
    Newest,
}

/// One answer, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The rows within the span that was asked for.
    pub rows: Rows,
    /// Rows that came although nobody asked for them.
    pub outside: Rows,
    /// Where to go on; `None` when the span is covered as far as it can be. Who follows it bounds the
    /// number of pages.
    pub next: Option<Cursor>,
    /// What was done to the rows.
    pub notes: Vec<Note>,
    /// What the answer proves.
    pub proven: Proven,
}

/// Something that was done to the rows of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Note {
    /// Rows without any price were left out: the provider has none for them.
    Nulls(usize),
    /// Rows with a part missing were left out; nothing is known of their time.
    Incomplete(usize),
    /// Rows with a number that cannot be held exactly were left out; nothing is known of their time.
    Inexact(usize),
    /// Rows whose time cannot be read, or comes twice that day, were left out.
    BadTime(usize),
    /// Bars that do not start where a bar starts were left out.
    OffGrid(usize),
    /// Rows that came twice, the same each time, were merged.
    Duplicates(usize),
    /// Of rows that came twice and differed the later one was kept.
    Conflicts(usize),
    /// Rows came that nobody asked for.
    Outside(usize),
    /// Bars whose lowest price is not the lowest or whose highest is not the highest; they are kept.
    Odd(usize),
    /// The answer was as long as it can be, so more may be there.
    Full,
    /// The answer has no time, so its rows have that of its arrival.
    Unstamped,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nulls(n) => write!(f, "{n} rows without a price were left out"),
            Self::Incomplete(n) => write!(f, "{n} rows with a part missing were left out"),
            Self::Inexact(n) => {
                write!(f, "{n} rows with a number of too many digits were left out")
            }
            Self::BadTime(n) => write!(f, "{n} rows without a clear time were left out"),
            Self::OffGrid(n) => write!(f, "{n} bars that start between two bars were left out"),
            Self::Duplicates(n) => write!(f, "{n} rows came twice and were merged"),
            Self::Conflicts(n) => write!(
                f,
                "{n} rows came twice and differed; the later one was kept"
            ),
            Self::Outside(n) => write!(f, "{n} rows lie outside of what was asked for"),
            Self::Odd(n) => write!(f, "{n} bars have a price beyond their highest or lowest"),
            Self::Full => f.write_str("the answer is as long as it can be, more may be there"),
            Self::Unstamped => f.write_str("the answer has no time; it has that of its arrival"),
        }
    }
}

/// A note with the number of rows that it is about.
type Counted = fn(usize) -> Note;

/// Counts what was done.
#[derive(Default)]
struct Notes(BTreeMap<u8, (Counted, usize)>);

impl Notes {
    fn count(&mut self, note: Counted) {
        self.add(note, 1);
    }

    fn add(&mut self, note: Counted, more: usize) {
        if more > 0 {
            let entry = self.0.entry(rank(note(0))).or_insert((note, 0));
            entry.1 += more;
        }
    }

    fn into_notes(self) -> Vec<Note> {
        self.0
            .into_values()
            .map(|(note, count)| note(count))
            .collect()
    }
}

fn rank(note: Note) -> u8 {
    match note {
        Note::Nulls(_) => 0,
        Note::Incomplete(_) => 1,
        Note::Inexact(_) => 2,
        Note::BadTime(_) => 3,
        Note::OffGrid(_) => 4,
        Note::Duplicates(_) => 5,
        Note::Conflicts(_) => 6,
        Note::Outside(_) => 7,
        Note::Odd(_) => 8,
        Note::Full => 9,
        Note::Unstamped => 10,
    }
}

/// How the time of a row is read.
struct Clock {
    form: Option<TimeForm>,
    zone: TimeZone,
    stamp: Stamp,
    now: Timestamp,
}

/// What became of a row of bars.
enum Cut {
    Bar(KeyedBar),
    /// There is something, but it cannot be read; nothing is known of this bar.
    Hole(Option<Key>),
    /// The provider says that there is nothing.
    Null(Key),
}

impl Offer {
    /// Reads the answer to a request. `now` is when it came.
    ///
    /// # Errors
    /// [`AdapterError::Refused`] for everything that is not the data that was asked for, by class;
    /// [`AdapterError::Body`], [`AdapterError::Mapping`] and [`AdapterError::Zone`] for an answer that
    /// cannot be read; [`AdapterError::ForeignMapping`].
    pub fn read(
        &self,
        prepared: &Prepared,
        response: &Response,
        now: Timestamp,
    ) -> Result<Page, AdapterError> {
        let body = self.accepted(prepared, response)?;
        let program = self.program().ok_or_else(|| AdapterError::ForeignMapping {
            provider: self.provider().name.clone(),
            endpoint: self.endpoint().id.clone(),
        })?;
        let fields = offer::fields(self.endpoint().use_case).unwrap_or_default();
        let variables = [self.symbol.as_str(), self.adjust.as_str()];
        let cells =
            program
                .rows(&body, &variables, fields)
                .map_err(|source| AdapterError::Mapping {
                    provider: self.provider().name.clone(),
                    endpoint: self.endpoint().id.clone(),
                    source,
                })?;
        let clock = self.clock(&body, now)?;
        let reading = Reading {
            offer: self,
            prepared,
            response,
            body: &body,
            count: u64::try_from(cells.len()).unwrap_or(u64::MAX),
            clock,
            notes: Notes::default(),
        };
        match (self.endpoint().use_case, self.grid.as_ref()) {
            (UseCase::Bars, Some(grid)) => Ok(reading.bars(grid, &cells)),
            (UseCase::Quote, _) => Ok(reading.events(&cells, quote, Rows::Quotes)),
            (UseCase::Trades, _) => Ok(reading.events(&cells, trade, Rows::Trades)),
            (_, _) => Ok(reading.events(&cells, article, Rows::Articles)),
        }
    }

    /// Returns the body when it is the data that was asked for.
    fn accepted(&self, prepared: &Prepared, response: &Response) -> Result<Body, AdapterError> {
        let status = response.status.as_u16();
        let part = || {
            let part = response.body.get(..MAX_REFUSAL_BYTES);
            String::from_utf8_lossy(part.unwrap_or(&response.body))
        };
        let refused = |class| AdapterError::Refused {
            provider: self.provider().name.clone(),
            endpoint: self.endpoint().id.clone(),
            status,
            class,
            said: prepared.told(&part()),
        };
        let classified = || {
            let refusal = self.provider().refusal(self.endpoint(), status, &part());
            refusal.map(|refusal| refusal.class)
        };
        if !response.status.is_success() {
            let unknown = match status {
                500.. => FailureClass::Outage,
                400..500 => FailureClass::BadRequest,
                _ => FailureClass::Malformed,
            };
            return Err(refused(classified().unwrap_or(unknown)));
        }
        let body = Body::read(&response.body).map_err(|source| match classified() {
            Some(class) if response.body.len() <= MAX_BYTES => refused(class),
            Some(_) | None => AdapterError::Body {
                provider: self.provider().name.clone(),
                endpoint: self.endpoint().id.clone(),
                source,
            },
        })?;
        let success = self.endpoint().success.as_ref();
        if success.is_some_and(|success| success.holds_in(&body)) {
            return Ok(body);
        }
        Err(refused(classified().unwrap_or(FailureClass::Malformed)))
    }

    fn clock(&self, body: &Body, now: Timestamp) -> Result<Clock, AdapterError> {
        let (endpoint, offering) = (self.endpoint(), self.offering());
        let time = endpoint
            .answer
            .as_ref()
            .and_then(|answer| answer.time.as_ref());
        let unknown = || AdapterError::Zone {
            provider: self.provider().name.clone(),
            endpoint: endpoint.id.clone(),
        };
        let asked = endpoint
            .parameter_for(ParameterRole::Zone)
            .and_then(|p| offering.arguments.get(&p.name));
        let zone = if let Some(place) = &offering.zone_at {
            let name = body.text_at(place).ok_or_else(unknown)?;
            TimeZone::get(&name).ok().ok_or_else(unknown)?
        } else {
            let named = asked.or(time.and_then(|time| time.zone.as_ref()));
            named
                .and_then(|name| TimeZone::get(name).ok())
                .unwrap_or(TimeZone::UTC)
        };
        Ok(Clock {
            form: time.map(|time| time.form),
            zone,
            stamp: offering.stamp,
            now,
        })
    }
}

impl Clock {
    /// Returns the moment of a row that is no bar.
    fn at(&self, cell: Option<&Cell>) -> Option<Timestamp> {
        if self.stamp == Stamp::Arrival {
            return Some(self.now);
        }
        match value::time(cell?.text()?, self.form?, &self.zone)? {
            value::Read::At(at) => Some(at),
            value::Read::On(date) => Some(date.to_zoned(self.zone.clone()).ok()?.timestamp()),
        }
    }
}

/// One answer while it is being read.
struct Reading<'r> {
    offer: &'r Offer,
    prepared: &'r Prepared,
    response: &'r Response,
    body: &'r Body,
    /// Rows that came, whatever became of them.
    count: u64,
    clock: Clock,
    notes: Notes,
}

impl Reading<'_> {
    /// Tells whether the answer is as long as it can be.
    fn is_full(&self) -> bool {
        match self.prepared.limit {
            Some(limit) => self.count >= limit,
            // Where nobody says how many rows come, the catalog may doubt that all do.
            None => self.offer.offering().keeps.is_some() && self.count > 0,
        }
    }

    fn bars(mut self, grid: &Grid, cells: &[Vec<Cell>]) -> Page {
        let final_before = self.offer.final_before(self.clock.now).unwrap_or(Key::MIN);
        let mut holes = Vec::new();
        let mut is_blind = false;
        let mut newest = None;
        let mut oldest = None;
        let mut by_key: BTreeMap<Key, Bar> = BTreeMap::new();
        for row in cells {
            let cut = self.cut(grid, row);
            let key = match &cut {
                Cut::Bar(keyed) => Some(keyed.key),
                Cut::Null(key) => Some(*key),
                Cut::Hole(key) => *key,
            };
            if let Some(key) = key {
                newest = newest.max(Some(key));
                oldest = Some(oldest.map_or(key, |oldest: Key| oldest.min(key)));
            }
            match cut {
                Cut::Bar(KeyedBar { key, bar }) => match by_key.insert(key, bar.clone()) {
                    None => {}
                    Some(before) if before == bar => self.notes.count(Note::Duplicates),
                    Some(_) => self.notes.count(Note::Conflicts),
                },
                Cut::Null(_) => self.notes.count(Note::Nulls),
                Cut::Hole(Some(key)) => holes.push(key),
                Cut::Hole(None) => is_blind = true,
            }
        }
        let last_bar = self
            .offer
            .endpoint()
            .answer
            .as_ref()
            .and_then(|a| a.finality.as_ref());
        let is_open = last_bar.is_some_and(|finality| finality.last_bar == LastBar::AlwaysOpen);
        let final_before = match newest {
            Some(newest) if is_open => final_before.min(newest),
            Some(_) | None => final_before,
        };
        let covers = match &self.prepared.covers {
            Span::Bars(keys) => keys.clone(),
            Span::Times(_) | Span::Newest => 0..0,
        };
        let (mut rows, mut outside) = (Vec::new(), Vec::new());
        for (key, mut bar) in by_key {
            bar.is_final = key < final_before;
            let keyed = KeyedBar { key, bar };
            if covers.contains(&key) {
                rows.push(keyed);
            } else {
                outside.push(keyed);
            }
        }
        self.notes.add(Note::Outside, outside.len());
        let (vouched, next) = self.vouched_bars(&covers, oldest, newest);
        let vouched = if is_blind {
            vouched.start..vouched.start
        } else {
            vouched
        };
        let proven = Proven::Bars(pieces(&vouched, &mut holes, &rows, final_before));
        self.page(Rows::Bars(rows), Rows::Bars(outside), next, proven)
    }

    /// Returns what the answer covers completely, and where to go on.
    fn vouched_bars(
        &self,
        covers: &Range<Key>,
        oldest: Option<Key>,
        newest: Option<Key>,
    ) -> (Range<Key>, Option<Cursor>) {
        let all = match &self.prepared.span {
            Span::Bars(keys) => keys.end,
            Span::Times(_) | Span::Newest => covers.end,
        };
        let clamp = |key: Key| key.clamp(covers.start, covers.end);
        let keeps = self.offer.keeps();
        let (told, is_cut) = self.told();
        if !is_cut {
            // Whole, as far as this call went; a longer span may need another one.
            let rest = Span::Bars(covers.end..all);
            let how = Next::Span;
            let next = (covers.end < all).then_some(Cursor { rest, how });
            return (covers.clone(), next);
        }
        let (vouched, rest) = match keeps {
            Keeps::Oldest => {
                let end = newest.map_or(covers.start, |key| clamp(key.saturating_add(1)));
                (covers.start..end, end..all)
            }
            Keeps::Newest => {
                let start = oldest.map_or(covers.end, clamp);
                (start..covers.end, covers.start..start)
            }
        };
        let can_move = matches!(self.offer.endpoint().pages, Some(Pages::Span { .. }))
            && vouched.start < vouched.end;
        let how = told.or(can_move.then_some(Next::Span));
        let is_open = rest.start < rest.end;
        let next = how.filter(|_| is_open).map(|how| Cursor {
            rest: Span::Bars(rest),
            how,
        });
        (vouched, next)
    }

    /// Returns where the answer says to go on, and whether more than it holds may be there.
    fn told(&self) -> (Option<Next>, bool) {
        let prepared = self.prepared;
        let new = |token: String| {
            let is_new = !token.is_empty() && prepared.token.as_ref() != Some(&token);
            is_new.then_some(Next::Token(token))
        };
        let is_full = self.is_full();
        match &self.offer.endpoint().pages {
            Some(Pages::NextUrl { field }) => {
                let address = self.body.text_at(field).filter(|text| !text.is_empty());
                let is_cut = address.is_some() || is_full;
                (address.map(Next::Address), is_cut)
            }
            Some(Pages::Token { field, .. }) => {
                let token = self.body.text_at(field).and_then(new);
                let is_cut = token.is_some();
                (token, is_cut)
            }
            Some(Pages::HeaderToken { header, .. }) => {
                let value = self.response.headers.get(header.as_str());
                let text = value
                    .and_then(|value| value.to_str().ok())
                    .map(str::to_owned);
                let token = text.and_then(new).filter(|_| self.count > 0);
                let is_cut = token.is_some();
                (token, is_cut)
            }
            Some(Pages::Number { .. }) => {
                let number = prepared.number.unwrap_or(1).saturating_add(1);
                (is_full.then_some(Next::Number(number)), is_full)
            }
            Some(Pages::Offset { .. }) => {
                let number = prepared.number.unwrap_or(0).saturating_add(self.count);
                (is_full.then_some(Next::Number(number)), is_full)
            }
            Some(Pages::Span { .. } | Pages::Slices { .. } | Pages::AfterId { .. }) | None => {
                (None, is_full)
            }
        }
    }

    fn cut(&mut self, grid: &Grid, row: &[Cell]) -> Cut {
        let [at, prices @ .., volume] = row else {
            return Cut::Hole(None);
        };
        let Some(key) = self.key(grid, at) else {
            return Cut::Hole(None);
        };
        let (key, is_on_grid) = key;
        if !is_on_grid {
            self.notes.count(Note::OffGrid);
            return Cut::Hole(Some(key));
        }
        if prices.iter().all(|price| *price == Cell::Nothing) {
            return Cut::Null(key);
        }
        if prices.iter().any(|price| price.text().is_none()) {
            self.notes.count(Note::Incomplete);
            return Cut::Hole(Some(key));
        }
        let numbers: Vec<Option<Decimal>> = prices
            .iter()
            .map(|price| value::decimal(price.text()?))
            .collect();
        let has_volume = *volume != Cell::Nothing;
        let volume = volume.text().and_then(value::decimal);
        let start = grid.start(key);
        let (&[Some(open), Some(high), Some(low), Some(close)], Some(start)) =
            (numbers.as_slice(), start)
        else {
            self.notes.count(Note::Inexact);
            return Cut::Hole(Some(key));
        };
        if has_volume && volume.is_none() {
            self.notes.count(Note::Inexact);
            return Cut::Hole(Some(key));
        }
        if low > open.min(close) || high < open.max(close) {
            self.notes.count(Note::Odd);
        }
        Cut::Bar(KeyedBar {
            key,
            bar: Bar {
                start,
                open,
                high,
                low,
                close,
                volume,
                is_final: false,
            },
        })
    }

    /// Returns the key of a row and whether its stamp is where it must be.
    fn key(&mut self, grid: &Grid, cell: &Cell) -> Option<(Key, bool)> {
        let read = || {
            let text = cell.text()?;
            if self.clock.stamp == Stamp::Date {
                return value::date(text).map(value::Read::On);
            }
            value::time(text, self.clock.form?, &self.clock.zone)
        };
        let key = match read() {
            Some(value::Read::At(at)) => grid.key(at).map(|key| {
                let is_exact = grid.start(key) == Some(at);
                (key, is_exact || self.clock.stamp == Stamp::Within)
            }),
            // At noon of the day that is named, whenever that day begins, it has begun.
            Some(value::Read::On(date)) => date
                .at(12, 0, 0, 0)
                .to_zoned(self.offer.zone.clone())
                .ok()
                .and_then(|noon| Some((grid.key(noon.timestamp())?, true))),
            None => None,
        };
        if key.is_none() {
            self.notes.count(Note::BadTime);
        }
        key
    }

    /// Reads rows that are no bars.
    fn events<T: Event>(
        mut self,
        cells: &[Vec<Cell>],
        read: fn(Timestamp, &[Cell]) -> Result<T, Counted>,
        rows_of: fn(Vec<T>) -> Rows,
    ) -> Page {
        let mut is_blind = false;
        let mut all: Vec<T> = Vec::new();
        for row in cells {
            let Some(at) = self.clock.at(row.first()) else {
                self.notes.count(Note::BadTime);
                is_blind = true;
                continue;
            };
            match read(at, row) {
                Ok(event) => all.push(event),
                Err(note) => {
                    self.notes.count(note);
                    is_blind = true;
                }
            }
        }
        if self.clock.stamp == Stamp::Arrival && !all.is_empty() {
            self.notes
                .0
                .insert(rank(Note::Unstamped), (|_| Note::Unstamped, 1));
        }
        let newest = all.iter().map(Event::at).max();
        let oldest = all.iter().map(Event::at).min();
        let last_id = all.last().and_then(Event::id).map(str::to_owned);
        let all = self.merged(all);
        let covers = match &self.prepared.covers {
            Span::Times(times) => Some(times.clone()),
            Span::Bars(_) | Span::Newest => None,
        };
        let (inside, outside): (Vec<T>, Vec<T>) = all.into_iter().partition(|event| {
            covers
                .as_ref()
                .is_none_or(|times| times.contains(&event.at()))
        });
        self.notes.add(Note::Outside, outside.len());
        let Some(covers) = covers else {
            return self.page(rows_of(inside), rows_of(outside), None, Proven::Newest);
        };
        let (proven, next) = self.vouched_times(&covers, oldest, newest, last_id);
        let settled = self.offer.newest(self.clock.now).checked_sub(SETTLES);
        let end = settled.map_or(proven.start, |settled| proven.end.min(settled));
        let proven = (!is_blind && proven.start < end).then_some(proven.start..end);
        self.page(
            rows_of(inside),
            rows_of(outside),
            next,
            Proven::Times(proven),
        )
    }

    /// Sorts rows, oldest first, and merges those that say who they are and came twice.
    fn merged<T: Event>(&mut self, all: Vec<T>) -> Vec<T> {
        let mut by_id: BTreeMap<String, usize> = BTreeMap::new();
        let mut kept: Vec<Option<T>> = Vec::new();
        for event in all {
            let Some(id) = event.id() else {
                kept.push(Some(event));
                continue;
            };
            if let Some(before) = by_id.insert(id.to_owned(), kept.len()) {
                let earlier = kept.get_mut(before).and_then(Option::take);
                if earlier.as_ref() == Some(&event) {
                    self.notes.count(Note::Duplicates);
                } else {
                    self.notes.count(Note::Conflicts);
                }
            }
            kept.push(Some(event));
        }
        let mut kept: Vec<T> = kept.into_iter().flatten().collect();
        let is_newest_first = kept
            .first()
            .zip(kept.last())
            .is_some_and(|(first, last)| first.at() > last.at());
        if is_newest_first {
            kept.reverse();
        }
        // Stable: what happened at one moment keeps the sequence in which it was told.
        kept.sort_by_key(Event::at);
        kept
    }

    fn vouched_times(
        &self,
        covers: &Range<Timestamp>,
        oldest: Option<Timestamp>,
        newest: Option<Timestamp>,
        last_id: Option<String>,
    ) -> (Range<Timestamp>, Option<Cursor>) {
        let (told, is_cut) = self.told();
        let keeps = self.offer.keeps();
        let reaches = match keeps {
            Keeps::Oldest => newest.is_some_and(|newest| newest >= covers.end),
            Keeps::Newest => oldest.is_some_and(|oldest| oldest < covers.start),
        };
        if !is_cut || reaches {
            return (covers.clone(), None);
        }
        let clamp = |at: Timestamp| at.clamp(covers.start, covers.end);
        let (proven, rest) = match keeps {
            // Others of the same moment may be on the next page.
            Keeps::Oldest => {
                let edge = newest.map_or(covers.start, clamp);
                (covers.start..edge, edge..covers.end)
            }
            Keeps::Newest => {
                let after =
                    oldest.and_then(|at| at.checked_add(SignedDuration::from_nanos(1)).ok());
                let edge = after.map_or(covers.end, clamp);
                (edge..covers.end, covers.start..edge)
            }
        };
        let moved = || match &self.offer.endpoint().pages {
            Some(Pages::AfterId { .. }) if last_id != self.prepared.token => {
                last_id.map(Next::Token)
            }
            Some(Pages::Span { .. }) if proven.start < proven.end => Some(Next::Span),
            _ => None,
        };
        let next = told.or_else(moved).map(|how| Cursor {
            rest: Span::Times(rest),
            how,
        });
        (proven, next)
    }

    fn page(self, rows: Rows, outside: Rows, next: Option<Cursor>, proven: Proven) -> Page {
        let is_full = self.prepared.limit.is_some() && self.is_full();
        let mut notes = self.notes.into_notes();
        if is_full {
            notes.push(Note::Full);
        }
        Page {
            rows,
            outside,
            next,
            notes,
            proven,
        }
    }
}

/// Splits what is vouched for at the bars that could not be read.
fn pieces(
    vouched: &Range<Key>,
    holes: &mut Vec<Key>,
    rows: &[KeyedBar],
    final_before: Key,
) -> Vec<Answered> {
    holes.retain(|hole| vouched.contains(hole));
    // A bar that came once whole and once not is known.
    holes.retain(|hole| rows.iter().all(|keyed| keyed.key != *hole));
    holes.sort_unstable();
    holes.dedup();
    let bars: Vec<Key> = rows.iter().map(|keyed| keyed.key).collect();
    let mut pieces = Vec::new();
    let mut from = vouched.start;
    for end in holes.iter().copied().chain(std::iter::once(vouched.end)) {
        // The first piece tells of every bar, also of those that nothing vouches for.
        let bars = if pieces.is_empty() {
            bars.clone()
        } else {
            inside(&bars, &(from..end))
        };
        if from < end || (pieces.is_empty() && !bars.is_empty()) {
            pieces.push(Answered {
                vouched: from..end,
                bars,
                final_before,
            });
        }
        from = end.saturating_add(1);
    }
    pieces
}

fn inside(bars: &[Key], span: &Range<Key>) -> Vec<Key> {
    bars.iter()
        .copied()
        .filter(|key| span.contains(key))
        .collect()
}

/// A row that happened at a moment.
trait Event: PartialEq {
    fn at(&self) -> Timestamp;
    /// What makes it the same row when it comes again.
    fn id(&self) -> Option<&str>;
}

impl Event for Quote {
    fn at(&self) -> Timestamp {
        self.at
    }

    fn id(&self) -> Option<&str> {
        None
    }
}

impl Event for Trade {
    fn at(&self) -> Timestamp {
        self.at
    }

    fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }
}

impl Event for Article {
    fn at(&self) -> Timestamp {
        self.at
    }

    fn id(&self) -> Option<&str> {
        Some(&self.url)
    }
}

/// Reads a number that may be missing.
fn optional(cell: Option<&Cell>) -> Result<Option<Decimal>, Counted> {
    match cell {
        None | Some(Cell::Nothing) => Ok(None),
        Some(cell) => {
            let number = cell.text().and_then(value::decimal);
            number.map(Some).ok_or(Note::Inexact as Counted)
        }
    }
}

fn owned(cell: Option<&Cell>) -> Option<String> {
    cell.and_then(Cell::text).map(str::to_owned)
}

fn quote(at: Timestamp, row: &[Cell]) -> Result<Quote, Counted> {
    let quote = Quote {
        at,
        bid: optional(row.get(1))?,
        bid_size: optional(row.get(2))?,
        ask: optional(row.get(3))?,
        ask_size: optional(row.get(4))?,
        last: optional(row.get(5))?,
    };
    if quote.bid.is_none() && quote.ask.is_none() && quote.last.is_none() {
        return Err(Note::Nulls);
    }
    Ok(quote)
}

fn trade(at: Timestamp, row: &[Cell]) -> Result<Trade, Counted> {
    let taker = match row.get(4) {
        None | Some(Cell::Nothing) => None,
        Some(cell) => match cell.text() {
            Some("buy") => Some(Side::Buy),
            Some("sell") => Some(Side::Sell),
            Some(_) | None => return Err(Note::Incomplete),
        },
    };
    Ok(Trade {
        at,
        id: owned(row.get(1)),
        price: optional(row.get(2))?.ok_or(Note::Incomplete as Counted)?,
        size: optional(row.get(3))?.ok_or(Note::Incomplete as Counted)?,
        taker,
    })
}

fn article(at: Timestamp, row: &[Cell]) -> Result<Article, Counted> {
    let symbols = match row.get(5) {
        Some(Cell::List(symbols)) => symbols.clone(),
        _ => Vec::new(),
    };
    Ok(Article {
        at,
        title: owned(row.get(1)).ok_or(Note::Incomplete as Counted)?,
        url: owned(row.get(2)).ok_or(Note::Incomplete as Counted)?,
        publisher: owned(row.get(3)),
        summary: owned(row.get(4)),
        symbols,
    })
}
