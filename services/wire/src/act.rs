//! Acts of the authority as files: made and signed away from any node, and brought to nodes by hand.

use crate::keys::{Signer, SigningKey};
use crate::limits::SIGNED_BYTES;
use crate::statement::{WireCodec, to_proto};
use lienthong_core::authority::Retire;
use lienthong_core::codec::Codec;
use lienthong_core::ids::{AgencyId, Head, Incarnation, LedgerIndex, WallMs};
use lienthong_core::reason::Reason;
use lienthong_core::statement::{Body, Claim, Statement};
use lienthong_proto::v1;
use prost::Message;

/// Signs an act for the directory of `epoch`. The authority has no ledger: its place and head are zero.
pub fn sign(key: SigningKey, authority: AgencyId, epoch: u64, made_at: WallMs, retire: Retire) -> Statement {
    let claim = Claim {
        agency: authority,
        incarnation: Incarnation(0),
        index: LedgerIndex(0),
        head: Head::EMPTY,
        made_at,
        epoch,
        officer: None,
    };
    let body = Body::Retire(retire);
    let sealed = WireCodec.seal(&claim, &body);
    let sealed = Signer::new(key).sign_sealed(body.kind(), &sealed);
    Statement { claim, body, sealed }
}

/// The bytes of an act's file: an encoded `SignedStatement`.
pub fn to_file(act: &Statement) -> Vec<u8> {
    to_proto(act).encode_to_vec()
}

/// What a file holds; nothing of it is verified yet.
///
/// # Errors
/// `MalformedStatement` when it is above the limit or no `SignedStatement`.
pub fn from_file(bytes: &[u8]) -> Result<v1::SignedStatement, Reason> {
    if bytes.len() > SIGNED_BYTES {
        return Err(Reason::MalformedStatement);
    }
    v1::SignedStatement::decode(bytes).map_err(|_| Reason::MalformedStatement)
}
