//! The hash chain of an agency's ledger.

use lienthong_core::ids::{AgencyId, Digest, LedgerIndex};
use sha2::{Digest as _, Sha256};

/// SHA-256 of a record's payload, the only thing about a record that a chain link needs: an exported trail
/// names foreign records by it and shows nothing of them.
pub fn payload_hash(payload: &[u8]) -> Digest {
    Digest(Sha256::digest(payload).into())
}

/// `SHA-256("lienthong.ledger.v1" ‖ len(agency) ‖ agency ‖ index ‖ prev ‖ payload hash)`, integers big-endian.
/// Signatures and detached bodies are not in the payload, so neither moves the chain (protocol.md 3, "Proof").
pub fn link(agency: &AgencyId, index: LedgerIndex, prev: Digest, payload: Digest) -> Digest {
    let mut hash = Sha256::new();
    hash.update(b"lienthong.ledger.v1");
    hash.update([agency.as_str().len() as u8]);
    hash.update(agency.as_str());
    hash.update(index.0.to_be_bytes());
    hash.update(prev.0);
    hash.update(payload.0);
    Digest(hash.finalize().into())
}
