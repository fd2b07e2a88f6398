//! Ids of traces where nothing is exported: the same ids that an exporter would send, made only when one asks for them,
//! and nothing else of what an export needs.

use super::TraceContext;
use crate::telemetry::SCOPE;
use opentelemetry_sdk::trace::{IdGenerator as _, RandomIdGenerator};
use tracing::{Level, Metadata, Span};
use tracing_subscriber::Registry;
use tracing_subscriber::layer::Layer;
use tracing_subscriber::registry::{LookupSpan as _, SpanRef};

/// Stands where the export would, so that spans exist whatever is logged. It does nothing with them.
#[derive(Debug)]
pub(crate) struct IdsOnly;

impl<S: tracing::Subscriber> Layer<S> for IdsOnly {}

/// Where a span continues what came from elsewhere.
struct Caller(TraceContext);

/// Whether spans like it are exported, where anything is: only our own, whatever the log level.
pub(crate) fn is_ours(of: &Metadata<'_>) -> bool {
    of.target().starts_with(SCOPE) && *of.level() <= Level::INFO
}

/// The ids of `span`, or of what is around it when it is only logged. `None` where it is the export that knows.
pub(super) fn of(span: &Span) -> Option<TraceContext> {
    looked_up(span, |span| span.scope().find(|around| is_ours(around.metadata())).map(|ours| ids(&ours)))
}

/// Makes `caller` what `span` continues, unless it has ids already.
pub(super) fn set_parent(span: &Span, caller: &TraceContext) {
    looked_up(span, |span| {
        let mut kept = span.extensions_mut();
        if kept.get_mut::<TraceContext>().is_none() {
            kept.replace(Caller(caller.clone()));
        }
        Some(())
    });
}

fn looked_up<T>(span: &Span, look: impl FnOnce(SpanRef<'_, Registry>) -> Option<T>) -> Option<T> {
    let looked = span.with_subscriber(|(id, all)| {
        all.downcast_ref::<IdsOnly>()?;
        look(all.downcast_ref::<Registry>()?.span(id)?)
    });
    looked.flatten()
}

fn ids(span: &SpanRef<'_, Registry>) -> TraceContext {
    if let Some(made) = span.extensions().get::<TraceContext>() {
        return made.clone();
    }
    let caller = span.extensions().get::<Caller>().map(|Caller(caller)| caller.clone());
    let around = || span.scope().skip(1).find(|around| is_ours(around.metadata())).map(|ours| ids(&ours));
    let made = made(caller.or_else(around));
    let mut kept = span.extensions_mut();
    // Another thread may have asked at the same time.
    if kept.get_mut::<TraceContext>().is_none() {
        kept.replace(made.clone());
    }
    kept.get_mut::<TraceContext>().map_or(made, |kept| kept.clone())
}

/// Ids of a span of its own in the trace it continues, or in a new one.
fn made(parent: Option<TraceContext>) -> TraceContext {
    let new = RandomIdGenerator::default();
    let span = new.new_span_id();
    let (trace, flags, tracestate) = match parent {
        Some(parent) => {
            let is_sampled = parent.traceparent.ends_with(['1', '3', '5', '7', '9', 'b', 'd', 'f']);
            (parent.trace_id().to_owned(), u8::from(is_sampled), parent.tracestate)
        }
        None => (new.new_trace_id().to_string(), 1, String::new()),
    };
    TraceContext { traceparent: format!("00-{trace}-{span}-{flags:02x}"), tracestate }
}
