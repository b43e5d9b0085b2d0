//! Whatever dies, and whenever: no byte that a user wrote is lost, and the next run ends what was begun.
//!
//! The program under test is this test binary, started again with a variable that names the repository.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::faults::VARIABLE;
use super::{Cancel, Request, Scope, run};
use crate::precommit::Stage;

/// Variable by which the child knows that it is one.
const CHILD: &str = "TRADEWIND_TEST_HOOKS_IN";
/// Every step at which a run can be ended, with how often it is passed before.
const STEPS: &[(&str, u32)] = &[
    ("objects written", 0),
    ("intent recorded", 0),
    ("index changed", 0),
    ("before the exchange", 0),
    ("after the exchange", 0),
    ("file exchanged", 0),
    ("before the exchange", 1),
    ("after the exchange", 1),
    ("file exchanged", 1),
    ("file exchanged", 2),
    ("files exchanged", 0),
    ("files settled", 0),
    ("intent removed", 0),
];

const CONFIG: &str =
    "repos:\n- repo: builtin\n  hooks:\n  - id: trailing-whitespace\n  - id: end-of-file-fixer\n";

pub(super) fn hooks_in(dir: &Path, cache: &Path) -> super::Outcome {
    let request = Request {
        dir,
        stage: Stage::PreCommit,
        scope: Scope::Staged,
        config: None,
        only: None,
        skip: &[],
        args: &[],
        env: &[],
        cache,
        uses_cache: true,
        declared: &|_| super::config::HooksSection::default(),
    };
    run(&request, &Cancel::default()).unwrap()
}

/// Not a test by itself: what the others start and end.
#[test]
fn child() {
    if let Some(dir) = std::env::var_os(CHILD) {
        let dir = PathBuf::from(dir);
        hooks_in(&dir, &dir.with_extension("cache"));
    }
}

pub(super) struct Scratch {
    _folder: tempfile::TempDir,
    pub(super) top: PathBuf,
}

impl Scratch {
    /// Three files that need fixes: one as staged, one edited beside its fix, one edited where its fix is; and an
    /// unstaged edit elsewhere.
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path().canonicalize().unwrap().join("r");
        std::fs::create_dir(&top).unwrap();
        let scratch = Self {
            _folder: folder,
            top,
        };
        scratch.git(&["init", "-q", "-b", "main"]);
        let lines: Vec<String> = (1..=20).map(|n| n.to_string()).collect();
        let lines = lines.join("\n") + "\n";
        for name in ["a.txt", "b.txt", "c.txt", "other.txt"] {
            scratch.write(name, &lines);
        }
        scratch.write(".pre-commit-config.yaml", CONFIG);
        scratch.git(&["add", "-A"]);
        scratch.git(&["commit", "-qm", "base"]);
        for name in ["a.txt", "b.txt", "c.txt"] {
            scratch.write(name, &lines.replace("\n3\n", "\n3 staged   \n"));
        }
        scratch.git(&["add", "-A"]);
        scratch.write(
            "b.txt",
            &lines.replace("\n3\n4\n", "\n3 staged   \n4 UNSTAGED\n"),
        );
        scratch.write("c.txt", &lines.replace("\n3\n", "\n3 EDITED   \n"));
        scratch.write("other.txt", &lines.replace("\n9\n", "\n9 UNSTAGED\n"));
        scratch
    }

    pub(super) fn git(&self, args: &[&str]) -> String {
        #[expect(
            clippy::disallowed_methods,
            reason = "the test plays the user at a terminal"
        )]
        let output = Command::new("git")
            .args([
                "-c",
                "user.name=a",
                "-c",
                "user.email=a@b",
                "-c",
                "core.hooksPath=/dev/null",
            ])
            .args(args)
            .current_dir(&self.top)
            .output()
            .unwrap();
        assert!(output.status.success(), "{args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    pub(super) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.top.join(name), text).unwrap();
    }

    pub(super) fn files(&self) -> BTreeMap<String, String> {
        let listed = std::fs::read_dir(&self.top).unwrap();
        listed
            .filter_map(|entry| {
                let path = entry.unwrap().path();
                let name = path.file_name()?.to_str()?.to_owned();
                Some((name, std::fs::read_to_string(&path).ok()?))
            })
            .collect()
    }

    pub(super) fn staged(&self, name: &str) -> String {
        self.git(&["show", &format!(":{name}")])
    }

    fn start(&self, die_at: Option<&str>) -> std::process::Child {
        #[expect(
            clippy::disallowed_methods,
            reason = "the test ends it at a moment of its choice"
        )]
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args([
                "--exact",
                "hook::kills::child",
                "--test-threads=1",
                "--nocapture",
            ])
            .env(CHILD, &self.top)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if let Some(die_at) = die_at {
            command.env(VARIABLE, die_at);
        }
        command.spawn().unwrap()
    }

    /// What holds at every moment: each edit of the user is in its file, and each file is whole.
    fn keeps_everything(&self, when: &str) {
        let files = self.files();
        assert!(
            files["b.txt"].contains("\n4 UNSTAGED\n"),
            "{when}: {files:?}"
        );
        assert!(
            files["c.txt"].contains("\n3 EDITED   \n"),
            "{when}: {files:?}"
        );
        assert!(
            files["other.txt"].contains("\n9 UNSTAGED\n"),
            "{when}: {files:?}"
        );
        for name in ["a.txt", "b.txt", "c.txt", "other.txt"] {
            assert!(files[name].ends_with("\n19\n20\n"), "{when}: {name}");
            assert_eq!(files[name].lines().count(), 20, "{when}: {name}");
            let staged = self.staged(name);
            assert_eq!(staged.lines().count(), 20, "{when}: staged {name}");
        }
    }

    /// What holds after a run that nobody ended.
    fn is_done(&self, when: &str) {
        self.keeps_everything(when);
        for name in ["a.txt", "b.txt", "c.txt"] {
            assert!(
                self.staged(name).contains("\n3 staged\n"),
                "{when}: staged {name}"
            );
        }
        let files = self.files();
        assert!(files["a.txt"].contains("\n3 staged\n"), "{when}");
        assert!(
            files["b.txt"].contains("\n3 staged\n4 UNSTAGED\n"),
            "{when}: {files:?}"
        );
        let names: Vec<_> = files.keys().map(String::as_str).collect();
        let wanted = [
            ".pre-commit-config.yaml",
            "a.txt",
            "b.txt",
            "c.txt",
            "other.txt",
        ];
        assert_eq!(names, wanted, "{when}");
        assert!(
            !self.top.join(".git/tradewind/apply.json").exists(),
            "{when}"
        );
        assert!(!self.top.join(".git/index.lock").exists(), "{when}");
    }
}

#[test]
fn a_run_that_nobody_ends_fixes_what_is_staged_and_keeps_what_is_not() {
    let scratch = Scratch::new();
    let outcome = hooks_in(&scratch.top, &scratch.top.with_extension("cache"));
    assert!(!outcome.is_passed());
    assert_eq!(outcome.applied.len(), 3, "{outcome:?}");
    scratch.is_done("whole");
    let again = hooks_in(&scratch.top, &scratch.top.with_extension("cache"));
    assert!(again.is_passed(), "{again:?}");
}

#[test]
fn wherever_a_run_dies_nothing_is_lost_and_the_next_one_ends_it() {
    for (step, times) in STEPS {
        let when = format!("{step}:{times}");
        let scratch = Scratch::new();
        let status = scratch.start(Some(&when)).wait().unwrap();
        assert!(!status.success(), "{when} was never reached");
        scratch.keeps_everything(&when);
        hooks_in(&scratch.top, &scratch.top.with_extension("cache"));
        scratch.is_done(&when);
    }
}

/// How many kills; the closing notes quote a run with a thousand.
fn kills() -> u32 {
    std::env::var("TRADEWIND_TEST_KILLS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(12)
}

#[test]
fn whenever_a_run_is_killed_nothing_is_lost() {
    // How long an undisturbed run takes, in microseconds.
    let scratch = Scratch::new();
    let started = std::time::Instant::now();
    assert!(scratch.start(None).wait().unwrap().success());
    let whole = started.elapsed();
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut found: BTreeMap<&str, u32> = BTreeMap::new();
    for kill in 0..kills() {
        let scratch = Scratch::new();
        let mut child = scratch.start(None);
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let share = f64::from(u32::try_from(seed >> 40).unwrap()) / f64::from(1_u32 << 24);
        std::thread::sleep(whole.mul_f64(share * 1.1));
        child.kill().unwrap();
        let status = child.wait().unwrap();
        let intent = scratch.top.join(".git/tradewind/apply.json");
        let state = if intent.exists() {
            "while it applied"
        } else if scratch.staged("a.txt").contains("3 staged   ") {
            "before it applied"
        } else {
            "after it applied"
        };
        *found.entry(state).or_default() += 1;
        let when = format!("kill {kill} ({status}, {state})");
        scratch.keeps_everything(&when);
        // git leaves its lock when it is killed itself; it is not, only we are.
        for _ in 0..100 {
            if !scratch.top.join(".git/index.lock").exists() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        hooks_in(&scratch.top, &scratch.top.with_extension("cache"));
        scratch.is_done(&when);
    }
    println!("{found:?}");
}
