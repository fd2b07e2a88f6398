//! Randomness in separate streams: one for each concern, so that a new fault does not reshuffle the workload.
//!
//! ChaCha with 8 rounds is fixed by its specification: a seed means the same run on every machine and for ever.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// What randomness is drawn for. The numbers are part of what a kept seed means: never change one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Concern {
    /// Agencies, keys, rules.
    Cast = 1,
    /// What is done with a dossier.
    Workload = 2,
    /// When people act, and how often.
    Officer = 3,
    /// The lines between nodes and the courier.
    Net = 4,
    /// The courier's own store.
    Nats = 5,
    /// Disks.
    Disk = 6,
    /// Wall clocks.
    Clock = 7,
    /// Processes: killed, paused.
    Process = 8,
    /// Which checks are made in full.
    Check = 9,
    /// Copies of disks, made and put back.
    Copy = 10,
    /// An agency that is gone for good, and the key of the authority.
    Gone = 11,
}

/// One stream of numbers.
#[derive(Clone, Debug)]
pub struct Stream(ChaCha8Rng);

impl Stream {
    /// Stream `number` of a concern under a seed.
    pub fn new(seed: u64, concern: Concern, number: u64) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..16].copy_from_slice(&(concern as u64).to_le_bytes());
        key[16..24].copy_from_slice(&number.to_le_bytes());
        Self(ChaCha8Rng::from_seed(key))
    }

    /// A number below `end`; 0 when `end` is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.0.next_u64()) * u128::from(end)) >> 64) as u64
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// True so many times in a thousand.
    pub fn chance(&mut self, per_mille: u64) -> bool {
        self.below(1_000) < per_mille
    }

    /// One of `options`, which may not be empty.
    pub fn pick<'a, T>(&mut self, options: &'a [T]) -> &'a T {
        &options[self.below(options.len() as u64) as usize]
    }

    /// A time in which each order of magnitude between `low` and `high` is as likely as the next.
    pub fn magnitude(&mut self, low: u64, high: u64) -> u64 {
        let top = self.between(u64::from(low.max(1).ilog2()), u64::from(high.max(1).ilog2()));
        ((1 << top) + self.below(1 << top)).clamp(low, high)
    }

    /// Fills bytes.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a kept seed means may not change.
    #[test]
    fn the_streams_are_pinned() {
        let first = |concern, number| Stream::new(7, concern, number).below(1 << 32);
        let drawn = [first(Concern::Net, 0), first(Concern::Net, 1), first(Concern::Disk, 0)];
        assert_eq!(drawn, [3_470_298_322, 1_627_988_591, 450_165_726]);
    }

    #[test]
    fn numbers_stay_in_their_range() {
        let mut stream = Stream::new(1, Concern::Cast, 0);
        for _ in 0..10_000 {
            assert!((3..=7).contains(&stream.between(3, 7)));
            assert!((5..=9_000).contains(&stream.magnitude(5, 9_000)));
        }
        assert_eq!(stream.below(0), 0);
    }
}
