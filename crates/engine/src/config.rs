//! The sections `[engine]` and `[rules.<name>]` of `tradewind.toml`, and their check.
//!
//! Why one check at load: a rule that acts while nobody watches must not turn out to be misspelt at
//! three in the morning. Names of kinds and actions, arguments, conditions and the consent that an
//! irreversible action needs are all proven here, before anything is in force, and every mistake is
//! reported with line and column. Not here: when a rule fires ([`crate::decide`]).

use std::collections::BTreeMap;
use std::fmt;
use std::num::{NonZeroU32, NonZeroU64};
use std::sync::Arc;
use std::time::Duration;

use globset::GlobBuilder;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use tradewind_core::EventKind;
use tradewind_core::nearest::nearest;
use tradewind_core::payload::Reversibility;

use crate::action::{Action, Registry};
use crate::condition::Condition;
use crate::document::{ConfigMistake, Document};

/// Upper bound on the rules of one repository.
pub const MAX_RULES: usize = 256;
/// Upper bound on an action's arguments as JSON, in bytes.
const MAX_ARGUMENTS_BYTES: usize = 32 * 1024;
/// Upper bound on a rule's name, in bytes.
const MAX_NAME_BYTES: usize = 64;
/// Upper bound on a window, a debounce or an age: a year.
const MAX_SPAN: Duration = Duration::from_hours(8784);

/// `[engine]`: bounds that hold for every rule of this repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EngineSection {
    /// How many causes an event may have behind it before rules stop acting on it. Default 8.
    pub max_depth: NonZeroU32,
    /// How long a proposal waits for a person before it expires. Default `7d`.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub proposal_ttl: Duration,
    /// What is kept so that actions can be undone.
    pub undo: UndoSection,
}

impl Default for EngineSection {
    fn default() -> Self {
        Self {
            max_depth: NonZeroU32::MIN.saturating_add(7),
            proposal_ttl: Duration::from_hours(168),
            undo: UndoSection::default(),
        }
    }
}

/// `[engine.undo]`: how long and how much is kept. What is younger than a day is kept in any case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct UndoSection {
    /// Age after which an action can no longer be undone. Default `30d`.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub max_age: Duration,
    /// Upper bound on the bytes kept for undo; the oldest go first. Default 2 GiB.
    pub max_bytes: NonZeroU64,
}

impl Default for UndoSection {
    fn default() -> Self {
        Self {
            max_age: Duration::from_hours(720),
            max_bytes: NonZeroU64::MIN.saturating_add((2 << 30) - 1),
        }
    }
}

/// `[rules.<name>]`: on which event, under which condition, what is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleSection {
    /// Event kinds that the rule looks at: one name, a pattern such as `repo.branch.*`, or a list.
    pub on: On,
    /// Condition in CEL over `event` and `view`; without one, every such event matches.
    #[serde(default)]
    pub when: Option<String>,
    /// Name of the action.
    #[serde(rename = "do")]
    pub action: String,
    /// Arguments of the action.
    #[serde(default)]
    pub with: BTreeMap<String, Value>,
    /// How far the rule may go. Default `shadow`.
    #[serde(default)]
    pub mode: Mode,
    /// At most so many firings in so long a window. Default: no limit.
    #[serde(default)]
    pub limit: Option<Limit>,
    /// Waits until no matching event has come for this long, then fires for the last one.
    #[serde(default, with = "humantime_serde")]
    #[schemars(with = "Option<String>")]
    pub debounce: Option<Duration>,
    /// Whether events caused by this rule's own actions may fire it again. Default no.
    #[serde(default)]
    pub allow_self: bool,
    /// Explicit consent to act, unasked, in a way that cannot be taken back. Default no.
    #[serde(default)]
    pub irreversible: bool,
    /// An event older than this when it is seen, as after a downtime, is held. Default `1h`.
    #[serde(default = "default_max_age", with = "humantime_serde")]
    #[schemars(with = "String")]
    pub max_age: Duration,
}

fn default_max_age() -> Duration {
    Duration::from_hours(1)
}

/// How far a rule may go without a person.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Only says what it would have done.
    #[default]
    Shadow,
    /// Asks a person each time.
    Propose,
    /// Acts.
    Act,
}

impl Mode {
    /// Returns the word that stands in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Shadow => "shadow",
            Self::Propose => "propose",
            Self::Act => "act",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// `limit = { max = 3, per = "1h" }`: at most `max` firings in any span of `per`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// How many firings.
    pub max: NonZeroU32,
    /// Length of the sliding window.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub per: Duration,
}

/// One name or pattern of event kinds, or a list of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(with = "OnSchema")]
pub struct On(pub Vec<String>);

/// Says in the JSON schema what [`On`] reads.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum OnSchema {
    /// One name or pattern.
    One(String),
    /// Several.
    Many(Vec<String>),
}

impl<'de> Deserialize<'de> for On {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;

        impl<'de> serde::de::Visitor<'de> for Names {
            type Value = On;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an event kind, a pattern of kinds, or a list of them")
            }

            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<On, E> {
                Ok(On(vec![name.to_owned()]))
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<On, A::Error> {
                let mut names = Vec::new();
                while let Some(name) = seq.next_element()? {
                    names.push(name);
                }
                Ok(On(names))
            }
        }

        deserializer.deserialize_any(Names)
    }
}

/// A configuration that was proven right.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Bounds for every rule.
    pub engine: EngineSection,
    /// The rules by name.
    pub rules: BTreeMap<String, Arc<Rule>>,
}

impl Config {
    /// Returns the name of each rule and its mode, as [`tradewind_core::payload::ConfigLoaded`] has them.
    pub fn modes(&self) -> BTreeMap<String, String> {
        self.rules
            .iter()
            .map(|(name, rule)| (name.clone(), rule.mode.to_string()))
            .collect()
    }
}

/// A rule that was proven right. Built by [`read`] only.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its name, unique in the repository.
    pub name: String,
    /// The kinds it looks at. Invariant: not empty.
    pub kinds: Vec<EventKind>,
    /// Its condition; `None` is always true.
    pub when: Option<Condition>,
    /// What it does.
    pub action: Arc<dyn Action>,
    /// With which arguments. Invariant: the action's own check found no mistake in them.
    pub arguments: Value,
    /// How far it may go.
    pub mode: Mode,
    /// How often.
    pub limit: Option<Limit>,
    /// How long it waits for quiet.
    pub debounce: Option<Duration>,
    /// Whether its own consequences may fire it again.
    pub allow_self: bool,
    /// Up to which age it acts on an event.
    pub max_age: Duration,
}

/// Parses a file that holds this room's sections only.
///
/// # Errors
/// Every mistake in the file, in file order.
pub fn parse(text: &str, registry: &Registry) -> Result<Config, Vec<ConfigMistake>> {
    let mut document = Document::parse(text);
    let config = read(&mut document, registry);
    document.finish().map(|()| config)
}

/// Reads and checks this room's sections of a file; mistakes are noted in `document`.
pub fn read(document: &mut Document<'_>, registry: &Registry) -> Config {
    let engine = document
        .section::<EngineSection>("engine")
        .unwrap_or_default();
    for (key, span) in [
        ("proposal_ttl", engine.proposal_ttl),
        ("undo", engine.undo.max_age),
    ] {
        if span.is_zero() || span > MAX_SPAN {
            document.mistake_at(
                &["engine", key],
                "must be more than nothing and at most a year",
            );
        }
    }
    document.claim("rules");
    if document.has(&["rules"])
        && document
            .read_at::<BTreeMap<String, Value>>(&["rules"])
            .is_none()
    {
        return Config {
            engine,
            rules: BTreeMap::new(),
        };
    }
    let names = document.keys(&["rules"]);
    if names.len() > MAX_RULES {
        let message = format!("{} rules, at most {MAX_RULES} are read", names.len());
        document.mistake_at(&["rules"], message);
    }
    let rules = names
        .into_iter()
        .take(MAX_RULES)
        .filter_map(|name| {
            let rule = read_rule(document, registry, &name)?;
            Some((name, Arc::new(rule)))
        })
        .collect();
    Config { engine, rules }
}

fn read_rule(document: &mut Document<'_>, registry: &Registry, name: &str) -> Option<Rule> {
    if !is_name(name) {
        let span = document.key_span(&["rules", name]).unwrap_or(0..0);
        document.mistake(
            span,
            "a rule's name has lower-case letters, digits, `-` and `_`, at most 64 of them",
        );
    }
    let section: RuleSection = document.read_at(&["rules", name])?;
    let kinds = read_kinds(document, name, &section.on);
    let when = section
        .when
        .as_deref()
        .and_then(|source| read_condition(document, name, source, &kinds));
    check_bounds(document, name, &section);
    let arguments = Value::Object(section.with.clone().into_iter().collect());
    if arguments.to_string().len() > MAX_ARGUMENTS_BYTES {
        // Requests and proposals hold them, and an event is bounded.
        let message = format!("the arguments have more than {MAX_ARGUMENTS_BYTES} bytes");
        document.mistake_at(&["rules", name, "with"], message);
        return None;
    }
    let action = read_action(document, registry, name, &section, &arguments)?;
    if kinds.is_empty() || when.is_some() != section.when.is_some() {
        return None;
    }
    Some(Rule {
        name: name.to_owned(),
        kinds,
        when,
        action,
        arguments,
        mode: section.mode,
        limit: section.limit,
        debounce: section.debounce,
        allow_self: section.allow_self,
        max_age: section.max_age,
    })
}

fn is_name(name: &str) -> bool {
    (1..=MAX_NAME_BYTES).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
}

/// Finds the kinds that the names and patterns stand for.
fn read_kinds(document: &mut Document<'_>, rule: &str, on: &On) -> Vec<EventKind> {
    let mut kinds = Vec::new();
    if on.0.is_empty() {
        document.mistake_at(&["rules", rule, "on"], "the list of event kinds is empty");
    }
    for (place, name) in on.0.iter().enumerate() {
        let place = place.to_string();
        let path = ["rules", rule, "on", place.as_str()];
        let found = match_kinds(name);
        if found.is_empty() {
            let hint = nearest(name, EventKind::ALL.iter().map(|kind| kind.as_str()))
                .map(|near| format!(", did you mean `{near}`?"))
                .unwrap_or_default();
            document.mistake_at(&path, format!("no event kind matches `{name}`{hint}"));
        }
        kinds.extend(found);
    }
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

/// Returns the kinds that `pattern` names; `*` stands for one word, `**` for any number of words.
fn match_kinds(pattern: &str) -> Vec<EventKind> {
    if let Ok(kind) = pattern.parse() {
        return vec![kind];
    }
    // Globs part at slashes, kinds at dots.
    let glob = GlobBuilder::new(&pattern.replace('.', "/"))
        .literal_separator(true)
        .build();
    let Ok(glob) = glob else { return Vec::new() };
    let matcher = glob.compile_matcher();
    EventKind::ALL
        .iter()
        .copied()
        .filter(|kind| matcher.is_match(kind.as_str().replace('.', "/")))
        .collect()
}

fn read_condition(
    document: &mut Document<'_>,
    rule: &str,
    source: &str,
    kinds: &[EventKind],
) -> Option<Condition> {
    let path = ["rules", rule, "when"];
    match Condition::compile(source, kinds) {
        Ok(condition) => Some(condition),
        Err(mistakes) => {
            for mistake in mistakes {
                let span = document.span_in_text(&path, mistake.offset);
                document.mistake(span.unwrap_or(0..0), mistake.message);
            }
            None
        }
    }
}

fn check_bounds(document: &mut Document<'_>, rule: &str, section: &RuleSection) {
    let spans = [
        ("debounce", section.debounce),
        ("max_age", Some(section.max_age)),
        ("limit", section.limit.map(|limit| limit.per)),
    ];
    for (key, span) in spans {
        if span.is_some_and(|span| span.is_zero() || span > MAX_SPAN) {
            document.mistake_at(
                &["rules", rule, key],
                format!("`{key}` must be more than nothing and at most a year"),
            );
        }
    }
}

fn read_action(
    document: &mut Document<'_>,
    registry: &Registry,
    rule: &str,
    section: &RuleSection,
    arguments: &Value,
) -> Option<Arc<dyn Action>> {
    let Some(action) = registry.action(&section.action) else {
        let names = registry.names().collect::<Vec<_>>().join(", ");
        document.mistake_at(
            &["rules", rule, "do"],
            format!(
                "unknown action `{}`, expected one of {names}",
                section.action
            ),
        );
        return None;
    };
    let mistakes = action.check(arguments);
    let is_right = mistakes.is_empty();
    for mistake in mistakes {
        let mut path = vec!["rules", rule, "with"];
        path.extend(mistake.path.iter().map(String::as_str));
        match mistake.is_key.then(|| document.key_span(&path)).flatten() {
            Some(span) => document.mistake(span, mistake.message),
            None => document.mistake_at(&path, mistake.message),
        }
    }
    if !is_right {
        return None;
    }
    let reversibility = action.reversibility(arguments);
    if section.mode == Mode::Act
        && reversibility == Reversibility::Irreversible
        && !section.irreversible
    {
        document.mistake_at(
            &["rules", rule, "mode"],
            format!(
                "action `{}` cannot be taken back with these arguments: say `mode = \"propose\"`, \
                 or consent with `irreversible = true`{}",
                section.action,
                action.how_to_reverse(arguments),
            ),
        );
        return None;
    }
    Some(action)
}
