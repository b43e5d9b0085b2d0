//! Built-in checks, file types, patterns and words beside the Python that they must agree with.
//!
//! Files are made from fragments that matter to a check and from broken copies of good files, by a seed that is
//! printed. Compared are exit code and resulting bytes. What is known to differ is left out where it is made, with
//! the sentence of `docs/reference/hooks-builtin.md` beside it.

mod cases;
mod peer;
pub(crate) mod seed;
mod surroundings;

use tradewind_delivery::builtin::{self, Check, File, Outcome};
use tradewind_delivery::precommit::{Pattern, identify, words};
use tradewind_delivery::staged::Mode;

use cases::SETS;
use peer::Peer;
pub(crate) use peer::skipped;
use seed::Seed;
use surroundings::Nothing;

/// Files per check and set of arguments; `TRADEWIND_CASES` asks for more.
const CASES: usize = 150;

fn cases() -> usize {
    let asked = std::env::var("TRADEWIND_CASES").ok();
    asked.and_then(|asked| asked.parse().ok()).unwrap_or(CASES)
}

/// What ours makes of a file: exit code and bytes.
fn ours(check: &Check, path: &str, bytes: &[u8]) -> (u8, Vec<u8>) {
    let Check::Files(check) = check else {
        unreachable!("only checks of files are compared here");
    };
    let file = File {
        path: path.as_bytes(),
        mode: Mode::Regular,
        size: bytes.len() as u64,
        bytes,
    };
    match check.check(&file, &Nothing).outcome {
        Outcome::Clean => (0, bytes.to_vec()),
        Outcome::Broken => (1, bytes.to_vec()),
        Outcome::Fixed(fixed) => {
            assert_ne!(fixed, bytes, "a fix that changes nothing");
            (1, fixed)
        }
    }
}

#[test]
fn checks_answer_as_the_scripts_do() {
    let Some(mut peer) = Peer::start() else {
        return;
    };
    let mut compared = 0;
    let mut differ = Vec::new();
    let is_python_of_cases = peer.is_python_of_cases();
    for set in SETS {
        if set.is_python() && !is_python_of_cases {
            continue;
        }
        for args in set.args {
            let owned: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
            let check = builtin::find(set.id).unwrap().with_args(&owned).unwrap();
            let mut seed = Seed::of(&format!("{} {args:?}", set.id));
            let before = differ.len();
            for number in 0..cases() {
                let bytes = set.file(&mut seed, number);
                if set.differs(&bytes) {
                    continue;
                }
                let path = set.paths[number % set.paths.len()];
                let theirs = peer.hook(set.id, args, path, &bytes);
                compared += 1;
                let ours = ours(&check, path, &bytes);
                if ours != theirs && differ.len() - before < 6 {
                    let shown = String::from_utf8_lossy(&bytes).into_owned();
                    let result = |(code, after): &(u8, Vec<u8>)| {
                        if *after == bytes {
                            format!("{code}")
                        } else {
                            format!("{code} {:?}", String::from_utf8_lossy(after))
                        }
                    };
                    differ.push(format!(
                        "{} {args:?} {path} {shown:?}: ours {}, theirs {}",
                        set.id,
                        result(&ours),
                        result(&theirs)
                    ));
                }
            }
        }
    }
    assert!(
        differ.is_empty(),
        "{} of {compared} shown:\n{}",
        differ.len(),
        differ.join("\n")
    );
    assert!(compared >= SETS.len() * cases() / 2, "{compared}");
}

#[test]
fn file_types_are_those_of_identify() {
    let Some(mut peer) = Peer::start() else {
        return;
    };
    let mut seed = Seed::of("types");
    for number in 0..cases() * 40 {
        let (path, mode, bytes) = cases::typed(&mut seed, number);
        let ours = identify::tags(path.as_bytes(), mode, Some(&bytes)).unwrap();
        let theirs = peer.types(&path, mode, &bytes);
        assert_eq!(
            ours.names().join(" "),
            theirs,
            "{path} {mode:?} {:?}",
            String::from_utf8_lossy(&bytes)
        );
    }
}

#[test]
fn patterns_find_what_python_finds() {
    let Some(mut peer) = Peer::start() else {
        return;
    };
    let mut seed = Seed::of("patterns");
    let mut valid = 0;
    for _ in 0..cases() * 20 {
        let (pattern, path) = cases::pattern(&mut seed);
        let theirs = peer.search(&pattern, &path);
        let ours = match Pattern::new(&pattern) {
            Ok(compiled) => compiled
                .is_in(path.as_bytes())
                .map_or("hard".to_owned(), |found| u8::from(found).to_string()),
            // A repeated look-around: it means nothing, and Python takes it.
            Err(error) if error.to_string().contains("epeat") => continue,
            Err(_) => "error".to_owned(),
        };
        // What Python refuses (`a**`, `{2}` after nothing) may be taken here; what it takes must be.
        if theirs != "error" {
            valid += 1;
            assert_eq!(ours, theirs, "{pattern:?} {path:?}");
        }
    }
    assert!(valid > cases(), "{valid}");
}

#[test]
fn pygrep_says_what_that_of_pre_commit_says() {
    let Some(mut peer) = Peer::start() else {
        return;
    };
    if !peer.has_pre_commit() {
        return;
    }
    let mut seed = Seed::of("pygrep");
    let (mut compared, mut found, mut refused) = (0, 0, 0);
    for _ in 0..cases() * 40 {
        let pattern = seed.join(
            &[
                "a", "b", "A", "é", ".", "$", "^", r"\b", r"\w", r"\W", r"\s", r"\S", r"\d", "+",
                "*", "?", "|", "(", ")", "[ab]", "[^a]", r"[\w-]", r"[^\s]", "{2}", "{,2}", "(?i)",
                "(?:", "(?=", "(?!", "(?<!a)", "(?P<n>a)", "(?P=n)", r"\1", r"\.", r"\n", r"\r",
                r"\Z", r"\A", r"\x41", r"\xe9", " ", "#", "[", "]", "a{", "\\", r"\(", "print",
                r"\B", "(?x)", "-", "&&", "[a&&b]", "(?#x)", "a*?",
            ],
            6,
        );
        let pattern = String::from_utf8(pattern).unwrap();
        let text = seed.join(
            &[
                "a", "b", "A", "B", "é", "\n", "\r\n", "\r", " ", ".", "#", "(", "print", "aa",
                "_", "-", "&", "1", "\t",
            ],
            14,
        );
        let args: &[&str] = [
            &[][..],
            &["-i"],
            &["--multiline"],
            &["--negate"],
            &["--multiline", "--negate"],
            &["--multiline", "--ignore-case"],
        ][seed.below(6)];
        let Some(theirs) = peer.pygrep(args, &pattern, &text) else {
            continue;
        };
        let owned: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let Ok(check) = builtin::pygrep::Pygrep::new(&pattern, &owned) else {
            refused += 1;
            continue;
        };
        let file = File {
            path: b"p",
            mode: Mode::Regular,
            size: text.len() as u64,
            bytes: &text,
        };
        let ours = builtin::FileCheck::check(&check, &file, &Nothing);
        let mut said = ours.lines.join("\n");
        if !said.is_empty() {
            said.push('\n');
        }
        let code = u8::from(ours.outcome != Outcome::Clean);
        let theirs = (theirs.0, String::from_utf8_lossy(&theirs.1).into_owned());
        compared += 1;
        found += usize::from(code);
        assert_eq!(
            (code, said),
            theirs,
            "{pattern:?} {args:?} {:?}",
            String::from_utf8_lossy(&text)
        );
    }
    assert!(
        compared > cases() * 8 && found > cases(),
        "{compared} {found}"
    );
    // What Python takes and we refuse is the exception.
    assert!(refused * 8 < compared, "{refused} of {compared}");
}

#[test]
fn lines_are_cut_into_the_words_of_shlex() {
    let Some(mut peer) = Peer::start() else {
        return;
    };
    let mut seed = Seed::of("words");
    for _ in 0..cases() * 20 {
        let line = seed.join(
            &[
                "a", "b c", "'", "\"", "\\", " ", "\t", "\n", "#", "$x", "é", "''",
            ],
            10,
        );
        let line = String::from_utf8(line).unwrap();
        assert_eq!(words::split(&line).ok(), peer.words(&line), "{line:?}");
    }
}
