//! `tradewind hook` under real `git commit`, in the ways in which people commit.

use std::path::Path;
use std::process::Output;

use crate::support::{Repo, User, program, skipped};

const CONFIG: &str = "\
repos:
- repo: builtin
  hooks:
  - id: trailing-whitespace
  - id: check-json
- repo: local
  hooks:
  - {id: shout, name: shout, entry: python3 shout.py, language: system, files: '\\.say$'}
  - {id: message, name: message, entry: python3 message.py, language: system, stages: [commit-msg]}
";

/// Fixes what it is given, and looks at what git says of the copy it runs in.
const SHOUT: &str = "\
import subprocess, sys
staged = subprocess.run(['git', 'diff', '--staged', '--name-only'], capture_output=True, text=True, check=True).stdout
for path in sys.argv[1:]:
    assert path in staged.split(), (path, staged)
    text = open(path).read()
    if text != text.upper():
        open(path, 'w').write(text.upper())
";

const MESSAGE: &str = "\
import sys
text = open(sys.argv[1]).read()
sys.exit('the message says nothing' if len(text) < 10 else 0)
";

/// A bot's repository with hooks of both kinds, and its owner.
pub(crate) struct Bot {
    pub(crate) user: User,
    pub(crate) repo: Repo,
}

impl Bot {
    /// Makes one; `None` where there is no Python, in which its own hooks are written.
    pub(crate) fn new() -> Option<Self> {
        if program(&["python3"]).is_none() {
            skipped("python", "no python3 on the path");
            return None;
        }
        let mut user = User::new();
        let cache = user.home.path().join("cache");
        user.set("XDG_CACHE_HOME", cache.to_str().unwrap());
        let repo = Repo::new(user.home.path().join("bot"));
        repo.write(".pre-commit-config.yaml", CONFIG);
        repo.write("shout.py", SHOUT);
        repo.write("message.py", MESSAGE);
        repo.write("a.txt", "1\n2\n3\n");
        repo.write("b.json", "{}\n");
        repo.commit("a bot");
        user.ok(&repo.path, &["hook", "install"]);
        Some(Self { user, repo })
    }

    /// Runs git as the user does: with hooks, which find their caches and state where the user's are.
    pub(crate) fn git(&self, args: &[&str]) -> Output {
        self.git_in(&self.repo.path, args)
    }

    pub(crate) fn git_in(&self, dir: &Path, args: &[&str]) -> Output {
        let known = self.user.tradewind(dir);
        #[expect(
            clippy::disallowed_methods,
            reason = "the user's own git, with hooks on"
        )]
        let mut git = std::process::Command::new("git");
        let none = if cfg!(windows) { "NUL" } else { "/dev/null" };
        git.env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", none);
        git.args([
            "-c",
            "user.name=ada",
            "-c",
            "user.email=ada@example.invalid",
        ])
        .args(args)
        .current_dir(dir);
        for (name, value) in known.get_envs() {
            match value {
                Some(value) => git.env(name, value),
                None => git.env_remove(name),
            };
        }
        git.output().unwrap()
    }

    fn commits(&self) -> usize {
        self.repo
            .git(&["rev-list", "--count", "HEAD"])
            .trim()
            .parse()
            .unwrap()
    }
}

pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

#[test]
fn a_commit_that_is_fixed_stops_once_and_goes_through_the_second_time() {
    let Some(bot) = Bot::new() else { return };
    bot.repo.write("a.txt", "1  \n2\n3\n");
    bot.repo.write("x.say", "hello\n");
    bot.repo.git(&["add", "-A"]);
    bot.repo.write("a.txt", "1  \n2\n3\n4 UNSTAGED  \n");
    let first = bot.git(&["commit", "-qm", "something to say"]);
    assert!(!first.status.success(), "{}", said(&first));
    assert!(
        said(&first).contains("2 files are fixed and staged"),
        "{}",
        said(&first)
    );
    assert_eq!(bot.repo.git(&["show", ":a.txt"]), "1\n2\n3");
    assert_eq!(bot.repo.git(&["show", ":x.say"]), "HELLO");
    assert_eq!(bot.repo.read("a.txt").unwrap(), "1\n2\n3\n4 UNSTAGED  \n");
    assert_eq!(bot.repo.read("x.say").unwrap(), "HELLO\n");
    let second = bot.git(&["commit", "-qm", "something to say"]);
    assert!(second.status.success(), "{}", said(&second));
    assert_eq!(bot.commits(), 2);
    assert_eq!(bot.repo.read("a.txt").unwrap(), "1\n2\n3\n4 UNSTAGED  \n");
}

#[test]
fn with_an_index_of_its_own_a_commit_is_fixed_in_the_files_only() {
    for how in [
        &["commit", "-qam", "all of it now"][..],
        &["commit", "-qm", "only this one", "a.txt"],
    ] {
        let Some(bot) = Bot::new() else { return };
        bot.repo.write("a.txt", "1  \n2\n3\n");
        let first = bot.git(how);
        assert!(!first.status.success(), "{how:?}: {}", said(&first));
        assert!(
            said(&first).contains("in the work tree only"),
            "{how:?}: {}",
            said(&first)
        );
        assert_eq!(bot.repo.read("a.txt").unwrap(), "1\n2\n3\n", "{how:?}");
        assert_eq!(
            bot.repo.git(&["diff", "--staged", "--name-only"]),
            "",
            "{how:?}"
        );
        bot.repo.write("a.txt", "1\n2\n3 more\n");
        let second = bot.git(how);
        assert!(second.status.success(), "{how:?}: {}", said(&second));
        assert_eq!(bot.commits(), 2, "{how:?}");
    }
}

#[test]
fn what_is_broken_stops_and_the_first_commit_of_a_repository_is_checked_too() {
    let Some(bot) = Bot::new() else { return };
    bot.repo.write("b.json", "{\n");
    bot.repo.git(&["add", "-A"]);
    let stopped = bot.git(&["commit", "-qm", "half a file of json"]);
    assert!(said(&stopped).contains("b.json"), "{}", said(&stopped));
    assert_eq!(bot.commits(), 1);
    // What lies in the work tree does not count, what is staged does.
    bot.repo.write("b.json", "{}\n");
    assert!(
        !bot.git(&["commit", "-qm", "still half a file"])
            .status
            .success()
    );

    let new = bot.user.home.path().join("new");
    let repo = Repo::new(new);
    repo.write(".pre-commit-config.yaml", CONFIG);
    repo.write("message.py", MESSAGE);
    repo.write("b.json", "{\n");
    repo.git(&["add", "-A"]);
    bot.user.ok(&repo.path, &["hook", "install"]);
    let first = bot.git_in(&repo.path, &["commit", "-qm", "the very first one"]);
    assert!(!first.status.success(), "{}", said(&first));
    repo.write("b.json", "{}\n");
    repo.git(&["add", "-A"]);
    let first = bot.git_in(&repo.path, &["commit", "-qm", "the very first one"]);
    assert!(first.status.success(), "{}", said(&first));
    assert!(!said(&first).contains("came without"), "{}", said(&first));
    let amended = bot.git_in(
        &repo.path,
        &["commit", "-q", "--amend", "-m", "the very first again"],
    );
    assert!(amended.status.success(), "{}", said(&amended));
}

#[test]
fn a_message_is_checked_and_the_guard_judges_the_commit() {
    let Some(bot) = Bot::new() else { return };
    bot.repo.write("a.txt", "1\n");
    bot.repo.git(&["add", "-A"]);
    let short = bot.git(&["commit", "-qm", "x"]);
    assert!(
        said(&short).contains("the message says nothing"),
        "{}",
        said(&short)
    );
    assert!(
        bot.git(&["commit", "-qm", "a message with words"])
            .status
            .success()
    );
    bot.repo.write("bot/__init__.py", "");
    bot.repo.write("bot/risk.py", "LIMIT = 1\n");
    bot.repo
        .write("bot/main.py", "from bot.risk import LIMIT\n");
    bot.repo.git(&["add", "-A"]);
    let made = bot.git(&["commit", "-qm", "a bot with risk"]);
    assert!(made.status.success(), "{}", said(&made));
    bot.repo.git(&["rm", "-q", "bot/risk.py"]);
    let stopped = bot.git(&["commit", "-qm", "risk is not needed"]);
    assert!(!stopped.status.success(), "{}", said(&stopped));
    assert!(
        said(&stopped).contains("bot/main.py:1"),
        "{}",
        said(&stopped)
    );
    bot.repo.write("bot/main.py", "LIMIT = 1\n");
    bot.repo.git(&["add", "-A"]);
    let told = bot.git(&["commit", "-qm", "docs: how to start"]);
    assert!(told.status.success(), "{}", said(&told));
    assert!(
        said(&told).contains("The message speaks of documents, and bot/risk.py goes."),
        "{}",
        said(&told)
    );
}

#[test]
fn what_came_past_the_hooks_is_told_and_checked_when_it_is_pushed() {
    let Some(bot) = Bot::new() else { return };
    let there = bot.user.home.path().join("there.git");
    let there = there.to_str().unwrap();
    bot.repo.git(&["init", "-q", "--bare", there]);
    bot.repo.git(&["remote", "add", "origin", there]);
    bot.repo.write("b.json", "{\n");
    bot.repo.git(&["add", "-A"]);
    let past = bot.git(&["commit", "-q", "--no-verify", "-m", "in a hurry"]);
    assert!(past.status.success());
    assert!(
        said(&past).contains("came without pre-commit"),
        "{}",
        said(&past)
    );
    let pushed = bot.git(&["push", "-q", "origin", "HEAD:main"]);
    assert!(!pushed.status.success(), "{}", said(&pushed));
    assert!(
        said(&pushed).contains("commits came without pre-commit"),
        "{}",
        said(&pushed)
    );
    bot.repo.write("b.json", "{}\n");
    bot.repo.git(&["add", "-A"]);
    let mended = bot.git(&["commit", "-qm", "a whole file of json"]);
    assert!(mended.status.success(), "{}", said(&mended));
    assert!(!said(&mended).contains("came without"), "{}", said(&mended));
    let pushed = bot.git(&["push", "-q", "origin", "HEAD:main"]);
    assert!(pushed.status.success(), "{}", said(&pushed));
}

#[test]
fn a_hook_that_was_there_goes_first_and_is_back_after_uninstall() {
    let Some(bot) = Bot::new() else { return };
    bot.user.ok(&bot.repo.path, &["hook", "uninstall"]);
    let hook = ".git/hooks/pre-commit";
    let own = "#!/bin/sh\necho own hook\n";
    bot.repo.write(hook, own);
    executable(&bot.repo.path.join(hook));
    let installed = bot.user.ok(&bot.repo.path, &["hook", "install"]);
    assert!(installed.contains("goes first"), "{installed}");
    // A second time changes nothing.
    let again = bot.user.ok(&bot.repo.path, &["hook", "install"]);
    assert!(again.contains("renewed"), "{again}");
    bot.repo.write("a.txt", "other\n");
    let made = bot.git(&["commit", "-qam", "with both hooks"]);
    assert!(made.status.success(), "{}", said(&made));
    assert!(said(&made).contains("own hook"), "{}", said(&made));
    assert!(
        said(&made).contains("trim trailing whitespace"),
        "{}",
        said(&made)
    );
    let gone = bot.user.ok(&bot.repo.path, &["hook", "uninstall"]);
    assert!(gone.contains("what was there before is back"), "{gone}");
    assert_eq!(bot.repo.read(hook).unwrap(), own);
    assert!(!bot.repo.path.join(".git/hooks/commit-msg").exists());
}

#[cfg(unix)]
fn executable(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[cfg(not(unix))]
fn executable(_: &Path) {}

#[test]
fn line_ends_and_links_and_modes_come_through_as_git_has_them() {
    let Some(bot) = Bot::new() else { return };
    bot.repo.write(".gitattributes", "*.bat text eol=crlf\n");
    bot.repo.write("run.bat", "echo 1  \r\necho 2\r\n");
    bot.repo.git(&["add", "-A"]);
    bot.repo
        .write("run.bat", "echo 1  \r\necho 2\r\necho UNSTAGED\r\n");
    let stopped = bot.git(&["commit", "-qm", "a batch file with blanks"]);
    assert!(!stopped.status.success(), "{}", said(&stopped));
    assert_eq!(bot.repo.git(&["show", ":run.bat"]), "echo 1\necho 2");
    assert_eq!(
        bot.repo.read("run.bat").unwrap(),
        "echo 1\r\necho 2\r\necho UNSTAGED\r\n"
    );
    assert!(
        bot.git(&["commit", "-qm", "a batch file without"])
            .status
            .success()
    );
}

#[test]
fn mistakes_are_told_with_the_way_on() {
    let user = User::new();
    let nowhere = user.run(user.home.path(), &["hook", "run"]);
    assert_eq!(nowhere.code, Some(2), "{nowhere:#?}");
    assert!(nowhere.err.contains("git init"), "{nowhere:#?}");
    let bare = user.home.path().join("bare.git");
    Repo::new(user.home.path().join("any")).git(&["init", "-q", "--bare", bare.to_str().unwrap()]);
    let bare = user.run(&bare, &["hook", "run"]);
    assert_eq!(bare.code, Some(2), "{bare:#?}");
    let Some(bot) = Bot::new() else { return };
    let run = |args: &[&str]| bot.user.run(&bot.repo.path, args);
    assert_eq!(run(&["hook", "run", "pre-lunch"]).code, Some(2));
    assert_eq!(run(&["hook", "run", "--only", "nothing"]).code, Some(2));
    assert_eq!(
        run(&["hook", "run", "--config", "absent.yaml"]).code,
        Some(3)
    );
    assert_eq!(run(&["hook", "run", "commit-msg"]).code, Some(2));
    bot.repo.write(
        ".pre-commit-config.yaml",
        "repos: [{repo: local, hooks: [{id: x}]}]\n",
    );
    let differs = run(&["hook", "run"]);
    assert_eq!(differs.code, Some(1), "{differs:#?}");
    assert!(
        differs.err.contains("git add .pre-commit-config.yaml"),
        "{differs:#?}"
    );
    bot.repo.git(&["add", "-A"]);
    let wrong = run(&["hook", "run"]);
    assert_eq!(wrong.code, Some(3), "{wrong:#?}");
}

#[test]
fn a_hook_that_says_something_else_when_asked_again_is_told_and_journaled() {
    let Some(bot) = Bot::new() else { return };
    // The interpreter itself: what is on the path may be a script that chooses one.
    let say = "import os, sys; print(os.path.realpath(sys.executable), end='')";
    let python = program(&["python3"]).unwrap();
    #[expect(
        clippy::disallowed_methods,
        reason = "the test asks the user's own Python"
    )]
    let python = std::process::Command::new(python)
        .args(["-c", say])
        .output()
        .unwrap();
    let python = String::from_utf8(python.stdout).unwrap();
    let home = bot.user.home.path().canonicalize().unwrap();
    let secret = home.join("secret");
    std::fs::write(&secret, "0").unwrap();
    let sly = home.join("sly.py");
    let code = format!(
        "import sys\nsys.exit(int(open({:?}).read()))\n",
        secret.to_str().unwrap()
    );
    std::fs::write(&sly, code).unwrap();
    bot.repo.write(
        ".pre-commit-config.yaml",
        &format!(
            "repos:\n- repo: local\n  hooks:\n  - {{id: sly, name: sly, entry: {python} {}, language: system, files: '^a'}}\n",
            sly.display()
        ),
    );
    bot.repo.write("tradewind.toml", "[hooks.per_file.sly]\n");
    bot.repo.git(&["add", "-A"]);
    let run = |args: &[&str]| bot.user.run(&bot.repo.path, args);
    let asked = run(&["hook", "run", "--all-files", "--explain"]);
    assert!(
        asked.out.contains("a.txt: sly: never seen clean"),
        "{asked:#?}"
    );
    assert!(
        run(&["hook", "run", "--all-files", "--explain"])
            .out
            .contains("sly: 1 of 1 files known")
    );
    std::fs::write(&secret, "1").unwrap();
    assert_eq!(run(&["hook", "run", "--all-files"]).code, Some(0));
    let found = run(&["hook", "referee"]);
    assert_eq!(found.code, Some(1), "{found:#?}");
    assert!(
        found.out.contains("sly: it says something else now"),
        "{found:#?}"
    );
    assert!(found.out.contains("a.txt"), "{found:#?}");
    assert!(run(&["log"]).out.contains("delivery.verdict.refuted"));
    assert_eq!(run(&["hook", "run", "--all-files"]).code, Some(1));
    assert_eq!(run(&["hook", "referee", "--share", "2"]).code, Some(2));
}
