//! Wall clocks that are off by years, jump, and stand still. No decision may see them (I20).

use crate::random::Stream;
use lienthong_core::ids::WallMs;

/// 2024-01-15 08:00 in Viet Nam: when every run begins.
const MORNING: i64 = 1_705_280_400_000;
const HOUR: u64 = 3_600_000;
const YEAR: u64 = 365 * 24 * HOUR;

/// Whether clocks lie in a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Clocks {
    /// They are off, jump and freeze.
    #[default]
    Wild,
    /// They are right. The decisions must be those of the wild run of the same seed.
    Right,
}

/// One node's wall clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clock {
    offset_ms: i64,
    frozen: Option<i64>,
}

impl Clock {
    /// A clock as it is found when the node is installed.
    pub fn found(clocks: Clocks, stream: &mut Stream) -> Self {
        let mut clock = Self::default();
        if clocks == Clocks::Wild && stream.chance(300) {
            clock.offset_ms = off(stream, 5 * YEAR);
        }
        clock
    }

    /// What it shows at this virtual time.
    pub fn wall(&self, now: u64) -> WallMs {
        WallMs(self.frozen.unwrap_or(MORNING + now as i64 + self.offset_ms))
    }

    /// Something happens to it; what, in a word.
    pub fn strike(&mut self, now: u64, stream: &mut Stream) -> &'static str {
        match stream.below(4) {
            0 => {
                self.offset_ms += off(stream, HOUR);
                "clock jumps by up to an hour"
            }
            1 => {
                self.offset_ms = off(stream, 5 * YEAR);
                "clock is years off"
            }
            2 => {
                self.frozen = Some(self.wall(now).0);
                "clock freezes"
            }
            _ => {
                *self = Self::default();
                "clock is set right"
            }
        }
    }
}

fn off(stream: &mut Stream, most: u64) -> i64 {
    let by = stream.magnitude(1_000, most) as i64;
    if stream.chance(500) { by } else { -by }
}
