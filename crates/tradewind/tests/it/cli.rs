//! The command line: what it says on good and bad input, and with which exit code.

use tradewind_core::{EventKind, Seq};

use crate::support::{Repo, Said, User};

#[test]
fn help_groups_the_commands_and_says_what_exit_codes_mean() {
    let user = User::new();
    let said = user.run(user.home.path(), &["--help"]);
    assert_eq!(said.code, Some(0));
    for part in [
        "Look:",
        "Deliver:",
        "Run:",
        "explain",
        "Exit codes: 0 done",
        "tradewind demo",
    ] {
        assert!(said.out.contains(part), "{part}: {}", said.out);
    }
    assert!(
        !said.out.contains('\u{1b}'),
        "colours although NO_COLOR is set"
    );
}

#[test]
fn a_wrong_command_line_is_exit_2_with_a_way_out() {
    let user = User::new();
    let repo = Repo::new(user.home.path().join("bot"));
    for args in [
        &["lgo"][..],
        &["log", "--kind", "repo.comit.*"],
        &["log", "--since", "soonish"],
        &["explain", "x"],
        &["prune"],
        &["erase"],
        &["-C", "nowhere", "status"],
    ] {
        repo.write("x", "1");
        let daemonless = user.run(&repo.path, args);
        // `log` needs a store before it can look at its arguments; make one with the first commit of state.
        let code = if daemonless.code == Some(5) {
            user.ok(&repo.path, &["pause"]);
            user.run(&repo.path, args).code
        } else {
            daemonless.code
        };
        assert_eq!(code, Some(2), "{args:?}");
    }
}

#[test]
fn without_a_journal_the_next_command_is_named() {
    let user = User::new();
    let repo = Repo::new(user.home.path().join("bot"));
    let said = user.run(&repo.path, &["log"]);
    assert_eq!(said.code, Some(5));
    assert!(
        said.err.contains("next:") && said.err.contains("tradewind up"),
        "{}",
        said.err
    );
    // Looking left nothing behind.
    assert!(!user.state().join("journal.db").exists());
}

#[test]
fn outside_a_repository_the_message_says_so() {
    let user = User::new();
    let said = user.run(user.home.path(), &["up"]);
    assert_eq!(said.code, Some(2));
    assert!(said.err.contains("git init"), "{}", said.err);
}

#[test]
fn a_network_folder_or_a_file_as_state_directory_is_refused_with_the_way_out() {
    let user = User::new();
    let repo = Repo::new(user.home.path().join("bot"));
    let file = user.home.path().join("file");
    std::fs::write(&file, "not a folder").unwrap();
    let mut command = user.tradewind(&repo.path);
    let output = command
        .args(["pause"])
        .env("TRADEWIND_STATE", &file)
        .output()
        .unwrap();
    assert!(!output.status.success());
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "not a folder");
}

#[test]
fn init_writes_a_configuration_that_it_accepts_and_never_replaces_one() {
    let user = User::new();
    let repo = Repo::new(user.home.path().join("bot"));
    repo.write("tests/test_strategy.py", "import unittest\n");
    user.ok(&repo.path, &["init"]);
    let text = repo.read("tradewind.toml").unwrap();
    assert!(
        text.contains("unittest") && !text.contains("mode = \"act\""),
        "{text}"
    );
    assert!(
        user.ok(&repo.path, &["config", "check"])
            .contains("no mistakes")
    );
    let again = user.run(&repo.path, &["init"]);
    assert_eq!(again.code, Some(2));
    assert_eq!(repo.read("tradewind.toml").unwrap(), text);
}

#[test]
fn every_mistake_in_the_configuration_is_told_with_line_and_column() {
    let user = User::new();
    let repo = Repo::new(user.home.path().join("bot"));
    repo.write(
        "tradewind.toml",
        "[rules.a]\non = \"repo.comit.created\"\ndo = \"run\"\nwith = { comand = [\"x\"] }\n\n\
         [rules.b]\non = \"repo.commit.created\"\nwhen = 'event.data.titel == \"x\"'\ndo = \"fly\"\nmode = \"sometimes\"\n",
    );
    let said = user.run(&repo.path, &["config", "check"]);
    assert_eq!(said.code, Some(3), "{said:#?}");
    for place in [
        "tradewind.toml:2:",
        "tradewind.toml:4:",
        "tradewind.toml:8:",
        "tradewind.toml:9:",
        "tradewind.toml:10:",
    ] {
        assert!(
            said.out.contains(place),
            "{place} is missing in\n{}",
            said.out
        );
    }
    let json = user.run(&repo.path, &["config", "check", "--format", "json"]);
    let value: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(value["schema_version"], 1);
    assert!(value["mistakes"].as_array().unwrap().len() >= 5);
}

#[test]
fn listings_as_json_have_a_schema_version() {
    let user = User::new();
    let repo = Repo::new(user.home.path().join("bot"));
    user.ok(&repo.path, &["pause", "--reason", "earnings day"]);
    for args in [
        &["log", "--all"][..],
        &["explain", "2"],
        &["status"],
        &["proposals", "list"],
        &["log", "--verify"],
    ] {
        let args = [args, &["--format", "json"]].concat();
        let said = user.run(&repo.path, &args);
        let value: serde_json::Value =
            serde_json::from_str(&said.out).unwrap_or_else(|e| panic!("{args:?}: {e}: {said:#?}"));
        assert_eq!(value["schema_version"], 1, "{args:?}");
    }
    let doctor = user.run(&repo.path, &["doctor", "--format", "json"]);
    let value: serde_json::Value = serde_json::from_str(&doctor.out).unwrap();
    assert!(
        value["checks"]
            .as_array()
            .unwrap()
            .iter()
            .any(|c| c["name"] == "git" && c["verdict"] == "ok")
    );
}

#[test]
fn a_secret_is_erased_and_the_chain_still_verifies() {
    let user = User::new();
    let repo = Repo::new(user.home.path().join("bot"));
    let secret = "Zx9\"quoted\\Secret77";
    user.ok(
        &repo.path,
        &["pause", "--reason", &format!("the key {secret} leaked")],
    );
    let said = erase_secret(&user, &repo, secret);
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert!(
        said.out.contains("Erased the bodies of 1 event ("),
        "{said:#?}"
    );
    for entry in std::fs::read_dir(user.state()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap_or_default();
        assert!(
            !String::from_utf8_lossy(&bytes).contains("Secret77"),
            "the secret is still in the state directory"
        );
    }
    assert!(user.ok(&repo.path, &["log", "--verify"]).contains("intact"));
}

#[test]
fn a_backup_brings_the_journal_back() {
    let user = User::new();
    let repo = Repo::new(user.home.path().join("bot"));
    user.ok(&repo.path, &["pause"]);
    user.ok(&repo.path, &["backup", "create", "copy.db"]);
    let again = user.run(&repo.path, &["backup", "create", "copy.db"]);
    assert_ne!(again.code, Some(0), "an existing file was overwritten");
    user.ok(&repo.path, &["resume"]);
    let resumed = user.last();
    user.ok(&repo.path, &["backup", "load", "copy.db"]);
    let kinds: Vec<_> = user.events(&[]).iter().map(|e| e.kind).collect();
    assert!(
        !kinds.contains(&tradewind_core::EventKind::EngineActingResumed),
        "{kinds:?}"
    );
    assert!(user.last() <= resumed);
    assert!(user.ok(&repo.path, &["log", "--verify"]).contains("intact"));
}

fn erase_secret(user: &User, repo: &Repo, secret: &str) -> Said {
    use std::io::Write;
    let mut command = user.tradewind(&repo.path);
    let mut child = command
        .args(["erase", "--secret-from-stdin"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(secret.as_bytes()).unwrap();
    drop(stdin);
    child.wait_with_output().unwrap().into()
}

/// `--dry-run` and `--reason` were refused beside the events, and copies were not named.
#[test]
fn erase_takes_its_options_and_names_the_files_that_may_still_hold_it() {
    let user = User::new();
    let repo = Repo::new(user.home.path().join("bot"));
    let secret = "Zx9-very-secret-77";
    user.ok(&repo.path, &["pause", "--reason", secret]);
    let paused = user.events(&[tradewind_core::EventKind::EngineActingPaused])[0]
        .seq
        .to_string();
    user.ok(&repo.path, &["backup", "create", "copy.db"]);
    user.ok(&repo.path, &["backup", "load", "copy.db"]);
    let shelf = user.state().join("blobs/ab");
    std::fs::create_dir_all(&shelf).unwrap();
    // The secret lies across the border of two pieces that are read.
    let blob = [vec![b'x'; 1024 * 1024 - 5], secret.as_bytes().to_vec()].concat();
    std::fs::write(shelf.join("abcd"), blob).unwrap();
    std::fs::write(shelf.join("abff"), "harmless").unwrap();

    let dry = user.run(
        &repo.path,
        &["erase", &paused, "--dry-run", "--reason", "x"],
    );
    assert_eq!(dry.code, Some(1), "{dry:#?}");
    assert!(
        dry.out.contains("Would erase the bodies of 1 event"),
        "{dry:#?}"
    );
    for (args, part) in [
        (&["erase", "9999"][..], "there is no event 9999"),
        (&["erase", "9999", "-n"], "there is no event 9999"),
        (
            &["erase", &paused, "--secret-from-stdin"],
            "cannot be used with",
        ),
    ] {
        let said = user.run(&repo.path, args);
        assert_eq!(said.code, Some(2), "{said:#?}");
        assert!(said.err.contains(part), "{said:#?}");
    }
    let unknown = user.run(&repo.path, &["erase", "9999"]);
    assert!(unknown.err.contains("next: events 1 to"), "{unknown:#?}");

    let said = erase_secret(&user, &repo, secret);
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert!(
        said.out.contains("Erased the bodies of 1 event"),
        "{said:#?}"
    );
    for part in ["journal-replaced-", "copy.db", "abcd"] {
        assert!(said.out.contains(part), "{part}: {said:#?}");
    }
    assert!(!said.out.contains("abff"), "{said:#?}");
    let again = user.run(&repo.path, &["erase", &paused]);
    assert_eq!(again.code, Some(2), "{again:#?}");
    assert!(again.err.contains("erased already"), "{again:#?}");
}

#[test]
fn a_file_that_is_no_backup_is_refused_with_the_way_out() {
    let user = User::new();
    let repo = Repo::new(user.home.path().join("bot"));
    user.ok(&repo.path, &["pause"]);
    repo.write("copy.db", "not a backup");
    for file in ["copy.db", "missing.db"] {
        let said = user.run(&repo.path, &["backup", "load", file]);
        assert_eq!(said.code, Some(5), "{said:#?}");
        assert!(
            said.err.contains("next: ") && said.err.contains("backup create"),
            "{said:#?}"
        );
    }
    assert!(user.ok(&repo.path, &["log", "--verify"]).contains("intact"));
}

/// Half an answer passed for a whole one.
#[cfg(target_os = "linux")]
#[test]
fn an_answer_that_is_lost_is_a_failure_and_one_that_nobody_reads_is_none() {
    let user = User::new();
    let repo = Repo::new(user.home.path().join("bot"));
    user.ok(&repo.path, &["pause"]);
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let mut command = user.tradewind(&repo.path);
    let said = Said::from(command.arg("status").stdout(full).output().unwrap());
    assert_eq!(said.code, Some(5), "{said:#?}");
    assert!(
        said.err.contains("the answer cannot be written"),
        "{said:#?}"
    );

    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = user.tradewind(&repo.path);
    let said = Said::from(command.arg("status").stdout(writer).output().unwrap());
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{said:#?}");
}

#[test]
fn following_ends_at_its_end_and_nothing_is_what_zero_shows() {
    let user = User::new();
    let repo = Repo::new(user.home.path().join("bot"));
    user.ok(&repo.path, &["pause"]);
    assert_eq!(user.ok(&repo.path, &["log", "--all", "-n", "0"]), "");
    let all = user.ok(&repo.path, &["log", "--all"]);
    // Recorded before it; the command ends instead of waiting for what cannot come.
    let end = user.events(&[]).last().unwrap().recorded_at + jiff::SignedDuration::from_secs(1);
    let followed = ["log", "--all", "--follow", "--until", &end.to_string()];
    assert_eq!(user.ok(&repo.path, &followed), all);
    user.ok(&repo.path, &["resume"]);
    assert_eq!(user.ok(&repo.path, &followed), all);
}

#[cfg(unix)]
#[test]
fn a_name_cannot_write_a_line_of_its_own() {
    let user = User::new();
    let repo = Repo::new(user.home.path().join("bot\n 999 forged\u{1b}[31m"));
    repo.commit("history");
    let _daemon = user.up(&repo.path);
    repo.write("x\n 999 forged\u{1b}[31m.py", "");
    let changed = user
        .wait(Seq::ZERO, EventKind::RepoWorktreeChanged)
        .seq
        .to_string();
    for args in [
        &["log", "--all"][..],
        &["status"],
        &["explain", &changed],
        &["explain", "2"],
        &["trust", "--show"],
        &["doctor"],
        &["init"],
    ] {
        let said = user.run(&repo.path, args);
        for line in said.out.lines().chain(said.err.lines()) {
            assert!(!line.starts_with(" 999 forged"), "{args:?}: {said:#?}");
            assert!(!line.contains('\u{1b}'), "{args:?}: {said:#?}");
        }
    }
    user.ok(&repo.path, &["up", "--remove"]);
    let removed = user.ok(&repo.path, &["log", "--all"]);
    let line = removed
        .lines()
        .find(|line| line.contains("repo.repository.removed"));
    assert!(line.unwrap().contains(" bot 999 for… "), "{removed}");
}

/// It looked at the default port, whatever the daemon would be told.
#[test]
fn doctor_looks_at_the_address_that_the_daemon_would_take() {
    let user = User::new();
    let repo = Repo::new(user.home.path().join("bot"));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let daemon = |listen: &str| {
        let mut command = user.tradewind(&repo.path);
        command.args(["doctor", "--format", "json"]);
        let output = command.env("TRADEWIND_LISTEN", listen).output().unwrap();
        let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let checks = said["checks"].as_array().unwrap();
        checks
            .iter()
            .find(|c| c["name"] == "daemon")
            .unwrap()
            .clone()
    };
    let check = daemon(&address);
    assert_eq!(check["verdict"], "problem", "{check}");
    assert!(
        check["found"].as_str().unwrap().contains(&address),
        "{check}"
    );
    let check = daemon("nonsense");
    assert_eq!(check["verdict"], "problem", "{check}");
    assert_eq!(daemon("127.0.0.1:0")["verdict"], "note");
}
