//! What the tests of a whole node share.
#![allow(dead_code)] // each test file uses some of it

use lienthong_link::{EmbeddedConfig, EmbeddedLink, Link};
use lienthong_node::{Node, Running};
use lienthong_proto::v1;
use lienthong_proto::v1::dossier_service_client::DossierServiceClient;
use lienthong_runtime::NodeConfig;
use lienthong_runtime::config::AgencySection;
use lienthong_wire::keys;
use std::path::Path;
use tonic::transport::Channel;

const DIRECTORY: &str = r#"
version = 1
epoch = 1
name = "test"
[authority]
id = "tinh"
name = "Tỉnh"
keys = []
"#;

/// Configuration of a node with these agencies, their keys made in `dir`.
pub(crate) fn config(dir: &Path, agencies: &[&str]) -> NodeConfig {
    let mut config = NodeConfig::default();
    let mut directory = DIRECTORY.to_owned();
    for (n, id) in agencies.iter().enumerate() {
        let file = dir.join(format!("{id}.key"));
        let key = match keys::load(&file) {
            Ok(key) => key,
            Err(_) => {
                let key = keys::generate(&format!("{id}.1")).unwrap().unwrap();
                keys::save(&key, &file).unwrap();
                key
            }
        };
        let public: String = key.public().iter().map(|b| format!("{b:02x}")).collect();
        directory.push_str(&format!(
            "[[agency]]\nid = \"{id}\"\ncode = \"H99.{n}\"\nname = \"{id}\"\nlevel = \"commune\"\n\
             keys = [{{ id = \"{id}.1\", public = \"{public}\" }}]\n"
        ));
        config.node.agencies.push(AgencySection { id: (*id).to_owned(), key_file: file });
    }
    directory.push_str("[[allow]]\nfrom = \"*\"\nto = \"*\"\nprocedures = [\"*\"]\n");
    std::fs::write(dir.join("directory.toml"), directory).unwrap();
    config.node.name = "test".into();
    config.node.data_dir = dir.join("data");
    config.node.directory = dir.join("directory.toml");
    config.grpc.listen = "127.0.0.1:0".parse().unwrap();
    config.store.segment_bytes = 16 << 20;
    config
}

pub(crate) async fn start(config: &NodeConfig) -> (Running, DossierServiceClient<Channel>) {
    let link = Link::Embedded(EmbeddedLink::new(EmbeddedConfig::default()));
    let node = Node::start(config, Some(link)).await.unwrap();
    node.ready().await;
    let client = DossierServiceClient::connect(format!("http://{}", node.address)).await.unwrap();
    (node, client)
}

pub(crate) fn act(agency: &str, key: &str) -> Option<v1::Act> {
    let officer = Some(v1::Officer { id: "cb01".into(), name: "Nguyễn Văn Thử".into() });
    Some(v1::Act { agency: agency.into(), idempotency_key: key.into(), officer })
}

pub(crate) fn dossier(id: &str) -> Option<v1::DossierRef> {
    Some(v1::DossierRef { by: Some(v1::dossier_ref::By::Id(id.into())) })
}

pub(crate) async fn get(client: &mut DossierServiceClient<Channel>, agency: &str, id: &str) -> v1::Dossier {
    let request = v1::GetDossierRequest { agency: agency.into(), dossier: dossier(id) };
    client.get_dossier(request).await.unwrap().into_inner().dossier.unwrap()
}

pub(crate) async fn submit(client: &mut DossierServiceClient<Channel>, key: &str) -> v1::Done {
    let request = v1::SubmitDossierRequest {
        act: act("xa", key),
        procedure_code: "1.001193".into(),
        channel: v1::Channel::Counter as i32,
        content: "Tờ khai đăng ký khai sinh".into(),
        ..Default::default()
    };
    client.submit_dossier(request).await.unwrap().into_inner().done.unwrap()
}

pub(crate) async fn offer(
    client: &mut DossierServiceClient<Channel>,
    from: &str,
    to: &str,
    id: &str,
) -> v1::OfferHandOffResponse {
    let request = v1::OfferHandOffRequest {
        act: act(from, &format!("offer-{from}-{}", &id[..8])),
        dossier: dossier(id),
        to: to.into(),
        kind: v1::HandOffKind::Forward as i32,
        wait_for: v1::AckLevel::Received as i32,
        wait_ms: 10_000,
        ..Default::default()
    };
    client.offer_hand_off(request).await.unwrap().into_inner()
}

pub(crate) async fn accept(client: &mut DossierServiceClient<Channel>, at: &str, id: &str) -> v1::Done {
    let request = v1::AcceptHandOffRequest {
        act: act(at, &format!("accept-{at}")),
        dossier: dossier(id),
        ..Default::default()
    };
    client.accept_hand_off(request).await.unwrap().into_inner().done.unwrap()
}

/// A folder with a node's configuration in it.
pub(crate) struct Fixture {
    dir: tempfile::TempDir,
    pub(crate) config: NodeConfig,
}

impl Fixture {
    pub(crate) fn new(agencies: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = config(dir.path(), agencies);
        Self { dir, config }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) async fn start(&self) -> (Running, DossierServiceClient<Channel>) {
        start(&self.config).await
    }
}
