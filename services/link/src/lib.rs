//! Moves bytes between agencies. A link may lose, repeat, delay and reorder; it knows nothing of
//! statements, and nothing that it says may free anything (protocol.md 3, level L0).

mod delivery;
mod embedded;
mod error;
mod nats;
pub mod server;
mod status;
mod subject;

use bytes::Bytes;
use lienthong_core::ids::AgencyId;

pub use delivery::{Ack, Delivery, Mailbox};
pub use embedded::{EmbeddedConfig, EmbeddedLink};
pub use error::{LinkError, SendError};
pub use nats::{NatsConfig, NatsLink};
pub use status::{LinkKind, LinkStatus, MailboxStatus, ServerIdentity};
pub use subject::{Address, Lane, mailbox_subjects, parse_subject, stream_name, subject};

/// The largest message, in bytes. Room for 512 KiB of content with its certificate, and below the
/// 1 MiB that nats-server takes by default.
pub const MAX_MESSAGE_BYTES: usize = 768 << 10;

/// How long an unacknowledged delivery waits before it is delivered again: far longer than a
/// group commit on a bad disk, short enough that a crash delays nobody for a minute.
pub const ACK_WAIT: std::time::Duration = std::time::Duration::from_secs(30);

/// The most deliveries in one chunk of [`Mailbox::next`]: one group commit each.
pub const CHUNK_MESSAGES: usize = 256;

/// The way bytes travel between agencies. Clones are cheap and share the connection.
#[derive(Clone)]
pub enum Link {
    /// Over a NATS server with JetStream.
    Nats(NatsLink),
    /// Within this process.
    Embedded(EmbeddedLink),
}

impl Link {
    /// Opens the agency's mailbox, creating or repairing it. Succeeds without a server too: the
    /// mailbox then repairs itself as soon as there is one.
    ///
    /// # Errors
    /// [`LinkError::AlreadyOpen`] while an earlier mailbox of the same agency lives on this link.
    pub async fn open(&self, agency: &AgencyId) -> Result<Mailbox, LinkError> {
        match self {
            Link::Nats(link) => link.open(agency).await,
            Link::Embedded(link) => link.open(agency),
        }
    }

    /// Hands bytes to the courier. `Ok` means that the courier took them, no more.
    ///
    /// # Errors
    /// See [`SendError`]; every kind but [`SendError::TooLarge`] is an ordinary reason to retry.
    pub async fn send(
        &self,
        from: &AgencyId,
        to: &AgencyId,
        lane: Lane,
        bytes: Bytes,
    ) -> Result<(), SendError> {
        if bytes.len() > MAX_MESSAGE_BYTES {
            return Err(SendError::TooLarge { bytes: bytes.len() });
        }
        match self {
            Link::Nats(link) => link.send(from, to, lane, bytes).await,
            Link::Embedded(link) => link.send(from, to, lane, bytes),
        }
    }

    /// Waits until the connection has come up another time than `times`, and says how often it has by then. Never ends
    /// where there is no connection to lose.
    pub async fn came_up(&self, times: u64) -> u64 {
        match self {
            Link::Nats(link) => link.came_up(times).await,
            Link::Embedded(_) => std::future::pending().await,
        }
    }

    /// How the link and its open mailboxes are. Reads memory only.
    pub fn status(&self) -> LinkStatus {
        match self {
            Link::Nats(link) => link.status(),
            Link::Embedded(link) => link.status(),
        }
    }
}
