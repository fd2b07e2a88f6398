//! Without a collector trace ids exist all the same, so that what is kept today can be linked later.

use lienthong_runtime::config::TelemetryConfig;
use lienthong_runtime::telemetry::{self, Identity};
use lienthong_runtime::{TraceContext, trace};

const REMOTE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

#[tokio::test]
async fn ids_are_made_and_passed_on() {
    let config = TelemetryConfig { log_level: "debug".to_owned(), ..TelemetryConfig::default() };
    let identity = Identity { node: "nut-1", version: "0.1.0" };
    let guard = telemetry::init(&config, identity).expect("telemetry");
    assert!(!trace::is_exported());
    let fresh = tracing::info_span!(target: "lienthong_node", "submit");
    let context = TraceContext::of(&fresh).expect("an id");
    assert!(context.traceparent().ends_with("-01"), "a first span is sampled");
    fresh.in_scope(|| {
        let logged_only = tracing::debug_span!(target: "lienthong_node", "detail");
        let inside = logged_only.in_scope(TraceContext::current);
        assert_eq!(inside.as_ref(), Some(&context), "the log level does not break the journey");
    });

    let other = tracing::info_span!(target: "lienthong_node", "submit");
    let other = TraceContext::of(&other).expect("an id");
    assert_ne!(other.trace_id(), context.trace_id(), "each call that continues nothing is a trace");
    let part = fresh.in_scope(|| tracing::info_span!(target: "lienthong_node", "part"));
    let part = TraceContext::of(&part).expect("an id");
    assert_eq!(part.trace_id(), context.trace_id());
    assert_ne!(part, context, "a part has an id of its own");
    trace::set_parent(&fresh, &TraceContext::parse(REMOTE, "").expect("valid"));
    assert_eq!(TraceContext::of(&fresh), Some(context), "what was told stays, whatever comes too late");

    let called = tracing::info_span!(target: "lienthong_node", "offer");
    trace::set_parent(&called, &TraceContext::parse(REMOTE, "lt=1").expect("valid"));
    let context = TraceContext::of(&called).expect("an id");
    assert_eq!(context.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
    assert!(context.traceparent().ends_with("-00"), "the caller's wish not to be sampled is kept");
    assert_eq!(context.tracestate(), "lt=1");
    assert_ne!(context.traceparent(), REMOTE, "it goes on, under an id of its own");
    assert_eq!(TraceContext::parse(context.traceparent(), "lt=1"), Some(context));
    assert_eq!(TraceContext::current(), None, "outside any span");
    guard.shutdown().await.expect("nothing to flush");
}
