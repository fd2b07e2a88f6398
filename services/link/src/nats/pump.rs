//! The task behind an open mailbox: makes the stream and consumer, pulls, watches, and begins again on any trouble.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::jetstream;
use async_nats::jetstream::consumer::PullConsumer;
use async_nats::jetstream::consumer::pull::MessagesError;
use async_nats::jetstream::context::ConsumerInfoErrorKind;
use futures::{Stream, StreamExt};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior};

use super::NatsLink;
use super::mailbox::{NatsAck, Settled, Shared};
use super::setup::{self, Consumer, MAX_ACK_PENDING};
use crate::delivery::AckInner;
use crate::{ACK_WAIT, Ack, CHUNK_MESSAGES, Delivery, parse_subject};

/// Messages asked for ahead: four chunks, so that the server is never waited for.
const PULL_MESSAGES: usize = 1000;
/// Bytes asked for ahead: room for the largest message, and little enough that answers of the server, which come over
/// the same connection, are not late behind it: at 2 Mbit/s it takes four seconds.
const PULL_BYTES: usize = 1 << 20;
/// How long one pull request lives on the server.
const PULL_EXPIRES: Duration = Duration::from_secs(20);
/// Two missed heartbeats mean trouble: found within ten seconds, in which the largest message comes over a bad line.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// How often the server is asked what waits, for the status and the watchdog.
const WATCH_EVERY: Duration = Duration::from_secs(2);
/// Messages waiting and none delivered for so long: the consumer has stalled. Longer than a new cluster leader takes.
const STALL_AFTER: Duration = Duration::from_secs(20);
/// Unacknowledged messages come again after one such wait; none after three: redelivery has stalled.
const REDELIVERY_STALL_AFTER: Duration = ACK_WAIT.saturating_mul(3);
/// The waits between attempts to repair.
const REPAIR_MIN: Duration = Duration::from_millis(100);
const REPAIR_MAX: Duration = Duration::from_secs(3);

/// Everything the task works with.
pub(super) struct Pump {
    pub(super) link: NatsLink,
    pub(super) shared: Arc<Shared>,
    pub(super) chunks: mpsc::Sender<Vec<Delivery>>,
    pub(super) acks: mpsc::Sender<Settled>,
}

/// Why pulling ended.
enum End {
    /// Nobody reads the mailbox any more.
    Closed,
    /// The watchdog found messages waiting and none delivered.
    Stalled,
    /// Anything else.
    Trouble(String),
}

/// When a delivery was last handed on, or there was none to hand on; `None` while the reader is waited for,
/// which is no stall of the server's.
struct Progress(Mutex<Option<Instant>>);

impl Progress {
    fn set(&self, at: Option<Instant>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = at;
    }

    /// Nothing waits, so nothing is late; leaves a wait for the reader alone.
    fn idle(&self) {
        if let Some(at) = self.0.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            *at = Instant::now();
        }
    }

    fn older_than(&self, bound: Duration) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|at| at.elapsed() > bound)
    }
}

impl Pump {
    /// Runs until the mailbox is dropped. `ready` is told after the first attempt.
    pub(super) async fn run(self, ready: oneshot::Sender<()>) {
        let link = &self.link.0;
        let mut ready = Some(ready);
        let mut made_before = false;
        let mut existing = Consumer::Reopen;
        let mut wait = REPAIR_MIN;
        loop {
            link.connection.ready().await;
            let epoch = link.connection.epoch();
            let end =
                match setup::ensure(&link.connection.jetstream, &link.config, &self.shared.agency, existing)
                    .await
                {
                    Ok(made) => {
                        self.note_made(&made, made_before);
                        made_before = true;
                        // What the pull that ended had in hand is delivered again at once, not when its ack is late.
                        existing = Consumer::Reopen;
                        told(&mut ready);
                        let started = Instant::now();
                        let end = self.pull(&made.consumer, epoch).await;
                        if started.elapsed() > REPAIR_MAX {
                            wait = REPAIR_MIN;
                        }
                        end
                    }
                    Err(reason) => End::Trouble(reason),
                };
            match end {
                End::Closed => return,
                End::Stalled => {
                    self.shared.stalls.fetch_add(1, Relaxed);
                    tracing::warn!(agency = %self.shared.agency, "mailbox stalled, consumer made anew");
                    existing = Consumer::Replace;
                    continue;
                }
                End::Trouble(reason) => {
                    if self.shared.set_fault(Some(reason.clone())) {
                        tracing::warn!(agency = %self.shared.agency, reason, "mailbox out of order, will be repaired");
                    }
                    told(&mut ready);
                }
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(REPAIR_MAX);
        }
    }

    fn note_made(&self, made: &setup::Ready, before: bool) {
        if made.stream_made {
            self.shared.generation.fetch_add(1, Relaxed);
        }
        if before && (made.stream_made || made.consumer_made) {
            self.shared.repairs.fetch_add(1, Relaxed);
            tracing::warn!(agency = %self.shared.agency, stream = made.stream_made, "lost mailbox made anew");
        }
        self.shared.set_fault(None);
    }

    async fn pull(&self, consumer: &PullConsumer, epoch: u64) -> End {
        let messages = consumer
            .stream()
            .max_messages_per_batch(PULL_MESSAGES)
            .max_bytes_per_batch(PULL_BYTES)
            .expires(PULL_EXPIRES)
            .heartbeat(HEARTBEAT)
            .messages()
            .await;
        let messages = match messages {
            Ok(messages) => messages.ready_chunks(CHUNK_MESSAGES),
            Err(error) => return End::Trouble(format!("pulling: {error}")),
        };
        let progress = Progress(Mutex::new(Some(Instant::now())));
        // Apart, so that a question the server does not answer holds no delivery up.
        tokio::select! {
            end = self.deliver(messages, &progress) => end,
            end = self.watch(consumer, epoch, &progress) => end,
            () = self.chunks.closed() => End::Closed,
        }
    }

    async fn deliver(
        &self,
        mut messages: impl Stream<Item = Vec<Result<jetstream::Message, MessagesError>>> + Unpin,
        progress: &Progress,
    ) -> End {
        while let Some(chunk) = messages.next().await {
            let (deliveries, trouble) = self.deliveries(chunk);
            progress.set(None);
            if !deliveries.is_empty() && self.chunks.send(deliveries).await.is_err() {
                return End::Closed;
            }
            progress.set(Some(Instant::now()));
            if let Some(trouble) = trouble {
                return End::Trouble(trouble);
            }
        }
        End::Trouble("the pull ended".into())
    }

    /// Looks now and then, and at once after a reconnect, whether all is still there and moving. After a
    /// reconnect the client pulls again by itself; a new pull would drop what the old one has in hand.
    async fn watch(&self, consumer: &PullConsumer, mut epoch: u64, progress: &Progress) -> End {
        let connection = &self.link.0.connection;
        let mut tick = tokio::time::interval(WATCH_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                () = connection.again(epoch) => epoch = connection.epoch(),
            }
            match self.waiting(consumer).await {
                Ok(None) => progress.idle(),
                Ok(Some(bound)) if progress.older_than(bound) => return End::Stalled,
                Ok(Some(_)) => {}
                Err(reason) => return End::Trouble(reason),
            }
        }
    }

    /// Asks the server what waits: after how long without a delivery it would be a stall. An error means
    /// that the consumer is lost; no answer means nothing yet, for heartbeats find a server that is silent.
    async fn waiting(&self, consumer: &PullConsumer) -> Result<Option<Duration>, String> {
        let info = match consumer.get_info().await {
            Ok(info) => info,
            Err(e)
                if matches!(e.kind(), ConsumerInfoErrorKind::TimedOut | ConsumerInfoErrorKind::Request) =>
            {
                return Ok(None);
            }
            Err(e) => return Err(format!("asking for the consumer: {e}")),
        };
        self.shared.pending.store(info.num_pending, Relaxed);
        self.shared.ack_pending.store(info.num_ack_pending as u64, Relaxed);
        if info.num_pending > 0 && info.num_ack_pending < MAX_ACK_PENDING {
            return Ok(Some(STALL_AFTER));
        }
        Ok((info.num_ack_pending > 0).then_some(REDELIVERY_STALL_AFTER))
    }

    /// What can be handed on, and the trouble that ended the chunk.
    fn deliveries(
        &self,
        chunk: Vec<Result<jetstream::Message, MessagesError>>,
    ) -> (Vec<Delivery>, Option<String>) {
        let mut good = Vec::with_capacity(chunk.len());
        for message in chunk {
            match message {
                Ok(message) => good.extend(self.delivery(message)),
                Err(error) => return (good, Some(format!("pulling: {error}"))),
            }
        }
        (good, None)
    }

    /// One message. One whose subject names no sender is taken off and counted: nobody could be answered.
    fn delivery(&self, message: jetstream::Message) -> Option<Delivery> {
        let attempts = match message.info() {
            Ok(info) => {
                self.shared.pending.store(info.pending, Relaxed);
                u64::try_from(info.delivered).unwrap_or(1)
            }
            Err(_) => 1,
        };
        let (message, acker) = message.split();
        let generation = self.shared.generation.load(Relaxed);
        let ack = Ack(AckInner::Nats(Box::new(NatsAck { acker, generation, acks: self.acks.clone() })));
        match parse_subject(&message.subject) {
            Some(address) if address.to == self.shared.agency => {
                let (from, to, lane) = (address.from, address.to, address.lane);
                Some(Delivery { from, to, lane, bytes: message.payload, attempts, ack })
            }
            Some(_) | None => {
                self.shared.malformed.fetch_add(1, Relaxed);
                ack.term("the subject names no sender");
                None
            }
        }
    }
}

/// Tells whoever opens the mailbox, once; it may have given up waiting.
fn told(ready: &mut Option<oneshot::Sender<()>>) {
    if let Some(ready) = ready.take() {
        _ = ready.send(());
    }
}
