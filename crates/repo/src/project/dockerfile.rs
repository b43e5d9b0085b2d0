//! Dockerfiles: instructions with their lines, stages, images with arguments filled in, copies.
//!
//! Reads what `BuildKit` reads: parser directives, continued lines, heredocs, exec and shell form. Not here:
//! whether the files exist.

use super::data::{Node, yaml};

/// Most instructions that are read.
const MAX_INSTRUCTIONS: usize = 2_000;

/// One Dockerfile.
#[derive(Clone, Debug)]
pub struct Dockerfile {
    /// Its path.
    pub path: Box<str>,
    /// Its instructions.
    pub instructions: Vec<Instruction>,
    /// Its stages.
    pub stages: Vec<Stage>,
    /// Patterns of its ignore file (`Dockerfile.dockerignore` or `.dockerignore` beside it); `None` where
    /// there is none.
    pub ignores: Option<DockerIgnore>,
}

/// One instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// First line.
    pub line: u32,
    /// The keyword in capitals.
    pub keyword: Box<str>,
    /// Everything after keyword and flags, continued lines joined by a blank.
    pub rest: Box<str>,
    /// The first line as written, trimmed.
    pub quote: Box<str>,
    /// `--name=value`.
    pub flags: Vec<(Box<str>, Box<str>)>,
    /// The words of the exec form (`["a", "b"]`); `None` for the shell form.
    pub exec: Option<Vec<Box<str>>>,
    /// Lines of heredocs, with the first one's line number.
    pub heredoc: Option<(u32, Box<str>)>,
    /// The stage it stands in; `None` before the first FROM.
    pub stage: Option<usize>,
}

/// One stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// Line of FROM.
    pub line: u32,
    /// The image with arguments filled in from their defaults; where one has no default it stays `$NAME`.
    pub image: Box<str>,
    /// Its name, in small letters.
    pub name: Option<Box<str>>,
    /// The stage that it builds on.
    pub base: Option<usize>,
}

/// Where a COPY or ADD takes files from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copy {
    /// Line.
    pub line: u32,
    /// `--from`: a stage or image; `None` for the build context.
    pub from: Option<Box<str>>,
    /// Sources, arguments filled in.
    pub sources: Vec<Box<str>>,
    /// Target, arguments filled in.
    pub target: Box<str>,
}

/// An ignore file of an image build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DockerIgnore {
    /// Its path.
    pub path: Box<str>,
    /// Its patterns, negated ones with `!`.
    pub patterns: Vec<Box<str>>,
}

impl DockerIgnore {
    /// Reads an ignore file.
    pub fn parse(path: &str, text: &str) -> Self {
        let patterns = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .take(1_000)
            .map(Into::into)
            .collect();
        Self {
            path: path.into(),
            patterns,
        }
    }

    /// Says whether a path relative to the build context stays out of it. The last pattern that matches the
    /// path or a folder above it decides.
    pub fn hides(&self, path: &str) -> bool {
        let mut hidden = false;
        for pattern in &self.patterns {
            let (negated, pattern) = match pattern.strip_prefix('!') {
                Some(rest) => (true, rest),
                None => (false, pattern.as_ref()),
            };
            let pattern = pattern.trim_matches('/').trim_start_matches("./");
            let mut end = 0;
            let matches = loop {
                let next = path
                    .get(end..)
                    .and_then(|rest| rest.find('/'))
                    .map(|at| end + at);
                if glob(
                    pattern,
                    path.get(..next.unwrap_or(path.len())).unwrap_or(path),
                ) {
                    break true;
                }
                match next {
                    Some(at) => end = at + 1,
                    None => break false,
                }
            };
            if matches {
                hidden = !negated;
            }
        }
        hidden
    }
}

/// Matches `*`, `?`, `**` and `[…]` over path segments, as `filepath.Match` with `**` does. Linear in the
/// product of lengths.
pub fn glob(pattern: &str, path: &str) -> bool {
    fn segments(pattern: &[&str], path: &[&str]) -> bool {
        // One row per pattern segment: which prefixes of the path it can have eaten.
        let mut reach = vec![false; path.len() + 1];
        reach[0] = true;
        for part in pattern {
            let mut next = vec![false; path.len() + 1];
            if *part == "**" {
                let first = reach.iter().position(|here| *here).unwrap_or(next.len());
                next.iter_mut().skip(first).for_each(|here| *here = true);
            } else {
                for (at, name) in path.iter().enumerate() {
                    next[at + 1] = reach[at] && segment(part, name);
                }
            }
            reach = next;
        }
        reach.last() == Some(&true)
    }
    fn segment(pattern: &str, name: &str) -> bool {
        let pattern: Vec<char> = pattern.chars().collect();
        let name: Vec<char> = name.chars().collect();
        let (mut p, mut n, mut star) = (0, 0, None);
        while n < name.len() {
            let step = match pattern.get(p) {
                Some('*') => {
                    star = Some((p, n));
                    p += 1;
                    continue;
                }
                Some('?') => Some(1),
                Some('[') => class(&pattern[p..], name[n]),
                Some('\\') if pattern.get(p + 1) == Some(&name[n]) => Some(2),
                Some(c) if *c == name[n] => Some(1),
                _ => None,
            };
            match (step, star) {
                (Some(step), _) => {
                    p += step;
                    n += 1;
                }
                (None, Some((at, from))) => {
                    p = at + 1;
                    n = from + 1;
                    star = Some((at, n));
                }
                (None, None) => return false,
            }
        }
        pattern[p..].iter().all(|c| *c == '*')
    }
    /// How many characters of the pattern a class takes that contains `c`.
    fn class(pattern: &[char], c: char) -> Option<usize> {
        let end = pattern.iter().skip(1).position(|c| *c == ']')? + 1;
        let inside = &pattern[1..end];
        let (negated, inside) = match inside.first() {
            Some('^' | '!') => (true, &inside[1..]),
            _ => (false, inside),
        };
        let mut at = 0;
        let mut found = false;
        while at < inside.len() {
            if inside.get(at + 1) == Some(&'-') && at + 2 < inside.len() {
                found |= inside[at] <= c && c <= inside[at + 2];
                at += 3;
            } else {
                found |= inside[at] == c;
                at += 1;
            }
        }
        (found != negated).then_some(end + 1)
    }
    let pattern: Vec<&str> = pattern
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .collect();
    let path: Vec<&str> = path
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .collect();
    segments(&pattern, &path)
}

impl Dockerfile {
    /// Returns the folder that it lies in.
    pub fn folder(&self) -> &str {
        self.path.rsplit_once('/').map_or("", |(folder, _)| folder)
    }

    /// Returns the instructions of the last stage and of those it builds on, oldest stage first: what the
    /// image that is run consists of.
    pub fn shipped(&self) -> Vec<&Instruction> {
        let mut chain = Vec::new();
        let mut at = self.stages.len().checked_sub(1);
        while let Some(stage) = at {
            chain.push(stage);
            at = self
                .stages
                .get(stage)
                .and_then(|stage| stage.base)
                .filter(|base| *base < stage);
        }
        self.instructions
            .iter()
            .filter(|instruction| {
                instruction
                    .stage
                    .is_some_and(|stage| chain.contains(&stage))
            })
            .collect()
    }

    /// Returns the image at the bottom of the stage that is run, and the line of its FROM.
    pub fn base_image(&self) -> Option<(u32, &str)> {
        let mut at = self.stages.len().checked_sub(1)?;
        loop {
            let stage = self.stages.get(at)?;
            match stage.base.filter(|base| *base < at) {
                Some(base) => at = base,
                None => return Some((stage.line, &stage.image)),
            }
        }
    }

    /// Returns what is copied into any stage.
    pub fn copies(&self) -> Vec<(usize, Copy)> {
        let mut arguments = Vec::new();
        let mut copies = Vec::new();
        for instruction in &self.instructions {
            match instruction.keyword.as_ref() {
                "ARG" | "ENV" => define(&mut arguments, instruction),
                "COPY" | "ADD" if instruction.heredoc.is_none() => {
                    let mut words: Vec<Box<str>> = match &instruction.exec {
                        Some(words) => words.clone(),
                        None => words(&instruction.rest),
                    };
                    for word in &mut words {
                        *word = fill(word, &arguments).into();
                    }
                    let Some(target) = words.pop() else { continue };
                    let from = instruction
                        .flags
                        .iter()
                        .find(|(name, _)| name.as_ref() == "from")
                        .map(|(_, value)| fill(value, &arguments).into());
                    let stage = instruction.stage.unwrap_or(0);
                    copies.push((
                        stage,
                        Copy {
                            line: instruction.line,
                            from,
                            sources: words,
                            target,
                        },
                    ));
                }
                _ => {}
            }
        }
        copies
    }
}

/// Splits at blanks outside quotes; quotes are taken off.
pub(super) fn words(text: &str) -> Vec<Box<str>> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    let mut open = false;
    for c in text.chars() {
        match (quote, c) {
            (Some(q), _) if q == c => quote = None,
            (None, '"' | '\'') => {
                quote = Some(c);
                open = true;
            }
            (None, c) if c.is_whitespace() => {
                if open || !word.is_empty() {
                    words.push(std::mem::take(&mut word).into());
                }
                open = false;
            }
            _ => word.push(c),
        }
    }
    if open || !word.is_empty() {
        words.push(word.into());
    }
    words
}

type Arguments = Vec<(Box<str>, Box<str>)>;

/// Adds the defaults of ARG and the values of ENV.
fn define(arguments: &mut Arguments, instruction: &Instruction) {
    let rest = instruction.rest.trim();
    // `ENV name value with blanks`, the old writing.
    if instruction.keyword.as_ref() == "ENV"
        && !rest.split_whitespace().next().unwrap_or("").contains('=')
    {
        if let Some((name, value)) = rest.split_once(char::is_whitespace) {
            let value = fill(value.trim(), arguments);
            arguments.push((name.into(), value.into()));
        }
        return;
    }
    for word in words(rest) {
        if let Some((name, value)) = word.split_once('=') {
            let value = fill(value, arguments);
            arguments.push((name.into(), value.into()));
        }
    }
}

/// Puts in `$NAME`, `${NAME}` and `${NAME:-default}` where known; leaves them where not.
fn fill(text: &str, arguments: &Arguments) -> String {
    let value_of = |name: &str| {
        let known = arguments
            .iter()
            .rev()
            .find(|(known, _)| known.as_ref() == name);
        known.map(|(_, value)| value.to_string())
    };
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        let (before, after) = rest.split_at(at);
        out.push_str(before);
        if let Some(inner) = after.strip_prefix("${") {
            let Some((inside, behind)) = inner.split_once('}') else {
                out.push_str(after);
                return out;
            };
            let (name, default) = match inside.split_once(":-") {
                Some((name, default)) => (name, Some(default)),
                None => (inside, None),
            };
            match value_of(name).or(default.map(Into::into)) {
                Some(value) => out.push_str(&value),
                None => out.push_str(&format!("${{{inside}}}")),
            }
            rest = behind;
        } else {
            let name_end = after
                .char_indices()
                .skip(1)
                .find(|(_, c)| !(c.is_ascii_alphanumeric() || *c == '_'))
                .map_or(after.len(), |(at, _)| at);
            let (name, behind) = after.split_at(name_end);
            match value_of(name.trim_start_matches('$')) {
                Some(value) if name_end > 1 => out.push_str(&value),
                _ => out.push_str(name),
            }
            rest = behind;
        }
        // An argument that holds itself would grow without end.
        if out.len() > 10_000 {
            return out;
        }
    }
    out.push_str(rest);
    out
}

/// Reads a Dockerfile.
pub fn parse(path: &str, text: &str) -> Dockerfile {
    let mut instructions: Vec<Instruction> = Vec::new();
    let mut stages: Vec<Stage> = Vec::new();
    let mut arguments = Vec::new();
    let mut lines = (1_u32..).zip(text.lines()).peekable();
    let escape = escape_of(text);
    while let Some((line, first)) = lines.next() {
        let trimmed = first.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') || instructions.len() >= MAX_INSTRUCTIONS
        {
            continue;
        }
        let mut joined = trimmed.to_owned();
        while joined.ends_with(escape) {
            joined.pop();
            let Some((_, next)) = lines.next() else { break };
            // Comments and blank lines inside a continued instruction are dropped.
            let next = next.trim();
            let is_nothing = next.is_empty() || next.starts_with('#');
            joined.push(' ');
            joined.push_str(if is_nothing { "" } else { next });
            if is_nothing {
                joined.push(escape);
            }
            if joined.len() > 100_000 {
                break;
            }
        }
        let mut instruction = instruction_of(line, trimmed, &joined);
        for (marker, strips) in heredocs(&instruction) {
            let mut body = String::new();
            let first_line = lines.peek().map_or(line, |(line, _)| *line);
            for (_, next) in lines.by_ref() {
                let end = if strips {
                    next.trim_start_matches('\t')
                } else {
                    next
                };
                if end.trim_end() == marker {
                    break;
                }
                body.push_str(next);
                body.push('\n');
            }
            instruction.heredoc.get_or_insert((first_line, body.into()));
        }
        if instruction.keyword.as_ref() == "FROM" {
            stages.push(stage_of(&instruction, &stages, &arguments));
        }
        if instruction.keyword.as_ref() == "ARG" && stages.is_empty() {
            define(&mut arguments, &instruction);
        }
        instruction.stage = stages.len().checked_sub(1);
        instructions.push(instruction);
    }
    Dockerfile {
        path: path.into(),
        instructions,
        stages,
        ignores: None,
    }
}

fn escape_of(text: &str) -> char {
    let directives = text
        .lines()
        .take_while(|line| line.trim_start().starts_with('#'));
    for line in directives {
        let line = line.trim_start_matches(['#', ' ']).to_ascii_lowercase();
        if let Some(("escape", value)) = line.split_once('=').map(|(k, v)| (k.trim(), v.trim())) {
            return if value == "`" { '`' } else { '\\' };
        }
    }
    '\\'
}

fn instruction_of(line: u32, quote: &str, joined: &str) -> Instruction {
    let (keyword, mut rest) = joined
        .split_once(char::is_whitespace)
        .unwrap_or((joined, ""));
    rest = rest.trim();
    let keyword = keyword.to_ascii_uppercase();
    let mut flags = Vec::new();
    while let Some(after) = rest.strip_prefix("--") {
        let (flag, behind) = after.split_once(char::is_whitespace).unwrap_or((after, ""));
        let (name, value) = flag.split_once('=').unwrap_or((flag, ""));
        flags.push((name.into(), value.trim_matches(['"', '\'']).into()));
        rest = behind.trim();
    }
    let exec = match keyword.as_str() {
        "HEALTHCHECK" => rest
            .strip_prefix("CMD")
            .and_then(|rest| exec_form(rest.trim())),
        _ => exec_form(rest),
    };
    Instruction {
        line,
        keyword: keyword.into(),
        rest: rest.into(),
        quote: quote.into(),
        flags,
        exec,
        heredoc: None,
        stage: None,
    }
}

/// Reads `["a", "b"]`; single quotes are not the exec form, as for Docker.
fn exec_form(text: &str) -> Option<Vec<Box<str>>> {
    if !text.starts_with('[') || !text.ends_with(']') || text.len() > 10_000 {
        return None;
    }
    let words: Vec<String> = serde_json::from_str(text).ok()?;
    Some(words.into_iter().map(Into::into).collect())
}

/// Markers of heredocs of an instruction that may have them, and whether leading tabs are dropped.
fn heredocs(instruction: &Instruction) -> Vec<(String, bool)> {
    if !matches!(instruction.keyword.as_ref(), "RUN" | "COPY" | "ADD") {
        return Vec::new();
    }
    let mut found = Vec::new();
    let mut rest = instruction.rest.as_ref();
    while let Some(at) = rest.find("<<") {
        rest = rest.get(at + 2..).unwrap_or("");
        let strips = rest.starts_with('-');
        let name = rest.trim_start_matches('-').trim_start_matches(['"', '\'']);
        let end = name
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
            .unwrap_or(name.len());
        if let Some(marker) = name
            .get(..end)
            .filter(|marker| marker.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_'))
        {
            found.push((marker.to_owned(), strips));
        }
    }
    found.truncate(10);
    found
}

fn stage_of(instruction: &Instruction, stages: &[Stage], arguments: &Arguments) -> Stage {
    let words = words(&instruction.rest);
    let image = words
        .first()
        .map(|word| fill(word, arguments))
        .unwrap_or_default();
    let name = match (words.get(1), words.get(2)) {
        (Some(word), Some(name)) if word.eq_ignore_ascii_case("as") => {
            Some(name.to_ascii_lowercase().into())
        }
        _ => None,
    };
    let base = stages
        .iter()
        .rposition(|stage| stage.name.as_deref() == Some(image.to_ascii_lowercase().as_str()));
    Stage {
        line: instruction.line,
        image: image.into(),
        name,
        base,
    }
}

/// The parts of an image's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Everything before tag and digest: `python`, `ghcr.io/owner/image`.
    pub name: Box<str>,
    /// The tag; `None` means `latest` unless there is a digest.
    pub tag: Option<Box<str>>,
    /// The digest.
    pub digest: Option<Box<str>>,
}

impl Image {
    /// Reads a name; `None` where an argument is not known, and for `scratch`.
    pub fn parse(text: &str) -> Option<Self> {
        if text.contains('$') || text.is_empty() || text == "scratch" {
            return None;
        }
        let (text, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest.into())),
            None => (text, None),
        };
        let (name, tag) = match text.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag.into())),
            _ => (text, None),
        };
        Some(Self {
            name: name.into(),
            tag,
            digest,
        })
    }

    /// Returns the Python version of an official `python` image, as far as its tag says: `3.12`, `3.12.1`.
    pub fn python(&self) -> Option<&str> {
        let name = self
            .name
            .trim_start_matches("docker.io/")
            .trim_start_matches("library/");
        if !(name == "python"
            || name.ends_with("/library/python")
            || name == "circleci/python"
            || name == "cimg/python")
        {
            return None;
        }
        let tag = self.tag.as_deref()?;
        let version = tag.split('-').next()?;
        version
            .starts_with(|c: char| c.is_ascii_digit())
            .then_some(version)
    }
}

/// Reads a JSON or YAML list of words; `None` for anything else.
pub(super) fn list_of_words(node: &Node) -> Option<Vec<Box<str>>> {
    match &node.data {
        super::data::Data::List(items) => items
            .iter()
            .map(|item| item.text().map(Into::into))
            .collect(),
        _ => None,
    }
}

/// Reads a text that may be an exec form, as compose does with `CMD-SHELL` texts.
pub(super) fn exec_text(text: &str) -> Option<Vec<Box<str>>> {
    exec_form(text.trim()).or_else(|| {
        let nodes = text.trim().starts_with('[').then(|| yaml(text).ok())??;
        list_of_words(nodes.first()?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_stages_and_copies_are_read() {
        let text = "# syntax=docker/dockerfile:1\nARG V=3.12\nFROM python:${V}-slim AS build\nWORKDIR /app\nCOPY --chown=a:b requirements.txt \\\n  # why\n  setup.py ./\nRUN <<EOF\npip install x\nCMD not one\nEOF\nfrom build\nCOPY --from=build /x /y\nCMD [\"python\", \"a.py\"]\n";
        let file = parse("Dockerfile", text);
        assert_eq!(file.stages.len(), 2);
        assert_eq!(file.stages[0].image.as_ref(), "python:3.12-slim");
        assert_eq!(file.stages[1].base, Some(0));
        assert_eq!(file.base_image(), Some((3, "python:3.12-slim")));
        let copies = file.copies();
        assert_eq!(
            copies[0].1.sources,
            ["requirements.txt".into(), "setup.py".into()]
        );
        assert_eq!(copies[1].1.from.as_deref(), Some("build"));
        assert_eq!(file.instructions[4].heredoc.as_ref().unwrap().0, 9);
        let last = file.instructions.last().unwrap();
        assert_eq!((last.line, last.exec.as_ref().unwrap().len()), (14, 2));
        assert_eq!(
            Image::parse("python:3.12-slim").unwrap().python(),
            Some("3.12")
        );
        assert_eq!(Image::parse("host:5000/x").unwrap().tag, None);
    }

    #[test]
    fn ignore_files_hide_what_docker_hides() {
        let file = DockerIgnore::parse(
            ".dockerignore",
            "# c\n.git\n**/*.pyc\n.env*\n!.env.example\n/data/\n",
        );
        for (path, hidden) in [
            (".git/config", true),
            (".env", true),
            (".env.example", false),
            ("a/b/c.pyc", true),
            ("a/.env", false),
            ("data/x.csv", true),
            ("src/a.py", false),
        ] {
            assert_eq!(file.hides(path), hidden, "{path}");
        }
        assert!(DockerIgnore::parse("x", "*\n!src\n").hides(".env"));
        assert!(!DockerIgnore::parse("x", "*\n!src\n").hides("src/a.py"));
    }

    #[test]
    fn hostile_texts_end() {
        let file = parse("Dockerfile", &"RUN a \\\n".repeat(50_000));
        assert!(file.instructions.len() <= MAX_INSTRUCTIONS);
        parse("Dockerfile", "RUN <<A <<B <<\nx");
        parse("Dockerfile", "FROM ${A:-${B}}\nCOPY $ ${ x\nCMD [\"a\"");
        let grow = "ARG A=x\n".to_owned() + &"ARG A=$A$A$A$A\n".repeat(200) + "FROM $A\n";
        assert!(parse("Dockerfile", &grow).stages[0].image.len() < 100_000);
        assert!(!glob(
            &"*a".repeat(200),
            &"a".repeat(3_000).replace("aa", "ab")
        ));
    }
}
