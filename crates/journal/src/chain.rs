//! The hash chain: each event's hash covers the one before it, its envelope and its body.
//!
//! Why: `log --verify` must notice any change of a stored event, and `erase` must be able to take a
//! body away without breaking that. So the chain does not cover the body itself but its salted digest.
//! When a body is erased its salt goes too and the digest stays: the chain still verifies, and what
//! the body was cannot be found by guessing, because 128 random bits went into the digest.
//! What it is not: a signature. Who can write the file can also write a whole new chain.

use tradewind_core::{EventKind, JournalId, Seq};

/// A BLAKE3 hash.
pub(crate) type Hash = [u8; 32];
/// The random bytes that go into a body's digest.
pub(crate) type Salt = [u8; 16];

/// The parts of an event that the chain covers, as they are stored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link<'a> {
    pub seq: Seq,
    pub kind: &'a [u8],
    pub schema: u16,
    pub occurred_at: i64,
    pub recorded_at: i64,
    pub cause: Option<i64>,
    pub correlation: i64,
    pub subject: &'a [u8],
    pub repository: Option<&'a [u8]>,
    pub key: Option<&'a [u8]>,
    pub digest: &'a Hash,
}

/// Returns the hash that stands before the first event.
pub(crate) fn genesis(id: JournalId) -> Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"tradewind journal 1\n");
    hasher.update(id.as_bytes());
    *hasher.finalize().as_bytes()
}

/// Returns the salted digest of a body.
pub(crate) fn digest(salt: &[u8], data: &[u8]) -> Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(salt);
    hasher.update(data);
    *hasher.finalize().as_bytes()
}

/// Returns the hash of the event after the one that hashed to `previous`.
///
/// Every part is of fixed size or carries its length, so that no two events have the same bytes.
pub(crate) fn next(previous: &Hash, link: &Link<'_>) -> Hash {
    // One contiguous buffer: BLAKE3 takes a single short slice much faster than twelve tiny ones.
    let mut bytes = Vec::with_capacity(192 + link.subject.len());
    bytes.extend_from_slice(previous);
    bytes.extend_from_slice(&link.seq.0.to_le_bytes());
    put(&mut bytes, link.kind);
    bytes.extend_from_slice(&link.schema.to_le_bytes());
    bytes.extend_from_slice(&link.occurred_at.to_le_bytes());
    bytes.extend_from_slice(&link.recorded_at.to_le_bytes());
    match link.cause {
        None => bytes.push(0),
        Some(cause) => {
            bytes.push(1);
            bytes.extend_from_slice(&cause.to_le_bytes());
        }
    }
    bytes.extend_from_slice(&link.correlation.to_le_bytes());
    put(&mut bytes, link.subject);
    put_optional(&mut bytes, link.repository);
    put_optional(&mut bytes, link.key);
    bytes.extend_from_slice(link.digest);
    *blake3::hash(&bytes).as_bytes()
}

fn put(bytes: &mut Vec<u8>, part: &[u8]) {
    bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
    bytes.extend_from_slice(part);
}

fn put_optional(bytes: &mut Vec<u8>, part: Option<&[u8]>) {
    match part {
        None => bytes.push(0),
        Some(part) => {
            bytes.push(1);
            put(bytes, part);
        }
    }
}

/// Writes a hash as lower-case hexadecimal digits.
pub(crate) fn to_hex(hash: &Hash) -> String {
    blake3::Hash::from_bytes(*hash).to_hex().to_string()
}

/// Returns the bytes by which the chain knows a kind.
pub(crate) fn kind_bytes(kind: EventKind) -> &'static [u8] {
    kind.as_str().as_bytes()
}
