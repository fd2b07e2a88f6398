//! The receiving end of one agency over NATS: its counters, its tasks and its acks.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::jetstream::AckKind;
use async_nats::jetstream::message::Acker;
use lienthong_core::ids::AgencyId;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::NatsLink;
use super::pump::Pump;
use super::setup::MAX_ACK_PENDING;
use crate::{Delivery, MailboxStatus};

/// How long opening waits for the server before it leaves the rest to the pump. Without a server only the
/// first mailboxes of a link wait, so that twenty do not add up.
const OPEN_WAIT: Duration = Duration::from_secs(5);
/// Chunks read ahead: one being committed, one waiting.
const CHUNKS_AHEAD: usize = 2;

/// What the pump counts and the status reads.
pub(super) struct Shared {
    pub(super) agency: AgencyId,
    pub(super) pending: AtomicU64,
    pub(super) ack_pending: AtomicU64,
    pub(super) repairs: AtomicU64,
    pub(super) stalls: AtomicU64,
    pub(super) malformed: AtomicU64,
    /// Rises when the stream is made anew. An ack names a sequence number, and after a wipe the same
    /// number is another message; so acks of an older generation are kept back.
    pub(super) generation: AtomicU64,
    fault: Mutex<Option<String>>,
}

impl Shared {
    pub(super) fn new(agency: AgencyId) -> Self {
        Shared {
            agency,
            pending: AtomicU64::new(0),
            ack_pending: AtomicU64::new(0),
            repairs: AtomicU64::new(0),
            stalls: AtomicU64::new(0),
            malformed: AtomicU64::new(0),
            generation: AtomicU64::new(0),
            fault: Mutex::new(Some("not opened yet".into())),
        }
    }

    /// Notes why nothing can be received, or that all is well; says whether that is news.
    pub(super) fn set_fault(&self, fault: Option<String>) -> bool {
        let mut held = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        let news = *held != fault;
        *held = fault;
        news
    }

    pub(super) fn status(&self) -> MailboxStatus {
        MailboxStatus {
            agency: self.agency.clone(),
            pending: self.pending.load(Relaxed),
            ack_pending: self.ack_pending.load(Relaxed),
            repairs: self.repairs.load(Relaxed),
            stalls: self.stalls.load(Relaxed),
            malformed: self.malformed.load(Relaxed),
            fault: self.fault.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}

/// The receiving end of one agency.
pub(crate) struct NatsMailbox {
    link: NatsLink,
    agency: AgencyId,
    chunks: mpsc::Receiver<Vec<Delivery>>,
    pump: JoinHandle<()>,
}

impl NatsMailbox {
    /// Starts the tasks and waits, within a bound, for the first attempt to make the stream and the consumer.
    pub(super) async fn start(link: NatsLink, shared: Arc<Shared>) -> Self {
        let (chunks_tx, chunks) = mpsc::channel(CHUNKS_AHEAD);
        let (acks_tx, acks) = mpsc::channel(MAX_ACK_PENDING);
        let (ready_tx, ready) = oneshot::channel();
        // Ends by itself when the mailbox and every outstanding ack are gone.
        drop(tokio::spawn(settle_all(acks, shared.clone())));
        let agency = shared.agency.clone();
        let connection = &link.0.connection;
        let wait_from = if connection.is_up() { Instant::now() } else { connection.started };
        let pump = Pump { link: link.clone(), shared, chunks: chunks_tx, acks: acks_tx };
        let mailbox = NatsMailbox { agency, chunks, pump: tokio::spawn(pump.run(ready_tx)), link };
        drop(tokio::time::timeout_at(wait_from + OPEN_WAIT, ready).await);
        mailbox
    }

    pub(crate) async fn next(&mut self) -> Option<Vec<Delivery>> {
        self.chunks.recv().await
    }
}

impl Drop for NatsMailbox {
    fn drop(&mut self) {
        self.pump.abort();
        self.link.closed(&self.agency);
    }
}

/// One settled delivery on its way to the server.
pub(super) struct Settled {
    acker: Acker,
    kind: AckKind,
    generation: u64,
}

/// Settles one delivery.
pub(crate) struct NatsAck {
    pub(super) acker: Acker,
    pub(super) generation: u64,
    pub(super) acks: mpsc::Sender<Settled>,
}

impl NatsAck {
    /// The queue holds as many as may be outstanding; should it be full all the same, the message comes again.
    pub(crate) fn settle(self, kind: AckKind) {
        drop(self.acks.try_send(Settled { acker: self.acker, kind, generation: self.generation }));
    }
}

impl std::fmt::Debug for NatsAck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NatsAck")
    }
}

/// Passes acks on, apart from the pump, so that neither a full client nor a full pump holds the other up.
async fn settle_all(mut acks: mpsc::Receiver<Settled>, shared: Arc<Shared>) {
    while let Some(settled) = acks.recv().await {
        if settled.generation != shared.generation.load(Relaxed) {
            continue;
        }
        if let Err(error) = settled.acker.ack_with(settled.kind).await {
            tracing::debug!(agency = %shared.agency, error, "ack not sent");
        }
    }
}
