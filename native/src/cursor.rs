//! A place in a buffer that ends in zeros: what the scanner's speed, and its safety, stand on.
//!
//! No byte is looked at twice to see whether there is another one: behind the bytes stand zeros,
//! a zero ends every loop, and nothing looks further ahead than there are zeros. So a cursor never
//! passes the first of them. That an event ends where its record does is checked when it is read.

use crate::numbers::{leading_digits, Number, POWERS};
use std::marker::PhantomData;

/// So many zeros stand behind the bytes of a [`Padded`].
pub const PADDING: usize = 64;

/// What is looked at in one go: no more than `PADDING`.
pub const AHEAD: usize = 32;

/// A larger buffer is let go when it is not needed any more.
const KEPT_BYTES: usize = 8 << 20;

/// Bytes with [`PADDING`] zeros behind them; what they lie in is used again and again.
#[derive(Default)]
pub struct Padded {
    octets: Vec<u8>,
    size: usize,
}

impl Padded {
    /// The bytes, without the zeros.
    pub fn bytes(&self) -> &[u8] {
        &self.octets[..self.size]
    }

    /// How many bytes there are.
    pub fn len(&self) -> usize {
        self.size
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.size == 0
    }

    /// What it takes in memory.
    pub fn memory_bytes(&self) -> usize {
        self.octets.capacity()
    }

    /// Fill it anew: `write` adds to what is empty. Returns what `write` does.
    pub fn refill<T>(&mut self, write: impl FnOnce(&mut Filling<'_>) -> T) -> T {
        if self.octets.len() > KEPT_BYTES && self.size < KEPT_BYTES / 2 {
            self.octets = Vec::new();
        }
        let mut filling = Filling { octets: &mut self.octets, size: 0 };
        let done = write(&mut filling);
        filling.spare(PADDING).fill(0);
        self.size = filling.size;
        done
    }
}

/// A [`Padded`] that is being filled.
pub struct Filling<'a> {
    octets: &'a mut Vec<u8>,
    size: usize,
}

impl Filling<'_> {
    /// How many bytes there are by now.
    pub fn len(&self) -> usize {
        self.size
    }

    /// Whether there are none yet.
    pub fn is_empty(&self) -> bool {
        self.size == 0
    }

    /// Room for `n` bytes more, which hold whatever was there before.
    pub fn spare(&mut self, n: usize) -> &mut [u8] {
        let end = self.size + n;
        if self.octets.len() < end {
            self.octets.resize(end.max(self.octets.len() * 3 / 2), 0);
        }
        &mut self.octets[self.size..end]
    }

    /// `n` of the spare bytes were written. Panics if there was less room.
    pub fn wrote(&mut self, n: usize) {
        assert!(n <= self.octets.len() - self.size);
        self.size += n;
    }

    /// Add these bytes.
    pub fn extend(&mut self, more: &[u8]) {
        self.spare(more.len()).copy_from_slice(more);
        self.size += more.len();
    }

    /// Take off all but the first `size` bytes.
    pub fn truncate(&mut self, size: usize) {
        self.size = self.size.min(size);
    }
}

/// A place in a [`Padded`], at most at the first of its zeros.
#[derive(Clone, Copy)]
pub struct Cursor<'a> {
    at: *const u8,
    end: *const u8,
    of: PhantomData<&'a Padded>,
}

impl<'a> Cursor<'a> {
    /// The place `from`. Panics where the bytes have ended by then.
    #[inline(always)]
    pub fn new(padded: &'a Padded, from: usize) -> Self {
        let range = padded.bytes()[from..].as_ptr_range();
        Cursor { at: range.start, end: range.end, of: PhantomData }
    }

    /// The byte here; 0 behind the last.
    #[inline(always)]
    pub fn peek(self) -> u8 {
        // SAFETY: a cursor is at its end at most, and PADDING bytes can be read there.
        unsafe { *self.at }
    }

    /// Go on by `n` bytes, which were looked at and are no zeros of the padding.
    #[inline(always)]
    pub fn skip(&mut self, n: usize) {
        debug_assert!(n <= self.end as usize - self.at as usize);
        // SAFETY: as the caller has looked at them, these bytes are within the buffer.
        self.at = unsafe { self.at.add(n) };
    }

    /// Whether it is at the same place as one of the same buffer.
    #[inline(always)]
    pub fn is_at(self, other: Cursor<'a>) -> bool {
        std::ptr::eq(self.at, other.at)
    }

    /// How many bytes lie between `begin` and here.
    #[inline(always)]
    pub fn distance(self, begin: Cursor<'a>) -> usize {
        self.at as usize - begin.at as usize
    }

    /// The bytes from `begin`, an earlier place of the same buffer, to here.
    #[inline(always)]
    pub fn since(self, begin: Cursor<'a>) -> &'a [u8] {
        debug_assert!(begin.at <= self.at);
        // SAFETY: both places are of the one buffer, and it is borrowed for 'a.
        unsafe { std::slice::from_raw_parts(begin.at, self.distance(begin)) }
    }

    /// Whether `word`, of [`AHEAD`] bytes at most and none of them a zero, stands here.
    #[inline(always)]
    pub fn has(self, word: &[u8]) -> bool {
        debug_assert!(word.len() <= AHEAD);
        // SAFETY: PADDING bytes can be read at the very end, and AHEAD is less.
        word == unsafe { std::slice::from_raw_parts(self.at, word.len()) }
    }

    /// Whether those of the next bytes that `mask` has a bit for are as in `pattern`.
    #[inline(always)]
    pub fn has_pattern(self, pattern: &[u8; AHEAD], mask: u32) -> bool {
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::x86_64::{__m128i, _mm_cmpeq_epi8, _mm_loadu_si128, _mm_movemask_epi8};
            let wanted = pattern.as_ptr();
            // SAFETY: SSE2 is part of x86-64; 32 bytes can be read of both, unaligned.
            let same = unsafe {
                let half = |n: usize| {
                    let here = _mm_loadu_si128(self.at.add(n).cast::<__m128i>());
                    let there = _mm_loadu_si128(wanted.add(n).cast::<__m128i>());
                    _mm_movemask_epi8(_mm_cmpeq_epi8(here, there)) as u32
                };
                half(0) | half(16) << 16
            };
            same & mask == mask
        }
        #[cfg(not(target_arch = "x86_64"))]
        {
            // SAFETY: as of `has`.
            let here = unsafe { std::slice::from_raw_parts(self.at, AHEAD) };
            (0..AHEAD).all(|n| mask >> n & 1 == 0 || here[n] == pattern[n])
        }
    }

    /// Go on to the next quote, backslash or control character; whether all before is ASCII.
    #[inline(always)]
    pub fn to_string_end(&mut self) -> bool {
        let mut high = 0;
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::x86_64::{
                __m128i, _mm_cmpeq_epi8, _mm_loadu_si128, _mm_min_epu8, _mm_movemask_epi8,
                _mm_or_si128, _mm_set1_epi8,
            };
            loop {
                // SAFETY: SSE2 is part of x86-64; 16 bytes can be read at the very end.
                let (stops, highs) = unsafe {
                    let here = _mm_loadu_si128(self.at.cast::<__m128i>());
                    let quotes = _mm_cmpeq_epi8(here, _mm_set1_epi8(b'"' as i8));
                    let slashes = _mm_cmpeq_epi8(here, _mm_set1_epi8(b'\\' as i8));
                    let low = _mm_cmpeq_epi8(_mm_min_epu8(here, _mm_set1_epi8(0x1f)), here);
                    let stops = _mm_or_si128(_mm_or_si128(quotes, slashes), low);
                    (_mm_movemask_epi8(stops) as u32, _mm_movemask_epi8(here) as u32)
                };
                if stops != 0 {
                    let n = stops.trailing_zeros();
                    high |= highs & ((1 << n) - 1);
                    self.skip(n as usize);
                    return high == 0;
                }
                high |= highs;
                self.skip(16); // no zero is among them
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        {
            while !matches!(self.peek(), b'"' | b'\\' | 0..=0x1f) {
                high |= self.peek() & 0x80;
                self.skip(1);
            }
            high == 0
        }
    }

    /// Go on past `octet`; None if another one stands here.
    #[inline(always)]
    pub fn take(&mut self, octet: u8) -> Option<()> {
        if self.peek() != octet {
            return None;
        }
        self.skip(1);
        Some(())
    }

    /// Go on past white space.
    #[inline(always)]
    pub fn white(&mut self) {
        while matches!(self.peek(), b' ' | b'\n' | b'\t' | b'\r') {
            self.skip(1);
        }
    }

    /// Go on past digits, which are added to those before; returns how many there were.
    ///
    /// Eight are looked at in one go: where a number ends, no branch has to foresee.
    #[inline(always)]
    fn digits(&mut self, sum: &mut u64) -> u32 {
        let begin = *self;
        loop {
            // SAFETY: a cursor is at its end at most, and PADDING bytes can be read there.
            let eight = unsafe { self.at.cast::<[u8; 8]>().read_unaligned() };
            let (count, digits) = leading_digits(eight);
            *sum = sum.wrapping_mul(POWERS[count]).wrapping_add(digits);
            self.skip(count);
            if count < 8 {
                return self.distance(begin) as u32;
            }
        }
    }

    /// The number that begins here, by JSON's grammar.
    #[inline(always)]
    pub fn number(&mut self) -> Option<Number<'a>> {
        let begin = *self;
        let negative = self.take(b'-').is_some();
        let (mut digits, mut fraction) = (0, 0);
        let begins_with_zero = self.peek() == b'0';
        let mut count = self.digits(&mut digits);
        if count == 0 || (begins_with_zero && count > 1) {
            return None;
        }
        if self.take(b'.').is_some() {
            fraction = self.digits(&mut digits);
            if fraction == 0 {
                return None;
            }
            count += fraction;
        }
        let has_exponent = self.peek() | 0x20 == b'e';
        if has_exponent {
            self.skip(1);
            if matches!(self.peek(), b'+' | b'-') {
                self.skip(1);
            }
            if self.digits(&mut 0) == 0 {
                return None;
            }
        }
        let text = self.since(begin);
        Some(Number { text, negative, has_exponent, count, fraction, digits })
    }
}
