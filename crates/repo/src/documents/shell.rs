//! Reads lines that people type into a shell, as far as a page shows them.
//!
//! Enough to know which program is started on which file in which folder; nothing is expanded. What
//! stands behind an expansion or a placeholder is kept as written, and [`is_placeholder`] says so.

/// One command of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// The words, quotes taken off; assignments before the program are in [`Self::sets`].
    pub words: Vec<Box<str>>,
    /// Names of variables that are set for it, exported or not.
    pub sets: Vec<Box<str>>,
    /// The folder it is typed in as far as `cd` lines of the same page say, from the root; `None` where
    /// that is a folder that the repository does not have.
    pub folder: Option<Box<str>>,
    /// Words behind `>` and `>>`: files that it makes.
    pub writes: Vec<Box<str>>,
}

/// Programs whose name at the start of a line tells a command from output and prose.
const PROGRAMS: &[&str] = &[
    "python",
    "python3",
    "py",
    "pip",
    "pip3",
    "pipenv",
    "poetry",
    "uv",
    "uvx",
    "conda",
    "mamba",
    "virtualenv",
    "pytest",
    "tox",
    "nox",
    "make",
    "bash",
    "sh",
    "zsh",
    "source",
    "cd",
    "cp",
    "mv",
    "mkdir",
    "export",
    "set",
    "setx",
    "git",
    "docker",
    "docker-compose",
    "podman",
    "npm",
    "npx",
    "yarn",
    "pnpm",
    "node",
    "cargo",
    "go",
    "java",
    "streamlit",
    "uvicorn",
    "gunicorn",
    "flask",
    "jupyter",
    "jupyter-lab",
    "jupyter-notebook",
    "sudo",
    "apt",
    "apt-get",
    "brew",
    "curl",
    "wget",
    "nano",
    "vim",
    "vi",
    "chmod",
    "cat",
    "echo",
    "touch",
    "nohup",
    "screen",
    "pm2",
    "systemctl",
    "kubectl",
    "helm",
    "celery",
    "alembic",
    "ruff",
    "black",
    "mypy",
    "pre-commit",
    "freqtrade",
];

/// Says whether a line reads as a command.
pub fn is_command(line: &str) -> bool {
    let line = strip_prompt(line.trim());
    let mut words = line.split_whitespace();
    let Some(first) = words.by_ref().find(|word| !is_assignment(word)) else {
        return false;
    };
    if first.starts_with("./") {
        return first.len() > 2;
    }
    let next = words.next();
    // "make sure that …", "source code", "python is great", "go to the folder", "set the key".
    let is_prose = matches!(
        next,
        Some(
            "sure"
                | "code"
                | "is"
                | "to"
                | "the"
                | "a"
                | "an"
                | "and"
                | "or"
                | "version"
                | "will"
                | "your"
                | "for"
                | "it"
                | "that"
                | "of"
                | "this"
                | "in"
                | "on"
                | "library"
                | "="
                | ":"
                | "3"
        )
    );
    let name = first.rsplit('/').next().unwrap_or(first);
    PROGRAMS.contains(&name) && !is_prose
        || name
            .strip_prefix("python3.")
            .is_some_and(|rest| rest.parse::<u8>().is_ok())
}

/// Takes `$ `, `> `, `% `, `(venv) $ ` and `PS C:\>` off a line.
pub fn strip_prompt(line: &str) -> &str {
    let mut line = line.trim();
    if line.starts_with('(')
        && let Some((_, rest)) = line.split_once(") ")
    {
        line = rest.trim_start();
    }
    if line.starts_with("PS ")
        && let Some((_, rest)) = line.split_once("> ")
    {
        return rest.trim_start();
    }
    for prompt in ["$ ", "> ", "% ", ">>> "] {
        if let Some(rest) = line.strip_prefix(prompt) {
            return rest.trim_start();
        }
    }
    line
}

/// Says whether a word stands for something the reader has to put in.
pub fn is_placeholder(word: &str) -> bool {
    let lower = word.to_ascii_lowercase();
    // `.env.example` is a file that repositories ship, to be copied.
    let lower = lower.strip_suffix(".example").unwrap_or(&lower);
    word.contains([
        '<', '>', '$', '{', '}', '[', ']', '*', '?', '%', '|', '…', '@', '\'',
    ]) || word.contains("...")
        || [
            "path/to",
            "path\\to",
            "your",
            "xxx",
            "my_",
            "foo",
            "example",
            "some_",
            "test_file",
            "test_module",
            "test_something",
            "filename",
            "file_name",
        ]
        .iter()
        .any(|part| lower.contains(part))
}

fn is_assignment(word: &str) -> bool {
    word.split_once('=')
        .is_some_and(|(name, _)| is_variable(name))
}

fn is_variable(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// A piece of a line: a word, or what stands between commands.
enum Piece {
    Word(String),
    Break,
    Write,
}

fn pieces(line: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut word = String::new();
    let mut has_word = false;
    let mut quote: Option<char> = None;
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (Some(open), close) if open == close => quote = None,
            (Some(_), other) => word.push(other),
            (None, '"' | '\'') => {
                quote = Some(letter);
                has_word = true;
            }
            (None, '#') if !has_word => break,
            (None, '\\') if letters.peek() == Some(&' ') => {
                word.push(' ');
                letters.next();
            }
            (None, ';' | '|' | '&' | '>') => {
                if has_word {
                    pieces.push(Piece::Word(std::mem::take(&mut word)));
                    has_word = false;
                }
                pieces.push(if letter == '>' {
                    Piece::Write
                } else {
                    Piece::Break
                });
            }
            (None, blank) if blank.is_whitespace() => {
                if has_word {
                    pieces.push(Piece::Word(std::mem::take(&mut word)));
                    has_word = false;
                }
            }
            (None, other) => {
                word.push(other);
                has_word = true;
            }
        }
    }
    if has_word {
        pieces.push(Piece::Word(word));
    }
    pieces
}

/// Reads one line; a line may hold several commands. Folders are not filled in.
pub fn parse(line: &str) -> Vec<Command> {
    let line = strip_prompt(line);
    let mut commands = Vec::new();
    let mut current = empty();
    let mut is_write = false;
    for piece in pieces(line).into_iter().take(400) {
        match piece {
            Piece::Break => {
                commands.push(std::mem::replace(&mut current, empty()));
                is_write = false;
            }
            Piece::Write => is_write = true,
            Piece::Word(word) if is_write => {
                current.writes.push(word.into());
                is_write = false;
            }
            Piece::Word(word) if current.words.is_empty() && is_assignment(&word) => {
                let name = word.split('=').next().unwrap_or_default();
                current.sets.push(name.into());
            }
            Piece::Word(word)
                if current.words.is_empty()
                    && matches!(word.as_str(), "sudo" | "nohup" | "time" | "exec" | "env") => {}
            Piece::Word(word) => current.words.push(word.into()),
        }
    }
    commands.push(current);
    for command in &mut commands {
        let program = command.words.first().map(AsRef::as_ref);
        if matches!(program, Some("export" | "set" | "setx" | "setenv")) {
            let named = command.words.iter().skip(1).find_map(|word| {
                let name = word.trim_start_matches("$env:");
                let name = name.split('=').next().unwrap_or_default();
                is_variable(name).then(|| Box::<str>::from(name))
            });
            command.sets.extend(named);
        }
    }
    commands.retain(|command| !command.words.is_empty() || !command.sets.is_empty());
    commands
}

fn empty() -> Command {
    Command {
        words: Vec::new(),
        sets: Vec::new(),
        folder: Some("".into()),
        writes: Vec::new(),
    }
}

/// Follows `cd` and `git clone` through the commands of a page.
///
/// The first clone is taken for this repository, every other for a stranger's, whose files are unknown.
#[derive(Debug, Default)]
pub(super) struct Walk {
    /// Where the next command is typed; `None` in a folder that the repository does not have.
    folder: Option<String>,
    own: Option<String>,
    strangers: Vec<String>,
    has_unpacked: bool,
    section: Option<u32>,
}

impl Walk {
    /// Fills in where a command is typed and goes where it leads.
    pub(super) fn step(
        &mut self,
        command: &mut Command,
        section: Option<u32>,
        is_folder: &dyn Fn(&str) -> bool,
    ) {
        if self.folder.is_none() && self.section != section || self.section.is_none() {
            self.folder = Some(String::new());
        }
        self.section = section.or(Some(0));
        command.folder = self.folder.as_deref().map(Into::into);
        let words: Vec<&str> = command.words.iter().map(AsRef::as_ref).collect();
        match words.as_slice() {
            ["git", "clone", rest @ ..] => {
                let named: Vec<&&str> = rest.iter().filter(|word| !word.starts_with('-')).collect();
                let name = named.get(1).or(named.first()).map_or("", |word| **word);
                let name = name.trim_end_matches('/').trim_end_matches(".git");
                let name = name.rsplit(['/', ':']).next().unwrap_or_default();
                match &self.own {
                    None => self.own = Some(name.to_owned()),
                    Some(own) if own == name => {}
                    Some(_) => self.strangers.push(name.to_owned()),
                }
            }
            ["tar" | "unzip" | "wget", ..] => self.has_unpacked = true,
            ["cd", target, ..] => self.folder = self.go(target, is_folder),
            _ => {}
        }
    }

    fn go(&self, target: &str, is_folder: &dyn Fn(&str) -> bool) -> Option<String> {
        let target = target.replace('\\', "/");
        let plain = target.trim_end_matches('/').trim_start_matches("./");
        let here = self.folder.clone().unwrap_or_default();
        if plain == ".." {
            return Some(here.rsplit_once('/').map_or("", |(up, _)| up).to_owned());
        }
        let joined = if here.is_empty() {
            plain.to_owned()
        } else {
            format!("{here}/{plain}")
        };
        if is_folder(&joined) {
            return Some(joined);
        }
        if is_folder(plain) {
            return Some(plain.to_owned());
        }
        let last = plain.rsplit('/').next().unwrap_or_default();
        let is_stranger = self.strangers.iter().any(|name| name == last);
        let is_own = self.own.as_deref() == Some(last) || !self.has_unpacked;
        (is_own && !is_stranger).then(String::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<Vec<String>> {
        parse(line)
            .iter()
            .map(|command| command.words.iter().map(ToString::to_string).collect())
            .collect()
    }

    #[test]
    fn a_line_may_hold_several_commands() {
        assert_eq!(
            words("$ cd 'my app' && FOO=1 python run.py --x \"a b\" > out.txt # why"),
            [vec!["cd", "my app"], vec!["python", "run.py", "--x", "a b"]]
        );
        assert_eq!(parse("a > out.txt")[0].writes, ["out.txt".into()]);
        assert_eq!(parse("export KEY=1")[0].sets, ["KEY".into()]);
    }

    #[test]
    fn prose_is_no_command() {
        assert!(is_command("python3 -m bot live"));
        assert!(is_command("$ ./start.sh"));
        assert!(!is_command("make sure that it runs"));
        assert!(!is_command("source code of the bot"));
        assert!(!is_command("accuracy 0.93"));
    }

    #[test]
    fn a_second_clone_is_a_strangers() {
        let mut walk = Walk::default();
        let mut at = |line: &str| {
            let mut folder = None;
            for mut command in parse(line) {
                walk.step(&mut command, Some(0), &|path| path == "docs");
                folder = command.folder;
            }
            folder
        };
        at("git clone https://a.invalid/me/bot.git");
        at("cd bot");
        assert_eq!(at("cd docs && make"), Some("docs".into()));
        at("cd ..");
        at("git clone https://a.invalid/other/lib");
        assert_eq!(at("cd lib; make"), None);
    }
}
