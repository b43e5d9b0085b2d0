//! An order, and every other call that is no catalogued question for data, goes straight through: as it came, once,
//! at once; it is neither kept nor shared nor repeated nor signed.

use axum::body::Bytes;
use futures_util::future::join_all;
use tradewind_host::egress::Method;

use crate::passing::{BARS, Gateway, Origin, Said, call, said, text};

const BROKER: &str = "paper-api.alpaca.markets";
const ORDER: &str =
    r#"{"symbol":"AAPL","qty":"1","side":"buy","type":"market","time_in_force":"day"}"#;

/// A broker that would be cached if anybody dared.
fn broker(number: usize, status: u16) -> Said {
    let lines = vec![
        ("cache-control", "public, max-age=3600".to_owned()),
        ("etag", "\"same\"".to_owned()),
    ];
    (status, lines, format!("{{\"id\":{number}}}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_order_ten_times_is_ten_orders_through_both_doors() {
    let origin = Origin::open(|number, _| broker(number, 200)).await;
    let gateway = Gateway::before(&origin);
    let port = gateway.listen(gateway.to_alpaca(Some(BROKER)));
    let lines = [
        ("apca-api-key-id", "mine"),
        ("content-type", "application/json"),
    ];
    let through_pass = (0..10).map(|_| {
        let mut order = call(Method::POST, Some(BROKER), "/v2/orders", &lines);
        order.body = Bytes::from_static(ORDER.as_bytes());
        gateway.send(order)
    });
    let through_listener = (0..10).map(|_| port.ask(Method::POST, "/v2/orders", &lines, ORDER));
    let (passed, heard) = tokio::join!(join_all(through_pass), join_all(through_listener));
    let mut ids: Vec<_> = passed
        .into_iter()
        .map(|passed| text(&passed.unwrap().response).to_owned())
        .chain(heard.iter().map(|heard| text(heard).to_owned()))
        .collect();
    ids.sort();
    ids.dedup();
    assert_eq!((ids.len(), origin.requests()), (20, 20));
    for seen in origin.seen() {
        assert_eq!(
            (seen.method.as_str(), seen.path.as_str()),
            ("POST", "/v2/orders")
        );
        assert_eq!(seen.body, ORDER.as_bytes());
        assert_eq!(seen.header("apca-api-key-id"), "mine");
        assert_eq!(seen.header("content-type"), "application/json");
    }
    assert!(
        heard
            .iter()
            .all(|heard| said(heard, "cache-status") == "tradewind; fwd=bypass")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_fails_is_not_sent_again_and_gets_no_key_of_ours() {
    let origin = Origin::open(|number, _| broker(number, 503)).await;
    let gateway = Gateway::before(&origin);
    let port = gateway.listen(gateway.to_alpaca(Some(BROKER)));
    for (sent, (method, path)) in [
        (Method::POST, "/v2/orders"),
        (Method::DELETE, "/v2/orders/7"),
        (Method::PATCH, "/v2/orders/7"),
        (Method::GET, "/v2/orders"),
        (Method::GET, "/v2/account"),
    ]
    .into_iter()
    .enumerate()
    {
        let passed = gateway
            .send(call(method.clone(), Some(BROKER), path, &[]))
            .await
            .unwrap();
        assert_eq!(
            (passed.response.status.as_u16(), passed.calls),
            (503, 1),
            "{method} {path}"
        );
        let heard = port.ask(method.clone(), path, &[], "").await;
        assert_eq!(heard.status.as_u16(), 503, "{method} {path}");
        assert_eq!(origin.requests(), 2 * (sent + 1), "{method} {path}");
    }
    for seen in origin.seen() {
        assert_eq!(seen.header("apca-api-key-id"), "", "{seen:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_broker_lists_is_asked_for_every_time() {
    let origin = Origin::open(|number, _| broker(number, 200)).await;
    let gateway = Gateway::before(&origin);
    let port = gateway.listen(gateway.to_alpaca(Some(BROKER)));
    for path in [
        "/v2/orders",
        "/v2/positions",
        "/v2/account",
        "/v2/nothing-that-we-know",
    ] {
        let before = origin.requests();
        for _ in 0..3 {
            gateway
                .send(call(Method::GET, Some(BROKER), path, &[]))
                .await
                .unwrap();
            port.get(path, &[]).await;
        }
        assert_eq!(origin.requests() - before, 6, "{path}");
    }
    assert_eq!(gateway.front.held().0, 0, "nothing is kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_do_not_wait_for_data_that_is_under_way() {
    let origin = Origin::held(|number, _| broker(number, 200)).await;
    let gateway = Gateway::before(&origin);
    let data = gateway.send(call(Method::GET, None, BARS, &[]));
    let order = gateway.send(call(Method::POST, Some(BROKER), "/v2/orders", &[]));
    let release = async {
        // Both have reached the origin although neither has an answer.
        origin.reached(2).await;
        origin.release();
    };
    let (data, order, ()) = tokio::join!(data, order, release);
    assert!(data.is_ok() && order.is_ok());
}
