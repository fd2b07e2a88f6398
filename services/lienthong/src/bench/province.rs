//! What is measured: two nodes on one nats-server, in a folder that is removed afterwards.

use anyhow::Context;
use lienthong_core::ids::AgencyId;
use lienthong_link::server::{NatsServer, StartOptions};
use lienthong_node::{Node, Running};
use lienthong_proto::acts::Acts;
use lienthong_proto::v1::dossier_service_client::DossierServiceClient;
use lienthong_runtime::NodeConfig;
use lienthong_runtime::config::AgencySection;
use lienthong_wire::directory::{DirectoryFile, PublicKey};
use lienthong_wire::keys;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;

/// The giver.
pub(super) const GIVER: &str = "ben-giao";
/// The receiver.
pub(super) const RECEIVER: &str = "ben-nhan";
/// Connections of the caller: as many as the pool of a provincial system.
const CONNECTIONS: usize = 4;

const DIRECTORY: &str = r#"
version = 1
epoch = 1
name = "lienthong bench"
[authority]
id = "tinh"
name = "Tỉnh"
keys = []
[[agency]]
id = "ben-giao"
code = "Z01.1"
code_is_example = true
name = "Bên giao"
level = "commune"
keys = []
[[agency]]
id = "ben-nhan"
code = "Z01.2"
code_is_example = true
name = "Bên nhận"
level = "district"
keys = []
[[allow]]
from = "*"
to = "*"
procedures = ["*"]
"#;

/// Two nodes and their courier.
pub(super) struct Province {
    giver: Running,
    receiver: Running,
    nats: NatsServer,
    _folder: TempDir,
}

impl Province {
    /// Starts everything in a new folder below `dir`.
    pub(super) async fn start(dir: &Path) -> anyhow::Result<Self> {
        let folder =
            tempfile::Builder::new().prefix("lienthong-bench-").tempdir_in(dir).context("make a folder")?;
        let binary = NatsServer::find()
            .context("there is no nats-server in LIENTHONG_NATS_SERVER, .tools/bin or PATH")?;
        let nats = NatsServer::start(StartOptions::new(binary, folder.path().join("nats"))).await?;
        let mut directory = DirectoryFile::parse(DIRECTORY)?;
        for id in [GIVER, RECEIVER] {
            add_key(&mut directory, folder.path(), id)?;
        }
        std::fs::write(folder.path().join("directory.toml"), directory.to_toml())?;
        let giver = Node::start(&config(folder.path(), GIVER, &nats.url()), None).await?;
        let receiver = Node::start(&config(folder.path(), RECEIVER, &nats.url()), None).await?;
        giver.ready().await;
        receiver.ready().await;
        Ok(Self { giver, receiver, nats, _folder: folder })
    }

    /// Version of the nats-server.
    pub(super) fn nats(&self) -> &str {
        self.nats.version()
    }

    /// Calls for acts of the giver, over a connection each.
    pub(super) async fn calls(&self) -> anyhow::Result<Vec<Arc<Acts>>> {
        let mut calls = Vec::new();
        for _ in 0..CONNECTIONS {
            let at = format!("http://{}", self.giver.address);
            let mut client = DossierServiceClient::connect(at).await?;
            calls.push(Arc::new(Acts::open(&mut client).await?));
        }
        Ok(calls)
    }

    /// Ends everything.
    pub(super) async fn stop(self) {
        self.giver.shutdown(std::future::pending::<()>()).await;
        self.receiver.shutdown(std::future::pending::<()>()).await;
        self.nats.stop().await;
    }
}

fn add_key(directory: &mut DirectoryFile, folder: &Path, id: &str) -> anyhow::Result<()> {
    let key = keys::generate(&format!("{id}.1"))?.context("make a key")?;
    keys::save(&key, &folder.join(format!("{id}.key")))?;
    let agency = AgencyId::parse(id).context("an agency id")?;
    let public = PublicKey { id: key.id().to_owned(), public: key.public() };
    anyhow::ensure!(directory.add_key(&agency, public), "the key of {id} is refused");
    Ok(())
}

fn config(folder: &Path, id: &str, url: &str) -> NodeConfig {
    let mut config = NodeConfig::default();
    config.node.name = id.to_owned();
    config.node.data_dir = folder.join(id);
    config.node.directory = folder.join("directory.toml");
    config.node.agencies =
        vec![AgencySection { id: id.to_owned(), key_file: folder.join(format!("{id}.key")) }];
    config.grpc.listen = ([127, 0, 0, 1], 0).into();
    config.link.url = url.to_owned();
    config
}
