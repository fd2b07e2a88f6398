//! The end of the log: a torn last commit is cut whole and reported, and nothing that was durable ever is.

mod support;

use lienthong_store::{Ledger, OpenError, Wrong, verify};
use std::path::{Path, PathBuf};
use support::{fresh, next, open, patch, read_at, segment, temp, with_body};

/// Two commits; gives the place and the used bytes of the second.
fn two_commits(dir: &Path) -> (Ledger, PathBuf, u64, Vec<u8>) {
    let mut ledger = fresh(dir);
    let first = next(&ledger, "a", 0, 100);
    ledger.append(vec![first]).expect("an append");
    let start = u64::from(ledger.end_position().commit);
    let group = vec![next(&ledger, "a", 0, 120), with_body(next(&ledger, "b", 0, 90), 200)];
    ledger.append(group).expect("an append");
    let path = segment(dir, 1);
    let pages = read_at(&path, start, 4096);
    let used = pages.iter().rposition(|b| *b != 0).expect("used bytes") + 1;
    (ledger, path, start, pages[..used].to_vec())
}

fn assert_cut(dir: &Path, start: u64, cut_at: usize) {
    let (mut ledger, report, seen) = open(dir).unwrap_or_else(|e| panic!("cut at {cut_at}: {e}"));
    let cut = report.cut.unwrap_or_else(|| panic!("cut at {cut_at}: not reported"));
    assert_eq!((u64::from(cut.position.commit), seen.len()), (start, 1), "cut at {cut_at}");
    let record = next(&ledger, "a", 0, 10);
    ledger.append(vec![record]).expect("the ledger goes on");
    drop(ledger);
    assert_eq!(open(dir).expect("open").2.len(), 2, "cut at {cut_at}");
}

#[test]
fn an_unmarked_commit_torn_at_any_byte_is_cut_whole() {
    let dir = temp();
    let (ledger, path, start, whole) = two_commits(dir.path());
    drop(ledger);
    for at in 0..whole.len() {
        let mut torn = whole.clone();
        torn[at..].fill(0);
        // A byte that is zero anyway is not lost.
        if torn == whole {
            continue;
        }
        patch(&path, start, &[0; 4096]);
        patch(&path, start, &torn);
        let summary = verify::verify_dir(dir.path(), |_, _| {}, |_| {}).expect("no fault");
        assert_eq!(
            (summary.records, summary.torn.is_some()),
            (1, torn.iter().any(|b| *b != 0)),
            "cut at {at}"
        );
        if at == 0 {
            assert_eq!(open(dir.path()).expect("open").1.cut, None);
        } else {
            assert_cut(dir.path(), start, at);
        }
    }
}

#[test]
fn an_unmarked_commit_that_lost_its_beginning_is_cut_whole() {
    let dir = temp();
    let mut ledger = fresh(dir.path());
    let first = next(&ledger, "a", 0, 100);
    ledger.append(vec![first]).expect("an append");
    let start = u64::from(ledger.end_position().commit);
    let large = with_body(next(&ledger, "a", 0, 9000), 20_000);
    ledger.append(vec![large]).expect("an append");
    drop(ledger);
    patch(&segment(dir.path(), 1), start, &[0; 4096]);
    assert_cut(dir.path(), start, 0);
}

#[test]
fn a_marked_commit_with_any_byte_zeroed_is_refused() {
    let dir = temp();
    let (mut ledger, path, start, whole) = two_commits(dir.path());
    ledger.idle_mark().expect("a mark");
    ledger.idle_mark().expect("a mark again");
    drop(ledger);
    assert_eq!(open(dir.path()).expect("open").1.cut, None);
    for at in 0..whole.len() {
        let mut torn = whole.clone();
        torn[at..].fill(0);
        if torn == whole {
            continue;
        }
        patch(&path, start, &torn);
        let Err(OpenError::Fault(fault)) = open(dir.path()) else { panic!("zeroed from {at}: opened") };
        assert_eq!(fault.segment, path);
        assert!((start..start + 4096).contains(&fault.offset), "zeroed from {at}: {fault}");
        verify::verify_dir(dir.path(), |_, _| {}, |_| {}).expect_err("a fault");
    }
    patch(&path, start, &whole);
    assert_eq!(open(dir.path()).expect("open").2.len(), 3);
}

#[test]
fn a_shortened_segment_is_refused() {
    let dir = temp();
    let (ledger, path, start, whole) = two_commits(dir.path());
    drop(ledger);
    for len in [start + whole.len() as u64, start + 100, start, 4096, 100, 0] {
        std::fs::OpenOptions::new().write(true).open(&path).and_then(|f| f.set_len(len)).expect("shortened");
        assert!(matches!(open(dir.path()), Err(OpenError::Fault(_))), "shortened to {len}");
        verify::verify_dir(dir.path(), |_, _| {}, |_| {}).expect_err("a fault");
    }
}

#[test]
fn a_fault_before_the_last_commit_is_refused_with_its_place() {
    let dir = temp();
    let (ledger, path, start, _) = two_commits(dir.path());
    drop(ledger);
    patch(&path, start - 4096, &[0; 4096]);
    let Err(OpenError::Fault(fault)) = open(dir.path()) else { panic!("opened") };
    assert!(matches!(fault.what, Wrong::Lost { later: 2 }), "{fault}");
    assert_eq!((fault.offset, fault.seq), (start - 4096, Some(1)));
}

#[test]
fn a_commit_takes_the_place_of_the_mark() {
    let dir = temp();
    let (mut ledger, path, _, _) = two_commits(dir.path());
    let end = u64::from(ledger.end_position().commit);
    ledger.idle_mark().expect("a mark");
    let mark = read_at(&path, end, 4096);
    let record = next(&ledger, "a", 0, 6000);
    ledger.append(vec![record]).expect("an append");
    drop(ledger);
    // The commit was interrupted: its second page reached the disk, its first still is the mark.
    patch(&path, end, &mark);
    let (_, report, seen) = open(dir.path()).expect("open");
    assert_eq!((report.cut.map(|c| u64::from(c.position.commit)), seen.len()), (Some(end), 3));
}

#[test]
fn the_last_commit_of_a_full_segment_is_covered_by_the_next_one() {
    let dir = temp();
    let mut ledger = fresh(dir.path());
    let mut last = 0;
    while ledger.end_position().segment == 1 {
        last = u64::from(ledger.end_position().commit);
        let record = with_body(next(&ledger, "a", 0, 100), 800 << 10);
        ledger.append(vec![record]).expect("an append");
    }
    drop(ledger);
    let path = segment(dir.path(), 1);
    let before = last - (804 << 10);
    let found = (before..last).step_by(4096).find(|at| read_at(&path, *at, 8) == b"LTCOMMIT");
    let page = found.expect("the last commit of the first segment");
    let whole = read_at(&path, page + 200, 8);
    patch(&path, page + 200, &[0xff; 8]);
    assert!(matches!(open(dir.path()), Err(OpenError::Fault(f)) if f.segment == path));
    // The next segment's header is lost, its commit is not: with the fault, and without.
    patch(&segment(dir.path(), 2), 0, &[0; 4096]);
    assert!(matches!(open(dir.path()), Err(OpenError::Fault(f)) if f.segment == path));
    patch(&path, page + 200, &whole);
    assert!(matches!(open(dir.path()), Err(OpenError::Fault(f)) if f.segment == segment(dir.path(), 2)));
}

#[test]
fn a_torn_header_of_a_next_segment_is_cut() {
    let dir = temp();
    let (ledger, _, _, _) = two_commits(dir.path());
    drop(ledger);
    let len = std::fs::metadata(segment(dir.path(), 1)).expect("metadata").len();
    let next_path = segment(dir.path(), 2);
    std::fs::write(&next_path, vec![0; len as usize]).expect("a prepared segment");
    assert_eq!(open(dir.path()).expect("open").1.cut, None);
    patch(&next_path, 0, b"LTSEGMNT");
    let (_, report, seen) = open(dir.path()).expect("open");
    assert_eq!((report.cut.map(|c| c.position.segment), seen.len()), (Some(2), 3));
    assert!(read_at(&next_path, 0, 4096).iter().all(|b| *b == 0));
}
