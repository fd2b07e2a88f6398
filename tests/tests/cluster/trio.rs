//! One server of a cluster of three is cut off and comes back, under load: killed, killed and emptied, or silent.

use crate::scene::{Scene, turn};
use lienthong_link::server::NatsServer;
use lienthong_tests::{LONG, Trio, eventually, is_soak, signal_broker};
use nix::sys::signal::Signal;

/// Officers at work at the same time.
const CARRIERS: usize = 16;
/// Hand-offs that must pass while a server is away, and again when it is back: more than could pass without one of the
/// three mailboxes, for each officer would be stuck after two.
const MEANWHILE: u64 = 60;

/// How a server goes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Away {
    Killed,
    Emptied,
    Silent,
}

async fn back(server: &mut NatsServer, away: Away) {
    match away {
        Away::Silent => signal_broker(server, Signal::SIGCONT),
        Away::Killed => server.restart().await.unwrap(),
        Away::Emptied => {
            std::fs::remove_dir_all(server.store_dir()).unwrap();
            server.restart().await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_nats_server_of_three_is_cut_off() {
    let _turn = turn().await;
    let dir = tempfile::tempdir().unwrap();
    let Some(mut trio) = Trio::start(dir.path()).await else { return };
    let rounds = if is_soak() { 12 } else { 2 };
    let scene =
        Scene::begin_with(&trio.url(), CARRIERS, usize::MAX, |config| config.link.mailbox_replicas = 3).await;
    scene.officers.until_handed(MEANWHILE).await;
    let (mut meanwhile, mut ways) = (0, Vec::new());
    for round in 0..rounds {
        let away = [Away::Killed, Away::Silent, Away::Emptied][round % 3];
        let server = &mut trio.servers[round % 3];
        match away {
            Away::Killed | Away::Emptied => server.kill().await,
            Away::Silent => signal_broker(server, Signal::SIGSTOP),
        }
        let before = scene.officers.handed();
        scene.officers.until_handed(before + MEANWHILE).await;
        meanwhile += scene.officers.handed() - before;
        back(server, away).await;
        let healthy = async || trio.monitors[round % 3].is_healthy().await.then_some(());
        eventually(LONG, &format!("server {} has caught up", round % 3), healthy).await;
        scene.officers.until_handed(scene.officers.handed() + MEANWHILE).await;
        ways.push(format!("{away:?}"));
    }
    let least = 2 * MEANWHILE * rounds as u64;
    let what = format!(
        "one NATS server of three, R3, cut off {rounds} times ({}), {meanwhile} hand-offs meanwhile",
        ways.join(", ")
    );
    scene.end(least, what).await;
}
