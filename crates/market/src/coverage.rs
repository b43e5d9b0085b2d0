//! What is known of a series: for each bar there can be, whether it is held, known to be empty, or unknown.
//!
//! Why three states: a minute without a trade and a minute that was never asked for look the same in a
//! table, and mixing them up either asks for ever or never again. "Known empty" needs a proof.
//! Nothing at or after the finality watermark counts as known: those bars may still change.
//! What an answer proves: all that lies between the first and the last moment it vouches for. A page that
//! was cut short vouches only up to its last row.
//! Not here: the rows themselves, and who is asked for what is missing ([`crate::plan`]).

use std::ops::Range;

use rangemap::RangeMap;

use crate::grid::Key;

/// What is known of one bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// It is held, and final.
    Bar,
    /// There is none.
    Empty(Proof),
}

/// Why a bar is known not to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Proof {
    /// The venue's calendar says that it was closed.
    Closed,
    /// A provider answered for the span around it after it was final, and had none.
    Answered,
    /// It lies before the first bar that there ever was.
    BeforeFirst,
}

/// What an answer proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// The bars that the answer vouches for: those it holds are all there are.
    pub vouched: Range<Key>,
    /// The bars that it holds, in any sequence; some may lie outside of what it vouches for.
    pub bars: Vec<Key>,
    /// The first bar that was not final when it was asked for.
    pub final_before: Key,
}

/// What an answer changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Learned {
    /// Bars that were unknown or empty and are held now.
    pub new: u64,
    /// Bars that are held and that the answer, which vouches for them, no longer has: a correction.
    pub vanished: Vec<Range<Key>>,
}

/// What is known of a series.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    // Invariant: nothing at or after `final_before` is in the map.
    known: RangeMap<Key, Known>,
    final_before: Option<Key>,
}

impl Coverage {
    /// Returns what is known of a bar; `None` when nothing is.
    pub fn of(&self, key: Key) -> Option<Known> {
        self.known.get(&key).copied()
    }

    /// Returns the first bar that may still change; `None` before the first answer.
    pub fn final_before(&self) -> Option<Key> {
        self.final_before
    }

    /// Returns what is known within `span`, in sequence.
    pub fn parts<'a>(
        &'a self,
        span: &'a Range<Key>,
    ) -> impl Iterator<Item = (Range<Key>, Known)> + 'a {
        let inside = (span.start < span.end).then(|| self.known.overlapping(span));
        inside
            .into_iter()
            .flatten()
            .map(|(range, known)| (range.start.max(span.start)..range.end.min(span.end), *known))
    }

    /// Puts coverage together from what [`Coverage::parts`] told; what is not final is left out.
    pub fn of_parts(
        parts: impl IntoIterator<Item = (Range<Key>, Known)>,
        final_before: Option<Key>,
    ) -> Self {
        let mut coverage = Self {
            known: RangeMap::new(),
            final_before,
        };
        for (range, known) in parts {
            let end = final_before.map_or(range.start, |mark| range.end.min(mark));
            if range.start < end {
                coverage.known.insert(range.start..end, known);
            }
        }
        coverage
    }

    /// Takes over what an answer proves.
    ///
    /// A held bar that is missing in a later answer stays: a provider's hiccup must not tear holes. The
    /// caller is told, and may [`forget`](Self::forget) it.
    pub fn learn(&mut self, answered: &Answered) -> Learned {
        let Answered {
            vouched,
            bars,
            final_before,
        } = answered;
        // A watermark only moves on: what was final once stays so.
        let mark = self
            .final_before
            .map_or(*final_before, |mark| mark.max(*final_before));
        self.final_before = Some(mark);
        let mut learned = Learned::default();
        let mut held: Vec<Key> = bars
            .iter()
            .copied()
            .filter(|key| key < final_before)
            .collect();
        held.sort_unstable();
        held.dedup();
        for key in &held {
            if self.of(*key) != Some(Known::Bar) {
                learned.new += 1;
                self.known.insert(*key..key + 1, Known::Bar);
            }
        }
        let end = vouched.end.min(*final_before);
        if vouched.start >= end {
            return learned;
        }
        let mut next = vouched.start;
        let inside = held
            .iter()
            .copied()
            .filter(|key| (vouched.start..end).contains(key));
        for key in inside.chain(std::iter::once(end)) {
            if next < key {
                learned
                    .vanished
                    .extend(self.empty(next..key, Proof::Answered));
            }
            next = key + 1;
        }
        learned
    }

    /// Marks what is unknown in `span` as empty; returns the held bars in it, which stay.
    fn empty(&mut self, span: Range<Key>, proof: Proof) -> Vec<Range<Key>> {
        let unknown: Vec<Range<Key>> = self.known.gaps(&span).collect();
        for gap in unknown {
            self.known.insert(gap, Known::Empty(proof));
        }
        self.known
            .overlapping(&span)
            .filter(|(_, known)| **known == Known::Bar)
            .map(|(range, _)| range.start.max(span.start)..range.end.min(span.end))
            .collect()
    }

    /// Marks what is unknown in `span`, as far as it is final, as empty for a reason that needs no answer.
    pub fn exclude(&mut self, span: Range<Key>, proof: Proof) {
        let end = self
            .final_before
            .map_or(span.start, |mark| span.end.min(mark));
        if span.start < end {
            self.empty(span.start..end, proof);
        }
    }

    /// Forgets what is known in `span`, as after a split or a correction.
    pub fn forget(&mut self, span: Range<Key>) {
        if span.start < span.end {
            self.known.remove(span);
        }
    }

    /// Returns the parts of `asked` that nothing is known of, in sequence, none empty, none touching.
    pub fn gaps(&self, asked: &Range<Key>) -> Vec<Range<Key>> {
        if asked.start >= asked.end {
            return Vec::new();
        }
        self.known.gaps(asked).collect()
    }

    /// Returns the held parts of `asked`, in sequence.
    pub fn held(&self, asked: &Range<Key>) -> Vec<Range<Key>> {
        if asked.start >= asked.end {
            return Vec::new();
        }
        self.known
            .overlapping(asked)
            .filter(|(_, known)| **known == Known::Bar)
            .map(|(range, _)| range.start.max(asked.start)..range.end.min(asked.end))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SPACE: Key = 60;

    /// The same, one entry for each bar.
    #[derive(Debug, Default)]
    struct Bitmap {
        known: Vec<Option<Known>>,
        mark: Option<Key>,
    }

    fn place(key: Key) -> usize {
        usize::try_from(key).unwrap()
    }

    impl Bitmap {
        fn new() -> Self {
            Self {
                known: vec![None; place(SPACE)],
                mark: None,
            }
        }

        fn learn(&mut self, answered: &Answered) -> u64 {
            self.mark = self.mark.max(Some(answered.final_before));
            let mut new = 0;
            for key in 0..SPACE.min(answered.final_before) {
                let state = &mut self.known[place(key)];
                if answered.bars.contains(&key) {
                    new += u64::from(*state != Some(Known::Bar));
                    *state = Some(Known::Bar);
                } else if answered.vouched.contains(&key) && state.is_none() {
                    *state = Some(Known::Empty(Proof::Answered));
                }
            }
            new
        }
    }

    #[derive(Clone, Debug)]
    enum Step {
        Learn(Answered),
        Exclude(Range<Key>),
        Forget(Range<Key>),
    }

    fn spans() -> impl Strategy<Value = Range<Key>> {
        (0..=SPACE, 0..=SPACE).prop_map(|(a, b)| a.min(b)..a.max(b))
    }

    fn steps() -> impl Strategy<Value = Step> {
        let answer = (spans(), prop::collection::vec(0..SPACE, 0..30), 0..=SPACE).prop_map(
            |(vouched, bars, final_before)| {
                Step::Learn(Answered {
                    vouched,
                    bars,
                    final_before,
                })
            },
        );
        prop_oneof![4 => answer, 1 => spans().prop_map(Step::Exclude), 1 => spans().prop_map(Step::Forget)]
    }

    proptest! {
        #[test]
        fn the_ranges_say_what_a_bitmap_says(
            steps in prop::collection::vec(steps(), 1..20), asked in spans(),
        ) {
            let mut coverage = Coverage::default();
            let mut bitmap = Bitmap::new();
            for step in steps {
                match step {
                    Step::Learn(answered) => {
                        let learned = coverage.learn(&answered);
                        prop_assert_eq!(learned.new, bitmap.learn(&answered));
                        for range in learned.vanished {
                            for key in range {
                                prop_assert_eq!(bitmap.known[place(key)], Some(Known::Bar));
                                prop_assert!(!answered.bars.contains(&key));
                                prop_assert!(answered.vouched.contains(&key));
                            }
                        }
                    }
                    Step::Exclude(span) => {
                        coverage.exclude(span.clone(), Proof::Closed);
                        for key in span.filter(|key| bitmap.mark.is_some_and(|mark| *key < mark)) {
                            bitmap.known[place(key)].get_or_insert(Known::Empty(Proof::Closed));
                        }
                    }
                    Step::Forget(span) => {
                        coverage.forget(span.clone());
                        for key in span {
                            bitmap.known[place(key)] = None;
                        }
                    }
                }
                for key in 0..SPACE {
                    prop_assert_eq!(coverage.of(key), bitmap.known[place(key)], "bar {}", key);
                }
                prop_assert_eq!(coverage.final_before(), bitmap.mark);
            }
            let unknown: Vec<Key> = asked.clone().filter(|key| bitmap.known[place(*key)].is_none()).collect();
            let gaps = coverage.gaps(&asked);
            prop_assert_eq!(gaps.iter().cloned().flatten().collect::<Vec<_>>(), unknown);
            prop_assert!(gaps.windows(2).all(|pair| pair[0].end < pair[1].start));
            let bars: Vec<Key> =
                asked.clone().filter(|key| bitmap.known[place(*key)] == Some(Known::Bar)).collect();
            prop_assert_eq!(coverage.held(&asked).into_iter().flatten().collect::<Vec<_>>(), bars);
        }
    }

    #[test]
    fn an_open_bar_is_asked_for_again() {
        let mut coverage = Coverage::default();
        coverage.learn(&Answered {
            vouched: 0..10,
            bars: (0..10).collect(),
            final_before: 9,
        });
        assert_eq!(coverage.gaps(&(0..10)).first(), Some(&(9..10)));
    }

    #[test]
    fn a_page_that_was_cut_short_proves_nothing_beyond_its_last_row() {
        let mut coverage = Coverage::default();
        coverage.learn(&Answered {
            vouched: 0..5,
            bars: vec![0, 1, 4],
            final_before: 100,
        });
        assert_eq!(coverage.of(2), Some(Known::Empty(Proof::Answered)));
        assert_eq!(coverage.gaps(&(0..10)).first(), Some(&(5..10)));
    }
}
