//! `tradewind import`: bars of a file that somebody has already become held bars, so that nobody is asked for them again.

use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, Method};
use serde_json::Value;
use tradewind_host::files;
use tradewind_market::http::{self, MAX_FILE_BYTES};
use tradewind_market::service::Service;

use super::Format;
use super::get::{encoded, refused};
use super::reach::{Given, reach};
use crate::client::Daemon;
use crate::place::Place;
use crate::report::{Exit, Failure, Outcome};
use crate::terminal::{self, Tone, paint};

/// How long an import may take.
const TIME_LIMIT: Duration = Duration::from_mins(10);
/// Upper bound on an answer.
const MAX_ANSWER_BYTES: usize = 1024 * 1024;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Columns are found by the names that pandas, brokers and providers use: start, timestamp, time or date; open, high,
low, close; volume if there is one. Times are the start of each bar. A file with one wrong row is refused whole.

  tradewind import aapl_1m.csv --as AAPL -p polygon -i 1m --zone America/New_York
  tradewind import btc.parquet --as BTC/USDT@binance -p binance -i 1h
  tradewind import --list
  tradewind import --remove 3")]
pub(crate) struct Args {
    /// CSV, Arrow (Feather) or Parquet file; its name says which
    #[arg(required_unless_present_any = ["list", "remove"])]
    file: Option<PathBuf>,
    /// What the bars are of: AAPL, BTC/USD@kraken
    #[arg(long = "as", value_name = "INSTRUMENT", required_unless_present_any = ["list", "remove"])]
    instrument: Option<String>,
    /// Whose bars they are; only the same provider's series takes them
    #[arg(short, long, required_unless_present_any = ["list", "remove"])]
    provider: Option<String>,
    /// Show what was imported, with the number of each
    #[arg(long, conflicts_with_all = ["file", "remove"])]
    list: bool,
    /// Take an import back: its bars are unknown again, and those that a provider gave stay
    #[arg(long, value_name = "ID", conflicts_with = "file")]
    remove: Option<i64>,
    /// Length of a bar: 1m, 5m, 15m, 1h, 4h, 1d, 1w, 1mo
    #[arg(short, long, default_value = "1d")]
    interval: String,
    /// What the prices are adjusted for
    #[arg(long, value_parser = ["none", "splits", "all"], default_value = "none")]
    adjust: String,
    /// Which feed they are of; default: the provider's usual one
    #[arg(long)]
    feed: Option<String>,
    /// Zone of times that name none, as in `UTC` or `America/New_York`
    #[arg(long)]
    zone: Option<String>,
    /// The file leaves bars out: ask for what lies between. Otherwise up to five days without a bar are taken for
    /// times without trading
    #[arg(long)]
    sparse: bool,
    /// The form of the answer
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(crate) async fn run(place: &Place, args: Args) -> Outcome {
    let (Some(file), Some(instrument), Some(provider)) =
        (&args.file, &args.instrument, &args.provider)
    else {
        return of_before(place, args.remove, args.format).await;
    };
    let suffix = suffix(file)?;
    let path = place.cwd().join(file);
    let limit = u64::try_from(MAX_FILE_BYTES).unwrap_or(u64::MAX);
    let bytes = files::read_bounded(&path, limit).map_err(|e| {
        Failure::from_error(Exit::Usage, &e)
            .hint("name a readable file of at most 512 MiB; import a larger one in parts")
    })?;
    let name = format!("{instrument}.{suffix}");
    let given = [
        ("provider", Some(provider.clone())),
        ("interval", Some(args.interval.clone())),
        ("adjust", Some(args.adjust.clone())),
        ("feed", args.feed.clone()),
        ("zone", args.zone.clone()),
        ("sparse", args.sparse.then(|| "true".to_owned())),
    ];
    let query: Vec<(String, String)> = given
        .into_iter()
        .filter_map(|(key, value)| Some((key.to_owned(), value?)))
        .collect();
    let waiting = terminal::spinner(format!("Importing {}", file.display()));
    let given = send(place, &name, &query, bytes.into()).await;
    drop(waiting);
    let given = given?;
    if given.status != 200 {
        return Err(refused(&given));
    }
    let report = read(&given)?;
    match args.format {
        Format::Json => {
            let body = serde_json::json!({ "schema_version": 1, "import": report });
            terminal::line(serde_json::to_string_pretty(&body).unwrap_or_default());
        }
        Format::Text => show(instrument, provider, &report),
    }
    Ok(Exit::Done)
}

fn suffix(file: &Path) -> Result<&'static str, Failure> {
    let suffix = file.extension().and_then(|suffix| suffix.to_str());
    match suffix.unwrap_or_default().to_ascii_lowercase().as_str() {
        "csv" => Ok("csv"),
        "arrow" | "feather" => Ok("arrow"),
        "parquet" => Ok("parquet"),
        _ => Err(Failure::new(
            Exit::Usage,
            format!(
                "the name of {} says no form that can be imported",
                file.display()
            ),
        )
        .hint("end it with .csv, .arrow, .feather or .parquet")),
    }
}

/// Hands the file to the daemon when one runs, else imports it here.
async fn send(
    place: &Place,
    name: &str,
    query: &[(String, String)],
    file: Bytes,
) -> Result<Given, Failure> {
    let pairs: Vec<_> = query
        .iter()
        .map(|(key, value)| format!("{key}={}", encoded(value)))
        .collect();
    let path = format!("/v1/bars/{}?{}", encoded(name), pairs.join("&"));
    let through = async |daemon: &Daemon| {
        let sent = daemon.ask(Method::POST, &path, file.to_vec(), TIME_LIMIT);
        sent.await.map(Given::without_headers)
    };
    let alone = async |service: &Service| {
        let headers = HeaderMap::new();
        http::import(service, name, query, &headers, file.clone()).await
    };
    reach(place, through, alone, MAX_ANSWER_BYTES).await
}

/// Shows what was imported, or takes one back.
async fn of_before(place: &Place, remove: Option<i64>, format: Format) -> Outcome {
    let through = async |daemon: &Daemon| {
        let (method, path) = match remove {
            Some(id) => (Method::DELETE, format!("/v1/imports/{id}")),
            None => (Method::GET, "/v1/imports".to_owned()),
        };
        let sent = daemon.ask(method, &path, Vec::new(), TIME_LIMIT);
        sent.await.map(Given::without_headers)
    };
    let alone = async |service: &Service| match remove {
        Some(id) => http::take_back(service, &id.to_string()).await,
        None => http::imports(service).await,
    };
    let given = reach(place, through, alone, MAX_ANSWER_BYTES).await?;
    if given.status != 200 {
        return Err(refused(&given));
    }
    let told = read(&given)?;
    if format == Format::Json {
        let mut body = serde_json::json!({ "schema_version": 1 });
        body[if remove.is_some() {
            "removed"
        } else {
            "imports"
        }] = match remove {
            Some(_) => told,
            None => told["imports"].clone(),
        };
        terminal::line(serde_json::to_string_pretty(&body).unwrap_or_default());
        return Ok(Exit::Done);
    }
    let word = |note: &Value, key: &str| {
        let value = note.get(key).cloned().unwrap_or_default();
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        terminal::word(&text)
    };
    if remove.is_some() {
        terminal::line(format_args!(
            "Import {} is taken back: {} bars ({}) are unknown again and are asked for when somebody wants them.",
            word(&told, "id"),
            word(&told, "bars"),
            word(&told, "what")
        ));
        return Ok(Exit::Done);
    }
    let all = told["imports"].as_array().cloned().unwrap_or_default();
    if all.is_empty() {
        terminal::line("Nothing was imported yet.");
    }
    for note in all {
        terminal::line(format_args!(
            "{:>4}  {}  {} bars  {}  {}",
            word(&note, "id"),
            word(&note, "at"),
            word(&note, "bars"),
            word(&note, "what"),
            word(&note, "state")
        ));
    }
    Ok(Exit::Done)
}

fn read(given: &Given) -> Result<Value, Failure> {
    serde_json::from_slice(&given.body)
        .map_err(|e| Failure::because(Exit::Bug, "the answer cannot be read", &e))
}

fn show(instrument: &str, provider: &str, report: &Value) {
    let number = |key: &str| report.get(key).and_then(Value::as_u64).unwrap_or(0);
    let text = |key: &str| report.get(key).and_then(Value::as_str).unwrap_or("–");
    terminal::line(format_args!(
        "{} bars of {} imported as {}'s, {} to {}.",
        paint(Tone::Good, number("imported")),
        terminal::word(instrument),
        terminal::word(provider),
        text("first"),
        text("last")
    ));
    if let Some(id) = report.get("id").and_then(Value::as_i64) {
        terminal::line(format_args!(
            "`tradewind import --remove {id}` takes it back."
        ));
    }
    if number("already_held") > 0 {
        terminal::line(format_args!(
            "{} were held already.",
            number("already_held")
        ));
    }
    if number("differing") > 0 {
        terminal::line(format_args!(
            "{} say something else than the bars that are held, which stay: is it the same provider, feed and adjustment?",
            paint(Tone::Warn, number("differing"))
        ));
    }
    if number("too_new") > 0 {
        terminal::line(format_args!(
            "{} ended less than a day ago and are left to the provider, who may still correct them.",
            number("too_new")
        ));
    }
    if number("hole_count") > 0 {
        let first = report.pointer("/holes/0/0").and_then(Value::as_str);
        terminal::line(format_args!(
            "{} spans of more than five days have no bars (the first from {}); they will be asked for when somebody wants them.",
            number("hole_count"),
            first.unwrap_or("–")
        ));
    }
}
