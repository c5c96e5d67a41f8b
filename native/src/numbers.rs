//! Numbers by JSON's own grammar, exactly: never through a float, whatever their length.

/// What a text of a number may have at most, in characters.
pub const MAX_TEXT: usize = 1024;

/// Digits before and behind the point of a number that is summed.
const MAX_WHOLE: i64 = 38;
const MAX_FRACTION: i64 = 18;

/// Numbers of more digits do not fit in 64 bits.
const MOST_DIGITS: u32 = 18;

/// Digits before the point of a cost, or a duration: it is below 10 to this.
const WHOLE_DIGITS: i64 = 9;

/// An exponent of more digits than nine is as good as infinite.
const FAR: i64 = 1_000_000_000;

/// Of 10.
pub const POWERS: [u64; 10] =
    [1, 10, 100, 1000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000];

/// The digit that an octet is.
#[inline(always)]
pub fn digit(octet: u8) -> Option<u64> {
    let digit = octet.wrapping_sub(b'0');
    (digit < 10).then_some(u64::from(digit))
}

/// How many digits these bytes begin with, and the number that they are.
#[inline(always)]
pub fn leading_digits(octets: [u8; 8]) -> (usize, u64) {
    const EACH: u64 = 0x0101_0101_0101_0101;
    const PAIRS: u64 = 0x0000_00FF_0000_00FF;
    // The first byte is the lowest. Of a digit, what is left is below 10; of the first byte that is
    // none, the highest bit is set: those before it carry nothing into it.
    let left = u64::from_le_bytes(octets) ^ (EACH * u64::from(b'0'));
    let others = (left.wrapping_add(EACH * 0x76) | left) & (EACH * 0x80);
    let count = others.trailing_zeros() / 8;
    // The digits become the last of eight, behind zeros; then pairs, fours, and all are put together.
    let digits = left.checked_shl(64 - 8 * count).unwrap_or(0);
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8);
    let first = (pairs & PAIRS).wrapping_mul(100 + (1_000_000 << 32));
    let second = (pairs >> 16 & PAIRS).wrapping_mul(1 + (10_000 << 32));
    (count as usize, first.wrapping_add(second) >> 32)
}

/// A number as it was sent.
#[derive(Clone, Copy, Debug)]
pub struct Number<'a> {
    /// All of it; by JSON's grammar.
    pub text: &'a [u8],
    /// Whether it begins with a minus.
    pub negative: bool,
    /// Whether it has an exponent.
    pub has_exponent: bool,
    /// Of digits, before and behind the point.
    pub count: u32,
    /// Of digits behind the point.
    pub fraction: u32,
    /// All digits as one number, where they are `MOST_DIGITS` at most.
    pub digits: u64,
}

impl<'a> Number<'a> {
    /// The number at the beginning of `text`; None if there is none.
    #[cfg(test)]
    pub fn read(text: &'a [u8]) -> Option<Number<'a>> {
        let mut padded = crate::cursor::Padded::default();
        padded.refill(|out| out.extend(text));
        let mut at = crate::cursor::Cursor::new(&padded, 0);
        let found = at.number()?;
        let Number { negative, has_exponent, count, fraction, digits, .. } = found;
        let text = &text[..found.text.len()];
        Some(Number { text, negative, has_exponent, count, fraction, digits })
    }

    /// An integer from 0 to 10^18 - 1; a larger one is None, too.
    #[inline(always)]
    pub fn integer(&self) -> Option<u64> {
        let is_integer = self.fraction == 0 && !self.has_exponent && !self.negative;
        (is_integer && self.count <= MOST_DIGITS).then_some(self.digits)
    }

    /// Whether it is an integer, below 0 or not, of 18 digits at most.
    pub fn is_short_integer(&self) -> bool {
        self.fraction == 0 && !self.has_exponent && self.count <= MOST_DIGITS
    }

    /// Times 10^`places` (9 at most), rounded half-even; None below 0, and from 10^9 on.
    #[inline(always)]
    pub fn scaled(&self, places: u32) -> Option<u64> {
        if self.negative {
            return None;
        }
        let whole = self.count - self.fraction;
        if self.has_exponent || self.count > MOST_DIGITS || i64::from(whole) > WHOLE_DIGITS {
            return scaled_text(self.text, i64::from(places));
        }
        if self.fraction <= places {
            return Some(self.digits * POWERS[(places - self.fraction) as usize]);
        }
        let by = 10u64.pow(self.fraction - places);
        let (whole, rest) = (self.digits / by, self.digits % by);
        let is_up = rest * 2 > by || (rest * 2 == by && whole & 1 == 1);
        Some(whole + u64::from(is_up))
    }

    /// Whether its canonical text can be summed, and that text; else what was sent.
    ///
    /// 12.50, 12.5 and 1.25e1 are one text, and -0 is 0: `pipeline/facts/exact/leaves.py`.
    #[inline(always)]
    pub fn canonical(&self) -> (bool, Canonical<'a>) {
        if self.has_exponent {
            return canonical_text(self.text);
        }
        let (text, whole) = (self.text, i64::from(self.count - self.fraction));
        if self.fraction == 0 {
            let text = if text == b"-0" { b"0" } else { text };
            return (whole <= MAX_WHOLE, Canonical::Sent(text));
        }
        let kept = text.iter().rposition(|octet| *octet != b'0').map_or(0, |last| last + 1);
        let dropped = (text.len() - kept) as i64;
        let fraction = i64::from(self.fraction) - dropped;
        if whole > MAX_WHOLE || fraction > MAX_FRACTION {
            return (false, Canonical::Sent(text));
        }
        let kept = if fraction > 0 { &text[..kept] } else { &text[..kept - 1] };
        (true, Canonical::Sent(if kept == b"-0" { b"0" } else { kept }))
    }
}

/// A number's canonical text.
#[derive(Debug)]
pub enum Canonical<'a> {
    /// A part of what was sent.
    Sent(&'a [u8]),
    /// Written anew.
    Made(Vec<u8>),
}

impl Canonical<'_> {
    /// The text.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Canonical::Sent(text) => text,
            Canonical::Made(text) => text,
        }
    }
}

/// A number taken apart: it is 0.`digits` times 10^`point`, and the first digit is not 0.
struct Parts {
    negative: bool,
    digits: Vec<u8>,
    point: i64,
}

/// `text` is a number by JSON's grammar.
fn parts(text: &[u8]) -> Parts {
    let negative = text.first() == Some(&b'-');
    let rest = &text[usize::from(negative)..];
    let end = rest.iter().position(|octet| *octet | 0x20 == b'e').unwrap_or(rest.len());
    let (mantissa, exponent) = (&rest[..end], rest.get(end + 1..).unwrap_or_default());
    let point = mantissa.iter().position(|octet| *octet == b'.').unwrap_or(mantissa.len());
    let fraction = mantissa.len().saturating_sub(point + 1) as i64;
    let digits: Vec<u8> = mantissa
        .iter()
        .copied()
        .filter(|octet| *octet != b'.')
        .skip_while(|octet| *octet == b'0')
        .collect();
    let point = digits.len() as i64 - fraction + exponent_of(exponent);
    Parts { negative, digits, point }
}

fn exponent_of(text: &[u8]) -> i64 {
    let digits = text.iter().copied().filter(|octet| digit(*octet).is_some());
    let significant: Vec<u8> = digits.skip_while(|octet| *octet == b'0').collect();
    let size = match significant.len() {
        0..=9 => significant.iter().fold(0, |sum, octet| sum * 10 + i64::from(octet - b'0')),
        _ => FAR,
    };
    if text.first() == Some(&b'-') {
        -size
    } else {
        size
    }
}

/// As `scaled`, of a number that is not below 0, of any length and exponent.
#[cold]
fn scaled_text(text: &[u8], places: i64) -> Option<u64> {
    if text.len() > MAX_TEXT {
        return None;
    }
    let Parts { digits, point, .. } = parts(text);
    if digits.is_empty() {
        return Some(0);
    }
    if point > WHOLE_DIGITS {
        return None;
    }
    let Ok(kept) = usize::try_from(point + places) else { return Some(0) };
    let at = |n: usize| digits.get(n).map_or(0, |octet| u64::from(octet - b'0'));
    let whole = (0..kept).fold(0, |sum, n| sum * 10 + at(n));
    let rest = without_zeros(digits.get(kept..).unwrap_or_default());
    // As strings of digits these compare like the fractions 0.rest and 0.5.
    let is_up = rest > &b"5"[..] || (rest == b"5" && whole & 1 == 1);
    Some(whole + u64::from(is_up))
}

fn without_zeros(digits: &[u8]) -> &[u8] {
    let end = digits.iter().rposition(|octet| *octet != b'0').map_or(0, |last| last + 1);
    &digits[..end]
}

/// As `canonical`, of a number of any sort.
#[cold]
fn canonical_text(text: &[u8]) -> (bool, Canonical<'_>) {
    let Parts { negative, digits, point } = parts(text);
    let digits = without_zeros(&digits);
    if digits.is_empty() {
        return (true, Canonical::Sent(b"0"));
    }
    let count = digits.len() as i64;
    if point > MAX_WHOLE || count - point > MAX_FRACTION {
        return (false, Canonical::Sent(text));
    }
    // From here on there are some 60 digits at the most.
    let (whole, before) = (point.max(0) as usize, (-point).max(0) as usize);
    let mut made = Vec::with_capacity(64);
    if negative {
        made.push(b'-');
    }
    if whole == 0 {
        made.push(b'0');
    } else {
        made.extend((0..whole).map(|n| digits.get(n).copied().unwrap_or(b'0')));
    }
    if digits.len() > whole {
        made.push(b'.');
        made.resize(made.len() + before, b'0');
        made.extend(&digits[whole..]);
    }
    (true, Canonical::Made(made))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Numbers of every form.
    fn texts() -> impl Strategy<Value = String> {
        let whole = prop_oneof!["0", "[1-9][0-9]{0,3}", "[1-9][0-9]{6,12}", "[1-9][0-9]{14,42}"];
        let fraction = prop_oneof![
            Just(String::new()),
            "\\.[0-9]{1,4}",
            "\\.[0-9]{0,12}50{0,4}",
            "\\.[0-9]{1,22}",
            "\\.0{1,20}[0-9]",
        ];
        let exponent = prop_oneof![
            3 => Just(String::new()),
            1 => "[eE][+-]?[0-9]{1,2}",
            1 => "[eE][+-]?0{0,9}[0-9]{1,12}",
        ];
        ("-?", whole, fraction, exponent)
            .prop_map(|(sign, whole, fraction, exponent)| sign + &whole + &fraction + &exponent)
    }

    /// All digits of a number below 10^60 with an exponent above -60: before and behind the point.
    fn spelt_out(text: &str) -> Option<(String, String)> {
        let text = text.trim_start_matches('-').to_lowercase();
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let exponent: i64 = exponent.parse().ok()?;
        let (mut whole, mut fraction) = mantissa
            .split_once('.')
            .map_or((mantissa.into(), String::new()), |(whole, fraction)| {
                (String::from(whole), String::from(fraction))
            });
        if exponent.abs() > 60 {
            return None;
        }
        for _ in 0..exponent.abs() {
            if exponent > 0 {
                if fraction.is_empty() {
                    fraction.push('0');
                }
                whole.push(fraction.remove(0));
            } else {
                if whole.is_empty() {
                    whole.push('0');
                }
                fraction.insert(0, whole.pop().unwrap());
            }
        }
        let whole = whole.trim_start_matches('0').to_string();
        Some((whole, fraction.trim_end_matches('0').to_string()))
    }

    fn slow_scaled(text: &str, places: usize) -> Option<u64> {
        let (whole, fraction) = spelt_out(text)?;
        let is_zero = whole.is_empty() && fraction.is_empty();
        if whole.len() > 9 || (text.starts_with('-') && !is_zero) {
            return None;
        }
        let fraction = format!("{fraction:0<places$}");
        let kept: u64 = format!("0{whole}{}", &fraction[..places]).parse().unwrap();
        let rest = fraction[places..].trim_end_matches('0');
        let is_up = rest > "5" || (rest == "5" && kept % 2 == 1);
        Some(kept + u64::from(is_up))
    }

    fn slow_canonical(text: &str) -> Option<String> {
        let (whole, fraction) = spelt_out(text)?;
        if whole.len() > 38 || fraction.len() > 18 {
            return None;
        }
        let is_zero = whole.is_empty() && fraction.is_empty();
        let sign = if text.starts_with('-') && !is_zero { "-" } else { "" };
        let whole = if whole.is_empty() { "0" } else { &whole };
        let point = if fraction.is_empty() { "" } else { "." };
        Some(format!("{sign}{whole}{point}{fraction}"))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]
        #[test]
        fn leading_digits_are_those_of_the_slow_way(
            digits in "[0-9]{0,8}",
            rest in prop::array::uniform8(any::<u8>()),
        ) {
            let mut octets = rest;
            octets[..digits.len()].copy_from_slice(digits.as_bytes());
            let count = octets.iter().take_while(|octet| octet.is_ascii_digit()).count();
            let slow = octets[..count].iter().fold(0, |sum, octet| sum * 10 + u64::from(octet - b'0'));
            prop_assert_eq!(leading_digits(octets), (count, slow));
        }

        #[test]
        fn scaled_as_by_hand(text in texts(), places in prop_oneof![Just(3u32), Just(9)]) {
            let number = Number::read(text.as_bytes()).unwrap();
            prop_assert_eq!(number.text.len(), text.len());
            let far = spelt_out(&text).is_none();
            match number.scaled(places) {
                // What is below 0, be it -0, is the reference's.
                None => prop_assert!(number.negative || far || slow_scaled(&text, places as usize).is_none()),
                Some(found) if far => prop_assert_eq!(found, 0),
                Some(found) => prop_assert_eq!(Some(found), slow_scaled(&text, places as usize)),
            }
        }

        #[test]
        fn canonical_as_by_hand(text in texts()) {
            let (is_exact, found) = Number::read(text.as_bytes()).unwrap().canonical();
            let found = String::from_utf8(found.bytes().to_vec()).unwrap();
            if spelt_out(&text).is_some() {
                let wanted = slow_canonical(&text);
                prop_assert_eq!(is_exact, wanted.is_some(), "{}", text);
                prop_assert_eq!(found, wanted.unwrap_or(text));
            } else {
                let fits = if is_exact { found == "0" } else { found == text };
                prop_assert!(fits);
            }
        }

        #[test]
        fn only_numbers_are_read(text in "[0-9.eE+-]{0,12}") {
            let read = Number::read(text.as_bytes()).is_some_and(|found| found.text.len() == text.len());
            prop_assert_eq!(read, is_number(&text), "{}", text);
        }
    }

    /// By JSON's grammar, part by part.
    fn is_number(text: &str) -> bool {
        let text = text.strip_prefix('-').unwrap_or(text);
        let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|o| o.is_ascii_digit());
        let (mantissa, exponent) = match text.find(['e', 'E']) {
            Some(at) => (&text[..at], Some(&text[at + 1..])),
            None => (text, None),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (mantissa, None),
        };
        are_digits(whole)
            && (whole == "0" || !whole.starts_with('0'))
            && fraction.is_none_or(are_digits)
            && exponent.is_none_or(|text| are_digits(text.strip_prefix(['+', '-']).unwrap_or(text)))
    }

    #[test]
    fn the_limits_are_exact() {
        let scaled = |text: &str, places| Number::read(text.as_bytes()).unwrap().scaled(places);
        assert_eq!(scaled("999999999.9999999995", 9), Some(1_000_000_000_000_000_000));
        assert_eq!(scaled("1000000000", 9), None);
        assert_eq!(scaled("0.0000000005", 9), Some(0));
        assert_eq!(scaled("0.0000000015", 9), Some(2));
        assert_eq!(scaled("1e-99999999999", 9), Some(0));
        assert_eq!(scaled("1e99999999999", 9), None);
        assert_eq!(scaled("-0", 9), None);
    }
}
