//! The trace that the shim writes.

use bytes::Bytes;
use std::path::Path;

/// Length of an entry before what follows it.
const ENTRY: usize = 21;

/// One call that succeeded, or a sync that failed, in the order in which they happened.
#[derive(Debug, Clone)]
pub(crate) enum Entry {
    Create {
        inode: u64,
        path: String,
    },
    Folder {
        path: String,
    },
    Write {
        inode: u64,
        at: u64,
        bytes: Bytes,
    },
    Zeros {
        inode: u64,
        at: u64,
        len: usize,
    },
    Length {
        inode: u64,
        len: u64,
    },
    Sync {
        inode: u64,
    },
    SyncFailed {
        inode: u64,
    },
    SyncFolder {
        path: String,
    },
    Rename {
        from: String,
        to: String,
    },
    Remove {
        path: String,
    },
    /// So many steps are acknowledged from here on.
    Acknowledge {
        steps: usize,
    },
}

/// Reads a whole trace.
pub(crate) fn read(file: &Path) -> Vec<Entry> {
    let all = Bytes::from(std::fs::read(file).expect("the trace"));
    let mut entries = Vec::new();
    let mut at = 0;
    while at < all.len() {
        let head = &all[at..at + ENTRY];
        let number = |from: usize| u64::from_le_bytes(head[from..from + 8].try_into().expect("8 bytes"));
        let (kind, inode, place) = (head[0], number(1), number(9));
        let len = u32::from_le_bytes(head[17..].try_into().expect("4 bytes")) as usize;
        at += ENTRY;
        // Zeros are only counted.
        let follows = if kind == 4 { 0 } else { len };
        let bytes = all.slice(at..at + follows);
        at += follows;
        let text = || String::from_utf8(bytes.to_vec()).expect("names in UTF-8");
        entries.push(match kind {
            1 => Entry::Create { inode, path: text() },
            2 => Entry::Folder { path: text() },
            3 => Entry::Write { inode, at: place, bytes },
            4 => Entry::Zeros { inode, at: place, len },
            5 => Entry::Length { inode, len: place },
            6 => Entry::Sync { inode },
            7 => Entry::SyncFailed { inode },
            8 => Entry::SyncFolder { path: text() },
            9 => {
                let both = text();
                let (from, to) = both.split_once('\0').expect("two names");
                Entry::Rename { from: from.to_owned(), to: to.to_owned() }
            }
            10 => Entry::Remove { path: text() },
            11 => Entry::Acknowledge { steps: text().trim().parse().expect("a number of steps") },
            other => panic!("an entry of kind {other}"),
        });
    }
    entries
}
