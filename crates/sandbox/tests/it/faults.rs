//! Every switch, seen on the socket.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tradewind_host::egress::{DirectEgress, Egress, EgressError, Method, Request, Response};
use tradewind_sandbox::{Fault, FaultKind, Running, SandboxError};

use crate::asking;

const KLINES: &str = "https://api.binance.com/api/v3/klines?symbol=BTCUSDT&interval=1m&limit=3";
const BARS: &str = "https://data.alpaca.markets/v2/stocks/bars?symbols=AAPL&timeframe=1Day&limit=2&start=2025-06-02&end=2025-06-11";

async fn with(provider: &str, kind: FaultKind) -> Running {
    let running = asking::generous().await;
    running
        .switch_on(Fault::new(provider, kind).times(1))
        .unwrap();
    running
}

async fn ask(running: &Running, url: &str) -> Result<Response, EgressError> {
    asking::send(&running.detour().unwrap(), url).await
}

/// The next answer is the right one: a switch for one time is off again.
async fn is_over(running: &Running, url: &str) {
    asking::data(running, url).await;
}

#[tokio::test]
async fn a_storm_refuses_every_call_as_one_too_many() {
    for (provider, url) in [("binance", KLINES), ("alpaca", BARS)] {
        let running = with(provider, FaultKind::Storm).await;
        let answer = ask(&running, url).await.unwrap();
        assert_eq!(answer.status.as_u16(), 429);
        assert_eq!(running.stats().of(provider).refused, 1);
        is_over(&running, url).await;
    }
}

#[tokio::test]
async fn a_ban_says_until_when() {
    let running = with("binance", FaultKind::Ban).await;
    let answer = ask(&running, KLINES).await.unwrap();
    assert_eq!(answer.status.as_u16(), 418);
    assert_eq!(answer.headers["retry-after"], "120");
    let json: Value = serde_json::from_slice(&answer.body).unwrap();
    let until = asking::NOW.parse::<Timestamp>().unwrap().as_millisecond() + 120_000;
    assert!(
        json["msg"].as_str().unwrap().contains(&until.to_string()),
        "{json}"
    );
    is_over(&running, KLINES).await;
}

#[tokio::test]
async fn a_refusal_can_come_with_status_200() {
    let url = "https://api.tiingo.com/tiingo/daily/AAPL/prices?token=practice";
    let running = with("tiingo", FaultKind::RefusedOk).await;
    let json = asking::data(&running, url).await;
    let text = json["detail"].as_str().unwrap();
    assert!(
        text.contains("run over your hourly request allocation"),
        "{text}"
    );
    assert!(asking::data(&running, url).await.is_array());
}

#[tokio::test]
async fn an_empty_answer_has_the_right_form() {
    let running = with("binance", FaultKind::Empty).await;
    assert_eq!(asking::data(&running, KLINES).await, serde_json::json!([]));
    let running = with("alpaca", FaultKind::Empty).await;
    assert_eq!(
        asking::data(&running, BARS).await["bars"],
        serde_json::json!({})
    );
    let running = with("polygon", FaultKind::Empty).await;
    let url =
        "https://api.massive.com/v2/aggs/ticker/AAPL/range/1/day/2025-06-02/2025-06-11?apiKey=k";
    let json = asking::data(&running, url).await;
    assert_eq!(
        (&json["resultsCount"], &json["results"]),
        (&0.into(), &Value::Null)
    );
}

#[tokio::test]
async fn rows_can_come_in_the_wrong_order() {
    let running = with("binance", FaultKind::WrongOrder).await;
    let mut wrong = asking::data(&running, KLINES).await;
    let right = asking::data(&running, KLINES).await;
    assert!(wrong[0][0].as_i64() > wrong[2][0].as_i64());
    wrong.as_array_mut().unwrap().reverse();
    assert_eq!(wrong, right);
}

/// Follows the pages and returns the times of their bars.
async fn pages(running: &Running) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    let mut url = BARS.to_owned();
    while pages.len() < 10 {
        let page = asking::data(running, &url).await;
        let bars = page["bars"]["AAPL"].as_array().cloned().unwrap_or_default();
        pages.push(
            bars.iter()
                .map(|bar| bar["t"].as_str().unwrap()[8..10].to_owned())
                .collect(),
        );
        match page["next_page_token"].as_str() {
            None => break,
            Some(token) => url = format!("{BARS}&page_token={token}"),
        }
    }
    pages
}

#[tokio::test]
async fn a_page_can_come_twice() {
    let running = asking::generous().await;
    let right = pages(&running).await;
    assert_eq!(right[..3], [["02", "03"], ["04", "05"], ["06", "09"]]);
    let running = with("alpaca", FaultKind::DuplicatedPage).await;
    let again = pages(&running).await;
    assert_eq!(again[..3], [["02", "03"], ["02", "03"], ["04", "05"]]);
    assert_eq!(again.len(), right.len() + 1);
}

#[tokio::test]
async fn a_page_can_be_missing() {
    let running = with("alpaca", FaultKind::MissingPage).await;
    assert_eq!(pages(&running).await[..2], [["02", "03"], ["06", "09"]]);
}

#[tokio::test]
async fn a_page_of_a_span_can_be_missing_or_come_twice() {
    let day = 1_749_772_800_000_i64;
    let url = format!("{KLINES}&startTime={day}");
    let first = |json: &Value| json[0][0].as_i64().unwrap();
    let running = with("binance", FaultKind::MissingPage).await;
    assert_eq!(first(&asking::data(&running, &url).await), day + 180_000);
    let running = with("binance", FaultKind::DuplicatedPage).await;
    assert_eq!(first(&asking::data(&running, &url).await), day - 180_000);
    assert_eq!(first(&asking::data(&running, &url).await), day);
}

#[tokio::test]
async fn who_has_no_pages_cannot_lose_one() {
    let running = asking::generous().await;
    let fault = Fault::new("yahoo", FaultKind::MissingPage);
    assert!(matches!(
        running.switch_on(fault),
        Err(SandboxError::NoPages(_))
    ));
    let fault = Fault::new("nobody", FaultKind::Storm);
    assert!(matches!(
        running.switch_on(fault),
        Err(SandboxError::Unknown { .. })
    ));
}

/// Sends a request by hand and returns everything that comes, and how the connection ended.
async fn raw(running: &Running) -> (String, Option<std::io::ErrorKind>) {
    let mut stream = tokio::net::TcpStream::connect(running.address())
        .await
        .unwrap();
    let request = "GET /api/v3/klines?symbol=BTCUSDT&interval=1m HTTP/1.1\r\nHost: api.binance.com\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    let ended = stream
        .read_to_end(&mut bytes)
        .await
        .err()
        .map(|error| error.kind());
    (String::from_utf8_lossy(&bytes).into_owned(), ended)
}

#[tokio::test]
async fn a_body_can_end_in_the_middle() {
    let running = asking::generous().await;
    let (whole, _) = raw(&running).await;
    running
        .switch_on(Fault::new("binance", FaultKind::Truncated).times(2))
        .unwrap();
    let (part, _) = raw(&running).await;
    let head = part.split("\r\n\r\n").next().unwrap().to_lowercase();
    let body = |text: &str| text.split_once("\r\n\r\n").unwrap().1.len();
    assert!(
        head.contains(&format!("content-length: {}", body(&whole))),
        "{head}"
    );
    assert_eq!(body(&part), body(&whole) / 2);
    let error = ask(&running, KLINES).await.unwrap_err();
    assert!(matches!(error, EgressError::Broken { .. }), "{error}");
    is_over(&running, KLINES).await;
}

#[tokio::test]
async fn a_connection_can_be_reset() {
    let running = asking::generous().await;
    running
        .switch_on(Fault::new("binance", FaultKind::Reset).times(1))
        .unwrap();
    let (said, ended) = raw(&running).await;
    assert_eq!(
        (said.as_str(), ended),
        ("", Some(std::io::ErrorKind::ConnectionReset))
    );
    is_over(&running, KLINES).await;
}

#[tokio::test]
async fn the_head_can_be_late() {
    let running = asking::generous().await;
    running
        .switch_on(Fault::new("binance", FaultKind::Slow).times(1).seconds(1))
        .unwrap();
    let mut request = asking::request(KLINES);
    request.timeout = Duration::from_millis(200);
    let error = running.detour().unwrap().send(request).await.unwrap_err();
    assert!(matches!(error, EgressError::TimedOut { .. }), "{error}");
    is_over(&running, KLINES).await;
}

#[tokio::test]
async fn the_date_can_be_wrong() {
    let running = asking::generous().await;
    let date = |answer: &Response| {
        let text = answer.headers["date"].to_str().unwrap().to_owned();
        jiff::fmt::rfc2822::parse(&text).unwrap().timestamp()
    };
    let right = date(&ask(&running, KLINES).await.unwrap());
    assert_eq!(right.to_string(), asking::NOW);
    running
        .switch_on(Fault::new("binance", FaultKind::Skew).seconds(-45))
        .unwrap();
    let wrong = date(&ask(&running, KLINES).await.unwrap());
    assert_eq!(wrong.as_second() - right.as_second(), -45);
}

#[tokio::test]
async fn finished_bars_can_be_revised() {
    let running = asking::generous().await;
    let before = asking::data(&running, BARS).await;
    running
        .switch_on(Fault::new("alpaca", FaultKind::Revised))
        .unwrap();
    let after = asking::data(&running, BARS).await;
    let bar = |json: &Value| json["bars"]["AAPL"][0].clone();
    let (before, after) = (bar(&before), bar(&after));
    assert_eq!((&before["t"], &before["c"]), (&after["t"], &after["c"]));
    assert!(after["v"].as_i64() > before["v"].as_i64());
    running.switch_off();
    assert_eq!(bar(&asking::data(&running, BARS).await), before);
}

#[tokio::test]
async fn switches_are_thrown_over_the_socket_by_programs_of_this_machine_only() {
    let running = asking::generous().await;
    let direct = DirectEgress::loopback().unwrap();
    let url = format!("http://{}/_sandbox/faults", running.address());
    let send = |method: Method, query: &str| {
        let mut request: Request = asking::request(&format!("{url}{query}"));
        request.method = method;
        request
    };
    let answer = direct
        .send(send(Method::POST, "?provider=binance&kind=storm&times=1"))
        .await
        .unwrap();
    assert_eq!(answer.status.as_u16(), 200);
    let json: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(json["faults"][0]["kind"], "storm");
    assert_eq!(ask(&running, KLINES).await.unwrap().status.as_u16(), 429);
    for query in [
        "?provider=binance&kind=fire",
        "?kind=storm",
        "?provider=yahoo&kind=missing-page",
    ] {
        let answer = direct.send(send(Method::POST, query)).await.unwrap();
        assert_eq!(answer.status.as_u16(), 400, "{query}");
    }
    // A page in a browser is somebody else; a provider's name is not the sandbox's.
    let mut foreign = send(Method::DELETE, "");
    foreign
        .headers
        .insert("origin", "https://example.com".parse().unwrap());
    assert_eq!(direct.send(foreign).await.unwrap().status.as_u16(), 403);
    let named = ask(&running, "https://api.binance.com/_sandbox/faults")
        .await
        .unwrap();
    assert_eq!(named.status.as_u16(), 404);
}
