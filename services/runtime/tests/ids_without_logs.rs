//! Ids are made whatever is logged.

use lienthong_runtime::TraceContext;
use lienthong_runtime::config::TelemetryConfig;
use lienthong_runtime::telemetry::{self, Identity};

#[tokio::test]
async fn ids_do_not_depend_on_the_log_level() {
    let config = TelemetryConfig { log_level: "off".to_owned(), ..TelemetryConfig::default() };
    let identity = Identity { node: "nut-1", version: "0.1.0" };
    let guard = telemetry::init(&config, identity).expect("telemetry");
    let span = tracing::info_span!(target: "lienthong_node", "submit");
    let inside = span.in_scope(|| {
        // Of a library, and of our own that nobody logs: neither has ids.
        let foreign = tracing::info_span!(target: "h2", "frame");
        foreign
            .in_scope(|| tracing::debug_span!(target: "lienthong_node", "x").in_scope(TraceContext::current))
    });
    assert!(inside.is_some());
    assert_eq!(inside, TraceContext::of(&span));
    guard.shutdown().await.expect("nothing to flush");
}
