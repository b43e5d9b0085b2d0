//! Secrets by reference: `env:NAME`, `file:PATH`, `cmd:LINE`.
//!
//! Why by reference only: a configuration is committed, a journal is kept and a report is shared; a
//! secret in any of them is lost. It is read at the moment of its use and lives in a type that
//! prints nothing. Not here: whether a `cmd:` may run at all (that is [`crate::trust`]).

use std::path::Path;
use std::time::Duration;

use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use tradewind_host::files::{self, FileError};
use tradewind_host::process::{self, ProcessError};

/// Upper bound on a secret, in bytes.
const MAX_BYTES: u64 = 64 * 1024;
/// How long a `cmd:` may take.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// Why a secret cannot be read. Never holds any part of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// The text names no way to a secret.
    #[error("a secret is given as `env:NAME`, `file:PATH` or `cmd:LINE`, never itself")]
    NoReference,
    /// The variable is not set, or is empty.
    #[error("environment variable {name} is not set")]
    NotSet {
        /// Its name.
        name: String,
    },
    /// The file cannot be read.
    #[error("secret file cannot be read")]
    File(#[source] FileError),
    /// The command could not be run.
    #[error("command of the secret cannot be run")]
    Command(#[source] ProcessError),
    /// The command ended badly or printed nothing.
    #[error("command of the secret ended with {status} and {output_bytes} bytes of output")]
    Refused {
        /// How it ended.
        status: process::ExitOutcome,
        /// How much it printed.
        output_bytes: usize,
    },
    /// The secret is no text.
    #[error("secret is not UTF-8 text")]
    NotText,
}

/// Says where a secret is; holds none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretReference {
    /// In an environment variable of the program.
    Environment(String),
    /// In a file; relative to the repository.
    File(String),
    /// On the output of a shell line.
    Command(String),
}

impl SecretReference {
    /// Reads `env:NAME`, `file:PATH` or `cmd:LINE`.
    ///
    /// # Errors
    /// [`SecretError::NoReference`].
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        match text.split_once(':') {
            Some(("env", name)) if !name.is_empty() && !name.contains(['=', '\0']) => {
                Ok(Self::Environment(name.to_owned()))
            }
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.to_owned())),
            Some(("cmd", line)) if !line.trim().is_empty() => Ok(Self::Command(line.to_owned())),
            _ => Err(SecretError::NoReference),
        }
    }

    /// Reads the secret; `dir` is the repository. A trailing newline is dropped.
    ///
    /// # Errors
    /// [`SecretError`].
    pub async fn read(&self, dir: &Path) -> Result<SecretString, SecretError> {
        let bytes = match self {
            Self::Environment(name) => {
                return std::env::var(name)
                    .ok()
                    .filter(|value| !value.is_empty())
                    .map(SecretString::from)
                    .ok_or_else(|| SecretError::NotSet { name: name.clone() });
            }
            Self::File(path) => {
                files::read_bounded(&dir.join(path), MAX_BYTES).map_err(SecretError::File)?
            }
            Self::Command(line) => {
                let mut spec = process::shell(line, dir).within(TIME_LIMIT);
                spec.max_output_bytes = usize::try_from(MAX_BYTES).unwrap_or(usize::MAX);
                let finished = process::run(spec, CancellationToken::new())
                    .await
                    .map_err(SecretError::Command)?;
                let bytes = finished.stdout.bytes;
                if !finished.status.is_success() || bytes.is_empty() {
                    return Err(SecretError::Refused {
                        status: finished.status,
                        output_bytes: bytes.len(),
                    });
                }
                bytes
            }
        };
        let text = String::from_utf8(bytes).or(Err(SecretError::NotText))?;
        Ok(text.trim_end_matches(['\r', '\n']).to_owned().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret as _;

    #[test]
    fn a_secret_itself_is_refused() {
        for text in ["hunter2", "env:", "http://x", "cmd: "] {
            assert!(SecretReference::parse(text).is_err(), "{text}");
        }
    }

    #[tokio::test]
    async fn a_secret_is_read_from_a_file_and_a_command() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("key"), "s3cret\n").unwrap();
        for reference in ["file:key", "cmd:cat key"] {
            let reference = SecretReference::parse(reference).unwrap();
            let secret = reference.read(dir.path()).await.unwrap();
            assert_eq!(secret.expose_secret(), "s3cret");
            assert!(!format!("{secret:?}").contains("s3cret"));
        }
    }
}
