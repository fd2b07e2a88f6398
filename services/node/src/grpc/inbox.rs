//! The inbox: what came in for an agency, by page or as a stream, resumed by a cursor that is its ledger index.

use super::desk::Desk;
use super::parse::{self, Parsed};
use super::refusal::Refusal;
use super::trail;
use crate::engine::news::{self, From, News};
use crate::engine::rows::{self, Numbered};
use futures::stream::{BoxStream, StreamExt};
use lienthong_core::custody::state::State;
use lienthong_core::ids::{AgencyId, LedgerIndex};
use lienthong_core::reason::Reason;
use lienthong_proto::v1;
use lienthong_store::queues::{QueuesError, Table};
use std::time::Instant;
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

/// Where events are from the queues, what they are from the ledger, and from the loop what has become of them.
async fn page(
    desk: &Desk,
    agency: &AgencyId,
    after: Option<u64>,
    size: usize,
    undecided_only: bool,
) -> Parsed<v1::ListInboxResponse> {
    let limit = if undecided_only { LOOKED_AT } else { size };
    let mut found = scan(desk, agency, rows::next(after), limit).await?;
    let mut more = found.len() == limit;
    let mut seen = found.last().map(|(index, _)| *index);
    if undecided_only {
        // In time nearly all are decided: those are not read.
        let undecided = move |state: &State| {
            found.retain(|(_, id)| news::may_be_undecided(state, id));
            Ok(found)
        };
        found = desk.look(agency.clone(), undecided).await?;
        if found.len() > size {
            found.truncate(size);
            (more, seen) = (true, found.last().map(|(index, _)| *index));
        }
    }
    let mut events = events(desk, agency, found.into_iter().map(|(index, _)| index).collect()).await?;
    events.retain(|event| event.undecided || !undecided_only);
    Ok(v1::ListInboxResponse { events, next_after: seen.or(after).unwrap_or(0), more })
}

async fn scan(desk: &Desk, agency: &AgencyId, from: u64, limit: usize) -> Parsed<Vec<Numbered>> {
    let (queues, at) = (desk.records.queues.clone(), agency.clone());
    let scan = move || rows::numbered(&queues, Table::Inbox, &at, from, limit);
    let found = tokio::task::spawn_blocking(scan).await.map_err(|_| Reason::ShuttingDown)?;
    found.map_err(|error| broken(&error))
}

/// Events of records that are news.
async fn events(desk: &Desk, agency: &AgencyId, places: Vec<u64>) -> Parsed<Vec<v1::InboxEvent>> {
    let at = agency.clone();
    let statements = trail::reading_now(desk, move |records| {
        let statement = |index| Ok((index, records.told(&at, LedgerIndex(index))?));
        places.into_iter().map(statement).collect::<Result<Vec<_>, _>>()
    });
    let statements = statements.await?;
    let news = move |state: &State| {
        let news = statements.into_iter().filter_map(|(index, record)| news::of(state, index, &record));
        Ok(news.collect::<Vec<_>>())
    };
    Ok(desk.look(agency.clone(), news).await?.into_iter().map(News::event).collect())
}

/// `WatchInbox`: from the cursor on, without end.
pub(crate) async fn watch(desk: &Desk, r: v1::WatchInboxRequest) -> Parsed<Events> {
    let agency = hosted(desk, &r.agency).await?;
    let permit = desk.watchers.clone().try_acquire_owned().map_err(|_| Reason::Overloaded)?;
    let (out, events) = mpsc::channel(BUFFERED);
    let (desk, stop) = (desk.clone(), desk.stop.clone());
    tokio::spawn(async move {
        let following = async {
            if let Err(refusal) = follow(&desk, &agency, r.after, &out).await {
                let _ = out.send(Err(refusal.into())).await;
            }
        };
        tokio::select! {
            () = following => {}
            () = stop.cancelled() => {
                let _ = out.try_send(Err(Refusal::from(Reason::ShuttingDown).into()));
            }
        }
        drop(permit);
    });
    Ok(ReceiverStream::new(events).boxed())
}

/// The newest events come from memory, right after they are durable, and those before from the queues.
async fn follow(
    desk: &Desk,
    agency: &AgencyId,
    mut after: Option<u64>,
    out: &mpsc::Sender<Result<v1::WatchInboxResponse, Status>>,
) -> Parsed<()> {
    let mut latest = desk.latest.get(agency).ok_or(Reason::AgencyNotHosted)?.clone();
    let mut is_level = false;
    loop {
        let known = latest.borrow_and_update().from(Instant::now(), rows::next(after), BUFFERED);
        let events = match known {
            From::Fresh(news) if news.is_empty() => {
                is_level = true;
                tokio::select! {
                    more = latest.changed() => more.map_err(|_| Reason::StorageFailed)?,
                    () = out.closed() => return Ok(()),
                }
                continue;
            }
            From::Fresh(news) if is_level => {
                after = news.last().map(|news| news.index);
                news.into_iter().map(News::event).collect()
            }
            // What came before this call may have been decided since.
            From::Fresh(news) => {
                after = news.last().map(|news| news.index);
                events(desk, agency, news.into_iter().map(|news| news.index).collect()).await?
            }
            From::Places(places) => {
                after = places.last().copied();
                events(desk, agency, places).await?
            }
            From::Behind(since) => {
                // The rows then tell of everything before that place.
                desk.queues_level().await?;
                let page = page(desk, agency, after, BUFFERED, false).await?;
                let before = if page.more { 0 } else { since.saturating_sub(1) };
                after = Some(page.next_after.max(before));
                page.events
            }
        };
        for event in events {
            if out.send(Ok(v1::WatchInboxResponse { event: Some(event) })).await.is_err() {
                return Ok(());
            }
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
