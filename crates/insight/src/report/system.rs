//! The System Audit Report as a model: summary, three parts, recommendations, priority actions.
//!
//! Every sentence is made of findings, facts and figures of this repository; where nothing was found, that is
//! what it says. `markdown` and `html` write it down.

use std::collections::BTreeMap;

use super::plain::{count, list};
use super::{Report, Told};
use crate::finding::{Area, Fix, Severity, Timeframe};

/// Rows of the table of priority actions; the rest is counted.
pub const MAX_PRIORITIES: usize = 40;
/// Points under one heading of a part.
const MAX_POINTS: usize = 3;
/// Strategic recommendations.
const MAX_RECOMMENDATIONS: usize = 6;

/// The System Audit Report.
#[derive(Clone, Debug)]
pub struct System {
    /// The executive summary, paragraph by paragraph.
    pub summary: Vec<String>,
    /// Trading operations, automation, content and knowledge.
    pub parts: Vec<Part>,
    /// What to do on the whole.
    pub recommendations: Vec<Recommendation>,
    /// What to do first, one row per repair.
    pub priorities: Vec<Priority>,
    /// Repairs beyond [`MAX_PRIORITIES`].
    pub more_priorities: usize,
}

/// One part of the owner's work.
#[derive(Clone, Debug)]
pub struct Part {
    /// Its heading.
    pub title: &'static str,
    /// What is there.
    pub observation: Vec<String>,
    /// What stops it.
    pub bottleneck: Vec<String>,
    /// What costs time or money again and again.
    pub inefficiency: Vec<String>,
}

/// One recommendation.
#[derive(Clone, Debug)]
pub struct Recommendation {
    /// What to reach.
    pub title: &'static str,
    /// Why here.
    pub why: String,
    /// The steps.
    pub steps: Vec<String>,
}

/// One repair.
#[derive(Clone, Debug)]
pub struct Priority {
    /// Its number, the first is 1.
    pub number: usize,
    /// What to do.
    pub action: String,
    /// What it is about.
    pub titles: Vec<String>,
    /// What it costs to leave it.
    pub impact: String,
    /// How severe.
    pub severity: Severity,
    /// When.
    pub timeframe: Timeframe,
    /// The command, where one exists.
    pub command: Option<String>,
    /// Numbers of the repairs that come first because this one depends on them.
    pub after: Vec<usize>,
}

const TRADING: &[Area] = &[Area::Runs, Area::MarketData, Area::Trading, Area::Safety];
const AUTOMATION: &[Area] = &[Area::Tests, Area::Ci, Area::Containers];
const KNOWLEDGE: &[Area] = &[Area::Documentation, Area::Structure, Area::History];

impl System {
    /// Builds the model.
    pub fn of(report: &Report) -> Self {
        let (priorities, more_priorities) = priorities(report);
        Self {
            summary: summary(report),
            parts: vec![
                part(report, "Trading operations", TRADING, trading_facts(report)),
                part(report, "Automation", AUTOMATION, automation_facts(report)),
                part(
                    report,
                    "Content and knowledge",
                    KNOWLEDGE,
                    knowledge_facts(report),
                ),
            ],
            recommendations: recommendations(report),
            priorities,
            more_priorities,
        }
    }
}

/// Names a severity's share: "2 critical, 5 high".
pub fn shares(counts: &[(Severity, usize)]) -> String {
    let words: Vec<_> = counts
        .iter()
        .filter(|(_, n)| *n > 0)
        .map(|(severity, n)| format!("{n} {}", severity.as_str()))
        .collect();
    list(&words)
}

/// Says when something is to be repaired.
pub fn when(timeframe: Timeframe) -> &'static str {
    match timeframe {
        Timeframe::Immediate => "before the next run",
        Timeframe::Week => "this week",
        Timeframe::Month => "this month",
    }
}

/// Names an area for readers.
pub fn area_name(area: Area) -> &'static str {
    match area {
        Area::Runs => "whether it runs",
        Area::Tests => "tests",
        Area::Ci => "CI and hooks",
        Area::Containers => "containers",
        Area::Safety => "secrets and safety",
        Area::MarketData => "market data",
        Area::Trading => "trading",
        Area::Documentation => "documentation",
        Area::Structure => "structure",
        Area::History => "history",
    }
}

fn summary(report: &Report) -> Vec<String> {
    let facts = &report.facts;
    let mut out = Vec::new();
    let mut size = format!(
        "{} holds {}",
        report.repository.name,
        count(facts.tracked_files, "tracked file")
    );
    if facts.python_files > 0 {
        size.push_str(&format!(
            ", {} with {} lines",
            count(facts.python_files, "Python file"),
            facts.python_lines
        ));
    }
    if facts.commits > 0 {
        size.push_str(&format!(
            ", and {} by {}",
            count(facts.commits, "commit"),
            count(facts.authors, "author")
        ));
        if let Some((first, last)) = facts.growth.days {
            size.push_str(&format!(" from {first} to {last}"));
        }
    }
    if facts.is_shallow {
        size.push_str(" (the clone is shallow; older history was not read)");
    }
    size.push('.');
    out.push(size);
    if report.findings.is_empty() {
        out.push("Nothing was found that is wrong.".to_owned());
    } else {
        let urgent = report
            .findings
            .iter()
            .filter(|told| told.finding.timeframe == Timeframe::Immediate)
            .count();
        let mut line = format!(
            "{}: {}.",
            count(report.findings.len(), "finding"),
            shares(&report.counts())
        );
        if urgent > 0 {
            line.push_str(&format!(
                " {urgent} should be repaired before the next run."
            ));
        }
        out.push(line);
        let top: Vec<_> = report
            .findings
            .iter()
            .filter(|told| told.finding.severity >= Severity::High)
            .take(3)
            .map(|told| sentence(&told.finding.title))
            .collect();
        if !top.is_empty() {
            out.push(format!("First of all: {}", top.join(" ")));
        }
    }
    out.extend(aside(report));
    if let Some(since) = &report.since {
        out.push(format!(
            "Since the audit of {}: {} came, {} went.",
            since.when,
            since.came,
            since.went.len()
        ));
    }
    if !report.not_checked.is_empty() {
        out.push(format!(
            "{} could not be decided; they are listed at the end and are no clean bill.",
            count(report.not_checked.len(), "question")
        ));
    }
    out
}

/// What is not counted: remarks, what the baseline knows, what is suppressed.
fn aside(report: &Report) -> Vec<String> {
    let mut out = Vec::new();
    if !report.remarks.is_empty() {
        out.push(format!(
            "{} (possible only) {} not counted; they stand at the end.",
            count(report.remarks.len(), "remark"),
            if report.remarks.len() == 1 {
                "is"
            } else {
                "are"
            }
        ));
    }
    if !report.known.is_empty() || !report.suppressed.is_empty() {
        out.push(format!(
            "Not counted: {} of the baseline, {} suppressed with a reason.",
            report.known.len(),
            report.suppressed.len()
        ));
    }
    out
}

/// Makes a text a sentence: it begins large, unless a name begins it, and it ends.
fn sentence(text: &str) -> String {
    let text = text.trim();
    let first = text.split(' ').next().unwrap_or_default();
    let is_word = !first.is_empty() && first.chars().all(|c| c.is_ascii_lowercase());
    let mut out = String::with_capacity(text.len() + 1);
    let mut chars = text.chars();
    if let Some(c) = chars.next() {
        out.push(if is_word { c.to_ascii_uppercase() } else { c });
    }
    out.push_str(chars.as_str());
    if !text.ends_with(['.', '!', '?']) {
        out.push('.');
    }
    out
}

fn part(report: &Report, title: &'static str, areas: &[Area], mut facts: Vec<String>) -> Part {
    let found: Vec<&Told> = report
        .findings
        .iter()
        .filter(|told| areas.contains(&told.finding.area))
        .collect();
    if found.is_empty() {
        facts.push("No rule of this part found anything.".to_owned());
    } else {
        let words: Vec<_> = areas
            .iter()
            .filter_map(|area| {
                let n = found
                    .iter()
                    .filter(|told| told.finding.area == *area)
                    .count();
                (n > 0).then(|| format!("{n} on {}", area_name(*area)))
            })
            .collect();
        facts.push(format!(
            "{}: {}.",
            count(found.len(), "finding"),
            list(&words)
        ));
    }
    let is_stop = |told: &&&Told| told.finding.severity >= Severity::High;
    let bottleneck: Vec<_> = found
        .iter()
        .filter(is_stop)
        .take(MAX_POINTS)
        .map(|told| {
            format!(
                "{} {}",
                sentence(&told.finding.title),
                sentence(&told.finding.impact)
            )
        })
        .collect();
    let mut rest: Vec<&&Told> = found.iter().filter(|told| !is_stop(told)).collect();
    // What is repeated most is what costs most, again and again.
    rest.sort_by_key(|told| std::cmp::Reverse(told.finding.evidence.len()));
    let inefficiency: Vec<_> = rest
        .iter()
        .take(MAX_POINTS)
        .map(|told| {
            let places = told.finding.evidence.len();
            let places = if places > 1 {
                format!(" ({places} places)")
            } else {
                String::new()
            };
            let title = sentence(&told.finding.title);
            format!(
                "{}{places}. {}",
                title.trim_end_matches('.'),
                sentence(&told.finding.impact)
            )
        })
        .collect();
    let or_none = |points: Vec<String>, none: &str| {
        if points.is_empty() {
            vec![none.to_owned()]
        } else {
            points
        }
    };
    Part {
        title,
        observation: facts,
        bottleneck: or_none(
            bottleneck,
            "None found: nothing of high or critical severity.",
        ),
        inefficiency: or_none(inefficiency, "None found."),
    }
}

fn trading_facts(report: &Report) -> Vec<String> {
    let mut out = Vec::new();
    if report.api_map.is_empty() {
        out.push("No call to a known market-data provider or broker was found.".to_owned());
        return out;
    }
    let mut by_provider: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for api in &report.api_map {
        let entry = by_provider.entry(&api.provider).or_default();
        entry.0 += api.calls.len();
        entry.1 += api
            .calls
            .iter()
            .filter(|call| call.reachable == Some(false))
            .count();
    }
    let words: Vec<_> = by_provider
        .iter()
        .map(|(provider, (calls, _))| format!("{provider} from {}", count(*calls, "place")))
        .collect();
    out.push(format!(
        "{} called: {}.",
        if words.len() == 1 {
            "One provider is"
        } else {
            "These providers are"
        },
        list(&words)
    ));
    let dead: usize = by_provider.values().map(|(_, dead)| dead).sum();
    if dead > 0 {
        out.push(format!("No entry point leads to {dead} of these calls."));
    }
    let mut keys: Vec<_> = report
        .api_map
        .iter()
        .flat_map(|api| api.calls.iter().filter_map(|call| call.key_from.clone()))
        .collect();
    keys.sort();
    keys.dedup();
    if !keys.is_empty() {
        out.push(format!("Keys come from {}.", list(&keys)));
    }
    out
}

fn automation_facts(report: &Report) -> Vec<String> {
    let facts = &report.facts;
    vec![format!(
        "There {} {}, {} and {}.",
        if facts.test_files == 1 { "is" } else { "are" },
        count(facts.test_files, "Python test file"),
        count(facts.workflows, "CI workflow"),
        count(facts.container_files, "container or compose file"),
    )]
}

fn knowledge_facts(report: &Report) -> Vec<String> {
    let facts = &report.facts;
    let is = |there: bool, what: &str| format!("{} {what}", if there { "a" } else { "no" });
    let mut out = vec![format!(
        "There is {}, {} and {}; {} in all.",
        is(facts.has_readme, "README"),
        is(facts.has_changelog, "changelog"),
        is(facts.has_licence, "licence file"),
        count(facts.pages, "page"),
    )];
    if facts.commits > 0 {
        out.push(format!(
            "{}, {} and {}.",
            count(facts.commits, "commit"),
            count(facts.merges, "merge"),
            count(facts.growth.tags.len(), "tag"),
        ));
    }
    out
}

fn goal(area: Area) -> &'static str {
    match area {
        Area::Runs => "Make a fresh clone run",
        Area::Tests => "Make green tests mean something",
        Area::Ci => "Check every change before it reaches the live bot",
        Area::Containers => "Ship an image that stops cleanly, restarts and reports its health",
        Area::Safety => "Take the keys back",
        Area::MarketData => "Put one careful door in front of the providers",
        Area::Trading => "Make each backtest honest and each order happen once",
        Area::Documentation => "Let the pages say what is there",
        Area::Structure => "Keep one copy of each thing",
        Area::History => "Make history something you can search and take back",
    }
}

fn recommendations(report: &Report) -> Vec<Recommendation> {
    let mut by_area: Vec<(Area, Vec<&Told>)> = Area::ALL
        .iter()
        .map(|area| {
            let found = report
                .findings
                .iter()
                .filter(|told| told.finding.area == *area);
            (*area, found.collect::<Vec<_>>())
        })
        .filter(|(_, found)| !found.is_empty())
        .collect();
    let weight = |found: &[&Told]| -> u32 {
        found
            .iter()
            .map(|told| match told.finding.severity {
                Severity::Critical => 27,
                Severity::High => 9,
                Severity::Medium => 3,
                Severity::Low => 1,
            })
            .sum()
    };
    by_area.sort_by_key(|(_, found)| std::cmp::Reverse(weight(found)));
    by_area
        .into_iter()
        .take(MAX_RECOMMENDATIONS)
        .map(|(area, found)| {
            let mut steps: Vec<String> = Vec::new();
            for told in &found {
                // One step per repair; the first finding that needs it says where to begin.
                let action = sentence(&told.finding.action);
                if steps.len() < 4 && !steps.iter().any(|step| step.starts_with(&action)) {
                    steps.push(format!("{action} ({})", told.finding.title.trim()));
                }
            }
            let counts = [
                Severity::Critical,
                Severity::High,
                Severity::Medium,
                Severity::Low,
            ]
            .map(|severity| {
                let n = found
                    .iter()
                    .filter(|told| told.finding.severity == severity);
                (severity, n.count())
            });
            Recommendation {
                title: goal(area),
                why: format!(
                    "{} on {}: {}.",
                    count(found.len(), "finding"),
                    area_name(area),
                    shares(&counts)
                ),
                steps,
            }
        })
        .collect()
}

/// One row per rule and action, in the sequence of the findings.
fn priorities(report: &Report) -> (Vec<Priority>, usize) {
    let after: BTreeMap<_, _> = crate::audit::abouts()
        .into_iter()
        .map(|about| (about.id, about.after))
        .collect();
    let mut rows: Vec<(String, Priority)> = Vec::new();
    for told in &report.findings {
        let finding = &told.finding;
        let command = match &finding.fix {
            Some(Fix::Command { command }) => Some(command.clone()),
            Some(Fix::Patch { .. }) | None => None,
        };
        let same = rows.iter_mut().find(|(rule, row)| {
            *rule == finding.rule && row.action == finding.action && row.command == command
        });
        if let Some((_, row)) = same {
            row.titles.push(finding.title.clone());
            row.severity = row.severity.max(finding.severity);
            row.timeframe = row.timeframe.min(finding.timeframe);
            continue;
        }
        let first = after
            .get(finding.rule.as_str())
            .copied()
            .unwrap_or_default();
        let after = rows
            .iter()
            .filter(|(rule, _)| first.contains(&rule.as_str()))
            .map(|(_, row)| row.number)
            .collect();
        rows.push((
            finding.rule.clone(),
            Priority {
                number: rows.len() + 1,
                action: finding.action.clone(),
                titles: vec![finding.title.clone()],
                impact: finding.impact.clone(),
                severity: finding.severity,
                timeframe: finding.timeframe,
                command,
                after,
            },
        ));
    }
    let more = rows.len().saturating_sub(MAX_PRIORITIES);
    rows.truncate(MAX_PRIORITIES);
    (rows.into_iter().map(|(_, row)| row).collect(), more)
}
