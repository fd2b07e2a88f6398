//! Headers of segments and commits, to and from bytes.

use crate::format::{
    COMMIT_LIMIT, COMMIT_MAGIC, HEADER, PAGE, SEGMENT_MAGIC, VERSION, array, check_header, get_u16, get_u32,
    get_u64, is_zero, put_u16, put_u32, put_u64, seal_header,
};
use lienthong_core::ids::Digest;
use sha2::{Digest as _, Sha256};

/// Tells the files of one store from those of another.
pub(crate) type StoreId = [u8; 16];

const KIND_RECORDS: u16 = 1;
const KIND_MARK: u16 = 2;

/// The first page of a segment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SegmentHeader {
    pub(crate) number: u32,
    pub(crate) first_seq: u64,
    pub(crate) len: u64,
    pub(crate) store: StoreId,
    pub(crate) physical: Digest,
}

impl SegmentHeader {
    pub(crate) fn encode(&self) -> [u8; HEADER] {
        let mut out = [0; HEADER];
        out[..8].copy_from_slice(&SEGMENT_MAGIC);
        put_u16(&mut out, 8, VERSION);
        put_u32(&mut out, 12, self.number);
        put_u64(&mut out, 16, self.first_seq);
        put_u64(&mut out, 24, self.len);
        out[32..48].copy_from_slice(&self.store);
        out[48..80].copy_from_slice(&self.physical.0);
        seal_header(&mut out);
        out
    }

    /// Reads the first page of a segment, all of which is checked.
    pub(crate) fn decode(page: &[u8]) -> Result<Self, &'static str> {
        check_header(page, SEGMENT_MAGIC)?;
        if !is_zero(&page[HEADER..PAGE]) {
            return Err("there are bytes behind it");
        }
        Ok(Self {
            number: get_u32(page, 12),
            first_seq: get_u64(page, 16),
            len: get_u64(page, 24),
            store: array(page, 32),
            physical: Digest(array(page, 48)),
        })
    }
}

/// What a commit header announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Records,
    IdleMark,
}

/// The header of a commit or an idle mark.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CommitHeader {
    pub(crate) kind: Kind,
    pub(crate) count: u32,
    pub(crate) seq: u64,
    pub(crate) meta_len: u32,
    pub(crate) total_len: u32,
    pub(crate) store: StoreId,
    pub(crate) physical: Digest,
    pub(crate) segment: u32,
    pub(crate) offset: u32,
    pub(crate) meta_crc: u32,
}

impl CommitHeader {
    pub(crate) fn encode(&self) -> [u8; HEADER] {
        let mut out = [0; HEADER];
        out[..8].copy_from_slice(&COMMIT_MAGIC);
        put_u16(&mut out, 8, VERSION);
        put_u16(
            &mut out,
            10,
            match self.kind {
                Kind::Records => KIND_RECORDS,
                Kind::IdleMark => KIND_MARK,
            },
        );
        put_u32(&mut out, 12, self.count);
        put_u64(&mut out, 16, self.seq);
        put_u32(&mut out, 24, self.meta_len);
        put_u32(&mut out, 28, self.total_len);
        out[32..48].copy_from_slice(&self.store);
        out[48..80].copy_from_slice(&self.physical.0);
        put_u32(&mut out, 80, self.segment);
        put_u32(&mut out, 84, self.offset);
        put_u32(&mut out, 88, self.meta_crc);
        seal_header(&mut out);
        out
    }

    /// Reads a header and checks that its lengths can be true; whether it continues the chain is for the caller.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, &'static str> {
        check_header(bytes, COMMIT_MAGIC)?;
        let kind = match get_u16(bytes, 10) {
            KIND_RECORDS => Kind::Records,
            KIND_MARK => Kind::IdleMark,
            _ => return Err("the kind is not known"),
        };
        let header = Self {
            kind,
            count: get_u32(bytes, 12),
            seq: get_u64(bytes, 16),
            meta_len: get_u32(bytes, 24),
            total_len: get_u32(bytes, 28),
            store: array(bytes, 32),
            physical: Digest(array(bytes, 48)),
            segment: get_u32(bytes, 80),
            offset: get_u32(bytes, 84),
            meta_crc: get_u32(bytes, 88),
        };
        let (meta, total) = (u64::from(header.meta_len), u64::from(header.total_len));
        let fits = match kind {
            Kind::Records => header.count > 0 && total >= HEADER as u64 + meta && total <= COMMIT_LIMIT,
            Kind::IdleMark => header.count == 0 && meta == 0 && total == HEADER as u64,
        };
        if fits { Ok(header) } else { Err("the lengths cannot be true") }
    }

    /// Bytes it takes in the segment, whole pages.
    pub(crate) fn padded_len(&self) -> u32 {
        self.total_len.next_multiple_of(PAGE as u32)
    }
}

/// The physical head after the commit with this header.
pub(crate) fn physical_after(header: &[u8]) -> Digest {
    let mut hash = Sha256::new();
    hash.update(b"lienthong.commit.v1");
    hash.update(&header[..HEADER]);
    Digest(hash.finalize().into())
}
