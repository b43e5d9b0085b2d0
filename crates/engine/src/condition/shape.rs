//! What events and the view look like, so that a condition can be proven right before it runs.
//!
//! Why from the payload types: their JSON schemas are generated, so a new field of an event is
//! usable in conditions with no further work, and a removed one breaks the rules that use it at
//! load and not at night. Not here: the proof itself (`check`).

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use serde_json::Value;

use tradewind_core::EventKind;
use tradewind_core::payload as body;

/// The type of a value, as far as it is known at load.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Shape {
    /// Not known; every use is allowed.
    Any,
    /// The null value.
    Null,
    /// True or false.
    Bool,
    /// A whole number.
    Int,
    /// A number with a fraction.
    Float,
    /// A text.
    Text,
    /// A list of one shape.
    List(Arc<Shape>),
    /// A table with any keys and values of one shape.
    Map(Arc<Shape>),
    /// A table with known fields. `true` stands for a field that is always there.
    Record(Arc<BTreeMap<String, (Shape, bool)>>),
    /// One shape, or null.
    Nullable(Arc<Shape>),
}

impl Shape {
    /// Returns the word that a message uses for it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Any => "anything",
            Self::Null => "null",
            Self::Bool => "a truth value",
            Self::Int | Self::Float => "a number",
            Self::Text => "a text",
            Self::List(_) => "a list",
            Self::Map(_) | Self::Record(_) => "a table",
            Self::Nullable(inner) => inner.word(),
        }
    }

    /// Returns the shape without the possibility of null.
    pub fn solid(&self) -> &Self {
        match self {
            Self::Nullable(inner) => inner.solid(),
            other => other,
        }
    }

    /// Returns whether a value may be both of this and of the other shape, null aside.
    pub(super) fn may_equal(&self, other: &Self) -> bool {
        let null = |shape: &Self| matches!(shape, Self::Null | Self::Nullable(_) | Self::Any);
        match (self.solid(), other.solid()) {
            (Self::Any, _)
            | (_, Self::Any)
            | (Self::Int | Self::Float, Self::Int | Self::Float)
            | (Self::Map(_) | Self::Record(_), Self::Map(_) | Self::Record(_)) => true,
            (Self::Null, _) => null(other),
            (_, Self::Null) => null(self),
            (Self::List(a), Self::List(b)) => a.may_equal(b),
            (a, b) => a == b,
        }
    }

    /// Returns one shape for values of either.
    pub(super) fn join(self, other: Self) -> Self {
        match (self, other) {
            (a, b) if a == b => a,
            (Self::Null, b) | (b, Self::Null) => Self::Nullable(Arc::new(b)),
            (Self::Nullable(a), b) | (b, Self::Nullable(a)) if *a == b => Self::Nullable(a),
            (Self::List(a), Self::List(b)) if *a == Self::Any || *b == Self::Any => {
                Self::List(if *a == Self::Any { b } else { a })
            }
            _ => Self::Any,
        }
    }
}

/// Returns the shape of `event` for a rule that looks at `kinds`.
pub(super) fn event(kinds: &[EventKind]) -> Shape {
    let nullable = |shape| Shape::Nullable(Arc::new(shape));
    record([
        ("seq", Shape::Int),
        ("kind", Shape::Text),
        ("subject", Shape::Text),
        ("repository", nullable(Shape::Text)),
        ("occurred_at", Shape::Int),
        ("occurred_at_text", Shape::Text),
        ("cause", nullable(Shape::Int)),
        ("data", data(kinds)),
    ])
}

/// Returns the shape of `view`.
pub(super) fn view() -> Shape {
    let map = |shape| Shape::Map(Arc::new(shape));
    record([
        ("paused", Shape::Bool),
        ("mode", Shape::Text),
        ("count", map(Shape::Int)),
        ("minutes_since", map(Shape::Int)),
        ("last_outcome", map(Shape::Text)),
    ])
}

fn record<const N: usize>(fields: [(&str, Shape); N]) -> Shape {
    let fields = fields
        .into_iter()
        .map(|(name, shape)| (name.to_owned(), (shape, true)))
        .collect();
    Shape::Record(Arc::new(fields))
}

/// Returns the shape of a body that is of one of `kinds`.
fn data(kinds: &[EventKind]) -> Shape {
    let mut merged: Option<BTreeMap<String, (Shape, bool)>> = None;
    for kind in kinds {
        let Shape::Record(fields) = body_shape(*kind) else {
            return Shape::Any;
        };
        let Some(so_far) = &mut merged else {
            merged = Some((**fields).clone());
            continue;
        };
        for (name, (_, always)) in so_far.iter_mut() {
            *always &= fields.contains_key(name);
        }
        for (name, (shape, always)) in fields.iter() {
            let joined = match so_far.remove(name) {
                Some((known, was)) => (known.join(shape.clone()), was && *always),
                None => (shape.clone(), false),
            };
            so_far.insert(name.clone(), joined);
        }
    }
    merged.map_or(Shape::Any, |fields| Shape::Record(Arc::new(fields)))
}

fn body_shape(kind: EventKind) -> &'static Shape {
    static SHAPES: OnceLock<BTreeMap<EventKind, Shape>> = OnceLock::new();
    SHAPES
        .get_or_init(|| {
            EventKind::ALL
                .iter()
                .map(|kind| {
                    (
                        *kind,
                        schema(*kind).map_or_else(external, |s| from_schema(&s, &s, 0)),
                    )
                })
                .collect()
        })
        .get(&kind)
        .unwrap_or(&Shape::Any)
}

/// The body of `external.event.received`: its frame is ours, its data is the sender's.
fn external() -> Shape {
    let optional = |shape| (shape, false);
    let fields = [
        ("type", (Shape::Text, true)),
        ("source", (Shape::Text, true)),
        ("id", (Shape::Text, true)),
        ("extensions", optional(Shape::Map(Arc::new(Shape::Text)))),
        ("datacontenttype", optional(Shape::Text)),
        // Absent when the sender's data is not JSON; rules that look into it know their sender.
        ("data", (Shape::Any, true)),
        ("data_base64", optional(Shape::Text)),
    ];
    Shape::Record(Arc::new(
        fields
            .into_iter()
            .map(|(name, field)| (name.to_owned(), field))
            .collect(),
    ))
}

/// Returns the JSON schema of a kind's body; `None` for foreign events.
fn schema(kind: EventKind) -> Option<Value> {
    macro_rules! of {
        ($($kind:ident => $body:ident,)+) => {
            match kind {
                $(EventKind::$kind => Some(schemars::schema_for!(body::$body)),)+
                EventKind::ExternalEventReceived => None,
            }
        };
    }
    of! {
        JournalStoreOpened => StoreOpened,
        JournalStoreMigrated => StoreMigrated,
        JournalRangePruned => RangePruned,
        JournalPayloadErased => PayloadErased,
        JournalBackupCreated => BackupCreated,
        JournalBackupLoaded => BackupLoaded,
        DaemonProcessStarted => ProcessStarted,
        DaemonProcessStopped => ProcessStopped,
        DaemonTaskRestarted => TaskRestarted,
        DaemonClockStepped => ClockStepped,
        RepoRepositoryRegistered => RepositoryRegistered,
        RepoRepositoryMoved => RepositoryMoved,
        RepoRepositoryLost => RepositoryLost,
        RepoRepositoryRemoved => RepositoryRemoved,
        RepoWatchDegraded => WatchDegraded,
        RepoCommitCreated => CommitCreated,
        RepoChangeMerged => ChangeMerged,
        RepoBranchCreated => BranchCreated,
        RepoBranchUpdated => BranchUpdated,
        RepoBranchRewritten => BranchRewritten,
        RepoBranchDeleted => BranchDeleted,
        RepoTagCreated => TagCreated,
        RepoTagMoved => TagMoved,
        RepoTagDeleted => TagDeleted,
        RepoHeadSwitched => HeadSwitched,
        RepoWorktreeChanged => WorktreeChanged,
        RepoFilesDeleted => FilesDeleted,
        RepoFilesRestored => FilesRestored,
        EngineConfigLoaded => ConfigLoaded,
        EngineConfigRejected => ConfigRejected,
        EngineConfigTrusted => ConfigTrusted,
        EngineRuleShadowed => RuleShadowed,
        EngineRuleHeld => RuleHeld,
        EngineRuleFailed => RuleFailed,
        EngineProposalOpened => ProposalOpened,
        EngineProposalApproved => ProposalApproved,
        EngineProposalRejected => ProposalRejected,
        EngineProposalExpired => ProposalExpired,
        EngineActionRequested => ActionRequested,
        EngineActionSucceeded => ActionSucceeded,
        EngineActionFailed => ActionFailed,
        EngineActionAbandoned => ActionAbandoned,
        EngineActionUndone => ActionUndone,
        EngineActionRedone => ActionRedone,
        EngineFileRestored => FileRestored,
        EngineActingPaused => ActingPaused,
        EngineActingResumed => ActingResumed,
        QuotaWindowExhausted => WindowExhausted,
        QuotaLimitCorrected => LimitCorrected,
        QuotaProviderBanned => ProviderBanned,
        QuotaKeyRefused => KeyRefused,
        QuotaBreakerOpened => BreakerOpened,
        QuotaBreakerClosed => BreakerClosed,
        QuotaLedgerRecovered => LedgerRecovered,
        DeliveryExceptionGranted => ExceptionGranted,
        DeliveryVerdictRefuted => VerdictRefuted,
        InsightAuditCompleted => AuditCompleted,
    }
    .map(schemars::Schema::to_value)
}

/// Reads the part of JSON schema that our own types produce; anything else is `Any`.
fn from_schema(schema: &Value, root: &Value, depth: usize) -> Shape {
    if depth > 16 {
        return Shape::Any;
    }
    let read = |part: &Value| from_schema(part, root, depth + 1);
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        let target = root.pointer(reference.trim_start_matches('#'));
        return target.map_or(Shape::Any, read);
    }
    for several in ["anyOf", "oneOf"] {
        if let Some(options) = schema.get(several).and_then(Value::as_array) {
            return options
                .iter()
                .map(read)
                .reduce(Shape::join)
                .unwrap_or(Shape::Any);
        }
    }
    match schema.get("type") {
        Some(Value::String(name)) => named(name, schema, &read),
        Some(Value::Array(names)) => names
            .iter()
            .filter_map(Value::as_str)
            .map(|name| named(name, schema, &read))
            .reduce(Shape::join)
            .unwrap_or(Shape::Any),
        _ if schema.get("const").is_some_and(Value::is_string) => Shape::Text,
        _ => Shape::Any,
    }
}

fn named(name: &str, schema: &Value, read: &dyn Fn(&Value) -> Shape) -> Shape {
    match name {
        "null" => Shape::Null,
        "boolean" => Shape::Bool,
        "integer" => Shape::Int,
        "number" => Shape::Float,
        "string" => Shape::Text,
        "array" => Shape::List(Arc::new(schema.get("items").map_or(Shape::Any, read))),
        "object" => match schema.get("properties").and_then(Value::as_object) {
            Some(fields) => Shape::Record(Arc::new(
                fields
                    .iter()
                    .map(|(name, field)| (name.clone(), (read(field), true)))
                    .collect(),
            )),
            None => Shape::Map(Arc::new(
                schema.get("additionalProperties").map_or(Shape::Any, read),
            )),
        },
        _ => Shape::Any,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_known_body() {
        for kind in EventKind::ALL {
            assert!(matches!(body_shape(*kind), Shape::Record(_)), "{kind}");
        }
    }

    #[test]
    fn an_optional_field_may_be_null() {
        let Shape::Record(fields) = body_shape(EventKind::RepoCommitCreated) else {
            panic!("a record");
        };
        assert_eq!(
            fields["reference"].0,
            Shape::Nullable(Arc::new(Shape::Text))
        );
        assert_eq!(
            fields["files_changed"].0,
            Shape::Nullable(Arc::new(Shape::Int))
        );
        assert_eq!(fields["parents"].0, Shape::List(Arc::new(Shape::Text)));
        let Shape::Record(fields) = body_shape(EventKind::EngineRuleHeld) else {
            panic!("a record");
        };
        assert_eq!(fields["reason"].0, Shape::Text);
    }
}
