//! What is remembered of programs of others, on real git and real programs.
//!
//! The tools are small scripts of Python that the tests write; a counter file beside them says how often they were asked.

use std::path::{Path, PathBuf};
use std::process::Command;

use tradewind_delivery::hook::config::{HooksSection, PerFile};
use tradewind_delivery::hook::referee::{Reviewed, Share, review};
use tradewind_delivery::hook::{Cancel, Ending, Outcome, Request, Scope, run};
use tradewind_delivery::precommit::Stage;

/// Says no where a file has `bad`, fixes `fixme`, and writes down what it was asked of.
const TOOL: &str = "\
import pathlib, sys
here = pathlib.Path(__file__).resolve().parent
code = 0
words = [word for word in sys.argv[1:] if not word.startswith('-')]
rule = pathlib.Path('rules.toml')
forbidden = rule.read_text().strip() if rule.exists() else 'bad'
for path in words:
    with open(here / 'asked', 'a') as asked:
        asked.write(path + '\\n')
    text = open(path, newline='').read()
    if forbidden in text:
        print(path + ': ' + forbidden)
        code = 1
    if 'fixme' in text:
        open(path, 'w', newline='').write(text.replace('fixme', 'fixed'))
        code = 1
sys.exit(code)
";

struct Scratch {
    folder: tempfile::TempDir,
    declared: HooksSection,
    python: String,
}

impl Scratch {
    /// A repository whose one hook is `entry`, in which `{}` is the folder of tools; `None` where there is no Python.
    fn new(entry: &str) -> Option<Self> {
        // The interpreter itself: what is found on the path may be a script that chooses one.
        let say = "import os, sys; print(os.path.realpath(sys.executable), end='')";
        let python = command("python3").args(["-c", say]).output();
        let Some(python) = python.ok().filter(|output| output.status.success()) else {
            crate::hooks::skipped("python", "no python3 on the path");
            return None;
        };
        let scratch = Self {
            folder: tempfile::tempdir().unwrap(),
            python: String::from_utf8(python.stdout).unwrap(),
            declared: HooksSection {
                per_file: [("words".to_owned(), PerFile::default())].into(),
            },
        };
        std::fs::create_dir(scratch.top()).unwrap();
        std::fs::create_dir(scratch.tools()).unwrap();
        std::fs::write(scratch.tools().join("words.py"), TOOL).unwrap();
        scratch.git(&["init", "-q", "-b", "main"]);
        scratch.configure(entry, "");
        scratch.write("a.txt", "a\n");
        scratch.write("b.txt", "b\n");
        scratch.write("c.txt", "c\n");
        scratch.git(&["add", "-A"]);
        Some(scratch)
    }

    fn configure(&self, entry: &str, more: &str) {
        let entry = entry
            .replace("{}", self.tools().to_str().unwrap())
            .replace("python3 ", &format!("{} ", self.python));
        self.write(
            ".pre-commit-config.yaml",
            &format!(
                "repos:\n- repo: local\n  hooks:\n  - {{id: words, name: words, entry: {entry}, language: system, files: '\\.txt$'{more}}}\n"
            ),
        );
        self.git(&["add", ".pre-commit-config.yaml"]);
    }

    fn top(&self) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join("r")
    }

    fn tools(&self) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join("tools")
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.top().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn git(&self, args: &[&str]) {
        let done = command("git")
            .args(["-c", "user.name=a", "-c", "user.email=a@b"])
            .args(args)
            .current_dir(self.top())
            .output()
            .unwrap();
        assert!(done.status.success(), "{done:?}");
    }

    fn with<T>(&self, uses_cache: bool, act: impl FnOnce(&Request<'_>) -> T) -> T {
        let cache = self.folder.path().canonicalize().unwrap().join("cache");
        let request = Request {
            dir: &self.top(),
            stage: Stage::PreCommit,
            scope: Scope::All,
            config: None,
            only: None,
            skip: &[],
            args: &[],
            env: &[],
            cache: &cache,
            uses_cache,
            declared: &|_| self.declared.clone(),
        };
        act(&request)
    }

    fn run(&self) -> Outcome {
        self.with(true, |request| run(request, &Cancel::default()).unwrap())
    }

    fn referee(&self) -> Reviewed {
        self.with(true, |request| {
            review(request, Share(1_000_000), 1, &Cancel::default()).unwrap()
        })
    }

    /// What the tool was asked of since the last time.
    fn asked(&self) -> Vec<String> {
        let path = self.tools().join("asked");
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        std::fs::remove_file(path).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}

#[expect(clippy::disallowed_methods, reason = "the test plays the user")]
fn command(program: &str) -> Command {
    Command::new(program)
}

fn whys(outcome: &Outcome) -> Vec<String> {
    let misses = outcome.misses.iter();
    misses
        .filter(|miss| miss.hook.is_some())
        .map(|miss| format!("{}: {}", miss.path, miss.why))
        .collect()
}

const ENTRY: &str = "python3 {}/words.py";

#[test]
fn what_was_found_in_order_is_not_asked_again_and_each_miss_says_why() {
    let Some(mut scratch) = Scratch::new(ENTRY) else {
        return;
    };
    let first = scratch.run();
    assert!(first.is_passed(), "{first:#?}");
    assert_eq!(scratch.asked(), ["a.txt", "b.txt", "c.txt"]);
    assert_eq!(whys(&first)[0], "a.txt: never seen clean at this path");
    let second = scratch.run();
    assert!(second.is_passed());
    assert_eq!((second.hooks[0].known, scratch.asked().len()), (3, 0));

    scratch.write("b.txt", "other\n");
    scratch.git(&["add", "-A"]);
    assert_eq!(whys(&scratch.run()), ["b.txt: its content changed"]);
    assert_eq!(scratch.asked(), ["b.txt"]);

    scratch.configure(ENTRY, ", args: [-x]");
    // The configuration lies at the root, where a declared hook may read it; the arguments are named first.
    assert_eq!(whys(&scratch.run())[0], "a.txt: its arguments changed");
    assert_eq!(scratch.asked().len(), 3);

    scratch.write("rules.toml", "nothing of the kind\n");
    scratch.git(&["add", "-A"]);
    assert_eq!(
        whys(&scratch.run())[0],
        "a.txt: configuration rules.toml is new"
    );
    scratch.write("rules.toml", "also nothing\n");
    scratch.git(&["add", "-A"]);
    assert_eq!(
        whys(&scratch.run())[0],
        "a.txt: configuration rules.toml changed"
    );
    scratch.asked();

    let tool = scratch.tools().join("words.py");
    std::fs::write(&tool, format!("{TOOL}# another version\n")).unwrap();
    let whys = whys(&scratch.run());
    assert!(
        whys[0].starts_with("a.txt: ") && whys[0].contains("words.py"),
        "{whys:?}"
    );
    assert_eq!(scratch.asked().len(), 3);
    assert_eq!(scratch.run().hooks[0].known, 3);

    scratch.declared.per_file.clear();
    let undeclared = scratch.run();
    assert_eq!(scratch.asked().len(), 3);
    let why = undeclared.hooks[0].unremembered.clone().unwrap();
    assert!(why.contains("[hooks.per_file]"), "{why}");
}

#[test]
fn what_failed_or_was_fixed_is_asked_again() {
    let Some(scratch) = Scratch::new(ENTRY) else {
        return;
    };
    scratch.write("a.txt", "bad\n");
    scratch.git(&["add", "-A"]);
    for _ in 0..2 {
        let failed = scratch.run();
        assert!(matches!(
            failed.hooks[0].ending,
            Ending::Failed {
                exit_code: 1,
                fixed: 0
            }
        ));
        assert_eq!(scratch.asked().len(), 3);
    }
    scratch.write("a.txt", "fixme\n");
    scratch.git(&["add", "-A"]);
    assert!(!scratch.run().is_passed());
    assert_eq!(
        std::fs::read_to_string(scratch.top().join("a.txt")).unwrap(),
        "fixed\n"
    );
    scratch.asked();
    assert!(scratch.run().is_passed());
    assert_eq!(scratch.asked().len(), 3);
    // What an ended run found is not kept.
    scratch.write("a.txt", "new\n");
    scratch.git(&["add", "-A"]);
    let cancel = Cancel::default();
    cancel.cancel();
    let ended = scratch.with(true, |request| run(request, &cancel).unwrap());
    assert!(ended.is_cancelled);
    scratch.asked();
    assert!(scratch.run().is_passed());
    assert_eq!(scratch.asked(), ["a.txt"]);
}

#[test]
fn hooks_of_which_more_decides_are_not_remembered() {
    let Some(scratch) = Scratch::new(ENTRY) else {
        return;
    };
    for (more, why) in [
        (
            ", pass_filenames: false, always_run: true",
            "not given files",
        ),
        (", verbose: true", "verbose"),
        (", args: [.]", "folder"),
    ] {
        scratch.configure(ENTRY, more);
        for _ in 0..2 {
            let told = scratch.run().hooks[0].unremembered.clone();
            assert!(
                told.as_ref().is_some_and(|told| told.contains(why)),
                "{more}: {told:?}"
            );
        }
    }
}

#[test]
fn a_fresh_run_and_a_remembering_one_say_the_same_whatever_is_edited() {
    let Some(mut scratch) = Scratch::new(ENTRY) else {
        return;
    };
    scratch.declared.per_file.insert(
        "words".to_owned(),
        PerFile {
            reads: vec!["lists/**".to_owned()],
            env: Vec::new(),
        },
    );
    let mut seed = crate::hooks::seed::Seed::of("verdicts");
    let mut known = 0;
    for _ in 0..60 {
        let name = ["a.txt", "b.txt", "c.txt", "d.txt"][seed.below(4)];
        match seed.below(8) {
            0 => scratch.write("rules.toml", ["bad\n", "ugly\n", "x\n"][seed.below(3)]),
            1 => scratch.configure(ENTRY, ["", ", args: [-x]"][seed.below(2)]),
            2 => {
                let version = format!("{TOOL}# {}\n", seed.below(3))
                    .replace("fixme", ["fixme", "mendme"][seed.below(2)]);
                std::fs::write(scratch.tools().join("words.py"), version).unwrap();
            }
            _ => scratch.write(
                name,
                [
                    "fine\n", "bad\n", "fixme\n", "ugly\n", "x\n", "y\n", "mendme\n",
                ][seed.below(7)],
            ),
        }
        scratch.git(&["add", "-A"]);
        // The fresh run is over a copy of the repository, because both may fix.
        let before: Vec<_> = contents(&scratch.top());
        let fresh = scratch.with(false, |request| run(request, &Cancel::default()).unwrap());
        let fresh_after = contents(&scratch.top());
        for (path, text) in &before {
            scratch.write(path, text);
        }
        scratch.git(&["add", "-A"]);
        let remembering = scratch.run();
        known += remembering.hooks[0].known;
        assert_eq!(
            fresh.hooks[0].ending, remembering.hooks[0].ending,
            "{before:?}"
        );
        assert_eq!(fresh_after, contents(&scratch.top()), "{before:?}");
    }
    assert!(known > 30, "{known}");
}

fn contents(top: &Path) -> Vec<(String, String)> {
    let mut all: Vec<_> = std::fs::read_dir(top)
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_type().unwrap().is_file())
        .map(|entry| {
            let text = std::fs::read_to_string(entry.path()).unwrap();
            (entry.file_name().into_string().unwrap(), text)
        })
        .collect();
    all.sort();
    all
}

#[test]
fn a_tool_that_secretly_reads_another_file_is_found_out_and_forgotten() {
    let Some(scratch) = Scratch::new(ENTRY) else {
        return;
    };
    let secret = scratch.tools().join("secret");
    std::fs::write(&secret, "bad").unwrap();
    let sly = TOOL.replace(
        "rule = pathlib.Path('rules.toml')",
        "rule = here / 'secret'",
    );
    assert_ne!(sly, TOOL);
    std::fs::write(scratch.tools().join("words.py"), &sly).unwrap();
    assert!(scratch.run().is_passed());
    let honest = scratch.referee();
    assert_eq!(
        (honest.known, honest.asked, honest.refuted.len()),
        (3, 3, 0)
    );
    std::fs::write(&secret, "b").unwrap();
    assert!(scratch.run().is_passed(), "nobody knows of the secret yet");
    let caught = scratch.referee();
    assert_eq!(caught.refuted.len(), 1, "{caught:#?}");
    assert_eq!(caught.refuted[0].hook.as_deref(), Some("words"));
    assert_eq!(caught.refuted[0].files, ["b.txt"]);
    assert!(caught.refuted[0].said.contains("b.txt: b"), "{caught:#?}");
    // It is asked each time from now on, and so finds what it finds.
    for _ in 0..2 {
        let again = scratch.run();
        assert!(!again.is_passed());
        assert!(
            again.hooks[0]
                .unremembered
                .as_ref()
                .unwrap()
                .contains("did not hold")
        );
    }
    assert_eq!(scratch.referee().known, 0);
    // Another program of that name is given another chance.
    std::fs::write(&secret, "bad").unwrap();
    std::fs::write(scratch.tools().join("words.py"), format!("{sly}# mended\n")).unwrap();
    assert!(scratch.run().is_passed());
    assert_eq!(scratch.run().hooks[0].known, 3);
}

/// A package `black` that looks at pyproject.toml, as pip lays it out.
struct Installed {
    site: PathBuf,
    package: PathBuf,
    script: PathBuf,
}

fn installed(scratch: &Scratch) -> Installed {
    // As pip lays it out, with a package that looks at pyproject.toml.
    let made = command(&scratch.python)
        .args(["-m", "venv", "--without-pip"])
        .arg(scratch.tools().join("v"))
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let bin = scratch
        .tools()
        .join("v")
        .join(if cfg!(windows) { "Scripts" } else { "bin" });
    let python = bin.join(if cfg!(windows) {
        "python.exe"
    } else {
        "python3"
    });
    let site = command(python.to_str().unwrap())
        .args([
            "-c",
            "import sysconfig; print(sysconfig.get_path('purelib'), end='')",
        ])
        .output()
        .unwrap();
    let site = PathBuf::from(String::from_utf8(site.stdout).unwrap());
    let package = site.join("black");
    std::fs::create_dir_all(&package).unwrap();
    std::fs::create_dir_all(site.join("black-1.0.dist-info")).unwrap();
    std::fs::write(
        site.join("black-1.0.dist-info/RECORD"),
        "black/__init__.py,,\n",
    )
    .unwrap();
    let code = TOOL
        .replace(
            "here = pathlib.Path(__file__).resolve().parent",
            &format!("here = pathlib.Path(r'{}')", scratch.tools().display()),
        )
        .replace("rules.toml", "pyproject.toml");
    std::fs::write(
        package.join("__init__.py"),
        format!("def main():\n    {}\n", code.trim().replace('\n', "\n    ")),
    )
    .unwrap();
    let script = bin.join("black");
    let start = format!(
        "#!{}\nimport sys\nfrom black import main\nif __name__ == '__main__':\n    sys.exit(main())\n",
        python.display()
    );
    std::fs::write(&script, start).unwrap();
    executable(&script);
    Installed {
        site,
        package,
        script,
    }
}

#[test]
fn a_tool_of_the_table_is_remembered_with_its_packages_and_its_configuration() {
    let Some(mut scratch) = Scratch::new(ENTRY) else {
        return;
    };
    scratch.declared = HooksSection::default();
    if cfg!(windows) {
        // There a start script is a program.
        return;
    }
    let Installed {
        site,
        package,
        script,
    } = installed(&scratch);
    scratch.configure("{}/v/bin/black", "");
    assert!(scratch.run().is_passed());
    assert_eq!(scratch.asked().len(), 3);
    assert_eq!(scratch.run().hooks[0].known, 3, "{:#?}", scratch.run());
    let cases: &[(&str, &dyn Fn())] = &[
        ("configuration pyproject.toml is new", &|| {
            scratch.write("pyproject.toml", "nope\n");
        }),
        ("packages of", &|| {
            std::fs::create_dir_all(site.join("click-8.dist-info")).unwrap();
        }),
        ("packages of", &|| {
            std::fs::write(
                site.join("black-1.0.dist-info/RECORD"),
                "black/__init__.py,,\nblack/x.py,,\n",
            )
            .unwrap();
        }),
        ("package ", &|| {
            std::fs::write(package.join("x.py"), "").unwrap();
        }),
    ];
    for (why, change) in cases {
        change();
        scratch.git(&["add", "-A"]);
        let told = whys(&scratch.run());
        assert!(
            told.first().is_some_and(|told| told.contains(why)),
            "{why}: {told:?}"
        );
        assert_eq!(scratch.asked().len(), 3, "{why}");
        assert_eq!(scratch.run().hooks[0].known, 3, "{why}");
    }
    // Another program of that name is not what the table means.
    std::fs::write(
        &script,
        std::fs::read_to_string(&script)
            .unwrap()
            .replace("from black import", "from blackened import"),
    )
    .unwrap();
    assert!(scratch.run().hooks[0].unremembered.is_some());
}

#[cfg(unix)]
fn executable(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[cfg(not(unix))]
fn executable(_: &Path) {}
