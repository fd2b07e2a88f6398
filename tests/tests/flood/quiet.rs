//! Agencies that do their work: hand-offs one after the other, each measured until the receiver has signed for it.

use lienthong_proto::v1;
use lienthong_tests::Desk;
use std::time::{Duration, Instant};

/// Hand-offs of one agency under way at a time.
const AT_A_TIME: usize = 2;
/// The longest wait for one receipt.
const WAIT_MS: u32 = 30_000;

/// What hand-offs took.
#[derive(Default)]
pub(crate) struct Spell {
    pub(crate) took: Vec<Duration>,
}

impl Spell {
    pub(crate) fn add(&mut self, other: Spell) {
        self.took.extend(other.took);
    }
}

/// Hands off for so many seconds.
pub(crate) async fn spell(desks: &[Desk], name: &str, seconds: u64) -> Spell {
    let until = Instant::now() + Duration::from_secs(seconds);
    let mut runs = Vec::new();
    for desk in desks {
        for lane in 0..AT_A_TIME {
            runs.push(tokio::spawn(one(desk.clone(), format!("{name}-{lane}"), until)));
        }
    }
    let mut spell = Spell::default();
    for run in runs {
        spell.took.extend(run.await.expect("hand-offs"));
    }
    spell
}

async fn one(desk: Desk, name: String, until: Instant) -> Vec<Duration> {
    let mut took = Vec::new();
    while Instant::now() < until {
        let key = format!("{name}-{}", took.len());
        let id = desk.submit(&format!("s-{key}"), &[b'x'; 1_500]).await.expect("an intake").dossier_id;
        let begun = Instant::now();
        let level = v1::AckLevel::Received;
        let offered =
            desk.offer_until(&format!("o-{key}"), &id, "r", level, WAIT_MS).await.expect("an offer");
        let reached = offered.done.map(|d| d.level);
        assert_eq!(reached, Some(level as i32), "{key} has no receipt after {:?}", begun.elapsed());
        took.push(begun.elapsed());
    }
    took
}

/// The value that so many percent do not exceed.
pub(crate) fn percentile(took: &[Duration], percent: usize) -> Duration {
    let mut sorted = took.to_vec();
    sorted.sort_unstable();
    let at = (sorted.len() * percent).div_ceil(100).max(1) - 1;
    sorted.get(at).copied().unwrap_or_default()
}
