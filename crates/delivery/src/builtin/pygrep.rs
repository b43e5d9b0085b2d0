//! `language: pygrep`: lines that a regular expression of Python finds, without Python.
//!
//! Why: such hooks are a line of configuration each, and starting Python for them costs more than all they look for. The
//! expression is one over bytes there (`re.compile(pattern.encode())`): `\w`, `\b` and `--ignore-case` know ASCII only, and `é`
//! is two characters. So here each byte is one character, too, and the expression is written anew for an engine of ours; what
//! cannot be written so is refused with its reason, never guessed.
//! What differs and stays so: an expression that only Python refuses (`a**`) may be taken, and one that goes back more than
//! [`MAX_STEPS`] times on a line is told as found wanting. Not here: which files it is for.

use super::args::Options;
use super::{ArgError, File, FileCheck, Surroundings, Verdict};

/// How often a search may go back before it is given up.
const MAX_STEPS: usize = 1_000_000;
/// Most memory of a compiled expression.
const MAX_COMPILED_BYTES: usize = 10 * 1024 * 1024;
/// Longest expression, in bytes.
const MAX_LENGTH: usize = 20_000;
/// What `\w`, `\d` and `\s` are in a class.
const WORD: &str = "a-zA-Z0-9_";
const DIGIT: &str = "0-9";
const SPACE: &str = r"\x{20}\x{9}\x{a}\x{d}\x{c}\x{b}";

const OPTIONS: Options = Options {
    flags: &[&["--ignore-case", "-i"], &["--multiline"], &["--negate"]],
    values: &[],
};

/// Why a hook in `language: pygrep` cannot be run here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PygrepError {
    /// Its arguments are not those of pygrep.
    #[error(transparent)]
    Args(#[from] ArgError),
    /// Its expression cannot be searched for here.
    #[error("the expression {pattern:?} cannot be searched for here: {why}")]
    Pattern {
        /// The expression.
        pattern: String,
        /// Why.
        why: String,
    },
}

/// Looks for an expression.
#[derive(Debug)]
pub struct Pygrep {
    regex: fancy_regex::Regex,
    is_multiline: bool,
    is_negated: bool,
}

impl Pygrep {
    /// Makes it of `entry` and `args`.
    ///
    /// # Errors
    /// [`PygrepError`], which names what cannot be done.
    pub fn new(pattern: &str, args: &[String]) -> Result<Self, PygrepError> {
        let parsed = OPTIONS.parse(args)?;
        let is_multiline = parsed.has("--multiline");
        let refused = |why: String| PygrepError::Pattern {
            pattern: pattern.to_owned(),
            why,
        };
        if pattern.starts_with('-') {
            return Err(refused(
                "it begins with -, which is read as an option".to_owned(),
            ));
        }
        if pattern.len() > MAX_LENGTH {
            return Err(refused(format!("it is longer than {MAX_LENGTH} bytes")));
        }
        let flags = Flags {
            ignore_case: parsed.has("--ignore-case"),
            multiline: is_multiline,
            dot_all: is_multiline,
            verbose: false,
        };
        let text = translate(pattern, flags).map_err(refused)?;
        let regex = fancy_regex::RegexBuilder::new(&text)
            .backtrack_limit(MAX_STEPS)
            .delegate_size_limit(MAX_COMPILED_BYTES)
            .build()
            .map_err(|error| refused(error.to_string()))?;
        Ok(Self {
            regex,
            is_multiline,
            is_negated: parsed.has("--negate"),
        })
    }

    /// Finds lines; the text has one character for each byte.
    fn lines(&self, path: &str, text: &str) -> Result<Vec<String>, TooHard> {
        let mut lines = Vec::new();
        if self.is_multiline {
            let found = self.regex.find(text).map_err(|_steps| TooHard)?;
            match found {
                Some(_) if self.is_negated => {}
                None if self.is_negated => lines.push(path.to_owned()),
                None => {}
                Some(found) => {
                    let before = text.get(..found.start()).unwrap_or_default();
                    let number = before.matches('\n').count();
                    let first = text.split('\n').nth(number).unwrap_or_default();
                    let rest = found.as_str().split_once('\n').map(|(_, rest)| rest);
                    let rest = rest.map(|rest| format!("\n{rest}")).unwrap_or_default();
                    lines.push(format!(
                        "{path}:{}:{}",
                        number + 1,
                        bytes_of(&format!("{first}{rest}"))
                    ));
                }
            }
            return Ok(lines);
        }
        for (at, line) in text.split_inclusive('\n').enumerate() {
            if !self.regex.is_match(line).map_err(|_steps| TooHard)? {
                continue;
            }
            if self.is_negated {
                return Ok(Vec::new());
            }
            let line = line.trim_end_matches(['\r', '\n']);
            lines.push(format!("{path}:{}:{}", at + 1, bytes_of(line)));
        }
        if self.is_negated {
            lines.push(path.to_owned());
        }
        Ok(lines)
    }
}

/// The search was given up.
struct TooHard;

impl FileCheck for Pygrep {
    fn check(&self, file: &File<'_>, _around: &dyn Surroundings) -> Verdict {
        let path = file.shown();
        let text;
        let text = match std::str::from_utf8(file.bytes) {
            Ok(ascii) if ascii.is_ascii() => ascii,
            _ => {
                text = characters(file.bytes);
                &text
            }
        };
        match self.lines(&path, text) {
            Ok(lines) => Verdict::all_broken(lines),
            Err(TooHard) => Verdict::broken(format!("{path}: the expression goes back too often")),
        }
    }
}

/// One character for each byte.
fn characters(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

/// The text that characters for bytes stand for.
fn bytes_of(text: &str) -> String {
    let bytes: Vec<u8> = text.chars().filter_map(|c| u8::try_from(c).ok()).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What holds for the whole expression.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of Python's re"
)]
struct Flags {
    ignore_case: bool,
    multiline: bool,
    dot_all: bool,
    verbose: bool,
}

/// Writes an expression of Python over bytes in the syntax of the engine over characters.
fn translate(pattern: &str, mut flags: Flags) -> Result<String, String> {
    let pattern = characters(pattern.as_bytes());
    let mut rest = pattern.as_str();
    // `(?im)` at the beginning, more than once if need be.
    while let Some((given, after)) = global_flags(rest) {
        for flag in given.chars() {
            match flag {
                'a' => {}
                'i' => flags.ignore_case = true,
                'm' => flags.multiline = true,
                's' => flags.dot_all = true,
                'x' => flags.verbose = true,
                other => return Err(format!("the flag {other} has no meaning over bytes")),
            }
        }
        rest = after;
    }
    let mut writer = Writer {
        flags,
        out: String::with_capacity(rest.len() + 16),
        folds: flags.ignore_case,
        has_high: false,
    };
    while let Some(c) = rest.chars().next() {
        rest = writer.one(c, rest.get(c.len_utf8()..).unwrap_or_default())?;
    }
    if writer.folds && writer.has_high {
        return Err("case is ignored in ASCII only, and it has other characters".to_owned());
    }
    let mut head = String::new();
    for (flag, is_on) in [
        ('i', flags.ignore_case),
        ('m', flags.multiline),
        ('s', flags.dot_all),
        ('x', flags.verbose),
    ] {
        if is_on {
            head.push(flag);
        }
    }
    Ok(if head.is_empty() {
        writer.out
    } else {
        // A comment at the end must not swallow the bracket.
        let end = if flags.verbose { "\n)" } else { ")" };
        format!("(?{head}:{}{end}", writer.out)
    })
}

fn global_flags(text: &str) -> Option<(&str, &str)> {
    let (flags, after) = text.strip_prefix("(?")?.split_once(')')?;
    let is_flags = !flags.is_empty() && flags.bytes().all(|byte| byte.is_ascii_alphabetic());
    is_flags.then_some((flags, after))
}

struct Writer {
    flags: Flags,
    out: String,
    /// Whether case is ignored anywhere.
    folds: bool,
    /// Whether a character beyond ASCII is named.
    has_high: bool,
}

impl Writer {
    /// Writes one element that begins with `c`; returns what follows it.
    fn one<'a>(&mut self, c: char, rest: &'a str) -> Result<&'a str, String> {
        match c {
            '\\' => self.escape(rest, false),
            '[' => self.class(rest),
            '#' if self.flags.verbose => Ok(rest
                .find('\n')
                .and_then(|end| rest.get(end..))
                .unwrap_or_default()),
            // Before a line end at the end, too.
            '$' if !self.flags.multiline => {
                self.out.push_str(r"(?=\n?\z)");
                Ok(rest)
            }
            '{' => {
                self.out.push_str(match count(rest) {
                    false => r"\{",
                    true if rest.starts_with(',') => "{0",
                    true => "{",
                });
                Ok(rest)
            }
            '(' if rest.starts_with('?') => self.group(rest),
            c => {
                self.literal_or_sign(c);
                Ok(rest)
            }
        }
    }

    fn literal_or_sign(&mut self, c: char) {
        self.has_high |= !c.is_ascii();
        self.out.push(c);
    }

    fn literal(&mut self, code: u32) {
        self.has_high |= code >= 0x80;
        self.out.push_str(&format!("\\x{{{code:x}}}"));
    }

    /// Writes the beginning of a group.
    fn group<'a>(&mut self, rest: &'a str) -> Result<&'a str, String> {
        if let Some(comment) = rest.strip_prefix("?#") {
            let (_, after) = comment.split_once(')').ok_or("a comment does not end")?;
            return Ok(after);
        }
        for known in ["?:", "?=", "?!", "?<=", "?<!", "?>", "?(", "?P=", "?P<"] {
            if let Some(after) = rest.strip_prefix(known) {
                self.out.push('(');
                self.out.push_str(known);
                // Names and numbers up to the sign that ends them are no expression.
                let end = match known {
                    "?(" | "?P=" => ')',
                    "?P<" => '>',
                    _ => return Ok(after),
                };
                let (name, after) = after
                    .split_once(end)
                    .ok_or("a group has no end of its name")?;
                let is_name = !name.is_empty()
                    && name
                        .bytes()
                        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
                if !is_name {
                    return Err("the name of a group is none".to_owned());
                }
                self.out.push_str(name);
                self.out.push(end);
                return Ok(after);
            }
        }
        let (named, after) = rest
            .strip_prefix('?')
            .and_then(|rest| rest.split_once(':'))
            .ok_or("it has a kind of group that is not known here")?;
        let is_flags = named
            .bytes()
            .all(|byte| matches!(byte, b'a' | b'i' | b's' | b'-'));
        if !is_flags {
            return Err(format!(
                "a group with the flags {named:?} is not known here"
            ));
        }
        self.folds |= named.contains('i');
        let kept: String = named.chars().filter(|flag| *flag != 'a').collect();
        self.out.push_str(&format!("(?{kept}:"));
        Ok(after)
    }

    /// Writes what follows a backslash.
    fn escape<'a>(&mut self, rest: &'a str, in_class: bool) -> Result<&'a str, String> {
        let c = rest.chars().next().ok_or("it ends in a backslash")?;
        let after = rest.get(c.len_utf8()..).unwrap_or_default();
        let set = |set: &str, is_not: bool| match (in_class, is_not) {
            (true, false) => set.to_owned(),
            (_, true) => format!("[^{set}]"),
            (false, false) => format!("[{set}]"),
        };
        match c {
            'w' | 'W' => self.out.push_str(&set(WORD, c == 'W')),
            'd' | 'D' => self.out.push_str(&set(DIGIT, c == 'D')),
            's' | 'S' => self.out.push_str(&set(SPACE, c == 'S')),
            'b' if in_class => self.literal(8),
            'b' => self.out.push_str(&format!(
                "(?:(?<=[{WORD}])(?![{WORD}])|(?<![{WORD}])(?=[{WORD}]))"
            )),
            'B' if !in_class => self.out.push_str(&format!(
                r"(?:(?<=[{WORD}])(?=[{WORD}])|(?<![{WORD}])(?![{WORD}])(?!\A\z))"
            )),
            'A' if !in_class => self.out.push_str(r"\A"),
            'Z' if !in_class => self.out.push_str(r"\z"),
            'a' => self.literal(7),
            'f' => self.literal(0xc),
            'n' => self.literal(0xa),
            'r' => self.literal(0xd),
            't' => self.literal(9),
            'v' => self.literal(0xb),
            'x' => {
                let digits = after.get(..2).ok_or(r"\x needs two digits")?;
                let code = u32::from_str_radix(digits, 16).map_err(|error| error.to_string())?;
                self.literal(code);
                return Ok(after.get(2..).unwrap_or_default());
            }
            '0'..='9' => return self.number(rest, in_class),
            c if c.is_ascii_alphabetic() => return Err(format!(r"\{c} is no escape over bytes")),
            c => self.literal(u32::from(c)),
        }
        Ok(after)
    }

    /// Writes `\0`, `\12`, `\123`: a character in octal, or a group again.
    fn number<'a>(&mut self, rest: &'a str, in_class: bool) -> Result<&'a str, String> {
        let bytes = rest.as_bytes();
        let octal = |most: usize| {
            let digits = bytes.iter().take(most);
            digits
                .take_while(|byte| (b'0'..=b'7').contains(byte))
                .count()
        };
        let is_octal = in_class || bytes.first() == Some(&b'0') || octal(3) == 3;
        if is_octal {
            let len = octal(3);
            let digits = rest.get(..len).unwrap_or_default();
            let code = u32::from_str_radix(digits, 8).map_err(|error| error.to_string())?;
            if code > 0o377 {
                return Err(format!(r"\{digits} is no byte"));
            }
            self.literal(code);
            return Ok(rest.get(len..).unwrap_or_default());
        }
        if self.folds {
            return Err("a group again, in any case, is not known here".to_owned());
        }
        let len = bytes
            .iter()
            .take(2)
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        let number = rest.get(..len).unwrap_or_default();
        self.out.push_str(&format!(r"(?:\{number})"));
        Ok(rest.get(len..).unwrap_or_default())
    }

    /// Writes a class, without its first bracket.
    fn class<'a>(&mut self, mut rest: &'a str) -> Result<&'a str, String> {
        self.out.push('[');
        if let Some(after) = rest.strip_prefix('^') {
            self.out.push('^');
            rest = after;
        }
        if let Some(after) = rest.strip_prefix(']') {
            self.literal(u32::from(']'));
            rest = after;
        }
        while let Some(c) = rest.chars().next() {
            rest = rest.get(c.len_utf8()..).unwrap_or_default();
            match c {
                ']' => {
                    self.out.push(']');
                    return Ok(rest);
                }
                '\\' => rest = self.escape(rest, true)?,
                // A range, unless it is the last sign.
                '-' if !rest.starts_with(']') && !self.out.ends_with(['[', '^']) => {
                    self.out.push('-');
                }
                c if c.is_ascii_alphanumeric() => self.out.push(c),
                c => self.literal(u32::from(c)),
            }
        }
        Err("a class does not end".to_owned())
    }
}

/// Says whether `{m}`, `{m,}`, `{,n}` or `{m,n}` follows, without the first brace.
fn count(rest: &str) -> bool {
    let Some((inside, _)) = rest.split_once('}') else {
        return false;
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    match inside.split_once(',') {
        Some((low, high)) => digits(low) && digits(high),
        None => !inside.is_empty() && digits(inside),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::Around;
    use super::*;

    fn lines(pattern: &str, args: &[&str], text: &[u8]) -> Vec<String> {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let check = Pygrep::new(pattern, &args).unwrap();
        let file = File {
            path: b"a.py",
            mode: crate::staged::Mode::Regular,
            size: text.len() as u64,
            bytes: text,
        };
        check.check(&file, &Around::default()).lines
    }

    #[test]
    fn lines_are_found_as_python_finds_them() {
        let text = "eval(x)\r\nmedieval(x)\nprint('é')\n".as_bytes();
        assert_eq!(lines(r"\beval\(", &[], text), ["a.py:1:eval(x)"]);
        assert_eq!(lines(r"EVAL", &["-i"], text).len(), 2);
        assert_eq!(lines(r"\('..'\)$", &[], text), ["a.py:3:print('é')"]);
        assert_eq!(lines(r"x\)$", &[], text), ["a.py:2:medieval(x)"]);
        assert_eq!(lines(r"nothing", &["--negate"], text), ["a.py"]);
        assert!(lines(r"print", &["--neg"], text).is_empty());
        assert_eq!(
            lines(r"medi.*print", &["--multiline"], text),
            ["a.py:2:medieval(x)\nprint"]
        );
        assert_eq!(lines(r"[\W]é", &[], text), ["a.py:3:print('é')"]);
        assert_eq!(
            lines(
                r"(?x) print # what
            \(",
                &[],
                text
            )
            .len(),
            1
        );
        assert!(lines(r"é", &[], b"\xc3 \xa9\n").is_empty());
        assert_eq!(lines(r"\xc3", &[], b"\xc3 \xa9\n").len(), 1);
    }

    #[test]
    fn what_cannot_be_done_is_named() {
        for (pattern, args, part) in [
            ("é", &["-i"][..], "ASCII only"),
            (r"(a)\1", &["-i"], "in any case"),
            (r"\u0041", &[], "no escape"),
            ("(", &[], "cannot be searched"),
            ("-x", &[], "option"),
            ("(?L)a", &[], "no meaning over bytes"),
            ("a(?m:b$)", &[], "not known here"),
            ("a", &["--nope"], "unrecognized"),
            ("a", &["b"], "names a file"),
        ] {
            let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
            let error = Pygrep::new(pattern, &args).unwrap_err().to_string();
            assert!(error.contains(part), "{pattern}: {error}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_expression_panics(pattern in r"[\[\](){}\\^$?!<=>:PxiamsWwBb0-9&~,.*+| é#-]{0,20}", text in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..40)) {
            if let Ok(check) = Pygrep::new(&pattern, &[]) {
                let file = File { path: b"x", mode: crate::staged::Mode::Regular, size: 0, bytes: &text };
                let _verdict = check.check(&file, &Around::default());
            }
        }
    }
}
