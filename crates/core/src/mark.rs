//! The mark that a request leaves outside, so that its effects are known as its own.
//!
//! Why here: the engine puts it into the environment of a command, where git takes it over into the
//! reflog of every reference it moves; the room that reads reflogs finds it there again. The two do not
//! know each other. Not here: whether a mark that is found is to be believed.

use crate::Seq;

const PREFIX: &str = "tradewind request ";

/// Returns what stands first in a reflog's message when the action of `request` moved a reference.
pub fn of_request(request: Seq) -> String {
    format!("{PREFIX}{request}")
}

/// Returns the request that a reflog's message begins with; none when it bears no mark.
pub fn request_in(message: &[u8]) -> Option<Seq> {
    let rest = message.strip_prefix(PREFIX.as_bytes())?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    // A number that the store cannot hold is none of ours.
    let number: i64 = std::str::from_utf8(rest.get(..digits)?)
        .ok()?
        .parse()
        .ok()?;
    u64::try_from(number).ok().map(Seq)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_found_where_git_puts_it_and_nowhere_else() {
        let mark = of_request(Seq(42));
        for after in ["", ": a title", " (pick): 7", ": tradewind request 7"] {
            let message = format!("{mark}{after}");
            assert_eq!(request_in(message.as_bytes()), Some(Seq(42)), "{message}");
        }
        for message in [
            "",
            "commit: tradewind request 42",
            "tradewind request ",
            "tradewind request -1",
            "tradewind request 99999999999999999999999",
        ] {
            assert_eq!(request_in(message.as_bytes()), None, "{message}");
        }
    }
}
