//! Three agencies on three nodes, officers at work, and how each of these tests ends.

use lienthong_proto::v1;
use lienthong_runtime::NodeConfig;
use lienthong_tests::{Carried, Desk, LONG, Officers, Province, judge};
use lienthong_wire::evidence;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, MutexGuard};
use tokio::task::JoinSet;

pub(crate) const AGENCIES: [&str; 3] = ["a", "b", "c"];
/// Evidence files exported and verified from each agency; the judge walks all trails in all ledgers.
const EXPORTS: usize = 40;
const CONTENT: &str = "Tờ khai đăng ký khai sinh. ";
/// What a whole long run may take to come to rest.
const REST: Duration = Duration::from_secs(1_800);

/// Each of these tests loads the whole machine: they take turns, also where one process runs them all.
pub(crate) async fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::const_new(());
    TURN.lock().await
}

/// A province under load.
pub(crate) struct Scene {
    pub(crate) province: Province,
    pub(crate) officers: Arc<Officers>,
    carriers: JoinSet<Vec<Carried>>,
    /// For each agency officers who carry between the two others only.
    pub(crate) pairs: Vec<Arc<Officers>>,
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
        Self::staff(province, carriers, limit)
    }

    /// Officers for a province that runs.
    pub(crate) fn staff(mut province: Province, carriers: usize, limit: usize) -> Self {
        let desks: Vec<Desk> = AGENCIES.iter().map(|agency| province.desk(agency)).collect();
        let officers = Officers::new(desks, CONTENT.repeat(20).into_bytes(), limit);
        let carriers = officers.begin(carriers);
        Self {
            province,
            officers,
            carriers,
            pairs: Vec::new(),
            is_endless: limit == usize::MAX,
            began: Instant::now(),
        }
    }

    /// Lets further officers carry without end, some between each two of the agencies.
    pub(crate) fn add_pairs(&mut self, each: usize) {
        for (silent, away) in AGENCIES.iter().enumerate() {
            let desks: Vec<Desk> = AGENCIES.iter().map(|agency| self.province.desk(agency)).collect();
            let seats = (0..AGENCIES.len()).filter(|seat| *seat != silent).collect();
            let name = format!("without-{away}");
            let pair = Officers::among(&name, desks, seats, CONTENT.into(), usize::MAX);
            let mut carriers = pair.begin(each);
            self.carriers.spawn(async move {
                let mut carried = Vec::new();
                while let Some(ended) = carriers.join_next().await {
                    carried.extend(ended.expect("an officer came through"));
                }
                carried
            });
            self.pairs.push(pair);
        }
    }

    /// Hand-offs of all officers.
    fn handed(&self) -> u64 {
        self.pairs.iter().map(|pair| pair.handed()).sum::<u64>() + self.officers.handed()
    }

    /// Lets the officers carry all they may, or finish what they carry when that has no end; waits until nothing waits to leave, and judges: first what the nodes
    /// say and export, then what their disks hold. Fewer than `least` hand-offs are no test.
    pub(crate) async fn end(mut self, least: u64, what: impl Display) {
        if self.is_endless {
            self.officers.rest();
        }
        self.pairs.iter().for_each(|pair| pair.rest());
        let carried = self.quiet().await;
        self.one_holder(&carried).await;
        let exports = self.exports(&carried).await;
        self.province.stop().await;
        let judged = judge(&mut self.province, &AGENCIES, &carried);
        let (handed, took) = (self.handed(), self.began.elapsed().as_secs_f64());
        println!(
            "VERDICT cluster: {what}: {handed} hand-offs of {} dossiers in {took:.0} s; {judged}; {exports} evidence files \
             verified, outboxes empty",
            carried.len()
        );
        judged.must_be_whole();
        let acts = carried.iter().flat_map(|dossier| &dossier.steps);
        let accepted = acts.filter(|(what, _)| *what == "accept").count();
        assert_eq!(handed, accepted as u64);
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
        for (who, agency) in AGENCIES.iter().enumerate() {
            let desk = self.province.desk(agency);
            let concerned = |dossier: &&Carried| dossier.steps.iter().any(|(_, by)| *by == who);
            let its: Vec<&Carried> = carried.iter().filter(concerned).collect();
            for dossier in its.iter().step_by(its.len().div_ceil(EXPORTS).max(1)) {
                let file = desk.export(&format!("export-{sound}"), &dossier.id).await.unwrap();
                let verdict = evidence::verify(file.into(), Some(&directory))
                    .unwrap_or_else(|fault| panic!("{} from {agency}: {fault}", dossier.id));
                assert!(dossier.home != who || verdict.closed);
                sound += 1;
            }
        }
        sound
    }
}
