//! How tests ask: real names, real sockets, keys in every place where one may be wanted.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;
use tradewind_core::clock::FixedClock;
use tradewind_host::egress::{
    Egress, EgressError, HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Url,
};
use tradewind_sandbox::{Detour, Running, Sandbox, Settings};

/// A Friday at 15:30:20 in New York, half an hour before the exchange closes.
pub(crate) const NOW: &str = "2025-06-13T19:30:20Z";

pub(crate) fn clock(now: &str) -> Arc<FixedClock> {
    Arc::new(FixedClock::at(now.parse::<Timestamp>().unwrap()))
}

/// A sandbox without limits, at [`NOW`].
pub(crate) async fn generous() -> Running {
    Sandbox::start(Settings::generous().at(clock(NOW)))
        .await
        .unwrap()
}

/// A sandbox with the free plans' limits, at [`NOW`], and its clock.
pub(crate) async fn free() -> (Running, Arc<FixedClock>) {
    let clock = clock(NOW);
    let settings = Settings::default().at(Arc::clone(&clock) as Arc<_>);
    (Sandbox::start(settings).await.unwrap(), clock)
}

/// Headers that some providers want, all with the key `practice`.
pub(crate) fn keys(key: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for name in [
        "apca-api-key-id",
        "apca-api-secret-key",
        "x-finnhub-token",
        "x-api-key",
    ] {
        let value = HeaderValue::from_str(key).unwrap();
        headers.insert(HeaderName::from_static(name), value);
    }
    headers
}

pub(crate) fn request(url: &str) -> Request {
    let mut request = Request::new(Method::GET, Url::parse(url).unwrap());
    request.headers = keys("practice");
    request
}

pub(crate) async fn send(detour: &Detour, url: &str) -> Result<Response, EgressError> {
    detour.send(request(url)).await
}

/// Asks and returns status and JSON; `Null` when the body is none.
pub(crate) async fn get(running: &Running, url: &str) -> (u16, Value) {
    let answer = send(&running.detour().unwrap(), url).await.unwrap();
    let json = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
    (answer.status.as_u16(), json)
}

/// Asks for data and returns it.
pub(crate) async fn data(running: &Running, url: &str) -> Value {
    let (status, json) = get(running, url).await;
    assert_eq!(status, 200, "{url}: {json}");
    json
}
