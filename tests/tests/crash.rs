//! `kill -9` between each durable batch and what it lets out, at either node: the end is that of a run without a crash.
//! And between what was decided and its batch: nobody was told of it.

#[path = "crash/held.rs"]
mod held;
#[path = "crash/journey.rs"]
mod journey;
#[path = "crash/story.rs"]
mod story;

use journey::{Journey, Plot};
use lienthong_proto::v1;
use lienthong_tests::broker;

/// More batches than a journey can have: beyond it something loops.
const MOST: u64 = 60;

/// What shares a commit with what is chance, and a step in the middle of one is never last: then the journeys are gone
/// through again.
const ROUNDS: u64 = 4;

/// Kills `victim` after its first durable batch, after its second, and so on until a run ends before it is killed.
/// `steps` are the statements that its ledger must have ended with at a kill.
async fn through_every_kill_point(plot: Plot, victim: usize, steps: &[&str]) {
    let dir = tempfile::tempdir().unwrap();
    let Some(broker) = broker(dir.path()).await else { return };
    let mut clean = Journey::begin(&broker.url(), 0, 0, victim);
    let id = clean.run(plot).await;
    let expected = clean.story(&id).await;
    assert!(clean.kills.is_empty());
    match plot {
        Plot::ThereAndBack => expected.must_end(v1::Phase::Closed, "a", v1::Phase::Gone),
        Plot::RefusedAndRecalled => expected.must_end(v1::Phase::Gone, "b", v1::Phase::Held),
    }
    let mut points = Vec::new();
    let missed = |points: &[String]| -> Vec<String> {
        steps.iter().filter(|step| !points.iter().any(|p| p == *step)).map(ToString::to_string).collect()
    };
    for round in 0..ROUNDS {
        for kill in 1..=MOST {
            let mut journey = Journey::begin(&broker.url(), round * (MOST + 1) + kill, kill, victim);
            let id = journey.run(plot).await;
            let story = journey.story(&id).await;
            assert_eq!(story, expected, "killed after commit {kill}, the journey ended otherwise");
            assert!(kill < MOST, "it never ends");
            if journey.kills.is_empty() {
                break;
            }
            points.append(&mut journey.kills);
        }
        if missed(&points).is_empty() {
            break;
        }
    }
    let name = ["a", "b"][victim];
    println!("{plot:?}: {} kill points of {name}, after: {}", points.len(), points.join(", "));
    let missed = missed(&points);
    assert!(missed.is_empty(), "never killed after {missed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn there_and_back_with_the_first_giver_killed() {
    let steps =
        ["Opened", "Intake", "Offer", "Received in", "Ack", "Received", "Accept", "Ack in", "Returned"];
    through_every_kill_point(Plot::ThereAndBack, 0, &steps).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn there_and_back_with_the_first_receiver_killed() {
    let steps = ["Opened", "Received", "Accept", "Ack in", "Completed", "Offer", "Received in", "Ack"];
    through_every_kill_point(Plot::ThereAndBack, 1, &steps).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_and_recalled_with_the_giver_killed() {
    let steps = ["Offer", "Received in", "Cancel", "Ack"];
    through_every_kill_point(Plot::RefusedAndRecalled, 0, &steps).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_and_recalled_with_the_receiver_killed() {
    let steps = ["Received", "Refuse", "Accept", "Ack in"];
    through_every_kill_point(Plot::RefusedAndRecalled, 1, &steps).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_answered_before_the_batch_is_durable() {
    let dir = tempfile::tempdir().unwrap();
    let Some(broker) = broker(dir.path()).await else { return };
    held::nobody_is_answered_before(&broker.url(), MOST).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_watches_an_inbox_is_told_nothing_before_the_batch_is_durable() {
    let dir = tempfile::tempdir().unwrap();
    let Some(broker) = broker(dir.path()).await else { return };
    held::nobody_is_told_before(&broker.url(), MOST).await;
}
