//! Chance for victims and moments. Its seed is printed, and can be given again in `LIENTHONG_CHANCE`.

use std::time::{SystemTime, UNIX_EPOCH};

/// SplitMix64: small, and good enough to choose.
#[derive(Debug)]
pub struct Dice(u64);

impl Dice {
    /// From the environment, or from the clock; says which.
    pub fn thrown() -> Self {
        let given = std::env::var("LIENTHONG_CHANCE").ok().and_then(|seed| seed.parse().ok());
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |now| now.as_nanos() as u64);
        let seed = given.unwrap_or(now);
        println!("LIENTHONG_CHANCE={seed}");
        Self(seed)
    }

    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.roll() % limit.max(1)
    }

    /// True in `percent` of a hundred cases.
    pub fn comes(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// Whether the long form of a test was asked for.
pub fn is_soak() -> bool {
    std::env::var("LIENTHONG_SOAK").is_ok_and(|soak| soak == "1")
}
