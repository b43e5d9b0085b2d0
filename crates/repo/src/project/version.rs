//! Versions of Python packages and the conditions put on them (PEP 440), as far as audits compare them.
//!
//! Why our own: only order, "does this version fit" and "can both conditions hold at once" are asked, of text
//! that is often wrong; what cannot be read is `None`, never an error. Not here: which versions exist.

use std::cmp::Ordering;
use std::fmt;

/// Longest text read as a version or condition.
const MAX_TEXT: usize = 300;

/// One version.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Version {
    epoch: u64,
    // Invariant: not empty.
    release: Vec<u64>,
    /// 0 alpha, 1 beta, 2 candidate, and its number.
    pre: Option<(u8, u64)>,
    post: Option<u64>,
    dev: Option<u64>,
}

impl Version {
    /// Reads a version such as `1.21.6`, `v2.0rc1` or `1!3.0.post2`; a local part (`+cpu`) is left out, so that
    /// builds of one version are one version here.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.len() > MAX_TEXT || !text.is_ascii() {
            return None;
        }
        let text = text.to_ascii_lowercase();
        let text = text.strip_prefix('v').unwrap_or(&text);
        let text = match text.split_once('+') {
            Some((_, local)) if !is_local(local) => return None,
            Some((public, _)) => public,
            None => text,
        };
        let (epoch, text) = match text.split_once('!') {
            Some((epoch, rest)) => (epoch.parse().ok()?, rest),
            None => (0, text),
        };
        let mut rest = text;
        let mut release = Vec::new();
        loop {
            let (number, after) = digits(rest)?;
            release.push(number);
            rest = after;
            match rest.strip_prefix('.') {
                Some(next) if next.starts_with(|c: char| c.is_ascii_digit()) => rest = next,
                _ => break,
            }
        }
        let mut version = Self {
            epoch,
            release,
            pre: None,
            post: None,
            dev: None,
        };
        version.read_suffixes(rest)?;
        Some(version)
    }

    /// Reads what stands behind the numbers, in the one sequence that the rule book has: pre-release, post-release,
    /// development.
    fn read_suffixes(&mut self, text: &str) -> Option<()> {
        let mut rest = text;
        if let Some((kind, number, after)) = suffix(rest, PRE) {
            self.pre = Some((*kind, number));
            rest = after;
        }
        if let Some((number, after)) = rest.strip_prefix('-').and_then(digits) {
            self.post = Some(number);
            rest = after;
        } else if let Some((_, number, after)) = suffix(rest, POST) {
            self.post = Some(number);
            rest = after;
        }
        if let Some((_, number, after)) = suffix(rest, DEV) {
            self.dev = Some(number);
            rest = after;
        }
        rest.is_empty().then_some(())
    }

    /// Makes a version of numbers only.
    pub fn of(release: &[u64]) -> Self {
        let release = if release.is_empty() {
            vec![0]
        } else {
            release.to_vec()
        };
        Self {
            epoch: 0,
            release,
            pre: None,
            post: None,
            dev: None,
        }
    }

    /// The version before all others: `0.dev0`.
    fn first() -> Self {
        Self {
            dev: Some(0),
            ..Self::of(&[0])
        }
    }

    /// Returns the numbers between dots.
    pub fn release(&self) -> &[u64] {
        &self.release
    }

    /// Says whether it is an alpha, beta, candidate or development version.
    pub fn is_prerelease(&self) -> bool {
        self.pre.is_some() || self.dev.is_some()
    }

    /// Says whether two versions have the same numbers: `1.2rc1` and `1.2.0.post1`.
    fn is_of(&self, other: &Self) -> bool {
        let length = self.release.len().max(other.release.len());
        self.epoch == other.epoch && self.prefix(length) == other.prefix(length)
    }

    /// Returns the first `count` numbers, zeros where there are fewer.
    fn prefix(&self, count: usize) -> Vec<u64> {
        (0..count)
            .map(|at| self.release.get(at).copied().unwrap_or(0))
            .collect()
    }

    /// The final release of its numbers: 1.2 of 1.2rc1.
    fn without_suffixes(&self) -> Self {
        Self {
            epoch: self.epoch,
            ..Self::of(&self.release)
        }
    }

    /// The first version of the next prefix: 1.3 after 1.2.
    fn next_prefix(&self, count: usize) -> Self {
        let mut release = self.prefix(count.max(1));
        if let Some(last) = release.last_mut() {
            *last = last.saturating_add(1);
        }
        Self {
            epoch: self.epoch,
            ..Self::of(&release)
        }
    }

    /// Some version right above it that is no later prefix of anything people write.
    fn just_above(&self) -> Self {
        let mut release = self.prefix(self.release.len().max(4));
        release.push(1);
        Self {
            epoch: self.epoch,
            ..Self::of(&release)
        }
    }

    fn key(&self) -> (u64, i8, u64, i64, u64) {
        // Sorts dev < alpha < beta < candidate < final < post, as PEP 440 does.
        let (kind, number) = match (self.pre, self.dev) {
            (Some((kind, number)), _) => (i8::try_from(kind).unwrap_or(0), number),
            (None, Some(_)) if self.post.is_none() => (-1, 0),
            (None, _) => (3, 0),
        };
        let post = self
            .post
            .map_or(-1, |post| i64::try_from(post).unwrap_or(i64::MAX));
        (self.epoch, kind, number, post, self.dev.unwrap_or(u64::MAX))
    }
}

/// Words for pre-releases with their kind, the longer before those that they begin with.
const PRE: &[(&str, u8)] = &[
    ("alpha", 0),
    ("a", 0),
    ("beta", 1),
    ("b", 1),
    ("preview", 2),
    ("pre", 2),
    ("c", 2),
    ("rc", 2),
];
const POST: &[(&str, u8)] = &[("post", 0), ("rev", 0), ("r", 0)];
const DEV: &[(&str, u8)] = &[("dev", 0)];

/// Reads one of the words and its number, 0 where there is none: `.rc1`, `-post.2`, `dev`.
fn suffix<'t, 'w>(text: &'t str, words: &'w [(&str, u8)]) -> Option<(&'w u8, u64, &'t str)> {
    let rest = text.strip_prefix(['.', '-', '_']).unwrap_or(text);
    let (kind, after) = words
        .iter()
        .find_map(|(word, kind)| Some((kind, rest.strip_prefix(word)?)))?;
    let after = after.strip_prefix(['.', '-', '_']).unwrap_or(after);
    let (number, after) = digits(after).unwrap_or((0, after));
    Some((kind, number, after))
}

/// Says whether a local part is one: `cu118`, `ubuntu.1`.
fn is_local(text: &str) -> bool {
    text.split(['.', '-', '_'])
        .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

fn digits(text: &str) -> Option<(u64, &str)> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let number = text.get(..end)?.parse().ok()?;
    Some((number, text.get(end..)?))
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        let length = self.release.len().max(other.release.len());
        let (mine, theirs) = (self.key(), other.key());
        mine.0
            .cmp(&theirs.0)
            .then_with(|| self.prefix(length).cmp(&other.prefix(length)))
            .then_with(|| mine.cmp(&theirs))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.epoch > 0 {
            write!(f, "{}!", self.epoch)?;
        }
        let numbers: Vec<String> = self.release.iter().map(u64::to_string).collect();
        f.write_str(&numbers.join("."))?;
        if let Some((kind, number)) = self.pre {
            let letters = ["a", "b", "rc"].get(usize::from(kind)).unwrap_or(&"rc");
            write!(f, "{letters}{number}")?;
        }
        if let Some(number) = self.post {
            write!(f, ".post{number}")?;
        }
        if let Some(number) = self.dev {
            write!(f, ".dev{number}")?;
        }
        Ok(())
    }
}

/// How a condition compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `==`, and `===`.
    Equal,
    /// `== 1.2.*`.
    Prefix,
    /// `!=`.
    NotEqual,
    /// `!= 1.2.*`.
    NotPrefix,
    /// `<`.
    Less,
    /// `<=`.
    LessOrEqual,
    /// `>`.
    Greater,
    /// `>=`.
    GreaterOrEqual,
    /// `~=`.
    Compatible,
}

/// One condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Specifier {
    /// How it compares.
    pub operator: Operator,
    /// With what.
    pub version: Version,
}

impl Specifier {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (operator, rest) = [
            ("===", Operator::Equal),
            ("==", Operator::Equal),
            ("~=", Operator::Compatible),
            ("!=", Operator::NotEqual),
            ("<=", Operator::LessOrEqual),
            (">=", Operator::GreaterOrEqual),
            ("<", Operator::Less),
            (">", Operator::Greater),
        ]
        .into_iter()
        .find_map(|(sign, operator)| Some((operator, text.strip_prefix(sign)?)))?;
        let rest = rest.trim();
        let is_equality = matches!(operator, Operator::Equal | Operator::NotEqual);
        if rest.contains('+') && !is_equality {
            return None;
        }
        let (operator, rest) = match (rest.strip_suffix(".*"), operator) {
            (Some(prefix), Operator::Equal) => (Operator::Prefix, prefix),
            (Some(prefix), Operator::NotEqual) => (Operator::NotPrefix, prefix),
            // `>=3.8.*` is refused by today's tools and still written; its meaning is plain.
            (Some(prefix), other) => (other, prefix),
            (None, other) => (other, rest),
        };
        let version = Version::parse(rest)?;
        let is_prefix = matches!(operator, Operator::Prefix | Operator::NotPrefix);
        let is_plain = version.pre.is_none() && version.post.is_none() && version.dev.is_none();
        let is_short = operator == Operator::Compatible && version.release.len() < 2;
        if is_short || is_prefix && (!is_plain || rest.contains('+')) {
            return None;
        }
        Some(Self { operator, version })
    }

    fn allows(&self, version: &Version) -> bool {
        let length = self.version.release.len();
        let has_prefix = || {
            version.epoch == self.version.epoch
                && version.prefix(length) == self.version.prefix(length)
        };
        match self.operator {
            Operator::Equal => version == &self.version || version.cmp(&self.version).is_eq(),
            Operator::Prefix => has_prefix(),
            Operator::NotEqual => !version.cmp(&self.version).is_eq(),
            Operator::NotPrefix => !has_prefix(),
            Operator::Less => {
                version < &self.version
                    && (self.version.is_prerelease()
                        || !version.is_prerelease()
                        || self.version.post.is_some() && version.post != self.version.post
                        || !version.is_of(&self.version))
            }
            Operator::LessOrEqual => version <= &self.version,
            // `>1.2` does not mean 1.2.post1, unless it speaks of one itself.
            Operator::Greater => {
                let is_its_post = version.post.is_some()
                    && version.pre == self.version.pre
                    && version.is_of(&self.version);
                version > &self.version && (self.version.post.is_some() || !is_its_post)
            }
            Operator::GreaterOrEqual => version >= &self.version,
            Operator::Compatible => {
                version >= &self.version
                    && version.epoch == self.version.epoch
                    && version.prefix(length.saturating_sub(1))
                        == self.version.prefix(length.saturating_sub(1))
            }
        }
    }
}

/// Conditions that must hold together; none allows everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Specifiers(pub Vec<Specifier>);

impl Specifiers {
    /// Reads `>=1.2,<2`; the empty text and `*` are no condition.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.len() > MAX_TEXT {
            return None;
        }
        if text.is_empty() || text == "*" {
            return Some(Self::default());
        }
        let parts = text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty() && *part != "*");
        parts
            .map(Specifier::parse)
            .collect::<Option<Vec<_>>>()
            .map(Self)
    }

    /// Reads Poetry's writing: `^1.2`, `~1.2`, `1.2.*`, a bare version, and all of [`Self::parse`].
    pub fn parse_poetry(text: &str) -> Option<Self> {
        let mut all = Vec::new();
        for part in text
            .trim()
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
        {
            if let Some(rest) = part.strip_prefix('^') {
                let version = Version::parse(rest)?;
                let kept = version.release.iter().position(|number| *number > 0);
                let next = version.next_prefix(kept.map_or(version.release.len(), |at| at + 1));
                all.push(Specifier {
                    operator: Operator::GreaterOrEqual,
                    version,
                });
                all.push(Specifier {
                    operator: Operator::Less,
                    version: next,
                });
            } else if let Some(rest) = part.strip_prefix('~').filter(|rest| !rest.starts_with('='))
            {
                let version = Version::parse(rest)?;
                let next = version.next_prefix(version.release.len().min(2));
                all.push(Specifier {
                    operator: Operator::GreaterOrEqual,
                    version,
                });
                all.push(Specifier {
                    operator: Operator::Less,
                    version: next,
                });
            } else if part.starts_with(|c: char| c.is_ascii_digit()) {
                all.extend(Self::parse(&format!("=={part}"))?.0);
            } else {
                all.extend(Self::parse(part)?.0);
            }
        }
        Some(Self(all))
    }

    /// Says whether a version fits all conditions.
    pub fn allows(&self, version: &Version) -> bool {
        self.0.iter().all(|specifier| specifier.allows(version))
    }

    /// Returns the one version that fits, where a condition says `==`.
    pub fn exact(&self) -> Option<&Version> {
        self.0
            .iter()
            .find(|specifier| specifier.operator == Operator::Equal)
            .map(|specifier| &specifier.version)
    }

    /// Says whether some version fits both. Every set of allowed versions begins at a version that is
    /// written, right above one, or at the next prefix of one: those are tried.
    pub fn fits_with(&self, other: &Self) -> bool {
        let all = || self.0.iter().chain(&other.0);
        let tries = all().flat_map(|specifier| {
            let version = &specifier.version;
            let length = version.release.len();
            [
                version.clone(),
                version.without_suffixes(),
                version.just_above(),
                version.next_prefix(length),
            ]
        });
        tries
            .chain([Version::of(&[0]), Version::first()])
            .any(|version| all().all(|specifier| specifier.allows(&version)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        Version::parse(text).unwrap()
    }

    #[test]
    fn versions_sort_as_the_rule_book_says() {
        let sorted = [
            "1.0.dev1",
            "1.0a1.dev1",
            "1.0a1",
            "1.0b2",
            "1.0rc1",
            "1.0",
            "1.0.post1",
            "1.1",
            "1.10",
            "2",
            "1!0.1",
        ];
        for pair in sorted.windows(2) {
            assert!(version(pair[0]) < version(pair[1]), "{pair:?}");
        }
        assert!(version("1.0").cmp(&version("1")).is_eq());
        assert_eq!(Version::parse("latest"), None);
        assert_eq!(Version::parse(""), None);
        assert_eq!(Version::parse("1.x"), None);
        for (glued, plain) in [
            ("1.0postdev2", "1.0.post0.dev2"),
            ("1.0rcpost1", "1.0rc0.post1"),
        ] {
            assert_eq!(version(glued).to_string(), version(plain).to_string());
        }
        for wrong in [
            "1.0.dev1.post1",
            "1.0..rc1",
            "1.0.post1a1",
            "1.0+",
            "1.0+cpu.",
        ] {
            assert_eq!(Version::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn conditions_allow_what_pip_allows() {
        for (text, yes, no) in [
            (">=1.2,<2", "1.9.9", "2.0rc1"),
            ("~=1.4.2", "1.4.9", "1.5"),
            ("~=1.4", "1.9", "2.0"),
            ("==1.21.*", "1.21.6", "1.22"),
            ("!=1.5", "1.5.1", "1.5.0"),
            (">=3.10", "3.10", "3.9"),
            (">1.7", "1.7.1", "1.7.0.post1"),
            (">1.7.post2", "1.7.post3", "1.7.post2"),
            ("<1.7", "1.6.post1", "1.7.0rc1"),
        ] {
            let conditions = Specifiers::parse(text).unwrap();
            assert!(conditions.allows(&version(yes)), "{text} {yes}");
            assert!(!conditions.allows(&version(no)), "{text} {no}");
        }
        for refused in ["~=1", "==1.0rc1.*", "<1.0+cpu"] {
            assert_eq!(Specifiers::parse(refused), None, "{refused}");
        }
        let poetry = |text| Specifiers::parse_poetry(text).unwrap();
        assert!(poetry("^1.2").allows(&version("1.9")) && !poetry("^1.2").allows(&version("2.0")));
        assert!(
            poetry("^0.2.3").allows(&version("0.2.9")) && !poetry("^0.2.3").allows(&version("0.3"))
        );
        assert!(
            poetry("~1.2.3").allows(&version("1.2.9")) && !poetry("~1.2.3").allows(&version("1.3"))
        );
        assert!(
            poetry("1.2.3").allows(&version("1.2.3")) && !poetry("1.2.3").allows(&version("1.2.4"))
        );
    }

    #[test]
    fn contradictions_are_seen_and_nothing_else() {
        for (one, two, fits) in [
            ("==1.21.6", ">=1.26", false),
            ("==1.26.4", ">=1.26", true),
            (">=1.2", "<1.2", false),
            (">=1.2", "<=1.2", true),
            (">1.2", "<1.3", true),
            ("~=1.4", ">=2", false),
            ("!=1.5", "==1.5", false),
            ("==1.5.*", "!=1.5.0", true),
            ("<2", "", true),
            ("!=1.2.*,>=1.2", "<1.3", false),
        ] {
            let (one, two) = (
                Specifiers::parse(one).unwrap(),
                Specifiers::parse(two).unwrap(),
            );
            assert_eq!(one.fits_with(&two), fits, "{one:?} {two:?}");
            assert_eq!(two.fits_with(&one), fits);
        }
    }

    /// The answers are those of the library that pip itself asks; `tests/pep440.py` made them.
    #[test]
    fn generated_versions_and_conditions_are_judged_as_pip_judges_them() {
        let mut count = 0;
        for line in include_str!("../../tests/pep440.tsv").lines() {
            let fields: Vec<&str> = line.split('\t').collect();
            let [question, one, other, answer] = fields[..] else {
                panic!("{line:?} has not four fields");
            };
            let versions = || Some((Version::parse(one)?, Version::parse(other)?));
            let found = match question {
                "order" => versions().map(|(one, other)| match one.cmp(&other) {
                    Ordering::Less => "<",
                    Ordering::Equal => "=",
                    Ordering::Greater => ">",
                }),
                "allows" => Specifiers::parse(one)
                    .zip(Version::parse(other))
                    .map(|(conditions, version)| yes(conditions.allows(&version))),
                _ => Specifiers::parse(one)
                    .zip(Specifiers::parse(other))
                    .map(|(one, other)| yes(one.fits_with(&other))),
            };
            assert_eq!(found.unwrap_or("?"), answer, "{line:?}");
            count += 1;
        }
        assert!(count > 1_000, "{count}");
    }

    fn yes(is_so: bool) -> &'static str {
        if is_so { "yes" } else { "no" }
    }
}
