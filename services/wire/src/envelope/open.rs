//! Opening an envelope: sizes, sender, signatures, certificate, content. What custody says to it is the core's matter.

use crate::content;
use crate::limits;
use crate::scan::Fields;
use crate::verify::Verifier;
use bytes::Bytes;
use lienthong_core::ids::AgencyId;
use lienthong_core::reason::Reason;
use lienthong_core::record::TraceContext;
use lienthong_core::recovery::{Given, Left, Word};
use lienthong_core::statement::{Body, Statement};
use lienthong_proto::v1;
use prost::Message;
use std::sync::Arc;

/// An envelope all of whose statements are verified.
#[derive(Clone, Debug)]
pub struct Inbound {
    /// The source the courier named.
    pub from: AgencyId,
    /// The statement it is about.
    pub statement: Arc<Statement>,
    /// The certificate, in the order it came.
    pub certificate: Vec<Arc<Statement>>,
    /// The encoded `Content`, which matches the offer's commitment.
    pub content: Option<Arc<[u8]>>,
    /// The sender's trace.
    pub trace: Option<TraceContext>,
}

/// Opens an envelope that `from` sent.
///
/// # Errors
/// `EnvelopeTooLarge`, `Undecodable`; those of [`Verifier::verify_encoded`]; `SenderMismatch` when its maker did not send it; `BadCertificate` when the certificate is above
/// its limits or a statement in it does not verify; `ContentMismatch` and `ContentTooLarge`.
pub fn open_envelope(verifier: &Verifier, from: &AgencyId, bytes: Bytes) -> Result<Inbound, Reason> {
    let parts = split(bytes)?;
    let statement = verifier.verify_encoded(parts.statement)?;
    if statement.claim.agency != *from {
        return Err(Reason::SenderMismatch);
    }
    let mut certificate = Vec::with_capacity(parts.certificate.len());
    for bytes in parts.certificate {
        certificate.push(verifier.verify_encoded(bytes).map_err(|_| Reason::BadCertificate)?);
    }
    let content = parts.content.map(|bytes| matching(&statement, &certificate, bytes)).transpose()?;
    let trace = parts.trace.and_then(trace_of);
    Ok(Inbound { from: from.clone(), statement, certificate, content, trace })
}

struct Parts {
    statement: Bytes,
    certificate: Vec<Bytes>,
    content: Option<Bytes>,
    trace: Option<Bytes>,
}

fn split(bytes: Bytes) -> Result<Parts, Reason> {
    if bytes.len() > limits::ENVELOPE_BYTES {
        return Err(Reason::EnvelopeTooLarge);
    }
    let (mut statement, mut content, mut trace) = (None, None, None);
    let mut certificate = Vec::new();
    let mut certificate_bytes = 0;
    for field in Fields::of(&bytes) {
        let (number, value) = field.map_err(|_| Reason::Undecodable)?;
        let value = bytes.slice_ref(value);
        let twice = match number {
            1 => statement.replace(value).is_some(),
            2 => {
                certificate_bytes += value.len();
                if certificate.len() == limits::CERTIFICATE_STATEMENTS
                    || certificate_bytes > limits::CERTIFICATE_BYTES
                {
                    return Err(Reason::BadCertificate);
                }
                certificate.push(value);
                false
            }
            3 => content.replace(value).is_some(),
            4 => trace.replace(value).is_some(),
            _ => false,
        };
        if twice {
            return Err(Reason::Undecodable);
        }
    }
    Ok(Parts { statement: statement.ok_or(Reason::Undecodable)?, certificate, content, trace })
}

/// A content must be exactly what the offer committed to, or the intake of a track that is given back; what commits to
/// nothing may carry nothing.
fn matching(
    statement: &Statement,
    certificate: &[Arc<Statement>],
    bytes: Bytes,
) -> Result<Arc<[u8]>, Reason> {
    let committed = match &statement.body {
        Body::Offer(offer) => offer.content.as_ref(),
        Body::Recovery(
            Word::Given(Given { track: Some(track), .. })
            | Word::Left(Left { given: Given { track: Some(track), .. }, .. }),
        ) => certificate.iter().filter(|s| s.sid() == *track).find_map(|s| match &s.body {
            Body::Intake(intake) => intake.content.as_ref(),
            _ => None,
        }),
        _ => None,
    };
    let opened = content::open(bytes.clone())?;
    if committed.is_some_and(|committed| opened.is(committed)) {
        Ok(Arc::from(&bytes[..]))
    } else {
        Err(Reason::ContentMismatch)
    }
}

/// A trace decides nothing: one that is wrong is left out and the envelope goes on.
pub(crate) fn trace_of(bytes: Bytes) -> Option<TraceContext> {
    if bytes.len() > limits::TRACEPARENT_BYTES + limits::TRACESTATE_BYTES + 8 {
        return None;
    }
    let message = v1::TraceContext::decode(bytes).ok()?;
    let fits = message.traceparent.len() <= limits::TRACEPARENT_BYTES
        && message.tracestate.len() <= limits::TRACESTATE_BYTES;
    fits.then_some(TraceContext { traceparent: message.traceparent, tracestate: message.tracestate })
}
