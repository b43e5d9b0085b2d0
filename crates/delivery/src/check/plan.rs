//! Which checks run, in which sequence.
//!
//! Not here: running them, reading them from a file.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::config::{ChecksSection, Impact, Kind};
use super::{CheckError, CheckSection};

/// What is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// A program and its arguments; no shell sees them.
    Words(Vec<String>),
    /// A line for the shell.
    Shell(String),
}

impl std::fmt::Display for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let words = match self {
            Self::Shell(line) => return f.write_str(line),
            Self::Words(words) => words,
        };
        for (at, word) in words.iter().enumerate() {
            let space = if at == 0 { "" } else { " " };
            let is_plain = !word.is_empty()
                && word
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-_./=:,@%+".contains(&b));
            if is_plain {
                write!(f, "{space}{word}")?;
            } else {
                write!(f, "{space}'{}'", word.replace('\'', r"'\''"))?;
            }
        }
        Ok(())
    }
}

/// A check as it was declared or found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// What is run.
    pub command: Command,
    /// Checks that must pass first.
    pub needs: Vec<String>,
    /// Patterns of what it reads; `None` where nobody said.
    pub inputs: Option<Vec<String>>,
    /// Variables that it sees besides the usual ones.
    pub env: Vec<String>,
    /// Time that it has.
    pub time_limit: Duration,
    /// File of JUnit results that it writes, from the root.
    pub junit: Option<String>,
    /// File of coverage that it writes, from the root.
    pub coverage: Option<String>,
    /// How tests are chosen.
    pub impact: Option<Impact>,
    /// Recorded answers against which it runs, from the root.
    pub replay: Option<String>,
}

impl Definition {
    /// Makes one that runs a program and says nothing else.
    pub fn new<W: Into<String>>(
        name: &str,
        kind: Kind,
        words: impl IntoIterator<Item = W>,
    ) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            command: Command::Words(words.into_iter().map(Into::into).collect()),
            needs: Vec::new(),
            inputs: None,
            env: Vec::new(),
            time_limit: super::config::TIME_LIMIT,
            junit: None,
            coverage: None,
            impact: None,
            replay: None,
        }
    }

    fn read(name: &str, section: &CheckSection) -> Self {
        let command = match (&section.run, &section.shell) {
            (Some(words), _) => Command::Words(words.clone()),
            (None, line) => Command::Shell(line.clone().unwrap_or_default()),
        };
        Self {
            name: name.to_owned(),
            kind: section.kind,
            command,
            needs: section.needs.clone(),
            inputs: section.inputs.clone(),
            env: section.env.clone(),
            time_limit: section.time_limit,
            junit: section.junit.clone(),
            coverage: section.coverage.clone(),
            impact: section.impact,
            replay: section.replay.clone(),
        }
    }
}

impl ChecksSection {
    /// Returns the checks that are declared, by name.
    pub fn definitions(&self) -> Vec<Definition> {
        let all = self.0.iter();
        all.map(|(name, section)| Definition::read(name, section))
            .collect()
    }
}

/// A check of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// The check.
    pub definition: Definition,
    /// Places in the plan of what it needs; all before its own.
    pub needs: Vec<usize>,
    /// Why it is not run unless asked for by name.
    pub held: Option<String>,
}

/// Checks in a sequence in which what is needed comes first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    // Invariant: `needs` of each hold smaller places only.
    checks: Vec<Planned>,
}

impl Plan {
    /// Puts checks in sequence: those of `names` with all that they need; all of them when there are none.
    ///
    /// One of kind `integration` without recorded answers is held unless it is named: nobody means to call real
    /// providers by the way.
    ///
    /// # Errors
    /// [`CheckError::NoSuchCheck`], [`CheckError::Graph`].
    pub fn new(definitions: &[Definition], names: &[String]) -> Result<Self, CheckError> {
        let mut by_name: BTreeMap<&str, &Definition> = BTreeMap::new();
        for definition in definitions {
            if by_name.insert(&definition.name, definition).is_some() {
                return Err(graph(&definition.name, "there are two of that name"));
            }
        }
        let mut wanted: BTreeSet<&str> = BTreeSet::new();
        let mut open: Vec<&str> = Vec::new();
        if names.is_empty() {
            open.extend(by_name.keys());
        }
        for name in names {
            if !by_name.contains_key(name.as_str()) {
                let known: Vec<&str> = by_name.keys().copied().collect();
                return Err(CheckError::NoSuchCheck {
                    name: name.clone(),
                    known: if known.is_empty() {
                        "none".to_owned()
                    } else {
                        known.join(", ")
                    },
                });
            }
            open.push(name);
        }
        while let Some(name) = open.pop() {
            let Some(definition) = by_name.get(name).filter(|_| wanted.insert(name)) else {
                continue;
            };
            for need in &definition.needs {
                if !by_name.contains_key(need.as_str()) {
                    return Err(graph(
                        name,
                        &format!("it needs `{need}`, which is not there"),
                    ));
                }
                open.push(need);
            }
        }
        let mut rest: Vec<&Definition> = wanted
            .iter()
            .filter_map(|name| by_name.get(name).copied())
            .collect();
        rest.sort_by_key(|definition| (definition.kind, &definition.name));
        let mut checks: Vec<Planned> = Vec::new();
        while !rest.is_empty() {
            let place = |name: &str, checks: &[Planned]| {
                checks
                    .iter()
                    .position(|planned| planned.definition.name == name)
            };
            let ready = rest.iter().position(|definition| {
                let mut needs = definition.needs.iter();
                needs.all(|need| place(need, &checks).is_some())
            });
            let Some(ready) = ready else {
                let name = rest.first().map_or("", |definition| &definition.name);
                return Err(graph(name, "it needs itself, over others"));
            };
            let definition = rest.remove(ready);
            let needs = definition.needs.iter();
            let needs = needs.filter_map(|need| place(need, &checks)).collect();
            let is_open = definition.kind == Kind::Integration
                && definition.replay.is_none()
                && !names.contains(&definition.name);
            checks.push(Planned {
                definition: definition.clone(),
                needs,
                held: is_open.then(|| {
                    format!(
                        "it may call real providers: there are no recorded answers (`replay`); `tradewind check {}` \
                         runs it as it is",
                        definition.name
                    )
                }),
            });
        }
        Ok(Self { checks })
    }

    /// Returns the checks in sequence.
    pub fn checks(&self) -> &[Planned] {
        &self.checks
    }
}

fn graph(name: &str, why: &str) -> CheckError {
    CheckError::Graph {
        name: name.to_owned(),
        why: why.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(plan: &Plan) -> Vec<&str> {
        let checks = plan.checks().iter();
        checks
            .map(|planned| planned.definition.name.as_str())
            .collect()
    }

    fn some() -> Vec<Definition> {
        let mut unit = Definition::new("a-unit", Kind::Unit, ["x"]);
        unit.needs = vec!["z-lint".into()];
        let mut late = Definition::new("b-lint", Kind::Lint, ["x"]);
        late.needs = vec!["a-unit".into()];
        vec![
            unit,
            late,
            Definition::new("z-lint", Kind::Lint, ["x"]),
            Definition::new("live", Kind::Integration, ["x"]),
        ]
    }

    #[test]
    fn what_is_needed_comes_first_and_lint_before_unit() {
        let plan = Plan::new(&some(), &[]).unwrap();
        assert_eq!(names(&plan), ["z-lint", "a-unit", "b-lint", "live"]);
        for (at, planned) in plan.checks().iter().enumerate() {
            assert!(planned.needs.iter().all(|need| *need < at));
        }
    }

    #[test]
    fn a_name_brings_what_it_needs_and_no_more() {
        let plan = Plan::new(&some(), &["a-unit".into()]).unwrap();
        assert_eq!(names(&plan), ["z-lint", "a-unit"]);
        assert!(matches!(
            Plan::new(&some(), &["nope".into()]),
            Err(CheckError::NoSuchCheck { .. })
        ));
    }

    #[test]
    fn real_providers_are_called_only_by_name() {
        let held = |names: &[String]| {
            let plan = Plan::new(&some(), names).unwrap();
            let live = plan.checks().iter().find(|c| c.definition.name == "live");
            live.unwrap().held.is_some()
        };
        assert!(held(&[]));
        assert!(!held(&["live".into()]));
    }

    #[test]
    fn a_circle_and_a_missing_need_are_refused() {
        let mut a = Definition::new("a", Kind::Lint, ["x"]);
        let mut b = Definition::new("b", Kind::Lint, ["x"]);
        a.needs = vec!["b".into()];
        assert!(Plan::new(std::slice::from_ref(&a), &[]).is_err());
        b.needs = vec!["a".into()];
        assert!(matches!(
            Plan::new(&[a, b], &[]),
            Err(CheckError::Graph { .. })
        ));
    }

    #[test]
    fn a_command_is_shown_as_a_shell_would_read_it() {
        let words = Command::Words(vec!["pytest".into(), "-k".into(), "a or 'b'".into()]);
        assert_eq!(words.to_string(), r"pytest -k 'a or '\''b'\'''");
    }
}
