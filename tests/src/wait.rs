//! Waiting for a condition, within a bound.

use std::time::Duration;

use tokio::time::{Instant, Interval, MissedTickBehavior, interval};

/// What a loaded machine with a slow disk may take for anything that a test waits for.
pub const BOUND: Duration = Duration::from_secs(45);
/// How often a condition is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Looks again and again, until a bound. For tasks that are spawned: closures that borrow are not `Send` in them.
#[derive(Debug)]
pub struct Patience {
    look: Interval,
    until: Instant,
    what: String,
}

impl Patience {
    /// Waits for `what`, at most so long.
    pub fn new(bound: Duration, what: impl Into<String>) -> Self {
        let mut look = interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { look, until: Instant::now() + bound, what: what.into() }
    }

    /// Waits for the next look.
    ///
    /// # Panics
    /// When the bound is over.
    pub async fn look(&mut self) {
        self.look.tick().await;
        assert!(Instant::now() < self.until, "it took too long until {}", self.what);
    }
}

/// Waits until `condition` gives something, and gives that.
///
/// # Panics
/// When `bound` is over, naming `what`.
pub async fn eventually<T>(bound: Duration, what: &str, mut condition: impl AsyncFnMut() -> Option<T>) -> T {
    let mut patience = Patience::new(bound, what);
    loop {
        patience.look().await;
        if let Some(found) = condition().await {
            return found;
        }
    }
}
