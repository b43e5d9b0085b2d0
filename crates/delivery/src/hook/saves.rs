//! An editor saves in the middle of a fix: its text is never lost, and the fix is in it or beside it.
//!
//! Each test saves at a named step of the run, on the run's own thread, so that nothing depends on time.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use super::kills::{Scratch, hooks_in};
use super::{InTree, faults};

/// How an editor saves.
#[derive(Clone, Copy, Debug)]
enum Style {
    /// Into the file as it is.
    InPlace,
    /// Another file, renamed over it.
    Renamed,
}

fn save(path: &Path, text: &str, style: Style) {
    match style {
        Style::InPlace => fs::write(path, text).unwrap(),
        Style::Renamed => {
            let new = path.with_extension("editor");
            fs::write(&new, text).unwrap();
            fs::rename(new, path).unwrap();
        }
    }
}

/// Fixes `a.txt` while `act` happens at a step; returns what became of it, and the scratch.
fn fixed_while(
    step: &str,
    times: u32,
    act: impl FnMut(&Path) + 'static,
) -> (Scratch, InTree, String) {
    let scratch = Scratch::new();
    let path = scratch.top.join("a.txt");
    let mut act = act;
    faults::at(step, times, move || act(&path));
    let outcome = hooks_in(&scratch.top, &scratch.top.with_extension("cache"));
    assert!(faults::was_done(), "{step}:{times} was never reached");
    let of = outcome.applied.iter();
    let found = of.filter(|file| file.path.as_ref() == b"a.txt");
    let state = found.map(|file| file.file).next().unwrap();
    assert!(
        scratch.staged("a.txt").contains("\n3 staged\n"),
        "{step}: the staged fix"
    );
    let text = fs::read_to_string(scratch.top.join("a.txt")).unwrap();
    assert!(!scratch.top.join(".a.txt.tradewind-tmp").exists());
    (scratch, state, text)
}

/// What the editor saves: the text as it was staged, with a line more.
fn saved(more: &str) -> String {
    let mut lines: Vec<String> = (1..=20).map(|n| n.to_string()).collect();
    lines[2] = "3 staged   ".to_owned();
    lines.push(more.to_owned());
    lines.join("\n") + "\n"
}

#[test]
fn a_save_at_any_step_stays_and_gets_the_fix() {
    let steps = [
        "index changed",
        "before the exchange",
        "after the exchange",
        "files exchanged",
    ];
    for style in [Style::InPlace, Style::Renamed] {
        for step in steps {
            let (scratch, state, text) = fixed_while(step, 0, move |path| {
                save(path, &saved("SAVED BY THE EDITOR"), style);
            });
            let when = format!("{step}, {style:?}");
            assert!(text.contains("\nSAVED BY THE EDITOR\n"), "{when}: {text}");
            assert!(text.contains("\n3 staged\n"), "{when}: {text}");
            assert_eq!(state, InTree::Fixed, "{when}");
            let files = scratch.files();
            assert!(
                !files.keys().any(|name| name.contains("tradewind")),
                "{when}: {files:?}"
            );
        }
    }
}

#[test]
fn a_save_that_began_before_the_exchange_and_ends_after_it_is_not_lost() {
    // The editor has the file open when it is exchanged, and writes the rest into what it opened.
    let open = std::rc::Rc::new(std::cell::RefCell::new(None));
    let (first, then) = (open.clone(), open);
    let scratch = Scratch::new();
    let path = scratch.top.join("a.txt");
    faults::at("before the exchange", 0, move || {
        *first.borrow_mut() = Some(fs::OpenOptions::new().write(true).open(&path).unwrap());
        let then = then.clone();
        faults::at("files exchanged", 0, move || {
            let mut file = then.borrow_mut().take().unwrap();
            file.write_all(saved("SAVED LATE").as_bytes()).unwrap();
        });
    });
    hooks_in(&scratch.top, &scratch.top.with_extension("cache"));
    assert!(faults::was_done());
    let text = scratch.files()["a.txt"].clone();
    assert!(text.contains("\nSAVED LATE\n"), "{text}");
    assert!(text.contains("\n3 staged\n"), "{text}");
}

#[test]
fn half_a_save_is_waited_for() {
    // The file is empty at the moment of the exchange: the editor has cut it and not written yet.
    let open = std::rc::Rc::new(std::cell::RefCell::new(None));
    let (first, then) = (open.clone(), open);
    let scratch = Scratch::new();
    let path = scratch.top.join("a.txt");
    faults::at("before the exchange", 0, move || {
        *first.borrow_mut() = Some(fs::File::create(&path).unwrap());
        let then = then.clone();
        faults::at("file exchanged", 0, move || {
            let mut file = then.borrow_mut().take().unwrap();
            file.write_all(saved("SAVED SLOWLY").as_bytes()).unwrap();
        });
    });
    hooks_in(&scratch.top, &scratch.top.with_extension("cache"));
    assert!(faults::was_done());
    let text = scratch.files()["a.txt"].clone();
    assert!(text.contains("\nSAVED SLOWLY\n"), "{text}");
    assert!(scratch.staged("a.txt").contains("\n3 staged\n"));
}

#[test]
fn two_saves_at_once_are_both_kept() {
    // One into the file that was opened before the exchange, one into the file that is there now.
    let open = std::rc::Rc::new(std::cell::RefCell::new(None));
    let (first, then) = (open.clone(), open);
    let scratch = Scratch::new();
    let path = scratch.top.join("a.txt");
    faults::at("before the exchange", 0, move || {
        *first.borrow_mut() = Some(fs::OpenOptions::new().write(true).open(&path).unwrap());
        let (then, path) = (then.clone(), path.clone());
        faults::at("files exchanged", 0, move || {
            let mut file = then.borrow_mut().take().unwrap();
            file.write_all(saved("ONE EDITOR").as_bytes()).unwrap();
            save(&path, &saved("ANOTHER EDITOR"), Style::Renamed);
        });
    });
    let outcome = hooks_in(&scratch.top, &scratch.top.with_extension("cache"));
    assert!(faults::was_done());
    let files = scratch.files();
    assert!(
        files["a.txt"].contains("\nANOTHER EDITOR\n"),
        "{}",
        files["a.txt"]
    );
    let kept = &files["a.txt.tradewind-kept-0"];
    assert!(kept.contains("\nONE EDITOR\n"), "{kept}");
    assert!(outcome.applied.iter().any(|file| file.file == InTree::Kept));
}
