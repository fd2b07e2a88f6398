//! A statement as the ledger keeps it, read no further than sending it needs: what it says is not looked at again.

use super::RecordError;
use crate::envelope::Enclosed;
use crate::limits;
use crate::scan::{Fields, NotAMessage, Value};
use crate::statement::kind_of;
use bytes::Bytes;
use lienthong_core::reason::Reason;
use lienthong_core::record::TraceContext;
use lienthong_core::statement::Kind;
use lienthong_proto::v1;
use prost::Message;

/// A statement out of the ledger, ready to be enclosed. It shares the memory of what was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptStatement {
    kind: Kind,
    body: Bytes,
    proof: Bytes,
    trace: Option<Bytes>,
    has_content: bool,
}

/// Fields of `Record` and of `StatementRecord`.
const STATEMENT: u32 = 2;
const TYPE: u32 = 2;
const BODY: u32 = 3;
const TRACE: u32 = 5;
const HAS_CONTENT: u32 = 6;

impl KeptStatement {
    /// Finds the statement in a record's payload. `proof` is what lies beside it.
    ///
    /// # Errors
    /// [`RecordError`], as [`super::decode_record`] for what this looks at; `UnknownFact` for a record that is none of a
    /// statement.
    pub fn find(payload: Bytes, proof: Bytes) -> Result<Self, RecordError> {
        if proof.len() > limits::PROOF_BYTES {
            return Err(RecordError::Field("proof"));
        }
        let mut statement = None;
        for field in Fields::of(&payload) {
            if let (STATEMENT, found) = field? {
                statement = Some(found);
            }
        }
        let (mut kind, mut body, mut trace, mut has_content) = (&[][..], &[][..], None, false);
        let mut fields = Fields::of(statement.ok_or(RecordError::UnknownFact)?);
        while let Some(field) = fields.next_value()? {
            match field {
                (TYPE, Value::Bytes(found)) => kind = found,
                (BODY, Value::Bytes(found)) => body = found,
                (TRACE, Value::Bytes(found)) => trace = Some(found),
                (HAS_CONTENT, Value::Varint(found)) => has_content = found != 0,
                _ => {}
            }
        }
        let kind = std::str::from_utf8(kind).map_err(|_| RecordError::Undecodable)?;
        let kind = kind_of(kind).ok_or(RecordError::Statement(Reason::UnknownStatementType))?;
        if body.len() > limits::BODY_BYTES {
            return Err(RecordError::Statement(Reason::MalformedStatement));
        }
        let (body, trace) = (payload.slice_ref(body), trace.map(|trace| payload.slice_ref(trace)));
        Ok(Self { kind, body, proof, trace, has_content })
    }

    /// What an envelope holds of it.
    pub fn enclosed(&self) -> Enclosed<'_> {
        Enclosed { kind: self.kind, body: &self.body, proof: &self.proof }
    }

    /// Whether a content lies beside it, which may have been erased.
    pub fn has_content(&self) -> bool {
        self.has_content
    }

    /// The trace of the command that made it.
    ///
    /// # Errors
    /// [`RecordError::Undecodable`].
    pub fn trace(&self) -> Result<Option<TraceContext>, RecordError> {
        let Some(bytes) = &self.trace else { return Ok(None) };
        let kept = v1::TraceContext::decode(bytes.clone()).map_err(|_| RecordError::Undecodable)?;
        Ok(Some(TraceContext { traceparent: kept.traceparent, tracestate: kept.tracestate }))
    }
}

impl From<NotAMessage> for RecordError {
    fn from(NotAMessage: NotAMessage) -> Self {
        Self::Undecodable
    }
}
