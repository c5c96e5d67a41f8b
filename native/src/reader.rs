//! Reads one partition: slices in, rows out. It goes on until a record is not of the common form,
//! which the reference then decides, and goes on behind it: all is taken in the log's order.

use crate::batch::{frames, Frame, Head, HEAD};
use crate::chunk::Chunk;
use crate::codecs::{Unpacker, MOST_BYTES};
use crate::cursor::Padded;
use crate::event::{Found, Kind, Leaf};
use crate::fetch::Slice;
use crate::forms::Forms;
use crate::identity;
use crate::scanner::{Rules, Scanner};
use crate::window::{Seen, Window};
use bumpalo::Bump;
use std::sync::Arc;

/// So many events are read before the first of them is looked up: the memory that tells whether it
/// is a duplicate is on its way meanwhile.
const LOOKED_UP_TOGETHER: usize = 32;

/// More events than a record of batch form may have: `pipeline/facts/interface.py`.
const EVENTS_OF_RECORD: i64 = 1 << 20;

/// A record that the reference must decide.
#[derive(Debug, PartialEq, Eq)]
pub struct Odd {
    /// Its place in the log.
    pub offset: i64,
    /// Epoch milliseconds.
    pub timestamp: i64,
    /// Names, and values that may be null.
    pub headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    /// It has one: a tombstone is not odd.
    pub value: Vec<u8>,
}

/// Where reading has stopped.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// At the end.
    Done,
    /// At a record that the reference must decide.
    Odd(Odd),
    /// At a batch, these bytes, of which nothing can be read with certainty, and nothing was.
    Unreadable(Vec<u8>),
}

/// How far a slice has been read.
struct Progress {
    slice: Arc<Slice>,
    start: i64,
    end: i64,
    /// The next batch to unpack.
    batch: usize,
    head: Head,
    /// The next record of the batch that is unpacked.
    frame: usize,
    /// Offsets before this one were there already: a damaged record may name one again.
    next: i64,
}

/// The reader of one partition.
pub struct Reader {
    scanner: Scanner,
    window: Option<Window>,
    sources: Sources,
    forms: Forms,
    unpacker: Unpacker,
    /// The batch that is being read, unpacked; and where its records lie.
    buffer: Padded,
    frames: Vec<Frame>,
    progress: Option<Progress>,
    records: u64,
    odd: u64,
}

/// The hash of the last source, for it is nearly always the next one's, too.
#[derive(Default)]
struct Sources {
    last: Vec<u8>,
    hash: u64,
}

impl Sources {
    #[inline(always)]
    fn hash(&mut self, source: &[u8]) -> u64 {
        if source != self.last {
            self.last = source.to_vec();
            self.hash = identity::name(source);
        }
        self.hash
    }
}

impl Reader {
    /// One that remembers ids for `window` offsets; `seed` is for its tables' order alone.
    pub fn new(kind: Kind, rules: Rules, window: u64, seed: u64) -> Self {
        Reader {
            scanner: Scanner::new(kind, rules),
            window: (window > 0).then(|| Window::new(window, seed)),
            sources: Sources::default(),
            forms: Forms::default(),
            unpacker: Unpacker::new(MOST_BYTES),
            buffer: Padded::default(),
            frames: Vec::new(),
            progress: None,
            records: 0,
            odd: 0,
        }
    }

    /// The records that were read by now, and how many of them were left to the reference.
    pub fn read(&self) -> (u64, u64) {
        (self.records, self.odd)
    }

    /// The identities that are remembered.
    pub fn window(&self) -> Option<&Window> {
        self.window.as_ref()
    }

    /// Read a slice next, from the offset `start` to before `end`.
    pub fn begin(&mut self, slice: Arc<Slice>, start: i64, end: i64) {
        self.frames.clear();
        self.progress = slice.batches.first().map(|(_, head)| {
            let head = *head;
            Progress { slice: slice.clone(), start, end, batch: 0, head, frame: 0, next: start }
        });
    }

    /// Whether an event that the reference found valid is a duplicate; from now on it is known.
    pub fn seen(&mut self, [tenant, source, id]: [&str; 3], content: u32, offset: i64) -> Seen {
        let Some(window) = &mut self.window else { return Seen::New };
        let (tenant, source) = (tenant.as_bytes(), source.as_bytes());
        let hash =
            identity::identity(identity::name(tenant), identity::name(source), id.as_bytes());
        window.seen(hash, content, offset)
    }

    /// Read another log next, whose offset 0 stands where `end` would of the one till now.
    pub fn continue_after(&mut self, end: i64) {
        if let Some(window) = &mut self.window {
            window.continue_after(end);
        }
    }

    /// Go on to the next thing that is not for this reader. Without a chunk, only ids are taken.
    pub fn step(&mut self, mut chunk: Option<&mut Chunk>) -> Step {
        let Some(mut progress) = self.progress.take() else { return Step::Done };
        loop {
            if progress.frame < self.frames.len() {
                if let Some(odd) = self.read_batch(&mut progress, chunk.as_deref_mut()) {
                    self.odd += 1;
                    self.progress = Some(progress);
                    return Step::Odd(odd);
                }
            }
            match self.open_next(&mut progress) {
                Opened::Batch => {}
                Opened::Nothing => {
                    if let Some(chunk) = chunk {
                        chunk.sum_up();
                    }
                    return Step::Done;
                }
                Opened::Unreadable(octets) => {
                    self.progress = Some(progress);
                    return Step::Unreadable(octets);
                }
            }
        }
    }

    /// Unpack the next batch that has something of the range.
    fn open_next(&mut self, progress: &mut Progress) -> Opened {
        self.frames.clear();
        progress.frame = 0;
        loop {
            let Some((batch, head)) = progress.slice.batch(progress.batch) else {
                return Opened::Nothing;
            };
            if head.base_offset >= progress.end {
                return Opened::Nothing;
            }
            if progress.batch > 0 {
                progress.next = progress.start.max(progress.head.next_offset());
            }
            progress.batch += 1;
            progress.head = head;
            if head.next_offset() <= progress.start {
                continue;
            }
            let packed = &batch[HEAD..];
            let unpacked = self.unpacker.unpack(head.codec(), packed, &mut self.buffer);
            let is_fit = unpacked.is_ok()
                && frames(self.buffer.bytes(), head.count, &mut self.frames).is_some();
            if !is_fit {
                self.frames.clear();
                return Opened::Unreadable(batch.to_vec());
            }
            if !self.frames.is_empty() {
                return Opened::Batch;
            }
        }
    }

    /// Read the batch on, to its end or to a record that is odd.
    fn read_batch(
        &mut self,
        progress: &mut Progress,
        mut chunk: Option<&mut Chunk>,
    ) -> Option<Odd> {
        let arena = Bump::new(); // takes no memory before there is something to keep
        let Reader { scanner, window, sources, forms, buffer, frames, .. } = self;
        let (buffer, arena) = (&*buffer, &arena);
        let mut pending: Vec<Found<'_>> = Vec::with_capacity(LOOKED_UP_TOGETHER + 1);
        let mut leaves: Vec<Leaf<'_>> = Vec::new();
        let mut found = None;
        while let Some(frame) = frames.get(progress.frame) {
            progress.frame += 1;
            let offset = progress.head.base_offset.wrapping_add(frame.offset_delta);
            if offset < progress.next || offset >= progress.end {
                continue;
            }
            progress.next = offset + i64::from(!progress.slice.is_packed);
            let timestamp = progress.head.timestamp(frame.timestamp_delta);
            self.records += 1;
            if let Some(chunk) = chunk.as_deref_mut() {
                chunk.arrived(timestamp, frame.value.as_ref().map(ExactSizeIterator::len));
            }
            let Some(range) = frame.value.clone() else { continue };
            let value = &buffer.bytes()[range.clone()];
            let read = forms.is_batch(buffer.bytes(), frame, value).and_then(|is_batch| {
                scanner.read(
                    (buffer, range, is_batch),
                    timestamp,
                    arena,
                    (&mut leaves, chunk.is_some()),
                    &mut pending,
                    |element, found| {
                        if let Some(window) = window.as_ref() {
                            let event = &found.event;
                            let of_tenant = identity::name(event.tenant());
                            let of_source = sources.hash(event.source);
                            found.hash = identity::identity(of_tenant, of_source, event.id);
                            window.prefetch(found.hash);
                        }
                        (found.offset, found.arrival) = (offset, timestamp);
                        found.origin = offset.wrapping_mul(EVENTS_OF_RECORD) + element as i64;
                    },
                )
            });
            if read.is_none() {
                found = Some(odd(buffer, frame, offset, timestamp, value));
                break;
            }
            if pending.len() >= LOOKED_UP_TOGETHER {
                settle(&mut pending, &mut leaves, window.as_mut(), chunk.as_deref_mut());
            }
        }
        settle(&mut pending, &mut leaves, window.as_mut(), chunk);
        found
    }
}

enum Opened {
    Batch,
    Nothing,
    Unreadable(Vec<u8>),
}

/// Take in what was read.
#[inline(always)]
fn settle(
    pending: &mut Vec<Found<'_>>,
    leaves: &mut Vec<Leaf<'_>>,
    window: Option<&mut Window>,
    mut chunk: Option<&mut Chunk>,
) {
    if let Some(window) = window {
        pending.retain(|Found { event, hash, offset, arrival, .. }| {
            let seen = window.seen(*hash, event.content, *offset);
            if seen != Seen::New {
                if let Some(chunk) = chunk.as_deref_mut() {
                    chunk.repeat(event.tenant(), *arrival, seen == Seen::Conflict);
                }
            }
            seen == Seen::New
        });
    }
    if let Some(chunk) = chunk {
        chunk.count(pending, leaves);
    }
    pending.clear();
    leaves.clear();
}

#[cold]
fn odd(buffer: &Padded, frame: &Frame, offset: i64, timestamp: i64, value: &[u8]) -> Odd {
    let octets = buffer.bytes();
    let headers = frame.headers(octets).unwrap_or_default();
    let headers = headers
        .into_iter()
        .map(|(name, value)| (octets[name].to_vec(), value.map(|value| octets[value].to_vec())));
    Odd { offset, timestamp, headers: headers.collect(), value: value.to_vec() }
}
