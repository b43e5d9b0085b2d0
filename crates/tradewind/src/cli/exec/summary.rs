//! What `exec` says when the program has ended: what went where, what was recorded, what was missing.
//!
//! Always on standard error: standard output is the program's.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value, json};
use tradewind_market::cassette::Cassette;
use tradewind_market::cassette::player::Tally;

use super::tape::Written;
use crate::cli::Format;
use crate::exec::proxy::Carried;
use crate::exec::shadow::{Counts, Whose};
use crate::terminal::{self, Tone, paint};

/// How many names a line shows.
const SHOWN: usize = 5;
/// How many missing calls are shown.
const MISSING_SHOWN: usize = 20;

/// What there is to say.
#[derive(Debug)]
pub(super) enum Ended<'a> {
    /// Calls went through the gateway.
    Gateway,
    /// They were recorded as well.
    Recorded(&'a Path, &'a Written),
    /// Nothing was changed, and this is what the gateway would have done.
    Shadowed(&'a BTreeMap<Whose, Counts>),
    /// A cassette answered them.
    Replayed(&'a Path, &'a Tally),
}

/// Says it.
pub(super) fn say(format: Format, carried: &Carried, led: &BTreeSet<String>, ended: &Ended<'_>) {
    if format == Format::Json {
        terminal::note(as_json(carried, led, ended));
        return;
    }
    match ended {
        Ended::Gateway => through(carried),
        Ended::Recorded(path, written) => {
            through(carried);
            recorded(path, written);
        }
        Ended::Shadowed(counts) => shadowed(counts),
        Ended::Replayed(path, tally) => replayed(path, tally),
    }
    if !led.is_empty() {
        let led = led.iter().map(|who| terminal::one_line(who, 40));
        let led = led.take(SHOWN).collect::<Vec<_>>().join(", ");
        note(&format!(
            "Led here by a hook, because they read no proxy variables: {led}."
        ));
    }
    hosts("WebSockets straight to", &carried.streams);
    hosts("Carried unread", &carried.tunnelled);
    hosts(
        "Refused, because nothing leaves this machine",
        &carried.refused,
    );
}

fn note(text: &str) {
    terminal::note(format_args!("{} {text}", paint(Tone::Dim, "tradewind:")));
}

fn calls(count: u64) -> String {
    match count {
        1 => "1 call".to_owned(),
        count => format!("{count} calls"),
    }
}

fn through(carried: &Carried) {
    if carried.answered.is_empty() {
        note("No call to a provider of the catalog went through the gateway.");
        return;
    }
    note(&format!(
        "Through the gateway: {}. `tradewind usage` says what they cost and saved.",
        by_provider(&carried.answered)
    ));
}

fn by_provider(counts: &BTreeMap<String, u64>) -> String {
    let counts = counts
        .iter()
        .map(|(provider, count)| format!("{count} to {provider}"));
    counts.collect::<Vec<_>>().join(", ")
}

fn hosts(what: &str, hosts: &BTreeMap<String, u64>) {
    if hosts.is_empty() {
        return;
    }
    let shown = hosts
        .keys()
        .take(SHOWN)
        .map(|host| terminal::one_line(host, 60));
    let shown = shown.collect::<Vec<_>>().join(", ");
    note(&format!("{what}: {} hosts ({shown}).", hosts.len()));
}

fn recorded(path: &Path, written: &Written) {
    let path = terminal::word(path.display());
    let cassette = &written.cassette;
    if written.is_written {
        note(&format!(
            "Recorded {} into {path}. Play it: `tradewind exec --replay {path} -- COMMAND`.",
            held(cassette)
        ));
    } else {
        note(&format!("Nothing was recorded; {path} stays as it was."));
    }
    let failures = cassette.calls.iter().filter(|call| call.status >= 400);
    match failures.count() {
        0 => {}
        failures => note(&format!(
            "{failures} of the recorded answers are failures; a replay repeats them."
        )),
    }
    let replaced: u64 = cassette
        .redacted
        .iter()
        .map(|redacted| redacted.times)
        .sum();
    if replaced > 0 {
        let names = cassette
            .redacted
            .iter()
            .map(|redacted| redacted.placeholder.as_str());
        let names = names.take(SHOWN).collect::<Vec<_>>().join(", ");
        note(&format!(
            "What is or looks like a key was replaced in {replaced} places ({names})."
        ));
    }
    for out in &cassette.left_out {
        let calls = calls(out.calls);
        let host = terminal::one_line(&out.host, 60);
        note(&format!(
            "Not recorded: {calls} to {host} ({}).",
            out.why.as_str()
        ));
    }
}

/// Says what a recording holds.
fn held(cassette: &Cassette) -> String {
    let calls = calls(cassette.calls.len() as u64);
    let streams = cassette.streams.len() as u64;
    if streams == 0 {
        return calls;
    }
    let frames = cassette.streams.iter().map(|stream| stream.frames.len());
    let frames = frames.sum::<usize>();
    format!(
        "{calls} and {} with {frames} messages",
        connections(streams)
    )
}

fn connections(count: u64) -> String {
    match count {
        1 => "1 stream".to_owned(),
        count => format!("{count} streams"),
    }
}

fn shadowed(counts: &BTreeMap<Whose, Counts>) {
    if counts.is_empty() {
        note("No call to a provider of the catalog was made.");
        return;
    }
    note(
        "Nothing was changed: every call went out as without the gateway. It would have done this:",
    );
    for (whose, counts) in counts {
        let endpoint = match whose.endpoint.as_str() {
            "" => "no call for data that the catalog knows",
            endpoint => endpoint,
        };
        let mut said = format!("{} {endpoint}: {}", whose.provider, calls(counts.calls));
        if counts.would_share > 0 {
            said.push_str(&format!(
                "; {} would have shared the answer of one under way",
                counts.would_share
            ));
        }
        if counts.same_again > 0 {
            said.push_str(&format!(
                "; {} had the same answer as before",
                counts.same_again
            ));
        }
        for over in &counts.over {
            said.push_str(&format!(
                "; {} found no room in `{}` ({} units)",
                over.calls, over.window, over.limit
            ));
        }
        if counts.unanswered > 0 {
            said.push_str(&format!("; {} had no whole answer", counts.unanswered));
        }
        note(&format!("{said}."));
    }
}

fn replayed(path: &Path, tally: &Tally) {
    let path = terminal::word(path.display());
    if tally.answered.is_empty() && tally.streams.is_empty() {
        note(&format!("No call was answered from {path}."));
    } else if !tally.answered.is_empty() {
        note(&format!(
            "Answered from {path}: {}. Nothing left this machine for a provider.",
            by_provider(&tally.answered)
        ));
    }
    for (provider, count) in &tally.streams {
        let streams = connections(*count);
        note(&format!("Played from {path}: {streams} of {provider}."));
    }
    if tally.streams_again > 0 {
        note(&format!(
            "{} streams were opened more often than recorded and were the last one again.",
            tally.streams_again
        ));
    }
    if tally.again > 0 {
        note(&format!(
            "{} calls were made more often than recorded and had the last answer again.",
            tally.again
        ));
    }
    listed("Missing in the cassette", &tally.missing);
    listed("Never played, recorded or sent", &tally.refused);
    if !tally.missing.is_empty() {
        note(&format!(
            "Record again with `tradewind exec --record {path} -- COMMAND`. Where only times differ, let the program's clock be TRADEWIND_REPLAY_CLOCK."
        ));
    }
}

fn listed(what: &str, all: &BTreeMap<String, u64>) {
    for (call, times) in all.iter().take(MISSING_SHOWN) {
        let call = terminal::one_line(call, 400);
        note(&format!("{what}: {call}, {times}×."));
    }
    if all.len() > MISSING_SHOWN {
        note(&format!("{what}: {} more.", all.len() - MISSING_SHOWN));
    }
}

fn as_json(carried: &Carried, led: &BTreeSet<String>, ended: &Ended<'_>) -> Value {
    let mut said = json!({
        "schema_version": 1,
        "mode": "gateway",
        "answered": carried.answered,
        "streams": carried.streams,
        "carried_unread": carried.tunnelled,
        "refused": carried.refused,
        "led_by_a_hook": led,
    });
    match ended {
        Ended::Gateway => {}
        Ended::Recorded(path, written) => {
            said["mode"] = "record".into();
            said["cassette"] = json!({
                "path": path.display().to_string(),
                "is_written": written.is_written,
                "calls": written.cassette.calls.len(),
                "streams": written.cassette.streams.len(),
                "left_out": written.cassette.left_out,
                "redacted": written.cassette.redacted,
            });
        }
        Ended::Shadowed(counts) => {
            said["mode"] = "shadow".into();
            let all = counts.iter().map(|(whose, counts)| {
                let mut one = json!(counts);
                one["provider"] = whose.provider.clone().into();
                one["endpoint"] = whose.endpoint.clone().into();
                one
            });
            said["would_have"] = all.collect();
        }
        Ended::Replayed(path, tally) => {
            said["mode"] = "replay".into();
            said["answered"] = json!(tally.answered);
            said["cassette"] = json!({
                "path": path.display().to_string(),
                "again": tally.again,
                "streams": tally.streams,
                "streams_again": tally.streams_again,
                "missing": tally.missing,
                "never_played": tally.refused,
            });
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::shadow::OverLimit;

    fn names(value: &Value, into: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    into.push(name.clone());
                    names(value, into);
                }
            }
            Value::Array(values) => values.iter().for_each(|value| names(value, into)),
            _ => {}
        }
    }

    #[test]
    fn the_page_about_the_summary_names_every_field() {
        let page = include_str!("../../../../../docs/reference/exec.md");
        let text = include_str!("../../../../market/tests/cassette.json");
        let written = Written {
            is_written: true,
            cassette: Cassette::parse(text.as_bytes()).unwrap(),
        };
        let whose = Whose {
            provider: String::new(),
            endpoint: String::new(),
        };
        let counts = Counts {
            over: vec![OverLimit {
                window: String::new(),
                limit: 5,
                calls: 2,
            }],
            ..Counts::default()
        };
        let counts = BTreeMap::from([(whose, counts)]);
        let mut all = Vec::new();
        for (mode, ended) in [
            ("gateway", Ended::Gateway),
            ("record", Ended::Recorded(Path::new("f"), &written)),
            ("replay", Ended::Replayed(Path::new("f"), &Tally::default())),
            ("shadow", Ended::Shadowed(&counts)),
        ] {
            let said = as_json(&Carried::default(), &BTreeSet::new(), &ended);
            assert_eq!(said["mode"], mode);
            all.push(mode.to_owned());
            names(&said, &mut all);
        }
        assert!(all.len() > 30, "{all:?}");
        for name in all {
            assert!(page.contains(&format!("`{name}`")), "{name}");
        }
    }
}
