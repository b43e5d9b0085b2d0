//! Which words of a page are paths, and which lines set variables.

use super::super::{claims, shell};

/// The name in `export X=…`, `X=…`, `set X=…`, `$env:X = …`.
pub(super) fn set_variable(line: &str) -> Option<&str> {
    let line = shell::strip_prompt(line);
    let line = line.trim_start_matches(['#', ' ']);
    let line = ["export ", "set ", "$env:", "ENV "]
        .iter()
        .find_map(|prefix| line.strip_prefix(prefix))
        .unwrap_or(line);
    let (name, _) = line.split_once('=')?;
    let name = name.trim_end();
    claims::is_variable(name).then_some(name)
}

/// Names behind `-e` and `--env` of a container's command line.
pub(super) fn container_variables(command: &shell::Command) -> Vec<Box<str>> {
    let pairs = command.words.windows(2).filter_map(|pair| {
        let [flag, value] = pair else { return None };
        let name = value.split('=').next().unwrap_or_default();
        (matches!(flag.as_ref(), "-e" | "--env") && claims::is_variable(name)).then(|| name.into())
    });
    pairs.collect()
}

/// Endings of files that a repository keeps.
const KEPT: &[&str] = &[
    "py",
    "pyi",
    "ipynb",
    "md",
    "rst",
    "txt",
    "toml",
    "yml",
    "yaml",
    "json",
    "cfg",
    "ini",
    "sh",
    "bat",
    "ps1",
    "js",
    "ts",
    "tsx",
    "jsx",
    "html",
    "css",
    "rs",
    "go",
    "java",
    "csv",
    "parquet",
    "sql",
    "env",
    "lock",
    "xml",
    "png",
    "jpg",
    "svg",
    "gif",
    "dockerfile",
    "proto",
    "tf",
    "service",
    "pkl",
    "h5",
    "joblib",
    "db",
    "sqlite",
    "php",
    "rb",
    "cs",
    "c",
    "cpp",
    "h",
    "r",
    "mq4",
    "mq5",
    "pine",
    "example",
];

/// Says whether code in running text is the path of a file or folder of a repository.
pub(super) fn is_path(text: &str) -> bool {
    if text.len() > 200
        || text.contains(|letter: char| letter.is_whitespace() || !letter.is_ascii())
        || text.contains([
            '<', '>', '*', '{', '}', '$', '(', ')', '[', ']', '=', ',', ';', ':', '|', '"', '\'',
            '@', '#', '?', '!', '&', '\\', '%', '+',
        ])
        || text.starts_with(['/', '~', '-'])
        || text.contains("..")
        || text.contains("//")
    {
        return false;
    }
    let name = text
        .trim_end_matches('/')
        .rsplit('/')
        .next()
        .unwrap_or_default();
    let extension = name
        .rsplit_once('.')
        .map(|(_, extension)| extension.to_ascii_lowercase());
    let is_kept = extension.is_some_and(|extension| KEPT.contains(&extension.as_str()));
    is_kept && !name.starts_with("*.") && name.len() > 3 && !is_bare_ending(name)
        || text.ends_with('/') && text.len() > 2
        || matches!(name, "Dockerfile" | "Makefile" | "Procfile" | "Pipfile")
}

/// `.py`, `.json`: an ending, not a file.
pub(super) fn is_bare_ending(name: &str) -> bool {
    name.strip_prefix('.')
        .is_some_and(|rest| KEPT.contains(&rest) && rest != "env")
}

/// Takes percent escapes of a link off; others are kept as they are.
pub(super) fn unescape(path: &str) -> String {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = (*first == b'%')
            .then(|| tail.get(..2))
            .flatten()
            .and_then(|two| std::str::from_utf8(two).ok())
            .and_then(|two| u8::from_str_radix(two, 16).ok());
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() {
            tail.get(2..).unwrap_or_default()
        } else {
            tail
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
