//! Times without a zone where the market's zone matters.

use tradewind_catalog::UseCase;
use tradewind_repo::python::{Call, Module};

use crate::finding::{Area, Confidence, Evidence, Severity, Timeframe};
use crate::quotes::{is_foreign, is_shelved};
use crate::rule::{About, Context, Findings, Rule};
use crate::source::{Source, grouped, is_test};

/// Times without a zone where the market's zone matters.
#[derive(Debug)]
pub struct NaiveTime;

const ABOUT: About = About {
    id: "naive-time",
    title: "Times without a zone where the market's zone matters",
    area: Area::MarketData,
    severity: Severity::High,
    confidence: Confidence::Possible,
    timeframe: Timeframe::Week,
    impact: "The machine's zone is taken for the market's: on a server in UTC the bot trades at the wrong hours and asks for the wrong day.",
    action: "Use aware times: `datetime.now(ZoneInfo(\"America/New_York\"))` for sessions, `datetime.fromtimestamp(t, tz=timezone.utc)` for answers and storage.",
    after: &[],
};

/// What a time without a zone is used for, worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Use {
    Session,
    Stripped,
    Request,
    Answer,
    /// Hours do not decide: told only beside something that does.
    Day,
    Storage,
}

impl Use {
    const fn words(self) -> &'static str {
        match self {
            Self::Session => "decides by the machine's clock",
            Self::Stripped => "is held against a time whose zone was taken off",
            Self::Request | Self::Day => "asks for a span by the machine's day",
            Self::Answer => "turns the provider's time into the machine's zone",
            Self::Storage => "is stored without its zone",
        }
    }
}

impl Rule for NaiveTime {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        let mut found: Vec<(Use, Evidence)> = Vec::new();
        for (at, module) in context.code.modules.iter().enumerate() {
            let naive: Vec<&Call> = module.calls.iter().filter(|call| is_naive(call)).collect();
            if naive.is_empty()
                || is_test(&module.path)
                || is_foreign(&module.path)
                || is_shelved(&module.path)
            {
                continue;
            }
            let Some(source) = Source::read(context, &module.path) else {
                continue;
            };
            for call in naive {
                // Coins trade around the clock; only stocks have a day of their own.
                let asks = context.api_map.calls.iter().any(|asked| {
                    asked.module == at
                        && asked.scope == call.scope
                        && call.scope.is_some()
                        && matches!(
                            asked.use_case,
                            Some(UseCase::Bars | UseCase::Trades | UseCase::Quote)
                        )
                        && !matches!(asked.provider.as_ref(), "binance" | "kraken" | "coinbase")
                });
                if let Some(kind) = used_for(module, &source, call, asks) {
                    found.push((kind, source.noted(call.line, kind.words())));
                }
            }
        }
        found.sort();
        found.dedup();
        // A day more in a span returns nothing, and what the program stores it reads back in the same way.
        if found
            .iter()
            .all(|(kind, _)| matches!(kind, Use::Day | Use::Storage))
        {
            return;
        }
        let is_session = found.iter().any(|(kind, _)| *kind == Use::Session);
        let zoned = sets_zone(context);
        let places: Vec<Evidence> = found.into_iter().map(|(_, place)| place).collect();
        let title = match places.len() {
            1 => "a time without a zone meets market time".to_owned(),
            n => format!("{n} times without a zone meet market time"),
        };
        let Some(finding) = grouped(findings, title, places) else {
            return;
        };
        if !is_session {
            finding.severity = Severity::Medium;
        }
        if let Some(path) = zoned {
            finding.confidence = Confidence::Possible;
            findings.not_checked(format!(
                "{path} sets a zone for the machine, which may be the market's"
            ));
        }
    }
}

/// Returns the file that sets the machine's zone, if one does.
fn sets_zone(context: &Context<'_>) -> Option<String> {
    let files = context.tree.tracked().filter(|file| {
        let name = file
            .path
            .rsplit('/')
            .next()
            .unwrap_or_default()
            .to_lowercase();
        name.contains("dockerfile") || name.contains("compose")
    });
    files
        .filter(|file| {
            context.tree.text(&file.path).is_some_and(|text| {
                ["TZ=", "TZ:", "TZ ", "/etc/localtime"]
                    .iter()
                    .any(|word| text.contains(word))
            })
        })
        .map(|file| file.path.to_string())
        .next()
}

fn is_naive(call: &Call) -> bool {
    let given = call.arguments.len();
    match call.callee.as_ref() {
        "datetime.datetime.now"
        | "datetime.datetime.today"
        | "datetime.date.today"
        | "datetime.datetime.utcnow"
        | "pandas.Timestamp.now"
        | "pandas.Timestamp.today" => given == 0,
        "datetime.datetime.fromtimestamp" => given == 1,
        _ => false,
    }
}

/// Says whether a call is given a field of something that came from outside: `row["t"]`, `bar.timestamp / 1000`.
/// A plain name, or a time that the program keeps, may be of its own making.
fn takes_an_answer(line: &str) -> bool {
    let Some((_, rest)) = line.split_once("fromtimestamp(") else {
        return false;
    };
    let mut depth = 1_u32;
    let given: String = rest
        .chars()
        .take_while(|c| {
            match c {
                '(' => depth += 1,
                ')' => depth -= 1,
                _ => {}
            }
            depth > 0
        })
        .collect();
    let is_field = given
        .split(|c: char| !c.is_alphanumeric() && c != '_' && c != '.')
        .any(|word| {
            word.rsplit_once('.').is_some_and(|(owner, field)| {
                !owner.starts_with("self")
                    && matches!(
                        field,
                        "t" | "ts" | "time" | "timestamp" | "open_time" | "close_time" | "T"
                    )
            })
        });
    // When a file was written is the machine's business.
    let is_of_a_file = given.contains("file") || given.contains("mtime");
    !is_of_a_file && (given.contains('[') || is_field)
}

fn used_for(module: &Module, source: &Source, call: &Call, asks: bool) -> Option<Use> {
    let line = source.line(call.line);
    if [
        // A plain time is taken for the machine's and turned into the zone that is named: none is lost.
        ").astimezone(",
        "print(",
        "log.",
        "logger.",
        "logging.",
        "getmtime",
        "st_mtime",
        "getctime",
        "st_ctime",
        "time.time()",
        ".total_seconds()",
    ]
    .iter()
    .any(|word| line.contains(word))
    {
        return None;
    }
    // An instant since the epoch has no zone to lose; of UTC without a zone it is a wrong one.
    if line.contains("().timestamp()") && !call.callee.ends_with("utcnow") {
        return None;
    }
    let is_for_people = line.contains("strftime") && !line.contains("to_datetime");
    if call.callee.ends_with("fromtimestamp") {
        return (!is_for_people && takes_an_answer(line)).then_some(Use::Answer);
    }
    let stored = (call.line.saturating_sub(3)..=call.line)
        .map(|number| source.line(number).to_lowercase())
        .any(|text| {
            [".execute(", "insert into", "writerow", "insert_one"]
                .iter()
                .any(|word| text.contains(word))
        });
    let is_stored = stored && !call.callee.ends_with("date.today");
    // UTC on purpose, though nobody can see it later; and a local time that is given its zone at once.
    if call.callee.ends_with("utcnow") || line.contains("().astimezone(") {
        // Where the whole file writes UTC there is one reading of it; beside local times there are two.
        let is_mixed = source
            .text(1..=u32::from(u16::MAX))
            .lines()
            .any(|other| other.contains("datetime.now().isoformat()"));
        return (is_stored && is_mixed && !line.contains("astimezone")).then_some(Use::Storage);
    }
    if line.contains("replace(tzinfo=None)") {
        return Some(Use::Stripped);
    }
    let span = source.span(module, call.scope);
    let name = assigned(line);
    let uses: Vec<&str> = (call.line + 1..=*span.end())
        .map(|number| source.line(number))
        .filter(|text| name.is_some_and(|name| has_word(text, name)))
        .take(40)
        .collect();
    let everywhere = || std::iter::once(line).chain(uses.iter().copied());
    let is_days_back = counts_days_back(line);
    let asks_a_question = |text: &str| {
        ["<", ">", "==", "!=", " in "]
            .iter()
            .any(|sign| text.contains(sign))
            || !text.contains(".time()")
    };
    let is_session = |text: &str| {
        // Whether yesterday was a weekday is a question about days, not about hours.
        is_about_session(text)
            && asks_a_question(text)
            && !(is_days_back && text.contains("weekday()"))
    };
    if everywhere().any(is_session) {
        return Some(Use::Session);
    }
    let is_compared = |name| uses.iter().any(|text| is_compared_with_bar(text, name));
    if !is_days_back && name.is_some_and(is_compared) {
        return Some(Use::Session);
    }
    let is_bound = name.is_some_and(|name| {
        let name = name.to_lowercase();
        [
            "end", "start", "today", "now", "to_", "from_", "until", "since",
        ]
        .iter()
        .any(|word| name.starts_with(word))
    });
    let is_span = |text: &str| {
        ["timedelta", "start", "end", "from", "strftime"]
            .iter()
            .any(|word| text.contains(word))
    };
    if asks && is_bound && everywhere().any(is_span) {
        let is_fine = everywhere().any(is_within_a_day);
        return Some(if is_fine { Use::Request } else { Use::Day });
    }
    is_stored.then_some(Use::Storage)
}

/// Says whether a line counts hours and minutes: a span of days is a rough bound.
fn is_within_a_day(line: &str) -> bool {
    ["hours=", "minutes=", "seconds=", "%H"]
        .iter()
        .any(|word| line.contains(word))
}

/// Says whether a line waits for one hour or one weekday: a report, a reset at midnight.
fn is_chore(lower: &str) -> bool {
    [".hour", ".weekday()", ".isoweekday()"].iter().any(|part| {
        lower
            .split(part)
            .skip(1)
            .any(|rest| rest.trim_start().starts_with("=="))
    })
}

/// Says whether a line counts some days back, a rough bound: hours more or less decide nothing.
fn counts_days_back(line: &str) -> bool {
    ["timedelta(days=", "timedelta(weeks="]
        .iter()
        .any(|word| line.contains(word))
}

/// Returns the name that a line assigns.
fn assigned(line: &str) -> Option<&str> {
    let (name, rest) = line.split_once('=')?;
    let name = name.trim();
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    (is_name && !rest.starts_with('=')).then_some(name)
}

fn has_word(text: &str, word: &str) -> bool {
    text.split(|c: char| !c.is_alphanumeric() && c != '_')
        .any(|part| part == word)
}

/// Says whether a line asks for the hour of trading.
fn is_about_session(text: &str) -> bool {
    let lower = text.to_lowercase();
    [
        "is_open(",
        "market_open",
        "market_close",
        "market_hours",
        "trading_hours",
        "is_market",
        "is_trading",
        "trading_session",
        "in_session",
    ]
    .iter()
    .any(|word| lower.contains(word))
        // Between two hours one trades; at one hour a program does its own chores: a report, a reset at midnight.
        || (lower.contains("if ") || lower.contains("while ") || lower.contains("return "))
            && [".hour", ".weekday()", ".time()", ".isoweekday()"]
                .iter()
                .any(|word| lower.contains(word))
            && ["<", ">", " in "].iter().any(|sign| lower.contains(sign))
            && !is_chore(&lower)
}

/// Says whether a name is held against the day of a bar.
fn is_compared_with_bar(text: &str, name: &str) -> bool {
    let compares = [" < ", " > ", " <= ", " >= ", " == ", " != "]
        .iter()
        .any(|op| text.contains(op));
    // The name's own parts are not a bar's.
    let squeezed = text.replace(&format!("{name}."), "").to_lowercase();
    let has_day = squeezed.contains(".day") && has_word(&squeezed, "day");
    compares
        && has_word(text, name)
        && (has_day
            || ["bar.", "candle", "bars", "df[", "[\"t\"]", "['t']", "expir"]
                .iter()
                .any(|word| squeezed.contains(word)))
}
