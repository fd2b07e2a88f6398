//! What one peer may have waiting: in an inbox, and in the outbox of others.

use lienthong_proto::v1;
use lienthong_tests::{BOUND, Province, broker, eventually};
use tonic_types::StatusExt;

#[tokio::test]
async fn a_peer_that_is_away_is_offered_only_so_much() {
    let dir = tempfile::tempdir().unwrap();
    let Some(broker) = broker(dir.path()).await else { return };
    let mut province =
        Province::lay_out_with(&broker.url(), &[&["a"], &["b"]], |config| config.limits.outbox_per_peer = 3);
    province.node("a").start().await;
    let a = province.desk("a");
    let mut ids = Vec::new();
    for n in 0..4 {
        ids.push(a.submit(&format!("s{n}"), b"x").await.unwrap().dossier_id);
    }
    for (n, id) in ids.iter().take(3).enumerate() {
        a.offer(&format!("o{n}"), id, "b").await.expect("there is room for three");
    }
    let refused = a.offer("o3", &ids[3], "b").await.unwrap_err();
    assert_eq!(refused.get_details_error_info().unwrap().reason, "LT511_PEER_BACKLOG");
    assert!(refused.get_details_retry_info().is_some(), "{refused:?}");
    assert_eq!(a.get(&ids[3]).await.unwrap().phase(), v1::Phase::Held, "nothing was promised");
    a.offer("o0", &ids[0], "b").await.expect("what was done is told again");
    province.node("b").start().await;
    let offered = async || a.offer("o3", &ids[3], "b").await.ok();
    eventually(BOUND, "the peer is back and takes more", offered).await;
    province.stop().await;
}

#[tokio::test]
async fn an_inbox_takes_only_so_much_of_one_peer_and_the_rest_waits_with_its_sender() {
    let dir = tempfile::tempdir().unwrap();
    let Some(broker) = broker(dir.path()).await else { return };
    let mut province = Province::lay_out_with(&broker.url(), &[&["a"], &["b"], &["c"]], |config| {
        config.limits.inbox_per_peer = 2;
    });
    province.start().await;
    let (a, b, c) = (province.desk("a"), province.desk("b"), province.desk("c"));
    let mut ids = Vec::new();
    for n in 0..3 {
        let id = a.submit(&format!("s{n}"), b"x").await.unwrap().dossier_id;
        a.offer(&format!("o{n}"), &id, "b").await.unwrap();
        ids.push(id);
        if n < 2 {
            b.until(&ids[n], v1::Phase::Inbox).await;
        }
    }
    // Another peer has an allowance of its own.
    let other = c.submit("s", b"x").await.unwrap().dossier_id;
    c.offer("o", &other, "b").await.unwrap();
    b.until(&other, v1::Phase::Inbox).await;
    let told = async || province.node("b").log().contains("limits.inbox_per_peer").then_some(());
    eventually(BOUND, "the operator is told why the third waits", told).await;
    assert!(b.get(&ids[2]).await.is_err(), "the third is not taken");
    assert_eq!(province.ops("b").agency().await.unwrap().quarantined, 0);
    b.accept("yes", &ids[0]).await.unwrap();
    b.until(&ids[2], v1::Phase::Inbox).await;
    b.accept("also", &ids[2]).await.unwrap();
    a.until(&ids[2], v1::Phase::Gone).await;
    province.stop().await;
}
