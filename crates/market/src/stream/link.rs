//! The connection to one stream of a provider: opened, kept, opened again, and its gaps filled.
//!
//! Why one task: what is subscribed, what came and what is missing belong together, and nobody else touches
//! them. What shall be followed is read from the hub each time; a difference is a message to the provider.
//! - When it acts: a connection that broke, or on which nothing came for as long as the catalog says, is
//!   opened again after a pause that doubles from half a second to a minute, with chance in it. A gap is
//!   fetched by REST through the governor, three times at most.
//! - When it ends: nobody listens any more; or the provider refuses the key, the plan or the subscription:
//!   that is told once and never tried again by itself.
//! - Bounds: 1 MiB of message, one subscription under way, one fetch per gap.
//!
//! Not here: which trades are missing ([`super::sequence`]), who listens ([`super::hub`]).

mod gaps;
mod subscriptions;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tradewind_catalog::UseCase;
use tradewind_catalog::refusal::FailureClass;
use tradewind_core::Recovery;
use tradewind_host::egress::{EgressError, Method, Request};
use tradewind_host::random;
use tradewind_host::socket::{Received, Socket, SocketError};
use tradewind_quota::{Class, Urgency};

use super::hub::{LinkKey, Pace, Streams};
use super::sequence::{Gap, Sequence};
use super::topic::{End, Notice, Subject, Told, Topic, What};
use super::words::{Said, Words};
use crate::adapter::length_of;
use crate::secrets::Keys;
use crate::service::Service;
use gaps::Fetched;

/// Upper bound on a message, in bytes.
const MAX_MESSAGE_BYTES: usize = 1024 * 1024;
/// How long the handshake, the greeting and the answer to a key may each take.
const GREETING_LIMIT: Duration = Duration::from_secs(10);
/// How long a ping may take to leave.
const PING_LIMIT: Duration = Duration::from_secs(5);
/// How often it is looked for gaps, silence and listeners who left.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// A connection that lasted so long was a good one: the next pause is the first again.
const LASTED: Duration = Duration::from_secs(10);
/// Messages in a row that cannot be read before the connection is given up.
const MAX_UNREADABLE: u32 = 20;
/// How long an address that is shut out waits.
const SHUT_OUT_PAUSE: Duration = Duration::from_mins(5);
/// How long a connection that is one too many waits for the other one to go.
const TAKEN_PAUSE: Duration = Duration::from_secs(15);

/// Why a session is over.
enum Over {
    /// Nobody listens any more.
    Idle,
    /// The daemon ends.
    Shutdown,
    /// It is to be opened again.
    Lost {
        because: String,
        wait: Option<Duration>,
    },
    /// It is not to be opened again.
    Refused(FailureClass, String),
}

impl From<SocketError> for Over {
    fn from(error: SocketError) -> Self {
        Self::Lost {
            because: error.to_string(),
            wait: None,
        }
    }
}

impl From<EgressError> for Over {
    fn from(error: EgressError) -> Self {
        let because = error.to_string();
        match (&error, error.recovery()) {
            (EgressError::Declined { status, .. }, _) if matches!(status.as_u16(), 401 | 403) => {
                Self::Refused(FailureClass::Auth, because)
            }
            (EgressError::Declined { status, .. }, Recovery::GiveUp) if status.as_u16() != 429 => {
                Self::Refused(FailureClass::BadRequest, because)
            }
            (EgressError::NoSocket { .. }, _) => Self::Refused(FailureClass::Malformed, because),
            (_, Recovery::RetryAfter(wait)) => Self::Lost {
                because,
                wait: Some(wait),
            },
            _ => Self::Lost {
                because,
                wait: None,
            },
        }
    }
}

/// A topic as the link sees it.
struct Held {
    topic: Arc<Topic>,
    sequence: Option<Sequence>,
    is_subscribed: bool,
    /// The gap that is being fetched.
    gap: Option<Gap>,
}

/// A connection to one stream.
pub(super) struct Link {
    streams: Streams,
    service: Service,
    words: Words,
    key: LinkKey,
    stirred: Arc<Notify>,
    held: BTreeMap<Subject, Held>,
    fetches: (mpsc::Sender<Fetched>, mpsc::Receiver<Fetched>),
    /// Number of the next message to the provider.
    next_id: u64,
    digest: Option<[u8; 32]>,
    began: Instant,
}

/// What is under way on one connection.
struct Session {
    socket: Socket,
    /// Messages to the provider: subjects, whether it is a subscription, text.
    unsent: VecDeque<(Vec<Subject>, bool, String)>,
    in_flight: Option<(Vec<Subject>, bool, Instant)>,
    sent_at: Option<Instant>,
    heard_at: Instant,
    pinged_at: Instant,
    unreadable: u32,
}

impl Link {
    pub(super) fn new(
        streams: Streams,
        service: Service,
        words: Words,
        stirred: Arc<Notify>,
    ) -> Self {
        let key = (words.provider.name.clone(), words.stream().id.clone());
        Self {
            streams,
            service,
            words,
            key,
            stirred,
            held: BTreeMap::new(),
            fetches: mpsc::channel(64),
            next_id: 1,
            digest: None,
            began: Instant::now(),
        }
    }

    /// Follows until nobody listens, `shutdown` fires or the provider refuses for good.
    pub(super) async fn run(mut self, shutdown: CancellationToken) {
        let pace = self.streams.pace();
        let mut attempt = 0_u32;
        loop {
            let began = Instant::now();
            let over = self.follow(&shutdown).await;
            let (because, wait) = match over {
                Over::Idle => return,
                Over::Shutdown => {
                    let end = self.end(FailureClass::Outage, "the daemon ends");
                    return self.streams.end(&self.key, &end);
                }
                // Without a key there is none to be refused: an address is shut out, for a while.
                Over::Refused(FailureClass::Auth, said) if self.digest.is_none() => {
                    (said, Some(SHUT_OUT_PAUSE))
                }
                Over::Refused(class, said) => {
                    tracing::warn!(
                        provider = self.key.0,
                        stream = self.key.1,
                        class = class.as_str(),
                        said,
                        "a stream is refused"
                    );
                    let end = self.end(class, &said);
                    // A key that was refused stays refused; a request that was wrong may be another next time.
                    return match class {
                        FailureClass::Auth => self.streams.refuse(&self.key, &end, self.digest),
                        _ => self.streams.end(&self.key, &end),
                    };
                }
                Over::Lost { because, wait } => (because, wait),
            };
            attempt = if began.elapsed() >= LASTED {
                1
            } else {
                attempt + 1
            };
            tracing::info!(
                provider = self.key.0,
                stream = self.key.1,
                attempt,
                because,
                "a stream is lost and opened again"
            );
            self.broke(&because);
            let pause = wait.map_or_else(
                || pause(pace, attempt),
                |wait| wait.max(pause(pace, attempt)),
            );
            if !self.wait(pause, &shutdown).await {
                return;
            }
        }
    }

    fn end(&self, class: FailureClass, said: &str) -> End {
        End {
            provider: self.key.0.clone(),
            class,
            said: said.to_owned(),
        }
    }

    /// Waits before the next connection; false when there is nothing to wait for any more.
    async fn wait(&mut self, pause: Duration, shutdown: &CancellationToken) -> bool {
        let until = Instant::now() + pause;
        loop {
            if self.streams.wanted(&self.key).is_none() {
                return false;
            }
            let look = until.min(Instant::now() + Duration::from_millis(250));
            tokio::select! {
                // Cancel-safe, both: they only wait.
                () = shutdown.cancelled() => {
                    let end = self.end(FailureClass::Outage, "the daemon ends");
                    self.streams.end(&self.key, &end);
                    return false;
                }
                () = tokio::time::sleep_until(look) => {}
            }
            if Instant::now() >= until {
                return true;
            }
        }
    }

    fn now_ms(&self) -> i64 {
        i64::try_from(self.began.elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    /// Everything may be missing from now on.
    fn broke(&mut self, because: &str) {
        let now_ms = self.now_ms();
        for held in self.held.values_mut() {
            held.is_subscribed = false;
            held.topic.set_whole(false);
            if let Some(sequence) = &mut held.sequence {
                sequence.broke(now_ms);
            }
        }
        self.tell_all(What::Reconnecting, Some(because));
    }

    fn tell_all(&self, what: What, because: Option<&str>) {
        for held in self.held.values() {
            self.notice(&held.topic, what, None, None, because);
        }
    }

    fn notice(
        &self,
        topic: &Topic,
        what: What,
        gap: Option<&Gap>,
        trades: Option<u64>,
        because: Option<&str>,
    ) {
        topic.tell([Told::Notice(Notice {
            what,
            at: self.service.now(),
            from: gap.map(|gap| gap.from),
            to: gap.and_then(|gap| gap.to),
            trades,
            because: because.map(str::to_owned),
        })]);
    }

    /// Connects and follows until something ends it.
    async fn follow(&mut self, shutdown: &CancellationToken) -> Over {
        let opened = tokio::select! {
            // Cancel-safe: it only waits. A handshake that is given up is counted as spent.
            () = shutdown.cancelled() => return Over::Shutdown,
            opened = self.open() => opened,
        };
        let mut session = match opened {
            Ok(socket) => Session::new(socket),
            Err(over) => return over,
        };
        self.adopt();
        let over = self.listen(&mut session, shutdown).await;
        if matches!(over, Over::Idle | Over::Shutdown) {
            drop(tokio::time::timeout(Duration::from_secs(1), session.socket.close()).await);
        }
        over
    }

    async fn open(&mut self) -> Result<Socket, Over> {
        let keys = self.service.keys_at(&self.key.0).await.map_err(|error| {
            // What is wrong with a key is said by whoever reads it, without the key.
            Over::Refused(FailureClass::Auth, error.to_string())
        })?;
        self.digest = digest(self.words.stream().credentials().as_slice(), &keys);
        let address = self.words.address(&|id| keys.get(id)).ok_or_else(|| {
            let said = "its address is none, or its key is nowhere";
            Over::Refused(FailureClass::Auth, said.to_owned())
        })?;
        let mut request = Request::new(Method::GET, address);
        request.timeout = GREETING_LIMIT;
        request.max_body_bytes = MAX_MESSAGE_BYTES;
        let governor = self.service.governor().with(Urgency::of(Class::Live));
        let mut socket = governor.connect(request).await?;
        if self.words.stream().authenticate.is_none() {
            return Ok(socket);
        }
        self.await_said(&mut socket, &Said::Connected).await?;
        let message = self.words.stream().key_message(&|id| keys.get(id));
        let message = message
            .ok_or_else(|| Over::Refused(FailureClass::Auth, "its key is nowhere".to_owned()))?;
        socket.send(message).await?;
        self.await_said(&mut socket, &Said::Ready).await?;
        Ok(socket)
    }

    /// Waits until the provider says so, and nothing else.
    async fn await_said(&self, socket: &mut Socket, wanted: &Said) -> Result<(), Over> {
        let heard = async {
            loop {
                let Received::Text(text) = socket.next().await? else {
                    continue;
                };
                let Ok((all, _)) = self.words.read(&text, self.service.now()) else {
                    continue;
                };
                for said in all {
                    if said == *wanted {
                        return Ok(());
                    }
                    if let Said::Error { code, text } = said {
                        return Err(self.refusal(code.as_deref(), text));
                    }
                }
            }
        };
        let late = || Over::Lost {
            because: "it did not greet in time".to_owned(),
            wait: None,
        };
        tokio::time::timeout(GREETING_LIMIT, heard)
            .await
            .unwrap_or_else(|_late| Err(late()))
    }

    fn refusal(&self, code: Option<&str>, text: String) -> Over {
        let class = self.words.stream().failure(code);
        match class {
            FailureClass::Auth | FailureClass::Plan | FailureClass::BadRequest => {
                Over::Refused(class, text)
            }
            FailureClass::Throttled | FailureClass::QuotaGone | FailureClass::Banned => {
                Over::Lost {
                    because: text,
                    wait: Some(TAKEN_PAUSE),
                }
            }
            _ => Over::Lost {
                because: text,
                wait: None,
            },
        }
    }

    async fn listen(&mut self, session: &mut Session, shutdown: &CancellationToken) -> Over {
        let silence = Duration::try_from(length_of(self.words.stream().silence))
            .unwrap_or(Duration::from_mins(1));
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let done = tokio::select! {
                // Cancel-safe: it only waits.
                () = shutdown.cancelled() => Err(Over::Shutdown),
                // Cancel-safe: what has come in part is kept.
                received = session.socket.next() => self.received(session, received),
                // Cancel-safe: nothing is lost when another branch wins.
                Some(fetched) = self.fetches.1.recv() => { self.fetched(fetched); Ok(()) }
                // Cancel-safe, both: they only wait.
                () = self.stirred.notified() => self.reconcile(session),
                _ = look.tick() => {
                    self.look_for_gaps();
                    let reconciled = self.reconcile(session);
                    match reconciled {
                        Ok(()) => self.keep_alive(session, silence).await,
                        over => over,
                    }
                }
            };
            if let Err(over) = done {
                return over;
            }
            if let Err(over) = self.say(session).await {
                return over;
            }
        }
    }

    fn received(
        &mut self,
        session: &mut Session,
        received: Result<Received, SocketError>,
    ) -> Result<(), Over> {
        let received = received?;
        session.heard_at = Instant::now();
        let Received::Text(text) = received else {
            return Ok(());
        };
        let Ok((all, unread)) = self.words.read(&text, self.service.now()) else {
            return self.unreadable(session);
        };
        if unread > 0 {
            self.unreadable(session)?;
        } else {
            session.unreadable = 0;
        }
        for said in all {
            self.heard(session, said)?;
        }
        Ok(())
    }

    fn unreadable(&self, session: &mut Session) -> Result<(), Over> {
        session.unreadable += 1;
        tracing::debug!(
            provider = self.key.0,
            stream = self.key.1,
            "a message of a stream cannot be read"
        );
        if session.unreadable < MAX_UNREADABLE {
            return Ok(());
        }
        Err(Over::Lost {
            because: format!("{MAX_UNREADABLE} messages in a row cannot be read"),
            wait: None,
        })
    }

    fn heard(&mut self, session: &mut Session, said: Said) -> Result<(), Over> {
        let now_ms = self.now_ms();
        match said {
            Said::Trade(symbol, trade) => {
                let subject = Subject {
                    symbol,
                    use_case: UseCase::Trades,
                };
                if let Some(held) = self.held.get_mut(&subject)
                    && let Some(sequence) = &mut held.sequence
                {
                    let mut out = Vec::new();
                    sequence.take(trade, now_ms, &mut out);
                    held.topic.set_whole(sequence.is_whole());
                    held.topic.tell(out.into_iter().map(Told::Trade));
                }
            }
            Said::Quote(symbol, quote) => {
                let subject = Subject {
                    symbol,
                    use_case: UseCase::Quote,
                };
                if let Some(held) = self.held.get(&subject) {
                    held.topic.tell([Told::Quote(quote)]);
                }
            }
            Said::Heartbeat(Some(symbol), Some(newest), at) => {
                let subject = Subject {
                    symbol,
                    use_case: UseCase::Trades,
                };
                if let Some(held) = self.held.get_mut(&subject)
                    && let Some(sequence) = &mut held.sequence
                {
                    sequence.hear(newest, at, now_ms);
                    held.topic.set_whole(sequence.is_whole());
                }
            }
            Said::Heartbeat(..) | Said::Connected | Said::Ready => {}
            Said::Subscribed => self.answered(session),
            Said::Ending => {
                return Err(Over::Lost {
                    because: "the provider will close it".to_owned(),
                    wait: None,
                });
            }
            Said::Error { code, text } => {
                let class = self.words.stream().failure(code.as_deref());
                let is_about_it = matches!(class, FailureClass::BadRequest | FailureClass::Plan);
                if is_about_it && session.in_flight.is_some() {
                    self.refused(session, class, &text);
                } else if class != FailureClass::BadRequest {
                    return Err(self.refusal(code.as_deref(), text));
                }
            }
        }
        Ok(())
    }

    async fn keep_alive(&self, session: &mut Session, silence: Duration) -> Result<(), Over> {
        if session.heard_at.elapsed() >= silence {
            return Err(Over::Lost {
                because: format!("nothing came for {} s", silence.as_secs()),
                wait: None,
            });
        }
        if session.heard_at.elapsed() >= silence / 2 && session.pinged_at.elapsed() >= silence / 2 {
            session.pinged_at = Instant::now();
            let pinged = tokio::time::timeout(PING_LIMIT, session.socket.ping()).await;
            if let Ok(pinged) = pinged {
                pinged?;
            }
        }
        Ok(())
    }
}

impl Drop for Link {
    /// A link that ended in any other way than it should must not leave its listeners waiting for ever.
    fn drop(&mut self) {
        let end = self.end(FailureClass::Outage, "its connection ended unexpectedly");
        self.streams.abandon(&self.key, &self.stirred, &end);
    }
}

impl Session {
    fn new(socket: Socket) -> Self {
        let now = Instant::now();
        Self {
            socket,
            unsent: VecDeque::new(),
            in_flight: None,
            sent_at: None,
            heard_at: now,
            pinged_at: now,
            unreadable: 0,
        }
    }
}

/// Returns the pause before that attempt: half of it sure, half of it chance.
fn pause(pace: Pace, attempt: u32) -> Duration {
    let doubled = pace
        .first_pause
        .saturating_mul(1_u32 << attempt.saturating_sub(1).min(16));
    let whole = doubled.min(pace.max_pause);
    let chance = random::bytes().map_or(u32::MAX, u32::from_le_bytes);
    let half = whole / 2;
    half + half.mul_f64(f64::from(chance) / f64::from(u32::MAX))
}

/// Returns a digest of the key that is shown; `None` where none is.
pub(crate) fn digest(credentials: &[&str], keys: &Keys) -> Option<[u8; 32]> {
    if credentials.is_empty() {
        return None;
    }
    let mut hasher = blake3::Hasher::new();
    for id in credentials {
        hasher.update(id.as_bytes());
        hasher.update(&[0]);
        hasher.update(keys.get(id).unwrap_or_default().as_bytes());
        hasher.update(&[0]);
    }
    Some(*hasher.finalize().as_bytes())
}
