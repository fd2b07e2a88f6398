//! The W3C trace context: how one dossier's journey is one trace across agencies, without anybody else naming
//! opentelemetry.
//!
//! Ids exist and are propagated whenever [`crate::telemetry::init`] has run, also without a collector (`ids`): a
//! collector set up tomorrow then finds the acceptances of tomorrow linked to the offers of today. Where telemetry was not
//! initialised, [`TraceContext::current`] is `None` and the caller's context is to be kept unchanged.

pub(crate) mod ids;

use std::str::FromStr as _;
use std::sync::atomic::{AtomicBool, Ordering};

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// Length of every `traceparent` of version 00.
pub const TRACEPARENT_BYTES: usize = 55;

/// Longest `tracestate` carried. The W3C asks for 512 where it is free; here every envelope and kept statement pays.
pub const TRACESTATE_BYTES_MAX: usize = 256;

/// A valid trace context of version 00.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TraceContext {
    traceparent: String,
    tracestate: String,
}

impl TraceContext {
    /// Reads the two header values. A traceparent that is not exactly of version 00 gives `None`; a tracestate that is
    /// too long or malformed is dropped alone, as the W3C rules.
    pub fn parse(traceparent: &str, tracestate: &str) -> Option<Self> {
        span_ids(traceparent)?;
        let tracestate = if is_tracestate(tracestate) { tracestate } else { "" };
        Some(Self { traceparent: traceparent.to_owned(), tracestate: tracestate.to_owned() })
    }

    /// Reads `traceparent` and `tracestate` through `get`, which looks a header up by its lower-case name.
    pub fn from_headers<'a>(get: impl Fn(&str) -> Option<&'a str>) -> Option<Self> {
        Self::parse(get("traceparent")?, get("tracestate").unwrap_or_default())
    }

    /// The context of the current span, to be sent or kept. `None` outside any span of ours.
    pub fn current() -> Option<Self> {
        // A span that is only logged (a debug span, one of a library) has no ids; the one around it that has is active.
        Self::of(&tracing::Span::current()).or_else(|| Self::of_context(&Context::current()))
    }

    /// The context of `span`. Fixes the parent of the span: call [`set_parent`] before.
    pub fn of(span: &tracing::Span) -> Option<Self> {
        ids::of(span).or_else(|| Self::of_context(&span.context()))
    }

    fn of_context(context: &Context) -> Option<Self> {
        let span = context.span();
        let ids = span.span_context();
        if !ids.is_valid() {
            return None;
        }
        let (trace, parent, flags) = (ids.trace_id(), ids.span_id(), ids.trace_flags().to_u8() & 1);
        Self::parse(&format!("00-{trace}-{parent}-{flags:02x}"), &ids.trace_state().header())
    }

    /// The `traceparent` header: [`TRACEPARENT_BYTES`] of lower-case ASCII.
    pub fn traceparent(&self) -> &str {
        &self.traceparent
    }

    /// The `tracestate` header, at most [`TRACESTATE_BYTES_MAX`]; often empty.
    pub fn tracestate(&self) -> &str {
        &self.tracestate
    }

    /// The trace id: 32 hexadecimal digits, the same on every node of a journey.
    pub fn trace_id(&self) -> &str {
        self.traceparent.get(3..35).unwrap_or_default()
    }

    fn span_context(&self) -> Option<SpanContext> {
        let (trace, span, flags) = span_ids(&self.traceparent)?;
        let state = TraceState::from_str(&self.tracestate).unwrap_or_default();
        Some(SpanContext::new(trace, span, flags, true, state))
    }
}

/// Set when spans go to a collector.
pub(crate) static EXPORTED: AtomicBool = AtomicBool::new(false);

/// Whether spans go to a collector. Where they do not, a span that is never entered and whose ids nobody is told is seen by
/// nobody, and need not be made.
pub fn is_exported() -> bool {
    EXPORTED.load(Ordering::Relaxed)
}

/// Makes `context` the parent of `span`. Works only before the span is entered or asked for its context; a span that is
/// filtered out or already begun is left as it is, because tracing never stops work.
pub fn set_parent(span: &tracing::Span, context: &TraceContext) {
    ids::set_parent(span, context);
    if !is_exported() {
        return;
    }
    let Some(remote) = context.span_context() else { return };
    if let Err(error) = span.set_parent(Context::new().with_remote_span_context(remote)) {
        tracing::trace!(%error, "span keeps its parent");
    }
}

/// Links `span` to `context`: caused by it, but not part of it. An acceptance two days after the offer is a trace of its
/// own, linked to the offer's.
pub fn link(span: &tracing::Span, context: &TraceContext) {
    if is_exported()
        && let Some(remote) = context.span_context()
    {
        span.add_link(remote);
    }
}

/// The parts of a `traceparent` of version 00, or `None` for anything else.
fn span_ids(traceparent: &str) -> Option<(TraceId, SpanId, TraceFlags)> {
    if traceparent.len() != TRACEPARENT_BYTES {
        return None;
    }
    let is_lower_hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    let mut parts = traceparent.split('-');
    let mut part =
        |len: usize| parts.next().filter(|part| part.len() == len && part.chars().all(is_lower_hex));
    let (version, trace, span, flags) = (part(2)?, part(32)?, part(16)?, part(2)?);
    if version != "00" || parts.next().is_some() {
        return None;
    }
    let trace = TraceId::from_hex(trace).ok().filter(|id| *id != TraceId::INVALID)?;
    let span = SpanId::from_hex(span).ok().filter(|id| *id != SpanId::INVALID)?;
    // Flags beyond "sampled" are reserved: carried over in the text, not interpreted.
    let flags = u8::from_str_radix(flags, 16).ok()?;
    Some((trace, span, TraceFlags::new(flags & 1)))
}

fn is_tracestate(value: &str) -> bool {
    value.len() <= TRACESTATE_BYTES_MAX
        && value.bytes().all(|byte| (b' '..=b'~').contains(&byte))
        && (value.is_empty() || TraceState::from_str(value).is_ok())
}

#[cfg(test)]
mod tests;
