//! How often handling an envelope ended the process: one page beside the ledger, written before the next attempt.
//!
//! `DIR/attempts`: magic `LTATTM01`, whether a process is running (1 byte), number of entries (2), entries of SHA-256 and
//! count (32 + 1), zeros, CRC-32C of all that in the last 4 bytes. A page that is not one counts as empty.

use crate::files;
use crate::format::{PAGE, array};
use lienthong_core::ids::Digest;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Attempts after which an envelope is not tried again.
pub const ATTEMPTS: u8 = 3;

const MAGIC: [u8; 8] = *b"LTATTM01";
const HEAD: usize = 11;
const ENTRY: usize = 33;
const SUM_AT: usize = PAGE - 4;
/// Entries that fit; the one with the fewest attempts makes room.
const ENTRIES: usize = (SUM_AT - HEAD) / ENTRY;

/// The page, and what it says.
#[derive(Debug)]
pub struct Attempts {
    file: File,
    counts: BTreeMap<Digest, u8>,
    running: bool,
    /// The process before this one did not end in order.
    crashed_before: bool,
}

/// Whether an envelope may be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// It may, and the attempt is counted where that is needed.
    Begun,
    /// It was tried [`ATTEMPTS`] times.
    TooOften,
}

impl Attempts {
    /// Opens or creates the page below `dir` and notes that a process is running.
    pub fn open(dir: &Path) -> io::Result<Self> {
        let path = dir.join("attempts");
        if !path.exists() {
            files::create_whole(dir, "attempts", |file| files::write_zeros(file, PAGE as u64, None))?;
        }
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        let mut page = [0; PAGE];
        let read = file.read_exact_at(&mut page, 0).ok().and_then(|()| decode(&page));
        let (crashed_before, counts) = read.unwrap_or_default();
        let attempts = Self { file, counts, running: true, crashed_before };
        attempts.write()?;
        attempts.file.sync_data()?;
        Ok(attempts)
    }

    /// Whether attempts are to be counted before they are made: after a crash, and while an envelope is suspected.
    pub fn is_watching(&self) -> bool {
        self.crashed_before || !self.counts.is_empty()
    }

    /// An envelope is about to be handled; to be called while [`Self::is_watching`]. A second attempt is on stable storage
    /// before it is made; the first is where it survives the process.
    pub fn begin(&mut self, envelope: Digest) -> io::Result<Attempt> {
        let before = self.counts.get(&envelope).copied().unwrap_or(0);
        if before >= ATTEMPTS {
            return Ok(Attempt::TooOften);
        }
        self.count(envelope, before + 1)?;
        if before > 0 {
            self.file.sync_data()?;
        }
        Ok(Attempt::Begun)
    }

    /// It was handled and nothing happened.
    pub fn done(&mut self, envelope: &Digest) {
        self.counts.remove(envelope);
    }

    /// Handling it has just failed in a way that ends the process, and no attempt was counted before.
    pub fn failed(&mut self, envelope: Digest) -> io::Result<()> {
        let before = self.counts.get(&envelope).copied().unwrap_or(0);
        self.count(envelope, before.saturating_add(1).min(ATTEMPTS))?;
        self.file.sync_data()
    }

    /// The process ends in order.
    pub fn close(mut self) -> io::Result<()> {
        self.running = false;
        self.write()?;
        self.file.sync_data()
    }

    fn count(&mut self, envelope: Digest, count: u8) -> io::Result<()> {
        self.counts.insert(envelope, count);
        while self.counts.len() > ENTRIES {
            let others = self.counts.iter().filter(|(sha, _)| **sha != envelope);
            let Some(least) = others.min_by_key(|(_, count)| **count).map(|(sha, _)| *sha) else { break };
            self.counts.remove(&least);
        }
        self.write()
    }

    fn write(&self) -> io::Result<()> {
        let mut page = [0; PAGE];
        page[..8].copy_from_slice(&MAGIC);
        page[8] = u8::from(self.running);
        page[9..HEAD].copy_from_slice(&(self.counts.len() as u16).to_be_bytes());
        for (place, (sha, count)) in page[HEAD..SUM_AT].chunks_exact_mut(ENTRY).zip(&self.counts) {
            place[..32].copy_from_slice(&sha.0);
            place[32] = *count;
        }
        let sum = crc32c::crc32c(&page[..SUM_AT]);
        page[SUM_AT..].copy_from_slice(&sum.to_be_bytes());
        self.file.write_all_at(&page, 0)
    }
}

/// Whether a process was running, and the counts.
fn decode(page: &[u8; PAGE]) -> Option<(bool, BTreeMap<Digest, u8>)> {
    let sum = u32::from_be_bytes(array(page, SUM_AT));
    if page[..8] != MAGIC || crc32c::crc32c(&page[..SUM_AT]) != sum {
        return None;
    }
    let len = usize::from(u16::from_be_bytes(array(page, 9))).min(ENTRIES);
    let entries = page[HEAD..SUM_AT].chunks_exact(ENTRY).take(len);
    Some((page[8] != 0, entries.map(|e| (Digest(array(e, 0)), e[32])).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sha(n: u8) -> Digest {
        Digest([n; 32])
    }

    #[test]
    fn three_attempts_over_three_lives_and_no_more() {
        let dir = tempfile::tempdir().expect("a folder");
        let first = Attempts::open(dir.path()).expect("the page");
        assert!(!first.is_watching(), "nothing is counted where nothing ever crashed");
        let mut first = first;
        first.failed(sha(1)).expect("counted");
        drop(first); // as a crash leaves it
        for _ in 0..2 {
            let mut next = Attempts::open(dir.path()).expect("the page");
            assert!(next.is_watching());
            assert_eq!(next.begin(sha(1)).expect("counted"), Attempt::Begun);
            assert_eq!(next.begin(sha(2)).expect("counted"), Attempt::Begun);
            next.done(&sha(2));
        }
        let mut last = Attempts::open(dir.path()).expect("the page");
        assert_eq!(last.begin(sha(1)).expect("looked up"), Attempt::TooOften);
        last.close().expect("closed");
        let mut after = Attempts::open(dir.path()).expect("the page");
        assert_eq!(after.begin(sha(1)).expect("looked up"), Attempt::TooOften, "it is remembered");
        after.done(&sha(1));
        assert_eq!(after.begin(sha(1)).expect("counted"), Attempt::Begun, "a release forgets it");
    }

    #[test]
    fn many_suspects_find_room_and_a_torn_page_is_empty() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut attempts = Attempts::open(dir.path()).expect("the page");
        attempts.failed(sha(0)).and_then(|()| attempts.failed(sha(0))).expect("counted");
        for n in 0..1_000_u32 {
            let mut digest = [9; 32];
            digest[..4].copy_from_slice(&n.to_be_bytes());
            attempts.begin(Digest(digest)).expect("counted");
        }
        drop(attempts);
        let attempts = Attempts::open(dir.path()).expect("the page");
        assert_eq!((attempts.counts.len(), attempts.counts[&sha(0)]), (ENTRIES, 2));
        attempts.file.write_all_at(&[0xFF], 100).expect("a flipped byte");
        drop(attempts);
        let attempts = Attempts::open(dir.path()).expect("the page");
        assert!(attempts.counts.is_empty());
    }
}
