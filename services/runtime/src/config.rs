//! The configuration of a node: one TOML file and the environment over it, typed, and judged as a whole.
//!
//! Every fault of syntax, key, type and meaning is reported in one listing, so that an operator edits the file once.
//! Nothing here opens a port. The reasons of the limits are in `config/default.toml`, which is what
//! `--print-default-config` prints.

mod check;
mod fault;
mod overlay;
mod template;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use fault::{Fault, Faults, Text};

/// Everything a node process is told at start.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NodeConfig {
    /// Who the node is and whom it hosts.
    pub node: NodeSection,
    /// The gRPC door for local software.
    pub grpc: GrpcSection,
    /// How envelopes travel to other nodes.
    pub link: LinkSection,
    /// The ledger and the queues.
    pub store: StoreSection,
    /// Resending and windows.
    pub delivery: DeliverySection,
    /// Logs, traces, metrics.
    pub telemetry: TelemetryConfig,
    /// Numbers that keep the process bounded.
    pub limits: LimitsSection,
}

/// `[node]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NodeSection {
    /// The name in logs, traces and metrics.
    pub name: String,
    /// The data folder: ledger, queues, lock.
    pub data_dir: PathBuf,
    /// The folder of the anchor, which tells an old copy of the data folder from the latest state. Beside the data
    /// folder when it is not given: see [`NodeSection::anchor_dir`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub anchor: Option<PathBuf>,
    /// The directory file: agencies, keys, who may hand to whom.
    pub directory: PathBuf,
    /// The agencies this process hosts. Empty by default, and refused when empty.
    pub agencies: Vec<AgencySection>,
}

/// One entry of `agencies` in `[node]`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AgencySection {
    /// The stable id of the agency in the directory: lower-case letters, digits and hyphens, no dots.
    pub id: String,
    /// The private signing key; readable by the owner only.
    pub key_file: PathBuf,
}

/// `[grpc]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GrpcSection {
    /// The address to listen on.
    pub listen: SocketAddr,
    /// Allows an address beyond loopback without TLS.
    pub plaintext_ok: bool,
    /// PEM certificate chain of the server; together with `tls_key`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_certificate: Option<PathBuf>,
    /// PEM private key of the server; together with `tls_certificate`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_key: Option<PathBuf>,
    /// PEM certificates of the authorities that may vouch for clients (mTLS); needs the two above.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_client_ca: Option<PathBuf>,
    /// Largest request, in bytes.
    pub max_message_bytes: usize,
}

/// Which link carries envelopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LinkKind {
    /// NATS JetStream.
    Nats,
    /// In process; reaches only agencies of the same process.
    Embedded,
}

/// `[link]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LinkSection {
    /// Which link.
    pub kind: LinkKind,
    /// NATS servers, separated by commas; `nats://` or `tls://`.
    pub url: String,
    /// Seed of the nkey with which the node logs in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nkey_seed_file: Option<PathBuf>,
    /// Credentials file (JWT and seed) with which the node logs in; instead of `nkey_seed_file`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credentials_file: Option<PathBuf>,
    /// PEM certificates of the authority of the NATS servers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_ca: Option<PathBuf>,
    /// Size of one agency's mailbox stream, in bytes.
    pub mailbox_bytes: u64,
    /// Messages that one sender may have waiting in a mailbox, per kind.
    pub per_sender_messages: u64,
    /// Servers of a NATS cluster that keep a mailbox.
    pub mailbox_replicas: u8,
}

/// `[store]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreSection {
    /// Size of a ledger segment, in bytes.
    pub segment_bytes: u64,
    /// Page cache of the queues, in bytes.
    pub queue_cache_bytes: u64,
    /// Records between two snapshots.
    pub snapshot_every_records: u64,
    /// What the data folder may take, in bytes; 0 for all that the disk has.
    pub disk_limit_bytes: u64,
    /// Room that only statements which finish something may use, in bytes.
    pub disk_reserve_bytes: u64,
}

/// `[delivery]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeliverySection {
    /// Wait before the first resend, in milliseconds.
    pub resend_first_ms: u64,
    /// Longest wait between resends, in milliseconds.
    pub resend_max_ms: u64,
    /// Unreceipted statements allowed per peer.
    pub window: u32,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people and the journal.
    Text,
    /// One JSON object a line.
    Json,
}

/// `[telemetry]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TelemetryConfig {
    /// How log lines look.
    pub log_format: LogFormat,
    /// A level, or a filter such as `info,lienthong_link=debug`. Libraries log `info` at the most: below that they print
    /// what they carry, which is people's data.
    pub log_level: String,
    /// OTLP/gRPC collector, `http://host:port`. Without it nothing is exported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub otlp_endpoint: Option<String>,
    /// The service name in traces and metrics.
    pub service_name: String,
}

/// `[limits]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsSection {
    /// Commands waiting for the loop before new ones are refused.
    pub commands_waiting: usize,
    /// Quarantined messages kept per peer.
    pub quarantine_per_peer: usize,
    /// Undecided offers that one peer may have in an inbox.
    pub inbox_per_peer: usize,
    /// Statements that may wait for one peer before nothing new is offered to it.
    pub outbox_per_peer: usize,
    /// The whole shutdown, in milliseconds.
    pub drain_ms: u64,
    /// Open WatchInbox streams.
    pub watchers: usize,
}

impl Default for NodeSection {
    fn default() -> Self {
        Self {
            name: "node".to_owned(),
            data_dir: "/var/lib/lienthong".into(),
            anchor: None,
            directory: "/etc/lienthong/directory.toml".into(),
            agencies: Vec::new(),
        }
    }
}

impl Default for GrpcSection {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 7443)),
            plaintext_ok: false,
            tls_certificate: None,
            tls_key: None,
            tls_client_ca: None,
            max_message_bytes: 1 << 20,
        }
    }
}

impl Default for LinkSection {
    fn default() -> Self {
        Self {
            kind: LinkKind::Nats,
            url: "nats://127.0.0.1:4222".to_owned(),
            nkey_seed_file: None,
            credentials_file: None,
            tls_ca: None,
            mailbox_bytes: 64 << 20,
            per_sender_messages: 4096,
            mailbox_replicas: 1,
        }
    }
}

impl Default for StoreSection {
    fn default() -> Self {
        Self {
            segment_bytes: 64 << 20,
            queue_cache_bytes: 64 << 20,
            snapshot_every_records: 100_000,
            disk_limit_bytes: 0,
            disk_reserve_bytes: 256 << 20,
        }
    }
}

impl Default for DeliverySection {
    fn default() -> Self {
        Self { resend_first_ms: 1000, resend_max_ms: 300_000, window: 512 }
    }
}

impl Default for TelemetryConfig {
    fn default() -> Self {
        Self {
            log_format: LogFormat::Text,
            log_level: "info".to_owned(),
            otlp_endpoint: None,
            service_name: "lienthong".to_owned(),
        }
    }
}

impl Default for LimitsSection {
    fn default() -> Self {
        Self {
            commands_waiting: 1024,
            quarantine_per_peer: 256,
            inbox_per_peer: 200_000,
            outbox_per_peer: 200_000,
            drain_ms: 10_000,
            watchers: 256,
        }
    }
}

impl NodeSection {
    /// The folder of the anchor: `anchor`, or the data folder's name with `.anchor` behind it. `None` where the data
    /// folder has no name to add to.
    pub fn anchor_dir(&self) -> Option<PathBuf> {
        self.anchor.clone().or_else(|| {
            let mut name = self.data_dir.file_name()?.to_owned();
            name.push(".anchor");
            Some(self.data_dir.with_file_name(name))
        })
    }
}

impl GrpcSection {
    /// True when a certificate and a key are given.
    pub fn has_tls(&self) -> bool {
        self.tls_certificate.is_some() && self.tls_key.is_some()
    }
}

impl DeliverySection {
    /// `resend_first_ms` as a duration.
    pub fn resend_first(&self) -> Duration {
        Duration::from_millis(self.resend_first_ms)
    }

    /// `resend_max_ms` as a duration.
    pub fn resend_max(&self) -> Duration {
        Duration::from_millis(self.resend_max_ms)
    }
}

impl LimitsSection {
    /// `drain_ms` as a duration.
    pub fn drain(&self) -> Duration {
        Duration::from_millis(self.drain_ms)
    }
}

/// The variables of this process that may be keys, for [`NodeConfig::load`].
pub fn environment() -> Vec<(String, String)> {
    // Not `std::env::vars`, which panics when any variable of the process is not Unicode.
    let text = |value: std::ffi::OsString| value.to_string_lossy().into_owned();
    let all = std::env::vars_os().map(|(name, value)| (text(name), text(value)));
    all.filter(|(name, _)| name.starts_with(overlay::PREFIX)).collect()
}

impl NodeConfig {
    /// Reads the file, lays the environment over it ([`environment`] in a process) and judges the whole, including
    /// that the files it names are there and that private keys are private. Relative paths count from the folder of the
    /// file.
    pub fn load(file: &Path, env: impl IntoIterator<Item = (String, String)>) -> Result<Self, Faults> {
        let text = match std::fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) => return Err(Faults::new(vec![fault::unreadable(file, &error)])),
        };
        let overlay::Read { mut config, mut faults, is_whole } = overlay::read(&text, env);
        config.resolve_paths(file.parent().unwrap_or(Path::new("")));
        if is_whole {
            check::meaning(&config, &mut faults);
            check::files(&config, &mut faults);
        }
        Faults::none_or(faults, config)
    }

    /// The same from a text, without looking at the files it names.
    pub fn parse(text: &str, env: impl IntoIterator<Item = (String, String)>) -> Result<Self, Faults> {
        let overlay::Read { config, mut faults, is_whole } = overlay::read(text, env);
        if is_whole {
            check::meaning(&config, &mut faults);
        }
        Faults::none_or(faults, config)
    }

    /// The complete file with every default, its limits explained. Reads back as `NodeConfig::default()`; to run, it
    /// still needs at least one agency.
    pub fn default_toml() -> String {
        template::TEXT.to_owned()
    }

    fn resolve_paths(&mut self, base: &Path) {
        let fixed = [&mut self.node.data_dir, &mut self.node.directory];
        let optional = [
            &mut self.node.anchor,
            &mut self.grpc.tls_certificate,
            &mut self.grpc.tls_key,
            &mut self.grpc.tls_client_ca,
            &mut self.link.nkey_seed_file,
            &mut self.link.credentials_file,
            &mut self.link.tls_ca,
        ];
        let keys = self.node.agencies.iter_mut().map(|agency| &mut agency.key_file);
        for path in fixed.into_iter().chain(optional.into_iter().flatten()).chain(keys) {
            // An empty path is a fault of its own and must not turn into the folder.
            if !path.as_os_str().is_empty() {
                *path = base.join(&path);
            }
        }
    }
}

#[cfg(test)]
mod tests;
