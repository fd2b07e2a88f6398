//! The public keys of a directory, by key id, and the one place where a signature is checked.

use super::tree;
use super::walked::Walked;
use crate::directory::DirectoryFile;
use crate::limits;
use crate::statement::{COMMIT_TYPE, Checkpoint, Direct, Proof, Signed, Way, commit_body, pae, sid};
use ed25519_dalek::{SIGNATURE_LENGTH, Signature, VerifyingKey};
use lienthong_core::ids::{AgencyId, Digest, Sid};
use lienthong_core::reason::Reason;
use lienthong_proto::v1;
use lru::LruCache;
use prost::Message;
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
    /// Of the keys of its ring.
    number: usize,
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
        let number = self.keys.len();
        self.keys.insert(id.into(), Known { agency, key, number });
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
        let bytes = proof.encode_to_vec();
        let proof = Proof::read(&bytes).ok_or(Reason::BadSignature)?;
        let signed = Signed { kind: type_name, body, proof: Some(proof) };
        self.check_beside(&signed, &sid(type_name, body), &proof, None)
    }

    /// The same of what has this sid; a root that is among `roots` was checked before, and one that is checked now is added.
    /// They must be of this ring alone.
    pub(crate) fn check_beside(
        &self,
        signed: &Signed<'_>,
        sid: &Sid,
        proof: &Proof<'_>,
        roots: Option<&Roots>,
    ) -> Result<&AgencyId, Reason> {
        if signed.body.len() > limits::BODY_BYTES {
            return Err(Reason::BadSignature);
        }
        match proof.way.as_ref().ok_or(Reason::BadSignature)? {
            Way::Direct(direct) => {
                let known = self.key_of(direct)?;
                verify(known, &pae(signed.kind, signed.body), &signature(direct)?)
            }
            Way::Checkpoint(checkpoint) => {
                let direct = checkpoint.signature.as_ref().ok_or(Reason::BadSignature)?;
                let known = self.key_of(direct)?;
                let signed = led_to(checkpoint, sid, roots).ok_or(Reason::BadSignature)?;
                let entry = Checked { key: known.number, signed, signature: signature(direct)? };
                if roots.is_some_and(|roots| roots.has(&entry)) {
                    return Ok(&known.agency);
                }
                verify(known, &pae(COMMIT_TYPE, &signed), &entry.signature)?;
                roots.inspect(|roots| roots.add(entry));
                Ok(&known.agency)
            }
        }
    }

    fn key_of(&self, direct: &Direct<'_>) -> Result<&Known, Reason> {
        if direct.algorithm != v1::Algorithm::Ed25519 as i32 {
            return Err(Reason::BadSignature);
        }
        self.get(direct.key_id).ok_or(Reason::UnknownKey)
    }
}

type SignatureBytes = [u8; SIGNATURE_LENGTH];

fn signature(direct: &Direct<'_>) -> Result<SignatureBytes, Reason> {
    direct.signature.try_into().map_err(|_| Reason::BadSignature)
}

/// The one place where a signature is verified.
fn verify<'a>(known: &'a Known, signed: &[u8], signature: &SignatureBytes) -> Result<&'a AgencyId, Reason> {
    let signature = Signature::from_bytes(signature);
    known.key.verify_strict(signed, &signature).map_err(|_| Reason::BadSignature)?;
    Ok(&known.agency)
}

/// What is signed for a checkpoint, when the path leads from the leaf of `sid` to its root.
fn led_to(checkpoint: &Checkpoint<'_>, sid: &Sid, roots: Option<&Roots>) -> Option<[u8; 40]> {
    let (index, count) = (checkpoint.leaf_index, checkpoint.leaf_count);
    if count > limits::LEAVES as u64 {
        return None;
    }
    let root = Digest(checkpoint.root.try_into().ok()?);
    let (signed, steps) = (commit_body(&root, count), checkpoint.path?.steps());
    let leads = match roots {
        Some(roots) => roots.lock().walked.leads(&signed, (sid, index, count), steps),
        None => tree::root_from(sid, index, count, steps) == Some(root),
    };
    leads.then_some(signed)
}

/// A signature that was verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Checked {
    /// Whose key: its number in the ring.
    key: usize,
    /// What was signed.
    signed: [u8; 40],
    signature: SignatureBytes,
}

/// Roots checked lately, and paths that led to them: a pack brings many statements of one commit, whose signature is
/// verified once.
#[derive(Debug, Default)]
pub(crate) struct Roots(Mutex<Lately>);

#[derive(Debug)]
struct Lately {
    checked: LruCache<Checked, ()>,
    walked: Walked,
}

/// Some seconds of the highest load: a root stands for up to [`limits::LEAVES`] statements.
const ROOTS: NonZeroUsize = NonZeroUsize::new(4_096).expect("not zero");

impl Default for Lately {
    fn default() -> Self {
        Self { checked: LruCache::new(ROOTS), walked: Walked::default() }
    }
}

impl Roots {
    fn has(&self, checked: &Checked) -> bool {
        self.lock().checked.get(checked).is_some()
    }

    fn add(&self, checked: Checked) {
        self.lock().checked.put(checked, ());
    }

    fn lock(&self) -> MutexGuard<'_, Lately> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
