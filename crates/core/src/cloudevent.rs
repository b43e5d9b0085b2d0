//! CloudEvents 1.0, JSON format: how events leave for, and arrive from, other systems.
//!
//! Source: CloudEvents specification 1.0.2, "JSON Event Format". Our extension attributes have
//! lower-case names without separators, as the specification wants: `sequence`, `recordedtime`, `cause`,
//! `correlation`, `repository`, `schemaversion`. Integers that may pass 31 bits travel as text.
//! Not here: HTTP (binary mode, batches), which is the edge's business.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::event::{Draft, DraftError, Event};
use crate::payload::ExternalEvent;
use crate::{EventKind, JournalId, RepositoryId, Seq};

/// Upper bound on one of the sender's attributes, in bytes.
const MAX_ATTRIBUTE_BYTES: usize = 1024;
/// Upper bound on how many attributes of its own a sender may add.
const MAX_EXTENSIONS: usize = 32;

/// Why a CloudEvent is not accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CloudEventError {
    /// The text is not a JSON object with the attributes of a CloudEvent.
    #[error("not a CloudEvent in JSON format")]
    Json(#[source] serde_json::Error),
    /// `specversion` is not 1.0.
    #[error("specversion {0:?} is not supported, only \"1.0\"")]
    SpecVersion(String),
    /// A required attribute is empty or an attribute is too long or of a wrong type.
    #[error("attribute {name:?} {problem}")]
    Attribute {
        /// Name of the attribute.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The body is too large for the journal.
    #[error("event cannot be kept")]
    Draft(#[from] DraftError),
}

#[derive(Deserialize)]
struct Incoming {
    specversion: String,
    id: String,
    source: String,
    #[serde(rename = "type")]
    event_type: String,
    #[serde(default)]
    subject: Option<String>,
    #[serde(default)]
    time: Option<Timestamp>,
    #[serde(default)]
    datacontenttype: Option<String>,
    #[serde(default)]
    dataschema: Option<String>,
    #[serde(default)]
    data: Option<Box<RawValue>>,
    #[serde(default)]
    data_base64: Option<String>,
    #[serde(flatten)]
    extensions: BTreeMap<String, serde_json::Value>,
}

/// Returns the `source` of our own events.
pub fn source(journal: JournalId) -> String {
    format!("/tradewind/{journal}")
}

/// Writes `event` as a CloudEvent in JSON format.
pub fn to_json(event: &Event, journal: JournalId) -> serde_json::Value {
    let mut out = serde_json::Map::new();
    let mut put = |name: &str, value: serde_json::Value| {
        out.insert(name.to_owned(), value);
    };
    put("specversion", "1.0".into());
    put("id", event.seq.to_string().into());
    put("source", source(journal).into());
    put("type", event.kind.as_str().into());
    if !event.subject.is_empty() {
        put("subject", event.subject.clone().into());
    }
    put("time", event.occurred_at.to_string().into());
    put("recordedtime", event.recorded_at.to_string().into());
    put("sequence", format!("{:020}", event.seq.0).into());
    put("schemaversion", event.schema.into());
    if let Some(cause) = event.cause {
        put("cause", cause.to_string().into());
    }
    put("correlation", event.correlation.to_string().into());
    if let Some(repository) = event.repository {
        put("repository", repository.to_string().into());
    }
    if let Some(data) = &event.data {
        put("datacontenttype", "application/json".into());
        put("data", serde_json::from_str(data.get()).unwrap_or_default());
    }
    serde_json::Value::Object(out)
}

/// Reads back an event that [`to_json`] wrote, from whichever journal.
///
/// # Errors
/// [`CloudEventError`] when the text is not such an event.
pub fn own_from_json(text: &str) -> Result<(String, Event), CloudEventError> {
    let incoming = parse(text)?;
    let wrong = |name: &str, problem| CloudEventError::Attribute {
        name: name.to_owned(),
        problem,
    };
    let kind: EventKind = incoming
        .event_type
        .parse()
        .ok()
        .ok_or_else(|| wrong("type", "is no kind of this program"))?;
    let text_of = |name: &str| incoming.extensions.get(name).and_then(|v| v.as_str());
    let seq = incoming
        .id
        .parse::<Seq>()
        .ok()
        .ok_or_else(|| wrong("id", "is not a number"))?;
    let number = |name: &str| {
        text_of(name)
            .map(str::parse::<Seq>)
            .transpose()
            .map_err(|_not_valid| wrong(name, "is not a number"))
    };
    let event = Event {
        seq,
        kind,
        schema: incoming
            .extensions
            .get("schemaversion")
            .and_then(serde_json::Value::as_u64)
            .and_then(|v| u16::try_from(v).ok())
            .ok_or_else(|| wrong("schemaversion", "is not a small number"))?,
        occurred_at: incoming.time.ok_or_else(|| wrong("time", "is missing"))?,
        recorded_at: text_of("recordedtime")
            .and_then(|t| t.parse().ok())
            .ok_or_else(|| wrong("recordedtime", "is not a time"))?,
        cause: number("cause")?,
        correlation: number("correlation")?.unwrap_or(seq),
        subject: incoming.subject.clone().unwrap_or_default(),
        repository: text_of("repository")
            .map(str::parse::<RepositoryId>)
            .transpose()
            .map_err(|_not_valid| wrong("repository", "is not an id"))?,
        data: incoming.data,
    };
    Ok((incoming.source, event))
}

/// Turns a foreign CloudEvent into a draft of `external.event.received`, whatever type it claims.
///
/// `now` stands in where the sender gave no time. The idempotency key is the sender's source and id,
/// so that a repeated delivery is journaled once.
///
/// # Errors
/// [`CloudEventError`] when the text is not a CloudEvent 1.0 or is too large.
pub fn external_from_json(text: &str, now: Timestamp) -> Result<Draft, CloudEventError> {
    let incoming = parse(text)?;
    if incoming.extensions.len() > MAX_EXTENSIONS {
        return Err(CloudEventError::Attribute {
            name: "extensions".to_owned(),
            problem: "are too many",
        });
    }
    let mut extensions = BTreeMap::new();
    for (name, value) in incoming.extensions.into_iter().chain(
        incoming
            .dataschema
            .map(|s| ("dataschema".to_owned(), s.into())),
    ) {
        let value = match value {
            serde_json::Value::String(text) => text,
            serde_json::Value::Bool(_) | serde_json::Value::Number(_) => value.to_string(),
            serde_json::Value::Null => continue,
            serde_json::Value::Array(_) | serde_json::Value::Object(_) => {
                return Err(CloudEventError::Attribute {
                    name,
                    problem: "is neither text, number nor truth value",
                });
            }
        };
        bounded(&name, &value)?;
        extensions.insert(name, value);
    }
    let key = format!("external/{}\n{}", incoming.source, incoming.id);
    let subject = incoming.subject.unwrap_or_default();
    let body = ExternalEvent {
        event_type: incoming.event_type,
        source: incoming.source,
        id: incoming.id,
        extensions,
        datacontenttype: incoming.datacontenttype,
        data: incoming.data,
        data_base64: incoming.data_base64,
    };
    Ok(Draft::new(incoming.time.unwrap_or(now), &body)?
        .about(subject)
        .with_key(key))
}

fn parse(text: &str) -> Result<Incoming, CloudEventError> {
    let incoming: Incoming = serde_json::from_str(text).map_err(CloudEventError::Json)?;
    if incoming.specversion != "1.0" {
        return Err(CloudEventError::SpecVersion(incoming.specversion));
    }
    for (name, value) in [
        ("id", &incoming.id),
        ("source", &incoming.source),
        ("type", &incoming.event_type),
    ] {
        if value.is_empty() {
            return Err(CloudEventError::Attribute {
                name: name.to_owned(),
                problem: "is empty",
            });
        }
        bounded(name, value)?;
    }
    bounded("subject", incoming.subject.as_deref().unwrap_or_default())?;
    if incoming.data.is_some() && incoming.data_base64.is_some() {
        return Err(CloudEventError::Attribute {
            name: "data_base64".to_owned(),
            problem: "stands beside data",
        });
    }
    Ok(incoming)
}

fn bounded(name: &str, value: &str) -> Result<(), CloudEventError> {
    if name.len() > MAX_ATTRIBUTE_BYTES || value.len() > MAX_ATTRIBUTE_BYTES {
        let name = name.chars().take(40).collect();
        return Err(CloudEventError::Attribute {
            name,
            problem: "is longer than 1024 bytes",
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::BranchCreated;

    fn event() -> Event {
        let body = BranchCreated {
            branch: "main".into(),
            to: "abc".into(),
        };
        let draft = Draft::new(Timestamp::UNIX_EPOCH, &body).unwrap();
        Event {
            seq: Seq(7),
            kind: draft.kind,
            schema: draft.schema,
            occurred_at: draft.occurred_at,
            recorded_at: "2026-01-02T03:04:05.678901Z".parse().unwrap(),
            cause: Some(Seq(3)),
            correlation: Seq(1),
            subject: "main".into(),
            repository: Some(RepositoryId::from_bytes([9; 16])),
            data: Some(draft.data),
        }
    }

    #[test]
    fn an_event_reads_back_what_it_writes() {
        let journal = JournalId::from_bytes([1; 16]);
        let text = to_json(&event(), journal).to_string();
        let (from, back) = own_from_json(&text).unwrap();
        assert_eq!(from, source(journal));
        assert_eq!(
            serde_json::to_value(&back).unwrap(),
            serde_json::to_value(event()).unwrap()
        );
    }

    #[test]
    fn attribute_names_are_lower_case_letters_and_digits() {
        let json = to_json(&event(), JournalId::from_bytes([1; 16]));
        for name in json.as_object().unwrap().keys() {
            assert!(
                name.bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()),
                "{name}"
            );
        }
    }

    #[test]
    fn a_foreign_event_never_becomes_an_internal_kind() {
        let text = r#"{"specversion":"1.0","id":"1","source":"/evil","type":"engine.action.requested","data":{"x":1}}"#;
        let draft = external_from_json(text, Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(draft.kind, EventKind::ExternalEventReceived);
        assert_eq!(draft.key.as_deref(), Some("external//evil\n1"));
    }

    #[test]
    fn what_is_not_a_cloud_event_is_refused() {
        for text in [
            "",
            "[]",
            r#"{"specversion":"0.3","id":"1","source":"/a","type":"t"}"#,
            r#"{"specversion":"1.0","id":"","source":"/a","type":"t"}"#,
            r#"{"specversion":"1.0","id":"1","source":"/a"}"#,
            r#"{"specversion":"1.0","id":"1","source":"/a","type":"t","time":"yesterday"}"#,
            r#"{"specversion":"1.0","id":"1","source":"/a","type":"t","ext":{"deep":1}}"#,
            r#"{"specversion":"1.0","id":"1","source":"/a","type":"t","data":1,"data_base64":"AA=="}"#,
        ] {
            assert!(
                external_from_json(text, Timestamp::UNIX_EPOCH).is_err(),
                "{text}"
            );
        }
    }
}
