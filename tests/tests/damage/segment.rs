//! Where things lie in a ledger segment (format: `lienthong_store::format`), and changing bytes of files.

use lienthong_store::format::{BODY_FRAME, COMMIT_MAGIC, FRAME, HEADER, PAGE};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// A commit or an idle mark.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Commit {
    pub(crate) offset: usize,
    /// Header, record frames and bodies.
    pub(crate) len: usize,
    pub(crate) is_mark: bool,
    meta: usize,
}

/// A byte, and what it is part of.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) part: &'static str,
    pub(crate) offset: usize,
}

pub(crate) fn segment(data: &Path) -> PathBuf {
    data.join("ledger/00000001.seg")
}

fn number(bytes: &[u8], at: usize) -> usize {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]) as usize
}

/// All commits of a segment, and the mark at its end.
pub(crate) fn commits(bytes: &[u8]) -> Vec<Commit> {
    let mut found = Vec::new();
    let mut at = PAGE;
    while at < bytes.len() && bytes[at..at + 8] == COMMIT_MAGIC {
        let len = number(bytes, at + 28);
        found.push(Commit { offset: at, len, is_mark: bytes[at + 11] == 2, meta: number(bytes, at + 24) });
        at += len.next_multiple_of(PAGE);
    }
    found
}

impl Commit {
    /// One byte of each part: header, frame, payload, proof, body, padding.
    pub(crate) fn parts(&self, bytes: &[u8]) -> Vec<Place> {
        let frame = self.offset + HEADER;
        let (payload, proof) = (number(bytes, frame + 8), number(bytes, frame + 12));
        let text = frame + FRAME + usize::from(bytes[frame + 64]);
        let mut places = vec![
            Place { part: "commit header", offset: self.offset + 20 },
            Place { part: "frame", offset: frame + 40 },
            Place { part: "payload", offset: text + payload / 2 },
        ];
        if proof > 0 {
            places.push(Place { part: "proof", offset: text + payload + proof / 2 });
        }
        let body = number(bytes, frame + 16);
        if body > 0 {
            let inside = self.offset + body + BODY_FRAME + number(bytes, frame + 20) / 2;
            places.push(Place { part: "body", offset: inside });
        }
        if !self.len.is_multiple_of(PAGE) {
            places.push(Place { part: "padding", offset: self.offset + self.len.next_multiple_of(PAGE) - 1 });
        }
        places
    }

    /// Places at which a write may have stopped: in the header, after it, among the records, before the last byte.
    pub(crate) fn tears(&self) -> [usize; 5] {
        [60, HEADER, HEADER + 30, HEADER + self.meta / 2, self.len - 9]
    }
}

/// Overwrites bytes in place.
pub(crate) fn patch(path: &Path, offset: usize, new: &[u8]) {
    let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
    file.write_all_at(new, offset as u64).unwrap();
}

/// Bytes that follow no pattern.
pub(crate) fn noise(len: usize, mut seed: u64) -> Vec<u8> {
    let byte = |_| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed as u8
    };
    (0..len).map(byte).collect()
}

/// Copies a folder with all in it; what was there is gone.
pub(crate) fn copy(from: &Path, to: &Path) {
    if to.exists() {
        std::fs::remove_dir_all(to).unwrap();
    }
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
