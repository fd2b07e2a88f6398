//! Two nodes at rest, and a table of requests that must change nothing.

use crate::asks::{Ask, ask};
use crate::refused::fault;
use lienthong_core::directory::{Pattern, Rule};
use lienthong_core::ids::AgencyId;
use lienthong_core::reason::Reason;
use lienthong_link::server::NatsServer;
use lienthong_tests::{BOUND, Desk, Province, broker, eventually};
use std::collections::BTreeMap;
use tempfile::TempDir;
use tonic::transport::Channel;

/// A row of the table: a request at the commune's node, why it is refused, and the field it is told about.
pub(crate) struct Case {
    pub(crate) ask: Ask,
    pub(crate) reason: Reason,
    pub(crate) field: Option<&'static str>,
}

/// A row about a field.
pub(crate) fn case(ask: impl Into<Ask>, reason: Reason, field: &'static str) -> Case {
    Case { ask: ask.into(), reason, field: Some(field) }
}

/// A row about no field.
pub(crate) fn rule(ask: impl Into<Ask>, reason: Reason) -> Case {
    Case { ask: ask.into(), reason, field: None }
}

pub(crate) fn id(text: &str) -> AgencyId {
    AgencyId::parse(text).expect("an agency id")
}

/// A commune `xa` and a district `huyen`, each a node process; `so` is in the directory and takes nothing from `xa`.
pub(crate) struct Rig {
    pub(crate) province: Province,
    pub(crate) commune: Desk,
    pub(crate) district: Desk,
    pub(crate) broker: NatsServer,
    _dir: TempDir,
}

impl Rig {
    /// `None`, loudly, where there is no nats-server.
    pub(crate) async fn laid_out() -> Option<Self> {
        let dir = tempfile::tempdir().expect("a folder");
        let broker = broker(dir.path()).await?;
        let mut province = Province::lay_out(&broker.url(), &[&["xa"], &["huyen"], &["so"]]);
        let mut directory = province.directory();
        let both = [("xa", "huyen"), ("huyen", "xa"), ("so", "xa")];
        let rule = |(from, to)| Rule {
            from: Pattern::Agency(id(from)),
            to: Pattern::Agency(id(to)),
            procedures: Vec::new(),
        };
        directory.rules = both.map(rule).to_vec();
        std::fs::write(province.directory_file(), directory.to_toml()).expect("the directory is written");
        let (commune, district) = (province.desk("xa"), province.desk("huyen"));
        Some(Self { province, commune, district, broker, _dir: dir })
    }

    /// The same with the commune and the district started.
    pub(crate) async fn started() -> Option<Self> {
        let mut rig = Self::laid_out().await?;
        for node in rig.province.nodes().filter(|node| node.name != "so") {
            node.spawn(&BTreeMap::new());
        }
        for agency in ["xa", "huyen"] {
            if let Err(ended) = rig.province.node(agency).ready().await {
                panic!("{agency} ended at start ({}):\n{}", ended.status, ended.log);
            }
        }
        Some(rig)
    }

    pub(crate) fn channel(&mut self, agency: &str) -> Channel {
        self.province.node(agency).channel()
    }

    /// Records in the ledgers of both.
    pub(crate) async fn sizes(&mut self) -> [u64; 2] {
        let mut sizes = [0; 2];
        for (size, agency) in sizes.iter_mut().zip(["xa", "huyen"]) {
            *size = self.province.ops(agency).agency().await.expect("the status").ledger_size;
        }
        sizes
    }

    /// Waits until nothing is on its way but what waits for a decision, so that a record more is a fault.
    pub(crate) async fn at_rest(&mut self) {
        for agency in ["xa", "huyen"] {
            let ops = self.province.ops(agency);
            let quiet = async || {
                let rows = ops.outbox().await.ok()?;
                rows.iter()
                    .all(|r| r.reason == lienthong_proto::v1::WaitReason::Decision as i32)
                    .then_some(())
            };
            eventually(BOUND, "only decisions are waited for", quiet).await;
        }
    }

    /// Asks everything of one node's table: each is refused as it should be, and no ledger has a record more.
    pub(crate) async fn all_refused(&mut self, agency: &str, cases: Vec<Case>) {
        self.at_rest().await;
        let channel = self.channel(agency);
        let before = self.sizes().await;
        let (mut faults, number) = (Vec::new(), cases.len());
        for Case { ask: request, reason, field } in cases {
            let what = shortened(&format!("{request:?}"));
            match ask(&channel, request).await {
                Ok(()) => faults.push(format!("{what}: done, and should be {reason:?}")),
                Err(status) => {
                    faults.extend(fault(&status, reason, field).map(|fault| format!("{what}: {fault}")))
                }
            }
        }
        assert!(faults.is_empty(), "{} of {number}:\n{}", faults.len(), faults.join("\n"));
        assert_eq!(self.sizes().await, before, "a refused request left a record");
    }
}

/// A request in a message: the beginning says which.
fn shortened(text: &str) -> String {
    text.chars().take(300).collect()
}
