//! Logs read from the bytes of a fetch to columns: what reading them by hand comes to.

use proptest::prelude::*;
use std::sync::Arc;
use usage_pipeline_native::batch::{pack, Record};
use usage_pipeline_native::block::block;
use usage_pipeline_native::chunk::Chunk;
use usage_pipeline_native::event::Kind;
use usage_pipeline_native::fetch::{Damaged, Fetch, Slice};
use usage_pipeline_native::reader::{Reader, Step};
use usage_pipeline_native::scanner::Rules;

const NOW: i64 = 1_777_638_896_789;
const SEED: u64 = 7;

const CODEC_AND_TIME: usize = 22;
const TRANSACTIONAL: u8 = 16;
const CONTROL: u8 = 32;

fn rules() -> Rules {
    Rules {
        too_early_ms: 600_000,
        too_late_ms: 34_560_000_000,
        max_record_bytes: 1 << 20,
        max_depth: 32,
        max_batch_elements: 10_000,
        task_rule_set: 1,
    }
}

fn reader(kind: Kind, window: u64) -> Reader {
    Reader::new(kind, rules(), window, SEED)
}

fn envelope(kind: Kind, id: &str, data: &str) -> String {
    let name = kind.name();
    format!(
        r#"{{"specversion":"1.0","id":"{id}","source":"gateway","type":"{name}","subject":"acme","time":"2026-05-01T12:34:56.789Z","data":{data}}}"#
    )
}

fn event(kind: Kind, id: &str) -> String {
    let data = match kind {
        Kind::Request => {
            r#"{"operation":"chat","model":"m-1","status_code":200,"duration_ms":12.5,"user_id":"u","input_tokens":10,"output_tokens":20,"cost":"0.25"}"#
        }
        Kind::RecipeAction => {
            r#"{"recipe_id":"r","job_id":"j","step":3,"kind":"action","outcome":"succeeded","app":"crm"}"#
        }
        Kind::ProductEvent => {
            r#"{"name":"export","user_id":"u","properties":{"plan":"pro","n":1.50,"tags":["a", 2],"at":{"x":true,"y":null}}}"#
        }
    };
    envelope(kind, id, data)
}

fn record(offset: i64, value: impl Into<Vec<u8>>) -> Record {
    (offset, NOW, vec![], Some(value.into()))
}

/// A batch of records at these offsets, each with an id of its own.
fn batch(offsets: impl IntoIterator<Item = i64>) -> Vec<u8> {
    let records: Vec<Record> = offsets
        .into_iter()
        .map(|offset| record(offset, event(Kind::Request, &format!("i{offset}"))))
        .collect();
    pack(&records).unwrap()
}

/// The batch with other attributes, of a producer.
fn marked(mut batch: Vec<u8>, attributes: u8, producer: i64) -> Vec<u8> {
    batch[CODEC_AND_TIME] |= attributes;
    batch[43..51].copy_from_slice(&producer.to_be_bytes());
    signed(batch)
}

fn signed(mut batch: Vec<u8>) -> Vec<u8> {
    let crc = crc32c::crc32c(&batch[21..]);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
    batch
}

/// The marker that ends a transaction.
fn marker(offset: i64, producer: i64, is_commit: bool) -> Vec<u8> {
    // One record: size, attributes, deltas, a key of version and kind, no value, no headers.
    let record = [20, 0, 0, 0, 8, 0, 0, 0, u8::from(is_commit), 1, 0];
    let mut batch = pack(&[(offset, 0, vec![], None)]).unwrap();
    batch.truncate(61);
    batch.extend(record);
    let size = (batch.len() - 12) as i32;
    batch[8..12].copy_from_slice(&size.to_be_bytes());
    marked(batch, CONTROL | TRANSACTIONAL, producer)
}

fn fetch(octets: Vec<u8>, position: i64, aborted: &[(i64, i64)]) -> Fetch {
    Fetch::new(Arc::new(octets), position, aborted.to_vec(), true, true)
}

fn slices(fetch: &mut Fetch) -> Vec<Arc<Slice>> {
    std::iter::from_fn(|| fetch.slice(1, 1).unwrap()).map(Arc::new).collect()
}

/// The offsets of the rows that a fetch comes to, from `start` to before `end`.
fn offsets(slices: &[Arc<Slice>], start: i64, end: i64) -> Vec<i64> {
    let (mut reader, mut chunk) = (reader(Kind::Request, 0), Chunk::new(Kind::Request, SEED));
    for slice in slices {
        reader.begin(slice.clone(), start, end);
        assert_eq!(reader.step(Some(&mut chunk)), Step::Done);
    }
    chunk.origins.iter().map(|origin| origin >> 20).collect()
}

#[test]
fn aborted_transactions_and_markers_are_for_nobody() {
    let log = [
        batch([0, 1]),
        marked(batch([2]), TRANSACTIONAL, 7),
        marked(batch([3, 4]), TRANSACTIONAL, 8),
        batch([5]),
        marker(6, 7, false),
        marked(batch([7]), TRANSACTIONAL, 7),
        marker(8, 8, true),
        marker(9, 7, true),
    ];
    let mut fetch = fetch(log.concat(), 0, &[(7, 2)]);
    let slices = slices(&mut fetch);
    assert_eq!(offsets(&slices, 0, i64::MAX), [0, 1, 3, 4, 5, 7]);
    assert_eq!(fetch.next_offset(), 10);
}

#[test]
fn positions_lie_anywhere() {
    let log = [batch(0..5), batch([7, 9]), batch([20])].concat();
    let slices = slices(&mut fetch(log, 3, &[]));
    assert_eq!(
        slices.iter().map(|one| (one.start, one.end)).collect::<Vec<_>>(),
        [(3, 5), (5, 10), (10, 21)]
    );
    let all = [0, 1, 2, 3, 4, 7, 9, 20];
    for start in 0..22 {
        for end in start..23 {
            let wanted = all.iter().copied().filter(|at| (start..end).contains(at));
            assert_eq!(offsets(&slices, start, end), wanted.collect::<Vec<_>>(), "{start} {end}");
        }
    }
}

/// As it is where a record is damaged that was signed again.
#[test]
fn an_offset_that_was_there_is_passed_over() {
    let slices = slices(&mut fetch([batch([5, 6, 5, 7]), batch([8])].concat(), 5, &[]));
    assert_eq!(offsets(&slices, 5, i64::MAX), [5, 6, 7, 8]);
}

#[test]
fn an_emptied_batch_moves_the_position() {
    let mut empty = batch([4]);
    empty.truncate(61);
    empty[8..12].copy_from_slice(&49i32.to_be_bytes());
    empty[57..61].copy_from_slice(&0i32.to_be_bytes());
    empty[23..27].copy_from_slice(&5i32.to_be_bytes());
    let mut fetch = fetch([batch([3]), signed(empty)].concat(), 3, &[]);
    let slices = slices(&mut fetch);
    assert_eq!(offsets(&slices, 0, i64::MAX), [3]);
    assert_eq!(fetch.next_offset(), 10);
}

#[test]
fn damage_is_told_of_behind_what_came_before() {
    let mut damaged = batch([2, 3]);
    *damaged.last_mut().unwrap() ^= 1;
    let mut fetch = fetch([batch([0]), batch([1]), damaged, batch([4])].concat(), 0, &[]);
    let first = fetch.slice(1000, 1 << 20).unwrap().unwrap();
    assert_eq!((first.start, first.end), (0, 2));
    for _ in 0..2 {
        assert_eq!(fetch.slice(1000, 1 << 20).err(), Some(Damaged::Checksum));
        assert_eq!(fetch.next_offset(), 2);
    }
}

#[test]
fn what_cannot_be_unpacked_is_given_back_whole() {
    let mut damaged = batch([1, 2]);
    damaged.truncate(damaged.len() - 1);
    damaged.push(9); // more headers than there are bytes
    let damaged = signed(damaged);
    let log = [batch([0]), damaged.clone(), batch([3])].concat();
    let slice = Arc::new(fetch(log, 0, &[]).slice(1000, 1 << 20).unwrap().unwrap());
    let (mut reader, mut chunk) = (reader(Kind::Request, 10), Chunk::new(Kind::Request, SEED));
    reader.begin(slice, 0, i64::MAX);
    assert_eq!(reader.step(Some(&mut chunk)), Step::Unreadable(damaged));
    assert_eq!(chunk.len(), 1);
    assert_eq!(reader.step(Some(&mut chunk)), Step::Done);
    assert_eq!(chunk.len(), 2);
}

#[test]
fn times_of_appending_are_the_batchs() {
    let mut appended = batch([0]);
    appended[CODEC_AND_TIME] |= 8;
    appended[35..43].copy_from_slice(&(NOW + 60_000).to_be_bytes());
    let slices = slices(&mut fetch(signed(appended), 0, &[]));
    let (mut reader, mut chunk) = (reader(Kind::Request, 0), Chunk::new(Kind::Request, SEED));
    reader.begin(slices[0].clone(), 0, 1);
    assert_eq!(reader.step(Some(&mut chunk)), Step::Done);
    assert_eq!(chunk.arrival, Some((NOW + 60_000, NOW + 60_000)));
}

#[test]
fn a_horizon_of_deletions_makes_deltas_negative() {
    let mut compacted =
        pack(&[(5, -1000, vec![], Some(event(Kind::Request, "i").into()))]).unwrap();
    compacted[CODEC_AND_TIME] |= 64;
    compacted[27..35].copy_from_slice(&(NOW + 1000).to_be_bytes());
    let slices = slices(&mut fetch(signed(compacted), 5, &[]));
    let (mut reader, mut chunk) = (reader(Kind::Request, 0), Chunk::new(Kind::Request, SEED));
    reader.begin(slices[0].clone(), 0, 10);
    assert_eq!(reader.step(Some(&mut chunk)), Step::Done);
    assert_eq!(chunk.arrival, Some((NOW, NOW)));
}

/// A slice of records, read: the chunk, and the offsets of those that were odd.
fn read(kind: Kind, reader: &mut Reader, records: &[Record]) -> (Chunk, Vec<i64>) {
    let octets = pack(records).unwrap();
    let slice = Arc::new(Slice::of_batch(Arc::new(octets), 0));
    let (mut chunk, mut odd) = (Chunk::new(kind, SEED), Vec::new());
    reader.begin(slice, 0, i64::MAX);
    loop {
        match reader.step(Some(&mut chunk)) {
            Step::Done => return (chunk, odd),
            Step::Odd(one) => odd.push(one.offset),
            Step::Unreadable(_) => panic!("it was packed by hand"),
        }
    }
}

#[test]
fn a_batch_is_what_its_events_are() {
    for kind in Kind::ALL {
        let events: Vec<String> = (0..100).map(|n| event(kind, &format!("i{}", n % 90))).collect();
        let alone: Vec<Record> =
            (1..).zip(&events).map(|(at, one)| record(at, one.as_str())).collect();
        let together = record(1, format!(" [{}\n]", events.join(" ,\t")));
        let (alone, odd) = read(kind, &mut reader(kind, 1000), &alone);
        assert_eq!((alone.len(), alone.duplicate, odd.len()), (90, 10, 0));
        let (together, odd) = read(kind, &mut reader(kind, 1000), &[together]);
        assert!(odd.is_empty());
        assert_eq!(block(&[&alone]), block(&[&together]));
        assert_eq!(together.duplicate, 10);
        assert_eq!(together.origins, (0..90).map(|n| (1 << 20) + n).collect::<Vec<_>>());
    }
}

#[test]
fn a_batch_with_an_odd_event_is_odd_as_a_whole() {
    let good = event(Kind::ProductEvent, "a");
    let bad = good.replace("1.0", "1.1");
    let batch = |middle: &str| record(5, format!("[{good},{middle},{good}]"));
    let records = [record(4, good.as_str()), batch(&bad), record(6, good.as_str())];
    let (chunk, odd) = read(Kind::ProductEvent, &mut reader(Kind::ProductEvent, 0), &records);
    assert_eq!((chunk.len(), odd), (2, vec![5]));
    let leaves = chunk.maps.unwrap();
    assert_eq!(leaves.counts, [4, 4]);
}

/// What gets past the first checks, and what does not.
const PIECES: &[&str] = &[
    "\"",
    "\\",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    " ",
    "\0",
    "\u{1f}",
    "é",
    "0",
    "-",
    ".",
    "e9",
    "1e5",
    "null",
    "true",
    "{}",
    "[]",
    "\\u0061",
    "\\ud834\\udd1e",
    "\\ud834",
    "\"id\":\"x\",",
    "\n\t ",
    "\"model\":",
    "99999999999999999999",
    "[[[[[[[[[[",
    "{\"a\":{\"a\":1,\"a\":2}}",
    "0.30",
];

/// A change of some bytes: where, how many are left out, and what stands there instead.
type Change = (prop::sample::Index, usize, prop::sample::Index, bool);

fn changed(value: &str, changes: &[Change]) -> Vec<u8> {
    let mut octets = value.as_bytes().to_vec();
    for (at, gone, piece, is_piece) in changes {
        let at = at.index(octets.len() + 1);
        let end = (at + gone).min(octets.len());
        let piece = if *is_piece { PIECES[piece.index(PIECES.len())] } else { "" };
        octets.splice(at..end, piece.bytes());
    }
    octets
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn what_was_learned_changes_nothing(
        kind in prop::sample::select(&Kind::ALL[..]),
        all_changes in prop::collection::vec(
            prop::collection::vec((any::<prop::sample::Index>(), 0usize..4, any::<prop::sample::Index>(), any::<bool>()), 0..3),
            1..8,
        ),
        is_batch in any::<bool>(),
    ) {
        let records: Vec<Record> = all_changes.iter().enumerate().map(|(n, changes)| {
            let value = event(kind, &format!("i{n}"));
            let value = if is_batch { format!("[{value},{value}]") } else { value };
            record(n as i64, changed(&value, changes))
        }).collect();
        let (together, odd) = read(kind, &mut reader(kind, 0), &records);
        let (mut rows, mut alone_odd) = (0, Vec::new());
        let mut again = Chunk::new(kind, SEED);
        for one in &records {
            let (alone, odd) = read(kind, &mut reader(kind, 0), std::slice::from_ref(one));
            rows += alone.len();
            alone_odd.extend(odd);
        }
        prop_assert_eq!(together.len(), rows);
        prop_assert_eq!(&odd, &alone_odd);
        // One reader after the other in one chunk: each has learned nothing yet.
        for one in &records {
            let octets = pack(std::slice::from_ref(one)).unwrap();
            let mut fresh = reader(kind, 0);
            fresh.begin(Arc::new(Slice::of_batch(Arc::new(octets), 0)), 0, i64::MAX);
            while fresh.step(Some(&mut again)) != Step::Done {}
        }
        prop_assert_eq!(block(&[&together]), block(&[&again]));
    }

    #[test]
    fn no_bytes_stop_it(
        offsets in prop::collection::vec(0i64..50, 1..5),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        codec in 0u8..6,
    ) {
        let mut octets: Vec<u8> = offsets.iter().flat_map(|offset| {
            let mut one = batch([*offset, offset + 1]);
            one[CODEC_AND_TIME] |= codec;
            one
        }).collect();
        for (at, octet) in damage {
            let at = at.index(octets.len());
            octets[at] = octet;
        }
        let mut fetch = Fetch::new(Arc::new(octets), 0, vec![(-1, 0), (5, 3)], false, true);
        let (mut reader, mut chunk) = (reader(Kind::Request, 10), Chunk::new(Kind::Request, SEED));
        while let Ok(Some(slice)) = fetch.slice(3, 1000) {
            let (start, end) = (slice.start, slice.end);
            reader.begin(Arc::new(slice), start, end);
            while reader.step(Some(&mut chunk)) != Step::Done {}
        }
        chunk.outcomes().count();
        chunk.live().count();
        block(&[&chunk]);
    }
}
