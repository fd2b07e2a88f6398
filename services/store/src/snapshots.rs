//! Snapshots of what the ledger led to, so that a start replays only what came after.
//!
//! `DIR/snapshots/<index>.snap`: magic `LTSNAP01`, length of the content (8 bytes, big-endian), SHA-256 of the
//! content, the content.

use crate::files;
use crate::format::{array, get_u64};
use lienthong_core::ids::Digest;
use sha2::{Digest as _, Sha256};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// The newest one and the one before it, for the case that the newest is damaged.
pub const KEPT: usize = 2;
/// Largest content, 1 GiB: all open tracks of a province are far below, and a damaged length allocates no more.
pub const CONTENT_LIMIT: u64 = 1 << 30;

const MAGIC: [u8; 8] = *b"LTSNAP01";
const HEADER: usize = 48;

/// Why a snapshot could not be kept or taken.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// Something about the file.
    #[error("cannot {attempted} {}", path.display())]
    Io {
        /// What was attempted.
        attempted: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It is not what was saved: take the one before it, or replay from the start.
    #[error("snapshot {} is damaged: {why}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Above [`CONTENT_LIMIT`].
    #[error("a snapshot of {0} bytes is above the limit")]
    TooLarge(u64),
}

/// Keeps `bytes` durably under a rising index and removes all but the [`KEPT`] newest. Gives the hash of `bytes`, to be
/// recorded in the ledger.
pub fn save(dir: &Path, name_index: u64, bytes: &[u8]) -> Result<Digest, SnapshotError> {
    if bytes.len() as u64 > CONTENT_LIMIT {
        return Err(SnapshotError::TooLarge(bytes.len() as u64));
    }
    let folder = folder(dir);
    let hash = Digest(Sha256::digest(bytes).into());
    let saved = files::create_dir(&folder).and_then(|()| {
        files::create_whole(&folder, &name(name_index), |file| {
            file.write_all(&MAGIC)?;
            file.write_all(&(bytes.len() as u64).to_be_bytes())?;
            file.write_all(&hash.0)?;
            file.write_all(bytes)
        })
    });
    saved.map_err(failed("save", &folder))?;
    for old in list(dir)?.into_iter().skip(KEPT) {
        let path = folder.join(name(old));
        fs::remove_file(&path).map_err(failed("remove", &path))?;
    }
    Ok(hash)
}

/// The indices of the snapshots there are, newest first.
pub fn list(dir: &Path) -> Result<Vec<u64>, SnapshotError> {
    let folder = folder(dir);
    let mut found = Vec::new();
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(found),
        Err(e) => return Err(failed("list", &folder)(e)),
    };
    for entry in entries {
        let file = entry.map_err(failed("list", &folder))?.file_name();
        let index = file.to_str().and_then(|n| n.strip_suffix(".snap")).and_then(|n| n.parse().ok());
        found.extend(index.filter(|i| file.to_str() == Some(&name(*i))));
    }
    found.sort_unstable_by(|a, b| b.cmp(a));
    Ok(found)
}

/// The content of a snapshot and its hash, which was checked.
pub fn load(dir: &Path, name_index: u64) -> Result<(Vec<u8>, Digest), SnapshotError> {
    let path = folder(dir).join(name(name_index));
    let damaged = |why| SnapshotError::Damaged { path: path.clone(), why };
    let mut file = File::open(&path).map_err(failed("open", &path))?;
    let len = file.metadata().map_err(failed("read", &path))?.len();
    let mut header = [0; HEADER];
    if len < HEADER as u64 {
        return Err(damaged("it is shorter than its header"));
    }
    file.read_exact(&mut header).map_err(failed("read", &path))?;
    let told = get_u64(&header, 8);
    if header[..8] != MAGIC || told > CONTENT_LIMIT || told != len - HEADER as u64 {
        return Err(damaged("its header is wrong"));
    }
    let mut bytes = Vec::with_capacity(told as usize);
    file.take(told).read_to_end(&mut bytes).map_err(failed("read", &path))?;
    let hash = Digest(Sha256::digest(&bytes).into());
    if hash.0 != array::<32>(&header, 16) {
        return Err(damaged("its hash is wrong"));
    }
    Ok((bytes, hash))
}

fn folder(dir: &Path) -> PathBuf {
    dir.join("snapshots")
}

fn name(index: u64) -> String {
    format!("{index:020}.snap")
}

fn failed(attempted: &'static str, path: &Path) -> impl FnOnce(io::Error) -> SnapshotError {
    let path = path.to_owned();
    move |source| SnapshotError::Io { attempted, path, source }
}
