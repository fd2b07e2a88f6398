//! The ledger: one physical log per process, one hash-chained ledger per agency in it. It has one writer.

mod body;
mod current;
pub(crate) mod decode;
mod encode;
mod frame;
pub(crate) mod header;
mod open;
#[cfg(test)]
mod poison_test;
mod reader;
mod room;
pub(crate) mod segments;
mod spare;
mod survey;
pub(crate) mod walk;

pub use open::{Cut, OpenReport, ScanFrom};
pub use reader::{Piece, Reader, Scan};
pub use room::Footing;

use crate::error::StoreError;
use crate::format::{BODY_FRAME, HEADER, PAGE, ZEROS};
use crate::position::Position;
use crate::record::NewRecord;
use crate::space::Space;
use current::{Current, Next};
use encode::Place;
use header::{CommitHeader, Kind, SegmentHeader, StoreId};
use lienthong_core::durable::Durable;
use lienthong_core::ids::{AgencyId, Digest, Head};
use spare::Spare;
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{self, IoSlice};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::Instant;

/// The ledger, open for writing.
#[derive(Debug)]
pub struct Ledger {
    shared: Arc<reader::Shared>,
    segment_len: u64,
    commit_limit: u64,
    store: StoreId,
    current: Current,
    next: Next,
    /// When preparing the next segment last failed.
    next_failed: Option<Instant>,
    spare: Spare,
    space: Option<Space>,
    seq: u64,
    physical: Digest,
    heads: BTreeMap<AgencyId, Head>,
    marked: bool,
    mark_unsynced: bool,
    poisoned: Option<String>,
    buffer: Vec<u8>,
}

/// What an append gives back once the records are on stable storage.
#[derive(Debug)]
pub struct Appended {
    /// Lets the envelopes and replies of these records leave.
    pub durable: Durable,
    /// Where each record is, in the order given.
    pub positions: Vec<Position>,
}

impl Ledger {
    /// Appends the records as one commit and returns once it is on stable storage. All or none of them are kept.
    ///
    /// After a failed write or sync the ledger takes nothing more: a sync that failed is never tried again, because
    /// the system may have dropped what it could not write. Every other error leaves the ledger as it was.
    pub fn append(&mut self, records: Vec<NewRecord>) -> Result<Appended, StoreError> {
        self.refuse_if_poisoned()?;
        if records.is_empty() {
            return Ok(Appended { durable: Durable::attest(Vec::new()), positions: Vec::new() });
        }
        let measured = encode::measure(&records)?;
        let (len, limit) = (measured.total_len as u64, self.commit_limit);
        if len > limit {
            return Err(StoreError::TooLarge { part: "commit", len, limit });
        }
        let linked = encode::linked(&records, &self.heads)?;
        let padded = len.next_multiple_of(PAGE as u64);
        if !self.current.has_room(padded) {
            self.roll()?;
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        let place = self.place();
        let encoded = encode::encode(&mut buffer, &place, &measured, &records, linked);
        let written = self.current.write_durably(&mut encoded.slices());
        self.poison_on_error(written)?;
        let positions: Vec<Position> =
            encoded.offsets.iter().map(|at| Position { record: *at, ..self.end_position() }).collect();
        self.seq += 1;
        self.physical = encoded.physical;
        self.current.offset += encoded.total_len.next_multiple_of(PAGE as u32);
        self.marked = false;
        self.mark_unsynced = false;
        for (agency, head) in &encoded.heads {
            self.heads.insert(agency.clone(), *head);
        }
        let durable = Durable::attest(encoded.heads.into_iter().collect());
        self.buffer = buffer;
        self.shared.set_end(self.end_position());
        self.tend();
        Ok(Appended { durable, positions })
    }

    /// Leaves proof that the last commit was durable, when nothing follows it for a while. It needs no sync: the
    /// next commit takes its place. Does nothing when the proof is there.
    pub fn idle_mark(&mut self) -> Result<(), StoreError> {
        self.refuse_if_poisoned()?;
        if self.marked {
            return Ok(());
        }
        if !self.current.has_room(PAGE as u64) {
            // The header of a segment is as good a proof. On a full disk there is none until there is room.
            return match self.roll() {
                Err(StoreError::Prepare(_)) => Ok(()),
                rolled => rolled,
            };
        }
        let place = self.place();
        let mark = CommitHeader {
            kind: Kind::IdleMark,
            count: 0,
            seq: place.seq,
            meta_len: 0,
            total_len: HEADER as u32,
            store: place.store,
            physical: place.physical,
            segment: place.segment,
            offset: place.offset,
            meta_crc: 0,
        };
        let page = page_of(&mark.encode());
        let written = self.current.file.write_all_at(&page, self.current.offset.into());
        self.poison_on_error(written)?;
        self.marked = true;
        self.mark_unsynced = true;
        Ok(())
    }

    /// Erases the body of the record at `position` for good; everything else stays valid. Erasing twice is harmless.
    pub fn erase_body(&mut self, position: Position) -> Result<(), StoreError> {
        self.refuse_if_poisoned()?;
        let (decoded, segment) = self.reader().frame(position)?;
        let (at, len) = decoded.body.ok_or(StoreError::NoBody(position))?;
        let offset = u64::from(position.commit) + u64::from(at);
        if offset + BODY_FRAME as u64 + u64::from(len) > segment.len {
            return Err(StoreError::NoBody(position));
        }
        let path = segments::path(&self.shared.dir, position.segment);
        let opened = OpenOptions::new().write(true).open(path);
        let file = opened.map_err(|source| StoreError::Io { attempted: "open the segment", source })?;
        let erased = body::erase(&file, offset, len);
        self.poison_on_error(erased)
    }

    /// The head of an agency's ledger.
    pub fn head(&self, agency: &AgencyId) -> Head {
        self.heads.get(agency).copied().unwrap_or(Head::EMPTY)
    }

    /// The heads of all ledgers that hold a record.
    pub fn heads(&self) -> impl Iterator<Item = (&AgencyId, Head)> {
        self.heads.iter().map(|(agency, head)| (agency, *head))
    }

    /// Where the next commit goes when it fits: everything before is durable. A place to resume a scan from.
    pub fn end_position(&self) -> Position {
        Position::at(self.current.number, self.current.offset)
    }

    /// What tells this store from every other, copies of it excepted.
    pub fn store_id(&self) -> [u8; 16] {
        self.store
    }

    /// The head of the physical chain of commits.
    pub fn physical_head(&self) -> Digest {
        self.physical
    }

    /// The most that the [`NewRecord::stored_bytes`] of one append may add up to.
    pub fn commit_room(&self) -> u64 {
        self.commit_limit - HEADER as u64
    }

    /// A reader for other threads.
    pub fn reader(&self) -> Reader {
        Reader { shared: self.shared.clone() }
    }

    fn place(&self) -> Place {
        Place {
            store: self.store,
            segment: self.current.number,
            offset: self.current.offset,
            seq: self.seq,
            physical: self.physical,
        }
    }

    /// Goes on in the next segment. Its header is durable before a commit is written behind it.
    fn roll(&mut self) -> Result<(), StoreError> {
        let number = self.current.number + 1;
        self.next_or_spare(number).map_err(StoreError::Prepare)?;
        self.next = Next::Ready;
        let path = segments::path(&self.shared.dir, number);
        let file = OpenOptions::new().read(true).write(true).open(path).map_err(StoreError::Prepare)?;
        let header = SegmentHeader {
            number,
            first_seq: self.seq,
            len: self.segment_len,
            store: self.store,
            physical: self.physical,
        };
        let current = Current { number, len: self.segment_len, offset: 0, file };
        let page = page_of(&header.encode());
        // A mark at the end of the old segment is never overwritten, so it must not come or go later on.
        let synced = if self.mark_unsynced { self.current.file.sync_data() } else { Ok(()) };
        let written = synced.and_then(|()| current.write_durably(&mut [IoSlice::new(&page)]));
        self.poison_on_error(written)?;
        self.current = Current { offset: PAGE as u32, ..current };
        self.next = Next::None;
        self.marked = true;
        self.mark_unsynced = false;
        self.shared.set_end(self.end_position());
        Ok(())
    }

    fn refuse_if_poisoned(&self) -> Result<(), StoreError> {
        self.poisoned.clone().map_or(Ok(()), |why| Err(StoreError::Poisoned(why)))
    }

    fn poison_on_error(&mut self, result: io::Result<()>) -> Result<(), StoreError> {
        result.map_err(|e| {
            self.poisoned = Some(e.to_string());
            StoreError::Write(e)
        })
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        self.next.wait();
        self.spare.reap();
    }
}

fn page_of(header: &[u8; HEADER]) -> [u8; PAGE] {
    let mut page = ZEROS;
    page[..HEADER].copy_from_slice(header);
    page
}
