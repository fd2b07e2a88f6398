//! Where something is in the ledger.

use crate::format::{array, get_u32};
use std::fmt;

/// A place in the ledger: of a record, or of a commit when `record` is 0. Later places compare greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Number of the segment, from 1.
    pub segment: u32,
    /// Offset of the commit in the segment, in bytes.
    pub commit: u32,
    /// Offset of the record frame from the commit's start, in bytes; 0 names the commit itself.
    pub record: u32,
}

impl Position {
    /// Length of [`Position::to_bytes`].
    pub const LEN: usize = 12;

    /// Fixed bytes that sort like the positions.
    pub fn to_bytes(self) -> [u8; Self::LEN] {
        let mut out = [0; Self::LEN];
        out[..4].copy_from_slice(&self.segment.to_be_bytes());
        out[4..8].copy_from_slice(&self.commit.to_be_bytes());
        out[8..].copy_from_slice(&self.record.to_be_bytes());
        out
    }

    /// The inverse of [`Position::to_bytes`].
    pub fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        Self { segment: get_u32(&bytes, 0), commit: get_u32(&bytes, 4), record: get_u32(&bytes, 8) }
    }

    /// The inverse of [`Position::to_bytes`] for bytes of unknown length.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        (bytes.len() == Self::LEN).then(|| Self::from_bytes(array(bytes, 0)))
    }

    pub(crate) fn at(segment: u32, commit: u32) -> Self {
        Self { segment, commit, record: 0 }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}+{}", self.segment, self.commit, self.record)
    }
}
