//! The official Python SDK reads what we write, and an OpenAPI validator reads what we describe.

#![expect(
    clippy::disallowed_methods,
    reason = "tests start outside programs themselves"
)]

use std::process::Command;

use crate::support::{Repo, User, skipped};

/// Reads a batch through the SDK and prints attributes; then sends events built by the SDK, in both modes.
const READ: &str = r#"
import sys, json, urllib.request, datetime
from cloudevents.core.bindings.http import HTTPMessage, from_structured_event, to_structured_event, to_binary_event
from cloudevents.core.v1.event import CloudEvent
file, url, token = sys.argv[1:]
for raw in json.load(open(file)):
    message = HTTPMessage(headers={"content-type": "application/cloudevents+json"}, body=json.dumps(raw).encode())
    event = from_structured_event(message)
    assert event.get_specversion() == "1.0"
    assert event.get_time().tzinfo is not None
    print(event.get_id(), event.get_source(), event.get_type(), event.get_extension("sequence"), event.get_data()["title"])
for number, write in enumerate([to_structured_event, to_binary_event]):
    event = CloudEvent(
        attributes={"id": str(number), "source": "/broker", "type": "order.filled", "subject": "ünï cöde", "myext": "x",
                    "time": datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc), "datacontenttype": "application/json"},
        data={"filled": 10})
    message = write(event)
    headers = {**message.headers, "Authorization": "Bearer " + token}
    with urllib.request.urlopen(urllib.request.Request(url, message.body, headers)) as answer:
        assert answer.status == 202, answer.status
"#;

#[test]
fn the_official_sdk_reads_our_events() {
    let Some(python) = std::env::var_os("TRADEWIND_TEST_PYTHON") else {
        return skipped(
            "cloudevents",
            "TRADEWIND_TEST_PYTHON names no Python with the packages cloudevents and openapi-spec-validator",
        );
    };
    let user = User::new();
    let repo = Repo::new(user.home.path().join("bot"));
    let daemon = user.up(&repo.path);
    repo.commit("first: \"quotes\" and ünïcode");
    user.wait(
        tradewind_core::Seq::ZERO,
        tradewind_core::EventKind::RepoCommitCreated,
    );
    let answer = daemon.ask(
        "GET",
        "/v1/events?kind=repo.commit.created",
        &[&daemon.bearer()],
        "",
    );
    let file = user.home.path().join("events.json");
    std::fs::write(&file, &answer.body).unwrap();
    let url = format!("http://{}/v1/events", daemon.address);
    let output = Command::new(&python)
        .args(["-c", READ])
        .arg(&file)
        .args([&url, &daemon.token])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let events: Vec<serde_json::Value> = serde_json::from_str(&answer.body).unwrap();
    let expected = format!(
        "{} {} repo.commit.created {:0>20} first: \"quotes\" and ünïcode",
        events[0]["id"].as_str().unwrap(),
        events[0]["source"].as_str().unwrap(),
        events[0]["id"].as_str().unwrap(),
    );
    assert_eq!(said.trim(), expected);

    let received = user.events(&[tradewind_core::EventKind::ExternalEventReceived]);
    assert_eq!(received.len(), 2);
    for event in received {
        assert_eq!(
            (
                event.subject.as_str(),
                event.occurred_at.to_string().as_str()
            ),
            ("ünï cöde", "2026-01-02T03:04:05Z")
        );
        let body: tradewind_core::payload::ExternalEvent = event.payload().unwrap();
        assert_eq!(
            (
                body.event_type.as_str(),
                body.source.as_str(),
                body.extensions["myext"].as_str()
            ),
            ("order.filled", "/broker", "x")
        );
        assert_eq!(body.data.unwrap().get().replace(' ', ""), "{\"filled\":10}");
    }

    let description = daemon.ask("GET", "/openapi.json", &[&daemon.bearer()], "");
    let file = user.home.path().join("openapi.json");
    std::fs::write(&file, &description.body).unwrap();
    let output = Command::new(&python)
        .args(["-m", "openapi_spec_validator"])
        .arg(&file)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
