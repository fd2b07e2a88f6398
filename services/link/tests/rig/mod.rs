//! What the link tests share: a link of either kind, bounded waits, and words for sending and receiving.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use lienthong_core::ids::AgencyId;
use lienthong_link::server::{NatsServer, StartOptions};
use lienthong_link::{
    Delivery, EmbeddedConfig, EmbeddedLink, Lane, Link, Mailbox, MailboxStatus, NatsConfig, NatsLink,
    SendError,
};
use tempfile::TempDir;

/// No wait in these tests is longer; all but the watchdog's end within a second or two.
const BOUND: Duration = Duration::from_secs(60);

/// How much a mailbox holds in a test.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) bytes: u64,
    pub(crate) per_sender: u64,
}

pub(crate) const ROOMY: Limits = Limits { bytes: 64 << 20, per_sender: 5000 };

/// A link, and the server behind it if there is one.
pub(crate) struct Rig {
    pub(crate) link: Link,
    pub(crate) server: Option<NatsServer>,
    _dir: Option<TempDir>,
}

pub(crate) fn embedded(limits: Limits) -> Rig {
    let config = EmbeddedConfig { mailbox_bytes: limits.bytes, per_sender_messages: limits.per_sender };
    Rig { link: Link::Embedded(EmbeddedLink::new(config)), server: None, _dir: None }
}

/// `None`, loudly, where there is no nats-server; with CI=true that is a failure.
pub(crate) async fn nats(limits: Limits) -> Option<Rig> {
    let (server, dir) = server().await?;
    let link = connect(&server.url(), limits).await;
    until("the first connection", async || link.status().connected).await;
    Some(Rig { link, server: Some(server), _dir: Some(dir) })
}

pub(crate) async fn server() -> Option<(NatsServer, TempDir)> {
    server_with(|_| ()).await
}

/// A server started otherwise than by default.
pub(crate) async fn server_with(change: impl FnOnce(&mut StartOptions)) -> Option<(NatsServer, TempDir)> {
    let Some(binary) = NatsServer::find() else {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "nats-server is missing, and CI=true");
        eprintln!("SKIPPED: no nats-server found; run deploy/fetch-nats.sh");
        return None;
    };
    let dir = tempfile::tempdir().expect("a folder");
    let mut options = StartOptions::new(binary, dir.path().join("nats"));
    change(&mut options);
    let server = NatsServer::start(options).await.expect("a server");
    Some((server, dir))
}

pub(crate) async fn connect(url: &str, limits: Limits) -> Link {
    let config = NatsConfig {
        mailbox_bytes: limits.bytes,
        per_sender_messages: limits.per_sender,
        ..NatsConfig::new(url, "test-node")
    };
    Link::Nats(NatsLink::connect(config).await.expect("a good configuration"))
}

/// Waits for a future, within the bound.
pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(BOUND, future).await.unwrap_or_else(|_| panic!("waited too long for {what}"))
}

/// Waits until a condition holds, within the bound.
pub(crate) async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    within(what, async {
        let mut look = tokio::time::interval(Duration::from_millis(10));
        while !condition().await {
            look.tick().await;
        }
    })
    .await;
}

pub(crate) fn id(text: &str) -> AgencyId {
    AgencyId::parse(text).expect("a good id")
}

impl Rig {
    pub(crate) async fn open(&self, agency: &str) -> Mailbox {
        within("a mailbox", self.link.open(&id(agency))).await.expect("not open yet")
    }

    pub(crate) async fn send(
        &self,
        from: &str,
        to: &str,
        lane: Lane,
        bytes: impl Into<Bytes>,
    ) -> Result<(), SendError> {
        within("an answer to a send", self.link.send(&id(from), &id(to), lane, bytes.into())).await
    }

    /// Sends again and again until the courier takes it.
    pub(crate) async fn send_until_taken(&self, from: &str, to: &str, text: &'static str) {
        until("a send to be taken", async || self.send(from, to, Lane::Offer, text).await.is_ok()).await;
    }

    pub(crate) fn mailbox(&self, agency: &str) -> MailboxStatus {
        let status = self.link.status();
        status.mailboxes.into_iter().find(|m| m.agency == id(agency)).expect("an open mailbox")
    }

    pub(crate) fn server(&mut self) -> &mut NatsServer {
        self.server.as_mut().expect("a rig with a server")
    }
}

/// The next `count` deliveries, at least.
pub(crate) async fn receive(mailbox: &mut Mailbox, count: usize) -> Vec<Delivery> {
    let mut all = Vec::new();
    while all.len() < count {
        all.extend(within("a delivery", mailbox.next()).await.expect("an open mailbox"));
    }
    all
}

/// Receives and acknowledges; the texts in order of arrival.
pub(crate) async fn take(mailbox: &mut Mailbox, count: usize) -> Vec<String> {
    let deliveries = receive(mailbox, count).await;
    deliveries.into_iter().map(settle).collect()
}

pub(crate) fn text(delivery: &Delivery) -> String {
    String::from_utf8(delivery.bytes.to_vec()).expect("a text")
}

fn settle(delivery: Delivery) -> String {
    let text = text(&delivery);
    delivery.ack.ack();
    text
}
