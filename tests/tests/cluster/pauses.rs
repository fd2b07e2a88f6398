//! A node is stopped for a while, as by a virtual machine that is moved: the others go on, and it catches up.

use crate::scene::{AGENCIES, Scene, turn};
use lienthong_tests::{Dice, LONG, broker, eventually, is_soak};
use nix::sys::signal::Signal;

/// Officers who carry around all three, and those who carry between each two.
const CARRIERS: usize = 12;
const PAIRS: usize = 4;
/// Hand-offs between the two others while one is stopped, and around all three when it is back.
const MEANWHILE: u64 = 40;

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_node_catches_up_and_the_others_go_on() {
    let _turn = turn().await;
    let dir = tempfile::tempdir().unwrap();
    let Some(broker) = broker(dir.path()).await else { return };
    let rounds = if is_soak() { 20 } else { 2 };
    let mut dice = Dice::thrown();
    let mut scene = Scene::begin(&broker.url(), CARRIERS, usize::MAX).await;
    scene.add_pairs(PAIRS);
    let (mut meanwhile, mut waited) = (0, 0);
    for _ in 0..rounds {
        let victim = dice.below(3) as usize;
        scene.officers.until_handed(scene.officers.handed() + 1 + dice.below(MEANWHILE)).await;
        scene.province.node(AGENCIES[victim]).signal(Signal::SIGSTOP);
        let pair = scene.pairs[victim].clone();
        let before = pair.handed();
        pair.until_handed(before + MEANWHILE).await;
        // Something waits for it elsewhere, so that there is something to catch up with.
        let giver = scene.province.ops(AGENCIES[(victim + 2) % 3]);
        let waits = async || {
            let peers = giver.peers().await.ok()?;
            let peer = peers.into_iter().find(|peer| peer.agency == AGENCIES[victim])?;
            (peer.waiting > 0).then_some(peer.waiting)
        };
        waited += eventually(LONG, "something waits for the stopped node", waits).await;
        meanwhile += pair.handed() - before;
        scene.province.node(AGENCIES[victim]).signal(Signal::SIGCONT);
        scene.officers.until_handed(scene.officers.handed() + MEANWHILE).await;
    }
    let what = format!(
        "SIGSTOP of a node, {rounds} times: {meanwhile} hand-offs between the others meanwhile, {waited} \
         statements waited for it"
    );
    scene.end(2 * MEANWHILE * rounds, what).await;
}
