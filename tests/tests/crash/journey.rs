//! Officers who do not give up, and somebody who starts a killed node again.

use crate::story::{self, Story};
use lienthong_core::record::Origin;
use lienthong_proto::v1;
use lienthong_tests::{BOUND, Desk, Province, eventually, read_ledger};
use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use tonic::Status;

const SIGKILL: i32 = 9;

/// One province of a first giver (0) and a first receiver (1).
pub(crate) struct Journey {
    province: Province,
    names: [String; 2],
    /// What the ledger ended with at each kill.
    pub(crate) kills: Vec<String>,
}

/// What happens to the dossier.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Plot {
    /// Handed over, completed, handed back, returned.
    ThereAndBack,
    /// Refused, offered again and recalled in time, offered again and accepted.
    RefusedAndRecalled,
}

impl Journey {
    /// A fresh province, one of its own for each `run`; `victim` is killed after its `kill`-th commit. 0 is never.
    pub(crate) fn begin(nats: &str, run: u64, kill: u64, victim: usize) -> Self {
        let names = [format!("a{run}"), format!("b{run}")];
        let province = Province::lay_out(nats, &[&[names[0].as_str()], &[names[1].as_str()]]);
        let mut journey = Self { province, names, kills: Vec::new() };
        for who in 0..2 {
            let mut env = BTreeMap::new();
            if who == victim && kill > 0 {
                env.insert("LIENTHONG_KILL_AFTER_COMMIT", kill.to_string());
            }
            journey.province.node(&journey.names[who]).spawn(&env);
        }
        journey
    }

    fn desk(&mut self, who: usize) -> Desk {
        self.province.desk(&self.names[who])
    }

    /// Starts again, and without the variable, what was killed.
    async fn tend(&mut self) {
        for name in self.names.clone() {
            let node = self.province.node(&name);
            let Some(status) = node.ended() else { continue };
            assert_eq!(status.signal(), Some(SIGKILL), "{name} ended by itself:\n{}", node.log());
            let last = read_ledger(&node.data).pop();
            self.kills.push(last.map_or("Opened".to_owned(), |kept| {
                format!("{:?}{}", kept.kind, if kept.origin == Origin::Made { "" } else { " in" })
            }));
            node.start().await;
        }
    }

    /// Calls until it is answered, each time with the same idempotency key. A refusal is a failure.
    async fn act<T>(&mut self, what: &str, mut call: impl AsyncFnMut() -> Result<T, Status>) -> T {
        eventually(BOUND, what, async || {
            self.tend().await;
            match call().await {
                Ok(answer) => Some(answer),
                // Every refusal carries details; what the transport says does not.
                Err(status) if status.details().is_empty() => None,
                Err(status) => panic!("{what}: {status}"),
            }
        })
        .await
    }

    /// Waits until a dossier is in a phase somewhere.
    async fn until(&mut self, who: usize, id: &str, phase: v1::Phase) {
        let desk = self.desk(who);
        let what = format!("{phase:?} at {}", desk.agency);
        eventually(BOUND, &what, async || {
            self.tend().await;
            desk.get(id).await.ok().filter(|dossier| dossier.phase() == phase)
        })
        .await;
    }

    /// Waits until nothing is on its way: then the batches are the same in every run, and each is a kill point once.
    async fn settle(&mut self, rows_left: usize) {
        for who in 0..2 {
            let ops = self.province.ops(&self.names[who]);
            eventually(BOUND, "nothing is on its way", async || {
                self.tend().await;
                let rows = ops.outbox().await.ok()?;
                let decided_elsewhere = rows.iter().all(|row| row.reason() == v1::WaitReason::Decision);
                (decided_elsewhere && rows.len() <= rows_left).then_some(())
            })
            .await;
        }
    }

    async fn offer(&mut self, from: usize, to: usize, id: &str, key: &str) {
        let (giver, receiver) = (self.desk(from), self.desk(to));
        self.act("offer", async || giver.offer(key, id, &receiver.agency).await).await;
        self.until(to, id, v1::Phase::Inbox).await;
        self.settle(1).await;
    }

    async fn accept(&mut self, who: usize, id: &str) {
        let desk = self.desk(who);
        self.act("accept", async || desk.accept("accept", id).await).await;
        self.settle(0).await;
    }

    /// Acts it out; then everything has settled. Gives the dossier's id.
    pub(crate) async fn run(&mut self, plot: Plot) -> String {
        let (a, b) = (self.desk(0), self.desk(1));
        let submitted = self.act("submit", async || a.submit("submit", b"to khai").await).await;
        let id = submitted.dossier_id;
        self.offer(0, 1, &id, "offer").await;
        match plot {
            Plot::ThereAndBack => {
                self.accept(1, &id).await;
                self.act("complete", async || b.complete("complete", &id).await).await;
                self.settle(0).await;
                self.offer(1, 0, &id, "offer").await;
                self.accept(0, &id).await;
                self.act("return", async || a.return_result("return", &id).await).await;
            }
            Plot::RefusedAndRecalled => {
                self.act("refuse", async || b.refuse("refuse", &id, "Thiếu giấy tờ").await).await;
                self.settle(0).await;
                self.offer(0, 1, &id, "again").await;
                self.act("recall", async || a.recall("recall", &id, "Chuyển nhầm").await).await;
                self.settle(0).await;
                self.until(0, &id, v1::Phase::Held).await;
                self.offer(0, 1, &id, "at-last").await;
                self.accept(1, &id).await;
            }
        }
        self.settle(0).await;
        id
    }

    /// What everything came to, with the names of the clean run.
    pub(crate) async fn story(&mut self, id: &str) -> Story {
        let mut told = BTreeMap::new();
        for who in 0..2 {
            let (desk, ops) = (self.desk(who), self.province.ops(&self.names[who]));
            told.insert(who, story::told(&desk, &ops, id).await);
        }
        self.province.stop().await;
        let mut story = Story::default();
        for (who, told) in told {
            let kept = read_ledger(&self.province.node(&self.names[who]).data);
            story.add(["a", "b"][who], told, &kept);
        }
        story.renamed(&self.names)
    }
}
