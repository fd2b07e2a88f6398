//! From the core's facts to the bytes that are signed. The same facts always give the same bytes: prost writes fields in
//! the order of their numbers and none of our messages has a map.

use super::{recovery, types};
use bytes::Bytes;
use lienthong_core::codec::Codec;
use lienthong_core::ids::Digest;
use lienthong_core::statement as core;
use lienthong_core::statement::{Body, Channel, Claim, HandOffKind, RefusalCause, Resolution, Sealed};
use lienthong_proto::v1;
use prost::Message;

/// The codec the core decides with: protobuf bodies, DSSE ids.
#[derive(Clone, Copy, Debug, Default)]
pub struct WireCodec;

impl Codec for WireCodec {
    fn seal(&self, claim: &Claim, body: &Body) -> Sealed {
        let bytes = encode(claim, body);
        Sealed {
            sid: types::sid(types::type_name(body.kind()), &bytes),
            body: bytes.into(),
            proof: [].into(),
        }
    }
}

/// A statement as it travels: its bytes verbatim. The proof is absent when it cannot be decoded, which the ledger's
/// checksums rule out.
pub fn to_proto(statement: &core::Statement) -> v1::SignedStatement {
    v1::SignedStatement {
        r#type: types::type_name(statement.body.kind()).to_owned(),
        body: Bytes::from_owner(statement.sealed.body.clone()),
        proof: v1::Proof::decode(&statement.sealed.proof[..]).ok(),
    }
}

fn encode(claim: &Claim, body: &Body) -> Vec<u8> {
    let claim = Some(of_claim(claim));
    match body {
        Body::Intake(b) => intake(claim, b).encode_to_vec(),
        Body::Note(b) => {
            v1::Note { claim, track: hash(b.track), prev: hash(b.prev), text: b.text.clone() }.encode_to_vec()
        }
        Body::Offer(b) => offer(claim, b).encode_to_vec(),
        Body::Received(items) => {
            v1::Received { claim, items: items.iter().map(received).collect() }.encode_to_vec()
        }
        Body::Accept(b) => {
            let note = b.note.clone();
            v1::Accept { claim, track: hash(b.track), tid: hash(b.tid), hop: b.hop.0, note }.encode_to_vec()
        }
        Body::Refuse(b) => v1::Refuse {
            claim,
            track: hash(b.track),
            tid: hash(b.tid),
            hop: b.hop.0,
            cause: of_cause(b.cause) as i32,
            reason: b.reason.clone(),
        }
        .encode_to_vec(),
        Body::Cancel(b) => {
            v1::Cancel { claim, track: hash(b.track), tid: hash(b.tid), reason: b.reason.clone() }
                .encode_to_vec()
        }
        Body::Ack(items) => {
            let item = |i: &core::AckItem| v1::AckItem { track: hash(i.track), sid: hash(i.sid) };
            v1::Ack { claim, items: items.iter().map(item).collect() }.encode_to_vec()
        }
        Body::Completed(b) => v1::Completed {
            claim,
            track: hash(b.track),
            prev: hash(b.prev),
            resolution: of_resolution(b.resolution) as i32,
            note: b.note.clone(),
        }
        .encode_to_vec(),
        Body::Returned(b) => v1::Returned {
            claim,
            track: hash(b.track),
            prev: hash(b.prev),
            channel: of_channel(b.channel) as i32,
            note: b.note.clone(),
        }
        .encode_to_vec(),
        Body::Checkpoint { purpose } => v1::Checkpoint { claim, purpose: purpose.clone() }.encode_to_vec(),
        Body::Recovery(word) => v1::Recovery { claim, word: Some(recovery::of_word(word)) }.encode_to_vec(),
        Body::Reclaim(b) => {
            v1::Reclaim { claim, track: hash(b.track), tid: hash(b.tid), hop: b.hop.0, act: hash(b.act) }
                .encode_to_vec()
        }
        Body::Succeed(b) => {
            v1::Succeed { claim, track: hash(b.track), prev: hash(b.prev), hop: b.hop.0, act: hash(b.act) }
                .encode_to_vec()
        }
        Body::Retire(b) => v1::Retire {
            claim,
            agency: b.agency.as_str().into(),
            successor: b.successor.as_ref().map(|s| s.as_str().into()).unwrap_or_default(),
            why: b.why.clone(),
        }
        .encode_to_vec(),
    }
}

fn of_claim(claim: &Claim) -> v1::Claim {
    v1::Claim {
        agency: claim.agency.as_str().into(),
        incarnation: claim.incarnation.0,
        ledger_index: claim.index.0,
        head_size: claim.head.size,
        head: hash(claim.head.hash),
        made_at_ms: claim.made_at.0,
        directory_epoch: claim.epoch,
        officer: claim.officer.as_ref().map(of_officer),
    }
}

pub(crate) fn of_officer(officer: &core::Officer) -> v1::Officer {
    v1::Officer { id: officer.id.clone(), name: officer.name.clone() }
}

fn intake(claim: Option<v1::Claim>, b: &core::Intake) -> v1::Intake {
    v1::Intake {
        claim,
        dossier_code: b.code.clone(),
        procedure_code: b.procedure.clone(),
        procedure_version: b.procedure_version,
        channel: of_channel(b.channel) as i32,
        content: b.content.as_ref().map(commitment),
        due_at_ms: b.due_at.map(|at| at.0),
        paper_items: b.papers.iter().map(paper).collect(),
        parent: b.parent.map(hash).unwrap_or_default(),
    }
}

fn offer(claim: Option<v1::Claim>, b: &core::Offer) -> v1::Offer {
    v1::Offer {
        claim,
        track: hash(b.track),
        prev: hash(b.prev),
        hop: b.hop.0,
        to: b.to.as_str().into(),
        kind: of_hand_off(b.kind) as i32,
        procedure_code: b.procedure.clone(),
        procedure_version: b.procedure_version,
        step: b.step.clone(),
        due_at_ms: b.due_at.map(|at| at.0),
        paper_items: b.papers.iter().map(paper).collect(),
        content: b.content.as_ref().map(commitment),
        note: b.note.clone(),
    }
}

fn received(item: &core::ReceivedItem) -> v1::ReceivedItem {
    v1::ReceivedItem { tid: hash(item.tid), commitment: item.commitment.map(hash).unwrap_or_default() }
}

fn commitment(c: &core::Commitment) -> v1::ContentCommitment {
    v1::ContentCommitment { format: c.format.clone(), commitment: hash(c.digest), length: c.length }
}

fn paper(item: &core::PaperItem) -> v1::PaperItem {
    v1::PaperItem { name: item.name.clone(), copies: item.copies }
}

pub(crate) fn hash(digest: Digest) -> Bytes {
    Bytes::copy_from_slice(&digest.0)
}

fn of_channel(channel: Channel) -> v1::Channel {
    match channel {
        Channel::Counter => v1::Channel::Counter,
        Channel::Online => v1::Channel::Online,
        Channel::Post => v1::Channel::Post,
    }
}

fn of_hand_off(kind: HandOffKind) -> v1::HandOffKind {
    match kind {
        HandOffKind::Forward => v1::HandOffKind::Forward,
        HandOffKind::Return => v1::HandOffKind::Return,
        HandOffKind::Consult => v1::HandOffKind::Consult,
        HandOffKind::Answer => v1::HandOffKind::Answer,
        HandOffKind::Supplement => v1::HandOffKind::Supplement,
        HandOffKind::Result => v1::HandOffKind::Result,
        HandOffKind::Misrouted => v1::HandOffKind::Misrouted,
        HandOffKind::ReHome => v1::HandOffKind::ReHome,
    }
}

fn of_cause(cause: RefusalCause) -> v1::RefusalCause {
    match cause {
        RefusalCause::Officer => v1::RefusalCause::Officer,
        RefusalCause::Recalled => v1::RefusalCause::Recalled,
        RefusalCause::Policy => v1::RefusalCause::Policy,
        RefusalCause::Reclaimed => v1::RefusalCause::Reclaimed,
        RefusalCause::Succeeded => v1::RefusalCause::Succeeded,
    }
}

fn of_resolution(resolution: Resolution) -> v1::Resolution {
    match resolution {
        Resolution::Resolved => v1::Resolution::Resolved,
        Resolution::Denied => v1::Resolution::Denied,
        Resolution::Withdrawn => v1::Resolution::Withdrawn,
        Resolution::Stopped => v1::Resolution::Stopped,
    }
}
