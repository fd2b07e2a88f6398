//! Reading records while the ledger is being written, from any thread.

use super::body;
use super::decode::{self, Slot};
use super::frame::{self, Decoded, FRAME_LIMIT};
use super::segments::{Segment, fault};
use crate::error::{Fault, StoreError, Wrong};
use crate::format::{BODY_FRAME, PAGE};
use crate::position::Position;
use crate::record::StoredRecord;
use bytes::Bytes;
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
        if let Some((at, len)) = decoded.body {
            let wrong = |what: Wrong| Fault {
                agency: Some(record.agency.clone()),
                index: Some(record.index),
                ..fault(&self.shared.dir, position.segment, position.commit.saturating_add(at), None, what)
            };
            let offset = u64::from(position.commit) + u64::from(at);
            let mut bytes = vec![0; BODY_FRAME + len as usize];
            segment.file.read_exact_at(&mut bytes, offset).map_err(|e| wrong(e.into()))?;
            let body: body::Checked =
                decode::check_body(&segment, offset, bytes.into(), len).map_err(wrong)?;
            record.body = Some(body.body);
        }
        Ok(record)
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
        let offset = u64::from(position.commit) + u64::from(position.record);
        let wrong =
            |what: Wrong| Fault { offset, ..fault(&self.shared.dir, position.segment, 0, None, what) };
        if position.record == 0 {
            return Err(wrong(Wrong::Frame("the position is that of a commit")).into());
        }
        let segment = self.shared.segment(position.segment)?;
        let room = segment.len.saturating_sub(offset).min(FRAME_LIMIT as u64) as usize;
        let mut bytes = vec![0; room.min(PAGE)];
        segment.file.read_exact_at(&mut bytes, offset).map_err(|e| wrong(e.into()))?;
        let len = frame::told_len(&bytes).map_err(|e| wrong(Wrong::Frame(e)))?.min(room);
        let have = bytes.len().min(len);
        bytes.resize(len, 0);
        segment.file.read_exact_at(&mut bytes[have..], offset + have as u64).map_err(|e| wrong(e.into()))?;
        let decoded = frame::decode(&Bytes::from(bytes), position).map_err(|e| wrong(Wrong::Frame(e)))?;
        Ok((decoded, segment))
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
