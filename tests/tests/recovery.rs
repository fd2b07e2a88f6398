//! Yesterday's copy of a node on a live province: it is recovered by its peers, whatever way it came to run, nobody
//! holds a dossier twice, and people are told. Real processes over a real nats-server.
//!
//! `LIENTHONG_SOAK=1` has more dossiers of each kind and kills a recovering node after each of its commits.

#[path = "recovery/loss.rs"]
mod loss;
#[path = "recovery/scene.rs"]
mod scene;

use lienthong_proto::v1;
use lienthong_tests::{Patience, eventually};
use loss::Loss;
use scene::{AGENCIES, Scene, Standing};
use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

/// A recovery asks again after two seconds, doubling: on a loaded machine several such pauses may pass.
const BOUND: Duration = Duration::from_secs(90);
const SIGKILL: i32 = 9;

fn is_soak() -> bool {
    std::env::var("LIENTHONG_SOAK").is_ok_and(|soak| soak == "1")
}

fn each() -> usize {
    if is_soak() { 12 } else { 2 }
}

/// Waits until the recovery has ended, and gives what the operator is told. Meanwhile no two hold one dossier, unless
/// the old copy could not know that it is one before a peer told it.
async fn recovered(scene: &mut Scene, agency: &str, loss: Loss) -> v1::RecoveryStatus {
    let ops = scene.ops(agency);
    let mut patience = Patience::new(BOUND, format!("{agency} has recovered"));
    loop {
        patience.look().await;
        let told = ops.agency().await.ok().and_then(|agency| agency.recovery);
        if loss.cause() != v1::RecoveryCause::Peer {
            scene.nobody_holds_twice().await;
        }
        if let Some(told) = told.filter(|recovery| recovery.ended_ms > 0) {
            return told;
        }
    }
}

/// Waits until every dossier stands where it stood, but for those that reached nobody: they are unknown.
async fn stands_as(scene: &mut Scene, expected: &BTreeMap<String, Standing>) {
    let gone = scene.dossiers.get("reached nobody").cloned().unwrap_or_default();
    let mut patience = Patience::new(BOUND, "every dossier stands where it stood");
    let mut told = String::new();
    loop {
        patience.look().await;
        scene.settle(&AGENCIES).await;
        let now = scene.standings().await;
        assert!(gone.iter().all(|id| !now.contains_key(id)), "what reached nobody is gone");
        let expected = expected.iter().filter(|(id, _)| !gone.contains(id));
        let Some((id, at)) = expected.into_iter().find(|(id, at)| now.get(*id) != Some(at)) else { return };
        let differs = format!("{} {id}: {at:?} before, {:?} now", scene.kind(id), now.get(id));
        if differs != told {
            eprintln!("{differs}");
            told = differs;
        }
    }
}

/// What a recovery came to, in a line.
fn figures(told: &v1::RecoveryStatus) -> String {
    let v1::RecoveryStatus { kept_records, returned, learned, unplaced, .. } = told;
    let took = (told.ended_ms - told.since_ms).max(0);
    format!(
        "{kept_records} records kept, {returned} returned, {learned} learned, {unplaced} unplaced, {took} ms"
    )
}

/// Lines of `lienthong status`.
fn status(scene: &mut Scene, agency: &str) -> String {
    let url = scene.province.node(agency).url();
    scene.command(&["status", "--node", &url])
}

async fn yesterdays_copy(loss: Loss) {
    let Some(mut scene) = Scene::begin(each()).await else { return };
    scene.before().await;
    loss.copy(&mut scene, "a").await;
    scene.after().await;
    let stood = scene.standings().await;
    scene.unheard().await;
    loss.strike(&mut scene, "a").await;
    scene.province.node("a").start().await;
    let told = recovered(&mut scene, "a", loss).await;
    println!("VERDICT recovery: {loss:?}: {}", figures(&told));
    assert_eq!((told.cause(), told.incarnation), (loss.cause(), 1));
    assert!(told.returned > 0 && told.learned > 0 && told.unplaced == 0, "{told:?}");
    let text = status(&mut scene, "a");
    assert!(text.contains("RECOVERED") && text.contains("paper intakes"), "{text}");
    stands_as(&mut scene, &stood).await;
    scene.one_custodian_each().await;
    // No code that was lost is issued again.
    scene.intakes("after the recovery", "a").await;
    scene.hand("after the recovery", "a", "b").await;
    // The next start is an ordinary one.
    scene.province.node("a").stop().await;
    scene.province.node("a").start().await;
    assert!(scene.ops("a").agency().await.unwrap().recovery.is_none());
    scene.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn yesterdays_copy_that_was_restored() {
    yesterdays_copy(Loss::Restored).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn yesterdays_copy_that_came_silently() {
    yesterdays_copy(Loss::Silent).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn yesterdays_copy_without_its_anchor() {
    yesterdays_copy(Loss::WithoutAnchor).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_was_put_back_whole_hears_it_from_a_peer() {
    yesterdays_copy(Loss::Snapshot).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_lost_everything_but_its_anchor() {
    yesterdays_copy(Loss::Everything).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_lost_everything_but_its_keys() {
    yesterdays_copy(Loss::EverythingAndAnchor).await;
}

/// Two who lost what they said to each other: what only they knew falls back, and everything has one custodian.
#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_restored_at_once() {
    let Some(mut scene) = Scene::begin(each()).await else { return };
    scene.before().await;
    for agency in ["a", "b"] {
        Loss::Restored.copy(&mut scene, agency).await;
    }
    scene.after().await;
    let stood = scene.standings().await;
    for agency in ["a", "b"] {
        Loss::Restored.strike(&mut scene, agency).await;
    }
    for agency in ["a", "b"] {
        scene.province.node(agency).spawn(&BTreeMap::new());
    }
    for agency in ["a", "b"] {
        scene.province.node(agency).ready().await.unwrap();
        let told = recovered(&mut scene, agency, Loss::Restored).await;
        println!("VERDICT recovery: both at once, {agency}: {}", figures(&told));
    }
    scene.settle(&AGENCIES).await;
    scene.one_custodian_each().await;
    // What c knew stands as it stood.
    let now = scene.standings().await;
    for (id, at) in stood.iter().filter(|(_, at)| at.contains_key("c")) {
        assert_eq!(now.get(id).map(|n| &n["c"]), Some(&at["c"]), "{} {id}", scene.kind(id));
    }
    scene.intakes("after the recovery", "b").await;
    scene.hand("after the recovery", "b", "a").await;
    scene.finish().await;
}

/// Killed after its n-th commit, as often as it takes: each start begins or goes on, and the end is the same.
async fn killed_again_and_again(loss: Loss) {
    let Some(mut scene) = Scene::begin(each()).await else { return };
    scene.before().await;
    loss.copy(&mut scene, "a").await;
    scene.after().await;
    let stood = scene.standings().await;
    scene.unheard().await;
    loss.strike(&mut scene, "a").await;
    let points = if is_soak() { (1..40).collect() } else { vec![1, 2, 3, 5, 8] };
    let (mut kills, mut ended_before) = (0, false);
    for after in points {
        let env = BTreeMap::from([("LIENTHONG_KILL_AFTER_COMMIT", after.to_string())]);
        scene.province.node("a").spawn(&env);
        let ops = scene.ops("a");
        let node = scene.province.node("a");
        let status = eventually(BOUND, "it is killed or has recovered", async || {
            if let Some(status) = node.ended() {
                return Some(Some(status));
            }
            let recovery = ops.agency().await.ok()?.recovery;
            recovery.is_none_or(|r| r.ended_ms > 0).then_some(None)
        });
        match status.await {
            Some(status) => {
                assert_eq!(status.signal(), Some(SIGKILL), "it ended by itself:\n{}", node.log());
                kills += 1;
            }
            None => {
                node.kill().await;
                ended_before = true;
                break;
            }
        }
    }
    println!(
        "VERDICT recovery: {loss:?}: killed {kills} times while it recovered; recovered before the last kill: {ended_before}"
    );
    assert!(kills >= 2, "killed {kills} times");
    scene.province.node("a").start().await;
    let ops = scene.ops("a");
    eventually(BOUND, "it has recovered", async || {
        scene.nobody_holds_twice().await;
        let recovery = ops.agency().await.ok()?.recovery;
        recovery.is_none_or(|r| r.ended_ms > 0).then_some(())
    })
    .await;
    stands_as(&mut scene, &stood).await;
    scene.intakes("after the recovery", "a").await;
    scene.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_it_recovers() {
    killed_again_and_again(Loss::Restored).await;
}

/// The anchor may be written before a kill or after it: the next start begins anew or goes on.
#[tokio::test(flavor = "multi_thread")]
async fn killed_while_it_recovers_from_a_silent_copy() {
    killed_again_and_again(Loss::Silent).await;
}

/// A peer that is off is waited for by name; dossiers are taken in meanwhile, under codes of their own.
#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_is_off_is_waited_for() {
    let Some(mut scene) = Scene::begin(each()).await else { return };
    scene.before().await;
    Loss::Restored.copy(&mut scene, "a").await;
    scene.after().await;
    let stood = scene.standings().await;
    scene.province.node("c").stop().await;
    scene.unheard().await;
    Loss::Restored.strike(&mut scene, "a").await;
    scene.province.node("a").start().await;
    let ops = scene.ops("a");
    eventually(BOUND, "only c is waited for", async || {
        let recovery = ops.agency().await.ok()?.recovery?;
        let waits: Vec<_> = recovery.waits_for.iter().map(|p| (p.agency.as_str(), p.wait())).collect();
        let fence = waits.contains(&("c", v1::RecoveryWait::Fence));
        (fence && !waits.contains(&("b", v1::RecoveryWait::Fence))).then_some(())
    })
    .await;
    let text = status(&mut scene, "a");
    assert!(text.contains("RECOVERING") && text.contains("    c (Cơ quan c): "), "{text}");
    // Codes of what was lost are known here only as codes that may not come again.
    let taken = scene.intakes("taken in meanwhile", "a").await;
    let (desk, key) = (scene.desk("a"), scene.key());
    let refused = desk.offer(&key, &taken[0], "b").await.unwrap_err();
    assert!(refused.message().contains("RECOVERING"), "{refused}");
    scene.province.node("c").start().await;
    recovered(&mut scene, "a", Loss::Restored).await;
    stands_as(&mut scene, &stood).await;
    scene.hand("taken in meanwhile", "a", "b").await;
    scene.finish().await;
}
