//! Which calls fetch what is missing, for the fewest units.
//!
//! Why not one call for each gap: where a call costs the same for a row as for a thousand, two gaps that
//! fit into one call are cheaper together, although what lies between them is held already.
//! How: rows come in lots that cost the same; from the first bar that is missing on, a lot covers as much
//! as it can, then the next begins at the first bar that is still missing. No cover of points on a line
//! by stretches of one length has fewer of them. Lots that touch become one call.
//! Not here: whether there is quota for them (`quota`), how a call is written (`catalog`).

use std::ops::Range;

use crate::grid::Key;

/// What a call for a span of bars costs at a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tariff {
    /// Units for each begun lot.
    pub units: u64,
    /// Bars in a lot; at least 1. The most bars of a call where all calls cost the same.
    pub lot: u64,
    /// Most bars that one call returns; at least a lot.
    pub max_rows: u64,
}

/// One call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The bars that it asks for.
    pub span: Range<Key>,
    /// What it costs.
    pub units: u64,
}

impl Tariff {
    /// Returns the tariff of calls that all cost `units` and return at most `max_rows` bars.
    pub fn fixed(units: u64, max_rows: u64) -> Self {
        Self {
            units,
            lot: max_rows.max(1),
            max_rows: max_rows.max(1),
        }
    }

    /// Returns calls that cover `gaps` (in sequence, not touching) for the fewest units, in sequence.
    pub fn plan(&self, gaps: &[Range<Key>]) -> Vec<Call> {
        let lot = i64::try_from(self.lot.max(1)).unwrap_or(i64::MAX);
        let max_rows = i64::try_from(self.max_rows.max(self.lot)).unwrap_or(i64::MAX);
        let mut calls: Vec<Call> = Vec::new();
        // How far the last lot reaches, although it asks only up to the last bar that is missing.
        let mut reach = Key::MIN;
        for gap in gaps {
            let mut next = gap.start.max(reach.min(gap.end));
            if next > gap.start || reach > gap.start {
                // The beginning of this gap lies in the last lot.
                if let Some(last) = calls.last_mut() {
                    last.span.end = last.span.end.max(next);
                }
            }
            while next < gap.end {
                let lots_end = next.saturating_add(lot);
                let end = lots_end.min(gap.end);
                match calls.last_mut() {
                    // The lot before ended right here.
                    Some(last)
                        if last.span.end == next
                            && reach == next
                            && lots_end.saturating_sub(last.span.start) <= max_rows =>
                    {
                        last.span.end = end;
                        last.units = last.units.saturating_add(self.units);
                    }
                    Some(_) | None => calls.push(Call {
                        span: next..end,
                        units: self.units,
                    }),
                }
                reach = lots_end;
                next = end;
            }
        }
        calls
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The fewest units for covering the marked bars, by trying every way.
    fn fewest(missing: &[bool], tariff: &Tariff) -> u64 {
        let lot = usize::try_from(tariff.lot).unwrap();
        let mut best = vec![0_u64; missing.len() + 1];
        for from in (0..missing.len()).rev() {
            best[from] = if missing[from] {
                (1..=lot)
                    .map(|length| tariff.units + best[(from + length).min(missing.len())])
                    .min()
                    .unwrap()
            } else {
                best[from + 1]
            };
        }
        best[0]
    }

    fn ranges(missing: &[bool]) -> Vec<Range<Key>> {
        let mut ranges: Vec<Range<Key>> = Vec::new();
        for (key, is_missing) in (0..).zip(missing) {
            match ranges.last_mut() {
                Some(last) if *is_missing && last.end == key => last.end += 1,
                _ if *is_missing => ranges.push(key..key + 1),
                _ => {}
            }
        }
        ranges
    }

    proptest! {
        #[test]
        fn no_way_is_cheaper_and_everything_missing_is_asked_for(
            missing in prop::collection::vec(any::<bool>(), 0..40),
            lot in 1..8_u64, lots in 1..5_u64, units in 1..4_u64,
        ) {
            let tariff = Tariff { units, lot, max_rows: lot * lots };
            let calls = tariff.plan(&ranges(&missing));
            for (key, is_missing) in (0..).zip(&missing) {
                let covering = calls.iter().filter(|call| call.span.contains(&key)).count();
                prop_assert!(covering <= 1, "bar {key} is asked for twice: {calls:?}");
                prop_assert!(!is_missing || covering == 1, "bar {key} is not asked for: {calls:?}");
            }
            for call in &calls {
                let rows = u64::try_from(call.span.end - call.span.start).unwrap();
                prop_assert!(rows <= tariff.max_rows);
                prop_assert_eq!(call.units, rows.div_ceil(lot) * units);
                prop_assert!(missing[usize::try_from(call.span.start).unwrap()]);
                prop_assert!(missing[usize::try_from(call.span.end - 1).unwrap()]);
            }
            let spent: u64 = calls.iter().map(|call| call.units).sum();
            prop_assert_eq!(spent, fewest(&missing, &tariff));
        }
    }

    #[test]
    fn two_gaps_that_fit_into_one_call_are_one_call() {
        let calls = Tariff::fixed(2, 1_000).plan(&[0..10, 500..510, 5_000..5_001]);
        let spans: Vec<_> = calls.iter().map(|call| call.span.clone()).collect();
        assert_eq!(spans, [0..510, 5_000..5_001]);
        assert!(calls.iter().all(|call| call.units == 2));
    }

    #[test]
    fn a_long_gap_is_cut_by_the_most_rows_of_a_call() {
        let calls = Tariff {
            units: 1,
            lot: 100,
            max_rows: 300,
        }
        .plan(std::slice::from_ref(&(0..1_000)));
        let spans: Vec<_> = calls
            .iter()
            .map(|call| (call.span.clone(), call.units))
            .collect();
        assert_eq!(
            spans,
            [(0..300, 3), (300..600, 3), (600..900, 3), (900..1_000, 1)]
        );
    }
}
