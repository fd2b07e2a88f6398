//! A node with two agencies and dossiers in every state, and all that it answers about them.

use lienthong_proto::v1;
use lienthong_runtime::config::LinkKind;
use lienthong_tests::Province;
use std::path::{Path, PathBuf};

use crate::segment;

/// The agencies of the node; `so` is on a node that is never started.
const HOSTED: [&str; 2] = ["xa", "huyen"];

/// A stopped node, and a copy of its data folder as it was left.
pub(crate) struct Scene {
    pub(crate) province: Province,
    pub(crate) before: Answers,
    pristine: PathBuf,
}

/// Everything that was acknowledged, as the node tells it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answers {
    dossiers: Vec<v1::Dossier>,
    trails: Vec<v1::GetTrailResponse>,
    inboxes: Vec<Vec<v1::InboxEvent>>,
    outboxes: Vec<Vec<v1::OutboxRow>>,
    status: Vec<v1::AgencyStatus>,
}

impl Scene {
    /// Works, and ends the node in order. A fault of the disk is the node's own, so the link is the embedded one.
    pub(crate) async fn worked(snapshot_every: u64) -> Self {
        let mut province = Province::lay_out_with("nats://127.0.0.1:4222", &[&HOSTED, &["so"]], |config| {
            config.link.kind = LinkKind::Embedded;
            config.store.snapshot_every_records = snapshot_every;
        });
        province.node("xa").start().await;
        work(&mut province).await;
        let before = Answers::of(&mut province).await;
        assert!(before.dossiers.len() >= 9 && before.outboxes.concat().len() == 1);
        province.node("xa").stop().await;
        let pristine = province.path().join("pristine");
        segment::copy(&province.node("xa").data, &pristine);
        segment::copy(&anchor_of(&province.node("xa").data), &anchor_of(&pristine));
        Self { province, before, pristine }
    }

    pub(crate) fn data(&mut self) -> PathBuf {
        self.province.node("xa").data.clone()
    }

    /// Puts everything back as it was left, the anchor too: no old copy is meant.
    pub(crate) fn reset(&mut self) {
        let data = self.data();
        segment::copy(&self.pristine, &data);
        segment::copy(&anchor_of(&self.pristine), &anchor_of(&data));
    }

    /// The node starts and holds exactly what it held; gives its report of the start.
    pub(crate) async fn holds_everything(&mut self, after: &str) -> Vec<String> {
        self.province.node("xa").start().await;
        let now = Answers::of(&mut self.province).await;
        assert_eq!(now, self.before, "{after}");
        let report = self.province.ops("xa").status().await.unwrap().start_report;
        self.province.node("xa").stop().await;
        report
    }
}

fn anchor_of(data: &Path) -> PathBuf {
    data.with_extension("anchor")
}

/// Dossiers that end held, offered and undelivered, in an inbox, gone, refused, recalled, completed and closed.
async fn work(province: &mut Province) {
    let (xa, huyen) = (province.desk("xa"), province.desk("huyen"));
    for (n, end) in ["held", "away", "inbox", "gone", "refused", "recalled", "closed"].into_iter().enumerate()
    {
        let content = vec![n as u8; 3_000 * (n + 1)];
        let id = xa.submit(end, &content).await.unwrap().dossier_id;
        match end {
            "held" => continue,
            "away" => drop(xa.offer("offer-away", &id, "so").await.unwrap()),
            _ => {
                xa.offer(&format!("offer-{end}"), &id, "huyen").await.unwrap();
                huyen.until(&id, v1::Phase::Inbox).await;
            }
        }
        match end {
            "gone" => drop(huyen.accept("accept-gone", &id).await.unwrap()),
            "refused" => drop(huyen.refuse("refuse", &id, "Thiếu giấy tờ").await.unwrap()),
            "recalled" => drop(xa.recall("recall", &id, "Chuyển nhầm").await.unwrap()),
            "closed" => {
                huyen.accept("accept-there", &id).await.unwrap();
                huyen.complete("complete", &id).await.unwrap();
                huyen.offer("offer-back", &id, "xa").await.unwrap();
                xa.until(&id, v1::Phase::Inbox).await;
                xa.accept("accept-back", &id).await.unwrap();
                xa.return_result("return", &id).await.unwrap();
            }
            _ => {}
        }
    }
    province.ops("huyen").until_outbox_empty().await;
    let ops = province.ops("xa");
    // What is left: the offer that never arrived, and the one that waits for an officer.
    let settled = async || ops.outbox().await.ok().filter(|rows| rows.len() == 2).map(drop);
    lienthong_tests::eventually(lienthong_tests::BOUND, "all else is delivered", settled).await;
    let inbox = huyen.list().await.unwrap().into_iter().find(|d| d.phase() == v1::Phase::Inbox).unwrap();
    huyen.accept("accept-inbox", &inbox.id).await.unwrap();
    let settled = async || ops.outbox().await.ok().filter(|rows| rows.len() == 1).map(drop);
    lienthong_tests::eventually(lienthong_tests::BOUND, "all else is decided", settled).await;
    province.ops("huyen").until_outbox_empty().await;
}

impl Answers {
    pub(crate) async fn of(province: &mut Province) -> Self {
        let mut all =
            Self { dossiers: vec![], trails: vec![], inboxes: vec![], outboxes: vec![], status: vec![] };
        for agency in HOSTED {
            let (desk, ops) = (province.desk(agency), province.ops(agency));
            let dossiers = desk.list().await.unwrap();
            for dossier in &dossiers {
                all.trails.push(desk.trail(&dossier.id).await.unwrap());
            }
            all.dossiers.extend(dossiers);
            all.inboxes.push(desk.inbox().await.unwrap());
            let rows = ops.outbox().await.unwrap().into_iter();
            // How often a row was tried, and why it waits, is of this run and not acknowledged to anyone.
            all.outboxes.push(rows.map(|row| v1::OutboxRow { attempts: 0, reason: 0, ..row }).collect());
            all.status.push(ops.agency().await.unwrap());
        }
        all
    }
}
