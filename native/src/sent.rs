//! Chunks of one topic as one block, as it is sent: rows of requests that have one key are one row.
//!
//! What `pipeline/facts/added_up.py` and `pipeline/clickhouse/native.py` come to, byte for byte.

use crate::block::{self, joined, put, put_head, put_texts, put_u64, Joined, DICTIONARY_VERSION};
use crate::chunk::Chunk;
use crate::event::{Kind, Place, DURATION_US};
use crate::latency::{bucket, Buckets, BUCKETS, MOST_OF_ONE};

/// The columns that a row has which stands for several requests.
const OF_MANY: [(&str, &str); 2] = [("requests", "UInt64"), ("latency", "Array(UInt16)")];

/// A block, and what it has.
pub struct Sent {
    /// Name and ClickHouse type of each column.
    pub columns: Vec<(&'static str, &'static str)>,
    /// How many rows it has.
    pub rows: usize,
    /// In the Native format, uncompressed.
    pub body: Vec<u8>,
}

/// The rows of all of them, one's after the other's; added up, if they are requests and each sum
/// surely fits its column. The chunks are of one topic.
pub fn sent(chunks: &[&Chunk]) -> Sent {
    let Some(first) = chunks.first() else {
        return Sent { columns: Vec::new(), rows: 0, body: Vec::new() };
    };
    let rows = chunks.iter().map(|chunk| chunk.len()).sum();
    if first.kind == Kind::Request && rows > 0 {
        if let Some(sent) = added_up(chunks, rows) {
            return sent;
        }
    }
    let columns = first.kind.columns().iter().map(|(name, kind, _)| (*name, *kind)).collect();
    Sent { columns, rows, body: block::block(chunks) }
}

/// Which rows have one key.
struct Groups {
    /// A row of each, in the order of the keys.
    firsts: Vec<u32>,
    /// How many rows each has.
    sizes: Vec<u32>,
    /// All rows, those of one group together.
    rows: Vec<u32>,
    /// The group of each row.
    of_row: Vec<u32>,
}

fn added_up(chunks: &[&Chunk], rows: usize) -> Option<Sent> {
    let kind = chunks[0].kind;
    let columns = kind.columns();
    let texts: Vec<Joined<'_>> = columns
        .iter()
        .filter_map(|(_, _, place)| match *place {
            Place::Text(n) => Some(joined(chunks.iter().map(|chunk| &chunk.texts[n]))),
            _ => None,
        })
        .collect();
    let minutes: Vec<u32> = chunks.iter().flat_map(|chunk| &chunk.minutes).copied().collect();
    let groups = Groups::of(keys(&minutes, &texts), rows);
    let most = groups.sizes.iter().max().copied().unwrap_or(0);
    let is_sum = |place: Place| matches!(place, Place::Byte(_) | Place::Int(_));
    if columns.iter().any(|(_, kind, place)| {
        is_sum(*place) && largest(chunks, *place, kind) * i128::from(most) > limit(kind)
    }) {
        return None;
    }
    let mut named: Vec<(&str, &str)> = Vec::new();
    let count = groups.firsts.len();
    let keys = columns.iter().filter(|(_, _, place)| !is_sum(*place));
    let sums = columns.iter().filter(|(_, _, place)| is_sum(*place));
    named.extend(keys.map(|(name, kind, _)| (*name, *kind)));
    named.extend(sums.clone().map(|(name, kind, _)| (*name, summed(kind))));
    named.extend(OF_MANY);
    let mut out = Vec::with_capacity(count * 8 * named.len() + rows * 2);
    let mut names = named.iter();
    let mut head = |out: &mut Vec<u8>| names.next().iter().for_each(|one| put_head(**one, out));
    block::put_sizes(named.len(), count, &mut out);
    head(&mut out);
    put(&taken(&minutes, &groups.firsts), u32::to_le_bytes, &mut out);
    for column in &texts {
        head(&mut out);
        put_u64(DICTIONARY_VERSION, &mut out);
        put_texts(column.dictionary(), &taken(&column.codes, &groups.firsts), &mut out);
    }
    for (_, _, place) in sums {
        head(&mut out);
        put(&groups.summed(chunks, *place), u64::to_le_bytes, &mut out);
    }
    head(&mut out);
    put(&groups.sizes, |size| u64::from(size).to_le_bytes(), &mut out);
    head(&mut out);
    groups.put_latency(chunks, &mut out);
    Some(Sent { columns: named, rows: count, body: out })
}

fn taken(column: &[u32], rows: &[u32]) -> Vec<u32> {
    rows.iter().map(|row| column[*row as usize]).collect()
}

/// The type of a column's sums.
fn summed(kind: &str) -> &'static str {
    if kind == "Int64" {
        "Int64"
    } else {
        "UInt64"
    }
}

fn limit(kind: &str) -> i128 {
    if kind == "Int64" {
        i128::from(i64::MAX)
    } else {
        i128::from(u64::MAX)
    }
}

/// The largest number of a column, whatever its sign.
fn largest(chunks: &[&Chunk], place: Place, kind: &str) -> i128 {
    let mut found = 0i128;
    for chunk in chunks {
        let of_chunk = match place {
            Place::Byte(n) => chunk.bytes[n].iter().max().map(|most| i128::from(*most)),
            Place::Int(n) => {
                let mut most = 0;
                let is_signed = kind == "Int64";
                chunk.ints[n].each(|bits| {
                    most = most.max(if is_signed { (bits as i64).unsigned_abs() } else { bits });
                });
                Some(i128::from(most))
            }
            _ => None,
        };
        found = found.max(of_chunk.unwrap_or(0));
    }
    found
}

/// One number for each row, the same for the same key, and in the keys' order: by the bytes of the
/// tenant, which is the first text, then by minute, then by the code of each other text.
fn keys(minutes: &[u32], texts: &[Joined<'_>]) -> Vec<u64> {
    let mut keys = vec![0; minutes.len()];
    let mut largest = 0;
    let Some((tenants, others)) = texts.split_first() else { return keys };
    let ranks = ranks(tenants);
    let tenant = tenants.codes.iter().map(|code| ranks[*code as usize]);
    add_digits(&mut keys, &mut largest, tenant, ranks.len());
    let least = minutes.iter().min().copied().unwrap_or(0);
    let span = minutes.iter().max().copied().unwrap_or(0) - least;
    let minute = minutes.iter().map(|minute| minute - least);
    add_digits(&mut keys, &mut largest, minute, span as usize + 1);
    for column in others {
        let codes = column.codes.iter().copied();
        add_digits(&mut keys, &mut largest, codes, column.dictionary().len());
    }
    keys
}

/// Put a digit, of so many that there may be, behind each number.
fn add_digits(
    keys: &mut [u64],
    largest: &mut u64,
    digits: impl Iterator<Item = u32>,
    count: usize,
) {
    let count = count as u64;
    if largest.checked_add(1).and_then(|size| size.checked_mul(count)).is_none() {
        *largest = ranked(keys);
    }
    for (key, digit) in keys.iter_mut().zip(digits) {
        *key = *key * count + u64::from(digit);
    }
    *largest = *largest * count + (count - 1);
}

/// By the code of each text, its place among them in the order of their bytes.
fn ranks(column: &Joined<'_>) -> Vec<u32> {
    let mut sorted: Vec<(&[u8], usize)> = column.dictionary().texts().zip(0..).collect();
    sorted.sort_unstable();
    let mut ranks = vec![0; sorted.len()];
    for (rank, (_, code)) in (0..).zip(sorted) {
        ranks[code] = rank;
    }
    ranks
}

/// Put in the place of each number its rank among those that differ; returns the largest.
fn ranked(keys: &mut [u64]) -> u64 {
    let mut sorted = keys.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    for key in keys {
        *key = sorted.partition_point(|other| other < key) as u64;
    }
    sorted.len() as u64 - 1
}

impl Groups {
    fn of(keys: Vec<u64>, rows: usize) -> Groups {
        let mut sorted: Vec<(u64, u32)> = keys.into_iter().zip(0..).collect();
        sorted.sort_unstable();
        let mut groups = Groups {
            firsts: Vec::new(),
            sizes: Vec::new(),
            rows: sorted.iter().map(|(_, row)| *row).collect(),
            of_row: vec![0; rows],
        };
        for group in sorted.chunk_by(|one, next| one.0 == next.0) {
            let number = groups.firsts.len() as u32;
            groups.firsts.push(group[0].1);
            groups.sizes.push(group.len() as u32);
            group.iter().for_each(|(_, row)| groups.of_row[*row as usize] = number);
        }
        groups
    }

    /// The sums of a column; of signed ones, the bit patterns.
    fn summed(&self, chunks: &[&Chunk], place: Place) -> Vec<u64> {
        let mut sums = vec![0u64; self.firsts.len()];
        let mut rest = &self.of_row[..];
        for chunk in chunks {
            let (own, behind) = rest.split_at(chunk.len());
            rest = behind;
            let mut groups = own.iter();
            let mut add = |value: u64| {
                if let Some(group) = groups.next() {
                    let sum = &mut sums[*group as usize];
                    *sum = sum.wrapping_add(value); // which fits, as was seen, but for a sign's bits
                }
            };
            match place {
                Place::Byte(n) => chunk.bytes[n].iter().for_each(|byte| add(u64::from(*byte))),
                Place::Int(n) if !chunk.ints[n].is_zero() => chunk.ints[n].each(add),
                _ => {}
            }
        }
        sums
    }

    /// Each group's buckets; one that is met often is several elements, all but the last full.
    fn put_latency(&self, chunks: &[&Chunk], out: &mut Vec<u8>) {
        let bounds = Buckets::get();
        let mut of_row: Vec<u16> = Vec::with_capacity(self.rows.len());
        for chunk in chunks {
            chunk.ints[DURATION_US].each(|us| of_row.push(bucket(&bounds, us) as u16));
        }
        let mut elements: Vec<u16> = Vec::with_capacity(self.rows.len());
        let mut ends: Vec<u64> = Vec::with_capacity(self.firsts.len());
        let (mut rest, mut buckets) = (&self.rows[..], Vec::new());
        for size in &self.sizes {
            let (own, behind) = rest.split_at(*size as usize);
            rest = behind;
            buckets.clear();
            buckets.extend(own.iter().map(|row| of_row[*row as usize]));
            buckets.sort_unstable();
            for of_bucket in buckets.chunk_by(|one, next| one == next) {
                let mut left = of_bucket.len() as u64;
                while left > 0 {
                    let some = left.min(MOST_OF_ONE);
                    elements.push((u64::from(of_bucket[0]) + (some - 1) * BUCKETS) as u16);
                    left -= some;
                }
            }
            ends.push(elements.len() as u64);
        }
        put(&ends, u64::to_le_bytes, out);
        put(&elements, u16::to_le_bytes, out);
    }
}
