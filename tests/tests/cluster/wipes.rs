//! NATS loses everything again and again, and an old store of it is put back, under load.

use crate::scene::{AGENCIES, Scene, turn};
use lienthong_link::server::NatsServer;
use lienthong_tests::{LONG, broker, eventually, is_soak, watched_broker};
use nix::sys::signal::Signal;
use std::path::Path;
use std::process::Command;

/// Officers at work at the same time.
const CARRIERS: usize = 24;
/// Messages that the old store must hold for its return to mean anything.
const OLD_MESSAGES: u64 = 4;

/// Rows in all outboxes: what NATS held, or would have been given.
async fn on_their_way(scene: &mut Scene) -> u64 {
    let mut rows = 0;
    for agency in AGENCIES {
        rows += scene.province.ops(agency).agency().await.unwrap().outbox;
    }
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn nats_loses_everything_again_and_again() {
    let _turn = turn().await;
    let dir = tempfile::tempdir().unwrap();
    let Some(mut broker) = broker(dir.path()).await else { return };
    let (wipes, dossiers) = if is_soak() { (10, 3_334) } else { (2, 100) };
    let mut scene = Scene::begin(&broker.url(), CARRIERS, dossiers).await;
    let mut waiting = Vec::new();
    for wipe in 1..=wipes {
        scene.officers.until_handed(3 * dossiers as u64 * wipe / (wipes + 1)).await;
        broker.kill().await;
        waiting.push(on_their_way(&mut scene).await);
        std::fs::remove_dir_all(broker.store_dir()).unwrap();
        broker.restart().await.unwrap();
    }
    assert!(waiting.iter().all(|rows| *rows > 0), "something was on its way at each loss: {waiting:?}");
    let what =
        format!("NATS killed and its store deleted {wipes} times, with {waiting:?} statements on their way");
    scene.end(3 * dossiers as u64, what).await;
}

fn copy(from: &Path, to: &Path) {
    let done = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(done.success(), "the store is copied");
}

/// Puts what `set_aside` holds in the place of the store, and starts the server on it.
async fn put_back(broker: &mut NatsServer, set_aside: &Path) {
    broker.kill().await;
    std::fs::remove_dir_all(broker.store_dir()).unwrap();
    copy(set_aside, broker.store_dir());
    broker.restart().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_store_of_nats_is_put_back() {
    let _turn = turn().await;
    let dir = tempfile::tempdir().unwrap();
    let Some((mut broker, monitor)) = watched_broker(dir.path()).await else { return };
    let (returns, dossiers) = if is_soak() { (5, 1_000) } else { (1, 60) };
    let all = 3 * dossiers as u64;
    let mut scene = Scene::begin(&broker.url(), CARRIERS, dossiers).await;
    let set_aside = dir.path().join("set-aside");

    // With c silent, what is sent to it stays in its mailbox and is set aside.
    scene.officers.until_handed(all / 6).await;
    scene.province.node("c").signal(Signal::SIGSTOP);
    let held = async || monitor.messages().await.filter(|messages| *messages >= OLD_MESSAGES);
    eventually(LONG, "the mailbox of c fills", held).await;
    // Then all are silent, so that what is set aside can be counted.
    ["a", "b"].iter().for_each(|agency| scene.province.node(agency).signal(Signal::SIGSTOP));
    broker.kill().await;
    copy(broker.store_dir(), &set_aside);
    broker.restart().await.unwrap();
    let old = eventually(LONG, "the server tells what it holds", async || monitor.messages().await).await;
    assert!(old > 0, "there is something to rise again");
    AGENCIES.iter().for_each(|agency| scene.province.node(agency).signal(Signal::SIGCONT));

    let mut risen = Vec::new();
    for time in 1..=returns {
        scene.officers.until_handed(all / 6 + all * 4 * time / 6 / returns).await;
        AGENCIES.iter().for_each(|agency| scene.province.node(agency).signal(Signal::SIGSTOP));
        put_back(&mut broker, &set_aside).await;
        let back = async || monitor.messages().await.filter(|messages| *messages >= old);
        risen.push(eventually(LONG, "the old messages are there again", back).await);
        AGENCIES.iter().for_each(|agency| scene.province.node(agency).signal(Signal::SIGCONT));
    }
    let what = format!("an old NATS store put back {returns} times, {risen:?} old messages rose again");
    scene.end(all, what).await;
}
