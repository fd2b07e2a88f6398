//! Files that survive a power cut: synced, and their folders synced too.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How much is written at a time while zeros are laid down.
const ZERO_CHUNK: usize = 1 << 20;
/// How many times as long as a piece of zeros took the disk is left to commits before the next: they came in bursts of 50 ms,
/// and everybody who was under way then waited three times as long as usual.
const REST: u32 = 4;
/// The longest rest: a disk that stood still does not keep the zeros waiting for minutes.
const REST_MOST: Duration = Duration::from_secs(1);

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

/// How many of the zeros that are laid down by a thread of their own must be there by now, so that nobody has to wait for them.
#[derive(Debug, Default)]
pub(crate) struct Pace(AtomicU64);

impl Pace {
    /// So many bytes should be there: without rests until they are.
    pub(crate) fn due(&self, bytes: u64) {
        self.0.store(bytes, Ordering::Release);
    }

    /// Somebody waits: without rests from now on.
    pub(crate) fn hurry<T>(&self, thread: &JoinHandle<T>) {
        self.due(u64::MAX);
        thread.thread().unpark();
    }

    /// Whether more than so many bytes should be there.
    pub(crate) fn is_behind(&self, laid: u64) -> bool {
        laid < self.0.load(Ordering::Acquire)
    }

    fn rest(&self, laid: u64, took: Duration) {
        if !self.is_behind(laid) {
            std::thread::park_timeout((took * REST).min(REST_MOST));
        }
    }
}

/// Writes `len` zeros at the file's cursor and syncs each piece, so that a commit never waits behind more than one; with a pace
/// also seldom behind one.
pub(crate) fn write_zeros(file: &mut File, len: u64, pace: Option<&Pace>) -> io::Result<()> {
    let chunk = vec![0; len.min(ZERO_CHUNK as u64) as usize];
    let mut left = len;
    while left > 0 {
        let began = Instant::now();
        let n = left.min(ZERO_CHUNK as u64);
        file.write_all(&chunk[..n as usize])?;
        file.sync_data()?;
        left -= n;
        if let Some(pace) = pace.filter(|_| left > 0) {
            pace.rest(len - left, began.elapsed());
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn zeros_that_somebody_waits_for_are_laid_down_without_rests() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("zeros");
        let mut file = File::create_new(&path).expect("a file");
        let pace = Arc::<Pace>::default();
        let its = pace.clone();
        let len = 3 * ZERO_CHUNK as u64 + 5;
        let thread = std::thread::spawn(move || write_zeros(&mut file, len, Some(&its)));
        pace.hurry(&thread);
        thread.join().expect("a thread").expect("zeros");
        assert!(
            fs::read(&path).is_ok_and(|bytes| bytes.len() as u64 == len && bytes.iter().all(|b| *b == 0))
        );
        let began = Instant::now();
        pace.rest(len, REST_MOST);
        pace.due(9);
        pace.rest(8, REST_MOST);
        assert!(began.elapsed() < REST_MOST, "it rested");
        let (rest, began) = (Duration::from_millis(1), Instant::now());
        pace.rest(9, rest);
        assert!(began.elapsed() >= rest, "what is ahead rests");
    }
}
