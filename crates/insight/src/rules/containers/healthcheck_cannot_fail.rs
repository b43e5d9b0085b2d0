//! Health checks that are always well.

use tradewind_repo::project::dockerfile::{Dockerfile, Instruction};

use crate::finding::{Area, Confidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};

/// Health checks that are always well.
#[derive(Debug)]
pub struct HealthcheckCannotFail;

const ABOUT: About = About {
    id: "healthcheck-cannot-fail",
    title: "Health checks that cannot fail",
    area: Area::Containers,
    severity: Severity::Medium,
    confidence: Confidence::Certain,
    timeframe: Timeframe::Week,
    impact: "The container counts as healthy whatever happens inside: a loop that hangs is neither told nor restarted, and everybody believes that it would be.",
    action: "Ask something that can say no, such as whether the last poll is young enough, and end with its exit code.",
    after: &[],
};

impl Rule for HealthcheckCannotFail {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        for file in super::services(context) {
            let Some(check) = check_of(file) else {
                continue;
            };
            // What compose says instead is asked instead.
            let services = super::compose_services(context, file);
            if services.iter().any(|service| service.healthcheck.is_some()) {
                continue;
            }
            let Some(why) = cannot_fail(check) else {
                continue;
            };
            findings.add(
                format!("{}: the health check cannot fail", file.path),
                vec![context.quote_with(&file.path, check.line, why)],
            );
        }
    }
}

/// Returns the health check of what is shipped, unless it is switched off.
fn check_of(file: &Dockerfile) -> Option<&Instruction> {
    let last = file
        .shipped()
        .into_iter()
        .rfind(|instruction| instruction.keyword.as_ref() == "HEALTHCHECK")?;
    (!last.rest.trim().eq_ignore_ascii_case("none")).then_some(last)
}

/// Says why a check ends well every time; `None` where it may not.
fn cannot_fail(check: &Instruction) -> Option<&'static str> {
    let command = check.rest.trim();
    let command = command.strip_prefix("CMD").unwrap_or(command).trim();
    let words = exec(command);
    let line = match &words {
        Some(words) => words.join(" "),
        None => command.to_owned(),
    };
    let line = line.trim().trim_end_matches(['"', '\'']).trim();
    if [
        "|| true",
        "|| exit 0",
        "|| :",
        "; exit 0",
        "; true",
        "||true",
        ";exit 0",
    ]
    .iter()
    .any(|end| line.ends_with(end))
    {
        return Some("whatever goes wrong before, the end says that all is well");
    }
    if matches!(line, "true" | "exit 0" | ":" | "/bin/true")
        || line.starts_with("echo ") && is_one(line)
    {
        return Some("nothing is asked");
    }
    if let Some((_, program)) = line.split_once("python")
        && let Some((_, program)) = program.split_once("-c ")
        && asks_nothing(program)
    {
        return Some("prints or ends, and asks nothing");
    }
    let name = searched_by_its_line(line).filter(|_| words.is_none() && !is_one(line))?;
    line.contains(name).then_some(
        "the shell that runs the check has the name in its own command line, and finds itself",
    )
}

/// Reads the words of the exec form.
fn exec(command: &str) -> Option<Vec<String>> {
    let inside = command.strip_prefix('[')?.strip_suffix(']')?;
    let words = inside.split("\",");
    Some(
        words
            .map(|word| word.trim().trim_matches('"').to_owned())
            .collect(),
    )
}

/// Says whether a line is a single command: a shell gives its place to that one.
fn is_one(line: &str) -> bool {
    !line.contains("||") && !line.contains("&&") && !line.contains([';', '|'])
}

/// Says whether a program given by `-c` does nothing but print, import or end.
fn asks_nothing(program: &str) -> bool {
    let program = program.trim().trim_matches(['"', '\'', '\\']);
    program
        .split(';')
        .map(|statement| statement.trim().trim_matches(['"', '\'', '\\']))
        .filter(|statement| !statement.is_empty())
        .all(|statement| {
            let is_said = statement.strip_prefix("print(").is_some_and(|rest| {
                let given = rest.trim_end_matches(')');
                !given.contains('(')
            });
            is_said
                || statement == "pass"
                || statement == "import sys"
                || matches!(
                    statement,
                    "exit(0)" | "sys.exit(0)" | "sys.exit()" | "exit()" | "quit()"
                )
        })
}

/// Returns what `pgrep -f` looks for in command lines. `[b]ot.py` does not find itself, and is left out.
fn searched_by_its_line(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once("pgrep ")?;
    let mut words = rest.split_whitespace();
    let mut by_line = false;
    let name = loop {
        let word = words.next()?;
        match word.strip_prefix('-') {
            Some(flags) => by_line |= flags.contains('f'),
            None => break word,
        }
    };
    let name = name.trim_matches(['"', '\'']);
    let is_pattern = name.contains(['[', '^', '$', '\\']);
    (by_line && !is_pattern && !name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_that_ask_nothing_are_told_from_those_that_ask() {
        assert!(asks_nothing("\"print('ok')\""));
        assert!(asks_nothing("\"import sys; sys.exit(0)\""));
        assert!(!asks_nothing(
            "\"import urllib.request; urllib.request.urlopen('http://x')\""
        ));
        assert!(!asks_nothing("\"import bot\""));
        assert!(!asks_nothing("\"print(open('/tmp/beat').read())\""));
    }

    #[test]
    fn a_search_finds_the_shell_that_made_it() {
        assert_eq!(
            searched_by_its_line("pgrep -f \"bot.py\" > /dev/null || exit 1"),
            Some("bot.py")
        );
        assert_eq!(searched_by_its_line("pgrep -f '[b]ot.py' || exit 1"), None);
        assert_eq!(searched_by_its_line("pgrep bot || exit 1"), None);
    }
}
