//! Hand-offs end to end over NATS, through the public API: offer durable at A → received durable at B → receipt durable
//! at A. Two nodes with data folders of their own, direct signatures, 2 KiB of content.

use anyhow::Context;
use lienthong_link::server::{NatsServer, StartOptions};
use lienthong_node::{Node, Running};
use lienthong_proto::v1;
use lienthong_proto::v1::dossier_service_client::DossierServiceClient;
use lienthong_runtime::NodeConfig;
use lienthong_runtime::config::AgencySection;
use lienthong_wire::keys;
use std::collections::VecDeque;
use std::fmt::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tonic::transport::Channel;

const CONTENT: usize = 2 << 10;
/// Connections of the integrator: as many as its pool would have.
const CONNECTIONS: usize = 4;

type Client = DossierServiceClient<Channel>;

pub(crate) async fn run() -> anyhow::Result<()> {
    let dir = tempfile::tempdir_in(Path::new(env!("CARGO_TARGET_TMPDIR")))?;
    let binary = NatsServer::find().context("nats-server is missing: run `make tools`")?;
    let nats = NatsServer::start(StartOptions::new(binary, dir.path().join("nats"))).await?;
    println!(
        "\nHand-offs end to end over NATS {} (default sync), {CONTENT} B of content, direct signatures",
        nats.version()
    );
    let (a, b) = start_nodes(dir.path(), &nats.url()).await?;
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        clients.push(Client::connect(format!("http://{}", a.address)).await?);
    }
    println!(
        "{:>9} {:>9} {:>11} {:>9} {:>9} {:>12}",
        "in flight", "hand-offs", "hand-offs/s", "p50 ms", "p99 ms", "submits/s"
    );
    // The first turn warms up and is not printed.
    for (turn, (in_flight, count)) in
        [(64, 1_000), (1, 600), (64, 12_000), (512, 30_000)].into_iter().enumerate()
    {
        let (ids, submits) = submit(&clients, turn, count).await?;
        let (rate, mut latencies) = hand_off(&clients, turn, ids, in_flight).await?;
        latencies.sort();
        let at = |q: f64| latencies[((latencies.len() - 1) as f64 * q) as usize].as_secs_f64() * 1e3;
        if turn > 0 {
            println!(
                "{in_flight:>9} {count:>9} {rate:>11.0} {:>9.1} {:>9.1} {submits:>12.0}",
                at(0.5),
                at(0.99)
            );
        }
    }
    a.shutdown(std::future::pending::<()>()).await;
    b.shutdown(std::future::pending::<()>()).await;
    nats.stop().await;
    Ok(())
}

async fn start_nodes(dir: &Path, url: &str) -> anyhow::Result<(Running, Running)> {
    let mut directory =
        "version = 1\nepoch = 1\nname = \"bench\"\n[authority]\nid = \"tinh\"\nname = \"Tỉnh\"\nkeys = []\n"
            .to_owned();
    for (n, id) in ["xa", "huyen"].into_iter().enumerate() {
        let key = keys::generate(&format!("{id}.1"))?.context("a key")?;
        keys::save(&key, &dir.join(format!("{id}.key")))?;
        let public: String = key.public().iter().map(|b| format!("{b:02x}")).collect();
        write!(
            directory,
            "[[agency]]\nid = \"{id}\"\ncode = \"H99.{n}\"\nname = \"{id}\"\nlevel = \"commune\"\n\
             keys = [{{ id = \"{id}.1\", public = \"{public}\" }}]\n"
        )?;
    }
    directory.push_str("[[allow]]\nfrom = \"*\"\nto = \"*\"\nprocedures = [\"*\"]\n");
    std::fs::write(dir.join("directory.toml"), directory)?;
    let node = |id: &str| {
        let mut config = NodeConfig::default();
        config.node.name = id.to_owned();
        config.node.data_dir = dir.join(id);
        config.node.directory = dir.join("directory.toml");
        config.node.agencies =
            vec![AgencySection { id: id.to_owned(), key_file: dir.join(format!("{id}.key")) }];
        config.grpc.listen = ([127, 0, 0, 1], 0).into();
        config.link.url = url.to_owned();
        config
    };
    let a = Node::start(&node("xa"), None).await?;
    let b = Node::start(&node("huyen"), None).await?;
    a.ready().await;
    b.ready().await;
    Ok((a, b))
}

fn act(key: String) -> Option<v1::Act> {
    let officer = Some(v1::Officer { id: "cb01".into(), name: "Cán bộ đo tốc độ".into() });
    Some(v1::Act { agency: "xa".into(), idempotency_key: key, officer })
}

/// Runs `one` for each item with so many at once, and gives the time and each latency.
async fn load<T, R, F>(
    clients: &[Client],
    items: Vec<T>,
    at_once: usize,
    one: impl Fn(Client, T) -> F + Send + Sync + 'static,
) -> anyhow::Result<(Duration, Vec<(Duration, R)>)>
where
    T: Send + 'static,
    R: Send + 'static,
    F: Future<Output = anyhow::Result<R>> + Send,
{
    let (queue, one) = (Arc::new(Mutex::new(VecDeque::from(items))), Arc::new(one));
    let mut tasks = tokio::task::JoinSet::new();
    let started = Instant::now();
    for n in 0..at_once {
        let (client, queue, one) = (clients[n % clients.len()].clone(), queue.clone(), one.clone());
        tasks.spawn(async move {
            let mut done = Vec::new();
            loop {
                let item = queue.lock().ok().and_then(|mut q| q.pop_front());
                let Some(item) = item else { return anyhow::Ok(done) };
                let began = Instant::now();
                let result = one(client.clone(), item).await?;
                done.push((began.elapsed(), result));
            }
        });
    }
    let mut all = Vec::new();
    while let Some(done) = tasks.join_next().await {
        all.extend(done??);
    }
    Ok((started.elapsed(), all))
}

async fn submit(clients: &[Client], turn: usize, count: usize) -> anyhow::Result<(Vec<String>, f64)> {
    let one = move |mut client: Client, n: usize| async move {
        let request = v1::SubmitDossierRequest {
            act: act(format!("s{turn}-{n}")),
            procedure_code: "1.001193".into(),
            channel: v1::Channel::Online as i32,
            content: vec![n as u8; CONTENT].into(),
            ..Default::default()
        };
        let done = client.submit_dossier(request).await?.into_inner().done;
        anyhow::Ok(done.context("an answer")?.dossier_id)
    };
    let (took, done) = load(clients, (0..count).collect(), 256, one).await?;
    Ok((done.into_iter().map(|(_, id)| id).collect(), count as f64 / took.as_secs_f64()))
}

async fn hand_off(
    clients: &[Client],
    turn: usize,
    ids: Vec<String>,
    in_flight: usize,
) -> anyhow::Result<(f64, Vec<Duration>)> {
    let count = ids.len();
    let one = move |mut client: Client, id: String| async move {
        let request = v1::OfferHandOffRequest {
            act: act(format!("o{turn}-{}", &id[..32])),
            dossier: Some(v1::DossierRef { by: Some(v1::dossier_ref::By::Id(id)) }),
            to: "huyen".into(),
            kind: v1::HandOffKind::Forward as i32,
            wait_for: v1::AckLevel::Received as i32,
            wait_ms: 30_000,
            ..Default::default()
        };
        let done = client.offer_hand_off(request).await?.into_inner().done.context("an answer")?;
        anyhow::ensure!(done.level() >= v1::AckLevel::Received, "not received within 30 s");
        Ok(())
    };
    let (took, done) = load(clients, ids, in_flight, one).await?;
    Ok((count as f64 / took.as_secs_f64(), done.into_iter().map(|(latency, ())| latency).collect()))
}
