//! What a person let pass, and why.
//!
//! An exception is an event of the journal: who, which paths, and the reason. It counts until a moment, or, without
//! one, for the next commit only: it remembers the commit that `HEAD` was at, and as soon as `HEAD` moves on it is
//! spent. So a hook that lets a commit pass writes nothing.

use jiff::Timestamp;
use tradewind_core::payload::ExceptionGranted;
use tradewind_core::{EventKind, RepositoryId, Seq};
use tradewind_journal::{Filter, ReadError, Reader};
use tradewind_repo::Oid;

use super::Stop;

/// Exceptions that are looked at, the newest first.
const MAX_EXCEPTIONS: usize = 500;
/// Longest time for which one may be granted.
pub const MAX_HOURS: i64 = 24 * 7;

/// One exception that is in force.
#[derive(Clone, Debug, PartialEq)]
pub struct Exception {
    /// The event that granted it.
    pub seq: Seq,
    /// What it says.
    pub granted: ExceptionGranted,
}

/// The exceptions that are in force in one repository.
#[derive(Clone, Debug, Default)]
pub struct Exceptions {
    /// The newest first.
    pub all: Vec<Exception>,
}

impl Exceptions {
    /// Reads what is in force for a repository at `now`, with `HEAD` at `head`.
    ///
    /// # Errors
    /// [`ReadError`] when the journal cannot be read. An event that cannot be understood grants nothing.
    pub fn read(
        reader: &Reader,
        repository: RepositoryId,
        head: Option<Oid>,
        now: Timestamp,
    ) -> Result<Self, ReadError> {
        let events = reader.select(&Filter {
            kinds: vec![EventKind::DeliveryExceptionGranted],
            repository: Some(repository),
            limit: MAX_EXCEPTIONS,
            newest_first: true,
            ..Filter::default()
        })?;
        let head = head.map(|head| head.to_string());
        let all = events.iter().filter_map(|event| {
            let granted: ExceptionGranted = event.payload().ok()?;
            is_in_force(&granted, head.as_deref(), now).then_some(Exception {
                seq: event.seq,
                granted,
            })
        });
        Ok(Self { all: all.collect() })
    }

    /// Returns the exception that lets a stop pass.
    pub fn of(&self, stop: &Stop) -> Option<&Exception> {
        self.all
            .iter()
            .find(|exception| covers(&exception.granted.paths, &stop.path))
    }
}

fn is_in_force(granted: &ExceptionGranted, head: Option<&str>, now: Timestamp) -> bool {
    match granted.until {
        Some(until) => now < until,
        None => granted.head.as_deref() == head,
    }
}

/// Says whether paths name a path itself or a folder above it; `.` is everything.
fn covers(paths: &[String], path: &str) -> bool {
    paths.iter().any(|granted| {
        let granted = granted.trim_end_matches('/');
        granted == "."
            || granted == path
            || path
                .strip_prefix(granted)
                .is_some_and(|rest| rest.starts_with('/'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn granted(head: Option<&str>, until: Option<&str>) -> ExceptionGranted {
        ExceptionGranted {
            paths: vec!["bot/risk.py".into(), "old/".into()],
            reason: "moved to the library".into(),
            by: "ada".into(),
            head: head.map(str::to_owned),
            until: until.map(|until| until.parse().unwrap()),
        }
    }

    #[test]
    fn an_exception_without_a_time_is_for_the_next_commit_only() {
        let now: Timestamp = "2026-11-23T02:00:00Z".parse().unwrap();
        let once = granted(Some("aa"), None);
        assert!(is_in_force(&once, Some("aa"), now));
        assert!(!is_in_force(&once, Some("bb"), now));
        assert!(is_in_force(&granted(None, None), None, now));
        let timed = granted(Some("aa"), Some("2026-11-23T03:00:00Z"));
        assert!(is_in_force(&timed, Some("bb"), now));
        assert!(!is_in_force(
            &timed,
            Some("aa"),
            "2026-11-23T03:00:00Z".parse().unwrap()
        ));
    }

    #[test]
    fn it_covers_a_path_or_what_is_below_it() {
        let paths = granted(None, None).paths;
        assert!(covers(&paths, "bot/risk.py"));
        assert!(covers(&paths, "old/deep/x.py"));
        assert!(covers(&paths, "old"));
        assert!(!covers(&paths, "older/x.py"));
        assert!(!covers(&paths, "bot/risk.pyc"));
        assert!(covers(&[".".to_owned()], "anything"));
    }
}
