//! Which files of the repository a shell line starts, installs, tests or reads.
//!
//! One reader for CI steps, containers, compose, Procfiles, Makefiles and the code blocks of pages, so that
//! they agree on what `python -m bot live` means. What each program does with its words is in `programs`; whether
//! the thing is there is asked of [`super::presence`].

mod programs;

use super::requirement::join;
use super::shell::{Command, Origin, Word, commands};

/// What a command does with something of the repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Use {
    /// Starts a file: `python x.py`, `bash x.sh`, `./x`, `node x.js`, `streamlit run x.py`.
    Starts,
    /// Starts a module: `python -m pkg.mod`, `uvicorn pkg.mod:app`.
    StartsModule,
    /// Installs what a requirements file lists.
    Requirements,
    /// Installs a local folder.
    Installs,
    /// Tests or checks a file or folder: `pytest tests/`.
    Tests,
    /// Goes into a folder.
    Enters,
    /// Reads another file: `cp .env.example .env`, `docker compose -f x.yml`.
    Reads,
    /// Asks make for a target.
    Makes,
}

/// Something of the repository that a command names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mention {
    /// Line of the command.
    pub line: u32,
    /// What is done with it.
    pub usage: Use,
    /// As written: a path, a dotted module, a target.
    pub written: Box<str>,
    /// Path from the root where it must lie; for modules the folder the command runs in. `None` where that
    /// cannot be said.
    pub place: Option<Box<str>>,
    /// The command, at most 160 characters.
    pub command: Box<str>,
    /// Whether an earlier command of the same script fetches or makes files, so that absence proves nothing.
    pub may_be_made: bool,
}

/// Programs that bring or make files nobody can foresee.
const MAKERS: &[&str] = &[
    "wget",
    "curl",
    "unzip",
    "tar",
    "aws",
    "gsutil",
    "dvc",
    "make",
    "cmake",
    "npm",
    "yarn",
    "pnpm",
    "cargo",
    "gh",
    "rsync",
    "scp",
    "7z",
    "svn",
    "cookiecutter",
    "rails",
    "ng",
    "npx",
    "go",
    "bazel",
    "gdown",
    "kaggle",
    "huggingface-cli",
];

/// Reads what a script names.
pub fn mentions(script: &str, origin: Origin<'_>) -> Vec<Mention> {
    let mut found = Vec::new();
    let mut made: Vec<String> = Vec::new();
    let mut after_maker = false;
    for command in commands(script, origin) {
        for mut mention in programs::of_command(&command) {
            let place = mention.place.as_deref();
            mention.may_be_made = after_maker
                || place.is_some_and(|place| {
                    made.iter()
                        .any(|made| place == made || place.starts_with(&format!("{made}/")))
                });
            found.push(mention);
        }
        let program = command.words.first().map_or("", |word| name_of(&word.text));
        after_maker |= MAKERS.contains(&program);
        // `[ -f x ]` and `test -e x`: who asks first knows that it may be absent.
        if matches!(program, "[" | "[[" | "test") {
            let asked = command.words.iter().skip(1);
            let folder = command.directory.as_deref().unwrap_or("");
            made.extend(
                asked
                    .filter_map(|word| join(folder, &word.text))
                    .filter(|path| !path.is_empty()),
            );
        }
        made.extend(makes(&command, program));
    }
    found
}

/// Paths that a command leaves behind.
fn makes(command: &Command, program: &str) -> Vec<String> {
    let Some(directory) = command.directory.as_deref() else {
        return Vec::new();
    };
    let plain = || {
        command
            .words
            .iter()
            .skip(1)
            .filter(|word| !word.text.starts_with('-'))
    };
    let mut words: Vec<&Word> = command.outputs.iter().collect();
    match program {
        "mkdir" | "touch" | "tee" => words.extend(plain()),
        "cp" | "mv" | "ln" | "virtualenv" | "copy" | "git" => words.extend(plain().next_back()),
        name if is_python(name)
            && command
                .words
                .iter()
                .any(|word| word.text.as_ref() == "venv") =>
        {
            words.extend(plain().next_back());
        }
        _ => {}
    }
    words
        .iter()
        .filter_map(|word| join(directory, &word.text))
        .filter(|path| !path.is_empty())
        .collect()
}

/// The last part of a program's path, without `.exe`.
fn name_of(program: &str) -> &str {
    let name = program.rsplit(['/', '\\']).next().unwrap_or(program);
    name.strip_suffix(".exe").unwrap_or(name)
}

fn is_python(name: &str) -> bool {
    let rest = name
        .strip_prefix("python")
        .or_else(|| name.strip_prefix("pypy"));
    rest.is_some_and(|rest| {
        rest.chars()
            .all(|c| c.is_ascii_digit() || c == '.' || c == 'w')
    }) || name == "py"
        || name == "{envpython}"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(script: &str) -> Vec<(Use, String, Option<String>)> {
        mentions(script, Origin::at(1))
            .into_iter()
            .map(|mention| {
                (
                    mention.usage,
                    mention.written.into(),
                    mention.place.map(Into::into),
                )
            })
            .collect()
    }

    fn one(usage: Use, written: &str, place: &str) -> (Use, String, Option<String>) {
        (usage, written.into(), Some(place.into()))
    }

    #[test]
    fn commands_name_what_they_use() {
        for (script, expected) in [
            (
                "python -u scripts/x.py --a b.py",
                one(Use::Starts, "scripts/x.py", "scripts/x.py"),
            ),
            (
                "cd sub && python3.11 -W ignore x.py",
                one(Use::Starts, "x.py", "sub/x.py"),
            ),
            (
                "python -m bot.cli live",
                one(Use::StartsModule, "bot.cli", ""),
            ),
            (
                "python -m pip install --upgrade -r req/dev.txt",
                one(Use::Requirements, "req/dev.txt", "req/dev.txt"),
            ),
            (
                "pip install -rdev.txt",
                one(Use::Requirements, "dev.txt", "dev.txt"),
            ),
            (
                "uv pip install -r dev.txt",
                one(Use::Requirements, "dev.txt", "dev.txt"),
            ),
            (
                "pytest -v tests/unit -k a --cov=b",
                one(Use::Tests, "tests/unit", "tests/unit"),
            ),
            (
                "python -m unittest discover -s tests",
                one(Use::Tests, "tests", "tests"),
            ),
            ("poetry run python a.py", one(Use::Starts, "a.py", "a.py")),
            (
                "sudo FOO=1 bash deploy.sh",
                one(Use::Starts, "deploy.sh", "deploy.sh"),
            ),
            ("./run.sh now", one(Use::Starts, "./run.sh", "run.sh")),
            (
                "gunicorn -w 4 -b 0.0.0.0:80 bot.web:app",
                one(Use::StartsModule, "bot.web", ""),
            ),
            (
                "streamlit run app/dash.py --server.port 1",
                one(Use::Starts, "app/dash.py", "app/dash.py"),
            ),
            (
                "sh -c 'python a.py && true'",
                one(Use::Starts, "a.py", "a.py"),
            ),
            (
                "cp .env.example .env",
                one(Use::Reads, ".env.example", ".env.example"),
            ),
            (
                "docker compose -f deploy/x.yml up",
                one(Use::Reads, "deploy/x.yml", "deploy/x.yml"),
            ),
            (
                "coverage run --source bot -m pytest tests",
                one(Use::Tests, "tests", "tests"),
            ),
            ("make test", one(Use::Makes, "test", "")),
            ("pip install -e .[dev]", one(Use::Installs, ".", "")),
        ] {
            let found = read(script);
            assert!(found.contains(&expected), "{script}: {found:?}");
        }
        for script in [
            "python -c 'import x'",
            "python --version",
            "pip install requests",
            "source venv/bin/activate",
            "docker run x python a.py",
            "python",
            "echo python a.py",
        ] {
            assert_eq!(read(script), [], "{script}");
        }
        assert_eq!(read("python $X.py"), [(Use::Starts, "$X.py".into(), None)]);
    }
}
