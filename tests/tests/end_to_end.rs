//! Dossiers between real node processes over a real nats-server: journeys, refusals, recalls, levels, and the proof.

#[path = "end_to_end/flips.rs"]
mod flips;
#[path = "end_to_end/many_acts.rs"]
mod many_acts;

use lienthong_core::statement::RefusalCause;
use lienthong_link::server::NatsServer;
use lienthong_proto::v1;
use lienthong_tests::{BOUND, Desk, Ops, Province, broker, eventually, lienthong};
use lienthong_wire::evidence::{self, Outcome, Verdict};
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

const CONTENT: &str = "Tờ khai đăng ký khai sinh: họ và tên, ngày sinh, quê quán";

/// A nats-server and the nodes of a province on it. The folder goes last.
struct Scene {
    province: Province,
    broker: NatsServer,
    _dir: TempDir,
}

/// `None` where there is no nats-server.
async fn scene(nodes: &[&[&str]]) -> Option<Scene> {
    let dir = tempfile::tempdir().unwrap();
    let broker = broker(dir.path()).await?;
    let province = Province::lay_out(&broker.url(), nodes);
    Some(Scene { province, broker, _dir: dir })
}

async fn started(nodes: &[&[&str]]) -> Option<Scene> {
    let mut scene = scene(nodes).await?;
    scene.province.start().await;
    Some(scene)
}

/// Offers, waits until it is there, and signs for it.
async fn hand(from: &Desk, to: &Desk, id: &str, key: &str) {
    from.offer(&format!("{key}-offer"), id, &to.agency).await.unwrap();
    to.until(id, v1::Phase::Inbox).await;
    let done = to.accept(&format!("{key}-accept"), id).await.unwrap();
    assert_eq!(done.phase(), v1::Phase::Held);
}

async fn verdict(desk: &Desk, province: &Province, id: &str) -> Verdict {
    let file = desk.export("export", id).await.unwrap();
    evidence::verify(file.into(), Some(&province.directory()))
        .unwrap_or_else(|f| panic!("{}: {f}", desk.agency))
}

fn hops(verdict: &Verdict) -> Vec<(u32, &str, &str, Outcome)> {
    verdict.custodians.iter().map(|h| (h.hop.0, h.from.as_str(), h.to.as_str(), h.outcome)).collect()
}

async fn custodian_in_trail(desk: &Desk, id: &str) -> String {
    let trail = desk.trail(id).await.unwrap();
    trail.entries.last().map(|e| e.custodian.clone()).unwrap_or_default()
}

/// `lienthong trail export` and `lienthong trail verify`, as a person would run them.
fn by_command(province: &mut Province, agency: &str, id: &str) -> serde_json::Value {
    let file = province.path().join(format!("{agency}.evidence"));
    let url = province.node(agency).url();
    let run = |args: &[&str], path: &Path| {
        let output = Command::new(lienthong()).arg("--json").args(args).arg(path).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{args:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
        text
    };
    let officer = ["--as", agency, "--officer-id", "cb01", "--officer-name", "Lan"];
    let export = ["trail", "export", id, "--node", &url, "--out"];
    // `--out` must stay last: the file follows it.
    run(&[&export[..2], &officer[..], &export[2..]].concat(), &file);
    let directory = province.directory_file().display().to_string();
    serde_json::from_str(&run(&["trail", "verify", "--directory", &directory], &file)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn around_three_agencies_and_proved_by_each() {
    let Some(mut scene) = started(&[&["a"], &["b"], &["c"]]).await else { return };
    let province = &mut scene.province;
    let (a, b, c) = (province.desk("a"), province.desk("b"), province.desk("c"));
    let id = a.submit("submit", CONTENT.as_bytes()).await.unwrap().dossier_id;
    hand(&a, &b, &id, "ab").await;
    hand(&b, &c, &id, "bc").await;

    // The place of receipt gets copies of what goes on elsewhere.
    let sees_c = async || (custodian_in_trail(&a, &id).await == "c").then_some(());
    eventually(BOUND, "the trail of a shows c as custodian", sees_c).await;
    assert_eq!(a.get(&id).await.unwrap().custodian, "c");
    for desk in [&b, &c] {
        let content = desk.content(&id).await.unwrap().expect("the content came along");
        assert_eq!(&content.data[..], CONTENT.as_bytes(), "{}", desk.agency);
    }

    c.complete("complete", &id).await.unwrap();
    hand(&c, &a, &id, "ca").await;
    let closed = a.return_result("return", &id).await.unwrap();
    assert_eq!(closed.phase(), v1::Phase::Closed);
    for agency in ["a", "b", "c"] {
        province.ops(agency).until_outbox_empty().await;
        assert_eq!(province.ops(agency).agency().await.unwrap().quarantined, 0, "{agency}");
    }

    let accepted = Outcome::Accepted;
    let all = [(1, "a", "b", accepted), (2, "b", "c", accepted), (3, "c", "a", accepted)];
    // b leaves the journey at c: the return is no affair of its ledger.
    for (desk, known) in [(&a, 3), (&c, 3), (&b, 2)] {
        let verdict = verdict(desk, province, &id).await;
        assert_eq!(hops(&verdict)[..known], all[..known], "ledger of {}", desk.agency);
        assert!(verdict.trusted_directory && verdict.unlinked.is_empty());
        let told = by_command(province, &desk.agency, &id);
        assert_eq!(told["sound"], true);
        for (n, (hop, from, to, _)) in all[..known].iter().enumerate() {
            let hand_over = &told["hand_overs"][n];
            assert_eq!((&hand_over["hop"], &hand_over["from"]), (&(*hop).into(), &(*from).into()));
            assert_eq!((&hand_over["to"], &hand_over["outcome"]), (&(*to).into(), &"accepted".into()));
        }
    }
    let home = verdict(&a, province, &id).await;
    assert_eq!((home.custodian_now.as_str(), home.closed), ("a", true));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_flipped_bit_of_an_exported_trail_is_found() {
    let Some(mut scene) = started(&[&["a"], &["b"], &["c"]]).await else { return };
    let province = &mut scene.province;
    let (a, b, c) = (province.desk("a"), province.desk("b"), province.desk("c"));
    let id = a.submit("submit", CONTENT.as_bytes()).await.unwrap().dossier_id;
    // A second dossier beside it, so that the chain has hidden links too.
    a.submit("other", b"").await.unwrap();
    hand(&a, &b, &id, "ab").await;
    hand(&b, &c, &id, "bc").await;
    c.complete("complete", &id).await.unwrap();
    hand(&c, &a, &id, "ca").await;
    a.return_result("return", &id).await.unwrap();
    province.ops("a").until_outbox_empty().await;
    let file = a.export("export", &id).await.unwrap();
    let flips = flips::each_bit(&file, &province.directory());
    println!("{} bits of {} signed statements flipped, each found at its link", flips.bits, flips.statements);
    assert!(flips.statements >= 12, "only {} statements", flips.statements);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_never_started_gets_it_when_it_starts() {
    let Some(mut scene) = scene(&[&["a"], &["b"]]).await else { return };
    let province = &mut scene.province;
    province.node("a").start().await;
    let (a, b, ops) = (province.desk("a"), province.desk("b"), province.ops("a"));
    let id = a.submit("submit", CONTENT.as_bytes()).await.unwrap().dossier_id;
    let offered = a.offer_until("offer", &id, "b", v1::AckLevel::Received, 300).await.unwrap();
    assert_eq!(offered.done.unwrap().level(), v1::AckLevel::Stored, "nobody is there to receive it");
    let told = async || {
        let peers = ops.peers().await.ok()?;
        peers.into_iter().find(|p| p.reason() == v1::WaitReason::NoMailbox)
    };
    let peer = eventually(BOUND, "the operator sees that b was never there", told).await;
    assert_eq!((peer.agency.as_str(), peer.must_act.as_str()), ("b", "b"));
    assert!(peer.oldest_since_ms > 0);

    province.node("b").start().await;
    let got = b.until(&id, v1::Phase::Inbox).await;
    assert_eq!(got.custodian, "a");
    b.accept("accept", &id).await.unwrap();
    ops.until_outbox_empty().await;
    assert_eq!(a.get(&id).await.unwrap().phase(), v1::Phase::Gone);
}

#[tokio::test(flavor = "multi_thread")]
async fn co_hosted_agencies_are_as_far_apart_as_others() {
    let Some(mut scene) = started(&[&["xa", "huyen"], &["so"]]).await else { return };
    let province = &mut scene.province;
    let (xa, huyen, so) = (province.desk("xa"), province.desk("huyen"), province.desk("so"));
    let id = xa.submit("submit", CONTENT.as_bytes()).await.unwrap().dossier_id;
    hand(&xa, &huyen, &id, "1").await;
    hand(&huyen, &so, &id, "2").await;
    so.complete("complete", &id).await.unwrap();
    hand(&so, &huyen, &id, "3").await;
    hand(&huyen, &xa, &id, "4").await;
    xa.return_result("return", &id).await.unwrap();
    for agency in ["xa", "huyen", "so"] {
        province.ops(agency).until_outbox_empty().await;
    }
    let (one, other) = (verdict(&xa, province, &id).await, verdict(&huyen, province, &id).await);
    assert_eq!(hops(&one), hops(&other));
    assert_eq!((hops(&one).len(), one.custodian_now.as_str()), (4, "xa"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_leaves_custody_where_it_was() {
    let Some(mut scene) = started(&[&["a"], &["b"]]).await else { return };
    let province = &mut scene.province;
    let (a, b) = (province.desk("a"), province.desk("b"));
    let id = a.submit("submit", CONTENT.as_bytes()).await.unwrap().dossier_id;
    let offering = {
        let (a, id) = (a.clone(), id.clone());
        tokio::spawn(async move { a.offer_until("1", &id, "b", v1::AckLevel::Decided, 30_000).await })
    };
    b.until(&id, v1::Phase::Inbox).await;
    let refused = b.refuse("refuse", &id, "Thiếu bản sao giấy chứng sinh").await.unwrap();
    assert_eq!(refused.phase(), v1::Phase::Out);
    let offered = offering.await.unwrap().unwrap().done.unwrap();
    assert_eq!(offered.level(), v1::AckLevel::Decided, "the call waited for the decision");
    let back = a.until(&id, v1::Phase::Held).await;
    assert_eq!(
        (back.custodian.as_str(), back.hand_off.unwrap().outcome()),
        ("a", v1::HandOffOutcome::Refused)
    );
    hand(&a, &b, &id, "again").await;
    a.until(&id, v1::Phase::Gone).await;
    let verdict = verdict(&b, province, &id).await;
    let refused = Outcome::Refused(RefusalCause::Officer);
    assert_eq!(hops(&verdict), [(1, "a", "b", refused), (2, "a", "b", Outcome::Accepted)]);
}

/// Makes a recall and waits until both sides know what became of it.
async fn recalled(a: &Desk, ops: [&Ops; 2], id: &str) -> v1::HandOff {
    a.recall("recall", id, "Chuyển nhầm").await.unwrap();
    for ops in ops {
        ops.until_outbox_empty().await;
    }
    a.get(id).await.unwrap().hand_off.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recall_wins_before_the_decision_and_loses_after_it() {
    let Some(mut scene) = started(&[&["a"], &["b"]]).await else { return };
    let province = &mut scene.province;
    let (a, b) = (province.desk("a"), province.desk("b"));
    let ops = [&province.ops("a"), &province.ops("b")];
    let wins = a.submit("wins", CONTENT.as_bytes()).await.unwrap().dossier_id;
    a.offer("offer-1", &wins, "b").await.unwrap();
    b.until(&wins, v1::Phase::Inbox).await;
    let hand_off = recalled(&a, ops, &wins).await;
    assert_eq!(hand_off.outcome(), v1::HandOffOutcome::Recalled);
    assert_eq!(a.get(&wins).await.unwrap().phase(), v1::Phase::Held);
    let late = b.accept("late", &wins).await.unwrap_err();
    assert_eq!(late.code(), tonic::Code::FailedPrecondition, "{late}");

    // b's acceptance is durable at b and lost on the way; the recall comes after it, and too late.
    let loses = a.submit("loses", CONTENT.as_bytes()).await.unwrap().dossier_id;
    a.offer("offer-2", &loses, "b").await.unwrap();
    b.until(&loses, v1::Phase::Inbox).await;
    scene.broker.kill().await;
    b.accept("accept", &loses).await.unwrap();
    province.node("b").kill().await;
    scene.broker.restart().await.unwrap();
    assert_eq!(a.get(&loses).await.unwrap().phase(), v1::Phase::Offered);
    a.recall("recall-2", &loses, "Chuyển nhầm").await.unwrap();
    province.node("b").start().await;
    let gone = a.until(&loses, v1::Phase::Gone).await;
    assert_eq!(gone.hand_off.unwrap().outcome(), v1::HandOffOutcome::Accepted);
    for ops in ops {
        ops.until_outbox_empty().await;
    }
    assert_eq!(b.get(&loses).await.unwrap().phase(), v1::Phase::Held);
    let verdict = verdict(&b, province, &loses).await;
    assert_eq!(hops(&verdict), [(1, "a", "b", Outcome::Accepted)]);
}
