//! `tradewind restore PATH`: bring a file back from the recorded preimages or from git's history.

use std::path::PathBuf;

use crate::control::Command;
use crate::place::Place;
use crate::report::{Exit, Failure, Outcome};
use crate::times;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The file; it need not exist any more
    path: PathBuf,
    /// As it was then: `2h`, `3 days`, `2026-11-23T09:30:00Z`; without it the newest other content
    #[arg(long, value_name = "WHEN")]
    at: Option<String>,
    /// Replace the content that is there; it is kept and `undo` brings it back
    #[arg(short, long)]
    force: bool,
}

pub(crate) async fn run(place: &Place, args: Args) -> Outcome {
    let (location, repository) = place.watched_repository().await?;
    let at = args
        .at
        .as_deref()
        .map(|t| times::parse_past(t, place.now()))
        .transpose()?;
    let path = inside(place, &location.top, &args.path)?;
    let command = Command::Restore {
        repository,
        path,
        at,
        force: args.force,
    };
    super::undo::show(
        place,
        command,
        "restored",
        "`tradewind undo` takes it back.",
    )
    .await
}

/// Turns a path as typed into one from the top of the repository, with `/`, whether or not it exists.
fn inside(
    place: &Place,
    top: &std::path::Path,
    typed: &std::path::Path,
) -> Result<String, Failure> {
    let outside = || {
        Failure::new(
            Exit::Usage,
            format!(
                "{} is not inside the repository {}",
                typed.display(),
                top.display()
            ),
        )
        .hint("name a file of this repository; use `-C DIR` for another one")
    };
    let cwd = place
        .cwd()
        .canonicalize()
        .map_err(|e| Failure::because(Exit::Outside, "this folder cannot be read", &e))?;
    let top = top.canonicalize().unwrap_or_else(|_| top.to_path_buf());
    let mut parts: Vec<std::ffi::OsString> = Vec::new();
    for component in cwd.join(typed).components() {
        match component {
            std::path::Component::CurDir => {}
            std::path::Component::ParentDir => drop(parts.pop()),
            other => parts.push(other.as_os_str().to_owned()),
        }
    }
    let full: PathBuf = parts.iter().collect();
    let relative = full.strip_prefix(&top).map_err(|_not_below| outside())?;
    let text: Vec<_> = relative
        .iter()
        .map(|p| p.to_string_lossy().into_owned())
        .collect();
    if text.is_empty() {
        Err(outside())
    } else {
        Ok(text.join("/"))
    }
}
