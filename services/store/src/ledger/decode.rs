//! One commit read back from a segment and checked in itself; whether it continues the chain is for the walk.

use super::body;
use super::frame::{self, Decoded};
use super::header::{CommitHeader, Kind, physical_after};
use super::segments::Segment;
use crate::error::Wrong;
use crate::format::{BODY_ALIGN, BODY_FRAME, HEADER, PAGE, is_zero};
use crate::position::Position;
use crate::record::StoredRecord;
use bytes::Bytes;
use lienthong_core::ids::{AgencyId, Digest, LedgerIndex};
use std::io;
use std::os::unix::fs::FileExt;

/// What stands in the page where a commit may start.
pub(crate) enum Slot {
    /// Nothing.
    Blank,
    /// An idle mark, and whether the rest of its page is zero as it must be.
    Mark(CommitHeader, Rest),
    /// The header of a commit and the physical head after it.
    Commit(CommitHeader, Digest),
    /// Something that is no header of this place.
    Bad(&'static str),
}

/// The rest of an idle mark's page.
#[derive(PartialEq, Eq)]
pub(crate) enum Rest {
    Zero,
    Written,
}

/// A commit that is whole in itself.
pub(crate) struct Commit {
    pub(crate) records: Vec<StoredRecord>,
    /// Bodies whose erasure was begun and not finished: offset of the frame in the segment, length.
    pub(crate) unfinished: Vec<(u64, u32)>,
    /// All of its pages.
    pub(crate) bytes: Bytes,
}

/// A fault inside a commit, with the record it is in when that much is known.
pub(crate) struct Inside {
    pub(crate) what: Wrong,
    pub(crate) offset: u32,
    pub(crate) record: Option<(AgencyId, LedgerIndex)>,
}

/// Reads the header at `offset`.
pub(crate) fn slot(segment: &Segment, offset: u32) -> io::Result<Slot> {
    let mut page = [0; PAGE];
    segment.file.read_exact_at(&mut page, offset.into())?;
    if is_zero(&page) {
        return Ok(Slot::Blank);
    }
    let header = match CommitHeader::decode(&page) {
        Ok(header) => header,
        Err(why) => return Ok(Slot::Bad(why)),
    };
    if header.segment != segment.number || header.offset != offset {
        return Ok(Slot::Bad("it was written for another place"));
    }
    if u64::from(offset) + u64::from(header.padded_len()) > segment.len {
        return Ok(Slot::Bad("the commit goes beyond the segment"));
    }
    Ok(match header.kind {
        Kind::IdleMark if is_zero(&page[HEADER..]) => Slot::Mark(header, Rest::Zero),
        Kind::IdleMark => Slot::Mark(header, Rest::Written),
        Kind::Records => Slot::Commit(header, physical_after(&page)),
    })
}

/// Reads the commit behind a header and checks each byte of it.
pub(crate) fn commit(segment: &Segment, header: &CommitHeader) -> Result<Commit, Inside> {
    let mut bytes = vec![0; header.padded_len() as usize];
    let read = segment.file.read_exact_at(&mut bytes, header.offset.into());
    read.map_err(|e| inside(header, 0, e))?;
    let bytes = Bytes::from(bytes);
    let meta_end = HEADER + header.meta_len as usize;
    let decoded = frames(&bytes.slice(..meta_end), header)?;
    let mut commit = Commit { records: Vec::with_capacity(decoded.len()), unfinished: Vec::new(), bytes };
    let mut end = meta_end;
    for frame in decoded {
        let mut record = frame.record;
        if let Some((body_at, len)) = frame.body {
            let body_at = body_at as usize;
            let told = |what| Inside {
                record: Some((record.agency.clone(), record.index)),
                ..inside(header, body_at, what)
            };
            let body_end = body_at + BODY_FRAME + len as usize;
            if body_at != end.next_multiple_of(BODY_ALIGN) || body_end > header.total_len as usize {
                return Err(told(Wrong::Body("it is not where it must be")));
            }
            if !is_zero(&commit.bytes[end..body_at]) {
                return Err(inside(header, end, Wrong::Stray));
            }
            let offset = u64::from(header.offset) + body_at as u64;
            let checked =
                check_body(segment, offset, commit.bytes.slice(body_at..body_end), len).map_err(told)?;
            if checked.unfinished {
                commit.unfinished.push((offset, len));
            }
            record.body = Some(checked.body);
            end = body_end;
        }
        commit.records.push(record);
    }
    if end != header.total_len as usize || !is_zero(&commit.bytes[end..]) {
        return Err(inside(header, end, Wrong::Stray));
    }
    Ok(commit)
}

fn inside(header: &CommitHeader, at: usize, what: impl Into<Wrong>) -> Inside {
    Inside { what: what.into(), offset: header.offset + at as u32, record: None }
}

/// The record frames of a commit. Each is checked before the whole, so that a fault is told where it is.
fn frames(meta: &Bytes, header: &CommitHeader) -> Result<Vec<Decoded>, Inside> {
    let mut out = Vec::new();
    let mut here = HEADER;
    while here < meta.len() {
        let position = Position { segment: header.segment, commit: header.offset, record: here as u32 };
        let frame = frame::decode(&meta.slice(here..), position);
        let frame = frame.map_err(|why| inside(header, here, Wrong::Frame(why)))?;
        here += frame.len as usize;
        out.push(frame);
    }
    if crc32c::crc32c(&meta[HEADER..]) != header.meta_crc || out.len() != header.count as usize {
        return Err(inside(header, HEADER, Wrong::Records));
    }
    Ok(out)
}

/// Checks a body. One that looks wrong is read again: an erasure may have passed between the two halves of a read.
pub(crate) fn check_body(
    segment: &Segment,
    offset: u64,
    bytes: Bytes,
    len: u32,
) -> Result<body::Checked, Wrong> {
    if let Ok(checked) = body::check(&bytes, len) {
        return Ok(checked);
    }
    let mut again = vec![0; BODY_FRAME + len as usize];
    segment.file.read_exact_at(&mut again, offset)?;
    body::check(&Bytes::from(again), len).map_err(Wrong::Body)
}
