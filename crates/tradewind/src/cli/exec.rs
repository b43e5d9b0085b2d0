//! `tradewind exec -- COMMAND`: an unmodified program whose calls to providers go through the gateway.

mod summary;
mod tape;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::ValueEnum;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tradewind_catalog::Catalog;
use tradewind_engine::Supervisor;
use tradewind_host::clock::SystemUptime;
use tradewind_host::egress::DirectEgress;
use tradewind_host::process::{self, CommandSpec, ExitOutcome};
use tradewind_quota::rehearsal::Rehearsal;
use tradewind_quota::{Class, Urgency};

use super::Format;
use crate::client::Daemon;
use crate::exec::authority::Authority;
use crate::exec::door::Door;
use crate::exec::environment::Files;
use crate::exec::proxy::{Parts, Proxy};
use crate::exec::shadow::Shadow;
use crate::exec::straight::Straight;
use crate::exec::way::Way;
use crate::market;
use crate::place::Place;
use crate::report::{Exit, Failure, Outcome};
use crate::settings;
use crate::terminal;
use summary::Ended;

/// How long the gateway may take to write down what is under way once the program has ended.
const END_LIMIT: Duration = Duration::from_secs(10);
/// How long another process's lock is waited for.
const LOCK_LIMIT: Duration = Duration::from_secs(10);

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Calls to hosts of the catalog go through the gateway: rationed, shared, counted. Orders and every other call
pass straight through, at once and once. Everything else is carried unread.
The program learns of it by its environment only: HTTPS_PROXY and the usual variables for certificates; a small
hook on PYTHONPATH leads aiohttp and ccxt's asynchronous half there too, and a loader in NODE_OPTIONS fetch, http and
https of a Node that reads no such variables; the end says whom they led. The authority is made for this one run, in
memory.

A recording holds calls for data and their answers, and what was said on streams, without keys; orders, accounts and
everything else are never in it. While it is played nothing leaves this machine through the gateway, what is not in it
is refused with status 599 (on a stream with code 4599), and the command ends with 1. What came on a stream comes again
in its sequence, each part once the program has said what it had said before it. TRADEWIND_REPLAY_CLOCK holds the time
at which the recording began, while it is made and when it is played; nothing forces a program to use it.

With --shadow each call has its own key, its own connection and no pacing; what is counted is this program's alone.

Examples:
  tradewind exec -- python bot.py
  tradewind exec --shadow -- python bot.py
  tradewind exec --consumer scan --priority backfill -- python -m mybot.scan
  tradewind exec --record tests/market.json -- pytest
  tradewind exec --replay tests/market.json -- pytest")]
pub(crate) struct Args {
    /// Who the calls are counted for; default: the program's name
    #[arg(long, value_name = "NAME")]
    consumer: Option<String>,
    /// How urgent its calls for data are
    #[arg(long, value_enum, default_value_t)]
    priority: Priority,
    /// Change nothing: every call goes out as without the gateway, and the end says what it would have done
    #[arg(long, conflicts_with_all = ["record", "replay"])]
    shadow: bool,
    /// Write calls for data and their answers into this file, without keys; only a cassette is overwritten
    #[arg(long, value_name = "FILE", conflicts_with = "replay")]
    record: Option<PathBuf>,
    /// Answer calls for data from this file; nothing leaves this machine
    #[arg(long, value_name = "FILE")]
    replay: Option<PathBuf>,
    /// With --replay: a host outside the catalog that the program may reach; may be repeated
    #[arg(long, value_name = "HOST", requires = "replay")]
    allow: Vec<String>,
    /// The form of what is said at the end, on standard error
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Say nothing at the end
    #[arg(short, long)]
    quiet: bool,
    /// The program and its arguments
    #[arg(trailing_var_arg = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Priority {
    /// Decisions about orders wait for them
    Live,
    /// A rule or an event asked for them
    Triggered,
    /// A person or a program waits for them
    #[default]
    Interactive,
    /// Nobody waits for them
    Backfill,
}

impl Priority {
    fn urgency(self) -> Urgency {
        let class = match self {
            Self::Live => Class::Live,
            Self::Triggered => Class::Triggered,
            Self::Interactive => Class::Interactive,
            Self::Backfill => Class::Backfill,
        };
        Urgency::of(class)
    }
}

pub(crate) async fn run(place: &Place, args: Args) -> Outcome {
    let outside = |error: &dyn std::error::Error| Failure::from_error(Exit::Outside, error);
    let Some((program, arguments)) = args.command.split_first() else {
        return Err(Failure::new(Exit::Usage, "no command is given"));
    };
    let consumer = args
        .consumer
        .clone()
        .unwrap_or_else(|| usual_name(&args.command));
    let token = CancellationToken::new();
    let supervisor = Supervisor::new(None, place.clock(), token);
    let catalog = Arc::new(settings::catalog()?.catalog);
    let allowed: Vec<_> = args.allow.iter().map(|h| h.to_ascii_lowercase()).collect();
    if let Some(host) = allowed.iter().find(|host| catalog.by_host(host).is_some()) {
        let what = format!("{} belongs to a provider", terminal::word(host));
        return Err(Failure::new(Exit::Usage, what).hint(
            "while a cassette is played, providers are answered from it alone; leave `--allow` away",
        ));
    }
    let way = way(place, &args, &catalog, &supervisor).await?;
    let clock = match &way {
        Way::Gateway(_) | Way::Shadow(_) => None,
        Way::Record(_, recorder) => Some(recorder.started()),
        Way::Replay(player) => Some(player.recorded_at()),
    };
    let authority = Authority::new().map_err(|e| Failure::from_error(Exit::Bug, &e))?;
    let files = Files::write(authority.certificate()).map_err(|e| outside(&e))?;
    let password = tradewind_host::random::token().map_err(|e| outside(&e))?;
    let parts = Parts {
        catalog,
        authority,
        way,
        straight: straight()?,
        allowed,
        sandbox: market::sandbox()?,
        consumer,
        urgency: args.priority.urgency(),
        password: password.clone(),
        // Without certificate authorities plain calls can be carried still, and nobody else is asked by it.
        wire: DirectEgress::new()
            .or_else(|_no_authorities| DirectEgress::loopback())
            .map_err(|e| outside(&e))?,
        supervisor: supervisor.clone(),
    };
    let (proxy, address) = Proxy::start(parts)
        .await
        .map_err(|e| Failure::because(Exit::Outside, "no port for the gateway can be had", &e))?;
    let mut spec = CommandSpec::new(program, place.cwd()).args(arguments);
    spec.env = files.environment(address, &password, clock);
    let ended = process::run_attached(&spec).await;
    let unfinished = supervisor.shut_down(END_LIMIT).await;
    let led = files.led();
    drop(files);
    let ended = ended.map_err(|e| {
        Failure::from_error(Exit::Usage, &e).hint("give a program that is on the PATH, after `--`")
    })?;
    if !unfinished.is_empty() {
        tracing::debug!(?unfinished, "connections of the program were still open");
    }
    let found = finish(place, &args, &proxy, &led)?;
    match ended {
        ExitOutcome::Code(0) => Ok(found),
        ExitOutcome::Code(code) => end_as(code),
        // As shells say it.
        ExitOutcome::Signal(signal) => end_as(128 + signal),
        ExitOutcome::TimedOut | ExitOutcome::Cancelled => Ok(Exit::Outside),
    }
}

/// Finds out what becomes of calls.
async fn way(
    place: &Place,
    args: &Args,
    catalog: &Arc<Catalog>,
    supervisor: &Supervisor,
) -> Result<Way, Failure> {
    if let Some(path) = &args.replay {
        return tape::replay(catalog, &place.cwd().join(path))
            .map(|player| Way::Replay(Arc::new(player)));
    }
    if args.shadow {
        let quota = settings::Settings::load(catalog)?.quota;
        if let Some(address) = market::sandbox()? {
            market::say_sandbox(address);
        }
        let uptime = Arc::new(SystemUptime::new());
        let rehearsal = Rehearsal::new(Arc::clone(catalog), quota, uptime);
        let shadow = Shadow::new(Arc::clone(catalog), straight()?, rehearsal);
        return Ok(Way::Shadow(shadow));
    }
    let recorder = match &args.record {
        Some(path) => Some(tape::record(place, catalog, &place.cwd().join(path)).await?),
        None => None,
    };
    let door = door(place, supervisor).await?;
    Ok(match recorder {
        Some(recorder) => Way::Record(door, Arc::new(recorder)),
        None => Way::Gateway(door),
    })
}

/// Finds the way to hosts themselves, for what the gateway does not answer.
fn straight() -> Result<Straight, Failure> {
    match market::sandbox()? {
        Some(address) => Ok(Straight::to_sandbox(address)),
        None => Straight::to_hosts().map_err(|e| Failure::from_error(Exit::Outside, &e)),
    }
}

/// Writes down what was recorded, says what happened, and whether something is amiss with it.
fn finish(place: &Place, args: &Args, proxy: &Proxy, led: &BTreeSet<String>) -> Outcome {
    let carried = proxy.carried();
    let shown = args.record.as_ref().or(args.replay.as_ref());
    let shown = shown.cloned().unwrap_or_default();
    let say = |ended: &Ended<'_>| {
        if !args.quiet {
            summary::say(args.format, &carried, led, ended);
        }
    };
    match proxy.way() {
        Way::Gateway(_) => {
            say(&Ended::Gateway);
            Ok(Exit::Done)
        }
        Way::Shadow(shadow) => {
            say(&Ended::Shadowed(&shadow.counts()));
            Ok(Exit::Done)
        }
        Way::Record(_, recorder) => {
            proxy.tell_unread(recorder);
            let written = tape::write(recorder, &place.cwd().join(&shown))?;
            say(&Ended::Recorded(&shown, &written));
            Ok(if written.is_written && written.lost() == 0 {
                Exit::Done
            } else {
                Exit::Found
            })
        }
        Way::Replay(player) => {
            let tally = player.tally();
            say(&Ended::Replayed(&shown, &tally));
            Ok(if tally.missing.is_empty() && tally.refused.is_empty() {
                Exit::Done
            } else {
                Exit::Found
            })
        }
    }
}

/// Ends this process as the program ended: whoever called us asks for its exit code, not for ours.
#[expect(
    clippy::exit,
    reason = "the exit code is the program's, and everything is closed"
)]
fn end_as(code: i32) -> ! {
    std::process::exit(code)
}

/// Finds the way to the one ledger: the daemon's, or our own with the store's lock in hand.
async fn door(place: &Place, supervisor: &Supervisor) -> Result<Door, Failure> {
    let deadline = Instant::now() + LOCK_LIMIT;
    loop {
        if let Some(daemon) = Daemon::find(place.state())
            && daemon.is_alive().await
        {
            let wire =
                DirectEgress::loopback().map_err(|e| Failure::from_error(Exit::Outside, &e))?;
            return Ok(Door::There {
                base: daemon.base(),
                token: daemon.token().to_owned(),
                wire,
            });
        }
        let taken = place.try_journal(deadline).await.map_err(|failure| match failure.exit {
            Exit::Daemon => failure.hint(
                "another program holds the one ledger, perhaps one under `tradewind exec`; with `tradewind up --detach` all of them share it",
            ),
            _ => failure,
        });
        if let Some(journal) = taken? {
            let market = market::open(place, &journal, supervisor).await?;
            return Ok(Door::Here(market.pass));
        }
    }
}

/// Returns what a program is called: of `python scan.py` it is `scan.py`.
fn usual_name(command: &[OsString]) -> String {
    let name = |word: &OsString| {
        let path = std::path::Path::new(word);
        path.file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default()
    };
    let mut words = command.iter();
    let program = words.next().map(name).unwrap_or_default();
    let is_interpreter = ["python", "node", "uv", "poetry"]
        .iter()
        .any(|known| program.starts_with(known));
    let script = words
        .find(|word| !word.to_string_lossy().starts_with('-'))
        .map(name);
    let chosen = script.filter(|_| is_interpreter).unwrap_or(program);
    let is_plain = |c: &char| c.is_ascii_alphanumeric() || "-_.".contains(*c);
    chosen.chars().filter(is_plain).take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_for_the_script_and_not_for_its_interpreter() {
        let name =
            |words: &[&str]| usual_name(&words.iter().map(OsString::from).collect::<Vec<_>>());
        assert_eq!(
            name(&["/usr/bin/python3", "-u", "bots/scan.py", "--all"]),
            "scan.py"
        );
        assert_eq!(name(&["./bot", "AAPL"]), "bot");
        assert_eq!(name(&["python"]), "python");
    }
}
