//! `tradewind exec`: real clients, unchanged, reach the sandbox through the gateway and nobody else.

#![expect(
    clippy::disallowed_methods,
    reason = "tests start outside programs themselves"
)]

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use tradewind_sandbox::{Running, Sandbox, Settings};

use crate::origin::{Origin, reply};
use crate::support::{Repo, Said, User, program, skipped};

pub(crate) const BARS: &str = "https://data.alpaca.markets/v2/stocks/bars?symbols=AAPL&timeframe=1Day&start=2024-03-01&end=2024-03-15&limit=5";

pub(crate) struct Practice {
    pub(crate) user: User,
    pub(crate) sandbox: Running,
    _runtime: tokio::runtime::Runtime,
}

impl Practice {
    pub(crate) fn new() -> Self {
        Self::with(Settings::generous())
    }

    pub(crate) fn with(settings: Settings) -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let sandbox = runtime.block_on(Sandbox::start(settings)).unwrap();
        let mut user = User::new();
        user.set("TRADEWIND_SANDBOX", &sandbox.address().to_string());
        user.set("APCA_API_KEY_ID", "key");
        user.set("APCA_API_SECRET_KEY", "secret");
        Self {
            user,
            sandbox,
            _runtime: runtime,
        }
    }

    pub(crate) fn exec(&self, command: &[OsString]) -> Said {
        self.exec_with(&[], command)
    }

    pub(crate) fn exec_with(&self, options: &[&str], command: &[OsString]) -> Said {
        let mut exec = self.user.tradewind(self.user.home.path());
        exec.arg("exec").args(options).arg("--").args(command);
        Said::from(exec.output().unwrap())
    }

    pub(crate) fn requests(&self, provider: &str) -> u64 {
        self.sandbox.stats().of(provider).requests
    }
}

pub(crate) fn words(words: &[&str]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}

/// Returns a Python that has these packages; says which are missing otherwise.
pub(crate) fn python_with(packages: &[&str]) -> Option<OsString> {
    let python = std::env::var_os("TRADEWIND_TEST_PYTHON")?;
    let imports = format!("import {}", packages.join(", "));
    let has = Command::new(&python)
        .args(["-c", &imports])
        .output()
        .unwrap()
        .status
        .success();
    has.then_some(python)
}

#[test]
fn curl_goes_through_with_our_key_and_its_exit_code_is_ours() {
    let Some(curl) = program(&["curl"]) else {
        return skipped("curl", "there is no curl");
    };
    let practice = Practice::new();
    let curl = curl.into_os_string();
    let said = practice.exec(&[vec![curl.clone()], words(&["-sS", "--fail", BARS])].concat());
    assert_eq!(said.code, Some(0), "{said:#?}");
    let answer: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(answer["bars"]["AAPL"].as_array().unwrap().len(), 5);
    assert_eq!(practice.requests("alpaca"), 1);
    assert!(said.err.contains("1 to alpaca"), "{said:#?}");
    // No such path: curl says 22, and so do we.
    let missing = "https://data.alpaca.markets/v2/nothing";
    let said = practice.exec(&[vec![curl], words(&["-sS", "--fail", missing])].concat());
    assert_eq!(said.code, Some(22), "{said:#?}");
}

#[test]
fn another_program_on_this_machine_cannot_use_the_proxy() {
    let Some(curl) = program(&["curl"]) else {
        return skipped("curl", "there is no curl");
    };
    let practice = Practice::new();
    let script = format!(
        "unset http_proxy HTTP_PROXY; proxy=$(echo $https_proxy | sed 's/.*@/http:\\/\\//'); unset https_proxy HTTPS_PROXY; \
         {} -sS -o answer -w '%{{http_connect}}' -x \"$proxy\" '{BARS}'; true",
        curl.display()
    );
    let said = practice.exec(&words(&["sh", "-c", &script]));
    assert_eq!(said.out, "407", "{said:#?}");
    assert_eq!(practice.requests("alpaca"), 0);
}

#[test]
fn an_order_goes_through_once_as_it_came() {
    let Some(curl) = program(&["curl"]) else {
        return skipped("curl", "there is no curl");
    };
    let practice = Practice::new();
    let order = r#"{"symbol":"AAPL","qty":"1","side":"buy","type":"market","time_in_force":"day"}"#;
    let to = "https://paper-api.alpaca.markets/v2/orders";
    let said = practice.exec(
        &[
            vec![curl.into_os_string()],
            words(&["-sS", "-i", "-X", "POST", "-d", order, to]),
        ]
        .concat(),
    );
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert!(
        said.out
            .to_ascii_lowercase()
            .contains("cache-status: tradewind; fwd=bypass"),
        "{said:#?}"
    );
    assert_eq!(practice.requests("alpaca"), 1, "{said:#?}");
}

/// Listens once in place of everybody and returns the first bytes that come.
fn first_bytes() -> (std::net::SocketAddr, std::thread::JoinHandle<Vec<u8>>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let heard = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut bytes = vec![0; 4096];
        let count = std::io::Read::read(&mut stream, &mut bytes).unwrap();
        bytes.truncate(count);
        bytes
    });
    (address, heard)
}

/// Says whether these bytes are the client's own greeting of TLS for a host of Yahoo.
fn is_greeting_of_yahoo(bytes: &[u8]) -> bool {
    let name = b"finance.yahoo.com";
    bytes.starts_with(&[0x16, 0x03]) && bytes.windows(name.len()).any(|part| part == name)
}

#[test]
fn a_host_that_judges_a_client_by_its_tls_is_carried_unread_and_counted() {
    let Some(curl) = program(&["curl"]) else {
        return skipped("curl", "there is no curl");
    };
    let mut practice = Practice::new();
    let (address, heard) = first_bytes();
    practice.user.set("TRADEWIND_SANDBOX", &address.to_string());
    let yahoo = "https://query1.finance.yahoo.com/v8/finance/chart/AAPL";
    let command = [
        vec![curl.into_os_string()],
        words(&["-sS", "-m", "20", yahoo]),
    ]
    .concat();
    let said = practice.exec(&command);
    // Who practises reaches no real host, and what arrives is what curl itself said.
    assert!(is_greeting_of_yahoo(&heard.join().unwrap()), "{said:#?}");
    assert!(
        said.err
            .contains("Carried unread: 1 hosts (query1.finance.yahoo.com:443)"),
        "{said:#?}"
    );
}

#[test]
fn what_a_program_fetched_through_the_daemon_is_counted_for_it() {
    let Some(curl) = program(&["curl"]) else {
        return skipped("curl", "there is no curl");
    };
    let practice = Practice::new();
    let repo = Repo::new(practice.user.home.path().join("bot"));
    repo.write("bot.py", "print(1)\n");
    repo.commit("feat: a bot");
    let daemon = practice.user.up(&repo.path);
    let curl = curl.into_os_string();
    let said = practice.exec(&[vec![curl], words(&["-sS", "--fail", BARS])].concat());
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert_eq!(practice.requests("alpaca"), 1);
    // Without the token nobody passes.
    let path = "/p/alpaca/v2/stocks/bars?symbols=AAPL&timeframe=1Day";
    assert_eq!(daemon.ask("GET", path, &[], "").status, 401);
    let token = daemon
        .bearer()
        .replace("Authorization: Bearer", "X-Tradewind-Token:");
    let through = daemon.ask("GET", path, &[&token], "");
    assert_eq!(through.status, 200, "{through:?}");
    // The token that opens our door goes no further. This provider would take it for a key, and the sandbox
    // takes any: it sees none.
    let polygon = "/p/polygon/v2/aggs/ticker/AAPL/range/1/day/2024-03-01/2024-03-15";
    let refused = daemon.ask("GET", polygon, &[&daemon.bearer()], "");
    assert_eq!(refused.status, 401, "{refused:?}");
    assert_eq!(practice.requests("polygon"), 1, "{refused:?}");
    let counted = practice.user.until("the count", || {
        let text = practice.user.ok(&repo.path, &["usage", "--format", "json"]);
        let usage: serde_json::Value = serde_json::from_str(&text).unwrap();
        (usage["sum"]["calls"] == 3).then_some(usage)
    });
    assert!(counted.to_string().contains("\"curl\""), "{counted}");
}

/// What each client runs: it prints the number of bars that it got.
const CLIENTS: &[(&str, &[&str], &str)] = &[
    (
        "urllib",
        &["json"],
        "import json, urllib.request\nprint(len(json.load(urllib.request.urlopen(URL))['bars']['AAPL']))",
    ),
    (
        "requests",
        &["requests"],
        "import requests\nprint(len(requests.get(URL).json()['bars']['AAPL']))",
    ),
    (
        "httpx",
        &["httpx"],
        "import httpx\nprint(len(httpx.get(URL).json()['bars']['AAPL']))",
    ),
    (
        "urllib3",
        &["urllib3"],
        "import os, urllib3\n\
         proxy = urllib3.util.parse_url(os.environ['HTTPS_PROXY'])\n\
         pool = urllib3.ProxyManager(f'http://{proxy.host}:{proxy.port}', proxy_headers=urllib3.make_headers(proxy_basic_auth=proxy.auth), ca_certs=os.environ['SSL_CERT_FILE'])\n\
         print(len(pool.request('GET', URL).json()['bars']['AAPL']))",
    ),
    (
        "aiohttp",
        &["aiohttp"],
        "import aiohttp, asyncio\n\
         async def main():\n\
         \x20   async with aiohttp.ClientSession() as session:\n\
         \x20       async with session.get(URL) as answer:\n\
         \x20           print(len((await answer.json())['bars']['AAPL']))\n\
         asyncio.run(main())",
    ),
    (
        "alpaca-py",
        &["alpaca"],
        "import datetime\n\
         from alpaca.data.historical import StockHistoricalDataClient\n\
         from alpaca.data.requests import StockBarsRequest\n\
         from alpaca.data.timeframe import TimeFrame\n\
         client = StockHistoricalDataClient('key', 'secret')\n\
         bars = client.get_stock_bars(StockBarsRequest(symbol_or_symbols='AAPL', timeframe=TimeFrame.Day, start=datetime.datetime(2024, 3, 1), end=datetime.datetime(2024, 3, 15), limit=5))\n\
         print(len(bars.data['AAPL']))",
    ),
];

/// ccxt in both its halves, at a venue that needs no key.
const CCXT: &[(&str, &str)] = &[
    (
        "ccxt",
        "import ccxt\nvenue = ccxt.binance({'options': {'fetchMarkets': ['spot'], 'fetchCurrencies': False}})\n\
         print(len(venue.publicGetKlines({'symbol': 'BTCUSDT', 'interval': '1d', 'limit': 5})))",
    ),
    (
        "ccxt async",
        "import asyncio, ccxt.async_support as ccxt\n\
         async def main():\n\
         \x20   venue = ccxt.binance()\n\
         \x20   try:\n\
         \x20       print(len(await venue.publicGetKlines({'symbol': 'BTCUSDT', 'interval': '1d', 'limit': 5})))\n\
         \x20   finally:\n\
         \x20       await venue.close()\n\
         asyncio.run(main())",
    ),
];

#[test]
fn python_clients_go_through_without_a_changed_line() {
    for (name, packages, code) in CLIENTS {
        let Some(python) = python_with(packages) else {
            skipped(
                "clients",
                &format!("TRADEWIND_TEST_PYTHON names no Python with {name}"),
            );
            continue;
        };
        goes_through(&python, name, &format!("URL = {BARS:?}\n{code}"), "alpaca");
    }
    for (name, code) in CCXT {
        let Some(python) = python_with(&["ccxt"]) else {
            skipped(
                "clients",
                &format!("TRADEWIND_TEST_PYTHON names no Python with {name}"),
            );
            continue;
        };
        goes_through(&python, name, code, "binance");
    }
}

fn goes_through(python: &OsString, name: &str, code: &str, provider: &str) {
    let practice = Practice::new();
    let path = practice.user.home.path().join("client.py");
    std::fs::write(&path, code).unwrap();
    let said = practice.exec(&[python.clone(), path.into_os_string()]);
    assert_eq!(said.code, Some(0), "{name}: {said:#?}");
    assert_eq!(said.out.trim(), "5", "{name}: {said:#?}");
    // One call each, and every one of them through the gateway: nothing else leads to the sandbox.
    assert_eq!(practice.requests(provider), 1, "{name}: {said:#?}");
    assert!(
        said.err.contains(&format!("1 to {provider}")),
        "{name}: {said:#?}"
    );
    let is_led = ["aiohttp", "ccxt async"].contains(&name);
    let line = "Led here by a hook, because they read no proxy variables: aiohttp.";
    assert!(!is_led || said.err.contains(line), "{name}: {said:#?}");
}

/// What a script of Node runs; each prints the number of bars that it got.
const NODE: &[(&str, &str)] = &[
    (
        "fetch of Node",
        "const answer = await fetch(URL);\nconsole.log((await answer.json()).bars.AAPL.length);",
    ),
    (
        "https of Node",
        "import https from 'node:https';\n\
         https.get(URL, (answer) => {\n\
         \x20 let text = '';\n\
         \x20 answer.on('data', (piece) => (text += piece));\n\
         \x20 answer.on('end', () => console.log(JSON.parse(text).bars.AAPL.length));\n\
         });",
    ),
    (
        "https of Node",
        "import https from 'node:https';\n\
         const agent = new https.Agent({ keepAlive: true });\n\
         https.request(URL, { agent, headers: { 'x-mine': '1' } }, async (answer) => {\n\
         \x20 let text = '';\n\
         \x20 for await (const piece of answer) text += piece;\n\
         \x20 console.log(JSON.parse(text).bars.AAPL.length);\n\
         \x20 agent.destroy();\n\
         }).end();",
    ),
];

#[test]
fn node_goes_through_without_a_changed_line_and_we_say_how() {
    let Some(node) = program(&["node"]) else {
        return skipped("node", "there is no node");
    };
    for (name, code) in NODE {
        let mut practice = Practice::new();
        practice.user.set("NODE_OPTIONS", "--no-warnings");
        let path = practice.user.home.path().join("client.mjs");
        std::fs::write(&path, format!("const URL = {BARS:?};\n{code}")).unwrap();
        let said = practice.exec(&[node.clone().into_os_string(), path.into_os_string()]);
        assert_eq!(said.code, Some(0), "{code}: {said:#?}");
        assert_eq!(said.out.trim(), "5", "{code}: {said:#?}");
        assert_eq!(practice.requests("alpaca"), 1, "{code}: {said:#?}");
        assert!(said.err.contains("1 to alpaca"), "{code}: {said:#?}");
        let version = Command::new(&node).arg("--version").output().unwrap();
        let version = String::from_utf8(version.stdout).unwrap();
        // Newer ones read the variables themselves.
        if version.starts_with("v18.") || version.starts_with("v20.") {
            let led = format!("Led here by a hook, because they read no proxy variables: {name}.");
            assert!(said.err.contains(&led), "{said:#?}");
        }
    }
}

#[test]
fn a_server_on_this_machine_is_reached_by_node_without_us() {
    let Some(node) = program(&["node"]) else {
        return skipped("node", "there is no node");
    };
    let origin = Origin::start(|_, stream| reply(stream, "200 OK", &[], b"mine"));
    let practice = Practice::new();
    let code = format!(
        "import http from 'node:http';\n\
         const URL = 'http://{}/';\n\
         console.log(await (await fetch(URL)).text());\n\
         http.get(URL, (answer) => answer.on('data', (piece) => console.log(String(piece))));",
        origin.address
    );
    let path = practice.user.home.path().join("client.mjs");
    std::fs::write(&path, code).unwrap();
    let said = practice.exec(&[node.into_os_string(), path.into_os_string()]);
    assert_eq!(said.out, "mine\nmine\n", "{said:#?}");
    assert!(!said.err.contains("Led here"), "{said:#?}");
    assert!(
        origin
            .came()
            .iter()
            .all(|came| !came.head.to_lowercase().contains("proxy"))
    );
}

/// Yahoo judges a client by its TLS, so nothing of what is said there can be seen by us: what is tested is that
/// yfinance comes to us and that its own greeting is carried, not what it would get.
#[test]
fn yfinance_is_carried_unread_and_counted() {
    let Some(python) = python_with(&["yfinance"]) else {
        return skipped(
            "clients",
            "TRADEWIND_TEST_PYTHON names no Python with yfinance",
        );
    };
    let mut practice = Practice::new();
    let (address, heard) = first_bytes();
    practice.user.set("TRADEWIND_SANDBOX", &address.to_string());
    let code = "from curl_cffi import requests\n\
                import yfinance\n\
                session = requests.Session(impersonate='chrome', timeout=20)\n\
                try:\n\
                \x20   print(len(yfinance.Ticker('AAPL', session=session).history(period='5d')))\n\
                except Exception as error:\n\
                \x20   print(type(error).__name__)\n";
    let path = practice.user.home.path().join("client.py");
    std::fs::write(&path, code).unwrap();
    let said = practice.exec(&[python, path.into_os_string()]);
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert!(said.err.contains("Carried unread"), "{said:#?}");
    assert!(said.err.contains("yahoo.com:443"), "{said:#?}");
    assert!(
        heard.join().unwrap().starts_with(&[0x16, 0x03]),
        "{said:#?}"
    );
}

#[test]
fn the_machines_own_start_of_python_still_runs() {
    let Some(python) = python_with(&["sys"]) else {
        return skipped("clients", "TRADEWIND_TEST_PYTHON names no Python");
    };
    let mut practice = Practice::new();
    let own: &Path = &practice.user.home.path().join("own");
    std::fs::create_dir(own).unwrap();
    std::fs::write(
        own.join("sitecustomize.py"),
        "import builtins\nbuiltins.OWN = 'ran'\n",
    )
    .unwrap();
    let own = own.to_str().unwrap().to_owned();
    practice.user.set("PYTHONPATH", &own);
    let said = practice.exec(&[vec![python], words(&["-c", "print(OWN)"])].concat());
    assert_eq!(said.out.trim(), "ran", "{said:#?}");
}
