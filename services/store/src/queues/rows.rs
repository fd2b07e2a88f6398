//! Rows, the changes to them, and the sum that proves them.

use crate::format::{array, get_u64};
use crate::position::Position;
use sha2::{Digest as _, Sha256};

/// Longest key, in bytes.
pub const KEY_LIMIT: usize = 1 << 10;
/// Longest value, 4 KiB: from about 8 KiB on sled puts a value into a file that it never syncs.
pub const VALUE_LIMIT: usize = 4 << 10;

/// The kinds of rows. The number is the first byte of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Table {
    /// (agency, index of the first of some records that follow each other) → their positions.
    Records = 1,
    /// (agency, index of the first of some records of one commit) → which of them are news for an officer.
    Inbox = 4,
    /// Which dossiers an agency has.
    Dossiers = 5,
}

/// A change to one row. None is ever removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Sets the value of a key that is not there: nothing old is looked for. Where that is wrong the rows do not add up to
    /// the mark, and the next open moves them aside.
    New(Table, Vec<u8>, Vec<u8>),
    /// Sets the value of a key.
    Put(Table, Vec<u8>, Vec<u8>),
}

impl Change {
    /// The row it changes.
    pub fn row(&self) -> (Table, &[u8]) {
        match self {
            Change::New(table, key, _) | Change::Put(table, key, _) => (*table, key),
        }
    }
}

/// The key of the mark; no table has the number 0.
pub(crate) const MARK_KEY: &[u8] = &[0];

/// The full key of a row.
pub(crate) fn key(table: Table, key: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(1 + key.len());
    out.push(table as u8);
    out.extend_from_slice(key);
    out
}

/// What the rows add up to and which place of the ledger they reflect. Written in the same batch as the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Mark {
    pub(crate) reflects: Option<Position>,
    pub(crate) rows: u64,
    pub(crate) sum: u128,
}

impl Mark {
    pub(crate) const LEN: usize = Position::LEN + 8 + 16 + 1;
    /// How keys and values are made. Rows of another making are as good as damaged: they are filled from the ledger.
    const MAKING: u8 = 4;

    pub(crate) fn add(&mut self, key: &[u8], value: &[u8]) {
        self.rows += 1;
        self.sum = self.sum.wrapping_add(row_hash(key, value));
    }

    pub(crate) fn remove(&mut self, key: &[u8], value: &[u8]) {
        self.rows = self.rows.wrapping_sub(1);
        self.sum = self.sum.wrapping_sub(row_hash(key, value));
    }

    pub(crate) fn to_bytes(self, reflects: Position) -> [u8; Self::LEN] {
        let mut out = [0; Self::LEN];
        out[..12].copy_from_slice(&reflects.to_bytes());
        out[12..20].copy_from_slice(&self.rows.to_be_bytes());
        out[20..36].copy_from_slice(&self.sum.to_be_bytes());
        out[36] = Self::MAKING;
        out
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        (bytes.len() == Self::LEN && bytes[36] == Self::MAKING).then(|| Self {
            reflects: Some(Position::from_bytes(array(bytes, 0))),
            rows: get_u64(bytes, 12),
            sum: u128::from_be_bytes(array(bytes, 20)),
        })
    }
}

/// Half a SHA-256: the sum of these does not depend on the order, and damage does not hit it by chance.
fn row_hash(key: &[u8], value: &[u8]) -> u128 {
    let mut hash = Sha256::new();
    hash.update((key.len() as u32).to_be_bytes());
    hash.update(key);
    hash.update(value);
    u128::from_be_bytes(array(&hash.finalize(), 0))
}
