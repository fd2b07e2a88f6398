//! What a start makes of the anchor: behind is normal, missing or damaged or of another ledger is an old copy. All
//! agencies are in one process, so all of them recover at once.

mod common;

use common::{accept, act, config, dossier, offer, start, submit};
use lienthong_node::{BootError, Node, Running};
use lienthong_proto::v1;
use lienthong_proto::v1::node_service_client::NodeServiceClient;
use lienthong_runtime::NodeConfig;
use lienthong_store::anchor::{self, Read};
use lienthong_store::backup::backup;
use std::path::PathBuf;
use std::time::Duration;

const AGENCIES: [&str; 3] = ["xa", "so", "chi-cuc"];

fn anchor_dir(config: &NodeConfig) -> PathBuf {
    config.node.anchor_dir().unwrap()
}

async fn status(node: &Running) -> Vec<v1::AgencyStatus> {
    let mut client = NodeServiceClient::connect(format!("http://{}", node.address)).await.unwrap();
    client.get_status(v1::GetStatusRequest {}).await.unwrap().into_inner().agencies
}

/// Waits until no agency recovers; gives the causes.
async fn causes(node: &Running) -> Vec<v1::RecoveryCause> {
    let mut look = tokio::time::interval(Duration::from_millis(20));
    let looking = async {
        loop {
            look.tick().await;
            let told: Vec<_> = status(node).await.into_iter().map(|a| a.recovery).collect();
            if told.iter().flatten().all(|r| r.ended_ms > 0) {
                return told.into_iter().flatten().map(|r| r.cause()).collect();
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), looking).await.expect("all recover")
}

async fn end(node: Running) {
    assert!(node.shutdown(std::future::pending::<()>()).await.is_clean());
}

/// One dossier handed over; everything is ended.
async fn worked(config: &NodeConfig) -> String {
    let (node, mut client) = start(config).await;
    let id = submit(&mut client, "s").await.dossier_id;
    offer(&mut client, "xa", "so", &id).await;
    accept(&mut client, "so", &id).await;
    assert!(causes(&node).await.is_empty(), "a first start is no old copy");
    end(node).await;
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ordinary_start_recovers_nothing_and_keeps_the_anchor_level() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(dir.path(), &AGENCIES);
    worked(&config).await;
    let Read::Whole(early) = anchor::read(&anchor_dir(&config)).unwrap() else { panic!("an anchor") };
    assert_eq!(early.len(), 3);
    let (node, mut client) = start(&config).await;
    submit(&mut client, "s2").await;
    assert!(causes(&node).await.is_empty());
    let sizes: Vec<u64> = status(&node).await.iter().map(|a| a.ledger_size).collect();
    end(node).await;
    let Read::Whole(late) = anchor::read(&anchor_dir(&config)).unwrap() else { panic!("an anchor") };
    assert!(
        late.values().zip(&sizes).all(|(anchored, size)| anchored.head.size >= *size),
        "{late:?} {sizes:?}"
    );
    // A power cut leaves it behind.
    anchor::write(&anchor_dir(&config), &early).unwrap();
    let (node, _) = start(&config).await;
    assert!(causes(&node).await.is_empty());
    end(node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_sound_anchor_all_agencies_recover_and_then_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(dir.path(), &AGENCIES);
    let id = worked(&config).await;
    let file = anchor_dir(&config).join(anchor::NAME);
    std::fs::remove_file(&file).unwrap();
    let (node, mut client) = start(&config).await;
    // The third has said nothing that anybody could hold against it: its ledger is as good as new.
    assert_eq!(causes(&node).await, [v1::RecoveryCause::NoAnchor; 2]);
    assert_eq!(common::get(&mut client, "so", &id).await.phase(), v1::Phase::Held);
    end(node).await;
    std::fs::write(&file, "lienthong-anchor 1\nso 1").unwrap();
    let (node, mut client) = start(&config).await;
    assert_eq!(causes(&node).await, [v1::RecoveryCause::NoAnchor; 3]);
    assert_eq!(common::get(&mut client, "so", &id).await.phase(), v1::Phase::Held);
    let incarnations: Vec<u64> = status(&node).await.iter().map(|a| a.incarnation).collect();
    assert_eq!(incarnations.iter().sum::<u64>(), 2 + 2 + 1, "each recovery is a new incarnation");
    let note = v1::AddNoteRequest { act: act("so", "n"), dossier: dossier(&id), text: "Đã xem".into() };
    client.add_note(note).await.unwrap();
    end(node).await;
    let (node, _) = start(&config).await;
    assert!(causes(&node).await.is_empty(), "it is over");
    end(node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_agency_is_judged_on_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let all = config(dir.path(), &AGENCIES);
    let mut some = all.clone();
    some.node.agencies.pop();
    let (node, mut client) = start(&some).await;
    submit(&mut client, "s").await;
    end(node).await;
    let folder = anchor_dir(&all);
    let (node, _) = start(&all).await;
    assert!(causes(&node).await.is_empty(), "an agency that joins is new, not old");
    end(node).await;
    let Read::Whole(mut anchor) = anchor::read(&folder).unwrap() else { panic!("an anchor") };
    for (agency, anchored) in &mut anchor {
        match agency.as_str() {
            "xa" => anchored.head.size += 1,
            "so" => anchored.incarnation.0 += 5,
            _ => {}
        }
    }
    anchor::write(&folder, &anchor).unwrap();
    let (node, _) = start(&all).await;
    let told = causes(&node).await;
    let causes: Vec<_> = told.iter().collect();
    let expected = [v1::RecoveryCause::AnchorForks, v1::RecoveryCause::AnchorAhead];
    assert!(causes.len() == 2 && expected.iter().all(|e| causes.contains(&e)), "{causes:?}");
    end(node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_was_cut_off_starts_no_new_ledger() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(dir.path(), &AGENCIES);
    worked(&config).await;
    let (data, copy) = (config.node.data_dir.clone(), dir.path().join("copy"));
    backup(&data, &copy, 1, |_, _| {}).unwrap();
    std::fs::remove_dir_all(&data).unwrap();
    lienthong_store::restore::restore(&copy, &data, 2, |_, _| {}).unwrap();
    std::fs::rename(data.join("ledger"), dir.path().join("not there yet")).unwrap();
    let refused = Node::start(&config, None).await.err();
    assert!(matches!(refused, Some(BootError::RestoreUnfinished(_))), "{refused:?}");
    assert!(!data.join("ledger").exists(), "no ledger was begun");
    std::fs::rename(dir.path().join("not there yet"), data.join("ledger")).unwrap();
    let (node, _) = start(&config).await;
    assert_eq!(causes(&node).await, [v1::RecoveryCause::Restored; 3]);
    end(node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_anchor_that_cannot_be_kept_is_told_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path(), &AGENCIES);
    std::fs::write(dir.path().join("a-file"), "").unwrap();
    config.node.anchor = Some(dir.path().join("a-file"));
    let refused = Node::start(&config, None).await.err();
    assert!(matches!(refused, Some(BootError::Anchor { .. })), "{refused:?}");
}
