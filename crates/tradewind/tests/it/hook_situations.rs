//! Hooks in the repositories that people really have: linked work trees, submodules, sparse checkouts, filters, hunks.
//!
//! Everything under real git. Why: each of these moves where files lie, which of them are there, or what is in them.

use std::path::Path;

use crate::hook::{Bot, said};
use crate::support::Repo;

/// Writes what is staged differently from the last commit, in the form of `git diff`, lines of change only.
fn lines_of(repo: &Repo, args: &[&str]) -> Vec<String> {
    let diff = repo.git(args);
    let lines = diff.lines().filter(|line| {
        (line.starts_with('+') || line.starts_with('-'))
            && !line.starts_with("+++")
            && !line.starts_with("---")
    });
    lines.map(str::to_owned).collect()
}

/// Commits everything without hooks; those would find the machine's own cache.
fn past(repo: &Repo, message: &str) {
    repo.git(&["add", "-A"]);
    repo.git(&["commit", "-q", "--no-verify", "-m", message]);
}

/// Makes a script that says what a hook finds: the files, and what git says of the copy.
fn with_a_look(bot: &Bot) {
    let config = bot.repo.read(".pre-commit-config.yaml").unwrap();
    let look = "  - {id: look, name: look, entry: python3 look.py, language: system, pass_filenames: false, \
                always_run: true, verbose: true}\n";
    bot.repo
        .write(".pre-commit-config.yaml", &format!("{config}{look}"));
    bot.repo.write(
        "look.py",
        "import os, subprocess\n\
         for folder, folders, files in os.walk('.'):\n\
         \x20   folders[:] = sorted(name for name in folders if name != '.git')\n\
         \x20   for name in sorted(files):\n\
         \x20       path = os.path.join(folder, name)\n\
         \x20       if os.path.isfile(path) and not name.endswith(('.py', '.yaml')):\n\
         \x20           print(path, open(path, 'rb').read()[:60])\n\
         print('status', subprocess.run(['git', 'status', '--short'], capture_output=True, text=True).stdout.split())\n",
    );
    past(&bot.repo, "a hook that looks");
}

#[test]
fn a_linked_work_tree_has_its_own_staged_files_and_the_same_hooks() {
    let Some(bot) = Bot::new() else { return };
    let linked = bot.user.home.path().join("linked");
    let place = linked.to_str().unwrap();
    bot.repo
        .git(&["worktree", "add", "-q", "-b", "other", place]);
    std::fs::write(linked.join("a.txt"), "1  \n2\n3\n").unwrap();
    std::fs::write(linked.join("x.say"), "hello\n").unwrap();
    assert!(bot.git_in(&linked, &["add", "-A"]).status.success());
    std::fs::write(linked.join("a.txt"), "1  \n2\n3\n4 UNSTAGED\n").unwrap();
    let first = bot.git_in(&linked, &["commit", "-qm", "in a linked tree"]);
    assert!(!first.status.success(), "{}", said(&first));
    let text = |name: &str| std::fs::read_to_string(linked.join(name)).unwrap();
    assert_eq!(text("a.txt"), "1\n2\n3\n4 UNSTAGED\n");
    assert_eq!(text("x.say"), "HELLO\n");
    let second = bot.git_in(&linked, &["commit", "-qm", "in a linked tree"]);
    assert!(second.status.success(), "{}", said(&second));
    // The main one has not been touched.
    assert_eq!(bot.repo.git(&["status", "--short"]), "");
    assert_eq!(bot.repo.read("a.txt").unwrap(), "1\n2\n3\n");
}

#[test]
fn a_submodule_is_a_commit_and_no_file_however_it_moves() {
    let Some(bot) = Bot::new() else { return };
    with_a_look(&bot);
    let library = Repo::new(bot.user.home.path().join("library"));
    library.write("l.txt", "blank  \n");
    library.commit("a library");
    let from = library.path.to_str().unwrap();
    let add = [
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "--quiet",
        "add",
        from,
        "lib",
    ];
    bot.repo.git(&add);
    // Added.
    let added = bot.git(&["commit", "-qm", "the library is a submodule"]);
    assert!(added.status.success(), "{}", said(&added));
    assert!(!said(&added).contains("l.txt"), "{}", said(&added));
    assert!(
        said(&added).contains("status ['A', '.gitmodules', 'A', 'lib']"),
        "git in the copy knows of it: {}",
        said(&added)
    );
    // Moved, and dirty inside, which is nobody's business here.
    let inside = Repo {
        path: bot.repo.path.join("lib"),
    };
    inside.git(&["config", "user.name", "Ada"]);
    inside.git(&["config", "user.email", "ada@example.invalid"]);
    inside.write("m.txt", "blank  \n");
    past(&inside, "more");
    inside.write("l.txt", "dirty  \n");
    bot.repo.git(&["add", "lib"]);
    let moved = bot.git(&["commit", "-qm", "a newer library"]);
    assert!(moved.status.success(), "{}", said(&moved));
    assert_eq!(inside.read("l.txt").unwrap(), "dirty  \n");
    // Its own commits are fixed in it, with its own index.
    inside.write(
        ".pre-commit-config.yaml",
        "repos: [{repo: builtin, hooks: [{id: trailing-whitespace}]}]\n",
    );
    inside.git(&["add", "-A"]);
    let run = bot.user.run(&inside.path, &["hook", "run"]);
    assert_eq!(run.code, Some(1), "{run:#?}");
    assert_eq!(inside.git(&["show", ":l.txt"]), "dirty");
    assert_eq!(bot.repo.git(&["diff", "--staged", "--name-only"]), "");
}

#[test]
fn what_a_sparse_checkout_leaves_out_is_still_checked_and_stays_out() {
    for how in ["--cone", "--no-cone"] {
        let Some(bot) = Bot::new() else { return };
        bot.repo.write("in/f.txt", "in\n");
        bot.repo.write("out/f.txt", "out\n");
        past(&bot.repo, "two folders");
        bot.repo.git(&["checkout", "-q", "-b", "side"]);
        bot.repo.write("out/f.txt", "out  \n");
        past(&bot.repo, "blanks outside");
        bot.repo.git(&["checkout", "-q", "main"]);
        bot.repo.git(&["sparse-checkout", "set", how, "in"]);
        bot.repo.write("in/f.txt", "in  \n");
        bot.repo.git(&["add", "in/f.txt"]);
        // A change outside that came with git, as by `cherry-pick -n`.
        let blanks = bot.repo.git(&["rev-parse", "side:out/f.txt"]);
        let line = format!("100644,{blanks},out/f.txt");
        bot.repo.git(&["update-index", "--cacheinfo", &line]);
        bot.repo
            .git(&["update-index", "--skip-worktree", "out/f.txt"]);
        assert!(!bot.repo.path.join("out").exists());
        let run = bot.user.run(&bot.repo.path, &["hook", "run"]);
        assert_eq!(run.code, Some(1), "{how}: {run:#?}");
        assert_eq!(bot.repo.read("in/f.txt").unwrap(), "in\n", "{how}");
        assert_eq!(bot.repo.git(&["show", ":out/f.txt"]), "out", "{how}");
        assert!(
            run.out.contains("out/f.txt: not in the work tree"),
            "{run:#?}"
        );
        assert!(!bot.repo.path.join("out").exists(), "{how}");
        // It still counts as left out, not as deleted.
        assert_eq!(bot.repo.git(&["diff", "--name-only"]), "", "{how}");
        assert!(
            bot.repo.git(&["ls-files", "-t"]).contains("S out/f.txt"),
            "{how}"
        );
    }
}

#[test]
fn names_of_sha256_are_as_good_as_the_others() {
    let Some(bot) = Bot::new() else { return };
    let long = bot.user.home.path().join("long");
    let place = long.to_str().unwrap();
    bot.repo
        .git(&["init", "-q", "-b", "main", "--object-format=sha256", place]);
    let repo = Repo { path: long };
    for name in [".pre-commit-config.yaml", "shout.py", "message.py"] {
        repo.write(name, &bot.repo.read(name).unwrap());
    }
    repo.write("a.txt", "1  \n");
    repo.write("x.say", "hello\n");
    repo.git(&["add", "-A"]);
    let run = bot.user.run(&repo.path, &["hook", "run"]);
    assert_eq!(run.code, Some(1), "{run:#?}");
    assert_eq!(repo.git(&["show", ":a.txt"]), "1");
    assert_eq!(repo.git(&["show", ":x.say"]), "HELLO");
    assert_eq!(repo.read("x.say").unwrap(), "HELLO\n");
    let again = bot.user.run(&repo.path, &["hook", "run"]);
    assert_eq!(again.code, Some(0), "{again:#?}");
}

/// Sets a filter that turns letters by thirteen places, both ways.
fn turning(repo: &Repo, whose: &[&str], mark: &Path) {
    let mark = mark.to_str().unwrap();
    let turn = format!("touch {mark}; tr a-z n-za-m");
    for key in ["filter.turn.clean", "filter.turn.smudge"] {
        repo.git(&[&["config"], whose, &[key, &turn]].concat());
    }
}

#[cfg(unix)]
#[test]
fn a_filter_of_the_user_is_run_and_one_of_the_repository_is_not() {
    let Some(mut bot) = Bot::new() else { return };
    with_a_look(&bot);
    bot.repo.write(".gitattributes", "*.bin filter=turn\n");
    past(&bot.repo, "a filter");
    let global = bot.user.home.path().join("global");
    let mark = bot.user.home.path().join("mark");
    std::fs::write(&global, "").unwrap();
    let staged = |bot: &Bot| {
        bot.repo.write("n.bin", "hello  \n");
        let blob = bot.repo.path.join("blob");
        std::fs::write(&blob, "uryyb  \n").unwrap();
        let id = bot.repo.git(&["hash-object", "-w", "--no-filters", "blob"]);
        std::fs::remove_file(blob).unwrap();
        let line = format!("100644,{id},n.bin");
        bot.repo
            .git(&["update-index", "--add", "--cacheinfo", &line]);
    };
    // In `.git/config`, which may have come with the folder: hooks see what is stored, and nothing is started.
    turning(&bot.repo, &["--local"], &mark);
    staged(&bot);
    let own = bot.user.run(&bot.repo.path, &["hook", "run"]);
    assert_eq!(own.code, Some(1), "{own:#?}");
    assert!(!mark.exists(), "the repository's filter was run: {own:#?}");
    assert!(own.out.contains("./n.bin b'uryyb\\n'"), "{own:#?}");
    assert!(
        own.out.contains("n.bin: only what is staged is fixed"),
        "{own:#?}"
    );
    assert_eq!(bot.repo.read("n.bin").unwrap(), "hello  \n");
    let blob = |bot: &Bot| bot.repo.git(&["cat-file", "blob", ":n.bin"]);
    assert_eq!(blob(&bot), "uryyb");
    // In the user's own settings: hooks see the file as it is in the work tree, and the fix is in both.
    for key in ["filter.turn.clean", "filter.turn.smudge"] {
        bot.repo.git(&["config", "--local", "--unset", key]);
    }
    let place = global.to_str().unwrap().to_owned();
    turning(&bot.repo, &["--file", &place], &mark);
    bot.user.set("GIT_CONFIG_GLOBAL", &place);
    staged(&bot);
    let users = bot.user.run(&bot.repo.path, &["hook", "run"]);
    assert_eq!(users.code, Some(1), "{users:#?}");
    assert!(mark.exists());
    assert!(users.out.contains("./n.bin b'hello\\n'"), "{users:#?}");
    assert_eq!(bot.repo.read("n.bin").unwrap(), "hello\n");
    assert_eq!(blob(&bot), "uryyb");
}

#[cfg(unix)]
#[test]
fn what_a_filter_drops_is_not_lost_from_the_file() {
    // As one that keeps the results of a notebook out of git: what the file alone has cannot be made again from what is stored.
    let Some(mut bot) = Bot::new() else { return };
    bot.repo.write(".gitattributes", "*.nb filter=strip\n");
    past(&bot.repo, "a filter");
    let global = bot.user.home.path().join("global");
    std::fs::write(
        &global,
        "[filter \"strip\"]\n\tclean = grep -v RESULT\n\tsmudge = cat\n",
    )
    .unwrap();
    bot.user.set("GIT_CONFIG_GLOBAL", global.to_str().unwrap());
    bot.repo.write("n.nb", "one  \nRESULT 42\ntwo\n");
    assert!(bot.git(&["add", "-A"]).status.success());
    assert_eq!(bot.repo.git(&["cat-file", "blob", ":n.nb"]), "one  \ntwo");
    let run = bot.user.run(&bot.repo.path, &["hook", "run"]);
    assert_eq!(run.code, Some(1), "{run:#?}");
    assert_eq!(bot.repo.git(&["cat-file", "blob", ":n.nb"]), "one\ntwo");
    assert_eq!(bot.repo.read("n.nb").unwrap(), "one  \nRESULT 42\ntwo\n");
    assert!(
        run.out.contains("n.nb: only what is staged is fixed"),
        "{run:#?}"
    );
}

#[test]
fn a_hunk_that_is_staged_is_fixed_and_the_one_beside_it_is_left_alone() {
    let Some(bot) = Bot::new() else { return };
    let lines: Vec<String> = (1..=30).map(|n| n.to_string()).collect();
    let text = lines.join("\n") + "\n";
    bot.repo.write("p.txt", &text);
    past(&bot.repo, "thirty lines");
    let staged = text.replace("\n5\n", "\n5 staged   \n");
    bot.repo.write("p.txt", &staged);
    bot.repo.git(&["add", "p.txt"]);
    // The next line, and one far below.
    let tree = staged
        .replace("\n6\n", "\n6 mine   \n")
        .replace("\n20\n", "\n20  mine\n");
    bot.repo.write("p.txt", &tree);
    let run = bot.user.run(&bot.repo.path, &["hook", "run"]);
    assert_eq!(run.code, Some(1), "{run:#?}");
    let staged = lines_of(&bot.repo, &["diff", "--staged"]);
    assert_eq!(staged, ["-5", "+5 staged"]);
    let unstaged = lines_of(&bot.repo, &["diff", "-U0"]);
    assert_eq!(unstaged, ["-6", "+6 mine   ", "-20", "+20  mine"]);
}

#[cfg(unix)]
#[test]
fn modes_links_and_places_that_are_only_kept_stay_as_they_are() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let Some(bot) = Bot::new() else { return };
    let at = |name: &str| bot.repo.path.join(name);
    let mode = |name: &str| std::fs::metadata(at(name)).unwrap().permissions().mode() & 0o777;
    let set = |name: &str, mode| {
        std::fs::set_permissions(at(name), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    bot.repo.write("run.sh", "#!/bin/sh\necho  \n");
    set("run.sh", 0o755);
    bot.repo.write("private.txt", "key  \n");
    set("private.txt", 0o600);
    symlink("blank  ", at("link")).unwrap();
    symlink(".", at("round")).unwrap();
    // Staged as a file, a link since: who follows it would write into another file.
    bot.repo.write("turned.txt", "turned  \n");
    bot.repo.git(&["add", "-A"]);
    std::fs::remove_file(at("turned.txt")).unwrap();
    bot.repo.write("elsewhere", "elsewhere  \n");
    symlink("elsewhere", at("turned.txt")).unwrap();
    bot.repo.write("kept.txt", "only a place is kept  \n");
    bot.repo.git(&["add", "-N", "kept.txt"]);
    let run = bot.user.run(&bot.repo.path, &["hook", "run"]);
    assert_eq!(run.code, Some(1), "{run:#?}");
    assert_eq!(bot.repo.read("run.sh").unwrap(), "#!/bin/sh\necho\n");
    assert_eq!((mode("run.sh"), mode("private.txt")), (0o755, 0o600));
    assert_eq!(bot.repo.read("private.txt").unwrap(), "key\n");
    let links = ["link", "round", "turned.txt"].map(|name| std::fs::read_link(at(name)).unwrap());
    assert_eq!(
        links,
        ["blank  ", ".", "elsewhere"].map(std::path::PathBuf::from)
    );
    assert_eq!(bot.repo.read("elsewhere").unwrap(), "elsewhere  \n");
    assert_eq!(bot.repo.git(&["show", ":turned.txt"]), "turned");
    let staged = bot.repo.git(&["ls-files", "-s", "run.sh", "link"]);
    assert!(
        staged.contains("100755") && staged.contains("120000"),
        "{staged}"
    );
    // Nothing of it is staged, so nothing of it is fixed, and the place is still kept.
    assert_eq!(
        bot.repo.read("kept.txt").unwrap(),
        "only a place is kept  \n"
    );
    let kept = bot.repo.git(&["diff", "--name-status", "kept.txt"]);
    assert_eq!(kept, "A\tkept.txt");
}

#[test]
fn line_ends_that_git_converts_are_converted_both_ways() {
    let Some(bot) = Bot::new() else { return };
    bot.repo.git(&["config", "core.autocrlf", "true"]);
    bot.repo.write("w.txt", "a  \r\nb\r\n");
    bot.repo.write("w.say", "hi\r\n");
    bot.repo.git(&["add", "-A"]);
    bot.repo.write("w.txt", "a  \r\nb\r\nUNSTAGED\r\n");
    let run = bot.user.run(&bot.repo.path, &["hook", "run"]);
    assert_eq!(run.code, Some(1), "{run:#?}");
    assert_eq!(bot.repo.read("w.txt").unwrap(), "a\r\nb\r\nUNSTAGED\r\n");
    assert_eq!(bot.repo.git(&["cat-file", "blob", ":w.txt"]), "a\nb");
    assert_eq!(bot.repo.git(&["cat-file", "blob", ":w.say"]), "HI");
}

#[test]
fn a_program_that_is_not_there_is_named_with_the_way_on() {
    let Some(bot) = Bot::new() else { return };
    bot.repo.write(
        ".pre-commit-config.yaml",
        "repos:\n- repo: local\n  hooks:\n  - {id: lint, name: lint, entry: no-such-linter --fix, language: system}\n",
    );
    bot.repo.git(&["add", "-A"]);
    let absent = bot.user.run(&bot.repo.path, &["hook", "run"]);
    assert_eq!(absent.code, Some(1), "{absent:#?}");
    for part in [
        "no-such-linter was not found",
        "install no-such-linter",
        "SKIP=lint",
    ] {
        assert!(absent.out.contains(part), "{part}: {absent:#?}");
    }
    let programs = if cfg!(windows) {
        "Scripts/no-such-linter.exe"
    } else {
        "bin/no-such-linter"
    };
    bot.repo.write(&format!(".venv/{programs}"), "");
    let inactive = bot.user.run(&bot.repo.path, &["hook", "run"]);
    assert_eq!(inactive.code, Some(1), "{inactive:#?}");
    assert!(
        inactive.out.contains("it is in .venv, which is not active"),
        "{inactive:#?}"
    );
}

#[test]
fn a_configuration_that_is_staged_but_not_in_the_work_tree_counts() {
    let Some(bot) = Bot::new() else { return };
    std::fs::remove_file(bot.repo.path.join(".pre-commit-config.yaml")).unwrap();
    bot.repo.write("a.txt", "1  \n");
    bot.repo.git(&["add", "a.txt"]);
    let stopped = bot.git(&["commit", "-qm", "without the file, with the hooks"]);
    assert!(!stopped.status.success(), "{}", said(&stopped));
    assert_eq!(bot.repo.read("a.txt").unwrap(), "1\n");
    // Deleted in the commit too: then there are no hooks.
    bot.repo
        .git(&["rm", "-q", "--cached", ".pre-commit-config.yaml"]);
    let made = bot.git(&["commit", "-qm", "no hooks any more"]);
    assert!(made.status.success(), "{}", said(&made));
}
