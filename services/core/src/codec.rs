//! The seam that keeps the core pure: encoding and hashing of statements, implemented by `wire`.

use crate::statement::{Body, Claim, Sealed};

/// Encodes statements. A statement's id is the hash of its encoded bytes, so the core needs both while it decides;
/// signatures are made later and stored, never replayed.
pub trait Codec {
    /// The body's bytes and its sid, with an empty proof. The same arguments always give the same bytes.
    fn seal(&self, claim: &Claim, body: &Body) -> Sealed;
}
