//! The listener from outside: who may pass, what goes in, what comes out.

use tradewind_core::{EventKind, Seq};

use crate::support::{Repo, User};

#[test]
fn strangers_are_turned_away_and_the_owner_is_let_in() {
    let user = User::new();
    let repo = Repo::new(user.home.path().join("bot"));
    let daemon = user.up(&repo.path);
    let bearer = daemon.bearer();

    assert_eq!(daemon.ask("GET", "/healthz", &[], "").status, 200);
    assert_eq!(daemon.ask("GET", "/metrics", &[], "").status, 200);
    assert_eq!(daemon.ask("GET", "/", &[], "").status, 200);
    assert_eq!(daemon.ask("GET", "/v1/events", &[], "").status, 401);
    assert_eq!(daemon.ask("GET", "/v1/events", &[&bearer], "").status, 200);
    assert_eq!(
        daemon
            .ask(
                "POST",
                "/v1/control",
                &["Content-Type: application/json"],
                r#"{"command":"stop"}"#
            )
            .status,
        401
    );

    // DNS rebinding: the page's own name in `Host`, even with the right token.
    let rebound = format!(
        "GET /healthz HTTP/1.1\r\nHost: evil.example:{}\r\n{bearer}\r\nConnection: close\r\n\r\n",
        daemon.address.port()
    );
    assert_eq!(daemon.raw(&rebound).status, 421);
    // A form or script of another site.
    for header in [
        "Origin: http://evil.example",
        "Origin: null",
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Site: same-site",
    ] {
        let answer = daemon.ask(
            "POST",
            "/v1/events",
            &[&bearer, header, "Content-Type: text/plain"],
            "{}",
        );
        assert_eq!(answer.status, 403, "{header}");
        assert!(
            answer.head.contains("application/problem+json"),
            "{}",
            answer.head
        );
        assert_eq!(
            daemon.ask("GET", "/", &[header], "").status,
            403,
            "{header}"
        );
    }
    // No answer may be read by another site either.
    let page = daemon.ask("GET", "/", &[], "");
    assert!(
        !page
            .head
            .to_ascii_lowercase()
            .contains("access-control-allow-origin"),
        "{}",
        page.head
    );
    assert!(
        page.head
            .to_ascii_lowercase()
            .contains("content-security-policy: default-src 'none'"),
        "{}",
        page.head
    );
    assert_eq!(user.events(&[EventKind::ExternalEventReceived]).len(), 0);
    assert_eq!(daemon.ask("GET", "/nowhere", &[&bearer], "").status, 404);
    assert_eq!(
        daemon.ask("DELETE", "/v1/events", &[&bearer], "").status,
        405
    );
}

#[test]
fn a_foreign_event_is_journaled_once_and_never_becomes_ours() {
    let user = User::new();
    let repo = Repo::new(user.home.path().join("bot"));
    let daemon = user.up(&repo.path);
    let bearer = daemon.bearer();
    let event = r#"{"specversion":"1.0","id":"7","source":"/broker","type":"engine.action.requested","time":"2026-01-02T03:04:05Z","data":{"filled":10}}"#;
    let structured = "Content-Type: application/cloudevents+json";

    let first = daemon.ask("POST", "/v1/events", &[&bearer, structured], event);
    assert_eq!(first.status, 202, "{first:?}");
    let again = daemon.ask("POST", "/v1/events", &[&bearer, structured], event);
    assert_eq!(again.body, first.body);
    let events = user.events(&[EventKind::ExternalEventReceived]);
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].occurred_at.to_string(), "2026-01-02T03:04:05Z");
    assert!(user.events(&[EventKind::EngineActionRequested]).is_empty());

    let binary = daemon.ask(
        "POST",
        "/v1/events",
        &[
            &bearer,
            "ce-specversion: 1.0",
            "ce-id: 8",
            "ce-source: /broker",
            "ce-type: fill",
            "Content-Type: application/json",
        ],
        "{\"x\":1}",
    );
    assert_eq!(binary.status, 202, "{binary:?}");
    let batch = format!(
        "[{},{}]",
        event.replace("\"7\"", "\"9\""),
        event.replace("\"7\"", "\"10\"")
    );
    let answer = daemon.ask(
        "POST",
        "/v1/events",
        &[&bearer, "Content-Type: application/cloudevents-batch+json"],
        &batch,
    );
    assert_eq!(answer.status, 202, "{answer:?}");
    assert_eq!(user.events(&[EventKind::ExternalEventReceived]).len(), 4);

    for bad in [
        "",
        "nonsense",
        r#"{"specversion":"0.3","id":"1","source":"/a","type":"t"}"#,
    ] {
        let answer = daemon.ask("POST", "/v1/events", &[&bearer, structured], bad);
        assert_eq!(answer.status, 400, "{bad:?}: {answer:?}");
    }
    let large = format!(
        r#"{{"specversion":"1.0","id":"l","source":"/a","type":"t","data":"{}"}}"#,
        "x".repeat(2_000_000)
    );
    let answer = daemon.ask("POST", "/v1/events", &[&bearer, structured], &large);
    assert_eq!(answer.status, 413, "{answer:?}");
}

#[test]
fn a_reader_pages_through_all_events_by_the_next_link() {
    let user = User::new();
    let repo = Repo::new(user.home.path().join("bot"));
    let daemon = user.up(&repo.path);
    for n in 0..7 {
        repo.commit(&format!("commit {n}"));
    }
    let count = || Some(user.events(&[EventKind::RepoCommitCreated]).len()).filter(|n| *n == 7);
    user.until("seven commits", count);
    let mut path = "/v1/events?kind=repo.commit.created&limit=3".to_owned();
    let mut seen = Vec::new();
    loop {
        let answer = daemon.ask("GET", &path, &[&daemon.bearer()], "");
        assert_eq!(answer.status, 200, "{answer:?}");
        let events: Vec<serde_json::Value> = serde_json::from_str(&answer.body).unwrap();
        seen.extend(
            events
                .iter()
                .map(|e| e["id"].as_str().unwrap().parse::<u64>().unwrap()),
        );
        let Some(link) = answer.head.lines().find_map(|l| l.strip_prefix("link: <")) else {
            break;
        };
        path = link.split('>').next().unwrap().to_owned();
    }
    assert_eq!(seen.len(), 7);
    assert!(seen.is_sorted());
    let wrong = daemon.ask(
        "GET",
        "/v1/events?kind=repo.comit.*",
        &[&daemon.bearer()],
        "",
    );
    assert_eq!(wrong.status, 400);
    assert!(wrong.body.contains("repo.comit.*"), "{}", wrong.body);
    assert_eq!(
        daemon
            .ask("GET", "/v1/events?typo=1", &[&daemon.bearer()], "")
            .status,
        400
    );
    assert_eq!(user.reader().get(Seq(0)).unwrap().map(|e| e.seq), None);
}

#[test]
fn a_request_written_as_for_a_proxy_means_the_name_that_it_names() {
    let user = User::new();
    let repo = Repo::new(user.home.path().join("bot"));
    let daemon = user.up(&repo.path);
    let ask = |target: &str| {
        daemon.raw(&format!(
            "GET {target} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            daemon.address
        ))
    };
    assert_eq!(ask("http://evil.example/").status, 421);
    assert_eq!(ask(&format!("http://{}/", daemon.address)).status, 200);
}

#[test]
fn a_body_that_is_too_large_is_refused_with_a_problem_document() {
    let user = User::new();
    let repo = Repo::new(user.home.path().join("bot"));
    let daemon = user.up(&repo.path);
    let body = "x".repeat(1024 * 1024 + 1);
    let answer = daemon.ask("POST", "/v1/events", &[&daemon.bearer()], &body);
    assert_eq!(answer.status, 413);
    assert!(
        answer.head.contains("application/problem+json"),
        "{}",
        answer.head
    );
}

/// A client that hangs up, as by Ctrl-C, must not leave a repository on the list that nobody watches.
#[test]
fn a_command_whose_client_hangs_up_is_done_to_the_end() {
    use std::io::Write;
    let user = User::new();
    let daemon = user.up(&Repo::new(user.home.path().join("bot")).path);
    let others: Vec<_> = (0..8)
        .map(|n| Repo::new(user.home.path().join(format!("other-{n}"))))
        .collect();
    for other in &others {
        let body = serde_json::json!({ "command": "register", "path": other.path }).to_string();
        let mut stream = std::net::TcpStream::connect(daemon.address).unwrap();
        write!(
            stream,
            "POST /v1/control HTTP/1.1\r\nHost: {}\r\n{}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            daemon.address,
            daemon.bearer(),
            body.len()
        )
        .unwrap();
    }
    // A client that was gone before its command was read has none; this one waits for its answer.
    let last = Repo::new(user.home.path().join("last"));
    user.ok(&last.path, &["up"]);
    for registered in user.events(&[EventKind::RepoRepositoryRegistered]) {
        let id = Repo {
            path: user.home.path().join(&registered.subject),
        }
        .commit("seen");
        user.until("commit of a new repository", || {
            user.events(&[EventKind::RepoCommitCreated])
                .into_iter()
                .find(|event| event.subject == id)
        });
    }
}

/// A request that never comes to its end kept the daemon from ending for ten seconds.
#[test]
fn the_daemon_ends_at_once_although_requests_are_half_sent() {
    use std::io::Write;
    let user = User::new();
    let repo = Repo::new(user.home.path().join("bot"));
    let daemon = user.up(&repo.path);
    let send = |text: &str| {
        let mut stream = std::net::TcpStream::connect(daemon.address).unwrap();
        stream.write_all(text.as_bytes()).unwrap();
        stream
    };
    let head = format!("POST /v1/events HTTP/1.1\r\nHost: {}\r\n", daemon.address);
    let bearer = daemon.bearer();
    let open = [
        send(""),
        send(&head),
        send(&format!(
            "{head}{bearer}\r\nContent-Length: 100\r\n\r\nhalf"
        )),
        send(&format!(
            "GET /healthz HTTP/1.1\r\nHost: {}\r\n\r\n",
            daemon.address
        )),
    ];
    // Answered after the others were accepted: they are under way.
    assert_eq!(daemon.ask("GET", "/healthz", &[], "").status, 200);
    let begun = std::time::Instant::now();
    user.ok(&repo.path, &["up", "--stop"]);
    let took = begun.elapsed();
    assert!(took.as_secs() < 2, "{took:?}");
    drop(open);
}

/// Connections on which nothing was asked yet do not keep others out.
#[test]
fn a_crowd_that_asks_nothing_does_not_lock_the_owner_out() {
    use std::io::Write;
    let user = User::new();
    let repo = Repo::new(user.home.path().join("bot"));
    let daemon = user.up(&repo.path);
    let crowd: Vec<_> = (0..600)
        .map(|_| {
            let mut stream = std::net::TcpStream::connect(daemon.address).unwrap();
            // One that was closed already to make room may not take it any more.
            drop(stream.write_all(b"GET / HTTP/1.1\r\n"));
            stream
        })
        .collect();
    assert_eq!(daemon.ask("GET", "/healthz", &[], "").status, 200);
    let closed = crowd.iter().filter(|stream| {
        stream.set_nonblocking(true).unwrap();
        let peeked = stream.peek(&mut [0]);
        !matches!(peeked, Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
    });
    assert!(closed.count() >= 600 - 256, "the crowd is not bounded");
}

#[test]
fn a_stream_begins_and_ends_where_a_listing_does() {
    let user = User::new();
    let repo = Repo::new(user.home.path().join("bot"));
    let daemon = user.up(&repo.path);
    for n in 0..3 {
        repo.commit(&format!("commit {n}"));
        let count = || Some(()).filter(|()| commits(&user).len() == n + 1);
        user.until("the commit", count);
    }
    let seen = commits(&user);
    let first = &seen[0];
    for query in [
        format!("after=0&before={}", seen[2].seq),
        format!("since={}&before={}", first.recorded_at, seen[2].seq),
        format!("until={}", seen[2].recorded_at),
        format!("since={0}&until={0}", seen[1].recorded_at),
        format!("before={}", first.seq),
    ] {
        let path = format!("/v1/events?kind=repo.commit.created&{query}");
        let listed = daemon.ask("GET", &path, &[&daemon.bearer()], "");
        let listed: Vec<serde_json::Value> = serde_json::from_str(&listed.body).unwrap();
        let listed: Vec<_> = listed.iter().map(|e| e["id"].as_str().unwrap()).collect();
        // It ends by itself, so that the whole answer can be read.
        let accept = "Accept: text/event-stream";
        let stream = daemon.ask("GET", &path, &[&daemon.bearer(), accept], "");
        let streamed: Vec<_> = stream
            .body
            .lines()
            .filter_map(|line| line.strip_prefix("id: "))
            .collect();
        assert_eq!(streamed, listed, "{query}");
    }
}

fn commits(user: &User) -> Vec<tradewind_core::Event> {
    user.events(&[EventKind::RepoCommitCreated])
}
