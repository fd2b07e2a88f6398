//! The nats-server of a test; without one the test is skipped loudly, and fails in CI.

use std::path::Path;

use lienthong_link::server::{NatsServer, StartOptions};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::monitor::Monitor;

/// What JetStream may reserve: only a number, since mailboxes of tests are written thinly.
const RESERVE: u64 = 64 << 30;

/// Starts a nats-server with its store below `dir`. `None` when there is none to start, which is told.
///
/// # Panics
/// When it does not start, or is missing where `CI=true`.
pub async fn broker(dir: &Path) -> Option<NatsServer> {
    Some(NatsServer::start(options(&dir.join("nats"))?).await.expect("nats-server starts"))
}

/// The same, and what it tells about itself.
///
/// # Panics
/// As [`broker`].
pub async fn watched_broker(dir: &Path) -> Option<(NatsServer, Monitor)> {
    let monitor = Monitor::take();
    let options = StartOptions { extra_config: monitor.config(), ..options(&dir.join("nats"))? };
    Some((NatsServer::start(options).await.expect("nats-server starts"), monitor))
}

/// How a test starts a server with this store; `None`, loudly, when there is none to start.
pub(crate) fn options(store: &Path) -> Option<StartOptions> {
    let Some(binary) = NatsServer::find() else {
        skip_or_fail("nats-server is neither in .tools/bin nor in PATH");
        return None;
    };
    Some(StartOptions { max_file_store: RESERVE, ..StartOptions::new(binary, store) })
}

/// Publishes some bytes as anybody could, and returns when the server has them.
///
/// # Panics
/// When the server is not there or goes away.
pub async fn publish(port: u16, subject: &str, bytes: &[u8]) {
    let mut nats = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.expect("a nats-server");
    let head =
        format!("CONNECT {{\"verbose\":false,\"pedantic\":false}}\r\nPUB {subject} {}\r\n", bytes.len());
    nats.write_all(&[head.as_bytes(), bytes, b"\r\nPING\r\n"].concat()).await.expect("the server reads");
    let (mut told, mut some) = (Vec::new(), [0; 1024]);
    while !told.windows(4).any(|w| w == b"PONG") {
        let read = nats.read(&mut some).await.expect("the server answers");
        assert!(read > 0, "nats-server closed");
        told.extend_from_slice(&some[..read]);
    }
}

/// SIGSTOP or SIGCONT to a nats-server: stopped, it is there and says nothing.
///
/// # Panics
/// When it does not run.
pub fn signal_broker(server: &NatsServer, signal: Signal) {
    let pid = server.pid().and_then(|pid| i32::try_from(pid).ok()).expect("a running nats-server");
    kill(Pid::from_raw(pid), signal).expect("the nats-server can be signalled");
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
