//! Requests over real sockets: bounds hold, redirects are answers, errors hold no query.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener};
use std::time::Duration;

use tradewind_core::Recovery;
use tradewind_host::egress::{DirectEgress, Egress as _, EgressError, Method, Request, Url};

/// Serves each connection the next of `answers`; an empty one is never answered.
fn serve(answers: Vec<Vec<u8>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) > 0 {
                head.push(byte[0]);
            }
            stream.write_all(&answer).unwrap_or_default();
            if answer.is_empty() {
                kept.push(stream);
            } else {
                stream.shutdown(Shutdown::Write).unwrap_or_default();
            }
        }
        // Connections without an answer stay open until the client gives up.
        for mut stream in kept {
            stream.read_to_end(&mut Vec::new()).unwrap_or_default();
        }
    });
    format!("http://{address}/path?apikey=hidden")
}

fn answer(head: &str, body: &[u8]) -> Vec<u8> {
    [
        format!("HTTP/1.1 {head}\r\nconnection: close\r\n\r\n").as_bytes(),
        body,
    ]
    .concat()
}

async fn get(url: &str, change: impl FnOnce(&mut Request)) -> Result<(u16, Vec<u8>), EgressError> {
    let mut request = Request::new(Method::GET, Url::parse(url).unwrap());
    change(&mut request);
    let answer = DirectEgress::new().unwrap().send(request).await?;
    Ok((answer.status.as_u16(), answer.body.to_vec()))
}

#[tokio::test]
async fn an_answer_comes_back_whole() {
    let url = serve(vec![answer("200 OK\r\ncontent-length: 5", b"hello")]);
    assert_eq!(get(&url, |_| {}).await.unwrap(), (200, b"hello".to_vec()));
}

#[tokio::test]
async fn a_redirect_is_an_answer() {
    let url = serve(vec![answer(
        "302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0",
        b"",
    )]);
    assert_eq!(get(&url, |_| {}).await.unwrap().0, 302);
}

#[tokio::test]
async fn a_body_beyond_the_bound_is_refused_announced_or_not() {
    let announced = answer("200 OK\r\ncontent-length: 100", &[b'x'; 100]);
    let streamed = answer("200 OK", &[b'x'; 100]);
    for body in [announced, streamed] {
        let error = get(&serve(vec![body]), |request| request.max_body_bytes = 99)
            .await
            .unwrap_err();
        assert!(
            matches!(error, EgressError::TooLarge { max_bytes: 99, .. }),
            "{error}"
        );
        assert_eq!(error.recovery(), Recovery::GiveUp);
    }
    let url = serve(vec![answer("200 OK", &[b'x'; 100])]);
    assert_eq!(
        get(&url, |request| request.max_body_bytes = 100)
            .await
            .unwrap()
            .1
            .len(),
        100
    );
}

#[tokio::test]
async fn a_compressed_bomb_is_bounded_by_what_it_unpacks_to() {
    // About 100 KiB of zeros in some 650 bytes, behind a plain gzip header.
    let mut bomb = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 3];
    bomb.extend_from_slice(&deflated_zeros());
    let url = serve(vec![answer("200 OK\r\ncontent-encoding: gzip", &bomb)]);
    let error = get(&url, |request| request.max_body_bytes = 10_000)
        .await
        .unwrap_err();
    assert!(matches!(error, EgressError::TooLarge { .. }), "{error:?}");
}

/// A fixed-code deflate block that repeats one zero byte 258 at a time, some hundred times over.
fn deflated_zeros() -> Vec<u8> {
    let mut bits: Vec<bool> = Vec::new();
    // Last block, fixed codes.
    bits.extend([true, true, false]);
    // Literal 0 is 00110000, most significant bit first.
    bits.extend([false, false, true, true, false, false, false, false]);
    for _ in 0..400 {
        // Length 258 is code 285: 11000101; distance 1 is code 0: 00000.
        bits.extend([true, true, false, false, false, true, false, true]);
        bits.extend([false; 5]);
    }
    bits.extend([false; 7]);
    bits.chunks(8)
        .map(|byte| {
            byte.iter()
                .enumerate()
                .map(|(at, bit)| u8::from(*bit) << at)
                .sum()
        })
        .collect()
}

#[tokio::test]
async fn a_server_that_says_nothing_runs_into_the_limit() {
    let url = serve(vec![Vec::new()]);
    let error = get(&url, |r| r.timeout = Duration::from_millis(100))
        .await
        .unwrap_err();
    assert!(matches!(error, EgressError::TimedOut { .. }), "{error:?}");
    assert!(error.may_have_been_sent());
}

#[tokio::test]
async fn a_closed_port_and_a_broken_answer_are_told_apart() {
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let error = get(&format!("http://{closed}/?apikey=hidden"), |_| {})
        .await
        .unwrap_err();
    assert!(matches!(error, EgressError::Connect { .. }), "{error:?}");
    assert!(!error.may_have_been_sent());
    let url = serve(vec![answer("200 OK\r\ncontent-length: 50", b"short")]);
    let broken = get(&url, |_| {}).await.unwrap_err();
    assert!(matches!(broken, EgressError::Broken { .. }), "{broken:?}");
    for error in [error, broken] {
        let mut text = format!("{error} {error:?}");
        let mut source = std::error::Error::source(&error);
        while let Some(next) = source {
            text.push_str(&next.to_string());
            source = next.source();
        }
        assert!(!text.contains("hidden"), "{text}");
    }
}
