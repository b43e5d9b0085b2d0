//! Streams as a user gets them: the program itself, a daemon, a sandbox whose minutes are seconds.

#![expect(
    clippy::disallowed_methods,
    reason = "tests start outside programs themselves"
)]

use std::process::Command;
use std::sync::Arc;

use tradewind_core::Clock as _;
use tradewind_host::clock::SystemClock;
use tradewind_sandbox::{Accelerated, Settings};

use crate::market::Practice;
use crate::support::{Said, skipped};

const PATH: &str = "/v1/stream?instrument=BTC%2FUSDT@binance";

fn practice() -> Practice {
    let clock = Accelerated::new(SystemClock.now(), 60);
    Practice::new(Settings::generous().at(Arc::new(clock)))
}

#[test]
fn a_stream_needs_the_token_and_is_not_for_another_sites_page() {
    let practice = practice();
    let daemon = practice.up();
    let bearer = daemon.bearer();
    let socket = [
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ];
    for door in [&[][..], &socket[..]] {
        let without = daemon.ask("GET", PATH, door, "");
        assert_eq!(without.status, 401, "{without:?}");
        for foreign in ["Origin: http://evil.example", "Sec-Fetch-Site: cross-site"] {
            let headers = [door, &[bearer.as_str(), foreign][..]].concat();
            let answer = daemon.ask("GET", PATH, &headers, "");
            assert_eq!(answer.status, 403, "{answer:?}");
        }
    }
    let wrong = daemon.ask("GET", &format!("{PATH}&kind=ticks"), &[&bearer], "");
    assert_eq!(wrong.status, 400);
    assert!(wrong.body.contains("trades, quotes, bars"), "{wrong:?}");
}

/// Listens through both doors with what people have, goes on where it was, and prints how many it saw.
const LISTENERS: &str = r#"
import asyncio, json, sys, urllib.request
import aiohttp
base, token = sys.argv[1], sys.argv[2]
path = "/v1/stream?instrument=BTC%2FUSDT@binance&kind=trades&numbers=decimal"
auth = {"Authorization": "Bearer " + token}

def events(last, count):
    headers = dict(auth, **({"Last-Event-ID": last} if last else {}))
    seen = []
    with urllib.request.urlopen(urllib.request.Request(base + path, headers=headers)) as answer:
        assert answer.headers["content-type"] == "text/event-stream", answer.headers
        for line in answer:
            if line.startswith(b"data: "):
                message = json.loads(line[6:])
                if message["type"] == "trade":
                    seen.append(message)
            if len(seen) == count:
                return seen

async def socket(count):
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(base + path, headers=auth) as ws:
            seen = []
            async for frame in ws:
                message = json.loads(frame.data)
                if message["type"] == "trade":
                    seen.append(message)
                if len(seen) == count:
                    return seen

by_socket = asyncio.run(socket(4))
first = events(None, 3)
second = events(first[-1]["id"], 3)
numbers = [int(trade["trade_id"]) for trade in first + second]
assert numbers == list(range(numbers[0], numbers[0] + 6)), numbers
for trade in by_socket + first:
    assert set(trade) == {"type", "id", "instrument", "provider", "at", "trade_id", "price", "size", "taker"}, trade
    assert isinstance(trade["price"], str) and trade["provider"] == "binance", trade
print(len(by_socket) + len(numbers))
"#;

#[test]
fn aiohttp_and_urllib_listen_without_a_client_library() {
    let has = |python: &std::ffi::OsString| {
        let imports = ["-c", "import aiohttp"];
        Command::new(python)
            .args(imports)
            .output()
            .unwrap()
            .status
            .success()
    };
    let Some(python) = std::env::var_os("TRADEWIND_TEST_PYTHON").filter(has) else {
        return skipped(
            "aiohttp",
            "TRADEWIND_TEST_PYTHON names no Python with aiohttp",
        );
    };
    let practice = practice();
    let daemon = practice.up();
    let base = format!("http://{}", daemon.address);
    let said = Said::from(
        Command::new(python)
            .args(["-c", LISTENERS, &base, &daemon.token])
            .output()
            .unwrap(),
    );
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert_eq!(said.out.trim(), "10");
}

#[test]
fn the_terminal_follows_through_the_daemon_and_says_what_is_wrong() {
    let practice = practice();
    let follow = ["get", "trades", "BTC/USDT@binance", "--follow", "-n", "3"];
    let alone = practice.user.run(practice.home(), &follow);
    assert_eq!(alone.code, Some(4), "{alone:#?}");
    assert!(alone.err.contains("tradewind up"), "{alone:#?}");
    let daemon = practice.up();
    let shown = practice.user.ok(practice.home(), &follow);
    assert_eq!(shown.lines().count(), 3, "{shown}");
    assert!(
        shown
            .lines()
            .all(|line| line.contains("buy") || line.contains("sell")),
        "{shown}"
    );
    let json = [&follow[..], &["--format", "json"]].concat();
    let json = practice.user.ok(practice.home(), &json);
    let trades: Vec<serde_json::Value> = json
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|message: &serde_json::Value| message["type"] == "trade")
        .collect();
    assert_eq!(trades.len(), 3, "{json}");
    let nobody = practice.user.run(
        practice.home(),
        &["get", "trades", "BTC/USD@nowhere", "--follow"],
    );
    assert_eq!(nobody.code, Some(2), "{nobody:#?}");
    assert!(nobody.err.contains("@binance"), "{nobody:#?}");
    let form = [&follow[..], &["--format", "csv"]].concat();
    assert_eq!(practice.user.run(practice.home(), &form).code, Some(2));
    drop(daemon);
}
