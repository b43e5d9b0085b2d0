//! Random choices that come again: the same name makes the same files.

/// Where random choices come from.
pub(crate) struct Seed(u64);

impl Seed {
    pub(crate) fn of(name: &str) -> Self {
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self(hash | 1)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let bound = u64::try_from(bound.max(1)).unwrap();
        usize::try_from((self.0 >> 11) % bound).unwrap()
    }

    pub(crate) fn of_list<'a, T: ?Sized>(&mut self, list: &[&'a T]) -> &'a T {
        list[self.below(list.len())]
    }

    /// Joins up to `most` of some fragments.
    pub(crate) fn join(&mut self, fragments: &[&str], most: usize) -> Vec<u8> {
        let count = self.below(most + 1);
        (0..count)
            .flat_map(|_| self.of_list(fragments).bytes())
            .collect()
    }

    /// Breaks a text: takes out, doubles, swaps or puts in pieces of it.
    pub(crate) fn broken(&mut self, text: &str, fragments: &[&str]) -> Vec<u8> {
        let mut pieces: Vec<&[u8]> = Vec::new();
        let mut start = 0;
        let bytes = text.as_bytes();
        for at in 1..=bytes.len() {
            let is_word = |byte: u8| byte.is_ascii_alphanumeric();
            if at == bytes.len() || !(is_word(bytes[at - 1]) && is_word(bytes[at])) {
                pieces.push(&bytes[start..at]);
                start = at;
            }
        }
        for _ in 0..self.below(3) {
            let at = self.below(pieces.len());
            match self.below(5) {
                0 if !pieces.is_empty() => drop(pieces.remove(at)),
                1 if !pieces.is_empty() => pieces.insert(at, pieces[at]),
                2 if pieces.len() > 1 => pieces.swap(at, 0),
                3 => pieces.truncate(at + 1),
                _ => pieces.insert(at, self.of_list(fragments).as_bytes()),
            }
        }
        pieces.concat()
    }
}
