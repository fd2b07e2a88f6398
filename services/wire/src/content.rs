//! Contents: the bytes of a dossier beside their salt, and the commitment that stands for them in a signed body.

use crate::keys::EntropyError;
use crate::limits;
use crate::scan::Fields;
use bytes::Bytes;
use lienthong_core::ids::Digest;
use lienthong_core::limits::CONTENT_BYTES;
use lienthong_core::reason::Reason;
use lienthong_core::statement::Commitment;
use lienthong_proto::v1;
use prost::Message;
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::sync::Arc;

/// Random bytes that keep a content from being guessed from its hash.
pub type Salt = [u8; limits::SALT_BYTES];

/// The format of content in clear.
pub const PLAIN: &str = "plain/1";

/// A content with its salt. It has no `Debug` that shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Content {
    /// Such as [`PLAIN`].
    pub format: String,
    /// The salt.
    pub salt: Salt,
    /// The bytes.
    pub data: Bytes,
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Content({}, {} bytes)", self.format, self.data.len())
    }
}

impl Content {
    /// What a signed body says of it: `SHA-256(salt ‖ bytes)`, format and length.
    pub fn commitment(&self) -> Commitment {
        commitment(&self.format, &self.data, &self.salt)
    }

    /// Whether this is its commitment.
    pub fn is(&self, committed: &Commitment) -> bool {
        self.format == committed.format
            && self.data.len() as u64 == committed.length
            && digest(&self.data, &self.salt) == committed.digest
    }
}

/// A new salt.
///
/// # Errors
/// When the operating system gives no random bytes.
pub fn new_salt() -> Result<Salt, EntropyError> {
    let mut salt = Salt::default();
    getrandom::fill(&mut salt).map_err(EntropyError)?;
    Ok(salt)
}

/// The commitment to a content, and the encoded `Content` that travels and is stored beside it.
///
/// # Errors
/// `ContentTooLarge` above [`CONTENT_BYTES`], `FieldTooLong` for the format's name.
pub fn commit(format: &str, data: &[u8], salt: &Salt) -> Result<(Commitment, Arc<[u8]>), Reason> {
    if data.len() > CONTENT_BYTES {
        return Err(Reason::ContentTooLarge);
    }
    if format.is_empty() || format.len() > limits::FORMAT_BYTES {
        return Err(Reason::FieldTooLong);
    }
    let message = v1::Content {
        format: format.into(),
        salt: Bytes::copy_from_slice(salt),
        data: Bytes::copy_from_slice(data),
    };
    Ok((commitment(format, data, salt), message.encode_to_vec().into()))
}

/// Parses an encoded `Content`. Each field may stand once: two readers of the same bytes must see the same content.
///
/// # Errors
/// `ContentTooLarge`, or `ContentMismatch` for anything that is no content.
pub fn open(bytes: Bytes) -> Result<Content, Reason> {
    if bytes.len() > CONTENT_BYTES + limits::FORMAT_BYTES + limits::SALT_BYTES + 32 {
        return Err(Reason::ContentTooLarge);
    }
    let mut seen = [false; 4];
    for field in Fields::of(&bytes) {
        let (number, _) = field.map_err(|_| Reason::ContentMismatch)?;
        if (1..=3).contains(&number) && std::mem::replace(&mut seen[number as usize], true) {
            return Err(Reason::ContentMismatch);
        }
    }
    let message = v1::Content::decode(bytes).map_err(|_| Reason::ContentMismatch)?;
    if message.data.len() > CONTENT_BYTES {
        return Err(Reason::ContentTooLarge);
    }
    let salt = message.salt[..].try_into().map_err(|_| Reason::ContentMismatch)?;
    if message.format.is_empty() || message.format.len() > limits::FORMAT_BYTES {
        return Err(Reason::ContentMismatch);
    }
    Ok(Content { format: message.format, salt, data: message.data })
}

fn commitment(format: &str, data: &[u8], salt: &Salt) -> Commitment {
    Commitment { format: format.into(), digest: digest(data, salt), length: data.len() as u64 }
}

fn digest(data: &[u8], salt: &Salt) -> Digest {
    Digest(Sha256::new().chain_update(salt).chain_update(data).finalize().into())
}
