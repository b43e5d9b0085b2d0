//! One Python that answers for the scripts, asked case by case.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use tradewind_delivery::staged::Mode;

/// Packages that must be there, in these versions, for answers to mean something.
const NEEDS: &str = "import importlib.metadata as m, sys; \
    sys.exit(0 if m.version('pre-commit-hooks') == '6.0.0' and m.version('identify') == '2.6.20' else 1)";

pub(crate) struct Peer {
    child: Child,
    asks: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Peer {
    /// Starts it; `None`, said in the summary, where the test Python does not have the packages.
    pub(crate) fn start() -> Option<Self> {
        let python =
            std::env::var("TRADEWIND_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let has = command(&python)
            .args(["-c", NEEDS])
            .stderr(Stdio::null())
            .status();
        if !has.is_ok_and(|status| status.success()) {
            skipped(
                "hooks",
                "the test Python has no pre-commit-hooks 6.0.0 and identify 2.6.20",
            );
            return None;
        }
        let mut child = command(&python)
            .args(["-X", "utf8", "-c", include_str!("peer.py")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let asks = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().unwrap());
        Some(Self {
            child,
            asks,
            answers,
        })
    }

    fn ask(&mut self, line: &str) -> String {
        let asks = self.asks.as_mut().unwrap();
        writeln!(asks, "{line}").unwrap();
        asks.flush().unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        assert!(answer.ends_with('\n'), "no answer to {line}");
        answer.trim_end_matches('\n').to_owned()
    }

    /// Whether it is the Python whose grammar and tokens the cases are made for: others take more and less.
    pub(crate) fn is_python_of_cases(&mut self) -> bool {
        let is = self.ask("version") == "3 11";
        if !is {
            skipped("hooks of Python", "the test Python is not 3.11");
        }
        is
    }

    /// Runs a script on a file: exit code and resulting bytes.
    pub(crate) fn hook(
        &mut self,
        id: &str,
        args: &[&str],
        path: &str,
        bytes: &[u8],
    ) -> (u8, Vec<u8>) {
        let args: Vec<String> = args.iter().map(|arg| hex(arg.as_bytes())).collect();
        let answer = self.ask(&format!(
            "hook\t{id}\t{}\t{path}\t{}",
            args.join(","),
            hex(bytes)
        ));
        let (code, after) = answer.split_once('\t').unwrap();
        (code.parse().unwrap(), unhex(after))
    }

    /// Asks identify for the tags of a file.
    pub(crate) fn types(&mut self, path: &str, mode: Mode, bytes: &[u8]) -> String {
        let mode = if mode == Mode::Executable { "x" } else { "-" };
        self.ask(&format!("types\t{path}\t{mode}\t{}", hex(bytes)))
    }

    /// Asks `re.search`: `1`, `0` or `error`.
    pub(crate) fn search(&mut self, pattern: &str, path: &str) -> String {
        self.ask(&format!(
            "search\t{}\t{}",
            hex(pattern.as_bytes()),
            hex(path.as_bytes())
        ))
    }

    /// Whether pre-commit itself is there.
    pub(crate) fn has_pre_commit(&mut self) -> bool {
        let has = self.ask("has\tpre_commit.languages.pygrep") == "yes";
        if !has {
            skipped("pygrep", "the test Python has no pre-commit");
        }
        has
    }

    /// Runs pre-commit's pygrep on a file named `p`: exit code and what it said; `None` where it refuses.
    pub(crate) fn pygrep(
        &mut self,
        args: &[&str],
        pattern: &str,
        bytes: &[u8],
    ) -> Option<(u8, Vec<u8>)> {
        let args: Vec<String> = args.iter().map(|arg| hex(arg.as_bytes())).collect();
        let answer = self.ask(&format!(
            "pygrep\t{}\t{}\t{}",
            args.join(","),
            hex(pattern.as_bytes()),
            hex(bytes)
        ));
        let (code, said) = answer.split_once('\t').unwrap();
        (code != "refused").then(|| (code.parse().unwrap(), unhex(said)))
    }

    /// Asks `shlex.split`; `None` where it refuses.
    pub(crate) fn words(&mut self, line: &str) -> Option<Vec<String>> {
        let answer = self.ask(&format!("words\t{}", hex(line.as_bytes())));
        let words = answer.strip_prefix("ok\t")?;
        if line.trim().is_empty() {
            return Some(Vec::new());
        }
        Some(
            words
                .split('\t')
                .map(|word| String::from_utf8(unhex(word)).unwrap())
                .collect(),
        )
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        drop(self.asks.take());
        let _status = self.child.wait();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the test runs the tool that it compares with"
)]
fn command(program: &str) -> Command {
    Command::new(program)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        text.push_str(&format!("{byte:02x}"));
        text
    })
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len() / 2)
        .map(|at| u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).unwrap())
        .collect()
}

/// Says in the summary that a tier was skipped, or fails when CI demands it.
pub(crate) fn skipped(tier: &str, why: &str) {
    let required = std::env::var("TRADEWIND_REQUIRE").unwrap_or_default();
    assert!(
        !required.split(',').any(|t| t == tier),
        "tier {tier} is required, but {why}"
    );
    // Past the harness, which hides what a passing test prints.
    let line = format!("SKIPPED: {tier}: {why}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}
