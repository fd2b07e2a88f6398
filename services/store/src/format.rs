//! The bytes on disk. All integers are big-endian; checksums are CRC-32C; every gap is zero and is checked.
//!
//! `DIR/ledger/00000001.seg`, `00000002.seg`, … are segments of fixed size, filled with zeros and synced before
//! they are used, so that a commit overwrites bytes that exist and its `fdatasync` writes no metadata. Next to
//! come is at most one prepared segment whose first page is still zero.
//!
//! **Segment header**, the first page; 128 bytes are used. Synced before the first commit of the segment.
//!
//! | at | bytes | what |
//! |---|---|---|
//! | 0 | 8 | `LTSEGMNT` |
//! | 8 | 2 + 2 | version 1, zero |
//! | 12 | 4 | number of the segment, from 1 |
//! | 16 | 8 | sequence of its first commit |
//! | 24 | 8 | length of the segment |
//! | 32 | 16 | store id: a commit of another store is never taken for one of this |
//! | 48 | 32 | physical head before its first commit |
//! | 124 | 4 | CRC of the bytes 0..124 |
//!
//! **Commit**, at a page boundary, so that a torn write cannot touch a page of an earlier commit: header, record
//! frames (the *meta section*), bodies, zeros to the end of the page.
//!
//! | at | bytes | commit header |
//! |---|---|---|
//! | 0 | 8 | `LTCOMMIT` |
//! | 8 | 2 + 2 | version 1; kind: 1 records, 2 idle mark |
//! | 12 | 4 | number of records |
//! | 16 | 8 | sequence, from 1 |
//! | 24 | 4 + 4 | length of the meta section; length of header, meta and bodies |
//! | 32 | 16 | store id |
//! | 48 | 32 | physical head before it |
//! | 80 | 4 + 4 | number of the segment, offset in it |
//! | 88 | 4 | CRC of the meta section |
//! | 124 | 4 | CRC of the bytes 0..124 |
//!
//! The physical head after a commit is `SHA-256("lienthong.commit.v1" ‖ header)`. A header names the head before
//! it, and is written only after the previous commit was synced: it proves that commit durable. An **idle mark**
//! is a header of kind 2 with the next sequence in the page where the next commit will go; that commit
//! overwrites it, so a mark needs no sync and its loss leaves no gap.
//!
//! | at | bytes | record frame |
//! |---|---|---|
//! | 0 | 4 | CRC of the rest of the frame |
//! | 4 | 4 | length of the frame, a multiple of 8 |
//! | 8 | 4 + 4 | length of payload, of proof |
//! | 16 | 4 + 4 | offset of the body frame from the commit's start, 0 when there is none; length of the body |
//! | 24 | 8 | index in the agency's ledger |
//! | 32 | 32 | hash of the agency's previous record |
//! | 64 | 1 + 7 | length of the agency's id, zeros |
//! | 72 | … | agency, payload, proof, zeros |
//!
//! | at | bytes | body frame, at a multiple of 16 |
//! |---|---|---|
//! | 0 | 8 | `LTBODYV1`, `LTERASNG` (erasure begun) or `LTERASED` (all bytes are zero) |
//! | 8 | 4 | length of the body |
//! | 12 | 4 | CRC of the bytes 0..12 and, only for `LTBODYV1`, of the body |
//! | 16 | … | body, zeros |
//!
//! The body's checksum stands in its own frame and is overwritten with it, so nothing that depends on the
//! content survives an erasure. The frame's 16 bytes never straddle a sector, so each step of an erasure happens
//! or does not.

/// The unit of writing: commits start at multiples of it. The largest sector of today's disks.
pub const PAGE: usize = 4096;
/// Length of a segment or commit header.
pub const HEADER: usize = 128;
/// Version of segment and commit headers.
pub const VERSION: u16 = 1;
/// First bytes of a segment.
pub const SEGMENT_MAGIC: [u8; 8] = *b"LTSEGMNT";
/// First bytes of a commit.
pub const COMMIT_MAGIC: [u8; 8] = *b"LTCOMMIT";
/// Length of a record frame before its variable part.
pub const FRAME: usize = 72;
/// Length of a body frame before the body.
pub const BODY_FRAME: usize = 16;
/// Body frames start at multiples of it.
pub const BODY_ALIGN: usize = 16;

/// Largest payload, 256 KiB: the largest statement the wire admits, with room.
pub const PAYLOAD_LIMIT: usize = 256 << 10;
/// Largest proof, 64 KiB: signatures, certificate and trace context.
pub const PROOF_LIMIT: usize = 64 << 10;
/// Largest body, 800 KiB: 512 KiB of content with room for sealing, and the largest message of the courier (768 KiB),
/// which is kept whole when it goes to quarantine.
pub const BODY_LIMIT: usize = 800 << 10;
/// Largest commit in any segment, 16 MiB: what one `fdatasync` can be made to wait for.
pub const COMMIT_LIMIT: u64 = 16 << 20;

pub(crate) static ZEROS: [u8; PAGE] = [0; PAGE];

/// `true` when every byte is zero.
pub(crate) fn is_zero(bytes: &[u8]) -> bool {
    bytes.chunks(PAGE).all(|chunk| chunk == &ZEROS[..chunk.len()])
}

pub(crate) fn put_u16(to: &mut [u8], at: usize, value: u16) {
    to[at..at + 2].copy_from_slice(&value.to_be_bytes());
}

pub(crate) fn put_u32(to: &mut [u8], at: usize, value: u32) {
    to[at..at + 4].copy_from_slice(&value.to_be_bytes());
}

pub(crate) fn put_u64(to: &mut [u8], at: usize, value: u64) {
    to[at..at + 8].copy_from_slice(&value.to_be_bytes());
}

pub(crate) fn array<const N: usize>(from: &[u8], at: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&from[at..at + N]);
    out
}

pub(crate) fn get_u16(from: &[u8], at: usize) -> u16 {
    u16::from_be_bytes(array(from, at))
}

pub(crate) fn get_u32(from: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(array(from, at))
}

pub(crate) fn get_u64(from: &[u8], at: usize) -> u64 {
    u64::from_be_bytes(array(from, at))
}

/// Writes the checksum that closes a header.
pub(crate) fn seal_header(header: &mut [u8; HEADER]) {
    let crc = crc32c::crc32c(&header[..HEADER - 4]);
    put_u32(header, HEADER - 4, crc);
}

/// Checks magic, version and checksum of a header.
pub(crate) fn check_header(header: &[u8], magic: [u8; 8]) -> Result<(), &'static str> {
    if header[..8] != magic {
        return Err("the magic bytes are wrong");
    }
    if crc32c::crc32c(&header[..HEADER - 4]) != get_u32(header, HEADER - 4) {
        return Err("the checksum is wrong");
    }
    if get_u16(header, 8) != VERSION {
        return Err("the version is not known");
    }
    Ok(())
}
