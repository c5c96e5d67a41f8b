//! What a range of a log comes to: columns, and accounts of all that was read.

use crate::column::{make_room, Ints};
use crate::dictionary::{put_leb128, Dictionary};
use crate::event::{
    Found, Kind, Leaf, Place, CACHE_READ, CACHE_WRITTEN, INPUT_TOKENS, OUTPUT_TOKENS, REASONING,
};
use crate::sums::{Minutes, Tally};
use crate::times::arrival_minute;
use std::collections::HashMap;

/// What a distinct key of a map is taken to be in memory: `pipeline/facts/columns.py`.
const NAME_BYTES: usize = 200;

/// So many texts are hashed before the first of them is looked up.
const LOOKED_UP_TOGETHER: usize = 32;

/// A column of strings.
pub struct Texts {
    /// The distinct ones.
    pub dictionary: Dictionary,
    /// One for each row.
    pub codes: Vec<u32>,
}

impl Texts {
    fn new(seed: u64) -> Self {
        Texts { dictionary: Dictionary::new(seed), codes: Vec::new() }
    }

    #[inline(always)]
    fn push(&mut self, text: &[u8]) -> u32 {
        let code = self.dictionary.code(text);
        self.codes.push(code);
        code
    }

    /// Add the n-th texts of events: one column after the other, for what is looked up of one is
    /// on its way together.
    #[inline(always)]
    fn extend(&mut self, found: &[Found<'_>], n: usize, room: usize) {
        make_room(&mut self.codes, found.len(), room);
        for some in found.chunks(LOOKED_UP_TOGETHER) {
            let mut hashes = [0; LOOKED_UP_TOGETHER];
            for (hash, one) in hashes.iter_mut().zip(some) {
                *hash = self.dictionary.hash(one.event.texts[n]);
                self.dictionary.prefetch(*hash);
            }
            let dictionary = &mut self.dictionary;
            let codes = some.iter().zip(hashes);
            self.codes.extend(codes.map(|(one, hash)| dictionary.hashed(hash, one.event.texts[n])));
        }
    }

    fn memory_bytes(&self) -> usize {
        self.codes.capacity() * 4 + self.dictionary.memory_bytes()
    }
}

/// A column of maps from paths to leaves.
pub struct Maps {
    /// The paths of all rows, one row's after the other's.
    pub keys: Texts,
    /// How many leaves each row has.
    pub counts: Vec<u32>,
    /// Length (LEB128), tag and text of each leaf.
    pub values: Vec<u8>,
    /// How many bytes of the values are each row's.
    pub sizes: Vec<u32>,
}

impl Maps {
    fn new(seed: u64) -> Self {
        let keys = Texts::new(seed);
        Maps { keys, counts: Vec::new(), values: Vec::new(), sizes: Vec::new() }
    }

    fn push(&mut self, leaves: &[Leaf<'_>]) {
        let before = self.values.len();
        for leaf in leaves {
            self.keys.push(leaf.path);
            put_leb128(leaf.text.len() as u64 + 1, &mut self.values);
            self.values.push(leaf.tag);
            self.values.extend_from_slice(leaf.text);
        }
        self.counts.push(leaves.len() as u32);
        self.sizes.push((self.values.len() - before) as u32);
    }

    /// What is held in memory, as the reference reckons it.
    pub fn held_bytes(&self) -> usize {
        let names = NAME_BYTES * self.keys.dictionary.len();
        self.values.len() + 4 * self.keys.codes.len() + 8 * self.counts.len() + names
    }

    fn memory_bytes(&self) -> usize {
        let sizes = self.counts.capacity() + self.sizes.capacity();
        self.keys.memory_bytes() + 4 * sizes + self.values.capacity()
    }
}

#[inline(always)]
fn add<T>(column: &mut Vec<T>, room: usize, found: &[Found<'_>], of: impl Fn(&Found<'_>) -> T) {
    make_room(column, found.len(), room);
    column.extend(found.iter().map(of));
}

/// Least and greatest instant, in epoch milliseconds.
pub type Bounds = Option<(i64, i64)>;

#[inline(always)]
fn widen(bounds: &mut Bounds, at: i64) {
    *bounds = Some(bounds.map_or((at, at), |(least, most)| (least.min(at), most.max(at))));
}

/// Why there is no row of an event that was received, or of a record: arrival minute, tenant,
/// whether it is a conflict; no tenant where it is a tombstone.
type Rowless = (u32, Option<Box<[u8]>>, bool);

/// A chunk; it grows as records are read into it.
pub struct Chunk {
    /// The type of its events.
    pub kind: Kind,
    /// How many rows it is expected to have.
    room: usize,
    /// Of each row, in epoch seconds.
    pub minutes: Vec<u32>,
    /// By place; so the next three.
    pub texts: Vec<Texts>,
    /// Flags.
    pub bytes: Vec<Vec<u8>>,
    /// Bit patterns: some are signed.
    pub ints: Vec<Ints>,
    /// Of product events.
    pub maps: Option<Maps>,
    /// Where in the log each row comes from.
    pub origins: Vec<i64>,
    /// The arrival minute of each row.
    arrivals: Vec<u32>,
    /// Duplicates, with conflicts.
    pub duplicate: u64,
    /// Duplicates of another content.
    pub conflicts: u64,
    /// Tombstones.
    pub skipped: u64,
    /// The values of all records.
    pub size_bytes: u64,
    /// Of the rows.
    pub event_time: Bounds,
    /// Of all records.
    pub arrival: Bounds,
    rowless: HashMap<Rowless, u64>,
    counted: Tally,
    live: Minutes,
}

/// An outcome, and how many there are of it.
pub struct Outcome<'a> {
    /// Of arrival, in epoch seconds.
    pub minute: u32,
    /// Empty of a tombstone.
    pub tenant: &'a [u8],
    /// `counted`, `duplicate` or `skipped`.
    pub outcome: &'static str,
    /// `conflict`, or nothing.
    pub reason: &'static str,
    /// Events, or tombstones.
    pub count: u64,
}

impl Chunk {
    /// An empty one; the seed is for its dictionaries.
    pub fn new(kind: Kind, seed: u64) -> Self {
        Chunk::with_room(kind, seed, 0)
    }

    /// An empty one that is expected to have so many rows, for which it makes room with the first.
    pub fn with_room(kind: Kind, seed: u64, rows: usize) -> Self {
        let texts = kind.count(|place| matches!(place, Place::Text(_)));
        let bytes = kind.count(|place| matches!(place, Place::Byte(_)));
        let ints = kind.count(|place| matches!(place, Place::Int(_)));
        let has_leaves = kind.count(|place| place == Place::Leaves) > 0;
        Chunk {
            kind,
            room: rows,
            minutes: Vec::new(),
            texts: (0..texts).map(|_| Texts::new(seed)).collect(),
            bytes: vec![Vec::new(); bytes],
            ints: (0..ints).map(|_| Ints::default()).collect(),
            maps: has_leaves.then(|| Maps::new(seed)),
            origins: Vec::new(),
            arrivals: Vec::new(),
            duplicate: 0,
            conflicts: 0,
            skipped: 0,
            size_bytes: 0,
            event_time: None,
            arrival: None,
            rowless: HashMap::new(),
            counted: Tally::new(seed),
            live: Minutes::new(seed),
        }
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.minutes.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.minutes.is_empty()
    }

    /// A record came, whatever comes of it; no size of a tombstone.
    #[inline(always)]
    pub fn arrived(&mut self, timestamp: i64, size: Option<usize>) {
        widen(&mut self.arrival, timestamp);
        match size {
            Some(size) => self.size_bytes += size as u64,
            None => {
                self.skipped += 1;
                *self.rowless.entry((arrival_minute(timestamp), None, false)).or_default() += 1;
            }
        }
    }

    /// Valid events that are no duplicates; their leaves are among `leaves`.
    pub fn count(&mut self, found: &[Found<'_>], leaves: &[Leaf<'_>]) {
        let room = self.room;
        add(&mut self.minutes, room, found, |one| one.event.minute());
        for (n, column) in self.texts.iter_mut().enumerate() {
            column.extend(found, n, room);
        }
        for (n, column) in self.bytes.iter_mut().enumerate() {
            add(column, room, found, |one| one.event.bytes[n]);
        }
        for (n, column) in self.ints.iter_mut().enumerate() {
            column.extend(found.iter().map(|one| one.event.ints[n]), room);
        }
        if let Some(maps) = &mut self.maps {
            found.iter().for_each(|one| maps.push(&leaves[one.event.leaves.clone()]));
        }
        add(&mut self.origins, room, found, |one| one.origin);
        add(&mut self.arrivals, room, found, |one| arrival_minute(one.arrival));
        found.iter().for_each(|one| widen(&mut self.event_time, one.event.time));
    }

    /// A valid event that is a duplicate.
    pub fn repeat(&mut self, tenant: &[u8], arrival: i64, is_conflict: bool) {
        self.duplicate += 1;
        self.conflicts += u64::from(is_conflict);
        let key = (arrival_minute(arrival), Some(tenant.into()), is_conflict);
        *self.rowless.entry(key).or_default() += 1;
    }

    /// Add the rows that are new to what is summed of them: done behind each slice, by who reads, so
    /// that nobody who asks for the sums waits for it.
    pub fn sum_up(&mut self) {
        let codes = &self.texts[0].codes;
        self.counted.update(&self.arrivals, codes);
        self.live.update(self.kind, &self.minutes, codes, &self.bytes, &self.ints);
    }

    /// What became of all events but the rejected ones, and of tombstones.
    pub fn outcomes(&mut self) -> impl Iterator<Item = Outcome<'_>> {
        self.sum_up();
        let names = &self.texts[0].dictionary;
        let counted = self.counted.counts().map(|(minute, code, count)| Outcome {
            minute,
            tenant: names.get(code),
            outcome: "counted",
            reason: "",
            count,
        });
        let rowless = self.rowless.iter().map(|((minute, tenant, is_conflict), count)| Outcome {
            minute: *minute,
            tenant: tenant.as_deref().unwrap_or_default(),
            outcome: if tenant.is_some() { "duplicate" } else { "skipped" },
            reason: if *is_conflict { "conflict" } else { "" },
            count: *count,
        });
        counted.chain(rowless)
    }

    /// The sums of all rows by minute and tenant.
    pub fn live(&mut self) -> impl Iterator<Item = (u32, &[u8], crate::sums::Sums)> {
        self.sum_up();
        let names = &self.texts[0].dictionary;
        self.live.sums().map(|(minute, code, sums)| (minute, names.get(code), sums))
    }

    /// How many rows are of minutes that begin before an instant, in epoch seconds.
    pub fn before(&self, seconds: f64) -> usize {
        self.minutes.iter().filter(|minute| f64::from(**minute) < seconds).count()
    }

    /// How many requests have parts that are greater than their whole:
    /// `pipeline/facts/inconsistent.py`.
    pub fn inconsistent(&self) -> usize {
        if self.kind != Kind::Request {
            return 0;
        }
        let of = |n: usize| &self.ints[n];
        let (read, written, reasoned) = (of(CACHE_READ), of(CACHE_WRITTEN), of(REASONING));
        let (input, output) = (of(INPUT_TOKENS), of(OUTPUT_TOKENS));
        if read.is_zero() && written.is_zero() && reasoned.is_zero() {
            return 0;
        }
        let is_inconsistent = |row: &usize| {
            let row = *row;
            read.get(row).saturating_add(written.get(row)) > input.get(row)
                || reasoned.get(row) > output.get(row)
        };
        (0..self.len()).filter(is_inconsistent).count()
    }

    /// What it takes in memory.
    pub fn memory_bytes(&self) -> usize {
        let bytes = self.bytes.iter().map(Vec::capacity).sum::<usize>();
        let ints = self.ints.iter().map(Ints::memory_bytes).sum::<usize>();
        (self.minutes.capacity() + self.arrivals.capacity()) * 4
            + self.texts.iter().map(Texts::memory_bytes).sum::<usize>()
            + bytes
            + ints
            + self.origins.capacity() * 8
            + self.maps.as_ref().map_or(0, Maps::memory_bytes)
    }
}
