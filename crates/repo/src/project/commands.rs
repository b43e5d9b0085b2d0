//! Which files of the repository a shell line starts, installs, tests or reads.
//!
//! One reader for CI steps, containers, compose, Procfiles, Makefiles and the code blocks of pages, so that
//! they agree on what `python -m bot live` means. Three answers: the file is there, is not there, or nobody can
//! say (variables, patterns, unknown folders, files made by an earlier command).

use super::requirement::join;
use super::shell::{Command, Origin, Word, commands};
use crate::tree::{FileState, Tree};

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

/// Whether something is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Git has it.
    Here,
    /// Git does not have it.
    Absent,
    /// It cannot be said, and why.
    Unknown(&'static str),
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
        let mut reader = Reader {
            command: &command,
            found: Vec::new(),
        };
        reader.read(&command.words, 0);
        for input in &command.inputs {
            reader.mention(Use::Reads, input);
        }
        for mut mention in reader.found {
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
                | "-f" | "--find-links" | "--root" => {
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

impl Mention {
    /// Says whether what it names is in the repository. Modules are looked for in the command's folder, in
    /// `src/` and in `roots`; a module whose first part is no package of this repository is installed, and
    /// not asked for here.
    pub fn presence(&self, tree: &Tree, roots: &[Box<str>]) -> Presence {
        let Some(place) = self.place.as_deref() else {
            return Presence::Unknown(
                "the path depends on variables, patterns or an unknown folder",
            );
        };
        let presence = match self.usage {
            Use::StartsModule => module_presence(tree, &self.written, place, roots),
            Use::Makes => return Presence::Unknown("a target of make"),
            Use::Enters | Use::Installs | Use::Tests if place.is_empty() => return Presence::Here,
            _ => path_presence(tree, place),
        };
        match presence {
            Presence::Absent if self.may_be_made => {
                Presence::Unknown("an earlier command may make it")
            }
            other => other,
        }
    }
}

/// Says whether git has a path, or only this disk.
pub fn path_presence(tree: &Tree, path: &str) -> Presence {
    let path = path.trim_end_matches('/');
    if tree.has(path) {
        return Presence::Here;
    }
    match tree.get(path) {
        Some(file) if file.state == FileState::Untracked => {
            Presence::Unknown("on this disk and not in git")
        }
        Some(_) => Presence::Unknown("ignored, and on this disk only"),
        None if tree.below(path).next().is_some() => {
            Presence::Unknown("on this disk and not in git")
        }
        // A submodule's files are not listed.
        None if path
            .match_indices('/')
            .any(|(at, _)| tree.get(&path[..at]).is_some()) =>
        {
            Presence::Unknown("inside a submodule or link")
        }
        None => Presence::Absent,
    }
}

/// Says whether `a.b` can be started from `directory`.
pub fn module_presence(tree: &Tree, module: &str, directory: &str, roots: &[Box<str>]) -> Presence {
    if module.is_empty()
        || !module
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.')
    {
        return Presence::Unknown("no module name");
    }
    let path = module.replace('.', "/");
    let top = module.split('.').next().unwrap_or(module);
    let source = join(directory, "src").unwrap_or_default();
    let mut knows_top = false;
    for root in [directory, &source]
        .into_iter()
        .chain(roots.iter().map(AsRef::as_ref))
    {
        let at = |rest: &str| join(root, rest).unwrap_or_default();
        if tree.has(&at(&format!("{path}.py"))) || tree.has_folder(&at(&path)) {
            return Presence::Here;
        }
        let top_file = at(&format!("{top}.py"));
        let top_folder = at(top);
        knows_top |= tree.has(&top_file)
            || tree
                .below(&top_folder)
                .any(|file| file.path.ends_with(".py"));
    }
    if knows_top && top != path {
        Presence::Absent
    } else {
        Presence::Unknown("not a module of this repository")
    }
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

    #[test]
    fn presence_has_three_values() {
        let tree = Tree::of([
            ("bot/cli.py", ""),
            ("scripts/x.py", ""),
            ("src/pkg/a.py", ""),
        ]);
        let presence = |script: &str| {
            mentions(script, Origin::at(1))
                .last()
                .unwrap()
                .presence(&tree, &[])
        };
        assert_eq!(presence("python scripts/x.py"), Presence::Here);
        assert_eq!(presence("python run.py"), Presence::Absent);
        assert_eq!(presence("python -m bot.cli"), Presence::Here);
        assert_eq!(presence("python -m bot.main"), Presence::Absent);
        assert_eq!(presence("python -m pkg.a"), Presence::Here);
        assert!(matches!(presence("python -m venv x"), Presence::Unknown(_)));
        assert!(matches!(presence("python $A"), Presence::Unknown(_)));
        assert!(matches!(
            presence("curl -O x\npython run.py"),
            Presence::Unknown(_)
        ));
        assert!(matches!(
            presence("echo 1 > gen.py; python gen.py"),
            Presence::Unknown(_)
        ));
        let guarded = "if [ -f r.txt ]; then pip install -r r.txt; fi";
        assert!(matches!(presence(guarded), Presence::Unknown(_)));
    }
}
