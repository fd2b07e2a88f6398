//! The lock on the data folder, and the snapshots.

mod support;

use lienthong_core::ids::Digest;
use lienthong_store::lock::{DataLock, LockError};
use lienthong_store::snapshots::{self, SnapshotError};
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use support::temp;

const CHILD: &str = "LIENTHONG_TEST_LOCK_DIR";

/// Not a test of its own: the second process of the test below.
#[test]
fn child_holds_the_lock() {
    let Ok(dir) = std::env::var(CHILD) else { return };
    let _lock = DataLock::acquire(dir.as_ref(), "nut-con").expect("the lock");
    println!("held");
    let _ = std::io::stdin().read(&mut [0; 1]);
}

#[test]
fn a_second_process_is_refused_by_name_and_pid() {
    let dir = temp();
    let mut child = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "child_holds_the_lock", "--nocapture"])
        .env(CHILD, dir.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a second process");
    let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    assert!(lines.any(|line| line.expect("a line").ends_with("held")));
    match DataLock::acquire(dir.path(), "nut-cha") {
        Err(LockError::Held { name, pid, .. }) => assert_eq!((name.as_str(), pid), ("nut-con", child.id())),
        other => panic!("{other:?}"),
    }
    child.kill().expect("killed");
    child.wait().expect("ended");
    let lock = DataLock::acquire(dir.path(), "nut-cha").expect("the lock of a dead process is free");
    let refused = DataLock::acquire(dir.path(), "nut-con").expect_err("held by this process");
    let text = refused.to_string();
    assert!(text.contains("nut-cha") && text.contains(&std::process::id().to_string()), "{text}");
    drop(lock);
    DataLock::acquire(dir.path(), "nut-con").expect("free again");
}

#[test]
fn the_two_newest_snapshots_are_kept() {
    let dir = temp();
    assert_eq!(snapshots::list(dir.path()).expect("a list"), Vec::<u64>::new());
    let hashes: Vec<Digest> =
        (1..=4).map(|n| snapshots::save(dir.path(), n * 10, &[n as u8; 5000]).expect("saved")).collect();
    assert_eq!(snapshots::list(dir.path()).expect("a list"), vec![40, 30]);
    assert_eq!(snapshots::load(dir.path(), 40).expect("loaded"), (vec![4; 5000], hashes[3]));
    assert_eq!(snapshots::load(dir.path(), 30).expect("loaded"), (vec![3; 5000], hashes[2]));
    assert!(matches!(snapshots::load(dir.path(), 10), Err(SnapshotError::Io { .. })));
}

#[test]
fn a_damaged_snapshot_is_not_taken() {
    let dir = temp();
    snapshots::save(dir.path(), 1, b"what the ledger led to").expect("saved");
    let path = dir.path().join("snapshots").join(format!("{:020}.snap", 1));
    let whole = std::fs::read(&path).expect("the file");
    for at in 0..whole.len() {
        for bit in 0..8 {
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << bit;
            std::fs::write(&path, flipped).expect("written");
            assert!(matches!(snapshots::load(dir.path(), 1), Err(SnapshotError::Damaged { .. })), "{at}");
        }
        std::fs::write(&path, &whole[..at]).expect("written");
        assert!(matches!(snapshots::load(dir.path(), 1), Err(SnapshotError::Damaged { .. })), "cut at {at}");
    }
}
