//! What a run of hooks looks like, for people and for programs.

use serde::Serialize;
use tradewind_delivery::hook::shim::{Done, Folder};
use tradewind_delivery::hook::{Applied, Ending, InTree, Outcome, Told};
use tradewind_delivery::precommit::Stage;

use super::Format;
use crate::terminal::{self, Tone, paint};

/// Columns of a line, as people know it from pre-commit.
const WIDTH: usize = 79;
/// Misses that are named.
const MAX_MISSES: usize = 50;

#[derive(Serialize)]
struct Json<'a> {
    schema_version: u32,
    stage: &'a str,
    passed: bool,
    files: usize,
    known: usize,
    elapsed_ms: u64,
    hooks: Vec<JsonHook<'a>>,
    applied: Vec<JsonFile>,
    remarks: &'a [String],
}

#[derive(Serialize)]
struct JsonHook<'a> {
    id: &'a str,
    name: &'a str,
    ending: &'static str,
    exit_code: Option<i32>,
    files: usize,
    known: usize,
    unremembered: Option<&'a str>,
    fixed: usize,
    why: Option<&'a str>,
    output: String,
}

#[derive(Serialize)]
struct JsonFile {
    path: String,
    staged: bool,
    file: &'static str,
    left_out: usize,
}

pub(super) fn outcome(
    outcome: &Outcome,
    stage: Stage,
    what: Option<&str>,
    format: Format,
    explain: bool,
    from_git: bool,
) {
    if format == Format::Json {
        json(outcome, stage);
        return;
    }
    if let Some(what) = what {
        terminal::note(what);
    }
    for file in &outcome.finished {
        let path = terminal::word(String::from_utf8_lossy(&file.path));
        terminal::note(format_args!("Finished what an ended run had begun: {path}"));
    }
    for remark in &outcome.remarks {
        terminal::note(terminal::one_line(remark, 300));
    }
    if !outcome.has_config && !from_git {
        terminal::note(
            "No .pre-commit-config.yaml here, so there are no hooks to run. A first one: repos: [{repo: builtin, hooks: [{id: trailing-whitespace}]}]",
        );
    }
    for hook in &outcome.hooks {
        one(hook);
    }
    if explain {
        let own = outcome.misses.iter().filter(|miss| miss.hook.is_none());
        terminal::line(format_args!(
            "{} files, {} known, {} looked at anew, {} ms.",
            outcome.files,
            outcome.known,
            own.count(),
            outcome.elapsed.as_millis()
        ));
        for hook in &outcome.hooks {
            let id = terminal::word(&hook.id);
            if let Some(why) = &hook.unremembered {
                let why = terminal::one_line(why, 300);
                terminal::line(format_args!(
                    "  {id}: asked of {} files; not remembered: {why}",
                    hook.files
                ));
            } else if hook.known > 0 {
                terminal::line(format_args!(
                    "  {id}: {} of {} files known",
                    hook.known, hook.files
                ));
            }
        }
        for miss in outcome.misses.iter().take(MAX_MISSES) {
            let path = terminal::word(&miss.path);
            let why = terminal::one_line(&miss.why, 300);
            match &miss.hook {
                Some(hook) => {
                    terminal::line(format_args!("  {path}: {}: {why}", terminal::word(hook)));
                }
                None => terminal::line(format_args!("  {path}: {why}")),
            }
        }
        if outcome.misses.len() > MAX_MISSES {
            terminal::line(format_args!(
                "  and {} more",
                outcome.misses.len() - MAX_MISSES
            ));
        }
    }
    fixes(outcome);
    if outcome.is_cancelled {
        terminal::note("Ended before it was done; nothing was changed.");
    }
}

fn one(hook: &Told) {
    let (word, tone) = match &hook.ending {
        Ending::Passed => ("Passed", Tone::Good),
        Ending::Failed { .. } => ("Failed", Tone::Bad),
        Ending::CannotRun(_) => ("Cannot run", Tone::Bad),
        Ending::NoFiles => ("(no files to check)Skipped", Tone::Dim),
        Ending::Skipped => ("Skipped", Tone::Warn),
        Ending::NotReached => ("Not reached", Tone::Warn),
    };
    let name = terminal::one_line(&hook.name, WIDTH);
    let dots = WIDTH
        .saturating_sub(name.chars().count() + word.len())
        .max(3);
    terminal::line(format_args!(
        "{name}{}{}",
        ".".repeat(dots),
        paint(tone, word)
    ));
    let is_shown = match &hook.ending {
        Ending::Failed { exit_code, fixed } => {
            terminal::line(paint(Tone::Dim, format!("- hook id: {}", hook.id)));
            if *exit_code != 0 && *fixed == 0 {
                terminal::line(paint(Tone::Dim, format!("- exit code: {exit_code}")));
            }
            if *fixed > 0 {
                let files = if *fixed == 1 { "file" } else { "files" };
                terminal::line(paint(
                    Tone::Dim,
                    format!("- {fixed} {files} fixed by this hook"),
                ));
            }
            true
        }
        Ending::CannotRun(why) => {
            terminal::line(paint(Tone::Dim, format!("- hook id: {}", hook.id)));
            terminal::line(format_args!("  {}", terminal::one_line(why, 600)));
            false
        }
        _ => hook.is_verbose,
    };
    if is_shown && !hook.output.is_empty() {
        terminal::line("");
        for line in String::from_utf8_lossy(&hook.output).trim_end().lines() {
            terminal::line(terminal::clean(line));
        }
        terminal::line("");
    }
}

fn fixes(outcome: &Outcome) {
    if outcome.applied.is_empty() {
        return;
    }
    let count = outcome.applied.len();
    let files = if count == 1 { "file is" } else { "files are" };
    if outcome.is_tree_only {
        terminal::line(format_args!(
            "{count} {files} fixed in the work tree only, because git made an index for this commit alone. Look (`git diff`), \
             then commit again."
        ));
    } else {
        terminal::line(format_args!(
            "{count} {files} fixed and staged. Look (`git diff --staged`), then commit again."
        ));
    }
    for file in &outcome.applied {
        let path = terminal::word(String::from_utf8_lossy(&file.path));
        match file.file {
            InTree::Partly(places) => terminal::line(format_args!(
                "  {path}: your unstaged edit of the same lines stays in the file ({places} left out there); what is staged is fixed."
            )),
            InTree::LeftAlone => {
                terminal::line(format_args!(
                    "  {path}: not in the work tree; only what is staged is fixed."
                ));
            }
            InTree::Filtered if outcome.is_tree_only => terminal::line(format_args!(
                "  {path}: not fixed: a filter makes this file that cannot be turned back, or that .git/config names, which is \
                 not run. Fix it by hand, or `exclude` it from the hook."
            )),
            InTree::Filtered => terminal::line(format_args!(
                "  {path}: only what is staged is fixed: a filter makes this file that cannot be turned back, or that \
                 .git/config names, which is not run."
            )),
            InTree::Kept => terminal::line(format_args!(
                "  {path}: saved twice while the fix was written; one text is in it, the other in {path}.tradewind-kept-0 (or \
                 the next number)."
            )),
            InTree::Fixed if !file.is_staged && !outcome.is_tree_only => terminal::line(
                format_args!("  {path}: staged anew meanwhile, so only the file is fixed."),
            ),
            InTree::Fixed => {}
        }
    }
}

fn json(outcome: &Outcome, stage: Stage) {
    let hooks = outcome.hooks.iter().map(|hook| {
        let (ending, exit_code, fixed, why) = match &hook.ending {
            Ending::Passed => ("passed", Some(0), 0, None),
            Ending::Failed { exit_code, fixed } => ("failed", Some(*exit_code), *fixed, None),
            Ending::NoFiles => ("no_files", None, 0, None),
            Ending::Skipped => ("skipped", None, 0, None),
            Ending::CannotRun(why) => ("cannot_run", None, 0, Some(why.as_str())),
            Ending::NotReached => ("not_reached", None, 0, None),
        };
        JsonHook {
            id: &hook.id,
            name: &hook.name,
            ending,
            exit_code,
            files: hook.files,
            known: hook.known,
            unremembered: hook.unremembered.as_deref(),
            fixed,
            why,
            output: String::from_utf8_lossy(&hook.output).into_owned(),
        }
    });
    let all = Json {
        schema_version: 1,
        stage: stage.name(),
        passed: outcome.is_passed(),
        files: outcome.files,
        known: outcome.known,
        elapsed_ms: u64::try_from(outcome.elapsed.as_millis()).unwrap_or(u64::MAX),
        hooks: hooks.collect(),
        applied: outcome.applied.iter().map(file).collect(),
        remarks: &outcome.remarks,
    };
    terminal::line(serde_json::to_string_pretty(&all).unwrap_or_default());
}

fn file(applied: &Applied) -> JsonFile {
    let (file, left_out) = match applied.file {
        InTree::Fixed => ("fixed", 0),
        InTree::Partly(places) => ("partly", places),
        InTree::LeftAlone => ("left_alone", 0),
        InTree::Filtered => ("filtered", 0),
        InTree::Kept => ("kept", 0),
    };
    JsonFile {
        path: String::from_utf8_lossy(&applied.path).into_owned(),
        staged: applied.is_staged,
        file,
        left_out,
    }
}

pub(super) fn shims(folder: &Folder, done: &[(String, Done)]) {
    terminal::line(format_args!(
        "In {}:",
        terminal::word(folder.path.display())
    ));
    for (name, done) in done {
        let what = match done {
            Done::Installed => "installed",
            Done::Renewed => "renewed",
            Done::Chained => "installed; the hook that was there goes first",
            Done::Replaced => "installed; the one of another runner is kept aside and not run",
            Done::Removed => "removed",
            Done::Restored => "removed; what was there before is back",
            Done::LeftAlone => "not ours, left alone",
        };
        terminal::line(format_args!("  {name:<20} {what}"));
    }
    if done.is_empty() {
        terminal::line("  no hook of ours");
    }
}
