//! The agency's own key and the proofs it makes.

use crate::statement::{pae, type_name};
use ed25519_dalek::Signer as _;
use lienthong_core::statement::{Kind, Sealed};
use lienthong_proto::v1;
use prost::Message;
use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

/// The operating system gave no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("get random bytes from the operating system: {0}")]
pub struct EntropyError(pub(crate) getrandom::Error);

/// An Ed25519 key with its id. The seed is wiped when it is dropped.
#[derive(Clone)]
pub struct SigningKey {
    id: Arc<str>,
    key: ed25519_dalek::SigningKey,
}

impl SigningKey {
    /// The key of a seed. The id must satisfy [`super::is_key_id`]; `None` otherwise.
    pub fn from_seed(id: &str, seed: &[u8; 32]) -> Option<Self> {
        super::is_key_id(id).then(|| Self { id: id.into(), key: ed25519_dalek::SigningKey::from_bytes(seed) })
    }

    /// The key's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The public half, as it stands in the directory.
    pub fn public(&self) -> [u8; 32] {
        self.key.verifying_key().to_bytes()
    }

    pub(crate) fn seed(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.key.to_bytes())
    }
}

impl fmt::Debug for SigningKey {
    /// The id alone: the seed stays out of logs and panics.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.id)
    }
}

/// Signs statements with one key.
#[derive(Clone, Debug)]
pub struct Signer {
    key: SigningKey,
}

impl Signer {
    /// A signer with this key.
    pub fn new(key: SigningKey) -> Self {
        Self { key }
    }

    /// The key.
    pub fn key(&self) -> &SigningKey {
        &self.key
    }

    /// The encoded `Proof` of a statement: a direct signature over `PAE(type of kind, body)`.
    pub fn sign(&self, kind: Kind, body: &[u8]) -> Vec<u8> {
        let signature = self.key.key.sign(&pae(type_name(kind), body));
        let direct = v1::DirectSignature {
            algorithm: v1::Algorithm::Ed25519 as i32,
            key_id: self.key.id.as_ref().into(),
            signature: signature.to_vec().into(),
        };
        v1::Proof { kind: Some(v1::proof::Kind::Direct(direct)) }.encode_to_vec()
    }

    /// The same bytes with their proof.
    pub fn sign_sealed(&self, kind: Kind, sealed: &Sealed) -> Sealed {
        let proof = self.sign(kind, &sealed.body).into();
        Sealed { sid: sealed.sid, body: sealed.body.clone(), proof }
    }
}
