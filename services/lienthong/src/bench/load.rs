//! The load: dossiers are taken in first, then handed over with so many under way at the same time.

use super::Measured;
use super::province::{GIVER, RECEIVER};
use anyhow::Context;
use lienthong_proto::acts::{Act, Acts};
use lienthong_proto::v1;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::{TimeVal, TimeValLike};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Intakes under way while dossiers are prepared.
const INTAKES: usize = 256;
/// Dossiers prepared for a second of measuring: above what two cores were seen to carry, 20,000. A measurement that uses them up
/// ends early and says the time it took.
const PREPARED_PER_SECOND: u64 = 30_000;
/// With few under way, a second cannot use up more than these for each of them.
const PREPARED_PER_FLIGHT: u64 = 3_000;

/// A caller with several connections, and one call for all acts over each.
pub(super) struct Bench {
    pub(super) calls: Vec<Arc<Acts>>,
    pub(super) payload: usize,
}

impl Bench {
    /// One measurement. `turn` keeps its idempotency keys apart from those of others.
    pub(super) async fn measure(
        &self,
        turn: u32,
        in_flight: u32,
        time: Duration,
    ) -> anyhow::Result<Measured> {
        let a_second = PREPARED_PER_SECOND.min(PREPARED_PER_FLIGHT * u64::from(in_flight));
        let count = a_second * time.as_secs();
        let payload = self.payload;
        let intakes = (0..count).map(move |n| (turn, n, payload)).collect();
        let (took, taken) = self.load(intakes, INTAKES, Duration::MAX, submit).await?;
        let submits_per_second = count as f64 / took.as_secs_f64();
        let offers = taken.into_iter().map(|(_, id)| (turn, id)).collect();
        let before = cpu_time()?;
        let (took, done) = self.load(offers, in_flight as usize, time, offer).await?;
        let cpu = cpu_time()? - before;
        let mut latencies: Vec<Duration> = done.into_iter().map(|(latency, ())| latency).collect();
        latencies.sort_unstable();
        let at = |q: f64| latencies[((latencies.len() - 1) as f64 * q) as usize].as_secs_f64() * 1e3;
        anyhow::ensure!(!latencies.is_empty(), "nothing was handed over");
        Ok(Measured {
            in_flight,
            hand_offs: latencies.len(),
            per_second: latencies.len() as f64 / took.as_secs_f64(),
            p50_ms: at(0.5),
            p99_ms: at(0.99),
            submits_per_second,
            cpu_us: cpu.as_secs_f64() * 1e6 / latencies.len() as f64,
        })
    }

    /// Does `one` for each item with so many at once until the time is over; the time taken, and each latency.
    async fn load<T, R, F>(
        &self,
        items: VecDeque<T>,
        at_once: usize,
        time: Duration,
        one: fn(Arc<Acts>, T) -> F,
    ) -> anyhow::Result<(Duration, Vec<(Duration, R)>)>
    where
        T: Send + 'static,
        R: Send + 'static,
        F: Future<Output = anyhow::Result<R>> + Send + 'static,
    {
        let queue = Arc::new(Mutex::new(items));
        let mut tasks = tokio::task::JoinSet::new();
        let started = Instant::now();
        for n in 0..at_once {
            let (call, queue) = (self.calls[n % self.calls.len()].clone(), queue.clone());
            tasks.spawn(async move {
                let mut done = Vec::new();
                while started.elapsed() < time {
                    let item = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                    let Some(item) = item else { break };
                    let began = Instant::now();
                    let result = one(call.clone(), item).await?;
                    done.push((began.elapsed(), result));
                }
                anyhow::Ok(done)
            });
        }
        let mut all = Vec::new();
        while let Some(done) = tasks.join_next().await {
            all.extend(done??);
        }
        Ok((started.elapsed(), all))
    }
}

/// Of this process so far, in user and system mode.
fn cpu_time() -> anyhow::Result<Duration> {
    let used = getrusage(UsageWho::RUSAGE_SELF).context("ask for the time of processors")?;
    let of = |t: TimeVal| Duration::from_micros(u64::try_from(t.num_microseconds()).unwrap_or_default());
    Ok(of(used.user_time()) + of(used.system_time()))
}

fn act(key: String) -> Option<v1::Act> {
    let officer = Some(v1::Officer { id: "do-toc-do".into(), name: "Đo tốc độ".into() });
    Some(v1::Act { agency: GIVER.into(), idempotency_key: key, officer })
}

async fn submit(call: Arc<Acts>, (turn, n, payload): (u32, u64, usize)) -> anyhow::Result<String> {
    let request = v1::SubmitDossierRequest {
        act: act(format!("s{turn}-{n}")),
        procedure_code: "1.001193".into(),
        channel: v1::Channel::Online as i32,
        content: vec![n as u8; payload].into(),
        ..Default::default()
    };
    Ok(call.perform(Act::Submit(request)).await?.dossier_id)
}

async fn offer(call: Arc<Acts>, (turn, id): (u32, String)) -> anyhow::Result<()> {
    let request = v1::OfferHandOffRequest {
        act: act(format!("o{turn}-{}", id.get(..32).unwrap_or(&id))),
        dossier: Some(v1::DossierRef { by: Some(v1::dossier_ref::By::Id(id)) }),
        to: RECEIVER.into(),
        kind: v1::HandOffKind::Forward as i32,
        wait_for: v1::AckLevel::Received as i32,
        wait_ms: 60_000,
        ..Default::default()
    };
    let done = call.perform(Act::Offer(request)).await?;
    anyhow::ensure!(done.level() >= v1::AckLevel::Received, "an offer was not received within a minute");
    Ok(())
}
