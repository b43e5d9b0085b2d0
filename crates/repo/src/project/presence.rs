//! Whether what a command names is in the repository.
//!
//! Three answers: the file is there, is not there, or nobody can say (variables, patterns, unknown folders, files
//! made by an earlier command, submodules, installed packages).

use super::commands::{Mention, Use};
use super::requirement::join;
use crate::tree::{FileState, Tree};

/// Whether something is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Git has it.
    Here,
    /// Git does not have it.
    Absent,
    /// It cannot be said, and why.
    Unknown(&'static str),
}
impl Mention {
    /// Says whether what it names is in the repository. Modules are looked for in the command's folder, in
    /// `src/` and in `roots`; a module whose first part is no package of this repository is installed, and
    /// not asked for here.
    pub fn presence(&self, tree: &Tree, roots: &[Box<str>]) -> Presence {
        let Some(place) = self.place.as_deref() else {
            return Presence::Unknown(
                "the path depends on variables, patterns or an unknown folder",
            );
        };
        let presence = match self.usage {
            Use::StartsModule => module_presence(tree, &self.written, place, roots),
            Use::Makes => return Presence::Unknown("a target of make"),
            Use::Enters | Use::Installs | Use::Tests if place.is_empty() => return Presence::Here,
            _ => path_presence(tree, place),
        };
        match presence {
            Presence::Absent if self.may_be_made => {
                Presence::Unknown("an earlier command may make it")
            }
            other => other,
        }
    }
}

/// Says whether git has a path, or only this disk.
pub fn path_presence(tree: &Tree, path: &str) -> Presence {
    let path = path.trim_end_matches('/');
    if tree.has(path) {
        return Presence::Here;
    }
    match tree.get(path) {
        Some(file) if file.state == FileState::Untracked => {
            Presence::Unknown("on this disk and not in git")
        }
        Some(_) => Presence::Unknown("ignored, and on this disk only"),
        None if tree.below(path).next().is_some() => {
            Presence::Unknown("on this disk and not in git")
        }
        // A submodule's files are not listed.
        None if path
            .match_indices('/')
            .any(|(at, _)| tree.get(&path[..at]).is_some()) =>
        {
            Presence::Unknown("inside a submodule or link")
        }
        None => Presence::Absent,
    }
}

/// Says whether `a.b` can be started from `directory`.
pub fn module_presence(tree: &Tree, module: &str, directory: &str, roots: &[Box<str>]) -> Presence {
    if module.is_empty()
        || !module
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.')
    {
        return Presence::Unknown("no module name");
    }
    let path = module.replace('.', "/");
    let top = module.split('.').next().unwrap_or(module);
    let source = join(directory, "src").unwrap_or_default();
    let mut knows_top = false;
    for root in [directory, &source]
        .into_iter()
        .chain(roots.iter().map(AsRef::as_ref))
    {
        let at = |rest: &str| join(root, rest).unwrap_or_default();
        if tree.has(&at(&format!("{path}.py"))) || tree.has_folder(&at(&path)) {
            return Presence::Here;
        }
        let top_file = at(&format!("{top}.py"));
        let top_folder = at(top);
        knows_top |= tree.has(&top_file)
            || tree
                .below(&top_folder)
                .any(|file| file.path.ends_with(".py"));
    }
    if knows_top && top != path {
        Presence::Absent
    } else {
        Presence::Unknown("not a module of this repository")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::commands::mentions;
    use crate::project::shell::Origin;

    #[test]
    fn presence_has_three_values() {
        let tree = Tree::of([
            ("bot/cli.py", ""),
            ("scripts/x.py", ""),
            ("src/pkg/a.py", ""),
        ]);
        let presence = |script: &str| {
            mentions(script, Origin::at(1))
                .last()
                .unwrap()
                .presence(&tree, &[])
        };
        assert_eq!(presence("python scripts/x.py"), Presence::Here);
        assert_eq!(presence("python run.py"), Presence::Absent);
        assert_eq!(presence("python -m bot.cli"), Presence::Here);
        assert_eq!(presence("python -m bot.main"), Presence::Absent);
        assert_eq!(presence("python -m pkg.a"), Presence::Here);
        assert!(matches!(presence("python -m venv x"), Presence::Unknown(_)));
        assert!(matches!(presence("python $A"), Presence::Unknown(_)));
        assert!(matches!(
            presence("curl -O x\npython run.py"),
            Presence::Unknown(_)
        ));
        assert!(matches!(
            presence("echo 1 > gen.py; python gen.py"),
            Presence::Unknown(_)
        ));
        let guarded = "if [ -f r.txt ]; then pip install -r r.txt; fi";
        assert!(matches!(presence(guarded), Presence::Unknown(_)));
    }
}
