//! The public keys of a directory, by key id, and the one place where a signature is checked.

use super::tree;
use crate::directory::DirectoryFile;
use crate::limits;
use crate::statement::{COMMIT_TYPE, commit_body, pae, sid};
use bytes::Bytes;
use ed25519_dalek::{Signature, VerifyingKey};
use lienthong_core::ids::{AgencyId, Digest, Sid};
use lienthong_core::reason::Reason;
use lienthong_proto::v1;
use lru::LruCache;
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Public keys by key id. Ids are unique in a directory, so a proof alone names the agency whose key it needs, before
/// anything of the body is read.
#[derive(Clone, Debug, Default)]
pub struct KeyRing {
    keys: BTreeMap<String, Known>,
    authority: Option<AgencyId>,
}

/// A key and its agency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Who signs with it.
    pub agency: AgencyId,
    key: VerifyingKey,
}

impl KeyRing {
    /// The keys of a directory: of its agencies, and of its authority.
    pub fn of(directory: &DirectoryFile) -> Self {
        let authority = &directory.authority;
        let mut ring = Self { authority: Some(authority.id.clone()), ..Self::default() };
        for key in &authority.keys {
            ring.add(authority.id.clone(), &key.id, &key.public);
        }
        for agency in &directory.agencies {
            for key in &agency.keys {
                ring.add(agency.id.clone(), &key.id, &key.public);
            }
        }
        ring
    }

    /// Adds a key. `false`, and nothing is added, when the id is taken or the bytes are no sound public key: no point
    /// of the curve, or one of small order, for which anybody could sign.
    pub fn add(&mut self, agency: AgencyId, id: &str, public: &[u8; 32]) -> bool {
        let Ok(key) = VerifyingKey::from_bytes(public) else { return false };
        if key.is_weak() || !super::is_key_id(id) || self.keys.contains_key(id) {
            return false;
        }
        self.keys.insert(id.into(), Known { agency, key });
        true
    }

    /// The key of an id.
    pub fn get(&self, id: &str) -> Option<&Known> {
        self.keys.get(id)
    }

    /// Whether this is the authority of the directory, whose keys sign acts and nothing else.
    pub fn is_authority(&self, id: &AgencyId) -> bool {
        self.authority.as_ref() == Some(id)
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Checks a proof of (type, body) and says whose key made it. The body is not parsed.
    ///
    /// # Errors
    /// `UnknownKey` when the directory has no such key; `BadSignature` for everything else.
    pub fn check(&self, type_name: &str, body: &[u8], proof: &v1::Proof) -> Result<&AgencyId, Reason> {
        self.check_beside(type_name, body, proof, None)
    }

    /// The same; a root that is among `roots` was checked before, and one that is checked now is added. They must be of
    /// this ring alone.
    pub(crate) fn check_beside(
        &self,
        type_name: &str,
        body: &[u8],
        proof: &v1::Proof,
        roots: Option<&Roots>,
    ) -> Result<&AgencyId, Reason> {
        if body.len() > limits::BODY_BYTES {
            return Err(Reason::BadSignature);
        }
        match proof.kind.as_ref().ok_or(Reason::BadSignature)? {
            v1::proof::Kind::Direct(direct) => {
                let known = self.key_of(direct)?;
                verify(known, &pae(type_name, body), &direct.signature)
            }
            v1::proof::Kind::Checkpoint(checkpoint) => {
                let direct = checkpoint.signature.as_ref().ok_or(Reason::BadSignature)?;
                let known = self.key_of(direct)?;
                let root = led_to(checkpoint, &sid(type_name, body)).ok_or(Reason::BadSignature)?;
                let signed = commit_body(&root, checkpoint.leaf_count);
                let entry = (direct.key_id.clone(), signed, direct.signature.clone());
                if roots.is_some_and(|roots| roots.has(&entry)) {
                    return Ok(&known.agency);
                }
                verify(known, &pae(COMMIT_TYPE, &signed), &direct.signature)?;
                roots.inspect(|roots| roots.add(entry));
                Ok(&known.agency)
            }
        }
    }

    fn key_of(&self, direct: &v1::DirectSignature) -> Result<&Known, Reason> {
        if direct.algorithm != v1::Algorithm::Ed25519 as i32 {
            return Err(Reason::BadSignature);
        }
        self.get(&direct.key_id).ok_or(Reason::UnknownKey)
    }
}

/// The one place where a signature is verified.
fn verify<'a>(known: &'a Known, signed: &[u8], signature: &[u8]) -> Result<&'a AgencyId, Reason> {
    let signature = Signature::from_slice(signature).map_err(|_| Reason::BadSignature)?;
    known.key.verify_strict(signed, &signature).map_err(|_| Reason::BadSignature)?;
    Ok(&known.agency)
}

/// The root of a checkpoint, when the path leads to it from the leaf of `sid`.
fn led_to(checkpoint: &v1::CheckpointProof, sid: &Sid) -> Option<Digest> {
    if checkpoint.leaf_count > limits::LEAVES as u64 {
        return None;
    }
    let digest = |bytes: &Bytes| <[u8; 32]>::try_from(&bytes[..]).map(Digest).ok();
    let path = checkpoint.path.iter().map(digest).collect::<Option<Vec<_>>>()?;
    let root = tree::root_from(sid, checkpoint.leaf_index, checkpoint.leaf_count, &path)?;
    (root.0[..] == checkpoint.root[..]).then_some(root)
}

/// Whose key, what was signed, and the signature.
type Checked = (String, [u8; 40], Bytes);

/// Roots checked lately: a pack brings many statements of one commit, and its signature is verified once.
#[derive(Debug)]
pub(crate) struct Roots(Mutex<LruCache<Checked, ()>>);

/// Some seconds of the highest load: a root stands for up to [`limits::LEAVES`] statements.
const ROOTS: NonZeroUsize = NonZeroUsize::new(4_096).expect("not zero");

impl Default for Roots {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(ROOTS)))
    }
}

impl Roots {
    fn has(&self, checked: &Checked) -> bool {
        self.lock().get(checked).is_some()
    }

    fn add(&self, checked: Checked) {
        self.lock().put(checked, ());
    }

    fn lock(&self) -> MutexGuard<'_, LruCache<Checked, ()>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
