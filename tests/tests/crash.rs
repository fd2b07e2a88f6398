//! `kill -9` between each durable batch and what it lets out, at either node: the end is that of a run without a crash.

#[path = "crash/story.rs"]
mod story;

use lienthong_core::record::Origin;
use lienthong_proto::v1;
use lienthong_tests::{BOUND, Desk, Province, broker, eventually, read_ledger};
use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use story::Story;
use tonic::Status;

/// More batches than a journey can have: beyond it something loops.
const MOST: u64 = 60;
const SIGKILL: i32 = 9;
/// What the ledgers of the first giver and the first receiver end with after each batch: every step of protocol.md 2,
/// there and back.
const STEPS: [&[&str]; 2] = [
    &["Opened", "Intake", "Offer", "Received in", "Ack", "Received", "Accept", "Ack in", "Returned"],
    &["Opened", "Received", "Accept", "Ack in", "Completed", "Offer", "Received in", "Ack"],
];

/// Officers who do not give up, and somebody who starts a killed node again.
struct Journey {
    province: Province,
    names: [String; 2],
    /// What the ledger ended with at each kill.
    kills: Vec<String>,
}

impl Journey {
    /// A fresh province; `victim` (0 gives, 1 receives) is killed after its n-th commit.
    async fn begin(nats: &str, run: u64, victim: usize) -> Self {
        let names = [format!("a{run}"), format!("b{run}")];
        let province = Province::lay_out(nats, &[&[names[0].as_str()], &[names[1].as_str()]]);
        let mut journey = Self { province, names, kills: Vec::new() };
        for who in 0..2 {
            let mut env = BTreeMap::new();
            if who == victim && run > 0 {
                env.insert("LIENTHONG_KILL_AFTER_COMMIT", run.to_string());
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

    async fn hand(&mut self, from: usize, to: usize, id: &str) {
        let (giver, receiver) = (self.desk(from), self.desk(to));
        self.act("offer", async || giver.offer("offer", id, &receiver.agency).await).await;
        self.until(to, id, v1::Phase::Inbox).await;
        self.settle(1).await;
        self.act("accept", async || receiver.accept("accept", id).await).await;
        self.settle(0).await;
    }

    /// Submit, hand over, complete, hand back, return; then everything has settled.
    async fn run(&mut self) -> String {
        let (a, b) = (self.desk(0), self.desk(1));
        let submitted = self.act("submit", async || a.submit("submit", b"to khai").await).await;
        let id = submitted.dossier_id;
        self.hand(0, 1, &id).await;
        self.act("complete", async || b.complete("complete", &id).await).await;
        self.settle(0).await;
        self.hand(1, 0, &id).await;
        self.act("return", async || a.return_result("return", &id).await).await;
        self.settle(0).await;
        id
    }

    /// What everything came to, with the names of the clean run.
    async fn story(&mut self, id: &str) -> Story {
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

async fn through_every_kill_point(victim: usize) {
    let dir = tempfile::tempdir().unwrap();
    let Some(broker) = broker(dir.path()).await else { return };
    let mut clean = Journey::begin(&broker.url(), 0, victim).await;
    let id = clean.run().await;
    let expected = clean.story(&id).await;
    assert!(clean.kills.is_empty());
    expected.is_whole();
    let mut points = Vec::new();
    for run in 1..=MOST {
        let mut journey = Journey::begin(&broker.url(), run, victim).await;
        let id = journey.run().await;
        let story = journey.story(&id).await;
        story.assert_as(&expected, run);
        if journey.kills.is_empty() {
            break;
        }
        points.append(&mut journey.kills);
    }
    println!("{} kill points of {}, after: {}", points.len(), ["a", "b"][victim], points.join(", "));
    assert!(points.len() < MOST as usize, "it never ends");
    let missed: Vec<_> = STEPS[victim].iter().filter(|step| !points.iter().any(|p| p == *step)).collect();
    assert!(missed.is_empty(), "never killed after {missed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_giver_killed_after_each_durable_batch() {
    through_every_kill_point(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_receiver_killed_after_each_durable_batch() {
    through_every_kill_point(1).await;
}
