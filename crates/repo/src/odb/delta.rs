//! Deltas: an object told as pieces of another and new bytes between them.

/// Applies a delta to its base; `None` when it is none for it, or makes another length than it says.
pub(super) fn apply(base: &[u8], delta: &[u8], max_bytes: u64) -> Option<Vec<u8>> {
    let mut rest = delta;
    if size(&mut rest)? != base.len() as u64 {
        return None;
    }
    let len = size(&mut rest)?;
    if len > max_bytes {
        return None;
    }
    let len = usize::try_from(len).ok()?;
    let mut made = Vec::with_capacity(len);
    while let Some((op, tail)) = rest.split_first() {
        rest = tail;
        if op & 0x80 == 0 {
            if *op == 0 {
                return None;
            }
            let (new, tail) = rest.split_at_checked(usize::from(*op))?;
            made.extend_from_slice(new);
            rest = tail;
        } else {
            let mut number = |bits: std::ops::Range<u8>| {
                bits.clone().try_fold(0_usize, |number, bit| {
                    if op >> bit & 1 == 0 {
                        return Some(number);
                    }
                    let (byte, tail) = rest.split_first()?;
                    rest = tail;
                    Some(number | usize::from(*byte) << (8 * (bit - bits.start)))
                })
            };
            let from = number(0..4)?;
            let count = match number(4..7)? {
                0 => 0x10000,
                count => count,
            };
            made.extend_from_slice(base.get(from..from.checked_add(count)?)?);
        }
        if made.len() > len {
            return None;
        }
    }
    (made.len() == len).then_some(made)
}

/// Returns the length that a delta makes.
pub(super) fn target_size(delta: &[u8]) -> Option<u64> {
    let mut rest = delta;
    size(&mut rest)?;
    size(&mut rest)
}

fn size(rest: &mut &[u8]) -> Option<u64> {
    let mut size = 0;
    for shift in (0..63).step_by(7) {
        let (byte, tail) = rest.split_first()?;
        *rest = tail;
        size |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(size);
        }
    }
    None
}
