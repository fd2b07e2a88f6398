//! Readiness as latches: a process is ready when every subsystem has opened the latch it took at start, and no longer
//! from the moment it begins to drain.
//!
//! Latches are taken before the subsystems start, so that there is no instant at which an unfinished process looks ready.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;

/// The process is draining and will not become ready again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the process is draining and will not become ready")]
pub struct Draining;

/// Whether the process may be given work. Clones share one state.
#[derive(Debug, Clone)]
pub struct Readiness {
    state: Arc<watch::Sender<State>>,
}

/// Keeps the process un-ready for as long as it is held. Opening and dropping are the same thing; a subsystem that
/// fails must also end its task, or the process would look ready without it.
#[derive(Debug)]
#[must_use = "a latch that is not held opens at once"]
pub struct Latch {
    name: &'static str,
    state: Arc<watch::Sender<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// How many latches of each name are held: co-hosted agencies share a name.
    held: BTreeMap<&'static str, usize>,
    draining: bool,
}

impl State {
    fn is_ready(&self) -> bool {
        self.held.is_empty() && !self.draining
    }
}

impl Default for Readiness {
    fn default() -> Self {
        Self::new()
    }
}

impl Readiness {
    /// A state with no latch, which is ready.
    pub fn new() -> Self {
        Self { state: Arc::new(watch::Sender::new(State::default())) }
    }

    /// Takes a latch. A latch may also be taken later, by a subsystem that has stopped being able to work.
    pub fn latch(&self, name: &'static str) -> Latch {
        self.state.send_modify(|state| *state.held.entry(name).or_default() += 1);
        Latch { name, state: Arc::clone(&self.state) }
    }

    /// True when no latch is held and the process does not drain.
    pub fn is_ready(&self) -> bool {
        self.state.borrow().is_ready()
    }

    /// The names of the latches still held, each once, in alphabetical order.
    pub fn waiting_for(&self) -> Vec<&'static str> {
        self.state.borrow().held.keys().copied().collect()
    }

    /// Makes the process un-ready for good. Called as the first step of a drain.
    pub fn drain(&self) {
        self.state.send_modify(|state| state.draining = true);
    }

    /// True once [`Readiness::drain`] was called.
    pub fn is_draining(&self) -> bool {
        self.state.borrow().draining
    }

    /// Waits until the process is ready; an error when it drains instead.
    pub async fn wait(&self) -> Result<(), Draining> {
        let mut seen = self.state.subscribe();
        match seen.wait_for(|state| state.draining || state.is_ready()).await {
            Ok(state) if state.is_ready() => Ok(()),
            // The sender lives as long as `self`, so an error here can only mean the end of the process.
            Ok(_) | Err(_) => Err(Draining),
        }
    }

    /// Waits until readiness differs from `known` and returns the new value. Drives the gRPC health service.
    pub async fn changed_from(&self, known: bool) -> bool {
        let mut seen = self.state.subscribe();
        match seen.wait_for(|state| state.is_ready() != known).await {
            Ok(state) => state.is_ready(),
            Err(_) => false,
        }
    }
}

impl Latch {
    /// Opens the latch: this subsystem can work.
    pub fn open(self) {}
}

impl Drop for Latch {
    fn drop(&mut self) {
        self.state.send_modify(|state| {
            if let Some(count) = state.held.get_mut(self.name) {
                *count -= 1;
                if *count == 0 {
                    state.held.remove(self.name);
                }
            }
        });
        tracing::debug!(latch = self.name, "latch opened");
    }
}

#[cfg(test)]
mod tests {
    use super::{Draining, Readiness};

    #[tokio::test]
    async fn is_ready_only_when_every_latch_is_open() {
        let readiness = Readiness::new();
        let (store, link, other_link) =
            (readiness.latch("store"), readiness.latch("link"), readiness.latch("link"));
        assert_eq!(readiness.waiting_for(), ["link", "store"]);
        let waiter = tokio::spawn({
            let readiness = readiness.clone();
            async move { readiness.wait().await }
        });
        store.open();
        drop(link);
        assert_eq!(readiness.waiting_for(), ["link"]);
        assert!(!readiness.is_ready());
        other_link.open();
        assert_eq!(waiter.await.expect("the waiter ends"), Ok(()));
        assert!(readiness.is_ready());
    }

    #[tokio::test]
    async fn drain_is_for_good_and_wakes_who_waits() {
        let readiness = Readiness::new();
        assert!(readiness.is_ready());
        let latch = readiness.latch("late");
        assert!(!readiness.changed_from(true).await);
        readiness.drain();
        assert_eq!(readiness.wait().await, Err(Draining));
        latch.open();
        assert!(!readiness.is_ready());
        assert!(readiness.is_draining());
    }
}
