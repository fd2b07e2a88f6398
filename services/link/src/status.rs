//! What a link tells operators about itself.

use std::time::SystemTime;

use lienthong_core::ids::AgencyId;

/// Which courier carries the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkKind {
    /// A NATS server with JetStream.
    Nats,
    /// Queues in this process.
    Embedded,
}

/// The server at the other end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerIdentity {
    /// `host:port` as the server names itself.
    pub address: String,
    /// Its version.
    pub version: String,
}

/// How a link is.
#[derive(Clone, Debug)]
pub struct LinkStatus {
    /// Which courier.
    pub kind: LinkKind,
    /// Whether the courier can be reached now.
    pub connected: bool,
    /// The server last connected to; `None` before the first connection and for the embedded link.
    pub server: Option<ServerIdentity>,
    /// Since when `connected` has been what it is.
    pub since: SystemTime,
    /// Every open mailbox, ordered by agency.
    pub mailboxes: Vec<MailboxStatus>,
}

/// How one open mailbox is. Counters start at zero when it is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailboxStatus {
    /// Whose mailbox.
    pub agency: AgencyId,
    /// Messages that wait to be delivered, a few seconds old.
    pub pending: u64,
    /// Messages delivered but not acknowledged, a few seconds old.
    pub ack_pending: u64,
    /// How often a lost stream or consumer was made anew.
    pub repairs: u64,
    /// How often the watchdog found messages waiting but none delivered, and made the consumer anew.
    pub stalls: u64,
    /// Messages taken off because their subject names no sender.
    pub malformed: u64,
    /// Why nothing can be received at the moment; `None` when all is well.
    pub fault: Option<String>,
}
