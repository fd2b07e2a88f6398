//! Identities: small types parsed at the edge and trusted inside.

use alloc::string::String;
use core::cmp::Ordering;
use core::fmt;

/// An agency's stable id: 1–40 of `a–z`, `0–9` and `-`. It names NATS subjects and streams,
/// so it has no dots; the agency *code* (H51.16…) is an attribute with history, not the identity.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AgencyId {
    /// The text, and zeros, which sort before every letter. In place: an id is cloned with nearly every step, on several
    /// threads, and counting the clones of one and the same cost more than copying it.
    text: [u8; AgencyId::MAX],
    length: u8,
}

impl AgencyId {
    /// The longest id, in bytes.
    pub const MAX: usize = 40;

    /// Parses an id; `None` when it is empty, too long, or has a character outside the alphabet.
    pub fn parse(text: &str) -> Option<Self> {
        let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if text.is_empty() || !text.bytes().all(good) {
            return None;
        }
        let mut id = Self { text: [0; Self::MAX], length: u8::try_from(text.len()).ok()? };
        id.text.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        Some(id)
    }

    /// Sorts before every id and is none: the lower bound of a range.
    pub(crate) fn lowest() -> Self {
        Self { text: [0; Self::MAX], length: 0 }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.text[..usize::from(self.length)]).unwrap_or_default()
    }
}

impl fmt::Debug for AgencyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for AgencyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A SHA-256 value.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest(pub [u8; 32]);

/// A key that is a hash, or begins with one: keys lie about evenly between zero and the highest, so that where one is in a
/// sorted list can be guessed. Whatever orders the keys orders this too.
pub trait Spread: Ord {
    /// The first 64 bits of the hash.
    fn spread(&self) -> u64;
}

impl Digest {
    /// All zero: the predecessor of the first record of a ledger.
    pub const ZERO: Digest = Digest([0; 32]);

    /// Parses 64 hexadecimal digits.
    pub fn parse_hex(text: &str) -> Option<Self> {
        let text = text.as_bytes();
        if text.len() != 64 {
            return None;
        }
        let digit = |b: u8| (b as char).to_digit(16).map(|d| d as u8);
        let mut out = [0; 32];
        for (byte, pair) in out.iter_mut().zip(text.chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Some(Digest(out))
    }

    /// The first 8 hexadecimal digits, for people.
    pub fn short(&self) -> String {
        alloc::format!("{self}")[..8].into()
    }
}

impl Spread for Digest {
    fn spread(&self) -> u64 {
        let [first, ..] = self.0.as_chunks().0 else { return 0 };
        u64::from_be_bytes(*first)
    }
}

impl Ord for Digest {
    /// As bytes. Nearly always the first eight tell, and as a number they are compared without a call: comparing digests was
    /// a tenth of the processor time of a hand-off.
    fn cmp(&self, other: &Self) -> Ordering {
        self.spread().cmp(&other.spread()).then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for Digest {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // At one go: ids stand in every row and answer.
        let mut text = [0; 64];
        for (pair, byte) in text.as_chunks_mut::<2>().0.iter_mut().zip(self.0) {
            *pair = [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]];
        }
        f.write_str(core::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

const HEX: &[u8; 16] = b"0123456789abcdef";

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0[..4].iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

/// The id of a statement: `SHA-256(PAE(type, body))`, never of a signature (protocol.md 1).
pub type Sid = Digest;
/// The id of a transfer: the sid of its OFFER. Everything about a transfer names it, never (track, hop) alone.
pub type Tid = Digest;
/// The id of a track: the sid of its intake statement, so an id cannot be claimed twice.
pub type TrackId = Digest;

/// Number of an offer for a track, strictly rising from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hop(pub u32);

/// Rises when a node recovers from an old copy of itself (protocol.md 6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Incarnation(pub u64);

/// Position of a record in one agency's ledger, from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LedgerIndex(pub u64);

/// Wall time in milliseconds since 1970 UTC: a claim, never an input of a decision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WallMs(pub i64);

/// Monotonic time in milliseconds since the node started: it only triggers attempts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(pub u64);

/// Number of records of a ledger and the hash of the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// How many records the ledger holds.
    pub size: u64,
    /// The chain hash of the last of them; [`Digest::ZERO`] when there is none.
    pub hash: Digest,
}

impl Head {
    /// The head of an empty ledger.
    pub const EMPTY: Head = Head { size: 0, hash: Digest::ZERO };
}
