//! The supervisor of a nats-server: what it starts it also ends, whatever becomes of us.

mod rig;

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use lienthong_link::server::{NatsServer, ServerError, StartOptions};
use rig::until;

const CHILD: &str = "LIENTHONG_TEST_SERVER_PARENT";

/// A process is gone when it has no entry any more, or only its corpse is left.
fn gone(pid: u32) -> bool {
    match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z')),
        Err(_) => true,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_stops_when_asked_and_when_dropped() {
    let Some((server, _dir)) = rig::server().await else { return };
    let pid = server.pid().expect("running");
    assert!(server.version().starts_with("2."), "{}", server.version());
    server.stop().await;
    assert!(gone(pid));

    let Some((server, _dir)) = rig::server().await else { return };
    let pid = server.pid().expect("running");
    drop(server);
    until("the dropped server to be gone", async || gone(pid)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_is_an_error_with_the_log() {
    let Some((first, dir)) = rig::server().await else { return };
    let binary = NatsServer::find().expect("found before");
    let options =
        StartOptions { port: Some(first.port()), ..StartOptions::new(binary, dir.path().join("second")) };
    let error = NatsServer::start(options).await.expect_err("the port is taken");
    match error {
        ServerError::Ended { last_lines, .. } => assert!(last_lines.contains("in use"), "{last_lines}"),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_missing_binary_is_an_error() {
    let dir = tempfile::tempdir().expect("a folder");
    let error = NatsServer::start(StartOptions::new("/nonexistent/nats-server", dir.path())).await;
    assert!(matches!(error, Err(ServerError::Run { .. })), "{error:?}");
}

/// Not a check of its own: the process that the next test kills.
#[tokio::test(flavor = "multi_thread")]
async fn parent_process_of_the_next_test() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let (server, _dir) = rig::server().await.expect("checked by the other process");
    println!("\nserver {}", server.pid().expect("running"));
    std::future::pending::<()>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_ends_when_its_parent_is_killed() {
    if rig::server().await.is_none() {
        return;
    }
    let mut parent = Command::new(std::env::current_exe().expect("this binary"))
        .args(["--exact", "parent_process_of_the_next_test", "--nocapture"])
        .env(CHILD, "1")
        .stdout(Stdio::piped())
        .spawn()
        .expect("another process");
    let mut lines = BufReader::new(parent.stdout.take().expect("piped")).lines().map_while(Result::ok);
    let pid = lines.find_map(|line| line.strip_prefix("server ")?.parse::<u32>().ok()).expect("a server");
    assert!(!gone(pid));
    parent.kill().expect("killed");
    parent.wait().expect("reaped");
    until("the orphan to be gone", async || gone(pid)).await;
}
