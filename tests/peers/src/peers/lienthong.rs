//! Liên Thông: two agencies in two processes of the product's binary over a nats-server with its default sync, called
//! over gRPC, with one call for all acts over each connection.
//!
//! A hand-over is an OFFER: durable in the giver's ledger when the producer is told, received durably in the receiver's
//! when its consumer is told, who watches the inbox. Or ([`End::Receipt`]) one step more: until the signed receipt is
//! durable at the giver, who waited for it. The dossiers are taken in before.

use super::jetstream::{nats_server, or_why};
use crate::load::{Expected, Load, Measured, PAYLOAD, Peer, message};
use crate::server::{self, Server, free_port};
use anyhow::Context;
use lienthong_proto::acts::{Act, Acts};
use lienthong_proto::v1;
use lienthong_proto::v1::dossier_service_client::DossierServiceClient;
use lienthong_proto::v1::node_service_client::NodeServiceClient;
use nix::sys::signal::Signal;
use std::collections::VecDeque;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::process::Command;
use tokio::task::JoinSet;
use tonic::transport::{Channel, Endpoint};

const GIVER: &str = "ben-giao";
const RECEIVER: &str = "ben-nhan";
/// Connections of the caller: as many as the pool of a provincial system.
const CONNECTIONS: u64 = 4;
/// Dossiers prepared for a second; a measurement that uses them up ends early and counts the time it took.
const PREPARED_PER_SECOND: u64 = 25_000;
/// With few under way, a second cannot use up more than these for each of them.
const PREPARED_PER_FLIGHT: u64 = 3_000;
/// Intakes under way while dossiers are prepared.
const INTAKES: u64 = 256;

/// When a hand-over ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The receiver's consumer has it, and it is acknowledged in the receiver's ledger.
    Consumer,
    /// The giver has the receipt in its ledger.
    Receipt,
}

struct Lienthong {
    end: End,
    /// By dossier.
    expected: Arc<Expected<String>>,
    calls: Vec<Arc<Acts>>,
    client: DossierServiceClient<Channel>,
    dossiers: Mutex<VecDeque<String>>,
    taken_in: AtomicU64,
}

pub(super) async fn measure(
    dir: &Path,
    binary: &Path,
    load: Load<'_>,
    end: End,
) -> anyhow::Result<Vec<Measured>> {
    let (nats, url) = nats_server(dir, "").await?;
    write_directory(dir, binary).await?;
    let (receiver, receives_at) = start_node(dir, binary, RECEIVER, &url).await?;
    let (giver, at) = start_node(dir, binary, GIVER, &url).await?;
    let client = DossierServiceClient::new(at.connect().await?);
    let mut calls = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut client = DossierServiceClient::new(at.connect().await?);
        calls.push(Arc::new(Acts::open(&mut client).await?));
    }
    let expected = Arc::new(Expected::default());
    let consuming = match end {
        End::Consumer => tokio::spawn(consume(receives_at.connect().await?, expected.clone())),
        End::Receipt => tokio::spawn(std::future::pending()),
    };
    let (dossiers, taken_in) = (Mutex::default(), AtomicU64::new(0));
    let peer = Lienthong { end, expected, calls, client, dossiers, taken_in };
    let measured = or_why(load.run(Arc::new(peer)).await, consuming).await;
    giver.stop().await;
    receiver.stop().await;
    nats.stop().await;
    measured
}

/// What an officer's software does: it watches the inbox, in which nothing stands that is not durable and signed for.
async fn consume(channel: Channel, expected: Arc<Expected<String>>) -> anyhow::Result<()> {
    let request = v1::WatchInboxRequest { agency: RECEIVER.into(), after: None };
    let mut events = DossierServiceClient::new(channel).watch_inbox(request).await?.into_inner();
    while let Some(next) = events.message().await? {
        let event = next.event.context("an answer without an event")?;
        if event.kind() == v1::InboxEventKind::Offered {
            expected.acknowledged(&event.dossier_id);
        }
    }
    anyhow::bail!("the inbox is watched no more")
}

/// Keys of both, and the directory that names them.
async fn write_directory(dir: &Path, binary: &Path) -> anyhow::Result<()> {
    let mut text = "version = 1\nepoch = 1\nname = \"bench-peers\"\n\
        [authority]\nid = \"tinh\"\nname = \"Tỉnh\"\nkeys = []\n\
        [[allow]]\nfrom = \"*\"\nto = \"*\"\nprocedures = [\"*\"]\n"
        .to_owned();
    for (n, id) in [GIVER, RECEIVER].into_iter().enumerate() {
        let mut generate = Command::new(binary);
        generate.args(["keys", "generate", "--json", "--id", &format!("{id}.1"), "--out"]);
        generate.arg(dir.join(format!("{id}.key")));
        let key: serde_json::Value = serde_json::from_str(&server::run(generate).await?)?;
        let public = key["public"].as_str().context("a public key")?;
        text += &format!(
            "[[agency]]\nid = \"{id}\"\ncode = \"Z01.{n}\"\ncode_is_example = true\nname = \"{id}\"\nlevel = \"commune\"\n\
             keys = [{{ id = \"{id}.1\", public = \"{public}\" }}]\n"
        );
    }
    Ok(std::fs::write(dir.join("directory.toml"), text)?)
}

/// A node with every setting at its default.
async fn start_node(
    dir: &Path,
    binary: &Path,
    id: &'static str,
    nats: &str,
) -> anyhow::Result<(Server, Endpoint)> {
    let port = free_port()?;
    let config = dir.join(format!("{id}.toml"));
    let text = format!(
        "[node]\nname = \"{id}\"\ndata_dir = \"{id}\"\ndirectory = \"directory.toml\"\n\
         agencies = [{{ id = \"{id}\", key_file = \"{id}.key\" }}]\n\
         [grpc]\nlisten = \"127.0.0.1:{port}\"\n[link]\nurl = \"{nats}\"\n"
    );
    std::fs::write(&config, text)?;
    let mut command = Command::new(binary);
    command.arg("node").arg("--config").arg(config);
    let mut node = Server::start(id, dir, command, Signal::SIGTERM)?;
    let endpoint = Endpoint::from_shared(format!("http://127.0.0.1:{port}"))?;
    let mut ops = NodeServiceClient::new(endpoint.connect_lazy());
    let is_ready = async || {
        let status = ops.get_status(v1::GetStatusRequest {}).await.ok()?;
        status.into_inner().ready.then_some(())
    };
    node.until(is_ready).await?;
    Ok((node, endpoint))
}

fn act(key: String) -> Option<v1::Act> {
    let officer = Some(v1::Officer { id: "do-toc-do".into(), name: "Đo tốc độ".into() });
    Some(v1::Act { agency: GIVER.into(), idempotency_key: key, officer })
}

impl Lienthong {
    fn call(&self, n: u64) -> Arc<Acts> {
        self.calls[(n % CONNECTIONS) as usize].clone()
    }

    fn next(&self) -> Option<String> {
        self.dossiers.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

async fn submit(call: Arc<Acts>, n: u64) -> anyhow::Result<String> {
    let request = v1::SubmitDossierRequest {
        act: act(format!("s{n}")),
        procedure_code: "1.001193".into(),
        channel: v1::Channel::Online as i32,
        content: message(n),
        ..Default::default()
    };
    debug_assert_eq!(request.content.len(), PAYLOAD);
    Ok(call.perform(Act::Submit(request)).await?.dossier_id)
}

impl Peer for Lienthong {
    async fn prepare(&self, in_flight: u32, time: Duration) -> anyhow::Result<()> {
        let a_second = PREPARED_PER_SECOND.min(PREPARED_PER_FLIGHT * u64::from(in_flight));
        let from = self.taken_in.load(Ordering::Relaxed);
        let until = from + (a_second as f64 * time.as_secs_f64()) as u64;
        self.taken_in.store(until, Ordering::Relaxed);
        let mut slots = JoinSet::new();
        for first in from..from + INTAKES {
            let call = self.call(first);
            slots.spawn(async move {
                let mut made = Vec::new();
                for n in (first..until).step_by(INTAKES as usize) {
                    made.push(submit(call.clone(), n).await?);
                }
                anyhow::Ok(made)
            });
        }
        while let Some(made) = slots.join_next().await {
            let made = made??;
            self.dossiers.lock().unwrap_or_else(PoisonError::into_inner).extend(made);
        }
        // Answered when the node's index is level with its ledger: what was prepared burdens no measurement.
        let list = v1::ListDossiersRequest { agency: GIVER.into(), page_size: 1, ..Default::default() };
        self.client.clone().list_dossiers(list).await?;
        Ok(())
    }

    async fn hand_over(&self, id: u64) -> anyhow::Result<bool> {
        let Some(dossier) = self.next() else { return Ok(false) };
        let (wait_for, told) = match self.end {
            End::Consumer => (v1::AckLevel::Stored, Some(self.expected.expect(dossier.clone()))),
            End::Receipt => (v1::AckLevel::Received, None),
        };
        let request = v1::OfferHandOffRequest {
            act: act(format!("o{id}")),
            dossier: Some(v1::DossierRef { by: Some(v1::dossier_ref::By::Id(dossier)) }),
            to: RECEIVER.into(),
            kind: v1::HandOffKind::Forward as i32,
            wait_for: wait_for as i32,
            wait_ms: 60_000,
            ..Default::default()
        };
        let done = self.call(id).perform(Act::Offer(request)).await?;
        anyhow::ensure!(done.level() >= wait_for, "an offer did not come to {wait_for:?} within a minute");
        if let Some(told) = told {
            told.await?;
        }
        Ok(true)
    }
}
