//! Market data as a user gets it: the program itself, a daemon, the sandbox in place of the providers.

#![expect(
    clippy::disallowed_methods,
    reason = "tests start outside programs themselves"
)]

use std::path::Path;
use std::process::Command;

use tradewind_sandbox::{Fault, FaultKind, Running, Sandbox, Settings};

use crate::support::{Daemon, Repo, Said, User, skipped};

/// A key that must not be seen anywhere.
const CANARY: &str = "canary-7f3a91c2-never-to-be-seen";

/// A sandbox and a user whose calls go there.
pub(crate) struct Practice {
    pub(crate) user: User,
    sandbox: Running,
    _runtime: tokio::runtime::Runtime,
}

impl Practice {
    pub(crate) fn new(settings: Settings) -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let sandbox = runtime.block_on(Sandbox::start(settings)).unwrap();
        let mut user = User::new();
        user.set("TRADEWIND_SANDBOX", &sandbox.address().to_string());
        user.set("APCA_API_KEY_ID", CANARY);
        user.set("APCA_API_SECRET_KEY", CANARY);
        Self {
            user,
            sandbox,
            _runtime: runtime,
        }
    }

    pub(crate) fn home(&self) -> &Path {
        self.user.home.path()
    }

    fn get(&self, args: &[&str]) -> Said {
        self.user
            .run(self.home(), &[&["get", "bars"], args].concat())
    }

    fn calls(&self, provider: &str) -> u64 {
        self.sandbox.stats().of(provider).requests
    }

    pub(crate) fn up(&self) -> Daemon {
        let repo = Repo::new(self.home().join("bot"));
        repo.write("bot.py", "print(1)\n");
        repo.commit("feat: a bot");
        self.user.up(&self.home().join("bot"))
    }
}

const SPAN: [&str; 6] = [
    "--start",
    "2024-03-01",
    "--end",
    "2024-03-16",
    "--format",
    "csv",
];

#[test]
fn what_one_program_fetched_the_next_one_and_the_daemon_have() {
    let practice = Practice::new(Settings::generous());
    let first = practice.get(&[&["AAPL", "-p", "alpaca"], &SPAN[..]].concat());
    assert_eq!(first.code, Some(0), "{first:#?}");
    let lines: Vec<_> = first.out.lines().collect();
    assert_eq!(
        lines[0],
        "start,open,high,low,close,volume,final,provider,fetched_at,stale"
    );
    // Eleven days of trading; the second Sunday of March changes the clocks.
    assert_eq!(lines.len(), 1 + 11, "{}", first.out);
    assert!(
        lines[1].starts_with("2024-03-01T05:00:00Z,"),
        "{}",
        lines[1]
    );
    assert!(
        lines[11].starts_with("2024-03-15T04:00:00Z,"),
        "{}",
        lines[11]
    );
    let calls = practice.calls("alpaca");
    assert_eq!(calls, 1);
    let again = practice.get(&[&["AAPL", "-p", "alpaca"], &SPAN[..]].concat());
    assert_eq!(
        (again.out.as_str(), practice.calls("alpaca")),
        (first.out.as_str(), calls)
    );
    let daemon = practice.up();
    let path = "/v1/bars/AAPL.csv?provider=alpaca&start=2024-03-01&end=2024-03-16";
    let served = daemon.ask("GET", path, &["X-Tradewind-Consumer: scan.py"], "");
    assert_eq!(served.status, 200, "{served:?}");
    assert_eq!(served.body, first.out);
    assert!(
        served
            .head
            .to_ascii_lowercase()
            .contains("cache-status: tradewind; hit"),
        "{}",
        served.head
    );
    assert_eq!(practice.calls("alpaca"), calls, "the daemon asked again");
    let through_daemon = practice.get(&["BTC/USDT@binance", "-i", "1h", "--format", "json"]);
    assert_eq!(through_daemon.code, Some(0), "{through_daemon:#?}");
    let bars: serde_json::Value = serde_json::from_str(&through_daemon.out).unwrap();
    let bars = bars.as_array().unwrap();
    assert!(bars.len() >= 249, "{}", bars.len());
    assert_eq!(
        bars.last().unwrap()["final"],
        false,
        "the hour that is being made is told so"
    );
}

#[test]
fn what_cannot_be_answered_names_the_choices() {
    let practice = Practice::new(Settings::generous());
    let daemon = practice.up();
    for (path, status, word) in [
        ("/v1/bars/AAPL", 400, ".csv, .json"),
        (
            "/v1/bars/AAPL.csv?intervall=1d",
            400,
            "did you mean \\\"interval\\\"?",
        ),
        (
            "/v1/bars/AAPL.csv?interval=7m",
            400,
            "minutes that divide an hour",
        ),
        ("/v1/bars/AAPL.csv?provider=alpacca", 404, "alpacca"),
        (
            "/v1/bars/AAPL.csv?adjust=dividends",
            400,
            "none, splits, all",
        ),
        (
            "/v1/bars/AAPL.csv?start=2024-02-01&end=2024-01-01",
            400,
            "ends before it begins",
        ),
        ("/v1/bars/A%20B.csv", 400, "letters, digits"),
        ("/v1/bars/BTC%2FUSD@nowhere.csv", 404, "nobody has"),
    ] {
        let answer = daemon.ask("GET", path, &[], "");
        assert_eq!(answer.status, status, "{path}: {answer:?}");
        assert!(answer.head.contains("application/problem+json"), "{path}");
        assert!(answer.body.contains(word), "{path}: {}", answer.body);
    }
    // Another site's page gets nothing.
    let stranger = daemon.ask(
        "GET",
        "/v1/bars/AAPL.csv",
        &["Origin: https://evil.example"],
        "",
    );
    assert_eq!(stranger.status, 403);
    assert_eq!(practice.calls("alpaca"), 0);
}

#[test]
fn a_wrong_key_is_told_as_such_and_no_key_is_ever_kept_or_shown() {
    let mut practice = Practice::new(Settings {
        wrong_keys: vec![CANARY.to_owned()],
        ..Settings::default()
    });
    let refused = practice.get(&["AAPL", "-p", "alpaca"]);
    assert_eq!(refused.code, Some(3), "{refused:#?}");
    practice.user.set("APCA_API_KEY_ID", "");
    let none = practice.get(&["AAPL", "-p", "alpaca"]);
    assert_eq!(none.code, Some(3), "{none:#?}");
    assert!(none.err.contains("APCA_API_KEY_ID"), "{none:#?}");
    // Nobody is asked who was not meant: Yahoo has it without a key, and bans whom it does not like.
    let anybody = practice.get(&["AAPL", "--adjust", "splits"]);
    assert_eq!(anybody.code, Some(3), "{anybody:#?}");
    assert!(
        anybody
            .err
            .contains("yahoo has it, but is not offered to customers"),
        "{anybody:#?}"
    );
    assert_eq!(practice.calls("yahoo"), 0);
    practice.user.set("APCA_API_KEY_ID", CANARY);
    let daemon = practice.up();
    let answer = daemon.ask("GET", "/v1/bars/AAPL.csv?provider=alpaca", &[], "");
    assert_eq!(answer.status, 502, "{answer:?}");
    drop(daemon);
    for text in [
        refused.out,
        refused.err,
        none.out,
        none.err,
        answer.head,
        answer.body,
    ] {
        assert!(!text.contains(CANARY), "{text}");
    }
    holds_nowhere(&practice.user.state(), CANARY);
}

/// Looks into every file below a folder.
fn holds_nowhere(dir: &Path, secret: &str) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            holds_nowhere(&path, secret);
        } else if let Ok(bytes) = std::fs::read(&path) {
            let found = bytes
                .windows(secret.len())
                .any(|part| part == secret.as_bytes());
            assert!(!found, "{} holds the key", path.display());
        }
    }
}

#[test]
fn quotes_trades_and_news_come_through_the_same_door() {
    let practice = Practice::new(Settings::generous());
    let daemon = practice.up();
    let json = |path: &str| -> serde_json::Value {
        let answer = daemon.ask("GET", path, &[], "");
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        serde_json::from_str(&answer.body).unwrap()
    };
    let quote = json("/v1/quote/AAPL.json?provider=alpaca&max_age=1m&numbers=decimal");
    let price = |name: &str| quote[0][name].as_str().unwrap().parse::<f64>().unwrap();
    assert!(price("bid") > 0.0 && price("bid") < price("ask"), "{quote}");
    assert_eq!(
        quote,
        json("/v1/quote/AAPL.json?provider=alpaca&max_age=1m&numbers=decimal")
    );
    assert_eq!(
        practice.calls("alpaca"),
        1,
        "it was asked for again within a minute"
    );
    let trades = json("/v1/trades/BTC%2FUSDT@binance.json?limit=7");
    let trades = trades.as_array().unwrap();
    assert_eq!(trades.len(), 7);
    assert!(
        trades
            .windows(2)
            .all(|pair| pair[0]["at"].as_str() <= pair[1]["at"].as_str())
    );
    assert!(
        trades
            .iter()
            .all(|trade| trade["taker"] == "buy" || trade["taker"] == "sell")
    );
    let news = json("/v1/news?symbol=AAPL&provider=alpaca&limit=3");
    assert_eq!(news.as_array().unwrap().len(), 3);
    let csv = daemon.ask(
        "GET",
        "/v1/news?symbol=AAPL&provider=alpaca&limit=3&format=csv",
        &[],
        "",
    );
    assert!(
        csv.body
            .starts_with("at,title,url,publisher,summary,symbols,provider,fetched_at\n"),
        "{csv:?}"
    );
    for (path, word) in [
        ("/v1/news", "symbol=AAPL"),
        ("/v1/quote/AAPL.csv?symbol=AAPL", "there is no parameter"),
        ("/v1/trades/AAPL.csv?limit=0", "1 to 50000"),
        ("/v1/trades/AAPL.csv?end=2024-01-01", "no beginning"),
    ] {
        let answer = daemon.ask("GET", path, &[], "");
        assert_eq!(answer.status, 400, "{path}");
        assert!(answer.body.contains(word), "{path}: {}", answer.body);
    }
    let shown = practice.user.ok(
        practice.home(),
        &["get", "trades", "BTC/USDT@binance", "-n", "3"],
    );
    assert!(shown.contains("3 trades of BTC/USDT@binance"), "{shown}");
}

/// Reads the same bars in every form with what people have, and prints what each of them sees.
const READERS: &str = r#"
import io, sys, urllib.request
import pandas, polars, pyarrow.parquet
base = sys.argv[1] + "/v1/bars/AAPL"
query = "?provider=alpaca&start=2024-03-01&end=2024-03-16"
fetch = lambda suffix, more="": io.BytesIO(urllib.request.urlopen(base + suffix + query + more).read())
frames = {
    "csv": pandas.read_csv(base + ".csv" + query, parse_dates=["start", "fetched_at"]),
    "json": pandas.read_json(base + ".json" + query, convert_dates=["start", "fetched_at"]),
    "feather": pandas.read_feather(fetch(".arrow")),
    "ipc": polars.read_ipc(fetch(".arrow")).to_pandas(),
    "parquet": pyarrow.parquet.read_table(fetch(".parquet")).to_pandas(),
}
whole = frames["feather"]
assert list(whole.columns) == "start open high low close volume final provider fetched_at stale".split(), whole.columns
assert str(whole.start.dtype) == "datetime64[ns, UTC]" and str(whole.close.dtype) == "float64", whole.dtypes
for name, frame in frames.items():
    assert list(frame.columns) == list(whole.columns), (name, frame.columns)
    for column in ["open", "high", "low", "close", "volume"]:
        assert (frame[column] == whole[column]).all(), (name, column)
    assert (pandas.to_datetime(frame.start, utc=True) == whole.start).all(), name
    assert frame.final.all() and not frame.stale.any() and (frame.provider == "alpaca").all(), name
exact = pyarrow.parquet.read_table(fetch(".parquet", "&numbers=decimal"))
assert str(exact.schema.field("close").type).startswith("decimal128"), exact.schema
for number, text in zip(exact.column("close").to_pylist(), pandas.read_csv(base + ".csv" + query + "&numbers=decimal", dtype=str).close):
    assert str(number.normalize()) == str(__import__("decimal").Decimal(text).normalize()), (number, text)
print(len(whole))
"#;

#[test]
fn pandas_polars_and_pyarrow_read_it_without_a_client_library() {
    let has = |python: &std::ffi::OsString| {
        let imports = ["-c", "import pandas, polars, pyarrow.parquet"];
        Command::new(python)
            .args(imports)
            .output()
            .unwrap()
            .status
            .success()
    };
    let Some(python) = std::env::var_os("TRADEWIND_TEST_PYTHON").filter(has) else {
        return skipped(
            "pandas",
            "TRADEWIND_TEST_PYTHON names no Python with pandas, polars and pyarrow",
        );
    };
    let practice = Practice::new(Settings::generous());
    let daemon = practice.up();
    let base = format!("http://{}", daemon.address);
    let said = Said::from(
        Command::new(python)
            .args(["-c", READERS, &base])
            .output()
            .unwrap(),
    );
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert_eq!(said.out.trim(), "11");
    assert_eq!(practice.calls("alpaca"), 1, "seven answers, one call");
}

#[test]
fn who_asked_for_what_is_counted() {
    let practice = Practice::new(Settings::generous());
    for _ in 0..3 {
        let got = practice.get(&[&["AAPL", "-p", "alpaca"], &SPAN[..]].concat());
        assert_eq!(got.code, Some(0), "{got:#?}");
    }
    let usage = practice
        .user
        .ok(practice.home(), &["usage", "--format", "json"]);
    let usage: serde_json::Value = serde_json::from_str(&usage).unwrap();
    assert_eq!(usage["sum"]["answers"], 3);
    assert_eq!(usage["sum"]["calls"], 1);
    assert_eq!(usage["saved"], 2);
    assert_eq!(usage["usage"][0]["whose"]["consumer"], "tradewind get");
    let shown = practice.user.ok(practice.home(), &["usage"]);
    assert!(shown.contains("3 questions needed 1 calls"), "{shown}");
}

const EQUIVALENT: &str =
    "[market]\nprefer = [\"alpaca\", \"polygon\"]\nequivalent = [[\"alpaca\", \"polygon\"]]\n";

/// Returns a user who has declared both equivalent, with a sandbox on this seed in which alpaca resets every connection.
fn fallback(user: &mut User, seed: u64) -> (Running, tokio::runtime::Runtime) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let banned = Fault::new("alpaca", FaultKind::Reset);
    let settings = Settings {
        seed,
        faults: vec![banned],
        ..Settings::generous()
    };
    let sandbox = runtime.block_on(Sandbox::start(settings)).unwrap();
    user.set("TRADEWIND_SANDBOX", &sandbox.address().to_string());
    user.set("POLYGON_API_KEY", CANARY);
    user.configure(EQUIVALENT);
    (sandbox, runtime)
}

#[cfg(target_os = "linux")]
#[test]
fn who_is_declared_equivalent_answers_instead_and_every_row_says_so() {
    let mut practice = Practice::new(Settings::generous());
    let _fallback = fallback(&mut practice.user, Settings::generous().seed);
    let span = ["AAPL", "--start", "2024-03-01", "--end", "2024-03-16"];
    let named = practice.get(&[&span[..], &["-p", "alpaca"]].concat());
    assert_eq!(
        named.code,
        Some(5),
        "who is named answers alone: {named:#?}"
    );
    let told = practice.get(&[&span[..], &["--format", "csv"]].concat());
    assert_eq!(told.code, Some(0), "{told:#?}");
    let rows: Vec<&str> = told.out.lines().skip(1).collect();
    assert_eq!(rows.len(), 11, "{told:#?}");
    assert!(
        rows.iter().all(|row| row.contains(",polygon,")),
        "{told:#?}"
    );
}

#[cfg(target_os = "linux")]
#[test]
fn whoever_disagrees_with_what_is_held_does_not_answer_instead() {
    for (seed, code) in [(1, 0), (2, 5)] {
        let mut practice = Practice::new(Settings {
            seed: 1,
            ..Settings::generous()
        });
        let held = practice.get(&[
            "AAPL",
            "-p",
            "alpaca",
            "--start",
            "2024-03-01",
            "--end",
            "2024-03-16",
        ]);
        assert_eq!(held.code, Some(0), "{held:#?}");
        let _fallback = fallback(&mut practice.user, seed);
        // Nothing of this span is held: what lies just after it is compared.
        let told = practice.get(&["AAPL", "--start", "2024-02-16", "--end", "2024-03-01"]);
        assert_eq!(told.code, Some(code), "seed {seed}: {told:#?}");
        if code != 0 {
            assert!(
                told.err
                    .contains("polygon could answer instead, but its closes lie"),
                "{told:#?}"
            );
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_deadline_that_cannot_be_met_is_refused_at_once_and_told_when() {
    let mut practice = Practice::new(Settings::generous());
    practice.user.set("ALPHAVANTAGE_API_KEY", CANARY);
    practice
        .user
        .configure("[quota.providers.alphavantage.limits]\nday = 1\n");
    let daemon = practice.up();
    let path = "/v1/quote/AAPL.json?provider=alphavantage&max_age=0";
    assert_eq!(daemon.ask("GET", path, &[], "").status, 200);
    let late = daemon.ask("GET", path, &["X-Tradewind-Deadline: 2s"], "");
    assert_eq!(late.status, 429, "{late:?}");
    let head = late.head.to_ascii_lowercase();
    let wait = head
        .lines()
        .find_map(|line| line.strip_prefix("retry-after: "));
    let wait: u64 = wait.unwrap().trim().parse().unwrap();
    assert!(wait > 3_600, "the unit comes back in a day: {head}");
    assert_eq!(practice.calls("alphavantage"), 1, "nothing was sent");
    let wrong = daemon.ask("GET", path, &["X-Tradewind-Deadline: soon"], "");
    assert_eq!(wrong.status, 400, "{wrong:?}");
    assert!(wrong.body.contains("500ms, 90s"), "{wrong:?}");
}

#[test]
fn bars_of_a_file_are_held_and_nobody_is_asked_for_them() {
    let practice = Practice::new(Settings::generous());
    let span = [
        "AAPL",
        "-p",
        "alpaca",
        "--start",
        "2024-03-01",
        "--end",
        "2024-03-16",
    ];
    let wanted = practice
        .get(&[&span[..], &["--format", "csv"]].concat())
        .out;
    for file in ["aapl.csv", "aapl.arrow", "aapl.parquet"] {
        let file = practice.home().join(file);
        let got = practice.get(&[&span[..], &["-o", file.to_str().unwrap()]].concat());
        assert_eq!(got.code, Some(0), "{got:#?}");
    }
    let without = |table: &str| -> Vec<String> {
        let cells = |line: &str| line.split(',').take(7).collect::<Vec<_>>().join(",");
        table.lines().map(cells).collect()
    };
    for file in ["aapl.csv", "aapl.arrow", "aapl.parquet"] {
        let other = Practice::new(Settings::generous());
        let file = practice.home().join(file);
        let import = [
            "import",
            file.to_str().unwrap(),
            "--as",
            "AAPL",
            "-p",
            "alpaca",
        ];
        let told = other.user.ok(other.home(), &import);
        assert!(
            told.starts_with("11 bars of AAPL imported as alpaca's"),
            "{told}"
        );
        let again = other.user.ok(other.home(), &import);
        assert!(again.contains("11 were held already"), "{again}");
        let got = other.get(&[&span[..], &["--format", "csv"]].concat());
        assert_eq!(without(&got.out), without(&wanted), "{}", file.display());
        assert_eq!(
            other.calls("alpaca"),
            0,
            "weekends are no gaps: {}",
            file.display()
        );
    }
}

#[test]
fn a_file_with_a_wrong_row_is_refused_whole() {
    let practice = Practice::new(Settings::generous());
    let import = |text: &str, more: &[&str]| {
        std::fs::write(practice.home().join("bars.csv"), text).unwrap();
        let args = ["import", "bars.csv", "--as", "AAPL", "-p", "alpaca"];
        practice
            .user
            .run(practice.home(), &[&args[..], more].concat())
    };
    for (rows, more, word) in [
        (
            "2024-03-04,10,9,11,10\n",
            &[][..],
            "row 3: high 9 and low 11",
        ),
        (
            "2024-03-04,10,11,9,-1\n",
            &[],
            "row 3: a price is zero or less",
        ),
        (
            "2024-03-01,10,12,9,10\n",
            &[],
            "row 3: another row says something else",
        ),
        ("2024-03-04 09:30:00,10,11,9,10\n", &[], "has no zone"),
        (
            "2024-03-04 09:30:00,10,11,9,10\n",
            &["--zone", "UTC"],
            "no bar of 1d begins at",
        ),
        (
            "2024-03-04,10,11,9,10\n",
            &["--zone", "Mars/Olympus"],
            "no such zone",
        ),
        ("2024-03-04,10,11,9,10\n", &["-i", "7m"], "7m"),
    ] {
        let told = import(&format!("{DAYS}{rows}"), more);
        assert_eq!(told.code, Some(2), "{rows} {told:#?}");
        assert!(told.err.contains(word), "{rows} {told:#?}");
    }
    let nobody = practice.user.run(
        practice.home(),
        &["import", "bars.csv", "--as", "AAPL", "-p", "binance"],
    );
    assert_eq!(nobody.code, Some(2), "{nobody:#?}");
    let good = import(DAYS, &[]);
    assert_eq!(
        good.code,
        Some(0),
        "nothing of the wrong ones stayed: {good:#?}"
    );
    assert!(good.out.starts_with("1 bars"), "{good:#?}");
}

#[test]
fn an_import_is_taken_back_with_and_without_a_daemon() {
    let practice = Practice::new(Settings::generous());
    let span = [
        "AAPL",
        "-p",
        "alpaca",
        "--start",
        "2019-03-04",
        "--end",
        "2019-03-07",
    ];
    let high = || -> f64 {
        let table = practice.get(&[&span[..], &["--format", "csv"]].concat());
        let row = table
            .out
            .lines()
            .find(|line| line.starts_with("2019-03-06"));
        let row = row.unwrap_or_else(|| panic!("{table:#?}"));
        row.split(',').nth(2).unwrap().parse().unwrap()
    };
    let is_files_own = || (high() - 13.0).abs() < 1e-9;
    let text = "time,open,high,low,close\n2019-03-04,10,11,9,10\n2019-03-05,10,12,9,10\n2019-03-06,10,13,9,10\n";
    std::fs::write(practice.home().join("bars.csv"), text).unwrap();
    let import = |args: &[&str]| {
        practice
            .user
            .run(practice.home(), &[&["import"], args].concat())
    };
    let file = ["bars.csv", "--as", "AAPL", "-p", "alpaca"];
    assert!(import(&["--list"]).out.contains("Nothing was imported yet"));
    for id in ["1", "2"] {
        let daemon = (id == "2").then(|| practice.up());
        let told = import(&file);
        assert!(
            told.out.contains(&format!("--remove {id}` takes it back")),
            "{told:#?}"
        );
        let before = practice.calls("alpaca");
        assert!(is_files_own());
        assert_eq!(practice.calls("alpaca"), before, "they are held");
        let told = import(&["--remove", id]);
        assert!(
            told.out
                .contains("taken back: 3 bars (1d bars of AAPL, alpaca)"),
            "{told:#?}"
        );
        assert!(import(&["--list"]).out.contains("removed"));
        if id == "1" {
            // So that the second import finds nothing held.
            assert_eq!(import(&["--remove", id]).code, Some(0), "twice is once");
        }
        drop(daemon);
    }
    assert!(!is_files_own(), "the provider's own came instead");
    assert!(practice.calls("alpaca") > 0);
    let nothing = import(&["--remove", "99"]);
    assert_eq!(nothing.code, Some(2), "{nothing:#?}");
    assert!(
        nothing.err.contains("there is no such import"),
        "{nothing:#?}"
    );
    assert_eq!(import(&["--remove", "1", "bars.csv"]).code, Some(2));
    assert_eq!(import(&[]).code, Some(2));
}

#[test]
fn a_large_file_goes_through_the_daemon_and_what_it_contradicts_stays() {
    let practice = Practice::new(Settings::generous());
    let daemon = practice.up();
    let path = "/v1/bars/AAPL.csv?provider=alpaca&interval=1m&start=2024-03-01T15:00:00Z&end=2024-03-01T15:01:00Z";
    assert_eq!(daemon.ask("GET", path, &[], "").status, 200);
    let mut text = "timestamp,open,high,low,close,volume\n".to_owned();
    // Seven weeks of minutes from before what was read ahead, and one bar that is held and says something else.
    let first = jiff::Timestamp::from_second(1_704_067_200).unwrap();
    for minute in 0..72_000 {
        let at = first + jiff::SignedDuration::from_mins(minute);
        text.push_str(&format!("{at},100,101,99,100.5,1000\n"));
    }
    text.push_str("2024-03-01T15:00:00Z,1,1,1,1,1\n");
    assert!(text.len() > 2_500_000, "more than a usual bound on bodies");
    std::fs::write(practice.home().join("minutes.csv"), &text).unwrap();
    let told = practice.user.ok(
        practice.home(),
        &[
            "import",
            "minutes.csv",
            "--as",
            "AAPL",
            "-p",
            "alpaca",
            "-i",
            "1m",
            "--format",
            "json",
        ],
    );
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["import"]["imported"], 72_000, "{told}");
    assert_eq!(told["import"]["differing"], 1, "{told}");
    assert_eq!(told["import"]["hole_count"], 1, "{told}");
    let refused = daemon.ask("POST", "/v1/bars/AAPL.csv?provider=alpaca", &[], DAYS);
    assert_eq!(
        refused.status, 401,
        "a page in a browser has no token: {refused:?}"
    );
}

const DAYS: &str = "time,open,high,low,close\n2024-03-01,10,11,9,10\n";

#[test]
fn a_disk_that_takes_no_bars_is_told_by_status_while_they_are_served() {
    let practice = Practice::new(Settings::generous());
    let daemon = practice.up();
    let healthy = practice.user.ok(practice.home(), &["status"]);
    assert!(!healthy.contains("not written down"), "{healthy}");
    let folder = practice.user.state().join("market");
    std::fs::remove_dir_all(&folder).unwrap();
    std::fs::write(&folder, "no folder").unwrap();
    let path = "/v1/bars/AAPL.csv?provider=alpaca&start=2024-03-01&end=2024-03-16";
    for _ in 0..2 {
        let served = daemon.ask("GET", path, &[], "");
        assert_eq!(
            (served.status, served.body.lines().count()),
            (200, 12),
            "{served:?}"
        );
    }
    assert_eq!(practice.calls("alpaca"), 1, "it is held all the same");
    let told = practice.user.ok(practice.home(), &["status"]);
    assert!(told.contains("market data is not written down"), "{told}");
    let health = daemon.ask("GET", "/healthz", &[], "");
    assert_eq!(health.status, 200, "{health:?}");
    assert!(health.body.contains("market_unsaved\":\""), "{health:?}");
}

#[test]
fn nobody_is_asked_for_a_saturday() {
    let practice = Practice::new(Settings::generous());
    for span in [
        [
            "-i",
            "1m",
            "--start",
            "2024-03-02T12:00:00Z",
            "--end",
            "2024-03-02T13:00:00Z",
        ],
        // Good Friday and the weekend after it.
        ["-i", "1d", "--start", "2024-03-29", "--end", "2024-04-01"],
    ] {
        let got = practice.get(&[&["AAPL", "-p", "alpaca", "--format", "csv"], &span[..]].concat());
        assert_eq!(
            (got.code, got.out.lines().count()),
            (Some(0), 1),
            "{got:#?}"
        );
    }
    assert_eq!(practice.calls("alpaca"), 0);
    let crypto = [
        "BTC/USD@kraken",
        "-i",
        "1m",
        "--start",
        "2024-03-02T12:00:00Z",
        "--end",
        "2024-03-02T13:00:00Z",
    ];
    drop(practice.get(&crypto));
    assert!(practice.calls("kraken") > 0, "pairs trade on Saturdays");
}

#[test]
fn a_listener_is_a_provider_at_its_own_port_and_no_page_of_another_site_gets_there() {
    let mut practice = Practice::new(Settings::generous());
    practice
        .user
        .configure("[market.listeners.alpaca]\nport = 0\nprovider = \"alpaca\"\n");
    let daemon = practice.up();
    let address = daemon.listener("alpaca");
    let path = "/v2/stocks/bars?symbols=AAPL&timeframe=1Day&start=2024-03-01&end=2024-03-16";
    let ask = |lines: &[&str]| {
        let lines = lines.join("\r\n");
        let request = format!("GET {path} HTTP/1.1\r\nConnection: close\r\n{lines}\r\n\r\n");
        daemon.raw_at(address, &request)
    };
    let here = format!("Host: {address}");
    let answer = ask(&[&here]);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.body.contains("\"bars\""), "{answer:?}");
    let head = answer.head.to_ascii_lowercase();
    assert!(head.contains("cache-status: tradewind; fwd=miss"), "{head}");
    let calls = practice.calls("alpaca");
    for (lines, status) in [
        (&["Host: evil.example"][..], 421),
        (&["Host: evil.example:8420"], 421),
        (&[&here, "Origin: http://evil.example"], 403),
        (&[&here, "Sec-Fetch-Site: cross-site"], 403),
    ] {
        assert_eq!(ask(lines).status, status, "{lines:?}");
    }
    assert_eq!(practice.calls("alpaca"), calls, "nobody was asked for them");
}
