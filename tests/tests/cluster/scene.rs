//! Three agencies on three nodes, officers at work, and how each of these tests ends.

use lienthong_proto::v1;
use lienthong_runtime::NodeConfig;
use lienthong_tests::{Carried, Desk, LONG, Officers, Province, judge};
use lienthong_wire::evidence;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

pub(crate) const AGENCIES: [&str; 3] = ["a", "b", "c"];
/// Evidence files exported and verified from each agency; the judge walks all trails in all ledgers.
const EXPORTS: usize = 40;
/// What a whole long run may take to come to rest.
const REST: Duration = Duration::from_secs(1_800);

/// A province under load.
pub(crate) struct Scene {
    pub(crate) province: Province,
    pub(crate) officers: Arc<Officers>,
    carriers: JoinSet<Vec<Carried>>,
    is_endless: bool,
    began: Instant,
}

impl Scene {
    /// Starts three nodes with these NATS servers and lets `carriers` officers carry at most `limit` dossiers.
    pub(crate) async fn begin(nats: &str, carriers: usize, limit: usize) -> Self {
        Self::begin_with(nats, carriers, limit, |_| ()).await
    }

    /// The same with the configuration of each node changed.
    pub(crate) async fn begin_with(
        nats: &str,
        carriers: usize,
        limit: usize,
        change: impl Fn(&mut NodeConfig),
    ) -> Self {
        let mut province = Province::lay_out_with(nats, &[&["a"], &["b"], &["c"]], change);
        province.start().await;
        let desks: Vec<Desk> = AGENCIES.iter().map(|agency| province.desk(agency)).collect();
        let officers = Officers::new(desks, "Tờ khai đăng ký khai sinh. ".repeat(20).into_bytes(), limit);
        let carriers = officers.begin(carriers);
        Self { province, officers, carriers, is_endless: limit == usize::MAX, began: Instant::now() }
    }

    /// Lets the officers carry all they may, or finish what they carry when that has no end; waits until nothing waits to leave, and judges: first what the nodes
    /// say and export, then what their disks hold. Fewer than `least` hand-offs are no test.
    pub(crate) async fn end(mut self, least: u64, what: impl Display) {
        if self.is_endless {
            self.officers.rest();
        }
        let carried = self.quiet().await;
        self.one_holder(&carried).await;
        let exports = self.exports(&carried).await;
        self.province.stop().await;
        let judged = judge(&mut self.province, &AGENCIES, &carried);
        let (handed, took) = (self.officers.handed(), self.began.elapsed().as_secs_f64());
        println!(
            "VERDICT {what}: {handed} hand-offs of {} dossiers in {took:.0} s; {judged}; {exports} evidence files \
             verified, outboxes empty",
            carried.len()
        );
        judged.must_be_whole();
        assert_eq!(handed, 3 * carried.len() as u64, "each dossier was handed on three times");
        assert!(handed >= least, "only {handed} hand-offs, wanted {least}");
    }

    /// Waits until all journeys have ended and nothing waits to leave.
    async fn quiet(&mut self) -> Vec<Carried> {
        let mut carried = Vec::new();
        let rest = async {
            while let Some(ended) = self.carriers.join_next().await {
                carried.extend(ended.expect("an officer came through"));
            }
        };
        tokio::time::timeout(REST, rest).await.expect("all journeys end");
        for agency in AGENCIES {
            self.province.ops(agency).until_outbox_empty_within(LONG).await;
        }
        carried
    }

    /// Lets the officers carry all they may, and stops the nodes.
    pub(crate) async fn stopped(mut self) -> (Province, Vec<Carried>) {
        let carried = self.quiet().await;
        self.province.stop().await;
        (self.province, carried)
    }

    /// Exactly one agency says that it has the dossier, and that is its home.
    async fn one_holder(&mut self, carried: &[Carried]) {
        let mut holders: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (who, agency) in AGENCIES.iter().enumerate() {
            let status = self.province.ops(agency).agency().await.unwrap();
            let census = (status.outbox, status.quarantined, status.held, status.offered, status.inbox);
            assert_eq!(census, (0, 0, 0, 0, 0), "{agency}");
            for dossier in self.province.desk(agency).list().await.unwrap() {
                match dossier.phase() {
                    v1::Phase::Closed => holders.entry(dossier.id).or_default().push(who),
                    v1::Phase::Gone => {}
                    other => panic!("{} is {other:?} at {agency}", dossier.id),
                }
            }
        }
        assert_eq!(holders.len(), carried.len());
        for dossier in carried {
            assert_eq!(holders.get(&dossier.id), Some(&vec![dossier.home]), "{}", dossier.id);
        }
    }

    /// Some trails as a citizen's lawyer would check them: one agency's evidence file, and the directory.
    async fn exports(&mut self, carried: &[Carried]) -> usize {
        let directory = self.province.directory();
        let mut sound = 0;
        for agency in AGENCIES {
            let desk = self.province.desk(agency);
            for dossier in carried.iter().step_by(carried.len().div_ceil(EXPORTS).max(1)) {
                let file = desk.export(&format!("export-{sound}"), &dossier.id).await.unwrap();
                let verdict = evidence::verify(file.into(), Some(&directory))
                    .unwrap_or_else(|fault| panic!("{} from {agency}: {fault}", dossier.id));
                assert!(AGENCIES[dossier.home] != agency || verdict.closed);
                sound += 1;
            }
        }
        sound
    }
}
