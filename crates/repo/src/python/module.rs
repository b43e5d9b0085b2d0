//! The summary of one Python file: what other files, rules and maps may ask about it.
//!
//! It is a function of the file's bytes and path, so it is cached by blob id. Keep it small: it is held
//! for every file at once. Lines are 1-based.

use serde::{Deserialize, Serialize};

use super::lookup::Lookup;

/// The summary of one Python file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Module {
    /// Path from the root, with `/`.
    pub path: Box<str>,
    /// Lines of the file.
    pub lines: u32,
    /// What the parser could not understand.
    pub errors: Vec<SyntaxError>,
    /// Imports, at any depth.
    pub imports: Vec<Import>,
    /// Functions and methods, at any depth, in the order of the file.
    pub functions: Vec<Function>,
    /// Classes, at any depth.
    pub classes: Vec<Class>,
    /// Assignments in modules and classes, and to attributes of `self`, by line. Complete for modules and
    /// classes: whatever else binds a name there (a loop, `with`, unpacking) stands here with [`Value::Other`].
    pub assignments: Vec<Assignment>,
    /// Calls, at any depth.
    pub calls: Vec<Call>,
    /// Literals that may name something: paths, addresses, variables, log texts.
    pub texts: Vec<Text>,
    /// Dotted names that are read and begin with an imported name: `requests.get`, `np.nan`.
    pub names: Vec<Name>,
    /// Names in `__all__`, where it is a plain list.
    pub exports: Option<Vec<Box<str>>>,
    /// Line of `if __name__ == "__main__":`.
    pub main_guard: Option<u32>,
    /// Whether statements at module level do something beyond defining (a call, a loop, a print).
    pub has_top_level_effects: bool,
    /// Whether names are made at run time (`globals()[…]`, `exec`, `__getattr__`, `import *` from what
    /// is not here), so that "does not define" cannot be said.
    pub is_dynamic: bool,
    /// The first comment lines (at most 20) before any statement, with their lines.
    pub header: Vec<(u32, Box<str>)>,
    /// First line of the docstring.
    pub docstring: Option<Box<str>>,
    /// Every name that the module binds at its top level, in whatever way (also by `global` in a function),
    /// sorted by name.
    pub bound: Vec<Bound>,
    /// Names of the top level that functions bind for themselves, sorted: there, the other one is meant.
    pub shadows: Vec<Shadow>,
    /// Names that are read and that neither the file nor Python binds, sorted by line; names that `*` may
    /// bring are among them.
    pub unbound: Vec<Unbound>,
    /// Changes of `sys.path`, at any depth.
    pub path_edits: Vec<PathEdit>,
    #[serde(skip)]
    pub(crate) lookup: Lookup,
}

impl Module {
    /// Gives back what the lists were grown by: thousands of these are held at once.
    pub(crate) fn shrink(&mut self) {
        self.imports.shrink_to_fit();
        self.functions.shrink_to_fit();
        self.classes.shrink_to_fit();
        self.assignments.shrink_to_fit();
        self.calls.shrink_to_fit();
        self.texts.shrink_to_fit();
        self.names.shrink_to_fit();
        self.bound.shrink_to_fit();
    }
}

/// A name that a module binds at its top level.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bound {
    /// The name.
    pub name: Box<str>,
    /// Line where it is bound first.
    pub line: u32,
    /// How often it is bound: more than once means that what it is depends on the way taken.
    pub times: u32,
}

/// A name of the top level that a function binds for itself, as a parameter or in any other way.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Shadow {
    /// The function: index into [`Module::functions`].
    pub function: u32,
    /// The name.
    pub name: Box<str>,
}

/// A name that is read and bound nowhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unbound {
    /// Line.
    pub line: u32,
    /// The name.
    pub name: Box<str>,
    /// The function it stands in.
    pub scope: ScopeId,
    /// Line of the `except` that swallows the `NameError`: bare, or for `Exception`.
    pub swallowed_at: Option<u32>,
}

/// One change of `sys.path`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathEdit {
    /// Line.
    pub line: u32,
    /// What is put on it.
    pub folder: EditFolder,
}

/// What a change of `sys.path` puts on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EditFolder {
    /// A folder told from where the file lies.
    FromFile {
        /// Levels above the file's own folder.
        up: u32,
        /// What follows from there, with `/`; empty for none.
        tail: Box<str>,
    },
    /// A folder told from where the program was started.
    FromStart {
        /// Path from there, with `/`, `..` possible.
        tail: Box<str>,
    },
    /// An absolute path, which is not a part of the repository.
    Absolute,
    /// What cannot be computed without running it.
    Unknown,
}

/// Something the parser could not understand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyntaxError {
    /// Line.
    pub line: u32,
    /// What is wrong, in the parser's words.
    pub message: Box<str>,
}

/// Where in the nesting of functions and classes something stands: `None` at module level, otherwise
/// an index into [`Module::functions`].
pub type ScopeId = Option<u32>;

/// One imported name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Import {
    /// Line.
    pub line: u32,
    /// Dots before the module: 0 absolute, 1 this package.
    pub level: u8,
    /// The module as written: `a.b` in `import a.b` and in `from a.b import c`; may be empty after dots.
    pub module: Box<str>,
    /// The name taken out of it: `c` in `from a.b import c`, `*` for all; `None` for `import a.b`.
    pub name: Option<Box<str>>,
    /// What it is called here: `x` in `… as x`, else `c`, or `a` for `import a.b`.
    pub bound: Box<str>,
    /// The function it stands in.
    pub scope: ScopeId,
    /// Inside `try` with a handler for `ImportError` (or wider), or in that handler: absence is expected.
    pub is_optional: bool,
    /// Inside `if TYPE_CHECKING:`.
    pub is_for_types: bool,
}

/// One function or method.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Function {
    /// Its name.
    pub name: Box<str>,
    /// Names from the module to it, with dots: `Broker.submit`, `outer.inner`.
    pub qualified: Box<str>,
    /// Line of `def`.
    pub line: u32,
    /// Last line.
    pub end_line: u32,
    /// The function around it; for a method, the one around its class.
    pub scope: ScopeId,
    /// The class it is a method of: index into [`Module::classes`].
    pub class: Option<u32>,
    /// Its parameters, with `self` where it is there.
    pub parameters: Vec<Parameter>,
    /// Decorators as dotted names, called or not: `app.route`, `staticmethod`.
    pub decorators: Vec<Box<str>>,
    /// First argument of each decorator where it is a text (`"/bars"`), in the same sequence.
    pub decorator_texts: Vec<Option<Box<str>>>,
    /// Whether it is `async def`.
    pub is_async: bool,
    /// Whether it yields.
    pub is_generator: bool,
    /// Whether its body is only `pass`, `...`, a docstring or `raise NotImplementedError`.
    pub is_stub: bool,
    /// Hash of its body with names of locals, layout and comments left out: equal for copies. 0 for
    /// bodies too small to compare (fewer than 4 statements).
    pub body_hash: u64,
    /// Statements in its body, nested ones counted.
    pub statements: u32,
}

/// One parameter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameter {
    /// Its name.
    pub name: Box<str>,
    /// How it may be given.
    pub kind: ParameterKind,
    /// Whether it may be left out.
    pub has_default: bool,
}

/// How a parameter may be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ParameterKind {
    /// Before `/`.
    PositionalOnly,
    /// By place or name.
    Either,
    /// `*args`.
    ManyPositional,
    /// After `*`.
    KeywordOnly,
    /// `**kwargs`.
    ManyKeyword,
}

/// One class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Class {
    /// Its name.
    pub name: Box<str>,
    /// Names from the module to it, with dots.
    pub qualified: Box<str>,
    /// Line.
    pub line: u32,
    /// Last line.
    pub end_line: u32,
    /// The function around it.
    pub scope: ScopeId,
    /// Bases as dotted names, resolved through the file's imports: `unittest.TestCase`.
    pub bases: Vec<Box<str>>,
    /// Decorators as dotted names, resolved likewise.
    pub decorators: Vec<Box<str>>,
}

/// Where a name is bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Binding {
    /// At module level.
    Module,
    /// In the body of this class: index into [`Module::classes`].
    Class(u32),
    /// As `self.name` in a method of this class.
    Instance(u32),
    /// Local to this function: index into [`Module::functions`]. Kept only where the value says
    /// something: not for computed values, `None`, `True` and `False`.
    Local(u32),
}

/// One assignment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Assignment {
    /// Line.
    pub line: u32,
    /// Where the name is bound.
    pub binding: Binding,
    /// The name.
    pub name: Box<str>,
    /// What is assigned.
    pub value: Value,
}

/// What an expression is, as far as rules ask.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Value {
    /// A text, cut to 300 characters.
    Text(Box<str>),
    /// A formatted or joined text (f-string, `+`, `%`, `.format`): `(true, text)` for known parts,
    /// `(false, name)` for what is put in, where the dotted name may be empty.
    Parts(Vec<(bool, Box<str>)>),
    /// A number as written.
    Number(Box<str>),
    /// `True` or `False`.
    Bool(bool),
    /// `None`.
    None,
    /// A dotted name, resolved through the file's imports: `requests.get`, `self.session`, `symbol`.
    Name(Box<str>),
    /// A call of a dotted name, resolved likewise, and its line; the call stands in [`Module::calls`].
    Call(Box<str>, u32),
    /// A list, tuple or set display, its first 50 items.
    List(Vec<Value>),
    /// A dict display, its first 50 plain keys.
    Dict(Vec<(Box<str>, Value)>),
    /// One item of what has a dotted name, by a text or number: `os.environ["KEY"]`, `row[0]`.
    Item(Box<str>, Box<str>),
    /// One of these: `a or b`, `a if c else b`.
    Either(Vec<Value>),
    /// Anything else.
    Other,
}

/// One call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// Line.
    pub line: u32,
    /// What is called, with dots, as written: `r.get`, `self.session.get`; calls in the chain are
    /// written `()`, subscripts `[]`: `Client().bars`, `rows[].get`. What begins with something without
    /// a name begins with `?`: `?.join`.
    pub written: Box<str>,
    /// The same, resolved through the file's imports and through variables that hold an object made by
    /// an imported function or class or by a class of this file; calls on the way are left out:
    /// `requests.get`, `requests.Session.get`, `requests.get.json`, `Broker.submit`. What comes by a relative
    /// import keeps its dots: `.broker.submit`. Other names of this file stay as they are.
    pub callee: Box<str>,
    /// Arguments by place, then by name.
    pub arguments: Vec<Argument>,
    /// The function it stands in.
    pub scope: ScopeId,
    /// Whether it is awaited.
    pub is_awaited: bool,
    /// Whether it stands in a loop or comprehension of its function.
    pub is_in_loop: bool,
    /// Line of the innermost `except` (or `suppress`) that catches it for `Exception`, bare or wider, in its
    /// function, and does not end by raising or leaving the program.
    pub swallowed_at: Option<u32>,
    /// The plain name that its result is assigned to.
    pub bound: Option<Box<str>>,
}

/// One argument of a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Argument {
    /// Its name; `None` by place. `*` and `**` for unpacked ones.
    pub name: Option<Box<str>>,
    /// What is given.
    pub value: Value,
}

/// One literal text that may name something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Text {
    /// Line.
    pub line: u32,
    /// The text, cut to 300 characters; for formatted texts the known parts with `{}` between.
    pub text: Box<str>,
    /// Why it was kept.
    pub role: TextRole,
    /// The function it stands in.
    pub scope: ScopeId,
}

/// Why a literal was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TextRole {
    /// Holds `://`.
    Address,
    /// Looks like a path: a `/` or `\` or a known suffix, no blank.
    Path,
    /// The name in `os.environ[…]`, `os.getenv(…)` and the like; whether there is a default or a value is
    /// demanded stands in the call or text around it.
    Variable,
    /// The name in `os.environ[…] = …`: set here, not read.
    VariableSet,
    /// A text with blanks or other content that a rule may look for (SQL, shell lines), over 8 characters.
    Words,
}

/// One dotted name that is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Name {
    /// Line of its first use.
    pub line: u32,
    /// The dotted name, resolved through the file's imports.
    pub name: Box<str>,
    /// The function of its first use.
    pub scope: ScopeId,
}
