//! Commands that were carried out, for answering the same idempotency key again. None is ever forgotten, so a row is small:
//! the key is there as a hash of it, and the statement that was made is found in its track.

use super::table::Table;
use crate::ids::{Digest, LedgerIndex, Sid, Spread, TrackId};

/// All of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commands(Table<Name, Kept>);

/// What stands for a key: 16 bytes of a hash.
pub type Name = [u8; 16];

impl Spread for Name {
    fn spread(&self) -> u64 {
        (u128::from_be_bytes(*self) >> 64) as u64
    }
}

/// The beginning of a digest: enough to tell a request from any other.
pub type Short = [u8; 16];

/// A command as it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Beginning of the digest of the request without the key.
    pub digest: Short,
    /// Its place in the ledger.
    pub index: LedgerIndex,
    /// What it was about.
    pub about: About,
}

/// What a command was about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// A track, which has the statement.
    Track(TrackId),
    /// None: the statement itself, or zero where it made none.
    Alone(Sid),
}

/// The beginning of a digest.
pub fn short(digest: &Digest) -> Short {
    let mut short = Short::default();
    short.copy_from_slice(&digest.0[..16]);
    short
}

impl Commands {
    /// The command with this key.
    pub fn get(&self, key: &str) -> Option<&Kept> {
        self.0.get(&name(key))
    }

    /// Whether there is one.
    pub fn contains_key(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// Keeps a command under its key.
    pub(crate) fn put(&mut self, key: &str, kept: Kept) {
        self.0.put(name(key), kept);
    }

    /// Keeps one as a snapshot has it.
    pub fn put_named(&mut self, name: Name, kept: Kept) {
        self.0.put(name, kept);
    }

    /// All, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&Name, &Kept)> {
        self.0.iter()
    }
}

/// FNV-1a of 128 bits, its bits mixed: the last letters of a key hardly reach the first ones otherwise, and keys that are
/// numbered would lie close together ([`Spread`]). Keys are made by the agency's own software: whoever looks for two with one
/// hash could as well send one key twice, and by chance it does not happen.
fn name(key: &str) -> Name {
    let hash = fnv(key);
    // Nothing is lost: each step can be undone.
    let hash = (hash ^ hash >> 64).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    (hash ^ hash >> 64).to_be_bytes()
}

fn fnv(key: &str) -> u128 {
    const BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    key.bytes().fold(BASIS, |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(PRIME))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;

    #[test]
    fn keys_that_hardly_differ_have_names_of_their_own() {
        assert_eq!(fnv("a"), 0xd228_cb69_6f1a_8caf_7891_2b70_4e4a_8964, "as others have it");
        let keys = (0..20_000).map(|n| alloc::format!("so-{n}"));
        let names: BTreeSet<Name> = keys.map(|key| name(&key)).collect();
        assert_eq!(names.len(), 20_000);
        let eighths = names.iter().map(|name| name.spread() >> 61);
        let mut counts = [0; 8];
        eighths.for_each(|eighth| counts[eighth as usize] += 1);
        assert!(counts.iter().all(|count| (2_300..2_700).contains(count)), "not spread: {counts:?}");
        let apart = names.iter().zip(names.iter().skip(1)).map(|(a, b)| b.spread() - a.spread());
        let near = apart.filter(|apart| *apart < u64::MAX / 20_000 / 8).count();
        assert!(near < 20_000 / 4, "{near} of 20,000 lie close to their neighbour");
    }
}
