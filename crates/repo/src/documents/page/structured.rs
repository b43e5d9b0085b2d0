//! reStructuredText, read by its lines: a parser of its own is not worth it for what a page claims.

use super::{Reader, State};

impl Reader<'_> {
    /// reStructuredText: headings by their underlines, literal blocks, code in running text.
    pub(super) fn structured(&mut self) {
        let mut index = 0;
        let mut block: Option<(usize, String, usize)> = None;
        let mut language = String::new();
        while index < self.lines.len() {
            let line = self.line(index);
            let indent = line.len() - line.trim_start().len();
            if let Some((_, text, outer)) = &mut block {
                if line.trim().is_empty() || indent > *outer {
                    text.push_str(line);
                    text.push('\n');
                    self.mark(index, index);
                    index += 1;
                    continue;
                }
                if let Some((first, text, _)) = block.take() {
                    self.block(&language, first, &dedent(&text));
                }
            }
            let trimmed = line.trim();
            if let Some(named) = trimmed.strip_prefix(".. code") {
                language = named
                    .rsplit("::")
                    .next()
                    .unwrap_or_default()
                    .trim()
                    .to_ascii_lowercase();
                block = Some((index + 1, String::new(), indent));
            } else if trimmed.ends_with("::") && !trimmed.starts_with("..") {
                language.clear();
                block = Some((index + 1, String::new(), indent));
            } else if trimmed.len() >= 3
                && trimmed
                    .bytes()
                    .all(|b| Some(b) == trimmed.bytes().next() && b.is_ascii_punctuation())
                && index > 0
                && !self.line(index - 1).trim().is_empty()
            {
                let text = self.line(index - 1).trim().to_owned();
                let level = u8::from(!self.page.headings.is_empty()) + 1;
                self.heading(index - 1, level, &text);
            } else {
                let state = State::default();
                for (nth, piece) in line.split("``").enumerate() {
                    if nth % 2 == 1 {
                        self.code_span(&state, index, piece);
                    }
                }
            }
            index += 1;
        }
        if let Some((first, text, _)) = block {
            self.block(&language, first, &dedent(&text));
        }
    }
}

/// Takes the common indentation off a block, its line count kept.
fn dedent(text: &str) -> String {
    let least = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| line.len() - line.trim_start().len())
        .min()
        .unwrap_or(0);
    let lines: Vec<&str> = text
        .lines()
        .map(|line| line.get(least..).unwrap_or_default())
        .collect();
    lines.join("\n")
}
