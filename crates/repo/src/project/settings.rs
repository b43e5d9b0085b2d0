//! What pytest, coverage and tox are told: which folders, which files, which roots.

use super::data::{At, Node, TextAt};
use super::ini::{Entry, Ini};

/// Settings of tests in one file.
#[derive(Clone, Debug, Default)]
pub struct TestSettings {
    /// Its path.
    pub path: Box<str>,
    /// Line of pytest's section, where there is one.
    pub pytest: Option<u32>,
    /// `testpaths`.
    pub test_paths: Vec<TextAt>,
    /// `python_files`.
    pub file_patterns: Vec<TextAt>,
    /// `pythonpath`.
    pub python_paths: Vec<TextAt>,
    /// `norecursedirs`.
    pub skipped_folders: Vec<TextAt>,
    /// `markers`.
    pub markers: Vec<TextAt>,
    /// `addopts`, as one text.
    pub options: Option<TextAt>,
    /// `source` and `source_pkgs` of coverage.
    pub coverage_sources: Vec<TextAt>,
    /// `omit` of coverage.
    pub coverage_omits: Vec<TextAt>,
    /// `commands` of tox environments: each line.
    pub commands: Vec<TextAt>,
    /// `deps` of tox environments: each line.
    pub tox_requirements: Vec<TextAt>,
}

impl TestSettings {
    fn is_empty(&self) -> bool {
        self.pytest.is_none()
            && self.coverage_sources.is_empty()
            && self.coverage_omits.is_empty()
            && self.commands.is_empty()
            && self.tox_requirements.is_empty()
    }
}

fn words(node: Option<&Node>) -> Vec<TextAt> {
    let Some(node) = node else { return Vec::new() };
    if !node.list().is_empty() {
        return node.texts();
    }
    let line = node.line;
    let text = node.text().unwrap_or("");
    text.split_whitespace()
        .map(|word| At::new(line, word.into()))
        .collect()
}

/// Reads `[tool.pytest.ini_options]` and `[tool.coverage]` of `pyproject.toml`.
pub(super) fn of_toml(path: &str, root: &Node) -> Option<TestSettings> {
    let mut settings = TestSettings {
        path: path.into(),
        ..TestSettings::default()
    };
    let tool = root.get("tool")?;
    if let Some((key, pytest)) = tool
        .get("pytest")
        .and_then(|pytest| pytest.entry("ini_options").or(tool.entry("pytest")))
    {
        settings.pytest = Some(key.line);
        settings.test_paths = words(pytest.get("testpaths"));
        settings.file_patterns = words(pytest.get("python_files"));
        settings.python_paths = words(pytest.get("pythonpath"));
        settings.skipped_folders = words(pytest.get("norecursedirs"));
        settings.markers = pytest.get("markers").map_or_else(Vec::new, Node::texts);
        settings.options = pytest.get("addopts").and_then(|node| {
            let words = node.texts();
            let text: Vec<&str> = words.iter().map(|word| word.value.as_ref()).collect();
            Some(At::new(words.first()?.line, text.join(" ").into()))
        });
    }
    if let Some(run) = tool.path(&["coverage", "run"]) {
        settings.coverage_sources = words(run.get("source"));
        settings
            .coverage_sources
            .extend(words(run.get("source_pkgs")));
        settings.coverage_omits = words(run.get("omit"));
    }
    if let Some(text) = tool.path(&["tox", "legacy_tox_ini"]).and_then(Node::text)
        && let Some(tox) = of_ini(path, &Ini::parse(text))
    {
        // Lines inside the text are not lines of the file.
        let line = tool
            .path(&["tox", "legacy_tox_ini"])
            .map_or(1, |node| node.line);
        settings.commands = tox
            .commands
            .into_iter()
            .map(|command| At::new(line, command.value))
            .collect();
    }
    (!settings.is_empty()).then_some(settings)
}

/// Reads `pytest.ini`, `tox.ini`, `setup.cfg`, `.coveragerc`.
pub(super) fn of_ini(path: &str, ini: &Ini) -> Option<TestSettings> {
    let mut settings = TestSettings {
        path: path.into(),
        ..TestSettings::default()
    };
    let words =
        |section: &str, key: &str| ini.get(section, key).map_or_else(Vec::new, Entry::words);
    let name = if path.ends_with("setup.cfg") {
        "tool:pytest"
    } else {
        "pytest"
    };
    if let Some(section) = ini.section(name) {
        settings.pytest = Some(section.line);
        settings.test_paths = words(name, "testpaths");
        settings.file_patterns = words(name, "python_files");
        settings.python_paths = words(name, "pythonpath");
        settings.skipped_folders = words(name, "norecursedirs");
        settings.markers = ini.get(name, "markers").map_or_else(Vec::new, Entry::lines);
        settings.options = ini
            .get(name, "addopts")
            .map(|entry| At::new(entry.line, entry.value.replace('\n', " ").into()));
    }
    // `.coveragerc` writes `[run]`, the others `[coverage:run]`.
    let run = if path.ends_with(".coveragerc") {
        "run"
    } else {
        "coverage:run"
    };
    settings.coverage_sources = words(run, "source");
    settings.coverage_sources.extend(words(run, "source_pkgs"));
    settings.coverage_omits = words(run, "omit");
    for section in &ini.sections {
        if section.name.as_ref() == "tox" || section.name.starts_with("testenv") {
            for entry in &section.entries {
                match entry.key.as_ref() {
                    "commands" | "commands_pre" | "commands_post" => {
                        settings.commands.extend(entry.lines());
                    }
                    "deps" => settings.tox_requirements.extend(entry.lines()),
                    _ => {}
                }
            }
        }
    }
    (!settings.is_empty()).then_some(settings)
}

#[cfg(test)]
mod tests {
    use super::super::data::toml;
    use super::*;

    #[test]
    fn settings_are_read_from_both_kinds_of_files() {
        let (root, _) = toml(
            "[tool.pytest.ini_options]\ntestpaths = ['tests', 'integration']\naddopts = '-q'\n[tool.coverage.run]\nsource = ['x']\n",
        );
        let settings = of_toml("pyproject.toml", &root).unwrap();
        assert_eq!(
            (settings.test_paths.len(), settings.test_paths[1].line),
            (2, 2)
        );
        assert_eq!(settings.coverage_sources[0], At::new(5, "x".into()));
        let settings = of_ini(
            "tox.ini",
            &Ini::parse(
                "[pytest]\ntestpaths = a b\n[testenv]\ndeps = -rdev.txt\ncommands =\n  pytest a\n",
            ),
        )
        .unwrap();
        assert_eq!(settings.test_paths.len(), 2);
        assert_eq!(settings.commands[0], At::new(6, "pytest a".into()));
        assert!(of_ini("setup.cfg", &Ini::parse("[metadata]\nname=x\n")).is_none());
    }
}
