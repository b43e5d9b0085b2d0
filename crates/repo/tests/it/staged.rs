//! Law: what is read from the index and the objects in-process is what git says, whatever was done before.

use std::path::Path;

use proptest::prelude::*;
use tradewind_host::git::Git;
use tradewind_repo::checkout::Checkout;
use tradewind_repo::index::{Index, IndexError};
use tradewind_repo::odb::{self, Objects};
use tradewind_repo::{Location, Oid, RepoError, trees};

use crate::scratch::Scratch;

#[derive(Clone, Debug)]
enum Step {
    Write(u8, u8),
    Stage(u8),
    StageAll,
    Remove(u8),
    Place(u8),
    Executable(u8),
    Link(u8),
    Submodule(u8),
    Commit,
    Pack,
    Version(u8),
    WriteTree,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (any::<u8>(), any::<u8>()).prop_map(|(a, b)| Step::Write(a, b)),
        4 => any::<u8>().prop_map(Step::Stage),
        2 => Just(Step::StageAll),
        2 => any::<u8>().prop_map(Step::Remove),
        1 => any::<u8>().prop_map(Step::Place),
        1 => any::<u8>().prop_map(Step::Executable),
        1 => any::<u8>().prop_map(Step::Link),
        1 => any::<u8>().prop_map(Step::Submodule),
        3 => Just(Step::Commit),
        1 => Just(Step::Pack),
        2 => (2_u8..=4).prop_map(Step::Version),
        1 => Just(Step::WriteTree),
    ]
}

/// Names that sort otherwise as files than as folders, long ones, and one with odd bytes.
fn path(n: u8) -> String {
    let names = [
        "a",
        "a-b",
        "a.txt",
        "a/b",
        "a/b-c/d",
        "a0",
        "deep/er/still/x.py",
        "b/ü",
        "b/ä.json",
        "c d/e\tf",
        "z/z",
    ];
    match n % 16 {
        15 => format!("long/{}", "n".repeat(200)),
        n => (*names.get(usize::from(n)).unwrap_or(&"m")).to_owned(),
    }
}

fn act(scratch: &Scratch, step: &Step) {
    let git = |args: &[&str]| {
        // Git may refuse, which is part of the game.
        scratch.try_run(args).unwrap_or_default();
    };
    match step {
        Step::Write(n, text) => {
            let file = scratch.top.join(path(*n));
            std::fs::create_dir_all(file.parent().unwrap()).unwrap_or_default();
            let lines = (0..40).map(|line| format!("{line} of {}\n", path(*n)));
            let body = lines.collect::<String>() + &format!("and {text}\n");
            std::fs::write(file, body).unwrap_or_default();
        }
        Step::Stage(n) => git(&["add", "--", &path(*n)]),
        Step::StageAll => git(&["add", "-A"]),
        Step::Remove(n) => git(&["rm", "-rqf", "--", &path(*n)]),
        Step::Place(n) => git(&["add", "-N", "--", &path(*n)]),
        Step::Executable(n) => git(&["update-index", "--chmod=+x", "--", &path(*n)]),
        Step::Link(n) => {
            let id = scratch.run(&["hash-object", "-w", "--stdin"]);
            let info = format!("120000,{id},l{}", n % 3);
            git(&["update-index", "--add", "--cacheinfo", &info]);
        }
        Step::Submodule(n) => {
            if let Ok(head) = scratch.try_run(&["rev-parse", "-q", "--verify", "HEAD"]) {
                let info = format!("160000,{head},s{}", n % 3);
                git(&["update-index", "--add", "--cacheinfo", &info]);
            }
        }
        Step::Commit => {
            scratch.commit("c");
        }
        Step::Pack => git(&["repack", "-adq"]),
        Step::Version(version) => {
            git(&["update-index", "--index-version", &version.to_string()]);
        }
        Step::WriteTree => git(&["write-tree"]),
    }
}

fn side(side: Option<trees::Side>, width: usize) -> String {
    match side {
        Some((mode, id)) => format!("{mode:06o} {id}"),
        None => format!("000000 {}", "0".repeat(width)),
    }
}

/// Compares everything with git's own answers.
fn agrees(scratch: &Scratch) {
    let location = scratch.location();
    let is_sha256 = scratch.run(&["rev-parse", "--show-object-format"]) == "sha256";
    let width = if is_sha256 { 64 } else { 40 };
    let index = Index::read(&location.index(), is_sha256).unwrap();
    let objects = Objects::open(location.common_dir.join("objects"), is_sha256).unwrap();

    let mut listed = String::new();
    for entry in index.entries() {
        let path = String::from_utf8_lossy(index.path(entry));
        listed += &format!("{:06o} {} {}\t{path}\0", entry.mode, entry.id, entry.stage);
    }
    assert_eq!(listed, scratch.run(&["ls-files", "-s", "-z"]));

    let head = scratch
        .try_run(&["rev-parse", "-q", "--verify", "HEAD"])
        .ok();
    let head: Option<Oid> = head.map(|head| head.parse().unwrap());
    let tree = head.map(|head| trees::commit(&objects, head).unwrap().0);
    let mut told = String::new();
    trees::staged(&objects, tree, &index, &mut |path, before, after| {
        let path = String::from_utf8_lossy(path);
        told += &format!("{} {} {path}\n", side(before, width), side(after, width));
    })
    .unwrap();
    let against = tree.map_or_else(
        || scratch.run(&["hash-object", "-t", "tree", "--stdin"]),
        |tree| tree.to_string(),
    );
    let args = [
        "diff-index",
        "--ita-invisible-in-index",
        "--cached",
        "--raw",
        "--no-abbrev",
        "-z",
        "--no-renames",
        &against,
    ];
    assert_eq!(told, raw(&scratch.run(&args)), "against {against}");

    for entry in index.entries() {
        if entry.mode == 0o160_000 || entry.is_intent_to_add {
            continue;
        }
        let object = objects.read(entry.id, u64::MAX - 1).unwrap().unwrap();
        assert_eq!(odb::blob_name(&object.bytes, is_sha256), entry.id);
        assert_eq!(index.get(index.path(entry)), Some(entry));
        if let Some(tree) = tree {
            let name = String::from_utf8_lossy(index.path(entry)).into_owned();
            let said = scratch.run(&["ls-tree", "-z", &tree.to_string(), "--", &name]);
            let found = trees::at(&objects, tree, index.path(entry)).unwrap();
            assert_eq!(
                found.map(|(_, id)| id.to_string()).unwrap_or_default(),
                said.split([' ', '\t']).nth(2).unwrap_or_default(),
                "{name}"
            );
        }
    }
    let Ok(before) = scratch.try_run(&["rev-parse", "-q", "--verify", "HEAD~1^{tree}"]) else {
        return;
    };
    let mut told = String::new();
    trees::between(
        &objects,
        Some(before.parse().unwrap()),
        tree,
        &mut |path, before, after| {
            let path = String::from_utf8_lossy(path);
            told += &format!("{} {} {path}\n", side(before, width), side(after, width));
        },
    )
    .unwrap();
    let args = [
        "diff-tree",
        "-r",
        "--raw",
        "--no-abbrev",
        "-z",
        "--no-renames",
        &before,
        "HEAD",
    ];
    assert_eq!(told, raw(&scratch.run(&args)));
}

/// Brings `:<mode> <mode> <id> <id> <status>\0<path>\0` into our form.
fn raw(text: &str) -> String {
    let mut parts = text.split('\0').filter(|part| !part.is_empty());
    let mut lines = String::new();
    while let (Some(head), Some(path)) = (parts.next(), parts.next()) {
        let words: Vec<&str> = head.trim_start_matches(':').split(' ').collect();
        let [old_mode, new_mode, old, new, _] = words.as_slice() else {
            panic!("{head}");
        };
        lines += &format!("{old_mode} {old} {new_mode} {new} {path}\n");
    }
    lines
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn any_sequence_reads_as_git_says(steps in prop::collection::vec(step(), 1..40)) {
        let scratch = Scratch::new();
        for step in &steps {
            act(&scratch, step);
        }
        agrees(&scratch);
    }
}

#[test]
fn git_reads_an_index_that_is_written_here() {
    let scratch = Scratch::new();
    for n in 0..16 {
        act(&scratch, &Step::Write(n, n));
    }
    act(&scratch, &Step::StageAll);
    scratch.commit("c");
    let objects = Objects::open(scratch.top.join(".git/objects"), false).unwrap();
    let tree = scratch.run(&["rev-parse", "HEAD^{tree}"]).parse().unwrap();
    let index = Index::of_tree(&objects, tree).unwrap();
    let entries = index.entries().iter();
    let bytes = Index::write(entries.map(|e| (index.path(e), e.mode, e.id)), false);
    std::fs::write(scratch.top.join(".git/index"), bytes).unwrap();
    assert_eq!(scratch.run(&["write-tree"]), tree.to_string());
    assert_eq!(scratch.run(&["status", "--porcelain"]), "");
    assert!(scratch.run(&["fsck"]).is_empty());
}

#[test]
fn names_of_sha256_are_read() {
    let scratch = Scratch::with_init(&["--object-format=sha256"]);
    for step in [
        Step::Write(3, 1),
        Step::StageAll,
        Step::Commit,
        Step::Write(3, 2),
        Step::Stage(3),
        Step::Pack,
    ] {
        act(&scratch, &step);
    }
    agrees(&scratch);
}

#[test]
fn chains_of_deltas_are_undone() {
    let scratch = Scratch::new();
    let mut text = String::new();
    for round in 0..60 {
        text += &format!("line {round} {}\n", "x".repeat(round));
        scratch.write("grows.txt", &text);
        scratch.run(&["add", "-A"]);
        scratch.commit("c");
    }
    scratch.run(&["repack", "-adfq", "--depth=50", "--window=50"]);
    let location = scratch.location();
    let objects = Objects::open(location.common_dir.join("objects"), false).unwrap();
    let named = scratch.run(&["rev-list", "--objects", "--all"]);
    let mut deltas = 0;
    for id in named.lines().map(|line| &line[..40]) {
        let kind = scratch.run(&["cat-file", "-t", id]);
        let object = objects.read(id.parse().unwrap(), 1 << 20).unwrap().unwrap();
        assert_eq!(format!("{:?}", object.kind).to_lowercase(), kind);
        let size = scratch.run(&["cat-file", "-s", id]);
        assert_eq!(object.bytes.len().to_string(), size);
        deltas += 1;
    }
    assert_eq!(deltas, 180);
    let first: Oid = scratch
        .run(&["rev-parse", "HEAD:grows.txt"])
        .parse()
        .unwrap();
    assert!(matches!(
        objects.read(first, 100),
        Err(odb::ObjectError::TooLong { .. })
    ));
}

#[test]
fn objects_of_alternates_are_found_and_absent_ones_are_told() {
    let scratch = Scratch::new();
    scratch.write("a.txt", "a\n");
    scratch.run(&["add", "-A"]);
    scratch.commit("c");
    let other = scratch.folder().join("other");
    let (from, to) = (scratch.top.to_str().unwrap(), other.to_str().unwrap());
    scratch.run(&["init", "-q", to]);
    let list = other.join(".git/objects/info/alternates");
    std::fs::write(list, format!("{from}/.git/objects\n")).unwrap();
    let objects = Objects::open(other.join(".git/objects"), false).unwrap();
    let id: Oid = scratch.run(&["rev-parse", "HEAD:a.txt"]).parse().unwrap();
    assert_eq!(objects.read(id, 100).unwrap().unwrap().bytes, b"a\n");
    let absent = Oid::from_hex(&[b'1'; 40]).unwrap();
    assert_eq!(objects.read(absent, 100).unwrap(), None);
}

#[test]
fn a_split_or_sparse_index_is_left_to_git() {
    let scratch = Scratch::new();
    scratch.write("in/a.txt", "a\n");
    scratch.write("out/b.txt", "b\n");
    scratch.run(&["add", "-A"]);
    scratch.commit("c");
    let index = |scratch: &Scratch| Index::read(&scratch.location().index(), false);
    assert!(index(&scratch).is_ok());
    scratch.run(&["update-index", "--split-index"]);
    let split = index(&scratch);
    assert!(
        matches!(
            split,
            Err(IndexError::Unsupported {
                what: "split in two files"
            })
        ),
        "{split:?}"
    );
    scratch.run(&["update-index", "--no-split-index"]);
    scratch.run(&["sparse-checkout", "set", "--cone", "--sparse-index", "in"]);
    assert!(matches!(
        index(&scratch),
        Err(IndexError::Unsupported { what: "sparse" })
    ));
}

#[test]
fn a_damaged_index_is_an_error_wherever_it_is_cut() {
    let scratch = Scratch::new();
    for n in 0..12 {
        act(&scratch, &Step::Write(n, n));
    }
    act(&scratch, &Step::StageAll);
    scratch.commit("c");
    for version in 2..=4 {
        act(&scratch, &Step::Version(version));
        let bytes = std::fs::read(scratch.location().index()).unwrap();
        for cut in 0..bytes.len() {
            // The end may be missing: extensions are told by their own lengths. Nothing panics.
            drop(Index::parse(&bytes[..cut], false));
            let mut bent = bytes.clone();
            bent[cut] ^= 0x55;
            drop(Index::parse(&bent, false));
        }
        assert!(Index::parse(&bytes[..bytes.len() / 2], false).is_err());
    }
    assert!(
        Index::read(Path::new("does/not/exist"), false)
            .unwrap()
            .entries()
            .is_empty()
    );
}

#[test]
fn what_is_checked_out_is_found_with_and_without_git() {
    let scratch = Scratch::new();
    let find = |dir: &Path| {
        Checkout::find(dir, || -> Result<Git, RepoError> {
            panic!("git was asked")
        })
        .unwrap()
    };
    let found = find(&scratch.top);
    assert_eq!(
        (found.branch.as_deref(), found.commit),
        (Some("refs/heads/main"), None)
    );
    scratch.write("a/b.txt", "b\n");
    scratch.run(&["add", "-A"]);
    let head: Oid = scratch.commit("c").parse().unwrap();
    for pack in [false, true] {
        if pack {
            scratch.run(&["pack-refs", "--all"]);
        }
        let found = find(&scratch.top.join("a"));
        assert_eq!(found.location, scratch.location());
        assert_eq!(found.commit, Some(head), "packed: {pack}");
        assert!(!found.has_own_index() && !found.is_sha256);
    }
    scratch.run(&["checkout", "-q", "--detach"]);
    assert_eq!(
        (find(&scratch.top).branch, find(&scratch.top).commit),
        (None, Some(head))
    );
    let linked = scratch.folder().join("linked");
    scratch.run(&[
        "worktree",
        "add",
        "-q",
        "-b",
        "other",
        linked.to_str().unwrap(),
    ]);
    let found = find(&linked);
    assert_eq!(
        found.location,
        Location::find(&scratch.git, &linked).unwrap()
    );
    assert_eq!(found.branch.as_deref(), Some("refs/heads/other"));
    assert_eq!(found.index, found.location.index());
    assert_eq!(found.commit, Some(head));

    // What only git understands is asked of git, with the same answer.
    scratch.run(&["config", "include.path", "elsewhere"]);
    let asked = Checkout::find(&scratch.top, || Ok::<_, RepoError>(scratch.git.clone())).unwrap();
    assert_eq!(asked.location, scratch.location());
    assert_eq!((asked.branch, asked.commit), (None, Some(head)));
    assert!(Checkout::find(scratch.folder(), || Ok::<_, RepoError>(scratch.git.clone())).is_err());
}

#[test]
fn an_index_that_git_has_to_list_reads_the_same() {
    let scratch = Scratch::new();
    for n in 0..12 {
        act(&scratch, &Step::Write(n, n));
    }
    act(&scratch, &Step::StageAll);
    scratch.write("placed.txt", "later\n");
    scratch.run(&["add", "-N", "placed.txt"]);
    let git = || Ok::<_, RepoError>(scratch.git.clone());
    let checkout = Checkout::find(&scratch.top, git).unwrap();
    let told = |index: &Index| -> Vec<_> {
        let entries = index.entries().iter();
        entries
            .map(|e| {
                (
                    index.path(e).to_vec(),
                    e.mode,
                    e.id,
                    e.stage,
                    e.is_intent_to_add,
                )
            })
            .collect()
    };
    let before = told(&checkout.read_index(git).unwrap());
    assert!(
        before
            .iter()
            .any(|(path, .., placed)| path == b"placed.txt" && *placed)
    );
    scratch.run(&["update-index", "--split-index"]);
    assert_eq!(told(&checkout.read_index(git).unwrap()), before);
}
