//! The strict parser, and that what is written can be read.

use super::{TRACESTATE_BYTES_MAX, TraceContext};

const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[test]
fn a_good_context_is_kept_verbatim() {
    let context = TraceContext::parse(GOOD, "vnpt=a1,lt=b2").expect("good");
    assert_eq!((context.traceparent(), context.tracestate()), (GOOD, "vnpt=a1,lt=b2"));
    assert_eq!(context.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
    let header = |name: &str| (name == "traceparent").then_some(GOOD);
    assert_eq!(TraceContext::from_headers(header).expect("good").tracestate(), "");
    assert_eq!(TraceContext::from_headers(|_| None), None);
}

#[test]
fn anything_else_is_dropped() {
    let bad = [
        "",
        "00",
        "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0g",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-",
        "00-4bf92f3577b34da6a3ce929d0e0e47-3600f067aa0ba902b7-01",
        "00_4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7_01",
        "00-4bf92f3577b34da6a3ce929d0e0e473é-00f067aa0ba902b7-0",
    ];
    for text in bad {
        assert_eq!(TraceContext::parse(text, ""), None, "{text}");
    }
}

#[test]
fn a_bad_tracestate_is_dropped_alone() {
    let long = format!("a={}", "x".repeat(TRACESTATE_BYTES_MAX));
    for state in [long.as_str(), "no equals sign", "a=b\n", "a=é"] {
        assert_eq!(TraceContext::parse(GOOD, state).expect("good parent").tracestate(), "", "{state}");
    }
}

#[test]
fn the_parts_survive_the_way_through_opentelemetry() {
    let context = TraceContext::parse(GOOD, "lt=b2").expect("good");
    let ids = context.span_context().expect("valid");
    assert!(ids.is_remote() && ids.is_sampled());
    assert_eq!(ids.trace_id().to_string(), context.trace_id());
    assert_eq!(ids.trace_state().header(), "lt=b2");
}
