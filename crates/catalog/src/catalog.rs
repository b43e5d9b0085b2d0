//! The catalog: all providers by name, and the questions other rooms ask.
//!
//! Built in, so that Tradewind knows the providers without a file; a folder may replace or add one by
//! name. When an override is wrong in any way, all its mistakes are reported and what was in force
//! before stays. Not here: what the facts are used for.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::access::Sdk;
use crate::document::{Document, MAX_FILE_BYTES, PlacedMessage, line_and_column};
use crate::endpoint::Method;
use crate::host::{Host, HostName};
use crate::lint;
use crate::provider::{Matched, Provider};
use crate::url::Address;

/// Upper bound on the files of a folder of overrides.
const MAX_FILES: usize = 256;

/// The files that are compiled in, by name.
const BUILTIN: &[(&str, &str)] = &[
    ("alpaca", include_str!("../../../catalog/alpaca.toml")),
    (
        "alphavantage",
        include_str!("../../../catalog/alphavantage.toml"),
    ),
    ("binance", include_str!("../../../catalog/binance.toml")),
    ("coinbase", include_str!("../../../catalog/coinbase.toml")),
    ("finnhub", include_str!("../../../catalog/finnhub.toml")),
    ("fred", include_str!("../../../catalog/fred.toml")),
    ("kraken", include_str!("../../../catalog/kraken.toml")),
    ("newsapi", include_str!("../../../catalog/newsapi.toml")),
    ("polygon", include_str!("../../../catalog/polygon.toml")),
    ("tiingo", include_str!("../../../catalog/tiingo.toml")),
    (
        "twelvedata",
        include_str!("../../../catalog/twelvedata.toml"),
    ),
    ("yahoo", include_str!("../../../catalog/yahoo.toml")),
];

/// What is known about providers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Catalog {
    // Invariant: each key is its provider's name, and the lint has nothing to say. Checked in overlay.
    providers: BTreeMap<String, Provider>,
}

/// A catalog and what was wrong with the files that did not make it in.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What is in force.
    pub catalog: Catalog,
    /// Every mistake, in order of file and place. A file that is named here is not in force.
    pub mistakes: Vec<Mistake>,
}

/// One thing that is wrong with a file of a catalog.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub struct Mistake {
    /// The file.
    pub file: PathBuf,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// What is wrong, without a full stop.
    pub message: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}:{}: {}",
            self.file.display(),
            self.line,
            self.column,
            self.message
        )
    }
}

/// Why a folder of overrides was not read at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The folder cannot be listed.
    #[error("cannot list {}", path.display())]
    Unreadable {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The folder has too many files.
    #[error("{} holds more than {MAX_FILES} catalog files", path.display())]
    TooMany {
        /// The folder.
        path: PathBuf,
    },
}

/// Whose an address is, and which endpoint it asks.
#[derive(Clone, Debug, PartialEq)]
pub struct Target<'c> {
    /// The provider that owns the host.
    pub provider: &'c Provider,
    /// The group the host belongs to.
    pub host: &'c Host,
    /// The endpoint on that host, and its arguments; `None` when none has that form.
    pub matched: Option<Matched<'c>>,
    /// An endpoint of this form on another host of the same provider, when there is none here.
    pub elsewhere: Option<Matched<'c>>,
}

impl Catalog {
    /// Returns the providers that are compiled in.
    pub fn builtin() -> Self {
        // The tests hold every built-in file against reader and lint, so nothing is refused here.
        let files = BUILTIN
            .iter()
            .map(|(name, text)| (PathBuf::from(format!("{name}.toml")), *text));
        Self::default().overlay(files).catalog
    }

    /// Returns the built-in catalog, read once for the whole process.
    pub fn builtin_shared() -> &'static Self {
        static SHARED: std::sync::LazyLock<Catalog> = std::sync::LazyLock::new(Catalog::builtin);
        &SHARED
    }

    /// Returns the built-in files: name of the provider and text.
    pub const fn builtin_files() -> &'static [(&'static str, &'static str)] {
        BUILTIN
    }

    /// Returns the built-in catalog with the files `*.toml` of `dir` over it, each for the provider it
    /// is named after. What is wrong with a file is told in [`Loaded::mistakes`].
    ///
    /// # Errors
    /// [`LoadError::Unreadable`] when the folder cannot be listed; [`LoadError::TooMany`] beyond 256
    /// files.
    pub fn load(dir: &Path) -> Result<Loaded, LoadError> {
        let unreadable = |source| LoadError::Unreadable {
            path: dir.to_owned(),
            source,
        };
        let mut paths = Vec::new();
        for entry in std::fs::read_dir(dir).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            let is_named = path
                .extension()
                .is_some_and(|extension| extension == "toml");
            // A pipe or a folder of that name would block or fail; neither is a catalog file.
            if is_named && path.is_file() {
                paths.push(path);
            }
            if paths.len() > MAX_FILES {
                return Err(LoadError::TooMany {
                    path: dir.to_owned(),
                });
            }
        }
        paths.sort();
        let mut files = Vec::new();
        let mut mistakes = Vec::new();
        for file in paths {
            match read_bounded(&file) {
                Ok(text) => files.push((file, text)),
                Err(PlacedMessage {
                    line,
                    column,
                    message,
                }) => mistakes.push(Mistake {
                    file,
                    line,
                    column,
                    message,
                }),
            }
        }
        let mut loaded = Self::builtin().overlay(files);
        loaded.mistakes.append(&mut mistakes);
        loaded.mistakes.sort();
        Ok(loaded)
    }

    /// Returns this catalog with each of `files` (path and text) over it, or what is wrong with it.
    #[must_use]
    pub fn overlay<T: AsRef<str>>(
        mut self,
        files: impl IntoIterator<Item = (PathBuf, T)>,
    ) -> Loaded {
        let mut mistakes = Vec::new();
        for (file, text) in files {
            if let Err(found) = self.replace(&file, text.as_ref()) {
                mistakes.extend(found.into_iter().map(|placed| Mistake {
                    file: file.clone(),
                    line: placed.line,
                    column: placed.column,
                    message: placed.message,
                }));
            }
        }
        Loaded {
            catalog: self,
            mistakes,
        }
    }

    fn replace(&mut self, file: &Path, text: &str) -> Result<(), Vec<PlacedMessage>> {
        let mut document = Document::parse(text);
        let Some(provider) = document.provider() else {
            return Err(document.into_mistakes());
        };
        let name = provider.name.clone();
        if file
            .file_stem()
            .is_none_or(|stem| stem.to_string_lossy() != name)
        {
            let message = format!("the file must be named {name}.toml, after its provider");
            document.mistake_at(&["name".to_owned()], &message);
        }
        for finding in lint::lint_one(&provider, self.providers.values()) {
            let message = format!("{} ({})", finding.message, finding.rule);
            document.mistake_at(&finding.path, &message);
        }
        let mistakes = document.into_mistakes();
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        self.providers.insert(name, provider);
        Ok(())
    }

    /// Returns the providers, by name.
    pub fn providers(&self) -> impl Iterator<Item = &Provider> {
        self.providers.values()
    }

    /// Returns the provider of that name.
    pub fn provider(&self, name: &str) -> Option<&Provider> {
        self.providers.get(name)
    }

    /// Returns whose host that is.
    pub fn by_host(&self, name: &str) -> Option<(&Provider, &Host)> {
        let name = HostName::parse(name)?;
        self.providers()
            .find_map(|provider| Some((provider, provider.host_of(&name)?)))
    }

    /// Returns whose credential people keep in that environment variable.
    pub fn by_variable(&self, variable: &str) -> Option<&Provider> {
        self.providers()
            .find(|provider| provider.variables().any(|name| name == variable))
    }

    /// Returns the packages that importing `module` brings in, with their providers.
    ///
    /// One package may serve several providers: `ccxt` gives all of them, `ccxt.kraken` the one that
    /// it means ([`Sdk::entries`]). Of two packages the one whose module is named in full comes alone.
    pub fn by_import(&self, module: &str) -> Vec<(&Provider, &Sdk)> {
        let mut found: Vec<_> = self
            .providers()
            .flat_map(|provider| provider.sdks.iter().map(move |sdk| (provider, sdk)))
            .filter(|(_, sdk)| sdk.is_imported_by(module))
            .collect();
        let longest = found.iter().map(|(_, sdk)| sdk.import.len()).max();
        found.retain(|(_, sdk)| Some(sdk.import.len()) == longest);
        if found.iter().any(|(_, sdk)| sdk.is_entered_by(module)) {
            found.retain(|(_, sdk)| sdk.is_entered_by(module));
        }
        found
    }

    /// Returns whose address `url` is and which endpoint it asks. Arguments that the caller gives
    /// beside the address, as `requests.get(url, params=…)` does, are in `query`.
    pub fn target(&self, method: Method, url: &str, query: &[(&str, &str)]) -> Option<Target<'_>> {
        let address = Address::parse(url)?;
        let (provider, host) = self.by_host(address.host.as_str())?;
        let mut pairs = address.query;
        pairs.extend(
            query
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        );
        let matched = provider.matched(method, Some(&host.id), &address.path, &pairs);
        let elsewhere = match &matched {
            Some(_) => None,
            None => provider.matched(method, None, &address.path, &pairs),
        };
        Some(Target {
            provider,
            host,
            matched,
            elsewhere,
        })
    }
}

/// Reads a file, but no more than shows that it is too long.
fn read_bounded(path: &Path) -> Result<String, PlacedMessage> {
    use std::io::Read as _;

    let bound = u64::try_from(MAX_FILE_BYTES)
        .unwrap_or(u64::MAX)
        .saturating_add(1);
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(bound).read_to_end(&mut bytes))
        .map_err(|error| PlacedMessage {
            line: 1,
            column: 1,
            message: format!("the file cannot be read: {error}"),
        })?;
    // A character cut in two by the bound is of a file that is refused anyway.
    if bytes.len() > MAX_FILE_BYTES {
        return Ok(String::from_utf8_lossy(&bytes).into_owned());
    }
    String::from_utf8(bytes).map_err(|error| {
        let sound = error.utf8_error().valid_up_to();
        let text = String::from_utf8_lossy(&error.as_bytes()[..sound]);
        let (line, column) = line_and_column(&text, sound);
        let message = "the file is not UTF-8 from here on".to_owned();
        PlacedMessage {
            line,
            column,
            message,
        }
    })
}
