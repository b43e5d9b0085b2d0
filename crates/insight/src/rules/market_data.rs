//! How market data is asked for, and what becomes of refusals.

pub mod blocking_call_in_async;
pub mod dead_fetcher;
pub mod errors_become_empty;
pub mod gone_service;
pub mod ignored_pagination;
pub mod ignored_range;
pub mod naive_time;
pub mod no_pacing;
pub mod no_shared_cache;
pub mod no_timeout;
pub mod one_key_two_names;
pub mod provenance_lost;
pub mod unchecked_refusal;
pub mod wrong_host;

use crate::rule::{PythonRule, Rule};

/// Rules over the whole repository.
pub const RULES: &[&dyn Rule] = &[
    &blocking_call_in_async::BlockingCallInAsync,
    &dead_fetcher::DeadFetcher,
    &errors_become_empty::ErrorsBecomeEmpty,
    &gone_service::GoneService,
    &ignored_pagination::IgnoredPagination,
    &ignored_range::IgnoredRange,
    &naive_time::NaiveTime,
    &no_pacing::NoPacing,
    &no_shared_cache::NoSharedCache,
    &no_timeout::NoTimeout,
    &one_key_two_names::OneKeyTwoNames,
    &provenance_lost::ProvenanceLost,
    &unchecked_refusal::UncheckedRefusal,
    &wrong_host::WrongHost,
];

/// Rules over one Python file.
pub const PYTHON_RULES: &[&dyn PythonRule] = &[];
