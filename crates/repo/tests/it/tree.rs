//! The files of a repository are read as they lie, whatever lies there.

use std::fs;

use tradewind_repo::tree::{FileKind, FileState, Source, Tree};

use crate::scratch::Scratch;

fn read(scratch: &Scratch) -> Tree {
    Tree::read(&scratch.git, &scratch.location(), Source::WorkTree).unwrap()
}

fn listed(tree: &Tree) -> Vec<String> {
    let line = |file: &tradewind_repo::tree::File| {
        let state = match &file.state {
            FileState::Tracked => "tracked".to_owned(),
            FileState::Untracked => "untracked".to_owned(),
            FileState::Ignored(by) => format!(
                "{}:{}:{}",
                by.file.as_deref().unwrap_or("-"),
                by.line,
                by.pattern
            ),
        };
        format!("{} {state}", file.path)
    };
    tree.files().iter().map(line).collect()
}

#[test]
fn what_a_pattern_hides_is_told_with_its_line_and_the_sources_below() {
    let scratch = Scratch::new();
    scratch.write(".gitignore", "# template\n*.log\nlib/\n.venv\n!keep.log\n");
    scratch.write("bot/a.py", "x = 1\n");
    scratch.write("bot/forced.log", "tracked although ignored");
    scratch.run(&["add", "-f", "."]);
    scratch.commit("first");
    scratch.write("lib/sessions.py", "OPEN = 9\n");
    scratch.write("lib/data.csv", "1\n");
    scratch.write("node.log", "");
    scratch.write("keep.log", "");
    scratch.write("new.py", "");
    scratch.write(".venv/pyvenv.cfg", "");
    scratch.write(".venv/lib/site.py", "");
    let tree = read(&scratch);
    let expected = [
        ".gitignore tracked",
        ".venv .gitignore:4:.venv",
        "bot/a.py tracked",
        "bot/forced.log tracked",
        "keep.log untracked",
        "lib .gitignore:3:lib/",
        "lib/sessions.py .gitignore:3:lib/",
        "new.py untracked",
        "node.log .gitignore:2:*.log",
    ];
    assert_eq!(listed(&tree), expected);
    assert_eq!(tree.get("lib").unwrap().kind, FileKind::Folder);
    assert!(!tree.has("lib") && tree.has("bot") && !tree.has("new.py"));
    let forced: Vec<_> = tree.tracked_although_ignored().collect();
    assert_eq!(forced.len(), 1);
    assert_eq!((forced[0].0, forced[0].1.line), ("bot/forced.log", 2));
    assert_eq!(tree.text("lib/sessions.py").unwrap(), "OPEN = 9\n");
    assert!(tree.unread().is_empty());
}

#[test]
fn a_clean_file_keeps_its_name_of_content_and_a_changed_one_has_none() {
    let scratch = Scratch::new();
    scratch.write("a.py", "x = 1\n");
    scratch.write("b.py", "x = 2\n");
    scratch.write("gone.py", "x = 3\n");
    // Older than the index, so that no write between the two can have gone unseen.
    for name in ["a.py", "b.py"] {
        let file = fs::File::options()
            .write(true)
            .open(scratch.top.join(name))
            .unwrap();
        let old = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_600_000_000);
        file.set_modified(old).unwrap();
    }
    scratch.run(&["add", "."]);
    scratch.commit("first");
    let id = scratch.run(&["rev-parse", "HEAD:a.py"]);
    scratch.write("b.py", "x = 4\n");
    fs::remove_file(scratch.top.join("gone.py")).unwrap();
    let tree = read(&scratch);
    assert_eq!(tree.get("a.py").unwrap().id.unwrap().to_string(), id);
    assert_eq!(tree.get("b.py").unwrap().id, None);
    assert_eq!(tree.text("b.py").unwrap(), "x = 4\n");
    assert!(tree.get("gone.py").is_none());
    assert_eq!(tree.missing(), ["gone.py".into()]);
    // The commit still has what the work tree changed.
    let head = scratch.run(&["rev-parse", "HEAD"]).parse().unwrap();
    let tree = Tree::read(&scratch.git, &scratch.location(), Source::Commit(head)).unwrap();
    assert_eq!(tree.text("b.py").unwrap(), "x = 2\n");
    assert_eq!(tree.text("gone.py").unwrap(), "x = 3\n");
}

#[test]
fn bare_sha256_empty_and_unborn_repositories_are_read() {
    let scratch = Scratch::with_init(&["--object-format=sha256"]);
    assert!(read(&scratch).files().is_empty());
    scratch.write("dir/a.py", "x = 1\n");
    scratch.run(&["add", "."]);
    scratch.commit("first");
    let bare = scratch.folder().join("bare");
    let from = scratch.top.to_str().unwrap();
    let init = ["init", "-q", "--bare", "--object-format=sha256", "bare"];
    scratch.run_in(scratch.folder(), &init).unwrap();
    let location = tradewind_repo::Location::find(&scratch.git, &bare).unwrap();
    let tree = Tree::read(&scratch.git, &location, Source::WorkTree).unwrap();
    assert!(tree.files().is_empty());
    fs::write(
        bare.join("objects/info/alternates"),
        format!("{from}/.git/objects\n"),
    )
    .unwrap();
    let head = scratch.run(&["rev-parse", "HEAD"]);
    scratch
        .run_in(&bare, &["update-ref", "HEAD", &head])
        .unwrap();
    let tree = Tree::read(&scratch.git, &location, Source::WorkTree).unwrap();
    assert_eq!(listed(&tree), ["dir/a.py tracked"]);
    assert_eq!(tree.text("dir/a.py").unwrap(), "x = 1\n");
}

#[test]
fn a_plain_folder_is_read_and_says_that_it_is_no_repository() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("bot.py"), "x = 1\n").unwrap();
    fs::write(folder.path().join(".gitignore"), "*.log\n").unwrap();
    fs::write(folder.path().join("x.log"), "").unwrap();
    let tree = Tree::read_folder(folder.path()).unwrap();
    assert_eq!(
        listed(&tree),
        [
            ".gitignore tracked",
            "bot.py tracked",
            "x.log .gitignore:1:*.log"
        ]
    );
    assert!(tree.unread()[0].reason.contains("no git repository"));
    assert!(Tree::read_folder(&folder.path().join("absent")).is_err());
}

#[cfg(unix)]
#[test]
fn links_pipes_loops_huge_files_and_odd_names_neither_stop_nor_mislead() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::symlink;

    let scratch = Scratch::new();
    scratch.write("line\nfeed.py", "x = 1\n");
    fs::write(scratch.top.join(OsStr::from_bytes(b"b\xff.py")), "x = 2\n").unwrap();
    fs::create_dir(scratch.top.join("loop")).unwrap();
    symlink("..", scratch.top.join("loop/up")).unwrap();
    symlink("/etc/passwd", scratch.top.join("outside")).unwrap();
    let huge = fs::File::create(scratch.top.join("huge.csv")).unwrap();
    huge.set_len(1024 * 1024 * 1024).unwrap();
    scratch.write("folder/a.py", "x = 3\n");
    scratch.write("piped.py", "x = 4\n");
    scratch.run(&["add", ".", ":!huge.csv"]);
    scratch.run(&[
        "update-index",
        "--add",
        "--cacheinfo",
        "100644,e69de29bb2d1d6434b8b29ae775ad8c2e48c5391,huge.csv",
    ]);
    // A tracked folder that became a link to elsewhere, a tracked file that became a pipe.
    fs::remove_dir_all(scratch.top.join("folder")).unwrap();
    symlink("/etc", scratch.top.join("folder")).unwrap();
    fs::remove_file(scratch.top.join("piped.py")).unwrap();
    let pipe = scratch.top.join("piped.py");
    make_pipe(&pipe);
    let tree = read(&scratch);
    assert_eq!(tree.text("line\nfeed.py").unwrap(), "x = 1\n");
    assert_eq!(tree.text("b\u{fffd}.py").unwrap(), "x = 2\n");
    assert_eq!(tree.get("loop/up").unwrap().kind, FileKind::Link);
    assert!(tree.text("outside").is_none() && tree.text("huge.csv").is_none());
    assert_eq!(tree.get("huge.csv").unwrap().size, 1024 * 1024 * 1024);
    assert!(tree.unread().iter().any(|unread| unread.what == "huge.csv"));
    assert_eq!(tree.missing(), ["folder/a.py".into()]);
    if pipe.symlink_metadata().is_ok() {
        assert!(tree.text("piped.py").is_none());
        assert!(tree.unread().iter().any(|unread| unread.what == "piped.py"));
    }
}

/// Makes a pipe where the system has the program for it.
#[cfg(unix)]
fn make_pipe(path: &std::path::Path) {
    let spec = tradewind_host::process::CommandSpec::new("mkfifo", "/").arg(path);
    let made = tradewind_host::process::run_blocking(spec);
    assert!(made.is_err() || path.symlink_metadata().is_ok());
}

#[test]
fn files_outside_a_sparse_checkout_are_tracked_and_read_from_git() {
    let scratch = Scratch::new();
    scratch.write("in/a.py", "x = 1\n");
    scratch.write("out/b.py", "x = 2\n");
    scratch.run(&["add", "."]);
    scratch.commit("first");
    scratch.run(&["sparse-checkout", "set", "in"]);
    let tree = read(&scratch);
    assert_eq!(listed(&tree), ["in/a.py tracked", "out/b.py tracked"]);
    assert_eq!(tree.text("out/b.py").unwrap(), "x = 2\n");
    assert!(tree.missing().is_empty());
}

#[test]
fn submodules_and_repositories_within_are_listed_and_not_entered() {
    let scratch = Scratch::new();
    scratch.write("a.py", "");
    let inner = scratch.top.join("inner");
    fs::create_dir(&inner).unwrap();
    scratch.run_in(&inner, &["init", "-q"]).unwrap();
    fs::write(inner.join("x.py"), "").unwrap();
    let commit = "1".repeat(40);
    scratch.run(&["add", "a.py"]);
    scratch.run(&[
        "update-index",
        "--add",
        "--cacheinfo",
        &format!("160000,{commit},sub"),
    ]);
    fs::create_dir(scratch.top.join("sub")).unwrap();
    fs::write(scratch.top.join("sub/y.py"), "").unwrap();
    let tree = read(&scratch);
    assert_eq!(
        listed(&tree),
        ["a.py tracked", "inner untracked", "sub tracked"]
    );
    assert_eq!(tree.get("sub").unwrap().kind, FileKind::Submodule);
}
