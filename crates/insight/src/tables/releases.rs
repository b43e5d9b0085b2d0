//! Which releases of the packages that bots use most run on which Python, and what else they need. As of 2026-11.
//!
//! A row holds from its release up to the next row of the package. "Runs on" means that the index has built
//! packages (wheels) for it; a newer Python must compile from source, which for these packages fails or takes an
//! hour and a compiler. Releases after the last known one are not judged.

use tradewind_repo::project::version::Version;

/// The newest Python that images without a version have.
pub const NEWEST_PYTHON: (u64, u64) = (3, 14);

/// What a release runs on and needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Release {
    /// Package.
    pub package: &'static str,
    /// First release of the row.
    pub from: (u64, u64),
    /// Oldest minor version of Python 3.
    pub oldest: u64,
    /// Newest minor version of Python 3.
    pub newest: u64,
    /// Package and condition that it needs; empty for none.
    pub needs: &'static [(&'static str, &'static str)],
}

type Row = (
    &'static str,
    (u64, u64),
    u64,
    u64,
    &'static [(&'static str, &'static str)],
);

/// Sorted by package and release. The last row of a package is a bound: it and what follows is not judged.
#[rustfmt::skip]
const ROWS: &[Row] = &[
    ("matplotlib", (3, 3), 6, 9, &[("numpy", ">=1.15")]), ("matplotlib", (3, 4), 7, 9, &[("numpy", ">=1.16,<2")]), ("matplotlib", (3, 5), 7, 10, &[("numpy", ">=1.17,<2")]),
    ("matplotlib", (3, 6), 8, 11, &[("numpy", ">=1.19,<2")]), ("matplotlib", (3, 7), 8, 12, &[("numpy", ">=1.20")]), ("matplotlib", (3, 8), 9, 12, &[("numpy", ">=1.21")]), ("matplotlib", (3, 9), 9, 13, &[("numpy", ">=1.23")]), ("matplotlib", (3, 10), 0, 0, &[]),
    ("numba", (0, 53), 6, 9, &[("numpy", ">=1.15,<1.24")]), ("numba", (0, 55), 7, 10, &[("numpy", ">=1.18,<1.23")]), ("numba", (0, 56), 7, 10, &[("numpy", ">=1.18,<1.24")]), ("numba", (0, 57), 8, 11, &[("numpy", ">=1.21,<1.25")]),
    ("numba", (0, 58), 8, 11, &[("numpy", ">=1.22,<1.27")]), ("numba", (0, 59), 9, 12, &[("numpy", ">=1.22,<1.27")]), ("numba", (0, 60), 9, 12, &[("numpy", ">=1.22,<2.1")]), ("numba", (0, 61), 0, 0, &[]),
    ("numpy", (1, 17), 5, 8, &[]), ("numpy", (1, 19), 6, 9, &[]), ("numpy", (1, 20), 7, 9, &[]), ("numpy", (1, 21), 7, 10, &[]), ("numpy", (1, 22), 8, 10, &[]), ("numpy", (1, 23), 8, 11, &[]), ("numpy", (1, 25), 9, 11, &[]), ("numpy", (1, 26), 9, 12, &[]),
    ("numpy", (2, 0), 9, 12, &[]), ("numpy", (2, 1), 10, 13, &[]), ("numpy", (2, 3), 0, 0, &[]),
    ("pandas", (1, 0), 6, 8, &[("numpy", ">=1.13.3,<2")]), ("pandas", (1, 1), 6, 9, &[("numpy", ">=1.15.4,<2")]), ("pandas", (1, 2), 7, 9, &[("numpy", ">=1.16.5,<2")]), ("pandas", (1, 3), 7, 10, &[("numpy", ">=1.17.3,<2")]), ("pandas", (1, 4), 8, 10, &[("numpy", ">=1.18.5,<2")]),
    ("pandas", (1, 5), 8, 11, &[("numpy", ">=1.20.3,<2")]), ("pandas", (2, 0), 8, 11, &[("numpy", ">=1.20.3,<2")]), ("pandas", (2, 1), 9, 12, &[("numpy", ">=1.22.4,<2")]), ("pandas", (2, 2), 9, 13, &[("numpy", ">=1.22.4")]), ("pandas", (2, 3), 0, 0, &[]),
    ("pyarrow", (10, 0), 7, 11, &[("numpy", ">=1.16.6,<2")]), ("pyarrow", (12, 0), 7, 11, &[("numpy", ">=1.16.6,<2")]), ("pyarrow", (14, 0), 8, 12, &[("numpy", ">=1.16.6,<2")]), ("pyarrow", (16, 0), 0, 0, &[]),
    ("scikit-learn", (0, 22), 5, 8, &[("numpy", ">=1.11,<2")]), ("scikit-learn", (0, 23), 6, 8, &[("numpy", ">=1.13.3,<2")]), ("scikit-learn", (0, 24), 6, 9, &[("numpy", ">=1.13.3,<2")]), ("scikit-learn", (1, 0), 7, 10, &[("numpy", ">=1.14.6,<2")]), ("scikit-learn", (1, 1), 8, 11, &[("numpy", ">=1.17.3,<2")]),
    ("scikit-learn", (1, 2), 8, 11, &[("numpy", ">=1.17.3,<2")]), ("scikit-learn", (1, 3), 8, 12, &[("numpy", ">=1.17.3,<2")]), ("scikit-learn", (1, 4), 9, 12, &[("numpy", ">=1.19.5")]), ("scikit-learn", (1, 5), 9, 13, &[("numpy", ">=1.19.5")]), ("scikit-learn", (1, 6), 0, 0, &[]),
    ("scipy", (1, 4), 5, 8, &[("numpy", ">=1.13.3,<2")]), ("scipy", (1, 5), 6, 9, &[("numpy", ">=1.14.5,<2")]), ("scipy", (1, 6), 7, 9, &[("numpy", ">=1.16.5,<2")]), ("scipy", (1, 7), 7, 10, &[("numpy", ">=1.16.5,<1.23")]), ("scipy", (1, 8), 8, 10, &[("numpy", ">=1.17.3,<1.25")]), ("scipy", (1, 9), 8, 11, &[("numpy", ">=1.18.5,<1.26")]),
    ("scipy", (1, 10), 8, 11, &[("numpy", ">=1.19.5,<1.27")]), ("scipy", (1, 11), 9, 12, &[("numpy", ">=1.21.6,<1.28")]), ("scipy", (1, 12), 9, 12, &[("numpy", ">=1.22.4,<1.29")]), ("scipy", (1, 13), 9, 12, &[("numpy", ">=1.22.4,<2.3")]), ("scipy", (1, 14), 10, 13, &[("numpy", ">=1.23.5,<2.3")]), ("scipy", (1, 15), 0, 0, &[]),
    ("statsmodels", (0, 12), 6, 9, &[("numpy", ">=1.15,<2")]), ("statsmodels", (0, 13), 7, 11, &[("numpy", ">=1.17,<2")]), ("statsmodels", (0, 14), 0, 0, &[]),
    ("tensorflow", (1, 14), 3, 7, &[]), ("tensorflow", (2, 0), 3, 7, &[]), ("tensorflow", (2, 2), 5, 8, &[("numpy", ">=1.16,<1.19")]), ("tensorflow", (2, 4), 6, 8, &[("numpy", ">=1.19.2,<1.20")]), ("tensorflow", (2, 5), 6, 9, &[("numpy", ">=1.19.2,<1.20")]), ("tensorflow", (2, 7), 7, 9, &[("numpy", ">=1.14.5,<2")]),
    ("tensorflow", (2, 8), 7, 10, &[("numpy", ">=1.20,<2")]), ("tensorflow", (2, 11), 7, 10, &[("numpy", ">=1.20,<2")]), ("tensorflow", (2, 12), 8, 11, &[("numpy", ">=1.22,<1.24")]), ("tensorflow", (2, 13), 8, 11, &[("numpy", ">=1.22,<=1.24.3")]), ("tensorflow", (2, 14), 9, 11, &[("numpy", ">=1.23.5,<2")]), ("tensorflow", (2, 16), 9, 12, &[("numpy", ">=1.23.5,<2")]),
    ("tensorflow", (2, 18), 9, 12, &[("numpy", ">=1.26,<2.1")]), ("tensorflow", (2, 19), 0, 0, &[]),
    ("torch", (1, 4), 5, 8, &[]), ("torch", (1, 7), 6, 9, &[]), ("torch", (1, 11), 7, 10, &[]), ("torch", (1, 13), 7, 11, &[]), ("torch", (2, 0), 8, 11, &[]), ("torch", (2, 2), 8, 12, &[]), ("torch", (2, 5), 9, 13, &[]), ("torch", (2, 6), 0, 0, &[]),
];

/// Returns what is known of a release; `None` where the table does not reach.
pub fn release(package: &str, version: &Version) -> Option<Release> {
    let row = ROWS
        .iter()
        .rfind(|(name, from, ..)| *name == package && *version >= Version::of(&[from.0, from.1]))?;
    let (package, from, oldest, newest, needs) = *row;
    (newest > 0).then_some(Release {
        package,
        from,
        oldest,
        newest,
        needs,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_found_and_the_table_ends() {
        let of = |package: &str, version: &str| release(package, &Version::parse(version).unwrap());
        assert_eq!(
            of("numpy", "1.21.6").map(|row| (row.oldest, row.newest)),
            Some((7, 10))
        );
        assert_eq!(of("numpy", "1.24.4").map(|row| row.newest), Some(11));
        assert_eq!(of("numpy", "2.9"), None);
        assert_eq!(of("numpy", "1.2"), None);
        assert_eq!(of("nothing", "1.2"), None);
        assert_eq!(of("pandas", "2.2.2").unwrap().needs[0].1, ">=1.22.4");
    }

    #[test]
    fn rows_are_sorted_and_end_in_a_bound() {
        for pair in ROWS.windows(2) {
            assert!((pair[0].0, pair[0].1) < (pair[1].0, pair[1].1), "{pair:?}");
            if pair[0].0 != pair[1].0 {
                assert_eq!(pair[0].3, 0, "{pair:?}");
            }
        }
    }
}
