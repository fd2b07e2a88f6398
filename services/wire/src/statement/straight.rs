//! Signed statements read where they lie, without a message for each part. Only bytes that are exactly as prost would write
//! them are read so: for those, what stands here and what prost would decode and write again are the same, byte for byte.
//! All others are decoded and written again first, which drops what this version does not know.

use bytes::Bytes;
use lienthong_core::reason::Reason;
use lienthong_proto::v1;
use prost::Message;
use prost::encoding::{decode_varint, encoded_len_varint};

/// The parts of a signed statement.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signed<'a> {
    pub(crate) kind: &'a str,
    pub(crate) body: &'a [u8],
    pub(crate) proof: Option<Proof<'a>>,
}

/// A proof with its bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Proof<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) way: Option<Way<'a>>,
}

/// How it proves.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Way<'a> {
    Direct(Direct<'a>),
    Checkpoint(Checkpoint<'a>),
}

/// A signature of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Direct<'a> {
    pub(crate) algorithm: i32,
    pub(crate) key_id: &'a str,
    pub(crate) signature: &'a [u8],
}

/// A path to a signed root.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Checkpoint<'a> {
    pub(crate) root: &'a [u8],
    pub(crate) leaf_index: u64,
    pub(crate) leaf_count: u64,
    /// None where a step is not of 32 bytes.
    pub(crate) path: Option<Path<'a>>,
    pub(crate) signature: Option<Direct<'a>>,
}

/// The steps of a path, each behind its key and its length.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Path<'a>(&'a [[u8; STEP]]);

/// Key, length, digest.
const STEP: usize = 2 + 32;

impl<'a> Path<'a> {
    /// The siblings, from the leaf upwards.
    pub(crate) fn steps(self) -> impl Iterator<Item = &'a [u8; 32]> {
        self.0.iter().filter_map(|step| step.last_chunk())
    }
}

/// The same message, written so that [`Signed::read`] reads it.
pub(crate) fn straightened(bytes: Bytes) -> Result<Bytes, Reason> {
    let message = v1::SignedStatement::decode(bytes).map_err(|_| Reason::MalformedStatement)?;
    Ok(message.encode_to_vec().into())
}

impl<'a> Signed<'a> {
    /// None where prost would write it otherwise, or would not read it.
    pub(crate) fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut fields = Fields(bytes);
        let kind = fields.text(0x0a)?;
        let body = fields.bytes(0x12)?;
        let proof = fields.message(0x1a)?;
        let proof = match proof {
            Some(proof) => Some(Proof::read(proof)?),
            None => None,
        };
        fields.end(Self { kind, body, proof })
    }
}

impl<'a> Proof<'a> {
    /// None where prost would write it otherwise, or would not read it.
    pub(crate) fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut fields = Fields(bytes);
        let way = if let Some(direct) = fields.message(0x0a)? {
            Some(Way::Direct(Direct::read(direct)?))
        } else if let Some(checkpoint) = fields.message(0x12)? {
            Some(Way::Checkpoint(Checkpoint::read(checkpoint)?))
        } else {
            None
        };
        fields.end(Self { bytes, way })
    }
}

impl<'a> Direct<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut fields = Fields(bytes);
        let number = fields.number(0x08)?;
        let algorithm = number as i32;
        // Of a number that is longer prost keeps the end.
        if algorithm as u64 != number {
            return None;
        }
        let key_id = fields.text(0x12)?;
        let signature = fields.bytes(0x1a)?;
        fields.end(Self { algorithm, key_id, signature })
    }
}

impl<'a> Checkpoint<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut fields = Fields(bytes);
        let root = fields.bytes(0x0a)?;
        let leaf_index = fields.number(0x10)?;
        let leaf_count = fields.number(0x18)?;
        let path = fields.path(0x22)?;
        let signature = match fields.message(0x2a)? {
            Some(direct) => Some(Direct::read(direct)?),
            None => None,
        };
        fields.end(Self { root, leaf_index, leaf_count, path, signature })
    }
}

/// What is left of a message whose fields are taken in the order of their numbers. Whatever is not as prost writes it ends
/// the reading with None.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn next_is(&mut self, key: u8) -> bool {
        match self.0 {
            [first, rest @ ..] if *first == key => {
                self.0 = rest;
                true
            }
            _ => false,
        }
    }

    fn varint(&mut self) -> Option<u64> {
        if let [short @ ..0x80, rest @ ..] = self.0 {
            self.0 = rest;
            return Some(u64::from(*short));
        }
        let before = self.0.len();
        let value = decode_varint(&mut self.0).ok()?;
        (before - self.0.len() == encoded_len_varint(value)).then_some(value)
    }

    fn value(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.varint()?).ok()?;
        let (value, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(value)
    }

    /// A number; zero is not written.
    fn number(&mut self, key: u8) -> Option<u64> {
        if self.next_is(key) { self.varint().filter(|n| *n != 0) } else { Some(0) }
    }

    /// Bytes; none are not written.
    fn bytes(&mut self, key: u8) -> Option<&'a [u8]> {
        if self.next_is(key) { self.value().filter(|v| !v.is_empty()) } else { Some(&[]) }
    }

    fn text(&mut self, key: u8) -> Option<&'a str> {
        std::str::from_utf8(self.bytes(key)?).ok()
    }

    /// The bytes of a message, an empty one too; `Some(None)` where there is none.
    fn message(&mut self, key: u8) -> Option<Option<&'a [u8]>> {
        if self.next_is(key) { self.value().map(Some) } else { Some(None) }
    }

    /// All steps; `Some(None)` where one of them is not of 32 bytes.
    fn path(&mut self, key: u8) -> Option<Option<Path<'a>>> {
        let (whole, mut are_digests) = (self.0, true);
        while self.next_is(key) {
            are_digests &= self.value()?.len() == 32;
        }
        let steps = whole.get(..whole.len() - self.0.len())?.as_chunks().0;
        Some(are_digests.then_some(Path(steps)))
    }

    fn end<T>(self, read: T) -> Option<T> {
        self.0.is_empty().then_some(read)
    }
}

#[cfg(test)]
mod tests;
