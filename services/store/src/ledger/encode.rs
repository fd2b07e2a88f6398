//! A group of records made into the bytes of one commit, ready for one vectored write.

use super::body;
use super::frame;
use super::header::{CommitHeader, Kind, StoreId, physical_after};
use crate::error::StoreError;
use crate::format::{BODY_ALIGN, BODY_FRAME, BODY_LIMIT, HEADER, PAGE, PAYLOAD_LIMIT, PROOF_LIMIT, ZEROS};
use crate::record::NewRecord;
use lienthong_core::ids::{AgencyId, Digest, Head};
use lienthong_wire::chain;
use std::collections::BTreeMap;
use std::io::IoSlice;

/// Where and after what a commit is written.
pub(crate) struct Place {
    pub(crate) store: StoreId,
    pub(crate) segment: u32,
    pub(crate) offset: u32,
    pub(crate) seq: u64,
    pub(crate) physical: Digest,
}

/// The lengths of a commit, known before a byte of it is made.
pub(crate) struct Measured {
    pub(crate) meta_len: usize,
    pub(crate) total_len: usize,
}

/// A commit in memory; the bodies stay where they are.
pub(crate) struct Encoded<'a> {
    records: &'a [NewRecord],
    meta: &'a [u8],
    frames: Vec<[u8; BODY_FRAME]>,
    pub(crate) total_len: u32,
    pub(crate) physical: Digest,
    pub(crate) offsets: Vec<u32>,
    pub(crate) heads: BTreeMap<AgencyId, Head>,
}

/// Checks the limits of each part and adds the lengths up.
pub(crate) fn measure(records: &[NewRecord]) -> Result<Measured, StoreError> {
    let mut meta_len = 0;
    let mut total_len = 0;
    for record in records {
        let body = record.body.as_ref().map_or(0, |b| b.len());
        for (part, len, limit) in [
            ("payload", record.payload.len(), PAYLOAD_LIMIT),
            ("proof", record.proof.len(), PROOF_LIMIT),
            ("body", body, BODY_LIMIT),
        ] {
            if len > limit {
                return Err(StoreError::TooLarge { part, len: len as u64, limit: limit as u64 });
            }
        }
        meta_len += record.frame_len();
    }
    total_len += HEADER + meta_len;
    for body in records.iter().filter_map(|r| r.body.as_ref()) {
        total_len = total_len.next_multiple_of(BODY_ALIGN) + BODY_FRAME + body.len();
    }
    Ok(Measured { meta_len, total_len })
}

/// The heads and previous hashes of a group, computed before anything is written.
pub(crate) struct Linked {
    heads: BTreeMap<AgencyId, Head>,
    prevs: Vec<Digest>,
}

/// Checks that each record is the next of its agency and links it to the one before.
pub(crate) fn linked(records: &[NewRecord], heads: &BTreeMap<AgencyId, Head>) -> Result<Linked, StoreError> {
    let mut after: BTreeMap<AgencyId, Head> = BTreeMap::new();
    let mut prevs = Vec::with_capacity(records.len());
    for record in records {
        let known = after.get(&record.agency).or_else(|| heads.get(&record.agency));
        let head = known.copied().unwrap_or(Head::EMPTY);
        if record.index.0 != head.size {
            let (expected, found) = (head.size, record.index.0);
            return Err(StoreError::Index { agency: record.agency.clone(), expected, found });
        }
        prevs.push(head.hash);
        let hash = chain::link(&record.agency, record.index, head.hash, chain::payload_hash(&record.payload));
        after.insert(record.agency.clone(), Head { size: head.size + 1, hash });
    }
    Ok(Linked { heads: after, prevs })
}

/// Makes the commit; `buffer` is reused from commit to commit.
pub(crate) fn encode<'a>(
    buffer: &'a mut Vec<u8>,
    place: &Place,
    measured: &Measured,
    records: &'a [NewRecord],
    linked: Linked,
) -> Encoded<'a> {
    buffer.clear();
    buffer.reserve(HEADER + measured.meta_len);
    buffer.resize(HEADER, 0);
    let mut offsets = Vec::with_capacity(records.len());
    let mut frames = Vec::new();
    let mut end = HEADER + measured.meta_len;
    for (record, prev) in records.iter().zip(&linked.prevs) {
        offsets.push(buffer.len() as u32);
        let mut body_at = 0;
        if let Some(bytes) = &record.body {
            body_at = end.next_multiple_of(BODY_ALIGN);
            end = body_at + BODY_FRAME + bytes.len();
            frames.push(body::frame(bytes));
        }
        frame::encode(buffer, record, *prev, body_at as u32);
    }
    debug_assert_eq!(end, measured.total_len);
    let header = CommitHeader {
        kind: Kind::Records,
        count: records.len() as u32,
        seq: place.seq,
        meta_len: measured.meta_len as u32,
        total_len: measured.total_len as u32,
        store: place.store,
        physical: place.physical,
        segment: place.segment,
        offset: place.offset,
        meta_crc: crc32c::crc32c(&buffer[HEADER..]),
    };
    let header = header.encode();
    buffer[..HEADER].copy_from_slice(&header);
    Encoded {
        records,
        meta: buffer,
        frames,
        total_len: measured.total_len as u32,
        physical: physical_after(&header),
        offsets,
        heads: linked.heads,
    }
}

impl Encoded<'_> {
    /// The commit in pieces, filled up with zeros to whole pages, so that the system never has to read a page in
    /// order to change a part of it.
    pub(crate) fn slices(&self) -> Vec<IoSlice<'_>> {
        let mut out = Vec::with_capacity(2 + 3 * self.frames.len());
        let mut at = 0;
        let mut push = |bytes| {
            let bytes: &[u8] = bytes;
            if !bytes.is_empty() {
                out.push(IoSlice::new(bytes));
            }
        };
        push(self.meta);
        at += self.meta.len();
        for (frame, body) in self.frames.iter().zip(self.records.iter().filter_map(|r| r.body.as_ref())) {
            push(&ZEROS[..at.next_multiple_of(BODY_ALIGN) - at]);
            push(frame);
            push(body);
            at = at.next_multiple_of(BODY_ALIGN) + BODY_FRAME + body.len();
        }
        push(&ZEROS[..at.next_multiple_of(PAGE) - at]);
        out
    }
}
