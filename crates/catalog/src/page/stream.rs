//! The part of a provider's page about its streams.

use std::fmt::{self, Write as _};

use super::{cell, doubted, remarks};
use crate::host::Role;
use crate::provider::Provider;
use crate::stream::Stream;

/// Writes what a provider pushes; says so where it does and nothing is known of how.
pub(super) fn write_streams(out: &mut String, provider: &Provider) -> fmt::Result {
    let has_host = provider.hosts.iter().any(|host| host.role == Role::Stream);
    if provider.streams.is_empty() {
        if has_host {
            writeln!(
                out,
                "\n## Streams\n\nThe provider has a stream; it is not catalogued, so it cannot be followed through Tradewind."
            )?;
        }
        return Ok(());
    }
    writeln!(
        out,
        "\n## Streams\n\n| Stream | Address | Instruments | Pushes | Bounds | Remarks |\n|---|---|---|---|---|---|"
    )?;
    for stream in &provider.streams {
        let address = provider.host(&stream.on).map_or_else(String::new, |host| {
            let name = host.names.first().map(ToString::to_string);
            format!("`wss://{}{}`", name.unwrap_or_default(), stream.path)
        });
        let pushes: Vec<_> = stream
            .channels
            .iter()
            .map(|channel| channel.use_case.as_str())
            .collect();
        let remarks = format!(
            "{}.{}",
            capitalised(stream.trade_ids.as_words()),
            remarks(stream.note.as_deref(), stream.basis.as_ref())
        );
        writeln!(
            out,
            "| {} | {address} | {} | {} | {} | {} |",
            doubted(format!("`{}`", stream.id), stream.basis.as_ref()),
            stream.class.as_words(),
            pushes.join(", "),
            cell(&bounds(stream)),
            cell(&remarks)
        )?;
    }
    Ok(())
}

fn bounds(stream: &Stream) -> String {
    let mut bounds = Vec::new();
    if let Some(most) = stream.max_connections {
        bounds.push(format!("{most} connection"));
    }
    if let Some(most) = stream.max_items {
        bounds.push(format!("{most} items"));
    }
    if let Some(most) = stream.max_messages_per_second {
        bounds.push(format!("{most} messages a second"));
    }
    if let Some(lifetime) = stream.lifetime {
        bounds.push(format!("cut after {lifetime}"));
    }
    bounds.push(format!("dead after {} of silence", stream.silence));
    bounds.join(", ")
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default()
}
