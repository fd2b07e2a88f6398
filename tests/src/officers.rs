//! Officers who do not give up: each carries one dossier after another around all agencies and home again, and calls
//! again, under the same idempotency key, whatever happens to nodes and courier meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use lienthong_proto::v1;
use tokio::task::JoinSet;
use tonic::{Code, Status};

use crate::desk::Desk;
use crate::wait::{Patience, eventually};

/// What one act may take until it is answered, on a loaded machine with everything being killed again and again.
pub const LONG: Duration = Duration::from_secs(180);
/// What one call may take: a node that is stopped or cut off answers nothing, and the officer calls again.
const CALL: Duration = Duration::from_secs(12);
/// How long a call waits at the node for the other side.
const WAIT_MS: u32 = 4_000;
/// One hand-off of so many is refused before it is offered again and accepted.
const REFUSED_EVERY: usize = 10;

/// The officers of some agencies at work.
#[derive(Debug)]
pub struct Officers {
    name: String,
    desks: Vec<Desk>,
    /// Whom they carry to, in turn: places among the desks.
    seats: Vec<usize>,
    content: Vec<u8>,
    limit: usize,
    next: AtomicUsize,
    calls: AtomicU64,
    handed: AtomicU64,
    resting: AtomicBool,
}

/// A dossier that came home and was closed: every act of it was acknowledged.
#[derive(Clone, Debug)]
pub struct Carried {
    /// Its id.
    pub id: String,
    /// Where it was taken in: the place in the list of agencies.
    pub home: usize,
    /// What was done along the way, in order.
    pub steps: Vec<(&'static str, usize)>,
}

/// One act on the spine: what, and by which agency.
pub(crate) type Step = (&'static str, usize);

/// What an officer wants.
#[derive(Clone, Copy)]
enum Deed<'a> {
    Submit(&'a [u8]),
    Offer { id: &'a str, to: &'a str, level: v1::AckLevel },
    Accept(&'a str),
    Refuse(&'a str),
    Complete(&'a str),
    Return(&'a str),
}

impl Officers {
    /// Officers at these desks. They carry at most `limit` dossiers with this content.
    pub fn new(desks: Vec<Desk>, content: Vec<u8>, limit: usize) -> Arc<Self> {
        let seats = (0..desks.len()).collect();
        Self::among("all", desks, seats, content, limit)
    }

    /// The same, but they carry among some of the desks only: others may be silent meanwhile. The name sets their
    /// idempotency keys apart from those of other officers.
    pub fn among(
        name: &str,
        desks: Vec<Desk>,
        seats: Vec<usize>,
        content: Vec<u8>,
        limit: usize,
    ) -> Arc<Self> {
        let (next, calls, handed) = Default::default();
        let (name, resting) = (name.to_owned(), AtomicBool::new(false));
        Arc::new(Self { name, desks, seats, content, limit, next, calls, handed, resting })
    }

    /// So many officers begin. Each ends when all dossiers are taken, or when told to rest.
    pub fn begin(self: &Arc<Self>, carriers: usize) -> JoinSet<Vec<Carried>> {
        (0..carriers).map(|_| self.clone().carry_on()).collect()
    }

    /// Calls made so far, answered or not: time as the officers know it.
    pub fn calls(&self) -> u64 {
        self.calls.load(Relaxed)
    }

    /// Hand-offs whose acceptance was acknowledged.
    pub fn handed(&self) -> u64 {
        self.handed.load(Relaxed)
    }

    /// No new dossier is taken in from now on.
    pub fn rest(&self) {
        self.resting.store(true, Relaxed);
    }

    /// Waits until so many hand-offs are done.
    pub async fn until_handed(&self, at: u64) {
        let reached = async || (self.handed() >= at).then_some(());
        eventually(LONG, &format!("{at} hand-offs are done"), reached).await;
    }

    /// Waits until so many calls were made.
    pub async fn until_calls(&self, at: u64) {
        let reached = async || (self.calls() >= at).then_some(());
        eventually(LONG, &format!("{at} calls were made"), reached).await;
    }

    async fn carry_on(self: Arc<Self>) -> Vec<Carried> {
        let mut carried = Vec::new();
        while !self.resting.load(Relaxed) {
            let n = self.next.fetch_add(1, Relaxed);
            if n >= self.limit {
                break;
            }
            carried.push(self.around(n).await);
        }
        carried
    }

    /// One dossier from its home through all seats and home again.
    async fn around(&self, n: usize) -> Carried {
        let count = self.seats.len();
        let home = self.seats[n % count];
        let key = |what: &str, hop: usize| format!("{}-{what}-{n}-{hop}", self.name);
        let done = self.insist(home, &key("submit", 0), Deed::Submit(&self.content)).await;
        let id = done.dossier_id;
        let mut steps = vec![("intake", home)];
        for hop in 0..count {
            let (from, to) = (self.seats[(n + hop) % count], self.seats[(n + hop + 1) % count]);
            if hop + 1 == count {
                self.insist(from, &key("complete", hop), Deed::Complete(&id)).await;
                steps.push(("completed", from));
            }
            let name = &self.desks[to].agency;
            let offer = |level| Deed::Offer { id: &id, to: name, level };
            if (n * count + hop) % REFUSED_EVERY == REFUSED_EVERY - 1 {
                let first = key("first", hop);
                self.insist(from, &first, offer(v1::AckLevel::Received)).await;
                self.insist(to, &key("refuse", hop), Deed::Refuse(&id)).await;
                self.insist(from, &first, offer(v1::AckLevel::Decided)).await;
                steps.extend([("offer", from), ("refuse", to)]);
            }
            self.insist(from, &key("offer", hop), offer(v1::AckLevel::Received)).await;
            self.insist(to, &key("accept", hop), Deed::Accept(&id)).await;
            self.handed.fetch_add(1, Relaxed);
            steps.extend([("offer", from), ("accept", to)]);
        }
        self.insist(home, &key("return", count), Deed::Return(&id)).await;
        steps.push(("returned", home));
        Carried { id, home, steps }
    }

    /// Calls until it is answered, each time under the same key. A refusal is a failure.
    async fn insist(&self, who: usize, key: &str, deed: Deed<'_>) -> v1::Done {
        let desk = &self.desks[who];
        let mut patience = Patience::new(LONG, format!("{key} is answered at {}", desk.agency));
        loop {
            patience.look().await;
            self.calls.fetch_add(1, Relaxed);
            match tokio::time::timeout(CALL, once(desk, key, deed)).await {
                Ok(Ok(done)) if deed.is_content_with(&done) => return done,
                Ok(Ok(_)) | Err(_) => {}
                Ok(Err(status)) if is_passing(&status) => {}
                Ok(Err(status)) => panic!("{key} at {}: {status}", desk.agency),
            }
        }
    }
}

impl Deed<'_> {
    fn is_content_with(self, done: &v1::Done) -> bool {
        match self {
            Deed::Offer { level, .. } => done.level() >= level,
            _ => true,
        }
    }
}

async fn once(desk: &Desk, key: &str, deed: Deed<'_>) -> Result<v1::Done, Status> {
    match deed {
        Deed::Submit(content) => desk.submit(key, content).await,
        Deed::Offer { id, to, level } => {
            let answer = desk.offer_until(key, id, to, level, WAIT_MS).await?;
            answer.done.ok_or_else(|| Status::data_loss("an answer without `done`"))
        }
        Deed::Accept(id) => desk.accept(key, id).await,
        Deed::Refuse(id) => desk.refuse(key, id, "Thiếu giấy tờ").await,
        Deed::Complete(id) => desk.complete(key, id).await,
        Deed::Return(id) => desk.return_result(key, id).await,
    }
}

/// Every refusal carries details, and what the transport says does not; a node that is full or on its way out says
/// that one may come again.
fn is_passing(status: &Status) -> bool {
    status.details().is_empty() || matches!(status.code(), Code::ResourceExhausted | Code::Unavailable)
}
