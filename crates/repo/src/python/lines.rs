//! Where lines of a text begin, as Python counts them: `\n`, `\r\n` and a lone `\r` end a line; a form
//! feed does not.

use ruff_text_size::TextSize;

/// Where lines begin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lines {
    // Invariant: begins with 0, ascending.
    starts: Vec<u32>,
}

impl Lines {
    /// Finds the lines of a text.
    pub(crate) fn of(text: &str) -> Self {
        let bytes = text.as_bytes();
        let mut starts = Vec::with_capacity(bytes.len() / 32 + 1);
        starts.push(0);
        for (at, byte) in bytes.iter().enumerate() {
            let ends = match byte {
                b'\n' => true,
                b'\r' => bytes.get(at + 1) != Some(&b'\n'),
                _ => false,
            };
            if ends {
                starts.push(u32::try_from(at + 1).unwrap_or(u32::MAX));
            }
        }
        Self { starts }
    }

    /// Returns the line of an offset; the first is 1.
    pub(crate) fn line(&self, offset: TextSize) -> u32 {
        let offset = u32::from(offset);
        let line = self.starts.partition_point(|start| *start <= offset);
        u32::try_from(line.max(1)).unwrap_or(u32::MAX)
    }

    /// Returns where a line begins.
    pub(crate) fn start(&self, line: u32) -> Option<usize> {
        let start = self.starts.get((line as usize).checked_sub(1)?)?;
        Some(*start as usize)
    }

    /// Returns how many lines `text` has; one that ends with a line end has no empty line after it.
    pub(crate) fn count(&self, text: &str) -> u32 {
        let last = self.starts.last().copied().unwrap_or_default();
        let open = (last as usize) < text.len();
        u32::try_from(self.starts.len() - usize::from(!open)).unwrap_or(u32::MAX)
    }

    /// Returns the text of a line without its end; empty where there is no such line.
    pub(crate) fn text<'t>(&self, text: &'t str, line: u32) -> &'t str {
        let Some(start) = self.start(line) else {
            return "";
        };
        let end = self.start(line + 1).unwrap_or(text.len());
        text.get(start..end)
            .unwrap_or_default()
            .trim_end_matches(['\n', '\r'])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_line_end_counts_once() {
        let text = "a\r\nb\rc\nd\x0ce";
        let lines = Lines::of(text);
        assert_eq!(lines.count(text), 4);
        assert_eq!(lines.text(text, 2), "b");
        assert_eq!(lines.text(text, 4), "d\x0ce");
        assert_eq!(lines.text(text, 5), "");
        assert_eq!(lines.line(TextSize::from(3)), 2);
        assert_eq!(Lines::of("").count(""), 0);
        assert_eq!(Lines::of("a\n").count("a\n"), 1);
    }
}
