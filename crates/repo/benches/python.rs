//! How long 5,000 Python files take, cold and warm, and how much memory. `cargo bench -p tradewind-repo
//! --bench python` prints it; with a folder as argument, that folder is read instead. Nothing is asserted.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench prints its numbers and stops where it cannot go on"
)]

use std::path::{Path, PathBuf};
use std::time::Instant;

use tradewind_repo::python::{Cache, read};
use tradewind_repo::tree::Tree;

const FILES: usize = 5_000;
const FILE_BYTES: usize = 8_000;

fn main() {
    let given = std::env::args().skip(1).find(|arg| !arg.starts_with('-'));
    let made = tempfile::tempdir().unwrap();
    let top = given.map_or_else(
        || {
            write_files(made.path());
            made.path().to_owned()
        },
        PathBuf::from,
    );
    let cache = tempfile::tempdir().unwrap();
    let tree = Tree::read_folder(&top).unwrap();
    let bytes: u64 = tree
        .files()
        .iter()
        .filter(|file| file.path.ends_with(".py"))
        .map(|file| file.size)
        .sum();
    println!(
        "python text: {} kB; memory before: {} MiB",
        bytes / 1000,
        peak()
    );
    for name in ["no cache", "cold", "warm", "warm again"] {
        let (started, before) = (Instant::now(), processor_ms());
        let store = match name {
            "no cache" => Cache::none(),
            _ => Cache::open(cache.path(), "bench"),
        };
        let reading = read(&tree, &store, |_| Vec::new());
        store.finish();
        println!(
            "{name:>10}: {:>6.0} ms ({} ms of processors), {} modules, {} parsed, {} with errors, {} calls, peak {} MiB",
            started.elapsed().as_secs_f64() * 1000.0,
            processor_ms() - before,
            reading.modules.len(),
            reading.parsed,
            reading.unread.len(),
            reading
                .modules
                .iter()
                .map(|module| module.calls.len())
                .sum::<usize>(),
            peak(),
        );
    }
    let kept: u64 = std::fs::read_dir(cache.path())
        .unwrap()
        .map(|file| file.unwrap().metadata().unwrap().len())
        .sum();
    println!("cache: {} kB", kept / 1000);
}

/// Writes files put together from the demo bot's.
fn write_files(top: &Path) {
    let bot = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/bot");
    let mut texts = Vec::new();
    for folder in ["bot", "bot/fetchers", "scripts", "tests"] {
        for file in std::fs::read_dir(bot.join(folder)).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_some_and(|suffix| suffix == "py") {
                texts.push(std::fs::read_to_string(path).unwrap());
            }
        }
    }
    let mut next = 0;
    for number in 0..FILES {
        let folder = top.join(format!("package{:02}", number % 50));
        std::fs::create_dir_all(&folder).unwrap();
        let mut text = format!("NUMBER = {number}\n");
        while text.len() < FILE_BYTES - 1_000 {
            text.push_str(&texts[next % texts.len()]);
            next += 1;
        }
        std::fs::write(folder.join(format!("module{number}.py")), text).unwrap();
    }
}

/// Returns the time that processors spent on this process; 0 where the system does not say.
fn processor_ms() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let fields = after_name.split_whitespace().skip(11).take(2);
    fields
        .filter_map(|ticks| ticks.parse::<u64>().ok())
        .sum::<u64>()
        * 10
}

/// Returns the most memory that this process has had, in MiB; 0 where the system does not say.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    number.unwrap_or(0) / 1024
}
