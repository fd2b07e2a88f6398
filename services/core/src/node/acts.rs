//! Acts of the authority at a node: learned from an operator or beside a peer's word, and told until every peer has them
//! ([`crate::authority`]).

use super::{Answer, Node, Now};
use crate::codec::Codec;
use crate::custody::arrival::Arrival;
use crate::ids::{AgencyId, Digest, LedgerIndex, Sid};
use crate::reason::{Reason, Rejection};
use crate::record::{Origin, Record};
use crate::recovery::Word;
use crate::statement::{AckItem, Body, Statement};
use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use alloc::vec::Vec;

impl<C: Codec> Node<C> {
    /// Takes an act that an operator brings.
    pub(super) fn take_act(&mut self, now: Now, act: &Arc<Statement>) -> Result<Answer, Rejection> {
        let (sid, track) = (act.sid(), Digest::ZERO);
        if !matches!(act.body, Body::Retire(_)) {
            return Err(Reason::UnknownStatementType);
        }
        if let Some(known) = self.state.memory.acts.0.get(&sid) {
            return Ok(Answer::Done { track, sid, index: known.index, repeated: true });
        }
        if !self.state.memory.acts.takes(act) {
            return Err(Reason::TooManyItems);
        }
        let index = self.state.next;
        self.learn_acts(now, core::slice::from_ref(act));
        Ok(Answer::Done { track, sid, index, repeated: false })
    }

    /// Takes the acts among what lies beside a word.
    fn learn_acts(&mut self, now: Now, beside: &[Arc<Statement>]) {
        let before = self.state.memory.acts.0.len();
        for statement in beside {
            if self.state.memory.acts.takes(statement) {
                self.write_statement(Origin::Learned, statement.clone(), None);
            }
        }
        if self.state.memory.acts.0.len() > before {
            self.acts_changed(now);
        }
    }

    /// Takes the acts beside a word, and says whether the word itself counts: one who is retired is heard about the acts it
    /// knows and about nothing else, and an agency that is itself retired hears nothing else.
    pub(super) fn minds(&mut self, now: Now, arrival: &Arrival, word: &Word) -> bool {
        self.learn_acts(now, &arrival.certificate);
        self.telling.met(now.mono, &arrival.from);
        let from_retired = self.state.memory.acts.retires(&arrival.from);
        match word {
            Word::Acts { known, .. } if from_retired => {
                self.note_known(now, arrival, known);
                false
            }
            Word::Acts { .. } => true,
            _ => !from_retired && !self.state.retired(),
        }
    }

    /// A peer says which acts it has.
    pub(super) fn told_acts(&mut self, now: Now, arrival: &Arrival, known: &[Sid], asks: bool) {
        self.note_known(now, arrival, known);
        if asks {
            let theirs: BTreeSet<Sid> = known.iter().copied().collect();
            let acts = &self.state.memory.acts;
            let (known, beside): (Vec<Sid>, _) = (acts.0.keys().copied().collect(), acts.beside(&theirs));
            let named = known.len();
            let said = self.telling.answer(acts).unwrap_or_else(|| {
                let index = self.speak(now, Body::Recovery(Word::Acts { known, asks: false }));
                self.telling.answered(index, named);
                index
            });
            self.repeat_beside(&arrival.from, said, beside);
        }
    }

    /// Says what is in the ledger already.
    pub(super) fn repeat_beside(&mut self, to: &AgencyId, said: LedgerIndex, beside: Vec<LedgerIndex>) {
        let mut said = self.answer(to.clone(), said);
        said.certificate = beside;
        self.pending.spoken.push(said);
    }

    fn note_known(&mut self, now: Now, arrival: &Arrival, known: &[Sid]) {
        if self.state.memory.acts.is_news(&arrival.from, known) {
            self.keep(&arrival.statement);
            self.acts_changed(now);
        }
    }

    /// Says again to whoever has not said that it knows the acts. One statement serves all of them.
    pub(super) fn tell_acts(&mut self, now: Now) {
        let due = self.telling.due(now.mono);
        if due.is_empty() {
            return;
        }
        let said = self.telling.said().unwrap_or_else(|| {
            let known: Vec<Sid> = self.state.memory.acts.0.keys().copied().collect();
            let named = known.len();
            let index = self.speak(now, Body::Recovery(Word::Acts { known, asks: true }));
            self.telling.say(index, named);
            index
        });
        for peer in due {
            let lacks = self.state.memory.acts.0.values().filter(|act| !act.known_by.contains(&peer));
            let beside = lacks.map(|act| act.index).collect();
            self.repeat_beside(&peer, said, beside);
        }
    }

    /// A giver asks what is known here of a retired receiver. It is answered by who has all its acts and does not recover:
    /// what a copy has forgotten, it cannot deny.
    pub(super) fn sought_by(
        &mut self,
        now: Now,
        arrival: &Arrival,
        agency: &AgencyId,
        (acts, items): (&[Sid], &[AckItem]),
    ) {
        let known = &self.state.memory.acts;
        if self.state.recovering() || !known.retires(agency) || !acts.iter().all(|a| known.0.contains_key(a))
        {
            return;
        }
        let found = items.iter().flat_map(|item| self.state.sought(agency, item)).collect();
        let seek = arrival.statement.sid();
        let said = self.seeking.answer(&seek).unwrap_or_else(|| {
            let index = self.speak(now, Body::Recovery(Word::Sought { seek }));
            self.seeking.gave(seek, index);
            index
        });
        self.repeat_beside(&arrival.from, said, found);
    }

    /// A peer says what it knows of offers to a retired agency.
    pub(super) fn found(&mut self, now: Now, arrival: &Arrival, seek: &Sid) {
        if !self.seeking.awaits(seek, &arrival.from) {
            return;
        }
        let Some(items) = self.seeking.items(seek).map(<[AckItem]>::to_vec) else { return };
        for statement in &arrival.certificate {
            if self.state.is_decision(statement) {
                self.write_statement(Origin::Learned, statement.clone(), None);
            } else {
                let doubted = items.iter().filter(|item| self.state.is_later(item, statement));
                doubted.for_each(|item| self.seeking.doubt(item.sid));
            }
        }
        self.keep(&arrival.statement); // what a RECLAIM rests on
        let peers = self.peers_to_hear();
        let nobodys = self.seeking.answered(seek, &arrival.from, &peers.iter().collect::<Vec<_>>());
        self.reclaim(now, nobodys);
    }

    fn reclaim(&mut self, now: Now, items: Vec<AckItem>) {
        for item in items {
            if let Some(reclaim) = self.state.reclaim(&item) {
                self.speak(now, Body::Reclaim(reclaim));
            }
        }
    }

    /// Who has to say that it knows nothing.
    pub(super) fn peers_to_hear(&self) -> Vec<AgencyId> {
        let (acts, me) = (&self.state.memory.acts, &self.state.me);
        let peers = self.directory.agencies.keys();
        peers.filter(|peer| *peer != me && !acts.retires(peer)).cloned().collect()
    }

    /// Asks for what is to be reclaimed, and asks again.
    pub(super) fn seek(&mut self, now: Now) {
        if self.seeking.poll().is_none_or(|at| at > now.mono) {
            return;
        }
        while self.pending.bytes < super::recovering::SPEAK_BYTES {
            let Some((agency, items)) = self.seeking.fresh() else { break };
            let acts = self.seeking.acts();
            let said = Word::Seek { agency, acts, items: items.clone() };
            let index = self.speak(now, Body::Recovery(said));
            let Some(Record::Statement(seek)) = self.pending.records.last() else { return };
            self.seeking.asked(now.mono, (seek.statement.sid(), index), items);
        }
        let peers = self.peers_to_hear();
        let peers: Vec<&AgencyId> = peers.iter().collect();
        let beside = self.state.memory.acts.beside(&BTreeSet::new());
        for (peer, index) in self.seeking.due(now.mono, &peers) {
            self.repeat_beside(peer, index, beside.clone());
        }
        if peers.is_empty() {
            let nobodys = self.seeking.unasked(&peers);
            self.reclaim(now, nobodys);
        }
    }

    /// Acts came, or a peer said or forgot that it knows them.
    pub(super) fn acts_changed(&mut self, now: Now) {
        if self.state.recovering() || self.state.retired() {
            self.seeking.forget();
        } else {
            self.seeking.sync(now.mono, &self.state.memory.acts, self.state.offered_to_retired());
        }
        self.collect_anew(now, false);
        let (acts, me) = (&self.state.memory.acts, &self.state.me);
        let peers = self.directory.agencies.keys().filter(|peer| *peer != me);
        self.telling.sync(now.mono, acts, peers);
        if let Some(asking) = self.asking.as_mut() {
            asking.heed(now.mono, acts);
        }
    }
}
