//! A Redis stream with `appendfsync always`: XADD, a consumer group, XACK and XDEL of all that came at once.

use super::jetstream::or_why;
use crate::load::{Expected, Load, Measured, Peer, message, number};
use crate::server::{Server, free_port, program};
use anyhow::Context;
use nix::sys::signal::Signal;
use redis::AsyncConnectionConfig;
use redis::aio::MultiplexedConnection;
use redis::streams::StreamReadReply;
use std::path::Path;
use std::sync::Arc;
use tokio::process::Command;

const STREAM: &str = "peers";
const GROUP: &str = "consumers";
/// Entries taken at once.
const COUNT: usize = 256;

struct Redis {
    connection: MultiplexedConnection,
    expected: Arc<Expected>,
}

pub(super) async fn measure(dir: &Path, load: Load<'_>) -> anyhow::Result<Vec<Measured>> {
    let port = free_port()?;
    let mut command = Command::new(program("redis-server", &[])?);
    command.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--daemonize", "no", "--save", ""]);
    command.args(["--appendonly", "yes", "--appendfsync", "always", "--no-appendfsync-on-rewrite", "no"]);
    command.arg("--dir").arg(dir);
    let mut server = Server::start("redis-server", dir, command, Signal::SIGTERM)?;
    let client = redis::Client::open(format!("redis://127.0.0.1:{port}/"))?;
    let patient = AsyncConnectionConfig::new().set_response_timeout(None);
    let connect = async || client.get_multiplexed_async_connection_with_config(&patient).await;
    let mut connection = server.until(async || connect().await.ok()).await?;
    let () = redis::cmd("XGROUP")
        .arg(&["CREATE", STREAM, GROUP, "0", "MKSTREAM"])
        .query_async(&mut connection)
        .await?;
    let expected = Arc::new(Expected::default());
    let consuming = tokio::spawn(consume(connect().await?, expected.clone()));
    let measured = load.run(Arc::new(Redis { connection, expected })).await;
    let measured = or_why(measured, consuming).await;
    server.stop().await;
    measured
}

async fn consume(mut connection: MultiplexedConnection, expected: Arc<Expected>) -> anyhow::Result<()> {
    loop {
        let mut read = redis::cmd("XREADGROUP");
        read.arg("GROUP").arg(GROUP).arg("one").arg("COUNT").arg(COUNT).arg("BLOCK").arg(0);
        let read: StreamReadReply =
            read.arg("STREAMS").arg(STREAM).arg(">").query_async(&mut connection).await?;
        let entries: Vec<_> = read.keys.into_iter().flat_map(|key| key.ids).collect();
        let (mut ids, mut numbers) = (Vec::new(), Vec::new());
        for entry in &entries {
            let bytes: Vec<u8> = entry.get("m").context("an entry without its field")?;
            numbers.push(number(&bytes)?);
            ids.push(entry.id.as_str());
        }
        let mut done = redis::pipe();
        done.cmd("XACK").arg(STREAM).arg(GROUP).arg(&ids);
        done.cmd("XDEL").arg(STREAM).arg(&ids);
        let (_, _): (i64, i64) = done.query_async(&mut connection).await?;
        numbers.into_iter().for_each(|id| expected.acknowledged(&id));
    }
}

impl Peer for Redis {
    async fn hand_over(&self, id: u64) -> anyhow::Result<bool> {
        let told = self.expected.expect(id);
        let mut connection = self.connection.clone();
        let mut add = redis::cmd("XADD");
        add.arg(STREAM).arg("*").arg("m").arg(&message(id)[..]);
        let _: String = add.query_async(&mut connection).await?;
        told.await?;
        Ok(true)
    }
}
