//! Room in the log: preparing ahead, trying again when it failed, and what is left when nothing more can be prepared.

use super::Ledger;
use super::current::Next;
use super::spare::AGAIN;
use std::io;
use std::time::Instant;

/// Below this much, in bytes, with nothing ahead, nothing more is written: two groups of the largest inputs, one on its
/// way to the disk and one gathering behind it.
const LAST_BYTES: u64 = 8 << 20;

/// How the log stands, for whoever decides what may still be begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Footing {
    /// The next segment or the spare could not be prepared, so nothing new may be begun.
    pub is_short: bool,
    /// Not even a commit of the largest size is sure to find room: nothing more may be written at all.
    pub is_out: bool,
}

impl Ledger {
    /// Prepares ahead what will be needed, in the background, and again after a failure. Cheap; to be called now and then
    /// also when nothing is appended, so that a ledger finds its footing when space returns.
    pub fn tend(&mut self) {
        if let Err(error) = self.next.settle() {
            tracing::warn!(%error, "the next segment cannot be prepared");
            self.next_failed = Some(Instant::now());
        }
        if matches!(self.next, Next::Ready) {
            self.next_failed = None;
        }
        let is_due = self.next_failed.is_none_or(|at| at.elapsed() >= AGAIN);
        if is_due && u64::from(self.current.offset) * 2 >= self.current.len {
            self.next.begin(&self.shared.dir, self.current.number + 1, self.segment_len, self.space.as_ref());
        }
        self.next.keep_pace(&self.current);
        self.spare.tend(&self.shared.dir, self.segment_len);
    }

    /// How the log stands.
    pub fn footing(&self) -> Footing {
        let is_short = self.next_failed.is_some() || self.spare.is_lacking();
        let ahead = matches!(self.next, Next::Ready) || self.spare.is_kept();
        let is_out = is_short && !ahead && !self.current.has_room(LAST_BYTES.min(self.commit_limit));
        Footing { is_short, is_out }
    }

    /// The next segment; on a full disk the spare becomes it.
    pub(super) fn next_or_spare(&mut self, number: u32) -> io::Result<()> {
        let (dir, len) = (&self.shared.dir, self.segment_len);
        let Err(error) = self.next.finish(dir, number, len, self.space.as_ref()) else {
            self.next_failed = None;
            return Ok(());
        };
        self.next_failed = Some(Instant::now());
        match self.spare.take(dir, number) {
            Ok(true) => {
                tracing::warn!(%error, segment = number, "no room for a segment: the spare one is used");
                self.next_failed = None;
                Ok(())
            }
            Ok(false) | Err(_) => Err(error),
        }
    }
}
