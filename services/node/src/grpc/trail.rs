//! Trails, contents and evidence files.

use super::desk::Desk;
use super::parse::{self, Acting, Parsed};
use super::refusal::Refusal;
use super::shape;
use crate::engine::Records;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use lienthong_core::custody::command::Act;
use lienthong_core::custody::spine::Walk;
use lienthong_core::custody::state::State;
use lienthong_core::custody::track::{Entry, Track};
use lienthong_core::ids::{AgencyId, LedgerIndex};
use lienthong_core::node::Input;
use lienthong_core::reason::Reason;
use lienthong_core::statement::{Body, Statement};
use lienthong_proto::v1;
use lienthong_wire::content;
use prost::Message;
use std::collections::BTreeSet;
use tonic::Status;

/// Pieces of an evidence file.
pub(crate) type Pieces = BoxStream<'static, Result<v1::ExportTrailResponse, Status>>;

/// Bytes of one piece: well below every client's message limit.
const PIECE: usize = 64 << 10;
/// Links of an exported chain: 32 MB of hashes. A trail that spans more needs a Merkle proof, which is not there yet.
const LINKS: u64 = 1_000_000;

/// A place in a trail: the record, and whether it is on the spine.
type Place = (LedgerIndex, bool);

/// Places of everything about a track in trail order: the spine, each statement followed by what answers it, then what
/// floats because a copy before it is not here yet. Acts of the authority that the spine rests on lie behind the intake.
fn places(state: &State, track: &Track) -> Vec<Place> {
    let mut order = Vec::new();
    let mut done = BTreeSet::new();
    for index in state.certificate_to(track, &track.standing().tip).unwrap_or_default() {
        if !track.entries.iter().any(|e| e.index == index) {
            order.push((index, true));
        } else if let Some(entry) = track.entries.iter().find(|e| e.index == index) {
            beside(track, entry, true, &mut order, &mut done);
        }
    }
    for entry in &track.entries {
        beside(track, entry, false, &mut order, &mut done);
    }
    order
}

fn beside(
    track: &Track,
    entry: &Entry,
    on_spine: bool,
    order: &mut Vec<Place>,
    done: &mut BTreeSet<LedgerIndex>,
) {
    let mut push = |index: LedgerIndex, spine: bool| {
        if done.insert(index) {
            order.push((index, spine));
        }
    };
    push(entry.index, on_spine);
    if let Some(transfer) = track.transfers.get(&entry.sid) {
        transfer.receipt.into_iter().chain(transfer.cancel).for_each(|i| push(i, false));
    }
    entry.answer.into_iter().for_each(|i| push(i, false));
}

/// `GetTrail`.
pub(crate) async fn get(desk: &Desk, r: v1::GetTrailRequest) -> Parsed<v1::GetTrailResponse> {
    let agency = desk.known(parse::agency(&r.agency, "agency")?, "agency")?;
    let id = desk.track(&agency, parse::dossier(r.dossier)?).await?;
    let (dossier, places) = desk
        .look(agency.clone(), move |state| {
            let track = state.track(&id).ok_or(Reason::DossierNotFound)?;
            Ok((shape::dossier(state, &id, track), places(state, track)))
        })
        .await?;
    let read = reading(desk, move |records| {
        places
            .into_iter()
            .map(|(i, spine)| Ok((i, spine, records.statement(&agency, i)?.statement.clone())))
            .collect()
    });
    let statements: Vec<(LedgerIndex, bool, std::sync::Arc<Statement>)> = read.await?;
    let mut walk: Option<Walk> = None;
    let entries = statements.into_iter().map(|(index, spine, statement)| {
        let on_spine = spine
            && match &mut walk {
                None => Walk::begin(&statement).map(|w| walk = Some(w)).is_ok(),
                Some(walk) => walk.step(&statement).is_ok(),
            }
            && !matches!(statement.body, Body::Retire(_)); // the walk has to know it all the same
        v1::TrailEntry {
            statement_id: statement.sid().to_string(),
            ledger_index: index.0,
            statement: Some(lienthong_wire::statement::to_proto(&statement)),
            custodian: walk.as_ref().map_or_else(String::new, |w| w.holder.to_string()),
            on_spine,
        }
    });
    Ok(v1::GetTrailResponse { dossier: Some(dossier), entries: entries.collect() })
}

/// `ReadContent`: the reading is durable before the bytes are given.
pub(crate) async fn read_content(desk: &Desk, r: v1::ReadContentRequest) -> Parsed<v1::ReadContentResponse> {
    let agency = desk.known(parse::agency(&r.agency, "agency")?, "agency")?;
    let officer = parse::officer(r.officer.as_ref(), &parse::READING)?;
    let purpose = parse::words(r.purpose, "purpose")?;
    let track = desk.track(&agency, parse::dossier(r.dossier)?).await?;
    let place = desk.look(agency.clone(), move |state| {
        state.track(&track).map(|t| t.content).ok_or(Reason::DossierNotFound)
    });
    let Some(index) = place.await? else { return Ok(v1::ReadContentResponse { content: None }) };
    desk.handle.input(agency.clone(), Input::Read { track, officer, purpose }).await?;
    let record = reading(desk, move |records| records.statement(&agency, index)).await?;
    let content = match &record.content {
        Some(bytes) => {
            let open = content::open(Bytes::copy_from_slice(bytes))?;
            let salt = Bytes::copy_from_slice(&open.salt);
            Some(v1::Content { format: open.format, salt, data: open.data })
        }
        None => None,
    };
    Ok(v1::ReadContentResponse { content })
}

/// `ExportTrail`: the chain from the first record about the track to a checkpoint made for this export.
pub(crate) async fn export(desk: &Desk, acting: Acting, r: v1::ExportTrailRequest) -> Parsed<Pieces> {
    let call = acting.call("ExportTrail", &r);
    let agency = acting.agency.clone();
    let track = desk.track_of(&agency, parse::dossier(r.dossier)?, &call).await?;
    // Looking waits until all of it is durable, so that the checkpoint's head, which is the last durable one, covers it.
    let shown = desk
        .look(agency.clone(), move |state| {
            let known = state.track(&track).ok_or(Reason::DossierNotFound)?;
            Ok(places(state, known).into_iter().map(|(i, _)| i.0).collect::<BTreeSet<u64>>())
        })
        .await?;
    let done = desk.command(acting, call, Act::Attest { purpose: "trail export".to_owned() }).await?;
    let span = shown.first().and_then(|first| done.ledger_index.checked_sub(*first));
    if span.is_none_or(|links| links > LINKS) {
        return Err(Reason::TrailTooLarge.into());
    }
    desk.queues_level().await?;
    let directory = desk.directory_toml.clone();
    let read = reading(desk, move |records| links(records, &agency, &shown, done.ledger_index));
    let (agency, first, links) = read.await?;
    let evidence = v1::Evidence {
        format: 1,
        agency: agency.to_string(),
        track: Bytes::copy_from_slice(&track.0),
        directory: directory.to_string(),
        first_index: first.0,
        first_prev: first.1,
        links,
    };
    let bytes = Bytes::from(evidence.encode_to_vec());
    let starts = (0..bytes.len()).step_by(PIECE);
    let pieces: Vec<_> = starts
        .map(|at| Ok(v1::ExportTrailResponse { piece: bytes.slice(at..bytes.len().min(at + PIECE)) }))
        .collect();
    Ok(stream::iter(pieces).boxed())
}

type Links = (AgencyId, (u64, Bytes), Vec<v1::Link>);

fn links(
    records: &Records,
    agency: &AgencyId,
    shown: &BTreeSet<u64>,
    last: u64,
) -> Result<Links, crate::engine::records::ReadError> {
    let first = shown.first().copied().unwrap_or(last);
    let mut first_prev = Bytes::new();
    let mut links = Vec::new();
    for index in first..=last {
        let stored = records.meta(agency, LedgerIndex(index))?;
        if index == first {
            first_prev = Bytes::copy_from_slice(&stored.prev.0);
        }
        let kind = if shown.contains(&index) || index == last {
            let proof = v1::Proof::decode(stored.proof).ok();
            v1::link::Kind::Shown(v1::ShownRecord { payload: stored.payload, proof })
        } else {
            let hash = lienthong_wire::chain::payload_hash(&stored.payload);
            v1::link::Kind::PayloadHash(Bytes::copy_from_slice(&hash.0))
        };
        links.push(v1::Link { kind: Some(kind) });
    }
    Ok((agency.clone(), (first, first_prev), links))
}

/// Reads records away from the async threads.
pub(crate) async fn reading<T: Send + 'static>(
    desk: &Desk,
    read: impl FnOnce(&Records) -> Result<T, crate::engine::records::ReadError> + Send + 'static,
) -> Parsed<T> {
    // While the rows are behind, what is read may still be known: to decide, an officer has to read.
    if !desk.applied.are_behind() {
        desk.queues_level().await?;
    }
    reading_now(desk, read).await
}

/// The same without waiting for the rows: of what they were waited for, or of what is so new that its place is in memory.
pub(crate) async fn reading_now<T: Send + 'static>(
    desk: &Desk,
    read: impl FnOnce(&Records) -> Result<T, crate::engine::records::ReadError> + Send + 'static,
) -> Parsed<T> {
    let (records, behind) = (desk.records.clone(), desk.applied.are_behind());
    match tokio::task::spawn_blocking(move || read(&records)).await {
        Ok(Ok(read)) => Ok(read),
        Ok(Err(_)) if behind => Err(Refusal::from(Reason::StorageFull)),
        Ok(Err(error)) => {
            tracing::error!(%error, "a record cannot be read");
            Err(Refusal::from(Reason::StorageFailed))
        }
        Err(_) => Err(Reason::ShuttingDown.into()),
    }
}
