//! How much is with the courier unanswered: as much as it answers within a moment. A fast line is filled with large
//! packs, and a slow one is never given more than it carries before the courier's patience ends.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// To begin with: at 2 Mbit/s two seconds' worth.
const BEGIN: usize = 512 << 10;
/// A line that takes longer than five seconds for this, the link's patience, is below 100 kbit/s.
const LEAST: usize = 64 << 10;
/// Far more than a good line has on its way; bounds memory.
const MOST: usize = 16 << 20;
/// Answered within this: there is room for much more. Above the time a byte takes to the next continent and back.
const SOON: Duration = Duration::from_millis(500);
/// Answered within this: there is room for a little more. Twice the round trip of a very long line, which is then full.
const IN_TIME: Duration = Duration::from_millis(1_000);
/// Not answered within this: something queues on the way.
const LATE: Duration = Duration::from_millis(2_000);
/// Packs that share what may be on its way: with fewer the line would be idle while one is answered.
const PACKS: usize = 4;

/// The bytes that are with the courier, and how many may be.
#[derive(Debug)]
pub(crate) struct Flow {
    state: Mutex<State>,
    freed: Notify,
}

#[derive(Debug)]
struct State {
    limit: usize,
    used: usize,
    /// When the limit was last lowered: packs that left before say nothing about the new one.
    lowered: Instant,
}

/// Bytes that may be given to the courier, until this is dropped.
#[derive(Debug)]
pub(crate) struct Pass {
    flow: Arc<Flow>,
    bytes: usize,
    left: Instant,
}

impl Flow {
    pub(crate) fn new() -> Arc<Self> {
        let state = State { limit: BEGIN, used: 0, lowered: Instant::now() };
        Arc::new(Self { state: Mutex::new(state), freed: Notify::new() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How large a pack should be that has several envelopes.
    pub(crate) fn pack_bytes(&self) -> usize {
        self.state().limit / PACKS
    }

    /// Waits until there is room; there is one who sends, and he waits for one pack at a time.
    pub(crate) async fn enter(self: &Arc<Self>, bytes: usize) -> Pass {
        loop {
            if let Some(pass) = self.try_enter(bytes) {
                return pass;
            }
            // What is freed just before is kept for who comes to wait.
            self.freed.notified().await;
        }
    }

    /// One pack may always be on its way, however large.
    fn try_enter(self: &Arc<Self>, bytes: usize) -> Option<Pass> {
        let mut state = self.state();
        if state.used > 0 && state.used + bytes > state.limit {
            return None;
        }
        state.used += bytes;
        Some(Pass { flow: self.clone(), bytes, left: Instant::now() })
    }
}

impl Pass {
    /// The courier has answered, or its patience has ended. A refusal at once says nothing about the line.
    pub(crate) fn answered(self, is_taken: bool) {
        let took = self.left.elapsed();
        let mut state = self.flow.state();
        if took > LATE && self.left > state.lowered {
            state.limit = (state.limit / 4 * 3).max(LEAST);
            state.lowered = Instant::now();
        } else if is_taken && took < IN_TIME {
            // Doubled by as much as is on its way, or grown by the least.
            let more = if took < SOON { self.bytes } else { LEAST * self.bytes / state.limit };
            state.limit = (state.limit + more).min(MOST);
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.flow.state().used -= self.bytes;
        self.flow.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pack that left so long ago.
    fn aged(flow: &Arc<Flow>, bytes: usize, age: Duration) -> Pass {
        let mut pass = enter(flow, bytes);
        pass.left -= age;
        pass
    }

    fn enter(flow: &Arc<Flow>, bytes: usize) -> Pass {
        flow.try_enter(bytes).expect("room")
    }

    fn limit(flow: &Flow) -> usize {
        flow.state().limit
    }

    #[test]
    fn answers_that_come_soon_make_room_up_to_a_bound() {
        let flow = Flow::new();
        for _ in 0..100 {
            enter(&flow, 768 << 10).answered(true);
        }
        assert_eq!((limit(&flow), flow.state().used), (MOST, 0));
    }

    #[test]
    fn packs_of_one_late_moment_lower_it_once_and_never_below_the_least() {
        let flow = Flow::new();
        flow.state().lowered -= Duration::from_secs(60);
        let late = [2_900, 2_800, 2_700].map(|age| aged(&flow, 100 << 10, Duration::from_millis(age)));
        late.into_iter().for_each(|pass| pass.answered(true));
        assert_eq!(limit(&flow), BEGIN / 4 * 3);
        for _ in 0..10 {
            flow.state().lowered -= Duration::from_secs(60);
            aged(&flow, 1, Duration::from_secs(5)).answered(false);
        }
        assert_eq!(limit(&flow), LEAST);
        for _ in 0..10 {
            aged(&flow, LEAST, Duration::from_millis(800)).answered(true);
        }
        assert!((LEAST * 2..LEAST * 8).contains(&limit(&flow)), "it recovers, slowly: {}", limit(&flow));
    }

    #[test]
    fn a_refusal_at_once_changes_nothing() {
        let flow = Flow::new();
        enter(&flow, 1_000).answered(false);
        assert_eq!((limit(&flow), flow.state().used), (BEGIN, 0));
    }

    #[tokio::test]
    async fn one_pack_passes_however_large_and_the_next_waits_for_it() {
        let flow = Flow::new();
        let first = flow.enter(BEGIN * 2).await;
        let mut next = Box::pin(flow.enter(1));
        assert!(futures::poll!(&mut next).is_pending());
        drop(first);
        drop(next.await);
        assert_eq!(flow.state().used, 0);
    }
}
