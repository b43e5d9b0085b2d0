//! `tradewind exec --record` and `--replay` of programs that listen: a stream of the sandbox is played without it.

use std::ffi::OsString;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;

use tradewind_core::Clock as _;
use tradewind_host::clock::SystemClock;
use tradewind_sandbox::{Accelerated, Settings};

use crate::exec::{Practice, python_with};
use crate::support::{Said, User, skipped};

/// A bot as people write it: a client that offers compression, a key in its first message, two subscriptions of which
/// the second follows from what it heard, and an end of its own. Its last lines are what it heard.
const BOT: &str = r#"
import asyncio, json, os, sys
import websockets

async def main():
    url = "wss://stream.data.alpaca.markets/v2/iex"
    async with websockets.connect(url) as ws:
        heard = [await ws.recv()]
        await ws.send(json.dumps({"action": "auth", "key": os.environ["APCA_API_KEY_ID"], "secret": os.environ["APCA_API_SECRET_KEY"]}))
        heard.append(await ws.recv())
        await ws.send(json.dumps({"action": "subscribe", "trades": ["AAPL"]}))
        heard.append(await ws.recv())
        await ws.send(json.dumps({"quotes": ["AAPL"], "action": "subscribe"}))
        heard.append(await ws.recv())
        assert json.loads(heard[3])[0]["quotes"] == ["AAPL"], heard
        await ws.send(json.dumps({"action": "unsubscribe", "trades": ["AAPL"]}))
        heard.append(await ws.recv())
    print("\n".join(heard))

asyncio.run(main())
"#;

/// Listens to what happens, at a venue that needs no key and never closes.
const LISTENER: &str = r#"
import asyncio, json
import websockets

async def main():
    async with websockets.connect("wss://stream.binance.com:9443/stream") as ws:
        await ws.send(json.dumps({"method": "SUBSCRIBE", "params": ["btcusdt@trade", "btcusdt@aggTrade"], "id": 1}))
        for _ in range(12):
            print(await ws.recv())

asyncio.run(main())
"#;

const KEY: &str = "key-of-the-one-who-listens";

fn python(practice: &User, name: &str, code: &str) -> Option<Vec<OsString>> {
    let python = python_with(&["websockets"])?;
    let path = practice.home.path().join(name);
    std::fs::write(&path, code).unwrap();
    Some(vec![python, path.into_os_string()])
}

fn practice() -> Practice {
    let clock = Accelerated::new(SystemClock.now(), 60);
    let mut practice = Practice::with(Settings::generous().at(Arc::new(clock)));
    practice.user.set("APCA_API_KEY_ID", KEY);
    practice.user.set("APCA_API_SECRET_KEY", "pair7");
    practice
}

/// Somebody else's machine: no sandbox, other keys, and providers nowhere.
fn stranger() -> User {
    let mut user = User::new();
    user.set("APCA_API_KEY_ID", "no-key-at-all-1");
    user.set("APCA_API_SECRET_KEY", "no-key-at-all-2");
    user
}

fn replay(user: &User, cassette: &str, command: &[OsString]) -> Said {
    let mut exec = user.tradewind(user.home.path());
    exec.args(["exec", "--replay", cassette, "--"]);
    Said::from(exec.args(command).output().unwrap())
}

fn without_websockets() {
    skipped(
        "clients",
        "TRADEWIND_TEST_PYTHON names no Python with websockets",
    );
}

#[test]
fn a_bot_that_listens_hears_the_same_each_time_without_a_network() {
    let practice = practice();
    for (name, code, messages) in [("bot.py", BOT, 5), ("listener.py", LISTENER, 12)] {
        let Some(command) = python(&practice.user, name, code) else {
            return without_websockets();
        };
        let path = practice.user.home.path().join(format!("{name}.json"));
        let cassette = path.to_str().unwrap();
        let recorded = practice.exec_with(&["--record", cassette], &command);
        assert_eq!(recorded.code, Some(0), "{recorded:#?}");
        assert_eq!(recorded.out.lines().count(), messages, "{recorded:#?}");
        assert!(
            recorded.err.contains("0 calls and 1 stream with "),
            "{recorded:#?}"
        );
        let text = std::fs::read_to_string(&path).unwrap();
        for gone in [KEY, "pair7"] {
            assert!(!text.contains(gone), "{text}");
        }
        let written: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(written["schema_version"], 2);
        assert_eq!(written["streams"][0]["end"]["how"], "open", "{text}");
        let frames = written["streams"][0]["frames"].as_array().unwrap();
        assert!(frames.len() > messages, "{text}");

        let stranger = stranger();
        for _ in 0..2 {
            let said = replay(&stranger, cassette, &command);
            assert_eq!(said.code, Some(0), "{said:#?}");
            assert_eq!(said.out, recorded.out, "{said:#?}");
            assert!(said.err.contains("1 stream of"), "{said:#?}");
        }
        assert!(!stranger.state().join("journal.db").exists());
    }
    assert_eq!(practice.sandbox.stats().stream_of("alpaca").connections, 1);
}

#[test]
fn another_subscription_is_refused_named_and_ends_with_one() {
    let practice = practice();
    let Some(command) = python(&practice.user, "bot.py", BOT) else {
        return without_websockets();
    };
    let path = practice.user.home.path().join("bot.json");
    let cassette = path.to_str().unwrap();
    let recorded = practice.exec_with(&["--record", cassette], &command);
    assert_eq!(recorded.code, Some(0), "{recorded:#?}");
    let tolerant = |code: &str| {
        let code = code.replace(
            "asyncio.run(main())",
            "try:\n    asyncio.run(main())\nexcept websockets.exceptions.ConnectionClosed as closed:\n    \
             print(closed.rcvd.code, closed.rcvd.reason)\nexcept websockets.exceptions.InvalidStatus as refused:\n    \
             print(refused.response.status_code)\n",
        );
        python(&practice.user, "other.py", &code).unwrap()
    };
    let other = tolerant(&BOT.replace("\"trades\": [\"AAPL\"]", "\"trades\": [\"MSFT\"]"));
    let said = replay(&stranger(), cassette, &other);
    assert_eq!(said.out, "4599 not in the cassette\n", "{said:#?}");
    assert_eq!(said.code, Some(1), "{said:#?}");
    let missing = "Missing in the cassette: {\"action\": \"subscribe\", \"trades\": [\"MSFT\"]}, said to the stream \
                   wss://stream.data.alpaca.markets/v2/iex, 1×.";
    assert!(said.err.contains(missing), "{said:#?}");
    assert!(said.err.contains("--record"), "{said:#?}");
    let elsewhere = tolerant(&BOT.replace("/v2/iex", "/v2/sip"));
    let said = replay(&stranger(), cassette, &elsewhere);
    assert_eq!(
        (said.out.as_str(), said.code),
        ("599\n", Some(1)),
        "{said:#?}"
    );
    let missing = "the stream wss://stream.data.alpaca.markets/v2/sip";
    assert!(said.err.contains(missing), "{said:#?}");
}

/// A server in place of every provider: it opens one WebSocket, says what it was told, and is gone.
fn server(says: Vec<u8>) -> (SocketAddr, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let served = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        assert!(head.contains(SAMPLE_KEY), "{head}");
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: {SAMPLE_ACCEPT}\r\n\r\n",
        );
        stream.write_all(answer.as_bytes()).unwrap();
        stream.write_all(&says).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        // What the program still says is read, so that nothing is reset.
        let mut rest = Vec::new();
        drop(stream.read_to_end(&mut rest));
        head
    });
    (address, served)
}

/// The key of the example in RFC 6455 §1.3, and what a server answers to it.
const SAMPLE_KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const SAMPLE_ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
/// Lets the client use that key.
const SAMPLE: &str = "import websockets.client\n\
                      websockets.client.generate_key = lambda: 'dGhlIHNhbXBsZSBub25jZQ=='\n\
                      from websockets.sync.client import connect\n";

#[test]
fn nothing_compressed_is_asked_for_and_an_end_comes_again_as_it_was() {
    let code = "with connect('wss://ws.kraken.com/v2') as ws:\n\
                \x20   try:\n\
                \x20       while True:\n\
                \x20           print(ws.recv())\n\
                \x20   except websockets.exceptions.ConnectionClosed as closed:\n\
                \x20       print(closed.rcvd and (closed.rcvd.code, closed.rcvd.reason))\n";
    let close = b"\x88\x06\x03\xf4gone";
    for (says, heard, end) in [
        (
            [&b"\x81\x05Hello"[..], close].concat(),
            "Hello\n(1012, 'gone')\n",
            "closed",
        ),
        (b"\x81\x05Hello".to_vec(), "Hello\nNone\n", "cut"),
    ] {
        let mut practice = Practice::new();
        let Some(command) = python(&practice.user, "client.py", &format!("{SAMPLE}{code}")) else {
            return without_websockets();
        };
        let (address, served) = server(says);
        practice.user.set("TRADEWIND_SANDBOX", &address.to_string());
        let path = practice.user.home.path().join("end.json");
        let cassette = path.to_str().unwrap();
        let recorded = practice.exec_with(&["--record", cassette], &command);
        assert_eq!(recorded.out, heard, "{recorded:#?}");
        assert_eq!(recorded.code, Some(0), "{recorded:#?}");
        let head = served.join().unwrap().to_ascii_lowercase();
        assert!(!head.contains("sec-websocket-extensions"), "{head}");
        assert!(!head.contains("proxy-authorization"), "{head}");
        let text = std::fs::read_to_string(&path).unwrap();
        let written: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(written["streams"][0]["end"]["how"], end, "{text}");
        let played = replay(&stranger(), cassette, &command);
        assert_eq!(
            (played.out.as_str(), played.code),
            (heard, Some(0)),
            "{played:#?}"
        );
    }
}

/// Before, it was taken for a call and could not be opened.
#[test]
fn a_websocket_to_a_broker_goes_straight_there_and_is_in_no_recording() {
    let code = "with connect('wss://paper-api.alpaca.markets/stream') as ws:\n\
                \x20   print(ws.recv())\n";
    for mode in [&[][..], &["--shadow"], &["--record", "market.json"]] {
        let mut practice = Practice::new();
        let Some(command) = python(&practice.user, "client.py", &format!("{SAMPLE}{code}")) else {
            return without_websockets();
        };
        let (address, served) = server(b"\x81\x05Hello\x88\x02\x03\xe8".to_vec());
        practice.user.set("TRADEWIND_SANDBOX", &address.to_string());
        let said = practice.exec_with(mode, &command);
        assert_eq!(
            (said.out.as_str(), said.code),
            ("Hello\n", Some(0)),
            "{said:#?}"
        );
        let straight = "WebSockets straight to: 1 hosts (paper-api.alpaca.markets)";
        assert!(said.err.contains(straight), "{said:#?}");
        served.join().unwrap();
        if !mode.contains(&"--record") {
            continue;
        }
        let text = std::fs::read_to_string(practice.user.home.path().join("market.json")).unwrap();
        assert!(!text.contains("Hello"), "{text}");
        let written: serde_json::Value = serde_json::from_str(&text).unwrap();
        let left_out = serde_json::json!([{"host": "paper-api.alpaca.markets", "why": "not_data", "calls": 1}]);
        assert_eq!(written["left_out"], left_out);
        let refused = replay(&practice.user, "market.json", &command);
        assert_eq!(refused.code, Some(1), "{refused:#?}");
        assert!(refused.err.contains("599"), "{refused:#?}");
    }
}
