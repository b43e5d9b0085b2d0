//! Chance that anybody can ask again: a number that depends only on what it was asked about.
//!
//! Why no generator with a state: the five-thousandth day must be had without the days before it.
//! Not here: anything that is secret or must not be guessed.

/// A place in the tree of chances.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chance(u64);

/// The finisher of splitmix64: every bit of the input moves every bit of the output.
const fn mixed(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

impl Chance {
    /// Begins at `seed`.
    pub(crate) const fn of(seed: u64) -> Self {
        Self(mixed(seed ^ 0x9e37_79b9_7f4a_7c15))
    }

    /// Goes on to the branch named `name`.
    pub(crate) fn on(self, name: &str) -> Self {
        let folded = name.bytes().fold(self.0, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self(mixed(folded))
    }

    /// Goes on to the branch with the number `number`.
    pub(crate) const fn at(self, number: i64) -> Self {
        Self(mixed(self.0.wrapping_add(
            number.cast_unsigned().wrapping_mul(0x9e37_79b9_7f4a_7c15),
        )))
    }

    /// Returns a number in `0..bound`; 0 when `bound` is below 2.
    pub(crate) fn below(self, bound: i64) -> i64 {
        let bound = bound.max(1).unsigned_abs();
        (self.0 % bound).cast_signed()
    }

    /// Returns a number in `low..=high`; `low` when `high` is not above it.
    pub(crate) fn between(self, low: i64, high: i64) -> i64 {
        low + self.below(high - low + 1)
    }

    /// Returns 64 bits as they are.
    pub(crate) const fn bits(self) -> u64 {
        self.0
    }

    /// Returns a height in `-size..=size` that wanders: equal neighbours, independent far apart. Between
    /// two multiples of `period` it is a straight line.
    pub(crate) fn wander(self, at: i64, period: i64, size: i64) -> i64 {
        let cell = at.div_euclid(period);
        let height = |cell: i64| self.at(cell).between(-size, size);
        let (from, to) = (height(cell), height(cell + 1));
        from + (to - from) * at.rem_euclid(period) / period
    }
}

/// Divides `total` among `weights` so that the parts add up to it exactly.
pub(crate) fn divided(total: i64, weights: &[i64]) -> Vec<i64> {
    let sum = weights.iter().map(|w| i128::from(*w)).sum::<i128>().max(1);
    let mut passed = 0_i128;
    let upto = |passed: i128| i64::try_from(i128::from(total) * passed / sum).unwrap_or(0);
    weights
        .iter()
        .map(|weight| {
            let before = upto(passed);
            passed += i128::from(*weight);
            upto(passed) - before
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_add_up_and_nothing_goes_to_a_weight_of_zero() {
        let parts = divided(1_000_003, &[3, 0, 1, 7, 0, 11]);
        assert_eq!(parts.iter().sum::<i64>(), 1_000_003);
        assert_eq!((parts[1], parts[4]), (0, 0));
    }

    #[test]
    fn what_wanders_stays_within_its_size_and_makes_no_jumps() {
        let chance = Chance::of(1).on("x");
        let mut last = chance.wander(-5_000, 100, 1_000);
        for at in -4_999..5_000 {
            let height = chance.wander(at, 100, 1_000);
            assert!(height.abs() <= 1_000 && (height - last).abs() <= 21);
            last = height;
        }
    }
}
