//! Which files of the repository a command on a page needs.

use tradewind_repo::documents::Command;
use tradewind_repo::documents::shell::is_placeholder;

/// Something that a command needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// A file or folder.
    Path(String),
    /// A Python module, started or imported: `bot.cli`.
    Module(String),
    /// One of these files, in the folder or the root.
    OneOf(&'static [&'static str]),
    /// A target of a makefile.
    Make(String),
    /// A script of `package.json`.
    Script(String),
}

const COMPOSE: &[&str] = &[
    "docker-compose.yml",
    "docker-compose.yaml",
    "compose.yml",
    "compose.yaml",
];
const PACKAGING: &[&str] = &["pyproject.toml", "setup.py", "setup.cfg"];

/// Returns what a command needs, as far as its words say.
pub(super) fn of(command: &Command) -> Vec<Target> {
    let words: Vec<&str> = command.words.iter().map(AsRef::as_ref).collect();
    let Some((first, rest)) = words.split_first() else {
        return Vec::new();
    };
    let program = first.rsplit('/').next().unwrap_or(first);
    let program = program.trim_end_matches(".exe");
    let mut targets = match program {
        _ if first.starts_with("./") => path(first).into_iter().collect(),
        "python" | "python3" | "py" => python(rest),
        _ if program.starts_with("python3.") => python(rest),
        "pip" | "pip3" | "uv" => pip(rest),
        "bash" | "sh" | "zsh" | "source" | "." => first_path(rest, &[".sh", ".bash"]),
        "node" => first_path(rest, &[".js", ".mjs", ".cjs", ".ts"]),
        "streamlit" => after(rest, "run").map_or_else(Vec::new, |rest| first_path(rest, &[".py"])),
        "jupyter" => first_path(rest.get(1..).unwrap_or_default(), &[".ipynb"]),
        "pytest" => pytest(rest),
        "uvicorn" | "gunicorn" | "hypercorn" => rest
            .iter()
            .find(|word| {
                word.contains(':') && !word.starts_with('-') && !word.contains('.')
                    || word.contains(".py:")
            })
            .and_then(|word| word.split(':').next())
            .map(|module| Target::Module(module.to_owned()))
            .into_iter()
            .collect(),
        "make" => rest
            .iter()
            .find(|word| !word.starts_with('-') && !word.contains('='))
            .map(|word| Target::Make((*word).to_owned()))
            .into_iter()
            .collect(),
        "npm" | "yarn" | "pnpm" => match rest {
            ["run", script, ..] => vec![Target::Script((*script).to_owned())],
            _ => Vec::new(),
        },
        "docker" | "docker-compose" | "podman" => docker(program, rest),
        "cp" | "mv" | "copy" => rest
            .iter()
            .find(|word| !word.starts_with('-'))
            .filter(|_| rest.len() >= 2)
            .and_then(|word| path(word))
            .into_iter()
            .collect(),
        "conda" | "mamba" => flag(rest, &["-f", "--file"]),
        "chmod" => rest
            .get(1)
            .and_then(|word| path(word))
            .into_iter()
            .collect(),
        _ => Vec::new(),
    };
    targets.retain(|target| match target {
        Target::Path(text) | Target::Module(text) | Target::Make(text) | Target::Script(text) => {
            !is_placeholder(text) && !text.is_empty()
        }
        Target::OneOf(_) => true,
    });
    targets
}

/// A word as a path of the repository; `None` for what lies elsewhere.
fn path(word: &str) -> Option<Target> {
    let word = word.trim_end_matches([',', '.', ';']).replace('\\', "/");
    let is_elsewhere = word.starts_with(['/', '~', '-'])
        || word.contains("://")
        || word.contains(':')
        || word.starts_with("../")
        || word.contains("venv/")
        || word.contains("env/bin")
        || word.contains("env/Scripts");
    (!is_elsewhere && !word.is_empty()).then_some(Target::Path(word))
}

fn first_path(words: &[&str], endings: &[&str]) -> Vec<Target> {
    words
        .iter()
        .find(|word| !word.starts_with('-'))
        .filter(|word| endings.iter().any(|ending| word.ends_with(ending)))
        .and_then(|word| path(word))
        .into_iter()
        .collect()
}

fn after<'w>(words: &'w [&'w str], word: &str) -> Option<&'w [&'w str]> {
    let at = words.iter().position(|each| *each == word)?;
    words.get(at + 1..)
}

/// Says whether a word is a Python file.
fn is_python(word: &str) -> bool {
    word.rsplit_once('.').is_some_and(|(_, end)| end == "py")
}

/// Values of flags that name a file.
fn flag(words: &[&str], flags: &[&str]) -> Vec<Target> {
    let pairs = words.windows(2).filter_map(|pair| match pair {
        [name, value] if flags.contains(name) => path(value),
        _ => None,
    });
    pairs.collect()
}

fn python(words: &[&str]) -> Vec<Target> {
    let mut rest = words;
    while let Some((word, tail)) = rest.split_first() {
        match *word {
            "-m" => {
                let (module, arguments) = match tail.split_first() {
                    Some((module, arguments)) => (*module, arguments),
                    None => return Vec::new(),
                };
                return match module {
                    "pip" => pip(arguments),
                    "pytest" => pytest(arguments),
                    "unittest" => {
                        let mut found = flag(arguments, &["-s", "--start-directory"]);
                        found.extend(
                            arguments
                                .iter()
                                .filter(|word| {
                                    !word.starts_with('-')
                                        && word.contains("test")
                                        && word.contains('.')
                                        && !word.contains('*')
                                        && !word.contains('/')
                                })
                                .map(|word| Target::Module((*word).to_owned())),
                        );
                        found
                    }
                    // Python's own.
                    "venv" | "http.server" | "ensurepip" | "zipapp" | "compileall" | "cProfile"
                    | "timeit" | "json.tool" | "site" | "sysconfig" | "zipfile" | "tarfile" => {
                        Vec::new()
                    }
                    module => vec![Target::Module(module.to_owned())],
                };
            }
            "-W" | "-X" => rest = tail.get(1..).unwrap_or_default(),
            "-c" | "-" | "-V" | "--version" => return Vec::new(),
            option if option.starts_with('-') => rest = tail,
            script if is_python(script) => return path(script).into_iter().collect(),
            _ => return Vec::new(),
        }
    }
    Vec::new()
}

fn pip(words: &[&str]) -> Vec<Target> {
    let mut found = flag(words, &["-r", "--requirement", "-c", "--constraint"]);
    let is_install = words.contains(&"install");
    let is_here = words
        .iter()
        .any(|word| matches!(*word, "." | "./") || word.starts_with(".["));
    if is_install && is_here {
        found.push(Target::OneOf(PACKAGING));
    }
    found
}

fn pytest(words: &[&str]) -> Vec<Target> {
    let mut found = Vec::new();
    let mut is_value = false;
    for word in words {
        if is_value {
            is_value = false;
        } else if matches!(*word, "-k" | "-m" | "-n" | "-p" | "-o" | "-c" | "--tb") {
            is_value = true;
        } else if !word.starts_with('-') && (word.contains('/') || is_python(word)) {
            let file = word.split("::").next().unwrap_or_default();
            found.extend(path(file));
        }
    }
    found
}

fn docker(program: &str, words: &[&str]) -> Vec<Target> {
    let is_compose = program == "docker-compose" || words.first() == Some(&"compose");
    if is_compose {
        let named = flag(words, &["-f", "--file"]);
        let starts = words
            .iter()
            .any(|word| matches!(*word, "up" | "build" | "run" | "start" | "pull"));
        return match (named.is_empty(), starts) {
            (true, true) => vec![Target::OneOf(COMPOSE)],
            (true, false) => Vec::new(),
            (false, _) => named,
        };
    }
    if words.first() != Some(&"build") {
        return Vec::new();
    }
    let named = flag(words, &["-f", "--file"]);
    if named.is_empty() && words.last() == Some(&".") {
        return vec![Target::OneOf(&["Dockerfile", "Containerfile"])];
    }
    named
}

#[cfg(test)]
mod tests {
    use super::*;
    use tradewind_repo::documents::shell::parse;

    fn targets(line: &str) -> Vec<Target> {
        parse(line).iter().flat_map(of).collect()
    }

    #[test]
    fn commands_need_files() {
        let path = |text: &str| Target::Path(text.to_owned());
        assert_eq!(
            targets("python -u scripts/a.py --x"),
            [path("scripts/a.py")]
        );
        assert_eq!(
            targets("python3 -m bot.cli live"),
            [Target::Module("bot.cli".into())]
        );
        assert_eq!(
            targets("pip install -r requirements-dev.txt"),
            [path("requirements-dev.txt")]
        );
        assert_eq!(targets("cp .env.example .env"), [path(".env.example")]);
        assert_eq!(targets("docker compose up -d"), [Target::OneOf(COMPOSE)]);
        assert_eq!(
            targets("pytest -k fast tests/unit::x"),
            [path("tests/unit")]
        );
        assert_eq!(targets("source venv/bin/activate"), []);
        assert_eq!(targets("python path/to/script.py"), []);
        assert_eq!(
            targets("uvicorn app:main --port 80"),
            [Target::Module("app".into())]
        );
    }
}
