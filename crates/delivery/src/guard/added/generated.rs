//! Trees that a program made: told once for each root that was not in git before.

use std::collections::{BTreeMap, HashSet};

use tradewind_repo::RepoError;
use tradewind_repo::generated::{Maker, root_of};

use crate::guard::{Contents, Evidence, How, Judgement, Kind, Question, Stop, gone, text};
use crate::staged::Change;

/// Roots told one by one; a commit with more has one mistake, not hundreds.
const MAX_ROOTS: usize = 20;

/// Says whether a path lies in a tree that a program made.
pub(super) fn is_made(path: &[u8]) -> bool {
    std::str::from_utf8(path).is_ok_and(|path| root_of(path).is_some())
}

/// Tells the roots that are new.
pub(super) fn tell(
    question: &Question<'_>,
    contents: &dyn Contents,
    made: &[&Change],
    judgement: &mut Judgement,
) -> Result<(), RepoError> {
    let mut roots: BTreeMap<String, (Maker, Vec<&Change>)> = BTreeMap::new();
    for change in made {
        let path = text(&change.path);
        if let Some((maker, root)) =
            root_of(&path).and_then(|(maker, end)| Some((maker, path.get(..end)?)))
        {
            let of_root = roots.entry(root.to_owned()).or_insert((maker, Vec::new()));
            of_root.1.push(change);
        }
    }
    // What git has of the same kind already, the owner wants there.
    let new: HashSet<&[u8]> = question
        .changes
        .iter()
        .filter(|change| change.before.is_none())
        .map(|change| change.path.as_ref())
        .collect();
    judgement.has_read_tree = true;
    let mut known: HashSet<(Maker, String)> = HashSet::new();
    let deleted = question
        .changes
        .iter()
        .filter(|change| change.after.is_none());
    let tree = contents.tree()?;
    let before = tree
        .iter()
        .map(|(path, _)| path.as_ref())
        .filter(|path| !new.contains(path))
        .chain(deleted.map(|change| change.path.as_ref()));
    for path in before {
        let path = text(path);
        if let Some((maker, end)) = root_of(&path) {
            known.insert((maker, place(maker, &path, end)));
        }
    }
    let mut told = 0;
    for (root, (maker, changes)) in roots {
        if known.contains(&(maker, place(maker, &root, root.len()))) {
            continue;
        }
        told += 1;
        if told > MAX_ROOTS {
            judgement.not_checked.push(format!(
                "more than {MAX_ROOTS} made folders: the rest is not told one by one"
            ));
            break;
        }
        let count = changes.len();
        let files = if count == 1 {
            "1 file".to_owned()
        } else {
            format!("{count} files")
        };
        let evidence = changes.iter().take(3).map(|change| Evidence {
            path: text(&change.path).into_owned(),
            line: None,
            how: How::Here,
            note: "is added".to_owned(),
        });
        judgement.tell(Stop {
            kind: Kind::GeneratedTree,
            what: format!(
                "{root} is {} ({files}); each machine makes its own.",
                maker.as_str()
            ),
            evidence: evidence.collect(),
            more: count.saturating_sub(3),
            next: vec![
                super::unstage(&root),
                super::ignore(&root),
                gone::allow(&root),
            ],
            path: root,
        });
    }
    Ok(())
}

/// What counts as the same place: an environment is one by its root, caches and bytecode lie beside every module.
fn place(maker: Maker, path: &str, end: usize) -> String {
    match maker {
        Maker::Environment | Maker::NodeModules | Maker::Build => {
            path.get(..end).unwrap_or(path).to_owned()
        }
        Maker::Bytecode | Maker::ToolCache => String::new(),
    }
}
