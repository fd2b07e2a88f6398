//! The queues: rows come back exactly, or the queues are moved aside, empty and reported.

mod support;

use lienthong_store::queues::{Change, KEY_LIMIT, Queues, QueuesError, QueuesReport, Table, VALUE_LIMIT};
use lienthong_store::{Config, Position};
use std::fs;
use std::path::Path;
use support::{config, temp};

fn at(n: u32) -> Position {
    Position { segment: 1, commit: 4096 * n, record: 0 }
}

fn put(table: Table, key: &[u8], value: &[u8]) -> Change {
    Change::Put(table, key.to_vec(), value.to_vec())
}

fn small(dir: &Path) -> Config {
    Config { queue_cache_bytes: 8 << 20, ..config(dir) }
}

/// Some thousand rows in some batches, made durable.
fn filled(dir: &Path) -> Vec<(Vec<u8>, Vec<u8>)> {
    let (queues, report) = Queues::open(&small(dir)).expect("opened");
    assert_eq!((report, queues.mark()), (QueuesReport::Fresh, None));
    for batch in 0..20_u32 {
        let rows = (0..100_u32).map(|n| {
            put(
                Table::Inbox,
                &(batch * 100 + n).to_be_bytes(),
                &vec![batch as u8; 40 + (n as usize * 7) % 300],
            )
        });
        queues.apply(at(batch + 1), rows.collect()).expect("applied");
    }
    queues.flush().expect("flushed");
    queues.scan(Table::Inbox, b"", None, 10_000).expect("scanned")
}

#[test]
fn rows_and_mark_come_back() {
    let dir = temp();
    let rows = filled(dir.path());
    assert_eq!(rows.len(), 2000);
    let (queues, report) = Queues::open(&small(dir.path())).expect("opened");
    assert_eq!(report, QueuesReport::Opened { mark: at(20) });
    assert_eq!((queues.mark(), queues.rows()), (Some(at(20)), 2000));
    assert_eq!(queues.scan(Table::Inbox, b"", None, 10_000).expect("scanned"), rows);
}

#[test]
fn changes_to_one_key_count_in_their_order() {
    let dir = temp();
    let (queues, _) = Queues::open(&small(dir.path())).expect("opened");
    let changes =
        vec![put(Table::Inbox, b"a", b"1"), put(Table::Inbox, b"a", b"2"), put(Table::Records, b"a", b"4")];
    queues.apply(at(1), changes).expect("applied");
    queues.apply(at(2), vec![put(Table::Records, b"a", b"5")]).expect("applied");
    assert_eq!(queues.get(Table::Inbox, b"a").expect("got"), Some(b"2".to_vec()));
    assert_eq!((queues.get(Table::Records, b"a").expect("got"), queues.rows()), (Some(b"5".to_vec()), 2));
    drop(queues);
    let (queues, report) = Queues::open(&small(dir.path())).expect("opened");
    assert_eq!((report, queues.rows()), (QueuesReport::Opened { mark: at(2) }, 2));
}

#[test]
fn a_new_row_counts_once_whatever_follows_in_the_same_changes() {
    let dir = temp();
    let (queues, _) = Queues::open(&small(dir.path())).expect("opened");
    let new = |key: &[u8], value: &[u8]| Change::New(Table::Inbox, key.to_vec(), value.to_vec());
    let changes = vec![new(b"kept", b"1"), put(Table::Inbox, b"kept", b"2")];
    queues.apply(at(1), changes).expect("applied");
    queues.apply(at(2), vec![put(Table::Inbox, b"kept", b"4"), new(b"next", b"5")]).expect("applied");
    assert_eq!((queues.get(Table::Inbox, b"kept").expect("got"), queues.rows()), (Some(b"4".to_vec()), 2));
    drop(queues);
    let (queues, report) = Queues::open(&small(dir.path())).expect("opened");
    assert_eq!(report, QueuesReport::Opened { mark: at(2) });
    queues.apply(at(3), vec![new(b"kept", b"6")]).expect("applied");
    drop(queues);
    let (_, report) = Queues::open(&small(dir.path())).expect("opened");
    assert!(matches!(report, QueuesReport::Rebuilding { .. }), "what was not new does not pass: {report:?}");
}

#[test]
fn the_last_row_not_after_a_key_is_found_within_its_prefix() {
    let dir = temp();
    let (queues, _) = Queues::open(&small(dir.path())).expect("opened");
    let keys: [&[u8]; 4] = [b"a9", b"b2", b"b5", b"c0"];
    queues.apply(at(1), keys.iter().map(|k| put(Table::Records, k, k)).collect()).expect("applied");
    let found = |key: &[u8]| {
        queues.at_or_before(Table::Records, b"b", key).expect("looked").map(|(key, value)| {
            assert_eq!(key, value);
            key
        })
    };
    assert_eq!((found(b"b1"), found(b"b2")), (None, Some(b"b2".to_vec())));
    assert_eq!((found(b"b4"), found(b"b9")), (Some(b"b2".to_vec()), Some(b"b5".to_vec())));
}

#[test]
fn scans_keep_to_their_prefix_and_go_on_after_a_key() {
    let dir = temp();
    let (queues, _) = Queues::open(&small(dir.path())).expect("opened");
    let keys: [&[u8]; 6] = [b"a", b"b1", b"b2", b"b3", b"c", b"\xff\xff"];
    let mut changes: Vec<_> = keys.iter().map(|k| put(Table::Inbox, k, b"v")).collect();
    changes.push(put(Table::Dossiers, b"b4", b"v"));
    queues.apply(at(1), changes).expect("applied");
    let names = |prefix: &[u8], after: Option<&[u8]>, limit| -> Vec<Vec<u8>> {
        let rows = queues.scan(Table::Inbox, prefix, after, limit).expect("scanned");
        rows.into_iter().map(|(key, _)| key).collect()
    };
    assert_eq!(names(b"b", None, 10), [b"b1", b"b2", b"b3"]);
    assert_eq!(names(b"b", None, 2), [b"b1", b"b2"]);
    assert_eq!(names(b"b", Some(b"b2"), 10), [b"b3"]);
    assert_eq!(names(b"b", Some(b"a"), 1), [b"b1"]);
    assert_eq!(names(b"b", Some(b"c"), 10), Vec::<Vec<u8>>::new());
    assert_eq!(names(b"", None, 10).len(), 6);
}

#[test]
fn what_is_too_large_is_refused_whole() {
    let dir = temp();
    let (queues, _) = Queues::open(&small(dir.path())).expect("opened");
    let good = put(Table::Records, b"k", &vec![1; VALUE_LIMIT]);
    for bad in [
        put(Table::Records, b"l", &vec![1; VALUE_LIMIT + 1]),
        put(Table::Records, &vec![1; KEY_LIMIT + 1], b""),
    ] {
        let refused = queues.apply(at(1), vec![good.clone(), bad]);
        assert!(matches!(refused, Err(QueuesError::TooLarge { .. })), "{refused:?}");
    }
    assert_eq!((queues.rows(), queues.mark()), (0, None));
    queues.apply(at(1), vec![good]).expect("applied");
}

#[test]
fn a_reset_goes_on_with_none_and_keeps_what_was() {
    let dir = temp();
    filled(dir.path());
    let (queues, _) = Queues::open(&small(dir.path())).expect("opened");
    for n in 1..=4 {
        let QueuesReport::Rebuilding { why, moved_to } = queues.reset("beyond the ledger").expect("reset")
        else {
            panic!("not reported");
        };
        assert_eq!(
            (why.as_str(), moved_to),
            ("beyond the ledger", dir.path().join(format!("queues.damaged-{n}")))
        );
        assert_eq!((queues.rows(), queues.mark()), (0, None));
        queues.apply(at(7), vec![put(Table::Records, b"p", b"q")]).expect("applied");
    }
    let left = fs::read_dir(dir.path()).expect("listed").filter(|e| {
        e.as_ref().expect("an entry").file_name().to_string_lossy().starts_with("queues.damaged-")
    });
    assert_eq!(left.count(), 2);
    drop(queues);
    let (queues, report) = Queues::open(&small(dir.path())).expect("opened");
    assert_eq!((report, queues.rows()), (QueuesReport::Opened { mark: at(7) }, 1));
}

/// Damages a filled folder, opens it and requires that the rows are exactly some durable state or gone and reported.
fn survives(name: &str, damage: impl FnOnce(&Path)) {
    let dir = temp();
    let rows = filled(dir.path());
    damage(&dir.path().join("queues"));
    let (queues, report) = Queues::open(&small(dir.path())).unwrap_or_else(|e| panic!("{name}: {e}"));
    let found = queues.scan(Table::Inbox, b"", None, 10_000).expect("scanned");
    match &report {
        QueuesReport::Opened { mark } => {
            let batches = (mark.commit / 4096) as usize;
            assert_eq!(found, rows[..batches * 100], "{name}: other rows than the mark says");
        }
        QueuesReport::Fresh => assert!(found.is_empty(), "{name}"),
        QueuesReport::Rebuilding { moved_to, .. } => assert!(found.is_empty() && moved_to.exists(), "{name}"),
    }
    queues.apply(at(30), vec![put(Table::Records, b"p", b"q")]).unwrap_or_else(|e| panic!("{name}: {e}"));
    queues.flush().expect("flushed");
    drop(queues);
    let (_, report) = Queues::open(&small(dir.path())).expect("opened");
    assert_eq!(report, QueuesReport::Opened { mark: at(30) }, "{name}");
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).expect("listed").map(|e| e.expect("an entry").path());
    entries.filter(|p| p.is_file()).collect()
}

#[test]
fn deleted_folders_and_files_are_survived() {
    survives("folder deleted", |folder| fs::remove_dir_all(folder).expect("removed"));
    survives("folder is a file", |folder| {
        fs::remove_dir_all(folder).expect("removed");
        fs::write(folder, b"noise").expect("written");
    });
    survives("db deleted", |folder| fs::remove_file(folder.join("db")).expect("removed"));
    survives("conf deleted", |folder| fs::remove_file(folder.join("conf")).expect("removed"));
    survives("snapshots deleted", |folder| {
        files(folder)
            .iter()
            .filter(|p| p.to_string_lossy().contains("snap."))
            .for_each(|p| fs::remove_file(p).expect("removed"));
    });
}

#[test]
fn truncated_files_are_survived() {
    for part in [0, 1, 3, 5, 7] {
        survives(&format!("db cut to {part}/8"), |folder| {
            let file = fs::OpenOptions::new().write(true).open(folder.join("db")).expect("db");
            let len = file.metadata().expect("metadata").len();
            file.set_len(len * part / 8 + part).expect("cut");
        });
    }
    survives("all cut to 5 bytes", |folder| {
        for path in files(folder) {
            fs::OpenOptions::new().write(true).open(path).and_then(|f| f.set_len(5)).expect("cut");
        }
    });
}

#[test]
fn noise_is_survived() {
    for (nth, part) in [0, 10, 100, 300, 700, 950].into_iter().enumerate() {
        survives(&format!("noise in db at {part}/1000"), |folder| {
            let path = folder.join("db");
            let mut bytes = fs::read(&path).expect("db");
            let start = bytes.len() * part / 1000;
            let end = (start + 3000).min(bytes.len());
            noise(&mut bytes[start..end], nth as u64 + 1);
            fs::write(&path, bytes).expect("written");
        });
    }
    survives("noise in every file", |folder| {
        for (nth, path) in files(folder).into_iter().enumerate() {
            let mut bytes = fs::read(&path).expect("a file");
            noise(&mut bytes, nth as u64 + 77);
            fs::write(&path, bytes).expect("written");
        }
    });
}

#[test]
fn flipped_bits_are_survived() {
    for nth in 0..24_u64 {
        survives(&format!("flipped bit {nth}"), |folder| {
            let path = folder.join("db");
            let mut bytes = fs::read(&path).expect("db");
            let used = bytes.iter().rposition(|b| *b != 0).unwrap_or(0) + 1;
            let at = (used as u64 * nth / 24 + nth * 131) as usize % used;
            bytes[at] ^= 1 << (nth % 8);
            fs::write(&path, bytes).expect("written");
        });
    }
}

fn noise(bytes: &mut [u8], seed: u64) {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for byte in bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        *byte = state as u8;
    }
}
