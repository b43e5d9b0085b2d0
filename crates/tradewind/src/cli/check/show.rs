//! What checks look like: while they run, afterwards, and for programs.

use std::time::Duration;

use serde::Serialize;
use tradewind_delivery::check::{Checked, Observer, Plan, Planned, Report, Verdict, What};

use super::Known;
use crate::cli::Format;
use crate::terminal::{self, Tone, paint};

/// Failed tests that are named in the summary.
const MAX_NAMED: usize = 20;

/// How the answer is wanted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form {
    pub(super) format: Format,
    pub(super) explain: bool,
}

#[derive(Serialize)]
struct JsonList<'a> {
    schema_version: u32,
    declared: bool,
    checks: Vec<JsonKnown<'a>>,
}

#[derive(Serialize)]
struct JsonKnown<'a> {
    name: &'a str,
    kind: &'static str,
    command: String,
    needs: &'a [String],
    evidence: &'a [String],
}

/// Lists what there is.
pub(super) fn list(known: &Known, format: Format) {
    let both = known.definitions.iter().zip(&known.evidence);
    if format == Format::Json {
        let checks = both.map(|(check, evidence)| JsonKnown {
            name: &check.name,
            kind: check.kind.as_str(),
            command: check.command.to_string(),
            needs: &check.needs,
            evidence,
        });
        let list = JsonList {
            schema_version: 1,
            declared: known.is_declared,
            checks: checks.collect(),
        };
        terminal::line(serde_json::to_string_pretty(&list).unwrap_or_default());
        return;
    }
    if known.definitions.is_empty() {
        terminal::line("No check is declared, and no file of the repository asks for one.");
        return;
    }
    terminal::line(if known.is_declared {
        "Declared in tradewind.toml:"
    } else {
        "Found, because these files ask for them:"
    });
    for (check, evidence) in both {
        terminal::line(format_args!(
            "  {:<16} {:<12} {}",
            terminal::word(&check.name),
            check.kind.as_str(),
            paint(
                Tone::Strong,
                terminal::one_line(&check.command.to_string(), 200)
            )
        ));
        if !check.needs.is_empty() {
            let needs = terminal::one_line(&check.needs.join(", "), 200);
            terminal::line(paint(Tone::Dim, format!("  {:<29} after {needs}", "")));
        }
        for line in evidence {
            let line = terminal::one_line(line, 120);
            terminal::line(paint(Tone::Dim, format!("  {:<29} {line}", "")));
        }
    }
}

/// Says what is about to run, and on what.
pub(super) fn before(known: &Known, plan: &Plan, what: What) {
    terminal::note(format_args!("Checking {}.", words(what)));
    if !known.is_declared {
        let commands: Vec<String> = plan
            .checks()
            .iter()
            .map(|planned| planned.definition.command.to_string())
            .collect();
        terminal::note(format_args!(
            "tradewind.toml declares no checks; found and run: {} (`--list` says by which files).",
            terminal::one_line(&commands.join("; "), 400)
        ));
    }
}

fn words(what: What) -> String {
    match what {
        What::Commit(commit) => format!("commit {:.10}", commit.to_string()),
        What::Tree(tree) => format!("tree {:.10}", tree.to_string()),
        What::Staged => "what is staged".to_owned(),
        What::Worktree => "the work tree as it is, with files that are not yet tracked".to_owned(),
    }
}

/// Tells what happens while checks run: of one check every line, of several what is over.
pub(super) struct Teller {
    is_text: bool,
    is_live: bool,
    /// The beginning of a line whose end has not come.
    rest: Vec<u8>,
    spinner: Option<terminal::Spinner>,
    running: Vec<String>,
}

impl Teller {
    pub(super) fn new(plan: &Plan, format: Format) -> Self {
        let is_text = format == Format::Text;
        Self {
            is_text,
            is_live: is_text && plan.checks().len() == 1 && terminal::is_watched(),
            rest: Vec::new(),
            spinner: None,
            running: Vec::new(),
        }
    }

    fn spin(&mut self) {
        // The old one goes before the new one is drawn.
        self.spinner = None;
        if self.is_text && !self.is_live && !self.running.is_empty() {
            self.spinner = terminal::spinner(format!("{} …", self.running.join(", ")));
        }
    }
}

impl Observer for Teller {
    fn started(&mut self, check: &Planned) {
        self.running.push(check.definition.name.clone());
        self.spin();
    }

    fn output(&mut self, _check: &Planned, bytes: &[u8]) {
        if !self.is_live {
            return;
        }
        self.rest.extend_from_slice(bytes);
        while let Some(at) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=at).collect();
            let line = String::from_utf8_lossy(&line);
            terminal::line(terminal::clean(line.trim_end()));
        }
    }

    fn ended(&mut self, checked: &Checked) {
        self.running.retain(|name| *name != checked.name);
        self.spinner = None;
        if self.is_live && !self.rest.is_empty() {
            let rest = std::mem::take(&mut self.rest);
            terminal::line(terminal::clean(&String::from_utf8_lossy(&rest)));
        }
        if self.is_text {
            terminal::line(summary(checked));
        }
        self.spin();
    }
}

/// Puts a check's line together.
fn summary(checked: &Checked) -> String {
    let (word, tone) = match &checked.verdict {
        Verdict::Passed => ("passed", Tone::Good),
        Verdict::Cached => ("passed before", Tone::Good),
        Verdict::Failed { .. } => ("FAILED", Tone::Bad),
        Verdict::TimedOut { .. } => ("TOOK TOO LONG", Tone::Bad),
        Verdict::Skipped { .. } => ("not run", Tone::Warn),
        Verdict::Broken { .. } => ("CANNOT RUN", Tone::Bad),
        Verdict::Cancelled => ("ended", Tone::Warn),
    };
    let mut facts = Vec::new();
    match &checked.verdict {
        Verdict::Failed { exit_code } => facts.push(format!("exit code {exit_code}")),
        Verdict::TimedOut { limit } => facts.push(format!("ended after {}", seconds(*limit))),
        Verdict::Skipped { because, .. } => facts.push(terminal::one_line(because, 300)),
        Verdict::Broken { why, .. } => facts.push(terminal::one_line(why, 300)),
        Verdict::Passed | Verdict::Cached | Verdict::Cancelled => {}
    }
    if let Some(tests) = &checked.tests {
        let mut counts = format!("{} of {} tests passed", tests.passed, tests.total());
        if tests.skipped > 0 {
            counts.push_str(&format!(", {} skipped", tests.skipped));
        }
        facts.push(counts);
    }
    if let Some(permille) = checked.coverage.and_then(|coverage| coverage.permille()) {
        facts.push(format!(
            "{}.{} % of lines covered",
            permille / 10,
            permille % 10
        ));
    }
    facts.extend(
        checked
            .remarks
            .iter()
            .map(|remark| terminal::one_line(remark, 300)),
    );
    let took = if checked.elapsed.is_zero() {
        String::new()
    } else {
        seconds(checked.elapsed)
    };
    format!(
        "{:<16} {} {took:>8}  {}",
        terminal::one_line(&checked.name, 64),
        paint(tone, format!("{word:<13}")),
        facts.join("; ")
    )
    .trim_end()
    .to_owned()
}

fn seconds(took: Duration) -> String {
    format!("{:.1} s", took.as_secs_f64())
}

/// Tells what came of it.
pub(super) fn report(report: &Report, what: What, form: Form) {
    if form.format == Format::Json {
        json(report, what);
        return;
    }
    for remark in &report.remarks {
        terminal::note(terminal::one_line(remark, 300));
    }
    let is_live = report.checks.len() == 1 && terminal::is_watched();
    for checked in &report.checks {
        if form.explain && !checked.why.is_empty() {
            terminal::line(format_args!(
                "  {}: {}.",
                terminal::word(&checked.name),
                terminal::one_line(&checked.why, 400)
            ));
        }
        let is_bad = matches!(
            checked.verdict,
            Verdict::Failed { .. } | Verdict::TimedOut { .. }
        );
        if is_bad && !is_live {
            failed(checked);
        }
        if let Verdict::Broken { next, .. } = &checked.verdict
            && !next.is_empty()
        {
            terminal::line(format_args!(
                "  {}: {}",
                terminal::word(&checked.name),
                paint(Tone::Strong, terminal::one_line(next, 400))
            ));
        }
    }
    let passed = |checked: &&Checked| matches!(checked.verdict, Verdict::Passed | Verdict::Cached);
    let count = report.checks.iter().filter(passed).count();
    terminal::line(format_args!(
        "{count} of {} checks passed in {}{}",
        report.checks.len(),
        seconds(report.elapsed),
        if report.is_cancelled {
            "; ended before it was done, and nothing of it is remembered."
        } else {
            "."
        }
    ));
}

fn failed(checked: &Checked) {
    terminal::line("");
    terminal::line(format_args!(
        "{} {}",
        paint(Tone::Bad, format!("{}:", terminal::word(&checked.name))),
        paint(Tone::Strong, terminal::one_line(&checked.command, 300))
    ));
    for line in checked.output.trim_end().lines() {
        terminal::line(terminal::clean(line));
    }
    if let Some(tests) = checked.tests.as_ref().filter(|tests| tests.failed > 0) {
        for test in tests.failures.iter().take(MAX_NAMED) {
            terminal::line(format_args!(
                "  {} {}",
                paint(Tone::Bad, terminal::one_line(&test.name, 200)),
                terminal::one_line(&test.message, 160)
            ));
        }
    }
    terminal::line("");
}

#[derive(Serialize)]
struct Json<'a> {
    schema_version: u32,
    what: &'static str,
    commit: Option<String>,
    tree: &'a str,
    passed: bool,
    cancelled: bool,
    elapsed_ms: u64,
    checks: Vec<JsonCheck<'a>>,
    remarks: &'a [String],
}

#[derive(Serialize)]
struct JsonCheck<'a> {
    name: &'a str,
    kind: &'static str,
    command: &'a str,
    verdict: &'static str,
    exit_code: Option<i32>,
    reason: Option<&'a str>,
    next: Option<&'a str>,
    why: &'a str,
    elapsed_ms: u64,
    tests: Option<JsonTests<'a>>,
    coverage: Option<JsonCoverage>,
    remarks: &'a [String],
    output: &'a str,
}

#[derive(Serialize)]
struct JsonTests<'a> {
    passed: u32,
    failed: u32,
    skipped: u32,
    failures: Vec<JsonFailure<'a>>,
}

#[derive(Serialize)]
struct JsonFailure<'a> {
    name: &'a str,
    message: &'a str,
}

#[derive(Serialize)]
struct JsonCoverage {
    lines: u64,
    covered: u64,
}

fn json(report: &Report, what: What) {
    let checks = report.checks.iter().map(|checked| JsonCheck {
        name: &checked.name,
        kind: checked.kind.as_str(),
        command: &checked.command,
        verdict: checked.verdict.word(),
        exit_code: match checked.verdict {
            Verdict::Failed { exit_code } => Some(exit_code),
            _ => None,
        },
        reason: match &checked.verdict {
            Verdict::Skipped { because, .. } => Some(because),
            Verdict::Broken { why, .. } => Some(why),
            _ => None,
        },
        next: match &checked.verdict {
            Verdict::Broken { next, .. } if !next.is_empty() => Some(next),
            _ => None,
        },
        why: &checked.why,
        elapsed_ms: milliseconds(checked.elapsed),
        tests: checked.tests.as_ref().map(|tests| JsonTests {
            passed: tests.passed,
            failed: tests.failed,
            skipped: tests.skipped,
            failures: tests
                .failures
                .iter()
                .map(|test| JsonFailure {
                    name: &test.name,
                    message: &test.message,
                })
                .collect(),
        }),
        coverage: checked.coverage.map(|coverage| JsonCoverage {
            lines: coverage.lines,
            covered: coverage.covered,
        }),
        remarks: &checked.remarks,
        output: &checked.output,
    });
    let all = Json {
        schema_version: 1,
        what: match what {
            What::Commit(_) => "commit",
            What::Tree(_) => "tree",
            What::Staged => "staged",
            What::Worktree => "worktree",
        },
        commit: report.commit.map(|commit| commit.to_string()),
        tree: &report.tree,
        passed: report.is_passed(),
        cancelled: report.is_cancelled,
        elapsed_ms: milliseconds(report.elapsed),
        checks: checks.collect(),
        remarks: &report.remarks,
    };
    terminal::line(serde_json::to_string_pretty(&all).unwrap_or_default());
}

fn milliseconds(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}
