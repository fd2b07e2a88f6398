//! NATS JetStream with `sync_interval: always`: a work queue on disk, a pull consumer, acknowledgements that are confirmed.

use crate::load::{Expected, Load, Measured, Peer, message, number};
use crate::server::{Server, free_port, program};
use anyhow::Context as _;
use async_nats::jetstream::consumer::{AckPolicy, pull};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::{self, stream};
use futures::StreamExt;
use nix::sys::signal::Signal;
use std::path::Path;
use std::sync::Arc;
use tokio::process::Command;
use tokio::task::JoinHandle;

/// Where `make tools` puts the server.
pub(crate) const TOOLS: &str = ".tools/bin";
/// Messages at the consumer without its acknowledgement.
const UNACKNOWLEDGED: i64 = 4_096;

struct JetStream {
    context: jetstream::Context,
    expected: Arc<Expected>,
}

/// Starts a nats-server with further lines of configuration; its URL.
pub(super) async fn nats_server(dir: &Path, jetstream: &str) -> anyhow::Result<(Server, String)> {
    let port = free_port()?;
    let store = dir.join("nats");
    std::fs::create_dir_all(&store)?;
    let config = dir.join("nats.conf");
    let text = format!(
        "listen: \"127.0.0.1:{port}\"\nmax_payload: 1048576\n\
         jetstream {{ store_dir: {store:?}, max_file_store: 68719476736{jetstream} }}\n"
    );
    std::fs::write(&config, text)?;
    let mut command = Command::new(program("nats-server", &[TOOLS])?);
    command.arg("--config").arg(config);
    let mut server = Server::start("nats-server", dir, command, Signal::SIGTERM)?;
    let url = format!("nats://127.0.0.1:{port}");
    server.until(async || async_nats::connect(&url).await.ok()).await?;
    Ok((server, url))
}

pub(super) async fn measure(dir: &Path, load: Load<'_>) -> anyhow::Result<Vec<Measured>> {
    let (server, url) = nats_server(dir, ", sync_interval: always").await?;
    let producer = jetstream::new(async_nats::connect(&url).await?);
    let client = async_nats::connect(&url).await?;
    let stream = stream::Config {
        name: "peers".into(),
        subjects: vec!["peers".into()],
        retention: stream::RetentionPolicy::WorkQueue,
        storage: stream::StorageType::File,
        ..Default::default()
    };
    let stream = jetstream::new(client.clone()).create_stream(stream).await?;
    let consumer = pull::Config {
        durable_name: Some("consumer".into()),
        ack_policy: AckPolicy::Explicit,
        max_ack_pending: UNACKNOWLEDGED,
        ..Default::default()
    };
    let consumer = stream.create_consumer(consumer).await?;
    let expected = Arc::new(Expected::default());
    let consuming = tokio::spawn(consume(consumer, client, expected.clone()));
    let measured = load.run(Arc::new(JetStream { context: producer, expected })).await;
    let measured = or_why(measured, consuming).await;
    server.stop().await;
    measured
}

/// The measurement, or what the consumer ended with.
pub(super) async fn or_why<T>(
    measured: anyhow::Result<T>,
    consuming: JoinHandle<anyhow::Result<()>>,
) -> anyhow::Result<T> {
    if consuming.is_finished() {
        consuming.await?.context("the consumer ended")?;
    } else {
        consuming.abort();
    }
    measured
}

async fn consume(
    consumer: jetstream::consumer::PullConsumer,
    client: async_nats::Client,
    expected: Arc<Expected>,
) -> anyhow::Result<()> {
    let messages = consumer.stream().max_messages_per_batch(1_000).messages().await?;
    let acknowledged = messages.map(|message| {
        let (client, expected) = (client.clone(), expected.clone());
        async move {
            let message = message?;
            let id = number(&message.payload)?;
            let reply = message.message.reply.context("a message without a reply subject")?;
            // A confirmed acknowledgement, over the one inbox of the client: cheaper than `double_ack`.
            client.request(reply, "+ACK".into()).await?;
            expected.acknowledged(&id);
            anyhow::Ok(())
        }
    });
    let mut acknowledged = acknowledged.buffer_unordered(UNACKNOWLEDGED as usize);
    while let Some(done) = acknowledged.next().await {
        done?;
    }
    anyhow::bail!("the pull ended")
}

impl Peer for JetStream {
    async fn hand_over(&self, id: u64) -> anyhow::Result<bool> {
        let told = self.expected.expect(id);
        self.context.send_publish("peers", PublishMessage::build().payload(message(id))).await?.await?;
        told.await?;
        Ok(true)
    }
}
