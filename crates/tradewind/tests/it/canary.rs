//! A key is in no file, answer, log or metric of ours, wherever it was planted.

use std::cell::Cell;
use std::ffi::OsString;
use std::io::Read as _;
use std::path::Path;
use std::thread::JoinHandle;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

use crate::exec::BARS;
use crate::origin::{Origin, reply};
use crate::support::{Answer, Daemon, Repo, Said, User, program, skipped};

/// What each planted key begins and ends with, around characters that are escaped on the way.
const FRONT: &str = "canary7f3a91";
const BACK: &str = "never5e3n";

fn key(place: &str) -> String {
    format!("{FRONT}{place}/+&={BACK}")
}

/// Every form in which a part of a key could stand in a file.
fn forms() -> Vec<String> {
    let mut forms = Vec::new();
    for part in [FRONT, BACK] {
        forms.push(part.to_owned());
        let digits: Vec<_> = part.bytes().map(|byte| format!("{byte:02x}")).collect();
        forms.push(digits.concat());
        for shift in 0..3 {
            let shifted = [&b"\0\0\0"[..shift], part.as_bytes()].concat();
            let whole = shifted.len() * 8 / 6;
            let dropped = [0, 2, 3][shift];
            for text in [STANDARD.encode(&shifted), URL_SAFE.encode(&shifted)] {
                forms.push(text[dropped..whole].to_owned());
            }
        }
    }
    forms
}

fn is_clean(what: &str, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let lower = text.to_ascii_lowercase();
    for form in forms() {
        let is_there = text.contains(&form) || lower.contains(&form);
        assert!(!is_there, "{what} holds {form}:\n{text}");
    }
}

/// Looks into every file below a folder; returns how many.
fn files_are_clean(dir: &Path) -> usize {
    let mut count = 0;
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            count += files_are_clean(&path);
        } else if let Ok(bytes) = std::fs::read(&path) {
            is_clean(&path.display().to_string(), &bytes);
            is_clean("its name", path.display().to_string().as_bytes());
            count += 1;
        }
    }
    count
}

/// A provider that repeats everything it was told, in what it grants and in what it refuses.
fn parrot() -> Origin {
    Origin::start(|came, stream| {
        let heard = serde_json::to_string(&format!("{}\n{}", came.head, came.body)).unwrap();
        let encoded = STANDARD.encode(&came.head);
        let key = came.head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.to_ascii_lowercase()
                .contains("key")
                .then(|| format!("x-echo: {value}"))
        });
        let echo = key.unwrap_or_else(|| "x-echo: none".to_owned());
        let headers = ["content-type: application/json", &echo];
        if came.line().starts_with("GET /v2/stocks/bars") {
            let row = r#"{"t":"2024-03-01T05:00:00Z","o":1,"h":1,"l":1,"c":1,"v":1,"n":1,"vw":1}"#;
            let body = format!(
                r#"{{"bars":{{"AAPL":[{row}]}},"next_page_token":null,"heard":{heard},"encoded":"{encoded}"}}"#
            );
            reply(stream, "200 OK", &headers, body.as_bytes());
        } else {
            let body = format!(r#"{{"status":"ERROR","error":{heard},"message":{heard}}}"#);
            reply(stream, "401 Unauthorized", &headers, body.as_bytes());
        }
    })
}

/// A daemon that has keys, and programs that do not have them.
struct Scene {
    user: User,
    daemon: Daemon,
    log: JoinHandle<Vec<u8>>,
    curl: OsString,
    recordings: Cell<u32>,
}

impl Scene {
    fn new(origin: &Origin, curl: OsString) -> Self {
        let mut user = User::new();
        user.set("TRADEWIND_SANDBOX", &origin.address.to_string());
        user.set("TRADEWIND_LOG", "trace");
        let repo = Repo::new(user.home.path().join("bot"));
        repo.write("bot.py", "print(1)\n");
        repo.commit("feat: a bot");
        let keys = [
            ("APCA_API_KEY_ID", "one"),
            ("APCA_API_SECRET_KEY", "two"),
            ("POLYGON_API_KEY", "three"),
            ("FRED_API_KEY", "eight"),
        ];
        for (name, place) in keys {
            user.set(name, &key(place));
        }
        let mut daemon = user.up(&repo.path);
        for (name, _) in keys {
            user.set(name, "");
        }
        let mut stderr = daemon.child.stderr.take().unwrap();
        let log = std::thread::spawn(move || {
            let mut text = Vec::new();
            stderr.read_to_end(&mut text).unwrap();
            text
        });
        Self {
            user,
            daemon,
            log,
            curl,
            recordings: Cell::new(0),
        }
    }

    /// Records a program; what we say of it is clean.
    fn record(&self, command: &[&str]) -> Said {
        self.recordings.set(self.recordings.get() + 1);
        let home = self.user.home.path();
        let cassette = home.join(format!("cassette-{}.json", self.recordings.get()));
        let mut exec = self.user.tradewind(home);
        exec.args(["exec", "--record"])
            .arg(cassette)
            .arg("--")
            .arg(&self.curl);
        let said = Said::from(exec.args(["-sS", "-i"]).args(command).output().unwrap());
        is_clean("what exec says", said.err.as_bytes());
        said
    }

    fn ask(&self, path: &str) -> Answer {
        let token = format!("X-Tradewind-Token: {}", self.daemon.token);
        let answer = self.daemon.ask("GET", path, &[&token], "");
        is_clean(path, format!("{answer:?}").as_bytes());
        answer
    }
}

#[test]
fn a_planted_key_is_seen_nowhere() {
    let Some(curl) = program(&["curl"]) else {
        return skipped("curl", "there is no curl");
    };
    let origin = parrot();
    let scene = Scene::new(&origin, curl.into_os_string());
    // The gateway's own keys: whoever asks never sees them, not even when the provider repeats them.
    let said = scene.record(&[BARS]);
    assert!(said.out.contains("REDACTED-alpaca-key"), "{said:#?}");
    is_clean("an answer", said.out.as_bytes());
    let aggregates = "/v2/aggs/ticker/AAPL/range/1/day/2024-03-01/2024-03-15";
    let series = "/p/fred/fred/series/observations?series_id=GDP&file_type=json";
    for path in [&format!("/p/polygon{aggregates}"), series] {
        assert_eq!(scene.ask(path).status, 401);
    }

    // The program's own keys: in a header, in the query, in a body, in the error text that answers them.
    let in_header = format!("APCA-API-KEY-ID: {}", key("four"));
    let session = format!("X-Session-Token: {}", key("five"));
    scene.record(&["-H", &in_header, "-H", &session, BARS]);
    let escaped = [('/', "%2F"), ('+', "%2B"), ('&', "%26"), ('=', "%3D")];
    let in_query = escaped
        .iter()
        .fold(key("six"), |key, (c, code)| key.replace(*c, code));
    scene.record(&[&format!(
        "https://api.polygon.io{aggregates}?apiKey={in_query}"
    )]);
    let order = format!("{{\"note\": \"{}\"}}", key("seven"));
    let to = "https://paper-api.alpaca.markets/v2/orders";
    scene.record(&["-X", "POST", "-H", &in_header, "-d", &order, to]);

    // Questions in our words, and everything that tells of them.
    for path in [
        "/v1/bars/AAPL.csv?provider=alpaca&start=2024-03-01&end=2024-03-02",
        "/v1/bars/AAPL.csv?provider=polygon&adjust=splits",
        "/metrics",
        "/v1/events",
        "/",
    ] {
        scene.ask(path);
    }
    for args in [
        &["usage", "--format", "json"][..],
        &["usage", "--by", "consumer"],
        &["log", "--format", "json"],
        &["status"],
    ] {
        let said = scene.user.run(&scene.user.home.path().join("bot"), args);
        assert_eq!(said.code, Some(0), "{said:#?}");
        is_clean("a report", format!("{said:?}").as_bytes());
    }
    drop(scene.daemon);
    let log = scene.log.join().unwrap();
    assert!(log.len() > 1_000, "a log of everything is long");
    is_clean("the log", &log);
    // Everything under the user's home: journal, blobs, cached answers, cassettes.
    let home = scene.user.home.path();
    assert!(files_are_clean(home) > 10);
    let recorded = std::fs::read_to_string(home.join("cassette-2.json")).unwrap();
    for placeholder in ["REDACTED-alpaca-key", "REDACTED-x-session-token"] {
        assert!(recorded.contains(placeholder), "{recorded}");
    }
    // The provider did get each of them, or all this would prove nothing.
    let mut came = String::new();
    for request in origin.came() {
        came.push_str(&format!("{}\n{}\n", request.head, request.body));
    }
    for place in [
        "one", "two", "three", "four", "five", "six", "seven", "eight",
    ] {
        assert!(came.contains(&format!("{FRONT}{place}")), "{place}: {came}");
    }
}
