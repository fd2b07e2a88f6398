//! The connection to NATS: it is kept up for ever, and says when it is not.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use async_nats::connection::State;
use async_nats::jetstream::{self, context::ContextBuilder};
use async_nats::{Client, ConnectOptions, Event, ServerAddr};
use tokio::sync::watch;
use tokio::time::Instant;

use super::NatsConfig;
use crate::{LinkError, ServerIdentity};

/// How long one request to the server may take. A new cluster leader needs several seconds.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a PubAck may take: behind all that was asked for ahead on a slow line, and a new cluster leader's time.
const PUBACK_TIMEOUT: Duration = Duration::from_secs(10);
/// Publishes waiting for their PubAck; more callers wait their turn, so memory is bounded.
const MAX_IN_FLIGHT: usize = 4096;
/// Finds a peer that went silent within half a minute.
const PING_INTERVAL: Duration = Duration::from_secs(10);
/// The first wait before connecting again, doubled each time.
const BACKOFF_MIN: Duration = Duration::from_millis(50);
/// The longest wait before connecting again: a server that is back is found within seconds.
const BACKOFF_MAX: Duration = Duration::from_secs(3);

/// How often to look for a connection whose event was dropped.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Whether the connection is up, how often it came up, and since when this is so.
#[derive(Clone, Copy)]
struct Up {
    connected: bool,
    epoch: u64,
    since: SystemTime,
}

#[derive(Clone)]
pub(super) struct Connection {
    pub(super) jetstream: jetstream::Context,
    pub(super) started: Instant,
    client: Client,
    up: watch::Receiver<Up>,
    server: Arc<Mutex<Option<ServerIdentity>>>,
}

impl Connection {
    pub(super) async fn start(config: &NatsConfig) -> Result<Self, LinkError> {
        let (up_tx, up) = watch::channel(Up { connected: false, epoch: 0, since: SystemTime::now() });
        let up_tx = Arc::new(up_tx);
        let options = options(config).await?.event_callback(move |event| {
            note(&up_tx, &event);
            std::future::ready(())
        });
        let servers =
            config.url.split(',').map(|url| url.trim().parse()).collect::<Result<Vec<ServerAddr>, _>>();
        let servers = servers.map_err(|e| LinkError::Config(format!("address {:?}: {e}", config.url)))?;
        let client = options.connect(servers).await.map_err(|e| LinkError::Config(e.to_string()))?;
        let jetstream = ContextBuilder::new()
            .timeout(REQUEST_TIMEOUT)
            .ack_timeout(PUBACK_TIMEOUT)
            .max_ack_inflight(MAX_IN_FLIGHT)
            .build(client.clone());
        Ok(Connection { jetstream, started: Instant::now(), client, up, server: Arc::default() })
    }

    /// Asks the client, not the events: it drops events when there are many.
    pub(super) fn is_up(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    pub(super) fn since(&self) -> SystemTime {
        self.up.borrow().since
    }

    /// How often the connection came up.
    pub(super) fn epoch(&self) -> u64 {
        self.up.borrow().epoch
    }

    /// Waits until the connection is up.
    pub(super) async fn ready(&self) {
        let mut up = self.up.clone();
        while !self.is_up() {
            // An event ends the wait at once; should it have been dropped, the wait ends all the same.
            if let Ok(Err(_)) = tokio::time::timeout(LOOK_EVERY, up.changed()).await {
                // The client is gone, as when the runtime shuts down.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Waits until the connection has come up another time than `epoch`.
    pub(super) async fn again(&self, epoch: u64) {
        let mut up = self.up.clone();
        if up.wait_for(|up| up.connected && up.epoch != epoch).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// The server last connected to. The client forgets it while it is away; an operator should not.
    pub(super) fn server(&self) -> Option<ServerIdentity> {
        let mut known = self.server.lock().unwrap_or_else(PoisonError::into_inner);
        let info = self.client.server_info();
        if !info.version.is_empty() {
            *known = Some(ServerIdentity {
                address: format!("{}:{}", info.host, info.port),
                version: info.version,
            });
        }
        known.clone()
    }
}

async fn options(config: &NatsConfig) -> Result<ConnectOptions, LinkError> {
    let good = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if config.node_name.is_empty() || !config.node_name.chars().all(good) {
        return Err(LinkError::Config(format!(
            "node name {:?} cannot be part of a subject",
            config.node_name
        )));
    }
    let mut options = ConnectOptions::new()
        .name(&config.node_name)
        .custom_inbox_prefix(format!("_INBOX_{}", config.node_name))
        .retry_on_initial_connect()
        .max_reconnects(None)
        .ping_interval(PING_INTERVAL)
        .connection_timeout(REQUEST_TIMEOUT)
        .reconnect_delay_callback(backoff);
    if let Some(file) = &config.nkey_seed_file {
        let seed = tokio::fs::read_to_string(file).await.map_err(unreadable("the nkey seed", file))?;
        options = options.nkey(seed.trim().to_owned());
    }
    if let Some(file) = &config.credentials_file {
        options = options.credentials_file(file).await.map_err(unreadable("the credentials", file))?;
    }
    if let Some(file) = &config.tls_ca {
        tokio::fs::metadata(file).await.map_err(unreadable("the TLS authority", file))?;
        options = options.add_root_certificates(file.clone()).require_tls(true);
    }
    Ok(options)
}

fn unreadable(what: &'static str, file: &Path) -> impl FnOnce(io::Error) -> LinkError {
    let file = file.display().to_string();
    move |e| LinkError::Credentials { what, source: io::Error::new(e.kind(), format!("{file}: {e}")) }
}

/// Doubling to a bound, and halved by chance, so that a province does not come back in one second.
fn backoff(attempt: usize) -> Duration {
    let doublings = attempt.saturating_sub(1).min(10);
    let wait = BACKOFF_MIN.saturating_mul(1 << doublings).min(BACKOFF_MAX);
    let chance = RandomState::new().hash_one(attempt) % 1000;
    wait / 2 + wait.mul_f64(chance as f64 / 2000.0)
}

fn note(up: &watch::Sender<Up>, event: &Event) {
    let connected = match event {
        Event::Connected => true,
        Event::Disconnected | Event::Closed => false,
        other => {
            tracing::warn!(event = %other, "nats event");
            return;
        }
    };
    up.send_modify(|up| {
        if up.connected != connected {
            up.since = SystemTime::now();
        }
        up.connected = connected;
        up.epoch += u64::from(connected);
    });
    tracing::info!(connected, "nats connection");
}
