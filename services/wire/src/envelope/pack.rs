//! Packs: several envelopes in one message of the courier, each judged by itself.

use super::encode::put;
use crate::limits::{PACK_BYTES, PACK_ENVELOPES};
use crate::scan::Fields;
use bytes::Bytes;
use lienthong_core::reason::Reason;
use prost::encoding::encoded_len_varint;

/// The envelopes of a pack, undecoded and uncopied.
///
/// # Errors
/// `EnvelopeTooLarge` above [`PACK_BYTES`], `TooManyItems` above [`PACK_ENVELOPES`], `Undecodable` when it is no pack
/// or is empty.
pub fn open_pack(bytes: Bytes) -> Result<Vec<Bytes>, Reason> {
    if bytes.len() > PACK_BYTES {
        return Err(Reason::EnvelopeTooLarge);
    }
    let mut envelopes = Vec::new();
    for field in Fields::of(&bytes) {
        let (number, envelope) = field.map_err(|_| Reason::Undecodable)?;
        if number != 1 {
            continue;
        }
        if envelopes.len() == PACK_ENVELOPES {
            return Err(Reason::TooManyItems);
        }
        envelopes.push(bytes.slice_ref(envelope));
    }
    if envelopes.is_empty() { Err(Reason::Undecodable) } else { Ok(envelopes) }
}

/// Fills a pack until the next envelope would not fit.
#[derive(Clone, Debug, Default)]
pub struct PackBuilder {
    bytes: Vec<u8>,
    envelopes: usize,
}

impl PackBuilder {
    /// An empty pack.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an envelope. `false`, and nothing is added, when it does not fit: finish this pack and begin another. An
    /// envelope within [`crate::limits::ENVELOPE_BYTES`] always fits an empty pack.
    #[must_use]
    pub fn push(&mut self, envelope: &[u8]) -> bool {
        let grown = self.bytes.len() + 1 + encoded_len_varint(envelope.len() as u64) + envelope.len();
        if grown > PACK_BYTES || self.envelopes == PACK_ENVELOPES {
            return false;
        }
        put(1, envelope, &mut self.bytes);
        self.envelopes += 1;
        true
    }

    /// How many envelopes it has.
    pub fn len(&self) -> usize {
        self.envelopes
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.envelopes == 0
    }

    /// The encoded `Pack`.
    pub fn finish(self) -> Bytes {
        self.bytes.into()
    }
}
