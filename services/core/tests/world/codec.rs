//! A codec for tests: what a statement says, written out, and its SHA-256. The real one is in `wire`.

use lienthong_core::codec::Codec;
use lienthong_core::ids::{Digest, Head};
use lienthong_core::record::Record;
use lienthong_core::statement::{Body, Claim, Commitment, Sealed};
use sha2::{Digest as _, Sha256};
use std::sync::Arc;

/// Writes a statement as text and hashes it.
#[derive(Clone, Copy, Debug)]
pub struct Plain;

impl Codec for Plain {
    fn seal(&self, claim: &Claim, body: &Body) -> Sealed {
        // `Debug` shortens digests and hides officers, so the links are written out beside it.
        let officer = claim.officer.as_ref().map(|o| (&o.id, &o.name));
        let prev = body.prev().map(|p| p.to_string());
        let text = format!("{claim:?} {officer:?} {prev:?} {body:?}");
        Sealed { sid: sha(text.as_bytes()), body: text.into_bytes().into(), proof: Arc::from([]) }
    }
}

/// SHA-256.
pub fn sha(bytes: &[u8]) -> Digest {
    Digest(Sha256::digest(bytes).into())
}

/// A commitment to a content.
pub fn commit(content: &[u8]) -> Commitment {
    Commitment { format: "plain/1".into(), digest: sha(content), length: content.len() as u64 }
}

/// The head after one more record.
pub fn extend(head: Head, record: &Record) -> Head {
    let link = match record {
        Record::Statement(s) => s.statement.sid(),
        other => sha(format!("{other:?}").as_bytes()),
    };
    Head { size: head.size + 1, hash: sha(&[head.hash.0, link.0].concat()) }
}
