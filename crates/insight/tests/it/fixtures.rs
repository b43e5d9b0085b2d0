//! Every rule on its fixtures: `fires*.txt` must be found exactly, `near*.txt` must stay silent.
//!
//! Each fixture becomes a real git repository in a temporary folder, and only its rule runs. All differences
//! are reported at once. To work on one rule:
//! `TRADEWIND_RULE=unresolved-import cargo test -p tradewind-insight --test it fixtures -- --nocapture`
//! prints what was found, as `expect:` lines.
//!
//! The form of a fixture is described in `docs/how-to/add-an-audit-rule.md`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::civil::{Date, date};
use tradewind_host::git::Git;
use tradewind_insight::{Audit, Evidence, Finding, Request, Selection, audit};

use crate::scratch::Scratch;

/// The date of every fixture's audit, unless it says `today: 2026-…`.
const TODAY: Date = date(2026, 11, 1);
/// A quoted fact is at most this long: 160 characters of a line, and room for words around it.
const MAX_NOTE_CHARS: usize = 240;
/// Twenty places, then "and N more".
const MAX_EVIDENCE: usize = 21;

/// One `expect:` or `remark:` line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Expected {
    text: String,
    /// Whether it has to be a remark: possible only.
    is_remark: bool,
    path: Option<String>,
    line: Option<u32>,
    subject: Option<String>,
    words: String,
}

impl Expected {
    fn parse(text: &str) -> Self {
        let (place, words) = text.split_once(" | ").unwrap_or((text, ""));
        let place = place.trim();
        let mut expected = Self {
            text: text.trim().to_owned(),
            words: words.trim().to_lowercase(),
            ..Self::default()
        };
        if let Some(subject) = place.strip_prefix("commit ") {
            expected.subject = Some(subject.trim().to_owned());
        } else if place != "-" {
            let numbered = place
                .rsplit_once(':')
                .and_then(|(path, line)| Some((path, line.parse().ok()?)));
            expected.line = numbered.map(|(_, line)| line);
            expected.path = Some(numbered.map_or(place, |(path, _)| path).to_owned());
        }
        expected
    }

    fn fits(&self, finding: &Finding, subjects: &BTreeMap<String, String>) -> bool {
        let Some(first) = finding.evidence.first() else {
            return false;
        };
        if finding.is_remark() != self.is_remark {
            return false;
        }
        let place = match (&self.subject, &self.path) {
            (Some(subject), _) => first
                .commit
                .as_ref()
                .is_some_and(|commit| subjects.get(commit) == Some(subject)),
            (None, None) => first.path.is_none(),
            (None, Some(path)) => {
                first.path.as_ref() == Some(path)
                    && (self.line.is_none() || first.line == self.line)
            }
        };
        place
            && (finding.title.to_lowercase().contains(&self.words)
                || finding
                    .evidence
                    .iter()
                    .any(|evidence| evidence.note.to_lowercase().contains(&self.words)))
    }
}

/// A repository and what is expected of the audit of it.
struct Built {
    scratch: Scratch,
    expected: Vec<Expected>,
    not_checked: Vec<String>,
    today: Date,
}

/// One section: what its head line says, and its content.
struct Section<'a> {
    head: &'a str,
    content: String,
}

fn section_head(line: &str) -> Option<&str> {
    line.strip_prefix("-- ")?.strip_suffix(" --")
}

fn sections(text: &str) -> (Vec<&str>, Vec<Section<'_>>) {
    let (mut head, mut sections) = (Vec::new(), Vec::<Section<'_>>::new());
    for line in text.split_inclusive('\n') {
        let bare = line.trim_end_matches('\n').trim_end_matches('\r');
        if let Some(head) = section_head(bare) {
            let content = String::new();
            sections.push(Section { head, content });
        } else if let Some(section) = sections.last_mut() {
            section.content.push_str(line);
        } else {
            head.push(bare);
        }
    }
    (head, sections)
}

fn build(git: &Git, text: &str) -> Result<Built, String> {
    let (head, sections) = sections(text);
    let mut built = Built {
        scratch: Scratch::new(git),
        expected: Vec::new(),
        not_checked: Vec::new(),
        today: TODAY,
    };
    for line in head {
        let line = line.trim();
        if let Some(rest) = line.strip_prefix("expect:") {
            built.expected.push(Expected::parse(rest.trim()));
        } else if let Some(rest) = line.strip_prefix("remark:") {
            built.expected.push(Expected {
                is_remark: true,
                ..Expected::parse(rest.trim())
            });
        } else if let Some(rest) = line.strip_prefix("expect-not-checked:") {
            built.not_checked.push(rest.trim().to_lowercase());
        } else if let Some(rest) = line.strip_prefix("today:") {
            built.today = rest
                .trim()
                .parse()
                .map_err(|e| format!("today: {rest}: {e}"))?;
        } else if !line.is_empty() && !line.starts_with('#') {
            return Err(format!("what is the head line {line:?}?"));
        }
    }
    let repository = &mut built.scratch;
    let (mut is_open, mut untracked) = (false, Vec::new());
    for Section { head, content } in sections {
        let (word, rest) = head.split_once(": ").unwrap_or(("", head));
        let rest = rest.trim();
        match word {
            "commit" => {
                repository.commit(&commit_message(rest, &content));
                is_open = false;
                continue;
            }
            "delete" => repository.remove(rest),
            "untracked" => {
                untracked.push((rest.to_owned(), content));
                continue;
            }
            "forced" => {
                repository.write(rest, content.as_bytes());
                repository.run(&["add", "-f", "--", rest]);
            }
            "binary" => {
                let (path, bytes) = rest.rsplit_once(' ').ok_or("binary: PATH BYTES")?;
                let bytes: usize = bytes.parse().map_err(|e| format!("{head}: {e}"))?;
                repository.write(path, &noise(bytes));
            }
            "tag" => drop(repository.run(&["tag", "-a", "-m", rest, rest])),
            "branch" => drop(repository.run(&["checkout", "-q", "-B", rest])),
            "switch" => drop(repository.run(&["checkout", "-q", rest])),
            "merge" => {
                let message = format!("Merge branch '{rest}'");
                repository.run(&["merge", "-q", "--no-ff", "-m", &message, rest]);
                repository.pass(1);
            }
            "author" => {
                let (name, email) = rest.split_once(" <").ok_or("author: NAME <EMAIL>")?;
                let email = email.trim_end_matches('>');
                repository.author = (name.to_owned(), email.to_owned());
            }
            "hours" => repository.pass(rest.parse().map_err(|e| format!("{head}: {e}"))?),
            "minutes" => {
                repository.hasten(rest.parse().map_err(|e| format!("{head}: {e}"))?);
            }
            // A path may hold a colon, too.
            _ => repository.write(head.trim(), content.as_bytes()),
        }
        is_open |= matches!(word, "" | "delete" | "forced" | "binary");
    }
    if is_open {
        repository.commit("initial");
    }
    for (path, content) in untracked {
        repository.write(&path, content.as_bytes());
    }
    Ok(built)
}

/// The subject, and the section's text as the message's body.
fn commit_message(subject: &str, content: &str) -> String {
    let body = content.trim_end();
    if body.is_empty() {
        subject.to_owned()
    } else {
        format!("{subject}\n\n{body}")
    }
}

/// Bytes that no one takes for text, the same on each machine.
fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut out = vec![0];
    out.extend((1..bytes).map(|_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    }));
    out.truncate(bytes);
    out
}

/// Pairs expectations with findings so that as many as possible are paired; returns what is left of both.
fn unpaired(
    expected: &[Expected],
    found: &[Finding],
    subjects: &BTreeMap<String, String>,
) -> (Vec<usize>, Vec<usize>) {
    fn place(
        at: usize,
        fits: &[Vec<usize>],
        seen: &mut [bool],
        taken: &mut [Option<usize>],
    ) -> bool {
        for &to in &fits[at] {
            if std::mem::replace(&mut seen[to], true) {
                continue;
            }
            if taken[to].is_none_or(|other| place(other, fits, seen, taken)) {
                taken[to] = Some(at);
                return true;
            }
        }
        false
    }
    let fits: Vec<Vec<usize>> = expected
        .iter()
        .map(|expected| {
            (0..found.len())
                .filter(|at| expected.fits(&found[*at], subjects))
                .collect()
        })
        .collect();
    let mut taken = vec![None; found.len()];
    let missing = (0..expected.len())
        .filter(|at| !place(*at, &fits, &mut vec![false; found.len()], &mut taken))
        .collect();
    let extra = (0..found.len()).filter(|at| taken[*at].is_none()).collect();
    (missing, extra)
}

fn subjects(scratch: &Scratch) -> BTreeMap<String, String> {
    scratch
        .run(&["log", "--all", "--format=%H %s"])
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(id, subject)| (id.to_owned(), subject.to_owned()))
        .collect()
}

fn first_place(finding: &Finding, subjects: &BTreeMap<String, String>) -> String {
    match finding.evidence.first() {
        Some(Evidence {
            path: Some(path),
            line: Some(line),
            ..
        }) => format!("{path}:{line}"),
        Some(Evidence {
            path: Some(path), ..
        }) => path.clone(),
        Some(Evidence {
            commit: Some(id), ..
        }) => format!("commit {}", subjects.get(id).map_or("?", String::as_str)),
        _ => "-".to_owned(),
    }
}

/// What every finding must keep, whatever the rule.
fn malformed(finding: &Finding, scratch: &Scratch) -> Vec<String> {
    let mut wrong = Vec::new();
    if finding.evidence.is_empty() || finding.evidence.len() > MAX_EVIDENCE {
        wrong.push(format!("has {} evidences", finding.evidence.len()));
    }
    let texts = [
        &finding.title,
        &finding.impact,
        &finding.action,
        &finding.rule,
    ];
    if texts.iter().any(|text| text.trim().is_empty()) {
        wrong.push("lacks a title, an impact or an action".to_owned());
    }
    if finding.title.chars().count() > MAX_NOTE_CHARS || finding.title.contains('\n') {
        wrong.push("has a title of more than a line".to_owned());
    }
    for evidence in &finding.evidence {
        if evidence.note.chars().count() > MAX_NOTE_CHARS || evidence.note.contains('\n') {
            wrong.push(format!("quotes more than a line: {:?}", evidence.note));
        }
        if evidence.commit.is_none()
            && let (Some(path), Some(line)) = (&evidence.path, evidence.line)
        {
            let bytes = std::fs::read(scratch.top.join(path)).unwrap_or_default();
            let lines = String::from_utf8_lossy(&bytes).lines().count();
            if line == 0 || line as usize > lines {
                wrong.push(format!(
                    "points at {path}:{line}, the file has {lines} lines"
                ));
            }
        }
    }
    wrong
}

/// Runs one fixture; returns what differs, and for a single rule what was found.
fn run_fixture(git: &Git, rule: &str, path: &Path, is_verbose: bool) -> Vec<String> {
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    let text = std::fs::read_to_string(path).unwrap().replace("\r\n", "\n");
    let built = match build(git, &text) {
        Ok(built) => built,
        Err(error) => return vec![format!("cannot be built: {error}")],
    };
    let mut request = Request::new(git.clone(), &built.scratch.top, built.today);
    request.selection = Selection::Only(vec![rule.to_owned()]);
    let audit = match audit::run(&request) {
        Ok(audit) => audit,
        Err(error) => return vec![format!("cannot be audited: {error}")],
    };
    let subjects = subjects(&built.scratch);
    if is_verbose {
        tell(&name, &audit, &subjects);
    }
    let mut wrong = differences(&built, &audit, &subjects);
    if name.starts_with("near") && !built.expected.is_empty() {
        wrong.push("near.txt expects a finding".to_owned());
    }
    if name.starts_with("fires") && built.expected.is_empty() {
        wrong.push("fires.txt expects no finding".to_owned());
    }
    wrong
}

/// The word that a fixture expects a finding by.
fn word(finding: &Finding) -> &'static str {
    if finding.is_remark() {
        "remark"
    } else {
        "expect"
    }
}

#[expect(
    clippy::print_stdout,
    reason = "whoever works on one rule asked for it"
)]
fn tell(name: &str, audit: &Audit, subjects: &BTreeMap<String, String>) {
    println!("== {name}");
    for finding in &audit.findings {
        println!(
            "{}: {} | {}",
            word(finding),
            first_place(finding, subjects),
            finding.title
        );
        for evidence in &finding.evidence {
            println!("    {evidence:?}");
        }
        println!("    fix {:?}", finding.fix);
    }
    for not_checked in &audit.not_checked {
        println!("not checked: {} | {}", not_checked.rule, not_checked.reason);
    }
}

fn differences(built: &Built, audit: &Audit, subjects: &BTreeMap<String, String>) -> Vec<String> {
    let mut wrong: Vec<_> = audit
        .broken
        .iter()
        .map(|rule| format!("{rule} panicked or took too long"))
        .collect();
    let (missing, extra) = unpaired(&built.expected, &audit.findings, subjects);
    wrong.extend(
        missing
            .iter()
            .map(|at| format!("missing: {}", built.expected[*at].text)),
    );
    wrong.extend(extra.iter().map(|at| {
        let finding = &audit.findings[*at];
        format!(
            "unexpected {}: {} | {} ({})",
            word(finding),
            first_place(finding, subjects),
            finding.title,
            finding.evidence[0].note
        )
    }));
    for words in &built.not_checked {
        if !audit
            .not_checked
            .iter()
            .any(|not| not.reason.to_lowercase().contains(words))
        {
            wrong.push(format!("nothing not checked holds {words:?}"));
        }
    }
    for finding in &audit.findings {
        wrong.extend(
            malformed(finding, &built.scratch)
                .iter()
                .map(|what| format!("{:?} {what}", finding.title)),
        );
    }
    wrong
}

/// Returns every fixture: rule and file.
pub(crate) fn fixtures() -> Vec<(String, PathBuf)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut found = Vec::new();
    for folder in std::fs::read_dir(root).into_iter().flatten() {
        let folder = folder.unwrap().path();
        if !folder.is_dir() {
            continue;
        }
        let rule = folder.file_name().unwrap().to_string_lossy().into_owned();
        for file in std::fs::read_dir(&folder).unwrap() {
            let file = file.unwrap().path();
            if file.extension().is_some_and(|e| e == "txt") {
                found.push((rule.clone(), file));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn every_rule_finds_what_its_fixtures_hold_and_nothing_else() {
    let git = Git::discover().unwrap();
    let only = std::env::var("TRADEWIND_RULE").ok();
    let fixtures: Vec<_> = fixtures()
        .into_iter()
        .filter(|(rule, _)| only.as_ref().is_none_or(|only| only == rule))
        .collect();
    assert!(
        only.is_none() || !fixtures.is_empty(),
        "{} has no fixture",
        only.unwrap_or_default()
    );
    let next = AtomicUsize::new(0);
    let wrong = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                while let Some((rule, path)) = fixtures.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let run =
                        std::panic::catch_unwind(|| run_fixture(&git, rule, path, only.is_some()));
                    let lines = run.unwrap_or_else(|_| vec!["the test panicked".to_owned()]);
                    if !lines.is_empty() {
                        let name = path.file_name().unwrap().to_string_lossy().into_owned();
                        wrong.lock().unwrap().insert((rule.clone(), name), lines);
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    let mut report = String::new();
    for ((rule, name), lines) in &wrong {
        writeln!(report, "{rule}/{name}").unwrap();
        for line in lines {
            writeln!(report, "    {line}").unwrap();
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} fixtures differ:\n{report}",
        wrong.len(),
        fixtures.len()
    );
}

#[test]
fn a_fixture_becomes_the_repository_that_it_describes() {
    let git = Git::discover().unwrap();
    let text = "# A comment\nexpect: a.py:2 | words here\nexpect: commit second | x\nexpect: - | whole\n\
        -- .gitignore --\nlib/\n-- a.py --\nimport os\nx = 1\n-- commit: first --\n-- lib/b.py --\n-- forced: lib/c.py --\ny = 2\n\
        -- delete: a.py --\n-- commit: second --\nWhy it was done.\n-- tag: v1 --\n-- branch: side --\n-- d.py --\n-- untracked: e.py --\n";
    let built = build(&git, text).unwrap();
    let tracked = built.scratch.run(&["ls-files"]);
    assert_eq!(
        tracked.lines().collect::<Vec<_>>(),
        [".gitignore", "d.py", "lib/c.py"]
    );
    assert_eq!(
        built
            .scratch
            .run(&["log", "--reverse", "--format=%s|%b|%an <%ae>|%ad%d"]),
        "first||Owner <owner@example.invalid>|Mon Jan 5 09:00:00 2026 +0000\n\
         second|Why it was done.\n|Owner <owner@example.invalid>|Mon Jan 5 10:00:00 2026 +0000 (tag: v1, main)\n\
         initial||Owner <owner@example.invalid>|Mon Jan 5 11:00:00 2026 +0000 (HEAD -> side)"
    );
    assert!(built.scratch.top.join("lib/b.py").exists() && built.scratch.top.join("e.py").exists());
    assert_eq!(
        (built.expected[0].line, built.expected[0].path.as_deref()),
        (Some(2), Some("a.py"))
    );
    assert_eq!(built.expected[1].subject.as_deref(), Some("second"));
    assert_eq!(built.expected[2].words, "whole");
}
