//! What is not installed: told as that, with the command that brings it, not as a failed check.
//!
//! Why: "exit code 1" sends a person to read the code; "pytest is not installed" sends nobody there. What a program prints
//! is hostile text, so it is only believed where it speaks against itself: the check did not pass either way.
//! Not here: installing anything.

use std::path::Path;

use tradewind_host::files;

use super::plan::{Command, Definition};
use super::tools::Tools;

/// Bytes at the end of an output that are looked at.
const MAX_TAIL: usize = 16 * 1024;
/// Bound on a file of requirements.
const MAX_REQUIREMENTS: u64 = 256 * 1024;
/// Options of pytest that come from a distribution of their own.
const PLUGINS: &[(&str, &str)] = &[
    ("--asyncio-mode", "pytest-asyncio"),
    ("--cov", "pytest-cov"),
    ("--numprocesses", "pytest-xdist"),
    ("-n", "pytest-xdist"),
    ("--reruns", "pytest-rerunfailures"),
    ("--timeout", "pytest-timeout"),
    ("--mypy", "pytest-mypy"),
    ("--testmon", "pytest-testmon"),
    ("--benchmark", "pytest-benchmark"),
    ("--random-order", "pytest-random-order"),
];
/// Where projects say what their development needs, the likeliest first.
const REQUIREMENTS: &[&str] = &[
    "requirements-dev.txt",
    "requirements-test.txt",
    "requirements_dev.txt",
    "requirements_test.txt",
    "dev-requirements.txt",
    "test-requirements.txt",
    "requirements/dev.txt",
    "requirements/test.txt",
    "requirements.txt",
];

/// Something that a check needs and that is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Missing {
    /// What is wrong, as a clause.
    pub(super) why: String,
    /// The command that brings it.
    pub(super) next: String,
}

/// What brings it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Python,
    Node,
    Rust(&'static str),
    System,
}

/// Says that a program is nowhere.
pub(super) fn program(name: &str, tree: &Path, tools: &Tools) -> Missing {
    let is_path = name.contains(['/', '\\']);
    if is_path && !name.starts_with(".venv") && !name.starts_with("venv") {
        return Missing {
            why: format!("{name} is not a program in the tree that is checked"),
            next: format!(
                "`git ls-files --stage {name}` shows whether it is committed, and executable (100755)"
            ),
        };
    }
    let short = name.rsplit(['/', '\\']).next().unwrap_or(name);
    Missing {
        why: format!(
            "{short} is not installed: it is neither in .venv nor in node_modules nor on the path"
        ),
        next: next(short, way(short, tree), tree, tools),
    }
}

/// Finds in what a program said that something is not installed.
pub(super) fn told(
    definition: &Definition,
    exit_code: i32,
    output: &str,
    tree: &Path,
    tools: &Tools,
) -> Option<Missing> {
    let from = output.len().saturating_sub(MAX_TAIL);
    let from = (from..=output.len()).find(|at| output.is_char_boundary(*at))?;
    let tail = output.get(from..)?;
    let mut lines = tail.lines().rev().map(str::trim_end);
    let missing = |what: &str, way: Way| Missing {
        why: format!("{what} is not installed"),
        next: next(what, way, tree, tools),
    };
    let words: &[String] = match &definition.command {
        Command::Words(words) => words,
        Command::Shell(_) => &[],
    };
    if let Some(module) = module(words) {
        // `python -m` says it in its last line, and ends with 1.
        let first = module.split('.').next().unwrap_or(module);
        let end = format!(": No module named {first}");
        let of = format!(": No module named {module}");
        let is_told = |line: &str| {
            line.ends_with(&end) || line.ends_with(&of) || {
                line.contains(&end) && line.contains("is a package and cannot be directly executed")
            }
        };
        if exit_code == 1 && lines.clone().take(1).any(is_told) {
            // Names of modules and distributions differ in this sign mostly.
            return Some(missing(&first.replace('_', "-"), Way::Python));
        }
    }
    // pytest ends with 4 when it does not understand its arguments.
    if exit_code == 4
        && let Some(said) = lines
            .clone()
            .find_map(|line| line.split_once("error: unrecognized arguments: "))
    {
        let option = |word: &str| {
            PLUGINS.iter().find(|(option, _)| {
                word == *option
                    || word.strip_prefix(option).is_some_and(|rest| {
                        rest.starts_with(['=', '-'])
                            || (option.len() == 2 && rest.starts_with(|c: char| c.is_ascii_digit()))
                    })
            })
        };
        if let Some((option, plugin)) = said.1.split_whitespace().find_map(option) {
            let mut found = missing(plugin, Way::Python);
            found.why = format!("{plugin} is not installed, and {option} is an option of it");
            return Some(found);
        }
    }
    // cargo, of a part of the toolchain.
    for (part, component) in [("fmt", "rustfmt"), ("clippy", "clippy")] {
        let is_told = |line: &str| {
            line == format!("error: no such command: `{part}`")
                || line.starts_with(&format!("error: 'cargo-{part}' is not installed"))
                || line.starts_with(&format!("error: 'cargo-{part}.exe' is not installed"))
        };
        if lines.clone().any(is_told) {
            return Some(missing(component, Way::Rust(component)));
        }
    }
    // A shell ends with 127 when a program is not there; npm hands that on.
    if exit_code == 127 {
        let name = lines.find_map(not_found)?;
        return Some(missing(&name, way(&name, tree)));
    }
    None
}

/// Reads what shells say of a program that they do not find.
fn not_found(line: &str) -> Option<String> {
    let is_name = |word: &str| {
        !word.is_empty()
            && word.len() <= 64
            && word
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_.+".contains(&b))
    };
    // dash: `sh: 1: ruff: not found`; bash: `bash: line 1: ruff: command not found`; zsh: `command not found: ruff`.
    let name = if let Some((_, name)) = line.rsplit_once("command not found: ") {
        name
    } else {
        let rest = line
            .strip_suffix(": command not found")
            .or_else(|| line.strip_suffix(": not found"))?;
        rest.rsplit(": ").next()?
    };
    is_name(name).then(|| name.to_owned())
}

/// Returns the module that `python -m` runs.
pub(super) fn module(words: &[String]) -> Option<&str> {
    let (program, rest) = words.split_first()?;
    let name = program.rsplit(['/', '\\']).next()?;
    let is_python = name.starts_with("python") || name.starts_with("pypy") || name == "py";
    let mut rest = rest.iter().map(String::as_str);
    if !is_python {
        return None;
    }
    loop {
        match rest.next()? {
            "-m" => return rest.next(),
            // These take a word of their own.
            "-W" | "-X" => _ = rest.next()?,
            flag if flag.starts_with('-') && flag != "-c" && flag != "-" => {}
            _ => return None,
        }
    }
}

/// Guesses where a program comes from: by its name only where that is well known.
fn way(name: &str, tree: &Path) -> Way {
    const PYTHON: &[&str] = &[
        "bandit", "black", "coverage", "flake8", "isort", "mypy", "nox", "pyflakes", "pylint",
        "pyright", "pytest", "ruff", "tox",
    ];
    match name {
        "cargo" | "rustc" => Way::System,
        "rustfmt" | "cargo-fmt" => Way::Rust("rustfmt"),
        "cargo-clippy" => Way::Rust("clippy"),
        name if PYTHON.contains(&name) => Way::Python,
        name if is_named(&tree.join("package.json"), name) => Way::Node,
        _ => Way::System,
    }
}

/// Says whether a manifest names something between quotes.
fn is_named(file: &Path, name: &str) -> bool {
    let bytes = files::read_bounded(file, MAX_REQUIREMENTS).unwrap_or_default();
    String::from_utf8_lossy(&bytes).contains(&format!("\"{name}\""))
}

/// Says which command brings it: that of the project's own tool where there is one.
fn next(name: &str, way: Way, tree: &Path, tools: &Tools) -> String {
    let has = |file: &str| tree.join(file).is_file();
    match way {
        Way::Rust(component) => format!("`rustup component add {component}`"),
        Way::System if name == "cargo" || name == "rustc" => {
            "install Rust with rustup (https://rustup.rs)".to_owned()
        }
        Way::System if name.starts_with("python") => {
            "install Python 3, or make an environment in .venv; then `tradewind check` again"
                .to_owned()
        }
        Way::System => {
            format!("install {name}, or name another program in [checks] of tradewind.toml")
        }
        Way::Node if has("pnpm-lock.yaml") => "`pnpm install`".to_owned(),
        Way::Node if has("yarn.lock") => "`yarn install`".to_owned(),
        Way::Node if has("package-lock.json") => "`npm ci`".to_owned(),
        Way::Node => "`npm install`".to_owned(),
        Way::Python => {
            let project = [
                ("uv.lock", "`uv sync`"),
                ("poetry.lock", "`poetry install`"),
                ("pdm.lock", "`pdm install`"),
                ("Pipfile.lock", "`pipenv sync --dev`"),
            ];
            // Only what names it can bring it.
            let locks = |file: &str| {
                let bytes = files::read_bounded(&tree.join(file), 64 * MAX_REQUIREMENTS)
                    .unwrap_or_default();
                let text = String::from_utf8_lossy(&bytes);
                text.contains(&format!("\"{name}\""))
            };
            if let Some((_, command)) = project.iter().find(|(file, _)| locks(file)) {
                return (*command).to_owned();
            }
            let wanted = match REQUIREMENTS
                .iter()
                .find(|file| requires(&tree.join(file), name))
            {
                Some(file) => format!("-r {file}"),
                None => name.to_owned(),
            };
            let (folder, program) = if cfg!(windows) {
                ("Scripts", "python.exe")
            } else {
                ("bin", "python")
            };
            let own =
                |venv: &str| format!("{venv}{0}{folder}{0}{program}", std::path::MAIN_SEPARATOR);
            if let Some(venv) = &tools.venv {
                let venv = venv.file_name().unwrap_or_default().to_string_lossy();
                return format!("`{} -m pip install {wanted}`", own(&venv));
            }
            let python = if cfg!(windows) { "py" } else { "python3" };
            format!(
                "`{python} -m venv .venv && {} -m pip install {wanted}`; programs of .venv are found first",
                own(".venv")
            )
        }
    }
}

/// Says whether a file of requirements names a distribution.
fn requires(file: &Path, name: &str) -> bool {
    let bytes = files::read_bounded(file, MAX_REQUIREMENTS).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    text.lines().any(|line| {
        let line = line.trim_start();
        line.get(..name.len())
            .is_some_and(|begin| begin.eq_ignore_ascii_case(name))
            && line.get(name.len()..).is_some_and(|rest| {
                !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || "-_.".contains(c))
            })
    })
}

#[cfg(test)]
mod tests {
    use super::super::config::Kind;
    use super::*;

    fn words(line: &str) -> Definition {
        Definition::new("unit", Kind::Unit, line.split(' '))
    }

    fn shell(line: &str) -> Definition {
        let mut it = words("x");
        it.command = Command::Shell(line.to_owned());
        it
    }

    #[test]
    fn each_way_of_saying_that_something_is_not_installed_is_read_with_its_next_command() {
        let dir = tempfile::tempdir().unwrap();
        let tools = Tools::default();
        let told = |definition: &Definition, code, output: &str| {
            told(definition, code, output, dir.path(), &tools).map(|it| (it.why, it.next))
        };
        let module = words("python3 -X dev -m pytest -q");
        let (why, next) = told(&module, 1, "/usr/bin/python3: No module named pytest\n").unwrap();
        assert_eq!(why, "pytest is not installed");
        assert!(next.contains("-m venv .venv"), "{next}");
        assert!(next.contains("-m pip install pytest"), "{next}");
        // A test that fails over another module is a failed test.
        assert_eq!(
            told(
                &module,
                1,
                "E  ModuleNotFoundError: No module named 'pandas'\n1 error\n"
            ),
            None
        );
        assert_eq!(
            told(&module, 1, "x: No module named pytest\n1 failed\n"),
            None
        );
        let (why, _) = told(
            &words("pytest -q --cov=bot"),
            4,
            "ERROR: usage: pytest [options]\npytest: error: unrecognized arguments: --cov=bot\n  inifile: None\n",
        )
        .unwrap();
        assert_eq!(
            why,
            "pytest-cov is not installed, and --cov is an option of it"
        );
        for (said, name) in [
            ("sh: 1: ruff: not found", "ruff"),
            ("bash: line 1: ruff: command not found", "ruff"),
            ("zsh:1: command not found: ruff", "ruff"),
        ] {
            let (why, next) = told(&shell("ruff check ."), 127, said).unwrap();
            assert_eq!(why, format!("{name} is not installed"));
            assert!(next.contains("pip install ruff"), "{next}");
        }
        assert_eq!(told(&shell("x"), 127, "\u{1b}[2J: not found"), None);
        let (why, next) = told(
            &words("cargo clippy"),
            101,
            "error: no such command: `clippy`\n\n\tView all\n",
        )
        .unwrap();
        assert_eq!(
            (why.as_str(), next.as_str()),
            ("clippy is not installed", "`rustup component add clippy`")
        );
    }

    #[test]
    fn the_next_command_is_the_one_of_the_project() {
        let dir = tempfile::tempdir().unwrap();
        let tools = Tools::default();
        let put = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        let next = |name: &str| program(name, dir.path(), &tools).next;
        put("requirements-dev.txt", "# tools\nPyTest-cov\npytest==8.0\n");
        assert!(next("pytest").contains("pip install -r requirements-dev.txt"));
        assert!(next("ruff").contains("pip install ruff"));
        put("uv.lock", "[[package]]\nname = \"pytest\"\n");
        assert_eq!(next("pytest"), "`uv sync`");
        put("package.json", "{\"devDependencies\": {\"eslint\": \"9\"}}");
        assert_eq!(next("eslint"), "`npm install`");
        put("package-lock.json", "{}");
        assert_eq!(next("eslint"), "`npm ci`");
        assert!(next("./ci/lint").contains("git ls-files"));
    }
}
