//! The buckets of durations, 4 % wide: `pipeline/facts/latency.py`, to the microsecond.

use std::sync::LazyLock;

/// More than there are: an element of a row's latency is a bucket, and so much for each further
/// request in it.
pub const BUCKETS: u64 = 1024;
/// How many requests an element of 16 bits may stand for.
pub const MOST_OF_ONE: u64 = 64;
/// What the contract accepts.
const LONGEST_US: u64 = 1_000_000_000_000;

struct Bounds {
    /// The least duration of each bucket from 1 on.
    firsts: Vec<u64>,
    /// How many of these have fewer bits than so many.
    shorter: [usize; 66],
}

static BOUNDS: LazyLock<Bounds> = LazyLock::new(|| {
    let firsts = firsts();
    let bits = |us: u64| 64 - us.leading_zeros() as usize;
    let shorter = std::array::from_fn(|n| firsts.partition_point(|first| bits(*first) < n));
    Bounds { firsts, shorter }
});

/// Powers of 1.04, rounded up: a power of 104, in decimal digits, two of which are behind the point
/// for each factor. A float's last bit would decide some of them.
fn firsts() -> Vec<u64> {
    let mut digits = vec![1u32]; // the last one first
    let mut found = Vec::new();
    for power in 0.. {
        let (fraction, whole) = digits.split_at(2 * power);
        let whole = whole.iter().rev().fold(0, |sum, digit| sum * 10 + u64::from(*digit));
        let first = whole + u64::from(fraction.iter().any(|digit| *digit > 0));
        if whole >= LONGEST_US {
            return found;
        }
        found.push(first);
        let mut carried = 0;
        for digit in &mut digits {
            carried += *digit * 104;
            *digit = carried % 10;
            carried /= 10;
        }
        while carried > 0 {
            digits.push(carried % 10);
            carried /= 10;
        }
    }
    found
}

/// The bucket of a duration: 0, or one more than its logarithm to the base 1.04, rounded down.
#[inline(always)]
pub fn bucket(bounds: &Buckets, us: u64) -> u64 {
    let bits = 64 - us.leading_zeros() as usize;
    let (from, to) = (bounds.0.shorter[bits], bounds.0.shorter[bits + 1]);
    (from + bounds.0.firsts[from..to].partition_point(|first| *first <= us)) as u64
}

/// The bounds, for [`bucket`].
#[derive(Clone, Copy)]
pub struct Buckets(&'static Bounds);

impl Buckets {
    /// All of them.
    pub fn get() -> Self {
        Buckets(&BOUNDS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_begin_where_the_slow_way_says() {
        let buckets = Buckets::get();
        let firsts = firsts();
        assert_eq!(firsts[..6], [1, 2, 2, 2, 2, 2]);
        assert_eq!((firsts.len(), firsts[704]), (705, 980_552_533_977));
        for us in firsts.iter().flat_map(|first| [first - 1, *first, first + 1]) {
            let slow = firsts.iter().filter(|first| **first <= us).count() as u64;
            assert_eq!(bucket(&buckets, us), slow, "{us}");
        }
        assert_eq!(bucket(&buckets, u64::MAX), 705);
    }
}
