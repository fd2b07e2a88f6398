//! Waiting for a condition, within a bound.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};

/// What a loaded machine with a slow disk may take for anything that a test waits for.
pub const BOUND: Duration = Duration::from_secs(45);
/// How often a condition is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Waits until `condition` gives something, and gives that.
///
/// # Panics
/// When `bound` is over, naming `what`.
pub async fn eventually<T>(bound: Duration, what: &str, mut condition: impl AsyncFnMut() -> Option<T>) -> T {
    let until = Instant::now() + bound;
    let mut look = interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        look.tick().await;
        if let Some(found) = condition().await {
            return found;
        }
        assert!(Instant::now() < until, "after {} s still not: {what}", bound.as_secs());
    }
}
