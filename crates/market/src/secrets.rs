//! Keys of providers: found where the user says, or in the variables that people usually keep them in.
//!
//! Why looked up at each call and never kept: a key that was changed counts at once, and what is not held
//! cannot leak. Not here: where a key goes in a request (`adapter`).

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use secrecy::ExposeSecret as _;
use tradewind_catalog::{Catalog, Provider};
use tradewind_engine::secret::{SecretError, SecretReference};

use crate::config::MarketSection;

/// Where the keys are.
#[derive(Clone, Debug)]
pub struct Keyring {
    catalog: Arc<Catalog>,
    section: MarketSection,
    dir: PathBuf,
}

/// The keys of one provider, for one question. Its `Debug` prints names only.
#[derive(Clone, Default)]
pub struct Keys(BTreeMap<String, String>);

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Keys {
    /// Returns the key that the catalog calls so.
    pub fn get(&self, credential: &str) -> Option<String> {
        self.0.get(credential).cloned()
    }
}

impl Keyring {
    /// Knows where the user's keys are; paths of files are relative to `dir`.
    pub fn new(catalog: Arc<Catalog>, section: MarketSection, dir: PathBuf) -> Self {
        Self {
            catalog,
            section,
            dir,
        }
    }

    /// Says whether every key seems to be there that the provider's preferred way of asking needs, without
    /// reading any.
    pub fn has_all(&self, provider: &Provider) -> bool {
        let needed = provider
            .authentications
            .first()
            .map(|way| way.how.credentials());
        needed
            .unwrap_or_default()
            .into_iter()
            .all(|id| self.place(provider, id).is_some())
    }

    /// Says where a key is: the user's word, or the first usual variable that is set.
    fn place(&self, provider: &Provider, id: &str) -> Option<SecretReference> {
        let own = self
            .section
            .keys
            .get(&provider.name)
            .and_then(|keys| keys.get(id));
        if let Some(own) = own {
            return SecretReference::parse(own).ok();
        }
        let credential = provider
            .credentials
            .iter()
            .find(|credential| credential.id == id)?;
        let is_set =
            |name: &&String| std::env::var_os(name.as_str()).is_some_and(|value| !value.is_empty());
        let name = credential.env.iter().find(is_set)?;
        Some(SecretReference::Environment(name.clone()))
    }

    /// Reads the keys of a provider; those that are nowhere are left out.
    ///
    /// # Errors
    /// [`SecretError`] when a key cannot be read where the user says that it is.
    pub async fn keys(&self, provider: &str) -> Result<Keys, SecretError> {
        let mut keys = BTreeMap::new();
        let Some(provider) = self.catalog.provider(provider) else {
            return Ok(Keys(keys));
        };
        for credential in &provider.credentials {
            if let Some(place) = self.place(provider, &credential.id) {
                let secret = place.read(&self.dir).await?;
                keys.insert(credential.id.clone(), secret.expose_secret().to_owned());
            }
        }
        Ok(Keys(keys))
    }
}
