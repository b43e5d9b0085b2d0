//! Mappings: how the rows of an answer are picked, in the language of jq.
//!
//! Why jq: providers send lists, columns and objects keyed by time, and a sentence of jq turns each of
//! them into rows, so that a thirteenth provider is one file. Why every number is text in here: what
//! never was a float cannot lose a digit, and a mapping that would count with prices fails loudly.
//! A mapping has a fixed, small vocabulary: it reads no clock, no file and no environment.
//! Not here: what a row means (the room `market`), and mappings of strangers: jq can run for ever, so
//! whoever runs one that was not reviewed must be able to kill it.

mod exact;

use std::fmt;

use jaq_core::data::JustLut;
use jaq_core::load::{Arena, File, Loader};
use jaq_core::{Ctx, Vars, unwrap_valr};
use jaq_json::Val;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::pointer::Pointer;

pub use exact::{MAX_BYTES, MAX_DEPTH, MAX_VALUES};

/// Upper bound on the rows that a mapping gives.
pub const MAX_ROWS: usize = 200_000;
/// Upper bound on a mapping's text, in bytes.
const MAX_TEXT_BYTES: usize = 1_024;
/// Stack of the thread that compiles. The compiler recurses, and a stack that ends takes the process with it;
/// the deepest text that fits into the bound needs a quarter of this without optimisation.
const STACK_BYTES: usize = 64 * 1024 * 1024;

/// What mappings may use beside jq's syntax.
const DEFINITIONS: &str = "def empty: {}[] as $x | .;
def true: 0 == 0;
def false: 0 != 0;
def null: [][0];
def not: if . then false else true end;
def select(f): if f then . else empty end;
def map(f): [.[] | f];
def range(to): range(0; to; 1);
def to_entries: [key_values[] as [$key, $value] | { $key, $value }];";

/// Built-in functions of jaq that mappings may use.
const FUNCTIONS: &[&str] = &[
    "key_values",
    "range",
    "first",
    "last",
    "limit",
    "skip",
    "length",
    "has",
    "startswith",
    "endswith",
    "ltrimstr",
    "rtrimstr",
    "ascii_downcase",
    "ascii_upcase",
    "split",
    "reverse",
];

/// The text of a mapping.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Mapping(String);

/// A mapping that has been compiled.
pub struct Program {
    filter: jaq_core::Filter<JustLut<Val>>,
}

/// An answer that has been read: every number as it was written.
#[derive(Clone, Debug)]
pub struct Body(Val);

/// What stands in a field of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// Nothing, or `null`.
    Nothing,
    /// Yes or no.
    Truth(bool),
    /// A text, or a number as it was written.
    Text(String),
    /// A list of texts.
    List(Vec<String>),
}

/// Why a mapping is none, or gives no rows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MappingError {
    /// The text is no program.
    #[error("the mapping is no jq that can be used here: {0}")]
    Syntax(String),
    /// The answer does not have the form that the mapping expects.
    #[error("the answer has another form than its mapping expects")]
    Form,
    /// The mapping gave something that is no row.
    #[error("the mapping gives something else than rows: {0}")]
    NoRow(&'static str),
    /// There are too many rows.
    #[error("the answer has more than {MAX_ROWS} rows")]
    TooManyRows,
}

/// Why a body is no answer in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BodyError {
    /// It is too long.
    #[error("the answer has more than {MAX_BYTES} bytes")]
    TooLong,
    /// It has too many values.
    #[error("the answer has more than {MAX_VALUES} values")]
    TooMany,
    /// It is nested too deep.
    #[error("the answer is nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// It is not UTF-8.
    #[error("the answer is not UTF-8 from byte {0} on")]
    Charset(usize),
    /// It ends too early.
    #[error("the answer ends before it is complete")]
    Truncated,
    /// It is something else.
    #[error("the answer is not JSON from byte {0} on")]
    NotJson(usize),
}

impl Mapping {
    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Compiles it. `variables` are the names that it may use with a `$`, in sequence.
    ///
    /// # Errors
    /// [`MappingError::Syntax`].
    pub fn compile(&self, variables: &[&str]) -> Result<Program, MappingError> {
        if self.0.len() > MAX_TEXT_BYTES {
            let message = format!("it has more than {MAX_TEXT_BYTES} bytes");
            return Err(MappingError::Syntax(message));
        }
        let compiled = std::thread::scope(|scope| {
            let deep = std::thread::Builder::new().stack_size(STACK_BYTES);
            let compiler = deep.spawn_scoped(scope, || compile(&self.0, variables));
            compiler.ok().and_then(|compiler| compiler.join().ok())
        });
        compiled.unwrap_or_else(|| {
            let message = "its compiler could not be started, or ended early".to_owned();
            Err(MappingError::Syntax(message))
        })
    }
}

fn compile(text: &str, variables: &[&str]) -> Result<Program, MappingError> {
    let definitions = jaq_core::load::parse(DEFINITIONS, |parser| parser.defs());
    let functions = jaq_core::funs::<JustLut<Val>>()
        .chain(jaq_std::base_funs())
        .chain(jaq_json::funs())
        .filter(|(name, ..)| FUNCTIONS.contains(name));
    let arena = Arena::default();
    let file = File {
        code: text,
        path: (),
    };
    let modules = Loader::new(definitions.unwrap_or_default())
        .load(&arena, file)
        .map_err(|errors| MappingError::Syntax(syntax(&errors)))?;
    let names: Vec<String> = variables.iter().map(|name| format!("${name}")).collect();
    let filter = jaq_core::Compiler::default()
        .with_funs(functions)
        .with_global_vars(names.iter().map(String::as_str))
        .compile(modules)
        .map_err(|errors| MappingError::Syntax(undefined(&errors)))?;
    Ok(Program { filter })
}

impl From<&str> for Mapping {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

fn syntax(errors: &jaq_core::load::Errors<&str, ()>) -> String {
    let place = |rest: &str| {
        let rest: String = rest.chars().take(30).collect();
        format!("it cannot be read at {rest:?}")
    };
    errors
        .iter()
        .find_map(|(_, error)| match error {
            jaq_core::load::Error::Io(_) => Some("it names other files".to_owned()),
            jaq_core::load::Error::Lex(errors) => errors.first().map(|(_, rest)| place(rest)),
            jaq_core::load::Error::Parse(errors) => errors.first().map(|(_, rest)| place(rest)),
        })
        .unwrap_or_default()
}

fn undefined(errors: &jaq_core::compile::Errors<&str, ()>) -> String {
    errors
        .iter()
        .flat_map(|(_, errors)| errors)
        .next()
        .map(|(name, what)| format!("there is no {} {name:?}", what.as_str()))
        .unwrap_or_default()
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Program")
    }
}

impl Program {
    /// Runs it: for each row what stands in each of `fields`, in the sequence of the answer.
    ///
    /// # Errors
    /// [`MappingError`] but for `Syntax`.
    pub fn rows(
        &self,
        body: &Body,
        values: &[&str],
        fields: &[&str],
    ) -> Result<Vec<Vec<Cell>>, MappingError> {
        let values = values.iter().map(|value| text(value));
        let ctx = Ctx::<JustLut<Val>>::new(&self.filter.lut, Vars::new(values));
        let mut rows = Vec::new();
        for row in self.filter.id.run((ctx, body.0.clone())).map(unwrap_valr) {
            // What jaq says repeats the value, which is a stranger's text.
            let Ok(row) = row else {
                return Err(MappingError::Form);
            };
            if rows.len() >= MAX_ROWS {
                return Err(MappingError::TooManyRows);
            }
            rows.push(cells(&row, fields)?);
        }
        Ok(rows)
    }
}

fn cells(row: &Val, fields: &[&str]) -> Result<Vec<Cell>, MappingError> {
    let Val::Obj(members) = row else {
        return Err(MappingError::NoRow("a row is an object"));
    };
    let mut cells = vec![Cell::Nothing; fields.len()];
    for (name, value) in members.iter() {
        let place = plain(name).and_then(|name| fields.iter().position(|field| *field == name));
        let Some(cell) = place.and_then(|place| cells.get_mut(place)) else {
            return Err(MappingError::NoRow("a row has an unknown field"));
        };
        *cell = Cell::of(value).ok_or(MappingError::NoRow("a field is no plain value"))?;
    }
    Ok(cells)
}

impl Cell {
    fn of(value: &Val) -> Option<Self> {
        Some(match value {
            Val::Null => Self::Nothing,
            Val::Bool(truth) => Self::Truth(*truth),
            Val::TStr(_) => Self::Text(plain(value)?),
            Val::Arr(items) => Self::List(items.iter().map(plain).collect::<Option<_>>()?),
            // No number comes from an answer, so one that is here was made by the mapping.
            Val::Num(_) | Val::BStr(_) | Val::Obj(_) => return None,
        })
    }

    /// Returns the text, where there is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Nothing | Self::Truth(_) | Self::List(_) => None,
        }
    }
}

fn text(text: &str) -> Val {
    Val::utf8_str(text.to_owned())
}

fn plain(value: &Val) -> Option<String> {
    match value {
        Val::TStr(bytes) => String::from_utf8(bytes.to_vec()).ok(),
        Val::Null | Val::Bool(_) | Val::Num(_) | Val::BStr(_) | Val::Arr(_) | Val::Obj(_) => None,
    }
}

impl Body {
    /// Reads an answer: JSON of RFC 8259, bounded in bytes, depth and values.
    ///
    /// # Errors
    /// [`BodyError`].
    pub fn read(bytes: &[u8]) -> Result<Self, BodyError> {
        exact::read(bytes).map(Self)
    }

    /// Returns the first plain value at that place.
    pub fn text_at(&self, place: &Pointer) -> Option<String> {
        plain(self.at(place)?)
    }

    /// Tells whether something stands at that place, be it `null`.
    pub fn has(&self, place: &Pointer) -> bool {
        self.at(place).is_some()
    }

    /// Tells whether nothing, `null` or an empty list or object stands at that place.
    pub fn is_empty_at(&self, place: &Pointer) -> bool {
        match self.at(place) {
            None | Some(Val::Null) => true,
            Some(Val::Arr(items)) => items.is_empty(),
            Some(Val::Obj(members)) => members.is_empty(),
            Some(Val::Bool(_) | Val::Num(_) | Val::BStr(_) | Val::TStr(_)) => false,
        }
    }

    /// Tells whether the whole is an object.
    pub fn is_object(&self) -> bool {
        matches!(self.0, Val::Obj(_))
    }

    /// Tells whether the whole is a list.
    pub fn is_array(&self) -> bool {
        matches!(self.0, Val::Arr(_))
    }

    fn at(&self, place: &Pointer) -> Option<&Val> {
        descend(&self.0, &place.steps())
    }
}

fn descend<'v>(value: &'v Val, steps: &[String]) -> Option<&'v Val> {
    let Some((step, rest)) = steps.split_first() else {
        return Some(value);
    };
    match value {
        Val::Obj(members) if step.contains('*') => members
            .iter()
            .filter(|(key, _)| plain(key).is_some_and(|key| Pointer::is_like(step, &key)))
            .find_map(|(_, member)| descend(member, rest)),
        Val::Obj(members) => descend(members.get(&text(step))?, rest),
        Val::Arr(items) if step == "*" => items.iter().find_map(|item| descend(item, rest)),
        Val::Arr(items) => descend(items.get(step.parse::<usize>().ok()?)?, rest),
        Val::Null | Val::Bool(_) | Val::Num(_) | Val::BStr(_) | Val::TStr(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(mapping: &str, body: &str) -> Result<Vec<Vec<Cell>>, MappingError> {
        let program = Mapping::from(mapping).compile(&["symbol"])?;
        program.rows(
            &Body::read(body.as_bytes()).unwrap(),
            &["A"],
            &["at", "open"],
        )
    }

    fn cell(text: &str) -> Cell {
        Cell::Text(text.to_owned())
    }

    #[test]
    fn lists_columns_and_keyed_objects_become_rows() {
        let wanted = Ok(vec![
            vec![cell("1"), cell("2.50")],
            vec![cell("3"), Cell::Nothing],
        ]);
        let list = "{\"A\":[[1,2.50],[3,null]]}";
        assert_eq!(rows(".[$symbol][] | {at: .[0], open: .[1]}", list), wanted);
        let columns = "{\"t\":[1,3],\"o\":[2.50,null]}";
        let mapping = "range(.t | length) as $i | {at: .t[$i], open: .o[$i]}";
        assert_eq!(rows(mapping, columns), wanted);
        let keyed = "{\"1\":{\"o\":\"2.50\"},\"3\":{}}";
        assert_eq!(
            rows("to_entries[] | {at: .key, open: .value.o}", keyed),
            wanted
        );
    }

    #[test]
    fn what_reaches_outside_is_not_there() {
        for mapping in [
            "now",
            "env",
            "$ENV",
            "input",
            "debug",
            "halt(1)",
            "$__prog_args",
            "import \"a\" as a; .",
            "tonumber",
        ] {
            let error = Mapping::from(mapping).compile(&["symbol"]).unwrap_err();
            assert!(matches!(error, MappingError::Syntax(_)), "{mapping}");
        }
    }

    /// The compiler recurses, and a stack that ends takes the process with it.
    #[test]
    fn no_text_ends_the_stack() {
        let mut refused = 0;
        for (open, close) in [
            ("(", ")"),
            ("[", "]"),
            ("{a:", "}"),
            (".[", "]"),
            (". as [", "] | ."),
            ("\"\\(", ")\""),
            ("-", ""),
            (".|", ""),
            (". as $x|", ""),
            ("if ", ""),
            ("if . then ", " else . end"),
            ("reduce . as $x (.;", ")"),
            ("def f: ", ""),
            ("def f: .; ", ""),
            (".a", ""),
            (".[]", ""),
            ("?", ""),
            ("map(", ")"),
            (".+", ""),
            (".//", ""),
            (",.", ""),
            ("try ", ""),
            ("label $x|", ""),
            (".=", ""),
            ("not|", ""),
            ("#\n", ""),
            ("@text \"\\(", ")\""),
        ] {
            let half = MAX_TEXT_BYTES / (open.len() + close.len());
            for text in [
                format!("{}.{}", open.repeat(half - 1), close.repeat(half - 1)),
                open.repeat(MAX_TEXT_BYTES / open.len()),
            ] {
                refused += usize::from(Mapping(text).compile(&["symbol"]).is_err());
            }
        }
        assert!(refused > 20, "{refused}");
    }

    #[test]
    fn a_number_that_the_mapping_made_is_no_field() {
        let error = rows("{at: 1, open: 2}", "{}").unwrap_err();
        assert_eq!(error, MappingError::NoRow("a field is no plain value"));
    }

    #[test]
    fn an_answer_of_another_form_is_an_error_and_not_empty() {
        assert_eq!(rows(".[] | {at: .t}", "7").unwrap_err(), MappingError::Form);
        assert_eq!(
            rows("{time: .t}", "{}").unwrap_err(),
            MappingError::NoRow("a row has an unknown field")
        );
    }
}
