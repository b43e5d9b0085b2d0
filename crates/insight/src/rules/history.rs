//! What the commits tell.

mod delete_and_re_add;
mod editor_backup;
mod generated_tree_committed;
mod kitchen_sink_commit;
mod large_binary;
mod mangled_name;
mod mass_deletion;
mod message_contradicts_content;
mod past;
mod poor_messages;
mod straight_to_main;
mod tracked_although_ignored;

use crate::rule::Rule;

/// Rules over the whole repository.
pub const RULES: &[&dyn Rule] = &[
    &delete_and_re_add::DeleteAndReAdd,
    &editor_backup::EditorBackup,
    &generated_tree_committed::GeneratedTreeCommitted,
    &kitchen_sink_commit::KitchenSinkCommit,
    &large_binary::LargeBinary,
    &mangled_name::MangledName,
    &mass_deletion::MassDeletion,
    &message_contradicts_content::MessageContradictsContent,
    &poor_messages::PoorMessages,
    &straight_to_main::StraightToMain,
    &tracked_although_ignored::TrackedAlthoughIgnored,
];
