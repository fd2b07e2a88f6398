//! Snapshots of a node's state. They spare replaying; what they say is checked against the ledger that follows.

mod decode;
mod encode;
mod memory;

pub use decode::{decode, read};
pub use encode::{encode, write};

use lienthong_core::custody::state::State;
use lienthong_core::ids::Digest;

/// Of the bytes. What has another is not read, and the ledger is replayed.
const FORMAT: u32 = 3;
/// Tracks, commands or rows in one part.
const PART: usize = 1_024;
/// A part is not longer: a track takes some hundred bytes, and one with all the hops that a certificate may have, a hundred
/// kilobytes.
const PART_BYTES: u64 = 1 << 30;

/// The states of a node's agencies at one place of its ledger. Each state's `durable` is its ledger's head there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The place, as the store writes it.
    pub position: Vec<u8>,
    /// Head of the physical chain before it.
    pub physical_head: Digest,
    /// One for each agency.
    pub states: Vec<State>,
}

/// A snapshot that cannot be used: go on with an older one, or without.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the snapshot's {0} is wrong or of another version")]
pub struct Unusable(pub &'static str);

#[cfg(test)]
mod tests {
    use super::*;
    use lienthong_core::ids::AgencyId;

    #[test]
    fn an_empty_state_comes_back() {
        let me = AgencyId::parse("xa").unwrap();
        let snapshot =
            Snapshot { position: vec![1; 12], physical_head: Digest([7; 32]), states: vec![State::new(me)] };
        assert_eq!(decode(&encode(&snapshot)), Ok(snapshot));
    }

    #[test]
    fn another_format_is_not_read() {
        assert_eq!(decode(b"\x02\x08\x01"), Err(Unusable("format")));
        assert_eq!(decode(b"\xff"), Err(Unusable("encoding")));
    }
}
