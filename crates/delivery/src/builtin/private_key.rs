//! `detect-private-key`: no private key by the line that it begins with.

use memchr::memmem;

use super::args::Options;
use super::{About, Check, File, FileCheck, PLAIN, Surroundings, Verdict};

pub(super) const ABOUT: About = About {
    id: "detect-private-key",
    name: "detect private key",
    what: "Stops files that hold a private key.",
    types: &["text"],
    make: |args| {
        Options::NONE.parse(args)?;
        Ok(Check::files(PrivateKey {
            begin: memmem::Finder::new("BEGIN "),
            putty: memmem::Finder::new("PuTTY-User-Key-File-2"),
        }))
    },
    ..PLAIN
};

/// What follows `BEGIN `.
const KINDS: [&[u8]; 9] = [
    b"RSA PRIVATE KEY",
    b"DSA PRIVATE KEY",
    b"EC PRIVATE KEY",
    b"OPENSSH PRIVATE KEY",
    b"PRIVATE KEY",
    b"SSH2 ENCRYPTED PRIVATE KEY",
    b"PGP PRIVATE KEY BLOCK",
    b"ENCRYPTED PRIVATE KEY",
    b"OpenVPN Static key V1",
];

struct PrivateKey {
    begin: memmem::Finder<'static>,
    putty: memmem::Finder<'static>,
}

impl FileCheck for PrivateKey {
    fn check(&self, file: &File<'_>, _around: &dyn Surroundings) -> Verdict {
        let begins = self.begin.find_iter(file.bytes).any(|at| {
            let rest = file.bytes.get(at + b"BEGIN ".len()..).unwrap_or_default();
            KINDS.iter().any(|kind| rest.starts_with(kind))
        });
        if begins || self.putty.find(file.bytes).is_some() {
            Verdict::broken(format!("Private key found: {}", file.shown()))
        } else {
            Verdict::clean()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Outcome;
    use super::super::tests::on;

    #[test]
    fn a_key_is_seen_by_its_beginning() {
        let of = |bytes: &[u8]| on("detect-private-key", &[], "a", bytes).outcome;
        for text in [
            "-----BEGIN EC PRIVATE KEY-----\n",
            "x PuTTY-User-Key-File-2: y",
            "BEGIN BEGIN PRIVATE KEY",
        ] {
            assert_eq!(of(text.as_bytes()), Outcome::Broken, "{text}");
        }
        for text in ["-----BEGIN PUBLIC KEY-----", "begin private key", "BEGIN"] {
            assert_eq!(of(text.as_bytes()), Outcome::Clean, "{text}");
        }
    }
}
