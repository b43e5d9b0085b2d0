//! Webhooks: signed, once per key, tried again, given up in the end, going on after a restart.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tradewind_core::EventKind;

use crate::support::{World, body};

/// Answers requests with these statuses, one after the other, and returns what it was sent.
async fn receive(listener: &TcpListener, status: &str) -> String {
    let (mut socket, _) = listener.accept().await.unwrap();
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let read = socket.read(&mut buffer).await.unwrap();
        request.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&request).to_lowercase();
        let length = text
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .and_then(|length| length.trim().parse::<usize>().ok());
        if let (Some(end), Some(length)) = (text.find("\r\n\r\n"), length)
            && request.len() >= end + 4 + length
        {
            break;
        }
        assert!(read > 0, "the request ended early: {text}");
    }
    let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    socket.write_all(answer.as_bytes()).await.unwrap();
    String::from_utf8(request).unwrap()
}

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let rules = format!(
        r#"
[rules.tell]
on = "repo.tag.created"
do = "notify"
mode = "act"
irreversible = true
with = {{ url = "http://{address}/hook/SECRETPATH", secret = "file:key" }}
"#
    );
    (listener, rules)
}

async fn tag(world: &World) {
    let body = tradewind_core::payload::TagCreated {
        tag: "v1".into(),
        to: "a".into(),
    };
    world.emit(&body, "v1").await;
}

fn header<'r>(request: &'r str, name: &str) -> &'r str {
    request
        .lines()
        .find_map(|line| line.strip_prefix(&format!("{name}: ")))
        .unwrap_or_default()
}

#[tokio::test]
async fn a_webhook_is_signed_tried_again_and_its_outcome_is_told_once() {
    let (listener, rules) = listen().await;
    let world = World::new();
    std::fs::write(world.repo().join("key"), "hush\n").unwrap();
    world.rules(&rules, true).await;
    world.start().await;
    tag(&world).await;
    let first = receive(&listener, "503 Service Unavailable").await;
    // The second try is due within a minute of the world's time.
    let second = loop {
        world.pass(60);
        let wait = tokio::time::timeout(Duration::from_millis(200), receive(&listener, "200 OK"));
        if let Ok(second) = wait.await {
            break second;
        }
    };
    let done = world.wait(EventKind::EngineActionSucceeded, 1).await;
    assert_eq!(body(&done[0])["output"]["attempts"], 2);
    assert_eq!(header(&first, "webhook-id"), header(&second, "webhook-id"));
    assert!(header(&second, "webhook-signature").starts_with("v1,"));
    assert_ne!(
        header(&first, "webhook-signature"),
        header(&second, "webhook-signature")
    );
    let sent = second.split("\r\n\r\n").nth(1).unwrap();
    let sent: serde_json::Value = serde_json::from_str(sent).unwrap();
    assert_eq!(sent["specversion"], "1.0");
    assert!(sent["type"].as_str().unwrap().contains("repo.tag.created"));
    assert_eq!(sent["tradewindrule"], "tell");
    for told in world.told() {
        assert!(!told.contains("hush"), "{told}");
    }
}

#[tokio::test]
async fn a_webhook_in_the_outbox_survives_a_restart() {
    let (listener, rules) = listen().await;
    let world = World::new();
    std::fs::write(world.repo().join("key"), "hush").unwrap();
    world.rules(&rules, true).await;
    world.start().await;
    tag(&world).await;
    receive(&listener, "500 Oops").await;
    let world = world.restart().await;
    world.rules(&rules, true).await;
    world.pass(60);
    world.start().await;
    receive(&listener, "204 No Content").await;
    world.wait(EventKind::EngineActionSucceeded, 1).await;
    assert!(world.events(EventKind::EngineActionAbandoned).is_empty());
}

#[tokio::test]
async fn a_receiver_that_says_never_is_believed() {
    let (listener, rules) = listen().await;
    let world = World::new();
    std::fs::write(world.repo().join("key"), "hush").unwrap();
    world.rules(&rules, true).await;
    world.start().await;
    tag(&world).await;
    receive(&listener, "410 Gone").await;
    let failed = world.wait(EventKind::EngineActionFailed, 1).await;
    assert!(body(&failed[0])["error"].as_str().unwrap().contains("410"));
}
