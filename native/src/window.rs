//! Which events are duplicates, and conflicts: what `pipeline/facts/repeats/window.py` says, one
//! event after the other.
//!
//! A bucket is one cache line of four places. An identity stands in its own bucket (by its
//! scattered hash) or, where that was full, in one of the next; a bucket knows the greatest offset
//! of those that passed it by, which says how far to look. What is older than the window is free:
//! nothing is deleted or swept.
//!
//! Of a scattered hash the upper 8 bits are not kept, for the bucket tells them: two hashes that
//! differ in nothing else have their own buckets a 256th of the table apart, and no identity stands
//! that far from its own. So 64 bits are compared, and 20 bytes are taken per identity: 4 of them
//! are the offset, 4 the hash of the content, by which a conflict is told.

use crate::memory::{prefetch, Pages, Zeros};

const PLACES: usize = 4;

/// Two hashes that differ in the upper 8 bits alone are so many shares of the table apart.
const SHARES: usize = 256;

/// So few that an identity may stand 16 buckets from its own: 256 KB.
const FEWEST_BUCKETS: usize = 16 * SHARES;

const GROWTH: f64 = 1.5;

/// Where the table grows, in hundredths of its places; its steps end there for one event per offset.
const FULL: usize = 80;

/// Identities are counted by blocks of so many offsets.
const BLOCK_BITS: u32 = 12;

/// The longest window: offsets are kept as 32 bits from a base that moves along.
pub const LONGEST: u64 = 1 << 31;

#[repr(C, align(64))]
#[derive(Clone, Copy)]
struct Bucket {
    /// The lower 32 of a hash's bits, then 16, then 8.
    low: [u32; PLACES],
    /// The last offset, from the base; never 0 but where nothing was.
    lasts: [u32; PLACES],
    contents: [u32; PLACES],
    middle: [u16; PLACES],
    high: [u8; PLACES],
    /// The greatest of the last offsets of those that stand further on because of it.
    passed: u32,
}

// SAFETY: a bucket of zeros is an empty one.
unsafe impl Zeros for Bucket {}

impl Bucket {
    #[inline(always)]
    fn has(&self, n: usize, scattered: u64) -> bool {
        self.low[n] == scattered as u32
            && self.middle[n] == (scattered >> 32) as u16
            && self.high[n] == (scattered >> 48) as u8
    }

    fn kept(&self, n: usize) -> u64 {
        u64::from(self.low[n]) | u64::from(self.middle[n]) << 32 | u64::from(self.high[n]) << 48
    }

    #[inline(always)]
    fn put(&mut self, n: usize, scattered: u64, last: u32, content: u32) {
        self.low[n] = scattered as u32;
        self.middle[n] = (scattered >> 32) as u16;
        self.high[n] = (scattered >> 48) as u8;
        self.lasts[n] = last;
        self.contents[n] = content;
    }

    #[inline(always)]
    fn free(&self, oldest: u32) -> Option<usize> {
        (0..PLACES).find(|n| self.lasts[*n] < oldest)
    }
}

/// What an event is to those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// None of the window has its identity.
    New,
    /// A duplicate.
    Repeat,
    /// A duplicate whose content is not that of the last one.
    Conflict,
}

/// The identities of the last offsets of a partition.
pub struct Window {
    table: Table,
    window: u32,
    /// Of offset 0; none before the first.
    base: Option<i64>,
    /// The greatest offset that was given, from the base.
    last: u32,
    counts: Counts,
}

impl Window {
    /// One of `window` offsets; `scatter` decides where hashes stand, and nothing else.
    pub fn new(window: u64, scatter: u64) -> Self {
        let window = window.clamp(1, LONGEST) as u32;
        let ids = window as usize + (2 << BLOCK_BITS);
        let most = ids * 100 / FULL / PLACES + 1;
        let mut buckets = most as f64;
        while buckets > (FEWEST_BUCKETS as f64) * GROWTH {
            buckets /= GROWTH;
        }
        Window {
            table: Table::new((buckets as usize).max(FEWEST_BUCKETS), scatter | 1),
            window,
            base: None,
            last: 0,
            counts: Counts::new(window),
        }
    }

    /// What it takes in memory once all of it was looked at: pages come with the first look.
    pub fn size_bytes(&self) -> usize {
        self.table.buckets.len() * std::mem::size_of::<Bucket>()
    }

    /// How many identities are in the window, and those of up to a block before it.
    pub fn ids(&self) -> usize {
        self.counts.all
    }

    /// Have the memory brought near that `seen` will look at.
    #[inline(always)]
    pub fn prefetch(&self, hash: u64) {
        self.table.prefetch(hash);
    }

    /// What an event is; from now on it is known. An offset counts as none less than the last one.
    #[inline(always)]
    pub fn seen(&mut self, hash: u64, content: u32, offset: i64) -> Seen {
        let now = self.relative(offset);
        let oldest = now.saturating_sub(self.window).max(1);
        self.counts.advance(oldest);
        if let Some((at, n)) = self.table.find(hash, oldest) {
            let bucket = &mut self.table.buckets[at];
            self.counts.moved(bucket.lasts[n], now);
            let is_same = bucket.contents[n] == content;
            (bucket.lasts[n], bucket.contents[n]) = (now, content);
            self.table.pass(hash, at, now);
            return if is_same { Seen::Repeat } else { Seen::Conflict };
        }
        self.counts.add(now);
        if self.counts.all * 100 > self.table.buckets.len() * PLACES * FULL {
            self.table.grow(oldest);
        }
        while !self.table.put(hash, now, content, oldest) {
            self.table.grow(oldest);
        }
        Seen::New
    }

    /// Go on in another log, whose offset 0 stands where `end` would of the one till now.
    pub fn continue_after(&mut self, end: i64) {
        self.base = self.base.map(|base| base.saturating_sub(end));
    }

    /// The offset from the base, which moves along where it must.
    #[inline(always)]
    fn relative(&mut self, offset: i64) -> u32 {
        let fitting = self.base.and_then(|base| u32::try_from(offset.wrapping_sub(base)).ok());
        self.last = match fitting {
            Some(now) => now.max(self.last),
            None => self.moved(offset),
        };
        self.last
    }

    #[cold]
    fn moved(&mut self, offset: i64) -> u32 {
        // What was never written, 0, is then not in the window.
        let fresh = offset.saturating_sub(i64::from(self.window) + 1);
        let Some(base) = self.base else {
            self.base = Some(fresh);
            return self.window + 1;
        };
        if offset < base.saturating_add(i64::from(self.last)) {
            return self.last; // no log has it; nothing may stop the reader
        }
        let by = fresh.saturating_sub(base);
        self.base = Some(fresh);
        let less = |last: u32| i64::from(last).saturating_sub(by).max(0) as u32;
        self.counts = Counts::new(self.window);
        for bucket in self.table.buckets.iter_mut() {
            bucket.passed = less(bucket.passed);
            for last in &mut bucket.lasts {
                *last = less(*last);
                if *last > 0 {
                    self.counts.add(*last);
                }
            }
        }
        self.window + 1
    }
}

/// How many identities have their last offset in each block of offsets: a ring.
struct Counts {
    blocks: Vec<u32>,
    first: u32,
    all: usize,
}

impl Counts {
    fn new(window: u32) -> Self {
        let blocks = ((window >> BLOCK_BITS) as usize + 3).next_power_of_two();
        Counts { blocks: vec![0; blocks], first: 0, all: 0 }
    }

    #[inline(always)]
    fn block(&mut self, last: u32) -> &mut u32 {
        let mask = self.blocks.len() - 1;
        &mut self.blocks[(last >> BLOCK_BITS) as usize & mask]
    }

    #[inline(always)]
    fn add(&mut self, last: u32) {
        *self.block(last) += 1;
        self.all += 1;
    }

    #[inline(always)]
    fn moved(&mut self, from: u32, to: u32) {
        *self.block(from) -= 1;
        *self.block(to) += 1;
    }

    /// Forget the blocks that lie before `oldest`.
    #[inline(always)]
    fn advance(&mut self, oldest: u32) {
        let first = oldest >> BLOCK_BITS;
        if first != self.first {
            let turn = self.first.saturating_add(self.blocks.len() as u32);
            for block in self.first..first.min(turn) {
                let gone = std::mem::take(self.block(block << BLOCK_BITS));
                self.all -= gone as usize;
            }
            self.first = first;
        }
    }
}

struct Table {
    buckets: Pages<Bucket>,
    /// No identity stands so many buckets from its own.
    reach: usize,
    scatter: u64,
}

impl Table {
    fn new(buckets: usize, scatter: u64) -> Self {
        let reach = buckets / SHARES;
        Table { buckets: Pages::new(buckets), reach, scatter }
    }

    #[inline(always)]
    fn scattered(&self, hash: u64) -> u64 {
        hash.wrapping_mul(self.scatter) // the scatter is odd: one to one
    }

    /// The bucket that a scattered hash has as its own.
    #[inline(always)]
    fn own(&self, scattered: u64) -> usize {
        ((u128::from(scattered) * self.buckets.len() as u128) >> 64) as usize
    }

    #[inline(always)]
    fn next(&self, at: usize) -> usize {
        if at + 1 == self.buckets.len() {
            0
        } else {
            at + 1
        }
    }

    #[inline(always)]
    fn prefetch(&self, hash: u64) {
        prefetch(&self.buckets[self.own(self.scattered(hash))]);
    }

    /// Where an identity of the window stands: bucket and place.
    #[inline(always)]
    fn find(&self, hash: u64, oldest: u32) -> Option<(usize, usize)> {
        let scattered = self.scattered(hash);
        let mut at = self.own(scattered);
        for _ in 0..self.reach {
            let bucket = &self.buckets[at];
            let here =
                (0..PLACES).find(|n| bucket.has(*n, scattered) && bucket.lasts[*n] >= oldest);
            if let Some(n) = here {
                return Some((at, n));
            }
            if bucket.passed < oldest {
                return None;
            }
            at = self.next(at);
        }
        None
    }

    /// Let the buckets before `to` know that what stands there passed them by.
    #[inline(always)]
    fn pass(&mut self, hash: u64, to: usize, last: u32) {
        let mut at = self.own(self.scattered(hash));
        while at != to {
            self.buckets[at].passed = self.buckets[at].passed.max(last);
            at = self.next(at);
        }
    }

    /// Give an identity that is not in the table a place; false where there is none within reach.
    #[inline(always)]
    fn put(&mut self, hash: u64, last: u32, content: u32, oldest: u32) -> bool {
        let scattered = self.scattered(hash);
        let mut at = self.own(scattered);
        for _ in 0..self.reach {
            if let Some(n) = self.buckets[at].free(oldest) {
                self.buckets[at].put(n, scattered, last, content);
                self.pass(hash, at, last);
                return true;
            }
            at = self.next(at);
        }
        false
    }

    /// Move what is in the window into a larger table.
    #[cold]
    fn grow(&mut self, oldest: u32) {
        let mut buckets = self.buckets.len();
        loop {
            buckets = (buckets as f64 * GROWTH) as usize + 1;
            let mut larger = Table::new(buckets, self.scatter);
            if self.has_moved_into(&mut larger, oldest) {
                *self = larger;
                return;
            }
        }
    }

    fn has_moved_into(&self, larger: &mut Table, oldest: u32) -> bool {
        let inverse = inverse(self.scatter);
        self.buckets.iter().enumerate().all(|(at, bucket)| {
            (0..PLACES).filter(|n| bucket.lasts[*n] >= oldest).all(|n| {
                let hash = self.whole(at, bucket.kept(n)).wrapping_mul(inverse);
                larger.put(hash, bucket.lasts[n], bucket.contents[n], 1)
            })
        })
    }

    /// The scattered hash of what stands in a bucket, by what is kept of it.
    fn whole(&self, at: usize, kept: u64) -> u64 {
        let count = self.buckets.len();
        let near = (at * SHARES / count) as u64;
        [near, near.wrapping_sub(1), near + 1]
            .map(|upper| upper << 56 | kept)
            .into_iter()
            .find(|scattered| (at + count - self.own(*scattered)) % count < self.reach)
            .unwrap_or(kept) // there is always one: it is how the place was found
    }
}

/// The number that undoes the multiplication by an odd one.
fn inverse(odd: u64) -> u64 {
    // Newton's method doubles the number of right bits each time, from 3.
    (0..5).fold(odd, |found, _| found.wrapping_mul(2u64.wrapping_sub(odd.wrapping_mul(found))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    /// By the contract's words: by identity, the last offset and content.
    struct Slow {
        window: i64,
        known: HashMap<u64, (i64, u32)>,
    }

    impl Slow {
        fn seen(&mut self, hash: u64, content: u32, offset: i64) -> Seen {
            match self.known.insert(hash, (offset, content)) {
                Some((last, _)) if offset - last > self.window => Seen::New,
                Some((_, before)) if before != content => Seen::Conflict,
                Some(_) => Seen::Repeat,
                None => Seen::New,
            }
        }
    }

    fn compare(window: u64, scatter: u64, events: impl IntoIterator<Item = (u64, u32, i64)>) {
        compare_in_logs(window, scatter, events, &[]);
    }

    /// The same where the log ends before some of the events, and another one goes on from it.
    fn compare_in_logs(
        window: u64,
        scatter: u64,
        events: impl IntoIterator<Item = (u64, u32, i64)>,
        ends: &[usize],
    ) {
        let mut fast = Window::new(window, scatter);
        let mut slow = Slow { window: window as i64, known: HashMap::new() };
        let mut began = 0;
        for (n, (hash, content, offset)) in events.into_iter().enumerate() {
            if ends.contains(&n) {
                fast.continue_after(offset - began);
                began = offset;
            }
            let wanted = slow.seen(hash, content, offset);
            let found = fast.seen(hash, content, offset - began);
            assert_eq!(found, wanted, "event {n} of {hash:#x}");
        }
        let last = slow.known.values().map(|(last, _)| *last).max().unwrap_or(0);
        let live = slow.known.values().filter(|(at, _)| last - at <= slow.window).count();
        assert!((live..=live + (2 << BLOCK_BITS)).contains(&fast.ids()), "{}", fast.ids());
    }

    /// A stream of numbers that look random.
    fn numbers(seed: u64) -> impl Iterator<Item = u64> {
        (seed..).map(|n| {
            let n = (n ^ n >> 31).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            (n ^ n >> 29).wrapping_mul(0xBF58_476D_1CE4_E5B9)
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn as_by_hand(
            window in 1u64..60,
            scatter in any::<u64>(),
            start in prop_oneof![Just(0i64), 0..1i64 << 62],
            events in prop::collection::vec((0u64..80, 0u32..2, 0i64..4), 0..400),
            jumps in prop::collection::vec((0usize..400, 0i64..1 << 34), 0..3),
            ends in prop::collection::vec(0usize..400, 0..3),
        ) {
            let mut offset = start;
            let events = events.into_iter().enumerate().map(|(n, (id, content, step))| {
                let jump: i64 = jumps.iter().filter(|(at, _)| *at == n).map(|(_, by)| by).sum();
                offset += step + jump;
                (id << 50 | id, content, offset)
            });
            compare_in_logs(window, scatter, events, &ends);
        }

        #[test]
        fn multiplication_is_undone(odd in any::<u64>(), hash in any::<u64>()) {
            let odd = odd | 1;
            prop_assert_eq!(hash.wrapping_mul(odd).wrapping_mul(inverse(odd)), hash);
        }
    }

    #[test]
    fn it_grows_and_ends_where_it_is_full() {
        for window in [1_000u64, 30_000, 200_000] {
            let fresh = numbers(window).take(3 * window as usize);
            // Each second one is repeated, some just within the window and some just out of it.
            let back = |n: usize| (window as usize).saturating_sub(n % 3).min(n);
            let hashes: Vec<u64> = fresh.collect();
            compare(
                window,
                0x1234_5678_9abc_def1,
                (0..hashes.len()).map(|n| {
                    let hash = if n % 5 == 4 { hashes[n - back(n)] } else { hashes[n] };
                    (hash, n as u32 % 7, n as i64)
                }),
            );
        }
    }

    #[test]
    fn a_full_one_takes_at_most_20_5_bytes_per_id() {
        let count = 1_000_000;
        let mut window = Window::new(count, 99);
        for (offset, hash) in numbers(1).take(2 * count as usize).enumerate() {
            assert_eq!(window.seen(hash, 0, offset as i64), Seen::New);
        }
        let per_id = window.size_bytes() as f64 / count as f64;
        assert!(per_id <= 20.5, "{per_id}");
    }

    #[test]
    fn hashes_that_differ_in_the_upper_bits_alone_are_told_apart() {
        let inverse = inverse(1);
        let hashes = (0..256u64).map(|upper| (upper << 56 | 42).wrapping_mul(inverse));
        compare(1000, 1, hashes.clone().chain(hashes).enumerate().map(|(n, h)| (h, 0, n as i64)));
    }

    #[test]
    fn hashes_of_one_bucket_make_it_grow() {
        // All have the same upper bits when scattered: as if somebody knew the scatter.
        let hashes = (0..5_000u64).map(|n| n << 20);
        compare(100_000, 1, hashes.enumerate().map(|(n, hash)| (hash, 0, n as i64)));
    }

    #[test]
    fn many_events_of_one_offset_are_all_known() {
        let hashes: Vec<u64> = numbers(5).take(50_000).collect();
        let twice = hashes.iter().chain(&hashes);
        compare(10, 7, twice.enumerate().map(|(n, hash)| (*hash, 0, (n / 50_000) as i64)));
    }

    #[test]
    fn offsets_that_fall_stop_nothing() {
        let mut window = Window::new(10, 3);
        for offset in [100, 99, -5, i64::MIN, i64::MAX, 0, i64::MIN] {
            window.seen(1, 1, offset);
        }
    }
}
