//! Lines that start something: Procfiles, Makefiles, systemd units, crontabs, scripts of `package.json`.

use super::data::{At, Node, TextAt};
use super::ini::Ini;

/// Most entries of one file.
const MAX_ENTRIES: usize = 1_000;

/// What kind of file starts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartKind {
    /// `Procfile`.
    Procfile,
    /// A target of a Makefile.
    Make,
    /// A systemd unit.
    Unit,
    /// A crontab.
    Cron,
    /// A script of `package.json`.
    Npm,
}

/// One named line that starts something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// The file.
    pub path: Box<str>,
    /// Line of the name.
    pub line: u32,
    /// What kind of file.
    pub kind: StartKind,
    /// The process, target, unit or script; a crontab's schedule.
    pub name: Box<str>,
    /// The script, and its first line. Makefile recipes may have many lines; some have none.
    pub script: Option<TextAt>,
    /// The folder it runs in, relative to the root; `None` where that is a place on a server.
    pub directory: Option<Box<str>>,
}

fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// Reads a file by its name; empty for others.
pub(super) fn read(path: &str, text: &str) -> Vec<Start> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let mut starts = match name {
        "Procfile" => procfile(path, text),
        "Makefile" | "makefile" | "GNUmakefile" => makefile(path, text),
        "crontab" => crontab(path, text),
        _ if name.ends_with(".service") => unit(path, text),
        _ if super::has_suffix(name, &[".cron", ".crontab"]) => crontab(path, text),
        _ => Vec::new(),
    };
    starts.truncate(MAX_ENTRIES);
    starts
}

/// Says whether [`read`] knows the file.
pub(super) fn is_start(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    matches!(
        name,
        "Procfile" | "Makefile" | "makefile" | "GNUmakefile" | "crontab"
    ) || super::has_suffix(name, &[".service", ".cron", ".crontab"])
}

fn procfile(path: &str, text: &str) -> Vec<Start> {
    (1_u32..)
        .zip(text.lines())
        .filter_map(|(line, text)| {
            let (name, script) = text.split_once(':')?;
            let name = name.trim();
            let is_name = !name.is_empty()
                && name
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
            is_name.then(|| Start {
                path: path.into(),
                line,
                kind: StartKind::Procfile,
                name: name.into(),
                script: Some(At::new(line, script.trim().into())),
                directory: Some(folder(path).into()),
            })
        })
        .collect()
}

fn makefile(path: &str, text: &str) -> Vec<Start> {
    let mut starts: Vec<Start> = Vec::new();
    // Targets of the rule whose recipe is being read: indices into `starts`.
    let mut open = 0..0;
    for (line, text) in (1_u32..).zip(text.lines()) {
        if let Some(recipe) = text.strip_prefix('\t') {
            let recipe = recipe.trim_start_matches(['@', '-', '+', ' ']);
            // `$$` is the shell's `$`, `$(X)` make's own: both stay no literal.
            for start in starts.get_mut(open.clone()).unwrap_or(&mut []) {
                match &mut start.script {
                    None => start.script = Some(At::new(line, recipe.into())),
                    Some(script) => {
                        // Lines in between (comments) are kept as blank ones, so that line numbers hold.
                        let read = script.value.matches('\n').count();
                        let missing = usize::try_from(line - script.line)
                            .unwrap_or(0)
                            .saturating_sub(read);
                        let mut value = String::from(std::mem::take(&mut script.value));
                        value.extend(std::iter::repeat_n('\n', missing.min(1_000)));
                        value.push_str(recipe);
                        script.value = value.into();
                    }
                }
            }
            continue;
        }
        let Some((targets, rest)) = text.split_once(':') else {
            continue;
        };
        if text.starts_with(['#', ' ', '.'])
            || rest.starts_with('=')
            || targets.contains(['=', '$', '%', '#'])
        {
            continue;
        }
        let from = starts.len();
        for name in targets.split_whitespace().take(20) {
            starts.push(Start {
                path: path.into(),
                line,
                kind: StartKind::Make,
                name: name.into(),
                script: None,
                directory: Some(folder(path).into()),
            });
        }
        open = from..starts.len();
        if starts.len() >= MAX_ENTRIES {
            break;
        }
    }
    starts
}

fn unit(path: &str, text: &str) -> Vec<Start> {
    let ini = Ini::parse(text);
    let name = path.rsplit('/').next().unwrap_or(path);
    let lines = ini
        .section("Service")
        .map_or(&[][..], |section| &section.entries);
    lines
        .iter()
        .filter(|entry| matches!(entry.key.as_ref(), "execstart" | "execstartpre"))
        .map(|entry| Start {
            path: path.into(),
            line: entry.line,
            kind: StartKind::Unit,
            name: name.into(),
            script: Some(At::new(
                entry.line,
                entry
                    .value
                    .trim_start_matches(['-', '@', '+', '!', ':'])
                    .into(),
            )),
            directory: None,
        })
        .collect()
}

fn crontab(path: &str, text: &str) -> Vec<Start> {
    (1_u32..)
        .zip(text.lines())
        .filter_map(|(line, text)| {
            let text = text.trim();
            let fields = if text.starts_with('@') { 1 } else { 5 };
            let mut rest = text;
            for _ in 0..fields {
                rest = rest.split_once(char::is_whitespace)?.1.trim_start();
            }
            let schedule = text.get(..text.len() - rest.len())?.trim();
            let is_schedule = schedule.starts_with('@')
                || schedule.chars().all(|c| {
                    c.is_ascii_alphanumeric() || matches!(c, '*' | '/' | ',' | '-' | ' ' | '\t')
                }) && schedule.starts_with(|c: char| c == '*' || c.is_ascii_digit());
            is_schedule.then(|| Start {
                path: path.into(),
                line,
                kind: StartKind::Cron,
                name: schedule.into(),
                script: Some(At::new(line, rest.into())),
                directory: None,
            })
        })
        .collect()
}

/// Reads the scripts of `package.json`.
pub(super) fn package_json(path: &str, root: &Node) -> Vec<Start> {
    root.get("scripts")
        .map_or(&[][..], Node::map)
        .iter()
        .take(MAX_ENTRIES)
        .filter_map(|(key, value)| {
            Some(Start {
                path: path.into(),
                line: key.line,
                kind: StartKind::Npm,
                name: key.text()?.into(),
                script: Some(At::new(value.line, value.text()?.into())),
                directory: Some(folder(path).into()),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_start_something_are_found() {
        let starts = read(
            "Procfile",
            "web: gunicorn a:b\n# no: x\nworker: python w.py\n",
        );
        assert_eq!((starts.len(), starts[1].line), (2, 3));
        let starts = read(
            "Makefile",
            "X := y\n.PHONY: test\ntest lint: dep\n\t@pytest tests\n\t# c\n\n\tpython a.py\n",
        );
        assert_eq!(starts.len(), 2);
        assert_eq!(
            starts[0].script,
            Some(At::new(4, "pytest tests\n# c\n\npython a.py".into()))
        );
        let starts = read(
            "deploy/bot.service",
            "[Service]\nExecStart=/usr/bin/python3 /srv/bot/run.py\n",
        );
        assert_eq!(starts[0].line, 2);
        let starts = read(
            "crontab",
            "# c\nPATH=/x\n*/5 * * * * python a.py\n@daily b\n",
        );
        assert_eq!(
            (
                starts.len(),
                starts[0].script.as_ref().unwrap().value.as_ref()
            ),
            (2, "python a.py")
        );
    }
}
