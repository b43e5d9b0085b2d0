//! Plays one connection of a cassette: what came is said again, each part of it once the program has said what
//! it said before it.
//!
//! Why so: the sequence of a recording is kept and its pace is not, so a replay is as fast as the program and
//! still never tells a price before its subscription. What the program says is found among what it said then;
//! said once more it is passed over, as a ping that comes more often on a slow machine; said for the first
//! time it is missing. Not here: the socket, and which connection is played ([`super::player`]).

use std::sync::Arc;

use super::spoken;
use super::stream::{Ending, From, RecordedStream, said};

/// What to do next on a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Say this.
    Say(String),
    /// Wait for the program: it has not said what it said then.
    Wait,
    /// End it, or wait for the program to do so, as it ended then.
    End(Ending),
}

/// A connection that is played.
#[derive(Debug)]
pub struct Reel {
    pub(super) stream: Arc<RecordedStream>,
    /// Where it is.
    at: usize,
    /// Which of its frames the program has said.
    is_said: Vec<bool>,
}

/// What came of something that a program said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// It was said then too.
    Known,
    /// It was said then, and now once more often.
    Again,
    /// It was not said then.
    Missing,
}

impl Reel {
    pub(super) fn new(stream: Arc<RecordedStream>) -> Self {
        Self {
            at: 0,
            is_said: vec![false; stream.frames.len()],
            stream,
        }
    }

    /// Returns what was agreed to be spoken.
    pub fn protocol(&self) -> Option<&str> {
        self.stream.protocol.as_deref()
    }

    /// Says what to do next, and goes on behind it.
    #[expect(
        clippy::should_implement_trait,
        reason = "it has no end of its own: whoever waits asks again"
    )]
    pub fn next(&mut self) -> Next {
        while let Some(line) = self.stream.frames.get(self.at) {
            match said(line) {
                Some((From::Provider, text)) => {
                    self.at += 1;
                    return Next::Say(text.to_owned());
                }
                Some((From::Program, _)) if !self.is_said.get(self.at).is_some_and(|it| *it) => {
                    return Next::Wait;
                }
                Some((From::Program, _)) | None => self.at += 1,
            }
        }
        Next::End(self.stream.end.clone())
    }

    /// Takes what the program said, without keys.
    pub(super) fn hear(&mut self, text: &str) -> Heard {
        let mut was_said = false;
        for (line, is_said) in self.stream.frames.iter().zip(&mut self.is_said) {
            let Some((From::Program, known)) = said(line) else {
                continue;
            };
            if spoken::is_same(known, text) {
                if !*is_said {
                    *is_said = true;
                    return Heard::Known;
                }
                was_said = true;
            }
        }
        if was_said {
            Heard::Again
        } else {
            Heard::Missing
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;

    fn reel(frames: &[&str], end: Ending) -> Reel {
        Reel::new(Arc::new(RecordedStream {
            provider: "alpaca".to_owned(),
            host: "stream.data.alpaca.markets".to_owned(),
            path: "/v2/iex".to_owned(),
            query: Vec::new(),
            opened_at: Timestamp::UNIX_EPOCH,
            protocol: None,
            frames: frames.iter().map(|line| (*line).to_owned()).collect(),
            end,
        }))
    }

    fn say(text: &str) -> Next {
        Next::Say(text.to_owned())
    }

    #[test]
    fn nothing_comes_before_the_program_has_asked_for_it() {
        let frames = ["< hello", "> sub", "< one", "< two", "> more", "< three"];
        let mut reel = reel(&frames, Ending::Cut);
        assert_eq!(reel.next(), say("hello"));
        assert_eq!((reel.next(), reel.next()), (Next::Wait, Next::Wait));
        // Said early, it is not needed again.
        assert_eq!(reel.hear("more"), Heard::Known);
        assert_eq!(reel.next(), Next::Wait);
        assert_eq!(reel.hear("other"), Heard::Missing);
        assert_eq!(reel.hear("sub"), Heard::Known);
        assert_eq!(reel.hear("sub"), Heard::Again);
        assert_eq!(reel.next(), say("one"));
        assert_eq!(reel.next(), say("two"));
        assert_eq!(reel.next(), say("three"));
        assert_eq!(reel.next(), Next::End(Ending::Cut));
        assert_eq!(reel.next(), Next::End(Ending::Cut));
    }

    #[test]
    fn the_same_said_twice_is_waited_for_twice() {
        let mut reel = reel(&["> ping", "< pong 1", "> ping", "< pong 2"], Ending::Open);
        reel.hear("ping");
        assert_eq!((reel.next(), reel.next()), (say("pong 1"), Next::Wait));
        reel.hear("ping");
        assert_eq!(reel.next(), say("pong 2"));
    }

    proptest! {
        #[test]
        fn who_says_the_same_hears_the_same(
            spoken in proptest::collection::vec((any::<bool>(), 0..4_u8), 0..30),
        ) {
            let line = |(is_program, word): &(bool, u8)| {
                format!("{} {word}", if *is_program { '>' } else { '<' })
            };
            let lines: Vec<_> = spoken.iter().map(line).collect();
            let lines: Vec<_> = lines.iter().map(String::as_str).collect();
            let mut reel = reel(&lines, Ending::Open);
            // Whoever speaks when nothing comes, as the program did then, hears everything in its sequence.
            let mut told = spoken.iter().filter(|(is_program, _)| *is_program);
            let mut heard = Vec::new();
            loop {
                match reel.next() {
                    Next::Say(text) => heard.push(text),
                    Next::Wait => {
                        let (_, word) = told.next().unwrap();
                        prop_assert_eq!(reel.hear(&word.to_string()), Heard::Known);
                    }
                    Next::End(_) => break,
                }
            }
            let came = spoken.iter().filter(|(is_program, _)| !is_program);
            let came: Vec<_> = came.map(|(_, word)| word.to_string()).collect();
            prop_assert_eq!(heard, came);
            prop_assert!(told.next().is_none());
        }
    }
}
