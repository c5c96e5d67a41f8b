//! The identity of an event: `pipeline/facts/repeats/identities.py`, bit for bit.

const SCALE: u64 = 0xFF51_AFD7_ED55_8CCD;
const LAST_SCALE: u64 = 0xC4CE_B9FE_1A85_EC53;
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

#[inline(always)]
fn mixed(mut word: u64, scale: u64) -> u64 {
    word ^= word >> 32;
    word = word.wrapping_mul(scale);
    word ^= word >> 29;
    word = word.wrapping_mul(LAST_SCALE);
    word ^ (word >> 32)
}

/// The first 8 bytes, or fewer, as a little-endian number, filled up with zeros.
#[inline(always)]
pub fn word(octets: &[u8]) -> u64 {
    let n = octets.len();
    if let Some(eight) = octets.first_chunk::<8>() {
        return u64::from_le_bytes(*eight);
    }
    if let (Some(first), Some(last)) = (octets.first_chunk::<4>(), octets.last_chunk::<4>()) {
        let (first, last) = (u32::from_le_bytes(*first), u32::from_le_bytes(*last));
        return u64::from(first) | u64::from(last) << ((n - 4) * 8);
    }
    octets.iter().rev().fold(0, |sum, octet| sum << 8 | u64::from(*octet))
}

/// The hash of one name.
#[inline(always)]
pub fn name(octets: &[u8]) -> u64 {
    let mut sum = 0u64;
    for (place, part) in octets.chunks(8).enumerate() {
        let scale = GOLDEN.wrapping_mul(2 * place as u64 + 1) | 1;
        sum = sum.wrapping_add(mixed(word(part), scale));
    }
    mixed(sum.wrapping_add((octets.len() as u64).wrapping_mul(GOLDEN)), SCALE)
}

/// The hash of an event's three names, by those of its tenant and source.
#[inline(always)]
pub fn identity(of_tenant: u64, of_source: u64, id: &[u8]) -> u64 {
    let sum = name(id)
        .wrapping_add(of_source.wrapping_mul(SCALE))
        .wrapping_add(of_tenant.wrapping_mul(LAST_SCALE));
    mixed(sum, SCALE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_filled_up_with_zeros() {
        let octets: Vec<u8> = (1..=12).collect();
        for n in 0..=12 {
            let mut eight = [0; 8];
            eight[..n.min(8)].copy_from_slice(&octets[..n.min(8)]);
            assert_eq!(word(&octets[..n]), u64::from_le_bytes(eight));
        }
    }

    #[test]
    fn identities_are_those_of_the_reference() {
        // identities(["acme"], ["gateway"], ["01234567", …]) of pipeline.facts.repeats.identities
        let of = |id: &[u8]| identity(name(b"acme"), name(b"gateway"), id);
        for (id, wanted) in GOLDEN_IDS {
            assert_eq!(of(id.as_bytes()), *wanted, "{id}");
        }
    }

    const GOLDEN_IDS: &[(&str, u64)] = &[
        ("1", 0x396c5bc9a955344e),
        ("01234567", 0x59b25c97f6f44e6c),
        ("012345678", 0xd79ed1d15a801a99),
        ("zürich-ä", 0xffe6b093779a6953),
        ("\0", 0xb952c2adca40d9c6),
        (
            "a-much-longer-identifier-of-more-than-sixty-four-characters-0123456789",
            0xbc8bed7630971b4a,
        ),
    ];
}
