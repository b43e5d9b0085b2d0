//! Which releases of the packages that bots use most run on which Python, and which numpy they need. As of 2026-11.
//!
//! A row holds from its release up to the next row of the package, and tells three facts of the index. *Python* is
//! what the release itself declares (`Requires-Python`): another one is refused by the installer. *Wheels* are the
//! Pythons that the index has built packages for, on Linux: another one must compile from source, which for
//! these packages takes a compiler and an hour, and seldom works. *numpy* is the declared condition.
//! Releases after the last known one, and Pythons newer than the table, are not judged.

use jiff::civil::{Date, date};
use tradewind_repo::project::version::{Specifiers, Version};

/// Minor versions of Python 3, and the day of their first release.
#[rustfmt::skip]
const PYTHON_RELEASES: &[(u64, Date)] = &[
    (11, date(2022, 10, 24)), (12, date(2023, 10, 2)), (13, date(2024, 10, 7)), (14, date(2025, 10, 7)), (15, date(2026, 10, 9)),
];
/// Days from one minor version of Python to the next; a day earlier, the newest known is still the newest.
const DAYS_BETWEEN_PYTHONS: i32 = 350;
/// The newest Python that the rows below were written for.
pub const NEWEST_KNOWN: u64 = 15;

/// Minor versions of Python 3, and the last day of their corrections.
#[rustfmt::skip]
const PYTHON_ENDS: &[(u64, Date)] = &[
    (4, date(2019, 3, 18)), (5, date(2020, 9, 30)), (6, date(2021, 12, 23)), (7, date(2023, 6, 27)), (8, date(2024, 10, 7)),
    (9, date(2025, 10, 31)), (10, date(2026, 10, 31)), (11, date(2027, 10, 31)),
];

/// Returns the last day of corrections of a minor version of Python 3; `None` where the table does not reach.
pub fn end_of_python(minor: u64) -> Option<Date> {
    let row = PYTHON_ENDS.iter().find(|(known, _)| *known == minor);
    row.map(|(_, end)| *end)
}

/// Returns the minor version that an image without a version had on a day; `None` where the table does not
/// reach, because a newer one must have come since.
pub fn newest_python(on: Date) -> Option<u64> {
    let (minor, since) = PYTHON_RELEASES.iter().rfind(|(_, since)| *since <= on)?;
    let is_last = *minor == NEWEST_KNOWN;
    let days = on.since(*since).ok()?.get_days();
    (!is_last || days < DAYS_BETWEEN_PYTHONS).then_some(*minor)
}

/// What a release runs on and needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Release {
    /// Package.
    pub package: &'static str,
    /// Minor versions of Python 3 with wheels: the oldest and the newest.
    pub wheels: (u64, u64),
    /// What it declares about Python; empty for nothing.
    python: &'static str,
    /// What it declares about numpy; empty for nothing.
    pub numpy: &'static str,
    /// Whether its wheels were compiled for numpy 1, and break on import under numpy 2.
    pub is_for_numpy_1: bool,
}

/// What comes of installing a release on a Python; best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Install {
    /// A wheel is there, or the table does not know.
    Works,
    /// No wheel is there; the source may still compile.
    FromSource,
    /// The release itself excludes the Python, or there is neither wheel nor source.
    Refused,
}

impl Release {
    /// Says what comes of installing it on Python 3.`minor`.
    pub fn on(&self, minor: u64) -> Install {
        let is_refused = Specifiers::parse(self.python)
            .zip(Specifiers::parse(&format!("==3.{minor}.*")))
            .is_some_and(|(declared, python)| !declared.fits_with(&python));
        let (oldest, newest) = self.wheels;
        let has_wheel = (oldest..=newest).contains(&minor);
        if is_refused {
            Install::Refused
        } else if has_wheel || minor > NEWEST_KNOWN {
            Install::Works
        } else if WITHOUT_SOURCE.contains(&self.package) {
            Install::Refused
        } else {
            Install::FromSource
        }
    }

    /// Says in words what it was made for.
    pub fn words(&self, install: Install) -> String {
        let (oldest, newest) = self.wheels;
        match install {
            Install::Refused if !WITHOUT_SOURCE.contains(&self.package) => {
                format!("asks for Python {}", self.python)
            }
            Install::Refused => {
                format!("exists for Python 3.{oldest} to 3.{newest} only")
            }
            Install::FromSource | Install::Works => {
                format!("is built for Python 3.{oldest} to 3.{newest}")
            }
        }
    }
}

/// Packages of which the index has wheels only.
const WITHOUT_SOURCE: &[&str] = &["tensorflow", "torch"];

/// The first release whose wheels work under numpy 2.
#[rustfmt::skip]
const FIRST_FOR_NUMPY_2: &[(&str, &[u64])] = &[
    ("matplotlib", &[3, 8, 4]), ("numba", &[0, 60]), ("pandas", &[2, 2, 2]), ("pyarrow", &[16, 0]), ("scikit-learn", &[1, 4, 2]),
    ("scipy", &[1, 13]), ("statsmodels", &[0, 14, 2]), ("tensorflow", &[2, 18]),
];

/// Package, first release, oldest and newest Python with a wheel, declared Python, declared numpy.
type Row = (
    &'static str,
    &'static [u64],
    u64,
    u64,
    &'static str,
    &'static str,
);

/// Sorted by package and release. The last row of a package is a bound: it and what follows is not judged.
#[rustfmt::skip]
const ROWS: &[Row] = &[
    ("matplotlib", &[3, 3], 6, 8, ">=3.6", ">=1.15"), ("matplotlib", &[3, 3, 3], 6, 9, ">=3.6", ">=1.15"),
    ("matplotlib", &[3, 4], 7, 9, ">=3.7", ">=1.16"), ("matplotlib", &[3, 5], 7, 10, ">=3.7", ">=1.17"),
    ("matplotlib", &[3, 6], 8, 11, ">=3.8", ">=1.19"), ("matplotlib", &[3, 7], 8, 11, ">=3.8", ">=1.20"),
    ("matplotlib", &[3, 7, 3], 8, 12, ">=3.8", ">=1.20"), ("matplotlib", &[3, 8], 9, 12, ">=3.9", ">=1.21,<2"),
    ("matplotlib", &[3, 8, 4], 9, 12, ">=3.9", ">=1.21"), ("matplotlib", &[3, 9], 9, 12, ">=3.9", ">=1.23"),
    ("matplotlib", &[3, 9, 2], 9, 13, ">=3.9", ">=1.23"), ("matplotlib", &[3, 10], 10, 13, ">=3.10", ">=1.23"),
    ("matplotlib", &[3, 10, 5], 10, 14, ">=3.10", ">=1.23"), ("matplotlib", &[3, 11], 11, 14, ">=3.11", ""),
    ("matplotlib", &[3, 11, 2], 11, 15, ">=3.11", ""), ("matplotlib", &[3, 12], 0, 0, "", ""),
    ("numba", &[0, 53], 6, 9, ">=3.6,<3.10", ">=1.15"), ("numba", &[0, 54], 7, 9, ">=3.7,<3.10", ">=1.17,<1.21"),
    ("numba", &[0, 55], 7, 10, ">=3.7,<3.11", ">=1.18,<1.22"), ("numba", &[0, 55, 2], 7, 10, ">=3.7,<3.11", ">=1.18,<1.23"),
    ("numba", &[0, 56], 7, 10, ">=3.7", ">=1.18,<1.23"), ("numba", &[0, 56, 2], 7, 10, ">=3.7", ">=1.18,<1.24"),
    ("numba", &[0, 57], 8, 11, ">=3.8", ">=1.21,<1.25"), ("numba", &[0, 58], 8, 11, ">=3.8", ">=1.21,<1.26"),
    ("numba", &[0, 58, 1], 8, 11, ">=3.8", ">=1.22,<1.27"), ("numba", &[0, 59], 9, 12, ">=3.9", ">=1.22,<1.27"),
    ("numba", &[0, 60], 9, 12, ">=3.9", ">=1.22,<2.1"), ("numba", &[0, 61], 10, 13, ">=3.10", ">=1.24,<2.2"),
    ("numba", &[0, 61, 2], 10, 13, ">=3.10", ">=1.24,<2.3"), ("numba", &[0, 62], 10, 13, ">=3.10", ">=1.22,<2.4"),
    ("numba", &[0, 63], 10, 14, ">=3.10", ">=1.22,<2.4"), ("numba", &[0, 64], 10, 14, ">=3.10", ""), ("numba", &[0, 68], 10, 15, ">=3.10", ""),
    ("numba", &[0, 69], 0, 0, "", ""),
    ("numpy", &[1, 16], 5, 7, ">=2.7", ""), ("numpy", &[1, 17], 5, 7, ">=3.5", ""), ("numpy", &[1, 17, 3], 5, 8, ">=3.5", ""),
    ("numpy", &[1, 19], 6, 8, ">=3.6", ""), ("numpy", &[1, 19, 3], 6, 9, ">=3.6", ""), ("numpy", &[1, 20], 7, 9, ">=3.7", ""),
    ("numpy", &[1, 21, 2], 7, 10, ">=3.7,<3.11", ""), ("numpy", &[1, 22], 8, 10, ">=3.8", ""), ("numpy", &[1, 23, 2], 8, 11, ">=3.8", ""),
    ("numpy", &[1, 25], 9, 11, ">=3.9", ""), ("numpy", &[1, 26], 9, 12, ">=3.9,<3.13", ""), ("numpy", &[1, 26, 2], 9, 12, ">=3.9", ""),
    ("numpy", &[2, 1], 10, 13, ">=3.10", ""), ("numpy", &[2, 3], 11, 13, ">=3.11", ""), ("numpy", &[2, 3, 2], 11, 14, ">=3.11", ""),
    ("numpy", &[2, 5], 12, 14, ">=3.12", ""), ("numpy", &[2, 5, 2], 12, 15, ">=3.12", ""), ("numpy", &[2, 6], 0, 0, "", ""),
    ("pandas", &[1, 0], 6, 8, ">=3.6.1", ">=1.13.3"), ("pandas", &[1, 1], 6, 8, ">=3.6.1", ">=1.15.4"),
    ("pandas", &[1, 1, 3], 6, 9, ">=3.6.1", ">=1.15.4"), ("pandas", &[1, 2], 7, 9, ">=3.7.1", ">=1.16.5"),
    ("pandas", &[1, 3], 7, 9, ">=3.7.1", ">=1.17.3"), ("pandas", &[1, 3, 3], 7, 10, ">=3.7.1", ">=1.17.3"),
    ("pandas", &[1, 4], 8, 10, ">=3.8", ">=1.18.5"), ("pandas", &[1, 5], 8, 11, ">=3.8", ">=1.20.3"), ("pandas", &[2, 1], 9, 11, ">=3.9", ">=1.22.4"),
    ("pandas", &[2, 1, 1], 9, 12, ">=3.9", ">=1.22.4"), ("pandas", &[2, 1, 2], 9, 12, ">=3.9", ">=1.22.4,<2"),
    ("pandas", &[2, 2, 2], 9, 12, ">=3.9", ">=1.22.4"), ("pandas", &[2, 2, 3], 9, 13, ">=3.9", ">=1.22.4"),
    ("pandas", &[2, 3, 3], 9, 14, ">=3.9", ">=1.22.4"), ("pandas", &[3, 0], 11, 14, ">=3.11", ">=1.26"),
    ("pandas", &[3, 0, 6], 11, 15, ">=3.11", ">=1.26"), ("pandas", &[3, 2], 0, 0, "", ""),
    ("pyarrow", &[10, 0], 7, 10, ">=3.7", ">=1.16.6"), ("pyarrow", &[10, 0, 1], 7, 11, ">=3.7", ">=1.16.6"),
    ("pyarrow", &[13, 0], 8, 11, ">=3.8", ">=1.16.6"), ("pyarrow", &[14, 0], 8, 12, ">=3.8", ">=1.16.6"),
    ("pyarrow", &[15, 0], 8, 12, ">=3.8", ">=1.16.6,<2"), ("pyarrow", &[16, 0], 8, 12, ">=3.8", ">=1.16.6"),
    ("pyarrow", &[18, 0], 9, 13, ">=3.9", ""), ("pyarrow", &[22, 0], 10, 14, ">=3.10", ""), ("pyarrow", &[26, 0], 11, 15, ">=3.11", ""),
    ("pyarrow", &[27, 0], 0, 0, "", ""),
    ("scikit-learn", &[0, 22], 5, 8, ">=3.5", ">=1.11"), ("scikit-learn", &[0, 23], 6, 8, ">=3.6", ">=1.13.3"),
    ("scikit-learn", &[0, 24], 6, 9, ">=3.6", ">=1.13.3"), ("scikit-learn", &[1, 0], 7, 9, ">=3.7", ">=1.14.6"),
    ("scikit-learn", &[1, 0, 2], 7, 10, ">=3.7", ">=1.14.6"), ("scikit-learn", &[1, 1], 8, 10, ">=3.8", ">=1.17.3"),
    ("scikit-learn", &[1, 1, 3], 8, 11, ">=3.8", ">=1.17.3"), ("scikit-learn", &[1, 3, 1], 8, 12, ">=3.8", ">=1.17.3,<2"),
    ("scikit-learn", &[1, 4], 9, 12, ">=3.9", ">=1.19.5,<2"), ("scikit-learn", &[1, 4, 2], 9, 12, ">=3.9", ">=1.19.5"),
    ("scikit-learn", &[1, 5, 2], 9, 13, ">=3.9", ">=1.19.5"), ("scikit-learn", &[1, 7], 10, 13, ">=3.10", ">=1.22"),
    ("scikit-learn", &[1, 7, 2], 10, 14, ">=3.10", ">=1.22"), ("scikit-learn", &[1, 8], 11, 14, ">=3.11", ""),
    ("scikit-learn", &[1, 9, 1], 11, 15, ">=3.11", ""), ("scikit-learn", &[1, 10], 0, 0, "", ""),
    ("scipy", &[1, 4], 5, 8, ">=3.5", ">=1.13.3"), ("scipy", &[1, 5], 6, 8, ">=3.6", ">=1.14.5"), ("scipy", &[1, 5, 4], 6, 9, ">=3.6", ">=1.14.5"),
    ("scipy", &[1, 6], 7, 9, ">=3.7", ">=1.16.5"), ("scipy", &[1, 6, 2], 7, 9, ">=3.7,<3.10", ">=1.16.5"),
    ("scipy", &[1, 7], 7, 9, ">=3.7,<3.10", ">=1.16.5,<1.23"), ("scipy", &[1, 7, 2], 7, 10, ">=3.7,<3.11", ">=1.16.5,<1.23"),
    ("scipy", &[1, 8], 8, 10, ">=3.8,<3.11", ">=1.17.3,<1.25"), ("scipy", &[1, 9], 8, 10, ">=3.8,<3.12", ">=1.18.5,<1.25"),
    ("scipy", &[1, 9, 2], 8, 11, ">=3.8", ">=1.18.5,<1.26"), ("scipy", &[1, 10], 8, 11, ">=3.8,<3.12", ">=1.19.5,<1.27"),
    ("scipy", &[1, 11], 9, 11, ">=3.9,<3.13", ">=1.21.6,<1.28"), ("scipy", &[1, 11, 2], 9, 12, ">=3.9,<3.13", ">=1.21.6,<1.28"),
    ("scipy", &[1, 11, 4], 9, 12, ">=3.9", ">=1.21.6,<1.28"), ("scipy", &[1, 12], 9, 12, ">=3.9", ">=1.22.4,<1.29"),
    ("scipy", &[1, 13], 9, 12, ">=3.9", ">=1.22.4,<2.3"), ("scipy", &[1, 14], 10, 12, ">=3.10", ">=1.23.5,<2.3"),
    ("scipy", &[1, 14, 1], 10, 13, ">=3.10", ">=1.23.5,<2.3"), ("scipy", &[1, 15], 10, 13, ">=3.10", ">=1.23.5,<2.5"),
    ("scipy", &[1, 16], 11, 13, ">=3.11", ">=1.25.2,<2.6"), ("scipy", &[1, 16, 1], 11, 14, ">=3.11", ">=1.25.2,<2.6"),
    ("scipy", &[1, 17], 11, 14, ">=3.11", ""), ("scipy", &[1, 18], 12, 14, ">=3.12", ""), ("scipy", &[1, 18, 1], 12, 15, ">=3.12", ""),
    ("scipy", &[1, 19], 0, 0, "", ""),
    ("statsmodels", &[0, 12], 6, 8, ">=3.6", ">=1.15"), ("statsmodels", &[0, 12, 1], 6, 9, ">=3.6", ">=1.15"),
    ("statsmodels", &[0, 13], 7, 9, ">=3.7", ">=1.17"), ("statsmodels", &[0, 13, 1], 7, 10, ">=3.7", ">=1.17"),
    ("statsmodels", &[0, 13, 3], 7, 11, ">=3.7", ">=1.17"), ("statsmodels", &[0, 14], 8, 12, ">=3.8", ">=1.18"),
    ("statsmodels", &[0, 14, 2], 9, 12, ">=3.9", ">=1.22.3"), ("statsmodels", &[0, 14, 3], 9, 13, ">=3.9", ">=1.22.3"),
    ("statsmodels", &[0, 14, 5], 9, 14, ">=3.9", ">=1.22.3"), ("statsmodels", &[0, 15], 10, 15, ">=3.10", ""),
    ("statsmodels", &[0, 16], 0, 0, "", ""),
    ("tensorflow", &[1, 13, 1], 3, 7, "", ""), ("tensorflow", &[1, 15], 5, 7, "", ""),
    ("tensorflow", &[2, 0], 5, 7, "", ">=1.16,<2"), ("tensorflow", &[2, 2], 5, 8, "", ">=1.16,<2"), ("tensorflow", &[2, 3], 5, 8, "", ">=1.16,<1.19"),
    ("tensorflow", &[2, 4], 6, 8, "", ">=1.19.2,<1.20"), ("tensorflow", &[2, 5], 6, 9, "", ">=1.19.2,<1.20"),
    ("tensorflow", &[2, 7], 7, 9, "", ">=1.14.5"), ("tensorflow", &[2, 8], 7, 10, "", ">=1.20"), ("tensorflow", &[2, 9], 7, 10, ">=3.7", ">=1.20"),
    ("tensorflow", &[2, 11, 1], 8, 10, ">=3.7", ">=1.20"), ("tensorflow", &[2, 12], 8, 11, ">=3.8", ">=1.22,<1.24"),
    ("tensorflow", &[2, 13], 8, 11, ">=3.8", ">=1.22,<=1.24.3"), ("tensorflow", &[2, 14], 9, 11, ">=3.9", ">=1.23.5"),
    ("tensorflow", &[2, 16], 9, 11, ">=3.9", ">=1.23.5,<2"), ("tensorflow", &[2, 16, 1], 9, 12, ">=3.9", ">=1.23.5,<2"),
    ("tensorflow", &[2, 18], 9, 12, ">=3.9", ">=1.26,<2.1"), ("tensorflow", &[2, 19], 9, 12, ">=3.9", ">=1.26,<2.2"),
    ("tensorflow", &[2, 20], 9, 13, ">=3.9", ""), ("tensorflow", &[2, 21], 10, 13, ">=3.10", ""), ("tensorflow", &[2, 22], 0, 0, "", ""),
    ("torch", &[1, 4], 5, 8, ">=2.7", ""), ("torch", &[1, 6], 6, 8, ">=3.6.1", ""), ("torch", &[1, 7, 1], 6, 9, ">=3.6.2", ""),
    ("torch", &[1, 11], 7, 10, ">=3.7", ""), ("torch", &[1, 13], 7, 11, ">=3.7", ""), ("torch", &[2, 0], 8, 11, ">=3.8", ""),
    ("torch", &[2, 2], 8, 12, ">=3.8", ""), ("torch", &[2, 5], 9, 13, ">=3.8", ""), ("torch", &[2, 6], 9, 13, ">=3.9", ""),
    ("torch", &[2, 9], 10, 14, ">=3.10", ""), ("torch", &[2, 15], 11, 15, ">=3.11", ""), ("torch", &[2, 16], 0, 0, "", ""),
];

/// Returns what is known of a release; `None` where the table does not reach.
pub fn release(package: &str, version: &Version) -> Option<Release> {
    let row = ROWS
        .iter()
        .rfind(|(name, from, ..)| *name == package && *version >= Version::of(from))?;
    let (package, _, oldest, newest, python, numpy) = *row;
    let is_for_numpy_1 = FIRST_FOR_NUMPY_2
        .iter()
        .any(|(name, first)| *name == package && *version < Version::of(first));
    (newest > 0).then_some(Release {
        package,
        wheels: (oldest, newest),
        python,
        numpy,
        is_for_numpy_1,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(package: &str, version: &str) -> Option<Release> {
        release(package, &Version::parse(version).unwrap())
    }

    #[test]
    fn releases_are_found_and_the_table_ends() {
        assert_eq!(of("numpy", "1.21.6").map(|row| row.wheels), Some((7, 10)));
        assert_eq!(of("numpy", "1.21.1").map(|row| row.wheels), Some((7, 9)));
        assert_eq!(of("numpy", "1.24.4").map(|row| row.wheels.1), Some(11));
        assert_eq!(of("numpy", "2.9"), None);
        assert_eq!(of("numpy", "1.2"), None);
        assert_eq!(of("nothing", "1.2"), None);
        assert_eq!(of("pandas", "2.2.2").unwrap().numpy, ">=1.22.4");
        assert!(of("pandas", "1.5.3").unwrap().is_for_numpy_1);
        assert!(!of("pandas", "2.2.2").unwrap().is_for_numpy_1);
    }

    #[test]
    fn a_missing_wheel_is_less_than_a_refusal() {
        let on = |package, version, minor| of(package, version).unwrap().on(minor);
        assert_eq!(on("pandas", "2.1.0", 12), Install::FromSource);
        assert_eq!(on("pandas", "2.1.1", 12), Install::Works);
        assert_eq!(on("pandas", "2.1.1", 8), Install::Refused);
        assert_eq!(on("numpy", "1.21.6", 11), Install::Refused);
        assert_eq!(on("numpy", "1.21.1", 11), Install::FromSource);
        // The project publishes no source: what has no wheel cannot be installed.
        assert_eq!(on("torch", "1.7.1", 10), Install::Refused);
        assert_eq!(on("tensorflow", "2.0", 5), Install::Works);
        // Nobody knows what will be built for a Python that is still to come.
        assert_eq!(on("pandas", "2.3.3", NEWEST_KNOWN + 1), Install::Works);
    }

    #[test]
    fn the_newest_python_is_known_by_date_and_not_for_ever() {
        assert_eq!(newest_python(date(2026, 10, 1)), Some(14));
        assert_eq!(newest_python(date(2026, 11, 1)), Some(15));
        assert_eq!(newest_python(date(2027, 12, 1)), None);
        assert_eq!(newest_python(date(2020, 1, 1)), None);
    }

    #[test]
    fn rows_are_sorted_readable_and_end_in_a_bound() {
        for pair in ROWS.windows(2) {
            assert!(
                (pair[0].0, Version::of(pair[0].1)) < (pair[1].0, Version::of(pair[1].1)),
                "{pair:?}"
            );
            if pair[0].0 != pair[1].0 {
                assert_eq!(pair[0].3, 0, "{pair:?}");
            }
        }
        for row in ROWS {
            assert!(row.3 <= NEWEST_KNOWN, "{row:?}");
            assert!(
                Specifiers::parse(row.4).is_some() && Specifiers::parse(row.5).is_some(),
                "{row:?}"
            );
        }
    }
}
