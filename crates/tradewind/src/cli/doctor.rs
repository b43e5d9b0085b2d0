//! `tradewind doctor`: whether this machine has what Tradewind needs, each problem with the command that fixes it.

mod keys;

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use tokio_util::sync::CancellationToken;
use tradewind_host::process::{self, CommandSpec, ExitOutcome};
use tradewind_journal::{ReadError, Reader};

use super::Format;
use crate::client::Daemon;
use crate::describe::counted;
use crate::place::{CONFIG_FILE, Place};
use crate::report::{Exit, Outcome};
use crate::terminal::{self, Tone, paint};
use crate::{daemon, wire};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Ask each provider whose key is set, or only those named, one small question: is the key valid, on which
    /// plan. Costs a call each
    #[arg(long, value_name = "PROVIDER", num_args = 0.., value_delimiter = ',')]
    keys: Option<Vec<String>>,
    /// The form of the answer
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    Ok,
    /// Works, but something optional is missing.
    Note,
    Problem,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Check {
    name: &'static str,
    verdict: Verdict,
    found: String,
    /// The command or step that fixes it; empty when nothing is to fix.
    fix: String,
}

fn ok(name: &'static str, found: impl Into<String>) -> Check {
    Check {
        name,
        verdict: Verdict::Ok,
        found: found.into(),
        fix: String::new(),
    }
}

fn note(name: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Check {
    Check {
        name,
        verdict: Verdict::Note,
        found: found.into(),
        fix: fix.into(),
    }
}

fn problem(name: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Check {
    Check {
        name,
        verdict: Verdict::Problem,
        found: found.into(),
        fix: fix.into(),
    }
}

pub(crate) async fn run(place: &Place, args: &Args) -> Outcome {
    let checks = match &args.keys {
        Some(only) => keys::checked(place, only).await?,
        None => everything(place).await,
    };
    show(&checks, args.format);
    let has_problem = checks.iter().any(|c| c.verdict == Verdict::Problem);
    Ok(if has_problem { Exit::Found } else { Exit::Done })
}

async fn everything(place: &Place) -> Vec<Check> {
    vec![
        git(),
        state_directory(place),
        store(place),
        clock(place),
        daemon_or_port(place).await,
        watches(),
        python(place).await,
        docker(place).await,
        repository(place),
        configuration(place),
        keys::found(),
    ]
}

fn show(checks: &[Check], format: Format) {
    match format {
        Format::Json => {
            let body = serde_json::json!({ "schema_version": 1, "checks": checks });
            terminal::line(serde_json::to_string_pretty(&body).unwrap_or_default());
        }
        Format::Text => {
            for check in checks {
                let mark = match check.verdict {
                    Verdict::Ok => paint(Tone::Good, "ok     "),
                    Verdict::Note => paint(Tone::Warn, "note   "),
                    Verdict::Problem => paint(Tone::Bad, "problem"),
                };
                terminal::line(format_args!(
                    "{mark} {:<14} {}",
                    check.name,
                    terminal::word(&check.found)
                ));
                if !check.fix.is_empty() {
                    terminal::line(format_args!(
                        "        {:<14} {} {}",
                        "",
                        paint(Tone::Strong, "→"),
                        terminal::word(&check.fix)
                    ));
                }
            }
        }
    }
}

fn git() -> Check {
    match Place::git() {
        Ok(git) => ok(
            "git",
            format!("version {} at {}", git.version(), git.program().display()),
        ),
        Err(failure) => problem("git", failure.what, install("git")),
    }
}

/// Says how a program is installed on this kind of system.
fn install(program: &str) -> String {
    if cfg!(windows) {
        let id = match program {
            "git" => "Git.Git",
            "docker" => "Docker.DockerDesktop",
            _ => "Python.Python.3.12",
        };
        format!("winget install {id}")
    } else if cfg!(target_os = "macos") {
        format!("brew install {program}")
    } else {
        if program == "docker" {
            return "install Docker Engine as your distribution says".to_owned();
        }
        let package = if program == "python" {
            "python3"
        } else {
            program
        };
        format!("sudo apt-get install {package}   (or your distribution's own command)")
    }
}

fn state_directory(place: &Place) -> Check {
    const NAME: &str = "state";
    let dir = place.state();
    let fix = || {
        format!(
            "make {} a folder that only you can write, or set TRADEWIND_STATE to one on a local disk",
            dir.display()
        )
    };
    if let Err(error) = tradewind_host::files::ensure_private_dir(dir) {
        return problem(NAME, error.to_string(), fix());
    }
    let probe = dir.join("doctor.probe");
    let written = tradewind_host::files::write_private(&probe, b"probe");
    drop(std::fs::remove_file(&probe));
    if let Err(error) = written {
        return problem(NAME, error.to_string(), fix());
    }
    match others_can_read(dir) {
        Some(mode) => problem(
            NAME,
            format!("{} can be read by others (mode {mode:o})", dir.display()),
            format!("chmod 700 {}", dir.display()),
        ),
        None => ok(NAME, format!("{} is private and writable", dir.display())),
    }
}

#[cfg(unix)]
fn others_can_read(dir: &Path) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(dir).ok()?.permissions().mode() & 0o777;
    (mode & 0o077 != 0).then_some(mode)
}

#[cfg(not(unix))]
fn others_can_read(_dir: &Path) -> Option<u32> {
    // The user's profile folder is private by its access list on Windows.
    None
}

fn store(place: &Place) -> Check {
    const NAME: &str = "journal";
    match Reader::open(place.state()) {
        Ok(reader) => match (reader.last(), reader.stats()) {
            (Ok(last), Ok(stats)) => ok(
                NAME,
                format!(
                    "{} up to {last}, {} KiB",
                    counted(stats.events, "event"),
                    stats.bytes / 1024
                ),
            ),
            (Err(error), _) | (_, Err(error)) => problem(
                NAME,
                error.to_string(),
                "tradewind log --verify, then tradewind backup load FILE",
            ),
        },
        Err(ReadError::Missing { .. }) => note(NAME, "no journal yet", "tradewind up"),
        Err(error) => problem(
            NAME,
            error.to_string(),
            "set TRADEWIND_STATE to a folder on a local disk, or load a backup: tradewind backup load FILE",
        ),
    }
}

fn clock(place: &Place) -> Check {
    const NAME: &str = "clock";
    let now = place.now();
    let newest = Reader::open(place.state())
        .ok()
        .and_then(|reader| reader.get(reader.last().ok()?).ok()?)
        .map(|event| event.recorded_at);
    let fix = if cfg!(windows) {
        "w32tm /resync"
    } else {
        "sudo timedatectl set-ntp true"
    };
    // A slow clock makes daily quotas and bar times wrong; the newest event is a lower bound on the truth.
    match newest {
        Some(newest) if newest > now + jiff::SignedDuration::from_secs(5) => problem(
            NAME,
            format!("it is {now}, but the newest event is of {newest}: the clock went back"),
            fix,
        ),
        _ if now.as_second() < 1_760_000_000 => problem(
            NAME,
            format!("it is {now}, which is before this program was built"),
            fix,
        ),
        _ => ok(NAME, format!("{now}")),
    }
}

async fn daemon_or_port(place: &Place) -> Check {
    const NAME: &str = "daemon";
    if let Some(daemon) = Daemon::find(place.state())
        && daemon.is_alive().await
    {
        let card = daemon.card();
        return ok(
            NAME,
            format!(
                "version {} runs at http://{} (pid {})",
                card.version, card.address, card.pid
            ),
        );
    }
    let variable = daemon::LISTEN_VARIABLE;
    let named = std::env::var(variable).ok();
    let address: SocketAddr = match named.as_deref().map(str::parse) {
        None => daemon::DEFAULT_LISTEN,
        Some(Ok(address)) => address,
        Some(Err(_no_address)) => {
            return problem(
                NAME,
                format!(
                    "{variable} is {:?}, which is no address",
                    named.unwrap_or_default()
                ),
                format!(
                    "set {variable} to an address and port such as 127.0.0.1:8421, or unset it"
                ),
            );
        }
    };
    let by = named.map(|_| format!(" ({variable})")).unwrap_or_default();
    match TcpListener::bind(address) {
        Ok(_free) => note(
            NAME,
            format!("none runs; {address}{by} is free"),
            "tradewind up",
        ),
        Err(error) => problem(
            NAME,
            format!("none runs, and {address}{by} cannot be used: {error}"),
            "tradewind up --listen 127.0.0.1:0   (any free port)",
        ),
    }
}

fn watches() -> Check {
    const NAME: &str = "file notices";
    const WANTED: u64 = 65_536;
    match std::fs::read_to_string("/proc/sys/fs/inotify/max_user_watches") {
        Ok(text) => match text.trim().parse::<u64>() {
            Ok(limit) if limit < WANTED => note(
                NAME,
                format!(
                    "at most {limit} folders can be watched; beyond that the work tree is polled"
                ),
                format!("sudo sysctl fs.inotify.max_user_watches={}", WANTED * 8),
            ),
            _ => ok(NAME, format!("up to {} folders", text.trim())),
        },
        Err(_not_linux) => ok(NAME, "by the operating system"),
    }
}

/// Runs a program that only says its version.
async fn ask(place: &Place, program: &str, args: &[&str]) -> Option<String> {
    let spec = CommandSpec::new(program, place.cwd())
        .args(args.iter().copied())
        .within(Duration::from_secs(10));
    let finished = process::run(spec, CancellationToken::new()).await.ok()?;
    let text = format!("{}{}", finished.stdout.text(), finished.stderr.text());
    (finished.status == ExitOutcome::Code(0)).then(|| terminal::one_line(&text, 60))
}

async fn python(place: &Place) -> Check {
    const NAME: &str = "python";
    for program in ["python3", "python", "py"] {
        if let Some(version) = ask(place, program, &["--version"]).await {
            return match ask(place, program, &["-m", "pytest", "--version"]).await {
                Some(pytest) => ok(NAME, format!("{version}, {pytest}")),
                None => note(
                    NAME,
                    format!("{version} without pytest"),
                    format!("{program} -m pip install pytest   (unittest works without)"),
                ),
            };
        }
    }
    note(
        NAME,
        "not found; rules that run a bot's tests need it",
        install("python"),
    )
}

async fn docker(place: &Place) -> Check {
    const NAME: &str = "docker";
    match ask(
        place,
        "docker",
        &["version", "--format", "{{.Server.Version}}"],
    )
    .await
    {
        Some(version) => ok(NAME, format!("engine {version}")),
        None if ask(place, "docker", &["--version"]).await.is_some() => note(
            NAME,
            "the program is there, but no engine answers",
            if cfg!(windows) {
                "start Docker Desktop"
            } else {
                "sudo systemctl start docker"
            },
        ),
        None => note(
            NAME,
            "not found; only deploying needs it",
            install("docker"),
        ),
    }
}

fn repository(place: &Place) -> Check {
    const NAME: &str = "repository";
    let location = match place.location() {
        Ok(location) => location,
        Err(failure) => {
            return note(
                NAME,
                failure.what,
                "cd into your bot's folder, or: git init",
            );
        }
    };
    let probe = location.common_dir.join("tradewind-doctor.probe");
    let written = std::fs::write(&probe, b"probe");
    drop(std::fs::remove_file(&probe));
    match written {
        Ok(()) => ok(NAME, location.top.display().to_string()),
        Err(error) => problem(
            NAME,
            format!(
                "{} cannot be written: {error}",
                location.common_dir.display()
            ),
            "make the repository yours: chown -R or check the disk",
        ),
    }
}

fn configuration(place: &Place) -> Check {
    let Ok(location) = place.location() else {
        return ok("configuration", "none needed here");
    };
    match std::fs::read_to_string(location.top.join(CONFIG_FILE)) {
        Ok(text) => match wire::Config::parse(&text) {
            Ok(config) => ok("configuration", counted(config.rule_count(), "rule")),
            Err(mistakes) => problem(
                "configuration",
                format!("{} in {CONFIG_FILE}", counted(mistakes.len(), "mistake")),
                "tradewind config check",
            ),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => note(
            "configuration",
            format!("no {CONFIG_FILE} yet"),
            "tradewind init",
        ),
        Err(error) => problem(
            "configuration",
            format!("{CONFIG_FILE} cannot be read: {error}"),
            "make it readable UTF-8 text",
        ),
    }
}
