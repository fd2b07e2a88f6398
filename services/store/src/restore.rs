//! A backup put back into a data folder, and the marker that tells the next start so: what was put back is an old copy,
//! and the node must ask its peers before it acts on it.
//!
//! The marker `DIR/restored` is durable before any of the ledger is there, and stays until each agency of the ledger
//! has its FENCE on disk: whenever the machine stops, the next start knows. The ledger gets its name last.

use crate::backup::{BackupError, Copied};
use crate::config::ledger_dir;
use crate::error::Fault;
use crate::files;
use crate::ledger::segments;
use crate::lock::{DataLock, LockError};
use crate::sealed_text::{self, Found, head_words, parse_head};
use crate::verify;
use lienthong_core::ids::{AgencyId, Head};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use thiserror::Error;

const NAME: &str = "restored";
const TITLE: &str = "lienthong-restored 1";
/// Where the copy grows until it is whole.
const UNFINISHED: &str = "restoring";
/// Copied at a time.
const CHUNK: usize = 1 << 20;

/// Why nothing was put back.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// There is no whole backup.
    #[error("{} is no backup, or one that was not finished: give what `lienthong backup` made", .0.display())]
    NoBackup(PathBuf),
    /// Nothing is ever written over a ledger.
    #[error("{} holds a ledger already, and nothing is written over one: move its folder `ledger` away first", .0.display())]
    HoldsLedger(PathBuf),
    /// A node runs there.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The backup has a fault.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The backup does not hold what it says.
    #[error("{} does not hold what it says: it was changed after it was made", .0.display())]
    Differs(PathBuf),
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

impl From<BackupError> for RestoreError {
    fn from(error: BackupError) -> Self {
        match error {
            BackupError::Fault(fault) => RestoreError::Fault(fault),
            BackupError::Io { attempted, path, source } => RestoreError::Io { attempted, path, source },
            BackupError::NoLedger(dir) | BackupError::NotEmpty(dir) => RestoreError::NoBackup(dir),
            BackupError::Differs { dir, .. } => RestoreError::Differs(dir),
        }
    }
}

/// That a data folder was put back from a copy, and which agencies have not been fenced since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker {
    /// When, milliseconds since 1970 UTC; 0 when the marker is damaged.
    pub at_ms: i64,
    /// When the copy was made.
    pub made_ms: i64,
    /// The agencies to be fenced, with what the copy had of each; `None` when the marker is damaged: then it is all.
    pub agencies: Option<Vec<(AgencyId, Head)>>,
}

/// Puts the backup in `backup` into the data folder `data`, which must hold no ledger. It is checked whole before it
/// takes its place. `progress` is told the bytes done and the bytes there are, first of the copy, then of its check.
///
/// # Errors
/// [`RestoreError`]; the data folder holds no ledger then, and it may be tried again.
pub fn restore(
    backup: &Path,
    data: &Path,
    at_ms: i64,
    mut progress: impl FnMut(u64, u64),
) -> Result<Copied, RestoreError> {
    let told = Copied::of(backup).map_err(failed("read the backup in", backup))?;
    let told = told.ok_or_else(|| RestoreError::NoBackup(backup.to_owned()))?;
    let _lock = DataLock::acquire(data, "lienthong restore")?;
    if holds_ledger(data).map_err(failed("look into", data))? {
        return Err(RestoreError::HoldsLedger(data.to_owned()));
    }
    let marker = Marker { at_ms, made_ms: told.at_ms, agencies: Some(told.heads.clone()) };
    marker.write(data).map_err(failed("mark as restored", data))?;
    let growing = data.join(UNFINISHED);
    let copied = clear(&growing).and_then(|()| copy_all(backup, &growing, &mut progress));
    copied.map_err(failed("copy into", &growing))?;
    if !told.is(&verify::verify_dir(&growing, &mut progress, |_| {})?) {
        return Err(RestoreError::Differs(backup.to_owned()));
    }
    take_place(&growing, data).map_err(failed("put the copy into", data))?;
    Ok(told)
}

/// Whether there is a segment below a data folder.
pub fn holds_ledger(data: &Path) -> io::Result<bool> {
    match segments::list(&ledger_dir(data)) {
        Ok(numbers) => Ok(!numbers.is_empty()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(e),
    }
}

fn clear(dir: &Path) -> io::Result<()> {
    match fs::remove_dir_all(dir) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

fn copy_all(backup: &Path, to: &Path, progress: &mut impl FnMut(u64, u64)) -> io::Result<()> {
    let mut files = Vec::new();
    for folder in ["ledger", "snapshots"] {
        let (from, to) = (backup.join(folder), to.join(folder));
        if !from.is_dir() {
            continue;
        }
        files::create_dir(&to)?;
        for entry in fs::read_dir(&from)? {
            let entry = entry?;
            files.push((entry.path(), to.clone(), entry.file_name(), entry.metadata()?.len()));
        }
    }
    let total = files.iter().map(|(_, _, _, len)| len).sum();
    let mut done = 0;
    for (from, to, name, _) in files {
        files::create_whole(&to, &name.to_string_lossy(), |file| {
            copy_bytes(&mut File::open(&from)?, file, |n| {
                done += n;
                progress(done, total);
            })
        })?;
    }
    Ok(())
}

/// Holes become zeros that are there: a commit must not need room that the disk has not given yet.
fn copy_bytes(from: &mut File, to: &mut File, mut wrote: impl FnMut(u64)) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK];
    loop {
        let n = from.read(&mut chunk)?;
        if n == 0 {
            return Ok(());
        }
        to.write_all(&chunk[..n])?;
        wrote(n as u64);
    }
}

/// Queues and snapshots that are there belong to another ledger. The ledger comes last: with it the restore is done.
fn take_place(growing: &Path, data: &Path) -> io::Result<()> {
    for rebuilt in ["queues", "snapshots"] {
        clear(&data.join(rebuilt))?;
    }
    if growing.join("snapshots").is_dir() {
        fs::rename(growing.join("snapshots"), data.join("snapshots"))?;
    }
    clear(&ledger_dir(data))?;
    files::sync_dir(data)?;
    fs::rename(ledger_dir(growing), ledger_dir(data))?;
    files::sync_dir(data)?;
    clear(growing)?;
    files::sync_dir(data)
}

fn failed(attempted: &'static str, path: &Path) -> impl FnOnce(io::Error) -> RestoreError {
    let path = path.to_owned();
    move |source| RestoreError::Io { attempted, path, source }
}

impl Marker {
    /// The marker of a data folder that was restored.
    pub fn read(data: &Path) -> io::Result<Option<Self>> {
        Ok(match sealed_text::read(data, NAME, TITLE)? {
            Found::Missing => None,
            Found::Damaged(_) => Some(Self { at_ms: 0, made_ms: 0, agencies: None }),
            Found::Lines(lines) => {
                Some(Self::parse(&lines).unwrap_or(Self { at_ms: 0, made_ms: 0, agencies: None }))
            }
        })
    }

    /// Whether this agency is still to be fenced.
    pub fn names(&self, agency: &AgencyId) -> bool {
        self.agencies.as_ref().is_none_or(|all| all.iter().any(|(a, _)| a == agency))
    }

    /// The FENCE of these is on disk: they leave the marker, and the last takes it away. A damaged marker, which names
    /// nobody, goes when `fenced` is all there are.
    pub fn leave(&mut self, data: &Path, fenced: &[AgencyId]) -> io::Result<()> {
        let left = self.agencies.get_or_insert_default();
        left.retain(|(agency, _)| !fenced.contains(agency));
        if left.is_empty() { sealed_text::remove(data, NAME) } else { self.write(data) }
    }

    fn write(&self, data: &Path) -> io::Result<()> {
        let mut lines = vec![format!("restored {} made {}", self.at_ms, self.made_ms)];
        let agencies = self.agencies.iter().flatten();
        lines.extend(agencies.map(|(agency, head)| format!("agency {}", head_words(agency, head))));
        sealed_text::write(data, NAME, TITLE, &lines)
    }

    fn parse(lines: &[String]) -> Option<Self> {
        let (at, agencies) = lines.split_first()?;
        let (at_ms, made_ms) = at.strip_prefix("restored ")?.split_once(" made ")?;
        let agencies: Option<_> =
            agencies.iter().map(|line| parse_head(&mut line.strip_prefix("agency ")?.split(' '))).collect();
        Some(Self { at_ms: at_ms.parse().ok()?, made_ms: made_ms.parse().ok()?, agencies: Some(agencies?) })
    }
}
