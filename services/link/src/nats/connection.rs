//! The connection to NATS: it is kept up for ever, and says when it is not.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use async_nats::jetstream::{self, context::ContextBuilder};
use async_nats::{Client, ConnectOptions, Event, ServerAddr};
use tokio::sync::watch;

use super::NatsConfig;
use crate::{LinkError, ServerIdentity};

/// How long one request to the server may take. A new cluster leader needs several seconds.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// Publishes waiting for their PubAck; more callers wait their turn, so memory is bounded.
const MAX_IN_FLIGHT: usize = 4096;
/// Finds a peer that went silent within half a minute.
const PING_INTERVAL: Duration = Duration::from_secs(10);
/// The first wait before connecting again, doubled each time.
const BACKOFF_MIN: Duration = Duration::from_millis(50);
/// The longest wait before connecting again: a server that is back is found within seconds.
const BACKOFF_MAX: Duration = Duration::from_secs(3);

/// Whether the connection is up, how often it came up, and since when this is so.
#[derive(Clone, Copy)]
pub(super) struct Up {
    pub(super) connected: bool,
    pub(super) epoch: u64,
    since: SystemTime,
}

#[derive(Clone)]
pub(super) struct Connection {
    pub(super) jetstream: jetstream::Context,
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
            .ack_timeout(REQUEST_TIMEOUT)
            .max_ack_inflight(MAX_IN_FLIGHT)
            .build(client.clone());
        Ok(Connection { jetstream, client, up, server: Arc::default() })
    }

    pub(super) fn is_up(&self) -> bool {
        self.up.borrow().connected
    }

    pub(super) fn since(&self) -> (bool, SystemTime) {
        let up = *self.up.borrow();
        (up.connected, up.since)
    }

    /// To wait for a change with.
    pub(super) fn watch(&self) -> watch::Receiver<Up> {
        self.up.clone()
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

/// Nothing before the first attempt, then doubling to a bound.
fn backoff(attempt: usize) -> Duration {
    match attempt {
        0 | 1 => Duration::ZERO,
        n => BACKOFF_MIN.saturating_mul(1 << (n - 2).min(10)).min(BACKOFF_MAX),
    }
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
