//! Two services that run the live command with the same keys.

use tradewind_catalog::UseCase;
use tradewind_repo::project::compose::{Compose, Service, Started};
use tradewind_repo::project::dockerfile::Dockerfile;

use crate::finding::{Area, Confidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};
use crate::source::Source;

/// Two services that run the live command with the same keys.
#[derive(Debug)]
pub struct TwoTradersOneAccount;

const ABOUT: About = About {
    id: "two-traders-one-account",
    title: "Two processes may trade one account",
    area: Area::Trading,
    severity: Severity::Critical,
    confidence: Confidence::Possible,
    timeframe: Timeframe::Immediate,
    impact: "Both see no position and both buy; each overwrites the other's orders.",
    action: "Run one service with a restart policy and a health check, or give each its own account.",
    after: &[],
};

/// What a service's command says about whether it trades.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trades {
    /// It starts what sends orders.
    Yes,
    /// What it starts cannot be told.
    Unknown,
    /// It starts something else.
    No,
}

impl Rule for TwoTradersOneAccount {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        let orders = context.api_map.calls.iter().filter(|call| {
            call.use_case == Some(UseCase::Order) && !crate::source::is_test(&call.path)
        });
        let mut starts: Vec<&str> = orders
            .flat_map(|call| call.entry_points.iter().map(AsRef::as_ref))
            .collect();
        starts.sort_unstable();
        starts.dedup();
        if starts.is_empty() {
            return;
        }
        for compose in &context.project.compose {
            let services: Vec<(&Service, Trades)> = compose
                .services
                .iter()
                .filter(|service| service.profiles.is_empty() && !service.is_extended)
                .map(|service| (service, trades(context, compose, service, &starts)))
                .filter(|(_, trades)| *trades != Trades::No)
                .collect();
            let Some((first, _)) = services.iter().find(|(_, trades)| *trades == Trades::Yes)
            else {
                continue;
            };
            for (other, certainty) in &services {
                if std::ptr::eq(*other, *first) {
                    continue;
                }
                let Some(shared) = shared_keys(context, first, other) else {
                    continue;
                };
                let Some(source) = Source::read(context, &compose.path) else {
                    continue;
                };
                let (later, earlier) = if other.line > first.line {
                    (other, first)
                } else {
                    (first, other)
                };
                let title = format!(
                    "`{}` and `{}` may trade one account",
                    earlier.name, later.name
                );
                let places = vec![
                    source.at(later.line),
                    source.at(earlier.line),
                    source.noted(shared, "the same keys"),
                ];
                let finding = findings.add(title, places);
                if *certainty == Trades::Unknown {
                    finding.confidence = Confidence::Possible;
                }
            }
        }
    }
}

fn trades(context: &Context<'_>, compose: &Compose, service: &Service, starts: &[&str]) -> Trades {
    let command = service.command.as_ref().or(service.entrypoint.as_ref());
    let line = match command.map(|command| &command.value) {
        Some(Started::Words(words)) => words.join(" "),
        Some(Started::Line(line)) => line.to_string(),
        None => match of_image(context, compose, service) {
            Some(line) => line,
            None => return Trades::No,
        },
    };
    let words: Vec<&str> = line
        .split(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '[' | ']' | ','))
        .filter(|word| !word.is_empty())
        .collect();
    // A program that is told to do something else than trade.
    let is_other = words.iter().any(|word| {
        [
            "backtest",
            "dashboard",
            "streamlit",
            "uvicorn",
            "gunicorn",
            "web",
            "api",
            "train",
            "report",
            "migrate",
            "jupyter",
            "download",
            "test",
            "pytest",
        ]
        .contains(word)
    });
    if is_other {
        return Trades::No;
    }
    let does = starts.iter().any(|start| {
        let last = start.rsplit(' ').next().unwrap_or(start);
        words
            .iter()
            .any(|word| word.trim_start_matches("./").ends_with(last))
            || line.contains(start)
    });
    if does {
        return Trades::Yes;
    }
    let script = words
        .iter()
        .find(|word| word.to_lowercase().ends_with(".py"));
    match script {
        // It starts what is not there (any more); what it did is not to be seen.
        Some(script)
            if !context
                .tree
                .has(script.trim_start_matches("./").trim_start_matches("/app/")) =>
        {
            Trades::Unknown
        }
        _ => Trades::No,
    }
}

/// Returns what the image of a service starts.
fn of_image(context: &Context<'_>, compose: &Compose, service: &Service) -> Option<String> {
    let build = service.build.as_ref()?;
    let folder = compose
        .path
        .rsplit_once('/')
        .map_or("", |(folder, _)| folder);
    let name = build
        .dockerfile
        .as_ref()
        .map_or("Dockerfile", |file| file.value.as_ref());
    let inside = build.context.trim_start_matches("./").trim_end_matches('/');
    let parts = [folder, inside, name];
    let path = parts
        .iter()
        .filter(|part| !part.is_empty() && **part != ".")
        .copied()
        .collect::<Vec<_>>()
        .join("/");
    let file: &Dockerfile = context
        .project
        .dockerfiles
        .iter()
        .find(|file| *file.path == *path)?;
    let last = file
        .instructions
        .iter()
        .rev()
        .find(|instruction| matches!(instruction.keyword.as_ref(), "CMD" | "ENTRYPOINT"))?;
    Some(last.rest.to_string())
}

/// Returns the line where the second service gets the keys of the first.
fn shared_keys(context: &Context<'_>, first: &Service, other: &Service) -> Option<u32> {
    let shared_file = other.env_files.iter().find(|(file, _)| {
        first
            .env_files
            .iter()
            .any(|(theirs, _)| theirs.value == file.value)
    });
    if let Some((file, _)) = shared_file {
        return Some(file.line);
    }
    other
        .environment
        .iter()
        .find(|(name, value)| {
            context.catalog.by_variable(&name.value).is_some()
                && first
                    .environment
                    .iter()
                    .any(|(theirs, held)| theirs.value == name.value && held == value)
        })
        .map(|(name, _)| name.line)
}
