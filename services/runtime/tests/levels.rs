//! What no filter lets through is not made: libraries that log on hot paths pay one look at a level.

use lienthong_runtime::config::TelemetryConfig;
use lienthong_runtime::telemetry::{self, Identity};
use tracing::level_filters::LevelFilter;

#[tokio::test]
async fn libraries_make_nothing_below_info_and_we_nothing_below_the_filter() {
    let config = TelemetryConfig { log_level: "debug".to_owned(), ..TelemetryConfig::default() };
    let guard = telemetry::init(&config, Identity { node: "nut-1", version: "0.1.0" }).expect("telemetry");
    assert_eq!(log::max_level(), log::LevelFilter::Info, "of libraries that use the crate log");
    assert!(log::log_enabled!(target: "sled", log::Level::Info), "what is let through comes through");
    assert_eq!(LevelFilter::current(), LevelFilter::DEBUG, "of everything else");
    guard.shutdown().await.expect("nothing to flush");
}
