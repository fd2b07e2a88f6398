//! The lock on the data folder: one process at a time, so that one agency never runs twice on one ledger.

use crate::files;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// No more than this is read of what a lock file says, whatever is in it.
const HOLDER_LIMIT: u64 = 256;

/// Holds the data folder until it is dropped or the process ends, however it ends.
#[derive(Debug)]
pub struct DataLock {
    // The system releases the lock when the file is closed; the file itself stays.
    _file: File,
}

/// Why the data folder was not locked.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LockError {
    /// Another process has it.
    #[error("{} is in use by node {name:?}, process {pid}", dir.display())]
    Held {
        /// The data folder.
        dir: PathBuf,
        /// Name of the node that holds it; empty when it has not written it yet.
        name: String,
        /// Its process id; 0 when it has not written it yet.
        pid: u32,
    },
    /// Something about the file.
    #[error("cannot lock {}", dir.display())]
    Io {
        /// The data folder.
        dir: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl DataLock {
    /// Locks `dir` (created when missing) for this process and leaves `node_name` and the process id for others to read.
    pub fn acquire(dir: &Path, node_name: &str) -> Result<Self, LockError> {
        let failed = |source| LockError::Io { dir: dir.to_owned(), source };
        files::create_dir(dir).map_err(failed)?;
        let path = dir.join("lock");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let (pid, name) = read_holder(&mut file);
                return Err(LockError::Held { dir: dir.to_owned(), name, pid });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        let text = format!("{}\n{}\n", std::process::id(), node_name.replace(char::is_control, " "));
        // Over what is there, and only then cut: on a full disk nothing is given back that is needed again.
        file.write_all(text.as_bytes()).map_err(failed)?;
        file.set_len(text.len() as u64).map_err(failed)?;
        file.sync_all().and_then(|()| files::sync_dir(dir)).map_err(failed)?;
        Ok(Self { _file: file })
    }
}

fn read_holder(file: &mut File) -> (u32, String) {
    let mut bytes = Vec::new();
    // What the holder wrote only serves the message; the refusal stands without it.
    let _ = file.rewind().and_then(|()| file.take(HOLDER_LIMIT).read_to_end(&mut bytes));
    let text = String::from_utf8_lossy(&bytes);
    let mut lines = text.lines();
    let pid = lines.next().and_then(|l| l.parse().ok()).unwrap_or(0);
    (pid, lines.next().unwrap_or_default().to_owned())
}
