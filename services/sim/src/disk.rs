//! A node's disk: a ledger as bytes, what of it is synced, and everything that can happen to it.
//!
//! Commits are framed, checked with CRC-32C and chained as the real store does it; the real store has its own rigs.

use crate::random::Stream;
use bytes::Bytes;
use lienthong_core::ids::{AgencyId, Digest, Head, LedgerIndex};
use lienthong_core::record::Record;
use lienthong_wire::chain;
use lienthong_wire::record::{EncodedRecord, decode_record, encode_record};
use std::sync::Arc;

const MAGIC: [u8; 4] = *b"LTS1";
/// Magic, length, checksum.
const HEADER: usize = 12;

/// What is on a disk.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    bytes: Vec<u8>,
    /// Where the last commit begins.
    last: usize,
    /// A bit that flipped while nobody looked: its byte, and the mask.
    flipped: Option<(usize, u8)>,
}

/// A record as it was read back.
#[derive(Clone, Debug)]
pub struct Kept {
    /// The record, decoded from its bytes.
    pub record: Record,
    /// The chained bytes.
    pub payload: Bytes,
    /// The chain after it.
    pub hash: Digest,
}

/// What becomes of one commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is synced.
    Sound,
    /// Power fails before anything of it is on the disk.
    CrashBefore,
    /// Power fails when a part of it is on the disk.
    Torn,
    /// Power fails when it is durable and nothing of it was said.
    CrashAfter,
    /// Power fails when all of it was said, and nothing acknowledged to the courier.
    CrashSpoken,
    /// There is no room.
    Full,
}

impl Fate {
    /// Every way to crash at a commit.
    pub const CRASHES: [Fate; 4] = [Fate::CrashBefore, Fate::Torn, Fate::CrashAfter, Fate::CrashSpoken];

    /// What becomes of a commit, most often nothing.
    pub fn drawn(stream: &mut Stream) -> Self {
        match stream.below(1_000) {
            0..8 => *stream.pick(&Self::CRASHES),
            8..10 => Fate::Full,
            _ => Fate::Sound,
        }
    }

    /// Its name in the count of faults.
    pub fn name(self) -> &'static str {
        match self {
            Fate::Sound => "none",
            Fate::CrashBefore => "crash before a batch is durable",
            Fate::Torn => "crash in a batch, torn",
            Fate::CrashAfter => "crash after a batch is durable, before it speaks",
            Fate::CrashSpoken => "crash after a batch spoke, before it acknowledges",
            Fate::Full => "disk full",
        }
    }
}

/// A ledger that cannot be trusted: where it is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Byte.
    pub at: usize,
    /// What is wrong there.
    pub what: &'static str,
}

/// One commit on its way to the disk.
#[derive(Clone, Debug)]
pub struct Commit {
    frame: Vec<u8>,
    /// Its records, as they will be read back.
    pub records: Vec<Kept>,
}

impl Commit {
    /// Frames records that follow `head`.
    pub fn of(agency: &AgencyId, head: Head, records: Vec<Record>) -> Self {
        let (mut kept, mut body) = (Vec::new(), Vec::new());
        let mut at = head;
        body.extend_from_slice(&head.hash.0);
        body.extend_from_slice(&(records.len() as u32).to_le_bytes());
        for record in records {
            let encoded = encode_record(&record);
            let hash =
                chain::link(agency, LedgerIndex(at.size), at.hash, chain::payload_hash(&encoded.payload));
            at = Head { size: at.size + 1, hash };
            put(&mut body, &encoded);
            kept.push(Kept { record, payload: encoded.payload.into(), hash });
        }
        body.extend_from_slice(&at.hash.0);
        let mut frame = MAGIC.to_vec();
        frame.extend_from_slice(&(body.len() as u32).to_le_bytes());
        frame.extend_from_slice(&crc32c::crc32c(&body).to_le_bytes());
        frame.extend_from_slice(&body);
        Self { frame, records: kept }
    }
}

impl Disk {
    /// A commit reaches the disk whole and is synced.
    pub fn sync(&mut self, commit: &Commit) {
        self.last = self.bytes.len();
        self.bytes.extend_from_slice(&commit.frame);
    }

    /// Power fails while a commit is written: a part of it stays, never all.
    pub fn tear(&mut self, commit: &Commit, stream: &mut Stream) {
        let part = 1 + stream.below(commit.frame.len() as u64 - 1) as usize;
        let mut rest = commit.frame[..part].to_vec();
        // Sectors are not written in order: sometimes the end is there and the middle is not.
        if stream.chance(300) {
            rest = commit.frame.clone();
            let hole = stream.below(commit.frame.len() as u64 - 1) as usize;
            rest[hole..].iter_mut().take(512).for_each(|b| *b = !*b);
        }
        self.bytes.extend_from_slice(&rest);
    }

    /// A bit flips in what is durable, before the last commit. `false` when there is no such place.
    ///
    /// In the last commit itself a flip looks like a tear and is cut; the real store has an idle mark against that.
    pub fn flip(&mut self, stream: &mut Stream) -> bool {
        if self.last == 0 || self.flipped.is_some() {
            return false;
        }
        let (at, mask) = (stream.below(self.last as u64) as usize, 1 << stream.below(8));
        self.bytes[at] ^= mask;
        self.flipped = Some((at, mask));
        true
    }

    /// Whether a bit is wrong.
    pub fn is_flipped(&self) -> bool {
        self.flipped.is_some()
    }

    /// The operator puts the bytes back from the mirror.
    pub fn repair(&mut self) {
        if let Some((at, mask)) = self.flipped.take() {
            self.bytes[at] ^= mask;
        }
    }

    /// Reads everything back as a node does when it starts: from bytes, with checksums and chain. What is torn behind
    /// the last whole commit is cut.
    ///
    /// # Errors
    /// [`Damage`] for a fault anywhere else.
    pub fn open(&mut self, agency: &AgencyId) -> Result<Vec<Kept>, Damage> {
        let mut kept = Vec::new();
        let (mut at, mut head) = (0, Head::EMPTY);
        while at < self.bytes.len() {
            let Some(body) = frame(&self.bytes[at..]) else {
                if (at + 1..self.bytes.len()).any(|later| frame(&self.bytes[later..]).is_some()) {
                    return Err(Damage { at, what: "a commit before the last is damaged" });
                }
                self.bytes.truncate(at);
                break;
            };
            head = records(agency, head, body, &mut kept).map_err(|what| Damage { at, what })?;
            self.last = at;
            at += HEADER + body.len();
        }
        Ok(kept)
    }
}

/// The body of the commit at the beginning of `bytes`, if one is there whole.
fn frame(bytes: &[u8]) -> Option<&[u8]> {
    let rest = bytes.strip_prefix(&MAGIC)?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (crc, rest) = rest.split_first_chunk::<4>()?;
    let body = rest.get(..u32::from_le_bytes(*length) as usize)?;
    (crc32c::crc32c(body) == u32::from_le_bytes(*crc)).then_some(body)
}

fn records(
    agency: &AgencyId,
    mut head: Head,
    body: &[u8],
    kept: &mut Vec<Kept>,
) -> Result<Head, &'static str> {
    let short = "a commit is too short";
    let (before, rest) = body.split_first_chunk::<32>().ok_or(short)?;
    if *before != head.hash.0 {
        return Err("a commit does not follow the one before");
    }
    let (count, mut rest) = rest.split_first_chunk::<4>().ok_or(short)?;
    for _ in 0..u32::from_le_bytes(*count) {
        let payload = Bytes::copy_from_slice(take(&mut rest).ok_or(short)?);
        let proof = take(&mut rest).ok_or(short)?;
        let (has_body, after) = rest.split_first().ok_or(short)?;
        rest = after;
        let beside: Option<Arc<[u8]>> = match has_body {
            0 => None,
            _ => Some(take(&mut rest).ok_or(short)?.into()),
        };
        let hash = chain::link(agency, LedgerIndex(head.size), head.hash, chain::payload_hash(&payload));
        head = Head { size: head.size + 1, hash };
        let record = decode_record(payload.clone(), proof, beside).map_err(|_| "a record is none")?;
        kept.push(Kept { record, payload, hash });
    }
    if rest == head.hash.0 { Ok(head) } else { Err("the chain does not end where the commit says") }
}

fn put(out: &mut Vec<u8>, record: &EncodedRecord) {
    let mut part = |bytes: &[u8]| {
        out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
        out.extend_from_slice(bytes);
    };
    part(&record.payload);
    part(&record.proof);
    match &record.body {
        None => out.push(0),
        Some(body) => {
            out.push(1);
            out.extend_from_slice(&(body.len() as u32).to_le_bytes());
            out.extend_from_slice(body);
        }
    }
}

fn take<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, after) = rest.split_first_chunk::<4>()?;
    let (part, after) = after.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    *rest = after;
    Some(part)
}
