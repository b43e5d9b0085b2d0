//! What the tests of the whole share: a user with a state directory, a repository, and the program.

#![expect(
    clippy::disallowed_methods,
    reason = "tests start the program and git themselves"
)]

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tradewind_core::{Event, EventKind, Seq};
use tradewind_journal::{Filter, Reader};

/// How long a test waits for something that must happen. Generous: only a failing test waits so long.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// A user with a home, a state directory and the program.
pub(crate) struct User {
    pub(crate) home: TempDir,
    variables: Vec<(String, String)>,
}

impl User {
    pub(crate) fn new() -> Self {
        Self {
            home: tempfile::tempdir().unwrap(),
            variables: Vec::new(),
        }
    }

    /// Sets a variable for everything that is started from now on.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.home.path().join("state")
    }

    /// Writes the user's own `config.toml`.
    pub(crate) fn configure(&mut self, text: &str) {
        let dir = self.home.path().join("configuration");
        // Where the platform has no such variable the test would read the real user's file.
        self.set("XDG_CONFIG_HOME", &dir.display().to_string());
        let dir = dir.join("tradewind");
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("config.toml"), text).unwrap();
    }

    pub(crate) fn tradewind(&self, dir: &Path) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tradewind"));
        command
            .current_dir(dir)
            .env("HOME", self.home.path())
            .env("TRADEWIND_STATE", self.state())
            .env("USER", "ada")
            .env_remove("TRADEWIND_LISTEN")
            .env_remove("TRADEWIND_LOG")
            .env("NO_COLOR", "1")
            .env("TZ", "UTC")
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        command
    }

    /// Runs a command and returns what it said, whatever its exit code.
    pub(crate) fn run(&self, dir: &Path, args: &[&str]) -> Said {
        Said::from(self.tradewind(dir).args(args).output().unwrap())
    }

    /// Runs a command that must succeed; returns its standard output.
    pub(crate) fn ok(&self, dir: &Path, args: &[&str]) -> String {
        let said = self.run(dir, args);
        assert_eq!(said.code, Some(0), "tradewind {args:?}\n{said:#?}");
        said.out
    }

    /// Starts a daemon in the foreground and waits until it watches.
    pub(crate) fn up(&self, dir: &Path) -> Daemon {
        self.up_on(dir, &["--listen", "127.0.0.1:0"])
    }

    /// Starts a daemon that listens as these arguments say.
    pub(crate) fn up_on(&self, dir: &Path, args: &[&str]) -> Daemon {
        let mut child = self
            .tradewind(dir)
            .arg("up")
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut said = String::new();
        while !said.contains("First page:") {
            let mut line = String::new();
            if out.read_line(&mut line).unwrap() == 0 {
                let mut error = String::new();
                child
                    .stderr
                    .take()
                    .unwrap()
                    .read_to_string(&mut error)
                    .unwrap();
                panic!("the daemon ended: {said}{error}");
            }
            said.push_str(&line);
        }
        let card: serde_json::Value =
            serde_json::from_slice(&std::fs::read(self.state().join("daemon.json")).unwrap())
                .unwrap();
        let address = card["address"].as_str().unwrap().parse().unwrap();
        let token = std::fs::read_to_string(self.state().join("daemon.token"))
            .unwrap()
            .trim()
            .to_owned();
        Daemon {
            child,
            address,
            token,
            said,
            _out: out,
        }
    }

    pub(crate) fn reader(&self) -> Reader {
        Reader::open(&self.state()).unwrap()
    }

    pub(crate) fn events(&self, kinds: &[EventKind]) -> Vec<Event> {
        self.reader()
            .select(&Filter {
                kinds: kinds.to_vec(),
                ..Filter::default()
            })
            .unwrap()
    }

    /// Waits for the first event of `kind` after `after`.
    pub(crate) fn wait(&self, after: Seq, kind: EventKind) -> Event {
        let filter = Filter {
            after,
            kinds: vec![kind],
            limit: 1,
            ..Filter::default()
        };
        self.until(&format!("a {kind} after {after}"), || {
            self.reader().select(&filter).unwrap().pop()
        })
    }

    /// Waits until `look` finds something.
    pub(crate) fn until<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            if let Some(found) = look() {
                return found;
            }
            if begun.elapsed() > PATIENCE {
                let log: Vec<_> = self
                    .events(&[])
                    .iter()
                    .map(|e| format!("{} {} {}", e.seq, e.kind, e.subject))
                    .collect();
                panic!("no {what} came; the journal:\n{}", log.join("\n"));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub(crate) fn last(&self) -> Seq {
        self.reader().last().unwrap()
    }
}

/// What a command said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// A running daemon; killed when dropped.
pub(crate) struct Daemon {
    pub(crate) child: Child,
    pub(crate) address: SocketAddr,
    pub(crate) token: String,
    /// What it said while it started.
    said: String,
    _out: BufReader<std::process::ChildStdout>,
}

impl Daemon {
    /// Kills it without a chance to clean up.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends a request as raw bytes and returns status, headers and body.
    pub(crate) fn raw(&self, request: &str) -> Answer {
        self.raw_at(self.address, request)
    }

    /// Returns where a listener of `config.toml` is.
    pub(crate) fn listener(&self, name: &str) -> SocketAddr {
        let line = format!("Listener {name}: http://");
        let (_, rest) = self.said.split_once(&line).unwrap();
        rest.split(' ').next().unwrap().parse().unwrap()
    }

    /// Sends a request as raw bytes to another address of the daemon.
    #[expect(clippy::unused_self, reason = "the daemon must be there")]
    pub(crate) fn raw_at(&self, address: SocketAddr, request: &str) -> Answer {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|s| s.parse().ok())
            .unwrap_or(0);
        let is_chunked = head
            .to_ascii_lowercase()
            .contains("transfer-encoding: chunked");
        let body = if is_chunked {
            dechunked(body)
        } else {
            body.to_owned()
        };
        Answer {
            status,
            head: head.to_owned(),
            body,
        }
    }

    /// Sends a request with further header lines; `Host` is right and the connection closes.
    pub(crate) fn ask(&self, method: &str, path: &str, headers: &[&str], body: &str) -> Answer {
        let mut lines = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n",
            self.address
        );
        for header in headers {
            lines.push_str(header);
            lines.push_str("\r\n");
        }
        if !body.is_empty() {
            lines.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        self.raw(&format!("{lines}\r\n{body}"))
    }

    pub(crate) fn bearer(&self) -> String {
        format!("Authorization: Bearer {}", self.token)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// An HTTP answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

fn dechunked(mut body: &str) -> String {
    let mut out = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).unwrap_or(0);
        if size == 0 {
            break;
        }
        out.push_str(rest.get(..size).unwrap_or_default());
        body = rest.get(size + 2..).unwrap_or_default();
    }
    out
}

/// A git repository of the test's own.
pub(crate) struct Repo {
    pub(crate) path: PathBuf,
}

impl Repo {
    pub(crate) fn new(path: PathBuf) -> Self {
        std::fs::create_dir_all(&path).unwrap();
        let repo = Self { path };
        repo.git(&["init", "-q", "--initial-branch=main"]);
        for (name, value) in [
            ("user.name", "Ada"),
            ("user.email", "ada@example.invalid"),
            ("commit.gpgsign", "false"),
            ("gc.auto", "0"),
        ] {
            repo.git(&["config", name, value]);
        }
        repo
    }

    pub(crate) fn git(&self, args: &[&str]) -> String {
        git(&self.path, args)
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let full = self.path.join(path);
        std::fs::create_dir_all(full.parent().unwrap()).unwrap();
        std::fs::write(full, text).unwrap();
    }

    pub(crate) fn read(&self, path: &str) -> Option<String> {
        std::fs::read_to_string(self.path.join(path)).ok()
    }

    /// Commits everything; returns the commit's id.
    pub(crate) fn commit(&self, message: &str) -> String {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", message]);
        self.git(&["rev-parse", "HEAD"])
    }
}

/// Runs git; it must succeed.
pub(crate) fn git<S: AsRef<OsStr>>(dir: &Path, args: &[S]) -> String {
    let output = Command::new("git")
        .args(args)
        .current_dir(dir)
        .env_remove("GIT_DIR")
        .env_remove("GIT_INDEX_FILE")
        // Set where the tests themselves are the action of a rule.
        .env_remove("GIT_REFLOG_ACTION")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env(
            "GIT_CONFIG_GLOBAL",
            if cfg!(windows) { "NUL" } else { "/dev/null" },
        )
        .output()
        .unwrap();
    let args: Vec<_> = args.iter().map(AsRef::as_ref).collect();
    assert!(
        output.status.success(),
        "git {args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Says in the summary that a tier was skipped, or fails when CI demands it.
pub(crate) fn skipped(tier: &str, why: &str) {
    let required = std::env::var("TRADEWIND_REQUIRE").unwrap_or_default();
    assert!(
        !required.split(',').any(|t| t == tier),
        "tier {tier} is required, but {why}"
    );
    // Not by `eprintln!`: the test harness would swallow it, and a skipped tier must be seen.
    let line = format!("SKIPPED: {tier}: {why}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

/// Finds a program on the path.
pub(crate) fn program(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    names.iter().find_map(|name| {
        std::env::split_paths(&path)
            .map(|dir| dir.join(name))
            .find(|full| full.is_file())
    })
}
