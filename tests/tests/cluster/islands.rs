//! Nodes in network namespaces of their own, cut off from NATS one after the other, whole or in one direction: they go
//! on working, the others too, and all is level when the cable is mended.

use crate::scene::{AGENCIES, Scene, turn};
use lienthong_tests::{Cut, Dice, Island, LONG, Line, Province, Quality, broker, eventually, is_soak};
use std::net::SocketAddr;

/// Officers who carry around all three, and those who carry between each two.
const CARRIERS: usize = 12;
const PAIRS: usize = 4;
/// Hand-offs between the two others while one is cut off, and around all three when it is back.
const MEANWHILE: u64 = 40;

#[tokio::test(flavor = "multi_thread")]
async fn nodes_are_cut_off_whole_and_in_one_direction() {
    let _turn = turn().await;
    let dir = tempfile::tempdir().unwrap();
    let Some(broker) = broker(dir.path()).await else { return };
    let rounds = if is_soak() { 12 } else { 3 };
    let server: SocketAddr = ([127, 0, 0, 1], broker.port()).into();
    let (mut islands, mut lines) = (Vec::new(), Vec::new());
    for _ in AGENCIES {
        let Some(island) = Island::raise() else { return };
        lines.push(Line::lay(island.shore(), server, Quality::PLAIN).await.unwrap());
        islands.push(island);
    }
    let which = |name: &str| AGENCIES.iter().position(|agency| *agency == name).unwrap();
    let mut province = Province::lay_out_with(&broker.url(), &[&["a"], &["b"], &["c"]], |config| {
        let at = which(&config.node.name);
        config.link.url = format!("nats://{}", lines[at].address());
        config.grpc.listen = islands[at].door();
        config.grpc.plaintext_ok = true;
    });
    for (agency, island) in AGENCIES.iter().zip(&islands) {
        province.node(agency).live_on(island);
    }
    province.start().await;
    let mut scene = Scene::staff(province, CARRIERS, usize::MAX);
    scene.add_pairs(PAIRS);
    let mut dice = Dice::thrown();
    let (mut meanwhile, mut waited, mut noticed) = (0, 0, 0);
    for round in 0..rounds {
        let victim = dice.below(3) as usize;
        let how = [Cut::Whole, Cut::Deaf, Cut::Mute][round % 3];
        scene.officers.until_handed(scene.officers.handed() + 1 + dice.below(MEANWHILE)).await;
        islands[victim].cut(how);
        let pair = scene.pairs[victim].clone();
        let before = pair.handed();
        pair.until_handed(before + MEANWHILE).await;
        meanwhile += pair.handed() - before;
        // It goes on working for its own officers, and what they do waits.
        let ops = scene.province.ops(AGENCIES[victim]);
        let waits = async || ops.agency().await.ok().map(|agency| agency.outbox).filter(|rows| *rows > 0);
        waited += eventually(LONG, "something waits at the node that is cut off", waits).await;
        // In the long form every second time until it knows that it is cut off; a short cut is only a pause.
        if is_soak() && round % 2 == 1 {
            let knows = async || ops.status().await.is_ok_and(|status| !status.link_connected).then_some(());
            eventually(LONG, "the node knows that it is cut off", knows).await;
            noticed += 1;
        }
        islands[victim].mend(how);
        scene.officers.until_handed(scene.officers.handed() + MEANWHILE).await;
    }
    let what = format!(
        "a node cut off {rounds} times, whole, deaf and mute in turn, {noticed} times until it knew: {meanwhile} \
         hand-offs between the others meanwhile, {waited} statements waited at it"
    );
    scene.end(2 * MEANWHILE * rounds as u64, what).await;
}
