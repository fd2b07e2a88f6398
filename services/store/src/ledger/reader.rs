//! Reading records while the ledger is being written, from any thread.

use super::decode::{self, Slot};
use super::frame::{self, Decoded, FRAME_LIMIT, Parts};
use super::segments::{Segment, fault};
use crate::error::{Fault, StoreError, Wrong};
use crate::format::{BODY_FRAME, PAGE};
use crate::position::Position;
use crate::record::{Body, StoredRecord};
use bytes::Bytes;
use lienthong_core::ids::{AgencyId, LedgerIndex};
use std::collections::BTreeMap;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// Segments kept open for reading: 64 of 64 MiB are 4 GiB, and far below any limit on open files.
const OPEN_SEGMENTS: usize = 64;

/// What the ledger and its readers share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) dir: PathBuf,
    end: Mutex<Position>,
    open: Mutex<BTreeMap<u32, Arc<Segment>>>,
}

impl Shared {
    pub(crate) fn new(dir: PathBuf, end: Position) -> Self {
        Self { dir, end: Mutex::new(end), open: Mutex::default() }
    }

    /// Everything before it is durable.
    pub(crate) fn end(&self) -> Position {
        *self.end.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_end(&self, end: Position) {
        *self.end.lock().unwrap_or_else(PoisonError::into_inner) = end;
    }

    fn segment(&self, number: u32) -> Result<Arc<Segment>, Fault> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(segment) = open.get(&number) {
            return Ok(segment.clone());
        }
        let segment = Arc::new(Segment::open(&self.dir, number)?);
        if open.len() >= OPEN_SEGMENTS {
            open.pop_first();
        }
        open.insert(number, segment.clone());
        Ok(segment)
    }
}

/// What was read of a record: enough to send it.
#[derive(Debug)]
pub struct Piece {
    /// What the chain hash is taken over.
    pub payload: Bytes,
    /// What is kept beside it.
    pub proof: Bytes,
    body: Option<(u32, u32)>,
    position: Position,
    segment: Arc<Segment>,
}

/// Reads records by position. Cheap to clone; checks what it reads.
#[derive(Debug, Clone)]
pub struct Reader {
    pub(crate) shared: Arc<Shared>,
}

impl Reader {
    /// The record at `position` with its body, or with the news that the body was erased.
    pub fn read(&self, position: Position) -> Result<StoredRecord, StoreError> {
        let (decoded, segment) = self.frame(position)?;
        let mut record = decoded.record;
        if let Some(of) = decoded.body {
            record.body = Some(self.body(&segment, position, of, (&record.agency, record.index))?);
        }
        Ok(record)
    }

    /// What lies at `position`, when that is this record: without its link in the chain, which takes hashes that only
    /// a check of the chain needs.
    pub fn piece(
        &self,
        position: Position,
        (agency, index): (&AgencyId, LedgerIndex),
    ) -> Result<Piece, StoreError> {
        let (bytes, segment) = self.frame_bytes(position)?;
        let parts = frame::parts(&bytes).map_err(|why| self.wrong_frame(position, why))?;
        if !parts.is_of(agency) || parts.index != index {
            return Err(self.wrong_frame(position, "another record lies here").into());
        }
        let Parts { payload, proof, body, .. } = parts;
        Ok(Piece { payload, proof, body, position, segment })
    }

    /// The body of a record that was read by [`Reader::piece`]; none when it never had one.
    pub fn body_of(&self, piece: &Piece, of: (&AgencyId, LedgerIndex)) -> Result<Option<Body>, StoreError> {
        piece.body.map(|place| self.body(&piece.segment, piece.position, place, of)).transpose()
    }

    /// The record at `position` without its body; `body_len` tells whether there is one.
    pub fn read_meta(&self, position: Position) -> Result<StoredRecord, StoreError> {
        Ok(self.frame(position)?.0.record)
    }

    /// The commits from `from` (a commit's place) up to what is durable when it gets there, one at a time: each
    /// item is the records of a commit with their bodies. It ends after the first error.
    pub fn scan(&self, from: Position) -> Scan {
        Scan { reader: self.clone(), next: Some(Position { record: 0, ..from }) }
    }

    /// Everything before this place is durable.
    pub fn end_position(&self) -> Position {
        self.shared.end()
    }

    /// Where a scan from the beginning starts.
    pub fn start(&self) -> Position {
        Position::at(1, PAGE as u32)
    }

    pub(crate) fn frame(&self, position: Position) -> Result<(Decoded, Arc<Segment>), StoreError> {
        let (bytes, segment) = self.frame_bytes(position)?;
        let decoded = frame::decode(&bytes, position).map_err(|why| self.wrong_frame(position, why))?;
        Ok((decoded, segment))
    }

    /// A page is nearly always enough for a frame.
    fn frame_bytes(&self, position: Position) -> Result<(Bytes, Arc<Segment>), StoreError> {
        let offset = u64::from(position.commit) + u64::from(position.record);
        let wrong =
            |what: Wrong| Fault { offset, ..fault(&self.shared.dir, position.segment, 0, None, what) };
        if position.record == 0 {
            return Err(self.wrong_frame(position, "the position is that of a commit").into());
        }
        let segment = self.shared.segment(position.segment)?;
        let room = segment.len.saturating_sub(offset).min(FRAME_LIMIT as u64) as usize;
        let mut bytes = vec![0; room.min(PAGE)];
        segment.file.read_exact_at(&mut bytes, offset).map_err(|e| wrong(e.into()))?;
        let len = frame::told_len(&bytes).map_err(|e| wrong(Wrong::Frame(e)))?.min(room);
        let have = bytes.len().min(len);
        bytes.resize(len, 0);
        segment.file.read_exact_at(&mut bytes[have..], offset + have as u64).map_err(|e| wrong(e.into()))?;
        Ok((bytes.into(), segment))
    }

    fn wrong_frame(&self, position: Position, why: &'static str) -> Fault {
        let offset = u64::from(position.commit) + u64::from(position.record);
        Fault { offset, ..fault(&self.shared.dir, position.segment, 0, None, Wrong::Frame(why)) }
    }

    fn body(
        &self,
        segment: &Segment,
        position: Position,
        (at, len): (u32, u32),
        (agency, index): (&AgencyId, LedgerIndex),
    ) -> Result<Body, StoreError> {
        let wrong = |what: Wrong| Fault {
            agency: Some(agency.clone()),
            index: Some(index),
            ..fault(&self.shared.dir, position.segment, position.commit.saturating_add(at), None, what)
        };
        let offset = u64::from(position.commit) + u64::from(at);
        let mut bytes = vec![0; BODY_FRAME + len as usize];
        segment.file.read_exact_at(&mut bytes, offset).map_err(|e| wrong(e.into()))?;
        Ok(decode::check_body(segment, offset, bytes.into(), len).map_err(wrong)?.body)
    }

    fn commit(&self, at: Position) -> Result<Found, Fault> {
        let wrong = |offset, what: Wrong| fault(&self.shared.dir, at.segment, offset, None, what);
        let segment = self.shared.segment(at.segment)?;
        if u64::from(at.commit) + PAGE as u64 > segment.len {
            return Ok(Found::NextSegment);
        }
        match decode::slot(&segment, at.commit).map_err(|e| wrong(at.commit, e.into()))? {
            Slot::Blank | Slot::Mark(..) => Ok(Found::NextSegment),
            Slot::Bad(why) => Err(wrong(at.commit, Wrong::CommitHeader(why))),
            Slot::Commit(header, _) => {
                let commit = decode::commit(&segment, &header).map_err(|i| wrong(i.offset, i.what))?;
                Ok(Found::Records(commit.records, Position::at(at.segment, at.commit + header.padded_len())))
            }
        }
    }
}

enum Found {
    Records(Vec<StoredRecord>, Position),
    NextSegment,
}

/// The iterator of [`Reader::scan`].
#[derive(Debug)]
pub struct Scan {
    reader: Reader,
    next: Option<Position>,
}

impl Iterator for Scan {
    type Item = Result<Vec<StoredRecord>, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let at = self.next.filter(|at| *at < self.reader.shared.end())?;
            match self.reader.commit(at) {
                Ok(Found::Records(records, next)) => {
                    self.next = Some(next);
                    return Some(Ok(records));
                }
                Ok(Found::NextSegment) => self.next = Some(Position::at(at.segment + 1, PAGE as u32)),
                Err(e) => {
                    self.next = None;
                    return Some(Err(e.into()));
                }
            }
        }
    }
}
