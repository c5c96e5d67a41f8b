//! What is done with whatever bytes there are: `cargo fuzz` looks for new ones, and the tests change
//! known ones (`native/tests/fuzzing.rs`). Each panics where something is wrong.
#![allow(dead_code)] // each target is a program of its own

use std::sync::Arc;
use usage_pipeline_native::batch::{pack, Record};
use usage_pipeline_native::block::block;
use usage_pipeline_native::chunk::Chunk;
use usage_pipeline_native::codecs::Unpacker;
use usage_pipeline_native::cursor::Padded;
use usage_pipeline_native::event::Kind;
use usage_pipeline_native::fetch::{Fetch, Slice};
use usage_pipeline_native::reader::{Reader, Step};
use usage_pipeline_native::scanner::Rules;
use usage_pipeline_native::sent::sent;

/// When all records arrive.
pub const NOW: i64 = 1_777_638_896_789;
const SEED: u64 = 7;
const MOST_BYTES: usize = 1 << 20;

/// Those of the defaults.
pub fn rules() -> Rules {
    Rules {
        too_early_ms: 600_000,
        too_late_ms: 34_560_000_000,
        max_record_bytes: 1 << 20,
        max_depth: 32,
        max_batch_elements: 10_000,
        task_rule_set: 1,
    }
}

fn kind(octet: u8) -> Kind {
    Kind::ALL[usize::from(octet) % Kind::ALL.len()]
}

/// What a broker sent, behind a byte that says of which type: read to its end, whatever it is.
/// Returns how many rows there are.
pub fn fetch(octets: &[u8]) -> usize {
    let Some((first, rest)) = octets.split_first() else { return 0 };
    let kind = kind(*first);
    let (mut reader, mut chunk) = (Reader::new(kind, rules(), 100, SEED), Chunk::new(kind, SEED));
    let check_crcs = first & 0x80 != 0;
    let mut fetch = Fetch::new(Arc::new(rest.to_vec()), 0, vec![(1, 2), (-1, 0)], check_crcs, true);
    while let Ok(Some(slice)) = fetch.slice(100, MOST_BYTES) {
        let (start, end) = (slice.start, slice.end);
        reader.begin(Arc::new(slice), start, end);
        while reader.step(Some(&mut chunk)) != Step::Done {}
    }
    let rows = chunk.len();
    assert_eq!(chunk.outcomes().filter(|one| one.outcome == "counted").count() > 0, rows > 0);
    chunk.live().count();
    block(&[&chunk]);
    assert!(sent(&[&chunk, &chunk]).rows <= 2 * rows);
    rows
}

/// Values of records, one a line (form feeds lie between them), behind a byte that says of which
/// type: each comes to the same whatever the reader has learned of those before it.
pub fn values(octets: &[u8]) {
    let Some((first, rest)) = octets.split_first() else { return };
    let kind = kind(*first);
    let values = rest.split(|octet| *octet == 0x0c).enumerate();
    let records: Vec<Record> =
        values.map(|(n, value)| (n as i64, NOW, vec![], Some(value.to_vec()))).collect();
    let mut together = Chunk::new(kind, SEED);
    let odd = read(&mut Reader::new(kind, rules(), 0, SEED), &records, &mut together);
    let (mut alone, mut alone_odd) = (Chunk::new(kind, SEED), Vec::new());
    for record in &records {
        let mut fresh = Reader::new(kind, rules(), 0, SEED);
        alone_odd.extend(read(&mut fresh, std::slice::from_ref(record), &mut alone));
    }
    assert_eq!(odd, alone_odd);
    assert_eq!(block(&[&together]), block(&[&alone]));
}

/// Read the records; returns the offsets of those that are odd.
fn read(reader: &mut Reader, records: &[Record], into: &mut Chunk) -> Vec<i64> {
    let Some(octets) = pack(records) else { return Vec::new() };
    reader.begin(Arc::new(Slice::of_batch(Arc::new(octets), 0)), 0, i64::MAX);
    let mut odd = Vec::new();
    loop {
        match reader.step(Some(into)) {
            Step::Done => return odd,
            Step::Odd(one) => odd.push(one.offset),
            Step::Unreadable(_) => panic!("it was packed here"),
        }
    }
}

/// Bytes as each codec may have packed them; what they come to is bounded.
pub fn codecs(octets: &[u8]) {
    let mut unpacker = Unpacker::new(MOST_BYTES);
    let mut unpacked = Padded::default();
    for codec in 0..6 {
        if unpacker.unpack(codec, octets, &mut unpacked).is_ok() {
            assert!(unpacked.len() <= MOST_BYTES);
        }
    }
}
