//! `tradewind explain SEQ`: why something happened and what came of it, as a tree.

use std::collections::BTreeSet;

use tradewind_core::{Event, Seq};
use tradewind_journal::{ReadError, Reader};

use super::Format;
use super::log::local_time;
use crate::describe::{describe, tone};
use crate::place::Place;
use crate::report::{Exit, Failure, Outcome};
use crate::repositories;
use crate::terminal::{self, Tone, one_line, paint};

/// Upper bound on the events of one tree.
const MAX_EVENTS: usize = 400;
/// Lines shown of the begin of a long body.
const MAX_HEAD_LINES: usize = 12;
/// Lines shown of the end of a long body.
const MAX_TAIL_LINES: usize = 12;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The event's number, as `log` shows it
    seq: Seq,
    /// The form of the answer
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// An event with what it led to.
#[derive(Debug)]
struct Node {
    event: Event,
    effects: Vec<Node>,
}

pub(crate) fn run(place: &Place, args: &Args) -> Outcome {
    let reader = place.reader()?;
    let outside = |error: ReadError| Failure::from_error(Exit::Outside, &error);
    let Some(asked) = reader.get(args.seq).map_err(outside)? else {
        let (first, last) = (
            reader.first().map_err(outside)?,
            reader.last().map_err(outside)?,
        );
        return Err(
            Failure::new(Exit::Usage, format!("there is no event {}", args.seq)).hint(format!(
                "events {first} to {last} are in the journal; `tradewind log` lists the newest"
            )),
        );
    };
    let chain = causes(&reader, asked).map_err(outside)?;
    let root = chain.first().map_or(args.seq, |event| event.seq);
    let mut budget = MAX_EVENTS;
    let tree = chain
        .into_iter()
        .next()
        .map(|event| grow(&reader, event, &mut budget))
        .transpose()
        .map_err(outside)?;
    let Some(tree) = tree else {
        return Ok(Exit::Done);
    };
    if args.format == Format::Json {
        let mut events = Vec::new();
        flatten(&tree, &mut events);
        let body = serde_json::json!({
            "schema_version": 1, "asked": args.seq, "root": root, "is_complete": budget > 0, "events": events,
        });
        terminal::line(serde_json::to_string_pretty(&body).unwrap_or_default());
        return Ok(Exit::Done);
    }
    let names = repositories::names(&reader)?;
    if let Some(name) = tree.event.repository.and_then(|id| names.get(&id)) {
        terminal::line(format_args!(
            "In {}:",
            paint(Tone::Strong, terminal::word(name))
        ));
    }
    draw(&tree, args.seq, "", "", "");
    if let Some(missing) = tree.event.cause {
        terminal::note(format_args!(
            "Event {missing}, which caused {}, was pruned.",
            tree.event.seq
        ));
    }
    if budget == 0 {
        terminal::note(format_args!(
            "Only the first {MAX_EVENTS} events of the tree are shown."
        ));
    }
    detail(&reader, args.seq).map_err(outside)?;
    Ok(Exit::Done)
}

/// Returns the chain of causes, the first cause first, `event` last.
fn causes(reader: &Reader, event: Event) -> Result<Vec<Event>, ReadError> {
    let mut seen = BTreeSet::from([event.seq]);
    let mut chain = vec![event];
    while let Some(cause) = chain.last().and_then(|event| event.cause) {
        // Causes come before their effects, so a cycle cannot be; a damaged store must not hang us either.
        if chain.len() >= MAX_EVENTS || !seen.insert(cause) {
            break;
        }
        match reader.get(cause)? {
            Some(event) => chain.push(event),
            None => break,
        }
    }
    chain.reverse();
    Ok(chain)
}

fn grow(reader: &Reader, event: Event, budget: &mut usize) -> Result<Node, ReadError> {
    *budget = budget.saturating_sub(1);
    let mut effects = Vec::new();
    if *budget > 0 {
        for effect in reader.effects(event.seq)? {
            if *budget == 0 {
                break;
            }
            effects.push(grow(reader, effect, budget)?);
        }
    }
    Ok(Node { event, effects })
}

fn flatten<'a>(node: &'a Node, out: &mut Vec<&'a Event>) {
    out.push(&node.event);
    for effect in &node.effects {
        flatten(effect, out);
    }
}

fn draw(node: &Node, asked: Seq, prefix: &str, branch: &str, below: &str) {
    let event = &node.event;
    let seq = if event.seq == asked {
        paint(Tone::Strong, format_args!("▶ {}", event.seq))
    } else {
        event.seq.to_string()
    };
    let room = terminal::width()
        .saturating_sub(prefix.chars().count() + 40)
        .max(40);
    terminal::line(format_args!(
        "{prefix}{branch}{seq} {} {} {}",
        event.kind,
        paint(tone(event.kind), one_line(&describe(event), room)),
        paint(Tone::Dim, local_time(event.recorded_at)),
    ));
    let deeper = format!("{prefix}{below}");
    let last = node.effects.len().saturating_sub(1);
    for (index, effect) in node.effects.iter().enumerate() {
        let (branch, below) = if index == last {
            ("└─ ", "   ")
        } else {
            ("├─ ", "│  ")
        };
        draw(effect, asked, &deeper, branch, below);
    }
}

/// Shows the body of the event asked for: the evidence behind its sentence.
fn detail(reader: &Reader, seq: Seq) -> Result<(), ReadError> {
    let Some(event) = reader.get(seq)? else {
        return Ok(());
    };
    terminal::line("");
    terminal::line(format_args!(
        "Event {seq}: {}. {}",
        event.kind,
        event.kind.doc().trim()
    ));
    terminal::line(format_args!(
        "  occurred {}  recorded {}",
        event.occurred_at, event.recorded_at
    ));
    let Some(data) = &event.data else {
        terminal::line("  The body was erased.");
        return Ok(());
    };
    let value: serde_json::Value = serde_json::from_str(data.get()).unwrap_or_default();
    let mut lines = Vec::new();
    spread(&value, 1, &mut lines);
    // Programs say what they do first and what went wrong last: both ends are worth a look.
    let hidden = lines.len().saturating_sub(MAX_HEAD_LINES + MAX_TAIL_LINES);
    for (at, line) in lines.iter().enumerate() {
        if hidden == 0 || at < MAX_HEAD_LINES || at >= MAX_HEAD_LINES + hidden {
            terminal::line(paint(Tone::Dim, terminal::clean(line)));
        } else if at == MAX_HEAD_LINES {
            terminal::line(format_args!(
                "  … {hidden} lines; all of it: tradewind explain {seq} --format json"
            ));
        }
    }
    Ok(())
}

/// Writes a body as indented lines; text of several lines, such as what a program said, stays readable.
fn spread(value: &serde_json::Value, depth: usize, out: &mut Vec<String>) {
    use serde_json::Value;
    let indent = "  ".repeat(depth);
    let mut entry = |name: &str, value: &Value| match value {
        Value::Null => {}
        Value::String(text) if text.is_empty() => {}
        Value::Array(items) if items.is_empty() => {}
        Value::String(text) if text.contains('\n') => {
            out.push(format!("{indent}{}:", terminal::word(name)));
            out.extend(text.lines().map(|line| format!("{indent}  {line}")));
        }
        Value::String(text) => out.push(format!("{indent}{}: {text}", terminal::word(name))),
        Value::Object(_) | Value::Array(_) => {
            out.push(format!("{indent}{}:", terminal::word(name)));
            spread(value, depth + 1, out);
        }
        Value::Bool(_) | Value::Number(_) => {
            out.push(format!("{indent}{}: {value}", terminal::word(name)));
        }
    };
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| entry(name, value)),
        Value::Array(items) => items.iter().for_each(|item| entry("-", item)),
        scalar => entry("body", scalar),
    }
}
