//! The disk of a node is filled up at many moments while hand-offs run: nothing is lost or damaged, what is refused is
//! refused for the right reason, what is begun is finished, and everything goes on when there is room again.
//!
//! The long form, of many more moments: `LIENTHONG_SOAK=1 cargo test -p lienthong-tests --test disk_full -- --nocapture`.

#[path = "disk_full/disk.rs"]
mod disk;
#[path = "disk_full/limit.rs"]
mod limit;
#[path = "disk_full/traffic.rs"]
mod traffic;

use disk::Disk;
use lienthong_core::statement::Kind;
use lienthong_proto::v1;
use lienthong_tests::{BOUND, Desk, Ops, Province, broker, eventually, read_ledger, skip_or_fail};
use std::collections::BTreeSet;
use std::time::Duration;
use traffic::{Told, Traffic, reason};

/// What a node of these tests needs at least: three segments of 16 MiB, room for its rows and a little over the reserve.
const DISK_BYTES: u64 = 128 << 20;
const RESERVE: u64 = 16 << 20;

fn is_soak() -> bool {
    std::env::var_os("LIENTHONG_SOAK").is_some_and(|v| v == "1")
}

fn province(url: &str) -> Province {
    Province::lay_out_with(url, &[&["a"], &["b"]], |config| {
        config.store.disk_reserve_bytes = RESERVE;
        config.store.snapshot_every_records = 200;
    })
}

/// Rounds on one disk: the ledger of more would fill it up by itself.
const ROUNDS: usize = 4;

#[tokio::test]
async fn a_disk_that_fills_up_at_any_moment_loses_nothing() {
    let (stories, mut refused, mut done, mut decisions, mut restarts) =
        (if is_soak() { 15 } else { 1 }, 0, 0, 0, 0);
    for story in 0..stories {
        let Some(ended) = one_disk(story * ROUNDS).await else { return };
        refused += ended.told.refused;
        done += ended.told.done.len();
        decisions += ended.decisions;
        restarts += ended.restarts;
    }
    let rounds = stories * ROUNDS;
    println!(
        "VERDICT disk_full: {rounds} moments; {done} acts done, {refused} refused with LT510, {decisions} decisions made on a full \
         disk, {restarts} starts on a full disk; nothing lost, all ledgers sound"
    );
    assert!(refused >= rounds && decisions >= 3 * rounds, "the disk was never full");
}

/// Some rounds on one disk; `None` when there can be no such disk here.
async fn one_disk(first: usize) -> Option<Story> {
    let dir = tempfile::tempdir().unwrap();
    let broker = broker(dir.path()).await?;
    let mut province = province(&broker.url());
    let data = province.node("b").data.clone();
    let disk = match Disk::mount(dir.path(), &data, DISK_BYTES) {
        Ok(disk) => disk,
        Err(why) => {
            skip_or_fail(&format!("no file system on a loop device: {why}"));
            return None;
        }
    };
    province.start().await;
    let mut story = Story::new(&mut province);
    for round in first..first + ROUNDS {
        story.round(&mut province, &disk, round).await;
    }
    for agency in ["a", "b"] {
        province.ops(agency).until_outbox_empty().await;
    }
    province.stop().await;
    for agency in ["a", "b"] {
        let kept: BTreeSet<String> =
            read_ledger(&province.node(agency).data).iter().map(|k| k.sid.to_string()).collect();
        let done = story.told.done.iter().filter(|(by, _)| by == agency);
        let lost: Vec<_> = done.filter(|(_, sid)| !kept.contains(sid)).collect();
        assert!(lost.is_empty(), "{agency} lost what it had acknowledged: {lost:?}");
    }
    disk.unmount();
    Some(story)
}

/// One node with a good disk, one whose disk is filled up again and again.
struct Story {
    a: Desk,
    b: Desk,
    b_ops: Ops,
    told: Told,
    decisions: usize,
    restarts: usize,
}

impl Story {
    fn new(province: &mut Province) -> Self {
        let (a, b, b_ops) = (province.desk("a"), province.desk("b"), province.ops("b"));
        Self { a, b, b_ops, told: Told::default(), decisions: 0, restarts: 0 }
    }

    async fn round(&mut self, province: &mut Province, disk: &Disk, round: usize) {
        let key = |what: &str| format!("{what}-{round}");
        // Undecided at b before the disk is full.
        let mut inbox = Vec::new();
        for n in 0..3 {
            let id = self.a.submit(&key(&format!("in{n}")), b"x").await.unwrap().dossier_id;
            self.a.offer(&key(&format!("of{n}")), &id, "b").await.unwrap();
            self.b.until(&id, v1::Phase::Inbox).await;
            inbox.push(id);
        }
        let traffic = Traffic::start(&self.a, &self.b, round);
        // A moment of its own in each round: after so many acts, wherever the node is then.
        traffic.until_done(3 + round * 7 % 40).await;
        disk.fill();
        self.until_level(v1::StorageLevel::FinishingOnly).await;
        disk.fill();
        let refused = self.b.submit(&key("no"), b"x").await.expect_err("nothing new is begun");
        assert_eq!(reason(&refused), "LT510_STORAGE_FULL", "{refused:?}");
        if round % 4 == 3 {
            province.node("b").kill().await;
            province.node("b").start().await;
            self.restarts += 1;
            // What the start has given up to make do is gone at once as well.
            disk.fill();
            self.until_level(v1::StorageLevel::FinishingOnly).await;
        }
        self.decide(&key, &inbox).await;
        // What begins something stays with its sender.
        let late = self.a.submit(&key("late"), b"x").await.unwrap().dossier_id;
        self.a.offer(&key("late-offer"), &late, "b").await.unwrap();

        disk.give_room();
        self.until_level(v1::StorageLevel::Ample).await;
        self.told.add(traffic.finish().await);
        self.b.until(&late, v1::Phase::Inbox).await;
        self.b.accept(&key("late-accept"), &late).await.unwrap();
        let id = self.b.submit(&key("again"), b"x").await.expect("it takes new work again").dossier_id;
        self.b.offer(&key("again-offer"), &id, "a").await.unwrap();
        self.a.until(&id, v1::Phase::Inbox).await;
        self.a.accept(&key("again-accept"), &id).await.unwrap();
        let listed =
            async || self.b.list().await.is_ok_and(|all| all.iter().any(|d| d.id == id)).then_some(());
        eventually(BOUND, "lists follow again", listed).await;
    }

    /// On the full disk one offer is accepted, one refused, one recalled by its giver, and a result is noted.
    async fn decide(&mut self, key: &impl Fn(&str) -> String, inbox: &[String]) {
        let accepted = self.b.accept(&key("yes"), &inbox[0]).await.expect("accepting works on a full disk");
        let refused = self.b.refuse(&key("not"), &inbox[1], "thiếu giấy tờ").await.expect("refusing works");
        self.told.done.extend([accepted, refused].map(|d| ("b".to_owned(), d.statement_id)));
        self.a.recall(&key("back"), &inbox[2], "nhầm").await.unwrap();
        self.a.until(&inbox[0], v1::Phase::Gone).await;
        self.a.until(&inbox[1], v1::Phase::Held).await;
        self.a.until(&inbox[2], v1::Phase::Held).await;
        self.b.complete(&key("done"), &inbox[0]).await.expect("completing works on a full disk");
        self.decisions += 4;
    }

    async fn until_level(&self, level: v1::StorageLevel) {
        eventually(BOUND, &format!("the disk of b is {level:?}"), async || {
            let told = self.b_ops.status().await.ok()?.storage?;
            (told.level() == level).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn a_start_on_a_disk_without_any_room_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let Some(broker) = broker(dir.path()).await else { return };
    let mut province = province(&broker.url());
    let data = province.node("b").data.clone();
    let disk = match Disk::mount(dir.path(), &data, DISK_BYTES) {
        Ok(disk) => disk,
        Err(why) => return skip_or_fail(&format!("no file system on a loop device: {why}")),
    };
    disk.fill();
    province.node("b").spawn(&Default::default());
    let ended = tokio::time::timeout(Duration::from_secs(60), province.node("b").ready()).await.unwrap();
    let log = ended.expect_err("there is no room for a ledger").log;
    assert!(log.contains("is full") && log.contains("give it room"), "{log}");
    disk.give_room();
    province.start().await;
    province.desk("b").submit("k", b"x").await.expect("it starts when there is room");
    province.stop().await;
    let kept = read_ledger(&data);
    assert_eq!(kept.iter().filter(|k| k.kind == Kind::Intake).count(), 1);
    disk.unmount();
}
