//! Chunks as one block of ClickHouse's Native format, byte for byte as
//! `pipeline/clickhouse/native.py` writes it.
//!
//! Source: <https://clickhouse.com/docs/interfaces/formats/Native>.

use crate::chunk::{Chunk, Maps, Texts};
use crate::dictionary::{put_leb128, Dictionary};
use crate::event::Place;
use std::borrow::Cow;

/// The version of a dictionary column's form.
pub const DICTIONARY_VERSION: u64 = 1;
/// It brings all its keys, and shares none.
const DICTIONARY_OF_ITS_OWN: u64 = 1 << 9 | 1 << 10;

/// All rows of chunks of one topic, one's after the other's, uncompressed.
pub fn block(chunks: &[&Chunk]) -> Vec<u8> {
    let Some(first) = chunks.first() else { return Vec::new() };
    let columns = first.kind.columns();
    let mut out = Vec::with_capacity(chunks.iter().map(|chunk| expected_bytes(chunk)).sum());
    put_sizes(columns.len(), chunks.iter().map(|chunk| chunk.len()).sum(), &mut out);
    for (name, kind, place) in columns {
        put_head((name, kind), &mut out);
        match *place {
            Place::Minute => {
                chunks.iter().for_each(|chunk| put(&chunk.minutes, u32::to_le_bytes, &mut out));
            }
            Place::Byte(n) => {
                chunks.iter().for_each(|chunk| out.extend_from_slice(&chunk.bytes[n]));
            }
            Place::Int(n) => {
                chunks.iter().for_each(|chunk| chunk.ints[n].put(&mut out));
            }
            Place::Text(n) => {
                let column = joined(chunks.iter().map(|chunk| &chunk.texts[n]));
                put_u64(DICTIONARY_VERSION, &mut out);
                put_texts(column.dictionary(), &column.codes, &mut out);
            }
            Place::Leaves => {
                let maps: Vec<&Maps> =
                    chunks.iter().filter_map(|chunk| chunk.maps.as_ref()).collect();
                put_maps(&maps, &mut out);
            }
        }
    }
    out
}

/// How many columns and rows a block has: what it begins with.
pub fn put_sizes(columns: usize, rows: usize, out: &mut Vec<u8>) {
    put_leb128(columns as u64, out);
    put_leb128(rows as u64, out);
}

/// A column's name and type, which stand before its values.
pub fn put_head((name, kind): (&str, &str), out: &mut Vec<u8>) {
    for text in [name, kind] {
        put_leb128(text.len() as u64, out);
        out.extend_from_slice(text.as_bytes());
    }
}

/// Columns of strings as one.
pub struct Joined<'a> {
    /// None: it is that of the only column.
    made: Option<Dictionary>,
    only: &'a Dictionary,
    /// One for each row.
    pub codes: Cow<'a, [u32]>,
}

impl Joined<'_> {
    /// The strings.
    pub fn dictionary(&self) -> &Dictionary {
        self.made.as_ref().unwrap_or(self.only)
    }
}

/// The rows of all columns, of which there is one at least, one's after the other's.
pub fn joined<'a>(columns: impl Iterator<Item = &'a Texts>) -> Joined<'a> {
    let columns: Vec<&Texts> = columns.collect();
    let only = &columns[0].dictionary;
    if columns.len() == 1 {
        return Joined { made: None, only, codes: Cow::Borrowed(&columns[0].codes) };
    }
    let mut made = Dictionary::new(only.seed());
    let mut codes = Vec::with_capacity(columns.iter().map(|column| column.codes.len()).sum());
    for column in columns {
        let known: Vec<u32> = column.dictionary.texts().map(|text| made.code(text)).collect();
        codes.extend(column.codes.iter().map(|code| known[*code as usize]));
    }
    Joined { made: Some(made), only, codes: Cow::Owned(codes) }
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

/// A number of 64 bits.
pub fn put_u64(number: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(&number.to_le_bytes());
}

/// A column of strings, behind its version.
pub fn put_texts(dictionary: &Dictionary, codes: &[u32], out: &mut Vec<u8>) {
    if codes.is_empty() {
        return;
    }
    let keys = dictionary.len();
    let width = u64::from(keys > 1 << 8) + u64::from(keys > 1 << 16);
    put_u64(DICTIONARY_OF_ITS_OWN | width, out);
    put_u64(keys as u64, out);
    out.extend_from_slice(dictionary.packed());
    put_u64(codes.len() as u64, out);
    match width {
        0 => put(codes, |code| [code as u8], out),
        1 => put(codes, |code| (code as u16).to_le_bytes(), out),
        _ => put(codes, u32::to_le_bytes, out),
    }
}

fn put_maps(columns: &[&Maps], out: &mut Vec<u8>) {
    put_u64(DICTIONARY_VERSION, out);
    let mut end = 0;
    for count in columns.iter().flat_map(|column| &column.counts) {
        end += u64::from(*count);
        put_u64(end, out);
    }
    if !columns.is_empty() {
        let keys = joined(columns.iter().map(|column| &column.keys));
        put_texts(keys.dictionary(), &keys.codes, out);
    }
    columns.iter().for_each(|column| out.extend_from_slice(&column.values));
}
