//! `tradewind get bars`: market data on the terminal or in a file, from the cache or the cheapest call.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use clap::{Subcommand, ValueEnum};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tradewind_engine::Supervisor;
use tradewind_host::files::{self, Mode};

use crate::client::{Daemon, SendError};
use crate::market;
use crate::place::Place;
use crate::report::{Exit, Failure, Outcome};
use crate::terminal::{self, Tone, paint};

/// How long a question may take: a backfill waits for its quota.
const TIME_LIMIT: Duration = Duration::from_hours(24);
/// How long what was fetched may take to be written down.
const END_LIMIT: Duration = Duration::from_secs(10);
/// Upper bound on an answer.
const MAX_ANSWER_BYTES: usize = 1024 * 1024 * 1024;
/// Rows that are shown on the terminal.
const SHOWN_ROWS: usize = 10;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Open, high, low, close and volume over a span; only what is missing is fetched
    Bars(BarsArgs),
}

/// The form of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// A picture and the newest bars, for people.
    Text,
    Csv,
    Json,
    Arrow,
    Parquet,
}

impl Form {
    fn suffix(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Text | Self::Json => "json",
            Self::Arrow => "arrow",
            Self::Parquet => "parquet",
        }
    }
}

#[derive(Debug, clap::Args)]
struct BarsArgs {
    /// Symbol, or symbol@venue: AAPL, BRK.B, BTC/USD@kraken
    instrument: String,
    /// Length of a bar: 1m, 5m, 15m, 1h, 4h, 1d, 1w, 1mo
    #[arg(short, long, default_value = "1d")]
    interval: String,
    /// First day or moment: 2024-01-31 is midnight at the venue; default: 250 bars before the end
    #[arg(short, long)]
    start: Option<String>,
    /// Day or moment that is not included any more; default: now
    #[arg(short, long)]
    end: Option<String>,
    /// How prices are adjusted
    #[arg(long, value_parser = ["none", "splits", "all"], default_value = "none")]
    adjust: String,
    /// Who is asked; default: whoever has it, as `prefer` in config.toml says
    #[arg(short, long)]
    provider: Option<String>,
    /// Which feed of the provider: sip, iex, …
    #[arg(long)]
    feed: Option<String>,
    /// How old the bar that is being made may be: 0s asks anew, 1h is content with an hour
    #[arg(long)]
    max_age: Option<String>,
    /// Floats, or every digit as the provider wrote it
    #[arg(long, value_parser = ["float", "decimal"], default_value = "float")]
    numbers: String,
    /// How urgent it is; a backfill never takes what others need
    #[arg(long, value_parser = ["live", "triggered", "interactive", "backfill"], default_value = "interactive")]
    priority: String,
    /// The form of the answer; default: text, or what the name of the file says
    #[arg(short, long, value_enum)]
    format: Option<Form>,
    /// Write it into this file
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// An answer, as the listener gives it.
struct Given {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

pub(crate) async fn run(place: &Place, args: Args) -> Outcome {
    let What::Bars(args) = args.what;
    let form = form(&args)?;
    let mut query: Vec<(String, String)> = Vec::new();
    let given = [
        ("interval", Some(&args.interval)),
        ("start", args.start.as_ref()),
        ("end", args.end.as_ref()),
        ("adjust", Some(&args.adjust)),
        ("provider", args.provider.as_ref()),
        ("feed", args.feed.as_ref()),
        ("max_age", args.max_age.as_ref()),
        ("numbers", Some(&args.numbers)),
    ];
    for (name, value) in given {
        query.extend(value.map(|value| (name.to_owned(), value.clone())));
    }
    let mut headers = HeaderMap::new();
    let mut say = |name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    say("x-tradewind-consumer", "tradewind get");
    say("x-tradewind-priority", &args.priority);
    let name = format!("{}.{}", args.instrument, form.suffix());
    let waiting = terminal::spinner(format!(
        "Getting {} bars of {}",
        args.interval, args.instrument
    ));
    let given = ask(place, &name, &query, &headers).await;
    drop(waiting);
    let given = given?;
    if given.status != 200 {
        return Err(refused(&given));
    }
    if let Some(path) = &args.output {
        files::atomic_write(path, &given.body, Mode::Keep)
            .map_err(|e| Failure::from_error(Exit::Outside, &e))?;
        terminal::line(format_args!(
            "Wrote {} ({} bytes). {}",
            path.display(),
            given.body.len(),
            source(&given)
        ));
        return Ok(Exit::Done);
    }
    if form == Form::Text {
        show(&args, &given)?;
        return Ok(Exit::Done);
    }
    std::io::stdout()
        .write_all(&given.body)
        .map_err(|e| Failure::because(Exit::Outside, "the answer cannot be written", &e))?;
    Ok(Exit::Done)
}

/// Decides on the form: what is said, else what the file's name says, else text.
fn form(args: &BarsArgs) -> Result<Form, Failure> {
    if let Some(form) = args.format {
        return Ok(form);
    }
    let Some(path) = &args.output else {
        return Ok(Form::Text);
    };
    let suffix = path
        .extension()
        .and_then(|suffix| suffix.to_str())
        .unwrap_or_default();
    match suffix {
        "csv" => Ok(Form::Csv),
        "json" => Ok(Form::Json),
        "arrow" | "feather" => Ok(Form::Arrow),
        "parquet" => Ok(Form::Parquet),
        _ => Err(Failure::new(
            Exit::Usage,
            format!("the name of {} says no form", path.display()),
        )
        .hint("end it with .csv, .json, .arrow or .parquet, or say --format")),
    }
}

/// Asks the daemon when one runs, else with the store's lock in hand.
async fn ask(
    place: &Place,
    name: &str,
    query: &[(String, String)],
    headers: &HeaderMap,
) -> Result<Given, Failure> {
    let deadline = Instant::now() + Duration::from_secs(10);
    let journal = loop {
        if let Some(daemon) = Daemon::find(place.state()) {
            let path = format!("/v1/bars/{}", encoded(name));
            let path = query
                .iter()
                .enumerate()
                .fold(path, |path, (place, (key, value))| {
                    let mark = if place == 0 { '?' } else { '&' };
                    format!("{path}{mark}{key}={}", encoded(value))
                });
            match daemon
                .get(&path, headers, TIME_LIMIT, MAX_ANSWER_BYTES)
                .await
            {
                Ok((status, headers, body)) => {
                    return Ok(Given {
                        status,
                        headers,
                        body,
                    });
                }
                Err(SendError::Gone) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if let Some(journal) = place.try_journal(deadline).await? {
            break journal;
        }
    };
    let supervisor = Supervisor::new(
        Some(journal.clone()),
        place.clock(),
        CancellationToken::new(),
    );
    let market = market::open(place, &journal, &supervisor).await?;
    let response = tradewind_market::http::answer(&market.service, name, query, headers).await;
    let (parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, MAX_ANSWER_BYTES).await;
    let unfinished = supervisor.shut_down(END_LIMIT).await;
    if !unfinished.is_empty() {
        terminal::warn(format_args!(
            "{} did not end in time",
            unfinished.join(", ")
        ));
    }
    let body = body.map_err(|e| Failure::because(Exit::Bug, "the answer cannot be read", &e))?;
    Ok(Given {
        status: parts.status.as_u16(),
        headers: parts.headers,
        body: body.to_vec(),
    })
}

/// Writes text so that it can stand in a path or a query.
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~@".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// Turns a problem document into a report.
fn refused(given: &Given) -> Failure {
    let problem: serde_json::Value = serde_json::from_slice(&given.body).unwrap_or_default();
    let text = |key: &str| {
        problem
            .get(key)
            .and_then(serde_json::Value::as_str)
            .map(str::to_owned)
    };
    let title = text("title").unwrap_or_else(|| format!("the answer has status {}", given.status));
    let exit = match (given.status, text("class").as_deref()) {
        (400 | 404, None) => Exit::Usage,
        (_, Some("auth")) => Exit::Config,
        _ => Exit::Outside,
    };
    let failure = Failure::new(exit, terminal::clean(&title));
    let wait = given
        .headers
        .get("retry-after")
        .and_then(|wait| wait.to_str().ok());
    match (text("detail"), wait) {
        (Some(detail), Some(wait)) => {
            failure.hint(format!("{}; in {wait} s", terminal::clean(&detail)))
        }
        (Some(detail), None) => failure.hint(terminal::clean(&detail)),
        (None, _) => failure,
    }
}

/// Says in one sentence where an answer comes from.
fn source(given: &Given) -> String {
    let header = |name: &str| {
        given
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    let provider = header("x-tradewind-provider").unwrap_or("nobody");
    let status = header("cache-status").unwrap_or_default();
    let mut text = if status.ends_with("; hit") {
        format!("From {provider}, all of it held already: no call.")
    } else if let Some((_, calls)) = status.split_once("calls=") {
        format!("From {provider}; calls to it: {}.", calls.trim_matches('"'))
    } else {
        format!("From {provider}.")
    };
    if let Some(why) = header("x-tradewind-stale-because") {
        text.push_str(&format!(
            " The newest bars are missing: {}.",
            terminal::clean(why)
        ));
    }
    if let Some(instead) = header("x-tradewind-instead-of") {
        text.push_str(&format!(
            " It answers instead of {}.",
            terminal::clean(instead)
        ));
    }
    if let Some(unknown) = header("x-tradewind-unknown") {
        text.push_str(&format!(
            " Nobody knows whether there are bars in {unknown}."
        ));
    }
    text
}

/// Shows bars to a person: the shape of the closes, and the newest rows.
fn show(args: &BarsArgs, given: &Given) -> Result<(), Failure> {
    let bars: Vec<serde_json::Value> = serde_json::from_slice(&given.body)
        .map_err(|e| Failure::because(Exit::Bug, "the answer cannot be read", &e))?;
    let number = |bar: &serde_json::Value, name: &str| match bar.get(name) {
        Some(serde_json::Value::String(text)) => text.clone(),
        Some(serde_json::Value::Number(number)) => number.to_string(),
        _ => "–".to_owned(),
    };
    let text = |bar: &serde_json::Value, name: &str| {
        bar.get(name)
            .and_then(serde_json::Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    terminal::line(format_args!(
        "{} {} bars of {}{}",
        paint(Tone::Strong, bars.len()),
        args.interval,
        terminal::word(&args.instrument),
        if args.adjust == "none" {
            String::new()
        } else {
            format!(", adjusted: {}", args.adjust)
        }
    ));
    let closes: Vec<f64> = bars
        .iter()
        .filter_map(|bar| number(bar, "close").parse().ok())
        .collect();
    if let (Some(first), Some(last)) = (bars.first(), bars.last()) {
        terminal::line(format_args!(
            "{}  {}  {}",
            text(first, "start"),
            terminal::sparkline(&closes, 60),
            text(last, "start")
        ));
        terminal::line(paint(
            Tone::Dim,
            format_args!(
                "{:<22}{:>12}{:>12}{:>12}{:>12}{:>16}",
                "start", "open", "high", "low", "close", "volume"
            ),
        ));
    }
    for bar in bars.iter().skip(bars.len().saturating_sub(SHOWN_ROWS)) {
        let open = if bar.get("final") == Some(&serde_json::Value::Bool(false)) {
            "  still open"
        } else {
            ""
        };
        terminal::line(format_args!(
            "{:<22}{:>12}{:>12}{:>12}{:>12}{:>16}{open}",
            text(bar, "start"),
            number(bar, "open"),
            number(bar, "high"),
            number(bar, "low"),
            number(bar, "close"),
            number(bar, "volume"),
        ));
    }
    terminal::line(source(given));
    if args.output.is_none() {
        terminal::line(paint(
            Tone::Dim,
            "`-o bars.csv` writes them into a file; also .json, .arrow, .parquet.",
        ));
    }
    Ok(())
}
