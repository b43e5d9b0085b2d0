//! Actions and machines of GitHub that are past their end of life. As of 2026-11.
//!
//! *Refused* means that GitHub does not run it since that date. *Old* means that it was written for a Node
//! (12 or 16) that the machines no longer have; it runs by grace on a newer one, and its maker moved on.
//! Versions before the first that needs Node at all (they ran in a container) are not judged.
//! Machines: the dates that GitHub announced for their last day, as it moved them since.

use jiff::civil::{Date, date};

/// What is wrong with a version of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Does not run since that date.
    Refused(Date),
    /// Written for a Node that is gone; this major version is the oldest that is not.
    Old(u32),
}

impl State {
    /// Says it in words.
    pub fn words(self) -> String {
        match self {
            Self::Refused(since) => format!("refused since {since}"),
            Self::Old(major) => {
                format!("written for a Node that is gone; v{major} is the oldest that is not")
            }
        }
    }
}

/// Actions that ran in a container at first: name, and the first major version that is written for Node.
const FIRST_ON_NODE: &[(&str, u32)] = &[
    ("docker/build-push-action", 2),
    ("peaceiris/actions-gh-pages", 3),
    ("peter-evans/create-pull-request", 2),
    ("stefanzweifel/git-auto-commit-action", 4),
];

/// Name, and the oldest major version that is not past its end.
#[rustfmt::skip]
const OLDEST: &[(&str, u32)] = &[
    ("actions/cache", 4), ("actions/checkout", 4), ("actions/configure-pages", 4), ("actions/create-github-app-token", 1),
    ("actions/deploy-pages", 3), ("actions/download-artifact", 4), ("actions/first-interaction", 2),
    ("actions/github-script", 7), ("actions/labeler", 5), ("actions/setup-dotnet", 4), ("actions/setup-go", 5),
    ("actions/setup-java", 4), ("actions/setup-node", 4), ("actions/setup-python", 5), ("actions/stale", 9),
    ("actions/upload-artifact", 4), ("actions/upload-pages-artifact", 3), ("aws-actions/amazon-ecr-login", 2),
    ("aws-actions/configure-aws-credentials", 4), ("azure/login", 2), ("codecov/codecov-action", 4),
    ("conda-incubator/setup-miniconda", 3), ("docker/build-push-action", 5), ("docker/login-action", 3),
    ("docker/metadata-action", 5), ("docker/setup-buildx-action", 3), ("docker/setup-qemu-action", 3),
    ("dorny/paths-filter", 2), ("github/codeql-action/analyze", 3), ("github/codeql-action/autobuild", 3),
    ("github/codeql-action/init", 3), ("github/codeql-action/upload-sarif", 3),
    ("golangci/golangci-lint-action", 4), ("google-github-actions/auth", 2), ("google-github-actions/setup-gcloud", 2),
    ("hashicorp/setup-terraform", 3), ("peaceiris/actions-gh-pages", 4), ("peter-evans/create-pull-request", 6),
    ("softprops/action-gh-release", 2), ("stefanzweifel/git-auto-commit-action", 5),
];

/// Name, the last major version that is refused, and since when.
const REFUSED: &[(&str, u32, Date)] = &[
    ("actions/cache", 2, date(2025, 3, 1)),
    ("actions/download-artifact", 3, date(2025, 1, 30)),
    ("actions/upload-artifact", 3, date(2025, 1, 30)),
    ("github/codeql-action/analyze", 1, date(2023, 1, 18)),
    ("github/codeql-action/autobuild", 1, date(2023, 1, 18)),
    ("github/codeql-action/init", 1, date(2023, 1, 18)),
    ("github/codeql-action/upload-sarif", 1, date(2023, 1, 18)),
];

/// Labels of machines, and when they were or will be removed.
const RUNNERS: &[(&str, Date)] = &[
    ("macos-10.15", date(2022, 8, 30)),
    ("macos-11", date(2024, 6, 28)),
    ("macos-12", date(2024, 12, 3)),
    ("macos-13", date(2025, 12, 8)),
    ("macos-14", date(2026, 11, 2)),
    ("ubuntu-16.04", date(2021, 9, 20)),
    ("ubuntu-18.04", date(2023, 4, 3)),
    ("ubuntu-20.04", date(2025, 4, 15)),
    ("ubuntu-22.04", date(2027, 4, 17)),
    ("windows-2016", date(2022, 4, 1)),
    ("windows-2019", date(2025, 6, 30)),
];

/// Returns what is wrong with `name@version`; `None` where nothing is, or the version is no number.
pub fn action(name: &str, version: &str) -> Option<State> {
    let digits = version.strip_prefix('v').unwrap_or(version);
    let major: u32 = digits.split('.').next()?.parse().ok()?;
    let refused = REFUSED
        .iter()
        .find(|(known, last, _)| *known == name && major <= *last);
    if let Some((_, _, since)) = refused {
        return Some(State::Refused(*since));
    }
    let (_, oldest) = OLDEST.iter().find(|(known, _)| *known == name)?;
    let first = FIRST_ON_NODE.iter().find(|(known, _)| *known == name);
    let is_on_node = first.is_none_or(|(_, first)| major >= *first);
    (major < *oldest && is_on_node).then_some(State::Old(*oldest))
}

/// Returns when a machine was or will be removed; its larger sizes and other processors go with it.
pub fn runner(label: &str) -> Option<Date> {
    let label = ["-xlarge", "-large", "-arm"]
        .iter()
        .find_map(|suffix| label.strip_suffix(suffix))
        .unwrap_or(label);
    RUNNERS
        .iter()
        .find(|(known, _)| *known == label)
        .map(|(_, since)| *since)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_judged_by_their_major_number() {
        assert_eq!(action("actions/checkout", "v2"), Some(State::Old(4)));
        assert_eq!(action("actions/checkout", "v3.5.2"), Some(State::Old(4)));
        assert_eq!(action("actions/checkout", "v4"), None);
        assert_eq!(action("actions/checkout", "master"), None);
        assert!(matches!(
            action("actions/upload-artifact", "v3"),
            Some(State::Refused(_))
        ));
        assert_eq!(action("some/thing", "v1"), None);
        assert_eq!(action("docker/build-push-action", "v1"), None);
        assert_eq!(
            action("docker/build-push-action", "v2"),
            Some(State::Old(5))
        );
        assert_eq!(action("dorny/paths-filter", "v2"), None);
        assert_eq!(runner("macos-14-xlarge"), runner("macos-14"));
        assert!(runner("ubuntu-20.04").is_some() && runner("ubuntu-latest").is_none());
    }
}
