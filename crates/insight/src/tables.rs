//! Facts about the world that no repository holds, dated: which actions and machines are gone, which module
//! comes from which package, which release runs on which Python, which services are gone.
//!
//! Each table says as of when it was written; a rule asks no further than it reaches and says *not checked*
//! beyond.

pub mod actions;
pub mod distributions;
pub mod releases;
pub mod services;
