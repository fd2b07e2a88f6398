//! Files that survive a power cut: synced, and their folders synced too.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// How much is written at a time while zeros are laid down.
const ZERO_CHUNK: usize = 1 << 20;
/// Synced this often while zeros are laid down, so that a commit never waits behind a whole segment of them.
const ZERO_SYNC: u64 = 8 << 20;

/// Makes the entries of a folder durable.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Creates a folder when it is not there, and makes it durable also when it is: who created it may have been stopped
/// before the sync. Parents are created too.
pub(crate) fn create_dir(dir: &Path) -> io::Result<()> {
    let parent = dir.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if dir.is_dir() {
        return match sync_dir(parent) {
            // A parent that we may not even list was not written by us.
            Err(e) if e.kind() == io::ErrorKind::PermissionDenied => Ok(()),
            synced => synced,
        };
    }
    if !parent.is_dir() {
        create_dir(parent)?;
    }
    match fs::create_dir(dir) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => Err(e),
        _ => sync_dir(parent),
    }
}

/// Creates `dir/name` with what `fill` writes, complete or not at all: temporary file, sync, rename, folder sync.
pub(crate) fn create_whole(
    dir: &Path,
    name: &str,
    fill: impl FnOnce(&mut File) -> io::Result<()>,
) -> io::Result<()> {
    let temp = dir.join(format!("{name}.tmp"));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&temp)?;
    let filled = fill(&mut file).and_then(|()| file.sync_all());
    if let Err(e) = filled {
        // Half a segment of zeros on a full disk must not stay there; the error that matters is the first.
        let _ = fs::remove_file(&temp);
        return Err(e);
    }
    fs::rename(&temp, dir.join(name))?;
    sync_dir(dir)
}

/// Writes `len` zeros at the file's cursor, syncing as it goes.
pub(crate) fn write_zeros(file: &mut File, len: u64) -> io::Result<()> {
    let chunk = vec![0; ZERO_CHUNK];
    let (mut left, mut unsynced) = (len, 0);
    while left > 0 {
        let n = left.min(ZERO_CHUNK as u64);
        file.write_all(&chunk[..n as usize])?;
        left -= n;
        unsynced += n;
        if unsynced >= ZERO_SYNC {
            file.sync_data()?;
            unsynced = 0;
        }
    }
    Ok(())
}

/// Overwrites `len` bytes at `offset` with zeros. Not synced.
pub(crate) fn zero_at(file: &File, mut offset: u64, mut len: u64) -> io::Result<()> {
    let chunk = vec![0; len.min(ZERO_CHUNK as u64) as usize];
    while len > 0 {
        let n = len.min(ZERO_CHUNK as u64);
        file.write_all_at(&chunk[..n as usize], offset)?;
        offset += n;
        len -= n;
    }
    Ok(())
}
