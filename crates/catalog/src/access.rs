//! How a provider is asked: credentials, where they go, and the packages that do it for a bot.
//!
//! Why: the audit must find a key by the names people give it and a call by the package that makes it.
//! Not here: the secrets themselves; nothing in this room ever holds one.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::basis::Basis;
use crate::endpoint::UseCase;

/// `[[credential]]`: something secret that a call carries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Credential {
    /// What authentications call it; unique in the file.
    pub id: String,
    /// Names of environment variables that people keep it in, most usual first.
    pub env: Vec<String>,
    /// Form of its text, a regular expression, where the provider fixes one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<String>,
    /// Where the facts come from. Default: the provider's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<Basis>,
}

/// `[[authentication]]`: one way to prove who asks; the preferred way first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Authentication {
    /// Where the credential goes.
    pub how: How,
    /// Host groups that it is for. Default: every group.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on: Vec<String>,
    /// What a reader should know about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Where the facts come from. Default: the provider's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<Basis>,
}

/// Where a credential goes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum How {
    /// Nowhere: the data is public.
    None {},
    /// Into the query, where logs and referrers show it.
    Query {
        /// Name of the parameter.
        parameter: String,
        /// Id of the credential.
        credential: String,
    },
    /// Into headers.
    Headers {
        /// Each header and what it carries.
        headers: Vec<AuthHeader>,
    },
    /// Headers with a key and a signature over the call, made by the client.
    Signed {
        /// Header that carries the key.
        header: String,
        /// Id of the credential in that header.
        credential: String,
        /// Id of the credential that signs and never travels.
        secret: String,
    },
}

impl How {
    /// Returns the ids of the credentials that it needs.
    pub fn credentials(&self) -> Vec<&str> {
        match self {
            Self::None {} => Vec::new(),
            Self::Query { credential, .. } => vec![credential],
            Self::Headers { headers } => headers.iter().map(|h| h.credential.as_str()).collect(),
            Self::Signed {
                credential, secret, ..
            } => vec![credential, secret],
        }
    }
}

/// One header of an authentication.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuthHeader {
    /// Name of the header.
    pub name: String,
    /// Text before the credential, with its space: `Bearer `.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub prefix: String,
    /// Id of the credential.
    pub credential: String,
}

/// `[[sdk]]`: a package that calls this provider.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sdk {
    /// Name that the package is installed by.
    pub distribution: String,
    /// Module that is imported, with dots.
    pub import: String,
    /// Language of the package. Default Python.
    #[serde(default)]
    pub language: Language,
    /// Names in the module that mean this provider, where it serves several: `ccxt.kraken`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entries: Vec<String>,
    /// Calls and what they ask, where known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<SdkCall>,
    /// What a reader should know about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Where the facts come from. Default: the provider's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<Basis>,
}

impl Sdk {
    /// Tells whether importing `module` (with dots) brings this package in.
    pub fn is_imported_by(&self, module: &str) -> bool {
        is_within(module, &self.import)
    }

    /// Tells whether `name` (with dots) is one of the names that mean this provider alone.
    pub fn is_entered_by(&self, name: &str) -> bool {
        self.entries.iter().any(|entry| is_within(name, entry))
    }

    /// Returns what is known of a call: `Ticker.history`, or just its last name, `history`.
    pub fn call(&self, call: &str) -> Option<&SdkCall> {
        self.calls.iter().find(|known| {
            known.call == call
                || (!call.contains('.') && known.call.rsplit('.').next() == Some(call))
        })
    }

    /// Returns the endpoints that `call` asks: `Ticker.history`, or just its last name, `history`.
    pub fn endpoints_of(&self, call: &str) -> &[String] {
        self.call(call).map_or(&[], |known| &known.endpoints)
    }
}

/// Tells whether the dotted `name` is `outer` or inside it.
fn is_within(name: &str, outer: &str) -> bool {
    let rest = name.strip_prefix(outer);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// The language of a package.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    /// Python, from the package index.
    #[default]
    Python,
    /// JavaScript or TypeScript, from npm.
    Javascript,
}

/// One call of a package and the endpoints that it asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SdkCall {
    /// Class and method, or function, without the module.
    pub call: String,
    /// Ids of the endpoints; empty for one that the catalog does not describe.
    pub endpoints: Vec<String>,
    /// What it is for, where no endpoint says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub use_case: Option<UseCase>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sdk() -> Sdk {
        Sdk {
            distribution: "alpaca-py".to_owned(),
            import: "alpaca".to_owned(),
            language: Language::Python,
            entries: Vec::new(),
            calls: vec![SdkCall {
                call: "Client.get_bars".to_owned(),
                endpoints: vec!["bars".to_owned()],
                use_case: None,
            }],
            note: None,
            basis: None,
        }
    }

    #[test]
    fn a_submodule_brings_the_package_in_and_a_longer_name_does_not() {
        assert!(sdk().is_imported_by("alpaca"));
        assert!(sdk().is_imported_by("alpaca.data.historical"));
        assert!(!sdk().is_imported_by("alpaca_trade_api"));
        assert!(!sdk().is_imported_by("alpa"));
    }

    #[test]
    fn a_call_is_found_by_its_whole_or_its_last_name() {
        assert_eq!(sdk().endpoints_of("Client.get_bars"), ["bars"]);
        assert_eq!(sdk().endpoints_of("get_bars"), ["bars"]);
        assert!(sdk().endpoints_of("Other.get_bars").is_empty());
        assert!(sdk().endpoints_of("bars").is_empty());
    }
}
