//! `kill -9` of random nodes at random moments, also while they start and several at once, under load.

use crate::scene::{AGENCIES, Scene, turn};
use lienthong_tests::{Dice, broker, is_soak};
use std::collections::BTreeMap;

/// Officers at work at the same time.
const CARRIERS: usize = 24;
/// At most so many hand-offs pass between two rounds of kills; then so many calls, so that no kill waits for an act to
/// end. Both by chance.
const HANDED: u64 = 12;
const CALLS: u64 = 60;
/// Of so many starts one is cut short by another kill.
const AGAIN: u64 = 4;

/// What was killed.
#[derive(Default)]
struct Kills {
    all: usize,
    starting: usize,
    together: usize,
}

/// One to three of the nodes: mostly one.
fn victims(dice: &mut Dice) -> Vec<&'static str> {
    let first = dice.below(3) as usize;
    let count = [1, 1, 1, 1, 1, 1, 2, 3][dice.below(8) as usize];
    (0..count).map(|n| AGENCIES[(first + n) % 3]).collect()
}

/// Kills, starts again, perhaps kills again while they start, and waits until they are ready.
async fn round(scene: &mut Scene, dice: &mut Dice, kills: &mut Kills) {
    let victims = victims(dice);
    for name in &victims {
        scene.province.node(name).kill().await;
        kills.all += 1;
        kills.together += usize::from(victims.len() > 1);
    }
    for name in &victims {
        scene.province.node(name).spawn(&BTreeMap::new());
    }
    if dice.below(AGAIN) == 0 {
        scene.officers.until_calls(scene.officers.calls() + 1 + dice.below(CALLS)).await;
        let node = scene.province.node(victims[0]);
        assert!(node.is_running(), "{} ended by itself at start:\n{}", node.name, node.log());
        node.kill().await;
        node.spawn(&BTreeMap::new());
        kills.all += 1;
        kills.starting += 1;
    }
    for name in &victims {
        let node = scene.province.node(name);
        if let Err(ended) = node.ready().await {
            panic!("{name} ended at start ({}):\n{}", ended.status, ended.log);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_again_and_again_under_load() {
    let _turn = turn().await;
    let dir = tempfile::tempdir().unwrap();
    let Some(broker) = broker(dir.path()).await else { return };
    let (wanted, least) = if is_soak() { (400, 2_000) } else { (8, 100) };
    let mut dice = Dice::thrown();
    let mut scene = Scene::begin(&broker.url(), CARRIERS, usize::MAX).await;
    let mut kills = Kills::default();
    while kills.all < wanted {
        scene.officers.until_handed(scene.officers.handed() + 1 + dice.below(HANDED)).await;
        scene.officers.until_calls(scene.officers.calls() + dice.below(CALLS)).await;
        round(&mut scene, &mut dice, &mut kills).await;
    }
    // Enough for a verdict, also where the kills left little time.
    scene.officers.until_handed(least).await;
    let Kills { all, starting, together } = kills;
    let what = format!("kill -9: {all} kills ({starting} while starting, {together} of several at once)");
    scene.end(least, what).await;
}
