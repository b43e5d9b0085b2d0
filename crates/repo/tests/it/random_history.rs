//! Law: whatever is done to a repository and whenever one looks, each commit that was ever reachable
//! is journaled exactly once, and the events add up to what git says in the end.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use tradewind_core::EventKind;

use crate::scratch::{Scratch, Watched, body};

#[derive(Clone, Debug)]
enum Step {
    Commit,
    Amend,
    Branch(u8),
    Checkout(u8),
    Detach(u8),
    Reset(u8),
    Merge(u8),
    Tag(u8),
    Annotate(u8),
    Untag(u8),
    DeleteBranch(u8),
    RenameBranch(u8),
    PackRefs,
    Look,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => Just(Step::Commit),
        2 => Just(Step::Amend),
        2 => any::<u8>().prop_map(Step::Branch),
        3 => any::<u8>().prop_map(Step::Checkout),
        1 => any::<u8>().prop_map(Step::Detach),
        3 => any::<u8>().prop_map(Step::Reset),
        3 => any::<u8>().prop_map(Step::Merge),
        1 => any::<u8>().prop_map(Step::Tag),
        1 => any::<u8>().prop_map(Step::Annotate),
        1 => any::<u8>().prop_map(Step::Untag),
        2 => any::<u8>().prop_map(Step::DeleteBranch),
        1 => any::<u8>().prop_map(Step::RenameBranch),
        1 => Just(Step::PackRefs),
        4 => Just(Step::Look),
    ]
}

fn branch(n: u8) -> String {
    format!("b{}", n % 4)
}

/// Does one step; git may refuse it, which is part of the game.
fn act(scratch: &Scratch, watched: &mut Watched, number: usize, step: &Step) {
    let message = format!("step {number}");
    let back = |n: u8| format!("HEAD~{}", n % 4);
    let args: Vec<String> = match step {
        Step::Commit => vec![
            "commit".into(),
            "-q".into(),
            "--allow-empty".into(),
            "-m".into(),
            message,
        ],
        Step::Amend => {
            vec![
                "commit".into(),
                "-q".into(),
                "--amend".into(),
                "--allow-empty".into(),
                "-m".into(),
                message,
            ]
        }
        Step::Branch(n) => vec!["branch".into(), "-f".into(), branch(*n), back(*n)],
        Step::Checkout(n) => vec!["checkout".into(), "-q".into(), branch(*n)],
        Step::Detach(n) => vec!["checkout".into(), "-q".into(), "--detach".into(), back(*n)],
        Step::Reset(n) => vec!["reset".into(), "-q".into(), "--hard".into(), back(*n)],
        Step::Merge(n) => {
            vec![
                "merge".into(),
                "-q".into(),
                "--no-ff".into(),
                "-m".into(),
                message,
                branch(*n),
            ]
        }
        Step::Tag(n) => vec!["tag".into(), "-f".into(), format!("t{}", n % 3)],
        Step::Annotate(n) => {
            vec![
                "tag".into(),
                "-f".into(),
                "-a".into(),
                "-m".into(),
                message,
                format!("t{}", n % 3),
            ]
        }
        Step::Untag(n) => vec!["tag".into(), "-d".into(), format!("t{}", n % 3)],
        Step::DeleteBranch(n) => vec!["branch".into(), "-D".into(), branch(*n)],
        Step::RenameBranch(n) => vec!["branch".into(), "-M".into(), branch(*n), branch(n / 4)],
        Step::PackRefs => vec!["pack-refs".into(), "--all".into()],
        Step::Look => {
            watched.look();
            return;
        }
    };
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    scratch.try_run(&args).unwrap_or_default();
}

fn reachable(scratch: &Scratch) -> BTreeSet<String> {
    let list = scratch.run(&["rev-list", "--branches", "--tags", "HEAD"]);
    list.lines().map(str::to_owned).collect()
}

/// What the events, applied one after the other, say about refs.
fn project(
    watched: &Watched,
    mut refs: BTreeMap<String, String>,
    head: &str,
) -> (BTreeMap<String, String>, String) {
    let mut head = head.to_owned();
    for event in &watched.events {
        let body = body(event);
        let text = |field: &str| body[field].as_str().unwrap().to_owned();
        match event.kind {
            EventKind::RepoBranchUpdated
            | EventKind::RepoBranchRewritten
            | EventKind::RepoTagMoved => {
                assert_eq!(
                    refs.insert(event.subject.clone(), text("to")),
                    Some(text("from"))
                );
            }
            EventKind::RepoBranchCreated | EventKind::RepoTagCreated => {
                assert_eq!(refs.insert(event.subject.clone(), text("to")), None);
            }
            EventKind::RepoBranchDeleted | EventKind::RepoTagDeleted => {
                assert_eq!(refs.remove(&event.subject), Some(text("from")));
            }
            EventKind::RepoHeadSwitched => {
                assert_eq!(text("from"), head);
                head = text("to");
            }
            _ => {}
        }
    }
    (refs, head)
}

fn git_refs(scratch: &Scratch) -> (BTreeMap<String, String>, String) {
    let format = "--format=%(refname) %(objectname) %(*objectname)";
    let list = scratch.run(&["for-each-ref", format, "refs/heads", "refs/tags"]);
    let refs = list.lines().map(|line| {
        let mut words = line.split(' ');
        let name = words.next().unwrap().to_owned();
        let oids: Vec<_> = words.filter(|word| !word.is_empty()).collect();
        (name, (*oids.last().unwrap()).to_owned())
    });
    let head = scratch
        .try_run(&["symbolic-ref", "-q", "--short", "HEAD"])
        .unwrap_or_else(|_| scratch.run(&["rev-parse", "HEAD"]));
    (refs.collect(), head)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn every_commit_is_journaled_once_and_the_events_add_up(
        steps in proptest::collection::vec(step(), 1..30),
    ) {
        let scratch = Scratch::new();
        scratch.commit("root");
        scratch.commit("old");
        let mut watched = scratch.watch();
        let old = reachable(&scratch);
        let (refs, head) = git_refs(&scratch);
        let mut expected = BTreeSet::new();
        for (number, step) in steps.iter().enumerate() {
            act(&scratch, &mut watched, number, step);
            expected.extend(reachable(&scratch));
        }
        watched.look();
        let told = watched.commits();
        let told_once: BTreeSet<String> = told.iter().cloned().collect();
        prop_assert_eq!(told.len(), told_once.len());
        let expected: BTreeSet<String> = expected.difference(&old).cloned().collect();
        prop_assert_eq!(told_once, expected);
        // Parents come before their children.
        let places: BTreeMap<_, _> = told.iter().enumerate().map(|(at, oid)| (oid, at)).collect();
        for event in watched.events.iter().filter(|e| e.kind == EventKind::RepoCommitCreated) {
            let body = body(event);
            for parent in body["parents"].as_array().unwrap() {
                if let Some(place) = places.get(&parent.as_str().unwrap().to_owned()) {
                    prop_assert!(place < &places[&event.subject]);
                }
            }
        }
        prop_assert_eq!(project(&watched, refs, &head), git_refs(&scratch));
    }
}
