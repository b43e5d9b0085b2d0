//! What the built-in checks cost: seven of them over 2,201 files (7.5 MB), each file read once, on two threads.
//!
//! `cargo bench -p tradewind-delivery --bench builtin` makes the files in a temporary folder and prints the median
//! and the best of 30 passes, reading included, for all and for each check alone. The best is closest to what an idle
//! machine takes. With a folder behind `--` its files are taken.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::as_conversions,
    reason = "a bench prints its numbers and stops where it cannot go on"
)]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tradewind_delivery::builtin::{self, Check, File, FileCheck, Outcome, Surroundings};
use tradewind_delivery::precommit::{Config, Settled, Tags, identify};
use tradewind_delivery::staged::Mode;

/// What runs in nearly every repository.
const SEVEN: [&str; 7] = [
    "trailing-whitespace",
    "end-of-file-fixer",
    "check-yaml",
    "check-json",
    "check-merge-conflict",
    "check-added-large-files",
    "detect-private-key",
];
/// Passes; the median counts.
const PASSES: usize = 30;
/// As the reference machine has.
const THREADS: usize = 2;

struct Nothing;

impl Surroundings for Nothing {
    fn tracked(&self) -> &[Box<[u8]>] {
        &[]
    }
    fn content(&self, _path: &[u8]) -> Option<(Mode, Vec<u8>)> {
        None
    }
    fn before(&self, _path: &[u8]) -> Option<(Mode, Vec<u8>)> {
        None
    }
    fn mode(&self, _path: &[u8]) -> Option<Mode> {
        None
    }
    fn tags(&self, _path: &[u8]) -> Option<Tags> {
        None
    }
    fn added(&self) -> &[Box<[u8]>] {
        &[]
    }
    fn exists(&self, _path: &[u8]) -> bool {
        false
    }
    fn is_lfs(&self, _path: &[u8]) -> bool {
        false
    }
    fn branch(&self) -> Option<String> {
        None
    }
    fn is_merging(&self) -> bool {
        // The dearer case: every file is looked at for marks.
        true
    }
    fn variable(&self, _name: &str) -> Option<String> {
        None
    }
    fn machine_file(&self, _path: &str) -> Option<Vec<u8>> {
        None
    }
    fn config(&self) -> Option<&Config> {
        None
    }
    fn hooks(&self) -> &[Settled] {
        &[]
    }
}

/// A check and the types of file it is for.
type Ready = (Box<dyn FileCheck>, Tags);

fn main() {
    let given = std::env::args().skip(1).find(|arg| !arg.starts_with("--"));
    let made = tempfile::tempdir().unwrap();
    let folder = given.map_or_else(|| made.path().to_owned(), PathBuf::from);
    if folder == made.path() {
        fill(&folder);
    }
    let mut files = Vec::new();
    list(&folder, &mut files);
    let bytes: u64 = files
        .iter()
        .map(|file| file.metadata().unwrap().len())
        .sum();
    println!(
        "{} files, {:.1} MB, {THREADS} threads",
        files.len(),
        bytes as f64 / 1e6
    );
    let told = |what: &str, checks: &[Ready]| {
        let (median, best) = measured(&files, checks);
        println!("{what:<24}{median:7.2} ms, best {best:6.2}");
    };
    told("reading only", &[]);
    for id in SEVEN {
        told(id, &[ready(id)]);
    }
    let all: Vec<Ready> = SEVEN.iter().map(|id| ready(id)).collect();
    told("all seven, fused", &all);
}

fn ready(id: &str) -> Ready {
    let about = builtin::find(id).unwrap();
    let tags = Tags::of(about.types.iter().copied()).unwrap();
    match about.with_args(&[]).unwrap() {
        Check::Files(check) => (check, tags),
        Check::Change(_) => unreachable!("all seven look at files"),
    }
}

/// Milliseconds of a pass: the median and the best.
fn measured(files: &[PathBuf], checks: &[Ready]) -> (f64, f64) {
    let mut times: Vec<Duration> = (0..PASSES).map(|_| pass(files, checks)).collect();
    times.sort();
    let ms = |at: usize| times[at].as_secs_f64() * 1e3;
    (ms(PASSES / 2), ms(0))
}

fn pass(files: &[PathBuf], checks: &[Ready]) -> Duration {
    let start = Instant::now();
    let next = AtomicUsize::new(0);
    let found = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let bytes = std::fs::read(file).unwrap();
                    let path = file.as_os_str().as_encoded_bytes();
                    let tags = identify::tags(path, Mode::Regular, Some(&bytes)).unwrap();
                    let one = File {
                        path,
                        mode: Mode::Regular,
                        size: bytes.len() as u64,
                        bytes: &bytes,
                    };
                    for (check, types) in checks {
                        if tags.has_all(types)
                            && check.check(&one, &Nothing).outcome != Outcome::Clean
                        {
                            found.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                }
            });
        }
    });
    start.elapsed()
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            if entry.file_name() != ".git" {
                list(&entry.path(), files);
            }
        } else {
            files.push(entry.path());
        }
    }
}

/// Makes 2,000 Python files, 100 of YAML and 100 of JSON, and a README.
fn fill(folder: &Path) {
    let write = |name: String, text: String| {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    for file in 0..2_000 {
        let mut text = format!("\"\"\"Module {file}.\"\"\"\n\nimport os\n\n");
        for number in 0..40 {
            text.push_str(&format!(
                "\ndef f{number}(price, size):\n    \"\"\"Return {number}.\"\"\"\n    return price * size + {number}\n"
            ));
        }
        write(format!("p{}/m{file}.py", file / 50), text);
    }
    for file in 0..100 {
        let mut yaml = String::from("---\n");
        let mut json = String::from("{\n");
        for number in 0..60 {
            yaml.push_str(&format!(
                "key{number}:\n  name: value {number}\n  list: [1, 2, \"x\"]\n"
            ));
            json.push_str(&format!(
                "  \"key{number}\": {{\"name\": \"value {number}\", \"list\": [1, 2.5, null]}},\n"
            ));
        }
        json.push_str("  \"end\": true\n}\n");
        write(format!("y/{file}.yaml"), yaml);
        write(format!("j/{file}.json"), json);
    }
    write("README.md".to_owned(), "# A repository\n".to_owned());
}
