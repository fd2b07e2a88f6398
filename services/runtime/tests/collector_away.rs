//! A collector that hangs costs neither work nor an endless end, and the loss is said.

use std::time::{Duration, Instant};

use lienthong_runtime::config::TelemetryConfig;
use lienthong_runtime::telemetry::{self, Identity, TelemetryError};

/// Six seconds are promised; the rest is for a loaded machine.
const BOUND: Duration = Duration::from_secs(10);

#[test]
fn the_end_is_bounded_and_says_what_was_lost() {
    // Takes connections and never answers: worse than a refusal.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let config = TelemetryConfig {
        otlp_endpoint: Some(format!("http://{}", listener.local_addr().expect("an address"))),
        ..TelemetryConfig::default()
    };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (began, ended) = runtime.block_on(async {
        let guard =
            telemetry::init(&config, Identity { node: "nut-1", version: "0.1.0" }).expect("telemetry");
        tracing::info_span!(target: "lienthong_node", "offer").in_scope(|| tracing::info!("work goes on"));
        (Instant::now(), guard.shutdown().await)
    });
    drop(runtime);
    assert!(began.elapsed() < BOUND, "took {:?}, the end of the runtime included", began.elapsed());
    assert!(matches!(ended, Err(TelemetryError::Flush(_))), "{ended:?}");
}
