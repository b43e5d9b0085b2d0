//! `[hooks]` in `tradewind.toml`: which hooks of others judge each file alone.

use std::collections::BTreeMap;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Hooks that may be declared.
const MAX_DECLARED: usize = 200;
/// Patterns or variables of one hook.
const MAX_WORDS: usize = 200;

/// `[hooks]`: what is to be known of hooks beyond `.pre-commit-config.yaml`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HooksSection {
    /// Hooks that judge each file alone, by id: `[hooks.per_file.<id>]`. What they found in order is not asked again
    /// until the file, the hook's arguments, its program or its configuration changes. Well-known ones (black, ruff,
    /// flake8, isort and more) need no declaration. Default: none.
    pub per_file: BTreeMap<String, PerFile>,
}

/// `[hooks.per_file.<id>]`: what decides what this hook says of a file, besides the file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PerFile {
    /// Tracked files that it reads too, as patterns (`rules/**`). Its own script and the configuration files at the
    /// root are known without being named. Default: none.
    pub reads: Vec<String>,
    /// Variables of the environment that it looks at. Default: none; those of Python and of the language are known.
    pub env: Vec<String>,
}

/// What is wrong with one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The hook.
    pub hook: String,
    /// The key.
    pub key: &'static str,
    /// What is wrong.
    pub what: String,
}

impl HooksSection {
    /// Returns every mistake that the form alone does not show.
    pub fn mistakes(&self) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        for (at, (hook, declared)) in self.per_file.iter().enumerate() {
            let mut mistake = |key, what: String| {
                mistakes.push(Mistake {
                    hook: hook.clone(),
                    key,
                    what,
                });
            };
            if at == MAX_DECLARED {
                mistake(
                    "reads",
                    format!("at most {MAX_DECLARED} hooks can be declared"),
                );
                break;
            }
            if declared.reads.len() > MAX_WORDS {
                mistake("reads", format!("must have at most {MAX_WORDS} patterns"));
            } else if let Err(error) = declared.globs() {
                mistake("reads", format!("holds no pattern of paths: {error}"));
            }
            if declared.env.len() > MAX_WORDS {
                mistake("env", format!("must have at most {MAX_WORDS} names"));
            }
        }
        mistakes
    }
}

impl PerFile {
    /// Compiles the patterns of what it reads.
    pub(crate) fn globs(&self) -> Result<GlobSet, globset::Error> {
        let mut set = GlobSetBuilder::new();
        for pattern in &self.reads {
            set.add(GlobBuilder::new(pattern).literal_separator(true).build()?);
        }
        set.build()
    }
}
