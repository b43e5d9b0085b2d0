//! The sandbox as others use it: over a socket, on a clock of the test.
//!
//! One binary for all integration tests, one file per noun.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests stop at the first surprise, as tests do"
)]

mod asking;
mod detour;
mod faults;
mod forms;
mod hostile;
mod limits;
mod market;
mod naive;
mod orders;
mod paging;
mod recognised;
