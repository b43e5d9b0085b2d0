//! What the demo does to the example bot: breaks its strategy, mends it, commits.

use std::path::Path;

use jiff::Timestamp;
use tradewind_host::git::Git;

use super::replay::{self, ReplayError};
use crate::report::{Exit, Failure};

/// The line that decides the trend, right and broken.
const RIGHT: &str = "trend_up = fast[i] > slow[i]";
const BROKEN: &str = "trend_up = fast[i] < slow[i]";
const STRATEGY: &str = "bot/strategy.py";

/// Makes the repository in `bot`; returns how many commits it has.
pub(super) fn replay(git: &Git, bot: &Path, now: Timestamp) -> Result<usize, Failure> {
    replay::replay(git, bot, now).map_err(|e| failure(&e))
}

fn failure(error: &ReplayError) -> Failure {
    let exit = match error {
        ReplayError::History(_) => Exit::Bug,
        ReplayError::Write { .. } | ReplayError::Git { .. } => Exit::Outside,
    };
    Failure::from_error(exit, error)
}

/// Commits all changes of tracked files and `tradewind.toml`.
pub(super) fn commit_all(
    git: &Git,
    bot: &Path,
    message: &str,
    author: &str,
    when: Timestamp,
) -> Result<(), Failure> {
    replay::run(git, bot, &["add", "-u"], &[]).map_err(|e| failure(&e))?;
    replay::commit(git, bot, message, author, when).map_err(|e| failure(&e))
}

/// Turns the moving average crossover upside down: one character.
pub(super) fn break_strategy(bot: &Path) -> Result<(), Failure> {
    replace(bot, RIGHT, BROKEN)
}

/// Turns it right again.
pub(super) fn mend_strategy(bot: &Path) -> Result<(), Failure> {
    replace(bot, BROKEN, RIGHT)
}

fn replace(bot: &Path, from: &str, to: &str) -> Result<(), Failure> {
    let path = bot.join(STRATEGY);
    let text = std::fs::read_to_string(&path)
        .map_err(|e| Failure::because(Exit::Outside, "the strategy cannot be read", &e))?;
    if text.matches(from).count() != 1 {
        return Err(Failure::new(
            Exit::Bug,
            format!("{STRATEGY} of the example does not hold {from:?} once"),
        ));
    }
    std::fs::write(&path, text.replace(from, to))
        .map_err(|e| Failure::because(Exit::Outside, "the strategy cannot be written", &e))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::demo::replay::BOT;

    #[test]
    fn the_story_can_break_and_mend_the_strategy() {
        let text = BOT.get_file(STRATEGY).unwrap().contents_utf8().unwrap();
        assert_eq!(
            (text.matches(RIGHT).count(), text.matches(BROKEN).count()),
            (1, 0)
        );
    }
}
