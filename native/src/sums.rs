//! Rows added up by minute and tenant, brought up to date slice by slice, or when somebody asks.

use crate::column::Ints;
use crate::event::{Kind, FAILED, INPUT_TOKENS, OUTPUT_TOKENS, TASK};
use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher};

/// Requests, failed, input tokens, output tokens, tasks: `pipeline/facts/minutes.py`.
pub type Sums = [u128; 5];

/// Mixes one number: a minute and a tenant's code.
#[derive(Clone)]
struct Mix(u64);

impl BuildHasher for Mix {
    type Hasher = Mix;
    fn build_hasher(&self) -> Mix {
        self.clone()
    }
}

impl Hasher for Mix {
    fn write(&mut self, _: &[u8]) {
        unreachable!("keys are numbers of 64 bits")
    }
    #[inline(always)]
    fn write_u64(&mut self, key: u64) {
        let product = u128::from(key ^ self.0) * u128::from(0x9E37_79B9_7F4A_7C15u64);
        self.0 = product as u64 ^ (product >> 64) as u64;
    }
    fn finish(&self) -> u64 {
        self.0
    }
}

/// Where a tenant's last row was added.
#[derive(Clone, Copy)]
struct Latest {
    minute: u32,
    place: u32,
}

const NOWHERE: Latest = Latest { minute: 0, place: u32::MAX };

/// One value for each minute and tenant that has rows.
struct ByMinute<Value> {
    values: Vec<(u32, u32, Value)>,
    places: HashMap<u64, u32, Mix>,
    /// By the tenant's code: most rows are of the minute that the tenant's last one was of.
    latest: Vec<Latest>,
    /// How many rows are in it.
    upto: usize,
}

impl<Value: Default> ByMinute<Value> {
    fn new(seed: u64) -> Self {
        let places = HashMap::with_hasher(Mix(seed));
        ByMinute { values: Vec::new(), places, latest: Vec::new(), upto: 0 }
    }

    /// `add` is called with each new row's number and the value that it is to be added to.
    fn update(&mut self, minutes: &[u32], codes: &[u32], add: impl Fn(usize, &mut Value)) {
        for row in self.upto..minutes.len() {
            let (minute, code) = (minutes[row], codes[row]);
            let place = match self.latest.get(code as usize) {
                Some(latest) if latest.minute == minute && latest.place != NOWHERE.place => {
                    latest.place
                }
                _ => self.place(minute, code),
            };
            add(row, &mut self.values[place as usize].2);
        }
        self.upto = minutes.len();
    }

    #[inline(never)]
    fn place(&mut self, minute: u32, code: u32) -> u32 {
        let new = self.values.len() as u32;
        let key = u64::from(minute) << 32 | u64::from(code);
        let place = *self.places.entry(key).or_insert(new);
        if place == new {
            self.values.push((minute, code, Value::default()));
        }
        if self.latest.len() <= code as usize {
            self.latest.resize(code as usize + 1, NOWHERE);
        }
        self.latest[code as usize] = Latest { minute, place };
        place
    }

    fn values(&self) -> impl Iterator<Item = (u32, u32, &Value)> {
        self.values.iter().map(|(minute, code, value)| (*minute, *code, value))
    }
}

/// How many rows there are of each minute and tenant.
pub struct Tally(ByMinute<u64>);

impl Tally {
    /// An empty one.
    pub fn new(seed: u64) -> Self {
        Tally(ByMinute::new(seed))
    }

    /// Add the rows that are new; all are given.
    pub fn update(&mut self, minutes: &[u32], codes: &[u32]) {
        self.0.update(minutes, codes, |_, count| *count += 1);
    }

    /// Minute, tenant's code, and how many.
    pub fn counts(&self) -> impl Iterator<Item = (u32, u32, u64)> + '_ {
        self.0.values().map(|(minute, code, count)| (minute, code, *count))
    }
}

/// The live sums of rows.
pub struct Minutes(ByMinute<Sums>);

impl Minutes {
    /// Empty ones.
    pub fn new(seed: u64) -> Self {
        Minutes(ByMinute::new(seed))
    }

    /// Add the rows that are new; all columns are given.
    pub fn update(
        &mut self,
        kind: Kind,
        minutes: &[u32],
        codes: &[u32],
        bytes: &[Vec<u8>],
        ints: &[Ints],
    ) {
        match kind {
            Kind::Request => self.0.update(minutes, codes, |row, sums| {
                sums[0] += 1;
                sums[1] += u128::from(bytes[FAILED][row]);
                sums[2] += u128::from(ints[INPUT_TOKENS].get(row));
                sums[3] += u128::from(ints[OUTPUT_TOKENS].get(row));
            }),
            Kind::RecipeAction => {
                self.0.update(minutes, codes, |row, sums| sums[4] += u128::from(bytes[TASK][row]));
            }
            Kind::ProductEvent => {}
        }
    }

    /// Minute, tenant's code, and sums.
    pub fn sums(&self) -> impl Iterator<Item = (u32, u32, Sums)> + '_ {
        self.0.values().map(|(minute, code, sums)| (minute, code, *sums))
    }
}
