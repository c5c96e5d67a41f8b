//! Columns of numbers, no wider than what they hold: columns are much of what a worker holds while
//! there is a backlog.

/// A column has room for so many, once it has any.
const FEWEST_ROWS: usize = 256;

/// Have a column take `more` elements. One that has to grow does so by half. Mostly none has to:
/// there is `room` for as many as are expected from the first one on.
pub fn make_room<T>(column: &mut Vec<T>, more: usize, room: usize) {
    if column.capacity() - column.len() < more {
        let expected = if column.is_empty() { room } else { column.len() / 2 };
        column.reserve_exact(more.max(expected).max(FEWEST_ROWS));
    }
}

/// Numbers of 64 bits, bit patterns: nearly all fit half of them, and what producers leave out, in
/// all rows as a rule, takes nothing.
pub enum Ints {
    /// So many zeros.
    Zeros(usize),
    /// Each fits 32 bits.
    Half(Vec<u32>),
    /// Some do not.
    Whole(Vec<u64>),
}

impl Default for Ints {
    fn default() -> Self {
        Ints::Zeros(0)
    }
}

impl Ints {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Ints::Zeros(count) => *count,
            Ints::Half(column) => column.len(),
            Ints::Whole(column) => column.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether there is none but zeros.
    pub fn is_zero(&self) -> bool {
        matches!(self, Ints::Zeros(_))
    }

    /// The number of a row. Panics where there is no such row.
    #[inline(always)]
    pub fn get(&self, row: usize) -> u64 {
        match self {
            Ints::Zeros(count) => {
                assert!(row < *count);
                0
            }
            Ints::Half(column) => u64::from(column[row]),
            Ints::Whole(column) => column[row],
        }
    }

    /// Call something with each, in order.
    #[inline(always)]
    pub fn each(&self, mut act: impl FnMut(u64)) {
        match self {
            Ints::Zeros(count) => (0..*count).for_each(|_| act(0)),
            Ints::Half(column) => column.iter().for_each(|number| act(u64::from(*number))),
            Ints::Whole(column) => column.iter().for_each(|number| act(*number)),
        }
    }

    /// Add these, with room for as many as are expected.
    #[inline(always)]
    pub fn extend(&mut self, numbers: impl ExactSizeIterator<Item = u64> + Clone, room: usize) {
        let bits = numbers.clone().fold(0, |bits, number| bits | number);
        match self {
            Ints::Zeros(_) if bits > 0 => self.widen(bits, numbers.len(), room),
            Ints::Half(_) if bits > u64::from(u32::MAX) => self.widen(bits, numbers.len(), room),
            _ => {}
        }
        match self {
            Ints::Zeros(count) => *count += numbers.len(),
            Ints::Half(column) => {
                make_room(column, numbers.len(), room);
                column.extend(numbers.map(|number| number as u32));
            }
            Ints::Whole(column) => {
                make_room(column, numbers.len(), room);
                column.extend(numbers);
            }
        }
    }

    #[cold]
    fn widen(&mut self, bits: u64, more: usize, room: usize) {
        let size = (self.len() + more).max(room);
        if bits > u64::from(u32::MAX) {
            let mut whole = Vec::with_capacity(size);
            self.each(|number| whole.push(number));
            *self = Ints::Whole(whole);
        } else {
            let mut half = Vec::with_capacity(size);
            half.resize(self.len(), 0);
            *self = Ints::Half(half);
        }
    }

    /// What it takes in memory.
    pub fn memory_bytes(&self) -> usize {
        match self {
            Ints::Zeros(_) => 0,
            Ints::Half(column) => column.capacity() * 4,
            Ints::Whole(column) => column.capacity() * 8,
        }
    }

    /// All of them as 64 bits each, little-endian.
    pub fn put(&self, out: &mut Vec<u8>) {
        let begin = out.len();
        out.resize(begin + self.len() * 8, 0);
        let mut places = out[begin..].chunks_exact_mut(8);
        if !self.is_zero() {
            self.each(|number| {
                if let Some(place) = places.next() {
                    place.copy_from_slice(&number.to_le_bytes());
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn number() -> impl Strategy<Value = u64> {
        prop_oneof![8 => Just(0), 3 => any::<u32>().prop_map(u64::from), 1 => any::<u64>()]
    }

    proptest! {
        #[test]
        fn what_was_added_is_there(
            pieces in prop::collection::vec(
                prop_oneof![
                    9 => prop::collection::vec(number(), 0..5),
                    1 => prop::collection::vec(number(), 250..300), // more than the first has room for
                ],
                0..12,
            ),
            room in 0..400usize,
        ) {
            let mut ints = Ints::default();
            for piece in &pieces {
                ints.extend(piece.iter().copied(), room);
            }
            let all = pieces.concat();
            let mut found = Vec::new();
            ints.each(|number| found.push(number));
            prop_assert_eq!(&found, &all);
            prop_assert_eq!(ints.len(), all.len());
            prop_assert!((0..all.len()).all(|row| ints.get(row) == all[row]));
            let mut octets = vec![7];
            ints.put(&mut octets);
            let wanted: Vec<u8> = all.iter().flat_map(|number| number.to_le_bytes()).collect();
            prop_assert_eq!(&octets[1..], &wanted[..]);
            let widest = all.iter().max().copied().unwrap_or(0);
            prop_assert_eq!(ints.is_zero(), widest == 0);
            prop_assert_eq!(matches!(ints, Ints::Whole(_)), widest > u64::from(u32::MAX));
        }
    }
}
