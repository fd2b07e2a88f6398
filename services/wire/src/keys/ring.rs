//! The public keys of a directory, by key id, and the one place where a signature is checked.

use crate::directory::DirectoryFile;
use crate::limits;
use crate::statement::pae;
use ed25519_dalek::{Signature, VerifyingKey};
use lienthong_core::ids::AgencyId;
use lienthong_core::reason::Reason;
use lienthong_proto::v1;
use std::collections::BTreeMap;

/// Public keys by key id. Ids are unique in a directory, so a proof alone names the agency whose key it needs, before
/// anything of the body is read.
#[derive(Clone, Debug, Default)]
pub struct KeyRing {
    keys: BTreeMap<String, Known>,
}

/// A key and its agency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Who signs with it.
    pub agency: AgencyId,
    key: VerifyingKey,
}

impl KeyRing {
    /// The keys of all agencies of a directory.
    pub fn of(directory: &DirectoryFile) -> Self {
        let mut ring = Self::default();
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
    /// `UnknownKey` when the directory has no such key; `BadSignature` for everything else, also for a proof by
    /// checkpoint, which no node makes yet.
    pub fn check(&self, type_name: &str, body: &[u8], proof: &v1::Proof) -> Result<&AgencyId, Reason> {
        let Some(v1::proof::Kind::Direct(direct)) = &proof.kind else { return Err(Reason::BadSignature) };
        if direct.algorithm != v1::Algorithm::Ed25519 as i32 || body.len() > limits::BODY_BYTES {
            return Err(Reason::BadSignature);
        }
        let known = self.get(&direct.key_id).ok_or(Reason::UnknownKey)?;
        let signature = Signature::from_slice(&direct.signature).map_err(|_| Reason::BadSignature)?;
        let signed = pae(type_name, body);
        known.key.verify_strict(&signed, &signature).map_err(|_| Reason::BadSignature)?;
        Ok(&known.agency)
    }
}
