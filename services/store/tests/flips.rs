//! Every single flipped bit of what a mark covers is found, and said where.

mod support;

use lienthong_core::ids::LedgerIndex;
use lienthong_store::verify;
use std::path::{Path, PathBuf};
use support::{fresh, next, open, patch, read_at, segment, temp, with_body};

/// A small ledger with an erased body in it, ended by a mark; gives its file and the pages in use before the mark.
fn marked(dir: &Path) -> (PathBuf, Vec<u8>) {
    let mut ledger = fresh(dir);
    let first = with_body(next(&ledger, "a", 0, 40), 50);
    let at = ledger.append(vec![first]).expect("an append").positions[0];
    let second = vec![next(&ledger, "b", 0, 30), with_body(next(&ledger, "a", 0, 20), 33)];
    ledger.append(second).expect("an append");
    ledger.erase_body(at).expect("an erasure");
    let end = ledger.end_position().commit as usize;
    ledger.idle_mark().expect("a mark");
    let path = segment(dir, 1);
    let pages = read_at(&path, 0, end);
    (path, pages)
}

/// Offsets of the used bytes of each page and of some of its padding.
fn interesting(pages: &[u8]) -> Vec<usize> {
    let mut out = Vec::new();
    for (nth, page) in pages.chunks(4096).enumerate() {
        let used = page.iter().rposition(|b| *b != 0).map_or(0, |at| at + 1);
        out.extend((0..used).map(|at| nth * 4096 + at));
        out.extend((used..4096).step_by(397).map(|at| nth * 4096 + at));
    }
    out
}

#[test]
fn each_bit_flipped_is_found() {
    let dir = temp();
    let (path, pages) = marked(dir.path());
    verify::verify_dir(dir.path(), |_, _| {}, |_| {}).expect("no fault");
    let offsets = interesting(&pages);
    assert!(offsets.len() > 800);
    for at in offsets {
        for bit in 0..8 {
            patch(&path, at as u64, &[pages[at] ^ (1 << bit)]);
            let fault = verify::verify_dir(dir.path(), |_, _| {}, |_| {});
            let Err(fault) = fault else { panic!("bit {bit} of byte {at} was not seen") };
            assert_eq!(fault.segment, path);
            assert_eq!(fault.offset / 4096, at as u64 / 4096, "bit {bit} of byte {at}: {fault}");
            if bit == at % 8 {
                assert!(open(dir.path()).is_err(), "bit {bit} of byte {at} opened");
            }
        }
        patch(&path, at as u64, &[pages[at]]);
    }
    verify::verify_dir(dir.path(), |_, _| {}, |_| {}).expect("no fault");
}

#[test]
fn a_fault_in_a_body_names_the_record() {
    let dir = temp();
    let (path, pages) = marked(dir.path());
    let body = pages.windows(8).position(|w| w == b"LTBODYV1").expect("a body");
    patch(&path, body as u64 + 20, &[pages[body + 20] ^ 4]);
    let fault = verify::verify_dir(dir.path(), |_, _| {}, |_| {}).expect_err("a fault");
    assert_eq!(fault.agency, Some(support::agency("a")));
    assert_eq!((fault.index.map(|i| i.0), fault.seq, fault.offset), (Some(1), Some(2), body as u64));
}

#[test]
fn readers_see_what_is_wrong_too() {
    let dir = temp();
    let mut ledger = fresh(dir.path());
    let record = with_body(next(&ledger, "a", 0, 5000), 100);
    let at = ledger.append(vec![record]).expect("an append").positions[0];
    let reader = ledger.reader();
    let of = (&support::agency("a"), LedgerIndex(0));
    let whole = reader.read(at).expect("a read");
    let piece = reader.piece(at, of).expect("a read");
    assert_eq!((&piece.payload, &piece.proof), (&whole.payload, &whole.proof));
    assert_eq!(reader.body_of(&piece, of).expect("a read"), whole.body);
    for other in [(&support::agency("b"), LedgerIndex(0)), (&support::agency("a"), LedgerIndex(1))] {
        let fault = reader.piece(at, other).expect_err("another record").to_string();
        assert!(fault.contains("another record lies here"), "{fault}");
    }
    let path = segment(dir.path(), 1);
    let start = u64::from(at.commit + at.record);
    for offset in [start, start + 10, start + 100, start + 4500] {
        let byte = read_at(&path, offset, 1)[0];
        patch(&path, offset, &[byte ^ 16]);
        reader.read_meta(at).expect_err("a fault");
        reader.piece(at, of).expect_err("a fault");
        patch(&path, offset, &[byte]);
    }
    let pages = read_at(&path, 0, 16384);
    let body = pages.windows(8).position(|w| w == b"LTBODYV1").expect("a body");
    patch(&path, body as u64 + 20, &[pages[body + 20] ^ 4]);
    reader.read(at).expect_err("a fault");
    reader.read_meta(at).expect("the rest is whole");
    reader.body_of(&reader.piece(at, of).expect("the rest is whole"), of).expect_err("a fault");
}
