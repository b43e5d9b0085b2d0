//! `tradewind audit`: what is wrong with a repository, with evidence, and what to repair first.
//!
//! Works in any folder, with or without daemon and store. Nothing of the repository is executed, and nothing is
//! written into it: the cache lies in the user's own folders. Where a journal is, the audit is journaled, so that
//! `--since last` can say what changed.
//! Not here: what is wrong (the rules in room `insight`), and how files look (its `report`).

mod memory;
mod text;

use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::ValueEnum;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use tradewind_catalog::Catalog;
use tradewind_core::nearest::likely;
use tradewind_host::{dirs, files};
use tradewind_insight::baseline::{self, Baseline};
use tradewind_insight::config::AuditSection;
use tradewind_insight::progress::{Doing, Progress};
use tradewind_insight::report::{Decisions, contract, html, markdown, sarif};
use tradewind_insight::{Area, Audit, Report, Request, Selection, Severity, audit, pages};
use tradewind_repo::Location;

use crate::daemon::blocking;
use crate::place::{CONFIG_FILE, Place};
use crate::report::{Exit, Failure, Outcome};
use crate::terminal::{self, Tone, paint};
use crate::wire;

/// After so long a person wants to see that something happens.
const QUIET: Duration = Duration::from_secs(1);
/// How often the progress line is drawn.
const DRAW: Duration = Duration::from_millis(100);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The repository, or a folder below it; this folder without it
    path: Option<PathBuf>,
    /// The form of the report
    #[arg(long, value_enum, default_value_t)]
    format: ReportFormat,
    /// Print the first screen only, without the details
    #[arg(long)]
    summary: bool,
    /// Write the report to this file instead of printing it
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Only these rules or areas, e.g. `unresolved-import` or `market_data`
    #[arg(long, value_name = "RULE|AREA", value_delimiter = ',')]
    only: Vec<String>,
    /// List the remarks too, which are possible only; `--fail-on` then counts them
    #[arg(long)]
    remarks: bool,
    /// Exit code 1 when a finding is at least so severe; remarks count with `--remarks` only
    #[arg(long, value_enum, value_name = "SEVERITY")]
    fail_on: Option<Level>,
    /// Leave out the findings that this file knows
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Write the findings of this audit to a baseline file
    #[arg(long, value_name = "FILE")]
    write_baseline: Option<PathBuf>,
    /// Say what changed since the last audit in the journal: `last`, or the number of its event
    #[arg(long, value_name = "LAST")]
    since: Option<String>,
    /// Read the files of this commit instead of the work tree
    #[arg(long, value_name = "COMMIT")]
    at: Option<String>,
    /// Read dated tables as of this day; without it as of today
    #[arg(long, value_name = "DATE")]
    today: Option<Date>,
    /// Print the page of a rule: what it looks for, why, how to fix, when it is wrong
    #[arg(long, value_name = "RULE", exclusive = true)]
    explain: Option<String>,
    /// List all rules by area, with what each looks for
    #[arg(long, conflicts_with_all = ["path", "only", "since", "at", "baseline", "write_baseline", "output"])]
    rules: bool,
}

/// The form of a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    /// For the terminal: one screen of summary, then the details.
    #[default]
    Text,
    /// For programs: the contract in docs/reference/audit.schema.json.
    Json,
    /// A System Audit Report for a forge or an editor.
    Markdown,
    /// A System Audit Report for a browser: one file, printable.
    Html,
    /// SARIF 2.1.0 for code-scanning pages.
    Sarif,
}

/// How severe a finding must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Level {
    /// Loses money or keys, or nothing runs.
    Critical,
    /// Breaks something that the owner relies on.
    High,
    /// Costs time sooner or later.
    Medium,
    /// Worth knowing.
    Low,
}

impl From<Level> for Severity {
    fn from(level: Level) -> Self {
        match level {
            Level::Critical => Self::Critical,
            Level::High => Self::High,
            Level::Medium => Self::Medium,
            Level::Low => Self::Low,
        }
    }
}

pub(crate) async fn run(place: &Place, args: Args) -> Outcome {
    if let Some(rule) = &args.explain {
        return explain(rule);
    }
    if args.rules {
        return list(args.format);
    }
    check_names(&args.only)?;
    let path = place
        .cwd()
        .join(args.path.as_deref().unwrap_or(Path::new("")));
    if !path.is_dir() {
        return Err(
            Failure::new(Exit::Usage, format!("{} is no folder", path.display()))
                .hint("name the folder of a repository: `tradewind audit PATH`"),
        );
    }
    let git = Place::git()?;
    let location = Location::find(&git, &path).ok();
    let (section, top) = section(location.as_ref(), &path);
    let baseline = read_baseline(place, &args, &section, &top)?;
    let last = match &args.since {
        Some(which) => Some(memory::last(place, location.as_ref(), &top, which)?),
        None => None,
    };
    let mut request = Request::new(git, &path, today(place, args.today));
    request.commit.clone_from(&args.at);
    request.cache = dirs::cache_dir().ok().map(|dir| dir.join("audit"));
    request.catalog = Arc::new(catalog());
    if !args.only.is_empty() {
        request.selection = Selection::Only(args.only.clone());
    }
    let began = tokio::time::Instant::now();
    // Never given back: taking a thousand modules apart takes longer than the process has left to live.
    let audit = ManuallyDrop::new(look(request, args.at.as_deref()).await?);
    let took = began.elapsed();
    let report = Report::of(
        &audit,
        &Decisions {
            section: section.clone(),
            baseline: baseline.as_ref(),
            last: last.as_ref(),
        },
    );
    memory::keep(place, location.as_ref(), &top, &report, took).await;
    if let Some(file) = &args.write_baseline {
        write_baseline(place, file, &report)?;
    }
    show(place, &args, &report, took)?;
    if !audit.broken.is_empty() {
        terminal::warn(format_args!(
            "{} did not come to its end; this is a bug in Tradewind, the rest of the report stands",
            audit.broken.join(", ")
        ));
    }
    let fail_on = args.fail_on.map(Severity::from).or(section.fail_on);
    Ok(match fail_on {
        Some(severity) if report.reaches(severity, args.remarks) => Exit::Found,
        _ => Exit::Done,
    })
}

fn explain(rule: &str) -> Outcome {
    let Some(page) = pages::page(rule) else {
        let failure = Failure::new(Exit::Usage, format!("there is no rule {rule:?}"));
        return Err(failure.hint(hint(rule, rules())));
    };
    terminal::line(page.trim_end());
    Ok(Exit::Done)
}

fn rules() -> impl Iterator<Item = &'static str> + Clone {
    let ids: Vec<_> = audit::abouts().iter().map(|about| about.id).collect();
    ids.into_iter()
}

/// Says which names a mistyped one may stand for, and where all of them are.
fn hint(name: &str, names: impl Iterator<Item = &'static str> + Clone) -> String {
    let all = "`tradewind audit --rules` lists all of them";
    match likely(name, names).as_slice() {
        [] => all.to_owned(),
        likely => format!("did you mean `{}`? {all}", likely.join("`, `")),
    }
}

fn check_names(only: &[String]) -> Result<(), Failure> {
    let names = || Area::ALL.iter().map(|area| area.as_str()).chain(rules());
    let unknown = only
        .iter()
        .find(|name| !names().any(|known| known == name.as_str()));
    match unknown {
        None => Ok(()),
        Some(name) => Err(Failure::new(
            Exit::Usage,
            format!("{name:?} is neither a rule nor an area"),
        )
        .hint(hint(name, names()))),
    }
}

/// Lists the rules by area.
fn list(format: ReportFormat) -> Outcome {
    let abouts = audit::abouts();
    match format {
        ReportFormat::Text => {
            let width = abouts.iter().map(|about| about.id.len()).max().unwrap_or(0);
            for area in Area::ALL {
                terminal::line(paint(Tone::Strong, area.as_str()));
                for about in abouts.iter().filter(|about| about.area == *area) {
                    terminal::line(format_args!("  {:width$}  {}", about.id, about.title));
                }
            }
            terminal::line("`tradewind audit --explain RULE` prints the page of one.");
        }
        ReportFormat::Json => {
            let rules: Vec<_> = abouts
                .iter()
                .map(|about| {
                    serde_json::json!({
                        "rule": about.id, "title": about.title, "area": about.area,
                        "severity": about.severity, "confidence": about.confidence,
                        "timeframe": about.timeframe, "impact": about.impact,
                        "action": about.action, "after": about.after,
                    })
                })
                .collect();
            let body = serde_json::json!({ "schema_version": 1, "rules": rules });
            terminal::line(serde_json::to_string_pretty(&body).unwrap_or_default());
        }
        _ => {
            return Err(
                Failure::new(Exit::Usage, "the list of rules has no such form")
                    .hint("say `--format text` or `--format json`"),
            );
        }
    }
    Ok(Exit::Done)
}

pub(super) fn today(place: &Place, asked: Option<Date>) -> Date {
    asked.unwrap_or_else(|| place.now().to_zoned(TimeZone::system()).date())
}

/// The catalog with the user's own files over it, where those can be read; their mistakes are `catalog lint`'s to tell.
pub(super) fn catalog() -> Catalog {
    dirs::config_dir()
        .ok()
        .and_then(|dir| Catalog::load(&dir.join("catalog")).ok())
        .map_or_else(Catalog::builtin, |loaded| loaded.catalog)
}

/// Returns `[audit]` of the repository's own file, and the repository's root. A file with mistakes suppresses nothing.
fn section(location: Option<&Location>, path: &Path) -> (AuditSection, PathBuf) {
    let Some(location) = location else {
        return (AuditSection::default(), path.to_owned());
    };
    let top = location.top.clone();
    let Ok(text) = wire::read_file(&top.join(CONFIG_FILE)) else {
        return (AuditSection::default(), top);
    };
    let section = wire::Config::parse(&text).map_or_else(
        |mistakes| {
            terminal::warn(format_args!(
                "{CONFIG_FILE} has {} mistakes, so its [audit] counts for nothing; `tradewind config check` lists them",
                mistakes.len()
            ));
            AuditSection::default()
        },
        |config| config.audit,
    );
    (section, top)
}

fn read_baseline(
    place: &Place,
    args: &Args,
    section: &AuditSection,
    top: &Path,
) -> Result<Option<Baseline>, Failure> {
    let file = match (&args.baseline, &section.baseline) {
        (Some(file), _) => place.cwd().join(file),
        // The repository may name a file of its own, not of somebody else's folders.
        (None, Some(file)) if !is_inside(file) => {
            return Err(Failure::new(
                Exit::Config,
                format!("`audit.baseline` in {CONFIG_FILE} leads out of the repository"),
            )
            .hint("name a file below the repository's root"));
        }
        (None, Some(file)) => top.join(file),
        (None, None) => return Ok(None),
    };
    // It is about to be written for the first time.
    if args.write_baseline.is_some() && !file.exists() {
        return Ok(None);
    }
    let failure = |error: &dyn std::error::Error| {
        Failure::because(
            Exit::Usage,
            format!("{} cannot be used as a baseline", file.display()),
            error,
        )
        .hint(format!(
            "write one with `tradewind audit --write-baseline {}`",
            file.display()
        ))
    };
    let meta = std::fs::metadata(&file).map_err(|e| failure(&e))?;
    if !meta.is_file() || meta.len() > baseline::MAX_BYTES as u64 {
        let error = std::io::Error::other("it is no file of a sensible length");
        return Err(failure(&error));
    }
    let text = std::fs::read_to_string(&file).map_err(|e| failure(&e))?;
    Baseline::parse(&text).map(Some).map_err(|e| failure(&e))
}

fn is_inside(file: &str) -> bool {
    let mut parts = Path::new(file).components();
    parts.all(|part| {
        matches!(
            part,
            std::path::Component::Normal(_) | std::path::Component::CurDir
        )
    })
}

fn write_baseline(place: &Place, file: &Path, report: &Report) -> Result<(), Failure> {
    if report.is_partial {
        return Err(Failure::new(
            Exit::Usage,
            "a baseline of some rules only would let all others fail",
        )
        .hint("leave out `--only`"));
    }
    let all = report.all().chain(&report.known);
    let baseline = Baseline::of(all);
    write(place, file, &baseline.to_text())?;
    terminal::note(format_args!(
        "Wrote {} findings to {}; `--baseline {}` leaves them out.",
        baseline.findings.len(),
        file.display(),
        file.display()
    ));
    Ok(())
}

pub(super) fn write(place: &Place, file: &Path, text: &str) -> Result<(), Failure> {
    let path = place.cwd().join(file);
    files::atomic_write(&path, text.as_bytes(), files::Mode::Keep).map_err(|e| {
        Failure::because(
            Exit::Outside,
            format!("{} cannot be written", path.display()),
            &e,
        )
        .hint("name a file in a folder that exists and that you may write to")
    })
}

/// Audits on threads of its own while this one draws, past a second, how far it is.
pub(super) async fn look(request: Request, at: Option<&str>) -> Result<Audit, Failure> {
    let progress = Arc::clone(&request.progress);
    let mut running = Box::pin(blocking(move || audit::run(&request)));
    let mut bar = None;
    let mut tick = tokio::time::interval_at(tokio::time::Instant::now() + QUIET, DRAW);
    let done = loop {
        tokio::select! {
            // Cancel-safe: the audit goes on in its own thread, whichever branch wins.
            done = &mut running => break done,
            _ = tick.tick() => draw(&mut bar, &progress),
        }
    };
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    done?.map_err(|error| match at {
        Some(commit) => Failure::because(
            Exit::Usage,
            format!("commit {commit:?} cannot be audited"),
            &error,
        )
        .hint("name a commit, branch or tag that `git log` shows"),
        None => Failure::from_error(Exit::Outside, &error)
            .hint("look at it with `git status`; `tradewind doctor` checks the rest"),
    })
}

fn draw(bar: &mut Option<indicatif::ProgressBar>, progress: &Progress) {
    if !terminal::is_watched() {
        return;
    }
    let stages = progress.get();
    let bar = bar.get_or_insert_with(|| {
        let bar = indicatif::ProgressBar::new(0);
        if let Ok(style) = indicatif::ProgressStyle::with_template("{spinner} {msg} {wide_bar}") {
            bar.set_style(style);
        }
        bar
    });
    bar.set_message(told(&stages));
    // The bar is that of the first stage whose end is known.
    let measured = stages.iter().find(|doing| doing.of > 0);
    let (done, of) = measured.map_or((0, 0), |doing| (doing.done, doing.of));
    bar.set_length(u64::try_from(of).unwrap_or_default());
    bar.set_position(u64::try_from(done).unwrap_or_default());
    bar.tick();
}

/// Says what is being done: `reading history 4000/19698, parsing 812`.
fn told(stages: &[Doing]) -> String {
    let told = stages.iter().map(|doing| match (doing.of, doing.done) {
        (0, 0) => doing.what.to_owned(),
        (0, done) => format!("{} {done}", doing.what),
        (of, done) => format!("{} {done}/{of}", doing.what),
    });
    told.collect::<Vec<_>>().join(", ")
}

fn show(place: &Place, args: &Args, report: &Report, took: Duration) -> Result<(), Failure> {
    let is_to_file = args.output.is_some();
    let whole = match args.format {
        ReportFormat::Text => text::write(
            report,
            took,
            &text::Shown {
                is_summary: args.summary,
                has_remarks: args.remarks,
                is_plain: is_to_file,
            },
        ),
        ReportFormat::Json => contract::Document::of(report).to_text(),
        ReportFormat::Markdown => markdown::write(report),
        ReportFormat::Html => html::write(report),
        ReportFormat::Sarif => sarif::write(report),
    };
    if args.format != ReportFormat::Text {
        for notice in &report.notices {
            terminal::warn(terminal::clean(notice));
        }
    }
    match &args.output {
        None => {
            terminal::line(whole.trim_end());
            Ok(())
        }
        Some(file) => {
            write(place, file, &whole)?;
            terminal::note(format_args!("Wrote {}.", file.display()));
            Ok(())
        }
    }
}
