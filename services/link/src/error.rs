//! What can go wrong on a link, by kind.

use lienthong_core::ids::AgencyId;

/// Why a message was not taken. Nothing but [`SendError::TooLarge`] says anything about the message itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The receiver has never opened a mailbox, or its mailbox was lost and is not repaired yet.
    #[error("the receiver has no mailbox")]
    NoMailbox,
    /// The receiver's mailbox, or this sender's share of it, is full.
    #[error("the receiver's mailbox is full")]
    MailboxFull,
    /// The courier did not answer, so the message may or may not have been taken.
    #[error("the courier is out of reach: {0}")]
    Unreachable(String),
    /// The message is larger than [`crate::MAX_MESSAGE_BYTES`], or than the server takes.
    #[error("a message of {bytes} bytes is too large")]
    TooLarge {
        /// How large the message was.
        bytes: usize,
    },
}

/// Why a link or a mailbox could not be set up at all. Trouble that may pass is no error: it is retried.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The mailbox of this agency is already open on this link.
    #[error("the mailbox of {0} is already open")]
    AlreadyOpen(AgencyId),
    /// A credentials, seed or certificate file could not be used.
    #[error("reading {what} for NATS: {source}")]
    Credentials {
        /// Which file.
        what: &'static str,
        /// What went wrong.
        source: std::io::Error,
    },
    /// The configuration cannot be used.
    #[error("setting up the NATS connection: {0}")]
    Config(String),
}
