//! `tradewind up`: watch this repository; run the user's one daemon, or join it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::Instant;
use tradewind_host::files;
use tradewind_host::process::{self, CommandSpec, ExitOutcome};
use tradewind_journal::Writer;

use crate::client::{Daemon, SendError};
use crate::control::{Command, Reply};
use crate::place::Place;
use crate::report::{Exit, Failure, Outcome};
use crate::terminal::{self, Tone, paint};
use crate::{daemon, registration, service};

#[derive(Debug, clap::Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
pub(crate) struct Args {
    /// Where to listen, 127.0.0.1:8420 if nothing is said; beyond loopback everything needs the token
    #[arg(long, value_name = "ADDRESS", env = daemon::LISTEN_VARIABLE)]
    listen: Option<SocketAddr>,
    /// A further host name that leads here, e.g. `host.docker.internal`
    #[arg(long, value_name = "NAME")]
    host_name: Vec<String>,
    /// Go to the background; `tradewind up --stop` ends it
    #[arg(short, long)]
    detach: bool,
    /// Run for the repositories that are registered already, without adding this one
    #[arg(long)]
    only_registered: bool,
    /// Take this repository off the watch
    #[arg(long, conflicts_with_all = ["detach", "only_registered"])]
    remove: bool,
    /// End the running daemon
    #[arg(long, conflicts_with_all = ["detach", "only_registered", "remove"])]
    stop: bool,
    /// Start with every login: a systemd user unit; on Windows, print the command for the task scheduler
    #[arg(long, conflicts_with_all = ["detach", "only_registered", "remove", "stop"])]
    install_service: bool,
}

/// How long a daemon in the background may take until it answers.
const START_LIMIT: Duration = Duration::from_secs(15);
/// How long an ending daemon may take until its lock is free.
const STOP_LIMIT: Duration = Duration::from_secs(15);
/// How much of its log is read when a daemon in the background ends at once.
const MAX_SAID_BYTES: u64 = 64 * 1024;

pub(crate) async fn run(place: &Place, args: Args) -> Outcome {
    if args.install_service {
        return service::install(place);
    }
    if args.stop {
        return stop(place).await;
    }
    if args.remove {
        let (_, repository) = place.watched_repository().await?;
        place.control(Command::Remove { repository }).await?;
        terminal::line(
            "This repository is no longer watched. Its events stay in the journal; `tradewind up` watches it again.",
        );
        return Ok(Exit::Done);
    }
    let wants = if args.only_registered {
        None
    } else {
        let top = place.location()?.top;
        registration::check_name(&top)?;
        Some(top)
    };
    let deadline = Instant::now() + START_LIMIT;
    let journal = loop {
        if let Some(daemon) = Daemon::find(place.state()) {
            match join(&daemon, &args, wants.clone()).await {
                Err(SendError::Gone) => {}
                other => return other?,
            }
        }
        if args.detach {
            return detach(place, &args, wants).await;
        }
        // Of two that start at once one gets the lock; the other waits for it and joins it.
        if let Some(journal) = place.try_journal(deadline).await? {
            break journal;
        }
    };
    let options = daemon::Options {
        listen: args.listen.unwrap_or(daemon::DEFAULT_LISTEN),
        names: args.host_name,
        first: wants,
    };
    daemon::run(place, journal, options).await
}

/// Asks a running daemon to watch this repository too.
async fn join(daemon: &Daemon, args: &Args, wants: Option<PathBuf>) -> Result<Outcome, SendError> {
    let address = daemon.card().address;
    let Some(path) = wants else {
        if !daemon.is_alive().await {
            return Err(SendError::Gone);
        }
        terminal::line(format_args!("The daemon runs already: http://{address}"));
        warn_of_ignored(args, address);
        return Ok(Ok(Exit::Done));
    };
    Ok(daemon.send(&Command::Register { path }).await?.map(|reply| {
        if let Reply::Registered { name, path, was_known, .. } = reply {
            let verb = if was_known { "is already watched" } else { "is now watched" };
            terminal::line(format_args!("{} ({}) {verb} by the running daemon: http://{address}", paint(Tone::Strong, terminal::one_line(&name, 60)), terminal::one_line(&path.display().to_string(), 400)));
            terminal::line("`tradewind log --follow` shows what happens; `tradewind status` what is in force.");
            warn_of_ignored(args, address);
        }
        Exit::Done
    }))
}

/// Says what of the command line has no effect on a daemon that runs already.
fn warn_of_ignored(args: &Args, address: SocketAddr) {
    // Port 0 asks for any port.
    let is_elsewhere = |wanted: &SocketAddr| {
        wanted.ip() != address.ip() || wanted.port() != 0 && wanted.port() != address.port()
    };
    let mut again = String::new();
    if let Some(wanted) = args.listen.filter(is_elsewhere) {
        terminal::warn(format_args!(
            "the running daemon listens on {address}, not on {wanted}."
        ));
        again = format!(" --listen {wanted}");
    }
    if !args.host_name.is_empty() {
        terminal::warn("the running daemon keeps the host names that it was started with.");
        for name in &args.host_name {
            again.push_str(&format!(" --host-name {}", terminal::word(name)));
        }
    }
    if !again.is_empty() {
        terminal::note(format_args!(
            "To change that: `tradewind up --stop`, then `tradewind up{again}`"
        ));
    }
}

async fn detach(place: &Place, args: &Args, wants: Option<PathBuf>) -> Outcome {
    let program = std::env::current_exe()
        .map_err(|e| Failure::because(Exit::Outside, "this program cannot find itself", &e))?;
    files::ensure_private_dir(place.state())
        .map_err(|e| Failure::from_error(Exit::Outside, &e).hint("run `tradewind doctor`"))?;
    let log = place.state().join("daemon.log");
    let before = std::fs::metadata(&log).map_or(0, |meta| meta.len());
    let mut spec = CommandSpec::new(program, place.cwd()).arg("up");
    if let Some(listen) = args.listen {
        spec = spec.args(["--listen", &listen.to_string()]);
    }
    for name in &args.host_name {
        spec = spec.args(["--host-name", name.as_str()]);
    }
    if wants.is_none() {
        spec = spec.arg("--only-registered");
    }
    let mut child =
        process::spawn_detached(&spec, &log).map_err(|e| Failure::from_error(Exit::Outside, &e))?;
    let deadline = Instant::now() + START_LIMIT;
    loop {
        let is_late = Instant::now() >= deadline;
        // Before it is ready, what happens in a new repository may still be history.
        if let Some(daemon) = Daemon::find(place.state())
            && daemon.card().pid == child.pid()
            && (daemon.card().is_ready || is_late)
            && daemon.is_alive().await
        {
            if !daemon.card().is_ready {
                terminal::warn(
                    "it still looks at the repositories; `tradewind status` says when it is done.",
                );
            }
            terminal::line(format_args!(
                "Tradewind runs in the background: http://{} (pid {})",
                daemon.card().address,
                child.pid()
            ));
            terminal::line(
                "`tradewind log --follow` shows what happens; `tradewind up --stop` ends it.",
            );
            return Ok(Exit::Done);
        }
        match child.try_wait() {
            // Another one was faster; the child joined it, and so do we.
            Ok(Some(ExitOutcome::Code(0))) => {
                if let Some(daemon) = Daemon::find(place.state()) {
                    return join(&daemon, args, wants).await?;
                }
                break;
            }
            Ok(Some(ended)) => return Err(did_not_start(&log, before, ended)),
            Ok(None) => {}
            Err(error) => return Err(Failure::from_error(Exit::Outside, &error)),
        }
        if is_late {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Err(
        Failure::new(Exit::Daemon, "the daemon did not come up").hint(format!(
            "read {} or run `tradewind up` in the foreground",
            log.display()
        )),
    )
}

/// Repeats what a daemon that ended at once said in its log, as if it had run in the foreground.
fn did_not_start(log: &Path, from: u64, ended: ExitOutcome) -> Failure {
    let exit = match ended {
        ExitOutcome::Code(1) => Exit::Found,
        ExitOutcome::Code(2) => Exit::Usage,
        ExitOutcome::Code(3) => Exit::Config,
        ExitOutcome::Code(4) => Exit::Daemon,
        ExitOutcome::Code(70) => Exit::Bug,
        _ => Exit::Outside,
    };
    let said = said_since(log, from);
    let mut failure = Failure::new(exit, "the daemon ended at once").hint(format!(
        "read {} or run `tradewind up` in the foreground",
        log.display()
    ));
    for line in said.lines() {
        if let Some(what) = line.strip_prefix("error: ") {
            what.trim_end_matches('.').clone_into(&mut failure.what);
            failure.why.clear();
        } else if let Some(why) = line.strip_prefix("  because ") {
            failure.why.push(why.to_owned());
        } else if let Some(hint) = line.strip_prefix("next: ") {
            failure.hint = Some(hint.to_owned());
        }
    }
    failure
}

/// Returns the end of the log from byte `from` on.
fn said_since(log: &Path, from: u64) -> String {
    use std::io::{Read, Seek, SeekFrom};
    let mut bytes = Vec::new();
    let read = std::fs::File::open(log).and_then(|mut file| {
        file.seek(SeekFrom::Start(from))?;
        file.take(MAX_SAID_BYTES).read_to_end(&mut bytes)
    });
    // Without the log there is less to tell, and the hint names the file.
    drop(read);
    String::from_utf8_lossy(&bytes).into_owned()
}

async fn stop(place: &Place) -> Outcome {
    let Some(daemon) = Daemon::find(place.state()) else {
        terminal::line("No daemon runs.");
        return Ok(Exit::Done);
    };
    match daemon.send(&Command::Stop).await {
        Err(SendError::Gone) => {
            terminal::line("No daemon runs.");
            return Ok(Exit::Done);
        }
        other => other??,
    };
    let deadline = Instant::now() + STOP_LIMIT;
    while Instant::now() < deadline {
        // The lock is let go last: whoever starts now finds it free.
        if tradewind_journal::writer(place.state()) == Writer::Nobody {
            terminal::line("The daemon has ended.");
            return Ok(Exit::Done);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Err(Failure::new(Exit::Daemon, "the daemon is still ending")
        .hint("look at `tradewind log -n 5`; it ends what runs under one deadline"))
}
