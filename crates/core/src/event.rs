//! One thing that happened: the envelope around every fact in the journal.
//!
//! A [`Draft`] is a fact on its way in; an [`Event`] is one that the journal has numbered. The body
//! stays as JSON text, because most readers only count, filter or pass on; [`Event::payload`] reads
//! it as one of the types in [`crate::payload`] when somebody needs the fields.
//! Not here: the list of kinds ([`crate::kind`]), the wire form ([`crate::cloudevent`]).

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::{RawValue, to_raw_value};

use crate::kind::EventKind;
use crate::payload::Payload;
use crate::{RepositoryId, Seq};

/// Upper bound on an event's body, in bytes. Larger facts belong in a blob that the event names.
pub const MAX_DATA_BYTES: usize = 256 * 1024;
/// Upper bound on a subject, in bytes.
pub const MAX_SUBJECT_BYTES: usize = 4 * 1024;

/// Why a draft cannot be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DraftError {
    /// The body does not serialize to JSON.
    #[error("body of {kind} is not JSON")]
    Body {
        /// Kind of the draft.
        kind: EventKind,
        /// What the serializer said.
        #[source]
        source: serde_json::Error,
    },
    /// The body is larger than [`MAX_DATA_BYTES`].
    #[error("body of {kind} has {actual_bytes} bytes, at most {MAX_DATA_BYTES} are kept")]
    TooLarge {
        /// Kind of the draft.
        kind: EventKind,
        /// Size of the body.
        actual_bytes: usize,
    },
    /// The subject is larger than [`MAX_SUBJECT_BYTES`].
    #[error("subject of {kind} has {actual_bytes} bytes, at most {MAX_SUBJECT_BYTES} are kept")]
    SubjectTooLong {
        /// Kind of the draft.
        kind: EventKind,
        /// Size of the subject.
        actual_bytes: usize,
    },
}

/// A fact on its way into the journal.
#[derive(Clone, Debug)]
pub struct Draft {
    /// What happened.
    pub kind: EventKind,
    /// Version of the body's shape.
    pub schema: u16,
    /// When it happened, by the clock of whoever saw it.
    pub occurred_at: Timestamp,
    /// The event that led to this one.
    pub cause: Option<Seq>,
    /// What it is about: a branch, a path, a rule. May be empty.
    pub subject: String,
    /// The repository it is about.
    pub repository: Option<RepositoryId>,
    /// Idempotency key. A second draft with the same key is not appended; it yields the first one's seq.
    pub key: Option<String>,
    /// The body as JSON text. Invariant: at most [`MAX_DATA_BYTES`]; checked by the journal as well.
    pub data: Box<RawValue>,
}

impl Draft {
    /// Builds a draft from a typed body, which also says the kind.
    ///
    /// # Errors
    /// [`DraftError`] when the body does not serialize or is too large.
    pub fn new<P: Payload>(occurred_at: Timestamp, body: &P) -> Result<Self, DraftError> {
        Self::raw(body.kind(), occurred_at, body)
    }

    /// Builds a draft of `kind` from any serializable body.
    ///
    /// # Errors
    /// [`DraftError`] when the body does not serialize or is too large.
    pub fn raw<B: Serialize>(
        kind: EventKind,
        occurred_at: Timestamp,
        body: &B,
    ) -> Result<Self, DraftError> {
        let data = to_raw_value(body).map_err(|source| DraftError::Body { kind, source })?;
        let draft = Self {
            kind,
            schema: kind.schema(),
            occurred_at,
            cause: None,
            subject: String::new(),
            repository: None,
            key: None,
            data,
        };
        draft.check()?;
        Ok(draft)
    }

    /// Says what it is about.
    #[must_use]
    pub fn about(mut self, subject: impl Into<String>) -> Self {
        self.subject = subject.into();
        self
    }

    /// Says which event led to it.
    #[must_use]
    pub fn caused_by(mut self, cause: Seq) -> Self {
        self.cause = Some(cause);
        self
    }

    /// Says which repository it is about.
    #[must_use]
    pub fn in_repository(mut self, repository: RepositoryId) -> Self {
        self.repository = Some(repository);
        self
    }

    /// Sets the idempotency key.
    #[must_use]
    pub fn with_key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Checks the bounds that the journal enforces.
    ///
    /// # Errors
    /// [`DraftError::TooLarge`] and [`DraftError::SubjectTooLong`].
    pub fn check(&self) -> Result<(), DraftError> {
        let actual_bytes = self.data.get().len();
        if actual_bytes > MAX_DATA_BYTES {
            return Err(DraftError::TooLarge {
                kind: self.kind,
                actual_bytes,
            });
        }
        if self.subject.len() > MAX_SUBJECT_BYTES {
            return Err(DraftError::SubjectTooLong {
                kind: self.kind,
                actual_bytes: self.subject.len(),
            });
        }
        Ok(())
    }
}

/// A fact in the journal.
#[derive(Clone, Debug, Serialize)]
pub struct Event {
    /// Its place.
    pub seq: Seq,
    /// What happened.
    pub kind: EventKind,
    /// Version of the body's shape.
    pub schema: u16,
    /// When it happened, by the clock of whoever saw it.
    pub occurred_at: Timestamp,
    /// When the journal took it, by this machine's clock.
    pub recorded_at: Timestamp,
    /// The event that led to this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<Seq>,
    /// The first event of the chain of causes; its own seq where it has no cause.
    pub correlation: Seq,
    /// What it is about. May be empty.
    pub subject: String,
    /// The repository it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<RepositoryId>,
    /// The body as JSON text; `None` when it was erased.
    pub data: Option<Box<RawValue>>,
}

impl Event {
    /// Reads the body as `P`.
    ///
    /// # Errors
    /// [`PayloadError`] when the body was erased or has another shape.
    pub fn payload<P: DeserializeOwned>(&self) -> Result<P, PayloadError> {
        let data = self
            .data
            .as_ref()
            .ok_or(PayloadError::Erased { seq: self.seq })?;
        serde_json::from_str(data.get()).map_err(|source| PayloadError::Shape {
            seq: self.seq,
            kind: self.kind,
            source,
        })
    }
}

/// Why an event's body cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PayloadError {
    /// The body was erased because it held a secret.
    #[error("body of event {seq} was erased")]
    Erased {
        /// The event.
        seq: Seq,
    },
    /// The body has another shape than asked for.
    #[error("body of event {seq} ({kind}) has another shape")]
    Shape {
        /// The event.
        seq: Seq,
        /// Its kind.
        kind: EventKind,
        /// What the reader said.
        #[source]
        source: serde_json::Error,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_over_the_bound_is_refused() {
        let body = "x".repeat(MAX_DATA_BYTES);
        let error = Draft::raw(
            EventKind::ExternalEventReceived,
            Timestamp::UNIX_EPOCH,
            &body,
        );
        assert!(matches!(error, Err(DraftError::TooLarge { .. })));
    }
}
