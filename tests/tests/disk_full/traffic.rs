//! Hand-offs in both directions that go on whatever happens to the disk, and what was told of each act.

use lienthong_proto::v1;
use lienthong_tests::{BOUND, Desk, Patience};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tokio::task::JoinHandle;
use tonic::Status;
use tonic_types::StatusExt;

/// What callers were told.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// Statements acknowledged, with their agency.
    pub(crate) done: Vec<(String, String)>,
    /// Acts refused for want of room.
    pub(crate) refused: usize,
}

impl Told {
    pub(crate) fn add(&mut self, other: Told) {
        self.done.extend(other.done);
        self.refused += other.refused;
    }
}

/// The reason of a refusal; empty when it has none of ours.
pub(crate) fn reason(status: &Status) -> String {
    status.get_details_error_info().map_or_else(String::new, |info| info.reason)
}

/// Journeys that run until they are told to end.
pub(crate) struct Traffic {
    end: Arc<AtomicBool>,
    acts: Arc<AtomicUsize>,
    runs: Vec<JoinHandle<Told>>,
}

/// Journeys side by side, in each direction.
const SIDE_BY_SIDE: usize = 3;

impl Traffic {
    pub(crate) fn start(a: &Desk, b: &Desk, round: usize) -> Self {
        let (end, acts) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let mut runs = Vec::new();
        for n in 0..SIDE_BY_SIDE {
            for (from, to) in [(a, b), (b, a)] {
                let run = Run {
                    from: from.clone(),
                    to: to.clone(),
                    name: format!("t{round}-{n}-{}", from.agency),
                    end: end.clone(),
                    acts: acts.clone(),
                    told: Told::default(),
                };
                runs.push(tokio::spawn(run.go()));
            }
        }
        Self { end, acts, runs }
    }

    /// Waits until so many acts are done.
    pub(crate) async fn until_done(&self, acts: usize) {
        let mut patience = Patience::new(BOUND, format!("{acts} acts are done"));
        while self.acts.load(Ordering::Relaxed) < acts {
            patience.look().await;
        }
    }

    /// Lets each journey come to its end.
    pub(crate) async fn finish(self) -> Told {
        self.end.store(true, Ordering::Relaxed);
        let mut told = Told::default();
        for run in self.runs {
            told.add(run.await.expect("a journey"));
        }
        told
    }
}

/// One act of an officer.
enum Act {
    Submit(Vec<u8>),
    Offer(String, String),
    Accept(String),
}

impl Act {
    async fn by(&self, desk: &Desk, key: &str) -> Result<v1::Done, Status> {
        match self {
            Act::Submit(content) => desk.submit(key, content).await,
            Act::Offer(id, to) => Ok(desk.offer(key, id, to).await?.done.unwrap_or_default()),
            Act::Accept(id) => desk.accept(key, id).await,
        }
    }
}

struct Run {
    from: Desk,
    to: Desk,
    name: String,
    end: Arc<AtomicBool>,
    acts: Arc<AtomicUsize>,
    told: Told,
}

impl Run {
    async fn go(mut self) -> Told {
        let (from, to) = (self.from.clone(), self.to.clone());
        // Around a page, a small paper, and one that goes into a commit of its own.
        let sizes = [500, 20_000, 200_000];
        for n in 0.. {
            if self.end.load(Ordering::Relaxed) {
                break;
            }
            let (name, content) = (format!("{}-{n}", self.name), vec![b'x'; sizes[n % sizes.len()]]);
            let id = self.until_done(&from, &Act::Submit(content), &format!("{name}-s")).await;
            self.until_done(&from, &Act::Offer(id.clone(), to.agency.clone()), &format!("{name}-o")).await;
            to.until(&id, v1::Phase::Inbox).await;
            self.until_done(&to, &Act::Accept(id), &format!("{name}-a")).await;
        }
        self.told
    }

    /// Repeats an act under its key until it is done. Only want of room, and a node that is away, may be in its way.
    async fn until_done(&mut self, desk: &Desk, act: &Act, key: &str) -> String {
        let mut patience = Patience::new(BOUND, format!("{key} is done"));
        loop {
            patience.look().await;
            let refused = match act.by(desk, key).await {
                Ok(done) => {
                    self.acts.fetch_add(1, Ordering::Relaxed);
                    self.told.done.push((desk.agency.clone(), done.statement_id));
                    return done.dossier_id;
                }
                Err(refused) => refused,
            };
            match (reason(&refused).as_str(), refused.code()) {
                ("LT510_STORAGE_FULL", _) => self.told.refused += 1,
                ("LT502_SHUTTING_DOWN" | "LT503_STORAGE_FAILED" | "", tonic::Code::Unavailable) => {}
                ("", tonic::Code::Unknown | tonic::Code::Cancelled | tonic::Code::Internal) => {}
                _ => panic!("{key} is refused for another reason: {refused:?}"),
            }
        }
    }
}
