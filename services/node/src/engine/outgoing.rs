//! The dispatcher: durable statements become envelopes, envelopes become packs, packs go to the link.
//!
//! Whatever fails here is only late: the outbox row stays, and the courier sends it again.

use super::enclosure::{Enclosure, With};
use super::events::Event;
use super::flow::Flow;
use super::handle::Handle;
use super::queuer::Applied;
use super::records::{ReadError, Records};
use super::sent::{Pair, Sent};
use lienthong_core::delivery::courier::Trouble;
use lienthong_core::ids::{AgencyId, LedgerIndex};
use lienthong_core::node::{Dispatch, Lane};
use lienthong_link::{Link, SendError};
use lienthong_runtime::Metrics;
use lienthong_wire::envelope::{Enclosed, Letter, PackBuilder, encode_envelope};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::{Semaphore, mpsc};

/// Groups of dispatches that may wait; windows bound the rows in them. Beyond it they are dropped here and resent later.
/// Answers are not resent by us, and cost their peer a resend and seconds: so there is room for the commits of a minute.
pub(crate) const WAITING: usize = 4_096;
/// Messages at the courier without its answer; how many bytes is for [`Flow`] to say.
const IN_FLIGHT: usize = 64;

/// Bytes of envelopes that are made on the loop's threads before others there have their turn: well below a millisecond.
const AT_ONCE: usize = 128 << 10;

/// Dispatches that wait for the line before no more are taken: the windows of sixteen peers.
const BACKLOG: usize = 8_192;

/// What is to be sent, and when that was decided.
pub(crate) type Due = (Instant, Vec<Dispatch>);

type Route = (AgencyId, AgencyId, Lane);

/// Everything the dispatcher needs.
pub(crate) struct Dispatcher {
    pub(crate) records: Records,
    pub(crate) applied: Applied,
    pub(crate) link: Link,
    pub(crate) handle: Handle,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) flow: Arc<Flow>,
    pub(crate) sent: Arc<Sent>,
}

/// What waits for the line. Answers go first: they are small, and whoever waits for one sends its offer again.
#[derive(Default)]
struct Waiting {
    answers: VecDeque<Dispatch>,
    others: VecDeque<Dispatch>,
}

impl Waiting {
    fn is_empty(&self) -> bool {
        self.answers.is_empty() && self.others.is_empty()
    }

    fn next(&mut self) -> Option<Dispatch> {
        self.answers.pop_front().or_else(|| self.others.pop_front())
    }

    /// Takes back what was the next.
    fn put_back(&mut self, dispatch: Dispatch) {
        match dispatch.lane {
            Lane::Answer => self.answers.push_front(dispatch),
            Lane::Offer | Lane::Ctl => self.others.push_front(dispatch),
        }
    }
}

/// Where statements are read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ReadFrom {
    /// In memory, where what was just made durable is: nobody waits.
    Memory,
    /// In the ledger, if need be.
    Disk,
}

/// Envelopes of one message, and the rows they are of.
#[derive(Default)]
struct Pack {
    bytes: PackBuilder,
    length: usize,
    rows: Vec<LedgerIndex>,
}

impl Dispatcher {
    /// Runs until the loop lets go of its end. On the loop's own threads: few under way, to wake another thread and be woken
    /// by it would take longer than the work.
    pub(crate) async fn run(self, mut dispatches: mpsc::Receiver<Due>) {
        let this = Arc::new(self);
        let in_flight = Arc::new(Semaphore::new(IN_FLIGHT));
        let mut waiting = Waiting::default();
        loop {
            if waiting.is_empty() {
                this.sent.forget();
                let Some(due) = dispatches.recv().await else { return };
                this.take(due, &mut waiting);
            }
            while waiting.others.len() < BACKLOG
                && let Ok(due) = dispatches.try_recv()
            {
                this.take(due, &mut waiting);
            }
            let mut routes = this.pack(&mut waiting, ReadFrom::Memory);
            if routes.is_empty() {
                let reading = this.clone();
                let read = tokio::task::spawn_blocking(move || {
                    let routes = reading.pack(&mut waiting, ReadFrom::Disk);
                    (routes, waiting)
                });
                // It ends otherwise only by a panic, and then the node does.
                let Ok(read) = read.await else { return };
                (routes, waiting) = read;
            }
            for (route, packs) in routes {
                for pack in packs {
                    let Ok(permit) = in_flight.clone().acquire_owned().await else { return };
                    let pass = this.flow.enter(pack.length).await;
                    let (link, handle, route) = (this.link.clone(), this.handle.clone(), route.clone());
                    let sent = this.sent.clone();
                    tokio::spawn(async move {
                        let (from, to, lane) = route;
                        let pair = (from, to);
                        let is_taken = send(&link, &handle, &sent, &pair, lane, pack.bytes.finish()).await;
                        pass.answered(is_taken);
                        sent.answered(&pair, &pack.rows, is_taken);
                        drop(permit);
                    });
                }
            }
        }
    }

    /// Without resends of what has not even left yet, or only just: a slow line would carry nothing else.
    fn take(&self, (at, due): Due, waiting: &mut Waiting) {
        for dispatch in due {
            let pair = pair(&dispatch);
            if dispatch.attempts > 0 && self.sent.is_under_way(&pair, dispatch.statement, at) {
                continue;
            }
            self.sent.leave(&pair, dispatch.statement);
            match dispatch.lane {
                Lane::Answer => waiting.answers.push_back(dispatch),
                Lane::Offer | Lane::Ctl => waiting.others.push_back(dispatch),
            }
        }
    }

    /// Packs of what goes next: as much as the line takes at a time, so that answers need not wait long. From memory it ends
    /// before what is not there.
    fn pack(&self, waiting: &mut Waiting, from: ReadFrom) -> BTreeMap<Route, Vec<Pack>> {
        let mut open: BTreeMap<Route, (Vec<Pack>, Pack)> = BTreeMap::new();
        let most = match from {
            ReadFrom::Memory => self.flow.pack_bytes().min(AT_ONCE),
            ReadFrom::Disk => self.flow.pack_bytes(),
        };
        let mut taken = 0;
        while taken < most
            && let Some(dispatch) = waiting.next()
        {
            let envelope = match self.envelope(&dispatch, from) {
                Ok(envelope) => envelope,
                Err(ReadError::NoPlace { .. }) if from == ReadFrom::Memory => {
                    waiting.put_back(dispatch);
                    break;
                }
                Err(error) => {
                    tracing::error!(%error, to = %dispatch.to, "a statement cannot be read to be sent");
                    self.sent.answered(&pair(&dispatch), &[dispatch.statement], false);
                    continue;
                }
            };
            let route = (dispatch.from.clone(), dispatch.to.clone(), dispatch.lane);
            let (full, pack) = open.entry(route).or_default();
            if pack.length + envelope.len() > most && pack.length > 0 || !pack.bytes.push(&envelope) {
                full.push(std::mem::take(pack));
                if !pack.bytes.push(&envelope) {
                    tracing::error!(to = %dispatch.to, bytes = envelope.len(), "an envelope is above the limit");
                    self.sent.answered(&pair(&dispatch), &[dispatch.statement], false);
                    continue;
                }
            }
            taken += envelope.len();
            pack.length += envelope.len();
            pack.rows.push(dispatch.statement);
        }
        let finish = |(mut full, last): (Vec<Pack>, Pack)| {
            full.push(last);
            full.retain(|pack| !pack.bytes.is_empty());
            full
        };
        open.into_iter().map(|(route, packs)| (route, finish(packs))).collect()
    }

    fn envelope(&self, dispatch: &Dispatch, from: ReadFrom) -> Result<Vec<u8>, ReadError> {
        let read = |index: LedgerIndex| {
            let with = if dispatch.content == Some(index) { With::Content } else { With::Nothing };
            match from {
                ReadFrom::Memory => {
                    let recent = self.records.recent.get(&dispatch.from, index.0).map(Enclosure::Recent);
                    recent.ok_or_else(|| ReadError::NoPlace { agency: dispatch.from.clone(), index })
                }
                ReadFrom::Disk => self.read_in_time(&dispatch.from, index, with),
            }
        };
        let statement = read(dispatch.statement)?;
        let certificate: Vec<Enclosure> =
            dispatch.certificate.iter().map(|index| read(*index)).collect::<Result<_, _>>()?;
        let elsewhere;
        let content = match dispatch.content {
            // Mostly it lies with a statement that was read just now.
            Some(index) => match dispatch.certificate.iter().position(|of| *of == index) {
                Some(at) => certificate[at].content(),
                None => {
                    elsewhere = read(index)?;
                    elsewhere.content()
                }
            },
            None => None,
        };
        let spine: Vec<Enclosed<'_>> = certificate.iter().map(Enclosure::enclosed).collect();
        let trace = statement.trace()?;
        let statement = statement.enclosed();
        let kind = statement.kind.name();
        self.metrics.sent(kind, 1);
        if dispatch.attempts > 0 {
            self.metrics.resent(kind, 1);
        }
        let trace = trace.as_deref();
        Ok(encode_envelope(&Letter { statement, certificate: &spine, content, trace }))
    }
}

impl Dispatcher {
    /// What is too large for the memory is found through the queues, which may be a moment behind.
    fn read_in_time(
        &self,
        agency: &AgencyId,
        index: LedgerIndex,
        with: With,
    ) -> Result<Enclosure, ReadError> {
        match self.records.enclosure(agency, index, with) {
            Err(ReadError::NoPlace { .. }) => {
                tokio::runtime::Handle::current().block_on(self.applied.clone().caught_up());
                self.records.enclosure(agency, index, with)
            }
            other => other,
        }
    }
}

fn pair(dispatch: &Dispatch) -> Pair {
    (dispatch.from.clone(), dispatch.to.clone())
}

/// Tells the loop each time the courier can be reached again. What waits then is not left to pauses of minutes.
pub(crate) async fn tell_reconnects(link: Link, handle: Handle, sent: Arc<Sent>) {
    let mut times = 0;
    loop {
        times = link.came_up(times).await;
        sent.doubt();
        if !handle.send_in_turn(Event::Reconnected).await {
            return;
        }
    }
}

/// Whether the courier took it; the loop is told why not, and when it does again.
async fn send(
    link: &Link,
    handle: &Handle,
    sent: &Sent,
    pair: &Pair,
    lane: Lane,
    pack: bytes::Bytes,
) -> bool {
    let lane = match lane {
        Lane::Offer => lienthong_link::Lane::Offer,
        Lane::Answer => lienthong_link::Lane::Answer,
        Lane::Ctl => lienthong_link::Lane::Ctl,
    };
    let (from, to) = pair;
    let trouble = match link.send(from, to, lane, pack).await {
        Ok(()) => {
            let through = || Event::Through { agency: from.clone(), peer: to.clone() };
            if sent.is_through_again(pair) && handle.send(through()).is_err() {
                sent.refused(pair); // the loop is full: with the next one
            }
            return true;
        }
        Err(SendError::NoMailbox) => Trouble::NoMailbox,
        Err(SendError::MailboxFull) => Trouble::MailboxFull,
        Err(SendError::Unreachable(why)) => {
            tracing::debug!(%why, "the courier cannot be reached");
            Trouble::Unreachable
        }
        Err(error @ SendError::TooLarge { .. }) => {
            tracing::error!(%error, "a pack is larger than the link takes");
            return false;
        }
    };
    sent.refused(pair);
    // Only a remark for operators: when the loop is full it is not missed.
    let _ = handle.send(Event::Trouble { agency: from.clone(), peer: to.clone(), trouble });
    false
}
