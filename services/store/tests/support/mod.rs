//! What the tests of the store share: a ledger in a temporary folder and records to put into it.
#![allow(dead_code, reason = "each test file uses a part")]

use bytes::Bytes;
use lienthong_core::ids::{AgencyId, LedgerIndex};
use lienthong_store::{Config, Ledger, NewRecord, OpenError, OpenReport, ScanFrom, StoredRecord};
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

pub(crate) type Opened = Result<(Ledger, OpenReport, Vec<StoredRecord>), OpenError>;

pub(crate) fn temp() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// The smallest segments there are.
pub(crate) fn config(dir: &Path) -> Config {
    Config { segment_bytes: Config::SEGMENT_MIN, ..Config::new(dir) }
}

pub(crate) fn agency(name: &str) -> AgencyId {
    AgencyId::parse(name).expect("an agency id")
}

pub(crate) fn open(dir: &Path) -> Opened {
    open_from(dir, ScanFrom::Start)
}

pub(crate) fn open_from(dir: &Path, from: ScanFrom) -> Opened {
    let mut seen = Vec::new();
    let (ledger, report) = Ledger::open(&config(dir), from, |record| {
        seen.push(record);
        Ok::<_, Infallible>(())
    })?;
    Ok((ledger, report, seen))
}

pub(crate) fn fresh(dir: &Path) -> Ledger {
    open(dir).expect("a fresh ledger").0
}

pub(crate) fn bytes(len: usize, seed: u64) -> Bytes {
    (0..len as u64).map(|i| ((i * 31 + seed * 7 + 13) % 251) as u8).collect::<Vec<_>>().into()
}

/// The next record of an agency, without a body.
pub(crate) fn next(ledger: &Ledger, name: &str, ahead: u64, len: usize) -> NewRecord {
    let agency = agency(name);
    let index = LedgerIndex(ledger.head(&agency).size + ahead);
    NewRecord { agency, index, payload: bytes(len, index.0), proof: bytes(70, index.0), body: None }
}

pub(crate) fn with_body(record: NewRecord, len: usize) -> NewRecord {
    NewRecord { body: Some(bytes(len, 99)), ..record }
}

pub(crate) fn segment(dir: &Path, number: u32) -> PathBuf {
    dir.join("ledger").join(format!("{number:08}.seg"))
}

/// Changes bytes of a file in place.
pub(crate) fn patch(path: &Path, offset: u64, new: &[u8]) {
    use std::os::unix::fs::FileExt;
    let file = std::fs::OpenOptions::new().write(true).open(path).expect("the file");
    file.write_all_at(new, offset).expect("a write");
}

pub(crate) fn read_at(path: &Path, offset: u64, len: usize) -> Vec<u8> {
    use std::os::unix::fs::FileExt;
    let mut out = vec![0; len];
    std::fs::File::open(path).expect("the file").read_exact_at(&mut out, offset).expect("a read");
    out
}
