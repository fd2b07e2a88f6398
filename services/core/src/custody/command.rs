//! What an officer asks, and whether it may be done. Deciding changes nothing.

use super::state::State;
use super::track::{Phase, Track};
use super::{Draft, Make};
use crate::code::{self, DossierCode};
use crate::directory::Directory;
use crate::ids::{AgencyId, Hop, Sid, Tid, TrackId, WallMs};
use crate::limits;
use crate::reason::{Reason, Rejection};
use crate::record::{CommandRef, TraceContext};
use crate::statement::{
    Accept, Body, Cancel, Channel, Commitment, Completed, HandOffKind, Intake, Note, Offer, Officer,
    PaperItem, RefusalCause, Refuse, Resolution, Returned,
};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// An intent of an officer. It may be refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// Idempotency key and digest of the request.
    pub call: CommandRef,
    /// Who acts.
    pub officer: Officer,
    /// The caller's trace.
    pub trace: Option<Arc<TraceContext>>,
    /// What is asked.
    pub act: Act,
}

/// What is asked. Texts were measured at the edge (see [`limits`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Take a dossier in.
    Submit(Submit),
    /// Offer it to another agency.
    Offer(OfferTo),
    /// Sign for an offered one.
    Accept {
        /// The transfer.
        tid: Tid,
        /// Remark.
        note: String,
    },
    /// Refuse an offered one.
    Refuse {
        /// The transfer.
        tid: Tid,
        /// Why; never empty.
        reason: String,
    },
    /// Ask for an offered one back.
    Recall {
        /// The track.
        track: TrackId,
        /// Why.
        reason: String,
    },
    /// Remark.
    Note {
        /// The track.
        track: TrackId,
        /// The remark.
        text: String,
    },
    /// The work is done.
    Complete {
        /// The track.
        track: TrackId,
        /// How it ended.
        resolution: Resolution,
        /// Remark.
        note: String,
    },
    /// The result was returned.
    Return {
        /// The track.
        track: TrackId,
        /// How it went out.
        channel: Channel,
        /// Remark.
        note: String,
    },
    /// Attest the ledger's head.
    Attest {
        /// Why.
        purpose: String,
    },
}

/// Intake of a dossier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submit {
    /// None: issue one from the counter.
    pub code: Option<String>,
    /// Procedure code.
    pub procedure: String,
    /// Procedure version.
    pub procedure_version: u32,
    /// Channel.
    pub channel: Channel,
    /// Commitment and encoded content, together or not at all.
    pub content: Option<(Commitment, Arc<[u8]>)>,
    /// Promised date.
    pub due_at: Option<WallMs>,
    /// Papers handed in.
    pub papers: Vec<PaperItem>,
}

/// An offer of a track.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferTo {
    /// The track.
    pub track: TrackId,
    /// The receiver.
    pub to: AgencyId,
    /// Why.
    pub kind: HandOffKind,
    /// Step of the procedure.
    pub step: String,
    /// When the receiver should be done.
    pub due_at: Option<WallMs>,
    /// Papers that travel.
    pub papers: Vec<PaperItem>,
    /// Remark on the slip.
    pub note: String,
}

/// A body, and the content that goes beside its record.
type WithContent = (Body, Option<Arc<[u8]>>);

/// Decides a command: the statement to make, or why not. `wall` issues the day of a code and nothing else.
pub fn decide(
    state: &State,
    directory: &Directory,
    wall: WallMs,
    command: Command,
) -> Result<Draft, Rejection> {
    if state.retired() && !matches!(command.act, Act::Attest { .. }) {
        return Err(Reason::Retired);
    }
    if state.recovering() && !matches!(command.act, Act::Submit(_)) {
        return Err(Reason::Recovering);
    }
    let (body, content) = match command.act {
        Act::Submit(submit) => intake(state, directory, wall, submit)?,
        Act::Offer(offer) => (offer_body(state, directory, offer)?, None),
        Act::Accept { tid, note } => {
            let (track, hop) = undecided(state, &tid)?;
            (Body::Accept(Accept { track, tid, hop, note }), None)
        }
        Act::Refuse { tid, reason } => {
            let (track, hop) = undecided(state, &tid)?;
            let giver = state.track(&track).and_then(|t| t.transfers.get(&tid)).map(|t| &t.from);
            if giver.is_some_and(|giver| state.memory.acts.retires(giver)) {
                return Err(Reason::AgencyRetired); // it would go back to nobody
            }
            (Body::Refuse(Refuse { track, tid, hop, cause: RefusalCause::Officer, reason }), None)
        }
        Act::Recall { track, reason } => (recall(state, track, reason)?, None),
        Act::Note { track, text } => {
            let (held, prev) = holding(state, &track)?;
            if held.standing().notes >= limits::NOTES {
                return Err(Reason::TooManyNotes);
            }
            (Body::Note(Note { track, prev, text }), None)
        }
        Act::Complete { track, resolution, note } => {
            let (held, prev) = holding(state, &track)?;
            if held.completed.is_some() {
                return Err(Reason::AlreadyCompleted);
            }
            (Body::Completed(Completed { track, prev, resolution, note }), None)
        }
        Act::Return { track, channel, note } => {
            let (held, prev) = holding(state, &track)?;
            if held.completed.is_none() {
                return Err(Reason::NotCompleted);
            }
            (Body::Returned(Returned { track, prev, channel, note }), None)
        }
        Act::Attest { purpose } => (Body::Checkpoint { purpose }, None),
    };
    let (officer, call, trace) = (Some(command.officer), Some(command.call), command.trace);
    Ok(Draft::Make(Box::new(Make { body, officer, command: call, trace, content })))
}

fn intake(
    state: &State,
    directory: &Directory,
    wall: WallMs,
    submit: Submit,
) -> Result<WithContent, Rejection> {
    let code = match submit.code {
        Some(code) if DossierCode::parse(&code).is_none() => return Err(Reason::BadDossierCode),
        Some(code) if state.code_in_use(&code) => return Err(Reason::CodeInUse),
        Some(code) => code,
        None => next_code(state, directory, wall)?,
    };
    if !code::is_procedure(&submit.procedure) {
        return Err(Reason::BadProcedureCode);
    }
    let (commitment, content) = submit.content.unzip();
    let body = Body::Intake(Intake {
        code,
        procedure: submit.procedure,
        procedure_version: submit.procedure_version,
        channel: submit.channel,
        content: commitment,
        due_at: submit.due_at,
        papers: submit.papers,
        parent: None,
    });
    Ok((body, content))
}

fn next_code(state: &State, directory: &Directory, wall: WallMs) -> Result<String, Rejection> {
    let agency = directory.agencies.get(&state.me).ok_or(Reason::UnknownAgency)?;
    let counter = code::counter(&code::day(wall), &agency.code);
    let mut number = state.numbers.get(&*counter).copied().unwrap_or(0);
    if let Some((day, above)) = state.memory.code_gap
        && code::day(wall).as_bytes() == day
    {
        number = number.max(above); // what was issued and lost must not be issued again
    }
    loop {
        number = number.saturating_add(1);
        let code = code::issue(&agency.code, wall, number);
        if DossierCode::parse(&code).is_none() {
            return Err(Reason::CodesExhausted); // more than seven digits
        }
        // Counters of long ago are forgotten, codes are not.
        if !state.code_in_use(&code) {
            return Ok(code);
        }
    }
}

fn offer_body(state: &State, directory: &Directory, offer: OfferTo) -> Result<Body, Rejection> {
    let (held, prev) = holding(state, &offer.track)?;
    if offer.to == state.me {
        return Err(Reason::HandOffToSelf);
    }
    if !directory.knows(&offer.to) {
        return Err(Reason::UnknownAgency);
    }
    if state.memory.acts.retires(&offer.to) {
        return Err(Reason::AgencyRetired);
    }
    if !directory.allows(&state.me, &offer.to, &held.procedure) {
        return Err(Reason::HandOffNotAllowed);
    }
    if held.hop.0 >= limits::HOPS {
        return Err(Reason::TooManyHops);
    }
    if held.commitment.is_some() && held.content.is_none() {
        return Err(Reason::ContentLost);
    }
    // An OFFER that fits no envelope would lock the dossier for ever.
    let content = held.commitment.as_ref().map_or(0, |c| c.length as usize);
    if held.spine_bytes() + content > limits::OFFER_BYTES {
        return Err(Reason::TrailTooLarge);
    }
    Ok(Body::Offer(Offer {
        track: offer.track,
        prev,
        hop: Hop(held.hop.0 + 1),
        to: offer.to,
        kind: offer.kind,
        procedure: String::from(&*held.procedure),
        procedure_version: held.procedure_version,
        step: offer.step,
        due_at: offer.due_at,
        papers: offer.papers,
        content: held.commitment.clone(),
        note: offer.note,
    }))
}

fn recall(state: &State, track: TrackId, reason: String) -> Result<Body, Rejection> {
    let known = party(state, &track)?;
    let Phase::Offered(tid) = known.phase else {
        return Err(if known.phase == Phase::Held { Reason::NotOffered } else { Reason::NotCustodian });
    };
    match known.transfers.get(&tid) {
        Some(transfer) if state.memory.acts.retires(&transfer.to) => Err(Reason::AgencyRetired),
        Some(transfer) if transfer.cancel.is_none() => Ok(Body::Cancel(Cancel { track, tid, reason })),
        _ => Err(Reason::AlreadyRecalled),
    }
}

/// The track where this agency is its custodian and may act, and the tip of its spine.
fn holding<'s>(state: &'s State, id: &TrackId) -> Result<(&'s Track, Sid), Rejection> {
    let track = party(state, id)?;
    match track.phase {
        _ if track.returned.is_some() => Err(Reason::Closed),
        Phase::Held => Ok((track, track.standing().tip)),
        Phase::Offered(_) => Err(Reason::LockedByOffer),
        Phase::Followed | Phase::Inbox(_) | Phase::Gone | Phase::Out => Err(Reason::NotCustodian),
    }
}

fn party<'s>(state: &'s State, id: &TrackId) -> Result<&'s Track, Rejection> {
    state.track(id).ok_or(Reason::DossierNotFound)
}

/// The register `dec[tid]` of an offer to this agency, where it is still empty.
fn undecided(state: &State, tid: &Tid) -> Result<(TrackId, Hop), Rejection> {
    let id = *state.transfers.get(tid).ok_or(Reason::DossierNotFound)?;
    let transfer = party(state, &id)?.transfers.get(tid).ok_or(Reason::DossierNotFound)?;
    if transfer.to != state.me {
        return Err(Reason::NotOffered);
    }
    if transfer.outcome.is_some() {
        return Err(Reason::AlreadyDecided);
    }
    if !transfer.arrived {
        return Err(Reason::NotOffered);
    }
    Ok((id, transfer.hop))
}
