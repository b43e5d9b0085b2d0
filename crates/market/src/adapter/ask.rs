//! The request: where it goes, what it asks, who asks.
//!
//! Why the end is moved by a step: some providers count the end of a span in and some do not; the last
//! moment before it means the same to both. Why a next address is looked at before it is followed: it
//! comes from outside, and the key would travel with it. Not here: sending.

use std::fmt;
use std::ops::Range;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use tradewind_catalog::access::How;
use tradewind_catalog::endpoint::{Pages, Parameter, ParameterRole, Place};
use tradewind_catalog::host::HostName;
use tradewind_core::Interval;
use tradewind_host::egress::{HeaderName, HeaderValue, Method, Request, Url};

use super::error::AdapterError;
use super::{Offer, length, value};
use crate::grid::Key;

/// Most characters of what a provider said.
const MAX_SAID: usize = 200;

/// What part of a series is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Span {
    /// Bars, by their keys.
    Bars(Range<Key>),
    /// Whatever happened within `[start, end)`.
    Times(Range<Timestamp>),
    /// What is newest.
    Newest,
}

/// Where to go on after an answer that was not the whole. It holds no key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// What the answers before left open.
    pub(super) rest: Span,
    pub(super) how: Next,
}

/// How the next call says where to go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The span has moved on.
    Span,
    /// This address.
    Address(String),
    /// This value of the parameter for pages.
    Token(String),
    /// This number of the page, or of rows to skip.
    Number(u64),
}

/// Where secrets come from.
pub trait Secrets {
    /// Returns the secret of that credential of that provider, as the catalog names both.
    fn secret(&self, provider: &str, credential: &str) -> Option<String>;
}

impl<F: Fn(&str, &str) -> Option<String>> Secrets for F {
    fn secret(&self, provider: &str, credential: &str) -> Option<String> {
        self(provider, credential)
    }
}

/// A request that can be sent, and what its answer will be held against.
#[derive(Clone)]
pub struct Prepared {
    /// The request. Its headers or its query may hold a key.
    pub request: Request,
    /// What it asks for.
    pub(super) span: Span,
    /// The part of the span that this one call covers when nothing is cut off.
    pub(super) covers: Span,
    /// Most rows that the answer can have, as it was asked for.
    pub(super) limit: Option<u64>,
    /// What the call went on with.
    pub(super) token: Option<String>,
    /// Which page, or how many rows were skipped.
    pub(super) number: Option<u64>,
    /// What must not be told when the provider repeats it.
    secrets: Vec<String>,
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared")
            .field("host", &self.request.url.host_str())
            .field("path", &self.request.url.path())
            .field("span", &self.span)
            .field("covers", &self.covers)
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

impl Prepared {
    /// Returns the beginning of what a provider said, on one line and without the secrets of the call.
    pub(super) fn told(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in self.secrets.iter().filter(|secret| !secret.is_empty()) {
            text = text.replace(secret.as_str(), "***");
        }
        if text.trim_start().starts_with('<') {
            return "a page of HTML".to_owned();
        }
        let is_plain = |c: char| !c.is_control();
        let words: Vec<String> = text
            .split_whitespace()
            .take(60)
            .map(|word| word.chars().filter(|c| is_plain(*c)).collect())
            .collect();
        words.join(" ").chars().take(MAX_SAID).collect()
    }
}

/// Parameters of the query and of the path.
#[derive(Default)]
struct Arguments(Vec<(String, String)>);

impl Arguments {
    fn set(&mut self, name: &str, value: impl Into<String>) {
        self.0.retain(|(known, _)| known != name);
        self.0.push((name.to_owned(), value.into()));
    }

    fn of(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }
}

impl Offer {
    /// Builds the request for a span, or for what comes after an answer.
    ///
    /// # Errors
    /// [`AdapterError::MissingCredential`], [`AdapterError::BadCredential`]; [`AdapterError::Span`] when
    /// the span is empty or of another kind than the rows; [`AdapterError::Address`] when the catalog or
    /// a cursor leads nowhere that may be asked.
    pub fn request(
        &self,
        span: &Span,
        cursor: Option<&Cursor>,
        secrets: &dyn Secrets,
        now: Timestamp,
    ) -> Result<Prepared, AdapterError> {
        let rest = cursor.map_or(span, |cursor| &cursor.rest);
        let mut prepared = if let Some(Cursor {
            how: Next::Address(address),
            ..
        }) = cursor
        {
            let url = self.followed(address)?;
            Prepared {
                request: Request::new(Method::GET, url),
                span: span.clone(),
                covers: rest.clone(),
                limit: None,
                token: None,
                number: None,
                secrets: Vec::new(),
            }
        } else {
            self.asked(span, rest, cursor.map(|cursor| &cursor.how), now)?
        };
        prepared.secrets = self.sign(&mut prepared.request, secrets)?;
        Ok(prepared)
    }

    fn address_error(&self, why: &'static str) -> AdapterError {
        AdapterError::Address {
            provider: self.provider().name.clone(),
            endpoint: self.endpoint().id.clone(),
            why,
        }
    }

    fn span_error(&self, why: &'static str) -> AdapterError {
        AdapterError::Span {
            provider: self.provider().name.clone(),
            endpoint: self.endpoint().id.clone(),
            why,
        }
    }

    /// Looks at an address that came from outside: only the same endpoint of the same provider is asked.
    fn followed(&self, address: &str) -> Result<Url, AdapterError> {
        let foreign = || self.address_error("the next page lies somewhere else");
        let url = Url::parse(address).ok().ok_or_else(foreign)?;
        let host = url
            .host_str()
            .and_then(HostName::parse)
            .ok_or_else(foreign)?;
        let group = self.provider().host_of(&host).ok_or_else(foreign)?;
        let is_ours = url.scheme() == "https"
            && url.port().is_none()
            && url.username().is_empty()
            && url.password().is_none()
            && self.endpoint().on.contains(&group.id)
            && self.endpoint().path.matches(url.path()).is_some();
        if is_ours { Ok(url) } else { Err(foreign()) }
    }

    fn asked(
        &self,
        span: &Span,
        rest: &Span,
        next: Option<&Next>,
        now: Timestamp,
    ) -> Result<Prepared, AdapterError> {
        let (endpoint, offering) = (self.endpoint(), self.offering());
        let mut arguments = Arguments::default();
        for (name, value) in endpoint.conditions.iter().chain(&offering.arguments) {
            arguments.set(name, value.clone());
        }
        let named = |role| {
            endpoint
                .parameter_for(role)
                .map(|p: &Parameter| p.name.as_str())
        };
        let asked_by = [
            ParameterRole::Symbol,
            ParameterRole::Symbols,
            ParameterRole::Search,
        ];
        if let Some(name) = asked_by.into_iter().find_map(named) {
            arguments.set(name, self.symbol.clone());
        }
        if let Some(spelling) = self.interval_spelling() {
            for (name, value) in spelling.arguments(named(ParameterRole::Interval)) {
                arguments.set(name, value);
            }
        }
        if let Some(spelling) = offering.adjust.get(&self.adjust) {
            for (name, value) in spelling.arguments(named(ParameterRole::Adjustment)) {
                arguments.set(name, value);
            }
        }
        if let (Some(feed), Some(name)) = (&self.feed, named(ParameterRole::Feed)) {
            arguments.set(name, feed.clone());
        }
        let (covers, bounds) = self.bounds(rest, now)?;
        if let Some(bounds) = &bounds {
            self.write_span(bounds, &mut arguments);
        }
        let limit = self.set_limit(&covers, bounds.as_ref(), now, &mut arguments);
        let (token, number) = self.set_page(next, &mut arguments);
        let url = self.address(&arguments)?;
        Ok(Prepared {
            request: Request::new(Method::GET, url),
            span: span.clone(),
            covers,
            limit,
            token,
            number,
            secrets: Vec::new(),
        })
    }

    /// Returns what one call covers of `rest`, and the moments between which it asks.
    fn bounds(
        &self,
        rest: &Span,
        now: Timestamp,
    ) -> Result<(Span, Option<Range<Timestamp>>), AdapterError> {
        let ends = || self.span_error("it reaches beyond the ends of time");
        match (rest, self.grid.as_ref()) {
            (Span::Bars(keys), Some(grid)) => {
                if keys.start >= keys.end {
                    return Err(self.span_error("it is empty"));
                }
                let mut keys = keys.clone();
                if matches!(self.endpoint().pages, Some(Pages::Span { .. })) {
                    // Some refuse a span that is too long, so none is ever asked for.
                    let most = i64::try_from(self.max_rows()).unwrap_or(Key::MAX);
                    keys.end = keys.end.min(keys.start.saturating_add(most));
                }
                if let Some(slice_end) = self.slice_end(grid.start(keys.start).ok_or_else(ends)?) {
                    let last = grid.key(slice_end).ok_or_else(ends)?;
                    keys.end = keys.end.min(last.max(keys.start + 1));
                }
                let start = grid.start(keys.start).ok_or_else(ends)?;
                let end = grid.start(keys.end).ok_or_else(ends)?;
                // Nobody is asked for what the plan does not show yet: some refuse the whole call.
                let end = end.min(self.newest(now));
                if end <= start {
                    return Err(self.span_error("the plan does not show it yet"));
                }
                Ok((Span::Bars(keys), Some(start..end)))
            }
            (Span::Times(times), None) if self.takes_span() => {
                let end = times.end.min(self.newest(now));
                if end <= times.start {
                    return Err(self.span_error("it is empty, or the plan does not show it yet"));
                }
                let times = times.start..end;
                Ok((Span::Times(times.clone()), Some(times)))
            }
            (Span::Newest, None) => Ok((Span::Newest, None)),
            _ => Err(self.span_error("it is of another kind than the rows")),
        }
    }

    /// Returns where the slice ends that `start` lies in; `None` where spans are not cut into slices.
    fn slice_end(&self, start: Timestamp) -> Option<Timestamp> {
        self.endpoint().parameter_for(ParameterRole::Slice)?;
        let first = self.zone.to_datetime(start).date().first_of_month();
        let next = first.checked_add(jiff::Span::new().months(1)).ok()?;
        Some(next.to_zoned(self.zone.clone()).ok()?.timestamp())
    }

    fn write_span(&self, bounds: &Range<Timestamp>, arguments: &mut Arguments) {
        let (endpoint, offering) = (self.endpoint(), self.offering());
        let is_day = matches!(
            self.grid.as_ref().map(crate::Grid::interval),
            Some(Interval::Day | Interval::Week | Interval::Month)
        );
        let moved = |at: Timestamp, by: SignedDuration| at.checked_add(by).unwrap_or(at);
        let earlier = offering.start_before.map_or(SignedDuration::ZERO, length);
        let later = offering.end_after.map_or(SignedDuration::ZERO, length);
        let start = moved(bounds.start, -earlier);
        let mut write = |parameter: &Parameter, at: Timestamp, is_end: bool| {
            let Some(form) = parameter.time else { return };
            // A moment of the day's series is written as its own date, any other in the zone of the call.
            let zone = if is_day || parameter.role == Some(ParameterRole::Slice) {
                self.zone.clone()
            } else {
                self.asked_zone(arguments)
            };
            let at = if is_end {
                moved(at, SignedDuration::from_nanos(-value::step_ns(form)))
            } else {
                at
            };
            arguments.set(&parameter.name, value::write(at, form, &zone, is_day));
        };
        if let Some(parameter) = endpoint.parameter_for(ParameterRole::Slice) {
            write(parameter, bounds.start, false);
        }
        if let Some(parameter) = endpoint.parameter_for(ParameterRole::Start) {
            write(parameter, start, false);
        } else if let Some(Pages::Token { parameter, .. }) = &endpoint.pages
            && let Some(parameter) = endpoint.parameter(parameter)
        {
            // Where the token is a time, the first one is the start.
            write(parameter, start, false);
        }
        if let Some(parameter) = endpoint.parameter_for(ParameterRole::End) {
            write(parameter, moved(bounds.end, later), true);
        }
    }

    /// Returns the zone of times in a call: the one it names, or UTC.
    fn asked_zone(&self, arguments: &Arguments) -> TimeZone {
        let parameter = self.endpoint().parameter_for(ParameterRole::Zone);
        let named = parameter.and_then(|p| arguments.of(&p.name));
        named
            .and_then(|name| TimeZone::get(name).ok())
            .unwrap_or(TimeZone::UTC)
    }

    /// Says how many rows are wanted; returns the most that can come.
    fn set_limit(
        &self,
        covers: &Span,
        bounds: Option<&Range<Timestamp>>,
        now: Timestamp,
        arguments: &mut Arguments,
    ) -> Option<u64> {
        let endpoint = self.endpoint();
        for depth in &self.offering().depths {
            let reaches = depth
                .rows
                .is_none_or(|rows| self.reaches(rows, bounds, now));
            if reaches {
                for (name, value) in &depth.arguments {
                    arguments.set(name, value.clone());
                }
                return depth.rows.map(u64::from);
            }
        }
        let limit = self.row_limit()?;
        let Some(parameter) = endpoint.parameter_for(ParameterRole::Limit) else {
            return Some(limit);
        };
        if arguments.of(&parameter.name).is_some() {
            return Some(limit);
        }
        // Where the span moves on by itself, no more is asked for than there can be.
        let wanted = match (covers, &endpoint.pages) {
            (Span::Bars(keys), Some(Pages::Span { .. })) if self.base_bars() == 1 => {
                let earlier = self
                    .offering()
                    .start_before
                    .map_or(SignedDuration::ZERO, length);
                let later = self
                    .offering()
                    .end_after
                    .map_or(SignedDuration::ZERO, length);
                let more = (earlier + later).as_secs() / self.bar_seconds().unwrap_or(1).max(1);
                let rows = u64::try_from(keys.end - keys.start + more + 1).unwrap_or(limit);
                limit.min(rows)
            }
            _ => limit,
        };
        arguments.set(&parameter.name, wanted.to_string());
        Some(wanted)
    }

    /// Tells whether the newest `rows` reach back to the start of the span.
    fn reaches(&self, rows: u32, bounds: Option<&Range<Timestamp>>, now: Timestamp) -> bool {
        let back = || {
            let grid = self.grid.as_ref()?;
            Some(grid.key(now)? - grid.key(bounds?.start)?)
        };
        back().is_some_and(|back| back < i64::from(rows))
    }

    fn set_page(
        &self,
        next: Option<&Next>,
        arguments: &mut Arguments,
    ) -> (Option<String>, Option<u64>) {
        let pages = self.endpoint().pages.as_ref();
        match (pages, next) {
            (
                Some(
                    Pages::Token { parameter, .. }
                    | Pages::HeaderToken { parameter, .. }
                    | Pages::AfterId { parameter },
                ),
                Some(Next::Token(token)),
            ) => {
                arguments.set(parameter, token.clone());
                if matches!(pages, Some(Pages::AfterId { .. })) {
                    // From an id on or within a span: no provider takes both.
                    for role in [ParameterRole::Start, ParameterRole::End] {
                        let name = self.endpoint().parameter_for(role).map(|p| &p.name);
                        arguments.0.retain(|(known, _)| Some(known) != name);
                    }
                }
                (Some(token.clone()), None)
            }
            (Some(Pages::Number { parameter, .. }), next) => {
                let number = if let Some(Next::Number(number)) = next {
                    *number
                } else {
                    1
                };
                arguments.set(parameter, number.to_string());
                (None, Some(number))
            }
            (Some(Pages::Offset { parameter, .. }), next) => {
                let number = if let Some(Next::Number(number)) = next {
                    *number
                } else {
                    0
                };
                arguments.set(parameter, number.to_string());
                (None, Some(number))
            }
            _ => (None, None),
        }
    }

    fn address(&self, arguments: &Arguments) -> Result<Url, AdapterError> {
        let endpoint = self.endpoint();
        let group = endpoint.on.first().and_then(|id| self.provider().host(id));
        let host = group.and_then(|group| group.names.first());
        let host = host.ok_or_else(|| self.address_error("it has no host"))?;
        let path = endpoint
            .path
            .fill(|name| escaped(arguments.of(name).unwrap_or_default()));
        let mut url = Url::parse(&format!("https://{host}{path}"))
            .ok()
            .ok_or_else(|| self.address_error("its host is no name"))?;
        let is_in_query = |name: &str| {
            endpoint
                .parameter(name)
                .is_none_or(|p| p.place == Place::Query)
        };
        let query: Vec<_> = arguments
            .0
            .iter()
            .filter(|(name, _)| is_in_query(name))
            .collect();
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }

    /// Puts the credentials where they belong, in the first way for which all of them are there; returns
    /// them.
    fn sign(
        &self,
        request: &mut Request,
        secrets: &dyn Secrets,
    ) -> Result<Vec<String>, AdapterError> {
        let provider = self.provider();
        let host = self.endpoint().on.first();
        let ways = provider.authentications.iter().filter(|way| {
            let is_here = way.on.is_empty() || host.is_some_and(|host| way.on.contains(host));
            is_here && !matches!(way.how, How::Signed { .. })
        });
        let mut missing = None;
        for way in ways {
            let ids = way.how.credentials();
            let found: Option<Vec<_>> = ids
                .iter()
                .map(|id| {
                    let secret = secrets.secret(&provider.name, id);
                    if secret.is_none() {
                        missing.get_or_insert_with(|| (*id).to_owned());
                    }
                    Some((*id, secret?))
                })
                .collect();
            if let Some(found) = found {
                self.put(request, &way.how, &found)?;
                return Ok(found.into_iter().map(|(_, secret)| secret).collect());
            }
        }
        match missing {
            None => Ok(Vec::new()),
            Some(credential) => Err(AdapterError::MissingCredential {
                provider: provider.name.clone(),
                variables: provider
                    .credentials
                    .iter()
                    .filter(|known| known.id == credential)
                    .flat_map(|known| known.env.iter().take(2).cloned())
                    .collect(),
                credential,
            }),
        }
    }

    fn put(
        &self,
        request: &mut Request,
        how: &How,
        found: &[(&str, String)],
    ) -> Result<(), AdapterError> {
        let secret = |id: &str| {
            let pair = found.iter().find(|(known, _)| *known == id);
            pair.map_or("", |(_, secret)| secret.as_str())
        };
        match how {
            How::None {} | How::Signed { .. } => {}
            How::Query {
                parameter,
                credential,
            } => {
                request
                    .url
                    .query_pairs_mut()
                    .append_pair(parameter, secret(credential));
            }
            How::Headers { headers } => {
                for header in headers {
                    let bad = || AdapterError::BadCredential {
                        provider: self.provider().name.clone(),
                        credential: header.credential.clone(),
                    };
                    let text = format!("{}{}", header.prefix, secret(&header.credential));
                    let name = HeaderName::from_bytes(header.name.as_bytes());
                    let name = name.ok().ok_or_else(bad)?;
                    let mut value = HeaderValue::from_str(&text).ok().ok_or_else(bad)?;
                    value.set_sensitive(true);
                    request.headers.insert(name, value);
                }
            }
        }
        Ok(())
    }
}

/// Escapes what may not stand in a segment of a path.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
