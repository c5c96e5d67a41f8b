//! A chunk as one block of ClickHouse's Native format, byte for byte as
//! `pipeline/clickhouse/native.py` writes it.
//!
//! Source: <https://clickhouse.com/docs/interfaces/formats/Native>.

use crate::chunk::{Chunk, Maps, Texts};
use crate::dictionary::put_leb128;
use crate::event::Place;

/// The version of a dictionary column's form.
const DICTIONARY_VERSION: u64 = 1;
/// It brings all its keys, and shares none.
const DICTIONARY_OF_ITS_OWN: u64 = 1 << 9 | 1 << 10;

/// All rows, uncompressed.
pub fn block(chunk: &Chunk) -> Vec<u8> {
    let columns = chunk.kind.columns();
    let mut out = Vec::with_capacity(expected_bytes(chunk));
    put_leb128(columns.len() as u64, &mut out);
    put_leb128(chunk.len() as u64, &mut out);
    for (name, kind, place) in columns {
        for text in [name, kind] {
            put_leb128(text.len() as u64, &mut out);
            out.extend_from_slice(text.as_bytes());
        }
        match *place {
            Place::Minute => put(&chunk.minutes, u32::to_le_bytes, &mut out),
            Place::Byte(n) => out.extend_from_slice(&chunk.bytes[n]),
            Place::Int(n) => put(&chunk.ints[n], u64::to_le_bytes, &mut out),
            Place::Text(n) => {
                put_u64(DICTIONARY_VERSION, &mut out);
                put_texts(&chunk.texts[n], &mut out);
            }
            Place::Leaves => chunk.maps.iter().for_each(|maps| put_maps(maps, &mut out)),
        }
    }
    out
}

fn expected_bytes(chunk: &Chunk) -> usize {
    let texts = chunk.texts.iter().chain(chunk.maps.iter().map(|maps| &maps.keys));
    let texts: usize =
        texts.map(|one| one.codes.len() * 4 + one.dictionary.packed().len() + 64).sum();
    let values = chunk.maps.as_ref().map_or(0, |maps| maps.values.len() + 8 * chunk.len());
    let row = 4 + chunk.bytes.len() + 8 * chunk.ints.len();
    chunk.len() * row + texts + values + 4096
}

/// Numbers, little-endian.
pub fn put<T: Copy, const N: usize>(
    numbers: &[T],
    octets: impl Fn(T) -> [u8; N],
    out: &mut Vec<u8>,
) {
    let begin = out.len();
    out.resize(begin + numbers.len() * N, 0);
    for (place, number) in out[begin..].chunks_exact_mut(N).zip(numbers) {
        place.copy_from_slice(&octets(*number));
    }
}

fn put_u64(number: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(&number.to_le_bytes());
}

fn put_texts(column: &Texts, out: &mut Vec<u8>) {
    if column.codes.is_empty() {
        return;
    }
    let keys = column.dictionary.len();
    let width = u64::from(keys > 1 << 8) + u64::from(keys > 1 << 16);
    put_u64(DICTIONARY_OF_ITS_OWN | width, out);
    put_u64(keys as u64, out);
    out.extend_from_slice(column.dictionary.packed());
    put_u64(column.codes.len() as u64, out);
    match width {
        0 => put(&column.codes, |code| [code as u8], out),
        1 => put(&column.codes, |code| (code as u16).to_le_bytes(), out),
        _ => put(&column.codes, u32::to_le_bytes, out),
    }
}

fn put_maps(column: &Maps, out: &mut Vec<u8>) {
    put_u64(DICTIONARY_VERSION, out);
    let mut end = 0;
    for count in &column.counts {
        end += u64::from(*count);
        put_u64(end, out);
    }
    put_texts(&column.keys, out);
    out.extend_from_slice(&column.values);
}
