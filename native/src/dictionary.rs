//! Strings and their codes, in order of first sight; kept as a Native block has them.

use crate::identity::word;
use crate::memory::prefetch;

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
    /// Where each begins in `packed`, with its length.
    keys: Vec<usize>,
    /// Length (LEB128) and bytes of each.
    packed: Vec<u8>,
}

const FEWEST_SLOTS: usize = 64;

/// A table of so many slots is always near.
const NEAR_SLOTS: usize = 1 << 12;

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
        self.text(self.keys[code as usize])
    }

    /// The text whose length stands here.
    #[inline(always)]
    fn text(&self, mut at: usize) -> &[u8] {
        let (mut size, mut shift) = (0, 0);
        loop {
            let octet = usize::from(self.packed[at]);
            size |= (octet & 0x7f) << shift;
            at += 1;
            if octet < 0x80 {
                return &self.packed[at..at + size];
            }
            shift += 7;
        }
    }

    /// All texts, in order of their codes.
    pub fn texts(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.keys.len() as u32).map(|code| self.get(code))
    }

    /// What it takes in memory.
    pub fn memory_bytes(&self) -> usize {
        (self.slots.capacity() + self.keys.capacity()) * 8 + self.packed.capacity()
    }

    /// The text's code.
    #[inline(always)]
    pub fn code(&mut self, text: &[u8]) -> u32 {
        self.hashed(self.hash(text), text)
    }

    /// The text's hash, for `hashed`.
    #[inline(always)]
    pub fn hash(&self, text: &[u8]) -> u64 {
        hash(self.seed, text) >> 32
    }

    /// Have the memory brought near that `hashed` looks at first.
    #[inline(always)]
    pub fn prefetch(&self, hash: u64) {
        if self.slots.len() > NEAR_SLOTS {
            prefetch(&self.slots[hash as usize & (self.slots.len() - 1)]);
        }
    }

    /// The code of the text that has this hash.
    #[inline(always)]
    pub fn hashed(&mut self, hash: u64, text: &[u8]) -> u32 {
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        loop {
            let slot = self.slots[at];
            if slot == 0 {
                return self.add(hash, text);
            }
            if slot >> 32 == hash {
                let known = self.get(slot as u32 - 1);
                if known.len() == text.len() && same(known, text) {
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
        self.keys.push(self.packed.len());
        put_leb128(text.len() as u64, &mut self.packed);
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
