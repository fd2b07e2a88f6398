//! What an officer can do about an envelope in quarantine: look at it, release it, discard it.

use super::desk::Desk;
use super::node_service::{Ops, shape_quarantined};
use super::parse::{self, Acting, Parsed};
use super::refusal::Refusal;
use super::texts;
use crate::engine::events::Opened;
use crate::engine::incoming::open_kept;
use crate::engine::release::Release;
use bytes::Bytes;
use lienthong_core::ids::{AgencyId, LedgerIndex, WallMs};
use lienthong_core::node::Input;
use lienthong_core::reason::Reason;
use lienthong_core::record::{CommandRef, QuarantineSettled, Quarantined, Record, Settling};
use lienthong_proto::v1;
use prost::Message;

/// One in quarantine, with what its bytes say.
pub(super) async fn get(ops: &Ops, r: v1::GetQuarantinedRequest) -> Parsed<v1::GetQuarantinedResponse> {
    let desk = &ops.desk;
    let agency = desk.known(parse::agency(&r.agency, "agency")?, "agency")?;
    let index = LedgerIndex(r.ledger_index);
    let kept_now = desk.look(agency.clone(), move |state| Ok(state.is_quarantined(index))).await?;
    if !kept_now {
        return Err(Refusal::field(Reason::NotInQuarantine, "ledger_index"));
    }
    let kept = read(desk, &agency, index).await?;
    let envelope = shape_quarantined(index, Record::Quarantined(kept.clone()));
    let whole = kept.bytes.as_ref().is_some_and(|b| b.len() as u64 == kept.length);
    let mut told = v1::GetQuarantinedResponse { envelope, whole, ..Default::default() };
    let Some(bytes) = kept.bytes.clone() else { return Ok(told) };
    let opened = open(ops, &kept).await?;
    let refused = opened.iter().find_map(|o| o.arrival.as_ref().err()).copied();
    told.reason_now = refused.map_or(0, Reason::number);
    told.reason_now_name = refused.map_or_else(String::new, texts::name);
    if let Ok(envelope) = v1::Envelope::decode(&bytes[..]) {
        told.certificate_statements = envelope.certificate.len() as u32;
        told.content_bytes = envelope.content.map_or(0, |c| c.encoded_len() as u64);
        told.statement_type = envelope.statement.map_or_else(String::new, |s| s.r#type);
    }
    if let Some(arrival) = opened.iter().find_map(|o| o.arrival.as_ref().ok()) {
        told.statement_id = arrival.statement.sid().to_string();
        told.maker = arrival.statement.claim.agency.to_string();
        told.dossier_id = arrival.statement.track().map_or_else(String::new, |id| id.to_string());
    }
    Ok(told)
}

/// Lets one out: its bytes are processed as if they came now.
pub(super) async fn release(
    ops: &Ops,
    mut r: v1::ReleaseQuarantinedRequest,
) -> Parsed<v1::ReleaseQuarantinedResponse> {
    let desk = &ops.desk;
    let acting = desk.acting(&mut r.act)?;
    let call = acting.call("ReleaseQuarantined", &r);
    let why = parse::words(r.why, "why")?;
    let index = LedgerIndex(r.ledger_index);
    let agency = acting.agency.clone();
    known(desk, &agency, index, &call).await?;
    let kept = read(desk, &agency, index).await?;
    if kept.bytes.as_ref().is_none_or(|b| b.len() as u64 != kept.length) {
        // A part of an envelope is none.
        return Err(Refusal::field(Reason::EnvelopeTooLarge, "ledger_index"));
    }
    let envelopes = open(ops, &kept).await?;
    let settled = settled(acting, call, index, Settling::Released, why);
    let released = desk.handle.release(|reply| Release {
        agency,
        settled,
        from: kept.from.clone(),
        sha256: kept.sha256,
        envelopes,
        reply,
    });
    let released = released.await?;
    Ok(v1::ReleaseQuarantinedResponse {
        ledger_index: released.done.index.0,
        repeated_call: released.done.repeated,
        reason: released.refused.map_or(0, Reason::number),
        reason_name: released.refused.map_or_else(String::new, texts::name),
    })
}

/// Leaves one at that.
pub(super) async fn discard(
    ops: &Ops,
    mut r: v1::DiscardQuarantinedRequest,
) -> Parsed<v1::DiscardQuarantinedResponse> {
    let desk = &ops.desk;
    let acting = desk.acting(&mut r.act)?;
    let call = acting.call("DiscardQuarantined", &r);
    let why = parse::words(r.why, "why")?;
    let (agency, index) = (acting.agency.clone(), LedgerIndex(r.ledger_index));
    let settled = settled(acting, call, index, Settling::Discarded, why);
    let done = desk.handle.input(agency, Input::Settle(settled)).await?;
    Ok(v1::DiscardQuarantinedResponse { ledger_index: done.index.0, repeated_call: done.repeated })
}

fn settled(
    acting: Acting,
    command: CommandRef,
    index: LedgerIndex,
    settling: Settling,
    why: String,
) -> QuarantineSettled {
    QuarantineSettled { index, settling, officer: acting.officer, why, command, at: WallMs(0) }
}

/// Whether there is such a one, or was when the same call came before.
async fn known(desk: &Desk, agency: &AgencyId, index: LedgerIndex, call: &CommandRef) -> Parsed<()> {
    let key = call.key.clone();
    let known = desk.look(agency.clone(), move |state| {
        Ok(state.is_quarantined(index) || state.commands.contains_key(&key))
    });
    if known.await? { Ok(()) } else { Err(Refusal::field(Reason::NotInQuarantine, "ledger_index")) }
}

async fn read(desk: &Desk, agency: &AgencyId, index: LedgerIndex) -> Parsed<Quarantined> {
    let agency = agency.clone();
    let record = super::trail::reading(desk, move |records| records.record(&agency, index)).await?;
    match record {
        Record::Quarantined(kept) => Ok(kept),
        _ => Err(Refusal::field(Reason::NotInQuarantine, "ledger_index")),
    }
}

/// Verifies the bytes again, away from the async threads.
async fn open(ops: &Ops, kept: &Quarantined) -> Parsed<Vec<Opened>> {
    let (verifier, from) = (ops.verifier.clone(), kept.from.clone());
    let bytes = kept.bytes.clone().map(Bytes::from_owner).unwrap_or_default();
    let opening = tokio::task::spawn_blocking(move || open_kept(&verifier, &from, bytes));
    opening.await.map_err(|_| Reason::ShuttingDown.into())
}
