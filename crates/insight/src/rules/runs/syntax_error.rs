//! `syntax-error`: files that Python cannot read.

use tradewind_repo::python::Code;

use crate::finding::{Area, Confidence, Evidence, Severity, Timeframe};
use crate::quotes::{Quotes, grouped, has_end, is_foreign};
use crate::rule::{About, Context, Findings, Rule};

static ABOUT: About = About {
    id: "syntax-error",
    title: "Files that Python cannot read",
    area: Area::Runs,
    severity: Severity::High,
    confidence: Confidence::Certain,
    timeframe: Timeframe::Immediate,
    impact: "Nothing of the file runs, and whatever imports it dies with it.",
    action: "Correct the line, or delete the file.",
    after: &[],
};

/// The rule.
pub struct SyntaxErrors;

impl Rule for SyntaxErrors {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        let mut quotes = Quotes::new(context);
        let mut old: Vec<Evidence> = Vec::new();
        for module in &context.code.modules {
            let Some(error) = module.errors.first() else {
                continue;
            };
            let path = module.path.as_ref();
            if is_foreign(path) || is_sample(path) {
                continue;
            }
            if error.message.starts_with("nested too deeply") {
                findings.not_checked(format!("{path}: {}", error.message));
                continue;
            }
            let lines: Vec<u32> = module.errors.iter().map(|error| error.line).collect();
            if let Some(line) = lines
                .iter()
                .find(|line| is_marker(quotes.line(path, **line)))
            {
                let evidence = vec![quotes.at(path, *line)];
                let finding = findings.add(
                    format!("{path} holds the markers of a merge conflict"),
                    evidence,
                );
                finding.severity = Severity::Critical;
                continue;
            }
            if let Some(line) = lines
                .iter()
                .find(|line| is_python_2(quotes.line(path, **line)))
            {
                old.push(quotes.at(path, *line));
                continue;
            }
            let words: String = error.message.chars().take(90).collect();
            let evidence = vec![quotes.noted(path, error.line, &words)];
            let finding = findings.add(format!("{path} has a syntax error"), evidence);
            if Code::is_test(path) {
                finding.area = Area::Tests;
                "These tests are not collected: what they guard is not guarded."
                    .clone_into(&mut finding.impact);
            } else if context.code.importers_of(path).next().is_some() {
                finding.severity = Severity::Critical;
            }
        }
        if !old.is_empty() {
            let count = old.len();
            let files = if count == 1 { "file is" } else { "files are" };
            let finding = grouped(
                findings,
                format!("{count} {files} written for Python 2"),
                old,
            );
            "Translate them to Python 3, or delete them.".clone_into(&mut finding.action);
            finding.timeframe = Timeframe::Week;
        }
    }
}

/// Whether a path is meant to hold broken code, or is a template.
fn is_sample(path: &str) -> bool {
    path.split('/').any(|part| {
        matches!(
            part,
            "fixtures" | "testdata" | "test_data" | "data" | "templates" | "snapshots"
        )
    }) || has_end(path, "ipynb")
}

fn is_marker(line: &str) -> bool {
    line.starts_with("<<<<<<< ") || line.starts_with(">>>>>>> ") || line.trim_end() == "======="
}

/// Whether a line is right in Python 2 and only there.
fn is_python_2(line: &str) -> bool {
    let line = line.trim();
    let rest_of = |word: &str| line.strip_prefix(word).map(str::trim_start);
    let starts_print = line.match_indices("print").any(|(at, _)| {
        let before_ok = at == 0 || line[..at].trim_end().ends_with([':', ';']);
        let after = &line[at + 5..];
        before_ok
            && after.starts_with([' ', '\t', '"', '\''])
            && !after.trim_start().starts_with(['(', '='])
    });
    starts_print
        || rest_of("except ").is_some_and(|rest| {
            rest.trim_end_matches(':')
                .split_once(',')
                .is_some_and(|(_, name)| !rest.starts_with('(') && is_word(name.trim()))
        })
        || rest_of("raise ").is_some_and(|rest| rest.contains(", \"") || rest.contains(", '"))
        || rest_of("exec ")
            .is_some_and(|rest| rest.starts_with(['"', '\'']) || rest.contains(" in "))
        || line.contains("<>")
        || line.starts_with("print >>")
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_python_2_are_known() {
        for line in [
            "print 'x'",
            "    print \"%s\" % a",
            "except ValueError, e:",
            "if x: print y",
            "raise A, 'b'",
            "print",
        ] {
            assert_eq!(is_python_2(line), line != "print", "{line}");
        }
        for line in [
            "print(x)",
            "except (A, B):",
            "raise A('x, y')",
            "x = [1, 2",
            "fingerprint = 1 2",
        ] {
            assert!(!is_python_2(line), "{line}");
        }
    }
}
