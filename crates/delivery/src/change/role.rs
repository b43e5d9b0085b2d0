//! What a path is in a repository, by its name alone.
//!
//! Not here: what its content says.

use tradewind_repo::python::Code;

/// What a path is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Role {
    /// A program's source, or what belongs to no other kind.
    Code,
    /// A test, or what tests share.
    Test,
    /// A page for people.
    Page,
    /// What the forge runs.
    Ci,
    /// How an image is made or started.
    Container,
    /// What a package is and needs.
    Manifest,
    /// What a package manager wrote of a manifest.
    Lock,
    /// Settings of tools, and what git itself reads.
    Settings,
    /// Tables, pictures and other data.
    Data,
    /// What a program made.
    Made,
}

const CODE: &[&str] = &[
    "py", "pyi", "rs", "js", "jsx", "ts", "tsx", "mjs", "cjs", "go", "java", "kt", "c", "h", "cc",
    "cpp", "hpp", "cs", "rb", "sh", "bash", "ps1", "sql", "r", "jl", "vue", "svelte", "pyx",
    "swift", "scala", "lua", "php", "ipynb", "css", "scss",
];
const DATA: &[&str] = &[
    "csv", "tsv", "parquet", "arrow", "feather", "jsonl", "ndjson", "png", "jpg", "jpeg", "gif",
    "svg", "ico", "pdf", "xlsx", "xls", "db", "sqlite", "pkl", "pickle", "npz", "npy", "h5", "gz",
    "zip", "zst", "bz2", "xz", "woff", "woff2", "ttf", "mp4", "bin", "log",
];
const LOCKS: &[&str] = &[
    "Cargo.lock",
    "poetry.lock",
    "uv.lock",
    "Pipfile.lock",
    "pdm.lock",
    "package-lock.json",
    "yarn.lock",
    "pnpm-lock.yaml",
    "npm-shrinkwrap.json",
    "go.sum",
    "Gemfile.lock",
    "composer.lock",
    "flake.lock",
    "bun.lock",
];
const MANIFESTS: &[&str] = &[
    "Cargo.toml",
    "pyproject.toml",
    "setup.py",
    "setup.cfg",
    "Pipfile",
    "package.json",
    "go.mod",
    "Gemfile",
    "composer.json",
    "flake.nix",
    "environment.yml",
    "environment.yaml",
];

pub(super) fn name_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

pub(super) fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// The name without its last ending.
pub(super) fn stem_of(path: &str) -> &str {
    let name = name_of(path);
    match name.rsplit_once('.') {
        Some((stem, _)) if !stem.is_empty() => stem,
        _ => name,
    }
}

fn ending_of(path: &str) -> String {
    let name = name_of(path);
    name.rsplit_once('.')
        .map_or("", |(_, end)| end)
        .to_ascii_lowercase()
}

impl Role {
    pub(super) fn of(path: &str) -> Self {
        let name = name_of(path);
        let lower = name.to_ascii_lowercase();
        let ending = ending_of(path);
        let has = |part: &str| path.split('/').any(|one| one == part);
        if LOCKS.contains(&name) {
            return Self::Lock;
        }
        if MANIFESTS.contains(&name)
            || (ending == "txt"
                && (lower.contains("requirements") || lower.contains("constraints")))
            || (ending == "txt" && has("requirements"))
        {
            return Self::Manifest;
        }
        if tradewind_repo::generated::root_of(path).is_some()
            || lower.ends_with(".min.js")
            || lower.ends_with(".min.css")
            || lower.ends_with("_pb2.py")
            || ending == "map"
            || ending == "snap"
        {
            return Self::Made;
        }
        if path.starts_with(".github/workflows/")
            || path.starts_with(".gitlab-ci")
            || path.starts_with(".circleci/")
            || name == "Jenkinsfile"
            || name == "azure-pipelines.yml"
            || name == ".travis.yml"
        {
            return Self::Ci;
        }
        if lower.starts_with("dockerfile")
            || lower.ends_with(".dockerfile")
            || name == ".dockerignore"
            || lower.starts_with("docker-compose")
            || lower.starts_with("compose.")
        {
            return Self::Container;
        }
        if is_test(path) && !DATA.contains(&ending.as_str()) {
            return Self::Test;
        }
        if matches!(ending.as_str(), "md" | "rst" | "adoc" | "mdx")
            || matches!(
                lower.as_str(),
                "license" | "changelog" | "readme" | "authors" | "notice"
            )
            || ((has("docs") || has("doc"))
                && !CODE.contains(&ending.as_str())
                && !DATA.contains(&ending.as_str()))
        {
            return Self::Page;
        }
        if DATA.contains(&ending.as_str())
            || has("data") && matches!(ending.as_str(), "json" | "txt")
        {
            return Self::Data;
        }
        if CODE.contains(&ending.as_str()) {
            return Self::Code;
        }
        if name.starts_with('.')
            || matches!(
                ending.as_str(),
                "toml" | "ini" | "cfg" | "yaml" | "yml" | "json" | "conf"
            )
        {
            return Self::Settings;
        }
        Self::Code
    }

    /// Says whether it counts as a program with its tests.
    pub(super) fn is_program(self) -> bool {
        matches!(self, Self::Code | Self::Test)
    }
}

fn is_test(path: &str) -> bool {
    let stem = stem_of(path);
    Code::is_test(path)
        || stem.ends_with("_test")
        || stem
            .rsplit_once('.')
            .is_some_and(|(_, kind)| kind == "test" || kind == "spec")
        || path
            .split('/')
            .any(|part| part == "__tests__" || part == "benches")
}

/// The name of what a test is about: `bars` for `tests/test_bars.py`.
pub(super) fn tested(path: &str) -> Option<&str> {
    if Role::of(path) != Role::Test {
        return None;
    }
    let stem = stem_of(path);
    let about = stem
        .strip_prefix("test_")
        .or_else(|| stem.strip_suffix("_test"))
        .or_else(|| stem.strip_suffix(".test"))
        .or_else(|| stem.strip_suffix(".spec"))
        .unwrap_or(stem);
    (!about.is_empty() && about != "conftest" && about != "__init__").then_some(about)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_what_its_name_says() {
        for (path, role) in [
            ("bot/risk.py", Role::Code),
            ("tests/test_risk.py", Role::Test),
            ("src/risk.test.ts", Role::Test),
            ("README.md", Role::Page),
            ("docs/conf.txt", Role::Page),
            (".github/workflows/ci.yml", Role::Ci),
            ("docker/Dockerfile.bot", Role::Container),
            ("pyproject.toml", Role::Manifest),
            ("requirements-dev.txt", Role::Manifest),
            ("uv.lock", Role::Lock),
            ("ruff.toml", Role::Settings),
            (".gitignore", Role::Settings),
            ("data/bars.csv", Role::Data),
            ("tests/data/bars.csv", Role::Data),
            ("static/app.min.js", Role::Made),
            ("Makefile", Role::Code),
        ] {
            assert_eq!(Role::of(path), role, "{path}");
        }
        assert_eq!(tested("tests/test_risk.py"), Some("risk"));
        assert_eq!(tested("src/risk.spec.ts"), Some("risk"));
        assert_eq!(tested("bot/risk.py"), None);
    }
}
