//! The inbox: what came in for an agency, by page or as a stream, resumed by a cursor that is its ledger index.

use super::desk::Desk;
use super::parse::{self, Parsed};
use super::refusal::Refusal;
use crate::engine::rows;
use futures::stream::{BoxStream, StreamExt};
use lienthong_core::custody::state::State;
use lienthong_core::custody::track::Phase;
use lienthong_core::custody::tracks::Kept;
use lienthong_core::ids::{AgencyId, Digest};
use lienthong_core::reason::Reason;
use lienthong_proto::v1;
use lienthong_store::queues::{Queues, QueuesError, Table};
use prost::Message;
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
    page(desk, &agency, r.after, size, r.undecided_only).await
}

/// Events from the queues, off the loop; from it, which of them wait for a decision.
async fn page(
    desk: &Desk,
    agency: &AgencyId,
    after: Option<u64>,
    size: usize,
    undecided_only: bool,
) -> Parsed<v1::ListInboxResponse> {
    let (queues, at) = (desk.records.queues.clone(), agency.clone());
    let limit = if undecided_only { LOOKED_AT } else { size };
    let found = tokio::task::spawn_blocking(move || scan(&queues, &at, after, limit)).await;
    let found = found.map_err(|_| Reason::ShuttingDown)?.map_err(|error| broken(&error))?;
    let mut more = found.len() == limit;
    let found = desk.look(agency.clone(), move |state| Ok(with_decisions(state, found))).await?;
    let (mut events, mut next_after) = (Vec::new(), after.unwrap_or(0));
    for event in found {
        if events.len() == size {
            more = true;
            break;
        }
        next_after = event.cursor;
        if event.undecided || !undecided_only {
            events.push(event);
        }
    }
    Ok(v1::ListInboxResponse { events, next_after, more })
}

fn scan(
    queues: &Queues,
    agency: &AgencyId,
    after: Option<u64>,
    limit: usize,
) -> Result<Vec<v1::InboxEvent>, QueuesError> {
    let start = after.map(|index| rows::record_key(agency, index));
    let found = queues.scan(Table::Inbox, &rows::of_agency(agency), start.as_deref(), limit)?;
    Ok(found.iter().filter_map(|(_, value)| v1::InboxEvent::decode(&value[..]).ok()).collect())
}

fn with_decisions(state: &State, mut events: Vec<v1::InboxEvent>) -> Vec<v1::InboxEvent> {
    for event in &mut events {
        event.undecided = event.kind() == v1::InboxEventKind::Offered && is_undecided(state, event);
    }
    events
}

fn is_undecided(state: &State, event: &v1::InboxEvent) -> bool {
    let (Some(dossier), Some(tid)) =
        (Digest::parse_hex(&event.dossier_id), Digest::parse_hex(&event.hand_off_id))
    else {
        return false;
    };
    // What is closed waits for nobody.
    matches!(state.tracks.kept(&dossier), Some(Kept::Open(track)) if track.phase == Phase::Inbox(tid))
}

/// `WatchInbox`: from the cursor on, without end.
pub(crate) async fn watch(desk: &Desk, r: v1::WatchInboxRequest) -> Parsed<Events> {
    let agency = hosted(desk, &r.agency).await?;
    let permit = desk.watchers.clone().try_acquire_owned().map_err(|_| Reason::Overloaded)?;
    let (out, events) = mpsc::channel(BUFFERED);
    let (desk, stop) = (desk.clone(), desk.stop.clone());
    tokio::spawn(async move {
        tokio::select! {
            () = follow(&desk, &agency, r.after, &out) => {}
            () = stop.cancelled() => {
                let _ = out.try_send(Err(Refusal::from(Reason::ShuttingDown).into()));
            }
        }
        drop(permit);
    });
    Ok(ReceiverStream::new(events).boxed())
}

async fn follow(
    desk: &Desk,
    agency: &AgencyId,
    mut after: Option<u64>,
    out: &mpsc::Sender<Result<v1::WatchInboxResponse, Status>>,
) {
    let mut applied = desk.applied.clone();
    loop {
        let page = match page(desk, agency, after, BUFFERED, false).await {
            Ok(page) => page,
            Err(refusal) => {
                let _ = out.send(Err(refusal.into())).await;
                return;
            }
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
