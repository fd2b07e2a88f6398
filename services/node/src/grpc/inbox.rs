//! The inbox: what came in for an agency, by page or as a stream, resumed by a cursor that is its ledger index.

use super::desk::Desk;
use super::parse::{self, Parsed};
use super::refusal::Refusal;
use crate::engine::queuer::Applied;
use crate::engine::rows;
use futures::stream::{BoxStream, StreamExt};
use lienthong_core::ids::AgencyId;
use lienthong_core::reason::Reason;
use lienthong_proto::v1;
use lienthong_store::queues::{Queues, QueuesError, Table};
use prost::Message;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

/// A stream of events.
pub(crate) type Events = BoxStream<'static, Result<v1::WatchInboxResponse, Status>>;

/// Rows looked at for one page of undecided offers: bounds the work of one call.
const LOOKED_AT: usize = 1_000;
/// Events a slow watcher may have waiting.
const BUFFERED: usize = 64;

/// `ListInbox`.
pub(crate) async fn list(desk: &Desk, r: v1::ListInboxRequest) -> Parsed<v1::ListInboxResponse> {
    let agency = hosted(desk, &r.agency).await?;
    let size = parse::page_size(r.page_size)?;
    desk.queues_level().await?;
    let queues = desk.records.queues.clone();
    let (after, undecided) = (r.after, r.undecided_only);
    let page = tokio::task::spawn_blocking(move || page(&queues, &agency, after, size, undecided)).await;
    match page {
        Ok(Ok(page)) => Ok(page),
        Ok(Err(error)) => Err(broken(&error)),
        Err(_) => Err(Reason::ShuttingDown.into()),
    }
}

fn page(
    queues: &Queues,
    agency: &AgencyId,
    after: Option<u64>,
    size: usize,
    undecided_only: bool,
) -> Result<v1::ListInboxResponse, QueuesError> {
    let prefix = rows::of_agency(agency);
    let start = after.map(|index| rows::record_key(agency, index));
    let limit = if undecided_only { LOOKED_AT } else { size };
    let found = queues.scan(Table::Inbox, &prefix, start.as_deref(), limit)?;
    let (mut events, mut next_after, looked) = (Vec::new(), after.unwrap_or(0), found.len());
    let mut more = looked == limit;
    for (_, value) in found {
        if events.len() == size {
            more = true;
            break;
        }
        let Some((number, mut event)) = rows::read_event(&value) else { continue };
        next_after = event.cursor;
        event.undecided = is_undecided(queues, agency, number, &event)?;
        if event.undecided || !undecided_only {
            events.push(event);
        }
    }
    Ok(v1::ListInboxResponse { events, next_after, more })
}

fn is_undecided(
    queues: &Queues,
    agency: &AgencyId,
    number: u64,
    event: &v1::InboxEvent,
) -> Result<bool, QueuesError> {
    if event.kind() != v1::InboxEventKind::Offered {
        return Ok(false);
    }
    let row = queues.get(Table::Dossiers, &rows::record_key(agency, number))?;
    let dossier = row.and_then(|bytes| v1::Dossier::decode(&bytes[..]).ok());
    Ok(dossier.is_some_and(|d| {
        d.phase() == v1::Phase::Inbox && d.hand_off.is_some_and(|h| h.id == event.hand_off_id)
    }))
}

/// `WatchInbox`: from the cursor on, without end.
pub(crate) async fn watch(desk: &Desk, r: v1::WatchInboxRequest) -> Parsed<Events> {
    let agency = hosted(desk, &r.agency).await?;
    let permit = desk.watchers.clone().try_acquire_owned().map_err(|_| Reason::Overloaded)?;
    let (out, events) = mpsc::channel(BUFFERED);
    let (queues, applied, stop) = (desk.records.queues.clone(), desk.applied.clone(), desk.stop.clone());
    tokio::spawn(async move {
        tokio::select! {
            () = follow(queues, applied, agency, r.after, &out) => {}
            () = stop.cancelled() => {
                let _ = out.try_send(Err(Refusal::from(Reason::ShuttingDown).into()));
            }
        }
        drop(permit);
    });
    Ok(ReceiverStream::new(events).boxed())
}

async fn follow(
    queues: Arc<Queues>,
    mut applied: Applied,
    agency: AgencyId,
    mut after: Option<u64>,
    out: &mpsc::Sender<Result<v1::WatchInboxResponse, Status>>,
) {
    loop {
        let (q, a, from) = (queues.clone(), agency.clone(), after);
        let page = tokio::task::spawn_blocking(move || page(&q, &a, from, BUFFERED, false)).await;
        let Ok(Ok(page)) = page else {
            let _ = out.send(Err(Refusal::from(Reason::StorageFailed).into())).await;
            return;
        };
        let came = !page.events.is_empty();
        for event in page.events {
            after = Some(event.cursor);
            if out.send(Ok(v1::WatchInboxResponse { event: Some(event) })).await.is_err() {
                return;
            }
        }
        if came {
            continue;
        }
        tokio::select! {
            more = applied.more() => if !more {
                let _ = out.send(Err(Refusal::from(Reason::StorageFailed).into())).await;
                return;
            },
            () = out.closed() => return,
        }
    }
}

async fn hosted(desk: &Desk, agency: &str) -> Parsed<AgencyId> {
    let agency = desk.known(parse::agency(agency, "agency")?, "agency")?;
    desk.look(agency.clone(), |_| Ok(())).await?;
    Ok(agency)
}

pub(crate) fn broken(error: &QueuesError) -> Refusal {
    tracing::error!(%error, "the queues cannot be read");
    Reason::StorageFailed.into()
}
