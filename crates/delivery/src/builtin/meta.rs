//! `repo: meta`: checks of the configuration itself. `check-hooks-apply`, `check-useless-excludes`, `identity`.
//!
//! Not here: hooks whose manifest is not at hand. What they apply to is not known, so nothing is said of them.

use super::args::Options;
use super::text::repr;
use super::{About, ChangeCheck, Check, PLAIN, Report, Surroundings};
use crate::precommit::{Config, Pattern, PatternError, Tags};

/// The configuration's own name.
const CONFIG: &str = r"^\.pre\-commit\-config\.yaml$";

pub(super) const APPLY: About = About {
    id: "check-hooks-apply",
    name: "Check hooks apply to the repository",
    what: "Stops when a configured hook is for no file of the repository.",
    files: CONFIG,
    is_meta: true,
    differs: &["hooks of other repositories whose manifest is not at hand are left out"],
    make: |args| {
        Options::NONE.parse(args)?;
        Ok(Check::Change(Box::new(Apply)))
    },
    ..PLAIN
};

pub(super) const EXCLUDES: About = About {
    id: "check-useless-excludes",
    name: "Check for useless excludes",
    what: "Stops when an `exclude` excludes nothing.",
    files: CONFIG,
    is_meta: true,
    make: |args| {
        Options::NONE.parse(args)?;
        Ok(Check::Change(Box::new(Excludes)))
    },
    ..PLAIN
};

pub(super) const IDENTITY: About = About {
    id: "identity",
    name: "identity",
    what: "Prints the files that it is given.",
    verbose: true,
    is_meta: true,
    make: |args| {
        Options::NONE.parse(args)?;
        Ok(Check::Change(Box::new(Identity)))
    },
    ..PLAIN
};

struct Apply;
struct Excludes;
struct Identity;

impl ChangeCheck for Identity {
    fn check(&self, paths: &[&[u8]], _around: &dyn Surroundings) -> Report {
        Report {
            exit_code: 0,
            lines: paths
                .iter()
                .map(|path| String::from_utf8_lossy(path).into_owned())
                .collect(),
        }
    }
}

impl ChangeCheck for Apply {
    fn check(&self, _paths: &[&[u8]], around: &dyn Surroundings) -> Report {
        or_too_hard(around.config().map_or(Ok(Vec::new()), |config| {
            let files = visible(config, around)?;
            let mut lines = Vec::new();
            for hook in around.hooks() {
                if hook.always_run || hook.language == "fail" {
                    continue;
                }
                let is_for = |path: &&&[u8]| match hook.names(path) {
                    Ok(true) => around.tags(path).is_some_and(|tags| hook.takes(&tags)),
                    // A pattern that cannot be decided is not said to apply to nothing.
                    named => named.is_err(),
                };
                if files.iter().find(is_for).is_none() {
                    lines.push(format!("{} does not apply to this repository", hook.id));
                }
            }
            Ok(lines)
        }))
    }
}

impl ChangeCheck for Excludes {
    fn check(&self, _paths: &[&[u8]], around: &dyn Surroundings) -> Report {
        or_too_hard(
            around
                .config()
                .map_or(Ok(Vec::new()), |config| useless(config, around)),
        )
    }
}

fn useless(config: &Config, around: &dyn Surroundings) -> Result<Vec<String>, PatternError> {
    let files = visible(config, around)?;
    let mut lines = Vec::new();
    let exclude = &config.exclude;
    let all: Vec<&[u8]> = around.tracked().iter().map(AsRef::as_ref).collect();
    if !excludes_any(&all, &Pattern::everything(), exclude)? {
        let pattern = repr(exclude.as_str());
        lines.push(format!(
            "The global exclude pattern {pattern} does not match any files"
        ));
    }
    for hook in config
        .repositories
        .iter()
        .flat_map(|repository| &repository.hooks)
    {
        let Some(exclude) = &hook.given.exclude else {
            continue;
        };
        let (all, any, none) = (
            &hook.given.types,
            &hook.given.types_or,
            &hook.given.exclude_types,
        );
        let is_for = |tags: &Tags| {
            all.is_none_or(|all| tags.has_all(&all))
                && any.is_none_or(|any| any.is_empty() || tags.has_any(&any))
                && none.is_none_or(|none| !tags.has_any(&none))
        };
        let has_types = all.is_some() || any.is_some() || none.is_some();
        let names: Vec<&[u8]> = files
            .iter()
            .copied()
            .filter(|path| !has_types || around.tags(path).is_some_and(|tags| is_for(&tags)))
            .collect();
        let everything = Pattern::everything();
        let include = hook.given.files.as_ref().unwrap_or(&everything);
        if !excludes_any(&names, include, exclude)? {
            let (pattern, id) = (repr(exclude.as_str()), &hook.id);
            lines.push(format!(
                "The exclude pattern {pattern} for {id} does not match any files"
            ));
        }
    }
    Ok(lines)
}

/// Files that hooks may see.
fn visible<'a>(
    config: &Config,
    around: &'a dyn Surroundings,
) -> Result<Vec<&'a [u8]>, PatternError> {
    let mut files = Vec::new();
    for path in around.tracked() {
        if config.names(path)? {
            files.push(path.as_ref());
        }
    }
    Ok(files)
}

fn excludes_any(
    files: &[&[u8]],
    include: &Pattern,
    exclude: &Pattern,
) -> Result<bool, PatternError> {
    if exclude.as_str() == "^$" {
        return Ok(true);
    }
    for path in files {
        if include.is_in(path)? && exclude.is_in(path)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn or_too_hard(lines: Result<Vec<String>, PatternError>) -> Report {
    let lines = lines.unwrap_or_else(|error| vec![error.to_string()]);
    Report {
        exit_code: u8::from(!lines.is_empty()),
        lines,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Around, made};
    use super::*;
    use crate::staged::Mode;

    fn report(id: &str, config: &str) -> Report {
        let config = Config::parse(config).unwrap();
        let files = ["a.py", "docs/b.md"];
        let hooks = config.repositories.iter().flat_map(|repository| {
            let settle = |hook| config.settle(repository, hook);
            repository
                .hooks
                .iter()
                .filter_map(settle)
                .collect::<Vec<_>>()
        });
        let around = Around {
            hooks: hooks.collect(),
            tracked: files.iter().map(|path| path.as_bytes().into()).collect(),
            after: files.map(|path| (path, Mode::Regular, Vec::new())).to_vec(),
            config: Some(config.clone()),
            ..Around::default()
        };
        let Check::Change(check) = made(id, &[]) else {
            panic!("{id} looks at files");
        };
        check.check(&[b".pre-commit-config.yaml"], &around)
    }

    const CONFIG: &str = "\
exclude: ^old/
repos:
- repo: https://github.com/pre-commit/pre-commit-hooks
  rev: v6.0.0
  hooks:
  - {id: trailing-whitespace, exclude: 'b[.]md'}
  - {id: end-of-file-fixer, types: [python], exclude: \"b'c\"}
- repo: local
  hooks:
  - {id: none, name: none, entry: x, language: system, types: [rust]}
  - {id: always, name: x, entry: x, language: system, files: ^$, always_run: true}
  - {id: stop, name: x, entry: x, language: fail, files: ^$}
";

    #[test]
    fn a_hook_for_nothing_is_named() {
        let report = report("check-hooks-apply", CONFIG);
        assert_eq!(report.lines, ["none does not apply to this repository"]);
        assert_eq!(report.exit_code, 1);
    }

    #[test]
    fn an_exclude_of_nothing_is_named() {
        let report = report("check-useless-excludes", CONFIG);
        assert_eq!(
            report.lines,
            [
                "The global exclude pattern '^old/' does not match any files",
                "The exclude pattern \"b'c\" for end-of-file-fixer does not match any files",
            ]
        );
    }

    #[test]
    fn paths_are_printed() {
        let report = report("identity", "repos: []");
        assert_eq!(report.lines, [".pre-commit-config.yaml"]);
        assert_eq!(report.exit_code, 0);
    }
}
