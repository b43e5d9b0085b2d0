//! Contents of objects come by name, many at once, and none beyond the bound.

use std::ops::ControlFlow;

use tradewind_repo::{Oid, objects};

use crate::scratch::Scratch;

#[test]
fn blobs_come_in_order_and_what_is_missing_or_too_long_is_counted() {
    let scratch = Scratch::new();
    scratch.write("a", "");
    scratch.write("b", "one\ntwo\n");
    scratch.write("c", "no line feed\0");
    scratch.write("long", &"x".repeat(200_000));
    scratch.run(&["add", "."]);
    scratch.commit("first");
    let id = |name: &str| -> Oid { scratch.run(&["rev-parse", name]).parse().unwrap() };
    let (a, b, c, long) = (id("HEAD:a"), id("HEAD:b"), id("HEAD:c"), id("HEAD:long"));
    let absent: Oid = "12".repeat(20).parse().unwrap();
    let mut found = Vec::new();
    let asked = [c, absent, long, id("HEAD"), a, b];
    let skipped = objects::read(
        &scratch.git,
        &scratch.location(),
        asked,
        100,
        |oid, bytes| {
            found.push((oid, bytes.to_vec()));
            ControlFlow::Continue(())
        },
    )
    .unwrap();
    assert_eq!((skipped.missing, skipped.too_long), (1, 1));
    let expected: [(Oid, &[u8]); 3] = [(c, b"no line feed\0"), (a, b""), (b, b"one\ntwo\n")];
    assert_eq!(found, expected.map(|(oid, bytes)| (oid, bytes.to_vec())));
    // A caller that has enough stops git.
    let mut count = 0;
    objects::read(&scratch.git, &scratch.location(), [a, b, c], 100, |_, _| {
        count += 1;
        ControlFlow::Break(())
    })
    .unwrap();
    assert_eq!(count, 1);
    let mut bytes = 0;
    objects::read(
        &scratch.git,
        &scratch.location(),
        [long, long],
        1 << 20,
        |_, blob| {
            bytes += blob.len();
            ControlFlow::Continue(())
        },
    )
    .unwrap();
    assert_eq!(bytes, 400_000);
}
