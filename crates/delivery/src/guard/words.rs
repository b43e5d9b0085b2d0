//! What a person reads when a commit is stopped: what, why, and the commands to go on.
//!
//! Plain text with the most important first; the edge colours it and makes text from outside safe to print.

use std::fmt::Write as _;

use super::exceptions::Exception;
use super::{Judgement, Kind, Stop, shell};

/// Stops shown one by one; a person reads a screen.
const MAX_SHOWN: usize = 8;
/// Places shown of one stop.
const MAX_PLACES: usize = 4;
/// Paths that one command names.
const MAX_PATHS: usize = 30;

/// Says a judgement. `passed` are the stops that an exception lets pass. Empty where there is nothing to say.
pub fn say(judgement: &Judgement, passed: &[(Stop, Exception)]) -> String {
    let mut out = String::new();
    for (stop, exception) in passed {
        line(
            &mut out,
            format_args!(
                "Passes by exception {} ({}): {}",
                exception.seq, exception.granted.reason, stop.what
            ),
        );
    }
    for warning in &judgement.warnings {
        line(&mut out, format_args!("Look again: {}", warning.what));
    }
    if judgement.stops.is_empty() {
        return out;
    }
    let count = judgement.stops.len();
    let reasons = if count == 1 {
        "1 reason".to_owned()
    } else {
        format!("{count} reasons")
    };
    line(
        &mut out,
        format_args!("This commit is stopped, for {reasons}. Nothing was changed."),
    );
    for stop in judgement.stops.iter().take(MAX_SHOWN) {
        one(&mut out, stop);
    }
    if count > MAX_SHOWN {
        line(
            &mut out,
            format_args!(
                "\n… and {} more: `tradewind guard check --format json` lists all.",
                count - MAX_SHOWN
            ),
        );
    }
    together(&mut out, judgement);
    for left in &judgement.not_checked {
        line(&mut out, format_args!("Not checked: {left}."));
    }
    out
}

fn one(out: &mut String, stop: &Stop) {
    line(
        out,
        format_args!("\n{}  [{}]", stop.what, stop.kind.as_str()),
    );
    for place in stop.evidence.iter().take(MAX_PLACES) {
        let number = place.line.map_or(String::new(), |line| format!(":{line}"));
        let says = match (place.how, place.note.as_str()) {
            (super::How::Here, note) => note.to_owned(),
            (how, "") => how.verb().to_owned(),
            (how, note) => format!("{}: {note}", how.verb()),
        };
        line(out, format_args!("    {}{number}  {says}", place.path));
    }
    let hidden = stop.evidence.len().saturating_sub(MAX_PLACES) + stop.more;
    if hidden > 0 {
        line(out, format_args!("    … and {hidden} more"));
    }
    for next in &stop.next {
        line(out, format_args!("  {}:\n    {}", next.does, next.command));
    }
}

/// One command that brings everything back that goes.
fn together(out: &mut String, judgement: &Judgement) {
    let is_loss = |stop: &&Stop| {
        matches!(
            stop.kind,
            Kind::DanglingReference | Kind::ProtectedPath | Kind::MassDeletion
        )
    };
    let mut paths: Vec<String> = judgement
        .stops
        .iter()
        .filter(is_loss)
        .map(|stop| shell(&stop.path))
        .collect();
    paths.dedup();
    if paths.len() < 2 {
        return;
    }
    let is_cut = paths.len() > MAX_PATHS;
    paths.truncate(MAX_PATHS);
    let what = if is_cut {
        format!("the first {MAX_PATHS}")
    } else {
        "everything".to_owned()
    };
    line(
        out,
        format_args!(
            "\nBring {what} back:\n    git restore --staged --worktree -- {}",
            paths.join(" ")
        ),
    );
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    if writeln!(out, "{text}").is_err() {}
}

#[cfg(test)]
mod tests {
    use super::super::config::{GuardSection, Policy};
    use super::super::memory::Memory;
    use super::*;

    #[test]
    fn what_is_read_at_two_in_the_morning() {
        let value = ["AKIA", "Q7RZ3MNP5XVBW2LD"].concat();
        let key = format!("KEY = \"{value}\"\n");
        let before = [
            (
                "Dockerfile",
                "FROM python:3.11\nCOPY bot.py .\nCMD [\"python\", \"bot.py\"]\n",
            ),
            ("bot.py", "from risk import LIMIT\n"),
            ("live/orders.py", "x = 1\n"),
            ("risk.py", "LIMIT = 1\n"),
        ];
        let after = [before[0], before[1], ("fetch.py", key.as_str())];
        let policy = Policy::new(&GuardSection {
            protect: vec!["live/**".into()],
            ..GuardSection::default()
        });
        let judgement = Memory::new(&before, &after).judge(&policy, None);
        assert_eq!(
            say(&judgement, &[]),
            "\
This commit is stopped, for 3 reasons. Nothing was changed.

live/orders.py is protected and is deleted.  [protected-path]
  bring it back:
    git restore --staged --worktree -- live/orders.py
  or go on, with a reason:
    tradewind guard allow live/orders.py --reason \"…\"

risk.py is deleted, and 1 place still leads to it.  [dangling-reference]
    bot.py:1  imports it: from risk import LIMIT
  bring it back:
    git restore --staged --worktree -- risk.py
  or go on, with a reason:
    tradewind guard allow risk.py --reason \"…\"

fetch.py gives away an aws access key.  [secret]
    fetch.py:1  an aws access key
  read it from the environment instead (replace it at its issuer if it ever left this machine), then stage the file:
    git add -- fetch.py
  or go on, with a reason:
    tradewind guard allow fetch.py --reason \"…\"

Bring everything back:
    git restore --staged --worktree -- live/orders.py risk.py
"
        );
        let nothing = Memory::new(&before, &before).judge(&policy, None);
        assert_eq!(say(&nothing, &[]), "");
    }
}
