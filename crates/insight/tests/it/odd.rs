//! Repositories in any state are audited, and what they lack is said under *not checked*.

use std::fs;
use std::path::Path;

use jiff::civil::date;
use tradewind_host::files;
use tradewind_host::git::Git;
use tradewind_insight::{Audit, Request, audit};

use crate::scratch::Scratch;

/// By which the tests' own git may clone from a folder.
const MAY_CLONE: &[(&str, &str)] = &[("GIT_ALLOW_PROTOCOL", "file")];

fn run(git: &Git, path: &Path) -> Audit {
    let audit = audit::run(&Request::new(git.clone(), path, date(2026, 11, 23)));
    let audit = audit.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(audit.broken, [""; 0], "{}", path.display());
    audit
}

fn bot(scratch: &mut Scratch) {
    for n in 0..4 {
        let code = format!("print(eval(input(\"expression: \")))\ny = {n}\n");
        scratch.write("bot.py", code.as_bytes());
        scratch.write("README.md", b"# bot\n\nRun `python bot.py`.\n");
        scratch.commit(&format!("feat: step {n}"));
    }
}

fn says(audit: &Audit, words: &str) -> bool {
    audit.not_checked.iter().any(|it| it.reason.contains(words))
}

fn clone(scratch: &Scratch, name: &str, options: &[&str]) -> std::path::PathBuf {
    let into = scratch.top.with_file_name(name);
    let from = files::to_slash(&scratch.top);
    let from = format!("file:///{}", from.trim_start_matches('/'));
    let target = into.to_string_lossy();
    let args = [&["clone", "-q"], options, &[&from, &target]].concat();
    scratch
        .git
        .porcelain(&scratch.top, &args, Vec::new(), MAY_CLONE)
        .unwrap();
    into
}

#[test]
fn a_shallow_and_broken_repository_is_never_called_clean() {
    let git = Git::discover().unwrap();
    let mut scratch = Scratch::new(&git);
    bot(&mut scratch);
    // What a shallow clone has: the file that names its edge. Its contents lie in no pack, so one can go.
    let edge = scratch.run(&["rev-parse", "HEAD~1"]);
    fs::write(scratch.top.join(".git/shallow"), format!("{edge}\n")).unwrap();
    let blob = scratch.run(&["rev-parse", "HEAD:bot.py"]);
    let top = &scratch.top;
    let (folder, file) = blob.split_at(2);
    fs::remove_file(top.join(".git/objects").join(folder).join(file)).unwrap();
    // As long as the file on the disk is the same, it can be read instead.
    let changed = b"print(eval(input(\"expression: \")))\nchanged = 1\n";
    fs::write(top.join("bot.py"), changed).unwrap();
    let audit = run(&git, top);
    assert!(says(&audit, "shallow"), "{:?}", audit.not_checked);
    assert!(
        says(&audit, "the clone does not hold"),
        "{:?}",
        audit.not_checked
    );
    // What is there is judged all the same.
    assert!(
        audit
            .findings
            .iter()
            .any(|it| it.rule == "eval-exec-pickle")
    );
    // Nothing can be read at all: no finding, no silence.
    fs::write(top.join(".git/index"), b"DIRC is no index").unwrap();
    match audit::run(&Request::new(git.clone(), top, date(2026, 11, 23))) {
        Ok(audit) => assert!(!audit.not_checked.is_empty()),
        Err(error) => assert!(error.to_string().contains("git"), "{error}"),
    }
}

#[test]
fn repositories_in_every_state_are_audited() {
    let git = Git::discover().unwrap();
    let mut scratch = Scratch::new(&git);
    let unborn = run(&git, &scratch.top);
    assert_eq!(unborn.sources.history.commits.len(), 0);
    bot(&mut scratch);
    let whole = run(&git, &scratch.top);
    let rules = |audit: &Audit| -> Vec<String> {
        audit.findings.iter().map(|it| it.rule.clone()).collect()
    };
    assert!(rules(&whole).contains(&"eval-exec-pickle".to_owned()));
    let bare = clone(&scratch, "bare.git", &["--bare"]);
    assert!(rules(&run(&git, &bare)).contains(&"eval-exec-pickle".to_owned()));
    scratch.run(&["config", "uploadpack.allowFilter", "true"]);
    let partial = clone(&scratch, "partial", &["--bare", "--filter=blob:none"]);
    assert!(says(&run(&git, &partial), "not in this clone"));
    scratch.run(&["worktree", "add", "-q", "--detach", "../linked", "HEAD~1"]);
    let linked = run(&git, &scratch.top.with_file_name("linked"));
    assert_eq!(linked.sources.history.commits.len(), 3);
    assert_eq!(linked.repository.branch, None, "HEAD is detached");
    assert!(rules(&linked).contains(&"eval-exec-pickle".to_owned()));
    let commit = scratch.run(&["rev-parse", "HEAD"]);
    let module = format!("160000,{commit},sub");
    scratch.run(&["update-index", "--add", "--cacheinfo", &module]);
    assert_eq!(run(&git, &scratch.top).findings.len(), whole.findings.len());
    // Nothing but a folder that says it is a repository.
    let empty = scratch.top.with_file_name("empty");
    fs::create_dir_all(empty.join(".git")).unwrap();
    assert!(!run(&git, &empty).not_checked.is_empty());
}
