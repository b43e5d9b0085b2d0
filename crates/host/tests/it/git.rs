//! Nothing of a repository's own configuration executes, whatever it says.
#![cfg(unix)]

use std::ffi::OsStr;
use std::fs;
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tradewind_host::git::{Git, GitError, MIN_VERSION, PLUMBING, READING};
use tradewind_host::process::{CommandSpec, Env, run_blocking};

/// A repository whose every setting that can start a program starts one that leaves a mark.
struct Hostile {
    folder: tempfile::TempDir,
    top: PathBuf,
    git: Git,
    head: String,
}

const ENV: &[(&str, &str)] = &[
    ("GIT_AUTHOR_NAME", "A"),
    ("GIT_AUTHOR_EMAIL", "a@b"),
    ("GIT_COMMITTER_NAME", "C"),
    ("GIT_COMMITTER_EMAIL", "c@d"),
];

const HOOKS: &[&str] = &[
    "applypatch-msg",
    "commit-msg",
    "fsmonitor-watchman",
    "post-checkout",
    "post-commit",
    "post-index-change",
    "post-merge",
    "post-rewrite",
    "pre-auto-gc",
    "pre-commit",
    "pre-merge-commit",
    "pre-push",
    "pre-rebase",
    "prepare-commit-msg",
    "reference-transaction",
    "sendemail-validate",
];

const NAMES: &[&[u8]] = &[
    b"new\nline",
    b"quo'te\"",
    b"-rf",
    b"--output=pwned",
    b"\xff\xfe",
    b":(glob)**",
    b"a\tb",
];

impl Hostile {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let git = Git::discover().unwrap();
        let top = fs::canonicalize(folder.path()).unwrap().join("r");
        fs::create_dir(&top).unwrap();
        let run = |args: &[&str], stdin: &str| {
            let output = git.porcelain(&top, args, stdin.into(), ENV).unwrap();
            String::from_utf8(output).unwrap().trim().to_owned()
        };
        run(&["init", "-q", "-b", "main"], "");
        for name in NAMES {
            fs::write(top.join(OsStr::from_bytes(name)), "x\n").unwrap();
        }
        fs::write(
            top.join(".gitattributes"),
            "* diff=evil filter=evil merge=evil\n",
        )
        .unwrap();
        run(&["add", "--all"], "");
        run(&["commit", "-q", "-m", "one"], "");
        // A commit with a signature, so that showing it would ask the signature program.
        let tree = run(&["write-tree"], "");
        let parent = run(&["rev-parse", "HEAD"], "");
        let signed = format!(
            "tree {tree}\nparent {parent}\nauthor A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\ngpgsig \
             -----BEGIN PGP SIGNATURE-----\n \n iQ==\n -----END PGP SIGNATURE-----\n\ntwo\n"
        );
        let head = run(&["hash-object", "-t", "commit", "-w", "--stdin"], &signed);
        run(&["update-ref", "refs/heads/main", &head], "");
        let hostile = Self {
            folder,
            top,
            git,
            head,
        };
        hostile.arm();
        hostile
    }

    fn marks(&self) -> PathBuf {
        self.folder.path().join("marks")
    }

    /// Writes the program, the hooks, and a configuration that names it wherever it can.
    fn arm(&self) {
        fs::create_dir(self.marks()).unwrap();
        let script = self.folder.path().join("evil");
        let body = format!(
            "#!/bin/sh\necho \"$@\" >> '{}'/$$\ncat\nexit 0\n",
            self.marks().display()
        );
        fs::write(&script, body).unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        let evil = script.display();
        let hooks = self.top.join(".git/evil-hooks");
        for dir in [&hooks, &self.top.join(".git/hooks")] {
            fs::create_dir_all(dir).unwrap();
            for hook in HOOKS {
                fs::copy(&script, dir.join(hook)).unwrap();
            }
        }
        // An alternate, whose refs a program may list.
        let alternate = self.folder.path().join("alternate/objects");
        fs::create_dir_all(&alternate).unwrap();
        let info = self.top.join(".git/objects/info/alternates");
        fs::write(info, format!("{}\n", alternate.display())).unwrap();
        let all = READING.iter().chain(PLUMBING);
        let aliases = all
            .map(|c| format!("\t{c} = !{evil} alias\n"))
            .collect::<Vec<_>>()
            .concat();
        let all = READING.iter().chain(PLUMBING);
        let pagers = all
            .map(|c| format!("\t{c} = {evil} pager\n"))
            .collect::<Vec<_>>()
            .concat();
        let config = format!(
            "[core]\n\trepositoryformatversion = 1\n\tfilemode = true\n\tbare = false\n\
             \tfsmonitor = {evil} fsmonitor\n\thooksPath = {hooks}\n\tsshCommand = {evil} ssh\n\
             \tgitProxy = {evil} proxy\n\taskPass = {evil}\n\tpager = {evil} pager\n\teditor = {evil}\n\
             \talternateRefsCommand = {evil} alternate\n\tattributesFile = /dev/null\n\
             [sequence]\n\teditor = {evil}\n[interactive]\n\tdiffFilter = {evil}\n\
             [diff]\n\texternal = {evil} external\n\tsubmodule = diff\n\
             [diff \"evil\"]\n\tcommand = {evil} command\n\ttextconv = {evil} textconv\n\tcachetextconv = false\n\
             [filter \"evil\"]\n\tclean = {evil} clean\n\tsmudge = {evil} smudge\n\trequired = true\n\
             [merge \"evil\"]\n\tdriver = {evil} merge\n\
             [log]\n\tshowSignature = true\n[format]\n\tpretty = %h %G? %GS\n\
             [gpg]\n\tprogram = {evil}\n[gpg \"ssh\"]\n\tprogram = {evil}\n\tdefaultKeyCommand = {evil}\n\
             [commit]\n\tgpgSign = true\n[tag]\n\tgpgSign = true\n\
             [credential]\n\thelper = !{evil} credential\n\
             [protocol]\n\tallow = always\n[protocol \"ext\"]\n\tallow = always\n\
             [extensions]\n\tpartialClone = origin\n\
             [remote \"origin\"]\n\turl = ext::{evil} fetch\n\tpromisor = true\n\tpartialclonefilter = blob:none\n\
             \tuploadpack = {evil} uploadpack\n\treceivepack = {evil} receivepack\n\tvcs = evil\n\
             [uploadpack]\n\tpackObjectsHook = {evil} pack\n[gc]\n\tauto = 1\n[maintenance]\n\tauto = true\n\
             [trailer \"x\"]\n\tcommand = {evil} trailer\n[pager]\n{pagers}[alias]\n{aliases}",
            hooks = hooks.display(),
        );
        fs::write(self.top.join(".git/config"), config).unwrap();
        // Every file now looks changed, so that whoever refreshes would read it through the filter.
        for name in NAMES {
            fs::write(self.top.join(OsStr::from_bytes(name)), "yy\n").unwrap();
        }
    }

    fn marked(&self) -> Vec<String> {
        let read = |entry: fs::DirEntry| fs::read_to_string(entry.path()).unwrap_or_default();
        fs::read_dir(self.marks())
            .unwrap()
            .flatten()
            .map(read)
            .collect()
    }
}

#[test]
fn no_safe_command_executes_anything_of_the_repository() {
    let hostile = Hostile::new();
    let head = hostile.head.as_str();
    let missing = "1234567890123456789012345678901234567890";
    let calls: &[(&[&str], &str)] = &[
        (&["rev-parse", "--show-toplevel"], ""),
        (&["rev-parse", "HEAD^{tree}", "@{upstream}"], ""),
        (&["rev-list", "--all", "--objects"], ""),
        (&["rev-list", "--alternate-refs", "--all"], ""),
        (&["log", "-z", "--format=%H %s", "--all"], ""),
        (&["log", "-p", "--stat", "HEAD"], ""),
        (&["log", "--format=%s", "--name-only"], ""),
        (&["log", "-g", "--format=%H"], ""),
        (&["cat-file", "-p", "HEAD"], ""),
        (&["cat-file", "-p", missing], ""),
        (
            &["cat-file", "--batch"],
            &format!("HEAD:-rf\n{missing}\n{head}\n"),
        ),
        (&["cat-file", "--batch-check"], &format!("{missing}\n")),
        (&["show-ref", "--head"], ""),
        (&["for-each-ref"], ""),
        (&["symbolic-ref", "HEAD"], ""),
        (&["ls-files", "-z", "-s", "-t"], ""),
        (&["ls-files", "-z", "--others", "--exclude-standard"], ""),
        (&["ls-tree", "-r", "-z", "HEAD"], ""),
        (&["diff-tree", "-r", "-p", "--root", "HEAD"], ""),
        (
            &["diff-tree", "--stdin", "-r", "-z", "--raw"],
            &format!("{head}\n"),
        ),
        (&["merge-base", "HEAD", "HEAD~1"], ""),
        (&["check-ignore", "-v", "-rf"], ""),
        (&["check-attr", "-a", "--", "-rf"], ""),
        (&["check-ref-format", "refs/heads/x"], ""),
        (&["count-objects", "-v"], ""),
        (&["config", "--list", "-z"], ""),
        (&["var", "GIT_COMMITTER_IDENT"], ""),
        (&["version"], ""),
        (&["hash-object", "-w", "--stdin"], "content"),
        (&["mktree"], ""),
        (&["write-tree"], ""),
        (&["commit-tree", "HEAD^{tree}", "-m", "x"], ""),
        (&["update-ref", "refs/heads/made", "HEAD"], ""),
        (&["update-index", "--index-info"], ""),
        (&["read-tree", "HEAD"], ""),
    ];
    for name in READING.iter().chain(PLUMBING) {
        assert!(
            calls.iter().any(|(args, _)| args[0] == *name),
            "{name} is not tried"
        );
    }
    for (args, stdin) in calls {
        // Some have nothing to answer, as for a missing object; none may leave a mark.
        let answer = hostile
            .git
            .run_with_stdin(&hostile.top, args, (*stdin).into());
        assert_eq!(
            hostile.marked(),
            Vec::<String>::new(),
            "{args:?}: {answer:?}"
        );
    }
}

#[test]
fn the_trap_is_armed_without_the_runner() {
    let hostile = Hostile::new();
    let mut spec = CommandSpec::new("git", &hostile.top).args(["diff", "--stat"]);
    spec.env = Env::inherit().with("GIT_CONFIG_GLOBAL", "/dev/null");
    run_blocking(spec).unwrap();
    assert!(!hostile.marked().is_empty());
}

#[test]
fn porcelain_runs_no_hook_no_monitor_and_no_signature_program() {
    let hostile = Hostile::new();
    // Filters are what the user's own command needs; without attributes there are none.
    fs::write(hostile.top.join(".gitattributes"), "").unwrap();
    for args in [
        ["status", "--short"].as_slice(),
        &["add", "--all"],
        &["commit", "-q", "-m", "made by us"],
        &["checkout", "-q", "-b", "other"],
        &["tag", "-a", "-m", "note", "v1"],
    ] {
        hostile
            .git
            .porcelain(&hostile.top, args, Vec::new(), ENV)
            .unwrap();
        assert_eq!(hostile.marked(), Vec::<String>::new(), "{args:?}");
    }
}

#[test]
fn hostile_names_come_through_whole() {
    let hostile = Hostile::new();
    let mut names = Vec::new();
    let all = hostile
        .git
        .records(&hostile.top, &["ls-files", "-z"], Vec::new(), 0, |name| {
            names.push(name.to_vec());
            ControlFlow::Continue(())
        });
    assert!(all.unwrap());
    for name in NAMES {
        assert!(names.contains(&name.to_vec()), "{name:?}");
    }
}

#[test]
fn what_may_run_a_filter_or_an_alias_is_refused() {
    let git = Git::discover().unwrap();
    let here = Path::new("/");
    for command in [
        "status",
        "diff",
        "blame",
        "archive",
        "fetch",
        "lg",
        "",
        "-c",
        "--exec-path=/x",
    ] {
        let error = git.run_blocking(here, &[command]).unwrap_err();
        assert!(matches!(error, GitError::Refused { .. }), "{command}");
    }
    let error = git
        .porcelain(here, &["-c", "alias.x=!id", "x"], Vec::new(), &[])
        .unwrap_err();
    assert!(matches!(error, GitError::Refused { .. }));
    assert!(git.version() >= MIN_VERSION);
}

#[test]
fn an_error_names_the_command_the_place_and_what_git_said() {
    let folder = tempfile::tempdir().unwrap();
    let git = Git::discover().unwrap();
    let error = git
        .run_blocking(folder.path(), &["rev-parse", "--git-dir"])
        .unwrap_err();
    assert_eq!(error.exit_code(), Some(128));
    let text = error.to_string();
    assert!(
        text.starts_with("git rev-parse in ") && text.contains("not a git repository"),
        "{text}"
    );
}

#[test]
fn a_stream_of_records_can_be_stopped() {
    let hostile = Hostile::new();
    let mut seen = 0;
    let all = hostile
        .git
        .records(&hostile.top, &["ls-files", "-z"], Vec::new(), 0, |_| {
            seen += 1;
            ControlFlow::Break(())
        });
    assert!(!all.unwrap());
    assert_eq!(seen, 1);
}

#[tokio::test]
async fn the_async_runner_answers_the_same() {
    let hostile = Hostile::new();
    let answer = hostile
        .git
        .run(&hostile.top, &["rev-parse", "HEAD"])
        .await
        .unwrap();
    assert_eq!(answer, format!("{}\n", hostile.head).into_bytes());
}
