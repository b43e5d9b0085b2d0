//! `tradewind get bars|quote|trades|news`: market data on the terminal or in a file, from the cache or the cheapest call,
//! or with `--follow` as it happens.

mod follow;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use clap::{Subcommand, ValueEnum};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use serde_json::Value;
use tradewind_catalog::UseCase;
use tradewind_host::files::{self, Mode};
use tradewind_market::service::Service;

use super::reach::{Given, reach};
use crate::client::Daemon;
use crate::place::Place;
use crate::report::{Exit, Failure, Outcome};
use crate::terminal::{self, Tone, paint};
use follow::Listened;

/// Says who asks.
const CONSUMER: HeaderName = HeaderName::from_static("x-tradewind-consumer");
/// How long a question may take: a backfill waits for its quota.
const TIME_LIMIT: Duration = Duration::from_hours(24);
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
    /// Best bid and ask, or the last price: newest, or over a span
    Quote(MomentArgs),
    /// Single prints: newest, or over a span
    Trades(MomentArgs),
    /// Articles about a symbol, or with certain words
    News(NewsArgs),
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
    /// First day or moment: 2024-01-31 is midnight at the venue; default: 250 times the length before the end
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
    /// Go on with bars made of trades as they happen, until Ctrl-C; needs the running daemon
    #[arg(long, conflicts_with_all = ["start", "end", "max_age", "output"])]
    follow: bool,
}

#[derive(Debug, clap::Args)]
struct MomentArgs {
    /// Symbol, or symbol@venue: AAPL, BTC/USD@kraken
    instrument: String,
    /// Go on with what happens, as it happens, until Ctrl-C or `--limit` rows; needs the running daemon
    #[arg(long, conflicts_with_all = ["start", "end", "max_age", "output"])]
    follow: bool,
    #[command(flatten)]
    of: Moments,
}

#[derive(Debug, clap::Args)]
struct NewsArgs {
    /// Symbol that the articles are about
    instrument: Option<String>,
    /// Words that they have, instead of a symbol
    #[arg(short = 'w', long, value_name = "WORDS", conflicts_with = "instrument")]
    words: Option<String>,
    #[command(flatten)]
    of: Moments,
}

/// What quotes, trades and news have in common.
#[derive(Debug, clap::Args)]
struct Moments {
    /// First day or moment; default: only what is newest
    #[arg(short, long)]
    start: Option<String>,
    /// Day or moment that is not included any more; default: now
    #[arg(short, long, requires = "start")]
    end: Option<String>,
    /// Who is asked; default: whoever has it, as `prefer` in config.toml says
    #[arg(short, long)]
    provider: Option<String>,
    /// Which feed of the provider: sip, iex, …
    #[arg(long)]
    feed: Option<String>,
    /// At most so many rows; default: 1000
    #[arg(short = 'n', long)]
    limit: Option<usize>,
    /// How old an answer may be that was given before
    #[arg(long)]
    max_age: Option<String>,
    /// Floats, or every digit as the provider wrote it
    #[arg(long, value_parser = ["float", "decimal"], default_value = "float")]
    numbers: String,
    /// The form of the answer; default: text, or what the name of the file says
    #[arg(short, long, value_enum)]
    format: Option<Form>,
    /// Write it into this file
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// A question, put in the words of the listener.
pub(super) struct Asked {
    what: UseCase,
    /// Symbol; empty for news.
    name: String,
    query: Vec<(String, String)>,
    priority: String,
    form: Form,
    output: Option<PathBuf>,
}

pub(crate) async fn run(place: &Place, args: Args) -> Outcome {
    if let Some(listened) = listened(&args.what) {
        return follow::run(place, listened?).await;
    }
    let question = match args.what {
        What::Bars(args) => of_bars(args)?,
        What::Quote(args) => of_moments(UseCase::Quote, args.instrument, args.of)?,
        What::Trades(args) => of_moments(UseCase::Trades, args.instrument, args.of)?,
        What::News(args) if args.instrument.is_none() && args.words.is_none() => {
            return Err(Failure::new(Exit::Usage, "the question names neither a symbol nor words").hint(
                "name a symbol or words: `tradewind get news AAPL`, `tradewind get news --words \"interest rates\"`",
            ));
        }
        What::News(args) => {
            let mut question = of_moments(UseCase::News, String::new(), args.of)?;
            let about = [("symbol", args.instrument), ("q", args.words)];
            question.query.extend(
                about
                    .into_iter()
                    .filter_map(|(key, value)| Some((key.to_owned(), value?))),
            );
            question
        }
    };
    let mut headers = HeaderMap::new();
    headers.insert(CONSUMER, HeaderValue::from_static("tradewind get"));
    if let Ok(priority) = HeaderValue::from_str(&question.priority) {
        headers.insert(HeaderName::from_static("x-tradewind-priority"), priority);
    }
    let waiting = terminal::spinner(format!(
        "Getting {} {}",
        question.what.as_str(),
        question.name
    ));
    let given = ask(place, &question, &headers).await;
    drop(waiting);
    let given = given?;
    if given.status != 200 {
        return Err(refused(&given));
    }
    if let Some(path) = &question.output {
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
    if question.form == Form::Text {
        show(&question, &given)?;
        return Ok(Exit::Done);
    }
    std::io::stdout()
        .write_all(&given.body)
        .map_err(|e| Failure::because(Exit::Outside, "the answer cannot be written", &e))?;
    Ok(Exit::Done)
}

/// Returns what shall be listened to, where the command says so.
fn listened(what: &What) -> Option<Result<Listened, Failure>> {
    let (kind, instrument, mut query, format, limit) = match what {
        What::Bars(args) if args.follow => {
            let query = vec![
                ("interval", Some(args.interval.clone())),
                ("provider", args.provider.clone()),
                ("feed", args.feed.clone()),
                ("numbers", Some(args.numbers.clone())),
            ];
            ("bars", &args.instrument, query, args.format, None)
        }
        What::Quote(args) | What::Trades(args) if args.follow => {
            let query = vec![
                ("provider", args.of.provider.clone()),
                ("feed", args.of.feed.clone()),
                ("numbers", Some(args.of.numbers.clone())),
            ];
            let kind = if matches!(what, What::Quote(_)) {
                "quotes"
            } else {
                "trades"
            };
            (kind, &args.instrument, query, args.of.format, args.of.limit)
        }
        What::Bars(_) | What::Quote(_) | What::Trades(_) | What::News(_) => return None,
    };
    let is_json = match format {
        None | Some(Form::Text) => false,
        Some(Form::Json) => true,
        Some(Form::Csv | Form::Arrow | Form::Parquet) => {
            let failure = Failure::new(
                Exit::Usage,
                "what is followed has no end, and that form needs one",
            );
            return Some(Err(failure.hint("say --format text or --format json")));
        }
    };
    query.push(("instrument", Some(instrument.clone())));
    query.push(("kind", Some(kind.to_owned())));
    let query = query
        .into_iter()
        .filter_map(|(key, value)| Some(format!("{key}={}", encoded(&value?))));
    Some(Ok(Listened {
        path: format!("/v1/stream?{}", query.collect::<Vec<_>>().join("&")),
        is_json,
        limit,
    }))
}

fn of_bars(args: BarsArgs) -> Result<Asked, Failure> {
    let given = [
        ("interval", Some(args.interval)),
        ("start", args.start),
        ("end", args.end),
        ("adjust", Some(args.adjust)),
        ("provider", args.provider),
        ("feed", args.feed),
        ("max_age", args.max_age),
        ("numbers", Some(args.numbers)),
    ];
    Ok(Asked {
        what: UseCase::Bars,
        name: args.instrument,
        query: given
            .into_iter()
            .filter_map(|(key, value)| Some((key.to_owned(), value?)))
            .collect(),
        priority: args.priority,
        form: form(args.format, args.output.as_deref())?,
        output: args.output,
    })
}

fn of_moments(what: UseCase, name: String, args: Moments) -> Result<Asked, Failure> {
    let given = [
        ("start", args.start),
        ("end", args.end),
        ("provider", args.provider),
        ("feed", args.feed),
        ("limit", args.limit.map(|limit| limit.to_string())),
        ("max_age", args.max_age),
        ("numbers", Some(args.numbers)),
    ];
    let form = form(args.format, args.output.as_deref())?;
    let mut query: Vec<_> = given
        .into_iter()
        .filter_map(|(key, value)| Some((key.to_owned(), value?)))
        .collect();
    if what == UseCase::News {
        query.push(("format".to_owned(), form.suffix().to_owned()));
    }
    Ok(Asked {
        what,
        name,
        query,
        priority: "interactive".to_owned(),
        form,
        output: args.output,
    })
}

/// Decides on the form: what is said, else what the file's name says, else text.
fn form(said: Option<Form>, output: Option<&Path>) -> Result<Form, Failure> {
    if let Some(form) = said {
        return Ok(form);
    }
    let Some(path) = output else {
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

impl Asked {
    /// Asks one provider for as little as shows that it answers: never what is held already.
    pub(super) fn small(what: UseCase, about: &str, provider: &str, now: Timestamp) -> Self {
        let since = now.to_zoned(TimeZone::UTC).date().saturating_sub(7.days());
        let mut query = vec![
            ("provider".to_owned(), provider.to_owned()),
            ("max_age".to_owned(), "0".to_owned()),
        ];
        match what {
            UseCase::Bars => query.push(("start".to_owned(), since.to_string())),
            UseCase::News => {
                query.push(("q".to_owned(), "market".to_owned()));
                query.push(("format".to_owned(), Form::Json.suffix().to_owned()));
            }
            _ => {}
        }
        Self {
            what,
            name: about.to_owned(),
            query,
            priority: "interactive".to_owned(),
            form: Form::Json,
            output: None,
        }
    }

    /// Sends it as `get` would.
    pub(super) async fn send(&self, place: &Place) -> Result<Given, Failure> {
        let mut headers = HeaderMap::new();
        headers.insert(CONSUMER, HeaderValue::from_static("tradewind doctor"));
        ask(place, self, &headers).await
    }
}

/// Asks the daemon when one runs, else the service here.
async fn ask(place: &Place, question: &Asked, headers: &HeaderMap) -> Result<Given, Failure> {
    let name = format!("{}.{}", question.name, question.form.suffix());
    let what = question.what.as_str();
    let mut path = match question.what {
        UseCase::News => "/v1/news".to_owned(),
        _ => format!("/v1/{what}/{}", encoded(&name)),
    };
    for (place, (key, value)) in question.query.iter().enumerate() {
        let mark = if place == 0 { '?' } else { '&' };
        path.push_str(&format!("{mark}{key}={}", encoded(value)));
    }
    let through = async |daemon: &Daemon| {
        let sent = daemon.get(&path, headers, TIME_LIMIT, MAX_ANSWER_BYTES);
        let (status, headers, body) = sent.await?;
        Ok(Given {
            status,
            headers,
            body,
        })
    };
    let alone = async |service: &Service| {
        tradewind_market::http::answer(service, question.what, &name, &question.query, headers)
            .await
    };
    reach(place, through, alone, MAX_ANSWER_BYTES).await
}

/// Writes text so that it can stand in a path or a query.
pub(super) fn encoded(text: &str) -> String {
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
pub(super) fn refused(given: &Given) -> Failure {
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

/// Shows rows to a person: of bars the shape of the closes, then the newest rows.
fn show(question: &Asked, given: &Given) -> Result<(), Failure> {
    let rows: Vec<serde_json::Map<String, Value>> = serde_json::from_slice(&given.body)
        .map_err(|e| Failure::because(Exit::Bug, "the answer cannot be read", &e))?;
    terminal::line(format_args!(
        "{} {}{}",
        paint(Tone::Strong, rows.len()),
        if question.what == UseCase::Quote {
            "quotes"
        } else {
            question.what.as_str()
        },
        if question.name.is_empty() {
            String::new()
        } else {
            format!(" of {}", terminal::word(&question.name))
        },
    ));
    let closes: Vec<f64> = rows
        .iter()
        .filter_map(|row| cell(row, "close").parse().ok())
        .collect();
    if let (Some(first), Some(last), false) = (rows.first(), rows.last(), closes.is_empty()) {
        terminal::line(format_args!(
            "{}  {}  {}",
            cell(first, "start"),
            terminal::sparkline(&closes, 60),
            cell(last, "start")
        ));
    }
    let columns: &[(&str, usize)] = match question.what {
        UseCase::Quote => &[
            ("at", 31),
            ("bid", 12),
            ("bid_size", 10),
            ("ask", 12),
            ("ask_size", 10),
            ("last", 12),
        ],
        UseCase::Trades => &[("at", 31), ("price", 14), ("size", 14), ("taker", 6)],
        UseCase::News => &[("at", 21), ("title", 70)],
        _ => &[
            ("start", 22),
            ("open", 12),
            ("high", 12),
            ("low", 12),
            ("close", 12),
            ("volume", 16),
        ],
    };
    let line = |of: &dyn Fn(&str) -> String| {
        let cells = columns.iter().map(|(name, width)| {
            let text = terminal::one_line(&of(name), *width);
            // Words begin on the left, numbers end on the right.
            if matches!(*name, "at" | "start" | "title" | "taker") {
                format!("{text:<width$}")
            } else {
                format!("{text:>width$}")
            }
        });
        cells.collect::<Vec<_>>().join(" ")
    };
    if !rows.is_empty() {
        terminal::line(paint(Tone::Dim, line(&str::to_owned)));
    }
    for row in rows.iter().skip(rows.len().saturating_sub(SHOWN_ROWS)) {
        let is_open = row.get("final") == Some(&Value::Bool(false));
        let open = if is_open { "  still open" } else { "" };
        terminal::line(format_args!("{}{open}", line(&|name| cell(row, name))));
    }
    terminal::line(source(given));
    terminal::line(paint(
        Tone::Dim,
        "`-o FILE.csv` writes them into a file; also .json, .arrow, .parquet.",
    ));
    Ok(())
}

/// Returns what stands in a column, as a word.
fn cell(row: &serde_json::Map<String, Value>, name: &str) -> String {
    match row.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => "–".to_owned(),
    }
}
