//! Envelopes out of bytes that already lie encoded in the ledger: sizes first, then one allocation and one copy of each.

use bytes::BufMut;
use lienthong_core::record::TraceContext;
use lienthong_core::statement::{Kind, Statement};
use lienthong_proto::v1;
use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint};

use crate::statement::type_name;

/// What goes into an envelope.
#[derive(Clone, Copy, Debug)]
pub struct Letter<'a> {
    /// The statement on its way, with its proof.
    pub statement: Enclosed<'a>,
    /// The custody certificate, in the order of the spine.
    pub certificate: &'a [Enclosed<'a>],
    /// The encoded `Content` beside an offer.
    pub content: Option<&'a [u8]>,
    /// The trace of the command that made it.
    pub trace: Option<&'a TraceContext>,
}

/// What an envelope holds of a statement: its bytes, nothing of which need be understood to send them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enclosed<'a> {
    /// Its kind.
    pub kind: Kind,
    /// The body as it was signed.
    pub body: &'a [u8],
    /// The encoded proof.
    pub proof: &'a [u8],
}

impl<'a> From<&'a Statement> for Enclosed<'a> {
    fn from(statement: &'a Statement) -> Self {
        let sealed = &statement.sealed;
        Self { kind: statement.body.kind(), body: &sealed.body, proof: &sealed.proof }
    }
}

/// The length of [`encode_envelope`]'s result. What is above [`crate::limits::ENVELOPE_BYTES`] cannot be sent.
pub fn encoded_len(letter: &Letter<'_>) -> usize {
    let field = |length: usize| 1 + encoded_len_varint(length as u64) + length;
    let certificate: usize = letter.certificate.iter().map(|s| field(signed_len(s))).sum();
    let content = letter.content.map_or(0, |c| field(c.len()));
    let trace = letter.trace.map_or(0, |t| field(trace(t).encoded_len()));
    field(signed_len(&letter.statement)) + certificate + content + trace
}

/// An encoded `Envelope`.
pub fn encode_envelope(letter: &Letter<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(encoded_len(letter));
    put_signed(1, &letter.statement, &mut out);
    for statement in letter.certificate {
        put_signed(2, statement, &mut out);
    }
    if let Some(content) = letter.content {
        put(3, content, &mut out);
    }
    if let Some(context) = letter.trace {
        put(4, &trace(context).encode_to_vec(), &mut out);
    }
    out
}

pub(crate) fn trace(context: &TraceContext) -> v1::TraceContext {
    v1::TraceContext { traceparent: context.traceparent.clone(), tracestate: context.tracestate.clone() }
}

fn parts<'a>(statement: &Enclosed<'a>) -> [&'a [u8]; 3] {
    [type_name(statement.kind).as_bytes(), statement.body, statement.proof]
}

fn signed_len(statement: &Enclosed<'_>) -> usize {
    parts(statement).iter().map(|p| 1 + encoded_len_varint(p.len() as u64) + p.len()).sum()
}

fn put_signed(number: u32, statement: &Enclosed<'_>, out: &mut Vec<u8>) {
    encode_key(number, WireType::LengthDelimited, out);
    encode_varint(signed_len(statement) as u64, out);
    for (number, part) in (1..).zip(parts(statement)) {
        put(number, part, out);
    }
}

pub(super) fn put(number: u32, bytes: &[u8], out: &mut Vec<u8>) {
    encode_key(number, WireType::LengthDelimited, out);
    encode_varint(bytes.len() as u64, out);
    out.put_slice(bytes);
}
