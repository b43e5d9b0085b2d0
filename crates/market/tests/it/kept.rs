//! Answers that are kept, as clients on real sockets see them: when the origin is asked, and what it is told.

use tradewind_host::egress::Method;
use tradewind_market::http_cache::Sharing;
use tradewind_market::usage;

use crate::passing::{BARS, Gateway, Origin, Said, Seen, call, said, text};

/// Answers good for a minute, with a name, that still hold when asked.
fn named(number: usize, seen: &Seen) -> Said {
    let lines = vec![
        ("cache-control", "max-age=60".to_owned()),
        ("etag", "\"a\"".to_owned()),
    ];
    if seen.header("if-none-match") == "\"a\"" {
        return (304, lines, String::new());
    }
    (200, lines, format!("{{\"bars\":{{}},\"n\":{number}}}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_answer_is_served_until_its_end_and_then_confirmed() {
    let origin = Origin::open(named).await;
    let gateway = Gateway::before(&origin);
    let port = gateway.listen(gateway.to_alpaca(None));
    let first = port.get(BARS, &[]).await;
    assert_eq!(said(&first, "cache-status"), "tradewind; fwd=miss; stored");
    gateway.later(59);
    let hit = port.get(BARS, &[]).await;
    assert_eq!(said(&hit, "cache-status"), "tradewind; hit");
    assert_eq!(
        (said(&hit, "age").as_str(), text(&hit)),
        ("59", "{\"bars\":{},\"n\":1}")
    );
    let through_pass = gateway
        .send(call(Method::GET, None, BARS, &[]))
        .await
        .unwrap();
    assert_eq!(
        (through_pass.calls, origin.requests()),
        (0, 1),
        "both doors have one cache"
    );
    let known = port.get(BARS, &[("if-none-match", "W/\"a\"")]).await;
    assert_eq!((known.status.as_u16(), known.body.len()), (304, 0));
    gateway.later(1);
    let confirmed = port.get(BARS, &[]).await;
    let status = said(&confirmed, "cache-status");
    assert_eq!(status, "tradewind; fwd=stale; fwd-status=304; stored");
    assert_eq!(
        (confirmed.status.as_u16(), text(&confirmed)),
        (200, "{\"bars\":{},\"n\":1}")
    );
    assert_eq!(said(&confirmed, "age"), "0");
    assert_eq!(origin.requests(), 2);
    port.get(BARS, &[]).await;
    assert_eq!(origin.requests(), 2, "it is good for another minute");
    port.get(BARS, &[("cache-control", "no-cache")]).await;
    assert_eq!(origin.requests(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_provider_said_is_not_guessed_and_a_refusal_is_not_kept() {
    let origin = Origin::open(|number, _| {
        if number > 2 {
            // A refusal in the clothes of an answer: the expected key is not there.
            let lines = vec![("cache-control", "max-age=60".to_owned())];
            return (403, lines, "{\"message\":\"forbidden\"}".to_owned());
        }
        let old = "Mon, 23 Nov 2020 12:00:00 GMT".to_owned();
        (
            200,
            vec![("last-modified", old)],
            "{\"bars\":{}}".to_owned(),
        )
    })
    .await;
    let gateway = Gateway::before(&origin);
    for requests in 1..=4 {
        gateway
            .send(call(Method::GET, None, BARS, &[]))
            .await
            .unwrap();
        assert_eq!(origin.requests(), requests);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_heads_and_changes_at_an_origin() {
    let origin = Origin::open(|number, seen| match seen.method.as_str() {
        "PUT" => (201, vec![("location", "/other".to_owned())], String::new()),
        "POST" => (500, vec![], String::new()),
        _ => named(number, seen),
    })
    .await;
    let gateway = Gateway::before(&origin);
    let port = gateway.listen(gateway.to_origin(&origin, Sharing::Storable));
    for path in ["/x", "/other", "/third"] {
        port.get(path, &[]).await;
    }
    assert_eq!(origin.requests(), 3);
    let piece = port.get("/x", &[("range", "bytes=2-4")]).await;
    assert_eq!((piece.status.as_u16(), text(&piece)), (206, "bar"));
    assert_eq!(said(&piece, "content-range"), "bytes 2-4/17");
    let head = port.ask(Method::HEAD, "/x", &[], "").await;
    assert_eq!(
        (head.status.as_u16(), said(&head, "content-length").as_str()),
        (200, "17")
    );
    let absent = port
        .get("/absent", &[("cache-control", "only-if-cached")])
        .await;
    assert_eq!(absent.status.as_u16(), 504);
    assert_eq!(origin.requests(), 3, "none of it needed the origin");
    // A change that failed ends nothing; one that was made ends its address and the one that it names.
    port.ask(Method::POST, "/x", &[], "change").await;
    port.get("/x", &[]).await;
    assert_eq!(origin.requests(), 4);
    port.ask(Method::PUT, "/x", &[], "change").await;
    assert_eq!(origin.seen()[4].body, "change");
    for (path, requests) in [("/x", 6), ("/other", 7), ("/third", 7)] {
        port.get(path, &[]).await;
        assert_eq!(origin.requests(), requests, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_answer_is_served_only_with_leave() {
    let origin = Origin::open(|number, seen| {
        if seen.path.ends_with("again") && number > 1 {
            return (503, vec![], "down".to_owned());
        }
        let control = match seen.path.as_str() {
            "/behind" => "max-age=1, stale-while-revalidate=60",
            "/error-again" => "max-age=1, stale-if-error=60",
            _ => "max-age=1",
        };
        (
            200,
            vec![("cache-control", control.to_owned())],
            format!("{number}"),
        )
    })
    .await;
    let gateway = Gateway::before(&origin);
    let port = gateway.listen(gateway.to_origin(&origin, Sharing::Storable));
    assert_eq!(text(&port.get("/error-again", &[]).await), "1");
    gateway.later(10);
    let stood_in = port.get("/error-again", &[]).await;
    assert_eq!((stood_in.status.as_u16(), text(&stood_in)), (200, "1"));
    assert_eq!(said(&stood_in, "cache-status"), "tradewind; hit; ttl=-9");
    gateway.later(60);
    assert_eq!(port.get("/error-again", &[]).await.status.as_u16(), 503);
    let first = text(&port.get("/behind", &[]).await).to_owned();
    gateway.later(10);
    let before = origin.requests();
    let stale = port.get("/behind", &[]).await;
    assert_eq!(text(&stale), first, "served at once");
    origin.reached(before + 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_asks_its_guard_and_counts_who_asked() {
    let origin = Origin::open(named).await;
    let gateway = Gateway::before(&origin);
    let port = gateway.listen(gateway.to_alpaca(None));
    let stranger = port.get(BARS, &[("x-stranger", "1")]).await;
    assert_eq!(stranger.status.as_u16(), 403);
    assert_eq!(said(&stranger, "content-type"), "application/problem+json");
    assert_eq!(origin.requests(), 0);
    for _ in 0..3 {
        port.get(BARS, &[("x-tradewind-consumer", "scan.py")]).await;
        port.get(BARS, &[]).await;
    }
    gateway.usage.flush().await.unwrap();
    let read = usage::read(&gateway.journal.reader().unwrap(), "2026-11-23").unwrap();
    let counted: Vec<_> = read
        .iter()
        .map(|(whose, counts)| {
            let who = (
                whose.consumer.as_str(),
                whose.provider.as_str(),
                whose.day.as_str(),
            );
            (who, counts.answers, counts.hits, counts.calls)
        })
        .collect();
    let day = "2026-11-23";
    assert_eq!(
        counted,
        [
            (("scan.py", "alpaca", day), 3, 2, 1),
            (("suite", "alpaca", day), 3, 3, 0),
        ]
    );
    assert!(
        origin
            .seen()
            .iter()
            .all(|seen| seen.header("x-tradewind-consumer").is_empty())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_that_is_not_there_is_told_as_such() {
    let origin = Origin::open(named).await;
    let gateway = Gateway::before(&origin);
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut gone = origin.clone();
    gone.address = nobody.local_addr().unwrap();
    drop(nobody);
    let port = gateway.listen(gateway.to_origin(&gone, Sharing::Storable));
    let answer = port.get("/x", &[]).await;
    assert_eq!(answer.status.as_u16(), 502);
    assert!(
        text(&answer).contains("no connection to"),
        "{}",
        text(&answer)
    );
}
