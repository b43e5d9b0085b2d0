//! The one writer to standard output and standard error.
//!
//! Why one: colours, width and a closed pipe are decided in one place. Colours are off with
//! `NO_COLOR`, when the stream is no terminal, and for `TERM=dumb`. Text that came from outside passes
//! [`clean`], so that a commit message cannot move the cursor or change the window's title.

use std::fmt::Display;
use std::io::{ErrorKind, IsTerminal, Write};

use owo_colors::{OwoColorize, Stream};

use crate::report::{Exit, Failure};

/// How loud a word is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Ordinary text.
    Plain,
    /// Less important than its surroundings.
    Dim,
    /// A heading or a name.
    Strong,
    /// Went well.
    Good,
    /// Needs a look.
    Warn,
    /// Went wrong.
    Bad,
}

/// Colours `text` for standard output.
pub(crate) fn paint(tone: Tone, text: impl Display) -> String {
    paint_for(Stream::Stdout, tone, &text)
}

fn paint_for(stream: Stream, tone: Tone, text: &impl Display) -> String {
    match tone {
        Tone::Plain => text.to_string(),
        Tone::Dim => text.if_supports_color(stream, |t| t.dimmed()).to_string(),
        Tone::Strong => text.if_supports_color(stream, |t| t.bold()).to_string(),
        Tone::Good => text.if_supports_color(stream, |t| t.green()).to_string(),
        Tone::Warn => text.if_supports_color(stream, |t| t.yellow()).to_string(),
        Tone::Bad => text.if_supports_color(stream, |t| t.red()).to_string(),
    }
}

/// Writes one line to standard output.
///
/// A reader that went away ends the program quietly, as `head` expects. An answer that is lost otherwise, as
/// on a full disk, ends it with a failure: half an answer must not pass for a whole one.
pub(crate) fn line(text: impl Display) {
    let Err(error) = writeln!(std::io::stdout().lock(), "{text}") else {
        return;
    };
    let exit = if error.kind() == ErrorKind::BrokenPipe {
        Exit::Done
    } else {
        let lost = Failure::because(Exit::Outside, "the answer cannot be written", &error);
        failure(&lost.hint("make room, or write it elsewhere"));
        Exit::Outside
    };
    #[expect(
        clippy::exit,
        reason = "nobody reads any more; there is nothing left to report to"
    )]
    std::process::exit(i32::from(exit as u8));
}

/// Writes one line to standard output that nobody has to read: what a daemon says of itself.
///
/// A daemon outlives the terminal or the pipe it was started from; only an order or a signal ends it.
pub(crate) fn announce(text: impl Display) {
    drop(writeln!(std::io::stdout().lock(), "{text}"));
}

/// Writes one line to standard error: progress, hints, anything that is not the answer.
pub(crate) fn note(text: impl Display) {
    // Nobody can be told that standard error is closed.
    drop(writeln!(std::io::stderr().lock(), "{text}"));
}

/// Writes a warning to standard error.
pub(crate) fn warn(text: impl Display) {
    note(format_args!(
        "{} {text}",
        paint_for(Stream::Stderr, Tone::Warn, &"warning:")
    ));
}

/// Writes a failure to standard error.
pub(crate) fn failure(failure: &Failure) {
    note(format_args!(
        "{} {}.",
        paint_for(Stream::Stderr, Tone::Bad, &"error:"),
        word(&failure.what)
    ));
    for why in &failure.why {
        note(format_args!("  because {}", clean(why)));
    }
    if let Some(hint) = &failure.hint {
        note(format_args!(
            "{} {}",
            paint_for(Stream::Stderr, Tone::Strong, &"next:"),
            word(hint)
        ));
    }
}

/// Whether a person watches standard error, so that progress is worth drawing.
pub(crate) fn is_watched() -> bool {
    std::io::stderr().is_terminal()
}

/// Shows on standard error that something takes a while, until what it returns is dropped.
pub(crate) fn spinner(text: String) -> Option<Spinner> {
    is_watched().then(|| {
        let bar = indicatif::ProgressBar::new_spinner();
        bar.set_message(text);
        bar.enable_steady_tick(std::time::Duration::from_millis(120));
        Spinner(bar)
    })
}

/// A sign of life on standard error.
#[derive(Debug)]
pub(crate) struct Spinner(indicatif::ProgressBar);

impl Drop for Spinner {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// Draws numbers as a line of at most `width` characters, each the last of those that fall on it.
pub(crate) fn sparkline(values: &[f64], width: usize) -> String {
    const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let columns = values.len().min(width);
    let (low, high) = values
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
            (low.min(*v), high.max(*v))
        });
    let level = |value: f64| {
        let part = if high > low {
            (value - low) / (high - low)
        } else {
            0.5
        };
        // Of eight steps; compared, because a float is never cast here.
        let step = (1..LEVELS.len())
            .filter(|step| part * 8.0 >= f64::from(u8::try_from(*step).unwrap_or(8)));
        LEVELS[step.count()]
    };
    let last_of =
        |column: usize| values.get(((column + 1) * values.len() / columns).saturating_sub(1));
    (0..columns)
        .filter_map(last_of)
        .map(|value| level(*value))
        .collect()
}

/// Returns the width of lines: the terminal's where `COLUMNS` says it, else 100.
pub(crate) fn width() -> usize {
    std::env::var("COLUMNS")
        .ok()
        .and_then(|c| c.parse().ok())
        .filter(|w| *w >= 40)
        .unwrap_or(100)
}

/// Makes text from outside safe to print: control characters, separators and direction overrides become `?`.
pub(crate) fn clean(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\t' => c,
            c if c.is_control() => '?',
            '\u{061c}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
            | '\u{feff}' => '?',
            c => c,
        })
        .collect()
}

/// Makes a name from outside, such as a path, a word of one line: as [`clean`], and line breaks become `?` too.
pub(crate) fn word(name: impl Display) -> String {
    clean(&name.to_string()).replace(['\n', '\t'], "?")
}

/// Makes text from outside fit one line of at most `max_chars` characters.
pub(crate) fn one_line(text: &str, max_chars: usize) -> String {
    let flat = clean(text).split_whitespace().collect::<Vec<_>>().join(" ");
    if flat.chars().count() <= max_chars {
        return flat;
    }
    let mut short: String = flat.chars().take(max_chars.saturating_sub(1)).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_numbers_shows_its_lowest_and_highest() {
        assert_eq!(sparkline(&[1.0, 2.0, 3.0], 10), "▁▅█");
        assert_eq!(sparkline(&[5.0, 5.0], 10), "▅▅");
        assert_eq!(sparkline(&[], 10), "");
        assert_eq!(sparkline(&[0.0; 100], 10).chars().count(), 10);
    }

    #[test]
    fn escape_sequences_in_outside_text_do_not_reach_the_terminal() {
        assert_eq!(clean("a\u{1b}]0;title\u{7}b\u{202e}c"), "a?]0;title?b?c");
    }

    #[test]
    fn a_name_cannot_break_a_line() {
        assert_eq!(word("a\nb\r\tc\u{2028}d  e"), "a?b??c?d  e");
    }

    #[test]
    fn a_long_line_ends_in_an_ellipsis() {
        assert_eq!(one_line("ab\ncd  ef", 6), "ab cd…");
        assert_eq!(one_line("ab\ncd", 6), "ab cd");
    }
}
