//! A rule's condition: one CEL expression over `event` and `view` that says yes or no.
//!
//! Why so many bounds: a condition comes with a clone, an event's body comes from anywhere, and the
//! CEL library aborts the process when its stack ends. So a source has at most [`MAX_SOURCE_BYTES`],
//! parsing and evaluating happen on one thread with a 64 MiB stack, the work of an evaluation is
//! bounded before it is ever run (see `check`), and a body that is larger than the check assumes is
//! refused. All bounds are counts, never times: the same history gives the same answers.
//!
//! What a condition sees:
//! - `event.seq`, `event.kind`, `event.subject`, `event.repository` (null without one),
//!   `event.occurred_at` (Unix seconds), `event.occurred_at_text` (RFC 3339), `event.cause` (null
//!   without one) and `event.data`, the body;
//! - `view.paused`, `view.mode`, `view.count`, `view.minutes_since`, `view.last_outcome`: see
//!   [`crate::view`].
//!
//! Not here: which rules look at which event ([`crate::decide`]).

mod check;
mod shape;
mod worker;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use cel::{Context, Env, Program};
use serde_json::Value;

use tradewind_core::{Event, EventKind};

pub use shape::Shape;

/// Upper bound on a condition's source, in bytes.
pub const MAX_SOURCE_BYTES: usize = 4 * 1024;
/// Upper bound on the nesting of brackets in a source. Real conditions stay below ten.
const MAX_NESTING: usize = 32;
/// Upper bounds on what a condition is evaluated on; `check` counts with them.
pub(crate) const MAX_ENTRIES: usize = 2_000;
const MAX_TEXT_BYTES: usize = 16 * 1024;
const MAX_VALUE_DEPTH: usize = 32;
/// Upper bound on programs kept, so that reloading a configuration costs nothing.
const MAX_CACHED: usize = 512;

/// One thing that is wrong with a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConditionMistake {
    /// Where, in characters from the start of the source.
    pub offset: usize,
    /// What, without a full stop.
    pub message: String,
}

/// Why a condition gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConditionError {
    /// The event's body is larger than conditions are evaluated on.
    #[error("the event is too large for a condition: {what}")]
    TooLarge {
        /// Which bound it broke.
        what: &'static str,
    },
    /// The expression has no answer for this event, such as a missing key.
    #[error("{message}")]
    NoAnswer {
        /// What the evaluator said.
        message: String,
    },
    /// The expression's value is not a truth value.
    #[error("the condition gives {actual} and not true or false")]
    NotBool {
        /// Type of the value.
        actual: String,
    },
    /// The evaluating thread is gone or panicked: a bug.
    #[error("the evaluator ended unexpectedly")]
    Lost,
}

/// A condition that was proven right for the kinds its rule looks at.
#[derive(Clone)]
pub struct Condition {
    source: Arc<str>,
    program: Arc<Program>,
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Condition").field(&self.source).finish()
    }
}

/// Programs by source and kinds, oldest first.
type Cache = VecDeque<((Arc<str>, Vec<EventKind>), Arc<Program>)>;
static CACHE: Mutex<Cache> = Mutex::new(VecDeque::new());

/// The standard functions; building their table for each evaluation costs more than evaluating.
static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

impl Condition {
    /// Compiles `source` and proves it right for events of `kinds`.
    ///
    /// # Errors
    /// Every mistake: syntax, unknown names and fields, types that do not fit, too much work.
    pub fn compile(source: &str, kinds: &[EventKind]) -> Result<Self, Vec<ConditionMistake>> {
        check_source(source)?;
        let source: Arc<str> = source.into();
        let key = (Arc::clone(&source), kinds.to_vec());
        let cached = lock_cache()
            .iter()
            .find(|(known, _)| *known == key)
            .map(|(_, program)| Arc::clone(program));
        let program = if let Some(program) = cached {
            program
        } else {
            let job = key.clone();
            let compiled = worker::run(move || compile(&job.0, &job.1));
            let program = Arc::new(compiled.unwrap_or_else(|lost| {
                Err(vec![ConditionMistake {
                    offset: 0,
                    message: lost.to_string(),
                }])
            })?);
            let mut cache = lock_cache();
            if cache.len() >= MAX_CACHED {
                cache.pop_front();
            }
            cache.push_back((key, Arc::clone(&program)));
            program
        };
        Ok(Self { source, program })
    }

    /// Returns the source.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Evaluates on `facts`.
    ///
    /// # Errors
    /// [`ConditionError`] when there is no answer; the rule then does nothing and says so.
    pub async fn evaluate(&self, facts: &Arc<Facts>) -> Result<bool, ConditionError> {
        let program = Arc::clone(&self.program);
        let facts = Arc::clone(facts);
        worker::run_async(move || evaluate(&program, &facts)).await?
    }

    /// Evaluates on `facts`, blocking the thread. Not for async callers.
    ///
    /// # Errors
    /// [`ConditionError`] when there is no answer.
    pub fn evaluate_blocking(&self, facts: &Arc<Facts>) -> Result<bool, ConditionError> {
        let program = Arc::clone(&self.program);
        let facts = Arc::clone(facts);
        worker::run(move || evaluate(&program, &facts))?
    }
}

fn lock_cache() -> std::sync::MutexGuard<'static, Cache> {
    CACHE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a condition is evaluated on: one event and the view at that moment.
#[derive(Clone, Debug)]
pub struct Facts {
    event: cel::Value,
    view: cel::Value,
}

impl Facts {
    /// Takes over an event and a view.
    ///
    /// # Errors
    /// [`ConditionError::TooLarge`] when the event's body breaks a bound.
    pub fn new(event: &Event, view: &Value) -> Result<Self, ConditionError> {
        let data = match &event.data {
            Some(data) => {
                serde_json::from_str(data.get()).map_err(|error| ConditionError::NoAnswer {
                    message: error.to_string(),
                })?
            }
            None => Value::Null,
        };
        let fields = serde_json::json!({
            "seq": event.seq.0,
            "kind": event.kind.as_str(),
            "subject": event.subject,
            "repository": event.repository.map(|id| id.to_string()),
            "occurred_at": event.occurred_at.as_second(),
            "occurred_at_text": event.occurred_at.to_string(),
            "cause": event.cause.map(|seq| seq.0),
            "data": data,
        });
        Ok(Self {
            event: to_cel(&fields, 0)?,
            view: to_cel(view, 0)?,
        })
    }
}

/// Turns JSON into what CEL works on. Whole numbers become `int`, as CEL's literals are.
fn to_cel(value: &Value, depth: usize) -> Result<cel::Value, ConditionError> {
    if depth > MAX_VALUE_DEPTH {
        return Err(ConditionError::TooLarge {
            what: "values nest too deep",
        });
    }
    let bounded = |count: usize| {
        if count > MAX_ENTRIES {
            Err(ConditionError::TooLarge {
                what: "a list or table has too many entries",
            })
        } else {
            Ok(())
        }
    };
    Ok(match value {
        Value::Null => cel::Value::Null,
        Value::Bool(is) => cel::Value::Bool(*is),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => cel::Value::Int(whole),
            None => cel::Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) if text.len() > MAX_TEXT_BYTES => {
            return Err(ConditionError::TooLarge {
                what: "a text is too long",
            });
        }
        Value::String(text) => cel::Value::from(text.clone()),
        Value::Array(items) => {
            bounded(items.len())?;
            let items: Result<Vec<_>, _> =
                items.iter().map(|item| to_cel(item, depth + 1)).collect();
            cel::Value::List(Arc::new(items?))
        }
        Value::Object(entries) => {
            bounded(entries.len())?;
            let entries: Result<HashMap<String, cel::Value>, _> = entries
                .iter()
                .map(|(key, item)| Ok((key.clone(), to_cel(item, depth + 1)?)))
                .collect();
            cel::Value::from(entries?)
        }
    })
}

/// What can be refused without parsing: size and nesting.
fn check_source(source: &str) -> Result<(), Vec<ConditionMistake>> {
    let refuse = |offset, message: String| Err(vec![ConditionMistake { offset, message }]);
    if source.trim().is_empty() {
        return refuse(
            0,
            "the condition is empty; leave `when` out to match always".into(),
        );
    }
    if source.len() > MAX_SOURCE_BYTES {
        let message = format!(
            "the condition has {} bytes, at most {MAX_SOURCE_BYTES}",
            source.len()
        );
        return refuse(0, message);
    }
    // Brackets inside quotes count as well: too strict is fine, too lax would end the process.
    let mut depth = 0_usize;
    let mut run = 0_usize;
    for (offset, letter) in source.chars().enumerate() {
        match letter {
            '(' | '[' | '{' | '?' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        run = if matches!(letter, '!' | '-') {
            run + 1
        } else {
            0
        };
        if depth > MAX_NESTING || run > MAX_NESTING {
            return refuse(offset, format!("nests deeper than {MAX_NESTING} levels"));
        }
    }
    Ok(())
}

/// Parses and checks. Runs on the thread with the large stack.
fn compile(source: &str, kinds: &[EventKind]) -> Result<Program, Vec<ConditionMistake>> {
    let program = Program::compile(source).map_err(|errors| {
        errors
            .errors
            .iter()
            .map(|error| ConditionMistake {
                offset: char_offset(source, error.pos),
                message: readable(&error.msg),
            })
            .collect::<Vec<_>>()
    })?;
    let mistakes = check::check(&program, source, kinds);
    if mistakes.is_empty() {
        Ok(program)
    } else {
        Err(mistakes)
    }
}

/// The parser lists every token it would have taken; nobody wants to read thirty of them.
fn readable(message: &str) -> String {
    let (said, expected) = message.split_once(" expecting ").unwrap_or((message, ""));
    let said = said
        .trim()
        .trim_start_matches("Syntax error: ")
        .replace("<EOF>", "the end");
    if expected.is_empty() || expected.len() > 40 {
        said
    } else {
        format!("{said}, expected {}", expected.trim())
    }
}

fn char_offset(source: &str, (line, column): (isize, isize)) -> usize {
    let line = usize::try_from(line).unwrap_or(1).max(1) - 1;
    let column = usize::try_from(column).unwrap_or(1).max(1) - 1;
    let before: usize = source
        .split_inclusive('\n')
        .take(line)
        .map(|line| line.chars().count())
        .sum();
    (before + column).min(source.chars().count())
}

/// Evaluates. Runs on the thread with the large stack.
fn evaluate(program: &Program, facts: &Facts) -> Result<bool, ConditionError> {
    let mut context = Context::with_env(Arc::clone(&ENVIRONMENT));
    context.add_variable_from_value("event", facts.event.clone());
    context.add_variable_from_value("view", facts.view.clone());
    match program.execute(&context) {
        Ok(cel::Value::Bool(answer)) => Ok(answer),
        Ok(other) => Err(ConditionError::NotBool {
            actual: other.type_of().to_string(),
        }),
        Err(error) => {
            let mut message = error.to_string();
            // Some errors print the values they are about, and those come from outside.
            if let Some((cut, _)) = message.char_indices().nth(300) {
                message.truncate(cut);
            }
            Err(ConditionError::NoAnswer { message })
        }
    }
}

/// Returns what `event` and `view` look like for `kinds`, for the reference and for editors.
pub fn vocabulary(kinds: &[EventKind]) -> BTreeMap<&'static str, Shape> {
    BTreeMap::from([("event", shape::event(kinds)), ("view", shape::view())])
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use serde_json::json;
    use tradewind_core::Seq;

    fn event(kind: EventKind, data: &Value) -> Event {
        Event {
            seq: Seq(7),
            kind,
            schema: 1,
            occurred_at: Timestamp::UNIX_EPOCH,
            recorded_at: Timestamp::UNIX_EPOCH,
            cause: None,
            correlation: Seq(7),
            subject: "main".into(),
            repository: None,
            data: Some(serde_json::value::to_raw_value(data).unwrap()),
        }
    }

    fn view() -> Value {
        json!({
            "paused": false, "mode": "act", "count": {"repo.commit.created": 3},
            "minutes_since": {"repo.tag.created": 12}, "last_outcome": {"tests": "failed"},
        })
    }

    fn answer(source: &str, kind: EventKind, data: &Value) -> Result<bool, ConditionError> {
        let condition = Condition::compile(source, &[kind]).unwrap();
        condition.evaluate_blocking(&Arc::new(Facts::new(&event(kind, data), &view())?))
    }

    fn mistakes(source: &str, kinds: &[EventKind]) -> Vec<(usize, String)> {
        match Condition::compile(source, kinds) {
            Ok(_) => Vec::new(),
            Err(mistakes) => mistakes
                .into_iter()
                .map(|m| (m.offset, m.message))
                .collect(),
        }
    }

    const UPDATED: EventKind = EventKind::RepoBranchUpdated;

    fn updated() -> Value {
        json!({"branch": "main", "from": "a", "to": "b", "commits": 3})
    }

    #[test]
    fn a_condition_reads_event_and_view() {
        for source in [
            "event.data.branch == 'main' && event.data.commits > 2",
            "event.kind == \"repo.branch.updated\" && event.seq == 7 && event.repository == null",
            "event.data.branch.startsWith('ma') || false",
            "event.data.branch in ['main', 'release']",
            "event.data.branch.matches('^ma.n$') && size(event.data.branch) == 4",
            "view.count['repo.commit.created'] >= 3 && !view.paused",
            "'repo.tag.created' in view.minutes_since && view.minutes_since['repo.tag.created'] > 10",
            "has(view.last_outcome.tests) && view.last_outcome.tests == 'failed'",
            "event.occurred_at % 86400 < 3600 ? true : false",
        ] {
            assert_eq!(answer(source, UPDATED, &updated()), Ok(true), "{source}");
        }
    }

    #[test]
    fn lists_of_an_event_can_be_searched() {
        let data = json!({"modified": 2, "added": 0, "deleted": 0, "paths": ["src/a.py", "b.md"]});
        for source in [
            "event.data.paths.exists(p, p.endsWith('.py'))",
            "event.data.paths.filter(p, p.startsWith('src/')).size() == 1",
            "event.data.paths.all(p, !p.contains('secret'))",
            "event.data.paths.map(p, size(p)).exists(n, n == 4)",
        ] {
            assert_eq!(
                answer(source, EventKind::RepoWorktreeChanged, &data),
                Ok(true),
                "{source}"
            );
        }
    }

    #[test]
    fn a_misspelt_field_is_refused_at_load_where_it_stands() {
        let found = mistakes("event.data.brnach == 'main'", &[UPDATED]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].0, 11);
        assert!(found[0].1.contains("did you mean `branch`"), "{found:?}");
    }

    #[test]
    fn every_mistake_of_a_condition_is_found() {
        let found = mistakes(
            "evnt.x == 1 && event.kid == 'x' && foo(1) && event.data.commits == 'x'",
            &[UPDATED],
        );
        let places: Vec<_> = found.iter().map(|(offset, _)| *offset).collect();
        assert_eq!(places.len(), 4, "{found:#?}");
        assert_eq!(places[0], 0);
        assert_eq!(places[1], 21);
    }

    #[test]
    fn what_is_no_truth_value_is_refused() {
        assert_eq!(mistakes("event.data.commits", &[UPDATED]).len(), 1);
        assert_eq!(mistakes("event.data.branch && true", &[UPDATED]).len(), 1);
        assert_eq!(mistakes("1 + 'x' == 2", &[UPDATED]).len(), 1);
    }

    #[test]
    fn a_field_of_some_kinds_only_needs_a_guard() {
        let kinds = [UPDATED, EventKind::RepoTagCreated];
        assert_eq!(mistakes("event.data.branch == 'main'", &kinds).len(), 1);
        assert!(
            mistakes(
                "has(event.data.branch) && event.data.branch == 'main'",
                &kinds
            )
            .is_empty()
        );
        assert!(
            mistakes(
                "event.kind == 'repo.branch.updated' && event.data.branch == 'x'",
                &kinds
            )
            .is_empty()
        );
        assert!(mistakes("event.data.to == 'main'", &kinds).is_empty());
        assert_eq!(
            mistakes("event.kind == 'repo.branch.updatd'", &kinds).len(),
            1
        );
    }

    #[test]
    fn a_syntax_error_has_its_place() {
        let found = mistakes("event.seq ==\n  == 1", &[UPDATED]);
        assert_eq!(found[0].0, 15, "{found:?}");
    }

    #[test]
    fn hostile_sources_are_refused_and_nothing_aborts() {
        let deep = format!("{}true{}", "(".repeat(500), ")".repeat(500));
        let not = format!("{}true", "!".repeat(4000));
        let long = format!("'{}' == ''", "x".repeat(5000));
        let list = (0..30).fold("true".to_owned(), |inner, n| {
            format!("[1,2,3,4].all(x{n}, {inner})")
        });
        let ternary = "true ? ".repeat(400) + "true" + &" : true".repeat(400);
        let selects = format!("event{}", ".a".repeat(1500));
        let plus = format!("1{} == 1", "+1".repeat(1900));
        for source in [deep, not, long, list, ternary, selects] {
            assert!(!mistakes(&source, &[UPDATED]).is_empty(), "{source}");
        }
        // Long but flat: whether it is taken or refused, the process lives.
        let _ = mistakes(&plus, &[UPDATED]);
        let nested =
            "event.data.paths.all(a, event.data.paths.all(b, event.data.paths.all(c, a == b)))";
        let found = mistakes(nested, &[EventKind::RepoWorktreeChanged]);
        assert!(found[0].1.contains("too much work"), "{found:?}");
        assert!(!mistakes("event.subject.matches(event.kind)", &[UPDATED]).is_empty());
        assert!(!mistakes(r"event.subject.matches('(\\w{99}){99}')", &[UPDATED]).is_empty());
        assert!(!mistakes("event.subject.matches('(')", &[UPDATED]).is_empty());
    }

    #[test]
    fn an_event_that_is_too_large_gives_no_answer() {
        let data = json!({"type": "a", "source": "b", "id": "c", "data": vec![1; MAX_ENTRIES + 1]});
        let facts = Facts::new(&event(EventKind::ExternalEventReceived, &data), &view());
        assert!(matches!(facts, Err(ConditionError::TooLarge { .. })));
    }

    #[test]
    fn a_foreign_event_may_hold_anything() {
        let data =
            json!({"type": "order.filled", "source": "b", "id": "c", "data": {"price": 1.5}});
        let source = "event.data.type == 'order.filled' && event.data.data.price > 1";
        assert_eq!(
            answer(source, EventKind::ExternalEventReceived, &data),
            Ok(true)
        );
        let source = "event.data.data.volume > 1";
        assert!(matches!(
            answer(source, EventKind::ExternalEventReceived, &data),
            Err(ConditionError::NoAnswer { .. })
        ));
    }
}
