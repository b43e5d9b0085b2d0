//! The file of `--record` and `--replay`: read before the program starts, written when it has ended.
//!
//! What is there already is overwritten only when it is a cassette, and only by a recording that holds
//! something. The file is private (0600) and either old or new, never half.

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use tradewind_catalog::Catalog;
use tradewind_host::dirs;
use tradewind_host::files;
use tradewind_market::cassette::{Cassette, CassetteError, MAX_FILE_BYTES, Player, Recorder, Why};
use tradewind_market::redact::Secrets;
use tradewind_market::secrets::Keyring;

use crate::place::Place;
use crate::report::{Exit, Failure};
use crate::settings::Settings;
use crate::terminal;

/// What a finished recording is, for the summary.
#[derive(Debug)]
pub(super) struct Written {
    /// Whether the file was written; not when nothing was recorded over an older cassette.
    pub(super) is_written: bool,
    /// What was recorded.
    pub(super) cassette: Cassette,
}

impl Written {
    /// Returns calls for data that should be in the cassette and are not.
    pub(super) fn lost(&self) -> u64 {
        let lost = self.cassette.left_out.iter().filter(|out| match out.why {
            Why::HasBody | Why::NotText | Why::Full | Why::TooManyKeys => true,
            Why::NotData | Why::CarriedUnread | Why::NotOpened => false,
        });
        lost.map(|out| out.calls).sum()
    }
}

/// Begins a recording into `path`.
pub(super) async fn record(
    place: &Place,
    catalog: &Arc<Catalog>,
    path: &Path,
) -> Result<Recorder, Failure> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(place.cwd());
    // What cannot be written is told before anything was asked.
    tempfile::tempfile_in(folder).map_err(|error| {
        let what = format!("{} cannot be written", path.display());
        Failure::because(Exit::Usage, what, &error).hint("make its folder, or name another file")
    })?;
    if std::fs::symlink_metadata(path).is_ok_and(|meta| meta.is_symlink()) {
        let what = format!("{} is a link", path.display());
        return Err(Failure::new(Exit::Usage, what).hint("name the file itself"));
    }
    match read(path) {
        Ok(None) => {}
        Ok(Some(bytes)) => {
            if let Err(CassetteError::NotOne) = Cassette::parse(&bytes) {
                let what = format!("{} is there and is no cassette", path.display());
                return Err(Failure::new(Exit::Usage, what)
                    .hint("move it away, or name another file; only a cassette is overwritten"));
            }
        }
        Err(error) => {
            return Err(Failure::because(
                Exit::Usage,
                format!("{} cannot be overwritten", path.display()),
                &error,
            )
            .hint("name another file"));
        }
    }
    let mut secrets = of_environment(catalog);
    let dir = dirs::config_dir().map_err(|e| Failure::from_error(Exit::Config, &e))?;
    let section = Settings::load(catalog)?.market;
    let named: Vec<_> = section.keys.keys().cloned().collect();
    let keyring = Keyring::new(Arc::clone(catalog), section, dir);
    for provider in named
        .iter()
        .filter_map(|provider| catalog.provider(provider))
    {
        match keyring.keys(&provider.name).await {
            Ok(keys) => secrets.add_keys(provider, &keys),
            // A key that cannot be read now cannot be sent now.
            Err(error) => terminal::warn(format_args!(
                "the key of {} cannot be read, so it is not looked for in answers: {error}",
                provider.name
            )),
        }
    }
    Ok(Recorder::new(Arc::clone(catalog), place.clock(), secrets))
}

/// Ends a recording and writes it down.
pub(super) fn write(recorder: &Recorder, path: &Path) -> Result<Written, Failure> {
    let cassette = recorder.finish().ok_or_else(|| {
        Failure::new(
            Exit::Outside,
            "the program used more keys than can be looked for",
        )
        .hint("nothing was written; record a part of it at a time")
    })?;
    let is_there = path.exists();
    if cassette.calls.is_empty() && cassette.streams.is_empty() && is_there {
        return Ok(Written {
            is_written: false,
            cassette,
        });
    }
    files::write_private(path, cassette.to_text().as_bytes()).map_err(|error| {
        Failure::from_error(Exit::Outside, &error)
            .hint("the recording is lost; make room, or name another file, and record again")
    })?;
    Ok(Written {
        is_written: true,
        cassette,
    })
}

/// Reads the cassette at `path`.
pub(super) fn replay(catalog: &Arc<Catalog>, path: &Path) -> Result<Player, Failure> {
    let record = "record one: `tradewind exec --record FILE -- COMMAND`";
    let bytes = read(path)
        .map_err(|error| {
            let what = format!("{} cannot be read", path.display());
            Failure::because(Exit::Usage, what, &error).hint(record)
        })?
        .ok_or_else(|| {
            let what = format!("there is no cassette {}", path.display());
            Failure::new(Exit::Usage, what).hint(record)
        })?;
    let cassette = Cassette::parse(&bytes).map_err(|error| {
        let what = format!("{} cannot be played", path.display());
        let hint = match &error {
            CassetteError::Version(_) => {
                "use the version of Tradewind that recorded it, or record it again"
            }
            _ => record,
        };
        Failure::because(Exit::Usage, what, &error).hint(hint)
    })?;
    Player::new(Arc::clone(catalog), cassette, &of_environment(catalog))
        .ok_or_else(|| Failure::new(Exit::Usage, "there are more keys than can be looked for"))
}

fn of_environment(catalog: &Catalog) -> Secrets {
    Secrets::of_environment(catalog, |name| {
        let value = std::env::var_os(name)?;
        value.into_string().ok()
    })
}

/// Reads a file within bounds; `None` when there is none.
fn read(path: &Path) -> std::io::Result<Option<Vec<u8>>> {
    use std::io::{Error, ErrorKind};
    let meta = match std::fs::metadata(path) {
        Ok(meta) => meta,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    if !meta.is_file() {
        return Err(Error::new(ErrorKind::InvalidInput, "it is no regular file"));
    }
    let mut bytes = Vec::new();
    std::fs::File::open(path)?
        .take(MAX_FILE_BYTES + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        let what = format!("it has more than {} MiB", MAX_FILE_BYTES / 1024 / 1024);
        return Err(Error::new(ErrorKind::FileTooLarge, what));
    }
    Ok(Some(bytes))
}
