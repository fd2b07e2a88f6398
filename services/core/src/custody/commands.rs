//! Commands that were carried out, for answering the same idempotency key again. None is ever forgotten, so a row is small:
//! the key is there as a hash of it, and the statement that was made is found in its track.

use super::table::Table;
use crate::ids::{Digest, LedgerIndex, Sid, TrackId};

/// All of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commands(Table<Name, Kept>);

/// What stands for a key: 16 bytes of a hash.
pub type Name = [u8; 16];

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

/// FNV-1a of 128 bits. Keys are made by the agency's own software: whoever looks for two with one hash could as well send one
/// key twice, and by chance it does not happen.
fn name(key: &str) -> Name {
    const BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    let hash = key.bytes().fold(BASIS, |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(PRIME));
    hash.to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;

    #[test]
    fn keys_that_hardly_differ_have_names_of_their_own() {
        assert_eq!(name("").map(u32::from)[..4], [0x6c, 0x62, 0x27, 0x2e], "the basis");
        assert_eq!(
            name("a"),
            0xd228_cb69_6f1a_8caf_7891_2b70_4e4a_8964_u128.to_be_bytes(),
            "as others have it"
        );
        let keys = (0..20_000).map(|n| alloc::format!("so-{n}"));
        assert_eq!(keys.map(|key| name(&key)).collect::<BTreeSet<_>>().len(), 20_000);
    }
}
