//! `tradewind exec --record` and `--replay`: a recording made against the sandbox is played without it.

use std::ffi::OsString;

use crate::exec::{BARS, Practice, python_with, words};
use crate::support::{Said, User, program, skipped};

/// A test-suite that asks providers live, as people write it: with a key from the environment, a span that ends
/// today, pages, and a price of this moment.
const SUITE: &str = r#"
import datetime, os, requests

def now():
    clock = os.environ.get("TRADEWIND_REPLAY_CLOCK")
    if clock:
        return datetime.datetime.fromisoformat(clock.replace("Z", "+00:00"))
    return datetime.datetime.now(datetime.timezone.utc)

KEYS = {"APCA-API-KEY-ID": os.environ["APCA_API_KEY_ID"], "APCA-API-SECRET-KEY": os.environ["APCA_API_SECRET_KEY"]}

def bars(symbol, **more):
    start = (now() - datetime.timedelta(days=30)).isoformat()
    params = {"symbols": symbol, "timeframe": "1Day", "start": start, "limit": 5, **more}
    answer = requests.get("https://data.alpaca.markets/v2/stocks/bars", params=params, headers=KEYS)
    answer.raise_for_status()
    return answer.json()

def test_every_page_has_rows():
    seen, token = [], None
    while True:
        page = bars("AAPL", **({"page_token": token} if token else {}))
        seen += page["bars"]["AAPL"]
        token = page.get("next_page_token")
        if not token:
            break
    print(seen)
    assert len(seen) > 15

def test_a_price_of_this_moment():
    for _ in range(3):
        answer = requests.get("https://api.binance.com/api/v3/ticker/price", params={"symbol": "BTCUSDT"})
        print(answer.status_code, answer.text, answer.headers["date"])
        assert float(answer.json()["price"]) > 0

def test_what_there_is_not():
    answer = requests.get("https://data.alpaca.markets/v2/stocks/bars", params={"timeframe": "1Day"}, headers=KEYS)
    print(answer.status_code, answer.text)
    assert answer.status_code >= 400
"#;

const KEY: &str = "key-of-the-one-who-records";

/// Somebody else's machine: no sandbox, no gateway's state, other keys.
fn stranger() -> User {
    let mut user = User::new();
    user.set("APCA_API_KEY_ID", "no-key-at-all-1");
    user.set("APCA_API_SECRET_KEY", "no-key-at-all-2");
    user
}

fn replay(user: &User, cassette: &str, command: &[OsString]) -> Said {
    let mut exec = user.tradewind(user.home.path());
    exec.args(["exec", "--replay", cassette, "--"])
        .args(command);
    Said::from(exec.output().unwrap())
}

fn json(path: &str) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn a_suite_that_asks_live_providers_runs_offline_and_says_the_same_each_time() {
    let Some(python) = python_with(&["requests", "pytest"]) else {
        return skipped(
            "clients",
            "TRADEWIND_TEST_PYTHON names no Python with requests and pytest",
        );
    };
    let mut practice = Practice::new();
    practice.user.set("APCA_API_KEY_ID", KEY);
    practice.user.set("APCA_API_SECRET_KEY", KEY);
    let suite = practice.user.home.path().join("test_market.py");
    std::fs::write(&suite, SUITE).unwrap();
    let mut pytest = vec![python];
    pytest.extend(words(&[
        "-m",
        "pytest",
        "-qq",
        "-s",
        "-p",
        "no:cacheprovider",
    ]));
    pytest.push(suite.into_os_string());
    let cassette = practice.user.home.path().join("market.json");
    let cassette = cassette.to_str().unwrap();

    let recorded = practice.exec_with(&["--record", cassette], &pytest);
    assert_eq!(recorded.code, Some(0), "{recorded:#?}");
    let asked = practice.requests("alpaca");
    assert!(asked >= 5, "{asked}");
    assert_eq!(practice.requests("binance"), 3);
    let text = std::fs::read_to_string(cassette).unwrap();
    assert!(!text.contains(KEY), "{text}");
    let calls = json(cassette)["calls"].as_array().unwrap().len() as u64;
    assert_eq!(calls, asked + 3, "{recorded:#?}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(cassette).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    let stranger = stranger();
    let first = replay(&stranger, cassette, &pytest);
    let second = replay(&stranger, cassette, &pytest);
    for said in [&first, &second] {
        assert_eq!(said.code, Some(0), "{said:#?}");
        assert_eq!(said.out, recorded.out, "{said:#?}");
    }
    assert_eq!(first.err, second.err);
    assert!(
        first.err.contains(&format!("{asked} to alpaca")),
        "{first:#?}"
    );
    // Nobody was asked, and nothing of the gateway was needed.
    assert_eq!(
        (practice.requests("alpaca"), practice.requests("binance")),
        (asked, 3)
    );
    assert!(!stranger.state().join("journal.db").exists());
}

#[test]
fn what_is_not_in_the_cassette_is_refused_named_and_ends_with_one() {
    let Some(curl) = program(&["curl"]) else {
        return skipped("curl", "there is no curl");
    };
    let practice = Practice::new();
    let curl = curl.into_os_string();
    let cassette = practice.user.home.path().join("market.json");
    let cassette = cassette.to_str().unwrap();
    let ask = |more: &[&str]| [vec![curl.clone()], words(&["-sS"]), words(more)].concat();
    let recorded = practice.exec_with(&["--record", cassette], &ask(&[BARS]));
    assert_eq!(recorded.code, Some(0), "{recorded:#?}");
    assert_eq!(
        replay(&stranger(), cassette, &ask(&[BARS])).out,
        recorded.out
    );

    let other = BARS.replace("2024-03-15", "2024-03-16");
    let status = ["-w", "\n%{http_code} %{content_type}"];
    let missing = replay(
        &stranger(),
        cassette,
        &ask(&[&[other.as_str()], &status[..]].concat()),
    );
    assert_eq!(missing.code, Some(1), "{missing:#?}");
    assert!(
        missing.out.ends_with("\n599 application/problem+json"),
        "{missing:#?}"
    );
    let said = "GET https://data.alpaca.markets/v2/stocks/bars?end=2024-03-16&limit=5&start=2024-03-01&symbols=AAPL&timeframe=1Day \
                (recorded with another end)";
    assert!(missing.out.contains(said), "{missing:#?}");
    assert!(missing.err.contains(said), "{missing:#?}");
    assert!(missing.err.contains("--record"), "{missing:#?}");

    // An order is sent to nobody; the program hears it.
    let order = ask(&[
        "-X",
        "POST",
        "-d",
        "{}",
        "https://paper-api.alpaca.markets/v2/orders?private=1",
    ]);
    let refused = replay(&stranger(), cassette, &order);
    assert_eq!(refused.code, Some(1), "{refused:#?}");
    assert!(
        refused
            .out
            .contains("POST https://paper-api.alpaca.markets/v2/orders is no call for data"),
        "{refused:#?}"
    );
    assert!(!refused.err.contains("private"), "{refused:#?}");

    // A stream is no page.
    let page = ["https://stream.data.alpaca.markets/v2/iex"];
    let refused = replay(&stranger(), cassette, &ask(&page));
    assert_eq!(refused.code, Some(1), "{refused:#?}");
    assert!(refused.out.contains("\"status\":599"), "{refused:#?}");

    // Hosts of nobody and those that are carried unread are not reached either: curl says 56, the proxy refused.
    for host in [
        "https://example.invalid/",
        "https://query1.finance.yahoo.com/v8/finance/chart/AAPL",
    ] {
        let said = replay(&stranger(), cassette, &ask(&[host]));
        assert_eq!(said.code, Some(56), "{said:#?}");
        assert!(said.err.contains("403"), "{said:#?}");
    }
    let plain = replay(&stranger(), cassette, &ask(&["http://example.invalid/"]));
    assert!(
        plain.out.contains("nothing leaves this machine"),
        "{plain:#?}"
    );
    assert_eq!(practice.requests("alpaca"), 1);
}

#[test]
fn only_a_cassette_is_overwritten_and_not_by_nothing() {
    let Some(curl) = program(&["curl"]) else {
        return skipped("curl", "there is no curl");
    };
    let practice = Practice::new();
    let curl = curl.into_os_string();
    let bars = [vec![curl.clone()], words(&["-sS", BARS])].concat();
    let path = practice.user.home.path().join("bot.json");
    let name = path.to_str().unwrap();
    std::fs::write(&path, "{\"name\": \"mine\"}").unwrap();
    let refused = practice.exec_with(&["--record", name], &bars);
    assert_eq!(refused.code, Some(2), "{refused:#?}");
    assert!(refused.err.contains("is no cassette"), "{refused:#?}");
    assert_eq!(
        std::fs::read_to_string(&path).unwrap(),
        "{\"name\": \"mine\"}"
    );
    assert_eq!(
        practice.requests("alpaca"),
        0,
        "the program was not started"
    );
    let unplayable = practice.exec_with(&["--replay", name], &bars);
    assert_eq!(unplayable.code, Some(2), "{unplayable:#?}");

    std::fs::remove_file(&path).unwrap();
    for times in [1, 2] {
        let said = practice.exec_with(&["--record", name], &bars);
        assert_eq!(
            (said.code, practice.requests("alpaca")),
            (Some(0), times),
            "{said:#?}"
        );
    }
    let before = std::fs::read_to_string(&path).unwrap();
    let nothing = practice.exec_with(&["--record", name], &words(&["true"]));
    assert_eq!(nothing.code, Some(1), "{nothing:#?}");
    assert!(nothing.err.contains("stays as it was"), "{nothing:#?}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), before);
    let lost = practice.exec_with(&["--record", "no/such/folder.json"], &bars);
    assert_eq!(lost.code, Some(2), "{lost:#?}");
}

#[test]
fn an_order_leaves_only_its_number_in_a_recording() {
    let Some(curl) = program(&["curl"]) else {
        return skipped("curl", "there is no curl");
    };
    let practice = Practice::new();
    let path = practice.user.home.path().join("market.json");
    let name = path.to_str().unwrap();
    let order =
        r#"{"symbol":"ZVZZT","qty":"7654321","side":"buy","type":"market","time_in_force":"day"}"#;
    let command = [
        vec![curl.into_os_string()],
        words(&[
            "-sS",
            "-X",
            "POST",
            "-d",
            order,
            "https://paper-api.alpaca.markets/v2/orders",
        ]),
    ]
    .concat();
    let said = practice.exec_with(&["--record", name, "--format", "json"], &command);
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert_eq!(practice.requests("alpaca"), 1);
    let cassette = json(name);
    assert_eq!(cassette["calls"], serde_json::json!([]));
    assert_eq!(
        cassette["left_out"],
        serde_json::json!([{"host": "paper-api.alpaca.markets", "why": "not_data", "calls": 1}])
    );
    let text = cassette.to_string();
    for gone in ["ZVZZT", "orders", "7654321"] {
        assert!(!text.contains(gone), "{gone}: {text}");
    }
    let line = said.err.lines().find(|line| line.starts_with('{')).unwrap();
    let summary: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(
        (&summary["schema_version"], &summary["mode"]),
        (&1.into(), &"record".into())
    );
}

#[test]
fn a_host_of_a_provider_cannot_be_allowed_and_what_cannot_be_written_is_told_first() {
    let practice = Practice::new();
    let path = practice.user.home.path().join("market.json");
    let name = path.to_str().unwrap();
    let command = words(&["true"]);
    assert_eq!(
        practice.exec_with(&["--record", name], &command).code,
        Some(0)
    );
    let allowed = ["--replay", name, "--allow", "data.alpaca.markets"];
    let said = practice.exec_with(&allowed, &command);
    assert_eq!(said.code, Some(2), "{said:#?}");
    let fine = ["--replay", name, "--allow", "example.invalid"];
    assert_eq!(practice.exec_with(&fine, &command).code, Some(0));
    #[cfg(unix)]
    {
        let link = practice.user.home.path().join("link.json");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let said = practice.exec_with(&["--record", link.to_str().unwrap()], &command);
        assert_eq!(said.code, Some(2), "{said:#?}");
    }
}

/// A bot has no end of its own: whoever stops it has recorded what it asked for until then.
#[cfg(unix)]
#[test]
fn a_bot_that_is_told_to_end_has_left_its_recording() {
    let Some(curl) = program(&["curl"]) else {
        return skipped("curl", "there is no curl");
    };
    let practice = Practice::new();
    let path = practice.user.home.path().join("market.json");
    // The shell tells `exec`, its parent, to end; that hands it on, and the shell sleeps no longer.
    let bot = format!(
        "trap 'exit 7' TERM; '{}' -sS -o answer '{BARS}'; kill -TERM $PPID; while :; do sleep 0.1; done",
        curl.display()
    );
    let said = practice.exec_with(
        &["--record", path.to_str().unwrap()],
        &words(&["sh", "-c", &bot]),
    );
    assert_eq!(said.code, Some(7), "{said:#?}");
    let cassette = json(path.to_str().unwrap());
    assert_eq!(cassette["calls"].as_array().unwrap().len(), 1, "{said:#?}");
}
