//! The pages of the rules, built into the program: what a rule looks for and when it is wrong.

use include_dir::{Dir, include_dir};

static PAGES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../docs/rules");

/// Returns the page of a rule, as Markdown.
pub fn page(rule: &str) -> Option<&'static str> {
    // Names come from a command line: no page lies outside the folder, whatever is asked for.
    PAGES.get_file(format!("{rule}.md"))?.contents_utf8()
}

/// Returns the text of one section of a page, without its heading.
pub fn section(rule: &str, heading: &str) -> Option<String> {
    let lines = page(rule)?
        .lines()
        .skip_while(|line| line.strip_prefix("## ") != Some(heading))
        .skip(1)
        .take_while(|line| !line.starts_with("## "));
    Some(lines.collect::<Vec<_>>().join("\n").trim().to_owned())
}
