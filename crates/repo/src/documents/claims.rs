//! Statements in running text: counts, ports, licences, versions, variables, paths of one computer.

use std::sync::LazyLock;

use regex::Regex;

use super::What;

/// Compiles a pattern of this file; a test proves that each compiles.
fn compile(pattern: &str) -> Option<Regex> {
    Regex::new(pattern).ok()
}

static TESTS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    compile(
        r"(?i)\b(\d{1,3}(?:,\d{3})*|\d{1,6})\+?\s+(?:passing\s+|green\s+|unit\s+|automated\s+)?tests?\b(?:\s+pass(?:ed|ing)?)?",
    )
});
static PORT: LazyLock<Option<Regex>> =
    LazyLock::new(|| compile(r"(?i)\b(?:localhost|127\.0\.0\.1|0\.0\.0\.0):(\d{2,5})\b"));
static PYTHON: LazyLock<Option<Regex>> = LazyLock::new(|| {
    compile(
        r"(?i)\bpython[\s-]*(?:version\s*)?(>=|>|==|~=|v)?\s*([23])\.(\d{1,2})(?:\.\d+|\.x)?\s*(\+|or\s+(?:newer|later|higher|above|greater|up)|and\s+(?:newer|later|higher|above|up)|以上)?",
    )
});
static HOME: LazyLock<Option<Regex>> = LazyLock::new(|| {
    compile(
        r#"(?:[A-Za-z]:\\{1,2}Users\\{1,2}|[A-Za-z]:/Users/|/Users/|/home/)([A-Za-z0-9][A-Za-z0-9._-]{0,60})(?:[\\/][^\s"'`<>|,;)\]]*)?"#,
    )
});

/// Names of home folders that belong to no person: services, images, placeholders.
const NOBODY: &[&str] = &[
    "user",
    "users",
    "username",
    "user_name",
    "your-username",
    "your_username",
    "yourusername",
    "yourname",
    "your_name",
    "your-name",
    "youruser",
    "your_user",
    "your-user",
    "you",
    "me",
    "name",
    "desktop",
    "documents",
    "downloads",
    "public",
    "default",
    "shared",
    "myuser",
    "myname",
    "someone",
    "somebody",
    "john",
    "jane",
    "johndoe",
    "alice",
    "bob",
    "foo",
    "ubuntu",
    "ec2-user",
    "centos",
    "debian",
    "admin",
    "administrator",
    "pi",
    "runner",
    "vsts",
    "root",
    "app",
    "appuser",
    "app-user",
    "web",
    "www",
    "www-data",
    "vscode",
    "codespace",
    "gitpod",
    "circleci",
    "travis",
    "jenkins",
    "node",
    "jovyan",
    "airflow",
    "docker",
    "dev",
    "developer",
    "work",
    "test",
    "example",
    "public",
    "shared",
    "default",
    "all",
    "linuxbrew",
    "freqtrade",
    "ftuser",
    "trader",
    "tester",
    "steam",
    "git",
    "postgres",
    "nonroot",
    "xxx",
    "site",
    "bin",
    "repo",
    "project",
    "projects",
    "worker",
    "deploy",
    "builder",
    "python",
    "service",
    "home",
    "container",
    "hostedtoolcache",
    "opc",
    "azureuser",
    "coder",
    "conda",
    "bot",
    "botuser",
];

/// Licences by what people write.
const LICENSES: &[(&str, &[&str])] = &[
    ("AGPL-3.0", &["agpl", "affero general public"]),
    ("LGPL-3.0", &["lgpl", "lesser general public"]),
    (
        "GPL-3.0",
        &[
            "gpl-3",
            "gplv3",
            "gpl v3",
            "gpl-v3",
            "gpl 3",
            "general public license v3",
        ],
    ),
    ("GPL-2.0", &["gpl-2", "gplv2", "gpl v2"]),
    ("GPL", &["gnu general public", "gpl license", "gnu gpl"]),
    (
        "Apache-2.0",
        &["apache-2.0", "apache 2", "apache license", "apache-2"],
    ),
    ("BSD", &["bsd license", "bsd-3", "bsd-2", "bsd 3", "bsd 2"]),
    ("MPL-2.0", &["mpl-2", "mozilla public license"]),
    ("ISC", &["isc license"]),
    ("Unlicense", &["unlicense"]),
];

/// Appends what a line of running text claims; `is_license_section` where it stands under such a heading.
pub(super) fn of_line(line: &str, is_license_section: bool, found: &mut Vec<What>) {
    let line = line.get(..line.floor_char_boundary(2_000)).unwrap_or(line);
    if let Some(hit) = TESTS.as_ref().and_then(|pattern| pattern.captures(line)) {
        let digits = hit
            .get(1)
            .map_or("", |group| group.as_str())
            .replace(',', "");
        let end = hit.get(0).map_or(0, |group| group.end());
        // "10 test runs", "3 test files", "2 test cases for …" count other things.
        let next = line.get(end..).unwrap_or_default().trim_start();
        let next = next
            .split(|letter: char| !letter.is_alphanumeric())
            .next()
            .unwrap_or_default();
        let is_other = hit.get(0).is_some_and(|group| {
            let lower = group.as_str().to_ascii_lowercase();
            lower.ends_with("test") && !matches!(next, "" | "pass")
        }) || matches!(
            next,
            "files" | "suites" | "runs" | "failed" | "fail" | "per"
        );
        if let Ok(number) = digits.parse()
            && number > 1
            && !is_other
        {
            found.push(What::Tests(number));
        }
    }
    ports(line, found);
    if let Some(hit) = PYTHON.as_ref().and_then(|pattern| pattern.captures(line))
        && let (Some(major), Some(minor)) = (number(&hit, 2), number(&hit, 3))
    {
        let sign = hit.get(1).map_or("", |group| group.as_str());
        let lower = line.to_ascii_lowercase();
        let or_newer = matches!(sign, ">=" | ">")
            || hit.get(4).is_some()
            || lower.contains("at least")
            || lower.contains("minimum");
        found.push(What::Python {
            major,
            minor,
            or_newer,
        });
    }
    license(line, is_license_section, found);
    homes(line, found);
}

fn number(hit: &regex::Captures<'_>, group: usize) -> Option<u8> {
    hit.get(group)?.as_str().parse().ok()
}

/// Appends ports of this computer.
pub(super) fn ports(line: &str, found: &mut Vec<What>) {
    for hit in PORT.iter().flat_map(|pattern| pattern.captures_iter(line)) {
        if let Some(port) = hit.get(1).and_then(|group| group.as_str().parse().ok())
            && !found.contains(&What::Port(port))
        {
            found.push(What::Port(port));
        }
    }
}

fn license(line: &str, is_license_section: bool, found: &mut Vec<What>) {
    let lower = line.to_ascii_lowercase();
    let talks = lower.contains("licen") || lower.contains("copying");
    if !talks && !is_license_section {
        return;
    }
    // "MIT" alone is also a university and three letters of other words.
    let has_mit = line
        .split(|letter: char| !letter.is_alphanumeric())
        .any(|word| word == "MIT");
    let named = LICENSES
        .iter()
        .find(|(_, words)| words.iter().any(|word| lower.contains(word)))
        .map(|(name, _)| *name)
        .or(has_mit.then_some("MIT"));
    let is_claim = lower.contains("licensed")
        || lower.contains("license:")
        || lower.contains("under the")
        || lower.contains("released under")
        || lower.contains("see the license")
        || lower.contains("see license")
        || lower.contains("badge/license")
        || is_license_section;
    if is_claim
        && (named.is_some() || lower.contains("see license") || lower.contains("license file"))
    {
        found.push(What::License(named));
    }
}

/// Appends paths of one computer.
pub(super) fn homes(line: &str, found: &mut Vec<What>) {
    for path in home_paths(line) {
        found.push(What::Home(path.into()));
    }
}

/// Returns the paths of one person's computer in a line of any text.
pub fn home_paths(line: &str) -> impl Iterator<Item = &str> {
    HOME.iter()
        .flat_map(move |pattern| pattern.captures_iter(line))
        .filter_map(move |hit| {
            let (all, who) = (hit.get(0)?, hit.get(1)?);
            let before = line.get(..all.start()).unwrap_or_default();
            // "https://site.invalid/home/page" and "./home/x" are no paths of a computer.
            let is_inside = before.ends_with(|letter: char| {
                letter.is_alphanumeric()
                    || matches!(letter, '.' | '_' | '-' | '}' | '~' | '*' | '$')
            });
            let is_drive = all.as_str().as_bytes().get(1) == Some(&b':');
            let name = who.as_str().to_ascii_lowercase();
            let is_nobody = NOBODY.contains(&name.as_str())
                || name.starts_with("your")
                || name.contains("user")
                || name.contains("example");
            (!is_nobody && (!is_inside || is_drive)).then(|| all.as_str())
        })
}

/// Says whether a text is the name of an environment variable: capitals with at least one `_`.
pub(super) fn is_variable(text: &str) -> bool {
    (4..=64).contains(&text.len())
        && text.starts_with(|first: char| first.is_ascii_uppercase())
        && text.contains('_')
        && !text.ends_with('_')
        && text
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> Vec<What> {
        let mut found = Vec::new();
        of_line(line, false, &mut found);
        found
    }

    #[test]
    fn every_pattern_compiles() {
        assert!(TESTS.is_some() && PORT.is_some() && PYTHON.is_some() && HOME.is_some());
    }

    #[test]
    fn counts_of_tests_are_claims_and_other_counts_are_not() {
        assert_eq!(of("64 tests, no network"), [What::Tests(64)]);
        assert_eq!(of("1,204 unit tests pass"), [What::Tests(1204)]);
        assert!(of("10 test files, 3 test runs per day").is_empty());
    }

    #[test]
    fn versions_ports_and_licences_are_claims() {
        assert_eq!(
            of("Python 3.10 or newer"),
            [What::Python {
                major: 3,
                minor: 10,
                or_newer: true
            }]
        );
        assert_eq!(of("open http://localhost:8080/x"), [What::Port(8080)]);
        assert_eq!(
            of("Licensed under the MIT license."),
            [What::License(Some("MIT"))]
        );
        assert!(of("The optimum is LIMITED").is_empty());
    }

    #[test]
    fn the_home_of_a_person_is_a_path_of_one_computer() {
        assert_eq!(
            of(r"cd C:\Users\marco\projects\x"),
            [What::Home(r"C:\Users\marco\projects\x".into())]
        );
        for line in [
            "/home/user/bot",
            "https://a.invalid/home/marco/x",
            "/home/<you>/x",
            "~/x",
            "/home/ubuntu/a",
        ] {
            assert!(of(line).is_empty(), "{line}");
        }
    }
}
