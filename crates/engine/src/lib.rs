//! Rules decide, actions act, undo takes back.
//!
//! Why: this is where events become effects, so everything that makes effects safe is here and only
//! here: conditions proven before they run, limits, loops cut, autonomy levels, idempotency keys, a
//! recorded request before any effect, preimages, trust in what a clone brings, one switch that
//! stops it all. Not here: what events mean (rooms above), how the outside world is touched (`host`).
//! Start reading at [`engine`], then [`decide`]; for undo at [`undo`].
//!
//! How the edge wires it:
//!
//! ```no_run
//! # use std::{path::{Path, PathBuf}, sync::Arc, time::Duration};
//! # use tokio_util::sync::CancellationToken;
//! # use tradewind_core::{Clock, RepositoryId, clock::FixedClock};
//! # use tradewind_engine::{Engine, EngineParts, Supervisor, action::Registry, config, document::Document, trust};
//! # use tradewind_host::egress::Egress;
//! # use tradewind_journal::Journal;
//! # async fn wire(journal: Journal, egress: Arc<dyn Egress>, clock: Arc<dyn Clock>, state_dir: PathBuf,
//! #     id: RepositoryId, top: PathBuf, text: String) -> Result<(), Box<dyn std::error::Error>> {
//! let supervisor = Supervisor::new(Some(journal.clone()), clock.clone(), CancellationToken::new());
//! let parts = EngineParts {
//!     journal: journal.clone(),
//!     actions: Registry::new(),
//!     egress,
//!     clock,
//!     secret_scan: Arc::new(|path, bytes| !path.is_empty() && bytes.starts_with(b"AKIA")),
//!     state_dir,
//! };
//! let engine = Engine::new(parts, supervisor.clone())?;
//!
//! let mut document = Document::parse(&text);
//! let rules = config::read(&mut document, engine.actions());
//! // … other rooms: `document.section::<TheirSection>("market")` …
//! match document.finish() {
//!     Ok(()) => engine.set_repository(id, top, rules, trust::digest(&text)).await?,
//!     Err(mistakes) => engine.reject_configuration(id, trust::digest(&text), &mistakes).await?,
//! }
//! let looping = engine.clone();
//! supervisor.start("engine", move |token| {
//!     let engine = looping.clone();
//!     async move { engine.run(token).await }
//! });
//! // … until the user stops it:
//! let unfinished = supervisor.shut_down(Duration::from_secs(10)).await;
//! # drop(unfinished); Ok(()) }
//! ```

pub mod action;
pub mod condition;
pub mod config;
pub mod decide;
pub mod document;
pub mod engine;
pub mod error;
#[cfg(any(test, feature = "fuzz"))]
pub mod fuzz;
pub mod pause;
pub mod proposals;
pub mod secret;
mod store;
pub mod supervisor;
pub mod trust;
pub mod undo;
pub mod view;

pub use engine::{Engine, EngineParts};
pub use error::EngineError;
pub use supervisor::Supervisor;
