//! `tradewind catalog drift`: where providers said another limit than the one that is declared.

use jiff::Timestamp;
use serde::Serialize;
use tradewind_catalog::{Catalog, Provider};
use tradewind_journal::ReadError;
use tradewind_quota::QuotaSection;
use tradewind_quota::outlook;

use crate::cli::Format;
use crate::place::Place;
use crate::report::{Exit, Failure, Outcome};
use crate::settings::Settings;
use crate::terminal::{self, Tone, paint};

/// One window that is not as declared.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Drift {
    provider: String,
    /// Id of the plan that is declared in `config.toml`, or the first one.
    plan: String,
    window: String,
    declared: u64,
    said: u64,
    said_at: Timestamp,
    /// What to write into the user's file, or where the fact is kept.
    fix: String,
}

pub(super) fn run(place: &Place, catalog: &Catalog, format: Format) -> Outcome {
    let failed = |error: ReadError| Failure::from_error(Exit::Outside, &error);
    let said = match tradewind_journal::Reader::open(place.state()) {
        Ok(reader) => outlook::corrected(&reader).map_err(failed)?,
        Err(ReadError::Missing { .. }) => Vec::new(),
        Err(error) => return Err(failed(error)),
    };
    let quota = Settings::load(catalog)?.quota;
    let drifts: Vec<Drift> = said
        .into_iter()
        .filter_map(|(at, said)| drift(catalog, &quota, &said.provider, &said.window, said.to, at))
        .collect();
    if format == Format::Json {
        let body = serde_json::json!({ "schema_version": 1, "drift": drifts });
        terminal::line(serde_json::to_string_pretty(&body).unwrap_or_default());
    } else if drifts.is_empty() {
        terminal::line(format_args!(
            "{} No provider that was asked has said another limit than the declared one.",
            paint(Tone::Good, "ok")
        ));
    }
    if format == Format::Text {
        for drift in &drifts {
            terminal::line(format_args!(
                "{} {}: {} is declared, the provider says {} (since {})",
                paint(Tone::Strong, &drift.provider),
                drift.window,
                drift.declared,
                paint(Tone::Warn, drift.said),
                drift.said_at.strftime("%Y-%m-%d")
            ));
            terminal::line(format_args!("  {} {}", paint(Tone::Strong, "→"), drift.fix));
        }
    }
    Ok(if drifts.is_empty() {
        Exit::Done
    } else {
        Exit::Found
    })
}

fn drift(
    catalog: &Catalog,
    quota: &QuotaSection,
    provider: &str,
    window: &str,
    said: u64,
    said_at: Timestamp,
) -> Option<Drift> {
    let provider = catalog.provider(provider)?;
    let plan = quota.plan(provider)?;
    let declared = plan.windows.iter().find(|known| known.id == window)?;
    let own = quota.limit(&provider.name, window);
    let limit = u64::from(own.unwrap_or(declared.limit));
    (limit != said).then(|| Drift {
        provider: provider.name.clone(),
        plan: plan.id.clone(),
        window: window.to_owned(),
        declared: limit,
        said,
        said_at,
        fix: fix(provider, &plan.id, window, said),
    })
}

/// Says which line of `config.toml` makes the declared limit the true one: another plan that has it, or a
/// limit of one's own.
fn fix(provider: &Provider, plan: &str, window: &str, said: u64) -> String {
    let has = |other: &&tradewind_catalog::plan::Plan| {
        other.id != plan
            && other
                .windows
                .iter()
                .any(|known| known.id == window && u64::from(known.limit) == said)
    };
    let name = &provider.name;
    match provider.plans.iter().find(has) {
        Some(other) => format!(
            "that is the plan {}: [quota.providers.{name}] plan = \"{}\"",
            terminal::one_line(&other.title, 40),
            other.id
        ),
        None => format!("[quota.providers.{name}.limits] {window} = {said}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(provider: &str, window: &str, said: u64) -> Option<Drift> {
        let catalog = Catalog::builtin();
        drift(
            &catalog,
            &QuotaSection::default(),
            provider,
            window,
            said,
            Timestamp::UNIX_EPOCH,
        )
    }

    #[test]
    fn a_limit_as_declared_is_no_drift() {
        let catalog = Catalog::builtin();
        for provider in catalog.providers() {
            for window in provider
                .plans
                .first()
                .into_iter()
                .flat_map(|plan| &plan.windows)
            {
                assert_eq!(
                    of(&provider.name, &window.id, u64::from(window.limit)),
                    None
                );
            }
        }
    }

    #[test]
    fn another_limit_names_the_line_that_mends_it() {
        let catalog = Catalog::builtin();
        let window = &catalog.provider("alphavantage").unwrap().plans[0].windows[0];
        let found = of("alphavantage", &window.id, 24).unwrap();
        let line = format!("[quota.providers.alphavantage.limits] {} = 24", window.id);
        assert_eq!((found.declared, found.fix), (u64::from(window.limit), line));
    }
}
