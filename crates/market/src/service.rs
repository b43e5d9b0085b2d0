//! The service: from "bars of AAPL, please" to bars, whoever sells them.
//!
//! Why here: which provider is asked is a question of keys, of the user's preference and of what each
//! offers; everything below knows one series only. A provider that the caller names is the only one that
//! is asked. Otherwise the first that can answer is; another one answers instead only where the user has
//! declared both equivalent, and then for the whole span, so that no series is made of two.
//! Not here: HTTP ([`crate::http`]), what is held ([`crate::supply`]), how a provider is asked (`adapter`).

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use tradewind_catalog::offer::Adjust;
use tradewind_catalog::{Catalog, UseCase};
use tradewind_core::{Clock, Instrument, Interval, Recovery};
use tradewind_engine::Supervisor;
use tradewind_engine::secret::SecretError;
use tradewind_quota::{Governor, QuotaSection, Urgency};

use crate::adapter::{Adapters, NoOffer, Offer, Question, Why};
use crate::bars::Bars;
use crate::config::MarketSection;
use crate::fetch::OfferedSeries;
use crate::import::{self, ImportError, Report, Row, Target};
use crate::moments::{Desk, MomentAsk, Moments};
use crate::seam::{Apart, OVERLAP, apart};
use crate::secrets::{Keyring, Keys};
use crate::source::{FetchError, Source};
use crate::store::Store;
use crate::stream::hub::{MAX_LISTENERS, Pace};
use crate::stream::{End, Follow, FollowAsk, Kind, Streams};
use crate::supply::{Supplied, Supply, Want};
use crate::usage::{Counts, Usage};

/// Bars that are given when no start is said.
const USUAL_BARS: i64 = 250;
/// Upper bound on the bars of one answer.
const MAX_BARS: i64 = 5_000_000;

/// A moment as callers write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// A moment.
    Moment(Timestamp),
    /// The midnight that begins this day at the venue.
    Day(Date),
    /// A time of day at the venue.
    Local(DateTime),
}

/// Text that is no moment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no time; write a date as 2024-01-31, or a time as 2024-01-31T14:30:00Z")]
pub struct WhenError(String);

impl FromStr for When {
    type Err = WhenError;

    fn from_str(text: &str) -> Result<Self, WhenError> {
        if let Ok(moment) = text.parse::<Timestamp>() {
            return Ok(Self::Moment(moment));
        }
        if text.len() == 10
            && let Ok(day) = text.parse::<Date>()
        {
            return Ok(Self::Day(day));
        }
        let local = text.parse::<DateTime>().map(Self::Local);
        local.map_err(|_error| WhenError(text.chars().take(40).collect()))
    }
}

/// What a caller asks.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Of what.
    pub instrument: Instrument,
    /// Length of a bar.
    pub interval: Interval,
    /// Where the span begins. Default: 250 bars before its end.
    pub start: Option<When>,
    /// Where the span ends, itself not included. Default: now.
    pub end: Option<When>,
    /// How prices are adjusted.
    pub adjust: Adjust,
    /// Who is asked. Default: whoever can answer.
    pub provider: Option<String>,
    /// Who asks, in a word; for the count of what was asked.
    pub consumer: String,
    /// Which feed. Default: the provider's usual one.
    pub feed: Option<String>,
    /// Age up to which a bar that may still change is served without asking again. Default: a twentieth of
    /// the bar's length, at least 10 s and at most 15 min.
    pub max_age: Option<Duration>,
    /// How urgent it is.
    pub urgency: Urgency,
}

impl Ask {
    /// Asks for the newest bars of an instrument.
    pub fn of(instrument: Instrument, interval: Interval) -> Self {
        Self {
            instrument,
            interval,
            start: None,
            end: None,
            adjust: Adjust::None,
            provider: None,
            consumer: "unnamed".to_owned(),
            feed: None,
            max_age: None,
            urgency: Urgency::default(),
        }
    }

    fn question(&self) -> Question {
        let mut question = Question::bars(self.instrument.clone(), self.interval);
        question.adjust = self.adjust;
        question.feed.clone_from(&self.feed);
        question
    }

    fn max_age(&self) -> Duration {
        let length = self.interval.seconds().unwrap_or(86_400);
        let seconds = u64::try_from(length / 20)
            .unwrap_or_default()
            .clamp(10, 900);
        self.max_age.unwrap_or(Duration::from_secs(seconds))
    }
}

/// Bars, and how they came about.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The bars.
    pub bars: Bars,
    /// Requests that were sent for them.
    pub calls: u32,
    /// Whether a fetch for somebody else was waited for.
    pub is_shared: bool,
    /// Why the newest bars are missing, where they are.
    pub stale: Option<FetchError>,
    /// Parts of the span of which nobody knows whether there are bars.
    pub unknown: Vec<(Timestamp, Timestamp)>,
    /// The provider that would have answered, and why it did not.
    pub instead_of: Option<(String, FetchError)>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MarketError {
    /// Nobody has it.
    #[error("nobody has {what}: {}", Reasons(reasons))]
    NobodyHasIt {
        /// What was asked for.
        what: String,
        /// Why, provider by provider.
        reasons: Vec<NoOffer>,
    },
    /// Those who have it need a key that is nowhere.
    #[error("nobody can be asked without a key: {}", missing.join("; "))]
    NoKey {
        /// For each provider, what to set.
        missing: Vec<String>,
    },
    /// A key is not where the user says.
    #[error("the key of {provider} cannot be read")]
    Key {
        /// The provider.
        provider: String,
        /// Why.
        #[source]
        source: SecretError,
    },
    /// The span is none.
    #[error(
        "the span from {start} to {end} has no bars: it ends before it begins, or lies beyond what can be written"
    )]
    Span {
        /// Where it begins.
        start: Timestamp,
        /// Where it ends.
        end: Timestamp,
    },
    /// The span is too long for one answer.
    #[error("{bars} bars are too many for one answer; at most {MAX_BARS} are given")]
    TooMany {
        /// How many.
        bars: i64,
    },
    /// Another provider has it, but does not agree with what is held of the first.
    #[error(
        "{instead} could answer instead, but its closes lie {:.1} % from those held of {provider} ({} bars compared)", apart.percent, apart.bars
    )]
    Apart {
        /// Who was to be asked.
        provider: String,
        /// Who would have answered.
        instead: String,
        /// How far they lie apart.
        apart: Apart,
        /// Why the first did not answer.
        #[source]
        source: FetchError,
    },
    /// A file cannot be imported.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// The provider has nothing, or cannot be asked.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The provider's stream cannot be followed.
    #[error(transparent)]
    Stream(End),
    /// Nobody else can listen now.
    #[error("{MAX_LISTENERS} programs listen to streams already; no more can")]
    TooManyListeners,
}

struct Reasons<'a>(&'a [NoOffer]);

impl fmt::Display for Reasons<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, reason) in self.0.iter().enumerate() {
            let comma = if place == 0 { "" } else { "; " };
            write!(f, "{comma}{}: {}", reason.provider, reason.why)?;
        }
        Ok(())
    }
}

impl MarketError {
    /// Says what a caller may usefully do next.
    pub fn recovery(&self) -> Recovery {
        match self {
            Self::Fetch(error) | Self::Apart { source: error, .. } => error.recovery(),
            Self::TooManyListeners => Recovery::RetryAfter(Duration::from_secs(30)),
            Self::Stream(_)
            | Self::NobodyHasIt { .. }
            | Self::NoKey { .. }
            | Self::Key { .. }
            | Self::Span { .. }
            | Self::Import(_)
            | Self::TooMany { .. } => Recovery::Fix,
        }
    }
}

/// Answers questions about the market. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct Service {
    shared: Arc<Shared>,
}

struct Shared {
    adapters: Adapters,
    governor: Governor,
    supply: Supply,
    keyring: Keyring,
    section: MarketSection,
    quota: QuotaSection,
    clock: Arc<dyn Clock>,
    usage: Usage,
    moments: Desk,
    streams: Streams,
}

/// What a service is made of.
#[derive(Debug)]
pub struct Parts {
    /// Providers.
    pub catalog: Arc<Catalog>,
    /// The way out.
    pub governor: Governor,
    /// What is kept.
    pub store: Store,
    /// Where keys are.
    pub keyring: Keyring,
    /// `[market]`.
    pub section: MarketSection,
    /// `[quota]`.
    pub quota: QuotaSection,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Runs fetches.
    pub supervisor: Supervisor,
    /// Counts what is asked.
    pub usage: Usage,
    /// How long things about streams take.
    pub pace: Pace,
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").finish_non_exhaustive()
    }
}

impl Service {
    /// Puts it together.
    ///
    /// # Errors
    /// What is wrong with a mapping of the catalog; the catalog's lint refuses such files.
    pub fn new(parts: Parts) -> Result<Self, tradewind_catalog::mapping::MappingError> {
        Ok(Self {
            shared: Arc::new(Shared {
                adapters: Adapters::new(&parts.catalog)?,
                streams: Streams::new(&parts.catalog, parts.supervisor.clone(), parts.pace)?,
                supply: Supply::new(parts.store, Arc::clone(&parts.clock), parts.supervisor),
                governor: parts.governor,
                keyring: parts.keyring,
                section: parts.section,
                quota: parts.quota,
                moments: Desk::new(Arc::clone(&parts.clock)),
                clock: parts.clock,
                usage: parts.usage,
            }),
        })
    }

    /// Returns the way out, for how quotas stand.
    pub fn governor(&self) -> &Governor {
        &self.shared.governor
    }

    /// Returns the present time.
    pub(crate) fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    /// Returns what is kept.
    pub fn store(&self) -> &Store {
        self.shared.supply.store()
    }

    /// Returns everything that is followed.
    pub fn streams(&self) -> &Streams {
        &self.shared.streams
    }

    /// Counts what a listener got.
    pub(crate) fn count(&self, consumer: &str, provider: &str, what: &str, counts: Counts) {
        let now = self.shared.clock.now();
        self.shared
            .usage
            .count(now, consumer, provider, what, counts);
    }

    /// Returns the keys of a provider.
    pub(crate) async fn keys_at(&self, provider: &str) -> Result<Keys, MarketError> {
        let keys = self.shared.keyring.keys(provider).await;
        keys.map_err(|source| MarketError::Key {
            provider: provider.to_owned(),
            source,
        })
    }

    /// Follows what happens, from now on or from behind the message that the caller saw last.
    ///
    /// # Errors
    /// [`MarketError::NobodyHasIt`], [`MarketError::NoKey`], [`MarketError::Key`]; [`MarketError::Stream`]
    /// when the provider refused this key before, or takes no more items; [`MarketError::TooManyListeners`].
    pub async fn follow(&self, ask: &FollowAsk) -> Result<Follow, MarketError> {
        let shared = &self.shared;
        let (mut offers, reasons) = shared.streams.offers(ask);
        let prefer = &shared.section.prefer;
        offers.sort_by_key(|(words, _)| {
            let name = &words.provider.name;
            let preferred = prefer.iter().position(|known| known == name);
            // Of two that are as good, who needs no key is sure to answer.
            let needs_key = !words.stream().credentials().is_empty();
            (
                preferred.unwrap_or(usize::MAX),
                !words.provider.official,
                needs_key,
            )
        });
        if offers.is_empty() {
            let mut reasons = reasons;
            let tells = |reason: &NoOffer| !matches!(reason.why, Why::NoStream);
            if reasons.iter().any(tells) {
                reasons.retain(tells);
            }
            let what = match ask.kind {
                Kind::Trades => "a stream of trades".to_owned(),
                Kind::Quotes => "a stream of quotes".to_owned(),
                Kind::Bars(interval) => format!("a stream for {interval} bars"),
            };
            return Err(MarketError::NobodyHasIt {
                what: format!("{what} of {}", ask.instrument),
                reasons,
            });
        }
        let mut missing = Vec::new();
        for (words, symbol) in offers {
            let needed = words.stream().credentials();
            let name = &words.provider.name;
            if !needed.is_empty() && !shared.keyring.has_all(&words.provider) {
                let usual = words.provider.credentials.iter();
                let usual = usual.filter(|known| needed.contains(&known.id.as_str()));
                let usual: Vec<_> = usual
                    .filter_map(|c| c.env.first())
                    .map(String::as_str)
                    .collect();
                missing.push(format!("{name} reads {}", usual.join(" and ")));
                continue;
            }
            let keys = self.keys_at(name).await?;
            let digest = crate::stream::digest(&needed, &keys);
            return shared.streams.join(self, &words, symbol, ask, digest);
        }
        Err(MarketError::NoKey { missing })
    }

    /// Answers, and counts that it was asked.
    ///
    /// # Errors
    /// [`MarketError`].
    pub async fn bars(&self, ask: &Ask) -> Result<Answer, MarketError> {
        let answer = self.answer(ask).await;
        let mut provider = ask.provider.as_deref().unwrap_or("any");
        let mut counts = Counts::default();
        if let Ok(answer) = &answer {
            provider = answer.bars.provider();
            counts.answers = 1;
            counts.hits = u64::from(answer.calls == 0);
            counts.calls = u64::from(answer.calls);
            counts.rows = answer.bars.len() as u64;
        } else {
            counts.failures = 1;
        }
        let what = format!("bars {}", ask.interval);
        let now = self.shared.clock.now();
        self.shared
            .usage
            .count(now, &ask.consumer, provider, &what, counts);
        answer
    }

    /// Answers with quotes, trades or articles, and counts that it was asked.
    ///
    /// # Errors
    /// [`MarketError`].
    pub async fn moments(&self, ask: &MomentAsk) -> Result<Moments, MarketError> {
        let moments = self.ask_moments(ask).await;
        let mut provider = ask.provider.as_deref().unwrap_or("any");
        let mut counts = Counts::default();
        if let Ok(moments) = &moments {
            provider = &moments.provider;
            counts.answers = 1;
            counts.hits = u64::from(moments.calls == 0);
            counts.calls = u64::from(moments.calls);
            counts.rows = moments.len() as u64;
        } else {
            counts.failures = 1;
        }
        let now = self.shared.clock.now();
        self.shared
            .usage
            .count(now, &ask.consumer, provider, ask.use_case.as_str(), counts);
        moments
    }

    async fn ask_moments(&self, ask: &MomentAsk) -> Result<Moments, MarketError> {
        let shared = &self.shared;
        let question = Question {
            use_case: ask.use_case,
            instrument: ask.instrument.clone(),
            words: ask.words.clone(),
            interval: None,
            adjust: Adjust::None,
            feed: ask.feed.clone(),
            history: ask.start.is_some(),
        };
        let offer = self.choose(&question, ask.provider.as_deref())?;
        let keys = self.keys_of(&offer).await?;
        let moments = shared
            .moments
            .ask(ask, &offer, &shared.governor, &keys)
            .await;
        Ok(moments?)
    }

    async fn keys_of(&self, offer: &Offer) -> Result<Keys, MarketError> {
        let provider = &offer.provider().name;
        let keys = self.shared.keyring.keys(provider).await;
        keys.map_err(|source| MarketError::Key {
            provider: provider.clone(),
            source,
        })
    }

    async fn answer(&self, ask: &Ask) -> Result<Answer, MarketError> {
        let offer = self.choose(&ask.question(), ask.provider.as_deref())?;
        let first = offer.provider().name.clone();
        let failed = match self.ask(ask, offer).await {
            Err(MarketError::Fetch(error)) if ask.provider.is_none() && error.may_fall_back() => {
                error
            }
            other => return other,
        };
        let mut refused = None;
        for name in self.shared.section.instead_of(&first) {
            let other = Ask {
                provider: Some(name.to_owned()),
                ..ask.clone()
            };
            let Ok(offer) = self.choose(&other.question(), Some(name)) else {
                continue;
            };
            let Ok(mut answer) = self.ask(&other, offer).await else {
                continue;
            };
            if let Some(apart) = self.seam(ask, &first, &other).await? {
                tracing::warn!(
                    provider = first,
                    instead = name,
                    percent = apart.percent,
                    "declared equivalent, but is not"
                );
                refused = Some((name.to_owned(), apart));
                continue;
            }
            tracing::warn!(provider = first, error = %failed, instead = name, "another provider answers");
            answer.instead_of = Some((first.clone(), failed));
            return Ok(answer);
        }
        Err(match refused {
            Some((instead, apart)) => MarketError::Apart {
                provider: first,
                instead,
                apart,
                source: failed,
            },
            None => failed.into(),
        })
    }

    /// Compares what is held of `first` with what `other` says of the same times, from a little before the
    /// span to a little after it; none when they agree or nothing is held.
    async fn seam(
        &self,
        ask: &Ask,
        first: &str,
        other: &Ask,
    ) -> Result<Option<Apart>, MarketError> {
        let kept = |error| MarketError::Fetch(FetchError::Store(Arc::new(error)));
        let series_of = async |ask: &Ask, provider: &str| {
            let offer = self.choose(&ask.question(), Some(provider))?;
            let keys = self.keys_of(&offer).await?;
            let governor = self.shared.governor.clone();
            Ok::<_, MarketError>(OfferedSeries::new(
                offer,
                ask,
                governor,
                keys,
                &self.shared.clock,
            ))
        };
        let Some(series) = series_of(ask, first).await? else {
            return Ok(None);
        };
        let span = self.keys(ask, &series)?;
        let span = span.start.saturating_sub(OVERLAP)..span.end.saturating_add(OVERLAP);
        let grid = series.grid().clone();
        let held = self.store().series(series.identity()).await.map_err(kept)?;
        let held = self.store().rows(&held, span.clone()).await.map_err(kept)?;
        let (Some(begin), Some(end)) = (
            held.keys().first().and_then(|key| grid.start(*key)),
            held.keys()
                .last()
                .and_then(|key| grid.start(key.saturating_add(1))),
        ) else {
            return Ok(None);
        };
        let same_times = Ask {
            start: Some(When::Moment(begin)),
            end: Some(When::Moment(end)),
            ..other.clone()
        };
        let name = other.provider.as_deref().unwrap_or_default();
        let offer = self.choose(&same_times.question(), Some(name))?;
        // Nearly always held by now: the span that was asked for, or the page beside it.
        let Ok(said) = self.ask(&same_times, offer).await else {
            return Ok(None);
        };
        Ok(apart((&grid, &held), (said.bars.grid(), said.bars.rows())))
    }

    /// Keeps bars of a file as if the provider that `ask` names had said them; nobody is asked, and no key is
    /// needed.
    ///
    /// # Errors
    /// [`MarketError::NobodyHasIt`] when the provider has no such series, and what is wrong with the file.
    pub async fn import(
        &self,
        ask: &Ask,
        rows: &[Row],
        zone: Option<&TimeZone>,
        is_sparse: bool,
    ) -> Result<Report, MarketError> {
        let shared = &self.shared;
        let question = ask.question();
        let provider = ask.provider.as_deref().unwrap_or_default();
        let nobody = |reasons| MarketError::NobodyHasIt {
            what: described(&question),
            reasons,
        };
        let offers = shared.adapters.offers(provider, &question);
        let offers = offers.map_err(|reason| nobody(vec![reason]))?;
        let mut bars = offers.into_iter().filter(|offer| offer.grid().is_some());
        let offer = bars.next().ok_or_else(|| nobody(Vec::new()))?;
        let governor = shared.governor.clone();
        let series = OfferedSeries::new(offer, ask, governor, Keys::default(), &shared.clock);
        let series = series.ok_or_else(|| nobody(Vec::new()))?;
        let moment = |when| series.moment(when);
        let what = format!("{}, {provider}", described(&question));
        let target = Target {
            identity: series.identity(),
            what: &what,
            grid: series.grid(),
            moment: &moment,
            zone,
            is_sparse,
            now: self.now(),
        };
        Ok(import::take(self.store(), &target, rows).await?)
    }

    /// Returns the offer that is taken up.
    fn choose(&self, question: &Question, provider: Option<&str>) -> Result<Offer, MarketError> {
        let shared = &self.shared;
        let (offers, reasons) = match provider {
            Some(provider) => match shared.adapters.offers(provider, question) {
                Ok(offers) => (offers, Vec::new()),
                Err(reason) => (Vec::new(), vec![reason]),
            },
            None => shared.adapters.all(question),
        };
        let fits = |offer: &Offer| {
            question.use_case != UseCase::Bars || (offer.grid().is_some() && offer.takes_span())
        };
        let mut offers: Vec<Offer> = offers.into_iter().filter(fits).collect();
        if offers.is_empty() {
            let mut reasons = reasons;
            // Who has none at all tells nothing, unless nobody else is left.
            let tells =
                |reason: &NoOffer| !matches!(reason.why, Why::UseCase { .. } | Why::ByWords);
            if reasons.iter().any(tells) {
                reasons.retain(tells);
            }
            return Err(MarketError::NobodyHasIt {
                what: described(question),
                reasons,
            });
        }
        let prefer = &shared.section.prefer;
        let rank = |offer: &Offer| {
            let name = &offer.provider().name;
            let preferred = prefer
                .iter()
                .position(|known| known == name)
                .unwrap_or(usize::MAX);
            let is_keyless = offer.provider().credentials.is_empty();
            (preferred, !offer.is_official(), is_keyless)
        };
        offers.sort_by_key(rank);
        let mut missing = BTreeMap::new();
        for offer in offers {
            let name = offer.provider().name.clone();
            if provider.is_none() && !offer.is_official() && !prefer.contains(&name) {
                // What may end any day, and judges who asks, is asked on somebody's word only.
                let why =
                    format!("{name} has it, but is not offered to customers: name it to ask it");
                missing.insert(name, why);
                continue;
            }
            if shared.keyring.has_all(offer.provider()) {
                let plan = shared
                    .quota
                    .plan(offer.provider())
                    .map(|plan| plan.id.clone());
                return Ok(offer.with_plan(plan.as_deref()));
            }
            let provider = offer.provider();
            let usual = provider.credentials.iter().filter_map(|c| c.env.first());
            let usual: Vec<_> = usual.map(String::as_str).collect();
            missing.insert(
                provider.name.clone(),
                format!("{} reads {}", provider.name, usual.join(" and ")),
            );
        }
        Err(MarketError::NoKey {
            missing: missing.into_values().collect(),
        })
    }

    async fn ask(&self, ask: &Ask, offer: Offer) -> Result<Answer, MarketError> {
        let shared = &self.shared;
        let provider = offer.provider().name.clone();
        let keys = self.keys_of(&offer).await?;
        let Some(series) =
            OfferedSeries::new(offer, ask, shared.governor.clone(), keys, &shared.clock)
        else {
            return Err(FetchError::Adapter {
                provider,
                what: "its offer has no bars".to_owned(),
            }
            .into());
        };
        let want = Want {
            keys: self.keys(ask, &series)?,
            max_age: ask.max_age(),
            urgency: ask.urgency,
        };
        let grid = series.grid().clone();
        let source: Arc<dyn Source> = Arc::new(series);
        let Supplied {
            rows,
            open,
            open_fetched_us,
            calls,
            is_shared,
            stale,
            unknown,
        } = shared.supply.bars(&source, &want).await?;
        let unknown = unknown
            .into_iter()
            .filter_map(|keys| Some((grid.start(keys.start)?, grid.start(keys.end)?)));
        Ok(Answer {
            unknown: unknown.collect(),
            bars: Bars::new(
                grid.clone(),
                rows,
                &open,
                open_fetched_us,
                &provider,
                stale.is_some(),
            ),
            calls,
            is_shared,
            stale,
            instead_of: None,
        })
    }

    /// Returns the bars that are asked for.
    fn keys(&self, ask: &Ask, series: &OfferedSeries) -> Result<std::ops::Range<i64>, MarketError> {
        let now = self.shared.clock.now();
        let grid = series.grid();
        let moment = |when: When| series.moment(when);
        // What has not begun yet cannot be asked for.
        let end = ask.end.map_or(now, moment).min(
            now.saturating_add(SignedDuration::from_hours(24 * 366))
                .unwrap_or(now),
        );
        let wrong = |start| MarketError::Span { start, end };
        // The bar that is being made now begins before now.
        let last = grid.keys(end, end).ok_or_else(|| wrong(end))?.start;
        let keys = match ask.start.map(moment) {
            Some(start) if start > end => return Err(wrong(start)),
            Some(start) => grid.keys(start, end).ok_or_else(|| wrong(start))?,
            None => last.saturating_sub(USUAL_BARS)..last,
        };
        let bars = keys.end - keys.start;
        if bars > MAX_BARS {
            return Err(MarketError::TooMany { bars });
        }
        Ok(keys)
    }
}

/// Names what a question is about.
fn described(question: &Question) -> String {
    let what = question.use_case.as_str();
    match (&question.instrument, question.interval, &question.words) {
        (Some(instrument), Some(interval), _) => format!("{interval} {what} of {instrument}"),
        (Some(instrument), None, _) => format!("{what} of {instrument}"),
        (None, _, Some(words)) => format!("{what} with {words:?}"),
        (None, _, None) => what.to_owned(),
    }
}

/// Returns the moment that is meant in a zone whose days begin at `begins`.
pub(crate) fn moment(when: When, zone: &TimeZone, begins: Time) -> Timestamp {
    let of = |at: DateTime| at.to_zoned(zone.clone()).map(|zoned| zoned.timestamp());
    let moment = match when {
        When::Moment(moment) => Ok(moment),
        // A day that begins the evening before is still named by its date.
        When::Day(day) if begins.hour() >= 12 => {
            of(day.yesterday().unwrap_or(day).to_datetime(begins))
        }
        When::Day(day) => of(day.to_datetime(Time::midnight())),
        When::Local(at) => of(at),
    };
    moment.unwrap_or(Timestamp::MAX)
}
