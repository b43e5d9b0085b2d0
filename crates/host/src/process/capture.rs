//! What is kept of an output stream: the first half of the bound and the last half.
//!
//! Why both ends: the head says what was started, the tail says why it ended.

use std::collections::VecDeque;

/// Output of one stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Captured {
    /// Head and tail, joined.
    pub bytes: Vec<u8>,
    /// Bytes between head and tail that were dropped; 0 when `bytes` is everything.
    pub dropped_bytes: u64,
    /// Length of the head within `bytes`; where the gap is when something was dropped.
    pub head_bytes: usize,
}

impl Captured {
    /// Returns the output as text, invalid bytes replaced, with a line that names the gap.
    pub fn text(&self) -> String {
        if self.dropped_bytes == 0 {
            return String::from_utf8_lossy(&self.bytes).into_owned();
        }
        let (head, tail) = self.bytes.split_at(self.head_bytes.min(self.bytes.len()));
        format!(
            "{}\n[… {} bytes left out …]\n{}",
            String::from_utf8_lossy(head),
            self.dropped_bytes,
            String::from_utf8_lossy(tail)
        )
    }
}

/// Collects a stream within a bound.
#[derive(Debug)]
pub(super) struct Capture {
    // Invariant: head is full before tail gets its first byte; tail never outgrows tail_max.
    head: Vec<u8>,
    tail: VecDeque<u8>,
    head_max: usize,
    tail_max: usize,
    dropped: u64,
    is_taken: bool,
}

impl Capture {
    pub(super) fn new(max_bytes: usize) -> Self {
        let tail_max = max_bytes / 2;
        Self {
            head: Vec::new(),
            tail: VecDeque::new(),
            head_max: max_bytes - tail_max,
            tail_max,
            dropped: 0,
            is_taken: false,
        }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        if self.is_taken {
            return;
        }
        let room = self.head_max - self.head.len();
        let (head, rest) = bytes.split_at(room.min(bytes.len()));
        self.head.extend_from_slice(head);
        let kept = &rest[rest.len().saturating_sub(self.tail_max)..];
        let overflow = (self.tail.len() + kept.len()).saturating_sub(self.tail_max);
        self.tail.drain(..overflow);
        self.tail.extend(kept);
        self.dropped += (overflow + rest.len() - kept.len()) as u64;
    }

    /// Takes what was kept; whatever comes later is thrown away.
    pub(super) fn take(&mut self) -> Captured {
        self.is_taken = true;
        let mut bytes = std::mem::take(&mut self.head);
        let head_bytes = bytes.len();
        bytes.extend(std::mem::take(&mut self.tail));
        Captured {
            bytes,
            dropped_bytes: self.dropped,
            head_bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn head_and_tail_are_the_ends_of_the_stream_and_the_rest_is_counted(
            pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..20),
            max in 0..100_usize,
        ) {
            let mut capture = Capture::new(max);
            for piece in &pieces {
                capture.push(piece);
            }
            let all = pieces.concat();
            let captured = capture.take();
            prop_assert_eq!(captured.bytes.len() as u64 + captured.dropped_bytes, all.len() as u64);
            prop_assert!(captured.bytes.len() <= max);
            if captured.dropped_bytes == 0 {
                prop_assert_eq!(captured.bytes, all);
            } else {
                let (head, tail) = captured.bytes.split_at(captured.head_bytes);
                prop_assert_eq!(captured.bytes.len(), max);
                prop_assert!(all.starts_with(head) && all.ends_with(tail));
            }
        }
    }

    #[test]
    fn text_names_the_gap() {
        let mut capture = Capture::new(4);
        capture.push(b"abcdefgh");
        assert_eq!(capture.take().text(), "ab\n[… 4 bytes left out …]\ngh");
    }
}
