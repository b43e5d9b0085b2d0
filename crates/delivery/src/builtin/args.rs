//! Arguments of checks, read as Python's `argparse` reads them: `--maxkb=500`, `--maxkb 500`, `--max 500`, `-bmain`.
//!
//! Why: a line of a configuration that works with the script must mean the same here, and one that the script
//! refuses must be refused.
//! Not here: file names among the arguments. The scripts take them as further files; here they are an error.

use std::collections::BTreeMap;

/// What options a check has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Options {
    /// Names of options without a value; the first name of each is the one it is known by.
    pub(super) flags: &'static [&'static [&'static str]],
    /// Names of options with a value.
    pub(super) values: &'static [&'static [&'static str]],
}

/// Why arguments cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ArgError {
    /// No option is named so.
    #[error("unrecognized arguments: {0}")]
    Unknown(String),
    /// It is the beginning of several names.
    #[error("ambiguous option: {0} could match {1}")]
    Ambiguous(String, String),
    /// An option needs a value.
    #[error("argument {0}: expected one argument")]
    NoValue(String),
    /// An option takes none.
    #[error("argument {0}: ignored explicit argument {1:?}")]
    NotTaken(String, String),
    /// Its value is none of those it can have.
    #[error("argument {0}: invalid value: {1:?}")]
    Invalid(String, String),
    /// Two options contradict each other.
    #[error("argument {0}: not allowed with argument {1}")]
    Contradiction(String, String),
    /// It is the name of a file; name files in `files:`.
    #[error("{0:?} names a file; say `files:` instead")]
    FileName(String),
    /// The check cannot be made at all.
    #[error("this check cannot be made")]
    NotMade,
}

/// What was given, by the first name of each option.
#[derive(Clone, Debug, Default)]
pub(super) struct Parsed {
    /// Options without a value, in sequence.
    pub(super) flags: Vec<&'static str>,
    values: BTreeMap<&'static str, Vec<String>>,
}

impl Parsed {
    /// Says whether an option without a value was given.
    pub(super) fn has(&self, name: &str) -> bool {
        self.flags.contains(&name)
    }

    /// Returns the last value of an option.
    pub(super) fn last(&self, name: &str) -> Option<&str> {
        self.all(name).last().map(String::as_str)
    }

    /// Returns every value of an option.
    pub(super) fn all(&self, name: &str) -> &[String] {
        self.values.get(name).map_or(&[], Vec::as_slice)
    }

    /// Refuses two options that exclude each other.
    pub(super) fn at_most_one_of(&self, names: &[&'static str]) -> Result<(), ArgError> {
        let given: Vec<&&str> = names.iter().filter(|name| self.has(name)).collect();
        match given.as_slice() {
            [a, b, ..] => Err(ArgError::Contradiction((**b).to_owned(), (**a).to_owned())),
            _ => Ok(()),
        }
    }
}

/// Reads a whole number as Python's `int` does.
pub(super) fn int(name: &str, text: &str) -> Result<i64, ArgError> {
    let wrong = || ArgError::Invalid(name.to_owned(), text.to_owned());
    let digits = text.trim();
    let unsigned = digits.strip_prefix(['-', '+']).unwrap_or(digits);
    let is_number = !unsigned.is_empty()
        && unsigned
            .split('_')
            .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
    if !is_number {
        return Err(wrong());
    }
    let clean: String = digits.chars().filter(|c| *c != '_').collect();
    clean.parse().map_err(|_out_of_range| wrong())
}

impl Options {
    /// No options at all.
    pub(super) const NONE: Self = Self {
        flags: &[],
        values: &[],
    };

    /// Reads arguments.
    pub(super) fn parse(&self, args: &[String]) -> Result<Parsed, ArgError> {
        let mut parsed = Parsed::default();
        let mut rest = args.iter();
        while let Some(arg) = rest.next() {
            if arg == "--" {
                match rest.next() {
                    Some(file) => return Err(ArgError::FileName(file.clone())),
                    None => break,
                }
            }
            if !arg.starts_with('-') || arg == "-" || (is_negative(arg)) {
                return Err(ArgError::FileName(arg.clone()));
            }
            if arg.starts_with("--") {
                self.long(arg, &mut rest, &mut parsed)?;
            } else {
                self.short(arg, &mut rest, &mut parsed)?;
            }
        }
        Ok(parsed)
    }

    fn long<'a>(
        &self,
        arg: &str,
        rest: &mut impl Iterator<Item = &'a String>,
        parsed: &mut Parsed,
    ) -> Result<(), ArgError> {
        let (name, value) = match arg.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (arg, None),
        };
        let full = self.full(name, arg)?;
        if let Some(known) = known(self.flags, full) {
            if let Some(value) = value {
                return Err(ArgError::NotTaken(full.to_owned(), value.to_owned()));
            }
            parsed.flags.push(known);
        } else if let Some(known) = known(self.values, full) {
            let value = match value {
                Some(value) => value.to_owned(),
                None => next(full, rest)?,
            };
            parsed.values.entry(known).or_default().push(value);
        }
        Ok(())
    }

    /// Finds the name that `name` is or begins.
    fn full(&self, name: &str, arg: &str) -> Result<&'static str, ArgError> {
        let names = || {
            let options = self.flags.iter().chain(self.values);
            options.flat_map(|names| names.iter().copied())
        };
        if let Some(full) = names().find(|known| *known == name) {
            return Ok(full);
        }
        let near: Vec<&'static str> = names().filter(|known| known.starts_with(name)).collect();
        match near.as_slice() {
            [] => Err(ArgError::Unknown(arg.to_owned())),
            [one] => Ok(one),
            many => Err(ArgError::Ambiguous(arg.to_owned(), many.join(", "))),
        }
    }

    fn short<'a>(
        &self,
        arg: &str,
        rest: &mut impl Iterator<Item = &'a String>,
        parsed: &mut Parsed,
    ) -> Result<(), ArgError> {
        for (at, letter) in arg.char_indices().skip(1) {
            let name = format!("-{letter}");
            if let Some(known) = known(self.flags, &name) {
                parsed.flags.push(known);
            } else if let Some(known) = known(self.values, &name) {
                let value = &arg[at + letter.len_utf8()..];
                let value = match value.strip_prefix('=').unwrap_or(value) {
                    "" => next(&name, rest)?,
                    value => value.to_owned(),
                };
                parsed.values.entry(known).or_default().push(value);
                return Ok(());
            } else {
                return Err(ArgError::Unknown(arg.to_owned()));
            }
        }
        Ok(())
    }
}

/// Finds the first name of the option that has this name.
fn known(options: &[&[&'static str]], name: &str) -> Option<&'static str> {
    options
        .iter()
        .find(|names| names.contains(&name))
        .and_then(|names| names.first().copied())
}

fn next<'a>(name: &str, rest: &mut impl Iterator<Item = &'a String>) -> Result<String, ArgError> {
    match rest.next() {
        Some(value)
            if !value.starts_with('-')
                || value == "-"
                || is_negative(value)
                || value.contains(' ') =>
        {
            Ok(value.clone())
        }
        _ => Err(ArgError::NoValue(name.to_owned())),
    }
}

/// `-5` and `-.5` are values, not options.
fn is_negative(arg: &str) -> bool {
    arg.strip_prefix('-').is_some_and(|number| {
        let digits = number.bytes().filter(u8::is_ascii_digit).count();
        let dots = number.bytes().filter(|byte| *byte == b'.').count();
        digits > 0 && dots <= 1 && digits + dots == number.len()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: Options = Options {
        flags: &[&["--multi", "-m"], &["--unsafe"]],
        values: &[&["--maxkb"], &["--branch", "-b"]],
    };

    fn parse(args: &[&str]) -> Result<Parsed, ArgError> {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        OPTIONS.parse(&args)
    }

    #[test]
    fn options_are_read_as_argparse_reads_them() {
        assert_eq!(parse(&["--maxkb=5"]).unwrap().last("--maxkb"), Some("5"));
        assert_eq!(
            parse(&["--maxkb", "-5"]).unwrap().last("--maxkb"),
            Some("-5")
        );
        assert_eq!(
            parse(&["--max", "5", "--maxkb=6"]).unwrap().last("--maxkb"),
            Some("6")
        );
        assert_eq!(
            parse(&["-bx", "-b", "y", "-b=z"]).unwrap().all("--branch"),
            ["x", "y", "z"]
        );
        assert!(parse(&["-m"]).unwrap().has("--multi"));
        assert_eq!(
            parse(&["--m"]).unwrap_err(),
            ArgError::Ambiguous("--m".into(), "--multi, --maxkb".into())
        );
        assert_eq!(
            parse(&["--maxkb"]).unwrap_err(),
            ArgError::NoValue("--maxkb".into())
        );
        assert_eq!(
            parse(&["--maxkb", "--unsafe"]).unwrap_err(),
            ArgError::NoValue("--maxkb".into())
        );
        assert_eq!(
            parse(&["--unsafe=1"]).unwrap_err(),
            ArgError::NotTaken("--unsafe".into(), "1".into())
        );
        assert_eq!(
            parse(&["a.py"]).unwrap_err(),
            ArgError::FileName("a.py".into())
        );
        assert_eq!(
            parse(&["--", "a.py"]).unwrap_err(),
            ArgError::FileName("a.py".into())
        );
        assert_eq!(int("--maxkb", " 1_000 ").unwrap(), 1000);
        assert!(int("--maxkb", "1__0").is_err());
    }
}
