//! `[checks.*]` in `tradewind.toml`: which checks there are, what they need and what they read.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Time that a check has unless told otherwise.
pub(crate) const TIME_LIMIT: Duration = Duration::from_mins(10);
/// Upper bound on it: a day.
const MAX_TIME_LIMIT: Duration = Duration::from_hours(24);
/// Checks of one repository.
const MAX_CHECKS: usize = 200;
/// Entries of one list.
const MAX_ENTRIES: usize = 1_000;
/// Letters of a name.
const MAX_NAME_BYTES: usize = 64;

/// `[checks.*]`: the checks by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct ChecksSection(pub BTreeMap<String, CheckSection>);

/// `[checks.<name>]`: one program that says whether a tree is good. It runs in a clean copy, from its root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckSection {
    /// What it is: `lint`, `unit` or `integration`.
    pub kind: Kind,
    /// The program and its arguments; no shell sees them. Programs of `.venv` and `node_modules` are found first.
    #[serde(default)]
    pub run: Option<Vec<String>>,
    /// A line for the shell, instead of `run`.
    #[serde(default)]
    pub shell: Option<String>,
    /// Checks that must pass first. Default: none.
    #[serde(default)]
    pub needs: Vec<String>,
    /// Paths that it reads, as patterns (`src/**`). When none of them changed, a pass counts again. Default: what
    /// can be traced, else every file.
    #[serde(default)]
    pub inputs: Option<Vec<String>>,
    /// Variables that it sees besides the usual ones (`PATH`, `HOME` and their like). Default: none.
    #[serde(default)]
    pub env: Vec<String>,
    /// Time after which it is ended, with all that it started. Default `10m`.
    #[serde(default = "default_time_limit", with = "humantime_serde")]
    #[schemars(with = "String")]
    pub time_limit: Duration,
    /// File of JUnit results that it writes, from the root.
    #[serde(default)]
    pub junit: Option<String>,
    /// File of coverage that it writes, from the root: Cobertura XML, or the JSON of coverage.py.
    #[serde(default)]
    pub coverage: Option<String>,
    /// Which tests a change can reach is found out, and only those run: `pytest`, or `none`. Default: `pytest` where
    /// pytest is what runs.
    #[serde(default)]
    pub impact: Option<Impact>,
    /// For `integration`: recorded answers of providers, a file from the root, against which it runs.
    #[serde(default)]
    pub replay: Option<String>,
}

fn default_time_limit() -> Duration {
    TIME_LIMIT
}

/// What a check is.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Reads the code.
    Lint,
    /// Runs the code, and nothing outside.
    Unit,
    /// Runs the code against the outside, or against recorded answers.
    Integration,
}

impl Kind {
    /// Returns the word that stands in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lint => "lint",
            Self::Unit => "unit",
            Self::Integration => "integration",
        }
    }
}

/// How tests are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Impact {
    /// Among pytest's tests.
    Pytest,
    /// Not at all: everything runs.
    None,
}

/// What is wrong with a check, that the form alone does not show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Keys from `checks` down.
    pub path: Vec<String>,
    /// What is wrong.
    pub what: String,
}

impl ChecksSection {
    /// Returns every mistake that the form alone does not show.
    pub fn mistakes(&self) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        if self.0.len() > MAX_CHECKS {
            mistakes.push(Mistake {
                path: Vec::new(),
                what: format!("{} checks, at most {MAX_CHECKS} are read", self.0.len()),
            });
        }
        for (name, check) in &self.0 {
            let mut say = |key: &str, what: String| {
                let mut path = vec![name.clone()];
                path.extend((!key.is_empty()).then(|| key.to_owned()));
                mistakes.push(Mistake { path, what });
            };
            if !is_name(name) {
                let what = "a check's name has lower-case letters, digits, `-` and `_`, at most 64 of them";
                say("", what.to_owned());
            }
            check.mistakes(&mut say);
            let mut seen = BTreeSet::new();
            for need in &check.needs {
                if !self.0.contains_key(need) {
                    let known: Vec<_> = self.0.keys().filter(|key| *key != name).cloned().collect();
                    let known = if known.is_empty() {
                        "there is no other".to_owned()
                    } else {
                        format!("there are {}", known.join(", "))
                    };
                    say("needs", format!("no check `{need}`; {known}"));
                } else if !seen.insert(need) {
                    say("needs", format!("`{need}` stands there twice"));
                }
            }
        }
        if let Some((name, way)) = self.circle() {
            mistakes.push(Mistake {
                path: vec![name, "needs".to_owned()],
                what: format!("needs itself: {way}"),
            });
        }
        mistakes
    }

    /// Finds a check that needs itself, and the way around.
    fn circle(&self) -> Option<(String, String)> {
        let mut done = BTreeSet::new();
        for start in self.0.keys() {
            // The way down to here, with the place among the needs at which each goes on.
            let mut way: Vec<(&String, usize)> = vec![(start, 0)];
            while let Some((name, next)) = way.last().copied() {
                let need = self
                    .0
                    .get(name)
                    .and_then(|check| check.needs.get(next))
                    .filter(|_| !done.contains(name));
                let Some(need) = need else {
                    done.insert(name);
                    way.pop();
                    continue;
                };
                if let Some((_, next)) = way.last_mut() {
                    *next += 1;
                }
                if let Some(at) = way.iter().position(|(name, _)| *name == need) {
                    let names = way.iter().skip(at).map(|(name, _)| name.as_str());
                    let names: Vec<&str> = names.chain([need.as_str()]).collect();
                    return Some((need.clone(), names.join(" → ")));
                }
                way.push((need, 0));
            }
        }
        None
    }
}

impl CheckSection {
    fn mistakes(&self, say: &mut impl FnMut(&str, String)) {
        match (&self.run, &self.shell) {
            (None, None) => say(
                "",
                "needs `run = [\"program\", …]` or `shell = \"line\"`".into(),
            ),
            (Some(_), Some(_)) => say("shell", "`run` is there already; take one of both".into()),
            (Some(words), None) if words.first().is_none_or(String::is_empty) => {
                say("run", "names no program".into());
            }
            (None, Some(line)) if line.trim().is_empty() => say("shell", "is empty".into()),
            _ => {}
        }
        let words = self.run.iter().flatten().chain(&self.shell);
        if words.clone().any(|word| word.contains('\0')) {
            let key = if self.run.is_some() { "run" } else { "shell" };
            say(key, "holds a zero byte".into());
        }
        if self.time_limit.is_zero() || self.time_limit > MAX_TIME_LIMIT {
            let what = "must be more than nothing and at most a day";
            say("time_limit", what.into());
        }
        for name in &self.env {
            if name.is_empty() || name.contains(['=', '\0']) {
                say("env", format!("{name:?} is no name of a variable"));
            }
        }
        for (key, path) in [
            ("junit", &self.junit),
            ("coverage", &self.coverage),
            ("replay", &self.replay),
        ] {
            if path.as_deref().is_some_and(|path| !is_inside(path)) {
                say(
                    key,
                    "must be a path from the root, with `/`, that stays inside".into(),
                );
            }
        }
        if self.replay.is_some() && self.kind != Kind::Integration {
            say("replay", "is for `kind = \"integration\"`".into());
        }
        if let Some(inputs) = &self.inputs {
            if inputs.len() > MAX_ENTRIES || self.needs.len() > MAX_ENTRIES {
                say(
                    "inputs",
                    format!("must have at most {MAX_ENTRIES} patterns"),
                );
            } else if let Err(error) = globs(inputs) {
                say("inputs", format!("holds no pattern of paths: {error}"));
            }
        }
    }
}

/// Says whether a word can name a check.
pub(crate) fn is_name(name: &str) -> bool {
    (1..=MAX_NAME_BYTES).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
}

/// Says whether a path from the root stays inside, on every system.
fn is_inside(path: &str) -> bool {
    !path.is_empty()
        && !path.starts_with('/')
        && !path.contains(['\\', ':', '\0'])
        && path.split('/').all(|part| !part.is_empty() && part != "..")
}

/// Makes patterns ready to be asked.
pub(crate) fn globs(patterns: &[String]) -> Result<GlobSet, globset::Error> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        let pattern = pattern.trim_start_matches("./");
        set.add(GlobBuilder::new(pattern).literal_separator(true).build()?);
        // A folder means all that is in it.
        if let Some(folder) = pattern.strip_suffix('/') {
            let below = format!("{folder}/**");
            set.add(GlobBuilder::new(&below).literal_separator(true).build()?);
        }
    }
    set.build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> ChecksSection {
        toml::from_str(text).unwrap()
    }

    fn said(text: &str) -> Vec<String> {
        let mistakes = read(text).mistakes().into_iter();
        mistakes
            .map(|mistake| format!("{}: {}", mistake.path.join("."), mistake.what))
            .collect()
    }

    #[test]
    fn a_check_that_needs_itself_over_others_is_refused_with_the_way() {
        let text = "[a]\nkind='lint'\nrun=['x']\nneeds=['b']\n[b]\nkind='lint'\nrun=['x']\nneeds=['c']\n\
                    [c]\nkind='unit'\nshell='x'\nneeds=['a']\n[d]\nkind='lint'\nrun=['x']\nneeds=['a']\n";
        assert_eq!(said(text), ["a.needs: needs itself: a → b → c → a"]);
        let text = "[a]\nkind='lint'\nrun=['x']\nneeds=['a']\n";
        assert_eq!(said(text), ["a.needs: needs itself: a → a"]);
    }

    #[test]
    fn two_ways_to_one_need_are_no_circle() {
        let text = "[a]\nkind='lint'\nrun=['x']\n[b]\nkind='lint'\nrun=['x']\nneeds=['a']\n\
                    [c]\nkind='unit'\nrun=['x']\nneeds=['a', 'b']\n";
        assert!(said(text).is_empty());
    }

    #[test]
    fn what_the_form_does_not_show_is_told_at_its_key() {
        let text = "[A]\nkind='lint'\nrun=['x']\n[b]\nkind='lint'\n[c]\nkind='lint'\nrun=[]\nneeds=['z', 'b', 'b']\n\
                    [d]\nkind='unit'\nshell='x'\njunit='../x'\nreplay='tape'\nenv=['A=B']\ntime_limit='0s'\ninputs=['a[']\n";
        let said = said(text);
        let keys: Vec<_> = said
            .iter()
            .filter_map(|line| line.split(':').next())
            .collect();
        assert_eq!(
            keys,
            [
                "A",
                "b",
                "c.run",
                "c.needs",
                "c.needs",
                "d.time_limit",
                "d.env",
                "d.junit",
                "d.replay",
                "d.inputs"
            ],
            "{said:#?}"
        );
    }

    #[test]
    fn unknown_keys_are_errors() {
        let text = "[a]\nkind='lint'\nrun=['x']\nneed=['b']\n";
        assert!(toml::from_str::<ChecksSection>(text).is_err());
    }
}
