//! A request as a provider sees it, and what it answers.
//!
//! Why between HTTP and the providers: a provider's file says only what is its own. Faults that change
//! rows are done here, so that every provider has them.
//! Not here: sockets ([`crate::server`]), limits ([`crate::limits`]).

use std::cell::Cell;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::http::{HeaderMap, Method};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;

use crate::faults::{Conduct, FaultKind};
use crate::market::listing::Listing;
use crate::market::{Adjust, Ask, Bar, Market, Step, Take};
use crate::venue::Venue;
use crate::wire::Json;

/// One request.
pub(crate) struct Call<'c> {
    pub(crate) method: &'c Method,
    /// The body, as far as a request has one.
    pub(crate) body: &'c [u8],
    /// Where orders go.
    pub(crate) venue: &'c Mutex<Venue>,
    /// The path between slashes, decoded.
    pub(crate) path: Vec<String>,
    /// The query in its order, decoded.
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: &'c HeaderMap,
    /// Who asks.
    pub(crate) from: IpAddr,
    /// Where the provider seems to be: `https://api.example.com`.
    pub(crate) base: String,
    pub(crate) now: Timestamp,
    pub(crate) market: &'c Market,
    /// Whether the caller pays for the larger plan.
    pub(crate) is_paid: bool,
    /// Keys that no provider takes.
    pub(crate) wrong_keys: &'c [String],
    pub(crate) conduct: Conduct,
    /// Whether a page that follows another one was asked for.
    pub(crate) had_page: Cell<bool>,
}

/// What a provider answers.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) content_type: &'static str,
    pub(crate) body: String,
}

impl Reply {
    /// Answers 200 with JSON.
    pub(crate) fn json(json: &Json) -> Self {
        Self::refusal(200, json)
    }

    /// Answers `status` with JSON.
    pub(crate) fn refusal(status: u16, json: &Json) -> Self {
        Self {
            status,
            headers: Vec::new(),
            content_type: "application/json",
            body: json.to_string(),
        }
    }

    /// Answers `status` with text of some type.
    pub(crate) fn text(status: u16, content_type: &'static str, body: impl Into<String>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            content_type,
            body: body.into(),
        }
    }

    /// Adds a header.
    #[must_use]
    pub(crate) fn with_header(mut self, name: &'static str, value: &dyn ToString) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }
}

/// A page of rows.
pub(crate) struct Page<T> {
    pub(crate) rows: Vec<T>,
    /// Whether there are rows behind it.
    pub(crate) has_more: bool,
    /// Whether it is the page before, once more: what comes next is what was asked for.
    pub(crate) is_again: bool,
}

impl Call<'_> {
    /// Returns the first value of a parameter that is there and not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(key, value)| key == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }

    /// Returns a parameter or what it is without one.
    pub(crate) fn get_or<'a>(&'a self, name: &str, default: &'a str) -> &'a str {
        self.get(name).unwrap_or(default)
    }

    /// Returns a whole number, `default` without one. What is larger than any time or place is cut, so
    /// that sums of two of them are numbers still.
    ///
    /// # Errors
    /// The text, when it is no whole number.
    pub(crate) fn whole(&self, name: &str, default: i64) -> Result<i64, String> {
        let end = i64::MAX / 4;
        self.get(name).map_or(Ok(default), |text| {
            let number = text.parse::<i64>();
            let number = number.map_err(|_not_a_number| text.to_owned());
            number.map(|number| number.clamp(-end, end))
        })
    }

    /// Returns a header that is text and not empty.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let value = self.headers.get(name)?.to_str().ok()?.trim();
        (!value.is_empty()).then_some(value)
    }

    /// Returns the path in pieces, to match on.
    pub(crate) fn pieces(&self) -> Vec<&str> {
        self.path.iter().map(String::as_str).collect()
    }

    /// Whether a key is one that works.
    pub(crate) fn is_right(&self, key: &str) -> bool {
        !key.is_empty() && !self.wrong_keys.iter().any(|wrong| wrong == key)
    }

    /// Returns the venue.
    pub(crate) fn venue(&self) -> MutexGuard<'_, Venue> {
        self.venue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the share or fund of that canonical symbol.
    pub(crate) fn stock(&self, symbol: &str) -> Option<Listing> {
        self.market.listing(symbol).filter(|l| !l.is_crypto())
    }

    /// Returns the newest `count` day bars in shares of today, today's among them.
    pub(crate) fn days(&self, listing: &Listing, count: usize) -> Vec<Bar> {
        let splits = Adjust {
            splits: true,
            dividends: false,
        };
        self.market.bars(&Ask {
            take: Take::Last(count),
            adjust: splits,
            ..Ask::of(listing, Step::Days(1), self.now)
        })
    }

    /// Returns rows as the switches want them: none, or the last one first.
    pub(crate) fn rows<T>(&self, mut rows: Vec<T>) -> Vec<T> {
        if self.conduct.has(FaultKind::Empty) {
            rows.clear();
        }
        if self.conduct.has(FaultKind::WrongOrder) {
            rows.reverse();
        }
        rows
    }

    /// Returns a page of `size` out of rows that `fetch` finds: it is told how many from the page's
    /// begin (`First`) or before it (`Last`). `follows` says that it is not the first page.
    pub(crate) fn page<T>(
        &self,
        size: usize,
        follows: bool,
        fetch: impl Fn(Take) -> Vec<T>,
    ) -> Page<T> {
        if follows {
            self.had_page.set(true);
        }
        if follows && self.conduct.has(FaultKind::DuplicatedPage) {
            return Page {
                rows: self.rows(fetch(Take::Last(size))),
                has_more: true,
                is_again: true,
            };
        }
        let skipped = if follows && self.conduct.has(FaultKind::MissingPage) {
            size
        } else {
            0
        };
        let mut rows = fetch(Take::First(skipped + size + 1));
        rows.drain(..skipped.min(rows.len()));
        let has_more = rows.len() > size;
        rows.truncate(size);
        Page {
            rows: self.rows(rows),
            has_more,
            is_again: false,
        }
    }

    /// Returns a page out of rows that are all there. `at` is the place where it begins; `None` on the
    /// first page.
    pub(crate) fn placed<T: Clone>(&self, all: &[T], at: Option<usize>, size: usize) -> Page<T> {
        let (before, rest) = all.split_at(at.unwrap_or(0).min(all.len()));
        self.page(size, at.is_some(), |take| match take {
            Take::First(count) => rest.iter().take(count).cloned().collect(),
            Take::Last(count) => {
                let skipped = before.len().saturating_sub(count);
                before.iter().skip(skipped).cloned().collect()
            }
        })
    }

    /// Returns a page of bars. `at` is where the page begins within the span of `ask`; `None` on the
    /// first page. In a page from the newest on, rows come newest first and `at` is where it ends.
    pub(crate) fn bars(
        &self,
        ask: &Ask<'_>,
        at: Option<i64>,
        size: usize,
        newest_first: bool,
    ) -> Page<Bar> {
        self.page(size, at.is_some(), |take| {
            let (before, rest) = match (at, newest_first) {
                (None, _) => ((0, 0), (ask.from, ask.to)),
                (Some(at), false) => ((ask.from, at), (at, ask.to)),
                (Some(at), true) => ((at, ask.to), (ask.from, at)),
            };
            let (span, take) = match (take, newest_first) {
                (Take::First(count), false) => (rest, Take::First(count)),
                (Take::First(count), true) => (rest, Take::Last(count)),
                (Take::Last(count), false) => (before, Take::Last(count)),
                (Take::Last(count), true) => (before, Take::First(count)),
            };
            let mut bars = self.market.bars(&Ask {
                from: span.0,
                to: span.1,
                take,
                ..*ask
            });
            if newest_first {
                bars.reverse();
            }
            bars
        })
    }
}

/// Makes a page token: text that nobody needs to read.
pub(crate) fn token(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

/// Reads a page token.
pub(crate) fn untoken(token: &str) -> Option<String> {
    let bytes = URL_SAFE_NO_PAD.decode(token.trim_end_matches('=')).ok()?;
    String::from_utf8(bytes).ok()
}
