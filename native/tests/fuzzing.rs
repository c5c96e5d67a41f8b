//! The fuzz targets over known inputs, changed at random: what `cargo fuzz` does for hours, for some
//! seconds.

#[path = "../fuzz/src/targets.rs"]
mod targets;

use proptest::prelude::*;
use std::io::Write;
use usage_pipeline_native::batch::pack;

const VALUES: &[&str] = &[
    r#"{"specversion":"1.0","id":"1","source":"g","type":"usage.request.v1","subject":"acme","time":"2026-05-01T12:34:56.789Z","data":{"operation":"chat","model":"m-1","status_code":200,"duration_ms":12.5,"user_id":"u","input_tokens":10,"output_tokens":20,"cost":"0.25"}}"#,
    r#"{"specversion":"1.0","id":"2","source":"g","type":"usage.recipe_action.v1","subject":"acme","data":{"recipe_id":"r","job_id":"j","step":3,"kind":"action","outcome":"succeeded","app":"crm"}}"#,
    r#"{"specversion":"1.0","id":"3","source":"é","type":"usage.event.v1","subject":"acme","data":{"name":"export","user_id":"u","properties":{"plan":"p\u0072o","n":1.50,"tags":["a", 2],"at":{"x":true,"y":null}}}}"#,
];

/// What gets far.
const PIECES: &[&[u8]] = &[b"\"", b"\\", b"{", b"[", b",", b"0", b"e9", b"\x0c", b"\0", b"\xff"];

/// A place, how many bytes are left out there, and what stands there instead.
type Change = (prop::sample::Index, usize, Vec<u8>);

fn changes(most: usize) -> impl Strategy<Value = Vec<Change>> {
    let bytes = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..3),
        prop::sample::select(PIECES).prop_map(<[u8]>::to_vec),
    ];
    prop::collection::vec((any::<prop::sample::Index>(), 0usize..4, bytes), 0..most)
}

fn changed(mut octets: Vec<u8>, changes: &[Change]) -> Vec<u8> {
    for (at, gone, instead) in changes {
        let at = at.index(octets.len() + 1);
        let end = (at + gone).min(octets.len());
        octets.splice(at..end, instead.iter().copied());
    }
    octets
}

/// The values as records of one batch, packed by a codec.
fn batch(codec: u8) -> Vec<u8> {
    let values = VALUES.iter().cycle().take(9).enumerate();
    let records: Vec<_> = values
        .map(|(n, value)| (n as i64, targets::NOW, vec![], Some(value.as_bytes().to_vec())))
        .collect();
    let plain = pack(&records).expect("they are near each other");
    let (head, records) = plain.split_at(usage_pipeline_native::batch::HEAD);
    let records = packed(codec, records);
    let mut octets = [head, &records[..]].concat();
    let size = octets.len() as i32 - 12;
    octets[8..12].copy_from_slice(&size.to_be_bytes());
    octets[22] |= codec;
    octets
}

fn packed(codec: u8, octets: &[u8]) -> Vec<u8> {
    match codec {
        1 => {
            let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            gzip.write_all(octets).expect("memory takes it");
            gzip.finish().expect("memory takes it")
        }
        2 => snap::raw::Encoder::new().compress_vec(octets).expect("it is short"),
        3 => {
            let mut lz4 = lz4_flex::frame::FrameEncoder::new(Vec::new());
            lz4.write_all(octets).expect("memory takes it");
            lz4.finish().expect("memory takes it")
        }
        4 => zstd::bulk::compress(octets, 1).expect("memory takes it"),
        _ => octets.to_vec(),
    }
}

#[test]
fn what_is_not_changed_is_read() {
    for codec in 0..5 {
        for kind in 0..3 {
            assert_eq!(targets::fetch(&[&[kind][..], &batch(codec)].concat()), 1, "codec {codec}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]
    #[test]
    fn fetches(codec in 0u8..6, kind in 0u8..3, times in 1usize..3, changes in changes(5)) {
        let octets = changed(batch(codec).repeat(times), &changes);
        targets::fetch(&[&[kind][..], &octets].concat());
    }

    #[test]
    fn values(kind in 0u8..3, times in 1usize..4, changes in changes(6)) {
        let octets = VALUES.join("\x0c").repeat(times).into_bytes();
        targets::values(&[&[kind][..], &changed(octets, &changes)].concat());
    }

    #[test]
    fn codecs(codec in 0u8..6, changes in changes(5)) {
        let octets = batch(codec)[usage_pipeline_native::batch::HEAD..].to_vec();
        targets::codecs(&changed(octets, &changes));
    }
}
