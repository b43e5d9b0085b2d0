//! `requirements-txt-fixer`: requirements sorted by name, each with the comments above it.

use super::args::Options;
use super::{About, Check, File, FileCheck, PLAIN, Surroundings, Verdict};

pub(super) const ABOUT: About = About {
    id: "requirements-txt-fixer",
    name: "fix requirements.txt",
    what: "Sorts requirements by name with their comments, takes out equal lines and `pkg-resources==0.0.0`.",
    files: r"(requirements|constraints).*\.txt$",
    can_fix: true,
    make: |args| {
        Options::NONE.parse(args)?;
        Ok(Check::files(Requirements))
    },
    ..PLAIN
};

struct Requirements;

/// A requirement with what stands above it.
#[derive(Default)]
struct Requirement<'a> {
    comments: Vec<&'a [u8]>,
    value: Option<Vec<u8>>,
}

fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| is_space(*byte))
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b'\t'..=b'\r' | b' ')
}

impl Requirement<'_> {
    fn is_complete(&self) -> bool {
        self.value.as_ref().is_some_and(|value| {
            let end = value
                .iter()
                .rposition(|byte| !matches!(byte, b'\r' | b'\n'));
            end.is_none_or(|end| value[end] != b'\\')
        })
    }

    /// What it is sorted by; `None` where it has no name.
    fn name(&self) -> Option<Vec<u8>> {
        let value = self.value.as_ref()?;
        let lower = value.to_ascii_lowercase();
        for egg in [b"#egg=", b"&egg="] {
            if memchr::memmem::find(value, egg).is_some() {
                let at = memchr::memmem::find(&lower, egg)?;
                return Some(lower[at + egg.len()..].to_vec());
            }
        }
        let end = lower
            .iter()
            .position(|byte| *byte == b';' || is_space(*byte));
        let name = &lower[..end.unwrap_or(lower.len())];
        if name.is_empty() {
            return None;
        }
        let end = (0..name.len()).find(|at| {
            let rest = &name[*at..];
            matches!(rest[0], b'<' | b'>')
                || [&b"=="[..], b"!=", b"~="]
                    .iter()
                    .any(|sign| rest.starts_with(sign))
        });
        Some(name[..end.unwrap_or(name.len())].to_vec())
    }

    /// The end of a comment at the top of the file: it stays there.
    fn is_top(&self) -> bool {
        self.value.as_deref() == Some(b"\n")
    }
}

/// Writes requirements in order. `None` where one has no name to be sorted by.
fn fixed(bytes: &[u8]) -> Option<Vec<u8>> {
    let ended = if bytes.ends_with(b"\n") {
        bytes.to_vec()
    } else {
        [bytes, b"\n"].concat()
    };
    let mut requirements: Vec<Requirement<'_>> = Vec::new();
    for line in ended.split_inclusive(|byte| *byte == b'\n') {
        if requirements.last().is_none_or(Requirement::is_complete) {
            requirements.push(Requirement::default());
        }
        let is_first = requirements.len() == 1;
        let Some(last) = requirements.last_mut() else {
            continue;
        };
        let start = line.iter().position(|byte| !is_space(*byte));
        match start.map(|start| line[start]) {
            None if is_first
                && last
                    .comments
                    .first()
                    .is_some_and(|comment| comment.starts_with(b"#")) =>
            {
                last.value = Some(b"\n".to_vec());
            }
            None | Some(b'#') => last.comments.push(line),
            Some(_) => last.value.get_or_insert_default().extend_from_slice(line),
        }
    }
    let rest = match requirements.last() {
        Some(last) if last.value.is_none() => requirements.pop().map(|last| last.comments),
        _ => None,
    };
    requirements.retain(|requirement| {
        !matches!(
            requirement.value.as_deref(),
            Some(b"pkg-resources==0.0.0\n" | b"pkg_resources==0.0.0\n")
        )
    });
    let mut named = Vec::with_capacity(requirements.len());
    let is_sorted_by_name = requirements.iter().filter(|one| !one.is_top()).count() > 1;
    for requirement in requirements {
        let name = requirement.name();
        if name.is_none() && is_sorted_by_name && !requirement.is_top() {
            return None;
        }
        named.push((name, requirement));
    }
    named.sort_by(|(a_name, a), (b_name, b)| {
        if a.is_top() || b.is_top() {
            return b.is_top().cmp(&a.is_top());
        }
        a_name.cmp(b_name).then_with(|| {
            // Of equal names the one with comments stays.
            a.comments.is_empty().cmp(&b.comments.is_empty())
        })
    });
    let mut out: Vec<u8> = Vec::with_capacity(ended.len());
    let mut before: Option<&Vec<u8>> = None;
    for (_, requirement) in &named {
        requirement
            .comments
            .iter()
            .for_each(|comment| out.extend_from_slice(comment));
        let value = requirement.value.as_ref();
        if before.is_none() || before != value {
            out.extend_from_slice(value.map_or(&[][..], Vec::as_slice));
            before = value;
        }
    }
    rest.iter()
        .flatten()
        .for_each(|comment| out.extend_from_slice(comment));
    Some(out)
}

impl FileCheck for Requirements {
    fn check(&self, file: &File<'_>, _around: &dyn Surroundings) -> Verdict {
        if is_blank(file.bytes) {
            return Verdict::clean();
        }
        let path = file.shown();
        match fixed(file.bytes) {
            None => Verdict::broken(format!(
                "{path}: a line that begins with a blank or `;` names no requirement"
            )),
            Some(fixed) if fixed == file.bytes => Verdict::clean(),
            Some(fixed) => Verdict::fixed(fixed, format!("Sorting {path}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Outcome;
    use super::super::tests::on;

    #[test]
    fn requirements_are_sorted_with_their_comments() {
        let of = |before: &str| match on("requirements-txt-fixer", &[], "r", before.as_bytes())
            .outcome
        {
            Outcome::Fixed(bytes) => String::from_utf8(bytes).unwrap(),
            Outcome::Clean => "clean".to_owned(),
            Outcome::Broken => "broken".to_owned(),
        };
        assert_eq!(of("b\na"), "a\nb\n");
        assert_eq!(
            of("# top\n\nb==1\n# of a\nA>2\n"),
            "# top\n\n# of a\nA>2\nb==1\n"
        );
        assert_eq!(of("b \\\n  --hash=x\na\n"), "a\nb \\\n  --hash=x\n");
        assert_eq!(of("a\na\n"), "a\n");
        assert_eq!(of("a\n# why\na\n"), "# why\na\n");
        assert_eq!(of("pkg-resources==0.0.0\na\n"), "a\n");
        assert_eq!(of("git+x#egg=Z\nb\n"), "b\ngit+x#egg=Z\n");
        assert_eq!(of("a\nb\n# end\n"), "clean");
        assert_eq!(of(" a\nb\n"), "broken");
        assert_eq!(of("\n \n"), "clean");
    }
}
