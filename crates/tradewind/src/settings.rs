//! `config.toml` in the user's configuration folder: what belongs to a person and not to a repository.
//!
//! Why apart from `tradewind.toml`: limits and keys are shared by all repositories of a user, and must
//! never be committed. Without the file everything has its default. Not here: what the sections mean.

use std::path::PathBuf;

use schemars::JsonSchema;
use tradewind_catalog::{Catalog, Loaded};
use tradewind_engine::document::{ConfigMistake, Document};
use tradewind_host::dirs;
use tradewind_market::config::MarketSection;
use tradewind_quota::QuotaSection;

use crate::report::{Exit, Failure};
use crate::{terminal, wire};

/// Everything that `config.toml` says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    /// `[quota]`.
    pub(crate) quota: QuotaSection,
    /// `[market]`.
    pub(crate) market: MarketSection,
}

/// Says in the JSON schema what the file holds.
#[derive(JsonSchema)]
#[schemars(title = "config.toml", deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
struct File {
    /// How calls to providers are rationed.
    quota: Option<QuotaSection>,
    /// Where bars come from and how much of them is kept.
    market: Option<MarketSection>,
}

/// Returns the JSON schema of the file.
pub(crate) fn schema() -> serde_json::Value {
    schemars::schema_for!(File).into()
}

/// Returns where the file is looked for.
pub(crate) fn path() -> Result<PathBuf, Failure> {
    let dir = dirs::config_dir().map_err(|e| Failure::from_error(Exit::Config, &e))?;
    Ok(dir.join("config.toml"))
}

impl Settings {
    /// Parses and checks a file.
    ///
    /// # Errors
    /// Every mistake in it, in file order.
    pub(crate) fn parse(text: &str, catalog: &Catalog) -> Result<Self, Vec<ConfigMistake>> {
        let mut document = Document::parse(text);
        let quota: QuotaSection = document.section("quota").unwrap_or_default();
        let market: MarketSection = document.section("market").unwrap_or_default();
        let of_quota = quota
            .check(catalog)
            .into_iter()
            .map(|m| ("quota", m.path, m.message));
        let of_market = market
            .check(catalog)
            .into_iter()
            .map(|m| ("market", m.path, m.message));
        for (section, path, message) in of_quota.chain(of_market) {
            let path: Vec<&str> = std::iter::once(section)
                .chain(path.iter().map(String::as_str))
                .collect();
            document.mistake_at(&path, message);
        }
        document.finish()?;
        Ok(Self { quota, market })
    }

    /// Reads the user's file; everything has its default where there is none.
    ///
    /// # Errors
    /// The first mistake, with the command that shows all of them: limits that are not in force must not
    /// be taken for such.
    pub(crate) fn load(catalog: &Catalog) -> Result<Self, Failure> {
        let path = path()?;
        let text = match wire::read_file(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            Err(error) => {
                return Err(Failure::because(
                    Exit::Config,
                    format!("{} cannot be read", path.display()),
                    &error,
                )
                .hint("make it a text file in UTF-8, or remove it"));
            }
        };
        Self::parse(&text, catalog).map_err(|mistakes| {
            let first = mistakes
                .first()
                .map(ToString::to_string)
                .unwrap_or_default();
            Failure::new(
                Exit::Config,
                format!("{}:{}", path.display(), terminal::word(&first)),
            )
            .hint("`tradewind config check --user` shows every mistake")
        })
    }
}

/// Reads the built-in catalog with the user's own files over it.
pub(crate) fn catalog() -> Result<Loaded, Failure> {
    let dir = dirs::config_dir()
        .map_err(|e| Failure::from_error(Exit::Config, &e))?
        .join("catalog");
    if !dir.is_dir() {
        return Ok(Loaded {
            catalog: Catalog::builtin(),
            mistakes: Vec::new(),
        });
    }
    let loaded = Catalog::load(&dir).map_err(|e| Failure::from_error(Exit::Config, &e))?;
    if !loaded.mistakes.is_empty() {
        terminal::warn(format_args!(
            "{} has mistakes, the built-in facts stay in force: `tradewind catalog lint`",
            dir.display()
        ));
    }
    Ok(loaded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_of_both_sections_are_told_with_their_places() {
        let text = "[quota.providers.alpacca]\nplan = \"basic\"\n\n[market]\nprefer = [\"yaho\"]\nkeep = 3\n";
        let mistakes = Settings::parse(text, Catalog::builtin_shared()).unwrap_err();
        let lines: Vec<_> = mistakes.iter().map(|m| m.line).collect();
        assert_eq!(lines, [1, 5, 6], "{mistakes:?}");
    }

    #[test]
    fn the_file_that_the_how_to_page_shows_is_right() {
        let page = include_str!("../../../docs/how-to/use-the-gateway.md");
        let shown = page
            .split("```toml\n")
            .nth(1)
            .and_then(|rest| rest.split("```").next());
        let read = Settings::parse(shown.unwrap(), Catalog::builtin_shared());
        assert!(read.is_ok(), "{:?}", read.err());
    }

    #[test]
    fn an_empty_file_is_right() {
        assert!(Settings::parse("", Catalog::builtin_shared()).is_ok());
    }
}
