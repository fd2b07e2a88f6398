//! People: late, at the same moment, twice under one key, twice under two.

use crate::random::Stream;

const MINUTE: u64 = 60_000;
const DAY: u64 = 24 * 60 * MINUTE;

/// How somebody does what they do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Once.
    Once,
    /// Again under the same key, after this long: an answer was lost, or a button pressed twice.
    Repeats(u64),
    /// Again as a new act, after this long.
    Twice(u64),
    /// Something else under the same key.
    Reuses,
}

/// How somebody does it this time.
pub fn manner(stream: &mut Stream) -> Manner {
    match stream.below(100) {
        0..12 => Manner::Repeats(stream.magnitude(1, 20 * MINUTE)),
        12..20 => Manner::Twice(stream.magnitude(1, 5 * MINUTE)),
        20..22 => Manner::Reuses,
        _ => Manner::Once,
    }
}

/// How long until somebody turns to the dossier again.
pub fn pause(stream: &mut Stream) -> u64 {
    if stream.chance(5) {
        return stream.between(DAY / 2, 2 * DAY);
    }
    stream.magnitude(500, 12 * MINUTE)
}

/// How long until somebody whose answer was lost asks again; `None`: never.
pub fn asks_again(stream: &mut Stream) -> Option<u64> {
    stream.chance(800).then(|| stream.magnitude(1_000, 10 * MINUTE))
}
