//! Strings and their codes, in order of first sight; kept as a Native block has them.

use crate::identity::word;

/// Numbers as ClickHouse writes lengths.
pub fn put_leb128(mut number: u64, into: &mut Vec<u8>) {
    while number >= 0x80 {
        into.push(number as u8 | 0x80);
        number >>= 7;
    }
    into.push(number as u8);
}

/// One dictionary.
pub struct Dictionary {
    seed: u64,
    /// 32 bits of the hash, and the code + 1; 0 is free. A power of two of them, half of them full.
    slots: Vec<u64>,
    /// Where each begins in `packed`, and its length.
    keys: Vec<(usize, u32)>,
    /// Length (LEB128) and bytes of each.
    packed: Vec<u8>,
}

const FEWEST_SLOTS: usize = 64;

#[inline(always)]
fn fold(first: u64, second: u64) -> u64 {
    let product = u128::from(first) * u128::from(second);
    product as u64 ^ (product >> 64) as u64
}

/// A hash for this process only.
#[inline(always)]
fn hash(seed: u64, text: &[u8]) -> u64 {
    let mut sum = seed ^ (text.len() as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut rest = text;
    while rest.len() > 8 {
        sum = fold(sum ^ word(rest), 0xA076_1D64_78BD_642F);
        rest = &rest[8..];
    }
    fold(sum ^ word(rest), 0xE703_7ED1_A0B4_28DB)
}

/// Whether two texts of one length are equal: short ones without a call.
#[inline(always)]
fn same(first: &[u8], second: &[u8]) -> bool {
    fn ends<const N: usize>(text: &[u8]) -> Option<([u8; N], [u8; N])> {
        Some((*text.first_chunk()?, *text.last_chunk()?))
    }
    match first.len() {
        16..=32 => ends::<16>(first) == ends::<16>(second),
        8..=15 => ends::<8>(first) == ends::<8>(second),
        4..=7 => ends::<4>(first) == ends::<4>(second),
        _ => first == second,
    }
}

impl Dictionary {
    /// An empty one; whoever chooses texts does not know the seed.
    pub fn new(seed: u64) -> Self {
        Dictionary { seed, slots: vec![0; FEWEST_SLOTS], keys: Vec::new(), packed: Vec::new() }
    }

    /// What it was made with.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// How many texts there are.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Each one's length and bytes.
    pub fn packed(&self) -> &[u8] {
        &self.packed
    }

    /// The text of a code.
    pub fn get(&self, code: u32) -> &[u8] {
        let (at, size) = self.keys[code as usize];
        &self.packed[at..at + size as usize]
    }

    /// All texts, in order of their codes.
    pub fn texts(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.keys.len() as u32).map(|code| self.get(code))
    }

    /// What it takes in memory.
    pub fn memory_bytes(&self) -> usize {
        self.slots.capacity() * 8 + self.keys.capacity() * 16 + self.packed.capacity()
    }

    /// The text's code.
    #[inline(always)]
    pub fn code(&mut self, text: &[u8]) -> u32 {
        let hash = hash(self.seed, text) >> 32;
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        loop {
            let slot = self.slots[at];
            if slot == 0 {
                return self.add(hash, text);
            }
            if slot >> 32 == hash {
                let (from, size) = self.keys[(slot as u32 - 1) as usize];
                let size = size as usize;
                if size == text.len() && same(&self.packed[from..from + size], text) {
                    return slot as u32 - 1;
                }
            }
            at = (at + 1) & mask;
        }
    }

    #[inline(never)]
    fn add(&mut self, hash: u64, text: &[u8]) -> u32 {
        if (self.keys.len() + 1) * 2 > self.slots.len() {
            let larger = vec![0; self.slots.len() * 4];
            let slots = std::mem::replace(&mut self.slots, larger);
            slots.into_iter().filter(|slot| *slot != 0).for_each(|slot| self.put(slot));
        }
        let code = self.keys.len() as u32;
        self.put(hash << 32 | u64::from(code + 1));
        put_leb128(text.len() as u64, &mut self.packed);
        self.keys.push((self.packed.len(), text.len() as u32));
        self.packed.extend_from_slice(text);
        code
    }

    fn put(&mut self, slot: u64) {
        let mask = self.slots.len() - 1;
        let mut at = (slot >> 32) as usize & mask;
        while self.slots[at] != 0 {
            at = (at + 1) & mask;
        }
        self.slots[at] = slot;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn codes_are_in_order_of_first_sight(
            texts in prop::collection::vec("[ab]{0,3}|[ab]{7,18}|[ab]{31,34}", 0..500),
            seed in any::<u64>(),
        ) {
            let mut dictionary = Dictionary::new(seed);
            let mut known: Vec<&[u8]> = Vec::new();
            for text in texts.iter().map(|text| text.as_bytes()) {
                let wanted = known.iter().position(|one| *one == text).unwrap_or_else(|| {
                    known.push(text);
                    known.len() - 1
                });
                prop_assert_eq!(dictionary.code(text), wanted as u32);
            }
            prop_assert_eq!(dictionary.texts().collect::<Vec<_>>(), known);
        }
    }

    #[test]
    fn lengths_are_written_in_groups_of_seven_bits() {
        let mut octets = Vec::new();
        [0, 127, 128, 16_384].into_iter().for_each(|number| put_leb128(number, &mut octets));
        assert_eq!(octets, [0, 127, 128, 1, 128, 128, 1]);
    }
}
