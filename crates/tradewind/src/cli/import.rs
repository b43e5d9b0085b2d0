//! `tradewind import`: bars of a file that somebody has already become held bars, so that nobody is asked for them again.

use std::path::PathBuf;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, Method};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tradewind_engine::Supervisor;
use tradewind_host::files;
use tradewind_market::http::MAX_FILE_BYTES;

use super::Format;
use super::get::{Given, encoded, refused};
use crate::client::{Daemon, SendError};
use crate::market;
use crate::place::Place;
use crate::report::{Exit, Failure, Outcome};
use crate::terminal::{self, Tone, paint};

/// How long an import may take.
const TIME_LIMIT: Duration = Duration::from_mins(10);
/// How long what was imported may take to be written down.
const END_LIMIT: Duration = Duration::from_secs(10);

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Columns are found by the names that pandas, brokers and providers use: start, timestamp, time or date; open, high,
low, close; volume if there is one. Times are the start of each bar. A file with one wrong row is refused whole.

  tradewind import aapl_1m.csv --as AAPL -p polygon -i 1m --zone America/New_York
  tradewind import btc.parquet --as BTC/USDT@binance -p binance -i 1h")]
pub(crate) struct Args {
    /// CSV, Arrow (Feather) or Parquet file; its name says which
    file: PathBuf,
    /// What the bars are of: AAPL, BTC/USD@kraken
    #[arg(long = "as", value_name = "INSTRUMENT")]
    instrument: String,
    /// Whose bars they are; only the same provider's series takes them
    #[arg(short, long)]
    provider: String,
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
    let suffix = suffix(&args)?;
    let path = place.cwd().join(&args.file);
    let limit = u64::try_from(MAX_FILE_BYTES).unwrap_or(u64::MAX);
    let bytes = files::read_bounded(&path, limit).map_err(|e| {
        Failure::from_error(Exit::Usage, &e)
            .hint("name a readable file of at most 512 MiB; import a larger one in parts")
    })?;
    let name = format!("{}.{suffix}", args.instrument);
    let given = [
        ("provider", Some(args.provider.clone())),
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
    let waiting = terminal::spinner(format!("Importing {}", args.file.display()));
    let given = send(place, &name, &query, bytes.into()).await;
    drop(waiting);
    let given = given?;
    if given.status != 200 {
        return Err(refused(&given));
    }
    let report: serde_json::Value = serde_json::from_slice(&given.body)
        .map_err(|e| Failure::because(Exit::Bug, "the answer cannot be read", &e))?;
    match args.format {
        Format::Json => {
            let body = serde_json::json!({ "schema_version": 1, "import": report });
            terminal::line(serde_json::to_string_pretty(&body).unwrap_or_default());
        }
        Format::Text => show(&args, &report),
    }
    Ok(Exit::Done)
}

fn suffix(args: &Args) -> Result<&'static str, Failure> {
    let suffix = args.file.extension().and_then(|suffix| suffix.to_str());
    match suffix.unwrap_or_default().to_ascii_lowercase().as_str() {
        "csv" => Ok("csv"),
        "arrow" | "feather" => Ok("arrow"),
        "parquet" => Ok("parquet"),
        _ => Err(Failure::new(
            Exit::Usage,
            format!(
                "the name of {} says no form that can be imported",
                args.file.display()
            ),
        )
        .hint("end it with .csv, .arrow, .feather or .parquet")),
    }
}

/// Hands the file to the daemon when one runs, else imports it with the store's lock in hand.
async fn send(
    place: &Place,
    name: &str,
    query: &[(String, String)],
    file: Bytes,
) -> Result<Given, Failure> {
    let deadline = Instant::now() + Duration::from_secs(10);
    let journal = loop {
        if let Some(daemon) = Daemon::find(place.state()) {
            let pairs: Vec<_> = query
                .iter()
                .map(|(key, value)| format!("{key}={}", encoded(value)))
                .collect();
            let path = format!("/v1/bars/{}?{}", encoded(name), pairs.join("&"));
            match daemon
                .ask(Method::POST, &path, file.to_vec(), TIME_LIMIT)
                .await
            {
                Ok((status, body)) => return Ok(Given::without_headers(status, body)),
                Err(SendError::Gone) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if let Some(journal) = place.try_journal(deadline).await? {
            break journal;
        }
    };
    let token = CancellationToken::new();
    let supervisor = Supervisor::new(Some(journal.clone()), place.clock(), token);
    let market = market::open(place, &journal, &supervisor).await?;
    let headers = HeaderMap::new();
    let response =
        tradewind_market::http::import(&market.service, name, query, &headers, file).await;
    let status = response.status().as_u16();
    let body = axum::body::to_bytes(response.into_body(), 1024 * 1024).await;
    let unfinished = supervisor.shut_down(END_LIMIT).await;
    if !unfinished.is_empty() {
        let unfinished = unfinished.join(", ");
        terminal::warn(format_args!("{unfinished} did not end in time"));
    }
    let body = body.map_err(|e| Failure::because(Exit::Bug, "the answer cannot be read", &e))?;
    Ok(Given::without_headers(status, body.to_vec()))
}

fn show(args: &Args, report: &serde_json::Value) {
    let number = |key: &str| {
        report
            .get(key)
            .and_then(serde_json::Value::as_u64)
            .unwrap_or(0)
    };
    let text = |key: &str| {
        report
            .get(key)
            .and_then(serde_json::Value::as_str)
            .unwrap_or("–")
    };
    terminal::line(format_args!(
        "{} bars of {} imported as {}'s, {} to {}.",
        paint(Tone::Good, number("imported")),
        terminal::word(&args.instrument),
        terminal::word(&args.provider),
        text("first"),
        text("last")
    ));
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
        let first = report
            .pointer("/holes/0/0")
            .and_then(serde_json::Value::as_str);
        terminal::line(format_args!(
            "{} spans of more than five days have no bars (the first from {}); they will be asked for when somebody wants them.",
            number("hole_count"),
            first.unwrap_or("–")
        ));
    }
}
