//! A node that runs: how it is started, and the written order in which it ends.

use crate::boot::{BootError, Booted, boot};
use crate::engine::admit::{Caps, Inboxes};
use crate::engine::complaints::Complaints;
use crate::engine::flow::Flow;
use crate::engine::group::{Group, Usual, Waiters};
use crate::engine::incoming::Waiting;
use crate::engine::left::Left;
use crate::engine::outgoing::{Dispatcher, Due};
use crate::engine::persist;
use crate::engine::queuer::{self, Applied, Queuer, ToQueues};
use crate::engine::run::Engine;
use crate::engine::sent::Sent;
use crate::engine::snapshot::Taker;
use crate::engine::{Clock, Handle, Records, gauges, greeting, incoming, news, outgoing, pressure};
use crate::grpc::desk::{CallTrace, Desk};
use crate::grpc::node_service::Ops;
use crate::grpc::server;
use lienthong_core::ids::AgencyId;
use lienthong_link::{EmbeddedConfig, EmbeddedLink, Link, NatsConfig, NatsLink};
use lienthong_runtime::config::LinkKind;
use lienthong_runtime::tasks::TaskFailure;
use lienthong_runtime::{Drain, DrainReport, Metrics, NodeConfig, OnEnd, Readiness, TaskGroup};
use lienthong_store::anchor::Anchor;
use lienthong_store::{Position, verify};
use lienthong_wire::verify::Verifier;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::net::TcpListener;
use tokio::sync::{Notify, Semaphore, mpsc, watch};
use tokio_util::sync::CancellationToken;

/// The agency node.
#[derive(Debug)]
pub struct Node;

/// A node that is up.
pub struct Running {
    /// Where it serves gRPC.
    pub address: SocketAddr,
    /// What an operator should know of the start.
    pub report: Arc<[String]>,
    tasks: TaskGroup,
    readiness: Readiness,
    grpc: Stop,
    engine: Stop,
    bound: Duration,
    _lock: lienthong_store::lock::DataLock,
}

/// How a part is told to end, and tells that it has.
#[derive(Clone, Default)]
struct Stop {
    asked: CancellationToken,
    done: CancellationToken,
}

impl Stop {
    /// Runs the part; however it ends, the end is told.
    async fn around<T>(self, part: impl Future<Output = T>) -> T {
        let _told = self.done.drop_guard();
        part.await
    }

    async fn stop(self) {
        self.asked.cancel();
        self.done.cancelled().await;
    }
}

/// Ends of the channels between the parts, made at once so that none is unbounded.
struct Channels {
    handle: Handle,
    arrivals: mpsc::Sender<crate::engine::events::Arrived>,
    left: Left,
    sent: Arc<Sent>,
}

impl Node {
    /// Brings a node up. `link` is made from the configuration when none is given, as a process with several nodes does.
    ///
    /// # Errors
    /// [`BootError`].
    pub async fn start(config: &NodeConfig, link: Option<Link>) -> Result<Running, BootError> {
        let clock = Clock::start();
        let cloned = config.clone();
        let booted = tokio::task::spawn_blocking(move || boot(&cloned, clock));
        let booted = booted.await.map_err(|e| BootError::Io { attempted: "start", source: e.into() })??;
        tracing::warn!("content is stored in clear until sealing exists: protect the data folder");
        booted.report.iter().for_each(|line| tracing::warn!(%line, "start report"));
        let link = match link {
            Some(link) => link,
            None => make_link(config).await?,
        };
        up(config, clock, booted, link).await
    }
}

async fn make_link(config: &NodeConfig) -> Result<Link, BootError> {
    let section = &config.link;
    Ok(match section.kind {
        LinkKind::Embedded => Link::Embedded(EmbeddedLink::new(EmbeddedConfig::default())),
        LinkKind::Nats => {
            let nats = NatsConfig {
                nkey_seed_file: section.nkey_seed_file.clone(),
                credentials_file: section.credentials_file.clone(),
                tls_ca: section.tls_ca.clone(),
                mailbox_bytes: section.mailbox_bytes,
                per_sender_messages: section.per_sender_messages,
                mailbox_replicas: section.mailbox_replicas.into(),
                ..NatsConfig::new(section.url.clone(), config.node.name.clone())
            };
            Link::Nats(NatsLink::connect(nats).await?)
        }
    })
}

async fn up(config: &NodeConfig, clock: Clock, booted: Booted, link: Link) -> Result<Running, BootError> {
    let io = |attempted| move |source| BootError::Io { attempted, source };
    let listener = TcpListener::bind(config.grpc.listen).await.map_err(io("listen for gRPC"))?;
    let address = listener.local_addr().map_err(io("listen for gRPC"))?;
    let (tasks, readiness) = (TaskGroup::new(), Readiness::new());
    let serving = readiness.latch("gRPC");
    let (grpc, engine) = (Stop::default(), Stop::default());
    let report: Arc<[String]> = booted.report.clone().into();
    let agencies: Vec<AgencyId> = booted.hosts.keys().cloned().collect();
    let (directory, directory_toml) = (booted.directory.clone(), booted.directory_toml.clone());
    let verifier = Arc::new(Verifier::new(booted.keys.clone()));
    let records = booted.records.clone();
    let greeters = agencies.clone();
    let unverified = booted.unverified_before;
    let pressure = booted.pressure.clone();
    let started = spawn_engine(config, clock, booted, &link, &tasks, engine.clone());
    let (channels, applied, latest, lock) = started.map_err(io("start a thread"))?;
    if let Some(before) = unverified {
        scrub(&tasks, config.node.data_dir.clone(), before).map_err(io("start a thread"))?;
    }
    let waiting = Waiting::new(channels.left.clone(), directory.clone(), channels.sent.clone());
    let opening = incoming::open_all(waiting.clone(), verifier.clone(), channels.arrivals.clone());
    on_the_side(&tasks, "verifying", opening);
    for agency in agencies {
        let opened = readiness.latch("mailboxes");
        let mailbox = link.open(&agency).await?;
        opened.open();
        let (waiting, ending) = (waiting.clone(), tasks.token());
        tasks.spawn(format!("mailbox of {agency}"), OnEnd::Fatal, async move {
            tokio::select! {
                () = incoming::read(mailbox, waiting) => {}
                () = ending.cancelled() => {}
            }
        });
    }
    let greeting = greeting::run(greeters, channels.handle.clone(), link.clone());
    let ending = tasks.token();
    tasks.spawn("greeting", OnEnd::Expected, async move {
        tokio::select! {
            () = greeting => {}
            () = ending.cancelled() => {}
        }
    });
    let desk = Desk {
        handle: channels.handle,
        records,
        applied,
        latest,
        directory,
        directory_toml,
        watchers: Arc::new(Semaphore::new(config.limits.watchers)),
        trace: CallTrace::default(),
        stop: grpc.asked.clone(),
    };
    let ops = Ops {
        desk: desk.clone(),
        link,
        readiness: readiness.clone(),
        node_name: config.node.name.as_str().into(),
        report: report.clone(),
        pressure,
        verifier,
        started_at_ms: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64,
    };
    let prepared = server::prepare(&config.grpc, listener, desk, ops, &readiness).await?;
    tasks.spawn("gRPC server", OnEnd::Fatal, grpc.clone().around(prepared.serve(grpc.asked.clone())));
    serving.open();
    let bound = config.limits.drain();
    Ok(Running { address, report, tasks, readiness, grpc, engine, bound, _lock: lock })
}

type Parts = (Channels, Applied, Arc<news::Hear>, lienthong_store::lock::DataLock);

/// The loop, the two threads beside it, and what sends.
fn spawn_engine(
    config: &NodeConfig,
    clock: Clock,
    booted: Booted,
    link: &Link,
    tasks: &TaskGroup,
    stop: Stop,
) -> std::io::Result<Parts> {
    let (events_in, events) = mpsc::channel(config.limits.commands_waiting);
    let (arrivals_in, arrivals) = mpsc::channel(incoming::WAITING);
    let (jobs, jobs_out) = std::sync::mpsc::sync_channel(1);
    let (persisted_in, persisted) = mpsc::channel(1);
    let (queue_rows, rows) = mpsc::channel(queuer::WAITING);
    let (dispatches, dispatched) = mpsc::channel(outgoing::WAITING);
    let end = booted.ledger.end_position();
    let (durable, durable_seen) = watch::channel(end);
    let (reached, reached_seen) = watch::channel(end);
    let pressure = booted.pressure.clone();
    let (watchers, latest) = news::channels(booted.hosts.iter().map(|(id, host)| (id, host.node.state())));

    let rows_wanted = Arc::new(Notify::new());
    let applied = Applied::new(reached_seen, durable_seen.clone(), rows_wanted.clone(), pressure.clone());
    let handle = Handle::new(events_in, stop.asked.clone());
    let listed = booted.directory.agencies.iter().map(|a| a.id.to_string());
    let metrics = Arc::new(Metrics::new(listed));
    let signers = booted.hosts.iter().map(|(id, h)| (id.clone(), h.signer.clone())).collect();
    let recent = booted.records.recent.clone();
    let (ledger, pressed) = (booted.ledger, pressure.clone());
    let reader = ledger.reader();
    let (heads, heads_seen) = watch::channel(Anchor::new());
    let ledger_ended = CancellationToken::new();
    let told = ledger_ended.clone().drop_guard();
    tasks.spawn_blocking("ledger", OnEnd::Fatal, move || {
        let _told = told;
        persist::run(ledger, &signers, &recent, &pressed, &jobs_out, (&persisted_in, &heads))
    })?;
    tasks.spawn("anchor", OnEnd::Expected, booted.anchor.run(heads_seen, ledger_ended));
    let queuer = Queuer {
        queues: booted.records.queues.clone(),
        reader,
        reached,
        durable: durable_seen,
        handle: handle.clone(),
        pressure: pressure.clone(),
        runtime: tokio::runtime::Handle::current(),
        wanted: rows_wanted.clone(),
    };
    tasks.spawn_blocking("queues", OnEnd::Fatal, move || queuer.run(rows))?;
    let sent = spawn_courier(tasks, &booted.records, &applied, link, &handle, &metrics, dispatched);
    on_the_side(tasks, "disk watch", pressure::watch(pressure.clone()));
    let since = (booted.replayed, booted.unverified_before.is_none().then_some(0));
    let snapshots = Taker::new(config.store.snapshot_every_records, since, handle.clone(), pressure.clone());
    let left = Left::new(config.link.mailbox_bytes);
    let engine = Engine {
        hosts: booted.hosts,
        clock,
        metrics,
        jobs,
        to_queues: ToQueues::new(queue_rows, rows_wanted, pressure.clone()),
        dispatches,
        durable,
        watchers,
        snapshots,
        commits: 0,
        group: Group::default(),
        usual: Usual::default(),
        committing: None,
        waiters: Waiters::default(),
        pressure,
        caps: Caps { inbox: config.limits.inbox_per_peer, outbox: config.limits.outbox_per_peer },
        inboxes: Inboxes::default(),
        left: left.clone(),
        complaints: Complaints::default(),
        attempts: booted.attempts,
    };
    let asked = stop.asked.clone();
    tasks.spawn("event loop", OnEnd::Fatal, stop.around(engine.run(events, arrivals, persisted, asked)));
    let channels = Channels { handle, arrivals: arrivals_in, left, sent };
    Ok((channels, applied, Arc::new(latest), booted.lock))
}

/// What sends, and what looks after it.
fn spawn_courier(
    tasks: &TaskGroup,
    records: &Records,
    applied: &Applied,
    link: &Link,
    handle: &Handle,
    metrics: &Arc<Metrics>,
    dispatched: mpsc::Receiver<Due>,
) -> Arc<Sent> {
    let sent = Arc::new(Sent::default());
    let dispatcher = Dispatcher {
        records: records.clone(),
        applied: applied.clone(),
        link: link.clone(),
        handle: handle.clone(),
        metrics: metrics.clone(),
        flow: Flow::new(),
        sent: sent.clone(),
    };
    tasks.spawn("dispatcher", OnEnd::Fatal, dispatcher.run(dispatched));
    on_the_side(tasks, "gauges", gauges::run(handle.clone(), link.clone(), metrics.clone()));
    on_the_side(tasks, "reconnects", outgoing::tell_reconnects(link.clone(), handle.clone(), sent.clone()));
    sent
}

/// Something that runs until the node ends and is not missed when it ends before.
fn on_the_side(tasks: &TaskGroup, name: &'static str, work: impl Future<Output = ()> + Send + 'static) {
    let ending = tasks.token();
    tasks.spawn(name, OnEnd::Expected, async move {
        tokio::select! {
            () = work => {}
            () = ending.cancelled() => {}
        }
    });
}

/// Verifies in the background what the snapshot spared the start. A fault stops the node and says where.
fn scrub(tasks: &TaskGroup, dir: PathBuf, before: Position) -> std::io::Result<()> {
    let (group, runtime) = (tasks.clone(), tokio::runtime::Handle::current());
    tasks.spawn_blocking("scrub", OnEnd::Expected, move || {
        if let Err(fault) = verify::verify_until(&dir, Some(before), |_, _| {}, |_| {}) {
            let _entered = runtime.enter();
            group.spawn("the ledger is damaged", OnEnd::Fatal, async move { Err(fault) });
        }
    })
}

impl Running {
    /// Waits until everything is up.
    pub async fn ready(&self) {
        let _ = self.readiness.wait().await;
    }

    /// Resolves when the node has to end by itself, with why.
    pub async fn failed(&self) -> Option<TaskFailure> {
        self.tasks.shutting_down().await
    }

    /// Ends in order: no new calls, calls in progress, the last commit, everything else. `at_once` cuts it short.
    pub async fn shutdown(self, at_once: impl Future) -> DrainReport {
        let Running { tasks, readiness, grpc, engine, bound, .. } = self;
        readiness.drain();
        // From here on a part that ends is no failure.
        tasks.shut_down();
        let third = bound / 3;
        Drain::new()
            .step("refuse new calls and finish those in progress", third, grpc.stop())
            .step("make the last commit durable", third, engine.stop())
            .step("end all tasks", third, async move {
                if let Err(still) = tasks.join(third).await {
                    tracing::error!(%still, "tasks did not end in time");
                }
            })
            .run(at_once)
            .await
    }
}
