//! From signed bytes to the core's facts: every size, id and choice is checked, and what is not exactly as the contract
//! says is refused. Only the verifier and the replay of the own ledger come here.

use super::{recovery, types};
use crate::limits as wire;
use crate::scan;
use bytes::Bytes;
use lienthong_core::authority::reclaim::Reclaim;
use lienthong_core::authority::succeed::Succeed;
use lienthong_core::authority::{Retire, WHY_BYTES};
use lienthong_core::ids::{AgencyId, Digest, Head, Hop, Incarnation, LedgerIndex, Sid, WallMs};
use lienthong_core::limits;
use lienthong_core::reason::Reason;
use lienthong_core::statement as core;
use lienthong_core::statement::{
    Body, Channel, Claim, HandOffKind, Kind, RefusalCause, Resolution, Sealed, Statement,
};
use lienthong_proto::v1;
use prost::Message;
use std::sync::Arc;

type Parsed<T> = Result<T, Reason>;

const MALFORMED: Reason = Reason::MalformedStatement;

/// Parses a body. `sid` is that of (type, body); `proof` is kept as it is.
pub(crate) fn parse(type_name: &str, sid: Sid, body: Bytes, proof: Arc<[u8]>) -> Parsed<Statement> {
    let kind = types::kind_of(type_name).ok_or(Reason::UnknownStatementType)?;
    if body.len() > wire::BODY_BYTES {
        return Err(MALFORMED);
    }
    let (claim, facts) = facts(kind, &body)?;
    Ok(Statement { claim, body: facts, sealed: Sealed { sid, body: Arc::from(&body[..]), proof } })
}

fn facts(kind: Kind, body: &Bytes) -> Parsed<(Claim, Body)> {
    match kind {
        Kind::Intake => intake(body),
        Kind::Note => {
            let m: v1::Note = message(body)?;
            let note = core::Note { track: digest(&m.track)?, prev: digest(&m.prev)?, text: text(m.text)? };
            Ok((claim(m.claim)?, Body::Note(note)))
        }
        Kind::Offer => offer(body),
        Kind::Received => {
            at_most(body, 2, limits::BATCHED_ANSWERS)?;
            let m: v1::Received = message(body)?;
            let items = m.items.iter().map(received).collect::<Parsed<_>>()?;
            Ok((claim(m.claim)?, Body::Received(items)))
        }
        Kind::Accept => {
            let m: v1::Accept = message(body)?;
            let (track, tid) = (digest(&m.track)?, digest(&m.tid)?);
            let accept = core::Accept { track, tid, hop: hop(m.hop)?, note: text(m.note)? };
            Ok((claim(m.claim)?, Body::Accept(accept)))
        }
        Kind::Refuse => refuse(body),
        Kind::Cancel => {
            let m: v1::Cancel = message(body)?;
            let cancel =
                core::Cancel { track: digest(&m.track)?, tid: digest(&m.tid)?, reason: text(m.reason)? };
            Ok((claim(m.claim)?, Body::Cancel(cancel)))
        }
        Kind::Ack => {
            at_most(body, 2, limits::BATCHED_ANSWERS)?;
            let m: v1::Ack = message(body)?;
            let items = m.items.iter().map(ack).collect::<Parsed<_>>()?;
            Ok((claim(m.claim)?, Body::Ack(items)))
        }
        Kind::Completed => completed(body),
        Kind::Returned => {
            let m: v1::Returned = message(body)?;
            let (track, prev) = (digest(&m.track)?, digest(&m.prev)?);
            let returned = core::Returned { track, prev, channel: channel(m.channel)?, note: text(m.note)? };
            Ok((claim(m.claim)?, Body::Returned(returned)))
        }
        Kind::Checkpoint => {
            let m: v1::Checkpoint = message(body)?;
            Ok((claim(m.claim)?, Body::Checkpoint { purpose: text(m.purpose)? }))
        }
        Kind::Recovery => {
            recovery::bounded(body)?;
            let m: v1::Recovery = message(body)?;
            Ok((claim(m.claim)?, Body::Recovery(recovery::word(m.word.ok_or(MALFORMED)?)?)))
        }
        Kind::Retire => retire(body),
        Kind::Reclaim => reclaim(body),
        Kind::Succeed => succeed(body),
    }
}

fn intake(body: &Bytes) -> Parsed<(Claim, Body)> {
    at_most(body, 8, limits::PAPERS)?;
    let m: v1::Intake = message(body)?;
    let intake = core::Intake {
        code: bounded(m.dossier_code, limits::CODE_BYTES)?,
        procedure: bounded(m.procedure_code, limits::PROCEDURE_BYTES)?,
        procedure_version: m.procedure_version,
        channel: channel(m.channel)?,
        content: m.content.map(commitment).transpose()?,
        due_at: m.due_at_ms.map(WallMs),
        papers: m.paper_items.into_iter().map(paper).collect::<Parsed<_>>()?,
        parent: optional_digest(&m.parent)?,
    };
    Ok((claim(m.claim)?, Body::Intake(intake)))
}

fn offer(body: &Bytes) -> Parsed<(Claim, Body)> {
    at_most(body, 11, limits::PAPERS)?;
    let m: v1::Offer = message(body)?;
    let offer = core::Offer {
        track: digest(&m.track)?,
        prev: digest(&m.prev)?,
        hop: hop(m.hop)?,
        to: agency(&m.to)?,
        kind: hand_off(m.kind)?,
        procedure: bounded(m.procedure_code, limits::PROCEDURE_BYTES)?,
        procedure_version: m.procedure_version,
        step: bounded(m.step, limits::STEP_BYTES)?,
        due_at: m.due_at_ms.map(WallMs),
        papers: m.paper_items.into_iter().map(paper).collect::<Parsed<_>>()?,
        content: m.content.map(commitment).transpose()?,
        note: text(m.note)?,
    };
    Ok((claim(m.claim)?, Body::Offer(offer)))
}

fn refuse(body: &Bytes) -> Parsed<(Claim, Body)> {
    let m: v1::Refuse = message(body)?;
    let refuse = core::Refuse {
        track: digest(&m.track)?,
        tid: digest(&m.tid)?,
        hop: hop(m.hop)?,
        cause: match v1::RefusalCause::try_from(m.cause).map_err(|_| MALFORMED)? {
            v1::RefusalCause::Unspecified | v1::RefusalCause::Reclaimed | v1::RefusalCause::Succeeded => {
                return Err(MALFORMED);
            }
            v1::RefusalCause::Officer => RefusalCause::Officer,
            v1::RefusalCause::Recalled => RefusalCause::Recalled,
            v1::RefusalCause::Policy => RefusalCause::Policy,
        },
        reason: text(m.reason)?,
    };
    Ok((claim(m.claim)?, Body::Refuse(refuse)))
}

fn completed(body: &Bytes) -> Parsed<(Claim, Body)> {
    let m: v1::Completed = message(body)?;
    let completed = core::Completed {
        track: digest(&m.track)?,
        prev: digest(&m.prev)?,
        resolution: match v1::Resolution::try_from(m.resolution).map_err(|_| MALFORMED)? {
            v1::Resolution::Unspecified => return Err(MALFORMED),
            v1::Resolution::Resolved => Resolution::Resolved,
            v1::Resolution::Denied => Resolution::Denied,
            v1::Resolution::Withdrawn => Resolution::Withdrawn,
            v1::Resolution::Stopped => Resolution::Stopped,
        },
        note: text(m.note)?,
    };
    Ok((claim(m.claim)?, Body::Completed(completed)))
}

fn retire(body: &Bytes) -> Parsed<(Claim, Body)> {
    let m: v1::Retire = message(body)?;
    let successor = if m.successor.is_empty() { None } else { Some(agency(&m.successor)?) };
    let retire = Retire { agency: agency(&m.agency)?, successor, why: bounded(m.why, WHY_BYTES)? };
    if retire.successor.as_ref() == Some(&retire.agency) {
        return Err(MALFORMED);
    }
    Ok((claim(m.claim)?, Body::Retire(retire)))
}

fn reclaim(body: &Bytes) -> Parsed<(Claim, Body)> {
    let m: v1::Reclaim = message(body)?;
    let (track, tid) = (digest(&m.track)?, digest(&m.tid)?);
    let reclaim = Reclaim { track, tid, hop: hop(m.hop)?, act: digest(&m.act)? };
    Ok((claim(m.claim)?, Body::Reclaim(reclaim)))
}

fn succeed(body: &Bytes) -> Parsed<(Claim, Body)> {
    let m: v1::Succeed = message(body)?;
    let (track, prev) = (digest(&m.track)?, digest(&m.prev)?);
    // Nothing needs to have been offered.
    let hop = if m.hop == 0 { Hop(0) } else { hop(m.hop)? };
    let succeed = Succeed { track, prev, hop, act: digest(&m.act)? };
    Ok((claim(m.claim)?, Body::Succeed(succeed)))
}

fn claim(claim: Option<v1::Claim>) -> Parsed<Claim> {
    let m = claim.ok_or(MALFORMED)?;
    Ok(Claim {
        agency: agency(&m.agency)?,
        incarnation: Incarnation(m.incarnation),
        index: LedgerIndex(m.ledger_index),
        head: Head { size: m.head_size, hash: digest(&m.head)? },
        made_at: WallMs(m.made_at_ms),
        epoch: m.directory_epoch,
        officer: m.officer.map(officer).transpose()?,
    })
}

pub(crate) fn officer(m: v1::Officer) -> Parsed<core::Officer> {
    Ok(core::Officer {
        id: bounded(m.id, limits::OFFICER_BYTES)?,
        name: bounded(m.name, limits::OFFICER_BYTES)?,
    })
}

fn message<M: Message + Default>(body: &Bytes) -> Parsed<M> {
    M::decode(body.clone()).map_err(|_| MALFORMED)
}

fn at_most(body: &Bytes, field: u32, limit: usize) -> Parsed<()> {
    let count = scan::count(body, field).map_err(|_| MALFORMED)?;
    if count > limit { Err(MALFORMED) } else { Ok(()) }
}

pub(crate) fn bounded(text: String, limit: usize) -> Parsed<String> {
    if text.len() > limit { Err(MALFORMED) } else { Ok(text) }
}

fn text(text: String) -> Parsed<String> {
    bounded(text, limits::TEXT_BYTES)
}

pub(crate) fn agency(text: &str) -> Parsed<AgencyId> {
    AgencyId::parse(text).ok_or(MALFORMED)
}

pub(crate) fn digest(bytes: &Bytes) -> Parsed<Digest> {
    bytes[..].try_into().map(Digest).map_err(|_| MALFORMED)
}

fn optional_digest(bytes: &Bytes) -> Parsed<Option<Digest>> {
    if bytes.is_empty() { Ok(None) } else { digest(bytes).map(Some) }
}

/// Hops are counted from 1; what is above the limit was never offered by a sound node.
fn hop(number: u32) -> Parsed<Hop> {
    if (1..=limits::HOPS).contains(&number) { Ok(Hop(number)) } else { Err(MALFORMED) }
}

fn received(m: &v1::ReceivedItem) -> Parsed<core::ReceivedItem> {
    Ok(core::ReceivedItem { tid: digest(&m.tid)?, commitment: optional_digest(&m.commitment)? })
}

fn ack(m: &v1::AckItem) -> Parsed<core::AckItem> {
    Ok(core::AckItem { track: digest(&m.track)?, sid: digest(&m.sid)? })
}

fn commitment(m: v1::ContentCommitment) -> Parsed<core::Commitment> {
    if m.length > limits::CONTENT_BYTES as u64 {
        return Err(MALFORMED);
    }
    let format = bounded(m.format, wire::FORMAT_BYTES)?;
    Ok(core::Commitment { format, digest: digest(&m.commitment)?, length: m.length })
}

fn paper(m: v1::PaperItem) -> Parsed<core::PaperItem> {
    Ok(core::PaperItem { name: bounded(m.name, limits::PAPER_BYTES)?, copies: m.copies })
}

fn channel(number: i32) -> Parsed<Channel> {
    match v1::Channel::try_from(number).map_err(|_| MALFORMED)? {
        v1::Channel::Unspecified => Err(MALFORMED),
        v1::Channel::Counter => Ok(Channel::Counter),
        v1::Channel::Online => Ok(Channel::Online),
        v1::Channel::Post => Ok(Channel::Post),
    }
}

fn hand_off(number: i32) -> Parsed<HandOffKind> {
    match v1::HandOffKind::try_from(number).map_err(|_| MALFORMED)? {
        v1::HandOffKind::Unspecified => Err(MALFORMED),
        v1::HandOffKind::Forward => Ok(HandOffKind::Forward),
        v1::HandOffKind::Return => Ok(HandOffKind::Return),
        v1::HandOffKind::Consult => Ok(HandOffKind::Consult),
        v1::HandOffKind::Answer => Ok(HandOffKind::Answer),
        v1::HandOffKind::Supplement => Ok(HandOffKind::Supplement),
        v1::HandOffKind::Result => Ok(HandOffKind::Result),
        v1::HandOffKind::Misrouted => Ok(HandOffKind::Misrouted),
        v1::HandOffKind::ReHome => Ok(HandOffKind::ReHome),
    }
}
