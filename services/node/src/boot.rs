//! Coming up: lock the folder, read directory and keys, replay the ledger, bring the queues level with it.

mod anchor;
pub(crate) mod fill;
mod full;
mod replay;

use crate::engine::anchor::Keeper;
use crate::engine::phases::Phases;
use crate::engine::pressure::Pressure;
use crate::engine::{Clock, Host, Hosts, Records, recent::Recent};
use lienthong_core::custody::state::State;
use lienthong_core::delivery::courier::Timing;
use lienthong_core::directory::Directory;
use lienthong_core::ids::AgencyId;
use lienthong_core::node::Node;
use lienthong_runtime::NodeConfig;
use lienthong_store::attempts::Attempts;
use lienthong_store::lock::{DataLock, LockError};
use lienthong_store::queues::{Queues, QueuesError, QueuesReport};
use lienthong_store::{Config, Ledger, OpenError, Position, Space};
use lienthong_wire::directory::{DirectoryFaults, DirectoryFile};
use lienthong_wire::keys::{self, KeyFileError, KeyRing, Signer};
use lienthong_wire::statement::WireCodec;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why a node did not come up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BootError {
    /// The data folder is in use.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The directory file cannot be read.
    #[error("cannot read the directory {}", path.display())]
    DirectoryFile {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The directory file is wrong.
    #[error("the directory is wrong:\n{0}")]
    Directory(#[from] DirectoryFaults),
    /// A key file cannot be used.
    #[error("the key of {agency} cannot be used")]
    Key {
        /// Whose.
        agency: AgencyId,
        /// Why.
        #[source]
        source: KeyFileError,
    },
    /// An agency of the configuration is not in the directory, or not with this key.
    #[error("{agency} is not in the directory with key {key}: add the public key {public} to its entry")]
    NotListed {
        /// The agency.
        agency: String,
        /// Its key's id.
        key: String,
        /// Its public key.
        public: String,
    },
    /// The ledger cannot be opened.
    #[error(transparent)]
    Ledger(#[from] OpenError),
    /// The queues cannot be opened.
    #[error(transparent)]
    Queues(#[from] QueuesError),
    /// The ledger cannot be read while the queues are filled.
    #[error(transparent)]
    Store(#[from] lienthong_store::StoreError),
    /// A record of the ledger cannot be understood.
    #[error(transparent)]
    Record(#[from] lienthong_wire::record::RecordError),
    /// What the records led to is impossible.
    #[error("invariant {invariant} does not hold after the replay: {what}")]
    Invariant {
        /// Its id.
        invariant: &'static str,
        /// What is wrong.
        what: &'static str,
    },
    /// A restore into this folder was cut off before the ledger was there.
    #[error(
        "a restore into {} was begun and not finished: run `lienthong restore BACKUP --data {}` again",
        .0.display(), .0.display()
    )]
    RestoreUnfinished(PathBuf),
    /// There is no place for the anchor.
    #[error("{} has no name to put the anchor beside: give node.anchor", .0.display())]
    NoAnchorFolder(PathBuf),
    /// The anchor cannot be read or written.
    #[error(
        "cannot keep the anchor in {}: make the folder and give it to the node's user, or set node.anchor",
        dir.display()
    )]
    Anchor {
        /// Its folder.
        dir: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A recovery could not be begun.
    #[error("the recovery of {agency} cannot be begun: LT{}", reason.number())]
    Recover {
        /// Whose.
        agency: AgencyId,
        /// Why.
        reason: lienthong_core::reason::Reason,
    },
    /// There is no room on the disk for what a start has to write.
    #[error(
        "the disk of {} is full, with {left} bytes left: give it room and start again. Nothing that was acknowledged is lost", dir.display()
    )]
    DiskFull {
        /// The data folder.
        dir: PathBuf,
        /// What may still be taken, in bytes.
        left: u64,
        /// What failed.
        #[source]
        source: Box<BootError>,
    },
    /// Something about the process: a thread, a socket.
    #[error("cannot {attempted}")]
    Io {
        /// What was attempted.
        attempted: &'static str,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The gRPC services could not be set up.
    #[error("cannot set up gRPC: {0}")]
    Grpc(String),
    /// The link could not be set up.
    #[error(transparent)]
    Link(#[from] lienthong_link::LinkError),
}

/// Everything that a running node is made of.
pub(crate) struct Booted {
    pub(crate) lock: DataLock,
    pub(crate) hosts: Hosts,
    pub(crate) ledger: Ledger,
    pub(crate) records: Records,
    pub(crate) directory: Arc<DirectoryFile>,
    pub(crate) directory_toml: Arc<str>,
    pub(crate) keys: Arc<KeyRing>,
    pub(crate) anchor: Keeper,
    /// What an operator should know about this start.
    pub(crate) report: Vec<String>,
    /// Records replayed after the snapshot.
    pub(crate) replayed: u64,
    /// Everything before this was verified by an earlier start, and is left to the scrub.
    pub(crate) unverified_before: Option<Position>,
    pub(crate) pressure: Arc<Pressure>,
    pub(crate) attempts: Attempts,
}

/// Brings the store of a node up.
pub(crate) fn boot(config: &NodeConfig, clock: Clock) -> Result<Booted, BootError> {
    bring_up(config, clock).map_err(|error| full::explain(&space(config), error))
}

fn bring_up(config: &NodeConfig, clock: Clock) -> Result<Booted, BootError> {
    let lock = DataLock::acquire(&config.node.data_dir, &config.node.name)?;
    let (directory_toml, directory) = read_directory(&config.node.directory)?;
    let signers = signers(config, &directory)?;
    let store = store_config(config);
    let mut report = Vec::new();

    let marker = anchor::marker(&store.dir)?;
    let (queues, found) = Queues::open(&store)?;
    if let QueuesReport::Rebuilding { why, moved_to } = &found {
        report.push(format!(
            "queues rebuilt from the ledger: {why}; the damaged ones are in {}",
            moved_to.display()
        ));
    }
    let queues = Arc::new(queues);
    let replayed = replay::replay(&store, signers.keys(), &mut report)?;
    for state in replayed.states.values() {
        state.check().map_err(|v| BootError::Invariant { invariant: v.invariant, what: v.what })?;
    }
    fill::fill(&queues, &replayed.standing(), &mut report)?;

    let mut hosts = hosts(config, &directory, signers, (replayed.states, &replayed.ledger), clock)?;
    let anchor = anchor::judge(config, marker, &replayed.ledger, &mut hosts, (clock, &mut report))?;
    let attempts = Attempts::open(&config.node.data_dir);
    let attempts =
        attempts.map_err(|source| BootError::Io { attempted: "open the count of attempts", source })?;
    let pressure = Pressure::new(space(config));
    pressure.log(replayed.ledger.footing());
    let records = Records { reader: replayed.ledger.reader(), queues, recent: Arc::new(Recent::new()) };
    let keys = Arc::new(KeyRing::of(&directory));
    Ok(Booted {
        lock,
        hosts,
        ledger: replayed.ledger,
        records,
        directory: Arc::new(directory),
        directory_toml,
        keys,
        anchor,
        report,
        replayed: replayed.records,
        unverified_before: replayed.from,
        pressure,
        attempts,
    })
}

/// What makes a fence of this start differ from those of any other.
fn drawn() -> Result<lienthong_core::recovery::Nonce, BootError> {
    let mut nonce = [0; 16];
    getrandom::fill(&mut nonce).map_err(|e| BootError::Io {
        attempted: "draw a nonce",
        source: std::io::Error::other(e.to_string()),
    })?;
    Ok(nonce)
}

/// A node of each agency, as the replay left it.
fn hosts(
    config: &NodeConfig,
    directory: &DirectoryFile,
    signers: BTreeMap<AgencyId, Signer>,
    (mut states, ledger): (BTreeMap<AgencyId, State>, &Ledger),
    clock: Clock,
) -> Result<Hosts, BootError> {
    let core: Arc<Directory> = Arc::new(directory.to_core());
    let timing = Timing {
        resend_first_ms: config.delivery.resend_first_ms,
        resend_max_ms: config.delivery.resend_max_ms,
        window: config.delivery.window as usize,
    };
    let mut hosts = Hosts::new();
    for (agency, signer) in signers {
        let head = ledger.head(&agency);
        let parts = (WireCodec, core.clone(), timing);
        let node = match states.remove(&agency) {
            Some(state) if head.size > 0 => Node::recover(state, [], head, parts, clock.now()),
            _ => Node::open(agency.clone(), WireCodec, core.clone(), timing, clock.now()),
        };
        let node = node.with_quarantine_of(config.limits.quarantine_per_peer).with_nonce(drawn()?);
        let name = directory.agency(&agency).map_or_else(String::new, |a| a.name.clone());
        let phases = Phases::of(node.state());
        hosts.insert(agency, Host { node, name, cause: None, recovery: None, signer, phases });
    }
    Ok(hosts)
}

fn read_directory(path: &Path) -> Result<(Arc<str>, DirectoryFile), BootError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| BootError::DirectoryFile { path: path.to_owned(), source })?;
    let directory = DirectoryFile::parse(&text)?;
    Ok((text.into(), directory))
}

fn signers(config: &NodeConfig, directory: &DirectoryFile) -> Result<BTreeMap<AgencyId, Signer>, BootError> {
    let mut signers = BTreeMap::new();
    for section in &config.node.agencies {
        let not_listed = |key: &str, public: String| BootError::NotListed {
            agency: section.id.clone(),
            key: key.to_owned(),
            public,
        };
        let agency = AgencyId::parse(&section.id).ok_or_else(|| not_listed("?", "?".into()))?;
        let key = keys::load(&section.key_file)
            .map_err(|source| BootError::Key { agency: agency.clone(), source })?;
        let listed = directory
            .agency(&agency)
            .is_some_and(|entry| entry.keys.iter().any(|k| k.id == key.id() && k.public == key.public()));
        if !listed {
            let public = key.public().iter().map(|b| format!("{b:02x}")).collect();
            return Err(not_listed(key.id(), public));
        }
        signers.insert(agency, Signer::new(key));
    }
    Ok(signers)
}

/// What the data folder may take.
pub(crate) fn space(config: &NodeConfig) -> Space {
    Space {
        dir: config.node.data_dir.clone(),
        limit_bytes: Some(config.store.disk_limit_bytes).filter(|limit| *limit > 0),
        reserve_bytes: config.store.disk_reserve_bytes,
    }
}

fn store_config(config: &NodeConfig) -> Config {
    Config {
        dir: config.node.data_dir.clone(),
        segment_bytes: config.store.segment_bytes,
        queue_cache_bytes: config.store.queue_cache_bytes,
        space: Some(space(config)),
    }
}

/// What [`fsck`] found and did.
#[derive(Debug)]
pub struct Fsck {
    /// What an operator should know: a cut tail, damaged queues.
    pub report: Vec<String>,
    /// Records in the ledger.
    pub records: u64,
    /// Each agency with its ledger's size.
    pub agencies: Vec<(AgencyId, u64)>,
    /// Rows that the queues have now.
    pub rows: u64,
}

/// Replays the whole ledger below `dir`, checks every invariant, and fills the queues anew from it. No node may be
/// running on the folder.
///
/// # Errors
/// [`BootError`]: the folder is in use, or the ledger has a fault, which is named with its place.
pub fn fsck(dir: &Path) -> Result<Fsck, BootError> {
    let _lock = DataLock::acquire(dir, "fsck")?;
    let store = Config::new(dir);
    let (queues, _) = Queues::open(&store)?;
    queues.reset("fsck")?;
    let mut report = Vec::new();
    let replayed = replay::whole(&store, &mut report)?;
    for state in replayed.states.values() {
        state.check().map_err(|v| BootError::Invariant { invariant: v.invariant, what: v.what })?;
    }
    fill::fill(&queues, &replayed.standing(), &mut report)?;
    queues.flush()?;
    let agencies = replayed.ledger.heads().map(|(a, h)| (a.clone(), h.size)).collect();
    Ok(Fsck { report, records: replayed.records, agencies, rows: queues.rows() })
}
