//! The only place that leaves the process: subprocesses, git, outgoing HTTP, files, clock, randomness.
//!
//! Why one room: whoever wants to know what Tradewind can do to a machine reads this crate and
//! nothing else; every door here has a bound (time, bytes, watches) and an error that names the
//! thing. Not here: decisions, retries, what a repository means. Start reading at [`process`],
//! then [`git`].

pub mod clock;
pub mod desktop;
pub mod dirs;
pub mod egress;
pub mod files;
pub mod git;
pub mod process;
pub mod random;
pub mod socket;
pub mod watch;
