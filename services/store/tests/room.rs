//! A ledger that runs out of room: the spare segment, what is said of it, and going on when there is room again.

mod support;

use lienthong_store::{Config, Footing, Ledger, ScanFrom, Space, StoreError};
use std::convert::Infallible;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};
use support::{next, temp};

const MIB: u64 = 1 << 20;

/// Segments of 4 MiB in a folder that may take `limit` bytes.
fn limited(dir: &Path, limit: u64) -> Config {
    let space = Space { dir: dir.into(), limit_bytes: Some(limit), reserve_bytes: 0 };
    Config { space: Some(space), ..support::config(dir) }
}

fn open(config: &Config) -> Ledger {
    Ledger::open(config, ScanFrom::Start, |_| Ok::<_, Infallible>(())).expect("opened").0
}

/// Preparing goes on in the background: looked at until the footing is as expected.
fn until(ledger: &mut Ledger, what: impl Fn(Footing) -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !what(ledger.footing()) {
        assert!(Instant::now() < deadline, "{:?}", ledger.footing());
        ledger.tend();
        std::thread::yield_now();
    }
}

/// Appends until it is refused; how many were taken.
fn fill(ledger: &mut Ledger) -> (usize, StoreError) {
    for count in 0.. {
        let record = next(ledger, "a", 0, 60 << 10);
        if let Err(error) = ledger.append(vec![record]) {
            return (count, error);
        }
    }
    unreachable!()
}

#[test]
fn on_a_full_disk_the_spare_segment_is_used_and_then_nothing_is_lost_or_poisoned() {
    let dir = temp();
    // Two segments and the spare.
    let mut ledger = open(&limited(dir.path(), 14 * MIB));
    ledger.tend();
    until(&mut ledger, |_| dir.path().join("ledger/spare").exists());
    let (taken, error) = fill(&mut ledger);
    assert!(matches!(error, StoreError::Prepare(_)), "{error}");
    assert!(taken > 3 * 4 * MIB as usize / (64 << 10) * 9 / 10, "{taken} of three segments");
    assert!(!dir.path().join("ledger/spare").exists(), "the spare became a segment");
    assert_eq!(ledger.footing(), Footing { is_short: true, is_out: true });
    ledger.idle_mark().expect("a mark is not worth ending for");
    let size = ledger.head(&support::agency("a")).size;
    assert_eq!(size as usize, taken);
    drop(ledger);

    // Started again on the full disk: everything is there, and it is told that nothing more can be taken.
    let mut ledger = open(&limited(dir.path(), 14 * MIB));
    assert_eq!(ledger.head(&support::agency("a")).size, size);
    until(&mut ledger, |footing| footing.is_out);
}

#[test]
fn when_space_returns_it_goes_on_by_itself() {
    let dir = temp();
    let ballast = dir.path().join("another.file");
    fs::write(&ballast, vec![1; 12 * MIB as usize]).expect("something else in the folder");
    let mut ledger = open(&limited(dir.path(), 22 * MIB));
    fill(&mut ledger);
    assert!(ledger.footing().is_short);
    fs::remove_file(ballast).expect("room again");
    until(&mut ledger, |footing| footing == Footing { is_short: false, is_out: false });
    let record = next(&ledger, "a", 0, 60 << 10);
    ledger.append(vec![record]).expect("it goes on without being opened again");
    drop(ledger);
    lienthong_store::verify::verify_dir(dir.path(), |_, _| {}, |_| {}).expect("a sound ledger");
}

#[test]
fn a_spare_of_another_length_is_made_anew() {
    let dir = temp();
    drop(open(&limited(dir.path(), 64 * MIB)));
    fs::write(dir.path().join("ledger/spare"), [0; 100]).expect("a spare");
    let mut ledger = open(&limited(dir.path(), 64 * MIB));
    let whole = || fs::metadata(dir.path().join("ledger/spare")).is_ok_and(|m| m.len() == 4 * MIB);
    assert!(!whole());
    until(&mut ledger, |_| whole());
}
