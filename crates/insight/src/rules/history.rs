//! What the commits tell.

mod delete_and_re_add;
mod editor_backup;
mod generated_tree_committed;
mod hurried_repairs;
mod kitchen_sink_commit;
mod large_binary;
mod mangled_name;
mod mass_deletion;
mod message_contradicts_content;
mod past;
mod poor_messages;
mod straight_to_main;
mod tracked_although_ignored;

use tradewind_repo::history::{Commit, History};

use crate::rule::Rule;

/// Says whether any rule asks how many lines a commit changed. To count those of all commits costs ten times of what
/// all the rest of history does.
pub(crate) fn asks_for_lines(history: &History, commit: &Commit) -> bool {
    kitchen_sink_commit::asks_for_lines(history, commit)
        || message_contradicts_content::asks_for_lines(history, commit)
}

/// Rules over the whole repository.
pub const RULES: &[&dyn Rule] = &[
    &delete_and_re_add::DeleteAndReAdd,
    &editor_backup::EditorBackup,
    &generated_tree_committed::GeneratedTreeCommitted,
    &hurried_repairs::HurriedRepairs,
    &kitchen_sink_commit::KitchenSinkCommit,
    &large_binary::LargeBinary,
    &mangled_name::MangledName,
    &mass_deletion::MassDeletion,
    &message_contradicts_content::MessageContradictsContent,
    &poor_messages::PoorMessages,
    &straight_to_main::StraightToMain,
    &tracked_although_ignored::TrackedAlthoughIgnored,
];
