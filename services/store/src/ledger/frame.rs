//! Record frames, to and from bytes.

use crate::format::{
    BODY_LIMIT, FRAME, PAYLOAD_LIMIT, PROOF_LIMIT, array, get_u32, get_u64, is_zero, put_u32, put_u64,
};
use crate::position::Position;
use crate::record::{NewRecord, StoredRecord};
use bytes::Bytes;
use lienthong_core::ids::{AgencyId, Digest, LedgerIndex};
use lienthong_wire::chain;

/// The longest frame.
pub(crate) const FRAME_LIMIT: usize = FRAME + AgencyId::MAX + PAYLOAD_LIMIT + PROOF_LIMIT + 8;

/// A frame read back, with the place of its body.
pub(crate) struct Decoded {
    pub(crate) record: StoredRecord,
    /// Offset of the body frame from the commit's start, and the body's length.
    pub(crate) body: Option<(u32, u32)>,
    pub(crate) len: u32,
}

/// Appends the frame of a record; `body_at` is the offset of its body frame from the commit's start, 0 for none.
pub(crate) fn encode(out: &mut Vec<u8>, record: &NewRecord, prev: Digest, body_at: u32) {
    let start = out.len();
    let len = record.frame_len();
    let mut head = [0; FRAME];
    put_u32(&mut head, 4, len as u32);
    put_u32(&mut head, 8, record.payload.len() as u32);
    put_u32(&mut head, 12, record.proof.len() as u32);
    put_u32(&mut head, 16, body_at);
    put_u32(&mut head, 20, record.body.as_ref().map_or(0, |b| b.len() as u32));
    put_u64(&mut head, 24, record.index.0);
    head[32..64].copy_from_slice(&prev.0);
    head[64] = record.agency.as_str().len() as u8;
    out.extend_from_slice(&head);
    out.extend_from_slice(record.agency.as_str().as_bytes());
    out.extend_from_slice(&record.payload);
    out.extend_from_slice(&record.proof);
    out.resize(start + len, 0);
    let crc = crc32c::crc32c(&out[start + 4..]);
    put_u32(&mut out[start..], 0, crc);
}

/// The length the frame at the start of `bytes` tells, when it can be true.
pub(crate) fn told_len(bytes: &[u8]) -> Result<usize, &'static str> {
    if bytes.len() < FRAME {
        return Err("the frame is cut off");
    }
    let len = get_u32(bytes, 4) as usize;
    let possible = (FRAME..=FRAME_LIMIT).contains(&len) && len.is_multiple_of(8);
    if possible { Ok(len) } else { Err("the length of the frame cannot be true") }
}

/// What lies in a frame, checked in itself. The parts share the memory of their frame.
pub(crate) struct Parts {
    /// The id, not yet known to be one.
    agency: Bytes,
    pub(crate) index: LedgerIndex,
    prev: Digest,
    pub(crate) payload: Bytes,
    pub(crate) proof: Bytes,
    /// Offset of the body frame from the commit's start, and the body's length.
    pub(crate) body: Option<(u32, u32)>,
    len: u32,
}

impl Parts {
    pub(crate) fn is_of(&self, agency: &AgencyId) -> bool {
        self.agency == agency.as_str().as_bytes()
    }
}

/// Reads the frame at the start of `bytes`.
pub(crate) fn parts(bytes: &Bytes) -> Result<Parts, &'static str> {
    let len = told_len(bytes)?;
    if len > bytes.len() {
        return Err("the frame is cut off");
    }
    let bytes = bytes.slice(..len);
    if crc32c::crc32c(&bytes[4..]) != get_u32(&bytes, 0) {
        return Err("the checksum is wrong");
    }
    let (payload_len, proof_len) = (get_u32(&bytes, 8) as usize, get_u32(&bytes, 12) as usize);
    let (body_at, body_len) = (get_u32(&bytes, 16), get_u32(&bytes, 20));
    let agency_end = FRAME + bytes[64] as usize;
    let payload_end = agency_end.saturating_add(payload_len);
    let end = payload_end.saturating_add(proof_len);
    let told = payload_len <= PAYLOAD_LIMIT && proof_len <= PROOF_LIMIT && body_len as usize <= BODY_LIMIT;
    if !told || end.next_multiple_of(8) != len || !is_zero(&bytes[end..]) || !is_zero(&bytes[65..FRAME]) {
        return Err("the lengths cannot be true");
    }
    if body_at == 0 && body_len != 0 {
        return Err("a body without a place");
    }
    Ok(Parts {
        agency: bytes.slice(FRAME..agency_end),
        index: LedgerIndex(get_u64(&bytes, 24)),
        prev: Digest(array(&bytes, 32)),
        payload: bytes.slice(agency_end..payload_end),
        proof: bytes.slice(payload_end..end),
        body: (body_at != 0).then_some((body_at, body_len)),
        len: len as u32,
    })
}

/// The record in the frame at the start of `bytes`, with its link in the chain.
pub(crate) fn decode(bytes: &Bytes, position: Position) -> Result<Decoded, &'static str> {
    let Parts { agency, index, prev, payload, proof, body, len } = parts(bytes)?;
    let agency = std::str::from_utf8(&agency).ok().and_then(AgencyId::parse);
    let agency = agency.ok_or("the agency's id is not one")?;
    let hash = chain::link(&agency, index, prev, chain::payload_hash(&payload));
    let body_len = body.map(|(_, len)| len);
    let record = StoredRecord { agency, index, prev, hash, payload, proof, body: None, body_len, position };
    Ok(Decoded { record, body, len })
}
