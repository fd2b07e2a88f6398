//! What a peer sends, and what follows from it. Deciding changes nothing; what may not be is refused with a reason
//! and quarantined by the caller.

use super::spine::Walk;
use super::state::State;
use super::track::{Entry, Phase, Track, Transfer};
use super::{Draft, Make};
use crate::authority::reclaim::Reclaim;
use crate::authority::succeed::Succeed;
use crate::directory::Directory;
use crate::ids::{AgencyId, Hop, LedgerIndex, Sid, Tid, TrackId};
use crate::limits;
use crate::reason::{Reason, Rejection};
use crate::record::{Origin, StatementRecord, TraceContext};
use crate::statement::{AckItem, Body, Cancel, Kind, Offer, ReceivedItem, RefusalCause, Refuse, Statement};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// An envelope whose statements were verified and parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Source the courier pinned.
    pub from: AgencyId,
    /// What it is about.
    pub statement: Arc<Statement>,
    /// The spine that proves it.
    pub certificate: Vec<Arc<Statement>>,
    /// Encoded content, checked against the commitment of the OFFER it came with.
    pub content: Option<Arc<[u8]>>,
    /// The sender's trace.
    pub trace: Option<Arc<TraceContext>>,
}

/// What follows from an arrival.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Consequence {
    /// Statements to keep and to make, in this order.
    pub drafts: Vec<Draft>,
    /// What to give back.
    pub reply: Reply,
}

/// What the sender gets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Reply {
    /// Nothing: the statement was itself an answer.
    #[default]
    Nothing,
    /// A receipt for this offer.
    Receipt(ReceivedItem),
    /// An acknowledgement of this statement.
    Ack(AckItem),
    /// The answer that already stands in the ledger.
    Again(LedgerIndex),
}

/// Decides an arrival.
pub fn decide(state: &State, directory: &Directory, arrival: &Arrival) -> Result<Consequence, Rejection> {
    let statement = &arrival.statement;
    if statement.claim.agency != arrival.from || arrival.from == state.me {
        return Err(Reason::SenderMismatch);
    }
    if state.memory.acts.retires(&arrival.from) {
        return Err(Reason::MakerRetired);
    }
    if !state.memory.admits(&statement.claim, &statement.sid()) {
        return Err(Reason::Fenced);
    }
    match &statement.body {
        Body::Offer(offer) if offer.to == state.me => Desk { state, arrival }.offer(directory, offer),
        Body::Cancel(cancel) => Desk { state, arrival }.cancel(cancel),
        Body::Accept(b) => Desk { state, arrival }.outcome(b.track, b.tid, b.hop),
        Body::Refuse(b) => Desk { state, arrival }.outcome(b.track, b.tid, b.hop),
        Body::Offer(_) | Body::Note(_) | Body::Completed(_) | Body::Returned(_) => {
            Desk { state, arrival }.copy()
        }
        Body::Reclaim(reclaim) => Desk { state, arrival }.reclaimed(reclaim),
        Body::Succeed(succeed) => Desk { state, arrival }.succeeded(succeed),
        Body::Received(items) => Desk { state, arrival }.received(items),
        Body::Ack(items) => Ok(Desk { state, arrival }.ack(items)),
        Body::Intake(_) | Body::Checkpoint { .. } | Body::Recovery(_) | Body::Retire(_) => {
            Err(Reason::UnknownTransfer)
        }
    }
}

struct Desk<'a> {
    state: &'a State,
    arrival: &'a Arrival,
}

impl Desk<'_> {
    fn offer(&self, directory: &Directory, offer: &Offer) -> Result<Consequence, Rejection> {
        let tid = self.arrival.statement.sid();
        let track = self.state.track(&offer.track);
        if let Some(transfer) = track.and_then(|t| t.transfers.get(&tid)) {
            if let Some(outcome) = transfer.outcome {
                return Ok(Consequence::reply(Reply::Again(outcome.index)));
            }
            if transfer.arrived {
                // Undecided and known: the same receipt, or the one that leaves with this batch anyway. Nobody listens
                // to one that an earlier incarnation gave.
                let commitment = offer.content.as_ref().map(|c| c.digest);
                return Ok(Consequence::reply(match transfer.receipt {
                    None => Reply::Nothing,
                    Some(at) if at >= self.state.memory.answers_from => Reply::Again(at),
                    Some(_) => Reply::Receipt(ReceivedItem { tid, commitment }),
                }));
            }
        }
        let mut walk = self.certified(offer.track)?;
        walk.step(&self.arrival.statement).map_err(|_| Reason::BadCertificate)?;
        self.nothing_forgotten(track)?;
        if let Some(track) = track {
            self.extends(track)?;
            self.free_to_receive(track)?;
        }
        if offer.content.is_some() != self.arrival.content.is_some() {
            return Err(Reason::ContentMismatch);
        }
        let mut drafts = self.learn(track)?;
        drafts.push(self.keep(Origin::Taken, &self.arrival.statement, self.arrival.content.clone()));
        let commitment = offer.content.as_ref().map(|c| c.digest);
        if !directory.allows(&self.arrival.from, &self.state.me, &offer.procedure) {
            drafts.push(self.refuse(offer.track, tid, offer, RefusalCause::Policy));
        }
        Ok(Consequence { drafts, reply: Reply::Receipt(ReceivedItem { tid, commitment }) })
    }

    /// A recall asks; the register answers. One durable write, whichever of officer and recall is first wins.
    fn cancel(&self, cancel: &Cancel) -> Result<Consequence, Rejection> {
        let track = self.state.track(&cancel.track);
        if let Some(transfer) = track.and_then(|t| t.transfers.get(&cancel.tid)) {
            self.by_giver(transfer)?;
            if let Some(outcome) = transfer.outcome {
                return Ok(Consequence::reply(Reply::Again(outcome.index)));
            }
        }
        let walk = self.certified(cancel.track)?;
        let Some(offered) = self.arrival.certificate.last() else { return Err(Reason::BadCertificate) };
        let Body::Offer(offer) = &offered.body else { return Err(Reason::BadCertificate) };
        if walk.open.as_ref().map(|(tid, _)| *tid) != Some(cancel.tid) {
            return Err(Reason::BadCertificate);
        }
        if offered.claim.agency != self.arrival.from {
            return Err(Reason::CancelByStranger);
        }
        if offer.to != self.state.me {
            return Err(Reason::WrongReceiver);
        }
        self.nothing_forgotten(track)?;
        if let Some(track) = track {
            self.extends(track)?;
        }
        let mut drafts = self.learn(track)?;
        drafts.push(self.keep(Origin::Taken, &self.arrival.statement, None));
        drafts.push(self.refuse(cancel.track, cancel.tid, offer, RefusalCause::Recalled));
        Ok(Consequence { drafts, reply: Reply::Nothing })
    }

    fn by_giver(&self, transfer: &Transfer) -> Result<(), Rejection> {
        if transfer.to != self.state.me {
            return Err(Reason::WrongReceiver);
        }
        if transfer.from != self.arrival.from {
            return Err(Reason::CancelByStranger);
        }
        Ok(())
    }

    /// A decision of a receiver: to its giver, or to the place of receipt.
    fn outcome(&self, id: TrackId, tid: Tid, hop: Hop) -> Result<Consequence, Rejection> {
        let statement = &self.arrival.statement;
        let track = self.state.track(&id).ok_or(Reason::UnknownTransfer)?;
        let transfer = track.transfers.get(&tid);
        let given = transfer.is_some_and(|t| t.from == self.state.me);
        if !given && track.origin != self.state.me {
            return Err(Reason::UnknownTransfer);
        }
        if transfer.is_some_and(|t| t.to != self.arrival.from) {
            return Err(Reason::WrongReceiver);
        }
        if transfer.is_some_and(|t| t.hop != hop) {
            return Err(Reason::BadCertificate); // on the spine it would spoil every certificate to come
        }
        if transfer.and_then(|t| t.outcome).is_some_and(|o| o.sid != statement.sid()) {
            return Err(Reason::Fork);
        }
        self.take(id, track)
    }

    /// News for the place of receipt. A copy never changes phase or hop.
    fn copy(&self) -> Result<Consequence, Rejection> {
        let id = self.arrival.statement.track().ok_or(Reason::UnknownTransfer)?;
        let track = self.state.track(&id).ok_or(Reason::UnknownTransfer)?;
        if track.origin != self.state.me {
            return Err(Reason::UnknownTransfer);
        }
        if let Body::Offer(offer) = &self.arrival.statement.body
            && offer.content.as_ref().map(|c| c.digest) != track.commitment_digest()
        {
            return Err(Reason::ContentMismatch); // on the spine no certificate over it could be walked
        }
        self.take(id, track)
    }

    /// The giver of an offer to a retired agency took it back: news for the place of receipt, with the act beside it.
    fn reclaimed(&self, reclaim: &Reclaim) -> Result<Consequence, Rejection> {
        let track = self.state.track(&reclaim.track).ok_or(Reason::UnknownTransfer)?;
        if track.origin != self.state.me {
            return Err(Reason::UnknownTransfer);
        }
        let Some(transfer) = track.transfers.get(&reclaim.tid) else {
            return Ok(Consequence::default()); // whether the act is about its receiver its OFFER tells, and then it comes again
        };
        let beside = self.arrival.certificate.iter().filter(|s| s.sid() == reclaim.act);
        let named = beside.filter_map(|s| match &s.body {
            Body::Retire(retire) => Some(&retire.agency),
            _ => None,
        });
        let known = self.state.memory.acts.0.get(&reclaim.act).map(|act| &act.agency);
        if transfer.hop != reclaim.hop || named.chain(known).next() != Some(&transfer.to) {
            return Err(Reason::BadCertificate);
        }
        if transfer.from != self.arrival.from {
            return Err(Reason::WrongReceiver);
        }
        self.contradicts_nothing(track, &self.arrival.statement)?;
        let mut taken = self.take(reclaim.track, track)?;
        if !taken.drafts.is_empty() {
            taken.drafts = self.learn(Some(track))?.into_iter().chain(taken.drafts).collect();
        }
        Ok(taken)
    }

    /// The successor of a retired custodian took the track over: news for the place of receipt and for who gave it to the
    /// retired one. The whole spine lies beside it, for what the retired one never told nobody else tells.
    fn succeeded(&self, succeed: &Succeed) -> Result<Consequence, Rejection> {
        let (id, statement) = (succeed.track, &self.arrival.statement);
        let track = self.state.track(&id).ok_or(Reason::UnknownTransfer)?;
        let gave = track.transfers.values().any(|t| t.from == self.state.me);
        if !gave && track.origin != self.state.me {
            return Err(Reason::UnknownTransfer);
        }
        if track.entry(&statement.sid()).is_some() {
            return self.take(id, track);
        }
        self.certified(id)?.step(statement).map_err(|_| Reason::BadCertificate)?;
        self.nothing_forgotten(Some(track))?;
        self.extends(track)?;
        self.contradicts_nothing(track, statement)?;
        self.free_to_receive(track)?;
        let mut drafts = self.learn(Some(track))?;
        drafts.push(self.keep(Origin::Taken, statement, None));
        Ok(Consequence { drafts, reply: Reply::Ack(AckItem { track: id, sid: statement.sid() }) })
    }

    /// A transfer is decided once, by its receiver or, where that is retired, by its giver. What a successor follows, nothing
    /// else follows.
    fn contradicts_nothing(&self, track: &Track, statement: &Statement) -> Result<(), Rejection> {
        let succeeds = matches!(statement.body, Body::Succeed(_));
        let beside =
            |e: &&Entry| e.prev.is_some() && e.prev == statement.body.prev() && e.sid != statement.sid();
        if track.entries.iter().filter(beside).any(|e| succeeds || e.kind == Kind::Succeed) {
            return Err(Reason::Fork);
        }
        let tid = match &statement.body {
            Body::Accept(b) => b.tid,
            Body::Refuse(b) => b.tid,
            Body::Reclaim(b) => b.tid,
            _ => return Ok(()),
        };
        let outcome = track.transfers.get(&tid).and_then(|t| t.outcome);
        if outcome.is_some_and(|o| o.sid != statement.sid()) { Err(Reason::Fork) } else { Ok(()) }
    }

    /// Keeps the statement once and acknowledges it always.
    fn take(&self, id: TrackId, track: &Track) -> Result<Consequence, Rejection> {
        let sid = self.arrival.statement.sid();
        let ack = Reply::Ack(AckItem { track: id, sid });
        match track.entry(&sid) {
            Some(entry) => {
                let given = entry.answer.filter(|at| *at >= self.state.memory.answers_from);
                Ok(Consequence::reply(given.map_or(ack, Reply::Again)))
            }
            None => {
                no_fork(track, &self.arrival.statement)?;
                self.contradicts_nothing(track, &self.arrival.statement)?;
                if !self.may_follow(track)? {
                    return Ok(Consequence::default()); // full; the sender tries again
                }
                let kept = self.keep(Origin::Taken, &self.arrival.statement, None);
                Ok(Consequence { drafts: Vec::from([kept]), reply: ack })
            }
        }
    }

    /// Whether there is room for the statement: at the tip always, where its maker has the right; before a gap is
    /// closed nobody can tell yet, so only so many float.
    fn may_follow(&self, track: &Track) -> Result<bool, Rejection> {
        let statement = &self.arrival.statement;
        let mut standing = track.standing();
        if statement.body.prev() != Some(standing.tip) {
            let floating = track.entries.iter().filter(|e| e.prev.is_some()).count() + 1 - standing.length;
            return Ok(floating < limits::FLOATING);
        }
        let hop = match &statement.body {
            Body::Offer(offer) => Some(offer.hop),
            _ => None,
        };
        let entry = Entry::of(self.state.next, statement);
        let right = standing.takes(&entry, hop, &track.transfers);
        right.then_some(true).ok_or(Reason::BadCertificate)
    }

    fn received(&self, items: &[ReceivedItem]) -> Result<Consequence, Rejection> {
        let (mut known, mut news, mut refused) = (false, false, Reason::UnknownTransfer);
        for item in items {
            // One receipt covers many offers: what it says of the others holds whatever is wrong with one of them.
            let track = self.state.transfers.get(&item.tid).and_then(|id| self.state.track(id));
            let transfer = track.and_then(|t| t.transfers.get(&item.tid));
            let (Some(track), Some(transfer)) = (track, transfer) else { continue };
            if transfer.from != self.state.me || transfer.to != self.arrival.from {
                continue;
            }
            if item.commitment != track.commitment_digest() {
                refused = Reason::ContentMismatch;
                continue;
            }
            known = true;
            news |= transfer.receipt.is_none();
        }
        if known { Ok(self.keep_if(news)) } else { Err(refused) }
    }

    fn ack(&self, items: &[AckItem]) -> Consequence {
        let outbox = &self.state.outbox;
        self.keep_if(items.iter().any(|i| outbox.awaiting_ack(&i.sid, &self.arrival.from).is_some()))
    }

    fn keep_if(&self, news: bool) -> Consequence {
        let kept = news.then(|| self.keep(Origin::Taken, &self.arrival.statement, None));
        Consequence { drafts: kept.into_iter().collect(), reply: Reply::Nothing }
    }

    /// The certificate is one unbroken spine of this track.
    fn certified(&self, id: TrackId) -> Result<Walk, Rejection> {
        let walk =
            Walk::along(self.arrival.certificate.iter().map(|s| &**s)).map_err(|_| Reason::BadCertificate)?;
        (walk.track == id).then_some(walk).ok_or(Reason::BadCertificate)
    }

    /// A statement with this agency's own signature that its ledger lacks: another copy of the agency runs, or this
    /// ledger is an old copy. The caller stops the node (architecture.md 4).
    fn nothing_forgotten(&self, track: Option<&Track>) -> Result<(), Rejection> {
        let forgotten = |s: &Statement| {
            s.claim.agency == self.state.me && track.is_none_or(|t| t.entry(&s.sid()).is_none())
        };
        let any = self.arrival.certificate.iter().any(|s| forgotten(s));
        if any { Err(Reason::OwnStatementUnknown) } else { Ok(()) }
    }

    /// Nothing of the certificate contradicts what is known here.
    fn extends(&self, track: &Track) -> Result<(), Rejection> {
        for statement in &self.arrival.certificate {
            no_fork(track, statement)?;
            self.contradicts_nothing(track, statement)?;
        }
        no_fork(track, &self.arrival.statement)
    }

    /// An agency that holds or has offered the track learns from the certificate that it no longer does; where the
    /// certificate does not say so, the offer contradicts this ledger.
    fn free_to_receive(&self, track: &Track) -> Result<(), Rejection> {
        let accepted = |tid: Tid| {
            self.arrival.certificate.iter().any(|s| matches!(&s.body, Body::Accept(a) if a.tid == tid))
        };
        match track.phase {
            Phase::Followed | Phase::Gone | Phase::Out => Ok(()),
            Phase::Offered(tid) if accepted(tid) => Ok(()),
            Phase::Offered(_) | Phase::Held | Phase::Inbox(_) => Err(Reason::Fork),
        }
    }

    /// What of the certificate is new here, acts first: what rests on them is never without them.
    fn learn(&self, track: Option<&Track>) -> Result<Vec<Draft>, Rejection> {
        let acts = &self.state.memory.acts;
        let is_act = |s: &&Arc<Statement>| matches!(s.body, Body::Retire(_));
        let unknown = |s: &&Arc<Statement>| is_act(s) && !acts.0.contains_key(&s.sid());
        let new: BTreeMap<Sid, &Arc<Statement>> =
            self.arrival.certificate.iter().filter(unknown).map(|s| (s.sid(), s)).collect();
        if new.values().any(|act| !acts.takes(act)) {
            return Err(Reason::BadCertificate); // no room: no authority makes so many
        }
        let known = |sid: Sid| track.is_some_and(|t| t.entry(&sid).is_some());
        let spine = self.arrival.certificate.iter().filter(|s| !is_act(s) && !known(s.sid()));
        Ok(new.into_values().chain(spine).map(|s| self.keep(Origin::Learned, s, None)).collect())
    }

    fn keep(&self, origin: Origin, statement: &Arc<Statement>, content: Option<Arc<[u8]>>) -> Draft {
        let trace = self.arrival.trace.clone().filter(|_| origin == Origin::Taken);
        Draft::Keep(StatementRecord { origin, statement: statement.clone(), command: None, trace, content })
    }

    fn refuse(&self, track: TrackId, tid: Tid, offer: &Offer, cause: RefusalCause) -> Draft {
        Draft::Make(Box::new(Make {
            body: Body::Refuse(Refuse { track, tid, hop: offer.hop, cause, reason: String::new() }),
            officer: None,
            command: None,
            trace: self.arrival.trace.clone(),
            content: None,
        }))
    }
}

impl Consequence {
    fn reply(reply: Reply) -> Self {
        Self { drafts: Vec::new(), reply }
    }
}

/// Two statements with one predecessor are a fork: evidence against their maker, never merged.
fn no_fork(track: &Track, statement: &Statement) -> Result<(), Rejection> {
    let other = statement.body.prev().and_then(|prev| track.behind(&prev, &statement.claim.agency));
    match other {
        Some(entry) if entry.sid != statement.sid() => Err(Reason::Fork),
        _ => Ok(()),
    }
}
