//! `tradewind erase`: remove a leaked secret from the journal, and say where else it may be.
//!
//! Not here: removing copies. A backup or undo material may be the last of its kind; that is a person's choice.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{IsTerminal, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use tradewind_core::payload::{BackupCreated, BackupLoaded};
use tradewind_core::{EventKind, Seq};
use tradewind_journal::{Filter, ReadError, Reader};

use crate::control::{Command, Reply};
use crate::describe::counted;
use crate::place::Place;
use crate::report::{Exit, Failure, Outcome};
use crate::terminal;

#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("what").required(true).args(["events", "secret_from_stdin"])))]
pub(crate) struct Args {
    /// The events whose bodies go
    #[arg(value_name = "SEQ")]
    events: Vec<Seq>,
    /// Read the secret from standard input and erase every event that holds it; never type it as an argument
    #[arg(long)]
    secret_from_stdin: bool,
    /// Why, without the secret itself
    #[arg(short, long, default_value = "it held a secret")]
    reason: String,
    /// Only say which events would be erased
    #[arg(short = 'n', long)]
    dry_run: bool,
}

/// A shorter text would match by chance and erase what it should not.
const MIN_SECRET_BYTES: usize = 8;
/// A file of undo material or a log is read in pieces of this size.
const PIECE_BYTES: usize = 1024 * 1024;

pub(crate) async fn run(place: &Place, args: Args) -> Outcome {
    if args.reason.trim().is_empty() {
        return Err(Failure::new(Exit::Usage, "the reason is empty")
            .hint("say why with `--reason`, without the secret"));
    }
    let reader = place.reader()?;
    let secret = args.secret_from_stdin.then(Secret::ask).transpose()?;
    let events = match &secret {
        Some(secret) => find(&reader, secret)?,
        None => args.events,
    };
    check(&reader, &events)?;
    let names: Vec<_> = events.iter().map(ToString::to_string).collect();
    let bodies = format!("{} ({})", counted(names.len(), "event"), names.join(", "));
    if events.is_empty() {
        terminal::line("No event holds it.");
    } else if args.dry_run {
        terminal::line(format_args!("Would erase the bodies of {bodies}."));
    } else if let Reply::Recorded { event } = place
        .control(Command::Erase {
            events,
            reason: args.reason,
        })
        .await?
    {
        terminal::line(format_args!(
            "Erased the bodies of {bodies}; event {event} says so. The chain still verifies: `tradewind log --verify`."
        ));
        terminal::line(
            "A secret that leaked must also be replaced at its provider: erasing it here does not unleak it.",
        );
    }
    let copies = copies(place.state(), &reader, secret.as_ref())?;
    if !copies.is_empty() {
        terminal::line(
            "Copies are left as they are. Look through these, and remove what you do not need:",
        );
    }
    for (path, why) in &copies {
        terminal::line(format_args!("  {}  {why}", terminal::word(path.display())));
    }
    Ok(if args.dry_run && !names.is_empty() {
        Exit::Found
    } else {
        Exit::Done
    })
}

/// Refuses events that are not there or hold nothing any more, before anything is erased.
fn check(reader: &Reader, events: &[Seq]) -> Result<(), Failure> {
    let outside = |error: ReadError| Failure::from_error(Exit::Outside, &error);
    for seq in events {
        let what = match reader.get(*seq).map_err(outside)? {
            Some(event) if event.data.is_some() => continue,
            Some(_) => format!("the body of event {seq} is erased already"),
            None => format!("there is no event {seq}"),
        };
        let (first, last) = (
            reader.first().map_err(outside)?,
            reader.last().map_err(outside)?,
        );
        return Err(Failure::new(Exit::Usage, what).hint(format!(
            "events {first} to {last} are in the journal: `tradewind log --all` lists the newest, `tradewind erase --secret-from-stdin` finds those that hold a secret"
        )));
    }
    Ok(())
}

/// A secret as it may stand in a file.
struct Secret {
    plain: String,
    /// Bodies are JSON text, in which quotes and backslashes are escaped.
    escaped: String,
}

impl Secret {
    fn ask() -> Result<Self, Failure> {
        if std::io::stdin().is_terminal() {
            terminal::note(
                "Type or paste the secret, then end the input (Ctrl-D; Ctrl-Z and Enter on Windows).",
            );
        }
        let mut secret = String::new();
        std::io::stdin()
            .take(64 * 1024)
            .read_to_string(&mut secret)
            .map_err(|e| {
                Failure::because(
                    Exit::Usage,
                    "the secret cannot be read from standard input",
                    &e,
                )
            })?;
        let plain = secret.trim();
        if plain.len() < MIN_SECRET_BYTES {
            return Err(Failure::new(Exit::Usage, format!("the secret is shorter than {MIN_SECRET_BYTES} bytes"))
                .hint("so short a text stands in events by chance; name the events themselves: `tradewind erase SEQ…`"));
        }
        let escaped = serde_json::to_string(plain).unwrap_or_default();
        Ok(Self {
            plain: plain.to_owned(),
            escaped: escaped.trim_matches('"').to_owned(),
        })
    }

    fn is_in(&self, text: &str) -> bool {
        text.contains(&self.plain) || text.contains(&self.escaped)
    }

    /// Says whether a file holds it; none when it cannot be read.
    fn is_in_file(&self, path: &Path) -> Option<bool> {
        let mut file = File::open(path).ok()?;
        let overlap = self.plain.len().max(self.escaped.len());
        let mut bytes = Vec::new();
        loop {
            let piece = u64::try_from(PIECE_BYTES).unwrap_or(u64::MAX);
            let read = (&mut file).take(piece).read_to_end(&mut bytes).ok()?;
            let holds = |text: &str| bytes.windows(text.len()).any(|w| w == text.as_bytes());
            if holds(&self.plain) || holds(&self.escaped) {
                return Some(true);
            }
            if read == 0 {
                return Some(false);
            }
            // It may lie across the border of two pieces.
            bytes.drain(..bytes.len().saturating_sub(overlap));
        }
    }
}

fn find(reader: &Reader, secret: &Secret) -> Result<Vec<Seq>, Failure> {
    let mut found = Vec::new();
    reader
        .for_each(Seq::ZERO, |event| {
            if event
                .data
                .as_ref()
                .is_some_and(|data| secret.is_in(data.get()))
            {
                found.push(event.seq);
            }
            ControlFlow::Continue(())
        })
        .map_err(|e| Failure::from_error(Exit::Outside, &e))?;
    Ok(found)
}

/// Lists the files besides the journal that hold the secret, or may, each with what it is.
fn copies(
    state: &Path,
    reader: &Reader,
    secret: Option<&Secret>,
) -> Result<Vec<(PathBuf, &'static str)>, Failure> {
    let mut found = Vec::new();
    for path in entries(state) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with("journal-replaced-") {
            found.push((path, "may hold it: the journal that `backup load` replaced"));
        } else if name.starts_with("journal-layout-") {
            found.push((path, "may hold it: the journal before its layout changed"));
        } else if name.starts_with("daemon.log")
            && secret.is_some_and(|secret| secret.is_in_file(&path) != Some(false))
        {
            found.push((path, "holds it: what the daemon said"));
        }
    }
    for path in backups(reader)? {
        found.push((path, "may hold it: a backup"));
    }
    let blobs = state.join("blobs");
    match secret {
        None if blobs.is_dir() => found.push((
            blobs,
            "may hold it: undo material; `tradewind erase --secret-from-stdin` says which file",
        )),
        None => {}
        Some(secret) => {
            for blob in entries(&blobs).iter().flat_map(|shelf| entries(shelf)) {
                // What was known for a secret when it was kept lies there only encrypted, and is not found.
                if secret.is_in_file(&blob) != Some(false) {
                    found.push((
                        blob,
                        "holds it: undo material; without it that action cannot be undone",
                    ));
                }
            }
        }
    }
    Ok(found)
}

fn entries(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

/// Lists the backups that were written or loaded, as far as they are still there.
fn backups(reader: &Reader) -> Result<BTreeSet<PathBuf>, Failure> {
    let filter = Filter {
        kinds: vec![
            EventKind::JournalBackupCreated,
            EventKind::JournalBackupLoaded,
        ],
        ..Filter::default()
    };
    let events = reader
        .select(&filter)
        .map_err(|e| Failure::from_error(Exit::Outside, &e))?;
    let paths = events.iter().filter_map(|event| {
        if event.kind == EventKind::JournalBackupCreated {
            return Some(event.payload::<BackupCreated>().ok()?.path);
        }
        Some(event.payload::<BackupLoaded>().ok()?.path)
    });
    Ok(paths
        .map(PathBuf::from)
        .filter(|path| path.exists())
        .collect())
}
