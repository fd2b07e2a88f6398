//! The agency's own key and the proofs it makes.

use super::tree::Tree;
use crate::limits::LEAVES;
use crate::statement::{COMMIT_TYPE, commit_body, pae, type_name};
use bytes::Bytes;
use ed25519_dalek::Signer as _;
use lienthong_core::record::{Origin, Record};
use lienthong_core::statement::{Kind, Sealed, Statement};
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
        let direct = self.direct(&pae(type_name(kind), body));
        v1::Proof { kind: Some(v1::proof::Kind::Direct(direct)) }.encode_to_vec()
    }

    /// The same bytes with their proof.
    pub fn sign_sealed(&self, kind: Kind, sealed: &Sealed) -> Sealed {
        let proof = self.sign(kind, &sealed.body).into();
        Sealed { sid: sealed.sid, body: sealed.body.clone(), proof }
    }

    /// Proves the statements that were made in a commit: one alone by a direct signature, more of them by one signature
    /// for each [`LEAVES`]. What others made has its proof.
    pub fn sign_records(&self, records: &mut [Record]) {
        let made = records.iter_mut().filter_map(|record| match record {
            Record::Statement(record) if record.origin == Origin::Made => {
                Some(Arc::make_mut(&mut record.statement))
            }
            _ => None,
        });
        let mut made: Vec<&mut Statement> = made.collect();
        made.chunks_mut(LEAVES).for_each(|group| self.sign_group(group));
    }

    fn sign_group(&self, group: &mut [&mut Statement]) {
        if let [one] = group {
            one.sealed = self.sign_sealed(one.body.kind(), &one.sealed);
            return;
        }
        let tree = Tree::over(group.iter().map(|statement| statement.sid()));
        let (root, leaf_count) = (tree.root(), group.len() as u64);
        let signature = self.direct(&pae(COMMIT_TYPE, &commit_body(&root, leaf_count)));
        for (index, statement) in group.iter_mut().enumerate() {
            let path = tree.path(index);
            let checkpoint = v1::CheckpointProof {
                root: Bytes::copy_from_slice(&root.0),
                leaf_index: index as u64,
                leaf_count,
                path: path.iter().map(|sibling| Bytes::copy_from_slice(&sibling.0)).collect(),
                signature: Some(signature.clone()),
            };
            let proof = v1::Proof { kind: Some(v1::proof::Kind::Checkpoint(checkpoint)) };
            statement.sealed.proof = proof.encode_to_vec().into();
        }
    }

    fn direct(&self, signed: &[u8]) -> v1::DirectSignature {
        v1::DirectSignature {
            algorithm: v1::Algorithm::Ed25519 as i32,
            key_id: self.key.id.as_ref().into(),
            signature: self.key.key.sign(signed).to_vec().into(),
        }
    }
}
