//! INI files (`setup.cfg`, `tox.ini`, `pytest.ini`, `.coveragerc`, systemd units, git's config) with lines.
//!
//! As Python's reader: `[section]`, `key = value` or `key: value`, indented lines continue a value, `#` and
//! `;` at the start of a line are comments. Nothing is put in for `%(…)s`.

use super::data::{At, TextAt};

/// Most lines that are read.
const MAX_LINES: usize = 20_000;

/// One file.
#[derive(Clone, Debug, Default)]
pub struct Ini {
    /// Its sections, in the sequence of the file.
    pub sections: Vec<Section>,
}

/// One section.
#[derive(Clone, Debug)]
pub struct Section {
    /// Its name, as written.
    pub name: Box<str>,
    /// Its line.
    pub line: u32,
    /// Its values.
    pub entries: Vec<Entry>,
}

/// One value.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its name in small letters.
    pub key: Box<str>,
    /// Line of its name.
    pub line: u32,
    /// Its value; continued lines joined by line ends.
    pub value: Box<str>,
}

impl Entry {
    /// Returns the lines of the value that are not empty, without comments.
    pub fn lines(&self) -> Vec<TextAt> {
        (self.line..)
            .zip(self.value.split('\n'))
            .filter_map(|(line, text)| {
                let text = text.split(" #").next().unwrap_or(text).trim();
                (!text.is_empty() && !text.starts_with('#')).then(|| At::new(line, text.into()))
            })
            .collect()
    }

    /// Returns the words of the value, separated by blanks, line ends or commas.
    pub fn words(&self) -> Vec<TextAt> {
        self.lines()
            .iter()
            .flat_map(|line| {
                let words = line
                    .value
                    .split([' ', '\t', ','])
                    .filter(|word| !word.is_empty());
                words
                    .map(|word| At::new(line.line, word.into()))
                    .collect::<Vec<_>>()
            })
            .collect()
    }
}

impl Ini {
    /// Reads a file.
    pub fn parse(text: &str) -> Self {
        let mut ini = Self::default();
        let mut blank = 0;
        for (line, written) in (1_u32..).zip(text.lines()).take(MAX_LINES) {
            let trimmed = written.trim();
            if trimmed.is_empty() {
                blank += 1;
                continue;
            }
            let is_comment = trimmed.starts_with(['#', ';']);
            let is_continued = written.starts_with([' ', '\t']);
            let entry = ini
                .sections
                .last_mut()
                .and_then(|section| section.entries.last_mut());
            match entry {
                Some(entry) if is_continued => {
                    let mut value = String::from(std::mem::take(&mut entry.value));
                    value.extend(std::iter::repeat_n('\n', blank + 1));
                    value.push_str(trimmed);
                    entry.value = value.into();
                }
                _ if is_comment => {
                    blank += 1;
                    continue;
                }
                _ => ini.take(line, trimmed),
            }
            blank = 0;
        }
        ini
    }

    fn take(&mut self, line: u32, text: &str) {
        if let Some(name) = text
            .strip_prefix('[')
            .and_then(|rest| rest.split(']').next())
        {
            self.sections.push(Section {
                name: name.trim().into(),
                line,
                entries: Vec::new(),
            });
            return;
        }
        let Some(section) = self.sections.last_mut() else {
            return;
        };
        let (key, value) = text
            .find(['=', ':'])
            .map_or((text, ""), |at| (&text[..at], &text[at + 1..]));
        section.entries.push(Entry {
            key: key.trim().to_lowercase().into(),
            line,
            value: value.trim().into(),
        });
    }

    /// Returns the first section of a name.
    pub fn section(&self, name: &str) -> Option<&Section> {
        self.sections
            .iter()
            .find(|section| section.name.as_ref() == name)
    }

    /// Returns the last value of a name, over all sections of that name.
    pub fn get(&self, section: &str, key: &str) -> Option<&Entry> {
        self.sections
            .iter()
            .filter(|known| known.name.as_ref() == section)
            .flat_map(|section| &section.entries)
            .rfind(|entry| entry.key.as_ref() == key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_go_on_in_indented_lines_and_know_their_lines() {
        let ini = Ini::parse(
            "# c\n[a]\nk = v\nlist =\n    one\n\n    # no\n    two, three\nother: x\n[core]\n\thooksPath = h\n",
        );
        assert_eq!(ini.get("a", "k").unwrap().value.as_ref(), "v");
        let words: Vec<(u32, String)> = ini
            .get("a", "list")
            .unwrap()
            .words()
            .iter()
            .map(|word| (word.line, word.value.to_string()))
            .collect();
        assert_eq!(
            words,
            [
                (5, "one".to_owned()),
                (8, "two".to_owned()),
                (8, "three".to_owned())
            ]
        );
        assert_eq!(ini.get("a", "other").unwrap().line, 9);
        assert_eq!(ini.get("core", "hookspath").unwrap().value.as_ref(), "h");
    }
}
