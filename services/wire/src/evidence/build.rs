//! Writes evidence files link by link.

use super::FORMAT;
use crate::statement::hash;
use bytes::Bytes;
use lienthong_core::ids::{AgencyId, Digest, Head, TrackId};
use lienthong_core::reason::Reason;
use lienthong_proto::v1;
use prost::Message;

/// Collects consecutive records of one ledger, from the first that is about the track to a fresh checkpoint.
#[derive(Clone, Debug)]
pub struct EvidenceBuilder {
    evidence: v1::Evidence,
}

impl EvidenceBuilder {
    /// Begins after `before`: the ledger's size and chain hash before the first link. `directory` is its TOML text.
    pub fn new(agency: &AgencyId, track: TrackId, directory: String, before: Head) -> Self {
        let evidence = v1::Evidence {
            format: FORMAT,
            agency: agency.as_str().into(),
            track: hash(track),
            directory,
            first_index: before.size,
            first_prev: hash(before.hash),
            links: Vec::new(),
        };
        Self { evidence }
    }

    /// A record of another dossier: only its payload's hash is given away.
    pub fn hidden(&mut self, payload: Digest) {
        self.evidence.links.push(v1::Link { kind: Some(v1::link::Kind::PayloadHash(hash(payload))) });
    }

    /// A record that is shown, with its encoded proof; empty where it has none.
    ///
    /// # Errors
    /// `BadSignature` when the proof cannot be decoded.
    pub fn shown(&mut self, payload: Bytes, proof: &[u8]) -> Result<(), Reason> {
        let proof = if proof.is_empty() { None } else { Some(crate::verify::decode_proof(proof)?) };
        let record = v1::ShownRecord { payload, proof };
        self.evidence.links.push(v1::Link { kind: Some(v1::link::Kind::Shown(record)) });
        Ok(())
    }

    /// The file's bytes. The last link must have been the checkpoint.
    pub fn finish(self) -> Vec<u8> {
        self.evidence.encode_to_vec()
    }
}
