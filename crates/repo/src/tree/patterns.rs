//! Where an ignore pattern stands: the last line of its file with that text is the one that counts.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tradewind_host::files;

use super::IgnorePattern;

/// Ignore files longer than this are not searched for the line.
const MAX_BYTES: u64 = 1024 * 1024;

/// Finds the line of each pattern, in the same order.
pub(super) fn locate(
    top: &Path,
    patterns: &[(Option<PathBuf>, String)],
) -> Vec<Arc<IgnorePattern>> {
    let mut lines: HashMap<&Path, HashMap<String, u32>> = HashMap::new();
    let found = patterns.iter().map(|(file, pattern)| {
        let line = file.as_deref().and_then(|file| {
            let lines = lines.entry(file).or_insert_with(|| numbered(file));
            lines.get(pattern.as_str()).copied()
        });
        let inside = file.as_deref().and_then(|file| file.strip_prefix(top).ok());
        Arc::new(IgnorePattern {
            file: inside.map(files::to_slash),
            line: line.unwrap_or(1),
            pattern: pattern.clone(),
        })
    });
    found.collect()
}

fn numbered(file: &Path) -> HashMap<String, u32> {
    lines(&files::read_bounded(file, MAX_BYTES).unwrap_or_default())
}

/// Takes an ignore file apart.
#[cfg(any(test, feature = "fuzz"))]
pub(super) fn fuzz(bytes: &[u8]) {
    let _ = lines(bytes).into_values().max();
}

fn lines(bytes: &[u8]) -> HashMap<String, u32> {
    let text = String::from_utf8_lossy(bytes);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    (1..)
        .zip(text.lines())
        .map(|(number, line)| {
            let line = if line.ends_with("\\ ") {
                line
            } else {
                line.trim_end()
            };
            (line.to_owned(), number)
        })
        .collect()
}
