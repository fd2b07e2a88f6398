//! Keys: signing with the agency's own, finding those of others.

mod file;
mod ring;
mod signer;
mod tree;
mod walked;

pub use file::{KeyFileError, generate, load, save};
pub(crate) use ring::Roots;
pub use ring::{KeyRing, Known};
pub use signer::{EntropyError, Signer, SigningKey};

use crate::limits;

/// Whether a key's id has 1–64 of `A–Z a–z 0–9 . _ -`: it stands in key files, directories and every proof.
pub fn is_key_id(text: &str) -> bool {
    let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    !text.is_empty() && text.len() <= limits::KEY_ID_BYTES && text.bytes().all(good)
}
