//! `tradewind`: one binary that puts a trading repository on autopilot.
//!
//! This crate is the edge: command line, listener, signals, wiring. It decides nothing that a room
//! below could decide. Start reading at [`cli`] for what may be typed, at [`daemon`] for what runs.

mod cli;
mod client;
mod control;
mod daemon;
mod describe;
mod exec;
mod http;
mod market;
mod place;
#[cfg(test)]
mod reference;
mod registration;
mod report;
mod repositories;
mod service;
mod settings;
mod terminal;
mod times;
mod wire;

use std::process::ExitCode;
use std::time::Duration;

use report::Exit;

/// Threads of the runtime. The work is waiting for files, sockets and children; two suffice.
const WORKERS: usize = 2;
/// How long threads that still work when all is done may take to end.
const LAST_WAIT: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    let told = cli::read();
    // A hook is waited for at each commit: threads that it would not use cost it half a millisecond.
    let runtime = if told.is_one_thing_at_a_time() {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
    } else {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(WORKERS)
            .enable_all()
            .build()
    };
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            terminal::failure(&report::Failure::because(
                Exit::Outside,
                "the runtime cannot start",
                &error,
            ));
            return code(Exit::Outside);
        }
    };
    let ended = runtime.block_on(cli::run(told));
    // A look that hangs in the system, as on a dead network drive, must not keep the program from ending.
    runtime.shutdown_timeout(LAST_WAIT);
    match ended {
        Ok(exit) => code(exit),
        Err(failure) => {
            terminal::failure(&failure);
            code(failure.exit)
        }
    }
}

fn code(exit: Exit) -> ExitCode {
    ExitCode::from(exit as u8)
}
