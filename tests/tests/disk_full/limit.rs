//! A configured limit of the data folder: the work itself fills it up. Needs no root.

use crate::is_soak;
use crate::traffic::reason;
use lienthong_proto::v1;
use lienthong_store::Space;
use lienthong_tests::{BOUND, Province, broker, eventually, read_ledger};

const LIMIT: u64 = 128 << 20;

#[tokio::test]
async fn a_data_folder_stays_within_its_limit_and_still_decides() {
    let dir = tempfile::tempdir().unwrap();
    let Some(broker) = broker(dir.path()).await else { return };
    let mut province = Province::lay_out_with(&broker.url(), &[&["a"], &["b"]], |config| {
        if config.node.name == "b" {
            config.store.disk_limit_bytes = LIMIT;
            config.store.disk_reserve_bytes = 24 << 20;
        }
    });
    province.start().await;
    let (a, b, ops) = (province.desk("a"), province.desk("b"), province.ops("b"));
    let open = a.submit("open", b"x").await.unwrap().dossier_id;
    a.offer("offer", &open, "b").await.unwrap();
    b.until(&open, v1::Phase::Inbox).await;

    let content = vec![7; 500_000];
    let mut taken = 0;
    let refused = loop {
        match b.submit(&format!("fill-{taken}"), &content).await {
            Ok(_) => taken += 1,
            Err(refused) => break refused,
        }
        assert!(taken < 1_000, "the limit is not kept");
    };
    assert_eq!(reason(&refused), "LT510_STORAGE_FULL", "{refused:?}");
    // A call that was carried out before is answered as before; a new note is new work, a decision is not.
    assert!(b.submit("fill-0", &content).await.unwrap().repeated_call);
    b.accept("accept", &open).await.expect("a decision");
    a.until(&open, v1::Phase::Gone).await;
    b.complete("complete", &open).await.expect("the end of a work");
    let told = ops.status().await.unwrap().storage.unwrap();
    assert_eq!(told.level(), v1::StorageLevel::FinishingOnly);
    assert!(told.since_ms > 0 && told.limit_bytes == LIMIT, "{told:?}");
    let data = province.node("b").data.clone();
    let used = Space { dir: data.clone(), limit_bytes: None, reserve_bytes: 0 }.look().unwrap().used;
    println!(
        "VERDICT disk_full: limit of {} MiB: {taken} dossiers of 500 kB, {} MiB used",
        LIMIT >> 20,
        used >> 20
    );
    assert!(used <= LIMIT, "{used} bytes used");
    eventually(BOUND, "the outbox of b is empty but for nothing", async || {
        (ops.agency().await.ok()?.outbox == 0).then_some(())
    })
    .await;
    province.stop().await;
    read_ledger(&data);
}

/// Until nothing at all can be written, which takes ten thousand small records: only in the long run.
#[tokio::test]
async fn when_the_reserve_is_used_up_the_node_stays_and_says_so() {
    if !is_soak() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let Some(broker) = broker(dir.path()).await else { return };
    let mut province = Province::lay_out_with(&broker.url(), &[&["b"]], |config| {
        config.store.disk_limit_bytes = LIMIT;
        config.store.disk_reserve_bytes = 48 << 20;
    });
    province.start().await;
    let (b, ops) = (province.desk("b"), province.ops("b"));
    let id = b.submit("s", b"content").await.unwrap().dossier_id;
    let mut reads = 0;
    let refused = loop {
        // Each read is a record, and each record a commit of its own: a page.
        match b.content(&id).await {
            Ok(_) => reads += 1,
            Err(refused) => break refused,
        }
        assert!(reads < 60_000, "the reserve has no end");
    };
    assert_eq!(reason(&refused), "LT510_STORAGE_FULL", "{refused:?}");
    let told = ops.status().await.expect("the node is there").storage.unwrap();
    assert_eq!(told.level(), v1::StorageLevel::Out, "{told:?}");
    assert_eq!(reason(&b.complete("done", &id).await.unwrap_err()), "LT510_STORAGE_FULL");
    assert_eq!(b.get(&id).await.expect("reading goes on").phase(), v1::Phase::Held);
    println!("VERDICT disk_full: {reads} records from the reserve, then nothing is written");
    province.stop().await;
    let node = province.node("b");
    let text = std::fs::read_to_string(&node.config).unwrap();
    let more =
        text.replace(&format!("disk_limit_bytes = {LIMIT}"), &format!("disk_limit_bytes = {}", LIMIT * 2));
    assert_ne!(text, more);
    std::fs::write(&node.config, more).unwrap();
    node.start().await;
    b.complete("done", &id).await.expect("it goes on where there is room");
    province.stop().await;
    read_ledger(&province.node("b").data);
}
