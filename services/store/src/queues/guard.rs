//! sled, opened and called so that a panic inside it becomes an error.

use super::rows::{MARK_KEY, Mark};
use crate::files;
use nix::errno::Errno;
use nix::fcntl::FallocateFlags;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

/// Written to disk this often without being asked. The same thread also collects garbage.
const FLUSH_EVERY_MS: u64 = 500;
/// Damaged copies kept for people to look at; more would fill the disk of a machine with a bad one.
const DAMAGED_KEPT: usize = 2;

/// How long an earlier handle may take to let go; it has at most a cache to write.
const RELEASE_LIMIT: Duration = Duration::from_secs(10);
/// How often it is looked at.
const RELEASE_STEP: Duration = Duration::from_millis(10);

/// An open sled. The last one to let go of it makes it sync, and it panics when it cannot: that stays in here.
#[derive(Debug, Clone)]
pub(crate) struct Db {
    sled: Option<sled::Db>,
    /// Its file. The system tells a failed write once to everyone who had the file open by then: also when sled's own
    /// thread met it first and told nobody.
    file: Arc<File>,
    /// The same for reserving room, which needs a handle that may write.
    writable: Arc<File>,
}

impl Deref for Db {
    type Target = sled::Db;

    fn deref(&self) -> &sled::Db {
        self.sled.as_ref().expect("there until it is dropped")
    }
}

impl Drop for Db {
    fn drop(&mut self) {
        if Arc::strong_count(&self.file) == 1 {
            // sled would do the same when it is dropped, and wait for ever for a write that fails just then.
            let _ = flush(self);
        }
        let db = self.sled.take();
        // What was not synced is not counted on: the rows prove themselves when they are opened.
        let closed = guarded(|| {
            drop(db);
            Ok(())
        });
        if let Err(error) = closed {
            tracing::warn!(error, "the queues could not be closed cleanly");
        }
    }
}

/// Runs something in sled. A panic is an error like the others.
pub(crate) fn guarded<T>(what: impl FnOnce() -> sled::Result<T>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(what)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(e)) => Err(e.to_string()),
        Err(panic) => {
            let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
            Err(format!("panic: {}", text.unwrap_or_else(|| "unknown".to_owned())))
        }
    }
}

/// Waits until an earlier handle of this process is gone: sled lets go of its file some time after it was dropped.
/// Nobody else can have it, because the data folder is locked.
pub(crate) fn wait_released(folder: &Path) -> io::Result<()> {
    let file = match File::open(folder.join("db")) {
        Ok(file) => file,
        // Missing or no folder at all: nobody holds it.
        Err(_) => return Ok(()),
    };
    let until = Instant::now() + RELEASE_LIMIT;
    loop {
        match file.try_lock() {
            Ok(()) => return file.unlock(),
            Err(TryLockError::WouldBlock) if Instant::now() < until => std::thread::sleep(RELEASE_STEP),
            Err(TryLockError::WouldBlock) => return Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(e)) => return Err(e),
        }
    }
}

/// Opens the folder, or creates it.
pub(crate) fn open(folder: &Path, cache_bytes: u64) -> Result<Db, String> {
    let opened = guarded(|| {
        sled::Config::new()
            .path(folder)
            .cache_capacity(cache_bytes)
            .flush_every_ms(Some(FLUSH_EVERY_MS))
            .mode(sled::Mode::HighThroughput)
            .open()
    });
    let sled = Some(opened?);
    let path = folder.join("db");
    let file = File::open(&path).map_err(|e| e.to_string())?;
    let writable = OpenOptions::new().write(true).open(&path).map_err(|e| e.to_string())?;
    Ok(Db { sled, file: Arc::new(file), writable: Arc::new(writable) })
}

/// Reads all rows and tells whether they are exactly those the mark was written with.
pub(crate) fn prove(db: &sled::Db) -> Result<Mark, String> {
    guarded(|| {
        let mut found = Mark::default();
        let mut told = None;
        for row in db.iter() {
            let (key, value) = row?;
            if key == MARK_KEY {
                told = Some(Mark::from_bytes(&value));
            } else {
                found.add(&key, &value);
            }
        }
        Ok((found, told))
    })
    .and_then(|(found, told)| match told {
        None if found.rows == 0 => Ok(found),
        None => Err(format!("{} rows and no mark", found.rows)),
        Some(None) => Err("the mark is damaged, or of another version".to_owned()),
        Some(Some(told)) if (told.rows, told.sum) == (found.rows, found.sum) => Ok(told),
        Some(Some(told)) => {
            Err(format!("{} rows that are not the {} the mark counts", found.rows, told.rows))
        }
    })
}

/// How long a flush may take before it is looked whether it waits in vain. It takes milliseconds, seconds on a poor disk.
const NUDGE_AFTER: Duration = Duration::from_secs(1);

/// Makes everything applied so far durable: sled's own flush ends in `sync_file_range`, which is not.
///
/// A write that fails on one of sled's own threads is noted there without waking the flush that waits for it
/// (`exit_reservation` of sled 0.34.7). Whoever writes next meets the note and wakes everyone.
pub(crate) fn flush(db: &Db) -> Result<(), String> {
    let flushed = std::thread::scope(|scope| {
        let (working, done) = mpsc::channel::<()>();
        scope.spawn(move || {
            while done.recv_timeout(NUDGE_AFTER) == Err(RecvTimeoutError::Timeout) {
                // An error is told to the flush as well.
                let _ = guarded(|| nudge(db));
            }
        });
        let flushed = guarded(|| db.flush());
        drop(working);
        flushed
    });
    flushed?;
    db.file.sync_data().map_err(|e| e.to_string())
}

/// Writes the mark as it is.
fn nudge(db: &sled::Db) -> sled::Result<()> {
    if let Some(mark) = db.get(MARK_KEY)? {
        // Another mark by now was a write as well.
        let _ = db.compare_and_swap(MARK_KEY, Some(&mark), Some(&mark))?;
    }
    Ok(())
}

/// Room kept for sled behind the end of its file, in bytes: it writes half a megabyte at a time, several times what it is
/// given, and after one write that fails it takes nothing more.
const AHEAD: u64 = 16 << 20;
/// With less than this it is given nothing more.
const AHEAD_MIN: u64 = 4 << 20;

/// Sees to it that what is written next finds room: blocks behind the end of the file, which nobody else can take.
pub(crate) fn secure_room(db: &Db) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;
    let meta = db.file.metadata()?;
    let ahead = (meta.blocks() * 512).saturating_sub(meta.len());
    if ahead >= AHEAD / 2 {
        return Ok(());
    }
    let (from, len) = (meta.len() as i64, AHEAD as i64);
    match nix::fcntl::fallocate(&db.writable, FallocateFlags::FALLOC_FL_KEEP_SIZE, from, len) {
        Ok(()) => Ok(()),
        Err(Errno::EOPNOTSUPP) => enough_free(db),
        Err(_) if ahead >= AHEAD_MIN => Ok(()),
        Err(e) => Err(e.into()),
    }
}

/// Where room cannot be reserved it is only looked for.
fn enough_free(db: &Db) -> io::Result<()> {
    let disk = nix::sys::statvfs::fstatvfs(&*db.file)?;
    let free = disk.blocks_available() * disk.fragment_size();
    if free >= AHEAD { Ok(()) } else { Err(io::ErrorKind::StorageFull.into()) }
}

/// Removes all copies that were set aside, where the disk is full: they are of less use than their room.
pub(crate) fn give_up_damaged(dir: &Path) -> io::Result<()> {
    let disk = nix::sys::statvfs::statvfs(dir)?;
    if disk.blocks_available() * disk.fragment_size() >= AHEAD {
        return Ok(());
    }
    for number in damaged(dir)? {
        std::fs::remove_dir_all(dir.join(format!("queues.damaged-{number}")))?;
    }
    files::sync_dir(dir)
}

/// Moves the folder to `queues.damaged-<n>` and removes all but the newest such copies.
pub(crate) fn move_aside(dir: &Path, folder: &Path) -> io::Result<PathBuf> {
    let mut numbers = damaged(dir)?;
    let number = numbers.last().map_or(1, |n| n + 1);
    let to = dir.join(format!("queues.damaged-{number}"));
    std::fs::rename(folder, &to)?;
    files::sync_dir(dir)?;
    numbers.push(number);
    for old in numbers.iter().rev().skip(DAMAGED_KEPT) {
        std::fs::remove_dir_all(dir.join(format!("queues.damaged-{old}")))?;
    }
    Ok(to)
}

fn damaged(dir: &Path) -> io::Result<Vec<u64>> {
    let mut numbers: Vec<u64> = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let name = entry?.file_name();
        numbers.extend(
            name.to_str().and_then(|n| n.strip_prefix("queues.damaged-")).and_then(|n| n.parse::<u64>().ok()),
        );
    }
    numbers.sort_unstable();
    Ok(numbers)
}
