//! Which functions of this repository ask which endpoint: the audit's API map beside what was counted.
//!
//! Why after the fact: a call carries no name of a function, but the code says which of its functions ask an
//! endpoint. Where several do, all of them are named: which one it was cannot be told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tradewind_host::dirs;
use tradewind_insight::report::Decisions;
use tradewind_insight::report::contract::Api;
use tradewind_insight::{Report, Request, Selection};
use tradewind_market::usage::{PASSED, Whose};

use crate::cli::audit;
use crate::place::Place;
use crate::report::Failure;

/// Functions that are named before the rest is counted.
const MAX_NAMED: usize = 2;

/// Functions by provider and endpoint.
pub(super) struct Functions(BTreeMap<(String, String), BTreeSet<String>>);

/// Reads the API map of the repository around the current folder.
pub(super) async fn functions(place: &Place) -> Result<Functions, Failure> {
    Ok(Functions::by(&api_map(place).await?))
}

/// Returns who asks which provider, by the code of the repository around the current folder.
pub(crate) async fn api_map(place: &Place) -> Result<Vec<Api>, Failure> {
    let location = place.location()?;
    let mut request = Request::new(Place::git()?, &location.top, audit::today(place, None));
    request.catalog = Arc::new(audit::catalog());
    request.cache = dirs::cache_dir().ok().map(|dir| dir.join("audit"));
    // Only what was read is wanted, and no rule's opinion of it.
    request.selection = Selection::Only(Vec::new());
    let looked = audit::look(request, None).await?;
    Ok(Report::of(&looked, &Decisions::default()).api_map)
}

impl Functions {
    fn by(map: &[Api]) -> Self {
        let mut all: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
        for api in map {
            let Some(endpoint) = &api.endpoint else {
                continue;
            };
            let names = all
                .entry((api.provider.clone(), endpoint.clone()))
                .or_default();
            for call in &api.calls {
                names.insert(match &call.function {
                    Some(function) => format!("{}:{function}", call.path),
                    None => call.path.clone(),
                });
            }
        }
        Self(all)
    }

    /// Names the workflow of what was counted.
    pub(super) fn of(&self, whose: &Whose) -> String {
        let Some(endpoint) = whose.what.strip_prefix(PASSED) else {
            return format!("{} (by its name, no code asks)", whose.consumer);
        };
        let key = (whose.provider.clone(), endpoint.to_owned());
        let Some(names) = self.0.get(&key) else {
            return format!("{} {endpoint} (no code here)", whose.provider);
        };
        let mut shown: Vec<&str> = names.iter().take(MAX_NAMED).map(String::as_str).collect();
        let more = format!("and {} more", names.len().saturating_sub(MAX_NAMED));
        if names.len() > MAX_NAMED {
            shown.push(&more);
        }
        shown.join(", ")
    }
}
