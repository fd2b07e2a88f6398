//! One commit read back from a segment and checked in itself; whether it continues the chain is for the walk.

use super::body;
use super::frame;
use super::header::{CommitHeader, Kind, physical_after};
use super::segments::Segment;
use crate::error::Wrong;
use crate::format::{BODY_ALIGN, BODY_FRAME, HEADER, PAGE, is_zero};
use crate::position::Position;
use crate::record::StoredRecord;
use bytes::Bytes;
use lienthong_core::ids::Digest;
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
    pub(crate) record: Option<StoredRecord>,
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
    let at =
        |offset: usize, what: Wrong| Inside { what, offset: header.offset + offset as u32, record: None };
    let mut bytes = vec![0; header.padded_len() as usize];
    segment.file.read_exact_at(&mut bytes, header.offset.into()).map_err(|e| at(0, e.into()))?;
    let bytes = Bytes::from(bytes);
    let meta_end = HEADER + header.meta_len as usize;
    let mut records = Vec::new();
    let mut unfinished = Vec::new();
    let mut places = Vec::new();
    if crc32c::crc32c(&bytes[HEADER..meta_end]) != header.meta_crc {
        return Err(find_bad_frame(&bytes, header, meta_end).unwrap_or_else(|| at(HEADER, Wrong::Records)));
    }
    let mut here = HEADER;
    while here < meta_end {
        let position = Position { segment: segment.number, commit: header.offset, record: here as u32 };
        let decoded =
            frame::decode(&bytes.slice(here..meta_end), position).map_err(|e| at(here, Wrong::Frame(e)))?;
        here += decoded.len as usize;
        places.extend(decoded.body.map(|body| (records.len(), body)));
        records.push(decoded.record);
    }
    if records.len() != header.count as usize {
        return Err(at(HEADER, Wrong::Frame("not as many as the header says")));
    }
    let mut end = meta_end;
    for (nth, (body_at, len)) in places {
        let body_at = body_at as usize;
        let told = |what| Inside { record: Some(records[nth].clone()), ..at(body_at, Wrong::Body(what)) };
        if body_at != end.next_multiple_of(BODY_ALIGN)
            || body_at + BODY_FRAME + len as usize > header.total_len as usize
        {
            return Err(told("it is not where it must be"));
        }
        if !is_zero(&bytes[end..body_at]) {
            return Err(at(end, Wrong::Stray));
        }
        end = body_at + BODY_FRAME + len as usize;
        let offset = u64::from(header.offset) + body_at as u64;
        let checked = check_body(segment, offset, bytes.slice(body_at..end), len).map_err(|e| match e {
            Wrong::Body(what) => told(what),
            other => at(body_at, other),
        })?;
        if checked.unfinished {
            unfinished.push((offset, len));
        }
        records[nth].body = Some(checked.body);
    }
    if end != header.total_len as usize || !is_zero(&bytes[end..]) {
        return Err(at(end, Wrong::Stray));
    }
    Ok(Commit { records, unfinished, bytes })
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

/// Names the record, when the checksum of the whole section is wrong and one frame can be told to be the cause.
fn find_bad_frame(bytes: &Bytes, header: &CommitHeader, meta_end: usize) -> Option<Inside> {
    let mut here = HEADER;
    while here < meta_end {
        match frame::decode(&bytes.slice(here..meta_end), Position::at(header.segment, header.offset)) {
            Ok(decoded) => here += decoded.len as usize,
            Err(why) => {
                return Some(Inside {
                    what: Wrong::Frame(why),
                    offset: header.offset + here as u32,
                    record: None,
                });
            }
        }
    }
    None
}
