//! Streams: a WebSocket on which a provider pushes its market as it happens.
//!
//! Why over the same market: what a client is sent can be compared with what REST tells of the same time,
//! trade by trade. A session begins with its subscription: nothing of before is pushed.
//! Each provider has its own words ([`Feed`]); counting, time and what goes wrong on a switch are here.
//! - Bounds: 64 KiB of message, 256 connections as everywhere.
//!
//! Not here: the handshake of HTTP ([`crate::server`]).

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{CloseFrame, Frame};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Bytes, Message};
use tokio_util::sync::CancellationToken;
use tradewind_core::Clock;

use crate::faults::FaultKind;
use crate::market::listing::Listing;
use crate::market::{Market, Quote, Take, Trade};
use crate::wire::Json;

/// How often a session looks what has happened.
const LOOK_EVERY: Duration = Duration::from_millis(25);
/// Upper bound on a message of a client, in bytes.
const MAX_MESSAGE_BYTES: usize = 64 * 1024;
/// Bytes of a message that is far too long.
const HUGE_BYTES: usize = 4 * 1024 * 1024;
/// Levels of a message that is nested far too deep.
const DEEP_LEVELS: usize = 10_000;

/// What is pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Trades.
    Trades,
    /// Best bid and ask, one in front of each trade.
    Quotes,
}

/// Something that a session is subscribed to.
pub(crate) struct Item {
    /// What it is of.
    pub(crate) listing: Listing,
    /// Up to when everything was pushed.
    after_ns: i128,
}

/// What a session knows of its client.
pub(crate) struct Session<'s> {
    pub(crate) market: &'s Market,
    pub(crate) clock: &'s dyn Clock,
    pub(crate) is_paid: bool,
    wrong_keys: &'s [String],
    /// Everything it is subscribed to, by kind and by name as in messages.
    pub(crate) items: BTreeMap<(Kind, String), Item>,
    /// The key that it has shown.
    pub(crate) key: Option<String>,
    /// Whether a switch refuses its key, or its connection as one too many.
    pub(crate) is_key_refused: bool,
    pub(crate) is_one_too_many: bool,
    /// Messages that came within the second that began then.
    heard: (Option<Instant>, u32),
}

/// What is answered, and whether the connection ends behind it.
#[derive(Default)]
pub(crate) struct Heard {
    pub(crate) frames: Vec<Json>,
    pub(crate) ends: bool,
}

impl Heard {
    pub(crate) fn say(frame: Json) -> Self {
        Self {
            frames: vec![frame],
            ends: false,
        }
    }

    pub(crate) fn end(frame: Json) -> Self {
        Self {
            frames: vec![frame],
            ends: true,
        }
    }
}

/// The words of one provider.
pub(crate) trait Feed: Sync {
    /// What is said to whoever connects.
    fn greeting(&self) -> Vec<Json> {
        Vec::new()
    }

    /// Names the parameter of the address that has the key; `None` where none is shown there.
    fn key_parameter(&self) -> Option<&'static str> {
        None
    }

    /// Refuses a key that has a connection already.
    fn one_too_many(&self) -> Json {
        Json::Null
    }

    /// How long a client may take until it is subscribed to something, or has shown its key.
    fn patience(&self) -> Duration;

    /// Most messages of a client within a second.
    fn max_messages(&self) -> u32;

    /// Answers a message; `None` for one that is no JSON.
    fn hear(&self, session: &mut Session<'_>, message: Option<&Value>) -> Heard;

    /// Tells of a trade; `name` is as in the subscription.
    fn trade(&self, name: &str, trade: &Trade) -> Json;

    /// Tells of a quote.
    fn quote(&self, name: &str, quote: &Quote) -> Json;

    /// Says once a second that it lives, and what the newest trade is.
    fn beat(&self, _name: &str, _last: &Trade, _now_ns: i128) -> Option<Json> {
        None
    }
}

impl Session<'_> {
    /// Subscribes; returns the newest trade of before.
    pub(crate) fn subscribe(&mut self, kind: Kind, name: &str, listing: Listing) -> Option<Trade> {
        let now = self.clock.now();
        let last = self.market.last_trade(&listing, now);
        let after_ns = now.as_nanosecond();
        let item = Item { listing, after_ns };
        self.items.entry((kind, name.to_owned())).or_insert(item);
        last
    }

    /// Takes a subscription back.
    pub(crate) fn unsubscribe(&mut self, kind: Kind, name: &str) {
        self.items.remove(&(kind, name.to_owned()));
    }

    /// Returns the names that are subscribed to, of one kind.
    pub(crate) fn names(&self, kind: Kind) -> Vec<String> {
        let of_kind = self.items.keys().filter(|(known, _)| *known == kind);
        of_kind.map(|(_, name)| name.clone()).collect()
    }

    /// Whether a key is one that works.
    pub(crate) fn is_right(&self, key: &str) -> bool {
        !self.is_key_refused && !key.is_empty() && !self.wrong_keys.iter().any(|wrong| wrong == key)
    }

    /// Counts a message; false when it is one too many within a second.
    fn is_in_time(&mut self, most: u32) -> bool {
        let now = Instant::now();
        match self.heard {
            (Some(began), count) if now.duration_since(began) < Duration::from_secs(1) => {
                self.heard = (Some(began), count + 1);
            }
            _ => self.heard = (Some(now), 1),
        }
        self.heard.1 <= most
    }
}

/// What a session may ask of the server that it runs in.
pub(crate) trait House: Sync {
    fn market(&self) -> &Market;
    fn clock(&self) -> &dyn Clock;
    fn wrong_keys(&self) -> &[String];
    /// Whether a fault is switched on; uses one of its times up.
    fn takes(&self, kind: FaultKind) -> bool;
    /// Counts.
    fn count(&self, count: &dyn Fn(&mut crate::stats::StreamStats));
    /// Takes the place of a connection with that key; false when all are taken.
    fn enter(&self, key: &str, most: usize) -> bool;
    /// Gives it back.
    fn leave(&self, key: &str);
}

/// What is known of a client before its first message.
pub(crate) struct Shown {
    /// Whether its provider counts it as one that pays.
    pub(crate) is_paid: bool,
    /// The key that was in the address; its place is taken.
    pub(crate) key: Option<String>,
}

/// Serves one client until it goes, a switch cuts it, or the server ends.
pub(crate) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    io: S,
    early: Vec<u8>,
    feed: &dyn Feed,
    house: &dyn House,
    shown: Shown,
    shutdown: &CancellationToken,
) {
    let config = WebSocketConfig::default().max_message_size(Some(MAX_MESSAGE_BYTES));
    let mut socket =
        WebSocketStream::from_partially_read(io, early, Role::Server, Some(config)).await;
    let mut session = Session {
        market: house.market(),
        clock: house.clock(),
        is_paid: shown.is_paid,
        wrong_keys: house.wrong_keys(),
        items: BTreeMap::new(),
        is_key_refused: shown.key.is_none() && house.takes(FaultKind::StreamAuth),
        is_one_too_many: shown.key.is_none() && house.takes(FaultKind::StreamFull),
        key: shown.key,
        heard: (None, 0),
    };
    house.count(&|count| {
        count.connections += 1;
        count.open += 1;
    });
    let mut pusher = Pusher {
        feed,
        house,
        held: None,
    };
    drop(pusher.run(&mut socket, &mut session, shutdown).await);
    house.count(&|count| count.open -= 1);
    if let Some(key) = &session.key {
        house.leave(key);
    }
}

/// The connection is over.
struct Over;

impl From<tokio_tungstenite::tungstenite::Error> for Over {
    fn from(_error: tokio_tungstenite::tungstenite::Error) -> Self {
        Self
    }
}

struct Pusher<'p> {
    feed: &'p dyn Feed,
    house: &'p dyn House,
    /// A trade that shall come behind the next one.
    held: Option<Json>,
}

impl Pusher<'_> {
    async fn run<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        socket: &mut WebSocketStream<S>,
        session: &mut Session<'_>,
        shutdown: &CancellationToken,
    ) -> Result<(), Over> {
        for frame in self.feed.greeting() {
            socket.send(Message::text(frame.to_string())).await?;
        }
        let begun = Instant::now();
        let (mut beaten, mut pinged) = (begun, begun);
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                // Cancel-safe: it only waits.
                () = shutdown.cancelled() => {
                    let frame = CloseFrame { code: CloseCode::Away, reason: "the sandbox ends".into() };
                    return Ok(socket.close(Some(frame)).await?);
                }
                // Cancel-safe: what has come in part is kept.
                message = socket.next() => {
                    let message = message.ok_or(Over)??;
                    if self.house.takes(FaultKind::StreamMute) {
                        // Nothing is heard and nothing said, and the connection stays.
                        shutdown.cancelled().await;
                        return Err(Over);
                    }
                    self.hear(socket, session, message).await?;
                }
                // Cancel-safe: it only waits.
                _ = look.tick() => {
                    let is_idle = session.items.is_empty() && session.key.is_none();
                    if is_idle && begun.elapsed() > self.feed.patience() {
                        let frame = CloseFrame { code: CloseCode::Policy, reason: "nothing was subscribed".into() };
                        return Ok(socket.close(Some(frame)).await?);
                    }
                    if self.house.takes(FaultKind::StreamMute) {
                        shutdown.cancelled().await;
                        return Err(Over);
                    }
                    self.push(socket, session).await?;
                    if beaten.elapsed() >= Duration::from_secs(1) {
                        beaten = Instant::now();
                        self.beat(socket, session).await?;
                    }
                    if pinged.elapsed() >= Duration::from_secs(20) {
                        pinged = Instant::now();
                        socket.send(Message::Ping(Bytes::from_static(b"alive"))).await?;
                    }
                }
            }
        }
    }

    async fn hear<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        socket: &mut WebSocketStream<S>,
        session: &mut Session<'_>,
        message: Message,
    ) -> Result<(), Over> {
        let text = match message {
            Message::Text(text) => text,
            Message::Close(_) => return Err(Over),
            _ => return Ok(()),
        };
        if !session.is_in_time(self.feed.max_messages()) {
            let frame = CloseFrame {
                code: CloseCode::Policy,
                reason: "too many requests".into(),
            };
            return Ok(socket.close(Some(frame)).await?);
        }
        let before = session.items.len();
        let had_key = session.key.is_some();
        let value: Option<Value> = serde_json::from_str(text.as_str()).ok();
        let mut heard = self.feed.hear(session, value.as_ref());
        if let (false, Some(key)) = (had_key, session.key.clone())
            && (session.is_one_too_many || !self.house.enter(&key, 1))
        {
            session.key = None;
            heard = Heard::end(self.feed.one_too_many());
        }
        let more = session.items.len().saturating_sub(before);
        self.house.count(&|count| {
            count.messages += 1;
            count.subscriptions += more as u64;
            count.denied += u64::from(heard.ends);
        });
        for frame in &heard.frames {
            socket.send(Message::text(frame.to_string())).await?;
        }
        if heard.ends {
            socket.close(None).await?;
            return Err(Over);
        }
        Ok(())
    }

    /// Pushes what has happened.
    async fn push<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        socket: &mut WebSocketStream<S>,
        session: &mut Session<'_>,
    ) -> Result<(), Over> {
        let now = session.clock.now();
        let mut frames = Vec::new();
        for ((kind, name), item) in &mut session.items {
            let span = (item.after_ns + 1, now.as_nanosecond() + 1);
            let trades = session
                .market
                .trades(&item.listing, span, now, Take::First(usize::MAX));
            item.after_ns = now.as_nanosecond();
            for trade in trades {
                let frame = match kind {
                    Kind::Trades => self.feed.trade(name, &trade),
                    Kind::Quotes => {
                        let quote = session.market.quote(&item.listing, &trade);
                        self.feed.quote(name, &quote)
                    }
                };
                frames.push((*kind, frame));
            }
        }
        for (kind, frame) in frames {
            self.send(socket, kind, frame).await?;
        }
        Ok(())
    }

    /// Sends one frame, or what a switch makes of it.
    async fn send<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        socket: &mut WebSocketStream<S>,
        kind: Kind,
        frame: Json,
    ) -> Result<(), Over> {
        let house = self.house;
        if kind == Kind::Trades {
            if house.takes(FaultKind::StreamCut) {
                // Dropped without a word, the trade with it.
                return Err(Over);
            }
            if house.takes(FaultKind::StreamGap) {
                return Ok(());
            }
            if self.held.is_none() && house.takes(FaultKind::StreamReorder) {
                self.held = Some(frame);
                return Ok(());
            }
        }
        self.hostile(socket).await?;
        let text = frame.to_string();
        socket.send(Message::text(text.clone())).await?;
        house.count(&|count| count.frames += 1);
        if kind == Kind::Trades {
            if house.takes(FaultKind::StreamDuplicate) {
                socket.send(Message::text(text)).await?;
            }
            if let Some(held) = self.held.take() {
                socket.send(Message::text(held.to_string())).await?;
                house.count(&|count| count.frames += 1);
            }
        }
        Ok(())
    }

    /// Sends what no provider should send.
    async fn hostile<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        socket: &mut WebSocketStream<S>,
    ) -> Result<(), Over> {
        if self.house.takes(FaultKind::StreamHuge) {
            let text = format!("\"{}\"", "x".repeat(HUGE_BYTES));
            socket.send(Message::text(text)).await?;
        }
        if self.house.takes(FaultKind::StreamDeep) {
            let text = format!("{}{}", "[".repeat(DEEP_LEVELS), "]".repeat(DEEP_LEVELS));
            socket.send(Message::text(text)).await?;
        }
        if self.house.takes(FaultKind::StreamUnknown) {
            let text = r#"{"type":"novelty","e":"novelty","data":{"e":"novelty"}}"#;
            socket.send(Message::text(text)).await?;
        }
        if self.house.takes(FaultKind::StreamCharset) {
            let bytes = Bytes::from_static(b"{\"type\":\"\xff\xfe\"}");
            let frame = Frame::message(bytes, OpCode::Data(Data::Text), true);
            socket.send(Message::Frame(frame)).await?;
        }
        Ok(())
    }

    async fn beat<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        socket: &mut WebSocketStream<S>,
        session: &mut Session<'_>,
    ) -> Result<(), Over> {
        let now = session.clock.now();
        for ((kind, name), item) in &session.items {
            if *kind != Kind::Trades {
                continue;
            }
            if let Some(last) = session.market.last_trade(&item.listing, now)
                && last.at_ns <= item.after_ns
                && let Some(frame) = self.feed.beat(name, &last, now.as_nanosecond())
            {
                socket.send(Message::text(frame.to_string())).await?;
            }
        }
        Ok(())
    }
}
