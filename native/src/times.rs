//! Instants: RFC 3339 as the contract narrows it, in epoch milliseconds.

use crate::numbers::digit;

/// The last minute, in epoch seconds, that a column of minutes can hold.
pub const LAST_MINUTE: i64 = (u32::MAX as i64) / 60 * 60;

const DAY_MS: i64 = 86_400_000;

/// The minute of a record's timestamp, in epoch seconds, kept within what a column can hold.
pub fn arrival_minute(timestamp: i64) -> u32 {
    (timestamp.div_euclid(60_000).saturating_mul(60)).clamp(0, LAST_MINUTE) as u32
}

/// Reads instants; the last date is remembered, for it is nearly always the next one's, too.
pub struct Clock {
    date: [u8; 10],
    midnight: i64,
}

impl Default for Clock {
    fn default() -> Self {
        Clock { date: *b"1970-01-01", midnight: 0 }
    }
}

impl Clock {
    /// Epoch milliseconds, truncated; None if it is not of the contract's form.
    #[inline(always)]
    pub fn read(&mut self, text: &[u8]) -> Option<i64> {
        let (date, rest) = text.split_first_chunk::<10>()?;
        let (time, rest) = rest.split_first_chunk::<9>()?;
        if *date != self.date {
            self.midnight = midnight(date)?;
            self.date = *date;
        }
        let (hour, minute) = (two(time[1], time[2])?, two(time[4], time[5])?);
        let second = two(time[7], time[8])?;
        let is_time = time[0] | 0x20 == b't' && time[3] == b':' && time[6] == b':';
        if !is_time || hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let (fraction, zone) = fraction(rest)?;
        let seconds = (hour * 60 + minute) * 60 + second;
        Some(self.midnight + seconds * 1000 + fraction - offset(zone)?)
    }
}

#[inline(always)]
fn two(tens: u8, ones: u8) -> Option<i64> {
    Some((digit(tens)? * 10 + digit(ones)?) as i64)
}

/// Milliseconds of what may stand behind a point, and what follows.
#[inline(always)]
fn fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let [b'.', digits @ ..] = text else { return Some((0, text)) };
    let count = digits.iter().take_while(|octet| digit(**octet).is_some()).count();
    if count == 0 || count > 9 {
        return None;
    }
    let place = |n: usize| digits.get(n).and_then(|octet| digit(*octet));
    let tens = place(1).map_or(0, |tens| tens * 10 + place(2).unwrap_or(0));
    Some(((place(0)? * 100 + tens) as i64, &digits[count..]))
}

/// Milliseconds that the zone is ahead.
#[inline(always)]
fn offset(zone: &[u8]) -> Option<i64> {
    match *zone {
        [b'Z' | b'z'] => Some(0),
        [sign @ (b'+' | b'-'), h, hh, b':', m, mm] => {
            let (hours, minutes) = (two(h, hh)?, two(m, mm)?);
            let ahead = (hours * 60 + minutes) * 60_000;
            (hours < 24 && minutes < 60).then_some(if sign == b'+' { ahead } else { -ahead })
        }
        _ => None,
    }
}

#[cold]
fn midnight(date: &[u8; 10]) -> Option<i64> {
    let [a, b, c, d, b'-', m, mm, b'-', e, ee] = *date else { return None };
    let (year, month, day) = (two(a, b)? * 100 + two(c, d)?, two(m, mm)?, two(e, ee)?);
    let exists = (1..=12).contains(&month) && 1 <= day && day <= days_in(year, month);
    exists.then(|| day_number(year, month, day) * DAY_MS)
}

fn days_in(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01, proleptic Gregorian.
fn day_number(year: i64, month: i64, day: i64) -> i64 {
    let shifted = year - i64::from(month <= 2);
    let (era, of_era) = (shifted.div_euclid(400), shifted.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Option<i64> {
        Clock::default().read(text.as_bytes())
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let mut next = read("0000-01-01T00:00:00Z").unwrap();
        let mut clock = Clock::default();
        for year in 0..=9999 {
            for month in 1..=12 {
                for day in 1..=days_in(year, month) {
                    let text = format!("{year:04}-{month:02}-{day:02}T00:00:00Z");
                    assert_eq!(clock.read(text.as_bytes()), Some(next), "{text}");
                    next += DAY_MS;
                }
            }
        }
        assert_eq!(read("1970-01-01T00:00:00Z"), Some(0));
    }

    #[test]
    fn forms_are_taken_as_the_contract_has_them() {
        for (text, wanted) in [
            ("2026-05-01T12:34:56.789Z", Some(1_777_638_896_789)),
            ("2026-05-01t12:34:56.789999999z", Some(1_777_638_896_789)),
            ("2026-05-01T12:34:56.7+02:30", Some(1_777_638_896_700 - 150 * 60_000)),
            ("2026-05-01T12:34:56-23:59", Some(1_777_638_896_000 + 1439 * 60_000)),
            ("2026-05-01T12:34:60Z", None),
            ("2026-05-01T24:00:00Z", None),
            ("2026-05-01 12:34:56Z", None),
            ("2026-05-01T12:34Z", None),
            ("2026-05-01T12:34:56", None),
            ("2026-05-01T12:34:56.Z", None),
            ("2026-05-01T12:34:56.1234567890Z", None),
            ("2026-05-01T12:34:56+24:00", None),
            ("2026-05-01T12:34:56+01:60", None),
            ("2026-05-01T12:34:56+0100", None),
            ("2026-02-29T00:00:00Z", None),
            ("2026-13-01T00:00:00Z", None),
            ("2026-00-01T00:00:00Z", None),
            ("\0\0\0\0\0\0\0\0\0\0T00:00:00Z", None),
            ("", None),
        ] {
            assert_eq!(read(text), wanted, "{text}");
        }
    }

    proptest! {
        #[test]
        fn nothing_stops_it(texts in prop::collection::vec("[0-9Tt:. Zz+-]{0,30}", 1..5)) {
            let mut clock = Clock::default();
            for text in texts {
                prop_assert_eq!(clock.read(text.as_bytes()), read(&text));
            }
        }
    }

    #[test]
    fn arrivals_are_kept_within_the_column() {
        assert_eq!(arrival_minute(119_999), 60);
        assert_eq!(arrival_minute(-1), 0);
        assert_eq!(arrival_minute(i64::MIN), 0);
        assert_eq!(i64::from(arrival_minute(i64::MAX)), LAST_MINUTE);
    }
}
