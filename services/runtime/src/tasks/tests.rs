//! What each kind of ending does to the group.

use std::time::Duration;

use super::{OnEnd, TaskGroup};

const BOUND: Duration = Duration::from_secs(5);

#[tokio::test(start_paused = true)]
async fn a_fatal_task_that_panics_shuts_down_and_is_named() {
    let group = TaskGroup::new();
    let token = group.token();
    group.spawn("bystander", OnEnd::Fatal, async move { token.cancelled().await });
    group.spawn("loop of H51", OnEnd::Fatal, async {
        assert_eq!(1 + 1, 3, "arithmetic failed");
    });
    let failure = group.shutting_down().await.expect("a failure");
    assert_eq!(failure.task, "loop of H51");
    assert!(failure.how.starts_with("panicked: ") && failure.how.contains("arithmetic failed"), "{failure}");
    group.join(BOUND).await.expect("the bystander ends");
    assert_eq!(group.failure(), Some(failure), "an ending after the shutdown does not replace the cause");
}

#[tokio::test(start_paused = true)]
async fn a_fatal_task_that_ends_or_fails_unasked_shuts_down() {
    let group = TaskGroup::new();
    group.spawn("link", OnEnd::Fatal, async {});
    assert_eq!(group.shutting_down().await.expect("a failure").how, "ended unasked");

    let group = TaskGroup::new();
    group.spawn("link", OnEnd::Fatal, async { Err::<(), _>("no route") });
    assert_eq!(group.shutting_down().await.expect("a failure").to_string(), "task link failed: no route");
}

#[tokio::test(start_paused = true)]
async fn an_expected_end_changes_nothing_however_it_comes() {
    let group = TaskGroup::new();
    group.spawn("export", OnEnd::Expected, async {});
    group.spawn("watcher", OnEnd::Expected, async { Err::<(), _>("gone") });
    group.spawn("call", OnEnd::Expected, async { assert_eq!(1, 2) });
    while !group.running().is_empty() {
        tokio::task::yield_now().await;
    }
    assert!(!group.token().is_cancelled());
    assert_eq!(group.failure(), None);
}

#[tokio::test(start_paused = true)]
async fn join_is_bounded_and_names_who_is_left() {
    let group = TaskGroup::new();
    group.spawn("stuck", OnEnd::Fatal, std::future::pending::<()>());
    let token = group.token();
    group.spawn("good", OnEnd::Fatal, async move { token.cancelled().await });
    let started = tokio::time::Instant::now();
    let left = group.join(BOUND).await.expect_err("one is stuck");
    assert_eq!(left.names, ["stuck"]);
    assert_eq!(started.elapsed(), BOUND);
    while !group.running().is_empty() {
        tokio::task::yield_now().await; // the abort takes effect at the next turn
    }
}

#[tokio::test]
async fn blocking_work_follows_the_same_rules() {
    let group = TaskGroup::new();
    let (stop, wait) = std::sync::mpsc::channel::<()>();
    let work = move || assert!(wait.recv().is_err(), "nothing is ever sent");
    group.spawn_blocking("store writer", OnEnd::Fatal, work).expect("a thread");
    assert_eq!(group.running(), ["store writer"]);
    drop(stop);
    let failure =
        tokio::time::timeout(BOUND, group.shutting_down()).await.expect("in time").expect("a failure");
    assert_eq!((failure.task.as_str(), failure.how.as_str()), ("store writer", "ended unasked"));
    group.join(BOUND).await.expect("over");
}
