//! `tradewind exec --shadow`: nothing differs for the program, and the end says what the gateway would have done.

#![expect(
    clippy::disallowed_methods,
    reason = "tests start outside programs themselves"
)]

use std::ffi::OsString;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::exec::{BARS, Practice, words};
use crate::origin::{Origin, reply};
use crate::support::{PATIENCE, Said, User, program, skipped};

fn summary(said: &Said) -> serde_json::Value {
    let line = said.err.lines().find(|line| line.starts_with('{'));
    serde_json::from_str(line.unwrap()).unwrap()
}

#[test]
fn every_call_goes_out_with_the_programs_own_key_and_what_could_be_saved_is_counted() {
    let Some(curl) = program(&["curl"]) else {
        return skipped("curl", "there is no curl");
    };
    let practice = Practice::new();
    let aggregates = "https://api.polygon.io/v2/aggs/ticker/AAPL/range/1/day/2024-03-01/2024-03-15?apiKey=of-the-program";
    let keys = [
        "-H",
        "APCA-API-KEY-ID: mine",
        "-H",
        "APCA-API-SECRET-KEY: mine",
    ];
    let mut command = vec![curl.clone().into_os_string()];
    command.extend(words(&["-sS", "-w", "\n"]));
    command.extend(words(&keys));
    command.extend(words(&[BARS, BARS, BARS]));
    command.extend(words(&[aggregates; 7]));
    let shadow = practice.exec_with(&["--shadow", "--format", "json"], &command);
    assert_eq!(shadow.code, Some(0), "{shadow:#?}");
    assert_eq!(
        (practice.requests("alpaca"), practice.requests("polygon")),
        (3, 7)
    );
    let said = summary(&shadow);
    assert_eq!(said["mode"], "shadow");
    let would = said["would_have"].as_array().unwrap();
    let of = |provider: &str| {
        would
            .iter()
            .find(|one| one["provider"] == provider)
            .unwrap()
    };
    assert_eq!(
        (&of("alpaca")["calls"], &of("alpaca")["same_again"]),
        (&3.into(), &2.into()),
        "{said}"
    );
    assert_eq!(of("alpaca")["over"], serde_json::json!([]));
    // Five a minute are free there; the sandbox was told to be generous.
    assert_eq!(of("polygon")["over"][0]["calls"], 2, "{said}");
    assert_eq!(of("polygon")["over"][0]["limit"], 5, "{said}");
    // Neither ledger nor journal was touched.
    assert!(!practice.user.state().join("journal.db").exists());

    // The same calls without us, byte for byte.
    let direct = |url: &str| {
        let (_, rest) = url.split_once("//").unwrap();
        let (host, path) = rest.split_once('/').unwrap();
        let mut curl = Command::new(&curl);
        curl.args(["-sS", "-H", &format!("Host: {host}")])
            .args(keys);
        let output = curl
            .arg(format!("http://{}/{path}", practice.sandbox.address()))
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap() + "\n"
    };
    assert_eq!(
        shadow.out,
        direct(BARS).repeat(3) + &direct(aggregates).repeat(7)
    );
    // Without a key of its own the program has none: ours is not lent in shadow mode.
    let bare = [
        vec![curl.into_os_string()],
        words(&["-sS", "-o", "-", "-w", "%{http_code}", BARS]),
    ]
    .concat();
    let none = practice.exec_with(&["--shadow"], &bare);
    assert!(
        none.out.ends_with("401") || none.out.ends_with("403"),
        "{none:#?}"
    );
    assert!(none.err.contains("Nothing was changed"), "{none:#?}");
}

/// Returns the command that asks for `url` so, and a user whose providers are all `origin`.
fn asking(origin: &Origin, options: &[&str], urls: &[&str]) -> Option<(User, Vec<OsString>)> {
    let curl = program(&["curl"])?;
    let mut user = User::new();
    user.set("TRADEWIND_SANDBOX", &origin.address.to_string());
    let command = [
        vec![curl.into_os_string()],
        words(&["-sS"]),
        words(options),
        words(urls),
    ]
    .concat();
    Some((user, command))
}

fn shadow(user: &User, command: &[OsString]) -> Said {
    let mut exec = user.tradewind(user.home.path());
    exec.args(["exec", "--shadow", "--format", "json", "--"])
        .args(command);
    Said::from(exec.output().unwrap())
}

#[test]
fn what_is_compressed_stays_so_and_every_header_arrives_as_it_was_written() {
    const BODY: &[u8] = b"\x1f\x8b\x08\x00not really, and nobody unpacks it\x00\xff";
    let origin = Origin::start(|_, stream| {
        let headers = [
            "Content-Encoding: gzip",
            "X-OdD-CaSe: 1",
            "content-type: application/json",
        ];
        reply(stream, "200 OK", &headers, BODY);
    });
    let options = [
        "-i",
        "--output",
        "answer",
        "-H",
        "X-MiXeD: 1",
        "-H",
        "accept-encoding: gzip, br",
        "-A",
        "my bot",
    ];
    let Some((user, command)) = asking(&origin, &options, &[BARS]) else {
        return skipped("curl", "there is no curl");
    };
    let said = shadow(&user, &command);
    assert_eq!(said.code, Some(0), "{said:#?}");
    let answer = std::fs::read(user.home.path().join("answer")).unwrap();
    assert!(answer.ends_with(BODY), "{answer:?}");
    let head = String::from_utf8_lossy(&answer).into_owned();
    assert!(
        head.contains("X-OdD-CaSe: 1") && head.contains("Content-Encoding: gzip"),
        "{head}"
    );
    // What arrives is what curl sends on its own.
    let (_, path) = BARS.split_once("markets").unwrap();
    let direct = Command::new(&command[0])
        .args(["-sS", "-H", "Host: data.alpaca.markets"])
        .args(&options[3..])
        .args(["--output", "direct"])
        .arg(format!("http://{}{path}", origin.address))
        .current_dir(user.home.path())
        .status();
    assert!(direct.unwrap().success());
    let came = origin.came();
    let lines = |head: &str| {
        let mut lines: Vec<_> = head.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(lines(&came[0].head), lines(&came[1].head));
}

#[test]
fn two_that_ask_at_once_are_asked_for_twice_and_one_could_have_been_saved() {
    let here = AtomicUsize::new(0);
    let origin = Origin::start(move |_, stream| {
        here.fetch_add(1, Ordering::SeqCst);
        let begun = Instant::now();
        // Both are under way before either is answered.
        while here.load(Ordering::SeqCst) < 2 && begun.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(5));
        }
        reply(stream, "200 OK", &[], b"{\"bars\": {}}");
    });
    let Some((user, command)) = asking(&origin, &["-Z", "--parallel-immediate"], &[BARS, BARS])
    else {
        return skipped("curl", "there is no curl");
    };
    let said = shadow(&user, &command);
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert_eq!(origin.came().len(), 2);
    let would = &summary(&said)["would_have"][0];
    assert_eq!(
        (&would["calls"], &would["would_share"], &would["same_again"]),
        (&2.into(), &1.into(), &0.into()),
        "{would}"
    );
}
