//! The report for the terminal: one screen of summary, the most important first, then every finding.
//!
//! Everything from the repository is cleaned before it is printed. Colours follow the terminal; a report that goes
//! to a file has none.

use std::time::Duration;

use tradewind_insight::report::plain::count;
use tradewind_insight::report::system::{System, area_name, shares, when};
use tradewind_insight::report::{Report, Told};
use tradewind_insight::{Area, Evidence, Fix, Severity};

use crate::terminal::{self, Tone, clean, one_line};

/// Rows of the summary: with the lines around it they fit a screen of 24.
const TOP: usize = 8;
/// Places of one finding that are shown; the JSON has all.
const MAX_EVIDENCE: usize = 8;

/// Writes the report.
pub(super) fn write(report: &Report, took: Duration, shown: &Shown) -> String {
    let mut page = Page {
        out: String::new(),
        width: terminal::width(),
        is_plain: shown.is_plain,
    };
    page.summary(report, took);
    if shown.is_summary {
        page.remarks(report, shown);
        return page.out;
    }
    if !report.findings.is_empty() {
        page.heading("Findings, in the sequence of repair");
        for (at, told) in report.findings.iter().enumerate() {
            page.finding(at + 1, told);
        }
    }
    page.api_map(report);
    page.not_shown(report);
    page.remarks(report, shown);
    page.next(report);
    page.out
}

/// What of a report is written.
pub(super) struct Shown {
    /// The first screen only.
    pub(super) is_summary: bool,
    /// The remarks too, one line for each on the first screen.
    pub(super) has_remarks: bool,
    /// Without colours.
    pub(super) is_plain: bool,
}

struct Page {
    out: String,
    width: usize,
    is_plain: bool,
}

fn tone(severity: Severity) -> Tone {
    match severity {
        Severity::Critical => Tone::Bad,
        Severity::High => Tone::Warn,
        Severity::Medium => Tone::Strong,
        Severity::Low => Tone::Plain,
    }
}

impl Page {
    fn line(&mut self, text: impl AsRef<str>) {
        self.out.push_str(text.as_ref().trim_end());
        self.out.push('\n');
    }

    fn paint(&self, tone: Tone, text: &str) -> String {
        if self.is_plain {
            text.to_owned()
        } else {
            terminal::paint(tone, text)
        }
    }

    fn heading(&mut self, text: &str) {
        let heading = self.paint(Tone::Strong, text);
        self.line("");
        self.line(heading);
    }

    fn summary(&mut self, report: &Report, took: Duration) {
        let repository = &report.repository;
        let mut facts = Vec::new();
        if let Some(branch) = &repository.branch {
            facts.push(one_line(branch, 40));
        }
        if let Some(commit) = &repository.commit {
            facts.push(commit.chars().take(12).collect());
        }
        facts.push(count(report.facts.tracked_files, "file"));
        facts.push(count(report.facts.commits, "commit"));
        facts.push(format!("{:.1} s", took.as_secs_f64()));
        let name = self.paint(Tone::Strong, &one_line(&repository.name, 40));
        let facts = self.paint(Tone::Dim, &facts.join(" · "));
        self.line(format!("{name}  {facts}"));
        self.counts(report);
        if let Some(since) = &report.since {
            let mut line = format!(
                "Since the audit of {}: {} came, {} went.",
                since.when,
                since.came,
                since.went.len()
            );
            if since.is_cut {
                line.push_str(" Its list was cut, so some that look new may be old.");
            }
            self.wrapped("", "", &line);
        }
        for notice in &report.notices {
            let line = format!("{} {}", self.paint(Tone::Warn, "note:"), clean(notice));
            self.line(line);
        }
        let system = System::of(report);
        if system.priorities.is_empty() {
            return;
        }
        self.line("");
        let first = self.paint(Tone::Strong, "Repair first");
        self.line(first);
        for row in system.priorities.iter().take(TOP) {
            let label = self.paint(tone(row.severity), &format!("{:<8}", row.severity.as_str()));
            let title = row.titles.first().map(String::as_str).unwrap_or_default();
            let more = match row.titles.len() {
                0 | 1 => String::new(),
                n => format!(" (+{})", n - 1),
            };
            let room = self.width.saturating_sub(14 + more.len());
            self.line(format!(
                "{:>3} {label} {}{more}",
                row.number,
                one_line(title, room)
            ));
        }
        let rest = (system.priorities.len() + system.more_priorities).saturating_sub(TOP);
        if rest > 0 {
            let rest = self.paint(
                Tone::Dim,
                &format!("    and {} below", count(rest, "repair")),
            );
            self.line(rest);
        }
        self.line("");
        self.areas(report);
    }

    fn counts(&mut self, report: &Report) {
        if report.findings.is_empty() {
            let text = if report.is_partial {
                "Nothing was found by the rules that ran."
            } else {
                "Nothing was found that is wrong."
            };
            let text = self.paint(Tone::Good, text);
            self.line(text);
        } else {
            let worst = report
                .counts()
                .into_iter()
                .find(|(_, n)| *n > 0)
                .map_or(Severity::Low, |(severity, _)| severity);
            let found = self.paint(tone(worst), &count(report.findings.len(), "finding"));
            self.line(format!("{found}: {}", shares(&report.counts())));
        }
        let mut aside = Vec::new();
        if !report.not_checked.is_empty() {
            aside.push(format!("{} not checked", report.not_checked.len()));
        }
        if !report.known.is_empty() {
            aside.push(format!("{} known (baseline)", report.known.len()));
        }
        if !report.suppressed.is_empty() {
            aside.push(format!("{} suppressed", report.suppressed.len()));
        }
        if !aside.is_empty() {
            let aside = self.paint(Tone::Dim, &aside.join(" · "));
            self.line(aside);
        }
    }

    fn areas(&mut self, report: &Report) {
        let words: Vec<_> = Area::ALL
            .iter()
            .filter_map(|area| {
                let n = report
                    .findings
                    .iter()
                    .filter(|told| told.finding.area == *area)
                    .count();
                (n > 0).then(|| format!("{} {n}", area_name(*area)))
            })
            .collect();
        self.wrapped("", "", &words.join(" · "));
    }

    fn finding(&mut self, number: usize, told: &Told) {
        let finding = &told.finding;
        self.line("");
        let label = self.paint(tone(finding.severity), finding.severity.as_str());
        let new = if told.is_new == Some(true) {
            " · new"
        } else {
            ""
        };
        let facts = self.paint(
            Tone::Dim,
            &format!(
                "{} · {} · {}{new}",
                finding.confidence.as_str(),
                when(finding.timeframe),
                finding.rule
            ),
        );
        self.line(format!("{number:>3}. {label} {facts}"));
        let title = clean(&finding.title);
        for line in wrap(&title, self.width.saturating_sub(5)) {
            let line = self.paint(Tone::Strong, &line);
            self.line(format!("     {line}"));
        }
        for evidence in finding.evidence.iter().take(MAX_EVIDENCE) {
            self.evidence(evidence);
        }
        let more = finding.evidence.len().saturating_sub(MAX_EVIDENCE);
        if more > 0 {
            self.line(format!("       and {more} more; `--format json` has all"));
        }
        self.wrapped("     ", "     ", &clean(&finding.impact));
        self.wrapped("     → ", "       ", &clean(&finding.action));
        match &finding.fix {
            Some(Fix::Command { command }) => {
                let command = self.paint(Tone::Good, &one_line(command, 400));
                self.line(format!("       $ {command}"));
            }
            Some(Fix::Patch { patch }) => {
                for line in patch.lines().take(40) {
                    self.line(format!("       {}", one_line(line, 200)));
                }
            }
            None => {}
        }
    }

    fn evidence(&mut self, evidence: &Evidence) {
        let place = match (&evidence.path, evidence.line, &evidence.commit) {
            (Some(path), Some(line), _) => format!("{path}:{line}"),
            (Some(path), None, _) => path.clone(),
            (None, _, Some(commit)) => commit.chars().take(12).collect(),
            (None, _, None) => String::new(),
        };
        let place = one_line(&place, 60);
        let room = self.width.saturating_sub(9 + place.chars().count()).max(30);
        let note = one_line(&evidence.note, room);
        if place.is_empty() {
            self.line(format!("       {note}"));
        } else {
            let place = self.paint(Tone::Dim, &place);
            self.line(format!("       {place}  {note}"));
        }
    }

    fn api_map(&mut self, report: &Report) {
        if report.api_map.is_empty() {
            return;
        }
        self.heading("Who calls which provider");
        for api in &report.api_map {
            let endpoint = api.endpoint.as_deref().unwrap_or("endpoint not known");
            self.line(format!("  {} {}", clean(&api.provider), clean(endpoint)));
            for call in &api.calls {
                let function = call.function.as_deref().unwrap_or("module level");
                let key = call
                    .key_from
                    .as_ref()
                    .map(|key| format!(", key from {key}"))
                    .unwrap_or_default();
                let start = match (call.reachable, call.entry_points.first()) {
                    (Some(false), _) => ", cannot be reached".to_owned(),
                    (_, Some(first)) => format!(", started by {first}"),
                    (_, None) => String::new(),
                };
                let line = format!("{}:{} {function}{key}{start}", call.path, call.line);
                self.line(format!(
                    "    {}",
                    one_line(&line, self.width.saturating_sub(4))
                ));
            }
        }
    }

    fn not_shown(&mut self, report: &Report) {
        if !report.not_checked.is_empty() {
            self.heading("Not checked");
            for not in &report.not_checked {
                let line = clean(&format!("{}: {}", not.rule, not.reason));
                self.wrapped("  ", "    ", &line);
            }
        }
        if !report.suppressed.is_empty() {
            self.heading("Suppressed");
            for (told, reason) in &report.suppressed {
                let line = clean(&format!("{}: {}", told.finding.title, reason));
                self.wrapped("  ", "    ", &line);
            }
        }
        if let Some(since) = &report.since
            && !since.went.is_empty()
        {
            self.heading("Gone since the last audit");
            for (rule, title) in &since.went {
                self.line(format!("  {} ({})", clean(title), clean(rule)));
            }
        }
    }

    /// What is only possible: counted, or listed where somebody asked.
    fn remarks(&mut self, report: &Report, shown: &Shown) {
        if report.remarks.is_empty() {
            return;
        }
        let counted = count(report.remarks.len(), "remark");
        if !shown.has_remarks {
            let line = format!("{counted}, possible only: `tradewind audit --remarks` lists them");
            let line = self.paint(Tone::Dim, &line);
            self.line("");
            self.line(line);
            return;
        }
        self.heading(&format!("{counted}, possible only: not counted"));
        for (at, told) in report.remarks.iter().enumerate() {
            let number = report.findings.len() + at + 1;
            if shown.is_summary {
                let line = format!("{}: {}", told.finding.rule, told.finding.title);
                let room = self.width.saturating_sub(2);
                self.line(format!("  {}", one_line(&line, room)));
            } else {
                self.finding(number, told);
            }
        }
    }

    fn next(&mut self, report: &Report) {
        if !report.findings.is_empty() {
            self.line("");
            self.line("Next: `tradewind audit --explain RULE` says when a rule is wrong; `--format html -o report.html` is for reading.");
        }
    }

    fn wrapped(&mut self, first: &str, then: &str, text: &str) {
        let room = self.width.saturating_sub(then.len());
        for (at, line) in wrap(text, room).into_iter().enumerate() {
            self.line(format!("{}{line}", if at == 0 { first } else { then }));
        }
    }
}

/// Breaks a text at blanks; a word longer than a line stays whole.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split_whitespace() {
        let len = word.chars().count();
        if used > 0 && used + 1 + len > width.max(20) {
            lines.push(String::new());
            used = 0;
        }
        if let Some(line) = lines.last_mut() {
            if used > 0 {
                line.push(' ');
                used += 1;
            }
            line.push_str(word);
            used += len;
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_broken_at_blanks() {
        assert_eq!(
            wrap("aaaaaaaaaa bbbbbbbbbb cccc", 20),
            ["aaaaaaaaaa", "bbbbbbbbbb cccc"]
        );
    }
}
