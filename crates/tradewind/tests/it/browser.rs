//! The first page in a real browser: it opens, follows live, and keeps hostile text text.
//!
//! Chromium is driven over a pipe and asked until the page is as it must be. Dumping the page after a time is
//! not enough: on a busy machine the dump comes before the page has connected.

#![expect(
    clippy::disallowed_methods,
    reason = "tests start outside programs themselves"
)]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tradewind_core::{EventKind, Seq};

use crate::support::{PATIENCE, Repo, User, program, skipped};

/// A Chromium of the test's own with one page.
struct Browser {
    child: Child,
    commands: ChildStdin,
    messages: Receiver<Value>,
    asked: u64,
    session: Option<String>,
}

impl Browser {
    /// Starts Chromium and opens `url` in it.
    fn open(chromium: &Path, profile: &Path, url: &str) -> Self {
        // Chromium reads commands from descriptor 3 and writes answers to 4; a shell puts our pipes there.
        let mut child = Command::new("sh")
            .args(["-c", r#"exec "$0" "$@" 3<&0 4>&1 </dev/null >/dev/null"#])
            .arg(chromium)
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--no-first-run",
                "--remote-debugging-pipe",
            ])
            .arg(format!("--user-data-dir={}", profile.display()))
            .arg("about:blank")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let commands = child.stdin.take().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        let (sender, messages) = mpsc::sync_channel(64);
        // A thread, so that a browser that hangs fails the test instead of hanging it.
        std::thread::spawn(move || {
            for message in answers.split(0).map_while(Result::ok) {
                let message = serde_json::from_slice(&message).unwrap();
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        let mut browser = Self {
            child,
            commands,
            messages,
            asked: 0,
            session: None,
        };
        let page = browser.command("Target.createTarget", &json!({ "url": url }));
        let attach = json!({ "targetId": page["targetId"], "flatten": true });
        let attached = browser.command("Target.attachToTarget", &attach);
        browser.session = Some(attached["sessionId"].as_str().unwrap().to_owned());
        browser
    }

    /// Sends a command and waits for its answer.
    fn command(&mut self, method: &str, params: &Value) -> Value {
        self.asked += 1;
        let mut message = json!({ "id": self.asked, "method": method, "params": params });
        if let Some(session) = &self.session {
            message["sessionId"] = session.as_str().into();
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.commands.write_all(&bytes).unwrap();
        loop {
            let mut message = self.messages.recv_timeout(PATIENCE).unwrap();
            // What is no answer to this is a notice of something that nobody here asked for.
            if message["id"] == self.asked {
                assert!(message.get("error").is_none(), "{method}: {message}");
                return message["result"].take();
            }
        }
    }

    /// Asks the page until it holds everything in `wanted`; returns it as HTML.
    fn shows(&mut self, wanted: &[&str]) -> String {
        let ask = json!({ "expression": "document.documentElement?.outerHTML ?? ''" });
        let begun = Instant::now();
        loop {
            let answer = self.command("Runtime.evaluate", &ask);
            let page = answer["result"]["value"].as_str().unwrap_or_default();
            if wanted.iter().all(|text| page.contains(text)) {
                return page.to_owned();
            }
            assert!(begun.elapsed() < PATIENCE, "no {wanted:?} in {page}");
            // Asked without a pause, the browser would have no time for the page.
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn the_first_page_shows_what_happens_and_runs_no_foreign_script() {
    let Some(chromium) = program(&["chromium", "chromium-browser", "google-chrome"]) else {
        return skipped("chromium", "no Chromium is on the path");
    };
    let user = User::new();
    let repo = Repo::new(user.home.path().join("bot"));
    let daemon = user.up(&repo.path);
    let hostile =
        "<img src=x onerror=\"document.title='owned'\"> & <script>document.title='owned'</script>";
    repo.commit(hostile);
    user.wait(Seq::ZERO, EventKind::RepoCommitCreated);
    let mut browser = Browser::open(
        &chromium,
        &user.home.path().join("chromium"),
        &format!("http://{}/", daemon.address),
    );
    // Our own script ran: it connected and said so. What the commit says is on the page as text.
    browser.shows(&[
        "<title>Tradewind</title>",
        "&lt;script&gt;document.title",
        r#"<span id="live" class="good">live</span>"#,
    ]);
    // What happens from now on comes by itself, through the script, and is text there too.
    repo.commit(&format!("{hostile} live"));
    let page = browser.shows(&["&lt;/script&gt; live"]);
    assert!(page.contains("<title>Tradewind</title>"), "{page}");
    assert!(!page.contains("<img"), "{page}");
}
