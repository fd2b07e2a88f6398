//! A node in a recovery, its own or a peer's: what it hears, says and writes ([`crate::recovery`]).

use super::{Answer, Dispatch, Lane, Node, Now};
use crate::codec::Codec;
use crate::custody::arrival::Arrival;
use crate::ids::{AgencyId, Incarnation, Instant, LedgerIndex, Sid, TrackId};
use crate::reason::{Reason, Rejection};
use crate::record::{Origin, Record, StatementRecord};
use crate::recovery::asking::{Asking, ToSay, vouching};
use crate::recovery::giving;
use crate::recovery::{Ask, Word};
use crate::statement::{Body, Statement};
use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// What a finished recovery came to, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// The new incarnation.
    pub incarnation: Incarnation,
    /// Own statements that peers gave back.
    pub returned: u64,
    /// Others' statements that were learned with them.
    pub learned: u64,
    /// Own statements that came back and have no place, because what they follow is gone everywhere.
    pub unplaced: usize,
}

/// Bytes of words made at one go: a part of a group, so that what else is decided fits the same commit.
pub(super) const SPEAK_BYTES: usize = 128 << 10;

impl<C: Codec> Node<C> {
    /// How far this node's recovery is, while it lasts.
    pub fn asking(&self) -> Option<&Asking> {
        self.asking.as_ref()
    }

    /// What the last recovery came to, since this start.
    pub fn recovered(&self) -> Option<Recovered> {
        self.recovered
    }

    /// Begins a recovery. One that is under way begins anew, above: the copy may have been made in the middle of it, and
    /// then its fence lets pass what was said after its end.
    pub(super) fn fence_myself(&mut self, now: Now) -> LedgerIndex {
        self.fence_above(now, self.state.incarnation)
    }

    fn fence_above(&mut self, now: Now, highest: Incarnation) -> LedgerIndex {
        let incarnation = Incarnation(highest.max(self.state.incarnation).0 + 1);
        let nonce = self.nonce;
        let fence = self.speak(now, Body::Recovery(Word::Fence { incarnation, nonce }));
        self.ask_anew(now);
        fence
    }

    /// A recovery that is under way asks from its beginning; what was given back is in the ledger.
    pub(super) fn ask_anew(&mut self, now: Now) {
        let Some(recovery) = self.state.memory.recovery else { return };
        self.round = self.asking.as_ref().map_or(self.round, Asking::round);
        let me = &self.state.me;
        let peers = self.directory.agencies.keys().filter(|id| *id != me).cloned();
        let mut asking = Asking::new((recovery.sid, self.nonce, self.round), peers, now.mono);
        asking.heed(now.mono, &self.state.memory.acts);
        self.asking = Some(asking);
        self.telling.forget(); // whom its peers know, a copy cannot tell
        self.acts_changed(now);
    }

    /// Tells every peer from where this node starts.
    pub(super) fn greet(&mut self, now: Now) -> Answer {
        if self.state.retired() {
            return Answer::Nothing;
        }
        let hello = self.speak(now, Body::Recovery(Word::Hello));
        let acts = &self.state.memory.acts;
        let peers: Vec<AgencyId> =
            self.directory.agencies.keys().filter(|peer| !acts.retires(peer)).cloned().collect();
        for peer in peers.into_iter().filter(|peer| *peer != self.state.me) {
            let said = self.answer(peer, hello);
            self.pending.spoken.push(said);
        }
        Answer::Noted(hello)
    }

    /// A statement of this agency that its ledger lacks: of this incarnation or an earlier one it was forgotten here;
    /// of a later one, another copy of the agency has taken over, and the caller stops.
    pub(super) fn is_old_copy(&self, arrival: &Arrival) -> bool {
        let own = arrival.certificate.iter().filter(|s| s.claim.agency == self.state.me);
        own.map(|s| s.claim.incarnation).max() <= Some(self.state.incarnation)
    }

    /// Takes a word of a peer.
    pub(super) fn hear(&mut self, now: Now, arrival: &Arrival, word: &Word) -> Result<Answer, Rejection> {
        let (from, claim) = (&arrival.from, &arrival.statement.claim);
        if claim.agency != *from || *from == self.state.me {
            return Err(Reason::SenderMismatch);
        }
        self.courier.heard(now.mono, from);
        if matches!(word, Word::Fence { incarnation, .. } if *incarnation != claim.incarnation) {
            return Err(Reason::MalformedStatement);
        }
        if !self.minds(now, arrival, word) {
            return Ok(Answer::Nothing);
        }
        let fence = self.state.memory.fences.get(from);
        let (min, fence) = fence.map_or((Incarnation(0), None), |f| (f.min, f.fence));
        match word {
            Word::Fence { incarnation, .. } => self.fenced_by(now, arrival, *incarnation, fence),
            // What a peer said before its own recovery, it may have forgotten.
            _ if claim.incarnation < min => return Ok(Answer::Nothing),
            Word::Fenced { fence, taken, held, recovering } => {
                if self.state.memory.recovery.is_none_or(|r| r.sid != *fence) {
                    return Ok(Answer::Nothing);
                }
                if claim.incarnation > min && !recovering {
                    self.keep(&arrival.statement);
                }
                match self.asking.as_mut() {
                    Some(asking) if *taken => asking.fenced(now.mono, from, *recovering),
                    _ => drop(self.fence_above(now, *held)),
                }
            }
            Word::Stands { fence: stands } => match (self.asking.as_mut(), self.state.memory.last_fence) {
                (Some(asking), _) if fence == Some(*stands) => asking.stands(now.mono, from),
                (None, Some(fence)) => {
                    self.say(now, from, Word::Resumed { fence, vouched: Vec::new(), last: true });
                }
                (Some(_), _) | (None, None) => {}
            },
            Word::Ask(ask) => self.asked(from, ask),
            Word::Given(given) if self.asking.is_some() => {
                let taken = given.track.is_none_or(|track| self.take_back(track, arrival));
                if let Some(asking) = self.asking.as_mut().filter(|_| taken) {
                    asking.given(now.mono, from, given);
                }
            }
            Word::Given(_) => {}
            Word::Resumed { fence: of, vouched, last } => {
                if fence.is_none_or(|known| known == *of) {
                    self.resumed(now, arrival, vouched, *last);
                }
            }
            Word::Hello => self.greeted(now, arrival),
            Word::Seek { agency, acts, items } => self.sought_by(now, arrival, agency, (acts, items)),
            Word::Sought { seek } => self.found(now, arrival, seek),
            Word::Estate(estate) => self.estate_asked(from, estate),
            Word::Left(left) => self.left(now, arrival, left),
            Word::Acts { known, asks } => self.told_acts(now, arrival, known, *asks),
            Word::Rollback => {
                let mine = |s: &&Arc<Statement>| s.claim.agency == self.state.me;
                let newest =
                    arrival.certificate.iter().find(mine).map(|s| (s.claim.incarnation, s.claim.index));
                if newest.is_some_and(|said| said >= (self.state.incarnation, self.state.next)) {
                    return Ok(Answer::Noted(self.fence_myself(now)));
                }
            }
        }
        self.drive(now);
        Ok(Answer::Nothing)
    }

    fn fenced_by(&mut self, now: Now, arrival: &Arrival, incarnation: Incarnation, known: Option<Sid>) {
        let from = &arrival.from;
        let again = known == Some(arrival.statement.sid());
        let held = self.state.memory.highest(from);
        let taken = again || incarnation > held;
        if taken && !again {
            self.keep(&arrival.statement);
            if let Some(asking) = self.asking.as_mut() {
                asking.overlaps(from);
            }
            self.collect_anew(now, true); // it may have forgotten what it answered
        }
        let recovering = self.state.recovering();
        let fence = arrival.statement.sid();
        // Nobody ends a recovery without the acts that it may have forgotten.
        let beside = self.state.memory.acts.beside(&BTreeSet::new());
        self.say_beside(now, from, Word::Fenced { fence, taken, held, recovering }, beside);
        self.acts_changed(now);
    }

    fn asked(&mut self, from: &AgencyId, ask: &Ask) {
        let whole = self.gathering.entry(from.clone()).or_default().take(ask);
        let Some(known) = whole else { return };
        self.gathering.remove(from);
        self.gifts.retain(|(to, _)| to != from);
        let gifts = giving::answer(&self.state, from, ask, &known);
        self.gifts.extend(gifts.into_iter().map(|gift| (from.clone(), gift)));
    }

    /// Statements come back in any order, from several peers; each is written when what it follows is there. `false` when
    /// they were not taken.
    fn take_back(&mut self, id: TrackId, arrival: &Arrival) -> bool {
        let Some(mut asking) = self.asking.take() else { return false };
        let taken = asking.pool.add(&arrival.from, id, &arrival.certificate);
        let mut content = arrival.content.clone();
        while let Some(statement) = asking.pool.next_of(&self.state, &id) {
            let mine = statement.claim.agency == self.state.me;
            let counter = if mine { &mut asking.returned } else { &mut asking.learned };
            *counter += 1;
            let origin = if mine { Origin::Returned } else { Origin::Learned };
            let content = self.lacks_content(&id).then(|| content.take()).flatten();
            self.write_statement(origin, statement, content);
        }
        self.asking = Some(asking);
        let intake = arrival.certificate.iter().find(|s| s.sid() == id);
        if let (Some(content), Some(intake), true) = (content, intake, self.lacks_content(&id)) {
            self.write_statement(Origin::Learned, intake.clone(), Some(content));
        }
        taken
    }

    pub(super) fn lacks_content(&self, id: &TrackId) -> bool {
        self.state.track(id).is_none_or(|t| t.commitment.is_some() && t.content.is_none())
    }

    pub(super) fn write_statement(
        &mut self,
        origin: Origin,
        statement: Arc<Statement>,
        content: Option<Arc<[u8]>>,
    ) {
        let record = StatementRecord { origin, statement, command: None, trace: None, content };
        self.write(Record::Statement(record));
    }

    pub(super) fn keep(&mut self, statement: &Arc<Statement>) {
        self.write_statement(Origin::Taken, statement.clone(), None);
    }

    fn resumed(&mut self, now: Now, arrival: &Arrival, vouched: &[Sid], last: bool) {
        let (from, claim) = (&arrival.from, &arrival.statement.claim);
        let news = self.state.memory.fences.get(from).is_none_or(|f| {
            claim.incarnation > f.min
                || (last && f.recovering)
                || vouched.iter().any(|sid| !f.vouched.contains(sid))
        });
        if news {
            self.keep(&arrival.statement);
        }
        if let Some(asking) = self.asking.as_mut() {
            asking.stands(now.mono, from);
        }
        self.courier.hasten(now.mono, from);
    }

    /// Whoever starts from before the newest that is known of it here is told, with its own signature beside it.
    fn greeted(&mut self, now: Now, arrival: &Arrival) {
        let claim = &arrival.statement.claim;
        let Some(pin) = self.state.memory.pins.get(&arrival.from).copied() else { return };
        if (pin.incarnation, pin.index) >= (claim.incarnation, claim.index) {
            let told = self.speak(now, Body::Recovery(Word::Rollback));
            let mut said = self.answer(arrival.from.clone(), told);
            said.certificate = Vec::from([pin.at]);
            self.pending.spoken.push(said);
        }
    }

    fn say(&mut self, now: Now, to: &AgencyId, word: Word) {
        self.say_beside(now, to, word, Vec::new());
    }

    pub(super) fn say_beside(&mut self, now: Now, to: &AgencyId, word: Word, beside: Vec<LedgerIndex>) {
        let index = self.speak(now, Body::Recovery(word));
        let mut said = self.answer(to.clone(), index);
        said.certificate = beside;
        self.pending.spoken.push(said);
    }

    /// Says what is due, as far as one commit has room, and ends the recovery when everything is back.
    pub(super) fn drive(&mut self, now: Now) {
        if self.state.retired() {
            return;
        }
        self.tell_acts(now);
        self.seek(now);
        self.collect(now);
        while self.pending.bytes < SPEAK_BYTES {
            if let Some((to, gift)) = self.gifts.pop_front() {
                self.give(now, &to, gift);
                continue;
            }
            let due = self.asking.as_mut().and_then(|asking| asking.due(now.mono, &self.state));
            match (due, self.state.memory.recovery) {
                (Some((peer, ToSay::Fence)), Some(recovery)) => {
                    self.pending.again.insert((peer, recovery.fence));
                }
                (Some((peer, ToSay::Word(word))), _) => self.say(now, &peer, word),
                (Some((_, ToSay::Fence)), None) | (None, _) => break,
            }
        }
        if self.asking.as_ref().is_some_and(Asking::is_done) {
            self.resume(now);
        }
    }

    fn resume(&mut self, now: Now) {
        let (Some(asking), Some(recovery)) = (self.asking.take(), self.state.memory.recovery) else { return };
        self.round = asking.round();
        self.recovered = Some(Recovered {
            incarnation: self.state.incarnation,
            returned: asking.returned,
            learned: asking.learned,
            unplaced: asking.unplaced(&self.state.me),
        });
        let waiting: BTreeSet<Sid> = self.state.outbox.rows().map(|(_, row)| row.sid).collect();
        for word in vouching(recovery.sid, waiting.into_iter().collect()) {
            let index = self.speak(now, Body::Recovery(word));
            if self.state.recovering() {
                continue;
            }
            self.resumed_at = Some(index);
            for (peer, _) in asking.peers() {
                let said = self.answer(peer.clone(), index);
                self.pending.spoken.push(said);
            }
        }
        self.acts_changed(now); // offers to who is retired meanwhile may have come back
    }

    /// Whether no row may be sent: in a recovery, and until its end is durable, which vouches for what is sent then.
    pub(super) fn is_silent(&self) -> bool {
        let resuming = self.resumed_at.is_some_and(|at| self.state.durable.size <= at.0);
        self.state.recovering() || self.state.retired() || resuming
    }

    /// When there is something to say of a recovery, here or to a peer in one.
    pub(super) fn next_word(&self) -> Option<Instant> {
        if self.pending.bytes >= SPEAK_BYTES {
            return None; // it goes on when this is durable
        }
        if self.state.retired() {
            return None;
        }
        let telling =
            self.telling.poll().into_iter().chain(self.seeking.poll()).chain(self.collecting.poll()).min();
        let gifts = (!self.gifts.is_empty()).then_some(Instant(0));
        let word = gifts.or_else(|| self.asking.as_ref().map(Asking::poll));
        word.into_iter().chain(telling).min()
    }

    /// Puts before each statement of an earlier incarnation what vouches for it, once for each receiver.
    pub(super) fn with_vouching(&self, rows: Vec<Dispatch>) -> Vec<Dispatch> {
        if self.state.memory.vouched.is_empty() {
            return rows;
        }
        let vouching = rows.iter().filter_map(|row| {
            let sid = self.state.outbox.row(&(row.statement, row.to.clone())).map(|r| r.sid)?;
            Some((row.to.clone(), row.lane, *self.state.memory.vouched.get(&sid)?))
        });
        let vouching: BTreeSet<(AgencyId, Lane, LedgerIndex)> = vouching.collect();
        // In the lane of what it vouches for, so that one pack carries both in this order.
        let said = |(to, lane, index)| Dispatch { lane, ..self.answer(to, index) };
        let mut out: Vec<Dispatch> = vouching.into_iter().map(said).collect();
        out.extend(rows);
        out
    }
}
