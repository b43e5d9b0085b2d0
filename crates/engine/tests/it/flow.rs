//! One event's way through the engine, in every mode.

use std::time::Duration;

use tradewind_core::{Clock, Draft, EventKind, Seq};
use tradewind_engine::proposals::{self, ProposalError};
use tradewind_engine::undo::Which;
use tradewind_engine::{pause, trust};

use crate::support::{World, body, commit_body, repository};

const RUN_TESTS: &str = r#"
[rules.tests]
on = "repo.commit.created"
when = "event.data.title != 'wip'"
do = "run"
mode = "act"
with = { shell = "cat > stdin.json; echo $TRADEWIND_EVENT_SUBJECT > subject.txt", writes = ["*.json", "*.txt"] }
"#;

#[tokio::test]
async fn an_acting_rule_records_acts_and_can_be_undone() {
    let world = World::new();
    world.rules(RUN_TESTS, true).await;
    world.start().await;
    world.commit("wip").await;
    let commit = world.commit("$(touch pwned); feat: x").await;
    let done = world.wait(EventKind::EngineActionSucceeded, 1).await;
    let request = world.events(EventKind::EngineActionRequested);
    assert_eq!(request.len(), 1);
    assert_eq!(request[0].cause, Some(commit));
    assert_eq!(done[0].cause, Some(request[0].seq));
    assert_eq!(body(&done[0])["output"]["exit_code"], 0);
    let written = std::fs::read_to_string(world.repo().join("stdin.json")).unwrap();
    let read: serde_json::Value = serde_json::from_str(&written).unwrap();
    assert_eq!(read["data"]["title"], "$(touch pwned); feat: x");
    assert!(!world.repo().join("pwned").exists());
    assert_eq!(
        std::fs::read_to_string(world.repo().join("subject.txt")).unwrap(),
        "main\n"
    );

    let which = Which {
        repository: repository(),
        path: world.repo(),
        seq: Some(done[0].seq),
        dry_run: false,
    };
    let undone = world.engine.undo().undo(which).await.unwrap();
    assert_eq!(undone.request, request[0].seq);
    assert_eq!(std::fs::read_dir(world.repo()).unwrap().count(), 0);
    let event = &world.events(EventKind::EngineActionUndone)[0];
    assert_eq!(event.cause, Some(request[0].seq));
}

#[tokio::test]
async fn shadow_only_says_and_history_is_not_news() {
    let world = World::new();
    world
        .rules(&RUN_TESTS.replace("\"act\"", "\"shadow\""), false)
        .await;
    world.commit("before the first start").await;
    world.start().await;
    let commit = world.commit("after").await;
    let shadowed = world.wait(EventKind::EngineRuleShadowed, 1).await;
    world.settle().await;
    assert_eq!(world.events(EventKind::EngineRuleShadowed).len(), 1);
    assert_eq!(shadowed[0].cause, Some(commit));
    assert!(
        body(&shadowed[0])["summary"]
            .as_str()
            .unwrap()
            .contains("sh -c")
    );
    assert!(world.events(EventKind::EngineActionRequested).is_empty());
}

#[tokio::test]
async fn a_proposal_waits_for_a_person_across_a_restart() {
    let world = World::new();
    let text = RUN_TESTS.replace("\"act\"", "\"propose\"");
    world.rules(&text, true).await;
    world.start().await;
    world.commit("one").await;
    world.commit("two").await;
    let opened = world.wait(EventKind::EngineProposalOpened, 2).await;
    let world = world.restart().await;
    let listed = proposals::list(&world.journal.reader().unwrap(), None, false).unwrap();
    assert_eq!(listed.len(), 2);
    assert_eq!(listed[1].body.as_ref().unwrap().rule, "tests");
    world.rules(&text, true).await;
    proposals::reject(&world.journal, opened[0].seq, "me", "no")
        .await
        .unwrap();
    let request = proposals::approve(&world.journal, opened[1].seq, "me")
        .await
        .unwrap();
    assert!(matches!(
        proposals::approve(&world.journal, opened[1].seq, "me").await,
        Err(ProposalError::Decided { .. })
    ));
    world.start().await;
    let done = world.wait(EventKind::EngineActionSucceeded, 1).await;
    assert_eq!(done[0].cause, Some(request));
    let approval = world.events(EventKind::EngineProposalApproved)[0].clone();
    let requested = world.events(EventKind::EngineActionRequested);
    assert_eq!(requested.len(), 1);
    assert_eq!(requested[0].cause, Some(approval.seq));
    assert_eq!(approval.cause, Some(opened[1].seq));
}

#[tokio::test]
async fn a_proposal_expires() {
    let world = World::new();
    world
        .rules(&RUN_TESTS.replace("\"act\"", "\"propose\""), true)
        .await;
    world.start().await;
    world.commit("one").await;
    let opened = world.wait(EventKind::EngineProposalOpened, 1).await;
    world.pass(8 * 24 * 3600);
    world.wait(EventKind::EngineProposalExpired, 1).await;
    assert!(
        proposals::approve(&world.journal, opened[0].seq, "me")
            .await
            .is_err()
    );
}

#[tokio::test]
async fn what_nobody_trusted_is_held_once() {
    let world = World::new();
    world.rules(RUN_TESTS, false).await;
    world.start().await;
    for _ in 0..5 {
        world.commit("x").await;
    }
    let held = world.wait(EventKind::EngineRuleHeld, 1).await;
    world.settle().await;
    assert_eq!(body(&held[0])["reason"], "untrusted");
    assert_eq!(world.events(EventKind::EngineRuleHeld).len(), 1);
    trust::trust(&world.journal, repository(), &trust::digest(RUN_TESTS))
        .await
        .unwrap();
    world.commit("y").await;
    world.wait(EventKind::EngineActionSucceeded, 1).await;
}

#[tokio::test]
async fn pausing_stops_every_acting_rule() {
    let world = World::new();
    world.rules(RUN_TESTS, true).await;
    world.start().await;
    let paused = pause::pause(&world.journal, "me", "holiday").await.unwrap();
    assert_eq!(
        pause::pause(&world.journal, "me", "again").await.unwrap(),
        paused
    );
    world.commit("x").await;
    world.commit("y").await;
    let held = world.wait(EventKind::EngineRuleHeld, 1).await;
    assert_eq!(body(&held[0])["reason"], "paused");
    world.settle().await;
    assert_eq!(world.events(EventKind::EngineRuleHeld).len(), 1);
    let world = world.restart().await;
    assert_eq!(
        pause::paused(&world.journal.reader().unwrap()).unwrap(),
        Some(paused)
    );
    world.rules(RUN_TESTS, true).await;
    world.start().await;
    assert!(pause::resume(&world.journal, "me").await.unwrap().is_some());
    world.commit("z").await;
    world.wait(EventKind::EngineActionSucceeded, 1).await;
    assert_eq!(world.events(EventKind::EngineActionRequested).len(), 1);
}

#[tokio::test]
async fn a_limit_holds_once_per_window_and_lets_go() {
    let world = World::new();
    let text = format!("{RUN_TESTS}limit = {{ max = 2, per = '1h' }}\n");
    world.rules(&text, true).await;
    world.start().await;
    for _ in 0..6 {
        world.commit("x").await;
    }
    world.wait(EventKind::EngineActionSucceeded, 2).await;
    world.settle().await;
    assert_eq!(world.events(EventKind::EngineActionRequested).len(), 2);
    assert_eq!(world.events(EventKind::EngineRuleHeld).len(), 1);
    world.pass(3700);
    world.commit("x").await;
    world.wait(EventKind::EngineActionSucceeded, 3).await;
}

#[tokio::test]
async fn a_debounced_rule_fires_once_for_the_last_event_also_after_a_restart() {
    let world = World::new();
    let text = format!("{RUN_TESTS}debounce = '5s'\n");
    world.rules(&text, true).await;
    world.start().await;
    world.commit("one").await;
    let last = world.commit("two").await;
    world.settle().await;
    assert!(world.events(EventKind::EngineActionRequested).is_empty());
    let world = world.restart().await;
    world.rules(&text, true).await;
    world.start().await;
    world.pass(6);
    world.wait(EventKind::EngineActionSucceeded, 1).await;
    let requests = world.events(EventKind::EngineActionRequested);
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].cause, Some(last));
}

#[tokio::test]
async fn a_rule_does_not_fire_on_its_own_consequences() {
    let world = World::new();
    let text = r#"
[rules.again]
on = ["repo.commit.created", "engine.action.succeeded"]
do = "log"
mode = "act"
with = { message = "x" }
"#;
    world.rules(text, true).await;
    world.start().await;
    world.commit("x").await;
    world.wait(EventKind::EngineActionSucceeded, 1).await;
    let held = world.wait(EventKind::EngineRuleHeld, 1).await;
    world.settle().await;
    assert_eq!(body(&held[0])["reason"], "loop");
    assert_eq!(world.events(EventKind::EngineActionRequested).len(), 1);
    // A commit that the watcher says came from the action is cut as well.
    let request = world.events(EventKind::EngineActionRequested)[0].seq;
    let draft = Draft::new(jiff::Timestamp::UNIX_EPOCH, &commit_body("y")).unwrap();
    let draft = draft.caused_by(request).in_repository(repository());
    world.journal.append(draft).await.unwrap();
    world.settle().await;
    assert_eq!(world.events(EventKind::EngineActionRequested).len(), 1);
}

#[tokio::test]
async fn rules_on_everything_come_to_rest() {
    let world = World::new();
    let rule = |name: &str, mode: &str, extra: &str| {
        format!(
            "[rules.{name}]\non = '**'\ndo = 'log'\nmode = '{mode}'\n{extra}\nwith = {{ message = 'x' }}\n"
        )
    };
    let text = format!(
        "[engine]\nmax_depth = 3\n{}{}{}",
        rule("a", "shadow", ""),
        rule("b", "act", "allow_self = true"),
        rule("c", "act", "limit = { max = 1, per = '1h' }"),
    );
    world.rules(&text, true).await;
    world.start().await;
    world.commit("x").await;
    let rest = tokio::time::timeout(Duration::from_secs(30), world.settle()).await;
    assert!(rest.is_ok(), "{} events and counting", world.journal.last());
    assert!(
        world.journal.last().0 < 3_000,
        "{} events",
        world.journal.last()
    );
}

#[tokio::test]
async fn an_old_event_is_held_after_a_downtime() {
    let world = World::new();
    world.rules(RUN_TESTS, true).await;
    world.start().await;
    world.settle().await;
    let world = world.restart().await;
    world.commit("while nobody looked").await;
    world.pass(2 * 3600);
    world.rules(RUN_TESTS, true).await;
    world.start().await;
    let held = world.wait(EventKind::EngineRuleHeld, 1).await;
    assert_eq!(body(&held[0])["reason"], "stale");
    assert!(world.events(EventKind::EngineActionRequested).is_empty());
}

#[tokio::test]
async fn a_command_cut_short_is_abandoned_and_can_be_undone() {
    let world = World::new();
    std::fs::write(world.repo().join("a.txt"), "old").unwrap();
    world.rules(RUN_TESTS, true).await;
    // What a killed process leaves: a request marked started, preimages, half an effect.
    let commit = world.commit("x").await;
    let request = started_request(&world, commit, "run").await;
    let capture = tradewind_engine::undo::Capture {
        repository: repository(),
        path: world.repo(),
        request,
        writes: tradewind_engine::action::Writes {
            paths: vec!["*.txt".into()],
            ..Default::default()
        },
    };
    world.engine.undo().capture(capture).await.unwrap();
    std::fs::write(world.repo().join("a.txt"), "half").unwrap();
    let world = world.restart().await;
    world.engine.reconcile().await.unwrap();
    let abandoned = world.events(EventKind::EngineActionAbandoned);
    assert_eq!(abandoned.len(), 1);
    assert_eq!(abandoned[0].cause, Some(request));
    assert!(body(&abandoned[0])["operation"].is_string());
    let which = Which {
        repository: repository(),
        path: world.repo(),
        seq: Some(request),
        dry_run: false,
    };
    world.engine.undo().undo(which).await.unwrap();
    assert_eq!(
        std::fs::read_to_string(world.repo().join("a.txt")).unwrap(),
        "old"
    );
    world.engine.reconcile().await.unwrap();
    assert_eq!(world.events(EventKind::EngineActionAbandoned).len(), 1);
}

/// Records a request of the rule as started, the way the dispatcher does.
async fn started_request(world: &World, event: Seq, action: &str) -> Seq {
    let body = tradewind_core::payload::ActionRequested {
        rule: "tests".into(),
        action: action.into(),
        arguments: match action {
            "log" => serde_json::json!({"message": "x"}),
            _ => serde_json::json!({"shell": "true", "writes": ["*.txt"]}),
        },
        summary: "Runs it.".into(),
        reversibility: tradewind_core::payload::Reversibility::Reversible,
    };
    let draft = Draft::new(jiff::Timestamp::UNIX_EPOCH, &body).unwrap();
    let draft = draft
        .about("tests")
        .caused_by(event)
        .in_repository(repository());
    let seq = world.journal.append(draft).await.unwrap();
    world
        .journal
        .transact(move |tx| {
            tx.execute(
                "INSERT INTO engine_requests (seq, repository, rule, key, event, state, not_after_ms)
                    VALUES (?1, ?2, 'tests', 'k', ?3, 'started', ?4)",
                tradewind_journal::rusqlite::params![
                    i64::try_from(seq.0).unwrap(),
                    repository().to_string(),
                    i64::try_from(event.0).unwrap(),
                    i64::MAX / 1_000_000
                ],
            )
        })
        .await
        .unwrap();
    seq
}

#[tokio::test]
async fn a_condition_without_an_answer_is_told() {
    let world = World::new();
    let text = r#"
[rules.a]
on = "repo.worktree.changed"
when = "event.data.paths[0] == 'x'"
do = "log"
mode = "act"
with = { message = "x" }
"#;
    world.rules(text, true).await;
    world.start().await;
    let body = tradewind_core::payload::WorktreeChanged {
        modified: 0,
        added: 0,
        deleted: 0,
        paths: Vec::new(),
    };
    world.emit(&body, "").await;
    world.wait(EventKind::EngineRuleFailed, 1).await;
    assert!(world.events(EventKind::EngineActionRequested).is_empty());
}

#[tokio::test]
async fn a_failing_command_says_how_it_failed_and_its_changes_can_be_undone() {
    let world = World::new();
    let text = RUN_TESTS.replace(
        "cat > stdin.json;",
        "echo oops >&2; echo x > a.txt; exit 3;",
    );
    world.rules(&text, true).await;
    world.start().await;
    world.commit("x").await;
    let failed = world.wait(EventKind::EngineActionFailed, 1).await;
    let told = body(&failed[0]);
    assert_eq!(told["output"]["exit_code"], 3);
    assert_eq!(told["output"]["stderr"], "oops\n");
    assert!(told["operation"].is_string());
    let which = Which {
        repository: repository(),
        path: world.repo(),
        seq: None,
        dry_run: false,
    };
    world.engine.undo().undo(which).await.unwrap();
    assert!(!world.repo().join("a.txt").exists());
}

#[tokio::test]
async fn the_engine_says_what_is_in_force_once() {
    let world = World::new();
    world.rules(RUN_TESTS, false).await;
    world.rules(RUN_TESTS, false).await;
    let loaded = world.events(EventKind::EngineConfigLoaded);
    assert_eq!(loaded.len(), 1);
    assert_eq!(body(&loaded[0])["is_trusted"], false);
    world.rules(RUN_TESTS, true).await;
    assert_eq!(world.events(EventKind::EngineConfigLoaded).len(), 2);
    let config = tradewind_engine::config::parse(RUN_TESTS, world.engine.actions()).unwrap();
    let executed = trust::executes(&config);
    assert_eq!(executed.len(), 1);
    assert_eq!(executed[0].place, "rules.tests");
    // A push that nobody asked about leaves no trace.
    world.start().await;
    world.push("main").await;
    world.settle().await;
    assert!(world.events(EventKind::EngineRuleShadowed).is_empty());
}

#[tokio::test]
async fn what_a_command_prints_of_a_secret_is_not_journaled() {
    let world = World::new();
    let text = RUN_TESTS.replace("cat > stdin.json;", "echo AKIAIOSFODNN7EXAMPLE; exit 1;");
    world.rules(&text, true).await;
    world.start().await;
    world.commit("x").await;
    let failed = world.wait(EventKind::EngineActionFailed, 1).await;
    assert_eq!(
        body(&failed[0])["output"]["stdout"],
        "(holds a secret, not kept)"
    );
}

#[tokio::test]
async fn actions_of_one_repository_run_one_after_the_other() {
    let world = World::new();
    let text = r#"
[rules.one]
on = "repo.commit.created"
do = "run"
mode = "act"
with = { shell = "test ! -e busy && touch busy && rm busy", writes = ["busy"] }

[rules.two]
on = "repo.commit.created"
do = "run"
mode = "act"
with = { shell = "test ! -e busy && touch busy && rm busy", writes = ["busy"] }
"#;
    world.rules(text, true).await;
    world.start().await;
    for _ in 0..4 {
        world.commit("x").await;
    }
    world.wait(EventKind::EngineActionSucceeded, 8).await;
    assert!(world.events(EventKind::EngineActionFailed).is_empty());
}

#[tokio::test]
async fn a_running_command_is_the_cause_of_what_is_seen_meanwhile() {
    let world = World::new();
    let text = RUN_TESTS.replace(
        "cat > stdin.json;",
        "touch began.txt; while [ ! -e go ]; do :; done;",
    );
    world.rules(&text, true).await;
    world.start().await;
    world.commit("x").await;
    let request = world.wait(EventKind::EngineActionRequested, 1).await[0].seq;
    while !world.repo().join("began.txt").exists() {
        tokio::task::yield_now().await;
    }
    assert_eq!(
        world.engine.cause_of_changes(repository(), None),
        Some(request)
    );
    assert_eq!(world.engine.running(), [request]);
    // Undo waits for its end.
    let which = Which {
        repository: repository(),
        path: world.repo(),
        seq: None,
        dry_run: false,
    };
    assert!(world.engine.undo().undo(which).await.is_err());
    std::fs::write(world.repo().join("go"), "").unwrap();
    world.wait(EventKind::EngineActionSucceeded, 1).await;
    world.settle().await;
    assert_eq!(
        world.engine.cause_of_changes(repository(), None),
        Some(request)
    );
    while !world.engine.running().is_empty() {
        tokio::task::yield_now().await;
    }
    // What a person commits a second later is not the command's doing, although its echo lasts longer.
    let ended = world.clock.now();
    let cause = |made| world.engine.cause_of_changes(repository(), Some(made));
    assert_eq!(cause(ended), Some(request));
    assert_eq!(cause(ended + jiff::SignedDuration::from_secs(1)), None);
    world.pass(11);
    assert_eq!(world.engine.cause_of_changes(repository(), None), None);
}

#[tokio::test]
async fn stopping_ends_a_running_command_and_records_it() {
    let world = World::new();
    let text = RUN_TESTS.replace("cat > stdin.json;", "touch began.txt; sleep 600;");
    world.rules(&text, true).await;
    world.start().await;
    world.commit("x").await;
    while !world.repo().join("began.txt").exists() {
        tokio::task::yield_now().await;
    }
    let world = world.restart().await;
    let failed = world.events(EventKind::EngineActionFailed);
    assert_eq!(failed.len(), 1);
    assert!(
        body(&failed[0])["error"]
            .as_str()
            .unwrap()
            .contains("Tradewind stops")
    );
}

#[tokio::test]
async fn an_action_that_resumes_runs_again_by_its_key() {
    let world = World::new();
    world.rules(RUN_TESTS, true).await;
    let commit = world.commit("x").await;
    let request = started_request(&world, commit, "log").await;
    let world = world.restart().await;
    world.rules(RUN_TESTS, true).await;
    world.start().await;
    let done = world.wait(EventKind::EngineActionSucceeded, 1).await;
    assert_eq!(done[0].cause, Some(request));
    assert!(world.events(EventKind::EngineActionAbandoned).is_empty());
    assert_eq!(world.events(EventKind::EngineActionRequested).len(), 1);
}
