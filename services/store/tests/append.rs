//! What is appended is what is read: after reopening, in any grouping, across segments, without erased bodies.

mod support;

use lienthong_core::ids::{Digest, Head, LedgerIndex};
use lienthong_store::{Body, Ledger, NewRecord, OpenError, Position, ScanFrom, StoreError, Wrong, verify};
use lienthong_wire::chain;
use proptest::prelude::*;
use support::{agency, bytes, config, fresh, next, open, open_from, temp, with_body};

#[test]
fn groups_of_each_size_are_read_back_in_order() {
    let dir = temp();
    let mut ledger = fresh(dir.path());
    let mut written = Vec::new();
    for size in [1, 2, 3, 8, 64, 512] {
        let group: Vec<_> = (0..size)
            .map(|n| {
                next(&ledger, if n % 2 == 0 { "xa-an-thanh-1" } else { "huyen" }, n / 2, 200 + n as usize)
            })
            .collect();
        let appended = ledger.append(group.clone()).expect("an append");
        assert_eq!(appended.positions.len(), group.len());
        assert_eq!(
            appended.durable.head(&agency("xa-an-thanh-1")),
            Some(ledger.head(&agency("xa-an-thanh-1")))
        );
        assert_eq!(appended.durable.head(&agency("nobody")), None);
        written.extend(group.into_iter().zip(appended.positions));
    }
    let (heads, physical, end) = (heads(&ledger), ledger.physical_head(), ledger.end_position());
    let reader = ledger.reader();
    for (new, position) in &written {
        same(new, &reader.read(*position).expect("a read"));
    }
    let scanned: Vec<_> = reader.scan(reader.start()).flat_map(|c| c.expect("a commit")).collect();
    drop(ledger);
    let (ledger, report, seen) = open(dir.path()).expect("open again");
    assert_eq!((report.created, report.commits, report.records, report.cut), (false, 6, 590, None));
    assert_eq!(seen, scanned);
    assert_eq!(seen.len(), written.len());
    for ((new, position), stored) in written.iter().zip(&seen) {
        same(new, stored);
        assert_eq!(stored.position, *position);
    }
    assert!(written.windows(2).all(|w| w[0].1 < w[1].1));
    assert_eq!((self::heads(&ledger), ledger.physical_head(), ledger.end_position()), (heads, physical, end));
}

#[test]
fn the_chain_is_the_one_of_the_protocol() {
    let dir = temp();
    let mut ledger = fresh(dir.path());
    let a = agency("a");
    assert_eq!(ledger.head(&a), Head::EMPTY);
    let first = next(&ledger, "a", 0, 10);
    let expected = chain::link(&a, LedgerIndex(0), Digest::ZERO, chain::payload_hash(&first.payload));
    let at = ledger.append(vec![first]).expect("an append").positions[0];
    assert_eq!(ledger.head(&a), Head { size: 1, hash: expected });
    let stored = ledger.reader().read_meta(at).expect("a read");
    assert_eq!((stored.prev, stored.hash, stored.body_len), (Digest::ZERO, expected, None));
}

#[test]
fn nothing_is_written_for_an_empty_group_or_a_record_out_of_turn() {
    let dir = temp();
    let mut ledger = fresh(dir.path());
    let before = ledger.end_position();
    assert!(ledger.append(Vec::new()).expect("an empty append").positions.is_empty());
    let (good, late) = (next(&ledger, "a", 0, 10), next(&ledger, "a", 2, 10));
    let refused = ledger.append(vec![good.clone(), late]);
    assert!(matches!(refused, Err(StoreError::Index { expected: 1, found: 2, .. })), "{refused:?}");
    for (part, record) in [
        ("payload", NewRecord { payload: bytes((256 << 10) + 1, 0), ..good.clone() }),
        ("proof", NewRecord { proof: bytes((64 << 10) + 1, 0), ..good.clone() }),
        ("body", with_body(good.clone(), (800 << 10) + 1)),
    ] {
        let refused = ledger.append(vec![record]);
        assert!(matches!(refused, Err(StoreError::TooLarge { part: p, .. }) if p == part), "{refused:?}");
    }
    let many: Vec<_> = (0..4).map(|n| with_body(next(&ledger, "a", n, 10), 800 << 10)).collect();
    assert!(many.iter().map(NewRecord::stored_bytes).sum::<u64>() > ledger.commit_room());
    assert!(matches!(ledger.append(many), Err(StoreError::TooLarge { part: "commit", .. })));
    assert_eq!((ledger.end_position(), ledger.head(&agency("a"))), (before, Head::EMPTY));
    ledger.append(vec![good]).expect("the ledger goes on");
}

#[test]
fn the_largest_record_fits_into_the_smallest_segment() {
    let dir = temp();
    let mut ledger = fresh(dir.path());
    let record = NewRecord { proof: bytes(64 << 10, 1), ..next(&ledger, "a", 0, 256 << 10) };
    let record = with_body(record, 800 << 10);
    assert!(record.stored_bytes() <= ledger.commit_room());
    let at = ledger.append(vec![record.clone()]).expect("an append").positions[0];
    same(&record, &ledger.reader().read(at).expect("a read"));
    drop(ledger);
    assert_eq!(open(dir.path()).expect("open again").2.len(), 1);
}

#[test]
fn commits_go_on_in_the_next_segment_and_are_never_split() {
    let dir = temp();
    let mut ledger = fresh(dir.path());
    let mut positions = Vec::new();
    for n in 0..20 {
        let record = with_body(next(&ledger, "a", 0, 300), 500 << 10);
        positions.extend(ledger.append(vec![record]).expect("an append").positions);
        if n % 3 == 0 {
            ledger.idle_mark().expect("a mark");
        }
    }
    assert!(ledger.end_position().segment >= 3);
    let reader = ledger.reader();
    for (n, at) in positions.iter().enumerate() {
        assert_eq!(reader.read(*at).expect("a read").index, LedgerIndex(n as u64));
    }
    assert_eq!(reader.scan(reader.start()).count(), 20);
    let (end, physical) = (ledger.end_position(), ledger.physical_head());
    let summary = verify::verify_until(dir.path(), Some(end), |_, _| {}, |_| {}).expect("no fault");
    assert_eq!((summary.commits, summary.end, summary.physical_head), (20, end, physical));
    drop(ledger);
    let (ledger, report, seen) = open(dir.path()).expect("open again");
    assert_eq!((report.commits, seen.len(), ledger.end_position()), (20, 20, end));
}

#[test]
fn a_missing_segment_is_refused() {
    let dir = temp();
    let mut ledger = fresh(dir.path());
    while ledger.end_position().segment < 3 {
        let record = with_body(next(&ledger, "a", 0, 300), 800 << 10);
        ledger.append(vec![record]).expect("an append");
    }
    drop(ledger);
    std::fs::remove_file(support::segment(dir.path(), 2)).expect("removed");
    assert!(matches!(open(dir.path()), Err(OpenError::Fault(f)) if matches!(f.what, Wrong::Missing)));
    verify::verify_dir(dir.path(), |_, _| {}, |_| {}).expect_err("a fault");
}

#[test]
fn replay_goes_on_from_a_remembered_place() {
    let dir = temp();
    let mut ledger = fresh(dir.path());
    let group = vec![next(&ledger, "a", 0, 10), next(&ledger, "b", 0, 10)];
    ledger.append(group).expect("an append");
    let (position, physical_head) = (ledger.end_position(), ledger.physical_head());
    let heads = heads(&ledger);
    let place = ScanFrom::At { position, physical_head, heads: heads.clone() };
    let later = next(&ledger, "b", 0, 20);
    ledger.append(vec![later.clone()]).expect("an append");
    let after = self::heads(&ledger);
    drop(ledger);
    let (ledger, report, seen) = open_from(dir.path(), place).expect("open from the place");
    assert_eq!((report.records, seen.len()), (1, 1));
    same(&later, &seen[0]);
    assert_eq!(self::heads(&ledger), after);
    drop(ledger);
    let elsewhere = Position { commit: position.commit + 4096, ..position };
    for (position, physical_head) in [
        (elsewhere, physical_head),
        (Position { commit: 1 << 20, ..position }, physical_head),
        (Position { segment: 7, ..position }, physical_head),
        (position, Digest::ZERO),
    ] {
        let refused = open_from(dir.path(), ScanFrom::At { position, physical_head, heads: heads.clone() });
        assert!(matches!(refused, Err(OpenError::NoSuchPlace { .. })), "{position}");
    }
}

#[test]
fn an_erased_body_says_so_and_leaves_the_rest_valid() {
    let dir = temp();
    let mut ledger = fresh(dir.path());
    let group = vec![with_body(next(&ledger, "a", 0, 50), 5000), with_body(next(&ledger, "a", 1, 50), 0)];
    let positions = ledger.append(group.clone()).expect("an append").positions;
    let plain = next(&ledger, "a", 0, 50);
    let bare = ledger.append(vec![plain]).expect("an append").positions[0];
    let physical = ledger.physical_head();
    ledger.erase_body(positions[0]).expect("an erasure");
    ledger.erase_body(positions[0]).expect("once more");
    assert!(matches!(ledger.erase_body(bare), Err(StoreError::NoBody(_))));
    let stored = ledger.reader().read(positions[0]).expect("a read");
    assert_eq!((stored.body, stored.payload), (Some(Body::Erased { len: 5000 }), group[0].payload.clone()));
    same(&group[1], &ledger.reader().read(positions[1]).expect("a read"));
    let file = std::fs::read(support::segment(dir.path(), 1)).expect("the segment");
    let content = bytes(400, 99);
    assert!(!file[..1 << 16].windows(content.len()).any(|w| w == content));
    drop(ledger);
    verify::verify_dir(dir.path(), |_, _| {}, |_| {}).expect("no fault");
    let (ledger, report, seen) = open(dir.path()).expect("open again");
    assert_eq!((seen[0].body.clone(), report.cut), (Some(Body::Erased { len: 5000 }), None));
    assert_eq!(ledger.physical_head(), physical);
}

#[test]
fn an_interrupted_erasure_is_finished_at_open() {
    let dir = temp();
    let mut ledger = fresh(dir.path());
    let record = with_body(next(&ledger, "a", 0, 50), 5000);
    ledger.append(vec![record]).expect("an append");
    let second = next(&ledger, "a", 0, 50);
    ledger.append(vec![second]).expect("an append");
    drop(ledger);
    let path = support::segment(dir.path(), 1);
    let file = std::fs::read(&path).expect("the segment");
    let frame = file.windows(8).position(|w| w == b"LTBODYV1").expect("a body");
    let mut begun = *b"LTERASNG\0\0\x13\x88\0\0\0\0";
    let crc = crc32c::crc32c(&begun[..12]).to_be_bytes();
    begun[12..].copy_from_slice(&crc);
    support::patch(&path, frame as u64, &begun);
    support::patch(&path, frame as u64 + 16, &[0; 1000]);
    let summary = verify::verify_dir(dir.path(), |_, _| {}, |_| {}).expect("no fault");
    assert_eq!(summary.erasures_unfinished, 1);
    let (_, report, seen) = open(dir.path()).expect("open");
    assert_eq!((report.erasures_finished, seen[0].body.clone()), (1, Some(Body::Erased { len: 5000 })));
    assert_eq!(&support::read_at(&path, frame as u64, 8), b"LTERASED");
    assert_eq!(support::read_at(&path, frame as u64 + 16, 5000), vec![0; 5000]);
}

#[test]
fn a_replay_that_refuses_a_record_stops_the_opening() {
    let dir = temp();
    let mut ledger = fresh(dir.path());
    let record = next(&ledger, "a", 0, 10);
    ledger.append(vec![record]).expect("an append");
    drop(ledger);
    let refused = Ledger::open(&config(dir.path()), ScanFrom::Start, |_| Err("not this one"));
    assert!(matches!(refused, Err(OpenError::Replay(e)) if e.to_string() == "not this one"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn reopening_changes_nothing(
        groups in prop::collection::vec(
            (prop::collection::vec((0..3usize, 0..3000usize, 0..300usize, prop::option::of(0..40_000usize)), 0..12), 0..3u8),
            0..12,
        ),
    ) {
        let dir = temp();
        let mut ledger = fresh(dir.path());
        let mut written = Vec::new();
        for (group, after) in groups {
            let mut ahead = [0; 3];
            let group: Vec<_> = group.into_iter().map(|(who, payload, proof, body)| {
                let record = next(&ledger, ["a", "b", "c"][who], ahead[who], payload);
                ahead[who] += 1;
                NewRecord { proof: bytes(proof, 5), body: body.map(|len| bytes(len, 6)), ..record }
            }).collect();
            ledger.append(group.clone()).expect("an append");
            written.extend(group);
            match after {
                0 => ledger.idle_mark().expect("a mark"),
                1 => { drop(ledger); ledger = open(dir.path()).expect("open again").0; }
                _ => {}
            }
        }
        let state = (heads(&ledger), ledger.physical_head(), ledger.end_position());
        drop(ledger);
        let (ledger, report, seen) = open(dir.path()).expect("open again");
        prop_assert_eq!(report.cut, None);
        prop_assert_eq!((heads(&ledger), ledger.physical_head(), ledger.end_position()), state);
        prop_assert_eq!(seen.len(), written.len());
        written.iter().zip(&seen).for_each(|(new, stored)| same(new, stored));
        let mut verified = Vec::new();
        drop(ledger);
        verify::verify_dir(dir.path(), |_, _| {}, |r| verified.push(r)).expect("no fault");
        prop_assert_eq!(verified, seen);
    }
}

fn heads(ledger: &Ledger) -> Vec<(lienthong_core::ids::AgencyId, Head)> {
    ledger.heads().map(|(a, h)| (a.clone(), h)).collect()
}

fn same(new: &NewRecord, stored: &lienthong_store::StoredRecord) {
    let body = new.body.clone().map(Body::Present);
    assert_eq!(
        (&new.agency, new.index, &new.payload, &new.proof, &body),
        (&stored.agency, stored.index, &stored.payload, &stored.proof, &stored.body)
    );
}
