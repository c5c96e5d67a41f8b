//! Strings of JSON.

use crate::cursor::Cursor;
use bumpalo::Bump;

/// A string as it is meant.
#[derive(Clone, Copy, Debug)]
pub struct Text<'a> {
    /// In UTF-8, if the record is.
    pub bytes: &'a [u8],
    /// Whether it was sent otherwise.
    pub was_escaped: bool,
}

/// The string that the cursor stands in, behind its first quote; it is passed.
///
/// What is not sent as it is meant is kept in `arena`.
#[inline(always)]
pub fn string<'a>(at: &mut Cursor<'a>, is_ascii: &mut bool, arena: &'a Bump) -> Option<Text<'a>> {
    let begin = *at;
    *is_ascii &= at.to_string_end();
    match at.peek() {
        b'"' => {
            let bytes = at.since(begin);
            at.skip(1);
            Some(Text { bytes, was_escaped: false })
        }
        b'\\' => escaped(begin, at, is_ascii, arena),
        _ => None,
    }
}

/// The string that began at `begin` and has its first escape here.
#[cold]
fn escaped<'a>(
    begin: Cursor<'a>,
    at: &mut Cursor<'a>,
    is_ascii: &mut bool,
    arena: &'a Bump,
) -> Option<Text<'a>> {
    let mut meant = at.since(begin).to_vec();
    loop {
        match at.peek() {
            b'"' => break,
            b'\\' => {
                at.skip(1);
                escape(at, &mut meant)?;
            }
            _ => return None, // a control character, or the end
        }
        let begin = *at;
        *is_ascii &= at.to_string_end();
        meant.extend_from_slice(at.since(begin));
    }
    at.skip(1);
    Some(Text { bytes: arena.alloc_slice_copy(&meant), was_escaped: true })
}

fn escape(at: &mut Cursor<'_>, into: &mut Vec<u8>) -> Option<()> {
    let octet = match at.peek() {
        octet @ (b'"' | b'\\' | b'/') => octet,
        b'b' => 8,
        b'f' => 12,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'u' => {
            at.skip(1);
            let character = character(at)?;
            into.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            return Some(());
        }
        _ => return None,
    };
    at.skip(1);
    into.push(octet);
    Some(())
}

/// What stands behind `\u`; None of a surrogate that stands alone.
fn character(at: &mut Cursor<'_>) -> Option<char> {
    let first = hex(at)?;
    if !(0xD800..0xDC00).contains(&first) {
        return char::from_u32(first);
    }
    at.take(b'\\')?;
    at.take(b'u')?;
    let second = hex(at)?;
    let low = second.checked_sub(0xDC00).filter(|low| *low < 0x400)?;
    char::from_u32(0x1_0000 + (first - 0xD800) * 0x400 + low)
}

fn hex(at: &mut Cursor<'_>) -> Option<u32> {
    let mut sum = 0;
    for _ in 0..4 {
        sum = sum << 4 | char::from(at.peek()).to_digit(16)?;
        at.skip(1);
    }
    Some(sum)
}

/// Write a string as the reference's encoder does.
pub fn put_quoted(text: &[u8], into: &mut Vec<u8>) {
    into.push(b'"');
    for octet in text {
        match octet {
            b'"' | b'\\' => into.extend_from_slice(&[b'\\', *octet]),
            8 => into.extend_from_slice(b"\\b"),
            12 => into.extend_from_slice(b"\\f"),
            b'\n' => into.extend_from_slice(b"\\n"),
            b'\r' => into.extend_from_slice(b"\\r"),
            b'\t' => into.extend_from_slice(b"\\t"),
            0..=0x1f => into.extend_from_slice(format!("\\u{octet:04x}").as_bytes()),
            _ => into.push(*octet),
        }
    }
    into.push(b'"');
}
