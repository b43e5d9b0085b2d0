//! Which paths belong to a tree that a program made: environments, package stores, caches, build output.
//!
//! Why here: the audit finds such trees in commits, the guard will keep them out. A path alone decides; names that
//! people use for their own folders (`env`, `lib`, `build`, `dist`, `target`) count only with a mark below them.
//! Not here: generated single files such as lock files, which belong into commits.

/// What made a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Maker {
    /// A Python environment.
    Environment,
    /// A package store of JavaScript.
    NodeModules,
    /// Compiled Python.
    Bytecode,
    /// Caches of test and lint tools.
    ToolCache,
    /// Build output.
    Build,
}

impl Maker {
    /// Names it for a sentence.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Environment => "a Python environment",
            Self::NodeModules => "installed JavaScript packages",
            Self::Bytecode => "compiled Python",
            Self::ToolCache => "a tool's cache",
            Self::Build => "build output",
        }
    }
}

/// Folders whose content is delivered as it is: a package below one is a part of what a browser gets.
const SHIPPED: &[&str] = &["static", "public", "_nuxt", "vendor", "third_party"];

/// Returns what made the tree that `path` lies in, and how many bytes of `path` name its root. `None` for
/// everything else.
pub fn root_of(path: &str) -> Option<(Maker, usize)> {
    let mut start = 0;
    let mut is_shipped = false;
    let mut before: Option<(&str, usize)> = None;
    for part in path.split('/') {
        let end = start + part.len();
        let is_folder = end < path.len();
        let rest = path.get(end + 1..).unwrap_or_default();
        if let Some(maker) = maker(part, is_folder, rest) {
            return (!is_shipped).then_some((maker, end));
        }
        is_shipped |= SHIPPED.contains(&part);
        // `<root>/lib/python3.11/site-packages`, `<root>/Lib/site-packages`, `<root>/pyvenv.cfg`.
        if part == "pyvenv.cfg" && !is_folder {
            return before.map(|(_, root)| (Maker::Environment, root));
        }
        before = Some((part, end));
        start = end + 1;
    }
    None
}

fn maker(part: &str, is_folder: bool, rest: &str) -> Option<Maker> {
    if !is_folder {
        let ending = part.rsplit_once('.')?.1;
        return matches!(ending, "pyc" | "pyo").then_some(Maker::Bytecode);
    }
    match part {
        "node_modules" | "bower_components" => Some(Maker::NodeModules),
        "__pycache__" => Some(Maker::Bytecode),
        ".mypy_cache" | ".pytest_cache" | ".ruff_cache" | ".tox" | ".nox" | ".hypothesis"
        | ".ipynb_checkpoints" | ".gradle" | ".parcel-cache" => Some(Maker::ToolCache),
        ".venv" | "venv" | "virtualenv" | "site-packages" => Some(Maker::Environment),
        _ if part.ends_with(".egg-info") || part.ends_with(".dist-info") => Some(Maker::Build),
        // Cargo's and setuptools' folders have these names below them.
        "target" => {
            (rest.starts_with("debug/") || rest.starts_with("release/")).then_some(Maker::Build)
        }
        "build" => ["lib/", "lib.", "bdist.", "temp."]
            .iter()
            .any(|mark| rest.starts_with(mark))
            .then_some(Maker::Build),
        "dist" => (ends_with_any(rest, &[".whl", ".tar.gz"]) && !rest.contains('/'))
            .then_some(Maker::Build),
        // `env/bin/activate`, `env/lib/python3.11/site-packages/…`, on Windows `Scripts` and `Lib`.
        _ => is_environment(rest).then_some(Maker::Environment),
    }
}

fn is_environment(rest: &str) -> bool {
    if rest.starts_with("bin/activate")
        || rest.starts_with("Scripts/activate")
        || rest.starts_with("Scripts/python")
        || rest.starts_with("bin/python")
        || rest.starts_with("Lib/site-packages/")
    {
        return true;
    }
    rest.strip_prefix("lib/python")
        .and_then(|rest| rest.split_once('/'))
        .is_some_and(|(_, rest)| rest.starts_with("site-packages/"))
}

fn ends_with_any(text: &str, endings: &[&str]) -> bool {
    endings.iter().any(|ending| text.ends_with(ending))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_trees_are_told_from_folders_that_people_name_alike() {
        let made = [
            ("venv/pyvenv.cfg", "venv"),
            ("tools/py/pyvenv.cfg", "tools/py"),
            ("env/bin/activate", "env"),
            ("myenv/lib/python3.11/site-packages/six.py", "myenv"),
            ("web/node_modules/a/index.js", "web/node_modules"),
            ("bot/__pycache__/a.pyc", "bot/__pycache__"),
            ("old.pyc", "old.pyc"),
            ("bot.egg-info/PKG-INFO", "bot.egg-info"),
            ("build/lib/bot/a.py", "build"),
            ("dist/bot-1.0.tar.gz", "dist"),
        ];
        for (path, root) in made {
            let found = root_of(path).map(|(_, end)| &path[..end]);
            assert_eq!(found, Some(root), "{path}");
        }
        let own = [
            "env/config.py",
            "web/static/node_modules/editor.js",
            "lib/sessions.py",
            "build/Dockerfile",
            "dist/index.html",
            "target/levels.py",
            "bot/venv.py",
            "docs/node_modules.md",
            "venv",
        ];
        for path in own {
            assert_eq!(root_of(path), None, "{path}");
        }
    }
}
