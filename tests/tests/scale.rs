//! A node with many dossiers: memory, time until it is ready, and throughput beside an empty node.
//!
//! | run | dossiers | what is asserted |
//! |---|---|---|
//! | `make test` | 4,000 to 24,000 | bytes of memory for an open and for a closed dossier |
//! | `make soak` | 100,000 open; 1,000,000, nearly all closed | memory, time until ready after kill -9, throughput |
//!
//! `LIENTHONG_DOSSIERS=n` sets the number of the large ledger, where the disk has no room for a million (10 GiB).

use lienthong_proto::v1;
use lienthong_tests::{Desk, Mix, Province, broker, eventually, grow, is_soak};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const MIB: u64 = 1 << 20;
/// Hand-offs under way while throughput is measured.
const CARRIERS: u64 = 64;
/// Turns of each side; the best of them counts, which on a busy machine says most about the side.
const TURNS: usize = 3;

/// The first start of a large ledger fills the queues with ten rows for each dossier.
const FILLING: Duration = Duration::from_secs(3_600);
/// Records after which a node that starts without a snapshot takes one.
const SNAPSHOT_DUE: u64 = 100_000;

/// What a node does with the ledger it has.
struct Measured {
    rss: u64,
    peak: u64,
    ready: Duration,
}

/// Starts the node of A once, so that its queues are filled and a snapshot is taken, kills it, and starts it again.
async fn measure(province: &mut Province) -> Measured {
    let (desk, ops) = (province.desk("a"), province.ops("a"));
    let node = province.node("a");
    let started = Instant::now();
    node.start_within(FILLING).await;
    println!("the first start, which fills the queues, took {:.1?}", started.elapsed());
    desk.submit("first", b"a commit, with which a snapshot is taken when one is due").await.unwrap();
    if ops.agency().await.unwrap().ledger_size > SNAPSHOT_DUE {
        let snapshots = node.data.join("snapshots");
        eventually(FILLING, "a snapshot is taken", async || {
            let taken = std::fs::read_dir(&snapshots)
                .ok()?
                .flatten()
                .any(|f| f.path().extension().is_some_and(|e| e == "snap"));
            taken.then_some(())
        })
        .await;
        desk.submit("second", b"a commit behind it").await.unwrap();
    }
    node.kill().await;
    let started = Instant::now();
    node.start_within(FILLING).await;
    let ready = started.elapsed();
    let (rss, peak) = node.memory();
    Measured { rss, peak, ready }
}

fn tell(what: &str, measured: &Measured) {
    let Measured { rss, peak, ready } = measured;
    println!("{what}: {} MiB in use, {} MiB at most, ready in {ready:.1?}", rss / MIB, peak / MIB);
}

/// Hand-offs of A to B in a time, each offer received durably at B.
async fn hand_offs(a: &Desk, turn: &str, time: Duration) -> f64 {
    let (done, started) = (Arc::new(AtomicU64::new(0)), Instant::now());
    let mut carriers = tokio::task::JoinSet::new();
    for carrier in 0..CARRIERS {
        let (a, done, turn) = (a.clone(), done.clone(), turn.to_owned());
        carriers.spawn(async move {
            for n in 0.. {
                if started.elapsed() >= time {
                    return;
                }
                let key = format!("{turn}-{carrier}-{n}");
                let id = a.submit(&format!("s{key}"), &[7; 200]).await.unwrap().dossier_id;
                a.offer_until(&format!("o{key}"), &id, "b", v1::AckLevel::Received, 60_000).await.unwrap();
                done.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    carriers.join_all().await;
    done.load(Ordering::Relaxed) as f64 / started.elapsed().as_secs_f64()
}

/// A bound against going back, not the target, which is for the long form. Between two numbers of dossiers, so that what a node
/// takes in any case, such as messages on their way, does not count.
#[tokio::test(flavor = "multi_thread")]
async fn a_dossier_takes_little_memory() {
    let dir = tempfile::tempdir().unwrap();
    let Some(broker) = broker(dir.path()).await else { return };
    for (what, mix, bound) in [
        ("open", Mix { held: 2_000, offered: 2_000, closed: 0 }, 8_000),
        ("closed", Mix { held: 0, offered: 0, closed: 8_000 }, 8_000),
    ] {
        let mut rss = Vec::new();
        for times in [1, 3] {
            let mut province = Province::lay_out(&broker.url(), &[&["a"], &["b"]]);
            let mix =
                Mix { held: mix.held * times, offered: mix.offered * times, closed: mix.closed * times };
            grow(&mut province, "a", "b", mix);
            let measured = measure(&mut province).await;
            province.stop().await;
            tell(what, &measured);
            rss.push(measured.rss);
        }
        let each = rss[1].saturating_sub(rss[0]) / (2 * (mix.held + mix.offered + mix.closed));
        println!("{each} B for each that is {what}, at most {bound}");
        assert!(each <= bound, "a dossier that is {what} takes {each} B");
    }
}

/// The figures themselves.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_carries_a_million() {
    if !is_soak() {
        return;
    }
    let dossiers = std::env::var("LIENTHONG_DOSSIERS").ok().and_then(|n| n.parse().ok());
    let closed = dossiers.unwrap_or(1_000_000_u64);
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (Some(one), Some(two)) = (broker(dir.path()).await, broker(other.path()).await) else { return };
    let mut open = Province::lay_out(&one.url(), &[&["a"], &["b"]]);
    grow(&mut open, "a", "b", Mix { held: 50_000, offered: 50_000, closed: 0 });
    let measured = measure(&mut open).await;
    tell("100,000 open", &measured);
    let first = measured.rss <= 512 * MIB && measured.ready <= Duration::from_secs(10);
    open.stop().await;
    drop(open);

    let mut grown = Province::lay_out(&one.url(), &[&["a"], &["b"]]);
    let started = Instant::now();
    grow(&mut grown, "a", "b", Mix { held: 500, offered: 500, closed });
    println!("{closed} closed were made in {:.0?}", started.elapsed());
    let measured = measure(&mut grown).await;
    tell(&format!("{closed} closed"), &measured);
    let second = measured.rss <= 1_024 * MIB && measured.ready <= Duration::from_secs(60);

    let mut empty = Province::lay_out(&two.url(), &[&["a"], &["b"]]);
    empty.start().await;
    // B fills its queues too.
    grown.node("b").start_within(FILLING).await;
    grown.start().await;
    let desks = [grown.desk("a"), empty.desk("a")];
    let mut best = [0_f64; 2];
    for turn in 0..TURNS {
        for (side, desk) in desks.iter().enumerate() {
            let rate = hand_offs(desk, &format!("t{turn}"), Duration::from_secs(10)).await;
            best[side] = best[side].max(rate);
        }
    }
    let ratio = best[0] / best[1];
    println!("{:.0} hand-offs a second, {:.0} on an empty node: {ratio:.2}", best[0], best[1]);
    tell(
        "after that",
        &Measured { rss: grown.node("a").memory().0, peak: grown.node("a").memory().1, ..measured },
    );
    println!("VERDICT scale: open {first}, large {second}, throughput {}", ratio >= 0.7);
    assert!(first && second && ratio >= 0.7, "a target is missed");
    grown.stop().await;
    empty.stop().await;
}
