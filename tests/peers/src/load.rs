//! The load, the same for all: so many hand-overs under way, the next when one is done.

use bytes::Bytes;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Bytes of each message.
pub(crate) const PAYLOAD: usize = 2 << 10;
/// A measurement is preceded by so much that is not counted.
const WARM_UP: Duration = Duration::from_millis(1_000);
/// A hand-over that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is asked of a system.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load<'a> {
    pub(crate) time: Duration,
    pub(crate) in_flight: &'a [u32],
}

/// A system that is up.
pub(crate) trait Peer: Send + Sync + 'static {
    /// Gets ready to hand over for so long with so many under way.
    fn prepare(&self, _in_flight: u32, _time: Duration) -> impl Future<Output = anyhow::Result<()>> + Send {
        async { Ok(()) }
    }

    /// Hands one message over: returns when the producer has been told that it is durable, and the consumer has
    /// received and acknowledged it. `false` when there is nothing left to hand over.
    fn hand_over(&self, id: u64) -> impl Future<Output = anyhow::Result<bool>> + Send;
}

/// What one measurement gave.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    pub(crate) in_flight: u32,
    pub(crate) per_second: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
}

impl Load<'_> {
    /// Measures a system that is up.
    pub(crate) async fn run(self, peer: Arc<impl Peer>) -> anyhow::Result<Vec<Measured>> {
        let ids = Arc::new(AtomicU64::new(0));
        let mut all = Vec::new();
        for in_flight in self.in_flight {
            peer.prepare(*in_flight, WARM_UP + self.time).await?;
            all.push(measure(&peer, &ids, *in_flight, self.time).await?);
        }
        Ok(all)
    }
}

async fn measure(
    peer: &Arc<impl Peer>,
    ids: &Arc<AtomicU64>,
    in_flight: u32,
    time: Duration,
) -> anyhow::Result<Measured> {
    let began = Instant::now();
    let (from, until) = (began + WARM_UP, began + WARM_UP + time);
    let out = Arc::new(AtomicBool::new(false));
    let mut slots = tokio::task::JoinSet::new();
    for _ in 0..in_flight {
        let (peer, ids, out) = (peer.clone(), ids.clone(), out.clone());
        slots.spawn(async move {
            let mut done = Vec::new();
            while Instant::now() < until && !out.load(Ordering::Relaxed) {
                let began = Instant::now();
                let one = peer.hand_over(ids.fetch_add(1, Ordering::Relaxed));
                let went = tokio::time::timeout(PATIENCE, one).await;
                if !went.map_err(|_| anyhow::anyhow!("a hand-over took longer than {PATIENCE:?}"))?? {
                    out.store(true, Ordering::Relaxed);
                    break;
                }
                let ended = Instant::now();
                if ended >= from {
                    done.push((ended, ended - began));
                }
            }
            anyhow::Ok(done)
        });
    }
    let mut all = Vec::new();
    while let Some(done) = slots.join_next().await {
        all.extend(done??);
    }
    // Counted up to the time every slot was still at work.
    let end = if out.load(Ordering::Relaxed) { last(&all) } else { until };
    let mut latencies: Vec<Duration> = all.iter().filter(|(at, _)| *at <= end).map(|(_, l)| *l).collect();
    anyhow::ensure!(!latencies.is_empty(), "nothing was handed over");
    latencies.sort_unstable();
    let at = |q: f64| latencies[((latencies.len() - 1) as f64 * q) as usize].as_secs_f64() * 1e3;
    let per_second = latencies.len() as f64 / (end - from).as_secs_f64();
    Ok(Measured { in_flight, per_second, p50_ms: at(0.5), p99_ms: at(0.99) })
}

fn last(all: &[(Instant, Duration)]) -> Instant {
    all.iter().map(|(at, _)| *at).max().unwrap_or_else(Instant::now)
}

/// A message: its number, then bytes that do not compress.
pub(crate) fn message(id: u64) -> Bytes {
    let mut bytes = Vec::with_capacity(PAYLOAD);
    bytes.extend(id.to_be_bytes());
    let mut x = id.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    while bytes.len() < PAYLOAD {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        bytes.extend(x.to_be_bytes());
    }
    bytes.into()
}

/// The number of a message that was received.
pub(crate) fn number(message: &[u8]) -> anyhow::Result<u64> {
    anyhow::ensure!(message.len() == PAYLOAD, "a message of {} bytes came", message.len());
    Ok(u64::from_be_bytes(message[..8].try_into()?))
}

/// Messages that the consumer has not acknowledged yet, by their number or whatever else names them to both sides.
#[derive(Debug)]
pub(crate) struct Expected<K = u64>(Mutex<HashMap<K, oneshot::Sender<()>>>);

impl<K> Default for Expected<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash> Expected<K> {
    /// To be called before the message is sent.
    pub(crate) fn expect(&self, id: K) -> oneshot::Receiver<()> {
        let (tell, told) = oneshot::channel();
        self.lock().insert(id, tell);
        told
    }

    /// The consumer has acknowledged it.
    pub(crate) fn acknowledged(&self, id: &K) {
        if let Some(tell) = self.lock().remove(id) {
            let _ = tell.send(());
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, oneshot::Sender<()>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
