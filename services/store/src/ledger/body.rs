//! Detached bodies: their frames, how they are checked, how they are erased.

use crate::files;
use crate::format::{BODY_FRAME, get_u32, is_zero, put_u32};
use crate::record::Body;
use bytes::Bytes;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

const PRESENT: [u8; 8] = *b"LTBODYV1";
const ERASING: [u8; 8] = *b"LTERASNG";
const ERASED: [u8; 8] = *b"LTERASED";

/// A checked body and whether its erasure was begun and not finished.
pub(crate) struct Checked {
    pub(crate) body: Body,
    pub(crate) unfinished: bool,
}

/// The frame that goes before a body.
pub(crate) fn frame(body: &[u8]) -> [u8; BODY_FRAME] {
    let mut out = head(PRESENT, body.len() as u32);
    let crc = crc32c::crc32c_append(crc32c::crc32c(&out[..12]), body);
    put_u32(&mut out, 12, crc);
    out
}

fn head(tag: [u8; 8], len: u32) -> [u8; BODY_FRAME] {
    let mut out = [0; BODY_FRAME];
    out[..8].copy_from_slice(&tag);
    put_u32(&mut out, 8, len);
    out
}

fn erased_frame(tag: [u8; 8], len: u32) -> [u8; BODY_FRAME] {
    let mut out = head(tag, len);
    let crc = crc32c::crc32c(&out[..12]);
    put_u32(&mut out, 12, crc);
    out
}

/// Checks a body frame with its body. `len` is the length the record tells.
pub(crate) fn check(bytes: &Bytes, len: u32) -> Result<Checked, &'static str> {
    let (frame, body) = (&bytes[..BODY_FRAME], bytes.slice(BODY_FRAME..));
    if get_u32(frame, 8) != len || body.len() != len as usize {
        return Err("its length is not the record's");
    }
    let crc = crc32c::crc32c(&frame[..12]);
    let told = get_u32(frame, 12);
    match &frame[..8] {
        tag if tag == PRESENT && crc32c::crc32c_append(crc, &body) == told => {
            Ok(Checked { body: Body::Present(body), unfinished: false })
        }
        tag if tag == PRESENT => Err("the checksum is wrong"),
        tag if tag == ERASED && crc == told && is_zero(&body) => {
            Ok(Checked { body: Body::Erased { len }, unfinished: false })
        }
        tag if tag == ERASED => Err("it is marked as erased and is not zero"),
        tag if tag == ERASING && crc == told => Ok(Checked { body: Body::Erased { len }, unfinished: true }),
        _ => Err("its frame is neither that of a body nor of an erased one"),
    }
}

/// Erases the body whose frame is at `offset`: says so, overwrites, says that it is done, each step synced. A crash
/// in between leaves a frame that says "begun", and the body is taken as erased.
pub(crate) fn erase(file: &File, offset: u64, len: u32) -> io::Result<()> {
    file.write_all_at(&erased_frame(ERASING, len), offset)?;
    file.sync_data()?;
    files::zero_at(file, offset + BODY_FRAME as u64, len.into())?;
    file.sync_data()?;
    file.write_all_at(&erased_frame(ERASED, len), offset)?;
    file.sync_data()
}
