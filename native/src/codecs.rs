//! What a batch's records are packed by, unpacked within bounds: nothing that comes over the wire
//! takes more memory than [`MOST_BYTES`], or is taken for more than it is.

use crate::cursor::{Filling, Padded};
use std::io::{self, Read};
use zstd::stream::raw::{Decoder, Operation};
use zstd::stream::raw::{InBuffer, OutBuffer};

/// A batch that comes to more is not unpacked here: far more than any broker takes as it is.
pub const MOST_BYTES: usize = 256 << 20;

const PIECE: usize = 64 << 10;
const XERIAL: &[u8] = b"\x82SNAPPY\0";
const XERIAL_HEAD: usize = 16;
const LZ4_MAGIC: &[u8] = &[0x04, 0x22, 0x4d, 0x18];

/// The bytes cannot be unpacked with certainty: they are damaged, too many, or of another codec.
#[derive(Debug, PartialEq, Eq)]
pub struct Unreadable;

impl From<io::Error> for Unreadable {
    fn from(_: io::Error) -> Self {
        Unreadable
    }
}

impl From<snap::Error> for Unreadable {
    fn from(_: snap::Error) -> Self {
        Unreadable
    }
}

/// What so many packed bytes can come to, by what one of them says at most; zstd has no bound.
pub fn most_unpacked(codec: i16, packed: usize) -> usize {
    let times = match codec {
        0 => 1,
        1 => 1032,
        2 => 32,
        3 => 255,
        _ => MOST_BYTES,
    };
    packed.saturating_mul(times).min(MOST_BYTES)
}

/// Unpacks; what a codec needs is kept from batch to batch.
pub struct Unpacker {
    most: usize,
    zstd: Option<Decoder<'static>>,
}

impl Unpacker {
    /// One that unpacks to `most` bytes at the most.
    pub fn new(most: usize) -> Self {
        Unpacker { most, zstd: None }
    }

    /// Fill `into` with what `packed` comes to; `codec` is as in a batch's attributes.
    pub fn unpack(
        &mut self,
        codec: i16,
        packed: &[u8],
        into: &mut Padded,
    ) -> Result<(), Unreadable> {
        let most = self.most;
        into.refill(|out| match codec {
            0 if packed.len() <= most => {
                out.extend(packed);
                Ok(())
            }
            1 => read_all(flate2::bufread::MultiGzDecoder::new(packed), out, most),
            2 => snappy(packed, out, most),
            3 => lz4(packed, out, most),
            4 => self.zstd(packed, out),
            _ => Err(Unreadable),
        })
    }

    /// Frames, with or without their content's size.
    fn zstd(&mut self, packed: &[u8], out: &mut Filling<'_>) -> Result<(), Unreadable> {
        let decoder = match &mut self.zstd {
            Some(decoder) => decoder,
            none => none.insert(Decoder::new()?),
        };
        decoder.reinit()?;
        let mut source = InBuffer::around(packed);
        let mut ended = packed.is_empty();
        while source.pos() < packed.len() || !ended {
            let read = source.pos();
            let mut target = OutBuffer::around(out.spare(PIECE));
            let hint = decoder.run(&mut source, &mut target)?;
            let wrote = target.pos();
            out.wrote(wrote);
            ended = hint == 0;
            let stands = source.pos() == read && wrote == 0;
            if out.len() > self.most || (stands && !ended) {
                return Err(Unreadable); // too many, or cut short
            }
            if stands && source.pos() < packed.len() {
                decoder.reinit()?; // the next frame
            }
        }
        Ok(())
    }
}

fn read_all(mut source: impl Read, out: &mut Filling<'_>, most: usize) -> Result<(), Unreadable> {
    loop {
        match source.read(out.spare(PIECE)) {
            Ok(0) => return Ok(()),
            Ok(n) => out.wrote(n),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return Err(Unreadable),
        }
        if out.len() > most {
            return Err(Unreadable);
        }
    }
}

/// One block as it is, or the blocks of snappy-java's stream, which Java's clients write.
fn snappy(packed: &[u8], out: &mut Filling<'_>, most: usize) -> Result<(), Unreadable> {
    if packed.len() < XERIAL_HEAD || !packed.starts_with(XERIAL) {
        return snappy_block(packed, out, most);
    }
    let mut rest = &packed[XERIAL_HEAD..];
    while !rest.is_empty() {
        let (size, behind) = rest.split_first_chunk::<4>().ok_or(Unreadable)?;
        let size = u32::from_be_bytes(*size) as usize;
        snappy_block(behind.get(..size).ok_or(Unreadable)?, out, most)?;
        rest = &behind[size..];
    }
    Ok(())
}

fn snappy_block(block: &[u8], out: &mut Filling<'_>, most: usize) -> Result<(), Unreadable> {
    let size = snap::raw::decompress_len(block)?;
    if size > most.saturating_sub(out.len()) {
        return Err(Unreadable);
    }
    let wrote = snap::raw::Decoder::new().decompress(block, out.spare(size))?;
    out.wrote(wrote);
    Ok(())
}

/// Frames; those that are not of the plain sort are for the library's own reader of frames.
fn lz4(packed: &[u8], out: &mut Filling<'_>, most: usize) -> Result<(), Unreadable> {
    if plain_lz4(packed, out, most).is_some() {
        return Ok(());
    }
    out.truncate(0);
    let mut rest = packed;
    while !rest.is_empty() {
        let before = rest.len();
        read_all(lz4_flex::frame::FrameDecoder::new(&mut rest), out, most)?;
        if rest.len() == before {
            return Err(Unreadable);
        }
    }
    Ok(())
}

/// One frame of blocks that stand alone, without checksums of their own, as Kafka's clients write
/// them: unpacked in place, at half the cost. None: it is another sort of frame.
fn plain_lz4(packed: &[u8], out: &mut Filling<'_>, most: usize) -> Option<()> {
    const VERSION: u8 = 1;
    const ALONE: u8 = 0x20;
    const CONTENT_SIZE: u8 = 0x08;
    const CHECKSUMS_OR_DICTIONARY: u8 = 0x15;
    const STORED: u32 = 1 << 31;
    let (flags, descriptor) = (*packed.get(4)?, *packed.get(5)?);
    let is_plain = flags >> 6 == VERSION
        && flags & ALONE != 0
        && flags & CHECKSUMS_OR_DICTIONARY == 0
        && packed.starts_with(LZ4_MAGIC);
    if !is_plain {
        return None;
    }
    let most_of_block = 1usize << (8 + 2 * (descriptor >> 4 & 7));
    let mut rest = packed.get(if flags & CONTENT_SIZE != 0 { 15 } else { 7 }..)?;
    loop {
        let (size, behind) = rest.split_first_chunk::<4>()?;
        let size = u32::from_le_bytes(*size);
        if size == 0 {
            return behind.is_empty().then_some(()); // the end mark
        }
        if out.len() + most_of_block > most {
            return None;
        }
        let block = behind.get(..(size & !STORED) as usize)?;
        rest = &behind[block.len()..];
        if size & STORED != 0 {
            out.extend(block);
        } else {
            let spare = out.spare(most_of_block);
            let wrote = lz4_flex::block::decompress_into(block, spare).ok()?;
            out.wrote(wrote);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Write;

    fn unpacked(codec: i16, packed: &[u8], most: usize) -> Result<Vec<u8>, Unreadable> {
        let mut into = Padded::default();
        Unpacker::new(most).unpack(codec, packed, &mut into)?;
        Ok(into.bytes().to_vec())
    }

    fn xerial(parts: &[&[u8]]) -> Vec<u8> {
        let mut packed = XERIAL.to_vec();
        packed.extend([0, 0, 0, 1, 0, 0, 0, 1]);
        for part in parts {
            let block = snap::raw::Encoder::new().compress_vec(part).unwrap();
            packed.extend((block.len() as u32).to_be_bytes());
            packed.extend(block);
        }
        packed
    }

    fn framed(octets: &[u8], mode: lz4_flex::frame::BlockMode, checksums: bool) -> Vec<u8> {
        let info = lz4_flex::frame::FrameInfo::new()
            .block_mode(mode)
            .block_checksums(checksums)
            .content_checksum(checksums);
        let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
        encoder.write_all(octets).unwrap();
        encoder.finish().unwrap()
    }

    /// The octets, packed in every way that a client may choose.
    fn packed(octets: &[u8]) -> Vec<(i16, Vec<u8>)> {
        use lz4_flex::frame::BlockMode::{Independent, Linked};
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(octets).unwrap();
        let mut sized = zstd::bulk::compress(octets, 1).unwrap();
        let (first, second) = octets.split_at(octets.len() / 2);
        let streamed = zstd::stream::encode_all(octets, 1).unwrap();
        let mut two = zstd::stream::encode_all(first, 1).unwrap();
        two.extend(zstd::stream::encode_all(second, 3).unwrap());
        if octets.is_empty() {
            sized.clone_from(&streamed);
        }
        vec![
            (0, octets.to_vec()),
            (1, gzip.finish().unwrap()),
            (2, snap::raw::Encoder::new().compress_vec(octets).unwrap()),
            (2, xerial(&[first, second])),
            (3, framed(octets, Independent, false)),
            (3, framed(octets, Independent, true)),
            (3, framed(octets, Linked, false)),
            (4, sized),
            (4, streamed),
            (4, two),
        ]
    }

    fn octets() -> impl Strategy<Value = Vec<u8>> {
        (prop::collection::vec(any::<u8>(), 0..600), 1usize..400)
            .prop_map(|(some, times)| some.repeat(times))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn what_was_packed_comes_out(octets in octets()) {
            for (codec, packed) in packed(&octets) {
                let found = unpacked(codec, &packed, MOST_BYTES);
                prop_assert_eq!(found.as_deref(), Ok(&octets[..]), "codec {}", codec);
            }
        }

        #[test]
        fn what_is_too_much_is_refused(octets in octets(), less in 1usize..1000) {
            for (codec, packed) in packed(&octets) {
                if less <= octets.len() {
                    prop_assert!(unpacked(codec, &packed, octets.len() - less).is_err());
                }
            }
        }

        #[test]
        fn damage_is_survived(octets in octets(), at in any::<prop::sample::Index>(), bit in 0..8u8) {
            for (codec, mut packed) in packed(&octets) {
                if !packed.is_empty() {
                    let at = at.index(packed.len());
                    packed[at] ^= 1u8 << bit;
                    let _ = unpacked(codec, &packed, 1 << 20);
                    let _ = unpacked(codec, &packed[..at], 1 << 20);
                }
            }
        }
    }

    #[test]
    fn a_bomb_is_not_unpacked() {
        let zeros = vec![0; 16 << 20];
        for (codec, packed) in packed(&zeros).into_iter().skip(1) {
            assert_eq!(unpacked(codec, &packed, 1 << 20), Err(Unreadable), "codec {codec}");
        }
    }
}
