//! I18, as far as it is built: what citizens and officers wrote is in no log at any level, no span, no metric, no error and
//! no status. (The courier's and the store's files are another matter until contents are sealed.)
//!
//! Every field that a person fills carries a marker of its own. The markers are looked for as text, and as a debug print,
//! hex or base64 would show them.

#[path = "secrets/collector.rs"]
mod collector;

use collector::Collector;
use lienthong_proto::v1;
use lienthong_tests::{BOUND, Desk, Province, broker, eventually, publish, ref_code, ref_id};
use std::fmt::Write as _;
use tonic::Status;

/// What a person wrote into this field.
fn wrote(field: &str) -> String {
    format!("Nguyễn Thị kin7f3a-{field}, CCCD 094199900001")
}

/// The part of it that is looked for: pure ASCII, found whatever was done to the rest.
const MARKER: &[u8] = b"kin7f3a-";

/// The marker as it may appear. Base64 depends on where in three bytes it begins: its middle is the same.
fn shapes() -> Vec<Vec<u8>> {
    let list = |from: &[u8]| from.iter().map(u8::to_string).collect::<Vec<_>>().join(", ").into_bytes();
    let hex = MARKER.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    });
    let upper = hex.to_uppercase().into_bytes();
    let base64 = ["a2luN2YzYS", "tpbjdmM2Et", "raW43ZjNhL"].map(|text| text.as_bytes().to_vec());
    [vec![MARKER.to_vec(), list(MARKER), hex.into_bytes(), upper], base64.to_vec()].concat()
}

fn contains(all: &[u8], some: &[u8]) -> bool {
    all.windows(some.len()).any(|window| window == some)
}

/// The first shape of the marker in these bytes, with what is around it.
fn leak(bytes: &[u8]) -> Option<String> {
    let found = |shape: &Vec<u8>| bytes.windows(shape.len()).position(|window| window == shape);
    let at = shapes().iter().find_map(found)?;
    let around = &bytes[at.saturating_sub(300)..bytes.len().min(at + 300)];
    Some(String::from_utf8_lossy(around).into_owned())
}

fn act(desk: &Desk, key: &str) -> Option<v1::Act> {
    let officer = Some(v1::Officer { id: "cb01".into(), name: wrote("officer") });
    desk.act(key).map(|act| v1::Act { officer, ..act })
}

fn papers() -> Vec<v1::PaperItem> {
    vec![v1::PaperItem { name: wrote("paper"), copies: 1 }]
}

async fn submit(desk: &Desk, key: &str, content: Vec<u8>) -> Result<v1::Done, Status> {
    let request = v1::SubmitDossierRequest {
        act: act(desk, key),
        procedure_code: "1.001193".into(),
        procedure_version: 1,
        channel: v1::Channel::Counter as i32,
        content: content.into(),
        paper_items: papers(),
        ..Default::default()
    };
    let done = desk.client.clone().submit_dossier(request).await?.into_inner().done;
    Ok(done.expect("an answer says what was done"))
}

async fn offer(desk: &Desk, key: &str, id: &str, to: &str, note: String) -> Result<(), Status> {
    let request = v1::OfferHandOffRequest {
        act: act(desk, key),
        dossier: ref_id(id),
        to: to.into(),
        kind: v1::HandOffKind::Forward as i32,
        step: wrote("step"),
        paper_items: papers(),
        note,
        ..Default::default()
    };
    desk.client.clone().offer_hand_off(request).await.map(drop)
}

async fn accept(desk: &Desk, key: &str, id: &str) -> Result<(), Status> {
    let (act, dossier, note) = (act(desk, key), ref_id(id), wrote("accept"));
    let request = v1::AcceptHandOffRequest { act, dossier, note, ..Default::default() };
    desk.client.clone().accept_hand_off(request).await.map(drop)
}

async fn note(desk: &Desk, key: &str, id: &str, text: String) -> Result<(), Status> {
    let request = v1::AddNoteRequest { act: act(desk, key), dossier: ref_id(id), text };
    desk.client.clone().add_note(request).await.map(drop)
}

async fn read(desk: &Desk, id: &str, purpose: String) -> Result<Vec<u8>, Status> {
    let officer = act(desk, "read").and_then(|act| act.officer);
    let request =
        v1::ReadContentRequest { agency: desk.agency.clone(), dossier: ref_id(id), officer, purpose };
    let content = desk.client.clone().read_content(request).await?.into_inner().content;
    Ok(content.expect("a content").data.to_vec())
}

/// A dossier from a to b and to its end, and one that is refused and one that is recalled.
async fn work(a: &Desk, b: &Desk) -> String {
    let id = submit(a, "s1", wrote("content").into_bytes()).await.unwrap().dossier_id;
    note(a, "n1", &id, wrote("note")).await.unwrap();
    offer(a, "o1", &id, "b", wrote("offer")).await.unwrap();
    b.until(&id, v1::Phase::Inbox).await;
    accept(b, "a1", &id).await.unwrap();
    let content = read(b, &id, wrote("purpose")).await.unwrap();
    assert!(contains(&content, MARKER), "what was written arrived");
    let (act_b, dossier) = (|key| act(b, key), ref_id(&id));
    let (resolution, note) = (v1::Resolution::Resolved as i32, wrote("completed"));
    let complete =
        v1::CompleteDossierRequest { act: act_b("c1"), dossier: dossier.clone(), resolution, note };
    b.client.clone().complete_dossier(complete).await.unwrap();
    let (channel, note) = (v1::Channel::Counter as i32, wrote("returned"));
    let give = v1::ReturnResultRequest { act: act_b("r1"), dossier, channel, note };
    b.client.clone().return_result(give).await.unwrap();

    let refused = submit(a, "s2", wrote("content").into_bytes()).await.unwrap().dossier_id;
    offer(a, "o2", &refused, "b", wrote("offer")).await.unwrap();
    b.until(&refused, v1::Phase::Inbox).await;
    b.refuse("f2", &refused, &wrote("refused")).await.unwrap();
    a.until(&refused, v1::Phase::Held).await;
    offer(a, "o3", &refused, "b", wrote("offer")).await.unwrap();
    a.recall("c3", &refused, &wrote("recalled")).await.unwrap();
    a.until(&refused, v1::Phase::Held).await;
    id
}

/// Calls that are refused; what their errors say.
async fn mistakes(a: &Desk, id: &str) -> Vec<Status> {
    let long = |field| wrote(field).repeat(400);
    let mut refused = vec![
        submit(a, "s1", wrote("another").into_bytes()).await.unwrap_err(),
        submit(a, "m1", long("large").repeat(60).into_bytes()).await.unwrap_err(),
        note(a, "m2", id, long("long")).await.unwrap_err(),
        offer(a, "m3", id, "b", long("long")).await.unwrap_err(),
        read(a, id, long("long")).await.unwrap_err(),
        a.refuse("m4", id, &long("long")).await.unwrap_err(),
        a.recall("m5", id, &wrote("recalled")).await.unwrap_err(),
    ];
    let nobody = v1::GetDossierRequest { agency: "a".into(), dossier: ref_code(&wrote("code")) };
    refused.push(a.client.clone().get_dossier(nobody).await.unwrap_err());
    let nowhere = offer(a, "m6", id, &wrote("to"), wrote("offer")).await;
    refused.extend(nowhere.err());
    let key = v1::AddNoteRequest { act: act(a, &wrote("key")), dossier: ref_id(id), text: wrote("note") };
    refused.push(a.client.clone().add_note(key).await.unwrap_err());
    refused
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_wrote_is_in_no_log_span_metric_error_or_status() {
    let dir = tempfile::tempdir().unwrap();
    let Some(broker) = broker(dir.path()).await else { return };
    let (endpoint, collector) = Collector::start().await;
    let mut province = Province::lay_out_with(&broker.url(), &[&["a"], &["b"]], |config| {
        config.telemetry.log_level = "trace".into();
        config.telemetry.otlp_endpoint = Some(endpoint.clone());
    });
    province.start().await;
    let (a, b) = (province.desk("a"), province.desk("b"));
    let id = work(&a, &b).await;
    let errors = mistakes(&a, &id).await;
    publish(broker.port(), "lt.v1.b.from.a.offer", wrote("garbage").as_bytes()).await;
    let ops = province.ops("b");
    let kept = eventually(BOUND, "garbage is kept aside", async || {
        ops.quarantine().await.ok().filter(|kept| !kept.is_empty())
    });
    let mut told = vec![("quarantine", format!("{:?}", kept.await).into_bytes())];
    told.push(("status", format!("{:?}", ops.status().await.unwrap()).into_bytes()));
    told.push(("outbox", format!("{:?}", ops.outbox().await.unwrap()).into_bytes()));
    for error in &errors {
        told.push(("error", [error.message().as_bytes(), b" ", error.details()].concat()));
        told.push(("error", format!("{error:?}").into_bytes()));
    }
    province.stop().await;
    let (spans, count) = collector.kept();
    assert!(count > 20, "only {count} spans came");
    told.push(("spans and metrics", spans));
    for node in province.nodes() {
        let log = node.log();
        assert!(log.contains("DEBUG"), "only {} bytes were logged:\n{log}", log.len());
        told.push(("log", log.into_bytes()));
    }
    for (what, bytes) in told {
        assert_eq!(leak(&bytes), None, "in {what}");
    }
}

#[test]
fn a_leak_is_seen_in_every_shape() {
    let text = wrote("x");
    assert!(leak(text.as_bytes()).is_some());
    assert!(leak(format!("{:?}", text.as_bytes()).as_bytes()).is_some());
    assert!(leak(hex::encode(&text).as_bytes()).is_some());
    // What a base64 of it would hold, whatever came before.
    for text in ["a2luN2YzYS0=", "AGtpbjdmM2EtAA==", "AABraW43ZjNhLQ=="] {
        assert!(leak(text.as_bytes()).is_some(), "{text}");
    }
    assert_eq!(leak(b"H99.9-240115-0001"), None);
}
