//! `ignore-comment`: lines of ignore files that ignore nothing, because a comment stands behind the pattern.

use crate::finding::{Area, Confidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};

/// Lines of ignore files with a comment behind the pattern.
#[derive(Debug)]
pub(super) struct IgnoreComment;

const ABOUT: About = About {
    id: "ignore-comment",
    title: "Ignore lines that ignore nothing",
    area: Area::Safety,
    severity: Severity::Medium,
    confidence: Confidence::Certain,
    timeframe: Timeframe::Week,
    impact: "What the line was to keep out goes in: git and Docker take the comment for a part of the file's name.",
    action: "Put the comment on a line of its own, above the pattern.",
    after: &[],
};

/// Words in a pattern or its comment that speak of what must never be committed.
const PRIVATE: &[&str] = &[
    "secret",
    "credential",
    "password",
    "token",
    "key",
    ".env",
    "private",
    "config",
];

impl Rule for IgnoreComment {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        for file in context.tree.tracked() {
            let name = file.path.rsplit('/').next().unwrap_or_default();
            if !matches!(name, ".gitignore" | ".dockerignore") {
                continue;
            }
            let text = context.tree.text(&file.path).unwrap_or_default();
            let lines: Vec<(u32, &str)> = (1_u32..)
                .zip(text.lines())
                .filter(|(_, line)| has_comment(line) && !is_ignored_anyway(context, line))
                .collect();
            let Some((_, first)) = lines.first() else {
                continue;
            };
            let is_private = lines.iter().any(|(_, line)| {
                let line = line.to_ascii_lowercase();
                PRIVATE.iter().any(|word| line.contains(word))
            });
            let evidence = lines
                .iter()
                .map(|(line, _)| context.quote(&file.path, *line))
                .collect();
            let pattern = first.split('#').next().unwrap_or_default().trim();
            let more = match lines.len() {
                1 => String::new(),
                many => format!(" and {} more lines", many - 1),
            };
            let title = format!(
                "{}: `{pattern}`{more} ignores nothing, a comment stands behind it",
                file.path
            );
            let finding = findings.add(title, evidence);
            if is_private {
                finding.severity = Severity::High;
                finding.timeframe = Timeframe::Immediate;
            }
        }
    }
}

/// Says whether another pattern ignores what a line names: nothing is lost by its comment.
fn is_ignored_anyway(context: &Context<'_>, line: &str) -> bool {
    let pattern = line.split('#').next().unwrap_or_default().trim();
    !pattern.contains(['*', '?', '[', '!'])
        && context.documents.is_ignored(pattern.trim_matches('/'))
}

/// Says whether a blank and a `#` stand behind a pattern. A name may hold a `#`; a blank before it is a comment
/// in everybody's eyes but the program's.
fn has_comment(line: &str) -> bool {
    let line = line.trim();
    let behind = line.split_once(" #").or_else(|| line.split_once("\t#"));
    behind.is_some_and(|(pattern, comment)| {
        !pattern.is_empty()
            && !pattern.starts_with('#')
            && !pattern.ends_with('\\')
            && comment.starts_with([' ', '#'])
    })
}

#[cfg(test)]
mod tests {
    use super::has_comment;

    #[test]
    fn a_comment_behind_a_pattern_is_told_from_a_name() {
        for line in [
            "/keys.json  # never commit",
            "*.db\t# local",
            "data/ ## big",
        ] {
            assert!(has_comment(line), "{line}");
        }
        for line in [
            "# a #comment # here",
            "notes#1.md",
            "my\\ #file",
            "*.py",
            "",
            "a #b",
        ] {
            assert!(!has_comment(line), "{line}");
        }
    }
}
