//! From what the ledger keeps to the core's records. Replay trusts the chain and does not verify signatures again;
//! [`verify_record`] does.

use crate::keys::KeyRing;
use crate::limits;
use crate::statement::{Proof, Signed, agency, digest, officer, parse, sid, type_name};
use crate::verify::{check, decode_proof};
use bytes::Bytes;
use lienthong_core::ids::{Incarnation, LedgerIndex, WallMs};
use lienthong_core::limits::KEY_BYTES;
use lienthong_core::reason::Reason;
use lienthong_core::record::{
    CommandRef, Origin, QuarantineSettled, Quarantined, Record, Settling, StatementRecord, TraceContext,
};
use lienthong_core::statement::Officer;
use lienthong_proto::v1;
use prost::Message;
use std::sync::Arc;

/// A record of the ledger cannot be read: it was damaged behind its checksum, or written by another version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The payload is no record.
    #[error("the payload is no ledger record")]
    Undecodable,
    /// It holds no fact this version knows.
    #[error("the record holds no fact that this version knows")]
    UnknownFact,
    /// A field of it is wrong.
    #[error("the field {0} of the record is wrong")]
    Field(&'static str),
    /// Its statement is wrong.
    #[error("the record's statement is refused with reason {}", .0.number())]
    Statement(Reason),
}

/// Decodes a record. `body` is what lies beside it, none when it was erased.
///
/// # Errors
/// [`RecordError`], which names what is wrong.
pub fn decode_record(payload: Bytes, proof: &[u8], body: Option<Arc<[u8]>>) -> Result<Record, RecordError> {
    let message = v1::Record::decode(payload).map_err(|_| RecordError::Undecodable)?;
    match message.fact.ok_or(RecordError::UnknownFact)? {
        v1::record::Fact::Opened(m) => Ok(Record::Opened {
            agency: agency(&m.agency).map_err(|_| RecordError::Field("agency"))?,
            incarnation: Incarnation(m.incarnation),
            at: WallMs(m.at_ms),
        }),
        v1::record::Fact::Statement(m) => statement(m, proof, body).map(Record::Statement),
        v1::record::Fact::Quarantined(m) => quarantined(m, body).map(Record::Quarantined),
        v1::record::Fact::QuarantineSettled(m) => settled(m).map(Record::QuarantineSettled),
        v1::record::Fact::SnapshotTaken(m) => Ok(Record::SnapshotTaken {
            sha256: digest(&m.sha256).map_err(|_| RecordError::Field("sha256"))?,
            at: WallMs(m.at_ms),
        }),
        v1::record::Fact::ContentRead(m) => Ok(Record::ContentRead {
            track: digest(&m.track).map_err(|_| RecordError::Field("track"))?,
            officer: some_officer(m.officer)?,
            purpose: m.purpose,
            at: WallMs(m.at_ms),
        }),
    }
}

/// Verifies the signature of a record's statement; other records carry none and pass.
///
/// # Errors
/// Those of [`crate::verify::Verifier::verify_statement`].
pub fn verify_record(keys: &KeyRing, record: &Record) -> Result<(), Reason> {
    let Record::Statement(record) = record else { return Ok(()) };
    let sealed = &record.statement.sealed;
    let proof = decode_proof(&sealed.proof)?.encode_to_vec();
    let (kind, body) = (type_name(record.statement.body.kind()), &*sealed.body);
    let signed = Signed { kind, body, proof: Proof::read(&proof) };
    let bytes = Bytes::from_owner(sealed.body.clone());
    check((keys, None), &signed, sid(kind, body), bytes).map(drop)
}

fn statement(
    m: v1::StatementRecord,
    proof: &[u8],
    content: Option<Arc<[u8]>>,
) -> Result<StatementRecord, RecordError> {
    let origin = match v1::Origin::try_from(m.origin) {
        Ok(v1::Origin::Made) => Origin::Made,
        Ok(v1::Origin::Taken) => Origin::Taken,
        Ok(v1::Origin::Learned) => Origin::Learned,
        Ok(v1::Origin::Returned) => Origin::Returned,
        Ok(v1::Origin::Unspecified) | Err(_) => return Err(RecordError::Field("origin")),
    };
    if proof.len() > limits::PROOF_BYTES {
        return Err(RecordError::Field("proof"));
    }
    let sid = sid(&m.r#type, &m.body);
    let statement = parse(&m.r#type, sid, m.body, proof.into()).map_err(RecordError::Statement)?;
    Ok(StatementRecord {
        origin,
        statement: Arc::new(statement),
        command: m.command.map(command).transpose()?,
        trace: m
            .trace
            .map(|t| Arc::new(TraceContext { traceparent: t.traceparent, tracestate: t.tracestate })),
        content: content.filter(|_| m.has_content),
    })
}

fn command(m: v1::CommandRef) -> Result<CommandRef, RecordError> {
    let digest = digest(&m.digest).map_err(|_| RecordError::Field("command"))?;
    if m.key.len() > KEY_BYTES {
        return Err(RecordError::Field("command"));
    }
    Ok(CommandRef { key: m.key.into(), digest })
}

fn some_officer(m: Option<v1::Officer>) -> Result<Officer, RecordError> {
    let wrong = RecordError::Field("officer");
    m.ok_or(wrong).and_then(|o| officer(o).map_err(|_| wrong))
}

fn settled(m: v1::QuarantineSettled) -> Result<QuarantineSettled, RecordError> {
    let settling = match v1::Settling::try_from(m.settling) {
        Ok(v1::Settling::Released) => Settling::Released,
        Ok(v1::Settling::Discarded) => Settling::Discarded,
        Ok(v1::Settling::Unspecified) | Err(_) => return Err(RecordError::Field("settling")),
    };
    Ok(QuarantineSettled {
        index: LedgerIndex(m.ledger_index),
        settling,
        officer: some_officer(m.officer)?,
        why: m.why,
        command: m.command.ok_or(RecordError::Field("command")).and_then(command)?,
        at: WallMs(m.at_ms),
    })
}

fn quarantined(m: v1::Quarantined, bytes: Option<Arc<[u8]>>) -> Result<Quarantined, RecordError> {
    Ok(Quarantined {
        from: agency(&m.from).map_err(|_| RecordError::Field("from"))?,
        reason: Reason::from_number(m.reason).ok_or(RecordError::Field("reason"))?,
        sha256: digest(&m.sha256).map_err(|_| RecordError::Field("sha256"))?,
        length: m.length,
        at: WallMs(m.at_ms),
        bytes,
    })
}
