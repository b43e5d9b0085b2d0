//! `tradewind init`: write a first `tradewind.toml` from what is in the repository, every rule in shadow mode.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use tradewind_host::{dirs, files};
use tradewind_insight::Request;
use tradewind_insight::report::system::shares;
use tradewind_insight::report::{Decisions, Report};
use tradewind_repo::location::Location;

use crate::cli::audit;
use crate::place::{CONFIG_FILE, Place};
use crate::report::{Exit, Failure, Outcome};
use crate::terminal::{self, Tone, one_line, paint};
use crate::wire;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print the file instead of writing it
    #[arg(long)]
    print: bool,
}

pub(crate) async fn run(place: &Place, args: &Args) -> Outcome {
    let location = place.location()?;
    if location.is_bare {
        return Err(Failure::new(
            Exit::Usage,
            "a bare repository has no place for tradewind.toml",
        )
        .hint("run `tradewind init` in a clone with a work tree"));
    }
    let mut request = Request::new(Place::git()?, &location.top, audit::today(place, None));
    request.catalog = Arc::new(audit::catalog());
    request.cache = dirs::cache_dir().ok().map(|dir| dir.join("audit"));
    let report = Report::of(&audit::look(request, None).await?, &Decisions::default());
    let text = first_config(&location, &report);
    if let Err(mistakes) = wire::Config::parse(&text) {
        let list: Vec<_> = mistakes.iter().map(ToString::to_string).collect();
        return Err(Failure::new(
            Exit::Bug,
            format!(
                "init wrote a file that it does not accept itself: {}",
                list.join("; ")
            ),
        ));
    }
    if args.print {
        terminal::line(text.trim_end());
        return Ok(Exit::Done);
    }
    let path = location.top.join(CONFIG_FILE);
    if path.exists() {
        return Err(Failure::new(Exit::Usage, format!("{} exists already", path.display()))
            .hint("`tradewind config check` checks it; `tradewind init --print` shows what would be written"));
    }
    files::atomic_write(&path, text.as_bytes(), files::Mode::Keep)
        .map_err(|e| Failure::from_error(Exit::Outside, &e))?;
    terminal::line(format_args!(
        "Wrote {}. Every rule is in {} mode: it says what it would do and does nothing.",
        terminal::word(path.display()),
        paint(Tone::Strong, "shadow")
    ));
    if !report.findings.is_empty() {
        terminal::line(format_args!(
            "The audit found {}; `tradewind audit` lists them with their evidence.",
            shares(&report.counts())
        ));
    }
    terminal::line("Next:");
    terminal::line("  tradewind up            watch this repository");
    terminal::line("  tradewind log --follow  see what happens, and what rules would do");
    terminal::line(
        "  tradewind trust         allow the commands in tradewind.toml, once you have read them",
    );
    terminal::line("Then turn a rule's `mode` to \"propose\" or \"act\", one at a time.");
    Ok(Exit::Done)
}

/// How the repository's tests are run.
#[derive(Debug, PartialEq, Eq)]
struct TestCommand {
    argv: Vec<String>,
    because: String,
}

fn first_config(location: &Location, report: &Report) -> String {
    let tests = test_command(&location.top);
    let mut out = String::from(
        "# What Tradewind does in this repository. `tradewind config check` checks this file,\n\
         # `tradewind config schema` prints its JSON schema, `tradewind trust` shows what it would execute.\n\
         # mode = \"shadow\" only says what a rule would do; \"propose\" asks you; \"act\" acts.\n",
    );
    if let Some(tests) = tests {
        let argv = tests
            .argv
            .iter()
            .map(|a| format!("{a:?}"))
            .collect::<Vec<_>>()
            .join(", ");
        out.push_str(&format!(
            "\n# Runs the tests after commits, once no further commit came for five seconds ({}).\n\
             [rules.test-on-commit]\non = \"repo.commit.created\"\ndo = \"run\"\n\
             with = {{ command = [{argv}], writes = [], time_limit = \"10m\" }}\nmode = \"shadow\"\ndebounce = \"5s\"\n",
            tests.because
        ));
    }
    out.push_str(&providers(report));
    out.push_str(
        "\n# Looks for what is wrong after commits and fails when it would lose money or keys.\n\
         [rules.audit-on-commit]\non = \"repo.commit.created\"\ndo = \"run\"\n\
         with = { command = [\"tradewind\", \"audit\", \"--summary\", \"--fail-on\", \"critical\"], writes = [], time_limit = \"2m\" }\nmode = \"shadow\"\ndebounce = \"30s\"\n",
    );
    out.push_str(
        "\n# Tells you on the desktop when many tracked files vanish from the work tree at once.\n\
         [rules.mass-deletion]\non = \"repo.files.deleted\"\ndo = \"notify\"\nwith = { desktop = true }\nmode = \"shadow\"\nlimit = { max = 3, per = \"1h\" }\n\
         \n# Tells you on the desktop when an action fails, for instance the tests.\n\
         [rules.action-failed]\non = \"engine.action.failed\"\ndo = \"notify\"\nwith = { desktop = true }\nmode = \"shadow\"\nlimit = { max = 6, per = \"1h\" }\n\
         \n# Notes rewritten branches: a rebase or a forced reset.\n\
         [rules.rewrite]\non = \"repo.branch.rewritten\"\nwhen = 'event.data.dropped > 0'\ndo = \"log\"\nwith = { message = \"a branch was rewritten\" }\nmode = \"shadow\"\n",
    );
    out
}

/// Says which providers the code calls, and whose keys it reads, as comments: nothing governs those calls yet.
fn providers(report: &Report) -> String {
    let mut keys: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for api in &report.api_map {
        let of_provider = keys.entry(&api.provider).or_default();
        of_provider.extend(api.calls.iter().filter_map(|call| call.key_from.as_deref()));
    }
    if keys.is_empty() {
        return String::new();
    }
    let mut out = String::from(
        "\n# The code calls these providers; `tradewind catalog show NAME` says what their plans allow.\n",
    );
    for (provider, keys) in keys {
        let keys: Vec<_> = keys.into_iter().map(|key| one_line(key, 60)).collect();
        let keys = if keys.is_empty() {
            "no key seen".to_owned()
        } else {
            format!("key from {}", keys.join(", "))
        };
        out.push_str(&format!("#   {}: {keys}\n", one_line(provider, 40)));
    }
    out
}

/// Finds out how the tests are run, from files alone.
fn test_command(top: &Path) -> Option<TestCommand> {
    let text = |name: &str| std::fs::read_to_string(top.join(name)).unwrap_or_default();
    let has = |name: &str| top.join(name).exists();
    let owned = |argv: &[&str]| argv.iter().map(|a| (*a).to_owned()).collect::<Vec<_>>();
    let python = python(top);
    let tests = ["tests", "test"].into_iter().find(|d| top.join(d).is_dir());
    let wants_pytest = has("pytest.ini")
        || has("conftest.py")
        || [
            "requirements.txt",
            "requirements-dev.txt",
            "pyproject.toml",
            "setup.cfg",
            "tox.ini",
        ]
        .iter()
        .any(|f| text(f).contains("pytest"));
    if wants_pytest {
        return Some(TestCommand {
            argv: owned(&[&python, "-m", "pytest", "-q"]),
            because: "pytest is configured or required here".to_owned(),
        });
    }
    if let Some(dir) = tests
        && std::fs::read_dir(top.join(dir)).is_ok_and(|entries| {
            entries.flatten().any(|e| {
                e.file_name().to_string_lossy().starts_with("test")
                    && e.path().extension().is_some_and(|x| x == "py")
            })
        })
    {
        return Some(TestCommand {
            argv: owned(&[&python, "-m", "unittest", "discover", "-s", dir]),
            because: format!("{dir}/ holds test files"),
        });
    }
    if has("Cargo.toml") {
        return Some(TestCommand {
            argv: owned(&["cargo", "test"]),
            because: "there is a Cargo.toml".to_owned(),
        });
    }
    if text("package.json").contains("\"test\"") {
        return Some(TestCommand {
            argv: owned(&["npm", "test"]),
            because: "package.json has a test script".to_owned(),
        });
    }
    None
}

/// Prefers the repository's own environment over the system's Python.
fn python(top: &Path) -> String {
    let inside = if cfg!(windows) {
        "Scripts/python.exe"
    } else {
        "bin/python"
    };
    [".venv", "venv"]
        .into_iter()
        .map(|env| format!("{env}/{inside}"))
        .find(|path| top.join(path).exists())
        .unwrap_or_else(|| if cfg!(windows) { "python" } else { "python3" }.to_owned())
}
