//! Programs of which it is known that they judge each file alone: a reviewed table.
//!
//! Why a table: a verdict may be kept only when nothing decides but the file, the arguments, the configuration and the tool.
//! Who is not in it is asked each time, unless `[hooks.per_file.<id>]` in `tradewind.toml` declares it.
//! Never in it, because what they say of a file depends on others: mypy, pyright, pylint, pytest, vulture, import-linter,
//! deptry (they follow imports); rustfmt (follows `mod`), shellcheck (follows `source`); eslint and prettier (plugins and
//! configuration in programs); check-case-conflict, check-symlinks, no-commit-to-branch, forbid-new-submodules,
//! destroyed-symlinks, detect-aws-credentials (they look at other paths, at git or at the user's keys).
//! Not here: `[hooks]` itself ([`super::config`]). A new row needs the reason why it judges each file alone.

/// What else such a program looks at, and what therefore decides too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a question that is asked or not"
)]
pub(crate) struct Asks {
    /// Which paths are tracked (whether a module is the repository's own).
    pub(crate) paths: bool,
    /// Whether the last commit has the file.
    pub(crate) added: bool,
    /// Whether a merge is under way.
    pub(crate) merging: bool,
    /// Plugins that register themselves as one of these are looked at one by one.
    pub(crate) plugins: bool,
}

const NOTHING: Asks = Asks {
    paths: false,
    added: false,
    merging: false,
    plugins: false,
};
const PATHS: Asks = Asks {
    paths: true,
    ..NOTHING
};

/// One program.
#[derive(Debug)]
pub(crate) struct Row {
    /// What it is started as.
    pub(crate) program: &'static str,
    /// First words of the module that its start script imports; empty for a program that is no script.
    pub(crate) module: &'static str,
    /// Names of files that configure it, wherever in the repository or above the copy they are; `*.toml` is any such.
    pub(crate) configuration: &'static [&'static str],
    /// Files of the user that configure it: below the home folder, or, after `~config/`, below the folder for settings.
    pub(crate) home: &'static [&'static str],
    /// Variables that configure it; a star stands for any end.
    pub(crate) variables: &'static [&'static str],
    pub(crate) asks: Asks,
    /// Why it judges each file alone.
    #[cfg_attr(not(test), expect(dead_code, reason = "for whoever reviews the table"))]
    pub(crate) why: &'static str,
}

const fn script(program: &'static str, module: &'static str, why: &'static str) -> Row {
    Row {
        program,
        module,
        configuration: &[],
        home: &[],
        variables: &[],
        asks: NOTHING,
        why,
    }
}

const PYTHON: &[&str] = &["pyproject.toml", "setup.cfg", "tox.ini", ".editorconfig"];
const BYTES: &str = "opens each file that it is given and looks at its bytes; no configuration";
const INDEX: &str =
    "asks git only for the mode of the file in the index, which is part of its place";

/// The table.
pub(crate) static TABLE: &[Row] = &[
    // pre-commit-hooks, read at 6.0.0.
    script(
        "check-ast",
        "pre_commit_hooks.check_ast",
        "parses each file with the interpreter that runs it",
    ),
    script(
        "check-builtin-literals",
        "pre_commit_hooks.check_builtin_literals",
        "parses each file",
    ),
    script(
        "fix-byte-order-marker",
        "pre_commit_hooks.fix_byte_order_marker",
        BYTES,
    ),
    script(
        "check-docstring-first",
        "pre_commit_hooks.check_docstring_first",
        "reads the tokens of each file",
    ),
    script(
        "check-executables-have-shebangs",
        "pre_commit_hooks.check_executables_have_shebangs",
        INDEX,
    ),
    script(
        "check-shebang-scripts-are-executable",
        "pre_commit_hooks.check_shebang_scripts_are_executable",
        INDEX,
    ),
    script("check-json", "pre_commit_hooks.check_json", BYTES),
    script("check-toml", "pre_commit_hooks.check_toml", BYTES),
    script("check-xml", "pre_commit_hooks.check_xml", BYTES),
    script("check-yaml", "pre_commit_hooks.check_yaml", BYTES),
    script(
        "check-vcs-permalinks",
        "pre_commit_hooks.check_vcs_permalinks",
        BYTES,
    ),
    script(
        "debug-statement-hook",
        "pre_commit_hooks.debug_statement_hook",
        "parses each file",
    ),
    script(
        "detect-private-key",
        "pre_commit_hooks.detect_private_key",
        BYTES,
    ),
    script(
        "double-quote-string-fixer",
        "pre_commit_hooks.string_fixer",
        "reads the tokens of each file",
    ),
    script(
        "end-of-file-fixer",
        "pre_commit_hooks.end_of_file_fixer",
        BYTES,
    ),
    script(
        "file-contents-sorter",
        "pre_commit_hooks.file_contents_sorter",
        BYTES,
    ),
    script(
        "mixed-line-ending",
        "pre_commit_hooks.mixed_line_ending",
        BYTES,
    ),
    script(
        "name-tests-test",
        "pre_commit_hooks.tests_should_end_in_test",
        "looks at the name of each file",
    ),
    script(
        "pretty-format-json",
        "pre_commit_hooks.pretty_format_json",
        BYTES,
    ),
    script(
        "requirements-txt-fixer",
        "pre_commit_hooks.requirements_txt_fixer",
        BYTES,
    ),
    script(
        "sort-simple-yaml",
        "pre_commit_hooks.sort_simple_yaml",
        BYTES,
    ),
    script(
        "trailing-whitespace-fixer",
        "pre_commit_hooks.trailing_whitespace_fixer",
        BYTES,
    ),
    Row {
        asks: Asks {
            merging: true,
            ..NOTHING
        },
        ..script(
            "check-merge-conflict",
            "pre_commit_hooks.check_merge_conflict",
            "looks at the bytes of each file, and at nothing when no merge is under way",
        )
    },
    Row {
        asks: Asks {
            added: true,
            ..NOTHING
        },
        ..script(
            "check-added-large-files",
            "pre_commit_hooks.check_added_large_files",
            "the length of a file, when the last commit does not have it and no filter stores it elsewhere",
        )
    },
    // Formatters and linters of Python.
    Row {
        configuration: &["pyproject.toml", ".gitignore"],
        home: &["~config/black", ".black"],
        variables: &["BLACK_*"],
        ..script(
            "black",
            "black",
            "formats each file by its own syntax; configuration from one pyproject.toml",
        )
    },
    Row {
        configuration: &[
            ".isort.cfg",
            "pyproject.toml",
            "setup.cfg",
            "tox.ini",
            ".editorconfig",
            ".gitignore",
        ],
        home: &[".isort.cfg", ".editorconfig"],
        variables: &["ISORT_*", "VIRTUAL_ENV", "CONDA_PREFIX"],
        asks: PATHS,
        ..script(
            "isort",
            "isort",
            "sorts the imports of each file; whether a module is the repository's own it sees by its paths",
        )
    },
    script(
        "pyupgrade",
        "pyupgrade",
        "rewrites the tokens of each file; no configuration",
    ),
    script(
        "add-trailing-comma",
        "add_trailing_comma",
        "rewrites the tokens of each file; no configuration",
    ),
    Row {
        asks: PATHS,
        ..script(
            "reorder-python-imports",
            "reorder_python_imports",
            "sorts the imports of each file; the repository's own by its paths",
        )
    },
    Row {
        configuration: PYTHON,
        ..script(
            "autoflake",
            "autoflake",
            "runs pyflakes on each file alone and takes lines out of it",
        )
    },
    Row {
        configuration: &["setup.cfg", "tox.ini", ".flake8"],
        home: &["~config/flake8", ".flake8"],
        asks: Asks {
            plugins: true,
            ..NOTHING
        },
        ..script(
            "flake8",
            "flake8",
            "its own checks see one file; so do the plugins that are named here",
        )
    },
    Row {
        configuration: &["setup.cfg", "tox.ini"],
        home: &["~config/pycodestyle", ".pycodestyle"],
        ..script(
            "pycodestyle",
            "pycodestyle",
            "looks at the lines of each file",
        )
    },
    script(
        "pyflakes",
        "pyflakes",
        "looks at the syntax of each file; follows no import",
    ),
    Row {
        configuration: &[
            "setup.cfg",
            "tox.ini",
            "pyproject.toml",
            ".pydocstyle",
            ".pydocstyle.ini",
            ".pydocstylerc",
            ".pydocstylerc.ini",
        ],
        ..script(
            "pydocstyle",
            "pydocstyle",
            "looks at the docstrings of each file",
        )
    },
    Row {
        configuration: PYTHON,
        ..script(
            "docformatter",
            "docformatter",
            "formats the docstrings of each file",
        )
    },
    Row {
        configuration: &[".style.yapf", "setup.cfg", "pyproject.toml", ".yapfignore"],
        home: &["~config/yapf/style"],
        ..script("yapf", "yapf", "formats each file by its own syntax")
    },
    Row {
        configuration: &[
            ".bandit",
            "bandit.yaml",
            "bandit.yml",
            "pyproject.toml",
            "setup.cfg",
        ],
        ..script("bandit", "bandit", "walks the syntax of each file")
    },
    Row {
        configuration: &[".codespellrc", "setup.cfg", "pyproject.toml"],
        ..script(
            "codespell",
            "codespell_lib",
            "looks for words in each file; lists of words that its configuration names decide too",
        )
    },
    Row {
        configuration: &[".yamllint", ".yamllint.yaml", ".yamllint.yml"],
        home: &["~config/yamllint/config"],
        variables: &["YAMLLINT_*"],
        ..script("yamllint", "yamllint", "looks at the tokens of each file")
    },
    // Programs that are no scripts.
    Row {
        configuration: &["*.toml", ".gitignore"],
        home: &[
            "~config/ruff/ruff.toml",
            "~config/ruff/.ruff.toml",
            "~config/ruff/pyproject.toml",
        ],
        variables: &["RUFF_*"],
        asks: PATHS,
        ..script(
            "ruff",
            "",
            "each rule sees one file; whether a module is the repository's own, and whether a folder is a package, it sees by the paths",
        )
    },
    Row {
        configuration: &[".editorconfig"],
        ..script("shfmt", "", "formats each file by its own syntax")
    },
    script(
        "gofmt",
        "",
        "formats each file by its own syntax; no configuration",
    ),
];

/// Plugins of flake8 whose checks see one file, by the package that registers them.
const PLUGINS: &[&str] = &[
    "flake8",
    "pycodestyle",
    "pyflakes",
    "mccabe",
    "bugbear",
    "flake8_annotations",
    "flake8_bandit",
    "flake8_blind_except",
    "flake8_builtins",
    "flake8_commas",
    "flake8_comprehensions",
    "flake8_debugger",
    "flake8_docstrings",
    "flake8_eradicate",
    "flake8_errmsg",
    "flake8_pie",
    "flake8_print",
    "flake8_pyi",
    "flake8_pytest_style",
    "flake8_quotes",
    "flake8_return",
    "flake8_simplify",
    "flake8_unused_arguments",
    "pep8ext_naming",
];

/// Finds the row of a program; a script must import what the table says.
pub(crate) fn find(program: &str, module: Option<&str>) -> Option<&'static Row> {
    TABLE.iter().find(|row| {
        let is_same = match module {
            Some(module) => {
                !row.module.is_empty()
                    && module
                        .strip_prefix(row.module)
                        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            }
            None => row.module.is_empty(),
        };
        row.program == program && is_same
    })
}

/// Names a plugin of a file `entry_points.txt` that is not known to see one file alone.
pub(crate) fn foreign_plugin(entry_points: &str) -> Option<&str> {
    let mut is_inside = false;
    for line in entry_points.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[') {
            let section = section.trim_end_matches(']').trim();
            is_inside = matches!(section, "flake8.extension" | "flake8.report");
        } else if is_inside && let Some((_, module)) = line.split_once('=') {
            let module = module.trim();
            let package = module.split(['.', ':']).next().unwrap_or(module);
            if !PLUGINS.contains(&package) {
                return Some(package);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_has_its_reason_and_is_found_once() {
        for row in TABLE {
            assert!(row.why.len() > 10, "{}", row.program);
            let module = (!row.module.is_empty()).then_some(row.module);
            let found = find(row.program, module).unwrap();
            assert!(std::ptr::eq(found, row), "{} is there twice", row.program);
        }
        for never in ["mypy", "pylint", "pytest", "pyright", "rustfmt", "eslint"] {
            assert!(TABLE.iter().all(|row| row.program != never), "{never}");
        }
        // Another program of the same name is not it.
        assert!(find("black", Some("blackened.cli")).is_none());
        assert!(find("black", None).is_none());
        assert!(find("black", Some("black.__main__")).is_some());
    }

    #[test]
    fn a_plugin_that_nobody_looked_at_is_named() {
        let known = "[flake8.extension]\nF = flake8.plugins.pyflakes:FlakesChecker\nB = bugbear:BugBearChecker\n";
        assert_eq!(foreign_plugin(known), None);
        let unknown = "[console_scripts]\nx = whatever:main\n[flake8.extension]\nX1 = cross_files.plugin:Plugin\n";
        assert_eq!(foreign_plugin(unknown), Some("cross_files"));
    }
}
