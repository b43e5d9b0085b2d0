//! `tradewind.toml` as a whole: each room's sections put together, and the actions that rules may name.
//!
//! Why here: only the edge knows all rooms. Every mistake of every section is found in one reading,
//! before anything of the file is in force.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tradewind_delivery::check::ChecksSection;
use tradewind_delivery::guard::GuardSection;
use tradewind_delivery::hook::config::HooksSection;
use tradewind_engine::action::Registry;
use tradewind_engine::config::UndoSection;
use tradewind_engine::document::{ConfigMistake, Document, MAX_CONFIG_BYTES};
use tradewind_engine::undo::SecretScan;
use tradewind_insight::config::AuditSection;

use crate::place::CONFIG_FILE;

/// Everything that `tradewind.toml` says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Config {
    /// `[engine]` and `[rules.*]`.
    pub(crate) engine: tradewind_engine::config::Config,
    /// `[watch]`.
    pub(crate) watch: WatchSection,
    /// `[audit]`.
    pub(crate) audit: AuditSection,
    /// `[guard]`.
    pub(crate) guard: GuardSection,
    /// `[checks.*]`.
    pub(crate) checks: ChecksSection,
}

impl Config {
    /// Parses and checks a file.
    ///
    /// # Errors
    /// Every mistake in it, in file order.
    pub(crate) fn parse(text: &str) -> Result<Self, Vec<ConfigMistake>> {
        let mut document = Document::parse(text);
        let engine = tradewind_engine::config::read(&mut document, &registry());
        let watch: WatchSection = document.section("watch").unwrap_or_default();
        for (name, value, at_least) in [
            ("rescan", watch.rescan, MIN_RESCAN),
            ("poll", watch.poll, MIN_POLL),
            ("settle", watch.settle, MIN_SETTLE),
        ] {
            if value < at_least {
                document.mistake_at(
                    &["watch", name],
                    format!("must be at least {} ms", at_least.as_millis()),
                );
            }
        }
        let audit: AuditSection = document.section("audit").unwrap_or_default();
        for mistake in audit.mistakes() {
            let entry = mistake.entry.to_string();
            document.mistake_at(&["audit", "suppress", &entry, mistake.key], mistake.what);
        }
        let guard: GuardSection = document.section("guard").unwrap_or_default();
        for mistake in guard.mistakes() {
            document.mistake_at(&["guard", mistake.key], mistake.what);
        }
        let checks: ChecksSection = document.section("checks").unwrap_or_default();
        for mistake in checks.mistakes() {
            let mut path = vec!["checks"];
            path.extend(mistake.path.iter().map(String::as_str));
            document.mistake_at(&path, mistake.what);
        }
        // Only checked here: who runs hooks reads it by itself ([`hooks_section`]).
        let hooks: HooksSection = document.section("hooks").unwrap_or_default();
        for mistake in hooks.mistakes() {
            document.mistake_at(
                &["hooks", "per_file", &mistake.hook, mistake.key],
                mistake.what,
            );
        }
        document.finish()?;
        Ok(Self {
            engine,
            watch,
            audit,
            guard,
            checks,
        })
    }

    /// Returns how many rules there are.
    pub(crate) fn rule_count(&self) -> usize {
        self.engine.rules.len()
    }
}

const MIN_RESCAN: Duration = Duration::from_secs(1);
const MIN_POLL: Duration = Duration::from_millis(200);
const MIN_SETTLE: Duration = Duration::from_millis(50);

/// `[watch]`: how the work tree and the references are looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct WatchSection {
    /// How changes are noticed: `notices` of the file system, or `poll` where those do not come, as on some
    /// network and container file systems. Default `notices`.
    pub(crate) method: WatchMethod,
    /// How often everything is compared by stat even without a notice of change. Default `60s`.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub(crate) rescan: Duration,
    /// How often it is compared where notices of change do not work or `method` is `poll`. Default `5s`.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub(crate) poll: Duration,
    /// How long the work tree must be quiet before its changes are journaled. Default `1s`.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub(crate) settle: Duration,
}

/// How changes are noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum WatchMethod {
    /// The file system tells; a comparison now and then makes sure.
    Notices,
    /// Everything is compared every `poll`.
    Poll,
}

impl Default for WatchSection {
    fn default() -> Self {
        Self {
            method: WatchMethod::Notices,
            rescan: Duration::from_mins(1),
            poll: Duration::from_secs(5),
            settle: Duration::from_secs(1),
        }
    }
}

/// Returns every action that a rule may name.
pub(crate) fn registry() -> Registry {
    Registry::new()
}

/// Returns the detector that says which contents are stored only encrypted.
pub(crate) fn secret_scan() -> SecretScan {
    Arc::new(|path, bytes| !tradewind_repo::secrets::find(path, bytes).is_empty())
}

/// Reads the file at `path` as text.
///
/// A clone can bring a link to `/dev/zero` or a pipe along: only a regular file of the size that
/// [`Config::parse`] takes is read.
///
/// # Errors
/// `NotFound` when there is none; anything else when it cannot be a configuration.
pub(crate) fn read_file(path: &Path) -> std::io::Result<String> {
    use std::io::{Error, ErrorKind, Read};
    let meta = std::fs::metadata(path)?;
    if !meta.is_file() {
        return Err(Error::new(ErrorKind::InvalidInput, "it is no regular file"));
    }
    let limit = u64::try_from(MAX_CONFIG_BYTES).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    std::fs::File::open(path)?
        .take(limit.saturating_add(1))
        .read_to_end(&mut bytes)?;
    if bytes.len() > MAX_CONFIG_BYTES {
        return Err(Error::new(
            ErrorKind::FileTooLarge,
            format!("it has {} bytes, at most {limit} are read", meta.len()),
        ));
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let lines = error.as_bytes().iter().take(good);
        let line = lines.filter(|byte| **byte == b'\n').count() + 1;
        Error::new(ErrorKind::InvalidData, format!("line {line} is not UTF-8"))
    })
}

/// Says what to do about a configuration that [`read_file`] cannot read.
pub(crate) fn read_hint(error: &std::io::Error) -> &'static str {
    if error.kind() == std::io::ErrorKind::NotFound {
        "write a first one with `tradewind init`"
    } else {
        "make it a text file in UTF-8; `tradewind init --print` shows what one looks like"
    }
}

/// Returns how long the repository at `top` keeps what undo needs; the defaults when its file has mistakes.
pub(crate) fn undo_section(top: &Path) -> UndoSection {
    let text = read_file(&top.join(CONFIG_FILE)).unwrap_or_default();
    Config::parse(&text)
        .map(|config| config.engine.engine.undo)
        .unwrap_or_default()
}

/// Reads `[hooks]` of the repository at `top`. It only saves time, so mistakes are for `tradewind config check` to tell.
pub(crate) fn hooks_section(top: &Path) -> HooksSection {
    let text = read_file(&top.join(CONFIG_FILE)).unwrap_or_default();
    let section: HooksSection = Document::parse(&text).section("hooks").unwrap_or_default();
    if section.mistakes().is_empty() {
        section
    } else {
        HooksSection::default()
    }
}

/// Says in the JSON schema what the file holds.
#[derive(JsonSchema)]
#[schemars(title = "tradewind.toml", deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
struct File {
    /// Bounds for every rule.
    engine: Option<tradewind_engine::config::EngineSection>,
    /// The rules by name.
    rules: Option<std::collections::BTreeMap<String, tradewind_engine::config::RuleSection>>,
    /// How the repository is watched.
    watch: Option<WatchSection>,
    /// How the repository is audited.
    audit: Option<AuditSection>,
    /// What stops a commit.
    guard: Option<GuardSection>,
    /// The checks by name.
    checks: Option<ChecksSection>,
    /// What is to be known of hooks.
    hooks: Option<HooksSection>,
}

/// Returns the JSON schema of the file.
pub(crate) fn schema() -> serde_json::Value {
    schemars::schema_for!(File).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mistake_is_told_with_its_place() {
        let mistakes =
            Config::parse("[watch]\nrescan = \"1ms\"\npol = \"1s\"\n\n[marketing]\nx = 1\n")
                .unwrap_err();
        let lines: Vec<_> = mistakes.iter().map(|m| m.line).collect();
        assert_eq!(lines, [2, 3, 5], "{mistakes:?}");
    }

    #[test]
    fn checks_are_read_with_the_place_of_each_mistake() {
        let text = "[checks.unit]\nkind = \"unit\"\nrun = [\"pytest\"]\nneeds = [\"lint\"]\ncolour = 1\n\n[checks.b]\nkind = \"x\"\n";
        let places: Vec<_> = Config::parse(text)
            .unwrap_err()
            .iter()
            .map(|m| (m.line, m.column))
            .collect();
        assert_eq!(places, [(4, 9), (5, 1), (8, 8)]);
        let text = "[checks.unit]\nkind = \"unit\"\nrun = [\"pytest\"]\ntime_limit = \"90s\"\n";
        let checks = Config::parse(text).unwrap().checks.definitions();
        assert_eq!(checks[0].time_limit, Duration::from_secs(90));
    }

    #[test]
    fn an_empty_file_is_right() {
        assert_eq!(Config::parse("").map(|c| c.rule_count()), Ok(0));
    }
}
