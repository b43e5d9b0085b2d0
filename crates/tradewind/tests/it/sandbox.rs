//! `tradewind sandbox` as a user starts it: it prints what to ask, answers, and ends when told to.

#![cfg(unix)]
#![expect(
    clippy::disallowed_methods,
    reason = "the program is started and told to end as a user does it"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use crate::support::{PATIENCE, User};

/// Asks for a path and returns everything that comes.
fn ask(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Ends with the test, whatever happens.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn it_says_what_to_ask_answers_it_and_ends_cleanly() {
    let user = User::new();
    let started = user
        .tradewind(user.home.path())
        .args(["sandbox", "--port", "0", "--now", "2025-06-13T19:30:00Z"])
        .args(["--fault", "kraken=storm:1", "--limit", "binance=4"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut child = Ended(started);
    let mut out = BufReader::new(child.0.stdout.take().unwrap());
    let mut said = String::new();
    while !said.contains("Ctrl-C") {
        assert!(out.read_line(&mut said).unwrap() > 0, "it ended: {said}");
    }
    let line = said.lines().find(|line| line.contains("curl '")).unwrap();
    let url = line.split('\'').nth(1).unwrap();
    let (address, path) = url
        .strip_prefix("http://")
        .unwrap()
        .split_once('/')
        .unwrap();
    let path = format!("/{path}");
    for status in ["200 OK", "200 OK", "429 Too Many Requests"] {
        let answer = ask(address, &path);
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{answer}"
        );
    }
    let stormed = ask(address, "/kraken/0/public/SystemStatus");
    assert!(stormed.contains("EGeneral:Too many requests"), "{stormed}");
    let stats = ask(address, "/_sandbox/stats");
    let counted = "\"klines\":{\"requests\":3,\"refused\":1";
    assert!(stats.contains(counted), "{stats}");
    assert!(stats.contains("date: "), "{stats}");
    // What Ctrl-C sends.
    let pid = child.0.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &pid])
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(child.0.wait().unwrap().code(), Some(0));
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("has ended"), "{rest}");
}

#[test]
fn what_makes_no_sense_is_a_wrong_command_line() {
    let user = User::new();
    for (args, hint) in [
        (["--fault", "nobody=storm"], "alpaca, alphavantage"),
        (["--fault", "alpaca=fire"], "storm, ban"),
        (
            ["--fault", "yahoo=missing-page"],
            "does not answer in pages",
        ),
        (["--limit", "tiingo.week=3"], "hour, day, symbols"),
        (["--now", "soonish"], "write a span"),
    ] {
        let args = ["sandbox", "--port", "0", args[0], args[1]];
        let said = user.run(user.home.path(), &args);
        assert_eq!(said.code, Some(2), "{args:?}: {said:#?}");
        assert!(said.err.contains(hint), "{args:?}: {}", said.err);
    }
}
