//! Hostile conditions: whatever is written, the process lives and evaluation stays bounded.

use proptest::prelude::*;
use tradewind_core::EventKind;
use tradewind_engine::condition::Condition;

/// Pieces that make sense to the parser, in any order.
fn soup() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "event", ".", "data", "kind", "view", "count", "(", ")", "[", "]", "{", "}", "?", ":", ",",
        "&&", "||", "!", "-", "+", "*", "/", "%", "==", "!=", "<", ">=", " in ", "'x'", "\"y\"",
        "1", "2.5", "0x1F", "3u", "null", "true", "r'a'", "b'c'", "all", "exists", "map", "filter",
        "has", "size", "matches", "x", "`", "\\", "\n", "é", "//", "'''",
    ]);
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn any_soup_of_tokens_is_answered(source in soup()) {
        let kinds = [EventKind::RepoBranchUpdated, EventKind::RepoWorktreeChanged];
        if let Err(mistakes) = Condition::compile(&source, &kinds) {
            prop_assert!(!mistakes.is_empty());
            for mistake in mistakes {
                prop_assert!(mistake.offset <= source.chars().count());
                prop_assert!(!mistake.message.is_empty());
            }
        }
    }

    #[test]
    fn any_text_is_answered(source in ".{0,200}") {
        drop(Condition::compile(&source, &[EventKind::ExternalEventReceived]));
    }
}
