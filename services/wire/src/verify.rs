//! The verifier: the only way from bytes of others to a statement the core may look at. Signature first, then the body.

mod cache;

use crate::keys::{KeyRing, Roots};
use crate::limits;
use crate::statement::{Signed, parse, sid, straightened};
use bytes::Bytes;
use cache::Cache;
use lienthong_core::ids::Sid;
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
        self.verify_straight(&signed.encode_to_vec().into())
    }

    /// The same of an encoded `SignedStatement`.
    ///
    /// # Errors
    /// Those of [`Verifier::verify_statement`]; `MalformedStatement` also for what is too large or is none.
    pub fn verify_encoded(&self, bytes: Bytes) -> Result<Arc<Statement>, Reason> {
        if bytes.len() > limits::SIGNED_BYTES {
            return Err(Reason::MalformedStatement);
        }
        match Signed::read(&bytes) {
            Some(signed) => self.verify(&bytes, &signed),
            None => self.verify_straight(&straightened(bytes)?),
        }
    }

    fn verify_straight(&self, bytes: &Bytes) -> Result<Arc<Statement>, Reason> {
        self.verify(bytes, &Signed::read(bytes).ok_or(Reason::MalformedStatement)?)
    }

    /// `signed` is what stands in `bytes`.
    fn verify(&self, bytes: &Bytes, signed: &Signed<'_>) -> Result<Arc<Statement>, Reason> {
        if signed.kind.len() > limits::TYPE_BYTES || signed.body.len() > limits::BODY_BYTES {
            return Err(Reason::MalformedStatement);
        }
        let sid = sid(signed.kind, signed.body);
        if let Some(known) = self.verified().get(&sid) {
            return Ok(known);
        }
        let keys = (&*self.keys, Some(&self.roots));
        let statement = Arc::new(check(keys, signed, sid, bytes.slice_ref(signed.body))?);
        self.verified().put(statement.clone());
        Ok(statement)
    }

    fn verified(&self) -> MutexGuard<'_, Cache> {
        self.verified.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Signature, then body, then that the key is the claimed agency's. Acts are signed by the authority alone, and it signs
/// nothing else. `sid` and `body` are those of `signed`.
pub(crate) fn check(
    (keys, roots): (&KeyRing, Option<&Roots>),
    signed: &Signed<'_>,
    sid: Sid,
    body: Bytes,
) -> Result<Statement, Reason> {
    let proof = signed.proof.as_ref().ok_or(Reason::BadSignature)?;
    let agency = keys.check_beside(signed, &sid, proof, roots)?;
    let statement = parse(signed.kind, sid, body, proof.bytes.into())?;
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
