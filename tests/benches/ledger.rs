//! The first part of `make bench`: ledger appends against raw preallocated appends with `fdatasync` and the same batch
//! size, in turns on the same disk. Only the ratio is worth quoting. (Hand-offs end to end: `lienthong bench`.)

use anyhow::Context;
use lienthong_core::ids::{AgencyId, LedgerIndex};
use lienthong_store::{Config, Ledger, NewRecord, ScanFrom};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

const RECORD: usize = 2 << 10;
const RAW_FILE: usize = 256 << 20;
/// Turns of each side: the median of them is printed.
const TURNS: usize = 5;
const TURN: Duration = Duration::from_millis(700);

fn main() -> anyhow::Result<()> {
    if std::env::args().any(|a| a == "--list") {
        return Ok(()); // asked by test runners
    }
    println!(
        "Ledger, {RECORD} B records, acknowledged when durable; raw = pwrite over a zero-filled file + fdatasync"
    );
    println!("{:>8} {:>14} {:>14} {:>7}   spread of the ratio", "waiting", "raw/s", "ledger/s", "ratio");
    for batch in [1, 8, 64, 512] {
        let dir = tempfile::tempdir_in(scratch())?;
        let mut raw = Raw::create(&dir.path().join("raw"))?;
        let mut ledger = Side::open(dir.path())?;
        let (mut raws, mut ledgers, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..TURNS {
            let r = rate(batch, || raw.append(batch))?;
            let l = rate(batch, || ledger.append(batch))?;
            ratios.push(l / r);
            raws.push(r);
            ledgers.push(l);
        }
        let (raw, ledger, ratio) = (median(&mut raws), median(&mut ledgers), median(&mut ratios));
        println!(
            "{batch:>8} {raw:>14.0} {ledger:>14.0} {ratio:>7.2}   {:.2}–{:.2}",
            ratios[0],
            ratios[TURNS - 1]
        );
    }
    Ok(())
}

/// Beside the build, so that it is the disk and not a memory file system.
fn scratch() -> std::path::PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).to_owned()
}

fn rate(batch: usize, mut append: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<f64> {
    let started = Instant::now();
    let mut records = 0;
    while started.elapsed() < TURN {
        append()?;
        records += batch;
    }
    Ok(records as f64 / started.elapsed().as_secs_f64())
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

struct Raw {
    file: File,
    at: u64,
    bytes: Vec<u8>,
}

impl Raw {
    fn create(path: &Path) -> anyhow::Result<Self> {
        let file = OpenOptions::new().write(true).create_new(true).open(path)?;
        let zeros = vec![0; 4 << 20];
        for at in (0..RAW_FILE).step_by(zeros.len()) {
            file.write_all_at(&zeros, at as u64)?;
        }
        file.sync_all()?;
        Ok(Self { file, at: 0, bytes: (0..RECORD * 512).map(|i| i as u8).collect() })
    }

    fn append(&mut self, batch: usize) -> anyhow::Result<()> {
        let bytes = &self.bytes[..RECORD * batch];
        if self.at as usize + bytes.len() > RAW_FILE {
            self.at = 0; // over what was written: kind to the raw side
        }
        self.file.write_all_at(bytes, self.at)?;
        self.file.sync_data()?;
        self.at += bytes.len() as u64;
        Ok(())
    }
}

struct Side {
    ledger: Ledger,
    agency: AgencyId,
    next: u64,
    payload: bytes::Bytes,
}

impl Side {
    fn open(dir: &Path) -> anyhow::Result<Self> {
        let opened = Ledger::open(&Config::new(dir), ScanFrom::Start, |_| Ok::<(), std::io::Error>(()));
        let agency = AgencyId::parse("xa").context("an id")?;
        let payload = (0..RECORD).map(|i| i as u8).collect::<Vec<_>>().into();
        Ok(Self { ledger: opened?.0, agency, next: 0, payload })
    }

    fn append(&mut self, batch: usize) -> anyhow::Result<()> {
        let record = |n: usize| NewRecord {
            agency: self.agency.clone(),
            index: LedgerIndex(self.next + n as u64),
            payload: self.payload.clone(),
            proof: bytes::Bytes::new(),
            body: None,
        };
        let records = (0..batch).map(record).collect();
        self.ledger.append(records)?;
        self.next += batch as u64;
        Ok(())
    }
}
