//! The seam: whether what another provider says agrees with what is held of the first, before it answers instead.
//!
//! Why: that two series are equivalent is somebody's word. One adjusted for a split and one not, or one that
//! means another instrument by the same symbol, would make a step in a price that no market made, and a bot
//! trades on steps. Bars of both that cover the same time are compared; where there are none nothing is
//! known, and the word counts. Not here: who answers instead ([`crate::service`]).

use std::collections::BTreeMap;

use crate::grid::Grid;
use crate::rows::Rows;

/// Bars before and after the span that are looked at as well, so that there is something to compare.
pub(crate) const OVERLAP: i64 = 10;
/// Most by which the closes may lie apart in the median. Venues differ by cents; a split doubles, and an
/// adjustment for dividends grows to percents.
const MOST_APART: f64 = 0.01;
/// Column of the close.
const CLOSE: usize = 3;

/// Two series that do not agree.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Apart {
    /// Bars of both that cover the same time.
    pub bars: usize,
    /// How far the closes lie apart in the median, in percent of the first.
    pub percent: f64,
}

/// Compares bars of the same times; none when they agree, or when there is nothing to compare.
pub(crate) fn apart(first: (&Grid, &Rows), other: (&Grid, &Rows)) -> Option<Apart> {
    let closes = |(grid, rows): (&Grid, &Rows)| -> BTreeMap<_, f64> {
        let keys = rows.keys().iter().zip(rows.column(CLOSE));
        keys.filter_map(|(key, close)| Some((grid.start(*key)?, *close)))
            .collect()
    };
    let (first, other) = (closes(first), closes(other));
    let mut steps: Vec<f64> = first
        .iter()
        .filter_map(|(start, close)| Some((other.get(start)? / close - 1.0).abs()))
        .filter(|step| step.is_finite())
        .collect();
    steps.sort_unstable_by(f64::total_cmp);
    let median = *steps.get(steps.len() / 2)?;
    (median > MOST_APART).then_some(Apart {
        bars: steps.len(),
        percent: median * 100.0,
    })
}
