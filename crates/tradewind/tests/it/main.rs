//! Tests of the whole: the house's own rules, and the program as a user starts it.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on says so by ending"
)]

mod audit;
mod audit_bounds;
mod browser;
mod canary;
mod cassette;
mod cassette_streams;
mod change;
mod check;
mod cli;
mod cloudevents;
mod container;
mod daemon;
mod demo;
mod exec;
mod guard;
mod hook;
mod hook_situations;
mod house;
mod http;
mod market;
mod origin;
mod passing;
mod place;
mod sandbox;
mod shadow;
mod streams;
mod support;
mod usage;
