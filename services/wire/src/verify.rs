//! The verifier: the only way from bytes of others to a statement the core may look at. Signature first, then the body.

mod cache;

use crate::keys::{KeyRing, Roots};
use crate::limits;
use crate::statement::{parse, sid};
use bytes::Bytes;
use cache::Cache;
use lienthong_core::reason::Reason;
use lienthong_core::statement::{Body, Statement};
use lienthong_proto::v1;
use prost::Message;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Verifies statements under the keys of one directory and remembers what it verified: a certificate grows with each
/// hop, and what was checked at the last one is not checked again.
#[derive(Debug)]
pub struct Verifier {
    keys: Arc<KeyRing>,
    roots: Roots,
    verified: Mutex<Cache>,
}

impl Verifier {
    /// A verifier under these keys.
    pub fn new(keys: Arc<KeyRing>) -> Self {
        Self { keys, roots: Roots::default(), verified: Mutex::new(Cache::default()) }
    }

    /// The keys.
    pub fn keys(&self) -> &KeyRing {
        &self.keys
    }

    /// Verifies a statement. One that was verified before is given as it was then, with the proof of that time: its
    /// sid covers type and body.
    ///
    /// # Errors
    /// `BadSignature`, `UnknownKey`, `UnknownStatementType`, `MalformedStatement`; `BadSignature` also when the key is
    /// not one of the agency the body claims.
    pub fn verify_statement(&self, signed: v1::SignedStatement) -> Result<Arc<Statement>, Reason> {
        if signed.r#type.len() > limits::TYPE_BYTES || signed.body.len() > limits::BODY_BYTES {
            return Err(Reason::MalformedStatement);
        }
        let sid = sid(&signed.r#type, &signed.body);
        if let Some(known) = self.verified().get(&sid) {
            return Ok(known);
        }
        let proof = signed.proof.ok_or(Reason::BadSignature)?;
        let keys = (&*self.keys, Some(&self.roots));
        let statement = Arc::new(check(keys, &signed.r#type, signed.body, &proof)?);
        self.verified().put(statement.clone());
        Ok(statement)
    }

    fn verified(&self) -> MutexGuard<'_, Cache> {
        self.verified.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Signature, then body, then that the key is the claimed agency's. Acts are signed by the authority alone, and it signs
/// nothing else.
pub(crate) fn check(
    (keys, roots): (&KeyRing, Option<&Roots>),
    kind: &str,
    body: Bytes,
    proof: &v1::Proof,
) -> Result<Statement, Reason> {
    let agency = keys.check_beside(kind, &body, proof, roots)?;
    let statement = parse(kind, body, proof.encode_to_vec().into())?;
    let is_act = matches!(statement.body, Body::Retire(_));
    let right = statement.claim.agency == *agency && is_act == keys.is_authority(agency);
    if right { Ok(statement) } else { Err(Reason::BadSignature) }
}

pub(crate) fn decode_proof(bytes: &[u8]) -> Result<v1::Proof, Reason> {
    if bytes.len() > limits::PROOF_BYTES {
        return Err(Reason::BadSignature);
    }
    v1::Proof::decode(bytes).map_err(|_| Reason::BadSignature)
}
