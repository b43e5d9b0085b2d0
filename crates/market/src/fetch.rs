//! Fetching: a series as one offer of one provider has it, page after page, through the governor.
//!
//! Why the identity is long: raw and adjusted bars, two feeds, two venues and two beginnings of a day are
//! different series, and mixing any of them makes prices that never were. Not here: what a request looks
//! like and what an answer proves (`adapter`), what is kept ([`crate::supply`]).

use std::ops::Range;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Time;
use jiff::tz::TimeZone;
use tradewind_catalog::offer::{Adjust, AssetClass};
use tradewind_core::Clock;
use tradewind_host::egress::{BoxFuture, EgressError, Response};
use tradewind_quota::{Governor, Urgency};

use crate::adapter::{AdapterError, Offer, Page, Prepared, Proven, Rows, Span};
use crate::calendar;
use crate::grid::{Grid, Key};
use crate::plan::Tariff;
use crate::secrets::Keys;
use crate::service::{Ask, When, moment};
use crate::source::{FetchError, Fetched, Source};

/// Upper bound on the pages of one call.
const MAX_PAGES: u32 = 1_000;

/// A series of one offer.
#[derive(Debug)]
pub(crate) struct OfferedSeries {
    offer: Offer,
    grid: Grid,
    identity: String,
    zone: TimeZone,
    begins: Time,
    is_of_new_york: bool,
    governor: Governor,
    keys: Keys,
    clock: Arc<dyn Clock>,
}

impl OfferedSeries {
    /// Names the series; `None` when the offer has no bars.
    pub(crate) fn new(
        offer: Offer,
        ask: &Ask,
        governor: Governor,
        keys: Keys,
        clock: &Arc<dyn Clock>,
    ) -> Option<Self> {
        let grid = offer.grid()?.clone();
        let (zone, begins) = offer.day()?;
        // Two endpoints of a provider that tell about the same thing are one series.
        let identity = format!(
            "{}/{}/{}/{}/{}/{}/{zone} {begins}",
            offer.provider().name,
            offer.symbol(),
            offer.venue().unwrap_or("all"),
            ask.interval,
            offer.adjust().as_str(),
            offer.feed().unwrap_or("usual"),
        );
        Some(Self {
            is_of_new_york: zone == calendar::ZONE && begins == Time::midnight(),
            zone: TimeZone::get(zone).unwrap_or(TimeZone::UTC),
            begins,
            identity,
            grid,
            offer,
            governor,
            keys,
            clock: Arc::clone(clock),
        })
    }

    /// Returns the moment that a caller means.
    pub(crate) fn moment(&self, when: When) -> Timestamp {
        moment(when, &self.zone, self.begins)
    }

    async fn pages(&self, span: Range<Key>, urgency: Urgency) -> Result<Fetched, FetchError> {
        let now = self.clock.now();
        let mut fetched = Fetched::default();
        let newest = self.grid.key(self.offer.newest(now));
        if newest.is_some_and(|newest| span.start > newest) {
            // The plan does not show it yet: nothing to ask, nothing known.
            return Ok(fetched);
        }
        let governor = self.governor.with(urgency);
        let secrets = |_: &str, credential: &str| self.keys.get(credential);
        let span = Span::Bars(span);
        let mut cursor = None;
        for _ in 0..MAX_PAGES {
            let prepared = self
                .offer
                .request(&span, cursor.as_ref(), &secrets, self.clock.now())
                .map_err(|error| failed(&self.offer.provider().name, &error))?;
            let answer = governor.fetch(prepared.request.clone()).await;
            let answer = answer.map_err(|error| unheard(&self.offer.provider().name, error))?;
            fetched.calls += answer.attempts;
            let (offer, now) = (self.offer.clone(), self.clock.now());
            let page = read(offer, prepared, answer.response, now).await?;
            fetched
                .notes
                .extend(page.notes.iter().map(ToString::to_string));
            if let Rows::Bars(bars) = page.rows {
                fetched
                    .bars
                    .extend(bars.into_iter().map(|keyed| (keyed.key, keyed.bar)));
            }
            if let Proven::Bars(proved) = page.proven {
                fetched.proved.extend(proved);
            }
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        Ok(fetched)
    }
}

impl Source for OfferedSeries {
    fn identity(&self) -> &str {
        &self.identity
    }

    fn provider(&self) -> &str {
        &self.offer.provider().name
    }

    fn grid(&self) -> &Grid {
        &self.grid
    }

    fn tariff(&self) -> Tariff {
        self.offer.tariff()
    }

    fn is_adjusted(&self) -> bool {
        self.offer.adjust() != Adjust::None
    }

    fn trading(&self, gap: Range<Key>) -> Range<Key> {
        // Another day than New York's, as of a pair at midnight in UTC, has another calendar.
        let is_stock = self.offer.offering().class == Some(AssetClass::UsStock);
        if is_stock && self.is_of_new_york {
            calendar::trading(&self.grid, gap)
        } else {
            gap
        }
    }

    fn fetch(
        &self,
        span: Range<Key>,
        urgency: Urgency,
    ) -> BoxFuture<'_, Result<Fetched, FetchError>> {
        Box::pin(self.pages(span, urgency))
    }
}

/// Reads an answer on a thread that may take its time: bodies are large, and mappings count.
pub(crate) async fn read(
    offer: Offer,
    prepared: Prepared,
    response: Response,
    now: Timestamp,
) -> Result<Page, FetchError> {
    let provider = offer.provider().name.clone();
    let page = tokio::task::spawn_blocking(move || offer.read(&prepared, &response, now)).await;
    let page = page.map_err(|_panicked| FetchError::Ended)?;
    page.map_err(|error| failed(&provider, &error))
}

/// Says why an adapter gave no rows.
pub(crate) fn failed(provider: &str, error: &AdapterError) -> FetchError {
    let provider = provider.to_owned();
    match error.class() {
        Some(class) => FetchError::Refused {
            provider,
            class,
            said: error
                .said()
                .map_or_else(|| error.to_string(), str::to_owned),
        },
        None => FetchError::Adapter {
            provider,
            what: chain(error),
        },
    }
}

/// Says that a provider was not heard.
pub(crate) fn unheard(provider: &str, error: EgressError) -> FetchError {
    FetchError::Unheard {
        provider: provider.to_owned(),
        source: Arc::new(error),
    }
}

/// Returns an error with everything that it comes from.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
