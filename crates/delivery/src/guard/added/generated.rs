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

/// What comes below one root, and who made it.
type Roots<'q> = BTreeMap<String, (Maker, Vec<&'q Change>)>;

/// Tells the roots that are new.
pub(super) fn tell(
    question: &Question<'_>,
    contents: &dyn Contents,
    made: &[&Change],
    judgement: &mut Judgement,
) -> Result<(), RepoError> {
    judgement.has_read_tree = true;
    let known = known(question, contents)?;
    let mut new = roots(made);
    new.retain(|root, (maker, _)| !known.contains(&(*maker, place(*maker, root, root.len()))));
    if new.len() > MAX_ROOTS {
        judgement.not_checked.push(format!(
            "more than {MAX_ROOTS} made folders: the rest is not told one by one"
        ));
    }
    for (root, (maker, changes)) in new.into_iter().take(MAX_ROOTS) {
        judgement.tell(stop(root, maker, &changes));
    }
    Ok(())
}

/// Sorts what comes by the root that it lies below.
fn roots<'q>(made: &[&'q Change]) -> Roots<'q> {
    let mut roots = Roots::new();
    let environments = environments(made);
    for change in made {
        let path = text(&change.path);
        let Some((maker, end)) = root_of(&path) else {
            continue;
        };
        // Compiled files of an environment are a part of it.
        let around = environments
            .iter()
            .find(|root| path.starts_with(&format!("{root}/")));
        let (maker, root) = match around {
            Some(root) => (Maker::Environment, root.as_str()),
            None => (maker, path.get(..end).unwrap_or(&path)),
        };
        let of_root = roots.entry(root.to_owned()).or_insert((maker, Vec::new()));
        of_root.1.push(change);
    }
    merged(roots)
}

/// Returns what git has of the same kinds already: the owner wants it there.
fn known(
    question: &Question<'_>,
    contents: &dyn Contents,
) -> Result<HashSet<(Maker, String)>, RepoError> {
    let new: HashSet<&[u8]> = question
        .changes
        .iter()
        .filter(|change| change.before.is_none())
        .map(|change| change.path.as_ref())
        .collect();
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
    let mut known = HashSet::new();
    for path in before {
        let path = text(path);
        if let Some((maker, end)) = root_of(&path) {
            known.insert((maker, place(maker, &path, end)));
        }
    }
    Ok(known)
}

fn stop(root: String, maker: Maker, changes: &[&Change]) -> Stop {
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
    // Caches and compiled files lie in many folders: a pattern names them all.
    let is_in_many = changes
        .iter()
        .any(|change| !text(&change.path).starts_with(root.as_str()));
    let pattern = match (is_in_many, maker) {
        (true, Maker::Bytecode) => "*.pyc",
        (true, _) => root.rsplit('/').next().unwrap_or(&root),
        (false, _) => &root,
    };
    let like = if is_in_many { " and the like" } else { "" };
    Stop {
        kind: Kind::GeneratedTree,
        what: format!(
            "{root}{like} is {} ({files}); each machine makes its own.",
            maker.as_str()
        ),
        evidence: evidence.collect(),
        more: count.saturating_sub(3),
        next: vec![
            super::unstage(pattern),
            super::ignore(pattern),
            gone::allow(&root),
        ],
        path: root,
    }
}

/// Returns the roots of environments among what comes.
fn environments(made: &[&Change]) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for change in made {
        let path = text(&change.path);
        if let Some((Maker::Environment, end)) = root_of(&path)
            && let Some(root) = path.get(..end)
            && !found.iter().any(|known| known == root)
        {
            found.push(root.to_owned());
        }
    }
    found
}

/// Caches and compiled files lie beside every module: they are told as one, by the first.
fn merged(roots: Roots<'_>) -> Roots<'_> {
    let mut firsts: BTreeMap<Maker, String> = BTreeMap::new();
    let mut merged = Roots::new();
    for (root, (maker, changes)) in roots {
        let key = match maker {
            Maker::Bytecode | Maker::ToolCache => firsts.entry(maker).or_insert(root).clone(),
            Maker::Environment | Maker::NodeModules | Maker::Build => root,
        };
        merged
            .entry(key)
            .or_insert((maker, Vec::new()))
            .1
            .extend(changes);
    }
    merged
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
