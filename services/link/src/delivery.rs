//! What a mailbox yields, and how each piece is settled.

use bytes::Bytes;
use lienthong_core::ids::AgencyId;

use crate::Lane;
use crate::embedded::{EmbeddedAck, EmbeddedMailbox};
use crate::nats::{NatsAck, NatsMailbox};

/// One message, possibly for the second time.
#[derive(Debug)]
pub struct Delivery {
    /// Who sent it: taken from the subject, which NATS permissions pin. The content is not believed.
    pub from: AgencyId,
    /// Whose mailbox it lay in.
    pub to: AgencyId,
    /// The lane it came on.
    pub lane: Lane,
    /// The message.
    pub bytes: Bytes,
    /// How often the courier has delivered it, this time included. Lost with the courier: only a hint.
    pub attempts: u64,
    /// To settle it with, once its effect is durable.
    pub ack: Ack,
}

/// Settles one delivery. Dropping it settles nothing: the message comes again after
/// [`crate::ACK_WAIT`], or when the mailbox is opened anew.
#[derive(Debug)]
#[must_use = "an unsettled delivery comes again"]
pub struct Ack(pub(crate) AckInner);

#[derive(Debug)]
pub(crate) enum AckInner {
    Nats(Box<NatsAck>),
    Embedded(EmbeddedAck),
}

impl Ack {
    /// Takes the message off the courier. Call it only after the batch holding its effect is durable.
    /// Never waits, and is not certain: an ack that is lost means a repetition, no more.
    pub fn ack(self) {
        match self.0 {
            AckInner::Nats(ack) => ack.settle(async_nats::jetstream::AckKind::Ack),
            AckInner::Embedded(ack) => ack.settle(),
        }
    }

    /// Leaves a message at the courier, which brings it again after about this long.
    pub fn later(self, pause: std::time::Duration) {
        match self.0 {
            AckInner::Nats(ack) => ack.settle(async_nats::jetstream::AckKind::Nak(Some(pause))),
            AckInner::Embedded(ack) => ack.later(pause),
        }
    }

    /// Takes a message off without effect: its sender, who has no answer, sends it again. Told by the caller, if at all.
    pub fn discard(self) {
        match self.0 {
            AckInner::Nats(ack) => ack.settle(async_nats::jetstream::AckKind::Term),
            AckInner::Embedded(ack) => ack.settle(),
        }
    }

    /// Takes a message off that can never be processed; `reason` goes to the log.
    pub fn term(self, reason: &str) {
        tracing::warn!(reason, "message taken off the link unprocessed");
        match self.0 {
            AckInner::Nats(ack) => ack.settle(async_nats::jetstream::AckKind::Term),
            AckInner::Embedded(ack) => ack.settle(),
        }
    }
}

/// The receiving end of one agency. Dropping it closes it; what is unacknowledged comes again.
pub struct Mailbox(pub(crate) MailboxInner);

pub(crate) enum MailboxInner {
    Nats(Box<NatsMailbox>),
    Embedded(EmbeddedMailbox),
}

impl Mailbox {
    /// The next messages: at least one, at most [`crate::CHUNK_MESSAGES`]. Waits through any trouble
    /// with the connection. `None` only when the runtime shuts down. Safe to cancel.
    pub async fn next(&mut self) -> Option<Vec<Delivery>> {
        match &mut self.0 {
            MailboxInner::Nats(mailbox) => mailbox.next().await,
            MailboxInner::Embedded(mailbox) => Some(mailbox.next().await),
        }
    }
}
