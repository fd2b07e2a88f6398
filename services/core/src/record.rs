//! Records: facts in the past tense, one per place in an agency's ledger.

use crate::ids::{AgencyId, Digest, Incarnation, LedgerIndex, TrackId, WallMs};
use crate::reason::Reason;
use crate::statement::{Officer, Statement};
use alloc::string::String;
use alloc::sync::Arc;

/// One fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// The ledger begins.
    Opened {
        /// Whose ledger it is.
        agency: AgencyId,
        /// Its incarnation.
        incarnation: Incarnation,
        /// When.
        at: WallMs,
    },
    /// A statement was made or accepted here.
    Statement(StatementRecord),
    /// An envelope could not be processed and was kept.
    Quarantined(Quarantined),
    /// An officer took an envelope out of quarantine.
    QuarantineSettled(QuarantineSettled),
    /// A snapshot up to this record is durable.
    SnapshotTaken {
        /// SHA-256 of the snapshot's bytes.
        sha256: Digest,
        /// When.
        at: WallMs,
    },
    /// Somebody read a content.
    ContentRead {
        /// Of this track.
        track: TrackId,
        /// Who.
        officer: Officer,
        /// Why.
        purpose: String,
        /// When.
        at: WallMs,
    },
}

/// How a statement came here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Made here.
    Made,
    /// Came as the subject of an envelope.
    Taken,
    /// Came in a certificate.
    Learned,
    /// Made here, lost with what came after an old copy, and given back by a peer (protocol.md 6).
    Returned,
}

/// A statement in the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementRecord {
    /// How it came.
    pub origin: Origin,
    /// The statement.
    pub statement: Arc<Statement>,
    /// The command that made it.
    pub command: Option<CommandRef>,
    /// Trace context of the command or the envelope.
    pub trace: Option<Arc<TraceContext>>,
    /// Content that lies beside this record: encoded, with its salt, opaque here.
    pub content: Option<Arc<[u8]>>,
}

/// A command's idempotency key and the digest of what it asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandRef {
    /// Scoped to the agency.
    pub key: Arc<str>,
    /// Digest of the request without the key.
    pub digest: Digest,
}

/// W3C trace context, as text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TraceContext {
    /// At most 55 bytes.
    pub traceparent: String,
    /// At most 256 bytes.
    pub tracestate: String,
}

/// An envelope that was kept because it could not be processed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    /// Source the courier named.
    pub from: AgencyId,
    /// Why.
    pub reason: Reason,
    /// Of the bytes.
    pub sha256: Digest,
    /// Their number.
    pub length: u64,
    /// When.
    pub at: WallMs,
    /// The bytes, beside the record; none when it is replayed.
    pub bytes: Option<Arc<[u8]>>,
}

/// What an officer did with an envelope in quarantine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settling {
    /// Its bytes were processed again.
    Released,
    /// It was left at that.
    Discarded,
}

/// An envelope left the quarantine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuarantineSettled {
    /// Place of its record.
    pub index: LedgerIndex,
    /// How.
    pub settling: Settling,
    /// Who.
    pub officer: Officer,
    /// Why.
    pub why: String,
    /// The call.
    pub command: CommandRef,
    /// When; the node's own time, whatever the caller puts there.
    pub at: WallMs,
}
