//! Starting with every login: a systemd user unit, or the command that does it elsewhere.
//!
//! Why a user unit: limits and secrets belong to a user; nothing here needs root.

use tradewind_host::{dirs, files};

use crate::place::Place;
use crate::report::{Exit, Failure, Outcome};
use crate::terminal;

/// Name of the unit.
const UNIT: &str = "tradewind.service";

/// Writes the unit, or prints what to do where there is no systemd.
pub(crate) fn install(place: &Place) -> Outcome {
    let program = std::env::current_exe()
        .map_err(|e| Failure::because(Exit::Outside, "this program cannot find itself", &e))?;
    let program = program.display();
    if cfg!(windows) {
        terminal::line(
            "Windows has no user units. This makes the task scheduler start Tradewind at each login:",
        );
        terminal::line(format_args!(
            "  schtasks /Create /TN Tradewind /SC ONLOGON /RL LIMITED /TR \"\\\"{program}\\\" up --only-registered\""
        ));
        terminal::line("Remove it with: schtasks /Delete /TN Tradewind");
        return Ok(Exit::Done);
    }
    if cfg!(target_os = "macos") {
        terminal::line("On macOS, a login item that runs this command does the same:");
        terminal::line(format_args!("  {program} up --only-registered --detach"));
        return Ok(Exit::Done);
    }
    let dir = dirs::service_dir().map_err(|e| Failure::from_error(Exit::Config, &e))?;
    let path = dir.join(UNIT);
    std::fs::create_dir_all(&dir).map_err(|e| {
        Failure::because(
            Exit::Outside,
            format!("{} cannot be made", dir.display()),
            &e,
        )
    })?;
    files::atomic_write(
        &path,
        unit(&program.to_string(), &place.state().display().to_string()).as_bytes(),
        files::Mode::Keep,
    )
    .map_err(|e| Failure::from_error(Exit::Outside, &e))?;
    terminal::line(format_args!("Wrote {}.", path.display()));
    terminal::line(
        "Start it now and with every login:  systemctl --user daemon-reload && systemctl --user enable --now tradewind",
    );
    terminal::line("Keep it running after logout:       loginctl enable-linger");
    terminal::line(
        "Repositories that you have run `tradewind up` in are watched; end a daemon in a terminal first: tradewind up --stop",
    );
    Ok(Exit::Done)
}

fn unit(program: &str, state: &str) -> String {
    // systemd reads % as a specifier and quotes as in C.
    let quoted = |text: &str| {
        format!(
            "\"{}\"",
            text.replace('\\', "\\\\")
                .replace('"', "\\\"")
                .replace('%', "%%")
        )
    };
    format!(
        "[Unit]\nDescription=Tradewind: a trading repository on autopilot\nAfter=network-online.target\n\n\
         [Service]\nExecStart={} up --only-registered\nEnvironment={}\n\
         Restart=on-failure\nRestartSec=5\nTimeoutStopSec=30\nNice=5\n\n\
         [Install]\nWantedBy=default.target\n",
        quoted(program),
        quoted(&format!("TRADEWIND_STATE={state}")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_blanks_and_percent_signs_survives_systemd() {
        let unit = unit(
            "/opt/trade wind/100%/tradewind",
            "/home/ada/.local/state/tradewind",
        );
        assert!(
            unit.contains("ExecStart=\"/opt/trade wind/100%%/tradewind\" up --only-registered\n"),
            "{unit}"
        );
    }
}
