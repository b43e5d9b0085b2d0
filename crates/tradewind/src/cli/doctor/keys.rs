//! Whether the keys of providers are there, valid, and on which plan.
//!
//! Why only when asked to: finding out costs one call of each provider's quota. Without `--keys` nobody is
//! asked and only what is there is told. No key is ever shown.

use std::sync::Arc;

use tradewind_catalog::{Catalog, Provider, UseCase};
use tradewind_host::dirs;
use tradewind_journal::Reader;
use tradewind_market::secrets::Keyring;
use tradewind_quota::outlook;

use super::{Check, note, ok, problem};
use crate::cli::get::Asked;
use crate::place::Place;
use crate::report::{Exit, Failure};
use crate::settings::{self, Settings};
use crate::terminal;

const NAME: &str = "keys";

/// Questions of which every provider answers one: kind of data, and what about.
const QUESTIONS: [(UseCase, &str); 6] = [
    (UseCase::Quote, "AAPL"),
    (UseCase::Quote, "BTC/USD"),
    (UseCase::Trades, "AAPL"),
    (UseCase::Bars, "AAPL"),
    (UseCase::Bars, "BTC/USD"),
    (UseCase::News, ""),
];

/// Everything that says where keys are and which plans they are on.
struct Known {
    catalog: Arc<Catalog>,
    settings: Settings,
    keyring: Keyring,
}

impl Known {
    fn read() -> Result<Self, Failure> {
        let catalog = Arc::new(settings::catalog()?.catalog);
        let settings = Settings::load(&catalog)?;
        let dir = dirs::config_dir().map_err(|e| Failure::from_error(Exit::Config, &e))?;
        let keyring = Keyring::new(Arc::clone(&catalog), settings.market.clone(), dir);
        Ok(Self {
            catalog,
            settings,
            keyring,
        })
    }

    /// Returns the providers that need a key and seem to have one.
    fn with_keys(&self) -> Vec<&Provider> {
        let has = |p: &&Provider| needs_key(p) && self.keyring.has_all(p);
        self.catalog.providers().filter(has).collect()
    }
}

/// Says whether the usual way of asking takes a key.
fn needs_key(provider: &Provider) -> bool {
    let usual = provider.authentications.first();
    usual.is_some_and(|way| !way.how.credentials().is_empty())
}

/// Says which keys are there, without asking anybody.
pub(super) fn found() -> Check {
    let known = match Known::read() {
        Ok(known) => known,
        Err(failure) => return problem(NAME, failure.what, "tradewind config check --user"),
    };
    let names: Vec<_> = known.with_keys().iter().map(|p| p.name.as_str()).collect();
    if names.is_empty() {
        let open = known
            .catalog
            .providers()
            .filter(|p| p.official && !needs_key(p));
        let open: Vec<_> = open.map(|p| p.name.as_str()).collect();
        return note(
            NAME,
            format!("none is set; without one answer {}", open.join(", ")),
            "set a variable such as ALPHAVANTAGE_API_KEY; `tradewind catalog show NAME` names it",
        );
    }
    ok(
        NAME,
        format!(
            "found for {}; `tradewind doctor --keys` asks each once",
            names.join(", ")
        ),
    )
}

/// Asks every provider that has a key, or only those that are named, one small question.
pub(super) async fn checked(place: &Place, only: &[String]) -> Result<Vec<Check>, Failure> {
    let known = Known::read()?;
    for name in only {
        crate::cli::catalog::provider(&known.catalog, name)?;
    }
    let is_named =
        |p: &&Provider| only.is_empty() || only.iter().any(|n| n.eq_ignore_ascii_case(&p.name));
    let mut checks = Vec::new();
    for provider in known.catalog.providers().filter(is_named) {
        let needs = needs_key(provider);
        if needs && known.keyring.has_all(provider) {
            checks.push(ask(place, &known, provider).await?);
        } else if !only.is_empty() {
            checks.push(missing(provider, needs));
        }
    }
    if checks.is_empty() {
        checks.push(found());
    }
    Ok(checks)
}

fn missing(provider: &Provider, needs: bool) -> Check {
    if !needs {
        return ok(
            NAME,
            format!("{} needs none for what is asked of it", provider.name),
        );
    }
    let fix = format!("set {}", variable(provider));
    problem(NAME, format!("{} has none", provider.name), fix)
}

async fn ask(place: &Place, known: &Known, provider: &Provider) -> Result<Check, Failure> {
    let mut last = String::new();
    for (what, about) in QUESTIONS {
        let asked = Asked::small(what, about, &provider.name, place.now());
        let given = asked.send(place).await?;
        let problem_of: serde_json::Value = serde_json::from_slice(&given.body).unwrap_or_default();
        let text = |key: &str| {
            problem_of
                .get(key)
                .and_then(|v| v.as_str())
                .unwrap_or_default()
                .to_owned()
        };
        let name = &provider.name;
        let title = terminal::one_line(&text("title"), 160);
        return Ok(match (given.status, text("class").as_str()) {
            (200, _) => ok(
                NAME,
                format!("{name}: valid; {}", plan(place, known, provider)?),
            ),
            (_, "auth") => problem(
                NAME,
                format!("{name} refuses it: {title}"),
                format!(
                    "make a new one at {} and set {}",
                    provider.site,
                    variable(provider)
                ),
            ),
            (_, "plan") => note(
                NAME,
                format!(
                    "{name}: valid, but its plan has no {}: {title}",
                    what.as_str()
                ),
                format!("tradewind catalog show {name}"),
            ),
            (_, "throttled" | "quota_gone" | "banned") | (429, _) => note(
                NAME,
                format!("{name}: cannot be told now: {title}"),
                "tradewind usage   (shows when the limit is free again)",
            ),
            // Nobody was asked: it does not sell this.
            (400 | 404, "") => {
                last = title;
                continue;
            }
            _ => note(
                NAME,
                format!("{name} gave no answer: {title}"),
                "try again later",
            ),
        });
    }
    Ok(note(
        NAME,
        format!(
            "{} is not asked: none of our questions is for it ({last})",
            provider.name
        ),
        format!("tradewind catalog show {}", provider.name),
    ))
}

fn variable(provider: &Provider) -> String {
    let names = provider.credentials.iter().filter_map(|c| c.env.first());
    names.map(String::as_str).collect::<Vec<_>>().join(" and ")
}

/// Says which plan is counted with, and whether what answers said of limits agrees.
fn plan(place: &Place, known: &Known, provider: &Provider) -> Result<String, Failure> {
    let Some(plan) = known.settings.quota.plan(provider) else {
        return Ok("no plan of it is known".to_owned());
    };
    let said = match Reader::open(place.state()) {
        Ok(reader) => {
            outlook::corrected(&reader).map_err(|e| Failure::from_error(Exit::Outside, &e))?
        }
        Err(_none_yet) => Vec::new(),
    };
    let differs = said.iter().find(|(_, said)| {
        let is_other = |w: &&tradewind_catalog::plan::Window| {
            w.id == said.window && u64::from(w.limit) != said.to
        };
        said.provider == provider.name && plan.windows.iter().any(|w| is_other(&w))
    });
    let title = terminal::one_line(&plan.title, 40);
    Ok(match differs {
        Some((_, said)) => format!(
            "counted as plan {title}, but it says {} for {}: tradewind catalog drift",
            said.to, said.window
        ),
        None => format!("counted as plan {title}; no answer has contradicted that"),
    })
}
