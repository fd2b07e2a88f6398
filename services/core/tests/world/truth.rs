//! What must hold of all agencies together (protocol.md 8). One agency's own part is `Node::check`.

use super::codec::{Plain, sha};
use super::{Fault, Place, TIMING, World};
use lienthong_core::custody::packed;
use lienthong_core::custody::spine::Walk;
use lienthong_core::custody::state::State;
use lienthong_core::custody::track::{Entry, Phase, Track};
use lienthong_core::delivery::outbox::Awaits;
use lienthong_core::ids::{AgencyId, Hop, Tid, TrackId};
use lienthong_core::node::Node;
use lienthong_core::record::Record;
use lienthong_core::statement::{Body, Kind, RefusalCause};
use std::collections::BTreeSet;

impl World {
    /// Every track any agency knows.
    pub fn tracks(&self) -> BTreeSet<TrackId> {
        self.states().flat_map(|s| s.tracks.iter().map(|(id, _)| *id)).collect()
    }

    fn states<'w>(&'w self) -> impl Iterator<Item = &'w State> {
        let state = |p: &'w Place| p.node.as_ref().map(Node::state).or(p.buried.as_ref());
        self.places.values().filter_map(state)
    }

    /// After every step: I1, I2, I3, and each agency's own invariants.
    pub fn check(&self) -> Result<(), Fault> {
        for place in self.places.values() {
            let Some(node) = &place.node else { continue };
            node.check().map_err(|v| format!("{}: {} {}", place.id, v.invariant, v.what))?;
            for (id, kept) in node.state().tracks.iter() {
                let track = &*kept.read();
                if packed::unpack(&packed::pack(track)).as_ref() != Some(track) {
                    return Err(format!("{}: a track is another after packing", place.id));
                }
                self.has_bytes(&place.id, id, track)?;
                self.registers(&place.id, track)?;
            }
        }
        self.tracks().into_iter().try_for_each(|track| self.custodian(track).map(|_| ()))
    }

    fn has_bytes(&self, id: &AgencyId, of: &TrackId, track: &Track) -> Result<(), Fault> {
        let acting = matches!(track.phase, Phase::Held | Phase::Offered(_) | Phase::Inbox(_));
        let (true, Some(commitment)) = (acting, &track.commitment) else { return Ok(()) };
        // What nobody has who is left, no successor can have.
        let left = self.states().filter(|s| self.at(&s.me).buried.is_none());
        let lost = !left.filter_map(|s| s.track(of)).any(|t| t.content.is_some());
        if lost && track.entries.iter().any(|e| e.kind == Kind::Succeed) {
            return Ok(());
        }
        let index = track.content.ok_or_else(|| format!("I3: {id} acts without content"))?;
        match self.at(id).ledger.get(index.0 as usize) {
            None => Ok(()), // decided, not yet durable
            Some(Record::Statement(r)) if r.content.as_ref().is_some_and(|c| sha(c) == commitment.digest) => {
                Ok(())
            }
            Some(_) => Err(format!("I3: {id} acts on another content")),
        }
    }

    /// Each register says what the statement says that is named for it, and that is the receiver's. What an agency
    /// answered, it finds again beside what it answered.
    fn registers(&self, id: &AgencyId, track: &Track) -> Result<(), Fault> {
        for (tid, transfer) in track.transfers.iter() {
            let Some(outcome) = transfer.outcome else { continue };
            let Some(decision) = self.statement(id, outcome.index) else { continue }; // not yet durable
            let refused = match &decision.body {
                Body::Accept(accept) if accept.tid == *tid => None,
                Body::Refuse(refuse) if refuse.tid == *tid => Some(refuse.cause),
                Body::Reclaim(reclaim) if reclaim.tid == *tid => Some(RefusalCause::Reclaimed),
                Body::Succeed(succeed) if succeed.prev == *tid => Some(RefusalCause::Succeeded),
                _ => return Err(format!("I4: {id} takes another statement for the decision on {tid:?}")),
            };
            let decider = match refused {
                Some(RefusalCause::Reclaimed) => &transfer.from,
                Some(RefusalCause::Succeeded) => &decision.claim.agency, // whom the walk has proved to be the successor
                _ => &transfer.to,
            };
            let right = decision.sid() == outcome.sid && decision.claim.agency == *decider;
            if !right || outcome.refused != refused {
                return Err(format!("I4: {id} reads the decision on {tid:?} as {outcome:?}"));
            }
        }
        for entry in &track.entries {
            let receipt = track.transfers.get(&entry.sid).filter(|t| t.to == *id).and_then(|t| t.receipt);
            if receipt.is_some() && entry.answer != receipt {
                return Err(format!("{id} does not find its receipt again"));
            }
            let Some(answer) = entry.answer.and_then(|index| self.statement(id, index)) else { continue };
            let covers = match &answer.body {
                Body::Received(items) => items.iter().any(|item| item.tid == entry.sid),
                Body::Ack(items) => items.iter().any(|item| item.sid == entry.sid),
                _ => false,
            };
            if answer.claim.agency != *id || !covers {
                return Err(format!("{id} takes another's statement for its answer to {:?}", entry.sid));
            }
        }
        Ok(())
    }

    /// The one custodian: who holds it, or has offered it to somebody who has not accepted.
    pub fn custodian(&self, track: TrackId) -> Result<AgencyId, Fault> {
        let mut holders = Vec::new();
        let mut held = 0;
        for state in self.states() {
            let Some(known) = state.track(&track) else { continue };
            match known.phase {
                Phase::Held => {
                    held += 1;
                    holders.push(state.me.clone());
                }
                Phase::Offered(tid) if !self.accepted(track, tid) => holders.push(state.me.clone()),
                _ => {}
            }
        }
        // One custodian is promised among those who are not retired: nobody takes anything of the others.
        let retired = |who: &AgencyId| self.states().any(|s| s.memory.acts.retires(who));
        let (gone, acting): (Vec<_>, Vec<_>) = holders.into_iter().partition(|who| retired(who));
        let holders = if acting.is_empty() { gone } else { acting };
        let held = held.min(holders.len());
        match (held, holders.as_slice()) {
            (0 | 1, [one]) => Ok(one.clone()),
            (_, []) => Err(format!("I2: nobody has {track:?}")),
            _ => Err(format!("I1: {holders:?} all have {track:?}")),
        }
    }

    fn accepted(&self, track: TrackId, tid: Tid) -> bool {
        let by_receiver = |s: &State| {
            let transfer = s.track(&track).and_then(|t| t.transfers.get(&tid));
            transfer.is_some_and(|t| t.to == s.me && t.outcome.is_some_and(|o| o.accepted()))
        };
        self.states().any(by_receiver)
    }

    /// L1, and what both sides of every hand-off must tell alike once everything is delivered (I9, I14).
    pub fn at_rest(&self) -> Result<(), Fault> {
        self.check()?;
        for state in self.states().filter(|s| self.at(&s.me).buried.is_none()) {
            for ((_, to), row) in state.outbox.rows() {
                // It did accept, and nobody has the proof: that is not for nodes to settle.
                if self.at(to).buried.is_some() && self.accepted(row.track, row.sid) {
                    continue;
                }
                let undecided =
                    |s: &State| s.track(&row.track).is_some_and(|t| t.phase == Phase::Inbox(row.sid));
                if row.awaits != Awaits::Decision || !self.states().any(|s| s.me == *to && undecided(s)) {
                    return Err(format!("L1: {} still waits for {to}: {:?}", state.me, row.awaits));
                }
            }
        }
        self.tracks().into_iter().try_for_each(|track| self.agree(track))?;
        self.nothing_left()?;
        self.places.keys().try_for_each(|id| self.same_after_recovery(id))
    }

    /// What a retired agency held as far as anybody knows is its successor's, unless it lies in somebody's inbox or a part of
    /// its past is lost.
    fn nothing_left(&self) -> Result<(), Fault> {
        for state in self.states().filter(|s| self.at(&s.me).buried.is_none()) {
            let gone = |who: &AgencyId| self.places.get(who).is_none_or(|p| p.buried.is_some());
            let left = state
                .memory
                .acts
                .retired()
                .filter(|(_, act)| act.successor.as_ref().is_some_and(|s| !gone(s)));
            let estate: BTreeSet<AgencyId> = left.map(|(_, act)| act.agency.clone()).collect();
            for (id, track) in state.held_by(&estate).filter(|(_, t)| !t.floats()) {
                let known = |s: &&State| self.at(&s.me).buried.is_none() && s.track(&id).is_some();
                let inbox = |t: &Track| matches!(t.phase, Phase::Inbox(_));
                let mut others = self.states().filter(known).filter_map(|s| s.track(&id));
                if !others.any(|t| {
                    inbox(t) || t.floats() || t.returned.is_some() || t.custodian() != track.custodian()
                }) {
                    return Err(format!("L1: nobody has taken over {id:?}, as {} knows it", state.me));
                }
            }
        }
        Ok(())
    }

    fn agree(&self, track: TrackId) -> Result<(), Fault> {
        let custodian = self.custodian(track)?;
        if self.at(&custodian).buried.is_some() {
            return Ok(()); // it told as many as it could
        }
        for state in self.states().filter(|s| self.at(&s.me).buried.is_none()) {
            let Some(known) = state.track(&track) else { continue };
            // What the one who is gone did and never told the place of receipt, only a successor tells it.
            let theirs = self.state(&custodian).track(&track).ok_or("the custodian does not know it")?;
            let untold = |e: &Entry| {
                self.places.get(&e.maker).is_some_and(|p| p.buried.is_some()) && known.entry(&e.sid).is_none()
            };
            let succeeded = theirs.entries.iter().any(|e| e.kind == Kind::Succeed);
            let told = succeeded || !theirs.entries.iter().any(untold);
            let follows = (state.me == known.origin && told) || state.me == custodian;
            if follows && *known.custodian() != custodian {
                return Err(format!("I9: {} takes {} for the custodian", state.me, known.custodian()));
            }
            for (tid, transfer) in known.transfers.iter() {
                let theirs = self.decided.get(&(transfer.to.clone(), *tid));
                let mine = transfer.outcome.map(|o| o.sid);
                let succeeded = transfer.outcome.is_some_and(|o| o.refused == Some(RefusalCause::Succeeded));
                if self.at(&transfer.to).buried.is_some() || succeeded {
                    continue; // the register of one who is gone, or its giver's in its place
                }
                let party = [&transfer.from, &transfer.to, &known.origin].contains(&&state.me);
                if party && mine.as_ref() != theirs {
                    return Err(format!("I14: {} does not know the decision on {tid:?}", state.me));
                }
            }
            if follows {
                self.walk(&state.me, known, &custodian)?;
            }
        }
        Ok(())
    }

    /// The spine in this agency's ledger alone proves the custodian.
    fn walk(&self, id: &AgencyId, track: &Track, custodian: &AgencyId) -> Result<(), Fault> {
        let spine = self.state(id).certificate_to(track, &track.standing().tip);
        let spine = spine.ok_or("the spine has a gap")?;
        let statements: Option<Vec<_>> = spine.iter().map(|i| self.statement(id, *i)).collect();
        let statements = statements.ok_or("the spine names records that are no statements")?;
        let walk = Walk::along(statements.iter().map(|s| &**s)).map_err(|b| format!("I10: {id}: {b}"))?;
        let standing = track.standing();
        let same = walk.holder == *standing.holder
            && walk.last == standing.tip
            && walk.hop == standing.hop
            && walk.open.as_ref().map(|(tid, _)| *tid) == standing.open
            && walk.closed == standing.returned.is_some();
        let last = track.last_transfer().map_or(Hop(0), |(_, t)| t.hop);
        if last != standing.hop {
            return Err(format!("{id} takes hop {} for the last", last.0));
        }
        if !same || walk.holder != *custodian {
            return Err(format!("I14: the ledger of {id} proves {}, not {custodian}", walk.holder));
        }
        Ok(())
    }

    /// The state made from the ledger equals the live one, where nothing waits for the disk.
    pub fn same_after_recovery(&self, id: &AgencyId) -> Result<(), Fault> {
        let place = self.at(id);
        let settled = |node: &&Node<Plain>| place.flights.is_empty() && node.pending_bytes() == 0;
        let Some(node) = place.node.as_ref().filter(settled) else { return Ok(()) };
        let seat = (Plain, place.directory.clone(), TIMING);
        let records = place.ledger.iter().cloned();
        let again = Node::recover(State::new(id.clone()), records, place.head, seat, self.now(id));
        if again.state() != node.state() {
            return Err(format!("{id}: recovery gives another state"));
        }
        Ok(())
    }
}
