//! A look at the top level of an encoded message without decoding it: repeated fields are counted, and taken one at a
//! time, before anything is allocated for them. Two bytes on the wire could otherwise become hundreds in memory.

use bytes::Buf;
use prost::encoding::{WireType, decode_key, decode_varint};

/// The bytes are no protobuf message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotAMessage;

/// What a field holds.
pub(crate) enum Value<'a> {
    Varint(u64),
    Bytes(&'a [u8]),
}

/// The length-delimited fields of a message in wire order; fields of other types are stepped over.
pub(crate) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(crate) fn of(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The next field that is a varint or length-delimited.
    pub(crate) fn next_value(&mut self) -> Result<Option<(u32, Value<'a>)>, NotAMessage> {
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
                    let (value, rest) = self.rest.split_at_checked(length).ok_or(NotAMessage)?;
                    self.rest = rest;
                    return Ok(Some((number, Value::Bytes(value))));
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

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, &'a [u8]), NotAMessage>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.next_value() {
                Ok(None) => return None,
                Ok(Some((number, Value::Bytes(bytes)))) => return Some(Ok((number, bytes))),
                Ok(Some((_, Value::Varint(_)))) => {}
                Err(fault) => {
                    self.rest = &[];
                    return Some(Err(fault));
                }
            }
        }
    }
}

/// How often the length-delimited field `number` occurs.
pub(crate) fn count(bytes: &[u8], number: u32) -> Result<usize, NotAMessage> {
    Fields::of(bytes).try_fold(0, |n, field| Ok(n + usize::from(field?.0 == number)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_refuses() {
        // field 1 varint, field 2 "ab", field 2 "", field 5 fixed32
        let good = [0x08, 0x96, 0x01, 0x12, 2, b'a', b'b', 0x12, 0, 0x2d, 1, 2, 3, 4];
        assert_eq!(count(&good, 2), Ok(2));
        for bad in [
            &[0x12, 5, 1][..],
            &[0x2d, 1],
            &[0x0b],
            &[0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
        ] {
            assert_eq!(count(bad, 2), Err(NotAMessage), "{bad:?}");
        }
    }
}
