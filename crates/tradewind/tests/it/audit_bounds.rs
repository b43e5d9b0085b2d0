//! Files and folders that no reader can take in whole: the audit ends, within a bound of memory, and names them.

#![expect(
    clippy::disallowed_methods,
    reason = "the test starts the program under a bound"
)]

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::support::{Repo, User};

/// Address space of the audit, in KiB, where a shell can bound it. What it really uses is a tenth; stacks of threads
/// that nobody walks count here too.
const MAX_KIB: u32 = 3 * 1024 * 1024;
/// The file system gives no more than the name of this many entries to a reader.
const ENTRIES: usize = 30_000;

fn audit(user: &User, repo: &Repo) -> Value {
    let plain = user.tradewind(&repo.path);
    let mut command = if cfg!(target_os = "linux") {
        let bounded = format!("ulimit -v {MAX_KIB} && exec \"$0\" \"$@\"");
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(bounded).arg(plain.get_program());
        command.current_dir(&repo.path);
        for (name, value) in plain.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command
    } else {
        plain
    };
    let output = command
        .args(["audit", "--format", "json"])
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{error}");
    assert!(!error.contains("bug in Tradewind"), "{error}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn what_cannot_be_taken_in_whole_is_named_and_costs_nothing_else() {
    let user = User::new();
    let repo = Repo::new(user.home.path().join("bot"));
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for n in 1..40 {
        let below = vec![format!("*a{}", n - 1); 9].join(", ");
        bomb.push_str(&format!("a{n}: &a{n} [{below}]\n"));
    }
    let workflow = |name: &str| format!(".github/workflows/{name}.yml");
    let files = [
        (
            "bot.py".to_owned(),
            "print(eval(input(\"x: \")))\n".to_owned(),
        ),
        (workflow("deep"), format!("a:\n{}", "[".repeat(100_000))),
        (workflow("dashes"), "- ".repeat(100_000)),
        (
            workflow("braces"),
            "{a: ".repeat(100_000) + &"}".repeat(100_000),
        ),
        (workflow("bomb"), bomb),
        (
            "line.py".to_owned(),
            format!("x = [{}]\n", "1, ".repeat(17 << 20)),
        ),
        (
            "longest.py".to_owned(),
            format!("x = [{}]\n", "1, ".repeat(600_000)),
        ),
        (
            "parens.py".to_owned(),
            format!("x = {}{}\n", "(".repeat(10_000), ")".repeat(10_000)),
        ),
        (
            "Dockerfile".to_owned(),
            "FROM python:3.12\n".to_owned() + &"RUN echo x\n".repeat(1 << 20),
        ),
        (
            "docker/Dockerfile".to_owned(),
            "FROM python:3.12\n".to_owned() + &"RUN cd a\n".repeat(200_000),
        ),
    ];
    for (path, text) in &files {
        repo.write(path, text);
    }
    repo.commit("feat: everything that is too much");
    // Tracked, and 1 GiB since; the disk holds none of it.
    repo.write("huge.csv", "");
    repo.commit("feat: data");
    let huge = fs::OpenOptions::new()
        .write(true)
        .open(repo.path.join("huge.csv"))
        .unwrap();
    huge.set_len(1 << 30).unwrap();
    #[cfg(unix)]
    for (at, to) in [("up", ".."), ("self", "self"), ("a", "b"), ("b", "a")] {
        std::os::unix::fs::symlink(to, repo.path.join(at)).unwrap();
    }
    let data = repo.path.join("data");
    fs::create_dir(&data).unwrap();
    for n in 0..ENTRIES {
        fs::File::create(data.join(format!("{n}.json"))).unwrap();
    }
    let report = audit(&user, &repo);
    let not_checked: Vec<&str> = report["not_checked"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["reason"].as_str().unwrap())
        .collect();
    for path in [
        workflow("deep"),
        workflow("dashes"),
        workflow("braces"),
        workflow("bomb"),
        "line.py".to_owned(),
        "parens.py".to_owned(),
        "Dockerfile".to_owned(),
        "huge.csv".to_owned(),
    ] {
        let is_told = not_checked.iter().any(|reason| reason.starts_with(&path));
        assert!(is_told, "{path} is not named: {not_checked:#?}");
    }
    // The rest of the repository is judged as ever.
    let findings = report["findings"].as_array().unwrap();
    assert!(
        findings.iter().any(|it| it["rule"] == "eval-exec-pickle"),
        "{findings:#?}"
    );
}
