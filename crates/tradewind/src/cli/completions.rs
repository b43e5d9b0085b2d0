//! `tradewind completions SHELL`.

use clap_complete::Shell;

use crate::report::{Exit, Outcome};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The shell, e.g. `tradewind completions bash > ~/.local/share/bash-completion/completions/tradewind`
    shell: Shell,
}

#[expect(clippy::unnecessary_wraps, reason = "every command returns an outcome")]
pub(crate) fn run(args: &Args) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::command(), "tradewind", &mut script);
    crate::terminal::line(String::from_utf8_lossy(&script).trim_end());
    Ok(Exit::Done)
}
