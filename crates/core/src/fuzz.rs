//! The reader of outside text in this room as a function of any bytes; what `tradewind_repo`'s module of the
//! same name says holds here as well.

use jiff::Timestamp;

use crate::cloudevent::{external_from_json, own_from_json};
use crate::mark;

/// A target: its name, and what it calls.
pub type Target = (&'static str, fn(&[u8]));

/// Every target of this room.
pub const TARGETS: &[Target] = &[("cloudevent", cloudevent)];

/// An event that somebody posted, or a message that may have our mark.
pub fn cloudevent(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    drop(external_from_json(&text, Timestamp::UNIX_EPOCH));
    drop(own_from_json(&text));
    let _ = mark::request_in(bytes);
}

#[cfg(test)]
#[path = "../../../fuzz/seeds.rs"]
mod seeds;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_has_seeds_and_survives_them_and_their_mutations() {
        seeds::exercise("core", TARGETS);
    }
}
