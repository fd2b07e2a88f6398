//! A node with two agencies on the embedded link: one dossier goes there and back through the public API.

use lienthong_link::{EmbeddedConfig, EmbeddedLink, Link};
use lienthong_node::{Node, Running};
use lienthong_proto::v1;
use lienthong_proto::v1::dossier_service_client::DossierServiceClient;
use lienthong_proto::v1::node_service_client::NodeServiceClient;
use lienthong_runtime::NodeConfig;
use lienthong_runtime::config::AgencySection;
use lienthong_wire::{evidence, keys};
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
fn config(dir: &Path, agencies: &[&str]) -> NodeConfig {
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
    config.store.segment_bytes = 4 << 20;
    config
}

async fn start(config: &NodeConfig) -> (Running, DossierServiceClient<Channel>) {
    let link = Link::Embedded(EmbeddedLink::new(EmbeddedConfig::default()));
    let node = Node::start(config, Some(link)).await.unwrap();
    node.ready().await;
    let client = DossierServiceClient::connect(format!("http://{}", node.address)).await.unwrap();
    (node, client)
}

fn act(agency: &str, key: &str) -> Option<v1::Act> {
    let officer = Some(v1::Officer { id: "cb01".into(), name: "Nguyễn Văn Thử".into() });
    Some(v1::Act { agency: agency.into(), idempotency_key: key.into(), officer })
}

fn dossier(id: &str) -> Option<v1::DossierRef> {
    Some(v1::DossierRef { by: Some(v1::dossier_ref::By::Id(id.into())) })
}

async fn get(client: &mut DossierServiceClient<Channel>, agency: &str, id: &str) -> v1::Dossier {
    let request = v1::GetDossierRequest { agency: agency.into(), dossier: dossier(id) };
    client.get_dossier(request).await.unwrap().into_inner().dossier.unwrap()
}

async fn submit(client: &mut DossierServiceClient<Channel>, key: &str) -> v1::Done {
    let request = v1::SubmitDossierRequest {
        act: act("xa", key),
        procedure_code: "1.001193".into(),
        channel: v1::Channel::Counter as i32,
        content: "Tờ khai đăng ký khai sinh".into(),
        ..Default::default()
    };
    client.submit_dossier(request).await.unwrap().into_inner().done.unwrap()
}

async fn offer(
    client: &mut DossierServiceClient<Channel>,
    from: &str,
    to: &str,
    id: &str,
) -> v1::OfferHandOffResponse {
    let request = v1::OfferHandOffRequest {
        act: act(from, &format!("offer-{from}")),
        dossier: dossier(id),
        to: to.into(),
        kind: v1::HandOffKind::Forward as i32,
        wait_for: v1::AckLevel::Received as i32,
        wait_ms: 10_000,
        ..Default::default()
    };
    client.offer_hand_off(request).await.unwrap().into_inner()
}

async fn accept(client: &mut DossierServiceClient<Channel>, at: &str, id: &str) -> v1::Done {
    let request = v1::AcceptHandOffRequest {
        act: act(at, &format!("accept-{at}")),
        dossier: dossier(id),
        ..Default::default()
    };
    client.accept_hand_off(request).await.unwrap().into_inner().done.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn there_and_back() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(dir.path(), &["xa", "huyen"]);
    let (node, mut client) = start(&config).await;
    let submitted = submit(&mut client, "k1").await;
    assert_eq!(submitted.phase(), v1::Phase::Held);
    let again = submit(&mut client, "k1").await;
    assert!(again.repeated_call && again.dossier_id == submitted.dossier_id);
    let id = submitted.dossier_id;

    let offered = offer(&mut client, "xa", "huyen", &id).await.done.unwrap();
    assert_eq!(offered.level(), v1::AckLevel::Received);
    let accepted = accept(&mut client, "huyen", &id).await;
    assert_eq!(accepted.phase(), v1::Phase::Held);
    let complete = v1::CompleteDossierRequest {
        act: act("huyen", "complete"),
        dossier: dossier(&id),
        resolution: v1::Resolution::Resolved as i32,
        note: String::new(),
    };
    client.complete_dossier(complete).await.unwrap();
    offer(&mut client, "huyen", "xa", &id).await;
    accept(&mut client, "xa", &id).await;
    let returned = v1::ReturnResultRequest {
        act: act("xa", "return"),
        dossier: dossier(&id),
        channel: v1::Channel::Counter as i32,
        note: String::new(),
    };
    let closed = client.return_result(returned).await.unwrap().into_inner().done.unwrap();
    assert_eq!(closed.phase(), v1::Phase::Closed);

    let trail = v1::GetTrailRequest { agency: "xa".into(), dossier: dossier(&id) };
    let trail = client.get_trail(trail).await.unwrap().into_inner();
    let spine = trail.entries.iter().filter(|e| e.on_spine).count();
    assert_eq!(spine, 7, "intake, offer, accept, completed, offer, accept, returned");
    for agency in ["xa", "huyen"] {
        let verdict = export(&mut client, agency, &id).await;
        assert_eq!(verdict.custodian_now.as_str(), "xa");
    }
    let before = get(&mut client, "xa", &id).await;
    assert!(node.shutdown(std::future::pending::<()>()).await.is_clean());

    let (node, mut client) = start(&config).await;
    assert_eq!(get(&mut client, "xa", &id).await, before);
    assert!(node.shutdown(std::future::pending::<()>()).await.is_clean());
}

async fn export(client: &mut DossierServiceClient<Channel>, agency: &str, id: &str) -> evidence::Verdict {
    let request = v1::ExportTrailRequest { act: act(agency, "export"), dossier: dossier(id) };
    let mut pieces = client.export_trail(request).await.unwrap().into_inner();
    let mut file = Vec::new();
    while let Some(piece) = pieces.message().await.unwrap() {
        file.extend_from_slice(&piece.piece);
    }
    evidence::verify(file.into(), None).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_inbox_and_status_show_what_was_told() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(dir.path(), &["xa", "huyen"]);
    let (node, mut client) = start(&config).await;
    let id = submit(&mut client, "k1").await.dossier_id;
    let tid = offer(&mut client, "xa", "huyen", &id).await.hand_off_id;
    let list = v1::ListDossiersRequest {
        agency: "huyen".into(),
        phases: vec![v1::Phase::Inbox as i32],
        ..Default::default()
    };
    let listed = client.list_dossiers(list).await.unwrap().into_inner().dossiers;
    assert_eq!(listed.iter().map(|d| &d.id).collect::<Vec<_>>(), [&id]);
    let inbox = v1::ListInboxRequest { agency: "huyen".into(), undecided_only: true, ..Default::default() };
    let inbox = client.list_inbox(inbox).await.unwrap().into_inner();
    assert_eq!(inbox.events.iter().map(|e| &e.hand_off_id).collect::<Vec<_>>(), [&tid]);
    let watch = v1::WatchInboxRequest { agency: "xa".into(), after: None };
    let mut events = client.watch_inbox(watch).await.unwrap().into_inner();
    accept(&mut client, "huyen", &id).await;
    let event = events.message().await.unwrap().unwrap().event.unwrap();
    assert_eq!((event.kind(), &event.hand_off_id), (v1::InboxEventKind::Accepted, &tid));
    let mut ops = NodeServiceClient::connect(format!("http://{}", node.address)).await.unwrap();
    let status = ops.get_status(v1::GetStatusRequest {}).await.unwrap().into_inner();
    assert!(status.ready);
    assert_eq!(status.agencies.iter().map(|a| a.held).sum::<u64>(), 1);
    assert!(node.shutdown(std::future::pending::<()>()).await.is_clean());
}
