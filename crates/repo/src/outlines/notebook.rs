//! Jupyter notebooks: their code cells as one Python file, and where each line of it stands.
//!
//! Magics and shell lines become `pass`, so that lines stay; what they say is kept beside. Outputs are skipped
//! while reading, they may be large. Notebooks of other languages are none here.

use std::borrow::Cow;

use serde::Deserialize;

use crate::python::SourceFile;

/// A notebook's code.
#[derive(Debug)]
pub struct Notebook {
    /// Its code cells, one after another, parsed as one file.
    pub source: SourceFile,
    /// The code cells.
    pub cells: Vec<Cell>,
    /// Shell lines (`!pip install x`) and magics (`%run other.ipynb`), with their line in the source.
    pub commands: Vec<(u32, Box<str>)>,
}

/// One code cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// Its place among all cells; the first is 1.
    pub number: u32,
    /// Its first line in the source.
    pub first_line: u32,
    /// Its lines.
    pub lines: u32,
}

#[derive(Deserialize)]
struct Document<'a> {
    #[serde(borrow, default)]
    cells: Vec<RawCell<'a>>,
    #[serde(default)]
    metadata: Metadata,
}

#[derive(Deserialize)]
struct RawCell<'a> {
    #[serde(borrow, default)]
    cell_type: Cow<'a, str>,
    #[serde(default)]
    source: Lines,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Lines {
    One(String),
    Many(Vec<String>),
}

impl Default for Lines {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

#[derive(Default, Deserialize)]
struct Metadata {
    #[serde(default)]
    kernelspec: Language,
    #[serde(default)]
    language_info: Language,
}

#[derive(Default, Deserialize)]
struct Language {
    #[serde(default)]
    language: Option<String>,
    #[serde(default)]
    name: Option<String>,
}

impl Notebook {
    /// Reads a notebook; `None` for what is none, or is none of Python.
    pub fn read(path: &str, text: &str) -> Option<Self> {
        // A list would be taken for the fields in their sequence.
        if !text.trim_start().starts_with('{') {
            return None;
        }
        let document: Document<'_> = serde_json::from_str(text).ok()?;
        let language = [
            document.metadata.kernelspec.language,
            document.metadata.language_info.name,
        ];
        let is_other = language
            .iter()
            .flatten()
            .any(|name| !name.to_ascii_lowercase().contains("python"));
        if is_other {
            return None;
        }
        let mut code = String::new();
        let (mut cells, mut commands) = (Vec::new(), Vec::new());
        let mut line = 1_u32;
        for (number, cell) in (1..).zip(&document.cells) {
            if cell.cell_type != "code" {
                continue;
            }
            let source = match &cell.source {
                Lines::One(text) => Cow::Borrowed(text.as_str()),
                Lines::Many(lines) => Cow::Owned(lines.concat()),
            };
            let first_line = line;
            let is_foreign = is_foreign_cell(&source);
            for written in source.lines() {
                if is_foreign {
                    code.push_str("pass");
                } else {
                    code.push_str(&plain(written));
                }
                if let Some(command) = command(written) {
                    commands.push((line, command.into()));
                }
                code.push('\n');
                line += 1;
            }
            cells.push(Cell {
                number,
                first_line,
                lines: line - first_line,
            });
        }
        Some(Self {
            source: SourceFile::parse(path, code),
            cells,
            commands,
        })
    }

    /// Returns the cell of a line of the source, and the line in it; the first is 1.
    pub fn place(&self, line: u32) -> Option<(u32, u32)> {
        let after = self.cells.partition_point(|cell| cell.first_line <= line);
        let cell = self.cells[..after]
            .iter()
            .rev()
            .find(|cell| cell.lines > 0)?;
        let within = line - cell.first_line;
        (within < cell.lines).then_some((cell.number, within + 1))
    }
}

/// Says whether a cell is not Python: `%%bash`, `%%html`.
fn is_foreign_cell(source: &str) -> bool {
    let first = source.trim_start().lines().next().unwrap_or_default();
    first.strip_prefix("%%").is_some_and(|rest| {
        let name = rest.split_whitespace().next().unwrap_or_default();
        !matches!(
            name,
            "time" | "timeit" | "capture" | "prun" | "memit" | "python" | "python3" | "py3"
        )
    })
}

/// Returns a line as Python. Lines keep their indentation.
fn plain(line: &str) -> Cow<'_, str> {
    let inner = line.trim_start();
    let blank = &line[..line.len() - inner.len()];
    if inner.starts_with(['%', '!', '?']) {
        return Cow::Owned(format!("{blank}pass"));
    }
    // `files = !ls`
    if let Some((target, value)) = inner.split_once('=')
        && value.trim_start().starts_with(['!', '%'])
        && !target.is_empty()
        && target
            .trim_end()
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | ','))
    {
        return Cow::Owned(format!("{blank}{target}= None"));
    }
    let asks = inner
        .trim_end()
        .strip_suffix('?')
        .map(|name| name.trim_end_matches('?'));
    let is_help = asks.is_some_and(|name| {
        !name.is_empty()
            && name
                .chars()
                .all(|c| c.is_alphanumeric() || matches!(c, '_' | '.'))
    });
    if is_help {
        return Cow::Owned(format!("{blank}pass"));
    }
    Cow::Borrowed(line)
}

/// Returns what a shell line or a magic says.
fn command(line: &str) -> Option<&str> {
    let inner = line.trim();
    let inner = match inner.split_once('=') {
        Some((_, value)) if value.trim_start().starts_with('!') => value.trim_start(),
        _ => inner,
    };
    (inner.len() > 1 && inner.len() <= 2_000 && inner.starts_with(['!', '%'])).then_some(inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_lead_to_cells() {
        let text = r##"{"cells": [
          {"cell_type": "markdown", "source": ["# Title\n"]},
          {"cell_type": "code", "source": ["%matplotlib inline\n", "import pandas as pd\n", "!pip install x"], "outputs": [{"a": 1}]},
          {"cell_type": "code", "source": "%%bash\nrm -rf x\n"},
          {"cell_type": "code", "source": []},
          {"cell_type": "code", "source": "if pd:\n    files = !ls\n    pd.read_csv('a')\npd.DataFrame?\n"}
        ], "metadata": {"kernelspec": {"name": "python3", "language": "python"}}}"##;
        let notebook = Notebook::read("a.ipynb", text).unwrap();
        let module = &notebook.source.module;
        assert!(
            module.errors.is_empty(),
            "{:?}\n{}",
            module.errors,
            notebook.source.text
        );
        let call = &module.calls[0];
        assert_eq!(call.callee.as_ref(), "pandas.read_csv");
        assert_eq!(notebook.place(call.line), Some((5, 3)));
        assert_eq!(notebook.place(1), Some((2, 1)));
        assert_eq!(notebook.place(100), None);
        assert_eq!(notebook.commands[1], (3, "!pip install x".into()));
        assert!(Notebook::read("b.ipynb", "[]").is_none());
        assert!(
            Notebook::read(
                "c.ipynb",
                r#"{"metadata": {"kernelspec": {"language": "R"}}}"#
            )
            .is_none()
        );
    }
}
