//! Snapshots of what the ledger led to, so that a start replays only what came after.
//!
//! `DIR/snapshots/<index>.snap`: magic `LTSNAP01`, length of the content (8 bytes, big-endian), SHA-256 of the
//! content, the content.

use crate::files;
use crate::format::{array, get_u64};
use lienthong_core::ids::Digest;
use sha2::{Digest as _, Sha256};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// The newest one and the one before it, for the case that the newest is damaged.
pub const KEPT: usize = 2;
/// Largest content, 16 GiB: a million dossiers take half of one. It is written and read in turn, and never whole in memory.
pub const CONTENT_LIMIT: u64 = 16 << 30;

const MAGIC: [u8; 8] = *b"LTSNAP01";
const HEADER: usize = 48;
/// Bytes read and written at one go.
const BUFFER: usize = 256 << 10;

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
}

/// Keeps `bytes` as [`save_with`] does.
pub fn save(dir: &Path, name_index: u64, bytes: &[u8]) -> Result<Digest, SnapshotError> {
    save_with(dir, name_index, |out| out.write_all(bytes))
}

/// Keeps what `write` writes durably under a rising index and removes all but the [`KEPT`] newest. Gives the hash of it, to
/// be recorded in the ledger.
pub fn save_with(
    dir: &Path,
    name_index: u64,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<Digest, SnapshotError> {
    let folder = folder(dir);
    let mut hash = Digest::ZERO;
    let saved = files::create_dir(&folder).and_then(|()| {
        files::create_whole(&folder, &name(name_index), |file| {
            file.write_all(&[0; HEADER])?;
            let len = fill(file, write, &mut hash)?;
            file.rewind()?;
            file.write_all(&MAGIC)?;
            file.write_all(&len.to_be_bytes())?;
            file.write_all(&hash.0)
        })
    });
    saved.map_err(failed("save", &folder))?;
    for old in list(dir)?.into_iter().skip(KEPT) {
        let path = folder.join(name(old));
        fs::remove_file(&path).map_err(failed("remove", &path))?;
    }
    Ok(hash)
}

/// Gives how much there is.
fn fill(
    file: &File,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    hash: &mut Digest,
) -> io::Result<u64> {
    let out = BufWriter::with_capacity(BUFFER, file);
    let mut content = Hashed { out, sha: Sha256::new(), len: 0 };
    write(&mut content)?;
    content.flush()?;
    *hash = Digest(content.sha.finalize().into());
    Ok(content.len)
}

/// Bytes after which everybody else has his turn: some hundred dossiers, a millisecond's work.
const TURN: u64 = 32 << 10;

/// What is written, hashed on its way.
struct Hashed<W> {
    out: W,
    sha: Sha256,
    len: u64,
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.sha.update(&bytes[..written]);
        let before = self.len;
        self.len += written as u64;
        if before / TURN != self.len / TURN {
            std::thread::yield_now();
        }
        if self.len > CONTENT_LIMIT {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "a snapshot above the limit"));
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
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
    let (mut content, hash) = open(dir, name_index)?;
    let mut bytes = Vec::new();
    let path = folder(dir).join(name(name_index));
    content.read_to_end(&mut bytes).map_err(failed("read", &path))?;
    Ok((bytes, hash))
}

/// The content of a snapshot, to be read in turn, and its hash, which was checked by reading it once before.
pub fn open(dir: &Path, name_index: u64) -> Result<(impl BufRead, Digest), SnapshotError> {
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
    let mut sha = Sha256::new();
    let mut buffer = vec![0; BUFFER];
    loop {
        match file.read(&mut buffer).map_err(failed("read", &path))? {
            0 => break,
            some => sha.update(&buffer[..some]),
        }
    }
    let hash = Digest(sha.finalize().into());
    if hash.0 != array::<32>(&header, 16) {
        return Err(damaged("its hash is wrong"));
    }
    file.seek(SeekFrom::Start(HEADER as u64)).map_err(failed("read", &path))?;
    Ok((BufReader::with_capacity(BUFFER, file.take(told)), hash))
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
