//! The dispatcher: durable statements become envelopes, envelopes become packs, packs go to the link.
//!
//! Whatever fails here is only late: the outbox row stays, and the courier sends it again.

use super::events::Event;
use super::handle::Handle;
use super::queuer::Applied;
use super::records::{ReadError, Records};
use lienthong_core::delivery::courier::Trouble;
use lienthong_core::ids::AgencyId;
use lienthong_core::node::{Dispatch, Lane};
use lienthong_core::record::StatementRecord;
use lienthong_core::statement::Statement;
use lienthong_link::{Link, SendError};
use lienthong_runtime::Metrics;
use lienthong_wire::envelope::{Letter, PackBuilder, encode_envelope};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::runtime;
use tokio::sync::{Semaphore, mpsc};

/// Groups of dispatches that may wait. When the courier is away they are dropped here and resent later.
pub(crate) const WAITING: usize = 64;
/// Messages at the courier without its answer.
const IN_FLIGHT: usize = 64;

type Route = (AgencyId, AgencyId, Lane);

/// Everything the dispatcher needs.
pub(crate) struct Dispatcher {
    pub(crate) records: Records,
    pub(crate) applied: Applied,
    pub(crate) link: Link,
    pub(crate) handle: Handle,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) runtime: runtime::Handle,
}

impl Dispatcher {
    /// Runs on its own thread until the loop lets go of its end.
    pub(crate) fn run(&self, mut dispatches: mpsc::Receiver<Vec<Dispatch>>) {
        let in_flight = Arc::new(Semaphore::new(IN_FLIGHT));
        while let Some(mut group) = dispatches.blocking_recv() {
            while let Ok(more) = dispatches.try_recv() {
                group.extend(more);
            }
            for (route, packs) in self.pack(&group) {
                for pack in packs {
                    let permit = self.runtime.block_on(in_flight.clone().acquire_owned());
                    let Ok(permit) = permit else { return };
                    let (link, handle, route) = (self.link.clone(), self.handle.clone(), route.clone());
                    self.runtime.spawn(async move {
                        send(&link, &handle, route, pack).await;
                        drop(permit);
                    });
                }
            }
        }
    }

    fn pack(&self, group: &[Dispatch]) -> BTreeMap<Route, Vec<bytes::Bytes>> {
        let mut open: BTreeMap<Route, (Vec<bytes::Bytes>, PackBuilder)> = BTreeMap::new();
        for dispatch in group {
            let envelope = match self.envelope_in_time(dispatch) {
                Ok(envelope) => envelope,
                Err(error) => {
                    tracing::error!(%error, to = %dispatch.to, "a statement cannot be read to be sent");
                    continue;
                }
            };
            let route = (dispatch.from.clone(), dispatch.to.clone(), dispatch.lane);
            let (full, builder) = open.entry(route).or_default();
            if !builder.push(&envelope) {
                full.push(std::mem::take(builder).finish());
                if !builder.push(&envelope) {
                    tracing::error!(to = %dispatch.to, bytes = envelope.len(), "an envelope is above the limit");
                }
            }
        }
        let finish = |(mut full, last): (Vec<_>, PackBuilder)| {
            if !last.is_empty() {
                full.push(last.finish());
            }
            full
        };
        open.into_iter().map(|(route, packs)| (route, finish(packs))).collect()
    }

    /// What is too large for the cache is found through the queues, which may be a moment behind.
    fn envelope_in_time(&self, dispatch: &Dispatch) -> Result<Vec<u8>, ReadError> {
        match self.envelope(dispatch) {
            Err(ReadError::NoPlace { .. }) => {
                self.runtime.block_on(self.applied.clone().caught_up());
                self.envelope(dispatch)
            }
            other => other,
        }
    }

    fn envelope(&self, dispatch: &Dispatch) -> Result<Vec<u8>, ReadError> {
        let from = &dispatch.from;
        let record = self.records.statement(from, dispatch.statement)?;
        let certificate: Vec<Arc<StatementRecord>> = dispatch
            .certificate
            .iter()
            .map(|i| self.records.statement(from, *i))
            .collect::<Result<_, _>>()?;
        let content = match dispatch.content {
            Some(index) => self.records.statement(from, index)?.content.clone(),
            None => None,
        };
        let spine: Vec<&Statement> = certificate.iter().map(|r| &*r.statement).collect();
        let kind = record.statement.body.kind().name();
        self.metrics.sent(kind, 1);
        if dispatch.attempts > 0 {
            self.metrics.resent(kind, 1);
        }
        Ok(encode_envelope(&Letter {
            statement: &record.statement,
            certificate: &spine,
            content: content.as_deref(),
            trace: record.trace.as_deref(),
        }))
    }
}

async fn send(link: &Link, handle: &Handle, (from, to, lane): Route, pack: bytes::Bytes) {
    let lane = match lane {
        Lane::Offer => lienthong_link::Lane::Offer,
        Lane::Answer => lienthong_link::Lane::Answer,
        Lane::Ctl => lienthong_link::Lane::Ctl,
    };
    let trouble = match link.send(&from, &to, lane, pack).await {
        Ok(()) => return,
        Err(SendError::NoMailbox) => Trouble::NoMailbox,
        Err(SendError::MailboxFull) => Trouble::MailboxFull,
        Err(SendError::Unreachable(why)) => {
            tracing::debug!(%why, "the courier cannot be reached");
            Trouble::Unreachable
        }
        Err(error @ SendError::TooLarge { .. }) => {
            tracing::error!(%error, "a pack is larger than the link takes");
            return;
        }
    };
    // Only a remark for operators: when the loop is full it is not missed.
    let _ = handle.send(Event::Trouble { agency: from, peer: to, trouble });
}
