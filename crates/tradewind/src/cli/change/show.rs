//! What a plan looks like, for people and for programs.

use serde::Serialize;
use tradewind_delivery::change::{Group, How, Left, Part, Plan};
use tradewind_repo::Operation;

use crate::cli::Format;
use crate::terminal::{self, Tone, paint, word};

/// Paths of one group that are shown.
const MAX_PARTS: usize = 15;
/// Places that stay out that are shown.
const MAX_LEFT: usize = 20;

#[derive(Serialize)]
struct JsonPlan<'a> {
    schema_version: u32,
    base: Option<String>,
    changed: usize,
    groups: Vec<JsonGroup<'a>>,
    left: &'a [Left],
    remarks: &'a [String],
}

#[derive(Serialize)]
struct JsonGroup<'a> {
    header: String,
    text: String,
    #[serde(flatten)]
    group: &'a Group,
}

/// Shows a plan.
pub(super) fn plan(plan: &Plan, operation: Option<Operation>, explain: bool, format: Format) {
    if format == Format::Json {
        let shown = JsonPlan {
            schema_version: 1,
            base: plan.base.map(|base| base.to_string()),
            changed: plan.changed,
            groups: plan
                .groups
                .iter()
                .map(|group| JsonGroup {
                    header: group.message.header(),
                    text: group.message.text(),
                    group,
                })
                .collect(),
            left: &plan.left,
            remarks: &plan.remarks,
        };
        terminal::line(serde_json::to_string_pretty(&shown).unwrap_or_default());
        return;
    }
    if plan.groups.is_empty() {
        terminal::line("There is nothing to commit.");
    } else {
        terminal::line(format_args!(
            "{} from {}.",
            counted(plan.groups.len(), "commit"),
            counted(plan.changed, "changed path")
        ));
    }
    for group in &plan.groups {
        terminal::line("");
        self::group(group, explain);
    }
    left(&plan.left);
    for remark in &plan.remarks {
        terminal::line(format_args!("Note: {}.", word(remark)));
    }
    if let Some(operation) = operation {
        terminal::line(format_args!(
            "Note: {} is under way here; nothing should be committed in pieces before it has ended.",
            name(operation)
        ));
    }
}

fn group(group: &Group, explain: bool) {
    terminal::line(format_args!(
        "{}  {}",
        paint(Tone::Strong, group.number),
        paint(Tone::Strong, word(group.message.header()))
    ));
    for part in group.parts.iter().take(MAX_PARTS) {
        terminal::line(format_args!("     {}", self::part(part)));
    }
    if group.parts.len() > MAX_PARTS {
        terminal::line(format_args!(
            "     and {} more paths",
            group.parts.len() - MAX_PARTS
        ));
    }
    if !explain {
        return;
    }
    for why in &group.why {
        terminal::line(paint(Tone::Dim, format!("     because {}", word(why))));
    }
    for line in &group.message.body {
        terminal::line(paint(Tone::Dim, format!("     | {}", word(line))));
    }
}

fn part(part: &Part) -> String {
    let letter = match part.how {
        How::Added => "A",
        How::Modified => "M",
        How::Deleted => "D",
        How::Renamed => "R",
    };
    let mut text = format!("{letter}  {}", word(&part.path));
    if let Some(from) = &part.from {
        text.push_str(&format!(" (was {})", word(from)));
    }
    match (part.added, part.removed) {
        (Some(added), Some(removed)) => text.push_str(&format!("  +{added} -{removed}")),
        _ => text.push_str("  (not compared by lines)"),
    }
    if let Some((some, all)) = part.hunks {
        text.push_str(&format!("  {some} of {all} hunks"));
    }
    text
}

fn left(left: &[Left]) {
    if left.is_empty() {
        return;
    }
    terminal::line("");
    terminal::line("Stays out:");
    for one in left.iter().take(MAX_LEFT) {
        let paths = if one.paths > 1 {
            format!(" ({} paths)", one.paths)
        } else {
            String::new()
        };
        terminal::line(format_args!(
            "  {}{paths}: {}.",
            word(&one.path),
            word(&one.why)
        ));
        if !one.next.is_empty() {
            terminal::line(paint(Tone::Dim, format!("      {}", word(&one.next))));
        }
    }
    if left.len() > MAX_LEFT {
        terminal::line(format_args!("  and {} more places", left.len() - MAX_LEFT));
    }
}

/// Names an operation of git in a sentence.
pub(super) fn name(operation: Operation) -> &'static str {
    match operation {
        Operation::IndexLocked => "another git (or a lock that one left behind)",
        Operation::Rebase => "a rebase",
        Operation::ApplyMail => "applying of mail",
        Operation::Merge => "a merge",
        Operation::CherryPick => "a cherry-pick",
        Operation::Revert => "a revert",
        Operation::Bisect => "a bisection",
        _ => "an operation of git",
    }
}

pub(super) fn counted(count: usize, noun: &str) -> String {
    if count == 1 {
        format!("1 {noun}")
    } else {
        format!("{count} {noun}s")
    }
}
