//! What stands behind the place where the log seems to end: nothing, the rest of a torn commit, or proof that the
//! log went on.

use super::header::{CommitHeader, StoreId};
use super::segments::Segment;
use crate::format::{HEADER, PAGE, is_zero};
use std::io;
use std::os::unix::fs::FileExt;

/// Read at a time: whole pages.
const CHUNK: usize = 1 << 20;

/// What was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Survey {
    /// Sequence of a commit or mark that was written after the place.
    pub(crate) later: Option<u64>,
    /// End of the last page that is not zero.
    pub(crate) written_to: Option<u32>,
}

/// Looks at the pages of `segment` from `from` on for headers of `store` above the sequence `seq`.
pub(crate) fn survey(segment: &Segment, from: u32, store: StoreId, seq: u64) -> io::Result<Survey> {
    let mut found = Survey::default();
    let mut chunk = vec![0; CHUNK];
    let mut at = u64::from(from);
    while at < segment.len {
        let n = (segment.len - at).min(CHUNK as u64) as usize;
        segment.file.read_exact_at(&mut chunk[..n], at)?;
        for (nth, page) in chunk[..n].chunks(PAGE).enumerate().filter(|(_, page)| !is_zero(page)) {
            let offset = at as u32 + (nth * PAGE) as u32;
            found.written_to = Some(offset + page.len() as u32);
            if page.len() < HEADER {
                continue;
            }
            // A header tells its own place, so an old copy of pages inside a body is not taken for one.
            let header = CommitHeader::decode(page).ok();
            let later = header.filter(|h| h.store == store && h.seq > seq && h.segment == segment.number);
            if let Some(header) = later.filter(|h| h.offset == offset) {
                found.later = Some(header.seq);
                return Ok(found);
            }
        }
        at += n as u64;
    }
    Ok(found)
}
