//! The nats-server of a test; without one the test is skipped loudly, and fails in CI.

use std::path::Path;

use lienthong_link::server::{NatsServer, StartOptions};

/// What JetStream may reserve: only a number, since mailboxes of tests are written thinly.
const RESERVE: u64 = 64 << 30;

/// Starts a nats-server with its store below `dir`. `None` when there is none to start, which is told.
///
/// # Panics
/// When it does not start, or is missing where `CI=true`.
pub async fn broker(dir: &Path) -> Option<NatsServer> {
    let Some(binary) = NatsServer::find() else {
        skip_or_fail("nats-server is neither in .tools/bin nor in PATH");
        return None;
    };
    let options = StartOptions { max_file_store: RESERVE, ..StartOptions::new(binary, dir.join("nats")) };
    Some(NatsServer::start(options).await.expect("nats-server starts"))
}

/// Something that the test needs is missing: told loudly on a laptop, a failure where `CI=true`.
///
/// # Panics
/// When the environment says `CI=true`.
pub fn skip_or_fail(what: &str) {
    let is_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
    assert!(!is_ci, "CI=true and {what}");
    eprintln!("SKIPPED, NOTHING WAS TESTED: {what}");
}
