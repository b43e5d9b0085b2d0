//! The reference page of a provider, as Markdown.
//!
//! Why generated: a page that a person keeps beside the data is wrong within a month. The page is a pure
//! function of the data: same provider, same bytes. Not here: where the page is written, and who uses
//! which endpoint (the API map of a repository says that).

mod endpoint;
mod stream;

use std::fmt::{self, Write as _};

use crate::access::{How, Language};
use crate::basis::Basis;
use crate::endpoint::UseCase;
use crate::period::Unit;
use crate::plan::{Plan, Reset, Window};
use crate::provider::Provider;

/// Returns the reference page of `provider`.
pub fn page(provider: &Provider) -> String {
    let mut out = String::new();
    // Writing into a string cannot fail; a half page would be seen at once.
    if write_page(&mut out, provider).is_err() {
        out.clear();
    }
    out
}

/// Returns the page that lists `providers`, with links to their pages.
pub fn index<'p>(providers: impl IntoIterator<Item = &'p Provider>) -> String {
    let mut out = String::from(
        "# Providers\n\nGenerated from `catalog/*.toml`.\n\n| Provider | Answers | Key | First limits |\n|---|---|---|---|\n",
    );
    for provider in providers {
        let uses: Vec<_> = UseCase::ALL
            .into_iter()
            .filter(|use_case| provider.endpoints.iter().any(|e| e.use_case == *use_case))
            .map(UseCase::as_str)
            .collect();
        let is_open = provider
            .authentications
            .iter()
            .any(|a| a.how == How::None {});
        let limits: Vec<_> = provider
            .plans
            .first()
            .into_iter()
            .flat_map(|plan| {
                plan.windows
                    .iter()
                    .map(|window| doubted(limit(window), basis_of(plan, window, provider)))
            })
            .collect();
        let _infallible = writeln!(
            out,
            "| [{}]({}.md) | {} | {} | {} |",
            cell(&provider.title),
            provider.name,
            uses.join(", "),
            if is_open {
                "not for public data"
            } else {
                "needed"
            },
            cell(&limits.join("; "))
        );
    }
    out
}

fn write_page(out: &mut String, provider: &Provider) -> fmt::Result {
    writeln!(out, "# {}\n", provider.title)?;
    writeln!(
        out,
        "Generated from `catalog/{}.toml`. {}\n",
        provider.name, provider.summary
    )?;
    writeln!(out, "- Home: <{}>", provider.site)?;
    if !provider.official {
        writeln!(
            out,
            "- Not an official interface: it may change or end any day."
        )?;
    }
    if provider.judges_tls_fingerprint {
        writeln!(
            out,
            "- Judges clients by their TLS fingerprint; it is tunnelled and counted, not intercepted."
        )?;
    }
    let basis = &provider.basis;
    let source = basis.source.as_deref().unwrap_or("not named");
    write!(out, "- Source of the facts: {source}")?;
    if let Some(date) = basis.as_of {
        write!(out, ", read {date}")?;
    }
    writeln!(
        out,
        ". What is marked † is not confirmed; headers of answers override it."
    )?;
    write_hosts(out, provider)?;
    write_authentication(out, provider)?;
    write_limits(out, provider)?;
    endpoint::write_endpoints(out, provider)?;
    stream::write_streams(out, provider)?;
    write_refusals(out, provider)?;
    write_quirks(out, provider)?;
    write_sdks(out, provider)
}

fn write_hosts(out: &mut String, provider: &Provider) -> fmt::Result {
    writeln!(
        out,
        "\n## Hosts\n\n| Group | For | Names | Remarks |\n|---|---|---|---|"
    )?;
    for host in &provider.hosts {
        let names: Vec<_> = host.names.iter().map(|name| format!("`{name}`")).collect();
        let mut remarks: Vec<String> = host.note.iter().cloned().collect();
        if host.ports != [443] {
            let ports: Vec<_> = host.ports.iter().map(ToString::to_string).collect();
            remarks.push(format!("Ports {}.", ports.join(", ")));
        }
        remarks.extend(doubt(host.basis.as_ref()));
        let group = doubted(format!("`{}`", host.id), host.basis.as_ref());
        let names = names.join(", ");
        writeln!(
            out,
            "| {group} | {} | {names} | {} |",
            host.role.as_str(),
            cell(&remarks.join(" "))
        )?;
    }
    Ok(())
}

fn write_authentication(out: &mut String, provider: &Provider) -> fmt::Result {
    writeln!(out, "\n## Authentication\n")?;
    for authentication in &provider.authentications {
        let how = match &authentication.how {
            How::None {} => "No key".to_owned(),
            How::Query {
                parameter,
                credential,
            } => {
                format!("Query parameter `{parameter}` with the credential `{credential}`")
            }
            How::Headers { headers } => {
                let all: Vec<_> = headers
                    .iter()
                    .map(|h| format!("`{}: {}<{}>`", h.name, h.prefix, h.credential))
                    .collect();
                format!("Headers {}", all.join(" and "))
            }
            How::Signed {
                header,
                credential,
                secret,
            } => {
                format!(
                    "Header `{header}` with `{credential}`, and a signature made with `{secret}`"
                )
            }
        };
        let on = match authentication.on.as_slice() {
            [] => String::new(),
            groups => format!(" (hosts {})", groups.join(", ")),
        };
        let how = doubted(how, authentication.basis.as_ref());
        let note = remarks(
            authentication.note.as_deref(),
            authentication.basis.as_ref(),
        );
        writeln!(out, "- {how}{on}.{note}")?;
    }
    if provider.credentials.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "\n| Credential | Usual environment variables | Form | Remarks |\n|---|---|---|---|"
    )?;
    for credential in &provider.credentials {
        let names: Vec<_> = credential
            .env
            .iter()
            .map(|name| format!("`{name}`"))
            .collect();
        let shape = credential
            .shape
            .as_ref()
            .map(|shape| format!("`{}`", cell(shape)));
        let id = doubted(format!("`{}`", credential.id), credential.basis.as_ref());
        writeln!(
            out,
            "| {id} | {} | {} | {} |",
            names.join(", "),
            shape.unwrap_or_default(),
            cell(&doubt(credential.basis.as_ref()).unwrap_or_default())
        )?;
    }
    Ok(())
}

fn write_limits(out: &mut String, provider: &Provider) -> fmt::Result {
    writeln!(out, "\n## Limits\n")?;
    for plan in &provider.plans {
        let price = if plan.free { "free" } else { "paid" };
        let title = doubted(
            format!("**{}** (`{}`, {price})", plan.title, plan.id),
            plan.basis.as_ref(),
        );
        write!(out, "- {title}.")?;
        if let Some(delay) = plan.delay {
            write!(out, " Data is {delay} late.")?;
        }
        if let Some(history) = plan.history {
            write!(out, " History goes back {history}.")?;
        }
        writeln!(
            out,
            "{}",
            remarks(plan.note.as_deref(), plan.basis.as_ref())
        )?;
        for window in &plan.windows {
            let basis = basis_of(plan, window, provider);
            let mut text = doubted(limit(window), basis);
            if let Some(burst) = window.burst {
                write!(text, ", {burst} at once")?;
            }
            match (&window.resets, window.style) {
                (Some(reset), _) => write!(text, "; {}", anew(window, reset))?,
                (None, Some(style)) => write!(text, "; the window {}", style.as_words())?,
                (None, None) => {}
            }
            if !window.on.is_empty() {
                write!(text, " (hosts {})", window.on.join(", "))?;
            }
            writeln!(
                out,
                "  - {text}.{}",
                remarks(window.note.as_deref(), window.basis.as_ref())
            )?;
        }
    }
    if !provider.counters.is_empty() {
        writeln!(out, "\n| Header | Says | Window |\n|---|---|---|")?;
    }
    for counter in &provider.counters {
        let header = doubted(format!("`{}`", counter.header), counter.basis.as_ref());
        let window = counter.window.as_deref().unwrap_or("");
        writeln!(out, "| {header} | {} | {window} |", counter.says.as_words())?;
    }
    Ok(())
}

fn write_refusals(out: &mut String, provider: &Provider) -> fmt::Result {
    if provider.refusals.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "\n## Refusals\n\nLooked at in this order, when the expected data is missing.\n"
    )?;
    writeln!(
        out,
        "| Means | Status | Form | Remarks |\n|---|---|---|---|"
    )?;
    for refusal in &provider.refusals {
        let status: Vec<_> = refusal.status.iter().map(ToString::to_string).collect();
        let mut form = Vec::new();
        form.extend(
            refusal
                .present
                .as_ref()
                .map(|place| format!("`{}`", place.as_str())),
        );
        form.extend(refusal.equals.as_ref().map(|text| format!("is `{text}`")));
        if !refusal.contains.is_empty() {
            let words: Vec<_> = refusal
                .contains
                .iter()
                .map(|word| format!("“{word}”"))
                .collect();
            form.push(format!("has {}", words.join(" or ")));
        }
        if !refusal.endpoints.is_empty() {
            form.push(format!("(of {})", refusal.endpoints.join(", ")));
        }
        let status = if status.is_empty() {
            "any".to_owned()
        } else {
            status.join(", ")
        };
        let class = doubted(refusal.class.as_str().to_owned(), refusal.basis.as_ref());
        let about = remarks(refusal.note.as_deref(), refusal.basis.as_ref());
        writeln!(
            out,
            "| {class} | {status} | {} | {} |",
            cell(&form.join(" ")),
            cell(about.trim())
        )?;
    }
    Ok(())
}

fn write_quirks(out: &mut String, provider: &Provider) -> fmt::Result {
    if !provider.quirks.is_empty() {
        writeln!(out, "\n## Quirks\n")?;
    }
    for quirk in &provider.quirks {
        let about = match quirk.endpoints.as_slice() {
            [] => String::new(),
            ids => format!(" ({})", ids.join(", ")),
        };
        let text = doubted(quirk.text.clone(), quirk.basis.as_ref());
        writeln!(
            out,
            "- {text}{about}{}",
            remarks(None, quirk.basis.as_ref())
        )?;
    }
    Ok(())
}

fn write_sdks(out: &mut String, provider: &Provider) -> fmt::Result {
    if !provider.sdks.is_empty() {
        writeln!(
            out,
            "\n## Packages that call it\n\n| Package | Import | Calls | Remarks |\n|---|---|---|---|"
        )?;
    }
    for sdk in &provider.sdks {
        let language = match sdk.language {
            Language::Python => "",
            Language::Javascript => " (JavaScript)",
        };
        let calls: Vec<_> = sdk
            .calls
            .iter()
            .map(|call| format!("`{}` → {}", call.call, call.endpoints.join(", ")))
            .collect();
        let import = if sdk.entries.is_empty() {
            sdk.import.clone()
        } else {
            sdk.entries.join(", ")
        };
        let name = doubted(
            format!("`{}`{language}", sdk.distribution),
            sdk.basis.as_ref(),
        );
        let about = remarks(sdk.note.as_deref(), sdk.basis.as_ref());
        writeln!(
            out,
            "| {name} | `{import}` | {} | {} |",
            cell(&calls.join("; ")),
            cell(about.trim())
        )?;
    }
    Ok(())
}

/// Returns when a fixed window begins anew.
fn anew(window: &Window, reset: &Reset) -> String {
    let unit = window.per.unit;
    if unit < Unit::Day {
        format!("it begins anew with the {} of the clock", unit.as_str())
    } else {
        format!(
            "it begins anew at {} {}",
            String::from(reset.at),
            reset.zone
        )
    }
}

/// Returns what a window allows, as the words before a full stop.
fn limit(window: &Window) -> String {
    let scope = window.scope.map_or("", |scope| scope.as_words());
    format!(
        "{} {} in {}, {scope}",
        window.limit,
        window.counts.as_words(window.limit),
        window.per
    )
}

fn basis_of<'p>(plan: &'p Plan, window: &'p Window, provider: &'p Provider) -> Option<&'p Basis> {
    window
        .basis
        .as_ref()
        .or(plan.basis.as_ref())
        .or(Some(&provider.basis))
}

/// Marks what is not confirmed.
fn doubted(text: String, basis: Option<&Basis>) -> String {
    if basis.is_some_and(|basis| !basis.confirmed) {
        text + " †"
    } else {
        text
    }
}

fn doubt(basis: Option<&Basis>) -> Option<String> {
    let basis = basis.filter(|basis| !basis.confirmed)?;
    basis.note.as_ref().map(|note| format!("† {note}"))
}

/// Returns a note and a doubt, each after a space.
fn remarks(note: Option<&str>, basis: Option<&Basis>) -> String {
    let both = note.map(str::to_owned).into_iter().chain(doubt(basis));
    spaced(both)
}

/// Returns `texts`, each after a space.
fn spaced<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> String {
    texts.into_iter().fold(String::new(), |mut all, text| {
        all.push(' ');
        all.push_str(text.as_ref());
        all
    })
}

/// Returns `text` as it may stand in a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}
