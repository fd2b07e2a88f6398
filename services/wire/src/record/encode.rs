//! From the core's records to what the ledger keeps.

use crate::envelope::trace;
use crate::statement::{hash, of_officer, type_name};
use bytes::Bytes;
use lienthong_core::record::{
    CommandRef, Origin, QuarantineSettled, Quarantined, Record, Settling, StatementRecord,
};
use lienthong_proto::v1;
use prost::Message;
use std::sync::Arc;

/// A record as the ledger keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedRecord {
    /// The encoded `Record`: what the chain covers.
    pub payload: Vec<u8>,
    /// The encoded `Proof` of a statement; empty for other records.
    pub proof: Arc<[u8]>,
    /// Content of a statement, or the bytes in quarantine: erasable.
    pub body: Option<Arc<[u8]>>,
}

/// Encodes a record. The same record always gives the same payload.
pub fn encode_record(record: &Record) -> EncodedRecord {
    let mut proof = Arc::from([]);
    let mut body = None;
    let fact = match record {
        Record::Opened { agency, incarnation, at } => v1::record::Fact::Opened(v1::Opened {
            agency: agency.as_str().into(),
            incarnation: incarnation.0,
            at_ms: at.0,
        }),
        Record::Statement(s) => {
            proof = s.statement.sealed.proof.clone();
            body = s.content.clone();
            v1::record::Fact::Statement(statement(s))
        }
        Record::Quarantined(q) => {
            body = q.bytes.clone();
            v1::record::Fact::Quarantined(quarantined(q))
        }
        Record::QuarantineSettled(s) => v1::record::Fact::QuarantineSettled(settled(s)),
        Record::SnapshotTaken { sha256, at } => {
            v1::record::Fact::SnapshotTaken(v1::SnapshotTaken { sha256: hash(*sha256), at_ms: at.0 })
        }
        Record::ContentRead { track, officer, purpose, at } => {
            v1::record::Fact::ContentRead(v1::ContentRead {
                track: hash(*track),
                officer: Some(of_officer(officer)),
                purpose: purpose.clone(),
                at_ms: at.0,
            })
        }
    };
    EncodedRecord { payload: v1::Record { fact: Some(fact) }.encode_to_vec(), proof, body }
}

fn statement(s: &StatementRecord) -> v1::StatementRecord {
    v1::StatementRecord {
        origin: match s.origin {
            Origin::Made => v1::Origin::Made,
            Origin::Taken => v1::Origin::Taken,
            Origin::Learned => v1::Origin::Learned,
            Origin::Returned => v1::Origin::Returned,
        } as i32,
        r#type: type_name(s.statement.body.kind()).into(),
        body: Bytes::from_owner(s.statement.sealed.body.clone()),
        command: s.command.as_ref().map(command),
        trace: s.trace.as_deref().map(trace),
        has_content: s.content.is_some(),
    }
}

fn command(c: &CommandRef) -> v1::CommandRef {
    v1::CommandRef { key: c.key.as_ref().into(), digest: hash(c.digest) }
}

fn settled(s: &QuarantineSettled) -> v1::QuarantineSettled {
    v1::QuarantineSettled {
        ledger_index: s.index.0,
        settling: match s.settling {
            Settling::Released => v1::Settling::Released,
            Settling::Discarded => v1::Settling::Discarded,
        } as i32,
        officer: Some(of_officer(&s.officer)),
        why: s.why.clone(),
        command: Some(command(&s.command)),
        at_ms: s.at.0,
    }
}

fn quarantined(q: &Quarantined) -> v1::Quarantined {
    v1::Quarantined {
        from: q.from.as_str().into(),
        reason: q.reason.number(),
        sha256: hash(q.sha256),
        length: q.length,
        at_ms: q.at.0,
    }
}
