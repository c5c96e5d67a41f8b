//! Properties to leaves, as `pipeline/facts/exact/leaves.py` makes them; what has a repeated name
//! is left to it.

use crate::event::Leaf;
use crate::identity::word;
use crate::numbers::{Canonical, Number};
use crate::scanner::Scan;
use crate::strings::{put_quoted, Text};
use bumpalo::Bump;

/// The names of the objects that are being read, as hashes.
#[derive(Default)]
pub(crate) struct Names(Vec<u64>);

/// Names of so few members are compared one by one.
const FEW: usize = 32;

impl Names {
    /// Where the names of an object begin that is read next.
    fn begin(&self) -> usize {
        self.0.len()
    }

    /// Add a member's name; None if the object, whose names begin at `begin`, surely has it.
    #[inline(always)]
    fn add(&mut self, begin: usize, name: &[u8]) -> Option<()> {
        let hash = name.chunks(8).fold(name.len() as u64, |sum, part| {
            let product = u128::from(sum ^ word(part)) * u128::from(0x9E37_79B9_7F4A_7C15u64);
            product as u64 ^ (product >> 64) as u64
        });
        let own = &self.0[begin..];
        if own.len() < FEW && own.contains(&hash) {
            return None;
        }
        self.0.push(hash);
        Some(())
    }

    /// The object has ended; None if one of its names is repeated, or may be.
    #[inline(always)]
    fn end(&mut self, begin: usize) -> Option<()> {
        let own = &mut self.0[begin..];
        let is_repeated = own.len() > FEW && {
            own.sort_unstable();
            own.windows(2).any(|pair| pair[0] == pair[1])
        };
        self.0.truncate(begin);
        (!is_repeated).then_some(())
    }

    /// Forget all, whatever was being read.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

/// Read an event's properties; their object would be the `depth`-th container.
pub(crate) fn read(scan: &mut Scan<'_, '_>, depth: u32) -> Option<()> {
    if scan.at.peek() != b'{' {
        return None;
    }
    if !scan.wants_leaves {
        return scan.anything(depth);
    }
    scan.enter(depth)?;
    members(scan, depth, b"").map(drop)
}

/// The members of an object, behind its brace: whether there are any.
fn members<'a>(scan: &mut Scan<'a, '_>, depth: u32, prefix: &'a [u8]) -> Option<bool> {
    let begin = scan.names.begin();
    let mut has_members = false;
    while let Some(name) = scan.name(has_members)? {
        scan.names.add(begin, name.bytes)?;
        has_members = true;
        member(scan, depth + 1, path(prefix, name.bytes, scan.arena))?;
    }
    scan.names.end(begin)?;
    Some(has_members)
}

/// The value that begins here is what stands at `path`.
#[inline(always)]
fn member<'a>(scan: &mut Scan<'a, '_>, depth: u32, path: &'a [u8]) -> Option<()> {
    let (tag, text): (u8, &'a [u8]) = match scan.at.peek() {
        b'"' => {
            scan.at.skip(1);
            (b's', scan.string()?.bytes)
        }
        b'{' => {
            scan.enter(depth)?;
            if members(scan, depth, dotted(path, scan.arena))? {
                return Some(());
            }
            (b'o', b"")
        }
        b'[' => {
            let mut text = Vec::new();
            array(scan, depth, &mut text)?;
            (b'a', scan.arena.alloc_slice_copy(&text))
        }
        b't' | b'f' => (b'b', if scan.boolean()? { b"1" } else { b"0" }),
        b'n' => return scan.literal(b"null"),
        _ => number(scan.at.number()?, scan.arena),
    };
    scan.leaves.push(Leaf { path, tag, text });
    Some(())
}

#[inline(always)]
fn number<'a>(number: Number<'a>, arena: &'a Bump) -> (u8, &'a [u8]) {
    let (is_exact, text) = number.canonical();
    let text: &[u8] = match text {
        Canonical::Sent(text) => text,
        Canonical::Made(text) => arena.alloc_slice_copy(&text),
    };
    (if is_exact { b'n' } else { b'x' }, text)
}

/// A key behind a prefix; a dot or a backslash in it is escaped.
#[inline(always)]
fn path<'a>(prefix: &'a [u8], key: &'a [u8], arena: &'a Bump) -> &'a [u8] {
    let is_plain = !key.iter().any(|octet| matches!(octet, b'.' | b'\\'));
    if is_plain && prefix.is_empty() {
        return key;
    }
    let mut path = prefix.to_vec();
    for octet in key {
        if matches!(octet, b'.' | b'\\') {
            path.push(b'\\');
        }
        path.push(*octet);
    }
    arena.alloc_slice_copy(&path)
}

/// The prefix of what is within a path.
fn dotted<'a>(path: &[u8], arena: &'a Bump) -> &'a [u8] {
    arena.alloc_slice_fill_with(path.len() + 1, |n| path.get(n).copied().unwrap_or(b'.'))
}

/// An array as JSON without white space, its numbers written canonically.
fn array(scan: &mut Scan<'_, '_>, depth: u32, into: &mut Vec<u8>) -> Option<()> {
    scan.enter(depth)?;
    into.push(b'[');
    let mut is_later = false;
    while scan.element(is_later)? {
        if is_later {
            into.push(b',');
        }
        is_later = true;
        item(scan, depth + 1, into)?;
    }
    into.push(b']');
    Some(())
}

fn object(scan: &mut Scan<'_, '_>, depth: u32, into: &mut Vec<u8>) -> Option<()> {
    scan.enter(depth)?;
    into.push(b'{');
    let begin = scan.names.begin();
    let mut is_later = false;
    while let Some(name) = scan.name(is_later)? {
        scan.names.add(begin, name.bytes)?;
        if is_later {
            into.push(b',');
        }
        is_later = true;
        put_text(name, into);
        into.push(b':');
        item(scan, depth + 1, into)?;
    }
    scan.names.end(begin)?;
    into.push(b'}');
    Some(())
}

fn item(scan: &mut Scan<'_, '_>, depth: u32, into: &mut Vec<u8>) -> Option<()> {
    match scan.at.peek() {
        b'"' => {
            scan.at.skip(1);
            put_text(scan.string()?, into);
        }
        b'{' => object(scan, depth, into)?,
        b'[' => array(scan, depth, into)?,
        octet @ (b't' | b'f' | b'n') => {
            let word: &[u8] = match octet {
                b't' => b"true",
                b'f' => b"false",
                _ => b"null",
            };
            scan.literal(word)?;
            into.extend_from_slice(word);
        }
        _ => into.extend_from_slice(scan.at.number()?.canonical().1.bytes()),
    }
    Some(())
}

fn put_text(text: Text<'_>, into: &mut Vec<u8>) {
    if text.was_escaped {
        return put_quoted(text.bytes, into);
    }
    // What was sent without a backslash needs none.
    into.push(b'"');
    into.extend_from_slice(text.bytes);
    into.push(b'"');
}
