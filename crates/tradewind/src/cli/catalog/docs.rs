//! `tradewind catalog docs`: a reference of the providers that a repository uses, with who uses what.
//!
//! What a provider is comes from the catalog, who asks it from the API map of the repository's code.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;

use tradewind_catalog::{Catalog, Provider, page};
use tradewind_insight::report::contract::Api;

use crate::cli::audit;
use crate::cli::usage::workflow;
use crate::place::Place;
use crate::report::{Exit, Failure, Outcome};
use crate::terminal;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only these providers; without any, those that the code of this repository asks
    providers: Vec<String>,
    /// Every provider of the catalog, used or not
    #[arg(long, conflicts_with = "providers")]
    all: bool,
    /// Write one page per provider and an index into this folder instead of printing them
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
}

pub(super) async fn run(place: &Place, catalog: &Catalog, args: &Args) -> Outcome {
    // Outside a repository the reference is still worth having: nobody is known to use anything then.
    let map = match place.location() {
        Ok(_) => workflow::api_map(place).await?,
        Err(failure) if args.all || !args.providers.is_empty() => {
            terminal::note(format_args!("Who uses what is left out: {}.", failure.what));
            Vec::new()
        }
        Err(failure) => return Err(failure.hint("name providers, or say --all")),
    };
    let chosen = chosen(catalog, args, &map)?;
    if chosen.is_empty() {
        terminal::line(
            "The code of this repository asks no provider of the catalog: say --all, or name some.",
        );
        return Ok(Exit::Done);
    }
    let Some(dir) = &args.output else {
        for provider in &chosen {
            terminal::line(whole(provider, &map));
        }
        return Ok(Exit::Done);
    };
    let folder = place.cwd().join(dir);
    std::fs::create_dir_all(&folder).map_err(|e| {
        Failure::because(
            Exit::Outside,
            format!("{} cannot be made", folder.display()),
            &e,
        )
        .hint("name a folder that you may write to")
    })?;
    for provider in &chosen {
        let file = dir.join(format!("{}.md", provider.name));
        audit::write(place, &file, &whole(provider, &map))?;
    }
    audit::write(
        place,
        &dir.join("README.md"),
        &page::index(chosen.iter().copied()),
    )?;
    terminal::note(format_args!(
        "Wrote {} pages and README.md into {}.",
        chosen.len(),
        dir.display()
    ));
    Ok(Exit::Done)
}

fn chosen<'c>(
    catalog: &'c Catalog,
    args: &Args,
    map: &[Api],
) -> Result<Vec<&'c Provider>, Failure> {
    if args.all {
        return Ok(catalog.providers().collect());
    }
    if args.providers.is_empty() {
        let used: BTreeSet<&str> = map.iter().map(|api| &*api.provider).collect();
        let is_used = |provider: &&Provider| used.contains(&*provider.name);
        return Ok(catalog.providers().filter(is_used).collect());
    }
    let named = args.providers.iter();
    named.map(|name| super::provider(catalog, name)).collect()
}

/// Returns the page of the catalog, and below it who uses which endpoint.
fn whole(provider: &Provider, map: &[Api]) -> String {
    let mut out = page::page(provider);
    let of_provider = map.iter().filter(|api| api.provider == provider.name);
    let mut rows = String::new();
    for api in of_provider {
        for call in &api.calls {
            let place = match &call.function {
                Some(function) => format!("`{function}` in `{}:{}`", call.path, call.line),
                None => format!("`{}:{}`", call.path, call.line),
            };
            let started = match (call.reachable, call.entry_points.as_slice()) {
                (Some(false), []) => "nothing".to_owned(),
                (_, []) => "not known".to_owned(),
                (_, starts) => starts.join(", "),
            };
            // Writing into a string cannot fail.
            let _infallible = writeln!(
                rows,
                "| {} | {} | {} | {} |",
                api.endpoint
                    .as_deref()
                    .map_or("not known".to_owned(), |id| format!("`{id}`")),
                cell(&place),
                cell(&started),
                cell(call.key_from.as_deref().unwrap_or("none seen")),
            );
        }
    }
    if !rows.is_empty() {
        out.push_str("\n## Used here\n\n| Endpoint | Function | Started by | Key from |\n|---|---|---|---|\n");
        out.push_str(&rows);
    }
    out
}

/// Makes text of the repository fit into one cell of a table.
fn cell(text: &str) -> String {
    terminal::one_line(text, 200)
        .replace('|', "\\|")
        .replace('<', "&lt;")
}
