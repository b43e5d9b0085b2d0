//! Where the files of a repository lie in an image that a Dockerfile builds, and what it starts.
//!
//! Folders and copies are followed through stages; what `RUN` makes is not, so absence is only said where no
//! `RUN` could have brought the file.

use super::commands::{Mention, Use, mentions};
use super::data::At;
use super::dockerfile::{Dockerfile, Instruction};
use super::presence::{Presence, path_presence};
use super::requirement::join;
use super::shell::Origin;
use crate::tree::Tree;

/// Programs that put files into an image in ways that nobody can foresee.
const BRINGERS: &[&str] = &[
    "git clone",
    "curl ",
    "wget ",
    "tar ",
    "unzip ",
    " cp ",
    "mv ",
    "make",
    "ln ",
    "npm ",
    "pip install .",
    "setup.py",
    "poetry install",
    "uv sync",
    "pdm install",
    "touch ",
    "tee ",
    "<<",
    "sed ",
];

/// One place in an image that files of the build context were copied to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Absolute path in the image, without a slash at the end.
    pub target: Box<str>,
    /// Path from the repository's root; `""` for all of it.
    pub source: Box<str>,
    /// Whether the copy takes part of the source's name along (`COPY a b dir/`).
    pub is_inside: bool,
}

/// What the image that a Dockerfile builds holds and starts.
#[derive(Clone, Debug, Default)]
pub struct Image {
    /// The folder that CMD runs in.
    pub work_folder: Box<str>,
    /// Copies from the build context.
    pub placed: Vec<Placed>,
    /// Whether something else may bring files: another image, an address, a program.
    pub is_open: bool,
}

/// What an image starts: line, and the words or text.
pub type Started = At<Box<str>>;

fn absolute(folder: &str, path: &str) -> Option<String> {
    if path.contains('$') {
        return None;
    }
    let base = if path.starts_with('/') { "" } else { folder };
    join(base, path.trim_start_matches('/')).map(|path| format!("/{path}"))
}

impl Image {
    /// Follows a Dockerfile whose build context is the folder `context` of the repository.
    pub fn of(file: &Dockerfile, context: &str) -> Self {
        let mut image = Self {
            work_folder: "/".into(),
            ..Self::default()
        };
        let shipped = file.shipped();
        let lines: Vec<u32> = shipped.iter().map(|instruction| instruction.line).collect();
        let copies = file.copies();
        for instruction in shipped {
            match instruction.keyword.as_ref() {
                "WORKDIR" => match absolute(&image.work_folder, instruction.rest.trim_matches('"'))
                {
                    Some(folder) => image.work_folder = folder.into(),
                    None => image.is_open = true,
                },
                "RUN" => {
                    let text = format!(" {} ", instruction.rest);
                    image.is_open |= instruction.heredoc.is_some()
                        || BRINGERS.iter().any(|word| text.contains(word));
                }
                "COPY" | "ADD" => {
                    let copy = copies
                        .iter()
                        .find(|(_, copy)| copy.line == instruction.line);
                    match copy {
                        Some((_, copy)) if lines.contains(&copy.line) => image.take(copy, context),
                        _ => image.is_open = true,
                    }
                }
                "VOLUME" | "ONBUILD" => image.is_open |= instruction.keyword.as_ref() == "ONBUILD",
                _ => {}
            }
        }
        image
    }

    fn take(&mut self, copy: &super::dockerfile::Copy, context: &str) {
        let Some(target) =
            absolute(&self.work_folder, &copy.target).filter(|_| copy.from.is_none())
        else {
            self.is_open = true;
            return;
        };
        let ends_in_folder =
            copy.target.ends_with('/') || copy.target.as_ref() == "." || copy.sources.len() > 1;
        for source in &copy.sources {
            if source.contains(['$', '*', '?', '[']) || source.contains("://") {
                self.is_open = true;
                continue;
            }
            let Some(source) = join(context, source.trim_start_matches('/')) else {
                continue;
            };
            self.placed.push(Placed {
                target: target.as_str().into(),
                source: source.into(),
                is_inside: ends_in_folder,
            });
        }
    }

    /// Returns the paths of the repository that may lie at a path of the image, last copied first.
    pub fn sources(&self, tree: &Tree, path: &str) -> Vec<String> {
        let Some(path) = absolute(&self.work_folder, path) else {
            return Vec::new();
        };
        let mut found = Vec::new();
        for placed in self.placed.iter().rev() {
            let is_file = tree.get(&placed.source).is_some();
            let name = placed.source.rsplit('/').next().unwrap_or(&placed.source);
            let target = match (is_file, placed.is_inside) {
                (true, true) => format!("{}/{name}", placed.target.trim_end_matches('/')),
                _ => placed.target.to_string(),
            };
            if target.trim_end_matches('/') == path {
                found.push(placed.source.to_string());
            } else if !is_file
                && let Some(rest) = path
                    .strip_prefix(target.trim_end_matches('/'))
                    .and_then(|rest| rest.strip_prefix('/'))
            {
                found.extend(join(&placed.source, rest));
            }
        }
        found
    }

    /// Says whether a file is at a path of the image.
    pub fn presence(&self, tree: &Tree, path: &str) -> Presence {
        let sources = self.sources(tree, path);
        let mut unknown = None;
        for source in &sources {
            match path_presence(tree, source) {
                Presence::Here => return Presence::Here,
                Presence::Unknown(reason) => unknown = Some(Presence::Unknown(reason)),
                Presence::Absent => {}
            }
        }
        if let Some(unknown) = unknown {
            return unknown;
        }
        if self.is_open || sources.is_empty() {
            return Presence::Unknown("something else than COPY may bring it");
        }
        Presence::Absent
    }

    /// Reads what a CMD, ENTRYPOINT or compose `command` starts, and says of each file and module whether it
    /// is in the image.
    pub fn started(&self, tree: &Tree, script: &At<String>) -> Vec<(Mention, Presence)> {
        let origin = Origin {
            line: script.line,
            directory: Some(""),
            own_names: &[],
        };
        let mentions = mentions(&script.value, origin).into_iter();
        mentions
            .filter(|mention| matches!(mention.usage, Use::Starts | Use::StartsModule))
            .map(|mention| {
                let presence = match (&mention.place, mention.usage) {
                    (_, Use::Starts) if mention.written.contains(['$', '*']) => {
                        Presence::Unknown("the path depends on variables or patterns")
                    }
                    (None, _) if !mention.written.starts_with('/') => {
                        Presence::Unknown("the path depends on variables or patterns")
                    }
                    (_, Use::StartsModule) => self.module(tree, &mention.written),
                    _ => self.presence(tree, &mention.written),
                };
                (mention, presence)
            })
            .collect()
    }

    fn module(&self, tree: &Tree, module: &str) -> Presence {
        if !module
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.')
        {
            return Presence::Unknown("no module name");
        }
        let path = module.replace('.', "/");
        let top = module.split('.').next().unwrap_or(module);
        let has = |path: &str| self.presence(tree, path) == Presence::Here;
        if has(&format!("{path}.py")) || has(&path) {
            return Presence::Here;
        }
        let is_ours = self
            .sources(tree, top)
            .iter()
            .any(|folder| tree.below(folder).any(|file| file.path.ends_with(".py")));
        if is_ours && path != top && !self.is_open {
            Presence::Absent
        } else {
            Presence::Unknown("not a module of this repository")
        }
    }
}

/// Returns a command in the writing of the shell: words of the exec form in quotes.
pub fn script_of(instruction: &Instruction) -> At<String> {
    let text = match &instruction.exec {
        Some(words) => quoted(words),
        None => instruction.rest.to_string(),
    };
    At::new(instruction.line, text)
}

/// Puts words in quotes, so that the reader of shell lines takes them as they are.
pub fn quoted(words: &[Box<str>]) -> String {
    let quoted: Vec<String> = words
        .iter()
        .map(|word| format!("'{}'", word.replace('\'', "'\\''")))
        .collect();
    quoted.join(" ")
}

#[cfg(test)]
mod tests {
    use super::super::dockerfile::parse;
    use super::*;

    #[test]
    fn files_are_found_where_they_were_copied() {
        let tree = Tree::of([("run.py", ""), ("bot/cli.py", ""), ("conf/a.yml", "")]);
        let image = |text: &str| Image::of(&parse("Dockerfile", text), "");
        let whole = image("FROM python\nWORKDIR /app\nRUN pip install x\nCOPY . .\n");
        assert_eq!(whole.presence(&tree, "run.py"), Presence::Here);
        assert_eq!(whole.presence(&tree, "/app/bot/cli.py"), Presence::Here);
        assert_eq!(whole.presence(&tree, "gone.py"), Presence::Absent);
        assert!(matches!(
            whole.presence(&tree, "/usr/bin/x"),
            Presence::Unknown(_)
        ));
        let part = image("FROM python\nCOPY bot /srv/bot\nCOPY run.py conf /srv/\nWORKDIR /srv\n");
        assert_eq!(part.presence(&tree, "run.py"), Presence::Here);
        assert_eq!(part.presence(&tree, "bot/cli.py"), Presence::Here);
        assert_eq!(part.presence(&tree, "a.yml"), Presence::Here);
        let open = image("FROM python\nWORKDIR /app\nRUN git clone x\nCOPY . .\n");
        assert!(matches!(
            open.presence(&tree, "gone.py"),
            Presence::Unknown(_)
        ));
        let started = whole.started(&tree, &At::new(3, "'python' '-m' 'bot.main'".into()));
        assert_eq!(started[0].1, Presence::Absent);
        let started = whole.started(&tree, &At::new(3, "python gone.py".into()));
        assert_eq!(started[0].1, Presence::Absent);
    }
}
