//! What single programs do with their words: Python, pip, pytest, servers, shells, make, and what wraps them.

use super::{Mention, Use, is_python, mentions, name_of};
use crate::project::requirement::join;
use crate::project::shell::{Command, Origin, Word};

/// Options of Python that take the next word.
const PYTHON_VALUED: &[&str] = &["-W", "-X", "-Q"];
/// Wrappers that start what follows, and how many words belong to themselves.
const WRAPPERS: &[(&str, &[&str])] = &[
    ("poetry", &["run"]),
    ("pipenv", &["run"]),
    ("uv", &["run"]),
    ("pdm", &["run"]),
    ("hatch", &["run"]),
    ("rye", &["run"]),
    ("conda", &["run"]),
    ("coverage", &["run"]),
    ("kernprof", &[]),
    ("xvfb-run", &[]),
    ("nice", &[]),
    ("winpty", &[]),
    ("dumb-init", &[]),
    ("tini", &[]),
    ("stdbuf", &[]),
    ("caffeinate", &[]),
    ("dotenv", &["run"]),
    ("ddtrace-run", &[]),
    ("newrelic-admin", &["run-program"]),
    ("accelerate", &["launch"]),
    ("opentelemetry-instrument", &[]),
    ("unbuffer", &[]),
    ("start", &[]),
    ("/b", &[]),
];
/// Checkers whose plain words are files and folders.
const CHECKERS: &[&str] = &[
    "flake8",
    "pyflakes",
    "black",
    "isort",
    "mypy",
    "pylint",
    "bandit",
    "pycodestyle",
    "yapf",
    "vulture",
    "pyright",
];

/// Returns what one command names, words that are fed to it among them.
pub(super) fn of_command(command: &Command) -> Vec<Mention> {
    let mut reader = Reader {
        command,
        found: Vec::new(),
    };
    reader.read(&command.words, 0);
    for input in &command.inputs {
        reader.mention(Use::Reads, input);
    }
    reader.found
}

struct Reader<'c> {
    command: &'c Command,
    found: Vec<Mention>,
}

impl Reader<'_> {
    fn mention(&mut self, usage: Use, word: &Word) {
        let directory = self.command.directory.as_deref();
        let text = word.text.trim_matches(',');
        let place = match usage {
            _ if !word.is_literal => None,
            Use::StartsModule | Use::Makes => directory.map(Into::into),
            _ => directory
                .and_then(|directory| join(directory, text))
                .map(Into::into),
        };
        if text.is_empty() {
            return;
        }
        let words: Vec<&str> = self
            .command
            .words
            .iter()
            .map(|word| word.text.as_ref())
            .collect();
        let command: String = words.join(" ").chars().take(160).collect();
        self.found.push(Mention {
            line: self.command.line,
            usage,
            written: text.into(),
            place,
            command: command.into(),
            may_be_made: false,
        });
    }

    /// Reads a command and what it wraps; `depth` bounds wrappers in wrappers.
    fn read(&mut self, words: &[Word], depth: u8) {
        let Some((program, rest)) = words.split_first() else {
            return;
        };
        if depth > 8 {
            return;
        }
        let name = name_of(&program.text);
        if let Some((_, own)) = WRAPPERS.iter().find(|(wrapper, _)| *wrapper == name) {
            return self.read_wrapped(name, own, rest, depth);
        }
        match name {
            "$" | "%" | ">" | "#" | "PS>" => self.read(rest, depth + 1),
            "timeout" | "gtimeout" => self.read(rest.get(1..).unwrap_or(&[]), depth + 1),
            name if is_python(name) => self.python(rest, depth),
            "pip" | "pip3" => self.pip(rest),
            name if name.starts_with("pip3.") => self.pip(rest),
            "uv" if rest.first().is_some_and(|word| word.text.as_ref() == "pip") => {
                self.pip(rest.get(1..).unwrap_or(&[]));
            }
            "pytest" | "py.test" => self.pytest(rest),
            name if CHECKERS.contains(&name) => self.paths(rest),
            "ruff" => self.paths(rest.get(1..).unwrap_or(&[])),
            "bash" | "sh" | "zsh" | "dash" | "node" | "nodejs" | "ts-node" | "Rscript" | "perl"
            | "ruby" => self.interpreter(rest, depth),
            "source" | "." => {
                if let Some(file) = rest
                    .first()
                    .filter(|file| !file.text.ends_with("/activate"))
                {
                    self.mention(Use::Starts, file);
                }
            }
            "streamlit" | "panel" | "bokeh" | "voila" | "chainlit" => {
                let file = rest
                    .iter()
                    .find(|word| word.text.ends_with(".py") || word.text.ends_with(".ipynb"));
                if let Some(file) = file {
                    self.mention(Use::Starts, file);
                }
            }
            "gunicorn" | "uvicorn" | "hypercorn" | "daphne" => self.server(rest),
            "celery" | "dramatiq" | "faust" | "huey_consumer" => {
                let at = rest
                    .iter()
                    .position(|word| matches!(word.text.as_ref(), "-A" | "--app"));
                if let Some(module) = at.and_then(|at| rest.get(at + 1)) {
                    self.mention(Use::StartsModule, &without_attribute(module));
                }
            }
            "pm2" | "forever" | "nodemon" => {
                let file = rest.iter().find(|word| is_file_name(&word.text));
                if let Some(file) = file {
                    self.mention(Use::Starts, file);
                }
            }
            "papermill" | "jupyter" => {
                let file = rest.iter().find(|word| word.text.ends_with(".ipynb"));
                if let Some(file) = file {
                    self.mention(Use::Reads, file);
                }
            }
            "cd" | "pushd" => {
                if let Some(folder) = rest
                    .first()
                    .filter(|word| !matches!(word.text.as_ref(), "-" | ".." | "~"))
                {
                    self.mention(Use::Enters, folder);
                }
            }
            "cp" | "copy" | "chmod" | "cat" | "mv" => self.reads(name, rest),
            "docker" | "docker-compose" | "podman" | "kubectl" | "conda" | "mamba" => {
                self.file_option(name, rest);
            }
            "make" => self.make(rest),
            _ if program.text.contains('/')
                && !program.text.starts_with('/')
                && !program.text.contains("bin/") =>
            {
                self.mention(Use::Starts, program);
            }
            _ => {}
        }
    }

    fn read_wrapped(&mut self, name: &str, own: &[&str], rest: &[Word], depth: u8) {
        let mut at = 0;
        if let Some(word) = own.first() {
            match rest.iter().position(|given| given.text.as_ref() == *word) {
                Some(found) => at = found + 1,
                None if name == "uv"
                    && rest.first().is_some_and(|word| word.text.as_ref() == "pip") =>
                {
                    return self.pip(rest.get(1..).unwrap_or(&[]));
                }
                None => return self.file_option(name, rest),
            }
        }
        let mut rest = rest.get(at..).unwrap_or(&[]);
        while let Some(first) = rest
            .first()
            .filter(|word| word.text.starts_with('-') && word.text.as_ref() != "-m")
        {
            // `--source bot`, `-n 10`, `-n env`: the value of an option is no program.
            let takes_value = !first.text.contains('=')
                && matches!(
                    first.text.as_ref(),
                    "-n" | "--source"
                        | "--rcfile"
                        | "--omit"
                        | "--include"
                        | "--with"
                        | "--extra"
                        | "--group"
                        | "--python"
                        | "-p"
                        | "-s"
                        | "--name"
                        | "-f"
                        | "--env-file"
                        | "-a"
                );
            rest = rest.get(if takes_value { 2 } else { 1 }..).unwrap_or(&[]);
        }
        match rest.first() {
            Some(first) if first.text.as_ref() == "-m" => self.python(rest, depth),
            Some(first)
                if first.text.ends_with(".py")
                    && matches!(
                        name,
                        "coverage" | "kernprof" | "uv" | "accelerate" | "ddtrace-run"
                    ) =>
            {
                self.mention(Use::Starts, first);
            }
            _ => self.read(rest, depth + 1),
        }
    }

    fn python(&mut self, words: &[Word], depth: u8) {
        let mut at = 0;
        while let Some(word) = words.get(at) {
            let text = word.text.as_ref();
            if text == "-m" {
                let Some(module) = words.get(at + 1) else {
                    return;
                };
                let rest = words.get(at + 2..).unwrap_or(&[]);
                return self.module(module, rest, depth);
            }
            if text == "-c" || text == "-" || text.starts_with("--") {
                return;
            }
            if !text.starts_with('-') {
                if word.is_literal
                    && !is_file_name(text)
                    && !text.contains('/')
                    && text.starts_with(|c: char| c.is_ascii_digit() || c == '=' || c == '>')
                {
                    return;
                }
                return self.mention(Use::Starts, word);
            }
            at += if PYTHON_VALUED.contains(&text) { 2 } else { 1 };
        }
    }

    fn module(&mut self, module: &Word, rest: &[Word], depth: u8) {
        match module.text.as_ref() {
            "pip" => self.pip(rest),
            "pytest" => self.pytest(rest),
            "unittest" => self.unittest(rest),
            "coverage" | "streamlit" | "gunicorn" | "uvicorn" | "ruff" => {
                let mut words = vec![module.clone()];
                words.extend_from_slice(rest);
                self.read(&words, depth + 1);
            }
            name if CHECKERS.contains(&name) => self.paths(rest),
            _ => self.mention(Use::StartsModule, module),
        }
    }

    fn unittest(&mut self, words: &[Word]) {
        if words
            .first()
            .is_some_and(|word| word.text.as_ref() == "discover")
        {
            let at = words
                .iter()
                .position(|word| matches!(word.text.as_ref(), "-s" | "--start-directory"));
            let folder = at
                .and_then(|at| words.get(at + 1))
                .or_else(|| words.get(1).filter(|word| !word.text.starts_with('-')));
            if let Some(folder) = folder {
                self.mention(Use::Tests, folder);
            }
            return;
        }
        for word in words.iter().filter(|word| !word.text.starts_with('-')) {
            if is_file_name(&word.text) || word.text.contains('/') {
                self.mention(Use::Tests, word);
            } else {
                self.mention(Use::StartsModule, word);
            }
        }
    }

    fn pip(&mut self, words: &[Word]) {
        let Some((first, words)) = words.split_first() else {
            return;
        };
        if !matches!(
            first.text.as_ref(),
            "install" | "wheel" | "download" | "sync" | "compile"
        ) {
            return;
        }
        let mut at = 0;
        while let Some(word) = words.get(at) {
            let text = word.text.as_ref();
            let joined = ["--requirement=", "--constraint=", "-r", "-c"]
                .iter()
                .find_map(|option| text.strip_prefix(option));
            match text {
                "-r" | "--requirement" | "-c" | "--constraint" => {
                    if let Some(file) = words.get(at + 1).filter(|file| !file.text.contains("://"))
                    {
                        self.mention(Use::Requirements, file);
                    }
                    at += 2;
                    continue;
                }
                "-t" | "--target" | "--prefix" | "-i" | "--index-url" | "--extra-index-url"
                | "-f" | "--find-links" | "--root" | "-p" | "--python" | "--python-version"
                | "--src" | "--cache-dir" | "--platform" | "--abi" | "-d" | "--dest" | "-w"
                | "--wheel-dir" => {
                    at += 2;
                    continue;
                }
                "-e" | "--editable" => {}
                _ if !text.starts_with("--")
                    && text.starts_with('-')
                    && joined.is_some_and(|file| !file.is_empty()) =>
                {
                    let file = Word {
                        text: joined.unwrap_or("").into(),
                        is_literal: word.is_literal,
                    };
                    self.mention(Use::Requirements, &file);
                }
                _ if text.starts_with("--requirement=") || text.starts_with("--constraint=") => {
                    let file = Word {
                        text: joined.unwrap_or("").into(),
                        is_literal: word.is_literal,
                    };
                    self.mention(Use::Requirements, &file);
                }
                _ if text.contains("://") || text.starts_with('-') => {}
                _ if text.starts_with('.') => {
                    let folder = text.split('[').next().unwrap_or(text);
                    // `[` makes a word a pattern; here it is an extra.
                    let is_literal = !text.contains(['$', '*', '?', '{']);
                    self.mention(
                        Use::Installs,
                        &Word {
                            text: folder.into(),
                            is_literal,
                        },
                    );
                }
                _ => {}
            }
            at += 1;
        }
    }

    fn pytest(&mut self, words: &[Word]) {
        let mut after_option = false;
        for word in words {
            let text = word.text.as_ref();
            if text.starts_with('-') {
                let is_switch = text.contains('=')
                    || text.chars().skip(1).all(|c| "vqsxl".contains(c))
                    || matches!(
                        text,
                        "--lf"
                            | "--ff"
                            | "--pdb"
                            | "--cov"
                            | "--strict"
                            | "--strict-markers"
                            | "--doctest-modules"
                    );
                after_option = !is_switch;
                continue;
            }
            let path = text.split("::").next().unwrap_or(text);
            if !after_option {
                self.mention(
                    Use::Tests,
                    &Word {
                        text: path.into(),
                        is_literal: word.is_literal,
                    },
                );
            }
            after_option = false;
        }
    }

    fn paths(&mut self, words: &[Word]) {
        let mut after_option = false;
        for word in words {
            if word.text.starts_with('-') {
                after_option = !word.text.contains('=');
            } else {
                // Only what looks like a path after an option: it may be the option's value.
                if !after_option {
                    self.mention(Use::Tests, word);
                }
                after_option = false;
            }
        }
    }

    fn interpreter(&mut self, words: &[Word], depth: u8) {
        for (at, word) in words.iter().enumerate() {
            let text = word.text.as_ref();
            let takes_script = text == "-c"
                || (text.starts_with('-') && !text.starts_with("--") && text.ends_with('c'));
            if takes_script {
                if let Some(script) = words.get(at + 1).filter(|_| depth < 4) {
                    let origin = Origin {
                        line: self.command.line,
                        directory: self.command.directory.as_deref(),
                        own_names: &[],
                    };
                    self.found.extend(mentions(&script.text, origin));
                }
                return;
            }
            if text == "-e" || text == "-p" || text == "-s" {
                return;
            }
            if !text.starts_with('-') {
                return self.mention(Use::Starts, word);
            }
        }
    }

    fn server(&mut self, words: &[Word]) {
        let folder = words
            .iter()
            .any(|word| word.text.starts_with("--chdir") || word.text.starts_with("--app-dir"));
        let target = words.iter().find(|word| {
            word.text.split_once(':').is_some_and(|(module, name)| {
                !module.is_empty()
                    && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                    && !word.text.starts_with('-')
                    && !word.text.contains('/')
            })
        });
        if let Some(module) = target {
            let mut module = without_attribute(module);
            module.is_literal &= !folder;
            self.mention(Use::StartsModule, &module);
        }
    }

    fn reads(&mut self, name: &str, words: &[Word]) {
        let mut files: Vec<&Word> = words
            .iter()
            .filter(|word| !word.text.starts_with('-'))
            .collect();
        match name {
            "cat" => {}
            "chmod" => {
                files.drain(..1.min(files.len()));
            }
            _ => {
                files.pop();
            }
        }
        for file in files {
            self.mention(Use::Reads, file);
        }
    }

    /// `docker compose -f x.yml`, `docker build -f x .`, `kubectl apply -f x`, `conda env create -f x`.
    fn file_option(&mut self, name: &str, words: &[Word]) {
        // Words after the image of `docker run` belong to the container.
        let runs = words
            .first()
            .is_some_and(|word| matches!(word.text.as_ref(), "run" | "exec"));
        if runs
            || !matches!(
                name,
                "docker" | "docker-compose" | "podman" | "kubectl" | "conda" | "mamba"
            )
        {
            return;
        }
        let mut words = words.iter();
        while let Some(word) = words.next() {
            if matches!(word.text.as_ref(), "exec" | "run" | "logs") {
                return;
            }
            let joined = word
                .text
                .strip_prefix("--file=")
                .or_else(|| word.text.strip_prefix("--env-file="));
            if let Some(file) = joined {
                self.mention(
                    Use::Reads,
                    &Word {
                        text: file.into(),
                        is_literal: word.is_literal,
                    },
                );
            } else if matches!(word.text.as_ref(), "-f" | "--file")
                && let Some(file) = words
                    .next()
                    .filter(|file| !file.text.contains("://") && file.text.as_ref() != "-")
            {
                self.mention(Use::Reads, file);
            }
        }
    }

    fn make(&mut self, words: &[Word]) {
        if words
            .iter()
            .any(|word| word.text.starts_with("-C") || word.text.starts_with("-f"))
        {
            return;
        }
        for word in words
            .iter()
            .filter(|word| !word.text.starts_with('-') && !word.text.contains('='))
        {
            self.mention(Use::Makes, word);
        }
    }
}

fn is_file_name(text: &str) -> bool {
    [
        ".py", ".sh", ".js", ".ts", ".json", ".pyc", ".pyw", ".rb", ".pl", ".mjs", ".cjs",
    ]
    .iter()
    .any(|end| text.ends_with(end))
}

/// `pkg.mod` of `pkg.mod:app`.
fn without_attribute(word: &Word) -> Word {
    let module = word.text.split(':').next().unwrap_or("");
    Word {
        text: module.into(),
        is_literal: word.is_literal,
    }
}
