//! The wire that leads to the sandbox, and to nobody else.

use tradewind_host::egress::EgressError;

use crate::asking;

#[tokio::test]
async fn a_host_of_the_catalog_is_the_sandbox() {
    let running = asking::generous().await;
    for url in [
        "https://api.binance.com/api/v3/ping",
        "https://data-api.binance.vision/api/v3/ping",
    ] {
        assert_eq!(asking::data(&running, url).await, serde_json::json!({}));
    }
    assert_eq!(running.stats().of("binance").requests, 2);
}

#[tokio::test]
async fn every_other_host_is_held_back_before_anything_is_sent() {
    let running = asking::generous().await;
    let detour = running.detour().unwrap();
    for url in [
        "https://example.com/",
        "http://127.0.0.1:1/",
        "https://api.binance.com.example.org/api/v3/ping",
    ] {
        let error = asking::send(&detour, url).await.unwrap_err();
        assert!(matches!(error, EgressError::Held { .. }), "{error}");
        assert!(!error.may_have_been_sent());
    }
}

#[tokio::test]
async fn the_first_piece_of_the_path_names_the_provider_too() {
    use tradewind_host::egress::{DirectEgress, Egress};
    let running = asking::generous().await;
    let direct = DirectEgress::loopback().unwrap();
    let ask = |path: &str| asking::request(&format!("http://{}{path}", running.address()));
    let answer = direct.send(ask("/binance/api/v3/ping")).await.unwrap();
    assert_eq!(answer.status.as_u16(), 200);
    let answer = direct.send(ask("/nobody/api/v3/ping")).await.unwrap();
    assert_eq!(answer.status.as_u16(), 404);
    assert!(String::from_utf8_lossy(&answer.body).contains("alpaca, "));
    let answer = direct.send(ask("/_sandbox/stats")).await.unwrap();
    let stats: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(stats["providers"]["binance"]["ping"]["requests"], 1);
}
