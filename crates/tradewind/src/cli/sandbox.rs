//! `tradewind sandbox`: twelve simulated providers on one local address, until Ctrl-C.
//!
//! Not here: what they answer (the room `sandbox`).

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tradewind_core::Clock;
use tradewind_host::clock::SystemClock;
use tradewind_sandbox::{Fault, LimitChange, RunningFrom, Sandbox, SandboxError, Settings};

use crate::report::{Exit, Failure, Outcome};
use crate::terminal::{self, Tone, paint};
use crate::{daemon, times};

/// Where the sandbox listens unless told otherwise.
const DEFAULT_PORT: u16 = 8421;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Port on 127.0.0.1; 0 for any free one
    #[arg(long, value_name = "PORT", default_value_t = DEFAULT_PORT)]
    port: u16,
    /// What the market is made of; the same number makes the same prices
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// Begin at another time, `2025-06-13T19:30:00Z`; the clock runs from there
    #[arg(long, value_name = "TIME")]
    now: Option<String>,
    /// Let something go wrong, for all calls or the next few: `alpaca=storm`, `polygon=missing-page:2`
    #[arg(long = "fault", value_name = "PROVIDER=KIND")]
    faults: Vec<Fault>,
    /// Change a limit: `polygon=100`, `tiingo.hour=5`, `all=off`
    #[arg(long = "limit", value_name = "PROVIDER=UNITS")]
    limits: Vec<LimitChange>,
    /// Providers whose larger plan you play to have, or `all`
    #[arg(long = "paid", value_name = "PROVIDER")]
    paid: Vec<String>,
    /// A key that every provider refuses; any other works
    #[arg(long = "wrong-key", value_name = "KEY", default_value = "wrong")]
    wrong_keys: Vec<String>,
}

pub(crate) async fn run(args: Args) -> Outcome {
    let now = args.now.as_deref();
    let now = now.map(|text| times::parse_past(text, SystemClock.now()));
    let clock: Arc<dyn Clock> = match now.transpose()? {
        Some(now) => Arc::new(RunningFrom::new(now)),
        None => Arc::new(SystemClock),
    };
    let settings = Settings {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, args.port)),
        seed: args.seed,
        clock,
        wrong_keys: args.wrong_keys,
        paid: args.paid,
        limits: args.limits,
        faults: args.faults,
    };
    let sandbox = Sandbox::bind(settings)
        .await
        .map_err(|error| refused(&error))?;
    greet(&sandbox);
    let shutdown = CancellationToken::new();
    let end = async {
        daemon::wait_for_end(&shutdown).await;
        shutdown.cancel();
    };
    tokio::join!(sandbox.serve(shutdown.clone()), end);
    terminal::announce("The sandbox has ended; nothing of it stays.");
    Ok(Exit::Done)
}

fn refused(error: &SandboxError) -> Failure {
    match error {
        SandboxError::Bind { .. } => Failure::from_error(Exit::Outside, error)
            .hint("choose another port, or any free one: tradewind sandbox --port 0"),
        SandboxError::Market(_) => Failure::from_error(Exit::Outside, error),
        _ => Failure::from_error(Exit::Usage, error).hint("see `tradewind sandbox --help`"),
    }
}

fn greet(sandbox: &Sandbox) {
    let base = format!("http://{}", sandbox.address());
    terminal::announce(format_args!(
        "{} Simulated providers answer on {base}. Prices are made up; any key works.",
        paint(Tone::Good, "ok")
    ));
    for name in tradewind_sandbox::providers() {
        terminal::announce(format_args!("  {base}/{name}/"));
    }
    terminal::announce(format_args!(
        "Try it:     curl '{base}/binance/api/v3/klines?symbol=BTCUSDT&interval=1h&limit=3'"
    ));
    terminal::announce(format_args!("What came:  curl {base}/_sandbox/stats"));
    terminal::announce(format_args!(
        "Trouble:    curl -X POST '{base}/_sandbox/faults?provider=binance&kind=storm&times=3'"
    ));
    terminal::announce("End it with Ctrl-C.");
}
