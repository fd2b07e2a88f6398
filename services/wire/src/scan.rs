//! A look at the top level of an encoded message without decoding it: repeated fields are counted, and taken one at a
//! time, before anything is allocated for them. Two bytes on the wire could otherwise become hundreds in memory.

use bytes::{Buf, Bytes};
use prost::encoding::{WireType, decode_key, decode_varint};

/// The bytes are no protobuf message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotAMessage;

/// What a field holds.
pub(crate) enum Value {
    Varint(u64),
    Bytes(Bytes),
}

/// The length-delimited fields of a message in wire order; fields of other types are stepped over.
pub(crate) struct Fields {
    rest: Bytes,
}

impl Fields {
    pub(crate) fn of(bytes: Bytes) -> Self {
        Self { rest: bytes }
    }

    /// The next field that is a varint or length-delimited.
    pub(crate) fn next_value(&mut self) -> Result<Option<(u32, Value)>, NotAMessage> {
        while self.rest.has_remaining() {
            let (number, wire) = decode_key(&mut self.rest).map_err(|_| NotAMessage)?;
            let skip = match wire {
                WireType::Varint => {
                    let value = decode_varint(&mut self.rest).map_err(|_| NotAMessage)?;
                    return Ok(Some((number, Value::Varint(value))));
                }
                WireType::ThirtyTwoBit => 4,
                WireType::SixtyFourBit => 8,
                WireType::LengthDelimited => {
                    let length = decode_varint(&mut self.rest).map_err(|_| NotAMessage)?;
                    let length = usize::try_from(length).map_err(|_| NotAMessage)?;
                    if length > self.rest.len() {
                        return Err(NotAMessage);
                    }
                    return Ok(Some((number, Value::Bytes(self.rest.split_to(length)))));
                }
                WireType::StartGroup | WireType::EndGroup => return Err(NotAMessage),
            };
            if skip > self.rest.len() {
                return Err(NotAMessage);
            }
            self.rest.advance(skip);
        }
        Ok(None)
    }
}

impl Iterator for Fields {
    type Item = Result<(u32, Bytes), NotAMessage>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.next_value() {
                Ok(None) => return None,
                Ok(Some((number, Value::Bytes(bytes)))) => return Some(Ok((number, bytes))),
                Ok(Some((_, Value::Varint(_)))) => {}
                Err(fault) => {
                    self.rest.clear();
                    return Some(Err(fault));
                }
            }
        }
    }
}

/// How often the length-delimited field `number` occurs.
pub(crate) fn count(bytes: &Bytes, number: u32) -> Result<usize, NotAMessage> {
    Fields::of(bytes.clone()).try_fold(0, |n, field| Ok(n + usize::from(field?.0 == number)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_refuses() {
        // field 1 varint, field 2 "ab", field 2 "", field 5 fixed32
        let good = Bytes::from_static(&[0x08, 0x96, 0x01, 0x12, 2, b'a', b'b', 0x12, 0, 0x2d, 1, 2, 3, 4]);
        assert_eq!(count(&good, 2), Ok(2));
        for bad in [
            &[0x12, 5, 1][..],
            &[0x2d, 1],
            &[0x0b],
            &[0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
        ] {
            assert_eq!(count(&Bytes::copy_from_slice(bad), 2), Err(NotAMessage), "{bad:?}");
        }
    }
}
