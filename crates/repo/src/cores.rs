//! Does independent pieces of work on all cores and returns their answers in their sequence.
//!
//! Why: an audit is waited for, and most of its readers look at one file after the other. What comes out does not
//! depend on who was faster. Not here: work that needs a deep stack ([`crate::python::read`]) or that talks to git.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// More threads would wait for the same disk.
const MAX_THREADS: usize = 8;

/// Does each of `pieces`. A panic in one is a panic here.
pub(crate) fn each<P: Sync, T: Send>(pieces: &[P], work: impl Fn(usize, &P) -> T + Sync) -> Vec<T> {
    let answers: Vec<Mutex<Option<T>>> = pieces.iter().map(|_| Mutex::default()).collect();
    let next = AtomicUsize::new(0);
    let take = || {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let (Some(piece), Some(answer)) = (pieces.get(at), answers.get(at)) else {
                return;
            };
            let done = work(at, piece);
            *answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(done);
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 1..cores.min(MAX_THREADS).min(pieces.len()) {
            scope.spawn(take);
        }
        take();
    });
    answers
        .into_iter()
        .filter_map(|answer| answer.into_inner().unwrap_or_else(PoisonError::into_inner))
        .collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn answers_come_in_the_sequence_of_the_pieces() {
        let pieces: Vec<usize> = (0..1_000).collect();
        let answers = super::each(&pieces, |at, piece| {
            std::thread::yield_now();
            assert_eq!(at, *piece);
            piece * 2
        });
        assert!(answers.iter().copied().eq((0..1_000).map(|at| at * 2)));
        assert!(super::each::<u8, u8>(&[], |_, piece| *piece).is_empty());
    }
}
