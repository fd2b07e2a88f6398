//! A copy made while the ledger is written holds a whole beginning of it, opens, and is put back where no ledger is.

mod support;

use lienthong_core::ids::Head;
use lienthong_store::backup::{BackupError, Copied, backup};
use lienthong_store::lock::DataLock;
use lienthong_store::restore::{Marker, RestoreError, restore};
use lienthong_store::{Ledger, snapshots, verify};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use support::{agency, fresh, next, open, patch, segment, temp, with_body};

fn copy(from: &Path, to: &Path) -> Result<Copied, BackupError> {
    backup(from, to, 1_000, |done, total| assert!(done <= total))
}

fn put_back(from: &Path, to: &Path) -> Result<Copied, RestoreError> {
    restore(from, to, 2_000, |done, total| assert!(done <= total))
}

/// A ledger of `records` records with a mark behind them.
fn written(dir: &Path, records: u64) -> Ledger {
    let mut ledger = fresh(dir);
    for _ in 0..records {
        ledger.append(vec![with_body(next(&ledger, "a", 0, 300), 5_000)]).expect("an append");
    }
    ledger.idle_mark().expect("a mark");
    ledger
}

fn copies_of(dir: &Path) -> Vec<PathBuf> {
    (0..8).map(|n| dir.join(format!("copy-{n}"))).collect()
}

#[test]
fn a_copy_made_under_load_holds_all_that_was_acknowledged_before_it() {
    let (dir, out) = (temp(), temp());
    let mut ledger = fresh(dir.path());
    let _running = DataLock::acquire(dir.path(), "a node").expect("the lock");
    let (acknowledged, done) = (AtomicU64::new(0), AtomicBool::new(false));
    let copies = std::thread::scope(|scope| {
        let copier = scope.spawn(|| {
            // A commit is proved by what follows it: all but the last one acknowledged.
            let made: Vec<_> = copies_of(out.path())
                .into_iter()
                .map(|to| {
                    let before = acknowledged.load(Ordering::Acquire);
                    // Six commits of 200 kB each time: eight copies reach well into the second segment.
                    while acknowledged.load(Ordering::Acquire) < before + 6 {
                        std::thread::yield_now();
                    }
                    (before, copy(dir.path(), &to).expect("a copy"), to)
                })
                .collect();
            done.store(true, Ordering::Release);
            made
        });
        // Segments of 4 MiB: the copies are made across several.
        let mut nth = 0_u64;
        while !done.load(Ordering::Acquire) {
            let group = vec![with_body(next(&ledger, "a", 0, 300), 200_000), next(&ledger, "b", 0, 900)];
            ledger.append(group).expect("an append");
            acknowledged.fetch_add(1, Ordering::AcqRel);
            nth += 1;
            if nth.is_multiple_of(7) {
                ledger.idle_mark().expect("a mark");
            }
        }
        copier.join().expect("the copier")
    });
    drop(ledger);
    let (_, _, all) = open(dir.path()).expect("the original opens");
    let mut sizes = BTreeMap::new();
    for (before, copied, to) in copies {
        let (again, report, seen) = open(&to).expect("the copy opens");
        assert_eq!((report.cut, report.records), (None, copied.records), "{}", to.display());
        assert!(copied.commits >= before, "{} of {before} commits", copied.commits);
        assert_eq!(seen, all[..seen.len()], "the copy is a beginning of the original");
        assert_eq!(again.heads().map(|(a, h)| (a.clone(), h)).collect::<Vec<_>>(), copied.heads);
        assert_eq!(Copied::of(&to).expect("its description").as_ref(), Some(&copied));
        sizes.insert(copied.commits, seen.len());
    }
    assert!(sizes.len() > 1, "the copies were made at different times: {sizes:?}");
    assert!(sizes.values().max().is_some_and(|most| *most > 40), "across segments: {sizes:?}");
}

#[test]
fn a_stopped_ledger_is_copied_whole_with_what_nothing_follows() {
    let (dir, out) = (temp(), temp());
    let mut ledger = written(dir.path(), 5);
    ledger.append(vec![next(&ledger, "a", 0, 300)]).expect("an append");
    drop(ledger);
    snapshots::save(dir.path(), 7, b"what it led to").expect("a snapshot");
    let copied = copy(dir.path(), &out.path().join("copy")).expect("a copy");
    assert_eq!((copied.commits, copied.records, copied.at_ms), (6, 6, 1_000));
    let taken = snapshots::load(&out.path().join("copy"), 7).expect("the snapshot").0;
    assert_eq!(taken, b"what it led to");
}

#[test]
fn a_torn_tail_is_left_out() {
    let (dir, out) = (temp(), temp());
    let ledger = written(dir.path(), 3);
    let end = ledger.end_position();
    drop(ledger);
    patch(&segment(dir.path(), end.segment), u64::from(end.commit), b"LTCOMMIT and then the power was gone");
    assert_eq!(copy(dir.path(), &out.path().join("copy")).expect("a copy").records, 3);
}

#[test]
fn a_fault_in_the_ledger_is_never_copied() {
    let (dir, out) = (temp(), temp());
    drop(written(dir.path(), 9));
    patch(&segment(dir.path(), 1), 3 * 4096 + 200, b"x");
    let to = out.path().join("copy");
    assert!(matches!(copy(dir.path(), &to), Err(BackupError::Fault(_))));
    assert!(Copied::of(&to).expect("a look").is_none(), "what is there is no backup");
    assert!(matches!(put_back(&to, &out.path().join("data")), Err(RestoreError::NoBackup(_))));
}

#[test]
fn nothing_is_written_over() {
    let (dir, out) = (temp(), temp());
    let ledger = written(dir.path(), 3);
    let to = out.path().join("copy");
    copy(dir.path(), &to).expect("a copy");
    assert!(matches!(copy(dir.path(), &to), Err(BackupError::NotEmpty(_))));
    assert!(matches!(copy(out.path(), &out.path().join("new")), Err(BackupError::NoLedger(_))));
    assert!(matches!(put_back(&to, dir.path()), Err(RestoreError::HoldsLedger(_))));
    let _running = DataLock::acquire(dir.path(), "a node").expect("the lock");
    assert!(matches!(put_back(&to, dir.path()), Err(RestoreError::Lock(_))));
    assert_eq!(Marker::read(dir.path()).expect("a look"), None, "a refusal leaves no mark");
    drop(ledger);
}

#[test]
fn what_is_put_back_opens_and_is_marked_until_each_agency_is_fenced() {
    let (dir, out, data) = (temp(), temp(), temp());
    let mut ledger = written(dir.path(), 4);
    ledger.append(vec![next(&ledger, "b", 0, 300)]).expect("an append");
    ledger.idle_mark().expect("a mark");
    let to = out.path().join("copy");
    copy(dir.path(), &to).expect("a copy");
    std::fs::create_dir(data.path().join("queues")).expect("queues of another ledger");
    let told = put_back(&to, data.path()).expect("put back");
    assert!(!data.path().join("queues").exists() && !data.path().join("restoring").exists());
    let (restored, report, _) = open(data.path()).expect("it opens");
    assert_eq!((report.created, report.records), (false, 5));
    assert_eq!(restored.store_id(), ledger.store_id());
    assert_eq!(restored.heads().map(|(a, h)| (a.clone(), h)).collect::<Vec<(_, Head)>>(), told.heads);
    let mut marker = Marker::read(data.path()).expect("a look").expect("a marker");
    assert_eq!((marker.at_ms, marker.made_ms), (2_000, 1_000));
    marker.leave(data.path(), &[agency("a")]).expect("a is fenced");
    let mut marker = Marker::read(data.path()).expect("a look").expect("b is not");
    assert!(marker.names(&agency("b")) && !marker.names(&agency("a")));
    marker.leave(data.path(), &[agency("b")]).expect("b is fenced");
    assert_eq!(Marker::read(data.path()).expect("a look"), None);
}

#[test]
fn a_backup_that_was_changed_is_not_put_back() {
    let (dir, out, data) = (temp(), temp(), temp());
    drop(written(dir.path(), 4));
    let to = out.path().join("copy");
    copy(dir.path(), &to).expect("a copy");
    // A whole beginning of it, as a copy that was cut short would be: sound in itself, and less than was said.
    let last = verify::verify_dir(&to, |_, _| {}, |_| {}).expect("sound").end;
    let commit = 2 * 4096;
    patch(&segment(&to, 1), u64::from(last.commit) - commit, &vec![0; commit as usize]);
    assert!(matches!(put_back(&to, data.path()), Err(RestoreError::Differs(_))));
    assert!(!data.path().join("ledger").exists(), "nothing took its place");
    assert!(
        Marker::read(data.path()).expect("a look").is_some(),
        "and a start knows that something is unfinished"
    );
}

#[test]
fn a_restore_that_was_cut_off_may_be_done_again() {
    let (dir, out, data) = (temp(), temp(), temp());
    drop(written(dir.path(), 4));
    let to = out.path().join("copy");
    copy(dir.path(), &to).expect("a copy");
    std::fs::create_dir_all(data.path().join("restoring/ledger")).expect("what was begun");
    std::fs::write(data.path().join("restoring/ledger/00000009.seg"), b"half").expect("half a segment");
    put_back(&to, data.path()).expect("put back");
    assert_eq!(open(data.path()).expect("it opens").1.records, 4);
}

#[test]
fn a_damaged_marker_still_marks() {
    let (dir, out, data) = (temp(), temp(), temp());
    drop(written(dir.path(), 2));
    copy(dir.path(), &out.path().join("copy")).expect("a copy");
    put_back(&out.path().join("copy"), data.path()).expect("put back");
    patch(&data.path().join("restored"), 25, b"9");
    let marker = Marker::read(data.path()).expect("a look").expect("a marker");
    assert!(marker.agencies.is_none() && marker.names(&agency("anyone")));
}
