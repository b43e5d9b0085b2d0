//! The first page in a real browser: it opens, follows live, and keeps hostile text text.

#![expect(
    clippy::disallowed_methods,
    reason = "tests start outside programs themselves"
)]

use std::process::Command;

use crate::support::{Repo, User, program, skipped};

#[test]
fn the_first_page_shows_what_happens_and_runs_no_foreign_script() {
    let Some(chromium) = program(&["chromium", "chromium-browser", "google-chrome"]) else {
        return skipped("chromium", "no Chromium is on the path");
    };
    let user = User::new();
    let repo = Repo::new(user.home.path().join("bot"));
    let daemon = user.up(&repo.path);
    repo.commit(
        "<img src=x onerror=\"document.title='owned'\"> & <script>document.title='owned'</script>",
    );
    user.wait(
        tradewind_core::Seq::ZERO,
        tradewind_core::EventKind::RepoCommitCreated,
    );
    let profile = user.home.path().join("chromium");
    let output = Command::new(chromium)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--timeout=3000",
            "--dump-dom",
        ])
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg(format!("http://{}/", daemon.address))
        .output()
        .unwrap();
    let dom = String::from_utf8_lossy(&output.stdout);
    assert!(dom.contains("<title>Tradewind</title>"), "{dom}");
    assert!(dom.contains("&lt;script&gt;document.title"), "{dom}");
    // Our own script ran: it connected and said so.
    assert!(
        dom.contains(r#"<span id="live" class="good">live</span>"#),
        "{dom}"
    );
}
