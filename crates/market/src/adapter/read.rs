//! Reading an answer: is it the data that was asked for, when is each row, and where does it go on.
//!
//! Why success comes first: a refusal with status 200 that is read as an empty answer becomes a hole that
//! nobody ever asks for again. Not here: what bars (`adapter/bars.rs`) and other rows (`adapter/events.rs`)
//! prove.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tradewind_catalog::UseCase;
use tradewind_catalog::answer::TimeForm;
use tradewind_catalog::endpoint::{Pages, ParameterRole};
use tradewind_catalog::mapping::{Body, Cell, MAX_BYTES, MappingError};
use tradewind_catalog::offer::{self, Stamp};
use tradewind_catalog::refusal::FailureClass;
use tradewind_host::egress::Response;

use super::ask::{Cursor, Next, Prepared};
use super::error::AdapterError;
use super::events::{article, quote, trade};
use super::page::{Note, Notes, Page, Proven, Rows};
use super::{Offer, value};

/// How much of a refusal is looked at.
const MAX_REFUSAL_BYTES: usize = 64 * 1024;

/// How the time of a row is read.
pub(super) struct Clock {
    pub(super) form: Option<TimeForm>,
    pub(super) zone: TimeZone,
    pub(super) stamp: Stamp,
    pub(super) now: Timestamp,
}

/// One answer while it is being read.
pub(super) struct Reading<'r> {
    pub(super) offer: &'r Offer,
    pub(super) prepared: &'r Prepared,
    pub(super) response: &'r Response,
    pub(super) body: &'r Body,
    /// Rows that came, whatever became of them.
    pub(super) count: u64,
    pub(super) clock: Clock,
    pub(super) notes: Notes,
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
        let page = match (self.endpoint().use_case, self.grid.as_ref()) {
            (UseCase::Bars, Some(grid)) => reading.bars(grid, &cells),
            (UseCase::Quote, _) => reading.events(&cells, quote, Rows::Quotes),
            (UseCase::Trades, _) => reading.events(&cells, trade, Rows::Trades),
            (_, _) => reading.events(&cells, article, Rows::Articles),
        };
        // Rows of which not one can be read are no empty answer: the provider has changed its form.
        let is_null = page.notes.iter().any(|note| matches!(note, Note::Nulls(_)));
        let is_read = !page.rows.is_empty() || !page.outside.is_empty() || is_null;
        if cells.is_empty() || is_read {
            return Ok(page);
        }
        Err(AdapterError::Mapping {
            provider: self.provider().name.clone(),
            endpoint: self.endpoint().id.clone(),
            source: MappingError::Form,
        })
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
    pub(super) fn at(&self, cell: Option<&Cell>) -> Option<Timestamp> {
        if self.stamp == Stamp::Arrival {
            return Some(self.now);
        }
        match value::time(cell?.text()?, self.form?, &self.zone)? {
            value::Read::At(at) => Some(at),
            value::Read::On(date) => Some(date.to_zoned(self.zone.clone()).ok()?.timestamp()),
        }
    }
}

impl Reading<'_> {
    /// Tells whether the answer is as long as it can be.
    pub(super) fn is_full(&self) -> bool {
        match self.prepared.limit {
            Some(limit) => self.count >= limit,
            // Where nobody says how many rows come, the catalog may doubt that all do.
            None => self.offer.offering().keeps.is_some() && self.count > 0,
        }
    }

    /// Returns where the answer says to go on, and whether more than it holds may be there.
    pub(super) fn told(&self) -> (Option<Next>, bool) {
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

    pub(super) fn page(
        self,
        rows: Rows,
        outside: Rows,
        next: Option<Cursor>,
        proven: Proven,
    ) -> Page {
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
