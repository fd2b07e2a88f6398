//! Starting from a snapshot gives what replaying everything gives; a snapshot that is damaged, or that the ledger does
//! not vouch for, is passed over.

mod common;

use common::{Fixture, get, submit};
use lienthong_proto::v1;
use std::path::{Path, PathBuf};

fn snapshots(dir: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(dir.join("data/snapshots"))
        .map(|entries| entries.filter_map(|e| Some(e.ok()?.path())).collect())
        .unwrap_or_default();
    found.sort();
    found
}

/// Submits until so many snapshots lie in the folder and are in the ledgers of both agencies; gives the dossiers.
async fn until_snapshots(fixture: &Fixture, count: usize) -> Vec<v1::Dossier> {
    let (node, mut client) = fixture.start().await;
    let (mut dossiers, mut last, mut recorded) = (Vec::new(), None, 0);
    for n in 0..2_000 {
        let done = submit(&mut client, &format!("k{}-{n}", count)).await;
        dossiers.push(get(&mut client, "xa", &done.dossier_id).await);
        // Between two intakes nothing but a snapshot is recorded.
        recorded += last.map_or(0, |last| done.ledger_index - last - 1);
        last = Some(done.ledger_index);
        if snapshots(fixture.path()).len() >= count && recorded >= count as u64 {
            break;
        }
    }
    assert_eq!(snapshots(fixture.path()).len(), count, "snapshots are taken every 20 records");
    assert!(node.shutdown(std::future::pending::<()>()).await.is_clean());
    dossiers
}

async fn expect_all(fixture: &Fixture, dossiers: &[v1::Dossier], report: &[&str]) {
    let (node, mut client) = fixture.start().await;
    for dossier in dossiers {
        assert_eq!(&get(&mut client, "xa", &dossier.id).await, dossier);
    }
    let told = node.report.join("\n");
    assert!(report.iter().all(|part| told.contains(part)), "{told}");
    assert_eq!(report.is_empty(), told.is_empty(), "{told}");
    assert!(node.shutdown(std::future::pending::<()>()).await.is_clean());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_from_a_snapshot_equals_a_replay() {
    let mut fixture = Fixture::new(&["xa", "huyen"]);
    fixture.config.store.snapshot_every_records = 20;
    let dossiers = until_snapshots(&fixture, 2).await;
    expect_all(&fixture, &dossiers, &[]).await;

    // One flipped bit: the older one is used.
    let newest = snapshots(fixture.path()).pop().unwrap();
    let mut bytes = std::fs::read(&newest).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&newest, bytes).unwrap();
    expect_all(&fixture, &dossiers, &["not used"]).await;

    // None at all: everything is replayed.
    std::fs::remove_dir_all(fixture.path().join("data/snapshots")).unwrap();
    expect_all(&fixture, &dossiers, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_of_another_ledger_is_passed_over() {
    let mut one = Fixture::new(&["xa", "huyen"]);
    one.config.store.snapshot_every_records = 20;
    let dossiers = until_snapshots(&one, 1).await;
    let mut other = Fixture::new(&["xa", "huyen"]);
    other.config.store.snapshot_every_records = 20;
    until_snapshots(&other, 1).await;
    let (mine, foreign) = (snapshots(one.path()).remove(0), snapshots(other.path()).remove(0));
    std::fs::copy(foreign, mine).unwrap();
    expect_all(&one, &dossiers, &["not used"]).await;
}
