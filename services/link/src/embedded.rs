//! The link within one process: bounded queues with the semantics of the NATS link.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use bytes::Bytes;
use lienthong_core::ids::AgencyId;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::delivery::{AckInner, MailboxInner};
use crate::{
    ACK_WAIT, Ack, CHUNK_MESSAGES, Delivery, Lane, LinkError, LinkKind, LinkStatus, Mailbox, MailboxStatus,
    SendError,
};

/// How much each mailbox may hold.
#[derive(Clone, Copy, Debug)]
pub struct EmbeddedConfig {
    /// Bytes in one mailbox. 16 MiB by default: it is memory, and twenty agencies share a laptop.
    pub mailbox_bytes: u64,
    /// Messages from one sender on one lane of a mailbox. 4,096 by default, as on NATS.
    pub per_sender_messages: u64,
}

impl Default for EmbeddedConfig {
    fn default() -> Self {
        EmbeddedConfig { mailbox_bytes: 16 << 20, per_sender_messages: 4096 }
    }
}

/// A link whose messages live in this process and end with it.
#[derive(Clone)]
pub struct EmbeddedLink {
    config: EmbeddedConfig,
    since: SystemTime,
    boxes: Arc<Mutex<BTreeMap<AgencyId, Arc<Slot>>>>,
}

struct Slot {
    agency: AgencyId,
    state: Mutex<State>,
    arrived: Notify,
}

#[derive(Default)]
struct State {
    open: bool,
    next_number: u64,
    bytes: u64,
    senders: BTreeMap<(AgencyId, Lane), u64>,
    ready: VecDeque<Message>,
    /// Delivered and not settled, by number; the instant is when it is delivered again.
    unsettled: BTreeMap<u64, (Instant, Message)>,
}

struct Message {
    number: u64,
    from: AgencyId,
    lane: Lane,
    bytes: Bytes,
    attempts: u64,
}

/// A poisoned lock only says that some thread panicked; every update here is whole.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl EmbeddedLink {
    /// A link on which nobody has a mailbox yet.
    pub fn new(config: EmbeddedConfig) -> Self {
        EmbeddedLink { config, since: SystemTime::now(), boxes: Arc::default() }
    }

    pub(crate) fn open(&self, agency: &AgencyId) -> Result<Mailbox, LinkError> {
        let slot = locked(&self.boxes)
            .entry(agency.clone())
            .or_insert_with(|| {
                let slot = Slot { agency: agency.clone(), state: Mutex::default(), arrived: Notify::new() };
                Arc::new(slot)
            })
            .clone();
        let mut state = locked(&slot.state);
        if state.open {
            return Err(LinkError::AlreadyOpen(agency.clone()));
        }
        state.open = true;
        drop(state);
        Ok(Mailbox(MailboxInner::Embedded(EmbeddedMailbox { slot })))
    }

    pub(crate) fn send(
        &self,
        from: &AgencyId,
        to: &AgencyId,
        lane: Lane,
        bytes: Bytes,
    ) -> Result<(), SendError> {
        let slot = locked(&self.boxes).get(to).cloned().ok_or(SendError::NoMailbox)?;
        let mut state = locked(&slot.state);
        let size = bytes.len() as u64;
        let key = (from.clone(), lane);
        let held = state.senders.get(&key).copied().unwrap_or(0);
        if state.bytes + size > self.config.mailbox_bytes || held >= self.config.per_sender_messages {
            return Err(SendError::MailboxFull);
        }
        state.bytes += size;
        state.senders.insert(key, held + 1);
        let number = state.next_number;
        state.next_number += 1;
        state.ready.push_back(Message { number, from: from.clone(), lane, bytes, attempts: 0 });
        drop(state);
        slot.arrived.notify_one();
        Ok(())
    }

    pub(crate) fn status(&self) -> LinkStatus {
        let slots: Vec<_> = locked(&self.boxes).values().cloned().collect();
        let mailboxes = slots.iter().filter_map(|slot| slot.status()).collect();
        LinkStatus { kind: LinkKind::Embedded, connected: true, server: None, since: self.since, mailboxes }
    }
}

impl Slot {
    fn status(&self) -> Option<MailboxStatus> {
        let state = locked(&self.state);
        state.open.then(|| MailboxStatus {
            agency: self.agency.clone(),
            pending: state.ready.len() as u64,
            ack_pending: state.unsettled.len() as u64,
            repairs: 0,
            stalls: 0,
            malformed: 0,
            fault: None,
        })
    }
}

impl State {
    /// Puts what has waited too long for its ack back at the front, oldest first.
    fn requeue(&mut self, due: impl Fn(Instant) -> bool) {
        let late: Vec<u64> = self.unsettled.iter().filter(|(_, (at, _))| due(*at)).map(|(n, _)| *n).collect();
        for number in late.into_iter().rev() {
            if let Some((_, message)) = self.unsettled.remove(&number) {
                self.ready.push_front(message);
            }
        }
    }

    fn release(&mut self, message: &Message) {
        self.bytes -= message.bytes.len() as u64;
        let key = (message.from.clone(), message.lane);
        match self.senders.get_mut(&key) {
            Some(held) if *held > 1 => *held -= 1,
            Some(_) | None => {
                self.senders.remove(&key);
            }
        }
    }
}

/// The receiving end of one agency.
pub(crate) struct EmbeddedMailbox {
    slot: Arc<Slot>,
}

impl EmbeddedMailbox {
    pub(crate) async fn next(&mut self) -> Vec<Delivery> {
        loop {
            let arrived = self.slot.arrived.notified();
            let chunk = self.take();
            if !chunk.is_empty() {
                return chunk;
            }
            let again = locked(&self.slot.state).unsettled.values().map(|(at, _)| *at).min();
            match again {
                // Whichever comes first; both lead to another look.
                Some(at) => drop(tokio::time::timeout_at(at, arrived).await),
                None => arrived.await,
            }
        }
    }

    fn take(&self) -> Vec<Delivery> {
        let now = Instant::now();
        let mut state = locked(&self.slot.state);
        state.requeue(|at| at <= now);
        let count = state.ready.len().min(CHUNK_MESSAGES);
        let taken: Vec<Message> = state.ready.drain(..count).collect();
        let mut chunk = Vec::with_capacity(count);
        for mut message in taken {
            message.attempts += 1;
            chunk.push(Delivery {
                from: message.from.clone(),
                to: self.slot.agency.clone(),
                lane: message.lane,
                bytes: message.bytes.clone(),
                attempts: message.attempts,
                ack: Ack(AckInner::Embedded(EmbeddedAck { slot: self.slot.clone(), number: message.number })),
            });
            state.unsettled.insert(message.number, (now + ACK_WAIT, message));
        }
        chunk
    }
}

impl Drop for EmbeddedMailbox {
    fn drop(&mut self) {
        let mut state = locked(&self.slot.state);
        state.open = false;
        state.requeue(|_| true);
    }
}

/// Settles one delivery.
pub(crate) struct EmbeddedAck {
    slot: Arc<Slot>,
    number: u64,
}

impl EmbeddedAck {
    pub(crate) fn later(self, pause: std::time::Duration) {
        if let Some((due, _)) = locked(&self.slot.state).unsettled.get_mut(&self.number) {
            *due = Instant::now() + pause;
        }
        // Whoever waits for the next message waits no longer than until then.
        self.slot.arrived.notify_one();
    }

    pub(crate) fn settle(self) {
        let mut state = locked(&self.slot.state);
        if let Some((_, message)) = state.unsettled.remove(&self.number) {
            state.release(&message);
        }
    }
}

impl std::fmt::Debug for EmbeddedAck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "message {} of {}", self.number, self.slot.agency)
    }
}
