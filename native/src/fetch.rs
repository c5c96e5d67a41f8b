//! What a broker sent of one partition, cut into slices of whole batches.

use crate::batch::{is_abort, Head, Wrong};
use crate::codecs::most_unpacked;
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

/// Bytes that somebody keeps alive.
pub type Octets = Arc<dyn AsRef<[u8]> + Send + Sync>;

/// A batch that cannot be what the producer sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damaged {
    /// Its checksum is not that of its bytes.
    Checksum,
    /// Its size cannot be.
    Size,
    /// It is of another format than 2.
    Format,
    /// It is a transaction's marker, and cannot be read.
    Marker,
}

impl fmt::Display for Damaged {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Damaged::Checksum => "a record batch's checksum: found another one than its bytes have",
            Damaged::Size => "a record batch's size: found one that cannot be",
            Damaged::Format => "a record batch's format: found another one than 2",
            Damaged::Marker => "a control batch: found no record that can be read",
        })
    }
}

/// Whole batches of one partition, one after the other in its log.
pub struct Slice {
    octets: Octets,
    /// Where each begins.
    pub batches: Vec<(usize, Head)>,
    /// The position before it.
    pub start: i64,
    /// The position behind it, whatever the log has there.
    pub end: i64,
    /// Packed of records that somebody has parsed, and looked at their offsets.
    pub is_packed: bool,
}

impl Slice {
    /// A slice that is one batch.
    pub fn of_batch(octets: Octets, start: i64) -> Self {
        let head = Head::read((*octets).as_ref()).and_then(Result::ok);
        let end = head.map_or(start, |head| head.next_offset());
        let batches = head.into_iter().map(|head| (0, head)).collect();
        Slice { octets, batches, start, end, is_packed: true }
    }

    /// The bytes of a batch.
    pub fn batch(&self, n: usize) -> Option<(&[u8], Head)> {
        let (at, head) = *self.batches.get(n)?;
        Some(((*self.octets).as_ref().get(at..at + head.size)?, head))
    }

    /// At most so many; compaction leaves fewer, as do positions within a batch.
    pub fn records(&self) -> i64 {
        self.batches.iter().map(|(_, head)| i64::from(head.count.max(0))).sum()
    }

    /// What the batches can come to once they are unpacked.
    pub fn most_bytes(&self) -> usize {
        let sizes = self.batches.iter().map(|(_, head)| most_unpacked(head.codec(), head.size));
        sizes.fold(0, usize::saturating_add)
    }
}

/// What was fetched.
pub struct Fetch {
    octets: Octets,
    at: usize,
    next: i64,
    /// Producer and first offset of aborted transactions, the next one last.
    aborted: Vec<(i64, i64)>,
    /// The producers whose transaction, aborted later on, is going on.
    aborting: HashSet<i64>,
    check_crcs: bool,
    committed_only: bool,
}

impl Fetch {
    /// Of what was fetched from `position` on. `aborted` is as the broker says it: (producer id,
    /// first offset) of each aborted transaction.
    pub fn new(
        octets: Octets,
        position: i64,
        mut aborted: Vec<(i64, i64)>,
        check_crcs: bool,
        committed_only: bool,
    ) -> Self {
        aborted.sort_by_key(|(_, first)| std::cmp::Reverse(*first));
        let aborting = HashSet::new();
        Fetch { octets, at: 0, next: position, aborted, aborting, check_crcs, committed_only }
    }

    /// The offset behind what was given out, and behind what is for nobody.
    pub fn next_offset(&self) -> i64 {
        self.next
    }

    /// The next batches, of so many records or bytes together, or one. None: there are no more.
    ///
    /// A damaged batch is told of when all before it were given out.
    pub fn slice(
        &mut self,
        most_records: i64,
        most_bytes: usize,
    ) -> Result<Option<Slice>, Damaged> {
        let octets = self.octets.clone();
        let octets = (*octets).as_ref();
        let (start, mut records, mut bytes) = (self.next, 0, 0);
        let mut batches = Vec::new();
        while let Some(head) = octets.get(self.at..).and_then(Head::read) {
            let head = match self.checked(head, &octets[self.at..]) {
                Ok(head) => head,
                Err(_) if !batches.is_empty() => break,
                Err(damaged) => return Err(damaged),
            };
            let count = i64::from(head.count.max(0));
            let is_for_nobody = self.is_for_nobody(&head, &octets[self.at..]);
            if !is_for_nobody {
                let is_too_much = records + count > most_records || bytes + head.size > most_bytes;
                if !batches.is_empty() && is_too_much {
                    break;
                }
                batches.push((self.at, head));
                records += count;
                bytes += head.size;
            }
            self.at += head.size;
            self.next = head.next_offset();
        }
        let octets = self.octets.clone();
        let slice = Slice { octets, batches, start, end: self.next, is_packed: false };
        Ok((!slice.batches.is_empty()).then_some(slice))
    }

    fn checked(&self, head: Result<Head, Wrong>, rest: &[u8]) -> Result<Head, Damaged> {
        match head {
            Err(Wrong::Size) => Err(Damaged::Size),
            Err(Wrong::Format) => Err(Damaged::Format),
            Ok(head) if self.check_crcs && !head.is_whole(rest) => Err(Damaged::Checksum),
            Ok(head) if head.is_control() && is_abort(&rest[..head.size]).is_none() => {
                Err(Damaged::Marker)
            }
            Ok(head) => Ok(head),
        }
    }

    /// Whether a batch is a marker, or of an aborted transaction; the transactions go on by it.
    fn is_for_nobody(&mut self, head: &Head, rest: &[u8]) -> bool {
        if !self.committed_only || head.producer_id < 0 {
            return head.is_control();
        }
        while let Some((producer, _)) = self.aborted.pop_if(|(_, first)| *first <= head.base_offset)
        {
            self.aborting.insert(producer);
        }
        if head.is_control() && is_abort(&rest[..head.size]) == Some(true) {
            self.aborting.remove(&head.producer_id);
        }
        head.is_control() || (head.is_transactional() && self.aborting.contains(&head.producer_id))
    }
}
