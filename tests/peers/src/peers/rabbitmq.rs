//! RabbitMQ: one quorum queue, publisher confirms, manual acknowledgement (of all that came at once).
//!
//! The protocol has no confirmation of an acknowledgement: it counts when it is handed to the connection. Only a consumer
//! that keeps what it received before it acknowledges ([`Consumer::Keeps`]) has acknowledged durably, as all the others
//! do: it appends a chunk to a file and syncs it.

use super::jetstream::or_why;
use crate::load::{Expected, Load, Measured, Peer, message, number};
use crate::server::{Server, free_port, program};
use anyhow::Context;
use futures::StreamExt;
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions,
    QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties};
use nix::sys::signal::Signal;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use tokio::process::Command;

/// The server itself; the script of Debian in PATH changes the user and the folders.
pub(super) const BIN: &str = "/usr/lib/rabbitmq/bin";
/// Channels of the producer: a server process each.
const CHANNELS: u64 = 4;
/// Messages at the consumer without its acknowledgement.
const PREFETCH: u16 = 1_024;
const QUEUE: &str = "peers";

/// What the consumer does before it acknowledges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Consumer {
    /// Nothing: when it or the server crashes then, who has what is open.
    Forgets,
    /// Writes what came to its disk.
    Keeps,
}

/// The file of a consumer that keeps what it received.
struct Kept {
    file: Arc<File>,
    at: u64,
}

/// Bytes of the file, which is written full of zeros before and again and again: so a sync is as cheap as one can be.
const KEPT_BYTES: u64 = 64 << 20;

struct RabbitMq {
    channels: Vec<Channel>,
    expected: Arc<Expected>,
}

pub(super) async fn measure(dir: &Path, load: Load<'_>, consumer: Consumer) -> anyhow::Result<Vec<Measured>> {
    let (epmd, mut server, url) = start(dir)?;
    let connect = async || Connection::connect(&url, ConnectionProperties::default()).await;
    let producer = server.until(async || connect().await.ok()).await?;
    let kept = (consumer == Consumer::Keeps).then(|| Kept::new(dir)).transpose()?;
    let consumer = connect().await?;
    let mut channels = Vec::new();
    for _ in 0..CHANNELS {
        let channel = producer.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        channels.push(channel);
    }
    let mut quorum = FieldTable::default();
    quorum.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    channels[0].queue_declare(QUEUE.into(), QueueDeclareOptions::durable(), quorum).await?;
    let expected = Arc::new(Expected::default());
    let consuming = tokio::spawn(consume(consumer.create_channel().await?, kept, expected.clone()));
    let measured = load.run(Arc::new(RabbitMq { channels, expected })).await;
    let measured = or_why(measured, consuming).await;
    server.stop().await;
    epmd.stop().await;
    measured
}

/// Everything of it in the folder: the data, the logs, the cookie; and a name server of its own.
fn start(dir: &Path) -> anyhow::Result<(Server, Server, String)> {
    let (names, distribution, port) = (free_port()?.to_string(), free_port()?.to_string(), free_port()?);
    let mut command = Command::new(program("epmd", &[])?);
    command.args(["-port", &names, "-address", "127.0.0.1"]);
    let epmd = Server::start("epmd", dir, command, Signal::SIGTERM)?;
    let config = dir.join("rabbitmq.conf");
    std::fs::write(
        &config,
        format!("listeners.tcp.1 = 127.0.0.1:{port}\nloopback_users = none\nlog.file.level = warning\n"),
    )?;
    let mut command = Command::new(program("rabbitmq-server", &[BIN])?);
    command
        .env("HOME", dir)
        .env("ERL_EPMD_PORT", &names)
        .env("ERL_EPMD_ADDRESS", "127.0.0.1")
        .env("RABBITMQ_NODENAME", "peers@localhost")
        .env("RABBITMQ_DIST_PORT", &distribution)
        .env("RABBITMQ_CONF_ENV_FILE", dir.join("no-rabbitmq-env.conf"))
        .env("RABBITMQ_CONFIG_FILE", &config)
        .env("RABBITMQ_MNESIA_BASE", dir.join("mnesia"))
        .env("RABBITMQ_LOG_BASE", dir.join("logs"))
        .env("RABBITMQ_PID_FILE", dir.join("rabbitmq.pid"))
        .env("RABBITMQ_ENABLED_PLUGINS_FILE", dir.join("no-plugins"));
    let server = Server::start("rabbitmq-server", dir, command, Signal::SIGTERM)?;
    Ok((epmd, server, format!("amqp://guest:guest@127.0.0.1:{port}/%2f")))
}

impl Kept {
    fn new(dir: &Path) -> anyhow::Result<Self> {
        let file = File::create_new(dir.join("kept"))?;
        file.write_all_at(&vec![0; KEPT_BYTES as usize], 0)?;
        file.sync_all()?;
        Ok(Self { file: Arc::new(file), at: 0 })
    }

    /// Durably.
    async fn keep(&mut self, chunk: &[Delivery]) -> anyhow::Result<()> {
        let bytes = chunk.iter().map(|delivery| &delivery.data[..]).collect::<Vec<_>>().concat();
        if self.at + bytes.len() as u64 > KEPT_BYTES {
            self.at = 0;
        }
        let (file, at) = (self.file.clone(), self.at);
        self.at += bytes.len() as u64;
        let write = move || file.write_all_at(&bytes, at).and_then(|()| file.sync_data());
        Ok(tokio::task::spawn_blocking(write).await??)
    }
}

async fn consume(channel: Channel, mut kept: Option<Kept>, expected: Arc<Expected>) -> anyhow::Result<()> {
    channel.basic_qos(PREFETCH, BasicQosOptions::default()).await?;
    let consumer = channel.basic_consume(
        QUEUE.into(),
        "consumer".into(),
        BasicConsumeOptions::default(),
        FieldTable::default(),
    );
    let mut chunks = consumer.await?.ready_chunks(usize::from(PREFETCH));
    while let Some(chunk) = chunks.next().await {
        let chunk: Vec<_> = chunk.into_iter().collect::<Result<_, _>>()?;
        if let Some(kept) = &mut kept {
            kept.keep(&chunk).await?;
        }
        let last = chunk.last().context("an empty chunk")?;
        last.acker.ack(BasicAckOptions { multiple: true }).await?;
        for delivery in &chunk {
            expected.acknowledged(&number(&delivery.data)?);
        }
    }
    anyhow::bail!("the subscription ended")
}

impl Peer for RabbitMq {
    async fn hand_over(&self, id: u64) -> anyhow::Result<bool> {
        let told = self.expected.expect(id);
        let channel = &self.channels[(id % CHANNELS) as usize];
        let persistent = BasicProperties::default().with_delivery_mode(2);
        let (message, options) = (message(id), BasicPublishOptions::default());
        let sent = channel.basic_publish("".into(), QUEUE.into(), options, &message, persistent);
        let confirmed = sent.await?.await?;
        anyhow::ensure!(matches!(confirmed, Confirmation::Ack(_)), "not confirmed: {confirmed:?}");
        told.await?;
        Ok(true)
    }
}
