//! Record batches as they come over the wire (format 2), and the frames of records in them.
//!
//! Source: <https://kafka.apache.org/documentation/#recordbatch>.

use std::ops::Range;

/// The bytes before a batch's records.
pub const HEAD: usize = 61;

/// The bytes by which a batch's size and format are told.
const START: usize = 17;
/// The bytes before those that a batch's size counts.
const UNCOUNTED: usize = 12;
/// Where what the checksum is of begins.
const CHECKED: usize = 21;
const FORMAT: u8 = 2;

/// What is wrong with a batch's head.
#[derive(Debug, PartialEq, Eq)]
pub enum Wrong {
    /// Its size cannot be.
    Size,
    /// Its format is 0 or 1, or one that does not exist yet.
    Format,
}

/// What is read of a batch's head.
#[derive(Clone, Copy, Debug)]
pub struct Head {
    /// The first offset that the batch stands for.
    pub base_offset: i64,
    /// Of the whole batch, in bytes.
    pub size: usize,
    crc: u32,
    attributes: i16,
    last_delta: i32,
    first_timestamp: i64,
    max_timestamp: i64,
    /// Below 0: none.
    pub producer_id: i64,
    /// How many records it says it has.
    pub count: i32,
}

fn at<const N: usize>(octets: &[u8], place: usize) -> [u8; N] {
    octets[place..].first_chunk().copied().unwrap_or([0; N])
}

impl Head {
    /// None where the rest is no whole batch: a fetch may end in the middle of one.
    pub fn read(octets: &[u8]) -> Option<Result<Head, Wrong>> {
        if octets.len() < START {
            return None;
        }
        let Ok(size) = usize::try_from(i32::from_be_bytes(at(octets, 8))) else {
            return Some(Err(Wrong::Size));
        };
        let size = size + UNCOUNTED;
        if size > octets.len() {
            return None;
        }
        if octets[16] != FORMAT {
            return Some(Err(Wrong::Format));
        }
        if size < HEAD {
            return Some(Err(Wrong::Size));
        }
        Some(Ok(Head {
            base_offset: i64::from_be_bytes(at(octets, 0)),
            size,
            crc: u32::from_be_bytes(at(octets, 17)),
            attributes: i16::from_be_bytes(at(octets, 21)),
            last_delta: i32::from_be_bytes(at(octets, 23)),
            first_timestamp: i64::from_be_bytes(at(octets, 27)),
            max_timestamp: i64::from_be_bytes(at(octets, 35)),
            producer_id: i64::from_be_bytes(at(octets, 43)),
            count: i32::from_be_bytes(at(octets, 57)),
        }))
    }

    /// How its records are packed.
    pub fn codec(&self) -> i16 {
        self.attributes & 7
    }

    /// Whether it is of a transaction.
    pub fn is_transactional(&self) -> bool {
        self.attributes & 16 != 0
    }

    /// Whether it is a marker, and nothing for a consumer.
    pub fn is_control(&self) -> bool {
        self.attributes & 32 != 0
    }

    /// The offset behind it, whatever compaction has left of its records.
    pub fn next_offset(&self) -> i64 {
        self.base_offset.saturating_add(i64::from(self.last_delta)).saturating_add(1)
    }

    /// Whether its checksum is that of its bytes.
    pub fn is_whole(&self, batch: &[u8]) -> bool {
        crc32c::crc32c(&batch[CHECKED..self.size]) == self.crc
    }

    /// A record's timestamp, by its delta; which is below 0 where the first timestamp is in truth
    /// the horizon from which on deletions are forgotten.
    pub fn timestamp(&self, delta: i64) -> i64 {
        let append_time = self.attributes & 8 != 0;
        if append_time {
            self.max_timestamp
        } else {
            self.first_timestamp.wrapping_add(delta)
        }
    }

    /// A head for records that were packed by hand: unpacked, with their timestamps as deltas.
    pub fn of(base_offset: i64, size: usize, last_delta: i32, count: i32) -> Head {
        Head {
            base_offset,
            size,
            crc: 0,
            attributes: 0,
            last_delta,
            first_timestamp: 0,
            max_timestamp: 0,
            producer_id: -1,
            count,
        }
    }

    /// Its bytes, with the checksum of `records`.
    pub fn write(&self, records: &[u8]) -> Vec<u8> {
        let mut octets = Vec::with_capacity(HEAD + records.len());
        octets.extend(self.base_offset.to_be_bytes());
        octets.extend(((HEAD + records.len() - UNCOUNTED) as i32).to_be_bytes());
        octets.extend([0; 4]); // the leader's epoch
        octets.push(FORMAT);
        octets.extend([0; 4]);
        octets.extend(self.attributes.to_be_bytes());
        octets.extend(self.last_delta.to_be_bytes());
        octets.extend(self.first_timestamp.to_be_bytes());
        octets.extend(self.max_timestamp.to_be_bytes());
        octets.extend(self.producer_id.to_be_bytes());
        octets.extend([0; 6]); // the producer's epoch and sequence
        octets.extend(self.count.to_be_bytes());
        octets.extend(records);
        let crc = crc32c::crc32c(&octets[CHECKED..]);
        octets[START..CHECKED].copy_from_slice(&crc.to_be_bytes());
        octets
    }
}

/// Whether some batch is of format 0 or 1, whose records have no such frames.
pub fn has_old_format(mut octets: &[u8]) -> bool {
    while let Some(head) = Head::read(octets) {
        match head {
            Ok(head) => octets = &octets[head.size..],
            Err(Wrong::Format) => return octets[16] < FORMAT,
            Err(Wrong::Size) => return false,
        }
    }
    false
}

/// Whether the marker, a control batch, ends a transaction by aborting it; None if it is damaged.
pub fn is_abort(batch: &[u8]) -> Option<bool> {
    let mut at = HEAD;
    varint(batch, &mut at)?; // the record's size
    at += 1;
    varint(batch, &mut at)?;
    varint(batch, &mut at)?;
    let key = sized(batch, &mut at)??;
    let kind = batch[key].get(2..4)?;
    Some(kind == [0, 0])
}

#[inline(always)]
fn varint(octets: &[u8], at: &mut usize) -> Option<i64> {
    let first = *octets.get(*at)?;
    *at += 1;
    let mut value = u64::from(first & 0x7f);
    let mut octet = first;
    let mut shift = 7;
    while octet >= 0x80 {
        octet = *octets.get(*at)?;
        *at += 1;
        if shift > 63 {
            return None;
        }
        value |= u64::from(octet & 0x7f) << shift;
        shift += 7;
    }
    Some((value >> 1) as i64 ^ -((value & 1) as i64))
}

/// Where the next bytes lie that stand behind their length; Some(None) where that is -1.
#[inline(always)]
fn sized(octets: &[u8], at: &mut usize) -> Option<Option<Range<usize>>> {
    let size = varint(octets, at)?;
    if size == -1 {
        return Some(None);
    }
    let end = at.checked_add(usize::try_from(size).ok()?)?;
    if end > octets.len() {
        return None;
    }
    let from = std::mem::replace(at, end);
    Some(Some(from..end))
}

/// A record, as places in the unpacked batch.
#[derive(Clone, Debug)]
pub struct Frame {
    /// From the batch's base offset.
    pub offset_delta: i64,
    /// From the batch's first timestamp.
    pub timestamp_delta: i64,
    /// None of a tombstone.
    pub value: Option<Range<usize>>,
    /// How many headers there are.
    pub header_count: i64,
    /// Where they lie.
    pub headers: Range<usize>,
}

/// A record's headers: names, and values that may be null.
pub type Headers = Vec<(Range<usize>, Option<Range<usize>>)>;

impl Frame {
    #[inline(always)]
    fn read(octets: &[u8], at: &mut usize) -> Option<Frame> {
        let record = sized(octets, at)??;
        let octets = &octets[..record.end];
        let mut at = record.start + 1; // behind the attributes
        let timestamp_delta = varint(octets, &mut at)?;
        let offset_delta = varint(octets, &mut at)?;
        sized(octets, &mut at)?; // the key
        let value = sized(octets, &mut at)?;
        let header_count = varint(octets, &mut at)?;
        let headers = at..record.end;
        (header_count >= 0 && (header_count > 0) != headers.is_empty()).then_some(Frame {
            offset_delta,
            timestamp_delta,
            value,
            header_count,
            headers,
        })
    }

    /// The headers; None if they are damaged.
    pub fn headers(&self, octets: &[u8]) -> Option<Headers> {
        let octets = octets.get(..self.headers.end)?;
        let mut at = self.headers.start;
        let mut found = Vec::new();
        for _ in 0..self.header_count {
            let name = sized(octets, &mut at)??;
            found.push((name, sized(octets, &mut at)?));
        }
        (at == octets.len()).then_some(found)
    }
}

/// Where all of a batch's records lie, of which it says that there are `count`.
///
/// None if one does not fit where it lies, or if there are more or fewer.
pub fn frames(octets: &[u8], count: i32, into: &mut Vec<Frame>) -> Option<()> {
    into.clear();
    let mut at = 0;
    let mut headers = &[][..];
    for _ in 0..count {
        let frame = Frame::read(octets, &mut at)?;
        // Mostly they are those of the record before.
        if &octets[frame.headers.clone()] != headers {
            frame.headers(octets)?;
            headers = &octets[frame.headers.clone()];
        }
        into.push(frame);
    }
    (count >= 0 && at == octets.len()).then_some(())
}

/// A record that is to be packed: offset, timestamp, headers, value.
pub type Record = (i64, i64, Vec<(String, Option<Vec<u8>>)>, Option<Vec<u8>>);

/// A batch of these records, whose offsets rise; None where they span more than a batch can.
pub fn pack(records: &[Record]) -> Option<Vec<u8>> {
    let base = records.first().map_or(0, |record| record.0);
    let last = records.last().map_or(base, |record| record.0);
    let last_delta = i32::try_from(last.checked_sub(base)?).ok()?;
    let mut octets = Vec::new();
    for (offset, timestamp, headers, value) in records {
        let mut record = vec![0];
        put_varint(*timestamp, &mut record);
        put_varint(offset - base, &mut record);
        put_varint(-1, &mut record); // no key
        put_sized(value.as_deref(), &mut record);
        put_varint(headers.len() as i64, &mut record);
        for (name, value) in headers {
            put_sized(Some(name.as_bytes()), &mut record);
            put_sized(value.as_deref(), &mut record);
        }
        put_sized(Some(&record), &mut octets);
    }
    let count = i32::try_from(records.len()).ok()?;
    Some(Head::of(base, HEAD + octets.len(), last_delta, count).write(&octets))
}

fn put_varint(value: i64, into: &mut Vec<u8>) {
    let mut rest = ((value << 1) ^ (value >> 63)) as u64;
    while rest >= 0x80 {
        into.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    into.push(rest as u8);
}

fn put_sized(octets: Option<&[u8]>, into: &mut Vec<u8>) {
    put_varint(octets.map_or(-1, |octets| octets.len() as i64), into);
    into.extend(octets.unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn records() -> impl Strategy<Value = Vec<Record>> {
        let header = (".{0,5}", prop::option::of(prop::collection::vec(any::<u8>(), 0..5)));
        let value = prop::option::of(prop::collection::vec(any::<u8>(), 0..40));
        let record = (0..9i64, any::<i64>(), prop::collection::vec(header, 0..3), value);
        prop::collection::vec(record, 0..8).prop_map(|mut records| {
            let mut offset = 1 << 40;
            for record in &mut records {
                offset += 1 + record.0;
                record.0 = offset;
            }
            records
        })
    }

    /// Bit by bit.
    fn slow_crc32c(octets: &[u8]) -> u32 {
        !octets.iter().fold(!0, |sum, octet| {
            (0..8).fold(sum ^ u32::from(*octet), |sum, _| {
                sum >> 1 ^ if sum & 1 == 1 { 0x82F6_3B78 } else { 0 }
            })
        })
    }

    fn read(batch: &[u8]) -> Option<Vec<Record>> {
        let head = Head::read(batch)?.ok()?;
        let octets = &batch[HEAD..head.size];
        let mut found = Vec::new();
        frames(octets, head.count, &mut found)?;
        let text = |range: Range<usize>| String::from_utf8(octets[range].to_vec()).unwrap();
        let bytes = |range: Option<Range<usize>>| range.map(|range| octets[range].to_vec());
        found
            .iter()
            .map(|frame| {
                let headers = frame.headers(octets)?;
                Some((
                    head.base_offset.wrapping_add(frame.offset_delta),
                    head.timestamp(frame.timestamp_delta),
                    headers.into_iter().map(|(name, value)| (text(name), bytes(value))).collect(),
                    bytes(frame.value.clone()),
                ))
            })
            .collect()
    }

    proptest! {
        #[test]
        fn what_was_packed_is_read(records in records()) {
            let batch = pack(&records).unwrap();
            prop_assert_eq!(read(&batch), Some(records));
        }

        #[test]
        fn checksums_are_those_of_the_slow_way(records in records(), bit in any::<prop::sample::Index>()) {
            let mut batch = pack(&records).unwrap();
            let head = Head::read(&batch).unwrap().unwrap();
            prop_assert_eq!(head.crc, slow_crc32c(&batch[CHECKED..]));
            prop_assert!(head.is_whole(&batch));
            let bit = bit.index((batch.len() - CHECKED) * 8);
            batch[CHECKED + bit / 8] ^= 1 << (bit % 8);
            prop_assert!(!head.is_whole(&batch));
        }

        #[test]
        fn damage_is_survived(
            records in records(),
            damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut batch = pack(&records).unwrap();
            for (at, octet) in damage {
                let at = at.index(batch.len());
                batch[at] = octet;
            }
            for batch in [&batch[..], &batch[..cut.index(batch.len())]] {
                has_old_format(batch);
                if let Some(Ok(head)) = Head::read(batch) {
                    is_abort(&batch[..head.size]);
                    head.is_whole(batch);
                    head.next_offset();
                    let mut found = Vec::new();
                    let octets = &batch[HEAD..head.size];
                    if frames(octets, head.count, &mut found).is_some() {
                        for frame in found {
                            prop_assert!(frame.headers(octets).is_some());
                            head.timestamp(frame.timestamp_delta);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn a_batch_that_is_cut_short_is_none() {
        let batch = pack(&[(7, -1, vec![], None)]).unwrap();
        assert!((0..batch.len()).all(|n| Head::read(&batch[..n]).is_none()));
        assert_eq!(Head::read(&batch).unwrap().unwrap().next_offset(), 8);
    }

    #[test]
    fn old_formats_are_told() {
        let mut batch = pack(&[(7, -1, vec![], None)]).unwrap();
        let new = batch.clone();
        assert!(!has_old_format(&batch));
        for format in [0, 1] {
            batch[16] = format;
            assert!(has_old_format(&batch));
            assert!(has_old_format(&[&new[..], &batch[..]].concat()));
        }
    }
}
