//! Complaints about peers, told now and then with their number: a log must not be a peer's way to fill a disk.

use lienthong_core::ids::AgencyId;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Between two lines about one peer.
const EVERY: Duration = Duration::from_secs(60);
/// Peers remembered; names of strangers are free to invent, and beyond this they share one line.
const PEERS: usize = 1_024;

/// What was complained of, by peer.
#[derive(Debug, Default)]
pub(crate) struct Complaints {
    peers: BTreeMap<Option<AgencyId>, (Option<Instant>, u64)>,
}

impl Complaints {
    /// One more about a peer: the number since the last line, when it is time for a line.
    pub(crate) fn about(&mut self, peer: &AgencyId) -> Option<u64> {
        let known = self.peers.contains_key(&Some(peer.clone())) || self.peers.len() < PEERS;
        let (told, count) = self.peers.entry(known.then(|| peer.clone())).or_default();
        *count += 1;
        if told.is_some_and(|at| at.elapsed() < EVERY) {
            return None;
        }
        *told = Some(Instant::now());
        Some(std::mem::take(count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_told_and_the_next_are_counted() {
        let mut complaints = Complaints::default();
        let id = |n: usize| AgencyId::parse(&format!("a{n}")).expect("an id");
        assert_eq!(complaints.about(&id(1)), Some(1));
        assert_eq!(complaints.about(&id(1)), None);
        for n in 0..5_000 {
            complaints.about(&id(n));
        }
        assert!(complaints.peers.len() <= PEERS + 1);
    }
}
