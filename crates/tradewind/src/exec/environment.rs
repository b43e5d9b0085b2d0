//! The environment that leads a program's calls to the proxy, in every way that clients know.
//!
//! Why so many variables: each client reads its own. What is set counts for the child and its children only.
//! Clients that read none are led by a hook for Python and a loader for Node, which say so in a file beside them.
//! Not covered: a program that opens sockets by itself.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::Read as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use tradewind_host::files::{self, FileError, Mode};
use tradewind_host::process::Env;

/// Names the variable that holds the time at which a recording began, while it is made and when it is played.
const CLOCK_VARIABLE: &str = "TRADEWIND_REPLAY_CLOCK";
const HOOK: &str = include_str!("sitecustomize.py");
const LOADER: &str = include_str!("loader.cjs");
/// Where hooks say whom they led, and how much of it is read.
const LED: &str = "led";
const MAX_LED_BYTES: u64 = 4096;

/// Files that the child needs: its authorities, and the hook for Python.
#[derive(Debug)]
pub(crate) struct Files {
    dir: tempfile::TempDir,
}

/// Why they cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FilesError {
    /// No folder for them.
    #[error("no temporary folder for the certificates")]
    Dir(#[source] std::io::Error),
    /// A file cannot be written.
    #[error("the certificates cannot be written")]
    File(#[from] FileError),
}

impl Files {
    /// Writes the machine's authorities with ours beside them, and the hook.
    pub(crate) fn write(authority: &str) -> Result<Self, FilesError> {
        let dir = tempfile::Builder::new()
            .prefix("tradewind-exec-")
            .tempdir()
            .map_err(FilesError::Dir)?;
        let files = Self { dir };
        let mut bundle = String::new();
        let known = rustls_native_certs::load_native_certs();
        for error in &known.errors {
            tracing::debug!(%error, "an authority of this machine cannot be read");
        }
        for certificate in known.certs {
            bundle.push_str(&pem(&certificate));
        }
        bundle.push_str(authority);
        files::atomic_write(&files.bundle(), bundle.as_bytes(), Mode::Keep)?;
        files::atomic_write(&files.authority(), authority.as_bytes(), Mode::Keep)?;
        files::atomic_write(
            &files.path().join("sitecustomize.py"),
            HOOK.as_bytes(),
            Mode::Keep,
        )?;
        files::atomic_write(&files.loader(), LOADER.as_bytes(), Mode::Keep)?;
        Ok(files)
    }

    /// Returns which clients read no proxy variables and were led by a hook.
    pub(crate) fn led(&self) -> BTreeSet<String> {
        let mut text = String::new();
        let read = std::fs::File::open(self.path().join(LED))
            .and_then(|file| file.take(MAX_LED_BYTES).read_to_string(&mut text));
        // Most programs need no hook, and then there is no file.
        if read.is_err() {
            return BTreeSet::new();
        }
        text.lines().map(str::to_owned).collect()
    }

    fn loader(&self) -> PathBuf {
        self.path().join("loader.cjs")
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn bundle(&self) -> PathBuf {
        self.path().join("authorities.pem")
    }

    fn authority(&self) -> PathBuf {
        self.path().join("tradewind.pem")
    }

    /// Returns the child's environment; `clock` is the time that a recording has.
    pub(crate) fn environment(
        &self,
        proxy: SocketAddr,
        password: &str,
        clock: Option<Timestamp>,
    ) -> Env {
        let address = format!("http://tradewind:{password}@{proxy}");
        let mut env = Env::inherit().without(CLOCK_VARIABLE);
        if let Some(clock) = clock {
            env = env.with(CLOCK_VARIABLE, clock.to_string());
        }
        for name in ["HTTP_PROXY", "HTTPS_PROXY"] {
            env = env
                .with(name, &address)
                .with(name.to_ascii_lowercase(), &address);
        }
        // What the user keeps off proxies stays off; this machine always does.
        let own = ["NO_PROXY", "no_proxy"]
            .into_iter()
            .find_map(|name| std::env::var(name).ok());
        let mut off = own
            .filter(|own| !own.trim().is_empty() && own.trim() != "*")
            .unwrap_or_default();
        for name in ["localhost", "127.0.0.1", "::1"] {
            if !off.split(',').any(|known| known.trim() == name) {
                if !off.is_empty() {
                    off.push(',');
                }
                off.push_str(name);
            }
        }
        env = env.with("NO_PROXY", &off).with("no_proxy", &off);
        env = env.without("ALL_PROXY").without("all_proxy");
        for name in [
            "SSL_CERT_FILE",
            "REQUESTS_CA_BUNDLE",
            "CURL_CA_BUNDLE",
            "PIP_CERT",
            "TRADEWIND_EXEC_BUNDLE",
        ] {
            env = env.with(name, self.bundle());
        }
        env = env
            .with("NODE_EXTRA_CA_CERTS", self.authority())
            .with("NODE_USE_ENV_PROXY", "1")
            .with("NODE_OPTIONS", node_options(&self.loader()));
        let mut paths = vec![self.path().to_path_buf()];
        if let Some(own) = std::env::var_os("PYTHONPATH") {
            paths.extend(std::env::split_paths(&own));
        }
        let joined = std::env::join_paths(paths).unwrap_or_else(|_odd| OsString::from(self.path()));
        env.with("PYTHONPATH", joined)
    }
}

/// Returns the options of Node that the user has, and the loader.
fn node_options(loader: &Path) -> OsString {
    // Node takes a path with spaces in quotes, in which a backslash escapes.
    let path = loader.to_string_lossy().replace('\\', "\\\\");
    let path = path.replace('"', "\\\"");
    let mut options = std::env::var_os("NODE_OPTIONS").unwrap_or_default();
    if !options.is_empty() {
        options.push(" ");
    }
    options.push(format!("--require \"{path}\""));
    options
}

/// Writes a certificate as text.
fn pem(certificate: &[u8]) -> String {
    let mut text = "-----BEGIN CERTIFICATE-----\n".to_owned();
    let encoded = STANDARD.encode(certificate);
    for line in encoded.as_bytes().chunks(64) {
        text.push_str(&String::from_utf8_lossy(line));
        text.push('\n');
    }
    text.push_str("-----END CERTIFICATE-----\n");
    text
}
