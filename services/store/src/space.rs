//! Room for the data folder: what the disk still gives, what a configured limit allows, and the reserve that only
//! statements that finish something may use (protocol.md 7).

use nix::sys::statvfs::statvfs;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Unit of `st_blocks`, whatever the file system's own is.
const BLOCK: u64 = 512;
/// Folders below the data folder are two deep; deeper ones are not ours and not counted.
const DEPTH: usize = 4;
/// Left on the disk by whoever prepares a segment: for the file system's own books and the lock file.
pub(crate) const LEFT_FREE: u64 = 1 << 20;

/// How much the data folder may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Space {
    /// The data folder.
    pub dir: PathBuf,
    /// What it may take at the most, in bytes; `None` for all that the disk has.
    pub limit_bytes: Option<u64>,
    /// Below this much room nothing new is begun, in bytes.
    pub reserve_bytes: u64,
}

/// What [`Space::look`] found, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Free on the disk, for us.
    pub free: u64,
    /// Taken by the data folder.
    pub used: u64,
    /// What may still be taken: the smaller of what is free and what the limit leaves.
    pub left: u64,
}

impl Space {
    /// Asks the file system and adds up the folder.
    pub fn look(&self) -> io::Result<Room> {
        let disk = statvfs(&self.dir)?;
        let free = disk.blocks_available().saturating_mul(disk.fragment_size());
        let used = taken(&self.dir, DEPTH)?;
        let allowed = self.limit_bytes.map_or(u64::MAX, |limit| limit.saturating_sub(used));
        Ok(Room { free, used, left: free.min(allowed) })
    }

    /// Refuses when `bytes` more would leave too little; the error is the one of a full disk.
    pub(crate) fn admit(&self, bytes: u64) -> io::Result<()> {
        let left = self.look()?.left;
        if left < bytes.saturating_add(LEFT_FREE) {
            let why = format!("{left} bytes left for {}, {bytes} needed", self.dir.display());
            return Err(io::Error::new(io::ErrorKind::StorageFull, why));
        }
        Ok(())
    }
}

/// Whether an error says that the disk, a quota or our own limit is used up.
pub fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Bytes that the files below a folder take on disk. What goes away meanwhile does not count.
fn taken(dir: &Path, depth: usize) -> io::Result<u64> {
    let mut sum = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let Ok(meta) = entry.metadata() else { continue };
        if meta.is_dir() && depth > 0 {
            sum += taken(&entry.path(), depth - 1).unwrap_or(0);
        } else {
            sum += meta.blocks() * BLOCK;
        }
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_counts_what_the_folder_takes() {
        let dir = tempfile::tempdir().expect("a folder");
        fs::create_dir(dir.path().join("ledger")).expect("a folder");
        fs::write(dir.path().join("ledger/1"), vec![1; 3 << 20]).expect("a file");
        let space = |limit_bytes| Space { dir: dir.path().into(), limit_bytes, reserve_bytes: 0 };
        let open = space(None).look().expect("a look");
        assert!(open.used >= 3 << 20 && open.left == open.free, "{open:?}");
        let limited = space(Some(8 << 20));
        let room = limited.look().expect("a look");
        assert!(room.left <= 5 << 20 && room.left > 4 << 20, "{room:?}");
        limited.admit(3 << 20).expect("that fits");
        assert!(is_full(&limited.admit(5 << 20).expect_err("that does not")));
        assert_eq!(space(Some(1 << 20)).look().expect("a look").left, 0);
    }
}
