//! The practice venue: each order once, as it was sent.

use rust_decimal::Decimal;
use serde_json::{Value, json};
use tradewind_host::egress::{Egress, EgressError, Method, Request, Response, StatusCode};
use tradewind_sandbox::market::{Ask, Step};
use tradewind_sandbox::{Fault, FaultKind, OrderState, Running};

use crate::asking;

const ORDERS: &str = "https://paper-api.alpaca.markets/v2/orders";

async fn send(
    running: &Running,
    method: Method,
    url: &str,
    body: &str,
) -> Result<Response, EgressError> {
    let mut request: Request = asking::request(url);
    request.method = method;
    request
        .headers
        .insert("x-mbx-apikey", "practice".parse().unwrap());
    request.body = body.to_owned().into();
    running.detour().unwrap().send(request).await
}

fn json(answer: &Response) -> Value {
    serde_json::from_slice(&answer.body).unwrap()
}

fn order(id: &str) -> String {
    // Odd spacing on purpose: the body must arrive as it is.
    format!(
        "{{\"symbol\": \"AAPL\",\"qty\":\"10\",  \"side\":\"buy\",\"type\":\"market\",\"time_in_force\":\"day\",\"client_order_id\":\"{id}\"}}"
    )
}

#[tokio::test]
async fn an_order_is_filled_once_and_kept_as_it_came() {
    let running = asking::generous().await;
    let answer = send(&running, Method::POST, ORDERS, &order("a-1"))
        .await
        .unwrap();
    assert_eq!(answer.status, StatusCode::OK);
    let placed = json(&answer);
    assert_eq!(
        (&placed["status"], &placed["filled_qty"]),
        (&json!("filled"), &json!("10"))
    );
    let again = send(&running, Method::POST, ORDERS, &order("a-1"))
        .await
        .unwrap();
    assert_eq!(again.status.as_u16(), 422);
    assert_eq!(json(&again)["message"], "client_order_id must be unique");
    let kept = running.orders();
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].received, order("a-1"));
    assert_eq!(
        running.stats().providers["alpaca"]["submit-order"].requests,
        2
    );
    let positions = asking::data(&running, "https://paper-api.alpaca.markets/v2/positions").await;
    assert_eq!(
        (&positions[0]["symbol"], &positions[0]["qty"]),
        (&json!("AAPL"), &json!("10"))
    );
}

#[tokio::test]
async fn a_lost_answer_does_not_mean_a_lost_order() {
    let running = asking::generous().await;
    running
        .switch_on(Fault::new("alpaca", FaultKind::Reset).times(1))
        .unwrap();
    let error = send(&running, Method::POST, ORDERS, &order("b-1"))
        .await
        .unwrap_err();
    assert!(error.may_have_been_sent());
    // Who asks by the client's id finds it; who just sends it again is refused, and has it once.
    let found = asking::data(
        &running,
        &format!("{ORDERS}:by_client_order_id?client_order_id=b-1"),
    )
    .await;
    assert_eq!(found["status"], "filled");
    let again = send(&running, Method::POST, ORDERS, &order("b-1"))
        .await
        .unwrap();
    assert_eq!(again.status.as_u16(), 422);
    assert_eq!(running.orders().len(), 1);
}

#[tokio::test]
async fn an_order_without_an_id_that_is_sent_again_is_a_second_order() {
    let running = asking::generous().await;
    let body = r#"{"symbol":"AAPL","qty":"1","side":"buy","type":"market"}"#;
    for _ in 0..2 {
        send(&running, Method::POST, ORDERS, body).await.unwrap();
    }
    assert_eq!(running.orders().len(), 2);
}

#[tokio::test]
async fn a_limit_order_waits_and_can_be_taken_back() {
    let running = asking::generous().await;
    let body = r#"{"symbol":"AAPL","qty":"1","side":"buy","type":"limit","limit_price":"1.00","client_order_id":"c"}"#;
    let placed = json(&send(&running, Method::POST, ORDERS, body).await.unwrap());
    assert_eq!(placed["status"], "new");
    let open = asking::data(&running, ORDERS).await;
    assert_eq!(open.as_array().unwrap().len(), 1);
    let one = format!("{ORDERS}/{}", placed["id"].as_str().unwrap());
    let gone = send(&running, Method::DELETE, &one, "").await.unwrap();
    assert_eq!(gone.status.as_u16(), 204);
    let twice = send(&running, Method::DELETE, &one, "").await.unwrap();
    assert_eq!(twice.status.as_u16(), 422);
    assert_eq!(running.orders()[0].state, OrderState::Cancelled);
}

#[tokio::test]
async fn binance_takes_a_signed_order_once() {
    let running = asking::generous().await;
    let now = asking::NOW
        .parse::<jiff::Timestamp>()
        .unwrap()
        .as_millisecond();
    let url = "https://api.binance.com/api/v3/order";
    let query = format!(
        "symbol=BTCUSDT&side=SELL&type=MARKET&quantity=0.5&newClientOrderId=x1&timestamp={now}"
    );
    let unsigned = send(&running, Method::POST, &format!("{url}?{query}"), "")
        .await
        .unwrap();
    assert_eq!(json(&unsigned)["code"], -1102);
    let signed = format!("{query}&signature=00");
    let placed = json(
        &send(&running, Method::POST, &format!("{url}?{signed}"), "")
            .await
            .unwrap(),
    );
    assert_eq!(
        (&placed["status"], &placed["executedQty"]),
        (&json!("FILLED"), &json!("0.50000000"))
    );
    // The same parameters in the body are the same order.
    let again = send(&running, Method::POST, url, &signed).await.unwrap();
    assert_eq!(
        (again.status.as_u16(), &json(&again)["code"]),
        (400, &json!(-2010))
    );
    assert_eq!(running.orders().len(), 1);
    let late = signed.replace(&now.to_string(), &(now - 60_000).to_string());
    let late = send(&running, Method::POST, &format!("{url}?{late}"), "")
        .await
        .unwrap();
    assert_eq!(json(&late)["code"], -1021);
    let asked = format!("{url}?symbol=BTCUSDT&origClientOrderId=x1&timestamp={now}&signature=00");
    let found = json(&send(&running, Method::GET, &asked, "").await.unwrap());
    assert_eq!(found["clientOrderId"], "x1");
}

#[tokio::test]
async fn a_limit_order_fills_when_the_market_comes_to_it() {
    let clock = asking::clock(asking::NOW);
    let settings = tradewind_sandbox::Settings::generous().at(std::sync::Arc::clone(&clock) as _);
    let running = tradewind_sandbox::Sandbox::start(settings).await.unwrap();
    // The lowest price of the next two days is known to the test, and is not there yet.
    let later: jiff::Timestamp = "2025-06-15T19:30:20Z".parse().unwrap();
    let market = running.market();
    let listing = market.listing("BTC/USDT").unwrap();
    let from = asking::NOW.parse::<jiff::Timestamp>().unwrap().as_second();
    let minutes = market.bars(&Ask {
        from,
        ..Ask::of(&listing, Step::Minutes(1), later)
    });
    let low = minutes.iter().map(|bar| bar.low).min().unwrap();
    let limit = low + Decimal::ONE;
    assert!(limit < minutes[0].low);
    let body = format!(
        r#"{{"symbol":"BTC/USDT","qty":"1","side":"buy","type":"limit","limit_price":"{limit}"}}"#
    );
    send(&running, Method::POST, ORDERS, &body).await.unwrap();
    let all = format!("{ORDERS}?status=all");
    assert_eq!(asking::data(&running, &all).await[0]["status"], "new");
    clock.set(later);
    let filled = asking::data(&running, &all).await;
    assert_eq!(filled[0]["status"], "filled");
    let paid = filled[0]["filled_avg_price"].as_str().unwrap();
    assert!(paid.parse::<Decimal>().unwrap() <= limit);
}
