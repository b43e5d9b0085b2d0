//! `pretty-format-json`: JSON as `json.dumps` writes it: indented, keys sorted, floats in their shortest form.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::args::{ArgError, Options, int};
use super::json::{Sink, read};
use super::{About, Check, File, FileCheck, PLAIN, Surroundings, Verdict};

pub(super) const ABOUT: About = About {
    id: "pretty-format-json",
    name: "pretty format json",
    what: "Asks for JSON that is indented and sorted, or writes it so.",
    types: &["json"],
    can_fix: true,
    arguments: &[
        ("--autofix", "writes it instead of telling"),
        (
            "--indent=NUMBER|TEXT",
            "blanks per level, 2 when not given, or the text itself",
        ),
        (
            "--no-ensure-ascii",
            "leaves other characters than ASCII as they are",
        ),
        ("--no-sort-keys", "leaves keys in their sequence"),
        ("--top-keys=KEY[,KEY]", "these keys first, in this sequence"),
    ],
    differs: &[
        "without `--autofix` the first line that differs is named; the script prints a whole difference",
        "half a surrogate pair under `--no-ensure-ascii` is told and nothing is written; the script leaves an empty file",
        "nesting deeper than 300 is refused; the script ends with a traceback at a depth that its Python decides",
    ],
    make,
    ..PLAIN
};

const OPTIONS: Options = Options {
    flags: &[&["--autofix"], &["--no-ensure-ascii"], &["--no-sort-keys"]],
    values: &[&["--indent"], &["--top-keys"]],
};
/// Deepest nesting that is written.
const MAX_DEPTH: usize = 300;
/// Most blanks per level.
const MAX_INDENT: i64 = 1_000;

struct Pretty {
    writes: bool,
    indent: String,
    is_ascii: bool,
    sorts: bool,
    top: Vec<String>,
}

fn make(args: &[String]) -> Result<Check, ArgError> {
    let parsed = OPTIONS.parse(args)?;
    let given = parsed.last("--indent").unwrap_or("2");
    let indent = match int("--indent", given) {
        Ok(blanks @ ..=MAX_INDENT) => " ".repeat(usize::try_from(blanks).unwrap_or(0)),
        Ok(_) => return Err(ArgError::Invalid("--indent".to_owned(), given.to_owned())),
        Err(_) => given.to_owned(),
    };
    Ok(Check::files(Pretty {
        writes: parsed.has("--autofix"),
        indent,
        is_ascii: !parsed.has("--no-ensure-ascii"),
        sorts: !parsed.has("--no-sort-keys"),
        top: parsed
            .last("--top-keys")
            .map(|keys| keys.split(',').map(str::to_owned).collect())
            .unwrap_or_default(),
    }))
}

type Text<'a> = Cow<'a, [u8]>;

#[derive(Clone, Debug, PartialEq)]
enum Value<'a> {
    Plain(&'a [u8]),
    Text(Text<'a>),
    List(Vec<Value<'a>>),
    Map(Vec<(Text<'a>, Value<'a>)>),
}

/// Builds a tree.
#[derive(Default)]
struct Builder<'a> {
    open: Vec<(Value<'a>, Option<Text<'a>>)>,
    root: Option<Value<'a>>,
}

impl<'a> Builder<'a> {
    fn put(&mut self, value: Value<'a>) {
        match self.open.last_mut() {
            None => self.root = Some(value),
            Some((Value::List(items), _)) => items.push(value),
            Some((Value::Map(pairs), key)) => pairs.extend(key.take().map(|key| (key, value))),
            Some(_) => {}
        }
    }
}

impl<'a> Sink<'a> for Builder<'a> {
    fn start(&mut self, is_map: bool) {
        let empty = if is_map {
            Value::Map(Vec::new())
        } else {
            Value::List(Vec::new())
        };
        self.open.push((empty, None));
    }

    fn key(&mut self, key: Text<'a>) {
        if let Some((_, awaited)) = self.open.last_mut() {
            *awaited = Some(key);
        }
    }

    fn text(&mut self, text: Text<'a>) {
        self.put(Value::Text(text));
    }

    fn plain(&mut self, text: &'a [u8]) {
        self.put(Value::Plain(text));
    }

    fn end(&mut self) -> Result<(), String> {
        if self.open.len() > MAX_DEPTH {
            return Err("nested too deeply".to_owned());
        }
        if let Some((value, _)) = self.open.pop() {
            self.put(value);
        }
        Ok(())
    }
}

/// Why nothing can be written.
enum Trouble {
    /// Two values of one key cannot be put in order.
    Unordered,
    /// Half a surrogate pair cannot be written.
    Surrogate,
}

impl Pretty {
    /// Puts the pairs of a map in sequence, the last of equal keys kept.
    fn arranged<'v, 'a>(
        &self,
        pairs: &'v [(Text<'a>, Value<'a>)],
    ) -> Result<Vec<&'v (Text<'a>, Value<'a>)>, Trouble> {
        let rank = |key: &[u8]| self.top.iter().position(|top| top.as_bytes() == key);
        let (mut first, mut rest): (Vec<_>, Vec<_>) =
            pairs.iter().partition(|(key, _)| rank(key).is_some());
        first.sort_by_key(|(key, _)| rank(key));
        if self.sorts {
            let mut is_ordered = true;
            rest.sort_by(|(a, a_value), (b, b_value)| {
                a.cmp(b).then_with(|| {
                    order(a_value, b_value).unwrap_or_else(|| {
                        is_ordered = false;
                        Ordering::Equal
                    })
                })
            });
            if !is_ordered {
                return Err(Trouble::Unordered);
            }
        }
        first.append(&mut rest);
        let mut kept: Vec<&(Text<'a>, Value<'a>)> = Vec::with_capacity(first.len());
        let mut places = std::collections::HashMap::with_capacity(first.len());
        for pair in first {
            let at = *places.entry(pair.0.as_ref()).or_insert(kept.len());
            match kept.get_mut(at) {
                Some(place) => *place = pair,
                None => kept.push(pair),
            }
        }
        Ok(kept)
    }

    fn write(&self, value: &Value<'_>, level: usize, out: &mut String) -> Result<(), Trouble> {
        let line = |level: usize, out: &mut String| {
            out.push('\n');
            (0..level).for_each(|_| out.push_str(&self.indent));
        };
        match value {
            Value::Plain(text) => out.push_str(&number(text)),
            Value::Text(text) => self.write_text(text, out)?,
            Value::List(items) if items.is_empty() => out.push_str("[]"),
            Value::Map(pairs) if pairs.is_empty() => out.push_str("{}"),
            Value::List(items) => {
                for (at, item) in items.iter().enumerate() {
                    out.push(if at == 0 { '[' } else { ',' });
                    line(level + 1, out);
                    self.write(item, level + 1, out)?;
                }
                line(level, out);
                out.push(']');
            }
            Value::Map(pairs) => {
                for (at, (key, value)) in self.arranged(pairs)?.into_iter().enumerate() {
                    out.push(if at == 0 { '{' } else { ',' });
                    line(level + 1, out);
                    self.write_text(key, out)?;
                    out.push_str(": ");
                    self.write(value, level + 1, out)?;
                }
                line(level, out);
                out.push('}');
            }
        }
        Ok(())
    }

    fn write_text(&self, text: &[u8], out: &mut String) -> Result<(), Trouble> {
        out.push('"');
        let mut rest = text;
        loop {
            let good = match std::str::from_utf8(rest) {
                Ok(good) => good,
                Err(error) => std::str::from_utf8(&rest[..error.valid_up_to()]).unwrap_or_default(),
            };
            for c in good.chars() {
                self.write_char(c, out);
            }
            match &rest[good.len()..] {
                [] => break,
                [0xed, middle, last, after @ ..] if self.is_ascii => {
                    let unit = 0xd000 | (u32::from(middle & 0x3f) << 6) | u32::from(last & 0x3f);
                    out.push_str(&format!("\\u{unit:04x}"));
                    rest = after;
                }
                _ => return Err(Trouble::Surrogate),
            }
        }
        out.push('"');
        Ok(())
    }

    fn write_char(&self, c: char, out: &mut String) {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if c < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c if self.is_ascii && c > '~' => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
            c => out.push(c),
        }
    }
}

/// Orders two values as Python would; `None` where it refuses.
fn order(a: &Value<'_>, b: &Value<'_>) -> Option<Ordering> {
    let float = |text: &[u8]| match text {
        b"true" => Some(1.0),
        b"false" => Some(0.0),
        b"null" => None,
        text => std::str::from_utf8(text).ok()?.parse::<f64>().ok(),
    };
    match (a, b) {
        _ if a == b => Some(Ordering::Equal),
        (Value::Text(a), Value::Text(b)) => Some(a.cmp(b)),
        (Value::Plain(a), Value::Plain(b)) => float(a)?.partial_cmp(&float(b)?),
        (Value::List(a), Value::List(b)) => a
            .iter()
            .zip(b)
            .find(|(a, b)| order(a, b) != Some(Ordering::Equal))
            .map_or(Some(a.len().cmp(&b.len())), |(a, b)| order(a, b)),
        _ => None,
    }
}

/// Writes a number, or one of the words, as Python does.
fn number(text: &[u8]) -> Cow<'_, str> {
    let text = std::str::from_utf8(text).unwrap_or_default();
    if text == "-0" {
        return "0".into();
    }
    if !text.starts_with(|c: char| c == '-' || c.is_ascii_digit())
        || text == "-Infinity"
        || !text.contains(['.', 'e', 'E'])
    {
        return text.into();
    }
    let Ok(value) = text.parse::<f64>() else {
        return text.into();
    };
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.into();
    }
    // The shortest digits that are read as the same number: `d.ddde±x`.
    let shortest = format!("{value:e}");
    let (digits, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) {
        let plain = format!("{value}");
        return if plain.contains('.') {
            plain
        } else {
            plain + ".0"
        }
        .into();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs()).into()
}

impl FileCheck for Pretty {
    fn check(&self, file: &File<'_>, _around: &dyn Surroundings) -> Verdict {
        let path = file.shown();
        let Ok(text) = std::str::from_utf8(file.bytes) else {
            return Verdict::broken(format!("{path}: no UTF-8"));
        };
        // What Python reads of a text file has `\n` only.
        let text: Cow<'_, str> = if text.contains('\r') {
            text.replace("\r\n", "\n").replace('\r', "\n").into()
        } else {
            text.into()
        };
        let mut builder = Builder::default();
        let root = match read(text.as_bytes(), &mut builder) {
            Ok(()) => builder.root,
            Err(_) => None,
        };
        let Some(root) = root else {
            let line = format!("Input File {path} is not a valid JSON, consider using check-json");
            return Verdict::broken(line);
        };
        let mut pretty = String::with_capacity(text.len() * 2);
        match self.write(&root, 0, &mut pretty) {
            Ok(()) => {}
            Err(Trouble::Unordered) => {
                return Verdict::broken(format!(
                    "{path}: one key has values that cannot be sorted"
                ));
            }
            Err(Trouble::Surrogate) => {
                return Verdict::broken(format!("{path}: half a surrogate pair cannot be written"));
            }
        }
        pretty.push('\n');
        if text == pretty {
            return Verdict::clean();
        }
        if self.writes {
            return Verdict::fixed(pretty.into_bytes(), format!("Fixing file {path}"));
        }
        let differs = text.lines().zip(pretty.lines()).position(|(a, b)| a != b);
        let at = differs.unwrap_or_else(|| text.lines().count().min(pretty.lines().count()));
        let shown = |text: &str| {
            text.lines()
                .nth(at)
                .map(|line| line.chars().take(200).collect::<String>())
        };
        let mut lines = vec![format!("{path}:{}: not pretty", at + 1)];
        lines.extend(shown(&text).map(|line| format!("-{line}")));
        lines.extend(shown(&pretty).map(|line| format!("+{line}")));
        Verdict::all_broken(lines)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Outcome;
    use super::super::tests::on;

    fn of(args: &[&str], before: &str) -> String {
        let args: Vec<&str> = std::iter::once("--autofix")
            .chain(args.iter().copied())
            .collect();
        match on("pretty-format-json", &args, "a", before.as_bytes()).outcome {
            Outcome::Fixed(bytes) => String::from_utf8(bytes).unwrap(),
            Outcome::Clean => "clean".to_owned(),
            Outcome::Broken => "broken".to_owned(),
        }
    }

    #[test]
    fn json_is_written_as_python_writes_it() {
        assert_eq!(
            of(&[], r#"{"b":[1,{}],"a":[]}"#),
            "{\n  \"a\": [],\n  \"b\": [\n    1,\n    {}\n  ]\n}\n"
        );
        assert_eq!(of(&["--indent=\t"], "[1]"), "[\n\t1\n]\n");
        assert_eq!(of(&["--indent", "0"], "[1]"), "[\n1\n]\n");
        assert_eq!(
            of(&["--no-sort-keys"], "{\"b\":1,\"a\":2}"),
            "{\n  \"b\": 1,\n  \"a\": 2\n}\n"
        );
        assert_eq!(
            of(&["--top-keys=z,b"], "{\"b\":1,\"a\":2,\"z\":3}"),
            "{\n  \"z\": 3,\n  \"b\": 1,\n  \"a\": 2\n}\n"
        );
        assert_eq!(
            of(&[], "\"é\u{7f}😀/\\u0001\""),
            "\"\\u00e9\\u007f\\ud83d\\ude00/\\u0001\"\n"
        );
        assert_eq!(of(&["--no-ensure-ascii"], "\"\\u00e9\""), "\"é\"\n");
        assert_eq!(of(&["--no-ensure-ascii"], "\"\\ud800\""), "broken");
        assert_eq!(of(&[], "\"\\ud800\""), "\"\\ud800\"\n");
        assert_eq!(of(&[], "{\"a\":1,\"a\":0}"), "{\n  \"a\": 1\n}\n");
        assert_eq!(of(&[], "{\"a\":{},\"a\":{\"b\":1}}"), "broken");
        assert_eq!(of(&[], "[\r\n  1\r\n]\r\n"), "clean");
        assert_eq!(of(&[], "[1,]"), "broken");
    }

    #[test]
    fn numbers_have_their_shortest_form() {
        for (before, after) in [
            ("1.0", "1.0"),
            ("1E5", "100000.0"),
            ("1e16", "1e+16"),
            ("1e15", "1000000000000000.0"),
            ("0.0001", "0.0001"),
            ("0.00001", "1e-05"),
            ("1.50", "1.5"),
            ("-0", "0"),
            ("-0.0", "-0.0"),
            ("1e999", "Infinity"),
            ("NaN", "NaN"),
            (
                "123456789012345678901234567890",
                "123456789012345678901234567890",
            ),
            ("1.5e-7", "1.5e-07"),
        ] {
            let written = of(&[], before);
            let written = if written == "clean" {
                before.to_owned()
            } else {
                written.trim_end().to_owned()
            };
            assert_eq!(written, after, "{before}");
        }
    }
}
