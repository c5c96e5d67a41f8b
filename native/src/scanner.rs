//! One pass over an event's JSON. It takes what is certainly valid by the contract, to the letter,
//! and leaves all else (None) to the reference: what it takes it must read exactly as that does.

use crate::cursor::{Cursor, Padded};
use crate::event::{Event, Found, Kind, Leaf};
use crate::leaves::Names;
use crate::shape::Shape;
use crate::strings::{string, Text};
use crate::times::{Clock, LAST_MINUTE};
use bumpalo::Bump;
use std::ops::Range;

/// What decides whether an event is valid: `pipeline/facts/rules.py`.
#[derive(Clone, Debug)]
pub struct Rules {
    /// An event may be so much later than its record.
    pub too_early_ms: i64,
    /// An event may be so much earlier than its record.
    pub too_late_ms: i64,
    /// Of a record's value.
    pub max_record_bytes: usize,
    /// Of a record's value; the outermost container is 1.
    pub max_depth: u32,
    /// Of a record of batch form.
    pub max_batch_elements: usize,
    /// The version of the rules by which tasks are told.
    pub task_rule_set: u8,
}

/// Deeper ones are the reference's, whatever the rules are: here, each depth is a call.
const DEEPEST: u32 = 128;

/// The event and its data: what all events have.
const OWN_DEPTH: u32 = 2;

/// Timestamps beyond this could overflow when subtracted.
const FAR: u64 = 1 << 53;

const MAX_IDENTIFIER: usize = 256;
const MAX_TENANT: usize = 128;
const MEDIA_TYPE: &[u8] = b"application/json";

/// The attributes that are read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Attribute {
    SpecVersion,
    Id,
    Source,
    Type,
    Subject,
    Data,
    Time,
    DataContentType,
    Other,
}

fn attribute(name: &[u8]) -> Attribute {
    match name {
        b"specversion" => Attribute::SpecVersion,
        b"id" => Attribute::Id,
        b"source" => Attribute::Source,
        b"type" => Attribute::Type,
        b"subject" => Attribute::Subject,
        b"data" => Attribute::Data,
        b"time" => Attribute::Time,
        b"datacontenttype" => Attribute::DataContentType,
        _ => Attribute::Other,
    }
}

/// The bits of the attributes that an event must have: all up to its data.
const REQUIRED: u32 = (1 << (Attribute::Data as u32 + 1)) - 1;

/// Reads the events of one topic; learns how they are written.
pub struct Scanner {
    kind: Kind,
    rules: Rules,
    envelope: Shape<Attribute>,
    fields: Shape<u8>,
    clock: Clock,
    names: Names,
}

/// What is at hand while the events of one record are read.
pub(crate) struct Scan<'a, 'b> {
    pub at: Cursor<'a>,
    /// Whether all strings by now were ASCII.
    pub is_ascii: bool,
    /// How deep the containers around an event are: 1 in a batch.
    pub around: u32,
    pub max_depth: u32,
    pub arena: &'a Bump,
    /// Those of all events that are read together; not added to where they are not wanted.
    pub leaves: &'b mut Vec<Leaf<'a>>,
    pub wants_leaves: bool,
    pub names: Names,
}

impl Scanner {
    /// One for the events of a topic.
    pub fn new(kind: Kind, mut rules: Rules) -> Self {
        rules.max_depth = rules.max_depth.min(DEEPEST);
        Scanner {
            kind,
            rules,
            envelope: Shape::default(),
            fields: Shape::default(),
            clock: Clock::default(),
            names: Names::default(),
        }
    }

    /// The type of the events.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Add the events of a record's value to `events`, and their leaves to `leaves`.
    ///
    /// The value is `buffer[range]`: an event, or an array of events if it is a `batch`. None, with
    /// nothing added, if there is something unusual about one of them. `made` makes of an event, and
    /// its place in the record, what is added.
    #[inline(always)]
    pub fn read<'a>(
        &mut self,
        (buffer, range, batch): (&'a Padded, Range<usize>, bool),
        arrival: i64,
        arena: &'a Bump,
        (leaves, wants_leaves): (&mut Vec<Leaf<'a>>, bool),
        events: &mut Vec<Found<'a>>,
        found: impl FnMut(usize, &mut Found<'a>),
    ) -> Option<()> {
        let before = (leaves.len(), events.len());
        let rules = &self.rules;
        let around = u32::from(batch);
        let is_fit = range.len() <= rules.max_record_bytes
            && arrival.unsigned_abs() <= FAR
            && around + OWN_DEPTH <= rules.max_depth;
        let mut scan = Scan {
            at: Cursor::new(buffer, range.start),
            is_ascii: true,
            around,
            max_depth: rules.max_depth,
            arena,
            leaves,
            wants_leaves,
            names: std::mem::take(&mut self.names),
        };
        scan.names.clear();
        let all = is_fit.then_some(()).and_then(|()| {
            self.events(&mut scan, batch, arrival, events, found)?;
            scan.at.white();
            let is_at_end = scan.at.is_at(Cursor::new(buffer, range.end));
            let value = &buffer.bytes()[range];
            (is_at_end && (scan.is_ascii || std::str::from_utf8(value).is_ok())).then_some(())
        });
        self.names = scan.names;
        if all.is_none() {
            leaves.truncate(before.0);
            events.truncate(before.1);
        }
        all
    }

    #[inline(always)]
    fn events<'a>(
        &mut self,
        scan: &mut Scan<'a, '_>,
        batch: bool,
        arrival: i64,
        events: &mut Vec<Found<'a>>,
        mut found: impl FnMut(usize, &mut Found<'a>),
    ) -> Option<()> {
        scan.at.white();
        if batch {
            scan.at.take(b'[')?;
            scan.at.white();
            if scan.at.take(b']').is_some() {
                return Some(());
            }
        }
        let most = if batch { self.rules.max_batch_elements } else { 1 };
        for element in 0..most {
            // Where it stays: it is larger than all else that is written of an event.
            events.push(Found::default());
            let one = events.last_mut()?;
            self.event(scan, arrival, &mut one.event)?;
            found(element, one);
            if !batch {
                return Some(());
            }
            scan.at.white();
            if scan.at.take(b']').is_some() {
                return Some(());
            }
            scan.at.take(b',')?;
            scan.at.white();
        }
        None
    }

    #[inline(always)]
    fn event<'a>(
        &mut self,
        scan: &mut Scan<'a, '_>,
        arrival: i64,
        event: &mut Event<'a>,
    ) -> Option<()> {
        scan.at.take(b'{')?;
        event.leaves.start = scan.leaves.len();
        let (mut seen, mut time) = (0u32, None);
        for place in 0.. {
            let Some(name) = scan.member(&mut self.envelope, place, attribute)? else { break };
            if name != Attribute::Other {
                let bit = 1 << name as u32;
                if seen & bit != 0 {
                    return None;
                }
                seen |= bit;
            }
            match name {
                Attribute::SpecVersion => (scan.text(3)? == b"1.0").then_some(())?,
                Attribute::Id => event.id = scan.required(MAX_IDENTIFIER)?,
                Attribute::Source => event.source = scan.required(MAX_IDENTIFIER)?,
                Attribute::Type => {
                    (scan.text(64)? == self.kind.name().as_bytes()).then_some(())?;
                }
                Attribute::Subject => {
                    event.texts[0] = scan.required(MAX_TENANT)?;
                    (event.texts[0] != b"*").then_some(())?;
                }
                Attribute::Data => self.data(scan, event)?,
                Attribute::Time => {
                    if !scan.null() {
                        time = Some(self.clock.read(scan.text(40)?)?);
                    }
                }
                Attribute::DataContentType => {
                    if !scan.null() {
                        (scan.text(MEDIA_TYPE.len())? == MEDIA_TYPE).then_some(())?;
                    }
                }
                Attribute::Other => scan.anything(OWN_DEPTH)?,
            }
        }
        event.leaves.end = scan.leaves.len();
        event.time = time.unwrap_or(arrival);
        if self.kind == Kind::ProductEvent {
            event.ints[0] = event.time as u64;
        }
        (seen & REQUIRED == REQUIRED && self.is_timely(event.time, arrival)).then_some(())
    }

    #[inline(always)]
    fn data<'a>(&mut self, scan: &mut Scan<'a, '_>, event: &mut Event<'a>) -> Option<()> {
        let begin = scan.at;
        scan.at.take(b'{')?;
        match self.kind {
            Kind::Request => crate::requests::read(&mut self.fields, scan, event)?,
            Kind::RecipeAction => {
                let rule_set = self.rules.task_rule_set;
                crate::recipe_actions::read(&mut self.fields, scan, event, rule_set)?;
            }
            Kind::ProductEvent => crate::product_events::read(&mut self.fields, scan, event)?,
        }
        event.content = crc32fast::hash(scan.at.since(begin));
        Some(())
    }

    #[inline(always)]
    fn is_timely(&self, time: i64, arrival: i64) -> bool {
        let ahead = time - arrival;
        ahead <= self.rules.too_early_ms
            && ahead >= -self.rules.too_late_ms
            && (0..(LAST_MINUTE + 60) * 1000).contains(&time)
    }
}

impl<'a> Scan<'a, '_> {
    /// Which member comes next; Some(None) at the object's end. Its value begins here, then.
    #[inline(always)]
    pub fn member<Field: Copy>(
        &mut self,
        shape: &mut Shape<Field>,
        place: usize,
        of: impl Fn(&[u8]) -> Field,
    ) -> Option<Option<Field>> {
        if let Some(field) = shape.field(place, &mut self.at) {
            return Some(Some(field));
        }
        self.other_member(shape, place, of)
    }

    #[inline(never)]
    fn other_member<Field: Copy>(
        &mut self,
        shape: &mut Shape<Field>,
        place: usize,
        of: impl Fn(&[u8]) -> Field,
    ) -> Option<Option<Field>> {
        let begin = self.at;
        let Some(name) = self.name(place > 0)? else { return Some(None) };
        if name.was_escaped {
            return None; // it may be one of ours all the same
        }
        let field = of(name.bytes);
        shape.learn(place, self.at.since(begin), field);
        Some(Some(field))
    }

    /// The next member's name, None at the object's end; the cursor then stands at its value.
    #[inline(always)]
    pub fn name(&mut self, is_later: bool) -> Option<Option<Text<'a>>> {
        self.at.white();
        if self.at.take(b'}').is_some() {
            return Some(None);
        }
        if is_later {
            self.at.take(b',')?;
            self.at.white();
        }
        self.at.take(b'"')?;
        let name = self.string()?;
        self.at.white();
        self.at.take(b':')?;
        self.at.white();
        Some(Some(name))
    }

    /// The string that begins here, behind its quote.
    #[inline(always)]
    pub fn string(&mut self) -> Option<Text<'a>> {
        string(&mut self.at, &mut self.is_ascii, self.arena)
    }

    /// Whether null stands here, which is then passed.
    #[inline(always)]
    pub fn null(&mut self) -> bool {
        self.at.peek() == b'n' && self.literal(b"null").is_some()
    }

    /// Go on past a word of JSON; what follows is for the container to refuse.
    #[inline(always)]
    pub fn literal(&mut self, word: &[u8]) -> Option<()> {
        if !self.at.has(word) {
            return None;
        }
        self.at.skip(word.len());
        Some(())
    }

    /// Go on past a boolean.
    pub fn boolean(&mut self) -> Option<bool> {
        if self.literal(b"true").is_some() {
            return Some(true);
        }
        self.literal(b"false").map(|()| false)
    }

    /// A string of at most so many code points.
    #[inline(always)]
    pub fn text(&mut self, most: usize) -> Option<&'a [u8]> {
        self.at.take(b'"')?;
        let text = self.string()?.bytes;
        (text.len() <= most || code_points(text) <= most).then_some(text)
    }

    /// A string that is not empty.
    #[inline(always)]
    pub fn required(&mut self, most: usize) -> Option<&'a [u8]> {
        self.text(most).filter(|text| !text.is_empty())
    }

    /// A string, or empty where there is null.
    #[inline(always)]
    pub fn optional(&mut self, most: usize) -> Option<&'a [u8]> {
        if self.at.peek() == b'"' {
            return self.text(most);
        }
        self.null().then_some(b"")
    }

    /// An integer from 0 to 10^18 - 1.
    #[inline(always)]
    pub fn integer(&mut self) -> Option<u64> {
        self.at.number()?.integer()
    }

    /// Go on past a value; a container would be the `depth`-th, if the event is the first.
    pub fn anything(&mut self, depth: u32) -> Option<()> {
        match self.at.peek() {
            b'"' => {
                self.at.skip(1);
                self.string()?;
            }
            b'{' => {
                self.enter(depth)?;
                let mut is_later = false;
                while self.name(is_later)?.is_some() {
                    self.anything(depth + 1)?;
                    is_later = true;
                }
            }
            b'[' => {
                self.enter(depth)?;
                let mut is_later = false;
                while self.element(is_later)? {
                    self.anything(depth + 1)?;
                    is_later = true;
                }
            }
            b't' => self.literal(b"true")?,
            b'f' => self.literal(b"false")?,
            b'n' => self.literal(b"null")?,
            _ => {
                self.at.number()?;
            }
        }
        Some(())
    }

    /// Go on past a bracket, if a container may be so deep.
    pub fn enter(&mut self, depth: u32) -> Option<()> {
        self.at.skip(1);
        (depth + self.around <= self.max_depth).then_some(())
    }

    /// Whether another element of an array comes; the cursor then stands at it.
    pub fn element(&mut self, is_later: bool) -> Option<bool> {
        self.at.white();
        if self.at.take(b']').is_some() {
            return Some(false);
        }
        if is_later {
            self.at.take(b',')?;
            self.at.white();
        }
        Some(true)
    }
}

/// How many there are in UTF-8.
fn code_points(text: &[u8]) -> usize {
    text.iter().filter(|octet| (**octet as i8) >= -0x40).count()
}
