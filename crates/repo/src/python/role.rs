//! Why a literal text is worth keeping.

use super::module::TextRole;

/// Shorter texts without a shape say nothing.
const MIN_WORDS: usize = 9;

/// Suffixes of files that are named in code.
const SUFFIXES: [&str; 46] = [
    "bat", "bin", "cfg", "conf", "crt", "css", "csv", "db", "duckdb", "env", "feather", "gz", "h5",
    "hdf5", "html", "ini", "ipynb", "jpg", "js", "json", "jsonl", "key", "lock", "log", "md",
    "npy", "npz", "onnx", "parquet", "pdf", "pem", "pickle", "pkl", "png", "ps1", "pt", "pth",
    "py", "sh", "sql", "sqlite", "toml", "tsv", "txt", "yaml", "yml",
];

/// Says why a text is kept; `None` where it is not.
pub(crate) fn role(text: &str) -> Option<TextRole> {
    if text.contains("://") {
        return Some(TextRole::Address);
    }
    let has_blank = text.contains(char::is_whitespace);
    if !has_blank && is_path(text) {
        return Some(TextRole::Path);
    }
    (text.len() >= MIN_WORDS).then_some(TextRole::Words)
}

fn is_path(text: &str) -> bool {
    if text.len() < 2 || text.len() > 260 {
        return false;
    }
    if text.contains(['/', '\\']) {
        return text.contains(|c: char| c.is_alphanumeric());
    }
    text.rsplit_once('.').is_some_and(|(_, suffix)| {
        let suffix = suffix.to_ascii_lowercase();
        SUFFIXES.binary_search(&suffix.as_str()).is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_by_shape() {
        assert!(SUFFIXES.is_sorted());
        assert_eq!(role("https://x.invalid/a b"), Some(TextRole::Address));
        assert_eq!(role("data/x"), Some(TextRole::Path));
        assert_eq!(role(".env"), Some(TextRole::Path));
        assert_eq!(role("select * from t"), Some(TextRole::Words));
        assert_eq!(role("utf-8"), None);
        assert_eq!(role("//"), None);
    }
}
