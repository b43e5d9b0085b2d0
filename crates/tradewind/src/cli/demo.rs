//! `tradewind demo`: the whole of it on an example bot, without keys or network.
//!
//! Everything shown is real: a git repository with a replayed history, this very program as a
//! daemon in the background, real commands whose output is passed on. It lives in one folder and one
//! state directory, both temporary, and removes them unless told to keep them.
//! Not here: anything a user could not type himself.

mod replay;
mod story;

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tradewind_core::{Event, EventKind, Seq};
use tradewind_host::process::{self, CommandSpec, ExitOutcome};
use tradewind_journal::Filter;
use tradewind_sandbox::{Running, Sandbox};

use crate::market::SANDBOX_VARIABLE;
use crate::place::{CONFIG_FILE, Place};
use crate::report::{Exit, Failure, Outcome};
use crate::terminal::{self, Tone, paint};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Keep the example repository and its state in this new folder, to play with
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

/// How long the demo waits for one event.
const EVENT_LIMIT: Duration = Duration::from_mins(1);

/// The configuration of the demo: one rule that acts, one that asks, one that only watches.
const RULES: &str = r#"
# The demo's rules. `test-on-commit` may act: it declares that it changes nothing.
[rules.test-on-commit]
on = "repo.commit.created"
do = "run"
with = { command = [TESTS], writes = [], time_limit = "2m" }
mode = "act"
debounce = "300ms"

# This one writes a file, so it asks first; the file is saved before, so it can be undone.
[rules.changes-page]
on = "repo.commit.created"
when = 'event.data.title.startsWith("fix")'
do = "run"
with = { command = ["git", "log", "-5", "--pretty=format:- %s (%an)", "--output=CHANGES.md"], writes = ["CHANGES.md"] }
mode = "propose"

# And this one is only on trial.
[rules.mass-deletion]
on = "repo.files.deleted"
do = "notify"
with = { desktop = true }
mode = "shadow"
"#;

/// The demo while it runs.
struct Demo {
    program: PathBuf,
    bot: PathBuf,
    state: PathBuf,
    place: Place,
    sandbox: Running,
    step: u32,
}

pub(crate) async fn run(args: Args) -> Outcome {
    let outside = |what: &str| {
        let what = what.to_owned();
        move |e: std::io::Error| Failure::because(Exit::Outside, what.clone(), &e)
    };
    let temporary = match &args.keep {
        Some(dir) => {
            if dir.exists() {
                return Err(
                    Failure::new(Exit::Usage, format!("{} exists already", dir.display()))
                        .hint("name a new folder"),
                );
            }
            std::fs::create_dir_all(dir).map_err(outside("the demo's folder cannot be made"))?;
            None
        }
        None => Some(
            tempfile::Builder::new()
                .prefix("tradewind-demo-")
                .tempdir()
                .map_err(outside("the demo's folder cannot be made"))?,
        ),
    };
    let home = match (&temporary, &args.keep) {
        (Some(temporary), _) => temporary.path().to_path_buf(),
        (None, Some(dir)) => dir
            .canonicalize()
            .map_err(outside("the demo's folder cannot be read"))?,
        (None, None) => return Err(Failure::new(Exit::Bug, "the demo has no folder")),
    };
    let (bot, state) = (home.join("tidebot"), home.join("state"));
    std::fs::create_dir_all(&bot).map_err(outside("the demo's folder cannot be made"))?;
    let sandbox = Sandbox::start(tradewind_sandbox::Settings::default())
        .await
        .map_err(|e| Failure::from_error(Exit::Outside, &e))?;
    let program = std::env::current_exe().map_err(outside("this program cannot find itself"))?;
    let mut demo = Demo {
        program,
        place: Place::at(bot.clone(), state.clone()),
        bot,
        state,
        sandbox,
        step: 0,
    };
    let told = demo.tell().await;
    // Whatever went wrong, no daemon of the demo's stays behind.
    let stopped = demo.quiet(&["up", "--stop"]).await;
    told?;
    stopped?;
    demo.farewell(args.keep.as_deref());
    if let Some(temporary) = temporary {
        temporary
            .close()
            .map_err(outside("the demo's folder cannot be removed"))?;
    }
    Ok(Exit::Done)
}

impl Demo {
    async fn tell(&mut self) -> Result<(), Failure> {
        let git = Place::git()?;
        self.heading("A trading bot with two months of hurried history");
        let commits = story::replay(&git, &self.bot, self.place.now())?;
        terminal::line(format_args!(
            "   {commits} commits in {}",
            self.bot.display()
        ));
        self.heading("What is wrong with it? The audit reads everything and executes nothing");
        self.shown(&["audit", "--summary", "--remarks"], Exit::Done)
            .await?;
        terminal::line(
            "   `tradewind audit` lists each finding with its evidence, `--remarks` the rest; --format html makes a report for reading.",
        );

        self.heading("A first configuration, from what the audit saw");
        self.shown(&["init"], Exit::Done).await?;
        let tests = self.tests().await;
        self.write(CONFIG_FILE, &RULES.replace("TESTS", &tests.argv))?;
        terminal::line(format_args!(
            "   For the demo, {CONFIG_FILE} now has one rule that acts ({}), one that asks before it writes, one on trial.",
            tests.what
        ));

        self.heading("What would it execute? Nothing runs before you have said yes once");
        self.shown(&["trust", "--yes"], Exit::Done).await?;
        self.heading("Watch it");
        self.shown(&["up", "--detach", "--listen", "127.0.0.1:0"], Exit::Done)
            .await?;

        self.market().await?;

        self.heading("A commit that breaks the strategy. The rule in `act` mode runs the tests");
        let before = self.last()?;
        story::break_strategy(&self.bot)?;
        self.commit(&git, "tune crossover, should be more responsive now")?;
        let outcome = self.outcome(before, tests.can_fail).await?;
        self.shown(&["explain", &outcome.to_string()], Exit::Done)
            .await?;

        self.heading(
            "The fix. The tests pass, and the rule in `propose` mode asks before it writes",
        );
        let before = self.last()?;
        story::mend_strategy(&self.bot)?;
        self.commit(
            &git,
            "fix: trend is up when the fast average is above the slow one",
        )?;
        self.outcome(before, false).await?;
        let proposal = self.wait(before, EventKind::EngineProposalOpened).await?;
        self.shown(&["proposals", "list"], Exit::Done).await?;
        self.shown(&["proposals", "approve", &proposal.to_string()], Exit::Done)
            .await?;
        let approval = self
            .wait(proposal, EventKind::EngineProposalApproved)
            .await?;
        let request = self
            .wait(approval, EventKind::EngineActionRequested)
            .await?;
        let written = self
            .wait_for(request, EventKind::EngineActionSucceeded, |event| {
                event.cause == Some(request)
            })
            .await?;
        self.file("CHANGES.md");

        self.heading("Take that action back, byte for byte");
        self.shown(&["undo", &written.to_string()], Exit::Done)
            .await?;
        self.file("CHANGES.md");

        self.heading("What happened, and why");
        self.shown(&["log", "-n", "16"], Exit::Done).await?;
        self.shown(&["explain", &written.to_string()], Exit::Done)
            .await?;
        self.heading("Is the journal whole?");
        self.shown(&["log", "--verify"], Exit::Done).await
    }

    /// Shows the gateway: our words, then the bot's own script, unchanged.
    async fn market(&mut self) -> Result<(), Failure> {
        self.heading("Market data through one door. The providers are the sandbox: real limits, made-up prices");
        let bars = [
            "get",
            "bars",
            "AAPL",
            "--provider",
            "polygon",
            "--adjust",
            "splits",
        ];
        self.shown(&bars, Exit::Done).await?;
        terminal::line(
            "   The same question again, from this program or any other: nobody is asked twice.",
        );
        self.shown(
            &[&bars[..], &["--format", "csv", "-o", "aapl.csv"]].concat(),
            Exit::Done,
        )
        .await?;
        self.heading("The bot's own script, unchanged: its calls go through the gateway as well");
        let script = "scripts/quick_quote.py";
        match self.python_with("requests").await {
            Some(python) => {
                self.shown(&["exec", "--", &python, script, "AAPL", "MSFT"], Exit::Done)
                    .await?;
            }
            None => terminal::line(format_args!(
                "   {script} needs the package requests, which is not here; with it: tradewind exec -- python {script} AAPL"
            )),
        }
        // Counts are written down twice a second.
        tokio::time::sleep(Duration::from_secs(1)).await;
        self.shown(&["usage"], Exit::Done).await?;
        // The file was for looking at; the commits to come are about something else.
        std::fs::remove_file(self.bot.join("aapl.csv"))
            .map_err(|e| Failure::because(Exit::Outside, "aapl.csv cannot be removed", &e))
    }

    /// Finds a Python that has a package.
    async fn python_with(&self, package: &str) -> Option<String> {
        for program in ["python3", "python", "py"] {
            let spec =
                CommandSpec::new(program, &self.bot).args(["-c", &format!("import {package}")]);
            if let Ok(finished) = process::run(spec, CancellationToken::new()).await
                && finished.status == ExitOutcome::Code(0)
            {
                return Some(program.to_owned());
            }
        }
        None
    }

    fn farewell(&self, kept: Option<&Path>) {
        terminal::line("");
        match kept {
            Some(_) => {
                terminal::line(format_args!(
                    "The example stays in {}. Play with it:",
                    self.bot.display()
                ));
                terminal::line(format_args!(
                    "  export TRADEWIND_STATE={}",
                    self.state.display()
                ));
                terminal::line(format_args!("  cd {} && tradewind up", self.bot.display()));
            }
            None => terminal::line(
                "Nothing is left behind. `tradewind demo --keep DIR` keeps the example to play with.",
            ),
        }
        terminal::line(paint(Tone::Strong, "On your own bot:"));
        terminal::line("  cd my-bot");
        terminal::line(
            "  tradewind audit     what is wrong, with evidence, and what to repair first",
        );
        terminal::line("  tradewind init      write tradewind.toml, every rule in shadow mode");
        terminal::line("  tradewind up        watch it; first page at http://127.0.0.1:8420");
    }

    fn heading(&mut self, text: &str) {
        self.step += 1;
        terminal::line("");
        terminal::line(paint(Tone::Strong, format_args!("{}. {text}", self.step)));
    }

    /// Runs a command of this program as the user would, and passes on what it says.
    async fn shown(&self, args: &[&str], wanted: Exit) -> Result<(), Failure> {
        terminal::line(format_args!(
            "   {} tradewind {}",
            paint(Tone::Dim, "$"),
            args.join(" ")
        ));
        let finished = self.spawn(args).await?;
        for line in finished
            .stdout
            .text()
            .lines()
            .chain(finished.stderr.text().lines())
        {
            terminal::line(format_args!("   {line}"));
        }
        if finished.status == ExitOutcome::Code(wanted as i32) {
            return Ok(());
        }
        Err(Failure::new(
            Exit::Bug,
            format!(
                "`tradewind {}` ended with {:?}",
                args.join(" "),
                finished.status
            ),
        ))
    }

    async fn quiet(&self, args: &[&str]) -> Result<(), Failure> {
        self.spawn(args).await.map(drop)
    }

    async fn spawn(&self, args: &[&str]) -> Result<process::Finished, Failure> {
        let mut spec = CommandSpec::new(&self.program, &self.bot).args(args.iter().copied());
        spec.env
            .set
            .push(("TRADEWIND_STATE".into(), self.state.clone().into()));
        let sandbox = self.sandbox.address().to_string();
        spec.env.set.push((SANDBOX_VARIABLE.into(), sandbox.into()));
        for name in ["POLYGON_API_KEY", "ALPHA_VANTAGE_API_KEY"] {
            // The sandbox takes any key, and must not be shown the user's own.
            spec.env.set.push((name.into(), "demo".into()));
        }
        spec.env.set.push((
            "COLUMNS".into(),
            (terminal::width().saturating_sub(3)).to_string().into(),
        ));
        process::run(spec, CancellationToken::new())
            .await
            .map_err(|e| Failure::from_error(Exit::Outside, &e))
    }

    /// Finds out how the bot's tests can run on this machine, and says so when they cannot.
    async fn tests(&self) -> Tests {
        for program in ["python3", "python", "py"] {
            let spec = CommandSpec::new(program, &self.bot).args([
                "-c",
                "import unittest, sys; assert sys.version_info >= (3, 9)",
            ]);
            if let Ok(finished) = process::run(spec, CancellationToken::new()).await
                && finished.status == ExitOutcome::Code(0)
            {
                return Tests {
                    argv: format!(
                        "{program:?}, \"-m\", \"unittest\", \"discover\", \"-q\", \"-s\", \"tests\""
                    ),
                    what: "it runs the bot's tests".to_owned(),
                    can_fail: true,
                };
            }
        }
        terminal::warn(
            "there is no Python 3.9 or newer here, so the bot's tests cannot run; the demo checks the commit with git instead",
        );
        Tests {
            argv: "\"git\", \"show\", \"--check\", \"--oneline\", \"HEAD\"".to_owned(),
            what: "it checks the commit with git, because there is no Python here".to_owned(),
            can_fail: false,
        }
    }

    fn write(&self, path: &str, text: &str) -> Result<(), Failure> {
        std::fs::write(self.bot.join(path), text.trim_start())
            .map_err(|e| Failure::because(Exit::Outside, format!("{path} cannot be written"), &e))
    }

    fn file(&self, path: &str) {
        match std::fs::read_to_string(self.bot.join(path)) {
            Ok(text) => {
                terminal::line(format_args!("   {path} is there:"));
                text.lines().take(3).for_each(|line| {
                    terminal::line(format_args!("     {}", paint(Tone::Dim, line)));
                });
            }
            Err(_absent) => terminal::line(format_args!("   {path} is not there.")),
        }
    }

    fn commit(&self, git: &tradewind_host::git::Git, message: &str) -> Result<(), Failure> {
        terminal::line(format_args!(
            "   {} git commit -am {message:?}",
            paint(Tone::Dim, "$")
        ));
        story::commit_all(git, &self.bot, message, "Marco Ferri", self.place.now())
    }

    fn last(&self) -> Result<Seq, Failure> {
        self.place
            .reader()?
            .last()
            .map_err(|e| Failure::from_error(Exit::Outside, &e))
    }

    /// Waits for the tests' outcome after `after`.
    async fn outcome(&self, after: Seq, must_fail: bool) -> Result<Seq, Failure> {
        let kind = if must_fail {
            EventKind::EngineActionFailed
        } else {
            EventKind::EngineActionSucceeded
        };
        self.wait(after, kind).await
    }

    /// Waits for the first event of `kind` after `after`.
    async fn wait(&self, after: Seq, kind: EventKind) -> Result<Seq, Failure> {
        self.wait_for(after, kind, |_| true).await
    }

    async fn wait_for(
        &self,
        after: Seq,
        kind: EventKind,
        is_it: impl Fn(&Event) -> bool,
    ) -> Result<Seq, Failure> {
        let reader = self.place.reader()?;
        let filter = Filter {
            after,
            kinds: vec![kind],
            ..Filter::default()
        };
        let deadline = tokio::time::Instant::now() + EVENT_LIMIT;
        while tokio::time::Instant::now() < deadline {
            let found = reader
                .select(&filter)
                .map_err(|e| Failure::from_error(Exit::Outside, &e))?;
            if let Some(event) = found.iter().find(|event| is_it(event)) {
                return Ok(event.seq);
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        self.shown(&["log", "-n", "20"], Exit::Done).await?;
        Err(Failure::new(
            Exit::Bug,
            format!("no {kind} came within {} s", EVENT_LIMIT.as_secs()),
        ))
    }
}

/// How the demo's acting rule tests a commit.
struct Tests {
    /// The command as TOML list items.
    argv: String,
    what: String,
    /// Whether a broken strategy makes it fail.
    can_fail: bool,
}
