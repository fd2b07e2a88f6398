//! Makes an agency's stream and consumer as protocol.md 7 wants them. Only their owner does so.

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::context::GetStreamErrorKind;
use async_nats::jetstream::stream::{self, ConsumerErrorKind, DiscardPolicy, RetentionPolicy, StorageType};
use async_nats::jetstream::{self, ErrorCode, consumer::PullConsumer};
use lienthong_core::ids::AgencyId;

use super::NatsConfig;
use crate::{ACK_WAIT, MAX_MESSAGE_BYTES, mailbox_subjects, stream_name};

/// The name of the one durable consumer of each stream.
const CONSUMER: &str = "mailbox";
/// Deliveries that may wait for their ack: forty group commits of the largest size.
pub(super) const MAX_ACK_PENDING: usize = 10_000;
/// A NATS message holds its subject beside the bytes; 4 KiB is more than any of ours.
const MESSAGE_OVERHEAD: usize = 4 << 10;

/// A mailbox on the server, and what had to be done to get it.
pub(super) struct Ready {
    pub(super) consumer: PullConsumer,
    /// The stream was not there: its sequence numbers begin anew.
    pub(super) stream_made: bool,
    /// The consumer was not there.
    pub(super) consumer_made: bool,
}

/// What to do with a consumer that is there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Consumer {
    /// Whoever held its unacknowledged deliveries is gone: begin anew, so that nobody waits for the ack to be late.
    Reopen,
    /// It has stalled: begin anew.
    Replace,
}

/// Makes what is missing and mends what differs.
pub(super) async fn ensure(
    jetstream: &jetstream::Context,
    config: &NatsConfig,
    agency: &AgencyId,
    existing: Consumer,
) -> Result<Ready, String> {
    let wanted = stream_config(config, agency);
    let mut stream_made = false;
    let stream = match jetstream.get_stream(&wanted.name).await {
        Ok(stream) => {
            if differs(&stream.cached_info().config, &wanted) {
                // Of replicas an operator may have given more.
                let num_replicas = wanted.num_replicas.max(stream.cached_info().config.num_replicas);
                let wanted = stream::Config { num_replicas, ..wanted.clone() };
                jetstream.update_stream(&wanted).await.map_err(|e| format!("changing the stream: {e}"))?;
            }
            stream
        }
        Err(e) if matches!(e.kind(), GetStreamErrorKind::JetStream(e) if e.error_code() == ErrorCode::STREAM_NOT_FOUND) =>
        {
            stream_made = true;
            jetstream.create_stream(&wanted).await.map_err(|e| format!("making the stream: {e}"))?
        }
        Err(e) => return Err(format!("looking for the stream: {e}")),
    };
    let found = !stream_made && stream.consumer_info(CONSUMER).await.is_ok();
    if found {
        clear(&stream, existing).await?;
    }
    let consumer = match stream.create_consumer(consumer_config()).await {
        Ok(consumer) => consumer,
        // One of another making cannot be changed into ours.
        Err(e) if found && matches!(e.kind(), ConsumerErrorKind::JetStream(_)) => {
            stream.delete_consumer(CONSUMER).await.map_err(|e| format!("removing the consumer: {e}"))?;
            stream
                .create_consumer(consumer_config())
                .await
                .map_err(|e| format!("making the consumer: {e}"))?
        }
        Err(e) => return Err(format!("making the consumer: {e}")),
    };
    Ok(Ready { consumer, stream_made, consumer_made: !found })
}

/// Removes a consumer that is there, as far as `existing` asks for it.
async fn clear(stream: &stream::Stream, existing: Consumer) -> Result<(), String> {
    let Ok(info) = stream.consumer_info(CONSUMER).await else {
        return Ok(());
    };
    if existing == Consumer::Reopen && info.num_ack_pending == 0 {
        return Ok(());
    }
    stream.delete_consumer(CONSUMER).await.map(drop).map_err(|e| format!("removing the consumer: {e}"))
}

fn stream_config(config: &NatsConfig, agency: &AgencyId) -> stream::Config {
    stream::Config {
        name: stream_name(agency),
        subjects: vec![mailbox_subjects(agency)],
        retention: RetentionPolicy::WorkQueue,
        storage: StorageType::File,
        num_replicas: config.mailbox_replicas,
        max_bytes: i64::try_from(config.mailbox_bytes).unwrap_or(i64::MAX),
        max_messages: -1,
        max_messages_per_subject: i64::try_from(config.per_sender_messages).unwrap_or(i64::MAX),
        discard: DiscardPolicy::New,
        discard_new_per_subject: true,
        max_message_size: i32::try_from(MAX_MESSAGE_BYTES + MESSAGE_OVERHEAD).unwrap_or(i32::MAX),
        ..stream::Config::default()
    }
}

/// Whether the server's stream is not as we want it. Placement is the operator's, and so are further replicas.
fn differs(have: &stream::Config, want: &stream::Config) -> bool {
    have.num_replicas < want.num_replicas
        || have.subjects != want.subjects
        || have.max_bytes != want.max_bytes
        || have.max_messages_per_subject != want.max_messages_per_subject
        || have.discard != want.discard
        || have.discard_new_per_subject != want.discard_new_per_subject
        || have.max_message_size != want.max_message_size
        || have.retention != want.retention
}

fn consumer_config() -> pull::Config {
    pull::Config {
        durable_name: Some(CONSUMER.into()),
        deliver_policy: DeliverPolicy::All,
        ack_policy: AckPolicy::Explicit,
        ack_wait: ACK_WAIT,
        max_deliver: -1,
        max_ack_pending: MAX_ACK_PENDING as i64,
        ..pull::Config::default()
    }
}
