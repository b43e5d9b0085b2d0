//! Many askers, one call: who shares an answer, who never does, and who cancels whom.

use futures_util::future::join_all;
use std::sync::atomic::Ordering;
use tradewind_host::egress::{Method, Response};
use tradewind_market::http_cache::Sharing;

use crate::passing::{BARS, Gateway, Origin, Said, call, said, text, until};

/// Answers of every kind that waiters share: one that is kept, one that must not be, one that is an error.
fn kinds() -> [(u16, &'static str); 3] {
    [(200, "max-age=60"), (200, "no-store"), (404, "no-store")]
}

fn numbered(status: u16, control: &str, number: usize) -> Said {
    let lines = vec![("cache-control", control.to_owned())];
    (
        status,
        lines,
        format!("{{\"bars\":{{}},\"number\":{number}}}"),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_askers_of_one_address_are_one_call_whatever_the_answer_is() {
    for (status, control) in kinds() {
        let origin = Origin::held(move |number, _| numbered(status, control, number)).await;
        let gateway = Gateway::before(&origin);
        let askers = (0..50).map(|_| gateway.send(call(Method::GET, None, BARS, &[])));
        let release = async {
            let joined = &gateway.front.figures().joined;
            until(|| joined.load(Ordering::Relaxed) == 49).await;
            origin.release();
        };
        let (answers, ()) = tokio::join!(join_all(askers), release);
        assert_eq!(origin.requests(), 1, "{status} {control}");
        let answers: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
        let calls: u32 = answers.iter().map(|answer| answer.calls).sum();
        assert_eq!(calls, 1, "one of them made the call");
        for answer in &answers {
            assert_eq!(answer.response.status.as_u16(), status);
            assert!(text(&answer.response).ends_with("\"number\":1}"));
        }
        let collapsed = answers
            .iter()
            .filter(|answer| said(&answer.response, "cache-status").ends_with("; collapsed"));
        assert_eq!(collapsed.count(), 49);
        // Whoever comes when it is over asks anew, unless the answer may be kept.
        let after = gateway
            .send(call(Method::GET, None, BARS, &[]))
            .await
            .unwrap();
        let is_kept = control == "max-age=60";
        assert_eq!(after.calls, u32::from(!is_kept), "{status} {control}");
        assert_eq!(origin.requests(), if is_kept { 1 } else { 2 });
    }
}

fn key_in(response: &Response) -> String {
    let body: serde_json::Value = serde_json::from_slice(&response.body).unwrap();
    body["key"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_keys_never_share_an_answer() {
    for control in ["max-age=60", "no-store"] {
        let origin = Origin::held(move |_, seen| {
            let lines = vec![("cache-control", control.to_owned())];
            let key = seen.header("apca-api-key-id");
            (200, lines, format!("{{\"bars\":{{}},\"key\":\"{key}\"}}"))
        })
        .await;
        let gateway = Gateway::before(&origin);
        let port = gateway.listen(gateway.to_alpaca(None));
        // What a client of the listener sends of itself chooses an answer as well.
        let all = ("accept", "*/*");
        let key = |key: &'static str| [("apca-api-key-id", key), ("apca-api-secret-key", key), all];
        let (one, two) = (key("one"), key("two"));
        // At once, through both doors, with two keys and with none.
        let asked = async {
            tokio::join!(
                gateway.send(call(Method::GET, None, BARS, &one)),
                gateway.send(call(Method::GET, None, BARS, &two)),
                gateway.send(call(Method::GET, None, BARS, &[all])),
                port.get(BARS, &one),
                port.get(BARS, &two),
                port.get(BARS, &[]),
            )
        };
        let release = async {
            let joined = &gateway.front.figures().joined;
            until(|| origin.requests() == 3 && joined.load(Ordering::Relaxed) == 3).await;
            origin.release();
        };
        let (answers, ()) = tokio::join!(asked, release);
        let bodies = [
            answers.0.unwrap().response,
            answers.1.unwrap().response,
            answers.2.unwrap().response,
            answers.3,
            answers.4,
            answers.5,
        ]
        .map(|response| key_in(&response));
        assert_eq!(bodies, ["one", "two", "our-key", "one", "two", "our-key"]);
        assert_eq!(origin.requests(), 3, "both doors share, keys do not");
        // And from what is held.
        let again = gateway
            .send(call(Method::GET, None, BARS, &two))
            .await
            .unwrap();
        assert_eq!(key_in(&again.response), "two");
        let third = port.get(BARS, &key("three")).await;
        assert_eq!(key_in(&third), "three");
        let unsigned = port.get(BARS, &[]).await;
        assert_eq!(key_in(&unsigned), "our-key");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_that_choose_an_answer_keep_askers_apart_and_names_of_callers_do_not() {
    let origin = Origin::held(|_, seen| {
        let lines = vec![("cache-control", "no-store".to_owned())];
        (200, lines, seen.header("accept-language").to_owned())
    })
    .await;
    let gateway = Gateway::before(&origin);
    let ask = |lines| gateway.send(call(Method::GET, None, BARS, lines));
    let all = async {
        tokio::join!(
            ask(&[("accept-language", "de"), ("user-agent", "a")]),
            ask(&[("accept-language", "en"), ("user-agent", "a")]),
            ask(&[("accept-language", "de"), ("user-agent", "b")]),
        )
    };
    let release = async {
        let joined = &gateway.front.figures().joined;
        until(|| origin.requests() == 2 && joined.load(Ordering::Relaxed) == 1).await;
        origin.release();
    };
    let (answers, ()) = tokio::join!(all, release);
    assert_eq!(text(&answers.0.unwrap().response), "de");
    assert_eq!(text(&answers.1.unwrap().response), "en");
    assert_eq!(text(&answers.2.unwrap().response), "de");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_goes_away_cancels_nobody_not_even_who_asked_first() {
    let origin = Origin::held(|number, _| numbered(200, "no-store", number)).await;
    let gateway = Gateway::before(&origin);
    let joined = &gateway.front.figures().joined;
    let mut first = Box::pin(gateway.send(call(Method::GET, None, BARS, &[])));
    tokio::select! {
        _ = &mut first => panic!("answered before the origin did"),
        () = origin.reached(1) => {}
    }
    let mut second = Box::pin(gateway.send(call(Method::GET, None, BARS, &[])));
    let third = gateway.send(call(Method::GET, None, BARS, &[]));
    tokio::select! {
        _ = &mut second => panic!("answered before the origin did"),
        () = until(|| joined.load(Ordering::Relaxed) == 1) => {}
    }
    drop(first);
    drop(second);
    let release = async {
        until(|| joined.load(Ordering::Relaxed) == 2).await;
        origin.release();
    };
    let (third, ()) = tokio::join!(third, release);
    assert_eq!(third.unwrap().calls, 0);
    assert_eq!(origin.requests(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_hangs_up_on_a_listener_cancels_nobody() {
    use tokio::io::AsyncWriteExt as _;
    let origin = Origin::held(|number, _| numbered(200, "no-store", number)).await;
    let gateway = Gateway::before(&origin);
    let port = gateway.listen(gateway.to_alpaca(None));
    let mut first = tokio::net::TcpStream::connect(port.address).await.unwrap();
    // What chooses an answer is the same for both.
    let head = format!("GET {BARS} HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n");
    first.write_all(head.as_bytes()).await.unwrap();
    origin.reached(1).await;
    drop(first);
    let release = async {
        let joined = &gateway.front.figures().joined;
        until(|| joined.load(Ordering::Relaxed) == 1).await;
        origin.release();
    };
    let (second, ()) = tokio::join!(port.get(BARS, &[]), release);
    assert_eq!(second.status.as_u16(), 200);
    assert_eq!(origin.requests(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origins_answers_are_shared_as_its_listener_says() {
    for (sharing, control, requests) in [
        (Sharing::Every, "no-store", 1),
        (Sharing::Every, "max-age=60", 1),
        (Sharing::Storable, "max-age=60", 1),
        (Sharing::Storable, "no-store", 8),
        (Sharing::Storable, "private", 8),
    ] {
        let origin = Origin::held(move |number, _| numbered(200, control, number)).await;
        let gateway = Gateway::before(&origin);
        let to = gateway.to_origin(&origin, sharing);
        let tradewind_market::listener::To::Origin { front, .. } = &to else {
            panic!("not an origin");
        };
        let front = front.clone();
        let port = gateway.listen(to);
        let askers = join_all((0..8).map(|_| port.get("/x", &[])));
        let release = async {
            until(|| front.figures().joined.load(Ordering::Relaxed) == 7).await;
            origin.release();
        };
        let (answers, ()) = tokio::join!(askers, release);
        assert_eq!(origin.requests(), requests, "{sharing:?} {control}");
        assert!(answers.iter().all(|answer| answer.status.as_u16() == 200));
    }
}
