//! Mailboxes: take messages off, let their senders take turns, verify away from the loop, hand over.

use super::events::{Arrived, Opened};
use super::fair::{Fair, Spare, Turn};
use super::left::{Left, SOON};
use super::sent::Sent;
use bytes::Bytes;
use lienthong_core::custody::arrival::Arrival;
use lienthong_core::ids::AgencyId;
use lienthong_core::reason::Reason;
use lienthong_link::{Delivery, Mailbox};
use lienthong_runtime::{TraceContext, trace};
use lienthong_wire::directory::DirectoryFile;
use lienthong_wire::envelope::{Inbound, open_envelope, open_pack};
use lienthong_wire::verify::Verifier;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, Semaphore, mpsc};

/// Opened messages that may wait for the loop: few, so that what waits longer waits where senders take turns.
pub(crate) const WAITING: usize = 8;
/// Threads that verify: as many as there are processors, and one more than the first so that none can take all.
const WORKERS_MIN: usize = 2;
/// Bytes that are opened where they are: for a few small envelopes it takes as long to wake another thread and be woken by it
/// (measured: a twentieth of all processor time). More goes to a thread of its own, and holds up nothing else.
const AT_ONCE: usize = 8 << 10;
/// How often senders who have been quiet are forgotten.
const FORGET_EVERY: Duration = Duration::from_secs(60);

/// Whose share a message takes; none for all who are not in the directory together.
pub(crate) type Sender = Option<AgencyId>;

/// Where messages wait for their turn.
#[derive(Clone)]
pub(crate) struct Waiting {
    fair: Arc<Mutex<Fair<Sender, Delivery>>>,
    more: Arc<Notify>,
    left: Left,
    directory: Arc<DirectoryFile>,
    sent: Arc<Sent>,
}

impl Waiting {
    pub(crate) fn new(left: Left, directory: Arc<DirectoryFile>, sent: Arc<Sent>) -> Self {
        Self { fair: Arc::new(Mutex::new(Fair::new())), more: Arc::default(), left, directory, sent }
    }

    /// Whose share a message takes. Whoever is not in the directory can be anybody under any number of names: they have
    /// one share together.
    fn share_of(&self, from: &AgencyId) -> Sender {
        self.directory.agency(from).is_some().then(|| from.clone())
    }

    fn fair(&self) -> MutexGuard<'_, Fair<Sender, Delivery>> {
        self.fair.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads one mailbox. What finds no room to wait stays at the courier for a moment.
pub(crate) async fn read(mut mailbox: Mailbox, waiting: Waiting) {
    while let Some(deliveries) = mailbox.next().await {
        let now = Instant::now();
        let mut over = Vec::new();
        {
            let mut fair = waiting.fair();
            for delivery in deliveries {
                let (from, bytes) = (waiting.share_of(&delivery.from), delivery.bytes.len() as u64);
                over.extend(fair.push(now, &from, bytes, delivery));
            }
        }
        waiting.more.notify_one();
        for Delivery { from, to, bytes, ack, .. } in over {
            waiting.left.leave(&to, &waiting.share_of(&from), bytes.len() as u64, ack, SOON);
        }
    }
}

/// Opens what waits, turn by turn, until the loop ends.
pub(crate) async fn open_all(waiting: Waiting, verifier: Arc<Verifier>, loop_end: mpsc::Sender<Arrived>) {
    let count = std::thread::available_parallelism().map_or(WORKERS_MIN, |n| n.get().max(WORKERS_MIN));
    let workers = Arc::new(Semaphore::new(count));
    let mut forgotten = Instant::now();
    while let Ok(permit) = workers.clone().acquire_owned().await {
        if loop_end.is_closed() {
            return;
        }
        let now = Instant::now();
        if now.duration_since(forgotten) >= FORGET_EVERY {
            waiting.fair().forget(now);
            forgotten = now;
        }
        let spare = if workers.available_permits() > 0 { Spare::Yes } else { Spare::No };
        let turn = waiting.fair().next(now, spare);
        match turn {
            Turn::Of(from, messages, _) => {
                let (waiting, verifier, loop_end) = (waiting.clone(), verifier.clone(), loop_end.clone());
                tokio::spawn(async move {
                    let refused = open_some(messages, verifier, &loop_end, &waiting.sent).await;
                    waiting.fair().done(Instant::now(), &from, refused);
                    drop(permit);
                    waiting.more.notify_one();
                });
            }
            Turn::Later(pause) => {
                drop(permit);
                let _ = tokio::time::timeout(pause, waiting.more.notified()).await;
            }
            Turn::Nothing => {
                drop(permit);
                waiting.more.notified().await;
            }
        }
    }
}

/// Verifies messages of one sender, in order, and hands them over. How many envelopes were refused.
async fn open_some(
    messages: Vec<Delivery>,
    verifier: Arc<Verifier>,
    loop_end: &mpsc::Sender<Arrived>,
    sent: &Sent,
) -> usize {
    let bytes: usize = messages.iter().map(|d| d.bytes.len()).sum();
    let opening = move || messages.into_iter().map(|d| open(&verifier, d)).collect::<Vec<_>>();
    let opened = if bytes <= AT_ONCE {
        catch_unwind(AssertUnwindSafe(opening)).ok()
    } else {
        tokio::task::spawn_blocking(opening).await.ok()
    };
    // A message that is dropped comes again.
    let Some(opened) = opened else { return 0 };
    let mut refused = 0;
    for arrived in opened {
        let bad = arrived.envelopes.iter().filter(|e| e.arrival.is_err()).count();
        if bad < arrived.envelopes.len() {
            sent.heard(&(arrived.to.clone(), arrived.from.clone()));
        }
        refused += bad;
        if loop_end.send(arrived).await.is_err() {
            break;
        }
    }
    refused
}

fn open(verifier: &Verifier, delivery: Delivery) -> Arrived {
    let Delivery { from, to, bytes, ack, .. } = delivery;
    let envelopes = match open_pack(bytes.clone()) {
        Ok(envelopes) => envelopes.into_iter().map(|e| open_one(verifier, &from, e)).collect(),
        Err(reason) => vec![Opened { bytes, arrival: Err(reason) }],
    };
    Arrived { from, to, envelopes, ack }
}

/// What was kept in quarantine: an envelope, or a whole message that could not be read as one.
pub(crate) fn open_kept(verifier: &Verifier, from: &AgencyId, bytes: Bytes) -> Vec<Opened> {
    let opened = open_one(verifier, from, bytes.clone());
    if opened.arrival.as_ref().err() == Some(&Reason::Undecodable)
        && let Ok(envelopes) = open_pack(bytes)
        && !envelopes.is_empty()
    {
        return envelopes.into_iter().map(|e| open_one(verifier, from, e)).collect();
    }
    Vec::from([opened])
}

/// An envelope that crashes the decoder is poison like any other: it is kept aside, and the mailbox goes on.
pub(crate) fn open_one(verifier: &Verifier, from: &AgencyId, bytes: Bytes) -> Opened {
    let opening = AssertUnwindSafe(|| verified(verifier, from, bytes.clone()));
    let arrival = catch_unwind(opening).unwrap_or(Err(Reason::Undecodable));
    Opened { bytes, arrival: arrival.inspect_err(|reason| log(from, *reason)) }
}

fn verified(verifier: &Verifier, from: &AgencyId, bytes: Bytes) -> Result<Box<Arrival>, Reason> {
    open_envelope(verifier, from, bytes).map(|inbound| {
        if trace::is_exported() {
            show(&inbound);
        }
        Box::new(Arrival {
            from: inbound.from,
            statement: inbound.statement,
            certificate: inbound.certificate,
            content: inbound.content,
            trace: inbound.trace.map(Arc::new),
        })
    })
}

/// The mark of its arrival in the sender's trace.
fn show(inbound: &Inbound) {
    let span = tracing::info_span!("envelope", kind = inbound.statement.body.kind().name());
    if let Some(sent) =
        inbound.trace.as_ref().and_then(|t| TraceContext::parse(&t.traceparent, &t.tracestate))
    {
        trace::set_parent(&span, &sent);
    }
}

/// What becomes of it the loop says, and says it to people.
fn log(from: &AgencyId, reason: Reason) {
    tracing::debug!(%from, reason = reason.number(), "an envelope could not be opened");
}
