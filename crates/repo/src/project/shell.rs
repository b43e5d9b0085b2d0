//! Shell lines as simple commands: words, quotes taken off, with lines. Nothing is executed or expanded.
//!
//! Enough of the shell to see which program is started with which words and in which folder: quotes, continued
//! lines, comments, `&&`, `||`, `;`, pipes, subshells, redirects, heredocs (skipped), keywords. A word with
//! anything in it that a shell would expand is marked, so that nobody takes it for a path.

use super::requirement::join;

/// Longest script that is read.
const MAX_SCRIPT: usize = 200_000;
/// Most commands of one script.
const MAX_COMMANDS: usize = 2_000;

/// One word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// Its text.
    pub text: Box<str>,
    /// Whether it means exactly its text: no variable, pattern, substitution or placeholder.
    pub is_literal: bool,
}

/// One simple command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// Its line.
    pub line: u32,
    /// Program and arguments, variables set before it left out.
    pub words: Vec<Word>,
    /// Files read by `<`.
    pub inputs: Vec<Word>,
    /// Files written by `>`.
    pub outputs: Vec<Word>,
    /// The folder it runs in, relative to the root; `None` where that is not known.
    pub directory: Option<Box<str>>,
}

/// Where a script starts.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// Line of its first line.
    pub line: u32,
    /// The folder it starts in, relative to the root; `None` where not known.
    pub directory: Option<&'a str>,
    /// Names that a clone of this repository may have: after `git clone …/name`, `cd name` leads to the root.
    pub own_names: &'a [&'a str],
}

impl Origin<'_> {
    /// A script that starts at the root.
    pub fn at(line: u32) -> Self {
        Self {
            line,
            directory: Some(""),
            own_names: &[],
        }
    }
}

/// Words of the shell that stand before a command.
const KEYWORDS: &[&str] = &[
    "if",
    "then",
    "else",
    "elif",
    "do",
    "while",
    "until",
    "!",
    "{",
    "time",
    "exec",
    "nohup",
    "command",
    "sudo",
    "eatmydata",
];

enum Token {
    Word(Word),
    /// `&&`, `||`, `;`, `|`, `&` or a line's end.
    End,
    Open,
    Close,
    Input,
    Output,
    Heredoc,
}

/// Reads a script.
pub fn commands(script: &str, origin: Origin<'_>) -> Vec<Command> {
    let mut reader = Reader {
        rest: script
            .get(..MAX_SCRIPT.min(script.len()))
            .unwrap_or(script)
            .chars()
            .peekable(),
        line: origin.line,
        heredocs: Vec::new(),
    };
    let mut found = Vec::new();
    let mut folders = Folders {
        here: origin.directory.map(Into::into),
        outer: Vec::new(),
        clones: Vec::new(),
        own: origin.own_names,
    };
    let mut current: Option<Command> = None;
    let mut redirect = None;
    while let Some((line, token)) = reader.next() {
        match token {
            Token::Word(word) => {
                let command = current.get_or_insert_with(|| Command {
                    line,
                    words: Vec::new(),
                    inputs: Vec::new(),
                    outputs: Vec::new(),
                    directory: folders.here.clone(),
                });
                match redirect.take() {
                    Some(Token::Input) => command.inputs.push(word),
                    Some(Token::Output) => command.outputs.push(word),
                    Some(Token::Heredoc) => reader.heredocs.push(word.text),
                    _ => command.words.push(word),
                }
            }
            Token::Input | Token::Output | Token::Heredoc => redirect = Some(token),
            Token::End | Token::Open | Token::Close => {
                redirect = None;
                if let Some(command) = current.take() {
                    folders.finish(command, &mut found);
                }
                match token {
                    Token::Open => folders.outer.push(folders.here.clone()),
                    Token::Close => {
                        if let Some(outer) = folders.outer.pop() {
                            folders.here = outer;
                        }
                    }
                    _ => {}
                }
            }
        }
        if found.len() >= MAX_COMMANDS {
            return found;
        }
    }
    if let Some(command) = current.take() {
        folders.finish(command, &mut found);
    }
    found
}

/// Where the script is while it is read.
struct Folders<'a> {
    here: Option<Box<str>>,
    outer: Vec<Option<Box<str>>>,
    clones: Vec<Box<str>>,
    own: &'a [&'a str],
}

impl Folders<'_> {
    fn finish(&mut self, mut command: Command, found: &mut Vec<Command>) {
        let is_setting = |word: &Word| {
            word.text.split_once('=').is_some_and(|(name, _)| {
                name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                    && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            })
        };
        let skipped = command
            .words
            .iter()
            .take_while(|word| KEYWORDS.contains(&word.text.as_ref()) || is_setting(word))
            .count();
        command.words.drain(..skipped);
        if command
            .words
            .first()
            .is_some_and(|word| word.text.as_ref() == "env")
        {
            let skipped = 1 + command
                .words
                .iter()
                .skip(1)
                .take_while(|word| is_setting(word))
                .count();
            command.words.drain(..skipped);
        }
        let texts: Vec<&str> = command
            .words
            .iter()
            .map(|word| word.text.as_ref())
            .collect();
        match texts.as_slice() {
            ["cd" | "pushd" | "chdir" | "Set-Location", arguments @ ..] => {
                let target = arguments
                    .iter()
                    .position(|argument| !argument.starts_with("--"))
                    .map(|at| &command.words[at + 1]);
                self.enter(target);
            }
            ["popd"] => self.here = None,
            ["git", "clone", arguments @ ..] => {
                let mut plain = arguments
                    .iter()
                    .filter(|argument| !argument.starts_with('-'));
                if let Some(url) =
                    plain.find(|argument| argument.contains('/') || argument.contains(':'))
                {
                    let name = plain
                        .next()
                        .unwrap_or(url)
                        .trim_end_matches('/')
                        .trim_end_matches(".git");
                    self.clones
                        .push(name.rsplit(['/', ':']).next().unwrap_or(name).into());
                }
            }
            _ => {}
        }
        if !command.words.is_empty() || !command.inputs.is_empty() || !command.outputs.is_empty() {
            found.push(command);
        }
    }

    fn enter(&mut self, target: Option<&Word>) {
        let Some(target) = target.filter(|target| target.is_literal && target.text.as_ref() != "-")
        else {
            self.here = None;
            return;
        };
        let name = target.text.trim_end_matches('/').trim_start_matches("./");
        let is_own = self.own.iter().any(|own| own.eq_ignore_ascii_case(name));
        if is_own && self.here.as_deref().is_none_or(str::is_empty) {
            self.here = Some("".into());
        } else if self.clones.iter().any(|clone| clone.as_ref() == name) {
            self.here = None;
        } else {
            self.here = self
                .here
                .as_deref()
                .and_then(|here| join(here, &target.text))
                .map(Into::into);
        }
    }
}

struct Reader<'s> {
    rest: std::iter::Peekable<std::str::Chars<'s>>,
    line: u32,
    heredocs: Vec<Box<str>>,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<(u32, Token)> {
        loop {
            let line = self.line;
            let c = self.rest.next()?;
            let token = match c {
                '\n' => {
                    self.line += 1;
                    self.skip_heredocs();
                    Token::End
                }
                '\\' if matches!(self.rest.peek(), Some('\n')) => {
                    self.rest.next();
                    self.line += 1;
                    continue;
                }
                c if c.is_whitespace() => continue,
                '#' => {
                    while self.rest.peek().is_some_and(|c| *c != '\n') {
                        self.rest.next();
                    }
                    continue;
                }
                ';' | '|' => Token::End,
                '&' => {
                    if self.rest.peek() == Some(&'>') {
                        self.rest.next();
                        Token::Output
                    } else {
                        Token::End
                    }
                }
                '(' => Token::Open,
                ')' => Token::Close,
                '<' => self.after_less(),
                '>' => {
                    while self
                        .rest
                        .peek()
                        .is_some_and(|c| matches!(c, '>' | '&' | '|'))
                    {
                        self.rest.next();
                    }
                    Token::Output
                }
                first => match self.word(first) {
                    Some(word) => Token::Word(word),
                    None => continue,
                },
            };
            return Some((line, token));
        }
    }

    fn after_less(&mut self) -> Token {
        if self.rest.peek() != Some(&'<') {
            if let Some(inside) = self.placeholder() {
                let behind = match self.rest.peek() {
                    Some(c)
                        if !c.is_whitespace()
                            && !matches!(c, ';' | '|' | '&' | ')' | '(' | '<' | '>') =>
                    {
                        self.rest.next().and_then(|first| self.word(first))
                    }
                    _ => None,
                };
                let behind = behind.map_or("".into(), |word| word.text);
                return Token::Word(Word {
                    text: format!("<{inside}>{behind}").into(),
                    is_literal: false,
                });
            }
            return Token::Input;
        }
        self.rest.next();
        if self.rest.peek() == Some(&'<') {
            self.rest.next();
            return Token::Input;
        }
        if self.rest.peek() == Some(&'-') {
            self.rest.next();
        }
        Token::Heredoc
    }

    /// Takes `name>` after `<`: a placeholder of a page, no redirect.
    fn placeholder(&mut self) -> Option<String> {
        let text: String = self
            .rest
            .clone()
            .take_while(|c| *c != '\n')
            .take(60)
            .collect();
        let (inside, _) = text.split_once('>')?;
        if inside.is_empty() || inside.starts_with([' ', '<', '(']) {
            return None;
        }
        for _ in 0..=inside.chars().count() {
            self.rest.next();
        }
        Some(inside.to_owned())
    }

    fn skip_heredocs(&mut self) {
        for end in std::mem::take(&mut self.heredocs) {
            loop {
                let mut text = String::new();
                let mut ended = true;
                for c in self.rest.by_ref() {
                    if c == '\n' {
                        self.line += 1;
                        ended = false;
                        break;
                    }
                    text.push(c);
                }
                if ended || text.trim() == end.as_ref() {
                    break;
                }
            }
        }
    }

    /// Reads a word. `None` for the number before a redirect (`2>`).
    fn word(&mut self, first: char) -> Option<Word> {
        let mut text = String::new();
        let mut is_literal = true;
        let mut next = Some(first);
        while let Some(c) = next {
            match c {
                '\'' => self.quoted('\'', &mut text, &mut is_literal),
                '"' => self.quoted('"', &mut text, &mut is_literal),
                '\\' => match self.rest.peek() {
                    Some('\n') => {
                        self.rest.next();
                        self.line += 1;
                    }
                    // A backslash before a letter is a path of Windows in what people write.
                    Some(c) if c.is_alphanumeric() => text.push('\\'),
                    Some(_) => text.extend(self.rest.next()),
                    None => {}
                },
                '$' => {
                    is_literal = false;
                    text.push('$');
                    match self.rest.peek() {
                        Some('(') => self.nested('(', ')', &mut text),
                        Some('{') => self.nested('{', '}', &mut text),
                        _ => {}
                    }
                }
                '`' => {
                    is_literal = false;
                    self.quoted('`', &mut text, &mut true);
                }
                '*' | '?' | '{' | '[' | '…' => {
                    is_literal = false;
                    text.push(c);
                }
                c => text.push(c),
            }
            next = match self.rest.peek() {
                None => None,
                Some(c) if c.is_whitespace() || matches!(c, ';' | '|' | '&' | ')' | '(') => None,
                Some('<' | '>') => {
                    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
                        return None;
                    }
                    if self.rest.peek() == Some(&'<') {
                        let mut ahead = self.rest.clone();
                        ahead.next();
                        std::mem::swap(&mut ahead, &mut self.rest);
                        if let Some(inside) = self.placeholder() {
                            is_literal = false;
                            text.push_str(&format!("<{inside}>"));
                            next = self.rest.next_if(|c| !c.is_whitespace());
                            continue;
                        }
                        self.rest = ahead;
                    }
                    None
                }
                Some(_) => self.rest.next(),
            };
        }
        if text.contains("...") || text.starts_with('~') {
            is_literal = false;
        }
        Some(Word {
            text: text.into(),
            is_literal,
        })
    }

    fn quoted(&mut self, end: char, text: &mut String, is_literal: &mut bool) {
        while let Some(c) = self.rest.next() {
            if c == end {
                return;
            }
            match c {
                '\n' => self.line += 1,
                '\\' if end == '"' && matches!(self.rest.peek(), Some('"' | '\\' | '$' | '`')) => {
                    text.extend(self.rest.next());
                    continue;
                }
                '$' | '`' if end == '"' => *is_literal = false,
                _ => {}
            }
            text.push(c);
        }
    }

    fn nested(&mut self, open: char, close: char, text: &mut String) {
        let mut depth = 0_u32;
        for c in self.rest.by_ref() {
            text.push(c);
            if c == '\n' {
                self.line += 1;
            }
            if c == open {
                depth += 1;
            } else if c == close {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(script: &str) -> Vec<(u32, String, Option<String>)> {
        commands(
            script,
            Origin {
                line: 10,
                directory: Some(""),
                own_names: &["own"],
            },
        )
        .into_iter()
        .map(|command| {
            let words: Vec<&str> = command
                .words
                .iter()
                .map(|word| word.text.as_ref())
                .collect();
            (
                command.line,
                words.join(" "),
                command.directory.map(Into::into),
            )
        })
        .collect()
    }

    #[test]
    fn commands_are_split_and_folders_followed() {
        let here = |text: &str| Some(text.to_owned());
        assert_eq!(
            read(
                "cd a/b && A=1 python 'x y.py' # no\n(cd ../c; ls) || true\n2>&1 make \\\n  all > out\n"
            ),
            [
                (10, "cd a/b".into(), here("")),
                (10, "python x y.py".into(), here("a/b")),
                (11, "cd ../c".into(), here("a/b")),
                (11, "ls".into(), here("a/c")),
                (11, "true".into(), here("a/b")),
                (12, "make all".into(), here("a/b")),
            ]
        );
        assert_eq!(
            read(
                "git clone https://x.invalid/o/own.git\ncd own\npython a.py\ncd $X\npython b.py\n"
            )[2..]
                .to_vec(),
            [
                (12, "python a.py".into(), here("")),
                (13, "cd $X".into(), here("")),
                (14, "python b.py".into(), None),
            ]
        );
        assert_eq!(
            read("git clone https://x.invalid/o/lib && cd lib && make")[2].2,
            None
        );
    }

    #[test]
    fn heredocs_are_skipped_and_placeholders_marked() {
        let found = read("cat <<'EOF' > f\npython no.py\nEOF\npython yes.py\n");
        assert_eq!(found[1], (13, "python yes.py".into(), Some(String::new())));
        let found = commands("python <file>.py $(x y) \"$A\" *.py", Origin::at(1));
        assert!(
            found[0].words[1..].iter().all(|word| !word.is_literal),
            "{found:?}"
        );
    }

    #[test]
    fn hostile_scripts_end() {
        for text in [
            "$(",
            "'",
            "\"\\",
            "${",
            "<<",
            "<<EOF\n",
            "a <<'",
            "(((((",
            "))))",
            "\\",
            "`",
            "<x>",
            "<\n>",
            "&>",
            "\u{e9}<\u{e9}>",
        ] {
            commands(&text.repeat(3_000), Origin::at(1));
            commands(text, Origin::at(u32::MAX - 10));
        }
    }
}
