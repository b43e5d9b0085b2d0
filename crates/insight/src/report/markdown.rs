//! The System Audit Report as Markdown.
//!
//! Text from the repository is data: what Markdown or a browser would take for markup is escaped.

use std::fmt::Write as _;

use super::plain::{clean, count, cut};
use super::system::{Priority, System, area_name, when};
use super::{Report, Told};
use crate::finding::{Evidence, Fix};

/// Writes the report.
pub fn write(report: &Report) -> String {
    let system = System::of(report);
    let mut out = String::new();
    head(report, &system, &mut out);
    for part in &system.parts {
        section(&mut out, 2, part.title);
        for (heading, points) in [
            ("Observation", &part.observation),
            ("Bottleneck", &part.bottleneck),
            ("Inefficiency", &part.inefficiency),
        ] {
            section(&mut out, 3, heading);
            for point in points {
                line(&mut out, &format!("- {}", prose(point)));
            }
        }
    }
    section(&mut out, 2, "Strategic recommendations");
    if system.recommendations.is_empty() {
        line(&mut out, "Nothing was found that calls for one.");
    }
    for (at, advice) in system.recommendations.iter().enumerate() {
        line(
            &mut out,
            &format!("{}. **{}.** {}", at + 1, advice.title, text(&advice.why)),
        );
        for step in &advice.steps {
            line(&mut out, &format!("   - {}", prose(step)));
        }
    }
    priorities(&system, &mut out);
    section(&mut out, 2, "Findings");
    if report.findings.is_empty() {
        line(&mut out, "None.");
    }
    for (at, told) in report.findings.iter().enumerate() {
        finding(at + 1, told, &mut out);
    }
    api_map(report, &mut out);
    rest(report, &mut out);
    remarks(report, &mut out);
    out
}

fn head(report: &Report, system: &System, out: &mut String) {
    let repository = &report.repository;
    line(
        out,
        &format!("# System Audit Report: {}", text(&repository.name)),
    );
    let mut facts = vec![format!("Audited on {}", repository.audited_on)];
    if let Some(commit) = &repository.commit {
        facts.push(format!(
            "commit `{}`",
            cut(commit, 12).trim_end_matches('…')
        ));
    }
    if let Some(branch) = &repository.branch {
        facts.push(format!("branch {}", code(branch)));
    }
    facts.push(
        if repository.is_work_tree {
            "files as they lie in the work tree"
        } else {
            "files of that commit"
        }
        .to_owned(),
    );
    line(out, &format!("\n{}.", facts.join(", ")));
    section(out, 2, "Executive summary");
    for paragraph in &system.summary {
        line(out, &format!("- {}", prose(paragraph)));
    }
    for notice in &report.notices {
        line(out, &format!("- {}", text(notice)));
    }
}

fn priorities(system: &System, out: &mut String) {
    section(out, 2, "Priority actions");
    if system.priorities.is_empty() {
        line(out, "None.");
        return;
    }
    line(
        out,
        "| # | Action | Impact | Severity | Time frame | First |\n|--:|---|---|---|---|---|",
    );
    for row in &system.priorities {
        line(out, &priority(row));
    }
    if system.more_priorities > 0 {
        line(
            out,
            &format!(
                "\nAnd {} of lower rank, among the findings below.",
                count(system.more_priorities, "repair")
            ),
        );
    }
}

fn priority(row: &Priority) -> String {
    let title = row.titles.first().map(String::as_str).unwrap_or_default();
    let more = row.titles.len().saturating_sub(1);
    let more = if more > 0 {
        format!(" (and {more} more)")
    } else {
        String::new()
    };
    let command = row
        .command
        .as_ref()
        .map(|command| format!("<br>{}", code(command).replace('|', "\\|")))
        .unwrap_or_default();
    let after: Vec<_> = row.after.iter().map(ToString::to_string).collect();
    format!(
        "| {} | {}<br>{}{more}{command} | {} | {} | {} | {} |",
        row.number,
        prose(&row.action),
        prose(title),
        prose(&row.impact),
        row.severity.as_str(),
        when(row.timeframe),
        after.join(", "),
    )
}

fn finding(number: usize, told: &Told, out: &mut String) {
    let finding = &told.finding;
    let new = if told.is_new == Some(true) {
        " (new)"
    } else {
        ""
    };
    section(out, 3, &format!("{number}. {}{new}", prose(&finding.title)));
    line(
        out,
        &format!(
            "{} · {} · {} · repair {} · rule `{}`\n",
            finding.severity.as_str(),
            finding.confidence.as_str(),
            area_name(finding.area),
            when(finding.timeframe),
            finding.rule
        ),
    );
    for evidence in &finding.evidence {
        line(
            out,
            &format!("- {}{}", place(evidence), text(&evidence.note)),
        );
    }
    line(out, &format!("\n*Impact:* {}", prose(&finding.impact)));
    line(out, &format!("\n*Action:* {}", prose(&finding.action)));
    match &finding.fix {
        Some(Fix::Command { command }) => {
            line(
                out,
                &format!("\n{}", fenced("console", &format!("$ {}", clean(command)))),
            );
        }
        Some(Fix::Patch { patch }) => {
            line(out, &format!("\n{}", fenced("diff", &clean_lines(patch))));
        }
        None => {}
    }
}

/// Where a fact is, and a colon; nothing for the whole repository.
fn place(evidence: &Evidence) -> String {
    let place = match (&evidence.path, evidence.line, &evidence.commit) {
        (Some(path), Some(line), _) => format!("{path}:{line}"),
        (Some(path), None, _) => path.clone(),
        (None, _, Some(commit)) => format!("commit {}", cut(commit, 12).trim_end_matches('…')),
        (None, _, None) => return String::new(),
    };
    format!("{}: ", code(&place))
}

fn api_map(report: &Report, out: &mut String) {
    section(out, 2, "API map");
    if report.api_map.is_empty() {
        line(out, "No call to a known provider was found.");
        return;
    }
    line(
        out,
        "| Provider | Endpoint | Called at | In | Started by | Key from | Reached |\n|---|---|---|---|---|---|---|",
    );
    for api in &report.api_map {
        for call in &api.calls {
            let at = format!("{}:{}", call.path, call.line);
            line(
                out,
                &format!(
                    "| {} | {} | {} | {} | {} | {} | {} |",
                    text(&api.provider),
                    api.endpoint
                        .as_deref()
                        .map_or_else(|| "not known".to_owned(), cell),
                    cell(&at),
                    call.function.as_deref().map(cell).unwrap_or_default(),
                    text(&call.entry_points.join(", ")),
                    call.key_from.as_deref().map(cell).unwrap_or_default(),
                    match call.reachable {
                        Some(true) => "yes",
                        Some(false) => "no",
                        None => "not known",
                    }
                ),
            );
        }
    }
}

fn rest(report: &Report, out: &mut String) {
    section(out, 2, "Not checked");
    if report.not_checked.is_empty() {
        line(out, "Every question of every rule could be decided.");
    }
    for not in &report.not_checked {
        line(out, &format!("- `{}`: {}", not.rule, text(&not.reason)));
    }
    if !report.suppressed.is_empty() {
        section(out, 2, "Suppressed");
        for (told, reason) in &report.suppressed {
            line(
                out,
                &format!(
                    "- {} (`{}`): {}",
                    text(&told.finding.title),
                    told.finding.rule,
                    text(reason)
                ),
            );
        }
    }
    if let Some(since) = &report.since
        && !since.went.is_empty()
    {
        section(out, 2, "Gone since the last audit");
        for (rule, title) in &since.went {
            line(out, &format!("- {} (`{}`)", text(title), clean(rule)));
        }
    }
}

/// What is only possible, closed until somebody opens it.
fn remarks(report: &Report, out: &mut String) {
    if report.remarks.is_empty() {
        return;
    }
    section(out, 2, "Remarks");
    line(
        out,
        &format!(
            "<details><summary>{}, possible only: opinions, guesses of size, and rules of which fewer than nine of ten were right</summary>",
            count(report.remarks.len(), "remark")
        ),
    );
    for (at, told) in report.remarks.iter().enumerate() {
        finding(report.findings.len() + at + 1, told, out);
    }
    line(out, "\n</details>");
}

fn section(out: &mut String, level: usize, title: &str) {
    line(out, &format!("\n{} {title}\n", "#".repeat(level)));
}

fn line(out: &mut String, text: &str) {
    // Writing to a String cannot fail.
    writeln!(out, "{text}").unwrap_or_default();
}

/// Escapes what Markdown, or a browser behind it, would take for markup.
fn text(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in clean(text).chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' | '!' => {
                out.push('\\');
                out.push(c);
            }
            // A mention would write to somebody when the report is pasted into a forge.
            '@' => out.push_str("&#64;"),
            c => out.push(c),
        }
    }
    out
}

/// Keeps the code spans of a sentence where they are whole, and escapes the rest.
fn prose(sentence: &str) -> String {
    if sentence.matches('`').count() % 2 == 1 {
        return text(sentence);
    }
    let pieces = sentence.split('`').enumerate();
    pieces
        .map(|(at, piece)| {
            if at % 2 == 1 && !piece.trim().is_empty() {
                cell(piece)
            } else {
                text(piece)
            }
        })
        .collect()
}

/// Puts a text into a code span that it cannot leave.
fn code(text: &str) -> String {
    let text = clean(text);
    let longest = text
        .split(|c| c != '`')
        .map(str::len)
        .max()
        .unwrap_or_default();
    let fence = "`".repeat(longest + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') {
        " "
    } else {
        ""
    };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// A code span inside a table, where a bar would end the cell even in code.
fn cell(text: &str) -> String {
    code(text).replace('|', "\\|")
}

fn fenced(language: &str, text: &str) -> String {
    let longest = text
        .split(|c| c != '`')
        .map(str::len)
        .max()
        .unwrap_or_default();
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}{language}\n{}\n{fence}", text.trim_end())
}

fn clean_lines(text: &str) -> String {
    text.lines().map(clean).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_of_the_repository_stays_text() {
        assert_eq!(
            text("<img src=x> [a](b) `c` @d |"),
            "&lt;img src=x&gt; \\[a\\](b) \\`c\\` &#64;d \\|"
        );
        assert_eq!(code("a`b``c"), "```a`b``c```");
    }
}
