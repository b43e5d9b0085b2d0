//! Two pictures for the HTML report, drawn by hand as SVG: how the repository grew, and who calls which provider.
//!
//! Colours are CSS variables of the page, so that both work on light, dark and paper. Everything that comes from
//! the repository is escaped by the caller's [`escape`].

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::contract::Api;
use super::html::escape;
use super::plain::{clean, count, cut};
use crate::facts::Growth;

/// Rows of the API map's picture: providers, functions or starts; the table below it has all of them.
const MAX_ROWS: usize = 24;

/// Draws commits per span upwards, deleted files downwards, tags as flags.
pub(super) fn growth(growth: &Growth) -> String {
    let columns = &growth.columns;
    let (Some(first), Some(last)) = (columns.first(), columns.last()) else {
        return String::new();
    };
    let (width, up, down, left, top) = (720.0, 130.0, 60.0, 34.0, 34.0);
    let step = (width - left - 10.0) / as_f64(columns.len());
    let bar = (step * 0.78).clamp(0.8, 26.0);
    let most_commits = columns.iter().map(|c| c.commits).max().unwrap_or(1).max(1);
    let most_deleted = columns.iter().map(|c| c.deleted_files).max().unwrap_or(0);
    let zero = top + up;
    let height = zero + if most_deleted > 0 { down } else { 0.0 } + 26.0;
    let (first_day, last_day) = growth.days.unwrap_or((first.start, last.start));
    let title = format!(
        "Commits from {} to {}: {} spans of {}, at most {} in one",
        first_day,
        last_day,
        columns.len(),
        count(usize::try_from(growth.column_days).unwrap_or(1), "day"),
        count(as_usize(most_commits), "commit")
    );
    let mut svg = format!(
        "<svg class=\"growth\" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{0}\"><title>{0}</title>",
        escape(&title)
    );
    let mut put = |text: String| svg.push_str(&text);
    put(format!(
        "<text class=\"axis\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{most_commits}</text><text class=\"axis\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">0</text>",
        left - 5.0,
        top + 4.0,
        left - 5.0,
        zero + 4.0
    ));
    put(format!(
        "<line class=\"grid\" x1=\"{left}\" y1=\"{top}\" x2=\"{width}\" y2=\"{top}\"/>"
    ));
    for (at, column) in columns.iter().enumerate() {
        let x = left + step * as_f64(at) + (step - bar) / 2.0;
        if column.commits > 0 {
            let h = up * f64::from(column.commits) / f64::from(most_commits);
            put(format!(
                "<rect class=\"commits\" x=\"{x:.1}\" y=\"{:.1}\" width=\"{bar:.1}\" height=\"{h:.1}\"><title>{}: {}</title></rect>",
                zero - h,
                column.start,
                count(as_usize(column.commits), "commit")
            ));
        }
        if column.deleted_files > 0 {
            let h = (down * f64::from(column.deleted_files) / f64::from(most_deleted)).max(1.0);
            put(format!(
                "<rect class=\"deleted\" x=\"{x:.1}\" y=\"{:.1}\" width=\"{bar:.1}\" height=\"{h:.1}\"><title>{}: {} deleted</title></rect>",
                zero + 1.0,
                column.start,
                count(as_usize(column.deleted_files), "file")
            ));
        }
    }
    if most_deleted > 0 {
        put(format!(
            "<text class=\"axis\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{most_deleted}</text>",
            left - 5.0,
            zero + down + 3.0
        ));
    }
    put(format!(
        "<line class=\"base\" x1=\"{left}\" y1=\"{zero}\" x2=\"{width}\" y2=\"{zero}\"/>"
    ));
    put(flags(growth, left, step, top, zero));
    for (x, anchor, day) in [(left, "start", first_day), (width - 4.0, "end", last_day)] {
        put(format!(
            "<text class=\"axis\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{day}</text>",
            height - 6.0
        ));
    }
    svg.push_str("</svg>");
    svg
}

/// One flag per column with tags; names where there is room.
fn flags(growth: &Growth, left: f64, step: f64, top: f64, zero: f64) -> String {
    let mut by_column: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
    for (column, name) in &growth.tags {
        by_column.entry(*column).or_default().push(name);
    }
    let mut out = String::new();
    let mut free_from = 0.0;
    for (column, names) in by_column {
        let x = left + step * (as_f64(column) + 0.5);
        let all = cut(&clean(&names.join(", ")), 200);
        write!(
            out,
            "<line class=\"tag\" x1=\"{x:.1}\" y1=\"{:.1}\" x2=\"{x:.1}\" y2=\"{zero:.1}\"><title>{}</title></line>",
            top - 8.0,
            escape(&all)
        )
        .unwrap_or_default();
        if x >= free_from {
            let name = cut(&clean(names.last().unwrap_or(&"")), 14);
            // Seven units are wide enough for any letter of this size.
            free_from = x + 7.0 * as_f64(name.chars().count()) + 8.0;
            write!(
                out,
                "<text class=\"tagname\" x=\"{x:.1}\" y=\"{:.1}\">{}</text>",
                top - 12.0,
                escape(&name)
            )
            .unwrap_or_default();
        }
    }
    out
}

/// Draws starts on the left, functions in the middle, providers on the right.
pub(super) fn api_map(map: &[Api]) -> String {
    let links = Links::of(map);
    if links.functions.is_empty() {
        return String::new();
    }
    let (width, row, top) = (720.0, 30.0, 30.0);
    let columns = [&links.starts, &links.functions, &links.providers];
    let rows = columns.iter().map(|column| column.len()).max().unwrap_or(1);
    let height = top + row * as_f64(rows) + 14.0;
    // Left edge, width and characters of each column.
    let boxes = [(6.0, 170.0, 24), (262.0, 240.0, 34), (590.0, 124.0, 17)];
    let y = |column: usize, at: usize| {
        let len = columns.get(column).map_or(1, |column| column.len());
        top + (height - top - row * as_f64(len)) / 2.0 + row * as_f64(at)
    };
    let title = format!(
        "{} reached from {} over {}",
        count(links.providers.len(), "provider"),
        count(links.starts.len(), "start"),
        count(links.functions.len(), "calling function")
    );
    let mut svg = format!(
        "<svg class=\"apimap\" viewBox=\"0 0 {width} {height:.0}\" role=\"img\" aria-label=\"{0}\"><title>{0}</title>",
        escape(&title)
    );
    for ((x, w, _), name) in boxes.iter().zip(["started by", "function", "provider"]) {
        write!(
            svg,
            "<text class=\"axis\" x=\"{:.1}\" y=\"16\" text-anchor=\"middle\">{name}</text>",
            x + w / 2.0
        )
        .unwrap_or_default();
    }
    for (side, edges) in [(0, &links.to_functions), (1, &links.to_providers)] {
        let (from, to) = (boxes[side], boxes[side + 1]);
        for (a, b) in edges {
            let (x1, y1) = (from.0 + from.1, y(side, *a) + 11.0);
            let (x2, y2) = (to.0, y(side + 1, *b) + 11.0);
            let bend = (x2 - x1) / 2.0;
            write!(
                svg,
                "<path class=\"edge\" d=\"M{x1:.1} {y1:.1}C{:.1} {y1:.1} {:.1} {y2:.1} {x2:.1} {y2:.1}\"/>",
                x1 + bend, x2 - bend
            )
            .unwrap_or_default();
        }
    }
    for (column, names) in columns.iter().enumerate() {
        let (x, w, chars) = boxes[column];
        for (at, (name, is_dead)) in names.iter().enumerate() {
            let dead = if *is_dead { " dead" } else { "" };
            write!(
                svg,
                "<g class=\"node c{column}{dead}\"><title>{}</title><rect x=\"{x:.1}\" y=\"{:.1}\" width=\"{w:.1}\" height=\"22\" rx=\"5\"/><text x=\"{:.1}\" y=\"{:.1}\">{}</text></g>",
                escape(&clean(name)), y(column, at), x + 8.0, y(column, at) + 15.0, escape(&tail(&clean(name), chars))
            )
            .unwrap_or_default();
        }
    }
    svg.push_str("</svg>");
    svg
}

/// Shortens a name: first the folders go, then the beginning; file and function say the most.
fn tail(name: &str, max_chars: usize) -> String {
    if name.chars().count() <= max_chars {
        return name.to_owned();
    }
    let (path, function) = name.split_once(' ').unwrap_or((name, ""));
    let file = path.rsplit('/').next().unwrap_or(path);
    let short = format!("{file} {function}");
    let short = short.trim_end();
    let chars = short.chars().count();
    if chars <= max_chars {
        return short.to_owned();
    }
    let rest: String = short.chars().skip(chars + 1 - max_chars).collect();
    format!("…{rest}")
}

/// What the picture connects. A name is dead when nothing starts it.
#[derive(Default)]
struct Links {
    starts: Vec<(String, bool)>,
    functions: Vec<(String, bool)>,
    providers: Vec<(String, bool)>,
    to_functions: Vec<(usize, usize)>,
    to_providers: Vec<(usize, usize)>,
}

impl Links {
    fn of(map: &[Api]) -> Self {
        let mut links = Self::default();
        for api in map {
            for call in &api.calls {
                let function = match &call.function {
                    Some(function) => format!("{} {function}", call.path),
                    None => call.path.clone(),
                };
                let is_dead = call.reachable == Some(false);
                let Some(provider) = place(&mut links.providers, &api.provider, false) else {
                    continue;
                };
                let Some(function) = place(&mut links.functions, &function, is_dead) else {
                    continue;
                };
                links.to_providers.push((function, provider));
                for start in &call.entry_points {
                    if let Some(start) = place(&mut links.starts, start, false) {
                        links.to_functions.push((start, function));
                    }
                }
            }
        }
        for edges in [&mut links.to_functions, &mut links.to_providers] {
            edges.sort_unstable();
            edges.dedup();
        }
        links
    }
}

/// Returns the row of a name, adding it while there is room.
fn place(column: &mut Vec<(String, bool)>, name: &str, is_dead: bool) -> Option<usize> {
    if let Some(at) = column.iter().position(|(there, _)| there == name) {
        // One living call is enough.
        column[at].1 &= is_dead;
        return Some(at);
    }
    if column.len() >= MAX_ROWS {
        return None;
    }
    column.push((name.to_owned(), is_dead));
    Some(column.len() - 1)
}

fn as_usize(n: u32) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

fn as_f64(n: usize) -> f64 {
    // Columns and rows are far below this.
    f64::from(u32::try_from(n).unwrap_or(u32::MAX))
}
