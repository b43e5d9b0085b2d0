//! Shadow mode: every call goes out as without the gateway, and is counted, so that the end of the run can
//! say what the gateway would have done.
//!
//! What is counted of a call for data: whether the same one was under way (the gateway would have asked once for
//! both), whether the same answer came before (what keeping answers could save at most), and which limits had no
//! room for it. Two calls are the same when address and key are. Counts are this program's alone: what others
//! spend of the same limits is not in them.

use std::collections::{BTreeMap, HashMap};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Method, Request, Response, StatusCode};
use hyper::body::{Frame, Incoming, SizeHint};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use tradewind_catalog::Catalog;
use tradewind_catalog::access::How;
use tradewind_catalog::endpoint::Method as Declared;
use tradewind_engine::Supervisor;
use tradewind_host::egress::{self, Url};
use tradewind_quota::rehearsal::{Going, Rehearsal};

use super::straight::Straight;
use crate::http::problem;

/// Upper bound on different calls whose answers are remembered, by a digest.
const MAX_ANSWERS: usize = 100_000;
/// What is kept of an answer to see whether it is a refusal, in bytes.
const MAX_KEPT: usize = 1024 * 1024;

type Key = [u8; 32];

/// Counts what goes through it.
#[derive(Clone, Debug)]
pub(crate) struct Shadow {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    catalog: Arc<Catalog>,
    straight: Straight,
    rehearsal: Rehearsal,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    under_way: HashMap<Key, u32>,
    answers: HashMap<Key, Key>,
    counts: BTreeMap<Whose, Counts>,
}

/// What is counted apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Whose {
    /// Provider in the catalog.
    pub(crate) provider: String,
    /// Endpoint in the catalog; empty where it has none of this form.
    pub(crate) endpoint: String,
}

/// What the gateway would have done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Counts {
    /// Calls that went out.
    pub(crate) calls: u64,
    /// Of these, calls that would have shared the answer of one under way.
    pub(crate) would_share: u64,
    /// Of the others, calls that had the answer that the same call had before.
    pub(crate) same_again: u64,
    /// Calls without a whole answer.
    pub(crate) unanswered: u64,
    /// Limits without room, and for how many calls.
    pub(crate) over: Vec<OverLimit>,
}

/// A limit that calls went over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct OverLimit {
    /// Window in the catalog.
    pub(crate) window: String,
    /// Units in it.
    pub(crate) limit: u64,
    /// Calls that found no room.
    pub(crate) calls: u64,
}

impl Shadow {
    pub(crate) fn new(catalog: Arc<Catalog>, straight: Straight, rehearsal: Rehearsal) -> Self {
        Self {
            shared: Arc::new(Shared {
                catalog,
                straight,
                rehearsal,
                seen: Mutex::default(),
            }),
        }
    }

    /// Sends a call on as it came.
    pub(crate) async fn take(
        &self,
        host: &str,
        request: Request<Incoming>,
        supervisor: &Supervisor,
    ) -> Response<Body> {
        let mut noted = self.begin(host, &request);
        match self
            .shared
            .straight
            .send((host, 443), request, supervisor)
            .await
        {
            Ok(answer) => {
                let (mut head, body) = answer.into_parts();
                // How long this connection is kept, the program's own headers say.
                head.headers.remove("connection");
                head.headers.remove("keep-alive");
                noted.head = Some((head.status, head.headers.clone()));
                let counted = Counted { inner: body, noted };
                Response::from_parts(head, Body::new(counted))
            }
            Err(error) => {
                tracing::debug!(%error, host, "a call in shadow mode has no answer");
                problem(
                    StatusCode::BAD_GATEWAY,
                    "the host was not heard",
                    &error.to_string(),
                )
            }
        }
    }

    /// Returns what the gateway would have done.
    pub(crate) fn counts(&self) -> BTreeMap<Whose, Counts> {
        let mut counts = self.shared.seen().counts.clone();
        for (over, calls) in self.shared.rehearsal.over() {
            let whose = Whose {
                provider: over.provider,
                endpoint: over.endpoint,
            };
            counts.entry(whose).or_default().over.push(OverLimit {
                window: over.window,
                limit: over.limit,
                calls,
            });
        }
        counts
    }

    fn begin(&self, host: &str, request: &Request<Incoming>) -> Noted {
        let path = request
            .uri()
            .path_and_query()
            .map_or("/", |path| path.as_str());
        let url = format!("https://{host}{path}");
        let method = request.method();
        let target = match *method {
            Method::GET => self.shared.catalog.target(Declared::Get, &url, &[]),
            _ => None,
        };
        let endpoint = target
            .as_ref()
            .and_then(|target| Some(target.matched.as_ref()?.endpoint));
        let provider = self.shared.catalog.by_host(host);
        let whose = Whose {
            provider: provider.map(|(p, _)| p.name.clone()).unwrap_or_default(),
            endpoint: endpoint.map(|e| e.id.clone()).unwrap_or_default(),
        };
        let key = provider
            .filter(|_| endpoint.is_some_and(tradewind_catalog::Endpoint::is_data))
            .map(|(provider, _)| key_of(provider, &url, request.headers()));
        let going = Url::parse(&url).ok().and_then(|parsed| {
            let mut asked = egress::Request::new(method.clone(), parsed);
            asked.headers.clone_from(request.headers());
            self.shared.rehearsal.begin(asked)
        });
        let mut seen = self.shared.seen();
        let counts = seen.counts.entry(whose.clone()).or_default();
        counts.calls += 1;
        let mut is_shared = false;
        let mut before = None;
        if let Some(key) = key {
            before = seen.answers.get(&key).copied();
            let others = seen.under_way.entry(key).or_default();
            is_shared = *others > 0;
            *others += 1;
        }
        if is_shared && let Some(counts) = seen.counts.get_mut(&whose) {
            counts.would_share += 1;
        }
        Noted {
            shared: Arc::clone(&self.shared),
            whose,
            key,
            is_shared,
            before,
            going,
            head: None,
            digest: Sha256::new(),
            kept: Vec::new(),
            is_whole: false,
        }
    }
}

impl Shared {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call under way; counted to its end when it is dropped.
#[derive(Debug)]
struct Noted {
    shared: Arc<Shared>,
    whose: Whose,
    /// What makes another call the same; only of calls for data.
    key: Option<Key>,
    is_shared: bool,
    /// The answer that the same call had before this one began.
    before: Option<Key>,
    going: Option<Going>,
    head: Option<(StatusCode, HeaderMap)>,
    digest: Sha256,
    kept: Vec<u8>,
    is_whole: bool,
}

impl Drop for Noted {
    fn drop(&mut self) {
        if let Some((status, headers)) = self.head.take()
            && self.is_whole
            && let Some(going) = &mut self.going
        {
            going.answered(&egress::Response {
                status,
                headers,
                body: Bytes::from(std::mem::take(&mut self.kept)),
            });
        }
        let answer: Key = self.digest.finalize_reset().into();
        let mut seen = self.shared.seen();
        let mut is_same = false;
        if let Some(key) = self.key {
            if let Some(others) = seen.under_way.get_mut(&key) {
                *others -= 1;
                if *others == 0 {
                    seen.under_way.remove(&key);
                }
            }
            if self.is_whole {
                is_same = self.before == Some(answer) && !self.is_shared;
                if seen.answers.len() < MAX_ANSWERS || seen.answers.contains_key(&key) {
                    seen.answers.insert(key, answer);
                }
            }
        }
        if let Some(counts) = seen.counts.get_mut(&self.whose) {
            counts.same_again += u64::from(is_same);
            counts.unanswered += u64::from(!self.is_whole);
        }
    }
}

/// An answer that is looked at while it passes.
#[derive(Debug)]
struct Counted {
    inner: Incoming,
    noted: Noted,
}

impl hyper::body::Body for Counted {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => {
                if let Some(piece) = frame.data_ref() {
                    let left = MAX_KEPT.saturating_sub(self.noted.kept.len());
                    let piece_kept = &piece[..piece.len().min(left)];
                    self.noted.digest.update(piece);
                    self.noted.kept.extend_from_slice(piece_kept);
                }
                self.noted.is_whole = self.inner.is_end_stream();
            }
            None => self.noted.is_whole = true,
            Some(Err(_)) => {}
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        // A body of nothing is never asked for a piece.
        self.noted.is_whole |= hyper::body::Body::is_end_stream(&self.inner);
    }
}

/// Returns what two calls have in common when the gateway would have asked once for both.
fn key_of(provider: &tradewind_catalog::Provider, url: &str, headers: &HeaderMap) -> Key {
    let mut digest = Sha256::new();
    digest.update(url.as_bytes());
    for way in &provider.authentications {
        let names: Vec<&str> = match &way.how {
            How::None {} | How::Query { .. } => Vec::new(),
            How::Headers { headers } => headers.iter().map(|h| h.name.as_str()).collect(),
            How::Signed { header, .. } => vec![header.as_str()],
        };
        for value in names.iter().filter_map(|name| headers.get(*name)) {
            digest.update([0]);
            digest.update(value.as_bytes());
        }
    }
    digest.finalize().into()
}
