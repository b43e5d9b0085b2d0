//! The order of commits: children before parents, and which are on the line of first parents.

use std::collections::HashMap;

use super::Commit;
use crate::oid::Oid;

/// Puts children before parents. Git's own streamed order is by time, and clocks go wrong; only then anything
/// moves.
pub(super) fn children_first(commits: &mut Vec<Commit>) {
    let places: HashMap<Oid, usize> = commits
        .iter()
        .enumerate()
        .map(|(at, commit)| (commit.id, at))
        .collect();
    let parents = |at: usize, commits: &[Commit]| -> Vec<usize> {
        let commit = commits.get(at);
        commit
            .into_iter()
            .flat_map(|commit| commit.parents.iter())
            .filter_map(|parent| places.get(parent).copied())
            .collect()
    };
    let is_sorted =
        (0..commits.len()).all(|at| parents(at, commits).iter().all(|parent| *parent > at));
    if is_sorted {
        return;
    }
    let mut children = vec![0_u32; commits.len()];
    for at in 0..commits.len() {
        for parent in parents(at, commits) {
            children[parent] += 1;
        }
    }
    // The smallest place first keeps what git said wherever it may stay.
    let mut ready: std::collections::BTreeSet<usize> =
        (0..commits.len()).filter(|at| children[*at] == 0).collect();
    let mut order = Vec::with_capacity(commits.len());
    while let Some(at) = ready.pop_first() {
        order.push(at);
        for parent in parents(at, commits) {
            children[parent] -= 1;
            if children[parent] == 0 {
                ready.insert(parent);
            }
        }
    }
    let mut slots: Vec<Option<Commit>> = std::mem::take(commits).into_iter().map(Some).collect();
    commits.extend(order.into_iter().filter_map(|at| slots[at].take()));
    // Grafts can make a circle; what is in one keeps its place at the end.
    commits.extend(slots.into_iter().flatten());
}

/// Marks the line of first parents from the first commit, which is HEAD.
pub(super) fn mark_main_line(commits: &mut [Commit]) {
    let Some(mut next) = commits.first().map(|commit| commit.id) else {
        return;
    };
    // One pass is enough: a parent never stands before its child.
    for commit in commits {
        if commit.id == next {
            commit.is_on_main_line = true;
            match commit.parents.first() {
                Some(parent) => next = *parent,
                None => return,
            }
        }
    }
}
