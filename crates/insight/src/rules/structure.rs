//! Copies and abandoned generations.

use crate::rule::Rule;

pub mod abandoned_generation;
pub mod copied_function;
pub mod identical_files;
pub mod parallel_trees;

/// Rules over the whole repository.
pub const RULES: &[&dyn Rule] = &[
    &identical_files::IdenticalFiles,
    &copied_function::CopiedFunction,
    &abandoned_generation::AbandonedGeneration,
    &parallel_trees::ParallelTrees,
];
