//! PostgreSQL as a queue: INSERT, and consumers who DELETE ... FOR UPDATE SKIP LOCKED, one or several rows a commit.
//!
//! A consumer is woken by the producer inside this process, which costs PostgreSQL nothing: no polling, no NOTIFY.

use crate::load::{Expected, Load, Measured, Peer, message, number};
use crate::server::{self, Server, free_port};
use anyhow::Context;
use nix::sys::signal::Signal;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::process::Command;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_postgres::{Client, Config, NoTls, Statement};

/// Producers' connections; each is a server process. More than 64 only take turns on two cores.
const PRODUCERS: u64 = 64;
/// Consumers' connections.
const CONSUMERS: usize = 16;

const TAKE: &str = "DELETE FROM queue WHERE id = ANY(ARRAY(\
    SELECT id FROM queue ORDER BY id FOR UPDATE SKIP LOCKED LIMIT $1)) RETURNING message";

struct Postgres {
    producers: Vec<(Client, Statement)>,
    owner: Client,
    expected: Arc<Expected>,
    ready: Arc<Semaphore>,
}

/// A program of the server, wherever Debian put this version.
pub(super) fn program(name: &str) -> anyhow::Result<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut places: Vec<String> =
        versions.map(|v| v.path().join("bin").to_string_lossy().into_owned()).collect();
    places.sort();
    server::program(name, &places.iter().rev().map(String::as_str).collect::<Vec<_>>())
}

/// It refuses to run as root, so it runs as `postgres` then.
fn as_its_user(name: &str) -> anyhow::Result<Command> {
    let program = program(name)?;
    if !nix::unistd::geteuid().is_root() {
        return Ok(Command::new(program));
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]).arg(program);
    Ok(command)
}

pub(super) async fn measure(dir: &Path, load: Load<'_>, rows: usize) -> anyhow::Result<Vec<Measured>> {
    let (mut server, config) = start(dir).await?;
    let owner = server.until(async || connect(&config).await.ok()).await?;
    owner
        .batch_execute(
            "CREATE TABLE queue (id bigserial PRIMARY KEY, message bytea NOT NULL);
             ALTER TABLE queue ALTER message SET STORAGE PLAIN",
        )
        .await?;
    let mut producers = Vec::new();
    for _ in 0..PRODUCERS {
        let client = connect(&config).await?;
        let insert = client.prepare("INSERT INTO queue (message) VALUES ($1)").await?;
        producers.push((client, insert));
    }
    let (expected, ready) = (Arc::new(Expected::default()), Arc::new(Semaphore::new(0)));
    let mut consumers = JoinSet::new();
    for _ in 0..CONSUMERS {
        consumers.spawn(consume(connect(&config).await?, rows, expected.clone(), ready.clone()));
    }
    let peer = Arc::new(Postgres { producers, owner, expected, ready });
    let measured = load.run(peer.clone()).await;
    if let Some(ended) = consumers.try_join_next() {
        ended?.context("a consumer ended")?;
    }
    consumers.shutdown().await;
    server.stop().await;
    measured
}

async fn start(dir: &Path) -> anyhow::Result<(Server, Config)> {
    let data = dir.join("data");
    std::fs::create_dir(&data)?;
    if nix::unistd::geteuid().is_root() {
        let user = nix::unistd::User::from_name("postgres")?.context("there is no user `postgres`")?;
        nix::unistd::chown(&data, Some(user.uid), Some(user.gid))?;
    }
    let mut init = as_its_user("initdb")?;
    init.current_dir("/")
        .args(["--auth=trust", "--username=postgres", "--encoding=UTF8", "--pgdata"])
        .arg(&data);
    let init = server::run(init).await;
    init.context("initdb; the user `postgres` must be able to reach the folder (give another with --dir)")?;
    let port = free_port()?;
    let mut command = as_its_user("postgres")?;
    command.current_dir("/").arg("-D").arg(&data).args(["-p", &port.to_string(), "-h", "127.0.0.1"]);
    for setting in [
        "unix_socket_directories=",
        "max_connections=200",
        "shared_buffers=256MB",
        "max_wal_size=4GB",
        "synchronous_commit=on",
        "fsync=on",
        "autovacuum_naptime=5s",
    ] {
        command.arg("-c").arg(OsString::from(setting));
    }
    let server = Server::start("postgres", dir, command, Signal::SIGINT)?;
    let mut config = Config::new();
    config.host("127.0.0.1").port(port).user("postgres").dbname("postgres");
    Ok((server, config))
}

async fn connect(config: &Config) -> anyhow::Result<Client> {
    let (client, connection) = config.connect(NoTls).await?;
    drop(tokio::spawn(connection));
    Ok(client)
}

async fn consume(
    client: Client,
    rows: usize,
    expected: Arc<Expected>,
    ready: Arc<Semaphore>,
) -> anyhow::Result<()> {
    let take = client.prepare(TAKE).await?;
    loop {
        ready.acquire().await?.forget();
        let mut wanted = 1;
        while wanted < rows
            && ready.try_acquire().is_ok_and(|more| {
                more.forget();
                true
            })
        {
            wanted += 1;
        }
        while wanted > 0 {
            let taken = client.query(&take, &[&(wanted as i64)]).await?;
            for row in &taken {
                expected.acknowledged(&number(row.get(0))?);
            }
            wanted -= taken.len();
        }
    }
}

impl Peer for Postgres {
    async fn prepare(&self, _: u32, _: Duration) -> anyhow::Result<()> {
        // Each measurement begins with an empty table.
        Ok(self.owner.batch_execute("TRUNCATE queue; CHECKPOINT").await?)
    }

    async fn hand_over(&self, id: u64) -> anyhow::Result<bool> {
        let told = self.expected.expect(id);
        let (client, insert) = &self.producers[(id % PRODUCERS) as usize];
        client.execute(insert, &[&&message(id)[..]]).await?;
        self.ready.add_permits(1);
        told.await?;
        Ok(true)
    }
}
