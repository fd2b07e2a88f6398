//! A node that was cut off for days is level again soon: what waited at it has been signed for by its receivers, and
//! what waited for it has come in.

use crate::scene::{AGENCIES, turn};
use lienthong_link::server::NatsServer;
use lienthong_runtime::NodeConfig;
use lienthong_runtime::config::DeliverySection;
use lienthong_tests::{Carried, Desk, LONG, Line, Province, Quality, broker, eventually, is_soak, judge};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// What the form of one dossier takes.
const CONTENT: usize = 2 << 10;
/// Officers who work at the same time.
const OFFICERS: usize = 64;
/// 2 Mbit/s, and 200 ms in each direction.
const BAD_LINE: Quality = Quality { bytes_per_second: Some(250_000), delay: Duration::from_millis(200) };

/// The pause before what the courier did not take is tried again, as it is after some hours.
const LONG_PAUSE_MS: u64 = 60_000;

/// A province of which a is cut off, and what waits.
struct Backlog {
    province: Province,
    carried: Vec<Carried>,
    out: usize,
    into: usize,
}

/// Works at `giver` as if nothing were wrong: each dossier is taken in, and offered to the receivers in turn.
async fn fill(giver: &Desk, home: usize, to: &'static [usize], count: usize) -> Vec<Carried> {
    let (next, giver) = (Arc::new(AtomicUsize::new(0)), giver.clone());
    let work = |_| {
        let (next, giver) = (next.clone(), giver.clone());
        async move {
            let mut carried = Vec::new();
            loop {
                let n = next.fetch_add(1, Relaxed);
                if n >= count {
                    return carried;
                }
                let mut content = format!("Hồ sơ số {n}. ").into_bytes();
                content.resize(CONTENT, b'.');
                let id = giver.submit(&format!("submit-{n}"), &content).await.unwrap().dossier_id;
                giver.offer(&format!("offer-{n}"), &id, AGENCIES[to[n % to.len()]]).await.unwrap();
                carried.push(Carried { id, home, steps: vec![("intake", home), ("offer", home)] });
            }
        }
    };
    let officers: JoinSet<Vec<Carried>> = (0..OFFICERS).map(work).collect();
    officers.join_all().await.into_iter().flatten().collect()
}

impl Backlog {
    /// `out` dossiers wait at a for b and c, `into` at b for a.
    async fn pile_up(mut province: Province, out: usize, into: usize) -> Self {
        let ops = province.ops("a");
        let cut = async || ops.status().await.is_ok_and(|status| !status.link_connected).then_some(());
        eventually(LONG, "a is cut off", cut).await;
        let mut carried = fill(&province.desk("a"), 0, &[1, 2], out).await;
        carried.extend(fill(&province.desk("b"), 1, &[0], into).await);
        assert_eq!(ops.agency().await.unwrap().outbox, out as u64);
        Self { province, carried, out, into }
    }

    /// Waits until all of it is received and signed for.
    async fn until_level(&mut self, bound: Duration) -> Duration {
        let began = Instant::now();
        let (a, b) = (self.province.ops("a"), self.province.ops("b"));
        let inbox = self.province.ops("a");
        let level = async || {
            let mut undecided = 0;
            for peer in [a.peers().await.ok()?, b.peers().await.ok()?].into_iter().flatten() {
                if peer.waiting > 0 {
                    return None;
                }
                undecided += peer.undecided as usize;
            }
            let came_in = inbox.agency().await.ok()?.inbox as usize;
            (undecided == self.out + self.into && came_in == self.into).then_some(())
        };
        // Longer than is allowed, so that a figure is printed also where it is too slow.
        eventually(bound * 3, "all is level again", level).await;
        began.elapsed()
    }

    async fn end(mut self) -> String {
        let mut came_in = 0;
        for agency in ["b", "c"] {
            came_in += self.province.ops(agency).agency().await.unwrap().inbox as usize;
        }
        assert_eq!(came_in, self.out);
        self.province.stop().await;
        let judged = judge(&mut self.province, &AGENCIES, &self.carried);
        judged.must_be_whole();
        judged.to_string()
    }
}

/// Resends and windows as the product has them, not as hurried tests do.
fn as_shipped(config: &mut NodeConfig) {
    config.delivery = DeliverySection::default();
    config.link.mailbox_bytes = NodeConfig::default().link.mailbox_bytes;
}

fn address(broker: &NatsServer) -> SocketAddr {
    ([127, 0, 0, 1], broker.port()).into()
}

#[tokio::test(flavor = "multi_thread")]
async fn three_days_cut_off_and_level_over_a_bad_line() {
    let _turn = turn().await;
    let dir = tempfile::tempdir().unwrap();
    let Some(broker) = broker(dir.path()).await else { return };
    let (out, into, bound) = if is_soak() { (2_300, 230, 60) } else { (300, 30, 40) };
    let line = Line::lay(([127, 0, 0, 1], 0).into(), address(&broker), Quality::PLAIN).await.unwrap();
    let begins = line.address();
    let mut province = Province::lay_out_with(&broker.url(), &[&["a"], &["b"], &["c"]], |config| {
        as_shipped(config);
        if config.node.name == "a" {
            config.link.url = format!("nats://{begins}");
            // After days all pauses are long: that the line is back has to be noticed.
            config.delivery.resend_first_ms = LONG_PAUSE_MS;
        }
    });
    province.start().await;
    drop(line);
    let mut backlog = Backlog::pile_up(province, out, into).await;
    let line = Line::lay(begins, address(&broker), BAD_LINE).await.unwrap();
    let took = backlog.until_level(Duration::from_secs(bound)).await;
    let (up, down) = line.carried();
    let verdict = backlog.end().await;
    println!(
        "VERDICT cluster: a commune with {out} envelopes of 2 KiB waiting, and {into} for it, over 2 Mbit/s and 200 ms each way: \
         level in {:.1} s; {} bytes up and {} down, {} up for each envelope; {verdict}",
        took.as_secs_f64(),
        up,
        down,
        up / out as u64
    );
    assert!(took < Duration::from_secs(bound), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_department_cut_off_is_level_soon() {
    let _turn = turn().await;
    let dir = tempfile::tempdir().unwrap();
    let Some(mut broker) = broker(dir.path()).await else { return };
    let (out, bound) = if is_soak() { (75_000, 600) } else { (1_500, 30) };
    let mut province = Province::lay_out_with(&broker.url(), &[&["a"], &["b"], &["c"]], as_shipped);
    province.start().await;
    broker.kill().await;
    let began = Instant::now();
    let mut backlog = Backlog::pile_up(province, out, 1).await;
    let filled = began.elapsed().as_secs_f64();
    broker.restart().await.unwrap();
    let took = backlog.until_level(Duration::from_secs(bound)).await;
    let verdict = backlog.end().await;
    println!(
        "VERDICT cluster: a node with {out} envelopes of 2 KiB waiting, taken in within {filled:.0} s: level in {:.1} s, {:.0} a \
         second; {verdict}",
        took.as_secs_f64(),
        out as f64 / took.as_secs_f64()
    );
    assert!(took < Duration::from_secs(bound), "{took:?}");
}
