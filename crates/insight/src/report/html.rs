//! The System Audit Report as one HTML file: no script, no outside request, for screen, phone and paper.
//!
//! Everything from the repository is cleaned and escaped; the policy in the head forbids whatever would slip
//! through. Light and dark follow the reader's system.

use std::fmt::Write as _;

use super::plain::{clean, count, cut};
use super::system::{Priority, System, area_name, when};
use super::{Report, Told, picture};
use crate::finding::{Area, Evidence, Fix, Severity};
use crate::pages;

const STYLE: &str = include_str!("style.css");

/// Writes the report.
pub fn write(report: &Report) -> String {
    let system = System::of(report);
    let mut page = Page { out: String::new() };
    let name = text(&report.repository.name);
    page.put(&format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><meta name=\"referrer\" content=\"no-referrer\">\
         <meta name=\"color-scheme\" content=\"light dark\"><title>System Audit Report: {name}</title><style>{STYLE}</style></head><body>"
    ));
    page.head(report);
    page.put("<main>");
    page.summary(report, &system);
    page.priorities(&system);
    page.parts(&system);
    page.recommendations(&system);
    page.history(report);
    page.api_map(report);
    page.findings(report);
    page.rest(report);
    page.remarks(report);
    page.put("</main><footer>Written by <code>tradewind audit</code>. Nothing of the repository was executed. Each finding quotes the fact it rests on; \
         <code>tradewind audit --explain RULE</code> says when a rule is wrong.</footer></body></html>\n");
    page.out
}

/// Escapes text for elements and quoted attributes.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

fn text(text: &str) -> String {
    escape(&clean(text))
}

struct Page {
    out: String,
}

impl Page {
    fn put(&mut self, html: &str) {
        self.out.push_str(html);
    }

    fn head(&mut self, report: &Report) {
        let repository = &report.repository;
        let mut facts = vec![format!("Audited on {}", repository.audited_on)];
        if let Some(branch) = &repository.branch {
            facts.push(format!("branch <code>{}</code>", text(branch)));
        }
        if let Some(commit) = &repository.commit {
            let short: String = commit.chars().take(12).collect();
            facts.push(format!("commit <code>{}</code>", text(&short)));
        }
        facts.push(
            if repository.is_work_tree {
                "files as they lie in the work tree"
            } else {
                "files of that commit"
            }
            .to_owned(),
        );
        self.put(&format!(
            "<header><p class=\"kind\">System Audit Report</p><h1>{}</h1><p>{}</p>",
            text(&repository.name),
            facts.join(" · ")
        ));
        self.put("<ul class=\"counts\">");
        for (severity, n) in report.counts() {
            let zero = if n == 0 { " zero" } else { "" };
            self.put(&format!(
                "<li class=\"{0}{zero}\"><b>{n}</b> {0}</li>",
                severity.as_str()
            ));
        }
        if !report.remarks.is_empty() {
            let remarks = count(report.remarks.len(), "remark");
            let words = remarks
                .split_once(' ')
                .map_or("remarks", |(_, words)| words);
            self.put(&format!(
                "<li class=\"unknown\"><b>{}</b> {words}</li>",
                report.remarks.len()
            ));
        }
        self.put(&format!(
            "<li class=\"unknown{}\"><b>{}</b> not checked</li></ul></header>",
            if report.not_checked.is_empty() {
                " zero"
            } else {
                ""
            },
            report.not_checked.len()
        ));
    }

    fn section(&mut self, id: &str, title: &str) {
        self.put(&format!("<section id=\"{id}\"><h2>{title}</h2>"));
    }

    fn list(&mut self, points: &[String]) {
        self.put("<ul>");
        for point in points {
            self.put(&format!("<li>{}</li>", spans(point)));
        }
        self.put("</ul>");
    }

    fn summary(&mut self, report: &Report, system: &System) {
        self.section("summary", "Executive summary");
        for paragraph in &system.summary {
            self.put(&format!("<p>{}</p>", spans(paragraph)));
        }
        if !report.notices.is_empty() {
            self.list(&report.notices);
        }
        self.put("</section>");
    }

    fn priorities(&mut self, system: &System) {
        self.section("priorities", "Priority actions");
        if system.priorities.is_empty() {
            self.put("<p>None.</p></section>");
            return;
        }
        self.put("<p class=\"note\">What must be repaired first stands first.</p><table class=\"priorities\"><thead><tr><th>#</th><th>Action</th><th>Impact</th><th>Time frame</th></tr></thead><tbody>");
        for row in &system.priorities {
            self.priority(row);
        }
        self.put("</tbody></table>");
        if system.more_priorities > 0 {
            self.put(&format!(
                "<p class=\"note\">And {} of lower rank, among the findings below.</p>",
                count(system.more_priorities, "repair")
            ));
        }
        self.put("</section>");
    }

    fn priority(&mut self, row: &Priority) {
        let title = row.titles.first().map(String::as_str).unwrap_or_default();
        self.put(&format!(
            "<tr><td class=\"n\">{}</td><td data-label=\"Action\"><b>{}</b><br><span class=\"about\">{}",
            row.number,
            spans(&row.action),
            spans(title)
        ));
        if row.titles.len() > 1 {
            self.put(&format!(" and {} more", row.titles.len() - 1));
        }
        self.put("</span>");
        if let Some(command) = &row.command {
            self.put(&format!("<pre><code>{}</code></pre>", text(command)));
        }
        if !row.after.is_empty() {
            let numbers: Vec<_> = row.after.iter().map(ToString::to_string).collect();
            self.put(&format!(
                "<br><span class=\"about\">after {}</span>",
                numbers.join(", ")
            ));
        }
        self.put(&format!(
            "</td><td data-label=\"Impact\">{}</td><td data-label=\"Time frame\"><span class=\"badge {1}\">{1}</span> {2}</td></tr>",
            spans(&row.impact),
            row.severity.as_str(),
            when(row.timeframe)
        ));
    }

    fn parts(&mut self, system: &System) {
        for part in &system.parts {
            let id = part.title.to_lowercase().replace(' ', "-");
            self.section(&id, part.title);
            self.put("<div class=\"part\">");
            for (heading, points) in [
                ("Observation", &part.observation),
                ("Bottleneck", &part.bottleneck),
                ("Inefficiency", &part.inefficiency),
            ] {
                self.put(&format!("<div><h3>{heading}</h3>"));
                self.list(points);
                self.put("</div>");
            }
            self.put("</div></section>");
        }
    }

    fn recommendations(&mut self, system: &System) {
        self.section("recommendations", "Strategic recommendations");
        if system.recommendations.is_empty() {
            self.put("<p>Nothing was found that calls for one.</p>");
        } else {
            self.put("<ol class=\"advice\">");
            for advice in &system.recommendations {
                self.put(&format!(
                    "<li><b>{}.</b> <span class=\"about\">{}</span>",
                    escape(advice.title),
                    text(&advice.why)
                ));
                self.list(&advice.steps);
                self.put("</li>");
            }
            self.put("</ol>");
        }
        self.put("</section>");
    }

    fn history(&mut self, report: &Report) {
        self.section("history", "How it grew");
        let svg = picture::growth(&report.facts.growth);
        if svg.is_empty() {
            self.put("<p>No commit could be read.</p></section>");
            return;
        }
        self.put(&format!(
            "<figure class=\"wide\">{svg}<figcaption><span class=\"legend\"><span class=\"key commits\"></span> commits per {}</span> <span class=\"legend\"><span class=\"key deleted\"></span> files deleted</span> <span class=\"legend\"><span class=\"key tags\"></span> tags</span></figcaption></figure></section>",
            match report.facts.growth.column_days {
                1 => "day".to_owned(),
                7 => "week".to_owned(),
                days => format!("{days} days"),
            }
        ));
    }

    fn api_map(&mut self, report: &Report) {
        self.section("api-map", "API map");
        if report.api_map.is_empty() {
            self.put("<p>No call to a known provider was found.</p></section>");
            return;
        }
        self.put(&format!(
            "<figure class=\"wide\">{}<figcaption>Dashed: nothing starts it, or it cannot succeed.</figcaption></figure>",
            picture::api_map(&report.api_map)
        ));
        self.put("<details><summary>Every call</summary><div class=\"scroll\"><table><thead><tr><th>Provider</th><th>Endpoint</th><th>Called at</th><th>In</th><th>Started by</th><th>Key from</th><th>Reached</th></tr></thead><tbody>");
        for api in &report.api_map {
            for call in &api.calls {
                self.put(&format!(
                    "<tr><td>{}</td><td><code>{}</code></td><td><code>{}:{}</code></td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
                    text(&api.provider),
                    text(api.endpoint.as_deref().unwrap_or("not known")),
                    text(&call.path),
                    call.line,
                    call.function.as_deref().map(text).unwrap_or_default(),
                    text(&call.entry_points.join(", ")),
                    call.key_from.as_deref().map(text).unwrap_or_default(),
                    match call.reachable {
                        Some(true) => "yes",
                        Some(false) => "no",
                        None => "not known",
                    }
                ));
            }
        }
        self.put("</tbody></table></div></details></section>");
    }

    fn findings(&mut self, report: &Report) {
        self.section("findings", "Findings");
        if report.findings.is_empty() {
            self.put("<p>None.</p>");
        }
        for area in Area::ALL {
            let found: Vec<_> = report
                .findings
                .iter()
                .enumerate()
                .filter(|(_, told)| told.finding.area == *area)
                .collect();
            if found.is_empty() {
                continue;
            }
            self.put(&format!(
                "<h3 class=\"area\">{} <span class=\"about\">{}</span></h3>",
                capital(area_name(*area)),
                found.len()
            ));
            for (at, told) in found {
                self.finding(at + 1, told, told.finding.severity >= Severity::High);
            }
        }
        self.put("</section>");
    }

    fn finding(&mut self, number: usize, told: &Told, is_open: bool) {
        let finding = &told.finding;
        let open = if is_open { " open" } else { "" };
        let new = if told.is_new == Some(true) {
            " <span class=\"badge new\">new</span>"
        } else {
            ""
        };
        self.put(&format!(
            "<details class=\"finding {0}\" id=\"f{number}\"{open}><summary><span class=\"badge {0}\">{0}</span> {1}{new}</summary>",
            finding.severity.as_str(),
            spans(&finding.title)
        ));
        self.put("<ul class=\"evidence\">");
        for evidence in &finding.evidence {
            self.put(&format!(
                "<li>{}{}</li>",
                place(evidence),
                text(&evidence.note)
            ));
        }
        self.put(&format!(
            "</ul><p><b>Impact.</b> {}</p><p><b>Action.</b> {}</p>",
            spans(&finding.impact),
            spans(&finding.action)
        ));
        match &finding.fix {
            Some(Fix::Command { command }) => {
                self.put(&format!("<pre><code>{}</code></pre>", text(command)));
            }
            Some(Fix::Patch { patch }) => {
                let lines: Vec<_> = patch.lines().map(text).collect();
                self.put(&format!("<pre><code>{}</code></pre>", lines.join("\n")));
            }
            None => {}
        }
        if let Some(doubt) = pages::section(&finding.rule, "When it is wrong") {
            let doubt = doubt.replace("\n\n", "\n");
            self.put(&format!(
                "<p class=\"doubt\"><b>When this is wrong.</b> {}</p>",
                spans(&doubt)
            ));
        }
        self.put(&format!(
            "<p class=\"note\">{} · repair {} · rule <code>{}</code></p></details>",
            finding.confidence.as_str(),
            when(finding.timeframe),
            text(&finding.rule)
        ));
    }

    /// What is only possible, closed until somebody opens it.
    fn remarks(&mut self, report: &Report) {
        if report.remarks.is_empty() {
            return;
        }
        self.section("remarks", "Remarks");
        self.put(&format!(
            "<details class=\"remarks\"><summary>{}, possible only</summary><p class=\"note\">Opinions, guesses of size, and rules of which fewer than nine of ten were right when they were measured. Nothing above counts them.</p>",
            count(report.remarks.len(), "remark")
        ));
        for (at, told) in report.remarks.iter().enumerate() {
            self.finding(report.findings.len() + at + 1, told, false);
        }
        self.put("</details></section>");
    }

    fn rest(&mut self, report: &Report) {
        self.section("not-checked", "Not checked");
        if report.not_checked.is_empty() {
            self.put("<p>Every question of every rule could be decided.</p>");
        } else {
            self.put("<ul>");
            for not in &report.not_checked {
                self.put(&format!(
                    "<li><code>{}</code> {}</li>",
                    text(&not.rule),
                    text(&not.reason)
                ));
            }
            self.put("</ul>");
        }
        self.put("</section>");
        if !report.suppressed.is_empty() {
            self.section("suppressed", "Suppressed");
            self.put("<ul>");
            for (told, reason) in &report.suppressed {
                self.put(&format!(
                    "<li>{} (<code>{}</code>): {}</li>",
                    text(&told.finding.title),
                    text(&told.finding.rule),
                    text(reason)
                ));
            }
            self.put("</ul></section>");
        }
        if let Some(since) = &report.since
            && !since.went.is_empty()
        {
            self.section("gone", "Gone since the last audit");
            self.put("<ul>");
            for (rule, title) in &since.went {
                self.put(&format!(
                    "<li>{} (<code>{}</code>)</li>",
                    text(title),
                    text(rule)
                ));
            }
            self.put("</ul></section>");
        }
    }
}

fn place(evidence: &Evidence) -> String {
    let place = match (&evidence.path, evidence.line, &evidence.commit) {
        (Some(path), Some(line), _) => format!("{path}:{line}"),
        (Some(path), None, _) => path.clone(),
        (None, _, Some(commit)) => {
            format!("commit {}", cut(commit, 12).trim_end_matches('…'))
        }
        (None, _, None) => return String::new(),
    };
    format!("<code>{}</code> ", text(&place))
}

/// Writes code spans as such; rules use them in their sentences. Each piece is escaped, so whoever else brings
/// backticks along gets another font and nothing more.
fn spans(page: &str) -> String {
    let mut out = String::new();
    if page.matches('`').count() % 2 == 1 {
        return text(page);
    }
    for (at, piece) in page.split('`').enumerate() {
        if at % 2 == 1 {
            // Writing to a String cannot fail.
            write!(out, "<code>{}</code>", text(piece)).unwrap_or_default();
        } else {
            out.push_str(&text(piece));
        }
    }
    out
}

fn capital(words: &str) -> String {
    let mut chars = words.chars();
    chars
        .next()
        .map(|first| first.to_uppercase().to_string() + chars.as_str())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_of_the_repository_stays_text() {
        assert_eq!(
            text("<script>\"'&\u{1b}[1m"),
            "&lt;script&gt;&quot;&#39;&amp;\u{fffd}[1m"
        );
    }
}
