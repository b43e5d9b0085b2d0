//! The reader of outside text in this room as a function of any bytes; what `tradewind_repo`'s module of the
//! same name says holds here as well.

#![expect(
    clippy::missing_panics_doc,
    reason = "a body that panics has found something"
)]

use crate::action::Registry;
use crate::config;

/// A target: its name, and what it calls.
pub type Target = (&'static str, fn(&[u8]));

/// Every target of this room.
pub const TARGETS: &[Target] = &[("tradewind_toml", tradewind_toml)];

/// `tradewind.toml`: sections, rules and their conditions.
pub fn tradewind_toml(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let last = text.split('\n').count();
    for mistake in config::parse(&text, &Registry::new())
        .err()
        .into_iter()
        .flatten()
    {
        assert!(
            (1..=last).contains(&(mistake.line as usize)),
            "{mistake:?} of {last} lines"
        );
    }
}

#[cfg(test)]
#[path = "../../../fuzz/seeds.rs"]
mod seeds;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_has_seeds_and_survives_them_and_their_mutations() {
        seeds::exercise("engine", TARGETS);
    }
}
