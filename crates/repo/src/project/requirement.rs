//! One required package (PEP 508), and requirements files as pip reads them.

use super::data::{At, TextAt};
use super::version::Specifiers;

/// Most lines of one file that are read.
const MAX_LINES: usize = 5_000;

/// One required package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// Its name in the form that names are compared in: small letters, `-` for every run of `-_.`.
    pub name: Box<str>,
    /// Its line.
    pub line: u32,
    /// As written, without comment.
    pub written: Box<str>,
    /// Extras: `redis[hiredis]`.
    pub extras: Vec<Box<str>>,
    /// Conditions on its version; `None` where they could not be read.
    pub versions: Option<Specifiers>,
    /// The condition under which it counts, as written.
    pub marker: Option<Box<str>>,
    /// Where it comes from, when not from the index.
    pub url: Option<Box<str>>,
    /// The group it stands in (`dev`, an extra's name); `None` for what the program itself needs.
    pub group: Option<Box<str>>,
}

/// Puts a package name in the form that names are compared in.
pub fn normalized(name: &str) -> Box<str> {
    let mut out = String::with_capacity(name.len());
    for c in name.trim().chars() {
        if matches!(c, '-' | '_' | '.') {
            if !out.ends_with('-') {
                out.push('-');
            }
        } else {
            out.extend(c.to_lowercase());
        }
    }
    out.into()
}

impl Requirement {
    /// Reads `name[extra] >=1,<2 ; marker` or `name @ url`. `None` for what is no requirement.
    pub fn parse(line: u32, text: &str) -> Option<Self> {
        let written = text.trim();
        let end = written
            .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')))
            .unwrap_or(written.len());
        let (name, rest) = written.split_at(end);
        if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) || name.len() > 100 {
            return None;
        }
        let mut requirement = Self::named(line, name);
        requirement.written = written.into();
        let mut rest = rest.trim();
        if let Some(inside) = rest.strip_prefix('[') {
            let (extras, behind) = inside.split_once(']')?;
            requirement.extras = extras
                .split(',')
                .map(normalized)
                .filter(|extra| !extra.is_empty())
                .collect();
            rest = behind.trim();
        }
        if let Some(url) = rest.strip_prefix('@') {
            let (url, marker) = url
                .split_once(" ;")
                .map_or((url, None), |(url, marker)| (url, Some(marker)));
            requirement.url = Some(url.trim().into());
            requirement.marker = marker.map(|marker| marker.trim().into());
            return Some(requirement);
        }
        let (versions, marker) = rest
            .split_once(';')
            .map_or((rest, None), |(versions, marker)| (versions, Some(marker)));
        requirement.marker = marker
            .map(str::trim)
            .filter(|marker| !marker.is_empty())
            .map(Into::into);
        let versions = versions.trim();
        let versions = versions
            .strip_prefix('(')
            .and_then(|inside| inside.strip_suffix(')'))
            .unwrap_or(versions);
        if !versions.is_empty() && !versions.starts_with(['=', '<', '>', '!', '~']) {
            return None;
        }
        requirement.versions = Specifiers::parse(versions);
        Some(requirement)
    }

    /// Makes one without any condition.
    pub fn named(line: u32, name: &str) -> Self {
        Self {
            name: normalized(name),
            line,
            written: name.into(),
            extras: Vec::new(),
            versions: Some(Specifiers::default()),
            marker: None,
            url: None,
            group: None,
        }
    }

    /// Puts it in a group.
    #[must_use]
    pub fn in_group(mut self, group: Option<&str>) -> Self {
        self.group = group.map(Into::into);
        self
    }
}

/// One requirements file.
#[derive(Clone, Debug, Default)]
pub struct RequirementsFile {
    /// Its path.
    pub path: Box<str>,
    /// What it requires.
    pub requirements: Vec<Requirement>,
    /// Files taken in by `-r`, relative to the root (`None` for addresses and what leads outside), with the
    /// text as written.
    pub includes: Vec<(TextAt, Option<Box<str>>)>,
    /// Files taken in by `-c`, likewise.
    pub constraints: Vec<(TextAt, Option<Box<str>>)>,
    /// Local folders that are installed (`-e .`, `./lib`).
    pub local: Vec<TextAt>,
    /// Addresses without a name (`git+https://…`).
    pub addresses: Vec<TextAt>,
    /// Lines that pip would refuse.
    pub refused: Vec<TextAt>,
    /// Whether it is the output of a resolver (`pip freeze`, `pip-compile`): it lists what packages need too.
    pub is_lock: bool,
}

impl RequirementsFile {
    /// Reads a file; `path` decides where includes lead.
    pub fn parse(path: &str, text: &str) -> Self {
        let mut file = Self {
            path: path.into(),
            ..Self::default()
        };
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let mut lines = (1_u32..).zip(text.lines()).take(MAX_LINES);
        while let Some((line, first)) = lines.next() {
            let mut joined = first.to_owned();
            while let Some(cut) = joined.strip_suffix('\\') {
                let Some((_, next)) = lines.next() else { break };
                joined = format!("{cut} {}", next.trim());
            }
            file.is_lock |= joined.contains("--hash=");
            let comment = joined.trim_start().starts_with('#');
            let says = joined.to_ascii_lowercase();
            file.is_lock |= comment
                && (says.contains("autogenerated by")
                    || says.contains("uv pip compile")
                    || says.contains("generated by pip-compile")
                    || says.contains("# via")
                    || says.trim_start().starts_with("# via"));
            let text = without_comment(&joined);
            if !text.is_empty() {
                file.take(line, text, folder);
            }
        }
        file
    }

    fn take(&mut self, line: u32, text: &str, folder: &str) {
        for (short, long, is_include) in
            [("-r", "--requirement", true), ("-c", "--constraint", false)]
        {
            let rest = text.strip_prefix(long).or_else(|| text.strip_prefix(short));
            if let Some(target) = rest {
                let target = target.trim_start_matches(['=', ' ', '\t']).trim();
                let place = if target.contains("://") {
                    None
                } else {
                    join(folder, target).map(Into::into)
                };
                let list = if is_include {
                    &mut self.includes
                } else {
                    &mut self.constraints
                };
                list.push((At::new(line, target.into()), place));
                return;
            }
        }
        for word in ["-e", "--editable"] {
            if let Some(target) = text.strip_prefix(word) {
                let target = target.trim_start_matches(['=', ' ', '\t']);
                return self.place(line, target);
            }
        }
        if text.starts_with('-') {
            return;
        }
        let text = text.split(" --").next().unwrap_or(text).trim();
        match Requirement::parse(line, text) {
            Some(requirement) if !text.contains("://") || requirement.url.is_some() => {
                self.requirements.push(requirement);
            }
            _ => self.place(line, text),
        }
    }

    fn place(&mut self, line: u32, text: &str) {
        let egg = text.split_once("#egg=").map(|(_, name)| name);
        if let Some(name) = egg {
            let name = name.split(['&', '[']).next().unwrap_or(name);
            let mut requirement = Requirement::named(line, name);
            requirement.written = text.into();
            requirement.url = Some(text.into());
            self.requirements.push(requirement);
        } else if text.contains("://") {
            self.addresses.push(At::new(line, text.into()));
        } else if text.starts_with(['.', '/'])
            || super::has_suffix(text, &[".whl", ".tar.gz"])
            || text.contains('/')
        {
            self.local.push(At::new(line, text.into()));
        } else {
            self.refused.push(At::new(line, text.into()));
        }
    }
}

/// Cuts a comment: `#` at the start or after a blank.
fn without_comment(line: &str) -> &str {
    let mut from = 0;
    while let Some(at) = line
        .get(from..)
        .and_then(|rest| rest.find('#'))
        .map(|at| from + at)
    {
        let before = line.get(..at).unwrap_or("");
        if before.is_empty() || before.ends_with(char::is_whitespace) {
            return before.trim();
        }
        from = at + 1;
    }
    line.trim()
}

/// Says whether a path looks like a requirements file.
pub(super) fn is_requirements(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    let in_folder = path
        .rsplit('/')
        .nth(1)
        .is_some_and(|folder| matches!(folder, "requirements" | "reqs" | "deps"));
    let is_text = super::has_suffix(&name, &[".txt", ".in", ".pip"]);
    is_text
        && (in_folder
            || name.contains("requirements")
            || name.starts_with("requirement")
            || name == "constraints.txt"
            || name.starts_with("constraints-"))
}

/// Joins a path as written to a folder, `.` and `..` resolved; `None` for absolute ones and what leads out of
/// the root.
pub fn join(folder: &str, path: &str) -> Option<String> {
    let path = path.replace('\\', "/");
    if path.starts_with(['/', '~']) || path.chars().nth(1) == Some(':') {
        return None;
    }
    let mut parts: Vec<&str> = folder
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_are_read_as_pip_reads_them() {
        let text = "# comment\nrequests==2.32.3  # why\nScikit_Learn[a,B]>=1,<2; python_version < '3.9'\n-r dev.txt\n--constraint=../c.txt\n-e .\ngit+https://x.invalid/a.git#egg=Some-Name\nname @ https://x.invalid/a.whl\nnumpy==1 \\\n    --hash=sha256:00\n--index-url https://x.invalid\n\nthis is no requirement\npandas (>=1.0)\nfoo>=1.*,abc\n";
        let file = RequirementsFile::parse("req/requirements.txt", text);
        let names: Vec<&str> = file.requirements.iter().map(|r| r.name.as_ref()).collect();
        assert_eq!(
            names,
            [
                "requests",
                "scikit-learn",
                "some-name",
                "name",
                "numpy",
                "pandas",
                "foo"
            ]
        );
        assert_eq!(file.requirements[1].extras, ["a".into(), "b".into()]);
        assert!(file.requirements[1].marker.is_some());
        assert_eq!(file.includes[0].1.as_deref(), Some("req/dev.txt"));
        assert_eq!(file.constraints[0].1.as_deref(), Some("c.txt"));
        assert_eq!(file.refused[0].line, 13);
        assert_eq!(file.requirements.last().unwrap().versions, None);
        assert!(file.is_lock);
        assert_eq!(join("a/b", "../../c"), Some("c".into()));
        assert_eq!(join("a", "../../c"), None);
    }
}
