//! Adapters: from a question in our words to a provider's request, and from its answer to rows.
//!
//! Why one for all: what differs between providers is data in the catalog (`[[endpoint.offer]]`), so a
//! thirteenth provider is one file. What an answer *proves* is part of reading it: a page that was cut
//! short, a row that could not be read and a bar that is still being made must not become knowledge.
//! A mapping that did not come with Tradewind is not run: jq can run for ever, and this process cannot be
//! killed for it. Not here: sending, pacing (`quota`), keeping ([`crate::coverage`]), choosing between
//! providers. Start reading at [`Offer`], then `adapter/read.rs`.

mod ask;
mod bars;
mod error;
mod events;
mod page;
mod read;
mod value;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use tradewind_catalog::answer::{LastBar, RowCount, TimeForm};
use tradewind_catalog::cost::Cost;
use tradewind_catalog::endpoint::ParameterRole;
use tradewind_catalog::mapping::{Cell, MappingError, Program};
use tradewind_catalog::offer::{self, AssetClass, Keeps, Offering, Spelling};
use tradewind_catalog::period::{Period, Unit};
use tradewind_catalog::{Catalog, Endpoint, Provider, UseCase};
use tradewind_core::{Instrument, Interval, Quote, Trade};

use crate::grid::{Grid, Key};
use crate::plan::Tariff;

pub use ask::{Cursor, Prepared, Secrets, Span};
pub use error::{AdapterError, NoOffer, Why};
pub use page::{KeyedBar, Note, Page, Proven, Rows};
pub use tradewind_catalog::offer::Adjust;

/// How long after its end a bar may still change where the catalog does not say: what is under way at
/// the provider, and clocks that differ.
const SETTLES: SignedDuration = SignedDuration::from_secs(5);

/// What a caller wants to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// What kind of rows.
    pub use_case: UseCase,
    /// Of what. `None` for news by words.
    pub instrument: Option<Instrument>,
    /// Words that news should have.
    pub words: Option<String>,
    /// Length of bars; for bars only.
    pub interval: Option<Interval>,
    /// How prices of bars are adjusted.
    pub adjust: Adjust,
    /// Which feed. `None` leaves it to the catalog.
    pub feed: Option<String>,
    /// Whether quotes of a span are wanted and not the newest one.
    pub history: bool,
}

impl Question {
    /// Asks for rows of an instrument: bars need an [`interval`](Self::interval) beside it.
    pub fn of(use_case: UseCase, instrument: Instrument) -> Self {
        Self {
            use_case,
            instrument: Some(instrument),
            words: None,
            interval: None,
            adjust: Adjust::None,
            feed: None,
            history: false,
        }
    }

    /// Asks for bars as they were traded.
    pub fn bars(instrument: Instrument, interval: Interval) -> Self {
        Self {
            interval: Some(interval),
            ..Self::of(UseCase::Bars, instrument)
        }
    }
}

/// Every provider of a catalog, ready to be asked.
#[derive(Clone, Debug)]
pub struct Adapters {
    providers: BTreeMap<String, Arc<Adapted>>,
}

/// A provider and its mappings, compiled.
#[derive(Debug)]
struct Adapted {
    provider: Provider,
    /// For each endpoint, for each offer: its mapping. `None` when it did not come with Tradewind.
    programs: Vec<Vec<Option<Program>>>,
}

impl Adapters {
    /// Compiles the mappings of a catalog.
    ///
    /// # Errors
    /// [`MappingError::Syntax`]; the catalog's lint refuses such files, so none is in force.
    pub fn new(catalog: &Catalog) -> Result<Self, MappingError> {
        let mut providers = BTreeMap::new();
        for provider in catalog.providers() {
            let mut programs = Vec::new();
            for endpoint in &provider.endpoints {
                let compiled = endpoint.offers.iter().map(|offering| {
                    is_reviewed(provider, endpoint, offering)
                        .then(|| offering.rows.compile(&offer::VARIABLES))
                        .transpose()
                });
                programs.push(compiled.collect::<Result<_, _>>()?);
            }
            let adapted = Adapted {
                provider: provider.clone(),
                programs,
            };
            providers.insert(provider.name.clone(), Arc::new(adapted));
        }
        Ok(Self { providers })
    }

    /// Returns what one provider offers for a question, in the catalog's sequence.
    ///
    /// # Errors
    /// [`NoOffer`] says why there is nothing, with the choices that there are.
    pub fn offers(&self, provider: &str, question: &Question) -> Result<Vec<Offer>, NoOffer> {
        let no_offer = |why| NoOffer {
            provider: provider.to_owned(),
            why,
        };
        let adapted = self
            .providers
            .get(provider)
            .ok_or_else(|| no_offer(Why::UnknownProvider))?;
        let mut offers = Vec::new();
        let mut nearest = Why::UseCase {
            wanted: question.use_case,
        };
        for (endpoint_at, endpoint) in adapted.provider.endpoints.iter().enumerate() {
            for offer_at in 0..endpoint.offers.len() {
                match Offer::new(adapted, (endpoint_at, offer_at), question) {
                    Ok(offer) => offers.push(offer),
                    // Of several reasons the one that was met last tells most.
                    Err(why) if why.depth() >= nearest.depth() => nearest = nearest.joined(why),
                    Err(_) => {}
                }
            }
        }
        if offers.is_empty() {
            return Err(no_offer(nearest));
        }
        Ok(offers)
    }

    /// Returns what every provider offers for a question, those without a contract last, and why the
    /// others offer nothing.
    pub fn all(&self, question: &Question) -> (Vec<Offer>, Vec<NoOffer>) {
        let (mut offers, mut reasons) = (Vec::new(), Vec::new());
        for name in self.providers.keys() {
            match self.offers(name, question) {
                Ok(found) => offers.extend(found),
                Err(reason) => reasons.push(reason),
            }
        }
        offers.sort_by_key(|offer| !offer.is_official());
        (offers, reasons)
    }
}

/// Reads a trade out of its cells, the first of which is its time; `None` when one is missing or not exact.
pub(crate) fn event_trade(at: Timestamp, row: &[Cell]) -> Option<Trade> {
    events::trade(at, row).ok()
}

/// Reads a quote likewise.
pub(crate) fn event_quote(at: Timestamp, row: &[Cell]) -> Option<Quote> {
    events::quote(at, row).ok()
}

/// Reads a moment.
pub(crate) fn moment_of(text: &str, form: TimeForm, zone: &TimeZone) -> Option<Timestamp> {
    match value::time(text, form, zone)? {
        value::Read::At(at) => Some(at),
        value::Read::On(_) => None,
    }
}

/// Tells whether the mapping came with Tradewind, where a person read it and a test ran it.
fn is_reviewed(provider: &Provider, endpoint: &Endpoint, offering: &Offering) -> bool {
    Catalog::builtin_shared()
        .provider(&provider.name)
        .and_then(|known| known.endpoint(&endpoint.id))
        .is_some_and(|known| known.offers.iter().any(|other| other.rows == offering.rows))
}

/// One endpoint of one provider that can answer a question. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Offer {
    adapted: Arc<Adapted>,
    // Invariant: places of an endpoint and of an offer of it. Built in `new` only.
    at: (usize, usize),
    /// The instrument as the provider spells it, or the words to look for.
    symbol: String,
    adjust: Adjust,
    feed: Option<String>,
    grid: Option<Grid>,
    /// Zone in which days of the series begin; UTC where there are no bars.
    zone: TimeZone,
    plan: Option<String>,
}

impl Offer {
    fn new(adapted: &Arc<Adapted>, at: (usize, usize), question: &Question) -> Result<Self, Why> {
        let unmapped = || Why::UseCase {
            wanted: question.use_case,
        };
        let endpoint = adapted.provider.endpoints.get(at.0).ok_or_else(unmapped)?;
        let offering = endpoint.offers.get(at.1).ok_or_else(unmapped)?;
        let takes_span = takes_span(endpoint);
        let fits = endpoint.use_case == question.use_case
            && (question.use_case != UseCase::Quote || takes_span == question.history);
        if !fits {
            return Err(unmapped());
        }
        let symbol = match (offering.class, &question.instrument, &question.words) {
            (Some(class), Some(instrument), _) => spelled(offering, class, instrument)?,
            (None, None, Some(words)) => words.clone(),
            (None, _, _) => return Err(Why::ByWords),
            (Some(class), None, _) => {
                return Err(Why::Symbol {
                    classes: vec![class],
                });
            }
        };
        let offered = || {
            let mut all: Vec<Interval> = offering
                .intervals
                .keys()
                .filter_map(|text| text.parse().ok())
                .collect();
            all.sort();
            all
        };
        let interval = match (question.use_case, question.interval) {
            (UseCase::Bars, None) => return Err(Why::Interval { offered: offered() }),
            (UseCase::Bars, Some(interval)) if !offered().contains(&interval) => {
                return Err(Why::Interval { offered: offered() });
            }
            (UseCase::Bars, Some(interval)) => Some(interval),
            _ => None,
        };
        // What is never adjusted is the same in every way.
        let adjust = if offering.adjust.is_empty() {
            Adjust::None
        } else if offering.adjust.contains_key(&question.adjust) {
            question.adjust
        } else {
            return Err(Why::Adjust {
                offered: offering.adjust.keys().copied().collect(),
            });
        };
        let feed = chosen_feed(endpoint, offering, question.feed.as_deref())?;
        let day = offering.day.as_ref();
        // The lint has looked the zone up.
        let zone = day.map_or(Ok(TimeZone::UTC), |day| TimeZone::get(&day.zone));
        let zone = zone.unwrap_or(TimeZone::UTC);
        let grid = match (interval, day) {
            (Some(interval), Some(day)) => {
                let grid = Grid::new(interval, zone.clone(), day.begins.0, 0);
                Some(
                    grid.ok()
                        .ok_or_else(|| Why::Interval { offered: offered() })?,
                )
            }
            _ => None,
        };
        Ok(Self {
            adapted: Arc::clone(adapted),
            at,
            symbol,
            adjust,
            feed,
            grid,
            zone,
            plan: None,
        })
    }

    /// The same offer for an account with that plan. Without it the first plan of the catalog counts,
    /// which is the free one.
    #[must_use]
    pub fn with_plan(mut self, plan: Option<&str>) -> Self {
        self.plan = plan.map(str::to_owned);
        self
    }

    /// Returns the provider.
    pub fn provider(&self) -> &Provider {
        &self.adapted.provider
    }

    /// Returns the endpoint.
    pub fn endpoint(&self) -> &Endpoint {
        &self.adapted.provider.endpoints[self.at.0]
    }

    /// Returns what the catalog says about the offer.
    pub fn offering(&self) -> &Offering {
        &self.endpoint().offers[self.at.1]
    }

    fn program(&self) -> Option<&Program> {
        let of_endpoint = self.adapted.programs.get(self.at.0)?;
        of_endpoint.get(self.at.1)?.as_ref()
    }

    /// Tells whether the provider offers this interface to customers. What is not may end any day.
    pub fn is_official(&self) -> bool {
        self.provider().official
    }

    /// Returns the symbol as the provider spells it.
    pub fn symbol(&self) -> &str {
        &self.symbol
    }

    /// Returns how prices are adjusted: part of what the series is.
    pub fn adjust(&self) -> Adjust {
        self.adjust
    }

    /// Returns the feed: part of what the series is. `None` where the provider has one only.
    pub fn feed(&self) -> Option<&str> {
        self.feed.as_deref()
    }

    /// Returns the venue whose trades it tells; `None` where it is all of them together.
    pub fn venue(&self) -> Option<&str> {
        self.offering().venue.as_deref()
    }

    /// Names the series: what differs in anything that makes it another series differs here. Series of two
    /// providers are never the same one.
    pub fn identity(&self) -> String {
        let endpoint = self.endpoint();
        let interval = self.grid.as_ref().map(|grid| grid.interval().to_string());
        let day = self.day().map(|(zone, begins)| format!("{zone} {begins}"));
        [
            self.provider().name.as_str(),
            endpoint.use_case.as_str(),
            self.symbol.as_str(),
            interval.as_deref().unwrap_or("-"),
            self.adjust.as_str(),
            self.feed.as_deref().unwrap_or("-"),
            self.venue().unwrap_or("-"),
            day.as_deref().unwrap_or("-"),
        ]
        .join("|")
    }

    /// Returns which bars there can be; `None` for what has none.
    pub fn grid(&self) -> Option<&Grid> {
        self.grid.as_ref()
    }

    /// Returns zone and time of day at which its days begin; `None` for what has no bars.
    pub fn day(&self) -> Option<(&str, jiff::civil::Time)> {
        let day = self.offering().day.as_ref()?;
        Some((&day.zone, day.begins.0))
    }

    /// Tells whether a span can be asked for; otherwise only what is newest.
    pub fn takes_span(&self) -> bool {
        takes_span(self.endpoint())
    }

    /// Returns the most bars that one call is planned for; at least 1.
    pub fn max_rows(&self) -> u64 {
        let mut most = self.row_limit().map_or(50_000, |limit| {
            let base = self.base_bars();
            (limit / base).max(1)
        });
        if let (Some(period), Some(seconds)) = (self.bound(|span| span.call), self.bar_seconds()) {
            let whole = u64::try_from(length(period).as_secs() / seconds).unwrap_or(1);
            most = most.min(whole.max(1));
        }
        if let (Some(_), Some(seconds)) = (
            self.endpoint().parameter_for(ParameterRole::Slice),
            self.bar_seconds(),
        ) {
            // A slice is a month, and none is shorter than February.
            let shortest = u64::try_from(28 * 86_400 / seconds).unwrap_or(1);
            most = most.min(shortest.max(1));
        }
        most
    }

    /// Returns what a call costs, for the planner.
    pub fn tariff(&self) -> Tariff {
        let endpoint = self.endpoint();
        if let Cost::PerRow { weight, rows, .. } = &endpoint.cost {
            let lot = u64::from(*rows).max(1);
            return Tariff {
                units: u64::from(weight.0),
                lot,
                max_rows: self.max_rows().max(lot),
            };
        }
        let asked = [
            (ParameterRole::Symbol, Some(self.symbol.clone())),
            (ParameterRole::Symbols, Some(self.symbol.clone())),
            (
                ParameterRole::Limit,
                self.row_limit().map(|limit| limit.to_string()),
            ),
        ];
        let arguments = asked
            .into_iter()
            .filter_map(|(role, value)| Some((endpoint.parameter_for(role)?, value?)))
            .map(|(parameter, value)| (parameter.name.clone(), value))
            .collect();
        Tariff::fixed(u64::from(endpoint.weigh(&arguments).0), self.max_rows())
    }

    /// Returns the oldest moment that can be asked for; `None` where nothing says so.
    pub fn oldest(&self, now: Timestamp) -> Option<Timestamp> {
        let by_endpoint = self.bound(|span| span.back);
        let by_plan = self.current_plan().and_then(|plan| plan.history);
        let shortest = [by_endpoint, by_plan]
            .into_iter()
            .flatten()
            .map(length)
            .min();
        let by_time = shortest.and_then(|back| now.checked_sub(back).ok());
        // Where only the newest rows ever come, the oldest of them is as old as there are rows.
        let by_rows = (self.keeps() == Keeps::Newest && self.endpoint().pages.is_none())
            .then(|| self.row_limit())
            .flatten()
            .and_then(|rows| {
                let grid = self.grid.as_ref()?;
                grid.start(grid.key(now)?.checked_sub(i64::try_from(rows).ok()?)?)
            });
        by_time.max(by_rows)
    }

    /// Returns the newest moment that the plan lets anyone ask for.
    pub fn newest(&self, now: Timestamp) -> Timestamp {
        let delay = self.current_plan().and_then(|plan| plan.delay).map(length);
        let is_exempt = self
            .feed
            .as_ref()
            .is_some_and(|feed| self.offering().undelayed.contains(feed))
            || !self.offering().is_delayed;
        match delay {
            Some(delay) if !is_exempt => now.checked_sub(delay).unwrap_or(now),
            Some(_) | None => now,
        }
    }

    /// Returns the first bar that may still change at `now`; `None` for what has no bars.
    pub fn final_before(&self, now: Timestamp) -> Option<Key> {
        let grid = self.grid.as_ref()?;
        let finality = self
            .endpoint()
            .answer
            .as_ref()
            .and_then(|a| a.finality.as_ref());
        let settles = finality.and_then(|f| f.settles).map_or(SETTLES, length);
        let seen = self.newest(now).checked_sub(settles).ok()?;
        let key = grid.key(seen)?;
        // A day's bar that is published only when it is closed is final at a time of that day.
        let is_published = finality.is_some_and(|f| f.last_bar == LastBar::Closed);
        let until = finality
            .and_then(|f| f.corrected_until)
            .filter(|_| is_published);
        let Some(until) = until else {
            return Some(key);
        };
        let zone = finality.and_then(|f| f.zone.as_deref()).map(TimeZone::get);
        let zone = zone.and_then(Result::ok).unwrap_or(TimeZone::UTC);
        let last_day = grid.date(key + 1)?.yesterday().ok()?;
        let closes = last_day
            .to_datetime(until.0)
            .to_zoned(zone)
            .ok()?
            .timestamp();
        Some(if closes <= seen { key + 1 } else { key })
    }

    fn current_plan(&self) -> Option<&tradewind_catalog::plan::Plan> {
        let plans = &self.provider().plans;
        let named = self
            .plan
            .as_ref()
            .and_then(|id| plans.iter().find(|plan| plan.id == *id));
        named.or_else(|| plans.first())
    }

    /// The most rows of one answer, as the call asks for them. `None` where nothing is known.
    fn row_limit(&self) -> Option<u64> {
        let endpoint = self.endpoint();
        let parameter = endpoint.parameter_for(ParameterRole::Limit);
        let fixed = parameter.and_then(|p| self.offering().arguments.get(&p.name)?.parse().ok());
        let by_parameter = || parameter.and_then(|p| p.max);
        let by_rows = || endpoint.answer.as_ref()?.rows.as_ref()?.max;
        fixed.or_else(by_parameter).or_else(by_rows).map(u64::from)
    }

    /// How many of what the limit counts are in one row.
    fn base_bars(&self) -> u64 {
        let rows = self
            .endpoint()
            .answer
            .as_ref()
            .and_then(|a| a.rows.as_ref());
        let seconds = self
            .grid
            .as_ref()
            .and_then(|grid| grid.interval().seconds());
        match (rows.map(|rows| rows.counts), seconds) {
            (Some(RowCount::BaseBars), Some(seconds @ 60..)) => {
                u64::try_from(seconds / 60).unwrap_or(1)
            }
            (Some(RowCount::BaseBars), Some(seconds)) => u64::try_from(seconds).unwrap_or(1),
            (Some(RowCount::BaseBars), None) => match self.grid.as_ref().map(Grid::interval) {
                Some(Interval::Week) => 7,
                Some(Interval::Month) => 31,
                _ => 1,
            },
            _ => 1,
        }
    }

    /// A bound on spans, for the interval as the provider spells it.
    fn bound(
        &self,
        of: impl Fn(&tradewind_catalog::answer::SpanBound) -> Option<Period>,
    ) -> Option<Period> {
        let spelling = self.interval_spelling();
        let value = match spelling {
            Some(Spelling::Value(value)) => value.as_str(),
            Some(Spelling::Arguments(_)) | None => "",
        };
        let spans = self
            .endpoint()
            .answer
            .iter()
            .flat_map(|answer| &answer.spans);
        spans
            .filter(|span| span.holds_for(value))
            .filter_map(of)
            .min_by_key(|period| length(*period))
    }

    fn interval_spelling(&self) -> Option<&Spelling> {
        let interval = self.grid.as_ref()?.interval();
        let intervals = &self.offering().intervals;
        intervals
            .iter()
            .find(|(text, _)| text.parse() == Ok(interval))
            .map(|(_, spelling)| spelling)
    }

    fn bar_seconds(&self) -> Option<i64> {
        let interval = self.grid.as_ref()?.interval();
        Some(interval.seconds().unwrap_or(match interval {
            Interval::Week => 7 * 86_400,
            Interval::Month => 28 * 86_400,
            _ => 86_400,
        }))
    }

    /// Which rows come when there are more than one answer holds.
    fn keeps(&self) -> Keeps {
        let sort = self
            .endpoint()
            .answer
            .as_ref()
            .and_then(|answer| answer.sort);
        let by_sort = match sort {
            Some(tradewind_catalog::answer::RowSort::NewestFirst) => Keeps::Newest,
            Some(tradewind_catalog::answer::RowSort::OldestFirst) | None => Keeps::Oldest,
        };
        self.offering().keeps.unwrap_or(by_sort)
    }
}

/// A length of time of its own; a month counts 31 days and a year 366.
pub(crate) fn length_of(period: Period) -> SignedDuration {
    length(period)
}

fn length(period: Period) -> SignedDuration {
    let seconds = match period.unit {
        Unit::Second => 1,
        Unit::Minute => 60,
        Unit::Hour => 3_600,
        Unit::Day => 86_400,
        Unit::Week => 7 * 86_400,
        Unit::Month => 31 * 86_400,
        Unit::Year => 366 * 86_400,
    };
    SignedDuration::from_secs(i64::from(period.count) * seconds)
}

fn takes_span(endpoint: &Endpoint) -> bool {
    [ParameterRole::Start, ParameterRole::Slice]
        .iter()
        .any(|role| endpoint.parameter_for(*role).is_some())
        || endpoint.use_case != UseCase::Quote
}

fn spelled(offering: &Offering, class: AssetClass, instrument: &Instrument) -> Result<String, Why> {
    if !class.has(instrument.symbol()) {
        return Err(Why::Symbol {
            classes: vec![class],
        });
    }
    match instrument.venue() {
        Some(venue) if offering.venue.as_deref() != Some(venue) => Err(Why::Venue {
            offered: offering.venue.iter().cloned().collect(),
        }),
        Some(_) | None => Ok(offering.symbol.spell(instrument.symbol())),
    }
}

fn chosen_feed(
    endpoint: &Endpoint,
    offering: &Offering,
    wanted: Option<&str>,
) -> Result<Option<String>, Why> {
    let fixed = endpoint
        .answer
        .as_ref()
        .and_then(|answer| answer.feed.clone());
    let offered: Vec<String> = if offering.feeds.is_empty() {
        fixed.into_iter().collect()
    } else {
        offering.feeds.clone()
    };
    match wanted {
        None => Ok(offered.into_iter().next()),
        Some(wanted) if offered.iter().any(|feed| feed == wanted) => Ok(Some(wanted.to_owned())),
        Some(_) => Err(Why::Feed { offered }),
    }
}
