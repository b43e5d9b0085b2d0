//! How far an audit is, for whoever waits.
//!
//! Several stages run at once: history is read while code is parsed. Each says by itself what it does and how much of
//! it is done; it is gone when its [`Stage`] is dropped. Not here: drawing.

use std::sync::{Mutex, PoisonError};

/// What one stage does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Doing {
    /// In words: `reading history`.
    pub what: &'static str,
    /// How many commits, files or rules are done.
    pub done: usize,
    /// Of how many; 0 where that is not known.
    pub of: usize,
}

/// The stages that run.
#[derive(Debug, Default)]
pub struct Progress {
    // Empty where a stage ended; a later one takes its place.
    stages: Mutex<Vec<Option<Doing>>>,
}

impl Progress {
    /// Returns what is being done now, what began first before the rest.
    pub fn get(&self) -> Vec<Doing> {
        self.with(|stages| stages.iter().copied().flatten().collect())
    }

    /// Begins a stage; it ends when what is returned is dropped.
    pub(crate) fn begin(&self, what: &'static str, of: usize) -> Stage<'_> {
        let doing = Some(Doing { what, done: 0, of });
        let at = self.with(|stages| {
            // Places behind the last one that runs are free again.
            while stages.last().is_some_and(Option::is_none) {
                stages.pop();
            }
            stages.push(doing);
            stages.len() - 1
        });
        Stage { progress: self, at }
    }

    fn with<T>(&self, act: impl FnOnce(&mut Vec<Option<Doing>>) -> T) -> T {
        act(&mut self.stages.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A stage that runs.
#[derive(Debug)]
pub(crate) struct Stage<'p> {
    progress: &'p Progress,
    at: usize,
}

impl Stage<'_> {
    /// Says that one more is done.
    pub(crate) fn step(&self) {
        self.change(|doing| doing.done += 1);
    }

    /// Says how many are done of how many; from several threads the most that was said counts.
    pub(crate) fn reach(&self, done: usize, of: usize) {
        self.change(|doing| {
            doing.done = doing.done.max(done);
            doing.of = of;
        });
    }

    fn change(&self, act: impl FnOnce(&mut Doing)) {
        self.progress.with(|stages| {
            if let Some(Some(doing)) = stages.get_mut(self.at) {
                act(doing);
            }
        });
    }
}

impl Drop for Stage<'_> {
    fn drop(&mut self) {
        self.progress.with(|stages| {
            if let Some(stage) = stages.get_mut(self.at) {
                *stage = None;
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_that_run_at_once_are_told_at_once_and_end_by_themselves() {
        let progress = Progress::default();
        let history = progress.begin("history", 0);
        let code = progress.begin("code", 7);
        history.reach(5, 9);
        history.reach(3, 9);
        code.step();
        let said = |what, done, of| Doing { what, done, of };
        assert_eq!(progress.get(), [said("history", 5, 9), said("code", 1, 7)]);
        drop(history);
        assert_eq!(progress.get(), [said("code", 1, 7)]);
        let rules = progress.begin("rules", 2);
        code.step();
        drop(code);
        rules.step();
        assert_eq!(progress.get(), [said("rules", 1, 2)]);
        drop(rules);
        assert_eq!(progress.get(), []);
    }
}
