//! Where answers are kept: in memory, by address, with a bound on their bytes.
//!
//! Why digests as names: addresses hold keys, and a cache must not be a place where keys can be read.
//! When it acts: who was used least makes room (`quick_cache`, which a scan does not empty). What is larger than
//! an eighth of the bound is not kept. Not here: whether an answer may be kept at all.

use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{OptionsBuilder, Weighter};
use tradewind_host::egress::HeaderMap;

use super::storing::Stored;

/// Upper bound on answers to one address that differ by what chose them.
const MAX_VARIANTS: usize = 16;
/// Parts that can be used at once.
const SHARDS: usize = 4;

/// Digest of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key([u8; 32]);

impl Key {
    /// Names an address, which may be given in parts.
    pub fn of(parts: &[&str]) -> Self {
        let mut hash = blake3::Hasher::new();
        for part in parts {
            hash.update(part.as_bytes());
        }
        Self(*hash.finalize().as_bytes())
    }
}

/// Digest of the credential with which an answer was got; who has another one never gets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Credential([u8; 32]);

impl Credential {
    /// No credential that is known as one: the rules of `Authorization` and `private` alone decide.
    pub const NONE: Self = Self([0; 32]);
    /// The user's own, which we put in.
    pub const OURS: Self = Self([1; 32]);

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Names the values of these headers; [`Credential::OURS`] when none of them is there.
    pub fn of<'a>(headers: &HeaderMap, names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut hash: Option<blake3::Hasher> = None;
        for name in names {
            for value in headers.get_all(name) {
                let hash = hash.get_or_insert_with(blake3::Hasher::new);
                for part in [name.as_bytes(), value.as_bytes()] {
                    hash.update(&(part.len() as u64).to_le_bytes());
                    hash.update(part);
                }
            }
        }
        hash.map_or(Self::OURS, |hash| Self(*hash.finalize().as_bytes()))
    }
}

/// Digests need no second one.
#[derive(Clone, Copy, Debug, Default)]
struct Already(u64);

impl Hasher for Already {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some((first, _)) = bytes.split_first_chunk::<8>() {
            self.0 = u64::from_le_bytes(*first);
        }
    }

    fn write_usize(&mut self, _length: usize) {}
}

type Variants = Arc<[Arc<Stored>]>;

#[derive(Clone, Copy, Debug)]
struct Bytes;

impl Weighter<Key, Variants> for Bytes {
    fn weight(&self, _key: &Key, variants: &Variants) -> u64 {
        variants
            .iter()
            .map(|stored| stored.bytes())
            .sum::<u64>()
            .max(1)
    }
}

/// Keeps answers.
pub struct Store {
    cache: Cache<Key, Variants, Bytes, BuildHasherDefault<Already>>,
    /// Held while variants of an address are exchanged; readers do not need it.
    writing: Mutex<()>,
    max_answer_bytes: u64,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("entries", &self.cache.len())
            .field("bytes", &self.cache.weight())
            .finish_non_exhaustive()
    }
}

impl Store {
    /// Keeps at most about `max_bytes`.
    pub fn new(max_bytes: u64) -> Self {
        let (hasher, lifecycle) = (BuildHasherDefault::default(), DefaultLifecycle::default());
        let built = OptionsBuilder::new()
            .estimated_items_capacity(10_000)
            .weight_capacity(max_bytes)
            .shards(SHARDS)
            .build();
        let cache = match built {
            Ok(options) => Cache::with_options(options, Bytes, hasher, lifecycle),
            // Both numbers that an option needs are given above.
            Err(_missing) => Cache::with(10_000, max_bytes, Bytes, hasher, lifecycle),
        };
        Self {
            cache,
            writing: Mutex::new(()),
            max_answer_bytes: max_bytes / 8,
        }
    }

    /// Returns the newest answer that fits.
    pub fn find(
        &self,
        key: &Key,
        request: &HeaderMap,
        credential: super::Credential,
    ) -> Option<Arc<Stored>> {
        let variants = self.cache.get(key)?;
        let found = variants
            .iter()
            .find(|stored| stored.fits(request, credential));
        found.cloned()
    }

    /// Keeps an answer in place of the one that was chosen alike.
    pub fn put(&self, key: Key, stored: &Arc<Stored>) {
        if stored.bytes() > self.max_answer_bytes {
            return;
        }
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let held = self.cache.get(&key);
        let is_other = |other: &&Arc<Stored>| {
            other.credential != stored.credential || other.chosen != stored.chosen
        };
        let others = held.iter().flat_map(|held| held.iter()).filter(is_other);
        let variants: Variants = std::iter::once(stored)
            .chain(others)
            .take(MAX_VARIANTS)
            .cloned()
            .collect();
        self.cache.insert(key, variants);
    }

    /// Forgets one answer.
    pub fn drop_one(&self, key: &Key, gone: &Arc<Stored>) {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(held) = self.cache.get(key) else {
            return;
        };
        let left: Variants = held
            .iter()
            .filter(|stored| !Arc::ptr_eq(stored, gone))
            .cloned()
            .collect();
        if left.is_empty() {
            self.cache.remove(key);
        } else {
            self.cache.insert(*key, left);
        }
    }

    /// Forgets everything that is held of an address.
    pub fn forget(&self, key: &Key) {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        self.cache.remove(key);
    }

    /// Returns how many addresses are held, and about how many bytes they take.
    pub fn held(&self) -> (usize, u64) {
        (self.cache.len(), self.cache.weight())
    }
}

#[cfg(test)]
mod tests {
    use super::super::storing::tests::kept;
    use super::*;

    const NOW: &str = "2026-11-23T12:00:00Z";

    fn answer(tag: &str) -> Stored {
        kept(200, &[("cache-control", "max-age=60"), ("etag", tag)], NOW).unwrap()
    }

    #[test]
    fn two_credentials_never_share_an_answer() {
        let store = Store::new(1 << 20);
        let key = Key::of(&["https://h", "/a?b"]);
        let (one, two) = (header("x-key", "1"), header("x-key", "2"));
        let of = |headers: &HeaderMap| Credential::of(headers, ["x-key"]);
        let mut stored = answer("\"1\"");
        stored.credential = of(&one);
        store.put(key, &Arc::new(stored));
        assert!(store.find(&key, &one, of(&one)).is_some());
        for (headers, credential) in [
            (&two, of(&two)),
            (&two, Credential::OURS),
            (&one, Credential::NONE),
        ] {
            assert!(
                store.find(&key, headers, credential).is_none(),
                "{credential:?}"
            );
        }
        assert_eq!(of(&HeaderMap::new()), Credential::OURS);
    }

    fn header(name: &'static str, value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        headers
    }

    #[test]
    fn a_new_answer_takes_the_place_of_the_old_one_and_variants_are_bounded() {
        let store = Store::new(1 << 20);
        let key = Key::of(&["a"]);
        let none = HeaderMap::new();
        for tag in ["\"1\"", "\"2\""] {
            store.put(key, &Arc::new(answer(tag)));
        }
        let found = store.find(&key, &none, Credential::NONE).unwrap();
        assert_eq!(found.headers["etag"], "\"2\"");
        for number in 0..3 * MAX_VARIANTS {
            let mut stored = answer("\"v\"");
            let asked = header("a", &number.to_string());
            stored.chosen = super::super::vary::Chosen::of(&header("vary", "a"), &asked).unwrap();
            store.put(key, &Arc::new(stored));
        }
        assert_eq!(store.cache.get(&key).unwrap().len(), MAX_VARIANTS);
        store.forget(&key);
        assert!(store.find(&key, &none, Credential::NONE).is_none());
    }

    #[test]
    fn bytes_are_bounded_and_what_is_too_large_is_not_kept() {
        let max_bytes = 256 * 1024;
        let store = Store::new(max_bytes);
        for number in 0..2_000 {
            let key = Key::of(&[&number.to_string()]);
            store.put(key, &Arc::new(answer("\"a\"")));
        }
        let (entries, bytes) = store.held();
        assert!(
            bytes <= max_bytes && entries > 10 && entries < 1_000,
            "{entries} {bytes}"
        );
        let mut large = answer("\"a\"");
        large.body = vec![0; 40 * 1024].into();
        let key = Key::of(&["large"]);
        store.put(key, &Arc::new(large));
        assert!(
            store
                .find(&key, &HeaderMap::new(), Credential::NONE)
                .is_none()
        );
    }
}
