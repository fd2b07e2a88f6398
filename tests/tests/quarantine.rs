//! Envelopes in quarantine: shown, released, discarded with who and why in the ledger; and an envelope that crashes its
//! handler is tried three times and then kept aside, while the node goes on.

use lienthong_core::record::{Record, Settling};
use lienthong_proto::v1;
use lienthong_store::verify::verify_dir;
use lienthong_tests::{BOUND, Province, broker, eventually};
use lienthong_wire::record::decode_record;
use std::collections::BTreeMap;
use std::path::Path;
use tonic::Code;

/// Publishes some bytes in the name of `from`.
async fn publish(port: u16, from: &str, to: &str, bytes: &[u8]) {
    lienthong_tests::publish(port, &format!("lt.v1.{to}.from.{from}.offer"), bytes).await;
}

/// What officers did with the quarantine, as the ledger of a stopped node says.
fn settled(data: &Path) -> Vec<(Settling, String, String)> {
    let mut found = Vec::new();
    let take = |stored: lienthong_store::StoredRecord| {
        let record = decode_record(stored.payload, &stored.proof, None).unwrap();
        if let Record::QuarantineSettled(s) = record {
            found.push((s.settling, s.officer.id, s.why));
        }
    };
    verify_dir(data, |_, _| {}, take).unwrap();
    found
}

#[tokio::test]
async fn what_is_kept_is_shown_released_and_discarded() {
    let dir = tempfile::tempdir().unwrap();
    let Some(broker) = broker(dir.path()).await else { return };
    let mut province = Province::lay_out(&broker.url(), &[&["a"], &["b"]]);
    province.start().await;
    let (b, mut ops) = (province.desk("b"), province.ops("b"));
    for noise in ["one", "another"] {
        publish(broker.port(), "a", "b", noise.as_bytes()).await;
    }
    let kept = eventually(BOUND, "both are kept", async || {
        ops.quarantine().await.ok().filter(|kept| kept.len() == 2)
    })
    .await;
    let number = kept[0].ledger_index;
    let get = |number| v1::GetQuarantinedRequest { agency: "b".into(), ledger_index: number };
    let shown = ops.client.get_quarantined(get(number)).await.unwrap().into_inner();
    assert!(shown.whole && shown.reason_now == 103 && shown.statement_type.is_empty(), "{shown:?}");

    let discard = |key: &str, number, why: &str| v1::DiscardQuarantinedRequest {
        act: b.act(key),
        ledger_index: number,
        why: why.into(),
    };
    let refused = ops.client.discard_quarantined(discard("no-why", number, " ")).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    let refused = ops.client.discard_quarantined(discard("none", number + 1_000, "x")).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound, "{refused:?}");
    let done = ops.client.discard_quarantined(discard("bo", number, "gửi nhầm")).await.unwrap().into_inner();
    let again = ops.client.discard_quarantined(discard("bo", number, "gửi nhầm")).await.unwrap().into_inner();
    assert!(!done.repeated_call && again.repeated_call && done.ledger_index == again.ledger_index);
    assert_eq!(ops.client.get_quarantined(get(number)).await.unwrap_err().code(), Code::NotFound);

    // What is still nothing is refused again and kept again, under a new number; the same bytes are not lost.
    let other = kept[1].ledger_index;
    let release =
        v1::ReleaseQuarantinedRequest { act: b.act("tha"), ledger_index: other, why: "thử lại".into() };
    let released = ops.client.release_quarantined(release.clone()).await.unwrap().into_inner();
    assert_eq!((released.reason, released.repeated_call), (103, false), "{released:?}");
    let left = ops.quarantine().await.unwrap();
    assert_eq!((left.len(), left[0].sha256 == kept[1].sha256), (1, true));
    assert!(left[0].ledger_index > other);
    assert!(ops.client.release_quarantined(release).await.unwrap().into_inner().repeated_call);

    province.node("b").stop().await;
    province.node("b").start().await;
    assert_eq!(ops.quarantine().await.unwrap(), left, "a start knows what was settled");
    province.stop().await;
    let officer = "cb01".to_owned();
    assert_eq!(
        settled(&province.node("b").data),
        [
            (Settling::Discarded, officer.clone(), "gửi nhầm".to_owned()),
            (Settling::Released, officer, "thử lại".to_owned())
        ]
    );
}

/// Starts b with poison until it stays up; how often it ended.
async fn until_up(province: &mut Province, env: &BTreeMap<&str, String>) -> usize {
    let ops = province.ops("b");
    for ended in 0..10 {
        province.node("b").spawn(env);
        let node = province.node("b");
        let up = eventually(BOUND, "b ended, or keeps the poison aside", async || {
            if node.ended().is_some() {
                return Some(false);
            }
            let kept = ops.quarantine().await.ok()?;
            kept.iter().any(|k| k.reason_name == "LT420_HANDLER_CRASHED").then_some(true)
        });
        if up.await {
            return ended;
        }
    }
    panic!("b does not stay up");
}

async fn poison(switch: &str) {
    let dir = tempfile::tempdir().unwrap();
    let Some(broker) = broker(dir.path()).await else { return };
    let mut province = Province::lay_out(&broker.url(), &[&["a"], &["b"]]);
    province.start().await;
    let (a, b, mut ops) = (province.desk("a"), province.desk("b"), province.ops("b"));
    province.node("b").kill().await;
    let poison = a.submit("poison", b"x").await.unwrap().dossier_id;
    let offer = a.offer("poison-offer", &poison, "b").await.unwrap().hand_off_id;
    let good = a.submit("good", b"x").await.unwrap().dossier_id;
    a.offer("good-offer", &good, "b").await.unwrap();

    let env = BTreeMap::from([(switch, offer)]);
    assert_eq!(until_up(&mut province, &env).await, 3, "three attempts, and no more");
    b.until(&good, v1::Phase::Inbox).await;
    b.accept("accept", &good).await.unwrap();
    a.until(&good, v1::Phase::Gone).await;

    // Mended: released, it is taken like any other.
    province.node("b").stop().await;
    province.node("b").start().await;
    let kept = ops.quarantine().await.unwrap();
    let crashed = kept.iter().find(|k| k.reason_name == "LT420_HANDLER_CRASHED").unwrap();
    let shown = v1::GetQuarantinedRequest { agency: "b".into(), ledger_index: crashed.ledger_index };
    let shown = ops.client.get_quarantined(shown).await.unwrap().into_inner();
    assert_eq!((shown.maker.as_str(), &shown.dossier_id, shown.reason_now), ("a", &poison, 0), "{shown:?}");
    let release = v1::ReleaseQuarantinedRequest {
        act: b.act("mended"),
        ledger_index: crashed.ledger_index,
        why: "đã vá".into(),
    };
    let released = ops.client.release_quarantined(release).await.unwrap().into_inner();
    assert_eq!(released.reason, 0, "{released:?}");
    b.until(&poison, v1::Phase::Inbox).await;
    b.accept("accept-2", &poison).await.unwrap();
    a.until(&poison, v1::Phase::Gone).await;
    province.stop().await;
}

#[tokio::test]
async fn an_envelope_that_panics_is_tried_three_times_and_kept_aside() {
    poison("LIENTHONG_PANIC_ON_STATEMENT").await;
}

#[tokio::test]
async fn an_envelope_that_ends_the_process_at_once_is_tried_as_often() {
    poison("LIENTHONG_ABORT_ON_STATEMENT").await;
}
