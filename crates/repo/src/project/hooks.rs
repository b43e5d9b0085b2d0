//! Which hooks a repository configures, and which ones git would start here.

use super::data::{At, Node, TextAt};
use super::ini::Ini;
use crate::location::Location;
use crate::tree::Tree;

/// Names of files in a hooks folder that git starts.
const GIT_HOOKS: &[&str] = &[
    "pre-commit",
    "commit-msg",
    "pre-push",
    "prepare-commit-msg",
    "post-commit",
    "post-checkout",
    "post-merge",
    "pre-rebase",
];
/// Longest configuration of git that is read.
const MAX_CONFIG_BYTES: u64 = 1024 * 1024;

/// Which program runs the hooks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookRunner {
    /// `.pre-commit-config.yaml`.
    PreCommit,
    /// `.husky/`.
    Husky,
    /// `lefthook.yml`.
    Lefthook,
    /// A folder such as `.githooks` with hooks by git's names.
    Folder,
}

/// One configuration of hooks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookConfig {
    /// Its file or folder.
    pub path: Box<str>,
    /// Which program runs it.
    pub runner: HookRunner,
    /// Each hook: its id or name.
    pub hooks: Vec<TextAt>,
    /// For pre-commit: repositories with their versions.
    pub repositories: Vec<(TextAt, Option<TextAt>)>,
    /// Commands of local hooks.
    pub commands: Vec<TextAt>,
}

/// Which hooks git would start in this clone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Installed {
    /// Not looked at, or there is no work tree.
    #[default]
    Unknown,
    /// These.
    Known {
        /// `core.hooksPath` of the repository's own configuration.
        hooks_path: Option<Box<str>>,
        /// Names of hooks in the folder that git uses, samples left out.
        names: Vec<Box<str>>,
        /// Whether commits were made here: git's log of `HEAD` tells of one.
        is_worked_in: bool,
    },
}

/// Looks which hooks git would start. Reads the repository's own configuration as data and lists a folder.
pub fn installed(location: &Location) -> Installed {
    if location.is_bare {
        return Installed::Unknown;
    }
    let config = location.common_dir.join("config");
    let is_small = std::fs::metadata(&config)
        .is_ok_and(|file| file.is_file() && file.len() <= MAX_CONFIG_BYTES);
    let config = if is_small {
        std::fs::read(&config).unwrap_or_default()
    } else {
        Vec::new()
    };
    let ini = Ini::parse(&String::from_utf8_lossy(&config));
    let hooks_path: Option<Box<str>> = ini
        .sections
        .iter()
        .filter(|section| section.name.eq_ignore_ascii_case("core"))
        .flat_map(|section| &section.entries)
        .rfind(|entry| entry.key.as_ref() == "hookspath")
        .map(|entry| entry.value.trim_matches('"').into());
    let folder = match &hooks_path {
        Some(path) => location.top.join(path.as_ref()),
        None => location.common_dir.join("hooks"),
    };
    let names = GIT_HOOKS
        .iter()
        .filter(|name| folder.join(name).is_file())
        .map(|name| (*name).into())
        .collect();
    Installed::Known {
        hooks_path,
        names,
        is_worked_in: is_worked_in(location),
    }
}

/// Longest log of `HEAD` that is read.
const MAX_LOG_BYTES: u64 = 16 * 1024 * 1024;

/// Says whether somebody committed in this clone, by git's own log of where `HEAD` was.
fn is_worked_in(location: &Location) -> bool {
    let log = location.git_dir.join("logs").join("HEAD");
    let is_small =
        std::fs::metadata(&log).is_ok_and(|file| file.is_file() && file.len() <= MAX_LOG_BYTES);
    let text = if is_small {
        std::fs::read(&log).unwrap_or_default()
    } else {
        Vec::new()
    };
    String::from_utf8_lossy(&text).lines().any(|line| {
        line.split_once('\t')
            .is_some_and(|(_, what)| what.starts_with("commit"))
    })
}

/// Reads `.pre-commit-config.yaml`.
pub(super) fn pre_commit(path: &str, root: &Node) -> HookConfig {
    let mut config = HookConfig {
        path: path.into(),
        runner: HookRunner::PreCommit,
        hooks: Vec::new(),
        repositories: Vec::new(),
        commands: Vec::new(),
    };
    let text_at = |node: &Node, key: &str| {
        let value = node.get(key)?;
        Some(At::new(value.line, value.text()?.into()))
    };
    for repository in root.get("repos").map_or(&[][..], Node::list) {
        if let Some(url) = text_at(repository, "repo") {
            config.repositories.push((url, text_at(repository, "rev")));
        }
        for hook in repository.get("hooks").map_or(&[][..], Node::list) {
            config.hooks.extend(text_at(hook, "id"));
            config.commands.extend(text_at(hook, "entry"));
        }
    }
    config
}

/// Reads `lefthook.yml`.
pub(super) fn lefthook(path: &str, root: &Node) -> HookConfig {
    let mut config = HookConfig {
        path: path.into(),
        runner: HookRunner::Lefthook,
        hooks: Vec::new(),
        repositories: Vec::new(),
        commands: Vec::new(),
    };
    for (key, hook) in root.map() {
        let Some(name) = key.text().filter(|name| GIT_HOOKS.contains(name)) else {
            continue;
        };
        config.hooks.push(At::new(key.line, name.into()));
        for (_, command) in hook.get("commands").map_or(&[][..], Node::map) {
            if let Some(run) = command.get("run").filter(|run| run.text().is_some()) {
                config
                    .commands
                    .push(At::new(run.line, run.text().unwrap_or("").into()));
            }
        }
    }
    config
}

/// Finds folders with hooks by git's names: `.husky`, `.githooks`, `hooks`.
pub(super) fn folders(tree: &Tree) -> Vec<HookConfig> {
    [
        (".husky", HookRunner::Husky),
        (".githooks", HookRunner::Folder),
        (".git-hooks", HookRunner::Folder),
    ]
    .into_iter()
    .filter_map(|(folder, runner)| {
        let hooks: Vec<TextAt> = GIT_HOOKS
            .iter()
            .filter(|name| tree.has(&format!("{folder}/{name}")))
            .map(|name| At::new(1, (*name).into()))
            .collect();
        (!hooks.is_empty()).then(|| HookConfig {
            path: folder.into(),
            runner,
            hooks,
            repositories: Vec::new(),
            commands: Vec::new(),
        })
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::super::data::yaml;
    use super::*;

    #[test]
    fn configured_hooks_are_read() {
        let text = "repos:\n  - repo: https://x.invalid/black\n    rev: 22.1.0\n    hooks:\n      - id: black\n  - repo: local\n    hooks:\n      - id: t\n        entry: python scripts/check.py\n";
        let config = pre_commit(".pre-commit-config.yaml", &yaml(text).unwrap()[0]);
        assert_eq!((config.hooks.len(), config.repositories.len()), (2, 2));
        assert_eq!(
            config.commands[0],
            At::new(9, "python scripts/check.py".into())
        );
        let config = lefthook(
            "lefthook.yml",
            &yaml("pre-commit:\n  commands:\n    a: {run: x}\n").unwrap()[0],
        );
        assert_eq!(config.commands.len(), 1);
        assert_eq!(folders(&Tree::of([(".husky/pre-commit", "x")])).len(), 1);
    }
}
