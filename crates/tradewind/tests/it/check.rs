//! `tradewind check` on real repositories, with real programs.

use std::path::PathBuf;
use std::time::Instant;

use serde_json::Value;

use crate::support::{Repo, Said, User};

struct Bot {
    user: User,
    repo: Repo,
}

impl Bot {
    fn new(config: &str) -> Self {
        let mut user = User::new();
        let cache = user.home.path().join("cache");
        user.set("XDG_CACHE_HOME", cache.to_str().unwrap());
        let repo = Repo::new(user.home.path().join("bot"));
        repo.write("tradewind.toml", config);
        repo.write("bot.txt", "fee 1\n");
        repo.write(".gitignore", "ignored.txt\n");
        repo.commit("a bot");
        let bot = Self { user, repo };
        if !config.is_empty() {
            bot.user.ok(&bot.repo.path, &["trust", "--yes"]);
        }
        bot
    }

    fn check(&self, args: &[&str]) -> Said {
        let args: Vec<&str> = ["check"].iter().chain(args).copied().collect();
        self.user.run(&self.repo.path, &args)
    }

    /// Runs checks and returns what is said of them to programs.
    fn json(&self, args: &[&str]) -> Value {
        let args: Vec<&str> = args.iter().copied().chain(["--format", "json"]).collect();
        let said = self.check(&args);
        serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {said:#?}"))
    }
}

fn verdict<'a>(all: &'a Value, name: &str) -> &'a str {
    let checks = all["checks"].as_array().unwrap();
    let one = checks.iter().find(|check| check["name"] == name).unwrap();
    one["verdict"].as_str().unwrap()
}

fn field<'a>(all: &'a Value, name: &str, field: &str) -> &'a Value {
    let checks = all["checks"].as_array().unwrap();
    let one = checks.iter().find(|check| check["name"] == name).unwrap();
    &one[field]
}

#[test]
fn what_a_clone_declares_runs_only_after_trust() {
    let bot = Bot::new("");
    let config = "[checks.a]\nkind = \"lint\"\nshell = \"echo run > ../../ran; echo run\"\n";
    bot.repo.write("tradewind.toml", config);
    let said = bot.check(&[]);
    assert_eq!(said.code, Some(3), "{said:#?}");
    assert!(said.err.contains("tradewind trust"), "{said:#?}");
    let shown = bot.user.run(&bot.repo.path, &["trust", "--show"]);
    assert!(shown.out.contains("checks.a"), "{shown:#?}");
    bot.user.ok(&bot.repo.path, &["trust", "--yes"]);
    assert_eq!(bot.check(&[]).code, Some(0));
    // Another text of the same file is not what was allowed.
    bot.repo
        .write("tradewind.toml", &config.replace("lint", "unit"));
    assert_eq!(bot.check(&[]).code, Some(3));
}

#[cfg(unix)]
#[test]
fn a_check_sees_exactly_the_tree_that_is_named() {
    let bot = Bot::new(
        "[checks.see]\nkind = \"unit\"\nshell = \"cat bot.txt; ls; git status --porcelain; git log --format=%s\"\n",
    );
    bot.repo.write("new.txt", "untracked\n");
    bot.repo.write("ignored.txt", "ignored\n");
    let output = |args: &[&str]| {
        let all = bot.json(args);
        assert_eq!(verdict(&all, "see"), "passed");
        field(&all, "see", "output").as_str().unwrap().to_owned()
    };
    let first = output(&["--at", "HEAD"]);
    assert_eq!(first, "fee 1\nbot.txt\ntradewind.toml\na bot\n");
    bot.repo.write("bot.txt", "fee 2\n");
    bot.repo.git(&["add", "bot.txt"]);
    bot.repo.write("bot.txt", "fee 3\n");
    assert_eq!(output(&["--at", "HEAD"]), first);
    assert!(output(&["--staged"]).starts_with("fee 2\nbot.txt\ntradewind.toml\n"));
    let here = output(&["--worktree"]);
    assert!(
        here.starts_with("fee 3\nbot.txt\nnew.txt\ntradewind.toml\n"),
        "{here}"
    );
    // Without a word it is the work tree, because that differs from the commit, and it says so.
    let said = bot.check(&[]);
    assert!(said.err.contains("the work tree as it is"), "{said:#?}");
    // Nothing of it was written into the repository.
    assert_eq!(bot.repo.read("bot.txt").unwrap(), "fee 3\n");
    let status = bot.repo.git(&["status", "--porcelain"]);
    assert_eq!(status, "MM bot.txt\n?? new.txt");
    bot.repo.commit("all");
    let said = bot.check(&[]);
    assert!(said.err.contains("Checking commit "), "{said:#?}");
    // What a check leaves behind is gone before the next one.
    bot.repo.git(&["rm", "-q", "new.txt"]);
    bot.repo.commit("without");
    assert!(!output(&[]).contains("new.txt"));
}

#[cfg(unix)]
#[test]
fn what_needs_a_failed_check_is_not_run_and_says_why() {
    let bot = Bot::new(
        "[checks.lint]\nkind = \"lint\"\nshell = \"echo no good; exit 3\"\n\
         [checks.unit]\nkind = \"unit\"\nshell = \"true\"\nneeds = [\"lint\"]\n\
         [checks.later]\nkind = \"unit\"\nshell = \"true\"\nneeds = [\"unit\"]\n\
         [checks.other]\nkind = \"unit\"\nrun = [\"true\"]\n\
         [checks.gone]\nkind = \"unit\"\nrun = [\"no-such-program\"]\n\
         [checks.live]\nkind = \"integration\"\nrun = [\"true\"]\n",
    );
    let said = bot.check(&[]);
    assert_eq!(said.code, Some(1), "{said:#?}");
    assert!(said.out.contains("no good"), "{said:#?}");
    let all = bot.json(&["--jobs", "3"]);
    let verdicts =
        ["lint", "unit", "later", "other", "gone", "live"].map(|name| verdict(&all, name));
    assert_eq!(
        verdicts,
        [
            "failed", "skipped", "skipped", "passed", "broken", "skipped"
        ]
    );
    assert_eq!(field(&all, "lint", "exit_code"), 3);
    assert_eq!(field(&all, "unit", "reason"), "lint failed");
    assert_eq!(field(&all, "later", "reason"), "unit was not run");
    assert_eq!(all["passed"], false);
    // What may call the outside runs when it is named; it is no fault that it does not otherwise.
    assert_eq!(verdict(&bot.json(&["live"]), "live"), "passed");
    assert_eq!(bot.check(&["other"]).code, Some(0));
    assert_eq!(bot.check(&["nope"]).code, Some(2));
}

/// Says whether a process with this word in its command line lives.
#[cfg(target_os = "linux")]
fn lives(word: &str) -> bool {
    let processes = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    processes
        .map(|entry| entry.path().join("cmdline"))
        .filter_map(|path| std::fs::read(path).ok())
        .any(|line| String::from_utf8_lossy(&line).contains(word))
}

#[cfg(target_os = "linux")]
#[test]
fn a_time_limit_ends_everything_that_was_started_and_nothing_is_left_behind() {
    // A word of this run's own, that the programs carry in their command lines.
    let word = format!("86{}", std::process::id());
    let bot = Bot::new(&format!(
        "[checks.slow]\nkind = \"unit\"\nshell = \"echo begun; (trap '' TERM; sleep {word}1 & wait) & sleep {word}2\"\n\
         time_limit = \"1s\"\n\
         [checks.left]\nkind = \"unit\"\nshell = \"sleep {word}3 >/dev/null 2>&1 & echo started\"\n"
    ));
    let begun = Instant::now();
    let all = bot.json(&[]);
    assert!(begun.elapsed().as_secs() < 40, "{:?}", begun.elapsed());
    assert_eq!(verdict(&all, "slow"), "timed_out");
    assert_eq!(field(&all, "slow", "output"), "begun\n");
    assert_eq!(verdict(&all, "left"), "passed");
    assert!(
        field(&all, "left", "remarks")
            .to_string()
            .contains("left a program running"),
        "{all:#}"
    );
    assert!(!lives(&word));
}

#[cfg(target_os = "linux")]
#[test]
fn ctrl_c_ends_all_checks_and_says_so() {
    let word = format!("87{}", std::process::id());
    let bot = Bot::new(&format!(
        "[checks.a]\nkind = \"unit\"\nshell = \"touch {0}/begun; sleep {word}1\"\n\
         [checks.b]\nkind = \"unit\"\nshell = \"sleep {word}2\"\nneeds = [\"a\"]\n",
        // Outside the copy, so that this test sees it.
        std::env::temp_dir().join(&word).display()
    ));
    let dir = std::env::temp_dir().join(&word);
    std::fs::create_dir_all(&dir).unwrap();
    let child = bot
        .user
        .tradewind(&bot.repo.path)
        .args(["check", "--format", "json"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    bot.user.until("check that begins", || {
        dir.join("begun").exists().then_some(())
    });
    #[expect(clippy::disallowed_methods, reason = "the user's own keyboard")]
    let told = std::process::Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(told.unwrap().success());
    let said = Said::from(child.wait_with_output().unwrap());
    std::fs::remove_dir_all(&dir).unwrap();
    assert_eq!(said.code, Some(1), "{said:#?}");
    let all: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(all["cancelled"], true);
    assert_eq!([verdict(&all, "a"), verdict(&all, "b")], ["cancelled"; 2]);
    assert!(!lives(&word));
}

#[cfg(unix)]
#[test]
fn results_and_coverage_are_read_and_hostile_ones_are_not_believed() {
    let bot = Bot::new(
        "[checks.good]\nkind = \"unit\"\nshell = \"cp results.xml out.xml; cp coverage.json cov.json\"\n\
         junit = \"out.xml\"\ncoverage = \"cov.json\"\n\
         [checks.bad]\nkind = \"unit\"\nshell = \"cp bomb.xml out.xml\"\njunit = \"out.xml\"\n\
         [checks.none]\nkind = \"unit\"\nshell = \"true\"\njunit = \"out.xml\"\n",
    );
    bot.repo.write(
        "results.xml",
        "<testsuites><testsuite><testcase classname=\"t\" name=\"a\"/><testcase classname=\"t\" name=\"b\"><failure message=\"1 is not 2\"/></testcase></testsuite></testsuites>",
    );
    bot.repo.write(
        "coverage.json",
        "{\"totals\": {\"covered_lines\": 1, \"num_statements\": 3}}",
    );
    bot.repo.write(
        "bomb.xml",
        "<!DOCTYPE l [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><testsuites>&b;</testsuites>",
    );
    bot.repo.commit("results");
    let all = bot.json(&["--jobs", "1"]);
    let tests = field(&all, "good", "tests");
    assert_eq!((&tests["passed"], &tests["failed"]), (&1.into(), &1.into()));
    assert_eq!(tests["failures"][0]["message"], "1 is not 2");
    assert_eq!(field(&all, "good", "coverage")["lines"], 3);
    assert_eq!(field(&all, "bad", "tests"), &Value::Null);
    assert!(
        field(&all, "bad", "remarks")
            .to_string()
            .contains("no JUnit"),
        "{all:#}"
    );
    // Results of a former check in the same copy are not this one's.
    assert_eq!(field(&all, "none", "tests"), &Value::Null);
}

#[cfg(unix)]
#[test]
fn programs_of_the_projects_own_environment_come_first_and_see_few_variables() {
    use std::os::unix::fs::PermissionsExt as _;
    let mut bot = Bot::new("[checks.own]\nkind = \"lint\"\nrun = [\"ruff\"]\nenv = [\"WANTED\"]\n");
    bot.user.set("WANTED", "yes");
    bot.user.set("UNWANTED", "yes");
    bot.repo.write(".gitignore", ".venv\n");
    bot.repo.commit("ignore");
    bot.repo.write(
        ".venv/bin/ruff",
        "#!/bin/sh\necho own ruff, $WANTED/$UNWANTED, in the copy: $(ls -d .venv)\n",
    );
    let program: PathBuf = bot.repo.path.join(".venv/bin/ruff");
    std::fs::set_permissions(program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let all = bot.json(&[]);
    assert_eq!(
        field(&all, "own", "output"),
        "own ruff, yes/, in the copy: .venv\n"
    );
}

#[cfg(unix)]
#[test]
fn what_is_not_installed_is_told_with_the_command_that_brings_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let bot = Bot::new(
        "[checks.module]\nkind = \"unit\"\nrun = [\"python3\", \"-m\", \"pytest\", \"-q\"]\n\
         [checks.program]\nkind = \"lint\"\nrun = [\"no-such-linter\"]\n\
         [checks.shell]\nkind = \"lint\"\nshell = \"no-such-linter .\"\n",
    );
    bot.repo.write(".gitignore", ".venv\n");
    bot.repo.write("requirements-dev.txt", "pytest>=8\n");
    bot.repo.commit("requirements");
    // What an interpreter without pytest says.
    bot.repo.write(".venv/pyvenv.cfg", "home = /usr/bin\n");
    bot.repo.write(
        ".venv/bin/python3",
        "#!/bin/sh\necho \"$0: No module named pytest\" >&2\nexit 1\n",
    );
    let program: PathBuf = bot.repo.path.join(".venv/bin/python3");
    std::fs::set_permissions(program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let all = bot.json(&[]);
    for name in ["module", "program", "shell"] {
        assert_eq!(verdict(&all, name), "broken", "{all:#}");
    }
    assert_eq!(field(&all, "module", "reason"), "pytest is not installed");
    assert_eq!(
        field(&all, "module", "next"),
        "`.venv/bin/python -m pip install -r requirements-dev.txt`"
    );
    let said = bot.check(&[]);
    assert_eq!(said.code, Some(1));
    assert!(said.out.contains("CANNOT RUN"), "{said:#?}");
    assert!(
        said.out.contains("pip install -r requirements-dev.txt"),
        "{said:#?}"
    );
}

#[test]
fn without_declarations_it_says_what_it_found_and_by_what() {
    let bot = Bot::new("");
    assert_eq!(bot.check(&[]).code, Some(3));
    bot.repo
        .write("pyproject.toml", "[tool.ruff]\nline-length = 99\n");
    bot.repo.commit("settings");
    let said = bot.check(&["--list"]);
    assert_eq!(said.code, Some(0));
    assert!(said.out.contains("ruff check ."), "{said:#?}");
    assert!(
        said.out.contains("pyproject.toml: [tool.ruff]"),
        "{said:#?}"
    );
}
