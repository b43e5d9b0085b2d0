//! Reads one page into its claims: Markdown through its parser, reStructuredText by its lines.
//!
//! Running text is read by raw line, so that a claim has the line where it stands; blocks of code are
//! listings, commands or settings, or nothing.

mod structured;
mod words;

use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use words::{container_variables, is_path, set_variable, unescape};

use super::{Claim, Heading, Page, PageKind, PathHow, VariableHow, What, claims, listing, shell};

/// Claims kept of one page.
const MAX_CLAIMS: usize = 5_000;

/// Reads a page.
pub(super) fn read(path: &str, kind: PageKind, text: &str) -> Page {
    let mut reader = Reader::new(path, kind, text);
    if path.to_ascii_lowercase().ends_with(".rst") {
        reader.structured();
    } else {
        reader.markdown();
    }
    reader.running_text();
    let mut page = reader.page;
    page.claims.sort_by_key(|claim| claim.line);
    page
}

/// Says whether a fence calls its block a command line.
fn is_shell(language: &str) -> bool {
    matches!(
        language,
        "sh" | "bash"
            | "shell"
            | "zsh"
            | "console"
            | "shell-session"
            | "terminal"
            | "cmd"
            | "powershell"
            | "ps1"
            | "pwsh"
            | "dos"
            | "fish"
            | "shellscript"
            | "sh-session"
            | "command"
            | "commandline"
            | "command-line"
            | "cli"
            | "bat"
            | "batch"
            | "ps"
    )
}

struct Reader<'t> {
    text: &'t str,
    lines: Vec<&'t str>,
    /// Byte at which each line begins.
    starts: Vec<usize>,
    /// Lines that are code or comments.
    is_code: Vec<bool>,
    page: Page,
    listings: u32,
}

impl<'t> Reader<'t> {
    fn new(path: &str, kind: PageKind, text: &'t str) -> Self {
        let lines: Vec<&str> = text.split('\n').collect();
        let mut starts = Vec::with_capacity(lines.len());
        let mut at = 0;
        for line in &lines {
            starts.push(at);
            at += line.len() + 1;
        }
        Self {
            text,
            is_code: vec![false; lines.len()],
            starts,
            lines,
            page: Page {
                path: path.into(),
                kind,
                headings: Vec::new(),
                anchors: Vec::new(),
                claims: Vec::new(),
            },
            listings: 0,
        }
    }

    /// Index of the line that holds a byte.
    fn line_at(&self, offset: usize) -> usize {
        self.starts
            .partition_point(|start| *start <= offset)
            .saturating_sub(1)
    }

    fn line(&self, index: usize) -> &'t str {
        self.lines.get(index).copied().unwrap_or_default()
    }

    fn claim(&mut self, index: usize, what: What) {
        if self.page.claims.len() >= MAX_CLAIMS {
            return;
        }
        let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
        let before = self
            .page
            .headings
            .partition_point(|heading| heading.line <= number);
        let quote: String = self.line(index).trim().chars().take(160).collect();
        self.page.claims.push(Claim {
            line: number,
            quote: quote.into(),
            section: before
                .checked_sub(1)
                .and_then(|before| u32::try_from(before).ok()),
            what,
        });
    }

    fn heading(&mut self, index: usize, level: u8, text: &str) {
        self.page.headings.push(Heading {
            line: u32::try_from(index + 1).unwrap_or(u32::MAX),
            level,
            text: text.trim().into(),
        });
    }

    fn section_text(&self) -> String {
        let last = self.page.headings.last();
        last.map_or_else(String::new, |heading| heading.text.to_ascii_lowercase())
    }

    fn markdown(&mut self) {
        let options = Options::ENABLE_TABLES
            | Options::ENABLE_STRIKETHROUGH
            | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS;
        let mut state = State::default();
        for (event, range) in Parser::new_ext(self.text, options).into_offset_iter() {
            let index = self.line_at(range.start);
            match event {
                Event::Start(tag) => self.open(&mut state, tag, index),
                Event::End(tag) => self.close(&mut state, tag),
                Event::Text(text) => {
                    if let Some(block) = &mut state.block {
                        block.first.get_or_insert(index);
                        block.text.push_str(&text);
                        let last = self.line_at(range.end.saturating_sub(1));
                        self.mark(index, last);
                    } else {
                        state.push_text(&text);
                    }
                }
                Event::Code(text) => {
                    state.push_text(&text);
                    self.code_span(&state, index, &text);
                }
                Event::Html(html) | Event::InlineHtml(html) => self.html(index, &html),
                _ => {}
            }
        }
    }

    fn mark(&mut self, first: usize, last: usize) {
        if let Some(lines) = self.is_code.get_mut(first..=last) {
            lines.fill(true);
        }
    }

    fn open(&mut self, state: &mut State, tag: Tag<'_>, index: usize) {
        match tag {
            Tag::Heading { level, id, .. } => {
                state.heading = Some((index, level, String::new()));
                self.page.anchors.extend(id.map(|id| id.as_ref().into()));
            }
            Tag::CodeBlock(kind) => {
                let language = match kind {
                    CodeBlockKind::Fenced(info) => {
                        let word = info.split([' ', ',', '{']).next().unwrap_or_default();
                        word.to_ascii_lowercase()
                    }
                    CodeBlockKind::Indented => String::new(),
                };
                state.block = Some(Block {
                    language,
                    ..Block::default()
                });
            }
            Tag::Link { dest_url, .. } => self.link(index, &dest_url, PathHow::Link),
            Tag::Image { dest_url, .. } => self.link(index, &dest_url, PathHow::Image),
            Tag::TableHead => state.is_table_head = true,
            Tag::Table(_) => state.table_head.clear(),
            Tag::TableRow => state.cell = 0,
            Tag::Item => state.items += 1,
            Tag::MetadataBlock(_) => state.block = Some(Block::default()),
            _ => {}
        }
    }

    fn close(&mut self, state: &mut State, tag: TagEnd) {
        match tag {
            TagEnd::Heading(_) => {
                if let Some((index, level, text)) = state.heading.take() {
                    self.heading(index, depth(level), &text);
                }
            }
            TagEnd::CodeBlock => {
                if let Some(block) = state.block.take()
                    && let Some(first) = block.first
                {
                    self.block(&block.language, first, &block.text);
                }
            }
            TagEnd::MetadataBlock(_) => state.block = None,
            TagEnd::TableHead => {
                state.is_table_head = false;
                state.is_settings = is_settings(&state.table_head);
            }
            TagEnd::TableCell => state.cell += 1,
            TagEnd::Table => state.is_settings = false,
            TagEnd::Item => state.items = state.items.saturating_sub(1),
            _ => {}
        }
    }

    /// A block of code.
    fn block(&mut self, language: &str, first: usize, text: &str) {
        let is_shell = is_shell(language);
        if let Some(entries) = matches!(
            language,
            "" | "text"
                | "txt"
                | "plaintext"
                | "tree"
                | "bash"
                | "sh"
                | "shell"
                | "plain"
                | "markdown"
        )
        .then(|| listing::read(text))
        .flatten()
        {
            let listing = self.listings;
            self.listings += 1;
            for entry in entries {
                let what = What::Entry {
                    listing,
                    path: entry.path.into(),
                    is_folder: entry.is_folder,
                    note: entry.note.into(),
                };
                self.claim(first + entry.line as usize, what);
            }
            return;
        }
        let is_prompted = text.lines().any(|line| line.trim_start().starts_with("$ "));
        let is_settings = matches!(language, "env" | "dotenv" | "ini" | "properties")
            || is_shell
            || language.is_empty();
        let mut held = String::new();
        let mut held_from = None;
        for (offset, line) in text.lines().enumerate() {
            let index = first + offset;
            let mut found = Vec::new();
            claims::ports(line, &mut found);
            claims::homes(line, &mut found);
            if is_settings && let Some(name) = set_variable(line) {
                found.push(What::Variable {
                    name: name.into(),
                    how: VariableHow::Set,
                });
            }
            for what in found {
                self.claim(index, what);
            }
            let from = *held_from.get_or_insert(index);
            if let Some(open) = line.trim_end().strip_suffix('\\')
                && held.len() < 4_000
            {
                held.push_str(open);
                held.push(' ');
                continue;
            }
            held.push_str(line);
            let whole = std::mem::take(&mut held);
            held_from = None;
            let is_typed = if is_prompted {
                whole.trim_start().starts_with("$ ")
            } else if is_shell {
                !whole
                    .trim_start()
                    .starts_with(['#', '<', '-', '[', '{', '}'])
            } else {
                (language.is_empty() || language == "text") && shell::is_command(&whole)
            };
            if is_typed {
                self.commands(from, &whole);
            }
        }
    }

    fn commands(&mut self, index: usize, line: &str) {
        for command in shell::parse(line) {
            for name in command.sets.clone() {
                if claims::is_variable(&name) {
                    let how = VariableHow::Set;
                    self.claim(index, What::Variable { name, how });
                }
            }
            for name in container_variables(&command) {
                let how = VariableHow::Set;
                self.claim(index, What::Variable { name, how });
            }
            if !command.words.is_empty() {
                self.claim(index, What::Command(command));
            }
        }
    }

    fn code_span(&mut self, state: &State, index: usize, text: &str) {
        let text = text.trim();
        let name = text
            .trim_start_matches('$')
            .split('=')
            .next()
            .unwrap_or_default();
        let name = name.trim_matches(['{', '}', ' ']);
        if claims::is_variable(name) {
            let section = self.section_text();
            let is_list = state.items > 0
                && [
                    "variable",
                    "environment",
                    "config",
                    "setting",
                    "secret",
                    "credential",
                ]
                .iter()
                .any(|word| section.contains(word));
            let is_first_cell = state.is_settings && state.cell == 0;
            let how = if is_first_cell || is_list {
                VariableHow::Table
            } else {
                VariableHow::Code
            };
            self.claim(
                index,
                What::Variable {
                    name: name.into(),
                    how,
                },
            );
        } else if text.contains(' ') && shell::is_command(text) {
            self.commands(index, text);
        } else if is_path(text) {
            let path = text.trim_start_matches("./").into();
            self.claim(
                index,
                What::Path {
                    path,
                    how: PathHow::Code,
                },
            );
        }
    }

    fn link(&mut self, index: usize, target: &str, how: PathHow) {
        let target = target.trim();
        let has_scheme = target.split_once(':').is_some_and(|(scheme, _)| {
            scheme.len() > 1 && scheme.bytes().all(|b| b.is_ascii_alphanumeric())
        });
        if has_scheme || target.starts_with("//") || target.is_empty() || target.len() > 400 {
            return;
        }
        let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
        let path = path.split('?').next().unwrap_or_default();
        if !anchor.is_empty() {
            self.claim(
                index,
                What::Anchor {
                    page: path.into(),
                    anchor: anchor.into(),
                },
            );
        }
        if !path.is_empty() && !path.contains(['<', '{', '$', '*', '@']) {
            self.claim(
                index,
                What::Path {
                    path: unescape(path).into(),
                    how,
                },
            );
        }
    }

    fn html(&mut self, index: usize, html: &str) {
        if html.trim_start().starts_with("<!--") {
            let last = index + html.matches('\n').count();
            self.mark(index, last.min(self.lines.len().saturating_sub(1)));
            return;
        }
        for (attribute, how) in [
            ("src=", Some(PathHow::Image)),
            ("href=", Some(PathHow::Link)),
            ("id=", None),
            ("name=", None),
        ] {
            for (at, _) in html.match_indices(attribute).take(50) {
                let rest = html.get(at + attribute.len()..).unwrap_or_default();
                let Some(quote) = rest
                    .chars()
                    .next()
                    .filter(|first| matches!(first, '"' | '\''))
                else {
                    continue;
                };
                let value = rest
                    .get(1..)
                    .unwrap_or_default()
                    .split(quote)
                    .next()
                    .unwrap_or_default();
                let line = index + html.get(..at).unwrap_or_default().matches('\n').count();
                match how {
                    Some(how) => self.link(line, value, how),
                    None => self.page.anchors.push(value.into()),
                }
            }
        }
    }

    fn running_text(&mut self) {
        for index in 0..self.lines.len() {
            if self.is_code.get(index).copied().unwrap_or(true) {
                continue;
            }
            let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
            let before = self
                .page
                .headings
                .partition_point(|heading| heading.line <= number);
            let is_license = before
                .checked_sub(1)
                .and_then(|before| self.page.headings.get(before))
                .is_some_and(|heading| {
                    heading.line != number && heading.text.to_ascii_lowercase().contains("licen")
                });
            let mut found = Vec::new();
            claims::of_line(self.line(index), is_license, &mut found);
            for what in found {
                self.claim(index, what);
            }
        }
    }
}

#[derive(Default)]
struct Block {
    language: String,
    first: Option<usize>,
    text: String,
}

#[derive(Default)]
struct State {
    heading: Option<(usize, HeadingLevel, String)>,
    block: Option<Block>,
    is_table_head: bool,
    table_head: String,
    /// Whether the table's head names variables.
    is_settings: bool,
    cell: u32,
    items: u32,
}

impl State {
    fn push_text(&mut self, text: &str) {
        if let Some((_, _, heading)) = &mut self.heading {
            heading.push_str(text);
        }
        if self.is_table_head && self.table_head.len() < 500 {
            self.table_head.push_str(text);
            self.table_head.push(' ');
        }
    }
}

fn depth(level: HeadingLevel) -> u8 {
    match level {
        HeadingLevel::H1 => 1,
        HeadingLevel::H2 => 2,
        HeadingLevel::H3 => 3,
        HeadingLevel::H4 => 4,
        HeadingLevel::H5 => 5,
        HeadingLevel::H6 => 6,
    }
}

fn is_settings(head: &str) -> bool {
    let head = head.to_ascii_lowercase();
    [
        "variable", "env", "setting", "name", "key", "option", "secret",
    ]
    .iter()
    .any(|word| head.contains(word))
}
