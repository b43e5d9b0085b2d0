//! Builds one call of git: the overrides, the environment, the closed list of commands.

use std::ffi::OsString;
use std::path::Path;

use super::{Git, GitError, MAX_OUTPUT_BYTES, TIME_LIMIT};
use crate::process::{CommandSpec, Env};

/// Where hooks would be looked for: a place that holds none.
const NULL_DEVICE: &str = if cfg!(windows) { "NUL" } else { "/dev/null" };

/// Settings that every call overrides, so that the repository's own have no say.
pub const NEUTRAL: &[(&str, &str)] = &[
    ("core.fsmonitor", "false"),
    ("core.hooksPath", NULL_DEVICE),
    // Runs for each alternate with the alternate's path as an argument; `true` ignores it.
    ("core.alternateRefsCommand", "true"),
    ("core.sshCommand", "false"),
    ("core.gitProxy", ""),
    ("core.askPass", ""),
    ("core.pager", "cat"),
    ("core.editor", ":"),
    ("sequence.editor", ":"),
    ("credential.helper", ""),
    ("diff.external", ""),
    ("diff.ignoreSubmodules", "all"),
    ("submodule.recurse", "false"),
    ("log.showSignature", "false"),
    ("log.mailmap", "false"),
    ("commit.gpgSign", "false"),
    ("tag.gpgSign", "false"),
    ("gpg.program", "false"),
    ("gpg.ssh.program", "false"),
    ("gpg.x509.program", "false"),
    ("gpg.ssh.defaultKeyCommand", ""),
    ("protocol.allow", "never"),
    ("protocol.ext.allow", "never"),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("i18n.logOutputEncoding", "UTF-8"),
    ("core.quotePath", "false"),
    ("color.ui", "false"),
    ("advice.detachedHead", "false"),
];

/// Commands that read and never run a program of the repository's choice.
pub const READING: &[&str] = &[
    "version",
    "rev-parse",
    "rev-list",
    "log",
    "cat-file",
    "show-ref",
    "for-each-ref",
    "symbolic-ref",
    "ls-files",
    "ls-tree",
    "diff-tree",
    "merge-base",
    "check-ignore",
    "check-attr",
    "check-ref-format",
    "count-objects",
    "config",
    "var",
];

/// Commands that write objects, refs or the index and, with hooks off, run nothing either.
pub const PLUMBING: &[&str] = &[
    "hash-object",
    "mktree",
    "write-tree",
    "read-tree",
    "commit-tree",
    "update-ref",
    "update-index",
];

/// Commands that would consult a diff driver unless told not to.
const DIFF_LIKE: &[&str] = &["log", "diff-tree", "diff", "show"];

/// Variables by which a surrounding hook, or a user, points git elsewhere or at a program.
const FORGOTTEN: &[&str] = &[
    "GIT_EXTERNAL_DIFF",
    "GIT_DIFF_OPTS",
    "GIT_SSH",
    "GIT_SSH_COMMAND",
    "GIT_PROXY_COMMAND",
    "GIT_ASKPASS",
    "SSH_ASKPASS",
    "GIT_PAGER",
    "PAGER",
    "GIT_TRACE",
    "GIT_TRACE2",
    "GIT_TRACE2_EVENT",
    "GIT_TRACE2_PERF",
    "GIT_ATTR_SOURCE",
    "GIT_LITERAL_PATHSPECS",
    "GIT_GLOB_PATHSPECS",
    "GIT_NOGLOB_PATHSPECS",
    "GIT_ICASE_PATHSPECS",
    "GIT_CONFIG_PARAMETERS",
];

/// Variables that tie git to one repository; what `git rev-parse --local-env-vars` lists, without
/// `GIT_CONFIG_COUNT`, by which containers pass `safe.directory` on.
const HOOK_ENV: &[&str] = &[
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_COMMON_DIR",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_QUARANTINE_PATH",
    "GIT_GRAFT_FILE",
    "GIT_SHALLOW_FILE",
    "GIT_REPLACE_REF_BASE",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_CONFIG",
];

/// Which commands are let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    /// Only those that execute nothing of the repository.
    Safe,
    /// Any.
    Any,
}

pub(super) fn spec(
    git: &Git,
    dir: &Path,
    args: &[OsString],
    stdin: Vec<u8>,
    door: Door,
) -> Result<CommandSpec, GitError> {
    let command = args
        .first()
        .map(|arg| arg.to_string_lossy().into_owned())
        .unwrap_or_default();
    let is_safe = READING.contains(&command.as_str()) || PLUMBING.contains(&command.as_str());
    let is_name = command.starts_with(|c: char| c.is_ascii_lowercase());
    if !is_name || (door == Door::Safe && !is_safe) {
        return Err(GitError::Refused { command });
    }
    let mut spec = CommandSpec::new(&git.program, dir)
        .arg("--no-pager")
        .arg("--no-optional-locks");
    for (name, value) in NEUTRAL {
        spec = spec.arg("-c").arg(format!("{name}={value}"));
    }
    if DIFF_LIKE.contains(&command.as_str()) {
        // A longer file counts as binary, so that no commit makes git hold a gigabyte of lines.
        spec = spec.arg("-c").arg("core.bigFileThreshold=2m");
    }
    spec = spec.arg(&command);
    if DIFF_LIKE.contains(&command.as_str()) {
        spec = spec.args(["--no-ext-diff", "--no-textconv"]);
    }
    spec = spec.args(args.iter().skip(1)).within(TIME_LIMIT);
    spec.stdin = stdin;
    spec.max_output_bytes = MAX_OUTPUT_BYTES;
    spec.env = environment(git);
    Ok(spec)
}

fn environment(git: &Git) -> Env {
    let mut env = Env::inherit()
        .with("LC_ALL", "C")
        .with("GIT_TERMINAL_PROMPT", "0")
        .with("GIT_OPTIONAL_LOCKS", "0")
        .with("GIT_NO_LAZY_FETCH", "1")
        // Before 2.45 the variable above is unknown; a transport that is not allowed ends a lazy
        // fetch as well. The list must not be empty, or git takes it as unset.
        .with("GIT_ALLOW_PROTOCOL", "none")
        .with("GIT_NO_REPLACE_OBJECTS", "1")
        .with("GIT_EDITOR", ":")
        .with("GIT_SEQUENCE_EDITOR", ":")
        .with("GIT_FLUSH", "0");
    env.remove.extend(FORGOTTEN.iter().map(OsString::from));
    if !git.keeps_hook_env {
        env.remove.extend(HOOK_ENV.iter().map(OsString::from));
    }
    env
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_of_a_surrounding_hook_are_forgotten_unless_asked_for() {
        let git = Git::discover().unwrap();
        let is_removed = |git: &Git, name: &str| environment(git).remove.iter().any(|n| n == name);
        let keeping = git.clone().keeping_hook_env();
        for name in [
            "GIT_DIR",
            "GIT_INDEX_FILE",
            "GIT_WORK_TREE",
            "GIT_OBJECT_DIRECTORY",
        ] {
            assert!(
                is_removed(&git, name) && !is_removed(&keeping, name),
                "{name}"
            );
        }
        for name in [
            "GIT_EXTERNAL_DIFF",
            "GIT_SSH_COMMAND",
            "GIT_CONFIG_PARAMETERS",
        ] {
            assert!(
                is_removed(&git, name) && is_removed(&keeping, name),
                "{name}"
            );
        }
    }
}
