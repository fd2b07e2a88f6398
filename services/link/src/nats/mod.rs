//! The link over NATS JetStream: one connection, one stream and one durable pull consumer per agency.

mod connection;
mod mailbox;
mod pump;
mod setup;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::jetstream::context::PublishErrorKind;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::{self, ErrorCode};
use bytes::Bytes;
use lienthong_core::ids::AgencyId;

pub(crate) use mailbox::{NatsAck, NatsMailbox};

use crate::delivery::MailboxInner;
use crate::{Lane, LinkError, LinkKind, LinkStatus, Mailbox, SendError, subject};
use connection::Connection;
use mailbox::Shared;

/// Where the server is and who we are to it.
#[derive(Clone, Debug)]
pub struct NatsConfig {
    /// `nats://host:port` or `tls://host:port`; several, separated by commas, for a cluster.
    pub url: String,
    /// Names the connection, and the inbox `_INBOX_<node>` that permissions allow: letters, digits, `-` and `_`.
    pub node_name: String,
    /// A file with the nkey seed to prove the node with.
    pub nkey_seed_file: Option<PathBuf>,
    /// A `.creds` file with a user JWT and its seed.
    pub credentials_file: Option<PathBuf>,
    /// A PEM file with the authority of the server's certificate. When given, TLS is required.
    pub tls_ca: Option<PathBuf>,
    /// What the server reserves for each mailbox. 64 MiB by default: twenty days of a commune.
    pub mailbox_bytes: u64,
    /// Messages from one sender on one lane that a mailbox holds unacknowledged. 4,096 by default: four times the
    /// largest window of unreceipted statements, as acks lag behind receipts, so that only a faulty sender
    /// meets it. It counts messages; what a sender may fill in bytes is for credits to bound.
    pub per_sender_messages: u64,
    /// Servers of a cluster that keep each mailbox. 1 by default: a single server can do no more.
    pub mailbox_replicas: usize,
}

impl NatsConfig {
    /// The defaults, without credentials.
    pub fn new(url: impl Into<String>, node_name: impl Into<String>) -> Self {
        NatsConfig {
            url: url.into(),
            node_name: node_name.into(),
            nkey_seed_file: None,
            credentials_file: None,
            tls_ca: None,
            mailbox_bytes: 64 << 20,
            per_sender_messages: 4096,
            mailbox_replicas: 1,
        }
    }
}

/// A link over one NATS connection.
#[derive(Clone)]
pub struct NatsLink(Arc<Inner>);

struct Inner {
    config: NatsConfig,
    connection: Connection,
    /// The open mailboxes; an entry leaves when its mailbox is dropped.
    open: Mutex<BTreeMap<AgencyId, Arc<Shared>>>,
}

impl NatsLink {
    /// Starts connecting and goes on trying for ever; returns before the server answers.
    ///
    /// # Errors
    /// Only what no retry can mend: an unusable address, name or credentials file.
    pub async fn connect(config: NatsConfig) -> Result<Self, LinkError> {
        let connection = Connection::start(&config).await?;
        Ok(NatsLink(Arc::new(Inner { config, connection, open: Mutex::default() })))
    }

    pub(crate) async fn open(&self, agency: &AgencyId) -> Result<Mailbox, LinkError> {
        let shared = {
            let mut open = self.0.open.lock().unwrap_or_else(PoisonError::into_inner);
            if open.contains_key(agency) {
                return Err(LinkError::AlreadyOpen(agency.clone()));
            }
            let shared = Arc::new(Shared::new(agency.clone()));
            open.insert(agency.clone(), shared.clone());
            shared
        };
        let mailbox = NatsMailbox::start(self.clone(), shared).await;
        Ok(Mailbox(MailboxInner::Nats(Box::new(mailbox))))
    }

    fn closed(&self, agency: &AgencyId) {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner).remove(agency);
    }

    pub(crate) async fn send(
        &self,
        from: &AgencyId,
        to: &AgencyId,
        lane: Lane,
        bytes: Bytes,
    ) -> Result<(), SendError> {
        // Without this the client would keep the message and the caller waiting until it times out.
        if !self.0.connection.is_up() {
            return Err(SendError::Unreachable("not connected".into()));
        }
        let (size, subject) = (bytes.len(), subject(from, to, lane));
        let mut pause = BUSY_PAUSE;
        loop {
            let message = PublishMessage::build().payload(bytes.clone());
            let sent = self.0.connection.jetstream.send_publish(subject.clone(), message).await;
            let acked = match sent {
                Ok(ack) => ack.await,
                Err(error) => Err(error),
            };
            match acked {
                Ok(_) => return Ok(()),
                Err(error) if is_busy(&error) && pause <= BUSY_PAUSE_MAX => {
                    tokio::time::sleep(pause).await;
                    pause = pause.mul_f32(1.5);
                }
                Err(error) => return Err(send_error(&error, size)),
            }
        }
    }

    pub(crate) async fn came_up(&self, times: u64) -> u64 {
        self.0.connection.again(times).await;
        self.0.connection.epoch()
    }

    pub(crate) fn status(&self) -> LinkStatus {
        let open = self.0.open.lock().unwrap_or_else(PoisonError::into_inner);
        LinkStatus {
            kind: LinkKind::Nats,
            connected: self.0.connection.is_up(),
            server: self.0.connection.server(),
            since: self.0.connection.since(),
            mailboxes: open.values().map(|shared| shared.status()).collect(),
        }
    }
}

/// Between attempts while the server has its hands full with one stream, because somebody floods it: it takes one in two
/// or three then, so some short pauses do, where a resend of the outbox would be seconds late.
const BUSY_PAUSE: Duration = Duration::from_millis(2);
/// The longest of them: ten attempts, a quarter of a second altogether. Then it is the outbox's turn, since others wait
/// for the same connection.
const BUSY_PAUSE_MAX: Duration = Duration::from_millis(100);

/// Whether the server has more waiting for this stream than it takes. The message was not stored.
fn is_busy(error: &jetstream::context::PublishError) -> bool {
    const TOO_MANY_REQUESTS: usize = 429;
    let source = std::error::Error::source(error);
    let refusal = source.and_then(|source| source.downcast_ref::<jetstream::Error>());
    refusal.is_some_and(|refusal| refusal.code() == TOO_MANY_REQUESTS)
}

/// Which kind of refusal a publish met. nats-server gives every refusal of its store the one code
/// 10077 and says only in words which limit it was, so there the words decide.
fn send_error(error: &jetstream::context::PublishError, bytes: usize) -> SendError {
    match error.kind() {
        PublishErrorKind::StreamNotFound => return SendError::NoMailbox,
        PublishErrorKind::MaxPayloadExceeded => return SendError::TooLarge { bytes },
        PublishErrorKind::WrongLastMessageId
        | PublishErrorKind::WrongLastSequence
        | PublishErrorKind::TimedOut
        | PublishErrorKind::BrokenPipe
        | PublishErrorKind::MaxAckPending
        | PublishErrorKind::Other => {}
    }
    let source =
        std::error::Error::source(error).and_then(|source| source.downcast_ref::<jetstream::Error>());
    match source.map(|refusal| (refusal.error_code(), refusal.to_string())) {
        Some((ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM, _)) => SendError::TooLarge { bytes },
        Some((ErrorCode::STREAM_STORE_FAILED, words)) if words.contains("maximum") => SendError::MailboxFull,
        Some((_, words)) => SendError::Unreachable(words),
        None => SendError::Unreachable(error.to_string()),
    }
}
