//! The daemon: one per user. Watches repositories, lets the engine decide and act, serves the listener.
//!
//! Starts in this order: store (its lock makes us the only one), listener, watchers, engine; ends in the
//! reverse order under one deadline, the journal last. Every task belongs to the supervisor. It answers from
//! when it listens: a repository that is slow to look at must not make it seem dead.

pub(crate) mod clock;
pub(crate) mod housekeeping;
pub(crate) mod hub;
pub(crate) mod referee;
pub(crate) mod watcher;

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tradewind_core::payload::{ProcessStarted, ProcessStopped};
use tradewind_core::{Draft, Seq};
use tradewind_engine::{Engine, Supervisor};
use tradewind_journal::Journal;

use crate::client::{self, Card};
use crate::control::Controls;
use crate::market::{self, Market};
use crate::place::Place;
use crate::report::{Exit, Failure, Outcome};
use crate::terminal::{self, Tone, paint};
use crate::{http, registration, repositories};
use hub::Hub;
use watcher::Watchers;

/// Where the daemon listens unless told otherwise.
pub(crate) const DEFAULT_LISTEN: SocketAddr =
    SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 8420));
/// Names the variable that says where to listen.
pub(crate) const LISTEN_VARIABLE: &str = "TRADEWIND_LISTEN";
/// How long everything together may take to end.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(10);

/// How the daemon is started.
#[derive(Debug)]
pub(crate) struct Options {
    /// Where to listen.
    pub(crate) listen: SocketAddr,
    /// Further host names that lead here.
    pub(crate) names: Vec<String>,
    /// A repository to watch besides those that are registered.
    pub(crate) first: Option<PathBuf>,
}

/// Runs on `journal`, whose lock makes it the only one, until a signal or `tradewind up --stop`.
pub(crate) async fn run(place: &Place, journal: Journal, options: Options) -> Outcome {
    start_logging();
    let listener = TcpListener::bind(options.listen).await.map_err(|error| {
        Failure::because(Exit::Outside, format!("{} cannot be listened on", options.listen), &error)
            .hint("another program has the port; choose one with `tradewind up --listen 127.0.0.1:8421`, or any free one with port 0")
    })?;
    let bound = listener.local_addr().map_err(|e| outside(&e))?;
    let token = client::token(place.state()).map_err(|e| outside(&e))?;
    let shutdown = CancellationToken::new();
    let supervisor = Supervisor::new(Some(journal.clone()), place.clock(), shutdown.clone());
    let watchers = Watchers::new(supervisor.clone());
    let controls = Controls::new(
        journal.clone(),
        place.clock(),
        place.state(),
        Place::git()?,
        supervisor.clone(),
        Some(watchers.clone()),
    )?;
    let market = market::open(place, &journal, &supervisor).await?;
    let hub = Hub::new(
        controls.clone(),
        bound,
        options.names,
        &token,
        shutdown.clone(),
    );
    let started = ProcessStarted {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        listen: bound.to_string(),
    };
    append(&hub, &started).await?;
    let mut card = Card {
        pid: std::process::id(),
        address: bound,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        is_ready: false,
    };
    let begun = async {
        // What an undo or restore left half done is completed before anybody looks at files or commands us.
        let undo = controls.engine().undo();
        undo.complete_interrupted().await.map_err(|e| outside(&e))?;
        market::listen(&market, place, &supervisor, hub.policy())?;
        serve(&supervisor, listener, hub.clone(), market);
        count_events(&supervisor, hub.clone());
        card.write(place.state()).map_err(|e| outside(&e))?;
        tokio::select! {
            begun = begin(place, options.first.as_deref(), &controls, &hub, &watchers) => begun,
            // Cancel-safe: what was begun is ended as at any other time.
            () = shutdown.cancelled() => Err(Failure::new(Exit::Daemon, "the daemon was told to end while it started")),
        }
    };
    if let Err(failure) = begun.await {
        end(place, &hub, &supervisor, "the start went wrong").await;
        return Err(failure);
    }
    clock::watch(&supervisor, hub.clone());
    housekeeping::start(&supervisor, controls.clone());
    referee::start(&supervisor, controls.clone());
    run_engine(&supervisor, controls.engine().clone());
    card.is_ready = true;
    card.write(place.state()).map_err(|e| outside(&e))?;
    terminal::announce(format_args!(
        "First page: http://{bound}   Journal: {}",
        terminal::word(place.state().display())
    ));
    terminal::announce(
        "`tradewind log --follow` in another terminal shows what happens. Ctrl-C ends it.",
    );
    let reason = wait_for_end(&shutdown).await;
    end(place, &hub, &supervisor, reason).await;
    Ok(Exit::Done)
}

/// Registers the first repository, puts every configuration in force, starts the watchers.
async fn begin(
    place: &Place,
    first: Option<&Path>,
    controls: &Controls,
    hub: &Hub,
    watchers: &Watchers,
) -> Result<(), Failure> {
    let reader = place.reader()?;
    for repository in repositories::all(&reader).map_err(|e| outside(&e))? {
        if let Err(failure) =
            registration::configure(controls, repository.id, &repository.path).await
        {
            // Its watcher will say that it is gone; the others must not wait for it.
            tracing::warn!(
                repository = repository.name,
                error = failure.what,
                "configuration cannot be read"
            );
        }
    }
    if let Some(path) = first {
        let registered = registration::register(controls, path).await?;
        terminal::announce(format_args!(
            "Watching {} ({}).",
            paint(
                Tone::Strong,
                terminal::word(repositories::name_of(&registered.path))
            ),
            terminal::word(registered.path.display())
        ));
    }
    watchers.begin(controls, hub).await
}

/// Lets the engine decide and act until the end.
fn run_engine(supervisor: &Supervisor, engine: Engine) {
    supervisor.start("engine", move |token| {
        let engine = engine.clone();
        async move { engine.run(token).await }
    });
}

async fn end(place: &Place, hub: &Hub, supervisor: &Supervisor, reason: &str) {
    let unfinished = supervisor.shut_down(SHUTDOWN_LIMIT).await;
    let stopped = ProcessStopped {
        reason: reason.to_owned(),
        unfinished,
    };
    if let Err(failure) = append(hub, &stopped).await {
        terminal::failure(&failure);
    }
    Card::remove(place.state());
}

async fn append<P: tradewind_core::payload::Payload>(hub: &Hub, body: &P) -> Result<Seq, Failure> {
    let draft = Draft::new(hub.now(), body).map_err(|e| Failure::from_error(Exit::Bug, &e))?;
    hub.journal()
        .append(draft)
        .await
        .map_err(|e| Failure::from_error(Exit::Outside, &e))
}

fn start_logging() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("TRADEWIND_LOG")
        .unwrap_or_else(|_unset| tracing_subscriber::EnvFilter::new("warn,tradewind=info"));
    // A second start in one process keeps the first's settings.
    drop(
        tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(std::io::stderr)
            .with_ansi(terminal::is_watched())
            .try_init(),
    );
}

/// Serves the listener until the end; what was asked by then is answered within the deadline.
fn serve(supervisor: &Supervisor, listener: TcpListener, hub: Hub, market: Market) {
    supervisor.start_once("listener", async move {
        let shutdown = hub.shutdown().clone();
        http::serve::serve(listener, http::router(hub, market), shutdown).await;
    });
}

/// Counts events for `/metrics`.
fn count_events(supervisor: &Supervisor, hub: Hub) {
    let first = hub.journal().last();
    supervisor.start("event counter", move |token| {
        let hub = hub.clone();
        async move {
            let mut follow = hub.journal().follow(first);
            loop {
                tokio::select! {
                    // Cancel-safe: it only waits.
                    () = token.cancelled() => return Ok::<_, String>(()),
                    // Cancel-safe by `Follow`'s contract.
                    events = follow.next() => for event in events.map_err(|e| e.to_string())? {
                        hub.count(event.kind);
                    },
                }
            }
        }
    });
}

/// Waits for whatever comes first: a signal, or the command to stop.
pub(crate) async fn wait_for_end(shutdown: &CancellationToken) -> &'static str {
    #[cfg(unix)]
    let terminate = async {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(error) => {
                tracing::warn!(%error, "SIGTERM cannot be received");
                std::future::pending::<()>().await;
            }
        }
    };
    #[cfg(not(unix))]
    let terminate = std::future::pending::<()>();
    tokio::select! {
        // Cancel-safe, all three: they only wait.
        () = shutdown.cancelled() => "asked to stop",
        () = terminate => "told to end by the system",
        interrupted = tokio::signal::ctrl_c() => match interrupted {
            Ok(()) => "interrupted from the keyboard",
            Err(error) => {
                tracing::warn!(%error, "Ctrl-C cannot be received");
                shutdown.cancelled().await;
                "asked to stop"
            }
        },
    }
}

/// Says which repositories are under watch, for pages and metrics.
pub(crate) async fn refresh_repositories(hub: &Hub) -> Result<(), Failure> {
    let all = hub
        .read(repositories::all)
        .await
        .map_err(|e| Failure::from_error(Exit::Outside, &e))?;
    hub.set_repositories(all);
    Ok(())
}

/// Runs work that may block on a thread that may.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|e| Failure::from_error(Exit::Bug, &e))
}

/// Reports that the world outside did not do what was asked of it.
pub(crate) fn outside(error: &dyn std::error::Error) -> Failure {
    Failure::from_error(Exit::Outside, error)
}
