//! After a failed write or sync nothing more is taken.

use super::Ledger;
use crate::{Config, NewRecord, ScanFrom, StoreError};
use lienthong_core::ids::{AgencyId, LedgerIndex};
use std::convert::Infallible;
use std::fs::{File, OpenOptions};

fn open(config: &Config) -> Ledger {
    Ledger::open(config, ScanFrom::Start, |_| Ok::<_, Infallible>(())).expect("opened").0
}

fn record(index: u64) -> NewRecord {
    let agency = AgencyId::parse("a").expect("an id");
    let payload = b"payload".to_vec().into();
    NewRecord { agency, index: LedgerIndex(index), payload, proof: Default::default(), body: None }
}

fn poisoned(ledger: &mut Ledger) {
    let at = ledger.end_position();
    assert!(matches!(ledger.append(vec![record(1)]), Err(StoreError::Poisoned(_))));
    assert!(matches!(ledger.append(Vec::new()), Err(StoreError::Poisoned(_))));
    assert!(matches!(ledger.idle_mark(), Err(StoreError::Poisoned(_))));
    assert!(matches!(ledger.erase_body(at), Err(StoreError::Poisoned(_))));
}

#[test]
fn a_failed_write_poisons() {
    let dir = tempfile::tempdir().expect("a folder");
    let config = Config { segment_bytes: Config::SEGMENT_MIN, ..Config::new(dir.path()) };
    let mut ledger = open(&config);
    ledger.append(vec![record(0)]).expect("an append");
    let path = super::segments::path(&config.ledger_dir(), 1);
    // Not open for writing: the system refuses the write.
    let good = std::mem::replace(&mut ledger.current.file, File::open(path).expect("the segment"));
    assert!(matches!(ledger.append(vec![record(1)]), Err(StoreError::Write(_))));
    ledger.current.file = good;
    poisoned(&mut ledger);
    drop(ledger);
    let mut ledger = open(&config);
    ledger.append(vec![record(1)]).expect("opened again, it goes on");
}

#[test]
fn a_failed_sync_poisons() {
    let dir = tempfile::tempdir().expect("a folder");
    let config = Config { segment_bytes: Config::SEGMENT_MIN, ..Config::new(dir.path()) };
    let mut ledger = open(&config);
    ledger.append(vec![record(0)]).expect("an append");
    // A device that takes what is written and cannot sync.
    ledger.current.file = OpenOptions::new().write(true).open("/dev/null").expect("the null device");
    let failed = ledger.append(vec![record(1)]);
    assert!(matches!(failed, Err(StoreError::Write(_))), "{failed:?}");
    poisoned(&mut ledger);
}
