//! The demo does what it says and leaves nothing behind.

use crate::support::User;

#[test]
fn the_demo_runs_to_its_end_and_leaves_nothing() {
    let user = User::new();
    let temp = user.home.path().join("tmp");
    std::fs::create_dir_all(&temp).unwrap();
    let output = user
        .tradewind(user.home.path())
        .arg("demo")
        .env("TMPDIR", &temp)
        .env("TEMP", &temp)
        .env("TMP", &temp)
        .output()
        .unwrap();
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{out}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    for part in [
        "Repair first",
        "engine.action.requested",
        "changes-page proposes:",
        "undone as event",
        "The chain is intact",
        "CHANGES.md is not there",
    ] {
        assert!(out.contains(part), "{part:?} is missing in\n{out}");
    }
    assert_eq!(
        std::fs::read_dir(&temp).unwrap().count(),
        0,
        "something is left in the temporary folder"
    );
    assert!(
        !user.state().exists(),
        "the demo touched the user's own state"
    );
}
