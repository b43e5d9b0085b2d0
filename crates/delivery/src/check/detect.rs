//! Which checks a repository has without having declared them: found in its settings, its CI, its hooks, its manifests.
//!
//! Why evidence: nobody should have to believe that `ruff check .` is what this repository wants. Each check says which file
//! and line it was found by. What no file asks for is not proposed.
//! Not here: running them, writing them down.

use tradewind_repo::project::Project;
use tradewind_repo::project::requirement::Requirement;
use tradewind_repo::tree::Tree;

use super::config::Kind;
use super::plan::Definition;

/// Pieces of evidence that are told.
const MAX_EVIDENCE: usize = 5;
/// npm's scripts that are checks, by name.
const NPM: &[(&str, Kind)] = &[
    ("lint", Kind::Lint),
    ("typecheck", Kind::Lint),
    ("type-check", Kind::Lint),
    ("format:check", Kind::Lint),
    ("test", Kind::Unit),
];
/// What `npm init` writes when there are no tests.
const NO_NPM_TEST: &str = "no test specified";
/// What linters of Python read, besides their own settings.
const PYTHON: &[&str] = &[
    "**/*.py",
    "**/*.pyi",
    "**/*.ipynb",
    "**/pyproject.toml",
    "**/.gitignore",
];

/// A check that was found, and by what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detected {
    /// The check.
    pub definition: Definition,
    /// Where it was found, such as `pyproject.toml: [tool.ruff]`.
    pub evidence: Vec<String>,
}

/// Finds the checks of a tree.
pub fn detect(tree: &Tree) -> Vec<Detected> {
    let looked = Looked::at(tree);
    let mut found = Vec::new();
    found.extend(looked.ruff());
    found.extend(looked.ruff_format());
    found.extend(looked.black());
    found.extend(looked.flake8());
    found.extend(looked.mypy());
    found.extend(looked.tests());
    found.extend(looked.cargo());
    found.extend(looked.npm());
    found
}

/// What is asked of a tree, read once.
struct Looked<'t> {
    tree: &'t Tree,
    project: Project,
    pyproject: Option<toml::Table>,
}

/// A line of a script that runs a program.
struct Called {
    place: String,
    line: String,
}

impl<'t> Looked<'t> {
    fn at(tree: &'t Tree) -> Self {
        let pyproject = tree.text("pyproject.toml");
        Self {
            tree,
            project: Project::read(tree),
            pyproject: pyproject.and_then(|text| text.parse().ok()),
        }
    }

    /// Says that `[tool.<name>]` stands in `pyproject.toml`.
    fn tool(&self, names: &[&str]) -> Option<String> {
        let mut table = self.pyproject.as_ref()?.get("tool")?.as_table()?;
        for (at, name) in names.iter().enumerate() {
            let value = table.get(*name)?;
            if at + 1 < names.len() {
                table = value.as_table()?;
            }
        }
        Some(format!("pyproject.toml: [tool.{}]", names.join(".")))
    }

    fn files(&self, names: &[&str]) -> Vec<String> {
        let here = names.iter().filter(|name| self.tree.get(name).is_some());
        here.map(|name| (*name).to_owned()).collect()
    }

    /// Says that a file of settings has a section.
    fn section(&self, file: &str, section: &str) -> Option<String> {
        let text = self.tree.text(file)?;
        let at = text.lines().position(|line| line.trim_end() == section)?;
        Some(format!("{file}:{}: {section}", at + 1))
    }

    /// Finds lines of CI, Makefiles, tox and the like that run a program.
    fn calls(&self, words: &[&str]) -> Vec<Called> {
        let mut found = Vec::new();
        for script in self.project.scripts() {
            for (at, line) in script.text.lines().enumerate() {
                let line = line.trim();
                if line.starts_with('#') || is_installing(line) {
                    continue;
                }
                let spoken: Vec<&str> = line
                    .split(|c: char| c.is_whitespace() || matches!(c, ';' | '&' | '|' | '@'))
                    .filter(|word| !word.is_empty())
                    .collect();
                if spoken.windows(words.len()).any(|window| window == words) {
                    let number = script.line as usize + at;
                    found.push(Called {
                        place: format!("{}:{number}: {line}", script.path),
                        line: line.to_owned(),
                    });
                }
            }
        }
        found
    }

    /// Finds a hook of pre-commit.
    fn hook(&self, ids: &[&str]) -> Vec<String> {
        let configs = self.project.hooks.iter();
        configs
            .flat_map(|config| config.hooks.iter().map(move |hook| (&config.path, hook)))
            .filter(|(_, hook)| ids.contains(&hook.value.as_ref()))
            .map(|(path, hook)| format!("{path}:{}: hook {}", hook.line, hook.value))
            .collect()
    }

    fn requires(&self, name: &str) -> Vec<String> {
        let named = |requirement: &Requirement| requirement.name.as_ref() == name;
        let files = self.project.requirements.iter();
        let files = files.filter(|file| file.requirements.iter().any(named));
        let manifests = self.project.manifests.iter();
        let manifests = manifests.filter(|manifest| manifest.requirements.iter().any(named));
        let paths = files
            .map(|file| &file.path)
            .chain(manifests.map(|manifest| &manifest.path));
        paths.map(|path| format!("{path}: {name}")).collect()
    }

    fn ruff(&self) -> Option<Detected> {
        let mut evidence: Vec<String> = self.tool(&["ruff"]).into_iter().collect();
        evidence.extend(self.files(&["ruff.toml", ".ruff.toml"]));
        evidence.extend(places(self.calls(&["ruff", "check"])));
        evidence.extend(self.hook(&["ruff", "ruff-check"]));
        let inputs = ["**/ruff.toml", "**/.ruff.toml"];
        detected(
            "ruff",
            Kind::Lint,
            &["ruff", "check", "."],
            &inputs,
            evidence,
        )
    }

    fn ruff_format(&self) -> Option<Detected> {
        let mut evidence: Vec<String> = self.tool(&["ruff", "format"]).into_iter().collect();
        evidence.extend(places(self.calls(&["ruff", "format"])));
        evidence.extend(self.hook(&["ruff-format"]));
        let inputs = ["**/ruff.toml", "**/.ruff.toml"];
        let words = ["ruff", "format", "--check", "."];
        detected("ruff-format", Kind::Lint, &words, &inputs, evidence)
    }

    fn black(&self) -> Option<Detected> {
        let mut evidence: Vec<String> = self.tool(&["black"]).into_iter().collect();
        evidence.extend(places(self.calls(&["black"])));
        evidence.extend(self.hook(&["black"]));
        detected(
            "black",
            Kind::Lint,
            &["black", "--check", "--quiet", "."],
            &[],
            evidence,
        )
    }

    fn flake8(&self) -> Option<Detected> {
        let mut evidence = self.files(&[".flake8"]);
        evidence.extend(self.section("setup.cfg", "[flake8]"));
        evidence.extend(self.section("tox.ini", "[flake8]"));
        evidence.extend(places(self.calls(&["flake8"])));
        evidence.extend(self.hook(&["flake8"]));
        let inputs = ["**/.flake8", "setup.cfg", "tox.ini"];
        detected("flake8", Kind::Lint, &["flake8"], &inputs, evidence)
    }

    fn mypy(&self) -> Option<Detected> {
        let mut evidence: Vec<String> = self.tool(&["mypy"]).into_iter().collect();
        evidence.extend(self.files(&["mypy.ini", ".mypy.ini"]));
        evidence.extend(self.section("setup.cfg", "[mypy]"));
        let calls = self.calls(&["mypy"]);
        // What CI checks is what is meant; `files` in the settings is the other way to say it.
        let said = calls
            .iter()
            .find_map(|called| words_from(&called.line, "mypy"));
        evidence.extend(places(calls));
        evidence.extend(self.hook(&["mypy"]));
        let has_files = self.tool(&["mypy", "files"]).is_some()
            || ["mypy.ini", ".mypy.ini", "setup.cfg"].iter().any(|name| {
                let text = self.tree.text(name).unwrap_or_default();
                text.lines().any(|line| line.starts_with("files"))
            });
        let words = match said {
            Some(words) if words.len() > 1 => words,
            _ if has_files => vec!["mypy".to_owned()],
            _ => vec!["mypy".to_owned(), ".".to_owned()],
        };
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        // Settings may name any file, and types come from data files too.
        let mut found = detected("mypy", Kind::Lint, &words, &[], evidence)?;
        found.definition.inputs = None;
        Some(found)
    }

    fn tests(&self) -> Option<Detected> {
        let mut evidence = Vec::new();
        for settings in &self.project.settings {
            if let Some(line) = settings.pytest {
                evidence.push(format!("{}:{line}: settings of pytest", settings.path));
            }
        }
        evidence.extend(self.files(&["pytest.ini", ".pytest.ini"]));
        let by_module = self.calls(&["-m", "pytest"]);
        let is_by_module = !by_module.is_empty();
        let plain = self.calls(&["pytest"]);
        evidence.extend(places(plain));
        evidence.extend(self.requires("pytest"));
        evidence.extend(self.project.conftests.iter().map(ToString::to_string));
        evidence.dedup();
        let mut tests = self.tree.tracked().filter(|file| is_test_file(&file.path));
        if evidence.is_empty() {
            let first = tests.next()?;
            let text = self.tree.text(&first.path).unwrap_or_default();
            if text.contains("unittest") {
                let words = [PYTHON_WORD, "-m", "unittest", "discover"];
                let evidence = vec![format!("{}: unittest", first.path)];
                let mut found = detected("unittest", Kind::Unit, &words, &[], evidence)?;
                found.definition.inputs = None;
                return Some(found);
            }
            evidence.push(first.path.to_string());
        } else if !tests.any(|_| true) && self.project.conftests.is_empty() {
            return None;
        }
        // `python -m` puts the root among the folders that imports look in, as most small bots need it.
        let has_roots = self.tree.get("conftest.py").is_some()
            || self
                .project
                .settings
                .iter()
                .any(|it| !it.python_paths.is_empty());
        let words: &[&str] = if is_by_module || !has_roots {
            &[PYTHON_WORD, "-m", "pytest", "-q"]
        } else {
            &["pytest", "-q"]
        };
        let mut found = detected("pytest", Kind::Unit, words, &[], evidence)?;
        found.definition.inputs = None;
        Some(found)
    }

    fn cargo(&self) -> Vec<Detected> {
        if self.tree.get("Cargo.toml").is_none() {
            return Vec::new();
        }
        let own = || vec!["Cargo.toml".to_owned()];
        let mut found = Vec::new();
        let mut add = |name: &str, kind, words: &[&str], evidence: Vec<String>| {
            if let Some(mut one) = detected(name, kind, words, &[], evidence) {
                one.definition.inputs = None;
                found.push(one);
            }
        };
        let mut evidence = self.files(&["rustfmt.toml", ".rustfmt.toml"]);
        evidence.extend(places(self.calls(&["cargo", "fmt"])));
        add(
            "fmt",
            Kind::Lint,
            &["cargo", "fmt", "--all", "--check"],
            evidence,
        );
        let calls = self.calls(&["cargo", "clippy"]);
        let said = calls
            .iter()
            .find_map(|called| words_from(&called.line, "cargo"));
        let words = said.unwrap_or_else(|| ["cargo", "clippy"].map(str::to_owned).to_vec());
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let mut evidence = self.files(&["clippy.toml", ".clippy.toml"]);
        evidence.extend(places(calls));
        add("clippy", Kind::Lint, &words, evidence);
        let mut evidence = own();
        evidence.extend(places(self.calls(&["cargo", "test"])));
        add("test", Kind::Unit, &["cargo", "test"], evidence);
        found
    }

    fn npm(&self) -> Vec<Detected> {
        let Some(text) = self.tree.text("package.json") else {
            return Vec::new();
        };
        let Ok(package) = serde_json::from_str::<serde_json::Value>(&text) else {
            return Vec::new();
        };
        let scripts = package
            .get("scripts")
            .and_then(|scripts| scripts.as_object());
        let mut found = Vec::new();
        for (name, kind) in NPM {
            let line = scripts.and_then(|scripts| scripts.get(*name)?.as_str());
            let Some(line) = line.filter(|line| !line.contains(NO_NPM_TEST)) else {
                continue;
            };
            let short: String = line.chars().take(80).collect();
            let evidence = vec![format!("package.json: \"{name}\": {short}")];
            let id = format!("npm-{}", name.replace(':', "-"));
            let words = ["npm", "run", "--silent", name];
            if let Some(mut one) = detected(&id, *kind, &words, &[], evidence) {
                one.definition.inputs = None;
                found.push(one);
            }
        }
        found
    }
}

/// How Python is called.
const PYTHON_WORD: &str = if cfg!(windows) { "python" } else { "python3" };

fn detected(
    name: &str,
    kind: Kind,
    words: &[&str],
    inputs: &[&str],
    mut evidence: Vec<String>,
) -> Option<Detected> {
    if evidence.is_empty() {
        return None;
    }
    evidence.truncate(MAX_EVIDENCE);
    let mut definition = Definition::new(name, kind, words.iter().copied());
    let inputs = PYTHON.iter().chain(inputs);
    definition.inputs = Some(inputs.map(|input| (*input).to_owned()).collect());
    Some(Detected {
        definition,
        evidence,
    })
}

fn places(called: Vec<Called>) -> impl Iterator<Item = String> {
    called.into_iter().map(|called| called.place)
}

/// Says whether a line brings programs instead of running them.
fn is_installing(line: &str) -> bool {
    [
        "pip install",
        "pip3 install",
        "poetry add",
        "apt",
        "uv add",
        "conda install",
        "pipx install",
    ]
    .iter()
    .any(|words| line.contains(words))
}

fn is_test_file(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.strip_suffix(".py")
        .is_some_and(|stem| stem.starts_with("test_") || stem.ends_with("_test"))
}

/// Takes the words of a plain command from a program on; `None` where a shell is needed to read them.
fn words_from(line: &str, program: &str) -> Option<Vec<String>> {
    if line.contains([
        '$', '`', '|', '&', ';', '<', '>', '\\', '"', '\'', '*', '?', '{', '(',
    ]) {
        return None;
    }
    let words = line.split_whitespace().skip_while(|word| *word != program);
    let words: Vec<String> = words.map(str::to_owned).collect();
    (!words.is_empty()).then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Vec<(String, String, String)> {
        let files = files
            .iter()
            .map(|(path, text)| (*path, text.as_bytes().to_vec()));
        let found = detect(&Tree::of(files)).into_iter();
        found
            .map(|one| {
                let command = one.definition.command.to_string();
                (one.definition.name, command, one.evidence.join(" | "))
            })
            .collect()
    }

    #[test]
    fn settings_and_ci_are_evidence() {
        let found = found(&[
            (
                "pyproject.toml",
                "[tool.ruff]\nline-length = 100\n[tool.pytest.ini_options]\npythonpath = ['.']\n",
            ),
            (
                ".github/workflows/ci.yml",
                "on: push\njobs:\n  t:\n    runs-on: x\n    steps:\n      - run: |\n          pip install mypy black\n          mypy bot --strict\n",
            ),
            ("tests/test_a.py", "def test_a(): pass\n"),
        ]);
        let names: Vec<_> = found.iter().map(|(name, ..)| name.as_str()).collect();
        assert_eq!(names, ["ruff", "mypy", "pytest"], "{found:#?}");
        assert_eq!(found[1].1, "mypy bot --strict");
        assert!(
            found[1].2.contains(".github/workflows/ci.yml:"),
            "{found:?}"
        );
        assert_eq!(found[2].1, "pytest -q");
    }

    #[test]
    fn tests_of_the_standard_library_need_no_pytest() {
        let found = found(&[("test_a.py", "import unittest\n")]);
        assert_eq!(found.len(), 1);
        assert!(found[0].1.ends_with("-m unittest discover"));
    }

    #[test]
    fn nothing_is_proposed_that_no_file_asks_for() {
        assert!(found(&[("bot.py", "print(1)\n"), ("README.md", "run pytest\n")]).is_empty());
        let package = r#"{"scripts": {"test": "echo \"Error: no test specified\" && exit 1", "lint": "eslint ."}}"#;
        let found = found(&[("package.json", package)]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].1, "npm run --silent lint");
    }
}
