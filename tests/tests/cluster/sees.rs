//! The judge can say no: an act that was told and is not in a ledger is lost, one that is there and was not told is
//! doubled, and a damaged ledger is a fault.

use crate::scene::{AGENCIES, Scene, turn};
use lienthong_tests::{broker, judge};
use std::os::unix::fs::FileExt;

/// A byte in the first commit behind its header.
const FLIPPED_AT: u64 = 4_096 + 200;

#[tokio::test(flavor = "multi_thread")]
async fn the_judge_is_red_for_what_is_lost_doubled_or_damaged() {
    let _turn = turn().await;
    let dir = tempfile::tempdir().unwrap();
    let Some(broker) = broker(dir.path()).await else { return };
    let (mut province, carried) = Scene::begin(&broker.url(), 4, 8).await.stopped().await;
    let mut red = |carried: &[_]| judge(&mut province, &AGENCIES, carried);
    red(&carried).must_be_whole();

    let mut more_told = carried.clone();
    more_told[0].steps.push(("returned", carried[0].home));
    more_told[1].id = "0".repeat(64);
    let judged = red(&more_told);
    assert_eq!((judged.lost, judged.doubled), (1 + carried[1].steps.len(), 0), "{judged}");
    // The first one's home proves too little; of the second nobody was told, and three parties prove nothing of what was.
    assert_eq!(judged.faults.len(), 1 + 1 + 3, "{judged:?}");

    let mut less_told = carried.clone();
    less_told[0].steps.pop();
    let judged = red(&less_told);
    assert_eq!((judged.lost, judged.doubled), (0, 1), "{judged}");

    let segment = province.node("b").data.join("ledger");
    let first = std::fs::read_dir(segment).unwrap().map(|e| e.unwrap().path()).min().unwrap();
    let file = std::fs::File::options().read(true).write(true).open(first).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, FLIPPED_AT).unwrap();
    file.write_all_at(&[byte[0] ^ 1], FLIPPED_AT).unwrap();
    let judged = judge(&mut province, &AGENCIES, &carried);
    assert!(judged.faults.iter().any(|fault| fault.contains("the ledger of b")), "{judged:?}");
}
