//! The market part, put together: catalog, settings, ledger, keys, cache and the way out.
//!
//! Why here: only the edge knows them all. The daemon opens it once; a command without a daemon opens it for
//! one question, with the store's lock in hand, so that two programs never spend the same units.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tradewind_engine::Supervisor;
use tradewind_host::clock::SystemUptime;
use tradewind_host::dirs;
use tradewind_host::egress::{BoxFuture, DirectEgress, Egress, EgressError, Request, Response};
use tradewind_journal::Journal;
use tradewind_market::config::{ListenerSection, MarketSection, Share};
use tradewind_market::http_cache::{self, Front, Rules, Sharing};
use tradewind_market::listener::{Listener, Parts as ListenerParts, To};
use tradewind_market::pass::Pass;
use tradewind_market::secrets::Keyring;
use tradewind_market::service::{Parts, Service};
use tradewind_market::store::Store;
use tradewind_market::usage::Usage;
use tradewind_quota::Governor;
use tradewind_sandbox::Detour;

use crate::daemon;
use crate::http::guard::{Policy, Refusal};
use crate::place::Place;
use crate::report::{Exit, Failure};
use crate::settings::{self, Settings};
use crate::terminal;

/// How often what is kept is brought below its bound.
const PRUNE_EVERY: Duration = Duration::from_hours(1);

/// Names the variable that leads every call for a provider to a sandbox instead.
pub(crate) const SANDBOX_VARIABLE: &str = "TRADEWIND_SANDBOX";

/// No way out: what is held is served, and everything else is told why it cannot be asked for.
#[derive(Debug)]
struct NoWire(String);

impl Egress for NoWire {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Response, EgressError>> {
        let host = request.url.host_str().unwrap_or("no host").to_owned();
        let reason = self.0.clone();
        Box::pin(async move {
            Err(EgressError::Held {
                host,
                reason,
                retry_after: None,
            })
        })
    }
}

/// Returns the sandbox that the variable names.
pub(crate) fn sandbox() -> Result<Option<SocketAddr>, Failure> {
    let Some(address) = std::env::var_os(SANDBOX_VARIABLE).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let address = address.to_str().and_then(|text| text.parse().ok());
    address.map(Some).ok_or_else(|| {
        Failure::new(Exit::Config, format!("{SANDBOX_VARIABLE} is no address"))
            .hint("it is what `tradewind sandbox` prints, as in 127.0.0.1:8421; unset it to ask the real providers")
    })
}

/// Says that nothing is real.
pub(crate) fn say_sandbox(address: SocketAddr) {
    terminal::note(format_args!(
        "Every call for a provider goes to the sandbox at {address}: no price is real."
    ));
}

/// Returns the way out: the providers themselves, or the sandbox that the variable names.
fn wire() -> Result<Arc<dyn Egress>, Failure> {
    let failed = |error: &dyn std::error::Error| Failure::from_error(Exit::Outside, error);
    let Some(address) = sandbox()? else {
        return Ok(match DirectEgress::new() {
            Ok(direct) => Arc::new(direct),
            Err(error) => {
                terminal::warn(format_args!(
                    "no provider can be asked: {error}; install the certificate authorities of your system (ca-certificates)"
                ));
                Arc::new(NoWire(error.to_string()))
            }
        });
    };
    say_sandbox(address);
    Ok(Arc::new(Detour::new(address).map_err(|e| failed(&e))?))
}

/// The market part.
#[derive(Clone, Debug)]
pub(crate) struct Market {
    /// Answers questions in our words.
    pub(crate) service: Service,
    /// Passes calls on that are in a provider's words.
    pub(crate) pass: Pass,
    /// Answers of pass-through and of listeners, kept in memory.
    answers: Arc<http_cache::Store>,
    usage: Usage,
    section: MarketSection,
}

/// Opens the market part over `journal`; its tasks run until `supervisor` ends them.
pub(crate) async fn open(
    place: &Place,
    journal: &Journal,
    supervisor: &Supervisor,
) -> Result<Market, Failure> {
    let outside = |error: &dyn std::error::Error| Failure::from_error(Exit::Outside, error);
    let catalog = Arc::new(settings::catalog()?.catalog);
    let Settings { quota, market } = Settings::load(&catalog)?;
    let wire = wire()?;
    let dir = dirs::config_dir().map_err(|e| Failure::from_error(Exit::Config, &e))?;
    let folder = place.state().join("market");
    let (of_ledger, of_store) = (journal.clone(), journal.clone());
    let (known, section) = (Arc::clone(&catalog), quota.clone());
    let opened = daemon::blocking(move || {
        let uptime = Arc::new(SystemUptime::new());
        let governor = Governor::open(of_ledger, uptime, known, section, wire);
        (governor, Store::open(of_store, folder))
    });
    let (governor, store) = opened.await?;
    let governor = governor.map_err(|e| outside(&e))?;
    let store = store.map_err(|e| outside(&e))?;
    let usage = Usage::new(journal.clone());
    let keyring = Keyring::new(Arc::clone(&catalog), market.clone(), dir);
    let answers = Arc::new(http_cache::Store::new(market.max_http_bytes()));
    let pass = Pass::new(
        Arc::clone(&catalog),
        governor.clone(),
        keyring.clone(),
        usage.clone(),
        place.clock(),
        Front::new(
            Arc::clone(&answers),
            Rules::STRICT,
            place.clock(),
            supervisor.clone(),
        ),
    );
    let service = Service::new(Parts {
        keyring,
        catalog,
        governor: governor.clone(),
        store: store.clone(),
        quota,
        clock: place.clock(),
        supervisor: supervisor.clone(),
        usage: usage.clone(),
        section: market.clone(),
        pace: tradewind_market::stream::hub::Pace::default(),
    })
    .map_err(|e| Failure::from_error(Exit::Config, &e))?;
    supervisor.start("quota ledger", move |token| {
        let governor = governor.clone();
        async move {
            governor.keep(token).await;
            Ok::<_, String>(())
        }
    });
    let kept = usage.clone();
    supervisor.start("usage", move |token| {
        let usage = kept.clone();
        async move {
            usage.keep(token).await;
            Ok::<_, String>(())
        }
    });
    let max_bytes = market.max_bytes();
    supervisor.start("market cache", move |token| {
        let store = store.clone();
        async move {
            loop {
                tokio::select! {
                    // Cancel-safe, both: they only wait.
                    () = token.cancelled() => return Ok::<_, String>(()),
                    () = tokio::time::sleep(PRUNE_EVERY) => {}
                }
                let gone = store.prune(max_bytes).await.map_err(|e| e.to_string())?;
                if gone > 0 {
                    tracing::info!(gone, "series that were used longest ago were removed");
                }
            }
        }
    });
    Ok(Market {
        service,
        pass,
        answers,
        usage,
        section: market,
    })
}

/// Opens the listeners of `[market.listeners]`; `policy` says who may ask on the daemon's own.
pub(crate) fn listen(
    market: &Market,
    place: &Place,
    supervisor: &Supervisor,
    policy: &Policy,
) -> Result<(), Failure> {
    for (name, section) in &market.section.listeners {
        let wanted = SocketAddr::from((Ipv4Addr::LOCALHOST, section.port));
        let listener = std::net::TcpListener::bind(wanted).map_err(|error| {
            Failure::because(
                Exit::Outside,
                format!("{wanted} cannot be listened on"),
                &error,
            )
            .hint(format!(
                "another program has the port; choose one in config.toml: [market.listeners.{name}]"
            ))
        })?;
        let bound = listener.local_addr().map_err(|e| daemon::outside(&e))?;
        let policy = Policy {
            bound,
            ..policy.clone()
        };
        let parts = ListenerParts {
            name: name.clone(),
            guard: Arc::new(move |_method, uri, headers| {
                policy.meant(uri, headers).map_err(Refusal::told)
            }),
            to: destination(market, section, place, supervisor)?,
            usage: market.usage.clone(),
            clock: place.clock(),
            supervisor: supervisor.clone(),
        };
        let serving = Listener::new(parts).map_err(|e| Failure::from_error(Exit::Config, &e))?;
        let token = supervisor.token();
        supervisor.start_once(format!("listener {name}"), async move {
            // A thread of its own: hits wait for nothing else that the daemon does.
            let served = tokio::task::spawn_blocking(move || serving.run(listener, token)).await;
            if let Ok(Err(error)) = served {
                tracing::error!(%error, "a listener ended");
            }
        });
        let what = section.provider.as_deref().or(section.origin.as_deref());
        terminal::announce(format_args!(
            "Listener {name}: http://{bound} is {}.",
            what.unwrap_or_default()
        ));
    }
    Ok(())
}

fn destination(
    market: &Market,
    section: &ListenerSection,
    place: &Place,
    supervisor: &Supervisor,
) -> Result<To, Failure> {
    if let Some(provider) = &section.provider {
        return Ok(To::Provider {
            pass: market.pass.clone(),
            provider: provider.clone(),
            host: section.host.clone(),
        });
    }
    let base = section
        .origin()
        .ok_or_else(|| Failure::new(Exit::Config, "a listener has neither provider nor origin"))?;
    let wire = DirectEgress::loopback().map_err(|e| daemon::outside(&e))?;
    let answers = Arc::clone(&market.answers);
    Ok(To::Origin {
        front: Front::new(answers, Rules::FULL, place.clock(), supervisor.clone()),
        base,
        wire,
        sharing: match section.share {
            Some(Share::Every) => Sharing::Every,
            Some(Share::Storable) | None => Sharing::Storable,
        },
    })
}
