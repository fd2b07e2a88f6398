//! A copy of the store while a node writes it: the ledger up to the last commit that is proved durable, and the
//! snapshots. The queues are not copied, they follow from the ledger.
//!
//! Every commit is checked before it is written to the copy, and the copy is walked whole at the end. `OUT` is laid out
//! as a data folder is, with segments cut off behind the last commit (their length is kept, the rest is a hole), and
//! with the file `backup`, which is written last and says what the copy must hold: a copy without it is not whole.

use crate::config::ledger_dir;
use crate::error::Fault;
use crate::files;
use crate::format::PAGE;
use crate::ledger::header::SegmentHeader;
use crate::ledger::segments;
use crate::ledger::walk::{AndWhole, Step, Walk};
use crate::lock::{DataLock, LockError};
use crate::position::Position;
use crate::sealed_text::{self, Found, head_words, hex, parse_head, unhex};
use crate::snapshots;
use crate::verify::{self, Summary};
use lienthong_core::ids::{AgencyId, Digest, Head};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use thiserror::Error;

const NAME: &str = "backup";
const TITLE: &str = "lienthong-backup 1";

/// Why there is no copy.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BackupError {
    /// What is to be copied is no data folder.
    #[error("{} holds no ledger", .0.display())]
    NoLedger(PathBuf),
    /// A copy is never written over anything.
    #[error("{} is there and is not an empty folder: a backup needs one of its own", .0.display())]
    NotEmpty(PathBuf),
    /// The ledger has a fault, before it was copied or in the copy.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The copy does not hold what was read.
    #[error("the copy in {} is not what was read: {found} records instead of {expected}", dir.display())]
    Differs {
        /// The copy.
        dir: PathBuf,
        /// Records read.
        expected: u64,
        /// Records in the copy.
        found: u64,
    },
    /// Something about the files.
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
}

/// What a copy holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// When it was made, milliseconds since 1970 UTC.
    pub at_ms: i64,
    /// Commits.
    pub commits: u64,
    /// Records.
    pub records: u64,
    /// The head of the physical chain.
    pub physical_head: Digest,
    /// Each agency's head.
    pub heads: Vec<(AgencyId, Head)>,
}

/// Copies the store below the data folder `data` into the new folder `out`, a node running on it or not. `progress` is
/// told the bytes done and the bytes there are, first of the copy, then of its check.
///
/// What was acknowledged 50 ms before this begins is in the copy: by then a later commit or an idle mark proves it.
///
/// # Errors
/// [`BackupError`]; what lies in `out` then is no backup.
pub fn backup(
    data: &Path,
    out: &Path,
    at_ms: i64,
    mut progress: impl FnMut(u64, u64),
) -> Result<Copied, BackupError> {
    let from = ledger_dir(data);
    if !from.is_dir() {
        return Err(BackupError::NoLedger(data.to_owned()));
    }
    begin(out)?;
    let until = end(data, &from)?;
    let copied = copy(&from, &ledger_dir(out), until, at_ms, &mut progress)?;
    copy_snapshots(data, out)?;
    let found = verify::verify_dir(out, &mut progress, |_| {})?;
    if !copied.is(&found) {
        let (expected, found) = (copied.records, found.records);
        return Err(BackupError::Differs { dir: out.to_owned(), expected, found });
    }
    copied.write(out).map_err(failed("describe the copy in", out))?;
    Ok(copied)
}

/// Nobody writes while the lock is ours: then all that is whole is the ledger, whether something follows it or not. It
/// is not kept longer, so that no start of a node waits for a backup.
fn end(data: &Path, ledger: &Path) -> Result<Position, Fault> {
    match DataLock::acquire(data, "lienthong backup") {
        Ok(_lock) => Walk::proved_end(ledger, AndWhole::Yes),
        Err(LockError::Held { .. } | LockError::Io { .. }) => Walk::proved_end(ledger, AndWhole::No),
    }
}

fn begin(out: &Path) -> Result<(), BackupError> {
    match fs::read_dir(out).map(|mut entries| entries.next().is_none()) {
        Ok(true) => {}
        Ok(false) => return Err(BackupError::NotEmpty(out.to_owned())),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) if e.kind() == io::ErrorKind::NotADirectory => {
            return Err(BackupError::NotEmpty(out.to_owned()));
        }
        Err(e) => return Err(failed("look into", out)(e)),
    }
    files::create_dir(&ledger_dir(out)).map_err(failed("create", out))
}

fn copy(
    from: &Path,
    to: &Path,
    until: Position,
    at_ms: i64,
    progress: &mut impl FnMut(u64, u64),
) -> Result<Copied, BackupError> {
    let mut walk = Walk::start(from)?;
    walk.until = Some(until);
    let total = walk.len_to(until);
    let mut target: Option<(u32, File)> = None;
    let (mut commits, mut records) = (0, 0);
    while let Step::Commit(commit) = walk.step()? {
        let number = walk.segment.number;
        if target.as_ref().is_none_or(|(open, _)| *open != number) {
            finish(to, target.take())?;
            target = Some((number, segment(to, number, &walk.header)?));
        }
        let offset = u64::from(walk.offset) - commit.bytes.len() as u64;
        if let Some((_, file)) = &target {
            file.write_all_at(&commit.bytes, offset).map_err(failed("write into", to))?;
        }
        commits += 1;
        records += commit.records.len() as u64;
        progress(walk.len_to(walk.position()), total);
    }
    finish(to, target)?;
    if commits == 0 {
        return Err(BackupError::NoLedger(from.to_owned()));
    }
    let heads = walk.heads.into_iter().collect();
    Ok(Copied { at_ms, commits, records, physical_head: walk.physical, heads })
}

/// A segment of its full length with its header; what is never written stays a hole.
fn segment(to: &Path, number: u32, header: &SegmentHeader) -> Result<File, BackupError> {
    let path = segments::path(to, number);
    let opened = OpenOptions::new().write(true).create_new(true).open(&path);
    let filled = opened.and_then(|file| {
        file.set_len(header.len)?;
        let mut page = [0; PAGE];
        page[..crate::format::HEADER].copy_from_slice(&header.encode());
        file.write_all_at(&page, 0)?;
        Ok(file)
    });
    filled.map_err(failed("create", &path))
}

fn finish(to: &Path, done: Option<(u32, File)>) -> Result<(), BackupError> {
    let Some((_, file)) = done else { return Ok(()) };
    file.sync_all().and_then(|()| files::sync_dir(to)).map_err(failed("make durable what is in", to))
}

/// Snapshots only spare a start its replay: one that cannot be read, or is removed meanwhile, is left out.
fn copy_snapshots(data: &Path, out: &Path) -> Result<(), BackupError> {
    for index in snapshots::list(data).unwrap_or_default().into_iter().rev() {
        match snapshots::open(data, index) {
            Ok((mut content, _)) => {
                snapshots::save_with(out, index, |out| io::copy(&mut content, out).map(drop))
                    .map_err(|e| failed("copy a snapshot into", out)(io::Error::other(e)))?;
            }
            Err(why) => tracing::warn!(index, %why, "a snapshot is left out of the backup"),
        }
    }
    Ok(())
}

fn failed(attempted: &'static str, path: &Path) -> impl FnOnce(io::Error) -> BackupError {
    let path = path.to_owned();
    move |source| BackupError::Io { attempted, path, source }
}

impl Copied {
    /// Whether a walk found just this.
    pub(crate) fn is(&self, found: &Summary) -> bool {
        found.torn.is_none()
            && (found.commits, found.records, found.physical_head)
                == (self.commits, self.records, self.physical_head)
            && found.heads == self.heads
    }

    fn write(&self, dir: &Path) -> io::Result<()> {
        let mut lines = vec![
            format!("made {}", self.at_ms),
            format!("commits {} records {}", self.commits, self.records),
            format!("physical {}", hex(&self.physical_head.0)),
        ];
        lines.extend(self.heads.iter().map(|(agency, head)| format!("agency {}", head_words(agency, head))));
        sealed_text::write(dir, NAME, TITLE, &lines)
    }

    /// What a backup says of itself; `None` where there is no whole backup.
    pub fn of(dir: &Path) -> io::Result<Option<Self>> {
        match sealed_text::read(dir, NAME, TITLE)? {
            Found::Lines(lines) => Ok(Self::parse(&lines)),
            Found::Missing | Found::Damaged(_) => Ok(None),
        }
    }

    fn parse(lines: &[String]) -> Option<Self> {
        let [made, counts, physical, agencies @ ..] = lines else { return None };
        let at_ms = made.strip_prefix("made ")?.parse().ok()?;
        let (commits, records) = counts.strip_prefix("commits ")?.split_once(" records ")?;
        let heads: Option<_> =
            agencies.iter().map(|line| parse_head(&mut line.strip_prefix("agency ")?.split(' '))).collect();
        Some(Self {
            at_ms,
            commits: commits.parse().ok()?,
            records: records.parse().ok()?,
            physical_head: Digest(unhex(physical.strip_prefix("physical ")?)?),
            heads: heads?,
        })
    }
}
